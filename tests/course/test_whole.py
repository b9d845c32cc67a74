"""The course as a whole: sizes, widths, what readers write, and the words it uses."""

import re

import pytest

from minidiff.course import notebooks
from tests.benchmarks import sizes
from tests.turns import attempts

BOOKS = notebooks.every()
GLOSSARY = (BOOKS[0].parent / "glossary.md").read_text()
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \[(\w+)\]\((\S+)\) \|$", re.M)
PROSE = ("obviously", "simply ", "magic", "of course,", "trivial")


def prose(path) -> str:
    return "\n\n".join(cell.source for cell in notebooks.load(path).cells if cell.cell_type == "markdown")


def code(path) -> list[str]:
    return [cell.source for cell in notebooks.load(path).cells if cell.cell_type == "code"]


def unfolded(text: str) -> str:
    return re.sub(r"<details>.*?</details>|```.*?```|`[^`]*`", " ", text, flags=re.S)


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_to_its_size_its_width_and_its_share_of_writing(path):
    found = sizes.size(notebooks.load(path).cells)
    assert {name: getattr(found, name) for name in sizes.LIMITS if getattr(found, name) > sizes.LIMITS[name]} == {}
    lines = [line for source in code(path) for line in source.splitlines()]
    assert [line for line in lines if len(line) > 88] == []
    for source in code(path):
        own = [line for line in source.splitlines() if line.strip() and not re.match(r"(from|import) ", line)]
        assert len(own) <= 15, source
    asked = sum(len(attempts(source)) for source in code(path))
    text = prose(path)
    assert asked >= 4 and len(re.findall(r"<summary>Hint", text)) >= 2 * asked
    assert len(re.findall(r"<summary>Solution", text)) >= asked and text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_speaks_plainly(path):
    text = unfolded(prose(path))
    assert [word for word in PROSE if word in text.casefold()] == []
    assert not re.search(r"\w!(\s|$)", text), "an exclamation mark"
    assert not re.search(r"[\U0001F300-\U0001FAFF]", text)


def test_the_glossary_names_where_each_term_stands_in_bold():
    rows = ROW.findall(GLOSSARY)
    assert len(rows) >= 120 and len(rows) == GLOSSARY.count("\n| ") - 1
    assert [row[0].casefold() for row in rows] == sorted({row[0].casefold() for row in rows})
    texts = {path.name: prose(path).casefold() for path in BOOKS}
    for term, said, number, name in rows:
        assert name.startswith(f"{number}_") and f"**{term.casefold()}" in texts[name], term
        assert said.endswith(".") and len(said.split()) <= 25, term
