"""What every data set is: samples in standardised units, with their labels and names."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """A data set in standardised units: `raw = x * scale + shift`.

    x: (N, *) float32. y: (N,) int64 class labels, or None. names: the names of the classes, entry k for label k.
    captions: one name for each of the N items, or None.
    """

    x: Tensor
    y: Tensor | None = None
    shift: float = 0.0
    scale: float = 1.0
    names: tuple[str, ...] | None = None
    captions: tuple[str, ...] | None = None

    def restore(self, x: Tensor) -> Tensor:
        """From standardised to original units (for images: 0 is black, 1 is white; a sample may fall outside)."""
        return x * self.scale + self.shift

    def standardise(self, raw: Tensor) -> Tensor:
        """From original to standardised units."""
        return (raw - self.shift) / self.scale

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, items: slice | Tensor | Sequence[int]) -> "Data":
        """The part of the set picked by a slice, a mask or a list of indices: `clothes[clothes.y == 7]`."""
        picked = torch.arange(len(self))[items]
        if picked.ndim != 1:
            raise TypeError(f"Data[{items}] would not be a data set: give a slice, or take data.x[{items}]")
        y = None if self.y is None else self.y[items]
        captions = None if self.captions is None else tuple(self.captions[i] for i in picked.tolist())
        return Data(self.x[items], y, self.shift, self.scale, self.names, captions)

    def __repr__(self) -> str:
        classes = "no labels" if self.names is None else f"{len(self.names)} classes"
        return f"Data(x {tuple(self.x.shape)}, {classes}, shift {self.shift:.6g}, scale {self.scale:.6g})"
