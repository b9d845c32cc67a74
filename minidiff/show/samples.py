"""Samples as pictures and as films of their walk from noise to data: PNG, JPEG, GIF and animated PNG."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from ..refusals import choice, described, instance, require, tensor
from .pixels import tile

STILLS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
FILMS = {".gif": "GIF", ".apng": "PNG"}
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
BEGINNINGS = {".png": _PNG, ".apng": _PNG, ".jpg": _JPEG, ".jpeg": _JPEG, ".gif": b"GIF8", ".npz": b"PK\x03\x04"}
MARK = "minidiff"  # stands near the beginning of every file of samples
HEAD = 4096  # bytes, among which it is
LENGTH, HELD = 3000, 1500  # milliseconds: of a film, and of its last frame
CURVES = 8  # signals that one picture shows


def drawn(samples: Tensor, around: Tensor | None = None, scale: int | None = None) -> np.ndarray:
    """Samples as one picture, uint8 (H, W) or (H, W, 3).

    samples: images (N, 1 or 3, H, W) from 0 to 1, as tiles; signals (N, C, L), the first eight, as curves; points
        (N, D), by their first two coordinates.
    around: signals or points whose range the axes show, so that pictures can be compared (default: the samples).
    scale: screen pixels for one pixel of an image (default: so many that it is about 450 wide).

    Raises ValueError for other shapes, no samples and NaN.
    """
    samples = tensor("samples", samples, finite=True).float()
    fits = samples.ndim in (2, 3, 4) and samples.numel()
    require(fits, f"samples are {described(samples)}: give images (N, C, H, W), signals (N, C, L) or points (N, D)")
    if samples.ndim == 4:
        columns = -int(-(len(samples) ** 0.5) // 1)
        across = max(1, 448 // (columns * samples.shape[3]))
        return tile(samples, columns, scale=across if scale is None else scale)
    return _axes(samples, samples if around is None else tensor("around", around, finite=True).float())


def _axes(samples: Tensor, around: Tensor) -> np.ndarray:
    """Signals as curves, or points as dots, on axes with room for others of their kind."""
    from . import plots  # matplotlib takes a second to import, so only who draws so pays for it

    require(samples.shape[1:] == around.shape[1:] and len(around), f"samples are {described(samples)}, around is not")
    figure, _ = plots.panels(width=4, height=4)
    ax = figure.axes[0]
    if samples.ndim == 3:
        plots.curve(ax, torch.arange(samples.shape[2]), samples[:CURVES].flatten(0, 1).T, color=plots.MODEL)
        ax.set_ylim(*_room(around[:CURVES]))
    else:
        plane, wide = _plane(samples), _plane(around)
        small = bool(wide.abs().max() <= 3)
        plots.scatter(ax, plane, color=plots.MODEL, limit=3.0 if small else None)
        if not small:
            ax.set_xlim(*_room(wide[:, 0]))
            ax.set_ylim(*_room(wide[:, 1]))
    return np.asarray(Image.open(io.BytesIO(plots.png(figure))).convert("RGB"))


def _plane(points: Tensor) -> Tensor:
    """Points by two coordinates; those on a line beside their number."""
    if points.shape[1] > 1:
        return points[:, :2]
    return torch.stack([torch.arange(len(points)).to(points), points[:, 0]], 1)


def _room(values: Tensor) -> tuple[float, float]:
    """From the least to the largest value, and a twentieth more at both ends."""
    low, high = float(values.min()), float(values.max())
    more = 0.05 * (high - low) or 0.5
    return low - more, high + more


def encoded(frames: Sequence[np.ndarray], ending: str) -> bytes:
    """Pictures as the file of a name that ends so: the last of them, or a film that holds it for a while and repeats.

    frames: uint8 (H, W) or (H, W, 3), of one size.
    ending: one of STILLS or FILMS. PNG and APNG keep every pixel; a GIF has the best 256 colours of each frame, and a
        JPEG is nearly what it was.

    Raises ValueError for another ending and other frames.
    """
    kind = (STILLS | FILMS)[choice("ending", ending, STILLS | FILMS)]
    instance("frames", frames, (list, tuple), "a list of pictures")
    sound = frames and all(isinstance(one, np.ndarray) and one.dtype == np.uint8 and one.size for one in frames)
    require(
        bool(sound) and {one.shape for one in frames} == {frames[0].shape} and frames[0].ndim in (2, 3),
        "frames must be pictures of one size, uint8 (H, W) or (H, W, 3), as drawn gives them",
    )
    pictures = [Image.fromarray(frame) for frame in (frames if ending in FILMS else frames[-1:])]
    if kind == "GIF":
        pictures = [one if one.mode == "L" else one.quantize(256, dither=Image.Dither.NONE) for one in pictures]
    note, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    note.add_text("Software", MARK)
    options: dict[str, Any] = {"pnginfo": note, "optimize": len(frames) == 1} if kind == "PNG" else {"comment": MARK}
    options |= {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    if ending in FILMS:
        each = max(20, min(300, round(LENGTH / len(pictures), -1)))  # GIF counts in hundredths of a second
        times = [each] * (len(pictures) - 1) + [HELD]
        options |= {"save_all": True, "append_images": pictures[1:], "duration": times, "loop": 0}
    pictures[0].save(buffer, format=kind, **options)
    return buffer.getvalue()


def ours(head: bytes, ending: str) -> bool:
    """Whether the first HEAD bytes are those of a file that minidiff wrote under a name that ends so."""
    instance("head", head, bytes, "the first bytes of a file")
    return head.startswith(BEGINNINGS[choice("ending", ending, BEGINNINGS)]) and MARK.encode() in head
