"""The commands `minidiff lab`, `minidiff doctor` and `minidiff notebooks`."""

import argparse
from pathlib import Path


def add(commands) -> None:
    """Register this room's commands."""
    _add_lab(commands)
    _add_doctor(commands)
    _add_notebooks(commands)


def _add_lab(commands) -> None:
    one = commands.add_parser(
        "lab", help="open the course in JupyterLab", description="Open JupyterLab at notebook 00."
    )
    one.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
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


def lab_command(a: argparse.Namespace) -> int:
    from . import lab

    return lab.open_lab(not a.no_browser, a.extra)


def doctor_command(a: argparse.Namespace) -> int:
    from . import doctor  # here, like the others: what one command needs may be missing without harm to the next

    return doctor.main()


def notebooks_command(a: argparse.Namespace) -> int:
    from . import notebooks  # Jupyter takes a second to import, so only who needs it pays for it

    return (notebooks.main_run if a.action == "run" else notebooks.main_check)(a.files)
