"""Presets: what each trains on what, and that the models that ship are what their presets make."""

import io
import tarfile
from dataclasses import replace

import pytest
import torch

from minidiff import data
from minidiff.data import images as sources
from minidiff.engine import checkpoints
from minidiff.engine.augmentations import AUGMENTATIONS
from minidiff.engine.presets import DATA_SETS, KINDS, OWN, PLANE, PRESETS, SHIPPED, TOLD, worded
from minidiff.losses import LEVELS
from minidiff.networks import MLP, UNet, vocabulary
from minidiff.networks.text import Words, words_of

NAMES = tuple("abcdefghij")
CLOTHES = data.Data(torch.zeros(2, 1, 28, 28), torch.arange(2), names=NAMES)
PHOTOS = data.Data(torch.zeros(2, 3, 32, 32), torch.arange(2), names=NAMES)


@pytest.mark.parametrize("preset, file", [("fashion-small", SHIPPED), ("sprites", "sprites.safetensors")])
def test_the_models_that_ship_are_what_their_presets_make(preset, file):
    """Their cards were written by runs of minutes and hours; what the preset would train today must be the same."""
    _, card = checkpoints.read(data.find(file))
    one = PRESETS[preset]
    settings = card["settings"]
    assert (settings["preset"], settings["batch"], settings["lr"], settings["levels"]) == (
        preset,
        one.batch,
        one.lr,
        one.levels,
    )
    assert tuple(settings.get("augment", ())) == one.augment and card["data"]["name"] == one.data
    images = data.Data(torch.zeros(1, *card["data"]["shape"]), names=tuple(card["data"]["names"]))
    net = one.network(images)
    told = {key: value for key, value in card["network"].items() if key != "name"}
    assert isinstance(net, UNet) and net.config == {**net.config, **told}
    assert net.config["groups"] == told.get("groups", 8) and net.config["changes"] == told.get("changes", 0)


def test_the_model_that_is_told_captions_is_what_its_preset_makes():
    _, card = checkpoints.read(data.find(TOLD))
    one, settings, told = PRESETS["scenes"], card["settings"], card["network"]
    wanted = ("scenes", one.batch, one.lr, one.levels)
    assert (settings["preset"], settings["batch"], settings["lr"], settings["levels"]) == wanted
    told_of = worded(data.scenes(3_000))
    net = one.network(replace(told_of, x=torch.zeros(len(told_of), 4, 8, 8)))
    assert card["data"]["autoencoder"] == one.autoencoder and card["data"]["shape"] == [4, 8, 8]
    assert net.config == {**net.config, **{key: value for key, value in told.items() if key not in ("name", "dtype")}}
    captions = data.scenes(1_000, seed=3, split="held-out").captions
    assert card["data"]["name"] == one.data and vocabulary(captions) == told["words"] == net.config["words"]


@pytest.mark.slow
@pytest.mark.parametrize("name, examples, steps", [
    ("fashion-small", 60_000, 5_000),
    ("fashion-quick", 60_000, 8_000),
    ("fashion", 60_000, 30_000),
    ("sprites", 1_331, 25_000),
    ("scenes", 120_000, 22_000),
    *((name, 20_000, 3_000) for name in PLANE),
])  # fmt: skip
def test_every_preset_trains_on_training_data_alone(name, examples, steps):
    preset = PRESETS[name]
    loaded = preset.load()
    assert len(loaded) == examples and preset.steps == steps
    if preset.data == "fashion-mnist":
        assert torch.equal(loaded.x[:100], data.fashion_mnist("train").x[:100])
    elif name == "scenes":
        assert torch.equal(loaded.x[:100], data.scenes(100).x) and torch.equal(
            loaded.x[-1:], data.render([data.scene(0, 119_999)]).sub(loaded.shift).div(loaded.scale)
        )
    elif name == "sprites":
        assert loaded.captions == data.sprites("train").captions
    else:
        want = getattr(data, name.replace("-", "_"))(20_000)
        assert torch.equal(loaded.x, want.x) and loaded.names == want.names


def test_cifar10_trains_on_its_five_training_batches(tmp_path, monkeypatch):
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w:gz") as archive:
        for k, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            entry.size = 3073
            archive.addfile(entry, io.BytesIO(bytes([k]) + bytes(3072)))
    monkeypatch.setattr(sources, "_cifar10_archive", packed.getvalue)
    loaded = PRESETS["cifar10"].load()
    assert loaded.y.tolist() == [0, 1, 2, 3, 4] and loaded.x.shape[1:] == (3, 32, 32)
    assert PRESETS["cifar10"].steps == 100_000


@pytest.mark.parametrize("name, batch, lr, levels", [
    ("fashion-small", 64, 3e-3, "lognormal"),
    ("fashion-quick", 32, 5e-3, "lognormal"),
    ("sprites", 32, 3e-3, "lognormal"),
    ("scenes", 64, 2e-3, "uniform_angle"),
    ("fashion", 256, 1e-3, "lognormal"),
    ("cifar10", 512, 1e-3, "lognormal"),
    *((name, 256, 2e-3, "uniform_angle") for name in PLANE),
])  # fmt: skip
def test_settings_are_those_that_were_chosen(name, batch, lr, levels):
    preset = PRESETS[name]
    assert (preset.batch, preset.lr, preset.levels) == (batch, lr, levels)
    assert levels in LEVELS and set(preset.augment) <= set(AUGMENTATIONS)
    assert preset.augment == (("flip",) if name in ("sprites", "fashion", "cifar10") else ())


@pytest.mark.parametrize("name, axes, steps, batch, lr, levels, augment", [
    ("points", 2, 3_000, 256, 2e-3, "uniform_angle", ()), ("signals", 3, 5_000, 64, 2e-3, "uniform_angle", ()),
    ("images", 4, 10_000, 32, 3e-3, "lognormal", ("flip",)),
])  # fmt: skip
def test_settings_for_data_of_ones_own(name, axes, steps, batch, lr, levels, augment):
    own = OWN[KINDS[axes]]
    assert own is OWN[name] and (own.steps, own.batch, own.lr) == (steps, batch, lr)
    assert (own.levels, own.augment) == (levels, augment) and len(KINDS) == len(OWN) == 3


PLAIN = {"width": 64, "deep_width": 128, "blocks": 1, "deep_blocks": 4, "groups": 8, "changes": 0}


@pytest.mark.parametrize("name, images, changes", [
    ("fashion-small", CLOTHES, {}),
    ("fashion-quick", CLOTHES, {"width": 32, "deep_blocks": 2, "groups": 2}),
    ("sprites", PHOTOS, {"groups": 4, "changes": 1}),
    ("fashion", CLOTHES, {"width": 128, "deep_width": 256, "blocks": 2, "deep_blocks": 6, "changes": 1}),
    ("cifar10", PHOTOS,
     {"width": 256, "deep_width": 512, "blocks": 3, "deep_blocks": 8, "groups": 16, "changes": 1}),
])  # fmt: skip
def test_networks_fit_their_images_and_are_as_large_as_said(name, images, changes):
    with torch.device("meta"):
        net = PRESETS[name].network(images)
    shape = {"channels": images.x.shape[1], "size": images.x.shape[2], "classes": 10}
    assert isinstance(net, UNet) and net.config == {**net.config, **shape, **PLAIN, **changes}


@pytest.mark.parametrize("names, classes", [(("a", "b", "c"), 3), (None, None)])
def test_a_network_in_the_plane_knows_the_classes_that_there_are(names, classes):
    points = data.Data(torch.zeros(4, 2), names=names)
    for name in PLANE:
        net = PRESETS[name].network(points)
        assert isinstance(net, MLP) and net.classes == classes and net.config["dim"] == 2


def test_every_set_in_the_plane_has_a_preset_of_its_name():
    assert set(PLANE) == {"two-moons", "swiss-roll", "checkerboard", "spirals", "pinwheel", "rings"}
    assert all(PRESETS[name].data == name for name in PLANE)
    assert len(PRESETS) == len(PLANE) + 6


def test_captions_become_a_condition_and_the_network_knows_their_words():
    captioned = data.scenes(300)
    told = worded(captioned)
    net = PRESETS["scenes"].network(told)
    assert isinstance(net, UNet) and net.config["words"] == vocabulary(captioned.captions) and net.config["groups"] == 4
    assert net.text.words.decode(told.condition["text"])[:9] == [
        " ".join(words_of(one)) for one in captioned.captions[:9]
    ]
    assert {name: null.shape for name, null in net.nulls.items()} == {"text": told.condition["text"].shape[1:]}
    assert torch.equal(told.x, captioned.x) and told.captions == captioned.captions
    with pytest.raises(ValueError, match="no captions"):
        worded(CLOTHES)


def test_no_caption_is_too_long_or_unknown():
    """The grammar's longest, counted: "two large cyan crosses to the right of a small black triangle on sand"."""
    longest = "two large cyan crosses to the right of a small black triangle on sand"
    three = "a large cyan cross, a small black triangle and a large red ring on sand"
    told = worded(data.scenes(3_000))
    words = Words(vocabulary(told.captions), 16)
    assert (words.encode([longest]) > 0).sum() == 14 and (words.encode([three]) > 0).sum() == 16
    words.encode(data.scenes(3_000, seed=5, split="held-out").captions)


def test_a_data_set_is_trained_by_its_first_preset():
    images = {"fashion-mnist": "fashion-small", "sprites": "sprites", "scenes": "scenes", "cifar-10": "cifar10"}
    assert {**images, **{name: name for name in PLANE}} == DATA_SETS


def test_a_preset_is_a_value():
    one = PRESETS["rings"]
    with pytest.raises(AttributeError):
        one.lr = 1.0
