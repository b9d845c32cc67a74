"""Training: noise the data, ask the network for its target, take the squared error.

`train` is a generator of losses, so progress bars, logging, early stopping and checkpoints are the caller's.
All randomness is a function of (seed, step): stopping and resuming changes no bit, and the ranks of a run (see ranks.py)
share out the batches that one process alone would see.
"""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor

from ..losses import Levels, Weight, denoising_loss, uniform_angle
from ..predictions import LearnedDenoiser
from . import ranks
from .augmentations import Augmentation
from .feed import draw, generator_for, prefetch
from .state import Run


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says at which step, why, and what to try."""


CHECK_EVERY = 50  # steps between two looks at a loss on a GPU (on any device but the CPU), which has to stop for each


def train(
    denoiser: LearnedDenoiser,
    data: Tensor,
    *,
    steps: int,
    labels: Tensor | None = None,
    batch: int = 128,
    lr: float = 2e-3,
    seed: int = 0,
    drop: float = 0.1,
    levels: Levels | None = None,
    weight: Weight | None = None,
    augment: Augmentation | None = None,
    bf16: bool = False,
    run: Run | None = None,
) -> Iterator[Tensor]:
    """Train in place, yielding each step's mean loss, detached: `for loss in train(denoiser, data, steps=2000): ...`

    data: (N, *) standardised, or a data.Data, which brings its labels. labels: (N,) int64, replaced by the null label
    with probability `drop`, which is what guidance needs. levels: where the training times come from
    (default: uniform_angle). weight: a factor on each sample's loss, as from `weighting` (default: 1). augment: changes
    samples and says how, as in `augmentations`; the network must be built with as many `changes` (Karras et al. 2022,
    Appendix F.2). bf16: run the network in bfloat16. run: a Run of this denoiser, to keep its average or to resume; it
    goes on from run.step to `steps`, which must stay what it was, since the learning rate depends on it. Raises
    ValueError for unusable arguments and TrainingError for a loss that is not finite, before it is learned from.
    """
    classes = getattr(denoiser.net, "classes", None)
    if not isinstance(data, Tensor):
        data, labels = data.x, data.y if labels is None and classes else labels
    run = Run(denoiser) if run is None else run
    _refuse(data, labels, classes, steps, batch, drop)
    if run.denoiser is not denoiser:
        raise ValueError("run belongs to another denoiser: pass run.denoiser")
    levels = levels or uniform_angle(denoiser.schedule)
    return _losses(run, data, labels, steps, batch, lr, seed, drop, levels, weight, augment, bf16)


def _refuse(data: Tensor, labels: Tensor | None, classes: int | None, steps: int, batch: int, drop: float) -> None:
    if len(data) == 0 or not data.is_floating_point():
        raise ValueError(
            f"train needs at least one floating-point sample, (N, *); got {tuple(data.shape)} {data.dtype}"
        )
    if not data.isfinite().all():
        raise ValueError("the data holds NaN or infinity: clean it first")
    if steps < 1 or batch < 1 or not 0 <= drop <= 1:
        raise ValueError(f"steps and batch must be at least 1 and drop in [0, 1]; got {steps}, {batch}, {drop}")
    if batch % ranks.world():
        raise ValueError(
            f"a batch of {batch} cannot be shared out evenly among {ranks.world()} ranks: make it a multiple"
        )
    if labels is None:
        return
    if not classes:
        raise ValueError("labels were given to a network without classes: build it with classes=..., or leave them out")
    if len(labels) != len(data) or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must be {len(data)} numbers from 0 to {classes - 1}, one a sample")


def _losses(run, data, labels, steps, batch, lr, seed, drop, levels, weight, augment, bf16) -> Iterator[Tensor]:
    device = next(run.denoiser.parameters()).device
    away = device.type != "cpu"  # works on while Python runs ahead, so it is asked for a number only now and then
    data, labels = data.to(device), labels if labels is None else labels.to(device)
    run.denoiser.train()
    learner = LearnedDenoiser(ranks.wrapped(run.denoiser.net), run.denoiser.schedule, run.denoiser.target)
    make = partial(draw, seed, batch, len(data), data.shape[1:], levels, drop if labels is not None else None, device)
    for every, t, eps, dropped in (prefetch if away else map)(make, range(run.step, steps)):
        chosen = every[ranks.share()]
        x0, cond = data[chosen], {}
        if labels is not None:
            cond["y"] = labels[chosen].masked_fill(dropped, run.denoiser.net.classes)
        if augment is not None:  # of the whole batch on every rank, so that their number changes nothing
            changed = augment(data[every], generator_for(seed, 2, run.step))
            x0, cond["change"] = (part[ranks.share()] for part in changed)
        with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
            loss = denoising_loss(learner, x0, t, eps, **cond)
        loss = (loss if weight is None else weight(t) * loss).mean()
        told = ranks.mean(loss.detach())
        if run.step % (CHECK_EVERY if away else 1) == 0 and not told.isfinite():
            raise TrainingError(
                f"the loss at step {run.step} is {told:g}: nothing was learned; try a lower lr than {lr:g}"
            )
        run.advance(loss, learning_rate(run.step, steps, lr))
        yield told
    run.denoiser.eval()


def learning_rate(step: int, steps: int, peak: float) -> float:
    """A short linear warm-up, then half a cosine down to 0 at the last step."""
    warm = max(1, min(200, steps // 10))
    return peak * min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * step / steps))
