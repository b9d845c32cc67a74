"""Augmentations: change images at random, and say what was done, so that a network can be told.

    x, condition = flip(x, condition, generator)      x: (B, C, H, W) -> the same shape

What was done is one more condition, "change", (B, k): a network that is told learns from the changed images without
making such images, since in sampling it is told of no change, all zeros (Karras et al. 2022, Appendix F.2). Images in
the condition are changed like x. Half of the images, drawn one by one, stay as they are. The generator is a CPU's; the
work is done where x lies, and nothing waits for the numbers to arrive there.
"""

from collections.abc import Callable
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ..conditions import Condition

Augmentation = Callable[[Tensor, Condition, Generator], tuple[Tensor, dict[str, Tensor]]]


def flip(x: Tensor, condition: Condition, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """Mirror left and right; not for captions that name a side. change: (B, 1), 1 where it was done."""
    chosen = _half(x, generator)
    mirrored = lambda image: torch.where(chosen[:, None, None, None], image.flip(3), image)
    return _done(x, condition, mirrored, chosen[:, None])


def shift(x: Tensor, condition: Condition, generator: Generator, reach: int = 3) -> tuple[Tensor, dict[str, Tensor]]:
    """Move by up to `reach` pixels each way; what lay on the edge fills the gap. change: (B, 2), (down, right) / reach.

    x: (B, C, H, W)
    condition: name -> (B, ...), whose images are moved alike
    generator: decides which images move, and how far
    reach: the largest move, in pixels

    Raises ValueError for images of another size among the conditions, on which a pixel is another distance.
    """
    moves = _sent(torch.randint(-reach, reach + 1, (len(x), 2), generator=generator), x) * _half(x, generator)[:, None]
    down, right = (torch.arange(n, device=x.device) - m[:, None] for n, m in zip(x.shape[2:], moves.T, strict=True))
    rows, columns = down.clamp(0, x.shape[2] - 1)[:, :, None], right.clamp(0, x.shape[3] - 1)[:, None]
    item = torch.arange(len(x), device=x.device)[:, None, None]

    def moved(image: Tensor) -> Tensor:
        if image.shape[2:] != x.shape[2:]:
            said = f"{tuple(image.shape[2:])} beside {tuple(x.shape[2:])}"
            raise ValueError(f"shift cannot move an image condition of another size, {said} pixels: leave shift out")
        return image.movedim(1, 3)[item, rows, columns].movedim(3, 1)

    return _done(x, condition, moved, moves.to(x) / reach)


def recolour(x: Tensor, condition: Condition, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """Exchange the three colours, which leaves greys alone. change: (B, 5), a 1 at the new order, if any."""
    orders = _sent(torch.tensor(list(permutations(range(3)))), x)
    which = _sent(torch.randint(1, 6, (len(x),), generator=generator), x) * _half(x, generator)
    item = torch.arange(len(x), device=x.device)[:, None]
    recoloured = lambda image: image[item, orders[which]] if image.shape[1] == 3 else image
    return _done(x, condition, recoloured, F.one_hot(which, 6)[:, 1:])


def together(*parts: Augmentation) -> Augmentation:
    """One after another; their changes stand side by side in "change"."""

    def augment(x: Tensor, condition: Condition, generator: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        condition = dict(condition)
        for part in parts:
            x, condition = part(x, condition, generator)
        return x, condition

    return augment


AUGMENTATIONS: dict[str, Augmentation] = {"flip": flip, "shift": shift, "recolour": recolour}


def _done(x: Tensor, condition: Condition, move: Callable, change: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """x and the images among the conditions, moved, and what was done beside what was done before."""
    told = {name: move(value) if value.ndim == 4 else value for name, value in condition.items()}
    told["change"] = torch.cat([*([told["change"]] if "change" in told else []), change.to(x)], 1)
    return move(x), told


def _half(x: Tensor, generator: Generator) -> Tensor:
    return _sent(torch.rand(len(x), generator=generator) < 0.5, x)


def _sent(numbers: Tensor, x: Tensor) -> Tensor:
    """The numbers where x lies. They are few: a GPU's driver keeps them until it needs them, and Python goes on."""
    return numbers.to(x.device, non_blocking=True)
