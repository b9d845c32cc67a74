"""Texts as numbers; networks that are told captions: what these change, what they must not, and what is refused."""

import json
import re

import pytest
import torch
from torch.testing import assert_close

from minidiff import LearnedDenoiser, load, save
from minidiff.conditions import complete, hide
from minidiff.data import scene
from minidiff.engine.checkpoints import CheckpointError, read, write
from minidiff.networks import DiT, UNet, vocabulary
from minidiff.networks.registry import accept, adapted, network_for
from minidiff.networks.text import TextEncoder, Words, told, words_of
from minidiff.schedules import cosine

WORDS = ["a", "blue", "circle", "red", "star"]
SMALL = {
    "dit": (DiT, {"channels": 1, "size": 8, "patch": 4, "width": 16, "depth": 2, "heads": 2}),
    "unet": (UNet, {"size": 8, "width": 8, "deep_width": 16, "deep_blocks": 2}),
}
TOLD = {"words": WORDS, "length": 4}
networks = pytest.mark.parametrize("kind", SMALL)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def perturbed(kind, **more):
    """A network whose layers that begin at zero have moved on."""
    make, config = SMALL[kind]
    torch.manual_seed(0)
    net = make(**config, **TOLD, **more)
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.add_(0.1 * randn(*parameter.shape, seed=number))
    return net


# ---- words as numbers


@pytest.mark.parametrize(
    "text, want",
    [
        ("A red circle, and a star.", ["a", "red", "circle", ",", "and", "a", "star", "."]),
        ("", []), (" \t\n", []), ("red_circle", ["red", "circle"]), ("3d 42", ["3", "d", "42"]),
        ("GRÜN", ["grün"]), ("gru\u0308n", ["grün"]), ("naïve café", ["naïve", "café"]), ("ein-zwei", ["ein", "-", "zwei"]),
        ("красный круг", ["красный", "круг"]), ("!!", ["!", "!"]),
    ],
)  # fmt: skip
def test_a_text_in_words(text, want):
    assert words_of(text) == want
    assert words_of(" ".join(want)) == want


def test_a_vocabulary_has_every_word_once():
    assert vocabulary(["a red star", "A blue star, red"]) == [",", "a", "blue", "red", "star"]
    assert vocabulary(text for text in ("b", "a")) == ["a", "b"] and vocabulary("red star") == ["red", "star"]
    assert vocabulary([]) == []


def test_numbers_count_from_one_and_zeros_fill_up():
    words = Words(WORDS, 4)
    assert words.encode(["a red star", "", "Blue"]).tolist() == [[1, 4, 5, 0], [0, 0, 0, 0], [2, 0, 0, 0]]
    assert words.encode("red").tolist() == [[4, 0, 0, 0]] and words.encode("red").dtype == torch.int64
    assert words.encode([]).shape == (0, 4) and words.encode("a a a a").tolist() == [[1] * 4]
    assert words.decode(words.encode(["a  RED star", ""])) == ["a red star", ""]


def test_captions_come_back():
    captions = [scene(0, k).caption for k in range(300)]
    words = Words(vocabulary(captions), 20)
    tokens = words.encode(captions)
    assert [text.replace(" ,", ",") for text in words.decode(tokens)] == captions
    assert torch.equal(words.encode(words.decode(tokens)), tokens)


@pytest.mark.parametrize(
    "text, said",
    [
        ("a redd star", "the word 'redd' is not known; near it are: red"),
        ("xylophone", "the word 'xylophone' is not known; some that are: a, blue, circle, red, star"),
        ("a red star!", "the word '!' is not known"),
        ("a red star a blue", "a text of 5 words is too long: 4 are the most"),
    ],
)
def test_texts_that_cannot_be_told(text, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        Words(WORDS, 4).encode(["a", text])


@pytest.mark.parametrize(
    "wrong", [[], "red", ["red", "red"], ["Red"], ["red star"], [""], ["red", 1], None, 5, {"red"}, ["gru\u0308n"]]
)
def test_what_is_no_vocabulary(wrong):
    with pytest.raises(ValueError, match="words must be a list of different words in small letters"):
        Words(wrong, 4)


def test_other_things_are_named():
    words = Words(WORDS, 4)
    with pytest.raises(TypeError, match="texts is 5: give one text"):
        words.encode(5)
    with pytest.raises(TypeError, match="a text is None"):
        words.encode([None])
    for wrong, said in ((torch.tensor([[6, 0, 0, 0]]), "text holds 0 to 6: words are 1 to 5"), (torch.tensor([[-1, 0, 0, 0]]), "-1"),
                        (torch.tensor([1, 0, 0, 0]), r"\(B, 4\)"), (torch.zeros(1, 5).long(), r"\(B, 4\)"), (torch.zeros(1, 4), "whole")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            words.decode(wrong)
    for length in (0, 1025, 2.0):
        with pytest.raises(ValueError, match="length must be a whole number"):
            Words(WORDS, length)


# ---- networks that are told


@pytest.mark.parametrize("kind", ["dit"])
def test_words_matter_once_something_was_learned(kind):
    """At first the words' attention is shut; a few steps on words alone open it, and reach every parameter."""
    make, config = SMALL[kind]
    torch.manual_seed(0)
    net = make(**config, **TOLD)
    x, level, text = randn(8, 1, 8, 8), torch.full((8,), 0.5), net.text.words.encode(["red", "blue star"] * 4)
    want = torch.tensor([1.0, -1.0] * 4)[:, None, None, None].expand_as(x)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss = (net(x, level, text=text) - want).square().mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.3  # 1 is the best without the words
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert (net(x, level, text=text) - net(x, level, text=text.flip(0))).abs().mean() > 0.5


@networks
def test_no_text_in_training_is_no_text_in_sampling(kind):
    """Left out, empty, zeros, completed and hidden: one and the same."""
    net, x, level = perturbed(kind), randn(3, 1, 8, 8), torch.tensor([0.2, 0.5, 0.9])
    want = net(x, level)
    text, hidden = net.text.words.encode(["red star"] * 3), torch.ones(3, dtype=torch.bool)
    for same in (net.text.words.encode([""] * 3), complete({}, net.nulls, x)["text"], complete({"text": None}, net.nulls, x)["text"],
                 hide({"text": text}, net.nulls, hidden)["text"]):  # fmt: skip
        assert torch.equal(net(x, level, text=same), want)
    assert (net(x, level, text=text) - want).abs().max() > 1e-3
    assert {name: null.shape for name, null in net.nulls.items()} == {"text": (4,)}


@networks
def test_padding_is_not_looked_at(kind):
    net, x, level = perturbed(kind), randn(2, 1, 8, 8), torch.tensor([0.2, 0.5])
    text = net.text.words.encode(["red star", "a blue circle"])
    want, silent = net(x, level, text=text), net(x, level)
    with torch.no_grad():
        net.text.table.weight[0] += randn(16, seed=7)
        net.text.place[3] += randn(16, seed=8)
    assert_close(net(x, level, text=text), want, rtol=0, atol=1e-5)
    assert not torch.allclose(net(x, level), silent, atol=1e-3)  # where there is no text, it is all that is seen


@networks
def test_each_sample_is_told_its_own_words_in_their_order(kind):
    net, x, level = perturbed(kind), randn(3, 1, 8, 8), torch.tensor([0.2, 0.5, 0.9])
    text = net.text.words.encode(["red star", "", "a blue circle"])
    together = net(x, level, text=text)
    for k in range(3):
        part = slice(k, k + 1)
        assert_close(together[part], net(x[part], level[part], text=text[part]), rtol=1e-4, atol=1e-5)
    swapped = net.text.words.encode(["star red", "", "a blue circle"])
    assert (net(x, level, text=swapped) - together)[0].abs().max() > 1e-3
    labels_too = perturbed(kind, classes=3)
    assert set(labels_too.nulls) == {"y", "text"} and labels_too(x, level, 1, text=text).shape == x.shape


@networks
def test_saved_and_loaded_with_its_words(kind, tmp_path):
    net = perturbed(kind)
    save(tmp_path / "told.safetensors", LearnedDenoiser(net, cosine))
    again, card = load(tmp_path / "told.safetensors")
    assert card["network"]["words"] == WORDS and card["network"]["length"] == 4
    assert json.loads(json.dumps(net.config)) == net.config == again.net.config
    x, level = randn(2, 1, 8, 8), torch.tensor([0.2, 0.5])
    text = again.net.text.words.encode(["red star", "a blue circle"])
    assert_close(again.net(x, level, text=text), net(x, level, text=text))


@networks
@pytest.mark.parametrize(
    "words",
    [
        ["a", "blue", "red", "red", "star"], WORDS[:-1], [*WORDS, "more"], [], "abcde", 5, ["a", "b", "c", "d", 5], {"a": 1},
        ["A", "blue", "circle", "red", "star"], [f"{'x' * 10_000}"] * 5, [f"w{'x' * k}" for k in range(1, 5000)],
    ],
    ids=lambda words: str(words)[:20],
)  # fmt: skip
def test_a_card_with_an_absurd_vocabulary_is_refused(kind, words, tmp_path):
    path = tmp_path / "told.safetensors"
    save(path, LearnedDenoiser(perturbed(kind), cosine))
    tensors, card = read(path)
    card["network"]["words"] = words
    write(path, tensors, card)
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert "\n" not in str(caught.value) and 8 < len(str(caught.value).split()) < 80 and len(str(caught.value)) < 600


@networks
@pytest.mark.parametrize(
    "text, said",
    [
        (torch.zeros(2, 5).long(), r"give numbers of words, \(B, 4\)"),
        (torch.zeros(4).long(), r"give numbers of words, \(B, 4\)"),
        (torch.zeros(2, 4), "give whole numbers"),
        (torch.ones(2, 4).bool(), "give whole numbers"),
        (torch.tensor([[6, 0, 0, 0]] * 2), "text holds 0 to 6: words are 1 to 5, and 0 is none"),
        (torch.tensor([[-1, 0, 0, 0]] * 2), "text holds -1 to 0"),
        (torch.zeros(3, 4).long(), "text has 3 rows for 2 samples"),
        (torch.zeros(1, 4).long(), "text has 1 rows for 2 samples"),
    ],
)
def test_tokens_that_cannot_be_meant(kind, text, said):
    with pytest.raises(ValueError, match=said):
        perturbed(kind)(randn(2, 1, 8, 8), torch.rand(2), text=text)


@networks
def test_a_text_for_a_network_without_words_is_refused(kind):
    make, config = SMALL[kind]
    net = make(**config)
    with pytest.raises(ValueError, match="this network knows no words"):
        net(randn(2, 1, 8, 8), torch.rand(2), text=torch.zeros(2, 4).long())
    assert net.nulls == {} and told(None, None, 2) is None


@networks
@pytest.mark.parametrize("wrong", [[], "red", ["red", "red"], 5, ["Red"]])
def test_networks_want_a_vocabulary(kind, wrong):
    make, config = SMALL[kind]
    with pytest.raises(ValueError, match="words must be a list of different words"):
        make(**config, words=wrong)


def test_sizes_that_words_do_not_go_with():
    for more in ({"deep_blocks": 0}, {"deep_width": 6, "groups": 2}):
        with pytest.raises(ValueError, match="words need deep_blocks, and a deep_width of 4 heads"):
            UNet(**{**SMALL["unet"][1], **more}, **TOLD)
    for more in ({"width": 18}, {"heads": 3}, {"size": 10}):
        with pytest.raises(ValueError, match="size must be a multiple of patch, width one of heads and of 4"):
            DiT(**{**SMALL["dit"][1], **more})


# ---- networks like these for other data


@networks
def test_adapted_to_another_size_it_keeps_its_words(kind):
    """The length of a caption is no size of an image; whatever fits is kept."""
    net = perturbed(kind)
    new, (fits, of) = adapted(net, (3, 16, 16), 5)
    assert new.config == net.config | {"channels": 3, "size": 16, "classes": 5} and new.text.words.words == WORDS
    assert 0.8 * of < fits < of and torch.equal(new.text.place, net.text.place)
    x = randn(2, 3, 16, 16)
    assert new(x, torch.rand(2), torch.tensor([0, 4]), text=new.text.words.encode(["red", "star"])).shape == x.shape
    accept(new, (3, 16, 16), 5)
    with pytest.raises(ValueError, match="takes no samples of shape"):
        accept(new, (3, 8, 8), 5)
    with pytest.raises(ValueError, match="made for other data"):
        accept(new, (3, 16, 16), 4)


def test_a_network_for_images_that_are_not_square():
    assert adapted(perturbed("unet"), (1, 8, 12), 0)[0].config["size"] == [8, 12]
    with pytest.raises(ValueError, match="size must be a whole number"):
        adapted(perturbed("dit"), (1, 8, 12), 0)
    assert network_for((3, 32, 32), 0).text is None


@networks
def test_words_are_heard_by_attention_alone(kind):
    """With every attention to the words silent, no text changes the output: nothing tells all places the same."""
    net, x, level = perturbed(kind), randn(1, 1, 8, 8), torch.tensor([0.5])
    say = lambda *numbers: net(x, level, text=torch.tensor([numbers]))
    with torch.no_grad():
        assert (say(2, 3, 0, 0) - say(4, 3, 0, 0)).abs().max() > 1e-3
        for name, parameter in net.named_parameters():
            if ".words.out." in name:
                parameter.zero_()
        assert_close(say(2, 3, 0, 0), say(4, 3, 0, 0))


def test_where_a_word_stands_is_as_loud_as_the_word():
    """Else the encoder cannot find the noun that follows a colour."""
    torch.manual_seed(0)
    encoder = TextEncoder(WORDS, 4, 64)
    assert 0.5 < (encoder.place.std() / encoder.table.weight.std()).item() < 2


def test_a_unet_with_words_knows_its_places():
    """The same everywhere, and told nothing, its halves differ at the deep level, where the words are looked at."""
    torch.manual_seed(0)
    net, seen = UNet(**SMALL["unet"][1], **TOLD), {}
    net.looks[0].register_forward_pre_hook(lambda module, given: seen.update(x=given[0]))
    net(torch.zeros(1, 1, 8, 8), torch.tensor([0.5]))
    assert seen["x"].shape[2:] == net.places.shape[1:] and seen["x"].std((2, 3)).min() > 0.1
