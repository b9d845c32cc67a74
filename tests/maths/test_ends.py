"""The ends of time, as laws: every schedule, target, step, direction and dtype gives finite numbers or one sentence.

From the last time down to 0 and from 0 up; on Gaussian data the trajectory is known in closed form. Beside them, what
cannot be meant: other libraries' times, names instead of functions, networks that answer something else.
"""

import gc
import math
import weakref
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minidiff import guidance, likelihood, samplers, schedules
from minidiff.engine.train import train
from minidiff.exact import of_gaussian, of_mixture, of_points
from minidiff.losses import denoising_loss
from minidiff.networks import MLP
from minidiff.notation import from_diffusers
from minidiff.predictions import TARGETS, LearnedDenoiser, coefficients, on_path, solve
from minidiff.samplers import ddim_step, ddpm_step, euler_step, heun_step, last, renoise_step, sample, sde_step
from minidiff.schedules import (
    SCHEDULES,
    betas,
    cosine,
    edm,
    evaluate,
    flow,
    from_betas,
    karras_times,
    log_snr,
    rates,
    sigmoid,
    start,
    t_max,
    time_at,
    uniform_times,
    zero_snr,
)
from minidiff.solvers import churned, corrected, dpm_solver_2m, dpm_solver_3m, unipc
from tests.nonsense import sentence

pytestmark = pytest.mark.slow


def own_vp(t):
    """A reader's own: leaves the data vertically, reaches the noise vertically, and alpha is computed from sigma."""
    return (1 - t).sqrt(), t.sqrt()


def own_ve(t):
    """A reader's own variance-exploding path, whose noise grows as t^2."""
    return torch.ones_like(t), t**2


own_ve.t_max = 9.0


class Learned(nn.Module):
    """A schedule with a parameter."""

    def __init__(self):
        super().__init__()
        self.k = nn.Parameter(torch.tensor(1.3, dtype=torch.float64))

    def forward(self, t):
        return torch.cos(math.pi / 2 * t**self.k).clamp(min=0), torch.sin(math.pi / 2 * t**self.k)


PATHS = {
    **SCHEDULES, "table": from_betas(betas()), "zero snr": from_betas(betas("squaredcos_cap_v2")),
    "rescaled": from_betas(zero_snr(betas())),
    "own vp": own_vp, "own ve": own_ve, "learned": Learned(),
}  # fmt: skip
STEPS = {
    "ddim": lambda: ddim_step, "ddim, eta": lambda: partial(ddim_step, eta=1.0), "ddpm": lambda: ddpm_step,
    "ddpm, large": lambda: partial(ddpm_step, variance="large"), "euler": lambda: euler_step,
    "heun": lambda: heun_step, "sde": lambda: sde_step, "2m": dpm_solver_2m, "2m, eta": partial(dpm_solver_2m, 1.0),
    "3m": dpm_solver_3m, "renoise": lambda: renoise_step,
    "unipc": unipc, "unipc 3": partial(unipc, 3), "churned": lambda: churned(heun_step, 0.05),
    "corrected": lambda: corrected(ddim_step),
}  # fmt: skip
UP = ("ddim", "euler", "heun", "2m", "3m", "unipc", "unipc 3")  # the rest draws noise, which has no meaning upwards


def stops(path, target):
    """A table without signal at its end falls to it within its last step, and stands still there: no velocity."""
    return target == "velocity" and path is PATHS["rescaled"]


each_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def seed(value=7):
    return torch.Generator().manual_seed(value)


def finite_or_sentence(call):
    """What call() gives, which must be finite; None where it is refused in a sentence."""
    try:
        result = call()
    except (ValueError, TypeError) as error:
        assert sentence(error), error
        return None
    assert result.isfinite().all()
    return result


@each_path
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_schedule_keeps_its_sense_at_its_ends(path, dtype):
    """Finite, falling signal, rising noise, finite slopes and targets, down to the smallest times that there are."""
    close = torch.cat([torch.zeros(1), torch.logspace(-12, -1, 300), 1 - torch.logspace(-1, -12, 300), torch.ones(1)])
    t = (t_max(path) * close.double()).to(dtype)
    alpha, sigma = schedules.pair(path, t)
    for c in (alpha, sigma, *rates(path, t)):
        assert c.dtype == dtype and c.isfinite().all()
    assert (alpha >= 0).all() and (sigma >= 0).all()
    assert (alpha.diff() <= 1e-2 * (dtype.itemsize == 2)).all() and (
        sigma.diff() >= -1e-2 * (dtype.itemsize == 2)
    ).all()
    assert not log_snr(path, t).isnan().any()
    for target in TARGETS:
        assert all(c.isfinite().all() for c in coefficients(target, path)(t))


@pytest.mark.parametrize("path", SCHEDULES.values(), ids=SCHEDULES)
def test_float32_is_float64_rounded_near_the_ends_too(path):
    """To 20 roundings; but to 1e-7 of alpha on cosine, whose bits inside are those of torch's float32 cosine."""
    t = t_max(path) * torch.cat([torch.logspace(-7, -1, 200), 1 - 2.0 ** -torch.arange(1, 24)])
    for single, double, atol in zip(path(t), path(t.double()), (1.1e-7 * (path is cosine), 0), strict=True):
        assert_close(single.double(), double, rtol=20 * 2**-24, atol=atol)
    assert path is edm or path(torch.ones(()))[0] >= 0


@each_path
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", STEPS)
def test_an_exact_trajectory_from_the_last_time_is_finite_and_ends_in_the_data(path, name, dtype):
    """Data N(0.5, 0.3^2): 40 steps from pure noise end near it, or the step is refused in a sentence."""
    end, times = t_max(path), uniform_times(40, t_max(path))
    if path in (edm, own_ve):
        times = karras_times(40, 0.01, evaluate(path, end)[1], schedule=path)
    x, denoiser = start(path, end, (2000, 1), seed(1)).to(dtype), of_gaussian(0.5, 0.3, path)
    x0 = finite_or_sentence(lambda: last(sample(STEPS[name](), denoiser, x, times, generator=seed())))
    if x0 is None:  # the reverse SDE has no drift where no signal is left, and churn cannot climb above the last time
        assert name in ("sde", "churned")
        return
    assert x0.dtype == dtype
    assert abs(float(x0.mean()) - 0.5) < 0.12 and 0.1 < float(x0.std()) < 0.42


@each_path
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", STEPS)
def test_inversion_from_clean_data_to_the_last_time_is_finite_and_keeps_the_quantile(path, name, dtype):
    """(x - mean) / std is the same at both ends of the probability-flow ODE. What draws noise is refused upwards."""
    end, x = t_max(path), torch.linspace(-0.1, 1.1, 5, dtype=dtype)[:, None]
    grid = end * uniform_times(100).flip(0) ** 2  # small steps near the data
    climb = lambda: last(sample(STEPS[name](), of_gaussian(0.5, 0.3, path), x, grid, generator=seed()))
    if name not in UP:
        with pytest.raises(ValueError, match="towards more noise"):
            climb()
        return
    x_t = finite_or_sentence(climb)
    assert x_t is not None and x_t.dtype == dtype
    alpha, sigma = evaluate(path, end)
    want = alpha * 0.5 + math.hypot(0.3 * alpha, sigma) * (x - 0.5) / 0.3
    assert_close(x_t, want, rtol=0.15, atol=0.1 * sigma)


class Smooth(nn.Module):
    """What a network might say: smooth and of size 1."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(1.5))

    def forward(self, x, level):
        return torch.sin(self.a * x + level[:, None])


@each_path
@pytest.mark.parametrize("target", TARGETS)
def test_a_network_of_any_target_is_sampled_and_inverted_on_every_path(path, target):
    """Finite and of sane size, or a sentence, which v never needs but from a step that cannot be meant."""
    end, denoiser = t_max(path), LearnedDenoiser(Smooth(), path, target)
    x, size, down = start(path, end, (50, 2), seed()), evaluate(path, end)[1], uniform_times(20, end)
    for name, make in STEPS.items():
        for begin, times in ((x, down), (x / size, down.flip(0))):
            for dtype in (torch.float32, torch.float64, torch.bfloat16)[: 3 if name == "heun" else 1]:
                run = partial(sample, make(), denoiser, begin.to(dtype), times, generator=seed())
                got = finite_or_sentence(lambda run=run: last(run()))
                if got is None:
                    refused = name in ("sde", "churned") or (times[0] == 0 and name not in UP)
                    assert refused or target in ("eps", "x0") or path is own_ve or stops(path, target), name
                    continue
                assert got.dtype == dtype
                if target not in ("eps", "x0") and name in UP:
                    assert float(got.abs().max()) < 30 * size, name


@each_path
@pytest.mark.parametrize("target", TARGETS)
def test_losses_and_their_gradients_are_finite_at_the_very_ends(path, target):
    """In float32, for a batch that holds 0, the last time, and times beside them."""
    denoiser = LearnedDenoiser(Smooth(), path, target)
    t = t_max(path) * torch.tensor([0.0, 1e-30, 1e-12, 1e-7, 2e-7, 1e-3, 0.5, 1 - 2**-23, 1 - 2**-24, 1.0])
    x0, eps = torch.randn(2, len(t), 2, generator=seed())
    loss = denoising_loss(denoiser, x0, t, eps)
    loss.sum().backward()
    assert loss.isfinite().all() and denoiser.net.a.grad.isfinite()


@each_path
@pytest.mark.parametrize("target", ["x0", "v", "velocity", "edm"])
def test_gradients_through_a_prediction_are_finite_at_the_very_ends(path, target):
    t = t_max(path) * torch.tensor([0.0, 1e-12, 0.5, 1.0], dtype=torch.float64)
    if path is own_ve or target == "x0":  # which say nothing of the noise so near to the data
        t[1] = 0.1
    if stops(path, target):
        t[3] = 0.99
    x_t, out = (part.clone().requires_grad_() for part in torch.randn(2, 4, 3, dtype=torch.float64, generator=seed()))
    x0, eps = solve(x_t, out, target, path, t)
    (x0.sum() + eps.sum()).backward()
    assert x_t.grad.isfinite().all() and out.grad.isfinite().all() and x0.isfinite().all() and eps.isfinite().all()


@each_path
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_exact_denoisers_answer_in_the_dtype_they_are_asked_in_at_both_ends(path, dtype):
    points, x_t = torch.randn(2, 6, 2, dtype=torch.float64, generator=seed())
    denoisers = of_gaussian(points[0], 0.0, path), of_gaussian(0.1, 0.5, path), of_points(points.float(), path), (
        of_mixture(points, torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]), torch.ones(6), path))  # fmt: skip
    for denoiser in denoisers:
        for t in (0.0, t_max(path), torch.tensor([0.0, 0.0, 0.5, 0.5, 1.0, 1.0], dtype=dtype) * t_max(path)):
            x = x_t.to(dtype).requires_grad_()
            x0, eps = denoiser(x, t)
            assert x0.dtype == eps.dtype == dtype and x0.isfinite().all() and eps.isfinite().all()
            (gradient,) = torch.autograd.grad(x0.sum() + eps.sum(), x)
            assert gradient.isfinite().all()


@pytest.mark.slow
@each_path
def test_the_elbo_lies_below_the_entropy_on_every_path_and_closes(path):
    """Data N(0, 1) in two dimensions: E log p = -log(2 pi e). The prior is right for data of unit variance."""
    x, (alpha, sigma) = torch.randn(1000, 2, dtype=torch.float64, generator=seed()), evaluate(path, 0.99 * t_max(path))
    truth, gaps = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1).double(), []
    for steps in (100, 200):
        times = karras_times(steps, 0.02, min(sigma / alpha, 80), schedule=path)
        bound = likelihood.elbo(of_gaussian(0.0, 1.0, path), x, times, generator=seed(1)).value
        gaps.append(float((truth - bound).mean()))
    assert 0 < gaps[1] < 0.5 and 1.7 < gaps[0] / gaps[1] < 2.5  # the gap is of first order in the step


@each_path
def test_log_p_is_right_from_both_ends_or_refused_in_a_sentence(path):
    x, end = torch.randn(20, 2, dtype=torch.float64, generator=seed()), t_max(path)
    truth = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1).double()
    for stop in (0.0, 1e-4):
        times = end * (stop + (1 - stop) * uniform_times(60) ** 2)
        got = finite_or_sentence(lambda times=times: likelihood.log_prob(of_gaussian(0.0, 1.0, path), x, times).value)
        assert got is not None or stop == 0 or path in (sigmoid, own_vp) or isinstance(path, Learned)
        if got is not None:
            assert_close(got, truth, rtol=0, atol=0.05)


@each_path
def test_steering_from_pure_noise_stays_of_sane_size(path):
    """By a classifier that knows nothing of noise, with every step, and exactly where the classifier knows of it."""
    end, x = t_max(path), start(path, t_max(path), (64, 2), seed())
    size = max(1.0, evaluate(path, end)[1])
    pushed = guidance.steer(of_gaussian(0.0, 1.0, path), lambda x, t: nn.functional.logsigmoid(x.sum(1) / size))
    for name, make in STEPS.items():
        y = finite_or_sentence(
            lambda make=make: last(sample(make(), pushed, x, uniform_times(50, end), generator=seed()))
        )
        assert (name in ("sde", "churned") and y is None) or y.abs().max() < 50, name
    t = torch.tensor([0.0, 0.5, 1.0]) * end
    assert all(part.isfinite().all() for part in pushed(x[:3], t))


def test_the_worked_example_is_edms_sampler():
    """The eight lines in samplers' docstring run, and give what churned(heun_step) gives."""
    text = samplers.__doc__
    lines = text[text.index("    x = start(edm") : text.index("which is")]
    denoiser, times, gamma = of_gaussian(0.5, 0.3, edm), karras_times(8), 0.3
    names = {**vars(samplers), "start": start, "edm": edm, "denoiser": denoiser, "times": times, "gamma": gamma,
             "generator": seed()}  # fmt: skip
    exec("\n".join(line[4:] for line in lines.splitlines()), names)
    generator = seed()
    x = start(edm, times[0], (1000, 2), generator)
    assert_close(names["x"], last(sample(churned(heun_step, gamma), denoiser, x, times, generator=generator)))
    assert len(lines.strip().splitlines()) == 8


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_the_eight_lines_of_the_readme_on_every_path(path):
    """Trained for a moment from the default times, sampled from the last time: points of the data's size."""
    from minidiff.data import two_moons

    torch.manual_seed(0)
    denoiser = LearnedDenoiser(MLP(dim=2), path, "edm")
    if isinstance(path, Learned):
        denoiser.schedule.requires_grad_(False)
    losses = [float(loss) for loss in train(denoiser, two_moons(10_000), steps=120, seed=0)]
    assert all(map(math.isfinite, losses)) and sum(losses[-20:]) < sum(losses[:20])
    x = start(path, t_max(path), (500, 2), seed())
    x0 = last(sample(ddim_step, denoiser, x, uniform_times(50, t_max(path))))
    assert abs(float(x0.mean())) < 0.4 and 0.5 < float(x0.std()) < 1.6
    denoiser.requires_grad_(True)


def test_a_path_of_ones_own_trains_and_samples_like_edm():
    """Noise levels from its own times, above its last time where churn climbs, and the levels of Karras's times."""
    assert time_at(own_ve, 0.5) == pytest.approx(1.0) and t_max(own_ve) == 9.0
    assert_close(karras_times(9, 0.01, 81.0, schedule=own_ve).square(), karras_times(9, 0.01, 81.0))
    twin = lambda t: (torch.ones_like(t), t)
    twin.t_max = 80.0
    assert torch.equal(karras_times(9, schedule=twin), karras_times(9)) and time_at(twin, 0.3) == time_at(edm, 0.3)
    x = 80 * torch.randn(5, 2, generator=seed(), dtype=torch.float64)
    both = [last(sample(churned(heun_step, 0.3), of_gaussian(0.5, 0.3, p), x, karras_times(9), generator=seed()))
            for p in (edm, twin)]  # fmt: skip
    assert torch.equal(*both)


def test_what_learns_is_not_remembered_and_nothing_remembered_is_kept_alive():
    learned = Learned()
    k = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    closed = lambda t: (torch.cos(math.pi / 2 * t**k), torch.sin(math.pi / 2 * t**k))
    for path, parameter in ((learned, learned.k), (closed, k)):
        with torch.no_grad():
            parameter.fill_(1.0)
            angles = [time_at(path, 0.5), evaluate(path, 0.5)[1], float(evaluate(coefficients("v", path), 0.5)[1])]
            solved = solve(torch.ones(1, 1), torch.zeros(1, 1), "v", path, 0.5).x0
            parameter.fill_(2.0)
        turned = math.pi / 8
        assert time_at(path, 0.5) != angles[0]
        assert_close(evaluate(path, 0.5), (math.cos(turned), math.sin(turned)))
        assert_close(evaluate(coefficients("v", path), 0.5)[1], math.cos(turned))
        assert solve(torch.ones(1, 1), torch.zeros(1, 1), "v", path, 0.5).x0 != solved
    for make in (lambda: from_betas(betas()), Learned, lambda: partial(lambda t, big: (1 - t, t), big=torch.zeros(9))):
        path = make()
        denoiser = of_gaussian(0.0, 1.0, path)
        last(sample(churned(heun_step, 0.1, high=1.0), denoiser, torch.zeros(2, 2), uniform_times(3, 0.9)))
        coefficients("velocity", path), on_path(denoiser, flow)(torch.zeros(1, 1), 0.5)
        gone = weakref.ref(path)
        del path, denoiser
        gc.collect()
        assert gone() is None


def test_a_number_for_alpha_is_taken():
    one = lambda t: (1.0, t)
    one.t_max = 80.0
    x, t = torch.randn(4, 2, generator=seed()), torch.tensor([0.0, 0.5, 1.0, 80.0])
    for name, make in STEPS.items():
        walk = [
            last(sample(make(), of_gaussian(0.5, 0.3, p), x, karras_times(5), generator=seed())) for p in (one, edm)
        ]
        assert torch.equal(*walk), name
    for target in TARGETS:
        assert_close(tuple(solve(x, x, target, one, t)), tuple(solve(x, x, target, edm, t)))


class Unhashable:
    __hash__ = None

    def __call__(self, t):
        return 1 - t, t


def test_a_schedule_that_cannot_be_remembered_works_all_the_same():
    times = karras_times(5, 0.1, 10.0, schedule=Unhashable())
    assert_close(times, karras_times(5, 0.1, 10.0, schedule=flow))
    x = torch.randn(3, 2, generator=seed())
    for step in STEPS.values():
        pair = [last(sample(step(), of_gaussian(0.5, 0.3, p), x, uniform_times(5, 0.9), generator=seed()))
                for p in (flow, Unhashable())]  # fmt: skip
        assert torch.equal(*pair)


def test_everything_works_in_inference_mode():
    x = torch.randn(6, 2, generator=seed())
    push = lambda x, t: nn.functional.logsigmoid(x.sum(1))
    net = LearnedDenoiser(Smooth(), sigmoid, "velocity")

    def everything():
        table, y = from_betas(betas()), x.clone()
        for path in (*SCHEDULES.values(), table):
            exact = of_mixture([[0.1, 0.2], [1.0, 0.5]], [0.3, 0.4], [1, 2], path)
            near = of_points(np.zeros((4, 2)), path, [0, 1, 0, 1])
            times = uniform_times(4, 0.9 * t_max(path), 0.1)
            for denoiser in (exact, guidance.steer(near, push), guidance.clip(on_path(exact, flow))):
                grid = times if denoiser.schedule is path else uniform_times(4, 0.9, 0.1)
                yield last(sample(heun_step, denoiser, y, grid))
            yield likelihood.log_prob(exact, y, times).value
            yield likelihood.elbo(exact, y, [*times.tolist(), 0.0], generator=seed()).value
        yield last(sample(euler_step, guidance.steer(net, push), y, uniform_times(4)))

    with torch.inference_mode():
        inside = list(everything())
    for got, want in zip(inside, everything(), strict=True):
        assert_close(got, want.detach(), rtol=1e-5, atol=1e-5)


def test_lists_and_arrays_are_taken_where_tensors_are_meant():
    x, times = np.random.default_rng(0).normal(size=(5, 2)), [0.9, 0.5, 0.1]
    tensors = torch.tensor(x)
    same = [
        (lambda c: of_points(c, flow, c[:, 0] > 0 if c is tensors else (c[:, 0] > 0).astype(int))(tensors, 0.5).x0),
        (lambda c: of_mixture(c, np.full(5, 0.5), [1.0] * 5, flow)(tensors, 0.5).x0),
        (lambda c: last(sample(heun_step, of_gaussian(0.5, 0.3, flow), c, times))),
        (lambda c: last(sample(heun_step, of_gaussian(0.5, 0.3, flow), c, np.array(times)))),
        (lambda c: last(sample(heun_step, of_gaussian(0.5, 0.3, flow), c, torch.tensor(times, dtype=torch.float64)))),
        (lambda c: likelihood.log_prob(of_gaussian(0.5, 0.3, flow), c, times).value),
    ]
    for call in same:
        assert torch.equal(call(x), call(tensors))
    assert evaluate(from_betas([0.1, 0.2]), 0.5) == evaluate(from_betas(np.array([0.1, 0.2])), 0.5)
    for t in (np.float64(0.5), np.float32(0.5), torch.tensor(0.5), torch.tensor(0.5, dtype=torch.float64)):
        for make in STEPS.values():
            got = make()(of_gaussian(0.5, 0.3, flow), tensors, t, type(t)(0.25) if not torch.is_tensor(t) else t / 2,
                         generator=seed())  # fmt: skip
            assert_close(
                got, make()(of_gaussian(0.5, 0.3, flow), tensors, 0.5, 0.25, generator=seed()), rtol=1e-6, atol=1e-6
            )


def test_a_network_in_float32_is_asked_in_float32_by_samples_of_any_dtype():
    denoiser, x = LearnedDenoiser(MLP(2), cosine, "v"), torch.randn(5, 2, generator=seed())
    want = last(sample(heun_step, denoiser, x, uniform_times(5)))
    for dtype, atol in ((torch.float64, 1e-5), (torch.float16, 0.02), (torch.bfloat16, 0.1)):
        got = last(sample(heun_step, denoiser, x.to(dtype), uniform_times(5)))
        assert got.dtype == dtype
        assert_close(got.float(), want, rtol=0, atol=atol)


@pytest.mark.parametrize(
    "out", [None, (1, 2), torch.zeros(5), torch.zeros(5, 3), torch.zeros(4, 2), torch.zeros(5, 2, 1)]
)
def test_a_network_that_answers_something_else_is_refused(out):
    class Other(nn.Module):
        def forward(self, x, level):
            return out

    with pytest.raises(ValueError, match="a network must return x's shape"):
        LearnedDenoiser(Other(), cosine, "v")(torch.zeros(5, 2), 0.5)


def test_a_missing_class_keeps_its_number():
    """Of classes 0, 1, 2 only two are among the points: without `classes` 2 means any, with it it is nobody's."""
    points, labels, x = torch.randn(6, 2, generator=seed()), torch.tensor([0, 1] * 3), torch.zeros(1, 2)
    told = of_points(points, flow, labels, classes=3)
    assert torch.equal(told(x, 0.5, y=3).x0, told(x, 0.5).x0)
    assert torch.equal(told(x, 0.5, y=1).x0, of_points(points[1::2], flow)(x, 0.5).x0)
    with pytest.raises(ValueError, match="no point carries the label \\[2"):
        told(x, 0.5, y=2)
    with pytest.raises(ValueError, match="classes must be a whole number"):
        of_points(points, flow, labels, classes=1)
    for y in (1.0, torch.tensor([0.0]), [0, 1], [[0]], -1, 4):
        with pytest.raises(ValueError, match="a label from 0 to 3"):
            told(x, 0.5, y=y)


def test_every_configuration_that_diffusers_makes_is_understood_or_refused():
    diffusers = pytest.importorskip("diffusers")
    known = [name for name in dir(diffusers) if name.endswith("Scheduler") and "Flax" not in name]
    understood = set()
    for name in known:
        try:
            config = getattr(diffusers, name)().config
        except Exception:  # not installed, or one that needs arguments
            continue
        try:
            path, target = from_diffusers(config)
        except ValueError as error:
            assert sentence(error)
            continue
        understood.add(name)
        assert target == ("velocity" if path is flow else "eps")
        if path is not flow:
            bar = torch.cumprod(1 - getattr(diffusers, name)().betas.double(), 0)
            assert_close(evaluate(path, 0.5)[0] ** 2, float(bar[499]), rtol=1e-5, atol=0)
    for name in ("DDPM", "DDIM", "PNDM", "EulerDiscrete", "HeunDiscrete", "UniPCMultistep", "DPMSolverMultistep",
                 "FlowMatchEulerDiscrete", "LCM"):  # fmt: skip
        assert f"{name}Scheduler" in understood
    assert not {name for name in understood if "EDM" in name or "CogVideo" in name or "Consistency" in name}


@pytest.mark.parametrize("change, match", [
    ({"beta_shedule": "linear"}, "'beta_shedule' is not understood here; the nearest that is known is 'beta_schedule'"),
    ({"prediction_typ": "epsilon"}, "nearest that is known is 'prediction_type'"),
    ({"shift": 3.0}, "'shift' is not understood"),
    ({"trained_betas": np.array([0.1, 0.2])}, "from_betas"),
    ({"timestep_type": "continuous"}, "changes the path"),
    ({"snr_shift_scale": 3.0}, "'snr_shift_scale' is not understood"),
    ({"prediction_type": "flow_reversed"}, "unknown prediction_type"),
    ({"num_train_timesteps": 0}, "num_train_timesteps must be a whole"),
    ({"beta_start": 0.03}, "betas must rise"),
    ({"beta_end": 1.5}, "betas must rise"),
])  # fmt: skip
def test_a_configuration_that_means_something_else_is_refused(change, match):
    with pytest.raises(ValueError, match=match):
        from_diffusers({"beta_schedule": "linear", **change})


@pytest.mark.parametrize("config", [
    {}, {"num_train_timesteps": 1000}, {"beta_shedule": "linear", "num_train_timesteps": 9},
    {"_class_name": "EDMEulerScheduler", "sigma_data": 0.5, "sigma_max": 80.0},
])  # fmt: skip
def test_a_configuration_without_a_path_is_refused(config):
    with pytest.raises(ValueError, match="a configuration needs a beta_schedule"):
        from_diffusers(config)


X = torch.randn(4, 2, generator=seed())


@each_path
def test_other_libraries_times_are_refused(path):
    """Integer timesteps everywhere; where noise ends at t_max, times above it too, in steps and denoisers as well."""
    denoiser, end = of_gaussian(0.0, 1.0, path), t_max(path)
    for times in (
        torch.arange(950, -1, -50),
        list(range(950, -1, -50)),
        np.arange(950, -1, -50),
        [end, 0.0, -0.1 * end],
    ):
        with pytest.raises(ValueError, match=r"times must be floats|outside this schedule's times"):
            sample(ddim_step, denoiser, X, times)
    for t in (math.nan, -0.1, math.inf) if path in (edm, own_ve) else (math.nan, -0.1, math.inf, 1.001, 950.0):
        for call in (
            lambda t=t: denoiser(X, t),
            lambda t=t: ddim_step(denoiser, X, end, t),
            lambda t=t: evaluate(path, t),
        ):
            with pytest.raises(ValueError, match=r"outside this schedule's times|[ts] must lie"):
                call()


@pytest.mark.parametrize(
    "low, high, rho", [(10, 0.1, 7), (0.0, 1.0, 7), (1.0, 1.0, 7), (-1.0, 1.0, 7), (0.1, 1.0, 0), (0.1, math.nan, 7)]
)
def test_noise_levels_upside_down_are_refused(low, high, rho):
    with pytest.raises(ValueError):
        karras_times(5, low, high, rho)
