"""Noise schedules: how much signal and how much noise is left at time t.

A schedule is a function  t -> (alpha, sigma)  that defines a Gaussian path

    x_t = alpha * x0 + sigma * eps,        eps ~ N(0, I).

Data lives at t = 0, and noise grows with t until t_max, which is 1 unless the schedule has an attribute of that name.
To add a schedule, write one function of a tensor.
"""

import math
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any
from weakref import ref

import numpy as np
import torch
from torch import Tensor

from .refusals import (
    call,
    choice,
    described,
    floats,
    instance,
    number,
    of_floats,
    random_source,
    require,
    samples,
    tensor,
    whole,
)

Schedule = Callable[[Tensor], tuple[Tensor, Tensor]]
Time = float | Tensor  # a Python float while sampling; a tensor, () or (B,), while training
# Where random numbers come from: one generator for all samples, or NumPy's, one a sample; None is torch's own.
Random = torch.Generator | list[np.random.Generator] | None


@of_floats
def linear_beta(t: Tensor, beta_min: float = 0.1, beta_max: float = 20.0) -> tuple[Tensor, Tensor]:
    """DDPM's linear betas in continuous time (Song et al. 2021, Eq. 33); t in [0, 1]."""
    _refuse_betas(beta_min, beta_max)
    return _preserving(-0.5 * (beta_min * t + (beta_max - beta_min) * t**2 / 2))


@of_floats
def quadratic_beta(t: Tensor, beta_min: float = 0.1, beta_max: float = 20.0) -> tuple[Tensor, Tensor]:
    """Betas whose square root is linear in t, so they start more gently; t in [0, 1].

    From the code of latent diffusion (Rombach et al. 2022), and of Stable Diffusion, which has other ends; diffusers
    calls it "scaled_linear".
    """
    _refuse_betas(beta_min, beta_max)
    root, slope = math.sqrt(beta_min), math.sqrt(beta_max) - math.sqrt(beta_min)
    return _preserving(-0.5 * (root**2 * t + root * slope * t**2 + slope**2 * t**3 / 3))


def _refuse_betas(low: float, high: float) -> None:
    rise = 0 <= number("beta_min", low) <= number("beta_max", high) > 0
    require(rise, f"betas must rise from beta_min to beta_max, 0 or more; got {low} and {high}")


@of_floats
def cosine(t: Tensor) -> tuple[Tensor, Tensor]:
    """A quarter turn from data to noise (Nichol & Dhariwal 2021, Eq. 17, with s = 0); t in [0, 1]."""
    turn = math.pi / 2 * t
    return torch.cos(turn).abs(), torch.sin(turn)  # abs: in float32 the cosine of a right angle is -4e-8


@of_floats
def sigmoid(t: Tensor, start: float = -3.0, end: float = 3.0) -> tuple[Tensor, Tensor]:
    """alpha^2 falls along a logistic curve, gently at both ends (Jabri et al. 2023; Chen 2023); t in [0, 1].

    With S the logistic function, alpha^2 = (S(-z) - S(-end)) / (S(-start) - S(-end)) at z = start + (end - start) t.
    The differences are written as S(a) - S(b) = -S(a) S(-b) expm1(b - a), which does not cancel near the ends.
    """
    require(number("start", start) < number("end", end), f"start must be below end; got {start} and {end}")
    z, span = start + (end - start) * t, start - end
    signal = torch.sigmoid(-z) * torch.expm1(span * (1 - t)) * ((1 + math.exp(start)) / math.expm1(span))
    noise = torch.sigmoid(z) * torch.expm1(span * t) * ((1 + math.exp(-end)) / math.expm1(span))
    return signal.sqrt(), noise.sqrt()


@of_floats
def edm(t: Tensor) -> tuple[Tensor, Tensor]:
    """Variance exploding: nothing shrinks and time IS the noise level (Karras et al. 2022, Table 1); t >= 0."""
    return torch.ones_like(t), t


edm.t_max = 80.0  # type: ignore[attr-defined]  # the largest noise level of their Table 1; churn goes above it


@of_floats
def flow(t: Tensor) -> tuple[Tensor, Tensor]:
    """The straight line of flow matching (Lipman et al. 2023, Eq. 22, with time reversed); t in [0, 1]."""
    return 1 - t, t


def from_betas(betas: Tensor) -> Schedule:
    """DDPM's own table (Ho et al. 2020, Eq. 4): alpha-bar_k = (1 - beta_1) ... (1 - beta_k) stands at t = k / T.

    betas: (T,) in (0, 1). t = 0 is clean data; between entries log alpha-bar is linear in t, in float64. The last beta
        may be 1, as zero_snr makes it: then no signal is left at t = 1, but for rounding (alpha is e^-40).
    Raises ValueError where betas are not a 1-D table of such numbers.
    """
    total = len(betas := _refuse_no_table(betas))
    log_bar = tensor("log alpha-bar", torch.nn.functional.pad(torch.log1p(-betas).cumsum(0), (1, 0)))  # (T + 1,)
    log_bar = log_bar.nan_to_num(neginf=-80.0)

    def table(t: Tensor) -> tuple[Tensor, Tensor]:
        place = t.double().cpu() * total
        gap = (place.round() - place).detach()  # a constant, for `rates`
        on_entry = (place > 0.5) & (gap.abs() < 1e-7 * total)  # float32 k/T is not quite entry k, but 0 is 0
        place = place + torch.where(on_entry, gap, 0.0)
        k = place.floor().long().clamp(0, total - 1)
        log_alpha = 0.5 * (log_bar[k] + (place - k) * (log_bar[k + 1] - log_bar[k]))
        alpha, sigma = _preserving(log_alpha)
        return alpha.to(t), sigma.to(t)

    return table


def _refuse_no_table(betas: Tensor, least: int = 1) -> Tensor:
    betas = tensor("betas", betas, torch.float64).cpu()
    inside = betas.ndim == 1 and len(betas) >= least and ((betas > 0) & (betas <= 1)).all() and (betas[:-1] < 1).all()
    require(inside, f"betas must be {least} or more numbers between 0 and 1, (T,), one a step; only the last may be 1")
    return betas


def zero_snr(betas: Tensor) -> Tensor:
    """A beta table, (T,) float64, changed so that no signal is left at its end (Lin et al. 2024, Algorithm 1).

    betas: (T,) in (0, 1), T >= 2. sqrt(alpha-bar) is shifted to end in 0 and scaled to begin as before. A network that
    predicts the noise says nothing of x0 there: predict "v". Raises ValueError for others.
    """
    root = torch.cumprod(1 - _refuse_no_table(betas, 2), 0).sqrt()
    bar = torch.nn.functional.pad((root - root[-1]) * (root[0] / (root[0] - root[-1])), (1, 0), value=1.0) ** 2
    return 1 - bar[1:] / bar[:-1]


def betas(
    beta_schedule: str = "linear", beta_start: float = 1e-4, beta_end: float = 0.02, num_train_timesteps: int = 1000
) -> Tensor:
    """A beta table by diffusers' names, (T,) float64, for `from_betas`.

    beta_schedule: "linear" (Ho et al. 2020, Section 4), "scaled_linear" (Rombach et al. 2022), or "squaredcos_cap_v2"
        (Nichol & Dhariwal 2021, Eq. 17, with s = 0.008 and betas up to 0.999).
    beta_start, beta_end: the ends of the first two, 0 < beta_start <= beta_end < 1.
    num_train_timesteps: the number of entries T, at least 1.

    Raises ValueError for anything else.
    """
    choice("beta_schedule", beta_schedule, ("linear", "scaled_linear", "squaredcos_cap_v2"))
    steps = whole("num_train_timesteps", num_train_timesteps)
    rise = 0 < number("beta_start", beta_start) <= number("beta_end", beta_end) < 1
    require(rise, f"betas must rise from beta_start to beta_end within (0, 1); got {beta_start}, {beta_end}")
    ends = partial(torch.linspace, steps=steps, dtype=torch.float64)
    if beta_schedule == "linear":
        return ends(beta_start, beta_end)
    if beta_schedule == "scaled_linear":
        return ends(beta_start**0.5, beta_end**0.5) ** 2
    bar = torch.cos((ends(0, 1, steps=steps + 1) + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - bar[1:] / bar[:-1]).clamp(max=0.999)


SCHEDULES: dict[str, Schedule] = {f.__name__: f for f in (linear_beta, quadratic_beta, cosine, sigmoid, edm, flow)}


def _preserving(log_alpha: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and the sigma that keeps alpha^2 + sigma^2 = 1, without cancellation near t = 0."""
    return log_alpha.exp(), (-torch.expm1(2 * log_alpha)).sqrt()


def t_max(schedule: Schedule) -> float:
    """The time at which only noise is left: the schedule's own attribute t_max, else 1. TypeError for no function."""
    if not callable(schedule) or isinstance(schedule, type):
        raise TypeError(f"a schedule is a function t -> (alpha, sigma), such as cosine; got {described(schedule)}")
    return getattr(schedule, "t_max", getattr(getattr(schedule, "func", None), "t_max", 1.0))


def pair(curve: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """curve(t) as two tensors like t: a schedule, or any pair of functions of time. Raises where it is neither."""
    t_max(curve)
    t = floats("t", t)
    both = call("a schedule", curve, t)
    if not isinstance(both, (tuple, list)) or len(both) != 2:
        raise TypeError(f"a schedule must return two tensors (alpha, sigma), each like t; got {type(both).__name__}")
    first, second = (c.to(t) if isinstance(c, Tensor) else torch.full_like(t, number("alpha, sigma", c)) for c in both)
    if not first.shape == second.shape == t.shape:
        raise ValueError(f"alpha and sigma must be like t, {tuple(t.shape)}; got {first.shape} and {second.shape}")
    return first, second


_MEMORY: dict[ref, dict] = {}  # curve -> (t, target), or a noise angle -> what it is there, or at what time


def recall(curve: Schedule, question: Any) -> Any:
    """What is remembered of a curve, or None."""
    try:
        return _MEMORY[ref(curve)][question]
    except (KeyError, TypeError):  # not yet known, or nothing to be remembered by
        return None


def remember(curve: Schedule, question: Any, answer: Any) -> Any:
    """Keep what a curve is somewhere while it lives, if it is a function that depends on no parameter."""
    if isinstance(getattr(curve, "func", curve), FunctionType) and not _learns(curve):
        _MEMORY.setdefault(ref(curve, lambda dead: _MEMORY.pop(dead, None)), {})[question] = answer
    return answer


def _learns(curve: Schedule) -> bool:
    with torch.inference_mode(False), torch.enable_grad():
        return any(c.requires_grad for c in pair(curve, torch.tensor(0.5, dtype=torch.float64, device="cpu")))


def evaluate(curve: Schedule, t: float, target: Callable | None = None) -> tuple[float, float]:
    """A schedule, or any pair of functions of time, at one float t, in float64: two floats.

    target: (schedule, t) -> (a, b), to evaluate that on the schedule. What a plain function gives is remembered, since
    sampling asks again and again; what may learn is computed each time. Raises ValueError for a t outside [0, t_max]
    and for a schedule that is not finite at t.
    """
    if known := recall(curve, (t, target)):
        return known
    t = refuse_time(curve, t)
    first, second = _once(curve if target is None else partial(target, curve), t)
    if target is None and not (math.isfinite(first) and math.isfinite(second)):
        raise ValueError(f"at t = {t:g} this schedule gives ({first}, {second}), where both numbers must be finite")
    return remember(curve, (t, target), (first, second))


def _once(curve: Schedule, t: float) -> tuple[float, float]:
    first, second = pair(curve, torch.tensor(t, dtype=torch.float64, device="cpu"))
    return float(first.detach()), float(second.detach())


def refuse_time(schedule: Schedule, t: float) -> float:
    """t; ValueError for one outside [0, t_max]. Where nothing shrinks, as on EDM's path, noise may grow beyond."""
    end, t = t_max(schedule), number("t", t)
    if not t >= 0 or (t > end * (1 + 1e-9) and not _grows_on(schedule)):
        raise ValueError(f"t = {t:g} is outside this schedule's times, 0 to {end:g}; see index_times for timesteps")
    return t


def _grows_on(schedule: Schedule) -> bool:
    """Whether the signal at t_max is still that of t = 0 (variance exploding), so that later times have a meaning."""
    return _once(schedule, t_max(schedule))[0] >= _once(schedule, 0.0)[0]


def at(curve: Schedule, t: Time, x: Tensor, target: Callable | None = None) -> tuple[Any, Any]:
    """A schedule at t, ready to multiply x: two floats, or two tensors (), or (B, 1, ..., 1), of x's dtype.

    curve: a schedule, or any pair of functions of time.
    t: a float, or a tensor () or (B,).
    x: (B, *).
    target: (schedule, t) -> (a, b); where it is given, the pair is its own on that schedule.

    Raises TypeError for an x of no floating-point numbers, ValueError for a t of another shape or kind.
    """
    samples("x_t", x)
    if not isinstance(t, Tensor):
        return evaluate(curve, t, target)
    if t.ndim > 1 or (t.ndim == 1 and len(t) not in (1, len(x))) or not t.is_floating_point():
        raise ValueError(f"t must be a float, or floats of shape () or ({len(x)},); got {t.dtype} {tuple(t.shape)}")
    shape = t.shape + (1,) * (x.ndim - t.ndim) if t.ndim else ()
    first, second = pair(curve if target is None else partial(target, curve), t)
    return first.to(x).reshape(shape), second.to(x).reshape(shape)


def log_snr(schedule: Schedule, t: Tensor) -> Tensor:
    """log(alpha^2 / sigma^2), the log signal-to-noise ratio: +inf for data, -inf for noise (Kingma et al. 2021)."""
    alpha, sigma = pair(schedule, t)
    return 2 * (alpha.log() - sigma.log())


def slopes(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """(d alpha / dt, d sigma / dt), each like t, by autodiff; infinite where the schedule leaves an end vertically."""
    with torch.inference_mode(False), torch.enable_grad():  # sampling switches gradients off
        t = t.clone().detach().requires_grad_()
        alpha, sigma = (c + 0 * t for c in pair(schedule, t))  # edm's alpha is a constant
        (d_alpha,) = torch.autograd.grad(alpha.sum(), t, retain_graph=True)
        (d_sigma,) = torch.autograd.grad(sigma.sum(), t)
    return d_alpha, d_sigma


def rates(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """How fast signal and noise change: (d alpha / dt, d sigma / dt), each like t.

    The very ends are looked at from one rounding inside: large, not infinite, where a schedule leaves them vertically,
    as sigma does at the data end of linear_beta.
    """
    return slopes(schedule, inside(schedule, t))


def inside(schedule: Schedule, t: Tensor) -> Tensor:
    """t, moved off the exact ends 0 and t_max by about one rounding; elsewhere the same."""
    t = floats("t", t)
    end, eps = t_max(schedule), torch.finfo(t.dtype).eps
    return torch.where(t == end, t * (1 - eps), t.clamp(min=end * eps**2))


def angle(alpha: Any, sigma: Any) -> Any:
    """The noise angle 2/pi * atan2(sigma, alpha): 0 for data, 1 for noise, the same measure on every schedule.

    In units of a right angle it is the phi of Salimans & Ho 2022, Appendix D.
    """
    if isinstance(alpha, Tensor):
        return torch.atan2(sigma, alpha) * (2 / math.pi)
    return math.atan2(sigma, alpha) * (2 / math.pi)


def time_at(schedule: Schedule, wanted: float) -> float:
    """The time at which the noise angle is the wanted one, in [0, 1]: `angle` backwards, by bisection in float64.

    One scale for all paths, with both ends finite: from a log SNR, ask for angle(exp(log_snr / 2), 1). Raises
    ValueError where the schedule never gets that noisy.
    """
    low, high = 0.0, t_max(schedule)
    wanted = wanted if isinstance(wanted, float) else number("a noise angle", wanted)
    if wanted == 0 or recall(schedule, wanted):
        return wanted and recall(schedule, wanted)
    noise = lambda t: angle(*_once(schedule, t))
    while noise(high) < wanted < 1 and high < 1000 * t_max(schedule) and _grows_on(schedule):
        high *= 2
    most = f"this schedule's noise angle goes from 0 to {noise(high):.4f}"
    reached = 0 <= wanted <= noise(high) + 1e-6  # a float32 table of diffusers' may end that much noisier
    require(reached, f"{most} and never is {wanted:.4f}: begin with less noise")
    for _ in range(100):  # to the last digit, from 80,000 down
        middle = (low + high) / 2
        low, high = (middle, high) if noise(middle) < wanted else (low, middle)
    near = min(low, high, key=lambda t: abs(noise(t) - wanted))  # on the two sides of a table's entry they differ
    return remember(schedule, wanted, near)


def uniform_times(steps: int, start: float = 1.0, stop: float = 0.0) -> Tensor:
    """steps + 1 equally spaced times, as from noise to data: (steps + 1,) float64; start and stop >= 0."""
    start, stop = number("start", start, 0), number("stop", stop, 0)
    return torch.linspace(start, stop, whole("steps", steps) + 1, dtype=torch.float64)


def shifted_times(steps: int, shift: float = 3.0, start: float = 1.0, stop: float = 0.0) -> Tensor:
    """Equally spaced times of `flow`, moved towards noise: shift * t / (1 + (shift - 1) * t), (steps + 1,) float64.

    That multiplies every ratio sigma / alpha by the shift: images of more pixels, which agree with their neighbours,
    need more noise to hide as much (Esser et al. 2024).

    steps: at least 1.
    shift: > 0; 1 moves nothing, 3 is Stable Diffusion 3's.
    start, stop: the ends before they are moved, in [0, 1].
    """
    require(number("shift", shift) > 0, f"a shift must be above 0; got {shift}")
    t = uniform_times(steps, number("start", start, 0, 1), number("stop", stop, 0, 1))
    return shift * t / (1 + (shift - 1) * t)


def karras_times(
    steps: int, low: float = 0.002, high: float = 80.0, rho: float = 7.0, schedule: Schedule = edm
) -> Tensor:
    """The times of `steps` noise levels whose rho-th roots are equally spaced, then 0 (Karras et al. 2022, Eq. 5).

    steps: at least 1. Returns (steps + 1,) float64.
    low, high: the last and the first noise level sigma / alpha, 0 < low < high.
    rho: > 0; the larger, the shorter the steps near low.
    schedule: whose times they are. On EDM's path the time itself is the noise level.

    Raises ValueError for other numbers, and where the schedule never gets as noisy as high.
    """
    fall = 0 < number("low", low) < number("high", high) and number("rho", rho) > 0
    require(fall, f"noise levels need 0 < low < high and rho > 0; got low={low}, high={high}, rho={rho}")
    levels = torch.linspace(high ** (1 / rho), low ** (1 / rho), whole("steps", steps), dtype=torch.float64) ** rho
    alpha, sigma = pair(schedule, levels)
    if not ((alpha == 1) & (sigma == levels)).all():
        levels = torch.tensor([time_at(schedule, angle(1.0, level)) for level in levels.tolist()], dtype=torch.float64)
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


def log_snr_times(schedule: Schedule, steps: int, start: float, stop: float) -> Tensor:
    """`steps` times from start to stop, equally spaced in log SNR, then 0: (steps + 1,) float64.

    schedule: whose times they are.
    steps: at least 1.
    start, stop: 0 < stop < start <= t_max, with some signal left at start.

    Raises ValueError for others.
    """
    ends = torch.tensor([refuse_time(schedule, t) for t in (start, stop)], dtype=torch.float64)
    first, final = log_snr(schedule, ends).tolist()
    rise = -math.inf < first < final < math.inf
    require(rise, f"the log SNR must rise from start to stop and be finite; got {first:g} and {final:g}")
    levels = torch.linspace(first, final, whole("steps", steps), dtype=torch.float64).tolist()
    return torch.tensor([time_at(schedule, angle(math.exp(c / 2), 1.0)) for c in levels] + [0.0], dtype=torch.float64)


def start(schedule: Schedule, t: Time, shape: tuple[int, ...], generator: Random = None) -> Tensor:
    """Where sampling begins: sigma_t * eps of the given shape, right on every path, EDM's too.

    schedule, t: the path and the time on it, as a rule t_max(schedule).
    shape: (B, *).
    generator: of the random numbers.
    """
    sizes = [whole("each number of the shape", n, 0) for n in instance("shape", shape, (tuple, list), "like (1000, 2)")]
    require(sizes, "shape must have at least one number, how many samples there are; got none")
    return evaluate(schedule, number("t", t))[1] * normal(tuple(sizes), generator)


def normal(shape: tuple[int, ...], generator: Random = None, like: Tensor | None = None) -> Tensor:
    """Unit Gaussian noise, (B, *), drawn where the generator lives, then moved: a CPU seed is the same everywhere.

    generator: one for all rows, or NumPy's, one for each of the B rows, which then depend on nothing else.
    like: a tensor whose dtype and device the noise takes; None: float32 on the CPU.

    Raises ValueError for another number of generators than rows, TypeError for other generators.
    """
    dtype, device = (torch.float32, torch.device("cpu")) if like is None else (like.dtype, like.device)
    random_source(generator)
    if not isinstance(generator, list):
        home = device if generator is None else generator.device
        return torch.randn(shape, dtype=dtype, generator=generator, device=home).to(device)  # type: ignore[arg-type]
    require(len(generator) == shape[0], f"{len(generator)} generators were given for {shape[0]} samples: give one each")
    kind = np.float64 if dtype == torch.float64 else np.float32
    return torch.from_numpy(np.stack([one.standard_normal(shape[1:], kind) for one in generator])).to(device, dtype)
