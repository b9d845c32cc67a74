"""The README keeps its word: its program runs, its commands are CI's, its table is complete."""

import re
from pathlib import Path

import torch

from minidiff import two_moons

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


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


def test_ci_runs_the_readmes_test_command():
    commands = [line.strip() for line in README.splitlines() if line.startswith("    python3 -m venv")]
    assert len(commands) == 2 and commands[0].endswith("minidiff lab")
    install_and_test = commands[1].split("activate && ")[1]
    assert install_and_test in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_notebook_is_in_the_table():
    linked = set(re.findall(r"\(notebooks/(.*?\.ipynb)\)", README))
    assert linked == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links and all((ROOT / link).exists() for link in links)


def test_the_files_it_names_are_there():
    pages = README + (ROOT / ".github" / "CONTRIBUTING.md").read_text()
    files = re.findall(r"\b(?:tests|minidiff|notebooks)/[\w/]+\.(?:py|ipynb)", pages)
    files += [f"{module.replace('.', '/')}.py" for module in re.findall(r"python -m (tests[\w.]+)", pages)]
    assert files and [name for name in files if not (ROOT / name).is_file()] == []


def test_every_test_file_and_benchmark_is_in_its_table():
    tests = ROOT / "tests"
    cells = " ".join(re.findall(r"^\|(.*?)\|", (tests / "README.md").read_text(), re.M))
    named = re.findall(r"`([\w./]+)`", cells)
    files = {path.relative_to(tests).as_posix() for path in tests.rglob("test_*.py") if "benchmarks" not in path.parts}
    assert files == {name for name in named if "test_" in name} and all((tests / name).exists() for name in named)
    rows = re.findall(r"^\| `(\w+)` \|", (tests / "benchmarks" / "README.md").read_text(), re.M)
    scripts = {path.stem for path in (tests / "benchmarks").glob("*.py") if not path.stem.startswith(("test_", "_"))}
    assert sorted(rows) == sorted(scripts)
