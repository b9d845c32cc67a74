"""The picture check: what it forgives, what it catches, and that a tampered notebook really turns red."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pictures
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from minidiff.course import notebooks
from minidiff.show import plots, widgets

ROOT = Path(__file__).parents[2]


def encoded(png):
    return base64.b64encode(png).decode()


def figure(curve=True, width=5.0, size=9):
    drawn, axis = plots.panels(width=width)
    if curve:
        plots.curve(axis, np.linspace(0, 6), np.sin(np.linspace(0, 6)), plots.EXACT)
    axis.plot([0, 6], [0, 0], color=plots.NOISE)
    axis.set_xlabel("t", fontsize=size)
    return encoded(plots.png(drawn))


def film(last=0.5, moving=True):
    steps = [torch.full((1, 1, 8, 8), value) for value in (0.1, 0.3, 0.6, last)]
    return encoded(widgets.film(steps if moving else steps[:1]).film())


def test_another_font_size_is_forgiven():
    assert pictures.difference(figure(), figure(size=10)) == ""
    assert pictures.difference(film(), film()) == ""


@pytest.mark.parametrize("stored, fresh, why", [
    (figure(), figure(curve=False), "differs"),
    (figure(), figure(width=3.0), "another shape"),
    (film(), film(last=1.0), "differs"),
    (film(), film(moving=False), "another number of frames"),
    (encoded(b"not a picture"), figure(), "cannot be read"),
    ("not base64!", figure(), "cannot be read"),
    (figure()[: len(figure()) // 8 * 4], figure(), "cannot be read"),
])  # fmt: skip
def test_what_is_wrong_is_named(stored, fresh, why):
    assert why in pictures.difference(stored, fresh)


def test_a_missing_picture_is_named():
    shown = [{"data": {"image/png": figure()}}]
    assert pictures.compare(shown, []) == "0 pictures were drawn, 1 are stored"
    assert pictures.compare(shown, shown) == ""


PRINT = "import os\nfrom minidiff.show import plots\nprint('drawn with', os.environ['OMP_NUM_THREADS'], 'thread')"
DRAW = "f, a = plots.panels()\na.plot([0, 1, 4, 9], color=plots.EXACT, linewidth=8)\nplots.show(f)"


@pytest.mark.slow
def test_a_tampered_notebook_turns_red(tmp_path):
    """Under the project's own pytest settings, cells 0 and 1 pass and each tampered cell fails.

    Started from another folder and in a bare environment, for the settings must not depend on either.
    """
    path = tmp_path / "n.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(text) for text in (PRINT, DRAW, PRINT, DRAW, DRAW)]), path)
    notebooks.run(path)
    notebook = nbformat.read(path, 4)
    notebook.cells[2].outputs[0].update(text="painted\n")
    notebook.cells[3].outputs[0].data.update({"image/png": figure(curve=False)})
    notebook.cells[4].update(source=DRAW.replace("[0, 1, 4, 9]", "[9, 4, 1, 0]"))
    nbformat.write(notebook, path)
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-rA", "-n", "0"]
    bare = {key: value for key, value in os.environ.items() if key not in notebooks.ENVIRONMENT and key != "PYTHONPATH"}
    command = [sys.executable, "-m", "pytest", *settings, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=bare)
    lines = re.findall(r"^(PASSED|FAILED|ERROR) .*::Cell (\d)", done.stdout, re.M)
    told = {int(cell): verdict for verdict, cell in lines}
    assert told == {0: "PASSED", 1: "PASSED", 2: "FAILED", 3: "FAILED", 4: "FAILED"}, done.stdout[-3000:]
    assert "drawn with 1 thread" in notebook.cells[0].outputs[0].text
