"""A lever: sliders over a picture that is computed while they are moved. For ready-made pictures: show/widgets.py.

JupyterLab lets widgets answer in a thread of their own, so that a lever can be moved while a cell is running.
"""

import base64
import html
import os
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
from torch import Tensor

from ..refusals import described, function, instance, number, require
from ..show import plots
from ..show.pixels import encode, tile
from ..show.slider import Slider, WholeSlider
from ..show.widgets import _Picture as Picture


class Lever:
    """Sliders and choices over a picture that is computed anew while they are moved.

    f: f(**values) gives a matplotlib figure, the bytes of a PNG, or images (N, C, H, W) in [0, 1]. An answer within
        half a second feels like moving the thing itself. Until it is there the lever says that it is working; what is
        passed over meanwhile is left out, so that it is never behind by more than one answer.
    sliders: name -> (low, high, start) or (low, high, start, step), of whole numbers if all are whole; or a list of
        texts or numbers to choose from, the first first; or a text, to be written over; or a widget with `.value` and
        `.on_change`, such as a Pad.

    `.controls` are the widgets by name, `.values` where they stand; `.image` and `.label` show the picture and what is
    to be said. Where no kernel runs the first picture is shown. What goes wrong in f at the start is raised; later it
    is said in `.label`, and the lever lives on. Raises ValueError or TypeError for sliders that are none.
    """

    def __init__(self, f: Callable[..., Any], sliders: dict[str, Any]):
        instance("sliders", sliders, dict, "a dict from names to ranges, choices or widgets")
        require(sliders, "a lever needs something to move, such as live(f, t=(0.0, 1.0, 0.5))")
        self.controls = {str(name): _control(str(name), given) for name, given in sliders.items()}
        self.f = function("f", f, **self.values)
        self._start, self._first = self._where(), _picture(f(**self.values))
        self.label = ipywidgets.HTML()  # a Label would cut a long sentence short
        size = {"align_self": "flex-start", "max_width": "100%"}  # its own: a column would stretch it
        said = f"Picture at {self._start}"
        self.image = Picture(value=self._first, format="png", tooltip=said, layout=size)
        self.box = ipywidgets.VBox([*self.controls.values(), self.label, self.image])
        self._busy, self._late = threading.Lock(), False
        for control in self.controls.values():
            if hasattr(control, "on_change"):
                control.on_change(self._move)
            else:
                control.observe(self._move, names="value")

    @property
    def values(self) -> dict[str, Any]:
        return {name: control.value for name, control in self.controls.items()}

    def _where(self) -> str:
        """The values in words."""
        parts = {name: "drawn" if isinstance(value, Tensor) else repr(value) for name, value in self.values.items()}
        return ", ".join(f"{name} = {part}" for name, part in parts.items())

    def _move(self, _: Any) -> None:
        """Answer; while an answer is being computed, in whichever thread, only note that another is wanted."""
        self._late = True
        while self._late and self._busy.acquire(blocking=False):
            try:
                self._late = False
                self._answer()
            finally:
                self._busy.release()

    def _answer(self) -> None:
        self.label.value, said = "working ...", "stopped"
        try:
            where, self.image.value = self._where(), _picture(self.f(**self.values))
            self.image.tooltip, said = f"Picture at {where}", ""
        except Exception as error:
            said = f"{type(error).__name__}: {error}".partition("\n")[0]
        finally:
            self.label.value = html.escape(said, quote=False)

    def __repr__(self) -> str:
        return f"Lever at {self._start}"

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        bundle: dict = {"text/plain": repr(self), "image/png": base64.b64encode(self._first).decode()}
        if not os.environ.get("MINIDIFF_STATIC"):  # as for a StepScrubber
            view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = view
        return bundle, {"image/png": {"alt": f"Picture at {self._start}"}}


def live(f: Callable[..., Any], /, **sliders: Any) -> Lever:
    """A lever on f(**values), such as `live(f, t=(0.0, 1.0, 0.5), kind=["boot", "bag"])`; see Lever."""
    return Lever(f, sliders)


def _control(name: str, given: Any) -> Any:
    """The widget for what a lever is given under a name; the name stands beside it."""
    if isinstance(given, ipywidgets.Widget) and hasattr(given, "on_change"):
        return given
    if isinstance(given, str):  # answered when it is finished, not at every letter
        wide = {"width": "min(100%, 36em)"}
        return ipywidgets.Text(value=given, description=name, continuous_update=False, layout=wide)
    if isinstance(given, list):
        plain = given and all(isinstance(one, (str, int, float)) for one in given)
        require(plain, f"{name} needs choices that are texts or numbers in its list; got {described(given)}")
        style = {"description_width": "initial"}
        return ipywidgets.Dropdown(options=given, value=given[0], description=name, style=style)
    said = f"{name} is (low, high, start) or (low, high, start, step) with low <= start <= high, a list, or a text"
    require(isinstance(given, tuple) and len(given) in (3, 4), f"{said}; got {described(given)}")
    integral = all(isinstance(one, int) for one in given)
    low, high, start, *steps = (number(f"each number for {name}", one) for one in given)
    step = steps[0] if steps else 1 if integral else (high - low) / 100
    require(low <= start <= high and low < high and step > 0, f"{said}; got {given}")
    kind = WholeSlider if integral else Slider
    return kind(description=name, min=low, max=high, value=start, step=step)


def _picture(result: Any) -> bytes:
    """What f gave, as a PNG."""
    if isinstance(result, bytes):
        require(result.startswith(b"\x89PNG"), "f gave bytes that are no PNG: make them by plots.png(figure)")
        return result
    if isinstance(result, (Tensor, np.ndarray)):
        return encode(tile(result, scale=4))
    if not isinstance(result, plots.Figure):
        raise TypeError(f"f must return a figure, the bytes of a PNG or images, not {described(result)}")
    return plots.png(result)
