"""What a model draws and what is seen: shift, scale and, for latents, an autoencoder beside the model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from minidiff.__main__ import main
from minidiff.data import DataError, find
from minidiff.data.images import on_white
from minidiff.engine import CheckpointError, load, save, save_network, units
from minidiff.engine.presets import LATENTS, TOLD
from minidiff.networks import AutoEncoder, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine


@pytest.fixture
def folder(tmp_path):
    """A model of latents, its autoencoder and a model of pixels."""
    torch.manual_seed(0)
    coder = AutoEncoder(channels=1, latent=2, width=4, deep_width=4, groups=2)
    coder.calibrate(torch.randn(20, 1, 16, 16))
    save_network(tmp_path / "coder.safetensors", coder)
    shape = {"name": "dots", "names": [], "shift": 0.3, "scale": 0.2}
    small = {"width": 4, "deep_width": 4, "blocks": 1, "deep_blocks": 1, "groups": 2}
    latent = LearnedDenoiser(UNet(2, 4, patch=1, **small), cosine, "v")
    latents = {"data": shape | {"shape": [2, 4, 4], "autoencoder": "coder.safetensors"}}
    save(tmp_path / "model.safetensors", latent, latents)
    pixels = LearnedDenoiser(UNet(1, 16, **small), cosine, "v")
    save(tmp_path / "pixels.safetensors", pixels, {"data": shape | {"shape": [1, 16, 16]}})
    return tmp_path, coder


def test_pixels_are_shifted_and_scaled(folder):
    path, _ = folder
    standardise, restore = units(path / "pixels.safetensors")
    raw = torch.rand(3, 1, 16, 16)
    assert_close(standardise(raw), (raw - 0.3) / 0.2)
    assert_close(restore(standardise(raw)), raw)


def test_latents_are_decoded_and_then_scaled_however_many(folder):
    path, coder = folder
    standardise, restore = units(path / "model.safetensors")
    raw = torch.rand(300, 1, 16, 16)
    with torch.no_grad():
        assert_close(standardise(raw), coder.encode((raw - 0.3) / 0.2))
        assert_close(restore(standardise(raw)), coder((raw - 0.3) / 0.2) * 0.2 + 0.3)


def test_an_autoencoder_that_is_missing_or_none_is_named(folder, tmp_path):
    path, _ = folder
    (path / "coder.safetensors").rename(path / "gone.safetensors")
    with pytest.raises(DataError, match=r"coder\.safetensors"):
        units(path / "model.safetensors")
    save_network(path / "coder.safetensors", UNet(2, 4, width=4, deep_width=4, groups=2))
    with pytest.raises(CheckpointError, match="holds a UNet, where an AutoEncoder is wanted"):
        units(path / "model.safetensors")


@pytest.mark.parametrize("name", ["../coder.safetensors", "/etc/passwd", "", 7, ".", "a" * 200, "a/b"])
def test_a_card_may_not_lead_out_of_the_folder(folder, name):
    path, _ = folder
    net, card = load(path / "model.safetensors")
    save(path / "bad.safetensors", net, {"data": card["data"] | {"autoencoder": name}})
    with pytest.raises(CheckpointError, match="the name of a file that lies beside it"):
        units(path / "bad.safetensors")


def test_samples_of_latents_are_pictures_in_every_kind_of_file(folder):
    path, _ = folder
    model = ("sample", "--checkpoint", str(path / "model.safetensors"), "--number", "4", "--steps", "3")
    assert main([*model, "--out", str(path / "x.npz")]) == 0
    x = np.load(path / "x.npz")["x"]
    assert x.shape == (4, 1, 16, 16)
    assert main([*model, "--each", "--out", str(path / "each")]) == 0
    assert on_white(path / "each" / "0.png").shape[:2] == (16, 16)
    assert main([*model, "--out", str(path / "x.gif")]) == 0


@pytest.mark.parametrize("command, said", [
    (("edit", "--image", "each.png", "--upscale", "2"), "draws no pictures by itself"),
    (("judge", "--data", "own.npy"), "draws latents: draw pictures by `minidiff sample`"),
])  # fmt: skip
def test_what_needs_pixels_says_so(folder, command, said, capsys, monkeypatch):
    path, _ = folder
    monkeypatch.chdir(path)
    np.save("own.npy", np.random.default_rng(0).random((60, 2, 4, 4), dtype=np.float32))
    more = ("--checkpoint", "model.safetensors")
    assert main([*command, *more]) != 0
    assert said in capsys.readouterr().err


def test_the_shipped_model_has_its_autoencoder_beside_it():
    _, card = load(find(TOLD))
    assert card["data"]["autoencoder"] == LATENTS and (Path(find(TOLD)).parent / LATENTS).exists()
    assert json.dumps(card["record"]["reading"])
