"""Noise schedules: how much signal and how much noise is left at time t.

A schedule is a function  t -> (alpha, sigma)  that draws a Gaussian path

    x_t = alpha * x0 + sigma * eps,        eps ~ N(0, I).

Data lives at t = 0 and noise grows with t. To add a schedule, write one function of a tensor.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

Schedule = Callable[[Tensor], tuple[Tensor, Tensor]]
Time = float | Tensor  # a Python float while sampling; a tensor, () or (B,), while training


def linear_beta(t: Tensor, beta_min: float = 0.1, beta_max: float = 20.0) -> tuple[Tensor, Tensor]:
    """DDPM's linear betas in continuous time (Song et al. 2021, Eq. 33); t in [0, 1]."""
    return _preserving(-0.5 * (beta_min * t + (beta_max - beta_min) * t**2 / 2))


def quadratic_beta(t: Tensor, beta_min: float = 0.1, beta_max: float = 20.0) -> tuple[Tensor, Tensor]:
    """Betas whose square root is linear in t, so they start more gently; t in [0, 1].

    Diffusers calls this "scaled_linear"; Stable Diffusion uses it with other ends.
    """
    root, slope = math.sqrt(beta_min), math.sqrt(beta_max) - math.sqrt(beta_min)
    return _preserving(-0.5 * (root**2 * t + root * slope * t**2 + slope**2 * t**3 / 3))


def cosine(t: Tensor) -> tuple[Tensor, Tensor]:
    """A quarter turn from data to noise (Nichol & Dhariwal 2021, Eq. 17, with s = 0); t in [0, 1]."""
    return torch.cos(math.pi / 2 * t), torch.sin(math.pi / 2 * t)


def sigmoid(t: Tensor, start: float = -3.0, end: float = 3.0) -> tuple[Tensor, Tensor]:
    """alpha^2 falls along a logistic curve, gently at both ends (Jabri et al. 2023; Chen 2023); t in [0, 1]."""
    top, bottom = 1 / (1 + math.exp(start)), 1 / (1 + math.exp(end))
    logistic = torch.sigmoid(-start - (end - start) * t).clamp(bottom, top)  # rounding could overshoot the ends
    return ((logistic - bottom) / (top - bottom)).sqrt(), ((top - logistic) / (top - bottom)).sqrt()


def edm(t: Tensor) -> tuple[Tensor, Tensor]:
    """Variance exploding: nothing shrinks and time IS the noise level (Karras et al. 2022, Table 1); t >= 0."""
    return torch.ones_like(t), t


def flow(t: Tensor) -> tuple[Tensor, Tensor]:
    """The straight line of flow matching (Lipman et al. 2023, Eq. 22, with time reversed); t in [0, 1]."""
    return 1 - t, t


def from_betas(betas: Tensor) -> Schedule:
    """DDPM's own table (Ho et al. 2020, Eq. 4): alpha-bar_k = (1 - beta_1) ... (1 - beta_k) stands at t = k / T.

    betas: (T,) in (0, 1). t = 0 is clean data; between entries log alpha-bar is linear in t, in float64.
    Raises ValueError where betas are not a 1-D table of numbers strictly between 0 and 1.
    """
    betas = torch.as_tensor(betas, dtype=torch.float64).cpu()
    if betas.ndim != 1 or len(betas) == 0 or not ((betas > 0) & (betas < 1)).all():
        raise ValueError("betas must be a 1-D tensor of numbers strictly between 0 and 1, one a step")
    log_bar = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-betas).cumsum(0)])  # (T + 1,)

    def table(t: Tensor) -> tuple[Tensor, Tensor]:
        place = t.double().cpu() * len(betas)
        near = place.round()
        gap = (near - place).detach()  # a constant, for `rates`
        place = place + torch.where(gap.abs() < 1e-7 * len(betas), gap, 0.0)  # float32 k/T is not quite entry k
        k = place.floor().long().clamp(0, len(betas) - 1)
        log_alpha = 0.5 * (log_bar[k] + (place - k) * (log_bar[k + 1] - log_bar[k]))
        return tuple(c.to(t) for c in _preserving(log_alpha))

    return table


SCHEDULES: dict[str, Schedule] = {
    "linear_beta": linear_beta,
    "quadratic_beta": quadratic_beta,
    "cosine": cosine,
    "sigmoid": sigmoid,
    "edm": edm,
    "flow": flow,
}


def _preserving(log_alpha: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and the sigma that keeps alpha^2 + sigma^2 = 1, without cancellation near t = 0."""
    return log_alpha.exp(), (-torch.expm1(2 * log_alpha)).sqrt()


@lru_cache(maxsize=4096)
def evaluate(curve: Schedule, t: float) -> tuple[float, float]:
    """A pair of functions of time at one Python float, in float64, remembered: sampling asks again and again."""
    return _once(curve, t)


def _once(curve: Schedule, t: float) -> tuple[float, float]:
    a, b = curve(torch.tensor(t, dtype=torch.float64))
    return float(a), float(b)


def at(curve: Schedule, t: Time, x: Tensor) -> tuple[Time, Time]:
    """A schedule (or any pair of functions of time) at t, ready to multiply x: (B, *).

    A float t gives two floats; a tensor t, () or (B,), gives tensors of shape (), or (B, 1, ..., 1).
    """
    if not isinstance(t, Tensor):
        return evaluate(curve, float(t))
    if t.ndim > 1 or (t.ndim == 1 and len(t) not in (1, len(x))):
        raise ValueError(f"t must be a float, or a tensor of shape () or ({len(x)},); got shape {tuple(t.shape)}")
    shape = t.shape + (1,) * (x.ndim - t.ndim) if t.ndim else ()
    first, second = curve(t)
    return first.reshape(shape), second.reshape(shape)


def log_snr(schedule: Schedule, t: Tensor) -> Tensor:
    """log(alpha^2 / sigma^2), the log signal-to-noise ratio: +inf for data, -inf for noise (Kingma et al. 2021)."""
    alpha, sigma = schedule(t)
    return 2 * (alpha.log() - sigma.log())


def rates(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """How fast signal and noise change: (d alpha / dt, d sigma / dt), each like t, by autodiff.

    Not finite where a schedule leaves an end vertically, as sigma does at the data end of linear_beta.
    """
    with torch.inference_mode(False), torch.enable_grad():  # sampling switches gradients off
        t = t.clone().detach().requires_grad_()
        alpha, sigma = (c + 0 * t for c in schedule(t))  # edm's alpha is a constant
        (d_alpha,) = torch.autograd.grad(alpha.sum(), t, retain_graph=True)
        (d_sigma,) = torch.autograd.grad(sigma.sum(), t)
    return d_alpha, d_sigma


def angle(alpha: Time, sigma: Time) -> Time:
    """The noise angle 2/pi * atan2(sigma, alpha): 0 for data, 1 for noise, the same measure on every schedule."""
    if isinstance(alpha, Tensor):
        return torch.atan2(sigma, alpha) * (2 / math.pi)
    return math.atan2(sigma, alpha) * (2 / math.pi)


@lru_cache(maxsize=4096)
def time_at(schedule: Schedule, wanted: float) -> float:
    """The time at which the noise angle is the wanted one, in [0, 1]: `angle` backwards, by bisection in float64.

    One scale for all paths, with both ends finite: from a log SNR, ask for angle(exp(log_snr / 2), 1). Raises
    ValueError where the schedule never gets that noisy.
    """
    if wanted == 0:
        return 0.0
    low, high = 0.0, last_time(schedule) * (1000 if schedule is edm else 1)
    if (
        not 0 <= wanted <= angle(*evaluate(schedule, high)) + 1e-6
    ):  # a float32 table of diffusers' may end that much noisier
        raise ValueError(
            f"this schedule's noise angle goes from 0 to {angle(*evaluate(schedule, high)):.4f} and never is {wanted:.4f}: "
            f"begin with less noise"
        )
    for _ in range(100):  # to the last digit, from 80,000 down
        middle = (low + high) / 2
        low, high = (middle, high) if angle(*_once(schedule, middle)) < wanted else (low, middle)
    return min(low, high, key=lambda t: abs(angle(*_once(schedule, t)) - wanted))  # beside a table's entry they differ


def uniform_times(steps: int, start: float = 1.0, stop: float = 0.0) -> Tensor:
    """steps + 1 equally spaced times from noise to data: (steps + 1,) float64."""
    _at_least_one(steps)
    return torch.linspace(start, stop, steps + 1, dtype=torch.float64)


def karras_times(
    steps: int, low: float = 0.002, high: float = 80.0, rho: float = 7.0, schedule: Schedule = edm
) -> Tensor:
    """The times of `steps` noise levels whose rho-th roots are equally spaced, then 0 (Karras et al. 2022, Eq. 5).

    A noise level is sigma / alpha, and on EDM's path the time itself. (steps + 1,) float64. Raises ValueError where the
    schedule never gets as noisy as high.
    """
    _at_least_one(steps)
    levels = torch.linspace(high ** (1 / rho), low ** (1 / rho), steps, dtype=torch.float64) ** rho
    if schedule is not edm:
        levels = torch.tensor([time_at(schedule, angle(1.0, level)) for level in levels.tolist()], dtype=torch.float64)
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


def log_snr_times(schedule: Schedule, steps: int, start: float, stop: float) -> Tensor:
    """`steps` times from start to stop, equally spaced in log SNR, then 0; 0 < stop < start, both with some signal left."""
    _at_least_one(steps)
    first, final = (float(log_snr(schedule, torch.tensor(t, dtype=torch.float64))) for t in (start, stop))
    if not -math.inf < first < final < math.inf:
        raise ValueError(f"the log SNR must rise from start to stop and be finite; got {first:g} and {final:g}")
    levels = torch.linspace(first, final, steps, dtype=torch.float64).tolist()
    return torch.tensor([time_at(schedule, angle(math.exp(c / 2), 1.0)) for c in levels] + [0.0], dtype=torch.float64)


def index_times(steps: int, spacing: str = "leading", total: int = 1000, offset: int = 0) -> Tensor:
    """The times of `steps` of a table's indices 0 ... total - 1, then 0, spaced as diffusers' DDPM and DDIM name it.

    "leading" starts at the clean end, "trailing" at the noisy end, "linspace" has both (Lin et al. 2024, Table 2).
    Diffusers' index k is our time (k + 1) / total. offset is added to leading indices, as `steps_offset` does.
    """
    if spacing not in ("leading", "trailing", "linspace") or not 1 <= steps <= total:
        raise ValueError(
            f"spacing is 'leading', 'trailing' or 'linspace', steps 1 to {total}; got {spacing!r}, {steps}"
        )
    count = torch.arange(steps - 1, -1, -1, dtype=torch.float64)
    if spacing == "leading":
        k = count * (total // steps) + offset
    elif spacing == "trailing":
        k = ((count + 1) * (total / steps)).round() - 1
    else:
        k = torch.linspace(total - 1, 0, steps, dtype=torch.float64).round()
    return torch.cat([(k + 1) / total, torch.zeros(1, dtype=torch.float64)])


def start(schedule: Schedule, t: Time, shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
    """Where sampling begins: sigma_t * eps of the given shape, right on every path, EDM's too."""
    return evaluate(schedule, float(t))[1] * torch.randn(shape, generator=generator)


def last_time(schedule: Schedule) -> float:
    """The time at which only noise is left: 1, but 80 where time is the noise level (Karras et al. 2022, Table 1)."""
    return 80.0 if schedule is edm else 1.0


def _at_least_one(steps: int) -> None:
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}")
