"""The hygiene of stored notebooks: the committed ones are clean, and every planted offence is named."""

import copy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from minidiff import notebooks


@pytest.mark.parametrize("path", notebooks.every(), ids=lambda path: path.name)
def test_committed_notebook_is_clean(path):
    assert notebooks.problems(path) == []


def clean():
    """A small notebook without a fault."""
    outputs = [new_output("stream", name="stdout", text="ok\n"), new_output("display_data", {"image/png": "0xabcdef12", "text/plain": "Figure"})]
    cells = [new_markdown_cell("# Hello"), new_code_cell("print('ok')", outputs=outputs, execution_count=1), new_code_cell("1 + 1", execution_count=2)]
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def stored(notebook, path):
    nbformat.write(notebook, path)
    return notebooks.problems(path)


def test_a_clean_notebook_has_no_problems(tmp_path):
    assert stored(clean(), tmp_path / "n.ipynb") == []


def tag(*tags):
    return lambda n: n.cells[1].metadata.update(tags=list(tags))


def output(**data):
    return lambda n: n.cells[1].outputs.append(new_output("display_data", {key.replace("_", "/"): value for key, value in data.items()}))


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
    "widget-view": lambda n: n.cells[1].outputs.append(new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})),
    "memory address": output(text_plain="<object at 0x7f3a12b4c5d0>"),
    "prints a folder": output(text_plain="wrote /home/ada/x.png"),
    "names a folder": source("open('/home/ada/data.csv')"),
    "kernelspec": lambda n: n.metadata.kernelspec.update(name="my-env"),
    "widget state": lambda n: n.metadata.update(widgets={}),
    "larger than": lambda n: n.cells.append(new_markdown_cell("x" * 1_000_001)),
    "skipping": tag("nbval-skip"),
    "skipping is not allowed": source("# NBVAL_SKIP\nprint('ok')"),
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
        notebook.cells.append(nbformat.from_dict(cell | {"metadata": {"tags": ["nbval-ignore-output"]}, "source": "tqdm"}))
        found = stored(notebook, tmp_path / "n.ipynb")
        assert any("more than two" in problem for problem in found) == (k == 2)


@pytest.mark.parametrize("content", ["", "{", '{"cells": 3}', "[]"])
def test_what_is_no_notebook_gets_one_sentence(content, tmp_path, capsys):
    path = tmp_path / "n.ipynb"
    path.write_text(content)
    assert len(notebooks.problems(path)) == 1
    assert notebooks.main_check([path]) == 1 and notebooks.main_run([path]) == 1
    assert path.read_text() == content
    assert "n.ipynb" in capsys.readouterr().err


def test_running_twice_gives_the_same_bytes_and_a_failure_changes_nothing(tmp_path, capsys):
    path = tmp_path / "n.ipynb"
    cells = [new_code_cell("import os, minidiff\nprint(os.environ['OMP_NUM_THREADS'], os.environ['MINIDIFF_QUIET'])"), new_code_cell("1 / 1")]
    nbformat.write(new_notebook(cells=cells), path)
    assert notebooks.main_run([path]) == 0
    first = path.read_bytes()
    assert nbformat.reads(first.decode(), 4).cells[0].outputs[0].text == "1 1\n"
    assert notebooks.problems(path) == []
    assert notebooks.main_run([path]) == 0 and path.read_bytes() == first
    path.write_bytes(broken := first.replace(b"1 / 1", b"1 / 0"))
    assert notebooks.main_run([path]) == 1 and path.read_bytes() == broken
    err = capsys.readouterr().err
    assert "cell 1 failed (ZeroDivisionError: division by zero)" in err and err.count("\n") == 1
