"""The fault ladder: which part of a diffusion model of one's own disagrees with the exact one."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..estimates import floor
from ..evaluation import sliced_wasserstein
from ..exact import of_points
from ..predictions import Denoiser, LearnedDenoiser, Prediction
from ..refusals import data, function, require, whole
from ..samplers import last, sample
from ..schedules import Schedule, angle, cosine, evaluate, linear_beta, start, t_max, time_at

LEVELS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)  # noise angles at which a denoiser is asked
STEPS = 50


def diagnose(
    points: Tensor,
    *,
    schedule: Schedule | None = None,
    step: Callable | None = None,
    loss: Callable | None = None,
    denoiser: Any = None,
    seed: int = 0,
) -> dict[str, str]:
    """Compare each part that is given with the exact one, print a line for each, and return what is wrong, by part.

    points: (N, D) training data with N at least 100, standardised.
    schedule: t -> (alpha, sigma); with it the others are tried too (default: the denoiser's, or cosine).
    step: a sampler's step (denoiser, x_t, t, s, *, generator=None) -> x_s.
    loss: (denoiser, x0, t, eps) -> (B,) or a number, for a LearnedDenoiser.
    denoiser: a trained one.
    seed: of the noise.

    A part that is right has an empty text. Raises ValueError for too few points and where no part is given.
    """
    points = data("points", points, 2).double()
    given = {"schedule": schedule, "step": step, "loss": loss, "denoiser": denoiser}
    require(len(points) >= 100, f"diagnose needs 100 points or more to compare with; got {len(points)}")
    require(any(part is not None for part in given.values()), f"give one of {', '.join(given)}")
    require(points.std() > 0, "diagnose needs points that differ: all of these are one")
    seed = whole("seed", seed, 0, 2**31)
    path = getattr(denoiser, "schedule", cosine) if schedule is None else schedule
    found: dict[str, str] = {}
    for name, part in given.items():
        if part is not None:
            function(
                name,
                part,
                *range({"schedule": 1, "denoiser": 2}.get(name, 4)),
                **({"generator": None} if name == "step" else {}),
            )
            generator = torch.Generator().manual_seed(seed)
            path = cosine if found.get("schedule") else path  # the others are not to blame for it
            try:
                found[name] = CHECKS[name](part, path, points, generator)
            except Exception as error:
                found[name] = f"it raises {type(error).__name__} ({' '.join(str(error).split())[:160]})."
    for name, wrong in found.items():
        print(f"look   {name}: {wrong}" if wrong else f"right  {name}")
    return found


def _schedule(schedule: Schedule, path: Schedule, points: Tensor, generator: torch.Generator) -> str:
    times = [t_max(schedule) * k / 32 for k in range(33)]
    try:
        levels = torch.tensor([evaluate(schedule, t) for t in times], dtype=torch.float64)
    except Exception as error:
        return f"it gives no two numbers at every time ({' '.join(str(error).split())[:120]})."
    (alpha, sigma), (alpha_end, sigma_end) = levels[0].tolist(), levels[-1].tolist()
    if alpha < 0.1 and sigma > 0.9:
        return "alpha and sigma have changed places: at t = 0 data come through untouched, alpha = 1 and sigma = 0."
    if abs(alpha - 1) > 0.03 or abs(sigma) > 0.03:
        return f"at t = 0 it gives alpha = {alpha:.3g} and sigma = {sigma:.3g}: data should come through, with 1 and 0."
    for known in (cosine, linear_beta):
        squares = torch.tensor([evaluate(known, t * t_max(known) / t_max(schedule)) for t in times]).double() ** 2
        if (levels - squares).abs().max() < 1e-3:
            return "these are alpha-bar and 1 - alpha-bar, which are squares: alpha and sigma are their roots."
    ratio = levels[:, 1] / levels[:, 0].clamp(min=1e-12)
    if not (ratio.diff() > 0).all():
        where = times[int((ratio.diff() > 0).double().argmin())]
        return f"the noise does not grow after t = {where:.3g}: sigma / alpha has to rise all the way."
    if alpha_end > 0.2 * sigma_end:
        shown = alpha_end / sigma_end
        return f"at the end alpha / sigma is {shown:.2g}: data shine through, but samplers begin with noise."
    return ""


def _step(step: Callable, path: Schedule, points: Tensor, generator: torch.Generator) -> str:
    asked: list[float] = []
    exact = of_points(points, path)

    def predict(x_t: Tensor, t: Any, y: Any = None) -> Prediction:
        asked.append(float(t))
        return exact(x_t, t)

    recorded = Denoiser(path, predict)
    times = _equal_angles(path)
    x = start(path, times[0], (400, *points.shape[1:]), generator).double()
    near, end = times[-2].item(), times[-1].item()
    ends = [step(recorded, x[:50] * near, near, end, generator=torch.Generator().manual_seed(k)) for k in (1, 2)]
    if not torch.equal(*ends):
        return "it adds noise in the last step: at s = 0 the sample is finished."
    asked.clear()
    step(recorded, x, times[20].item(), times[21].item(), generator=generator)
    if not any(math.isclose(t, times[20].item()) for t in asked):
        return "it asks the denoiser at another time than t: x_t has the noise of t."
    samples = last(sample(step, recorded, x, times, generator=generator))
    metric = lambda a, b: sliced_wasserstein(a.flatten(1), b.flatten(1), generator=torch.Generator().manual_seed(0))
    usual = floor(metric, points.flatten(1), len(points) // 2, min(400, len(points) // 2))
    distance = metric(samples, points)
    if distance < 2 * usual.value + 3 * usual.error:
        return ""
    return (
        f"with the exact denoiser its samples are {distance / usual.value:.0f} floors from the data{_why(step, path)}."
    )


def _equal_angles(path: Schedule) -> Tensor:
    """STEPS + 1 times from the last one to 0, at equal distances of the noise angle."""
    most = angle(*evaluate(path, t_max(path)))
    inner = [time_at(path, most * (1 - k / STEPS)) for k in range(1, STEPS)]
    return torch.tensor([t_max(path), *inner, 0.0], dtype=torch.float64)


def _why(step: Callable, path: Schedule) -> str:
    """What one step does where the data are a single point, so that the law of x_s is known."""
    generator = torch.Generator().manual_seed(4)
    point, n = torch.full((1, 1), 2.0, dtype=torch.float64), 20_000
    t, s = time_at(path, 0.6), time_at(path, 0.5)
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(path, t), evaluate(path, s)
    x_t = alpha_t * point + sigma_t * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    x_s = step(of_points(point, path), x_t, t, s, generator=generator)
    mean, std = x_s.mean().item(), x_s.std().item()
    if abs(mean - 2 * alpha_s) > 0.02 + 5 * sigma_s / math.sqrt(n):
        return f": from a single point at 2 a step to s has mean {mean:.3g}, where 2 alpha_s is {2 * alpha_s:.3g}"
    if abs(std / sigma_s - 1) > 0.03:
        return f": after a step to s the noise's deviation is {std:.3g}, where sigma_s is {sigma_s:.3g}"
    return ": one step is right for a single point, so look at what a step does with the guess in between"


class _Known(nn.Module):
    """A network that knows the noise, as all data are one point; and one that knows nothing."""

    def __init__(self, point: Tensor | None):
        super().__init__()
        self.point = point

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        if self.point is None:
            return torch.zeros_like(x)
        turn = (level * math.pi / 2).reshape(-1, *[1] * (x.dim() - 1))
        return (x - turn.cos() * self.point) / turn.sin()


def _loss(loss: Callable, path: Schedule, points: Tensor, generator: torch.Generator) -> str:
    x0 = points[:1].expand(200, *points.shape[1:])
    t = torch.tensor([time_at(path, 0.1 + 0.004 * k) for k in range(200)], dtype=torch.float64)
    eps = torch.randn(x0.shape, generator=generator, dtype=torch.float64)
    perfect, empty = (
        torch.as_tensor(loss(LearnedDenoiser(_Known(point), path, "eps"), x0, t, eps)).double().mean().item()
        for point in (points[:1], None)
    )
    if not perfect < 1e-6:
        made = "are x_t and the target made of the same alpha, sigma and eps?"
        return f"a perfect network has a loss of {perfect:.3g} and not 0: {made}"
    wanted = eps.square().mean().item()
    if abs(empty / wanted - points[0].numel()) < 0.05 * points[0].numel() > 0.05:
        return "it adds up over the coordinates: take their mean, or the learning rate has to know how many there are."
    if abs(empty / wanted - 1) > 0.05:
        return f"a network that answers 0 has a loss of {empty:.3g}, where the mean square of eps is {wanted:.3g}."
    return ""


def _denoiser(denoiser: Any, path: Schedule, points: Tensor, generator: torch.Generator) -> str:
    exact, worst = of_points(points, path), (0.0, "")
    rows = torch.randint(len(points), (400,), generator=generator)
    x0, size = points[rows], points.var(0).mean().item()
    blind = isinstance(denoiser, LearnedDenoiser)
    for level in LEVELS:
        t = time_at(path, level)
        alpha, sigma = evaluate(path, t)
        x_t = alpha * x0 + sigma * torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
        with torch.no_grad():
            guess, best = denoiser(x_t.float(), t).x0.double(), exact(x_t, t).x0
        if not guess.isfinite().all():
            return f"its guess is not finite at t = {t:.3g}, where alpha = {alpha:.2g} and sigma = {sigma:.2g}."
        error, least = (guess - x0).square().mean().item(), (best - x0).square().mean().item()
        naive = min(size, (sigma / max(alpha, 1e-6)) ** 2)
        if error > 1.2 * least + 0.05 * naive and error / (least + 0.02 * naive) > worst[0]:
            times = error / max(least, 1e-12)
            beside = f"{times:.2g} times the floor" if times < 100 else f"{error / naive:.2g} of doing nothing"
            where = "low" if level < 0.33 else "high" if level > 0.67 else "middle"
            worst = error / (least + 0.02 * naive), f"at {where} noise (t = {t:.2g}) its squared error is {beside}"
    if not worst[1]:
        return ""
    if blind and _same(denoiser, points):
        return f"{worst[1]}, and its output does not depend on the time: is the embedding used?"
    return f"{worst[1]}: train longer, or look at the time embedding, the target and the scale of the data."


def _same(denoiser: LearnedDenoiser, points: Tensor) -> bool:
    x = points[:50].float()
    with torch.no_grad():
        outs = [denoiser.net(x, torch.full((len(x),), level)) for level in (0.2, 0.8)]
    return torch.allclose(*outs)


CHECKS: dict[str, Callable[..., str]] = {"schedule": _schedule, "step": _step, "loss": _loss, "denoiser": _denoiser}
