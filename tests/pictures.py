"""A pytest plugin for what nbval leaves out: the environment its kernels need, and pictures, which it never compares.

Each stored PNG is compared with the fresh one as a grey thumbnail of 48 x 32 points, a film by its first, middle and
last frame. That forgives fonts and versions of matplotlib and catches a missing curve. It does not see a small change
of a curve: that is what `plots.plotted` is for.
"""

import base64
import binascii
import io
import os

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

SIZE = (48, 32)
MEAN, WORST, SHAPE = 3, 75, 0.1  # of 255 grey levels; of the ratio of width to height

os.environ["OMP_NUM_THREADS"] = "1"  # before anything imports torch
from minidiff.course import notebooks  # noqa: E402

os.environ.update(notebooks.environment())  # nbval's kernels inherit it
del os.environ["MPLBACKEND"]  # which a kernel sets itself, and a unit test must not


def pytest_configure(config):
    """nbval looks for its file in the current folder; the tests may be started from any folder of the clone."""
    if name := config.getoption("nbval_sanitize_with"):
        config.option.nbval_sanitize_with = str(config.rootpath / name)


def thumbnails(png: str) -> tuple[list[np.ndarray], float]:
    """Grey thumbnails of the first, middle and last frame of a picture in base64, and its width over its height."""
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    frames = getattr(picture, "n_frames", 1)
    found = []
    for frame in sorted({0, frames // 2, frames - 1}):
        picture.seek(frame)
        found.append(np.asarray(picture.convert("L").resize(SIZE, Image.Resampling.BOX), dtype=float))
    return found, picture.width / picture.height


def difference(stored: str, fresh: str) -> str:
    """Why two pictures are not the same, or "" if they are."""
    try:
        (old, old_shape), (new, new_shape) = thumbnails(stored), thumbnails(fresh)
    except (UnidentifiedImageError, OSError, ValueError, binascii.Error, SyntaxError) as error:
        return f"cannot be read ({type(error).__name__})"
    if len(old) != len(new) or abs(old_shape / new_shape - 1) > SHAPE:
        return "has another shape or another number of frames"
    mean = max(abs(a - b).mean() for a, b in zip(old, new, strict=True))
    worst = max(abs(a - b).max() for a, b in zip(old, new, strict=True))
    if mean <= MEAN and worst <= WORST:
        return ""
    return f"differs: thumbnails by {mean:.1f} on average, {worst:.0f} at most, of 255 (limits {MEAN} and {WORST})"


def pictures(outputs: list) -> list[str]:
    return [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def compare(stored: list, fresh: list) -> str:
    """Why the pictures among two lists of outputs are not the same, or ""."""
    old, new = pictures(stored), pictures(fresh)
    if len(old) != len(new):
        return f"{len(new)} pictures were drawn, {len(old)} are stored"
    return "; ".join(
        f"picture {k} {why}" for k, pair in enumerate(zip(old, new, strict=True)) if (why := difference(*pair))
    )


def pytest_collectstart(collector):
    if type(collector).__name__ == "IPyNbFile":
        collector.skip_compare += ("stderr",)  # pictures are compared here, stderr by the hygiene test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield  # nbval has run the cell and compared its text
    checked = type(item).__name__ == "IPyNbCell" and item.options["check"] and not item.options["skip"]
    if checked and (why := compare(item.cell.outputs, item.test_outputs or [])):
        item.raise_cell_error(why)
    return result
