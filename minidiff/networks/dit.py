"""A transformer for images."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Attention, Embedding, check_input, check_sizes, zero_module
from .text import TextEncoder, distinct, perceptron, told

LEAST = {"channels": 1, "size": 2, "patch": 1, "width": 8, "depth": 0, "heads": 1, "length": 1, "changes": 0}


class TransformerBlock(nn.Module):
    """Attention, words, and two layers for each token, each behind a gate that is shut at first (adaLN-Zero).

    Peebles & Xie 2023, Figure 3; the words come in by cross-attention (after Chen et al. 2024, PixArt).

    width: numbers a token, and in the embedding.
    heads: of each attention.
    text: numbers a word, None for no words.
    """

    def __init__(self, width: int, heads: int, text: int | None = None) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.attention, self.perceptron = Attention(width, heads), perceptron(width)
        self.modulation = zero_module(nn.Linear(width, 6 * width))
        if text is not None:
            self.norm_words, self.words = nn.LayerNorm(width), Attention(width, heads, text)
            zero_module(self.words.out)

    def forward(self, x: Tensor, emb: Tensor, words: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """(B, N, width) from tokens x like it, emb (B, width), and words (B, L, text) with which of them are there."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(emb)[:, None].chunk(6, 2)
        x = x + gate1 * self.attention(torch.addcmul(shift1, self.norm1(x), 1 + scale1))
        if words is not None:
            x = x + self.words(self.norm_words(x), *words)
        return x + gate2 * self.perceptron(torch.addcmul(shift2, self.norm2(x), 1 + scale2))


class DiT(nn.Module):
    """A diffusion transformer (Peebles & Xie 2023): patches of the image are tokens, all of which see each other.

    x: (B, channels, size, size) -> the same shape.

    channels: of the images.
    size: height and width, a multiple of patch.
    patch: pixels a side of a token.
    classes: number of labels, None for no labels.
    width: numbers a token, a multiple of heads and of 4.
    depth: blocks.
    heads: of each attention.
    words: the vocabulary of the captions it is told, None for no captions.
    length: the most words of a caption.
    variance: twice as many channels out, the second half for a learned variance.
    changes: numbers that say how x was augmented.

    Raises ValueError for sizes that cannot be built and, when called, for inputs of other shapes, types or labels.
    """

    place: Tensor

    def __init__(
        self,
        channels: int = 3,
        size: int = 32,
        patch: int = 4,
        classes: int | None = None,
        width: int = 192,
        depth: int = 6,
        heads: int = 6,
        words: Sequence[str] | None = None,
        length: int = 20,
        variance: bool = False,
        changes: int = 0,
    ) -> None:
        super().__init__()
        config: dict[str, Any] = {"channels": channels, "size": size, "patch": patch, "classes": classes}
        config |= {"width": width, "depth": depth, "heads": heads, "length": length, "variance": variance}
        config |= {"changes": changes, "words": None if words is None else distinct(words)}
        self.config = check_sizes(LEAST, config)
        if size % patch or width % heads or width % 4:
            raise ValueError(
                f"size must be a multiple of patch, width one of heads and of 4; got {size}, {patch}, {width}, {heads}"
            )
        self.classes = self.config["classes"]
        self.condition = Embedding(width, self.classes, changes)
        self.text = None if words is None else TextEncoder(words, length, width)
        self.first = nn.Linear(channels * patch**2, width)
        self.register_buffer("place", places(size // patch, width), persistent=False)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, None if words is None else width) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = zero_module(nn.Linear(width, 2 * width))
        self.last = zero_module(nn.Linear(width, channels * patch**2 * (1 + variance)))

    @property
    def nulls(self) -> dict[str, Tensor]:
        """What "not given" looks like for each condition this network knows, without the batch; no text is all 0."""
        return self.condition.nulls | ({} if self.text is None else self.text.nulls)

    def forward(
        self, x: Tensor, level: Tensor, y: Any = None, change: Tensor | None = None, text: Tensor | None = None
    ) -> Tensor:
        """The network's output, like x, or with twice the channels for a variance.

        x: (B, channels, size, size).
        level: (B,), the noise angle in [0, 1].
        y: labels from 0 to classes, an int or (B,); None and classes mean any.
        change: (B, changes), how x was augmented; None for no change.
        text: (B, length) numbers of words; None for no text.
        """
        size, patch = self.config["size"], self.config["patch"]
        check_input(x, (self.config["channels"], size, size), self.first.weight, "images")
        words = told(self.text, text, len(x))
        emb = F.silu(self.condition(level, y, len(x), change))
        h = self.first(F.pixel_unshuffle(x, patch).flatten(2).transpose(1, 2)) + self.place
        for block in self.blocks:
            h = block(h, emb, words)
        shift, scale = self.modulation(emb)[:, None].chunk(2, 2)
        h = self.last(torch.addcmul(shift, self.norm(h), 1 + scale))  # (B, tokens, channels out * patch^2)
        return F.pixel_shuffle(h.transpose(1, 2).unflatten(2, (size // patch, -1)), patch)


def places(side: int, width: int) -> Tensor:
    """Where each of side x side tokens stands, (side^2, width): sines and cosines of its row and of its column."""
    bands = 10_000 ** (-torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * bands
    one = torch.cat([angles.sin(), angles.cos()], 1)  # (side, width / 2)
    return torch.cat([one.repeat_interleave(side, 0), one.repeat(side, 1)], 1)
