"""Notebook 02b, noise schedules: checks of the reader's lines, and right ones to go on with."""

import math

import torch
from torch import Tensor

from ...schedules import cosine, evaluate
from ..exercises import refuse_slips


def linear_alpha_bar(mine) -> None:
    """integrate beta from 0 to t, and return the exponential of minus that."""
    t = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
    for low, high in ((0.5, 3.0), (0.1, 5.0)):
        area, now = low * t + (high - low) * t**2 / 2, low + (high - low) * t
        refuse_slips(mine(t, low, high), torch.exp(-area), {
            "the exponent should be negative: alpha-bar falls.": torch.exp(area),
            "that is beta at t times t: beta was smaller before; the integral of u is t^2 / 2.": torch.exp(-now * t),
            "that is alpha: alpha-bar is its square.": torch.exp(-area / 2),
            "t stands where its square belongs.": torch.exp(-(low * t + (high - low) * t / 2)),
            "beta does not begin at 0: low * t is missing.": torch.exp(-(high - low) * t**2 / 2),
            "beta rises by high - low, not by high.": torch.exp(-(low * t + high * t**2 / 2)),
            "that is beta(t) itself in the exponent: integrate it.": torch.exp(-now),
            "that is what is left to 1, the noise.": 1 - torch.exp(-area),
            "for larger betas 1 - x is no exponential.": 1 - area,
        }, "it should be exp(-(low * t + (high - low) * t^2 / 2)).")  # fmt: skip


def our_linear_alpha_bar(t: Tensor, low: float, high: float) -> Tensor:
    """alpha-bar at the times t for beta(t) in a straight line from low to high."""
    return torch.exp(-(low * t + (high - low) * t**2 / 2))


def shifted(mine) -> None:
    """divide (alpha, factor * sigma) by its length."""
    for t, factor in ((0.3, 2.0), (0.6, 0.7)):
        alpha, sigma = evaluate(cosine, t)
        right, size = our_shifted(alpha, sigma, factor), math.hypot(alpha, factor * sigma)
        squared, other = math.hypot(alpha, factor**2 * sigma), math.hypot(factor * alpha, sigma)
        total = alpha + factor * sigma
        refuse_slips(mine(alpha, sigma, factor), right, {
            "the squares no longer add up to 1: divide both by the root of their sum.": (alpha, factor * sigma),
            "divide both by size: sigma was not.": (alpha / size, factor * sigma),
            "the root is missing: divide by the length, not by its square.":
                (alpha / size**2, factor * sigma / size**2),
            "the ratio is multiplied by the factor squared.": (alpha / squared, factor**2 * sigma / squared),
            "the ratio is divided by the factor: more noise is wanted for a factor above 1.":
                (factor * alpha / other, sigma / other),
            "divide by the root of the sum of squares, not by the sum.": (alpha / total, factor * sigma / total),
            "nothing is shifted.": (alpha, sigma),
            "alpha and sigma have changed places.": right[::-1],
        }, "sigma / alpha should be factor times as large, and alpha^2 + sigma^2 = 1.")  # fmt: skip
    once = mine(*mine(0.8, 0.6, 3.0), 2.0)
    refuse_slips(once, our_shifted(0.8, 0.6, 6.0), {}, "shifts by 3 and by 2 should be one shift by 6.")


def our_shifted(alpha: float, sigma: float, factor: float) -> tuple[float, float]:
    """(alpha, sigma) of a variance preserving path, with factor times their ratio."""
    size = math.hypot(alpha, factor * sigma)
    return alpha / size, factor * sigma / size


def same_noise(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(2 / 3), {
        "that is for a ratio of 4: pooling quarters the variance, and halves the standard deviation.": 4 / 5,
        "larger pictures need more noise, not less.": 1 / 3,
        "time is not the ratio: t / (1 - t) should be 2, and at t = 1 nothing of the picture is left.": 1.0,
        "that is for a ratio of sqrt(2): four pixels, and the root of four is 2.": 2**0.5 / (1 + 2**0.5),
        "that is the ratio sigma / alpha: at which t is it so?": 2.0,
        "that is the cosine path: flow has alpha = 1 - t and sigma = t.": math.atan(2) * 2 / math.pi,
        "two digits are too few: give it as a fraction.": 0.67,
    }, "solve t / (1 - t) = 2.")  # fmt: skip


def our_same_noise() -> float:
    """Where t / (1 - t) is 2."""
    return 2 / 3


def brightness_snr(mine) -> None:
    """find the last alpha-bar, and return the SNR once side * side pixels are averaged."""
    for betas, side in ((torch.full((6,), 0.1), 3), (torch.linspace(0.05, 0.3, 9), 8)):
        bar = torch.prod(1 - betas)
        snr, count, root = bar / (1 - bar), side**2, bar.sqrt()
        refuse_slips(mine(betas, side), count * snr, {
            "that is the pixels times alpha-bar: divide by the variance of the noise, 1 - alpha-bar.": count * bar,
            "that is the SNR of one pixel: averaging divides the variance of the noise.": snr,
            "there are side * side pixels.": side * snr,
            "the average has a variance smaller by the number of pixels, not by its square.": count**2 * snr,
            "more pixels mean less noise: multiply.": snr / count,
            "that is noise over signal: turn it round.": 1 / (count * snr),
            "alpha-bar is alpha squared already: take no root.": count * root / (1 - root),
            "that is alpha over sigma: the SNR is their square.": side * snr.sqrt(),
            "that is one step only: alpha-bar is the product of all 1 - beta.":
                count * (1 - betas[-1]) / betas[-1],
            "that is after the first step: take the last alpha-bar.": count * (1 - betas[0]) / betas[0],
        }, "it should be side^2 * alpha-bar / (1 - alpha-bar), with the last alpha-bar.")  # fmt: skip


def our_brightness_snr(betas: Tensor, side: int) -> Tensor:
    """SNR of the mean of side x side pixels, if it has variance 1, at the last step of a table."""
    last = torch.prod(1 - betas)
    return side**2 * last / (1 - last)


def straight(mine) -> None:
    """write the straight line, then alpha and sigma from the log SNR."""
    t = torch.linspace(0, 1, 6, dtype=torch.float64)
    for top, bottom in ((3.0, -4.0), (6.0, -1.0)):
        line = top + (bottom - top) * t
        alpha, sigma = right = our_straight(t, top, bottom)
        refuse_slips(mine(t, top, bottom), right, {
            "those are the squares, alpha^2 and sigma^2: take roots.": (alpha**2, sigma**2),
            "data is at t = 0: the line runs the wrong way.": our_straight(t, bottom, top),
            "alpha and sigma have changed places.": (sigma, alpha),
            "lambda is the log of the ratio squared: there is a 2 too many.": our_straight(t, 2 * top, 2 * bottom),
            "their squares do not add up to 1: alpha^2 is the sigmoid of lambda.":
                (torch.exp(line / 2), torch.ones_like(t)),
            "sigma is not 1 - alpha: their squares add up to 1.": (alpha, 1 - alpha),
            "the line should end at bottom: it falls by top - bottom.": our_straight(t, top, top + bottom),
        }, "log(alpha^2 / sigma^2) should be top + (bottom - top) t, and alpha^2 + sigma^2 = 1.")  # fmt: skip


def our_straight(t: Tensor, top: float, bottom: float) -> tuple[Tensor, Tensor]:
    """(alpha, sigma) at the times t, with a log SNR that falls in a line from top to bottom."""
    log_ratio = top + (bottom - top) * t
    return torch.sigmoid(log_ratio).sqrt(), torch.sigmoid(-log_ratio).sqrt()
