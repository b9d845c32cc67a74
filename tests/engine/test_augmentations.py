"""Augmentations: what is told is what was done, half of the images are left alone, the seed decides."""

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from minidiff.engine import augmentations
from minidiff.engine.augmentations import together


def alone(augment):
    """The augmentation of samples without conditions: (x, generator) -> (x, change)."""

    def changed(x, generator, **more):
        x, condition = augment(x, {}, generator, **more)
        return x, condition["change"]

    return changed


RAW = (augmentations.flip, augmentations.shift, augmentations.recolour)
flip, shift, recolour = map(alone, RAW)
EVERY = alone(together(*RAW))
KINDS = {"flip": (flip, 1), "shift": (shift, 2), "recolour": (recolour, 5), "all": (EVERY, 8)}
every_kind = pytest.mark.parametrize("augment, k", KINDS.values(), ids=KINDS)


def seed(value=0):
    return torch.Generator().manual_seed(value)


def images(n=400, height=9, width=12):
    return torch.randn(n, 3, height, width, generator=seed(9), dtype=torch.float64)


def exact(got, want):
    assert_close(got, want, rtol=0, atol=0)


@every_kind
def test_the_seed_decides_and_the_input_is_left_alone(augment, k):
    x, kept = images(), images()
    changed, change = augment(x, seed(1))
    exact(x, kept)
    assert change.shape == (400, k) and changed.shape == x.shape and changed.dtype == change.dtype == x.dtype
    for got, want in zip(augment(x, seed(1)), (changed, change), strict=True):
        exact(got, want)
    assert not torch.equal(augment(x, seed(2))[1], change)


@every_kind
def test_told_nothing_means_nothing_was_done_and_only_then(augment, k):
    x = images()
    changed, change = augment(x, seed())
    assert torch.equal((changed != x).flatten(1).any(1), (change != 0).any(1))


@pytest.mark.parametrize(
    "augment, left", [(flip, 1 / 2), (shift, 1 / 2 + 1 / 2 / 49), (recolour, 1 / 2), (EVERY, (1 + 1 / 49) / 8)]
)
def test_half_are_left_alone(augment, left):
    change = augment(torch.zeros(20_000, 3, 2, 2), seed())[1]
    share = float((change == 0).all(1).double().mean())
    assert abs(share - left) < 4 * (left * (1 - left) / 20_000) ** 0.5


def test_flip_is_a_mirror_and_twice_is_nothing():
    x = images()
    once, told = flip(x, seed(3))
    for i in range(len(x)):
        exact(once[i], torch.flip(x[i], [-1]) if told[i, 0] == 1 else x[i])
    exact(flip(once, seed(3))[0], x)  # the same seed chooses the same images
    assert set(told.flatten().tolist()) == {0, 1}


def test_shift_moves_down_and_right_as_told_and_the_edge_fills_the_gap():
    x = images()
    moved, told = shift(x, seed())  # by up to 3 pixels unless told otherwise
    padded, (height, width) = F.pad(x, (3, 3, 3, 3), mode="replicate"), x.shape[2:]
    for i, (down, right) in enumerate((told * 3).round().int().tolist()):
        exact(moved[i], padded[i, :, 3 - down : 3 - down + height, 3 - right : 3 - right + width])


def test_every_shift_is_equally_likely():
    told = shift(torch.zeros(49_000, 1, 4, 4), seed(), reach=3)[1]
    moved = told[(told != 0).any(1)]
    cells = torch.bincount(((moved * 3).round().long() + 3) @ torch.tensor([7, 1]), minlength=49).double()
    cells = cells[torch.arange(49) != 24]  # (0, 0) is no move
    assert ((cells - 500).square() / 500).sum() < 100  # chi-squared, 48 degrees of freedom: p < 1e-5


def test_recolour_gives_the_order_it_tells_and_leaves_greys_alone():
    x, orders = images(), list(permutations(range(3)))
    changed, told = recolour(x, seed())
    place = torch.cat([1 - told.sum(1, keepdim=True), told], 1)  # six places, the first for the order R, G, B
    assert set(place.flatten().tolist()) == {0, 1} and (place.sum(0) > 20).all()
    for i, k in enumerate(place.argmax(1).tolist()):
        exact(changed[i], x[i, list(orders[k])])
    grey = images()[:, :1].expand(-1, 3, -1, -1)
    exact(recolour(grey, seed())[0], grey)


def test_together_is_one_after_another_with_changes_side_by_side():
    x, one = images(), seed(4)
    a, told_a = shift(x, one)
    b, told_b = flip(a, one)
    got, told = alone(together(augmentations.shift, augmentations.flip))(x, seed(4))
    exact(got, b)
    exact(told, torch.cat([told_a, told_b], 1))


@pytest.mark.parametrize("augment", RAW)
def test_images_among_the_conditions_are_changed_like_the_sample(augment):
    x, y = images(40), torch.arange(40)
    changed, told = augment(x, {"y": y, "low_res": x + 1}, seed(2))
    exact(told["low_res"], changed + 1)
    assert told["y"] is y and set(told) == {"y", "low_res", "change"}


def test_a_smaller_image_is_flipped_too_but_cannot_be_shifted():
    x, small = images(40), torch.randn(40, 1, 3, 4, generator=seed(5))
    _, told = augmentations.flip(x, {"low_res": small}, seed(2))
    for i, (done,) in enumerate(told["change"].tolist()):
        exact(told["low_res"][i], small[i].flip(2) if done else small[i])
    with pytest.raises(ValueError, match=r"another size, \(3, 4\) beside \(9, 12\) pixels: leave shift out"):
        augmentations.shift(x, {"low_res": small}, seed(2))
