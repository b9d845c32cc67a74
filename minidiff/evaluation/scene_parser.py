"""An exact judge of captioned scenes: it reads a picture back into its scene, without any network.

A shape's area, middle and colour say how it was drawn, if it is a circle, if it is a square, and so on: each of these
guesses is rendered, and the one that covers the same pixels is what is there (analysis by synthesis).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.scenes import COLOURS, GROUNDS, SHAPES, Scene, Thing, stencils
from ..refusals import instance, require, samples

UNCLEAR = "something"  # a shape that is none of SHAPES
APART, LEAST, FIT = 0.2, 6, 0.7  # a pixel's distance from the ground, a thing's pixels, and its overlap with a render


def read_scenes(images: Tensor) -> list[Scene]:
    """What is to be seen in images (N, 3, S, S), 0 black and 1 white: things from the largest to the smallest.

    A thing whose pixels no shape covers to FIT (intersection over union) has the shape UNCLEAR. What is not a number
    counts as black. Raises ValueError for images of another shape.
    """
    shape = samples("images", images).shape
    right = len(shape) == 4 and shape[1] == 3 and 8 <= shape[2] == shape[3] <= 1024
    require(right, f"images must be square and in colour, (N, 3, S, S), S from 8 to 1024; got {tuple(shape)}")
    if not len(images):
        return []
    images = images.detach().float().cpu().clamp(0, 1).nan_to_num()
    grounds = torch.tensor(list(GROUNDS.values()))
    border = torch.cat([images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]], 2).median(2).values
    ground = torch.cdist(border, grounds).argmin(1)
    away = images - grounds[ground][:, :, None, None]
    rows, masks = _components(away.norm(dim=1) > APART)
    found: list[list[Thing]] = [[] for _ in images]
    for row, thing in zip(rows.tolist(), _things(away[rows], grounds[ground[rows]], masks), strict=True):
        found[row].append(thing)
    names = list(GROUNDS)
    order = lambda things: tuple(sorted(things, key=lambda thing: -thing.r))
    return [Scene(order(things), names[k]) for things, k in zip(found, ground.tolist(), strict=True)]


def _components(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The connected parts of (N, S, S) with at least LEAST pixels: their rows (M,) and masks (M, S, S)."""
    label = torch.where(mask, torch.arange(1, 1 + mask[0].numel()).reshape(mask.shape[1:]), 0).float()
    while True:  # every pixel takes the largest number among its neighbours, until all of a part agree
        across = F.max_pool2d(label[:, None], (1, 3), 1, (0, 1))
        spread = torch.where(mask, torch.maximum(across, F.max_pool2d(label[:, None], (3, 1), 1, (1, 0)))[:, 0], 0)
        if spread.equal(label):
            break
        label = spread
    count = torch.zeros(len(label), 1 + mask[0].numel()).scatter_add_(1, label.flatten(1).long(), mask.flatten(1) + 0.0)
    count[:, 0] = 0
    rows, names = torch.nonzero(count >= LEAST, as_tuple=True)
    return rows, label[rows] == names[:, None, None]


def _things(away: Tensor, ground: Tensor, masks: Tensor) -> list[Thing]:
    """The thing behind each mask (M, S, S): away (M, 3, S, S) is the picture's difference from its ground (M, 3)."""
    if not len(masks):
        return []
    near = F.max_pool2d(masks[:, None].float(), 3, 1, 1)[:, 0]  # with the pixels that it covers in part
    towards = torch.tensor(list(COLOURS.values())) - ground[:, None]  # (M, colours, 3)
    share = torch.einsum("mcij,mkc->mkij", away, towards) / towards.square().sum(2)[:, :, None, None]
    share = share.clamp(0, 1)
    error = (away[:, None] - share[:, :, None] * towards[..., None, None]).square().sum(2) * masks[:, None]
    colour = error.sum((2, 3)).argmin(1)
    cover = torch.maximum(share[torch.arange(len(masks)), colour] * near, 0.1 * masks)  # so that nothing has no place
    x, y, area = _moments(cover)
    all_x, all_y, all_area = (value[None] for value in _moments(_plain_shapes()))
    r = (area[:, None] / all_area).sqrt() / 4  # the plain shapes have a radius of a quarter
    x, y = x[:, None] - (all_x - 0.5) * 4 * r, y[:, None] - (all_y - 0.5) * 4 * r
    names = list(COLOURS)
    guesses = [
        [Thing(shape, names[c], *spot) for shape, *spot in zip(SHAPES, *three, strict=True)]
        for c, *three in zip(colour.tolist(), x.tolist(), y.tolist(), r.tolist(), strict=True)
    ]
    every = [guess for each in guesses for guess in each]
    drawn = stencils(every, masks.shape[-1]).reshape(len(masks), -1, *near[0].shape)
    both, either = torch.minimum(drawn, cover[:, None]), torch.maximum(drawn, cover[:, None])
    fit, best = (both.sum((2, 3)) / either.sum((2, 3))).max(1)
    found = [each[k] for each, k in zip(guesses, best.tolist(), strict=True)]
    return [one if good else replace(one, shape=UNCLEAR) for one, good in zip(found, fit >= FIT, strict=True)]


def _moments(cover: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The middle and the area of coverages (M, S, S), in sides of the picture."""
    size, total = cover.shape[-1], cover.sum((1, 2))
    pixel = (torch.arange(size) + 0.5) / size
    return (cover.sum(1) @ pixel) / total, (cover.sum(2) @ pixel) / total, total / size**2


@cache
def _plain_shapes() -> Tensor:
    return stencils([Thing(shape, "black", 0.5, 0.5, 0.25) for shape in SHAPES], 256)[:, 0]


def obeys(seen: Scene, asked: Scene) -> dict[str, bool]:
    """Which of the demands of a caption a picture meets, name -> met; "all" is whether it meets every one.

    number: as many things as asked.
    looks: their shapes and colours, each shape in its colour, and the sizes where they are told.
    relation, place, ground: where the caption tells them.

    seen: as from `read_scenes`.
    asked: the scene that the caption tells of.
    """
    for name, scene in (("seen", seen), ("asked", asked)):
        instance(name, scene, Scene, "a Scene")
    look = lambda one: (one.shape, one.colour, one.size if "size" in asked.said else "")
    met = {"number": len(seen.things) == len(asked.things)}
    met["looks"] = Counter(map(look, seen.things)) == Counter(map(look, asked.things))
    if "relation" in asked.said:
        last = [one for one in seen.things if look(one) == look(asked.things[-1])]
        rest = [one for one in seen.things if look(one) == look(asked.things[0])]
        met["relation"] = met["looks"] and _direction(_middle(rest), _middle(last)) == asked.relation
    if "place" in asked.said:
        centre = (0.5, 0.5)
        where = _direction(_middle(seen.things), centre, 0.1) if seen.things else None
        met["place"] = where == asked.relation
    if "ground" in asked.said:
        met["ground"] = seen.ground == asked.ground
    return met | {"all": all(met.values())}


def _middle(things: Sequence[Thing]) -> tuple[float, float]:
    return sum(one.x for one in things) / len(things), sum(one.y for one in things) / len(things)


def _direction(of: tuple[float, float], seen_from: tuple[float, float], near: float = 0.0) -> str:
    """Where one place is, seen from another: left, right, above or below; middle where both are so near."""
    right, down = of[0] - seen_from[0], of[1] - seen_from[1]
    if max(abs(right), abs(down)) < near:
        return "middle"
    if abs(right) > abs(down):
        return "right" if right > 0 else "left"
    return "below" if down > 0 else "above"
