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

    def step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None) -> Tensor:
        nonlocal past
        schedule, guess = denoiser.schedule, denoiser(x_t, t)
        past = [*_still_true(past, t, x_t), Look(t, s, _position(schedule, t), x_t, guess.x0)]
        ahead = _ahead(past, _position(schedule, s))
        if ahead:
            guess = solve(x_t, torch.lerp(past[-2].x0, guess.x0, 1 + ahead), "x0", schedule, t)
        return renew(schedule, guess, t, s, eta, generator=generator)

    return step


def unipc() -> Step:
    """UniPC of order 2 (Zhao et al. 2023, Algorithms 5 and 6, with B(h) = e^h - 1): 2M predicts, then a correction.

    What the network says at the new point costs nothing, since the next step needs it anyway, and shows how the last
    step should have been made: it is made again, with the average of a parabola through the last three looks.
    """
    past: list[Look] = []

    def step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None) -> Tensor:
        nonlocal past
        schedule, x0 = denoiser.schedule, denoiser(x_t, t).x0
        position, past = _position(schedule, t), _still_true(past, t, x_t)
        if past:
            last = past[-1]
            x_t = remix(schedule, solve(last.x_t, _average(past, position, x0), "x0", schedule, last.t), t)
        past = [*past[-1:], Look(t, s, position, x_t, x0)]
        ahead = _ahead(past, _position(schedule, s))
        x0 = torch.lerp(past[-2].x0, x0, 1 + ahead) if ahead else x0
        return remix(schedule, solve(x_t, x0, "x0", schedule, t), s)

    return step


def _average(past: list[Look], position: float, x0: Tensor) -> Tensor:
    """The mean of x0 from the last look to this one under the weight e^lambda, by the polynomial through the looks.

    With u from 0 to 1 over the step, the polynomial is x0_last + a u + c u^2; first and second are the means of u, u^2.
    """
    last, h = past[-1], position - past[-1].position
    if len(past) == 1:
        return (last.x0 + x0) / 2
    first = 1 / -math.expm1(-h) - 1 / h
    second = 1 / -math.expm1(-h) - 2 * first / h
    before = (past[-2].position - last.position) / h  # where u < 0
    rise, fall = x0 - last.x0, (past[-2].x0 - last.x0) / before
    bend = (rise - fall) / (1 - before)
    return last.x0 + (fall - before * bend) * first + bend * second


def _still_true(past: list[Look], t: float, x_t: Tensor) -> list[Look]:
    """What of the memory holds at t: nothing where the walk came another way, or from a place of infinite lambda."""
    goes_on = past and past[-1].s == t and past[-1].x_t.shape == x_t.shape
    return [look for look in past[-2:] if math.isfinite(look.position)] if goes_on else []


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

    def both(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None) -> Tensor:
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

    def churn(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None) -> Tensor:
        schedule = denoiser.schedule
        alpha, sigma = evaluate(schedule, t)
        if gamma and low * alpha <= sigma <= high * alpha:
            up = time_at(schedule, angle(alpha, (1 + gamma) * sigma))
            fresh = noise * forward_std(schedule, up, t) * noise_like(x_t, generator)
            x_t, t = evaluate(schedule, up)[0] / alpha * x_t + fresh, up
        return step(denoiser, x_t, t, s, generator=generator)

    return churn
