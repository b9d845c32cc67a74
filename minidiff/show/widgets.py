"""Things to move by hand. They show ready-made pictures: the kernel hands them over as soon as it is idle, and computes
nothing, so that nothing can go wrong.

A StepScrubber shows itself three ways at once: live in Jupyter, as a film (an animated PNG) where no kernel runs, such
as on GitHub, and as one constant line of text, which is what a strict notebook test compares.
"""

import base64
import io
import os
from collections.abc import Sequence

import ipywidgets
import traitlets
from PIL import Image
from torch import Tensor

from ..refusals import described, instance, require, whole
from .pixels import Limits, encode, tile
from .slider import WholeSlider


class _Picture(ipywidgets.Image):
    """A picture by its bytes, with a tooltip, by which screen readers name it."""

    description = traitlets.Unicode().tag(sync=True)  # an Image has none, but with a tooltip its view asks for it


class StepScrubber:
    """A slider, and a play button, over PNG pictures of one size.

    frames: PNG bytes, as plots.png makes them.
    labels: one short text a frame.
    start: the frame shown first, the most telling one.
    interval: milliseconds a frame.
    alt: what they show, for those who cannot see it; the first and last label by default.

    `.slider`, `.image` and `.label` are the widgets themselves. Raises ValueError for no frames, frames of unequal
    size, bytes that are no picture, or labels that do not match, and TypeError for what are no lists of them.
    """

    def __init__(
        self,
        frames: Sequence[bytes],
        labels: Sequence[str] | None = None,
        start: int = 0,
        interval: int = 200,
        alt: str | None = None,
    ):
        self.frames = _listed("frames", frames)
        self.labels = [f"step {i}" for i in range(len(self.frames))]
        if labels is not None:
            self.labels = [str(label) for label in _listed("labels", labels)]
        width, height = _common_size(self.frames)
        whole(f"start = {start!s:.20}, the frame shown first,", start, 0)
        fits = len(self.labels) == len(self.frames) and start < len(self.frames)
        given = f"got {len(self.labels)} labels and start = {start}"
        require(fits, f"{len(self.frames)} frames need as many labels and a start among them; {given}")
        self.start, self.interval, last = start, whole("interval", interval, 1, 10**6), len(self.frames) - 1
        instance("alt", alt, (str, type(None)), "a text, or None")
        self.alt = alt or f"Film of {last + 1} frames, from {self.labels[0]} to {self.labels[-1]}"
        self.slider = WholeSlider(description="step", max=last, value=start, texts=self.labels, interval=self.interval)
        self.label = ipywidgets.Label(self.labels[start])
        size = ipywidgets.Layout(width=f"{width}px", height=f"{height}px")
        self.image = _Picture(value=self.frames[start], format="png", tooltip=self.alt, layout=size)
        self.slider.observe(self._show, names="value")
        self.box = ipywidgets.VBox([ipywidgets.HBox([self.slider, self.label]), self.image])

    def _show(self, change: dict) -> None:
        self.image.value, self.label.value = self.frames[change["new"]], self.labels[change["new"]]

    def __repr__(self) -> str:
        return f"StepScrubber({len(self.frames)} frames, from {self.labels[0]!r} to {self.labels[-1]!r})"

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        bundle: dict = {"text/plain": repr(self), "image/png": base64.b64encode(self.film()).decode()}
        if not os.environ.get("MINIDIFF_STATIC"):  # stored notebooks keep no live view: it would be dead on arrival
            live = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = live
        return bundle, {"image/png": {"alt": self.alt}}

    def film(self) -> bytes:
        """All frames as an animated PNG, from frame `start` round to the one before it."""
        order = self.frames[self.start :] + self.frames[: self.start]
        pictures = _few_colours([Image.open(io.BytesIO(frame)) for frame in order])
        if len({picture.tobytes() for picture in pictures}) == 1:
            return order[0]  # nothing moves
        buffer = io.BytesIO()
        rest = {"append_images": pictures[1:], "duration": self.interval, "loop": 0}
        pictures[0].save(buffer, format="PNG", save_all=True, optimize=True, **rest)
        return buffer.getvalue()


def film(
    steps: Sequence[Tensor],
    labels: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    scale: int = 4,
    start: int = 0,
    limits: Limits = (0.0, 1.0),
    alt: str | None = None,
) -> StepScrubber:
    """A scrubber over pictures of images.

    steps: images (N, C, H, W) for each step, values in limits.
    labels, start, alt: as in StepScrubber.
    columns, scale, limits: as in pixels.tile.
    """
    steps = _listed("steps", steps)
    frames = [encode(tile(x, columns, scale=scale, limits=limits)) for x in steps]
    return StepScrubber(frames, labels, start, alt=alt)


def _listed(name: str, parts: Sequence) -> list:
    if isinstance(parts, (str, bytes, type, set, dict)) or not hasattr(parts, "__iter__"):
        raise TypeError(f"{name} must be a list, one entry for each frame, not {described(parts)}")
    require(getattr(parts, "ndim", 1), f"{name} must be a list, one entry for each frame, not a single number")
    return list(parts)


def _few_colours(pictures: list[Image.Image]) -> list[Image.Image]:
    """Pictures as grey, if all are, else with the 256 colours that suit all of them together: a third of the size."""
    if all(picture.mode == "L" for picture in pictures):
        return pictures
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width, height * len(pictures)))
    for i, picture in enumerate(pictures):
        sheet.paste(picture.convert("RGB"), (0, i * height))
    sheet = sheet.quantize(256, dither=Image.Dither.NONE)
    return [sheet.crop((0, i * height, width, (i + 1) * height)) for i in range(len(pictures))]


def _common_size(frames: Sequence[bytes]) -> tuple[int, int]:
    """The width and height that all frames share; ValueError where they do not."""
    if not frames:
        raise ValueError("a scrubber needs at least one frame")
    try:
        sizes = {Image.open(io.BytesIO(frame), formats=["PNG"]).convert("RGB").size for frame in frames}  # reads it all
    except (OSError, SyntaxError, ValueError, TypeError):
        raise ValueError("every frame must be the bytes of a PNG picture, as plots.png makes them") from None
    if len(sizes) > 1:
        raise ValueError(f"all frames must have one size; got {sorted(sizes)}")
    return sizes.pop()
