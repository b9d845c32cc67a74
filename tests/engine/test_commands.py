"""The commands train, sample and judge: what they hand on, when they save, and what they say.

The model is a tiny one, the clock is a stand-in that ticks once at each look, and the pictures are made again by hand.
"""

import argparse
import io
import signal
from importlib import import_module
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.__main__ import main, parser
from minidiff.data import Data
from minidiff.engine import checkpoints, commands, presets, runs
from minidiff.engine.commands import number
from minidiff.engine.generate import SAMPLERS, generate, streams, times_for
from minidiff.engine.presets import Preset
from minidiff.engine.runtime import device_name
from minidiff.networks import MLP, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine, start
from minidiff.show import commands as sampling
from minidiff.show.pixels import tile
from minidiff.show.samples import drawn as drawn_picture

POINTS = Data(
    torch.randn(30, 2, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 3, names=("a", "b", "c")
)
NAMES = ["hat", "left shoe", "right shoe"]


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """On the CPU, with handlers of signals that are put back."""
    monkeypatch.setenv("MINIDIFF_DEVICE", "cpu")
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.fixture
def plane(monkeypatch):
    for name in ("rings", "two-moons", "fashion-small"):
        preset = Preset(name, lambda: POINTS, lambda points: MLP(dim=2, width=8, depth=1, classes=3), 12, batch=6)
        monkeypatch.setitem(presets.PRESETS, name, preset)


@pytest.fixture
def clock(monkeypatch):
    """A clock that a training step advances by ten seconds, and nothing else."""
    clock = SimpleNamespace(now=1000.0)
    real = runs.train

    def train(*arguments, **options):
        for loss in real(*arguments, **options):
            clock.now += 10
            yield loss

    monkeypatch.setattr(runs, "train", train)
    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def saves(monkeypatch):
    """(step, seconds) of every save; nothing is written."""
    seen = []

    def save(job, folder, seconds):
        seen.append((job.run.step, seconds))
        job.record["seconds"] = seconds

    monkeypatch.setattr(runs.Training, "save", save)
    return seen


def run(*arguments):
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


# ---- arguments


@pytest.mark.parametrize("kind, low, high, good, bad", [
    (int, 1, 10, {"1": 1, "10": 10, " 7 ": 7}, ["0", "11", "2.5", "x", "", "nan", "inf", "1e1"]),
    (float, 0.5, 2.0, {"0.5": 0.5, "2": 2.0, "1e0": 1.0}, ["0.49", "2.01", "nan", "inf", "-inf", "x"]),
    (float, 0, float("inf"), {"0": 0.0, "1e9": 1e9}, ["-0.1", "inf", "nan"]),
])  # fmt: skip
def test_a_number_is_finite_of_its_kind_and_within_its_range(kind, low, high, good, bad):
    parse = number(kind, low, high)
    for text, value in good.items():
        assert parse(text) == value and type(parse(text)) is kind
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError) as error:
            parse(text)
        said = str(error.value)
        assert repr(text) in said and ("a whole number" in said) == (kind is int)
        assert (f"from {low} to {high}" if high < float("inf") else f"at least {low}") in said


@pytest.mark.parametrize("command, defaults", [
    ("sample", {"out": None, "checkpoint": None, "number": 64, "label": None, "steps": None, "sampler": "2m",
                "guidance": None, "temperature": 1.0, "seed": 0}),
    ("train", {"preset": None, "data": None, "steps": None, "minutes": None, "out": None, "resume": False, "seed": None,
               "save_every": 60.0}),
    ("judge", {"checkpoint": None, "number": 10_000, "sampler": "2m", "steps": None, "guidance": 1.0, "seed": 0, "remake": False, "record": False}),
])  # fmt: skip
def test_defaults_are_those_of_the_readme_and_stand_in_the_help(command, defaults, capsys):
    a = vars(parser().parse_args([command]))
    assert {name: a[name] if name != "out" or a[name] is None else str(a[name]) for name in defaults} == defaults
    assert run(command, "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert command != "sample" or "(default: grid.png; with --each, the folder samples)" in said
    for value in defaults.values():
        assert value in (None, False) or f"(default: {value})" in said


@pytest.mark.parametrize("command, flag, low, high, below, above", [
    ("sample", "--number", "1", "10000", "0", "10001"),
    ("sample", "--steps", "1", "10000", "0", "10001"),
    ("sample", "--guidance", "0", "100", "-0.1", "100.1"),
    ("sample", "--temperature", "0", "10", "-0.1", "10.1"),
    ("sample", "--seed", "0", str(2**63 - 1), "-1", str(2**63)),
    ("train", "--steps", "1", "100000", "0", "0.5"),
    ("train", "--minutes", "0.01", "1000", "0.009", "0"),
    ("train", "--seed", "0", str(2**32 - 1), "-1", "x"),
    ("train", "--batch", "1", "65536", "0", "65537"),
    ("train", "--lr", "0", "1000", "-0.1", "1000.1"),
    ("train", "--save-every", "0", "1e6", "-1", "x"),
    ("judge", "--number", "200", "10000", "199", "10001"),
    ("judge", "--steps", "1", "10000", "0", "10001"),
    ("judge", "--seed", "0", str(2**63 - 1), "-1", str(2**63)),
])  # fmt: skip
def test_numbers_out_of_range_are_refused_and_the_ends_are_not(command, flag, low, high, below, above, capsys):
    name = flag[2:].replace("-", "_")
    for text in (low, high):
        value = vars(parser().parse_args([command, flag, text]))[name]
        assert value == type(value)(text)
    for text in (below, above):
        assert run(command, flag, text) == 2 and flag in capsys.readouterr().err


@pytest.mark.parametrize("flag, text", [
    ("--minutes", "1e308"),
    ("--minutes", "525601"),
    ("--minutes", "nan"),
    ("--minutes", "1e-400"),
    ("--steps", "1" + 400 * "0"),
    ("--steps", "1" + 5000 * "0"),  # more digits than Python reads
    ("--save-every", "1e400"),
])  # fmt: skip
def test_numbers_beyond_all_bounds_get_one_short_sentence(flag, text, tmp_path, capsys):
    assert run("train", "--preset", "rings", flag, text, "--out", tmp_path / "out") == 2
    err = capsys.readouterr().err
    assert f"argument {flag}: '{text[:30]}" in err and err.count("\n") == 1 and len(err) < 200
    assert not (tmp_path / "out").exists()


# ---- train


@pytest.mark.parametrize("every, steps", [
    (0, [0, 1, 2, 3, 4, 5, 6]),
    (15, [0, 2, 4, 6]),
    (25, [0, 3, 6]),
    (45, [0, 5, 6]),
    (10_000, [0, 6]),
])  # fmt: skip
def test_it_saves_at_once_then_every_so_many_seconds_and_at_the_end(
    every, steps, plane, clock, saves, tmp_path, capsys
):
    assert run("train", "--preset", "rings", "--steps", 6, "--out", tmp_path, "--save-every", every) == 0
    assert saves == [(step, 10 * step) for step in steps]
    assert "after 6 steps in 60 s" in capsys.readouterr().out


def test_unless_told_otherwise_it_saves_every_minute(plane, clock, saves, tmp_path):
    assert run("train", "--preset", "rings", "--steps", 20, "--out", tmp_path) == 0
    assert [step for step, _ in saves] == [0, 7, 14, 20]  # more than 60 s after the last


def test_seconds_go_on_counting_after_a_resume(plane, clock, tmp_path, capsys):
    """They are the time all parts of a training took together; what lies between two parts does not count."""
    job = runs.begin("rings")
    for _ in islice(job.losses(), 5):
        pass
    job.save(tmp_path, 50.0)
    clock.now += 12_345
    assert run("train", "--out", tmp_path, "--resume", "--save-every", 10_000) == 0
    for name in ("model.safetensors", runs.RUN):
        assert checkpoints.read(tmp_path / name)[1]["record"]["seconds"] == 120
    assert "after 12 steps in 120 s" in capsys.readouterr().out


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", [1, 4])
def test_a_signal_ends_it_after_the_step_in_hand(asked, when, plane, tmp_path, monkeypatch, capsys):
    real = runs.train

    def train(*arguments, **options):
        for k, loss in enumerate(real(*arguments, **options), start=1):
            if k == when:
                signal.raise_signal(asked)
            yield loss

    monkeypatch.setattr(runs, "train", train)
    assert run("train", "--preset", "rings", "--out", tmp_path, "--save-every", 10_000) == 128 + asked
    said = capsys.readouterr().out
    assert f"stopped at step {when} of 12" in said and f"minidiff train --out {tmp_path} --resume" in said
    assert checkpoints.read(tmp_path / runs.RUN)[1]["step"] == when
    monkeypatch.setattr(runs, "train", real)
    assert run("train", "--out", tmp_path, "--resume") == 0
    assert checkpoints.read(tmp_path / runs.RUN)[1]["step"] == 12 and "after 12 steps" in capsys.readouterr().out


@pytest.mark.parametrize("options, name, folder", [
    ([], "fashion-small", "runs/fashion-small"),
    (["--preset", "rings"], "rings", "runs/rings"),
    (["--data", "two-moons"], "two-moons", "runs/two-moons"),
    (["--data", "two-moons", "--out", "elsewhere"], "two-moons", "elsewhere"),
])  # fmt: skip
def test_what_is_trained_where(options, name, folder, plane, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("train", "--steps", 1, "--seed", 5, *options) == 0
    card = checkpoints.read(tmp_path / folder / "model.safetensors")[1]
    assert card["settings"]["preset"] == name and card["settings"]["seed"] == 5 and card["settings"]["steps"] == 1
    assert f"wrote {folder}/model.safetensors after 1 steps" in capsys.readouterr().out.replace("\\", "/")


def test_without_a_seed_it_is_0_and_without_steps_the_presets(plane, tmp_path):
    assert run("train", "--preset", "rings", "--out", tmp_path) == 0
    settings = checkpoints.read(tmp_path / "model.safetensors")[1]["settings"]
    assert settings["seed"] == 0 and settings["steps"] == 12


def test_minutes_reach_the_timing(plane, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        commands, "begin", lambda name, **options: (asked.append((name, options)), runs.begin(name, steps=1))[1]
    )
    assert run("train", "--preset", "rings", "--minutes", 2.5, "--out", tmp_path, "--seed", 4) == 0
    rest = dict.fromkeys(("own", "batch", "lr", "levels", "init", "device"))
    assert asked == [("rings", {"seed": 4, "steps": None, "minutes": 2.5, **rest})]


@pytest.mark.parametrize("option", [
    ("--preset", "rings"),
    ("--data", "rings"),
    ("--batch", 9),
    ("--lr", 1e-3),
    ("--init", "model.safetensors"),
    ("--minutes", 1),
    ("--seed", 0),
    ("--seed", 3),
])  # fmt: skip
def test_a_resume_takes_no_setting_back(option, plane, tmp_path, capsys):
    assert run("train", "--preset", "rings", "--steps", 1, "--out", tmp_path) == 0
    capsys.readouterr()
    assert run("train", "--out", tmp_path, "--resume", *option) == 2
    assert option[0] in capsys.readouterr().err


def test_a_folder_without_a_run_and_one_with_a_run(plane, tmp_path, capsys):
    assert run("train", "--out", tmp_path, "--resume") == 2 and "nothing to resume" in capsys.readouterr().err
    assert run("train", "--preset", "rings", "--steps", 1, "--out", tmp_path) == 0
    before = (tmp_path / runs.RUN).read_bytes()
    assert run("train", "--preset", "rings", "--steps", 1, "--out", tmp_path) == 2
    assert "already holds a run" in capsys.readouterr().err and (tmp_path / runs.RUN).read_bytes() == before


def test_only_rank_0_saves_and_speaks(plane, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(commands.ranks, "rank", lambda: 1)
    job = runs.begin("rings", steps=2)
    assert commands._fit(job, tmp_path, 0) == 0
    assert job.run.step == 2 and list(tmp_path.iterdir()) == [] and capsys.readouterr().out == ""


@pytest.mark.parametrize("there", [True, False])
def test_a_save_that_fails_says_what_is_left(there, plane, tmp_path, monkeypatch, capsys):
    def full(job, folder, seconds):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs.Training, "save", full)
    job = runs.begin("rings", steps=2)
    if there:
        (tmp_path / runs.RUN).write_bytes(b"the one before")
    with pytest.raises(OSError, match="No space left") as error:
        commands._fit(job, tmp_path, 0)
    assert "step 0" in str(error.value) and ("is whole" if there else "no checkpoint is there") in str(error.value)


# ---- sample


@pytest.fixture
def tiny(tmp_path):
    torch.manual_seed(0)
    denoiser = LearnedDenoiser(UNet(classes=3, size=8, width=8, deep_width=8, deep_blocks=1), cosine)
    for parameter in denoiser.parameters():  # a fresh U-Net answers 0 to everything
        torch.nn.init.normal_(parameter, std=0.2)
    described = {"name": "tiny", "shape": [1, 8, 8], "shift": 0.4, "scale": 0.3, "names": NAMES}
    checkpoints.save(path := tmp_path / "tiny.safetensors", denoiser, {"data": described})
    return path


def shown(path):
    return np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"))


def drawn(path, y, *, number=5, steps=8, sampler="2m", guidance=1.25, temperature=1.0, seed=0):
    """The pictures that the options describe, in original units."""
    denoiser, _ = checkpoints.load(path)
    times, own = times_for(sampler, cosine, steps), streams(seed, range(number))
    noise = temperature * start(cosine, float(times[0]), (number, 1, 8, 8), own)
    step = SAMPLERS[sampler](temperature)
    x = generate(denoiser, noise, y, step=step, times=times, guidance=guidance, generator=own)
    return (0.3 * x + 0.4).clamp(0, 1)


@pytest.mark.parametrize("options", [
    {},
    {"number": 2, "seed": 7, "steps": 3},
    {"sampler": "ddpm", "steps": 4},
    {"sampler": "2m", "guidance": 2.5, "steps": 4},
    {"sampler": "ddim", "guidance": 1, "steps": 50},
    {"sampler": "ddpm", "temperature": 0.6, "guidance": 0.0, "steps": 50},
], ids=str)  # fmt: skip
def test_a_sample_is_what_its_options_say_in_a_square_grid(options, tiny, tmp_path, capsys):
    """All classes in turn, in original units, each pixel as large as fits a page of 448."""
    given = {"number": 5, **options}
    flags = [part for name, value in given.items() for part in (f"--{name}", value)]
    assert run("sample", "--checkpoint", tiny, "--out", tmp_path / "x.png", *flags) == 0
    columns = {5: 3, 2: 2}[given["number"]]
    want = tile(drawn(tiny, torch.arange(given["number"]) % 3, **given), columns, scale=448 // (columns * 8))
    np.testing.assert_array_equal(shown(tmp_path / "x.png"), want)
    words = {"sampler": "2m", "steps": 8, "guidance": 1.25, "seed": 0, **given}
    guided = "no guidance" if words["guidance"] == 1 else f"guidance {words['guidance']:g}"
    said = f"{words['number']} samples of tiny, {words['sampler']} in {words['steps']} steps, {guided}, seed {words['seed']}"
    assert capsys.readouterr().out == f"wrote {tmp_path / 'x.png'}: {said}\n"


@pytest.mark.parametrize("asked, label", [("hat", 0), ("HAT", 0), ("left", 1), ("1", 1), ("right shoe", 2), ("2", 2)])
def test_a_class_is_asked_for_by_number_or_by_an_unmistakable_part_of_its_name(asked, label, tiny, tmp_path):
    assert (
        run("sample", "--checkpoint", tiny, "--out", tmp_path / "x.png", "--number", 4, "--steps", 3, "--class", asked)
        == 0
    )
    want = tile(drawn(tiny, torch.full((4,), label), number=4, steps=3), 2, scale=28)
    np.testing.assert_array_equal(shown(tmp_path / "x.png"), want)


@pytest.mark.parametrize("names, wanted, count, labels", [
    (NAMES, None, 5, [0, 1, 2, 0, 1]),
    ([], None, 5, None),
    (["shoe", "left shoe"], "shoe", 2, [0, 0]),  # the whole name before a part of another
    (["7", "b"], "7", 1, [0]),
])  # fmt: skip
def test_labels(names, wanted, count, labels):
    got = sampling._labels(wanted, count, names)
    assert (got if got is None else got.tolist()) == labels


@pytest.mark.parametrize("names, wanted", [(NAMES, "shoe"), (NAMES, "3"), (NAMES, "glove"), ([], "0")])
def test_a_class_that_is_none_or_several_is_refused(names, wanted):
    with pytest.raises(ValueError, match="not one of this model's classes") as error:
        sampling._labels(wanted, 1, names)
    assert ("0 hat, 1 left shoe, 2 right shoe" if names else "this model has no classes") in str(error.value)


def test_a_tall_image_is_shown_pixel_for_pixel():
    images = torch.rand(1, 1, 500, 500)
    assert drawn_picture(images).shape == (500, 500)


def test_points_are_drawn_as_points():
    picture = drawn_picture(torch.randn(50, 2))
    assert picture.shape == (400, 400, 3) and picture.std() > 1


def test_the_model_that_ships_is_drawn_from_unless_another_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("sample", "--number", 1, "--steps", 1) == 0
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (448, 448)


# ---- judge


def test_a_score_is_recorded_in_the_card_where_asked_and_nothing_else_is_touched(tiny, tmp_path, monkeypatch, capsys):
    told = {f"{name}{part}": 1.25 for name in ("frechet_distance", "kernel_distance", "precision", "recall")
            for part in ("", "_error", "_floor")} | {"agreement": 0.5, "agreement_error": 0.25}  # fmt: skip
    module = import_module("minidiff.evaluation.commands")
    monkeypatch.setattr(module, "score", lambda denoiser, **options: told)
    record = {"steps": 3, "losses": []}
    denoiser = LearnedDenoiser(UNet(classes=10, width=8, deep_width=8, deep_blocks=1), cosine)
    described = {"name": "fashion-mnist", "shape": [1, 28, 28], "shift": 0.4, "scale": 0.3, "names": list("abcdefghij")}
    checkpoints.save(tiny, denoiser, {"data": described, "record": record})
    tensors, card = checkpoints.read(tiny)
    before = tiny.read_bytes()
    assert run("judge", "--checkpoint", tiny, "--number", 200) == 0 and tiny.read_bytes() == before
    assert run("judge", "--checkpoint", tiny, "--number", 200, "--record") == 0
    after, said = checkpoints.read(tiny)
    assert said["record"] == {**record, "metrics": told} and {**said, "record": record} == card
    assert all(torch.equal(after[name], value) for name, value in tensors.items())


def test_remake_trains_the_judge_and_scores_nobody(monkeypatch):
    called = []
    module = import_module("minidiff.evaluation.commands")
    monkeypatch.setattr(module, "score", lambda *_, **__: pytest.fail("nobody is scored"))
    monkeypatch.setattr(module.judge, "main", lambda *path: called.append(path))
    assert run("judge", "--remake") in (0, None) and called == [()]


# ---- what is said before a training, and what is left after a refusal


def test_what_is_trained_is_said_in_lines():
    job = runs.begin("rings", steps=7, batch=5, lr=0.25, device="cpu")
    parameters = sum(p.numel() for p in job.run.denoiser.net.parameters())
    data, network = commands._described(job).splitlines()
    rings = "3 classes (inner ring, middle ring, outer ring)"
    assert data == f"data: {job.title()}, {len(job.data):,} samples of shape (2,), {rings}" and len(job.data) >= 1_000
    said = f"network: MLP, {parameters:,} parameters; 7 steps of 5 samples, learning rate 0.25, on "
    assert network == said + device_name(torch.device("cpu"))
    job.record |= {"init_tensors": [3, 4], "init": "a.safetensors"}
    job.data = Data(job.data.x[:999], None, 0.0, 1.0)
    data, begins, network, few = commands._described(job).splitlines()
    assert (
        data.endswith("999 samples of shape (2,), no classes")
        and begins == "begins with 3 of 4 tensors of a.safetensors"
    )
    assert "learned by heart" in few and "--init" in few


@pytest.mark.parametrize("there", [False, True])
def test_a_refused_training_leaves_what_was_there(there, tmp_path, capsys):
    out = tmp_path / "out"
    if there:
        out.mkdir()
    assert run("train", "--data", "rings", "--init", tmp_path / "none", "--out", out) == 1
    assert capsys.readouterr().err.count("\n") == 1 and out.exists() == there
