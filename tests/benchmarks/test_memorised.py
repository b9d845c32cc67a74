"""What is said of the sprites model's memory: the distance it rests on, and the record that the data card repeats."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from minidiff import data
from minidiff.engine import checkpoints
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine
from tests.benchmarks import memorised

ROOT = Path(__file__).parents[2]


def pictures(n, seed):
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("change", [
    lambda x: x,
    lambda x: x.flip(3),
    lambda x: x[:, [2, 0, 1]],
    lambda x: F.pad(x, (3, 0, 0, 0), mode="replicate")[:, :, :, :8],
    lambda x: F.pad(x, (0, 0, 0, 2), mode="replicate")[:, :, 2:],
    lambda x: F.pad(x.flip(3), (0, 1, 3, 0), mode="replicate")[:, [1, 0, 2], :8, 1:],
], ids=["copy", "mirror", "colours", "right by 3", "up by 2", "all at once"])  # fmt: skip
def test_an_augmented_copy_is_at_no_distance(change):
    known = pictures(5, 0)
    x = change(known[[3, 1]])
    distance, found = memorised.nearest(x, known)
    assert_close(distance, torch.zeros(2), rtol=0, atol=1e-3)
    assert_close(found, x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("change", [
    lambda x: x.flip(2),
    lambda x: 1 - x,
    lambda x: F.pad(x, (4, 0, 0, 0), mode="replicate")[:, :, :, :8],
], ids=["upside down", "negative", "right by 4"])  # fmt: skip
def test_what_augmentation_never_does_is_no_copy(change):
    assert memorised.nearest(change(pictures(4, 0)), pictures(4, 0))[0].min() > 0.1


def test_the_distance_is_the_root_mean_square_to_the_best_of_all_variants():
    x, known = pictures(3, 1), pictures(4, 2)
    distance, found = memorised.nearest(x, known)
    assert_close(distance, (x - found).square().mean((1, 2, 3)).sqrt(), rtol=1e-4, atol=0)
    every = torch.cat(list(memorised.variants(known)))
    assert len(every) == 4 * 2 * 49 * 6
    for k in range(3):
        assert_close(distance[k], (x[k] - every).square().mean((1, 2, 3)).sqrt().min(), rtol=1e-4, atol=0)


def test_the_loss_is_a_plain_mean_over_angles_and_the_same_each_time():
    """A network that answers 0 to standard normal pictures is wrong by 1 at every angle."""

    class Silent(torch.nn.Module):
        def forward(self, x, level, y):
            return torch.zeros_like(x)

    normal = torch.randn(300, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    tiles = data.Data(normal, torch.zeros(300, dtype=torch.int64))
    denoiser = LearnedDenoiser(Silent(), cosine, "v")
    assert abs(memorised.loss(denoiser, tiles) - 1) < 0.02
    assert memorised.loss(denoiser, tiles) == memorised.loss(denoiser, tiles)


def test_samples_are_as_frequent_as_the_labels(monkeypatch):
    monkeypatch.setattr(memorised, "generate", lambda denoiser, noise, y, **_: noise)
    denoiser = LearnedDenoiser(torch.nn.Identity(), cosine)
    x, y = memorised.draw(denoiser, data.sprites("train").y, 300, 1.0)
    count, want = (torch.bincount(labels, minlength=18).double() for labels in (y, data.sprites("train").y))
    assert x.shape == (300, 3, 32, 32) and (count - 300 * want / want.sum()).abs().max() < 1.5
    assert count.min() >= memorised.PAIRS


# ---- the model that is shipped

SHIPPED = ROOT / "data" / "sprites.safetensors"
CARD = checkpoints.read(SHIPPED)[1]


def test_the_shipped_model_never_saw_what_is_held_out():
    assert CARD["data"]["name"] == "sprites" and CARD["data"]["examples"] == len(data.sprites("train")) == 1331
    assert CARD["settings"]["preset"] == "sprites" and CARD["record"]["device"].startswith("cpu: ")
    assert CARD["record"]["steps"] == CARD["settings"]["steps"]  # trained to its end
    assert SHIPPED.stat().st_size <= 4_000_000


@pytest.mark.slow
def test_the_shipped_model_denoises_what_it_never_saw_and_better_by_its_category():
    denoiser, test = checkpoints.load(SHIPPED)[0], data.sprites("test")[::3]
    told, wrong = test, replace(test, y=(test.y + 9) % 18)
    assert (
        memorised.loss(denoiser, told, levels=4) < memorised.loss(denoiser, wrong, levels=4) < 0.5
    )  # silence: about 1


def test_the_data_card_tells_what_the_checkpoint_records():
    text = " ".join((ROOT / "data" / "README.md").read_text(encoding="utf-8").split())
    memory, record = CARD["record"]["memory"], CARD["record"]
    low, middle, _ = memory["distance_of_samples"]
    near, usual, _ = memory["distance_of_held_out"]
    for said in (
        f"{record['steps']:,} steps",
        f"{round(record['seconds'] / 60)} minutes",
        f"{record['images_seen'] / 1e6:.2f} million",
        f"{middle:.3f} from the nearest training sprite (5 % of them within {low:.3f})",
        f"{usual:.3f} (within {near:.3f},",
        f"{100 * memory['share_nearer_than_95_percent_of_held_out']:.1f} % of the samples",
        f"{memory['loss_on_training_sprites']:.3f} on sprites it was trained on and {memory['loss_on_held_out_sprites']:.3f} on those",
    ):
        assert said in text, said
