"""What the card of a checkpoint may say, in one place: a card may come from anybody."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from ..data.files import printable
from ..data.folder import LARGEST, READ_BY
from ..losses import LEVELS
from ..networks import NETWORKS
from ..predictions import TARGETS
from ..refusals import described, require
from ..schedules import SCHEDULES
from .augmentations import AUGMENTATIONS
from .generate import moments
from .presets import EVERY

FORMAT = 1  # a card without a number was written before there was one, and is read alike
COLUMN, FEW, MANY, LONG = 26, 8, 30, 200  # of a card in lines: where values stand, points of a curve, entries, letters
Rule = tuple[Callable[[Any], bool], str]  # whether a value is right, and what is right


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or must not be written; the message says which, why, and what to do."""

    def __init__(self, message: str):
        super().__init__(printable(message))


def demand(path: object, card: Any, *parts: str) -> None:
    """Raise CheckpointError where the card of the file at path lacks something of these parts, or has it wrong.

    Parts are names in `CARD` or their first words, such as "data.name" or "data"; the format is always looked at.
    """
    for place, (right, what) in CARD.items():
        name, value = place.rstrip("?"), card
        if not {name, (keys := name.split("."))[0]} & {"format", *parts}:
            continue
        try:
            for key in keys:
                value = value[key]
        except (KeyError, TypeError):
            if place.endswith("?"):
                continue
            raise CheckpointError(f"the card of {path} does not say {name}, which must be {what}") from None
        if not right(value):
            raise CheckpointError(f"the card of {path} says {described(value)} for {name}: it must be {what}")


def told(card: Any, indent: str = "") -> list[str]:
    """A card, a line an entry: what it holds in turn is indented below it, and long lists are shortened."""
    order = ("data", "network", "schedule", "target", "settings", "record")
    require(isinstance(card, dict), f"it is {described(card)}, not a dict")
    lines: list[str] = []
    for name in sorted(card, key=lambda name: order.index(name) if not indent and name in order else len(order)):
        if isinstance(card[name], dict) and card[name]:
            lines += [indent + _plain(name), *told(card[name], indent + "  ")]
        else:
            value = _shortened(name, card[name]) if isinstance(card[name], list) else _plain(card[name])
            lines.append(f"{indent + _plain(name):{COLUMN}} {value}")
    return lines


def _shortened(name: str, values: list) -> str:
    """A list in a line: of the points of a loss curve, (step, loss), some; of others the first."""
    shown = [values[k] for k in moments(len(values), FEW)] if name == "losses" and len(values) > FEW else values[:MANY]
    said = ", ".join(" ".join(map(_plain, one)) if isinstance(one, list) else _plain(one) for one in shown)
    return said + f" ({len(values):,} in all)" * (len(shown) < len(values))


def _plain(value: Any) -> str:
    said = f"{value:.6g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
    return said if len(said) <= LONG else f"{said[:LONG]}..."


def _whole(low: int, high: int = 2**53) -> Rule:
    return (lambda value: type(value) is int and low <= value <= high), f"a whole number from {low} to {high}"


def _real(low: float, high: float) -> Rule:
    return (lambda value: type(value) in (int, float) and low <= value <= high), f"a number from {low:g} to {high:g}"


def _among(names: Iterable[str]) -> Rule:
    return (lambda value: isinstance(value, str) and value in names), f"one of {', '.join(names)}"


def _each(rule: Rule, least: int = 0, most: int = 1_000_000) -> Rule:
    right = lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(rule[0], value))
    return right, f"a list of {least} to {most}, each {rule[1]}"


_TEXT: Rule = (lambda value: isinstance(value, str) and len(value) <= 200), "text of at most 200 characters"
_TRUTH: Rule = (lambda value: isinstance(value, bool)), "true or false"
_NUMBER = _real(-1e300, 1e300)
_FILE: Rule = (
    lambda value: isinstance(value, str) and bool(re.fullmatch(r"[\w-][\w.-]{0,99}", value)),
    "the name of a file that lies beside it",
)

CARD: dict[str, Rule] = {  # where it stands, with ? where it may be missing
    "format?": (_whole(1, FORMAT)[0], f"{FORMAT}, which this version reads: use the minidiff that wrote it"),
    "network.name": (
        _among(NETWORKS)[0],
        "the name of a network: register yours in minidiff.networks.NETWORKS, or give it, load(path, net=...)",
    ),
    "network.dtype?": _among(("float32", "float64", "float16", "bfloat16")),
    "schedule": (
        _among(SCHEDULES)[0],
        "the name of a schedule: register yours in minidiff.schedules.SCHEDULES, or give it, load(path, schedule=...)",
    ),
    "target": _among(TARGETS),
    "data.name": _TEXT,
    "data.autoencoder?": _FILE,
    "data.names": _each(_TEXT),
    "data.shape": _each(_whole(1, 4096), 1, 3),
    "data.scale": _real(1e-9, 1e9),
    "data.shift": _real(-1e9, 1e9),
    "settings.preset": _among(EVERY),
    "settings.steps": _whole(1),
    "settings.batch": _whole(1, 2**16),
    "settings.lr": _real(0, 1000),
    "settings.seed": _whole(0, 2**63 - 1),
    "settings.drop": _real(0, 1),
    "settings.bf16": _TRUTH,
    "settings.compile?": _TRUTH,
    "settings.levels": _among(LEVELS),
    "settings.augment?": _each(_among(AUGMENTATIONS), 0, 100),
    "source.path": ((lambda value: isinstance(value, str) and 0 < len(value) <= 4096), "the path of the data"),
    "source.size?": _each(_whole(1, LARGEST), 2, 2),
    "source.channels?": _whole(1, 3),
    **{f"source.{name}?": _among(allowed) for name, allowed in READ_BY.items()},
    "source.sha256": _TEXT,
    "record.losses": _each(_each(_NUMBER, 2, 2)),
    "record.init_tensors?": _each(_whole(0), 2, 2),
    "record.extended?": _each(_each(_whole(0), 3, 3)),
    "record.seconds?": _real(0, 1e12),
    "recent?": _each(_NUMBER),
    "step": _whole(0),
    "training?": ((lambda value: value is None or isinstance(value, dict)), "the settings of a training"),
}
