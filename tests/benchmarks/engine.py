"""How fast does a preset train, how much of the machine does it use, and how long do 10,000 samples take?

    python -m tests.benchmarks.engine --preset fashion-quick

Images a second of `train`, after a warm-up (in which torch.compile works, where it is used); the share of the machine's
own speed, which is that of a large matrix product or convolution in the same precision, whichever is faster (on AMD's
processors it is the convolution, by more than twice). The work of an image is counted, not
guessed: torch's counter of floating-point operations, a multiplication and an addition each for one, over the forward
and the backward pass of the network. Runs on a GPU where there is one; it has been run on a CPU only.
"""

import argparse
import os
import time
from itertools import islice

import torch
from torch.utils.flop_counter import FlopCounterMode

from minidiff.engine import presets, runs
from minidiff.engine.generate import generate
from minidiff.engine.runtime import device_name, runtime
from minidiff.samplers import last
from minidiff.schedules import start

DEVICE = runtime().device


def settled() -> float:
    """The time, once a GPU has done all it was told."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def work(training: runs.Training) -> float:
    """Floating-point operations of one image's forward and backward pass."""
    net, x = training.run.denoiser.net, training.data.x[:8].to(DEVICE)
    with FlopCounterMode(display=False) as counter:
        net(x, torch.full((8,), 0.5, device=DEVICE)).sum().backward()
    net.zero_grad()
    return counter.get_total_flops() / 8


def ceiling(dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product or a convolution, the faster one: the best of ten each."""
    large, best = DEVICE.type == "cuda", 0.0
    n, images = (8192, 1024) if large else (2048, 64)
    a, b = torch.randn(2, n, n, device=DEVICE, dtype=dtype)
    layer = torch.nn.Conv2d(128, 128, 3, padding=1, device=DEVICE, dtype=dtype).requires_grad_(False)
    maps = torch.randn(images, 128, 14, 14, device=DEVICE, dtype=dtype)
    layer, maps = (part.to(memory_format=torch.channels_last) for part in (layer, maps))
    for run, flops in ((lambda: a @ b, 2 * n**3), (lambda: layer(maps), 2 * 9 * 128**2 * 14**2 * images)):
        for _ in range(10):
            begun = settled()
            run()
            best = max(best, flops / (settled() - begun))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="fashion-quick", choices=presets.PRESETS, help="default: %(default)s")
    parser.add_argument(
        "--steps", type=int, default=200, help="to time, after a quarter as many (default: %(default)s)"
    )
    parser.add_argument(
        "--samples", type=int, default=0, help="to draw, DDIM with 50 steps (default: 10,000 on a GPU, else 200)"
    )
    options = parser.parse_args()
    os.environ["MINIDIFF_QUIET"] = "1"
    training = runs.begin(options.preset, steps=10 * options.steps)
    bf16, batch = training.settings["bf16"], training.settings["batch"]
    print(f"{device_name(DEVICE)}, {torch.get_num_threads()} threads, torch {torch.__version__}; {options.preset}: "
          f"batch {batch}, {'bfloat16' if bf16 else 'float32'}, compile {training.settings['compile']}")  # fmt: skip
    flops, peak, losses = work(training), ceiling(torch.bfloat16 if bf16 else torch.float32), training.losses()
    last(islice(losses, max(1, options.steps // 4)))
    begun = settled()
    last(islice(losses, options.steps))
    rate = options.steps * batch / (settled() - begun)
    print(f"training   {rate:10.0f} images a second; {flops / 1e6:.0f} MFLOP an image, so {rate * flops / 1e12:.3f} TFLOP/s, "
          f"{rate * flops / peak:.0%} of the {peak / 1e12:.2f} TFLOP/s of a product or convolution")  # fmt: skip
    number = options.samples or (10_000 if DEVICE.type == "cuda" else 200)
    average = training.run.average
    noise = start(average.schedule, 1.0, (number, *training.data.x.shape[1:]), torch.Generator().manual_seed(0)).to(
        DEVICE
    )
    generate(average, noise[:256], steps=2, bf16=bf16)
    begun = settled()
    generate(average, noise, steps=50, batch=1000 if DEVICE.type == "cuda" else 100, bf16=bf16)
    print(f"sampling   {number} images, DDIM, 50 steps: {settled() - begun:.1f} s")


if __name__ == "__main__":
    main()
