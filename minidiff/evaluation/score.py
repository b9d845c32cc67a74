"""The score of a Fashion-MNIST model: how the judge sees its samples, beside what real images get."""

import torch
from torch import Tensor

from .. import data
from ..engine.generate import generate, streams
from ..estimates import jackknife
from ..predictions import AnyDenoiser
from ..refusals import described, whole
from ..schedules import start, t_max
from .judge import load_judge
from .metrics import class_fidelity, frechet_distance, kernel_distance, precision_recall

JUDGED = "fashion-mnist"  # the data set that the judge knows


def score(
    denoiser: AnyDenoiser, *, number: int = 10_000, steps: int = 50, seed: int = 0, device: str | torch.device = "cpu"
) -> dict[str, float]:
    """How the judge sees `number` class-conditional samples (DDIM, no guidance) of a Fashion-MNIST denoiser.

    denoiser: of standardised images (N, 1, 28, 28), with labels 0 to 9.
    number: how many samples, from 20 to 10,000; fewer make the distances larger.
    steps: of DDIM.
    seed: decides the samples.
    device: where they are drawn, and the denoiser lies; they are judged on the CPU, as the shipped judge was.

    Returns the Frechet distance to the 10,000 test images, the kernel distance (KID), precision and recall, each with
    its standard error and its floor (as many training images), and the fraction of samples that the judge assigns to
    the wanted class. Raises ValueError or TypeError for other arguments.
    """
    number, steps, seed = whole("number", number, 20, 10_000), whole("steps", steps), whole("seed", seed, 0)
    if not hasattr(denoiser, "schedule"):
        raise TypeError(f"score needs a denoiser, as minidiff.load gives, not {described(denoiser)}")
    judge, test, clothes = load_judge(), data.fashion_mnist("test"), data.fashion_mnist("train")
    y = torch.arange(number) % len(test.names or ())
    shape, own = (number, 1, 28, 28), streams(seed, range(number))
    noise = start(denoiser.schedule, t_max(denoiser.schedule), shape, own)
    x = generate(denoiser, noise.to(device), y.to(device), steps=steps).cpu()
    compared = _compared(*(judge.features(images) for images in (test.x, x, clothes.x[:number])))
    agreement = class_fidelity(judge.classify(x), y)
    return {
        **compared,
        "floor": compared["frechet_distance_floor"],  # as older cards call it
        "agreement": agreement.value,
        "agreement_error": agreement.error,
        "samples": number,
        "ddim_steps": steps,
        "seed": seed,
    }


def _compared(real: Tensor, fake: Tensor, others: Tensor) -> dict[str, float]:
    """Distances of features to those of real images, with their standard errors, and their floors: what others get."""
    same = real[: len(fake)]  # precision and recall depend on the numbers
    names, parts = ("precision", "recall"), ("", "_error", "_floor")
    rows = [
        ("frechet_distance", *jackknife(frechet_distance, fake, real), frechet_distance(others, real)),
        ("kernel_distance", *kernel_distance(fake, real), kernel_distance(others, real).value),
        *zip(names, *jackknife(precision_recall, same, fake), precision_recall(same, others), strict=True),
    ]
    return {f"{name}{part}": value for name, *values in rows for part, value in zip(parts, values, strict=True)}
