"""Notebook 06, DDIM: checks of the reader's lines, and right ones to go on with."""

import math
from functools import partial

import torch
from torch import Tensor

from ...exact import of_gaussian
from ...predictions import AnyDenoiser, Denoiser, Prediction
from ...schedules import Schedule, cosine, edm, evaluate
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def split(mine) -> None:
    """write fresh, as in the formula, and remaining, the other side of the right triangle."""
    for schedule, t, s, eta in ((cosine, 0.7, 0.4, 0.5), (edm, 5.0, 4.0, 1.0), (cosine, 0.9, 0.2, 0.8)):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
        inside = sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2
        root = math.sqrt(inside)
        pair = partial(_sides, sigma_s)
        fresh = eta * sigma_s / sigma_t * root
        refuse_slips(mine(schedule, t, s, eta), pair(fresh), {
            "remaining is sigma_s: then the old noise is counted in full, and the new one added.": (fresh, sigma_s),
            "sides of a triangle do not add up, their squares do: remaining is no plain difference.":
                (fresh, sigma_s - fresh),
            "remaining is a square: take its root.": (fresh, sigma_s**2 - fresh**2),
            "remaining is the side of a triangle with hypotenuse sigma_t: it is sigma_s.":
                (fresh, math.sqrt(sigma_t**2 - fresh**2)),
            "sigma_s / sigma_t is missing in fresh: that is the forward step's noise.": pair(eta * root),
            "sigma_s / sigma_t is upside down in fresh.": pair(eta * sigma_t / sigma_s * root),
            "the root is missing in fresh.": pair(eta * sigma_s / sigma_t * inside),
            "eta is squared, or under the root: it multiplies the whole.": pair(eta * fresh),
            "eta under the root counts as its root: it multiplies the whole.": pair(fresh / math.sqrt(eta)),
            "eta is missing.": pair(fresh / eta),
            "the two are in the wrong order: fresh first.": pair(fresh)[::-1],
        }, f"wrong on {schedule.__name__} from {t} to {s}: fresh should be {fresh:.3f} there.")  # fmt: skip


def _sides(hypotenuse: float, side: float) -> tuple[float, float]:
    """Both sides of a right triangle, by its hypotenuse and one of them; 0 where it does not close."""
    return side, math.sqrt(max(0.0, hypotenuse**2 - side**2))


def our_split(schedule: Schedule, t: float, s: float, eta: float) -> tuple[float, float]:
    """(fresh, remaining) of a step, whose squares add up to sigma_s squared.

    schedule: the path.
    t, s: the time that is left and the time that is reached.
    eta: 0 for DDIM, 1 for DDPM.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    if eta == 0:
        return 0.0, sigma_s
    fresh = eta * sigma_s / sigma_t * math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
    return fresh, math.sqrt(sigma_s**2 - fresh**2)


def step(mine) -> None:
    """return alpha_s times x0, plus remaining times eps, plus fresh times z."""
    x_t, x0, eps, t, s, eta = (*(normal(3, 2, seed=seed) for seed in (0, 1, 2)), 0.8, 0.3, 0.6)
    asked = []

    def predict(x, time):
        asked.append(time)
        return Prediction(x0, eps)

    dice = lambda: torch.Generator().manual_seed(3)
    z = torch.randn(x_t.shape, generator=dice(), dtype=x_t.dtype)
    got = mine(Denoiser(cosine, predict), x_t, t, s, eta=eta, generator=dice())
    assert asked == [t], "the denoiser should be asked once, at t."
    (alpha_t, _), (alpha, sigma) = evaluate(cosine, t), evaluate(cosine, s)
    fresh, remaining = our_split(cosine, t, s, eta)
    refuse_slips(got, alpha * x0 + remaining * eps + fresh * z, {
        "the old noise is counted in full: remaining belongs where sigma_s stands.":
            alpha * x0 + sigma * eps + fresh * z,
        "fresh and remaining have changed places.": alpha * x0 + fresh * eps + remaining * z,
        "the fresh noise is missing.": alpha * x0 + remaining * eps,
        "the old noise is missing.": alpha * x0 + fresh * z,
        "alpha_s is missing: the path scales the clean part.": x0 + remaining * eps + fresh * z,
        "alpha is that of t: the new state belongs to s.": alpha_t * x0 + remaining * eps + fresh * z,
        "the state x_t stands where eps belongs.": alpha * x0 + remaining * x_t + fresh * z,
        "fresh is squared: z is multiplied by a standard deviation.": alpha * x0 + remaining * eps + fresh**2 * z,
        "the sign of the old noise is turned.": alpha * x0 - remaining * eps + fresh * z,
    }, "it should be alpha_s * x0 + remaining * eps + fresh * z.")  # fmt: skip
    assert mine(of_gaussian(0.0, 0.5, cosine), x_t, t, s).isfinite().all(), "at eta = 0 it is not finite."


def our_step(denoiser: AnyDenoiser, x_t: Tensor, t: float, s: float, *, eta: float = 0.0,
             generator: torch.Generator | None = None) -> Tensor:  # fmt: skip
    """x_s, (B, *): predict, then remix with the noise split in two.

    denoiser, x_t, t, s: predicts from x_t at t; the result is x_s.
    eta: 0 for DDIM, 1 for DDPM.
    generator: of the fresh noise.
    """
    x0, eps = denoiser(x_t, t)
    fresh, remaining = our_split(denoiser.schedule, t, s, eta)
    z = torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return evaluate(denoiser.schedule, s)[0] * x0 + remaining * eps + fresh * z


def slerp(mine) -> None:
    """return sin((1 - u) theta) a plus sin(u theta) b, over sin(theta)."""
    a, b = 3 * torch.tensor([[1.0, 0.0]]).double(), 3 * torch.tensor([[0.5, 0.75**0.5]]).double()
    theta = torch.acos((a * b).sum() / (a.norm() * b.norm()))  # 60 degrees
    one, other = lambda u: torch.sin((1 - u) * theta), lambda u: torch.sin(u * theta)
    u = torch.tensor(0.25).double()
    right_angle = torch.cos(math.pi / 2 * u) * a + torch.sin(math.pi / 2 * u) * b
    refuse_slips(mine(a, b, u), (one(u) * a + other(u) * b) / torch.sin(theta), {
        "a and b have changed places: u = 0 is a.": (other(u) * a + one(u) * b) / torch.sin(theta),
        "sin(theta) is missing below: at u = 0 it should give a itself.": one(u) * a + other(u) * b,
        "that is the straight line, which leaves the shell.": (1 - u) * a + u * b,
        "right at a right angle only: put theta in the place of pi / 2.": right_angle,
        "theta stands outside the sine: it is sin(u * theta).":
            (theta * torch.sin(1 - u) * a + theta * torch.sin(u) * b) / torch.sin(theta),
        "divide by sin(theta), not by theta.": (one(u) * a + other(u) * b) / theta,
    }, "it should be (sin((1 - u) theta) a + sin(u theta) b) / sin(theta).")  # fmt: skip
    long = mine(a, b, torch.tensor(0.6).double()).norm()
    assert abs(long - 3) < 1e-3, f"between two vectors of length 3 it has length {long:.3f}: the arc keeps it."


def our_slerp(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """From a (u = 0) to b (u = 1) along the arc between them."""
    theta = torch.acos((a * b).sum() / (a.norm() * b.norm()))
    return (torch.sin((1 - u) * theta) * a + torch.sin(u * theta) * b) / torch.sin(theta)


def half(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(math.sqrt(16 - 1.2**2)), {
        "that is fresh: remaining is the other side.": 1.2,
        "squares add up, not sides.": 4 - 1.2,
        "that is remaining at eta = 1.": 3.2,
        "take the root.": 16 - 1.2**2,
        "that has hypotenuse 5: the new level is 4.": math.sqrt(25 - 1.2**2),
        "eta multiplies fresh, not its square.": math.sqrt(16 - 2.4**2 / 2),
    }, "fresh is 2.4 / 2; its square and remaining's add up to 16.")  # fmt: skip


def our_half() -> float:
    """The other side of a right triangle with hypotenuse 4 and side 1.2."""
    return math.sqrt(16 - 1.2**2)


def survives(mine) -> None:
    """return what is left at any eta, a ratio times a correlation to some power."""
    for alpha, r0, r in ((0.8, 0.5, 0.72), (0.3, 2.0, 1.13)):
        kept, link = r0 / r, alpha * r0 / r
        for eta in (0.6, 1.0, 0.0):
            refuse_slips(float(mine(alpha, r0, r, eta)), torch.tensor(kept * link ** (eta**2)), {
                "eta itself is the power: the fresh variance grows as eta squared.": kept * link**eta,
                "it does not depend on eta: that is eta = 0.": kept,
                "it does not depend on eta: that is eta = 1.": kept * link,
                "eta squared multiplies: it is a power, since factors of steps multiply.": kept * link * eta**2,
                "the correlation has lost its r0: it is alpha r0 / r.": kept * (alpha / r) ** (eta**2),
                "the first factor is upside down.": link ** (eta**2) / kept,
                "the power is halved or doubled.": kept * link ** (2 * eta**2),
            }, f"at alpha = {alpha}, r0 = {r0}, r = {r}, eta = {eta} it is another number.")  # fmt: skip


def our_survives(alpha: float, r0: float, r: float, eta: float) -> float:
    """The share of a displacement at t that is left at the end, with very many steps.

    alpha: of the path at t.
    r0: standard deviation of the data.
    r: of the noisy data at t.
    eta: 0 for DDIM, 1 for DDPM.
    """
    return r0 / r * (alpha * r0 / r) ** (eta**2)
