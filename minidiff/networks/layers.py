"""The parts that networks are made of: residual blocks, and the embedding of the noise level and the conditions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


class Embedding(nn.Module):
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
