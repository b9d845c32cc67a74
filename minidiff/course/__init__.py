"""The course around the library: checks, the lab, the doctor, and the notebooks' upkeep."""

from .checks import check, check_between, check_that

__all__ = ["check", "check_between", "check_that"]
