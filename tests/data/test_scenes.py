"""Captioned scenes: the grammar, what is drawn against what is said of it, the split, and areas in closed form."""

import math
import os
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from minidiff.data import Data, Scene, Thing, render, scene, scenes
from minidiff.networks import vocabulary

home = import_module("minidiff.data.scenes")  # the module: the package's name for it is the function's

SHAPES = ["circle", "square", "triangle", "star", "cross", "ring", "heart", "crescent"]
COLOURS = ["red", "green", "blue", "yellow", "purple", "orange", "cyan", "black"]
GROUNDS = ["white", "grey", "sand"]
KINDS = {"one": 1, "place": 1, "only": 1, "and": 2, "pair": 2, "mixed": 3, "three": 3}  # things in each; count: 2 or 3


# ---- the grammar, written again from the docstring's rules


def any_of(*words: str) -> str:
    return f"(?:{'|'.join(words)})"


SIZE = f"(?:{any_of('small', 'large')} )?"
THING = f"{any_of('a', 'an', 'one')} {SIZE}{any_of(*COLOURS)} {any_of(*SHAPES)}"
PLURALS = [f"{shape}es" if shape == "cross" else f"{shape}s" for shape in SHAPES]
SEVERAL = f"{any_of('two', 'three')} {SIZE}{any_of(*COLOURS)} {any_of(*PLURALS)}"
THINGS, SIDE = any_of(THING, SEVERAL), any_of("left", "right")
RELATION = any_of(f"(?:to the )?{SIDE} of", "above", "over", "below", "under")
CONTENT = any_of(
    f"{THINGS}(?: {any_of('at the top', 'at the bottom', f'on the {SIDE}', 'in the middle')})?",
    f"no {any_of(*SHAPES)}, only {THING}",
    f"{THING} and {THING}",
    f"{THING}, {THING} and {THING}",
    f"{THINGS} {RELATION} {THING}",
    f"{THING} {RELATION} {THINGS}",
    f"{THING} with {THINGS} {any_of(f'to its {SIDE}', 'above it', 'below it')}",
)
GRAMMAR = re.compile(f"{CONTENT}(?: on {any_of(*GROUNDS)})?")


@pytest.fixture(scope="module")
def many() -> list[Scene]:
    """5,000 scenes of all kinds, of both splits."""
    mixture = [scene(1, k) for k in range(2000)] + [scene(1, k, "held-out") for k in range(1000)]
    return mixture + [scene(2, k, kind=kind) for kind in [*KINDS, "count"] for k in range(250)]


def test_every_caption_is_of_the_grammar(many):
    captions = [one.caption for one in many]
    assert [caption for caption in captions if not GRAMMAR.fullmatch(caption)] == []
    assert all(
        (article == "an") == (word[0] == "o") for c in captions for article, word in re.findall(r"\b(an?) (\w+)", c)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "a red circles", "two red circle", "a circle", "red circle", "a red circle on blue", "a red small circle", "no circle",
        "a red circle and a blue star left of a cyan ring", "a red circle above", "a red circle to its left", "",
        "a red circle with a blue star left of it", "a red circle at the left", "a red circle, a blue star", "A red circle",
    ],
)  # fmt: skip
def test_the_grammar_refuses_others(wrong):
    assert not GRAMMAR.fullmatch(wrong)


# ---- what is said, read by eye of the regular expression, against what is there

NUMBER = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3}
NOUN = re.compile(rf"({'|'.join(NUMBER)}) (?:(small|large) )?({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})(?:es|s)?\b")
WHERE = {"left": "left", "right": "right", "above": "above", "over": "above", "below": "below", "under": "below"}


def looks(one: Thing, with_size: bool) -> tuple:
    size = {True: "small", False: "large"}[one.r < 0.16] if with_size else ""
    return size, one.colour, one.shape


def centre(things) -> tuple[float, float]:
    return sum(one.x for one in things) / len(things), sum(one.y for one in things) / len(things)


def lies(where: str, of: list[Thing], seen_from: list[Thing]) -> bool:
    """Whether all of some things are on that side of all others, and their middle more so than any other way."""
    axis, sign = {"left": ("x", 1), "right": ("x", -1), "above": ("y", 1), "below": ("y", -1)}[where]
    if not of or not seen_from:
        return False
    apart = all(sign * (getattr(b, axis) - getattr(a, axis)) > a.r + b.r for a in of for b in seen_from)
    (ax, ay), (bx, by) = centre(of), centre(seen_from)
    return apart and (abs(ax - bx) > abs(ay - by)) == (axis == "x")


def is_true(one: Scene) -> bool:
    """Whether every word of its caption is."""
    said, nouns = one.caption, list(NOUN.finditer(one.caption))
    told = [noun.groups()[1:] for noun in nouns]  # size, colour, shape
    sized = {size is not None for size, _, _ in told}
    assert len(sized) == 1  # of all of them, or of none
    with_size = sized.pop()
    named = [[thing for thing in one.things if looks(thing, with_size) == (size or "", *rest)] for size, *rest in told]
    counts = [NUMBER[noun[1]] for noun in nouns]
    true = [len(found) for found in named] == counts and sum(counts) == len(one.things)
    ground = re.search(r" on (white|grey|sand)$", said)
    true &= (ground[1] if ground else "white") == one.ground
    if absent := re.match(r"no (\w+), only", said):
        true &= absent[1] not in [thing.shape for thing in one.things]
    if place := re.search(r"(?:at the (top|bottom)|on the (left|right)|in the (middle))", said):
        (x, y), word = centre(one.things), next(filter(None, place.groups()))
        far = {"left": 0.5 - x, "right": x - 0.5, "top": 0.5 - y, "bottom": y - 0.5}
        true &= max(far.values()) <= 0.05 if word == "middle" else far[word] == max(far.values()) >= 0.15
    if its := re.search(r" with .* (?:to its (left|right)|(above|below) it)\b", said):
        true &= lies(its[1] or its[2], named[1], named[0])
    elif relation := re.search(rf" (?:to the )?({'|'.join(WHERE)})(?: of)? (?=an?|one|two|three)", said):
        true &= lies(WHERE[relation[1]], named[0], named[1])
    return bool(true)


def test_every_caption_is_true_of_its_scene(many):
    assert [one.caption for one in many if not is_true(one)] == []


def test_the_reading_sees_what_is_not_true(many):
    """Each kind of claim, made false: so the test above can fail."""
    swaps = [
        ("small", "large"),
        ("red", "blue"),
        ("square", "ring"),
        ("left", "right"),
        ("top", "bottom"),
        ("above", "below"),
    ]
    swaps += [("over", "under"), ("grey", "sand"), ("two", "three"), ("middle", "middle of"), ("a ", "two ")]
    for word, other in swaps:
        turned = [one for one in many if re.search(rf"\b{word}", one.caption) and other not in one.caption]
        turned = [one for one in turned if not one.caption.startswith("no ")][:20]
        assert turned
        for one in turned:
            false = Scene(one.things, one.ground, re.sub(rf"\b{word}", other, one.caption))
            assert other == "middle of" or not is_true(false), false.caption


def test_what_is_told_is_what_the_caption_tells(many):
    """`said`, `relation` and the order of the things."""
    for one in many:
        assert ("size" in one.said) == bool(re.search("small|large", one.caption))
        assert ("ground" in one.said) == bool(re.search(r"white|grey|sand", one.caption)) == (one.ground != "white")
        assert ("place" in one.said) == bool(re.search(r"top|bottom|middle|on the (left|right)", one.caption))
        assert ("relation" in one.said) == bool(re.search(r" of |above|over|below|under|to its", one.caption))
        assert one.said <= {"size", "ground", "place", "relation"}
        if "relation" in one.said:
            assert lies(one.relation, list(one.things[:-1]), list(one.things[-1:]))
        assert (one.relation is None) == (not one.said & {"relation", "place"})


def test_all_ways_to_say_it_are_used(many):
    text = "\n".join(one.caption for one in many)
    ways = [
        "left of",
        "to the left of",
        "right of",
        "to the right of",
        " above a",
        " over a",
        " below a",
        " under a",
        "one ",
    ]
    ways += [
        "to its left",
        "to its right",
        " above it",
        " below it",
        "no ",
        ", only ",
        "three ",
        "two ",
        " and ",
        "crosses",
    ]
    ways += ["at the top", "at the bottom", "on the left", "on the right", "in the middle", "on grey", "on sand"]
    ways += [
        f"{relation} {number} " for relation in ("of", "above", "over", "below", "under") for number in ("a", "two")
    ]
    assert [way for way in ways if text.count(way) < 10] == []


# ---- what decides a scene, and how often there is what


def test_seed_and_number_decide():
    assert [scene(3, k) for k in (5, 2)] == [scene(3, k) for k in (5, 2)]
    five, three = scenes(5, seed=3), scenes(3, seed=3)
    assert torch.equal(five.x[:3], three.x) and five.captions == tuple(scene(3, k).caption for k in range(5))
    assert five.captions[:3] == three.captions
    assert len({repr(scene(seed, k, split)) for seed in (0, 1) for k in range(50) for split in home.SPLITS}) == 200
    assert scenes(2).captions == scenes(2, seed=0, split="train", kind=None).captions
    assert scenes(300, size=8).captions[256:] == tuple(scene(0, k).caption for k in range(256, 300))  # drawn in parts


def test_another_process_draws_the_same():
    code = (
        "from minidiff.data import scene; print([(one.caption, one.things) for one in (scene(7, k) for k in range(9))])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == str([(one.caption, one.things) for one in (scene(7, k) for k in range(9))])


FIRST = {  # seed 0, by number: caption, and x, y, r of its things
    0: ("a small blue cross", [(0.3921, 0.3314, 0.125)]),
    1: ("a cyan crescent left of a cyan triangle", [(0.2434, 0.5663, 0.2033), (0.8117, 0.5916, 0.1369)]),
    2: ("a purple ring under a black triangle on grey", [(0.6017, 0.7607, 0.198), (0.5543, 0.1829, 0.1284)]),
    3: ("one green circle, an orange heart and a blue heart",
        [(0.2418, 0.2464, 0.21), (0.2397, 0.7517, 0.204), (0.6863, 0.4547, 0.1296)]),
}  # fmt: skip


def test_the_series_is_what_it_was():
    """Checkpoints and records name scenes by (seed, number): these must never move."""
    for k, (caption, places) in FIRST.items():
        assert scene(0, k).caption == caption
        assert_close(
            torch.tensor([(t.x, t.y, t.r) for t in scene(0, k).things]), torch.tensor(places), rtol=0, atol=6e-5
        )


def test_every_word_is_learned_and_three_alike_are_among_them():
    train, other = (vocabulary([scene(0, k, split).caption for k in range(3000)]) for split in ("train", "held-out"))
    assert train == other and "three" in train
    counts = [scene(0, k, "train", "count") for k in range(400)]
    alike = [len(one.things) for one in counts]
    assert 0.4 < alike.count(3) / 400 < 0.6 and alike.count(2) + alike.count(3) == 400  # within 4 standard errors
    assert {one.things[0].shape for one in counts if len(one.things) == 3} == set(SHAPES)


def test_n_seed_split_kind_and_size_are_looked_at():
    for wrong in ({"n": 0}, {"n": 2.0}, {"seed": -1}, {"split": "test"}, {"kind": "four"}, {"size": 7}, {"size": 1025}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            scenes(**{"n": 1, **wrong})
    with pytest.raises(ValueError, match="number must be"):
        scene(0, -1)


def test_the_usual_mixture():
    drawn = [scene(4, k) for k in range(8000)]
    count = len(drawn)
    shares = {  # what, and how often it should be
        "told a relation": (sum("relation" in one.said for one in drawn), 0.38),
        "told a place": (sum("place" in one.said for one in drawn), 0.08),
        "told what is not there": (sum(one.caption.startswith("no ") for one in drawn), 0.04),
        "one thing": (sum(len(one.things) == 1 for one in drawn), 0.32),
        "two things": (sum(len(one.things) == 2 for one in drawn), 0.45),
        "told sizes": (sum("size" in one.said for one in drawn), 0.4),
        "on another ground": (sum("ground" in one.said for one in drawn), 0.2),
        "two or three alike": (
            sum(len({looks(t, True) for t in one.things}) == 1 < len(one.things) for one in drawn),
            0.14,
        ),
        "one, not a": (len(re.findall(r"\bone\b", "\n".join(one.caption for one in drawn))) / 1.4, 0.1),
    }
    for what, (found, share) in shares.items():
        assert abs(found / count - share) < 5 * math.sqrt(share * (1 - share) / count), (what, found / count)
    told = Counter(one.relation for one in drawn if "relation" in one.said)
    assert set(told) == {"left", "right", "above", "below"} and max(told.values()) < 1.25 * min(told.values())
    places = Counter(one.relation for one in drawn if "place" in one.said)
    assert len(places) == 5 and max(places.values()) < 1.35 * min(places.values())


@pytest.mark.parametrize("kind", [*KINDS, "count"])
def test_the_kinds(kind):
    drawn = [scene(0, k, split, kind) for split in home.SPLITS for k in range(200)]
    number = Counter(len(one.things) for one in drawn)
    assert set(number) == ({2, 3} if kind == "count" else {KINDS[kind]})
    assert kind != "count" or 100 < number[3] < 300
    alike = {len(one.things) - len({(t.shape, t.colour) for t in one.things}) for one in drawn}
    assert alike == ({1, 2} if kind == "count" else {1} if kind == "mixed" else {0})
    r = torch.tensor([t.r for one in drawn for t in one.things])
    low, most = r[r < 0.165], 0.3 if kind in ("one", "only") else 0.215
    high = r[r > 0.165]
    assert 0.115 <= low.min() < 0.118 and 0.142 < low.max() <= 0.145
    assert 0.185 <= high.min() < 0.192 and most - 0.007 < high.max() <= most
    assert 0.3 < len(low) / len(r) < 0.7
    assert {t.size for one in drawn for t in one.things if t.r < 0.165} == {"small"}
    assert {t.size for one in drawn for t in one.things if t.r > 0.165} == {"large"}


# ---- the split


def pairs_of(one: Scene) -> set[tuple[str, str]]:
    return {(thing.colour, thing.shape) for thing in one.things}


def triples_of(one: Scene) -> set[tuple[str, str, str]]:
    """(shape, above or left of, shape) of any two things."""
    found = set()
    for a, b in combinations(one.things, 2):
        upright = abs(a.y - b.y) > abs(a.x - b.x)
        first, second = (a, b) if (a.y < b.y if upright else a.x < b.x) else (b, a)
        found.add((first.shape, "above" if upright else "left of", second.shape))
    return found


@pytest.mark.slow
def test_some_combinations_are_never_seen_in_training():
    """What 20,000 scenes of training show is all but an eighth of the pairs and 8 of the 112 triples; the others show a combination out of it, each of them."""
    train, other = [scene(0, k) for k in range(20_000)], [scene(0, k, "held-out") for k in range(4000)]
    every_pair = {(colour, shape) for colour in COLOURS for shape in SHAPES}
    every_triple = {(a, way, b) for a in SHAPES for way in ("above", "left of") for b in SHAPES}
    pairs = every_pair - {pair for one in train for pair in pairs_of(one)}
    triples = every_triple - {triple for one in train for triple in triples_of(one)}
    assert (len(pairs), len(triples)) == (64 / 8, 8)
    assert {colour for colour, _ in pairs} == set(COLOURS) and {shape for _, shape in pairs} == set(SHAPES)  # one each
    assert Counter(way for _, way, _ in triples) == {"above": 4, "left of": 4} and all(a != b for a, _, b in triples)
    shown = [(pairs_of(one) & pairs, triples_of(one) & triples) for one in other]
    assert all(pair or triple for pair, triple in shown)
    assert {one for pair, _ in shown for one in pair} == pairs and {
        one for _, triple in shown for one in triple
    } == triples
    assert {one.relation for one in train} == {None, "middle", "left", "right", "above", "below"}
    assert not any(home.held_out(one) for one in train) and all(home.held_out(one) for one in other)


def test_who_is_named_first_does_not_matter_to_the_split(many):
    for one in many[:2000:7] + many[2000:3000:7]:
        assert home.held_out(one) == home.held_out(Scene(one.things[::-1]))


# ---- the geometry


def test_things_are_inside_the_picture_and_apart(many):
    for one in many:
        for thing in one.things:
            assert min(thing.x, thing.y) - thing.r > 0.03 - 1e-9 and max(thing.x, thing.y) + thing.r < 0.97 + 1e-9
        for a, b in combinations(one.things, 2):
            assert max(abs(a.x - b.x), abs(a.y - b.y)) - a.r - b.r > 0.06 - 1e-9


def test_a_pixel_lies_between_any_two(many):
    """At 32: no pixel half covered by one touches, even at a corner, one half covered by another."""
    some = [one for one in many if len(one.things) > 1][::3]
    for k, l in ((0, 1), (0, 2), (1, 2)):
        both = [one.things for one in some if len(one.things) > l]
        a, b = (home.stencils([things[i] for things in both]) > 0.5 for i in (k, l))
        assert not (F.max_pool2d(a.float(), 3, 1, 1).bool() & b).any() and (a.sum((1, 2, 3)) >= 6).all()


def test_places_are_filled(many):
    """The whole picture is used: each ninth of it holds the middle of some thing."""
    spots = Counter((int(3 * t.x), int(3 * t.y)) for one in many for t in one.things)
    assert len(spots) == 9 and min(spots.values()) > 100


# ---- the pictures


def one(shape="circle", colour="red", x=0.5, y=0.5, r=0.25, ground="white") -> Scene:
    return Scene((Thing(shape, colour, x, y, r),), ground)


def lens(r: float, s: float, d: float) -> float:
    """What two discs of these radii, so far apart, have in common."""
    a, b = (d**2 + r**2 - s**2) / (2 * d * r), (d**2 + s**2 - r**2) / (2 * d * s)
    corner = 0.5 * math.sqrt((r + s - d) * (d + r - s) * (d - r + s) * (d + r + s))
    return r**2 * math.acos(a) + s**2 * math.acos(b) - corner


def heart() -> float:
    """In polar coordinates (rho^2 - 0.75)^3 = 1.3 rho^5 cos^2 sin^3: solved on each ray, rho^2 / 2 integrated."""
    angle = np.linspace(0, 2 * np.pi, 4001)[:-1]
    right = np.cbrt(1.3 * np.cos(angle) ** 2 * np.sin(angle) ** 3)
    low, high = np.zeros_like(angle), np.full_like(angle, 3.0)
    for _ in range(60):
        rho = (low + high) / 2
        above = rho**2 - 0.75 > right * rho ** (5 / 3)
        low, high = np.where(above, low, rho), np.where(above, rho, high)
    return float((rho**2 / 2).mean() * 2 * np.pi / 1.15**2)


AREA = {  # of a shape with r = 1
    "circle": math.pi * 0.92**2,
    "square": 1.6**2,
    "triangle": 0.5 * 1.65 * (2 * 1.65 / 1.7),
    "star": 10 * 0.5 * 0.42 * math.sin(math.pi / 5),  # ten triangles between a tip, a notch and the middle
    "cross": 2 * 0.6 * 1.9 - 0.6**2,
    "ring": math.pi * (0.97**2 - 0.55**2),
    "heart": heart(),
    "crescent": math.pi - lens(1, 0.75, 0.45),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_areas_in_closed_form(shape):
    """To the half cell by which the outlines in the table are off: most for the thin arms of the cross."""
    tolerance = 0.035 if shape == "cross" else 0.02
    for size, r in ((256, 0.3), (32, 0.2)):
        covers = home.stencils([Thing(shape, "red", x, 0.5, r) for x in (0.5, 0.51, 0.507)], size)
        assert_close(covers.mean((1, 2, 3)) / r**2, torch.full((3,), AREA[shape]), rtol=tolerance, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_fill_the_square_that_holds_them_and_stay_inside(shape):
    side = torch.linspace(-1.3, 1.3, 521)
    y, x = torch.meshgrid(side, side, indexing="ij")
    within = home.inside(shape, x, y)
    assert not (within & (torch.maximum(x.abs(), y.abs()) > 1)).any()
    assert max(x[within].max() - x[within].min(), y[within].max() - y[within].min()) > 1.59  # of 2
    mirrored = torch.equal(within, within.flip(1)) or (within ^ within.flip(1)).float().mean() < 1e-3
    assert mirrored == (shape != "crescent")


def test_shapes_stand_upright():
    """Tips up, the heart's down; the crescent is open to the right."""
    middle = torch.zeros(1)
    for shape, x, y, there in (
        ("triangle", 0, -0.9, True), ("triangle", 0, 0.9, False), ("triangle", 0.9, 0.65, True), ("star", 0, -0.95, True),
        ("star", 0, 0.9, False), ("star", 0.5, 0.75, True), ("heart", 0, 0.7, True), ("heart", 0, -0.7, False),
        ("heart", 0.4, -0.6, True), ("crescent", -0.9, 0, True), ("crescent", 0.9, 0, False), ("cross", 0.9, 0.2, True),
        ("cross", 0.5, 0.5, False), ("square", 0.75, 0.75, True), ("ring", 0, 0, False), ("circle", 0, 0, True),
    ):  # fmt: skip
        assert home.inside(shape, middle + x, middle + y).item() is there, (shape, x, y)


def test_what_is_drawn_where():
    """x counts from the left, y from the top; grounds and colours are those that are named."""
    picture = render([one("square", "blue", 0.25, 0.75, 0.15, "sand")], 64)[0]
    assert_close(picture[:, 48, 16], torch.tensor(home.COLOURS["blue"]))
    for row, column in ((0, 0), (63, 63), (16, 16), (16, 48), (48, 48)):
        assert_close(picture[:, row, column], torch.tensor(home.GROUNDS["sand"]))
    for colour in COLOURS:
        for ground in GROUNDS:
            shown = render([one("circle", colour, ground=ground)])[0]
            assert_close(shown[:, 16, 16], torch.tensor(home.COLOURS[colour]))
            assert_close(shown[:, 0, 0], torch.tensor(home.GROUNDS[ground]))
            assert (shown[:, 16, 16] - shown[:, 0, 0]).norm() > 0.5  # nothing is drawn that cannot be seen
    assert render([one("ring")])[0, :, 16, 16].tolist() == render([one()])[0, :, 0, 0].tolist()


def test_later_things_cover_earlier_ones():
    both = Scene((Thing("circle", "red", 0.5, 0.5, 0.3), Thing("circle", "blue", 0.5, 0.5, 0.15)))
    assert_close(render([both])[0, :, 16, 16], torch.tensor(home.COLOURS["blue"]))
    assert_close(render([both])[0, :, 16, 9], torch.tensor(home.COLOURS["red"]))


def test_scenes_are_drawn_together_as_alone(many):
    some = [*many[:40], Scene(())]
    together = render(some)
    assert together.shape == (41, 3, 32, 32) and together.min() >= 0 and together.max() <= 1
    for k in (0, 7, 23, 40):
        assert_close(together[k], render([some[k]])[0], rtol=0, atol=1e-6)
    assert (together[40] == together[40, :, :1, :1]).all() and render([]).shape == (0, 3, 32, 32)


def test_a_larger_picture_shows_the_same(many):
    some = many[:200]
    small, large = render(some, 32), F.avg_pool2d(render(some, 64), 2)
    assert (small - large).abs().mean() < 2e-3 and ((small - large).abs() > 0.15).float().mean() < 1e-3  # at tips


def test_edges_are_smooth_over_one_pixel():
    """Half covered where the outline passes through the middle of a pixel, whole and none half a pixel on."""
    r = 0.1
    right = (0.5 + 0.8 * r) * 64 - 0.5  # of a square, in pixels of a picture of 64
    for shift, share in ((0, 0.5), (0.25, 0.75), (-0.25, 0.25), (0.6, 1), (-0.6, 0)):
        column = round(right)
        cover = home.stencils([Thing("square", "red", 0.5 + (column - right + shift) / 64, 0.5, r)], 64)[
            0, 0, 32, column
        ]
        assert abs(cover - share) < 0.08, (shift, cover)


@pytest.mark.parametrize("size, r", [(8, 0.12), (32, 0.02), (32, 0.05), (12, 0.1)])
def test_small_things_leave_the_rest_as_it_is(size, r):
    for shape in SHAPES:
        cover = home.stencils([Thing(shape, "red", 0.5, 0.5, r)], size)[0, 0]
        away = ((torch.arange(size) + 0.5) / size - 0.5).abs() > r + 1.01 / size
        assert (cover[away] == 0).all() and (cover[:, away] == 0).all()


@pytest.mark.parametrize(
    "wrong, error, said",
    [
        ({"shape": "blob"}, ValueError, "shape must be one of 'circle'"),
        ({"colour": "pink"}, ValueError, "colour must be one of 'red'"),
        ({"ground": "black"}, ValueError, "ground must be one of 'white'"),
        ({"x": math.nan}, ValueError, "x must lie in"),
        ({"y": "0.5"}, TypeError, "y must be one number"),
        ({"r": 0}, ValueError, "r must lie in"),
        ({"r": -0.1}, ValueError, "r must lie in"),
    ],
)
def test_what_cannot_be_drawn_is_named(wrong, error, said):
    with pytest.raises(error, match=said):
        render([one(**wrong)])


def test_what_is_no_scene_is_named():
    for wrong in (scene(0), [scene(0).things[0]], "scenes", [None], None):
        with pytest.raises(TypeError, match="scenes must be a list of scenes"):
            render(wrong)
    for wrong in (None, ["a red circle"]):
        with pytest.raises(TypeError, match="things must be things in a tuple"):
            render([Scene(wrong)])
    with pytest.raises(TypeError, match="scene must be a Scene"):
        home.held_out("a red circle")


# ---- as a data set


def test_a_set_of_scenes():
    drawn = scenes(5, seed=2, split="held-out", kind="pair", size=16)
    assert isinstance(drawn, Data) and drawn.x.shape == (5, 3, 16, 16) and drawn.x.dtype == torch.float32
    assert drawn.y is None and drawn.names is None
    told = [scene(2, k, "held-out", "pair") for k in range(5)]
    assert drawn.captions == tuple(one.caption for one in told)
    assert_close(drawn.restore(drawn.x), render(told, 16), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_mean_is_0_and_mean_square_is_1():
    """As the data card's law asks: of 20,000, whose mean is sure to 0.002."""
    x = scenes(20_000).x
    assert abs(x.mean()) < 0.005 and abs(x.std() - 1) < 0.01
