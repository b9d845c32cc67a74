"""A training that is killed, crowded out or starved of disk loses nothing. In full: tests/mutation/kills.py."""

import os
import resource
import signal
import subprocess
import sys
import time
from itertools import islice

import pytest
from filelock import FileLock

from minidiff.__main__ import main
from minidiff.engine import runs
from minidiff.engine.checkpoints import load, read
from minidiff.engine.runs import RUN
from tests.mutation import kills

pytestmark = pytest.mark.slow


def train(folder, *arguments):
    return ["train", "--out", str(folder), *arguments]


def test_what_is_killed_goes_on_to_the_same_bits(tmp_path):
    seen = kills.survive(4, tmp_path, seed=1)
    assert seen["kills"] == 4 and seen["trainings that ended"] >= 1


def test_the_kill_test_sees_a_checkpoint_that_is_not_written_atomically(tmp_path, monkeypatch):
    """Its own check: half a file, and a run that ends elsewhere, are noticed."""
    half = tmp_path / "whole" / RUN

    def run(folder, patience):
        main(train(folder, "--preset", "two-moons", "--steps", "1"))
        if folder.name == "disturbed":
            half.replace(folder / RUN) if patience is None else (folder / RUN).write_bytes(half.read_bytes()[:1000])
        return None if folder.name == "disturbed" else 0

    monkeypatch.setattr(kills, "run", run)
    with pytest.raises(RuntimeError, match="damaged"):
        kills.survive(1, tmp_path)
    monkeypatch.setattr(kills, "run", lambda folder, patience: main(train(folder, "--preset", "two-moons", "--steps", "1",
                                                                          "--seed", str(int(folder.name == "disturbed")))))  # fmt: skip
    with pytest.raises(AssertionError, match="ended elsewhere"):
        kills.survive(1, tmp_path / "other")


def test_a_stop_leaves_no_notch_in_the_loss_curve(tmp_path):
    """With 600 steps three losses make a point; a stop after the fourth must not lose it."""
    whole, stopped = (runs.begin("two-moons", steps=600) for _ in range(2))
    list(islice(whole.losses(), 9))
    list(islice(stopped.losses(), 4))
    stopped.save(tmp_path, 1.0)
    again = runs.resume(tmp_path)
    list(islice(again.losses(), 5))
    assert [step for step, _ in again.record["losses"]] == [3, 6, 9]
    assert again.record["losses"] == whole.record["losses"]


def test_a_full_disk_is_named_and_the_checkpoint_before_it_stays(tmp_path, capfd):
    folder = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "minidiff",
        *train(folder, "--preset", "two-moons", "--steps", "100000", "--save-every", "0"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (folder / "model.safetensors").exists() and process.poll() is None:
        time.sleep(0.05)
    resource.prlimit(
        process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000)
    )  # no file may grow beyond this, as on a full disk
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and err.count("\n") == 1, err
    assert "could not be saved" in err and "the checkpoint before it is whole: make room and go on with --resume" in err
    load(folder / "model.safetensors")
    assert read(folder / RUN)[1]["step"] > 0 or "step 1 " in err
    assert not list(folder.glob("*.partial"))


def test_the_first_checkpoint_may_already_be_too_much(tmp_path):
    command = [sys.executable, "-m", "minidiff", *train(tmp_path / "run", "--preset", "two-moons", "--steps", "5")]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=60)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "step 0 could not be saved" in done.stderr and "no checkpoint is there yet" in done.stderr


def test_two_trainings_cannot_share_a_folder(tmp_path, capsys):
    assert main(train(tmp_path, "--preset", "two-moons", "--steps", "2")) == 0
    before = (tmp_path / RUN).read_bytes()
    with FileLock(tmp_path / ".lock"):
        for extra in ([], ["--resume"]):
            assert main(train(tmp_path, *extra)) == 1
            assert (
                capsys.readouterr().err
                == f"minidiff train: another training is at work in {tmp_path}: let it end, or choose another --out\n"
            )
    assert (tmp_path / RUN).read_bytes() == before
    assert main(train(tmp_path, "--resume")) == 0  # the lock went with its holder


def test_a_killed_training_leaves_no_lock(tmp_path):
    command = [sys.executable, "-m", "minidiff", *train(tmp_path, "--preset", "two-moons", "--steps", "100000")]
    process = subprocess.Popen(command)
    while not (tmp_path / "model.safetensors").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGSTOP)  # alive, but not in anybody's way
    assert main(train(tmp_path, "--resume")) == 1
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with FileLock(tmp_path / ".lock", timeout=0):
        read(tmp_path / RUN)
