"""The command `minidiff judge`."""

import argparse
import json
from pathlib import Path

from torch import Tensor

from ..data import find, from_path
from ..data.files import printable
from ..engine import checkpoints
from ..engine.cards import demand
from ..engine.commands import add_reading, how_drawn, in_a_line, number, option, reading
from ..engine.generate import SAMPLERS, steps_for
from ..engine.presets import SHIPPED
from ..engine.runtime import runtime
from ..networks.registry import accept
from ..predictions import LearnedDenoiser
from ..refusals import require
from . import judge
from .score import FEATURES, JUDGED, score, score_own

OWN = """{samples:,} samples, {how}, and {real:,} of {data};
in the last column as many of the others. The mean, always the same, would be at a Frechet distance of {of_mean:.3g}.
Features: {features}.
They see whether colours, large shapes and their variety are those of the data, not whether samples are sharp or make
sense; and to them a copy of what was trained on is a good sample: compare with data held out of training.
Only values of the same data, number and features can be compared."""


def add(commands) -> None:
    """Register this room's commands."""
    _add_judge(commands)


def _add_judge(commands) -> None:
    said = "Compare samples of a model with real ones. A model of Fashion-MNIST is"
    said += " judged by a classifier of clothes; any other, with --data, by features that need no training."
    one = commands.add_parser("judge", help="score a model's samples", description=said)
    option(one, "--checkpoint", Path, None, "a model.safetensors (default: the model that ships with minidiff)")
    much = "how many samples; with --data, at most half as many as it holds"
    option(one, "--number", number(int, 200, 10_000), 10_000, much)
    option(one, "--sampler", str, "2m", "how they are drawn", choices=sorted(SAMPLERS))
    few = "from noise to data (default: with 2m 8 for images, 16 for others; 50 with ddim and ddpm)"
    option(one, "--steps", number(int, 1, 10_000), None, few)
    option(one, "--guidance", number(float, 0, 100), 1.0, "1: none")
    option(one, "--seed", number(int, 0, 2**63 - 1), 0, "same seed, same samples")
    one.add_argument("--remake", action="store_true", help="train the judge itself again, and print its accuracy")
    one.add_argument("--record", action="store_true", help="write the result into the checkpoint's card")
    own = one.add_argument_group("data of your own", "a folder of pictures or a file, best of what was not trained on")
    option(own, "--data", Path, None, "compare with these, read as the model's data were")
    option(own, "--features", str, "values", "inception needs torch-fidelity, and many pictures", choices=FEATURES)
    add_reading(own)
    one.set_defaults(run=judge_command)


def judge_command(a: argparse.Namespace) -> int:
    if a.remake:
        return judge.main()
    path, device = a.checkpoint or find(SHIPPED), runtime().device
    tensors, card = checkpoints.read(path)
    denoiser = checkpoints.assemble(path, tensors, card, None, None).eval().requires_grad_(False).float()
    demand(path, card, "data.name", "data.shape", *["data"] * (a.data is not None), *["record"] * a.record)
    a.steps = steps_for(a.sampler, card["data"]["shape"]) if a.steps is None else a.steps
    how = {"sampler": a.sampler, "steps": a.steps, "guidance": a.guidance, "seed": a.seed}
    options = {"number": a.number, **how, "device": device}
    if a.data is not None:
        result = _judge_own(a, path, denoiser.to(device), card["data"], options)
    elif card["data"]["name"] == JUDGED:
        with checkpoints.about(path):
            accept(denoiser.net, (1, 28, 28), 10)
        result = score(denoiser.to(device), **options)
        _tell(result, "images")
        said = f"{a.number:,} samples, {how_drawn(a)}"
        value, error = result["agreement"], result["agreement_error"]
        print(f"{'agreement':17} {value:8.3f} +- {error:.3f}   with the classes asked for; {said}")
    else:
        said = "name data to compare with, --data, such as pictures held out of training"
        raise ValueError(f"the judge knows Fashion-MNIST only; {path} was trained on something else: {said}")
    if a.record:
        _record(path, tensors, card, result)
    return 0


def _tell(result: dict, kind: str) -> None:
    for name in ("frechet_distance", "kernel_distance", "precision", "recall"):
        value, error, floor = (result[name + part] for part in ("", "_error", "_floor"))
        print(f"{name.replace('_', ' '):17} {value:8.3f} +- {error:.3f}   real {kind} in place of samples: {floor:.3f}")


def _judge_own(a: argparse.Namespace, path: Path, denoiser: LearnedDenoiser, described: dict, options: dict) -> dict:
    """The score beside data of one's own, told with what it can say.

    a: what to compare with, and how to read it.
    path: of the checkpoint, for messages.
    denoiser: what it holds.
    described: its data.
    options: of `score_own`.
    """
    shape, folder = described["shape"], a.data.is_dir()
    with checkpoints.about(path):
        accept(denoiser.net, shape, len(described["names"]))
    require("autoencoder" not in described, f"{path} draws latents: draw pictures by `minidiff sample`, compare those")
    require(len(shape) == 3 or not folder, f"{a.data} is a folder of pictures, and {path} draws something else")
    size = {"size": shape[1:], "channels": shape[0]} if folder else {}
    with in_a_line("judge"):
        own = from_path(a.data, **size, **reading(a))[0]
    result = score_own(denoiser, described, own, features=a.features, **options)
    _tell(result, "samples")
    print(OWN.format(**result, how=how_drawn(a), data=printable(str(a.data)), real=len(own) - len(own) // 2))
    return result


def _record(path: Path, tensors: dict[str, Tensor], card: dict, result: dict[str, float]) -> None:
    """Write a result into the card of the checkpoint that it is of, if the file still holds that one."""
    files = ((tensors, card), checkpoints.read(path))
    if len({checkpoints.fingerprint(held, json.dumps(text, sort_keys=True)) for held, text in files}) > 1:
        raise checkpoints.CheckpointError(f"{path} was changed while it was judged, and nothing recorded: try again")
    checkpoints.write(path, tensors, {**card, "record": card["record"] | {"metrics": result}})
