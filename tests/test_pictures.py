"""The picture check: what it forgives, what it catches, and that a tampered notebook really turns red."""

import base64
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

import pictures
from minidiff import notebooks, plots, widgets

ROOT = Path(__file__).parents[1]


def encoded(png):
    return base64.b64encode(png).decode()


def figure(curve=True, width=5.0, size=9):
    drawn, axis = plots.panels(width=width)
    if curve:
        plots.curve(axis, np.linspace(0, 6), np.sin(np.linspace(0, 6)), plots.EXACT)
    axis.plot([0, 6], [0, 0], color=plots.NOISE)
    axis.set_xlabel("t", fontsize=size)
    return encoded(plots.png(drawn))


def film(last=0.5):
    steps = [torch.full((1, 1, 8, 8), value) for value in (0.1, 0.3, 0.6, last)]
    return encoded(widgets.film(steps).film())


def test_another_font_size_is_forgiven():
    assert pictures.difference(figure(), figure(size=10)) == ""
    assert pictures.difference(film(), film()) == ""


@pytest.mark.parametrize("stored, fresh, why", [
    (figure(), figure(curve=False), "differs"),
    (figure(), figure(width=3.0), "another shape"),
    (film(), film(last=1.0), "differs"),
    (film(), figure(), "another shape or another number"),
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


CELLS = ["from minidiff import plots\nprint('drawn')", "f, a = plots.panels()\na.plot([0, 1, 4, 9], color=plots.EXACT)\nplots.show(f)"]
TAMPERED = {
    "nothing": lambda n: None,
    "picture": lambda n: n.cells[1].outputs[0].data.update({"image/png": figure(curve=False)}),
    "text": lambda n: n.cells[0].outputs[0].update(text="painted\n"),
    "source": lambda n: n.cells[1].update(source=CELLS[1].replace("EXACT", "NOISE")),
}


def test_a_tampered_notebook_turns_red(tmp_path):
    """The README's own pytest settings, on one notebook told in four versions: only the untouched one passes."""
    path = tmp_path / "whole.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(text) for text in CELLS]), path)
    notebooks.run(path)
    for name, tamper in TAMPERED.items():
        notebook = nbformat.read(path, 4)
        tamper(notebook)
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    path.unlink()
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-rf"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    failed = {line.split()[1].split("/")[-1].split("::")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == {"picture.ipynb", "text.ipynb"}, done.stdout[-3000:]
