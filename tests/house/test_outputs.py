"""What the commands write, and over what: nothing is lost that nobody asked to lose."""

import json
import os
import shutil

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from minidiff.__main__ import main
from minidiff.course import notebooks
from minidiff.engine.checkpoints import read, save
from minidiff.evaluation import judge
from minidiff.networks import MLP, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine

posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def model(tmp_path):
    data = {"name": "dots", "shape": [2], "shift": 0.0, "scale": 1.0, "names": []}
    save(path := tmp_path / "model.safetensors", LearnedDenoiser(MLP(2, width=8, depth=1), cosine), {"data": data})
    return path


@pytest.fixture(autouse=True)
def nothing_is_renamed_onto_a_device(monkeypatch):
    """Were a device not refused, root would lose /dev/null."""
    replace = os.replace

    def guarded(source, target):
        assert not str(target).startswith("/dev"), target
        replace(source, target)

    monkeypatch.setattr(os, "replace", guarded)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def sample(model, out, *more):
    return main(["sample", "--checkpoint", str(model), "--out", str(out), "--number", "2", "--steps", "1", *more])


def refused(capsys, status, said=""):
    out, err = capsys.readouterr()
    assert status in (1, 2) and not out and err.count("\n") == 1 and said in err, (status, out, err)


@posix
@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("what", ["folder", "pipe", "loop", "device", "link to a device", "below a file", "the model",
                                  "link to the model", "hard link to the model"])  # fmt: skip
def test_sample_refuses_to_write_over_what_is_no_file_of_its_own(what, force, model, tmp_path, capsys):
    out = tmp_path / "out.png"
    make = {
        "folder": out.mkdir,
        "pipe": lambda: os.mkfifo(out),
        "loop": lambda: out.symlink_to(out),
        "device": lambda: None,
        "link to a device": lambda: out.symlink_to("/dev/null"),
        "below a file": lambda: None,
        "the model": lambda: None,
        "link to the model": lambda: out.symlink_to(model),
        "hard link to the model": lambda: os.link(model, out),
    }
    make[what]()
    out = {"device": "/dev/null", "below a file": model / "x.png", "the model": model}.get(what, out)
    before = contents(tmp_path)
    refused(capsys, sample(model, out, *force))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "content", [b"", b"thesis", b"\x89PNX\r\n\x1a\n", b"GIF89a", PNG[:7], b" " + PNG, PNG + b"a photograph"]
)
def test_sample_writes_over_no_file_that_is_no_png_of_its_own_unless_forced(content, model, tmp_path, capsys):
    out = tmp_path / "thesis.png"
    out.write_bytes(content)
    refused(capsys, sample(model, out), "add --force")
    assert out.read_bytes() == content
    assert sample(model, out, "--force") == 0 and out.read_bytes().startswith(PNG)


def test_sample_writes_over_a_png_of_its_own(model, tmp_path):
    assert sample(model, tmp_path / "x.png") == 0
    first = (tmp_path / "x.png").read_bytes()
    assert sample(model, tmp_path / "x.png", "--number", "9") == 0
    assert (tmp_path / "x.png").read_bytes() != first


def test_sample_that_is_refused_makes_no_folder(model, tmp_path, capsys):
    refused(capsys, sample(model, tmp_path / "a" / "b" / "x.png", "--class", "hat"))
    assert not (tmp_path / "a").exists()


# ---- train


def train(folder, *more):
    return main(["train", "--out", str(folder), *more])


def test_train_does_not_write_over_a_model(tmp_path, capsys):
    """One that was downloaded or moved there, without its run."""
    assert train(tmp_path / "run", "--preset", "two-moons", "--steps", "1") == 0
    (tmp_path / "run" / "run.safetensors").unlink()
    before = contents(tmp_path / "run")
    capsys.readouterr()
    refused(capsys, train(tmp_path / "run", "--preset", "rings", "--steps", "1"), "already holds a model")
    assert contents(tmp_path / "run") == before
    refused(capsys, train(tmp_path / "run", "--resume"), "nothing to resume")
    assert contents(tmp_path / "run") == before


@posix
@pytest.mark.parametrize("name", ["model.safetensors", "run.safetensors"])
@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_train_refuses_a_folder_where_its_files_could_not_be(name, what, tmp_path, capsys):
    (tmp_path / name).mkdir() if what == "folder" else os.mkfifo(tmp_path / name)
    for more in (["--preset", "two-moons", "--steps", "1"], ["--resume"]):
        refused(capsys, train(tmp_path, *more))
    assert {path.name for path in tmp_path.iterdir()} <= {name, ".lock"}


@posix
def test_a_lock_that_is_a_link_is_not_followed(tmp_path, capsys):
    """It would be opened for writing, and cut to nothing."""
    (tmp_path / "thesis").write_bytes(b"precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "thesis")
    refused(capsys, train(tmp_path / "run", "--preset", "two-moons", "--steps", "1"), "is a link")
    assert contents(tmp_path) == {"thesis": b"precious"} and len(list((tmp_path / "run").iterdir())) == 1


def test_resuming_where_nothing_is_makes_no_folder(tmp_path, capsys):
    refused(capsys, train(tmp_path / "none", "--resume"), "nothing to resume")
    assert not list(tmp_path.iterdir())


def test_a_resume_whose_first_step_fails_has_written_nothing(tmp_path, capsys, monkeypatch):
    """Whatever it fails of: what it was resumed from is not saved again before a step has been taken."""
    assert train(tmp_path, "--preset", "two-moons", "--steps", "5", "--save-every", "0") == 0
    tensors, card = read(tmp_path / "run.safetensors")
    card["step"] = 3
    write = read.__globals__["write"]
    write(tmp_path / "run.safetensors", tensors, card)
    before = contents(tmp_path)
    capsys.readouterr()

    def broken(self):
        raise ValueError("this step cannot be taken, whatever it is")
        yield

    monkeypatch.setattr("minidiff.engine.runs.Training.losses", broken)
    refused(capsys, train(tmp_path, "--resume", "--save-every", "0"), "cannot be taken")
    assert contents(tmp_path) == before


# ---- judge


@pytest.fixture
def judged(tmp_path):
    data = {"name": "fashion-mnist", "shape": [1, 28, 28], "shift": 0.3, "scale": 0.4, "names": list("abcdefghij")}
    net = UNet(classes=10, width=8, deep_width=8, deep_blocks=1)
    save(
        path := tmp_path / "judged.safetensors", LearnedDenoiser(net, cosine), {"data": data, "record": {"losses": []}}
    )
    return path


def scored(monkeypatch, during):
    names = [f"{name}{part}" for name in ("frechet_distance", "kernel_distance", "precision", "recall", "agreement")
             for part in ("", "_error", "_floor")]  # fmt: skip

    def score(denoiser, **options):
        """Score."""
        during()
        return dict.fromkeys(names, 0.5)

    monkeypatch.setattr("minidiff.evaluation.commands.score", score)


def other(path, seed, **card):
    torch.manual_seed(seed)
    save(
        path, LearnedDenoiser(UNet(classes=10, width=8, deep_width=8, deep_blocks=1), cosine), {**read(path)[1], **card}
    )


def test_judge_records_what_it_scored(judged, monkeypatch):
    scored(monkeypatch, lambda: None)
    before = read(judged)
    assert main(["judge", "--checkpoint", str(judged), "--record"]) == 0
    tensors, card = read(judged)
    assert card["record"]["metrics"]["recall"] == 0.5 and all(torch.equal(v, tensors[k]) for k, v in before[0].items())
    assert card == before[1] | {"record": {"losses": [], "metrics": card["record"]["metrics"]}}


@pytest.mark.parametrize("what", ["weights", "card", "gone"])
def test_judge_does_not_label_other_weights_than_it_scored(what, judged, monkeypatch, capsys):
    """A training that went on has written others meanwhile; so has whoever exchanged the file."""
    during = {"weights": lambda: other(judged, 7), "card": lambda: other(judged, 0, note="new"), "gone": judged.unlink}
    torch.manual_seed(0)
    other(judged, 0)
    scored(monkeypatch, during[what])
    assert main(["judge", "--checkpoint", str(judged), "--record"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and ("nothing recorded" in err or what == "gone")
    if what != "gone":
        assert "metrics" not in read(judged)[1]["record"]


def test_judge_asks_for_a_record_before_it_scores(judged, monkeypatch, capsys):
    tensors, card = read(judged)
    del card["record"]
    read.__globals__["write"](judged, tensors, card)
    scored(monkeypatch, lambda: pytest.fail("it was scored for nothing"))
    refused(capsys, main(["judge", "--checkpoint", str(judged), "--record"]), "record.losses")


def test_the_judge_that_ships_is_not_written_over(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "fashion_mnist", lambda *_: pytest.fail("it began to train"))
    shutil.copy(judge.find("judge.safetensors"), tmp_path / "judge.safetensors")
    monkeypatch.setenv("MINIDIFF_DATA", str(tmp_path))
    with pytest.raises(FileExistsError, match="ships with minidiff"):
        judge.main(tmp_path / "judge.safetensors")
    with pytest.raises(IsADirectoryError):
        judge.main(tmp_path)


# ---- notebooks


@pytest.mark.parametrize("what", ["saved", "gone", "nothing"])
def test_a_notebook_that_was_saved_while_it_ran_is_not_written_over(what, tmp_path, monkeypatch, capsys):
    """Twenty minutes of running, and an author who goes on writing meanwhile."""
    path = tmp_path / "n.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1 + 1", id="a")]), path)

    def edit():
        notebook = json.loads(path.read_text())
        notebook["cells"][0]["source"] = "2 + 2  # an hour's thought"
        path.write_text(json.dumps(notebook))

    def execute(client, **options):
        client.nb.cells[0].execution_count = 1
        {"saved": edit, "gone": path.unlink, "nothing": lambda: None}[what]()

    monkeypatch.setattr(notebooks, "_execute", execute)
    assert notebooks.main_run([path]) == int(what != "nothing")
    err = capsys.readouterr().err
    if what == "saved":
        assert "saved by another program while it ran" in err and "an hour's thought" in path.read_text()
    assert path.exists() is (what != "gone") and (
        'execution_count": 1' in path.read_text() if what == "nothing" else True
    )
