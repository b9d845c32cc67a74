"""Training: noise the data, ask the network for its target, take the squared error.

`train` is a generator of losses, so progress bars, logging, early stopping and checkpoints are the caller's.
All randomness is a function of (seed, step): stopping and resuming changes no bit, and the ranks of a run (see ranks.py)
share out the batches that one process alone would see.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from . import checkpoints, ranks
from .augmentations import Augmentation
from .predictions import LearnedDenoiser, coefficients
from .schedules import Schedule, angle, at, evaluate, last_time, log_snr, rates

T = TypeVar("T")
Levels = Callable[[int, torch.Generator], Tensor]  # (n, generator) -> n training times t
Weight = Callable[[Tensor], Tensor]  # t (B,) -> a factor for each sample's loss


def denoising_loss(denoiser: LearnedDenoiser, x0: Tensor, t: Tensor, eps: Tensor | None = None, **cond) -> Tensor:
    """Squared error on the target a * x0 + b * eps, one number a sample; for "eps" it is Ho et al. 2020, Eq. 14.

    x0: (B, *), t: (B,), eps like x0 (drawn if None) -> (B,), a mean over each sample's coordinates. To choose a target
    is to choose a weight on the error of x0: (det / sigma)^2, with det = alpha * b - sigma * a.
    """
    eps = torch.randn_like(x0) if eps is None else eps
    alpha, sigma = at(denoiser.schedule, t, x0)
    a, b = at(coefficients(denoiser.target, denoiser.schedule), t, x0)
    out = denoiser.output(alpha * x0 + sigma * eps, t, **cond)[:, : x0.shape[1]]  # without a learned variance
    return (out - (a * x0 + b * eps)).square().flatten(1).mean(1)


# What an error of x0 weighs at t, if t is uniform; multiplying all of them by one number changes nothing.
WEIGHTS: dict[str, Callable[[Schedule, Tensor], Tensor]] = {
    "snr": lambda schedule, t: log_snr(schedule, t).exp(),  # the loss on eps (Ho et al. 2020, Eq. 14)
    "truncated_snr": lambda schedule, t: log_snr(schedule, t).exp().clamp(min=1),  # Salimans & Ho 2022, Section 4
    "min_snr": lambda schedule, t: log_snr(schedule, t).exp().clamp(max=5),  # gamma = 5 (Hang et al. 2023, Eq. 7)
    "edm": lambda schedule, t: log_snr(schedule, t).exp() + 1,  # the loss on F, and on v (Karras et al. 2022, Eq. 8)
    "likelihood": lambda schedule, t: -snr_rate(schedule, t) / 2,  # the ELBO (Kingma et al. 2021, Eq. 15)
}


def snr_rate(schedule: Schedule, t: Tensor) -> Tensor:
    """d(alpha^2 / sigma^2) / dt, like t; negative, since noise grows."""
    (alpha, sigma), (d_alpha, d_sigma) = schedule(t), rates(schedule, t)
    return 2 * (alpha / sigma) ** 2 * (d_alpha / alpha - d_sigma / sigma)


def weighting(name: str, denoiser: LearnedDenoiser) -> Weight:
    """The factor on denoising_loss that makes the weight on the error of x0 the named one: train(..., weight=...).

    The loss on a target weighs errors of x0 by (det / sigma)^2 already; that is divided out. Raises ValueError for an
    unknown name.
    """
    if name not in WEIGHTS:
        raise ValueError(f"unknown weighting {name!r}; choose from {', '.join(WEIGHTS)}")

    def weight(t: Tensor) -> Tensor:
        (alpha, sigma), (a, b) = denoiser.schedule(t), coefficients(denoiser.target, denoiser.schedule)(t)
        return WEIGHTS[name](denoiser.schedule, t) * (sigma / (alpha * b - sigma * a)) ** 2

    return weight


def uniform_angle(schedule: Schedule) -> Levels:
    """Training times whose noise angle is uniform between the schedule's ends; on cosine, t uniform in [0, 1]."""
    first, final = (float(angle(*evaluate(schedule, t))) for t in (0.0, last_time(schedule)))
    return _levels(schedule, lambda share: first + (final - first) * share)


def lognormal(schedule: Schedule, mean: float = -0.5, std: float = 1.2) -> Levels:
    """Training times with ln(sigma / alpha) ~ N(mean, std^2): most where most can be learned (Karras et al. 2022).

    Their P_mean = -1.2 for data of spread 0.5 is -0.5 for data of spread 1.
    """
    return _levels(
        schedule, lambda share: torch.atan(torch.exp(mean + std * torch.special.ndtri(share))) * (2 / math.pi)
    )


def _levels(schedule: Schedule, angle_of: Callable[[Tensor], Tensor]) -> Levels:
    """Turn a map from (0, 1) to noise angles into times, stratified over the batch so that every level is seen."""
    times = torch.linspace(0, 1, 20_001, dtype=torch.float64) ** 3 * last_time(schedule)  # dense near the data
    angles = angle(*schedule(times)).numpy()

    def levels(n: int, generator: torch.Generator) -> Tensor:
        share = (torch.arange(n) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
        wanted = angle_of(share[torch.randperm(n, generator=generator)]).numpy()
        return torch.from_numpy(np.interp(wanted, angles, times.numpy())).float()

    return levels


LEVELS: dict[str, Callable[[Schedule], Levels]] = {"uniform_angle": uniform_angle, "lognormal": lognormal}


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says at which step, why, and what to try."""


class Run:
    """All that training changes: the denoiser, its running average, Adam's moments and the number of steps taken.

    `average` (EMA) is a denoiser of its own, and usually the better one. Save a Run, restore it, and training goes on
    bit for bit as if it had never stopped.
    """

    def __init__(self, denoiser: LearnedDenoiser):
        self.denoiser, self.step = denoiser, 0
        self.average = copy.deepcopy(denoiser).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(denoiser.parameters(), betas=(0.9, 0.99), weight_decay=0.0, fused=True)

    def advance(self, loss: Tensor, lr: float) -> None:
        """One step of Adam (Kingma & Ba 2015), gradients clipped to norm 1, and of the average."""
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.step += 1
        keep = (1 - 1 / self.step) ** AVERAGE_POWER
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.denoiser.parameters()), 1 - keep)


LOOK = 50  # steps between two looks at a loss on a GPU (on any device but the CPU), which has to stop for each

# The average weighs step k by about k^(power - 1), so its memory is a fixed share of the run, however long
# (the power-function EMA of Karras et al. 2024).
AVERAGE_POWER = 17.0


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
    away = (
        device.type != "cpu"
    )  # a device that works on while Python runs ahead: it is asked for a number only now and then
    look = LOOK if away else 1
    data, labels = data.to(device), labels if labels is None else labels.to(device)
    learner = LearnedDenoiser(ranks.wrapped(run.denoiser.net), run.denoiser.schedule, run.denoiser.target)
    run.denoiser.train()
    draw = partial(_draw, seed, batch, len(data), data.shape[1:], levels, drop if labels is not None else None, device)
    for every, t, eps, dropped in (ahead if away else map)(draw, range(run.step, steps)):
        chosen = every[ranks.share()]
        x0, cond = (
            data[chosen],
            {} if labels is None else {"y": labels[chosen].masked_fill(dropped, run.denoiser.net.classes)},
        )
        if augment is not None:  # of the whole batch on every rank, so that their number changes nothing
            x0, cond["change"] = (
                part[ranks.share()] for part in augment(data[every], generator_for(seed, 2, run.step))
            )
        with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
            loss = denoising_loss(learner, x0, t, eps, **cond)
        loss = (loss if weight is None else weight(t) * loss).mean()
        told = ranks.mean(loss.detach())
        if run.step % look == 0 and not told.isfinite():
            raise TrainingError(
                f"the loss at step {run.step} is {told:g}: nothing was learned from it; try a lower lr than {lr:g}"
            )
        run.advance(loss, learning_rate(run.step, steps, lr))
        yield told
    run.denoiser.eval()


def _draw(seed, batch, n, shape, levels, drop, device, step) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """All that is random in a step: which samples, at which times, with which noise and which labels dropped.

    It is drawn on the CPU, for the whole batch, and of all but the samples this rank keeps its share: the same numbers
    on every machine, whatever the number of ranks.
    """
    generator = generator_for(seed, 1, step)
    chosen, t = order(seed, step * batch, batch, n), levels(batch, generator)
    eps = torch.randn(batch, *shape, generator=generator)
    dropped = None if drop is None else torch.rand(batch, generator=generator) < drop
    rest = (part if part is None else _sent(part[ranks.share()], device) for part in (t, eps, dropped))
    return _sent(chosen, device), *rest


def _sent(value: Tensor, device: torch.device) -> Tensor:
    """The value on the device; for a GPU through pinned memory, so that nobody waits for the copy."""
    value = value.pin_memory() if device.type == "cuda" else value
    return value.to(device, non_blocking=True)


def ahead(make: Callable[[int], T], numbers: Iterable[int]) -> Iterator[T]:
    """map(make, numbers), each made in the background while the one before is in use."""
    with ThreadPoolExecutor(1) as worker:
        soon = None
        for number in numbers:
            now, soon = soon, worker.submit(make, number)
            if now is not None:
                yield now.result()
        if soon is not None:
            yield soon.result()


def learning_rate(step: int, steps: int, peak: float) -> float:
    """A short linear warm-up, then half a cosine down to 0 at the last step."""
    warm = max(1, min(200, steps // 10))
    return peak * min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * step / steps))


def generator_for(*key: int) -> torch.Generator:
    """A CPU generator for one place of a run, such as (seed, 1, step).

    Hashed, because torch's CPU generator reads only the low 32 bits of a seed: seed * 2^32 + step would not do.
    """
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def order(seed: int, first: int, count: int, n: int) -> Tensor:
    """Which of n samples are images first, ..., first + count - 1 of the run: one shuffle an epoch. (count,) int64."""
    place = torch.arange(first, first + count)
    return torch.cat([_shuffle(seed, e, n)[place[place // n == e] % n] for e in (place // n).unique().tolist()])


@lru_cache(maxsize=2)
def _shuffle(seed: int, epoch: int, n: int) -> Tensor:
    return torch.randperm(n, generator=generator_for(seed, 0, epoch))


def save_run(path: str | Path, run: Run, card: dict | None = None) -> None:
    """Write everything needed to go on: weights, average, Adam's moments, step. card adds to the description."""
    tensors = {f"net.{name}": value for name, value in run.denoiser.net.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in run.average.net.state_dict().items()}
    for name, parameter in run.denoiser.net.named_parameters():
        tensors |= {f"adam.{name}.{key}": value for key, value in run.optimizer.state[parameter].items()}
    checkpoints.write(path, tensors, {**(card or {}), **checkpoints.describe(run.denoiser), "step": run.step})


def load_run(path: str | Path, device: str | torch.device = "cpu") -> tuple[Run, dict]:
    """The Run saved at path, on a device, and its card. Raises CheckpointError."""
    tensors, card = checkpoints.read(path)
    run = Run(checkpoints.build(path, card).to(device))
    for part, net in (("net.", run.denoiser.net), ("average.", run.average.net)):
        checkpoints.fill(
            path, net, {name.removeprefix(part): value for name, value in tensors.items() if name.startswith(part)}
        )
    for name, parameter in run.denoiser.net.named_parameters():
        part = f"adam.{name}."
        found = {key.removeprefix(part): value for key, value in tensors.items() if key.startswith(part)}
        run.optimizer.state[parameter] = {key: _laid_out(value, parameter) for key, value in found.items()}
    run.step = card["step"]
    return run, card


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """The value in the parameter's own memory layout (channels-last, say): fused Adam walks both as they lie in memory."""
    if value.shape != parameter.shape:
        return value.to(parameter.device)  # the step count
    return torch.empty_like(parameter, requires_grad=False).copy_(value)
