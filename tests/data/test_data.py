"""Data sets against their geometry, files against every way they can be wrong."""

import contextlib
import dataclasses
import gzip
import hashlib
import io
import math
import socket
import struct
import tarfile
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.testing import assert_close

from minidiff import data, exact
from minidiff.data import files
from minidiff.data import images as sources
from minidiff.data.files import DataError
from minidiff.data.points import Mixture
from minidiff.schedules import SCHEDULES

REPOSITORY = Path(__file__).resolve().parents[2]
DISC = np.hypot(*(np.mgrid[:60, :60] - 29.5)).clip(19, 21)  # a dark disc of radius 20 with a soft edge
PLANE = {
    "two_moons": data.two_moons,
    "swiss_roll": data.swiss_roll,
    "spirals": data.spirals,
    "pinwheel": data.pinwheel,
    "rings": data.rings,
    "checkerboard": data.checkerboard,
    "gaussian_mixture": data.gaussian_mixture,
    "outline": partial(data.outline, DISC),
}
every_set = pytest.mark.parametrize("draw", PLANE.values(), ids=PLANE)


# ---- the laws every set in the plane obeys


@every_set
def test_mean_is_0_and_mean_square_is_1(draw):
    n = 100_000
    x = draw(n, seed=1).x.double()
    assert x.shape == (n, 2)
    assert (x.mean(0).abs() < 5 * x.std(0) / math.sqrt(n)).all()
    squares = x.square().mean(1)
    assert abs(squares.mean() - 1) < 5 * squares.std() / math.sqrt(n)


@every_set
def test_the_seed_alone_decides_and_the_constants_never_move(draw):
    first, again, other, short = draw(500, seed=3), draw(500, seed=3), draw(500, seed=4), draw(7, seed=3)
    assert torch.equal(first.x, again.x)
    assert (first.x != other.x).all(1).float().mean() > 0.9
    assert (first.shift, first.scale) == (other.shift, other.scale) == (short.shift, short.scale)
    assert first.shift == 0 and first.x.dtype == torch.float32
    if first.y is not None:
        assert torch.equal(first.y, again.y) and first.y.dtype == torch.int64


@every_set
def test_labels_are_equally_likely_unless_weighted(draw):
    drawn = draw(40_000, seed=2)
    if drawn.y is None:
        assert drawn.names is None
        return
    count = torch.bincount(drawn.y, minlength=len(drawn.names))
    weights = torch.ones(len(count)) if draw is not data.gaussian_mixture else torch.tensor([1.0, 2.0]).repeat(4)
    want = 40_000 * weights / weights.sum()
    assert ((count - want).square() / want).sum() < 35  # chi-squared with at most 7 degrees of freedom: p < 2e-5


@every_set
@pytest.mark.parametrize("n", [0, -1, 2.0, "3", None, True])
def test_n_is_a_whole_number_from_1_up(draw, n):
    with pytest.raises(ValueError, match="whole number from 1 up"):
        draw(n)


@every_set
def test_the_seed_is_0_unless_given(draw):
    assert torch.equal(draw(9).x, draw(9, seed=0).x) and not torch.equal(draw(9).x, draw(9, seed=1).x)


def test_n_may_come_from_numpy():
    assert len(data.rings(np.int64(3))) == 3


# ---- each set in its own geometry, in the units of its card


def raw(drawn: data.Data) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points in original units, their radius and their angle."""
    points = drawn.restore(drawn.x).double()
    return points, points.norm(dim=1), torch.atan2(points[:, 1], points[:, 0])


def wrapped(angle: torch.Tensor) -> torch.Tensor:
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def test_two_moons_are_half_circles_of_radius_1():
    drawn = data.two_moons(20_000)
    points, _, _ = raw(drawn)
    points = points + torch.tensor([0.5, 0.25])  # the usual coordinates: the upper moon is centred on the origin
    lower = drawn.y == 1
    points[lower] = torch.tensor([1.0, 0.5]) - points[lower]
    residual = points.norm(dim=1) - 1
    assert_close(residual.std(), torch.tensor(0.08).double(), rtol=0.02, atol=0)
    assert residual.abs().max() < 0.08 * 5
    assert points[:, 1].min() > -0.08 * 5  # a half circle, and the right half
    assert_close(points[:, 0].square().mean(), torch.tensor(0.5 + 0.08**2).double(), rtol=0.02, atol=0)


def test_swiss_roll_is_radius_equal_to_angle():
    drawn = data.swiss_roll(20_000)
    points = raw(drawn)[0] + torch.tensor([2, 2 / (3 * math.pi)])
    radius, angle = points.norm(dim=1), torch.atan2(points[:, 1], points[:, 0])
    residual = wrapped(radius - angle)
    assert abs(residual.mean()) < 0.02 and abs(residual.std() - 0.4) < 0.02
    assert 1.5 * math.pi - 2 < radius.min() and radius.max() < 4.5 * math.pi + 2
    assert abs(radius.mean() - 3 * math.pi) < 0.1


def test_spirals_have_two_arms_half_a_turn_apart():
    drawn = data.spirals(20_000)
    _, radius, angle = raw(drawn)
    far = radius > 3
    residual = wrapped(radius - angle + math.pi * drawn.y)[far]
    assert abs(residual.mean()) < 0.03 and abs(residual.std() - 0.4) < 0.03
    assert radius.max() < 3 * math.pi + 2


def test_pinwheel_blades_are_turned_copies_of_one_bent_gaussian():
    drawn = data.pinwheel(50_000)
    points, radius, angle = raw(drawn)
    turn = wrapped(angle - 2 * math.pi * drawn.y / 5 - radius.exp() / 4)[radius > 0.5]
    assert abs(turn.median()) < 0.01 and turn.abs().quantile(0.99) < 0.5
    means = torch.stack([points[drawn.y == k].mean(0) for k in range(5)])
    directions = torch.atan2(means[:, 1], means[:, 0])
    assert wrapped(directions - directions[0] - 2 * math.pi * torch.arange(5) / 5).abs().max() < 0.05
    assert_close(points.square().sum(1).mean(), torch.tensor(1 + 0.09 + 0.01).double(), rtol=0.02, atol=0)


def test_pinwheel_blades_are_a_tenth_wide_at_right_angles_to_their_length():
    """Turned back by what its radius says, a point is off by its place across, of standard deviation 0.1."""
    blades = data.pinwheel(20_000, seed=3)
    _, radius, angle = raw(blades)
    off = radius * wrapped(angle - 2 * math.pi * blades.y / 5 - radius.exp() / 4)
    assert float(off.std()) == pytest.approx(0.1, rel=0.03) and abs(float(off.mean())) < 0.003


def test_rings_have_radius_1_2_3():
    drawn = data.rings(30_000)
    _, radius, angle = raw(drawn)
    for k, want in enumerate((1.0, 2.0, 3.0)):
        ring = radius[drawn.y == k]
        assert abs(ring.mean() - (want + 0.1**2 / (2 * want))) < 0.005  # Rice: sideways noise lengthens a little
        assert abs(ring.std() - 0.1) < 0.005
    assert abs(angle.mean()) < 0.06 and abs(angle.std() - math.pi / math.sqrt(3)) < 0.03  # uniform


def test_checkerboard_fills_the_dark_squares_evenly():
    drawn = data.checkerboard(40_000)
    points, _, _ = raw(drawn)
    cell = (points + 2).floor().long()
    column, row = cell.unbind(1)
    assert cell.min() == 0 and cell.max() == 3
    assert ((row + column) % 2 == 0).all()
    assert torch.equal(drawn.y, 2 * row + column // 2)
    inside = points + 2 - cell
    assert_close(inside.mean(0), torch.full((2,), 0.5).double(), rtol=0, atol=0.008)
    assert_close(inside.var(0), torch.full((2,), 1 / 12).double(), rtol=0.03, atol=0)


# ---- the outline of a drawing


def test_outline_of_a_disc_is_its_circle():
    _, radius, angle = raw(data.outline(DISC, 20_000))
    assert abs(radius.mean() - 20) < 0.1
    assert (radius - 20).abs().max() < 0.8  # half a pixel along a piece, seen obliquely
    assert torch.histc(angle, 8).std() < 0.1 * 20_000 / 8


def test_outline_of_a_rectangle_is_exact():
    picture = np.ones((50, 40))
    picture[5:25, 10:20] = 0  # 10 wide, 20 high
    points, _, _ = raw(data.outline(picture, 6_000))
    across, up = (points[:, 0].abs() - 5).abs() < 1e-4, (points[:, 1].abs() - 10).abs() < 1e-4
    assert (across | up).all()
    assert points[:, 0].abs().max() < 5 + 1e-4 and points[:, 1].abs().max() < 10 + 1e-4
    assert abs(across.float().mean() - 40 / 60) < 0.03  # a long side is drawn from more often


def test_outline_of_one_dot_is_a_unit_square():
    points, _, _ = raw(data.outline([[1, 1, 1], [1, 0, 1], [1, 1, 1]], 4_000))
    assert_close(points.abs().amax(1), torch.full((4_000,), 0.5).double(), rtol=0, atol=1e-6)
    spread = 1 / 4 + 1 / 12  # of a side: its distance squared, and the variance along it
    assert_close(data.outline([[1, 0, 1]], 1).scale, math.sqrt(spread / 2), rtol=1e-9, atol=0)


def test_outline_stands_upright_and_closes_at_the_border():
    picture = np.full((30, 30), 255, np.uint8)
    picture[:, :10] = 0  # the left arm of an L, which touches three borders
    picture[20:] = 0  # and its foot, at the bottom
    drawn = data.outline(picture, 20_000)
    points = drawn.restore(drawn.x)
    width, height = points.amax(0) - points.amin(0)
    assert abs(width - 30) < 0.05 and abs(height - 30) < 0.05
    lowest, leftmost = points[:, 1] < points[:, 1].min() + 0.01, points[:, 0] < points[:, 0].min() + 0.01
    assert abs(lowest.float().mean() - 30 / 120) < 0.02  # the foot: 30 of the 120 pixels of edge
    assert abs(leftmost.float().mean() - 30 / 120) < 0.02


def test_outline_places_a_soft_edge_between_pixels():
    picture = np.tile([0.0, 0.0, 0.2, 1.0, 1.0, 0.0], (3, 1))  # passes 0.5 at 2 + 3/8, and again at 4 + 1/2
    points, _, _ = raw(data.outline(picture, 4_000))
    upright = points[:, 0].unique(return_counts=True)
    found = upright[0][upright[1] > 100]  # four upright edges; the pieces that lie flat are all different
    assert_close(found - found[0], torch.tensor([0, 2.375 + 0.5, 5.0, 6.0]).double(), rtol=0, atol=1e-4)


def test_outline_reads_files_and_takes_transparent_for_paper(tmp_path):
    ink = np.full((40, 40), 255, np.uint8)
    ink[10:20, 5:25] = 0
    Image.fromarray(ink).save(tmp_path / "grey.png")
    clear = np.dstack([np.zeros((40, 40, 3), np.uint8), 255 - ink])  # black everywhere, opaque where there is ink
    Image.fromarray(clear).save(tmp_path / "clear.png")
    want = data.outline(ink, 100, seed=5).x
    assert_close(data.outline(tmp_path / "grey.png", 100, seed=5).x, want)
    assert_close(data.outline(str(tmp_path / "clear.png"), 100, seed=5).x, want)


@pytest.mark.parametrize("picture, message", [
    (np.ones(5), "2-D"),
    (np.ones((0, 3)), "2-D"),
    (np.zeros((4, 4)), "all one grey"),
    (np.full((4, 4), np.nan), "not finite"),
])  # fmt: skip
def test_outline_refuses_what_has_no_edge(picture, message):
    with pytest.raises(ValueError, match=message):
        data.outline(picture, 10)


# ---- the mixture, whose density is known

LOPSIDED = Mixture(
    means=torch.tensor([[3.0, 1.0], [-2.0, 0.5], [0.0, -4.0]], dtype=torch.float64),
    stds=torch.tensor([0.5, 1.0, 0.25], dtype=torch.float64),
    weights=torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64),
)
MIXTURES = {"shipped": data.MIXTURE, "lopsided": LOPSIDED, "standardised": LOPSIDED.standardised()}
mixtures = pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)


@pytest.mark.parametrize("stds, weights", [
    ([0.0, 1.0], [1.0, 1.0]), ([1.0, -1.0], [1.0, 1.0]), ([1.0, 1.0], [0.0, 1.0]), ([1.0, 1.0], [1.0, -1.0]),
])  # fmt: skip
def test_no_part_of_a_mixture_is_a_point_or_has_no_weight(stds, weights):
    with pytest.raises(ValueError, match="stds and weights of a mixture must be above 0"):
        Mixture([[0.0, 1.0], [2.0, 3.0]], stds, weights)


def by_torch(mixture: Mixture) -> MixtureSameFamily:
    means, stds, weights = (part.double() for part in mixture)
    return MixtureSameFamily(Categorical(weights), Independent(Normal(means, stds[:, None].expand_as(means)), 1))


@mixtures
def test_log_prob_is_that_of_torch_distributions(mixture):
    x = 3 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).double()
    assert_close(mixture.log_prob(x), by_torch(mixture).log_prob(x))
    assert mixture.log_prob(x.float()).dtype == torch.float32


@mixtures
def test_density_integrates_to_1_and_samples_follow_it(mixture):
    axis = torch.linspace(-8, 8, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    log_density = mixture.log_prob(grid)
    area = (axis[1] - axis[0]) ** 2
    assert_close((log_density.exp().sum() * area).item(), 1.0, rtol=1e-6, atol=0)
    found = mixture.log_prob(mixture.sample(20_000, seed=1).x.double())
    want = (log_density.exp() * log_density).sum() * area
    assert abs(found.mean() - want) < 5 * found.std() / math.sqrt(20_000)


@mixtures
def test_each_component_has_its_mean_its_spread_and_its_share(mixture):
    drawn = mixture.sample(40_000, seed=0)
    for k, (mean, std, weight) in enumerate(zip(*mixture, strict=True)):
        own = drawn.x[drawn.y == k].double()
        error = 5 * std / math.sqrt(len(own))
        assert abs(len(own) / 40_000 - weight / mixture.weights.sum()) < 0.012
        assert (own.mean(0) - mean).abs().max() < error and (own.std(0) - std).abs().max() < error


def test_standardised_mixture_has_mean_0_and_variance_1_exactly():
    for mixture in (data.MIXTURE, LOPSIDED.standardised()):
        truth = by_torch(mixture)
        assert_close(truth.mean, torch.zeros(2).double(), rtol=0, atol=1e-7)
        assert_close(truth.variance.mean().item(), 1.0, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_exact_denoiser_of_a_mixture_is_the_score_of_its_blurred_density(name):
    """eps = -sigma * grad log p_t (Tweedie); p_t is a mixture of means alpha m and variances alpha^2 s^2 + sigma^2."""
    schedule, mixture, t = SCHEDULES[name], LOPSIDED.standardised(), 0.4
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    alpha, sigma = schedule(torch.tensor(t, dtype=torch.float64))
    blurred = Mixture(alpha * mixture.means, (alpha**2 * mixture.stds**2 + sigma**2).sqrt(), mixture.weights)
    (score,) = torch.autograd.grad(blurred.log_prob(x).sum(), x)
    eps = exact.of_mixture(*mixture, schedule)(x.detach(), t).eps
    assert_close(eps, -sigma * score, rtol=1e-6, atol=1e-9)


# ---- Data


def test_standardise_and_restore_are_inverse():
    drawn = data.Data(torch.zeros(1), shift=3.0, scale=0.5)
    x = torch.linspace(-2, 2, 9)
    assert_close(drawn.standardise(torch.tensor([3.0, 4.0])), torch.tensor([0.0, 2.0]))
    assert_close(drawn.standardise(drawn.restore(x)), x)


def test_a_part_of_a_set_keeps_everything_in_step():
    tiles = data.sprites()
    for picked in (slice(3, 9), tiles.y == 4, [5, 1, 1], torch.tensor([1400, 2])):
        rows = torch.arange(len(tiles))[picked].tolist()
        part = tiles[picked]
        assert len(part) == len(rows)
        assert part.captions == tuple(tiles.captions[k] for k in rows)
        assert torch.equal(part.y, tiles.y[rows]) and torch.equal(part.x, tiles.x[rows])
        assert (part.shift, part.scale, part.names) == (tiles.shift, tiles.scale, tiles.names)
    with pytest.raises(TypeError, match="slice"):
        tiles[0]


def test_what_else_a_network_is_given_stays_with_the_data():
    text = torch.arange(12).reshape(4, 3)
    told = data.Data(torch.zeros(4, 2), [0, 1, 1, 0], condition={"text": text})
    assert list(told.condition) == ["y", "text"] and told.condition["y"] is told.y
    part = told[told.y == 1]
    assert torch.equal(part.condition["text"], text[1:3]) and torch.equal(part.condition["y"], torch.tensor([1, 1]))
    assert data.Data(torch.zeros(4, 2)).condition == {}
    assert torch.equal(data.Data(torch.zeros(2, 2), condition={"y": [3, 1]}).y, torch.tensor([3, 1]))
    assert list(dataclasses.replace(told, y=[1, 1, 1, 1]).condition["y"]) == [1, 1, 1, 1]
    assert list(data.two_moons(9).condition) == ["y"]


@pytest.mark.parametrize(
    "x", [np.ones((3, 2)), [[1.0, 1.0]] * 3, [torch.ones(2)] * 3, torch.ones(3, 2).double(), torch.ones(3, 2).half()]
)
def test_arrays_lists_and_other_precisions_become_data(x):
    made = data.Data(x, np.array([0, 1, 1], "int32"), names=["a", "b"], captions=["p", "q", "r"])
    assert torch.equal(made.x, torch.ones(3, 2)) and torch.equal(made.y, torch.tensor([0, 1, 1]))
    assert made.names == ("a", "b") and made[1:].captions == ("q", "r")
    assert torch.equal(made.restore(np.ones(2)), torch.ones(2).double())


ODD_SETS = [
    ({"x": torch.zeros(0, 2)}, ValueError, "at least one row"),
    ({"x": torch.tensor(1.0)}, ValueError, "at least one row"),
    ({"x": torch.tensor([[math.nan, 0]] * 3)}, ValueError, "x holds .*NaN"),
    ({"x": "moons"}, TypeError, "x must be numbers"),
    ({"x": torch.zeros(3, 2, dtype=torch.cfloat)}, TypeError, "x is .* real numbers"),
    ({"y": [0, 1]}, ValueError, "3 rows"),
    ({"y": torch.eye(3)}, ValueError, "whole numbers"),
    ({"y": torch.eye(3).long()}, ValueError, "labels are"),
    ({"y": [0.0, 1.0, 1.0]}, ValueError, "whole numbers"),
    ({"y": [0, -1, 1]}, ValueError, "from -1 to 1: labels are"),
    ({"y": [0, 1, 2], "names": ("a", "b")}, ValueError, "from 0 to 2: labels are .* 0 to 1, as named"),
    ({"names": "ab"}, TypeError, "names is 'ab'"),
    ({"names": (1, 2)}, TypeError, "names is a tuple: give a tuple or a list of strings"),
    ({"captions": ("a",)}, ValueError, "1 captions for 3 samples"),
    ({"scale": 0}, ValueError, "scale must be above 0"),
    ({"scale": math.nan}, ValueError, "scale must lie"),
    ({"shift": "0"}, TypeError, "shift must be one number"),
    ({"condition": {"text": torch.zeros(2, 5)}}, ValueError, "text has shape .* 3 rows"),
    ({"condition": torch.zeros(3)}, TypeError, "give a dict"),
    ({"condition": {7: torch.zeros(3)}}, TypeError, "give a dict"),
]


@pytest.mark.parametrize("given, kind, match", ODD_SETS)
def test_what_makes_no_set_is_refused(given, kind, match):
    with pytest.raises(kind, match=match):
        data.Data(**{"x": torch.zeros(3, 2), **given})


@pytest.mark.parametrize("items", [[True, False], [7], "x", 2.5, torch.tensor([0.5]), [], slice(0, 0), object()])
def test_what_picks_nothing_is_refused(items):
    with pytest.raises(ValueError, match=r"a set of 3 was indexed by .*: give a slice|at least one row"):
        data.Data(torch.zeros(3, 2))[items]


# ---- Fashion-MNIST as it is


@pytest.fixture(scope="module")
def train_set():
    return data.fashion_mnist("train")


def plain_bytes(name: str, header: int) -> np.ndarray:
    content = gzip.decompress((REPOSITORY / "data" / "fashion-mnist" / name).read_bytes())
    return np.frombuffer(content, np.uint8, offset=header)


def test_training_set_has_mean_0_deviation_1_and_all_classes(train_set):
    x = train_set.x
    assert x.shape == (60_000, 1, 28, 28) and x.dtype == torch.float32
    assert abs(x.mean(dtype=torch.float64)) < 3e-6
    assert abs(x.square().mean(dtype=torch.float64) - 1) < 5e-6
    assert torch.bincount(train_set.y).tolist() == [6_000] * 10
    assert [train_set.names[k] for k in train_set.y[:4]] == ["Ankle boot", "T-shirt/top", "T-shirt/top", "Dress"]


def test_restored_pixels_are_the_bytes_of_the_file(train_set):
    for split, prefix in (("train", "train"), ("test", "t10k")):
        loaded = train_set if split == "train" else data.fashion_mnist(split)
        n = 2_000
        pixels = loaded.restore(loaded.x[-n:]) * 255
        want = plain_bytes(f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[-n:]
        assert_close(pixels, torch.from_numpy(want.astype(np.float32)), rtol=0, atol=1e-3)
        assert np.array_equal(loaded.y, plain_bytes(f"{prefix}-labels-idx1-ubyte.gz", 8))


def test_test_set_uses_the_training_sets_numbers(train_set):
    test_set = data.fashion_mnist("test")
    assert test_set.x.shape == (10_000, 1, 28, 28)
    assert torch.bincount(test_set.y).tolist() == [1_000] * 10
    assert (test_set.shift, test_set.scale) == (train_set.shift, train_set.scale)


def test_no_third_split():
    with pytest.raises(ValueError, match="'train', 'test'; got 'validation'"):
        data.fashion_mnist("validation")


# ---- sprites as they are


def test_sprites_are_the_sheet_cut_up_and_laid_on_white():
    tiles = data.sprites()
    assert tiles.x.shape == (1465, 3, 32, 32) and len(tiles.names) == 18 and len(tiles.captions) == 1465
    assert abs(tiles.x.mean()) < 1e-5 and abs(tiles.x.square().mean() - 1) < 1e-5
    sheet = Image.open(REPOSITORY / "data" / "sprites" / "sprites.png").convert("RGBA")
    page = Image.alpha_composite(Image.new("RGBA", sheet.size, "white"), sheet).convert("RGB")
    rows = (REPOSITORY / "data" / "sprites" / "sprites.csv").read_text().splitlines()[1:]
    for k in (0, 47, 48, 777, 1464):
        left, top = 32 * (k % 48), 32 * (k // 48)
        want = np.asarray(page.crop((left, top, left + 32, top + 32)), np.float32).transpose(2, 0, 1) / 255
        assert_close(tiles.restore(tiles.x[k]), torch.from_numpy(want), rtol=0, atol=1.01 / 255)
        assert rows[k].split(",")[:3] == [str(k), tiles.captions[k], tiles.names[tiles.y[k]]]


def test_every_tenth_name_is_held_out_with_all_its_tiles():
    """Counted here in the file itself: the names 10, 20, 30, ... in their order of appearance."""
    every, train, test = (data.sprites(split) for split in ("all", "train", "test"))
    lines = (REPOSITORY / "data" / "sprites" / "sprites.csv").read_text().splitlines()[1:]
    names = [line.split(",")[1] for line in lines]
    unique = sorted(set(names), key=names.index)
    assert len(every) == 1465 and len(test) == 134 and set(test.captions) == set(unique[9::10])
    for part, chosen in ((test, True), (train, False)):
        rows = [k for k, name in enumerate(names) if (name in unique[9::10]) == chosen]
        assert torch.equal(part.x, every.x[rows]) and torch.equal(part.y, every.y[rows])
        assert part.captions == tuple(names[k] for k in rows)
        assert (part.shift, part.scale, part.names) == (every.shift, every.scale, every.names)
        assert set(part.y.tolist()) == set(range(18))
    with pytest.raises(ValueError, match="'train', 'test'; got 'tset'"):
        data.sprites("tset")


def test_cards_tell_the_numbers_the_code_uses():
    for folder, constants in {
        "fashion-mnist": (sources.FASHION_MNIST_SHIFT, sources.FASHION_MNIST_SCALE),
        "sprites": (sources.SPRITES_SHIFT, sources.SPRITES_SCALE),
    }.items():
        card = (REPOSITORY / "data" / folder / "README.md").read_text(encoding="utf-8")
        assert all(f"{number:.6f}" in card for number in constants)
    card = (REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")
    for name, draw in PLANE.items():
        if name != "outline":
            (line,) = [line for line in card.splitlines() if line.startswith(f"| `{name}`")]
            assert f"| {draw(1).scale:.6g} |" in line


# ---- files that are missing or wrong


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No clone around, an empty cache, no network: only what a test puts there."""
    monkeypatch.setattr(files, "clones", list)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIDIFF_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")  # 127.0.0.1 is asked directly, whatever this machine's settings are
    monkeypatch.setattr(sources, "FASHION_MNIST_URL", (tmp_path / "nowhere").as_uri() + "/")
    return tmp_path


SHAPE = (5, 3, 2)
CONTENT = struct.pack(">4I", 0x0803, *SHAPE) + bytes(range(200, 230))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PACKED = gzip.compress(CONTENT, mtime=0)


def read_idx(folder: Path, packed: bytes, shape=SHAPE, sha256=SHA256) -> np.ndarray:
    (folder / "tiny.gz").write_bytes(packed)
    return sources._read_idx(folder / "tiny.gz", shape, sha256)


def test_a_sound_file_is_read(alone):
    assert np.array_equal(read_idx(alone, PACKED), np.arange(200, 230).reshape(SHAPE))


def test_every_truncation_is_refused(alone):
    for length in range(len(PACKED)):
        with pytest.raises(DataError, match=r"tiny\.gz is"):
            read_idx(alone, PACKED[:length])


def test_every_flipped_bit_is_refused_or_harmless(alone):
    refused = 0
    for bit in range(8 * len(PACKED)):
        packed = bytearray(PACKED)
        packed[bit // 8] ^= 1 << bit % 8
        try:
            assert np.array_equal(read_idx(alone, bytes(packed)), np.arange(200, 230).reshape(SHAPE))
        except DataError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused >= 8 * (len(PACKED) - 10)  # the ten bytes of gzip's header hold a date, a level and a system


def test_every_flipped_bit_of_the_content_is_refused(alone):
    for bit in range(8 * len(CONTENT)):
        content = bytearray(CONTENT)
        content[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DataError):
            read_idx(alone, gzip.compress(bytes(content)))


@pytest.mark.parametrize("content, message", [
    (CONTENT[:10], "too short for its header"),
    (struct.pack(">2I", 0x0801, 30) + CONTENT[8:], "magic number 2049 instead of 2051"),
    (struct.pack(">4I", 0x0803, 5, 2, 3) + CONTENT[16:], r"should hold \(5, 3, 2\) bytes, but says \(5, 2, 3\)"),
    (CONTENT[:-1], "holds 29"),
    (CONTENT + b"\0", "holds 31"),
    (CONTENT[:-1] + b"\0", "SHA-256 differs"),
])  # fmt: skip
def test_the_sentence_says_what_is_wrong(alone, content, message):
    with pytest.raises(DataError, match=message):
        read_idx(alone, gzip.compress(content))


def test_the_sentence_says_how_to_mend_it(alone, monkeypatch):
    (alone / "clone").mkdir()
    (alone / "clone" / "pyproject.toml").touch()
    monkeypatch.setattr(files, "clones", lambda: [alone / "clone"])
    for folder, mend in {
        "cache/minidiff/fashion-mnist": "delete it, and it will be downloaded again$",
        "clone/data/fashion-mnist": "restore it with git checkout -- data/fashion-mnist/tiny.gz$",
        "own": "put a good copy in its place$",
    }.items():
        (alone / folder).mkdir(parents=True)
        with pytest.raises(DataError, match=mend):
            read_idx(alone / folder, b"rubbish")


def test_a_folder_in_place_of_a_file(alone):
    (alone / "tiny.gz").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        sources._read_idx(alone / "tiny.gz", SHAPE, SHA256)


@pytest.mark.parametrize("name", ["t10k-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz"])
def test_the_real_files_cut_or_touched(alone, monkeypatch, name):
    monkeypatch.setenv("MINIDIFF_DATA", str(alone))
    (alone / "fashion-mnist").mkdir()
    for own in (REPOSITORY / "data" / "fashion-mnist").glob("t10k*"):
        (alone / "fashion-mnist" / own.name).write_bytes(own.read_bytes())
    assert len(data.fashion_mnist("test")) == 10_000
    path = alone / "fashion-mnist" / name
    whole = path.read_bytes()
    touched = whole[:3000] + bytes([whole[3000] ^ 16]) + whole[3001:]
    for wrong in (b"", whole[:100], whole[: len(whole) // 2], whole[:-8], whole[:-1], touched):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match=name):
            data.fashion_mnist("test")


@pytest.mark.parametrize("name", ["sprites.png", "sprites.csv"])
def test_sprites_missing_cut_or_touched(alone, monkeypatch, name):
    with pytest.raises(DataError, match="sprites/sprites.png is missing .* git checkout -- data/sprites/sprites.png"):
        data.sprites()
    monkeypatch.setenv("MINIDIFF_DATA", str(alone))
    (alone / "sprites").mkdir()
    for own in (REPOSITORY / "data" / "sprites").iterdir():
        (alone / "sprites" / own.name).write_bytes(own.read_bytes())
    whole = (alone / "sprites" / name).read_bytes()
    for wrong in (b"", whole[:5000], whole[:-1], whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]):
        (alone / "sprites" / name).write_bytes(wrong)
        with pytest.raises(DataError, match=f"{name} does not have the expected content"):
            data.sprites()


def test_line_ends_changed_by_git_on_windows_do_no_harm(alone, monkeypatch):
    monkeypatch.setenv("MINIDIFF_DATA", str(alone))
    (alone / "sprites").mkdir()
    own = REPOSITORY / "data" / "sprites"
    (alone / "sprites" / "sprites.png").write_bytes((own / "sprites.png").read_bytes())
    lines = (own / "sprites.csv").read_bytes().replace(b"\r\n", b"\n")
    (alone / "sprites" / "sprites.csv").write_bytes(lines.replace(b"\n", b"\r\n"))
    assert data.sprites().captions[0] == "adder"


# ---- CIFAR-10, as an archive of the same format


def record(label: int, image: np.ndarray) -> bytes:
    """One of its records: a byte for the label, then all reds row by row, all greens, all blues. image: (32, 32, 3)."""
    return bytes([label]) + b"".join(image[:, :, colour].tobytes() for colour in range(3))


@pytest.fixture
def photos(alone, monkeypatch):
    """Three images a batch in the usual place, in an archive with the folder and the extra files of the real one."""
    images = np.random.default_rng(0).integers(0, 256, (18, 32, 32, 3), np.uint8)
    labels = [k * 7 % 10 for k in range(18)]
    names = ["data_batch_1.bin", "readme.html", "data_batch_5.bin", "data_batch_2.bin", "batches.meta.txt", "data_batch_4.bin",
             "test_batch.bin", "data_batch_3.bin"]  # fmt: skip
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w:gz") as archive:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name in names:
            k = 5 if name.startswith("test") else int(name[-5]) - 1 if name.startswith("data") else None
            content = b"hello" if k is None else b"".join(map(record, labels[3 * k :][:3], images[3 * k :]))
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    path = alone / "cache" / "minidiff" / "cifar-10-binary.tar.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(packed.getvalue())
    monkeypatch.setattr(sources, "_CIFAR10", (len(packed.getvalue()), hashlib.md5(packed.getvalue()).hexdigest()))
    return path, images, torch.tensor(labels)


@pytest.mark.parametrize("split, part", [("train", slice(0, 15)), ("test", slice(15, 18))])
def test_cifar10_is_read_from_its_archive(photos, split, part):
    path, images, labels = photos
    got = data.cifar10(split)
    assert (
        torch.equal(got.y, labels[part])
        and got.y.dtype == torch.int64
        and got.names[6] == "frog"
        and len(got.names) == 10
    )
    assert_close(
        got.restore(got.x), torch.from_numpy(images[part].transpose(0, 3, 1, 2) / 255).float(), rtol=0, atol=1e-6
    )
    assert [item.name for item in path.parent.iterdir()] == [path.name]  # nothing was unpacked


def test_cifar10_is_standardised_by_the_published_moments_of_its_colours():
    """(mean, deviation) of red, green and blue over the training images, as torchvision's users pass them around."""
    moments = torch.tensor([[0.49139968, 0.24703223], [0.48215841, 0.24348513], [0.44653091, 0.26158784]]).double()
    mean, square = moments[:, 0].mean(), moments.square().sum(1).mean()
    assert_close(
        torch.tensor([sources.CIFAR10_SHIFT, sources.CIFAR10_SCALE]).double(),
        torch.stack([mean, (square - mean**2).sqrt()]),
        rtol=0,
        atol=6e-7,
    )


def test_another_archive_in_its_place_is_refused(photos):
    path, *_ = photos
    whole = path.read_bytes()
    for wrong, said in [
        (b"", "holds 0 bytes instead of"),
        (whole[:-1], "holds .* bytes instead of"),
        (whole + b"\0", "holds .* bytes instead of"),
        (whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], "does not have the MD5"),
    ]:
        path.write_bytes(wrong)
        with pytest.raises(
            DataError, match=f"{path.name} {said}.*delete it, and download https://www.cs.toronto.edu"
        ) as caught:
            data.cifar10()
        assert "\n" not in str(caught.value)


def test_cifar10_that_is_missing_is_asked_for_and_not_downloaded(alone):
    with pytest.raises(
        DataError,
        match=r"download https://\S+/cifar-10-binary.tar.gz \(170 MB\) to .*cache/minidiff/cifar-10-binary.tar.gz",
    ):
        data.cifar10()
    with pytest.raises(ValueError, match="split"):
        data.cifar10("all")


# ---- where files are looked for


def test_without_a_home_all_but_downloads_goes_on(alone, monkeypatch):
    """HOME is not set, and the system does not know the user: where a container gives a number nobody has."""

    def unknown():
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(files.Path, "home", unknown)
    for call in (data.fashion_mnist, data.cifar10, data.cache_folder):
        with pytest.raises(DataError, match="no home folder: set HOME to a folder"):
            call()
    with pytest.raises(DataError, match="looked in no folder, since none is known"):
        data.sprites()
    assert str(files.damaged(alone / "x", "is wrong")).endswith("put a good copy in its place")
    monkeypatch.setattr(files, "clones", lambda: [REPOSITORY])
    assert data.data_folders() == [REPOSITORY / "data"] and len(data.sprites("test")) == 134


def test_order_is_environment_repository_cache(alone, monkeypatch):
    places = [alone / "chosen", alone / "clone" / "data", alone / "cache" / "minidiff"]
    for place in places:
        place.mkdir(parents=True)
        (place / "thing").touch()
    (alone / "clone" / "pyproject.toml").touch()
    monkeypatch.setattr(files, "clones", lambda: [alone / "clone"])
    monkeypatch.setenv("MINIDIFF_DATA", str(places[0]))
    for place in places:
        assert data.find("thing") == place / "thing"
        (place / "thing").unlink()
    with pytest.raises(DataError, match="thing is missing") as caught:
        data.find("thing")
    assert all(str(place) in str(caught.value) for place in places)


def test_environment_must_name_a_folder(alone, monkeypatch):
    monkeypatch.setenv("MINIDIFF_DATA", str(alone / "absent"))
    for call in (data.fashion_mnist, data.sprites):
        with pytest.raises(DataError, match="MINIDIFF_DATA is set to .*absent, which is not a folder"):
            call()


def test_clone_is_found_from_inside_when_the_package_lies_elsewhere(tmp_path, monkeypatch):
    elsewhere = tmp_path / "site-packages"
    elsewhere.mkdir()
    (elsewhere / "data").mkdir()
    monkeypatch.setattr(files, "ROOT", elsewhere)
    monkeypatch.delenv("MINIDIFF_DATA", raising=False)
    monkeypatch.chdir(REPOSITORY / "tests")
    assert data.data_folders() == [REPOSITORY / "data", data.cache_folder()]  # and not a stranger's site-packages/data


def test_without_a_clone_only_the_cache_is_left(tmp_path, monkeypatch):
    stranger = tmp_path / "site-packages" / "data" / "sprites"
    stranger.mkdir(parents=True)
    (stranger / "sprites.png").touch()
    monkeypatch.setattr(files, "ROOT", tmp_path / "site-packages")
    monkeypatch.delenv("MINIDIFF_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert data.data_folders() == [data.cache_folder()]
    with pytest.raises(DataError, match="sprites/sprites.png is missing .*or set MINIDIFF_DATA") as caught:
        data.sprites()
    assert "site-packages" not in str(caught.value)


@pytest.mark.parametrize("platform, variables, want", [
    ("linux", {}, ".cache/minidiff"),
    ("linux", {"XDG_CACHE_HOME": "{home}/elsewhere"}, "elsewhere/minidiff"),
    ("linux", {"XDG_CACHE_HOME": "relative"}, ".cache/minidiff"),  # the XDG standard: a relative path is to be ignored
    ("darwin", {}, "Library/Caches/minidiff"),
    ("win32", {"LOCALAPPDATA": "{home}/AppData/Local"}, "AppData/Local/minidiff"),
])  # fmt: skip
def test_cache_folder_is_where_the_system_keeps_caches(tmp_path, monkeypatch, platform, variables, want):
    monkeypatch.setattr(files.sys, "platform", platform)
    monkeypatch.setattr(files.Path, "home", lambda: tmp_path)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    assert data.cache_folder() == tmp_path / want


# ---- fetching


@pytest.fixture
def server(alone, monkeypatch):
    """A tiny Fashion-MNIST on 127.0.0.1: `files` is what it serves, `asked` what it was asked for."""
    shapes = {"train": 6, "t10k": 4}
    served, expected, asked = {}, {}, []
    for prefix, n in shapes.items():
        for kind, shape in (("images-idx3", (n, 28, 28)), ("labels-idx1", (n,))):
            content = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape) + bytes(math.prod(shape))
            served[f"{prefix}-{kind}-ubyte.gz"] = gzip.compress(content)
            expected[f"{prefix}-{kind}-ubyte.gz"] = (shape, hashlib.sha256(content).hexdigest())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[-1]
            asked.append(name)
            self.send_response(200 if name in served else 404)
            self.send_header("Content-Length", str(len(served.get(name, b""))))
            self.end_headers()
            self.wfile.write(served.get(name, b""))

        def log_message(self, *_):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(sources, "FASHION_MNIST_URL", f"http://127.0.0.1:{http.server_port}/")
    monkeypatch.setattr(sources, "FASHION_MNIST_FILES", expected)
    http.files, http.asked, http.cache = served, asked, alone / "cache" / "minidiff" / "fashion-mnist"
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def test_fetched_once_then_read_from_the_cache(server):
    assert len(data.fashion_mnist("test")) == 4
    assert sorted(server.asked) == sorted(server.files)
    assert {path.name: path.read_bytes() for path in server.cache.iterdir()} == server.files
    assert len(data.fashion_mnist("train")) == 6 and len(data.fashion_mnist("test")) == 4
    assert len(server.asked) == 4


def test_a_local_copy_is_never_fetched_even_when_damaged(server, alone, monkeypatch):
    monkeypatch.setenv("MINIDIFF_DATA", str(alone))
    (alone / "fashion-mnist").mkdir()
    for name, packed in server.files.items():
        (alone / "fashion-mnist" / name).write_bytes(packed)
    assert len(data.fashion_mnist("test")) == 4
    (alone / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(DataError, match="t10k-labels"):
        data.fashion_mnist("test")
    assert server.asked == []


def test_fetch_mends_a_damaged_cache_and_keeps_what_is_sound(server):
    data.fetch_fashion_mnist()
    (server.cache / "train-labels-idx1-ubyte.gz").write_bytes(b"rubbish")
    server.asked.clear()
    assert data.fetch_fashion_mnist() == server.cache
    assert server.asked == ["train-labels-idx1-ubyte.gz"]
    assert (server.cache / "train-labels-idx1-ubyte.gz").read_bytes() == server.files["train-labels-idx1-ubyte.gz"]


WRONG = {
    "other content": lambda packed: gzip.compress(gzip.decompress(packed)[:-1] + b"\1"),
    "cut short": lambda packed: packed[:-5],
    "a web page": lambda packed: b"<html>",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_content_is_refused_and_leaves_nothing(server, wrong):
    first = next(iter(server.files))
    server.files[first] = wrong(server.files[first])
    with pytest.raises(DataError, match=f"what http://127.*{first} sent .*not kept.*git checkout"):
        data.fashion_mnist()
    assert not server.cache.exists() or list(server.cache.iterdir()) == []


def test_a_file_the_server_lacks(server):
    server.files.clear()
    with pytest.raises(DataError, match="could not be fetched .*404"):
        data.fashion_mnist()


@pytest.mark.parametrize("slow", ["body", "header", "pause"])
def test_a_server_that_drips_is_given_up(slow, alone, monkeypatch):
    """Each byte comes well within the time that a socket waits for one, so that alone would wait for a year."""
    monkeypatch.setattr(sources, "PATIENCE", 0.2)
    over = threading.Event()

    def drip(server):
        talk, _ = server.accept()
        with talk, contextlib.suppress(OSError):
            talk.sendall(b"HTTP/1.0 200 OK\r\n" + (b"" if slow == "header" else b"Content-Length: 26421880\r\n\r\n"))
            while slow != "pause" and not over.wait(0.02):
                talk.sendall(b"x")
            over.wait()

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(sources, "FASHION_MNIST_URL", f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread = threading.Thread(target=drip, args=[server])
        thread.start()
        begun = time.monotonic()
        try:
            said = r"could not be fetched \((.* came in \d s|timed out)\): connect to the network, or restore"
            with pytest.raises(DataError, match=said) as caught:
                data.fashion_mnist()
            assert time.monotonic() - begun < 10 and "\n" not in str(caught.value)
        finally:
            over.set()
            thread.join()
    assert not (alone / "cache").exists()


@pytest.mark.slow
def test_a_server_that_is_slow_but_keeps_to_the_least_speed_is_waited_for(alone, monkeypatch):
    monkeypatch.setattr(sources, "PATIENCE", 1)
    monkeypatch.setattr(sources, "LEAST_SPEED", 100)

    def trickle(server):
        talk, _ = server.accept()
        with talk:
            talk.recv(4096)  # or closing would reset it
            talk.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            for _ in range(8):
                time.sleep(0.15)
                talk.sendall(b"x" * 100)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=trickle, args=[server])
        thread.start()
        begun = time.monotonic()
        assert sources._fetched(f"http://127.0.0.1:{server.getsockname()[1]}/", 10_000) == b"x" * 800
        assert time.monotonic() - begun > 1
        thread.join()


def test_no_network_is_one_sentence(alone, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(sources, "FASHION_MNIST_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/")
        with pytest.raises(DataError, match="could not be fetched .*connect to the network, or restore") as caught:
            data.fashion_mnist()
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_one_sentence(server, alone):
    (alone / "cache").write_text("a file where a folder should be")
    with pytest.raises(DataError, match="cannot be written"):
        data.fashion_mnist()


def test_a_disk_that_fills_up_while_writing_leaves_nothing(server):
    """The system itself refuses the 31st byte of any file."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30, hard))
    try:
        with pytest.raises(DataError, match="cannot be written .*room for 30 MB.*git checkout") as caught:
            data.fashion_mnist()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value) and list(server.cache.iterdir()) == []
