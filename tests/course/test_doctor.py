"""The doctor tells the truth: about libraries missing, broken or too old, about data, and away from a clone."""

import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from minidiff import data
from minidiff.course import doctor, lab  # noqa: F401 - a lab that first meets a patched `files` would keep the patch
from minidiff.data import files, images
from minidiff.engine import checkpoints, presets

ROOT = Path(__file__).parents[2]


def finding(name):
    return dict(doctor.examine())[name]


@pytest.fixture
def quick(monkeypatch):
    """Only the checks that are named."""

    def leave(*names):
        monkeypatch.setattr(doctor, "CHECKS", {name: doctor.CHECKS[name] for name in names})

    return leave


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A folder with copies of the shipped data, which alone is looked in."""
    for name in ("judge.safetensors", *presets.SHIPPED_SHA256):
        shutil.copy(ROOT / "data" / name, tmp_path)
    monkeypatch.setattr(files, "data_folders", lambda: [tmp_path])
    return tmp_path


def test_all_is_well_here_without_a_network(monkeypatch, capsys):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the doctor went to the network"))
    assert doctor.main() == 0, capsys.readouterr().out
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(doctor.CHECKS) + 1 and lines[-1] == "all is well"
    assert all(line.startswith("ok ") for line in lines[:-1])


def test_it_knows_what_pyproject_requires():
    text = (ROOT / "pyproject.toml").read_text()
    block = text[text.index("\ndependencies = [") : text.index("[project.optional-dependencies]")]
    wanted = dict(re.findall(r'^    "([\w-]+)([^"]+)"', block, re.M))
    assert doctor.requirements() == wanted and {"torch", "scipy", "safetensors"} <= set(wanted)
    found = finding("libraries")[1]
    assert all(f"{name} {metadata.version(name)}" in found for name in wanted if name != "torch")


def test_away_from_a_clone_it_asks_what_pip_noted(monkeypatch, tmp_path):
    noted = metadata.metadata("minidiff")
    del noted["Requires-Dist"]
    for line in ("torch>=2.4", "numpy<3,>=1.26", "pytest>=8.4; extra == 'test'", 'ruff~=0.17; extra == "dev"'):
        noted["Requires-Dist"] = line
    monkeypatch.setattr(doctor, "PACKAGE", tmp_path / "minidiff")
    monkeypatch.setattr(metadata, "metadata", lambda name: noted)
    assert doctor.requirements() == {"torch": ">=2.4", "numpy": "<3,>=1.26"}
    (tmp_path / "pyproject.toml").write_text('name = "stranger"\ndependencies = [\n    "left>=1",\n]\n')
    assert doctor.requirements() == {"torch": ">=2.4", "numpy": "<3,>=1.26"}


@pytest.mark.parametrize("version, needed, older", [
    ("2.3.1", ">=2.4", True), ("2.4.0", ">=2.4", False), ("2.4", ">=2.4.0", False), ("2.10.1+cu130", ">=2.9", False),
    ("0.4.2", ">=0.4.3", True), ("2.4.0a0+git12", ">=2.4", False), ("10", ">=9.5", False), ("1.25", "<3,>=1.26", True),
])  # fmt: skip
def test_versions_are_compared_as_numbers(version, needed, older):
    assert doctor._older(version, needed) == older


@pytest.mark.parametrize("check, name", [("torch", "torch"), ("libraries", "scipy"), ("libraries", "safetensors")])
def test_a_library_that_is_missing_broken_or_old(check, name, monkeypatch, quick):
    quick(check)
    told, real = f"'{name}{doctor.requirements()[name]}'", (metadata.version, doctor.import_module)

    def version(wanted):
        if wanted == name:
            raise metadata.PackageNotFoundError(wanted)
        return real[0](wanted)

    def broken(wanted):
        if wanted == name:
            raise OSError("libc++.so.1: cannot open shared object file")
        return real[1](wanted)

    with monkeypatch.context() as missing:
        missing.setattr(metadata, "version", version)
        ok, found, advice = finding(check)
        assert ok is False and "is missing" in found and advice == f"python -m pip install {told}"
    with monkeypatch.context() as fails:
        fails.setattr(doctor, "import_module", broken)
        ok, found, advice = finding(check)
        assert ok is False and "cannot be imported (OSError: libc++" in found and "--force-reinstall" in advice
    monkeypatch.setattr(metadata, "version", lambda wanted: "0.0.1" if wanted == name else real[0](wanted))
    ok, found, advice = finding(check)
    assert ok is False and "0.0.1 is not >=" in found and advice.endswith(told) and "--upgrade" in advice


def test_a_check_that_fails_is_a_problem_whatever_it_raises(monkeypatch, capsys):
    def fails(error):
        def look():
            raise error

        return look

    errors = (
        KeyError("x"),
        AttributeError(),
        ModuleNotFoundError("No module named 'torch'", name="torch"),
        OSError("a\nb"),
    )
    monkeypatch.setattr(doctor, "CHECKS", {f"check{k}": fails(error) for k, error in enumerate(errors)})
    assert doctor.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["problem"] * 4 + ["4"]
    assert "it needs torch" in lines[2] and lines[3].endswith(" a")


def test_a_python_that_is_too_old(monkeypatch, quick):
    quick("python")
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.9.18")
    ok, found, advice = finding("python")
    assert (ok, found) == (False, "3.9.18") and ">=3.10" in advice


@pytest.mark.parametrize("policy, ours, told", [
    ("PASSIVE", True, "OMP_WAIT_POLICY is PASSIVE, set by minidiff"),
    ("ACTIVE", False, "OMP_WAIT_POLICY is ACTIVE, from the environment"), (None, False, "OMP_WAIT_POLICY is not set"),
])  # fmt: skip
def test_how_threads_wait_and_who_said_so(policy, ours, told, monkeypatch, quick):
    quick("threads")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if policy:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    monkeypatch.setattr(doctor, "SET_WAITING", ours)
    ok, found, advice = finding("threads")
    assert ok is True and found.endswith(f"; {told}") and bool(advice) == (policy is None)


WAITING = """
import os, sys
def imported():
    sys.modules.pop("minidiff", None)
    import minidiff
    print(os.environ.get("OMP_WAIT_POLICY"), minidiff.SET_WAITING, "torch" in sys.modules)
imported()
os.environ["OMP_WAIT_POLICY"] = "ACTIVE"
imported()
del os.environ["OMP_WAIT_POLICY"]
sys.modules["torch"] = None  # too late
imported()
"""


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise():
    """It is said before torch is loaded, or not at all."""
    told = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", WAITING], cwd=ROOT, env=told, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["PASSIVE True False", "ACTIVE False False", "None False True"], done.stderr


def test_a_sound_model_that_is_not_the_shipped_one(copy, quick):
    quick("checkpoints", "judge")
    assert [ok for _, (ok, _, _) in doctor.examine()] == [True, True]
    for name in presets.SHIPPED_SHA256:
        tensors, card = checkpoints.read(copy / name)
        tensors = {key: value.clone() for key, value in tensors.items()}
        next(iter(tensors.values())).flatten()[0] += 1
        checkpoints.write(copy / name, tensors, card)
        checkpoints.load(copy / name)  # sound
        ok, found, _ = finding("checkpoints")
        assert ok is False and name in found and "not the one that ships" in found
        shutil.copy(ROOT / "data" / name, copy)
    (copy / "sprites.safetensors").unlink()
    assert finding("checkpoints")[0] is False


def test_a_file_that_is_missing_is_not_downloaded(copy, quick, monkeypatch):
    monkeypatch.setattr(images, "fetch_fashion_mnist", lambda: pytest.fail("the doctor downloads"))
    quick("fashion")
    shutil.copytree(ROOT / "data" / "fashion-mnist", copy / "fashion-mnist")
    (copy / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    ok, found, advice = finding("fashion")
    assert ok is False and found.startswith("t10k-labels") and "git checkout" in advice


def test_library_and_course_are_told_apart(monkeypatch, tmp_path, capsys):
    """Away from a clone: the library is well, what comes with the course is absent, and it says where to get it."""
    monkeypatch.setattr(files, "clones", list)
    monkeypatch.delenv("MINIDIFF_DATA", raising=False)
    assert doctor.main() == 0
    lines = capsys.readouterr().out.splitlines()
    absent = [line.split()[1] for line in lines if line.startswith("absent")]
    assert absent == ["course", "notebooks", "fashion", "sprites", "judge", "checkpoints"]
    assert sum("clone its repository" in line for line in lines) == 1
    assert lines[-1] == "the library is well; the course is not here"
    monkeypatch.setenv("MINIDIFF_DATA", str(tmp_path))  # now data are expected there
    assert doctor.main() == 1


@pytest.mark.parametrize("free, well, said, advice", [
    (None, True, "free memory is not known on this system", ""),
    (23.84, True, "23.8 GB free", ""),
    (2.0, True, "2.0 GB free", ""),
    (1.95, False, "1.9 GB free", "the image notebooks want 2 GB: close something"),
])  # fmt: skip
def test_two_gigabytes_of_memory_are_enough(monkeypatch, free, well, said, advice):
    monkeypatch.setattr(doctor, "_free_gigabytes", lambda: free)
    assert doctor._memory() == (well, said, advice)


@pytest.mark.parametrize("text, want", [
    ("MemTotal: 9 kB\nMemAvailable:   2500000 kB\nMemFree: 7 kB\n", 2.5), ("MemTotal: 9 kB\n", None), (None, None),
])  # fmt: skip
def test_free_memory_is_what_linux_calls_available(monkeypatch, text, want):
    def read(path, **options):
        if text is None:
            raise FileNotFoundError(path)
        return text

    monkeypatch.setattr(doctor.Path, "read_text", read)
    assert doctor._free_gigabytes() == want


@pytest.mark.parametrize("free, well, said, advice", [
    (77.51e9, True, "77.5 GB free here", ""),
    (1e9, True, "1.0 GB free here", ""),
    (0.94e9, False, "0.9 GB free here", "checkpoints and notebooks want 1 GB: make room"),
])  # fmt: skip
def test_one_gigabyte_of_disk_is_enough(monkeypatch, free, well, said, advice):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: SimpleNamespace(free=free))
    assert doctor._disk() == (well, said, advice)


def test_another_torch_than_that_of_the_stored_outputs_is_mentioned(monkeypatch):
    monkeypatch.setattr(doctor, "_examined", lambda name, needed: ("2.13.0+cpu", ""))
    assert doctor._torch() == (True, "2.13.0+cpu", "")
    monkeypatch.setattr(doctor, "TRIED", "2.1")
    assert doctor._torch() == (True, "2.13.0+cpu", "stored outputs were made with 2.1; small differences may show")


def test_any_version_will_do_where_none_is_asked_for():
    assert not doctor._older("0.1", "") and not doctor._older("2.4", ">=2.4,<10") and doctor._older("2.3", ">=2.4,>=1")


def test_another_judge_is_a_problem(monkeypatch):
    judge = import_module("minidiff.evaluation.judge")
    assert doctor._judge() == (True, "SHA-256 as expected", "")
    monkeypatch.setattr(judge, "JUDGE_SHA256", "another")
    with pytest.raises(data.DataError, match="is not the judge this version was measured with"):
        doctor._judge()  # which examine turns into a problem


def test_training_images_are_counted_first(monkeypatch):
    sets = {"train": range(7), "test": range(3)}
    monkeypatch.setattr(data, "fashion_mnist", sets.__getitem__)
    assert "7 + 3 images" in doctor._fashion()[1]
