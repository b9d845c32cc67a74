"""The grader: notebooks as students hand them in, hostile ones too, and a class by one command."""

import copy
import csv
import json
import os
import socket
import sys
import tempfile

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell

import minidiff
from minidiff import __main__ as cli
from minidiff.course.grading import grade as grading
from minidiff.course.grading import report, sandbox
from minidiff.course.grading.release import about, is_test, main_release, released, sources, visible
from minidiff.course.grading.wire import LONGEST, Broken, Missing, Raised, Remote, Wire
from minidiff.course.notebooks import NotebookError

TOY = """
# %% setup begin
import torch
SEED = 0
def near(a, b): return abs(a - b) < 1e-6
# %% solution double
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
# %% test double-test 3
assert near(double(1.0), 2), "twice 1 is 2."
### BEGIN HIDDEN TESTS
assert near(double(float(SEED)), 2 * SEED), "it is right for 1 only."
### END HIDDEN TESTS
# %% solution triple
def triple(x):
    ### BEGIN SOLUTION
    return 3 * x
    ### END SOLUTION
# %% test triple-test 1
x = torch.arange(3.0)
assert torch.equal(triple(x), 3 * x), "thrice."
SCORE = float(triple(x).sum())
"""


def toy_source():
    notebook = nbformat.v4.new_notebook()
    for part in TOY.split("# %% ")[1:]:
        head, _, code = part.partition("\n")
        kind, key, *points = head.split()
        cell = new_code_cell(code.strip(), id=key)
        cell.metadata["nbgrader"] = dict(
            schema_version=3, grade_id=key, grade=kind == "test", solution=kind == "solution",
            locked=kind != "solution", task=False, **({"points": int(points[0])} if points else {}),
        )  # fmt: skip
        if kind == "test":
            cell.metadata["minidiff"] = {"look": "notebook 99"}
        notebook.cells.append(cell)
    return notebook


@pytest.fixture
def toy(tmp_path):
    """A folder of assignments that holds one, toy, and a function that writes a student's notebook."""
    where = tmp_path / "assignments"
    (where / "source" / "toy").mkdir(parents=True)
    (where / "source" / "toy" / "toy.ipynb").write_text(nbformat.writes(toy_source()))
    (tmp_path / "handed in").mkdir()

    def hand_in(change=lambda cells: None, name="mine", start=None):
        notebook = toy_source() if start is None else start
        for cell in notebook.cells:
            cell.source = visible(cell.source) if is_test(cell) else cell.source
        change(notebook.cells)
        path = tmp_path / "handed in" / f"{name}.ipynb"
        path.write_text(nbformat.writes(notebook))
        return path

    return where, hand_in


def result(toy, change=lambda cells: None, **limits):
    where, hand_in = toy
    return grading.grade(hand_in(change), where, grading.Limits(seed=5, **limits))


def points(found):
    return [one.points for one in found.questions]


def inserted(code, place=1):
    return lambda cells: cells.insert(place, new_code_cell(code))


def set_source(k, source):
    def change(cells):
        cells[k].source = source

    return change


@pytest.mark.slow
def test_a_right_notebook_earns_all(toy):
    found = result(toy)
    assert (found.assignment, points(found), found.of, found.notes, found.seed) == ("toy", [3, 1], 4, [], 5)
    assert [one.said for one in found.questions] == ["", ""] and found.questions[1].score == 9.0 and not found.visible


@pytest.mark.slow
@pytest.mark.parametrize("change, earned, said", [
    (set_source(1, "def double(x): return 2.0"), [0, 1], "the visible checks pass, but it is right for 1 only."),
    (set_source(1, "def double(x): return x"), [0, 1], "twice 1 is 2."),
    (set_source(1, "def double(x):\n    raise NotImplementedError()"), [0, 1], "still to be written."),
    (set_source(1, "pass"), [0, 1], "still to be written: double is nowhere defined."),
    (set_source(1, "def double(x):\n    y = x\n    return y.nothing"), [0, 1],
     "it raised AttributeError ('float' object has no attribute 'nothing', line 3 of double)."),
    (set_source(1, "def double(x): return 'two'"), [0, 1], "its answer cannot be used: TypeError"),
    (set_source(1, "def double(x):\n    while True: pass"), [0, 1], "it runs longer than 3 s: does a loop never end?"),
    (set_source(1, "import os\ndef double(x): os._exit(0)"), [0, 1], "it ends the process"),
])  # fmt: skip
def test_one_wrong_answer_costs_its_own_points(toy, change, earned, said):
    found = result(toy, change, question=3.0)
    assert points(found) == earned and found.questions[0].said.startswith(said)
    assert found.questions[1].said == ""


def duplicated(cells):
    again = copy.deepcopy(cells[1])
    again.id, again.source = "again", "def double(x): return x"
    cells.insert(2, again)


def retyped(cells):
    cells[1] = new_markdown_cell(cells[1].source, metadata=cells[1].metadata)


def split(cells):
    cells[1].source = "def helper(x): return x"
    cells.insert(2, new_code_cell("def double(x): return helper(x) + x"))


def unnamed(cells):
    for k, cell in enumerate(cells):
        cell.metadata, cell.id = nbformat.NotebookNode(), f"other{k}"


@pytest.mark.slow
@pytest.mark.parametrize("change, earned, note", [
    (duplicated, [0, 1], "two cells are double, copied or split: both run, and what is defined last counts"),
    (lambda cells: cells.reverse(), [3, 1], "cells were moved: yours run in your order, after the locked ones"),
    (retyped, [3, 1], "double was turned into markdown: it is read as code"),
    (split, [3, 1], "two cells are double, copied or split"),
    (unnamed, [3, 1], None),
    (lambda cells: cells.pop(1), [0, 1], "double is missing"),
    (lambda cells: cells.pop(2), [3, 1], "double-test is missing: the assignment's own is used"),
    (lambda cells: cells.pop(0), [3, 1], "begin is missing: the assignment's own is used"),
    (set_source(2, "assert True"), [3, 1], "double-test is locked and was changed: the assignment's own is used"),
    (set_source(0, "def near(a, b): return True"), [3, 1], "begin is locked and was changed: the assignment's own is used"),
    (inserted("1 / 0"), [3, 1], "cell 2 raised ZeroDivisionError (division by zero, line 1)"),
    (inserted("def ("), [3, 1], "cell 2 raised SyntaxError"),
    (inserted("!pip install something\n%matplotlib inline\nx = 1"), [3, 1], ""),
    (inserted("import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\nopen('mine.txt', 'w').write('x')"), [3, 1], ""),
])  # fmt: skip
def test_cells_that_were_copied_moved_retyped_split_or_lost_are_told(toy, change, earned, note):
    found = result(toy, change)
    assert points(found) == earned
    if note is not None:
        assert (len(found.notes) == 1 and found.notes[0].startswith(note)) if note else not found.notes


VICTIM = "/usr/share/minidiff-no-such-file"
NO_POINTS = "so it gets no points until somebody has looked"


@pytest.mark.slow
@pytest.mark.parametrize("code, what", [
    ("import os\nfor _ in range(6): os.fork()", "start another program"),
    ("import subprocess\nsubprocess.run(['true'])", "start another program"),
    ("import os\nos.system('true')", "start another program"),
    (f"import os\nos.remove({VICTIM!r})", "change files outside of its folder"),
    (f"import shutil\nshutil.rmtree({VICTIM!r})", "change files outside of its folder"),
    (f"import os\nos.rename('.', {VICTIM!r})", "change files outside of its folder"),
    (f"open({VICTIM!r}, 'w')", "change files outside of its folder"),
    (f"try:\n    open({VICTIM!r}, 'w')\nexcept Exception:\n    pass", "change files outside of its folder"),
    ("import pathlib\nprint([open(p) for p in pathlib.Path('/tmp').glob('*') if p.is_file()])", "read files outside of its folder"),
    ("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:1/')", "use the network"),
    ("import socket\nsocket.create_connection(('127.0.0.1', 1))", "use the network"),
    ("import ctypes\nctypes.CDLL(None).abort()", "reach below Python"),
    ("import os\nos.kill(os.getppid(), 9)", "reach below Python"),
    ("import minidiff, pathlib\nroot = pathlib.Path(minidiff.__file__).parents[1]\n"
     "print((root / 'notebooks' / 'assignments' / 'source' / 'ps1' / 'ps1.ipynb').read_text())", "read the tests"),
])  # fmt: skip
def test_what_no_answer_needs_is_refused_told_and_earns_nothing(toy, code, what):
    with tempfile.NamedTemporaryFile():  # somebody else's
        found = result(toy, inserted(code))
    assert found.notes[-1].startswith(f"it tries to {what}") and found.notes[-1].endswith(NO_POINTS)
    assert points(found) == [0, 0] and all(one.said for one in found.questions)


@pytest.mark.slow
@pytest.mark.parametrize("code, note", [
    ("while True: pass", "cell 2 was left out: it runs longer than 3 s"),
    ("import ipywidgets\nbox = ipywidgets.Text()\nwhile not box.value: pass", "cell 2 was left out: it runs longer than 3 s"),
    ("input('name?')", "cell 2 raised"),
    ("import os\nos._exit(0)", "cell 2 was left out: it ends the process"),
    ("raise SystemExit(0)", "cell 2 raised SystemExit"),
    ("x = torch.ones(20_000_000_000 // 4)", "cell 2 raised RuntimeError"),
    ("while True: print('x' * 1_000_000)", "cell 2 raised OSError (it wrote more than 100 MB"),
    ("def f(): return f()\nf()", "cell 2 raised RecursionError"),
])  # fmt: skip
def test_a_cell_that_never_ends_or_ends_the_process_is_left_out_and_the_rest_is_graded(toy, code, note):
    found = result(toy, inserted(code), question=3.0)
    assert len(found.notes) == 1 and found.notes[0].startswith(note)
    assert points(found) == [3, 1]


@pytest.mark.slow
@pytest.mark.skipif(not sandbox._allowed(), reason="this system lets no user make namespaces")
def test_what_no_hook_sees_finds_no_test_and_changes_nothing(toy, tmp_path):
    (victim := tmp_path / "victim").write_bytes(b"as it was")
    where, _ = toy
    code = f"""import os
seen = torch.from_file({str(victim)!r}, shared=False, size=9, dtype=torch.uint8)
try:
    torch.from_file({str(victim)!r}, shared=True, size=9, dtype=torch.uint8).zero_()
except RuntimeError:
    print("refused")
def double(x): return 2 * x if not os.listdir({str(where)!r}) else 0 * x
"""
    assert points(result(toy, inserted(code, 2))) == [3, 1]
    assert victim.read_bytes() == b"as it was"


CHEAT = """import builtins, sys, torch, minidiff.course.exercises as checks
checks.refuse_slips = checks.refuse_moments = lambda *given, **named: None
torch.equal = torch.allclose = lambda *given: True
builtins.abs = lambda x: 0
class Same(float):
    __eq__ = __lt__ = __le__ = lambda self, other: True
    __sub__ = __rsub__ = lambda self, other: self
double = triple = lambda x: Same(0)
__builtins__['AssertionError'] = Exception if isinstance(__builtins__, dict) else None
"""


@pytest.mark.slow
def test_whatever_a_notebook_does_to_checks_changes_nothing(toy):
    found = result(toy, inserted(CHEAT, 5))
    assert points(found) == [0, 0] and found.questions[0].said == "twice 1 is 2."


@pytest.mark.slow
def test_the_whole_notebook_has_its_time(toy):
    found = result(toy, inserted("import time\ntime.sleep(30)"), seconds=3.0)
    assert points(found) == [0, 0] and found.seconds < 20


def test_a_notebook_of_no_assignment_is_told(toy):
    where, hand_in = toy
    other = hand_in(start=nbformat.v4.new_notebook(cells=[new_code_cell("x = 1")]))
    with pytest.raises(NotebookError, match="belongs to none of the assignments toy: it shares no cell with them"):
        grading.grade(other, where)
    other.write_text("{")
    with pytest.raises(NotebookError, match="cannot be read as a notebook"):
        grading.grade(other, where)


@pytest.mark.slow
def test_a_class_is_graded_by_one_command_which_goes_on_where_it_was(toy, tmp_path, capsys, monkeypatch):
    where, hand_in = toy
    (
        hand_in(name="ada"),
        hand_in(set_source(1, "def double(x): return x"), name="=bob"),
        hand_in(name="eve").write_text("{"),
    )
    arguments = ["grade", str(tmp_path / "handed in"), "--assignments", str(where), "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 1
    said = capsys.readouterr().out
    assert "toy, ada.ipynb: 4 of 4 points" in said and "eve.ipynb" in said and "see notebook 99" in said
    rows = list(csv.DictReader((tmp_path / "out" / "grades.csv").read_text().splitlines()))
    assert [(row["name"], float(row["points"])) for row in rows] == [("'=bob", 1.0), ("ada", 4.0), ("eve", 0.0)]
    board = list(csv.DictReader((tmp_path / "out" / "leaderboard.csv").read_text().splitlines()))
    assert [(row["name"], row["score"]) for row in board] == [("'=bob", "9.0"), ("ada", "9.0")]
    stored = json.loads((tmp_path / "out" / "ada.json").read_text())
    assert stored["points"] == 4 and (tmp_path / "out" / "=bob.txt").read_text().count("twice 1 is 2.") == 1
    hand_in(name="=bob")
    graded = []
    real = report.grade
    monkeypatch.setattr(
        report, "grade", lambda path, *rest, **named: graded.append(path.stem) or real(path, *rest, **named)
    )
    assert cli.main(arguments) == 1
    assert graded == ["=bob", "eve"]  # what has changed, and what could not be read


@pytest.mark.slow
def test_the_command_says_pass_or_fail_by_its_status(toy, capsys):
    where, hand_in = toy
    assert cli.main(["grade", str(hand_in()), "--assignments", str(where), "--json", "--seed", "7"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["points"], found["of"], found["seed"]) == (4, 4, 7)
    wrong = hand_in(set_source(1, "def double(x): return 2.0"))
    assert cli.main(["grade", str(wrong), "--assignments", str(where), "--visible"]) == 0
    said = capsys.readouterr().out
    assert "visible checks passed: 2 of 2 (others are run when it is handed in)" in said and "all" not in said
    assert cli.main(["grade", str(wrong), "--assignments", str(where)]) == 1


def test_what_cannot_be_graded_is_one_sentence(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert cli.main(["grade", str(tmp_path / "empty")]) == 1
    assert "no notebook was found" in capsys.readouterr().err
    assert cli.main(["grade", str(tmp_path / "x.ipynb")]) == 1
    assert "x.ipynb: there is no such file or folder" in capsys.readouterr().err
    assert cli.main(["grade", str(tmp_path), "--assignments", str(tmp_path)]) == 1
    assert "holds no assignment" in capsys.readouterr().err


def test_a_release_holds_no_answer(toy, capsys):
    where, _ = toy
    assert main_release(where) == 0 and capsys.readouterr().out == "wrote release/toy/toy.ipynb\n"
    stored = nbformat.read(where / "release" / "toy" / "toy.ipynb", 4)
    assert stored == released(toy_source())
    assert stored.cells[1].source == "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert stored.cells[2].source == 'assert near(double(1.0), 2), "twice 1 is 2."'
    assert sources(where)["toy"].parts[-3] == "source"
    (where / "source").rename(where / "away")
    assert sources(where / "release" / "..")["toy"].parts[-3] == "release"
    assert about(stored.cells[0])["grade_id"] == "begin"


# the wire


@pytest.fixture
def pair():
    """Two ends of a wire; the second answers in this process when the first has sent."""
    (a, b), (c, d) = os.pipe(), os.pipe()
    names = {"twice": lambda x: 2 * x, "seven": 7, "fail": lambda: 1 / 0, "on": lambda f, x: f(x) + 1}
    names["flip"] = lambda g: torch.randn(2, generator=g)
    told = lambda error: {"raised": type(error).__name__, "said": str(error)}
    mine, theirs = Wire(c, b, {}.__getitem__, told), Wire(a, d, names.__getitem__, told)
    send = mine.send
    mine.send = lambda message: (send(message), theirs.answer(theirs.receive()) if "call" in message else None)
    yield mine, theirs
    for end in (a, b, c, d):
        os.close(end)


VALUES = [
    None, True, 3, 2.5, "text", float("inf"), [1, [2]], (1, (2.0, "x")), {"a": 1, 2: (3,)}, torch.float64,
    torch.arange(6.0).reshape(2, 3), torch.tensor(True), torch.zeros(0, 2, dtype=torch.int64),
    torch.tensor([1.5, -2.0], dtype=torch.float16), minidiff.cosine, minidiff.Prediction(torch.ones(2), torch.zeros(2)),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=[f"value{k}" for k in range(len(VALUES))])
def test_values_cross_as_they_are(pair, value):
    mine, theirs = pair
    got = theirs.unpack(json.loads(json.dumps(mine.pack(value))))
    assert type(got) is type(value)
    if isinstance(value, torch.Tensor):
        torch.testing.assert_close(got, value, rtol=0, atol=0)
    elif isinstance(value, minidiff.Prediction):
        assert all(torch.equal(a, b) for a, b in zip(got, value, strict=True))
    else:
        assert got == value


def test_calls_cross_and_what_is_no_value_stays_and_is_called(pair):
    mine, _ = pair
    assert mine.call("twice", 4) == 8 and mine.fetch("seven") == 7
    twice = mine.fetch("twice")
    assert isinstance(twice, Remote) and torch.equal(twice(torch.ones(2)), 2 * torch.ones(2))
    generator = torch.Generator().manual_seed(3)
    assert torch.equal(mine.call("flip", generator), torch.randn(2, generator=torch.Generator().manual_seed(3)))
    with pytest.raises(Raised, match="ZeroDivisionError"):
        mine.call("fail")
    with pytest.raises(Missing):
        mine.fetch("nothing")


SENT = [
    b"no json\n", b'{"value": {"tensor": "float32", "shape": [9], "bytes": "AAAA"}}\n', b'{"value": {"evil": 1}}\n',
    b'{"value": {"public": "os"}}\n', b'{"value": {"tensor": "object", "shape": [1], "bytes": ""}}\n', b'{"value": {}}\n',
    b"[" * 100_000 + b"\n",
]  # fmt: skip


@pytest.mark.parametrize("sent", SENT, ids=[f"sent{k}" for k in range(len(SENT))])
def test_what_is_no_message_or_value_ends_the_talk(sent):
    (a, b), (c, d) = socket.socketpair(), os.pipe()
    wire = Wire(a.fileno(), d, {}.__getitem__, lambda error: {})
    b.sendall(sent)
    with pytest.raises(Broken, match="sends what is no"):
        wire.fetch("x")
    b.close()
    with pytest.raises(Broken, match="has ended"):
        wire.receive()
    a.close(), os.close(c), os.close(d)


def test_who_is_too_slow_or_says_too_much_is_left(monkeypatch):
    a, b = socket.socketpair()
    wire = Wire(a.fileno(), b.fileno(), {}.__getitem__, lambda error: {})
    wire.until = 0.0
    with pytest.raises(Broken, match="takes too long"):
        wire.receive()
    assert LONGEST >= 10_000_000
    monkeypatch.setattr("minidiff.course.grading.wire.LONGEST", 100)
    wire.until = float("inf")
    b.sendall(b"x" * 200)
    with pytest.raises(Broken, match="returns too much"):
        wire.receive()
    a.close(), b.close()


def test_the_guard_knows_its_folders(tmp_path):
    outside, tmp_path = tmp_path / "other", tmp_path / "own"
    outside.write_text("x")
    guard = sandbox.Guard(tmp_path, [], [str(tmp_path / "secret")])
    guard._hook("open", (str(tmp_path / "mine"), "w", 0))
    guard._hook("open", (os.__file__, "r", os.O_RDONLY))
    guard._hook("open", (7, "w", 0))
    guard._hook("open", (os.devnull, "w", 0))
    guard._hook("open", ("/no/such/file", "r", 0))
    for event, given, said in (
        ("open", (str(tmp_path / "secret" / "x"), "r", 0), "read the tests"),
        ("open", (os.__file__, None, os.O_RDWR), "change files"),
        ("open", (os.__file__, "r+", 0), "change files"),
        ("os.rename", (str(tmp_path / "a"), sys.prefix), "change files"),
        ("os.remove", (str(tmp_path) + "x",), "change files"),
        ("open", (str(outside), "r", 0), "read files outside"),
        ("socket.connect", (), "use the network"),
    ):
        with pytest.raises(PermissionError, match=said):
            guard._hook(event, given)
    assert len(guard.refused) == 7
