"""Notebook 07, SDEs and ODEs: checks of the reader's lines, and right ones to go on with."""

import math

import torch
from torch import Tensor

from ...data import Mixture
from ...predictions import AnyDenoiser, Denoiser, Prediction
from ...samplers import drift_and_diffusion
from ...schedules import Schedule, cosine, edm, evaluate, linear_beta
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def share_below(mixture: Mixture, x: Tensor) -> Tensor:
    """F(x), the share of a one-dimensional mixture that lies below each x, (n,)."""
    return torch.special.ndtr((x[:, None] - mixture.means[:, 0]) / mixture.stds) @ mixture.weights


def quantile(mixture: Mixture, u: Tensor) -> Tensor:
    """The x below which lies the share u, each (n,), within [-12, 12]: F, turned round by bisection."""
    assert isinstance(mixture, Mixture), "quantile wants the mixture first, and then the share."
    low, high = torch.full_like(u, -12.0), torch.full_like(u, 12.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = share_below(mixture, middle) < u
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


def drift(mine) -> None:
    """return what multiplies dt: f x, and a part with the score."""
    x, score = normal(5, 2, seed=0), normal(5, 2, seed=1)
    for f, g, eta in ((-1.3, 1.7, 0.6), (-0.8, 1.2, 0.0), (0.0, 2.1, 1.0), (-0.5, 0.9, 2.0)):
        half, square = g**2 * score / 2, eta**2
        refuse_slips(mine(x, score, f, g, eta), f * x - (1 + square) * half, {
            "the sign of the score is turned: dt is negative, so that minus is what moves x uphill.":
                f * x + (1 + square) * half,
            "a half is missing: the factor is (1 + eta^2) / 2.": f * x - (1 + square) * 2 * half,
            "that is the drift of the ODE, whatever eta is: more noise needs more score.": f * x - half,
            "that is the drift of the reverse SDE, whatever eta is.": f * x - 2 * half,
            "1 - eta^2 is the factor on the way out: on the way back noise needs more score, not less.":
                f * x - (1 - square) * half,
            "only the part for the noise is there: the ODE's own half is missing.": f * x - square * half,
            "eta stands where its square belongs.": f * x - (1 + eta) * half,
            "the square is of eta alone: 1 + eta^2, not (1 + eta)^2.": f * x - (1 + eta) ** 2 * half,
            "the half belongs to both parts, the ODE's and the one for the noise.": f * x - (1 + 2 * square) * half,
            "g stands where its square belongs.": f * x - (1 + square) * half / g,
            "f multiplies x: it stands alone.": f - (1 + square) * half,
            "f x is missing: the path's own part of the drift.": -(1 + square) * half,
        }, f"at f = {f}, g = {g}, eta = {eta} it should be f x - (1 + eta^2) / 2 g^2 score.")  # fmt: skip


def our_drift(x: Tensor, score: Tensor, f: float, g: float, eta: float) -> Tensor:
    """The drift of the family on the way back.

    x, score: (B, *), where the samples are, and the slope of log p there.
    f, g: of the schedule.
    eta: 0 for the probability-flow ODE, 1 for the reverse SDE.
    """
    return f * x - (1 + eta**2) / 2 * g**2 * score


def family_step(mine) -> None:
    """write the score, the step along the drift, and the fresh noise."""
    x_t, x0, eps, z = (normal(4, 2, seed=seed) for seed in (2, 3, 4, 5))
    asked: list[float] = []
    for path, t, s, eta in ((linear_beta, 0.8, 0.5, 0.6), (edm, 5.0, 4.0, 1.0), (cosine, 0.6, 0.5, 0.0)):
        got = mine(_answering(path, x0, eps, asked), x_t, t, s, eta=eta, generator=torch.Generator().manual_seed(5))
        assert asked[-1] == t, "the denoiser should be asked at t, where x_t is."
        (f, g), sigma, root = drift_and_diffusion(path, t), evaluate(path, t)[1], math.sqrt(t - s)
        factors = (-1 / sigma, 1 / sigma, -1, -1 / sigma**2)
        moved, up, bare, twice = (x_t - root**2 * our_drift(x_t, c * eps, f, g, eta) for c in factors)
        fresh = eta * g * root * z
        refuse_slips(got, moved + fresh, {
            "the sign of the score is turned: it is -eps over sigma.": up + fresh,
            "sigma is missing: the score is -eps over sigma.": bare + fresh,
            "the score is -eps over sigma, not over its square.": twice + fresh,
            "dt = s - t is negative already: add dt times the drift.": 2 * x_t - moved + fresh,
            "the drift is a velocity: multiply it by dt.": x_t - (moved - x_t) / root**2 + fresh,
            "the drift is there without x_t: a step starts from where x is.": moved - x_t + fresh,
            "the noise has variance |dt|: it is multiplied by the root of t - s.": moved + root * fresh,
            "the time is missing in the noise: dw is z times the root of t - s.": moved + eta * g * z,
            "eta is missing in the noise.": moved + g * root * z,
            "g is missing in the noise.": moved + eta * root * z,
            "the fresh noise is missing.": moved,
        }, f"on {path.__name__} from {t} to {s} it is not x_t + dt * drift + eta * g * sqrt(|dt|) * z.")  # fmt: skip
    _ends_without_noise(mine)


def _answering(path: Schedule, x0: Tensor, eps: Tensor, asked: list[float]) -> Denoiser:
    """A denoiser that always says x0 and eps, and notes the times."""

    def predict(x_t: Tensor, t: float) -> Prediction:
        asked.append(t)
        return Prediction(x0, eps)

    return Denoiser(path, predict)


def _ends_without_noise(mine) -> None:
    """Images, and the last step: on EDM's path g^2 is 2 t, and f is 0."""
    x_t, eps = normal(2, 1, 3, 3, seed=11), normal(2, 1, 3, 3, seed=12)
    got = mine(_answering(edm, x_t, eps, []), x_t, 0.5, 0.0, eta=1.0)
    refuse_slips(got, x_t - 0.5 * eps * 2, {}, "the last step should add no noise.")


def our_step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, eta: float = 0.0, generator=None) -> Tensor:
    """Euler-Maruyama back from t to s < t.

    denoiser, x_t: what predicts, and what is seen.
    t, s: from and to.
    eta: 0 for the probability-flow ODE, 1 for the reverse SDE.
    generator: of the fresh noise.
    """
    f, g = drift_and_diffusion(denoiser.schedule, t)
    score = -denoiser(x_t, t).eps / evaluate(denoiser.schedule, t)[1]
    x_s = x_t + (s - t) * our_drift(x_t, score, f, g, eta)
    if eta and s > 0:
        x_s = x_s + eta * g * math.sqrt(t - s) * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return x_s


def quantile_map(mine) -> None:
    """return where the ODE ends that starts at x1, by share_below and quantile."""
    mixture = lambda *parts: Mixture(*(torch.tensor(part, dtype=torch.float64) for part in parts))
    wide, narrow = mixture([[0.5]], [2.0], [1.0]), mixture([[-1.0]], [0.5], [1.0])
    x = torch.tensor([-1.5, 0.5, 0.9, 2.0], dtype=torch.float64)
    share = share_below(wide, x)
    refuse_slips(mine(x, wide, narrow), -1 + (x - 0.5) / 4, {
        "that is the share itself: turn it into a place, with quantile.": share,
        "that is x1 again: take the share in one distribution, the place in the other.": x,
        "the two distributions have changed places: the share among the noise, the place among the data.":
            quantile(wide, share_below(narrow, x)),
        "the order is turned round: who starts lowest should end lowest.": quantile(narrow, 1 - share),
        "quantile wants a share between 0 and 1, not a place.": quantile(narrow, x),
    }, "from N(1/2, 4) to N(-1, 1/4) it should be -1 + (x1 - 1/2) / 4.")  # fmt: skip
    two = mixture([[-2.0], [1.0]], [0.3, 0.2], [0.3, 0.7])
    refuse_slips(share_below(two, mine(x, wide, two)), share, {}, "each start should keep the share below it.")


def our_quantile_map(x1: Tensor, start: Mixture, end: Mixture) -> Tensor:
    """Where the probability-flow ODE ends, on a line.

    x1: (n,), where it starts.
    start, end: the distributions at both ends.
    """
    return quantile(end, share_below(start, x1))


def langevin_move(mine) -> None:
    """return x after one move: uphill by d times the score, and noise of variance 2 d."""
    x, score, z = (normal(5, 2, seed=seed) for seed in (6, 7, 8))
    for d in (0.08, 0.3):
        noise = math.sqrt(2 * d) * z
        refuse_slips(mine(x, score, d, z), x + d * score + noise, {
            "it goes downhill: the score is added.": x - d * score + noise,
            "the noise has variance 2 d: take the root.": x + d * score + 2 * d * z,
            "the noise has variance 2 d, not d: with d alone the cloud shrinks.": x + d * score + math.sqrt(d) * z,
            "the root is of 2 d, not of d alone.": x + d * score + 2 * math.sqrt(d) * z,
            "no noise: every sample would climb to the nearest peak.": x + d * score,
            "no score: the cloud would spread without end.": x + noise,
            "that is a move of half the size: d multiplies the whole score.": x + d / 2 * score + math.sqrt(d) * z,
            "the noise has variance 2 d: multiply z by the root of that, not by d.": x + d * score + d * z,
            "the score is multiplied by d, not by 2 d: the 2 belongs to the noise.": x + 2 * d * score + noise,
            "the score is multiplied by d.": x + score + noise,
            "x is missing: a move starts from where x is.": d * score + noise,
        }, "it should be x + d * score + sqrt(2 d) * z.")  # fmt: skip


def our_langevin_move(x: Tensor, score: Tensor, d: float, z: Tensor) -> Tensor:
    """One move that leaves the density as it is, for small d.

    x, score: (B, *), where the samples are, and the slope of log p there.
    d: the size of the move.
    z: (B, *), N(0, 1).
    """
    return x + d * score + math.sqrt(2 * d) * z


def sub_vp(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(0.75), {
        "that is VP's: sigma is 1 - alpha^2 here, not its root.": 1.0,
        "that is 2 sigma sigma' alone: f is negative, so that -2 f sigma^2 adds to it.": 0.5,
        "2 sigma sigma' is missing, or -2 f sigma^2 has the wrong sign: f is -b/2.": 0.25,
        "a 2 is missing: -2 f sigma^2 is b sigma^2.": 0.625,
        "that is g over the root of b: g^2 over b is asked for.": 0.75**0.5,
        "that is for alpha = 1/2: it is alpha^2 that is 1/2.": 1 - 0.5**4,
    }, "sigma' = b alpha^2; put it, sigma = 1 - alpha^2 and f = -b/2 into the box.")  # fmt: skip


def our_sub_vp() -> float:
    """g^2 / b of the sub-VP path where alpha^2 = 1/2: 1 - alpha^4."""
    return 3 / 4


def drift_out(mine) -> None:
    """return the drift of the family on the way out, from data to noise."""
    x, score = normal(5, 2, seed=9), normal(5, 2, seed=10)
    for f, g, eta in ((-1.3, 1.7, 0.6), (-0.8, 1.2, 1.0), (0.0, 2.1, 0.0)):
        half, square = g**2 * score / 2, eta**2
        refuse_slips(mine(x, score, f, g, eta), f * x - (1 - square) * half, {
            "that is the way back: at eta = 1 the way out is the schedule's own SDE, without a score.":
                f * x - (1 + square) * half,
            "the sign is turned: what is left to the flow must spread the density, that is, move it downhill.":
                f * x + (1 - square) * half,
            "a half is missing.": f * x - (1 - square) * 2 * half,
            "that is the ODE, whatever eta is: eta g dw spreads the density too.": f * x - half,
            "that is the forward SDE, whatever eta is: with less noise the flow has to spread.": f * x,
            "eta stands where its square belongs.": f * x - (1 - eta) * half,
            "the square is of eta alone: 1 - eta^2, not (1 - eta)^2.": f * x - (1 - eta) ** 2 * half,
            "that is the part the noise does: the flow does the rest, 1 - eta^2.": f * x - square * half,
        }, "at eta = 1 it should be f x, and at eta = 0 the drift of the ODE.")  # fmt: skip


def our_drift_out(x: Tensor, score: Tensor, f: float, g: float, eta: float) -> Tensor:
    """The drift of the family on the way out.

    x, score: (B, *), where the samples are, and the slope of log p there.
    f, g: of the schedule.
    eta: 0 for the probability-flow ODE, 1 for the forward SDE.
    """
    return f * x - (1 - eta**2) / 2 * g**2 * score


def displaced(mine) -> None:
    """put your number in place of the dots, to three digits."""
    below = lambda x: torch.special.ndtr(torch.tensor(x, dtype=torch.float64))
    refuse_slips(mine(), below(-0.8416 - 0.5), {
        "that is the share without the displacement.": 0.2,
        "the wrong way: starts that are moved up lie more often above the border.": below(-0.8416 + 0.5),
        "that is the other mode's share.": below(0.8416 + 0.5),
        "half a standard deviation is no half of the share: go back to the border, -0.84.": 0.1,
        "that is the border itself: how much of the noise lies below it?": -0.8416 - 0.5,
        "almost: give three digits.": 0.09,
        "almost: the border has four digits, -0.8416.": below(-0.84 - 0.5),
    }, "the share of N(0.5, 1) that lies below the border, -0.8416.")  # fmt: skip


def our_displaced() -> float:
    """Phi(-0.8416 - 0.5)."""
    return 0.0899
