"""A surface to draw on by hand, by anywidget: ipywidgets has no canvas.

What the browser does stands in pad.js beside it: plain JavaScript, which the kernel hands over, so that nothing is
fetched from anywhere.
"""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor

from ..refusals import choice, described, function, number, require, tensor, whole
from . import plots
from .pixels import encode, tile

SIDE = 28  # pixels of a doodle, here and in pad.js


class Pad(anywidget.AnyWidget):
    """A doodle or points in the plane, drawn with the mouse, a finger or keys: the arrows, space and backspace.

    kind: "doodle", 28 x 28 grey pixels, or "points".
    initial: what is drawn at first, so that a notebook runs without a hand; nothing by default.
    limit: points lie in [-limit, limit] x [-limit, limit].
    most: as many points as there may be; one more takes the place of the first, so that a pad of one moves it.

    `.value` is the drawing, float32, and can be set: a doodle (1, 1, 28, 28), 0 black and 1 white, as a data set's
    `standardise` takes it, or points (N, 2). Where no kernel runs a picture of it is shown. Raises ValueError, or
    TypeError, for a drawing of another shape or beyond its limits.
    """

    _esm = Path(__file__).with_name("pad.js").read_text(encoding="utf-8")
    kind, drawing = traitlets.Unicode().tag(sync=True), traitlets.CBytes().tag(sync=True)
    limit, most = traitlets.Float().tag(sync=True), traitlets.Int().tag(sync=True)

    def __init__(self, kind: str = "doodle", initial: Tensor | None = None, limit: float = 3.0, most: int = 200):
        choice("kind", kind, ("doodle", "points"))
        require(number("limit", limit) > 0, f"limit, up to which points are drawn, must be above 0; got {limit}")
        self._changed: Callable[[Tensor], object] = lambda value: None
        super().__init__(kind=kind, limit=float(limit), most=whole("most", most, 1, 10_000))
        blank = torch.zeros(SIDE, SIDE) if kind == "doodle" else torch.zeros(0, 2)
        self.value = blank if initial is None else initial

    @property
    def value(self) -> Tensor:
        if self.kind == "points":
            return torch.tensor(np.frombuffer(self.drawing, np.float32)).reshape(-1, 2)
        return torch.tensor(np.frombuffer(self.drawing, np.uint8)).reshape(1, 1, SIDE, SIDE) / 255

    @value.setter
    def value(self, drawing: Tensor) -> None:
        drawing = tensor("a drawing", drawing, torch.float32, finite=True).detach().cpu()
        points, shape = self.kind == "points", tuple(drawing.shape)
        low, high = (-self.limit, self.limit) if points else (0, 1)
        wanted = f"(N, 2) with N up to {self.most}" if points else f"({SIDE}, {SIDE}) or (1, 1, {SIDE}, {SIDE})"
        fits = shape[1:] == (2,) and shape[0] <= self.most if points else shape in ((SIDE, SIDE), (1, 1, SIDE, SIDE))
        said = f"a drawing on this pad has shape {wanted} and values from {low:g} to {high:g}; got {described(drawing)}"
        require(fits and not ((drawing < low) | (drawing > high)).any(), said)
        self.drawing = (drawing if points else (255 * drawing).round().to(torch.uint8)).numpy().tobytes()

    def on_change(self, f: Callable[[Tensor], object]) -> None:
        """Call f(value) after every change from now on; f takes the place of what was given before."""
        self._changed = function("f", f, self.value)

    @traitlets.observe("drawing")
    def _tell(self, change: dict) -> None:
        self._changed(self.value)

    def picture(self) -> bytes:
        """The drawing as a PNG."""
        if self.kind == "doodle":
            return encode(tile(self.value, scale=8))
        figure, ax = plots.panels(width=2.6, height=2.6)
        plots.scatter(cast(Any, ax), self.value, limit=self.limit, size=20)
        return plots.png(figure)

    def __repr__(self) -> str:
        return f"Pad({self.kind!r})"

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        static = os.environ.get("MINIDIFF_STATIC")  # as for a StepScrubber
        data, metadata = ({}, {}) if static else super()._repr_mimebundle_(**kwargs) or ({}, {})
        alt = "A doodle" if self.kind == "doodle" else "Points in the plane"
        data |= {"text/plain": repr(self), "image/png": base64.b64encode(self.picture()).decode()}
        return data, metadata | {"image/png": {"alt": alt}}
