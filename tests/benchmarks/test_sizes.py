"""Times and sizes of notebooks: what is counted, and that heads and README say it."""

import json
import re

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from minidiff.course import notebooks
from tests.benchmarks import sizes

RECORD = json.loads(sizes.TIMES.read_text())


@pytest.mark.parametrize("path", notebooks.every(), ids=lambda path: path.name)
def test_a_head_and_its_row_say_what_is_counted_and_recorded(path):
    cells = notebooks.load(path).cells
    minutes, seconds = sizes.size(cells).minutes, 5 * round(RECORD[path.name]["seconds"] / 5)
    (head,) = sizes.heads(cells)
    said = f"about {minutes} minutes with the exercises, in two halves; about {seconds} seconds of computing on two"
    assert said in " ".join(head.source.split())
    (row,) = [line for line in sizes.README.read_text().splitlines() if f"](notebooks/{path.name})" in line]
    assert row.endswith(f"| {minutes} min | {seconds} s |")


ASKING = [path for path in notebooks.every() if "= attempt(" in path.read_text()]  # others still have solution cells


@pytest.mark.parametrize("path", ASKING, ids=lambda path: path.name)
def test_a_notebook_whose_lines_readers_write_keeps_to_the_sizes(path):
    found = sizes.size(notebooks.load(path).cells)
    assert {name: getattr(found, name) for name in sizes.LIMITS if getattr(found, name) > sizes.LIMITS[name]} == {}


def test_the_record_is_of_the_notebooks_there_are():
    assert set(RECORD) == {path.name for path in notebooks.every()}
    assert all(one["seconds"] > 0 and one["machine"] for one in RECORD.values())


PROSE = """# Two words

A well-known picture's $x_0 = \\alpha y$ has `code inside` and [a link](https://example.org/page), 3 times.

$$\\hat x_0
= 1$$

```python
x = "not prose"
```

<details><summary>Solution</summary>

Folded away.

</details>
"""


def hidden(source):
    return new_code_cell(source, metadata={"tags": ["solution"], "jupyter": {"source_hidden": True}})


def test_words_lines_and_turns_are_counted_by_hand_in_a_small_notebook():
    film = new_output("display_data", {"image/png": "", "text/plain": "film"})
    text = new_output("display_data", {"text/plain": "no picture"})
    cells = [
        new_markdown_cell(PROSE),  # Two words A well-known picture's has and a link 3 times
        new_code_cell("x = 1\n\n# a comment is read too\nf = attempt(check, f, otherwise=g)", outputs=[film, text]),
        hidden("a = 1"),
        hidden("b = 2"),  # the same solution
        new_markdown_cell("More."),
        hidden("c = 3"),
        new_code_cell("attempt = 1", outputs=[film]),
    ]
    assert sizes.size(cells) == sizes.Size(words=12, lines=4, cells=2, figures=2, turns=3)
    asked = [new_markdown_cell("## Five questions", id="quiz-head"), new_code_cell('quiz("07")', id="quiz")]
    assert sizes.size(cells + asked) == sizes.size(cells)  # two cells that every notebook has


def test_minutes_follow_the_formula_rounded_to_five():
    assert sizes.Size(words=1800, lines=100, cells=0, figures=0, turns=2).minutes == 40  # 10 + 20 + 10
    assert sizes.Size(words=1800, lines=112, cells=0, figures=0, turns=2).minutes == 40
    assert sizes.Size(words=1800, lines=113, cells=0, figures=0, turns=2).minutes == 45


@pytest.mark.parametrize("before, after", [("**Time:** ", " **You need** ice."), ("| **Time** | ", " |")])
def test_only_the_time_is_written_into_a_head(before, after):
    text = f"Warm-up.\n\n{before}half an hour; computing on\none CPU core{after}"
    text = text if after == " |" else text.replace("core", "core.")
    fresh = sizes.headed(text, 35, 12.4)
    assert fresh.startswith(f"Warm-up.\n\n{before}about 35 minutes with") and fresh.endswith(after)
    assert "10 seconds of computing on two CPU cores" in fresh and "half an hour" not in fresh
    assert sizes.headed(fresh, 35, 12.4) == fresh  # again, and nothing changes


def test_only_the_last_two_cells_of_one_row_are_written():
    name = notebooks.every()[3].name
    before = sizes.README.read_text()
    after = sizes.listed(before, name, 1, 999)
    changed = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    ((old, new),) = changed
    assert new == re.sub(r"\| \d+ min \| \d+ s \|$", "| 1 min | 1000 s |", old) and name in new


def test_measuring_runs_a_copy_and_records_the_machine(tmp_path, monkeypatch):
    path = tmp_path / "03_x.ipynb"
    path.write_bytes(b"as it was")
    record = tmp_path / "times.json"
    record.write_text('{"02_y.ipynb": {"seconds": 7, "machine": "old"}}')
    ran = []
    monkeypatch.setattr(sizes, "TIMES", record)
    monkeypatch.setattr(notebooks, "run", lambda copy: (ran.append(copy.read_bytes()), copy.write_bytes(b"fresh")))
    sizes.measure([path])
    assert ran == [b"as it was"] and path.read_bytes() == b"as it was"
    found = json.loads(record.read_text())
    assert found["02_y.ipynb"] == {"seconds": 7, "machine": "old"}
    assert 0 <= found["03_x.ipynb"]["seconds"] < 5 and "cores" in found["03_x.ipynb"]["machine"]
