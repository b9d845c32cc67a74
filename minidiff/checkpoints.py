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
from torch import Tensor

from .files import write_atomically


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or must not be written; the message says which, why, and what to do."""


def write(path: str | Path, tensors: dict[str, Tensor], card: dict) -> None:
    """Write tensors and card to path, whole or not at all. Raises CheckpointError for a value that is not finite."""
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise CheckpointError(f"{path} was not written: {broken[0]} holds NaN or infinity; keep the last good checkpoint")
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps(card, sort_keys=True, allow_nan=False)
    metadata = {"card": text, "sha256": fingerprint(tensors, text)}
    write_atomically(path, serialise(tensors, metadata))


def read(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the card of a checkpoint. Raises CheckpointError for a missing, truncated or altered file."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error.strerror or error}") from None
    try:
        tensors, metadata = parse(content), _metadata(content)
        intact = metadata["sha256"] == fingerprint(tensors, metadata["card"])
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        raise CheckpointError(_refusal(path, f"it cannot be parsed ({type(error).__name__})")) from None
    if not intact or serialise(tensors, metadata) != content:
        raise CheckpointError(_refusal(path, "its content does not match its SHA-256"))
    return tensors, json.loads(metadata["card"])


def fingerprint(tensors: dict[str, Tensor], card: str) -> str:
    """SHA-256 over the card and every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(card.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _metadata(content: bytes) -> dict:
    size = int.from_bytes(content[:8], "little")  # a safetensors file: header length, JSON header, tensors
    return json.loads(content[8 : 8 + size])["__metadata__"]


def _refusal(path: str | Path, reason: str) -> str:
    return f"{path} is damaged or not a minidiff checkpoint: {reason}; copy it again, or restore it (git checkout -- {path})"
