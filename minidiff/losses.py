"""The denoising loss, its weights, and where the training times come from."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .predictions import LearnedDenoiser, coefficients, learned
from .refusals import choice, number, require, samples
from .schedules import Schedule, angle, at, evaluate, inside, log_snr, pair, rates, t_max

Levels = Callable[[int, torch.Generator], Tensor]  # (n, generator) -> n training times t
Weight = Callable[[Tensor], Tensor]  # t (B,) -> a factor for each sample's loss


def denoising_loss(denoiser: LearnedDenoiser, x0: Tensor, t: Tensor, eps: Tensor | None = None, **cond) -> Tensor:
    """Squared error on the target a * x0 + b * eps, one number a sample; for "eps" it is Ho et al. 2020, Eq. 14.

    denoiser: whose network, schedule and target they are
    x0, t: samples (B, *) and their times (B,)
    eps: noise like x0, drawn if None
    cond: what the network is told, such as y=labels

    Returns (B,), a mean over each sample's coordinates. To choose a target is to choose a weight on the error of x0:
    (det / sigma)^2, with det = alpha * b - sigma * a. Raises ValueError for an eps of another shape.
    """
    alpha, sigma = at(learned(denoiser).schedule, t, x0)
    eps = torch.randn_like(x0) if eps is None else eps
    samples("eps", eps)
    require(eps.shape == x0.shape, f"eps must be like x0, {tuple(x0.shape)}, or None; got {tuple(eps.shape)}")
    a, b = at(coefficients(denoiser.target, denoiser.schedule), t, x0)
    out = denoiser.output(alpha * x0 + sigma * eps, t, **cond)[:, : x0.shape[1]]  # without a learned variance
    return (out - (a * x0 + b * eps)).square().flatten(1).mean(1)


# What an error of x0 weighs at t, if t is uniform; multiplying all of them by one number changes nothing.
WEIGHTS: dict[str, Callable[[Schedule, Tensor], Tensor]] = {
    "snr": lambda schedule, t: log_snr(schedule, t).exp(),  # the loss on eps (Ho et al. 2020, Eq. 14)
    "truncated_snr": lambda schedule, t: log_snr(schedule, t).exp().clamp(min=1),  # Salimans & Ho 2022, Section 4
    "min_snr": lambda schedule, t: log_snr(schedule, t).exp().clamp(max=5),  # gamma = 5 (Hang et al. 2023, Eq. 7)
    "edm": lambda schedule, t: log_snr(schedule, t).exp() + 1,  # the loss on F, and on v (Karras et al. 2022, Eq. 8)
    "likelihood": lambda schedule, t: -snr_rate(schedule, t) / 2,  # the ELBO (Kingma et al. 2021, Eq. 15)
}


def snr_rate(schedule: Schedule, t: Tensor) -> Tensor:
    """d(alpha^2 / sigma^2) / dt, like t; negative, since noise grows."""
    (alpha, sigma), (d_alpha, d_sigma) = pair(schedule, t), rates(schedule, t)
    return 2 * (alpha / sigma) ** 2 * (d_alpha / alpha - d_sigma / sigma)


def weighting(name: str, denoiser: LearnedDenoiser) -> Weight:
    """The factor on denoising_loss that makes the weight on the error of x0 the named one: train(..., weight=...).

    The loss on a target weighs errors of x0 by (det / sigma)^2 already; that is divided out. Raises ValueError for an
    unknown name.
    """
    choice("the weighting", name, WEIGHTS)
    learned(denoiser)

    def weight(t: Tensor) -> Tensor:
        t = inside(denoiser.schedule, t)  # at the very ends some weights are infinite, and their factors 0 * infinity
        (alpha, sigma), (a, b) = denoiser.schedule(t), coefficients(denoiser.target, denoiser.schedule)(t)
        return WEIGHTS[name](denoiser.schedule, t) * (sigma / (alpha * b - sigma * a)) ** 2

    return weight


def uniform_angle(schedule: Schedule) -> Levels:
    """Training times whose noise angle is uniform between the schedule's ends; on cosine, t uniform in [0, 1]."""
    first, final = (float(angle(*evaluate(schedule, t))) for t in (0.0, t_max(schedule)))
    return _levels(schedule, lambda share: first + (final - first) * share)


def lognormal(schedule: Schedule, mean: float = -0.5, std: float = 1.2) -> Levels:
    """Training times with ln(sigma / alpha) ~ N(mean, std^2): most where most can be learned (Karras et al. 2022).

    Their P_mean = -1.2 for data of spread 0.5 is -0.5 for data of spread 1.
    """
    mean, std = number("mean", mean), number("std", std, 0)
    ratio = lambda share: torch.exp(mean + std * torch.special.ndtri(share))
    return _levels(schedule, lambda share: torch.atan(ratio(share)) * (2 / math.pi))


def _levels(schedule: Schedule, angle_of: Callable[[Tensor], Tensor]) -> Levels:
    """Turn a map from (0, 1) to noise angles into times off the exact ends, stratified so that every level is seen."""
    times = torch.linspace(0, 1, 20_001, dtype=torch.float64) ** 3 * t_max(schedule)  # dense near the data
    angles = angle(*pair(schedule, times)).detach().numpy()

    def levels(n: int, generator: torch.Generator) -> Tensor:
        share = (torch.arange(n) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
        wanted = angle_of(share[torch.randperm(n, generator=generator)]).numpy()
        return inside(schedule, torch.from_numpy(np.interp(wanted, angles, times.numpy())).float())

    return levels


LEVELS: dict[str, Callable[[Schedule], Levels]] = {
    "uniform_angle": uniform_angle,
    "lognormal": lognormal,
    "lognormal_wide": lambda schedule: lognormal(schedule, -0.4, 1.4),  # above 8 three times as often
}
