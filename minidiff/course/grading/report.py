"""What a grade says, to a person and to a program; and a whole class of notebooks by one command."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ...data.files import write_atomically
from ..notebooks import NotebookError
from .grade import Grade, Limits, Question, fingerprint, grade
from .release import sources


def text(found: Grade) -> str:
    """A grade for a person: points, what is wrong, the likely mistake, and where to look."""
    lines = [f"{found.assignment}, {found.file}: {_summary(found)}"]
    for one in found.questions:
        word = "yours" if one.points == one.of else "to do" if "still to be written" in one.said else "not yet"
        score = "" if one.score is None else f", score {one.score:.4g}"
        lines.append(f"  {word:7}  {one.name:<18} {one.points:g} of {one.of:g}{score}  {one.said}".rstrip())
        lines += [f"           see {one.look}"] * bool(one.look and one.said)
    return "\n".join([*lines, *(f"  note     {note}" for note in found.notes)])


def _summary(found: Grade) -> str:
    if found.visible:
        passed = sum(one.points == one.of for one in found.questions)
        return f"visible checks passed: {passed} of {len(found.questions)} (others are run when it is handed in)"
    return f"{found.points:g} of {found.of:g} points (seed {found.seed}, {found.seconds:g} s)"


def as_json(found: Grade) -> dict:
    """A grade for a program."""
    return {"minidiff_grade": 1, "points": found.points, "of": found.of} | asdict(found)


def main_grade(
    paths: list[Path], where: Path | None, out: Path | None, limits: Limits, *, hidden: bool = True, plain: bool = True
) -> int:
    """Grade notebooks, or all in a folder, and print what was found; 0 if each of them has all points, else 1.

    paths: notebooks and folders.
    where: the folder of the assignments (default: that of the clone).
    out: a folder for one JSON and one text a notebook, grades.csv and leaderboard.csv; what is there already for the
        same notebook and the same assignment is not done again.
    limits: of time and memory, and the seed.
    hidden: whether to run what students do not see.
    plain: print text; False: JSON, one line a notebook.
    """
    rows = []
    if missing := [path for path in paths if not path.exists()]:
        raise FileNotFoundError(f"{missing[0]}: there is no such file or folder")
    sources(where)
    for path, name in notebooks(paths):
        stored = out / f"{name}.json" if out else None
        if (row := _again(stored, path, where)) is None:
            found = _graded(path, where, limits, hidden)
            found.file = f"{name}.ipynb"  # in a class all are called alike; their folders are not
            row = as_json(found) | {"name": name}
            _keep(stored, found, row)
            print(text(found) if plain else json.dumps(row), flush=True)
        rows.append(row)
    if not rows:
        raise FileNotFoundError(f"no notebook was found in {', '.join(map(str, paths))}")
    if out:
        _tables(rows, out)
        print(f"{len(rows)} notebooks: {out / 'grades.csv'}")
    return int(any(row["points"] < row["of"] for row in rows))


def _graded(path: Path, where: Path | None, limits: Limits, hidden: bool) -> Grade:
    """The grade, that of what is no notebook too."""
    try:
        return grade(path, where, limits, hidden=hidden)
    except NotebookError as error:
        return Grade("none", path.name, questions=[Question("notebook", 1.0, said=f"it {error}.")])


def _keep(stored: Path | None, found: Grade, row: dict) -> None:
    if stored:
        stored.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(stored.with_suffix(".txt"), (text(found) + "\n").encode())
        write_atomically(stored, (json.dumps(row, indent=1) + "\n").encode())


def notebooks(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each notebook, and what to call it: its path within the folder that was named."""
    for path in paths:
        inside = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        for one in inside:
            if ".ipynb_checkpoints" not in one.parts:
                yield one, one.relative_to(path).with_suffix("").as_posix() if path.is_dir() else one.stem


def _again(stored: Path | None, path: Path, where: Path | None) -> dict | None:
    """What was found before for the same notebook and assignment, or None."""
    try:
        row = json.loads(stored.read_text()) if stored else {}
        return row if (row["sha256"], row["source"]) == fingerprint(path, where, row["assignment"]) else None
    except (OSError, ValueError, KeyError, TypeError, NotebookError):
        return None


def _tables(rows: list[dict], out: Path) -> None:
    """Write grades.csv, and leaderboard.csv where a question has a score, the lowest first."""
    names = list(dict.fromkeys(f"{row['assignment']}.{one['name']}" for row in rows for one in row["questions"]))
    table = [["name", "assignment", "points", "of", *names, "notes"]]
    for row in rows:
        points = {f"{row['assignment']}.{one['name']}": one["points"] for one in row["questions"]}
        table.append([row["name"], row["assignment"], row["points"], row["of"],
                      *(points.get(name, "") for name in names), " | ".join(row["notes"])])  # fmt: skip
    scores = [(one["score"], row["name"], row["assignment"], one["name"]) for row in rows for one in row["questions"]
              if one["score"] is not None]  # fmt: skip
    _write(out / "grades.csv", table)
    if scores:
        _write(out / "leaderboard.csv", [["score", "name", "assignment", "question"], *sorted(scores)])


def _write(path: Path, table: list) -> None:
    held = io.StringIO()
    csv.writer(held).writerows([[_cell(one) for one in row] for row in table])
    write_atomically(path, held.getvalue().encode())


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t" and value[:1] else value
