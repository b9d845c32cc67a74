"""Figures in one style: they draw, they never compute. The only module that imports matplotlib.

A figure carries one message, said in its title as a sentence. Colours have fixed meanings; each has its own line
pattern as well, so that nothing depends on colour alone. Nothing here changes matplotlib's global settings.
"""

import functools
import io
import math
import textwrap

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from .pixels import as_array, as_pixels, default_columns, encode, tile

DATA = "#4477AA"
NOISE = "#BBBBBB"
MODEL = "#EE6677"
EXACT = "#222222"
SECOND = "#228833"
HIGHLIGHT = "#CCBB44"
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
STYLE = {
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
    "axes.prop_cycle": mpl.cycler(color=[DATA, MODEL, SECOND, HIGHLIGHT, EXACT, NOISE]),
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
    set_xlabel, set_ylabel = map(_in_style, (Axes.set_xlabel, Axes.set_ylabel))

    @_in_style
    def set_title(self, label, *args, **kwargs):
        place = self.get_subplotspec()
        share = len(place.colspan) / place.get_gridspec().ncols if place else 1.0
        inches = self.get_figure().get_figwidth() * share - 0.55
        return super().set_title(_wrapped(label, inches, 10.5), *args, **kwargs)


def panels(
    rows: int = 1, columns: int = 1, *, width: float = WIDEST, height: float = 2.6, title: str | None = None, **options
) -> tuple[Figure, Panel | np.ndarray]:
    """A figure and its axes in the house style: one Panel for 1 x 1, else an array as from plt.subplots.

    width: of the whole figure, height: of EACH row, both in inches (1 inch = 100 pixels, width <= 7). title: a
    sentence above all panels. options go to plt.subplots (sharex, sharey, gridspec_kw, ...).
    """
    _refuse_if_too_wide(width)
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
    """One line, in the pattern that belongs to its colour. x, y: (n,) numbers, arrays or tensors. Returns the line."""
    options = {"linestyle": LINES.get(color, "solid"), **options}
    return ax.plot(as_array(x), as_array(y), color=color, label=label, **options)[0]


def scatter(
    ax: Axes,
    points,
    color: str = DATA,
    label: str | None = None,
    limit: float | None = 3.0,
    size: float = 4.0,
    **options,
):
    """A cloud of 2-D points, (n, 2), with equal aspect and both axes from -limit to limit (None: leave the axes)."""
    points = as_array(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"A scatter plot wants points of shape (n, 2); got {points.shape}.")
    dots = ax.scatter(points[:, 0], points[:, 1], s=size, color=color, label=label, linewidths=0, **options)
    _square(ax, limit)
    return dots


def heat(ax: Axes, values, limit: float = 3.0, label: str | None = None, **options):
    """A map of values, (rows, columns), over the square from -limit to limit; row 0 is at the bottom."""
    options = {"cmap": "Blues", "origin": "lower", "interpolation": "bilinear", **options}
    picture = ax.imshow(as_array(values), extent=(-limit, limit, -limit, limit), label=label, **options)
    _square(ax, limit)
    return picture


def arrows(ax: Axes, points, vectors, color: str = EXACT, limit: float | None = 3.0, **options):
    """Arrows of true length from points along vectors, both (n, 2), in the units of the axes."""
    (x, y), (u, v) = as_array(points).T, as_array(vectors).T
    options = {"angles": "xy", "scale_units": "xy", "scale": 1.0, "width": 0.004, **options}
    drawn = ax.quiver(x, y, u, v, color=color, **options)
    _square(ax, limit)
    return drawn


def image_grid(
    images,
    columns: int | None = None,
    *,
    row_titles=None,
    column_titles=None,
    title: str | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    scale: int | None = None,
) -> Figure:
    """A figure of images in a grid, pixel for pixel, one grey scale for all, with titles for rows and columns.

    images, columns and limits as in `tile`. scale: screen pixels for one image pixel (default: the largest that
    fits). ValueError if the grid would be wider than 700 pixels or the titles do not match the rows and columns.
    """
    high, wide = as_pixels(images, limits).shape[1:3]
    columns = columns or default_columns(len(images))
    rows = math.ceil(len(images) / columns)
    _refuse_odd_titles("row", row_titles, rows)
    _refuse_odd_titles("column", column_titles, columns)
    row_titles = [textwrap.fill(head, 12, break_long_words=False) for head in row_titles or []]
    left = 0.12 + 0.075 * max(len(line) for head in row_titles for line in head.split("\n")) if row_titles else 0.0
    room = DPI * (WIDEST - left)
    fit = min((room - 2 * columns) // (columns * wide), (5.2 * DPI - 2 * rows) // (rows * high))
    picture = tile(images, columns, scale=scale or int(max(1, min(8, fit))), limits=limits)
    _refuse_if_too_wide(left + picture.shape[1] / DPI)
    return _grid_figure(picture, left, rows, columns, row_titles, column_titles, title)


def _grid_figure(picture, left, rows, columns, row_titles, column_titles, title) -> Figure:
    """Place the tiled picture so that each of its pixels is one pixel of the figure."""
    high, wide = picture.shape[0] / DPI, picture.shape[1] / DPI
    width = max(left + wide, 3.5 if title else 0.0)
    title = _wrapped(title, width, 10.5) if title else ""
    heads = [_wrapped(head, wide / columns, 9) for head in column_titles or []]
    longest = max((len(line) for head in heads for line in head.split("\n")), default=0)
    small = min(9, max(6, wide / columns * 72 / (0.55 * max(1, longest))))  # points, so that neighbours do not touch
    over_columns = 0.06 + 0.16 * max(head.count("\n") + 1 for head in heads) if heads else 0.0
    total = high + over_columns + (0.1 + 0.19 * (title.count("\n") + 1) if title else 0.0)
    with style():
        figure = plt.figure(figsize=(width, total))
        ax = figure.add_axes((left / width, 0, wide / width, high / total))
        ax.imshow(picture, vmin=0, vmax=255, aspect="auto")
        ax.set_axis_off()
        figure.text(0, 1, title, va="top", ha="left", fontsize=10.5)
        for i, head in enumerate(heads):
            place = (i + 0.5) / columns, 1 + 0.05 / high
            ax.text(*place, head, transform=ax.transAxes, ha="center", va="bottom", size=small)
        for i, head in enumerate(row_titles):
            ax.text(-0.06 / wide, 1 - (i + 0.5) / rows, head, transform=ax.transAxes, ha="right", va="center", size=9)
    return figure


def plotted(ax: Axes) -> dict[str, np.ndarray]:
    """What the axes really show, read back from what was drawn, by label (or line0, scatter0, image0, bars0, ...).

    Lines give their y values, (n,); scatters their points, (n, 2); images and maps their array; bars their heights.
    ValueError if two things carry one label, because then one would hide the other.
    """
    drawn = [("line", line, line.get_ydata()) for line in ax.lines]
    drawn += [
        ("scatter", dots, dots.get_offsets())
        for dots in ax.collections
        if hasattr(dots, "get_sizes") and not hasattr(dots, "U")
    ]
    drawn += [("arrows", it, np.stack([it.U, it.V], axis=1)) for it in ax.collections if hasattr(it, "U")]
    drawn += [("image", image, image.get_array()) for image in ax.images]
    drawn += [("bars", bars, [bar.get_height() for bar in bars]) for bars in ax.containers if hasattr(bars, "patches")]
    found, seen = {}, {}
    for kind, artist, values in drawn:
        label = str(artist.get_label())
        number = seen[kind] = seen.get(kind, -1) + 1
        name = label if label and not label.startswith("_") else f"{kind}{number}"
        if name in found:
            raise ValueError(f"Two things in this plot are labelled {name!r}; give each its own label.")
        found[name] = np.asarray(values, dtype=float)
    return found


def png(figure: Figure, dpi: float = DPI) -> bytes:
    """The figure as a small PNG (256 colours); the figure is closed and can still be read by `plotted`."""
    buffer = io.BytesIO()
    figure.draw_without_rendering()  # square panels find room for their titles only in a second pass
    figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(figure)
    return encode(np.asarray(Image.open(buffer).convert("RGB")))


def show(figure: Figure, alt: str | None = None) -> None:
    """Display the figure in a notebook as a PNG, with its title (or `alt`) as the text for those who cannot see it.

    Also the text that a strict notebook test compares. The figure is closed, so that it is not shown twice.
    """
    from IPython.display import display

    alt = alt or _spoken(figure)
    display({"image/png": png(figure), "text/plain": alt}, raw=True, metadata={"image/png": {"alt": alt}})


def _spoken(figure: Figure) -> str:
    """All titles of a figure in one line."""
    titles = [figure.get_suptitle()] + [text.get_text() for text in figure.texts]
    titles += [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center", "right")]
    said = list(dict.fromkeys(" ".join(title.split()) for title in titles if title.strip()))
    return "Figure: " + (" | ".join(said) or "untitled")


def _square(ax: Axes, limit: float | None) -> None:
    ax.set_aspect("equal", adjustable="box", anchor="W")
    if limit is not None:
        ax.set_xlim(-limit, limit)
        ax.set_ylim(-limit, limit)


def _wrapped(text: str, inches: float, size: float) -> str:
    """Break a sentence into lines that fit; a text with line breaks or formulas of its own is left alone."""
    if "\n" in text or "$" in text:
        return text
    return textwrap.fill(text, max(1, int(inches * 72 / (0.55 * size))), break_long_words=False)


def _refuse_if_too_wide(width: float) -> None:
    if width > WIDEST + 1e-6:
        raise ValueError(
            f"A figure may be {WIDEST:g} inches (700 pixels) wide, so that it is read without scrolling; "
            f"got {width:.2f}. Use more rows, fewer columns or a smaller scale."
        )


def _refuse_odd_titles(kind: str, titles, number: int) -> None:
    if titles is not None and len(titles) != number:
        raise ValueError(f"There are {number} {kind}s but {len(titles)} {kind} titles.")
