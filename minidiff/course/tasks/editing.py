"""Notebook 15, editing: checks of the reader's lines, and right ones to go on with."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ...engine.measurements import averaging, masking, projecting
from ...exact import of_mixture
from ...inverse import Operator
from ...predictions import AnyDenoiser, Denoiser, Prediction, solve
from ...schedules import cosine, evaluate
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers, float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def given_y(mine) -> None:
    """write log_fit, the log density of y under each Gaussian, and where, the mean of x_1 once y is seen."""
    means, stds, shares = normal(4, 2, seed=0), normal(4, seed=1).exp(), normal(4, seed=2).softmax(0)
    for y, spread in ((0.4, 0.3), (normal(5, 1, seed=3), 1.3)):
        answer = mine(y, spread, means, stds, shares)
        assert isinstance(answer, tuple) and len(answer) == 2, "it should return two things, weights and where."
        _refuse_wrong_weights(answer[0], y, spread, (means, stds, shares))
        gain, gap = stds**2 / (stds**2 + spread**2), y - means[:, 0]
        refuse_slips(answer[1], means[:, 0] + gain * gap, {
            "the gain has its parts exchanged: a noisy y should move x_1 little.": means[:, 0] + (1 - gain) * gap,
            "the gain adds variances: stds^2 / (stds^2 + spread^2).": means[:, 0] + stds / (stds + spread) * gap,
        }, "where should be mean + stds^2 / variance * (y - mean), one number a Gaussian.")  # fmt: skip


def _refuse_wrong_weights(got, y, spread: float, mixture: tuple[Tensor, Tensor, Tensor]) -> None:
    means, stds, shares = mixture
    variance, square = stds**2 + spread**2, (y - means[:, 0]) ** 2
    logits = shares.log() - square / (2 * variance)
    refuse_slips(got, (logits - variance.log() / 2).softmax(-1), {
        "the normalising constant differs from Gaussian to Gaussian: subtract log(variance) / 2.": logits.softmax(-1),
        "log(variance) counts half: the density is divided by the root of the variance.":
            (logits - variance.log()).softmax(-1),
        "Normal takes a standard deviation: give it variance.sqrt().":
            (shares.log() - square / (2 * variance**2) - variance.log()).softmax(-1),
        "a half is missing: the exponent is the square over 2 variance.":
            (shares.log() - square / variance - variance.log() / 2).softmax(-1),
        "y has the noise of the sensor too: its variance is stds^2 + spread^2.":
            (shares.log() - square / (2 * stds**2) - stds.log()).softmax(-1),
        "log_fit is a logarithm, and that is the density itself.":
            (shares.log() + (-square / (2 * variance)).exp() / variance.sqrt()).softmax(-1),
    }, "weights should be in proportion to shares * N(y; mean of x_1, variance).")  # fmt: skip


def our_given_y(y: Tensor | float, spread: float, means: Tensor, stds: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Shares and means of x_1 of the Gaussians once y = x_1 + spread * n is seen, (K,) or (B, K).

    y: a number, or (B, 1).
    spread: the standard deviation of the sensor's noise.
    means, stds, shares: of the mixture, (K, 2), (K,) and (K,).
    """
    variance = stds**2 + spread**2
    log_fit = -((y - means[:, 0]) ** 2) / (2 * variance) - variance.log() / 2
    return (shares.log() + log_fit).softmax(-1), means[:, 0] + stds**2 / variance * (y - means[:, 0])


def consistent(mine) -> None:
    """return the sample nearest to x0 whose measurement is y, by operator.forward and operator.pinv."""
    cases = (
        (projecting(normal(2, 3, seed=4)), (3,)),
        (averaging(2), (1, 4, 4)),
        (masking(torch.tensor([[1, 0, 1]])), (1, 3)),
    )
    for operator, shape in cases:
        x0, y = normal(5, *shape, seed=5), operator.forward(normal(5, *shape, seed=6))
        back, seen = operator.pinv(y), operator.pinv(operator.forward(x0))
        refuse_slips(mine(x0, y, operator), x0 + back - seen, {
            "that is A^+ y alone: nothing of x0 is left where A does not see.": back,
            "A^+ y is put on top of what x0 has there already: subtract A x0 from y first.": x0 + back,
            "the sign is turned: y - A x0 is what x0 lacks.": x0 - back + seen,
            "the adjoint takes the place of the pseudo-inverse: use operator.pinv.":
                x0 + operator.adjoint(y - operator.forward(x0)),
            "that is what x0 lacks: add it to x0.": back - seen,
        }, "its measurement should be y, and it should differ from x0 by A^+ of something.")  # fmt: skip


def our_consistent(x0: Tensor, y: Tensor, operator: Operator) -> Tensor:
    """x0 + A^+ (y - A x0), like x0."""
    return x0 + operator.pinv(y - operator.forward(x0))


def shrinkage(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(8.0), {
        "that would be a sum of norms: one norm of 64 residuals is the root of a sum of squares.": 64,
        "that is what the step becomes: by what number is it divided?": 1 / 8,
        "half of 64 has no part in it: add up 64 equal squares and take the root.": 32,
    }, "the gradient of a root is the gradient of what is under it, over twice the root.")  # fmt: skip


def our_shrinkage() -> float:
    """|r| of 64 equal residuals is sqrt(64) times one of them, and it divides the gradient."""
    return math.sqrt(64)


def two_views(mine) -> None:
    """predict x_t as it is and turned round, turn the second prediction back, and average."""
    x_t, t = normal(3, 1, 4, 4, seed=7), 0.6
    means = normal(6, 1, 4, 4, seed=8)
    first, second = (
        of_mixture(means[part], torch.full((3,), 0.4), torch.ones(3), cosine) for part in (slice(3), slice(3, 6))
    )
    turn = lambda x: x.flip(2, 3)
    a, b, back = first(x_t, t), second(turn(x_t), t), turn(second(turn(x_t), t).x0)
    (alpha, sigma), b_up = evaluate(cosine, t), second(x_t, t).x0
    denoiser = mine(first, second, turn)
    assert isinstance(denoiser, Denoiser), "it should return a Denoiser: leave the last line as it is."
    refuse_slips(denoiser(x_t, t).x0, (a.x0 + back) / 2, {
        "the second prediction is of a turned picture: turn it back before you average.": (a.x0 + b.x0) / 2,
        "the second denoiser should be shown x_t turned round.": (a.x0 + turn(b_up)) / 2,
        "the second denoiser is shown x_t as it is, and not turned back either.": (a.x0 + b_up) / 2,
        "that is the sum: the average of two is half of it.": a.x0 + back,
        "the second view has a denoiser of its own: ask second about it.": (a.x0 + turn(first(turn(x_t), t).x0)) / 2,
        "average the predictions of x0: these are of the noise.": (a.eps + turn(b.eps)) / 2,
    }, "it should be the mean of both predicted x0, each as the upright picture has it.")  # fmt: skip
    refuse_slips(alpha * denoiser(x_t, t).x0 + sigma * denoiser(x_t, t).eps, x_t, {}, "eps no longer explains x_t.")


def our_two_views(first: AnyDenoiser, second: AnyDenoiser, turn) -> Denoiser:
    """The mean of two views of one picture: first upright, second turned, by a turn that undoes itself."""

    def predict(x_t: Tensor, t: float) -> Prediction:
        x0 = (first(x_t, t).x0 + turn(second(turn(x_t), t).x0)) / 2
        return solve(x_t, x0, "x0", first.schedule, t)

    return Denoiser(first.schedule, predict)


def resampled(x: Tensor, y: Tensor, operator: Operator, before: float, rho: float, groups: int, generator) -> Tensor:
    """Particles drawn again by the ratio of their likelihoods at two levels, evenly spaced within each group, like x.

    x: the particles, (B, *), one group after another.
    y: their measurements.
    operator: A; the noise in y is taken for A's view of N(0, rho^2 I).
    before, rho: the level that they come from, math.inf at first, and the smaller one that they go to.
    groups: how many crowds, each of which is weighed by itself.
    generator: of one number a group, where its comb begins (systematic resampling).
    """
    r = y - operator.forward(x)
    misfit = (r * operator.solve(r, 0.0)).flatten(1).sum(1).reshape(groups, -1)
    odds, n = (misfit / 2 * (before**-2 - rho**-2)).softmax(1), misfit.shape[1]
    dart = torch.rand(groups, 1, generator=generator, dtype=odds.dtype)
    kept = torch.searchsorted(odds.cumsum(1), (torch.arange(n) + dart) / n)
    return x[(kept.clamp(max=n - 1) + n * torch.arange(groups)[:, None]).flatten()]


class SmoothPixels(NamedTuple):
    """A smooth Gaussian over 8 x 8 pixels whose upper half, in noise, was seen; float64, 64 numbers a picture.

    denoiser: the exact one.
    operator, y: the mask of the upper half, and what it showed, (1, 64).
    prior, exact: (n, seed) -> samples of the pictures, and of those that show y, (n, 64).
    mean, std: of the latter, (1, 64) and (64,).
    """

    denoiser: Denoiser
    operator: Operator
    y: Tensor
    prior: Callable[[int, int], Tensor]
    exact: Callable[[int, int], Tensor]
    mean: Tensor
    std: Tensor


def smooth_pixels(noise: float) -> SmoothPixels:
    """Correlation exp(-d/3) at a distance of d pixels; the upper half is seen with so much noise."""
    place = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0)).double()
    cov, unit = torch.exp(-torch.cdist(place, place) / 3), torch.eye(64, dtype=torch.float64)

    def predict(x_t: Tensor, t: float) -> Prediction:
        alpha, sigma = evaluate(cosine, t)
        gain = alpha * cov @ torch.linalg.inv(alpha**2 * cov + sigma**2 * unit)
        return solve(x_t, x_t @ gain, "x0", cosine, t)

    root, top = torch.linalg.cholesky(cov), masking(torch.arange(64) < 32)
    y = top.forward(normal(1, 64, seed=13) @ root.T + noise * normal(1, 64, seed=14))
    gain = cov[:, :32] @ torch.linalg.inv(cov[:32, :32] + noise**2 * unit[:32, :32])
    mean, left = y[:, :32] @ gain.T, cov - gain @ cov[:32]
    prior = lambda n, seed: normal(n, 64, seed=seed) @ root.T
    exact = lambda n, seed: mean + normal(n, 64, seed=seed) @ torch.linalg.cholesky(left).T
    return SmoothPixels(Denoiser(cosine, predict), top, y, prior, exact, mean, left.diag().sqrt())
