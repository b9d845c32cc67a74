"""Assignments as nbgrader writes them: its markers and metadata, so that nbgrader takes them as they are.

A source holds solutions between ### BEGIN SOLUTION and ### END SOLUTION, and tests that only the teacher runs between
### BEGIN HIDDEN TESTS and ### END HIDDEN TESTS. A release has neither.
"""

import copy
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ...data.files import clones, write_atomically
from ..notebooks import NotebookError, load

PART = r"^(?P<indent>[ \t]*)### BEGIN {0}\b.*?^[ \t]*### END {0}\b[^\n]*\n?"
SOLUTION, HIDDEN = (re.compile(PART.format(name), re.S | re.M) for name in ("SOLUTION", "HIDDEN TESTS"))
STUB = "{indent}# YOUR CODE HERE\n{indent}raise NotImplementedError()\n"  # nbgrader's own


def about(cell: NotebookNode) -> dict:
    """What nbgrader knows of a cell; empty for a cell of the student's own."""
    found = cell.metadata.get("nbgrader")
    return found if isinstance(found, dict) and found.get("grade_id") else {}


def is_test(cell: NotebookNode) -> bool:
    """Whether points are given for what the cell finds."""
    return bool(about(cell).get("grade")) and not about(cell).get("solution")


def visible(source: str) -> str:
    """A cell as students get it: stubs for solutions, no hidden test."""
    return HIDDEN.sub("", SOLUTION.sub(lambda found: STUB.format(indent=found["indent"]), source)).rstrip("\n")


def released(source: NotebookNode) -> NotebookNode:
    """The notebook as students get it, without outputs."""
    notebook = copy.deepcopy(source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, cell.outputs, cell.execution_count = visible(cell.source), [], None
    return notebook


def folder() -> Path:
    """Where the assignments are, in a clone. Raises FileNotFoundError."""
    for root in clones():
        if (found := root / "notebooks" / "assignments").is_dir():
            return found
    raise FileNotFoundError("no assignments were found: run this inside a clone of the minidiff repository")


def sources(where: Path | None = None) -> dict[str, Path]:
    """The assignments by name: source/NAME/*.ipynb, or release/NAME/*.ipynb where there is no source."""
    where = where or folder()
    for kind in ("source", "release", "."):
        if found := sorted((where / kind).glob("*/*.ipynb")):
            return {path.parent.name: path for path in found}
    raise FileNotFoundError(f"{where} holds no assignment: source/NAME/NAME.ipynb is wanted")


def main_release(where: Path | None) -> int:
    """Write release/NAME/NAME.ipynb for every source. Prints a line each; 1 if one was no notebook."""
    failed = False
    for name, path in sources(where).items():
        if path.parents[1].name != "source":
            raise FileNotFoundError(f"{path.parents[2]} holds no source folder: a release is made from one")
        try:
            text = nbformat.writes(released(load(path))) + "\n"
        except NotebookError as error:
            failed = True
            print(f"{path}: {error}")
            continue
        out = path.parents[2] / "release" / name / path.name
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, text.encode())
        print(f"wrote {out.relative_to(path.parents[2])}")
    return int(failed)
