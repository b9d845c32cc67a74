"""Training: losses with known floors, a known average, a resume that changes no bit."""

import math
import time

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minidiff.engine import feed
from minidiff.engine.augmentations import flip, recolour, shift, together
from minidiff.engine.checkpoints import CheckpointError, load, load_run, save, save_run
from minidiff.engine.feed import order, prefetch
from minidiff.engine.state import AVERAGE_POWER, Run
from minidiff.engine.train import TrainingError, learning_rate, train
from minidiff.exact import of_gaussian
from minidiff.losses import denoising_loss, lognormal, uniform_angle, weighting
from minidiff.networks import MLP, UNet
from minidiff.predictions import TARGETS, LearnedDenoiser, coefficients
from minidiff.schedules import SCHEDULES, angle, at, cosine, edm, flow, from_betas, linear_beta


def seed(value=0):
    return torch.Generator().manual_seed(value)


class Bayes(nn.Module):
    """The best network there is: it answers with the exact posterior mean of its target, whatever the target."""

    def __init__(self, exact, target, t):
        super().__init__()
        self.exact, self.target, self.t = exact, target, t

    def forward(self, x, level):
        alpha, sigma = at(self.exact.schedule, self.t, x)
        x0, eps = self.exact(x * (alpha**2 + sigma**2) ** 0.5, self.t)
        a, b = at(coefficients(self.target, self.exact.schedule), self.t, x)
        return a * x0 + b * eps


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_a_perfect_network_has_no_loss_on_one_point(target, schedule):
    t = torch.rand(64, dtype=torch.float64, generator=seed()) * 0.8 + 0.1
    x0 = torch.full((64, 2), 1.5, dtype=torch.float64)
    denoiser = LearnedDenoiser(Bayes(of_gaussian(1.5, 0.0, schedule), target, t), schedule, target)
    assert_close(denoising_loss(denoiser, x0, t), torch.zeros(64, dtype=torch.float64), atol=1e-20, rtol=0)


@pytest.mark.parametrize("target, schedule, floor", [
    ("x0", cosine, 0.5),
    ("eps", cosine, 0.5),
    ("v", cosine, 1.0),
    ("edm", cosine, 1.0),
    ("velocity", cosine, math.pi**2 / 4),
    ("velocity", flow, math.pi / 2),
])  # fmt: skip
def test_a_perfect_loss_is_not_zero(target, schedule, floor):
    """Unit Gaussian data, t uniform: what no network can know is sigma^2 of x0, alpha^2 of eps, all of v on cosine."""
    t = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    x0 = torch.randn(100_000, 1, dtype=torch.float64, generator=seed())
    eps = torch.randn(100_000, 1, dtype=torch.float64, generator=seed(1))
    denoiser = LearnedDenoiser(Bayes(of_gaussian(0.0, 1.0, schedule), target, t), schedule, target)
    assert abs(float(denoising_loss(denoiser, x0, t, eps).mean()) / floor - 1) < 4 * math.sqrt(3 / 100_000)


@pytest.mark.parametrize("target, weight", [
    ("x0", lambda alpha, sigma: 1.0),
    ("eps", lambda alpha, sigma: (alpha / sigma) ** 2),
    ("v", lambda alpha, sigma: (alpha**2 + sigma**2) ** 2 / sigma**2),
    ("edm", lambda alpha, sigma: (alpha**2 + sigma**2) / sigma**2),
])  # fmt: skip
def test_a_target_is_a_weight_on_the_error_of_x0(target, weight):
    """A constant guess of 0.3 for x0, read through each target: its loss is the weight times the error of x0."""
    t, x0 = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    denoiser = LearnedDenoiser(Bayes(of_gaussian(0.3, 0.0, linear_beta), target, t), linear_beta, target)
    want = weight(*linear_beta(t)) * (x0 - 0.3).square().mean(1)
    assert_close(denoising_loss(denoiser, x0, t), want)


def test_the_average_weighs_steps_by_the_power_law():
    """An average of power p weighs step k of n by (k^p - (k-1)^p) / n^p: follow one weight by hand."""
    torch.manual_seed(0)
    run = Run(LearnedDenoiser(MLP(dim=1, width=8), cosine))
    seen = []
    for _ in train(run.denoiser, torch.randn(50, 1), steps=12, batch=4, run=run):
        seen.append([p.detach().clone() for p in run.denoiser.parameters()])
    share = [((k + 1) ** AVERAGE_POWER - k**AVERAGE_POWER) / 12**AVERAGE_POWER for k in range(12)]
    want = [sum(w * p for w, p in zip(share, values, strict=True)) for values in zip(*seen, strict=True)]
    assert_close([p.detach() for p in run.average.parameters()], want)


def test_steps_are_adams_with_clipped_gradients():
    """Three steps of Adam (Kingma & Ba 2015, Algorithm 1; decays 0.9 and 0.99) by hand, gradients cut to norm 1."""
    net = nn.Linear(2, 1, bias=False)
    run, moment, second = Run(LearnedDenoiser(net, cosine)), torch.zeros(2), torch.zeros(2)
    want = net.weight.detach()[0].clone()
    for k, gradient in enumerate(
        (torch.tensor([3.0, -4.0]), torch.tensor([0.3, 0.4]), torch.tensor([0.63, -0.84])), start=1
    ):
        run.advance((net.weight[0] * gradient).sum(), lr=0.1 / k)
        gradient = gradient / max(1.0, float(gradient.norm()))  # 5, 0.5 and 1.05 long
        moment, second = 0.9 * moment + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
        want = want - 0.1 / k * (moment / (1 - 0.9**k)) / ((second / (1 - 0.99**k)).sqrt() + 1e-8)
        assert_close(net.weight.detach()[0], want, rtol=1e-5, atol=1e-6)


class Wavering(MLP):
    """An MLP with dropout, so that its mood shows."""

    def __init__(self, **size):
        super().__init__(**size)
        self.drop, self.moods = nn.Dropout(0.5), []

    def forward(self, x, level, y=None):
        self.moods.append(self.training)
        return self.drop(super().forward(x, level))


def test_the_average_is_steady_and_only_the_learner_wavers():
    denoiser, x = LearnedDenoiser(Wavering(dim=1, width=8), cosine), torch.randn(9, 1)
    run = Run(denoiser)
    denoiser.eval()  # as sampling wants it
    for loss in train(denoiser, torch.randn(50, 1), steps=3, batch=4, run=run):
        assert not loss.requires_grad
        once, twice = run.average(x, 0.5).x0, run.average(x, 0.5).x0
        assert torch.equal(once, twice) and not once.requires_grad
    assert denoiser.net.moods == [True] * 3 and not denoiser.training


class Constant(nn.Module):
    """A network that answers 0, with a parameter that changes nothing."""

    def __init__(self):
        super().__init__()
        self.nothing, self.kinds = nn.Linear(1, 1), set()

    def forward(self, x, level):
        self.kinds.add(self.nothing(x[:, :1]).dtype)
        return 0 * self.nothing(x[:, :1]).float() + torch.zeros_like(x)


@pytest.mark.parametrize("target, floor", [("x0", 9.0), ("eps", 1.0)])
def test_the_loss_that_is_told_is_the_mean_over_the_batch(target, floor):
    """Who always answers 0 is wrong by the mean square of the target: 3^2 of the data, 1 of the noise."""
    denoiser = LearnedDenoiser(Constant(), cosine, target)
    (loss,) = train(denoiser, torch.full((5, 2), 3.0), steps=1, batch=4000)
    assert abs(float(loss) / floor - 1) < 4 * math.sqrt(2 / 8000)


@pytest.mark.parametrize("bf16, kind", [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_is_for_those_who_ask(bf16, kind):
    denoiser = LearnedDenoiser(Constant(), cosine)
    list(train(denoiser, torch.randn(5, 2), steps=2, batch=3, bf16=bf16))
    assert denoiser.net.kinds == {kind}


def test_what_is_not_said_is_said_in_the_signature():
    def losses(**said):
        torch.manual_seed(0)
        net = MLP(dim=2, width=8, classes=3)
        return [
            float(loss)
            for loss in train(
                LearnedDenoiser(net, cosine), torch.randn(300, 2), labels=torch.arange(300) % 3, steps=8, **said
            )
        ]

    want = losses(batch=128, lr=2e-3, seed=0, drop=0.1, bf16=False, levels=uniform_angle(cosine))
    assert losses() == want


def test_no_randomness_serves_twice(monkeypatch):
    """The shuffle of an epoch, the noise of a step and its augmentation come from generators of their own."""
    keys, make = [], feed.generator_for
    noted = lambda *key: keys.append(key) or make(*key)
    monkeypatch.setattr(feed, "generator_for", noted)
    feed._shuffle.cache_clear()
    list(
        train(
            LearnedDenoiser(MLP(dim=1, width=8, changes=1), cosine),
            torch.randn(10, 1),
            steps=4,
            batch=5,
            augment=negate,
        )
    )
    assert len(keys) == len(set(keys)) == 4 + 4 + 2


def test_every_epoch_shows_every_sample_once_in_a_new_order():
    seen = torch.cat([order(3, first, 7, 10) for first in range(0, 70, 7)])
    for epoch in seen.reshape(7, 10):
        assert sorted(epoch.tolist()) == list(range(10))
    assert len({tuple(e.tolist()) for e in seen.reshape(7, 10)}) == 7
    assert torch.equal(seen, order(3, 0, 70, 10)) and not torch.equal(seen, order(4, 0, 70, 10))


def test_training_walks_through_the_epochs():
    """Ten batches of 5 out of 25 samples: each is met exactly twice. With hardly any noise the network sees which."""
    seen = []

    class Reader(MLP):
        def forward(self, x, level):
            seen.extend(x.flatten().round().int().tolist())
            return super().forward(x, level)

    levels = lambda n, generator: torch.full((n,), 1e-4)
    list(
        train(
            LearnedDenoiser(Reader(dim=1, width=8), cosine),
            torch.arange(25.0)[:, None],
            steps=10,
            batch=5,
            levels=levels,
        )
    )
    assert sorted(seen) == sorted([*range(25), *range(25)])


@pytest.mark.parametrize("schedule", [*SCHEDULES.values(), from_betas(torch.linspace(1e-4, 0.02, 1000))])
def test_training_times_are_uniform_in_noise_angle(schedule):
    t = uniform_angle(schedule)(1000, seed())
    got = angle(*schedule(t.double())).sort().values
    ends = angle(*schedule(torch.tensor([0.0, 80.0 if schedule is edm else 1.0], dtype=torch.float64)))
    place = (got - ends[0]) / (ends[1] - ends[0]) * 1000 - torch.arange(1000)  # the same in each thousandth
    assert_close(place[:980], place[500].expand(980), rtol=0, atol=0.02)
    assert (
        0 < place[500] < 1 and (place[980:] - place[500]).abs().max() < 1.5
    )  # where sigmoid ends, alpha falls vertically


def test_training_times_begin_where_the_schedule_begins():
    """A path that starts at a noise angle of 0.2 and ends at 0.6, evenly in time: the times are uniform."""
    part = lambda t: cosine(0.2 + 0.4 * t)
    t = uniform_angle(part)(1_000, seed()).double().sort().values
    assert_close(t, (torch.arange(1_000, dtype=torch.float64) + 0.5) / 1_000, rtol=0, atol=1e-3)


@pytest.mark.parametrize("schedule", [cosine, linear_beta, edm])
def test_lognormal_times_have_the_stated_mean_and_spread(schedule):
    alpha, sigma = schedule(lognormal(schedule, -0.5, 1.2)(1000, seed()).double())
    middle = (sigma / alpha).log().sort().values[25:-25]  # the tails may leave the schedule's range
    want = torch.distributions.Normal(-0.5, 1.2).icdf((torch.arange(1000) + 0.5) / 1000)[25:-25].double()
    assert_close(middle, want, rtol=0, atol=0.02)


def test_lognormal_times_are_edms_for_data_of_unit_spread():
    """ln(sigma) ~ N(-1.2, 1.2^2) for data of spread 0.5 (Karras et al. 2022, Table 1) is -1.2 + ln 2 for spread 1."""
    level = lognormal(edm)(1000, seed()).log().sort().values
    assert abs(float(level[500]) - (-1.2 + math.log(2))) < 0.02  # they say -0.5, which is 0.007 off
    assert abs(float(level[841] - level[159]) / 2 - 1.2) < 0.02  # one standard deviation to each side


def test_learning_rate_warms_up_then_falls_to_zero():
    rates = [learning_rate(k, 1000, 2.0) for k in range(1001)]
    assert_close(rates[:3], [0.02, 0.04, 0.06])
    assert_close(rates[500], 1.0)
    assert abs(rates[1000]) < 1e-12 and max(rates) < 2.0
    assert_close(
        [learning_rate(99, 100_000, 1.0), learning_rate(0, 5, 1.0)], [0.5, 1.0], rtol=1e-4, atol=0
    )  # 200 steps at most, 1 at least


@pytest.mark.parametrize("steps", [4, 40])
def test_each_step_is_taken_at_its_own_rate(steps):
    """Adam's first step moves every weight by the rate (Kingma & Ba 2015, Section 2.1); step k of n is at k / n."""
    torch.manual_seed(0)
    run, warm = Run(LearnedDenoiser(MLP(dim=2, width=8, depth=1), cosine)), max(1, steps // 10)
    weight = run.denoiser.net.last.weight
    before, rates = weight.detach().clone(), []
    for k, _ in enumerate(train(run.denoiser, torch.randn(30, 2), steps=steps, batch=8, lr=0.01, run=run)):
        rates.append(run.optimizer.param_groups[0]["lr"])
        if k == 0:
            assert_close((weight - before).abs(), torch.full_like(before, 0.01 / warm), rtol=1e-3, atol=0)
    assert_close(rates[:warm], [0.01 * (k + 1) / warm for k in range(warm)], rtol=0.02, atol=0)
    assert_close(rates[warm:], [0.01 * math.cos(math.pi / 2 * k / steps) ** 2 for k in range(warm, steps)])


class Listener(MLP):
    """An MLP that remembers the labels it was shown."""

    heard = ()

    def forward(self, x, level, y=None):
        self.heard = (*self.heard, y)
        return super().forward(x, level, y=y)


@pytest.mark.parametrize("drop", [0.0, 0.1, 1.0])
def test_labels_are_dropped_with_the_given_probability(drop):
    net = Listener(dim=1, width=8, classes=3)
    list(
        train(
            LearnedDenoiser(net, cosine),
            torch.randn(99, 1),
            labels=torch.arange(99) % 3,
            steps=100,
            batch=100,
            drop=drop,
        )
    )
    y = torch.cat(net.heard)
    assert abs(float((y == 3).double().mean()) - drop) <= 4 * math.sqrt(drop * (1 - drop) / 10_000)
    assert drop == 1 or set(y[y != 3].tolist()) == {0, 1, 2}


def test_labels_stay_with_their_samples():
    seen = {}

    class Pair(Listener):
        def forward(self, x, level, y=None):
            seen.update(zip(((x.flatten() > 0) * 1).tolist(), y.tolist(), strict=True))
            return super().forward(x, level, y=y)

    labels = torch.arange(64) % 2
    data = (labels.float() * 2 - 1)[:, None] * 100  # so far apart that noise cannot flip a sign before t = 0.99
    levels = lambda n, generator: torch.full((n,), 0.5)
    list(
        train(
            LearnedDenoiser(Pair(dim=1, width=8, classes=2), cosine),
            data,
            labels=labels,
            steps=5,
            drop=0.0,
            levels=levels,
        )
    )
    assert seen == {0: 0, 1: 1}


@pytest.mark.slow
def test_it_learns_a_gaussian():
    torch.manual_seed(0)
    denoiser, exact = LearnedDenoiser(MLP(dim=1, width=32), cosine), of_gaussian(0.5, 0.5, cosine)
    run = Run(denoiser)
    for _ in train(denoiser, 0.5 + 0.5 * torch.randn(5000, 1, generator=seed()), steps=600, run=run):
        pass
    x_t = torch.linspace(-1, 2, 50)[:, None]
    for t in (0.2, 0.5, 0.8):
        error = (run.average(x_t, t).x0 - exact(x_t, t).x0).square().mean().sqrt()
        assert float(error) < 0.1  # a fifth of the data's spread; an untrained network is off by about 0.7


class Told(MLP):
    """An MLP that remembers what it was shown and told."""

    def __init__(self, **size):
        super().__init__(**size)
        self.seen = []

    def forward(self, x, level, y=None, change=None):
        self.seen.append((x, y, change))
        return super().forward(x, level, y, change)


def negate(x0, condition, generator):
    """A third of the samples change their sign."""
    chosen = torch.rand(len(x0), 1, generator=generator) < 1 / 3
    return torch.where(chosen, -x0, x0), {**condition, "change": chosen.to(x0)}


def shown(augment, **changes):
    torch.manual_seed(0)
    net = Told(dim=1, width=8, classes=2, changes=1)
    near = lambda n, generator: torch.full((n,), 1e-4)
    losses = train(LearnedDenoiser(net, cosine), torch.arange(1.0, 41)[:, None], labels=torch.arange(40) % 2,
                   **dict(steps=6, batch=40, drop=0.1, levels=near, augment=augment) | changes)  # fmt: skip
    return [float(loss) for loss in losses], [
        torch.cat(part) if None not in part else part for part in zip(*net.seen, strict=True)
    ]


def test_the_network_sees_the_changed_sample_and_is_told_which():
    _, (x, y, change) = shown(negate)
    assert torch.equal(x < 0, change == 1) and 240 / 6 < change.sum() < 240 / 2
    assert len({tuple(step) for step in change.reshape(6, 40).tolist()}) == 6  # drawn anew in every step
    _, (plain, same, told) = shown(None)
    assert torch.equal(y, same) and not told.any()  # augmentation moves no other die
    assert_close(x.abs(), plain.abs(), rtol=0, atol=2e-3)


def test_the_seed_decides_the_changes():
    assert shown(negate, seed=1)[0] == shown(negate, seed=1)[0]
    assert not torch.equal(shown(negate, seed=1)[1][2], shown(negate, seed=2)[1][2])


def test_an_augmentation_for_a_network_that_is_told_of_none_is_refused():
    with pytest.raises(ValueError, match="knows no change"):
        list(train(LearnedDenoiser(MLP(dim=1, width=8), cosine), torch.randn(9, 1), steps=1, augment=negate))


def denoisers():
    torch.manual_seed(1)
    tiny = dict(channels=1, size=28, classes=3, **TINY)
    return {"mlp": (LearnedDenoiser(MLP(dim=2, width=16, classes=3, changes=1), cosine), (40, 2)),
            "unet": (LearnedDenoiser(UNet(**tiny), cosine), (12, 1, 28, 28))}  # fmt: skip


TINY = dict(width=8)


def settings(shape, **changes):
    return (
        dict(data=torch.randn(shape, generator=seed()), labels=torch.arange(shape[0]) % 3, steps=30, batch=8, seed=5)
        | changes
    )


@pytest.mark.slow
@pytest.mark.parametrize("name, stops", [("mlp", range(31)), ("unet", (1, 17))])
def test_resume_from_every_step_equals_the_uninterrupted_run(name, stops, tmp_path):
    run = Run((pair := denoisers()[name])[0])
    arguments, path, losses = (
        settings(pair[1], augment=negate if name == "mlp" else None),
        tmp_path / "run.safetensors",
        [],
    )
    save_run(tmp_path / "0", run)
    for loss in train(run.denoiser, **arguments, run=run):
        losses.append(float(loss))
        save_run(tmp_path / str(run.step), run)
    save_run(path, run)
    for stop in stops:
        again, _ = load_run(tmp_path / str(stop))
        rest = [float(loss) for loss in train(again.denoiser, **arguments, run=again)]
        assert rest == losses[stop:]
        save_run(tmp_path / "again", again)
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_the_seed_decides_everything():
    def losses(value):
        denoiser, shape = denoisers()["mlp"]
        return [float(loss) for loss in train(denoiser, **settings(shape, seed=value))]

    assert losses(1) == losses(1) != losses(2)


def test_a_checkpoint_gives_back_the_denoiser(tmp_path):
    denoiser, _ = denoisers()["unet"]
    x = torch.randn(2, 1, 28, 28)
    save(tmp_path / "full", denoiser, {"note": "hello"})
    again, card = load(tmp_path / "full")
    assert torch.equal(again(x, 0.5, y=1).x0, denoiser(x, 0.5, y=1).x0)
    assert (card["note"], card["schedule"], card["target"]) == ("hello", "cosine", "v")
    save(tmp_path / "half", denoiser, half=True)
    assert (tmp_path / "half").stat().st_size < 0.6 * (tmp_path / "full").stat().st_size
    assert_close(load(tmp_path / "half")[0](x, 0.5, y=1).x0, denoiser(x, 0.5, y=1).x0, rtol=0, atol=0.02)


def test_a_schedule_without_a_name_is_not_saved(tmp_path):
    denoiser = LearnedDenoiser(MLP(dim=2), from_betas(torch.full((10,), 0.1)))
    with pytest.raises(ValueError, match="with a name"):
        save(tmp_path / "x", denoiser)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stop", [1, 7])
def test_a_nan_stops_training_and_reaches_no_checkpoint(stop, tmp_path):
    run = Run(LearnedDenoiser(MLP(dim=2, width=8), cosine))
    save_run(path := tmp_path / "run", run)
    good = path.read_bytes()

    def levels(n, generator):  # a NaN appears in the middle of training
        return torch.full((n,), math.nan if run.step == stop else 0.5)

    with pytest.raises(TrainingError, match=f"loss at step {stop} is nan"):
        for _ in train(run.denoiser, torch.randn(9, 2), steps=20, levels=levels, run=run):
            pass
    assert run.step == stop and all(p.isfinite().all() for p in run.denoiser.parameters())
    next(run.denoiser.parameters()).data[0] = math.nan
    with pytest.raises(CheckpointError, match="NaN"):
        save_run(path, run)
    with pytest.raises(CheckpointError, match="NaN"):
        save(path, run.denoiser)
    assert path.read_bytes() == good and [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("changes, match", [
    (dict(data=torch.zeros(0, 2)), "at least one"),
    (dict(data=torch.zeros(40, 2).long()), "floating-point"),
    (dict(data=torch.tensor([[1.0, 2.0], [3.0, math.nan]])), "NaN"),
    (dict(steps=0), "steps"),
    (dict(batch=0), "batch"),
    (dict(drop=1.5), "drop"),
    (dict(labels=torch.zeros(39).long()), "40 samples"),
    (dict(labels=torch.arange(40) % 4), "from 0 to 2"),
    (dict(labels=torch.arange(40) % 4 - 1), "from 0 to 2"),
])  # fmt: skip
def test_nonsense_is_refused_before_the_first_step(changes, match):
    denoiser, shape = denoisers()["mlp"]
    with pytest.raises(ValueError, match=match):
        train(denoiser, **settings(shape, **changes))


def test_one_sample_and_one_step_are_enough():
    losses = list(train(denoisers()["mlp"][0], torch.zeros(1, 2), labels=torch.zeros(1).long(), steps=1, batch=1))
    assert len(losses) == 1


def test_a_run_belongs_to_its_denoiser():
    (one, shape), (other, _) = denoisers()["mlp"], denoisers()["mlp"]
    with pytest.raises(ValueError, match="another denoiser"):
        train(one, **settings(shape), run=Run(other))
    with pytest.raises(ValueError, match="knows no y"):
        train(LearnedDenoiser(MLP(dim=2), cosine), **settings(shape))


def test_a_bare_data_set_brings_its_labels():
    from minidiff.data.points import rings

    net = Listener(dim=2, width=8, classes=5)
    list(train(LearnedDenoiser(net, flow), rings(200), steps=2, batch=8, drop=0.0))
    assert all(y is not None for y in net.heard)
    list(train(LearnedDenoiser(MLP(dim=2, width=8), flow), rings(200), steps=2, batch=8))


def test_bfloat16_is_close_to_float32():
    losses = {}
    for bf16 in (False, True):
        denoiser, shape = denoisers()["mlp"]
        losses[bf16] = torch.stack(list(train(denoiser, **settings(shape), bf16=bf16)))
    assert not torch.equal(losses[True], losses[False])
    assert_close(losses[True], losses[False], rtol=0.05, atol=0.02)


# the weights on the error of x0 in the papers' own symbols, from alpha, sigma and d/dt of alpha^2 / sigma^2
PAPERS = {
    "snr": lambda a, s, slope: (a / s) ** 2,
    "truncated_snr": lambda a, s, slope: max((a / s) ** 2, 1),
    "min_snr": lambda a, s, slope: min((a / s) ** 2, 5),
    "edm": lambda a, s, slope: ((s / a) ** 2 + 1) / (s / a) ** 2,  # (sigma^2 + sigma_d^2) / (sigma sigma_d)^2
    "likelihood": lambda a, s, slope: -slope / 2,
}


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("schedule", [cosine, linear_beta, flow])
def test_a_weighted_loss_is_the_papers_weight_on_the_error_of_x0(name, target, schedule):
    """Whatever the target, weight * loss must be w(t) |x0 - guess|^2, with the guess as the sampler decodes it."""
    torch.manual_seed(0)
    net = MLP(2, width=16)
    nn.init.normal_(net.last.weight)
    denoiser = LearnedDenoiser(net.double(), schedule, target)
    x0, eps = torch.randn(2, 5, 2, dtype=torch.float64)
    t = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=torch.float64)
    (alpha, sigma), h = at(schedule, t, x0), 1e-6
    got = weighting(name, denoiser)(t) * denoising_loss(denoiser, x0, t, eps)
    error = (denoiser(alpha * x0 + sigma * eps, t).x0 - x0).square().mean(1)
    snr = lambda t: (schedule(t)[0] / schedule(t)[1]) ** 2
    slope = (snr(t + h) - snr(t - h)) / (2 * h)
    want = [PAPERS[name](float(a), float(s), float(d)) for a, s, d in zip(alpha, sigma, slope, strict=True)]
    assert_close(got, torch.tensor(want, dtype=torch.float64) * error, rtol=1e-6, atol=0)


def test_an_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match="'snr', 'truncated_snr', 'min_snr'"):
        weighting("p2", LearnedDenoiser(MLP(2), cosine))


def test_training_uses_the_weight_it_is_given():
    """The told loss is the weighted mean; a weight of 0 above t = 1/2 must leave those samples out."""
    data, told = torch.randn(50, 2), []

    def half(t):
        told.append(t)
        return (t < 0.5).double()

    losses = {}
    for name, weight in (("plain", None), ("half", half), ("none", lambda t: 0 * t)):
        torch.manual_seed(0)
        denoiser = LearnedDenoiser(MLP(2, width=16), cosine)
        losses[name] = float(next(iter(train(denoiser, data, steps=1, batch=64, weight=weight))))
    assert losses["none"] == 0 and 0.2 * losses["plain"] < losses["half"] < 0.8 * losses["plain"]
    assert told[0].shape == (64,)


def test_a_learned_variance_leaves_the_loss_on_the_mean_alone():
    class Both(nn.Module):
        classes = None

        def forward(self, x, level):
            return torch.cat([torch.sin(x), torch.full_like(x, 99.0)], 1)

    class One(nn.Module):
        def forward(self, x, level):
            return torch.sin(x)

    x0, eps, t = torch.randn(4, 2), torch.randn(4, 2), torch.rand(4)
    losses = [denoising_loss(LearnedDenoiser(net, cosine, "eps"), x0, t, eps) for net in (Both(), One())]
    assert_close(*losses)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [lambda: MLP(width=16, depth=1, classes=3), lambda: UNet(size=8, width=8, deep_width=16, deep_blocks=1, classes=3)],
)
def test_a_compiler_finds_one_graph_and_the_same_losses(make):
    """fullgraph: nothing in the network makes the compiler stop, or a GPU wait; aot_eager needs no C++ compiler."""
    told = []
    for compiled in (False, True):
        torch.manual_seed(0)
        denoiser = LearnedDenoiser(make(), cosine, "v")
        if compiled:
            denoiser.net.compile(backend="aot_eager", fullgraph=True)
        shape = (12, 2) if isinstance(denoiser.net, MLP) else (12, 1, 8, 8)
        data = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        losses = train(denoiser, data, labels=torch.arange(12) % 3, steps=4, batch=6, lr=0.01)
        told.append([float(loss) for loss in losses])
    assert_close(told[1], told[0], rtol=1e-4, atol=0)
    assert denoiser.net._compiled_call_impl is not None


def test_what_is_drawn_ahead_is_what_would_be_drawn_in_turn():
    """On a GPU the next batch is made in the background: one ahead and no more, in order, and its errors are not lost."""
    made = []

    def make(number):
        made.append(number)
        if number == 7:
            raise ValueError("seven")
        return number**2

    walk = prefetch(make, iter(range(10)))
    for number in range(6):
        assert next(walk) == number**2
        patience = time.monotonic() + 20
        while len(made) < number + 2 and time.monotonic() < patience:  # nobody asks for it: it is made all the same
            time.sleep(0.001)
        assert len(made) == number + 2
    assert next(walk) == 36
    with pytest.raises(ValueError, match="seven"):
        next(walk)
    assert list(prefetch(make, range(3))) == [0, 1, 4] and list(prefetch(make, [])) == []
    some = feed.Feed(torch.randn(9, 2), {}, {}, 4, 0, uniform_angle(cosine), [], None)
    draw = some.draw
    for one, other in zip(prefetch(draw, range(5)), map(draw, range(5)), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True)) and one[3] == other[3] == []


def test_on_a_gpu_nobody_waits_for_a_number():
    """The "meta" device computes shapes only and has no numbers: a loop that asked it for one would fail, where on a GPU it
    would wait. The first step looks at the loss, so the test begins at the second; the draws are made on the CPU, ahead."""
    run = Run(
        LearnedDenoiser(
            UNet(channels=3, size=8, width=8, deep_width=8, deep_blocks=1, classes=3, changes=8), cosine, "v"
        )
    )
    run.denoiser.to("meta"), run.average.to("meta")
    run.optimizer = torch.optim.AdamW(run.denoiser.parameters())  # the fused one does not know this device
    options = {"labels": torch.arange(9) % 3, "batch": 4, "run": run, "augment": together(flip, shift, recolour)}
    with pytest.raises(RuntimeError, match="meta"):
        next(train(run.denoiser, torch.randn(9, 3, 8, 8), steps=6, **options))
    run.step = 1
    losses = list(train(run.denoiser, torch.randn(9, 3, 8, 8), steps=6, **options))
    assert [(loss.device.type, loss.shape) for loss in losses] == 5 * [("meta", ())] and run.step == 6


# ---- what is given, and what is put back


class Root(nn.Module):
    """A network whose loss is finite at first and whose gradient is not."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def forward(self, x, level):
        return (self.w * x).square().sum(1, keepdim=True).sqrt() * x


def test_a_gradient_that_is_not_finite_is_not_learned_from():
    run = Run(LearnedDenoiser(Root(), cosine))
    with pytest.raises(
        TrainingError, match="the gradient at step 0 is not finite: nothing was learned from it; look in"
    ):
        list(train(run.denoiser, torch.randn(9, 2), steps=5, run=run))
    assert run.step == 0 and run.denoiser.net.w == 0 and run.average.net.w == 0


def test_a_gpu_that_is_not_asked_skips_every_step_from_the_first_bad_one_on():
    run = Run(LearnedDenoiser(MLP(dim=2, width=8), cosine))
    loss = lambda factor=1.0: factor * run.denoiser.net.last.bias.sum() + run.denoiser.net.last.weight.square().sum()
    assert run.advance(loss(), 1e-2, wait=False) and run.finite()
    before = [p.clone() for p in run.denoiser.parameters()]
    for factor in (math.nan, 1.0):
        run.advance(loss(factor), 1e-2, wait=False)
        assert not run.finite()
        assert_close(list(run.denoiser.parameters()), before, rtol=0, atol=0)
    assert all(p.isfinite().all() for p in run.average.parameters())


@pytest.mark.parametrize(
    "scale, steps, lr, advice",
    [(1e30, 5, 2e-3, "the data reach .*: standardise them"), (1.0, 50, 1e12, "try a lower lr than")],
)
def test_the_advice_fits_the_cause(scale, steps, lr, advice):
    torch.manual_seed(0)
    denoiser = LearnedDenoiser(MLP(dim=2, width=8), cosine, "x0")
    with pytest.raises(TrainingError, match=advice):
        list(train(denoiser, scale * torch.randn(50, 2, generator=seed()), steps=steps, lr=lr))


@pytest.mark.parametrize("ended", [False, True])
def test_what_training_switches_on_it_puts_back_however_it_ends(ended):
    """A loaded denoiser comes frozen and in evaluation mode, as one that somebody froze in part."""
    loaded = LearnedDenoiser(nn.Sequential(MLP(dim=2, width=8)), cosine).eval().requires_grad_(False)
    loaded.net.forward = lambda x, level: loaded.net[0](x, level)
    before = loaded.net[0].last.bias.clone()
    losses = train(loaded, torch.randn(20, 2), steps=3)
    for _ in losses:
        assert loaded.training and loaded.net[0].training
        if not ended:
            break
    losses.close()
    assert not any(module.training for module in loaded.modules()) and not any(
        p.requires_grad for p in loaded.parameters()
    )
    assert not torch.equal(before, loaded.net[0].last.bias)


def test_what_is_frozen_in_part_stays_frozen():
    denoiser = LearnedDenoiser(MLP(dim=2, width=8), cosine)
    denoiser.net.first.requires_grad_(False)
    before = denoiser.net.first.weight.clone()
    list(train(denoiser, torch.randn(20, 2), steps=3))
    assert torch.equal(before, denoiser.net.first.weight) and denoiser.net.last.bias.any()


@pytest.mark.parametrize("kind", [lambda x: x.numpy(), lambda x: x.double(), lambda x: x.half(), lambda x: x.tolist()])
def test_arrays_lists_and_other_precisions_are_data_too(kind):
    def losses(data):
        torch.manual_seed(0)
        return [float(loss) for loss in train(LearnedDenoiser(MLP(dim=2, width=8), cosine), data, steps=3, batch=8)]

    x = torch.randn(20, 2, generator=seed()).half().float()
    assert losses(kind(x)) == losses(x)


def test_a_network_in_float64_is_trained_in_float64():
    denoiser = LearnedDenoiser(MLP(dim=2, width=8).double(), cosine)
    assert next(train(denoiser, torch.randn(20, 2), steps=1)).dtype == torch.float64


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_switches_gradients_on_for_itself_alone(mode):
    denoiser = LearnedDenoiser(MLP(dim=2, width=8), cosine)
    with mode():
        for _ in train(denoiser, torch.randn(20, 2), steps=2):
            assert not torch.is_grad_enabled()
    assert denoiser.net.last.bias.any()


def test_names_stand_for_functions():
    def losses(**options):
        torch.manual_seed(0)
        denoiser = LearnedDenoiser(MLP(dim=2, width=8), cosine)
        options = {name: value(denoiser) if callable(value) else value for name, value in options.items()}
        return [float(loss) for loss in train(denoiser, torch.ones(20, 2), steps=3, batch=8, **options)]

    assert losses(levels="lognormal") == losses(levels=lambda d: lognormal(d.schedule)) != losses()
    assert losses(weight="min_snr") == losses(weight=lambda d: weighting("min_snr", d)) != losses()
    for option in ({"levels": "log"}, {"weight": "snrs"}, {"augment": "turn"}):
        with pytest.raises(ValueError, match="must be one of"):
            losses(**option)


@pytest.mark.parametrize(
    "changed", [{"steps": 10}, {"steps": 40}, {"batch": 4}, {"lr": 1e-3}, {"seed": 1}, {"drop": 0.5}]
)
def test_a_training_that_has_begun_keeps_to_its_settings(changed):
    settings = {"steps": 20, "batch": 8, "lr": 2e-3, "seed": 0, "drop": 0.1}
    run = Run(LearnedDenoiser(MLP(dim=2, width=8), cosine))
    next(train(run.denoiser, torch.randn(20, 2), **settings, run=run))
    with pytest.raises(ValueError, match=f"began with {next(iter(changed))}=.*, not .*: go on as it began"):
        train(run.denoiser, torch.randn(20, 2), **settings | changed, run=run)
    assert len(list(train(run.denoiser, torch.randn(20, 2), **settings, run=run))) == 19


def test_buffers_are_averaged_too():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.line = nn.BatchNorm1d(2), nn.Linear(2, 2)

        def forward(self, x, level):
            return self.line(self.norm(x + 3))

    run = Run(LearnedDenoiser(Net(), cosine))
    list(train(run.denoiser, torch.randn(50, 2), steps=20, run=run))
    assert_close(list(run.average.buffers()), list(run.denoiser.buffers()), rtol=0, atol=0)
    assert run.average.net.norm.running_mean.abs().min() > 0.5


@pytest.mark.parametrize("changes, error, match", [
    ({"denoiser": of_gaussian(0.0, 1.0, cosine)}, TypeError, "wrapped in LearnedDenoiser"),
    ({"denoiser": LearnedDenoiser(nn.Identity(), cosine)}, ValueError, "no parameters"),
    ({"data": "moons"}, TypeError, "a tensor, an array or a list"),
    ({"data": torch.randn(20)}, ValueError, r"\(N, \*\)"),
    ({"lr": math.nan}, ValueError, "lr must lie"),
    ({"lr": -1.0}, ValueError, "lr must lie"),
    ({"steps": 2.5}, ValueError, "whole number"),
    ({"drop": "often"}, TypeError, "how often a condition is hidden"),
    ({"drop": {"text": 0.1}}, ValueError, "drop names text"),
    ({"labels": None}, ValueError, "the data bring none: give labels="),
    ({"labels": torch.eye(3)[torch.arange(40) % 3]}, ValueError, "y holds torch.float32"),
    ({"condition": {"text": torch.zeros(40, 3)}}, ValueError, "knows no text: it knows y"),
])  # fmt: skip
def test_what_cannot_be_meant_gets_a_sentence(changes, error, match):
    given = {"denoiser": LearnedDenoiser(MLP(dim=2, width=8, classes=3), cosine), "data": torch.randn(40, 2),
             "labels": torch.arange(40) % 3, "steps": 3}  # fmt: skip
    with pytest.raises(error, match=match):
        train(**given | changes)
