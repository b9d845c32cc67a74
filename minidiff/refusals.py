"""What a function is given, checked: the value in its plain form, or one sentence. Every room may import this file."""

import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor


def described(value: Any) -> str:
    """A value in a few words, for a sentence: an array by kind and shape, a number or text as it is, else the kind."""
    if isinstance(value, (Tensor, np.ndarray)):
        kind = "a tensor" if isinstance(value, Tensor) else "an array"
        return f"{kind} of {value.dtype} and shape {tuple(value.shape)}"
    if value is None or isinstance(value, (str, bytes, Real)):
        return text if len(text := repr(value)) <= 60 else f"{text[:57]}..."
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def whole(name: str, value: Any, low: int = 1, high: int = 2**63 - 1) -> int:
    """A whole number in [low, high]; 2.0 and True are none. Raises ValueError."""
    if isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high:
        return int(value)
    upto = "up" if high == 2**63 - 1 else f"to {high}"
    raise ValueError(f"{name} must be a whole number from {low} {upto}; got {described(value)}")


def number(name: str, value: Any, allowed: Callable[[float], bool] = math.isfinite, which: str = "and finite") -> float:
    """A finite number, a 0-d tensor of one too, that is `allowed`; `which` says which are. Raises ValueError."""
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim == 0:
        value = value.item()
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if real and abs(value) < 2**127 and allowed(float(value)):
        return float(value)
    raise ValueError(f"{name} must be a number {which}; got {described(value)}")


def choice(name: str, value: Any, names: Iterable[str]) -> str:
    """One of the names. Raises ValueError."""
    if isinstance(value, str) and value in list(names):
        return value
    raise ValueError(f"{name} must be one of {', '.join(map(repr, names))}; got {described(value)}")


def tensor(name: str, value: Any, *, finite: bool = True) -> Tensor:
    """Real numbers as a tensor, from a tensor, an array, or a list of numbers, of arrays or of tensors of one shape.

    Raises TypeError for what is none of these, and ValueError for NaN and infinity unless finite is False.
    """
    parts = value if isinstance(value, (list, tuple)) else (value,)
    try:
        if parts is value and parts and all(isinstance(part, Tensor) for part in parts):
            value = torch.stack(list(parts))
        elif any(hasattr(part, "__array__") and not isinstance(part, (Tensor, type)) for part in parts):
            value = np.array(value)  # a copy: torch takes no negative strides and warns of arrays that are read-only
        found = torch.as_tensor(None if isinstance(value, (str, bytes, bytearray)) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise TypeError(f"{name} is {described(value)}: give a tensor, an array or a list of numbers") from None
    if found.is_complex() or found.dtype == torch.bool or found.layout != torch.strided:
        raise TypeError(f"{name} is {described(found)}: give real numbers, in an ordinary (strided) tensor")
    if finite and not found.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity: look for the step or the file that first produced one")
    return found
