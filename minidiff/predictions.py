"""What a denoiser knows: the clean sample and the noise, two views of one guess.

Whatever a network is trained to output is a mixture  out = a * x0 + b * eps.
Together with the path  x_t = alpha * x0 + sigma * eps  that is two equations in two unknowns:

    [x_t]   [alpha  sigma] [ x0]
    [out] = [  a      b  ] [eps]

so every target is one pair (a, b), and one 2x2 solve decodes them all.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn

from .schedules import Schedule, Time, angle, at, evaluate, rates, time_at


class Prediction:
    """A guess at both ingredients of x_t = alpha * x0 + sigma * eps, each (B, *):  x0, eps = prediction.

    Two known mixtures of x0 and eps fix every other one. What a network said is kept as the two that are at hand, x_t
    and its output, with the inverse of the system above: `mix` then makes any mixture of (x0, eps) in one pass over
    them, and x0 and eps are mixtures like the rest. They are computed when asked for, so do not change x_t in place
    before. fraction, (B, *) or None: a learned variance, as far as the large one in log variance (Nichol & Dhariwal
    2021, Eq. 15).
    """

    __slots__ = ("fraction", "inverse", "known")

    def __init__(self, x0: Tensor, eps: Tensor, fraction: Tensor | None = None):
        self.known, self.inverse, self.fraction = (x0, eps), ((1.0, 0.0), (0.0, 1.0)), fraction

    @classmethod
    def from_mixtures(cls, first: Tensor, second: Tensor, inverse: tuple[tuple[float, float], ...]) -> "Prediction":
        """The guess with x0 = p * first + q * second, eps = r * first + s * second; inverse: ((p, q), (r, s))."""
        guess = cls(first, second)
        guess.inverse = inverse
        return guess

    def mix(self, a: float, b: float) -> Tensor:
        """a * x0 + b * eps, (B, *): a noisy sample, a velocity or a target, as the numbers a and b say."""
        (p, q), (r, s) = self.inverse
        return combine(a * p + b * r, self.known[0], a * q + b * s, self.known[1])

    @property
    def x0(self) -> Tensor:
        return self.mix(1.0, 0.0)

    @property
    def eps(self) -> Tensor:
        return self.mix(0.0, 1.0)

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.x0, self.eps))

    def __repr__(self) -> str:
        return f"Prediction(x0={self.x0}, eps={self.eps}, fraction={self.fraction})"


Target = Callable[[Schedule, Tensor], tuple[Tensor, Tensor]]


def x0_target(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """Predict the clean sample."""
    return torch.ones_like(t), torch.zeros_like(t)


def eps_target(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """Predict the noise (Ho et al. 2020, Eq. 14)."""
    return torch.zeros_like(t), torch.ones_like(t)


def v_target(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """Predict v = alpha * eps - sigma * x0 (Salimans & Ho 2022, Appendix D)."""
    alpha, sigma = schedule(t)
    return -sigma, alpha


def velocity_target(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """Predict the velocity along the path, dx_t/dt = alpha' x0 + sigma' eps (Lipman et al. 2023, Eq. 23)."""
    return rates(schedule, t)


def edm_target(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """Predict EDM's F (Karras et al. 2022, Eq. 7 and Table 1, at sigma_data = 1); where alpha^2 + sigma^2 = 1 it is -v."""
    alpha, sigma = schedule(t)
    length = (alpha**2 + sigma**2).sqrt()
    return sigma / length, -alpha / length


TARGETS: dict[str, Target] = {
    "x0": x0_target,
    "eps": eps_target,
    "v": v_target,
    "velocity": velocity_target,
    "edm": edm_target,
}


@cache
def coefficients(target: str, schedule: Schedule) -> Schedule:
    """The pair (a, b) of a target as a function of time alone."""
    if target not in TARGETS:
        raise ValueError(f"unknown target {target!r}; choose from {', '.join(TARGETS)}")
    return partial(TARGETS[target], schedule)


def combine(a: float, x: Tensor, b: float, y: Tensor) -> Tensor:
    """a * x + b * y for numbers a and b, in as few passes as it takes: a walk costs little more than its network."""
    if a == 0:
        return y if b == 1 else b * y
    x = x if a == 1 else a * x
    return x if b == 0 else torch.add(x, y, alpha=b)


def solve(x_t: Tensor, out: Tensor, target: str, schedule: Schedule, t: Time) -> Prediction:
    """Recover (x0, eps) from x_t and a network output, both (B, *): Cramer's rule for the 2x2 system above.

    At sigma = 0 nothing is hidden: x0 = x_t / alpha, eps = 0. Raises ValueError where the target says nothing
    that x_t did not already say, that is, where the determinant alpha * b - sigma * a vanishes.
    """
    alpha, sigma = at(schedule, t, x_t)
    a, b = at(coefficients(target, schedule), t, x_t)
    det = alpha * b - sigma * a
    if isinstance(det, Tensor):  # every sample at its own t
        clean = sigma == 0
        _refuse(det.masked_fill(clean, 1.0).abs().min(), target)
        x0, eps = (b * x_t - sigma * out) / det, (alpha * out - a * x_t) / det
        return Prediction(torch.where(clean, x_t / alpha, x0), torch.where(clean, 0.0, eps))
    if sigma == 0:
        return Prediction(x_t / alpha, 0 * x_t)
    _refuse(abs(det), target)
    return Prediction.from_mixtures(x_t, out, ((b / det, -sigma / det), (-a / det, alpha / det)))


def _refuse(det: float | Tensor, target: str) -> None:
    if det < 1e-7:  # not == 0: in float32 the cosine of a right angle is -4e-8
        raise ValueError(
            f"a network that predicts {target!r} cannot tell x0 from eps at this t: its determinant "
            f"alpha * b - sigma * a is {float(det):.0e}; keep t away from that end, or predict 'v'"
        )


@dataclass(frozen=True)
class Denoiser:
    """Anything that answers  denoiser(x_t, t) -> (x0, eps)  on a schedule of its own."""

    schedule: Schedule
    predict: Callable[..., Prediction]

    def __call__(self, x_t: Tensor, t: Time, **cond) -> Prediction:
        return self.predict(x_t, t, **cond)


class LearnedDenoiser(nn.Module):
    """A network whose output is read as `target` on `schedule`; a Denoiser too.

    net: forward(x, level, **cond), with level (B,) the noise angle in [0, 1]. A network with twice x's channels predicts
    its variance too, in the second half: -1 is the small one, 1 the large. Raises ValueError for an unknown target.
    """

    def __init__(self, net: nn.Module, schedule: Schedule, target: str = "v"):
        super().__init__()
        coefficients(target, schedule)  # refuse an unknown name now, not after an hour of training
        self.net, self.schedule, self.target = net, schedule, target

    def output(self, x_t: Tensor, t: Time, **cond) -> Tensor:
        """The raw output of the network, which sees an input of unit variance and the noise angle."""
        alpha, sigma = at(self.schedule, t, x_t)
        level, size = angle(alpha, sigma), (alpha**2 + sigma**2) ** 0.5
        if isinstance(level, Tensor):
            return self.net(x_t / size, level.to(x_t).reshape(-1).expand(len(x_t)), **cond)
        seen = x_t if abs(size - 1) < 1e-12 else x_t / size
        return self.net(seen, x_t.new_full((len(x_t),), level), **cond)

    def forward(self, x_t: Tensor, t: Time, **cond) -> Prediction:
        out, fraction = self.output(x_t, t, **cond), None
        if out.shape[1] == 2 * x_t.shape[1]:
            out, fraction = out.chunk(2, 1)
        prediction = solve(x_t, out, self.target, self.schedule, t)
        prediction.fraction = None if fraction is None else (fraction + 1) / 2
        return prediction


AnyDenoiser = Denoiser | LearnedDenoiser


def rescale(x_t: Tensor, source: Schedule, t: float, goal: Schedule, s: float) -> Tensor:
    """The same noisy sample on another path, where s is as noisy as t is on the first."""
    return x_t * (math.hypot(*evaluate(goal, s)) / math.hypot(*evaluate(source, t)))


def on_path(denoiser: AnyDenoiser, schedule: Schedule) -> Denoiser:
    """The same denoiser on another path: find where its own is as noisy, rescale x_t, ask there. Sampling times only.

    x0 and eps mean the same on every path, so the guess needs no translation (Karras et al. 2022, Appendix C).
    """
    own = denoiser.schedule

    def predict(x_t: Tensor, t: Time, **cond) -> Prediction:
        u = time_at(own, angle(*evaluate(schedule, float(t))))
        return denoiser(rescale(x_t, schedule, float(t), own, u), u, **cond)

    return Denoiser(schedule, predict)
