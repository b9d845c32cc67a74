"""The command `minidiff train`."""

import argparse
import math
import os
import shlex
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from ..data.files import printable, writable
from ..data.folder import AXES, FITS, LARGEST
from ..losses import LEVELS
from ..refusals import require
from . import ranks
from .presets import DATA_SETS, PRESETS
from .runs import MOST_STEPS, RUN, Training, begin, resume, seconds_a_step
from .runtime import device_name, progress, quiet, runtime
from .train import CHECK_EVERY

FEW = 1_000  # samples, with which a network soon knows each of them
EXAMPLES = """examples:
  minidiff train --data my-pictures --size 64 --dry-run     what would be trained, and how long it takes
  minidiff train --preset fashion-small --minutes 10 --out runs/mine
"""


def add(commands) -> None:
    """Register this room's commands."""
    _add_train(commands)


def option(command, flag: str, kind: Callable, default: object, text: str, **more) -> None:
    """Add an option whose help says its default, if it has one of its own.

    command: the parser of one command.
    flag: its name, such as "--steps".
    kind: from the text that was typed to a value; raises ArgumentTypeError.
    default: the value where it is left out; None where the command decides.
    text: its help.
    more: go to add_argument (choices, metavar, dest).
    """
    text = text if default is None else f"{text} (default: %(default)s)"
    command.add_argument(flag, type=kind, default=default, help=text, **more)


def how_drawn(a: argparse.Namespace) -> str:
    """How samples are drawn, in words, to stand beside them and their scores."""
    guided = "no guidance" if a.guidance == 1 else f"guidance {a.guidance:g}"
    return f"{a.sampler} in {a.steps} steps, {guided}, seed {a.seed}"


def number(kind: type, low: float, high: float = math.inf) -> Callable[[str], float]:
    """An argument type: a finite int or float from low to high."""
    allowed = f"from {low} to {high}" if high < math.inf else f"at least {low}"

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or value == math.inf:
            name = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r:.40} is not {name} {allowed}")
        return value

    return parse


def sides(text: str) -> tuple[int, int]:
    """An argument type: a size in pixels, one number or HEIGHTxWIDTH, as the network for images takes them."""
    parts = [int(number(int, 4, LARGEST)(part)) for part in text.split("x")]
    if len(parts) > 2 or any(part % 4 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is neither one multiple of 4 nor two of them, such as 48x64")
    return parts[0], parts[-1]


def _add_train(commands) -> None:
    one = commands.add_parser("train", help="train a model", description="Train a model; on CUDA where there is any.",
                              epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    which = one.add_argument_group("what to train on").add_mutually_exclusive_group()
    option(which, "--preset", str, None, "what to train, and on what (default: fashion-small)", choices=sorted(PRESETS))
    known = f"a data set, trained by its first preset ({', '.join(sorted(DATA_SETS))}); or your own: a folder of "
    option(which, "--data", str, None, known + "pictures, with sub-folders as classes, an x.npy, x.npz or MNIST's IDX")
    _add_own(one.add_argument_group("how to read data of your own"))
    how, where = one.add_argument_group("how to train"), one.add_argument_group("where, and whether")
    long = how.add_mutually_exclusive_group()
    option(long, "--steps", number(int, 1, MOST_STEPS), None, "in all (default: the preset's); more, with --resume")
    option(long, "--minutes", number(float, 0.01, 525_600), None, "about how long: 20 steps are timed, which fixes all")
    option(how, "--batch", number(int, 1, 2**16), None, "samples a step (default: the preset's)")
    option(how, "--lr", number(float, 0, 1000), None, "the largest learning rate (default: the preset's)")
    option(how, "--levels", str, None, "of noise, where it trains (default: the preset's)", choices=sorted(LEVELS))
    option(how, "--init", Path, None, "begin with what fits of a trained model", metavar="CHECKPOINT")
    option(how, "--seed", number(int, 0, 2**32 - 1), None, "default: 0")
    option(how, "--device", str, None, "default: cuda where there is any", choices=["cpu", "cuda"])
    option(where, "--out", Path, None, "the folder to write to (default: runs/PRESET, or runs/ and the data's name)")
    where.add_argument("--resume", action="store_true", help="go on where --out stopped, with the settings saved there")
    option(where, "--save-every", number(float, 0), 60.0, "0: each step", metavar="SECONDS")
    where.add_argument("--dry-run", action="store_true", help="say what would be trained and how fast, and end")
    one.set_defaults(run=train_command)


def _add_own(own) -> None:
    option(own, "--size", sides, None, "of pictures, one number or HEIGHTxWIDTH, multiples of 4 (default: 32)")
    option(own, "--channels", int, None, "3 for colours, 1 for greys (default: 3)", choices=[1, 3])
    add_reading(own)


def add_reading(own) -> None:
    """Add the options that `reading` looks at."""
    option(own, "--fit", str, None, "cut the middle out, or keep all on white (default: crop)", choices=FITS)
    own.add_argument("--skip-unreadable", action="store_true", help="pass over files that are no sound picture")
    option(own, "--axes", str, None, "what the axes of an array are, such as NCL for signals", choices=AXES)


def reading(a: argparse.Namespace) -> dict:
    """How to read data of one's own, as arguments of `from_path`, as far as it was said."""
    given = {"fit": a.fit, "axes": a.axes, "unreadable": "skip" if a.skip_unreadable else None}
    return {key: value for key, value in given.items() if value is not None}


def train_command(a: argparse.Namespace) -> int:
    own = _own(a)
    name = a.preset or DATA_SETS.get(a.data, "fashion-small")
    folder = a.out or Path("runs") / (Path(own["path"]).resolve().name if own else name)
    _refuse_settings(a, folder)
    device = runtime(a.device).device

    def job() -> Training:
        if a.resume:
            return resume(folder, steps=a.steps, path=own["path"] if own else None, device=a.device)
        return begin("" if own else name, own=own, seed=a.seed or 0, steps=a.steps, minutes=a.minutes, batch=a.batch,
                     lr=a.lr, levels=a.levels, init=a.init, device=a.device)  # fmt: skip

    if a.dry_run:
        with in_a_line("train"):
            return _rehearse(job())
    with _alone(folder), ranks.process_group(device):
        run, shared = ranks.broadcast(((folder / RUN).exists(), (folder / "model.safetensors").exists()))
        if run and not a.resume:
            raise ValueError(f"{folder} already holds a run: add --resume to go on with it, or choose another --out")
        if shared and not a.resume:
            raise ValueError(f"{folder} already holds a model, with no run to go on with: choose another --out")
        with in_a_line("train"):
            begun = job()
        if own and not a.resume:
            _tell(_described(begun))
        return _fit(begun, folder, a.save_every, resumed=a.resume)


@contextmanager
def in_a_line(command: str) -> Iterator[None]:
    """Say what is warned of as the command line says things: in one line, without the place in the code."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in warned:
        print(f"minidiff {command}: {printable(str(warning.message))}", file=sys.stderr)


def _own(a: argparse.Namespace) -> dict | None:
    """Where data of one's own are and how to read them, the arguments of `from_path`; None for a data set by name."""
    given = {key: value for key, value in {"size": a.size, "channels": a.channels}.items() if value is not None}
    given |= reading(a)
    said = "--size, --channels, --fit and --skip-unreadable are for a folder of pictures, --axes for a file of an array"
    if a.data is None or a.data in DATA_SETS:
        require(not given or a.resume, f"{said}: name yours with --data")
        return None
    if not Path(a.data).exists():
        near = "".join(f"; did you mean {name}?" for name in get_close_matches(a.data, DATA_SETS, 1))
        raise ValueError(f"--data {a.data!r} is no file, no folder and none of {', '.join(DATA_SETS)}{near}")
    odd = given.keys() & ({"axes"} if Path(a.data).is_dir() else {"size", "channels", "fit", "unreadable"})
    require(not odd, f"{said}, and {a.data} is {'a folder' if Path(a.data).is_dir() else 'a file'}")
    return {"path": a.data, **given}


def _refuse_settings(a: argparse.Namespace, folder: Path) -> None:
    """Raise ValueError for a resume that is given what its run has decided, or no run; OSError for a bad folder."""
    writable(folder / "model.safetensors")
    decided = ("preset", "minutes", "batch", "lr", "levels", "init", "seed", "size", "channels", "fit", "axes")
    given = [f"--{name}" for name in decided if getattr(a, name) is not None]
    given += ["--skip-unreadable"] * a.skip_unreadable + ["--data"] * (a.data in DATA_SETS)
    if a.resume and given:
        raise ValueError(f"--resume goes on with the settings saved in --out: leave out {', '.join(given)}")
    if a.resume and not (folder / RUN).exists():
        raise ValueError(f"there is nothing to resume in {folder}: it holds no {RUN}")


def _described(job: Training) -> str:
    """What is trained, in three lines or so."""
    data, names, net = job.data, list(job.data.names or ()), job.run.denoiser.net
    classes = f"{len(names)} classes ({', '.join(names[:10])}{', ...' * (len(names) > 10)})" if names else "no classes"
    size = sum(parameter.numel() for parameter in net.parameters())
    s, device = job.settings, next(net.parameters()).device
    lines = [f"data: {job.title()}, {len(data):,} samples of shape {tuple(data.x.shape[1:])}, {classes}"]
    if "init_tensors" in job.record:
        fits, of = job.record["init_tensors"]
        lines.append(f"begins with {fits} of {of} tensors of {job.record.get('init')}")
    lines.append(f"network: {type(net).__name__}, {size:,} parameters; {s['steps']:,} steps of {s['batch']} samples, "
                 f"learning rate {s['lr']:g}, on {device_name(device)}")  # fmt: skip
    if len(data) < FEW:
        lines.append("so few are learned by heart sooner or later: expect samples that repeat them, the more so the")
        lines[-1] += " longer it trains; more data help, or a short training that begins with a model (--init)"
    return "\n".join(map(printable, lines))


def _rehearse(job: Training) -> int:
    """Say what would be trained, and how long it would take."""
    pace = seconds_a_step(job.run.denoiser, job.data, job.settings)
    left = job.settings["steps"] - job.run.step
    _tell(f"{_described(job)}\n{pace:.3g} s a step, {_clock(pace * left)} for {left:,} more; nothing was written")
    return 0


def _clock(seconds: float) -> str:
    """A time in the unit that suits it."""
    unit, length = ("s", 1) if seconds < 120 else ("min", 60) if seconds < 7200 else ("h", 3600)
    return f"{seconds / length:.0f} {unit}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system takes back however this process ends. Raises OSError if it is taken."""
    if int(os.environ.get("RANK", 0)):
        yield  # rank 0 holds it for all
        return
    if (folder / ".lock").is_symlink():
        raise OSError(f"{folder / '.lock'} is a link, which might be to anything: remove it, or choose another --out")
    new = not folder.exists()
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise OSError(f"another training is at work in {folder}: let it end, or choose another --out") from None
    finally:
        with suppress(OSError):  # where nothing was saved, nothing stays
            if new and {path.name for path in folder.iterdir()} == {".lock"}:
                (folder / ".lock").unlink()
                folder.rmdir()


def _fit(job: Training, folder: Path, every: float, resumed: bool = False) -> int:
    """Train to the end, saving before the first step, then every so many seconds, and at the end.

    A resumed training is saved after its first step only: what it was resumed from may not go with this version.
    When asked to stop (Ctrl-C, SIGTERM), it does so after the step in hand.
    """
    asked, device = [], next(job.run.denoiser.parameters()).device
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: asked.append(number))
    steps, begun = job.settings["steps"], time.monotonic() - job.record.get("seconds", 0)
    at_once, saved = not resumed or job.run.step == steps, time.monotonic() if resumed else -math.inf
    look = 1 if device.type == "cpu" else CHECK_EVERY
    losses = progress(_reported(job), total=steps, label=job.title(), done=job.run.step)
    for _ in chain([None] * at_once, losses):
        stop = job.run.step % look == 0 and ranks.any_rank(bool(asked), device)
        if stop or job.run.step == steps or time.monotonic() - saved > every:
            _save(job, folder, time.monotonic() - begun)
            saved = time.monotonic()
        if stop:
            again = f"minidiff train --out {shlex.quote(str(folder))} --resume"
            _tell(f"stopped at step {job.run.step} of {steps}; go on with: {again}")
            return 128 + (asked or [signal.SIGTERM])[0]
    model, seconds = folder / "model.safetensors", time.monotonic() - begun
    look_at_it = f"minidiff sample --checkpoint {shlex.quote(str(model))}"
    _tell(f"wrote {model} after {steps} steps in {seconds:.0f} s; look at it with: {look_at_it}")
    return 0


def _reported(job: Training) -> Iterator[torch.Tensor]:
    """The losses; where nobody watches a progress bar, a line a minute says how it goes."""
    begun = told = time.monotonic()
    steps, first = job.settings["steps"], job.run.step
    for loss in job.losses():
        now = time.monotonic()
        if now - told >= 60 and quiet():
            left = (steps - job.run.step) * (now - begun) / (job.run.step - first)
            _tell(f"step {job.run.step:,} of {steps:,}, loss {float(loss):.3f}, {_clock(left)} left")
            told = now
        yield loss


def _save(job: Training, folder: Path, seconds: float) -> None:
    """Rank 0 saves, for all."""
    if ranks.rank():
        return
    try:
        job.save(folder, seconds)
    except OSError as error:
        whole = "the checkpoint before it is whole: make room and go on with --resume"
        left = whole if (folder / RUN).exists() else "no checkpoint is there yet"
        said = f"step {job.run.step} could not be saved in {folder} ({error.strerror or error})"
        raise OSError(f"{said}; {left}") from error


def _tell(message: str) -> None:
    if not ranks.rank():
        print(message, flush=True)
