"""Attention against its definition by loops and torch's own; words in context, and what padding must not do."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from minidiff.networks.layers import Attention
from minidiff.networks.text import TextEncoder

WORDS = ["blue", "circle", "red", "star"]


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def filled(net, seed=0):
    """In float64, with weights from a seed, large enough to matter."""
    for k, parameter in enumerate(net.double().parameters()):
        parameter.data = 0.5 * randn(*parameter.shape, seed=seed + k)
    return net


CASES = {  # width, heads, numbers a token of the context (None: itself), tokens of it
    "itself": (12, 3, None, 5),
    "one head": (8, 1, None, 4),
    "a head for each number": (4, 4, None, 3),
    "something else": (12, 2, 7, 6),
}


@pytest.fixture(params=CASES, ids=list(CASES))
def case(request):
    """An attention, two batches of tokens that ask, those that answer, and which of these are there."""
    width, heads, context, length = CASES[request.param]
    net, x = filled(Attention(width, heads, context)), randn(2, 5 if context else length, width, seed=1)
    other = None if context is None else randn(2, length, context, seed=2)
    mask = torch.arange(length) < torch.tensor([[length - 1], [1]])
    return net, x, other, mask


@torch.no_grad()
def by_loops(net, x, context, mask):
    """softmax(q k^T / sqrt(d)) v, one number at a time, as in Eq. 1 of Vaswani et al."""
    context = x if context is None else context
    q, k, v = net.query(x), *net.key_value(context).chunk(2, -1)
    d, out = x.shape[2] // net.heads, torch.zeros_like(x)
    for b in range(len(x)):
        for head in range(net.heads):
            mine = slice(head * d, (head + 1) * d)
            for n in range(x.shape[1]):
                there = [m for m in range(context.shape[1]) if mask is None or mask[b, m]]
                score = {m: math.exp(float(q[b, n, mine] @ k[b, m, mine]) / math.sqrt(d)) for m in there}
                out[b, n, mine] = sum(score[m] * v[b, m, mine] for m in there) / sum(score.values())
    return net.out(out)


@pytest.mark.parametrize("masked", [False, True])
def test_it_is_its_definition_and_torchs(case, masked):
    net, x, context, mask = case
    mask = mask if masked else None
    got = net(x, context, mask)
    assert_close(got, by_loops(net, x, context, mask))
    parts = [net.query(x), *net.key_value(x if context is None else context).chunk(2, -1)]
    q, k, v = (part.unflatten(2, (net.heads, -1)).transpose(1, 2) for part in parts)
    own = F.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask[:, None, None])
    assert_close(got, net.out(own.transpose(1, 2).flatten(2)))


def test_weights_are_shares_and_none_of_what_is_not_there(case):
    net, x, context, mask = case
    weights = net.weights(x, context, mask)
    length = (x if context is None else context).shape[1]
    assert weights.shape == (2, net.heads, x.shape[1], length) and (weights >= 0).all()
    assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert (weights.transpose(1, 3)[~mask] == 0).all() and (weights.transpose(1, 3)[mask] > 0).all()
    v = net.key_value(x if context is None else context).chunk(2, -1)[1].unflatten(2, (net.heads, -1))
    assert_close(net.out(torch.einsum("bhnl,blhd->bnhd", weights, v).flatten(2)), net(x, context, mask))


def test_the_order_of_tokens_is_not_seen(case):
    net, x, context, mask = case
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(1))
    if context is None:
        assert_close(net(x[:, order], None, mask[:, order]), net(x, None, mask)[:, order])
    else:
        others = torch.tensor([3, 1, 5, 0, 4, 2])
        assert_close(net(x[:, order], context[:, others], mask[:, others]), net(x, context, mask)[:, order])


def test_large_scores_do_no_harm():
    net, x = filled(Attention(8, 2)), 1e3 * randn(1, 4, 8)
    assert net(x).isfinite().all() and net.float()(x.float()).isfinite().all()


def test_in_half_precision_it_is_nearly_the_same():
    net, x = filled(Attention(8, 2)).float(), randn(2, 5, 8).float()
    with torch.autocast("cpu", torch.bfloat16):
        half = net(x)
    assert_close(half.float(), net(x), rtol=0.1, atol=0.1)


def test_heads_share_the_width():
    for width, heads in ((6, 4), (8, 3), (1, 2)):
        with pytest.raises(
            ValueError, match=f"width must be a multiple of heads, which share it; got {width} and {heads}"
        ):
            Attention(width, heads)


# ---- words in context


@pytest.fixture
def encoder():
    return filled(TextEncoder(WORDS, length=5, width=8, depth=2, heads=2))


def test_what_is_beyond_the_end_is_not_looked_at(encoder):
    """The words there are come out the same, whatever stands for the padding."""
    tokens = encoder.words.encode(["red circle", "blue"])
    h, there = encoder(tokens, 2)
    assert there.tolist() == [[True, True, False, False, False], [True, False, False, False, False]]
    with torch.no_grad():
        encoder.table.weight[0] += randn(8, seed=7)
        encoder.place[2:] += randn(3, 8, seed=8)
    again, _ = encoder(tokens, 2)
    assert_close(again[0, :2], h[0, :2], rtol=0, atol=1e-12)
    assert_close(again[1, :1], h[1, :1], rtol=0, atol=1e-12)
    assert not torch.allclose(again[0, 2:], h[0, 2:])


def test_words_see_each_other_and_know_their_places(encoder):
    say = lambda text: encoder(encoder.words.encode(text), 1)[0][0]
    one, other = say("red circle"), say("blue circle")
    assert (one[1] - other[1]).abs().max() > 1e-2  # the same word beside another
    assert (say("red circle")[0] - say("circle red")[1]).abs().max() > 1e-2
    shorter = say("red")
    assert (one[0] - shorter[0]).abs().max() > 1e-2


def test_no_text_is_none_empty_and_zeros(encoder):
    """And its first place counts as one word, so that there is something to look at."""
    want, there = encoder(None, 3)
    assert there.tolist() == [[True, False, False, False, False]] * 3 and want.isfinite().all()
    nulls = encoder.nulls["text"].expand(3, -1)
    for same in (encoder.words.encode(["", " ", ""]), torch.zeros(3, 5, dtype=torch.int64), nulls):
        assert torch.equal(encoder(same, 3)[0], want)
    assert not torch.allclose(encoder(encoder.words.encode(["red"] * 3), 3)[0], want)


def test_texts_are_read_apart(encoder):
    tokens = encoder.words.encode(["red circle", "blue", "", "star star star red blue"])
    together = encoder(tokens, 4)[0]
    for k in range(4):
        assert_close(encoder(tokens[k : k + 1], 1)[0], together[k : k + 1])


def test_depth_and_length_are_as_asked():
    encoder = TextEncoder(WORDS, length=7, width=8, depth=3, heads=2)
    assert encoder.place.shape == (7, 8) and encoder.table.weight.shape == (5, 8) and len(encoder.looks) == 3
    assert (len(encoder.norms), encoder.looks[0].heads, encoder.nulls["text"].shape) == (7, 2, (7,))
