"""A number and its standard error: the jackknife, and the floor that equal distributions set."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Estimate(NamedTuple):
    """A value and its standard error, of one shape; the error is 0 where nothing was drawn at random."""

    value: Any
    error: Any


def jackknife(metric: Callable, *clouds: Tensor, folds: int = 10) -> Estimate:
    """Any metric with its standard error, by leaving out each fold of the rows in turn (Tukey 1958).

        error^2 = (folds - 1) * mean_j (metric without fold j - the average of these)^2

    clouds: what the metric takes, rows first. The rows go to the folds at random, but to the same ones every time, and
    equally long clouds are split alike, so that an image stays with its label. A metric may return several numbers;
    then so do value and error. The error is itself known to 1 / sqrt(2 (folds - 1)) of it, a quarter with 10 folds. It
    tells how far another draw would scatter; a bias, which the floor shows, stays in the value. Against fresh draws
    of 300 rows with 6 features, the errors of smooth metrics were right, up to 1.5 times too large where both
    distributions were equal, and 1.2 to 2 times too large where neighbours are counted.
    """
    parts, without = [random_folds(len(cloud), folds) for cloud in clouds], []
    for j in range(folds):
        kept = [cloud[torch.cat(rows[:j] + rows[j + 1 :])] for cloud, rows in zip(clouds, parts)]
        without.append(_number(metric(*kept)))
    error = ((folds - 1) * torch.stack(without).var(0, correction=0)).sqrt()
    return Estimate(_number(metric(*clouds)).tolist(), error.tolist())


def floor(metric: Callable, real: Tensor, n: int, m: int, *, draws: int = 10) -> Estimate:
    """What the metric says of n real rows against m others: the mean over draws, and how far ONE draw scatters.

    real: (N, D) with N at least n + m: within a draw no row is used twice. Draws share rows, so that for N near n + m
    the scatter comes out too small. Raises ValueError for too few rows or draws.
    """
    if draws < 2:
        raise ValueError(f"draws must be at least 2, to know how far they scatter; got {draws}")
    if not (n >= 2 and m >= 2 and n + m <= len(real)):
        raise ValueError(f"{n} rows against {m} others cannot be drawn from {len(real)}: n and m must be at least 2")
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(real), generator=generator)[: n + m] for _ in range(draws)]
    values = torch.stack([_number(metric(real[rows[:n]], real[rows[n:]])) for rows in orders])
    return Estimate(values.mean(0).tolist(), values.std(0).tolist())


def random_folds(rows: int, folds: int) -> tuple[Tensor, ...]:
    """Row numbers in a fixed random order, in so many parts, none of which is one row longer than another or more."""
    if not 2 <= folds <= rows:
        raise ValueError(f"{folds} parts of {rows} rows: there must be at least 2, and a row for each")
    return torch.randperm(rows, generator=torch.Generator().manual_seed(0)).tensor_split(folds)


def _number(value: Any) -> Tensor:
    """What a metric returns, as one float64 tensor, without the error it may carry."""
    return torch.as_tensor(value.value if isinstance(value, Estimate) else value, dtype=torch.float64)


def proportion(right: Tensor) -> Estimate:
    """How many are True, with the binomial standard error."""
    p = right.double().mean().item()
    return Estimate(p, math.sqrt(p * (1 - p) / len(right)))
