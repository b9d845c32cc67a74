"""A network for images."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Block, Embedding, zero


class UNet(nn.Module):
    """Down, think, up: convolutions at half and at a quarter of the resolution (after Ronneberger et al. 2015).

    x: (B, channels, size, size) -> the same shape. Four neighbouring pixels become the channels of one position ("pixel
    unshuffle"), so that no convolution runs at full resolution, where it would cost most and see least. One skip
    connection carries the fine detail around the quarter resolution, where most of the computing is done.

    channels: 1 or 3; size: a multiple of 4, such as 28 or 32; classes: number of labels, None for no labels;
    width, deep_width: channels at half and at quarter resolution, multiples of groups; blocks: residual blocks at half
    resolution, on the way down and again on the way up; deep_blocks: residual blocks at quarter resolution; groups: of
    channels that GroupNorm normalises together (in bfloat16 on a CPU, groups of 16 or more are several times faster);
    variance: twice as many channels out, the second half for a learned variance; changes: numbers that say how x was
    augmented.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int | None = None,
        width: int = 64,
        deep_width: int = 128,
        blocks: int = 1,
        deep_blocks: int = 4,
        groups: int = 8,
        variance: bool = False,
        changes: int = 0,
    ) -> None:
        super().__init__()
        self.config = {"channels": channels, "size": size, "classes": classes, "width": width}
        self.config |= {"deep_width": deep_width, "blocks": blocks, "deep_blocks": deep_blocks, "groups": groups}
        self.config |= {"variance": variance, "changes": changes}
        _check_sizes(channels, size, groups, width, deep_width)
        self.classes = classes
        emb = 2 * width
        self.condition = Embedding(emb, classes, changes)
        self.stem = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.down = nn.ModuleList(Block(width, width, emb, groups) for _ in range(blocks))
        self.shrink = nn.Conv2d(width, deep_width, 3, stride=2, padding=1)
        self.deep = nn.ModuleList(Block(deep_width, deep_width, emb, groups) for _ in range(deep_blocks))
        self.widen = nn.Conv2d(deep_width, width, 1)
        self.up = nn.ModuleList(Block(width if i else 2 * width, width, emb, groups) for i in range(blocks))
        self.norm = nn.GroupNorm(groups, width)
        self.last = zero(nn.Conv2d(width, 4 * channels * (1 + variance), 3, padding=1))
        self.to(memory_format=torch.channels_last)  # the layout in which a CPU's and a GPU's convolutions are fastest

    def forward(self, x: Tensor, level: Tensor, y: Tensor | int | None = None, change: Tensor | None = None) -> Tensor:
        """x: (B, channels, size, size), level: (B,), y: labels, change: (B, changes) -> like x."""
        channels, size = self.config["channels"], self.config["size"]
        if x.dim() != 4 or x.shape[1:] != (channels, size, size):
            raise ValueError(f"this UNet takes images (B, {channels}, {size}, {size}), not {tuple(x.shape)}")
        emb = F.silu(self.condition(level, y, len(x), change))
        h = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)  # (B, 4 channels, size/2, size/2)
        h = self.stem(h)
        for block in self.down:
            h = block(h, emb)
        detail, h = h, self.shrink(h)  # (B, deep_width, size/4, size/4)
        for block in self.deep:
            h = block(h, emb)
        h = F.interpolate(self.widen(h), scale_factor=2.0)
        h = torch.cat([h, detail], 1)  # (B, 2 width, size/2, size/2)
        for block in self.up:
            h = block(h, emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)


def _check_sizes(channels: int, size: int, groups: int, *widths: int) -> None:
    if channels < 1 or size < 4 or size % 4:
        raise ValueError(f"size must be a multiple of 4 and channels at least 1; got size {size}, channels {channels}")
    if groups < 1 or any(width < groups or width % groups for width in widths):
        raise ValueError(f"widths must be multiples of {groups} (GroupNorm has {groups} groups); got {widths}")
