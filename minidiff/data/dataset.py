"""What every data set is: samples in standardised units, with their labels and names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..refusals import described, integers, number, require, tensor


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """A data set in standardised units: `raw = x * scale + shift`. Arrays and lists are taken and become tensors.

    x: (N, *) float32, or integers where the data are tokens.
    y: (N,) int64 class labels, or None.
    shift, scale: the numbers that standardised the set, scale above 0.
    names: the names of the classes, entry k for label k.
    captions: one name for each of the N items, or None.
    condition: further conditions a network is given, name -> (N, *); `data.condition` holds y too, if there is one.

    Raises ValueError where these do not fit each other or hold NaN, and TypeError for what are no numbers or names.
    """

    x: Tensor
    y: Tensor | None = None
    shift: float = 0.0
    scale: float = 1.0
    names: tuple[str, ...] | None = None
    captions: tuple[str, ...] | None = None
    condition: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        x = _rows("x", self.x)
        labels = {} if self.y is None else {"y": self.y}
        given = {**labels, **_named(self.condition), **labels}  # y first, and what is given as y before the other
        condition = {name: _rows(name, rows, len(x)) for name, rows in given.items()}
        y, names = condition.get("y"), _texts("names", self.names)
        if y is not None:
            condition["y"] = y = _labels(integers("y", y), len(names) if names else None)
        changed: dict[str, Any] = {"x": x, "y": y, "condition": condition, "names": names}
        changed |= {"captions": _texts("captions", self.captions, len(x)), "shift": number("shift", self.shift)}
        changed["scale"] = number("scale", self.scale)
        require(changed["scale"] > 0, f"scale must be above 0, since samples are divided by it; got {self.scale!r}")
        for name, value in changed.items():
            object.__setattr__(self, name, value)

    def restore(self, x: Tensor) -> Tensor:
        """From standardised to original units (for images: 0 is black, 1 is white; a sample may fall outside)."""
        return tensor("x", x) * self.scale + self.shift

    def standardise(self, raw: Tensor) -> Tensor:
        """From original to standardised units."""
        return (1.0 * tensor("raw", raw) - self.shift) / self.scale  # 1.0: from True and False nothing can be taken

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, items: slice | Tensor | Sequence[int] | Sequence[bool]) -> "Data":
        """The part of the set picked by a slice, a mask or a list of indices: `clothes[clothes.y == 7]`."""
        try:
            items = items if isinstance(items, (slice, Tensor)) else torch.as_tensor(items)
            picked = torch.arange(len(self))[items]
        except (IndexError, TypeError, ValueError, RuntimeError):
            wanted = f"a slice, a mask of {len(self)} or indices below {len(self)}"
            raise ValueError(f"a set of {len(self)} was indexed by {described(items)}: give {wanted}") from None
        if picked.ndim != 1:
            raise TypeError(f"Data[{items}] would not be a data set: give a slice, or take data.x[{items}]")
        captions = None if self.captions is None else tuple(self.captions[i] for i in picked.tolist())
        condition = {name: rows[items] for name, rows in self.condition.items()}
        return replace(self, x=self.x[items], y=None, captions=captions, condition=condition)

    def __repr__(self) -> str:
        classes = "no labels" if self.names is None else f"{len(self.names)} classes"
        return f"Data(x {tuple(self.x.shape)}, {classes}, shift {self.shift:.6g}, scale {self.scale:.6g})"


def _rows(name: str, value: Any, count: int | None = None) -> Tensor:
    """A tensor with one row a sample, floats in float32. Raises ValueError for no rows and for another count."""
    rows = tensor(name, value, finite=True)
    if rows.dim() == 0 or len(rows) == 0 or len(rows) != (len(rows) if count is None else count):
        wanted = "at least one row" if count is None else f"{count} rows, one a sample"
        raise ValueError(f"{name} has shape {tuple(rows.shape)}: a data set needs {wanted}")
    return rows.float() if rows.is_floating_point() else rows


def _labels(y: Tensor, classes: int | None) -> Tensor:
    """Labels (N,) themselves. Raises ValueError for others, such as one-hot rows, and for a label without a name."""
    if y.dim() != 1 or y.min() < 0 or y.max() >= (2**31 if classes is None else classes):
        wanted = "whole numbers from 0 up" if classes is None else f"whole numbers from 0 to {classes - 1}, as named"
        raise ValueError(f"y is {described(y)}, from {y.min()} to {y.max()}: labels are (N,), {wanted}")
    return y


def _named(condition: Any) -> Mapping[str, Any]:
    if not isinstance(condition, Mapping) or not all(isinstance(name, str) for name in condition):
        raise TypeError(f"condition is {described(condition)}: give a dict from names to one row a sample")
    return condition


def _texts(name: str, value: Any, count: int | None = None) -> tuple[str, ...] | None:
    """Names as a tuple. Raises TypeError for what are none, and ValueError for more or fewer than count."""
    if value is None:
        return None
    if not isinstance(value, (tuple, list)) or not all(isinstance(part, str) for part in value):
        raise TypeError(f"{name} is {described(value)}: give a tuple or a list of strings, or None")
    if len(value) != (len(value) if count is None else count):
        raise ValueError(f"there are {len(value)} {name} for {count} samples: give one for each, or None")
    return tuple(value)
