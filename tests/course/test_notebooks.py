"""Running notebooks: what shows too much, what is stopped, and whose modules are run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from minidiff.course import lab, notebooks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path):
    """Writes a notebook with these cells; returns its path."""

    def write(*cells):
        nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path := tmp_path / "n.ipynb")
        return path

    return write


# ---- what a cell shows


def message(kind, **content):
    return {"msg_type": kind, "header": {"msg_type": kind}, "parent_header": {"msg_id": "one"}, "content": content}


def told():
    """A client and the reply that it waits for, at work on a cell."""
    client = notebooks.Client(new_notebook())
    client.clear_before_next_output, client.task_poll_for_reply = False, Reply()
    return client, client.task_poll_for_reply


class Reply:
    cancelled = 0

    def cancel(self):
        self.cancelled += 1


def shown(*messages):
    """A client that has been told these messages of cell 3, and how often it ended the kernel."""
    (client, reply), cell = told(), []
    for one in messages:
        client.output(cell, one, None, 3)
    return client.over, reply.cancelled


def stream(text):
    return message("stream", name="stdout", text=text)


LETTERS = message("display_data", data={"application/json": {"a": ["x" * 50, {"b": "x" * 51}]}}, metadata={})


@pytest.mark.parametrize("messages", [
    [stream("x" * 95)],  # and the name of the stream
    [stream("x" * 10)] * 7,
    [stream("x" * 44), message("error", ename="E", evalue="", traceback=["x" * 25, "x" * 25])],
    [message("execute_result", data={"text/plain": "x" * 101}, metadata={}, execution_count=1)],
    [LETTERS],
    [stream("x" * 101), stream("x" * 101)],
])  # fmt: skip
def test_a_cell_that_shows_too_much_ends_the_kernel(messages, monkeypatch):
    monkeypatch.setattr(notebooks, "MOST", 100)
    assert shown(*messages) == (3, 1)


def test_a_cell_may_show_as_much_as_that_and_what_it_clears_does_not_count(monkeypatch):
    monkeypatch.setattr(notebooks, "MOST", 100)
    assert shown(*[stream("x" * 14)] * 5) == (None, 0)
    (client, _), cell = told(), []
    for _ in range(50):
        client.clear_output(cell, message("clear_output", wait=True), 0)
        client.output(cell, stream("x" * 60), None, 0)
    assert len(cell) == 1 and client.over is None


@pytest.mark.slow
def test_a_cell_that_never_ends_to_print_is_ended_and_nothing_is_written(store, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "MOST", 200)
    before = (path := store("1", "while True:\n    print('x' * 100)")).read_bytes()
    assert notebooks.main_run([path]) == 1 and path.read_bytes() == before
    err = capsys.readouterr().err
    assert err == f"{path}: cell 1 shows more than 200 characters: show less; the file is as it was\n"


def joined(*pieces):
    outputs = [
        new_output("stream", name="stdout" if name == "out" else "stderr", text=text)
        if name in ("out", "err")
        else new_output("display_data", {"text/plain": text})
        for name, text in pieces
    ]
    found = notebooks._joined(outputs)
    return [(it["name"][3:], it["text"]) if "name" in it else ("show", it["data"]["text/plain"]) for it in found]


@pytest.mark.parametrize("pieces, want", [
    ([], []),
    ([("out", "a\n"), ("out", "b"), ("out", "c\n")], [("out", "a\nbc\n")]),
    ([("out", "a"), ("show", "s"), ("out", "b"), ("err", "e")], [("out", "ab"), ("show", "s"), ("err", "e")]),
    ([("err", "e"), ("out", "a"), ("err", "f"), ("out", "b")], [("out", "ab"), ("err", "ef")]),
    ([("err", "e"), ("show", "s"), ("out", "a")], [("err", "e"), ("show", "s"), ("out", "a")]),
    ([("out", "kept\n10 %\r5"), ("out", "0 %\r100 %\nand\r\n")], [("out", "kept\n100 %\nand\r\n")]),
    ([("out", "ends\r")], [("out", "ends\r")]),
])  # fmt: skip
def test_each_stream_is_stored_in_one_piece(pieces, want):
    assert joined(*pieces) == want


def test_a_line_of_a_million_letters_is_stored_at_once():
    """nbclient's own pattern would take a quarter of an hour."""
    begun = time.perf_counter()
    assert joined(*[("out", "x" * 1000)] * 1000) == [("out", "x" * 1_000_000)]
    assert time.perf_counter() - begun < 1


# ---- being stopped


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are sent another way on Windows")
@pytest.mark.parametrize("number, said", [(signal.SIGINT, "minidiff notebooks: stopped\n"), (signal.SIGTERM, "")])
def test_a_cell_at_work_is_stopped_with_its_kernel(number, said, store, tmp_path):
    """Pressed twice, as people do: the second time must not keep the kernel alive."""
    cell = "import os, time\nopen('now', 'w').write(str(os.getpid()))\nos.rename('now', 'pid')\ntime.sleep(100)"
    before = (path := store("1", cell)).read_bytes()
    child = subprocess.Popen([sys.executable, "-m", "minidiff", "notebooks", "run", str(path)], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    for _ in range(2):
        child.send_signal(number)
        time.sleep(0.1)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (128 + number, "", said)
    assert path.read_bytes() == before and sorted(file.name for file in tmp_path.iterdir()) == ["n.ipynb", "pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


# ---- whose modules are run


STRANGERS = ("ipykernel_launcher", "ipykernel", "jupyterlab", "runpy", "traitlets", "torch")


@pytest.fixture
def strangers(tmp_path, monkeypatch):
    """The current folder, with modules of the names of those that are meant."""
    (here := tmp_path / "here").mkdir()
    for name in STRANGERS:
        (here / f"{name}.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(here)
    return here


@pytest.mark.slow
@pytest.mark.parametrize("module", ["ipykernel.kernelapp", "jupyterlab.labapp"])
def test_no_module_of_the_current_folder_is_run(module, strangers):
    command = [*lab.calling("importlib", "import_module"), module]
    command[2] = command[2].replace("start()", "start(sys.argv[1]) and 0")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_notebook_sees_its_own_folder_and_no_module_of_the_current_one(store, tmp_path, strangers):
    for name in ("ipykernel_launcher", "ipykernel"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger beside the notebook')")
    (tmp_path / "beside.py").write_text("words = 'as in any notebook'")
    path = store("import torch, beside\nprint(torch.__name__, beside.words)")
    assert notebooks.main_run([path]) == 0
    assert nbformat.read(path, 4).cells[0].outputs[0].text == "torch as in any notebook\n"
