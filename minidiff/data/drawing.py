"""Points along the lines of a drawing of your own."""

from pathlib import Path

import torch
from torch import Tensor

from ..refusals import tensor
from .dataset import Data
from .images import LARGEST, on_white
from .points import generator_of, in_plane


def outline(picture: object, n: int, seed: int = 0) -> Data:
    """Points along the edge between dark ink and light paper in a drawing of your own.

    picture: a 2-D array, row 0 at the top, or the path of a picture file, which is taken upright. Ink is what is darker
    than midway between its darkest and its lightest grey. The edge is cut into pieces of one pixel, equally likely. It
    is centred, and scaled by its own exact spread, so every n and seed draw from one distribution. ValueError if all is
    one grey, or if it cannot be read; TypeError for what is neither an array nor a path.
    """
    generator = generator_of(n, seed)
    middles, lies_along = _edge(_grey(picture))
    middles = middles - middles.mean(0)
    spread = middles.square().sum(1).mean().item() + 1 / 12  # 1/12: the variance along a piece
    piece = torch.randint(len(middles), (n,), generator=generator)
    along = torch.rand(n, 1, generator=generator) - 1 / 2
    return in_plane((middles[piece] + along * lies_along[piece]).float(), spread, 0.0, generator)


def _grey(picture: object) -> Tensor:
    if isinstance(picture, (str, Path)):
        return on_white(picture).double().mean(2)
    grey = tensor("a drawing", picture, torch.float64, finite=True).detach().cpu()
    if grey.ndim != 2 or not grey.numel() or max(grey.shape) > LARGEST:
        allowed = f"a 2-D array of at most {LARGEST} greys a side, or the path of a picture"
        raise ValueError(f"a drawing is {allowed}; got {tuple(grey.shape)}")
    return grey


def _edge(grey: Tensor) -> tuple[Tensor, Tensor]:
    """The pieces of the edge: their middles (M, 2) as (right, up) in pixels, and the unit vectors they lie along."""
    midway = grey.min() / 2 + grey.max() / 2
    paper = torch.nn.functional.pad(grey, (1, 1, 1, 1), value=grey.max().item())

    def crossings(grey: Tensor) -> Tensor:
        row, column = torch.nonzero((grey[:, :-1] < midway) != (grey[:, 1:] < midway), as_tuple=True)
        left, right = grey[row, column], grey[row, column + 1]
        return torch.stack([column + (midway - left) / (right - left), row], 1)  # where the grey passes midway

    upright, flat = crossings(paper), crossings(paper.T).flip(1)
    middles = torch.cat([upright, flat]) * torch.tensor([1, -1])  # rows count downwards
    if not len(middles):
        raise ValueError("the drawing is all one grey, so it has no edge: draw dark ink on light paper")
    direction = torch.tensor([[0.0, 1.0]] * len(upright) + [[1.0, 0.0]] * len(flat))
    return middles, direction
