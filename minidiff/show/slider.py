"""A slider that has a name: what one drags in ipywidgets' sliders, and its play buttons, have none for a screen reader.

What the browser does stands in slider.js beside it.
"""

from pathlib import Path

import anywidget
import traitlets


class Slider(anywidget.AnyWidget):
    """A slider, moved by mouse, finger or the arrow keys, with a button that plays if it has an interval.

    description: what stands beside it, by which a screen reader calls it.
    min, max, step: its ends, and how far it is from one place to the next.
    value: where it stands; what is set beyond an end becomes that end.
    texts: what a screen reader says at 0, 1, 2, ..., instead of the number.
    interval: milliseconds from step to step when it plays; 0 for no such button.

    Scrubbers and levers make sliders, and have checked what they hand over.
    """

    _esm = Path(__file__).with_name("slider.js").read_text(encoding="utf-8")
    description, interval = traitlets.Unicode().tag(sync=True), traitlets.Int().tag(sync=True)
    texts: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    min, max = traitlets.CFloat(0.0).tag(sync=True), traitlets.CFloat(1.0).tag(sync=True)
    step, value = traitlets.CFloat(0.01).tag(sync=True), traitlets.CFloat(0.0).tag(sync=True)

    @traitlets.validate("value")
    def _within(self, proposal: dict) -> float:
        return min(max(proposal["value"], self.min), self.max)


class WholeSlider(Slider):
    """A slider over whole numbers."""

    min, max = traitlets.CInt(0).tag(sync=True), traitlets.CInt(1).tag(sync=True)
    step, value = traitlets.CInt(1).tag(sync=True), traitlets.CInt(0).tag(sync=True)
