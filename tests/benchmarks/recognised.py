"""Are the drawn sprites recognised as what was asked for?

    python -m tests.benchmarks.recognised [--checkpoint data/sprites.safetensors] [--guidance 1 2] [--record]

A small convolutional network is taught the 18 categories. It is trained five times, each time without a fifth of the
sprites of the training set (all tiles of one name on the same side), so that each sprite is named once by a network
that has never seen it, nor its namesakes. Their share of right answers is how far the judge can be trusted; the 134
held-out sprites, which the five name together, are asked as well. Then the five name what the model drew: as many of
each category, by 2M on Karras' levels. A sample is recognised where their mean probability is highest for the category
asked for. Where they name real sprites wrongly, a wrong answer to a sample says little: so the share among real
sprites, category by category, stands beside it.

It takes about five minutes on one core.
"""

import argparse
import os
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minidiff import data
from minidiff.data import Data
from minidiff.engine import checkpoints
from minidiff.engine.augmentations import flip, shift
from minidiff.engine.generate import SAMPLERS, generate, streams, times_for
from minidiff.evaluation.metrics import class_fidelity
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import start

ROOT = Path(__file__).parents[2]
FOLDS, EPOCHS, BATCH = 5, 40, 64


def network(classes: int, width: int = 32) -> nn.Sequential:
    """Images (N, 3, 32, 32), standardised -> logits (N, classes)."""
    sizes = (3, width, 2 * width, 4 * width)
    parts: list[nn.Module] = []
    for before, after in pairwise(sizes):
        for c_in in (before, after):
            parts += [nn.Conv2d(c_in, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        parts.append(nn.MaxPool2d(2))
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(sizes[-1], classes))


def folds(captions: tuple[str, ...], count: int = FOLDS) -> Tensor:
    """The fold of each picture, (N,): all of one name in the same, names dealt out in turn."""
    number = {name: k for k, name in enumerate(dict.fromkeys(captions))}
    return torch.tensor([number[name] % count for name in captions])


def taught(tiles: Data, seed: int, epochs: int = EPOCHS) -> nn.Sequential:
    """A network that names the categories of these tiles; mirrored and shifted ones too."""
    y, generator = tiles.y, torch.Generator().manual_seed(seed)
    assert y is not None
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = network(len(tiles.names or ())).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.05)
        steps = epochs * (len(tiles) // BATCH)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=steps)
        for _ in range(epochs):
            for index in torch.randperm(len(tiles), generator=generator).split(BATCH)[: len(tiles) // BATCH]:
                x = tiles.x[index]
                for change in (flip, shift):
                    x, _ = change(x, {}, generator)
                with torch.autocast("cpu", torch.bfloat16):
                    logits = net(x.contiguous(memory_format=torch.channels_last)).float()
                loss = F.cross_entropy(logits, y[index], label_smoothing=0.1)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                rate.step()
    return net.eval().requires_grad_(False)


def named(nets: list[nn.Sequential], x: Tensor) -> Tensor:
    """The category that the networks together find most probable, (N,)."""
    return torch.cat([sum(net(part).softmax(1) for net in nets).argmax(1) for part in x.split(200)])


def share(said: Tensor, y: Tensor) -> list[float]:
    """The share of right answers, and its standard error."""
    return [round(number, 3) for number in class_fidelity(said, y)]


def by_category(said: Tensor, y: Tensor, names: tuple[str, ...]) -> dict[str, float]:
    """The share of right answers in each category."""
    return {name: round(float((said[y == k] == k).double().mean()), 2) for k, name in enumerate(names)}


def draw(denoiser: LearnedDenoiser, y: Tensor, guidance: float, steps: int, seed: int = 0) -> Tensor:
    """A sample (3, 32, 32) of each category in y, in standardised units."""
    times, own = times_for("2m", denoiser.schedule, steps), streams(seed, range(len(y)))
    noise = start(denoiser.schedule, float(times[0]), (len(y), 3, 32, 32), own)
    return generate(denoiser, noise, y, step=SAMPLERS["2m"](1.0), times=times, guidance=guidance, generator=own)


def measure(denoiser: LearnedDenoiser, guidances: list[float], each: int, steps: int) -> dict:
    """Every share, of real sprites and of samples."""
    train, test = data.sprites("train"), data.sprites("test")
    assert train.names and train.captions and train.y is not None and test.y is not None
    names, fold = train.names, folds(train.captions)
    nets, said = [], torch.zeros_like(train.y)
    for k in range(FOLDS):
        nets.append(taught(train[torch.nonzero(fold != k)[:, 0]], seed=k))
        said[fold == k] = named(nets[-1:], train.x[fold == k])
    result = {
        "judge": "5 convolutional networks, each without a fifth of the names",
        "real_sprites_recognised": share(said, train.y),
        "held_out_sprites_recognised": share(named(nets, test.x), test.y),
        "real_by_category": by_category(said, train.y, names),
        "sampler": f"2m, {steps} steps, seed 0, {each} of each category",
    }
    y = torch.arange(len(names)).repeat_interleave(each)
    for guidance in guidances:
        drawn = named(nets, draw(denoiser, y, guidance, steps))
        result[f"samples_recognised_guidance_{guidance:g}"] = share(drawn, y)
        result[f"samples_by_category_guidance_{guidance:g}"] = by_category(drawn, y, names)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "data" / "sprites.safetensors")
    parser.add_argument("--each", type=int, default=20, help="samples of each category (default: 20)")
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 2.0], help="default: 1 (none) and 2")
    parser.add_argument("--steps", type=int, default=16, help="of 2M (default: 16)")
    parser.add_argument("--record", action="store_true", help="write the result into the checkpoint's card")
    a = parser.parse_args()
    os.environ["MINIDIFF_QUIET"] = "1"
    result = measure(checkpoints.load(a.checkpoint)[0], a.guidance, a.each, a.steps)
    for name, value in result.items():
        print(f"{name.replace('_', ' '):42} {value}")
    if a.record:
        tensors, card = checkpoints.read(a.checkpoint)
        card["record"]["recognised"] = result
        checkpoints.write(a.checkpoint, tensors, card)


if __name__ == "__main__":
    main()
