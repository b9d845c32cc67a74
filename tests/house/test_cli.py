"""The command line as a user meets it: what it writes, and one clear sentence for every foreseeable mistake."""

import io
import os
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff import data
from minidiff.__main__ import main
from minidiff.course import lab
from minidiff.engine import checkpoints, presets, runs
from minidiff.engine.augmentations import AUGMENTATIONS
from minidiff.evaluation.score import JUDGED
from minidiff.networks import MLP, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tiny(tmp_path):
    """A small untrained model of three classes of 28 x 28 images, as a checkpoint."""
    torch.manual_seed(0)
    denoiser = LearnedDenoiser(UNet(classes=3, width=8), cosine)
    for parameter in denoiser.parameters():  # a fresh U-Net answers 0 to everything
        torch.nn.init.normal_(parameter, std=0.05)
    described = {
        "name": "tiny",
        "shape": [1, 28, 28],
        "shift": 0.3,
        "scale": 0.35,
        "names": ["hat", "left shoe", "right shoe"],
    }
    checkpoints.save(path := tmp_path / "tiny.safetensors", denoiser, {"data": described})
    return path


def run(*arguments):
    try:
        return main([str(a) for a in arguments])
    except SystemExit as end:
        return end.code


def draw(tiny, *arguments):
    out = tiny.with_name("out.png")
    assert run("sample", "--checkpoint", tiny, "--out", out, "--steps", 2, "--number", 4, *arguments) == 0
    return out.read_bytes()


@pytest.mark.slow
def test_sample_writes_a_picture_that_the_seed_decides(tiny):
    first = draw(tiny)
    assert np.asarray(Image.open(io.BytesIO(first))).std() > 5
    assert draw(tiny) == first
    changes = [
        ("--seed", 1),
        ("--class", "hat"),
        ("--sampler", "ddpm"),
        ("--sampler", "ddim"),
        ("--temperature", 0.5),
        ("--steps", 3),
        ("--guidance", 1),
        ("--class", "2", "--guidance", 3),
    ]
    assert len({first, *(draw(tiny, *change) for change in changes)}) == len(changes) + 1
    assert draw(tiny, "--class", "right") == draw(tiny, "--class", "2") == draw(tiny, "--class", "Right Shoe")


@pytest.mark.parametrize("arguments, said", [
    (("dance",), "dance"),
    (("sample", "--number", "0"), "'0' is not a whole number from 1 to 10000"),
    (("sample", "--number", "2.5"), "whole number"),
    (("sample", "--steps", "-3"), "--steps"),
    (("sample", "--guidance", "nan"), "'nan' is not a number"),
    (("sample", "--temperature", "-1"), "--temperature"),
    (("sample", "--seed", "x"), "--seed"),
    (("sample", "--sampler", "euler"), "invalid choice: 'euler'"),
    (("judge", "--sampler", "euler"), "invalid choice: 'euler'"),
    (("sample", "--class", "hat", "--checkpoint", "TINY", "--colour", "red"), "--colour"),
    (("sample", "--class", "shoe", "--checkpoint", "TINY"), "0 hat, 1 left shoe, 2 right shoe"),
    (("sample", "--out", "TMP/x.bmp"), "its ending says what is written, .png or .jpg for a picture"),
    (("sample", "--out", "TMP/x"), "its ending says"),
    (("sample", "--out", "TMP/x.png.txt"), "its ending says"),
    (("sample", "--out", "TMP/x.gif", "--each"), "let --out be a folder"),
    (("sample", "--each", "npz"), "invalid choice: 'npz'"),
    (("sample", "--device", "tpu"), "--device"),
    (("sample", "--batch", "0"), "--batch"),
    (("card",), "required: file"),
    (("sample", "--class", "3", "--checkpoint", "TINY"), "'3' is not one of this model's classes"),
    (("train", "--preset", "huge"), "huge"),
    (("train", "--steps", "10", "--minutes", "1"), "not allowed with"),
    (("train", "--preset", "rings", "--data", "rings"), "not allowed with"),
    (("train", "--minutes", "0"), "--minutes"),
    (("train", "--out", "TMP/none", "--resume"), "nothing to resume"),
    (("train", "--out", "TMP/none", "--resume", "--steps", "9"), "nothing to resume"),
    (("train", "--out", "TMP/none", "--resume", "--lr", "1", "--fit", "pad"), "leave out --lr, --fit"),
    (("train", "--out", "TMP/none", "--resume", "--skip-unreadable", "--data", "rings"), "out --skip-unreadable, --data"),
    (("train", "--data", "ring"), "did you mean rings?"),
    (("train", "--data", "TINY", "--size", "8"), "is a file"),
    (("train", "--data", "TMP", "--axes", "ND"), "is a folder"),
    (("train", "--data", "rings", "--size", "8"), "name yours with --data"),
    (("train", "--channels", "1"), "name yours with --data"),
    (("train", "--size", "30"), "'30' is neither one multiple of 4"),
    (("train", "--size", "8x8x8"), "'8x8x8' is neither"),
    (("train", "--size", "8x"), "whole number"),
    (("train", "--channels", "2"), "--channels"),
    (("train", "--batch", "0"), "--batch"),
    (("train", "--lr", "-1"), "--lr"),
    (("train", "--device", "tpu"), "--device"),
    (("judge", "--checkpoint", "TINY"), "Fashion-MNIST only"),
    (("notebooks", "paint"), "paint"),
])  # fmt: skip
def test_bad_arguments_get_one_sentence_and_status_2(arguments, said, tiny, capsys):
    arguments = [a.replace("TINY", str(tiny)).replace("TMP", str(tiny.parent)) for a in arguments]
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert said in err and err.count("\n") == 1 and not out


def test_missing_and_damaged_files_get_one_sentence_and_status_1(tiny, capsys):
    path = tiny.parent
    (path / "cut.safetensors").write_bytes(tiny.read_bytes()[:-5])
    checkpoints.save(path / "bare.safetensors", LearnedDenoiser(MLP(dim=2), cosine))
    for arguments in (
        ("sample", "--checkpoint", path / "none"),
        ("sample", "--checkpoint", path),
        ("sample", "--checkpoint", path / "cut.safetensors"),
        ("sample", "--checkpoint", path / "bare.safetensors"),
        ("sample", "--checkpoint", tiny, "--out", path),
        ("sample", "--checkpoint", tiny, "--out", tiny / "in" / "a" / "file.png"),
        ("train", "--preset", "rings", "--out", tiny),
    ):
        assert run(*arguments) == 1
        out, err = capsys.readouterr()
        assert err.count("\n") == 1 and str(path) in err and not out


def test_missing_data_get_one_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MINIDIFF_DATA", str(tmp_path / "nowhere"))
    assert run("sample", "--out", tmp_path / "x.png") == 1
    assert "MINIDIFF_DATA" in (err := capsys.readouterr().err) and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def trained(folder):
    tensors, card = checkpoints.read(folder / "model.safetensors")
    return tensors, card


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_train_sample_and_refuse_to_overwrite(tmp_path, capsys):
    out = tmp_path / "run"
    assert run("train", "--data", "rings", "--steps", 20, "--out", out, "--seed", 3) == 0
    _, card = trained(out)
    assert card["settings"]["seed"] == 3 and card["record"]["steps"] == 20
    assert card["record"]["images_seen"] == 20 * card["settings"]["batch"] and len(card["record"]["losses"]) == 20
    assert card["record"]["torch"] == torch.__version__ and card["record"]["device"].startswith("c")
    before = (out / "model.safetensors").read_bytes()
    assert run("train", "--data", "rings", "--steps", 20, "--out", out) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert (out / "model.safetensors").read_bytes() == before
    assert (
        run(
            "sample",
            "--checkpoint",
            out / "model.safetensors",
            "--out",
            tmp_path / "p.png",
            "--number",
            50,
            "--steps",
            3,
        )
        == 0
    )
    Image.open(tmp_path / "p.png").verify()


@pytest.mark.slow
def test_minutes_fix_the_number_of_steps_and_are_recorded(tmp_path):
    assert run("train", "--preset", "rings", "--minutes", 0.01, "--out", tmp_path) == 0
    record = trained(tmp_path)[1]["record"]
    want = max(1, (0.6 - record["seconds_of_timing"]) / record["seconds_a_step_when_timed"])
    assert (
        record["minutes_asked"] == 0.01 and record["seconds_of_timing"] > 23 * 0.5 * record["seconds_a_step_when_timed"]
    )
    assert abs(record["steps"] - want) <= 0.02 * want + 1


@pytest.mark.slow
def test_a_run_that_was_stopped_resumes_to_the_same_bits(tmp_path):
    """SIGTERM somewhere in the middle, then --resume: the model equals that of a run nobody disturbed."""
    steps = 400
    assert run("train", "--data", "pinwheel", "--steps", steps, "--out", tmp_path / "whole") == 0
    asked = ["train", "--data", "pinwheel", "--steps", str(steps), "--out", str(tmp_path / "parts")]
    child = subprocess.Popen(
        [sys.executable, "-m", "minidiff", *asked],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.1)
    deadline = time.monotonic() + 60
    while not _handles_sigterm(child.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 128 + signal.SIGTERM and "--resume" in out and not err
    stopped = checkpoints.read(tmp_path / "parts" / "run.safetensors")[1]["step"]
    assert 0 < stopped < steps
    assert run("train", "--out", tmp_path / "parts", "--resume") == 0
    assert equal(trained(tmp_path / "whole")[0], trained(tmp_path / "parts")[0])


def _handles_sigterm(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True  # not Linux: fall back on the sleep
    caught = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def small_sprites(**network):
    build = partial(presets._unet, width=8, deep_width=8, deep_blocks=1, **network)
    return presets.Preset("sprites", partial(data.sprites, "train"), build, 6, batch=4, augment=("shift", "flip"))


@pytest.mark.slow
def test_a_preset_augments_again_after_a_stop(tmp_path, monkeypatch):
    """The augmentation is named in the settings, so a resumed run goes on with it and the card tells it."""
    monkeypatch.setitem(presets.PRESETS, "rings", small_sprites(changes=3))
    whole, part = runs.begin("rings"), runs.begin("rings")
    losses = [float(loss) for loss in whole.losses()]
    begun = [float(loss) for loss in islice(part.losses(), 2)]
    part.save(tmp_path, 1.0)
    assert begun + [float(loss) for loss in runs.resume(tmp_path).losses()] == losses
    card = trained(tmp_path)[1]
    assert (
        card["settings"]["augment"] == ["shift", "flip"]
        and card["network"]["changes"] == 3
        and card["data"]["examples"] == 1331
    )
    plain = runs.begin("rings")
    plain.settings["augment"] = []
    assert [float(loss) for loss in plain.losses()] != losses


def test_a_run_of_a_version_without_augmentation_goes_on_without(monkeypatch):
    monkeypatch.setitem(presets.PRESETS, "rings", small_sprites(changes=3))
    job = runs.begin("rings", steps=1)
    del job.settings["augment"]
    assert runs._options(job.run.denoiser, job.settings)["augment"] is None
    assert len(list(job.losses())) == 1


def test_a_preset_whose_network_is_not_told_is_refused(monkeypatch):
    monkeypatch.setitem(presets.PRESETS, "rings", small_sprites())
    with pytest.raises(ValueError, match="knows no change"):
        list(runs.begin("rings").losses())


def test_presets_build_networks_that_are_told_what_their_augmentations_say():
    for name, preset in presets.PRESETS.items():
        if preset.data in ("fashion-mnist", "sprites", "cifar-10"):
            images = data.Data(
                torch.zeros(2, 1 if preset.data == JUDGED else 3, *[28 if preset.data == JUDGED else 32] * 2),
                names=("a",) * 10,
            )
            parts = [AUGMENTATIONS[part] for part in preset.augment]
            told = sum(part(images.x, {}, torch.Generator())[1]["change"].shape[1] for part in parts)
            with torch.device("meta"):
                assert preset.network(images).config["changes"] == told, name


WHAT = {"sample": "Draw from a checkpoint.", "train": "Train a model; on CUDA where there is any.",
        "judge": "Compare samples of a model with real ones.", "card": "What a checkpoint says of itself"}  # fmt: skip


def test_help_and_version(capsys):
    for arguments in (
        ["--help"],
        ["--version"],
        *(
            [name, "--help"]
            for name in ("lab", "sample", "edit", "train", "judge", "card", "doctor", "notebooks", "questions")
        ),
    ):
        assert run(*arguments) == 0
        said = capsys.readouterr().out
        assert "minidiff" in said
        assert arguments != ["--help"] or "Learn diffusion models by running them." in said
        if arguments[0] in WHAT:
            assert ("examples:\n  minidiff" in said) == (arguments[0] in ("sample", "train"))
            assert WHAT[arguments[0]] in said and ("[KIND]" in said) == (arguments[0] == "sample")


def test_the_options_of_train_stand_under_their_headings(capsys):
    assert run("train", "--help") == 0
    said = capsys.readouterr().out
    places = [said.rindex(f"\n{word}") for word in
              ("what to train on:", "  --data ", "how to read data", "how to train:", "  --steps ", "  --levels ",
               "where, and whether:", "  --out ", "  --dry-run ")]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.slow
def test_no_traceback_from_the_module_itself():
    done = subprocess.run(
        [sys.executable, "-m", "minidiff", "sample", "--checkpoint", "none"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_lab_opens_notebook_00(monkeypatch, tmp_path):
    command = lab.command(ROOT, browser=False, extra=["--port=9"])
    assert command[:3] == lab.calling("jupyterlab.labapp", "main") and f"--ServerApp.root_dir={ROOT}" in command
    assert "--no-browser" in command and command[-1] == "--port=9"
    (address,) = (option.split("=")[1] for option in command if option.startswith("--LabApp.default_url="))
    assert (
        address.startswith("/lab/tree/") and (ROOT / address.removeprefix("/lab/tree/")).name == "00_start_here.ipynb"
    )
    assert (ROOT / address.removeprefix("/lab/tree/")).is_file()
    monkeypatch.setattr(lab, "clones", lambda: [tmp_path])
    assert run("lab") == 1


STAND_IN = """
import signal, sys, time
asked, begun = [], time.monotonic()
for name in (signal.SIGINT, signal.SIGTERM):
    signal.signal(name, lambda number, frame: asked.append(number))
print("started", flush=True)
while not asked and time.monotonic() < begun + 60:
    time.sleep(0.01)
time.sleep(1)
sys.exit(f"tidied up after signal {asked[0]}")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are sent another way on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lab_lets_jupyterlab_end_its_kernels(number):
    """A stand-in for JupyterLab needs a second to end. Ctrl-C reaches both processes, SIGTERM only the first."""
    code = f"import sys; from minidiff.course import lab; lab.command = lambda *_: [sys.executable, '-c', {STAND_IN!r}]; sys.exit(lab.open_lab())"
    command = [sys.executable, "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes)
    assert both.stdout.readline() == "started\n"
    (os.killpg if number == signal.SIGINT else os.kill)(both.pid, number)
    _, said = both.communicate(timeout=60)
    assert said == f"tidied up after signal {number}\n" and both.returncode == 1


EARLY = """
import os, signal, subprocess, sys
from minidiff.course import lab
real = subprocess.Popen
def popen(*arguments, **more):
    child = real(*arguments, **more)
    os.kill(os.getpid(), signal.SIGTERM)  # before open_lab has the child in hand
    return child
subprocess.Popen = popen
lab.command = lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"]
sys.exit(-lab.open_lab())
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are sent another way on Windows")
def test_lab_forgets_no_signal_that_comes_early():
    assert subprocess.run([sys.executable, "-c", EARLY], cwd=ROOT, timeout=55).returncode == signal.SIGTERM


def test_presets_name_their_data():
    assert set(presets.DATA_SETS) >= {"fashion-mnist", "sprites", "two-moons"}
    assert all(name in presets.PRESETS for name in presets.DATA_SETS.values())
    assert len(presets.PRESETS["sprites"].load()) == len(data.sprites("train"))  # nobody trains on what is held out


def test_judge_shows_every_score_with_its_error_and_its_floor(capsys, monkeypatch):
    told = {f"{name}{part}": k + j / 10 for k, name in enumerate(("frechet_distance", "kernel_distance", "precision", "recall"))
            for j, part in enumerate(("", "_error", "_floor"))}  # fmt: skip
    asked = []

    def score(denoiser, **options):
        """What the help says."""
        asked.append(options)
        return told | {"agreement": 0.9, "agreement_error": 0.01}

    monkeypatch.setattr("minidiff.evaluation.commands.score", score)
    assert run("judge", "--number", 300, "--steps", 7, "--seed", 2, "--guidance", 1.25) == 0
    out = capsys.readouterr().out
    assert asked == [
        {"number": 300, "sampler": "2m", "steps": 7, "guidance": 1.25, "seed": 2, "device": torch.device("cpu")}
    ]
    for line in ("frechet distance     0.000 +- 0.100   real images in place of samples: 0.200",
                 "recall               3.000 +- 3.100   real images in place of samples: 3.200",
                 "agreement            0.900 +- 0.010   with the classes asked for; 300 samples, 2m in 7 steps, guidance 1.25, seed 2"):  # fmt: skip
        assert line in out
