"""Notebook 22, words: checks of the reader's lines, and right ones to go on with."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...show import plots
from ..exercises import refuse_slips

MASK = -1  # what stands where a letter is hidden
GUESS = torch.tensor([[0.4, 0.3, 0.3], [0.2, 0.3, 0.5], [0.7, 0.1, 0.2]], dtype=torch.float64)  # for three letters


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def page(lines: Sequence[str], title: str, columns: int = 1):
    """Lines of text as a figure, column by column."""
    rows = math.ceil(len(lines) / columns)
    figure, _ = plots.panels(height=0.22 * rows + 0.35, title=title)
    ax = figure.axes[0]
    for k, line in enumerate(lines):
        ax.text(k // rows / columns, -(k % rows), line, family="monospace", fontsize=9)
    ax.set(xlim=(0, 1), ylim=(0.5 - rows, 0.8))
    ax.axis("off")
    return figure


def unmask(mine) -> None:
    """open each mask with probability (t - s) / t, with a letter drawn from the guess; keep all else."""
    x_t, guess = torch.tensor([[1, MASK, MASK]]).repeat(40_000, 1), GUESS.expand(40_000, 3, 3)
    before = x_t.clone()
    for t, s in ((0.8, 0.2), (0.5, 0.4), (1.0, 0.0)):
        x_s = mine(x_t, guess, t, s, seeded(0))
        assert torch.equal(x_t, before), "it changes the letters it was given: make new ones, as torch.where does."
        fits = isinstance(x_s, torch.Tensor) and x_s.shape == x_t.shape and x_s.dtype == torch.int64
        assert fits, "it should return whole numbers of the shape of x_t: letters, and MASK where nothing was opened."
        assert torch.equal(x_s, mine(x_t, guess, t, s, seeded(0))), (
            "two calls with the same dice differ: give generator=dice to torch.rand."
        )
        assert (x_s[:, 0] == 1).all(), "a letter that can be seen is drawn again: only where x_t is MASK."
        got, slips = (x_s[:, 1:] != MASK).double().mean().item(), {
            1.0: "it opens every mask at once: most wait for a later step, unless s is 0.",
            s / t: "that is the share that stays hidden, s / t: the rest is opened.",
            t - s: "t - s of ALL letters are opened in this step; of those still hidden it is (t - s) / t.",
            1 - s: "1 - s of all letters are open at time s; many were open before.",
        }  # fmt: skip
        if abs(got - (t - s) / t) > 0.015:
            said = next((said for share, said in slips.items() if abs(got - share) < 0.015), "look at the probability.")
            raise AssertionError(f"{said} (from t = {t} to s = {s} it opens {got:.2f} of the masks)")
        for place in (1, 2):
            seen = x_s[:, place]
            found = torch.stack([(seen == letter).double().sum() for letter in range(3)]) / (seen != MASK).sum()
            assert found.max() < 0.99, "it writes the likeliest letter every time: draw from the guess."
            told = f"the letters do not follow the guess: at place {place} draw from guess[:, {place}]."
            assert (found - GUESS[place]).abs().max() < 0.03, told


def draw(guess: Tensor, dice: torch.Generator) -> Tensor:
    """A letter from each row of probabilities: (..., V) -> (...)."""
    return torch.multinomial(guess.flatten(0, -2), 1, generator=dice).reshape(guess.shape[:-1])


def our_unmask(x_t: Tensor, guess: Tensor, t: float, s: float, dice: torch.Generator) -> Tensor:
    """The letters at the earlier time s, (B, L), MASK where still hidden.

    x_t: letters at time t, (B, L) int64, MASK where hidden.
    guess: the probability of each letter at each place, (B, L, V).
    t, s: times, of which the first is larger: the shares that are hidden.
    dice: the randomness.
    """
    opened = torch.rand(x_t.shape, generator=dice) < (t - s) / t
    return torch.where((x_t == MASK) & opened, draw(guess, dice), x_t)


def bound(mine) -> None:
    """add up each word's bits over its masks, times slope / sigma, and take the mean over the words."""
    dice = seeded(1)
    for rows, places in ((64, 5), (256, 3)):
        bits, u = (torch.rand(rows, n, generator=dice, dtype=torch.float64) for n in (places, 1))
        masked = torch.rand(rows, places, generator=dice) < 0.2 + 0.8 * u
        sigma, slope = (0.2 + 0.8 * u)[:, 0], 0.5 + u.square()[:, 0]
        each, count = (bits * masked).sum(1), masked.sum(1)
        mean = each / count.clamp_min(1)
        refuse_slips(mine(bits, masked, sigma, slope), (slope / sigma * each).mean(), {
            "it pools the masks of the whole batch: rows with many masks count most, and the weight is lost.":
                places * each.sum() / count.sum(),
            "it takes the mean over a word's masks, with no weight: add them up, times slope / sigma.":
                places * mean.mean(),
            "the mean over a word's masks has a weight hidden in it already: take the sum.":
                (slope / sigma * places * mean).mean(),
            "the mean over a word's masks, times 1 / sigma, is no bound: take the sum, times slope / sigma.":
                places * (mean / sigma).mean(),
            "letters that can be seen count too: multiply the bits by masked.": (slope / sigma * bits.sum(1)).mean(),
            "the slope is missing: a schedule that masks faster passes fewer times there.": (each / sigma).mean(),
            "the weight is missing: times slope / sigma, a word at a time.": each.mean(),
            "the weight is upside down: slope / sigma.": (sigma / slope * each).mean(),
            "that is for one letter: the bound is for the whole word.": (slope / sigma * each).mean() / places,
            "that is the sum over the batch: take the mean.": (slope / sigma * each).sum(),
        }, "it should be the mean over words of slope / sigma * (bits * masked).sum(1).")  # fmt: skip


def our_bound(bits: Tensor, masked: Tensor, sigma: Tensor, slope: Tensor) -> Tensor:
    """An estimate of the bound, in bits a word.

    bits: -log2 of the probability that the model gives each true letter, (B, L).
    masked: which letters are hidden, (B, L) bool.
    sigma, slope: the share hidden at each word's time, and its derivative, (B,).
    """
    return (slope / sigma * (bits * masked).sum(1)).mean()


def failing(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(0.1), {
        "that is how often both open in the same step; in half of these cases they agree by luck.": 0.2,
        "that is for a single step: with five, both must first open in the same one.": 0.5,
        "that is how often it goes well.": 0.9,
        "that is one given step, 1/5 * 1/5: there are five of them, and half of the meetings are harmless.": 0.04,
        "that is 1/5 * 1/5 / 2: any of five steps will do for a meeting.": 0.02,
        "that is for two steps.": 0.25,
    }, "how often do both letters open in the same step, and how often do they then disagree?")  # fmt: skip


def our_failing() -> float:
    """Both open in the same step with probability 1/5, and disagree in half of these cases."""
    return 1 / 5 / 2


def in_order(mine) -> None:
    """ask for the letter at each place of the order, add its bits, then show it."""

    def told(x):  # a guess that depends on what is seen, and on where it stands
        seen = (x != MASK).double() @ torch.arange(1.0, 5.0, dtype=torch.float64) + (x.clamp_min(0)).sum(1)
        return (seen[:, None, None] * torch.tensor([[0.1, -0.2, 0.3]]) * torch.arange(1.0, 5.0)[:, None]).softmax(-1)

    word = torch.tensor([2, 0, 1, 1])
    for order in ([0, 1, 2, 3], [2, 0, 3, 1], [3, 2, 1, 0]):
        right = shown = start = left = torch.zeros((), dtype=torch.float64)
        x, y = torch.full_like(word, MASK), torch.full_like(word, MASK)
        for i, j in zip(order, range(4), strict=True):
            right = right - told(x[None])[0, i, word[i]].log2()
            start = start - told(torch.full_like(x, MASK)[None])[0, i, word[i]].log2()
            left, y[j] = left - told(y[None])[0, j, word[j]].log2(), word[j]
            x[i] = word[i]
            shown = shown - told(x[None])[0, i, word[i]].log2()
        kept = word.clone()
        got = torch.as_tensor(mine(told, word, order)).double()
        assert torch.equal(word, kept), "it hides the word it was given: work on a copy, full of MASK."
        refuse_slips(got, right, {
            "the letters are never shown: after each, x[i] = word[i].": start,
            "the letter is shown before it is asked for, so that the answer is known: ask first.": shown,
            "those are nats: log2 gives bits.": right * math.log(2),
            "the sign is turned: bits are minus the logarithm of a probability.": -right,
            "that is for one letter: add up, do not average.": right / 4,
            "it reads from left to right: take the places in the order given.": left,
        }, "it should be the sum of -log2 guess[i, word[i]], each asked before it is shown.")  # fmt: skip


def our_in_order(guess: Callable, word: Tensor, order: Sequence[int]) -> Tensor:
    """Bits that a word costs if its letters are opened in this order.

    guess: (1, L) -> (1, L, V), probabilities.
    word: (L,) int64.
    order: every place once.
    """
    x, bits = torch.full_like(word, MASK), torch.zeros(())
    for i in order:
        bits = bits - guess(x[None])[0, i, word[i]].log2()
        x[i] = word[i]
    return bits


def posterior(mine) -> None:
    """weigh each letter's share by how probable it makes the letter that is seen, and divide by the sum."""
    for shares, seen, sigma in ((torch.tensor([0.5, 0.3, 0.2]), 2, 0.6), (torch.tensor([0.1, 0.2, 0.3, 0.4]), 0, 0.25)):
        size = len(shares)
        here = torch.arange(size) == seen
        fit = torch.where(here, 1 - sigma + sigma / size, sigma / size)
        other, norm = torch.where(here, 1 - sigma, sigma / (size - 1)), lambda w: w / w.sum()
        refuse_slips(mine(shares, seen, sigma), norm(shares * fit), {
            "it does not add up to 1: divide by the sum.": shares * fit,
            "the shares of the letters are left out: Bayes multiplies prior and fit.": norm(fit),
            "a letter drawn afresh may be the old one: the seen one has 1 - sigma + sigma / V.": norm(shares * other),
            "it trusts the letter it sees: it may be noise.": here.double(),
            "that is the prior: the letter seen tells something.": shares,
            "it takes sigma for the share that is kept: 1 - sigma is.":
                norm(shares * torch.where(here, sigma + (1 - sigma) / size, (1 - sigma) / size)),
            "that mixes the letter with the prior: weigh (multiply), do not add.": (1 - sigma) * here + sigma * shares,
        }, "it should be shares * fit over its sum, fit = sigma / V, with 1 - sigma more at the one seen.")  # fmt: skip


def our_posterior(shares: Tensor, seen: int, sigma: float) -> Tensor:
    """p(x_0 | x_t) of one letter under uniform noise, (V,).

    shares: of the letters, (V,).
    seen: the letter at time t.
    sigma: the probability that it was drawn afresh.
    """
    fit = torch.full_like(shares, sigma / len(shares))
    fit[seen] += 1 - sigma
    return shares * fit / (shares * fit).sum()
