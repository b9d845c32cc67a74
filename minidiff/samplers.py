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

from .predictions import AnyDenoiser, Prediction
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
    alpha_s, sigma_s = evaluate(schedule, s)
    return alpha_s * prediction.x0 + sigma_s * prediction.eps


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
    alpha_s, sigma_s = evaluate(denoiser.schedule, s)
    x0, eps = denoiser(x_t, t)
    fresh = eta * posterior_std(denoiser.schedule, t, s) if eta else 0.0
    x_s = alpha_s * x0 + math.sqrt(sigma_s**2 - fresh**2) * eps
    return x_s + temperature * fresh * noise_like(x_t, generator) if fresh else x_s


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
    step's (beta), right if the data is a unit Gaussian. The step into sigma_s = 0 adds no noise.
    """
    if variance not in ("small", "large"):
        raise ValueError(f"variance must be 'small' or 'large'; got {variance!r}")
    _refuse(1.0, temperature, t, s)
    alpha_s, sigma_s = evaluate(denoiser.schedule, s)
    x0, eps = denoiser(x_t, t)
    small = posterior_std(denoiser.schedule, t, s)
    mean = alpha_s * x0 + math.sqrt(sigma_s**2 - small**2) * eps
    if sigma_s == 0:
        return mean
    fresh = small if variance == "small" else forward_std(denoiser.schedule, t, s)
    return mean + temperature * fresh * noise_like(x_t, generator)


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
        raise ValueError(f"fresh noise has no meaning towards more noise (t = {t:g} to s = {s:g}): use ddim_step, eta = 0")
