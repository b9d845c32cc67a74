"""Samplers walk from noise to data. A step moves x_t to x_s, and all steps do the same two things:

    predict   x0, eps = denoiser(x_t, t)
    remix     x_s = alpha_s * x0 + sigma_s * eps        (perhaps with part of the noise exchanged for fresh noise)

To add a sampler, write one step:  (denoiser, x_t, t, s, *, generator=None) -> x_s,  with t and s floats.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from .predictions import AnyDenoiser, Prediction, coefficients, combine
from .schedules import Schedule, evaluate

Step = Callable[..., Tensor]


@torch.no_grad()
def sample(
    step: Step, denoiser: AnyDenoiser, x: Tensor, times: Tensor, *, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield x at each time after the first; `*path, x0 = sample(...)` keeps all, `last(sample(...))` the end.

    x: (B, *) at times[0], as schedules.start makes it; times: 1-D and strictly monotone, as from uniform_times.
    Raises ValueError for other times.
    """
    times = torch.as_tensor(times, dtype=torch.float64)
    gaps = times.diff() if times.ndim == 1 else torch.empty(0)
    if len(gaps) == 0 or not ((gaps < 0).all() or (gaps > 0).all()):
        raise ValueError("times must be 1-D and strictly decreasing, at least two of them, as from uniform_times(50)")
    for t, s in pairwise(times.tolist()):
        x = step(denoiser, x, t, s, generator=generator)
        yield x


def last(path: Iterable[Tensor]) -> Tensor:
    """The end of a path: x0 = last(sample(...)), holding one x at a time. Raises ValueError for an empty path."""
    x = None
    for x in path:
        pass
    if x is None:
        raise ValueError("an empty path has no end")
    return x


def remix(schedule: Schedule, prediction: Prediction, s: float) -> Tensor:
    """The same guess at another noise level: x_s = alpha_s * x0 + sigma_s * eps."""
    return prediction.mix(*evaluate(schedule, s))


def forward_std(schedule: Schedule, t: float, s: float) -> float:
    """The noise that one forward step adds: the spread of x_t given x_s, sqrt(beta_t) in DDPM (Ho et al. 2020, Eq. 2)."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    return math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)


def posterior_std(schedule: Schedule, t: float, s: float) -> float:
    """The spread of x_s once x_t and x0 are both known, sqrt(beta-tilde_t) in DDPM (Ho et al. 2020, Eq. 7)."""
    sigma_t, sigma_s = evaluate(schedule, t)[1], evaluate(schedule, s)[1]
    return forward_std(schedule, t, s) * sigma_s / sigma_t


def ddim_step(
    denoiser: AnyDenoiser,
    x_t: Tensor,
    t: float,
    s: float,
    *,
    eta: float = 0.0,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """DDIM (Song et al. 2021, Eq. 12 and 16): eta = 0 draws no noise, eta = 1 is ancestral sampling.

    x_t: (B, *). With eta = 0 it is Euler's method for flow matching and for EDM, and runs backwards too (s > t).
    eta in [0, 1]; temperature >= 0 multiplies the fresh noise, so it does nothing at eta = 0.
    """
    _refuse(eta, temperature, t, s)
    return renew(denoiser.schedule, denoiser(x_t, t), t, s, eta, temperature, generator)


def renew(
    schedule: Schedule,
    prediction: Prediction,
    t: float,
    s: float,
    eta: float = 0.0,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Remix at s, with a share eta of the noise that is between t and s exchanged for fresh noise."""
    if not eta:  # and not 0 * sqrt(negative), on the way to more noise
        return remix(schedule, prediction, s)
    alpha_s, sigma_s = evaluate(schedule, s)
    fresh = eta * posterior_std(schedule, t, s)
    x_s = prediction.mix(alpha_s, math.sqrt(sigma_s**2 - fresh**2))
    return x_s + temperature * fresh * noise_like(x_s, generator) if fresh else x_s


def ddpm_step(
    denoiser: AnyDenoiser,
    x_t: Tensor,
    t: float,
    s: float,
    *,
    variance: str = "small",
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """DDPM (Ho et al. 2020, Algorithm 2). x_t: (B, *), s < t.

    variance "small" is the posterior's (beta-tilde, Eq. 7), right if the data is one point; "large" is the forward
    step's (beta), right if the data is a unit Gaussian; "learned" lies where the network says between the two
    (Nichol & Dhariwal 2021, Eq. 15). The step into sigma_s = 0 adds no noise.
    """
    if variance not in ("small", "large", "learned"):
        raise ValueError(f"variance must be 'small', 'large' or 'learned'; got {variance!r}")
    _refuse(1.0, temperature, t, s)
    alpha_s, sigma_s = evaluate(denoiser.schedule, s)
    prediction = denoiser(x_t, t)
    small = posterior_std(denoiser.schedule, t, s)
    mean = prediction.mix(alpha_s, math.sqrt(sigma_s**2 - small**2))
    if sigma_s == 0:
        return mean
    large = forward_std(denoiser.schedule, t, s)
    fresh = small if variance == "small" else large if variance == "large" else learned_std(small, large, prediction)
    return mean + temperature * fresh * noise_like(x_t, generator)


def learned_std(small: float, large: float, prediction: Prediction) -> Tensor:
    """The learned spread, (B, *): log-linear from small to large. Raises ValueError where none was learned."""
    if prediction.fraction is None:
        raise ValueError(
            "this denoiser predicts no variance (its network has as many channels as x): use 'small' or 'large'"
        )
    return small * (large / small) ** prediction.fraction


def velocity(denoiser: AnyDenoiser, x_t: Tensor, t: float) -> Tensor:
    """Where the probability-flow ODE goes (Song et al. 2021, Eq. 13): dx/dt = alpha' x0 + sigma' eps. (B, *) like x_t."""
    return denoiser(x_t, t).mix(*evaluate(coefficients("velocity", denoiser.schedule), t))


def euler_step(
    denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """Euler's method on the probability-flow ODE: follow the tangent. First order, and DDIM where the path is straight."""
    return combine(1.0, x_t, s - t, velocity(denoiser, x_t, t))


def heun_step(
    denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """Heun's method (Karras et al. 2022, Algorithm 1): the mean of the tangents at both ends. Second order, two guesses.

    The step into sigma_s = 0 is Euler's, since there is no noise left to look at.
    """
    here = velocity(denoiser, x_t, t)
    x_s = combine(1.0, x_t, s - t, here)
    if evaluate(denoiser.schedule, s)[1] == 0:
        return x_s
    return combine(1.0, x_t, (s - t) / 2, here + velocity(denoiser, x_s, s))


def drift_and_diffusion(schedule: Schedule, t: float) -> tuple[float, float]:
    """(f, g) of the SDE  dx = f x dt + g dw  whose marginals are the schedule's (Song et al. 2021, Eq. 5).

    f = alpha' / alpha and g^2 = 2 sigma (sigma' - f sigma). Raises ValueError where no signal is left (alpha = 0).
    """
    (alpha, sigma), (d_alpha, d_sigma) = (evaluate(c, t) for c in (schedule, coefficients("velocity", schedule)))
    if alpha < 1e-7:
        raise ValueError(f"the SDE has no finite drift where no signal is left (t = {t:g}): start a little below")
    f = d_alpha / alpha
    return f, math.sqrt(2 * sigma * (d_sigma - f * sigma))


def sde_step(
    denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """Euler-Maruyama on the reverse SDE (Song et al. 2021, Eq. 6):  dx = (f x - g^2 score) dt + g dw.

    The score is -eps / sigma. The step into sigma_s = 0 adds no noise. Raises ValueError where no signal is left.
    """
    _refuse(1.0, 1.0, t, s)
    f, g = drift_and_diffusion(denoiser.schedule, t)
    sigma = evaluate(denoiser.schedule, t)[1]
    x_s = x_t + (s - t) * (f * x_t + g**2 / sigma * denoiser(x_t, t).eps)
    if evaluate(denoiser.schedule, s)[1] == 0:
        return x_s
    return x_s + g * math.sqrt(t - s) * noise_like(x_t, generator)


def noise_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Unit noise of x's shape, drawn where the generator lives and then moved: a CPU seed means the same on every device."""
    device = x.device if generator is None else generator.device
    return torch.randn(x.shape, dtype=x.dtype, generator=generator, device=device).to(x.device)


def _refuse(eta: float, temperature: float, t: float, s: float) -> None:
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in [0, 1]; got {eta}")
    if not temperature >= 0:
        raise ValueError(f"temperature must be at least 0; got {temperature}")
    if eta and s > t:
        raise ValueError(
            f"fresh noise has no meaning towards more noise (t = {t:g} to s = {s:g}): use ddim_step, eta = 0"
        )
