"""Networks that turn a noisy input into an output of the same shape. They know nothing of diffusion.

    forward(x, level, y=None, change=None)     x: (B, *), level: (B,) in [0, 1], y: (B,) labels, one int for all, or None

The level says how noisy x is: 0 is clean, 1 is noise only. The change, (B, changes), says what an augmentation did to x
in training; None is all zeros, nothing. `MLP` is for points, `UNet` for images. Every network keeps the arguments it was
built with in `config`, so that a checkpoint can build it again: `NETWORKS[type(net).__name__](**net.config)`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
        self.condition = Condition(width, classes, changes)
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
        self.condition = Condition(emb, classes, changes)
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


class Block(nn.Module):
    """A residual block (He et al. 2016) told the level and the label by scale and shift (Dhariwal & Nichol 2021).

    x: (B, c_in, H, W), emb: (B, emb) -> (B, c_out, H, W). It starts as the identity (or the 1x1 skip): a deep network
    that does nothing at first trains from the first step. GroupNorm (Wu & He 2018) looks at one sample at a time, unlike
    batch norm, so noisy and clean samples can share a batch.
    """

    def __init__(self, c_in: int, c_out: int, emb: int, groups: int = 8) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, c_in), nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, c_out), zero(nn.Conv2d(c_out, c_out, 3, padding=1))
        self.scale_shift = nn.Linear(emb, 2 * c_out)
        self.skip = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, 1)
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)  # one pass over memory instead of two
        return self.skip(x) + self.conv2(F.silu(h))


class Condition(nn.Module):
    """Level, label and change as one vector. level: (B,), y: labels, change: (B, changes) -> (B, width).

    A smooth function of one number is easy to build from its sines and cosines (Fourier features; Tancik et al. 2020).
    Labels are looked up in a table whose last row, number `classes`, is the null label: "could be any". A change is told
    without a bias, so that none adds nothing (Karras et al. 2022, Appendix F.2).
    """

    def __init__(self, width: int, classes: int | None, changes: int = 0, frequencies: int = 32) -> None:
        super().__init__()
        self.classes = classes
        spread = torch.logspace(math.log10(0.5), math.log10(50), frequencies)
        self.register_buffer("frequencies", spread, persistent=False)  # a constant: not in checkpoints, never rounded
        self.net = nn.Sequential(nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width))
        self.table = None if classes is None else nn.Embedding(classes + 1, width)
        self.changes = nn.Linear(changes, width, bias=False) if changes else None

    def forward(self, level: Tensor, y: Tensor | int | None, batch: int, change: Tensor | None = None) -> Tensor:
        if level.shape != (batch,):
            raise ValueError(f"level has shape {tuple(level.shape)}: give one number a sample, ({batch},)")
        angles = level[:, None] * self.frequencies
        emb = self.net(torch.cat([angles.sin(), angles.cos()], 1))
        if change is not None:
            emb = emb + self.changes(self._whole(change, batch))
        if self.table is None:
            if y is not None:
                raise ValueError("this network knows no classes: build it with classes=..., or leave y out")
            return emb
        return emb + self.table(labels(y, self.classes, batch, level.device))

    def _whole(self, change: Tensor, batch: int) -> Tensor:
        if self.changes is None:
            raise ValueError("this network is told of no changes: build it with changes=..., or leave change out")
        if change.shape != (batch, self.changes.in_features):
            raise ValueError(
                f"change has shape {tuple(change.shape)}: give ({batch}, {self.changes.in_features}), or None"
            )
        return change


def labels(y: Tensor | int | None, classes: int, batch: int, device: torch.device | str = "cpu") -> Tensor:
    """Labels in their full form, (B,) int64: None is the null label for all, an int is that label for all.

    Raises ValueError for a label outside 0..classes (classes itself is the null label) and for any other shape or type.
    """
    y = torch.as_tensor(classes if y is None else y, device=device)
    if y.dtype != torch.int64 or y.shape not in ((), (batch,)):
        raise ValueError(f"y is {y.dtype} of shape {tuple(y.shape)}: give one int, or int64 labels ({batch},)")
    seen = y.device.type == "cpu" and not torch.compiler.is_compiling()  # looking would make a GPU wait
    if seen and not (y.min() >= 0 and y.max() <= classes):
        raise ValueError(f"y holds {y.min()} to {y.max()}: labels are 0 to {classes - 1}, {classes} is the null label")
    return y.expand(batch)


def zero(layer: nn.Module) -> nn.Module:
    """Set a layer's weights and biases to 0, so that what it ends starts by adding nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _check_sizes(channels: int, size: int, groups: int, *widths: int) -> None:
    if channels < 1 or size < 4 or size % 4:
        raise ValueError(f"size must be a multiple of 4 and channels at least 1; got size {size}, channels {channels}")
    if groups < 1 or any(width < groups or width % groups for width in widths):
        raise ValueError(f"widths must be multiples of {groups} (GroupNorm has {groups} groups); got {widths}")


NETWORKS: dict[str, type[nn.Module]] = {"MLP": MLP, "UNet": UNet}
