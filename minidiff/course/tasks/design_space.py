"""Notebook 09, the design space: checks of the reader's lines, and right ones to go on with."""

import math

import torch
from torch import Tensor

from ...exact import of_gaussian
from ...predictions import AnyDenoiser, Denoiser
from ...schedules import edm
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def preconditioning(mine) -> None:
    """solve the second and the third wish for c_skip and c_out."""
    for r in (0.75, 0.1, 2.5, 40.0):
        total = 1 + r**2
        skip, out, c_in = 1 / total, r / total**0.5, 1 / total**0.5
        refuse_slips(mine(r), (skip, out, c_in), {
            "c_out is still a square: take its root.": (skip, out**2, c_in),
            "c_out has the right size: of the two roots take the positive one.": (skip, -out, c_in),
            "r is missing in c_out: that is c_in.": (skip, c_in, c_in),
            "c_out**2 is (r^4 + r^2) / (1 + r^2)^2: one 1 + r^2 cancels before the root.": (skip, r / total, c_in),
            "c_skip has a root too many: the derivative is linear in c_skip.": (skip**0.5, out, c_in),
            "c_skip is the share of the noise: without noise y is x0, and c_skip should be 1.": (1 - skip, out, c_in),
            "the second wish holds, the third does not: c_out = r grows without end. Set the derivative to 0.":
                (1.0, r, c_in),
            "the second wish holds, the third does not: that asks the network for x0. Set the derivative to 0.":
                (0.0, 1.0, c_in),
            "a square is missing: 1 + r adds standard deviations, variances add as 1 + r**2.":
                (1 / (1 + r), r / (1 + r) ** 0.5, c_in),
        }, "put your c_skip into the second wish. At r = 3/4 c_skip is 16/25 and c_out 3/5.")  # fmt: skip


def our_preconditioning(r: float) -> tuple[float, float, float]:
    """EDM's c_skip, c_out, c_in for data of variance 1 (Karras et al. 2022, Table 1).

    r: sigma / alpha.
    """
    return 1 / (1 + r**2), r / (1 + r**2) ** 0.5, 1 / (1 + r**2) ** 0.5


def karras(mine) -> None:
    """return n levels whose rho-th roots are equally spaced; the 0 after them is there."""
    for n, rho, low, high in ((6, 7.0, 0.002, 80.0), (18, 3.0, 0.01, 5.0), (4, 1.0, 0.5, 2.0)):
        share, zero = torch.linspace(0, 1, n, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        ramp = lambda a, b, share=share: a + share * (b - a)
        among = lambda levels, zero=zero: torch.cat([levels, zero])
        first, final = high ** (1 / rho), low ** (1 / rho)
        refuse_slips(mine(n, rho, low, high), among(ramp(first, final) ** rho), {
            "these are equal steps in r, that is rho = 1: space the roots equally.": among(ramp(high, low)),
            "these are the roots: raise them to the power rho.": among(ramp(first, final)),
            "root and power have changed places: first the root of both ends, then the power of the whole.":
                among(ramp(high**rho, low**rho) ** (1 / rho)),
            "low and high have changed places: sampling begins in the noise.": among(ramp(final, first) ** rho),
            "these are equal steps in ln r, which is rho to infinity.":
                among(ramp(math.log(high), math.log(low)).exp()),
            "the sign of the way is turned: from the root of high to that of low.":
                among(ramp(first, 2 * first - final) ** rho),
            "each end is raised before the ends are mixed: mix the roots, then raise the mixture.":
                among((1 - share) ** rho * high + share**rho * low),
        }, "it should be (high_root + share * (low_root - high_root)) ** rho: first high, n-th low.")  # fmt: skip


def our_karras(n: int, rho: float = 7.0, low: float = 0.002, high: float = 80.0) -> Tensor:
    """n noise levels whose rho-th roots are equally spaced from high to low, then 0 (Karras et al. 2022, Eq. 5).

    n, rho: how many, and the root.
    low, high: the ends.
    """
    share = torch.linspace(0, 1, n, dtype=torch.float64)
    levels = (high ** (1 / rho) + share * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


def heun(mine) -> None:
    """return the step along the mean of the slope here and the slope where Euler lands."""
    exact, asked = of_gaussian(0.5, 0.3, edm), []

    def predict(x, t):
        asked.append(t)
        return exact(x, t)

    for t, s, shape in ((3.0, 2.0, (3, 2)), (0.5, 0.2, (2, 1, 4, 4))):
        x, h, asked[:] = t * normal(*shape, seed=0), s - t, []
        got = mine(Denoiser(edm, predict), x, t, s)
        here = exact(x, t).eps
        landed = x + h * here
        there = exact(landed, s).eps
        refuse_slips(got, x + h / 2 * (here + there), {
            "that is where Euler lands: take the slope there too.": landed,
            "both slopes are added in full: take their mean.": x + h * (here + there),
            "only the second slope is used: take the mean of both.": x + h * there,
            "only the second slope is halved: take the mean of both.": x + h * (here + there / 2),
            "it starts where Euler landed: the mean slope is followed from x_t.": landed + h / 2 * (here + there),
            "the second evaluation is at x_t: it should be where Euler lands.":
                x + h / 2 * (here + exact(x, s).eps),
            "the second evaluation is at the level t: where Euler lands it is s.":
                x + h / 2 * (here + exact(landed, t).eps),
            "the sign is turned: the step s - t is negative.": x - h / 2 * (here + there),
        }, "it should be x_t + (s - t) / 2 * (slope + slope_there).")  # fmt: skip
        assert len(asked) == 2, f"it evaluates the denoiser {len(asked)} times: Heun's price is two."
    assert mine(exact, x, 0.1, 0.0).isfinite().all(), "the step into 0 is not finite: there it should return landed."


def our_heun(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, generator=None) -> Tensor:
    """Heun's step on EDM's path, where the slope is eps; into 0 it is Euler's.

    denoiser, x_t, t, s: predicts from x_t at t; the result is x_s.
    generator: not used.
    """
    slope = denoiser(x_t, t).eps
    landed = x_t + (s - t) * slope
    if s == 0:
        return landed
    return x_t + (s - t) / 2 * (slope + denoiser(landed, s).eps)


def extrapolated(mine) -> None:
    """return what the straight line through both guesses says of the middle of the step."""
    for h, h_before, shape in ((0.6, 0.25, (3, 2)), (0.1, 0.4, (2, 1, 4, 4))):
        now, before = normal(*shape, seed=0), normal(*shape, seed=1)
        change, q = now - before, h / h_before
        refuse_slips(mine(now, before, h, h_before), now + q / 2 * change, {
            "it goes on to the end of the step: the middle is half as far. The half is missing.": now + q * change,
            "nothing is extrapolated: that is DDIM.": now,
            "the ratio is upside down: the rate is the change over h_before, and is followed for h / 2.":
                now + change / (2 * q),
            "the ratio of the steps is missing: that is right for equal steps only.": now + change / 2,
            "the change has the wrong sign: it is now - before.": now - q / 2 * change,
            "it starts from the guess before: the line goes on from now.": before + q / 2 * change,
            "it is the middle between the two guesses, behind us: the line goes on beyond now.": (now + before) / 2,
            "divide by h_before: a rate is a change over the step in which it happened.": now + h / 2 * change,
        }, "it should be now + h / 2 * (now - before) / h_before.")  # fmt: skip


def our_extrapolated(now: Tensor, before: Tensor, h: float, h_before: float) -> Tensor:
    """The guess in the middle of a step, on the line through the last two.

    now, before: the guesses of x0 here and a step earlier.
    h, h_before: lengths of the step and of the one before, in lambda.
    """
    return now + h / 2 * (now - before) / h_before


def shifted(mine) -> None:
    """put mean and standard deviation of ln r in place of the dots."""
    ln3 = math.log(3)
    refuse_slips(mine(), (ln3, 1.0), {
        "almost: give four digits.": (1.1, 1.0),
        "3 is the factor of r: on ln r it is a summand, ln 3.": (3.0, 1.0),
        "that is before the shift: what is t' / (1 - t')?": (0.0, 1.0),
        "the spread stays: a summand moves a bell and does not widen it.": (ln3, 3.0),
        "the shift goes towards the noise: the sign is turned.": (-ln3, 1.0),
        "the factor 3 multiplies r, not ln r: the bell moves.": (0.0, 3.0),
        "take the natural logarithm.": (math.log10(3), 1.0),
    }, "t' / (1 - t') is 3 t / (1 - t). Take its logarithm.")  # fmt: skip


def our_shifted() -> tuple[float, float]:
    """Mean and standard deviation of ln r for logit-normal times, shifted by 3."""
    return math.log(3), 1.0


def min_snr(mine) -> None:
    """return the weight of F's squared error that gives x0's squared error the weight min(SNR, gamma)."""
    r = torch.tensor([0.01, 0.2, 0.6, 1.0, 3.0, 50.0], dtype=torch.float64)
    for gamma in (5.0, 2.0):
        snr, out2 = 1 / r**2, r**2 / (1 + r**2)
        least = snr.clamp(max=gamma)
        refuse_slips(mine(r, gamma), out2 * least, {
            "that is the weight of x0's error: an error of F is multiplied by c_out on its way to x0.": least,
            "that is the weight of eps's error: c_out belongs where r stands.": r**2 * least,
            "the errors are squared: c_out comes twice.": out2.sqrt() * least,
            "c_out squared multiplies: F's error times c_out is x0's.": least / out2,
            "c_in squared stands where c_out squared belongs.": least / (1 + r**2),
            "SNR is a ratio of variances, 1 / r**2.": out2 * (1 / r).clamp(max=gamma),
            "SNR is upside down: it is large where there is little noise.": out2 * (r**2).clamp(max=gamma),
            "it is the smaller of the two, not the larger.": out2 * snr.clamp(min=gamma),
            "gamma plays no part: that is the weight SNR, without a bound.": out2 * snr,
        }, "it should be c_out ** 2 times the smaller of 1 / r**2 and gamma.")  # fmt: skip


def our_min_snr(r: Tensor, gamma: float = 5.0) -> Tensor:
    """The weight of F's squared error in min-SNR weighting (Hang et al. 2023).

    r: sigma / alpha.
    gamma: the bound of the weight of x0's squared error.
    """
    return r**2 / (1 + r**2) * (1 / r**2).clamp(max=gamma)
