"""Grade a notebook: the student's cells run in a process apart, the tests here, and only values pass between them.

A test cell earns its points if it raises nothing, as in nbgrader. Cells that were copied, moved, retyped, split or lost
are told of; what was locked is taken from the assignment again.
"""

import ast
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nbformat import NotebookNode

from ...data.files import ROOT
from ..checks import HINT
from ..notebooks import ENVIRONMENT, NotebookError, load
from . import sandbox
from .release import HIDDEN, about, is_test, released, sources, visible
from .wire import Broken, Missing, Raised, Wire


@dataclass
class Limits:
    """What a submission may use.

    seconds: of the whole notebook, tests included.
    question: seconds of one cell, or of one test; a test's own metadata may name another.
    memory: in gigabytes.
    seed: of the tests; None draws one.
    """

    seconds: float = 60.0
    question: float = 20.0
    memory: float = 8.0
    seed: int | None = None


@dataclass
class Question:
    """One test, and what came of it.

    name: the test's name.
    of: the points that it can give.
    points: those that it gave.
    said: what is wrong, and what to look at next.
    look: the notebook and the section that teach it.
    score: a number to compare a class by, where the test has set SCORE.
    """

    name: str
    of: float
    points: float = 0.0
    said: str = ""
    look: str = ""
    score: float | None = None


@dataclass
class Grade:
    """What came of a notebook.

    assignment: its name.
    file: the notebook's name.
    sha256, source: the hash of its bytes, and of the assignment's.
    questions: one a test.
    notes: what was done about the notebook's cells, and what it tried that it may not.
    seconds: how long it took.
    seed: what the tests drew their cases from.
    visible: whether only what students can see was checked.
    """

    assignment: str
    file: str
    sha256: str = ""
    source: str = ""
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    seed: int = 0
    visible: bool = False

    @property
    def points(self) -> float:
        return sum(question.points for question in self.questions)

    @property
    def of(self) -> float:
        return sum(question.of for question in self.questions)


def grade(path: Path, where: Path | None = None, limits: Limits | None = None, *, hidden: bool = True) -> Grade:
    """Grade one notebook.

    path: the student's.
    where: the folder of the assignments (default: that of the clone).
    limits: of time and memory.
    hidden: also run what students do not see; where the folder holds only a release, there is nothing hidden.

    Raises NotebookError for what is no notebook, or of no assignment.
    """
    begun, limits = time.monotonic(), limits or Limits()
    if path.is_file() and path.stat().st_size > 50_000_000:
        raise NotebookError("is larger than 50 MB: clear its outputs")
    mine = load(path)
    name, source = _assignment(mine, sources(where))
    hidden = hidden and any(HIDDEN.search(cell.source) for cell in source.cells)
    seed = int.from_bytes(os.urandom(3), "big") if limits.seed is None else limits.seed
    found = Grade(name, path.name, *fingerprint(path, where, name), seed=seed, visible=not hidden)
    cells, found.notes = aligned(mine, source)
    with Student(cells, limits, found.notes, [str(where)] if where else []) as student:
        found.questions = list(_tests(source if hidden else released(source), student, seed))
    if student.refused:
        found.notes += [
            f"it tries to {what}, so it gets no points until somebody has looked" for what in student.refused
        ]
        for question in found.questions:
            question.points, question.said = 0.0, question.said or "see the note below."
    found.seconds = round(time.monotonic() - begun, 1)
    return found


def fingerprint(path: Path, where: Path | None, assignment: str) -> tuple[str, str]:
    """The hashes of a notebook and of its assignment."""
    mine, source = (hashlib.sha256(one.read_bytes()).hexdigest() for one in (path, sources(where)[assignment]))
    return mine, source


def _assignment(mine: NotebookNode, known: dict[str, Path]) -> tuple[str, NotebookNode]:
    """The assignment that shares most of its cells with the notebook."""
    ids = {about(cell).get("grade_id") or cell.get("id") for cell in mine.cells}
    made = {name for cell in mine.cells for name in defines(cell.source)}
    books = {name: load(path) for name, path in known.items()}
    shared = dict.fromkeys(books, 0)
    for name, book in books.items():
        for cell in filter(about, book.cells):
            asked = defines(cell.source) if about(cell).get("solution") else set()
            shared[name] += (about(cell)["grade_id"] in ids) + len(made & asked)
    best = max(shared, key=lambda name: shared[name])
    if not shared[best]:
        raise NotebookError(f"belongs to none of the assignments {', '.join(known)}: it shares no cell with them")
    return best, books[best]


def defines(source: str) -> set[str]:
    """The names that a cell gives a meaning to; none where it is no Python."""
    try:
        tree = ast.parse("\n".join(line for line in source.splitlines() if not line.startswith(("!", "%"))))
    except (SyntaxError, ValueError):
        return set()
    made = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return made | {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def aligned(mine: NotebookNode, source: NotebookNode) -> tuple[list[tuple[str, str]], list[str]]:
    """The cells to run, as (what to call it, code), and a sentence for each that is not as it was handed out."""
    theirs = {about(cell)["grade_id"]: cell for cell in source.cells if about(cell)}
    asked = {key: defines(cell.source) for key, cell in theirs.items() if about(cell).get("solution")}
    setup = [(f"locked cell {key}", cell.source) for key, cell in theirs.items()
             if cell.cell_type == "code" and not is_test(cell) and key not in asked]  # fmt: skip
    cells, notes, seen = [], [], []
    for number, cell in enumerate(mine.cells, 1):
        key = _key(cell, theirs, asked)
        if key and key in seen:
            notes.append(f"two cells are {key}, copied or split: both run, and what is defined last counts")
        seen += [key] * bool(key)
        if key in asked and cell.cell_type != "code" and theirs[key].cell_type == "code":
            notes.append(f"{key} was turned into {cell.cell_type}: it is read as code")
        elif cell.cell_type != "code":
            continue
        if key and key not in asked:
            if cell.source.strip() not in (theirs[key].source.strip(), visible(theirs[key].source).strip()):
                notes.append(f"{key} is locked and was changed: the assignment's own is used")
        else:
            cells.append((f"cell {number}", cell.source))
    notes += [f"{key} is missing" + ("" if key in asked else ": the assignment's own is used")
              for key, cell in theirs.items() if key not in seen and cell.cell_type == "code"]  # fmt: skip
    known = [key for key in theirs if key in seen]
    if known != list(dict.fromkeys(seen)):
        notes.append("cells were moved: yours run in your order, after the locked ones")
    return setup + cells, notes


def _key(cell: NotebookNode, theirs: dict, asked: dict[str, set[str]]) -> str:
    """Which of the assignment's cells this is: by nbgrader's name, by its id, or by what it defines."""
    key = str(about(cell).get("grade_id") or cell.get("id"))
    if key in theirs:
        return key
    made = defines(cell.source)
    return next((key for key, names in asked.items() if names and names <= made), "")


class Student:
    """The process that holds the student's functions. A cell that ends it is left out, and the rest runs anew."""

    def __init__(self, cells: list[tuple[str, str]], limits: Limits, notes: list[str], secret: list[str]):
        """cells: what to run, as (what to call it, code).
        limits: of time and memory.
        notes: where to tell what became of the cells.
        secret: folders that may not be read.
        """
        self.cells, self.limits, self.notes = cells, limits, notes
        self.secret = [*secret, str(ROOT / "notebooks"), str(ROOT / "tests")]
        self.end = time.monotonic() + limits.seconds
        self.refused: list[str] = []
        self.left_out: set[int] = set()
        self.process: subprocess.Popen | None = None
        self.wire: Wire

    def __enter__(self) -> "Student":
        self.folder = tempfile.TemporaryDirectory(prefix="minidiff-grade-", ignore_cleanup_errors=True)
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.folder.cleanup()

    def _start(self) -> None:
        """Start the process and run the cells, again without one that ended it, at most five times."""
        for _ in range(5):
            if not self._run():
                return
        self.notes.append("its cells end the process again and again")

    def _run(self) -> bool:
        """Start the process and run the cells; whether one of them ended it, which then is left out."""
        number = -1
        try:
            self._open()
            while not (message := self.wire.receive()).get("ready"):
                number = message.get("begun", number)
                self.wire.until = self.deadline(self.limits.question)
                self._tell(number, message)
            return False
        except Broken as error:
            self.stop()
            if number < 0 or number in self.left_out:
                self.notes.append(f"its process could not be started: {error}")
                return False
            self.left_out.add(number)
            self.notes.append(f"{self.cells[number][0]} was left out: {self._ended(error)}")
            return True

    def _tell(self, number: int, message: dict) -> None:
        if "raised" in message and message["raised"] != "NotImplementedError" and "ran" in message:
            note = f"{self.cells[number][0]} raised {message['raised']} ({message.get('said')})"
            self.notes += [note] * (note not in self.notes)

    def _hear(self, message: dict) -> None:
        """Note what was refused."""
        self.refused = list(dict.fromkeys([*self.refused, *map(str, message.get("refused", []))]))[:20]

    def _ended(self, error: Broken) -> str:
        if "long" in str(error):
            return f"it runs longer than {self.limits.question:g} s"
        return "it ends the process (exit, a crash, or more memory than there is)"

    def _open(self) -> None:
        theirs_in, mine_out = os.pipe()
        mine_in, theirs_out = os.pipe()
        with open(Path(self.folder.name) / ".printed", "wb") as printed:
            worker = [sys.executable, "-m", f"{__package__}.worker", str(theirs_in), str(theirs_out)]
            self.process = subprocess.Popen(
                [*sandbox.alone(self.folder.name, self.secret), *worker],
                stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, cwd=self.folder.name,
                pass_fds=(theirs_in, theirs_out), start_new_session=True, env=self._environment())  # fmt: skip
        for end in (theirs_in, theirs_out):
            os.close(end)
        self.wire = Wire(mine_in, mine_out, _nothing, _as_message, self._hear)
        self.wire.until = self.deadline(60)  # importing torch on a busy machine
        cells = [(k, cell) for k, (_, cell) in enumerate(self.cells) if k not in self.left_out]
        self.wire.send({"cells": cells, "memory": self.limits.memory, "seconds": self.limits.seconds,
                        "readable": [str(ROOT / "minidiff"), str(ROOT / "data")], "secret": self.secret})  # fmt: skip

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "MPLCONFIGDIR") if name in os.environ}
        own = {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1"}
        return kept | ENVIRONMENT | own | dict.fromkeys(("IPYTHONDIR", "TMPDIR"), self.folder.name)

    def deadline(self, seconds: float) -> float:
        """So many seconds from now, or the end of the whole notebook's time."""
        return min(time.monotonic() + seconds, self.end)

    def stop(self) -> None:
        """End the process, and whatever it has started."""
        if self.process:
            with suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            for end in (self.wire.source, self.wire.sink):
                os.close(end)
            self.process = None

    @contextmanager
    def asked(self, seconds: float) -> Iterator["Student"]:
        """The student for one question; what ends the process is an AssertionError, and the next one starts anew."""
        if self.process is None:
            self._start()
        if self.process is None:
            raise AssertionError("the notebook does not run.")
        self.wire.until = self.deadline(seconds)
        try:
            yield self
        except Broken as error:
            self.stop()
            raise AssertionError(_broken(error, seconds)) from None


def _broken(error: Broken, seconds: float) -> str:
    said = {"it takes too long": f"it runs longer than {seconds:g} s: does a loop never end?",
            "it has ended": "it ends the process: exit, a crash, or more memory than there is."}  # fmt: skip
    return said.get(str(error), f"{error}.")


def _nothing(name: str) -> Any:
    raise KeyError(name)  # the tests' own names are not the student's


def _as_message(error: Exception) -> dict:
    return {"raised": type(error).__name__, "said": " ".join(str(error).split())[:400]}


class Names(dict):
    """What a test can name: what its own cells defined, and else what is the student's."""

    def __init__(self, given: dict[str, Any], student: Student):
        super().__init__(given)
        self.student = student

    def __missing__(self, name: str) -> Any:
        if name in dir(__builtins__) or name in vars(__import__("builtins")):
            raise KeyError(name)
        return self.student.wire.fetch(name)


def _tests(source: NotebookNode, student: Student, seed: int) -> Iterator[Question]:
    """Run the tests, in the names of the assignment's own locked cells."""
    given: dict[str, Any] = {}
    for cell in source.cells:
        if cell.cell_type == "code" and about(cell) and not about(cell).get("solution") and not is_test(cell):
            _quietly(cell.source, given)
    for cell in source.cells:
        if not is_test(cell):
            continue
        own = cell.metadata.get("minidiff", {})
        question = Question(about(cell)["grade_id"], float(about(cell)["points"]), look=own.get("look", ""))
        seconds = float(own.get("seconds", student.limits.question))
        question.said, question.score = _verdict(cell.source, given, student, seconds, seed)
        question.points = 0.0 if question.said else question.of
        yield question


def _verdict(code: str, given: dict, student: Student, seconds: float, seed: int) -> tuple[str, float | None]:
    """What a test says, nothing where all is well; and the score that it set."""
    seen, names = visible(code), Names({}, student)
    for part, prefix in ((seen, ""), (code, "the visible checks pass, but ")):
        if prefix and part.strip() == seen.strip():
            break
        torch.manual_seed(seed), np.random.seed(seed)
        names = Names(given | {"SEED": seed}, student)
        try:
            with student.asked(seconds):
                _quietly(part, names)
        except AssertionError as error:
            return prefix + (str(error) or "a condition is false.").splitlines()[0].replace(HINT, "").strip(), None
        except Raised as error:
            return prefix + _raised(error), None
        except Exception as error:
            said = " ".join(str(error).split())[:160]
            return prefix + f"its answer cannot be used: {type(error).__name__} ({said}).", None
    return "", names.get("SCORE")


def _raised(error: Raised) -> str:
    if isinstance(error, Missing):
        return f"still to be written: {error.said} is nowhere defined."
    return "still to be written." if error.kind == "NotImplementedError" else f"it raised {error}."


def _quietly(code: str, names: dict[str, Any]) -> None:
    """Run a cell of the assignment's own."""
    with open(os.devnull, "w") as silence, redirect_stdout(silence):
        exec(compile(code, "<the assignment>", "exec"), names)
