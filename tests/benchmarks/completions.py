"""How often does the judge recognise a garment whose lower half the shipped network has filled in?

    python -m tests.benchmarks.completions [--number 200]

The upper halves of the first test images are given, and filled in as in the first picture of notebook 15: by DDNM, with
all noise fresh, in 40 steps. Beside them stand the real images, and completion by the lower half of the training image
whose upper half is nearest, among all of them and among those of the same class.
"""

import argparse

import torch
from torch import Tensor

from minidiff import (
    cosine,
    data,
    ddnm,
    fashion_mnist,
    given,
    karras_times,
    last,
    load,
    masking,
    renoise_step,
    sample,
    start,
)
from minidiff.evaluation import load_judge

UPPER = torch.arange(28)[:, None] < 14


def filled(seen: Tensor, y: Tensor | None) -> Tensor:
    """Completions of upper halves, (N, 1, 28, 28), by the shipped network, told the classes y or nothing."""
    network, _ = load(data.find("fashion-small.safetensors"))
    times = karras_times(40, low=0.05, high=10.0, schedule=cosine)
    noise = start(cosine, float(times[0]), tuple(seen.shape), torch.Generator().manual_seed(0))
    who = ddnm(given(network, y=y), masking(UPPER), seen)
    return last(sample(renoise_step, who, noise, times, generator=torch.Generator().manual_seed(1)))


def nearest(seen: Tensor, y: Tensor | None) -> Tensor:
    """Completions by the training image, of the same class where y is given, whose upper half is nearest."""
    clothes = fashion_mnist("train")
    gaps = torch.cdist(seen[:, :, :14].flatten(1), clothes.x[:, :, :14].flatten(1))
    if y is not None:
        gaps = gaps.masked_fill(clothes.condition["y"] != y[:, None], torch.inf)
    return torch.where(UPPER, seen, clothes.x[gaps.argmin(1)])


def shares(number: int) -> dict[str, float]:
    """The share that the judge recognises, by how the lower halves came about."""
    test, judge = fashion_mnist("test"), load_judge()
    x, y = test.x[:number], test.condition["y"][:number]
    seen = masking(UPPER).forward(x)
    pictures = {
        "real": x,
        "network, told the class": filled(seen, y),
        "nearest of the class": nearest(seen, y),
        "network, not told": filled(seen, None),
        "nearest of all": nearest(seen, None),
    }
    return {name: (judge.classify(images) == y).float().mean().item() for name, images in pictures.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=200, help="how many upper halves")
    for name, share in shares(parser.parse_args().number).items():
        print(f"{name:24} {share:.3f}")
