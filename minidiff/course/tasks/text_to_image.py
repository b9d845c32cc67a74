"""Notebook 20, text to image: checks of the reader's lines, and right ones to go on with."""

import math

import torch
from torch import Tensor

from ...exact import of_gaussian
from ...predictions import AnyDenoiser, Denoiser, Prediction
from ...schedules import cosine
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def forget(mine) -> None:
    """make the rows of tokens where hidden is True the empty text, all zeros."""
    tokens = torch.tensor([[5, 7, 9, 0], [3, 0, 0, 0], [2, 4, 6, 8]])
    hidden = torch.tensor([True, False, True])
    before, shown = tokens.clone(), hidden[:, None]
    got = mine(tokens, hidden)
    assert torch.equal(tokens, before), "it changes the tokens it was given: make new ones, as torch.where does."
    refuse_slips(got, torch.where(shown, 0, tokens), {
        "it hides the rows that should be told, and tells the others.": torch.where(shown, tokens, 0),
        "nothing is hidden: a row of zeros is the empty text.": tokens,
        "everything is hidden: only where hidden is True.": torch.zeros_like(tokens),
        "it fills with ones, and 1 is the first word: the empty text is all zeros.": torch.where(shown, 1, tokens),
        "a text of -1 is no text that the network knows: use zeros.": torch.where(shown, -1, tokens),
        "only the first word of a row goes: the whole row should.":
            torch.where(shown & (torch.arange(4) == 0), 0, tokens),
    }, "row k should be zeros where hidden[k] is True, and stay as it is elsewhere.")  # fmt: skip


def our_forget(tokens: Tensor, hidden: Tensor) -> Tensor:
    """Tokens (B, L), with zeros in the rows where hidden, (B,) bool, is True."""
    return torch.where(hidden[:, None], 0, tokens)


def look(mine) -> None:
    """return softmax(q k^T / sqrt(d)) v over the words that are there."""
    q, k, v = normal(2, 5, 16, seed=0), normal(2, 4, 16, seed=1), normal(2, 4, 16, seed=2)
    there = torch.tensor([[True, True, False, False], [True, True, True, False]])
    given = (q.clone(), k.clone(), v.clone())
    got = mine(q, k, v, there)
    assert all(map(torch.equal, given, (q, k, v))), "it changes q, k or v: make new tensors."
    scores, absent = q @ k.transpose(1, 2), ~there[:, None]
    scaled = scores / math.sqrt(16)
    right = scaled.masked_fill(absent, -math.inf).softmax(2)
    refuse_slips(got, right @ v, {
        "words that are not there are looked at too: give them a score of minus infinity.": scaled.softmax(2) @ v,
        "the mask is turned: it looks at the words that are NOT there.":
            scaled.masked_fill(~absent, -math.inf).softmax(2) @ v,
        "divide the scores by sqrt(d), the width of q: they grow with it.":
            scores.masked_fill(absent, -math.inf).softmax(2) @ v,
        "divide by the square root of d, not by d.": (scores / 16).masked_fill(absent, -math.inf).softmax(2) @ v,
        "a score of 0 is not absence: e^0 = 1. Use minus infinity.": scaled.masked_fill(absent, 0.0).softmax(2) @ v,
        "weights are set to 0 after the softmax, so the rest no longer adds up to 1: mask before it.":
            scaled.softmax(2).masked_fill(absent, 0.0) @ v,
    }, "the weights of each place should add up to 1 over the words that are there, softmax(..., -1).")  # fmt: skip


def our_look(q: Tensor, k: Tensor, v: Tensor, there: Tensor) -> Tensor:
    """What each place takes from the words, (B, N, d).

    q: questions of the places, (B, N, d).
    k, v: keys and values of the words, (B, L, d).
    there: which words are, (B, L) bool.
    """
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~there[:, None], -math.inf).softmax(-1) @ v


def lift(mine) -> None:
    """return how much smaller the square error of eps is with the text, one number an image."""
    eps, told, untold = normal(3, 2, 4, 4, seed=3), normal(3, 2, 4, 4, seed=4), normal(3, 2, 4, 4, seed=5)
    each = lambda error: error.square().flatten(1).mean(1)
    right = each(eps - untold) - each(eps - told)
    refuse_slips(mine(eps, told, untold), right, {
        "the sign is turned: a text that helps should score above 0.": -right,
        "that is one number for all: keep one for each image.": right.mean(),
        "a sum over pixels grows with the picture: take the mean.": right * 32,
        "the errors are not squared.":
            (eps - untold).abs().flatten(1).mean(1) - (eps - told).abs().flatten(1).mean(1),
        "that compares the two predictions: compare each with the noise that was added.": each(told - untold),
        "that is the error without the text alone: subtract the one with it.": each(eps - untold),
    }, "it should be mean |eps - untold|^2 - mean |eps - told|^2 of each image, (B,).")  # fmt: skip


def our_lift(eps: Tensor, told: Tensor, untold: Tensor) -> Tensor:
    """By how much the text lowers the mean square error of each image's noise, (B,); all arguments (B, C, H, W)."""
    error = lambda guess: (eps - guess).square().flatten(1).mean(1)
    return error(untold) - error(told)


def together(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(0.9 * 0.9 * 0.8), {
        "that is one thing and the relation: there are two things.": 0.9 * 0.8,
        "the relation has to be right too.": 0.9 * 0.9,
        "all three have to be right at once: multiply, do not average.": (0.9 + 0.9 + 0.8) / 3,
        "that is the share in which something is wrong.": 1 - 0.9 * 0.9 * 0.8,
        "the worst part is not the whole: the others fail too, at other times.": 0.8,
    }, "multiply the three shares, as for independent events.")  # fmt: skip


def our_together() -> float:
    """Independent events: the product of their probabilities."""
    return 0.9 * 0.9 * 0.8


def switched(mine) -> None:
    """ask first at times above when, and second below."""
    first, second, when = of_gaussian(1.0, 0.5, cosine), of_gaussian(-1.0, 0.5, cosine), 0.6
    denoiser, x_t = mine(first, second, when), normal(4, 3, seed=6)
    assert isinstance(denoiser, Denoiser), "it should return a Denoiser: leave the last line as it is."
    said = (
        "noise grows with t: first is asked while t > when, at the beginning of the walk.",
        "only the first is asked.", "only the second is asked.", "that is their mean, not the one or the other.",
    )  # fmt: skip
    early, late = (denoiser(x_t, t) for t in (0.9, 0.3))
    both = torch.cat([early.x0, late.x0])
    pair = lambda a, b: torch.cat([a(x_t, 0.9).x0, b(x_t, 0.3).x0])
    wrong = (pair(second, first), pair(first, first), pair(second, second),
             (pair(first, first) + pair(second, second)) / 2)  # fmt: skip
    refuse_slips(both, pair(first, second), dict(zip(said, wrong, strict=True)),
                 "above when it should answer as first does, below it as second does.")  # fmt: skip
    ends = torch.cat([denoiser(x_t, t).x0 for t in (0.61, 0.59)])
    refuse_slips(ends, torch.cat([first(x_t, 0.61).x0, second(x_t, 0.59).x0]), {}, "the change should come at when.")


def our_switched(first: AnyDenoiser, second: AnyDenoiser, when: float) -> Denoiser:
    """A denoiser that is first at times above when, and second below.

    first, second: of one schedule.
    when: a time.
    """

    def predict(x_t: Tensor, t: float) -> Prediction:
        return first(x_t, t) if t > when else second(x_t, t)

    return Denoiser(first.schedule, predict)
