"""What a step is fed: which samples, times and noise, as a function of (seed, step), so that a resume changes no bit."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from . import ranks

T = TypeVar("T")


def draw(seed, batch, n, shape, levels, drop, device, step) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """All that is random in a step: which samples, at which times, with which noise and which labels dropped.

    It is drawn on the CPU, for the whole batch, and of all but the samples this rank keeps its share: the same numbers
    on every machine, whatever the number of ranks.
    """
    generator = generator_for(seed, 1, step)
    chosen, t = order(seed, step * batch, batch, n), levels(batch, generator)
    eps = torch.randn(batch, *shape, generator=generator)
    dropped = None if drop is None else torch.rand(batch, generator=generator) < drop
    rest = (part if part is None else to_device(part[ranks.share()], device) for part in (t, eps, dropped))
    return to_device(chosen, device), *rest


def to_device(value: Tensor, device: torch.device) -> Tensor:
    """The value on the device; for a GPU through pinned memory, so that nobody waits for the copy."""
    value = value.pin_memory() if device.type == "cuda" else value
    return value.to(device, non_blocking=True)


def prefetch(make: Callable[[int], T], numbers: Iterable[int]) -> Iterator[T]:
    """map(make, numbers), each made in the background while the one before is in use."""
    with ThreadPoolExecutor(1) as worker:
        soon = None
        for number in numbers:
            now, soon = soon, worker.submit(make, number)
            if now is not None:
                yield now.result()
        if soon is not None:
            yield soon.result()


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
