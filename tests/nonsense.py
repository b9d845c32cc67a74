"""What cannot be meant, of some fifty kinds, for the laws that call functions with it; and what a refusal is."""

import dis
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import minidiff

PACKAGE = Path(minidiff.__file__).parent


class Odd:
    """An object, and a class, that nobody knows."""


class OddNetwork(nn.Module):
    """A network of more arguments than any that minidiff calls."""

    def forward(self, first, second, third, fourth):
        raise AssertionError


NONSENSE = {
    "None": None, "text": "nonsense", "numeral": "0.5", "empty text": "", "bytes": b"x",
    "nan": math.nan, "inf": math.inf, "-inf": -math.inf, "0": 0, "-1": -1, "-0.5": -0.5, "0.5": 0.5, "True": True,
    "huge": 10**400, "complex": 1j,
    "[]": [], "{}": {}, "set": {0.5}, "ragged": [[1.0], [1.0, 2.0]], "texts": ["a", "b"], "pair": (1, 2),
    "floats": [0.5, 0.2], "range": range(3), "slice": slice(2),
    "object": Odd(), "class": Odd, "function": lambda: 1, "generator": (c for c in "abc"), "network": OddNetwork(),
    "0-d": torch.tensor(0.5), "0-d nan": torch.tensor(math.nan), "square": torch.zeros(3, 3),
    "whole": torch.tensor([1, 2]), "empty": torch.zeros(0), "complex tensor": torch.zeros(2, dtype=torch.complex64),
    "bools": torch.tensor([True, False]), "sparse": torch.eye(2).to_sparse(), "array": np.array([0.1, 0.9]),
    "objects": np.array([None, 1.0]), "array of texts": np.array(["a", "b"]),
}  # fmt: skip


def alike(value: object) -> dict[str, Tensor]:
    """More nonsense in place of a tensor: the same shape with other contents, and other shapes."""
    if not isinstance(value, Tensor) or not value.ndim:
        return {}
    contents = {"nan": math.nan, "whole": 1, "complex": 1j, "bools": True}
    return {
        **{f"{kind} alike": torch.full(value.shape, content) for kind, content in contents.items()},
        "sparse alike": value.to_sparse(), "no rows": value[:0], "row more": torch.cat([value, value[:1]]),
        "axis more": value[None],
    }  # fmt: skip


def sentence(error: BaseException, words: int = 5) -> bool:
    """Whether minidiff itself raised it, and did not trip over something, in one line of at least so many words."""
    frame = error.__traceback__
    while frame.tb_next:
        frame = frame.tb_next
    code = frame.tb_frame.f_code
    raised = code.co_code[frame.tb_lasti] == dis.opmap["RAISE_VARARGS"]
    ours = raised and PACKAGE in Path(code.co_filename).parents
    return ours and len(str(error).split()) >= words and "\n" not in str(error)
