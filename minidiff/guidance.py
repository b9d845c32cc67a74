"""Guidance turns one denoiser into another; every function here is  Denoiser -> Denoiser.

A guided denoiser plugs into any sampler, because samplers only ever call denoiser(x_t, t).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .predictions import AnyDenoiser, Denoiser, Prediction, path_of, solve, target_of
from .refusals import call, described, flag, instance, number, require
from .schedules import Time, at


def given(denoiser: AnyDenoiser, **cond) -> Denoiser:
    """Fix the condition: p(x0 | x_t, y) as a denoiser of x_t alone, as in given(denoiser, y=7)."""
    return Denoiser(path_of(denoiser), lambda x_t, t: denoiser(x_t, t, **cond))


def extrapolate(good: AnyDenoiser, bad: AnyDenoiser, scale: float, rescale: float = 0.0, output: str = "v") -> Denoiser:
    """bad + scale * (good - bad), so that scale = 1 is just good and scale = 0 just bad.

    Classifier-free guidance (CFG) where bad ignores the label (Ho & Salimans 2022, Eq. 6, whose w is scale - 1);
    autoguidance where bad is a weaker model (Karras et al. 2024). A learned variance is good's own.

    good, bad: denoisers of one schedule.
    scale: any number.
    rescale: in [0, 1], how far the output, which guidance makes larger, is given back the standard deviation that
        good's has, sample by sample (Lin et al. 2024, Section 3.4: 0.7).
    output: whose standard deviation that is, a name in TARGETS: what the network predicts.

    Raises ValueError for two different schedules and for other numbers and names.
    """
    _same_path(good, bad)
    number("scale", scale)
    rescale, target = number("rescale", rescale, 0, 1), target_of(output)

    def predict(x_t: Tensor, t: Time) -> Prediction:
        first, second = good(x_t, t), bad(x_t, t)
        x0, eps = (b + scale * (g - b) for g, b in zip(first, second, strict=True))
        if rescale:
            a, b = at(path_of(good), t, x_t, target)
            out, std = a * x0 + b * eps, lambda z: z.flatten(1).std(1, correction=0).reshape(-1, *[1] * (x_t.ndim - 1))
            ratio = (std(a * first.x0 + b * first.eps) / std(out)).nan_to_num(1.0, 1.0)
            x0, eps = solve(x_t, out * (1 + rescale * (ratio - 1)), output, path_of(good), t)
        return Prediction(x0, eps, first.fraction)

    return Denoiser(good.schedule, predict)


def between(low: float, high: float, inside: AnyDenoiser, outside: AnyDenoiser) -> Denoiser:
    """Guide only in the middle: inside for low < t <= high, outside elsewhere (Kynkäänniemi et al. 2024, Eq. 5).

    low, high: float times, low <= high. Sampling times only.
    inside, outside: two denoisers of one schedule.
    """
    _same_path(inside, outside)
    rise = number("low", low) <= number("high", high)
    require(rise, f"guidance between low and high needs low <= high; got {low} and {high}")
    return Denoiser(inside.schedule, lambda x_t, t: (inside if low < number("t", t) <= high else outside)(x_t, t))


def steer(denoiser: AnyDenoiser, log_likelihood: Callable[[Tensor, Time], Tensor], scale: float = 1.0) -> Denoiser:
    """Add scale * grad log p(y | x_t) to the score: classifier guidance (Dhariwal & Nichol 2021, Algorithm 2).

    log_likelihood: (x_t, t) -> (B,), differentiable in x_t. Bayes' rule on scores makes the conditional denoiser of the
    plain one, exactly, if the classifier was made for noisy x_t. A classifier of the prediction denoiser(x_t, t).x0
    gives diffusion posterior sampling (Chung et al. 2023). The score is -eps / sigma. Where next to no signal is left
    (alpha < 0.001 sigma), the gradient of a classifier made for noisy x_t is of the order of alpha; a sample with a
    larger one keeps the plain prediction there, since x_t says nothing about y.
    """
    number("scale", scale)
    instance("log_likelihood", log_likelihood, Callable, "a function (x_t, t) -> (B,)")

    def predict(x_t: Tensor, t: Time) -> Prediction:
        with torch.inference_mode(False), torch.enable_grad():
            x = x_t.clone().detach().requires_grad_()
            value = call("log_likelihood", log_likelihood, x, t)
            fit = isinstance(value, Tensor) and value.shape == x.shape[:1] and value.requires_grad
            require(fit, f"log_likelihood must return one number a sample, ({len(x)},), differentiable in x_t")
            (gradient,) = torch.autograd.grad(value.sum(), x)
        numbers = at(path_of(denoiser), t, x_t)
        alpha, sigma = (c if isinstance(c, Tensor) else torch.tensor(c, dtype=torch.float64) for c in numbers)
        small = (gradient.abs() <= 100 * alpha).flatten(1).all(1).reshape(-1, *[1] * (x.ndim - 1))
        told, plain = (alpha > 0) & (small | (alpha >= 1e-3 * sigma)), denoiser(x_t, t)
        push = torch.where(told, scale * sigma * gradient, 0.0)
        return Prediction(plain.x0 + sigma / alpha.clamp(min=1e-30) * push, plain.eps - push, plain.fraction)

    return Denoiser(path_of(denoiser), predict)


def clip(denoiser: AnyDenoiser, low: float = -1.0, high: float = 1.0, keep_eps: bool = False) -> Denoiser:
    """Hold the predicted x0 within the range of the data, as DDPM's code does.

    denoiser: whose x0 is clipped.
    low, high: the range, low < high.
    keep_eps: False makes eps what explains x_t beside the clipped x0 (diffusers' DDPM; its DDIM with
        `use_clipped_model_output=True`), True leaves it as it was predicted (diffusers' DDIM without).
    """
    rise = number("low", low, -math.inf, math.inf) < number("high", high, -math.inf, math.inf)
    require(rise, f"clipping needs a range low < high; got low={low}, high={high}")
    return change_x0(denoiser, lambda x0: x0.clamp(low, high), keep_eps)


def threshold(denoiser: AnyDenoiser, quantile: float = 0.995, limit: float = 1.0, keep_eps: bool = False) -> Denoiser:
    """Dynamic thresholding (Saharia et al. 2022, Section 2.3): clip each x0 at a quantile of its |x0|, then shrink it.

    denoiser: whose x0 is clipped.
    quantile: in [0, 1].
    limit: > 0; an x0 whose quantile lies within [-limit, limit] is left alone.
    keep_eps: as in `clip`.
    """
    number("quantile", quantile, 0, 1)
    require(number("limit", limit, 0, math.inf) > 0, f"the limit of thresholding must be above 0; got {limit}")

    def limited(x0: Tensor) -> Tensor:
        reach = torch.quantile(x0.abs().flatten(1), quantile, dim=1).clamp(min=limit)
        reach = reach.reshape(-1, *[1] * (x0.ndim - 1))
        return x0.clamp(-reach, reach) * (limit / reach).nan_to_num(1.0)

    return change_x0(denoiser, limited, keep_eps)


def change_x0(denoiser: AnyDenoiser, change: Callable[[Tensor], Tensor], keep_eps: bool = False) -> Denoiser:
    """Put another x0 in place of the predicted one: change(x0), both (B, *), such as one with its known pixels put in.

    `clip` and `threshold` are such changes. keep_eps: as in `clip`. Raises ValueError where it gives another shape.
    """
    flag("keep_eps, whether eps stays,", keep_eps)
    instance("change", change, Callable, "a function of x0, (B, *), that returns its like")

    def predict(x_t: Tensor, t: Time, **cond) -> Prediction:
        plain = denoiser(x_t, t, **cond)
        x0 = call("change", change, plain.x0)
        fit = isinstance(x0, Tensor) and x0.shape == x_t.shape
        require(fit, f"change must return another x0, {tuple(x_t.shape)}; it returned {described(x0)}")
        eps = plain.eps if keep_eps else solve(x_t, x0, "x0", path_of(denoiser), t).eps
        return Prediction(x0, eps, plain.fraction)

    return Denoiser(path_of(denoiser), predict)


def _same_path(good: AnyDenoiser, bad: AnyDenoiser) -> None:
    same = path_of(good) is path_of(bad)
    require(same, "both denoisers must live on the same schedule: elsewhere t is another noise level")
