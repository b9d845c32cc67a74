"""What a training step is fed: samples, times, noise and conditions, as a function of (seed, step).

Whether a training was stopped and resumed, and how many ranks share it, changes no bit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..conditions import Condition, hide
from ..losses import Levels
from ..refusals import whole
from . import ranks
from .augmentations import Augmentation

T = TypeVar("T")
Drop = list[tuple[tuple[str, ...], float]]  # conditions that are hidden together, and how often


class Batch(NamedTuple):
    """One rank's share of a step.

    x0: samples, (B, *)
    t: their times, (B,)
    eps: noise like x0
    condition: name -> (B, ...), what the network is told
    """

    x0: Tensor
    t: Tensor
    eps: Tensor
    condition: Condition


class Draw(NamedTuple):
    """All that is random in a step; B of its samples are this rank's.

    rows: which samples, of the whole batch
    t: times, (B,)
    eps: noise, (B, *)
    hidden: (B,) booleans for each entry of `Feed.drop`, the rows where its conditions are hidden
    """

    rows: Tensor
    t: Tensor
    eps: Tensor
    hidden: list[Tensor]


class Feed(NamedTuple):
    """What the batches of a training are made from.

    data: (N, *), on the device of the training
    condition: name -> one row a sample of the data
    nulls: name -> what "not told" looks like
    batch: samples a step, over all ranks
    seed: decides all that is random
    levels: where the training times come from
    drop: which conditions are hidden together, and how often
    augment: changes samples and says how, or None
    """

    data: Tensor
    condition: Condition
    nulls: Condition
    batch: int
    seed: int
    levels: Levels
    drop: Drop
    augment: Augmentation | None

    def batches(self, steps: range) -> Iterator[Batch]:
        """This rank's batch of each step; on a GPU, which works while Python goes on, the next is drawn in advance."""
        in_turn = prefetch if self.data.device.type != "cpu" else map
        for step, drawn in zip(steps, in_turn(self.draw, steps), strict=True):
            x0, told = self.samples(drawn.rows, step)
            for (names, _), hidden in zip(self.drop, drawn.hidden, strict=True):
                told |= hide({name: told[name] for name in names}, self.nulls, hidden)
            yield Batch(x0, drawn.t, drawn.eps, told)

    def draw(self, step: int) -> Draw:
        """Drawn on the CPU for the whole batch, of which this rank keeps its share: the same on every machine."""
        generator, n = generator_for(self.seed, 1, step), self.batch
        rows, t = order(self.seed, step * n, n, len(self.data)), self.levels(n, generator)
        eps = torch.randn(n, *self.data.shape[1:], generator=generator)
        hidden = [torch.rand(n, generator=generator) < rate for _, rate in self.drop]
        sent = [to_device(part[ranks.rank_slice()], self.data.device) for part in (t, eps.to(self.data.dtype), *hidden)]
        return Draw(to_device(rows, self.data.device), sent[0], sent[1], sent[2:])

    def samples(self, rows: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """This rank's samples and conditions; each rank augments the whole batch: their number changes nothing."""
        mine = ranks.rank_slice()
        if self.augment is None:
            return self.data[rows[mine]], {name: value[rows[mine]] for name, value in self.condition.items()}
        told = {name: value[rows] for name, value in self.condition.items()}
        x0, told = self.augment(self.data[rows], told, generator_for(self.seed, 2, step))
        return x0[mine], {name: value[mine] for name, value in told.items()}


def drop_rates(drop: float | Mapping[str, float], names: Iterable[str]) -> Drop:
    """One rate hides all conditions of a sample together; a mapping hides each of its names by itself."""
    if isinstance(drop, Mapping):
        return [((name,), drop[name]) for name in sorted(drop)]
    return [(tuple(names), drop)] if names else []


def to_device(value: Tensor, device: torch.device) -> Tensor:
    """The value on the device; for a GPU through pinned memory, so that the copy does not block."""
    value = value.pin_memory() if device.type == "cuda" else value
    return value.to(device, non_blocking=True)


def prefetch(make: Callable[[int], T], numbers: Iterable[int]) -> Iterator[T]:
    """map(make, numbers), computing the next item in a background thread while the current one is in use."""
    with ThreadPoolExecutor(1) as worker:
        soon = None
        for number in numbers:
            now, soon = soon, worker.submit(make, number)
            if now is not None:
                yield now.result()
        if soon is not None:
            yield soon.result()


def generator_for(*key: int) -> torch.Generator:
    """A CPU generator for one place of a training, such as (seed, 1, step).

    Hashed, because torch's CPU generator reads only the low 32 bits of a seed: seed * 2^32 + step would not do.
    """
    key = tuple(whole("each part of a seed", part, 0) for part in key)
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def order(seed: int, first: int, count: int, n: int) -> Tensor:
    """Which samples come at some places of the training, (count,) int64: a shuffle an epoch.

    seed: decides the shuffles
    first, count: the places, counted from the first sample of the training
    n: how many samples there are
    """
    place = torch.arange(first, first + count)
    return torch.cat([_shuffle(seed, e, n)[place[place // n == e] % n] for e in (place // n).unique().tolist()])


@lru_cache(maxsize=2)
def _shuffle(seed: int, epoch: int, n: int) -> Tensor:
    return torch.randperm(n, generator=generator_for(seed, 0, epoch))
