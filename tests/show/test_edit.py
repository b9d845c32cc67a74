"""`minidiff edit`: what is known stays, what is written are the samplers' own answers, and mistakes end in a sentence."""

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.__main__ import main
from minidiff.engine import checkpoints
from minidiff.engine.generate import streams
from minidiff.engine.measurements import averaging, masking
from minidiff.guidance import given
from minidiff.inverse import ddnm
from minidiff.networks import MLP, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.samplers import last, renoise_step, sample
from minidiff.schedules import cosine, edm, evaluate, karras_times, start
from minidiff.show.pixels import tile
from minidiff.solvers import dpm_solver_2m

SHIFT, SCALE = 0.4, 0.3
SIZES = {"grey": (1, 8, 12), "colours": (3, 12, 8)}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDIFF_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)


def model(kind="grey", schedule=cosine):
    """A network with random weights, and its checkpoint."""
    torch.manual_seed(0)
    shape = SIZES.get(kind, (2,))
    net = UNet(shape[0], shape[1:], 3, 8, 8, 1, 1, 4) if kind in SIZES else MLP(2, width=8, depth=1, classes=3)
    denoiser = LearnedDenoiser(net, schedule)
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    described = {"name": kind, "shape": list(shape), "shift": SHIFT, "scale": SCALE, "names": ["hat", "shoe", "bag"]}
    checkpoints.save("model.safetensors", denoiser, {"data": described})
    return denoiser


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def picture(name, values):
    Image.fromarray(values).save(name)


def edit(*more, number=3):
    given = ("--checkpoint", "model.safetensors", "--out", "out.png", "--steps", 4, "--number", number, *more)
    try:
        return main(["edit", *map(str, given)])
    except SystemExit as end:
        return end.code


def read(name="out.png"):
    return np.asarray(Image.open(name))


def levels(values):
    """Grey bytes (H, W) in the model's units, (1, 1, H, W)."""
    return ((torch.from_numpy(values) / 255 - SHIFT) / SCALE)[None, None]


def written(answers, scale):
    return tile(answers * SCALE + SHIFT, -int(-(len(answers) ** 0.5) // 1), scale=scale)


HIDDEN = pixels(8, 12, seed=1) > 128


@pytest.mark.parametrize("schedule", [cosine, edm], ids=["cosine", "edm"])
@pytest.mark.parametrize("label", [None, 1])
def test_a_filled_picture_is_ddnms_own(schedule, label):
    denoiser, image = model(schedule=schedule), pixels(8, 12)
    picture("image.png", image)
    picture("mask.png", np.uint8(HIDDEN) * 255)
    told = () if label is None else ("--class", "shoe")
    assert edit("--image", "image.png", "--mask", "mask.png", "--seed", 5, *told) == 0
    operator = masking(torch.from_numpy(~HIDDEN))
    times, generator = karras_times(4, 0.05, 10.0, schedule=schedule), streams(5, range(3))
    noise = start(schedule, float(times[0]), (3, 1, 8, 12), generator)
    who = given(ddnm(denoiser, operator, operator.forward(levels(image))), y=label)
    want = last(sample(renoise_step, who, noise, times, generator=generator))
    np.testing.assert_allclose(read().astype(int), written(want, 448 // 24), atol=1)


@pytest.mark.parametrize("kind", SIZES)
def test_what_is_known_stays_to_the_byte(kind):
    model(kind)
    channels, high, wide = SIZES[kind]
    image = pixels(high, wide, 3)[..., :channels] if channels == 3 else pixels(high, wide)
    hidden = pixels(high, wide, seed=2) > 128
    picture("image.png", image)
    picture("mask.png", np.uint8(hidden) * 255)
    assert edit("--image", "image.png", "--mask", "mask.png", number=1) == 0
    got = read()
    assert got.shape == image.shape
    np.testing.assert_array_equal(got[~hidden], image[~hidden])
    assert np.abs(got[hidden].astype(int) - image[hidden]).mean() > 5


def test_an_enlarged_picture_averages_back_to_what_was_given():
    model()
    small = np.uint8(80 + pixels(4, 6) // 4)  # far from black and white, beyond which nothing is shown
    picture("image.png", small)
    assert edit("--image", "image.png", "--upscale", 2, number=1) == 0
    kept = averaging(2).forward(torch.from_numpy(read().astype(np.float32))[None, None])[0, 0].numpy()
    inside = (read().reshape(4, 2, 6, 2).min((1, 3)) > 0) & (read().reshape(4, 2, 6, 2).max((1, 3)) < 255)
    assert inside.any()
    np.testing.assert_allclose(kept[inside], small[inside], atol=0.6)


@pytest.mark.parametrize("schedule", [cosine, edm], ids=["cosine", "edm"])
def test_a_cleaned_picture_is_the_reverse_sde_from_its_noise(schedule):
    denoiser, image = model(schedule=schedule), pixels(8, 12)
    picture("image.png", image)
    assert edit("--image", "image.png", "--denoise", 0.15, number=2) == 0
    times, generator = karras_times(4, 0.05, 0.15 / SCALE, schedule=schedule), streams(0, range(2))
    start(schedule, float(times[0]), (2, 1, 8, 12), generator)  # drawn for the other tasks, and not used here
    noisy = evaluate(schedule, float(times[0]))[0] * levels(image).expand(2, -1, -1, -1)
    want = last(sample(dpm_solver_2m(eta=1.0), given(denoiser, y=None), noisy, times, generator=generator))
    np.testing.assert_allclose(read().astype(int), written(want, 448 // 24), atol=1)


def test_answers_differ_and_the_seed_decides_them():
    model()
    picture("image.png", pixels(8, 12))
    picture("mask.png", np.uint8(HIDDEN) * 255)
    seen = []
    for seed in (0, 0, 1):
        assert edit("--image", "image.png", "--mask", "mask.png", "--seed", seed, number=2) == 0
        seen.append(read())
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert not np.array_equal(seen[0][:, :200], seen[0][:, -200:])


@pytest.mark.parametrize(
    "given, said",
    [
        ((), "--image"),
        (("--image", "image.png"), "--mask --upscale --denoise is required"),
        (("--image", "image.png", "--upscale", 2, "--denoise", 1), "not allowed with"),
        (("--image", "image.png", "--upscale", 1), "'1' is not a whole number from 2"),
        (("--image", "image.png", "--denoise", 0), "'0' is not a number"),
        (("--image", "image.png", "--upscale", 3), "3 does not divide the sides of the 12 x 8 pixels"),
        (("--image", "image.png", "--upscale", 2), "image.png has 12 x 8 pixels, where 6 x 4 are wanted"),
        (("--image", "mask.png", "--mask", "small.png"), "--mask small.png has 6 x 4 pixels, where 12 x 8"),
        (("--image", "image.png", "--mask", "black.png"), "nothing in --mask black.png is white"),
        (("--image", "none.png", "--denoise", 1), "none.png is no file"),
        (("--image", "text.png", "--denoise", 1), "cannot be read as a picture"),
        (("--image", "image.png", "--denoise", 1, "--class", "coat"), "not one of this model's classes"),
        (("--image", "image.png", "--denoise", 1, "--number", 0), "whole number"),
        (("--image", "image.png", "--denoise", 1, "--out", "out.gif"), ".png or .jpg for a picture"),
        (("--image", "image.png", "--denoise", 1, "--out", "image.png", "--force"), "is image.png, from which is read"),
        (("--image", "image.png", "--mask", "mask.png", "--out", "mask.png"), "is mask.png, from which is read"),
        (("--image", "image.png", "--denoise", 1, "--out", "text.png"), "add --force"),
        (("--image", "image.png", "--denoise", 1, "--checkpoint", "none"), "none"),
    ],
)
def test_a_mistake_ends_in_one_sentence_and_changes_nothing(given, said, tmp_path, capsys):
    model()
    picture("image.png", pixels(8, 12))
    picture("mask.png", np.uint8(HIDDEN) * 255)
    picture("small.png", pixels(4, 6))
    picture("black.png", np.zeros((8, 12), np.uint8))
    (tmp_path / "text.png").write_text("none of minidiff's")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert edit(*given) in (1, 2)
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and said in err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_points_cannot_be_edited(capsys):
    model("points")
    picture("image.png", pixels(8, 12))
    assert edit("--image", "image.png", "--denoise", 1) == 2
    assert "draws no pictures" in capsys.readouterr().err
