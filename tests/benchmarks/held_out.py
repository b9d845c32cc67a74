"""A network that has never seen two of the ten classes of clothes, for notebook 16.

    python -m tests.benchmarks.held_out                 # data/fashion-eight.safetensors, three minutes of one core
    python -m tests.benchmarks.held_out --steps 50 --out try.safetensors

The preset `fashion-quick`, trained on the images that are neither trousers nor sandals. The card in the file says which
images, machine, versions, commit and loss curve.
"""

import argparse
import os
import time
from pathlib import Path

import torch

from minidiff.data import Data
from minidiff.engine import checkpoints, runs

OUT = Path(__file__).parents[2] / "data" / "fashion-eight.safetensors"
HELD_OUT = ("Trouser", "Sandal")


def without(clothes: Data, names: tuple[str, ...]) -> Data:
    """The images that are of none of these classes."""
    unseen = torch.tensor([(clothes.names or ()).index(name) for name in names])
    return clothes[~torch.isin(clothes.y, unseen)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2_500)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    os.environ |= {"MINIDIFF_QUIET": "1", "MINIDIFF_DEVICE": "cpu"}
    torch.set_num_threads(1)
    job, begun = runs.begin("fashion-quick", steps=options.steps), time.process_time()
    job.data = without(job.data, HELD_OUT)
    for _ in job.losses():
        pass
    images = {"name": "fashion-mnist", "examples": len(job.data), "held_out": list(HELD_OUT)}
    record = job.record | {"steps": options.steps, "cpu_seconds": round(time.process_time() - begun)}
    card = {"data": images, "settings": job.settings, "record": record}
    checkpoints.save(options.out, job.run.average, card, half=True)
    print(
        f"{options.out}: {options.steps} steps, last loss {record['losses'][-1][1]}, {record['cpu_seconds']} s of CPU"
    )


if __name__ == "__main__":
    main()
