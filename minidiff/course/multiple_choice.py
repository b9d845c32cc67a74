"""Five questions on a notebook, each choice explained: to click where a kernel runs, with folded answers elsewhere.

They stand beside this file, one text a notebook. A blank line ends a question, a line with + begins the right choice, a
line with - another, and the indented lines below a choice say why.
"""

import html
import os
import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

import ipywidgets

from ..refusals import choice

FOLDER = Path(__file__).with_name("quizzes")
STYLE = """<style>
.minidiff-quiz .widget-html-content {line-height: 1.5}
.minidiff-quiz .widget-radio-box label {display: flex; flex-flow: row-reverse; justify-content: flex-end; height: auto;
    line-height: 1.5; white-space: normal}
.minidiff-quiz .widget-radio-box input {flex: none; margin: 0 0.6em 0 0}
</style>"""  # ipywidgets gives each choice one line, however long it is


class Choice(NamedTuple):
    """One of the choices of a question.

    letter: A, B, C or D.
    text: what is chosen.
    right: whether it is the right one.
    why: a sentence that says why it is right or wrong.
    """

    letter: str
    text: str
    right: bool
    why: str


class Question(NamedTuple):
    text: str
    choices: list[Choice]


def questions(name: str) -> list[Question]:
    """The questions on a notebook, by its number, such as "05b". Raises ValueError for one that has none."""
    path = FOLDER / f"{choice('name', name, sorted(path.stem for path in FOLDER.glob('*.md')))}.md"
    blocks = path.read_text(encoding="utf-8").split("\n\n")[1:]  # the first is the title
    return [_question(block.strip("\n")) for block in blocks]


def _question(block: str) -> Question:
    text, *rest = re.split(r"^([+-]) ", block, flags=re.M)
    choices = []
    for letter, mark, body in zip("ABCD", rest[::2], rest[1::2], strict=False):
        first, *why = body.splitlines()
        choices.append(Choice(letter, first, mark == "+", " ".join(line.strip() for line in why)))
    return Question(" ".join(text.split()), choices)


class Quiz:
    """The questions on a notebook: name is its number. `.choices` are the widgets, `.said` what they are answered by.

    Where no kernel runs, as on GitHub, and in stored outputs it is one constant page, its answers in <details>.
    Raises ValueError for a notebook that has no questions.
    """

    def __init__(self, name: str):
        self.name, self.questions = name, questions(name)
        self.choices, self.said, parts = [], [], [ipywidgets.HTML(STYLE)]
        for number, question in enumerate(self.questions, 1):
            options = [f"{one.letter}. {one.text.replace('`', '')}" for one in question.choices]
            radio = ipywidgets.RadioButtons(options=options, value=None, layout={"width": "auto"})
            said = ipywidgets.HTML()
            radio.observe(partial(self._answer, question, said), names="index")
            self.choices.append(radio)
            self.said.append(said)
            parts += [ipywidgets.HTML(f"<b>{number}.</b> {_marked(question.text)}"), radio, said]
        self.box = ipywidgets.VBox(parts)
        self.box.add_class("minidiff-quiz")

    def _answer(self, question: Question, said: ipywidgets.HTML, change: dict) -> None:
        if change["new"] is not None:
            one = question.choices[change["new"]]
            verdict = "Right." if one.right else "Not this one."
            said.value = f'<div role="status"><b>{verdict}</b> {_marked(one.why)}</div>'

    def __repr__(self) -> str:
        return f"Quiz of {len(self.questions)} questions on notebook {self.name}"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        page = "\n".join(["<ol>", *map(_page, self.questions), "</ol>"])
        bundle: dict = {"text/plain": repr(self), "text/html": page}
        if not os.environ.get("MINIDIFF_STATIC"):  # as for a StepScrubber
            view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = view
        return bundle


def quiz(name: str) -> Quiz:
    """Five questions on a notebook, such as `quiz("07")`; see Quiz."""
    return Quiz(name)


def _page(question: Question) -> str:
    """A question without a kernel: its choices, and its answer folded away."""
    asked = "\n".join(f"<li>{_marked(one.text)}</li>" for one in question.choices)
    told = [f"<b>{one.letter}, {'right' if one.right else 'wrong'}.</b> {_marked(one.why)}" for one in question.choices]
    folded = f"<details><summary>Answer</summary>\n<p>{'<br>'.join(told)}</p></details>"
    return f'<li><p>{_marked(question.text)}</p>\n<ol type="A">\n{asked}\n</ol>\n{folded}</li>'


def _marked(text: str) -> str:
    """A text as HTML: what stands between backquotes is code, and x_t has an index."""
    shown = {"`": "<code>{}</code>", "_": "<sub>{}</sub>"}
    return re.sub(r"`[^`]+`|_\w+", lambda it: shown[it[0][0]].format(it[0].strip("`_")), html.escape(text, quote=False))
