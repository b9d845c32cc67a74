"""A bank of questions to compute by hand, their numbers drawn by a seed, and the key apart.

    minidiff questions --seed 7 --variants 30 --out sheets

The words stand in bank.md, where alpha, beta, sigma and eps become Greek letters, x_t an index and x^2 a power. A kind
draws numbers with which the arithmetic stays short, and takes its answer from the package where that can give it.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..data.files import write_atomically
from ..estimates import Estimate
from ..evaluation.metrics import frechet_distance
from ..exact import of_gaussian, of_mixture
from ..guidance import extrapolate, given
from ..likelihood import bits_per_dim
from ..refusals import path, require, whole
from ..samplers import ddim_step, heun_step, posterior_std
from ..schedules import cosine, edm, flow, from_betas, log_snr

BANK = Path(__file__).with_name("bank.md")
PLACES = ((0.28, 0.96), (0.6, 0.8), (0.8, 0.6), (0.96, 0.28))  # alpha and sigma, from noise to data
MARKS = re.compile(r"\b(alpha|beta|sigma|eps)(?![a-z])|_(\w+)|\^(\w+)|( [-*] )|(?<![\w)])(-)(?=[\da-z(])")
SIGNS = {"eps": "&epsilon;", " - ": " &minus; ", " * ": " &middot; ", "-": "&minus;"}
STYLE = """body {font: 11pt/1.5 serif; max-width: 42em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff}
li {margin-bottom: 1em; break-inside: avoid} .room {height: 6em} h2 {break-after: avoid}"""
Made = tuple[float, dict[str, Any]]  # the answer and the numbers


class Asked(NamedTuple):
    """A question with its numbers.

    kind: what it is about, a name in KINDS.
    text: the question.
    way: how the answer is found, in short.
    answer: the number that is asked for.
    numbers: those that were drawn, by name.
    """

    kind: str
    text: str
    way: str
    answer: float
    numbers: dict[str, Any]


def ask(seed: int, sheet: int = 1) -> list[Asked]:
    """One question of each kind. Another seed, or another sheet of a seed, draws other numbers. Raises ValueError."""
    whole("seed", seed, 0), whole("sheet", sheet)
    asked = []
    for block in BANK.read_text(encoding="utf-8").split("\n\n")[1:]:  # the first is the title
        kind, text, way = block.strip().split("\n")
        answer, numbers = KINDS[kind](Random(f"{seed}, {sheet}, {kind}"))
        asked.append(Asked(kind, text.format(**numbers), way.format(**numbers), answer, numbers))
    return asked


def main_questions(seed: int, variants: int, folder: Path) -> int:
    """Write sheets and a key to all of them. Raises ValueError for a folder that holds anything.

    seed: of all numbers.
    variants: how many sheets, each with numbers of its own.
    folder: where to; it is made.
    """
    folder, count = path("folder", folder), whole("variants", variants, 1, 999)
    require(not folder.is_dir() or not any(folder.iterdir()), f"{folder} is not empty: name another folder with --out")
    names = ["questions.html"] if count == 1 else [f"questions-{sheet:03}.html" for sheet in range(1, count + 1)]
    keys = []
    for sheet, name in enumerate(names, 1):
        title, asked = f"Questions {seed}/{sheet}", ask(seed, sheet)
        items = [f"<b>{one.kind}.</b> {marked(one.text)}<div class='room'></div>" for one in asked]
        head = [f"<h1>{title}</h1>", "<p>Name: ______________________________ &emsp; Three digits will do.</p>"]
        write_atomically(folder / name, _page(title, [*head, _listed(items)]))
        items = [f"<b>{marked(f'{one.answer:.4g}')}</b> &emsp; {marked(one.way)}" for one in asked]
        keys += [f"<h2>{title}</h2>", _listed(items)]
    write_atomically(folder / "key.html", _page(f"Key to questions {seed}", keys))
    print(f"wrote {names[0]}{f' to {names[-1]}' * (count > 1)} and key.html in {folder}")
    return 0


def marked(text: str) -> str:
    """A text of the bank as HTML."""

    def sign(it: re.Match) -> str:
        if it[2] or it[3]:
            return f"<sub>{it[2]}</sub>" if it[2] else f"<sup>{it[3]}</sup>"
        return SIGNS.get(it[0], f"&{it[0]};")

    return MARKS.sub(sign, text)


def _listed(items: list[str]) -> str:
    return "\n".join(["<ol>", *(f"<li>{item}</li>" for item in items), "</ol>"])


def _page(title: str, body: list[str]) -> bytes:
    head = f'<meta charset="utf-8"><title>{title}</title>\n<style>{STYLE}</style>'
    page = ["<!doctype html>", f'<html lang="en"><head>{head}</head><body>', *body, "</body></html>", ""]
    return "\n".join(page).encode()


def _row(*numbers: float) -> Tensor:
    return torch.tensor([numbers], dtype=torch.float64)


def _time(place: tuple[float, float]) -> float:
    """When the cosine path has this alpha and sigma."""
    return math.atan2(place[1], place[0]) / (math.pi / 2)


def _two_places(draw: Random) -> dict[str, tuple[float, float]]:
    """One place for a step to begin and one, nearer to the data, for it to end."""
    return dict(zip("ab", (PLACES[i] for i in sorted(draw.sample(range(len(PLACES)), 2))), strict=True))


def _two_gaussians(draw: Random) -> tuple[int, ...]:
    """Two means and two standard deviations."""
    return draw.randrange(-3, 4), draw.randrange(-3, 4), *draw.sample((1, 2, 3), 2)


def _alpha_bar(draw: Random) -> Made:
    betas = [draw.choice((0.1, 0.2, 0.25, 0.4, 0.5)) for _ in range(3)]
    bar = from_betas(_row(*betas)[0])(torch.tensor(1.0, dtype=torch.float64))[0].item() ** 2
    return bar, dict(zip(("first", "second", "third"), betas, strict=True))


def _snr(draw: Random) -> Made:
    t, s = draw.choice((0.2, 0.25, 0.4, 0.5, 0.6, 0.75, 0.8)), draw.choice((1, 2, 3))
    return s**2 * log_snr(flow, _row(t)).exp().item(), {"t": t, "s": s}


def _posterior_variance(draw: Random) -> Made:
    first, second = draw.choice((0.1, 0.2, 0.36, 0.5)), draw.choice((0.2, 0.25, 0.5, 0.6))
    return posterior_std(from_betas(_row(first, second)[0]), 1.0, 0.5) ** 2, {"first": first, "second": second}


def _ddim(draw: Random) -> Made:
    places, m, x = _two_places(draw), draw.choice((-2, -1, 1, 2)), draw.choice((-3, -2, -1, 1, 2, 3))
    end = ddim_step(of_gaussian(m, 1.0, cosine), _row(x), *map(_time, places.values())).item()
    return end, {**places, "m": m, "x": x}


def _guidance(draw: Random) -> Made:
    places, w = _two_places(draw), draw.choice((1.5, 2, 3, 4))
    far, share = draw.choice((1, 2)), draw.choice((0.2, 0.25, 0.4, 0.5, 0.6))
    points = of_mixture(_row(-far, far).T, torch.zeros(2), _row(1 - share, share)[0], cosine)
    guided = extrapolate(given(points, y=1), points, w)
    end = ddim_step(guided, _row(0.0), *map(_time, places.values())).item()
    return end, {**places, "w": w, "far": far, "share": share}


def _heun(draw: Random) -> Made:
    t, s = draw.choice(((2, 1), (3, 1), (3, 2), (1, 0.5), (2, 0.5)))
    x = draw.choice((1, 2, 4, 5, 10))
    return heun_step(of_gaussian(0.0, 1.0, edm), _row(x), t, s).item(), {"t": t, "s": s, "x": x}


def _score(draw: Random) -> Made:
    place, m, s, x = draw.choice(PLACES), draw.choice((-1, 0, 1, 2)), draw.choice((2, 3)), draw.choice((-2, -1, 1, 2))
    eps = of_gaussian(m, s, cosine)(_row(x), _time(place)).eps.item()
    return -eps / place[1], {"a": place, "m": m, "variance": s * s, "x": x}


def _bits(draw: Random) -> Made:
    side, each = draw.choice((8, 16, 28, 32)), draw.choice((-2, -1, -0.5, 0.5, 1, 2))
    log_p = Estimate(torch.tensor(each * side**2, dtype=torch.float64), torch.tensor(0.0))
    return bits_per_dim(log_p, side**2, 127.5).value.item(), {"side": side, "nats": f"{each * side**2:g}"}


def _frechet(draw: Random) -> Made:
    m, n, s, r = _two_gaussians(draw)
    pair = _row(-1, 1).T / math.sqrt(2)  # two points of variance 1
    return frechet_distance(m + s * pair, n + r * pair), {"m": m, "n": n, "s": (s * s, r * r)}


def _kl(draw: Random) -> Made:
    m, n, s, r = _two_gaussians(draw)
    return math.log(r / s) + (s * s + (m - n) ** 2) / (2 * r * r) - 0.5, {"m": m, "n": n, "s": (s * s, r * r)}


def _pairing(draw: Random) -> Made:
    noises, points = [[(draw.randrange(-3, 4), draw.randrange(-3, 4)) for _ in range(3)] for _ in range(2)]
    cost = torch.cdist(*torch.tensor([noises, points], dtype=torch.float64)).square().numpy()
    said = {name: ", ".join(map(str, three)) for name, three in (("noises", noises), ("points", points))}
    return cost[linear_sum_assignment(cost)].sum().item(), said


def _attention(draw: Random) -> Made:
    root, (a, b) = draw.choice((2, 4)), draw.sample((2, 3, 4, 5, 6), 2)
    weights = (_row(0, root * math.log(a), root * math.log(b)) / root).softmax(-1)
    return weights[0, 2].item(), {"d": root**2, "root": root, "a": a, "b": b}


def _unmasking(draw: Random) -> Made:
    t, s = draw.choice(((1.0, 0.75), (0.8, 0.6), (0.8, 0.2), (0.5, 0.4), (0.6, 0.15), (1.0, 0.9)))
    many = draw.choice((20, 40, 60, 100))
    return many * (1 - s / t), {"t": t, "s": s, "many": many}


KINDS: dict[str, Callable[[Random], Made]] = {
    "Alpha-bar": _alpha_bar, "Signal to noise": _snr, "Posterior variance": _posterior_variance, "A DDIM step": _ddim,
    "A guided step": _guidance, "A Heun step": _heun, "The score": _score, "Bits per dimension": _bits,
    "Fréchet distance": _frechet, "KL divergence": _kl, "Optimal pairing": _pairing, "Attention": _attention,
    "Unmasking": _unmasking,
}  # fmt: skip
