"""Attention and the diffusion transformer, against other code, the papers' notation and their own symmetries."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from minidiff.networks import DiT
from minidiff.networks.dit import TransformerBlock, places
from minidiff.networks.layers import Attention

SMALL = {"channels": 2, "size": 12, "patch": 3, "classes": 3, "width": 16, "depth": 2, "heads": 2}


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def awake(net):
    """A network whose layers that begin at zero have moved on, so that everything in it matters."""
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.add_(0.1 * randn(*parameter.shape, seed=number))
    return net


@pytest.mark.parametrize("context", [None, 10])
def test_attention_is_that_of_torch(context):
    """Given the same weights; torch's mask names what is left out, ours what is there."""
    torch.manual_seed(0)
    mine = awake(Attention(12, 3, context))
    theirs = nn.MultiheadAttention(12, 3, kdim=context, vdim=context, batch_first=True)
    (key, value), bias = mine.key_value.weight.chunk(2), torch.cat([mine.query.bias, mine.key_value.bias])
    state = {"in_proj_bias": bias, "out_proj.weight": mine.out.weight, "out_proj.bias": mine.out.bias}
    if context is None:
        state["in_proj_weight"] = torch.cat([mine.query.weight, key, value])
    else:
        state |= {"q_proj_weight": mine.query.weight, "k_proj_weight": key, "v_proj_weight": value}
    theirs.load_state_dict(state)
    x, other = randn(2, 5, 12, seed=1), randn(2, 4, context or 12, seed=2)
    there = torch.tensor([[True, True, False, True], [True, False, False, False]])
    for mask in (None, there):
        absent = None if mask is None else ~mask
        want, weights = theirs(x, other, other, key_padding_mask=absent, average_attn_weights=False)
        assert_close(mine(x, other, mask), want, rtol=1e-5, atol=1e-6)
        assert_close(mine.weights(x, other, mask), weights, rtol=1e-5, atol=1e-6)
    if context is None:
        assert_close(mine(x), mine(x, x), rtol=0, atol=0)


def test_a_block_is_what_the_paper_draws():
    """Peebles & Xie 2023, Figure 3, with the mean and variance of each token written out."""
    torch.manual_seed(0)
    block, x, emb = awake(TransformerBlock(16, 4)), randn(2, 5, 16), randn(2, 16, seed=1)
    one, two, three, four, five, six = (emb @ block.modulation.weight.T + block.modulation.bias).split(16, 1)
    normal = lambda h: (h - h.mean(2, keepdim=True)) / (h.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    h = x + three[:, None] * block.attention(normal(x) * (1 + two[:, None]) + one[:, None])
    h = h + six[:, None] * block.perceptron(normal(h) * (1 + five[:, None]) + four[:, None])
    assert_close(block(x, emb), h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", [None, 8])
def test_every_block_begins_as_the_identity(text):
    torch.manual_seed(0)
    block, x, emb = TransformerBlock(16, 4, text), 3 * randn(2, 5, 16), randn(2, 16, seed=1)
    words = None if text is None else (randn(2, 4, text), torch.ones(2, 4, dtype=torch.bool))
    assert_close(block(x, emb, words), x, rtol=0, atol=0)


def shuffled(x, patch, order):
    tokens = F.pixel_unshuffle(x, patch).flatten(2)[:, :, order]
    side = x.shape[2] // patch
    return F.pixel_shuffle(tokens.unflatten(2, (side, side)), patch)


def test_without_places_patches_in_another_order_get_their_answers_in_that_order():
    torch.manual_seed(0)
    net, x, level, y = awake(DiT(**SMALL)), randn(2, 2, 12, 12), torch.tensor([0.2, 0.7]), torch.tensor([0, 2])
    order = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    with_places = net(shuffled(x, 3, order), level, y) - shuffled(net(x, level, y), 3, order)
    net.place.zero_()
    assert_close(net(shuffled(x, 3, order), level, y), shuffled(net(x, level, y), 3, order), rtol=1e-4, atol=1e-5)
    assert with_places.abs().mean() > 0.01


def test_each_patch_becomes_one_token_and_comes_back_to_its_place():
    """No blocks and no norms, and layers that hand on what they are given: what comes out is what went in."""
    net = DiT(**SMALL | {"depth": 0, "width": 20})  # 18 numbers a patch
    net.norm, eye = nn.Identity(), torch.eye(20)
    with torch.no_grad():
        for layer in (net.first, net.last):
            layer.weight.copy_(eye[: layer.out_features, : layer.in_features])
            layer.bias.zero_()
        net.place.zero_()
    x = randn(3, 2, 12, 12)
    assert_close(net(x, torch.rand(3), 1), x, rtol=0, atol=0)


def test_the_last_layer_sees_tokens_normalised_scaled_and_shifted():
    """Peebles & Xie 2023, Section 3.2, without blocks: adaptive layer norm, and a linear layer back to patches."""
    torch.manual_seed(0)
    net, x, level = awake(DiT(**SMALL | {"depth": 0})), randn(2, 2, 12, 12), torch.tensor([0.2, 0.7])
    shift, scale = net.modulation(F.silu(net.condition(level, 1, 2)))[:, None].split(16, 2)
    h = net.first(F.unfold(x, 3, stride=3).mT) + net.place
    h = (h - h.mean(2, keepdim=True)) / (h.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    want = F.fold(net.last(h * (1 + scale) + shift).mT, (12, 12), 3, stride=3)
    assert_close(net(x, level, 1), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("depth, far", [(0, False), (1, True)])
def test_patches_meet_in_the_blocks_and_nowhere_else(depth, far):
    torch.manual_seed(0)
    net, x = awake(DiT(**SMALL | {"depth": depth})), randn(1, 2, 12, 12).requires_grad_()
    net(x, torch.tensor([0.5]))[0, :, 3:6, 6:9].sum().backward()
    own = torch.zeros(12, 12, dtype=torch.bool)
    own[3:6, 6:9] = True
    seen = x.grad[0].abs().amin(0) > 0
    assert seen[own].all() and bool(seen[~own].all()) is far and bool(seen[~own].any()) is far


def test_places_are_sines_and_cosines_of_row_and_column():
    """In the papers' notation (Vaswani et al. 2017, Section 3.5), one half for each axis."""
    found = places(3, 16)
    assert found.shape == (9, 16)
    for row in range(3):
        for column in range(3):
            for k in range(4):
                for axis, number in enumerate((row, column)):
                    angle, at = number / 10_000 ** (k / 4), 8 * axis + k
                    want = torch.tensor([math.sin(angle), math.cos(angle)])
                    assert_close(found[3 * row + column, [at, at + 4]], want, rtol=1e-5, atol=1e-6)
    assert torch.pdist(places(14, 64)).min() > 0.5


def test_a_caption_is_silent_at_first_and_then_matters():
    torch.manual_seed(0)
    net = DiT(**SMALL, words=["a", "b", "c"], length=4)
    x, level, text = randn(2, 2, 12, 12), torch.rand(2), net.text.words.encode(["a b", "c"])
    assert not net(x, level, text=text).any()
    awake(net)
    told, other = net(x, level, text=text), net(x, level, text=text.flip(0))
    assert (told - other).flatten(1).abs().amax(1).min() > 1e-3
    assert_close(net(x, level), net(x, level, text=torch.zeros(2, 4, dtype=torch.int64)), rtol=0, atol=0)
    assert (net(x, level) - told).abs().max() > 1e-3 and net.nulls["text"].shape == (4,)


@pytest.mark.parametrize(
    "change, word",
    [
        ({"patch": 5}, "multiple of patch"),
        ({"heads": 3}, "one of heads"),
        ({"width": 18, "heads": 2}, "of 4"),
        ({"size": 1}, "size must be"),
        ({"depth": -1}, "depth must be"),
        ({"patch": 2.0}, "patch must be"),
        ({"words": []}, "words must be"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(change, word):
    with pytest.raises(ValueError, match=word):
        DiT(**SMALL | change)
