"""The parts that networks are made of: residual blocks, and the embedding of the noise level and the conditions."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..refusals import described, integers, require, whole


class Block(nn.Module):
    """A residual block (He et al. 2016) conditioned by a scale and a shift (Dhariwal & Nichol 2021).

    c_in, c_out: channels of x (B, c_in, H, W) and of the result (B, c_out, H, W), multiples of groups.
    emb: numbers in the embedding of the level and the conditions, (B, emb); None: nothing is told.
    groups: of channels that GroupNorm normalises together.

    It starts as the identity (or the 1x1 skip): a deep network
    that does nothing at first trains from the first step. GroupNorm (Wu & He 2018) normalises each sample by itself,
    unlike batch norm, so noisy and clean samples can share a batch.
    """

    def __init__(self, c_in: int, c_out: int, emb: int | None, groups: int = 8) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, c_in), nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, c_out), zero_module(nn.Conv2d(c_out, c_out, 3, padding=1))
        self.scale_shift = None if emb is None else nn.Linear(emb, 2 * c_out)
        self.skip = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor | None = None) -> Tensor:
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.scale_shift is not None:
            scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, 1)
            h = torch.addcmul(shift, h, 1 + scale)  # one pass over memory instead of two
        return self.skip(x) + self.conv2(F.silu(h))


class Attention(nn.Module):
    """Every token takes a mean of all others, weighted by how well they answer it (Vaswani et al. 2017, Eq. 1).

    softmax(q k^T / sqrt(d)) v, in several heads with d = width / heads each.

    width: numbers a token, a multiple of heads.
    heads: attentions side by side.
    context: numbers a token of what is looked at, if that is something else (cross-attention).

    Raises ValueError for a width that the heads cannot share.
    """

    def __init__(self, width: int, heads: int = 4, context: int | None = None) -> None:
        super().__init__()
        require(width % heads == 0, f"width must be a multiple of heads, which share it; got {width} and {heads}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context or width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """(B, N, width).

        x: the tokens that ask, (B, N, width).
        context: those that answer, (B, L, context); None: x itself.
        mask: which of these are there, (B, L) bool; None: all.
        """
        weights, v = self._looked(x, context, mask)
        return self.out((weights @ v).transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """How much each token of x takes from each of the context's, (B, heads, N, L): the rows sum to 1."""
        return self._looked(x, context, mask)[0]

    def _looked(self, x: Tensor, context: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The weights and the values. At tens of tokens this is several times faster on a CPU than the fused kernel."""
        parts = [self.query(x), *self.key_value(x if context is None else context).chunk(2, -1)]
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], -math.inf)
        return scores.softmax(-1).to(v), v


class Embedding(nn.Module):
    """Level, label and change as one vector.

    A smooth function of one number is easy to build from its sines and cosines (Fourier features; Tancik et al. 2020).
    Labels are looked up in a table whose last row, number `classes`, is the null label: "could be any". A change is
    embedded without a bias, so that no change adds nothing (Karras et al. 2022, Appendix F.2).

    width: numbers in the embedding.
    classes: number of labels, None for no labels.
    changes: numbers that say how x was augmented.
    frequencies: how many, from 0.5 to 50 in equal ratios.
    """

    frequencies: Tensor

    def __init__(self, width: int, classes: int | None, changes: int = 0, frequencies: int = 32) -> None:
        super().__init__()
        self.classes = classes
        bands = torch.logspace(math.log10(0.5), math.log10(50), frequencies)
        self.register_buffer("frequencies", bands, persistent=False)  # a constant: not in checkpoints
        self.net = nn.Sequential(nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width))
        self.table = None if classes is None else nn.Embedding(classes + 1, width)
        self.changes = nn.Linear(changes, width, bias=False) if changes else None

    @property
    def nulls(self) -> dict[str, Tensor]:
        """What "not given" looks like for each condition, without the batch: y () int64, change (changes,)."""
        found, device = {}, self.frequencies.device
        if self.classes is not None:
            found["y"] = torch.full((), self.classes, device=device)  # unlike torch.tensor, no GPU waits for it
        if self.changes is not None:
            found["change"] = self.changes.weight.new_zeros(self.changes.in_features)
        return found

    def forward(self, level: Tensor, y: Any, batch: int, change: Tensor | None = None) -> Tensor:
        """The embedding, (B, width). Raises ValueError for what is of another shape or kind, or was not built in.

        level: (B,), the noise angle in [0, 1].
        y: labels, as in `labels`.
        batch: B.
        change: (B, changes), or None for no change.
        """
        if not _numbers(level, (batch,)):
            raise ValueError(f"level is {described(level)}: give one floating-point number a sample, ({batch},)")
        angles = level.to(self.frequencies)[:, None] * self.frequencies
        emb = self.net(torch.cat([angles.sin(), angles.cos()], 1))
        if change is not None:
            emb = emb + self._embedded(change, batch)
        if self.table is not None and self.classes is not None:
            return emb + self.table(labels(y, self.classes, batch, level.device))
        if y is not None:
            raise ValueError("this network knows no classes: build it with classes=..., or leave y out")
        return emb

    def _embedded(self, change: Tensor, batch: int) -> Tensor:
        if self.changes is None:
            raise ValueError("this network is told of no changes: build it with changes=..., or leave change out")
        wanted = (batch, self.changes.in_features)
        if not _numbers(change, wanted):
            raise ValueError(f"change is {described(change)}: give {wanted} floating-point numbers, or None")
        return self.changes(change.to(self.changes.weight))


def _numbers(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether it is an ordinary (strided) tensor of floating-point numbers, of this shape."""
    fits = isinstance(value, Tensor) and value.is_floating_point() and value.layout == torch.strided
    return fits and value.shape == shape


def labels(y: Any, classes: int, batch: int, device: torch.device | str = "cpu") -> Tensor:
    """Labels in their full form, (B,) int64: None is the null label for all, an int is that label for all.

    y: None, an int, or integers (B,) as a tensor, array or list, from 0 to classes.
    classes: how many there are; as a label it is the null one.
    batch: B.
    device: where the labels are wanted.

    Raises ValueError for a label outside that range, another shape and floats; TypeError for what are no numbers.
    """
    found = integers("y", classes if y is None else y).to(device)
    if found.ndim and found.shape != (batch,):
        raise ValueError(f"y is {described(found)}: give one int, or integer labels ({batch},)")
    seen = batch and found.device.type == "cpu" and not torch.compiler.is_compiling()  # looking makes a GPU wait
    if seen and not (found.min() >= 0 and found.max() <= classes):
        said = f"y holds {found.min()} to {found.max()}"
        raise ValueError(f"{said}: labels are 0 to {classes - 1}, {classes} is the null label")
    return found.expand(batch)


def check_input(x: Tensor, shape: tuple[int, ...], weight: Tensor, kind: str) -> None:
    """Raise ValueError for an x that a network cannot take.

    x: should be a batch (B, *shape).
    shape: of one sample.
    weight: one of the network's, whose precision and device x should share.
    kind: what the samples are called, such as "images".
    """
    if not isinstance(x, Tensor) or x.shape[1:] != shape or x.dim() != 1 + len(shape):
        said = str(tuple(x.shape)) if isinstance(x, Tensor) else described(x)
        raise ValueError(f"this network takes {kind} (B, {', '.join(map(str, shape))}), not {said}")
    fits = x.is_floating_point() and x.device == weight.device and x.layout == torch.strided
    if not fits or not (x.dtype == weight.dtype or torch.is_autocast_enabled(x.device.type)):
        kind = f"{x.dtype} on {x.device}" if x.layout == torch.strided else f"{x.layout}"
        said = f"{kind}, and its weights are {weight.dtype} on {weight.device}"
        raise ValueError(f"this network was given {said}: use x.to(...), or net.to(...), so that both agree")


def check_sizes(least: dict[str, int], config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a network in plain Python types, for its config; `least` has the smallest value of each number.

    Raises ValueError for a number of another kind or below that, classes that are neither None nor at least 1, and a
    variance that is not a bool.
    """
    config = {name: whole(name, value, least[name]) if name in least else value for name, value in config.items()}
    if config["classes"] is not None:
        config["classes"] = whole("classes (None for no labels)", config["classes"])
    if not isinstance(config["variance"], bool):
        raise ValueError(f"variance must be True or False; got {described(config['variance'])}")
    return config


def zero_module(layer: nn.Module) -> nn.Module:
    """Set a layer's weights and biases to 0, so that the branch it ends adds nothing at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
