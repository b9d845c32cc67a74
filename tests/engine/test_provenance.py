"""A record names the commit of minidiff's own clone and no other, whatever git does; and nobody needs a screen."""

import os
import shutil
import subprocess
import sys

import pytest
import torch

import minidiff
from minidiff.data import files
from minidiff.engine import runs
from minidiff.engine.runtime import quiet

rt = sys.modules["minidiff.engine.runtime"]  # the module: in `engine` the function bears its name
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git here")
OURS = '[project]\nname = "minidiff"\n'


def git(folder, *arguments):
    who = [
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.org",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
    ]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def repository(folder, tag, content):
    """A repository of these files (name -> text), with one commit that bears a tag."""
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "All")
    git(folder, "tag", "-a", tag, "-m", tag)
    return folder


@pytest.fixture
def at(monkeypatch):
    """Puts the package beside a folder's files, as if it had been imported from there."""

    def stand(root):
        for module in (rt, files):
            monkeypatch.setattr(module, "ROOT", root.resolve())

    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    return stand


CLONE = {"pyproject.toml": OURS, "minidiff/__init__.py": ""}


@needs_git
def test_the_commit_of_minidiffs_own_clone(tmp_path, at):
    at(repository(tmp_path, "v8", CLONE))
    assert rt.commit() == "v8"
    (tmp_path / "pyproject.toml").write_text(OURS + "\n")
    assert rt.commit() == "v8-dirty"


@needs_git
def test_a_strangers_repository_ends_in_no_card(tmp_path, at):
    """Around an installed package, around a copy of a clone, beside untracked files of ours, and as a fork renamed."""
    top = repository(tmp_path / "top", "secret-v9", {"notes.txt": ""})
    at(site := top / "venv" / "site-packages")
    (site / "minidiff").mkdir(parents=True)
    assert rt.commit() == "unknown"
    (site / "pyproject.toml").write_text(OURS)
    assert rt.commit() == "unknown"
    at(beside := repository(tmp_path / "beside", "secret-v9", {"pyproject.toml": OURS}))
    (beside / "minidiff").mkdir()
    (beside / "minidiff" / "__init__.py").write_text("")
    assert rt.commit() == "unknown"
    at(repository(tmp_path / "fork", "secret-v9", CLONE | {"pyproject.toml": 'name = "other"'}))
    assert rt.commit() == "unknown"


@needs_git
def test_variables_that_name_another_repository_do_not_count(tmp_path, at, monkeypatch):
    at(repository(tmp_path / "own", "own-v2", CLONE))
    other = repository(tmp_path / "other", "secret-v9", CLONE)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert rt.commit() == "own-v2"


GITS = {
    "fails": "echo v9; exit 128",
    "hangs": "sleep 30",
    "says nothing": "exit 0",
    "is no text": r"printf '\377\376\n'",
    "says a folder that is none": "echo /nowhere/at/all",
}


@pytest.mark.skipif(os.name != "posix", reason="a git made of shell")
@pytest.mark.parametrize("kind", [None, *GITS])
def test_git_that_is_missing_or_misbehaves(kind, tmp_path, monkeypatch):
    if kind:
        (tmp_path / "git").write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{GITS[kind]}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(rt, "PATIENCE", 0.3)
    told = rt.provenance(torch.device("cpu"))
    assert told["commit"] == "unknown" and told["minidiff"] == minidiff.__version__


def test_a_git_that_cannot_be_started(monkeypatch):
    monkeypatch.setattr(rt.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "denied")))
    assert rt.commit() == "unknown"


def test_without_standard_error_nobody_watches(monkeypatch, tmp_path):
    for name in ("CI", "MINIDIFF_QUIET"):
        monkeypatch.delenv(name, raising=False)
    closed = open(tmp_path / "log", "w")  # noqa: SIM115
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stderr", stream)
        assert quiet()


@pytest.mark.parametrize("command", [["sample"], ["judge"], ["train", "--preset", "rings"]])
def test_every_command_asks_for_the_device(command, monkeypatch, capsys, tmp_path):
    from minidiff.__main__ import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIDIFF_DEVICE", "toaster")
    assert main(command) == 2
    assert "MINIDIFF_DEVICE is 'toaster'" in capsys.readouterr().err


@pytest.mark.parametrize("options, said", [
    ({"minutes": float("nan")}, "minutes must lie"),
    ({"minutes": float("inf")}, "minutes must lie"),
    ({"minutes": -1.0}, "minutes must lie"),
    ({"minutes": 1.0, "steps": 3}, "give one of steps and minutes"),
    ({"steps": 0}, "steps must be a whole number from 1"),
    ({"steps": 2.5}, "steps must be a whole number from 1"),
    ({"steps": 10**400}, "steps must be a whole number from 1"),
])  # fmt: skip
def test_a_length_that_cannot_be_meant(options, said):
    with pytest.raises(ValueError, match=said):
        runs.begin("rings", **options)


def test_a_preset_that_is_none():
    with pytest.raises(ValueError, match="one of 'fashion-small'"):
        runs.begin("huge")


@pytest.mark.parametrize("minutes, steps", [(1e-300, 1), (1e30, runs.MOST_STEPS), (1e-9, 1)])
def test_minutes_lead_to_a_number_of_steps_that_can_be_meant(minutes, steps):
    job = runs.begin("rings", minutes=minutes)
    assert job.settings["steps"] == steps and job.record["minutes_asked"] == minutes


@pytest.mark.parametrize("arguments", [
    ["--minutes", "1e308"], ["--minutes", "1e-300"], ["--minutes", "nan"], ["--minutes", "inf"], ["--minutes", "-1"],
    ["--steps", "1" + "0" * 400], ["--steps", "1" * 5000], ["--steps", "1e3"], ["--steps", "0x10"], ["--seed", "-1"],
    ["--seed", "1" + "0" * 400], ["--save-every", "nan"], ["--save-every", "inf"], ["--save-every", "-1"],
])  # fmt: skip
def test_absurd_numbers_get_one_sentence(arguments, capsys, tmp_path):
    from minidiff.__main__ import main

    assert main(["train", "--preset", "rings", "--out", str(tmp_path / "run"), *arguments]) == 2
    err = capsys.readouterr().err
    assert arguments[0] in err and err.count("\n") == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="a shell script in place of git")
@pytest.mark.parametrize("script, said", [
    ("echo $MARK", "seen"),
    ("printf 'caf\\303\\251'", "café"),
    ("printf '\\377'", "\N{REPLACEMENT CHARACTER}"),
    ("cat; echo nobody types", "nobody types"),
    ("echo $GIT_DIR none", "none"),
    ("echo half; exit 3", ""),
    ("sleep 1; echo late", ""),
])  # fmt: skip
def test_git_is_asked_without_patience_and_without_a_hand(script, said, tmp_path, monkeypatch):
    """With the reader's environment, but for what is meant for another repository."""
    (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MARK", "seen")
    monkeypatch.setenv("GIT_DIR", "elsewhere")
    monkeypatch.setattr(rt, "PATIENCE", 0.2 if "sleep" in script else 10)
    keyboard, hand = os.pipe()
    before = os.dup(0)
    os.dup2(keyboard, 0)  # somebody's keyboard, at which nobody sits
    try:
        assert rt._git("describe") == said
    finally:
        os.dup2(before, 0)
        for number in (before, keyboard, hand):
            os.close(number)
