"""Notebook 05, DDPM: checks of the reader's lines, and right ones to go on with."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ...predictions import AnyDenoiser, Denoiser, Prediction
from ...samplers import ddpm_step
from ...schedules import Schedule, cosine, edm, evaluate, flow
from ..exercises import refuse_slips


class Posterior(NamedTuple):
    """How x_s depends on x0 and x_t: the mean is of_x0 * x0 + of_xt * x_t, the variance small.

    of_x0, of_xt: factors of the mean.
    small: beta-tilde, the variance of the posterior.
    large: b^2, the variance of the step forwards.
    """

    of_x0: float
    of_xt: float
    small: float
    large: float


def posterior(mine) -> None:
    """write beta-tilde and the two factors of the boxed mean."""
    for path, t, s in ((flow, 0.8, 0.3), (edm, 5.0, 2.0), (cosine, 0.7, 0.2)):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(path, t), evaluate(path, s)
        of_x0, of_xt, small, large = right = our_posterior(path, t, s)
        a, share = alpha_t / alpha_s, sigma_s**2 / sigma_t**2
        refuse_slips(mine(path, t, s), tuple(right), {
            "the ratio in beta-tilde is upside down: knowing x0 makes the variance smaller.":
                (of_x0, of_xt, large / share, large),
            "in beta-tilde sigmas stand where their squares belong.": (of_x0, of_xt, share**0.5 * large, large),
            "that is the standard deviation: beta-tilde is a variance.": (of_x0, of_xt, small**0.5, large),
            "beta-tilde is b^2 itself: the ratio of the variances is missing.": (of_x0, of_xt, large, large),
            "the factor of x0 begins with alpha_s, not with alpha_t.": (a * of_x0, of_xt, small, large),
            "the factor of x0 begins with alpha_s: there stands a, the slip of many programs.":
                (a * of_x0 / alpha_s, of_xt, small, large),
            "the factor of x_t begins with a: it is missing.": (of_x0, share, small, large),
            "the factors are divided by sigma_t^2: it is missing.":
                (of_x0 * sigma_t**2, of_xt * sigma_t**2, small, large),
            "of_x0 and of_xt have changed places.": (of_xt, of_x0, small, large),
        }, "compare each line with the box; large, b^2, is there already.")  # fmt: skip


def our_posterior(schedule: Schedule, t: float, s: float) -> Posterior:
    """How x_s depends on x0 and x_t once both are known.

    schedule: the path.
    t, s: the later and the earlier time.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    a = alpha_t / alpha_s
    large = sigma_t**2 - a**2 * sigma_s**2
    small = sigma_s**2 / sigma_t**2 * large
    return Posterior(alpha_s * large / sigma_t**2, a * sigma_s**2 / sigma_t**2, small, large)


def my_step(mine) -> None:
    """write the mean, with the guess where x0 should be, and return a draw around it."""
    seeded = lambda: torch.Generator().manual_seed(3)
    x_t = torch.randn(50, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    denoiser = Denoiser(flow, lambda x, t, y=None: Prediction(0.3 * x + t, (x - (1 - t) * (0.3 * x + t)) / t))
    z = torch.randn(x_t.shape, generator=seeded(), dtype=x_t.dtype)
    for t, s in ((0.8, 0.3), (0.5, 0.4), (0.4, 0.0)):
        for variance in ("small", "large"):
            q = our_posterior(flow, t, s)
            nu, guess = q.small if variance == "small" else q.large, denoiser(x_t, t).x0
            mean, late = q.of_x0 * guess + q.of_xt * x_t, q.of_x0 * denoiser(x_t, s or 1e-3).x0 + q.of_xt * x_t
            noise = math.sqrt(nu) * z * (s > 0)
            refuse_slips(mine(denoiser, x_t, t, s, generator=seeded(), variance=variance), mean + noise, {
                "nu is a variance: the noise is multiplied by its root.": mean + nu * z,
                "no fresh noise: that is the flat row of the first figure.": mean,
                "the denoiser is asked at s: x_t has the noise of t.": late + noise,
                "the mean has no part of x_t: see the second factor.": q.of_x0 * guess + noise,
                "x_t stands where the guess of x0 belongs.": (q.of_x0 + q.of_xt) * x_t + noise,
                "that is the guess and noise: the factors of the box are missing.": guess + x_t + noise,
                "noise goes into the finished sample: at s = 0 return the mean.": mean + math.sqrt(nu) * z,
                "variance = 'large' should put q.large where q.small is.": mean + math.sqrt(q.small) * z * (s > 0),
                "the guess is eps, not x0: the denoiser gives x0 first.":
                    q.of_x0 * denoiser(x_t, t).eps + q.of_xt * x_t + noise,
            }, "it should be q.of_x0 * x0 + q.of_xt * x_t + sqrt(nu) * z.")  # fmt: skip


def our_step(
    denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator=None, variance: str = "small"
) -> Tensor:
    """One step of DDPM, the package's.

    denoiser, x_t: what predicts, and what is seen.
    t, s: from and to.
    generator: of the fresh noise.
    variance: "small" or "large".
    """
    return ddpm_step(denoiser, x_t, t, s, generator=generator, variance=variance)


REASONS = {
    "beta for its root": (
        ("red", "beta-tilde is below 1, so its root is larger: is there enough fresh noise?"),
        ("green", "what does the last step do with whatever noise came before, if x0 is known for certain?")),
    "a for alpha_s": (
        ("red", "a is not alpha_s, so every step mixes in the wrong amount of the guess."),
        ("red", "in the last step alpha_s is 1, and a is alpha_t: where does the point go then?")),
    "noise in the last step": (
        ("green", "compare its variance at 50 steps, sin^2(pi/100) = 0.001, with the tolerance of 2.8 %."),
        ("red", "what is left of the point if the finished sample gets noise?")),
    "ratio upside down": (
        ("red", "sigma_t^2 / sigma_s^2 is above 1: how much fresh noise does each step add?"),
        ("green", "what does the last step do with whatever noise came before, however much there was?")),
}  # fmt: skip
TESTS = ("the unit Gaussian", "one point")


def verdicts(mine) -> None:
    """fill in the table: "red" or "green" in place of each dot, the unit Gaussian first."""
    said = mine()
    if not isinstance(said, dict) or set(said) != set(REASONS):
        raise AssertionError(f"it should have four rows: {', '.join(REASONS)}.")
    for bug, right in REASONS.items():
        row = said[bug] if isinstance(said[bug], (tuple, list)) else ()
        if len(row) != 2 or not {str(one).lower() for one in row} <= {"red", "green"}:
            raise AssertionError(f'{bug}: each row is two words, "red" or "green", the unit Gaussian first.')
        for word, test, (wanted, why) in zip(row, TESTS, right, strict=True):
            if str(word).lower() != wanted:
                raise AssertionError(f"{bug}, {test}: look again; {why}")


def our_verdicts() -> dict[str, tuple[str, ...]]:
    """What each of the two tests says of each bug."""
    return {bug: tuple(word for word, _ in row) for bug, row in REASONS.items()}


def ratio(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(1 / 3), {
        "that is the ratio of the sigmas: variances are their squares.": 1 / 3**0.5,
        "that is large over small.": 3.0,
        "that is the ratio of the times: sigma is the sine of 90 degrees times t.": 0.5,
        "that is the ratio of the times squared: sigma is the sine of 90 degrees times t.": 0.25,
        "that is a, squared: small over large is the ratio of the sigmas, squared.": math.cos(math.pi / 3) ** 2 / 0.75,
        "give a fraction, or four digits.": 0.33,
    }, "beta-tilde over b^2 is sigma_s^2 / sigma_t^2, with the sines of 30 and 60 degrees.")  # fmt: skip


def our_ratio() -> float:
    """Small over large from t = 2/3 to s = 1/3 on the cosine path."""
    return 1 / 3


def true_variance(mine) -> None:
    """return the variance of x_s if only x_t is known."""
    for path, t, s, std in (
        (cosine, 0.7, 0.3, 1.0),
        (flow, 0.6, 0.2, 2.0),
        (cosine, 0.5, 0.4, 0.0),
        (edm, 3.0, 1.0, 0.5),
    ):
        (alpha, sigma), q = evaluate(path, t), our_posterior(path, t, s)
        v = std**2 * sigma**2 / (alpha**2 * std**2 + sigma**2)
        right = torch.tensor(q.small + q.of_x0**2 * v, dtype=torch.float64)
        refuse_slips(torch.as_tensor(mine(path, t, s, std)), right, {
            "x0's part should be squared: variances scale with the square.": q.small + q.of_x0 * v,
            "the spread within is missing: add small.": q.of_x0**2 * v,
            "Var(x0 | x_t) is that of the data here: seeing x_t makes it smaller.": q.small + q.of_x0**2 * std**2,
            "that is right for a unit Gaussian only: use std.":
                q.small + q.of_x0**2 * sigma**2 / (alpha**2 + sigma**2),
            "that is for a point: the second part is missing.": q.small,
            "that is large: right for a unit Gaussian on a variance preserving path only.": q.large,
            "the factor is that of x0, not of x_t.": q.small + q.of_xt**2 * v,
            "small is in it already: do not add the error to large.": q.large + q.of_x0**2 * v,
            "std stands where its square belongs.":
                q.small + q.of_x0**2 * std * sigma**2 / (alpha**2 * std + sigma**2 + 1e-300),
        }, "it should be q.small + q.of_x0^2 * Var(x0 | x_t).")  # fmt: skip


def our_true_variance(schedule: Schedule, t: float, s: float, std: float) -> float:
    """Var(x_s | x_t) for data N(m, std^2).

    schedule: the path.
    t, s: from and to.
    std: of the data.
    """
    (alpha, sigma), q = evaluate(schedule, t), our_posterior(schedule, t, s)
    return q.small + q.of_x0**2 * std**2 * sigma**2 / (alpha**2 * std**2 + sigma**2)


def left_of_push(mine) -> None:
    """return what is left of a push of 1 at time t, once s = 0 is reached."""
    for t in (0.7, 0.1, 1.0):
        turn = math.pi * t / 2
        refuse_slips(torch.as_tensor(mine(t)), torch.tensor(math.cos(turn), dtype=torch.float64), {
            "that is sigma_t: at t = 1 nothing should be left, and near the data nearly all.": math.sin(turn),
            "that is alpha_t squared: a is a ratio of alphas, not of their squares.": math.cos(turn) ** 2,
            "that is what DDIM leaves: DDPM's factors are a = alpha_t / alpha_s.": 1.0,
            "the path is a cosine, not a straight line.": 1 - t,
            "a quarter turn is pi / 2.": math.cos(math.pi * t),
        }, "multiply all the factors alpha_t / alpha_s: everything cancels but the first and the last.")  # fmt: skip


def our_left_of_push(t: float) -> float:
    """The part of a push at t that arrives at 0, with DDPM on the cosine path and unit Gaussian data."""
    return math.cos(math.pi * t / 2)
