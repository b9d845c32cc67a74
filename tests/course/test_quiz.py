"""Every notebook has its five questions: well formed, right where they ask for numbers, the same without a kernel."""

import html.parser
import math
import re
from collections import Counter
from fractions import Fraction

import pytest
import torch

import minidiff
from minidiff import likelihood, schedules
from minidiff.course import notebooks, quiz
from minidiff.course.multiple_choice import FOLDER, questions
from minidiff.estimates import Estimate
from minidiff.evaluation import metrics

NAMES = [path.name.split("_")[0] for path in notebooks.every()]


def right(question) -> int:
    return [one.right for one in question.choices].index(True)


def test_every_notebook_has_its_questions_and_no_other():
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == sorted(NAMES)
    for name in ("1", "99", "07.md", "../quiz"):
        with pytest.raises(ValueError, match="name must be one of '00', '01'"):
            quiz(name)


@pytest.mark.parametrize("name", NAMES)
def test_five_questions_each_choice_explained(name):
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# Five questions on notebook {name}\n\n") and "!" not in text and "\n\n\n" not in text
    asked = questions(name)
    assert len(asked) == 5
    for question in asked:
        assert question.text.endswith("?") and len(question.text.split()) <= 50
        assert 3 <= len(question.choices) <= 4 and sum(one.right for one in question.choices) == 1
        assert len({one.text for one in question.choices}) == len(question.choices)
        for one in question.choices:
            assert one.text and len(one.text) <= 88 and len(one.why.split()) >= 3 and one.why.endswith("."), one


def test_neither_place_nor_length_tells_the_right_choice():
    asked = [question for name in NAMES for question in questions(name)]
    places = Counter(map(right, asked))
    assert all(0.15 < places[i] / len(asked) < 0.4 for i in range(4)), places
    for name in NAMES:
        assert max(Counter(map(right, questions(name))).values()) <= 2
    longest = [max(question.choices, key=lambda one: len(one.text)).right for question in asked]
    assert 0.15 < sum(longest) / len(asked) < 0.42  # 0.28 by chance


def pseudo_inverse_step() -> float:
    a = torch.tensor([[0.5, 0.5]])
    x = torch.tensor([2.0, 6.0])
    return (x + torch.linalg.pinv(a) @ (5 - a @ x))[0].item()


def heun(x=2.0, t=1.0, s=0.5) -> float:
    exact = minidiff.of_gaussian(0.0, 1.0, schedules.edm)
    return minidiff.heun_step(exact, torch.tensor([[x]], dtype=torch.float64), t, s).item()


def guided() -> float:
    def denoiser(eps):
        return minidiff.Denoiser(schedules.flow, lambda x, t: minidiff.Prediction(x - eps, torch.full_like(x, eps)))

    x = torch.zeros(1, 1, dtype=torch.float64)
    return minidiff.guidance.extrapolate(denoiser(0.6), denoiser(0.2), 3.0)(x, 0.5).eps.item()


def stuck(bits=5) -> float:
    n = 0
    while n != (after := rounded(n + 1, bits)):
        n = after
    return n


def rounded(n: int, bits: int) -> int:
    gap = 2 ** max(0, n.bit_length() - bits)
    return round(n / gap) * gap  # Python rounds ties to even, as floating point does


def one_euler_step() -> float:
    exact = minidiff.of_points(torch.tensor([[-1.0], [3.0]]), schedules.flow)
    return minidiff.euler_step(exact, torch.tensor([[0.7]], dtype=torch.float64), 1.0, 0.0).item()


SOFT = torch.tensor([0.0, math.log(3)]).softmax(0)
NUMBERS = {  # (notebook, question): the number of the right choice, computed
    ("00", 2): 0.5 * math.atan2(1, 1) / (math.pi / 4),
    ("01", 0): math.hypot(5, 12),
    ("01", 1): minidiff.of_gaussian(0.0, 1.0, schedules.edm)(torch.tensor([[4.0]]), 1.0).x0.item(),
    ("01", 3): math.sqrt(400),
    ("01", 4): 100 * (0.3 / 0.1) ** 2,
    ("01b", 0): 1 / 100,
    ("01b", 2): 40.0,
    ("01b", 4): 0.4 / math.sqrt(4),
    ("02", 0): schedules.from_betas(torch.tensor([0.36, 0.75]))(torch.tensor(1.0, dtype=torch.float64))[0].item(),
    ("02", 1): math.sqrt(1 - 0.8**2),
    ("02b", 1): (0.6 / 0.8) ** 2,
    ("03", 0): 0.8 - 0.2,
    ("03", 2): (2 - 4) / 2**2,
    ("04", 0): torch.tensor([0.0, 0.0, 6.0]).var(correction=0).item(),
    ("05", 1): 3 * 2 / (1 + 2),
    ("05", 2): 0.2 / 0.5 * 0.4,
    ("05b", 0): 2**2 / (2 * 2),
    ("06", 0): math.sqrt(5**2 - 3**2),
    ("07", 0): math.sqrt(0.01),
    ("07", 1): 2.0,
    ("07", 2): -1 - 0.5 * 2 * -2,
    ("08", 0): 4 * 0.2,
    ("08", 2): 0.2 / math.sqrt(64 / 4),
    ("09", 1): 1 / (1 + 2**2),
    ("09", 2): heun(),
    ("10", 0): one_euler_step(),
    ("10", 1): 1 - 0.75 * 2,
    ("11", 0): guided(),
    ("11", 1): 1 + 0.5,
    ("12", 0): 2 - 0,
    ("12", 1): round(9 * 32 * 32 * 14 * 14 / 1e6, 1),
    ("13", 0): (1 - 4) ** 2 + (math.sqrt(1) - math.sqrt(9)) ** 2,
    ("13", 1): 7000 / 700,
    ("14", 2): (1 - 0.1) / 0.1,
    ("15", 0): pseudo_inverse_step(),
    ("15", 4): math.sqrt(100),
    ("16", 0): sum((b > a) + 0.5 * (b == a) for a in (1, 3) for b in (2, 3, 4)) / 6,
    ("16", 3): 100 * (1 - 2 / (9 + 1)),
    ("17", 0): 3 * 2 * 100 * 50 * 200 / 1e6,
    ("17", 2): 1 / (1 - 0.2),
    ("17", 3): stuck(),
    ("17", 4): (3 * 2 + 1 * 6) / 4,
    ("17b", 0): 200 * 20 / 100,
    ("18", 1): ((2 * 28) ** 2 / 28**2) ** 2,
    ("18", 4): 1 - 256 / 1024,
    ("19", 0): -10 * math.log10(0.001),
    ("19", 1): round(0.5 / math.log(2), 2),
    ("20", 2): 100 * 0.8 * 0.8 * 0.5,
    ("20", 3): 0.50 - 0.53,
    ("20b", 0): 2 * (100 + 300),
    ("20b", 2): 2 + 0.5 * 4 * 3,
    ("22", 0): 100 * (0.8 - 0.6) / 0.8,
}


@pytest.mark.parametrize("place", NUMBERS, ids=lambda place: f"{place[0]}-{place[1] + 1}")
def test_numbers_are_right_and_no_wrong_choice_has_them(place):
    name, number = place
    question = questions(name)[number]
    plain = [one.text.replace("\N{MINUS SIGN}", "-").replace(",", "") for one in question.choices]
    found = [re.search(r"-?\d+(?:\.\d+|/\d+)?", text) for text in plain]
    values = [float(Fraction(one[0])) if one else None for one in found]
    near = [value is not None and math.isclose(value, NUMBERS[place], rel_tol=1e-6, abs_tol=1e-6) for value in values]
    others = 1 if place == ("05", 1) else 0  # "2 with variance 3" is wrong by its second number
    assert near[right(question)] and sum(near) == 1 + others, (values, NUMBERS[place])


def test_the_numbers_that_are_fractions_or_logarithms():
    assert questions("11")[2].choices[right(questions("11")[2])].text == "1/16" and 4**-2 == 1 / 16
    assert questions("18")[0].choices[right(questions("18")[0])].text == "3/4" and SOFT[1].item() == pytest.approx(0.75)
    assert (
        "log 4 = 1.39" in questions("14")[1].choices[right(questions("14")[1])].text and round(math.log(4), 2) == 1.39
    )
    said = likelihood.bits_per_dim(Estimate(torch.zeros(()), torch.zeros(())), 1, 127.5).value  # a density of 1
    assert round(float(said), 1) == 7.0 and round(1 - 0.95**10, 1) == 0.4
    a, b = torch.randn(20_000, 1), 3 * torch.randn(20_000, 1) + 3
    assert metrics.frechet_distance(a, b) == pytest.approx(13, rel=0.05)


def test_a_choice_is_answered_by_its_explanation(monkeypatch):
    monkeypatch.delenv("MINIDIFF_STATIC", raising=False)
    one = quiz("07")
    assert len(one.choices) == len(one.said) == 5 and all(radio.index is None for radio in one.choices)
    assert all(not said.value for said in one.said)
    for question, radio, said in zip(one.questions, one.choices, one.said, strict=True):
        assert [option[:3] for option in radio.options] == ["A. ", "B. ", "C. ", "D. "][: len(question.choices)]
        for i, choice in enumerate(question.choices):
            radio.index = i
            assert choice.why.split(",")[0].split("_")[0] in said.value and 'role="status"' in said.value
            assert ("<b>Right.</b>" in said.value) == choice.right == ("Not this one" not in said.value)
        radio.index = None  # nobody's click, and nothing breaks
    view = {"version_major": 2, "version_minor": 0, "model_id": one.box.model_id}
    assert one._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"] == view
    style, *parts = one.box.children
    assert "minidiff-quiz" in one.box._dom_classes and style.value.count(".minidiff-quiz ") == 3
    assert [part.value[:10] for part in parts[::3]] == [f"<b>{number}.</b> " for number in range(1, 6)]
    assert list(parts[1::3]) == one.choices and list(parts[2::3]) == one.said
    assert {radio.layout.width for radio in one.choices} == {"auto"}  # or long choices would be cut short


class Tree(html.parser.HTMLParser):
    """Whether tags are closed in the order in which they were opened."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], Counter()

    def handle_starttag(self, tag, attrs):
        self.seen[tag] += 1
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_without_a_kernel_it_is_one_constant_page(name, monkeypatch):
    monkeypatch.setenv("MINIDIFF_STATIC", "1")
    bundle = quiz(name)._repr_mimebundle_()
    assert bundle == quiz(name)._repr_mimebundle_() and set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == f"Quiz of 5 questions on notebook {name}"
    tree = Tree()
    tree.feed(bundle["text/html"])
    choices = sum(len(question.choices) for question in questions(name))
    assert not tree.open and tree.seen["details"] == 5 and tree.seen["li"] == 5 + choices
    before = bundle["text/html"].partition("<details>")[0]
    assert "right" not in before.split("<ol type")[1].split("</ol>")[1]  # folded, not beside the choices
    assert bundle["text/html"].count(", right.</b>") == 5


def test_code_and_signs_are_shown_as_they_are(tmp_path, monkeypatch):
    (tmp_path / "x.md").write_text("# Title\n\nIs `a<b`\nor not?\n- a < b\n  No & x_t.\n+ `b`\n  Yes, it is\n  so.\n")
    monkeypatch.setattr("minidiff.course.multiple_choice.FOLDER", tmp_path)
    (question,) = questions("x")
    assert question.text == "Is `a<b` or not?" and question.choices[1].why == "Yes, it is so."
    page = quiz("x")._repr_mimebundle_()["text/html"]
    assert "<code>a&lt;b</code>" in page and "a &lt; b" in page and "No &amp; x<sub>t</sub>." in page
    assert quiz("x").choices[0].options == ("A. a < b", "B. b")
