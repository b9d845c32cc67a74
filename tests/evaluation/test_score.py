"""The score: which images are compared with which, in whose order, and what stands beside every number.

The judge is a stand-in that averages quarters of an image and reads its class off the brightness, the data sets are two
handfuls of noise of different spread, and the model knows in closed form what it draws.
"""

import math
import sys
from inspect import signature

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from minidiff import data
from minidiff.__main__ import main
from minidiff.data.dataset import Data
from minidiff.engine import checkpoints
from minidiff.engine.generate import streams
from minidiff.estimates import jackknife, random_folds
from minidiff.evaluation.metrics import class_fidelity, frechet_distance, kernel_distance, precision_recall
from minidiff.evaluation.score import principal, score, score_own
from minidiff.exact import of_gaussian
from minidiff.guidance import extrapolate, given
from minidiff.networks import MLP, UNet
from minidiff.predictions import Denoiser, LearnedDenoiser, Prediction
from minidiff.samplers import ddpm_step, last, sample
from minidiff.schedules import SCHEDULES, cosine, evaluate, karras_times, start, t_max, uniform_times
from minidiff.solvers import dpm_solver_2m

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
        y = torch.zeros(len(x_t)) if y is None else y  # what guidance leads away from
        shown = y + (y == stubborn) if stubborn is not None else y
        centre = shown[:, None, None, None] / 10
        eps = (x_t - alpha * centre) / (0.3 * alpha + sigma)
        return Prediction(centre + 0.3 * eps, eps)

    return Denoiser(schedule, predict)


def by_hand(denoiser, number, steps, seed, guidance=1.0):
    """By 2M on Karras' levels, with or without guidance."""
    y = torch.tensor([k % len(NAMES) for k in range(number)])
    times = karras_times(steps, low=0.02, schedule=denoiser.schedule)
    guided = extrapolate(given(denoiser, y=y), given(denoiser, y=None), guidance)
    noise = start(denoiser.schedule, float(times[0]), (number, 1, 28, 28), streams(seed, range(number)))
    return y, last(sample(dpm_solver_2m(), guided, noise, times))


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
    assert (got["samples"], got["seed"]) == (number, seed)
    assert (got["sampler"], got["steps"], got["guidance"]) == ("2m", steps, 1.0)
    assert got["agreement"] == 1.0 and class_fidelity(Judge().classify(x), y).value == 1.0


def test_precision_and_recall_ask_as_many_real_images_as_there_are_samples():
    """They depend on the numbers: forty samples are held against forty test images, not against ninety."""
    _, x = by_hand(drawn(), 40, 3, 0)
    real, fake = Judge().features(TEST.x[:40]), Judge().features(x)
    got = score(drawn(), number=40, steps=3)
    assert_close([got["precision"], got["recall"]], [*precision_recall(real, fake)])


def test_guidance_and_sampler_are_those_asked_for(monkeypatch):
    _, x = by_hand(drawn(), 60, 4, 0, guidance=2.5)
    got = score(drawn(), number=60, steps=4, guidance=2.5)
    wanted = frechet_distance(Judge().features(x), Judge().features(TEST.x))
    assert_close(got["frechet_distance"], float(wanted), rtol=1e-4, atol=0)
    y, own = torch.arange(60) % len(NAMES), streams(5, range(60))
    noise = start(cosine, t_max(cosine), (60, 1, 28, 28), own)
    x = last(sample(ddpm_step, given(drawn(), y=y), noise, uniform_times(3, t_max(cosine)), generator=own))
    got = score(drawn(), number=60, sampler="ddpm", steps=3, seed=5)
    wanted = frechet_distance(Judge().features(x), Judge().features(TEST.x))
    assert_close(got["frechet_distance"], float(wanted), rtol=1e-4, atol=0)
    assert (got["sampler"], got["steps"], got["guidance"]) == ("ddpm", 3, 1.0)


@pytest.mark.parametrize("stubborn", [0, 2])
def test_agreement_is_the_share_drawn_as_asked(stubborn):
    """One class in four is drawn as the next: three quarters agree, and the error is that of a proportion."""
    got = score(drawn(stubborn=stubborn), number=80, steps=3)
    assert got["agreement"] == 0.75
    assert_close(got["agreement_error"], (0.75 * 0.25 / 80) ** 0.5, rtol=0.02, atol=0)


def test_the_seed_decides_the_samples():
    one, two, again = (score(drawn(), number=60, steps=3, seed=seed) for seed in (1, 2, 1))
    assert one == again and one["frechet_distance"] != two["frechet_distance"]


def test_unless_told_otherwise_ten_thousand_samples_of_2m_without_guidance(monkeypatch):
    class Asked(Exception):
        pass

    def generate(denoiser, noise, y, **options):
        assert noise.shape == (10_000, 1, 28, 28) and options["guidance"] == 1.0
        assert_close(options["times"], karras_times(8, low=0.02, schedule=cosine))
        raise Asked

    monkeypatch.setattr(sys.modules["minidiff.evaluation.score"], "generate", generate)
    with pytest.raises(Asked):
        score(drawn())


def test_the_bounds_of_numbers_and_what_is_no_denoiser():
    assert score(drawn(), number=20, steps=1)["samples"] == 20
    for number in (19, 10_001):
        with pytest.raises(ValueError, match="number"):
            score(drawn(), number=number, steps=1)
    with pytest.raises(TypeError, match="score needs a denoiser"):
        score(torch.nn.Identity())


# ---- data of one's own


def cloud(number=2000, seed=0, mean=(5.0, -1.0), spread=(2.0, 0.5)):
    """Points in the plane, standardised as `from_array` does it: one shift and one scale."""
    raw = torch.tensor(mean) + torch.tensor(spread) * torch.randn(
        number, 2, generator=torch.Generator().manual_seed(seed)
    )
    shift, scale = float(raw.mean()), float(raw.std(correction=0))
    return Data((raw - shift) / scale, shift=shift, scale=scale)


def told_of(own, **more):
    return {"shape": list(own.x.shape[1:]), "shift": own.shift, "scale": own.scale, "names": [], **more}


def exact(own, moved=0.0):
    """Draws points like those of a cloud, all moved by so much, in raw units."""
    where = (torch.tensor([5.0 + moved, -1.0]) - own.shift) / own.scale
    return of_gaussian(where, torch.tensor([2.0, 0.5]) / own.scale, cosine)


@pytest.mark.parametrize("shape, number, most, count", [((3,), 50, 9, 3), ((2, 5, 3), 40, 4, 4), ((50,), 6, 9, 5)])
def test_principal_components_are_those_of_a_singular_value_decomposition(shape, number, most, count):
    generator = torch.Generator().manual_seed(3)
    spread = 0.8 ** torch.arange(math.prod(shape)).reshape(shape)
    real = torch.randn(number, *shape, generator=generator) * spread + 7
    fresh = torch.randn(4, *shape, generator=generator)
    before = torch.get_rng_state()
    look, share = principal(real, most)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert torch.equal(principal(real, most)[0](fresh), look(fresh)), "the same whatever was drawn before"
    flat = real.flatten(1).double().numpy()
    _, sizes, lines = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    unit = np.sqrt((sizes[:count] ** 2).mean() / (number - 1))
    want = (fresh.flatten(1).double().numpy() - flat.mean(0)) @ lines[:count].T / unit
    assert_close(look(fresh).abs(), torch.from_numpy(np.abs(want)), rtol=1e-3, atol=1e-3)
    assert abs(share - (sizes[:count] ** 2).sum() / (sizes**2).sum()) < 1e-4
    assert abs(float(look(real).var(0).mean()) - 1) < 1e-6


@pytest.mark.parametrize("number, count", [(40, 2), (100, 5), (1298, 64), (1400, 64)])
def test_a_tenth_of_the_rows_is_how_many_components_there_are_and_64_at_most(number, count):
    own = Data(torch.randn(number, 70, generator=torch.Generator().manual_seed(0)))
    result = score_own(of_gaussian(torch.zeros(70), torch.ones(70), cosine), told_of(own), own, number=20, steps=1)
    assert result["features"].startswith(f"{count} leading") and result["guidance"] == 1.0
    assert signature(score_own).parameters["number"].default == 10_000


@pytest.mark.parametrize("moved", [0.0, 1.5, 6.0])
def test_samples_of_the_same_kind_are_at_the_floor_and_moved_ones_at_their_distance(moved):
    """Gaussians of one covariance: the squared shift, in the unit of the features."""
    own = cloud()
    result = score_own(exact(own, moved), told_of(own), own, steps=30)
    unit = (2.0**2 + 0.5**2) / 2  # the mean variance of both components
    assert abs(result["frechet_distance"] - moved**2 / unit) < 0.02 + 0.1 * moved**2 / unit
    assert 0 < result["frechet_distance_floor"] < 0.02 and abs(result["of_mean"] - 2) < 1e-6
    assert result["samples"] == 1000 and "2 leading principal components" in result["features"]
    assert "100% of their variance" in result["features"]


def test_one_half_is_compared_with_and_the_other_is_the_floor():
    own, other = cloud(100), cloud(100, seed=1)
    half, rest = random_folds(100, 2)
    got = score_own(exact(own), told_of(own), own, number=30, steps=2)
    look, _ = principal(own.restore(own.x)[half], 5)
    real, others = (look(own.restore(own.x)[rows]) for rows in (half, rest[:30]))
    assert_close(got["frechet_distance_floor"], frechet_distance(others, real))
    assert_close(got["kernel_distance_floor"], kernel_distance(others, real).value)
    assert got["precision_floor"] == precision_recall(real[:30], others)[0] and got["samples"] == 30
    assert not set(half.tolist()) & set(rest.tolist())
    assert score_own(exact(own), told_of(own), own, number=30, steps=2, seed=0) == got
    assert score_own(exact(own), told_of(own), own, number=30, steps=2, seed=1) != got
    assert score_own(exact(own), told_of(own), own, number=20, steps=1)["samples"] == 20
    assert score_own(exact(own), told_of(own), own, number=10_000, steps=1)["samples"] == 50
    elsewhere = score_own(exact(own), told_of(own), other, number=30)  # in the model's units, not in theirs
    assert elsewhere["frechet_distance"] < 1


def test_as_many_are_drawn_of_each_class_as_the_data_have(monkeypatch):
    own, asked = cloud(80), []
    module = sys.modules["minidiff.evaluation.score"]
    real = module.generate
    draw = lambda denoiser, noise, y, **more: (asked.append(y), real(denoiser, noise, None, **more))[1]
    monkeypatch.setattr(module, "generate", draw)
    y = torch.tensor([0] * 60 + [1] * 20)
    named = Data(own.x, y, own.shift, own.scale, ("b", "c"))
    score_own(exact(own), told_of(own, names=["a", "b", "c"]), named, steps=1)
    assert torch.equal(asked.pop(), y[random_folds(80, 2)[1]] + 1)
    score_own(exact(own), told_of(own, names=["a", "b", "c"]), own, steps=1)
    assert torch.equal(asked.pop(), torch.arange(40) % 3)
    score_own(exact(own), told_of(own, names=["a", "b", "c"]), Data(own.x, y, own.shift, own.scale), steps=1)
    assert torch.equal(asked.pop(), torch.arange(40) % 3), "labels without names could be anybody's"
    result = score_own(exact(own), told_of(own), named)
    assert asked.pop() is None and (result["sampler"], result["steps"]) == ("2m", 8)
    with pytest.raises(ValueError, match="does not know the classes c:"):
        score_own(exact(own), told_of(own, names=["b"]), named)


def test_pictures_are_seen_as_they_are_shown(monkeypatch):
    """From 0 to 1, and by Inception as bytes."""
    seen = []
    module = sys.modules["minidiff.evaluation.score"]
    monkeypatch.setattr(module, "inception", lambda images: (seen.append(images), images.flatten(1)[:, :5].float())[1])
    own = Data(torch.randn(60, 1, 4, 4, generator=torch.Generator().manual_seed(0)), shift=0.5, scale=0.1)
    blinding = Denoiser(cosine, lambda x, t: Prediction(torch.sign(x) * 100, 0 * x))
    result = score_own(blinding, told_of(own), own, features="inception", steps=2)
    real, fake, rest = seen
    assert all(part.dtype == torch.uint8 for part in seen) and set(fake.unique().tolist()) == {0, 255}
    assert torch.equal(real, (255 * own.restore(own.x[random_folds(60, 2)[0]]).clamp(0, 1)).round().byte())
    assert result["features"] == "5 features of Inception-v3" and len(rest) == 30


@pytest.mark.parametrize("own, more, options, said", [
    (cloud(39), {}, {}, "39 real samples are too few"),
    (cloud(40), {"shape": [3]}, {}, r"are \(2,\), the model's \(3,\)"),
    (cloud(40), {}, {"features": "inception"}, "Inception-v3 sees images"),
    (cloud(40), {}, {"features": "pixels"}, "one of 'values', 'inception'"),
    (cloud(40), {}, {"number": 19}, "number"),
    (cloud(40), {}, {"number": 10_001}, "number"),
    (Data(torch.ones(40, 2)), {}, {"steps": 1}, "all real samples are the same"),
])  # fmt: skip
def test_what_cannot_be_compared_is_refused(own, more, options, said):
    with pytest.raises(ValueError, match=said):
        score_own(exact(cloud(40)), told_of(own, **more), own, **options)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder of pictures in two classes, and a model of three."""
    monkeypatch.setenv("MINIDIFF_DEVICE", "cpu")
    rng = np.random.default_rng(0)
    for k in range(44):
        path = tmp_path / "mine" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 12, 3), dtype=np.uint8)).save(path)
    torch.manual_seed(0)
    described = {"name": "mine", "shape": [3, 8, 12], "shift": 0.5, "scale": 0.3, "names": ["c", "b", "a"]}
    net = LearnedDenoiser(UNet(3, (8, 12), 3, 8, 8, 1, 1, 4), cosine)
    checkpoints.save(tmp_path / "mine.safetensors", net, {"data": described, "record": {"losses": []}})
    return tmp_path


def judged(mine, *more, checkpoint="mine.safetensors"):
    return main(["judge", "--checkpoint", str(mine / checkpoint), "--steps", "2", *map(str, more)])


def test_ones_own_pictures_get_a_number_and_what_it_says(mine, capsys):
    assert judged(mine, "--data", mine / "mine", "--record") == 0
    out = capsys.readouterr().out
    metrics = checkpoints.read(mine / "mine.safetensors")[1]["record"]["metrics"]
    assert f"frechet distance  {metrics['frechet_distance']:8.3f} +- {metrics['frechet_distance_error']:.3f}" in out
    assert f"real samples in place of samples: {metrics['frechet_distance_floor']:.3f}" in out
    assert f"22 samples, 2m in 2 steps, no guidance, seed 0, and 22 of {mine / 'mine'}" in out
    assert "2 leading principal components of the numbers themselves" in out and "held out of training" in out
    assert metrics["samples"] == 22 and metrics["features"] in out


def test_ones_own_data_that_do_not_fit_get_one_sentence(mine, capsys):
    np.save(mine / "points.npy", np.random.default_rng(0).random((50, 2)))
    described = {"name": "dots", "shape": [2], "shift": 0.0, "scale": 1.0, "names": []}
    checkpoints.save(mine / "dots.safetensors", LearnedDenoiser(MLP(2, width=8, depth=1), cosine), {"data": described})
    for more, checkpoint, status, said in (
        ((), "mine.safetensors", 2, "name data to compare with, --data"),
        (("--data", mine / "points.npy"), "mine.safetensors", 2, "the real samples are (2,)"),
        (("--data", mine / "mine"), "dots.safetensors", 2, "is a folder of pictures"),
        (("--data", mine / "none"), "mine.safetensors", 1, "none"),
        (("--data", mine / "points.npy", "--features", "inception"), "dots.safetensors", 2, "Inception-v3 sees images"),
    ):
        assert judged(mine, *more, checkpoint=checkpoint) == status, said
        out, err = capsys.readouterr()
        assert said in err and err.count("\n") == 1 and not out
    assert judged(mine, "--data", mine / "points.npy", checkpoint="dots.safetensors") == 0
    (mine / "mine" / "a" / "zz.png").write_text("no picture")
    assert judged(mine, "--data", mine / "mine") == 1
    capsys.readouterr()
    assert judged(mine, "--data", mine / "mine", "--skip-unreadable") == 0
    assert capsys.readouterr().err.startswith("minidiff judge: ")
