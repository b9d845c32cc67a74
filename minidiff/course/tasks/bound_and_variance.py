"""Notebook 05b, the bound and the variance: checks of the reader's lines, and right ones to go on with."""

import math

import torch
from torch import Tensor

from ..exercises import refuse_slips

SMALL = torch.tensor([0.1, 0.3, 0.02], dtype=torch.float64)
LARGE = torch.tensor([0.2, 0.35, 0.5], dtype=torch.float64)
GAP = torch.tensor([0.4, 0.0, 0.05], dtype=torch.float64)


def step_kl(mine) -> None:
    """write the divergence of two Gaussians, with the posterior's variance first."""
    for gap2, q, p in ((GAP, SMALL, LARGE), (2 * GAP, LARGE, SMALL)):
        log, ratio = (p / q).log(), (q + gap2) / p
        refuse_slips(mine(gap2, q, p), (log + ratio - 1) / 2, {
            "without the logarithm it can be below 0, and the bound above the truth.": (ratio - 1) / 2,
            "the half is missing.": log + ratio - 1,
            "the logarithm is upside down: it is large where nu is.": (ratio - 1 - log) / 2,
            "posterior and model have changed places: the mean is taken over the posterior.":
                ((q / p).log() + (p + gap2) / q - 1) / 2,
            "where both are equal it should be 0: 1 is missing.": (log + ratio) / 2,
            "the gap should be divided by nu, not by small.": (log + q / p + gap2 / q - 1) / 2,
            "gap2 is squared already.": (log + (q + gap2**2) / p - 1) / 2,
            "gap2 also stands over nu.": (log + q / p + gap2 - 1) / 2,
            "the means differ, too: gap2 is missing.": (log + q / p - 1) / 2,
        }, "it should be (log(nu / small) + (small + gap2) / nu - 1) / 2.")  # fmt: skip


def our_step_kl(gap2: Tensor | float, small: Tensor, nu: Tensor) -> Tensor:
    """The KL divergence of a step, in nats.

    gap2: the squared distance of the means.
    small, nu: variances of the posterior and of the model.
    """
    return ((nu / small).log() + (small + gap2) / nu - 1) / 2


def vlb(mine) -> None:
    """write Eq. 15 as nu, and what step_kl needs to know of the guess."""
    x0, said, said_f, c = (torch.tensor(one, dtype=torch.float64) for one in
                           ([1.0, -0.5, 0.3], [0.2, 0.1, 0.4], [0.2, 0.9, 1.4], [0.6, 0.5, 0.8]))  # fmt: skip
    guess, f = said.clone().requires_grad_(), said_f.clone().requires_grad_()
    got, gap2 = mine(x0, guess, f, c, SMALL, LARGE), c**2 * (x0 - said) ** 2
    nu = SMALL ** (1 - said_f) * LARGE**said_f
    kl = lambda gap2, nu: our_step_kl(gap2, SMALL, nu)
    refuse_slips(got.detach() if isinstance(got, Tensor) else got, kl(gap2, nu), {
        "small and large have changed places: f = 0 is small.": kl(gap2, SMALL**said_f * LARGE ** (1 - said_f)),
        "that is a straight line from small to large: it is straight in the logarithm.":
            kl(gap2, (1 - said_f) * SMALL + said_f * LARGE),
        "nu is a variance: take no root.": kl(gap2, nu.sqrt()),
        "that is log nu: take its exponential.": kl(gap2, nu.log()),
        "the means differ by c times the error: c is missing.": kl((x0 - said) ** 2, nu),
        "the means differ by c times the error: c should be squared, too.": kl(c * (x0 - said) ** 2, nu),
        "step_kl wants the squared distance of the means.": kl(c * (x0 - said), nu),
    }, "it should be step_kl(c^2 (x0 - guess)^2, small, nu).")  # fmt: skip
    _stopped(got, guess, f, (LARGE / SMALL).log() * (1 - (SMALL + gap2) / nu) / 2)


def _stopped(got: Tensor, guess: Tensor, f: Tensor, wanted: Tensor) -> None:
    """Raise AssertionError unless the gradient reaches f whole, as wanted, and not the guess."""
    if not got.requires_grad:
        raise AssertionError("no gradient reaches f: only the guess should be detached.")
    to_guess, to_f = torch.autograd.grad(got.sum(), (guess, f), allow_unused=True)
    if to_guess is not None and to_guess.any():
        raise AssertionError("its gradient reaches the guess, and so the mean: use guess.detach().")
    refuse_slips(torch.zeros_like(f) if to_f is None else to_f, wanted, {
        "no gradient reaches f: only the guess should be detached.": torch.zeros_like(wanted),
    }, "only a part of its gradient reaches f: detach nothing but the guess.")  # fmt: skip


def our_vlb(x0: Tensor, guess: Tensor, f: Tensor, c: Tensor, small: Tensor, large: Tensor) -> Tensor:
    """The KL divergence of steps with a learned variance, its gradient stopped at the guess.

    x0, guess: what is there, and what the network says.
    f: the fraction from small to large, in logarithms.
    c, small, large: of the posterior.
    """
    return our_step_kl(c**2 * (x0 - guess.detach()) ** 2, small, small ** (1 - f) * large**f)


def needle_share(mine) -> None:
    """put your number, or a sum of fractions, in place of the dots."""
    refuse_slips(mine(), torch.tensor(4 / 7), {
        "that is the data's share: squaring changes it.": 0.4,
        "the width counts too: a squared Gaussian of width s has an integral proportional to 1/s.": 0.16 / 0.52,
        "the shares are squared as well.": 0.4 / (0.4 + 0.6 / 3),
        "that is its share under p^4: here it is p^2.": 0.0256 / (0.0256 + 0.1296 / 27),
        "the integral falls with the width like 1/s: the height is squared, but the width still counts.":
            0.16 / (0.16 + 0.36 / 9),
        "that is the share of the hill.": 3 / 7,
        "the wider one gets less, not more: divide by the width.": 0.16 / (0.16 + 0.36 * 3),
        "three digits at least, or a fraction.": 0.57,
    }, "it is 0.16 over the sum of 0.16 and 0.36 / 3.")  # fmt: skip


def our_needle_share() -> float:
    """The needle's share under the squared density."""
    return 4 / 7


def best_variance(mine) -> None:
    """return the nu at which the derivative vanishes."""
    for c, small, large, error in ((0.6, 0.1, 0.3, 0.5), (0.3, 0.02, 0.3, 0.9)):
        extra = c**2 * error
        refuse_slips(torch.as_tensor(mine(c, small, large, error)), torch.tensor(small + extra), {
            "c should be squared: the means differ by c times the error.": small + c * error,
            "the error is a mean square already.": small + extra * error,
            "the variance of the posterior is missing: the guess is not all that is uncertain.": extra,
            "the error of the guess adds variance to small, not to large.": large + extra,
            "that is a standard deviation: nu is a variance.": math.sqrt(small + extra),
            "that is the best for a perfect guess, error = 0.": small,
            "variances add, they do not multiply.": small * extra,
        }, "set 1/nu = (small + c^2 error) / nu^2.")  # fmt: skip


def our_best_variance(c: float, small: float, large: float, error: float) -> float:
    """The variance of a step that makes the mean KL divergence smallest.

    c: the factor of x0 in the posterior's mean.
    small, large: the variances of the posterior and of the step forwards.
    error: the mean square error of the guess.
    """
    return small + c**2 * error


def variance_left(mine) -> None:
    """return the variance at the end, from tau and K."""
    for tau, K in ((0.5, 3), (0.8, 10), (1.2, 2)):
        last = math.cos(math.pi / (2 * K)) ** 2
        refuse_slips(torch.as_tensor(mine(tau, K)), torch.tensor(tau**2 * last), {
            "tau multiplies the noise, and so tau^2 its variance.": tau * last,
            "that is for all the noise: tau is missing.": last,
            "that is a standard deviation: the variance is its square.": tau * last**0.5,
            "that is for many steps: the last step adds no noise, which costs a factor.": tau**2,
            "every step adds noise of the same share: tau^2 comes once, since early noise is forgotten.":
                tau ** (2 * K) * last,
            "that is DDIM's factor: K cosines.": tau**2 * last**K,
            "the cosine should be squared.": tau**2 * last**0.5,
        }, "it should be tau^2 times what is left with tau = 1.")  # fmt: skip


def our_variance_left(tau: float, K: int) -> float:
    """The variance of samples of a unit Gaussian.

    tau: what the fresh noise is multiplied by.
    K: steps of equal angle.
    """
    return tau**2 * math.cos(math.pi / (2 * K)) ** 2
