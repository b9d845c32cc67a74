"""A network for images."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..refusals import require, whole
from .layers import Attention, Block, Embedding, check_input, check_sizes, zero_module
from .text import TextEncoder, distinct, told

LEAST = {"channels": 1, "width": 1, "deep_width": 1, "blocks": 1, "deep_blocks": 0, "groups": 1, "changes": 0}
LEAST |= {"length": 1, "patch": 1}


class Look(nn.Module):
    """Each place of a feature map looks at all others, and then at the words (after Rombach et al. 2022, Section 3.3).

    width: channels of the map (B, width, H, W), and numbers a word.
    heads: of each attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention, self.words = Attention(width, heads), Attention(width, heads)
        zero_module(self.attention.out), zero_module(self.words.out)

    def forward(self, x: Tensor, words: tuple[Tensor, Tensor]) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.attention(self.norms[0](tokens))
        tokens = tokens + self.words(self.norms[1](tokens), *words)
        return tokens.transpose(1, 2).reshape(x.shape).contiguous(memory_format=torch.channels_last)


class UNet(nn.Module):
    """Convolutions at half and at a quarter of the resolution, and a skip (after Ronneberger et al. 2015).

    x: (B, channels, H, W) -> the same shape. Four neighbouring pixels become the channels of one position ("pixel
    unshuffle"), so that no convolution runs at full resolution, where it would cost most and see least. One skip
    connection carries the fine detail around the quarter resolution, where most of the computing is done. With patch=1
    nothing is unshuffled, and these are the full and the half resolution: for latents, which are small already.

    channels: of the images, such as 1 or 3.
    size: height and width, multiples of 4, such as (8, 12); one number if they are equal.
    classes: number of labels, None for no labels.
    width: channels at half resolution, a multiple of groups.
    deep_width: channels at quarter resolution, a multiple of groups.
    blocks: residual blocks at half resolution, on the way down and again on the way up.
    deep_blocks: residual blocks at quarter resolution.
    groups: of channels that GroupNorm normalises together (in bfloat16 on a CPU, 16 or more are several times faster).
    variance: twice as many channels out, the second half for a learned variance.
    changes: numbers that say how x was augmented.
    words: the vocabulary of the captions it is told, None for no captions; each deep block then has attention.
    length: the most words of a caption.
    patch: pixels a side that become one position.

    Raises ValueError for sizes that cannot be built and, when called, for inputs of other shapes, types or labels.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int | Sequence[int] = 28,
        classes: int | None = None,
        width: int = 64,
        deep_width: int = 128,
        blocks: int = 1,
        deep_blocks: int = 4,
        groups: int = 8,
        variance: bool = False,
        changes: int = 0,
        words: Sequence[str] | None = None,
        length: int = 20,
        patch: int = 2,
    ) -> None:
        super().__init__()
        config = {"channels": channels, "size": _plain(size), "classes": classes, "width": width}
        config |= {"deep_width": deep_width, "blocks": blocks, "deep_blocks": deep_blocks, "groups": groups}
        config |= {"variance": variance, "changes": changes, "patch": patch}
        self.config = check_sizes(LEAST, config | ({} if words is None else {"length": length}))
        require(self.config["patch"] in (1, 2), f"patch must be 1 or 2; got {patch}")
        _refuse_odd_widths(groups, width, deep_width)
        if words is not None:
            self.config["words"] = distinct(words)
        self.classes = self.config["classes"]
        emb = 2 * width
        self.condition = Embedding(emb, self.classes, changes)
        self.stem = nn.Conv2d(patch**2 * channels, width, 3, padding=1)
        self.down = nn.ModuleList(Block(width, width, emb, groups) for _ in range(blocks))
        self.shrink = nn.Conv2d(width, deep_width, 3, stride=2, padding=1)
        self.deep = nn.ModuleList(Block(deep_width, deep_width, emb, groups) for _ in range(deep_blocks))
        self._hear(words, length, deep_width, deep_blocks)
        self.widen = nn.Conv2d(deep_width, width, 1)
        self.up = nn.ModuleList(Block(width if i else 2 * width, width, emb, groups) for i in range(blocks))
        self.norm = nn.GroupNorm(groups, width)
        self.last = zero_module(nn.Conv2d(width, patch**2 * channels * (1 + variance), 3, padding=1))
        # The layout in which a CPU's and a GPU's convolutions are fastest.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _hear(self, words: Sequence[str] | None, length: int, width: int, blocks: int) -> None:
        """What a network with words has besides: an encoder, where each place is, and looks."""
        self.text = self.places = None
        self.looks = nn.ModuleList()
        if words is None:
            return
        require(
            blocks and width % 4 == 0, f"words need deep_blocks, and a deep_width of 4 heads; got {blocks} and {width}"
        )
        self.text = TextEncoder(words, length, width)
        # Words such as "left" are about places, and a convolution does not know where it is.
        high, wide = (side // (2 * self.config["patch"]) for side in _sides(self.config["size"]))
        self.places = nn.Parameter(torch.randn(width, high, wide))
        self.looks.extend(Look(width, 4) for _ in range(blocks))

    @property
    def nulls(self) -> dict[str, Tensor]:
        """What "not given" looks like for each condition this network knows, without the batch; no text is all 0."""
        return self.condition.nulls | ({} if self.text is None else self.text.nulls)

    def forward(
        self, x: Tensor, level: Tensor, y: Any = None, change: Tensor | None = None, text: Tensor | None = None
    ) -> Tensor:
        """The network's output, like x, or with twice the channels for a variance.

        x: (B, channels, H, W).
        level: (B,), the noise angle in [0, 1].
        y: labels from 0 to classes, an int or (B,); None and classes mean any.
        change: (B, changes), how x was augmented; None for no change.
        text: (B, length) numbers of words; None for no text.
        """
        high, wide = _sides(self.config["size"])
        check_input(x, (self.config["channels"], high, wide), self.stem.weight, "images")
        words = told(self.text, text, len(x))
        emb = F.silu(self.condition(level, y, len(x), change))
        h = F.pixel_unshuffle(x, self.config["patch"])  # (B, 4 channels, H/2, W/2)
        h = self.stem(h.contiguous(memory_format=torch.channels_last))
        for block in self.down:
            h = block(h, emb)
        detail, h = h, self.shrink(h)  # (B, deep_width, H/4, W/4)
        h = h if self.places is None else h + self.places
        for block, look in zip_longest(self.deep, self.looks):
            h = block(h, emb)
            h = h if words is None else look(h, words)
        h = F.interpolate(self.widen(h), scale_factor=2.0)
        h = torch.cat([h, detail], 1)  # (B, 2 width, H/2, W/2)
        for block in self.up:
            h = block(h, emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), self.config["patch"])


def _sides(size: int | Sequence[int]) -> Sequence[int]:
    return (size, size) if isinstance(size, int) else size


def _plain(size: Any) -> int | list[int]:
    """A size as a config holds it: one int for a square, else [height, width]."""
    sides = list(size) if isinstance(size, (tuple, list)) else [size, size]
    if len(sides) != 2:
        raise ValueError(f"size must be one number, or height and width; got {len(sides)} numbers")
    high, wide = (whole("size (a multiple of 4)", side, 4) for side in sides)
    if high % 4 or wide % 4:
        raise ValueError(
            f"size must be a multiple of 4, or two of them, as the image is halved twice; got {high}, {wide}"
        )
    return high if high == wide else [high, wide]


def _refuse_odd_widths(groups: int, *widths: int) -> None:
    if any(width % groups for width in widths):
        raise ValueError(f"widths must be multiples of {groups} (GroupNorm has {groups} groups); got {widths}")
