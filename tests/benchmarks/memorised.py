"""How much of the sprites does a model know by heart?

    python -m tests.benchmarks.memorised [--checkpoint data/sprites.safetensors] [--record]

For each of 400 samples (categories as frequent as in the training set, DDIM, 50 steps, no guidance) it looks for the
nearest of the 1,331 sprites of the training set. The distance of two pictures is the root mean square difference of
their pixels, from 0 (black) to 1 (white): the smallest over 2 mirror images x 49 shifts x 6 orders of the colours of the
training sprite, so that a copy counts as one even where it was moved or recoloured. What counts as near is learned from the 134 sprites
held out, which no network has seen: a model that has copied nothing draws 5 % of its samples nearer to the training set
than 95 % of them are. And the loss of the network on the sprites it has seen is compared with its loss on the others.

It takes about ten minutes on one core. The result is printed and, with --record, written into the checkpoint's card; the picture goes to data/sprites-samples.png.
"""

import argparse
import os
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from minidiff import data
from minidiff.engine import checkpoints
from minidiff.engine.generate import generate
from minidiff.losses import denoising_loss
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import start
from minidiff.show import plots

ROOT = Path(__file__).parents[2]
REACH = 3  # pixels, as in augmentations.shift
PAIRS = 4  # samples of each category in the picture


def variants(x: Tensor) -> Iterator[Tensor]:
    """x (N, 3, H, W) after each thing that mirroring, shifting and recolouring may do to it, itself included."""
    high, wide = x.shape[2:]
    for mirrored in (x, x.flip(3)):
        padded = F.pad(mirrored, (REACH,) * 4, mode="replicate")
        for down in range(2 * REACH + 1):
            for right in range(2 * REACH + 1):
                shifted = padded[:, :, down : down + high, right : right + wide]
                for order in permutations(range(3)):
                    yield shifted[:, order]


def nearest(x: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The distance of each picture in x to its nearest variant of a known one, (N,), and these variants, like x."""
    distance, found = torch.full((len(x),), torch.inf), torch.empty_like(x)
    for variant in variants(known):
        candidate, which = torch.cdist(x.flatten(1), variant.flatten(1)).min(1)
        better = candidate < distance
        distance[better], found[better] = candidate[better], variant[which[better]]
    return distance / x[0].numel() ** 0.5, found


def draw(
    denoiser: LearnedDenoiser, labels: Tensor, number: int, guidance: float, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Samples (number, 3, 32, 32) in standardised units, and their categories, as frequent as among the labels."""
    y = labels.sort().values[torch.linspace(0, len(labels) - 1, number).round().long()]
    noise = start(denoiser.schedule, 1.0, (number, 3, 32, 32), torch.Generator().manual_seed(seed))
    return generate(denoiser, noise, y, steps=50, guidance=guidance, batch=50), y


@torch.no_grad()
def loss(denoiser: LearnedDenoiser, tiles: data.Data, levels: int = 20) -> float:
    """The mean loss on v, over noise angles spread evenly from clean to noise only, with noise from a fixed seed."""
    generator, total = torch.Generator().manual_seed(1), 0.0
    for t in (torch.arange(levels) + 0.5) / levels:  # on the cosine path t is the angle
        eps = torch.randn(tiles.x.shape, generator=generator)
        total += float(denoising_loss(denoiser, tiles.x, t.expand(len(tiles)), eps, y=tiles.y).mean())
    return total / levels


def picture(x: Tensor, found: Tensor, y: Tensor, names: tuple[str, ...]) -> bytes:
    """The first samples of each category, each beside its nearest training sprite."""
    chosen = torch.cat([torch.nonzero(y == k)[:PAIRS, 0] for k in range(len(names))])
    pairs = torch.stack([x[chosen], found[chosen]], 1).flatten(0, 1)
    return plots.png(plots.image_grid(pairs, 2 * PAIRS, scale=2, row_titles=names, column_titles=["drawn", "nearest"] * PAIRS,
                                      title="Samples, and the sprite of the training set that each is nearest to"))  # fmt: skip


def measure(denoiser: LearnedDenoiser, number: int, guidance: float) -> tuple[dict, bytes]:
    """The numbers, and the picture."""
    train, test = data.sprites("train"), data.sprites("test")
    samples, y = draw(denoiser, train.y, number, guidance)
    x, known, unseen = (train.restore(part).clamp(0, 1) for part in (samples, train.x, test.x))
    (own, found), (others, _) = nearest(x, known), nearest(unseen, known)
    seen = train[torch.arange(len(test)) * len(train) // len(test)]
    result = {
        "samples": number,
        "guidance": guidance,
        "distance_of_samples": [round(float(q), 4) for q in own.quantile(torch.tensor([0.05, 0.5, 0.95]))],
        "distance_of_held_out": [round(float(q), 4) for q in others.quantile(torch.tensor([0.05, 0.5, 0.95]))],
        "share_nearer_than_95_percent_of_held_out": round(float((own < others.quantile(0.05)).double().mean()), 4),
        "loss_on_training_sprites": round(loss(denoiser, seen), 4),
        "loss_on_held_out_sprites": round(loss(denoiser, test), 4),
    }
    return result, picture(x, found, y, train.names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "data" / "sprites.safetensors")
    parser.add_argument("--number", type=int, default=400, help="samples (default: 400)")
    parser.add_argument("--guidance", type=float, default=1.0, help="default: 1, none")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "sprites-samples.png")
    parser.add_argument("--record", action="store_true", help="write the result into the checkpoint's card")
    a = parser.parse_args()
    if a.number < 300:
        parser.error(f"--number {a.number} is too few to show {PAIRS} of each category: take 300 or more")
    os.environ["MINIDIFF_QUIET"] = "1"
    result, png = measure(checkpoints.load(a.checkpoint)[0], a.number, a.guidance)
    a.out.write_bytes(png)
    for name, value in result.items():
        print(f"{name.replace('_', ' '):42} {value}")
    if a.record:
        tensors, card = checkpoints.read(a.checkpoint)
        card["record"]["memory"] = result
        checkpoints.write(a.checkpoint, tensors, card)


if __name__ == "__main__":
    main()
