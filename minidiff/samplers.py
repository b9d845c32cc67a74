"""Samplers follow a trajectory from noise to data. A step moves x_t to x_s, and all steps do the same two things:

    predict   x0, eps = denoiser(x_t, t)
    remix     x_s = alpha_s * x0 + sigma_s * eps        (perhaps with part of the noise exchanged for fresh noise)

To add a sampler, write one step:  (denoiser, x_t, t, s, *, generator=None) -> x_s,  with t and s floats.

EDM's Algorithm 2 (Karras et al. 2022) with these pieces, as a flat loop beside the paper's lines (S_noise = 1):

    x = start(edm, times[0], (1000, 2), generator)                                    # line 2
    for t, s in pairwise(times.tolist()):                                             # line 3
        t_hat = t + gamma * t                                                         # line 5
        x_hat = x + forward_std(edm, t_hat, t) * noise_like(x, generator)             # lines 4 and 6
        d = velocity(denoiser, x_hat, t_hat)                                          # line 7
        x = x_hat + (s - t_hat) * d                                                   # line 8
        if s != 0:                                                                    # line 9
            x = x_hat + (s - t_hat) * (d + velocity(denoiser, x, s)) / 2              # lines 10 and 11

which is  last(sample(churned(heun_step, gamma), denoiser, x, times, generator=generator)).
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

from .predictions import AnyDenoiser, Prediction, combine, path_of, velocity_target
from .refusals import choice, described, function, instance, number, random_source, require, tensor
from .schedules import Random, Schedule, evaluate, inside, normal, refuse_time, slopes


class Step(Protocol):
    """A step moves x_t to x_s: (denoiser, x_t, t, s, *, generator=None) -> x_s, both (B, *).

    denoiser: what predicts x0 and eps.
    x_t: (B, *), the samples at t.
    t, s: floats, the time that is left and the time that is reached.
    generator: of the fresh noise, one for all or one a row; None takes torch's own.
    """

    def __call__(
        self, denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, /, *, generator: Random = None
    ) -> Tensor: ...


def sample(
    step: Step, denoiser: AnyDenoiser, x: Tensor, times: Tensor, *, generator: Random = None
) -> Iterator[Tensor]:
    """Yield x at each time after the first; `*path, x0 = sample(...)` keeps all, `last(sample(...))` the end.

    step: how to move from one time to the next, such as ddim_step or dpm_solver_2m().
    denoiser: what predicts x0 and eps.
    x: (B, *) at times[0], as schedules.start makes it.
    times: 1-D and strictly monotone within [0, t_max], as from uniform_times.
    generator: of the fresh noise; None takes torch's own.

    Raises ValueError for other times, TypeError for what is no step or no denoiser.
    """
    refuse_no_step(step)
    random_source(generator)
    return _trajectory(step, denoiser, tensor("x", x), monotone(path_of(denoiser), times), generator)


@torch.no_grad()
def _trajectory(step: Step, denoiser: Any, x: Tensor, times: list[float], generator: Random) -> Iterator[Tensor]:
    for t, s in pairwise(times):
        x = step(denoiser, x, t, s, generator=generator)
        yield x


def monotone(schedule: Schedule, times: Any, rising: bool = True) -> list[float]:
    """Times as floats; ValueError unless they are times of the schedule that fall strictly or, if allowed, rise."""
    given, floats = tensor("times", times), tensor("times", times, torch.float64).tolist()
    require(given.is_floating_point(), "times must be floats; index_times makes them of a table's integer timesteps")
    gaps = [s - t for t, s in pairwise(floats)] if given.ndim == 1 else []
    strict = gaps and (all(gap < 0 for gap in gaps) or (rising and all(gap > 0 for gap in gaps)))
    require(strict, "times must be 1-D and strictly decreasing, at least two of them, as from uniform_times(50)")
    return [refuse_time(schedule, t) for t in floats]


def refuse_no_step(step: Step) -> None:
    """Raise TypeError for what cannot be called as a step, such as a name, or a solver that has yet to be made."""
    function("a step, as ddim_step is and dpm_solver_2m() makes,", step, None, None, 1.0, 0.0, generator=None)


def last(path: Iterable[Tensor]) -> Tensor:
    """The end of a path: x0 = last(sample(...)), holding one x at a time. Raises ValueError for an empty path."""
    require(getattr(path, "ndim", 1), f"a path is what sample gives, x after x, not {described(path)}")
    end = deque(instance("path", path, Iterable, "what sample gives, x after x"), maxlen=1)
    require(end, "an empty path has no end")
    return instance("the end of a path", end[0], Tensor, "a tensor")


def remix(schedule: Schedule, prediction: Prediction, s: float) -> Tensor:
    """The same prediction at another noise level: x_s = alpha_s * x0 + sigma_s * eps."""
    instance("prediction", prediction, Prediction, "the Prediction that a denoiser gives")
    return prediction.mix(*evaluate(schedule, s))


def forward_std(schedule: Schedule, t: float, s: float) -> float:
    """Standard deviation of x_t given x_s, s <= t: a forward step's, sqrt(beta_t) in DDPM (Ho et al. 2020, Eq. 2)."""
    refuse_noise(t, s)
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    return 0.0 if t == s else math.sqrt(max(0.0, sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2))


def posterior_std(schedule: Schedule, t: float, s: float) -> float:
    """Standard deviation of x_s given x_t and x0, sqrt(beta-tilde_t) in DDPM (Ho et al. 2020, Eq. 7); s <= t."""
    sigma_t, sigma_s = evaluate(schedule, t)[1], evaluate(schedule, s)[1]
    return forward_std(schedule, t, s) * sigma_s / (sigma_t or 1.0)


def ddim_step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, eta: float = 0.0, temperature: float = 1.0,
              generator: Random = None) -> Tensor:  # fmt: skip
    """DDIM (Song et al. 2021, Eq. 12 and 16): eta = 0 draws no noise, eta = 1 is ancestral sampling.

    denoiser, x_t, t, s: predicts from x_t, (B, *), at t; the result is x_s. With eta = 0 it is Euler's method for flow
        matching and for EDM, and runs backwards too (s > t).
    eta: in [0, 1], what the fresh noise's standard deviation is multiplied by.
    temperature: >= 0, multiplies the fresh noise, so it does nothing at eta = 0.
    generator: of the fresh noise.
    """
    refuse_noise(t, s, eta, temperature)
    return ddim_update(path_of(denoiser), denoiser(x_t, t), t, s, eta, temperature, generator)


def ddim_update(
    schedule: Schedule, prediction: Prediction, t: float, s: float, eta: float, temperature: float, generator: Random
) -> Tensor:
    """The prediction at s, with fresh noise of standard deviation eta * posterior_std in place of as much of eps.

    schedule, prediction: the path, and x0 and eps on it, predicted at t.
    t, s: floats, s <= t unless eta = 0.
    eta, temperature, generator: as in ddim_step.
    """
    if not eta:  # and not 0 * sqrt(negative), on the way to more noise
        return remix(schedule, prediction, s)
    alpha_s, sigma_s = evaluate(schedule, s)
    fresh = eta * posterior_std(schedule, t, s)
    x_s = prediction.mix(alpha_s, math.sqrt(sigma_s**2 - fresh**2))
    return x_s + temperature * fresh * noise_like(x_s, generator) if fresh else x_s


def ddpm_step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, variance: str = "small",
              temperature: float = 1.0, generator: Random = None) -> Tensor:  # fmt: skip
    """DDPM (Ho et al. 2020, Algorithm 2). The step into sigma_s = 0 adds no noise.

    denoiser, x_t, t, s: predicts from x_t, (B, *), at t; the result is x_s, s <= t.
    variance: "small" is the posterior's (beta-tilde, Eq. 7), right if the data is one point; "large" is the forward
        step's (beta), right if the data is a unit Gaussian; "learned" lies where the network says between the two
        (Nichol & Dhariwal 2021, Eq. 15).
    temperature: >= 0, multiplies the fresh noise.
    generator: of the fresh noise.
    """
    choice("variance", variance, ("small", "large", "learned"))
    refuse_noise(t, s, 1.0, temperature)
    alpha_s, sigma_s = evaluate(path_of(denoiser), s)
    prediction = denoiser(x_t, t)
    small = posterior_std(path_of(denoiser), t, s)
    mean = prediction.mix(alpha_s, math.sqrt(sigma_s**2 - small**2))
    if small == 0:
        return mean
    large = forward_std(path_of(denoiser), t, s)
    fresh = learned_std(small, large, prediction) if variance == "learned" else small if variance == "small" else large
    return mean + temperature * fresh * noise_like(x_t, generator)


def learned_std(small: float, large: float, prediction: Prediction) -> Tensor:
    """The learned standard deviation, (B, *): log-linear from small to large (Nichol & Dhariwal 2021, Eq. 15).

    Raises ValueError where none was learned.
    """
    if prediction.fraction is None:
        raise ValueError("this denoiser predicts no variance (no second half of channels): use 'small' or 'large'")
    return small * (large / small) ** prediction.fraction


def renoise_step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
    """All of the noise fresh: x_s = alpha_s * x0 + sigma_s * noise (Song et al. 2023, Algorithm 1: consistency models).

    denoiser, x_t, t, s: predicts from x_t, (B, *), at t; the result is x_s, s <= t.
    generator: of the fresh noise.
    """
    refuse_noise(t, s)
    alpha_s, sigma_s = evaluate(path_of(denoiser), s)
    return combine(alpha_s, denoiser(x_t, t).x0, sigma_s, noise_like(x_t, generator))


def velocity(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float | None = None) -> Tensor:
    """The probability-flow ODE (Song et al. 2021, Eq. 13): dx/dt = alpha' x0 + sigma' eps. (B, *) like x_t.

    denoiser, x_t, t: predicts from x_t, (B, *), at t.
    s: the other end of the step. Where the schedule leaves an end of time vertically, alpha' and sigma' are infinite
        there: then those of the secant from t to s are taken, with which Euler's method is DDIM.

    Raises ValueError at such an end without s.
    """
    rate = evaluate(path_of(denoiser), t, slopes)
    if not (math.isfinite(rate[0]) and math.isfinite(rate[1])):
        if s is None:
            raise ValueError(f"the velocity is infinite at t = {t:g} on this schedule: keep a little off, as by 1e-5")
        (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(path_of(denoiser), t), evaluate(path_of(denoiser), s)
        rate = ((alpha_s - alpha_t) / (s - t), (sigma_s - sigma_t) / (s - t))
    return denoiser(x_t, t).mix(*rate)


def euler_step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
    """Euler's method on the probability-flow ODE: follow the tangent. First order, and DDIM where the path is straight.

    denoiser, x_t, t, s: predicts from x_t, (B, *), at t; the result is x_s.
    generator: not used.
    """
    evaluate(path_of(denoiser), s)  # refuses what is no time
    here = velocity(denoiser, x_t, t, s)
    return combine(1.0, x_t, s - t, here)


def heun_step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
    """Heun's method (Karras et al. 2022, Algorithm 1): the mean of both ends' tangents. Order 2, two evaluations.

    denoiser, x_t, t, s: predicts from x_t, (B, *), at t, and at s; the result is x_s. The step into sigma_s = 0 is
        Euler's, since there is no noise left to look at.
    generator: not used.
    """
    sigma_s, here = evaluate(path_of(denoiser), s)[1], velocity(denoiser, x_t, t, s)
    x_s = combine(1.0, x_t, s - t, here)
    if sigma_s == 0:
        return x_s
    return combine(1.0, x_t, (s - t) / 2, here + velocity(denoiser, x_s, s, t))


def drift_and_diffusion(schedule: Schedule, t: float) -> tuple[float, float]:
    """(f, g) of the SDE  dx = f x dt + g dw  whose marginals are the schedule's (Song et al. 2021, Eq. 5).

    f = alpha' / alpha and g^2 = 2 sigma (sigma' - f sigma), at the very ends from one rounding inside. Raises
    ValueError where no signal is left (alpha = 0).
    """
    t = float(inside(schedule, torch.tensor(number("t", t), dtype=torch.float64, device="cpu")))
    (alpha, sigma), (d_alpha, d_sigma) = evaluate(schedule, t), evaluate(schedule, t, velocity_target)
    require(alpha >= 1e-7, f"the SDE has no finite drift where no signal is left (t = {t:g}): start a little below")
    f = d_alpha / alpha
    return f, math.sqrt(2 * sigma * (d_sigma - f * sigma))


def sde_step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
    """Euler-Maruyama on the reverse SDE (Song et al. 2021, Eq. 6):  dx = (f x - g^2 score) dt + g dw.

    The score is -eps / sigma. The step into sigma_s = 0 adds no noise.

    denoiser, x_t, t, s: predicts from x_t, (B, *), at t; the result is x_s, s <= t.
    generator: of the fresh noise.

    Raises ValueError where no signal is left.
    """
    refuse_noise(t, s)
    f, g = drift_and_diffusion(path_of(denoiser), t)
    sigma, eps = evaluate(path_of(denoiser), t)[1], denoiser(x_t, t).eps
    x_s = x_t + (s - t) * (f * x_t + g**2 / sigma * eps)
    if evaluate(path_of(denoiser), s)[1] == 0:
        return x_s
    return x_s + g * math.sqrt(t - s) * noise_like(x_t, generator)


def noise_like(x: Tensor, generator: Random) -> Tensor:
    """Unit Gaussian noise of x's shape, kind and device, from one generator or from one a row."""
    return normal(tuple(x.shape), generator, x)


def refuse_noise(t: float, s: float, eta: float = 1.0, temperature: float = 1.0) -> None:
    """Raise ValueError for fresh noise on the way to more noise, and for amounts of it that cannot be meant.

    t, s: floats, the time that is left and the time that is reached.
    eta: how much of the noise is fresh, in [0, 1].
    temperature: multiplies fresh noise, at least 0.
    """
    t, s, eta, _ = number("t", t), number("s", s), number("eta", eta, 0, 1), number("temperature", temperature, 0)
    way = f"towards more noise (t = {t:g} to s = {s:g})"
    require(not eta or s <= t, f"fresh noise has no meaning {way}: use ddim_step, eta = 0")
