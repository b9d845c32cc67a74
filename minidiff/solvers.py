"""Faster and finer steps: steps that remember, and steps made of other steps.

A multistep solver remembers earlier network evaluations and so is of second order at one evaluation a step. Make a new
one for each trajectory: `sample(dpm_solver_2m(), denoiser, x, times)`. It begins anew where a step does not start at
the time the last one led to.

Solvers interpolate x0 along lambda = log(alpha / sigma), half the log SNR, which grows from noise to data. There x_s is
exact if x0 is replaced by its average over the step, weighted by e^lambda (Lu et al. 2022b, Eq. 8).
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .predictions import AnyDenoiser, path_of, solve
from .refusals import number, require, whole
from .samplers import Step, ddim_update, forward_std, noise_like, refuse_no_step, refuse_noise, remix
from .schedules import Random, Schedule, angle, evaluate, time_at


class Evaluation(NamedTuple):
    """One network evaluation, as multistep solvers remember it.

    t, s: where it was made, and the time that the step then led to.
    lambda_t: half the log SNR at t.
    x_t, x0: (B, *), the samples there, and what was predicted of them.
    """

    t: float
    s: float
    lambda_t: float
    x_t: Tensor
    x0: Tensor


def dpm_solver_2m(eta: float = 0.0) -> Step:
    """DPM-Solver++(2M) (Lu et al. 2022b, Algorithm 2): DDIM, with x0 extrapolated to the middle of the step.

    eta = 1 is the SDE variant, which exchanges noise as DDIM does. The first step, and one into sigma_s = 0, do not
    extrapolate, so with at most two network evaluations it equals DDIM. Raises ValueError for eta outside [0, 1].
    """
    return _multistep(2, number("eta", eta, 0, 1), correct=False)


def dpm_solver_3m() -> Step:
    """DPM-Solver++ of third order: DDIM, with the average over the step of the parabola through the last three x0.

    The first two steps are of lower order; where they begin in pure noise it does not show. The authors' code, and
    diffusers' with it, takes half of the parabola's curvature and stays of second order.
    """
    return _multistep(3, 0.0, correct=False)


def unipc(order: int = 2) -> Step:
    """UniPC (Zhao et al. 2023, Algorithms 5 and 6, with B(h) = e^h - 1): predict, then correct at no cost.

    The evaluation at the new point is needed by the next step anyway, and shows how the last one should have been made:
    it is made again, with the average of the polynomial through `order` evaluations and the new one. order: 2, which
    predicts as 2M does, or 3, as 3M does. Raises ValueError for any other.
    """
    return _multistep(whole("order", order, 2, 3), 0.0, correct=True)


def _multistep(order: int, eta: float, correct: bool) -> Step:
    """A step with the mean of x0 extrapolated from `order` evaluations; correct: first make the last step again."""
    past: list[Evaluation] = []

    def step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
        nonlocal past
        refuse_noise(t, s, eta)
        schedule, x0 = path_of(denoiser), denoiser(x_t, t).x0
        here, past = Evaluation(t, s, half_log_snr(schedule, t), x_t, x0), continued(past, t, x_t)
        if correct and past:
            before = past[-1]
            mean = weighted_average([*past, here], before.lambda_t, here.lambda_t) if past[1:] else (before.x0 + x0) / 2
            x_t = remix(schedule, solve(before.x_t, mean, "x0", schedule, before.t), t)
        past = [*past[1 - order :], here._replace(x_t=x_t)]
        mean = mean_ahead(past, half_log_snr(schedule, s))
        return ddim_update(schedule, solve(x_t, mean, "x0", schedule, t), t, s, eta, 1.0, generator)

    return step


def mean_ahead(past: list[Evaluation], end: float) -> Tensor:
    """The mean of x0 from the last evaluation to lambda = end, extrapolated; the last x0 where a lambda is infinite.

    Of two evaluations, what the straight line through them says of the middle of the step.
    """
    if len(past) < 2 or not math.isfinite(end - past[-1].lambda_t):
        return past[-1].x0
    before, here = past[-2:]
    if len(past) > 2:
        return weighted_average(past, here.lambda_t, end)
    return torch.lerp(before.x0, here.x0, 1 + (end - here.lambda_t) / (2 * (here.lambda_t - before.lambda_t)))


def weighted_average(evaluations: list[Evaluation], start: float, end: float) -> Tensor:
    """The mean of x0 from lambda = start to end under the weight e^lambda, by the polynomial through the evaluations.

    With u from 0 to 1 over the step, the means of 1, u, u^2, ... follow from one another by parts; the evaluations get
    the weights that are right for each of these powers.
    """
    h, means = end - start, [1.0]
    for power in range(1, len(evaluations)):
        means.append(1 / -math.expm1(-h) - power / h * means[-1])
    u = np.array([(one.lambda_t - start) / h for one in evaluations])
    weights = np.linalg.solve(np.vander(u, increasing=True).T, means)
    terms = [weight * one.x0 for weight, one in zip(weights.tolist(), evaluations, strict=True)]
    return sum(terms[1:], terms[0])


def continued(past: list[Evaluation], t: float, x_t: Tensor) -> list[Evaluation]:
    """The evaluations of finite lambda, if the last of them led to t and to samples of this shape; else none."""
    goes_on = past and past[-1].s == t and past[-1].x_t.shape == x_t.shape
    return [one for one in past if math.isfinite(one.lambda_t)] if goes_on else []


def half_log_snr(schedule: Schedule, t: float) -> float:
    """lambda = log(alpha / sigma) (Lu et al. 2022b); infinite at both ends."""
    alpha, sigma = evaluate(schedule, t)
    if sigma == 0:
        return math.inf
    return math.log(alpha / sigma) if alpha > 1e-7 else -math.inf


def corrected(step: Step, times: int = 1, size: float = 0.1) -> Step:
    """A step, then `times` Langevin moves at its end (predictor-corrector, Song et al. 2021, Algorithms 4 and 5)."""
    refuse_no_step(step)
    whole("times", times, 0)
    number("size", size, 0)

    def both(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
        refuse_noise(t, s)
        x_s = step(denoiser, x_t, t, s, generator=generator)
        if evaluate(path_of(denoiser), s)[1] > 0:  # data has no noise to move in
            for _ in range(times):
                x_s = langevin(denoiser, x_s, s, size=size, generator=generator)
        return x_s

    return both


def langevin(denoiser: AnyDenoiser, x_t: Tensor, t: float, *, size: float = 0.1, generator: Random = None) -> Tensor:
    """One move that leaves the density at t nearly as it is: uphill along the score, and noise (Welling & Teh 2011).

    x + d * score + sqrt(2 d) * noise, where d = size * sigma_t^2 and score = -eps / sigma_t; exact as size -> 0.

    denoiser, x_t, t: predicts from x_t, (B, *), at t.
    size: >= 0.
    generator: of the noise.
    """
    sigma, eps = evaluate(path_of(denoiser), t)[1], denoiser(x_t, t).eps
    number("size", size, 0)
    return x_t - size * sigma * eps + math.sqrt(2 * size) * sigma * noise_like(x_t, generator)


def churned(step: Step, gamma: float, low: float = 0.0, high: float = math.inf, noise: float = 1.0) -> Step:
    """EDM's churn (Karras et al. 2022, Algorithm 2): first more noise, then a step down from there.

    step: the step down, such as heun_step.
    gamma: >= 0; the noise-to-signal ratio grows by the factor 1 + gamma ...
    low, high: ... where it lies in [low, high], 0 <= low <= high.
    noise: >= 0, their S_noise, which multiplies the fresh noise.
    """
    refuse_no_step(step)
    gamma, noise = number("gamma", gamma, 0), number("noise", noise, 0)
    rise = number("low", low, 0) <= number("high", high, 0, math.inf)
    require(rise, f"churn needs noise levels 0 <= low <= high; got low={low}, high={high}")

    def churn(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
        refuse_noise(t, s)
        schedule = path_of(denoiser)
        alpha, sigma = evaluate(schedule, t)
        if gamma and low * alpha <= sigma <= high * alpha:
            up = time_at(schedule, angle(alpha, (1 + gamma) * sigma))
            fresh = noise * forward_std(schedule, up, t) * noise_like(x_t, generator)
            x_t, t = evaluate(schedule, up)[0] / alpha * x_t + fresh, up
        return step(denoiser, x_t, t, s, generator=generator)

    return churn
