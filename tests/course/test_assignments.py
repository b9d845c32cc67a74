"""Every assignment: the solution earns all, so do other right answers, the stub earns nothing, a mistake is told.

Answers and mistakes stand in tests/answers and tests/mistakes, in sections headed `# %% CELL: words`: for the cell of
that name, three right ones or more, and three wrong ones or more, told in a sentence that holds the words.
"""

import copy
import re
from contextlib import contextmanager

import nbformat
import pytest

from minidiff.course.grading import grade as grading
from minidiff.course.grading.release import about, folder, is_test, released, sources
from minidiff.course.grading.wire import Wire
from tests import turns

SOURCES = sources(folder())
NAMES = sorted(SOURCES)


def book(name: str):
    return nbformat.read(SOURCES[name], 4)


def solutions(source) -> dict[str, str]:
    return {about(cell)["grade_id"]: cell.source for cell in source.cells if about(cell).get("solution")}


def sections(kind: str, name: str) -> list[tuple[str, str, str]]:
    """The cell, the words and the code of each section."""
    found = turns.sections(turns.TESTS / kind / f"{name}.py")
    return [(*[part.strip() for part in heading.partition(":")[::2]], code) for heading, code in found.items()]


class Loop(Wire):
    """Both ends of a wire in one process: values are packed and unpacked as between two."""

    def __init__(self, names: dict):
        super().__init__(-1, -1, names.__getitem__, grading._as_message)

    def call(self, key, *given, **named):
        return self.unpack(self.pack(self.kept[key](*self.unpack(self.pack(given)), **self.unpack(self.pack(named)))))

    def fetch(self, key):
        return self.unpack(self.pack(self.look_up(key)))


class Here:
    """A student in this process: fast, for what is no threat."""

    limits = grading.Limits()

    def __init__(self, source, answers: dict[str, str]):
        names: dict = {}
        for cell in source.cells:
            if cell.cell_type == "code" and not is_test(cell):
                exec(answers.get(about(cell)["grade_id"], cell.source), names)
        self.wire = Loop(names)

    @contextmanager
    def asked(self, seconds):
        yield self


def graded(source, answers: dict[str, str], only: str = "", seed: int = 0) -> dict[str, str]:
    """What each test says, in this process."""
    here = Here(source, answers)
    asked = copy.deepcopy(source)
    asked.cells = [c for c in asked.cells if not is_test(c) or not only or about(c)["grade_id"] == f"{only}-test"]
    return {one.name: one.said for one in grading._tests(asked, here, seed)}


@pytest.mark.parametrize("name", NAMES)
def test_the_release_on_disk_is_what_the_source_gives(name):
    path = SOURCES[name]
    stored = nbformat.read(path.parents[2] / "release" / name / path.name, 4)
    assert stored == released(book(name))
    assert not re.search("SOLUTION|HIDDEN", nbformat.writes(stored))


@pytest.mark.parametrize("name", NAMES)
def test_each_question_has_a_test_a_place_to_look_and_answers(name):
    source = book(name)
    tests = {about(cell)["grade_id"]: cell for cell in source.cells if is_test(cell)}
    assert set(tests) == {f"{cell}-test" for cell in solutions(source)}
    assert all(cell.metadata["minidiff"]["look"] for cell in tests.values())
    for kind, least in (("answers", 3), ("mistakes", 3)):
        named = [cell for cell, *_ in sections(kind, name)]
        assert set(named) == set(solutions(source))
        assert all(named.count(cell) >= least for cell in solutions(source)), kind


def trains(source, cell: str = "") -> bool:
    """Whether a test trains a network, which takes many seconds."""
    asked = [
        c for c in source.cells if is_test(c) and about(c)["grade_id"] == f"{cell or about(c)['grade_id'][:-5]}-test"
    ]
    return any("seconds" in c.metadata["minidiff"] for c in asked)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes_with_every_seed(name, seed):
    source = book(name)
    source.cells = [c for c in source.cells if not is_test(c) or seed == 0 or "seconds" not in c.metadata["minidiff"]]
    assert not any(graded(source, {}, seed=seed).values())


@pytest.mark.parametrize(
    "name, cell, words, code", [(name, *one) for name in NAMES for one in sections("answers", name)]
)
def test_other_right_answers_pass(name, cell, words, code):
    for seed in (1, 2, 3)[: 1 if trains(book(name), cell) else 3]:
        assert graded(book(name), {cell: code}, cell, seed) == {f"{cell}-test": ""}, words


@pytest.mark.parametrize(
    "name, cell, words, code", [(name, *one) for name in NAMES for one in sections("mistakes", name)]
)
def test_a_mistake_is_told(name, cell, words, code):
    (said,) = graded(book(name), {cell: code}, cell, seed=4).values()
    assert words and words in said
    (said,) = graded(book(name), {cell: code}, cell, seed=5).values()
    assert words in said


@pytest.mark.parametrize("name", NAMES)
def test_mistakes_are_told_apart(name):
    source = book(name)
    told = [(cell, *graded(source, {cell: code}, cell).values()) for cell, _, code in sections("mistakes", name)]
    assert len(set(told)) == len(told)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_graded_for_real_the_solution_earns_all_and_the_stub_nothing(name, tmp_path):
    (path := tmp_path / "mine.ipynb").write_text(nbformat.writes(book(name)))
    found = grading.grade(path)
    assert (found.assignment, found.points, found.notes) == (name, found.of, [])
    path.write_text(nbformat.writes(released(book(name))))
    found = grading.grade(path)
    assert found.points == 0 and not found.notes
    assert all(one.said.startswith("still to be written") for one in found.questions)
