"""What a denoiser knows: the clean sample and the noise, two views of one prediction.

Whatever a network is trained to output is a mixture  out = a * x0 + b * eps.
Together with the path  x_t = alpha * x0 + sigma * eps  that is two equations in two unknowns:

    [x_t]   [alpha  sigma] [ x0]
    [out] = [  a      b  ] [eps]

so every target is one pair (a, b), and one 2x2 solve decodes them all.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .conditions import complete, nulls_of
from .refusals import call, choice, described, instance, number, samples
from .schedules import Schedule, Time, angle, at, evaluate, pair, rates, t_max, time_at

Inverse = tuple[tuple[float, float], tuple[float, float]]
IDENTITY: Inverse = ((1.0, 0.0), (0.0, 1.0))


class Prediction:
    """The predicted x0 and eps of x_t = alpha * x0 + sigma * eps, each (B, *):  x0, eps = prediction.

    Stores x_t and the network output with the inverse of the 2x2 system above; x0, eps and any a * x0 + b * eps are
    computed on access, each in one pass. Do not modify x_t in place while a Prediction is in use.

    x0, eps: (B, *), or with an inverse the two tensors that it mixes.
    fraction: (B, *) or None: a learned variance, from 0, the small one, to 1, the large, in log variance (Nichol &
    Dhariwal 2021, Eq. 15).
    inverse: ((p, q), (r, s)): x0 = p * first + q * second, eps = r * first + s * second.
    """

    __slots__ = ("fraction", "inverse", "known")

    def __init__(self, x0: Tensor, eps: Tensor, fraction: Tensor | None = None, inverse: Inverse = IDENTITY):
        self.known, self.fraction, self.inverse = (x0, eps), fraction, inverse

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
    alpha, sigma = pair(schedule, t)
    return -sigma, alpha


def velocity_target(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """Predict the velocity along the path, dx_t/dt = alpha' x0 + sigma' eps (Lipman et al. 2023, Eq. 23)."""
    return rates(schedule, t)


def edm_target(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """Predict EDM's F (Karras et al. 2022, Eq. 7, Table 1, at sigma_data = 1); where alpha^2 + sigma^2 = 1 it is -v."""
    alpha, sigma = pair(schedule, t)
    length = (alpha**2 + sigma**2).sqrt()
    return sigma / length, -alpha / length


_TARGETS = (x0_target, eps_target, v_target, velocity_target, edm_target)
TARGETS: dict[str, Target] = {f.__name__.removesuffix("_target"): f for f in _TARGETS}  # "x0", "eps", ...


def target_of(name: str) -> Target:
    """The target of that name. Raises ValueError where there is none."""
    return TARGETS[choice("target", name, TARGETS)]


def coefficients(target: str, schedule: Schedule) -> Schedule:
    """The pair (a, b) of a target as a function of time alone."""
    curve = partial(target_of(target), schedule)
    curve.t_max = t_max(schedule)  # type: ignore[attr-defined]
    return curve


def combine(a: float, x: Tensor, b: float, y: Tensor) -> Tensor:
    """a * x + b * y, in as few passes as it takes: sampling costs little more than its network.

    a, b: numbers.
    x, y: (B, *), of one shape.
    """
    if a == 0:
        return y if b == 1 else b * y
    x = x if a == 1 else a * x
    return x if b == 0 else torch.add(x, y, alpha=b)


def solve(x_t: Tensor, out: Tensor, target: str, schedule: Schedule, t: Time) -> Prediction:
    """Recover (x0, eps) from x_t and a network output, both (B, *): Cramer's rule for the 2x2 system above.

    x_t, out: (B, *), the noisy samples and what the network said of them.
    target: a name in TARGETS, what the output means.
    schedule, t: the path, and a float, or a tensor () or (B,), on it.

    At sigma = 0 nothing is hidden: x0 = x_t / alpha, eps = 0. Raises ValueError where the target says nothing
    that x_t did not already say, that is, where the determinant alpha * b - sigma * a vanishes.
    """
    kind = TARGETS.get(str(target)) or target_of(target)
    samples("x_t", x_t, 0)
    if not isinstance(out, Tensor) or out.shape != x_t.shape:
        raise TypeError(f"x_t and out must be tensors of one shape; got {described(x_t)} and {described(out)}")
    samples("out", out, 0)
    if isinstance(t, Tensor):  # each sample at its own t; what is not chosen must have finite gradients too
        (alpha, sigma), (a, b) = at(schedule, t, x_t), at(schedule, t, x_t, kind)
        clean = sigma == 0
        det = (alpha * b - sigma * a).masked_fill(clean, 1.0)
        _refuse(det.abs().min(), target)
        x0, eps = (b * x_t - sigma * out) / det, (alpha * out - a * x_t) / det
        return Prediction(torch.where(clean, x_t / alpha.masked_fill(~clean, 1.0), x0), torch.where(clean, 0.0, eps))
    (alpha, sigma), (a, b) = evaluate(schedule, t), evaluate(schedule, t, kind)
    if sigma == 0:
        return Prediction(x_t / alpha, 0 * x_t)
    det = alpha * b - sigma * a
    _refuse(abs(det), target)
    return Prediction(x_t, out, inverse=((b / det, -sigma / det), (-a / det, alpha / det)))


def _refuse(det: float | Tensor, target: str) -> None:
    if det < 1e-7:  # not == 0: rounding
        why = f"its determinant alpha * b - sigma * a is {float(det):.0e}; keep t away from that end, or predict 'v'"
        raise ValueError(f"a network that predicts {target!r} cannot tell x0 from eps at this t: {why}")


@dataclass(frozen=True)
class Denoiser:
    """Anything that answers  denoiser(x_t, t) -> (x0, eps)  on a schedule of its own."""

    schedule: Schedule
    predict: Callable[..., Prediction]

    def __post_init__(self) -> None:
        t_max(self.schedule)  # refuse what is no schedule now
        instance("predict", self.predict, Callable, "a function (x_t, t) -> Prediction")

    def __call__(self, x_t: Tensor, t: Time, **cond) -> Prediction:
        return call("predict", self.predict, x_t, t, **cond)


class LearnedDenoiser(nn.Module):
    """A network whose output is read as `target` on `schedule`; a Denoiser too.

    net: forward(x, level, **cond), with level (B,) the noise angle in [0, 1]. A network with twice x's channels
    predicts its variance too, in the second half: -1 is the small one, 1 the large. Samples of another dtype than
    float32 are given to the network in its own dtype. Raises ValueError for an unknown target or another
    shape of output.
    """

    def __init__(self, net: nn.Module, schedule: Schedule, target: str = "v"):
        super().__init__()
        instance("net", net, Callable, "a network, an nn.Module")
        coefficients(target, schedule)  # refuse an unknown name now, not after an hour of training
        self.net, self.schedule, self.target = net, schedule, target

    def output(self, x_t: Tensor, t: Time, **cond) -> Tensor:
        """The raw output of the network, which sees an input of unit variance and the noise angle."""
        alpha, sigma = at(self.schedule, t, x_t)
        nulls = nulls_of(self.net)
        cond = cond if nulls is None else complete(cond, nulls, x_t)
        level, size = angle(alpha, sigma), (alpha**2 + sigma**2) ** 0.5
        if isinstance(level, Tensor):
            seen, level = x_t / size, level.reshape(-1).expand(len(x_t))
        else:
            seen = x_t if abs(size - 1) < 1e-12 else x_t / size
            level = x_t.new_full((len(x_t),), level)
        if x_t.dtype != torch.float32:
            own = next(self.net.parameters(), x_t).dtype
            seen, level = seen.to(own), level.to(own)
        out = call("net", self.net, seen, level, **cond)
        shape = getattr(out, "shape", type(out).__name__)
        if shape != x_t.shape and shape != (len(x_t), *(2 * n for n in x_t.shape[1:2]), *x_t.shape[2:]):
            raise ValueError(f"a network must return x's shape, {tuple(x_t.shape)}, or twice its channels; got {shape}")
        return out if out.dtype == x_t.dtype else out.to(x_t.dtype)

    def forward(self, x_t: Tensor, t: Time, **cond) -> Prediction:
        out, fraction = self.output(x_t, t, **cond), None
        if out.shape != x_t.shape:
            out, fraction = out.chunk(2, 1)
        prediction = solve(x_t, out, self.target, self.schedule, t)
        prediction.fraction = None if fraction is None else (fraction + 1) / 2
        return prediction


AnyDenoiser = Denoiser | LearnedDenoiser


def path_of(denoiser: AnyDenoiser) -> Schedule:
    """The denoiser's schedule. Raises TypeError for what is no denoiser, such as a network alone."""
    if not hasattr(denoiser, "schedule"):
        raise TypeError(f"give a denoiser, as LearnedDenoiser(net, cosine) is of a network; got {described(denoiser)}")
    return denoiser.schedule


def learned(denoiser: Any) -> LearnedDenoiser:
    """A denoiser that has a network. Raises TypeError for others."""
    return instance("denoiser", denoiser, LearnedDenoiser, "a LearnedDenoiser, a network with its schedule and target")


def rescale(x_t: Tensor, source: Schedule, t: float, goal: Schedule, s: float) -> Tensor:
    """The same noisy sample on another path, where s is as noisy as t is on the first; like x_t.

    x_t: (B, *), the noisy samples.
    source, t: the path they are on, and the float time on it.
    goal, s: the other path, and the float time on it.
    """
    return x_t * (math.hypot(*evaluate(goal, s)) / math.hypot(*evaluate(source, t)))


def on_path(denoiser: AnyDenoiser, schedule: Schedule) -> Denoiser:
    """The same denoiser on another path: find where its own is as noisy, rescale x_t, ask there. Sampling times only.

    x0 and eps mean the same on every path, so the prediction needs no translation (Karras et al. 2022, Appendix C).
    """
    own = path_of(denoiser)

    def predict(x_t: Tensor, t: Time, **cond) -> Prediction:
        t = number("t", t)
        u = time_at(own, angle(*evaluate(schedule, t)))
        return denoiser(rescale(x_t, schedule, t, own, u), u, **cond)

    return Denoiser(schedule, predict)
