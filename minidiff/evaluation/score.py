"""Scores of a model: how the judge, or plainer features, see its samples, beside what real ones get."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .. import data
from ..data import Data
from ..engine.generate import SAMPLERS, generate, streams, times_for
from ..estimates import jackknife, random_folds
from ..predictions import AnyDenoiser
from ..refusals import choice, require, whole
from ..refusals import described as said_of
from ..refusals import number as real_number
from ..schedules import start
from .inception import inception
from .judge import load_judge
from .metrics import class_fidelity, frechet_distance, kernel_distance, precision_recall

JUDGED = "fashion-mnist"  # the data set that the judge knows
FEATURES = ("values", "inception")  # of other data
LEAST, COMPONENTS = 40, 64  # real samples, and principal components at most


def score(
    denoiser: AnyDenoiser,
    *,
    number: int = 10_000,
    sampler: str = "2m",
    steps: int = 8,
    guidance: float = 1.0,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> dict[str, Any]:
    """How the judge sees `number` class-conditional samples of a Fashion-MNIST denoiser.

    denoiser: of standardised images (N, 1, 28, 28), with labels 0 to 9.
    number: how many samples, from 20 to 10,000; fewer make the distances larger.
    sampler: a name in SAMPLERS, at its own times.
    steps: from noise to data; guidance evaluates the denoiser twice in each.
    guidance: 1 is the conditional model itself.
    seed: decides the samples.
    device: where they are drawn, and the denoiser lies; they are judged on the CPU, as the shipped judge was.

    Returns the Frechet distance to the 10,000 test images, the kernel distance (KID), precision and recall, each with
    its standard error and its floor (as many training images), and the fraction of samples that the judge assigns to
    the wanted class. Raises ValueError or TypeError for other arguments.
    """
    number, how = whole("number", number, 20, 10_000), _how(sampler, steps, guidance, seed)
    if not hasattr(denoiser, "schedule"):
        raise TypeError(f"score needs a denoiser, as minidiff.load gives, not {said_of(denoiser)}")
    judge, test, clothes = load_judge(), data.fashion_mnist("test"), data.fashion_mnist("train")
    y = torch.arange(number) % len(test.names or ())
    x = _samples(denoiser, (number, 1, 28, 28), y, device, **how)
    compared = _compared(*(judge.features(images) for images in (test.x, x, clothes.x[:number])))
    agreement = class_fidelity(judge.classify(x), y)
    return {
        **compared,
        "floor": compared["frechet_distance_floor"],  # as older cards call it
        "agreement": agreement.value,
        "agreement_error": agreement.error,
        "samples": number,
        **how,
    }


def score_own(
    denoiser: AnyDenoiser,
    described: Mapping[str, Any],
    own: Data,
    *,
    features: str = "values",
    number: int = 10_000,
    sampler: str = "2m",
    steps: int = 8,
    guidance: float = 1.0,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> dict[str, Any]:
    """How near samples are to data of one's own: one half is compared with, the other is the floor.

    denoiser: of samples like those of own.
    described: the data that it was trained on, as its card does: shape, shift, scale, names of the classes.
    own: at least LEAST real samples. Of each class as many are drawn as the second half holds, where own has classes.
    features: "values", the leading `principal` components of the numbers themselves; "inception", of images, by the
        network of published FIDs.
    number: how many samples at most; no more than the second half holds.
    sampler: a name in SAMPLERS, at its own times.
    steps: from noise to data; guidance evaluates the denoiser twice in each.
    guidance: 1 is the conditional model itself.
    seed: decides the samples.
    device: where they are drawn, and the denoiser lies.

    Returns what `score` does, without the agreement; "of_mean", what one sample, the mean, would get
    in place of all; "features", what they are. Raises ValueError for too few data, and other arguments.
    """
    shape, names, how = tuple(described["shape"]), list(described["names"]), _how(sampler, steps, guidance, seed)
    require(tuple(own.x.shape[1:]) == shape, f"the real samples are {tuple(own.x.shape[1:])}, the model's {shape}")
    require(len(own) >= LEAST, f"{len(own)} real samples are too few to compare with: give at least {LEAST}")
    known = choice("features", features, FEATURES) == "values" or len(shape) == 3
    require(known, "Inception-v3 sees images: choose the features values")
    half, other = random_folds(len(own), 2)
    other = other[: whole("number", number, 20, 10_000)]
    y = _classes(own, names, other) if names else None
    x = _samples(denoiser, (len(other), *shape), y, device, **how) * described["scale"] + described["shift"]
    raw = [own.restore(own.x[half]), x, own.restore(own.x[other])]
    raw = [part.clamp(0, 1) for part in raw] if len(shape) == 3 else raw  # as a picture shows them
    if features == "inception":
        kind, look = "features of Inception-v3", lambda part: inception(part.mul(255).round().byte())
    else:
        look, share = principal(raw[0], min(COMPONENTS, len(half) // 10))
        kind = f"leading principal components of the numbers themselves, with {share:.0%} of their variance"
    real, fake, rest = map(look, raw)
    said = f"{real.shape[1]:,} {kind}"
    told = {"of_mean": real.var(0).sum().item(), "features": said}
    return {**_compared(real, fake, rest), **told, "samples": len(other), **how}


def _classes(own: Data, names: list[str], rows: Tensor) -> Tensor:
    """The labels of rows, as the model counts the names of its classes; all in turn where own has none."""
    if own.y is None or own.names is None:
        return torch.arange(len(rows)) % len(names)
    strange = ", ".join(name for name in own.names if name not in names)
    require(not strange, f"the model does not know the classes {strange}: give data of those that it knows")
    return torch.tensor([names.index(name) for name in own.names])[own.y[rows]]


def principal(real: Tensor, most: int) -> tuple[Callable[[Tensor], Tensor], float]:
    """Coordinates along the leading principal components (Pearson 1901) of real samples (N, *), at most so many.

    They are divided by one number, so that their variances have the mean 1 on the real samples. Returns the function
    from samples to them, (M, components), and their share of the whole variance.
    """
    flat = real.flatten(1).double()
    centre, count = flat.mean(0), min(most, len(flat) - 1)
    with torch.random.fork_rng():  # from which the decomposition draws where to begin
        torch.manual_seed(0)
        more = min(count + 16, *flat.shape)  # what is found last is found least well
        _, sizes, lines = torch.svd_lowrank(flat - centre, more, niter=8)
    variances, lines = sizes[:count].square() / (len(flat) - 1), lines[:, :count]
    share, unit = (variances.sum() / flat.var(0).sum()).item(), variances.mean().sqrt()
    require(share > 0, "all real samples are the same: give some that differ")
    return lambda part: (part.flatten(1) - centre) @ lines / unit, share


def _how(sampler: str, steps: int, guidance: float, seed: int) -> dict[str, Any]:
    """How samples are drawn, checked, as the result repeats it."""
    checked = {"steps": whole("steps", steps), "guidance": real_number("guidance", guidance)}
    return {"sampler": sampler, **checked, "seed": whole("seed", seed, 0)}


def _samples(
    denoiser: AnyDenoiser,
    shape: tuple[int, ...],
    y: Tensor | None,
    device: str | torch.device,
    *,
    sampler: str,
    steps: int,
    guidance: float,
    seed: int,
) -> Tensor:
    """Samples of a shape (N, *) on the CPU, each from a stream of its own."""
    times, own = times_for(sampler, denoiser.schedule, steps), streams(seed, range(shape[0]))
    noise, y = start(denoiser.schedule, float(times[0]), shape, own).to(device), y if y is None else y.to(device)
    step = SAMPLERS[sampler](1.0)
    return generate(denoiser, noise, y, step=step, times=times, guidance=guidance, generator=own).cpu()


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
