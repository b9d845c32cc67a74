"""A reader's line is asked for, judged and used; and what runs behind the scenes turns a notebook red."""

import functools
import inspect
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
import turns
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbval.kernel import RunningKernel

from minidiff.course import attempt, check
from minidiff.course.exercises import refuse_slips

ROOT = Path(__file__).parents[2]


def doubles(double):
    """write twice x."""
    check("twice one", double(1.0), 2.0)
    assert double(torch.ones(2)).shape == (2,), "an array stays an array: multiply, and do not add up."
    assert double(0.0) == 0, "nothing doubled is nothing: look at the sign."


def ours(x):
    return x + x


def stub(x):
    twice = ...
    return twice


def named(x):
    return 2 * x[..., :] if torch.is_tensor(x) else 2 * x  # a right one that holds dots


def shapeless(x):
    return float(torch.as_tensor(x).sum() * 2)


def careless(x):
    y = x * 2
    return y.no_such_thing


class Stub:
    """A class whose method is to be written, and may hold dots as an index."""

    def __init__(self, x):
        self.x = x

    def __float__(self):
        return ...


class Careless(Stub):
    def __init__(self, x):
        super().__init__(x)
        self.x = x * 2
        self.x.no_such_thing()


class Twice(float):
    def __new__(cls, x):
        return 2 * x[..., :] if torch.is_tensor(x) else 2 * x


@pytest.mark.parametrize("mine, told", [
    (Stub, "to do  Stub: write twice x. Until"),
    (Careless, "not yet  Careless: it raised AttributeError in line 4 of __init__ ('float' object has no attribute"),
    (stub, "to do  stub: write twice x. Until then the notebook goes on with minidiff's own.\n"),
    (lambda x: ..., "to do  <lambda>: write twice x. Until"),
    (lambda x: x, "not yet  <lambda>: twice one: this run gave 1, wanted 2 (allowed difference 0.002). Until"),
    (shapeless, "not yet  shapeless: it raised AttributeError ('float' object has no attribute 'shape'). Until"),
    (careless, "not yet  careless: it raised AttributeError in its line 3 ('float' object has no attribute"),
    (lambda x: 2 * x if torch.is_tensor(x) or x else 1.0, "not yet  <lambda>: nothing doubled is nothing: look at"),
])  # fmt: skip
def test_what_is_not_right_is_told_and_not_used(mine, told, capsys):
    assert attempt(doubles, mine, otherwise=ours) is ours
    said = capsys.readouterr().out
    assert said.startswith(told) and said.count("\n") == 1


@pytest.mark.parametrize("mine", [named, lambda x: x * 2, ours, Twice])
def test_what_is_right_is_used_however_it_is_written(mine, capsys):
    assert attempt(doubles, mine, otherwise=stub) is mine
    assert capsys.readouterr().out == f"yours  {mine.__name__} is right, and the notebook goes on with it.\n"


def test_what_is_no_check_is_refused():
    with pytest.raises(TypeError, match="check must be a function of 1 argument"):
        attempt(lambda: None, ours, otherwise=ours)


TWO = torch.tensor([2.0, 4.0])
SLIPS = {"the sign is turned.": -TWO, "the scale is missing.": TWO / 2}


@pytest.mark.parametrize("got, told", [
    (TWO + 1e-7, ""),
    (TWO.double() * 1.0005, ""),
    (TWO * 1.002, "double it."),
    (-TWO, "the sign is turned."),
    (TWO / 2, "the scale is missing."),
    (TWO + torch.nan, "it is not finite: where is 0 / 0, or the logarithm of 0 or less? double it."),
    (TWO.flip(0), "these are the right numbers in another order: double it."),
    (2 * TWO, "it is twice as large as it should be: double it."),
    (100 * TWO, "it is a hundred times too large, as in per cent: double it."),
    (TWO[None], "it gives shape (1, 2), wanted (2,): double it."),
    (None, "it gives None, where a number or a tensor is wanted."),
    ("2", "it gives '2', where a number or a tensor is wanted."),
])  # fmt: skip
def test_a_slip_is_named(got, told):
    try:
        refuse_slips(got, TWO, SLIPS, "double it.")
    except AssertionError as error:
        assert str(error) == told
    else:
        assert not told


def test_a_slip_in_one_number_is_named():
    refuse_slips(3, torch.tensor(3.0), {}, "")
    with pytest.raises(AssertionError, match="a half"):
        refuse_slips(1.5, torch.tensor(3.0), {"a half": 1.5}, "")


PAIR = torch.tensor(3.0), TWO


@pytest.mark.parametrize("got, told", [
    ([3, TWO], ""),
    ((3, TWO / 2), "the second is halved."),
    (TWO, "it should return 2 values, separated by commas: triple it."),
    (3, "it should return 2 values, separated by commas: triple it."),
    ((3, TWO, 3), "it should return 2 values, separated by commas: triple it."),
    ((TWO, 3), "value 1 has shape (2,), wanted (): triple it."),
    ((-3, -TWO), "its sign is turned: triple it."),
    ((1.5, TWO / 2), "it is half of what it should be: triple it."),
    ((2, torch.tensor([4.0, 3.0])), "these are the right numbers in another order: triple it."),
    ((3, TWO + 1), "triple it."),
])  # fmt: skip
def test_a_slip_in_several_values_is_named(got, told):
    try:
        refuse_slips(got, PAIR, {"the second is halved.": (3, TWO / 2)}, "triple it.")
    except AssertionError as error:
        assert str(error) == told
    else:
        assert not told


def test_a_wrong_zero_is_no_factor_away():
    with pytest.raises(AssertionError, match="^so it is$"):
        refuse_slips(1.0, torch.tensor(0.0), {}, "so it is")


STUB = "def double(x):\n    return ...\n\ndouble = attempt(doubles, double, otherwise=ours)"
SOLUTION = "<details><summary>Hint</summary>\n\nAdd.\n\n</details>\n\n<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"  # fmt: skip
RIGHT = "def double(x):\n    return 2 * x"


@pytest.fixture(scope="module")
def kernel():
    one = RunningKernel("python3", cwd=str(ROOT))
    code = ["import torch", "from minidiff.course import attempt, check", "seven = 7"]
    code += [inspect.getsource(function) for function in (doubles, ours)] + ["def double(x):\n    return ..."]
    one.await_idle(one.execute_cell_input("\n".join(code)), 60)
    yield one
    one.stop()


def problems(kernel, tmp_path, monkeypatch, source=STUB, below=RIGHT, mistakes="", behind=""):
    """What the plugin finds after one cell of notebook 99 has run."""
    for folder, text in (("mistakes", mistakes), ("behind", behind)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "99.py").write_text(text)
    monkeypatch.setattr(turns, "TESTS", tmp_path)
    cells = [new_code_cell(source, id="doubling"), new_markdown_cell(SOLUTION.format(below))]
    book = SimpleNamespace(path=tmp_path / "99_x.ipynb", nb=new_notebook(cells=cells), kernel=kernel)
    config = SimpleNamespace(option=SimpleNamespace(nbval_cell_timeout=60))
    return turns.problems(SimpleNamespace(parent=book, cell=cells[0], config=config))


WRONG = "# %% double: wanted 2\ndef double(x):\n    return x\n"


@pytest.mark.slow
@pytest.mark.parametrize("given, found", [
    ({}, ""),
    ({"mistakes": WRONG}, ""),
    ({"mistakes": WRONG + "# %% triple: anything\nno code at all"}, ""),  # another cell's
    ({"behind": "# %% doubling\nassert seven == 7\nseven = 8\n# %% other\n1 / 0\n"}, ""),
    ({"behind": "# %% doubling\nassert seven == 7\n"}, ""),  # what was assigned is forgotten
    ({"behind": "# %% doubling\ncheck('seven', seven, 7)\n"}, ""),  # what a check prints is no fault
    ({"behind": "# %% doubling\ncheck('seven', seven, 8)\n"}, "behind the scenes: RAISED"),
    ({"below": "def double(x):\n    return 3 * x"}, "the solution was told: not yet"),
    ({"below": "no code at all"}, "the solution was told: RAISED"),
    ({"below": ""}, "the solution was told: to do"),
    ({"mistakes": f"# %% double: wanted 2\n{RIGHT}\n"}, "double: wanted 2 was told: yours"),
    ({"mistakes": WRONG.replace("wanted 2", "wanted 3")}, "double: wanted 3 was told: not yet"),
    ({"mistakes": WRONG + WRONG.replace("wanted", "this run gave 1, wanted")}, "two mistakes are told the same"),
    ({"behind": "# %% doubling\nassert seven == 8\n"}, "behind the scenes: RAISED"),
])  # fmt: skip
def test_solutions_mistakes_and_what_is_behind_are_tried_in_the_notebooks_kernel(
    kernel, tmp_path, monkeypatch, given, found
):
    said = problems(kernel, tmp_path, monkeypatch, **given)
    assert (found in said[0]) if found else not said, said


def cells_of(number: str) -> list:
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    return nbformat.read(path, 4).cells


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "behind").glob("*.py")), ids=lambda path: path.name)
def test_what_is_behind_belongs_to_a_cell(path):
    assert set(turns.sections(path)) <= {cell.id for cell in cells_of(path.stem)}


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "mistakes").glob("[0-9]*.py")), ids=lambda path: path.name)
def test_every_answer_has_hints_a_solution_and_three_mistakes_or_more(path):
    cells = cells_of(path.stem)
    asked = {
        name: cells[k + 1].source
        for k, cell in enumerate(cells)
        if cell.cell_type == "code"
        for name in turns.attempts(cell.source)
    }
    headings = [heading.partition(":") for heading in turns.sections(path)]
    assert {name for name, *_ in headings} == set(asked)
    for answer, below in asked.items():
        assert below.count("<summary>Hint") >= 2 and turns.solution(below), answer
        assert 3 <= sum(name == answer and bool(words.strip()) for name, _, words in headings) <= 6, answer


def test_what_is_no_function_with_a_body_is_written_unless_it_is_dots(capsys):
    def doubles(mine):
        """write what doubles."""
        assert mine(2) == 4, "it does not double."

    twice, ours = functools.partial(lambda a, x: a * x, 2), lambda x: x + x
    assert attempt(doubles, twice, otherwise=ours) is twice
    assert attempt(doubles, None, otherwise=ours) is ours and attempt(doubles, ..., otherwise=ours) is ours
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["yours", "to", "to"] and "write what doubles." in said[1]
