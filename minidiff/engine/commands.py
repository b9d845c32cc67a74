"""The commands `minidiff sample` and `minidiff train`."""

import argparse
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from ..data import find
from ..data.files import printable, writable, write_atomically
from ..networks.registry import accept
from ..schedules import start
from . import checkpoints, ranks
from .cards import demand
from .generate import SAMPLERS, generate, streams, times_for
from .presets import DATA_SETS, PRESETS, SHIPPED
from .runs import MOST_STEPS, RUN, Training, begin, resume
from .runtime import progress, runtime
from .train import CHECK_EVERY

PNG = b"\x89PNG\r\n\x1a\n"  # how every PNG begins


def add(commands) -> None:
    """Register this room's commands."""
    _add_sample(commands)
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


def _add_sample(commands) -> None:
    one = commands.add_parser("sample", help="draw images from a trained model", description="Draw from a checkpoint.")
    option(one, "--out", Path, Path("grid.png"), "the PNG to write")
    option(one, "--checkpoint", Path, None, "a model.safetensors (default: the model that ships with minidiff)")
    option(one, "--number", number(int, 1, 10_000), 64, "how many")
    option(one, "--class", str, None, "a class, by name or number (default: all in turn)", dest="label")
    option(one, "--steps", number(int, 1, 10_000), 50, "steps from noise to data")
    option(one, "--sampler", str, "ddim", "2m does well with 8 steps", choices=sorted(SAMPLERS))
    option(one, "--guidance", number(float, 0, 100), 1.0, "1: none; 2 or 3: more typical of the class, less varied")
    option(one, "--temperature", number(float, 0, 10), 1.0, "multiplies all noise drawn")
    option(one, "--seed", number(int, 0, 2**63 - 1), 0, "same seed, same images")
    one.add_argument("--force", action="store_true", help="write over --out even where it is no PNG")
    one.set_defaults(run=sample_command)


def _add_train(commands) -> None:
    one = commands.add_parser(
        "train", help="train a model from scratch", description="Train a model; on CUDA where there is any."
    )
    what, long = one.add_mutually_exclusive_group(), one.add_mutually_exclusive_group()
    option(what, "--preset", str, None, "what to train, and on what (default: fashion-small)", choices=sorted(PRESETS))
    option(what, "--data", str, None, "a data set, trained by its first preset", choices=sorted(DATA_SETS))
    option(long, "--steps", number(int, 1, MOST_STEPS), None, "how many steps (default: the preset's)")
    option(
        long, "--minutes", number(float, 0.01, 525_600), None, "about how long: times 20 steps, then fixes their number"
    )
    option(one, "--out", Path, None, "the folder to write to (default: runs/PRESET)")
    one.add_argument("--resume", action="store_true", help="go on where --out stopped, with the settings saved there")
    option(one, "--seed", number(int, 0, 2**32 - 1), None, "default: 0")
    option(one, "--save-every", number(float, 0), 60.0, "0: each step", metavar="SECONDS")
    one.set_defaults(run=train_command)


def sample_command(a: argparse.Namespace) -> int:
    path, device = a.checkpoint or find(SHIPPED), runtime().device
    _refuse_out(a.out, path, a.force)
    denoiser, card = checkpoints.load(path)
    demand(path, card, "data")
    described = card["data"]
    with checkpoints.about(path):
        accept(denoiser.float().net, described["shape"], len(described["names"]))
    y = _labels(a.label, a.number, described["names"])
    generator = streams(a.seed, range(a.number))
    shape = (a.number, *described["shape"])
    times, step = times_for(a.sampler, denoiser.schedule, a.steps), SAMPLERS[a.sampler](a.temperature)
    noise = a.temperature * start(denoiser.schedule, float(times[0]), shape, generator).to(device)
    y = y if y is None else y.to(device)
    x = generate(denoiser.to(device), noise, y, step=step, times=times, guidance=a.guidance, generator=generator)
    write_atomically(a.out, _picture(x.cpu() * described["scale"] + described["shift"]))
    what = f"{a.number} samples of {described['name']}, {a.sampler} in {a.steps} steps, seed {a.seed}"
    print(printable(f"wrote {a.out}: {what}"))
    return 0


def _refuse_out(out: Path, checkpoint: Path, force: bool) -> None:
    """Raise OSError where the picture cannot be written to out, or what would be lost there is no picture."""
    writable(out)
    if out.exists() and checkpoint.exists() and out.samefile(checkpoint):
        raise FileExistsError(f"{out} is the checkpoint itself: choose another --out")
    if out.exists() and not force:
        with open(out, "rb") as file:
            if file.read(len(PNG)) != PNG:
                raise FileExistsError(f"{out} exists and is no PNG: choose another --out, or add --force")


def _labels(wanted: str | None, count: int, names: list[str]) -> torch.Tensor | None:
    """The labels to draw: the class asked for, by number or any unmistakable part of its name, or all in turn."""
    if wanted is None:
        return torch.arange(count) % len(names) if names else None
    found = [k for k, name in enumerate(names) if wanted.lower() in (str(k), name.lower())]
    found = found or [k for k, name in enumerate(names) if wanted.lower() in name.lower()]
    if len(found) != 1:
        known = ", ".join(f"{k} {printable(name)}" for k, name in enumerate(names)) or "none: this model has no classes"
        raise ValueError(f"--class {wanted!r} is not one of this model's classes ({known})")
    return torch.full((count,), found[0])


def _picture(samples: torch.Tensor) -> bytes:
    """A PNG of images (N, C, H, W) in [0, 1], or of points (N, 2)."""
    from ..show import plots  # matplotlib takes a second to import, so only who draws pays for it

    if samples.ndim == 4:
        columns = math.ceil(math.sqrt(len(samples)))
        return plots.encode(
            plots.tile(samples.clamp(0, 1), columns, scale=max(1, 448 // (columns * samples.shape[-1])))
        )
    figure, _ = plots.panels(width=4, height=4)
    plots.scatter(figure.axes[0], samples, color=plots.MODEL)
    return plots.png(figure)


def train_command(a: argparse.Namespace) -> int:
    name = a.preset or DATA_SETS.get(a.data, "fashion-small")
    folder = a.out or Path("runs") / name
    model = folder / "model.safetensors"
    writable(model)
    if a.resume and (a.steps or a.minutes or a.seed is not None or a.preset or a.data):
        said = "leave out --preset, --data, --steps, --minutes and --seed"
        raise ValueError(f"--resume goes on with the settings saved in --out: {said}")
    if a.resume and not (folder / RUN).exists():
        raise ValueError(f"there is nothing to resume in {folder}: it holds no {RUN}")
    with _alone(folder), ranks.process_group(runtime().device):
        run, shared = ranks.broadcast(((folder / RUN).exists(), model.exists()))  # before rank 0 writes them
        if a.resume:
            return _fit(resume(folder), folder, a.save_every, resumed=True)
        if run:
            raise ValueError(f"{folder} already holds a run: add --resume to go on with it, or choose another --out")
        if shared:
            raise ValueError(f"{folder} already holds a model, with no run to go on with: choose another --out")
        job = begin(name, seed=a.seed or 0, steps=a.steps, minutes=a.minutes)
        return _fit(job, folder, a.save_every)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system takes back however this process ends. Raises OSError if it is taken."""
    if int(os.environ.get("RANK", 0)):
        yield  # rank 0 holds it for all
        return
    if (folder / ".lock").is_symlink():
        raise OSError(f"{folder / '.lock'} is a link, which might be to anything: remove it, or choose another --out")
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise OSError(f"another training is at work in {folder}: let it end, or choose another --out") from None


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
    for _ in chain([None] * at_once, progress(job.losses(), total=steps, label=job.name, done=job.run.step)):
        stop = job.run.step % look == 0 and ranks.any_rank(bool(asked), device)
        if stop or job.run.step == steps or time.monotonic() - saved > every:
            _save(job, folder, time.monotonic() - begun)
            saved = time.monotonic()
        if stop:
            _tell(f"stopped at step {job.run.step} of {steps}; go on with: minidiff train --out {folder} --resume")
            return 128 + (asked or [signal.SIGTERM])[0]
    model, seconds = folder / "model.safetensors", time.monotonic() - begun
    _tell(
        f"wrote {model} after {steps} steps in {seconds:.0f} s; look at it with: minidiff sample --checkpoint {model}"
    )
    return 0


def _save(job: Training, folder: Path, seconds: float) -> None:
    """Rank 0 saves, for all."""
    if ranks.rank():
        return
    try:
        job.save(folder, seconds)
    except OSError as error:
        left = (
            "the checkpoint before it is whole: make room and go on with --resume"
            if (folder / RUN).exists()
            else "no checkpoint is there yet"
        )
        raise OSError(
            f"step {job.run.step} could not be saved in {folder} ({error.strerror or error}); {left}"
        ) from error


def _tell(message: str) -> None:
    if not ranks.rank():
        print(message)
