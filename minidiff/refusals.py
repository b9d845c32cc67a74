"""What a function is given, checked: the value in its plain form, or one sentence. Every room may import this file."""

import os
import sys
from collections.abc import Callable, Iterable
from functools import cache, wraps
from inspect import signature
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

LARGEST = sys.float_info.max
FLOATS = {torch.float32, torch.float64, torch.bfloat16, torch.float16}


def described(value: Any) -> str:
    """A value in a few words, for a sentence: an array by kind and shape, a number or text as it is, else the kind."""
    if isinstance(value, (Tensor, np.ndarray)):
        kind = "a tensor" if isinstance(value, Tensor) else "an array"
        return f"{kind} of {value.dtype} and shape {tuple(value.shape)}"
    if value is None or isinstance(value, (str, bytes, int, float, complex)):
        return text if len(text := repr(value)) <= 60 else f"{text[:57]}..."
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def require(truth: Any, sentence: str) -> None:
    """Raise ValueError with the sentence unless it is true."""
    if not truth:
        raise ValueError(sentence)


def number(name: str, value: Any, low: float = -LARGEST, high: float = LARGEST) -> float:
    """A number in [low, high] as a float, a 0-d tensor of one too; finite unless an end is infinite.

    name: what it is called in the sentence.
    value: what was given.
    low, high: the smallest and the largest that are allowed.

    Raises ValueError, or TypeError for what is no number.
    """
    if isinstance(value, (Tensor, np.ndarray, np.number)) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be one number, not {described(value)}")
    fits = isinstance(value, float) or abs(value) <= LARGEST  # an int may be larger than any float
    if not (fits and low <= value <= high):
        allowed = f"in [{low:g}, {high:g}]" if high < LARGEST or low > -LARGEST else "within what a float holds"
        raise ValueError(f"{name} must lie {allowed}; got {described(value)}")
    return float(value)


def whole(name: str, value: Any, low: int = 1, high: int = 2**63 - 1) -> int:
    """A whole number in [low, high] as an int; 2.0 and True are none. Raises ValueError.

    name: what it is called in the sentence.
    value: what was given.
    low, high: the smallest and the largest that are allowed.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high:
        return int(value)
    upto = "up" if high == 2**63 - 1 else f"to {high}"
    raise ValueError(f"{name} must be a whole number from {low} {upto}; got {described(value)}")


def choice(name: str, value: Any, names: Iterable[str]) -> str:
    """One of the names. Raises ValueError."""
    if isinstance(value, str) and value in list(names):
        return value
    raise ValueError(f"{name} must be one of {', '.join(map(repr, names))}; got {described(value)}")


def function(name: str, value: Any, *given: Any, **named: Any) -> Any:
    """What can be called with arguments like these, and is no class. Raises TypeError.

    name: what it is, for the sentence.
    value: what may be a function.
    given, named: such arguments.
    """
    try:
        called: Any = None if isinstance(value, type) else getattr(value, "forward", value)
        signature(called).bind(*given, **named)
    except ValueError:  # written in C, without a signature
        return value
    except TypeError:
        said = "".join(f" and {key}" for key in named)
        raise TypeError(f"{name} must be a function of {len(given)} arguments{said}, not {described(value)}") from None
    return value


def call(name: str, value: Any, *given: Any, **named: Any) -> Any:
    """What a function gives for these arguments. Raises TypeError, in a sentence where it takes others.

    name: what it is, for the sentence.
    value: the function.
    given, named: the arguments.
    """
    try:
        return value(*given, **named)
    except TypeError:
        function(name, value, *given, **named)
        raise


def instance(name: str, value: Any, kind: Any, wanted: str) -> Any:
    """A value of a kind. Raises TypeError.

    name: what it is, for the sentence.
    value: what may be of that kind.
    kind: a class, or several.
    wanted: the kind in words, such as "a dict from names to tensors".
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {wanted}, not {described(value)}")
    return value


def flag(name: str, value: Any) -> bool:
    """True or False. Raises ValueError."""
    require(isinstance(value, bool), f"{name} must be True or False; got {described(value)}")
    return value


def generator(value: Any) -> torch.Generator | None:
    """Where random numbers come from: a torch.Generator, or None for torch's own. Raises TypeError."""
    return instance("generator", value, (torch.Generator, type(None)), "a torch.Generator or None")


def random_source(value: Any) -> Any:
    """Where random numbers come from: a torch.Generator, NumPy's in a list, one a sample, or None. Raises TypeError."""
    streams = isinstance(value, list) and all(isinstance(one, np.random.Generator) for one in value)
    if not (streams or value is None or isinstance(value, torch.Generator)):
        raise TypeError(
            f"generator must be a torch.Generator or a list of NumPy's, one a sample; got {described(value)}"
        )
    return value


def device(value: Any) -> torch.device:
    """A device, from its name too. Raises TypeError, and ValueError for a name that torch does not know."""
    try:
        return torch.device(instance("device", value, (str, torch.device), "a torch.device or its name"))
    except RuntimeError:
        raise ValueError(f"there is no device {described(value)}: name one, such as cpu or cuda:0") from None


def path(name: str, value: Any) -> Path:
    """Where a file is, from a text or a Path. Raises TypeError."""
    if isinstance(value, (str, os.PathLike)) and not isinstance(value, type):
        return Path(value)
    raise TypeError(f"{name} must be the path of a file, as a text or a Path, not {described(value)}")


def tensor(name: str, value: Any, dtype: torch.dtype | None = None, *, finite: bool = False) -> Tensor:
    """Numbers as a tensor, from a tensor, an array, or a list of numbers, of arrays or of tensors of one shape.

    name: what it is called in the sentence.
    value: what was given.
    dtype: what it becomes; by default it keeps its own.
    finite: whether NaN and infinity are refused, with ValueError; on a GPU that waits for it.

    Raises TypeError for what holds no numbers, and for complex ones.
    """
    if isinstance(value, Tensor) and (torch.compiler.is_compiling() or not value.is_inference()):
        found = value
    else:
        with torch.inference_mode(False):
            found = _converted(name, value, dtype)
    if found.is_complex() or found.layout != torch.strided:
        raise TypeError(f"{name} is {described(found)}: give real numbers, in an ordinary (strided) tensor")
    if finite and not found.isfinite().all():
        raise ValueError(f"{name} holds numbers that are not finite (NaN, infinity): look for what first made one")
    return found if dtype is None else found.to(dtype)


def floats(name: str, value: Any) -> Tensor:
    """Floating-point numbers, from what `tensor` takes; one number in float64. Raises ValueError for whole ones."""
    found = tensor(name, value, torch.float64 if type(value) in (int, float) else None)
    require(found.is_floating_point(), f"{name} is {described(found)}: give floating-point numbers")
    return found


def of_floats(curve: Callable) -> Callable:
    """A function of times that is given them as `floats`, whatever held them; it raises what that raises."""

    @wraps(curve)
    def checked(t: Any, *more: Any, **named: Any) -> Any:
        return curve(floats("t", t), *more, **named)

    return checked


def integers(name: str, value: Any) -> Tensor:
    """Whole numbers as an int64 tensor, from what `tensor` takes. Raises ValueError for floats and booleans."""
    found = tensor(name, value)
    if found.is_floating_point() or found.dtype == torch.bool:
        raise ValueError(f"{name} is {described(found)}: give whole numbers, as integers")
    return found.long()


def samples(name: str, x: Any, least: int = 1) -> Tensor:
    """An ordinary (strided) floating-point tensor of at least so many dimensions. Raises TypeError."""
    if not isinstance(x, Tensor) or x.dtype not in FLOATS or x.ndim < least or x.layout != torch.strided:
        raise TypeError(f"{name} must be an ordinary floating-point tensor, (B, *); got {described(x)}")
    return x


def data(name: str, value: Any, ndim: int = 0) -> Tensor:
    """Finite numbers as a floating-point tensor with at least ndim dimensions; a single number in float64."""
    numbers = tensor(name, value, torch.float64 if isinstance(value, (int, float)) else None)
    require(numbers.numel(), f"{name} must hold at least one number (N >= 1); got shape {tuple(numbers.shape)}")
    require(numbers.isfinite().all(), f"{name} must hold finite numbers only, neither NaN nor infinity")
    require(numbers.ndim >= ndim, f"{name} must have at least {ndim} dimensions; got shape {tuple(numbers.shape)}")
    return numbers if numbers.is_floating_point() else numbers.float()


@cache
def broadcast(name: str, shape: torch.Size, *others: torch.Size) -> None:
    """Raise ValueError unless tensors of these other shapes broadcast against a batch's and leave it as it is.

    name: what they are called in the sentence.
    shape: (B, *), the batch's.
    others: theirs.
    """
    try:
        fits = torch.broadcast_shapes(shape, *others) == shape
    except RuntimeError:
        fits = False
    require(fits, f"{name}, of shapes {[*map(tuple, others)]}, do not broadcast against a sample, {tuple(shape[1:])}")


def _converted(name: str, value: Any, dtype: torch.dtype | None) -> Tensor:
    parts = value if isinstance(value, (list, tuple)) else (value,)
    try:
        if isinstance(value, Tensor):
            return value.clone()  # made in inference mode: the copy can be differentiated
        if parts is value and parts and all(isinstance(part, Tensor) for part in parts):
            return torch.stack(list(parts))
        if any(hasattr(part, "__array__") and not isinstance(part, (Tensor, type)) for part in parts):
            value = np.array(value)  # a copy: torch takes no negative strides and warns of arrays that are read-only
        value = None if isinstance(value, (str, bytes, bytearray)) else value
        own = isinstance(value, np.ndarray)  # has a dtype, by which complex numbers are told from real ones
        return torch.as_tensor(value, dtype=None if own else dtype, device="cpu")
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise TypeError(f"{name} must be numbers in a tensor, an array or a list, not {described(value)}") from None
