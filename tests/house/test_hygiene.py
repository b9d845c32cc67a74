"""The hygiene of stored notebooks: the committed ones are clean, and every planted offence is named."""

import ast
import base64
import copy
import functools
import json
import re

import nbformat
import pytest
import turns
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from minidiff.course import notebooks
from minidiff.show import plots


@pytest.mark.parametrize("path", notebooks.every(), ids=lambda path: path.name)
def test_committed_notebook_is_clean(path):
    assert notebooks.problems(path) == []


def clean():
    """A small notebook without a fault."""
    picture = new_output("display_data", {"image/png": "0xabcdef12", "text/plain": "Figure"})
    outputs = [new_output("stream", name="stdout", text="ok\n"), picture]
    code = [new_code_cell("print('ok')", outputs=outputs, execution_count=1), new_code_cell("1 + 1", execution_count=2)]
    kernel = {"name": "python3", "display_name": "Python 3"}
    return new_notebook(cells=[new_markdown_cell("# Hello"), *code], metadata={"kernelspec": kernel})


def stored(notebook, path):
    nbformat.write(notebook, path)
    return notebooks.problems(path)


def test_a_clean_notebook_has_no_problems(tmp_path):
    assert stored(clean(), tmp_path / "n.ipynb") == []


def tag(*tags):
    return lambda n: n.cells[1].metadata.update(tags=list(tags))


def output(**data):
    shown = {key.replace("__", "/"): value for key, value in data.items()}
    return lambda n: n.cells[1].outputs.append(new_output("display_data", shown))


def source(text):
    return lambda n: n.cells[1].update(source=text)


OFFENCES = {
    "never run": lambda n: n.cells[2].update(execution_count=None),
    "ran as number 7, expected 2": lambda n: n.cells[2].update(execution_count=7),
    "is empty": source("  "),
    "semicolon": source("print('ok');"),
    "stderr": lambda n: n.cells[1].outputs.append(new_output("stream", name="stderr", text="warning")),
    "ended in an error": lambda n: n.cells[1].outputs.append(new_output("error", ename="E", evalue="", traceback=[])),
    "image/svg+xml": lambda n: n.cells[1].outputs.append(new_output("display_data", {"image/svg+xml": "<svg/>"})),
    "widget-view": output(**{"application/vnd.jupyter.widget-view+json": {}}),
    "memory address": output(text__plain="<object at 0x7f3a12b4c5d0>"),
    "prints a folder": output(text__plain="wrote /home/ada/x.png"),
    "names a folder": source("open('/home/ada/data.csv')"),
    "cell 0: names a folder": lambda n: n.cells[0].update(source="See `/Users/ada/notes.md`."),
    "cell 1: prints a folder": lambda n: n.cells[1].outputs.append(
        new_output("error", ename="E", evalue="", traceback=["File /home/ada/minidiff/checks.py:12"])
    ),
    "kernelspec": lambda n: n.metadata.kernelspec.update(name="my-env"),
    "widget state": lambda n: n.metadata.update(widgets={}),
    "larger than": lambda n: n.cells.append(new_markdown_cell("x" * 1_000_001)),
    "skipping": tag("nbval-skip"),
    "skipping is not allowed": source("# NBVAL_SKIP\nprint('ok')"),
    "skipping is not allowed; what": source("x = 1\n\n#  NBVAL_IGNORE_OUTPUT\nprint('ok')"),
    "cell 1: skipping is not": source("print('ok')\n    # PYTEST_VALIDATE_IGNORE_OUTPUT"),
    **{f"{word} cannot be compared": source(f"{word} ...") for word in notebooks.UNSTABLE},
}


@pytest.mark.parametrize("named", OFFENCES)
def test_every_planted_offence_is_named(named, tmp_path):
    notebook = clean()
    OFFENCES[named](notebook)
    found = stored(notebook, tmp_path / "n.ipynb")
    assert any(named in problem for problem in found), found


def test_cell_ids_must_differ(tmp_path):
    """Written as text, because nbformat mends it on the way."""
    notebook = clean()
    text = nbformat.writes(notebook).replace(notebook.cells[2].id, notebook.cells[1].id)
    (tmp_path / "n.ipynb").write_text(text)
    assert any("id of its own" in problem for problem in notebooks.problems(tmp_path / "n.ipynb"))


def test_at_most_two_cells_are_compared_by_nothing(tmp_path):
    notebook = clean()
    for k in range(3):
        cell = copy.deepcopy(notebook.cells[2]) | {"id": f"more-{k}", "execution_count": 3 + k}
        cell |= {"metadata": {"tags": ["nbval-ignore-output"]}, "source": "tqdm"}
        notebook.cells.append(nbformat.from_dict(cell))
        found = stored(notebook, tmp_path / "n.ipynb")
        assert any("more than two" in problem for problem in found) == (k == 2)


def places(node, path=()):
    """The path of every value in a tree of dicts and lists."""
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        yield (*path, key)
        yield from places(value, (*path, key))


@pytest.mark.parametrize("value", [None, 3, {}])
def test_no_misshapen_notebook_breaks_the_check(value, tmp_path):
    """Each value in turn becomes another, then goes missing: problems are named or there are none; nothing raises."""
    whole = json.loads(nbformat.writes(clean()))
    path = tmp_path / "n.ipynb"
    for *parents, last in places(whole):
        for missing in (False, True):
            broken = copy.deepcopy(whole)
            node = functools.reduce(lambda tree, key: tree[key], parents, broken)
            if missing:
                del node[last]
            else:
                node[last] = value
            path.write_text(json.dumps(broken))
            assert isinstance(notebooks.problems(path), list)


@pytest.mark.parametrize("content", ["", "{", '{"cells": 3}', "[]"])
def test_what_is_no_notebook_gets_one_sentence(content, tmp_path, capsys):
    path = tmp_path / "n.ipynb"
    path.write_text(content)
    assert len(notebooks.problems(path)) == 1
    assert notebooks.main_check([path]) == 1 and notebooks.main_run([path]) == 1
    assert path.read_text() == content
    assert "n.ipynb" in capsys.readouterr().err


CELLS = [
    "import os, time, minidiff\nprint(os.environ['OMP_NUM_THREADS'], os.environ['MINIDIFF_QUIET'], flush=True)\n"
    "time.sleep(0.5)\nprint(2)",
    "from minidiff.course import check\ncheck('one', 2, 1)",
    "1 / 1",
]


@pytest.mark.slow
def test_running_twice_gives_the_same_bytes_and_a_failure_changes_nothing(tmp_path, capsys, monkeypatch):
    """In a notebook that prints in its own time and fails on purpose, and where python3 is registered as a dead end."""
    stranger = tmp_path / "kernels" / "python3" / "kernel.json"
    stranger.parent.mkdir(parents=True)
    stranger.write_text('{"argv": ["false"], "display_name": "another Python", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    path = tmp_path / "n.ipynb"
    notebook = new_notebook(cells=[new_code_cell(text) for text in CELLS])
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, path)
    assert notebooks.main_run([path]) == 0
    first = path.read_bytes()
    printed, failed, _ = nbformat.reads(first.decode(), 4).cells
    assert [output.text for output in printed.outputs] == ["1 1\n2\n"]  # one piece, however it came
    assert failed.outputs[0].traceback == [f"AssertionError: {failed.outputs[0].evalue}"]  # no files of this machine
    assert notebooks.problems(path) == []
    assert notebooks.main_run([path]) == 0 and path.read_bytes() == first
    for bad, named in {"1 / 0": "ZeroDivisionError: division by zero", "import os; os._exit(3)": "Kernel died"}.items():
        path.write_bytes(broken := first.replace(b"1 / 1", bad.encode()))
        capsys.readouterr()
        assert notebooks.main_run([path]) == 1 and path.read_bytes() == broken
        err = capsys.readouterr().err
        assert f"n.ipynb: cell 2 failed ({named})" in err and err.count("\n") == 1


def given_away(cells: list) -> list[str]:
    """What gives an answer away, or asks for none: one sentence each.

    A cell that calls `attempt` is a stub: its stored output says what is to do, and its solution is folded in the
    markdown cell below. A notebook that has none has code cells tagged solution, which are hidden with what they print.
    """
    found, tagged = [], [cell for cell in cells if "solution" in cell.metadata.get("tags", [])]
    asking = [k for k, cell in enumerate(cells) if cell.cell_type == "code" and turns.attempts(cell.source)]
    for k in asking:
        said = "".join(output.get("text", "") for output in cells[k].outputs)
        found += [f"cell {k} is no stub"] * (not said.startswith("to do  "))
        below = cells[k + 1].source if k + 1 < len(cells) else ""
        found += [f"cell {k} has no folded solution below"] * (not turns.solution(below))
        found += [f"cell {k + 1} shows code in the open"] * (
            "```" in re.sub("<details>.*?</details>", "", below, flags=re.S)
        )
    found += ["nothing is asked"] * (not asking and not tagged) + ["two kinds of solutions"] * bool(asking and tagged)
    hidden = {"outputs_hidden": True, "source_hidden": True}
    return found + [f"open: {cell.source[:60]}" for cell in tagged if cell.metadata.get("jupyter") != hidden]


@pytest.mark.parametrize("path", notebooks.every(), ids=lambda path: path.name)
def test_solutions_are_folded_with_what_they_print(path):
    assert given_away(nbformat.read(path, 4).cells) == []


STUB = "f = attempt(check, f, otherwise=g)"
FOLDED = "<details><summary>Solution</summary>\n\n```python\nf = 1\n```\n\n</details>"


@pytest.mark.parametrize("said, below, named", [
    ("to do  f: write it.", FOLDED, ""),
    ("yours  f is right.", FOLDED, "is no stub"),
    ("to do  f: write it.", "Go on.", "no folded solution"),
    ("to do  f: write it.", FOLDED + "\n\n```python\nf = 1\n```", "in the open"),
])  # fmt: skip
def test_an_answer_that_is_given_away_is_named(said, below, named):
    cell = new_code_cell(STUB, outputs=[new_output("stream", name="stdout", text=said)])
    found = given_away([cell, new_markdown_cell(below)])
    assert (named in " ".join(found)) if named else found == []
    assert given_away([new_markdown_cell(below)]) == ["nothing is asked"]
    assert given_away([cell, new_markdown_cell(below), new_code_cell("1", metadata={"tags": ["solution"]})])


def nameless(cells: list) -> list[str]:
    """Each stored picture that says nothing to those who cannot see it."""
    found = []
    for k, cell in enumerate(cells):
        for output in cell.get("outputs", []):
            said = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            if "image/png" in output.get("data", {}) and (not said.strip() or said == "Figure: untitled"):
                found.append(f"cell {k}: a picture has no alternative text")
    return found


@pytest.mark.parametrize("path", notebooks.every(), ids=lambda path: path.name)
def test_every_picture_says_what_it_shows(path):
    assert nameless(nbformat.read(path, 4).cells) == []


@pytest.mark.parametrize("alt, count", [("Two moons", 0), (" ", 1), ("Figure: untitled", 1), (None, 1)])
def test_a_picture_that_says_nothing_is_named(alt, count):
    metadata = {} if alt is None else {"image/png": {"alt": alt}}
    picture = new_output("display_data", {"image/png": "", "text/plain": "a repr is none"}, metadata=metadata)
    assert len(nameless([new_markdown_cell("x"), new_code_cell("1", outputs=[picture])])) == count


@pytest.mark.slow
def test_exports_say_what_pictures_show(monkeypatch):
    """A stored picture by nbconvert's classic template, one that a reader's kernel has just drawn by the default, too."""
    import IPython.display
    from nbconvert import HTMLExporter

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda data, raw, metadata: shown.append((data, metadata)))
    for static in ("1", ""):
        monkeypatch.setenv("MINIDIFF_STATIC", static)
        plots.show(plots.panels(width=1, height=1)[0], "up & away")
    coded = [data | {"image/png": base64.b64encode(data["image/png"]).decode()} for data, _ in shown]
    stored, live = (
        new_output("display_data", data, metadata=meta) for data, (_, meta) in zip(coded, shown, strict=True)
    )
    for output, template in ((stored, "classic"), (live, "lab")):
        page, _ = HTMLExporter(template_name=template).from_notebook_node(
            new_notebook(cells=[new_code_cell("1", outputs=[output])])
        )
        assert re.findall(r'<img[^>]*\salt="([^"]*)"', page) == ["up &amp; away"]


LETTERS = {"text", "annotate", "set_title", "set_xlabel", "set_ylabel", "suptitle", "figtext"}
FAINT = {"NOISE", "MODEL", "HIGHLIGHT"}  # enough contrast with white for lines, 3 to 1, not for letters, 4.5 to 1


def faint(source: str) -> list[str]:
    """The calls that write letters in a colour too light for them."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    written = [node for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr in LETTERS]
    given = [(node, key.value) for node in written for key in node.keywords if key.arg in ("color", "c")]
    return [ast.unparse(node) for node, value in given if FAINT & set(re.findall(r"\w+", ast.unparse(value)))]


@pytest.mark.parametrize("path", notebooks.every(), ids=lambda path: path.name)
def test_letters_are_dark_enough(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [call for cell in cells for call in faint(cell.source)] == []


def test_faint_letters_are_named():
    assert faint("ax.text(0, 1, 'a', color=plots.NOISE)") and faint("ax.set_title('a', c=MODEL)")
    assert not faint("ax.text(0, 1, 'a', color=plots.DATA)\nax.plot([1], color=NOISE)\nax.annotate('a', (0, 1))")
