"""Figures show what they were given, fit the page, keep one style and leave matplotlib's own settings alone."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.show import plots
from minidiff.show.pixels import as_array

RAMP = torch.arange(6.0).reshape(6, 1, 1, 1).expand(6, 1, 2, 3) / 5  # six flat images, black to white
SENTENCE = "A thumbnail survives the noise longer than its original, and the reason is an average of four pixels"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def opened(png):
    return Image.open(io.BytesIO(png))


# Images: every pixel where it belongs


def test_a_tile_holds_each_image_in_its_place():
    picture = plots.tile(RAMP, columns=3, scale=2, gap=1)
    assert picture.shape == (2 * 4 + 1, 3 * 6 + 2) and picture.dtype == np.uint8
    for i in range(6):
        top, left = (i // 3) * 5, (i % 3) * 7
        assert (picture[top : top + 4, left : left + 6] == 51 * i).all()
    assert (picture[4] == 255).all() and (picture[:, [6, 13]] == 255).all()  # the gaps


def test_a_tile_keeps_rows_columns_and_channels_apart():
    image = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    picture = plots.tile(image)
    assert picture.shape == (4, 5, 3)
    torch.testing.assert_close(torch.from_numpy(picture).permute(2, 0, 1) / 255, image[0], atol=0.5 / 255, rtol=0)


def test_limits_say_what_is_black_and_what_is_white_and_clip_the_rest():
    values = torch.tensor([-5.0, -1.0, 0.0, 1.0, torch.inf]).reshape(5, 1, 1)
    assert plots.tile(values, gap=0, limits=(-1, 1)).tolist() == [[0, 0, 128, 255, 255]]


def test_an_unfinished_last_row_is_left_white():
    assert (plots.tile(torch.zeros(4, 2, 2), columns=3, gap=0)[2:, 2:] == 255).all()


@pytest.mark.parametrize("number, shape", [(10, (1, 10)), (11, (3, 4)), (64, (8, 8))])
def test_default_columns_are_one_row_then_a_square(number, shape):
    assert plots.tile(torch.zeros(number, 1, 1), gap=0).shape == shape


@pytest.mark.parametrize("images, why", [
    (torch.zeros(2, 2), "got shape"), (torch.zeros(2, 2, 8, 8), "got shape"), (torch.zeros(0, 1, 8, 8), "got shape"),
    (torch.full((1, 8, 8), torch.nan), "NaN"),
])  # fmt: skip
def test_what_is_no_picture_is_refused(images, why):
    with pytest.raises(ValueError, match=why):
        plots.tile(images)
    with pytest.raises(ValueError, match=why):
        plots.image_grid(images)


def test_limits_that_say_nothing_are_refused():
    with pytest.raises(ValueError, match="black below white"):
        plots.tile(RAMP, limits=(1, 1))


@pytest.mark.parametrize("colour", [False, True])
def test_encode_keeps_every_pixel(colour):
    pixels = plots.tile(RAMP.expand(6, 3, 2, 3) * torch.tensor([1.0, 0.5, 0.2]).reshape(3, 1, 1) if colour else RAMP)
    np.testing.assert_array_equal(np.asarray(opened(plots.encode(pixels)).convert("RGB" if colour else "L")), pixels)


@pytest.mark.parametrize("titles", [{}, {"row_titles": ["a", "b"], "column_titles": list("abc"), "title": SENTENCE}])
def test_an_image_grid_shows_its_pixels_one_to_one(titles):
    figure = plots.image_grid(RAMP, columns=3, scale=9, **titles)
    tiled = plots.tile(RAMP, columns=3, scale=9)
    np.testing.assert_array_equal(plots.plotted(figure.axes[0])["image0"], tiled)
    picture = np.asarray(opened(plots.png(figure)).convert("L"), dtype=int)
    high, wide = tiled.shape
    found = [abs(picture[-high:, x : x + wide] - tiled).max() for x in range(picture.shape[1] - wide + 1)]
    assert min(found) <= 1  # of 255: the palette rounds


@pytest.mark.parametrize("limits", [(0.0, 1.0), (-1.0, 1.0), (0.2, 0.6)])
def test_an_image_grid_takes_its_limits_for_black_and_white(limits):
    figure = plots.image_grid(RAMP, columns=3, scale=9, limits=limits)
    shown = plots.plotted(figure.axes[0])["image0"]
    low, high = limits
    for k in range(6):
        place = shown[4 + 20 * (k // 3), 4 + 29 * (k % 3)]
        assert abs(place - 255 * min(max((k / 5 - low) / (high - low), 0), 1)) <= 0.5


def test_titles_stand_beside_their_rows_and_above_their_columns():
    figure = plots.image_grid(
        RAMP, columns=2, scale=40, row_titles=["top", "middle", "bottom"], column_titles=["l", "r"]
    )
    ax = figure.axes[0]
    figure.canvas.draw()
    box, places = ax.get_window_extent(), {text.get_text(): text.get_window_extent() for text in ax.texts}
    rows = [places[name] for name in ("top", "middle", "bottom")]
    for k, place in enumerate(rows):
        middle = (place.y0 + place.y1) / 2
        assert abs(middle - (box.y1 - (k + 0.5) * box.height / 3)) < 4 and 0 <= place.x0 < place.x1 <= box.x0
    for k, name in enumerate("lr"):
        middle = (places[name].x0 + places[name].x1) / 2
        assert abs(middle - (box.x0 + (k + 0.5) * box.width / 2)) < 2 and places[name].y0 >= box.y1


@pytest.mark.parametrize("titles", [{"row_titles": ["one"]}, {"column_titles": ["a", "b"]}])
def test_titles_must_match_the_grid(titles):
    with pytest.raises(ValueError, match="titles"):
        plots.image_grid(RAMP, columns=3, **titles)


# The page: nothing is wider than 700 pixels, and nothing is cut off


def words_outside(figure):
    """What reaches over the edge of the saved page, and titles that lie on one another."""
    page, parts = figure.bbox, [*figure.axes, *figure.texts]
    boxes = [(str(part), part.get_tightbbox()) for part in parts]
    within = page.padded(1)
    out = [(name, box) for name, box in boxes if not (within.contains(*box.min) and within.contains(*box.max))]
    titles = [text for ax in figure.axes for text in (ax._left_title, *ax.texts)] + figure.texts
    boxes = [(text.get_text(), text.get_window_extent()) for text in titles if text.get_text()]
    return out + [(a, b) for i, (a, box) in enumerate(boxes) for b, other in boxes[:i] if box.overlaps(other)]


@pytest.mark.parametrize("rows, columns, options", [
    (1, 1, {}), (1, 1, {"width": 4.0, "height": 4.0}), (1, 3, {"height": 2.9}),
    (1, 3, {"height": 2.9, "title": SENTENCE}), (2, 3, {"title": SENTENCE}), (1, 4, {"height": 2.1, "title": SENTENCE}),
])  # fmt: skip
@pytest.mark.parametrize("square", [True, False])
def test_sentences_fit(rows, columns, options, square):
    figure, axes = plots.panels(rows, columns, **options)
    for k, ax in enumerate(np.ravel(axes)):
        if square:
            plots.scatter(ax, torch.zeros(1, 2))
        ax.set_xlabel("time t")
        ax.set_title(SENTENCE[: 200 // columns // (1 + k % 2)])
    plots.png(figure)
    assert words_outside(figure) == []


@pytest.mark.parametrize("columns, rows", [(10, ["noisy", "the exact answer"]), (10, None), (6, ["a", "b"]), (3, None)])
@pytest.mark.parametrize("heads", ["step 0", "Ankle boot", "t = 0.25"])
def test_a_grid_with_long_titles_fits(columns, rows, heads):
    images = torch.rand(2 * columns, 28, 28)
    figure = plots.image_grid(images, columns, row_titles=rows, column_titles=[heads] * columns, title=SENTENCE)
    plots.png(figure)
    assert words_outside(figure) == []


@pytest.mark.parametrize("make", [
    lambda: plots.panels(width=7.0)[0], lambda: plots.image_grid(torch.rand(64, 28, 28)),
    lambda: plots.image_grid(torch.rand(30, 28, 28), 10, row_titles=["a long row title"] * 3),
])  # fmt: skip
def test_no_picture_is_wider_than_the_page(make):
    assert opened(plots.png(make())).width <= 700


@pytest.mark.parametrize("make", [lambda: plots.panels(width=7.1), lambda: plots.image_grid(torch.rand(26, 28, 28), 26),
                                  lambda: plots.image_grid(torch.rand(3, 28, 28), 3, scale=9)])  # fmt: skip
def test_what_is_too_wide_is_refused(make):
    with pytest.raises(ValueError, match="700 pixels"):
        make()


# Reading back what is drawn


def test_plotted_reads_everything_back():
    points, vectors = torch.randn(7, 2), torch.randn(7, 2)
    _, ax = plots.panels()
    plots.curve(ax, torch.arange(5), torch.arange(5.0) ** 2, plots.EXACT, "squares")
    plots.curve(ax, [0, 1], [3, 4])
    plots.scatter(ax, points, label="cloud")
    plots.arrows(ax, points, vectors)
    plots.heat(ax, torch.eye(3))
    ax.bar([0, 1], [5, 6])
    read = plots.plotted(ax)
    assert set(read) == {"squares", "line1", "cloud", "arrows0", "image0", "bars0"}
    lines = {"squares": [0, 1, 4, 9, 16], "line1": [3, 4], "bars0": [5, 6]}
    for name, values in {**lines, "cloud": points, "arrows0": vectors, "image0": np.eye(3)}.items():
        np.testing.assert_allclose(read[name], values, rtol=1e-6)


def test_plotted_sees_a_change_after_drawing_and_survives_the_png():
    figure, ax = plots.panels()
    line = plots.curve(ax, [0, 1], [0, 1], label="a")
    line.set_ydata([0, 2])
    plots.png(figure)
    assert plots.plotted(ax)["a"].tolist() == [0, 2] and not plt.get_fignums()


def test_one_label_for_two_things_is_refused():
    _, ax = plots.panels()
    plots.curve(ax, [0, 1], [0, 1], label="a")
    plots.curve(ax, [0, 1], [1, 0], label="a")
    with pytest.raises(ValueError, match="labelled 'a'"):
        plots.plotted(ax)


# Clouds, maps and arrows lie where they say


def drawn_colour(figure, ax, place):
    """The colour of the saved picture at a place given in the units of the axes."""
    picture = opened(plots.png(figure)).convert("RGB")
    x, y = ax.transData.transform(place)
    return picture.getpixel((int(x), int(picture.height - 1 - int(y))))


def test_a_point_is_drawn_where_it_is():
    figure, ax = plots.panels(width=4, height=4)
    plots.scatter(ax, torch.tensor([[1.5, -2.0]]), plots.DATA, size=150)
    assert ax.get_aspect() == 1 and ax.get_xlim() == ax.get_ylim() == (-3, 3)
    assert drawn_colour(figure, ax, (1.5, -2.0)) == tuple(int(plots.DATA[i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.parametrize("kind", [list, np.asarray, torch.as_tensor])
def test_a_curve_runs_through_its_points(kind):
    _, ax = plots.panels()
    line = plots.curve(ax, kind([1.0, 3.0, 4.0]), kind([5.0, 2.0, 7.0]), plots.MODEL, "model", linewidth=0.5)
    assert line.get_xdata().tolist() == [1, 3, 4] and line.get_ydata().tolist() == [5, 2, 7]
    assert line.get_color() == plots.MODEL and line.get_label() == "model" and line.get_linewidth() == 0.5
    assert line in ax.lines and plots.curve(ax, [0], [0]).get_color() == plots.DATA


@pytest.mark.parametrize("x, y", [((5, 1), (5,)), ((5,), (5, 1)), ((5,), (5, 3)), ((5, 1), (5, 3)), ((5, 3), (5, 3))])
def test_a_column_of_points_and_many_curves_over_one_x_are_drawn(x, y):
    _, ax = plots.panels()
    plots.curve(ax, torch.rand(x), torch.rand(y))
    assert len(ax.lines) == max(torch.Size(x)[1:].numel(), torch.Size(y)[1:].numel())


@pytest.mark.parametrize("x, y", [((5,), (4,)), ((5, 2), (5, 3)), ((5, 1), (4,)), ((5, 1, 1), (5,)), ((5,), ())])
def test_points_that_do_not_belong_together_are_refused(x, y):
    _, ax = plots.panels()
    with pytest.raises(ValueError, match="A curve wants as many x as y"):
        plots.curve(ax, torch.rand(x), torch.rand(y))


def test_row_0_of_a_map_is_at_the_bottom():
    figure, ax = plots.panels(width=4, height=4)
    values = torch.zeros(3, 3)
    values[0, 2] = 1
    plots.heat(ax, values, interpolation="nearest")
    assert sum(drawn_colour(figure, ax, (2, -2))) < 200 and figure.axes  # dark: bottom right
    assert sum(drawn_colour(figure, ax, (-2, 2))) > 700


@pytest.mark.parametrize("shape, fits", [
    ((2, 3), True), ((2, 3, 3), True), ((3, 2, 4), True), ((2, 3, 2), False), ((2, 3, 5), False), ((2, 3, 1), False),
    ((4,), False), ((2, 2, 3, 3), False), ((0, 3), False), ((2, 3, 3, 3), False), ((3, 0, 3), False),
])  # fmt: skip
def test_a_map_is_of_numbers_or_of_colours(shape, fits):
    _, ax = plots.panels()
    if fits:
        assert plots.heat(ax, np.full(shape, 0.5), label="density").get_label() == "density"
    else:
        with pytest.raises(ValueError, match="A map wants values"):
            plots.heat(ax, np.full(shape, 0.5))


@pytest.mark.parametrize("many", [{"rows": 0}, {"rows": 101}, {"columns": 0}, {"columns": 101}])
def test_there_are_at_most_a_hundred_rows_and_columns_of_panels(many):
    with pytest.raises(ValueError, match="from 1 to 100"):
        plots.panels(**many)


def test_titles_need_room_for_the_tallest_of_them():
    assert plots._height(["one", "one\ntwo\nthree", "one\ntwo"], 0.5, 0.25) == 0.5 + 3 * 0.25
    assert plots._height([], 0.5, 0.25) == 0


def test_methods_of_a_panel_keep_their_names():
    own = {name: method for name, method in vars(plots.Panel).items() if callable(method) and name[:2] != "__"}
    assert own and all(method.__name__ == name for name, method in own.items())


def test_half_precision_is_drawn_as_it_is():
    values = torch.tensor([0.5, -1.25, 3.0])
    for dtype in (torch.bfloat16, torch.float16):
        np.testing.assert_array_equal(as_array(values.to(dtype)), values.numpy())
    assert as_array(values.double()).dtype == np.float64


def test_an_arrow_is_as_long_as_its_vector():
    figure, ax = plots.panels(width=4, height=4)
    plots.arrows(ax, torch.tensor([[-1.0, 0.0]]), torch.tensor([[2.0, 0.0]]), width=0.02)
    assert sum(drawn_colour(figure, ax, (0.9, 0))) < 300
    assert sum(drawn_colour(figure, ax, (1.1, 0))) > 700 and sum(drawn_colour(figure, ax, (-1.1, 0))) > 700


@pytest.mark.parametrize("points", [torch.zeros(5), torch.zeros(5, 3), torch.zeros(2, 5, 2)])
def test_points_of_another_shape_are_refused(points):
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        plots.scatter(plots.panels()[1], points)


# One style


def contrast(a, b="#FFFFFF"):
    """Between two colours, from 1 to 21, as WCAG 2.2 defines it: of relative luminances, each plus 0.05."""
    found = []
    for colour in (a, b):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        found.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(found) / min(found)


def test_contrast_is_what_wcag_says():
    assert contrast("#000000") == pytest.approx(21) and contrast("#FFFFFF") == 1
    assert contrast("#767676") > 4.5 > contrast("#777777")  # the lightest grey that text may have
    assert contrast("#FF0000", "#000000") == pytest.approx(5.25, abs=0.01)


def test_every_colour_stands_out_from_white():
    """Lines, marks and areas by 3 to 1, letters by 4.5 to 1 (WCAG 2.2, success criteria 1.4.11 and 1.4.3)."""
    assert {colour: contrast(colour) for colour in plots.LINES if contrast(colour) < 3} == {}
    letters = {plots.STYLE[key] for key in plots.STYLE if key.endswith("color") and key.split(".")[0] != "axes"}
    letters |= {plots.STYLE[f"axes.{part}color"] for part in ("title", "label", "edge")} - {"white"}
    assert {colour: contrast(colour) for colour in letters if colour != "white" and contrast(colour) < 4.5} == {}
    scripts = " ".join(path.read_text() for path in Path(plots.__file__).parent.glob("*.js"))
    assert {colour: contrast(colour) for colour in re.findall("#[0-9A-F]{6}", scripts) if contrast(colour) < 3} == {}


def grey(colour):
    return np.dot([0.299, 0.587, 0.114], [int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def test_no_two_meanings_look_alike_in_grey():
    """Each pair differs by 30 of 255 grey levels or in its line pattern."""
    colours = list(plots.LINES)
    assert len(set(colours)) == 6
    for i, a in enumerate(colours):
        for b in colours[i + 1 :]:
            assert abs(grey(a) - grey(b)) > 30 or plots.LINES[a] != plots.LINES[b], (a, b)


def test_a_panel_keeps_the_style_after_the_context_is_left():
    _, ax = plots.panels()
    line = plots.curve(ax, [0, 1], [0, 1], plots.MODEL, "a")
    ax.set_title("left")
    assert line.get_linewidth() == 1.8 and ax.get_title(loc="left") == "left" and not ax.spines["top"].get_visible()
    assert not ax.legend().get_frame_on()


def test_global_settings_are_left_alone():
    with mpl.rc_context({key: mpl.rcParamsDefault[key] for key in plots.STYLE}):
        before = dict(mpl.rcParams)
        figure, ax = plots.panels(1, 1, title="a")
        plots.scatter(ax, torch.zeros(1, 2))
        plots.png(figure)
        plots.png(plots.image_grid(RAMP, 3, title="a"))
        assert dict(mpl.rcParams) == before


@pytest.mark.slow
def test_png_is_the_same_bytes_each_time_and_small():
    def draw():
        figure, axes = plots.panels(1, 3, height=2.9, title=SENTENCE)
        for ax in axes:
            plots.scatter(ax, torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)))
        return plots.png(figure)

    assert draw() == draw() and len(draw()) < 40_000


# Showing a figure in a notebook


def test_show_gives_the_titles_to_those_who_cannot_see(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda data, raw, metadata: shown.append((data, metadata)))
    figure, axes = plots.panels(1, 2, title="One sentence", height=2)
    axes[0].set_title(SENTENCE)
    plots.show(figure)
    data, metadata = shown[0]
    assert data["text/plain"] == f"Figure: One sentence | {SENTENCE}" == metadata["image/png"]["alt"]
    assert opened(data["image/png"]).size == (700, 200) and not plt.get_fignums()
    plots.show(plots.image_grid(RAMP, 3), alt="six greys")
    assert shown[1][0]["text/plain"] == "six greys"


@pytest.mark.parametrize("static", ["", "1"])
def test_a_figure_has_its_text_in_html_too_but_not_in_stored_notebooks(static, monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setenv("MINIDIFF_STATIC", static)
    monkeypatch.setattr(IPython.display, "display", lambda data, raw, metadata: shown.append(data))
    plots.show(plots.image_grid(RAMP, 3), alt='a "b" < c & d')
    (data,) = shown
    if static:
        assert set(data) == {"image/png", "text/plain"}
    else:
        texts, pictures = [], []

        class Reader(HTMLParser):
            def handle_starttag(self, tag, attrs):
                assert tag == "img"
                texts.append(dict(attrs)["alt"])
                pictures.append(dict(attrs)["src"])

        Reader().feed(data["text/html"])
        assert texts == ['a "b" < c & d']
        assert base64.b64decode(pictures[0].removeprefix("data:image/png;base64,")) == data["image/png"]
