"""How fast captioned scenes are drawn and judged, how often the judge is right, and how much it bears.

    python -m tests.benchmarks.scenes                          # data/scenes.json; five minutes of one core
    python -m tests.benchmarks.scenes --number 200 --out try.json

Fresh scenes, of every kind and both splits in turn, are drawn and read back. The judge is right about a scene where it
finds every demand of its caption met; of each share stands the exact binomial interval of 95 %. Then it reads the same
pictures blurred, and with Gaussian noise on every number (not clipped: a sample of a network may leave [0, 1]), to say
how faulty a picture may be before the judge is; and asks of every picture whether it obeys another's caption, which it
should not. Drawing includes the making of scenes and captions; both speeds are in CPU time of one thread, at 32 pixels.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from scipy.stats import binomtest
from torch import Tensor

from minidiff.data.scenes import KINDS, SPLITS, Scene, render, scene
from minidiff.engine.runtime import device_name
from minidiff.evaluation.scene_parser import obeys, read_scenes

ROOT = Path(__file__).parents[2]
BLURS, NOISES = (0.5, 0.75, 1.0, 1.25), (0.02, 0.04, 0.06, 0.08, 0.1)  # in pixels; of a range of 1
PART = 250  # pictures drawn or judged together


def fresh(n: int, seed: int) -> list[Scene]:
    """n scenes, of each kind and split in turn."""
    ways = [(split, kind) for split in SPLITS for kind in KINDS]
    return [scene(seed, k, *ways[k % len(ways)]) for k in range(n)]


def drawn(told: list[Scene], size: int = 32) -> Tensor:
    return torch.cat([render(told[k : k + PART], size) for k in range(0, len(told), PART)])


def verdicts(images: Tensor, told: list[Scene]) -> list[bool]:
    """Whether each picture obeys the caption of the scene beside it."""
    seen = [one for part in images.split(PART) for one in read_scenes(part)]
    return [obeys(one, asked)["all"] for one, asked in zip(seen, told, strict=True)]


def blurred(images: Tensor, std: float) -> Tensor:
    """Images (N, C, S, S) under a Gaussian of so many pixels; beyond the border they go on as they end."""
    reach = torch.arange(-6, 7.0)
    kernel = torch.softmax(-(reach**2) / (2 * std**2), 0).expand(images.shape[1], 1, 1, -1)
    padded = F.pad(images, (6, 6, 6, 6), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel, groups=len(kernel)), kernel.mT, groups=len(kernel))


def noisy(images: Tensor, std: float, seed: int = 0) -> Tensor:
    return images + std * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))


def share(right: list[bool]) -> dict[str, float]:
    """How many of how many, and between which shares the truth lies, 19 times in 20."""
    low, high = binomtest(sum(right), len(right)).proportion_ci(0.95, "exact")
    return {"right": sum(right), "of": len(right), "low": round(float(low), 5), "high": round(float(high), 5)}


def timed(function: Callable, *given: object) -> tuple[object, float]:
    """What it gives, and how many seconds of CPU it took."""
    begun = time.process_time()
    return function(*given), time.process_time() - begun


def measure(number: int, seed: int) -> dict:
    drawn(fresh(PART, seed)), verdicts(drawn(fresh(20, seed)), fresh(20, seed))  # tables are made once
    usual, seconds = timed(lambda: drawn([scene(seed + 1, k) for k in range(min(number, 2000))]))
    record = {"drawn_a_second": round(len(usual) / seconds)}
    told = fresh(number, seed)
    images = drawn(told)
    right, seconds = timed(verdicts, images, told)
    record |= {"judged_a_second": round(number / seconds), "fresh": share(right)}
    ways = {f"{kind}, {split}": [] for split in SPLITS for kind in KINDS}
    for k, one in enumerate(right):
        list(ways.values())[k % len(ways)].append(one)
    record["by_kind"] = {way: share(some) for way, some in ways.items()}
    record["at_64"] = share(verdicts(drawn(told[:2000], 64), told[:2000]))
    few, some = told[:2000], images[:2000]
    record["blurred"] = {str(std): share(verdicts(blurred(some, std), few)) for std in BLURS}
    record["noisy"] = {str(std): share(verdicts(noisy(some, std), few)) for std in NOISES}
    others = told[1:] + told[:1]  # of the next kind or split
    record["another_caption"] = share(verdicts(images, others))
    same = [told[k + 2 * len(KINDS)] for k in range(number - 2 * len(KINDS))]
    record["another_caption_of_its_kind"] = share(verdicts(images[: len(same)], same))
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=10_000, help="fresh scenes (default: 10000)")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "scenes.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    record = {"device": device_name(torch.device("cpu")), "threads": 1, "torch": torch.__version__}
    record |= {"commit": commit.strip(), "seed": options.seed, **measure(options.number, options.seed)}
    for name, value in record.items():
        print(f"{name.replace('_', ' '):28} {value}")
    options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
