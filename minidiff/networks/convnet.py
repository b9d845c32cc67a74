"""A network for signals."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Embedding, check_input, check_sizes, zero_module

LEAST = {"channels": 1, "length": 1, "width": 1, "depth": 0, "changes": 0}


class ConvNet1d(nn.Module):
    """Residual convolutions along a signal, layer k with its taps 2^k apart (after van den Oord et al. 2016).

    x: (B, channels, length) -> the same shape. With `depth` layers each number of the output sees 2^depth numbers to
    either side.

    channels: of the signals.
    length: of the signals.
    classes: number of labels, None for no labels.
    width: channels inside.
    depth: hidden layers.
    variance: twice as many channels out, the second half for a learned variance.
    changes: numbers that say how x was augmented.

    Raises ValueError for sizes that cannot be built and, when called, for inputs of other shapes, types or labels.
    """

    def __init__(
        self,
        channels: int = 1,
        length: int = 64,
        classes: int | None = None,
        width: int = 64,
        depth: int = 6,
        variance: bool = False,
        changes: int = 0,
    ) -> None:
        super().__init__()
        config: dict[str, int | None] = {"channels": channels, "length": length, "classes": classes, "width": width}
        self.config = check_sizes(LEAST, config | {"depth": depth, "variance": variance, "changes": changes})
        self.classes = self.config["classes"]
        self.condition = Embedding(width, self.classes, changes)
        self.first = nn.Conv1d(channels, width, 3, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(1, width) for _ in range(depth))
        self.hidden = nn.ModuleList(nn.Conv1d(width, width, 3, padding=2**k, dilation=2**k) for k in range(depth))
        self.last = zero_module(nn.Conv1d(width, channels * (1 + variance), 1))

    @property
    def nulls(self) -> dict[str, Tensor]:
        """What "not given" looks like for each condition this network knows, without the batch."""
        return self.condition.nulls

    def forward(self, x: Tensor, level: Tensor, y: Any = None, change: Tensor | None = None) -> Tensor:
        """The network's output, like x, or with twice the channels for a variance.

        x: (B, channels, length).
        level: (B,), the noise angle in [0, 1].
        y: labels from 0 to classes, an int or (B,); None and classes mean any.
        change: (B, changes), how x was augmented; None for no change.
        """
        check_input(x, (self.config["channels"], self.config["length"]), self.first.weight, "signals")
        emb = self.condition(level, y, len(x), change)[:, :, None]
        h = self.first(x)
        for norm, layer in zip(self.norms, self.hidden, strict=True):
            h = h + F.silu(layer(norm(h) + emb))
        return self.last(h)
