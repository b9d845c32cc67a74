"""The shape of the package: who may import whom, how long anything may get, what is said of it, what is light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "minidiff"
MATHS = (  # in reading order: each imports only those above it
    "schedules", "conditions", "predictions", "exact", "losses", "samplers", "solvers", "guidance", "inverse",
    "estimates", "likelihood", "flowmaps", "discrete", "notation",
)  # fmt: skip
ROOMS = {  # which rooms each may import; its own always
    "maths": set(),
    "networks": set(),
    "data": set(),
    "engine": {"maths", "networks", "data"},
    "evaluation": {"maths", "networks", "data", "engine"},
    "show": {"maths"},
    "course": {"maths", "networks", "data", "engine", "evaluation", "show"},
    "__main__": {"maths", "networks", "data", "engine", "evaluation", "show", "course"},
    "refusals": set(),  # the one file that every room may import
}
BUDGET = {  # lines of code; in "engine" 20 are for captions as a condition and for networks that are no denoisers, 70 for data of one's own, warm starts and longer trainings,
    # 60 for measurements (masks, averages, blurs, mixtures, projections), in "show" 70 for a pad,
    # 30 for a slider and 70 for pictures and films of samples, in "course" 20 for moments, 160 for the fault ladder, 75 for quizzes and 135 for sheets of questions, in "commands" 30 for grading, 10 for sheets of questions, 20 for prompts and latents, 240 for them, for editing, for cards and for reading data of one's own,
    # in "engine" 35 for models that draw latents and 55 for reading, in "networks" 45 for captions, for places and for an autoencoder, in "data" 125 for captioned scenes: a grammar, a renderer and eight shapes
    "maths": 1100, "networks": 645, "data": 925, "engine": 1170, "evaluation": 550, "show": 620, "commands": 770,
    "course": 1290, "grading": 760, "refusals": 140,
}  # fmt: skip
TASKS = 160  # lines of code of what one notebook asks its readers to write
CALLS = ("__init__", "__call__")  # what is given to them may stand in the docstring of the class
ONLY = {  # the files that may import a heavy library
    "matplotlib": ("show/plots", "course/grading/worker"), "ipywidgets": ("show/widgets", "course/live", "course/multiple_choice"), "anywidget": ("show/pad", "show/slider"),
}  # fmt: skip
SCRIPT = 250  # lines of a script that runs in a browser, show/pad.js and show/slider.js
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(name: str) -> str:
    """The room of a file or module by its path within the package, such as "engine/train" or "schedules"."""
    first = name.split("/")[0]
    return "maths" if first in MATHS else first


def imported(tree: ast.AST) -> set[str]:
    """Every module a tree imports, anywhere in it, relative and absolute alike, as `minidiff.x` or `library.x`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            base = "minidiff" * (node.level > 0) + (
                f".{node.module}" if node.level and node.module else node.module or ""
            )
            names |= {f"{base}.{alias.name}" for alias in node.names} if base == "minidiff" else {base}
    return names


def imports_of(name: str, tree: ast.AST) -> set[str]:
    """The modules of the package that a file imports, by their path within the package."""
    here, found = ["minidiff", *name.split("/")][:-1], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("minidiff").strip(".") or "." for alias in node.names if own(alias.name)}
        if isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) + 1 - node.level]) if node.level else ""
            base = ".".join(filter(None, [base, node.module]))
            if own(base):
                inside = base.removeprefix("minidiff").strip(".")
                names = [f"{inside}.{alias.name}".strip(".") for alias in node.names]
                found |= {full if exists(full) else inside or "." for full in names}
    return {module.replace(".", "/") for module in found - {"."}}


def own(module: str) -> bool:
    return module == "minidiff" or module.startswith("minidiff.")


def exists(module: str) -> bool:
    path = PACKAGE.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file() or module in MATHS


def allowed(name: str, other: str) -> bool:
    """Whether the file may import the other: maths what stands above it, rooms what the table says, commands all."""
    mine, theirs = room_of(name), room_of(other)
    if mine == theirs == "maths":
        return MATHS.index(other) < MATHS.index(name)
    return mine == theirs or theirs == "refusals" or theirs in ROOMS.get(mine, ()) or name.endswith("/commands")


def offences(name: str, source: str) -> list[str]:
    """What is wrong with a file of this path within the package, such as "engine/train", one sentence each."""
    tree = ast.parse(source)
    if room_of(name) not in ROOMS:
        return [f"{name} stands in no room"]
    others = sorted(imports_of(name, tree))
    found = [f"{name} imports {other}, which it may not" for other in others if not allowed(name, other)]
    libraries = {name.split(".")[0] for name in imported(tree)}
    found += [
        f"{name} imports {library}" for library, where in ONLY.items() if library in libraries and name not in where
    ]
    found += ["no pickle is ever loaded"] * bool(libraries & {"pickle", "dill", "joblib"} or "torch.load" in source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and lines(node) > 25:
            found.append(f"{node.name} has {lines(node)} lines of code; 25 fit beside an equation")
    return found + [f"the docstring of {function} has no line for {names}" for function, names in unsaid(tree)]


def unsaid(tree: ast.Module | ast.ClassDef) -> list[tuple[str, str]]:
    """Public functions of four parameters or more, and those of them that begin no line of the docstring.

    Records (dataclasses, named tuples) of four fields or more too.
    """
    found = []
    for node in [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]:
        text, named = [ast.get_docstring(node) or ""], []
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found += [(f"{node.name}.{method}", names) for method, names in unsaid(node)]
            named = [field.target.id for field in node.body if isinstance(field, ast.AnnAssign)]
        if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name in CALLS):
            named = parameters(node)[isinstance(tree, ast.ClassDef) :]
            text += [ast.get_docstring(tree) or ""] * (node.name in CALLS)
        begun = re.findall(r"^((?:\w+, )*\w+): \S", "\n".join(text), re.M)
        missing = [name for name in named if name not in ", ".join(begun).split(", ")]
        found += [(node.name, ", ".join(missing))] * bool(len(named) >= 4 and missing)
    return found


def parameters(function: ast.FunctionDef) -> list[str]:
    """Their names, in order."""
    every = function.args
    rest = [one for one in (every.vararg, *every.kwonlyargs, every.kwarg) if one]
    return [one.arg for one in (*every.posonlyargs, *every.args, *rest)]


def code_lines(source: str) -> int:
    """Lines without docstrings, blank lines and comments; an import counts as one line, and `__all__` as none."""
    left_out, tree = set(), ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            left_out |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            left_out |= set(range(node.lineno + 1, node.end_lineno + 1))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            left_out |= set(range(node.lineno, node.end_lineno + 1))
    rest = [line.strip() for number, line in enumerate(source.splitlines(), 1) if number not in left_out]
    return sum(bool(line) and not line.startswith("#") for line in rest)


def lines(function: ast.FunctionDef) -> int:
    """Lines of code: docstring, blank lines and comments not counted; the signature counts as one."""
    body = function.body[ast.get_docstring(function) is not None :]
    return 1 + (len({n.lineno for part in body for n in ast.walk(part) if hasattr(n, "lineno")}) if body else 0)


def budget_of(name: str) -> str:
    """What a file counts towards: its room; but commands are counted together, and a notebook's tasks by themselves."""
    if name.startswith("course/tasks/"):
        return "tasks"
    if name.startswith("course/grading/"):
        return "grading"
    return "commands" if name.endswith(("/commands", "__main__")) else room_of(name)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_keeps_to_the_design(path):
    assert offences(name_of(path), path.read_text()) == []


LONG = "def f():\n" + "    x = 1\n" * 26
FOUR = 'def f(a, b, *, c, **more):\n    """Four.\n\n    a, b: two numbers\n    c: a third\n    more: the rest\n    """'
CLASS = 'class F:\n    """Four.\n\n    a, b, c: numbers\n    d: the last\n    """\n\n    def __init__(self, a, b, c, d): ...'
RECORD = CLASS.partition("    def")[0] + "    a: int\n    b: int\n    c: int\n    d: int = 3"


@pytest.mark.parametrize(
    "name, source",
    [
        ("schedules", "from .samplers import sample"),
        ("schedules", "from minidiff.samplers import sample"),
        ("schedules", "import minidiff.samplers"),
        ("schedules", "from . import samplers"),
        ("schedules", "from minidiff import samplers"),
        ("schedules", "def f():\n    from .samplers import sample"),
        ("exact", "from .guidance import given"),
        ("likelihood", "from .evaluation.metrics import mmd"),
        ("samplers", "from .engine import train"),
        ("networks/mlp", "from ..schedules import cosine"),
        ("data/points", "from .. import schedules"),
        ("refusals", "from .schedules import cosine"),
        ("engine/runs", "from ..evaluation.judge import load_judge"),
        ("engine/runs", "from ..show import pixels"),
        ("show/pixels", "from ..data import Data"),
        ("evaluation/score", "from ..course import checks"),
        ("samplers", "import matplotlib.pyplot as plt"),
        ("show/plots", "import ipywidgets"),
        ("show/widgets", "import anywidget"),
        ("engine/checkpoints", "import pickle"),
        ("engine/checkpoints", "import torch\ntorch.load('x')"),
        ("samplers", LONG),
        ("samplers", FOUR.replace("    more: the rest\n", "")),
        ("samplers", FOUR.replace("a, b: ", "a:\n    b: ")),
        ("samplers", FOUR.replace("    c: a third", "    and c: a third")),
        ("samplers", "def f(a, b, c, d): ..."),
        ("show/plots", CLASS.replace("a, b, c: ", "a, b: ")),
        ("show/plots", CLASS.replace("__init__", "g")),
        ("data/points", RECORD.replace("    d: the last\n", "")),
        ("stranger", ""),
        ("attic/stranger", ""),
    ],
)
def test_planted_offences_are_seen(name, source):
    assert offences(name, source)


@pytest.mark.parametrize(
    "name, source",
    [
        ("samplers", "from .schedules import cosine"),
        ("schedules", "from .refusals import whole"),
        ("networks/mlp", "from ..refusals import whole"),
        ("engine/train", "from ..losses import denoising_loss\nfrom . import ranks"),
        ("engine/commands", "from ..show import pixels"),
        ("course/doctor", "from ..evaluation import judge"),
        ("samplers", FOUR),
        ("show/plots", CLASS),
        ("data/points", RECORD),
        ("samplers", "def f(a, b, c): ...\n\n\ndef _g(a, b, c, d): ..."),
    ],
)
def test_what_is_allowed_is_not_refused(name, source):
    assert offences(name, source) == []


@pytest.mark.parametrize("room", BUDGET)
def test_rooms_stay_small(room):
    """Lines of code: what a docstring explains makes no room larger."""
    count = {name: code_lines(path.read_text()) for path in FILES if budget_of(name := name_of(path)) == room}
    assert sum(count.values()) <= BUDGET[room], count


def test_what_runs_in_the_browser_stays_small_and_fetches_nothing():
    scripts = [path for path in PACKAGE.rglob("*.*") if path.suffix in (".js", ".mjs", ".ts", ".css", ".html")]
    assert {path.stem for path in scripts} == {"pad", "slider"}
    for text in (script.read_text() for script in scripts):
        assert len(text.splitlines()) <= SCRIPT and max(map(len, text.splitlines())) <= 120
        assert not re.search(r"\bimport\b|\bfetch\b|https?:|XMLHttpRequest|WebSocket|\beval\b|innerHTML", text)


def test_what_a_notebook_asks_stays_small():
    count = {name: code_lines(path.read_text()) for path in FILES if budget_of(name := name_of(path)) == "tasks"}
    assert max(count.values()) <= TASKS, count


def mapped(text: str) -> list[str]:
    """The files that the map names, by their path within the package, in its order."""
    found = []
    for line in text[: text.index("## ")].splitlines():
        first, *rest = line.split() or [""]
        if line.startswith("      ") and first.endswith("/"):
            found += [f"{first}{part}.py" for part in rest]
        elif line.startswith("      ") and "*" in first:
            found += [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob(first)]
        elif line.startswith("      ") and "." in first:
            found.append(first)
    return found


def test_the_map_names_every_file_and_no_other():
    files = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name and not name.endswith("/__init__.py")}
    found = mapped((PACKAGE / "README.md").read_text())
    assert sorted(found) == sorted(files)
    maths = [name.removesuffix(".py") for name in found if name.removesuffix(".py") in MATHS]
    assert maths == [name for name in MATHS if name in maths]  # in reading order


def test_the_map_says_the_rule():
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", (PACKAGE / "README.md").read_text(), re.M))
    for room in ("networks", "data", "engine", "evaluation", "show"):
        said = {"maths" if part == "the mathematics" else part for part in rows[room].split(", ")}
        assert said - {"nothing of minidiff"} == ROOMS[room]


@pytest.mark.slow
def test_import_stays_light():
    code = (
        "import sys, minidiff, minidiff.samplers, minidiff.exact, minidiff.engine.train\n"
        "print([m for m in ('matplotlib', 'ipywidgets', 'anywidget', 'IPython', 'PIL', 'nbformat') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    assert done.stdout.strip() == "[]"
