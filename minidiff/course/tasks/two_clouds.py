"""Notebook 01b, when two clouds differ: checks of the reader's lines, and right ones to go on with."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers, float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def p_value(mine) -> None:
    """return the share of distances that are at least as large as the first, which is one of them."""
    for distances in (torch.tensor([2.0, 1, 1, 1, 1, 2]), torch.tensor([3.0, 1, 4, 1, 5, 9, 2, 6])):
        reached = distances >= distances[0]
        share = lambda these: these.double().mean()
        refuse_slips(mine(distances), share(reached), {
            "a distance that is as large as the true one counts too: >= instead of >.": share(distances > distances[0]),
            "the true colours are left out: they are one of the colourings, so p is never 0.": share(reached[1:]),
            "it counts the distances that are smaller: large ones speak against one source.":
                share(distances <= distances[0]),
            "that is the number of them: divide by how many distances there are.": reached.sum(),
            "the number is divided by the shuffles: the true colours are one more.": reached.sum() / len(reached[1:]),
            "that is one minus the p-value.": 1 - share(reached),
        }, "it should be how many are at least distances[0], over how many there are.")  # fmt: skip


def our_p_value(distances: Tensor) -> Tensor:
    """The share of distances, (1 + shuffles,), that are at least as large as the first."""
    return (distances >= distances[0]).double().mean()


def fair_p(mine) -> None:
    """take the largest gap of each row, and return the p-value of these."""
    for seed in (2, 3):
        gaps = normal(40, 3, seed=seed).square() * torch.tensor([1.0, 1.5, 0.8])
        gaps[0] = gaps[1:].quantile(0.85, 0)
        gaps[0, seed - 2] *= 1.1
        each = torch.stack([our_p_value(column) for column in gaps.T])
        refuse_slips(mine(gaps), our_p_value(gaps.amax(1)), {
            "that is peeking: the direction is chosen by the true colours, and every row may choose its own.":
                each[gaps[0].argmax()],
            "that is the smallest p-value of the directions, which is peeking too: make one number of each row first.":
                each.min(),
            "that is Bonferroni's bound: safe, but not exact.": len(each) * each.min(),
            "that is the mean over directions, the test of section 1: take the largest.": our_p_value(gaps.mean(1)),
            "that is the smallest gap of each row: take the largest.": our_p_value(gaps.amin(1)),
            "amax(0) is the largest of the shuffles: amax(1) is that of the directions.": our_p_value(gaps.amax(0)),
        }, "it should be the share of rows whose largest gap is at least that of row 0.")  # fmt: skip


def our_fair_p(gaps: Tensor) -> Tensor:
    """The p-value of the largest gap over directions, from gaps (1 + shuffles, directions)."""
    return our_p_value(gaps.amax(1))


def fewest_dots(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(4.0), {
        "with three it is 2/20 = 0.1, since the colours exchanged are as far apart: not yet.": 3,
        "with two it is 1/3.": 2,
        "so many will do, but fewer are enough: what is 2 over the number of colourings?": 5,
        "n counts the dots of one colour.": 8,
    }, "find the smallest n with 2 / (2n choose n) of at most 0.05.")  # fmt: skip


def our_fewest_dots() -> int:
    """2 / 70 is the first below 0.05."""
    return next(n for n in range(1, 10) if 2 / math.comb(2 * n, n) <= 0.05)


def dots_needed(mine) -> None:
    """keep sqrt(n) times the shift as it is, and solve for the new n."""
    for n, noticed, wanted in ((200, 0.25, 0.1), (100, 0.5, 1.0)):
        ratio = noticed / wanted
        refuse_slips(mine(n, noticed, wanted), torch.tensor(our_dots_needed(n, noticed, wanted)), {
            "half the shift needs four times the dots, not twice as many: square the ratio.": n * ratio,
            "the ratio is upside down: a smaller shift needs more dots.": n / ratio**2,
            "that is a root where a square belongs.": n * ratio**0.5,
            "that is the ratio of the numbers: multiply it by n.": ratio**2,
            "the ratio is upside down, and not squared: a smaller shift needs more dots.": n / ratio,
        }, "it should be n times (noticed / wanted) squared.")  # fmt: skip


def our_dots_needed(n: float, noticed: float, wanted: float) -> float:
    """The standard error of a mean falls like 1 / sqrt(n), and with it the shift that is noticed."""
    return n * (noticed / wanted) ** 2


def permutation_test(mine) -> None:
    """in the loop measure two clouds whose dots are shuffled, and append it to found."""
    a, b, seen = normal(8, 2, seed=0), 5 + normal(12, 2, seed=1), []
    order = lambda *clouds: torch.cat(clouds)[:, 0].sort().values

    def metric(x: Tensor, y: Tensor) -> float:
        seen.append((x, y))
        return abs(y.mean() - x.mean()).item()

    p = mine(metric, a, b, 19, torch.Generator().manual_seed(2))
    assert len(seen) == 20, f"metric is called {len(seen)} times for 19 shuffles, wanted 20: one for the true colours."
    assert torch.equal(seen[0][0], a) and torch.equal(seen[0][1], b), "the first of found is not metric(a, b)."
    sizes = {(len(x), len(y)) for x, y in seen}
    assert sizes == {(8, 12)}, "the shuffled clouds have other sizes: len(a) dots are blue, and all others red."
    whole = all(torch.equal(order(x, y), order(a, b)) for x, y in seen)
    assert whole, "some dots are in both clouds or in none: what is not blue is red."
    stayed = [torch.equal(order(x), order(a)) for x, _ in seen[1:]]
    assert not all(stayed), "no dot changes its colour: divide the shuffled dots, mixed = both[order]."
    assert len({order(x)[0].item() for x, _ in seen}) > 2, "every shuffle is the same one."
    refuse_slips(p, torch.tensor(1 / 20), {}, "for clouds far apart p should be 1 / (1 + shuffles).")


def our_permutation_test(metric: Callable, a: Tensor, b: Tensor, shuffles: int, dice: torch.Generator) -> Tensor:
    """The p-value of metric(a, b) among shuffled colours.

    metric: a function of two clouds that gives a number.
    a, b: (n, d) and (m, d).
    shuffles: how many.
    dice: draws them.
    """
    both, found = torch.cat([a, b]), [metric(a, b)]
    for _ in range(shuffles):
        mixed = both[torch.randperm(len(both), generator=dice)]
        found.append(metric(mixed[: len(a)], mixed[len(a) :]))
    return our_p_value(torch.tensor(found))
