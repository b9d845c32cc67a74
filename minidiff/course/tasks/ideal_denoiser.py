"""Notebook 03, the ideal denoiser: checks of the reader's lines, and right ones to go on with."""

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ...data import fashion_mnist
from ...exact import of_mixture, of_points
from ...predictions import AnyDenoiser, Denoiser, Prediction
from ...samplers import ddim_step, sample
from ...schedules import cosine, edm, evaluate
from ..exercises import refuse_slips


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def weights(mine) -> None:
    """write the exponent of the third row as fit, (B, N), and return its softmax over the points."""
    x_t, points, alpha, sigma = normal(5, 3, seed=0), normal(7, 3, seed=1), 0.8, 0.6
    squares = -(x_t[:, None] - alpha * points).square().sum(2)
    product, length = alpha * x_t @ points.T, points.square().sum(1) / 2
    fit = (product - alpha**2 * length) / sigma**2
    refuse_slips(mine(x_t, points, alpha, sigma), (squares / (2 * sigma**2)).softmax(1), {
        "each column sums to 1, and each row should: the softmax runs over the points, dim 1.": fit.softmax(0),
        "sigma stands where its square belongs: the exponent divides by the variance.": (sigma * fit).softmax(1),
        "alpha is missing: the noise lies around alpha * p_i.": ((product / alpha - length) / sigma**2).softmax(1),
        "the squared length of p_i is missing: without it a long point fits everything on its side.":
            (product / sigma**2).softmax(1),
        "the squared length of p_i comes with alpha squared: it is alpha * p_i that is squared.":
            ((product - alpha * length) / sigma**2).softmax(1),
        "a half is missing: the exponent is the square over 2 sigma^2.": (2 * fit).softmax(1),
        "beside the squared length a half is missing.": ((product - 2 * alpha**2 * length) / sigma**2).softmax(1),
        "that is the exponent itself: a softmax over the points makes it probabilities.": fit,
    }, "each row should sum to 1, its weights in proportion to exp(-|x_t - alpha p_i|^2 / (2 sigma^2)).")  # fmt: skip
    _fits_photographs(mine)


def _fits_photographs(mine) -> None:
    far = mine(*(normal(n, 784, seed=n, dtype=torch.float32) for n in (2, 3)), 1.0, 0.01)
    if not far.isfinite().all():
        raise AssertionError("at sigma = 0.01 it is not finite: exp overflows, and .softmax(1) does not.")
    with _Largest() as largest:
        mine(normal(5, 3, seed=0), normal(7, 3, seed=1), 0.8, 0.6)
    if largest.numbers >= 5 * 7 * 3:
        made = "a tensor of B x N x D numbers, too many for 60,000 images"
        raise AssertionError(f"it is right, but makes {made}: multiply the square out, as in the third row.")


class _Largest(TorchFunctionMode):
    """How many numbers the largest tensor holds that is made inside."""

    numbers = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.numbers = max(self.numbers, out.numel() if isinstance(out, Tensor) else 0)
        return out


def our_weights(x_t: Tensor, points: Tensor, alpha: float, sigma: float) -> Tensor:
    """How probable each point is once x_t is seen, (B, N).

    x_t: (B, D), what is seen.
    points: (N, D), what it can have been.
    alpha, sigma: of the path.
    """
    return ((alpha * x_t @ points.T - alpha**2 * points.square().sum(1) / 2) / sigma**2).softmax(1)


def draw(mine) -> None:
    """write the three lines in the loop: predict at t, look up alpha and sigma at s, remix."""
    x, x0, eps = (normal(3, 2, seed=seed) for seed in (4, 5, 6))
    times, asked = [1.0, 0.6, 0.3, 0.0], []

    def predict(x_t: Tensor, t: float) -> Prediction:
        asked.append((x_t, t))
        return Prediction(x0, eps)

    states, again = (mine(Denoiser(cosine, predict), x, times) for _ in range(2))
    (before, then), (alpha, sigma) = evaluate(cosine, 0.6), evaluate(cosine, 0.3)
    assert len(states) == 4, "not one state for each of the times: append one in every turn, and return all."
    assert [t for _, t in asked[:3]] == times[:3], "the denoiser is asked at the wrong time: x is still at t."
    same = torch.equal(torch.stack(list(states)), torch.stack(list(again)))
    assert same, "two runs from one noise differ: draw no new noise, mix in eps again."
    refuse_slips(states[2], alpha * x0 + sigma * eps, {
        "alpha and sigma are those of t, so no noise is lost: remix at s.": before * x0 + then * eps,
        "sigma squared stands where sigma belongs: eps is scaled by a standard deviation.": alpha * x0 + sigma**2 * eps,
        "the sign of the noise is turned: the path is alpha * x0 + sigma * eps.": alpha * x0 - sigma * eps,
        "alpha and sigma have changed places: alpha belongs to x0.": sigma * x0 + alpha * eps,
        "alpha is missing: the clean part is alpha * x0.": x0 + sigma * eps,
        "the noise is missing: a state at s still holds sigma * eps.": alpha * x0,
        "the state x is mixed in where eps belongs.": alpha * x0 + sigma * states[1],
    }, "a state at s should be alpha * x0 + sigma * eps, with alpha and sigma at s.")  # fmt: skip
    refuse_slips(states[3], x0, {}, "at the last time sigma is 0, so that state is x0 and holds no noise.")
    _goes_on_from_each_state(mine)


def _goes_on_from_each_state(mine) -> None:
    """On another path, for images, with a denoiser whose answers depend on what it is shown."""
    x, points = 80 * normal(3, 1, 2, 2, seed=7), of_points(normal(6, 1, 2, 2, seed=8), edm)
    times = torch.tensor([80.0, 5.0, 0.5, 0.0])
    wanted, given = torch.stack([x, *sample(ddim_step, points, x, times)]), mine(points, x, times.tolist())
    always_first = torch.stack([x, *(points(x, t).mix(1.0, s) for t, s in pairwise(times.tolist()))])
    refuse_slips(torch.stack(list(given)), wanted, {
        "the denoiser is asked about the first x every time: give the new state the name x.": always_first,
    }, "right on cosine only: evaluate denoiser.schedule at s.")  # fmt: skip


def our_draw(denoiser: AnyDenoiser, x: Tensor, times: list[float]) -> list[Tensor]:
    """All states (B, *), from x at the first of the times to the data at the last: predict, remix, repeat."""
    states = [x]
    for t, s in pairwise(times):
        states.append(denoiser(states[-1], t).mix(*evaluate(denoiser.schedule, s)))
    return states


def bent_coin(mine) -> None:
    """put your number in place of the dots."""
    coin, nothing = torch.tensor([[1.0], [-1.0]]), torch.zeros(1, 1)
    denoiser = of_mixture(coin, torch.zeros(2), torch.tensor([0.9, 0.1]), cosine)
    refuse_slips(mine(), denoiser(nothing, 0.5).x0.squeeze(), {
        "that is a fair coin's answer: both sides fit equally well, so what was known before decides.": 0.0,
        "that is the probability of +1: average +1 and -1, each with its own.": 0.9,
        "that names the likelier side, which is off by 2 in one case of ten: average.": 1.0,
        "the sign is turned: +1 is the likelier side.": -0.8,
        "almost: inside tanh stands half of log 9.": math.tanh(math.log(9)),
    }, "weigh +1 and -1 by their probabilities, and average.")  # fmt: skip


def our_bent_coin() -> float:
    """The prior mean: at x_t = 0 both sides fit equally well."""
    return 0.9 * 1 + 0.1 * -1


def copying_error(mine) -> None:
    """add the noise, take the posterior mean, and return the root mean square error a pixel."""
    for sigma, seed in ((0.7, 10), (3.0, 11)):
        _refuse_wrong_errors(mine, normal(6, 4, seed=seed), normal(9, 4, seed=20 + seed), sigma)
    seen, unseen = (fashion_mnist(split).x.flatten(1) for split in ("train", "test"))
    noise = normal(200, 784, seed=5, dtype=torch.float32)
    for n, wanted in ((60, 0.61), (600, 0.49), (6_000, 0.42), (60_000, 0.36)):
        found = float(mine(unseen[:200], seen[:n], 0.3, noise))
        assert abs(found - wanted) < 0.006, f"with {n} photographs the error is {found:.3f}, wanted {wanted}."


def _refuse_wrong_errors(mine, images: Tensor, points: Tensor, sigma: float) -> None:
    noise = normal(6, 4, seed=30)
    x_t, truth = images + sigma * noise, images

    def error(guess: Tensor, power: int = 2) -> Tensor:
        return (guess - truth).abs().pow(power).mean() ** (1 / power)

    def answer(x: Tensor, level: float) -> Tensor:
        return our_weights(x, points, 1.0, level) @ points

    best, nearest = of_points(points, edm)(x_t, sigma).x0, points[torch.cdist(x_t, points).argmin(1)]
    refuse_slips(mine(images, points, sigma, noise), error(best), {
        "no noise was added: the denoiser is shown images + sigma * noise.": error(answer(images, sigma)),
        "the noise comes at full strength: multiply it by sigma.": error(answer(images + noise, sigma)),
        "the weights are made for sigma = 1: hand them this sigma.": error(answer(x_t, 1.0)),
        "noise is multiplied by the root of sigma, which is the standard deviation already.":
            error(answer(images + sigma**0.5 * noise, sigma)),
        "posterior_mean is handed sigma squared: it squares sigma itself.": error(answer(x_t, sigma**2)),
        "that is the nearest to the clean image, which no denoiser sees: average, by the noisy one.":
            error(points[torch.cdist(images, points).argmin(1)]),
        "it is measured from the noisy input: the error is the distance from the clean image.":
            (best - x_t).square().mean().sqrt(),
        "that is the nearest point: the ideal denoiser averages.": error(nearest),
        "that is the mean absolute error: square, average, take the root.": error(best, 1),
        "the squares are added up: take their mean, which is an error a pixel.": error(best) * images.numel() ** 0.5,
    }, f"at sigma = {sigma} this is not the error of the posterior mean on images + sigma * noise.")  # fmt: skip


def our_copying_error(images: Tensor, points: Tensor, sigma: float, noise: Tensor) -> Tensor:
    """The root mean square error a pixel of the ideal denoiser that knows these points.

    images: (B, D), what is noised.
    points: (N, D), what the denoiser knows.
    sigma: the noise level, at alpha = 1.
    noise: (B, D), N(0, 1).
    """
    return (our_weights(images + sigma * noise, points, 1.0, sigma) @ points - images).square().mean().sqrt()


def variance(mine) -> None:
    """return the variance, a factor times the slope."""
    alpha, sigma, x_t = 0.8, 0.6, normal(5, 1, seed=12)
    slope = alpha * 0.49 / (alpha**2 * 0.49 + sigma**2) * torch.ones(5, 1)  # of data N(0, 0.7^2)
    refuse_slips(mine(lambda x: slope * x, x_t, alpha, sigma), 0.49 * (1 - alpha * slope), {
        "sigma stands where its square belongs.": sigma / alpha * slope,
        "alpha is missing: the fit holds alpha * x_t * p_i / sigma^2; differentiate by x_t.": sigma**2 * slope,
        "alpha multiplies where it should divide: alpha / sigma^2 moves to the other side.": sigma**2 * alpha * slope,
        "alpha is squared: x_t stands in the fit once.": (sigma / alpha) ** 2 * slope,
        "that is the slope alone, which is alpha / sigma^2 times the variance.": slope,
        "the factor is upside down.": alpha / sigma**2 * slope,
        "that is the standard deviation.": (sigma**2 / alpha * slope).sqrt(),
    }, "on Gaussian data it is not s^2 (1 - alpha * slope), the variance known from notebook 01.")  # fmt: skip
    coin = mine(lambda x: torch.tanh(alpha * x / sigma**2), x_t, alpha, sigma)
    refuse_slips(coin, 1 - torch.tanh(alpha * x_t / sigma**2) ** 2, {}, "on the fair coin it should be 1 - tanh^2.")


def our_variance(denoise, x_t: Tensor, alpha: float, sigma: float) -> Tensor:
    """Var[x0 | x_t], (B, 1), from the slope of the posterior mean.

    denoise: the posterior mean, as a function of x_t.
    x_t: (B, 1), what is seen.
    alpha, sigma: of the path.
    """
    x_t = x_t.clone().requires_grad_()
    (slope,) = torch.autograd.grad(denoise(x_t).sum(), x_t)
    return sigma**2 / alpha * slope
