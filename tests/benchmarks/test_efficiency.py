"""The benchmark behind notebook 17b's figure of quality against data, in small: its parts, and a record from end to end."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from minidiff.data.files import find
from minidiff.engine.checkpoints import load
from minidiff.engine.generate import generate
from minidiff.engine.presets import SHIPPED
from tests.benchmarks import efficiency

DATA = Path(__file__).parents[2] / "data"


def test_a_part_is_the_first_images_and_if_flipped_their_mirror_images_with_the_same_labels():
    plain, both = efficiency.part(7, False), efficiency.part(7, True)
    assert len(plain) == 7 and len(both) == 14
    assert torch.equal(both.x[:7], plain.x) and torch.equal(both.y, torch.cat([plain.y, plain.y]))
    for k in range(7):
        for column in (0, 5, 27):
            assert torch.equal(both.x[7 + k, 0, :, column], plain.x[k, 0, :, 27 - column])


def test_the_nearest_image_is_measured_a_pixel():
    known = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    moved = known[[2, 0]] + torch.tensor([0.5, -0.25])[:, None, None, None]  # far nearer to its own than to any other
    assert_close(efficiency.nearest(moved, known), torch.tensor([0.5, 0.25]), rtol=1e-4, atol=0)


@pytest.mark.slow
def test_the_loss_is_that_of_the_labels_and_of_trained_networks():
    """The shipped network knows the classes: with wrong ones its loss is worse; and no training has seen grey noise."""
    shipped, clothes = load(find(SHIPPED))[0], efficiency.TEST[:100]
    wrong = efficiency.Data(clothes.x, (clothes.y + 5) % 10, clothes.shift, clothes.scale, clothes.names)
    grey = torch.randn(clothes.x.shape, generator=torch.Generator().manual_seed(1))
    noise = efficiency.Data(grey, clothes.y, clothes.shift, clothes.scale, clothes.names)
    good, *bad = (efficiency.loss(shipped, images) for images in (clothes, wrong, noise))
    assert 0.1 < good < 0.25 and min(bad) > 1.02 * good
    assert efficiency.loss(shipped, clothes) == good


@pytest.mark.slow
def test_a_record_from_end_to_end(tmp_path, monkeypatch):
    out = tmp_path / "record.json"
    for name in ("MINIDIFF_QUIET", "MINIDIFF_DEVICE"):
        monkeypatch.setenv(name, "")  # so that what the program sets is undone
    monkeypatch.setattr(efficiency, "TEST", efficiency.TEST[:300])
    quick = lambda *given, **options: generate(*given, **options | {"steps": 10})  # grey after two steps of training
    monkeypatch.setattr(efficiency, "generate", quick)
    wanted = ["--images", "40", "--flipped", "40", "--steps", "2", "--number", "70", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["efficiency.py", *wanted])
    threads = torch.get_num_threads()
    try:
        efficiency.main()
    finally:
        torch.set_num_threads(threads)
    record, shown = json.loads(out.read_text()), json.loads((DATA / "efficiency.json").read_text())
    assert set(record) == set(shown) | {"minidiff"} and record["steps"] == 2 and record["samples"] == 70
    assert [(row["images"], row["flipped"]) for row in record["rows"]] == [(40, False), (40, True)]
    for row in record["rows"]:  # after two steps: grey noise, which nobody takes for clothes, and no copy of anything
        assert set(row) == set(shown["rows"][0]) and row["frechet_distance"] > 20 * record["floor"] > 0
        assert row["nearest"] > 1 and row["memorised"] < 0.5 and row["loss_unseen"] > 0.5
