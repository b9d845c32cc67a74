"""The judge of the sprites' categories: whom it has seen, how it names, and the record that the data card repeats."""

from pathlib import Path

import torch
from torch import nn

from minidiff import data
from minidiff.engine import checkpoints
from tests.benchmarks import recognised

ROOT = Path(__file__).parents[2]


def test_namesakes_are_never_parted():
    captions = ("imp", "ant", "imp", "bee", "cow", "ant", "dog", "eel")
    assert recognised.folds(captions, 3).tolist() == [0, 1, 0, 2, 0, 1, 1, 2]
    captions = data.sprites("train").captions
    fold = recognised.folds(captions)
    assert len({(name, k) for name, k in zip(captions, fold.tolist(), strict=True)}) == len(set(captions))
    assert torch.bincount(fold).min() > 200


def test_the_most_probable_category_on_average_is_named():
    """Not the one that most networks name: one that is sure outweighs two that waver."""
    says = lambda *shares: nn.Sequential(nn.Flatten(), Constant(torch.tensor(shares).log()))
    sure, wavering = says(0.98, 0.01, 0.01), says(0.4, 0.5, 0.1)
    assert recognised.named([sure, wavering, wavering], torch.zeros(450, 3, 2, 2)).tolist() == [0] * 450
    assert recognised.named([wavering], torch.zeros(2, 3, 2, 2)).tolist() == [1, 1]


class Constant(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, x):
        return self.logits.expand(len(x), -1)


def test_shares_are_those_of_right_answers():
    y, said = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([0, 1, 0, 0, 1, 0])
    share, error = recognised.share(said, y)
    assert abs(share - 4 / 6) < 1e-3 and 0.1 < error < 0.3
    assert recognised.by_category(said, y, ("ant", "bee")) == {"ant": 0.75, "bee": 0.5}


def test_it_learns_to_tell_colours_and_the_seed_decides():
    generator, y = torch.Generator().manual_seed(0), torch.arange(256) % 2
    x = 0.5 * torch.randn(256, 3, 8, 8, generator=generator)
    x[torch.arange(256), y] += 1  # reds and greens
    tiles = data.Data(x, y, names=("red", "green"))
    net, again = (recognised.taught(tiles, seed=3, epochs=5) for _ in range(2))
    other = 0.5 * torch.randn(100, 3, 8, 8, generator=generator)
    other[:, 1] += 1
    assert recognised.named([net], other).double().mean() > 0.9
    assert all(torch.equal(one, two) for one, two in zip(net.parameters(), again.parameters(), strict=True))


def test_a_sample_of_each_category_is_drawn_as_asked(monkeypatch):
    seen = {}

    def generate(denoiser, noise, y, **options):
        seen.update(options, y=y)
        return noise

    monkeypatch.setattr(recognised, "generate", generate)
    denoiser = checkpoints.load(ROOT / "data" / "sprites.safetensors")[0]
    y = torch.tensor([3, 3, 7])
    assert recognised.draw(denoiser, y, 2.0, 5).shape == (3, 3, 32, 32)
    assert seen["y"] is y and seen["guidance"] == 2.0 and len(seen["times"]) == 6


def test_the_data_card_tells_what_the_checkpoint_records():
    text = " ".join((ROOT / "data" / "README.md").read_text(encoding="utf-8").split())
    record = checkpoints.read(ROOT / "data" / "sprites.safetensors")[1]["record"]["recognised"]
    percent = lambda name: f"{100 * record[name][0]:.0f} % (± {100 * record[name][1]:.0f})"
    for said in (
        f"names {percent('real_sprites_recognised')} of real sprites",
        f"{percent('held_out_sprites_recognised')} of the held-out ones",
        f"{percent('samples_recognised_guidance_1')} of its samples without guidance",
        f"{percent('samples_recognised_guidance_2')} with guidance 2",
    ):
        assert said in text, said
