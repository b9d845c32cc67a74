"""nbgrader takes the assignments as they are, hands out what `minidiff release` writes, and gives the same points."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from minidiff.course.grading.grade import Limits, grade
from minidiff.course.grading.release import about, folder, is_test, released, sources

pytest.importorskip("nbgrader", reason="nbgrader is the extra `teach`")
SOURCES = sources(folder())
ROOT = Path(__file__).parents[2]


def nbgrader(where: Path, *arguments: str) -> str:
    """Run one of its commands in a course's folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # it calls alembic by name
    own = {"PATH": path, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(where / "none"), "HOME": str(where)}
    environment = os.environ | own
    command = [sys.executable, "-m", "nbgrader", *arguments, "--course", "minidiff"]
    ran = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stderr


def points(path: Path) -> dict[str, float]:
    """What an autograded notebook earned, by nbgrader's own rule: a test cell without an error earns its points."""
    cells = [cell for cell in nbformat.read(path, 4).cells if is_test(cell)]
    failed = {about(c)["grade_id"] for c in cells if any(one.output_type == "error" for one in c.outputs)}
    return {about(c)["grade_id"]: 0.0 if about(c)["grade_id"] in failed else float(about(c)["points"]) for c in cells}


def book_of(gradebook: Path, name: str) -> dict[str, float]:
    """Each student's points in nbgrader's own database."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{gradebook}") as held:
        return {one.student_id: one.score for one in held.assignment_submissions(name)}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SOURCES))
def test_nbgrader_hands_out_grades_and_answers_as_minidiff_does(name, tmp_path):
    shutil.copytree(SOURCES[name].parent, tmp_path / "source" / name)
    nbgrader(tmp_path, "generate_assignment", name)
    source, theirs = (nbformat.read(path, 4) for path in (SOURCES[name], tmp_path / "release" / name / f"{name}.ipynb"))
    ours = released(source)
    assert [cell.source for cell in theirs.cells] == [cell.source for cell in ours.cells]

    half = released(source)
    first = next(k for k, cell in enumerate(source.cells) if about(cell).get("solution"))
    half.cells[first].source = source.cells[first].source
    right = released(source)
    for k, cell in enumerate(source.cells):
        right.cells[k].source = cell.source if about(cell).get("solution") else right.cells[k].source
    for student, notebook in (("right", right), ("stub", ours), ("half", half)):
        (handed := tmp_path / "submitted" / student / name).mkdir(parents=True)
        (handed / f"{name}.ipynb").write_text(nbformat.writes(notebook))
    nbgrader(tmp_path, "autograde", name, "--ExecutePreprocessor.timeout=240")  # its 30 s are few for a training
    nbgrader(tmp_path, "generate_feedback", name)
    stored = book_of(tmp_path / "gradebook.db", name)
    for student in ("right", "stub", "half"):
        mine = grade(tmp_path / "submitted" / student / name / f"{name}.ipynb", limits=Limits(seed=0))
        assert {one.name: one.points for one in mine.questions} == points(
            tmp_path / "autograded" / student / name / f"{name}.ipynb"
        )
        assert mine.points == stored[student]
        assert (tmp_path / "feedback" / student / name / f"{name}.html").stat().st_size > 10_000
    assert stored["stub"] == 0 and stored["half"] == 2 and stored["right"] == 10
