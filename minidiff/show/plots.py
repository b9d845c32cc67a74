"""Figures in one style: they draw, they never compute. The only module that imports matplotlib.

A figure carries one message, said in its title as a sentence. Colours have fixed meanings, and a contrast of at least
3 to 1 with white; each has its own line pattern as well, so that nothing depends on colour alone. Nothing here changes
matplotlib's global settings.
"""

import base64
import contextlib
import functools
import html
import io
import math
import os
import textwrap
from collections.abc import Sequence
from typing import Any, cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like, to_rgba_array
from matplotlib.figure import Figure
from PIL import Image

from ..refusals import described, number, require, whole
from .pixels import Limits, as_array, as_pixels, default_columns, encode, tile

DATA = "#4477AA"
NOISE = "#909090"
MODEL = "#EE6677"
EXACT = "#222222"
SECOND = "#228833"
HIGHLIGHT = "#9F9235"
LINES = {
    DATA: "solid",
    NOISE: "solid",
    MODEL: (0, (5, 1.5)),
    EXACT: "solid",
    SECOND: (0, (6, 1.5, 1.5, 1.5)),
    HIGHLIGHT: (0, (1.5, 1.2)),
}
DPI = 100
WIDEST = 7.0  # inches: 700 pixels
TITLE, HEAD, SMALLEST = 10.5, 9, 6  # sizes of letters, in points
POINTS = 72  # in an inch
LETTER = 0.55  # the width of an average letter, in units of its size
STYLE: Any = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": EXACT,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.titlecolor": EXACT,
    "axes.labelsize": 10,
    "axes.labelcolor": EXACT,
    "axes.edgecolor": "#555555",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.grid": False,
    "axes.prop_cycle": cycler(color=[DATA, MODEL, SECOND, HIGHLIGHT, EXACT, NOISE]),
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 2.6,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
}


def style():
    """A context in which matplotlib draws in the house style: `with style(): ...`."""
    return mpl.rc_context(STYLE)


def _in_style(method):
    @functools.wraps(method)
    def styled(self, *args, **kwargs):
        with style():
            return method(self, *args, **kwargs)

    return styled


class Panel(Axes):
    """Axes that keep the house style whenever they are drawn on, and whose titles may be whole sentences."""

    plot, scatter, hist, bar = map(_in_style, (Axes.plot, Axes.scatter, Axes.hist, Axes.bar))
    imshow, legend, text, annotate = map(_in_style, (Axes.imshow, Axes.legend, Axes.text, Axes.annotate))
    set_xlabel, set_ylabel = _in_style(Axes.set_xlabel), _in_style(Axes.set_ylabel)

    @_in_style
    def set_title(self, label, *args, **kwargs):
        _refuse_odd_text("a title", label)
        place, figure = self.get_subplotspec(), cast(Figure, self.get_figure())
        part = len(place.colspan) / place.get_gridspec().ncols if place else 1.0
        inches = figure.get_figwidth() * part - 0.55
        return super().set_title(_wrapped(label, inches, TITLE), *args, **kwargs)


def panels(
    rows: int = 1, columns: int = 1, *, width: float = WIDEST, height: float = 2.6, title: str | None = None, **options
) -> tuple[Figure, Panel | np.ndarray]:
    """A figure and its axes in the house style: one Panel for 1 x 1, else an array as from plt.subplots.

    rows, columns: how many panels.
    width: of the whole figure, in inches (1 inch = 100 pixels), at most 7.
    height: of EACH row, in inches.
    title: a sentence above all panels.
    options: go to plt.subplots (sharex, sharey, gridspec_kw, ...).

    Raises ValueError for other sizes.
    """
    rows, columns = whole("rows", rows, 1, 100), whole("columns", columns, 1, 100)
    width, height = number("width", width, 0.1), number("height", height, 0.1, 100)
    _refuse_if_too_wide(width)
    _refuse_odd_text("title", title)
    with style():
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(width, height * rows),
            layout="constrained",
            subplot_kw={"axes_class": Panel},
            **options,
        )
        for ax in figure.axes:
            ax.tick_params(labelsize=9, color="#555555", labelcolor="#555555", length=3, width=0.8)
        if title:
            figure.suptitle(_wrapped(title, width, 11.5), x=0.01, ha="left", fontsize=11.5, color=EXACT)
    return figure, axes


def curve(ax: Axes, x, y, color: str = DATA, label: str | None = None, **options):
    """One line, in the pattern that belongs to its colour. Returns the line.

    ax: where to draw.
    x, y: (n,), or (n, k) for k lines, numbers, arrays or tensors.
    color, label: of the line.
    options: go to Axes.plot.
    """
    _refuse_odd_drawing(ax, label)
    _refuse_odd_color(color, 0)
    x, y = as_array(x), as_array(y)
    columns = {array.shape[1] for array in (x, y) if array.ndim == 2} - {1}  # matplotlib repeats a single one
    fits = x.shape[:1] == y.shape[:1] and max(x.ndim, y.ndim) <= 2 and len(columns) <= 1
    require(fits, f"A curve wants as many x as y, (n,) both; got {x.shape} and {y.shape}.")
    options = {"linestyle": LINES.get(color, "solid"), **options}
    return ax.plot(x, y, color=color, label=label, **options)[0]


def scatter(
    ax: Axes,
    points,
    color: str = DATA,
    label: str | None = None,
    limit: float | None = 3.0,
    size: float = 4.0,
    **options,
):
    """A cloud of 2-D points in equal aspect.

    ax: where to draw.
    points: (n, 2).
    color, label: of all points.
    limit: both axes go from -limit to limit; None leaves the axes as they are.
    size: the area of a point, in squared points of type.
    options: go to Axes.scatter.
    """
    _refuse_odd_drawing(ax, label, limit)
    points, area = _points(points), as_array(size)
    _refuse_odd_color(color, len(points))
    known = area.dtype.kind != "b" and np.isfinite(area).all() and (area > 0).all()
    require(
        known and area.shape in ((), (len(points),)),
        f"size must be above 0, one or one a point; got {described(size)}.",
    )
    dots = ax.scatter(points[:, 0], points[:, 1], s=area, color=color, label=label, linewidths=0, **options)
    _square(ax, limit)
    return dots


def heat(ax: Axes, values, limit: float = 3.0, label: str | None = None, **options):
    """A map of values over the square from -limit to limit.

    ax: where to draw.
    values: (rows, columns), row 0 at the bottom; or (rows, columns, 3 or 4), colours.
    limit: half the side of the square.
    label: of the map, for a legend.
    options: go to Axes.imshow.
    """
    limit = number("limit", limit)
    _refuse_odd_drawing(ax, label, limit)
    values = as_array(values)
    fits = values.ndim in (2, 3) and values.shape[2:] in ((), (3,), (4,)) and values.size  # or colours already
    require(fits, f"A map wants values (rows, columns); got {values.shape}.")
    options = {"cmap": "Blues", "origin": "lower", "interpolation": "bilinear", **options}
    picture = ax.imshow(values, extent=(-limit, limit, -limit, limit), label=label, **options)
    _square(ax, limit)
    return picture


def arrows(ax: Axes, points, vectors, color: str = EXACT, limit: float | None = 3.0, **options):
    """Arrows of true length, in the units of the axes.

    ax: where to draw.
    points: (n, 2), where they begin.
    vectors: (n, 2), how far each goes.
    color: of all arrows, or of each.
    limit: both axes go from -limit to limit; None leaves the axes as they are.
    options: go to Axes.quiver.
    """
    _refuse_odd_drawing(ax, limit=limit)
    (x, y), (u, v) = _points(points).T, _points(vectors).T
    require(len(x) == len(u), f"There are {len(x)} points and {len(u)} vectors: give one arrow for each point.")
    _refuse_odd_color(color, len(x))
    options = {"angles": "xy", "scale_units": "xy", "scale": 1.0, "width": 0.004, **options}
    drawn = ax.quiver(x, y, u, v, color=color, **options)
    _square(ax, limit)
    return drawn


def image_grid(
    images,
    columns: int | None = None,
    *,
    row_titles: Sequence[str] | None = None,
    column_titles: Sequence[str] | None = None,
    title: str | None = None,
    limits: Limits = (0.0, 1.0),
    scale: int | None = None,
) -> Figure:
    """A figure of images in a grid, pixel for pixel, one grey scale for all, with titles for rows and columns.

    images, columns, limits: as in `tile`.
    row_titles, column_titles: a text for each row, and for each column.
    title: a sentence above the grid.
    scale: screen pixels for one image pixel (default: the largest that fits).

    Raises ValueError if the grid would be wider than 700 pixels or the titles do not match the rows and columns.
    """
    count, high, wide = as_pixels(images, limits).shape[:3]
    columns = whole("columns", default_columns(count) if columns is None else columns, 1, 1000)
    rows = math.ceil(count / columns)
    row_titles = [textwrap.fill(head, 12, break_long_words=False) for head in _titles("row", row_titles, rows)]
    column_titles = _titles("column", column_titles, columns)
    _refuse_odd_text("title", title)
    left = 0.12 + 0.075 * _longest(row_titles) if row_titles else 0.0
    room = DPI * (WIDEST - left)
    fit = min((room - 2 * columns) // (columns * wide), (5.2 * DPI - 2 * rows) // (rows * high))
    picture = tile(images, columns, scale=int(max(1, min(8, fit))) if scale is None else scale, limits=limits)
    _refuse_if_too_wide(left + picture.shape[1] / DPI)
    return _grid_figure(picture, left, row_titles, column_titles, rows, title or "")


def _grid_figure(
    picture: np.ndarray, left: float, row_titles: list[str], column_titles: list[str], rows: int, title: str
) -> Figure:
    """Place the tiled picture so that each of its pixels is one pixel of the figure.

    picture: the tiles.
    left: room for the row titles, in inches.
    row_titles, column_titles: one text for each row and column, or none at all.
    rows: how many.
    title: a sentence above all.
    """
    high, wide = picture.shape[0] / DPI, picture.shape[1] / DPI
    width = max(left + wide, 3.5 if title else 0.0)  # inches, as all lengths here
    title, column = _wrapped(title, width, TITLE), wide / max(1, len(column_titles))
    heads = [_wrapped(head, column, HEAD) for head in column_titles]
    narrow = column * POINTS / (LETTER * max(1, _longest(heads)))  # so that neighbours do not touch
    small = min(HEAD, max(SMALLEST, narrow))
    total = high + _height(heads, 0.06, 0.16) + _height([title] if title else [], 0.1, 0.19)
    with style():
        figure = plt.figure(figsize=(width, total))
        ax = figure.add_axes((left / width, 0, wide / width, high / total))
        ax.imshow(picture, vmin=0, vmax=255, aspect="auto")
        ax.set_axis_off()
        figure.text(0, 1, title, va="top", ha="left", fontsize=TITLE)
        beside: dict[str, Any] = {"transform": ax.transAxes, "ha": "right", "va": "center", "size": HEAD}
        above: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "bottom", "size": small}
        for i, head in enumerate(heads):
            ax.text((i + 0.5) / len(heads), 1 + 0.05 / high, head, **above)
        for i, head in enumerate(row_titles):
            ax.text(-0.06 / wide, 1 - (i + 0.5) / rows, head, **beside)
    return figure


def _longest(heads: list[str]) -> int:
    """The number of letters of the longest line."""
    return max((len(line) for head in heads for line in head.split("\n")), default=0)


def _height(heads: list[str], gap: float, line: float) -> float:
    """The room that texts side by side need, in inches: a gap, and as many lines as the tallest has; 0 for none."""
    lines = max((head.count("\n") + 1 for head in heads), default=0)
    return gap + line * lines if lines else 0.0


def plotted(ax: Axes) -> dict[str, np.ndarray]:
    """What the axes really show, read back from what was drawn, by label (or line0, scatter0, image0, bars0, ...).

    Lines give their y values, (n,); scatters their points, (n, 2); images and maps their array; bars their heights.
    ValueError if two things carry one label, because then one would hide the other.
    """
    _refuse_odd_drawing(ax)
    drawn: list[tuple[str, Any, Any]] = [("line", line, line.get_ydata()) for line in ax.lines]
    drawn += [
        ("scatter", dots, dots.get_offsets())
        for dots in ax.collections
        if hasattr(dots, "get_sizes") and not hasattr(dots, "U")
    ]
    quivers: list[Any] = [it for it in ax.collections if hasattr(it, "U")]
    drawn += [("arrows", it, np.stack([it.U, it.V], axis=1)) for it in quivers]
    drawn += [("image", image, image.get_array()) for image in ax.images]
    drawn += [("bars", bars, [bar.get_height() for bar in bars]) for bars in ax.containers if hasattr(bars, "patches")]
    found: dict[str, np.ndarray] = {}
    seen: dict[str, int] = {}
    for kind, artist, values in drawn:
        label = str(artist.get_label())
        count = seen[kind] = seen.get(kind, -1) + 1
        name = label if label and not label.startswith("_") else f"{kind}{count}"
        if name in found:
            raise ValueError(f"Two things in this plot are labelled {name!r}; give each its own label.")
        found[name] = np.asarray(values, dtype=float)
    return found


def png(figure: Figure, dpi: float = DPI) -> bytes:
    """The figure as a small PNG (256 colours); the figure is closed and can still be read by `plotted`."""
    _refuse_no_figure(figure)
    number("dpi", dpi, 10, 1000)
    buffer = io.BytesIO()
    figure.draw_without_rendering()  # square panels find room for their titles only in a second pass
    figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(figure)
    return encode(np.asarray(Image.open(buffer).convert("RGB")))


def show(figure: Figure, alt: str | None = None) -> None:
    """Display the figure in a notebook as a PNG, with its title (or `alt`) as the text for those who cannot see it.

    Also the text that a strict notebook test compares. The figure is closed, so that it is not shown twice. JupyterLab
    gives a PNG no alternative text, so that there it goes out as HTML too; not into stored notebooks, for their size.
    """
    from IPython.display import display

    _refuse_no_figure(figure)
    _refuse_odd_text("alt", alt)
    alt, picture = alt or _spoken(figure), png(figure)
    bundle: dict[str, Any] = {"image/png": picture, "text/plain": alt}
    if not os.environ.get("MINIDIFF_STATIC"):
        source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        bundle["text/html"] = f'<img alt="{html.escape(alt)}" src="{source}">'
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}})


def _spoken(figure: Figure) -> str:
    """All titles of a figure in one line."""
    titles = [figure.get_suptitle()] + [text.get_text() for text in figure.texts]
    titles += [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center", "right")]
    said = list(dict.fromkeys(" ".join(title.split()) for title in titles if title.strip()))
    return "Figure: " + (" | ".join(said) or "untitled")


def _square(ax: Axes, limit: float | None) -> None:
    ax.set_aspect("equal", adjustable="box", anchor="W")
    if limit is not None:
        ax.set_xlim(-float(limit), float(limit))
        ax.set_ylim(-float(limit), float(limit))


def _wrapped(text: str, inches: float, size: float) -> str:
    """Break a sentence into lines that fit; a text with line breaks or formulas of its own is left alone."""
    if "\n" in text or "$" in text:
        return text
    return textwrap.fill(text, max(1, int(inches * POINTS / (LETTER * size))), break_long_words=False)


def _refuse_if_too_wide(width: float) -> None:
    if width > WIDEST + 1e-6:
        raise ValueError(
            f"A figure may be {WIDEST:g} inches (700 pixels) wide, so that it is read without scrolling; "
            f"got {width:.2f}. Use more rows, fewer columns or a smaller scale."
        )


def _titles(kind: str, titles: Sequence[str] | None, count: int) -> list[str]:
    """A title for each row or column, or none at all."""
    if titles is None:
        return []
    if not isinstance(titles, (list, tuple)) or not all(isinstance(title, str) for title in titles):
        raise TypeError(f"The {kind} titles must be a list of texts, not {described(titles)}.")
    require(len(titles) == count, f"There are {count} {kind}s but {len(titles)} {kind} titles.")
    return list(titles)


def _points(points) -> np.ndarray:
    points = as_array(points)
    fits = points.ndim == 2 and points.shape[1] == 2
    require(fits, f"What is drawn in the plane are points of shape (n, 2); got {points.shape}.")
    return points


def _refuse_odd_drawing(ax: Axes, label: str | None = None, limit: float | None = None) -> None:
    """Raise TypeError or ValueError for axes, a label or a limit that matplotlib would fail on."""
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be axes to draw on, as plots.panels makes them, not {described(ax)}.")
    _refuse_odd_text("label", label)
    if limit is not None:
        require(number("limit", limit) > 0, f"limit must be above 0, or None to leave the axes; got {limit}.")


def _refuse_odd_color(color, count: int) -> None:
    """Raise ValueError unless it is one colour, None for matplotlib's own, or one for each of count points."""
    fits = bool(color is None or is_color_like(color))
    with contextlib.suppress(TypeError, ValueError):
        fits = fits or (count > 0 and len(to_rgba_array(color)) == count)
    require(fits, f"color must be a colour that matplotlib knows, such as plots.DATA; got {described(color)}.")


def _refuse_odd_text(name: str, text: str | None) -> None:
    if text is not None and not isinstance(text, str):
        raise TypeError(f"{name} must be a text, or None for none, not {described(text)}.")


def _refuse_no_figure(figure: Figure) -> None:
    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a figure, as plots.panels makes them, not {described(figure)}.")
