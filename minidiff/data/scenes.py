"""Captioned scenes: one to three shapes on a plain ground, with a caption in a small grammar. Any number by seed.

    caption   = content ["on" ground]
    content   = things [place]                              one thing, or two or three alike
              | "no" shape "," "only" thing
              | thing "and" thing | thing "," thing "and" thing
              | things relation thing | thing relation things
              | thing "with" things ("to its" side | ("above" | "below") "it")
    things    = thing | ("two" | "three") [size] colour shapes
    thing     = ("a" | "an" | "one") [size] colour shape
    place     = ("at the" ("top" | "bottom")) | ("on the" side) | "in the middle"
    relation  = ["to the"] side "of" | "above" | "over" | "below" | "under"
    side      = "left" | "right"

Two kinds of combination never appear in training, so that composing can be tested: an eighth of the pairs (colour,
shape), and 8 of the 112 triples (shape, above or left of, another shape). Every word itself appears.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from ..refusals import choice, instance, number, whole
from .dataset import Data

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "crescent")
COLOURS = {
    "red": (0.85, 0.15, 0.15), "green": (0.15, 0.65, 0.25), "blue": (0.15, 0.3, 0.85), "yellow": (0.95, 0.8, 0.1),
    "purple": (0.55, 0.2, 0.7), "orange": (0.95, 0.5, 0.1), "cyan": (0.1, 0.7, 0.75), "black": (0.1, 0.1, 0.1),
}  # fmt: skip
GROUNDS = {"white": (0.96, 0.96, 0.96), "grey": (0.72, 0.72, 0.72), "sand": (0.93, 0.86, 0.72)}
RADII = {"small": (0.115, 0.145), "large": (0.185, 0.215), "huge": (0.185, 0.3)}  # huge: large, with all the room
PHRASES = {
    "left": ("left of", "to the left of"), "right": ("right of", "to the right of"),
    "above": ("above", "over"), "below": ("below", "under"),
}  # fmt: skip
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
PLACES = {"left": "on the left", "right": "on the right", "above": "at the top", "below": "at the bottom"}
KINDS = {"one": 20, "place": 8, "only": 4, "and": 8, "pair": 30, "count": 14, "mixed": 8, "three": 8}  # how many in 100
SPLITS = ("train", "held-out")
SHIFT, SCALE = 0.8667, 0.1960  # of scenes(20_000)
EDGE, GAP = 0.03, 0.06  # free of shapes: along the border, and between two of them, in sides of the picture


@dataclass(frozen=True)
class Thing:
    """A shape in a scene.

    shape: one of SHAPES.
    colour: a name in COLOURS.
    x, y: its middle, from 0 to 1, from the left and from the top.
    r: half the side of the square that holds it, in sides of the picture.
    """

    shape: str
    colour: str
    x: float
    y: float
    r: float

    @property
    def size(self) -> str:
        """Small or large: between the two lies a gap."""
        return "small" if self.r < 0.165 else "large"


@dataclass(frozen=True)
class Scene:
    """What is to be seen, and what its caption says of it.

    things: one to three; those that a relation puts first come first.
    ground: a name in GROUNDS.
    caption: in the grammar above.
    relation: where the first things are, seen from the last: left, right, above, below; or where the one thing is,
        those or middle; None if there is nothing to tell.
    said: which of size, ground, relation and place the caption tells; it tells shapes, colours and number always.
    """

    things: tuple[Thing, ...]
    ground: str = "white"
    caption: str = ""
    relation: str | None = None
    said: frozenset[str] = frozenset()


def scenes(n: int, seed: int = 0, split: str = "train", kind: str | None = None, size: int = 32) -> Data:
    """n captioned scenes, x (n, 3, size, size), the same for the same seed; the k-th is scene(seed, k, split, kind).

    n: how many.
    seed: of all.
    split: "train", or "held-out": scenes with a combination that training never shows.
    kind: one of KINDS, or None for the usual mixture.
    size: height and width in pixels.
    """
    told = [scene(seed, number, split, kind) for number in range(whole("n", n))]
    x = torch.cat([render(told[first : first + 256], size) for first in range(0, n, 256)])
    return Data((x - SHIFT) / SCALE, None, SHIFT, SCALE, captions=tuple(one.caption for one in told))


def scene(seed: int, number: int = 0, split: str = "train", kind: str | None = None) -> Scene:
    """A scene, decided by (seed, number).

    seed: of a series.
    number: which of the series.
    split: as in `scenes`.
    kind: as in `scenes`.
    """
    random = Random(f"{whole('seed', seed, 0)} {whole('number', number, 0)} {choice('split', split, SPLITS)}")
    drawn = random.choices(list(KINDS), list(KINDS.values()))[0]
    kind = drawn if kind is None else choice("kind", kind, KINDS)
    while True:
        found = _scene(random, kind)
        if held_out(found) == (split == "held-out"):
            return found


def held_out(scene: Scene) -> bool:
    """Whether it shows a combination that training never shows."""
    things = instance("scene", scene, Scene, "a Scene").things
    place = [(SHAPES.index(one.shape), list(COLOURS).index(one.colour)) for one in things]
    if any((3 * shape + colour) % 8 == 0 for shape, colour in place):
        return True
    return any(_triple(one, other) for k, one in enumerate(things) for other in things[:k])


def _triple(one: Thing, other: Thing) -> bool:
    """Whether the relation of these two is held out, whichever of them is named first."""
    upright = abs(one.y - other.y) > abs(one.x - other.x)
    first, second = sorted((one, other), key=lambda thing: thing.y if upright else thing.x)
    pair = SHAPES.index(first.shape), SHAPES.index(second.shape)
    return pair[0] != pair[1] and (pair[0] + 3 * pair[1] + 4 * upright) % 8 == 0


def _scene(random: Random, kind: str) -> Scene:
    """A scene of a kind, held out or not."""
    count = {"one": 1, "place": 1, "only": 1, "and": 2, "pair": 2}.get(kind, 3)
    alike = {"count": count, "mixed": 2}.get(kind, 1)  # how many of the first are alike
    if kind == "count" and random.random() < 0.5:
        count = alike = 2
    looks = [(random.choice(SHAPES), random.choice(list(COLOURS))) for _ in range(count)]
    sizes = [random.choice(("small", "large")) for _ in looks]
    looks[:alike], sizes[:alike] = [looks[0]] * alike, [sizes[0]] * alike
    while len(set(looks[alike - 1 :])) < count - alike + 1:  # what is named apart looks different
        looks[alike:] = [(random.choice(SHAPES), random.choice(list(COLOURS))) for _ in range(count - alike)]
    if kind in ("one", "only"):
        sizes = [{"large": "huge"}.get(sizes[0], "small")]
    relation = random.choice([*PHRASES, *["middle"] * (kind == "place")])
    radii = [random.uniform(*RADII[size]) for size in sizes]
    spots = _spots(random, radii, relation if count > 1 or kind == "place" else None)
    things = tuple(Thing(*look, *spot, r) for look, spot, r in zip(looks, spots, radii, strict=True))
    said = {"relation"} if kind in ("pair", "mixed") else {"place"} if kind == "place" else set()
    said |= {"size"} if random.random() < 0.4 else set()
    ground = random.choice(list(GROUNDS)) if random.random() < 0.3 else "white"
    said |= {"ground"} if ground != "white" else set()
    found = Scene(things, ground, "", relation if said & {"relation", "place"} else None, frozenset(said))
    return Scene(things, ground, _caption(random, kind, found, alike), found.relation, found.said)


def _spots(random: Random, radii: Sequence[float], relation: str | None) -> list[tuple[float, float]]:
    """Where the things stand: the last on its side of the picture, the others on the opposite one, side by side."""
    if relation is None or (len(radii) == 1 and relation == "middle"):
        room = 0.5 - EDGE - radii[0] if relation is None else 0.05
        return [(0.5 + random.uniform(-room, room), 0.5 + random.uniform(-room, room))]
    spots = []
    for k, r in enumerate(radii):
        nearest, farthest = (r + GAP / 2, 0.5 - EDGE - r)  # from the line that parts the two sides
        along = random.uniform(min(nearest, farthest), farthest)
        if len(radii) == 1:
            along = random.uniform(0.15, 0.5 - EDGE - r)
        across = random.uniform(-0.5, 0.5) * along
        if len(radii) == 3 and k < 2:  # two on one side
            across = (2 * k - 1) * random.uniform(nearest, farthest)
        towards = -1 if (relation in ("left", "above")) == (k < max(1, len(radii) - 1)) else 1
        spot = (0.5 + towards * along, 0.5 + across)
        spots.append(spot if relation in ("left", "right") else spot[::-1])
    return spots


def _caption(random: Random, kind: str, scene: Scene, alike: int) -> str:
    """What is said of it, in one of the grammar's phrasings."""
    named = [_named(one, "size" in scene.said) for one in scene.things]
    article = ["an" if name.startswith("o") else "a" for name in named]
    thing = [f"{'one' if random.random() < 0.1 else a} {name}" for a, name in zip(article, named, strict=True)]
    many = f"{('', 'two', 'three')[alike - 1]} {named[0]}{'es' if named[0].endswith('s') else 's'}"
    first, last = many if alike > 1 else thing[0], thing[-1]
    if kind == "only":
        other = random.choice([shape for shape in SHAPES if shape != scene.things[0].shape])
        said = f"no {other}, only {first}"
    elif kind in ("pair", "mixed"):
        said = _related(random, first, last, scene.relation or "")
    elif kind == "place":
        said = f"{first} {PLACES.get(scene.relation or '', 'in the middle')}"
    else:
        said = {"and": " and ".join(thing[:2]), "three": f"{', '.join(thing[:2])} and {last}"}.get(kind, first)
    return said + (f" on {scene.ground}" if "ground" in scene.said else "")


def _named(thing: Thing, with_size: bool) -> str:
    return f"{thing.size} {thing.colour} {thing.shape}" if with_size else f"{thing.colour} {thing.shape}"


def _related(random: Random, first: str, last: str, relation: str) -> str:
    """The relation in one of its phrasings, told from either end."""
    form = random.randrange(3)
    if form == 0:
        return f"{first} {random.choice(PHRASES[relation])} {last}"
    if form == 1:
        return f"{last} {random.choice(PHRASES[OPPOSITE[relation]])} {first}"
    return f"{last} with {first} " + (f"to its {relation}" if relation in ("left", "right") else f"{relation} it")


def render(scenes: Sequence[Scene], size: int = 32) -> Tensor:
    """The pictures of scenes, (N, 3, size, size), 0 black and 1 white, their edges smoothed over one pixel.

    Raises ValueError and TypeError for a scene that cannot be drawn, such as one of a colour that is not in COLOURS.
    """
    size = whole("size", size, 8, 1024)
    for one in instance("scenes", scenes, (list, tuple), "a list of scenes"):
        _refuse(one)
    grounds = torch.tensor([GROUNDS[one.ground] for one in scenes]).reshape(-1, 3, 1, 1)
    picture = grounds.expand(-1, 3, size, size)
    for k in range(max((len(one.things) for one in scenes), default=0)):
        rows = [row for row, one in enumerate(scenes) if k < len(one.things)]
        things = [scenes[row].things[k] for row in rows]
        colour = torch.tensor([COLOURS[one.colour] for one in things])[:, :, None, None]
        picture = picture.index_put((torch.tensor(rows),), torch.lerp(picture[rows], colour, stencils(things, size)))
    return picture


def _refuse(scene: Scene) -> None:
    """Raise ValueError or TypeError where it cannot be drawn."""
    choice("ground", instance("scenes", scene, Scene, "a list of scenes").ground, GROUNDS)
    for thing in instance("things", scene.things, (list, tuple), "things in a tuple"):
        choice("shape", instance("things", thing, Thing, "things in a tuple").shape, SHAPES)
        choice("colour", thing.colour, COLOURS)
        number("x", thing.x, -9, 9), number("y", thing.y, -9, 9), number("r", thing.r, 1e-3, 9)


def stencils(things: Sequence[Thing], size: int = 32) -> Tensor:
    """How much of each pixel each thing covers, (N, 1, size, size), from its signed distance to the outline."""
    place = torch.tensor([(SHAPES.index(one.shape), one.x, one.y, one.r) for one in things]).T[:, :, None]
    kind, x, y, r = place
    pixel = (torch.arange(size) + 0.5) / size
    right, down = (pixel - x) / r, (pixel - y) / r
    column, line = right.clamp(-REACH, REACH), down.clamp(-REACH, REACH)  # the nearest place in the table
    beyond = torch.hypot((right - column)[:, None, :], (down - line)[:, :, None])  # how much farther away
    line = (line / REACH * (1 - 1 / TABLE) + 1 + 2 * kind) / len(SHAPES) - 1  # its own part of the one tall table
    where = torch.stack([(column / REACH)[:, None, :].expand_as(beyond), line[:, :, None].expand_as(beyond)], -1)
    found = F.grid_sample(_distances(), where.reshape(1, -1, size, 2), padding_mode="border", align_corners=False)
    distance = (found.reshape(beyond.shape) + beyond) * r[:, :, None] * size  # in pixels
    return (0.5 - distance).clamp(0, 1)[:, None]


TABLE, REACH = 128, 1.3  # entries a side of a shape's table of distances, and how far it reaches, in radii


def inside(shape: str, x: Tensor, y: Tensor) -> Tensor:
    """Whether points belong to a shape of radius 1 around 0; x to the right, y downwards."""
    length = torch.hypot(x, y)
    if shape == "circle":
        return length < 0.92
    if shape == "square":
        return torch.maximum(x.abs(), y.abs()) < 0.8
    if shape == "triangle":
        return (y < 0.7) & (y > -0.95 + x.abs() * 1.7)
    if shape == "star":
        turn = ((torch.atan2(x, -y) + math.pi / 5) % (2 * math.pi / 5) - math.pi / 5).abs()  # from the nearest tip
        along, across, dent = length * turn.cos(), length * turn.sin(), 0.42
        notch = (dent * math.cos(math.pi / 5), dent * math.sin(math.pi / 5))
        return (notch[0] - 1) * across - notch[1] * (along - 1) > 0
    if shape == "cross":
        return torch.minimum(x.abs(), y.abs()).lt(0.3) & torch.maximum(x.abs(), y.abs()).lt(0.95)
    if shape == "ring":
        return (length < 0.97) & (length > 0.55)
    if shape == "heart":
        wide, high = 1.15 * x, 0.12 - 1.15 * y
        return (wide**2 + high**2 - 0.75) ** 3 < 1.3 * wide**2 * high**3
    return (length < 1) & (torch.hypot(x - 0.45, y) > 0.75)  # the crescent


@cache
def _distances() -> Tensor:
    """Signed distances to the outlines, one shape below the other, (1, 1, len(SHAPES) * TABLE, TABLE)."""
    side = (torch.arange(TABLE) + 0.5) / TABLE * 2 * REACH - REACH
    y, x = torch.meshgrid(side, side, indexing="ij")
    points, found = torch.stack([x, y], -1).reshape(-1, 2), []
    for shape in SHAPES:
        within = inside(shape, x, y)
        across = torch.stack([x[:, 1:] + x[:, :-1], y[:, 1:] + y[:, :-1]], -1)[within[:, 1:] != within[:, :-1]] / 2
        down = torch.stack([x[1:] + x[:-1], y[1:] + y[:-1]], -1)[within[1:] != within[:-1]] / 2
        away = torch.cdist(points, torch.cat([across, down])).min(1).values.reshape(TABLE, TABLE)
        found.append(torch.where(within, -away, away))
    return torch.cat(found)[None, None]
