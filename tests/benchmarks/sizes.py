"""How large each notebook is, how long it takes, and what its head and the README's table say of that.

    python -m tests.benchmarks.sizes                  # the table of sizes; what lies beyond them is marked !
    python -m tests.benchmarks.sizes --measure 03 12  # run these (default: all), and record their seconds
    python -m tests.benchmarks.sizes --write          # bring heads and README into agreement

words     runs of letters and digits in markdown, without <details>, code, formulas and addresses
lines     of code that the reader sees: neither blank nor in a hidden cell
cells     of code that the reader sees
figures   pictures in stored outputs, films too
turns     answers that `attempt` asks for; in a notebook that still has solution cells, each run of these
minutes   words / 180 + lines / 5 + 5 for each turn, rounded to five
seconds   of `minidiff notebooks run`, imports and the start of the kernel included, as times.json beside this file has
          them, with the machine; rounded to five where they are told. A copy is run: no output changes.

The five questions at the end of a notebook, a heading and a cell, are not counted.
"""

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import nbformat
import torch

from minidiff.course import notebooks
from minidiff.data.files import home, write_atomically
from tests.turns import attempts

ROOT = Path(__file__).parents[2]
README, TIMES = ROOT / "README.md", Path(__file__).with_name("times.json")
LIMITS = {"words": 2600, "lines": 280, "cells": 32}  # of a notebook of the main route
QUIZ = ("quiz-head", "quiz")  # ids of the five questions' cells
FOLDED = re.compile(r"<details>.*?</details>|^```.*?^```|\$\$.*?\$\$", re.S | re.M)
INLINE = re.compile(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|<[^>]*>|https?://\S+")
HEAD = re.compile(r"(\*\*Time(?::\*\*|\*\* \|) ).*?\bCPU cores?\b", re.S)
ROW = r"(\]\(notebooks/{name}\) \|.*\|) [^|]*\| [^|]*\|$"


class Size(NamedTuple):
    words: int
    lines: int
    cells: int
    figures: int
    turns: int

    @property
    def minutes(self) -> int:
        return 5 * round((self.words / 180 + self.lines / 5 + 5 * self.turns) / 5)


def size(cells: list) -> Size:
    """How large a notebook is, by its cells."""
    cells = [cell for cell in cells if cell.get("id") not in QUIZ]
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    words = re.findall(r"\w[\w'.,-]*", INLINE.sub(" ", FOLDED.sub(" ", prose)))
    code = [cell for cell in cells if cell.cell_type == "code"]
    seen = [cell.source for cell in code if not cell.metadata.get("jupyter", {}).get("source_hidden")]
    lines = [line for source in seen for line in source.splitlines() if line.strip()]
    figures = [output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    solved = ["solution" in cell.metadata.get("tags", []) for cell in cells]
    runs = sum(now and not before for before, now in pairwise([False, *solved]))
    turns = runs + sum(len(attempts(cell.source)) for cell in code)
    return Size(len(words), len(lines), len(seen), len(figures), turns)


def machine() -> str:
    """What the seconds are measured on."""
    about = Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""
    found = re.search(r"^model name\s*: (.+)$", about, re.M)
    name = found[1] if found else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}"


def seconds(path: Path) -> float:
    """How long a notebook runs, in a copy."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        begun = time.perf_counter()
        notebooks.run(copy)
        return time.perf_counter() - begun


def rounded(took: float) -> int:
    return 5 * max(1, round(took / 5))


def heads(cells: list) -> list:
    """The cells that say how long the notebook takes: there should be one."""
    return [cell for cell in cells if cell.cell_type == "markdown" and HEAD.search(cell.source)]


def headed(text: str, minutes: int, took: float) -> str:
    """A head with these times."""
    said = f"about {minutes} minutes with the exercises, in two halves; about {rounded(took)} seconds of computing"
    return HEAD.sub(rf"\g<1>{said} on two CPU cores", text)


def listed(readme: str, name: str, minutes: int, took: float) -> str:
    """The README with these times in the row of this notebook.

    readme: its text.
    name: the notebook's file.
    minutes: of reading and writing.
    took: seconds of computing.
    """
    return re.sub(ROW.format(name=re.escape(name)), rf"\1 {minutes} min | {rounded(took)} s |", readme, flags=re.M)


def measure(paths: list[Path]) -> None:
    """Run notebooks and record their seconds, each as soon as it is known."""
    home()  # without one no kernel starts
    for path in paths:
        took, times = seconds(path), json.loads(TIMES.read_text())
        print(f"{path.name}: {took:.1f} s", flush=True)
        times[path.name] = {"seconds": round(took, 1), "machine": machine()}
        write_atomically(TIMES, (json.dumps(times, indent=1, sort_keys=True) + "\n").encode())


def write(paths: list[Path]) -> None:
    """Bring the heads of notebooks and the README into agreement with what is counted and recorded."""
    times, readme = json.loads(TIMES.read_text()), README.read_text()
    for path in paths:
        notebook = notebooks.load(path)
        minutes, took = size(notebook.cells).minutes, times[path.name]["seconds"]
        readme = listed(readme, path.name, minutes, took)
        for cell in heads(notebook.cells):
            cell.source = headed(cell.source, minutes, took)
        write_atomically(path, (nbformat.writes(notebook) + "\n").encode())
    write_atomically(README, readme.encode())


def show(paths: list[Path]) -> None:
    times = json.loads(TIMES.read_text())
    print(f"{'':34}" + "".join(f"{name:>9}" for name in (*Size._fields, "minutes", "seconds")))
    for path in paths:
        found = size(notebooks.load(path).cells)
        marked = [f"{'!' * (value > LIMITS.get(name, value))}{value}" for name, value in found._asdict().items()]
        took = times.get(path.name, {}).get("seconds", "?")
        print(f"{path.name:34}" + "".join(f"{value:>9}" for value in (*marked, found.minutes, took)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", metavar="03", help="which notebooks (default: all)")
    parser.add_argument("--measure", action="store_true", help="run them and record their seconds")
    parser.add_argument("--write", action="store_true", help="write the times into heads and README")
    args = parser.parse_args()
    paths = [path for path in notebooks.every() if not args.numbers or path.name.split("_")[0] in args.numbers]
    if args.measure:
        measure(paths)
    if args.write:
        write(paths)
    show(paths)


if __name__ == "__main__":
    main()
