"""The pad and the lever without a browser: set what a hand would set, look at what follows."""

import base64
import io
import re
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.course.live import live
from minidiff.show import pixels, plots
from minidiff.show.pad import Pad

VIEW = "application/vnd.jupyter.widget-view+json"
DOODLE = torch.arange(784).reshape(28, 28) / 783


def grey(value, size=8):
    return pixels.encode(np.full((size, size), round(255 * value), np.uint8))


def shade(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).mean() / 255


def shown(widget, monkeypatch, static):
    monkeypatch.setenv("MINIDIFF_STATIC", "1" if static else "")
    return widget._repr_mimebundle_()


# the pad


@pytest.mark.parametrize(
    "given", [DOODLE, DOODLE[None, None], DOODLE.double().numpy(), DOODLE.clone().requires_grad_()]
)
def test_a_doodle_comes_back_to_within_half_a_grey_level(given):
    value = Pad(initial=given).value
    assert value.shape == (1, 1, 28, 28) and value.dtype == torch.float32 and not value.requires_grad
    assert (value[0, 0] - DOODLE).abs().max() <= 0.5 / 255 + 1e-6
    assert value.min() == 0 and value.max() == 1


def test_points_come_back_as_they_were():
    points = torch.tensor([[0.1, -0.2], [3.0, -3.0]])
    assert torch.equal(Pad("points", points).value, points)
    assert Pad("points").value.shape == (0, 2)
    assert Pad().value.count_nonzero() == 0


def test_what_the_browser_draws_is_told():
    told, pad = [], Pad(initial=DOODLE)
    pad.on_change(lambda value: told.append("never: another took its place"))
    pad.on_change(told.append)
    drawn = bytes(range(196)) * 4
    pad.set_state({"drawing": memoryview(drawn)})  # what a browser sends
    (value,) = told
    assert torch.equal(value, pad.value) and value[0, 0, 0, 1] == 1 / 255 and value[0, 0, 7, 0] == 0
    pad = Pad("points", [[1.0, 1.0]])
    pad.on_change(told.append)
    pad.set_state({"drawing": memoryview(np.array([0.5, -1.5], np.float32).tobytes())})
    assert told[1].tolist() == [[0.5, -1.5]]
    pad.value = torch.zeros(0, 2)  # from Python, likewise
    assert told[2].shape == (0, 2)


def test_a_value_that_was_taken_does_not_change_with_the_drawing():
    pad = Pad(initial=DOODLE)
    value = pad.value
    pad.value = torch.zeros(28, 28)
    assert value.max() == 1


@pytest.mark.parametrize("kind, initial, marks", [("doodle", torch.eye(28), 0), ("points", torch.eye(2), 1)])
def test_a_pad_where_no_kernel_runs(kind, initial, marks, monkeypatch):
    pad = Pad(kind, initial)
    data, metadata = shown(pad, monkeypatch, static=False)
    assert data[VIEW]["model_id"] == pad.model_id
    data, metadata = shown(pad, monkeypatch, static=True)
    assert set(data) == {"text/plain", "image/png"} and data["text/plain"] == repr(pad) == f"Pad({kind!r})"
    assert metadata["image/png"]["alt"]
    picture = base64.b64decode(data["image/png"])
    blank = Pad(kind).picture()
    assert picture == pad.picture() == Pad(kind, initial).picture() != blank
    if kind == "doodle":
        assert abs(shade(picture) - 1 / 28) < 0.001 and shade(blank) == 0


@pytest.mark.parametrize("given, match", [
    (("drawing",), "kind must be one of 'doodle', 'points'; got 'drawing'"),
    (("doodle", torch.zeros(27, 28)), r"shape \(28, 28\) or .* got a tensor of torch.float32 and shape \(27, 28\)"),
    (("doodle", torch.full((28, 28), 1.01)), "values from 0 to 1"),
    (("doodle", torch.full((28, 28), -0.01)), "values from 0 to 1"),
    (("doodle", torch.full((28, 28), torch.nan)), "not finite"),
    (("doodle", "boot"), "a drawing must be numbers"),
    (("points", torch.zeros(2, 3)), r"shape \(N, 2\) with N up to 200"),
    (("points", torch.zeros(2)), r"shape \(N, 2\) with N up to 200"),
    (("points", [[0.0, 3.1]]), "from -3 to 3"),
    (("points", [[-3.1, 0.0]]), "from -3 to 3"),
    (("points", torch.zeros(3, 2), 3.0, 2), "N up to 2"),
    (("points", None, 0), "limit, up to which points are drawn, must be above 0; got 0"),
    (("points", None, 3.0, 0), "most must be a whole number from 1"),
])  # fmt: skip
def test_a_pad_refuses_nonsense(given, match):
    with pytest.raises((ValueError, TypeError), match=match) as caught:
        Pad(*given)
    assert "\n" not in str(caught.value)


def test_a_pad_tells_only_functions_of_one_argument():
    with pytest.raises(TypeError, match="f must be a function of 1 arguments"):
        Pad().on_change(lambda: None)


# the lever


def test_the_lever_computes_what_it_is_moved_to():
    lever = live(lambda t, kind: grey(t if kind == "plain" else 1 - t), t=(0.0, 1.0, 0.25), kind=["plain", "turned"])
    assert abs(shade(lever.image.value) - 0.25) < 0.01 and lever.values == {"t": 0.25, "kind": "plain"}
    lever.controls["t"].set_state({"value": 0.75})  # what a browser sends
    assert abs(shade(lever.image.value) - 0.75) < 0.01 and lever.label.value == ""
    assert lever.image.tooltip == "Picture at t = 0.75, kind = 'plain'"
    lever.controls["kind"].value = "turned"
    assert abs(shade(lever.image.value) - 0.25) < 0.01


def test_it_says_that_it_is_working_before_it_does():
    said = []
    lever = live(lambda k: grey(k / 9), k=(0, 9, 0))
    compute, lever.f = lever.f, lambda k: said.append(lever.label.value) or compute(k)
    lever.controls["k"].value = 3
    assert said == ["working ..."] and lever.label.value == ""


def test_what_is_passed_over_is_left_out():
    """Another thread moves the lever twenty times while it computes: it answers once more, for where it stands then."""
    started, go_on, seen = threading.Event(), threading.Event(), []

    def f(k):
        seen.append(k)
        if k == 1:
            started.set()
            assert go_on.wait(10)
        return grey(k / 99)

    lever = live(f, k=(0, 99, 0))
    thread = threading.Thread(target=lever.controls["k"].set_trait, args=("value", 1))
    thread.start()
    assert started.wait(10)
    for k in range(2, 22):
        lever.controls["k"].value = k
    assert lever.label.value == "working ..." and seen == [0, 1]
    go_on.set()
    thread.join(10)
    assert seen == [0, 1, 21] and abs(shade(lever.image.value) - 21 / 99) < 0.01 and lever.label.value == ""


def test_an_error_is_one_sentence_beside_the_lever_and_it_lives_on():
    def f(k):
        if k == 1:
            raise ValueError("k < 1 would do\nand more")
        return None if k == 2 else grey(k / 9)

    lever = live(f, k=(0, 9, 0))
    before = lever.image.value
    lever.controls["k"].value = 1
    assert lever.label.value == "ValueError: k &lt; 1 would do" and lever.image.value == before
    lever.controls["k"].value = 2
    assert lever.label.value == "TypeError: f must return a figure, the bytes of a PNG or images, not None"
    lever.controls["k"].value = 3
    assert lever.label.value == "" and lever.image.value == grey(3 / 9)


def test_an_interrupted_answer_does_not_block_the_next():
    def f(k):
        if k == 1:
            raise KeyboardInterrupt
        return grey(k / 9)

    lever = live(f, k=(0, 9, 0))
    with pytest.raises(KeyboardInterrupt):
        lever.controls["k"].value = 1
    assert lever.label.value == "stopped"
    lever.controls["k"].value = 2
    assert lever.label.value == "" and lever.image.value == grey(2 / 9)


def figure(t):
    figure, ax = plots.panels(width=1, height=1)
    plots.curve(ax, [0, 1], [0, t])
    return figure


@pytest.mark.parametrize("f, png", [
    (lambda t: torch.full((2, 1, 4, 4), t), pixels.encode(pixels.tile(torch.full((2, 1, 4, 4), 0.5), scale=4))),
    (lambda t: np.full((1, 4, 4), t), pixels.encode(pixels.tile(torch.full((1, 4, 4), 0.5), scale=4))),
    (lambda t: grey(t), grey(0.5)),
    (figure, plots.png(figure(0.5))),
], ids=["images", "array", "PNG", "figure"])  # fmt: skip
def test_figures_pngs_and_images_are_shown(f, png):
    assert live(f, t=(0.0, 1.0, 0.5)).image.value == png


@pytest.mark.parametrize("given, kind, step", [
    ((0, 10, 5), int, 1), ((0, 10, 5, 5), int, 5), ((0.0, 1, 0.5), float, 0.01),
    ((0, 2, 1, 0.5), float, 0.5), ((-1.0, 1.0, -1.0), float, 0.02), ((0, 1, 1), int, 1),
])  # fmt: skip
def test_ranges_become_sliders(given, kind, step):
    slider = live(lambda t: grey(0), t=given).controls["t"]
    assert (type(slider.value), type(slider.step), slider.step) == (kind, kind, step)
    assert (slider.min, slider.max, slider.value) == given[:3] and slider.description == "t" and not slider.interval
    slider.set_state({"value": 1})  # a browser sends 1 for 1.0
    assert type(slider.value) is kind and slider.value == 1
    for beyond, end in ((99, given[1]), (-99, given[0])):
        slider.value = beyond
        assert slider.value == end and type(slider.value) is kind


def test_a_pad_can_be_a_lever():
    pad = Pad("points", [[0.0, 0.0]], most=1)
    lever = live(lambda at, scale: grey(scale * float(at.sum()) / 10), at=pad, scale=(0.0, 1.0, 1.0))
    assert lever.box.children[0] is pad and repr(lever) == "Lever at at = drawn, scale = 1.0"
    pad.set_state({"drawing": memoryview(np.array([2.0, 3.0], np.float32).tobytes())})
    assert abs(shade(lever.image.value) - 0.5) < 0.01


def test_a_lever_where_no_kernel_runs(monkeypatch):
    lever = live(lambda t: grey(t), t=(0.0, 1.0, 0.25))
    lever.controls["t"].value = 1.0  # what is stored does not depend on where a hand left it
    data, metadata = shown(lever, monkeypatch, static=False)
    assert data[VIEW]["model_id"] == lever.box.model_id
    data, metadata = shown(lever, monkeypatch, static=True)
    assert set(data) == {"text/plain", "image/png"} and data["text/plain"] == "Lever at t = 0.25"
    assert base64.b64decode(data["image/png"]) == grey(0.25)
    assert metadata == {"image/png": {"alt": "Picture at t = 0.25"}}


@pytest.mark.parametrize("sliders, match", [
    ({}, "needs something to move"),
    ({"t": (0, 1)}, "t is (low, high, start) or (low, high, start, step)"),
    ({"t": (0, 1, 2)}, "low <= start <= high"),
    ({"t": (0, 1, -1)}, "low <= start <= high"),
    ({"t": (1, 1, 1)}, "low <= start <= high"),
    ({"t": (0, 1, 0, 0)}, "low <= start <= high"),
    ({"t": (0, 1, "a")}, "each number for t must be one number, not 'a'"),
    ({"t": 0.5}, "a list, or a text; got 0.5"),
    ({"t": []}, "t needs choices that are texts or numbers in its list"),
    ({"t": [None]}, "t needs choices that are texts or numbers in its list"),
    ({"s": (0, 1, 0)}, "f must be a function of 0 arguments and s"),
])  # fmt: skip
def test_a_lever_refuses_nonsense(sliders, match):
    with pytest.raises((ValueError, TypeError), match=re.escape(match)) as caught:
        live(lambda t=0: grey(0), **sliders)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("result, error", [(None, TypeError), (b"GIF89a", ValueError), (torch.zeros(3), ValueError)])
def test_a_lever_is_not_made_where_the_first_picture_fails(result, error):
    with pytest.raises(error):
        live(lambda t: result, t=(0, 1, 0))
