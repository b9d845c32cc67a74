"""What readers may write, without a notebook's kernel: its solutions are taken, its likely mistakes told what they are.

In the notebook itself the same is done in its own kernel, with all its names (tests/turns.py). Here a notebook lends
its imports, functions and plain constants only, so that a check of an answer can be tried in a second.
"""

import ast
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest

from tests import turns

ROOT = Path(__file__).parents[2]
LENT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def names_of(cells: list, answers: Container[str]) -> dict:
    """A notebook's imports, functions, classes and plain constants; in the place of an answer the one it falls back on."""
    space: dict = {}
    for source in (cell.source for cell in cells if cell.cell_type == "code"):
        try:
            body = ast.parse(source).body
        except SyntaxError:  # a line of IPython's own
            continue
        for node in body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in answers:
                (node.value,) = [word.value for word in node.value.keywords if word.arg == "otherwise"]
            elif not isinstance(node, LENT) and not constant(node):
                continue
            with suppress(NameError):  # such as a default that is computed
                exec(compile(ast.Module([node], []), "<notebook>", "exec"), space)
    return space


def constant(node: ast.AST) -> bool:
    """Whether it gives a plain value to names, not to a part of something that is not lent, as in mask[:14] = False."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], (ast.Name, ast.Tuple)):
        return False
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return True


def asked_of(cells: list) -> dict[str, tuple[str, str]]:
    """For each answer the statement that asks for it, and the solution below."""
    asked = {}
    for cell, below in zip(cells, [*cells[1:], None], strict=True):
        for answer, statement in turns.attempts(cell.source if cell.cell_type == "code" else "").items():
            asked[answer] = statement, turns.solution(below.source if below else "")
    return asked


BOOKS = {path: nbformat.read(path, 4).cells for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
ANSWERS = [(path, answer) for path, cells in BOOKS.items() for answer in asked_of(cells)]


@pytest.mark.parametrize("path, answer", ANSWERS, ids=lambda part: part if isinstance(part, str) else part.name[:2])
def test_a_solution_is_taken_and_a_mistake_told_what_it_is(path, answer):
    asked = asked_of(BOOKS[path])
    space, (statement, solution) = names_of(BOOKS[path], asked), asked[answer]
    mistakes = turns.sections(ROOT / "tests" / "mistakes" / f"{turns.number_of(path)}.py")
    codes = {"": solution} | {
        heading: code for heading, code in mistakes.items() if heading.partition(":")[0] == answer
    }
    exec(turns.REHEARSE, space)
    told = space["_rehearse"]([f"{code.strip()}\n{statement}\n" for code in codes.values()])
    assert len(codes) >= 4 and not turns.wrong(answer, dict(zip(codes, told, strict=True)))
