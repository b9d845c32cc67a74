"""What a network is told: labels, tokens, images; nulls; hiding; and training, guidance and sampling with them."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minidiff.conditions import complete, hide, nulls_of
from minidiff.data import Data
from minidiff.engine.generate import generate
from minidiff.engine.train import train
from minidiff.guidance import extrapolate, given
from minidiff.networks import MLP, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine
from tests.networks.tiny import LENGTH, WORDS, ImageNet, TokenNet

X = torch.zeros(3, 2)
NULLS = {"y": torch.tensor(4), "text": torch.zeros(2, dtype=torch.int64), "low_res": torch.zeros(1, 2, 2)}


def seed(value=0):
    return torch.Generator().manual_seed(value)


def exact(got, want):
    assert_close(got, want, rtol=0, atol=0)


def test_what_is_not_given_is_the_null_in_every_row():
    for told in (complete({}, NULLS, X), complete(dict.fromkeys(NULLS), NULLS, X)):
        exact(told, {"y": torch.tensor([4] * 3), "text": torch.zeros(3, 2).long(), "low_res": torch.zeros(3, 1, 2, 2)})


@pytest.mark.parametrize("y", [2, torch.tensor(2), [2, 2, 2], torch.full((3,), 2, dtype=torch.int32)])
def test_one_value_serves_all_rows_and_any_whole_numbers_are_taken(y):
    exact(complete({"y": y}, NULLS, X)["y"], torch.tensor([2, 2, 2]))


def test_rows_stay_with_their_samples_and_take_the_nulls_kind():
    image = torch.randn(3, 1, 2, 2, dtype=torch.float64)
    exact(complete({"low_res": image}, NULLS, X)["low_res"], image.float())
    exact(complete({"text": [[1, 2], [3, 4], [5, 6]]}, NULLS, X)["text"], torch.tensor([[1, 2], [3, 4], [5, 6]]))


@pytest.mark.parametrize("condition, match", [
    ({"words": 1}, "knows no words: it knows y, text, low_res"),
    ({"y": 2.0}, "y holds torch.float32: this network takes whole numbers"),
    ({"y": torch.eye(3)}, "y holds torch.float32"),  # one-hot labels
    ({"y": torch.ones(3, dtype=torch.bool)}, "y holds torch.bool"),
    ({"y": [1, 2]}, r"y has the shape \(2,\) for 3 samples"),
    ({"text": torch.zeros(3, 5).long()}, r"text has the shape \(3, 5\) for 3 samples: give one for all of shape \(2\)"),
    ({"low_res": torch.zeros(2, 1, 2, 2)}, "low_res has the shape"),
])  # fmt: skip
def test_what_cannot_be_meant_gets_a_sentence(condition, match):
    with pytest.raises(ValueError, match=match):
        complete(condition, NULLS, X)


def test_not_to_give_what_a_network_does_not_know_is_no_mistake():
    assert complete({"y": None}, {}, X) == {}


def test_hiding_puts_the_null_into_the_hidden_rows_alone():
    told = {"y": torch.tensor([1, 2, 3]), "low_res": torch.ones(3, 1, 2, 2), "change": torch.ones(3, 1)}
    hidden = hide(told, NULLS, torch.tensor([True, False, True]))
    exact(hidden["y"], torch.tensor([4, 2, 4]))
    exact(hidden["low_res"].flatten(1).sum(1), torch.tensor([0.0, 4.0, 0.0]))
    assert hidden["change"] is told["change"]  # which has no null
    exact(told["y"], torch.tensor([1, 2, 3]))


def test_networks_declare_their_nulls():
    assert nulls_of(MLP(dim=2)) == {} and nulls_of(nn.Identity()) is None
    exact(nulls_of(UNet(classes=10, changes=2)), {"y": torch.tensor(10), "change": torch.zeros(2)})
    own = nn.Identity()
    own.classes = 3
    exact(nulls_of(own), {"y": torch.tensor(3)})


class Heard(nn.Module):
    """Any network, and what it was told in each call."""

    def __init__(self, net):
        super().__init__()
        self.net, self.told = net, []

    @property
    def nulls(self):
        return self.net.nulls

    def forward(self, x, level, **condition):
        self.told.append((x, condition))
        return self.net(x, level, **condition)


def told_in(net, data, condition, **options):
    """What the network was told in 20 steps of training: name -> rows."""
    heard = Heard(net)
    list(train(LearnedDenoiser(heard, cosine), data, condition=condition, steps=20, batch=10, **options))
    return {name: torch.cat([told[name] for _, told in heard.told]) for name in heard.told[0][1]}


KINDS = {  # a network, its data, what the network is told, and what the null looks like
    "tokens": (TokenNet, torch.randn(40, 2), "text", 1 + torch.arange(40 * LENGTH).reshape(40, LENGTH) % WORDS),
    "image": (ImageNet, torch.randn(40, 1, 4, 4), "low_res", 1 + torch.rand(40, 1, 2, 2)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_a_condition_of_ones_own_is_trained_with_and_dropped(kind):
    make, x, name, rows = KINDS[kind]
    told = told_in(make(), x, {name: rows}, drop=0.3)[name]
    null = (told == make().nulls[name]).flatten(1).all(1)
    assert 30 < null.sum() < 90 and (told[~null].flatten(1) > 0).all()
    assert not (told_in(make(), x, {name: rows}, drop=0.0)[name].flatten(1) == 0).any()


@every_kind
def test_each_sample_keeps_its_own_condition(kind):
    make, x, name, rows = KINDS[kind]
    heard = Heard(make())
    marked = (rows.flatten(1)[:, 0] * 100).reshape(-1, *[1] * (x.ndim - 1)).expand(x.shape).float()  # loud beside noise
    data = Data(marked, condition={name: rows})
    levels = lambda n, generator: torch.full((n,), 1e-3)
    list(train(LearnedDenoiser(heard, cosine), data, steps=4, batch=10, drop=0.0, levels=levels, lr=1e-9))
    for seen, told in heard.told:
        assert_close(seen.flatten(1)[:, 0], told[name].flatten(1)[:, 0] * 100.0, rtol=1e-3, atol=0.1)


def test_each_condition_may_have_a_rate_of_its_own():
    class Both(TokenNet):
        @property
        def nulls(self):
            return {**super().nulls, "y": torch.tensor(2)}

        def forward(self, x, level, text, y):
            return super().forward(x, level, text) + 0 * y[:, None]

    x, condition = torch.randn(40, 2), {"text": torch.ones(40, LENGTH).long(), "y": torch.arange(40) % 2}
    told = told_in(Both(), x, condition, drop={"text": 0.5})
    assert 60 < (told["text"] == 0).all(1).sum() < 140 and (told["y"] < 2).all()
    told = told_in(Both(), x, condition, drop=0.5)  # one rate hides both together
    assert torch.equal((told["text"] == 0).all(1), told["y"] == 2) and 60 < (told["y"] == 2).sum() < 140


@every_kind
def test_a_network_that_is_told_nothing_in_training_is_refused(kind):
    make, x, name, _ = KINDS[kind]
    with pytest.raises(ValueError, match=f"is told {name}, and the data bring none: give labels=.* condition="):
        train(LearnedDenoiser(make(), cosine), x, steps=3)


@every_kind
def test_guidance_and_negative_prompts_need_nothing_new(kind):
    make, x, name, rows = KINDS[kind]
    torch.manual_seed(0)
    denoiser, x, prompt, other = LearnedDenoiser(make(), cosine), x[:5], rows[:5], rows[5:10]
    told, told_not, null = (given(denoiser, **{name: value})(x, 0.5).eps for value in (prompt, other, None))
    assert_close(denoiser(x, 0.5).eps, null)
    for negative, bad in ((other, told_not), (None, null)):
        guided = extrapolate(given(denoiser, **{name: prompt}), given(denoiser, **{name: negative}), 3.0)
        assert_close(guided(x, 0.5).eps, bad + 3 * (told - bad), rtol=1e-5, atol=1e-5)


@every_kind
def test_drawing_in_batches_gives_each_sample_its_condition(kind):
    make, x, name, rows = KINDS[kind]
    torch.manual_seed(0)
    denoiser, x, rows = LearnedDenoiser(make(), cosine), x[:7], rows[:7]
    whole = generate(denoiser, x, {name: rows}, steps=3, guidance=2.0)
    assert_close(generate(denoiser, x, {name: rows}, steps=3, guidance=2.0, batch=3), whole)
    assert not torch.allclose(generate(denoiser, x, {name: rows.flip(0)}, steps=3, guidance=2.0), whole)
    assert not torch.allclose(generate(denoiser, x, {name: rows}, steps=3), whole)
