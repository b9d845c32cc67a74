"""The benchmark of notebook 12's longer training runs in small; what is shipped was made by it as it stands."""

import sys

import pytest

from minidiff import load
from minidiff.data import find
from tests.benchmarks import minutes


def test_it_runs_in_small(tmp_path, monkeypatch):
    out = tmp_path / "tiny.safetensors"
    monkeypatch.setattr(minutes, "FIRST", 100)
    monkeypatch.setattr(minutes, "NET", {"classes": 10, "width": 8, "deep_width": 8, "deep_blocks": 1})
    monkeypatch.setattr(sys, "argv", ["minutes", "--steps", "200", "--out", str(out)])
    monkeypatch.setenv("MINIDIFF_QUIET", "1")
    minutes.main()
    denoiser, card = load(out)
    assert card["record"]["steps"] == 200 and [step for step, _ in card["record"]["losses"]] == [100, 200]
    assert card["record"]["losses"][1][1] < card["record"]["losses"][0][1] < 1.1
    assert denoiser.net.config["width"] == 8


def test_the_shipped_one_is_the_notebooks_network():
    denoiser, card = load(find("fashion-minutes.safetensors"))
    assert {name: denoiser.net.config[name] for name in minutes.NET} == minutes.NET
    assert card["record"]["steps"] == 9_000 and card["record"]["cpu_seconds"] == pytest.approx(156)
