"""Inverse problems: samples of x given a measurement y = A x + noise, by a denoiser that was never told of A.

A measurement of samples (B, *) is an Operator: A, its adjoint and one linear solve; the operators themselves (masks,
averages, blurs, mixtures of colours, projections) stand in engine/measurements.py. Each method is a plug: a Denoiser
made of a Denoiser, or a Step made of a Step, so that samplers, guidance and labels go with all of them. With r the
residual y - A x0 of the predicted x0:

    ddnm          x0 + A^+ r                                        in place of x0
    pigdm         -grad <(r_t^2 A A^T + noise^2 I)^-1 r, r>         on top of the score, the first r held still
    dps           -scale * grad |r|                                 after the step
    replacement   x_s + A^+ (alpha_s y + sigma_s A z - A x_s)       after the step, z fresh noise
    repaint       step down, back up with fresh noise, and down again

None of them is exact for every density. Notebook 15 measures by how much each is wrong.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .guidance import change_x0, steer
from .predictions import AnyDenoiser, Denoiser, path_of
from .refusals import broadcast, instance, number, samples, whole
from .samplers import Step, forward_std, noise_like, refuse_no_step
from .schedules import Random, Time, evaluate


class Operator(NamedTuple):
    """A linear measurement A of samples, (B, *) -> y, (B, *), and what the methods ask of it.

    forward: x -> A x.
    adjoint: y -> A^T y.
    solve: (v, ridge) -> (A A^T + ridge I)^-1 v for v in the range of A; with ridge 0 its pseudo-inverse.
    """

    forward: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]
    solve: Callable[[Tensor, float], Tensor]

    def pinv(self, y: Tensor) -> Tensor:
        """A^+ y = A^T (A A^T)^+ y: of all x whose measurement is y, the shortest."""
        return self.adjoint(self.solve(y, 0.0))


def residual(operator: Operator, x: Tensor, y: Tensor) -> Tensor:
    """y - A x, like A x. Raises TypeError for what is no operator or no tensor, ValueError for a y of another shape."""
    instance("operator", operator, Operator, "an Operator, such as masking(mask)")
    seen = operator.forward(x)
    broadcast("y", seen.shape, samples("y", y).shape)
    return y - seen


def replacement(step: Step, operator: Operator, y: Tensor) -> Step:
    """After each step put in what is known, as noisy as the rest (Song et al. 2021, Appendix I; y without noise).

    The known part of x_s becomes that of alpha_s y + sigma_s noise, by A^+: for a mask, the pixels that are seen. The
    unknown part is never told of them but through the denoiser.
    """
    refuse_no_step(step)

    def replaced(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
        x_s, (alpha_s, sigma_s) = step(denoiser, x_t, t, s, generator=generator), evaluate(path_of(denoiser), s)
        clean = x_s - sigma_s * noise_like(x_s, generator)
        return x_s + Operator.pinv(operator, residual(operator, clean, alpha_s * samples("y", y)))

    return replaced


def repaint(step: Step, times: int = 10) -> Step:
    """RePaint (Lugmayr et al. 2022, Algorithm 1, at jump length 1): each step `times` times, going back in between.

    repaint(replacement(ddpm_step, operator, y)) lets the unknown part see the known one again and again. The way back
    from s to t is the forward process: x_t = (alpha_t / alpha_s) x_s + fresh noise.
    """
    refuse_no_step(step)

    def repeated(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
        (alpha_t, _), (alpha_s, _) = evaluate(path_of(denoiser), t), evaluate(path_of(denoiser), s)
        for _ in range(whole("times", times) - 1):
            x_s = step(denoiser, x_t, t, s, generator=generator)
            x_t = alpha_t / alpha_s * x_s + forward_std(path_of(denoiser), t, s) * noise_like(x_s, generator)
        return step(denoiser, x_t, t, s, generator=generator)

    return repeated


def ddnm(denoiser: AnyDenoiser, operator: Operator, y: Tensor) -> Denoiser:
    """DDNM (Wang et al. 2023): x0 + A^+ (y - A x0), so that only the null space of A is left to the denoiser.

    Every x0 then has the measurement y exactly: right for a y without noise.
    """
    return change_x0(denoiser, lambda x0: x0 + Operator.pinv(operator, residual(operator, x0, y)))


def dps(step: Step, operator: Operator, y: Tensor, scale: float = 1.0) -> Step:
    """Diffusion posterior sampling (Chung et al. 2023, Algorithm 1): after the step, down the gradient of |y - A x0|.

    step: such as ddpm_step. Its evaluation at t is the one that the gradient passes through.
    operator, y: the measurement, with or without noise.
    scale: the length of the move, in x_t's units for a unit slope of |y - A x0(x_t)|.

    There is one norm a sample. The authors' code takes one over the batch: then a sample's step falls as
    1 / sqrt(batch).
    """
    refuse_no_step(step)

    def guided(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator: Random = None) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            x = x_t.clone().detach().requires_grad_()
            prediction = denoiser(x, t)
            length = residual(operator, prediction.x0, y).flatten(1).norm(dim=1)
            (gradient,) = torch.autograd.grad(length.sum(), x)
        known = Denoiser(path_of(denoiser), lambda x, u: prediction if u == t else denoiser(x, u))
        with torch.no_grad():
            return step(known, x_t, t, s, generator=generator) - number("scale", scale) * gradient

    return guided


def pigdm(denoiser: AnyDenoiser, operator: Operator, y: Tensor, noise: float = 0.0, std: float = 1.0) -> Denoiser:
    """Pseudo-inverse guidance (Song et al. 2023): x0 given x_t taken as N(predicted x0, r_t^2 I), so y is Gaussian too.

    denoiser: of the data.
    operator, y: the measurement.
    noise: >= 0, the standard deviation of the noise in y.
    std: >= 0, of the data: r_t^2 = sigma^2 std^2 / (alpha^2 std^2 + sigma^2) is right for data N(0, std^2 I), on
        which the method is exact.

    Sampling times only; two evaluations of the network, and one gradient, at each.
    """

    def log_likelihood(x_t: Tensor, t: Time) -> Tensor:
        alpha, sigma = evaluate(path_of(denoiser), number("t", t))
        r2 = (sigma * number("std", std, 0)) ** 2 / max((alpha * std) ** 2 + sigma**2, 1e-24) + 1e-24
        gap = residual(operator, denoiser(x_t, t).x0, y)
        weighed = operator.solve(gap, number("noise", noise, 0) ** 2 / r2) / r2
        return -(weighed.detach() * gap).flatten(1).sum(1)

    return steer(denoiser, log_likelihood)
