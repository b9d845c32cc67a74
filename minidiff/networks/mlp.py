"""A network for points."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Embedding, check_input, check_sizes, zero_module

LEAST = {"dim": 1, "width": 1, "depth": 0, "changes": 0}


class MLP(nn.Module):
    """A residual network for points. x: (B, dim) -> (B, dim).

    dim: coordinates of a point.
    width: hidden units.
    depth: hidden layers.
    classes: number of labels, None for no labels.
    variance: twice as many outputs, (B, 2 dim), the second half for a learned variance.
    changes: numbers that say how x was augmented.

    Raises ValueError for sizes that cannot be built and, when called, for inputs of other shapes, types or labels.
    """

    def __init__(
        self,
        dim: int = 2,
        width: int = 128,
        depth: int = 3,
        classes: int | None = None,
        variance: bool = False,
        changes: int = 0,
    ) -> None:
        super().__init__()
        config: dict[str, int | None] = {"dim": dim, "width": width, "depth": depth}
        config |= {"classes": classes, "variance": variance, "changes": changes}
        self.config = check_sizes(LEAST, config)
        self.classes = self.config["classes"]
        self.condition = Embedding(width, self.classes, changes)
        self.first = nn.Linear(dim, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.last = zero_module(nn.Linear(width, dim * (1 + variance)))

    @property
    def nulls(self) -> dict[str, Tensor]:
        """What "not given" looks like for each condition this network knows, without the batch."""
        return self.condition.nulls

    def forward(self, x: Tensor, level: Tensor, y: Any = None, change: Tensor | None = None) -> Tensor:
        """The network's output, (B, dim), or (B, 2 dim) with a variance.

        x: (B, dim).
        level: (B,), the noise angle in [0, 1].
        y: labels from 0 to classes, an int or (B,); None and classes mean any.
        change: (B, changes), how x was augmented; None for no change.
        """
        check_input(x, (self.config["dim"],), self.first.weight, "points")
        emb = self.condition(level, y, len(x), change)
        h = self.first(x)
        for layer in self.hidden:
            h = h + F.silu(layer(h + emb))  # the embedding is added at every layer, so that none can forget it
        return self.last(h)
