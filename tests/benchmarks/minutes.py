"""The network of notebook 12, trained on for some minutes after the notebook's own training.

    python -m tests.benchmarks.minutes                 # data/fashion-minutes.safetensors, three minutes of one core
    python -m tests.benchmarks.minutes --steps 1_100 --out try.safetensors

The same network, first as the notebook trains it, then on to 9,000 steps, as its optional cell does. The card in the
file says on which machine, how many seconds of CPU it took, and what the losses were.
"""

import argparse
import os
import time
from pathlib import Path

import torch

from minidiff.data import fashion_mnist
from minidiff.engine import checkpoints
from minidiff.engine.runtime import provenance
from minidiff.engine.state import Run
from minidiff.engine.train import train
from minidiff.losses import lognormal
from minidiff.networks import UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine

OUT = Path(__file__).parents[2] / "data" / "fashion-minutes.safetensors"
FIRST, NET = 1_000, {"classes": 10, "width": 32, "deep_width": 64, "deep_blocks": 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=9_000)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    os.environ["MINIDIFF_QUIET"] = "1"
    torch.set_num_threads(1)
    torch.manual_seed(0)
    clothes, begun = fashion_mnist("train"), time.process_time()
    run, losses = Run(LearnedDenoiser(UNet(**NET), cosine, "v")), []
    for steps in (FIRST, options.steps):
        levels = lognormal(cosine)
        losses += train(run.denoiser, clothes, steps=steps, batch=20, lr=5e-3, levels=levels, run=run)
    taken = round(time.process_time() - begun)
    means = torch.stack(losses).unfold(0, 100, 100).mean(1)
    record = {**provenance(torch.device("cpu")), "steps": options.steps, "cpu_seconds": taken, "threads": 1}
    record["losses"] = [[100 * (k + 1), round(float(mean), 4)] for k, mean in enumerate(means)]
    card = {"data": {"name": "fashion-mnist", "shift": clothes.shift, "scale": clothes.scale}, "record": record}
    checkpoints.save(options.out, run.average, card, half=True)
    print(f"{options.out}: {options.steps} steps, last loss {record['losses'][-1][1]}, {taken} s of CPU")


if __name__ == "__main__":
    main()
