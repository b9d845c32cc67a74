"""Training: noise the data, ask the network for its target, take the squared error.

`train` is a generator of losses, so progress bars, logging, early stopping and checkpoints are the caller's.
All randomness is a function of (seed, step): stopping and resuming changes no bit.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from .predictions import LearnedDenoiser, coefficients
from .schedules import Schedule, angle, at, last_time

Levels = Callable[[int, torch.Generator], Tensor]  # (n, generator) -> n training times t


def denoising_loss(
    denoiser: LearnedDenoiser, x0: Tensor, t: Tensor, eps: Tensor | None = None, **cond
) -> Tensor:
    """Squared error on the target a * x0 + b * eps, one number a sample; for "eps" it is Ho et al. 2020, Eq. 14.

    x0: (B, *), t: (B,), eps like x0 (drawn if None) -> (B,), a mean over each sample's coordinates. To choose a target
    is to choose a weight on the error of x0: (det / sigma)^2, with det = alpha * b - sigma * a.
    """
    eps = torch.randn_like(x0) if eps is None else eps
    alpha, sigma = at(denoiser.schedule, t, x0)
    a, b = at(coefficients(denoiser.target, denoiser.schedule), t, x0)
    out = denoiser.output(alpha * x0 + sigma * eps, t, **cond)
    return (out - (a * x0 + b * eps)).square().flatten(1).mean(1)


def uniform_angle(schedule: Schedule) -> Levels:
    """Training times whose noise angle is uniform, stratified over the batch so that every level is seen.

    On the cosine schedule that is simply t uniform in [0, 1].
    """
    times = torch.linspace(0, 1, 20_001, dtype=torch.float64) ** 3 * last_time(schedule)  # dense near the data
    angles = angle(*schedule(times)).numpy()

    def levels(n: int, generator: torch.Generator) -> Tensor:
        share = (torch.arange(n) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
        wanted = angles[0] + (angles[-1] - angles[0]) * share[torch.randperm(n, generator=generator)]
        return torch.from_numpy(np.interp(wanted.numpy(), angles, times.numpy())).float()

    return levels
