"""Values and calls between the grader and the process that runs a student's code: lines of JSON, nothing that runs.

Numbers, texts, tensors and what is made of them cross as they are. Anything else stays where it is, and the other end
gets a Remote, which can be called, and nothing else.
"""

import base64
import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import minidiff

LONGEST = 64_000_000  # bytes of a message
KINDS = ("float64", "float32", "float16", "int64", "int32", "uint8", "bool")
PLAIN = (bool, int, float, str, type(None))


class Broken(RuntimeError):
    """The other end has ended, is too slow, or sends what is no message."""


class Raised(Exception):
    """What a call raised at the other end: the kind of the exception, and what it said."""

    def __init__(self, kind: str, said: str):
        super().__init__(f"{kind} ({said})" if said else kind)
        self.kind, self.said = kind, said


class Missing(Raised):
    """There is no such name at the other end."""

    def __init__(self, name: str):
        super().__init__("Missing", name)


class Remote:
    """A function that lives at the other end."""

    def __init__(self, wire: "Wire", key: str):
        self._wire, self._key, self.__name__ = wire, key, key.rpartition(":")[2]

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self._wire.call(self._key, *given, **named)


class Wire:
    """One end of a pair of pipes."""

    def __init__(
        self,
        source: int,
        sink: int,
        look_up: Callable[[str], Any],
        raised: Callable[[Exception], dict],
        heard: Callable[[dict], Any] = lambda message: None,
    ):
        """One end.

        source, sink: the descriptors to read from and to write to.
        look_up: what a name means at this end, or KeyError.
        raised: an exception of this end as {"raised": its kind, "said": what it says}.
        heard: what to do with every message besides.
        """
        self.source, self.sink, self.look_up, self.raised, self.heard = source, sink, look_up, raised, heard
        self.until = float("inf")  # when the other end must have answered, by time.monotonic
        self.kept: dict[str, Any] = {}  # what stays here, by the key that the other end has
        self.rest = b""

    def call(self, key: str, *given: Any, **named: Any) -> Any:
        """What the other end's function of that key returns. Raises Raised, or Broken."""
        self.send({"call": key, "given": self.pack(given), "named": self.pack(named)})
        while "call" in (message := self.receive()):
            self.answer(message)
        if "raised" in message:
            raise Raised(str(message["raised"]), str(message.get("said", "")))
        return self.unpack(message.get("value"))

    def answer(self, message: dict) -> None:
        """Do what the other end asks for, and send it what came of it."""
        try:
            key = message["call"]
            wanted = self.kept[key] if key in self.kept else self.look_up(key)
            if message.get("fetch"):
                value = wanted
            else:
                value = wanted(*self.unpack(message["given"]), **self.unpack(message["named"]))
            reply = {"value": self.pack(value)}
        except Broken:
            raise
        except Exception as error:
            reply = self.raised(error)
        self.send(reply)

    def fetch(self, key: str) -> Any:
        """The value of a name at the other end. Raises Missing where there is none, or Broken."""
        self.send({"call": key, "fetch": True})
        message = self.receive()
        if "raised" in message:
            raise Missing(key)
        return self.unpack(message.get("value"))

    def send(self, message: dict) -> None:
        """Write a message. Raises Broken."""
        line = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while line:
                line = line[os.write(self.sink, line) :]
        except OSError:
            raise Broken("it has ended") from None

    def receive(self) -> dict:
        """Read a message. Raises Broken."""
        while b"\n" not in self.rest:
            left = self.until - time.monotonic()
            if left <= 0 or not select.select([self.source], [], [], min(left, 1e6))[0]:
                raise Broken("it takes too long")
            part = os.read(self.source, 1 << 20)
            if not part:
                raise Broken("it has ended")
            self.rest += part
            if len(self.rest) > LONGEST:
                raise Broken("it returns too much")
        line, _, self.rest = self.rest.partition(b"\n")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise Broken("it sends what is no message") from None
        if not isinstance(message, dict):
            raise Broken("it sends what is no message")
        self.heard(message)
        return message

    def pack(self, value: Any) -> Any:
        """A value as JSON; what cannot cross is kept here."""
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, (np.ndarray, np.generic)):
            value = torch.as_tensor(value)
        if isinstance(value, Tensor):
            return self._packed_tensor(value.detach().cpu().contiguous())
        if isinstance(value, torch.Generator):
            return {"generator": self.pack(value.get_state())}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, dict):
            return {"dict": [[self.pack(key), self.pack(one)] for key, one in value.items()]}
        if isinstance(value, (list, tuple, minidiff.Prediction)):
            return self._packed_row(value)
        return self._kept(value)

    def _packed_row(self, value: Any) -> dict:
        parts = [self.pack(one) for one in value]
        if isinstance(value, minidiff.Prediction) or hasattr(value, "_fields"):
            return {"named": type(value).__name__, "parts": parts}
        return {"tuple" if isinstance(value, tuple) else "list": parts}

    def _kept(self, value: Any) -> dict:
        """What stands for a function, or for anything else that cannot cross."""
        name = getattr(value, "__name__", type(value).__name__)
        if getattr(minidiff, str(name), None) is value:
            return {"public": name}
        if isinstance(value, Remote) and value._wire is self:
            return {"yours": value._key}
        key = f"{len(self.kept)}:{name}"
        self.kept[key] = value
        return {"remote": key}

    def _packed_tensor(self, value: Tensor) -> dict:
        kind = str(value.dtype).removeprefix("torch.")
        if kind not in KINDS:
            return self._packed_tensor(value.double())
        return {"tensor": kind, "shape": list(value.shape), "bytes": base64.b64encode(value.numpy().tobytes()).decode()}

    def unpack(self, value: Any) -> Any:
        """What the other end has packed. Raises Broken for what no Wire packs."""
        try:
            return self._unpacked(value)
        except Broken:
            raise
        except Exception as error:
            raise Broken(f"it sends what is no value ({type(error).__name__})") from None

    def _unpacked(self, value: Any) -> Any:
        if isinstance(value, PLAIN):
            return value
        if "tensor" in value:
            held = np.frombuffer(base64.b64decode(value["bytes"]), dtype=KINDS[KINDS.index(value["tensor"])])
            return torch.as_tensor(held.reshape(value["shape"]).copy())
        if "generator" in value:
            generator = torch.Generator()
            generator.set_state(self._unpacked(value["generator"]))
            return generator
        if "dtype" in value:
            return getattr(torch, KINDS[KINDS.index(value["dtype"])])
        if "dict" in value:
            return {self._unpacked(key): self._unpacked(one) for key, one in value["dict"]}
        if "named" in value:
            return _named(value["named"], [self._unpacked(one) for one in value["parts"]])
        if "public" in value:
            return getattr(minidiff, minidiff.__all__[minidiff.__all__.index(value["public"])])
        if "yours" in value:
            return self.kept[value["yours"]]
        if "remote" in value:
            return Remote(self, str(value["remote"]))
        (kind, parts), *_ = value.items()
        return {"list": list, "tuple": tuple}[kind](self._unpacked(one) for one in parts)


def _named(name: str, parts: list) -> Any:
    """A record of minidiff's, or a tuple where it is of somebody else's."""
    kind: Any = getattr(minidiff, name, None)
    return kind(*parts) if kind is minidiff.Prediction or hasattr(kind, "_fields") else tuple(parts)
