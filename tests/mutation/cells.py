"""Planted bugs in notebooks: change one symbol of a cell that computes, and see whether the notebook goes red.

    python -m tests.mutation.cells                     # 60 bugs drawn by a seed, two at a time
    python -m tests.mutation.cells --number 10 --seed 3 --only 07 12

The rule: from all notebooks alike, a line is drawn, and one of its mutants (rules.py). Imports, lines that draw, and
what readers still have to write are left out, since a title or a colour is no claim. Each mutant is run in a copy of the
clone as the README's test command runs it, outputs, pictures and what is behind the scenes included, up to the first
failure.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import nbformat

from tests.mutation.mutants import COPIED, ROOT, Mutant, mutants_of

DRAWS = re.compile(
    r"^\s*(?:from|import)\b|\b(?:plots|ax|axes|fig|panels|widgets|pixels|plt)\b|title|label|check|print\(|attempt\("
)
LIMIT = 600  # seconds of one notebook


def candidates(path: Path) -> dict[str, list[Mutant]]:
    """The mutants of a notebook's lines that compute, by the id of their cell."""
    found = {}
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code" and "..." not in cell.source and not re.search(r"^[%!]", cell.source, re.M):
            lines = cell.source.splitlines()
            mine = [one for one in mutants_of(cell.id, cell.source + "\n") if not DRAWS.search(lines[one.line - 1])]
            found |= {cell.id: mine} if mine else {}
    return found


def drawn(paths: list[Path], number: int, seed: int) -> list[tuple[Path, Mutant]]:
    """So many mutants: the notebooks in turn, of each a line, and of the line a mutant."""
    chance, chosen = random.Random(seed), []
    order = chance.sample(paths, len(paths))
    for k in range(number):
        path = order[k % len(order)]
        cells = candidates(path)
        places = sorted({(cell, one.line) for cell, mine in cells.items() for one in mine})
        cell, line = chance.choice(places)
        chosen.append((path, chance.choice([one for one in cells[cell] if one.line == line])))
    return chosen


def verdict(clone: Path, path: Path, mutant: Mutant) -> str:
    """What went red, or "" where nothing did."""
    notebook = nbformat.read(path, 4)
    (cell,) = [cell for cell in notebook.cells if cell.id == mutant.module and cell.cell_type == "code"]
    cell.source = mutant.text.rstrip("\n")
    (copy := clone / "notebooks" / path.name).write_text(nbformat.writes(notebook))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", str(copy)]
    try:
        ran = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "it ran too long"
    finally:
        copy.write_bytes(path.read_bytes())
    failed = re.search(r"^FAILED (.+)$", ran.stdout, re.M)
    return (failed[1] if failed else ran.stdout[-200:]) if ran.returncode else ""


def main() -> int:
    """Plant, run and print; 1 if fewer than 95 % went red."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=60, help="how many bugs (default 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="notebooks at a time (default 2)")
    parser.add_argument("--only", nargs="+", metavar="NN", help="these notebooks")
    a = parser.parse_args()
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    paths = [path for path in paths if not a.only or path.name.split("_")[0] in a.only]
    begun, green, done = time.perf_counter(), 0, 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(a.jobs) as pool:
        clones: SimpleQueue[Path] = SimpleQueue()
        for k in range(a.jobs):
            (clone := Path(folder) / str(k)).mkdir()
            subprocess.run(["cp", "-r", *(str(ROOT / name) for name in COPIED), str(clone)], check=True)
            clones.put(clone)

        def tried(one: tuple[Path, Mutant]) -> str:
            clone = clones.get()
            try:
                return verdict(clone, *one)
            finally:
                clones.put(clone)

        every = drawn(paths, a.number, a.seed)
        for (path, mutant), said in zip(every, pool.map(tried, every), strict=True):
            done, green = done + 1, green + (not said)
            print(f"{'red  ' if said else 'GREEN'} {path.name}, {mutant}\n    {said[:160]}", flush=True)
    print(f"{done - green} of {done} red, in {time.perf_counter() - begun:.0f} s")
    return int(green > 0.05 * done)


if __name__ == "__main__":
    raise SystemExit(main())
