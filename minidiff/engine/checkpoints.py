"""A checkpoint is ONE safetensors file: the tensors, a card (JSON) that says what they are, and a SHA-256 over both.

No pickle is ever read. Files are written atomically, and a changed bit or a missing byte is refused.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor, nn

from ..data.files import write_atomically
from ..networks import NETWORKS
from ..predictions import LearnedDenoiser
from ..schedules import SCHEDULES
from .state import Run


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or must not be written; the message says which, why, and what to do."""


def write(path: str | Path, tensors: dict[str, Tensor], card: dict) -> None:
    """Write tensors and card to path, whole or not at all. Raises CheckpointError for a value that is not finite."""
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"{path} was not written: {broken[0]} holds NaN or infinity; keep the last good checkpoint"
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps(card, sort_keys=True, allow_nan=False)
    write_atomically(path, _encode(tensors, text, fingerprint(tensors, text)))


def read(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the card of a checkpoint. Raises CheckpointError for a missing, truncated or altered file."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error.strerror or error}") from None
    try:
        tensors, (text, digest) = parse(content), _header(content)
        intact = digest == fingerprint(tensors, text) and _encode(tensors, text, digest) == content
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        raise CheckpointError(_refusal(path, f"it cannot be parsed ({type(error).__name__})")) from None
    if not intact:
        raise CheckpointError(_refusal(path, "its content does not match its SHA-256"))
    return tensors, json.loads(text)


def save(path: str | Path, denoiser: LearnedDenoiser, card: dict | None = None, *, half: bool = False) -> None:
    """Write a denoiser as one checkpoint; card adds to its description (data, record). half: float16 weights."""
    tensors = denoiser.net.state_dict()
    tensors = {name: value.half() if half and value.is_floating_point() else value for name, value in tensors.items()}
    write(path, tensors, {**(card or {}), **describe(denoiser)})


def load(path: str | Path) -> tuple[LearnedDenoiser, dict]:
    """The denoiser of a checkpoint, ready to sample on the CPU, and its card. Raises CheckpointError."""
    tensors, card = read(path)
    denoiser = build(path, card)
    fill(path, denoiser.net, tensors)
    return denoiser.eval().requires_grad_(False), card


def describe(denoiser: LearnedDenoiser) -> dict:
    """What a checkpoint must say to build this denoiser again. Raises ValueError for a schedule without a name."""
    names = [name for name, schedule in SCHEDULES.items() if schedule is denoiser.schedule]
    if not names:
        raise ValueError(f"only schedules with a name can be saved ({', '.join(SCHEDULES)}); this one has none")
    network = {"name": type(denoiser.net).__name__, **denoiser.net.config}
    return {"network": network, "schedule": names[0], "target": denoiser.target}


def build(path: str | Path, card: dict) -> LearnedDenoiser:
    """The denoiser a card describes, with fresh weights. Raises CheckpointError where this version cannot build it."""
    try:
        config = dict(card["network"])
        net = NETWORKS[config.pop("name")](**config)
        return LearnedDenoiser(net, SCHEDULES[card["schedule"]], card["target"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} holds no denoiser this version can build: {error}") from None


def fill(path: str | Path, net: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load tensors into a network, all of them and no others. Raises CheckpointError where they do not fit."""
    try:
        net.load_state_dict(tensors)
    except RuntimeError:
        raise CheckpointError(f"the tensors in {path} do not fit the network its card names") from None


def fingerprint(tensors: dict[str, Tensor], card: str) -> str:
    """SHA-256 over the card and every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(card.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _encode(tensors: dict[str, Tensor], card: str, digest: str) -> bytes:
    """The file: one metadata entry, because safetensors writes several in random order and a file should be its content."""
    return serialise(tensors, {"minidiff": json.dumps([card, digest])})


def _header(content: bytes) -> tuple[str, str]:
    """Card and digest out of a safetensors file: header length (8 bytes), JSON header, tensors."""
    size = int.from_bytes(content[:8], "little")
    card, digest = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["minidiff"])
    return card, digest


def _refusal(path: str | Path, reason: str) -> str:
    return f"{path} is damaged or not a minidiff checkpoint: {reason}; copy it again, or restore it (git checkout -- {path})"


def save_run(path: str | Path, run: Run, card: dict | None = None) -> None:
    """Write everything needed to go on: weights, average, Adam's moments, step. card adds to the description."""
    tensors = {f"net.{name}": value for name, value in run.denoiser.net.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in run.average.net.state_dict().items()}
    for name, parameter in run.denoiser.net.named_parameters():
        tensors |= {f"adam.{name}.{key}": value for key, value in run.optimizer.state[parameter].items()}
    write(path, tensors, {**(card or {}), **describe(run.denoiser), "step": run.step})


def load_run(path: str | Path, device: str | torch.device = "cpu") -> tuple[Run, dict]:
    """The Run saved at path, on a device, and its card. Raises CheckpointError."""
    tensors, card = read(path)
    run = Run(build(path, card).to(device))
    for part, net in (("net.", run.denoiser.net), ("average.", run.average.net)):
        fill(path, net, {name.removeprefix(part): value for name, value in tensors.items() if name.startswith(part)})
    for name, parameter in run.denoiser.net.named_parameters():
        part = f"adam.{name}."
        found = {key.removeprefix(part): value for key, value in tensors.items() if key.startswith(part)}
        run.optimizer.state[parameter] = {key: _laid_out(value, parameter) for key, value in found.items()}
    run.step = card["step"]
    return run, card


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """The value in the parameter's own memory layout (channels-last, say): fused Adam walks both as they lie in memory."""
    if value.shape != parameter.shape:
        return value.to(parameter.device)  # the step count
    return torch.empty_like(parameter, requires_grad=False).copy_(value)
