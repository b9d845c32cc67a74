"""Remix: one step against the papers' own notation and Bayes' rule, whole walks against closed forms."""

import math
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from minidiff.exact import of_gaussian, of_mixture
from minidiff.guidance import extrapolate, given
from minidiff.networks import UNet
from minidiff.predictions import Denoiser, LearnedDenoiser, Prediction
from minidiff.samplers import (
    ddim_step,
    ddpm_step,
    euler_step,
    forward_std,
    heun_step,
    last,
    noise_like,
    posterior_std,
    remix,
    renoise_step,
    sample,
)
from minidiff.schedules import SCHEDULES, at, cosine, edm, evaluate, flow, from_betas, linear_beta, start, uniform_times
from minidiff.solvers import dpm_solver_2m, unipc

DDPM = from_betas(torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
X0, EPS, NOISE = torch.randn(3, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def seed(value=7):
    return torch.Generator().manual_seed(value)


def knows(schedule):
    """A denoiser that gives back the very x0 and eps that made x_t."""
    return Denoiser(schedule, lambda x_t, t: Prediction(X0, EPS))


def mixed(schedule, t):
    alpha, sigma = at(schedule, t, X0)
    return alpha * X0 + sigma * EPS


def drawn(step, *args, **kwargs):
    """The step's result and the unit noise it must have drawn."""
    return step(*args, generator=seed(), **kwargs), torch.randn(X0.shape, dtype=X0.dtype, generator=seed())


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_in_the_papers_notation(eta):
    """Song et al. 2021, Eq. 12 and 16, with the paper's alpha = alpha-bar; k = 600 to k = 480."""
    bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    a_t, a_s = bar[599], bar[479]
    x_t = a_t.sqrt() * X0 + (1 - a_t).sqrt() * EPS
    got, noise = drawn(ddim_step, knows(DDPM), x_t, 0.6, 0.48, eta=eta)
    spread = eta * ((1 - a_s) / (1 - a_t)).sqrt() * (1 - a_t / a_s).sqrt()
    predicted_x0 = (x_t - (1 - a_t).sqrt() * EPS) / a_t.sqrt()
    assert_close(got, a_s.sqrt() * predicted_x0 + (1 - a_s - spread**2).sqrt() * EPS + spread * noise)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_ddpm_in_the_papers_notation(variance):
    """Ho et al. 2020, Algorithm 2, from step 600 to 599."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    bar, beta = torch.cumprod(1 - betas, 0), betas[599]
    x_t = bar[599].sqrt() * X0 + (1 - bar[599]).sqrt() * EPS
    got, z = drawn(ddpm_step, knows(DDPM), x_t, 0.6, 0.599, variance=variance)
    var = beta if variance == "large" else (1 - bar[598]) / (1 - bar[599]) * beta
    assert_close(got, (x_t - beta / (1 - bar[599]).sqrt() * EPS) / (1 - beta).sqrt() + var.sqrt() * z)


def test_a_learned_variance_in_the_papers_notation():
    """Nichol & Dhariwal 2021, Eq. 15: Sigma = exp(v log beta + (1 - v) log beta-tilde), from step 600 to 599."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    bar, beta = torch.cumprod(1 - betas, 0), betas[599]
    v = torch.linspace(0, 1, 10, dtype=torch.float64).reshape(5, 2)
    learned = Denoiser(DDPM, lambda x_t, t: Prediction(X0, EPS, v))
    x_t = mixed(DDPM, 0.6)
    got, z = drawn(ddpm_step, learned, x_t, 0.6, 0.599, variance="learned")
    small = (1 - bar[598]) / (1 - bar[599]) * beta
    sigma = torch.exp(v * beta.log() + (1 - v) * small.log()).sqrt()
    assert_close(got, (x_t - beta / (1 - bar[599]).sqrt() * EPS) / (1 - beta).sqrt() + sigma * z)
    assert_close(ddpm_step(learned, x_t, 0.6, 0.0, variance="learned", generator=seed()), X0)
    with pytest.raises(ValueError, match="predicts no variance"):
        ddpm_step(knows(DDPM), x_t, 0.6, 0.5, variance="learned")


@pytest.mark.parametrize("schedule", [DDPM, cosine, flow], ids=["DDPM", "cosine", "flow"])
def test_a_learned_variance_is_log_linear_over_a_wide_step_too(schedule):
    """Eq. 15 from 0.9 to 0.2, where the two variances differ 2 to 60 times: halfway is their geometric mean."""
    v = torch.linspace(0, 1, 10, dtype=torch.float64).reshape(5, 2)
    x_t, ends = mixed(schedule, 0.9), {}
    for variance in ("small", "large", "learned"):
        learned = Denoiser(schedule, lambda x_t, t: Prediction(X0, EPS, v))
        moved, z = drawn(ddpm_step, learned, x_t, 0.9, 0.2, variance=variance)
        ends[variance] = (moved - ddpm_step(learned, x_t, 0.9, 0.2, variance=variance, temperature=0.0)) / z
    assert ends["large"].min() > 1.4 * ends["small"].max()
    assert_close(ends["learned"].log(), v * ends["large"].log() + (1 - v) * ends["small"].log())


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_posterior_is_bayes_on_a_grid(schedule):
    """q(x_s | x_t, x0) is proportional to q(x_t | x_s) q(x_s | x0): multiply them on a grid, read mean and spread."""
    t, s, x0, x_t = 0.6, 0.4, 0.7, -0.4
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    grid = torch.linspace(-8, 8, 100_001, dtype=torch.float64)
    normal = torch.distributions.Normal
    ratio, one_step = alpha_t / alpha_s, math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
    weight = torch.softmax(normal(alpha_s * x0, sigma_s).log_prob(grid) + normal(ratio * grid, one_step).log_prob(
        torch.tensor(x_t, dtype=torch.float64)), 0)  # fmt: skip
    mean = (weight * grid).sum()
    spread = (weight * (grid - mean) ** 2).sum().sqrt()
    assert_close(posterior_std(schedule, t, s), float(spread), rtol=1e-6, atol=0)
    assert_close(forward_std(schedule, t, s), one_step)
    knows_x0 = Denoiser(schedule, lambda x, t: Prediction(torch.full_like(x, x0), (x - alpha_t * x0) / sigma_t))
    x = torch.full((40_000, 1), x_t, dtype=torch.float64)
    for step in (ddpm_step, partial(ddim_step, eta=1.0)):
        got = step(knows_x0, x, t, s, generator=seed())
        assert abs(float(got.mean() - mean)) < 4 * float(spread) / 200  # 4 standard errors of 40,000 draws
        assert abs(float(got.std() / spread) - 1) < 4 / math.sqrt(2 * 40_000)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_a_perfect_guess_stays_on_its_path(schedule):
    """With the true x0 and eps, DDIM from anywhere lands on the very path, forwards and backwards, in any steps."""
    for t, s in ((0.9, 0.2), (0.2, 0.9), (0.5, 0.0)):
        assert_close(ddim_step(knows(schedule), mixed(schedule, t), t, s), mixed(schedule, s))
        assert_close(remix(schedule, Prediction(X0, EPS), s), mixed(schedule, s))
    *_, end = sample(ddim_step, knows(schedule), mixed(schedule, 1.0), uniform_times(7))
    assert_close(end, X0)


def test_eta_one_is_ddpm_with_the_small_variance():
    args = knows(linear_beta), mixed(linear_beta, 0.7), 0.7, 0.5
    assert_close(ddim_step(*args, eta=1.0, generator=seed()), ddpm_step(*args, generator=seed()))


@pytest.mark.parametrize("steps", [1, 4, 10])
def test_ddim_shrinks_a_gaussian_by_the_known_factor(steps):
    """On N(0, 1) and the cosine path each of K steps multiplies by cos(pi / 2K): the exact x0 is alpha * x_t."""
    x = torch.randn(5, 2, dtype=torch.float64)
    end = last(sample(ddim_step, of_gaussian(0.0, 1.0, cosine), x, uniform_times(steps)))
    assert_close(end, math.cos(math.pi / (2 * steps)) ** steps * x)


@pytest.mark.parametrize("schedule", [cosine, linear_beta])
def test_large_variance_keeps_a_unit_gaussian(schedule):
    """For N(0, 1) data x_s given x_t has exactly the forward variance, so 5 coarse steps lose nothing before the last."""
    x = start(schedule, 1.0, (40_000, 1), seed(1)).double()
    *_, before_last, _ = sample(
        partial(ddpm_step, variance="large"), of_gaussian(0.0, 1.0, schedule), x, uniform_times(5), generator=seed()
    )
    assert abs(float(before_last.std()) - 1) < 4 / math.sqrt(2 * 40_000)


def test_small_variance_is_exact_for_one_point():
    """If the data is the point 2, x_s is N(2 alpha_s, sigma_s^2) after every step, however coarse."""
    x = 2 * evaluate(linear_beta, 1.0)[0] + start(linear_beta, 1.0, (40_000, 1), seed(1)).double()
    path = sample(ddpm_step, of_gaussian(2.0, 0.0, linear_beta), x, uniform_times(3), generator=seed())
    for x, s in zip(path, (2 / 3, 1 / 3, 0), strict=True):
        alpha, sigma = evaluate(linear_beta, s)
        assert abs(float(x.mean()) - 2 * alpha) <= 4 * sigma / 200 + 1e-9
        assert abs(float(x.std()) - sigma) <= 4 * sigma / math.sqrt(2 * 40_000) + 1e-9


@pytest.mark.parametrize(
    "step", [ddim_step, ddpm_step, partial(ddim_step, eta=0.5), partial(ddpm_step, variance="large")]
)
@pytest.mark.parametrize("schedule, first", [(cosine, 1.0), (flow, 0.999), (linear_beta, 1.0)])
def test_whole_walks_find_both_modes_of_a_mixture(step, schedule, first):
    """200 steps with the exact denoiser: the left mode's share, mean and spread are the mixture's."""
    means, stds = torch.tensor([[-1.0], [1.0]], dtype=torch.float64), torch.tensor([0.2, 0.1], dtype=torch.float64)
    denoiser = of_mixture(means, stds, torch.tensor([0.3, 0.7], dtype=torch.float64), schedule)
    x = start(schedule, first, (10_000, 1), seed(3)).double()
    x0 = last(sample(step, denoiser, x, uniform_times(200, first), generator=seed()))
    left = x0 < 0
    assert abs(float(left.double().mean()) - 0.3) < 0.02  # 4 standard errors of 10,000 draws
    assert abs(float(x0[left].mean()) + 1) < 0.02
    assert abs(float(x0[left].std()) - 0.2) < 0.015  # 4 standard errors, and a step error of 4 %


def test_no_noise_enters_the_data():
    for step in (ddpm_step, partial(ddpm_step, variance="large"), partial(ddim_step, eta=1.0)):
        assert_close(step(knows(linear_beta), mixed(linear_beta, 0.1), 0.1, 0.0, generator=seed()), X0)


def test_temperature_scales_the_fresh_noise_only():
    args = knows(linear_beta), mixed(linear_beta, 0.7), 0.7, 0.5
    for step in (ddpm_step, partial(ddim_step, eta=0.7)):
        cold, half, warm = (step(*args, temperature=c, generator=seed()) for c in (0.0, 0.5, 1.0))
        assert_close(half - cold, (warm - cold) / 2)
        assert float((warm - cold).abs().min()) > 0
    assert_close(ddim_step(*args, temperature=0.3), ddim_step(*args))


def test_the_seed_decides_everything():
    run = lambda k: last(sample(ddpm_step, of_gaussian(0.0, 1.0, cosine), NOISE, uniform_times(5), generator=seed(k)))
    assert torch.equal(run(0), run(0)) and not torch.equal(run(0), run(1))


def test_sample_yields_every_state_and_builds_no_graph():
    x = X0.clone().requires_grad_()
    path = list(sample(ddim_step, of_gaussian(0.0, 1.0, cosine), x, uniform_times(4)))
    assert len(path) == 4 and not any(p.requires_grad for p in path)
    assert torch.equal(path[-1], last(iter(path)))


def test_steps_meet_the_very_times_they_were_given_in_either_direction():
    met = []

    def step(denoiser, x, t, s, *, generator):
        met.append((t, s))
        return x

    for times in ([0.9, 0.3, 0.1], [0.1, 0.3, 0.9]):  # a float32 on the way would turn 0.3 into 0.30000001
        list(sample(step, knows(cosine), X0, times))
    assert met == [(0.9, 0.3), (0.3, 0.1), (0.1, 0.3), (0.3, 0.9)]


@pytest.mark.parametrize(
    "times", [1.0, [1.0], [], [[1.0, 0.0]], [[2.0, 1.0]], [1.0, 1.0], [1.0, 0.2, 0.5], [1.0, math.nan, 0.0]]
)
def test_bad_times_are_refused(times):
    with pytest.raises(ValueError, match="strictly decreasing"):
        last(sample(ddim_step, knows(cosine), X0, torch.tensor(times)))


@pytest.mark.parametrize("step, match", [
    (partial(ddim_step, eta=1.5), "eta must lie"),
    (partial(ddim_step, eta=-0.1), "eta must lie"),
    (partial(ddim_step, eta=math.nan), "eta must lie"),
    (partial(ddpm_step, temperature=-1.0), "temperature"),
    (partial(ddpm_step, variance="fixed"), "'small', 'large', 'learned'"),
])  # fmt: skip
def test_bad_settings_are_refused(step, match):
    with pytest.raises(ValueError, match=match):
        step(knows(cosine), X0, 0.5, 0.4)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_a_step_of_no_length_goes_nowhere(schedule):
    for step in (ddpm_step, partial(ddim_step, eta=0.5)):
        assert_close(step(knows(schedule), mixed(schedule, 0.4), 0.4, 0.4, generator=seed()), mixed(schedule, 0.4))


def test_noise_is_drawn_where_the_generator_lives_and_else_beside_x(monkeypatch):
    drawn_on = []

    def randn(shape, *, dtype, generator, device):
        drawn_on.append(torch.device(device).type)
        return torch.zeros(shape, dtype=dtype)

    class Elsewhere(torch.Generator):
        device = torch.device("cuda")  # a generator of a machine that need not be here

    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn", randn)
        assert noise_like(X0, Elsewhere()).device == X0.device
    with torch.device("meta"):  # another default device, whose tensors hold no numbers
        assert float(noise_like(X0, None).abs().max()) > 0
    assert drawn_on == ["cuda"]


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_all_of_the_noise_fresh(schedule):
    """Song et al. 2023, Algorithm 1: x0 and new noise, and nothing of the old."""
    alpha, sigma = evaluate(schedule, 0.3)
    got = renoise_step(knows(schedule), X0, 0.8, 0.3, generator=seed(3))
    assert_close(got, alpha * X0 + sigma * torch.randn(X0.shape, dtype=X0.dtype, generator=seed(3)))
    assert_close(renoise_step(knows(schedule), X0, 0.8, 0.0), X0)


def test_fresh_noise_has_no_meaning_backwards():
    for step in (ddpm_step, partial(ddim_step, eta=0.5), renoise_step):
        with pytest.raises(ValueError, match="towards more noise"):
            step(knows(edm), X0, 1.0, 2.0)


def test_an_empty_path_has_no_end():
    with pytest.raises(ValueError, match="no end"):
        last([])


@pytest.mark.parametrize(
    "step", [ddim_step, partial(ddim_step, eta=1), ddpm_step, euler_step, heun_step, dpm_solver_2m(), unipc(), unipc(3)]
)
def test_on_a_gpu_nobody_waits_for_a_number(step):
    """The "meta" device computes shapes only and has no numbers: a guided walk that asked it for one would fail, where on
    a GPU it would wait."""
    net = UNet(size=8, width=8, deep_width=8, deep_blocks=1, classes=3)
    denoiser = LearnedDenoiser(net, cosine, "v").to("meta")
    guided = extrapolate(
        given(denoiser, y=torch.zeros(4, dtype=torch.int64, device="meta")), given(denoiser, y=None), 2
    )
    x = last(sample(step, guided, torch.empty(4, 1, 8, 8, device="meta"), uniform_times(6), generator=seed()))
    assert x.device.type == "meta" and x.shape == (4, 1, 8, 8)
