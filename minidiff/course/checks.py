"""Checks that read like claims: they print what was measured and what was wanted, and a wrong number is loud.

    check("variance of x_t", 1.002, 1.0, rtol=0.005)    # ok  variance of x_t = 1.002   wanted 1 within 0.5 %
    check_between("share of boots", 0.853, 0.75, 1)     # ok  share of boots = 0.853   wanted 0.75 to 1

Scalars, lists, arrays and tensors are accepted everywhere; a NaN, an infinity or nothing at all never passes. What was
measured may differ in its last digits from machine to machine: where stored notebooks are compared, tests/nbval.cfg
leaves it out, and the check itself has judged it.
"""

import math

import numpy as np
import torch

from ..refusals import described, instance, number, require

HINT = "If you changed a cell above, that is the first place to look."


def check(name: str, got, want, *, rtol: float = 1e-3, atol: float = 0.0) -> None:
    """Raise AssertionError unless |got - want| <= atol + rtol * |want|; print got, want and what was allowed.

    name: the claim, as it is printed.
    got: a number or an array, as computed here.
    want: one number, or an array of got's shape.
    rtol: the relative tolerance, at least 0.
    atol: the absolute tolerance, at least 0; with want = 0 give one.

    For arrays every value must be within its own tolerance; the line shows their range, or, where each had a target of
    its own, how far the worst was off.
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
    within = _within(rtol if target.any() else 0.0, atol)
    if np.ndim(_plain(want)):
        worst = _shown(np.abs(found - target).max())
        print(f"ok  {name}: {_count(found)} off by {worst} at most   wanted {within or 'no difference'}")
    else:
        wanted = " ".join([_text(want), within]).strip()
        print(f"ok  {name} = {_measured(found, _digits(want, allowed))}   wanted {wanted}")


def check_between(name: str, got, low: float, high: float) -> None:
    """Raise AssertionError unless low <= got <= high (every value of an array); print got and the bounds.

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
    print(f"ok  {name} = {_measured(found)}   wanted {_text(low)} to {_text(high)}")


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


def _digits(want: float, allowed: np.ndarray) -> int:
    """How many digits of a measured number to show: more where less is allowed beside the wanted one."""
    relative = allowed.max(initial=0.0) / (abs(want) or 1.0)
    return 4 if relative > 1e-3 else 6


def _shown(number: float, digits: int = 4) -> str:
    """A measured number as it is printed: whole numbers in full, others to so many digits."""
    return _text(number) if float(number).is_integer() else f"{number:.{digits}g}".replace("e-0", "e-")


def _measured(found: np.ndarray, digits: int = 4) -> str:
    """One number, or the range of several and how many they are."""
    low, high = _shown(found.min(), digits), _shown(found.max(), digits)
    several = low if low == high else f"{low} to {high}"
    return f"{several} ({_count(found)})" if found.ndim else low


def _within(rtol: float, atol: float) -> str:
    """The tolerance in words; "" where none is allowed."""
    share = f"{100 * rtol:.3g} %" if rtol >= 1e-5 else f"{_shown(rtol)} of it" if rtol else ""
    return f"within {' and '.join(filter(None, [share, _shown(atol) if atol else '']))}" if rtol or atol else ""


def _count(found: np.ndarray) -> str:
    return f"{found.size:,} value{'s' * (found.size > 1)}"


def _share(wrong: np.ndarray) -> str:
    return f" ({wrong.sum()} of {wrong.size} values are wrong)" if wrong.ndim and wrong.size else ""
