"""Text for a network: words as numbers, and an encoder that lets each word see the others."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from ..refusals import described, integers, require, whole
from .layers import Attention

WORD = re.compile(r"[^\W\d_]+|[^\w\s]|\d+")  # a word, a mark such as a comma, or a number


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters, marks apart."""
    if not isinstance(text, str):
        raise TypeError(f"a text is {described(text)}: give a string")
    return WORD.findall(text.lower())


def vocabulary(texts: Iterable[str]) -> list[str]:
    """Every word of these texts, once, in the order of the alphabet: what a network is built with."""
    return sorted({word for text in texts for word in words_of(text)})


class Words(nn.Module):
    """Texts as numbers: word k of the vocabulary is k + 1; 0 fills up, so that the empty text is all zeros.

    words: the vocabulary.
    length: the most words of a text.

    Raises ValueError for an empty or a doubled vocabulary.
    """

    def __init__(self, words: Sequence[str], length: int) -> None:
        super().__init__()
        plain = isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in words)
        require(plain and words and len(set(words)) == len(words), "words must be a list of different strings")
        self.words, self.length = list(words), whole("length", length, 1, 1024)
        self.numbers = {word: number for number, word in enumerate(words, 1)}

    def encode(self, texts: str | Sequence[str]) -> Tensor:
        """Texts as (N, length) int64. Raises ValueError for a word that is not known, naming near ones."""
        texts = [texts] if isinstance(texts, str) else texts
        tokens = torch.zeros(len(texts), self.length, dtype=torch.int64)
        for row, text in enumerate(texts):
            found = words_of(text)
            for word in found:
                if word not in self.numbers:
                    near = ", ".join(get_close_matches(word, self.words, 3, 0.5) or self.words[:8])
                    raise ValueError(f"the word {word!r} is not known; near it are: {near}")
            if len(found) > self.length:
                raise ValueError(f"a text of {len(found)} words is too long: {self.length} are the most")
            tokens[row, : len(found)] = torch.tensor([self.numbers[word] for word in found], dtype=torch.int64)
        return tokens

    def decode(self, tokens: Tensor) -> list[str]:
        """The texts of (N, length) numbers, words parted by spaces."""
        rows = integers("tokens", tokens).tolist()
        return [" ".join(self.words[number - 1] for number in row if number) for row in rows]


class TextEncoder(nn.Module):
    """A small transformer over the words of a text (Vaswani et al. 2017), trained together with the denoiser.

    words: the vocabulary.
    length: the most words of a text.
    width: numbers a word, a multiple of heads.
    depth: layers.
    heads: of each attention.
    """

    def __init__(
        self, words: Sequence[str], length: int = 20, width: int = 128, depth: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        self.words = Words(words, length)
        self.table = nn.Embedding(len(words) + 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(length, width))
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
        tokens = (self.nulls["text"] if tokens is None else tokens).expand(batch, -1)
        there = tokens > 0
        there = torch.cat([torch.ones_like(there[:, :1]), there[:, 1:]], 1)
        h = self.table(tokens) + self.place
        for k, (look, think) in enumerate(zip(self.looks, self.thinks, strict=True)):
            h = h + look(self.norms[2 * k](h), mask=there)
            h = h + think(self.norms[2 * k + 1](h))
        return self.norms[-1](h), there


def perceptron(width: int, times: int = 4) -> nn.Sequential:
    """Two layers, the hidden one so many times as wide: what a transformer does to each token by itself."""
    return nn.Sequential(nn.Linear(width, times * width), nn.GELU(), nn.Linear(times * width, width))
