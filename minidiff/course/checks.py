"""Checks that read like claims: a wrong number is loud, a right one prints the same line on every machine.

What is printed is the number that was WANTED, never the one this run gave, so the line can be compared literally.
Scalars, lists, arrays and tensors are accepted everywhere; a NaN, an infinity or nothing at all never passes.
"""

import math

import numpy as np
import torch

from ..refusals import described, instance, number, require

HINT = "If you changed a cell above, that is the first place to look."


def check(name: str, got, want, *, rtol: float = 1e-3, atol: float = 0.0) -> None:
    """Raise AssertionError unless |got - want| <= atol + rtol * |want|; print "ok  name = want".

    name: the claim, as it is printed.
    got: a number or an array, as computed here.
    want: one number, or an array of got's shape.
    rtol: the relative tolerance, at least 0.
    atol: the absolute tolerance, at least 0; with want = 0 give one.

    For arrays every value must be within its own tolerance, and the line says how many values were compared.
    Raises ValueError for tolerances that are negative or not finite, and TypeError for what are no real numbers.
    """
    instance("name", name, str, "a text")
    rtol, atol = (number(f"{name}: rtol and atol, tolerances,", c, 0) for c in (rtol, atol))
    found, target = _numbers(name, got), _numbers(name, want)
    if target.ndim and target.shape != found.shape:
        raise AssertionError(f"{name}: this run gave shape {found.shape}, wanted shape {target.shape}.")
    target = np.broadcast_to(target, found.shape)
    allowed = atol + rtol * np.abs(target)
    with np.errstate(invalid="ignore"):
        excess = np.abs(found - target) - allowed
    wrong = ~(np.isfinite(found) & np.isfinite(target) & (excess <= 0))
    if wrong.any() or not found.size:
        raise AssertionError(_difference(name, found, target, allowed, wrong, excess))
    said = "" if np.ndim(_plain(want)) else f" = {_text(want)}"
    print(f"ok  {name}{said}{_count(found)}")


def check_between(name: str, got, low: float, high: float) -> None:
    """Raise AssertionError unless low <= got <= high (every value of an array); print "ok  name is between ...".

    name: the claim, as it is printed.
    got: a number or an array, as computed here.
    low, high: the bounds, both allowed.

    Raises ValueError where low is above high.
    """
    instance("name", name, str, "a text")
    low, high = (number(f"{name}: low and high", bound, -math.inf, math.inf) for bound in (low, high))
    require(low <= high, f"{name}: low must not be above high; got low={low}, high={high}.")
    found = _numbers(name, got)
    wrong = ~(np.isfinite(found) & (found >= low) & (found <= high))
    if wrong.any() or not found.size:
        example = f"this run gave {found[wrong][0]:.6g}" if found.size else "this run gave no values"
        raise AssertionError(f"{name}: {example}, wanted between {_text(low)} and {_text(high)}{_share(wrong)}. {HINT}")
    print(f"ok  {name} is between {_text(low)} and {_text(high)}{_count(found)}")


def check_that(name: str, condition) -> None:
    """Raise AssertionError unless the condition is True (everywhere, for an array of booleans); print "ok  name".

    Only booleans are accepted (TypeError otherwise): in Python a NaN, or the text "False", counts as true.
    """
    found = _array(instance("name", name, str, "a text"), condition)
    if found.dtype != bool:
        raise TypeError(
            f"{name}: check_that wants True or False, or an array of them; got {type(condition).__name__} "
            f"({found.dtype}). Write a comparison, such as x < 1."
        )
    if not found.size or not found.all():
        raise AssertionError(f"{name}: wanted True, this run gave False{_share(~found)}. {HINT}")
    print(f"ok  {name}")


def _plain(value):
    """A tensor as a NumPy array on the CPU; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu()
    return (value.double() if value.is_floating_point() else value).numpy()


def _numbers(name: str, value) -> np.ndarray:
    found = _array(name, [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value)
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name}: wanted real numbers, in an array or a tensor, not {described(value)}.")
    return found.astype(np.float64)


def _array(name: str, value) -> np.ndarray:
    try:
        return np.asarray(_plain(value))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: wanted a number, an array or a tensor, not {described(value)}.") from error


def _difference(name, found, target, allowed, wrong, excess) -> str:
    """The message for a failed check: the worst value, what was wanted there, and what was allowed."""
    if not found.size:
        return f"{name}: this run gave no values at all. {HINT}"
    badness = np.where(wrong, np.nan_to_num(excess, nan=np.inf), -np.inf)
    worst = np.unravel_index(badness.argmax(), found.shape)
    message = (
        f"{name}: this run gave {found[worst]:.6g}, wanted {target[worst]:.6g} "
        f"(allowed difference {allowed[worst]:.2g}){_share(wrong)}."
    )
    if target[worst] == 0 and allowed[worst] == 0:
        message += " Around 0 a relative tolerance allows nothing: give an atol."
    return f"{message} {HINT}"


def _text(number) -> str:
    """A wanted number as it is printed: whole numbers in full, others to six digits."""
    number = float(number)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:g}"


def _count(found: np.ndarray) -> str:
    return f" ({found.size} values)" if found.ndim else ""


def _share(wrong: np.ndarray) -> str:
    return f" ({wrong.sum()} of {wrong.size} values are wrong)" if wrong.ndim and wrong.size else ""
