"""Denoisers in closed form: no network, no training, and an oracle for everything else.

All of them are Bayes' rule: weigh what the clean sample could have been by how well it explains x_t, and average.
They take a label too: y, an int or (B,) int64, keeps one component or one class; None, or the null label, which is the
number of components or classes, keeps all. Data may be tensors, NumPy arrays or lists; answers have x_t's dtype.
"""

from typing import Any

import torch
from torch import Tensor

from .predictions import Denoiser, Prediction, solve
from .refusals import broadcast, data, require, tensor, whole
from .schedules import Schedule, Time, at

CHUNK = 2**24  # distances held at a time: 64 MB in float32
BY_DIFFERENCES = "donot_use_mm_for_euclid_dist"  # torch.cdist's name for: subtract, square, add
TINY = 1e-24  # a variance that is not 0, so that at sigma = 0 nothing is divided by 0


def of_gaussian(mean: Tensor | float, std: Tensor | float, schedule: Schedule) -> Denoiser:
    """E[x0 | x_t] for data N(mean, std^2), each coordinate on its own: the product of two Gaussians.

    mean, std: numbers, or tensors that broadcast against one sample. Raises ValueError where they are not finite or
    std is negative.
    """
    mean, std = data("mean", mean), data("std", std)
    require((std >= 0).all(), f"a standard deviation cannot be negative; got {std}")

    def predict(x_t: Tensor, t: Time) -> Prediction:
        x = _wide(x_t)
        alpha, sigma = at(schedule, t, x)
        broadcast("mean and std", x.shape, mean.shape, std.shape)
        gain = alpha * std**2 / (alpha**2 * std**2 + sigma**2).clamp(min=TINY)
        x0 = mean + gain * (x - alpha * mean)
        return solve(x_t, x0.to(x_t), "x0", schedule, t)

    return Denoiser(schedule, predict)


def of_mixture(means: Tensor, stds: Tensor, weights: Tensor, schedule: Schedule) -> Denoiser:
    """E[x0 | x_t] for a mixture of round Gaussians: each component's answer, weighed by its posterior probability.

    means: (K, *), one of each component, which the label y names.
    stds: (K,) >= 0, the standard deviation of every coordinate.
    weights: (K,) > 0, normalised here.
    schedule: the path x_t lies on.

    Raises ValueError for other shapes and numbers.
    """
    means, stds, weights = data("means", means, 2), data("stds", stds), data("weights", weights)
    shapes = f"{tuple(means.shape)}, {tuple(stds.shape)}, {tuple(weights.shape)}"
    fit = stds.shape == weights.shape == means.shape[:1] and (stds >= 0).all() and (weights > 0).all()
    require(fit, f"a mixture of K Gaussians takes means (K, *), stds (K,) >= 0, weights (K,) > 0; got {shapes}")
    components = torch.arange(len(means), device=means.device)

    def predict(x_t: Tensor, t: Time, y: Tensor | int | None = None) -> Prediction:
        alpha, sigma = (_column(c) for c in at(schedule, t, _wide(x_t)))
        x = _wide(x_t).flatten(1)
        centres, spread, prior = (c.to(x) for c in (means.flatten(1), stds, weights))
        variance = (alpha**2 * spread**2 + sigma**2).clamp(min=TINY)  # (K,) or (B, K)
        logits = prior.log() - 0.5 * (_distances(x, centres, alpha) / variance + x.shape[1] * variance.log())
        posterior = mask_other_labels(logits, components, len(components), y).softmax(-1)  # (B, K)
        gain = posterior * alpha * spread**2 / variance
        x0 = (posterior - alpha * gain) @ centres + gain.sum(-1, keepdim=True) * x
        return solve(x_t, x0.reshape(x_t.shape).to(x_t), "x0", schedule, t)

    return Denoiser(schedule, predict)


def of_points(points: Tensor, schedule: Schedule, labels: Tensor | None = None, classes: int | None = None) -> Denoiser:
    """E[x0 | x_t] when the data is exactly these points: a softmax over them (Karras et al. 2022, Eq. 57).

    points: (N, *), N >= 1.
    schedule: the path x_t lies on.
    labels: (N,) int64, to let y choose among classes.
    classes: the number of classes, which is the null label; by default the largest label + 1. Give it where the last
        class may be missing among the points.

    Raises ValueError for an empty set, numbers that are not finite and labels of another length.
    """
    points, labels = data("points", points, 2), None if labels is None else tensor("labels", labels)
    fit = labels is None or (labels.shape == points.shape[:1] and not labels.is_floating_point())
    require(fit, f"of_points needs points (N, *), N >= 1, and whole labels (N,) or None; got {tuple(points.shape)}")
    if labels is not None:
        classes = int(labels.max()) + 1 if classes is None else whole("classes", classes, int(labels.max()) + 1)
    flat, rows = points.flatten(1), max(1, CHUNK // len(points))

    def average(x: Tensor, alpha: Time, sigma: Any, y: Tensor | int | None) -> Tensor:
        variance = sigma.square().clamp(min=TINY) if isinstance(sigma, Tensor) else max(sigma**2, TINY)
        logits = _distances(x, flat.to(x), alpha) / (-2 * variance)
        return mask_other_labels(logits, labels, classes, y).softmax(-1) @ flat.to(x)

    def predict(x_t: Tensor, t: Time, y: Tensor | int | None = None) -> Prediction:
        alpha, sigma = (_column(c) for c in at(schedule, t, _wide(x_t)))
        x, parts = _wide(x_t).flatten(1), [slice(first, first + rows) for first in range(0, max(1, len(x_t)), rows)]
        x0 = torch.cat([average(x[part], *(_rows(c, part, len(x)) for c in (alpha, sigma, y))) for part in parts])
        return solve(x_t, x0.reshape(x_t.shape).to(x_t), "x0", schedule, t)

    return Denoiser(schedule, predict)


def _wide(x_t: Tensor) -> Tensor:
    """Samples in at least float32: squared distances overflow in half precision."""
    half = getattr(x_t, "dtype", None) in (torch.float16, torch.bfloat16)
    return x_t.float() if half else x_t


def _column(c: Any) -> Any:
    """Levels shaped for images, (B, 1, ..., 1), as a column (B, 1); a number stays a number."""
    return c.reshape(-1, 1) if isinstance(c, Tensor) and c.ndim else c


def _rows(c: Any, part: slice, batch: int) -> Any:
    """What belongs to some rows of the batch; what all rows share stays as it is."""
    return c[part] if isinstance(c, Tensor) and c.ndim and len(c) == batch else c


def _distances(x: Tensor, points: Tensor, alpha: Time) -> Tensor:
    """|x - alpha * point|^2, (B, N): by differences, since |x|^2 - 2 x.p + |p|^2 cancels where it matters most."""
    if isinstance(alpha, Tensor) and alpha.ndim:  # an alpha for each row
        rows = (torch.cdist(r[None], a * points, compute_mode=BY_DIFFERENCES)[0] for r, a in zip(x, alpha, strict=True))
        return torch.stack(list(rows)) ** 2
    return torch.cdist(x, alpha * points, compute_mode=BY_DIFFERENCES) ** 2


def mask_other_labels(logits: Tensor, labels: Tensor | None, null: int | None, y: Any) -> Tensor:
    """Set to -inf the logits of what has not the label y; y None or null masks nothing.

    logits: (B, N), one column for each of N points or components.
    labels: (N,) int64, or None where there are none.
    null: the number of classes, which means any label.
    y: None, an int, or (B,) whole numbers from 0 to null.
    """
    if y is None:
        return logits
    if labels is None or null is None:
        raise ValueError("this exact denoiser was made without labels: give labels=..., or leave y out")
    y = tensor("y", y).to(labels.device)
    whole, fits = not y.is_floating_point() and y.dtype != torch.bool, y.ndim <= 1 and y.numel() in (1, len(logits))
    known, given = whole and fits and ((y >= 0) & (y <= null)).all(), y.flatten().tolist()[:8]
    require(known, f"y must be a label from 0 to {null} ({null} means any), or one a sample; got {given}")
    y = y.reshape(-1, 1)
    there = (y == null) | torch.isin(y, labels)
    require(there.all(), f"no point carries the label {y[~there].flatten().tolist()[:8]}: ask for another class")
    return logits.masked_fill((labels != y) & (y != null), -torch.inf)
