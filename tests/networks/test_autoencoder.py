"""The autoencoder: what it does to shapes, how it is calibrated, that shift and scale cannot be forgotten, the shipped one."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from minidiff.data import scene, scenes
from minidiff.engine import CheckpointError, load, load_network, save_network
from minidiff.evaluation.scene_parser import obeys, read_scenes
from minidiff.networks import MLP, AutoEncoder
from minidiff.networks.layers import Block

DATA = Path(__file__).parents[2] / "data"
SMALL = {"width": 8, "deep_width": 12, "groups": 2}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed))


def built(**config):
    """One whose residual blocks do something, and whose latents are neither around 0 nor of size 1."""
    torch.manual_seed(0)
    net = AutoEncoder(**SMALL | config)
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.add_(0.1 * randn(*parameter.shape, seed=number))
        net.encoder[-1].bias.add_(2.0)
    return net.requires_grad_(False)


@pytest.mark.parametrize("channels, latent, sides", [(3, 4, (32, 32)), (1, 2, (28, 28)), (2, 5, (8, 20))])
def test_latents_are_a_quarter_as_wide_and_as_high(channels, latent, sides):
    net, x = built(channels=channels, latent=latent), randn(3, channels, *sides)
    z = net.encode(x)
    assert z.shape == (3, latent, sides[0] // 4, sides[1] // 4) and net.decode(z).shape == x.shape
    assert_close(net(x), net.decode(z))


def test_calibrated_latents_have_mean_0_and_standard_deviation_1_and_decode_undoes_it():
    net, x = built(), randn(40, 3, 16, 16)
    mean, _ = net.moments(x)
    before = net(x)
    assert abs(mean.mean()) > 0.5 and abs(mean.std() - 1) > 0.05
    for again in range(3):  # however often
        net.calibrate(x if again < 2 else x.flip(0))
        z = net.encode(x)
        assert_close(torch.stack([z.mean(), z.std()]), torch.tensor([0.0, 1.0]), rtol=0, atol=1e-5)
        assert_close(net(x), before, rtol=1e-4, atol=1e-4)
        assert_close(net.moments(x)[0], mean)
    assert_close(torch.stack([net.shift, net.scale]), torch.stack([mean.mean(), mean.std()]))


def test_with_a_generator_latents_are_drawn_from_the_posterior():
    net, x = built(), randn(2, 3, 8, 8)
    net.calibrate(x)
    mean, log_var = net.moments(x)
    draws = net.encode(x.repeat(4_000, 1, 1, 1), seeded(1)).unflatten(0, (4_000, 2))
    raw = draws * net.scale + net.shift
    assert_close(raw.mean(0), mean, rtol=0, atol=5 * (log_var / 2).exp().max().item() / math.sqrt(4_000))
    assert_close(raw.var(0).log(), log_var, rtol=0, atol=0.15)  # six standard errors, each sqrt(2 / 4,000)
    assert_close(net.encode(x, seeded(3)), net.encode(x, seeded(3)))


def test_calibrating_on_draws_counts_their_noise():
    net, x = built(), randn(200, 3, 8, 8)
    with torch.no_grad():
        net.encoder[-1].bias[4:] += 2.0
    net.calibrate(x)
    means = net.scale.item()
    net.calibrate(x, seeded())
    assert net.scale > 1.3 * means
    z = net.encode(x, seeded(1))
    assert_close(torch.stack([z.mean(), z.std()]), torch.tensor([0.0, 1.0]), rtol=0, atol=0.03)


def test_each_picture_is_encoded_by_itself_and_gradients_reach_everything():
    net, x = built().requires_grad_(True), randn(4, 3, 16, 16)
    assert_close(net.encode(x)[1:3], net.encode(x[1:3]), rtol=1e-4, atol=1e-5)
    mean, log_var = net.moments(x)
    (net.decoder(mean + log_var.exp()).square().sum()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_a_latent_sees_its_own_pixels_and_not_those_far_away():
    net, x = built(), randn(1, 3, 64, 64)
    changed = x.clone()
    changed[..., :4, :4] += 1
    # norms see the whole picture; without them, only what lies near
    for part in net.modules():
        if isinstance(part, torch.nn.GroupNorm):
            part.forward = lambda h: h
    moved = (net.encode(changed) - net.encode(x)).abs().amax((0, 1))
    assert moved[0, 0] > 1e-3 and moved[8:, 8:].max() == 0


@pytest.mark.parametrize(
    "shape, said", [((2, 3, 30, 32), "sides of 4, 8"), ((2, 3, 32, 30), "sides of 4, 8"), ((2, 1, 32, 32), "images")]
)
def test_odd_pictures_are_refused(shape, said):
    with pytest.raises(ValueError, match=said):
        built().encode(torch.zeros(shape))


def test_odd_latents_and_sizes_are_refused():
    with pytest.raises(ValueError, match=r"latents \(B, 4, 8, 8\), not \(2, 3, 8, 8\)"):
        built().decode(torch.zeros(2, 3, 8, 8))
    with pytest.raises(ValueError, match="multiples of 4"):
        AutoEncoder(width=10)


@pytest.mark.parametrize("x", [torch.full((1, 3, 4, 4), math.nan), torch.full((2, 3, 8, 8), math.inf)])
def test_what_has_no_standard_deviation_is_refused_and_nothing_is_set(x):
    net = built()
    with pytest.raises(ValueError, match="without a standard deviation"):
        net.calibrate(x)
    assert net.scale == 1 and net.shift == 0


def test_a_checkpoint_holds_shift_and_scale_and_is_built_again(tmp_path):
    net, x = built(channels=1, latent=3), randn(4, 1, 12, 16)
    net.calibrate(x)
    save_network(tmp_path / "one.safetensors", net, {"data": {"name": "none"}})
    again, card = load_network(tmp_path / "one.safetensors")
    assert_close(again.encode(x), net.encode(x), rtol=0, atol=0)
    assert_close(again(x), net(x), rtol=0, atol=0)
    assert again.shift == net.shift and again.scale == net.scale and card["data"] == {"name": "none"}
    assert not again.training and not any(p.requires_grad for p in again.parameters())
    save_network(tmp_path / "half.safetensors", net, half=True)
    half, _ = load_network(tmp_path / "half.safetensors")
    assert half.scale.dtype == torch.float32 and half.config == net.config
    assert_close(half(x), net(x), rtol=0.02, atol=0.02)


def test_networks_and_denoisers_are_not_mistaken_for_each_other(tmp_path):
    save_network(tmp_path / "one.safetensors", MLP(width=4))
    assert isinstance(load_network(tmp_path / "one.safetensors")[0], MLP)
    with pytest.raises(CheckpointError, match="does not say schedule"):
        load(tmp_path / "one.safetensors")
    assert isinstance(load_network(DATA / "sprites.safetensors")[0], torch.nn.Module)
    with pytest.raises(ValueError, match="register it"):
        save_network(tmp_path / "two.safetensors", torch.nn.Linear(2, 2))
    assert not (tmp_path / "two.safetensors").exists()


def test_a_block_that_is_told_nothing_is_one_that_is_told_zero():
    torch.manual_seed(0)
    told = Block(8, 8, 5, 2)
    torch.nn.init.normal_(told.conv2.weight)
    torch.nn.init.zeros_(told.scale_shift.bias)
    silent = Block(8, 8, None, 2)
    silent.load_state_dict({k: v for k, v in told.state_dict().items() if "scale_shift" not in k})
    x = randn(2, 8, 4, 4)
    assert_close(silent(x), told(x, torch.zeros(2, 5)))


@pytest.fixture(scope="module")
def shipped():
    net, card = load_network(DATA / "scenes-autoencoder.safetensors")
    return net, card["record"], scenes(300, seed=1)


def test_the_shipped_one_is_small_and_says_how_it_was_made(shipped):
    net, record, _ = shipped
    assert (DATA / "scenes-autoencoder.safetensors").stat().st_size < 600_000
    assert record["steps"] and record["torch"] and record["commit"] and record["device"]
    assert record == json.loads((DATA / "latents.json").read_text())["rows"]["autoencoder"] | {
        key: record[key] for key in ("device", "threads", "torch", "minidiff", "commit")
    }
    assert record["parameters"] == sum(p.numel() for p in net.parameters())


@pytest.mark.slow
def test_the_shipped_one_keeps_scenes_that_it_has_not_seen(shipped):
    net, record, drawn = shipped
    z = net.encode(drawn.x)
    assert abs(z.mean()) < 0.05 and abs(z.std() - 1) < 0.05
    again = net.decode(z)
    loss = -10 * math.log10((drawn.restore(again) - drawn.restore(drawn.x)).square().mean())
    assert loss > 28 and abs(loss - record["psnr"]) < 0.4  # another 300 of the 2,000 that were measured
    seen = read_scenes(drawn.restore(again))
    right = sum(obeys(one, scene(1, k))["all"] for k, one in enumerate(seen)) / len(seen)
    assert right > 0.95 and abs(right - record["read_back"]) < 0.03
    drawn_z = net.encode(drawn.x, seeded())
    assert (net.decode(drawn_z) - again).square().mean() < 0.1  # a draw shows the same
