"""Notebook 19's benchmark in small, its record against a fresh start, and what the notebook quotes of it."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from minidiff.course.tasks import latent_diffusion as tasks
from minidiff.data import render, scene, scenes
from minidiff.data.scenes import SHAPES
from minidiff.engine import load, load_network, train
from minidiff.networks import AutoEncoder
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine
from tests.benchmarks import latents

DATA = Path(__file__).parents[2] / "data"
RECORD = json.loads((DATA / "latents.json").read_text())
ROWS = RECORD["rows"]


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_rate_is_torchs_divergence_in_bits():
    mean, log_var = randn(3, 2, 2, 2), randn(3, 2, 2, 2, seed=1)
    prior = torch.distributions.Normal(0.0, 1.0)
    q = torch.distributions.Normal(mean, (log_var / 2).exp())
    nats = torch.distributions.kl_divergence(q, prior).flatten(1).sum(1)
    assert_close(tasks.our_rate(mean, log_var), nats / math.log(2))
    x, again = randn(3, 1, 8, 8, seed=2), randn(3, 1, 8, 8, seed=3)
    squared = (x - again).square().flatten(1).sum(1)
    assert_close(tasks.our_loss(x, again, mean, log_var, 0.3), squared + 0.3 * nats)


def test_training_asks_for_draws_and_moves_by_adams_first_step():
    torch.manual_seed(0)
    net, seen = AutoEncoder(1, 2, 4, 4, groups=2), []
    before = [p.clone() for p in net.parameters()]

    def loss(x, again, mean, log_var, weight):
        seen.append((x, again, mean, log_var, weight))
        return tasks.our_loss(x, again, mean, log_var, weight)

    training = tasks.train_autoencoder(net, randn(20, 1, 8, 8), loss, steps=100, weight=0.5, lr=1e-3, batch=8)
    first = next(training)
    x, again, mean, log_var, weight = seen[0]
    assert x.shape == again.shape == (8, 1, 8, 8) and weight == 0.5
    assert_close(first, tasks.our_loss(x, again, mean, log_var, 0.5).mean().detach() / 64)
    moved = torch.cat([(new - old).abs().flatten() for new, old in zip(net.parameters(), before, strict=True)])
    # a tenth of the warm-up's ten steps; Adam's first step is the learning rate times the sign of the gradient
    assert_close(moved.max(), torch.tensor(1e-4), rtol=1e-2, atol=0)
    with torch.no_grad():
        assert (again - net.decoder(mean)).abs().max() > 1e-3  # decoded from a draw


def test_psnr_counts_pixels_from_0_to_1():
    x = randn(5, 3, 8, 8)
    assert latents.psnr(x, x + 0.2, 0.5) == pytest.approx(20)  # an error of 0.1 everywhere


def test_what_is_judged_is_what_is_drawn():
    one = [scene(5, k, kind="one") for k in range(12)]
    labels = torch.tensor([SHAPES.index(each.things[0].shape) for each in one])
    assert latents.judged(render(one), labels) == {"clean": 1.0, "asked": 1.0}
    assert latents.judged(render(one), (labels + 1) % 8) == {"clean": 1.0, "asked": 0.0}
    assert latents.judged(render([scene(5, k, kind="and") for k in range(4)]), labels[:4])["clean"] == 0
    assert latents.judged(torch.rand(4, 3, 32, 32), labels[:4])["clean"] == 0
    assert latents.read_back(render([scene(1, k) for k in range(20)]), 1) == 1.0
    assert latents.read_back(render([scene(2, k) for k in range(20)]), 1) < 0.2
    drawn, shapes = latents.told(12, 5, "one")
    assert shapes.equal(labels) and drawn.x.equal(scenes(12, 5, kind="one").x)


def test_latents_of_another_size_are_those_times_5_49():
    usual, large = (
        latents.standing(DATA / "scenes-autoencoder.safetensors", f"latent U-Net{more}") for more in ("", ", std 5.49")
    )
    x = scenes(50, 9).x
    assert_close(large.encode(x), 5.49 * usual.encode(x), rtol=1e-4, atol=1e-4)
    assert_close(large(x), usual(x), rtol=1e-3, atol=1e-3)
    assert latents.standing(DATA / "nothing", "pixel DiT") is None


def test_the_record_holds_every_job_and_tells_who_made_it():
    assert set(latents.jobs(1, DATA)) - set(ROWS) <= {"latent DiT", "latent U-Net, std 5.49"}  # not made yet
    assert set(ROWS) <= set(latents.jobs(1, DATA))
    for name in latents.JOBS.keys() & ROWS.keys():
        (kind, config, steps, lr, _), row = latents.JOBS[name], ROWS[name]
        made = (row["net"], row["config"], row["steps"], row["lr"])
        assert made == (kind.__name__, config, round(RECORD["scale"] * steps), lr)
    for weight in latents.CURVE:
        assert (ROWS[f"curve {weight:g}"]["weight"], ROWS[f"curve {weight:g}"]["steps"]) == (
            weight,
            latents.CURVE_STEPS,
        )
    assert (ROWS["autoencoder"]["weight"], ROWS["autoencoder"]["steps"]) == (latents.WEIGHT, latents.STEPS)
    assert RECORD["threads"] == 1 and RECORD["torch"] and RECORD["commit"] and RECORD["device"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(latents.JOBS.keys() & ROWS.keys()))
def test_the_record_begins_as_a_fresh_training_does(name):
    """The losses of the first and tenth step; bfloat16 and another processor move them a little."""
    kind, config, _, lr, _ = latents.JOBS[name]
    between = latents.standing(DATA / "scenes-autoencoder.safetensors", name)
    drawn, labels = latents.told(latents.TRAIN, 0, "one")
    x = drawn.x if between is None else latents.through(between, drawn.x, latents=True)
    torch.manual_seed(0)
    denoiser = LearnedDenoiser(kind(**config), cosine, "v")
    losses = []
    for loss in train(
        denoiser, x, labels=labels, batch=latents.BATCH, lr=lr, seed=0, steps=ROWS[name]["steps"], bf16=True
    ):
        losses.append(loss.item())
        if len(losses) == 10:
            break
    assert [losses[0], losses[9]] == pytest.approx(ROWS[name]["first"][:2], rel=0.02)


def test_the_shipped_denoiser_is_the_one_of_the_record():
    denoiser, card = load(DATA / "scenes-latent.safetensors")
    row = ROWS[latents.SHIPPED]
    assert {key: card["record"][key] for key in row} == row and denoiser.target == "v"
    assert card["data"]["names"] == list(SHAPES) and card["data"]["shape"] == [4, 8, 8]
    z = latents.through(load_network(DATA / "scenes-autoencoder.safetensors")[0], scenes(4, 3).x, latents=True)
    assert latents.flops(denoiser, z[:1], 0.5) == row["flops"]


@pytest.mark.slow
def test_a_record_from_end_to_end(tmp_path, monkeypatch, capsys):
    """It is resumed: what it holds is not made again."""
    for name, value in {"TRAIN": 64, "UNSEEN": 16, "SAMPLES": 8, "CURVE": (0.1,), "SAMPLER_STEPS": 3}.items():
        monkeypatch.setattr(latents, name, value)
    latents.told.cache_clear()
    for name in ("MINIDIFF_QUIET", "MINIDIFF_DEVICE"):
        monkeypatch.setenv(name, "")  # so that what the program sets is undone
    made = []
    for only in (["autoencoder", "floors", "latent U-Net"], ["latent U-Net", "curve", "pixel DiT"]):
        latents.main(["--folder", str(tmp_path), "--scale", "0.001", "--only", *only])
        made.append(capsys.readouterr().out.count("\n"))
    latents.told.cache_clear()
    record = json.loads((tmp_path / "latents.json").read_text())
    assert made == [4, 2] and set(record) == set(RECORD)
    for name, row in record["rows"].items():
        assert row.keys() == ROWS["curve 0.1" if name.startswith("curve") else name].keys()
    assert (tmp_path / "scenes-latent.safetensors").exists()


def words() -> str:
    cells = json.loads((DATA.parent / "notebooks" / "19_latent_diffusion.ipynb").read_text())["cells"]
    return " ".join(" ".join("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")


SAID = {  # sentences of the notebook, and what the record says where they have a number
    r"weight of 10 a picture has (\S+) bits": ROWS["curve 10"]["bits"],
    r"the bits buy (\S+) dB": ROWS["curve 0.1"]["psnr"] - ROWS["curve 10"]["psnr"],
    r"the next (\S+) bits buy": ROWS["curve 0.001"]["bits"] - ROWS["curve 0.1"]["bits"],
    r"bits buy (\S+) dB \(33": ROWS["curve 0.001"]["psnr"] - ROWS["curve 0.1"]["psnr"],
    r"deviation 5.49, drew (\S+) % clean": 100 * ROWS["latent U-Net, std 5.49"]["clean"],
    r"clean scenes and (\S+) % as asked": 100 * ROWS["latent U-Net, std 5.49"]["asked"],
    r"as asked, against (\S+) % and": 100 * ROWS["latent U-Net"]["clean"],
    r"% and (\S+) % with the right scale": 100 * ROWS["latent U-Net"]["asked"],
    r"(\S+) % clean in latents against": 100 * ROWS["latent DiT"]["clean"],
    r"in latents against (\S+) % in pixels": 100 * ROWS["pixel DiT"]["clean"],
    r"after (\S+) minutes, latents": ROWS["latent U-Net"]["cpu_seconds"] / 60,
    r"ahead of pixels after (\d\.\d)": ROWS["pixel U-Net"]["cpu_seconds"] / 60,
    r"ahead in latents, (\S+) % against": 100 * ROWS["latent U-Net"]["clean"],
    r"% against (\S+) % clean": 100 * ROWS["pixel U-Net"]["clean"],
}


@pytest.mark.parametrize("sentence", SAID)
def test_the_notebook_says_what_the_record_holds(sentence):
    (said,) = re.findall(sentence, words())
    digits = len(said.partition(".")[2])
    assert said == f"{SAID[sentence]:.{digits}f}"
