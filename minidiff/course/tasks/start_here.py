"""Notebook 00, start here: checks of the reader's lines, and right ones to go on with."""

import math
from itertools import pairwise

import torch
from torch import Tensor

from ...exact import of_gaussian, of_points
from ...predictions import AnyDenoiser, Denoiser, Prediction
from ...samplers import ddim_step, last, sample
from ...schedules import cosine, uniform_times
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mix(mine) -> None:
    """write alpha times the picture plus sigma times the noise."""
    for t, seed in ((0.3, 0), (0.8, 2)):
        x0, eps = normal(3, 1, 4, 4, seed=seed), normal(3, 1, 4, 4, seed=seed + 1)
        alpha, sigma = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
        refuse_slips(mine(x0, eps, t), alpha * x0 + sigma * eps, {
            "alpha and sigma have changed places: alpha belongs to the picture.": sigma * x0 + alpha * eps,
            "the noise is subtracted: the formula has a plus.": alpha * x0 - sigma * eps,
            "the noise comes at full strength: multiply eps by sigma.": alpha * x0 + eps,
            "the picture comes at full strength: multiply x0 by alpha.": x0 + sigma * eps,
            "t itself is the weight here: alpha and sigma are in the line above.": (1 - t) * x0 + t * eps,
            "alpha and sigma are squared: the formula has no squares.": alpha**2 * x0 + sigma**2 * eps,
            "the noise is missing: add sigma * eps.": alpha * x0,
        }, "x_t should be alpha * x0 + sigma * eps.")  # fmt: skip


def our_mix(x0: Tensor, eps: Tensor, t: float) -> Tensor:
    """The noisy picture x_t, (B, *), of a clean one and noise, both (B, *)."""
    return math.cos(math.pi / 2 * t) * x0 + math.sin(math.pi / 2 * t) * eps


def draw(mine) -> None:
    """write the two lines in the loop: predict at t, then mix the two guesses at s."""
    x, x0, eps = (normal(3, 2, seed=seed) for seed in (4, 5, 6))
    times, asked = [1.0, 0.6, 0.3], []

    def predict(x_t: Tensor, t: float) -> Prediction:
        asked.append((x_t, t))
        return Prediction(x0, eps)

    end, again = (mine(Denoiser(cosine, predict), x, times) for _ in range(2))
    assert [t for _, t in asked[:1]] == times[:1], "the denoiser is asked at the wrong time: x is still at t."
    assert len(asked) == 4, "it does not ask once in each turn of the loop: is `return x` below the loop?"
    assert isinstance(end, Tensor), "it should return x, the last state."
    assert torch.equal(end, again), "two runs from one noise differ: draw no new noise, mix in the guess eps."
    half, whole = our_mix(x0, eps, 0.6), our_mix(x0, eps, 0.3)
    refuse_slips(end, whole, {
        "it remixes at t, so no noise is ever lost: remix at s.": half,
        "that is the guess of the clean picture alone: mix it with the guess of the noise.": x0,
        "x0 and eps have changed places: mix(x0, eps, s).": our_mix(eps, x0, 0.3),
        "the state x is mixed in where eps belongs.": our_mix(x0, our_mix(x0, x, 0.6), 0.3),
        "the state x is mixed in where x0 belongs.": our_mix(our_mix(x, eps, 0.6), eps, 0.3),
        "the sign of the noise is turned.": our_mix(x0, -eps, 0.3),
    }, "the last state should be mix(x0, eps, s).")  # fmt: skip
    assert torch.equal(asked[1][0], half), "the denoiser is asked about the first noise again: give it the new x."
    _goes_on_from_each_state(mine)


def _goes_on_from_each_state(mine) -> None:
    """For images, with a denoiser whose answers depend on what it is shown."""
    x, points = normal(3, 1, 2, 2, seed=7), of_points(normal(6, 1, 2, 2, seed=8), cosine)
    times = uniform_times(7)
    wanted = last(sample(ddim_step, points, x, times))
    refuse_slips(mine(points, x, times.tolist()), wanted, {}, "on another denoiser, in seven steps, it ends elsewhere.")


def our_draw(denoise: AnyDenoiser, x: Tensor, times: list[float]) -> Tensor:
    """From x (B, *), noise at the first of the times, to a picture at the last: predict, remix, repeat."""
    for t, s in pairwise(times):
        x0, eps = denoise(x, t)
        x = our_mix(x0, eps, s)
    return x


def twice(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(2 / math.pi * math.atan(2)), {
        "that is the angle: it is pi/2 times t.": math.atan(2),
        "that is the angle in degrees: t is 1 where it is 90.": math.degrees(math.atan(2)),
        "there the picture is twice as strong as the noise.": 2 / math.pi * math.atan(0.5),
        "there they are equally strong.": 0.5,
        "t and 1 - t are not the weights here: sigma / alpha is a tangent.": 2 / 3,
        "there the variance of the noise is twice the picture's: no root is needed.": 2 / math.pi * math.atan(2**0.5),
        "that is where sigma = 0.5 alone: divide by alpha.": 1 / 3,
    }, "solve tan(pi/2 t) = 2.")  # fmt: skip


def our_twice() -> float:
    """Where sigma is twice alpha."""
    return 2 / math.pi * math.atan(2)


def guided(mine) -> None:
    """write the point on the line through untold (scale 0) and told (scale 1)."""
    untold, told = normal(3, 1, 2, 2, seed=9), normal(3, 1, 2, 2, seed=10)
    for scale in (3.0, 0.25):
        step = told - untold
        refuse_slips(mine(untold, told, scale), untold + scale * step, {
            "at scale 0 it gives told: begin at untold.": told + scale * step,
            "told and untold have changed places.": told - scale * step,
            "that is the way from untold to told, without its beginning: add untold.": scale * step,
            "the direction is turned: from untold to told is told - untold.": untold - scale * step,
            "that is told, multiplied: untold is not in it.": scale * told,
            "at scale 1 it should give told: multiply the difference only.": untold + scale * told,
        }, "at scale 0 it should give untold, at scale 1 told, and between and beyond go straight on.")  # fmt: skip


def our_guided(untold: Tensor, told: Tensor, scale: float) -> Tensor:
    """On the line through two guesses, (B, *): scale 0 gives untold, 1 told, and 3 three times as far."""
    return untold + scale * (told - untold)


def recognised(mine) -> None:
    """draw from z in so many steps, and return the share that the judge takes for what was wanted."""
    z, wanted, denoise = normal(90, 1, 2, 2, seed=11), torch.arange(90) % 3, of_gaussian(0.7, 1.5, cosine)
    for steps in (2, 9):
        end, early = (our_draw(denoise, z, uniform_times(steps).tolist()[:cut]) for cut in (None, -1))
        hits = lambda x: (_Judge().classify(x) == wanted).double()
        refuse_slips(float(mine(denoise, _Judge(), z, wanted, steps)), hits(end).mean(), {
            "that is how many, not which share: take the mean.": float(hits(end).sum()),
            "the judge was shown the noise: draw first.": float(hits(z).mean()),
            "that is the share it does not recognise.": 1 - float(hits(end).mean()),
            "the walk ends before t = 0.": float(hits(early).mean()),
            "the number of steps is not used: uniform_times(steps).":
                float(hits(our_draw(denoise, z, uniform_times(25).tolist())).mean()),
        }, f"in {steps} steps it should be the mean of (judge.classify(pictures) == wanted).")  # fmt: skip


class _Judge:
    """It goes by brightness: 0, 1 or 2."""

    def classify(self, x: Tensor) -> Tensor:
        return (1 + x.flatten(1).mean(1)).clamp(0, 2).round().long()


def our_recognised(denoise: AnyDenoiser, judge, z: Tensor, wanted: Tensor, steps: int) -> Tensor:
    """The share of pictures that the judge recognises.

    denoise: what predicts x0 and eps.
    judge: has `classify(images)`.
    z: (B, *), the noise they begin with.
    wanted: (B,), the classes.
    steps: how many.
    """
    pictures = our_draw(denoise, z, uniform_times(steps).tolist())
    return (judge.classify(pictures) == wanted).double().mean()
