"""A number and its standard error: the jackknife, and the floor that equal distributions set."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .refusals import described, function, require, tensor, whole


class Estimate(NamedTuple):
    """A value and its standard error, of one shape; the error is 0 where nothing was drawn at random."""

    value: Any
    error: Any


def jackknife(metric: Callable, *clouds: Tensor, folds: int = 10) -> Estimate:
    """Any metric with its standard error, by leaving out each fold of the rows in turn (Tukey 1958).

        error^2 = (folds - 1) * mean_j (metric without fold j - the average of these)^2

    metric: a function of the clouds that returns a number, several, or an Estimate; value and error are alike.
    clouds: what the metric takes, rows first. The rows go to the folds at random, but to the same ones every time, and
        equally long clouds are split alike, so that an image stays with its label.
    folds: from 2 to the number of rows.

    The error is itself known to 1 / sqrt(2 (folds - 1)) of it, a quarter with 10 folds. It says how far another draw
    would scatter; a bias, which the floor shows, stays in the value. Against fresh draws of 300 rows with 6 features,
    the errors of smooth metrics were right, up to 1.5 times too large where both distributions were equal, and 1.2 to
    2 times too large where neighbours are counted. Raises ValueError for too few rows and for a metric that is not
    finite, and TypeError for what is no metric or no cloud.
    """
    clouds = tuple(_cloud(cloud) for cloud in clouds)
    function("metric", metric, *clouds)
    parts, without = [random_folds(len(cloud), folds) for cloud in clouds], []
    for j in range(folds):
        kept = [cloud[torch.cat(rows[:j] + rows[j + 1 :])] for cloud, rows in zip(clouds, parts, strict=True)]
        without.append(_number(metric(*kept)))
    error = ((folds - 1) * torch.stack(without).var(0, correction=0)).sqrt()
    return Estimate(_number(metric(*clouds)).tolist(), error.tolist())


def _cloud(rows: Any) -> Tensor:
    cloud = tensor("a cloud", rows)
    require(cloud.dim() > 0, "a cloud must have one row a sample, (N, *); got a single number")
    return cloud


def floor(metric: Callable, real: Tensor, n: int, m: int, *, draws: int = 10) -> Estimate:
    """What the metric says of n real rows against m others: the mean over draws, and how far ONE draw scatters.

    metric: a function of two clouds that returns a number, several, or an Estimate.
    real: (N, D) with N at least n + m: within a draw no row is used twice. Draws share rows, so that for N near n + m
        the scatter comes out too small.
    n, m: how many rows to compare, each at least 2.
    draws: how often, at least 2, to know how far they scatter.

    Raises ValueError for too few rows or draws and for a metric that is not finite, TypeError for what is no metric.
    """
    real = _cloud(real)
    function("metric", metric, real, real)
    draws = whole("draws", draws, 2, 10**6)
    possible = whole("n", n, 0) >= 2 <= whole("m", m, 0) and n + m <= len(real)
    require(possible, f"{n} rows against {m} others cannot be drawn from {len(real)}: n and m must be at least 2")
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(real), generator=generator)[: n + m] for _ in range(draws)]
    values = torch.stack([_number(metric(real[rows[:n]], real[rows[n:]])) for rows in orders])
    return Estimate(values.mean(0).tolist(), values.std(0).tolist())


def random_folds(rows: int, folds: int) -> tuple[Tensor, ...]:
    """Row numbers in a fixed random order, in so many parts, whose sizes differ by at most one."""
    whole(f"{described(folds)} parts of {described(rows)} rows: the number of rows", rows, 2)
    whole(f"{described(folds)} parts of {rows} rows: their number", folds, 2, rows)
    return torch.randperm(rows, generator=torch.Generator().manual_seed(0)).tensor_split(folds)


def _number(value: Any) -> Tensor:
    """What a metric returns, as one float64 tensor, without the error it may carry. Raises where it is not finite."""
    value = value.value if isinstance(value, Estimate) else value
    return tensor("what the metric gave", value, torch.float64, finite=True)


def proportion(right: Tensor) -> Estimate:
    """The fraction that is True, with the binomial standard error."""
    right = tensor("right", right)
    fits = right.dtype == torch.bool and right.ndim == 1 and len(right)
    require(fits, f"right is {described(right)}: give booleans, (N,), one a sample")
    p = right.double().mean().item()
    return Estimate(p, math.sqrt(p * (1 - p) / len(right)))
