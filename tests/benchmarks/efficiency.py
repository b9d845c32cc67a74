"""How many images does a training need? The preset fashion-quick on 250 to 60,000 of them, the same steps for all.

    python -m tests.benchmarks.efficiency

Each network takes as many steps (about 75 s of one CPU core) over the first so many training images of Fashion-MNIST;
"flipped" doubles them by their mirror images. Then 1,000 class-conditional images are drawn (DDIM, 50 steps, no guidance,
the same noise for all) and measured:

    frechet_distance   in the features of the judge, to the 10,000 test images; as many training images are the floor
    agreement          the share that the judge takes for the class asked for
    nearest            the median distance of a drawing to the training image nearest to it, r.m.s. a pixel, over the same
                       for 1,000 test images: 1 for unseen photographs, 0 for copies
    memorised          metrics.memorisation in pixels: 1/2 for unseen photographs, 1 for copies; and its error
    loss_seen, loss_unseen   on the first 250 training images, which all were given (a network with 60,000 to choose from
                       has met half of them in 1,000 steps), and on 1,000 test images

The record goes to data/efficiency.json.
"""

import argparse
import json
import os
import time
from pathlib import Path

import torch
from torch import Tensor

from minidiff.data.dataset import Data
from minidiff.data.images import fashion_mnist
from minidiff.engine import runs
from minidiff.engine.feed import generator_for
from minidiff.engine.generate import generate
from minidiff.engine.runtime import fast_bf16, provenance
from minidiff.evaluation.judge import load_judge
from minidiff.evaluation.metrics import class_fidelity, frechet_distance, memorisation
from minidiff.losses import denoising_loss, lognormal
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import start

DATA = Path(__file__).parents[2] / "data"
CLOTHES, TEST, JUDGE = fashion_mnist("train"), fashion_mnist("test"), load_judge()
REAL = JUDGE.features(TEST.x)


def part(images: int, flipped: bool) -> Data:
    """The first so many training images, and their mirror images if wanted."""
    few = CLOTHES[:images]
    if not flipped:
        return few
    return Data(torch.cat([few.x, few.x.flip(3)]), few.y.repeat(2), few.shift, few.scale, few.names)


def train(few: Data, steps: int) -> tuple[LearnedDenoiser, float]:
    """The average of a training of the preset on these images, and the seconds of CPU it took."""
    job = runs.begin("fashion-quick", steps=steps)
    job.data, begun = few, time.process_time()
    for _ in job.losses():
        pass
    return job.run.average, time.process_time() - begun


@torch.no_grad()
def loss(denoiser: LearnedDenoiser, images: Data) -> float:
    """The mean loss at the training's own levels, over 4 draws of level and noise, the same for every network."""
    total = 0.0
    for k in range(4):
        generator = generator_for(0, 2, k)
        t = lognormal(denoiser.schedule)(len(images), generator)
        eps = torch.randn(images.x.shape, generator=generator)
        total += denoising_loss(denoiser, images.x, t, eps, y=images.y).mean().item() / 4
    return total


def nearest(x: Tensor, known: Tensor) -> Tensor:
    """The distance of each image to the nearest known one, r.m.s. a pixel."""
    return torch.cat([torch.cdist(rows, known.flatten(1)).amin(1) for rows in x.flatten(1).split(100)]) / 28


def measure(denoiser: LearnedDenoiser, few: Data, number: int) -> dict:
    y, unseen = torch.arange(number) % 10, TEST[:1000]
    noise = start(denoiser.schedule, 1.0, (number, 1, 28, 28), torch.Generator().manual_seed(0))
    x = generate(denoiser, noise, y, steps=50, bf16=fast_bf16(noise.device))
    copied = memorisation(x.flatten(1), few.x.flatten(1), unseen.x.flatten(1))
    return {
        "frechet_distance": round(frechet_distance(JUDGE.features(x), REAL), 2),
        "agreement": round(class_fidelity(JUDGE.classify(x), y).value, 4),
        "nearest": round((nearest(x, few.x).median() / nearest(unseen.x, few.x).median()).item(), 4),
        "memorised": round(copied.value, 4),
        "memorised_error": round(copied.error, 4),
        "loss_seen": round(loss(denoiser, CLOTHES[:250]), 5),
        "loss_unseen": round(loss(denoiser, unseen), 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[250, 2_500, 15_000, 60_000])
    parser.add_argument("--flipped", type=int, nargs="*", default=[250, 60_000], help="also with mirror images")
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--number", type=int, default=1_000, help="images to judge (default %(default)s)")
    parser.add_argument("--out", type=Path, default=DATA / "efficiency.json")
    options = parser.parse_args()
    os.environ |= {"MINIDIFF_QUIET": "1", "MINIDIFF_DEVICE": "cpu"}
    torch.set_num_threads(1)
    floor = frechet_distance(JUDGE.features(CLOTHES.x[: options.number]), REAL)
    record = {**provenance(torch.device("cpu")), "preset": "fashion-quick", "steps": options.steps}
    record |= {"samples": options.number, "floor": round(floor, 2), "rows": []}
    for images, flipped in [(n, False) for n in options.images] + [(n, True) for n in options.flipped]:
        few = part(images, flipped)
        average, seconds = train(few, options.steps)
        row = {
            "images": images,
            "flipped": flipped,
            "cpu_seconds": round(seconds, 1),
            **measure(average, few, options.number),
        }
        record["rows"] = sorted([*record["rows"], row], key=lambda row: (row["flipped"], row["images"]))
        print(row, flush=True)
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
