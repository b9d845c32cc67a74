"""The scrubber without a browser: set the trait a hand would set, look at what follows."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.show import plots, widgets


def frames(n=5, colour=True, size=(20, 10)):
    out = []
    for i in range(n):
        pixels = np.full((size[1], size[0], 3), 40 * i, np.uint8)
        pixels[:, : 3 * i] = (200, 10, 10) if colour else 250
        out.append(plots.encode(pixels if colour else pixels[..., 0]))
    return out


def jpeg():
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10)).save(buffer, format="JPEG")
    return buffer.getvalue()


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_the_slider_changes_picture_and_label():
    shown = frames()
    scrubber = widgets.StepScrubber(shown, ["a", "b", "c", "d", "e"], start=1)
    assert (scrubber.slider.value, scrubber.image.value, scrubber.label.value) == (1, shown[1], "b")
    scrubber.slider.value = 3
    assert (scrubber.image.value, scrubber.label.value) == (shown[3], "d")
    scrubber.slider.value = 99  # clamped to the last frame
    assert scrubber.image.value == shown[4]
    scrubber.slider.set_state({"value": 2})  # what a browser sends
    assert scrubber.image.value == shown[2]


def test_the_picture_keeps_its_size():
    layout = widgets.StepScrubber(frames()).image.layout
    assert (layout.width, layout.height) == ("20px", "10px")


def test_what_is_shown_where_no_kernel_runs(monkeypatch):
    scrubber = widgets.StepScrubber(frames(), start=2)
    monkeypatch.delenv("MINIDIFF_STATIC", raising=False)
    live, metadata = scrubber._repr_mimebundle_()
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == scrubber.box.model_id
    monkeypatch.setenv("MINIDIFF_STATIC", "1")
    static, metadata = scrubber._repr_mimebundle_()
    assert set(static) == {"text/plain", "image/png"}
    assert metadata == {"image/png": {"alt": "Film of 5 frames, from step 0 to step 4"}}
    assert static["text/plain"] == "StepScrubber(5 frames, from 'step 0' to 'step 4')"
    assert base64.b64decode(static["image/png"]) == scrubber.film()


@pytest.mark.parametrize("colour", [True, False])
def test_the_film_holds_every_frame_from_the_start_round(colour):
    shown = frames(colour=colour)
    film = Image.open(io.BytesIO(widgets.StepScrubber(shown, start=2).film()))
    assert film.is_animated and film.n_frames == 5
    for k, frame in enumerate([2, 3, 4, 0, 1]):
        film.seek(k)
        assert np.abs(np.asarray(film.convert("RGB")).astype(int) - pixels(shown[frame])).max() <= 8
    assert widgets.StepScrubber(shown, start=2).film() == widgets.StepScrubber(shown, start=2).film()


def test_a_film_of_images_tiles_each_step():
    steps = [torch.full((4, 1, 3, 3), value) for value in (0.0, 0.5, 1.0)]
    assert Image.open(io.BytesIO(widgets.film([torch.zeros(1, 1, 5, 3)]).frames[0])).size == (12, 20)
    scrubber = widgets.film(steps, ["dark", "grey", "light"], columns=2, scale=2)
    for step, png in zip(steps, scrubber.frames, strict=False):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), plots.tile(step, 2, scale=2))
    dark = widgets.film(steps, columns=2, scale=2, limits=(0, 2), start=1)
    assert np.asarray(Image.open(io.BytesIO(dark.frames[2]))).min() == 128 and dark.slider.value == 1


def test_a_film_in_which_nothing_moves_is_a_picture():
    one = frames()[1]
    assert widgets.StepScrubber([one, one]).film() == one


def test_what_a_scrubber_shows_is_said_to_those_who_cannot_see_it():
    steps = [torch.full((1, 1, 3, 3), value) for value in (0.0, 1.0)]
    scrubber = widgets.film(steps, ["dusk", "dawn"], alt="The sun comes up")
    assert scrubber.image.tooltip == "The sun comes up"
    assert scrubber._repr_mimebundle_()[1] == {"image/png": {"alt": "The sun comes up"}}
    slider = scrubber.slider
    assert slider.texts == ["dusk", "dawn"] and slider.description == "step" and slider.interval == 200
    with pytest.raises(TypeError, match="alt must be a text"):
        widgets.film(steps, alt=3)


@pytest.mark.parametrize("arguments, match", [
    (([],), "at least one frame"),
    ((frames(3), ["a", "b"]), "2 labels"),
    ((frames(3), None, 3), "start = 3"),
    ((frames(3), None, -1), "start = -1"),
    (([*frames(2), *frames(1, size=(8, 8))],), "one size"),
    (([b"not a picture"],), "bytes of a PNG"),
    (([frames(1, size=(200, 100))[0][:-40]],), "bytes of a PNG"),
    (([jpeg()],), "bytes of a PNG"),
    ((["text"],), "bytes of a PNG"),
])  # fmt: skip
def test_nonsense_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        widgets.StepScrubber(*arguments)
