"""The READMEs keep their word: the program runs, the commands are CI's, what is named is there."""

import ast
import functools
import importlib
import keyword
import re
from pathlib import Path

import pytest
import torch

import minidiff
from minidiff import two_moons
from minidiff.__main__ import parser

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_eight_line_program_makes_two_moons():
    program = re.search(r"```python\n(.*?)```", README, re.S)[1]
    assert len(program.strip().splitlines()) <= 11  # two of imports, one blank
    names = {}
    exec(program, names)
    x0, real = names["x0"], two_moons(1000, seed=1).x
    floor = torch.cdist(real, two_moons(4000, seed=2).x).min(1).values.mean()
    assert torch.cdist(x0, two_moons(4000, seed=2).x).min(1).values.mean() < 3 * floor  # samples lie on the moons
    assert (
        torch.cdist(real, x0).min(1).values.mean()
        < 3 * torch.cdist(real, two_moons(1000, seed=3).x).min(1).values.mean()
    )


@pytest.mark.slow
def test_the_program_that_is_told_what_to_draw():
    """It runs, and its three kinds of guidance are the papers' sums of what the network says when told this or that."""
    names = {}
    exec(re.search(r"^## Told what to draw\n.*?```python\n(.*?)```", README, re.M | re.S)[1], names)
    x, text, low_res, denoiser = torch.randn(4, 1, 16, 16), names["text"], names["low_res"][0], names["denoiser"]
    say = lambda **told: denoiser(x, 0.6, **told).eps
    both, other = (say(text=text[i], low_res=low_res) for i in (0, 1))
    picture, nothing = say(low_res=low_res), say()
    want = {
        "guided": picture + 3 * (both - picture),  # Ho & Salimans 2022
        "away": other + 3 * (both - other),
        "two_scales": nothing + 1.5 * (picture - nothing) + 7.5 * (both - picture),  # Brooks et al. 2023, Eq. 3
    }
    for name, eps in want.items():
        torch.testing.assert_close(names[name](x, 0.6).eps, eps, rtol=1e-4, atol=1e-4)
    assert names["x0"].shape == x.shape and names["x0"].isfinite().all()


def test_ci_runs_the_readmes_test_command():
    commands = [line.strip() for line in README.splitlines() if line.startswith("    python3 -m venv")]
    assert len(commands) == 2 and commands[0].endswith("minidiff lab")
    install_and_test = commands[1].split("activate && ")[1]
    assert install_and_test in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_notebook_is_in_the_table():
    linked = set(re.findall(r"\(notebooks/(.*?\.ipynb)\)", README))
    assert linked == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_the_minutes_of_the_teachers_plans_are_those_of_the_table():
    table = dict(re.findall(r"^\| (\w+) \| \[.*?\| (\d+) min \|", README, re.M))
    text = (ROOT / "notebooks" / "instructors.md").read_text()
    weeks = re.findall(r"^\| \d+ \| ([\dab, ]+) \| (\d+) \|", text, re.M)
    assert len(weeks) == 6 + 12
    for notebooks, minutes in weeks:
        counted = sum(int(table[number]) for number in notebooks.split(", "))
        assert abs(counted - int(minutes)) <= 15, (notebooks, counted)  # a week's plan outlives an edited paragraph
    assert len(text.split()) < 2_500


PAGES = [
    ROOT / name
    for name in (
        "README.md",
        ".github/CONTRIBUTING.md",
        "tests/README.md",
        "minidiff/README.md",
        "notebooks/instructors.md",
    )
]


@functools.cache
def known() -> set[str]:
    """Every name in the code of the package and its tests, and every text in the package that could be one."""
    found = set(keyword.kwlist)
    for path in [*(ROOT / "minidiff").rglob("*.py"), *(ROOT / "tests").rglob("test_*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            found |= {getattr(node, field) for field in ("id", "attr", "arg", "name") if hasattr(node, field)}
            if isinstance(node, ast.Constant) and "minidiff" in path.relative_to(ROOT).parts:
                found.add(node.value)
    return found


def exists(name: str, page: Path) -> bool:
    """Whether a name in backticks is there: a file from the root or beside the page, a module, a name in the code."""
    if re.search(r"[/.]", name.strip(".")) and not name.startswith("minidiff."):
        return any((folder / name).exists() for folder in (ROOT, page.parent)) or any(
            list((ROOT / room).rglob(name)) for room in ("minidiff", "tests")
        )
    try:
        value = minidiff
        for part in name.split(".")[name.startswith("minidiff.") :]:
            value = getattr(value, part, None) or importlib.import_module(f"{value.__name__}.{part}")
    except (ImportError, AttributeError):
        return name in known()
    return True


def missing(page: Path, text: str) -> list[str]:
    """What a page names that is not there: links, files, modules that are run, names, and names in a file."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    links = [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not (page.parent / link).exists()]
    paths = re.findall(r"(?<![\w/.:-])(?:tests|minidiff|notebooks|\.ci|\.github)/[\w./-]*[\w/]", prose)
    modules = [f"{module.replace('.', '/')}.py" for module in re.findall(r"python -m (tests[\w.]+)", prose)]
    names = re.findall(r"`([\w./]+)(?:\([^`\n]*\))?`", prose)
    held = [(name, ROOT / path) for name, path in re.findall(r"`(\w+)` in\s+`([\w/.]+\.py)`", prose)]
    strangers = [name for name, path in held if path.exists() and not re.search(rf"^{name}\b", path.read_text(), re.M)]
    return links + strangers + [name for name in [*paths, *modules, *names] if not exists(name, page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_is_there(page):
    assert missing(page, page.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "[a page](no/page.md)", "see tests/maths/test_sampler.py", "`minidiff/engines/`", "    python -m tests.benchmarks.walk",
        "`minidiff.samplers.ddim_stop`", "`minidiff.sampler`", "`ddim_stop`", "`ddim_stop(0.5)`", "`no_file.py`",
        "`SMOOTH` in `tests/maths/test_samplers.py`", "`SMOOTH` in\n`tests/maths/test_solver.py`",
    ],
)  # fmt: skip
def test_what_is_not_there_is_seen(text):
    assert missing(PAGES[1], text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_a_page_names_are_there(page, capsys):
    for command in re.findall(r"(?:^    |`)minidiff ([a-z]+(?: [a-z]+)?)", page.read_text(), re.M):
        with pytest.raises(SystemExit, match="^0$"):
            parser().parse_args([*command.split(), "--help"])


def test_every_test_file_and_benchmark_is_in_its_table():
    tests = ROOT / "tests"
    cells = " ".join(re.findall(r"^\|(.*?)\|", (tests / "README.md").read_text(), re.M))
    named = re.findall(r"`([\w./]+)`", cells)
    files = {path.relative_to(tests).as_posix() for path in tests.rglob("test_*.py") if "benchmarks" not in path.parts}
    assert files == {name for name in named if "test_" in name} and all((tests / name).exists() for name in named)
    rows = re.findall(r"^\| `(\w+)` \|", (tests / "benchmarks" / "README.md").read_text(), re.M)
    scripts = {path.stem for path in (tests / "benchmarks").glob("*.py") if not path.stem.startswith(("test_", "_"))}
    assert sorted(rows) == sorted(scripts)
