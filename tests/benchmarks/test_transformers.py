"""The benchmark behind notebook 18 in small: its parts, its record against a fresh start, and what is quoted from it."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from minidiff.course.tasks import transformers as tasks
from minidiff.networks import DiT
from tests.benchmarks import transformers

DATA = Path(__file__).parents[2] / "data"
RECORD = json.loads((DATA / "transformers.json").read_text())
ROWS = RECORD["rows"]


def test_both_networks_cost_the_same():
    costs = {name: transformers.flops(name) for name in transformers.NETS}
    assert costs == {name: cost for name, (cost, _) in RECORD["nets"].items()}
    assert max(costs.values()) < 1.011 * min(costs.values())


def test_the_record_holds_every_job_and_tells_who_made_it():
    assert set(ROWS) == {key for key, _ in transformers.jobs(RECORD)}
    assert RECORD["threads"] == 1 and RECORD["torch"] and RECORD["commit"] and RECORD["device"]
    for key, row in ROWS.items():
        kind, name = key.split()[:2]
        assert kind == "toy" or row["steps"] == transformers.STEPS[kind]
        assert kind != "race" or row["lr"] == transformers.best(RECORD, name)


def test_the_best_rate_is_that_of_the_lowest_loss():
    rows = {f"search dit {lr}": {"lr": lr, "loss": abs(lr - 4e-3)} for lr in transformers.RATES}
    assert transformers.best({"rows": rows | {"search unet 1": {"lr": 1, "loss": -1}}}, "dit") == 4e-3


@pytest.mark.slow
@pytest.mark.parametrize("target", transformers.TARGETS)
@pytest.mark.parametrize("dim", [2, 512])
def test_the_toy_begins_as_a_fresh_training_does(target, dim):
    """The losses of the first, tenth and thirtieth step; another processor moves them in the sixth digit."""
    _, losses = transformers.plane(target, dim, 0, transformers.STEPS["toy"], 30)
    assert [losses[k] for k in (0, 9, 29)] == pytest.approx(ROWS[f"toy {target} {dim} 0"]["losses"], rel=1e-3, abs=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", transformers.NETS)
def test_the_race_begins_as_a_fresh_training_does(name):
    """The record was made in bfloat16 where the processor has it: a band for those that have not."""
    row = ROWS[f"race {name}"]
    _, fresh = transformers.trained(name, row["steps"], row["lr"], 0, 30)
    assert fresh["losses"] == pytest.approx(row["losses"], rel=0.02)


def test_directions_are_at_right_angles_and_energy_is_counted_off_the_plane():
    axes = tasks.frame(40)
    assert_close(axes.T @ axes, torch.eye(2), rtol=0, atol=1e-6)
    assert not torch.equal(axes, tasks.frame(40, seed=1))
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    inside = points @ axes.T
    off = torch.randn(50, 40, generator=torch.Generator().manual_seed(1))
    off = off - off @ axes @ axes.T
    assert tasks.off_plane(inside, axes) == pytest.approx(0, abs=1e-6)
    assert tasks.off_plane(off, axes) == pytest.approx(1)
    share = off.square().sum() / (off.square().sum() + inside.square().sum())
    assert tasks.off_plane(inside + off, axes) == pytest.approx(share.item(), rel=1e-5)


def test_open_gates_are_ones_and_nothing_else_is_changed():
    net = tasks.open_gates(DiT(1, 8, 4, width=8, depth=2, heads=2))
    emb, (one, two) = torch.zeros(1, 8), net.blocks
    for block in (one, two):
        shift1, scale1, gate1, shift2, scale2, gate2 = block.modulation(emb).chunk(6, 1)
        assert all((gate == 1).all() for gate in (gate1, gate2))
        assert not any(part.any() for part in (shift1, scale1, shift2, scale2))


@pytest.mark.slow
def test_a_record_from_end_to_end(tmp_path, monkeypatch, capsys):
    """It is resumed: what it holds is not made again."""
    for name in ("MINIDIFF_QUIET", "MINIDIFF_DEVICE"):
        monkeypatch.setenv(name, "")  # so that what the program sets is undone
    monkeypatch.setattr(transformers, "STEPS", {"search": 2, "race": 3, "minutes": 2, "toy": 2})
    monkeypatch.setattr(transformers, "DIMS", (2,))
    monkeypatch.setattr(transformers, "RATES", (1e-3,))
    monkeypatch.setattr(transformers, "NUMBER", 140)
    out, threads = tmp_path / "transformers.json", torch.get_num_threads()
    try:
        for only, rows, made in ((["--only", "toy"], 6, 6), ([], 11, 5)):
            monkeypatch.setattr(sys, "argv", ["transformers.py", "--out", str(out), *only])
            transformers.main()
            record = json.loads(out.read_text())
            assert len(record["rows"]) == rows and capsys.readouterr().out.count("\n") == made
    finally:
        torch.set_num_threads(threads)
    assert set(record) == set(RECORD)
    for key in ("race dit", "minutes dit", "toy x0 2 0", "search unet 0.001"):
        shown = ROWS[key.replace("0.001", str(transformers.best(RECORD, "unet")))]
        assert set(record["rows"][key]) == set(shown)
    assert record["rows"]["race dit"]["frechet_distance"] > 20 * record["floor"] > 0


SAID = {  # sentences of the notebook, and what the record says where they have a number
    r"the transformer's loss is (\S+) and the U-Net's": ROWS["race dit"]["loss"],
    r"and the U-Net's (\S+), its distance": ROWS["race unet"]["loss"],
    r"its distance (\S+) and the U-Net's": ROWS["race dit"]["frechet_distance"],
    r"and the U-Net's (\S+); real pictures": ROWS["race unet"]["frechet_distance"],
    r"real pictures would have (\S+)\.": RECORD["floor"],
    r"900 steps, its loss is (\S+), its": ROWS["minutes dit"]["loss"],
    r"its distance (\S+): the U-Net": ROWS["minutes dit"]["frechet_distance"],
    r"\$v\$ is (\S+) % off the plane": 100 * ROWS["toy v 128 0"]["off"],
}


@pytest.mark.parametrize("sentence", SAID)
def test_the_notebook_says_what_the_record_holds(sentence):
    cells = json.loads((DATA.parent / "notebooks" / "18_transformers.ipynb").read_text())["cells"]
    text = " ".join(" ".join("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    (said,) = re.findall(sentence, text)
    digits = len(said.partition(".")[2])
    assert said == f"{SAID[sentence]:.{digits}f}"
