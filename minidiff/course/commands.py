"""The commands `minidiff lab`, `doctor`, `notebooks`, `grade`, `release` and `questions`."""

import argparse
import os
from pathlib import Path


def add(commands) -> None:
    """Register this room's commands."""
    _add_lab(commands)
    _add_doctor(commands)
    _add_notebooks(commands)
    _add_grade(commands)
    _add_release(commands)
    _add_questions(commands)


def _add_lab(commands) -> None:
    said = "Open your own copy of the notebooks in JupyterLab. It is made at first use, and never overwritten."
    one = commands.add_parser("lab", help="open the course in JupyterLab", description=said)
    one.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    one.add_argument("--folder", type=Path, help="where your copy is (default: my-notebooks in the clone)")
    what = one.add_mutually_exclusive_group()
    what.add_argument("--stored", action="store_true", help="open the originals, with their outputs, instead")
    what.add_argument(
        "--reset", action="append", metavar="03", help="only bring back a notebook; yours is kept beside it"
    )
    one.add_argument("extra", nargs="*", metavar="-- ARGUMENT", help="anything after -- goes to JupyterLab")
    one.set_defaults(run=lab_command)


def _add_doctor(commands) -> None:
    one = commands.add_parser(
        "doctor", help="check this installation", description="One line a check: ok, or what to do."
    )
    one.set_defaults(run=doctor_command)


def _add_notebooks(commands) -> None:
    one = commands.add_parser(
        "notebooks", help="regenerate or check the notebooks", description="Work on the course's notebooks."
    )
    one.add_argument(
        "action", choices=["run", "check"], help="run: regenerate all outputs; check: hygiene of what is stored"
    )
    one.add_argument("files", nargs="*", type=Path, help="notebooks (default: all)")
    one.set_defaults(run=notebooks_command)


def _add_grade(commands) -> None:
    said = "Run notebooks that students handed in, apart from the tests and without network, and say what each earned."
    one = commands.add_parser("grade", help="grade assignments", description=said)
    one.add_argument("files", nargs="+", type=Path, help="notebooks, or folders of them")
    one.add_argument("--visible", action="store_true", help="only run the checks that students see")
    one.add_argument("--out", type=Path, metavar="FOLDER", help="keep feedback and grades.csv; a second run goes on")
    one.add_argument("--json", action="store_true", help="print one line of JSON a notebook")
    one.add_argument("--assignments", type=Path, metavar="FOLDER", help="with source/NAME (default: the course's)")
    one.add_argument("--seconds", type=float, default=60.0, help="a notebook may take (default 60)")
    one.add_argument("--memory", type=float, default=8.0, help="gigabytes a notebook may take (default 8)")
    one.add_argument("--seed", type=int, help="of the tests (default: drawn, and told)")
    one.set_defaults(run=grade_command)


def _add_release(commands) -> None:
    said = "Write release/NAME for each source/NAME: what students get, without solutions and hidden tests."
    one = commands.add_parser("release", help="make assignments to hand out", description=said)
    one.add_argument("folder", nargs="?", type=Path, help="with source/NAME (default: the course's assignments)")
    one.set_defaults(run=release_command)


def _add_questions(commands) -> None:
    said = "Write questions to compute by hand, with numbers drawn by a seed, and their key: pages to print."
    one = commands.add_parser("questions", help="write sheets of questions and their key", description=said)
    one.add_argument("--seed", type=int, default=0, help="of the numbers (default 0)")
    one.add_argument("--variants", type=int, default=1, help="sheets, each with its own numbers (default 1)")
    one.add_argument("--out", type=Path, default=Path("questions"), metavar="FOLDER", help="new (default: questions)")
    one.set_defaults(run=questions_command)


def lab_command(a: argparse.Namespace) -> int:
    from . import copies, lab

    if a.reset:
        return copies.reset_copies(lab.course(), a.folder, a.reset)
    return lab.open_lab(not a.no_browser, a.extra, None if a.stored else copies.open_copy(lab.course(), a.folder))


def doctor_command(a: argparse.Namespace) -> int:
    from . import doctor  # here, like the others: what one command needs may be missing without harm to the next

    return doctor.main()


def notebooks_command(a: argparse.Namespace) -> int:
    from . import notebooks  # Jupyter takes a second to import, so only who needs it pays for it

    return (notebooks.main_run if a.action == "run" else notebooks.main_check)(a.files)


def grade_command(a: argparse.Namespace) -> int:
    if os.name == "nt":
        raise ValueError("minidiff grade needs Linux or macOS; on Windows, run it in WSL")
    from .grading.grade import Limits
    from .grading.report import main_grade

    limits = Limits(a.seconds, min(20.0, a.seconds), a.memory, a.seed)
    return main_grade(a.files, a.assignments, a.out, limits, hidden=not a.visible, plain=not a.json)


def release_command(a: argparse.Namespace) -> int:
    from .grading.release import main_release

    return main_release(a.folder)


def questions_command(a: argparse.Namespace) -> int:
    from .questions import main_questions

    return main_questions(a.seed, a.variants, a.out)
