"""The process in which a student's notebook runs: `python -m minidiff.course.grading.worker IN OUT`, two descriptors.

Its first message says what to run. It runs the cells one by one, tells what became of each, and then calls the
student's functions when asked. It never sees a test.
"""

import errno
import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

from IPython.core.interactiveshell import InteractiveShell

from . import sandbox
from .wire import Broken, Wire

SHELL = ("!", "%", "?")  # IPython's own: programs of the shell, and magics


class Told(Wire):
    """A wire that says with every message what was refused so far."""

    guard: sandbox.Guard

    def send(self, message: dict) -> None:
        super().send(message | {"refused": self.guard.refused})


class Shell(InteractiveShell):
    """IPython without history, and silent about errors, which are told over the wire."""

    def init_history(self) -> None:
        super().init_history()
        if self.history_manager:
            self.history_manager.enabled = False

    def showtraceback(self, *given, **named) -> None:
        """Say nothing: rendering a deep one takes seconds."""

    showsyntaxerror = showtraceback


def main(source: int, sink: int) -> None:
    """Run the cells that the first message holds, and answer calls until the other end closes."""
    names: dict = {}
    wire = Told(source, sink, names.__getitem__, told)
    job = wire.receive()
    wire.guard = sandbox.Guard(Path.cwd(), job["readable"], job["secret"])
    import matplotlib.font_manager
    import matplotlib.pyplot  # noqa: F401  both while their files may still be read and written
    import torch

    torch.set_num_threads(1)
    shell = Shell.instance(user_ns=names, history_length=0)
    sandbox.limit(job["memory"], job["seconds"])
    wire.guard.close()
    for number, cell in job["cells"]:
        wire.send({"begun": number})
        result = shell.run_cell(plain(cell), store_history=False)
        error = result.error_before_exec or result.error_in_exec
        wire.send({"ran": number} | (told(error) if error else {}))
    wire.look_up = shell.user_ns.__getitem__
    wire.send({"ready": True})
    while True:
        wire.answer(wire.receive())


def plain(source: str) -> str:
    """A cell without the lines that only a front end understands."""
    return "\n".join("pass" if line.startswith(SHELL) else line for line in source.splitlines())


def told(error: BaseException) -> dict:
    """An exception as a message: its kind, what it says, and in which line of whose code."""
    said = " ".join(str(error).split())[:400]
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        said = f"it wrote more than {sandbox.FILE // 1_000_000} MB"
    return {"raised": type(error).__name__, "said": said + _place(error.__traceback__)}


def _place(found: TracebackType | None) -> str:
    """Where in the student's code it happened; what IPython runs is named <ipython-input-...>, or a file of cells."""
    lines = [(frame, line) for frame, line in traceback.walk_tb(found) if "ipy" in frame.f_code.co_filename]
    lines = [(frame, line) for frame, line in lines if "site-packages" not in frame.f_code.co_filename]
    if not lines:
        return ""
    frame, line = lines[-1]
    function = frame.f_code.co_name
    start = frame.f_code.co_firstlineno
    return f", line {line - start + 1} of {function}" if function != "<module>" else f", line {line}"


if __name__ == "__main__":
    try:
        main(*map(int, sys.argv[1:3]))
    except (Broken, KeyError):  # the grader has ended, or sent no job
        os._exit(0)
