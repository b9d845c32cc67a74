"""Your turn: a line of the notebook that the reader writes. What is right is used from there on.

In a notebook:

    def weights(x_t, points, alpha, sigma):
        ...

    weights = attempt(tasks.weights, weights, otherwise=solved.weights)

What is checked are properties (laws, limits, other shapes), so that any right answer passes, however it is written.
"""

import ast
import inspect
import io
import math
import textwrap
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..refusals import described, function
from .checks import HINT

Answer = TypeVar("Answer", bound=Callable)


def attempt(check: Callable[[Answer], None], mine: Answer, otherwise: Answer) -> Answer:
    """The reader's function if it passes the check, else the other one, so that the notebook goes on; says which.

    check: a function of the answer that returns nothing if it is right, and else raises AssertionError with what is
        wrong and what to look at next. The first line of its docstring says what to write.
    mine: what the reader wrote, a function or a class; `...` in it is still to be written.
    otherwise: a right one.
    """
    function("check", check, mine)
    name, instead = getattr(mine, "__name__", "this"), "Until then the notebook goes on with minidiff's own."
    if _unwritten(mine):
        print(f"to do  {name}: {(inspect.getdoc(check) or 'write what is marked ...').splitlines()[0]} {instead}")
        return otherwise
    try:
        with redirect_stdout(io.StringIO()):  # what checks inside say
            check(mine)
    except AssertionError as error:
        said = (str(error) or "a condition of the check is false.").splitlines()[0].replace(HINT, "").strip()
        print(f"not yet  {name}: {said} {instead}")
        return otherwise
    except Exception as error:
        print(f"not yet  {name}: {_raised(error, mine)} {instead}")
        return otherwise
    print(f"yours  {name} is right, and the notebook goes on with it.")
    return mine


def refuse_slips(got: Any, right: Any, slips: dict[str, Any], otherwise: str) -> None:
    """Raise AssertionError unless got is right, to a thousandth, with the sentence of the slip that gives just this.

    got: a number or a tensor, what the reader's function gave; or several, where right is a tuple.
    right: what it should give.
    slips: by the sentence that names it, what each likely mistake gives.
    otherwise: the sentence for anything else, after what can be said of any number (its sign, a factor, the order).
    """
    if not isinstance(right, tuple):
        return _refuse_one(got, right, slips, otherwise)
    if not isinstance(got, (tuple, list)) or len(got) != len(right):
        raise AssertionError(f"it should return {len(right)} values, separated by commas: {otherwise}")
    for k, (one, wanted) in enumerate(zip(map(torch.as_tensor, got), map(torch.as_tensor, right), strict=True), 1):
        if one.shape != wanted.shape:
            raise AssertionError(f"value {k} has shape {tuple(one.shape)}, wanted {tuple(wanted.shape)}: {otherwise}")
    flat = lambda parts: torch.cat([torch.as_tensor(part).double().reshape(-1) for part in parts])
    _refuse_one(flat(got), flat(right), {said: flat(parts) for said, parts in slips.items()}, otherwise)


def refuse_moments(
    got: Any, mean: float, variance: float, slips: dict[str, tuple[float, float]], otherwise: str
) -> None:
    """Raise AssertionError unless random numbers have this mean and variance, within 5 standard errors each.

    got: the draws, independent, as a tensor of any shape.
    mean, variance: what they should have. Errors are those of Gaussian draws: a right answer fails once in a million.
    slips: by the sentence that names it, the mean and the variance that each likely mistake gives.
    otherwise: the sentence for anything else.
    """
    if not isinstance(got, Tensor) or got.numel() < 2:
        raise AssertionError(f"it gives {described(got)}, where a tensor of draws is wanted.")
    found, n = got.double(), got.numel()
    seen = found.mean().item(), found.var().item()
    near = lambda m, v: abs(seen[0] - m) <= 5 * math.sqrt(v / n) and abs(seen[1] - v) <= 5 * v * math.sqrt(2 / n)
    if not found.isfinite().all():
        raise AssertionError(f"not all of it is finite: {otherwise}")
    if not near(mean, variance):
        measured = f"here their mean is {seen[0]:.3g} and their variance {seen[1]:.3g}"
        raise AssertionError(f"{next((said for said, wrong in slips.items() if near(*wrong)), otherwise)} ({measured})")


def _refuse_one(got: Any, right: Any, slips: dict[str, Any], otherwise: str) -> None:
    if not isinstance(got, (int, float, Tensor)):
        raise AssertionError(f"it gives {described(got)}, where a number or a tensor is wanted.")
    got, right = torch.as_tensor(got), torch.as_tensor(right, dtype=getattr(right, "dtype", torch.float64))
    if got.shape != right.shape:
        raise AssertionError(f"it gives shape {tuple(got.shape)}, wanted {tuple(right.shape)}: {otherwise}")
    if not _close(got, right):
        named = (said for said, wrong in slips.items() if _close(got, wrong))
        raise AssertionError(next(named, _off(got.double(), right.double()) + otherwise))


FACTORS = {-1: "its sign is turned", 2: "it is twice as large as it should be", 0.5: "it is half of what it should be",
           100: "it is a hundred times too large, as in per cent"}  # fmt: skip


def _off(got: Tensor, right: Tensor) -> str:
    """What can be said of any wrong number: not finite, a factor away from the right one, or out of order."""
    if right.isfinite().all() and not got.isfinite().all():
        return "it is not finite: where is 0 / 0, or the logarithm of 0 or less? "
    if _close(got.reshape(-1).sort().values, right.reshape(-1).sort().values):
        return "these are the right numbers in another order: "
    return next((f"{said}: " for factor, said in FACTORS.items() if right.any() and _close(got, factor * right)), "")


def _close(got: Tensor, other: Any) -> bool:
    other = torch.as_tensor(other)
    return got.shape == other.shape and torch.allclose(got.double(), other.double(), rtol=1e-3, atol=1e-6)


def _functions(answer: Callable) -> list[Callable]:
    """What the reader wrote: the answer itself, or the methods of a class."""
    return (
        [part for part in vars(answer).values() if inspect.isfunction(part)] if isinstance(answer, type) else [answer]
    )


def _unwritten(answer: Callable) -> bool:
    """Whether `...` stands in it for a value or a statement; as an index, x[..., 0], it is code."""
    return any(map(_dotted, _functions(answer)))


def _dotted(answer: Callable) -> bool:
    code = getattr(answer, "__code__", None)
    if code is None:
        return answer is None or answer is ...
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))
    except (OSError, TypeError, SyntaxError):  # no source, as after exec, or a lambda within a call
        return ... in code.co_consts
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Subscript) for part in ast.walk(node.slice)}
    dots = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value is ...]
    return any(id(node) not in inside for node in dots)


def _raised(error: Exception, answer: Callable) -> str:
    """What happened, and in which line of the answer, or of a method of it."""
    codes, found = [getattr(part, "__code__", None) for part in _functions(answer)], ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if (code := frame.f_code) in codes:
            number = line - code.co_firstlineno + 1
            found = f" in line {number} of {code.co_name}" if isinstance(answer, type) else f" in its line {number}"
    said = " ".join(str(error).split()) or "no reason given"
    return f"it raised {type(error).__name__}{found} ({said if len(said) <= 160 else said[:157] + '...'})."
