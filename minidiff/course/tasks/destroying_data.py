"""Notebook 02, destroying data: checks of the reader's lines, and right ones to go on with."""

import math

import torch
from torch import Tensor

from ...schedules import cosine, edm, evaluate, flow
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def jump(mine) -> None:
    """return x_k, the boxed line, in terms of x0, alpha_bar and eps."""
    for left, shape in ((0.7, (3, 2)), (0.2, (2, 1, 4, 4))):
        x0, eps, bar = normal(*shape, seed=0), normal(*shape, seed=1), torch.tensor(left, dtype=torch.float64)
        alpha, sigma = bar.sqrt(), (1 - bar).sqrt()
        refuse_slips(mine(x0, bar, eps), alpha * x0 + sigma * eps, {
            "x0 is multiplied by the root of alpha-bar, not by alpha-bar.": bar * x0 + sigma * eps,
            "1 - alpha-bar is the variance of the noise: eps is multiplied by its root.": alpha * x0 + (1 - bar) * eps,
            "both roots are missing.": bar * x0 + (1 - bar) * eps,
            "sigma is not 1 - alpha: their squares add up to 1.": alpha * x0 + (1 - alpha) * eps,
            "alpha and sigma have changed places.": sigma * x0 + alpha * eps,
            "x0 is not shrunk.": x0 + sigma * eps,
            "the noise is missing.": alpha * x0,
            "the sign of the noise is turned.": alpha * x0 - sigma * eps,
        }, "it should be sqrt(alpha-bar) x0 + sqrt(1 - alpha-bar) eps, with the eps that is given.")  # fmt: skip


def our_jump(x0: Tensor, alpha_bar: Tensor, eps: Tensor) -> Tensor:
    """x_k from x0 in one step; alpha_bar is a tensor of one number."""
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * eps


def between(mine) -> None:
    """find a from the factor of x0, and the variance from what a * x_s brings with it."""
    (p, m), (q, n) = evaluate(flow, 0.3), evaluate(flow, 0.6)  # a path on which nothing is preserved
    a = q / p
    left = n**2 - (a * m) ** 2
    refuse_slips(mine(p, m, q, n), (a, left), {
        "a is upside down: alpha_s times a should be alpha_t.": (p / q, n**2 - (p / q * m) ** 2),
        "1 - a^2 is right only where alpha^2 + sigma^2 = 1: there are other paths.": (a, 1 - a**2),
        "x_s brings noise of its own, and a shrinks it: subtract a^2 sigma_s^2.": (a, n**2 - m**2),
        "nothing is subtracted: a * x_s has noise already.": (a, n**2),
        "a stands where its square belongs: variances grow with the square.": (a, n**2 - a * m**2),
        "standard deviations are subtracted: it is variances that add up.": (a, (n - a * m) ** 2),
        "that is b: return its square.": (a, math.sqrt(left)),
        "a is the ratio of the signals, alpha_t / alpha_s.": (n / m, n**2 - n**2),
        "the sign of the variance is turned.": (a, -left),
    }, "a * alpha_s should be alpha_t, and a^2 sigma_s^2 + b^2 should be sigma_t^2.")  # fmt: skip
    for path, times in ((cosine, (0.2, 0.5, 0.9)), (edm, (0.5, 3.0, 40.0)), (flow, (0.1, 0.5, 0.8))):
        first, middle, end = (evaluate(path, t) for t in times)
        (b, c), (d, e) = mine(*first, *middle), mine(*middle, *end)
        law = f"on the path {path.__name__} two jumps are not one: it has to hold on any path."
        refuse_slips((d * b, d**2 * c + e), mine(*first, *end), {}, law)


def our_between(alpha_s: float, sigma_s: float, alpha_t: float, sigma_t: float) -> tuple[float, float]:
    """(a, b squared), so that x_t = a x_s + b eps.

    alpha_s, sigma_s: at the earlier time.
    alpha_t, sigma_t: at the later one.
    """
    a = alpha_t / alpha_s
    return a, sigma_t**2 - a**2 * sigma_s**2


def halfway(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(35), {
        "after 34 steps the signal is still the stronger, by a hair: 0.98^34 = 0.503.": 34,
        "steps are whole: after how many is it past one half?": math.log(0.5) / math.log(0.98),
        "that is where sqrt(alpha-bar) is one half: compare the squares, alpha-bar and 1 - alpha-bar.": 69,
        "the betas do not add up to the variance: each step shrinks the noise of those before.": 25,
        "that is where alpha-bar squared is one half: alpha-bar is a square already.": 18,
    }, "solve 0.98^k = 1/2 for k, by logarithms, and round up.")  # fmt: skip


def our_halfway() -> int:
    """The first k with 0.98^k below one half."""
    return math.ceil(math.log(0.5) / math.log(0.98))


def betas_of(mine) -> None:
    """solve alpha-bar_k = (1 - beta_k) alpha-bar_(k-1) for beta_k; alpha-bar_0 is 1."""
    for count in (4, 9):
        betas = torch.linspace(0.1, 0.6, count, dtype=torch.float64)
        bar = torch.cumprod(1 - betas, 0)
        previous = torch.cat([torch.ones(1), bar[:-1]])
        got = mine(bar.clone())
        one_less = getattr(got, "shape", None) == (count - 1,)
        assert not one_less, "one beta is missing, that of step 1: before it alpha-bar is 1."
        refuse_slips(got, betas, {
            "that is all the noise since the data: divide each entry by the one before it.": 1 - bar,
            "that is what a step keeps, 1 - beta.": bar / previous,
            "the ratio is upside down.": 1 - previous / bar,
            "take no root: alpha-bar is a product of the 1 - beta themselves.": 1 - (bar / previous).sqrt(),
            "steps multiply: divide by the entry before, do not subtract.": previous - bar,
            "roll brings the last entry to the front: before step 1 alpha-bar is 1.": 1 - bar / bar.roll(1),
        }, "beta_k should be 1 - alpha-bar_k / alpha-bar_(k-1), with 1 before the first.")  # fmt: skip


def our_betas_of(alpha_bar: Tensor) -> Tensor:
    """The beta of each step, (T,), from alpha-bar after each step, (T,)."""
    return 1 - alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]])


def back(mine) -> None:
    """write the variance of x_t, then slope and variance of x_s given x_t."""
    for v, beta in ((0.25, 0.3), (4.0, 0.1)):
        keep, total, piled = math.sqrt(1 - beta), (1 - beta) * v + beta, v + beta
        slope, left = keep * v / total, beta * v / total
        refuse_slips(mine(v, beta), (slope, left), {
            "that is the way forward: it is the same only for v = 1.": (keep, beta),
            "that undoes the shrinking as if there were no noise: c is smaller.": (1 / keep, left),
            "in the total the shrinking is missing: x_t has variance (1 - beta) v + beta.":
                (keep * v / piled, beta * v / piled),
            "in c the root is missing: the covariance is sqrt(1 - beta) v.": ((1 - beta) * v / total, left),
            "in c the factor sqrt(1 - beta) is missing.": (v / total, left),
            "w is a variance: take no root.": (slope, math.sqrt(left)),
            "w = v - c^2 total: here c is not squared.": (slope, v - slope * total),
            "w is not beta: what is known of x_s beforehand narrows it.": (slope, beta),
            "w is not v: what is seen narrows it.": (slope, v),
        }, "c = covariance / total, with covariance sqrt(1 - beta) v, and w = v - c^2 total.")  # fmt: skip


def our_back(v: float, beta: float) -> tuple[float, float]:
    """(c, w): x_s given x_t is N(c x_t, w), for x_s from N(0, v) and x_t = sqrt(1 - beta) x_s + sqrt(beta) eps."""
    total = (1 - beta) * v + beta
    return math.sqrt(1 - beta) * v / total, beta * v / total
