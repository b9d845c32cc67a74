"""A pytest plugin: what runs in a notebook's own kernel, after a cell, and what readers never see.

behind the scenes   tests/behind/NN.py holds sections headed `# %% CELL-ID`, run after that cell: what should hold
                    though no sentence speaks of it. Names are the notebook's; what a section assigns is forgotten.
your turn           a cell that calls `attempt` is a stub; in the next markdown cell stands the solution, in <details>.
                    The solution must be accepted, and each wrong answer in tests/mistakes/NN.py, in sections headed
                    `# %% NAME: words`, must be refused with a message of its own that holds these words.
"""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
REHEARSE = """
def _rehearse(codes):
    import contextlib, io, linecache, traceback
    told = []
    for number, code in enumerate(codes):
        space, out, name = dict(globals()), io.StringIO(), f"<rehearsed {number}>"
        linecache.cache[name] = len(code), None, code.splitlines(True), name
        try:
            with contextlib.redirect_stdout(out):
                exec(compile(code, name, "exec"), space)
        except BaseException:
            out.write("RAISED " + traceback.format_exc())
        told.append(out.getvalue())
    return told
"""


def sections(path: Path) -> dict[str, str]:
    """The code under each `# %% heading` of a file, empty where there is no file."""
    parts = re.split(r"^# %% (.+)$", path.read_text() if path.exists() else "", flags=re.M)
    headings = [heading.strip() for heading in parts[1::2]]
    assert len(set(headings)) == len(headings), f"{path.name}: two sections have one heading"
    return dict(zip(headings, parts[2::2], strict=True))


def number_of(notebook: Path) -> str:
    return notebook.name.split("_")[0]


def attempts(source: str) -> dict[str, str]:
    """Each answer that a cell asks for, by its name: the statement that calls `attempt`."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a line of IPython's own
        return {}
    found = {}
    for node in tree.body:
        call = node.value if isinstance(node, ast.Assign) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "attempt":
            found[ast.unparse(node.targets[0])] = ast.unparse(node)
    return found


def solution(text: str) -> str:
    """The code in the <details> of a markdown cell whose summary begins with Solution; "" where there is none."""
    folded = re.search(r"<details>\s*<summary>Solution.*?</summary>(.*?)</details>", text, re.S)
    code = re.search(r"```python\n(.*?)```", folded[1], re.S) if folded else None
    return code[1] if code else ""


def run(kernel, codes: list[str], timeout: float) -> list[str]:
    """What each code printed in the notebook's kernel, each in a copy of the notebook's names."""
    text = f"{REHEARSE}\n_told = _rehearse({codes!r})\ndel _rehearse"
    sent = kernel.kc.execute(text, store_history=False, user_expressions={"told": "_told"}, stop_on_error=False)
    reply = None
    while reply is None:
        message = kernel.get_message("shell", timeout=timeout)
        reply = message["content"] if message["parent_header"].get("msg_id") == sent else None
    kernel.await_idle(sent, timeout)
    return ast.literal_eval(reply["user_expressions"]["told"]["data"]["text/plain"])


def wrong(answer: str, told: dict[str, str]) -> list[str]:
    """What is wrong with what was said to a solution (heading "") and to the mistakes, by their headings."""
    found = []
    for heading, said in told.items():
        wanted = heading.partition(":")[2].strip()
        right = said.startswith("yours  ") if not heading else said.startswith("not yet  ") and wanted in said
        if not right:
            found.append(f"{answer}: {heading or 'the solution'} was told: {said.strip()}")
    messages = [said for heading, said in told.items() if heading]
    return found + [f"{answer}: two mistakes are told the same"] * (len(set(messages)) < len(messages))


def problems(item) -> list[str]:
    """Everything that is to hold after a cell: behind the scenes, then each answer that it asks for."""
    path, cells = Path(item.parent.path), item.parent.nb.cells
    timeout, kernel = item.config.option.nbval_cell_timeout, item.parent.kernel
    behind = sections(TESTS / "behind" / f"{number_of(path)}.py").get(item.cell.get("id", ""))
    if behind and "RAISED " in (said := run(kernel, [behind], timeout)[0]):
        return [f"behind the scenes: {said}"]
    found, place = [], next(k for k, cell in enumerate(cells) if cell is item.cell)
    below = cells[place + 1].source if place + 1 < len(cells) else ""
    for answer, statement in attempts(item.cell.source).items():
        mistakes = sections(TESTS / "mistakes" / f"{number_of(path)}.py")
        asked = {"": solution(below)} | {k: v for k, v in mistakes.items() if k.partition(":")[0] == answer}
        told = run(kernel, [f"{code.strip()}\n{statement}\n" for code in asked.values()], timeout)
        found += wrong(answer, dict(zip(asked, told, strict=True)))
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield  # nbval has run the cell and compared its text
    if type(item).__name__ == "IPyNbCell" and not item.options["skip"] and (found := problems(item)):
        item.raise_cell_error("; ".join(found))
    return result
