"""What a network is told besides x_t: labels, text, images. Named tensors, one row a sample.

    condition = {"y": labels (B,), "text": tokens (B, L), "low_res": images (B, C, H, W)}

A network declares what "not told" looks like: `net.nulls` maps each name it knows to that null, without the batch, such
as {"y": tensor(10), "text": zeros(L)}. Training hides a condition behind its null now and then, sampling leaves it out
or fills the null in, and that is all that classifier-free guidance needs (Ho & Salimans 2022).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .refusals import described, instance, require, tensor

Condition = Mapping[str, Tensor]


def nulls_of(net: nn.Module) -> dict[str, Tensor] | None:
    """What the network declares in `nulls`; a network with `classes` alone knows y; None where nothing is declared."""
    if (nulls := getattr(net, "nulls", None)) is not None:
        return dict(nulls)
    classes = getattr(net, "classes", None)
    return None if classes is None else {"y": torch.tensor(classes)}


def complete(condition: Mapping, nulls: Condition, x: Tensor) -> dict[str, Tensor]:
    """All that the network knows, one row for each of x, on its device; absent or None is the null, one serves all.

    Raises ValueError for a name that the network does not know, and for values of another kind, shape or row count.
    """
    require(instance("x", x, Tensor, "a tensor, (B, *)").ndim, "x must have one row a sample, (B, *); got one number")
    for name, given in (("condition", condition), ("nulls", nulls)):
        instance(name, given, Mapping, "a dict from names to tensors")
    told = {name for name, value in condition.items() if value is not None}
    if unknown := sorted(told - nulls.keys(), key=str):
        said, known = ", ".join(map(str, unknown)), ", ".join(nulls) or "no condition"
        raise ValueError(f"this network knows no {said}: it knows {known}; leave that out, or build it with that")
    return {name: _rows(name, condition.get(name), null, x) for name, null in nulls.items()}


def _rows(name: str, value: object, null: Tensor, x: Tensor) -> Tensor:
    """One condition in full, (B, *null.shape), in the null's kind of number."""
    shape = (len(x), *null.shape)
    if value is None:
        return null.to(x.device, non_blocking=True).expand(shape)
    value = tensor(name, value)
    if value.dtype == torch.bool or (value.is_floating_point() and not null.is_floating_point()):
        kind = "real" if null.is_floating_point() else "whole"
        raise ValueError(f"{name} holds {value.dtype}: this network takes {kind} numbers there, {_shapes(null)}")
    if value.shape not in (null.shape, (1, *null.shape), shape):
        raise ValueError(f"{name} has the shape {tuple(value.shape)} for {len(x)} samples: give {_shapes(null)}")
    return value.to(x.device, null.dtype, non_blocking=True).expand(shape)


def _shapes(null: Tensor) -> str:
    one = ", ".join(map(str, null.shape))
    return f"one for all of shape ({one}), or a row a sample, (B{', ' * bool(one)}{one}{',' * (not one)})"


def hide(condition: Condition, nulls: Condition, hidden: Tensor) -> dict[str, Tensor]:
    """The null in the rows where hidden, (B,) bool, is True; what has no null stays as it is."""
    for name, given in (("condition", condition), ("nulls", nulls)):
        instance(name, given, Mapping, "a dict from names to tensors")
    hidden = tensor("hidden", hidden)
    told = dict(condition)
    for name in condition.keys() & nulls.keys():
        rows, null = condition[name], nulls[name]
        fits = hidden.dtype == torch.bool and hidden.shape == rows.shape[:1]
        require(fits, f"hidden is {described(hidden)}: give {len(rows)} booleans, one a sample")
        told[name] = torch.where(hidden.reshape(-1, *[1] * null.ndim), null.to(rows), rows)
    return told
