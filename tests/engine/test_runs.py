"""Runs of presets: the seed begins them, what they save is what they are, and a resume forgets nothing.

The presets are tiny ones in the plane, and what a run must do is what `train` does with the same settings.
"""

import sys
from itertools import islice

import pytest
import torch
from torch.testing import assert_close

from minidiff.data import Data
from minidiff.engine import checkpoints, presets, runs
from minidiff.engine.augmentations import AUGMENTATIONS
from minidiff.engine.presets import Preset
from minidiff.engine.runs import RUN, begin, resume
from minidiff.engine.state import Run
from minidiff.engine.train import train
from minidiff.losses import LEVELS
from minidiff.networks import MLP, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine

POINTS = Data(
    torch.randn(30, 2, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 3, 0.25, 1.75, ("a", "b", "c")
)
PICTURES = Data(torch.randn(9, 1, 8, 8, generator=torch.Generator().manual_seed(1)), None, 0.5, 0.3)
SMALL = {"size": 8, "width": 8, "deep_width": 8, "deep_blocks": 1}


def perceptron(points):
    net = MLP(dim=2, width=8, depth=1, classes=len(points.names))
    torch.nn.init.normal_(net.last.weight)  # a fresh one answers 0 to everything
    return net


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Three presets: one in the plane, the same with other settings, one of pictures that are shifted and mirrored."""
    monkeypatch.setenv("MINIDIFF_DEVICE", "cpu")
    unet = lambda pictures: UNet(changes=3, **SMALL)
    for name, preset in {
        "plane": Preset("points", lambda: POINTS, perceptron, 12, batch=6, lr=1e-2, levels="uniform_angle"),
        "other": Preset("points", lambda: POINTS, perceptron, 12, batch=5, lr=3e-2, levels="lognormal"),
        "pictures": Preset("scenes", lambda: PICTURES, unet, 8, batch=4, augment=("shift", "flip")),
    }.items():
        monkeypatch.setitem(presets.PRESETS, name, preset)


def weights(denoiser):
    return {name: value.clone() for name, value in denoiser.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---- begin


def test_the_seed_decides_the_initial_weights_and_touches_no_other_randomness():
    torch.manual_seed(99)
    state = torch.get_rng_state()
    one, two, again = (weights(begin("plane", seed=seed).run.denoiser) for seed in (1, 2, 1))
    assert same(one, again) and not same(one, two)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert same(one, weights(LearnedDenoiser(perceptron(POINTS), cosine, "v")))
    assert same(weights(begin("plane").run.denoiser), weights(begin("plane", seed=0).run.denoiser))


def test_a_run_begins_with_the_presets_settings_on_the_cosine_path():
    job = begin("other", seed=7)
    assert job.name == "other" and job.data is POINTS and job.run.step == 0
    assert job.run.denoiser.schedule is cosine and job.run.denoiser.target == "v"
    rt = sys.modules["minidiff.engine.runtime"]
    cpu = torch.device("cpu")
    assert job.settings == {"preset": "other", "seed": 7, "batch": 5, "lr": 3e-2, "levels": "lognormal", "augment": [],
                            "drop": 0.1, "bf16": rt.fast_bf16(cpu), "compile": False, "steps": 12}  # fmt: skip
    assert job.record == {**rt.provenance(cpu), "losses": []}
    assert begin("plane", steps=5).settings["steps"] == 5
    assert begin("pictures").settings["augment"] == ["shift", "flip"]


@pytest.mark.parametrize("given, beyond", [
    ({"batch": 1}, 0), ({"batch": 2**16}, 2**16 + 1), ({"lr": 0.5}, -0.1), ({"lr": 1000}, 1000.5),
    ({"levels": "uniform_angle"}, "uniform"), ({"levels": "lognormal_wide"}, 3),
])  # fmt: skip
def test_batch_learning_rate_and_levels_may_be_chosen(given, beyond):
    assert begin("other", **given).settings == begin("other").settings | given
    with pytest.raises((ValueError, TypeError)):
        begin("other", **dict.fromkeys(given, beyond))


@pytest.mark.parametrize("flag", [False, True])
def test_what_the_device_can_do_is_written_into_the_settings(flag, monkeypatch):
    monkeypatch.setattr(runs, "fast_bf16", lambda device: flag)
    monkeypatch.setattr(runs, "compiles", lambda device: not flag)
    settings = begin("plane").settings
    assert (settings["bf16"], settings["compile"]) == (flag, not flag)


def test_rank_0_fixes_the_number_of_steps_for_all(monkeypatch):
    monkeypatch.setattr(runs.ranks, "broadcast", lambda value: value + 100)
    assert begin("plane", steps=5).settings["steps"] == 105
    assert begin("plane").settings["steps"] == 112


class Clock:
    """A clock that passes a fixed time at each reading of a batch's worth of work: one tick a training step."""

    def __init__(self, monkeypatch, a_step, warm):
        self.now, self.steps = 1000.0, 0
        monkeypatch.setattr(runs.time, "perf_counter", lambda: self.now)
        real = runs.train

        def slow(*arguments, **options):
            for k, loss in enumerate(real(*arguments, **options)):
                self.now += warm if k < 3 else a_step  # the first steps of a process are slow ones
                self.steps += 1
                yield loss

        monkeypatch.setattr(runs, "train", slow)


@pytest.mark.parametrize("a_step, warm, minutes, want", [(0.5, 2.0, 1, 88), (0.25, 1.0, 2, 448), (100.0, 1.0, 1, 1)])
def test_minutes_become_steps_by_a_clock(monkeypatch, a_step, warm, minutes, want):
    """After three slow steps twenty are timed; what is left of the minutes is divided by the time of one of them."""
    clock = Clock(monkeypatch, a_step, warm)
    job = begin("plane", minutes=minutes)
    assert clock.steps == 23 and job.settings["steps"] == want == max(
        1, (60 * minutes - 3 * warm - 20 * a_step) / a_step
    )
    assert job.record["minutes_asked"] == minutes
    assert (
        job.record["seconds_a_step_when_timed"] == a_step and job.record["seconds_of_timing"] == 3 * warm + 20 * a_step
    )


def test_the_record_of_the_timing_is_rounded(monkeypatch):
    Clock(monkeypatch, 0.0123456789, 0.1)
    record = begin("plane", minutes=1).record
    assert (record["seconds_a_step_when_timed"], record["seconds_of_timing"]) == (0.01235, 0.547)


def test_timing_trains_nobody(monkeypatch):
    """The steps that are timed are a copy's: the run begins at its initial weights."""
    Clock(monkeypatch, 0.5, 0.5)
    timed, plain = begin("plane", seed=4, minutes=1), begin("plane", seed=4, steps=49)
    assert same(weights(timed.run.denoiser), weights(plain.run.denoiser)) and timed.run.step == 0
    assert "minutes_asked" not in plain.record


def test_what_is_timed_is_what_will_be_trained(monkeypatch):
    """Steps of the preset's batch, in its precision and with its augmentations: others would take another time."""
    asked, real = [], runs.train
    monkeypatch.setattr(runs, "train", lambda *a, **options: (asked.append(options), real(*a, **options))[1])
    for name in ("other", "pictures"):
        job = begin(name, seed=3, minutes=0.01)
        (timed,) = asked
        asked.clear()
        assert timed["steps"] == 23 and {key: timed[key] for key in ("batch", "lr", "seed", "drop", "bf16")} == {
            key: job.settings[key] for key in ("batch", "lr", "seed", "drop", "bf16")
        }
        assert (timed["augment"] is None) == (name == "other")


def test_steps_have_a_range_and_exclude_minutes():
    for steps in (1, 10**9):
        assert begin("plane", steps=steps).settings["steps"] == steps
    for steps in (0, -1, 10**9 + 1, 2.5):
        with pytest.raises(ValueError, match="steps"):
            begin("plane", steps=steps)
    with pytest.raises(ValueError, match="give one of steps and minutes"):
        begin("plane", steps=3, minutes=1)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_copy_that_is_timed_is_compiled_as_the_run_will_be(monkeypatch, compiled):
    asked = []
    monkeypatch.setattr(runs, "compiles", lambda device: compiled)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda net: asked.append(net))
    job = begin("plane", minutes=0.01, steps=None)
    assert len(asked) == compiled and job.run.denoiser.net not in asked
    next(job.losses())
    assert asked[compiled:] == [job.run.denoiser.net] * compiled


# ---- losses


def directly(name, steps, seed, drop=0.1, **changes):
    """The losses and the Run that `train` gives for a preset's settings, said once more by hand."""
    preset = presets.PRESETS[name]
    job = begin(name, seed=seed)
    denoiser, set_ = job.run.denoiser, preset.load()
    options = {"batch": preset.batch, "lr": preset.lr, "levels": LEVELS[preset.levels](cosine), "drop": drop}
    if preset.augment:
        shift, flip = AUGMENTATIONS["shift"], AUGMENTATIONS["flip"]

        def augment(x, told, generator):
            x, moved = shift(x, told, generator)
            x, turned = flip(x, told, generator)
            return x, {"change": torch.cat([moved["change"], turned["change"]], 1)}

        options["augment"] = augment
    run = Run(denoiser)
    bf16 = sys.modules["minidiff.engine.runtime"].fast_bf16(torch.device("cpu"))
    options = {**options, "bf16": bf16, **changes}
    return [float(loss) for loss in train(denoiser, set_, steps=steps, seed=seed, run=run, **options)], run


@pytest.mark.parametrize("name", ["plane", "other", "pictures"])
@pytest.mark.parametrize("seed, steps", [(0, 8), (5, 6)])
def test_a_run_trains_as_its_settings_say(name, seed, steps):
    losses, run = directly(name, steps, seed)
    job = begin(name, seed=seed, steps=steps)
    assert [float(loss) for loss in job.losses()] == losses
    assert same(weights(job.run.denoiser), weights(run.denoiser)) and same(
        weights(job.run.average), weights(run.average)
    )
    assert job.run.step == steps


SETTINGS = {"batch": 3, "lr": 0.5, "seed": 9, "drop": 0.9, "levels": "uniform_angle", "augment": [], "steps": 11}


@pytest.mark.parametrize("name", ["other", "pictures"])
def test_every_setting_saved_is_heeded_at_resume(name, tmp_path):
    """Change one setting in the file and the run goes on otherwise; change none and it goes on as if never stopped."""
    whole = [float(loss) for loss in begin(name, seed=2).losses()]
    job = begin(name, seed=2)
    begun = [float(loss) for loss in islice(job.losses(), 3)]
    job.save(tmp_path, 1.0)
    assert begun + [float(loss) for loss in resume(tmp_path).losses()] == whole
    ends = {}
    for key, value in {**SETTINGS, "bf16": not job.settings["bf16"]}.items():
        if (key, name) in {("augment", "other"), ("drop", "pictures")}:
            continue  # nothing to leave out, and no labels to drop
        again = resume(tmp_path)
        again.settings = again.settings | {key: value}
        again.run.settings = None  # which would refuse it: a run keeps to what it began with
        losses = [float(loss) for loss in again.losses()]
        if key == "steps":  # the learning rate depends on it, and the first loss after a stop does not yet
            assert len(losses) == value - 3 and again.run.step == value
        ends[key] = weights(again.run.denoiser)
        assert not same(ends[key], weights(job.run.denoiser)), key
    undisturbed = resume(tmp_path)
    assert len([*undisturbed.losses()]) == len(whole) - 3
    assert [key for key, end in ends.items() if same(end, weights(undisturbed.run.denoiser))] == []


def test_settings_of_a_version_that_knew_no_augmentation_nor_compiler_are_taken():
    job = begin("plane")
    del job.settings["augment"], job.settings["compile"]
    assert [float(loss) for loss in job.losses()] == directly("plane", 12, 0)[0]


@pytest.mark.parametrize("steps, window", [(10, 1), (399, 1), (400, 2), (430, 2), (601, 3)])
def test_the_curve_has_about_200_points_each_the_mean_of_its_window(steps, window, monkeypatch):
    def quick(denoiser, set_, *, steps, run, **_):
        for k in range(steps):
            run.step += 1
            yield torch.tensor(1 / (k + 3))

    monkeypatch.setattr(runs, "train", quick)
    job = begin("plane", steps=steps)
    losses = [float(loss) for loss in job.losses()]
    want = [[last, round(sum(losses[last - window : last]) / window, 5)] for last in range(window, steps + 1, window)]
    assert [step for step, _ in job.record["losses"]] == [step for step, _ in want]
    assert_close([loss for _, loss in job.record["losses"]], [loss for _, loss in want], rtol=0, atol=1.01e-5)
    assert all(loss == round(loss, 5) for _, loss in job.record["losses"])
    assert len(job.recent) == steps % window


# ---- save and resume


def test_what_is_shared_is_the_average_in_float16_and_what_goes_on_is_all_of_it(tmp_path):
    job = begin("plane", seed=1)
    list(islice(job.losses(), 5))
    assert not same(weights(job.run.average), weights(job.run.denoiser))
    job.save(tmp_path, 2.0)
    shared, _ = checkpoints.read(tmp_path / "model.safetensors")
    want = {name: value.half() for name, value in job.run.average.net.state_dict().items()}
    assert same(shared, want)
    whole, _ = checkpoints.read(tmp_path / RUN)
    for part, denoiser in (("net.", job.run.denoiser), ("average.", job.run.average)):
        saved = {name.removeprefix(part): value for name, value in whole.items() if name.startswith(part)}
        assert same(saved, dict(denoiser.net.state_dict()))
    loaded, _ = checkpoints.load(tmp_path / "model.safetensors")
    x = torch.randn(4, 2)
    assert_close(loaded(x, 0.5, y=1).x0, job.run.average(x, 0.5, y=1).x0, rtol=0, atol=0.01)
    assert (tmp_path / "model.safetensors").stat().st_size < (tmp_path / RUN).stat().st_size / 4


@pytest.mark.parametrize("done, seconds, said", [(0, 0.4, 0), (5, 61.6, 62), (12, 3599.5, 3600)])
def test_the_card_says_what_was_trained_on_what_and_for_how_long(done, seconds, said, tmp_path):
    job = begin("plane", seed=3)
    for _, _ in zip(range(done), job.losses(), strict=False):
        pass
    done = job.run.step
    job.save(tmp_path, seconds)
    for name in ("model.safetensors", RUN):
        card = checkpoints.read(tmp_path / name)[1]
        assert card["data"] == {
            "name": "points",
            "shape": [2],
            "shift": 0.25,
            "scale": 1.75,
            "names": ["a", "b", "c"],
            "examples": 30,
        }
        assert card["settings"] == job.settings
        record = card["record"]
        assert (record["steps"], record["images_seen"], record["seconds"]) == (done, 6 * done, said)
        assert [step for step, _ in record["losses"]] == list(range(1, done + 1))
        assert record["torch"] == torch.__version__ and record["device"].startswith("cpu: ")
    assert checkpoints.read(tmp_path / RUN)[1]["step"] == done
    assert "recent" not in checkpoints.read(tmp_path / "model.safetensors")[1]


def test_a_set_without_classes_has_no_names(tmp_path):
    job = begin("pictures")
    job.save(tmp_path, 0.0)
    described = checkpoints.read(tmp_path / "model.safetensors")[1]["data"]
    assert described == {"name": "scenes", "shape": [1, 8, 8], "shift": 0.5, "scale": 0.3, "names": [], "examples": 9}


@pytest.mark.parametrize("stop", [1, 2, 3, 7])
def test_a_stop_in_the_middle_of_a_window_forgets_no_loss_and_no_record(stop, tmp_path, monkeypatch):
    """With 601 steps a point of the curve is the mean of three losses; those already seen are saved with the run."""
    monkeypatch.setitem(presets.PRESETS, "plane", Preset("points", lambda: POINTS, perceptron, 601, batch=2))
    whole = begin("plane")
    list(islice(whole.losses(), 12))
    part = begin("plane", seed=0)
    list(islice(part.losses(), stop))
    part.record["minutes_asked"] = 3
    part.save(tmp_path, 77.0)
    assert len(part.recent) == stop % 3
    again = resume(tmp_path)
    assert again.name == "plane" and again.run.step == stop and again.data is POINTS
    assert again.settings == part.settings and again.record == part.record and again.record["seconds"] == 77
    list(islice(again.losses(), 12 - stop))
    assert again.record["losses"] == whole.record["losses"] and again.record["minutes_asked"] == 3


def test_a_resumed_run_keeps_averages_and_moments(tmp_path):
    whole, part = begin("plane"), begin("plane")
    list(whole.losses())
    list(islice(part.losses(), 4))
    part.save(tmp_path, 1.0)
    again = resume(tmp_path)
    assert again.run.step == 4
    list(again.losses())
    for one, other in ((again.run.denoiser, whole.run.denoiser), (again.run.average, whole.run.average)):
        assert same(weights(one), weights(other))


def test_a_checkpoint_that_is_no_run_of_a_preset_is_refused(tmp_path):
    job = begin("plane")
    for settings in ({}, {"preset": "gone"}):
        job.settings = settings | {"batch": 6, "steps": 1}
        job.save(tmp_path, 0.0)
        with pytest.raises(checkpoints.CheckpointError, match="preset") as error:
            resume(tmp_path)
        assert str(tmp_path / RUN) in str(error.value)
