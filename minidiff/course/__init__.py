"""The course around the library: checks, quizzes, the lab, the doctor, and the notebooks' upkeep."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checks import check, check_between, check_that
    from .exercises import attempt
    from .ladder import diagnose
    from .multiple_choice import quiz

__all__ = ["attempt", "check", "check_between", "check_that", "diagnose", "quiz"]

if not TYPE_CHECKING:  # a type checker that saw this would take any name for a public one

    def __getattr__(name: str):
        """A public name, imported when asked for (PEP 562): `minidiff doctor` must run without torch."""
        if name in __all__:
            home = {"attempt": "exercises", "diagnose": "ladder", "quiz": "multiple_choice"}.get(name, "checks")
            return getattr(import_module(f".{home}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
