"""Questions with drawn numbers: every key by another route, over 200 seeds; the pages; what is refused."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from minidiff.__main__ import main
from minidiff.course.questions import BANK, KINDS, ask, main_questions, marked

GRID = torch.linspace(-60, 60, 240_001, dtype=torch.float64)


def numbers_in(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", text)]


def alpha_bar(first, second, third):
    variance = 0.0
    for beta in (first, second, third):  # of what the three steps add
        variance = (1 - beta) * variance + beta
    return 1 - variance


def signal_to_noise(t, s):
    return ((1 - t) * s / t) ** 2


def posterior_variance(first, second):
    return 1 / (1 / first + (1 - second) / second)  # precisions add


def ddim(a, b, m, x):
    """The ODE of a unit Gaussian only turns (alpha, sigma): the deviation shrinks by a cosine."""
    return b[0] * m + (a[0] * b[0] + a[1] * b[1]) * (x - a[0] * m)


def guided(a, b, w, far, share):
    x0 = far * (2 * share - 1) + w * far * (2 - 2 * share)
    return x0 * (b[0] - b[1] * a[0] / a[1])


def heun(t, s, x):
    def slope(y, level):
        return level * y / (1 + level**2)

    first = slope(x, t)
    return x + (s - t) * (first + slope(x + (s - t) * first, s)) / 2


def score(a, m, variance, x):
    x = torch.tensor(float(x), dtype=torch.float64, requires_grad=True)
    Normal(a[0] * m, math.sqrt(a[0] ** 2 * variance + a[1] ** 2)).log_prob(x).backward()
    return x.grad.item()


def bits(side, nats):
    return -(float(nats) / side**2 - math.log(127.5)) / math.log(2)  # the density of a byte is 1 / 127.5 of x's


def frechet(m, n, s):
    """The cheapest map on a line pairs quantiles."""
    u = torch.linspace(0, 1, 200_001, dtype=torch.float64)[1:-1]
    first, second = (
        Normal(torch.tensor(float(c), dtype=torch.float64), math.sqrt(v)).icdf(u) for c, v in ((m, s[0]), (n, s[1]))
    )
    return (first - second).square().mean().item()


def divergence(m, n, s):
    return kl_divergence(Normal(float(m), math.sqrt(s[0])), Normal(float(n), math.sqrt(s[1]))).item()


def pairing(noises, points):
    a, b = (np.reshape(numbers_in(text), (3, 2)) for text in (noises, points))
    return min(np.square(a - b[list(order)]).sum() for order in itertools.permutations(range(3)))


def attention(d, root, a, b):
    q = torch.zeros(1, d, dtype=torch.float64)
    q[0, 0] = 1.0
    k = torch.zeros(3, d, dtype=torch.float64)
    k[1, 0], k[2, 0] = root * math.log(a), root * math.log(b)
    return torch.nn.functional.scaled_dot_product_attention(q, k, torch.eye(3, dtype=torch.float64)[:, 2:])[0, 0].item()


def unmasking(t, s, many):
    when = (np.arange(100_000) + 0.5) / 100_000  # a word is masked from its own uniform time on
    masked = when < t
    return many * (masked & (when >= s)).sum() / masked.sum()


OTHERWISE = {
    "Alpha-bar": alpha_bar, "Signal to noise": signal_to_noise, "Posterior variance": posterior_variance,
    "A DDIM step": ddim, "A guided step": guided, "A Heun step": heun, "The score": score, "Bits per dimension": bits,
    "Fréchet distance": frechet, "KL divergence": divergence, "Optimal pairing": pairing, "Attention": attention,
    "Unmasking": unmasking,
}  # fmt: skip
LOOSE = {"Fréchet distance": 1e-3, "KL divergence": 1e-5, "Unmasking": 1e-3}  # integrals and float32


@pytest.fixture(scope="module")
def asked():
    return [ask(seed) for seed in range(200)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_by_another_route_over_200_seeds(kind, asked):
    found = [one for sheet in asked for one in sheet if one.kind == kind]
    assert len(found) == 200 and len({one.text for one in found}) >= 6
    for one in {one.text: one for one in found}.values():
        wanted = OTHERWISE[kind](**one.numbers)
        assert one.answer == pytest.approx(wanted, rel=LOOSE.get(kind, 1e-7), abs=LOOSE.get(kind, 1e-7)), one


def test_what_is_asked_holds_every_number_that_was_drawn(asked):
    for one in (one for sheet in asked[:50] for one in sheet):
        said = set(numbers_in(one.text))
        for name, value in one.numbers.items():
            parts = value if isinstance(value, tuple) else numbers_in(value) if isinstance(value, str) else [value]
            assert {abs(float(part)) for part in parts} <= {abs(number) for number in said}, (name, one)
        assert "{" not in one.text + one.way and one.text.count("?") == 1 and math.isfinite(one.answer)
        assert abs(one.answer) < 1000


def test_a_sheet_has_a_question_of_each_kind_and_another_sheet_other_numbers(asked):
    assert [one.kind for one in asked[0]] == list(KINDS)
    assert set(BANK.read_text().split("\n")) >= set(KINDS)
    assert ask(7) == ask(7, 1) == asked[7]
    different = [a.numbers != b.numbers for a, b in zip(ask(7, 1), ask(7, 2), strict=True)]
    assert sum(different) >= 9
    assert len({tuple(one.text for one in ask(7, sheet)) for sheet in range(1, 31)}) == 30


TOTALS = {
    "Alpha-bar": 69.98, "Signal to noise": 4153.01, "Posterior variance": 33.63, "A DDIM step": 5.81,
    "A guided step": 512.71, "A Heun step": 593.59, "The score": 22.56, "Bits per dimension": 1408.97,
    "Fréchet distance": 2161.0, "KL divergence": 575.92, "Optimal pairing": 5764.0, "Attention": 86.43,
    "Unmasking": 4056.0,
}  # fmt: skip


def test_a_seed_draws_the_same_numbers_on_every_machine(asked):
    """Or a key could not be made again for sheets that were handed out."""
    assert [round(one.answer, 3) for one in asked[7]][:6] == [0.32, 4.0, 0.091, -2.176, 1.467, 4.0]
    for i, kind in enumerate(KINDS):
        assert sum(sheet[i].answer for sheet in asked) == pytest.approx(TOTALS[kind], abs=0.006), kind


@pytest.mark.parametrize(
    "text, page",
    [
        ("alpha_t x_0 - sigma^2", "&alpha;<sub>t</sub> x<sub>0</sub> &minus; &sigma;<sup>2</sup>"),
        ("alpha-bar_3, eps", "&alpha;-bar<sub>3</sub>, &epsilon;"),
        ("(-2, 1), -far and [-1, 1]", "(&minus;2, 1), &minus;far and [&minus;1, 1]"),
        ("-(x_t - alpha m)", "&minus;(x<sub>t</sub> &minus; &alpha; m)"),
        ("signal-to-noise, alphabet, 2 * 3", "signal-to-noise, alphabet, 2 &middot; 3"),
    ],
)
def test_marks_become_html(text, page):
    assert marked(text) == page


@pytest.mark.parametrize("variants", [1, 3])
def test_pages_need_no_network_and_the_key_lies_apart(variants, tmp_path, capsys):
    folder = tmp_path / "sheets"
    assert main(["questions", "--seed", "7", "--variants", str(variants), "--out", str(folder)]) == 0
    names = ["questions.html"] if variants == 1 else ["questions-001.html", "questions-002.html", "questions-003.html"]
    said = capsys.readouterr().out
    assert said == f"wrote {names[0]}{' to ' + names[-1] if variants > 1 else ''} and key.html in {folder}\n"
    assert sorted(path.name for path in folder.iterdir()) == ["key.html", *names]
    key = (folder / "key.html").read_text()
    for sheet, name in enumerate(names, 1):
        page = (folder / name).read_text()
        assert page.startswith("<!doctype html>") and f"<h1>Questions 7/{sheet}</h1>" in page
        assert not re.search(r"https?:|<script|<link|<img|@import|url\(", page + key)
        assert f"<h2>Questions 7/{sheet}</h2>" in key and page.count("<li>") == len(KINDS)
        for one in ask(7, sheet):
            assert marked(one.text) in page and marked(one.way) not in page
            assert marked(f"{one.answer:.4g}") in key and marked(one.way) in key
    assert key.count("<li>") == variants * len(KINDS)


def test_what_is_there_is_not_written_over_and_nonsense_is_refused(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["questions", "--out", str(tmp_path)]) == 2 and "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert main(["questions", "--out", str(tmp_path / "mine.txt" / "in")]) == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    for more in (("--seed", "-1"), ("--variants", "0"), ("--variants", "1000"), ("--seed", "x")):
        assert main(["questions", "--out", str(empty), *more]) == 2
    assert not any(empty.iterdir())
    for seed, sheet in ((1.0, 1), (True, 1), (0, 0), (0, None)):
        with pytest.raises(ValueError):
            ask(seed, sheet)
    assert main_questions(0, 1, empty) == 0 and len(list(empty.iterdir())) == 2
