"""Commands: minidiff lab | sample | edit | train | judge | card | doctor | notebooks | grade | release | questions.

`python -m minidiff` is the same.

Status: 0, it is done. 1, it could not be done (a file, the network, memory), or a check found something. 2, the
arguments make no sense, or there are none. 130, stopped by Ctrl-C; 143, a training stopped by SIGTERM. 141, nobody
reads the output any more. `minidiff lab` ends with the status of JupyterLab.
"""

import argparse
import os
import sys
from difflib import get_close_matches
from importlib import import_module, metadata
from typing import NoReturn, TextIO

from . import __version__

ROOMS = {"lab": "course", "sample": "show", "edit": "show", "train": "engine", "judge": "evaluation", "card": "show",
         "doctor": "course", "notebooks": "course", "grade": "course", "release": "course",
         "questions": "course"}  # fmt: skip
MEMORY = ("out of memory", "DefaultCPUAllocator", "allocate memory", "bad_alloc")  # in torch's RuntimeErrors


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one sentence, and where to look."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_say(f"{self.prog}: {message} (see {self.prog} --help)", 2))

    def _print_message(self, message: str, file=None) -> None:
        (file or sys.stderr).write(message)  # argparse's own is silent where this fails


def parser(command: str = "") -> argparse.ArgumentParser:
    """The parser of all commands, or of the room of this one alone: `minidiff doctor` has to run without torch."""
    top = Parser(prog="minidiff", description="Learn diffusion models by running them.")
    top.add_argument("-V", "--version", action="version", version=f"minidiff {__version__}, torch {_torch()}")
    more = {"title": "commands", "description": "minidiff COMMAND --help says what each can do", "metavar": "COMMAND"}
    commands = top.add_subparsers(dest="command", required=True, parser_class=Parser, **more)
    rooms = [ROOMS[command]] if command in ROOMS else ROOMS.values() if command != "--version" else []
    for room in dict.fromkeys(rooms):
        import_module(f".{room}.commands", __package__).add(commands)
    return top


def _torch() -> str:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "missing"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its status; what can be foreseen to go wrong ends in one sentence."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _mend_streams()
    prog = " ".join(["minidiff", *[word for word in arguments[:1] if word in ROOMS]])
    try:
        status = _run(arguments)
        sys.stdout.flush()  # here, where its failure can still be told
        return status
    except KeyboardInterrupt:
        return _say(f"{prog}: stopped", 130)
    except BrokenPipeError:
        _drop(sys.stdout)
        return 141
    except Exception as error:
        if (explained := _explained(error)) is None:
            raise
        return _say(f"{prog}: {explained[0]}", explained[1])


def _run(arguments: list[str]) -> int:
    command = arguments[0] if arguments else ""
    if command and command not in ROOMS and not command.startswith("-"):
        near = "".join(f"; did you mean {name}?" for name in get_close_matches(command, ROOMS, 1))
        return _say(f"minidiff: there is no command {command!r}{near} (see minidiff --help)", 2)
    try:
        if not command:
            parser().print_help(sys.stderr)
            return 2
        a = parser(command).parse_args(arguments)
        return a.run(a)
    except SystemExit as end:  # argparse ends so, after --help too
        return int(end.code or 0)


def _explained(error: Exception) -> tuple[str, int] | None:
    """What to say about an error, and the status; None for one that nobody foresaw."""
    if isinstance(error, MemoryError) or (isinstance(error, (RuntimeError, OSError)) and _names(error, MEMORY)):
        return "out of memory: ask for less at a time, or close something", 1
    if isinstance(error, ImportError):
        return f"a library cannot be imported ({error}): run minidiff doctor", 1
    if isinstance(error, OSError):
        where = error.filename or "a file or the output could not be read or written"
        return f"{where}: {error.strerror}" if error.strerror else str(error), 1
    if isinstance(error, RuntimeError) and type(error).__module__.startswith(__package__):
        return str(error), 1
    return (str(error), 2) if isinstance(error, ValueError) else None


def _names(error: Exception, words: tuple[str, ...]) -> bool:
    return any(word in str(error) for word in words)


def _mend_streams() -> None:
    """Let closed standard streams lead nowhere, lest a file take their number; escape what a terminal cannot show."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _say(message: str, status: int) -> int:
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message.replace("\n", " "))
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        _drop(sys.stdout)
    return status


def _drop(stream: TextIO) -> None:
    """Forget what a stream could not write, or Python would fail at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
