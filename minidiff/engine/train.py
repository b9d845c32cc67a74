"""Training: noise the data, ask the network for its target, take the squared error.

`train` is a generator of losses, so progress bars, logging, early stopping and checkpoints are the caller's.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from ..conditions import Condition, complete, nulls_of
from ..data import Data
from ..losses import LEVELS, Levels, Weight, denoising_loss, weighting
from ..predictions import LearnedDenoiser
from ..refusals import choice, flag, function, instance, number, tensor, whole
from . import ranks
from .augmentations import AUGMENTATIONS, Augmentation
from .feed import Batch, Feed, drop_rates
from .state import TrainState

CHECK_EVERY = 50  # on a GPU: steps between two looks at the loss, since reading it makes the GPU wait


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says at which step, why, and what to try."""


def train(
    denoiser: LearnedDenoiser,
    data: Data | Tensor,
    *,
    steps: int,
    condition: Condition | None = None,
    labels: Tensor | None = None,
    batch: int = 128,
    lr: float = 2e-3,
    seed: int = 0,
    drop: float | Mapping[str, float] = 0.1,
    levels: Levels | str | None = None,
    weight: Weight | str | None = None,
    augment: Augmentation | str | None = None,
    bf16: bool = False,
    run: TrainState | None = None,
) -> Iterator[Tensor]:
    """Train in place, yielding each step's mean loss, detached: `for loss in train(denoiser, data, steps=2000): ...`

    denoiser: its network is trained, in training mode while it lasts
    data: (N, *) real numbers, standardised, as a tensor or an array; or a data.Data, which brings its conditions
    steps: how many in all; a state that has taken some goes on to this number
    condition: name -> (N, ...), one row a sample, for a network with `nulls` of those names
    labels: (N,) whole numbers from 0, short for condition={"y": labels}
    batch: samples a step
    lr: the largest learning rate
    seed: decides all that is random; the same seed gives the same bits
    drop: how often conditions are replaced by their nulls, which guidance needs: one rate for all together, or one each
    levels: where the training times come from, a function or a name in LEVELS (default: uniform_angle)
    weight: a factor on each sample's loss, a function of t or a name in WEIGHTS (default: 1)
    augment: (x, condition, generator) -> (x, condition), or a name in AUGMENTATIONS
    bf16: run the network in bfloat16
    run: a TrainState of this denoiser, to keep its average or to resume

    Raises ValueError for what cannot be meant, TypeError for what is no LearnedDenoiser, and TrainingError for a loss
    or a gradient that is not finite: nothing is learned from it.
    """
    device, dtype = _trainable(denoiser)
    x, told = _told(denoiser, data, condition, labels)
    _refuse(steps, batch, lr, seed, drop, told)
    flag("bf16", bf16)
    run = TrainState(denoiser) if run is None else instance("run", run, TrainState, "a TrainState of this denoiser")
    if run.denoiser is not denoiser:
        raise ValueError("run belongs to another denoiser: pass run.denoiser")
    run.keep_to({"steps": steps, "batch": batch, "lr": lr, "seed": seed, "drop": drop})
    levels = "uniform_angle" if levels is None else levels
    if isinstance(levels, str):
        levels = LEVELS[choice("levels", levels, LEVELS)](denoiser.schedule)
    weight = weighting(weight, denoiser) if isinstance(weight, str) else weight
    augment = AUGMENTATIONS[choice("augment", augment, AUGMENTATIONS)] if isinstance(augment, str) else augment
    for name, plug, given in (("levels", levels, 2), ("weight", weight, 1), ("augment", augment, 3)):
        if plug is not None:
            function(name, plug, *range(given))
    x, told = x.to(device, dtype), {name: rows.to(device) for name, rows in told.items()}
    feed = Feed(x, told, nulls_of(denoiser.net) or {}, batch, seed, levels, drop_rates(drop, sorted(told)), augment)
    return _losses(run, feed, steps, lr, weight, bf16)


def _trainable(denoiser: LearnedDenoiser) -> tuple[torch.device, torch.dtype]:
    """Where the network's parameters lie, and their kind. Raises TypeError or ValueError where there are none."""
    instance("what train changes", denoiser, LearnedDenoiser, "a network, wrapped in LearnedDenoiser(net, schedule)")
    first = next(iter(denoiser.parameters()), None)
    if first is None:
        raise ValueError(f"the network {type(denoiser.net).__name__} has no parameters, so there is nothing to train")
    return first.device, first.dtype


def _told(
    denoiser: LearnedDenoiser, data: object, condition: Condition | None, labels: Tensor | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The samples, (N, *), and what the network is told of each, a row a sample. ValueError where they do not fit."""
    condition = instance("condition", {} if condition is None else condition, Mapping, "a dict from names to tensors")
    nulls, given = nulls_of(denoiser.net) or {}, dict(condition)
    if labels is not None:
        given["y"] = labels
    if isinstance(data, Data):
        given = {name: rows for name, rows in data.condition.items() if name in nulls} | given
    x = _samples(data.x if isinstance(data, Data) else data)
    missing = [name for name in nulls if given.get(name) is None and name != "change"]  # an augmentation tells changes
    if missing and not given.keys() - nulls.keys():
        lacking = f"this network is told {', '.join(missing)}, and the data bring none"
        raise ValueError(f"{lacking}: give labels=... or condition={{{missing[0]!r}: ...}}, or build a network without")
    told = complete(given, {name: null for name, null in nulls.items() if given.get(name) is not None}, x)
    classes = getattr(denoiser.net, "classes", None)
    if classes and "y" in told and not (told["y"].min() >= 0 and told["y"].max() < classes):
        raise ValueError(f"labels must be {len(x)} numbers from 0 to {classes - 1}, one a sample")
    return x, told


def _samples(data: object) -> Tensor:
    """Data as a tensor, (N, *). Raises ValueError, or TypeError, where they are no finite real numbers."""
    x = tensor("data", data)
    if x.ndim < 2 or x.numel() == 0 or not x.is_floating_point():
        raise ValueError(f"train needs at least one floating-point sample, (N, *); got {tuple(x.shape)} {x.dtype}")
    if not x.isfinite().all():
        raise ValueError("the data holds NaN or infinity: clean it first")
    return x


def _refuse(steps: int, batch: int, lr: float, seed: int, drop: float | Mapping, told: Condition) -> None:
    """Raise ValueError for settings that cannot be meant."""
    whole("steps", steps)
    whole("seed", seed, 0)
    if whole("batch", batch) % ranks.world():
        raise ValueError(f"a batch of {batch} cannot be shared evenly among {ranks.world()} ranks: make it a multiple")
    number("lr", lr, 0)
    for name, rate in drop.items() if isinstance(drop, Mapping) else [("drop", drop)]:
        number(f"drop, how often a condition is hidden ({name}),", rate, 0, 1)
    if isinstance(drop, Mapping) and (unknown := sorted(drop.keys() - told.keys(), key=str)):
        said, known = ", ".join(map(str, unknown)), ", ".join(told) or "none"
        raise ValueError(f"drop names {said}, which is no condition of this training: it has {known}")


def _losses(run: TrainState, feed: Feed, steps: int, lr: float, weight: Weight | None, bf16: bool) -> Iterator[Tensor]:
    device = feed.data.device
    every = 1 if device.type == "cpu" else CHECK_EVERY
    with _training(run.denoiser):
        network = LearnedDenoiser(ranks.distributed(run.denoiser.net), run.denoiser.schedule, run.denoiser.target)
        for batch in feed.batches(range(run.step, steps)):
            # the loss of this rank's share, and its mean over all ranks
            with torch.inference_mode(False), torch.enable_grad():
                with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
                    loss = denoising_loss(network, batch.x0, batch.t, batch.eps, **batch.condition)
                loss = (loss if weight is None else weight(batch.t) * loss).mean()
                report = ranks.mean(loss.detach())
                # nothing is learned from a loss or a gradient that is not finite
                if run.step % every == 0 and not (report.isfinite() and run.finite()):
                    raise TrainingError(_not_finite("loss", report, run, batch, lr))
                if not run.advance(loss, learning_rate(run.step, steps, lr), wait=every == 1):
                    raise TrainingError(_not_finite("gradient", report, run, batch, lr))
            yield report


@contextmanager
def _training(denoiser: LearnedDenoiser) -> Iterator[None]:
    """Training mode with gradients, and afterwards, however it ends, what was before.

    A network whose parameters are all frozen, as `load` gives it, is trained as a whole; of others only what is not.
    """
    modes = [(module, module.training) for module in denoiser.modules()]
    frozen = not any(parameter.requires_grad for parameter in denoiser.parameters())
    denoiser.train()
    if frozen:
        denoiser.requires_grad_(True)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        if frozen:
            denoiser.requires_grad_(False)


def _not_finite(what: str, loss: Tensor, run: TrainState, batch: Batch, lr: float) -> str:
    """What is not finite, where, and what to do about it: the advice follows the likeliest cause."""
    largest = float(batch.x0.abs().max())
    if not all(parameter.isfinite().all() for parameter in run.denoiser.parameters()):
        advice = "the weights were not finite before it: load them again, or begin anew"
    elif largest > 100:
        advice = f"the data reach {largest:.3g}: standardise them to mean 0 and variance 1"
    elif run.step == 0:
        advice = "look in the network or the weight for a root, a logarithm or a division that has no value at some t"
    else:
        advice = f"try a lower lr than {lr:g}"
    said = f"{loss:g}" if what == "loss" else "not finite"
    return f"the {what} at step {run.step} is {said}: nothing was learned from it; {advice}"


def learning_rate(step: int, steps: int, peak: float) -> float:
    """A short linear warm-up, then half a cosine down to 0 at the last step."""
    step, steps, peak = whole("step", step, 0), whole("steps", steps), number("peak", peak, 0)
    warm = max(1, min(200, steps // 10))
    return peak * min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * step / steps))
