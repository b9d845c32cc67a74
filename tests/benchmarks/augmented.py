"""Does it help a classifier to learn from drawn images beside a few real ones?

    python -m tests.benchmarks.augmented                                    # data/augmented.json; ten minutes of one core
    python -m tests.benchmarks.augmented --seeds 1 --steps 2 --out try.json

For each seed some real images of each class are picked, and the classifier of notebook 16 is trained on

    few           those alone
    moved         those, mirrored and moved by up to two pixels, anew in each batch
    own           those, and 40 images a class drawn by a network that was trained on those alone
    shipped       those, and as many drawn by the shipped network, which has seen all 60,000 images
    more          those, and as many more real images

All get the same number of steps. Drawn are 2M's images in 8 steps. Accuracy is that on the 10,000 test images.
"""

import argparse
import json
import os
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from minidiff.course.tasks.finding_and_filling import classifier
from minidiff.data import Data, fashion_mnist
from minidiff.data.files import find
from minidiff.engine import runs
from minidiff.engine.checkpoints import load
from minidiff.engine.generate import generate, times_for
from minidiff.engine.presets import SHIPPED
from minidiff.engine.runtime import provenance
from minidiff.predictions import AnyDenoiser
from minidiff.schedules import start
from minidiff.solvers import dpm_solver_2m

DATA = Path(__file__).parents[2] / "data"


def picked(clothes: Data, each: int, seed: int) -> Data:
    """So many images of each class, at random."""
    order = torch.randperm(len(clothes), generator=torch.Generator().manual_seed(seed))
    return clothes[torch.cat([order[clothes.y[order] == label][:each] for label in range(10)])]


def moved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the images mirrored, and all moved by up to two pixels, black filling the gap."""
    mirror = torch.rand(len(x), generator=generator) < 0.5
    x = torch.where(mirror[:, None, None, None], x.flip(3), x)
    down, right = torch.randint(5, (2,), generator=generator).tolist()
    return pad(x, (2, 2, 2, 2), value=x.min().item())[:, :, down : down + 28, right : right + 28]


def drawn(denoiser: AnyDenoiser, each: int, seed: int) -> tuple[Tensor, Tensor]:
    """So many images of each class, and their labels."""
    y, times = torch.arange(10 * each) % 10, times_for("2m", denoiser.schedule, 8)
    noise = start(denoiser.schedule, float(times[0]), (len(y), 1, 28, 28), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return generate(denoiser, noise, y, step=dpm_solver_2m(), times=times), y


def own(few: Data, steps: int, seed: int) -> AnyDenoiser:
    """A network trained on these images alone."""
    job = runs.begin("fashion-quick", steps=steps, seed=seed)
    job.data = few
    for _ in job.losses():
        pass
    return job.run.average


def beside(few: Data, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The few as often as it takes to be half of all, and the others."""
    times = max(1, len(x) // len(few))
    return torch.cat([few.x.repeat(times, 1, 1, 1), x]), torch.cat([few.y.repeat(times), y])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=int, default=20, help="real images of each class (default %(default)s)")
    parser.add_argument("--each", type=int, default=40, help="drawn images of each class (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=500, help="of the networks that see the few only")
    parser.add_argument("--out", type=Path, default=DATA / "augmented.json")
    options = parser.parse_args()
    os.environ |= {"MINIDIFF_QUIET": "1", "MINIDIFF_DEVICE": "cpu"}
    torch.set_num_threads(1)
    clothes, test, shipped = fashion_mnist("train"), fashion_mnist("test"), load(find(SHIPPED))[0]
    record = {**provenance(torch.device("cpu")), "real": options.real, "drawn": options.each, "steps": options.steps}
    record |= {"cpu_seconds": 0.0, "accuracy": {}}
    begun = time.process_time()
    for seed in range(options.seeds):
        few = picked(clothes, options.real, seed)
        more = picked(clothes, options.real + options.each, seed)  # the few are its first
        sets = {
            "few": (few.x, few.y),
            "moved": (few.x, few.y),
            "own": beside(few, *drawn(own(few, options.steps, seed), options.each, seed)),
            "shipped": beside(few, *drawn(shipped, options.each, seed)),
            "more": (more.x, more.y),
        }
        for name, (x, y) in sets.items():
            net = classifier(x, y, seed, **{"change": moved} if name == "moved" else {})
            right = torch.cat([net(part).argmax(1) for part in test.x.split(1_000)]) == test.y
            record["accuracy"].setdefault(name, []).append(round(right.double().mean().item(), 4))
        record["cpu_seconds"] = round(time.process_time() - begun, 1)
        print(seed, {name: row[-1] for name, row in record["accuracy"].items()}, flush=True)
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
