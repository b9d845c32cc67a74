"""Drawing samples in batches, with guidance and a progress bar."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..guidance import extrapolate, given
from ..predictions import AnyDenoiser, path_of
from ..refusals import choice, described, flag, floats, instance, number, require, tensor, whole
from ..samplers import Step, ddim_step, ddpm_step, sample
from ..schedules import Random, Schedule, karras_times, t_max, uniform_times
from ..solvers import dpm_solver_2m
from .runtime import progress

SAMPLERS: dict[str, Callable[[float], Step]] = {  # temperature -> step
    "ddim": lambda temperature: partial(ddim_step, temperature=temperature),
    "ddpm": lambda temperature: partial(ddpm_step, temperature=temperature),
    "2m": lambda temperature: dpm_solver_2m(),  # which draws no noise on its way
}


def times_for(sampler: str, schedule: Schedule, steps: int) -> Tensor:
    """The times for a sampler of that name: few steps of 2M do best on Karras' noise levels, down to 0.02."""
    if choice("sampler", sampler, SAMPLERS) == "2m":
        return karras_times(steps, low=0.02, schedule=schedule)
    return uniform_times(steps, t_max(schedule))


def steps_for(sampler: str, shape: Sequence[int]) -> int:
    """How many steps do well: 8 of 2M for images, 16 for points and signals, 50 of the other samplers.

    sampler: its name.
    shape: of one sample. The shipped model's images by 2M are nearest to real ones with 8 steps; points of two moons
        are as near with 16 steps of 2M as with 50 of DDIM, and not with 8.
    """
    return 50 if choice("sampler", sampler, SAMPLERS) != "2m" else 8 if len(shape) == 3 else 16


def streams(seed: int, numbers: Iterable[int]) -> list[np.random.Generator]:
    """A stream of random numbers for each sample, decided by (seed, number) whatever else is drawn beside it."""
    return [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,))) for number in numbers]


def _told(condition: Any) -> dict[str, Tensor]:
    """A condition by name, each with one row a sample."""
    named = condition if isinstance(condition, Mapping) else {} if condition is None else {"y": condition}
    told = {name: tensor(f"the condition {name}", rows) for name, rows in named.items()}
    require(all(rows.ndim for rows in told.values()), "a condition must have one row a sample, (N, ...)")
    return told


def generate(
    denoiser: AnyDenoiser,
    noise: Tensor,
    condition: Tensor | Mapping[str, Tensor] | None = None,
    *,
    step: Step = ddim_step,
    steps: int = 50,
    times: Tensor | None = None,
    guidance: float = 1.0,
    against: Mapping[str, Tensor] | None = None,
    generator: Random = None,
    batch: int | None = None,
    bf16: bool = False,
    frames: int | None = None,
) -> Tensor:
    """Samples like noise, (N, *), drawn in batches, with a progress bar for a person.

    denoiser: what predicts x0 and eps
    noise: (N, *), which is schedules.start at the first of the times
    condition: labels (N,), or name -> (N, ...), one row a sample; None: unconditional
    step: any sampler's step
    steps: how many equal steps from the last time to 0, unless times are given
    times: as for `sample`
    guidance: 1 is the conditional model itself, above it the condition is exaggerated (classifier-free guidance)
    against: what guidance leads away from, name -> one for all, such as a negative prompt (default: not told)
    generator: one for all samples, or a list of one each, as from `streams`
    batch: samples that are drawn together (default: 256 on a GPU; 64 on a CPU, where 128 were slower)
    bf16: run the network in bfloat16, faster where the hardware knows it (`fast_bf16`); its outputs are then off by
        0.3 % at high noise, 2 % at t = 0.05, 5 % at 0.02
    frames: the walk instead, (F, N, *), from the noise to the samples: at most so many `moments` of it
    """
    equal, told, noise = uniform_times(steps, t_max(path_of(denoiser))), _told(condition), floats("noise", noise)
    require(noise.ndim and len(noise), f"noise is {described(noise)}: give (N, *), a row a sample")
    times, parts, guidance = equal if times is None else times, [], number("guidance", guidance)
    batch = whole("batch", (64 if noise.device.type == "cpu" else 256) if batch is None else batch)
    flag("bf16", bf16)
    away = dict(instance("against", {} if against is None else against, Mapping, "a dict from names to tensors"))
    away = {name: tensor(f"against {name}", rows) for name, rows in away.items()}
    for first in range(0, len(noise), batch):
        part = slice(first, first + batch)
        chosen = given(denoiser, **{name: rows[part] for name, rows in told.items()}) if told else denoiser
        if told and guidance != 1:
            chosen = extrapolate(chosen, given(denoiser, **(dict.fromkeys(told) | away)), guidance)
        own = generator[part] if isinstance(generator, list) else generator
        label = f"drawing {min(first + batch, len(noise))} of {len(noise)}"
        path = sample(step, chosen, noise[part], times, generator=own)
        kept = [len(times) - 1] if frames is None else moments(len(times), frames)
        walk = chain([noise[part]], progress(path, total=len(times) - 1, label=label))
        with torch.autocast(noise.device.type, torch.bfloat16, enabled=bf16):
            parts.append(torch.stack([x for k, x in enumerate(walk) if k in kept]))
    walked = torch.cat(parts, dim=1)
    return walked[0] if frames is None else walked


def moments(times: int, frames: int) -> list[int]:
    """Which of so many times a film shows, at most so many frames: evenly, the first and the last among them."""
    frames = min(whole("frames", frames, 2), whole("times", times, 2))
    return [k * (times - 1) // (frames - 1) for k in range(frames)]
