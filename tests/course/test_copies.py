"""The reader's own copy: made, edited, outlived by updates, brought back; and what JupyterLab is told of it."""

import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from jupyterlab_server import settings_utils

from minidiff import __main__ as cli
from minidiff.course import copies, lab
from minidiff.data import DataError, files

ROOT = Path(__file__).parents[2]
FIRST = Path(lab.FIRST).name


def notebook(source, outputs=("4",)):
    """A notebook of a few lines, as it is stored."""
    shown = [{"output_type": "stream", "name": "stdout", "text": list(outputs)}]
    code = {"cell_type": "code", "id": "b", "metadata": {}, "source": source, "outputs": shown, "execution_count": 1}
    prose = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["Wie groß? [next](01_two.ipynb)"]}
    cells = {"cells": [prose, code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(cells, indent=1, ensure_ascii=False) + "\n").encode()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone of two notebooks, which `minidiff lab` finds, and whose JupyterLab is not started."""
    root = tmp_path / "clone"
    (root / "notebooks").mkdir(parents=True)
    (root / "notebooks" / FIRST).write_bytes(notebook(["2 + 2"]))
    (root / "notebooks" / "01_two.ipynb").write_bytes(notebook(["3 + 3"]))
    monkeypatch.setattr(lab, "clones", lambda: [root])
    monkeypatch.setattr(lab.subprocess, "Popen", lambda *_, **more: opened.append(more) or Ended())
    monkeypatch.setattr(lab.signal, "signal", lambda *_: None)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    opened = []
    return root


class Ended:
    def wait(self):
        return 0


def run(*words, status=0):
    assert cli.main(["lab", *map(str, words)]) == status


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def sources(path):
    return [cell["source"] for cell in json.loads(path.read_bytes())["cells"]]


def test_two_readers_edit_update_and_reset_without_losing_a_letter(clone, tmp_path, capsys, monkeypatch):
    """Ann works in the clone, Bo in a folder of his own; the course is updated under both."""
    before, ann, bo = contents(clone / "notebooks"), clone / "my-notebooks", tmp_path / "Bo and co" / "course"
    run()
    run("--folder", bo)
    assert "2 added" in capsys.readouterr().out
    assert contents(clone / "notebooks") == before
    for folder in (ann, bo):
        for path in folder.iterdir():
            assert sources(path) == sources(clone / "notebooks" / path.name)
            code = json.loads(path.read_bytes())["cells"][1]
            assert code["outputs"] == [] and code["execution_count"] is None

    work = {
        folder: (folder / FIRST).read_bytes().replace(b"2 + 2", f"2 + 2  # {folder}".encode()) for folder in (ann, bo)
    }
    for folder, text in work.items():
        (folder / FIRST).write_bytes(text)
    (clone / "notebooks" / FIRST).write_bytes(notebook(["2 * 2"]))
    (clone / "notebooks" / "02_three.ipynb").write_bytes(notebook(["1"]))
    updated = contents(clone / "notebooks")
    run()
    said = capsys.readouterr().out
    assert "1 added" in said and "changed since you copied them: 00; minidiff lab --reset 00" in said
    run("--folder", bo)
    assert f"minidiff lab --folder '{bo}' --reset 00" in capsys.readouterr().out
    for folder, text in work.items():
        assert (folder / FIRST).read_bytes() == text and (folder / "02_three.ipynb").exists()

    monkeypatch.setattr(copies.time, "strftime", lambda _: "then")  # all in one second
    run("--folder", bo, "--reset", "0_0", status=2)
    assert "there is no notebook '0_0': choose from 00, 01, 02" in capsys.readouterr().err
    kept = {}
    for k in range(3):
        text = work[bo] + b"\n" * k
        (bo / FIRST).write_bytes(text)
        run("--folder", bo, "--reset", ["00", "0", FIRST][k])
        name = f"{Path(FIRST).stem}_then{['', '_2', '_3'][k]}.ipynb"
        kept[name] = text
        assert f"yours is kept as {name}" in capsys.readouterr().out
        assert sources(bo / FIRST)[1] == ["2 * 2"]
    assert {name: text for name, text in contents(bo).items() if "then" in name} == kept
    assert (ann / FIRST).read_bytes() == work[ann] and contents(clone / "notebooks") == updated
    run("--folder", bo)
    assert "changed" not in capsys.readouterr().out  # and what was kept is nobody's copy


def test_new_outputs_alone_are_no_change(clone, capsys):
    run()
    (clone / "notebooks" / FIRST).write_bytes(notebook(["2 + 2"], outputs=["four"]))
    run()
    assert "changed" not in capsys.readouterr().out.split("\n", 1)[1]


def test_what_a_reader_broke_or_never_touched(clone, capsys):
    """A file that is no notebook any more is theirs too; a copy that is as it came leaves nothing behind."""
    run()
    own = clone / "my-notebooks" / FIRST
    own.write_bytes(b"{ oops")
    run()
    assert own.read_bytes() == b"{ oops" and "changed" not in capsys.readouterr().out.replace(str(clone), "")
    run("--reset", "00", "--reset", "01")
    kept = [path.read_bytes() for path in (clone / "my-notebooks").glob("*_*_*-*")]
    assert kept == [b"{ oops"] and sources(own)[1] == ["2 + 2"]
    own.unlink()
    run("--reset", "00")
    assert sources(own)[1] == ["2 + 2"] and len(contents(clone / "my-notebooks")) == 3


def test_what_is_saved_during_a_reset_is_kept(clone, monkeypatch):
    """JupyterLab saves by itself: between the reading and the writing of a copy too."""
    run()
    own = clone / "my-notebooks" / FIRST
    own.write_bytes(b"mine")
    real = Path.read_bytes

    def read_bytes(path):
        found = real(path)
        if path == own:
            own.write_bytes(b"mine, and a line more")
        return found

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    kept = copies.reset(clone / "notebooks" / FIRST, own.parent)
    monkeypatch.undo()
    assert kept.read_bytes() == b"mine, and a line more"


def test_a_clone_that_is_read_only(clone, tmp_path, capsys, monkeypatch):
    """As on a shared hub: everyone's copy is in a home folder."""
    real = os.access
    monkeypatch.setattr(
        files.os, "access", lambda path, mode: not Path(path).is_relative_to(clone) and real(path, mode)
    )
    run()
    said, home = capsys.readouterr().out, tmp_path / "home" / "my-notebooks"
    assert said.count("\n") == 1 and f"{home}, since {clone} cannot be written to" in said
    assert len(contents(home)) == 2 and not (clone / "my-notebooks").exists()
    run("--folder", clone / "mine", status=1)
    assert "cannot be written to: choose another place" in capsys.readouterr().err
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    run(status=1)
    assert capsys.readouterr().err.count("\n") == 1


def test_refusals(clone, capsys):
    run("--folder", clone / "notebooks", status=2)
    assert "holds the originals" in capsys.readouterr().err
    run("--stored", "--reset", "00", status=2)
    (clone / "notebooks" / "01_two.ipynb").write_text("<<<<<<< HEAD")
    run(status=1)
    assert "01_two.ipynb cannot be read as a notebook" in capsys.readouterr().err
    with pytest.raises(DataError):
        copies.fresh(clone / "notebooks" / "01_two.ipynb")


def test_the_originals_are_opened_when_asked_for(clone, capsys):
    run("--stored")
    assert capsys.readouterr().out == "" and not (clone / "my-notebooks").exists()


@pytest.mark.parametrize("where, top, address", [
    ("clone/my-notebooks", "clone", "my-notebooks"), ("clone/notebooks", "clone", "notebooks"),
    ("home/my course", "home/my course", ""),
    ("clone/my own", "clone", "my own"),
])  # fmt: skip
def test_jupyterlab_opens_the_copy(where, top, address, tmp_path):
    """It shows the clone where the copy is in it: its readers look at the package too."""
    command = lab.command(tmp_path / "clone", True, [], tmp_path / where)
    (opened,) = (word.split("=/lab/tree/")[1] for word in command if word.startswith("--LabApp.default_url="))
    assert f"--ServerApp.root_dir={tmp_path / top}" in command and " " not in opened
    assert tmp_path / top / unquote(opened) == tmp_path / where / FIRST and address in unquote(opened)


def test_a_copy_far_from_its_clone_finds_the_data(tmp_path, monkeypatch):
    monkeypatch.delenv("MINIDIFF_DATA", raising=False)
    clone = tmp_path / "clone"
    assert lab.environment(clone, tmp_path / "away")["MINIDIFF_DATA"] == str(clone / "data")
    assert "MINIDIFF_DATA" not in lab.environment(clone, clone / "my-notebooks") | lab.environment(ROOT, tmp_path)
    monkeypatch.setenv("MINIDIFF_DATA", "theirs")
    assert lab.environment(clone, tmp_path / "away")["MINIDIFF_DATA"] == "theirs"


def test_jupyterlab_is_told_no_news_and_to_wrap_lines(monkeypatch, tmp_path):
    """By JupyterLab's own reader of its settings; each setting must be one that it knows."""
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    assert settings_utils._get_overrides(str(tmp_path)) == ({}, "")
    path = lab.environment(ROOT)["JUPYTER_CONFIG_PATH"]
    assert path.split(os.pathsep)[0] == str(tmp_path)  # what the reader has set goes first
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", path)
    told, error = settings_utils._get_overrides(str(tmp_path))
    assert not error and told == json.loads((lab.SETTINGS / "labconfig" / "default_setting_overrides.json").read_text())
    schemas = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
    for name, values in told.items():
        package, _, plugin = name.partition(":")
        schema = json.loads((schemas / package / f"{plugin}.json").read_text())
        assert values.keys() <= schema["properties"].keys()
    assert told["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert told["@jupyterlab/notebook-extension:tracker"]["codeCellConfig"]["lineWrap"] is True


def test_the_real_notebooks_can_be_copied():
    """Every link leads to a notebook beside it, and so works from a copy too; copying loses nothing but outputs."""
    names = {path.name for path in copies.originals(ROOT)}
    assert FIRST in names
    for path in copies.originals(ROOT):
        copy = json.loads(copies.fresh(path))
        assert [cell["source"] for cell in copy["cells"]] == sources(path)
        for cell in copy["cells"]:
            assert not cell.get("outputs")
            text = "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""
            text = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)  # code that looks like a link
            links = re.findall(r'\]\(([^)\s]+)|(?:src|href)="([^"]+)"', text)
            near = {link.partition("#")[0] for pair in links for link in pair if not re.match(r"\w+:", link)}
            assert near - {""} <= names, f"{path.name} links to {near}"


def test_git_and_pytest_leave_copies_alone():
    assert "/my-notebooks/" in (ROOT / ".gitignore").read_text().splitlines()
    assert '"--ignore-glob=*/my-notebooks"' in (ROOT / "pyproject.toml").read_text()
