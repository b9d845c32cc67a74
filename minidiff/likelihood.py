"""How probable is a sample? Along the probability-flow ODE exactly, along DDPM's chain from below. Everything in nats.

The ODE moves probability about without making or losing any, so the density at x is that of pure noise where x's
path ends, corrected by how much the flow spreads out on the way (the instantaneous change of variables).
"""

import math
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from .estimates import Estimate
from .predictions import AnyDenoiser
from .samplers import noise_like, velocity
from .schedules import evaluate


def log_prob(
    denoiser: AnyDenoiser, x: Tensor, times: Tensor, *, probes: int = 0, generator: torch.Generator | None = None
) -> Estimate:
    """log p(x) along the probability-flow ODE (Song et al. 2021, Section 4.3), by the classic Runge-Kutta method.

    x: (B, *) data; times: as for sampling, from noise to data, walked backwards. The last should be 0 where sigma starts
    with a finite slope (cosine, flow, edm), else a little more. probes = 0 takes the exact divergence, one derivative a
    coordinate; n >= 2 probes take Hutchinson's estimate (1989), one derivative a probe, each probe kept along the walk.
    """
    if probes == 1 or probes < 0:
        raise ValueError(f"probes must be 0 (exact) or at least 2, to know the error; got {probes}")
    stops = torch.as_tensor(times, dtype=torch.float64).flip(0).tolist()
    signs = [noise_like(x, generator).sign() for _ in range(probes)]
    alpha, _ = evaluate(denoiser.schedule, stops[0])
    x_t, change = alpha * x, x[0].numel() * math.log(alpha)
    flow = partial(_flow, denoiser, signs)
    for t, s in pairwise(stops):
        half, middle = (s - t) / 2, (t + s) / 2
        first = flow(x_t, t)
        second = flow(x_t + half * first[0], middle)
        third = flow(x_t + half * second[0], middle)
        fourth = flow(x_t + (s - t) * third[0], s)
        mean = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(first, second, third, fourth)]
        x_t, change = x_t + (s - t) * mean[0], change + (s - t) * mean[1]
    return _estimate(_log_normal(x_t, math.hypot(*evaluate(denoiser.schedule, stops[-1]))) + change, exact=not probes)


def _flow(denoiser: AnyDenoiser, signs: list[Tensor], x_t: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """The velocity, (B, *), and its divergence: exact, (1, B), or one estimate a probe, (probes, B)."""
    with torch.enable_grad():
        x = x_t.detach().requires_grad_()
        v = velocity(denoiser, x, t)
        pull = lambda z: torch.autograd.grad(v, x, z, retain_graph=True)[0]
        if signs:
            return v.detach(), torch.stack([(z * pull(z)).flatten(1).sum(1) for z in signs])
        units = torch.eye(x[0].numel(), dtype=x.dtype, device=x.device).reshape(-1, *x.shape[1:])
        return v.detach(), sum((e * pull(e.expand_as(x))).flatten(1).sum(1) for e in units)[None]


def elbo(
    denoiser: AnyDenoiser, x: Tensor, times: Tensor, *, draws: int = 2, generator: torch.Generator | None = None
) -> Estimate:
    """A bound from below on log p(x): DDPM's chain over these times with the small variance (Ho et al. 2020, Eq. 5).

    In the form of Kingma et al. 2021 (Eq. 13 and 14): each step costs half its gain in signal-to-noise ratio times the
    squared error of x0. times: from noise to data, ending in 0; the last step, from the smallest noise, is a Gaussian
    around the guess with that noise's spread. x: (B, *); draws >= 2 of the noise give the standard error.
    """
    if draws < 2:
        raise ValueError(f"draws must be at least 2, to know the error; got {draws}")
    *stops, end = torch.as_tensor(times, dtype=torch.float64).tolist()
    if end != 0 or len(stops) < 2:
        raise ValueError("times must end in 0, with at least two before it, as from log_snr_times")
    alpha, sigma = evaluate(denoiser.schedule, stops[0])
    prior = 0.5 * (alpha**2 * _square(x) + x[0].numel() * (sigma**2 - 1 - math.log(sigma**2)))
    return _estimate(torch.stack([_chain(denoiser, x, stops, generator) for _ in range(draws)]) - prior)


@torch.no_grad()
def _chain(denoiser: AnyDenoiser, x: Tensor, stops: list[float], generator: torch.Generator | None) -> Tensor:
    """One draw of everything but the prior's term, (B,)."""
    snr = [(alpha / sigma) ** 2 for alpha, sigma in (evaluate(denoiser.schedule, t) for t in stops)]
    cost = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for t, snr_t, snr_s in zip(stops, snr, snr[1:] + [None]):
        alpha, sigma = evaluate(denoiser.schedule, t)
        eps = noise_like(x, generator)
        error = x - denoiser(alpha * x + sigma * eps, t).x0
        if snr_s is not None:
            cost += 0.5 * (snr_s - snr_t) * _square(error)
    expected = 0.5 * (_square(eps) - x[0].numel())  # 0 on average, and nearly all that chance does to the last term
    return _log_normal(error, sigma / alpha) + expected - cost


def bits_per_dim(log_p: Estimate, dims: int, unit: float) -> Estimate:
    """Nats of a density as bits a coordinate of data stored in whole numbers (Theis et al. 2016, Section 3.1).

    unit: how many whole numbers one unit of x is, 255 * scale for bytes that became (byte / 255 - shift) / scale. The
    density must be that of data with uniform noise in [0, 1) added to the whole numbers: then this is an upper bound.
    """
    return Estimate(math.log2(unit) - log_p.value / (dims * math.log(2)), log_p.error / (dims * math.log(2)))


def _log_normal(x: Tensor, std: float) -> Tensor:
    """log N(x; 0, std^2), (B,)."""
    return -0.5 * _square(x / std) - x[0].numel() * math.log(std * math.sqrt(2 * math.pi))


def _square(x: Tensor) -> Tensor:
    """|x|^2 of each sample, (B,)."""
    return x.flatten(1).square().sum(1)


def _estimate(values: Tensor, exact: bool = False) -> Estimate:
    """(n, B) -> mean and standard error."""
    spread = torch.zeros_like(values[0]) if exact else values.std(0) / math.sqrt(len(values))
    return Estimate(values.mean(0), spread)
