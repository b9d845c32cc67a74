"""Notebook 08, likelihood: checks of the reader's lines, and right ones to go on with."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ...data import Mixture
from ...exact import of_gaussian, of_mixture
from ...predictions import AnyDenoiser, Prediction, solve
from ...samplers import velocity
from ...schedules import cosine, evaluate, uniform_times
from ..exercises import refuse_slips

Field = Callable[[Tensor], Tensor]


def log_normal(x: Tensor) -> Tensor:
    """log N(x; 0, 1), summed over the coordinates, (B,)."""
    return -0.5 * (x.square() + math.log(2 * math.pi)).sum(1)


def divergence(f: Field, x: Tensor) -> Tensor:
    """The trace of the derivatives of f: (B, d) -> (B, d), at each x, one derivative a coordinate."""
    x = x.detach().requires_grad_()
    v = f(x)
    rows = [torch.autograd.grad(v[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(x.shape[1])]
    return torch.stack(rows).sum(0)


def gathered(denoiser: AnyDenoiser, x: Tensor, times: Tensor, div: Callable, slip: str = "") -> tuple:
    """Where x ends, and each step's divergence and length: (steps, B) and (steps, 1).

    denoiser, x, times, div: as for our_log_prob.
    slip: "early" looks where the step begins, "half" goes on from half-way, "behind" takes the divergence at x.
    """
    found = []
    for t, s in pairwise(times.tolist()):
        half, middle = (x, t) if slip == "early" else (x + (s - t) / 2 * velocity(denoiser, x, t), (t + s) / 2)
        f = partial(velocity, denoiser, t=middle)
        found.append(div(f, x if slip == "behind" else half))
        x = (half if slip == "half" else x) + (s - t) * f(half)
    return x, torch.stack(found), times.diff()[:, None]


def my_log_prob(mine) -> None:
    """write how the divergence is gathered, where x goes, and log p from both."""
    eight = Mixture(torch.tensor([[-1.2, -0.6], [0.8, 0.4]]).double(), torch.tensor([0.3, 0.5]), torch.tensor([2, 3]))
    plane = torch.tensor([[-1.0, 0.1], [0.1, 0.2], [1.2, 1.0], [-0.4, -0.9]], dtype=torch.float64)
    line, times = torch.tensor([[-1.1], [0.9]], dtype=torch.float64), uniform_times(100, 0.0, 1.0)
    for denoiser, x, right in (
        (of_gaussian(0.0, 0.5, cosine), line, log_normal(2 * line) + math.log(2)),
        (of_mixture(*eight, cosine), plane, eight.log_prob(plane)),
    ):
        end, div, h = gathered(denoiser, x, times, divergence)
        early, div_early, _ = gathered(denoiser, x, times, divergence, "early")
        _, div_behind, _ = gathered(denoiser, x, times, divergence, "behind")
        far, div_far, _ = gathered(denoiser, x, times, divergence, "half")
        total = (h * div).sum(0)
        refuse_slips(mine(denoiser, x, times, divergence), right, {
            "the sign is turned: the further neighbours move apart on the way, the denser they were before.":
                log_normal(end) - total,
            "the noise's own density is missing: add log_normal of where x ended.": total,
            "log_normal belongs to the noise, where x ended, not to the data where it began.": log_normal(x) + total,
            "a divergence is a rate: times the length of the step, s - t.": log_normal(end) + div.sum(0),
            "only the last step counts: add to what was gathered before.": log_normal(end) + (h * div)[-1],
            "x goes a step and a half: the whole step begins at x, not at `half`.":
                log_normal(far) + (h * div_far).sum(0),
            "both are taken where the step begins: take them at `half`, half-way.":
                log_normal(early) + (h * div_early).sum(0),
            "the divergence is taken at x: take it at `half`.": log_normal(end) + (h * div_behind).sum(0),
        }, "it should be log_normal(x at the end) + the sum of (s - t) * divergence, looking at `half`.")  # fmt: skip


def our_log_prob(denoiser: AnyDenoiser, x: Tensor, times: Tensor, divergence: Callable) -> Tensor:
    """log p(x) along the ODE by the midpoint rule, (B,).

    denoiser: of the density.
    x: (B, d).
    times: from data to noise.
    divergence: f, x -> (B,), of the field f at x.
    """
    end, div, h = gathered(denoiser, x, times, divergence)
    return log_normal(end) + (h * div).sum(0)


def hutchinson(mine) -> None:
    """pull z back through f by autograd, and take its scalar product with z, one number a row."""
    for d, rows, seed in ((5, 4, 0), (3, 2, 1), (64, 3, 2)):
        generator = torch.Generator().manual_seed(seed)
        matrix = torch.randn(d, d, generator=generator, dtype=torch.float64)
        x, z = torch.randn(2, rows, d, generator=generator, dtype=torch.float64)
        f = lambda x, m=matrix: (x @ m.T).tanh() + 0.3 * x**2
        jacobian = (1 - (x @ matrix.T).tanh() ** 2)[:, :, None] * matrix + torch.diag_embed(0.6 * x)
        pulled, ones = torch.einsum("bij,bi->bj", jacobian, z), torch.einsum("bij->bj", jacobian)
        refuse_slips(mine(f, x, z), (z * pulled).sum(1), {
            "z is missing on the right: multiply what was pulled back by z before you add.": pulled.sum(1),
            "z is missing on the left: autograd.grad(v, x, z) pulls z back, v.sum() pulls ones.": (z * ones).sum(1),
            "without z on either side every entry of J counts: z is what cancels those beside the diagonal.":
                ones.sum(1),
            "that is the exact divergence, one derivative a coordinate: take one derivative, with z.":
                jacobian.diagonal(dim1=1, dim2=2).sum(1),
            "no derivative is taken: that is z . f(x).": (z * f(x)).sum(1),
            "the coordinates are added, not averaged.": (z * pulled).mean(1),
            "x stands where z belongs: the probe is on both sides.": (x * pulled).sum(1),
        }, "it should be (z * pulled).sum(1), with pulled = z^T J from autograd.grad(v, x, z).")  # fmt: skip


def our_hutchinson(f: Field, x: Tensor, z: Tensor) -> Tensor:
    """Hutchinson's estimate (1989) of the divergence of f at each x: z^T J z, (B,).

    f: (B, d) -> (B, d).
    x, z: (B, d), the points and their probes.
    """
    x = x.detach().requires_grad_()
    v = f(x)
    (pulled,) = torch.autograd.grad(v, x, z)
    return (z * pulled).sum(1)


def bits(mine) -> None:
    """return bits per dimension, from nats, the number of dimensions and the scale."""
    for log_p, d, scale in (([30.0, -7.0], 64, 6.0), ([8500.0], 3072, 127.5), ([-3.0, 0.5, 2.0], 2, 0.3)):
        nats, two = torch.tensor(log_p, dtype=torch.float64), math.log(2)
        rest, shift = nats / (d * two), math.log2(scale)
        refuse_slips(mine(nats, d, scale), shift - rest, {
            "the scale is forgotten: one unit of x is `scale` levels wide.": -rest,
            "the scale has the wrong sign: stretched data have a lower density, and cost more.": -shift - rest,
            "the sign of log p is turned: what is probable costs few bits.": shift + rest,
            "that is the logarithm of the scale in nats: bits want log2.": math.log(scale) - rest,
            "nats are not bits: divide log p by log 2.": shift - nats / d,
            "that is for the whole picture: log p is shared by d dimensions.": shift - nats / two,
            "those are the bits of the whole picture: divide all of it by d.": d * shift - nats / two,
            "those are nats a dimension: divide all of it by log 2.": (shift - rest) * two,
            "each dimension was scaled: log2(scale) is not divided by d.": shift / d - rest,
        }, "it should be log2(scale) - log_p / (d log 2).")  # fmt: skip


def our_bits(log_p: Tensor, d: int, scale: float) -> Tensor:
    """Bits per dimension of data in whole numbers.

    log_p: nats, (B,), of x = (level + u - shift) / scale.
    d: how many dimensions.
    scale: levels in one unit of x.
    """
    return math.log2(scale) - log_p / (d * math.log(2))


def report(mine) -> None:
    """put your number in place of the dots."""
    nats = 8_500 / (3_072 * math.log(2))
    refuse_slips(mine(), torch.tensor(math.log2(127.5) - nats), {
        "that is without the scale: less than no bits gives it away.": -nats,
        "255 would be for [0, 1]: from -1 to 1 one unit is 127.5 levels.": math.log2(255) - nats,
        "128 would be for 256 steps from end to end: from byte 0 to byte 255 there are 255.": 7.0 - nats,
        "nats are not bits: divide by log 2.": math.log2(127.5) - 8_500 / 3_072,
        "three colours: 3,072 dimensions, not 1,024.": math.log2(127.5) - 3 * nats,
        "log p is positive here: it lowers the bits.": math.log2(127.5) + nats,
    }, "log2 of 127.5, less 8,500 / (3,072 log 2).")  # fmt: skip


def our_report() -> float:
    """Bits per dimension for 8,500 nats, 32 x 32 x 3 bytes in [-1, 1]."""
    return math.log2(127.5) - 8_500 / (3_072 * math.log(2))


def gap_law(mine) -> None:
    """return what n times the gap tends to, for N(0, S2) in d dimensions."""
    for first, final, S2, d in ((1e-4, 1e6, 0.25, 1), (1e-5, 1e7, 1.0, 2), (1e-6, 1e6, 4.0, 3)):
        area, end = math.log((1 + final * S2) / (1 + first * S2)), final * S2 / (1 + final * S2)
        quarter = math.log(final / first) / 4
        refuse_slips(torch.as_tensor(mine(first, final, S2, d)), torch.tensor(d * quarter * (area - end)), {
            "the end term is missing: by parts, the integral of m less gamma m at the end.": d * quarter * area,
            "d dimensions, d gaps.": torch.tensor(quarter * (area - end) if d > 1 else -1.0),
            "the end term counts once a dimension: d times the whole bracket.":
                torch.tensor(quarter * (d * area - end) if d > 1 else -1.0),
            "the end term is subtracted, not added.": d * quarter * (area + end),
            "a quarter: half for the triangle, and half from the width of a stair.": 2 * d * quarter * (area - end),
            "the range is missing: h is log(final / first) / n.": d * (area - end) / 4,
        }, "it should be d log(final / first) / 4 times (the integral of m, less gamma m at the end).")  # fmt: skip


def our_gap_law(first: float, final: float, S2: float, d: int) -> float:
    """What n (E log p - ELBO) tends to for n equal steps in log SNR, for data N(0, S2) in d dimensions.

    first, final: the SNRs at the ends.
    S2: the variance of the data.
    d: how many dimensions.
    """
    ends = [snr * S2 / (1 + snr * S2) for snr in (first, final)]
    return d * math.log(final / first) / 4 * (math.log((1 + final * S2) / (1 + first * S2)) - ends[1] + ends[0])


TESTS = ("N(0, 1)", "N(0, 1/4)", "N(0, 1/4) in the plane")
STILL, WIDE = "does this crowd spread at all on its way to noise?", "it spreads by a factor of 2 on its way: does"
REASONS = {
    "sign": (("green", STILL), ("red", f"{WIDE} a sign matter?"), ("red", f"{WIDE} a sign matter?")),
    "wrong way": (("green", STILL), ("red", f"{WIDE} its direction matter?"), ("red", f"{WIDE} its direction matter?")),
    "no constant": tuple(("red", "d/2 log 2 pi is missing whatever the data is.") for _ in TESTS),
    "one derivative": (("green", "how many coordinates are there?"), ("green", "how many coordinates are there?"),
                       ("red", "there are two coordinates, and both swell.")),
}  # fmt: skip


def verdicts(mine) -> None:
    """fill in the table: "red" or "green" in place of each dot, in the order of the tests."""
    said = mine()
    if not isinstance(said, dict) or set(said) != set(REASONS):
        raise AssertionError(f"it should have four rows: {', '.join(REASONS)}.")
    for fault, right in REASONS.items():
        row = said[fault] if isinstance(said[fault], (tuple, list)) else ()
        if len(row) != 3 or not {str(one).lower() for one in row} <= {"red", "green"}:
            raise AssertionError(f'{fault}: each row is three words, "red" or "green".')
        for word, test, (wanted, why) in zip(row, TESTS, right, strict=True):
            if str(word).lower() != wanted:
                raise AssertionError(f"{fault}, {test}: look again; {why}")


def our_verdicts() -> dict[str, tuple[str, ...]]:
    """What each of the three tests says of each fault."""
    return {fault: tuple(word for word, _ in row) for fault, row in REASONS.items()}


def uniform(x_t: Tensor, t: float) -> Prediction:
    """The exact denoiser of uniform data of variance 1 on the cosine path: the mean of a truncated Gaussian.

    x_t: (B, *), seen.
    t: the time.
    """
    alpha, sigma = evaluate(cosine, t)
    if sigma == 0:
        return solve(x_t, x_t, "x0", cosine, t)
    low, high = ((end * alpha - x_t) / sigma for end in (-math.sqrt(3), math.sqrt(3)))
    bells = torch.exp(-(low**2) / 2) - torch.exp(-(high**2) / 2)
    share = torch.special.ndtr(high) - torch.special.ndtr(low)
    return solve(x_t, x_t / alpha + sigma / alpha * bells / share / math.sqrt(2 * math.pi), "x0", cosine, t)


def shrunk(drawing: Tensor) -> Tensor:
    """A doodle, (1, 1, 28, 28) in [0, 1], as the digits were made: points counted in blocks of 4 x 4, (1, 64)."""
    wide = interpolate(drawing, size=(32, 32), mode="bilinear")
    return (16 * avg_pool2d(wide, 4)).round().reshape(1, 64)
