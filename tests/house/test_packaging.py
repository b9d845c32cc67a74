"""The wheel holds the library and works away from a clone; what only a clone has is asked for in one sentence."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BUILD = "from setuptools.build_meta import build_wheel; build_wheel('dist')"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without a network from a copy: a `build/` left in a clone would put stale files into it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "minidiff", source / "minidiff", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-c", BUILD], cwd=source, check=True, capture_output=True)
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def away(wheel, tmp_path_factory):
    """Runs Python with the wheel's minidiff in an empty folder: no clone around, no cache, nobody to download from."""
    site, here = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("here")
    zipfile.ZipFile(wheel).extractall(site)
    homes = dict.fromkeys(("HOME", "USERPROFILE", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(here))
    libraries = [folder for folder in sys.path if folder.endswith("-packages")]  # but not their .pth files, see -S:
    path = os.pathsep.join([str(site), *libraries])  # an editable minidiff would lend what the wheel lacks
    environment = os.environ | homes | {"PYTHONPATH": path, "http_proxy": "http://127.0.0.1:9"}
    environment.pop("MINIDIFF_DATA", None)

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-S", *arguments]
        return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=120)

    found = run("-c", "import minidiff; print(minidiff.__file__)").stdout.strip()
    assert Path(found).is_relative_to(site), "this test must not see the clone's minidiff"
    return run


def test_the_wheel_holds_every_room(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    kinds = ("*.py", "*.json", "*.js", "course/*.md", "course/quizzes/*.md")
    files = [path for kind in kinds for path in (ROOT / "minidiff").rglob(kind)]
    wanted = {path.relative_to(ROOT).as_posix() for path in files}
    wanted |= {"minidiff/py.typed", "minidiff/README.md"}
    assert {name for name in packed if not name.startswith("minidiff-")} == wanted


def test_the_wheel_says_its_licence_and_its_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        read = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if "dist-info" in name}
    said = Parser().parsestr(read["METADATA"])
    assert (said["License-Expression"], said["License-File"], said["Requires-Python"]) == ("MIT", "LICENSE", ">=3.10")
    assert read["LICENSE"] == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "minidiff = minidiff.__main__:main" in read["entry_points.txt"]


LEARN = """
import torch
from minidiff import MLP, LearnedDenoiser, cosine, ddim_step, last, sample, start, train, two_moons, uniform_times
denoiser = LearnedDenoiser(MLP(dim=2), schedule=cosine, target="v")
losses = torch.stack(list(train(denoiser, two_moons(1000), steps=50, seed=0)))
x = start(cosine, 1.0, (64, 2), torch.Generator().manual_seed(0))
x0 = last(sample(ddim_step, denoiser, x, uniform_times(8)))
print(bool(losses[-10:].mean() < losses[:10].mean()), tuple(x0.shape), bool(x0.isfinite().all()))
"""


def test_the_library_trains_and_samples_away_from_a_clone(away):
    done = away("-c", LEARN)
    assert (done.stdout.strip(), done.stderr) == ("True (64, 2) True", "")


NEEDS_A_CLONE = ("lab", "sample", "judge", "notebooks check", "notebooks run")
NEEDS_DATA = ("fashion_mnist", "sprites", "cifar10")
ASK = """
import contextlib, io, json, minidiff
from minidiff.__main__ import main
def asked(call):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = call()
        except minidiff.DataError as error:
            status = print(error, file=err) or 1
    return status, out.getvalue(), err.getvalue()
told = {{command: asked(lambda: main(command.split())) for command in {}}}
print(json.dumps(told | {{name: asked(getattr(minidiff, name)) for name in {}}}))
"""


@pytest.fixture(scope="module")
def told(away) -> dict[str, list]:
    """What one process says to all of them: status, standard output, standard error."""
    done = away("-c", ASK.format(NEEDS_A_CLONE, NEEDS_DATA))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", [*NEEDS_A_CLONE, *NEEDS_DATA])
def test_what_needs_a_clone_or_data_says_so_in_one_sentence(what, told):
    status, out, err = told[what]
    assert status == 1 and out == "", told[what]
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err, err
    assert "repository" in err or "MINIDIFF_DATA" in err, err  # where it is to be had


def test_the_doctor_runs_away_from_a_clone(away):
    """The library is well; where the course and its data are to be had is said once."""
    done = away("-m", "minidiff", "doctor")
    assert (done.returncode, done.stderr) == (0, ""), done
    *lines, end = done.stdout.splitlines()
    words = {line.split()[1]: line.split()[0] for line in lines}
    course = ("course", "notebooks", "fashion", "sprites", "judge", "checkpoints")
    assert words == {name: "absent" if name in course else "ok" for name in words} and set(course) <= set(words)
    assert sum("clone its repository" in line for line in lines) == 1 and "git checkout" not in done.stdout
    assert end == "the library is well; the course is not here"
