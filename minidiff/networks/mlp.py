"""A network for points."""

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Embedding, zero


class MLP(nn.Module):
    """A residual network of `depth` hidden layers for points. x: (B, dim) -> (B, dim).

    dim: coordinates of a point; width: hidden units; classes: number of labels, None for no labels; variance: twice as
    many outputs, (B, 2 dim), the second half for a learned variance; changes: numbers that say how x was augmented.
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
        self.config = {"dim": dim, "width": width, "depth": depth, "classes": classes, "variance": variance}
        self.config["changes"] = changes
        self.classes = classes
        self.condition = Embedding(width, classes, changes)
        self.first = nn.Linear(dim, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.last = zero(nn.Linear(width, dim * (1 + variance)))

    def forward(self, x: Tensor, level: Tensor, y: Tensor | int | None = None, change: Tensor | None = None) -> Tensor:
        """x: (B, dim), level: (B,), y: labels, change: (B, changes) -> (B, dim)."""
        if x.dim() != 2 or x.shape[1] != self.config["dim"]:
            raise ValueError(f"this MLP takes points (B, {self.config['dim']}), not {tuple(x.shape)}")
        emb = self.condition(level, y, len(x), change)
        h = self.first(x)
        for layer in self.hidden:
            h = h + F.silu(layer(h + emb))  # the level is added at every layer, so that none can forget it
        return self.last(h)
