"""Checkpoints: every damaged byte is refused, and a process killed while saving leaves the old file or the new one."""

import json
import os
import signal
from types import SimpleNamespace

import pytest
import torch

from minidiff.data import files
from minidiff.data.files import find
from minidiff.engine.checkpoints import CheckpointError, fingerprint, load, load_run, read, save, save_run, write
from minidiff.engine.state import Run
from minidiff.networks import MLP, NETWORKS, UNet
from minidiff.networks.registry import fill
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import flow

TENSORS = {"b": torch.arange(3.0), "a": torch.ones(2, 2).half(), "k": torch.tensor(7)}


@pytest.fixture
def small(tmp_path):
    write(path := tmp_path / "small.safetensors", TENSORS, {"seed": 3})
    return path


def test_round_trip(small):
    tensors, card = read(small)
    assert card == {"seed": 3} and set(tensors) == set(TENSORS)
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype and torch.equal(tensors[name], value)


def test_the_same_content_is_the_same_file(small, tmp_path):
    write(tmp_path / "again", dict(reversed(TENSORS.items())), {"seed": 3})
    assert (tmp_path / "again").read_bytes() == small.read_bytes()


def refused(path):
    with pytest.raises(CheckpointError) as error:
        read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return True


def test_a_file_that_is_not_there_is_named_once(tmp_path):
    path = tmp_path / "gone.safetensors"
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert str(caught.value) == f"cannot read the checkpoint {path}: No such file or directory"


def test_every_truncation_is_refused(small):
    content = small.read_bytes()
    for length in range(len(content)):
        small.write_bytes(content[:length])
        assert refused(small)
    small.write_bytes(content + b"\0")
    assert refused(small)


@pytest.mark.slow
def test_every_flipped_bit_is_refused(small):
    """All of them, not a sample: a few thousand."""
    content = bytearray(small.read_bytes())
    for place in range(8 * len(content)):
        content[place // 8] ^= 1 << place % 8
        small.write_bytes(content)
        assert refused(small)
        content[place // 8] ^= 1 << place % 8
    small.write_bytes(content)
    read(small)


def test_a_changed_card_is_refused(small):
    content = small.read_bytes()
    changed = content.replace(b": 3}", b": 4}")
    assert changed != content
    small.write_bytes(changed)
    assert refused(small)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 a zip, as torch.save makes", b"\x80\x02 a pickle", b"\xff" * 100]
)
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    assert refused(tmp_path / "x")


def test_missing_files_and_folders_are_refused(tmp_path):
    assert refused(tmp_path / "nothing")
    assert refused(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_written(small, value):
    before = small.read_bytes()
    with pytest.raises(CheckpointError, match="a holds NaN or infinity"):
        write(small, {"a": torch.tensor([1.0, value])}, {})
    assert small.read_bytes() == before


def test_a_full_disk_leaves_the_old_file(small, monkeypatch):
    before = small.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(small, {"a": torch.zeros(5)}, {})
    assert small.read_bytes() == before and [p.name for p in small.parent.iterdir()] == [small.name]


class Mortal:
    """Counts moments, and dies by SIGKILL at the chosen one: before and after everything that touches the disk."""

    def __init__(self, moment):
        self.moment, self.count = moment, 0

    def tick(self):
        if self.count == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def wrap(self, function):
        def call(*args, **kwargs):
            self.tick()
            result = function(*args, **kwargs)
            self.tick()
            return result

        return call

    def open(self, path, mode):
        file = self.wrap(open)(path, mode)
        write = file.write

        class File:
            def __enter__(this):
                return this

            def __exit__(this, *_):
                file.close()

            def write(this, content):  # a write may be cut in two
                half = len(content) // 2
                self.wrap(lambda part: (write(part), file.flush()))(content[:half])
                self.wrap(write)(content[half:])

            flush, fileno = staticmethod(self.wrap(file.flush)), file.fileno

        return File()


def killed_at(moment, path):
    """Save the new checkpoint in a child that dies at the given moment; True if it outlived the save."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), f"the child failed in another way: {status}"
        return status == 0
    try:
        mortal = Mortal(moment)
        files.open = mortal.open
        files.os = SimpleNamespace(
            **vars(os) | {name: mortal.wrap(getattr(os, name)) for name in ("fsync", "replace", "open")}
        )
        write(path, {"a": torch.full((1000,), 2.0)}, {"new": True})
        os._exit(0)
    finally:
        os._exit(1)  # whatever happens, this child must not go on as a second pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that can fork and SIGKILL")
def test_a_process_killed_at_any_point_of_a_save_leaves_the_old_or_the_new(tmp_path):
    """SIGKILL before and after each of open, write (in two halves), flush, fsync, rename, and the folder's sync."""
    path, found = tmp_path / "c.safetensors", []
    old, new = torch.full((1000,), 1.0), torch.full((1000,), 2.0)
    for moment in range(100):
        write(path, {"a": old}, {"new": False})
        survived = killed_at(moment, path)
        tensors, card = read(path)
        assert torch.equal(tensors["a"], new if card["new"] else old)
        if survived:
            break
        found.append(card["new"])
    assert len(found) == 16  # eight things touch the disk; each could be the last
    assert found == sorted(found) and found[0] is False and found[-1] is True
    left = [part for part in tmp_path.iterdir() if part != path]
    for part in left:
        os.utime(part, (0, 0))
    write(path, {"a": old}, {})  # temporary files left behind are in nobody's way, and go in time
    assert len(left) == 10 and os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("part", ["first.weight", "last.bias"])
def test_a_tensor_missing_or_left_over_is_refused(part):
    """All of them and no others: a network that is filled in part would draw nonsense and say nothing."""
    whole = MLP(dim=2, width=8, depth=1).state_dict()
    name = next(iter(whole)) if part.startswith("first") else list(whole)[-1]
    for tensors in ({key: value for key, value in whole.items() if key != name}, whole | {"stranger": whole[name]}, {}):
        with pytest.raises(ValueError, match="do not fit"):
            fill(MLP(dim=2, width=8, depth=1), tensors)
    fill(net := MLP(dim=2, width=8, depth=1), whole)
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in whole.items())


def learner():
    torch.manual_seed(0)
    net = UNet(size=8, width=8, deep_width=8, deep_blocks=1, classes=2)
    for number, parameter in enumerate(net.parameters()):
        torch.nn.init.normal_(parameter, std=0.1 + number / 1000)
    return LearnedDenoiser(net, flow, "velocity")


@pytest.mark.parametrize("half", [False, True])
def test_a_denoiser_comes_back_ready_to_sample(half, tmp_path):
    """The same network, schedule and target, in evaluation mode and with nothing to learn."""
    denoiser = learner().train()
    save(path := tmp_path / "x.safetensors", denoiser, {"data": {"name": "dots"}}, half=half)
    tensors, _ = read(path)
    assert {value.dtype for value in tensors.values()} == {torch.float16 if half else torch.float32}
    again, card = load(path)
    assert again.schedule is flow and again.target == "velocity" and again.net.config == denoiser.net.config
    assert card["data"] == {"name": "dots"} and card["network"]["name"] == "UNet" and card["schedule"] == "flow"
    assert not again.training and not any(parameter.requires_grad for parameter in again.parameters())
    assert {parameter.dtype for parameter in again.parameters()} == {torch.float32}
    for name, value in denoiser.net.state_dict().items():
        assert torch.equal(again.net.state_dict()[name], value.half().float() if half else value)
    assert denoiser.training  # who is saved is left as it was


class Counting(MLP):
    def __init__(self, **config):
        super().__init__(**config)
        self.register_buffer("counted", torch.tensor(0))


def test_whole_numbers_stay_whole_in_a_half_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "Counting", Counting)
    denoiser = LearnedDenoiser(Counting(dim=2), flow)
    denoiser.net.counted += 70_001  # no float16 holds it
    save(tmp_path / "x", denoiser, half=True)
    assert load(tmp_path / "x")[0].net.counted == 70_001


def test_a_run_comes_back_as_it_was(tmp_path):
    """Weights, average, moments and step; the moments lie in memory as their parameters do, which fused Adam needs."""
    run = Run(learner())
    for k in range(3):
        noise = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(k))
        run.advance(run.denoiser(noise, 0.5, y=torch.arange(4) % 2).x0.square().mean(), lr=0.01)
    save_run(path := tmp_path / "run.safetensors", run, {"note": "hello"})
    again, card = load_run(path)
    assert again.step == 3 == card["step"] and card["note"] == "hello"
    assert again.denoiser.schedule is flow and again.denoiser.target == "velocity"
    for one, other in ((again.denoiser, run.denoiser), (again.average, run.average)):
        assert all(torch.equal(value, one.state_dict()[name]) for name, value in other.state_dict().items())
    assert not torch.equal(run.denoiser.net.stem.weight, run.average.net.stem.weight)
    for one, other in zip(again.denoiser.parameters(), run.denoiser.parameters(), strict=True):
        state, want = again.optimizer.state[one], run.optimizer.state[other]
        assert set(state) == set(want) == {"step", "exp_avg", "exp_avg_sq"}
        for key, value in want.items():
            assert torch.equal(state[key], value) and state[key].dtype == value.dtype and not state[key].requires_grad
            assert key == "step" or state[key].stride() == one.stride()


def test_the_fingerprint_is_of_names_types_shapes_bytes_and_card():
    base = {"a": torch.arange(4.0), "b": torch.ones(2)}
    seen = {fingerprint(base, "card")}
    for tensors, card in (
        (base, "cord"),
        ({"a": base["a"], "c": base["b"]}, "card"),
        ({"a": base["a"].reshape(2, 2), "b": base["b"]}, "card"),
        ({"a": base["a"].view(torch.int32), "b": base["b"]}, "card"),
        ({"a": base["a"] + 1e-7, "b": base["b"]}, "card"),
        ({"a": base["b"], "b": base["a"]}, "card"),
    ):
        seen.add(fingerprint(tensors, card))
    assert len(seen) == 7 and fingerprint(dict(reversed(base.items())), "card") == fingerprint(base, "card")
    strided = torch.arange(8.0)[::2]  # what is not contiguous counts as what it holds
    assert fingerprint({"a": strided}, "") == fingerprint({"a": strided.clone()}, "")


def test_a_checkpoint_without_a_denoiser_is_refused(small):
    with pytest.raises(CheckpointError, match=r"does not say network\.name"):
        load(small)
    json.dumps(read(small)[1])


def test_a_card_written_before_a_setting_existed_takes_its_default():
    """The shipped model's card knows neither of a learned variance nor of changes."""
    path = find("fashion-small.safetensors")
    denoiser, card = load(path)
    assert not {"variance", "changes"} & set(card["network"])
    assert denoiser.net.config["variance"] is False and denoiser.net.config["changes"] == 0
    assert set(denoiser.net.state_dict()) == set(read(path)[0])
