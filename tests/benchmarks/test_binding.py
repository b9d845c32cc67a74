"""What teaching an encoder is worth: the benchmark in small, and what notebook 20 says of its record."""

import json
from dataclasses import replace

import torch

from minidiff import data
from minidiff.engine.presets import PRESETS, worded
from tests.benchmarks import binding

RECORD = json.loads(binding.RECORD.read_text())


def test_the_two_ways_differ_in_the_teaching_alone(tmp_path, monkeypatch):
    seen = []

    def teach(net):
        seen.append({name: value.clone() for name, value in net.state_dict().items()})
        torch.nn.init.zeros_(net.text.place)
        return {"reading": {"colour": 0.5}}

    small = replace(PRESETS["scenes"], load=lambda: worded(data.scenes(3_000)), teach=teach)
    monkeypatch.setitem(PRESETS, "scenes", small)
    out = tmp_path / "binding.json"
    binding.main(["--steps", "1", "--each", "3", "--out", str(out)])
    found = json.loads(out.read_text())
    assert len(seen) == 1 and found["taught"]["reading"] == {"colour": 0.5} and found["untaught"]["reading"] is None
    assert found["each"] == 3 and found["taught"].keys() == found["untaught"].keys() == RECORD["taught"].keys()
    assert PRESETS["scenes"] is small
    for kind in binding.KINDS:
        assert 0 <= found["taught"][kind]["all"][0] <= 1


def test_the_record_is_of_the_preset_and_says_what_the_notebook_says():
    """Trained for a tenth as long as the shipped model; with it most pairs are right, without hardly any."""
    assert (
        RECORD["each"] == 200
        and RECORD["taught"]["steps"] == RECORD["untaught"]["steps"] == PRESETS["scenes"].steps / 11
    )
    pairs = [RECORD[way]["pair"]["all"] for way in ("untaught", "taught")]
    assert pairs[1][0] - pairs[0][0] > 5 * max(error for _, error in pairs)
