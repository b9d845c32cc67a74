"""Denoisers in closed form: no network, no training, and an oracle for everything else.

All of them are Bayes' rule: weigh what the clean sample could have been by how well it explains x_t, and average.
They take a label too: y, an int or (B,) int64, keeps one component or one class; None, or the number of classes, keeps all.
"""

import torch
from torch import Tensor

from .predictions import Denoiser, Prediction, solve
from .schedules import Schedule, Time, at

CHUNK = 2**24  # distances held at a time: 64 MB in float32
DIRECT = "donot_use_mm_for_euclid_dist"  # torch.cdist's name for: subtract, square, add


def of_gaussian(mean: Tensor | float, std: Tensor | float, schedule: Schedule) -> Denoiser:
    """E[x0 | x_t] for data N(mean, std^2), each coordinate on its own: the product of two Gaussians.

    mean, std: numbers, or tensors that broadcast against one sample. Raises ValueError for a negative std.
    """
    mean, std = (c if isinstance(c, Tensor) else torch.tensor(c, dtype=torch.float64) for c in (mean, std))
    if not (std >= 0).all():
        raise ValueError(f"a standard deviation cannot be negative; got {std}")

    def predict(x_t: Tensor, t: Time) -> Prediction:
        alpha, sigma = at(schedule, t, x_t)
        gain = alpha * std**2 / (alpha**2 * std**2 + sigma**2)
        return solve(x_t, mean + gain * (x_t - alpha * mean), "x0", schedule, t)

    return Denoiser(schedule, predict)


def of_mixture(means: Tensor, stds: Tensor, weights: Tensor, schedule: Schedule) -> Denoiser:
    """E[x0 | x_t] for a mixture of round Gaussians: each component's answer, weighed by its posterior probability.

    means: (K, *), stds: (K,) >= 0, weights: (K,) > 0 (normalised here); the label y is a component.
    """
    if not (stds.shape == weights.shape == means.shape[:1] and (stds >= 0).all() and (weights > 0).all()):
        raise ValueError(
            f"a mixture of K Gaussians takes means (K, *), stds (K,) >= 0 and weights (K,) > 0; got shapes "
            f"{tuple(means.shape)}, {tuple(stds.shape)}, {tuple(weights.shape)}"
        )
    centres, components = means.flatten(1), torch.arange(len(means), device=means.device)

    def predict(x_t: Tensor, t: Time, y: Tensor | int | None = None) -> Prediction:
        alpha, sigma = (_column(c) for c in at(schedule, t, x_t))
        x = x_t.flatten(1)
        variance = alpha**2 * stds**2 + sigma**2  # (K,) or (B, K)
        logits = weights.log() - 0.5 * (_distances(x, centres, alpha) / variance + x.shape[1] * variance.log())
        posterior = _keep(logits, components, y).softmax(-1)  # (B, K)
        gain = posterior * alpha * stds**2 / variance
        x0 = (posterior - alpha * gain) @ centres + gain.sum(-1, keepdim=True) * x
        return solve(x_t, x0.reshape(x_t.shape), "x0", schedule, t)

    return Denoiser(schedule, predict)


def of_points(points: Tensor, schedule: Schedule, labels: Tensor | None = None) -> Denoiser:
    """E[x0 | x_t] when the data is exactly these points (N, *): a softmax over them (Karras et al. 2022, Eq. 57).

    labels: (N,) int64 lets y choose among classes. Raises ValueError for an empty set or labels of another length.
    """
    if len(points) == 0 or (labels is not None and labels.shape != points.shape[:1]):
        raise ValueError(f"of_points needs points (N, *), N >= 1, and labels (N,) or None; got {tuple(points.shape)}")
    flat, rows = points.flatten(1), max(1, CHUNK // len(points))

    def average(x: Tensor, alpha: Time, sigma: Time, y: Tensor | int | None) -> Tensor:
        logits = _distances(x, flat, alpha) / (-2 * sigma**2)
        return _keep(logits, labels, y).softmax(-1) @ flat

    def predict(x_t: Tensor, t: Time, y: Tensor | int | None = None) -> Prediction:
        alpha, sigma = (_column(c) for c in at(schedule, t, x_t))
        x0 = torch.empty_like(x_t.flatten(1))
        for first in range(0, len(x_t), rows):
            part = slice(first, first + rows)
            x0[part] = average(x_t.flatten(1)[part], *(_rows(c, part, len(x_t)) for c in (alpha, sigma, y)))
        return solve(x_t, x0.reshape(x_t.shape), "x0", schedule, t)

    return Denoiser(schedule, predict)


def _column(c: Time) -> Time:
    """Levels shaped for images, (B, 1, ..., 1), as a column (B, 1); a number stays a number."""
    return c.reshape(-1, 1) if isinstance(c, Tensor) and c.ndim else c


def _rows(c: Tensor | float | None, part: slice, batch: int) -> Tensor | float | None:
    """What belongs to some rows of the batch; what all rows share stays as it is."""
    return c[part] if isinstance(c, Tensor) and c.ndim and len(c) == batch else c


def _distances(x: Tensor, points: Tensor, alpha: Time) -> Tensor:
    """|x - alpha * point|^2, (B, N): by differences, since |x|^2 - 2 x.p + |p|^2 cancels where it matters most."""
    if isinstance(alpha, Tensor) and alpha.ndim:  # an alpha for each row
        return torch.stack([torch.cdist(r[None], a * points, compute_mode=DIRECT)[0] for r, a in zip(x, alpha)]) ** 2
    return torch.cdist(x, alpha * points, compute_mode=DIRECT) ** 2


def _keep(logits: Tensor, labels: Tensor | None, y: Tensor | int | None) -> Tensor:
    """Rule out, (B, N), what does not carry the wanted label; None and the null label rule out nothing."""
    if y is None:
        return logits
    if labels is None:
        raise ValueError("this exact denoiser was made without labels: give labels=..., or leave y out")
    null = int(labels.max()) + 1
    y = torch.as_tensor(y, device=labels.device).reshape(-1, 1)
    if (y < 0).any() or (y > null).any():
        raise ValueError(f"y must be a label from 0 to {null} ({null} means any); got {y.flatten().tolist()[:8]}")
    return logits.masked_fill((labels != y) & (y != null), -torch.inf)
