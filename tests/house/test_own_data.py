"""Two hundred pictures of one's own by the command line alone: trained, stopped, resumed, trained longer, sampled."""

import io
import json
import re
import shutil
import signal
import warnings
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import minidiff
from minidiff.__main__ import main
from minidiff.data import from_array, from_folder
from minidiff.engine import begin, checkpoints, commands, resume, runs
from minidiff.engine.checkpoints import CheckpointError
from minidiff.engine.presets import OWN, Preset
from minidiff.engine.train import learning_rate
from minidiff.networks import MLP, ConvNet1d, UNet
from minidiff.networks.registry import network_for
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine
from tests.data.mixed import BROKEN, CLASSES, make

pytestmark = pytest.mark.slow

README = (Path(__file__).parents[2] / "README.md").read_text()


def small(own):
    """The network of own data, smaller."""
    shape, classes = own.x.shape[1:], len(own.names or ()) or None
    if len(shape) == 1:
        return MLP(shape[0], 8, 1, classes)
    if len(shape) == 2:
        return ConvNet1d(*shape, classes, 8, 2)
    return UNet(shape[0], tuple(shape[1:]), classes, 8, 8, 1, 1, 4, changes=1)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Small networks on the CPU, and handlers of signals that are put back."""
    monkeypatch.setenv("MINIDIFF_DEVICE", "cpu")
    for name, preset in OWN.items():
        monkeypatch.setitem(OWN, name, Preset("", preset.load, small, 12, 4, preset.lr, preset.levels, preset.augment))
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return make(tmp_path_factory.mktemp("own") / "Meine Bilder")


@pytest.fixture
def tiles(tmp_path):
    """Eight little pictures in two classes."""
    for k in range(8):
        path = tmp_path / "tiles" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(k).integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path)
    return tmp_path / "tiles"


def run(*arguments):
    try:
        return main([str(a) for a in arguments])
    except SystemExit as end:
        return end.code


def weights(folder):
    return checkpoints.read(folder / "run.safetensors")[0]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stopping(monkeypatch, step):
    """Ctrl-C in the middle of a step."""
    real = runs.train

    def train(*arguments, **options):
        for loss in real(*arguments, **options):
            if options["run"].step == step:
                signal.raise_signal(signal.SIGINT)
            yield loss

    monkeypatch.setattr(runs, "train", train)


@pytest.mark.slow
def test_by_the_command_line_alone(mixed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    read = ("--data", mixed, "--size", "8x12")
    assert run("train", *read) == 1 and BROKEN in capsys.readouterr().err
    read += ("--skip-unreadable",)
    assert run("train", *read, "--out", "whole", "--seed", 3) == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        stopping(patch, 5)
        assert run("train", *read, "--seed", 3) == 128 + signal.SIGINT
    out, err = capsys.readouterr()
    assert "Meine Bilder, 199 samples of shape (3, 8, 12), 3 classes (Bäume, Straße 2, cats)" in out
    assert "learned by heart" in out and "stopped at step 5 of 12" in out
    assert err == f"minidiff train: {mixed}: skipped what is no sound picture (1): {BROKEN}\n"
    folder = Path("runs") / "Meine Bilder"
    assert f"minidiff train --out '{folder}' --resume" in out
    assert run("train", "--out", folder, "--resume") == 0
    assert same(weights(folder), weights(Path("whole")))
    assert run("train", "--out", folder, "--resume", "--steps", 20) == 0
    card = checkpoints.read(folder / "model.safetensors")[1]
    data = from_folder_quietly(mixed, (8, 12))
    assert card["data"] == {"name": "Meine Bilder", "shape": [3, 8, 12], "shift": data.shift, "scale": data.scale,
                            "names": list(CLASSES), "examples": 199}  # fmt: skip
    assert card["record"]["steps"] == card["settings"]["steps"] == 20 and card["record"]["extended"] == [[12, 12, 20]]
    assert str(mixed.parent) not in json.dumps(card)  # it is for others
    draw = ("sample", "--checkpoint", folder / "model.safetensors", "--steps", 3)
    assert run(*draw, "--class", "straße", "--number", 4) == 0
    assert run(*draw, "--class", "straße", "--number", 4, "--out", "walk.gif") == 0
    assert run(*draw, "--each", "--out", "pictures", "--number", 12) == 0
    with Image.open("grid.png") as picture, Image.open("walk.gif") as film:
        assert abs(picture.size[0] / picture.size[1] - 12 / 8) < 0.05  # two by two of them
        assert film.n_frames == 4 and film.size == picture.size
        film.seek(3)
        np.testing.assert_allclose(film.convert("RGB"), picture.convert("RGB"), atol=64)  # in 256 colours
    names = [f"{k:02}-{('Bäume', 'Straße-2', 'cats')[k % 3]}.png" for k in range(12)]
    assert sorted(file.name for file in Path("pictures").iterdir()) == names
    again = from_folder("pictures", (8, 12))
    assert again.x.shape == (12, 3, 8, 12) and again.x.isfinite().all()
    capsys.readouterr()
    judged = ("judge", "--checkpoint", folder / "model.safetensors", "--data", mixed, "--steps", 2)
    assert run(*judged) == 1 and BROKEN in capsys.readouterr().err
    assert run(*judged, "--skip-unreadable") == 0 and "99 samples, 2m in" in capsys.readouterr().out
    assert run("card", folder / "model.safetensors") == 0 and "Bäume, Straße 2, cats" in capsys.readouterr().out


def test_the_same_in_eight_lines_of_python(mixed, tmp_path, monkeypatch):
    """The README's program with fewer steps and a smaller network: stopped, resumed and longer, to the same bits."""
    program = re.search(r"## Your own pictures.*?```python\n(.*?)```", README, re.S)[1]
    for many, few in {"5_000": "4", "1_000": "2", "8_000": "6", "(50)": "(3)", "32": "8"}.items():
        assert many in program and len(program.split("\n\n")[2].splitlines()) == 8
        program = program.replace(many, few)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(mixed, "my-pictures")
    Path("my-pictures", BROKEN).unlink()
    monkeypatch.setattr(minidiff, "UNet", partial(UNet, width=8, deep_width=8, deep_blocks=1))
    names = {}
    torch.manual_seed(0)
    exec(program, names)
    assert len(names["film"]) == 3 and names["film"][-1].shape == (16, 3, 8, 8) and names["run"].step == 6
    torch.manual_seed(0)
    run = minidiff.Run(LearnedDenoiser(minidiff.UNet(channels=3, size=8, classes=3), cosine))
    for steps in (4, 6):
        minidiff.last(minidiff.train(run.denoiser, names["pictures"], steps=steps, run=run))
    assert same(dict(run.average.state_dict()), dict(names["run"].average.state_dict()))


def from_folder_quietly(folder, size):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_folder(folder, size, unreadable="skip")


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(tiles, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(commands, "seconds_a_step", lambda *_: 100.0)
    assert run("train", "--data", tiles, "--size", 8, "--channels", 1, "--batch", 5, "--lr", 0.5, "--dry-run") == 0
    out = capsys.readouterr().out
    size = sum(p.numel() for p in small(from_folder(tiles, 8, channels=1)).parameters())
    for part in ("tiles, 8 samples of shape (1, 8, 8), 2 classes (a, b)", f"UNet, {size:,} parameters", "12 steps of 5",
                 "rate 0.5, on cpu", "100 s a step, 20 min for 12 more; nothing was written"):  # fmt: skip
        assert part in out, part
    assert sorted(tmp_path.rglob("*")) == before
    monkeypatch.undo()
    pace = runs.seconds_a_step(*(lambda job: (job.run.denoiser, job.data, job.settings))(begin("rings")))
    assert 1e-5 < pace < 10


def test_where_nobody_watches_a_line_a_minute_says_how_it_goes(tiles, tmp_path, monkeypatch, capsys):
    now = [0.0]
    job = begin(own={"path": tiles, "size": 8}, steps=10)
    real = runs.train

    def train(*arguments, **options):
        for loss in real(*arguments, **options):
            now[0] += 25
            yield loss

    monkeypatch.setattr(runs, "train", train)
    monkeypatch.setattr(commands.time, "monotonic", lambda: now[0])
    losses = [float(loss) for loss in commands._reported(job)]
    want = [
        f"step {k} of 10, loss {losses[k - 1]:.3f}, {left} left"
        for k, left in ((3, "3 min"), (6, "100 s"), (9, "25 s"))
    ]
    assert capsys.readouterr().out.splitlines() == want
    monkeypatch.setattr(commands, "quiet", lambda: False)
    for _ in commands._reported(begin(own={"path": tiles, "size": 8}, steps=10)):
        pass
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "seconds, said", [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h")]
)
def test_times_are_told_in_the_unit_that_suits_them(seconds, said):
    assert commands._clock(seconds) == said


# ---- longer


def test_a_longer_training_goes_on_as_if_so_much_had_been_planned(tiles, tmp_path, monkeypatch):
    """From where it stands: the learning rates are those of the longer plan, and a stop in the middle changes no bit."""
    seen, real = [], runs.TrainState.advance
    spied = lambda run, loss, lr, wait=True: (seen.append(lr), real(run, loss, lr, wait))[1]
    monkeypatch.setattr(runs.TrainState, "advance", spied)
    own = {"path": tiles, "size": 8}
    job = begin(own=own, steps=6)
    list(job.losses())
    job.save(tmp_path, 1.0)
    assert seen == [learning_rate(k, 6, job.settings["lr"]) for k in range(6)]
    seen.clear()
    longer = resume(tmp_path, steps=15)
    whole = [float(loss) for loss in longer.losses()]
    assert seen == [learning_rate(k, 15, job.settings["lr"]) for k in range(6, 15)] and longer.run.step == 15
    parts = resume(tmp_path, steps=15)
    begun = [float(loss) for loss in islice(parts.losses(), 4)]
    parts.save(tmp_path, 1.0)
    again = resume(tmp_path)
    assert begun + [float(loss) for loss in again.losses()] == whole and again.settings["steps"] == 15
    assert again.record["extended"] == [[6, 6, 15]]
    again.save(tmp_path, 1.0)
    for steps in (15, 14, 1):
        with pytest.raises(ValueError, match=f"15 were planned, 15 are taken: give more than {steps}"):
            resume(tmp_path, steps=steps)
    assert len(resume(tmp_path, steps=17).record["extended"]) == 2


def test_a_plan_may_grow_before_its_end_and_may_be_repeated(tiles, tmp_path):
    job = begin(own={"path": tiles, "size": 8}, steps=6)
    list(islice(job.losses(), 2))
    job.save(tmp_path, 1.0)
    assert len(list(resume(tmp_path, steps=6).losses())) == 4
    assert len(list(resume(tmp_path, steps=9).losses())) == 7


def test_the_curve_of_a_longer_training_goes_on(tiles, tmp_path):
    job = begin(own={"path": tiles, "size": 8}, steps=4)
    list(job.losses())
    job.save(tmp_path, 1.0)
    longer = resume(tmp_path, steps=8)
    list(longer.losses())
    assert [step for step, _ in longer.record["losses"]] == list(range(1, 9))


# ---- finding the data again


def test_data_that_moved_are_named_again_and_data_that_changed_are_refused(tiles, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("train", "--data", tiles, "--size", 8, "--out", out, "--steps", 2) == 0
    before = (out / "run.safetensors").read_bytes()
    moved = tiles.rename(tmp_path / "moved")
    capsys.readouterr()
    refusals = [(1, ("--steps", 4), "say where they are, --data PATH")]
    assert run("train", "--out", out, "--resume", "--data", tmp_path / "nowhere") == 2
    assert "no file, no folder" in capsys.readouterr().err
    for status, options, said in refusals:
        assert run("train", "--out", out, "--resume", *options) == status
        err = capsys.readouterr().err
        assert said in err and err.count("\n") == 1
    assert (out / "run.safetensors").read_bytes() == before
    assert run("train", "--out", out, "--resume", "--steps", 4, "--data", moved) == 0
    card = checkpoints.read(out / "run.safetensors")[1]
    assert card["source"]["path"] == str(moved.resolve()) and card["data"]["name"] == "moved"
    (moved / "a" / "0.png").unlink()
    capsys.readouterr()
    assert run("train", "--out", out, "--resume", "--steps", 6) == 1
    assert "does not hold the data of before" in (err := capsys.readouterr().err) and err.count("\n") == 1


def test_a_preset_has_data_of_its_own(tiles, tmp_path):
    job = begin("rings", steps=1)
    job.save(tmp_path, 1.0)
    with pytest.raises(ValueError, match="preset rings, which has data of its own"):
        resume(tmp_path, path=tiles)
    with pytest.raises(ValueError, match="must be one of"):
        begin("images")
    assert checkpoints.read(tmp_path / "run.safetensors")[1]["source"] is None


JUNK = [None, 5, "", [], {}, {"path": 3}, [[1]]]


@pytest.mark.parametrize("place", ["source", "source.path", "source.size", "source.channels", "source.fit", "source.axes",
                                   "source.unreadable", "source.sha256", "record.extended",
                                   "record.init_tensors"])  # fmt: skip
def test_a_card_of_another_make_gets_one_sentence(place, tiles, tmp_path, capsys):
    job = begin(own={"path": tiles, "size": 8}, steps=2)
    job.save(tmp_path / "run", 1.0)
    tensors, card = checkpoints.read(tmp_path / "run" / "run.safetensors")
    for junk in JUNK:
        if (place, junk) not in (("record.extended", []),):
            parts = place.split(".")
            inner = {**card[parts[0]], parts[1]: junk} if len(parts) > 1 else junk
            checkpoints.write(tmp_path / "run" / "run.safetensors", tensors, {**card, parts[0]: inner})
            assert run("train", "--out", tmp_path / "run", "--resume", "--steps", 5) == 1, junk
            err = capsys.readouterr().err
            assert err.count("\n") == 1 and "Traceback" not in err


# ---- arrays, points and signals


@pytest.mark.parametrize("kind, shape, options, network", [
    ("points", (30, 5), [], "MLP"),
    ("signals", (30, 2, 16), ["--axes", "NCL"], "ConvNet1d"),
    ("signals", (30, 16), ["--axes", "NL"], "ConvNet1d"),
    ("images", (30, 8, 8, 3), [], "UNet"),
    ("images", (30, 8, 12), [], "UNet"),
])  # fmt: skip
@pytest.mark.parametrize("labels", [False, True])
def test_arrays_in_files(kind, shape, options, network, labels, tmp_path):
    x = np.random.default_rng(0).random(shape)
    named = {"x": x, "y": np.arange(30) % 3} if labels else {"x": x}
    np.savez(tmp_path / "mine.npz", **named)
    out = tmp_path / "out"
    assert run("train", "--data", tmp_path / "mine.npz", *options, "--out", out, "--steps", 3) == 0
    card = checkpoints.read(out / "model.safetensors")[1]
    data = from_array(tmp_path / "mine.npz", axes=options[1] if options else None)
    assert card["settings"]["preset"] == kind and card["network"]["name"] == network
    assert card["data"]["name"] == "mine.npz" and card["data"]["shape"] == list(data.x.shape[1:])
    assert card["data"]["names"] == (["0", "1", "2"] if labels else []) and card["data"]["scale"] == data.scale
    assert run("train", "--out", out, "--resume", "--steps", 5) == 0
    assert (
        run(
            "sample",
            "--checkpoint",
            out / "model.safetensors",
            "--out",
            tmp_path / "a.png",
            "--number",
            4,
            "--steps",
            2,
        )
        == 0
    )
    assert np.asarray(Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).convert("L")).std() > 1


@pytest.mark.parametrize("shape, classes, kind, config", [
    ((2,), 0, MLP, {"dim": 2, "width": 128, "classes": None}),
    ((40,), 3, MLP, {"dim": 40, "width": 512, "classes": 3}),
    ((2, 64), 2, ConvNet1d, {"channels": 2, "length": 64, "depth": 6, "classes": 2}),
    ((1, 5000), 0, ConvNet1d, {"depth": 10}),
    ((1, 3), 0, ConvNet1d, {"depth": 4}),
    ((3, 32, 32), 0, UNet, {"channels": 3, "size": 32, "deep_blocks": 4, "groups": 4, "changes": 1}),
    ((1, 48, 64), 5, UNet, {"size": [48, 64], "deep_blocks": 6, "classes": 5}),
    ((3, 128, 64), 0, UNet, {"deep_blocks": 8}),
])  # fmt: skip
def test_the_network_goes_with_the_samples(shape, classes, kind, config):
    with torch.device("meta"):
        net = network_for(shape, classes)
    assert isinstance(net, kind) and net.config == {**net.config, **config}


# ---- a warm start


def test_a_warm_start_takes_what_fits(tiles, tmp_path, capsys):
    torch.manual_seed(0)
    net = UNet(3, 16, 5, 8, 8, 1, 1, 4)  # larger images, more classes, told of no changes
    torch.nn.init.normal_(net.last.weight)
    checkpoints.save(tmp_path / "old.safetensors", LearnedDenoiser(net, cosine, "eps"))
    job = begin(own={"path": tiles, "size": 8}, init=tmp_path / "old.safetensors", seed=4)
    mine = job.run.denoiser.net
    assert mine.config == {**net.config, "size": 8, "classes": 2} and job.run.denoiser.target == "eps"
    other = [name for name, value in mine.state_dict().items() if value.shape != net.state_dict()[name].shape]
    assert other == ["condition.table.weight"]
    for name, value in mine.state_dict().items():
        assert name in other or torch.equal(value, net.state_dict()[name])
    count = len(net.state_dict())
    assert job.record["init"] == "old.safetensors" and job.record["init_tensors"] == [count - 1, count]
    assert job.settings["augment"] == []
    assert len(list(job.losses())) == 12
    assert run("train", "--data", tiles, "--size", 8, "--init", tmp_path / "old.safetensors", "--out", tmp_path / "x",
               "--steps", 1) == 0  # fmt: skip
    assert f"begins with {count - 1} of {count} tensors of old.safetensors" in capsys.readouterr().out
    record = checkpoints.read(tmp_path / "x" / "model.safetensors")[1]["record"]
    assert record["init"] == "old.safetensors" and str(tmp_path) not in json.dumps(record)
    next_one = begin(own={"path": tiles, "size": 8}, init=tmp_path / "x" / "model.safetensors")
    assert next_one.record["init_tensors"] == [count, count]


def test_a_warm_start_augments_as_the_model_was_augmented(tiles, tmp_path):
    first = begin(own={"path": tiles, "size": 8}, steps=1)
    first.save(tmp_path, 1.0)
    assert begin(own={"path": tiles, "size": 12}, init=tmp_path / "model.safetensors").settings["augment"] == ["flip"]


def test_a_model_of_another_kind_is_no_beginning(tiles, tmp_path, capsys):
    checkpoints.save(tmp_path / "points.safetensors", LearnedDenoiser(MLP(dim=2, width=8), cosine))
    with pytest.raises(CheckpointError, match="points.safetensors"):
        begin(own={"path": tiles, "size": 8}, init=tmp_path / "points.safetensors")
    assert run("train", "--data", tiles, "--size", 8, "--init", tmp_path / "none", "--out", tmp_path / "x") == 1
    assert not (tmp_path / "x").exists() and capsys.readouterr().err.count("\n") == 1


def test_batch_and_learning_rate_are_settings(tmp_path):
    out = tmp_path / "out"
    assert (
        run("train", "--data", "rings", "--steps", 2, "--batch", 7, "--lr", 0.25, "--device", "cpu", "--out", out) == 0
    )
    settings = checkpoints.read(out / "model.safetensors")[1]["settings"]
    assert (settings["batch"], settings["lr"]) == (7, 0.25)
    for wrong in ({"batch": 0}, {"batch": 2.5}, {"lr": -1.0}, {"lr": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            begin("rings", steps=1, **wrong)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there(tmp_path, capsys):
    assert run("train", "--data", "rings", "--device", "cuda", "--out", tmp_path / "x") == 2
    assert "the device is 'cuda'" in capsys.readouterr().err and not (tmp_path / "x").exists()
