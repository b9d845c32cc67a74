"""Notebook 12, a U-Net and the first images: checks of the reader's lines, and right ones to go on with."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...networks import layers
from ...networks import unet as networks
from ...predictions import AnyDenoiser, Denoiser, Prediction
from ...schedules import cosine, evaluate
from ..exercises import refuse_slips
from .guidance import normal

OurBlock = layers.Block


class OurUNet(networks.UNet):
    """The package's U-Net of ten classes, for pictures of any size.

    width, deep_width, deep_blocks: as there.
    """

    def __init__(self, width: int = 32, deep_width: int = 64, deep_blocks: int = 2) -> None:
        super().__init__(classes=10, width=width, deep_width=deep_width, deep_blocks=deep_blocks)

    def forward(self, x: Tensor, level: Tensor, y=None) -> Tensor:  # type: ignore[override]
        self.config["size"] = list(x.shape[2:])
        return super().forward(x, level, y)


def spoken(build: Any, seed: int) -> Any:
    """A new network whose every weight is drawn, in float64: at birth some are 0, and what they hide is not seen."""
    with torch.random.fork_rng(devices=[]):
        net = build().double()
    for k, weights in enumerate(net.parameters()):
        weights.data = 0.3 * normal(*weights.shape, seed=1000 * seed + k)
    return net


def ran(net: nn.Module, *given: Tensor, hint: str) -> Tensor:
    """What it answers; AssertionError with the hint where shapes do not fit."""
    try:
        return net(*given)
    except RuntimeError as error:  # NotImplementedError too
        hint = "self.down and self.deep are lists: call one of their blocks." if "ModuleList" in str(error) else hint
        said = " ".join(str(error).split())
        raise AssertionError(f"{hint} ({said[:100]}{'...' * (len(said) > 100)})") from error


@torch.no_grad()
def block(mine) -> None:
    """write the two missing lines of forward: normalise, scale and shift; then x and what is added to it."""
    for c_in, c_out, seed in ((8, 8, 0), (16, 24, 1)):
        b, theirs = spoken(partial(mine, c_in, c_out, 12), seed), OurBlock(c_in, c_out, 12)
        theirs.double().load_state_dict(b.state_dict())
        x, emb = normal(3, c_in, 6, 4, seed=2), normal(3, 12, seed=3)
        hint = "x has another number of channels than what is added: self.skip(x) brings it to theirs."
        got, h = ran(b, x, emb, hint=hint), b.conv1(F.silu(b.norm1(x)))
        (scale, shift), n = b.scale_shift(emb)[:, :, None, None].chunk(2, 1), b.norm2(h)
        full = n * (1 + scale) + shift
        out = lambda h, b=b, x=x: b.skip(x) + b.conv2(F.silu(h))
        refuse_slips(got, theirs(x, emb), {
            "the noise level has no say: scale and shift are not used.": out(n),
            "scale comes without its 1: at scale 0 a channel should pass, not vanish.": out(n * scale + shift),
            "scale and shift have changed places.": out(n * (1 + shift) + scale),
            "self.norm2 undoes the scaling before it: it comes first.": out(b.norm2(h * (1 + scale) + shift)),
            "self.norm2 is missing: normalise h before it is scaled.": out(h * (1 + scale) + shift),
            "x is missing: the block adds to what passes through it.": b.conv2(F.silu(full)),
            "the nonlinearity is missing: F.silu comes before the second convolution too.": b.skip(x) + b.conv2(full),
            "what passes through is x, not h.": full + b.conv2(F.silu(full)),
        }, "it should be skip(x) + conv2(silu(norm2(h) * (1 + scale) + shift)).")  # fmt: skip


def wired(net, x: Tensor, level: Tensor, y: Tensor, kind: str = "") -> Tensor:
    """A U-Net's answer, with one thing done in another way.

    net, x, level, y: as it is called.
    kind: what is done otherwise, "turned", "stem", "twice", "apart", "none" or "lost".
    """
    emb, stem = F.silu(net.condition(level, y, len(x))), net.stem(F.pixel_unshuffle(x, 2))
    side = stem if kind == "none" else net.down[0](stem, emb)
    first = h = net.shrink(side)
    for b in net.deep:
        h = b(first, emb) if kind == "apart" else h + b(h, emb) if kind == "twice" else b(h, emb)
    h = F.interpolate(net.widen(h), scale_factor=2.0)
    arms = {"turned": (side, h), "stem": (h, stem), "lost": (h, h)}.get(kind, (h, side))
    return F.pixel_shuffle(net.last(F.silu(net.norm(net.up[0](torch.cat(arms, 1), emb)))), 2)


@torch.no_grad()
def unet(mine) -> None:
    """write the three missing lines of forward: the way down, the deep blocks, and both arms side by side."""
    net, theirs = spoken(lambda: mine(16, 24, 2), 0), OurUNet(16, 24, 2).double()
    theirs.load_state_dict(net.state_dict())
    hint = "channels do not fit: a deep block takes what the one before made, the last block torch.cat([h, side], 1)."
    for size in (28, 12):
        x, level, y = normal(3, 1, size, size, seed=size), torch.tensor([0.1, 0.5, 0.9]).double(), torch.arange(3) + 8
        got = ran(net, x, level, y, hint=hint)
        same = torch.allclose(net(x, level.flip(0), y)[0], got[0])
        assert not same, "another noise level gives the same answer: pass emb to every block."
        refuse_slips(got, theirs(x, level, y), {said: wired(net, x, level, y, kind) for said, kind in {
            "the arms have changed places: what comes up from the deep half stands first.": "turned",
            "the skip carries what the stem made: it should carry what the block on the way down makes of it.": "stem",
            "a deep block adds by itself: h = block(h, emb), without another h.": "twice",
            "the block on the way down is not used: side = self.down[0](h, emb).": "none",
            "nothing is left of the way down, h stands there twice: the skip, side, is missing.": "lost",
            "each deep block gets the same map: hand h on from block to block.": "apart",
        }.items()}, "side = down(h), h = block(h, emb) for each deep block, then torch.cat([h, side], 1).")  # fmt: skip


def floors(mine) -> None:
    """return the two floors, from alpha, sigma and V."""
    V = torch.tensor([0.9, 0.31, 0.02], dtype=torch.float64)
    for alpha, sigma in ((0.6, 0.8), (0.28, 0.96), (0.8, 0.6)):
        twice, sign = our_floors(alpha, sigma, V)
        refuse_slips(mine(alpha, sigma, V), (twice, sign), {
            "drawn twice: nobody can know the fresh noise, so alpha^2 is added.": (sigma**2 * V, sign),
            "drawn twice: variances add with the squares of their factors, alpha^2 too.": (alpha + sigma**2 * V, sign),
            "drawn twice: the fresh noise has variance 1, not V.": ((alpha**2 + sigma**2) * V, sign),
            "wrong sign: the noise holds x0 as well. Put in eps = (x_t - alpha x0) / sigma.": (twice, sigma**2 * V),
            "wrong sign: the factor of x0 comes in squared.": (twice, abs(sigma**2 - alpha**2) / sigma * V),
            "wrong sign: sigma stands below, so it is squared too.": (twice, (sigma**2 - alpha**2) ** 2 * V / sigma),
            "wrong sign: that is the floor of the right lesson.": (twice, V / sigma**2),
            "the two have changed places.": (sign, twice),
        }, "each is a sum over what x_t does not settle: the factor squared, times the variance.")  # fmt: skip


def our_floors(alpha, sigma, V: Tensor) -> tuple[Tensor, Tensor]:
    """The floors of two wrong lessons, with the noise drawn twice and with a wrong sign.

    alpha, sigma: of the path.
    V: the variance of x0 that is left once x_t is known.
    """
    return alpha**2 + sigma**2 * V, (sigma**2 - alpha**2) ** 2 * V / sigma**2


CULPRITS = {
    "A": ("sampler", "what does the package's sampler make of its denoiser?"),
    "B": ("denoiser", "its sampler is sound, and its loss lies above 1: can ignorance do that?"),
    "C": ("denoiser", "its drawings are clean, and its sampler is sound: are they what was asked for?"),
    "D": ("training", "its loss lies between 1 and healthy at every level, and all else is sound: what mends it?"),
}


def culprits(mine) -> None:
    """put "sampler", "denoiser" (a bug in it) or "training" (too little of it) in place of each dot."""
    said = mine()
    words = {culprit for culprit, _ in CULPRITS.values()}
    if not isinstance(said, dict) or set(said) != set(CULPRITS) or not set(map(str, said.values())) <= words:
        raise AssertionError("it should name one culprit for each of A, B, C and D: sampler, denoiser or training.")
    for patient, (culprit, why) in CULPRITS.items():
        assert said[patient] == culprit, f"{patient}: look again; {why}"


def our_culprits() -> dict[str, str]:
    """Who is ill, by patient."""
    return {patient: culprit for patient, (culprit, _) in CULPRITS.items()}


def wide(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(82.0), {
        "that is the view with two blocks, or with one convolution a block: each has two.": 50.0,
        "two blocks more have four convolutions, not two.": 66.0,
        "the stacked pixels are a view of 2 to begin with.": 80.0,
        "the convolution that goes down adds one step of the half-size grid, 4 pixels.": 78.0,
        "a kernel reaches to both sides: each layer adds two steps, not one.": 42.0,
        "these are the pixels it adds to the 50 of two blocks: what is the whole view?": 32.0,
    }, "2, and 4 for each of three layers, and 4, and 8 for each of eight.")  # fmt: skip


def our_wide() -> float:
    """Pixels in view of the shipped network."""
    return 82.0


def ironed(mine) -> None:
    """write the loop with its planted fault: sigma squared where sigma belongs."""
    x, times, y = normal(2, 1, 4, 4, seed=0), torch.tensor([0.9, 0.6, 0.3]).double(), torch.tensor([3, 4])
    x0, eps = normal(2, 1, 4, 4, seed=1), normal(2, 1, 4, 4, seed=2)

    def predict(x_t, t, y=None):
        assert y is not None, "the denoiser is not told the class: hand y on, denoiser(x, t, y=y)."
        return Prediction(x0 + 0.1 * t * x_t, eps - 0.2 * t * x_t)

    def looped(mix, ask=lambda t, s: t, level=lambda t, s: s):
        z = x
        for t, s in pairwise(times.tolist()):
            z = mix(*predict(z, ask(t, s), y), *evaluate(cosine, level(t, s)))
        return z

    planted = lambda x0, eps, a, s: a * x0 + s**2 * eps
    refuse_slips(mine(Denoiser(cosine, predict), x, times, y), looped(planted), {
        "that is the sound loop: the fault is still to be planted.": looped(lambda x0, eps, a, s: a * x0 + s * eps),
        "no noise is mixed in at all: sigma squared times eps belongs there.": looped(lambda x0, eps, a, s: a * x0),
        "alpha and sigma are those of t: remix at s.": looped(planted, level=lambda t, s: t),
        "the denoiser is asked at s: x is still at t.": looped(planted, ask=lambda t, s: s),
        "alpha is missing.": looped(lambda x0, eps, a, s: x0 + s**2 * eps),
    }, "predict at t, look up alpha and sigma at s, then alpha * x0 + sigma**2 * eps.")  # fmt: skip


def our_ironed(denoiser: AnyDenoiser, x: Tensor, times: Tensor, y: Tensor) -> Tensor:
    """The loop of notebook 03 with a planted fault: sigma squared where sigma belongs.

    denoiser: what predicts.
    x: noise, to begin with.
    times: from 1 to 0.
    y: the classes.
    """
    for t, s in pairwise(times.tolist()):
        x0, eps = denoiser(x, t, y=y)
        alpha, sigma = evaluate(cosine, s)
        x = alpha * x0 + sigma**2 * eps
    return x


def ridge(mine) -> None:
    """return W, by torch.linalg.solve."""
    for n, k, weight in ((30, 5, 2.0), (6, 9, 40.0)):
        A, Y, one = normal(n, k, seed=0), normal(n, 3, seed=1), torch.eye(k, dtype=torch.float64)
        solve, right = torch.linalg.solve, our_ridge(A, Y, weight)
        refuse_slips(mine(A, Y, weight), right, {
            "the penalty is missing: add weight times the identity.": torch.linalg.lstsq(A, Y).solution,
            "the penalty has the wrong sign.": solve(A.T @ A - weight * one, A.T @ Y),
            "the penalty is added everywhere: it belongs on the diagonal, torch.eye.": solve(A.T @ A + weight, A.T @ Y),
            "the identity comes without its weight.": solve(A.T @ A + one, A.T @ Y),
            "weight is squared.": solve(A.T @ A + weight**2 * one, A.T @ Y),
        }, "solve (A^T A + weight I) W = A^T Y.")  # fmt: skip


def our_ridge(A: Tensor, Y: Tensor, weight: float) -> Tensor:
    """The W that makes |A W - Y|^2 + weight |W|^2 least.

    A: (n, k).
    Y: (n, m).
    weight: of the penalty.
    """
    return torch.linalg.solve(A.T @ A + weight * torch.eye(A.shape[1], dtype=A.dtype), A.T @ Y)
