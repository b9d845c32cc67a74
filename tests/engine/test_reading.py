"""An encoder reads before a network draws: what captions are about, told again, and learned from words alone."""

import torch

from minidiff import data
from minidiff.data.scenes import COLOURS, KINDS, SHAPES
from minidiff.engine.reading import MIDDLE, SPREAD, facts, read
from minidiff.networks import vocabulary
from minidiff.networks.text import TextEncoder, Words

TOLD = [data.scene(3, number, kind=kind) for kind in KINDS for number in range(40)]
WORDS = Words(vocabulary([one.caption for one in TOLD]), 16)


def test_facts_are_those_of_the_scene():
    """Each thing that is drawn is told of, by its colour's word and by its noun, and nothing else is."""
    at, kinds, where = facts(TOLD, WORDS)
    rows = WORDS.decode(WORDS.encode([one.caption for one in TOLD]))
    found = [set() for _ in TOLD]
    for (k, i), (shape, colour, more), (x, y, r) in zip(
        at.tolist(), kinds.tolist(), (where * SPREAD + MIDDLE).tolist(), strict=True
    ):
        name, hue, word = SHAPES[shape], list(COLOURS)[colour], rows[k].split()[i]
        assert word == hue or word.startswith(name)
        alike = [thing for thing in TOLD[k].things if (thing.shape, thing.colour) == (name, hue)]
        assert len(alike) == more + 1 and abs(sum(thing.x for thing in alike) / len(alike) - x) < 1e-5
        assert abs(sum(thing.y for thing in alike) / len(alike) - y) < 1e-5
        assert abs(sum(thing.r for thing in alike) / len(alike) - r) < 1e-5
        found[k].add((word == hue, name, hue))
    for one, said in zip(TOLD, found, strict=True):
        assert said == {(first, thing.shape, thing.colour) for thing in one.things for first in (True, False)}


def test_what_is_negated_is_no_thing():
    only = [one for one in TOLD if one.caption.startswith("no ")]
    at, kinds, _ = facts(only, WORDS)
    assert len(only) == 40 and len(at) == 80
    assert [SHAPES[kind] for kind in kinds[::2, 0].tolist()] == [one.things[0].shape for one in only]


def test_an_encoder_learns_whose_colour_is_whose():
    """By guessing, ln 8 nats each; what is far above a tenth of that has not found the other word."""
    torch.manual_seed(0)
    encoder = TextEncoder(WORDS.words, 16, 32, 2, 2)
    before = encoder.place.clone()
    pairs = [data.scene(4, number, kind="pair") for number in range(400)]
    errors = read(encoder, pairs, steps=250, batch=64, lr=5e-3)
    assert errors.keys() == {"shape", "colour", "number", "place"} and not torch.equal(before, encoder.place)
    assert max(errors["shape"], errors["colour"]) < 0.2 and 0.1 < errors["place"] < 1.5


def test_reading_is_decided_by_the_seed():
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        encoder = TextEncoder(WORDS.words, 16, 16, 1, 2)
        found.append((read(encoder, TOLD[:50], steps=3, batch=8), encoder.place))
    assert found[0][0] == found[1][0] and torch.equal(found[0][1], found[1][1]) and found[0][0] != found[2][0]
