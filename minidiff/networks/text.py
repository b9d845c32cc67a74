"""Text for a network: words as numbers, and an encoder that lets each word see the others."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any
from unicodedata import normalize

import torch
from torch import Tensor, nn

from ..refusals import described, integers, require, whole
from .layers import Attention

WORD = re.compile(r"[^\W\d_]+|[^\w\s]|\d+")  # a word, a mark such as a comma, or a number


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters, marks apart; an accent belongs to its letter, however it was typed."""
    if not isinstance(text, str):
        raise TypeError(f"a text is {described(text)}: give a string")
    return WORD.findall(normalize("NFC", text.lower()))


def vocabulary(texts: str | Iterable[str]) -> list[str]:
    """Every word of these texts, once, in the order of the alphabet: what a network is built with."""
    return sorted({word for text in _listed(texts) for word in words_of(text)})


def distinct(words: Any) -> list[str]:
    """A vocabulary as a list. Raises ValueError where it is none, or holds a word twice or one that no text has."""
    plain = isinstance(words, (list, tuple)) and all(isinstance(one, str) and words_of(one) == [one] for one in words)
    said = "words must be a list of different words in small letters, as vocabulary(texts) gives it"
    require(plain and words and len(set(words)) == len(words), f"{said}, not {described(words)}")
    return list(words)


def _listed(texts: Any) -> list:
    """Texts, or one, as a list."""
    try:
        return [texts] if isinstance(texts, str) else list(texts)
    except (TypeError, RuntimeError):
        raise TypeError(f"texts is {described(texts)}: give one text, or a list of them") from None


class Words:
    """Texts as numbers: word k of the vocabulary is k + 1; 0 fills up, so that the empty text is all zeros.

    words: the vocabulary.
    length: the most words of a text.

    Raises ValueError for an empty or a doubled vocabulary.
    """

    def __init__(self, words: Sequence[str], length: int) -> None:
        self.words, self.length = distinct(words), whole("length", length, 1, 1024)
        self.numbers = {word: number for number, word in enumerate(words, 1)}

    def encode(self, texts: str | Iterable[str]) -> Tensor:
        """Texts as (N, length) int64. Raises ValueError for a word that is not known, naming near ones."""
        return torch.tensor([self._row(text) for text in _listed(texts)], dtype=torch.int64).reshape(-1, self.length)

    def _row(self, text: str) -> list[int]:
        found = words_of(text)
        for word in found:
            if word not in self.numbers:
                near = ", ".join(get_close_matches(word, self.words, 3, 0.5))
                said = f"near it are: {near}" if near else f"some that are: {', '.join(self.words[:8])}"
                raise ValueError(f"the word {described(word)} is not known; {said}")
        require(len(found) <= self.length, f"a text of {len(found)} words is too long: {self.length} are the most")
        return [self.numbers[word] for word in found] + [0] * (self.length - len(found))

    def decode(self, tokens: Tensor) -> list[str]:
        """The texts of (N, length) numbers, words parted by spaces. Raises ValueError for numbers that are no words."""
        return [" ".join(self.words[number - 1] for number in row if number) for row in self.check(tokens).tolist()]

    def check(self, tokens: Any) -> Tensor:
        """Numbers of words, (N, length) int64. Raises ValueError for others; on a GPU their range is not looked at."""
        found, most = integers("text", tokens), len(self.words)
        if found.ndim != 2 or found.shape[1] != self.length:
            raise ValueError(f"text is {described(found)}: give numbers of words, (B, {self.length}), as from encode")
        looked = found.numel() and found.device.type == "cpu" and not torch.compiler.is_compiling()
        if looked and not (found.min() >= 0 and found.max() <= most):
            raise ValueError(f"text holds {found.min()} to {found.max()}: words are 1 to {most}, and 0 is none")
        return found


class TextEncoder(nn.Module):
    """A small transformer over the words of a text (Vaswani et al. 2017), trained together with the denoiser.

    words: the vocabulary.
    length: the most words of a text.
    width: numbers a word, a multiple of heads.
    depth: layers.
    heads: of each attention.

    Raises ValueError for what is no vocabulary and, when called, for tokens of another shape, kind or range.
    """

    def __init__(
        self, words: Sequence[str], length: int = 20, width: int = 128, depth: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.words = Words(words, length)
        self.table = nn.Embedding(len(words) + 1, width)
        self.place = nn.Parameter(torch.randn(length, width))  # as large as the words, which else drown it
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth + 1))
        self.looks = nn.ModuleList(Attention(width, heads) for _ in range(depth))
        self.thinks = nn.ModuleList(perceptron(width) for _ in range(depth))

    @property
    def nulls(self) -> dict[str, Tensor]:
        """What no text looks like, without the batch: text (length,) int64, all 0."""
        return {"text": self.place.new_zeros(self.words.length, dtype=torch.int64)}

    def forward(self, tokens: Tensor | None, batch: int) -> tuple[Tensor, Tensor]:
        """Words in context, (B, length, width), and which of them are there, (B, length) bool.

        tokens: (B, length), as from `Words.encode`; None is the empty text, whose first place counts as one word.
        batch: B.
        """
        tokens = self.nulls["text"].expand(batch, -1) if tokens is None else self.words.check(tokens)
        require(len(tokens) == batch, f"text has {len(tokens)} rows for {batch} samples: give one a sample")
        tokens = tokens.to(self.place.device)
        there = tokens > 0
        there = torch.cat([torch.ones_like(there[:, :1]), there[:, 1:]], 1)
        h = self.table(tokens) + self.place
        for k, (look, think) in enumerate(zip(self.looks, self.thinks, strict=True)):
            h = h + look(self.norms[2 * k](h), mask=there)
            h = h + think(self.norms[2 * k + 1](h))
        return self.norms[-1](h), there


def told(encoder: TextEncoder | None, text: Tensor | None, batch: int) -> tuple[Tensor, Tensor] | None:
    """What an encoder makes of a text; None where a network has none. Raises ValueError for a text it is given then."""
    require(encoder or text is None, "this network knows no words: build it with words=..., or leave text out")
    return encoder(text, batch) if encoder else None


def perceptron(width: int, times: int = 4) -> nn.Sequential:
    """Two layers, the hidden one so many times as wide: what a transformer does to each token by itself."""
    return nn.Sequential(nn.Linear(width, times * width), nn.GELU(), nn.Linear(times * width, width))
