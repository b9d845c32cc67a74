"""The command line: minidiff lab | sample | train | judge | doctor | notebooks, also as python -m minidiff."""

import argparse
import sys

import torch

from . import __version__
from .course import commands as course
from .data import DataError
from .engine import commands as engine
from .engine.checkpoints import CheckpointError
from .engine.train import TrainingError
from .evaluation import commands as evaluation


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one sentence, and where to look."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="minidiff", description="Learn diffusion models by running them.")
    top.add_argument("--version", action="version", version=f"minidiff {__version__}, torch {torch.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for room in (course, engine, evaluation):
        room.add(commands)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; foreseeable mistakes end in one sentence and status 2 (arguments) or 1 (the rest)."""
    a = parser().parse_args(arguments)
    prog = f"minidiff {a.command}"
    try:
        return a.run(a)
    except ValueError as error:
        return _say(f"{prog}: {error}", 2)
    except (CheckpointError, DataError, TrainingError, OSError) as error:
        return _say(f"{prog}: {error}", 1)
    except (MemoryError, torch.OutOfMemoryError):
        return _say(f"{prog}: out of memory: ask for less at a time, or close something", 1)
    except KeyboardInterrupt:
        return _say(f"{prog}: stopped", 130)


def _say(message: str, status: int) -> int:
    print(message.replace("\n", " "), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
