"""The two benchmarks behind notebook 16 in small: their parts, what is stored, and a record from end to end."""

import json
import sys
from pathlib import Path

import pytest
import torch

from minidiff.data import Data
from minidiff.data.files import find
from minidiff.engine.checkpoints import load
from tests.benchmarks import augmented, held_out

DATA = Path(__file__).parents[2] / "data"
RECORD = json.loads((DATA / "augmented.json").read_text())
SMALL = Data(
    torch.arange(40.0)[:, None, None, None].expand(40, 1, 28, 28), torch.arange(40) % 10, names=tuple("abcdefghij")
)


def test_a_pick_has_as_many_of_each_class_and_a_larger_one_begins_with_it():
    few, more = augmented.picked(SMALL, 2, 5), augmented.picked(SMALL, 3, 5)
    assert few.y.tolist() == [label for label in range(10) for _ in range(2)]
    assert set(few.x[:, 0, 0, 0].tolist()) < set(more.x[:, 0, 0, 0].tolist()) and len(more) == 30
    assert not torch.equal(few.x, augmented.picked(SMALL, 2, 6).x)


def test_moved_images_are_mirrored_half_the_time_and_shifted_by_two_at_most():
    x = torch.zeros(400, 1, 28, 28)
    x[:, 0, 10, 5] = 1.0
    there = augmented.moved(x, torch.Generator().manual_seed(0))[:, 0].nonzero()
    assert len(there) == 400  # no pixel is lost or doubled
    row, column = there[:, 1].unique().tolist(), there[:, 2].unique().tolist()
    assert len(row) == 1 and abs(row[0] - 10) <= 2 and len(column) == 2 and column[1] - column[0] == 22 - 5
    assert abs((there[:, 2] > 14).double().mean() - 0.5) < 0.1
    shifts = {
        tuple(augmented.moved(x[:1], torch.Generator().manual_seed(k))[0, 0].nonzero()[0].tolist()) for k in range(99)
    }
    assert {row for row, _ in shifts} == {8, 9, 10, 11, 12}


def test_the_few_are_half_of_what_is_learned_from():
    x, y = augmented.beside(SMALL, torch.ones(80, 1, 28, 28), torch.zeros(80, dtype=torch.int64))
    assert len(x) == len(y) == 160 and torch.equal(x[:40], SMALL.x) and torch.equal(y[40:80], SMALL.y)
    assert (x[80:] == 1).all() and (y[80:] == 0).all()


def test_held_out_classes_are_gone_and_no_other():
    left = held_out.without(SMALL, ("b", "f"))
    assert sorted(set(left.y.tolist())) == [0, 2, 3, 4, 6, 7, 8, 9] and len(left) == 32


def test_the_stored_network_says_what_it_has_not_seen():
    _, card = load(find("fashion-eight.safetensors"))
    assert card["data"]["held_out"] == ["Trouser", "Sandal"] and card["data"]["examples"] == 48_000
    assert card["record"]["steps"] == card["settings"]["steps"] == 2_500


def test_the_record_is_that_of_the_program():
    assert list(RECORD["accuracy"]) == ["few", "moved", "own", "shipped", "more"]
    assert {len(found) for found in RECORD["accuracy"].values()} == {5}
    assert (RECORD["real"], RECORD["drawn"], RECORD["steps"]) == (20, 40, 500) and RECORD["threads"] == 1


@pytest.mark.slow
def test_a_record_from_end_to_end(tmp_path, monkeypatch):
    out, net = tmp_path / "record.json", tmp_path / "eight.safetensors"
    for name in ("MINIDIFF_QUIET", "MINIDIFF_DEVICE"):
        monkeypatch.setenv(name, "")  # so that what the programs set is undone
    monkeypatch.setattr(augmented, "classifier", lambda x, y, seed, **more: lambda part: torch.eye(10)[[0] * len(part)])
    threads = torch.get_num_threads()
    tiny = ["--real", "2", "--each", "1", "--seeds", "1", "--steps", "2", "--out"]
    try:
        monkeypatch.setattr(sys, "argv", ["augmented.py", *tiny, str(out)])
        augmented.main()
        monkeypatch.setattr(sys, "argv", ["held_out.py", "--steps", "2", "--out", str(net)])
        held_out.main()
    finally:
        torch.set_num_threads(threads)
    record = json.loads(out.read_text())
    assert set(record) == set(RECORD) and record["accuracy"] == {
        name: [0.1] for name in RECORD["accuracy"]
    }  # all T-shirts
    assert load(net)[1]["record"]["steps"] == 2
