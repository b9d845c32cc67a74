"""Notebook 20b, adapters: checks of the reader's lines, and right ones to go on with."""

import torch
from torch import Tensor, nn

from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """A layer x -> W x + bias with this W, (out, in)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


@torch.no_grad()
def low_rank(mine) -> None:
    """return what the layer gives, plus strength times what a and then b make of x."""
    x, (into, out, rank) = normal(5, 3, 6, seed=0), (6, 4, 2)
    layer = linear(normal(out, into, seed=1), normal(out, seed=2))
    a, b = linear(normal(rank, into, seed=3)), linear(normal(out, rank, seed=4))
    change, strength = b(a(x)), 0.3
    refuse_slips(mine(x, layer, a, b, strength), layer(x) + strength * change, {
        "that is the layer alone: where is the change?": layer(x),
        "that is the change alone: the old layer stays, beside it.": strength * change,
        "strength is missing: it turns the adapter up and down.": layer(x) + change,
        "strength turns the change, not the layer.": strength * (layer(x) + change),
        "the change is taken away: add it.": layer(x) - strength * change,
        "strength is squared: use it once.": layer(x) + strength**2 * change,
    }, "it should be layer(x) + strength * b(a(x)).")  # fmt: skip


def our_low_rank(x: Tensor, layer: nn.Linear, a: nn.Linear, b: nn.Linear, strength: float) -> Tensor:
    """A layer and a change of low rank beside it (Hu et al. 2021, Eq. 3).

    x: what goes in, (*, in).
    layer: from in to out, which stays as it is.
    a, b: from in to rank, and from there to out.
    strength: of the change.
    """
    return layer(x) + strength * b(a(x))


def merged(mine) -> None:
    """return one matrix that does what the layer and its change do together."""
    weight, a, b, strength = normal(4, 6, seed=5), normal(2, 6, seed=6), normal(4, 2, seed=7), 0.7
    before = weight.clone()
    got = mine(weight, a, b, strength)
    assert torch.equal(weight, before), "it changes the weight that it was given: make a new matrix."
    refuse_slips(got, weight + strength * b @ a, {
        "that is the old weight: add the change.": weight,
        "strength is missing.": weight + b @ a,
        "that is the change alone: add the old weight.": strength * b @ a,
        "strength turns the change, not the weight.": strength * (weight + b @ a),
        "the change is taken away: add it.": weight - strength * b @ a,
    }, "it should be W + strength B A: first A is applied to x, then B.")  # fmt: skip


def our_merged(weight: Tensor, a: Tensor, b: Tensor, strength: float) -> Tensor:
    """W + strength B A.

    weight: (out, in).
    a: (rank, in).
    b: (out, rank).
    strength: of the change.
    """
    return weight + strength * b @ a


def numbers(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(4 * (128 + 256)), {
        "that is all of W: the change is a product of two thin matrices.": 128 * 256,
        "A is 4 x 128, and B is 256 x 4: count both.": 4 * 128,
        "B is 256 x 4, and A is 4 x 128: count both.": 4 * 256,
        "a product of sizes counts W: the two thin matrices are counted apart, and added.": 4 * 128 * 256,
        "that counts one row of A and one column of B: the rank is 4.": 128 + 256,
    }, "A has 4 x 128 numbers, and B has 256 x 4.")  # fmt: skip


def our_numbers() -> int:
    """A is 4 x 128, B is 256 x 4."""
    return 4 * (128 + 256)


def nearest(mine) -> None:
    """return the matrix of this rank that is nearest to the change."""
    change, rank = normal(6, 5, seed=8), 2
    u, s, vh = torch.linalg.svd(change, full_matrices=False)
    refuse_slips(mine(change, rank), (u[:, :rank] * s[:rank]) @ vh[:rank], {
        "these are the smallest singular values: keep the largest.": (u[:, -rank:] * s[-rank:]) @ vh[-rank:],
        "all singular values are kept: rank of them are enough.": change,
        "the singular values are missing.": u[:, :rank] @ vh[:rank],
        "vh holds the right vectors in its rows: take vh[:rank].": (u[:, :rank] * s[:rank]) @ vh[:, :rank].T,
        "each singular value goes in once, not by its root.": (u[:, :rank] * s[:rank].sqrt()) @ vh[:rank],
        "that is what is left over: subtract it from the change.": change - (u[:, :rank] * s[:rank]) @ vh[:rank],
        "one singular value too few is kept.": (u[:, : rank - 1] * s[: rank - 1]) @ vh[: rank - 1],
    }, "keep the largest singular values, and set the others to 0.")  # fmt: skip
    tall = normal(7, 3, seed=9)
    left = (tall - mine(tall, 1)).square().sum()
    least = torch.linalg.svdvals(tall)[1:].square().sum()
    refuse_slips(left, least, {}, "of a matrix 7 x 3 and rank 1 the squared distance should be that of the rest.")


def our_nearest(change: Tensor, rank: int) -> Tensor:
    """The matrix of a rank that is nearest to a change, (out, in), in squares (Eckart & Young 1936)."""
    u, s, vh = torch.linalg.svd(change, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vh[:rank]
