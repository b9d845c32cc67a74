"""The shape of the package: who may import whom, how long anything may get, and what must stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "minidiff"
LAYERS = [  # a module imports only from layers above its own
    {"files"},
    {"schedules", "networks", "data", "augmentations", "metrics", "runtime", "checks", "ranks"},
    {"predictions"},
    {"checkpoints"},
    {"exact", "guidance", "samplers", "training", "judge"},
    {"solvers", "likelihood", "notation"},
    {"plots"},
    {"widgets"},
    {"recipes", "lab", "notebooks"},
    {"doctor"},
    {"__main__"},
]
CORE = ("schedules", "predictions", "exact", "guidance", "samplers", "solvers", "training")
ONLY = {"matplotlib": {"plots"}, "ipywidgets": {"widgets"}}  # the one module that may import a heavy library
MODULES = sorted(p for p in PACKAGE.glob("*.py") if p.stem != "__init__")


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


def offences(stem: str, source: str) -> list[str]:
    tree = ast.parse(source)
    layer = next((i for i, names in enumerate(LAYERS) if stem in names), None)
    if layer is None:
        return [f"{stem} stands in no layer"]
    allowed = set().union(*LAYERS[:layer])
    own = {name.split(".")[1] for name in imported(tree) if name.startswith("minidiff.")} - {"__version__"}
    found = [f"{stem} imports {name}, which is not in a layer below it" for name in sorted(own - allowed)]
    libraries = {name.split(".")[0] for name in imported(tree)}
    found += [f"{stem} imports {name}" for name, where in ONLY.items() if name in libraries and stem not in where]
    found += ["no pickle is ever loaded"] * bool(libraries & {"pickle", "dill", "joblib"} or "torch.load" in source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and lines(node) > 25:
            found.append(f"{node.name} has {lines(node)} lines of code; 25 fit beside an equation")
    return found


def code_lines(source: str) -> int:
    """Lines without docstrings, blank lines and comments."""
    told = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            told |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    rest = [line.strip() for number, line in enumerate(source.splitlines(), 1) if number not in told]
    return sum(bool(line) and not line.startswith("#") for line in rest)


def lines(function: ast.FunctionDef) -> int:
    """Lines of code: docstring, blank lines and comments not counted; the signature counts as one."""
    body = function.body[ast.get_docstring(function) is not None :]
    return 1 + (len({n.lineno for part in body for n in ast.walk(part) if hasattr(n, "lineno")}) if body else 0)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_module_keeps_to_the_design(path):
    assert offences(path.stem, path.read_text()) == []


LONG = "def f():\n" + "    x = 1\n" * 26


@pytest.mark.parametrize(
    "stem, source",
    [
        ("schedules", "from .samplers import sample"),
        ("schedules", "from minidiff.samplers import sample"),
        ("schedules", "import minidiff.samplers"),
        ("schedules", "from . import samplers"),
        ("schedules", "from minidiff import samplers"),
        ("schedules", "def f():\n    from .samplers import sample"),
        ("exact", "from .guidance import given"),
        ("samplers", "import matplotlib.pyplot as plt"),
        ("plots", "import ipywidgets"),
        ("checkpoints", "import pickle"),
        ("checkpoints", "import torch\ntorch.load('x')"),
        ("samplers", LONG),
        ("stranger", ""),
    ],
)
def test_planted_offences_are_seen(stem, source):
    assert offences(stem, source)


def test_core_stays_small():
    """Lines of code: what a docstring explains makes neither the core nor the package larger."""
    count = {path.stem: code_lines(path.read_text()) for path in PACKAGE.glob("*.py")}
    assert sum(count[stem] for stem in CORE) <= 900, count
    assert sum(count.values()) <= 4000, count


def test_import_stays_light():
    code = (
        "import sys, minidiff, minidiff.samplers, minidiff.exact, minidiff.training\n"
        "print([m for m in ('matplotlib', 'ipywidgets', 'IPython', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    assert done.stdout.strip() == "[]"
