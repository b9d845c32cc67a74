"""Faster and finer walks: steps that remember, and steps made of other steps.

A multistep solver remembers what the network said before and so gets second order at one guess a step. Make a new one
for each walk: `sample(dpm_solver_2m(), denoiser, x, times)`. It begins anew where a step does not start at the time
the last one led to.

Solvers look at x0 along lambda = log(alpha / sigma), half the log SNR, which grows from noise to data. There the
probability-flow ODE says: x_s is a remix at s with x0's average over the step, later moments weighing more, as
e^lambda does (Lu et al. 2022b, Eq. 8).
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .predictions import AnyDenoiser, solve
from .samplers import Step, forward_std, noise_like, remix, renew
from .schedules import Schedule, angle, evaluate, time_at


class Look(NamedTuple):
    """What the network said at t on the way to s."""

    t: float
    s: float
    position: float  # lambda at t
    x_t: Tensor
    x0: Tensor


def dpm_solver_2m(eta: float = 0.0) -> Step:
    """DPM-Solver++(2M) (Lu et al. 2022b, Algorithm 2): DDIM, with the guess extrapolated to the middle of the step.

    eta = 1 is the SDE variant, which exchanges noise as DDIM does. The first step of a walk, and one into sigma_s = 0,
    extrapolate nothing, so with two looks or fewer it is DDIM.
    """
    past: list[Look] = []

    def step(
        denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
    ) -> Tensor:
        nonlocal past
        schedule, guess = denoiser.schedule, denoiser(x_t, t)
        past = [*_still_true(past, t, x_t)[-1:], Look(t, s, _position(schedule, t), x_t, guess.x0)]
        ahead = _ahead(past, _position(schedule, s))
        if ahead:
            guess = solve(x_t, torch.lerp(past[-2].x0, guess.x0, 1 + ahead), "x0", schedule, t)
        return renew(schedule, guess, t, s, eta, generator=generator)

    return step


def unipc(order: int = 2) -> Step:
    """UniPC (Zhao et al. 2023, Algorithms 5 and 6, with B(h) = e^h - 1): predict, then correct at no cost.

    What the network says at the new point is needed by the next step anyway, and shows how the last one should have
    been made: it is made again, with the average of the polynomial through `order` looks and the new one. order: 2,
    which predicts as 2M does, or 3. Raises ValueError for any other.
    """
    if order not in (2, 3):
        raise ValueError(f"UniPC is written for order 2 or 3; got {order}")
    past: list[Look] = []

    def step(
        denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
    ) -> Tensor:
        nonlocal past
        schedule, x0 = denoiser.schedule, denoiser(x_t, t).x0
        here, past = Look(t, s, _position(schedule, t), x_t, x0), _still_true(past, t, x_t)
        if past:
            last = past[-1]
            mean = _average([*past, here], last.position, here.position) if past[1:] else (last.x0 + x0) / 2
            x_t = remix(schedule, solve(last.x_t, mean, "x0", schedule, last.t), t)
        past, end = [*past[1 - order :], here._replace(x_t=x_t)], _position(schedule, s)
        ahead = _ahead(past, end)
        if ahead and past[2:]:
            x0 = _average(past, here.position, end)
        elif ahead:
            x0 = torch.lerp(past[-2].x0, x0, 1 + ahead)
        return remix(schedule, solve(x_t, x0, "x0", schedule, t), s)

    return step


def _average(looks: list[Look], start: float, end: float) -> Tensor:
    """The mean of x0 from lambda = start to end under the weight e^lambda, by the polynomial through the looks.

    With u from 0 to 1 over the step, the means of 1, u, u^2, ... follow one from the other by parts; the looks get the
    shares that are right for each of these powers.
    """
    h, means = end - start, [1.0]
    for power in range(1, len(looks)):
        means.append(1 / -math.expm1(-h) - power / h * means[-1])
    u = np.array([(look.position - start) / h for look in looks])
    shares = np.linalg.solve(np.vander(u, increasing=True).T, means)
    return sum(share * look.x0 for share, look in zip(shares.tolist(), looks))


def _still_true(past: list[Look], t: float, x_t: Tensor) -> list[Look]:
    """What of the memory holds at t: nothing where the walk came another way, or from a place of infinite lambda."""
    goes_on = past and past[-1].s == t and past[-1].x_t.shape == x_t.shape
    return [look for look in past if math.isfinite(look.position)] if goes_on else []


def _ahead(past: list[Look], end: float) -> float:
    """How far to extrapolate, to the middle of the step to `end`, in units of the last step; 0 where that means nothing."""
    if len(past) < 2 or not math.isfinite(end - past[-1].position):
        return 0.0
    return (end - past[-1].position) / (2 * (past[-1].position - past[-2].position))


def _position(schedule: Schedule, t: float) -> float:
    """lambda = log(alpha / sigma); infinite at both ends."""
    alpha, sigma = evaluate(schedule, t)
    if sigma == 0:
        return math.inf
    return math.log(alpha / sigma) if alpha > 1e-7 else -math.inf


def corrected(step: Step, times: int = 1, size: float = 0.1) -> Step:
    """A step, then `times` Langevin moves at its end (the predictor-corrector of Song et al. 2021, Algorithms 4 and 5)."""

    def both(
        denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
    ) -> Tensor:
        x_s = step(denoiser, x_t, t, s, generator=generator)
        if evaluate(denoiser.schedule, s)[1] > 0:  # data has no noise to move in
            for _ in range(times):
                x_s = langevin(denoiser, x_s, s, size=size, generator=generator)
        return x_s

    return both


def langevin(
    denoiser: AnyDenoiser, x_t: Tensor, t: float, *, size: float = 0.1, generator: torch.Generator | None = None
) -> Tensor:
    """One move that leaves the density at t nearly as it is: uphill along the score, and noise (Welling & Teh 2011).

    x + d * score + sqrt(2 d) * noise, where d = size * sigma_t^2 and score = -eps / sigma_t; exact as size -> 0.
    """
    sigma = evaluate(denoiser.schedule, t)[1]
    x0, eps = denoiser(x_t, t)
    return x_t - size * sigma * eps + math.sqrt(2 * size) * sigma * noise_like(x_t, generator)


def churned(step: Step, gamma: float, low: float = 0.0, high: float = math.inf, noise: float = 1.0) -> Step:
    """EDM's churn (Karras et al. 2022, Algorithm 2): first more noise, then a step down from there.

    The noise-to-signal ratio grows by the factor 1 + gamma where it lies in [low, high]; `noise` is their S_noise.
    """

    def churn(
        denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
    ) -> Tensor:
        schedule = denoiser.schedule
        alpha, sigma = evaluate(schedule, t)
        if gamma and low * alpha <= sigma <= high * alpha:
            up = time_at(schedule, angle(alpha, (1 + gamma) * sigma))
            fresh = noise * forward_std(schedule, up, t) * noise_like(x_t, generator)
            x_t, t = evaluate(schedule, up)[0] / alpha * x_t + fresh, up
        return step(denoiser, x_t, t, s, generator=generator)

    return churn
