"""The score: which images are compared with which, in whose order, and what stands beside every number.

The judge is a stand-in that averages quarters of an image and reads its class off the brightness, the data sets are two
handfuls of noise of different spread, and the model knows in closed form what it draws.
"""

import sys

import pytest
import torch
from torch.testing import assert_close

from minidiff import data
from minidiff.data.dataset import Data
from minidiff.engine.generate import streams
from minidiff.estimates import jackknife
from minidiff.evaluation.metrics import class_fidelity, frechet_distance, kernel_distance, precision_recall
from minidiff.evaluation.score import score
from minidiff.guidance import given
from minidiff.predictions import Denoiser, Prediction
from minidiff.samplers import ddim_step, last, sample
from minidiff.schedules import SCHEDULES, cosine, evaluate, start, t_max, uniform_times

NAMES = tuple("abcd")


class Judge:
    """Four features, the means of an image's quarters; the class is the brightness, in tenths."""

    def features(self, x):
        return torch.stack([q.flatten(1).mean(1) for half in x.chunk(2, 2) for q in half.chunk(2, 3)], 1)

    def classify(self, x):
        return (10 * x.flatten(1).mean(1)).round().long().clamp(0, len(NAMES) - 1)


def pictures(number, spread, seed):
    generator = torch.Generator().manual_seed(seed)
    x = spread * torch.randn(number, 1, 2, 2, generator=generator).repeat_interleave(14, 2).repeat_interleave(14, 3)
    return Data(x, torch.arange(number) % len(NAMES), names=NAMES)


TEST, TRAIN = pictures(90, 1.0, 1), pictures(400, 1.4, 2)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    module = sys.modules["minidiff.evaluation.score"]
    sets = {"test": TEST, "train": TRAIN}
    monkeypatch.setattr(data, "fashion_mnist", lambda split="train": sets[split])
    monkeypatch.setattr(module, "load_judge", Judge)


def drawn(schedule=cosine, stubborn=None):
    """Draws class k as k / 10 plus 0.3 times the noise it began with, but one class as the class after it."""

    def predict(x_t, t, y=None):
        alpha, sigma = evaluate(schedule, t)
        shown = y + (y == stubborn) if stubborn is not None else y
        centre = shown[:, None, None, None] / 10
        eps = (x_t - alpha * centre) / (0.3 * alpha + sigma)
        return Prediction(centre + 0.3 * eps, eps)

    return Denoiser(schedule, predict)


def own_noise(schedule, number, seed):
    return start(schedule, t_max(schedule), (number, 1, 28, 28), streams(seed, range(number)))


def by_hand(denoiser, number, steps, seed):
    y = torch.tensor([k % len(NAMES) for k in range(number)])
    times = uniform_times(steps, t_max(denoiser.schedule))
    return y, last(sample(ddim_step, given(denoiser, y=y), own_noise(denoiser.schedule, number, seed), times))


@pytest.mark.parametrize("schedule", ["cosine", "flow", "edm"])
@pytest.mark.parametrize("number, steps, seed", [(120, 4, 0), (210, 7, 3)])
def test_every_number_compares_what_it_says(schedule, number, steps, seed):
    denoiser = drawn(SCHEDULES[schedule])
    y, x = by_hand(denoiser, number, steps, seed)
    real, fake, others = map(Judge().features, (TEST.x, x, TRAIN.x[:number]))
    got = score(denoiser, number=number, steps=steps, seed=seed)

    parts = jackknife(precision_recall, real[:number], fake)
    wanted = {
        "frechet_distance": jackknife(frechet_distance, fake, real),
        "kernel_distance": kernel_distance(fake, real),
        "precision": (parts.value[0], parts.error[0]),
        "recall": (parts.value[1], parts.error[1]),
    }
    for name, (value, error) in wanted.items():
        assert_close(got[name], float(value), rtol=1e-4, atol=1e-6)
        assert_close(got[f"{name}_error"], float(error), rtol=1e-3, atol=1e-6)
    floors = [
        frechet_distance(others, real),
        kernel_distance(others, real).value,
        *precision_recall(real[:number], others),
    ]
    assert_close([got[f"{name}_floor"] for name in wanted], [float(floor) for floor in floors])
    assert got["floor"] == got["frechet_distance_floor"]  # under the name that older cards use
    assert (got["samples"], got["ddim_steps"], got["seed"]) == (number, steps, seed)
    assert got["agreement"] == 1.0 and class_fidelity(Judge().classify(x), y).value == 1.0


def test_precision_and_recall_ask_as_many_real_images_as_there_are_samples():
    """They depend on the numbers: forty samples are held against forty test images, not against ninety."""
    _, x = by_hand(drawn(), 40, 3, 0)
    real, fake = Judge().features(TEST.x[:40]), Judge().features(x)
    got = score(drawn(), number=40, steps=3)
    assert_close([got["precision"], got["recall"]], [*precision_recall(real, fake)])


@pytest.mark.parametrize("stubborn", [0, 2])
def test_agreement_is_the_share_drawn_as_asked(stubborn):
    """One class in four is drawn as the next: three quarters agree, and the error is that of a proportion."""
    got = score(drawn(stubborn=stubborn), number=80, steps=3)
    assert got["agreement"] == 0.75
    assert_close(got["agreement_error"], (0.75 * 0.25 / 80) ** 0.5, rtol=0.02, atol=0)


def test_the_seed_decides_the_samples():
    one, two, again = (score(drawn(), number=60, steps=3, seed=seed) for seed in (1, 2, 1))
    assert one == again and one["frechet_distance"] != two["frechet_distance"]


def test_unless_told_otherwise_ten_thousand_samples_of_fifty_steps(monkeypatch):
    class Asked(Exception):
        pass

    def generate(denoiser, noise, y, **options):
        assert torch.equal(noise, own_noise(cosine, 10_000, 0)) and options == {"steps": 50}
        raise Asked

    monkeypatch.setattr(sys.modules["minidiff.evaluation.score"], "generate", generate)
    with pytest.raises(Asked):
        score(drawn())
