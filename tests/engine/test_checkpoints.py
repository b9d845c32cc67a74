"""Checkpoints: every damaged byte is refused, and a process killed while saving leaves the old file or the new one."""

import json
import os
import signal
from types import SimpleNamespace

import pytest
import torch

from minidiff.data import files
from minidiff.data.files import find
from minidiff.engine.checkpoints import CheckpointError, build, fill, load, read, write
from minidiff.networks import MLP

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


def test_every_truncation_is_refused(small):
    content = small.read_bytes()
    for length in range(len(content)):
        small.write_bytes(content[:length])
        assert refused(small)
    small.write_bytes(content + b"\0")
    assert refused(small)


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that can fork and SIGKILL")
def test_a_process_killed_at_any_point_of_a_save_leaves_the_old_or_the_new(tmp_path):
    """SIGKILL before and after each of open, write (in two halves), flush, fsync, rename, and the folder's open and fsync."""
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


@pytest.mark.parametrize("change", [
    {"network": {"name": "Stranger"}},
    {"network": {"name": "MLP", "colour": 1}},
    {"network": None},
    {"schedule": "sideways"},
    {"target": "score"},
])  # fmt: skip
def test_a_card_from_elsewhere_is_refused(change):
    card = {"network": {"name": "MLP", "dim": 2}, "schedule": "cosine", "target": "v"}
    build("here", card)
    with pytest.raises(CheckpointError, match="no denoiser this version can build"):
        build("here", card | change)


def test_tensors_of_another_network_are_refused():
    with pytest.raises(CheckpointError, match="do not fit"):
        fill("here", MLP(dim=2), MLP(dim=3).state_dict())


def test_a_checkpoint_without_a_denoiser_is_refused(small):
    with pytest.raises(CheckpointError, match="no denoiser"):
        load(small)
    json.dumps(read(small)[1])


def test_a_card_written_before_a_setting_existed_takes_its_default():
    """The shipped model's card knows neither of a learned variance nor of changes."""
    path = find("fashion-small.safetensors")
    denoiser, card = load(path)
    assert not {"variance", "changes"} & set(card["network"])
    assert denoiser.net.config["variance"] is False and denoiser.net.config["changes"] == 0
    assert set(denoiser.net.state_dict()) == set(read(path)[0])
