"""Cards and tensors of another make: whatever a file holds, one sentence, and nothing is written.

Every file here is consistent, with a SHA-256 that is right: somebody, or another version, wrote it like that.
"""

import copy
import json
import resource
import shutil
import subprocess
import sys

import pytest
import torch

from minidiff.__main__ import main
from minidiff.data import find
from minidiff.engine import checkpoints
from minidiff.engine.checkpoints import CheckpointError, fingerprint, load, load_run, read, save, save_run
from minidiff.engine.state import Run
from minidiff.networks import MLP
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine

pytestmark = pytest.mark.slow

ESCAPE = "\x1b]0;owned\x07\x1b[2J\r\n\u202e"
JUNK = {
    "null": None, "true": True, "minus": -1, "zero": 0, "half": 1.5, "huge": 10**30, "inf": float("inf"),
    "nan": float("nan"), "text": "x", "empty": "", "escape": ESCAPE, "list": [], "names": ["a"], "object": {},
    "pair": [1, 2], "nested": [[[[{"a": [None]}]]]], "surrogate": "\ud800", "long": "y" * 5000,
}  # fmt: skip
NUMBERS = {"minus", "zero", "half"}
TEXTS = {"text", "empty", "escape", "surrogate"}


def craft(path, tensors, card):
    """A file with this card, whatever it is, and a fingerprint that is right."""
    text = card if isinstance(card, str) else json.dumps(card, sort_keys=True)
    path.write_bytes(checkpoints._encode(tensors, text, fingerprint(tensors, text)))
    return path


def changed(card, place, value):
    """The card with another value at a place such as "network.width"; with "gone", without it."""
    card = copy.deepcopy(card)
    *outer, last = place.split(".")
    inside = card
    for key in outer:
        inside = inside.setdefault(key, {})
    if value == "gone":
        inside.pop(last, None)
    else:
        inside[last] = value
    return card


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Tensors and card of a small model of points."""
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    data = {"name": "fashion-mnist", "shape": [2], "shift": 0.0, "scale": 1.0, "names": []}
    save(path, LearnedDenoiser(MLP(dim=2, width=8, depth=1), cosine), {"data": data, "record": {"losses": []}})
    return read(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of two steps out of four, and its model."""
    folder = tmp_path_factory.mktemp("run") / "run"
    job = sys.modules["minidiff.engine.runs"].begin("two-moons", steps=4)
    losses = job.losses()
    for _ in range(2):
        next(losses)
    job.save(folder, 1.0)
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def refused(capfd, folder, *arguments):
    """That a command ends in one sentence which steers no terminal, writes nothing, and says so by its status."""
    before = contents(folder)
    status = main([str(a) for a in arguments])
    out, err = capfd.readouterr()
    assert status in (1, 2) and not out, (arguments, status, out)
    assert err.startswith(f"minidiff {arguments[0]}: ") and err.count("\n") == 1 and err.endswith("\n"), err
    assert err[:-1].isprintable() and len(err.split()) >= 5 and len(err) < 1000, err
    assert contents(folder) == before
    return err


def sampled(capfd, path):
    return refused(capfd, path.parent, "sample", "--checkpoint", path, "--out", path.with_name("o.png"), "--number", 2,
                   "--steps", 1)  # fmt: skip


PLACES = {  # where, and which junk is none there
    "format": set(), "network": set(), "network.name": set(), "network.dim": set(), "network.width": set(),
    "network.depth": set(), "network.classes": {"null"}, "network.variance": set(), "network.changes": {"zero"},
    "network.colour": set(), "network.dtype": set(), "schedule": set(), "target": set(),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_denoiser_nobody_can_build_gets_one_sentence(place, model, tmp_path, capfd):
    tensors, card = model
    junk = {"gone": "gone"} if place in ("network", "network.name", "schedule", "target") else {}
    for name, value in (junk | JUNK).items():
        if name not in PLACES[place]:
            path = craft(tmp_path / "x", tensors, changed(card, place, value))
            with pytest.raises(CheckpointError) as error:
                load(path)
            assert str(error.value).isprintable()
            sampled(capfd, path)
    refused(capfd, tmp_path, "judge", "--checkpoint", path)


DATA = {
    "data": set(), "data.name": TEXTS, "data.names": {"list"}, "data.shape": set(), "data.scale": {"half"},
    "data.shift": NUMBERS,
}  # fmt: skip


@pytest.mark.parametrize("place", DATA)
def test_data_that_cannot_be_shown_get_one_sentence(place, model, tmp_path, capfd):
    tensors, card = model
    for name, value in ({"gone": "gone"} | JUNK).items():
        if name not in DATA[place]:
            sampled(capfd, craft(tmp_path / "x", tensors, changed(card, place, value)))


@pytest.mark.parametrize("shape", [[3], [1, 2], [2, 1], [1, 28, 28], [1, 2, 3, 4], [0], [4096, 4096, 4096]])
def test_a_shape_that_is_not_the_networks_takes_no_memory(shape, model, tmp_path, capfd):
    sampled(capfd, craft(tmp_path / "x", model[0], changed(model[1], "data.shape", shape)))


def test_a_name_from_a_file_does_not_steer_the_terminal(model, tmp_path, capfd):
    tensors, card = model
    path = craft(tmp_path / "x", tensors, changed(card, "data.name", ESCAPE))
    assert (
        main(["sample", "--checkpoint", str(path), "--out", str(tmp_path / "o.png"), "--number", "2", "--steps", "1"])
        == 0
    )
    out = capfd.readouterr().out
    assert out[:-1].isprintable() and "\\x1b]0;owned" in out
    save(path, LearnedDenoiser(MLP(dim=2, width=8, depth=1, classes=2), cosine),
         {"data": {**card["data"], "names": ["a" + ESCAPE, "b"]}})  # fmt: skip
    (tmp_path / "o.png").unlink()
    err = refused(capfd, tmp_path, "sample", "--checkpoint", path, "--out", tmp_path / "o.png", "--class", "c")
    assert "\\x1b]0;owned" in err
    err = refused(capfd, tmp_path, "sample", "--checkpoint", path.with_name("no" + ESCAPE), "--out", tmp_path / "o.png")


@pytest.mark.parametrize("text", ["null", "[]", '"x"', "7", "{}", "", "{", "[" * 100_000, '{"a":' * 50_000,
                                  '{"network": 1e999}', "9" * 10_000, '{"schedule": NaN}', "\x00"])  # fmt: skip
def test_a_card_that_is_no_object_gets_one_sentence(text, model, tmp_path, capfd):
    path = craft(tmp_path / "x", model[0], text)
    with pytest.raises(CheckpointError):
        load(path)
    sampled(capfd, path)
    refused(capfd, tmp_path, "judge", "--checkpoint", path)


TENSORS = {
    "one missing": lambda t: t.pop("last.bias"),
    "one more": lambda t: t.update(more=torch.zeros(1)),
    "another name": lambda t: t.update({ESCAPE: t.pop("last.bias")}),
    "no name": lambda t: t.update({"": t.pop("last.bias")}),
    "none": lambda t: t.clear(),
    "another shape": lambda t: t.update({"last.bias": torch.zeros(2, 1)}),
    "no elements": lambda t: t.update({"last.bias": torch.zeros(0)}),
    "integers": lambda t: t.update({"last.bias": torch.zeros(2, dtype=torch.int64)}),
    "truths": lambda t: t.update({"last.bias": torch.zeros(2, dtype=torch.bool)}),
    "doubles": lambda t: t.update({"last.bias": torch.zeros(2, dtype=torch.float64)}),
    "complex": lambda t: t.update({"last.bias": torch.zeros(2, dtype=torch.complex64)}),
    "eight bits": lambda t: t.update({"last.bias": torch.zeros(2).to(torch.float8_e4m3fn)}),
    "nan": lambda t: t.update({"last.bias": torch.tensor([0.0, float("nan")])}),
    "infinity": lambda t: t.update({"last.bias": torch.tensor([0.0, float("-inf")])}),
    "nan in half": lambda t: t.update({"last.bias": torch.tensor([0.0, float("nan")]).half()}),
}


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_that_are_not_the_networks_get_one_sentence(what, model, tmp_path, capfd):
    tensors = dict(model[0])
    TENSORS[what](tensors)
    path = craft(tmp_path / "x", tensors, model[1])
    with pytest.raises(CheckpointError):
        load(path)
    sampled(capfd, path)
    refused(capfd, tmp_path, "judge", "--checkpoint", path)


ABSURD = {"width": 40_000, "dim": 2**40, "depth": 10**9, "classes": 10**12, "changes": 10**11}


LOADED = """
import sys
from minidiff.engine.checkpoints import CheckpointError, load
for path in sys.argv[1:]:
    try:
        load(path)
    except CheckpointError:
        print(path)
"""


@pytest.mark.slow
def test_absurd_sizes_take_neither_memory_nor_time(model, tmp_path):
    """6 GB were allocated before the width was refused; a billion layers would be built for hours."""
    cards = [changed(model[1], f"network.{kind}", size) for kind, size in ABSURD.items()]
    paths = [str(craft(tmp_path / kind, model[0], card)) for kind, card in zip(ABSURD, cards, strict=True)]
    limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (2 * 2**30, 2 * 2**30))
    command = [sys.executable, "-c", LOADED, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, preexec_fn=limit)
    assert done.stdout.split() == paths, done.stderr


# ---- runs


RUN = {
    "format": set(), "network": set(), "network.name": set(), "network.width": set(), "schedule": set(),
    "target": set(), "step": {"zero"}, "recent": {"list", "pair"}, "training": {"null", "object"},
    "settings": set(), "settings.preset": set(),
    "settings.steps": set(), "settings.batch": set(), "settings.lr": set(), "settings.seed": {"zero"},
    "settings.drop": set(), "settings.bf16": {"true"}, "settings.compile": {"true"}, "settings.levels": set(),
    "settings.augment": {"list"}, "record": set(), "record.losses": {"list"}, "record.seconds": {"zero", "half"},
}  # fmt: skip


@pytest.mark.parametrize("place", RUN)
def test_a_run_of_another_make_gets_one_sentence_and_nothing_is_written(place, trained, tmp_path, capfd):
    tensors, card = read(trained / "run.safetensors")
    shutil.copytree(trained, folder := tmp_path / "run")
    missing = {} if place in ("format", "recent", "training", "settings.compile", "settings.augment", "record.seconds",
                              "network.width") else {"gone": "gone"}  # fmt: skip
    for name, value in (missing | JUNK).items():
        if name not in RUN[place]:
            craft(folder / "run.safetensors", tensors, changed(card, place, value))
            refused(capfd, folder, "train", "--out", folder, "--resume")


@pytest.mark.parametrize("change", [
    {"settings.preset": "fashion-small"}, {"settings.preset": "sprites"}, {"settings.preset": "swiss-roll"},
    {"settings.steps": 1}, {"step": 5}, {"settings.augment": ["flip"]}, {"settings.batch": 10**9},
    {"settings.lr": 0.5}, {"settings.seed": 9}, {"settings.drop": 0.9},
])  # fmt: skip
def test_a_run_whose_parts_do_not_go_together_is_not_resumed(change, trained, tmp_path, capfd):
    """Of another preset, past its end, with other settings than it began with: well formed, every one."""
    tensors, card = read(trained / "run.safetensors")
    shutil.copytree(trained, folder := tmp_path / "run")
    for place, value in change.items():
        card = changed(card, place, value)
    craft(folder / "run.safetensors", tensors, card)
    refused(capfd, folder, "train", "--out", folder, "--resume")


def without(tensors, part):
    for name in [name for name in tensors if name.startswith(part)]:
        del tensors[name]


FIRST = "adam.last.weight.exp_avg"
MOMENTS = {
    "another shape": lambda t: t.update({FIRST: torch.zeros(1)}),
    "transposed": lambda t: t.update({FIRST: t[FIRST].T.contiguous()}),
    "no elements": lambda t: t.update({FIRST: torch.zeros(0)}),
    "a number": lambda t: t.update({FIRST: torch.tensor(0.0)}),
    "far too large": lambda t: t.update({FIRST: torch.zeros(1000, 1000)}),
    "integers": lambda t: t.update({FIRST: t[FIRST].long()}),
    "half": lambda t: t.update({FIRST: t[FIRST].half()}),
    "doubles": lambda t: t.update({FIRST: t[FIRST].double()}),
    "nan": lambda t: t.update({FIRST: t[FIRST] * float("nan")}),
    "one missing": lambda t: t.pop(FIRST),
    "all of one parameter missing": lambda t: without(t, "adam.last.weight."),
    "all missing": lambda t: without(t, "adam."),
    "one more": lambda t: t.update({"adam.last.weight.max_exp_avg_sq": t[FIRST] + 0}),
    "of a stranger": lambda t: t.update({"adam.stranger.exp_avg": t[FIRST] + 0}),
    "a step that is a vector": lambda t: t.update({"adam.last.weight.step": torch.ones(3)}),
    "a step below zero": lambda t: t.update({"adam.last.weight.step": torch.tensor(-1.0)}),
    "a step that is nan": lambda t: t.update({"adam.last.weight.step": torch.tensor(float("nan"))}),
    "a square below zero": lambda t: t.update({FIRST + "_sq": -torch.ones_like(t[FIRST])}),
    "no average": lambda t: without(t, "average."),
    "an average of another shape": lambda t: t.update({"average.last.bias": torch.zeros(5)}),
    "an average of nan": lambda t: t.update({"average.last.bias": torch.tensor([0.0, float("nan")])}),
    "no network": lambda t: without(t, "net."),
    "another part": lambda t: t.update({"sgd.last.bias": torch.zeros(2)}),
}


@pytest.mark.parametrize("what", MOMENTS)
def test_moments_that_are_not_the_parameters_are_refused(what, trained, tmp_path, capfd):
    """Those of another shape were taken, and fused Adam left their memory: a segmentation fault at --resume."""
    tensors, card = read(trained / "run.safetensors")
    shutil.copytree(trained, folder := tmp_path / "run")
    MOMENTS[what](tensors)
    craft(folder / "run.safetensors", tensors, card)
    with pytest.raises(CheckpointError):
        load_run(folder / "run.safetensors")
    refused(capfd, folder, "train", "--out", folder, "--resume")


def test_a_model_is_no_run_and_a_run_no_model(trained, tmp_path, capfd):
    shutil.copytree(trained, folder := tmp_path / "run")
    sampled(capfd, folder / "run.safetensors")
    shutil.copy(folder / "model.safetensors", folder / "run.safetensors")
    refused(capfd, folder, "train", "--out", folder, "--resume")


# ---- the format number


def test_new_cards_have_a_format_and_old_ones_are_read_without(model, trained, tmp_path):
    tensors, card = model
    assert card["format"] == read(trained / "run.safetensors")[1]["format"] == 1
    assert read(trained / "model.safetensors")[1]["format"] == 1
    again, _ = load(craft(tmp_path / "x", tensors, changed(card, "format", "gone")))
    assert all(torch.equal(value, tensors[name]) for name, value in again.net.state_dict().items())


def test_a_newer_format_is_told(model, tmp_path):
    with pytest.raises(CheckpointError, match=r"says 2 for format: .* use the minidiff that wrote it"):
        load(craft(tmp_path / "x", model[0], changed(model[1], "format", 2)))


def test_a_run_from_before_the_format_may_lack_moments_that_are_zero(tmp_path):
    run = Run(LearnedDenoiser(MLP(dim=2, width=8, depth=1), cosine))
    save_run(path := tmp_path / "x", run)
    tensors, card = read(path)
    tensors = {name: value for name, value in tensors.items() if not name.startswith("adam.")}
    again, _ = load_run(craft(path, tensors, changed(card, "format", "gone")))
    save_run(tmp_path / "again", again)
    save_run(tmp_path / "run", run)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "run").read_bytes()


@pytest.mark.parametrize("name", ["fashion-small.safetensors", "sprites.safetensors"])
def test_the_shipped_files_are_older_than_the_format_and_load(name):
    denoiser, card = load(find(name))
    assert "format" not in card and denoiser.schedule is cosine
