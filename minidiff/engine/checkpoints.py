"""A checkpoint is ONE safetensors file: the tensors, a card (JSON) that says what they are, and a SHA-256 over both.

No pickle is ever read. Files are written atomically, and a changed bit or a missing byte is refused. Names and shapes
are compared with the network's before memory is taken for it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor, nn

from .. import refusals
from ..data import find
from ..data.files import regular, write_atomically
from ..networks.autoencoder import AutoEncoder
from ..networks.registry import describe, fill, misfit, parameters, restore, unfinite, weights
from ..predictions import LearnedDenoiser, learned
from ..schedules import SCHEDULES, Schedule
from .cards import FORMAT, CheckpointError, demand
from .state import Run

_ODD = (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError)


def write(path: str | Path, tensors: dict[str, Tensor], card: dict) -> None:
    """Write tensors and card to path, whole or not at all. Raises CheckpointError for what a checkpoint cannot hold."""
    path = refusals.path("path", path)
    try:
        broken = unfinite(tensors)
        text = json.dumps(card, sort_keys=True, allow_nan=False)
        # a copy each, of tied ones too
        apart = {name: value.detach().contiguous().to("cpu", copy=True) for name, value in tensors.items()}
        content = _encode(apart, text, fingerprint(apart, text))
    except _ODD as error:
        raise CheckpointError(f"{path} was not written, since a checkpoint cannot hold this: {error}") from None
    if broken:
        raise CheckpointError(f"{path} was not written: {broken} holds NaN or infinity; keep the last good checkpoint")
    write_atomically(path, content)


def read(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the card of a checkpoint. Raises CheckpointError for a missing, truncated or altered file."""
    path = refusals.path("path", path)
    try:
        regular(path)
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"cannot read the checkpoint {path}: {reason}") from None
    try:
        tensors, (text, digest) = parse(content), _header(content)
        intact = digest == fingerprint(tensors, text) and _encode(tensors, text, digest) == content
        card = json.loads(text)
    except _ODD as error:
        raise CheckpointError(_refusal(path, f"it cannot be parsed ({type(error).__name__})")) from None
    if not intact:
        raise CheckpointError(_refusal(path, "its content does not match its SHA-256"))
    return tensors, card


def save(path: str | Path, denoiser: LearnedDenoiser, card: dict | None = None, *, half: bool = False) -> None:
    """Write a denoiser as one checkpoint, its network without what `torch.compile` or data parallelism wrapped it in.

    path: the file, written whole or not at all.
    denoiser: its network, schedule and target are described in the card.
    card: adds to the description (data, record).
    half: float16 weights, which are read back in the network's own type.

    What `load` could not build again is refused (ValueError), with the way to register it: networks of your own in
    `minidiff.networks.NETWORKS`, schedules in `minidiff.schedules.SCHEDULES`. CheckpointError for NaN and infinity.
    """
    described = _described(learned(denoiser))
    save_network(path, denoiser.net, {**_dict(card), **described}, half=half)


def save_network(path: str | Path, net: nn.Module, card: dict | None = None, *, half: bool = False) -> None:
    """Write a network that is no denoiser, such as an AutoEncoder, as one checkpoint; ValueError for unknown ones.

    path: the file, written whole or not at all.
    net: one of `minidiff.networks.NETWORKS`, described in the card.
    card: adds to the description.
    half: float16 weights, which are read back in the network's own type.
    """
    refusals.instance("net", net, nn.Module, "a network"), refusals.flag("half", half)
    described, tensors = {"format": FORMAT, "network": describe(net)}, weights(net)
    tensors = {name: value.half() if half and value.is_floating_point() else value for name, value in tensors.items()}
    write(path, tensors, {**_dict(card), **described})


def load_network(path: str | Path) -> tuple[nn.Module, dict]:
    """The network of a checkpoint, on the CPU and frozen, and its card. Raises CheckpointError."""
    tensors, card = read(path)
    demand(path, card, "network")
    with about(path):
        return restore(card["network"], tensors).eval().requires_grad_(False), card


class Units(NamedTuple):
    """From the data's own units to what a model draws, and back; in parts, both (N, *)."""

    standardise: Callable[[Tensor], Tensor]
    restore: Callable[[Tensor], Tensor]


def units(path: str | Path) -> Units:
    """The units of the model at path, by its card: shift, scale, and an autoencoder if it draws latents.

    The autoencoder lies beside it, or with minidiff's data. Raises CheckpointError, and DataError where it is missing.
    """
    _, card = read(path)
    demand(path, card, "data")
    shift, scale, name = (card["data"].get(key) for key in ("shift", "scale", "autoencoder"))
    if name is None:
        return Units(lambda raw: (raw - shift) / scale, lambda x: x * scale + shift)
    beside = Path(path).parent / name
    encoded, decoded = latents(beside if beside.exists() else find(name))
    return Units(lambda raw: encoded((raw - shift) / scale), lambda x: decoded(x) * scale + shift)


def latents(path: str | Path) -> Units:
    """An autoencoder's `encode` and `decode`, from its file, for any number of images. Raises CheckpointError."""
    net, _ = load_network(path)
    if not isinstance(net, AutoEncoder):
        raise CheckpointError(f"{path} holds a {type(net).__name__}, where an AutoEncoder is wanted")
    in_parts = lambda function: lambda x: torch.cat([function(part) for part in x.split(256)])
    return Units(in_parts(net.encode), in_parts(net.decode))


def load(
    path: str | Path, net: nn.Module | None = None, schedule: Schedule | None = None
) -> tuple[LearnedDenoiser, dict]:
    """The denoiser of a checkpoint, ready to sample on the CPU, and its card. Raises CheckpointError.

    net, schedule: those to use where the card's are not registered here; the network, built like the one that was
    saved, is filled.
    """
    tensors, card = read(path)
    return assemble(path, tensors, card, net, schedule).eval().requires_grad_(False), card


def assemble(
    path: str | Path, tensors: dict[str, Tensor], card: dict, net: nn.Module | None, schedule: Schedule | None
) -> LearnedDenoiser:
    """The denoiser that a card and its tensors describe. Raises CheckpointError.

    path: where they were read, for messages.
    tensors: name -> weights of the network.
    card: network, schedule and target.
    net, schedule: as for `load`.
    """
    if not isinstance(net, nn.Module | None) or not (schedule is None or callable(schedule)):
        raise TypeError("load takes a network that is built, such as net=MLP(dim=2), and a schedule, such as cosine")
    demand(path, card, "target", *["network"] * (net is None), *["schedule"] * (schedule is None))
    known = [value for name, value in SCHEDULES.items() if name == card.get("schedule")]
    if schedule is not None and known not in ([], [schedule]):
        raise CheckpointError(f"{path} was trained on the schedule {card['schedule']!r}: leave out schedule=")
    with about(path):
        net = restore(card["network"], tensors) if net is None else fill(net, tensors)
    return LearnedDenoiser(net, known[0] if schedule is None else schedule, card["target"])


@contextmanager
def about(path: str | Path) -> Iterator[None]:
    """Turn what goes wrong inside into a CheckpointError about a file: its content may trip a network over anything."""
    try:
        yield
    except Exception as error:
        raise CheckpointError(f"{path} holds nothing that this version can build: {error}") from None


def _dict(card: dict | None) -> dict:
    return {} if card is None else refusals.instance("card", card, dict, "a dict that adds to the description, or None")


def _described(denoiser: LearnedDenoiser) -> dict:
    """What a checkpoint must say to build this denoiser again. Raises ValueError where nothing could."""
    schedule = denoiser.schedule
    if isinstance(schedule, nn.Module) and any(True for _ in schedule.parameters()):
        raise ValueError("a schedule that learns is not saved with its network: make it a function, and register that")
    names = [name for name, known in SCHEDULES.items() if known is schedule]
    if not names:
        mend = "minidiff.schedules.SCHEDULES['mine'] = schedule, here and where it is loaded"
        raise ValueError(f"only schedules with a name can be saved ({', '.join(SCHEDULES)}): register yours, {mend}")
    return {"format": FORMAT, "network": describe(denoiser.net), "schedule": names[0], "target": denoiser.target}


def fingerprint(tensors: dict[str, Tensor], card: str) -> str:
    """SHA-256 over the card and every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(card.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _encode(tensors: dict[str, Tensor], card: str, digest: str) -> bytes:
    """The file: one metadata entry, since safetensors writes several in random order, and a file is its content."""
    return serialise(tensors, {"minidiff": json.dumps([card, digest])})


def _header(content: bytes) -> tuple[str, str]:
    """Card and digest out of a safetensors file: header length (8 bytes), JSON header, tensors."""
    size = int.from_bytes(content[:8], "little")
    card, digest = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["minidiff"])
    return card, digest


def _refusal(path: str | Path, reason: str) -> str:
    mend = f"copy it again, or restore it (git checkout -- {path})"
    return f"{path} is damaged or not a minidiff checkpoint: {reason}; {mend}"


def save_run(path: str | Path, run: Run, card: dict | None = None) -> None:
    """Write everything needed to go on: weights, average, Adam's moments, step. card adds to the description."""
    described = _described(refusals.instance("run", run, Run, "a TrainState, of a training that goes on").denoiser)
    parts = {"net": weights(run.denoiser.net), "average": weights(run.average.net), "adam": _moments(run)}
    tensors = {f"{part}.{name}": value for part, named in parts.items() for name, value in named.items()}
    write(path, tensors, {**_dict(card), **described, "step": run.step, "training": run.settings})


def load_run(
    path: str | Path, device: str | torch.device = "cpu", net: nn.Module | None = None, schedule: Schedule | None = None
) -> tuple[Run, dict]:
    """The state that `save_run` wrote, and its card. Raises CheckpointError.

    path: a run.safetensors.
    device: where training goes on.
    net, schedule: as for `load`.
    """
    (tensors, card), device = read(path), refusals.device(device)
    demand(path, card, "step", "recent", "training")
    parts: dict[str, dict[str, Tensor]] = {"net": {}, "average": {}, "adam": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = value
    if len(parts) > 3:
        raise CheckpointError(f"{path} is not a run, from which training goes on: give the run.safetensors")
    run = Run(assemble(path, parts["net"], card, net, schedule).to(device))
    with about(path):
        fill(run.average.net, parts["average"])
        _fill_moments(run, parts["adam"], older="format" not in card)
    run.step, run.settings = card["step"], card.get("training")
    return run, card


ADAM = ("step", "exp_avg", "exp_avg_sq")


def _moments(run: Run) -> dict[str, Tensor]:
    """What Adam keeps of each parameter, by name and laid out like it: zeros, as Adam begins, where it has none yet."""
    found: dict[str, Tensor] = {}
    for name, parameter in parameters(run.denoiser.net).items():
        known = run.optimizer.state.get(parameter)
        fresh = (torch.zeros((), device=parameter.device), torch.zeros_like(parameter), torch.zeros_like(parameter))
        found |= {f"{name}.{key}": known[key] if known else zero for key, zero in zip(ADAM, fresh, strict=True)}
    return found


def _fill_moments(run: Run, found: dict[str, Tensor], older: bool) -> None:
    """Give Adam its moments back. older: saved before there was a format, without those that are zero still."""
    moments = _moments(run)
    if older:
        told = {name.rpartition(".")[0] for name in found}
        found = {name: value for name, value in moments.items() if name.rpartition(".")[0] not in told} | found
    negative = [name for name, value in found.items() if not name.endswith(".exp_avg") and (value < 0).any()]
    if odd := misfit(moments, found) or unfinite(found) or next(iter(negative), None):
        raise ValueError(f"Adam cannot have made {odd[:100]!r} like that: take an earlier checkpoint")
    for name, parameter in parameters(run.denoiser.net).items():  # laid out like it: fused Adam walks both as they lie
        run.optimizer.state[parameter] = {key: moments[f"{name}.{key}"].copy_(found[f"{name}.{key}"]) for key in ADAM}
