"""How probable is a sample? Along the probability-flow ODE exactly, along DDPM's chain from below. Everything in nats.

The ODE moves probability about without making or losing any, so the density at x is that of pure noise where x's
path ends, corrected by how much the flow spreads out on the way (the instantaneous change of variables).
"""

import math
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from .estimates import Estimate
from .predictions import AnyDenoiser, path_of
from .refusals import data, instance, number, random_source, require, whole
from .samplers import monotone, noise_like, velocity
from .schedules import Random, evaluate


def log_prob(denoiser: AnyDenoiser, x: Tensor, times: Tensor, *, probes: int = 0, generator: Random = None) -> Estimate:
    """log p(x) along the probability-flow ODE (Song et al. 2021, Section 4.3), by the classic Runge-Kutta method.

    denoiser: of the density.
    x: (B, *) data.
    times: as for sampling, from noise to data, walked backwards. The last should be 0 where sigma starts with a finite
        slope (cosine, flow, edm), else a little more.
    probes: 0 takes the exact divergence, one derivative a coordinate; n >= 2 take Hutchinson's estimate (1989), one
        derivative a probe, each probe kept along the trajectory.
    generator: of the probes.

    Raises ValueError for one probe, other times, and an end where the velocity is infinite.
    """
    random_source(generator)
    known = number("probes", probes) == 0 or (probes >= 2 and probes % 1 == 0)
    require(known, f"probes must be 0 (exact) or at least 2, to know the error; got {probes}")
    x, stops = data("x", x, 2), monotone(path_of(denoiser), times, rising=False)[::-1]
    signs = [noise_like(x, generator).sign() for _ in range(probes)]
    alpha, _ = evaluate(path_of(denoiser), stops[0])
    x_t, change = alpha * x, torch.full((1, len(x)), x[0].numel() * math.log(alpha)).to(x)
    flow = partial(_flow, denoiser, signs)
    for t, s in pairwise(stops):
        half, middle = (s - t) / 2, (t + s) / 2
        first = flow(x_t, t)
        second = flow(x_t + half * first.velocity, middle)
        third = flow(x_t + half * second.velocity, middle)
        fourth = flow(x_t + (s - t) * third.velocity, s)
        mean = Flow(*((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(first, second, third, fourth, strict=True)))
        x_t, change = x_t + (s - t) * mean.velocity, change + (s - t) * mean.divergence
    return _estimate(_log_normal(x_t, math.hypot(*evaluate(path_of(denoiser), stops[-1]))) + change, exact=not probes)


class Flow(NamedTuple):
    """The velocity, (B, *), and its divergence: exact, (1, B), or one estimate a probe, (probes, B)."""

    velocity: Tensor
    divergence: Tensor


def _flow(denoiser: AnyDenoiser, signs: list[Tensor], x_t: Tensor, t: float) -> Flow:
    """The probability flow at t. signs: the probes, like x_t; none takes the exact divergence."""
    with torch.inference_mode(False), torch.enable_grad():
        x = x_t.clone().detach().requires_grad_()
        v = velocity(denoiser, x, t)
        pull = lambda z: torch.autograd.grad(v, x, z, retain_graph=True)[0]
        if signs:
            return Flow(v.detach(), torch.stack([(z * pull(z)).flatten(1).sum(1) for z in signs]))
        units = torch.eye(x[0].numel(), dtype=x.dtype, device=x.device).reshape(-1, *x.shape[1:])
        parts = ((e * pull(e.expand_as(x))).flatten(1).sum(1) for e in units)
        return Flow(v.detach(), sum(parts, torch.zeros(len(x), dtype=x.dtype, device=x.device))[None])


def elbo(denoiser: AnyDenoiser, x: Tensor, times: Tensor, *, draws: int = 2, generator: Random = None) -> Estimate:
    """A bound from below on log p(x): DDPM's chain over these times with the small variance (Ho et al. 2020, Eq. 5).

    In the form of Kingma et al. 2021 (Eq. 13 and 14): each step costs half its gain in signal-to-noise ratio times the
    squared error of x0; the last step, from the smallest noise, is a Gaussian around the predicted x0 with that noise's
    standard deviation. The prior is N(0, alpha^2 + sigma^2) at the first time, as on the path of unit-variance data.

    denoiser: of the density.
    x: (B, *) data.
    times: from noise to data, ending in 0.
    draws: >= 2, of the noise, for the standard error.
    generator: of the noise.

    Raises ValueError for other times and fewer draws.
    """
    whole("draws", draws, 2)
    x, (*stops, end) = data("x", x, 2), monotone(path_of(denoiser), times, rising=False)
    enough = end == 0 and len(stops) >= 2
    require(enough, "times must end in 0, with at least two before it, as from log_snr_times")
    alpha, sigma = evaluate(path_of(denoiser), stops[0])
    total = alpha**2 + sigma**2
    share = sigma**2 / total
    prior = 0.5 * (alpha**2 / total * _square(x) + x[0].numel() * (share - 1 - math.log(share)))
    return _estimate(torch.stack([_chain(denoiser, x, stops, generator) for _ in range(draws)]) - prior)


@torch.no_grad()
def _chain(denoiser: AnyDenoiser, x: Tensor, stops: list[float], generator: Random) -> Tensor:
    """One draw of everything but the prior's term, (B,)."""
    snr = [(alpha / sigma) ** 2 for alpha, sigma in (evaluate(path_of(denoiser), t) for t in stops)]
    cost = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for t, snr_t, snr_s in zip(stops, snr, [*snr[1:], None], strict=True):
        alpha, sigma = evaluate(path_of(denoiser), t)
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
    require(number("unit", unit) > 0, f"unit, the whole numbers in one unit of x, must be above 0; got {unit}")
    instance("log_p", log_p, Estimate, "an Estimate, as log_prob and elbo give")
    dims = whole("dims", dims)
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
