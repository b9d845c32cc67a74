"""Drawing in batches: each sample gets its own noise and label whatever the batch; guidance pushes the right way."""

import sys
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from minidiff.engine.generate import SAMPLERS, generate, moments, steps_for, streams, times_for
from minidiff.guidance import extrapolate, given
from minidiff.predictions import Denoiser, LearnedDenoiser, Prediction
from minidiff.samplers import ddim_step, ddpm_step, last, sample
from minidiff.schedules import SCHEDULES, cosine, evaluate, start, t_max, uniform_times
from minidiff.solvers import dpm_solver_2m


def told(schedule=cosine, seen=None):
    """Draws label k at (k, 100 k) plus 0.2 times the noise it began with, and at (-1, -100) where no label is given."""

    def predict(x_t, t, y=None):
        if seen is not None:
            seen.append((len(x_t), t, None if y is None else torch.as_tensor(y).tolist()))
        alpha, sigma = evaluate(schedule, t)
        y = torch.full((len(x_t),), -1) if y is None else torch.as_tensor(y).expand(len(x_t))
        centre = y[:, None] * torch.tensor([1.0, 100.0])
        eps = (x_t - alpha * centre) / (0.2 * alpha + sigma)
        return Prediction(centre + 0.2 * eps, eps)

    return Denoiser(schedule, predict)


def noise(schedule=cosine, number=7, seed=0):
    return start(schedule, t_max(schedule), (number, 2), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 100, None])
def test_the_batch_changes_no_sample(batch):
    """Noise and label of number k belong to number k, in the second batch as in the first, and in a short last one."""
    y, seen = torch.tensor([3, 0, 2, 1, 3, 0, 2]), []
    got = generate(told(seen=seen), noise(), y, steps=4, batch=batch)
    want = [
        last(sample(ddim_step, given(told(), y=y[k : k + 1]), noise()[k : k + 1], uniform_times(4))) for k in range(7)
    ]
    assert_close(got, torch.cat(want))
    assert max(size for size, *_ in seen) == min(batch or 7, 7)
    assert_close(got[:, 1], 100.0 * y + 0.2 * noise()[:, 1], rtol=1e-3, atol=0.1)


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_each_sample_draws_from_its_own_stream(batch):
    """Number k of seed s is the same sample whatever is drawn beside it, in a step that draws noise at every time."""
    own = streams(5, range(7))
    got = generate(told(), noise(), torch.arange(7) % 4, step=ddpm_step, steps=4, generator=own, batch=batch)
    for k in (0, 2, 6):
        alone = {"step": ddpm_step, "steps": 4, "generator": streams(5, [k])}
        assert_close(got[k : k + 1], generate(told(), noise()[k : k + 1], torch.tensor([k % 4]), **alone))
    other = generate(told(), noise(), torch.arange(7) % 4, step=ddpm_step, steps=4, generator=streams(6, range(7)))
    assert (got - other).abs().min() > 1e-6
    first = [float(torch.as_tensor(one.standard_normal())) for one in streams(5, range(7))]
    assert len({round(value, 9) for value in first}) == 7  # seven streams, not one seven times


@pytest.mark.parametrize("batch", [3, 100])
def test_one_generator_serves_all_batches_in_turn(batch):
    first, again = (
        generate(told(), noise(), step=ddpm_step, steps=4, generator=torch.Generator().manual_seed(3), batch=batch)
        for _ in range(2)
    )
    assert torch.equal(first, again)


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_conditions_by_name_are_split_and_left_out_by_name(guidance):
    """A condition of any name and shape goes to its samples; guidance compares with none of them being told."""
    seen = []

    def predict(x_t, t, **told):
        seen.append({name: None if rows is None else rows.tolist() for name, rows in told.items()})
        return Prediction(x_t, 0 * x_t)

    told = {"text": torch.arange(10).reshape(5, 2), "y": torch.arange(5)}
    generate(Denoiser(cosine, predict), noise(number=5), told, steps=1, guidance=guidance, batch=3)
    first = [{"text": told["text"][:3].tolist(), "y": [0, 1, 2]}, {"text": told["text"][3:].tolist(), "y": [3, 4]}]
    none = {"text": None, "y": None}
    assert [one for one in seen if one != none] == first and seen.count(none) == (0 if guidance == 1 else 2)


def test_guidance_can_lead_away_from_what_is_named():
    """Scale 3 from the text 7 towards the texts told: 7 + 3 (text - 7), where x0 is the text that is told."""

    def predict(x_t, t, text=None, y=None):
        assert text is not None and text.shape[1:] == (2,)
        return Prediction(text.double().expand_as(x_t) + (0 if y is None else 100 * y[:, None]), 0 * x_t)

    told, away = {"text": torch.arange(10).reshape(5, 2)}, {"text": torch.full((1, 2), 7)}
    options = {"steps": 1, "guidance": 3.0, "batch": 2}
    got = generate(Denoiser(cosine, predict), noise(number=5), told, against=away, **options)
    assert_close(got, 7 + 3 * (told["text"].double() - 7), rtol=0, atol=1e-6, check_dtype=False)
    both = told | {"y": torch.arange(5)}  # what is not named there is not told there
    got = generate(Denoiser(cosine, predict), noise(number=5), both, against=away, **options)
    want = 7 + 3 * (told["text"].double() + 100 * torch.arange(5)[:, None] - 7)
    assert_close(got, want, rtol=0, atol=1e-4, check_dtype=False)


class Away(torch.Tensor):
    """A tensor that says it lies on a GPU."""

    device = torch.device("cuda")


@pytest.mark.filterwarnings("ignore:User provided device_type")
def test_a_gpu_takes_256_at_a_time():
    seen = []
    generate(told(seen=seen), noise(number=258).as_subclass(Away), steps=1)
    assert [size for size, *_ in seen] == [256, 2]


@pytest.mark.parametrize("number, sizes", [(64, [64]), (65, [64, 1]), (150, [64, 64, 22])])
def test_a_cpu_takes_64_at_a_time(number, sizes):
    seen = []
    assert generate(told(seen=seen), noise(number=number), steps=1).shape == (number, 2)
    assert [size for size, *_ in seen] == sizes


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_steps_are_equal_ones_from_the_last_time_unless_times_are_given(schedule):
    seen, times = [], torch.tensor([0.7, 0.2, 0.05], dtype=torch.float64)
    generate(told(schedule, seen), noise(schedule), steps=3)
    assert_close([t for _, t, _ in seen], uniform_times(3, t_max(schedule)).tolist()[:-1])
    seen.clear()
    generate(told(schedule, seen), noise(schedule), steps=3, times=times)
    assert_close([t for _, t, _ in seen], times.tolist()[:-1])
    seen.clear()
    generate(told(schedule, seen), noise(schedule))
    assert len(seen) == 50


@pytest.mark.parametrize("batch", [3, 100])
@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.5])
def test_guidance_leads_from_unlabelled_towards_the_label(scale, batch):
    """Unconditional + scale * (conditional - unconditional): here -1 + scale (k + 1)."""
    y = torch.tensor([3, 0, 2, 1, 3])
    got = generate(told(), noise(number=5), y, steps=3, guidance=scale, batch=batch)
    assert_close(got[:, 1], 100 * (scale * (y + 1.0) - 1), rtol=0, atol=1.5)
    if scale != 1:
        guided = extrapolate(given(told(), y=y), given(told(), y=None), scale)
        assert_close(got, last(sample(ddim_step, guided, noise(number=5), uniform_times(3))))


def test_no_guidance_costs_one_evaluation_a_step_and_guidance_two():
    for scale, cost in ((1, 1), (1.0, 1), (2.0, 2), (0.0, 2)):
        seen = []
        generate(told(seen=seen), noise(), torch.arange(7), steps=5, guidance=scale)
        assert len(seen) == 5 * cost, scale


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_without_labels_there_is_nothing_to_guide(scale):
    seen = []
    got = generate(told(seen=seen), noise(), steps=5, guidance=scale)
    assert len(seen) == 5 and {y for *_, y in seen} == {None}
    assert_close(got, last(sample(ddim_step, told(), noise(), uniform_times(5))))


class Typed(torch.nn.Module):
    """A network that notes in which type its products come out."""

    def __init__(self, seen):
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(2, 2), seen

    def forward(self, x, level):
        out = self.layer(x)
        self.seen.append(out.dtype)
        return out.float()


@pytest.mark.parametrize("options, kind", [
    ({}, torch.float32),
    ({"bf16": False}, torch.float32),
    ({"bf16": True}, torch.bfloat16),
])  # fmt: skip
def test_the_network_runs_in_bfloat16_where_asked_and_the_samples_stay_float32(options, kind):
    seen = []
    got = generate(LearnedDenoiser(Typed(seen), cosine, "v"), noise(), steps=3, **options)
    assert set(seen) == {kind} and got.dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


def test_the_bar_says_how_far_the_drawing_is(monkeypatch):
    shown = []

    def progress(items, total=None, label="", **_):
        shown.append((total, label))
        return items

    monkeypatch.setattr(sys.modules["minidiff.engine.generate"], "progress", progress)
    generate(told(), noise(), steps=4, batch=3)
    assert shown == [(4, "drawing 3 of 7"), (4, "drawing 6 of 7"), (4, "drawing 7 of 7")]


# ---- samplers by name


def end(step, temperature_of_noise=1.0, seed=5):
    times = uniform_times(6)
    generator = torch.Generator().manual_seed(seed)
    return last(sample(step, told(), temperature_of_noise * noise(), times, generator=generator))


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_names_of_samplers_mean_the_steps_of_the_papers(temperature):
    assert set(SAMPLERS) == {"ddim", "ddpm", "2m"}
    assert_close(end(SAMPLERS["ddim"](temperature)), end(ddim_step))  # draws no noise, so there is nothing to multiply
    assert_close(end(SAMPLERS["2m"](temperature)), end(dpm_solver_2m()))
    hot = end(SAMPLERS["ddpm"](temperature))

    def ddpm(denoiser, x_t, t, s, *, generator=None):
        return ddpm_step(denoiser, x_t, t, s, temperature=temperature, generator=generator)

    assert_close(hot, end(ddpm))
    assert (temperature == 1.0) == bool(torch.equal(hot, end(ddpm_step)))


def test_the_temperature_reaches_the_noise_that_ddim_draws():
    """With eta = 1 DDIM draws noise too, and then its temperature shows."""
    still, warm = (SAMPLERS["ddim"](temperature) for temperature in (0.0, 1.0))
    ends = [
        torch.stack(
            [step(told(), noise(), 0.6, 0.5, eta=1.0, generator=torch.Generator().manual_seed(s)) for s in (1, 2)]
        )
        for step in (still, warm)
    ]
    assert torch.equal(ends[0][0], ends[0][1]) and not torch.equal(ends[1][0], ends[1][1])


def test_how_many_steps_are_the_default():
    """Images are tuples of three; a signal has two numbers, a point one."""
    assert [steps_for("2m", shape) for shape in ((1, 28, 28), [3, 32, 32], (2,), (1, 64))] == [8, 8, 16, 16]
    assert {steps_for(name, shape) for name in ("ddim", "ddpm") for shape in ((1, 28, 28), (2,))} == {50}


def test_two_walks_of_2m_share_no_memory():
    step = SAMPLERS["2m"](1.0)
    first = [generate(told(), noise(seed=k), step=step, steps=4) for k in range(2)]
    alone = [generate(told(), noise(seed=k), step=dpm_solver_2m(), steps=4) for k in range(2)]
    assert_close(first, alone)


@pytest.mark.parametrize("steps", [4, 8])
@pytest.mark.parametrize(
    "schedule", [each for name, each in SCHEDULES.items() if name != "quadratic_beta"]
)  # ends at 36
def test_2m_walks_on_karras_levels_down_to_2_percent_and_the_others_in_equal_steps(schedule, steps):
    """The levels sigma / alpha are Karras et al. 2022, Eq. 5 with rho = 7; the last one above 0 is 0.02."""
    for sampler in ("ddim", "ddpm"):
        assert_close(times_for(sampler, schedule, steps), uniform_times(steps, t_max(schedule)))
    times = times_for("2m", schedule, steps)
    assert len(times) == steps + 1 and times[-1] == 0
    levels = [sigma / alpha for alpha, sigma in (evaluate(schedule, float(t)) for t in times[:-1])]
    roots = torch.tensor(levels, dtype=torch.float64) ** (1 / 7)
    assert_close(levels[-1], 0.02, rtol=1e-4, atol=0)
    assert_close(roots.diff(), roots.diff().mean().expand(steps - 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("times, frames, want", [
    (2, 2, [0, 1]),
    (2, 60, [0, 1]),
    (5, 60, [0, 1, 2, 3, 4]),
    (5, 3, [0, 2, 4]),
    (6, 2, [0, 5]),
    (101, 3, [0, 50, 100]),
])  # fmt: skip
def test_a_film_shows_both_ends_and_what_lies_evenly_between(times, frames, want):
    assert moments(times, frames) == want
    many = moments(1001, 60)
    assert len(many) == 60 and {b - a for a, b in pairwise(many)} == {16, 17}
    for wrong in ((1, 5), (5, 1), (5, 2.5), (5, True)):
        with pytest.raises(ValueError):
            moments(*wrong)


@pytest.mark.parametrize("batch", [2, 7])
@pytest.mark.parametrize("frames", [2, 3, 60])
def test_a_walk_ends_at_the_samples_and_begins_at_the_noise(frames, batch):
    given_to = {"step": ddpm_step, "steps": 4, "batch": batch}
    y = torch.arange(7) % 4
    walk = generate(told(), noise(), y, generator=streams(1, range(7)), frames=frames, **given_to)
    own = streams(1, range(7))
    every = torch.stack([noise(), *sample(ddpm_step, given(told(), y=y), noise(), uniform_times(4), generator=own)])
    assert_close(walk, every[{2: [0, 4], 3: [0, 2, 4], 60: [0, 1, 2, 3, 4]}[frames]])
    assert torch.equal(walk[-1], generate(told(), noise(), y, generator=streams(1, range(7)), **given_to))
