"""The commands `minidiff sample`, `minidiff edit` and `minidiff card`."""

import argparse
import hashlib
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from ..data import find
from ..data.files import printable, writable, write_atomically
from ..data.folder import _fitted as fitted
from ..data.images import on_white
from ..engine import checkpoints
from ..engine.cards import COLUMN, demand, told
from ..engine.commands import how_drawn, number, option
from ..engine.generate import SAMPLERS, generate, moments, steps_for, streams, times_for
from ..engine.measurements import averaging, masking
from ..engine.presets import SHIPPED, TOLD
from ..engine.runtime import runtime
from ..inverse import Operator, ddnm
from ..networks.registry import accept
from ..predictions import AnyDenoiser, LearnedDenoiser
from ..refusals import require
from ..samplers import Step, renoise_step
from ..schedules import evaluate, karras_times, start
from ..solvers import dpm_solver_2m
from .samples import FILMS, HEAD, MARK, STILLS, drawn, encoded, ours

FRAMES = 60  # of a film, at most
CERTAIN = 10.0  # noise level sigma / alpha at which nothing is left of a picture
PROMPTED, PATIENT = 2.0, 16  # guidance by a prompt, and steps of 2M with one: with 8 more pictures disobey
MOST = 2**27  # numbers that a film may hold in memory, as drawn and as shown: 1 GB
EXAMPLES = """examples:
  minidiff sample --class "ankle boot" --guidance 2 --out boots.png
  minidiff sample --prompt "three green squares on sand" --number 16 --out squares.png
  minidiff sample --checkpoint runs/mine/model.safetensors --number 16 --out walk.gif
"""


def add(commands) -> None:
    """Register this room's commands."""
    _add_sample(commands)
    _add_edit(commands)
    _add_card(commands)


def _add_sample(commands) -> None:
    shape: Any = {"epilog": EXAMPLES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    said = "draw from a trained model: pictures, films, numbers"
    one = commands.add_parser("sample", help=said, description="Draw from a checkpoint.", **shape)
    what, how = one.add_argument_group("what to draw"), one.add_argument_group("how to draw it")
    where = one.add_argument_group("what to write, and where")
    option(what, "--checkpoint", Path, None, "a model.safetensors (default: the model that ships with minidiff)")
    option(what, "--number", number(int, 1, 10_000), 64, "how many")
    _add_what(what)
    option(what, "--seed", number(int, 0, 2**63 - 1), 0, "same seed, same images, whatever is written")
    option(how, "--sampler", str, "2m", "2m, the quickest; ddim; ddpm, which adds noise", choices=sorted(SAMPLERS))
    few = "steps from noise to data (default: with 2m 8 for images, 16 for prompts and others; 50 with ddim and ddpm)"
    option(how, "--steps", number(int, 1, 10_000), None, few)
    strong = "1: none; 2 or 3: more typical of the class, less varied (default: 1.25 for images that have classes)"
    option(how, "--guidance", number(float, 0, 100), None, strong)
    option(how, "--temperature", number(float, 0, 10), 1.0, "multiplies all noise drawn")
    option(how, "--device", str, None, "default: cuda where there is any", choices=["cpu", "cuda"])
    option(how, "--batch", number(int, 1, 2**16), None, "samples drawn together (default: 64; 256 on cuda)")
    kinds = ".png or .jpg: a picture; .gif or .apng (an animated PNG): a film of the walk from noise to data; .npz: the"
    option(where, "--out", Path, None, f"{kinds} numbers (default: grid.png; with --each, the folder samples)")
    option(where, "--each", str, None, "a file a sample, in the folder --out: png, unless KIND is jpg, gif or apng",
           nargs="?", const="png", choices=sorted(end[1:] for end in STILLS | FILMS), metavar="KIND")  # fmt: skip
    where.add_argument("--force", action="store_true", help="write over what minidiff sample has not written, too")
    one.set_defaults(run=sample_command)


def _add_what(what) -> None:
    option(what, "--class", str, None, "a class, by name or number (default: all in turn)", dest="label")
    option(what, "--prompt", str, None, "what to draw, in words, by a model that was told captions", metavar="TEXT")
    option(what, "--negative", str, "", "with --prompt: what it should not look like, in words", metavar="TEXT")


def _add_edit(commands) -> None:
    said = "fill in, enlarge or clean a picture"
    more = "Several pictures that could be the one of which a part, a small copy or a noisy one is given."
    one = commands.add_parser("edit", help=said, description=more)
    option(one, "--image", Path, None, "the picture, of as many pixels as the model draws", required=True)
    task = one.add_argument_group("what to do, one of these").add_mutually_exclusive_group(required=True)
    option(task, "--mask", Path, None, "fill in what is white in this picture of the same size")
    option(task, "--upscale", number(int, 2, 1024), None, "make it K times as wide and high", metavar="K")
    noisy = "remove noise of this standard deviation, where black is 0 and white 1"
    option(task, "--denoise", number(float, 1e-3, 100), None, noisy, metavar="SIGMA")
    option(one, "--checkpoint", Path, None, "a model.safetensors (default: the model that ships with minidiff)")
    option(one, "--number", number(int, 1, 1024), 4, "how many answers")
    option(one, "--class", str, None, "what it shows, by name or number (default: not told)", dest="label")
    option(one, "--seed", number(int, 0, 2**63 - 1), 0, "same seed, same answers")
    option(one, "--steps", number(int, 1, 10_000), 40, "from noise to data")
    option(one, "--device", str, None, "default: cuda where there is any", choices=["cpu", "cuda"])
    option(one, "--out", Path, Path("edited.png"), ".png or .jpg: one answer as it is, or several as tiles")
    one.add_argument("--force", action="store_true", help="write over what minidiff has not written, too")
    one.set_defaults(run=edit_command)


def _add_card(commands) -> None:
    said = "What a checkpoint says of itself: data, network, schedule, settings, record, scores."
    one = commands.add_parser("card", help="print what a checkpoint says of itself", description=said)
    one.add_argument("file", type=Path, help="a model.safetensors or a run.safetensors")
    one.add_argument("--json", action="store_true", help="all of it, as JSON")
    one.set_defaults(run=card_command)


def sample_command(a: argparse.Namespace) -> int:
    path, device = a.checkpoint or find(SHIPPED if a.prompt is None else TOLD), runtime(a.device).device
    a.out = a.out or Path("samples" if a.each else "grid.png")
    writable(a.out / f"0.{a.each}" if a.each else a.out)
    ending = _ending(a.out, a.each)
    denoiser, card = _loaded(path)
    described = card["data"]
    _settle(a, described)
    y, told, against = _labels(a.label, a.number, described["names"]), *_prompted(a, denoiser)
    told |= {} if y is None else {"y": y}
    files = _files(a, ending, y, described["names"])
    for file in files:
        _refuse_out(file, path, ending, a.force)
    restore, frames = checkpoints.units(path).restore, FRAMES if ending in FILMS else 1
    x = torch.stack([restore(frame) for frame in _walked(a, denoiser.to(device), described, told, against, frames)])
    if ending == ".npz":
        _write(a.out, _arrays(a, x[-1], y, {"checkpoint": path.name, **card}))
    for k, file in enumerate(files * (ending != ".npz")):
        shown, scale = (x[:, k : k + 1], 1) if a.each else (x, None)
        _write(file, encoded([drawn(frame, x[-1], scale) for frame in shown], ending))
    what = f"{a.number} samples of {described['name']}, {how_drawn(a)}"
    wrote = f"{len(files)} files, {files[0]} to {files[-1].name}" if a.each else f"{a.out}"
    print(printable(f"wrote {wrote}: {what}"))
    return 0


def _loaded(path: Path) -> tuple[LearnedDenoiser, dict]:
    """A model that draws what its card says, in float32, and its card."""
    denoiser, card = checkpoints.load(path)
    demand(path, card, "data")
    with checkpoints.about(path):
        accept(denoiser.float().net, card["data"]["shape"], len(card["data"]["names"]))
    return denoiser, card


def edit_command(a: argparse.Namespace) -> int:
    path, device = a.checkpoint or find(SHIPPED), runtime(a.device).device
    writable(a.out)
    ending = a.out.suffix.lower()
    require(ending in STILLS, f"--out {a.out}: its ending says what is written, .png or .jpg for a picture")
    denoiser, card = _loaded(path)
    described = card["data"]
    pictures = len(described["shape"]) == 3 and "autoencoder" not in described
    require(pictures, f"{path} draws no pictures by itself, so it can edit none: choose another --checkpoint")
    y = None if a.label is None else _labels(a.label, a.number, described["names"])
    operator, seen = _measured(a, described)
    for file in (path, a.image, a.mask):
        taken = file and file.exists() and a.out.exists() and a.out.samefile(file)
        require(not taken, f"--out {a.out} is {file}, from which is read: choose another")
    _refuse_out(a.out, path, ending, a.force)
    a.denoise = a.denoise and a.denoise / described["scale"]
    y = y if y is None else y.to(device)
    x = _edited(a, denoiser.to(device), operator, seen.to(device), y) * described["scale"] + described["shift"]
    _write(a.out, encoded([drawn(x, scale=1 if a.number == 1 else None)], ending))
    print(printable(f"wrote {a.out}: {a.number} answers by {described['name']} in {a.steps} steps, seed {a.seed}"))
    return 0


def _measured(a: argparse.Namespace, described: dict) -> tuple[Operator, Tensor]:
    """What is known of the picture, (1, *), in the model's units, and how it was measured."""
    (channels, high, wide), k = described["shape"], a.upscale or 1
    fits = high % k == wide % k == 0
    require(fits, f"--upscale {k}: {k} does not divide the sides of the {wide} x {high} pixels that this model draws")
    seen = (_picture("--image", a.image, high // k, wide // k, channels) - described["shift"]) / described["scale"]
    if a.mask is None:
        return averaging(k), seen[None]
    hidden = _picture("--mask", a.mask, high, wide, 1) >= 0.5
    require(hidden.any(), f"nothing in --mask {a.mask} is white: paint white what is to be filled in")
    operator = masking(~hidden)
    return operator, operator.forward(seen[None])


def _picture(name: str, path: Path, high: int, wide: int, channels: int) -> Tensor:
    """A picture from a file, (channels, high, wide) in [0, 1]. Raises ValueError for one of another size.

    name: the option that names it.
    path: the file.
    high, wide: its size in pixels.
    channels: 1 or 3.
    """
    picture = on_white(path)
    said = f"{name} {path} has {picture.shape[1]} x {picture.shape[0]} pixels, where {wide} x {high} are wanted"
    require(picture.shape[:2] == (high, wide), f"{said}: scale it, or cut that out of it, first")
    return fitted(picture, high, wide, channels, "crop")


def _edited(a: argparse.Namespace, denoiser: LearnedDenoiser, operator: Operator, seen: Tensor, y: Any) -> Tensor:
    """Answers, (N, *), on the CPU: by DDNM, with all noise fresh in each step, or by the reverse SDE from noisy pixels.

    a: what is asked for, its `denoise` in the model's units.
    denoiser: what draws.
    operator, seen: the measurement, on the denoiser's device.
    y: labels, or None.
    """
    schedule, level, generator = denoiser.schedule, a.denoise or CERTAIN, streams(a.seed, range(a.number))
    times = karras_times(a.steps, min(0.05, level / 2), level, schedule=schedule)
    shape = (a.number, *operator.adjoint(seen).shape[1:])
    noisy = start(schedule, float(times[0]), shape, generator).to(seen)
    who: AnyDenoiser = ddnm(denoiser, operator, seen)
    step: Step = renoise_step
    if a.denoise:
        noisy, who, step = evaluate(schedule, float(times[0]))[0] * seen.expand(shape), denoiser, dpm_solver_2m(eta=1.0)
    return generate(who, noisy, y, step=step, times=times, generator=generator).cpu()


def _settle(a: argparse.Namespace, described: dict) -> None:
    """Steps and guidance that do well with such data, where none are asked for."""
    few = PATIENT if a.prompt is not None and a.sampler == "2m" else steps_for(a.sampler, described["shape"])
    a.steps = few if a.steps is None else a.steps
    classes_of_images = described["names"] and len(described["shape"]) == 3
    usual = PROMPTED if a.prompt is not None else 1.25 if classes_of_images else 1.0
    a.guidance = usual if a.guidance is None else a.guidance


def _ending(out: Path, each: str | None) -> str:
    """What the names of the files end in, which says what is written. Raises ValueError for what is no such ending."""
    ending, kinds = out.suffix.lower(), [".npz", *STILLS, *FILMS]
    if each:
        require(ending not in kinds, f"--each writes a file a sample: let --out be a folder for them, not {out}")
        return f".{each}"
    said = ".png or .jpg for a picture, .gif or .apng for a film, .npz for the numbers"
    require(ending in kinds, f"--out {out}: its ending says what is written, {said}")
    return ending


def _refuse_out(out: Path, checkpoint: Path, ending: str, force: bool) -> None:
    """Raise OSError where the file cannot be written to out, or what would be lost there is none of minidiff's.

    out: the file.
    checkpoint: what is drawn from.
    ending: the kind of file.
    force: whether others' files may be lost.
    """
    writable(out)
    if out.exists() and checkpoint.exists() and out.samefile(checkpoint):
        raise FileExistsError(f"{out} is the checkpoint itself: choose another --out")
    if out.exists() and not force:
        with open(out, "rb") as file:
            if not ours(file.read(HEAD), ending):
                said = f"{out} exists and is no {ending[1:].upper()} that minidiff wrote"
                raise FileExistsError(f"{said}: choose another --out, or add --force")


def _labels(wanted: str | None, count: int, names: list[str]) -> Tensor | None:
    """The labels to draw: the class asked for, by number or any unmistakable part of its name, or all in turn."""
    if wanted is None:
        return torch.arange(count) % len(names) if names else None
    found = [k for k, name in enumerate(names) if wanted.lower() in (str(k), name.lower())]
    found = found or [k for k, name in enumerate(names) if wanted.lower() in name.lower()]
    if len(found) != 1:
        known = ", ".join(f"{k} {printable(name)}" for k, name in enumerate(names)) or "none: this model has no classes"
        raise ValueError(f"--class {wanted!r} is not one of this model's classes ({known})")
    return torch.full((count,), found[0])


def _prompted(a: argparse.Namespace, denoiser: LearnedDenoiser) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the network is told in words, a row a sample, and what guidance leads away from."""
    text: Any = getattr(denoiser.net, "text", None)
    if a.prompt is None:
        require(not a.negative, "--negative says what a --prompt should not look like: give that too")
        return {}, {}
    require(text is not None, "this model was told no captions, so it takes no --prompt: choose another --checkpoint")
    told = text.words.encode([a.prompt]).expand(a.number, -1)
    return {"text": told}, {"text": text.words.encode([a.negative])} if a.negative else {}


def _files(a: argparse.Namespace, ending: str, y: Tensor | None, names: list[str]) -> list[Path]:
    """The files to be written: one, or one a sample, by number and class, in letters that any system takes."""
    if not a.each:
        return [a.out]
    safe = [re.sub(r"\W+", "-", name).strip("-")[:40] for name in names]
    said = [""] * a.number if y is None else [f"-{safe[k]}" * bool(safe[k]) for k in y.tolist()]
    digits = len(str(a.number - 1))
    return [a.out / f"{k:0{digits}}{name}{ending}" for k, name in enumerate(said)]


def _walked(
    a: argparse.Namespace, denoiser: LearnedDenoiser, described: dict, told: dict, against: dict, frames: int
) -> Tensor:
    """The samples as the model has them, (F, N, *), with moments of their walk before them.

    a: how they are drawn.
    denoiser: what draws them, where it is to be done.
    described: shape, shift and scale of the data.
    told: what the network is told, a row a sample.
    against: what guidance leads away from.
    frames: how many moments, at most; 1: the samples alone.

    A moment is shown at the data's own variance, whatever the schedule's.
    """
    schedule, device = denoiser.schedule, next(denoiser.parameters()).device
    times, step = times_for(a.sampler, schedule, a.steps), SAMPLERS[a.sampler](a.temperature)
    kept = moments(len(times), frames) if frames > 1 else [len(times) - 1]
    shape, generator = (a.number, *described["shape"]), streams(a.seed, range(a.number))
    small = len(kept) == 1 or len(kept) * math.prod(shape) <= MOST
    require(small, f"a film of {a.number} samples of this size would fill the memory: draw fewer, with --number")
    noise = (a.temperature * start(schedule, float(times[0]), shape, generator)).to(device)
    told, against = ({name: rows.to(device) for name, rows in part.items()} for part in (told, against))
    x = generate(denoiser, noise, told, step=step, times=times, guidance=a.guidance, against=against,
                 generator=generator, batch=a.batch, frames=frames if frames > 1 else None).cpu()  # fmt: skip
    x = x if frames > 1 else x.unsqueeze(0)
    require(
        bool(x.isfinite().all()), "the samples are not finite numbers: try less --guidance, or train the model longer"
    )
    for frame, t in zip(x[:-1], times[kept].tolist(), strict=False):
        frame /= math.hypot(*evaluate(schedule, t))
    return x


def _arrays(a: argparse.Namespace, x: Tensor, y: Tensor | None, card: dict) -> bytes:
    """An npz without pickle: x in the data's own units, y and names if there are classes, seed and card."""
    told = {name: card.get(name) for name in ("checkpoint", "data", "network", "schedule", "target")}
    told |= {name: getattr(a, name) for name in ("sampler", "steps", "guidance", "temperature", "seed", "prompt")}
    named = {} if y is None else {"y": y.numpy(), "names": np.array(card["data"]["names"])}
    content: dict[str, Any] = {MARK: np.array(__version__), "x": x.numpy(), **named, "seed": np.array(a.seed)}
    buffer = io.BytesIO()
    np.savez(buffer, **content, card=np.array(json.dumps(told)))
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        said = f"{path} could not be written ({error.strerror or error})"
        raise OSError(f"{said}: make room there, or choose another --out") from error


def card_command(a: argparse.Namespace) -> int:
    tensors, card = checkpoints.read(a.file)
    try:
        text = json.dumps(card, indent=2, allow_nan=False)
        lines = [text] if a.json else [*_about(a.file, tensors), *told(card)]
    except (ValueError, RecursionError) as error:
        raise checkpoints.CheckpointError(
            f"the card of {a.file} cannot be shown ({error}): it is of another make"
        ) from None
    print("\n".join(lines if a.json else map(printable, lines)))
    return 0


def _about(path: Path, tensors: dict[str, Tensor]) -> list[str]:
    content, count = path.read_bytes(), sum(value.numel() for value in tensors.values())
    kinds = ", ".join(sorted({str(value.dtype).removeprefix("torch.") for value in tensors.values()}))
    said = f"{path}: {len(content):,} bytes, {len(tensors)} tensors, {count:,} numbers ({kinds or 'none'})"
    return [said, f"{'sha256':{COLUMN}} {hashlib.sha256(content).hexdigest()}"]
