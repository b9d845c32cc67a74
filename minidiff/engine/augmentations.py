"""Augmentations: change images at random, and say what was done, so that a network can be told.

    changed, change = flip(x, generator)      x: (B, C, H, W) -> the same shape, change: (B, k)

A network that is told learns from the changed images without making such images: in sampling it is told of no change,
all zeros (Karras et al. 2022, Appendix F.2). Half of the images, drawn one by one, stay as they are. The generator is a
CPU's; the work is done where x lies, and nothing waits for the numbers to arrive there.
"""

from collections.abc import Callable
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Augmentation = Callable[[Tensor, Generator], tuple[Tensor, Tensor]]


def flip(x: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Mirror left and right. change: (B, 1), 1 where it was done."""
    chosen = _half(x, generator)
    return torch.where(chosen[:, None, None, None], x.flip(3), x), chosen[:, None].to(x)


def shift(x: Tensor, generator: Generator, reach: int = 3) -> tuple[Tensor, Tensor]:
    """Move by up to `reach` pixels each way; what lay on the edge fills the gap. change: (B, 2), (down, right) / reach."""
    moves = _sent(torch.randint(-reach, reach + 1, (len(x), 2), generator=generator), x) * _half(x, generator)[:, None]
    rows, columns = (
        (torch.arange(n, device=x.device) - m[:, None]).clamp(0, n - 1) for n, m in zip(x.shape[2:], moves.T)
    )
    item = torch.arange(len(x), device=x.device)[:, None, None]
    return x.movedim(1, 3)[item, rows[:, :, None], columns[:, None]].movedim(3, 1), moves.to(x) / reach


def recolour(x: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Exchange the three colours, which leaves greys alone. change: (B, 5), a 1 in the place of the order, if not (R, G, B)."""
    orders = _sent(torch.tensor(list(permutations(range(3)))), x)
    which = _sent(torch.randint(1, 6, (len(x),), generator=generator), x) * _half(x, generator)
    item = torch.arange(len(x), device=x.device)[:, None]
    return x[item, orders[which]], F.one_hot(which, 6)[:, 1:].to(x)


def together(*parts: Augmentation) -> Augmentation:
    """One after another; their changes side by side."""

    def augment(x: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        changes = []
        for part in parts:
            x, change = part(x, generator)
            changes.append(change)
        return x, torch.cat(changes, 1)

    return augment


AUGMENTATIONS: dict[str, Augmentation] = {"flip": flip, "shift": shift, "recolour": recolour}


def _half(x: Tensor, generator: Generator) -> Tensor:
    return _sent(torch.rand(len(x), generator=generator) < 0.5, x)


def _sent(numbers: Tensor, x: Tensor) -> Tensor:
    """The numbers where x lies. They are few: a GPU's driver keeps them until it needs them, and Python goes on."""
    return numbers.to(x.device, non_blocking=True)
