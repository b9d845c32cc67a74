"""The command line: minidiff lab | sample | train | judge | doctor | notebooks, also as python -m minidiff."""

import argparse
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from . import __version__, checkpoints, data, doctor, judge, lab, ranks, recipes
from .files import write_atomically
from .runtime import progress, runtime
from .schedules import start
from .training import LOOK, TrainingError


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one sentence, and where to look."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def number(kind: type, low: float, high: float = math.inf) -> Callable[[str], float]:
    """An argument type: a finite int or float from low to high."""
    allowed = f"from {low} to {high}" if high < math.inf else f"at least {low}"

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (low <= value <= high and math.isfinite(value)):
            name = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {name} {allowed}")
        return value

    return parse


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="minidiff", description="Learn diffusion models by running them.")
    top.add_argument("--version", action="version", version=f"minidiff {__version__}, torch {torch.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for add in (_add_lab, _add_sample, _add_train, _add_judge, _add_doctor, _add_notebooks):
        add(commands)
    return top


def _add_lab(commands) -> None:
    one = commands.add_parser(
        "lab", help="open the course in JupyterLab", description="Open JupyterLab at notebook 00."
    )
    one.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    one.add_argument("extra", nargs="*", metavar="-- ARGUMENT", help="anything after -- goes to JupyterLab")
    one.set_defaults(run=lambda a: lab.open_lab(not a.no_browser, a.extra))


def _add_sample(commands) -> None:
    one = commands.add_parser(
        "sample", help="draw images from a trained model", description="Draw images from a checkpoint."
    )
    one.add_argument("--out", type=Path, default=Path("grid.png"), help="the PNG to write (default: %(default)s)")
    one.add_argument(
        "--checkpoint", type=Path, help="a model.safetensors (default: the model that ships with minidiff)"
    )
    one.add_argument("--number", type=number(int, 1, 10_000), default=64, help="how many (default: %(default)s)")
    one.add_argument("--class", dest="label", help="a class, by name or number (default: all in turn)")
    one.add_argument(
        "--steps", type=number(int, 1, 10_000), default=50, help="steps from noise to data (default: %(default)s)"
    )
    one.add_argument(
        "--sampler",
        choices=sorted(recipes.SAMPLERS),
        default="ddim",
        help="2m does well with 8 steps (default: %(default)s)",
    )
    one.add_argument("--guidance", type=number(float, 0, 100), default=1.0,
                     help="1: none; 2 or 3: more typical of the class, less varied (default: %(default)s)")  # fmt: skip
    one.add_argument(
        "--temperature",
        type=number(float, 0, 10),
        default=1.0,
        help="multiplies all noise drawn (default: %(default)s)",
    )
    one.add_argument(
        "--seed", type=number(int, 0, 2**63 - 1), default=0, help="same seed, same images (default: %(default)s)"
    )
    one.set_defaults(run=sample_command)


def _add_train(commands) -> None:
    one = commands.add_parser(
        "train", help="train a model from scratch", description="Train a model; CUDA where there is any."
    )
    what = one.add_mutually_exclusive_group()
    what.add_argument(
        "--preset", choices=sorted(recipes.PRESETS), help="what to train, and on what (default: fashion-small)"
    )
    what.add_argument("--data", choices=sorted(recipes.DATA_SETS), help="a data set, trained by its first preset")
    long = one.add_mutually_exclusive_group()
    long.add_argument("--steps", type=number(int, 1), help="how many steps (default: the preset's)")
    long.add_argument(
        "--minutes", type=number(float, 0.01), help="about how long: times 20 steps, then fixes their number"
    )
    one.add_argument("--out", type=Path, help="the folder to write to (default: runs/PRESET)")
    one.add_argument("--resume", action="store_true", help="go on where --out stopped, with the settings saved there")
    one.add_argument("--seed", type=number(int, 0, 2**32 - 1), default=None, help="default: 0")
    one.add_argument(
        "--save-every",
        type=number(float, 0),
        default=60.0,
        metavar="SECONDS",
        help="default: %(default)g; 0: each step",
    )
    one.set_defaults(run=train_command)


def _add_judge(commands) -> None:
    one = commands.add_parser(
        "judge", help="score a Fashion-MNIST model", description=recipes.score.__doc__.splitlines()[0]
    )
    one.add_argument(
        "--checkpoint", type=Path, help="a model.safetensors (default: the model that ships with minidiff)"
    )
    one.add_argument(
        "--number", type=number(int, 200, 10_000), default=10_000, help="how many samples (default: %(default)s)"
    )
    one.add_argument("--steps", type=number(int, 1, 10_000), default=50, help="DDIM steps (default: %(default)s)")
    one.add_argument("--seed", type=number(int, 0, 2**63 - 1), default=0, help="default: %(default)s")
    one.add_argument("--remake", action="store_true", help="train the judge itself again, and print its accuracy")
    one.add_argument("--record", action="store_true", help="write the result into the checkpoint's card")
    one.set_defaults(run=judge_command)


def _add_doctor(commands) -> None:
    one = commands.add_parser(
        "doctor", help="check this installation", description="One line a check: ok, or what to do."
    )
    one.set_defaults(run=lambda a: doctor.main())


def _add_notebooks(commands) -> None:
    one = commands.add_parser(
        "notebooks", help="regenerate or check the notebooks", description="Work on the course's notebooks."
    )
    one.add_argument(
        "action", choices=["run", "check"], help="run: regenerate all outputs; check: hygiene of what is stored"
    )
    one.add_argument("files", nargs="*", type=Path, help="notebooks (default: all)")
    one.set_defaults(run=notebooks_command)


def sample_command(a: argparse.Namespace) -> int:
    path = a.checkpoint or data.find(recipes.SHIPPED)
    denoiser, card = checkpoints.load(path)
    described = card.get("data")
    if not described:
        raise checkpoints.CheckpointError(
            f"the card of {path} says nothing about its data, so its samples cannot be shown"
        )
    _writable(a.out)
    y = _labels(a.label, a.number, described["names"])
    generator = torch.Generator().manual_seed(a.seed)
    shape = (a.number, *described["shape"])
    times, step = recipes.times_for(a.sampler, denoiser.schedule, a.steps), recipes.SAMPLERS[a.sampler](a.temperature)
    noise = a.temperature * start(denoiser.schedule, float(times[0]), shape, generator)
    x = recipes.generate(denoiser, noise, y, step=step, times=times, guidance=a.guidance, generator=generator)
    write_atomically(a.out, _picture(x * described["scale"] + described["shift"]))
    print(f"wrote {a.out}: {a.number} samples of {described['name']}, {a.sampler} in {a.steps} steps, seed {a.seed}")
    return 0


def _writable(path: Path) -> None:
    """Raise OSError now, not after the work, where path cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it, such as {path / 'grid.png'}")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent} cannot be written to: choose another --out")


def _labels(wanted: str | None, count: int, names: list[str]) -> torch.Tensor | None:
    """The labels to draw: the class asked for, by number or any unmistakable part of its name, or all in turn."""
    if wanted is None:
        return torch.arange(count) % len(names) if names else None
    found = [k for k, name in enumerate(names) if wanted.lower() in (str(k), name.lower())]
    found = found or [k for k, name in enumerate(names) if wanted.lower() in name.lower()]
    if len(found) != 1:
        known = ", ".join(f"{k} {name}" for k, name in enumerate(names)) or "none: this model has no classes"
        raise ValueError(f"--class {wanted!r} is not one of this model's classes ({known})")
    return torch.full((count,), found[0])


def _picture(samples: torch.Tensor) -> bytes:
    """A PNG of images (N, C, H, W) in [0, 1], or of points (N, 2)."""
    from . import plots  # matplotlib takes a second to import, so only who draws pays for it

    if samples.ndim == 4:
        columns = math.ceil(math.sqrt(len(samples)))
        return plots.encode(
            plots.tile(samples.clamp(0, 1), columns, scale=max(1, 448 // (columns * samples.shape[-1])))
        )
    figure, axis = plots.panels(width=4, height=4)
    plots.scatter(axis, samples, color=plots.MODEL)
    return plots.png(figure)


def train_command(a: argparse.Namespace) -> int:
    name = a.preset or recipes.DATA_SETS.get(a.data, "fashion-small")
    folder = a.out or Path("runs") / name
    _writable(folder / "model.safetensors")
    if a.resume and (a.steps or a.minutes or a.seed is not None or a.preset or a.data):
        raise ValueError(
            "--resume goes on with the settings saved in --out: leave out --preset, --data, --steps, --minutes and --seed"
        )
    with _alone(folder), ranks.joined(runtime().device):
        exists = ranks.agreed((folder / recipes.RUN).exists())  # before rank 0 writes one
        if a.resume and not exists:
            raise ValueError(f"there is nothing to resume in {folder}: it holds no {recipes.RUN}")
        if exists and not a.resume:
            raise ValueError(f"{folder} already holds a run: add --resume to go on with it, or choose another --out")
        if a.resume:
            job = recipes.resume(folder)
        else:
            job = recipes.begin(name, seed=a.seed or 0, steps=a.steps, minutes=a.minutes)
        return _fit(job, folder, a.save_every)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system takes back however this process ends. Raises OSError if it is taken."""
    if int(os.environ.get("RANK", 0)):
        yield  # rank 0 holds it for all
        return
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise OSError(f"another training is at work in {folder}: let it end, or choose another --out") from None


def _fit(job: recipes.Training, folder: Path, every: float) -> int:
    """Train to the end, saving before the first step, then every so many seconds, and at the end.

    When asked to stop (Ctrl-C, SIGTERM), it does so after the step in hand.
    """
    asked, device = [], next(job.run.denoiser.parameters()).device
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: asked.append(number))
    steps, begun, saved = job.settings["steps"], time.monotonic() - job.record.get("seconds", 0), -math.inf
    look = 1 if device.type == "cpu" else LOOK
    for _ in chain([None], progress(job.losses(), total=steps, label=job.name, done=job.run.step)):
        stop = job.run.step % look == 0 and ranks.any_says(bool(asked), device)
        if stop or job.run.step == steps or time.monotonic() - saved > every:
            _save(job, folder, time.monotonic() - begun)
            saved = time.monotonic()
        if stop:
            _tell(f"stopped at step {job.run.step} of {steps}; go on with: minidiff train --out {folder} --resume")
            return 128 + (asked or [signal.SIGTERM])[0]
    _tell(f"wrote {folder / 'model.safetensors'} after {steps} steps in {time.monotonic() - begun:.0f} s; look at it with: "
          f"minidiff sample --checkpoint {folder / 'model.safetensors'}")  # fmt: skip
    return 0


def _save(job: recipes.Training, folder: Path, seconds: float) -> None:
    """Rank 0 saves, for all."""
    if ranks.rank():
        return
    try:
        job.save(folder, seconds)
    except OSError as error:
        left = (
            "the checkpoint before it is whole: make room and go on with --resume"
            if (folder / recipes.RUN).exists()
            else "no checkpoint is there yet"
        )
        raise OSError(
            f"step {job.run.step} could not be saved in {folder} ({error.strerror or error}); {left}"
        ) from error


def _tell(message: str) -> None:
    if not ranks.rank():
        print(message)


def judge_command(a: argparse.Namespace) -> int:
    if a.remake:
        return judge.main()
    path = a.checkpoint or data.find(recipes.SHIPPED)
    denoiser, card = checkpoints.load(path)
    if card.get("data", {}).get("name") != recipes.JUDGED:
        raise ValueError(f"the judge knows Fashion-MNIST only; {path} was trained on something else")
    result = recipes.score(denoiser, number=a.number, steps=a.steps, seed=a.seed)
    for name in ("frechet_distance", "kernel_distance", "precision", "recall"):
        value, error, floor = (result[name + part] for part in ("", "_error", "_floor"))
        print(f"{name.replace('_', ' '):17} {value:8.3f} +- {error:.3f}   real images in place of samples: {floor:.3f}")
    print(f"{'agreement':17} {result['agreement']:8.3f} +- {result['agreement_error']:.3f}   with the classes asked for; "
          f"{a.number:,} samples, DDIM, {a.steps} steps, no guidance, seed {a.seed}")  # fmt: skip
    if a.record:
        tensors, card = checkpoints.read(path)
        card["record"]["metrics"] = result
        checkpoints.write(path, tensors, card)
    return 0


def notebooks_command(a: argparse.Namespace) -> int:
    from . import notebooks  # and so does Jupyter

    return (notebooks.main_run if a.action == "run" else notebooks.main_check)(a.files)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; foreseeable mistakes end in one sentence and status 2 (arguments) or 1 (the rest)."""
    a = parser().parse_args(arguments)
    prog = f"minidiff {a.command}"
    try:
        return a.run(a)
    except ValueError as error:
        return _say(f"{prog}: {error}", 2)
    except (checkpoints.CheckpointError, data.DataError, TrainingError, OSError) as error:
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
