"""Notebook 18, transformers: checks of the reader's lines, and right ones to go on with."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...networks.dit import DiT
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers, float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def attention(mine) -> None:
    """return softmax(q k^T / sqrt(d)) v: a mean of the rows of v for each row of q."""
    for n, m, d, e in ((3, 5, 4, 6), (6, 2, 9, 1)):
        q, k, v = normal(2, n, d, seed=0), normal(2, m, d, seed=1), normal(2, m, e, seed=2)
        scores = q @ k.transpose(1, 2)
        mixed = lambda logits, v=v: logits.softmax(-1) @ v
        refuse_slips(mine(q, k, v), F.scaled_dot_product_attention(q, k, v), {
            "the scores are not divided by sqrt(d).": mixed(scores),
            "the scores are divided by d, not by its root.": mixed(scores / d),
            "the scores are multiplied by sqrt(d): divide.": mixed(scores * d**0.5),
            "d is how many numbers a key has, not how many a value has.": mixed(scores / e**0.5),
            "softmax runs over the queries: the weights of one query, a row, should sum to 1.":
                (scores / d**0.5).softmax(-2) @ v,
            "the softmax is missing: the scores themselves are no weights.": scores / d**0.5 @ v,
        }, "each row should be a mean of the rows of v, by the weights softmax(q k^T / sqrt(d)).")  # fmt: skip
    q, k, v = normal(2, 3, 4, 5, seed=0), normal(2, 3, 6, 5, seed=1), normal(2, 3, 6, 7, seed=2)
    said = "there may be more axes in front, as heads: exchange the last two of k, -2 and -1, and softmax over -1."
    try:
        got = mine(q, k, v)
    except (RuntimeError, IndexError):
        raise AssertionError(said) from None
    refuse_slips(got, F.scaled_dot_product_attention(q, k, v), {}, said)


def our_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v, (..., N, e), from queries (..., N, d), keys (..., M, d) and values (..., M, e)."""
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v


def patches(mine) -> None:
    """put the axes in order: batch, row and column of the patch, and then channel, row and column within it."""
    for shape, p in (((2, 3, 4, 6), 2), ((1, 1, 6, 3), 3)):
        x = normal(*shape, seed=3)
        cut = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # (B, C, rows, p, columns, p)
        tokens = lambda *order, cut=cut: cut.permute(order).flatten(3).flatten(1, 2)
        right = tokens(0, 2, 4, 1, 3, 5)
        refuse_slips(mine(x, p), right, {
            "the patches come column by column: rows of patches first.": tokens(0, 4, 2, 1, 3, 5),
            "each patch is transposed: its rows before its columns.": tokens(0, 2, 4, 1, 5, 3),
            "within a patch the channel comes first, as in an image.": tokens(0, 2, 4, 3, 5, 1),
            "that cuts the list of pixels in pieces: pixels of one row stand there, not of one patch. "
            "Order the axes first.": x.reshape(right.shape),
            "the axes are not in order yet: flattening joins neighbours, so bring those of a patch together.":
                cut.reshape(right.shape),
        }, "token k should hold patch k, row by row, as channels of p x p pixels.")  # fmt: skip


def our_patches(x: Tensor, p: int) -> Tensor:
    """Tokens (B, N, C p^2) of images (B, C, H, W), row by row."""
    return F.pixel_unshuffle(x, p).flatten(2).transpose(1, 2)


def residual(mine) -> None:
    """normalise x, scale and shift it, let the part see that, and add its gated answer to x."""
    x, mix = 2 + 3 * normal(2, 5, 8, seed=4), normal(8, 8, seed=5)
    part = lambda h: (h @ mix).tanh()
    shift, scale, gate = (normal(2, 1, 8, seed=seed) for seed in (6, 7, 8))
    h = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    seen = (1 + scale) * h + shift
    other = lambda h: x + gate * part((1 + scale) * h + shift)
    got = mine(given := x.clone(), part, shift, scale, gate)
    assert torch.equal(given, x), "it changes the x it was given: `x + ...` makes a new one."
    refuse_slips(got, x + gate * part(seen), {
        "std divides by n - 1; layer norm divides by n: correction=0.":
            other((x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)),
        "each token is normalised by itself, over its last axis only.": other(F.layer_norm(x, x.shape[1:])),
        "gate 0 should shut the part off: multiply by gate, not by 1 + gate.": x + (1 + gate) * part(seen),
        "x itself is missing: a shut gate should leave x as it was.": gate * part(seen),
        "the gate is on x too: it belongs to what is added.": gate * (x + part(seen)),
        "scale 0 should leave h as it is: multiply by 1 + scale.": x + gate * part(scale * h + shift),
        "the part sees x as it came: normalise it first.": x + gate * part((1 + scale) * x + shift),
        "the shift is scaled too: scale first, then shift.": x + gate * part((1 + scale) * (h + shift)),
        "the gate should be on the part's answer, not on what it sees.": x + part(gate * seen),
        "the gate is missing.": x + part(seen),
        "what is added to should be x, not what the part sees.": seen + gate * part(seen),
    }, "it should be x + gate * part((1 + scale) * h + shift), h each token with mean 0 and variance 1.")  # fmt: skip
    even = mine(x, part, 0 * shift, 0 * scale, 0 * gate)
    refuse_slips(even, x, {}, "with all three at 0 it should be x, exactly.")


def our_residual(x: Tensor, part, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
    """A part of a transformer's block behind its gate, like x.

    x: (B, N, width).
    part: what tokens do together (attention) or each alone (two layers), a function of (B, N, width).
    shift, scale, gate: (B, 1, width), from level and label.
    """
    return x + gate * part((1 + scale) * F.layer_norm(x, x.shape[-1:]) + shift)


def crossing(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(576.0), {
        "N^2 w is spent twice: on the scores, and on the mean of the values.": 1152,
        "the two layers are missing: q, k, v and out are 4 N w^2, the two layers 8 more.": 192,
        "q, k, v and out are missing: the two layers are 8 N w^2, and these are 4 more.": 384,
        "that is the width: 2 N^2 w = 12 N w^2 has to be solved for N.": 96,
        "divide 12 by 2: N = 6 w.": 2304,
    }, "set 2 N^2 w equal to 12 N w^2, and put in w = 96.")  # fmt: skip


def our_crossing() -> int:
    """2 N^2 w = 12 N w^2 where N = 6 w."""
    return 6 * 96


def turn(mine) -> None:
    """turn each pair (a, b) by its angle, and put the halves together again."""
    x, angles = normal(2, 5, 6, seed=9), normal(5, 3, seed=10)
    (a, b), cos, sin = x.chunk(2, -1), angles.cos(), angles.sin()
    both = lambda first, second: torch.cat([first, second], -1)
    c, d = x[..., ::2], x[..., 1::2]
    refuse_slips(mine(x, angles), both(a * cos - b * sin, a * sin + b * cos), {
        "that turns the other way: (1, 0) should go to (cos, sin).": both(a * cos + b * sin, b * cos - a * sin),
        "both have a plus: then it is no turn, and lengths change.": both(a * cos + b * sin, a * sin + b * cos),
        "the halves have changed places.": both(a * sin + b * cos, a * cos - b * sin),
        "each half is multiplied by itself: the turned a needs b too.": both(a * cos, b * sin),
        "sine and cosine have changed places: angle 0 should change nothing.":
            both(a * sin - b * cos, a * cos + b * sin),
        "the turned b needs the old a: keep it until both are made.":
            both(a * cos - b * sin, (a * cos - b * sin) * sin + b * cos),
        "pairs are k and k + d/2, as chunk gives them, not neighbours.": both(c * cos - d * sin, c * sin + d * cos),
        "what comes out are pairs side by side: first all a, then all b.":
            torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2),
    }, "(a, b) should become (a cos - b sin, a sin + b cos), each with its own angle.")  # fmt: skip


def our_turn(x: Tensor, angles: Tensor) -> Tensor:
    """Rotary position embedding of x (..., N, d): number k and number k + d/2 turned by angles (N, d/2)."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


def frame(dim: int, seed: int = 0) -> Tensor:
    """Two directions at right angles in so many dimensions, at random: (dim, 2), its columns of length 1."""
    return torch.linalg.qr(normal(dim, 2, seed=seed)).Q.float()


def off_plane(x: Tensor, axes: Tensor) -> float:
    """The share of the energy |x|^2 of points (N, D) that lies off the plane of the axes (D, 2)."""
    return 1 - ((x @ axes).square().sum() / x.square().sum()).item()


def open_gates(net: DiT) -> DiT:
    """The same DiT with all gates at 1 before it has learned anything, as if it were not adaLN-Zero."""
    for name, bias in net.blocks.named_parameters():
        if name.endswith("modulation.bias"):
            bias.data.view(6, -1)[[2, 5]] = 1
    return net
