"""The command `minidiff judge`."""

import argparse
import json
from pathlib import Path

from torch import Tensor

from ..data import find
from ..engine import checkpoints
from ..engine.cards import demand
from ..engine.commands import number, option
from ..engine.presets import SHIPPED
from ..engine.runtime import runtime
from ..networks.registry import accept
from . import judge
from .score import JUDGED, score


def add(commands) -> None:
    """Register this room's commands."""
    _add_judge(commands)


def _add_judge(commands) -> None:
    described = "Compare samples of a Fashion-MNIST model with held-out images: DDIM, no guidance, classes in turn."
    one = commands.add_parser("judge", help="score a Fashion-MNIST model", description=described)
    option(one, "--checkpoint", Path, None, "a model.safetensors (default: the model that ships with minidiff)")
    option(one, "--number", number(int, 200, 10_000), 10_000, "how many samples")
    option(one, "--steps", number(int, 1, 10_000), 50, "DDIM steps")
    option(one, "--seed", number(int, 0, 2**63 - 1), 0, "same seed, same samples")
    one.add_argument("--remake", action="store_true", help="train the judge itself again, and print its accuracy")
    one.add_argument("--record", action="store_true", help="write the result into the checkpoint's card")
    one.set_defaults(run=judge_command)


def judge_command(a: argparse.Namespace) -> int:
    if a.remake:
        return judge.main()
    path = a.checkpoint or find(SHIPPED)
    tensors, card = checkpoints.read(path)
    denoiser = checkpoints.assemble(path, tensors, card, None, None).eval().requires_grad_(False).float()
    demand(path, card, "data.name", *["record"] * a.record)
    if card["data"]["name"] != JUDGED:
        raise ValueError(f"the judge knows Fashion-MNIST only; {path} was trained on something else")
    with checkpoints.about(path):
        accept(denoiser.net, (1, 28, 28), 10)
    device = runtime().device
    result = score(denoiser.to(device), number=a.number, steps=a.steps, seed=a.seed, device=device)
    for name in ("frechet_distance", "kernel_distance", "precision", "recall"):
        value, error, floor = (result[name + part] for part in ("", "_error", "_floor"))
        print(f"{name.replace('_', ' '):17} {value:8.3f} +- {error:.3f}   real images in place of samples: {floor:.3f}")
    said = f"{a.number:,} samples, DDIM, {a.steps} steps, no guidance, seed {a.seed}"
    value, error = result["agreement"], result["agreement_error"]
    print(f"{'agreement':17} {value:8.3f} +- {error:.3f}   with the classes asked for; {said}")
    if a.record:
        _record(path, tensors, card, result)
    return 0


def _record(path: Path, tensors: dict[str, Tensor], card: dict, result: dict[str, float]) -> None:
    """Write a result into the card of the checkpoint that it is of, if the file still holds that one."""
    files = ((tensors, card), checkpoints.read(path))
    if len({checkpoints.fingerprint(held, json.dumps(text, sort_keys=True)) for held, text in files}) > 1:
        raise checkpoints.CheckpointError(f"{path} was changed while it was judged, and nothing recorded: try again")
    checkpoints.write(path, tensors, {**card, "record": card["record"] | {"metrics": result}})
