"""Solvers: measured orders of convergence, equivalences between papers, and chains in closed form."""

import math
from functools import partial

import pytest
import torch
from numpy.polynomial import Polynomial
from scipy.integrate import quad
from torch.testing import assert_close

from minidiff.exact import of_gaussian, of_mixture
from minidiff.predictions import Denoiser, Prediction
from minidiff.samplers import ddim_step, ddpm_step, euler_step, heun_step, last, sample, sde_step, velocity
from minidiff.schedules import (
    SCHEDULES,
    at,
    cosine,
    edm,
    evaluate,
    flow,
    from_betas,
    karras_times,
    linear_beta,
    start,
    uniform_times,
)
from minidiff.solvers import (
    Evaluation,
    churned,
    corrected,
    dpm_solver_2m,
    dpm_solver_3m,
    langevin,
    unipc,
    weighted_average,
)

DDPM = from_betas(torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
X = torch.tensor([[-1.3], [0.4], [2.0]], dtype=torch.float64)
MEAN, STD = 0.5, 0.3


def seed(value=7):
    return torch.Generator().manual_seed(value)


def truth(schedule, x, t, s):
    """The probability-flow ODE on Gaussian data keeps the quantile: (x - mean) / std is the same at t and at s."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    stretch = math.hypot(alpha_s * STD, sigma_s) / math.hypot(alpha_t * STD, sigma_t)
    return alpha_s * MEAN + stretch * (x - alpha_t * MEAN)


def error(step, schedule, times):
    first, final = float(times[0]), float(times[-1])
    x = X * evaluate(schedule, first)[1]
    end = last(sample(step, of_gaussian(MEAN, STD, schedule), x, times))
    return float((end - truth(schedule, x, first, final)).abs().max())


def order(make, schedule, steps):
    """How much smaller twice as many steps make the error, as a power of 2."""
    grid = (
        (lambda n: karras_times(n + 1, 0.02, 20.0)[:-1]) if schedule is edm else (lambda n: uniform_times(n, 0.9, 0.1))
    )
    return math.log2(error(make(), schedule, grid(steps)) / error(make(), schedule, grid(2 * steps)))


SMOOTH = [("ddim", lambda: ddim_step, 1), ("euler", lambda: euler_step, 1), ("heun", lambda: heun_step, 2),
          ("2m", dpm_solver_2m, 2)]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("name, make, want", SMOOTH, ids=[name for name, *_ in SMOOTH])
def test_order_of_convergence(name, make, want, schedule):
    assert abs(order(make, schedule, 512) - want) < 0.15


@pytest.mark.parametrize("make, want", [(lambda: ddim_step, 1), (dpm_solver_2m, 2)], ids=["ddim", "2m"])
def test_order_on_a_table(make, want):
    """The corners of a table do not show to a solver that only looks at (alpha, sigma)."""
    assert abs(order(make, DDPM, 100) - want) < 0.15


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_three_evaluations_are_finer_than_two(schedule):
    """Of third order where the two lower steps at the start do not show, as from Karras' large noise."""
    grid = karras_times(129, 0.02, 20.0)[:-1] if schedule is edm else uniform_times(128, 0.9, 0.1)
    assert error(dpm_solver_3m(), schedule, grid) < 0.2 * max(error(dpm_solver_2m(), schedule, grid), 1e-5)
    if schedule in (edm, linear_beta):
        assert abs(order(dpm_solver_3m, schedule, 256) - 3) < 0.15


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_unipc_is_at_least_of_order_two_and_beats_2m_by_far(schedule):
    grid = karras_times(129, 0.02, 20.0)[:-1] if schedule is edm else uniform_times(128, 0.9, 0.1)
    assert order(unipc, schedule, 64) > 2
    assert error(unipc(), schedule, grid) < 0.5 * max(error(dpm_solver_2m(), schedule, grid), 1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_unipc_of_order_three_is_finer_still(schedule):
    assert order(partial(unipc, 3), schedule, 256) > 2.8
    if schedule is edm:  # where the steps shrink evenly, the corrector's one order more shows on both
        assert abs(order(unipc, schedule, 128) - 3) < 0.15 and abs(order(partial(unipc, 3), schedule, 128) - 4) < 0.15


@pytest.mark.parametrize("positions", [(0.3, 0.5), (-1.0, 0.2, 0.9), (0.0, 0.7, 1.1, 2.0), (0.0, 0.01, 0.02, 0.035)])
@pytest.mark.parametrize("ahead", [False, True])
def test_the_average_of_a_polynomial_is_exact(positions, ahead):
    """Through n looks goes one polynomial of degree n - 1; its mean under e^lambda, by adaptive quadrature."""
    polynomial = Polynomial([0.7, -1.0, 0.4, 2.0][: len(positions)])
    looks = [Evaluation(0.0, 0.0, p, X, polynomial(p) * torch.ones_like(X)) for p in positions]
    low, high = (positions[-1], positions[-1] + 0.4) if ahead else positions[-2:]
    weighed = quad(lambda p: polynomial(p) * math.exp(p), low, high, epsabs=1e-14, epsrel=1e-13)[0]
    want = weighed / (math.exp(high) - math.exp(low))
    assert_close(weighted_average(looks, low, high), want * torch.ones_like(X), rtol=1e-9, atol=1e-9)


def test_unipc_refuses_orders_it_does_not_have():
    for wrong in (1, 4):
        with pytest.raises(ValueError, match="from 2 to 3"):
            unipc(wrong)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_the_velocity_is_that_of_the_quantile(schedule):
    x, h = X, 1e-6
    want = (truth(schedule, x, 0.4, 0.4 + h) - truth(schedule, x, 0.4, 0.4 - h)) / (2 * h)
    assert_close(velocity(of_gaussian(MEAN, STD, schedule), x, 0.4), want, rtol=1e-6, atol=1e-8)


def test_euler_is_ddim_where_the_path_is_straight():
    for schedule in (flow, edm):
        args = of_gaussian(MEAN, STD, schedule), X, 0.7, 0.3
        assert_close(euler_step(*args), ddim_step(*args), rtol=1e-12, atol=0)


def test_heun_in_karras_notation():
    """Karras et al. 2022, Algorithm 1: d = (x - D(x; sigma)) / sigma, and no correction into 0."""
    denoiser = of_gaussian(MEAN, STD, edm)
    D = lambda x, sigma: denoiser(x, sigma).x0
    t, s = 2.0, 0.5
    d = (X - D(X, t)) / t
    ahead = X + (s - t) * d
    assert_close(heun_step(denoiser, X, t, s), X + (s - t) * (d / 2 + (ahead - D(ahead, s)) / s / 2))
    assert_close(heun_step(denoiser, X, t, 0.0), X - t * d)


def test_2m_in_the_papers_notation():
    """Lu et al. 2022b, Algorithm 2, three steps down a table, with lambda = log(alpha / sigma)."""
    denoiser, times = of_gaussian(MEAN, STD, DDPM), [0.9, 0.6, 0.4, 0.1]
    alphas, sigmas = zip(*(evaluate(DDPM, t) for t in times), strict=True)
    lam = [math.log(a / s) for a, s in zip(alphas, sigmas, strict=True)]
    x, before = X, None
    for i in (1, 2, 3):
        h, x0 = lam[i] - lam[i - 1], denoiser(x, times[i - 1]).x0
        d = x0
        if before is not None:
            r = (lam[i - 1] - lam[i - 2]) / h
            d = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * before
        before, x = x0, sigmas[i] / sigmas[i - 1] * x - alphas[i] * math.expm1(-h) * d
    assert_close(last(sample(dpm_solver_2m(), denoiser, X, torch.tensor(times))), x, rtol=1e-12, atol=1e-12)


def test_the_first_step_of_2m_is_ddim_and_so_is_the_last_into_the_data():
    denoiser = of_gaussian(MEAN, STD, cosine)
    for eta in (0.0, 0.5, 1.0):
        got = dpm_solver_2m(eta)(denoiser, X, 0.8, 0.4, generator=seed())
        assert_close(got, ddim_step(denoiser, X, 0.8, 0.4, eta=eta, generator=seed()))
    step = dpm_solver_2m()
    x = step(denoiser, X, 0.8, 0.4)
    assert_close(step(denoiser, x, 0.4, 0.0), ddim_step(denoiser, x, 0.4, 0.0))


@pytest.mark.parametrize("make", [dpm_solver_2m, unipc, partial(unipc, 3)], ids=["2m", "unipc", "unipc-3"])
def test_memory_is_dropped_where_the_walk_does_not_go_on(make):
    denoiser, used = of_gaussian(MEAN, STD, cosine), make()
    used(denoiser, X, 0.9, 0.5)
    assert_close(used(denoiser, X, 0.6, 0.3), make()(denoiser, X, 0.6, 0.3))  # another time
    assert_close(used(denoiser, X[:1], 0.3, 0.2), make()(denoiser, X[:1], 0.3, 0.2))  # other samples
    times = uniform_times(6)
    first = last(sample(used, denoiser, X, times))
    assert torch.equal(first, last(sample(used, denoiser, X, times)))  # a second walk with the same solver


@pytest.mark.parametrize(
    "make, steps", [(dpm_solver_2m, 40), (unipc, 40), (partial(unipc, 3), 50)], ids=["2m", "unipc", "unipc-3"]
)
def test_from_pure_noise_to_clean_data(make, steps):
    """lambda is infinite at both ends of the cosine path; forty or fifty steps must still find the quantile."""
    x = torch.tensor([[-2.0], [0.3], [1.0]], dtype=torch.float64)
    end = last(sample(make(), of_gaussian(MEAN, STD, cosine), x, uniform_times(steps)))
    assert_close(end, MEAN + STD * x, rtol=0, atol=0.01)


@pytest.mark.parametrize("make, order", [(dpm_solver_2m, 2), (unipc, 2), (lambda: heun_step, 2), (lambda: ddim_step, 1)],
                         ids=["2m", "unipc", "heun", "ddim"])  # fmt: skip
def test_data_to_noise_and_back(make, order):
    """Inversion: up to the noise of the known quantile, down again to the data, better by the order of the solver."""
    denoiser, errors = of_gaussian(MEAN, STD, cosine), []
    for steps in (200, 400):
        up = uniform_times(steps, 0.05, 0.95)
        noise = last(sample(make(), denoiser, X, up))
        back = last(sample(make(), denoiser, noise, up.flip(0)))
        errors.append([float((noise - truth(cosine, X, 0.05, 0.95)).abs().max()), float((back - X).abs().max())])
    for coarse, fine in zip(*errors, strict=True):
        assert fine < (0.01 if order == 2 else 0.05) and coarse / fine > 0.85 * 2**order


def knows(schedule):
    x0, eps = torch.full((40_000, 1), 0.7, dtype=torch.float64), torch.full((40_000, 1), -0.4, dtype=torch.float64)
    return Denoiser(schedule, lambda x_t, t: Prediction(x0, eps)), at(schedule, 0.6, x0)


@pytest.mark.parametrize("schedule", [linear_beta, cosine, flow, edm])
def test_one_sde_step_in_the_papers_notation(schedule):
    """x - (f x - g^2 score) dt + g sqrt(dt) z (Song et al. 2021, Eq. 6), f and g^2 by finite differences."""
    denoiser, (alpha, sigma) = knows(schedule)
    t, s, h = 0.6, 0.55, 1e-5
    x = alpha * 0.7 + sigma * -0.4
    (a1, s1), (a0, s0) = evaluate(schedule, t + h), evaluate(schedule, t - h)
    f = (math.log(a1) - math.log(a0)) / (2 * h)
    g2 = (s1**2 - s0**2) / (2 * h) - 2 * f * sigma**2
    got = sde_step(denoiser, torch.full((40_000, 1), x, dtype=torch.float64), t, s, generator=seed())
    z = torch.randn(40_000, 1, dtype=torch.float64, generator=seed())
    score = 0.4 / sigma
    assert_close(got, x - (f * x - g2 * score) * (t - s) + math.sqrt(g2 * (t - s)) * z, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_the_reverse_sde_finds_the_weights_of_both_modes():
    means, stds = torch.tensor([[-1.0], [1.0]], dtype=torch.float64), torch.tensor([0.2, 0.1], dtype=torch.float64)
    denoiser = of_mixture(means, stds, torch.tensor([0.2, 0.8], dtype=torch.float64), cosine)
    x = start(cosine, 0.999, (10_000, 1), seed(3)).double()
    times = torch.cat([uniform_times(400, 0.999, 0.002), torch.zeros(1, dtype=torch.float64)])
    x0 = last(sample(sde_step, denoiser, x, times, generator=seed()))
    left = x0 < 0
    assert abs(float(left.double().mean()) - 0.2) < 0.016  # 4 standard errors of 10,000 draws
    assert abs(float(x0[left].std()) - 0.2) < 0.02


def test_langevin_alone_keeps_what_it_was_given():
    """Moves at one noise level mix within a mode at once and between far modes hardly ever: half and half stays."""
    means, ones = torch.tensor([[-4.0], [4.0]], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    denoiser = of_mixture(means, 0.3 * ones, torch.tensor([0.2, 0.8], dtype=torch.float64), edm)
    x = torch.cat([torch.full((2_000, 1), -4.0), torch.full((2_000, 1), 4.0)]).double()
    generator = seed()
    for _ in range(400):
        x = langevin(denoiser, x, 0.4, size=0.05, generator=generator)
    assert float((x < 0).double().mean()) == 0.5
    for side in (x[:2000], x[2000:]):  # the width at sigma = 0.4 is sqrt(0.3^2 + 0.4^2); a move of this size adds 1.6 %
        assert abs(float(side.std()) / 0.5 - 1) < 0.016 + 4 / math.sqrt(4000)


@pytest.mark.parametrize("size", [0.1, 0.5])
def test_one_langevin_move_has_the_known_spread(size):
    """On a Gaussian of variance V at t: x becomes (1 - d / V) x + sqrt(2 d) z, d = size sigma^2 (an AR(1) process)."""
    denoiser, t = of_gaussian(0.0, STD, cosine), 0.3
    alpha, sigma = evaluate(cosine, t)
    variance, d = (alpha * STD) ** 2 + sigma**2, size * sigma**2
    got = langevin(denoiser, X, t, size=size, generator=seed())
    z = torch.randn(X.shape, dtype=X.dtype, generator=seed())
    assert_close(got, (1 - d / variance) * X + math.sqrt(2 * d) * z)


def test_corrections_follow_the_step_but_not_into_the_data():
    denoiser = of_gaussian(MEAN, STD, cosine)
    twice = corrected(ddim_step, times=2, size=0.2)
    generator = seed()
    want = ddim_step(denoiser, X, 0.6, 0.4)
    for _ in range(2):
        want = langevin(denoiser, want, 0.4, size=0.2, generator=generator)
    assert_close(twice(denoiser, X, 0.6, 0.4, generator=seed()), want)
    assert_close(twice(denoiser, X, 0.6, 0.0, generator=seed()), ddim_step(denoiser, X, 0.6, 0.0))
    said = corrected(ddim_step, times=1, size=0.1)(denoiser, X, 0.6, 0.4, generator=seed())
    assert torch.equal(corrected(ddim_step)(denoiser, X, 0.6, 0.4, generator=seed()), said)


def test_churn_in_karras_notation():
    """Karras et al. 2022, Algorithm 2, lines 5 and 6, on EDM's own path."""
    denoiser, (t, s), gamma, noise = of_gaussian(MEAN, STD, edm), (2.0, 1.5), 0.4, 1.003
    t_hat = t + gamma * t
    z = torch.randn(X.shape, dtype=X.dtype, generator=seed())
    x_hat = X + math.sqrt(t_hat**2 - t**2) * noise * z
    got = churned(heun_step, gamma, noise=noise)(denoiser, X, t, s, generator=seed())
    assert_close(got, heun_step(denoiser, x_hat, t_hat, s))


@pytest.mark.parametrize("schedule", [cosine, flow, linear_beta])
def test_churn_climbs_the_forward_process_on_every_path(schedule):
    """x_hat must be distributed as the forward process is at the noisier time: alpha x0 shrinks, noise adds up."""
    climb = churned(lambda denoiser, x, t, s, generator: torch.stack([x, torch.full_like(x, t)]), 0.3)
    denoiser, (alpha, sigma) = knows(schedule)
    x = alpha * 0.7 + sigma * torch.randn(40_000, 1, dtype=torch.float64, generator=seed(1))
    x_hat, up = climb(denoiser, x, 0.6, 0.5, generator=seed())
    alpha_up, sigma_up = evaluate(schedule, float(up[0]))
    assert_close(sigma_up / alpha_up, 1.3 * sigma / alpha)
    assert abs(float(x_hat.mean()) - alpha_up * 0.7) < 4 * sigma_up / 200
    assert abs(float(x_hat.std()) / sigma_up - 1) < 4 / math.sqrt(80_000)


def test_churn_only_where_it_was_asked_for():
    """The window is one of noise-to-signal ratios, both ends included, on every path."""
    for schedule in (edm, cosine):
        denoiser = of_gaussian(MEAN, STD, schedule)
        alpha, sigma = evaluate(schedule, 0.6)
        ratio = sigma / alpha
        plain = ddim_step(denoiser, X, 0.6, 0.5)
        for low, high, inside in (
            (1.01 * ratio, 9.0, False),
            (0.0, 0.99 * ratio, False),
            (0.99 * ratio, 1.01 * ratio, True),
        ):
            got = churned(ddim_step, 0.4, low=low, high=high)(denoiser, X, 0.6, 0.5, generator=seed())
            assert torch.equal(got, plain) is not inside
    for low, high in ((2.0, 9.0), (0.1, 2.0)):  # exactly at an end
        got = churned(ddim_step, 0.4, low=low, high=high)(of_gaussian(MEAN, STD, edm), X, 2.0, 1.0, generator=seed())
        assert not torch.equal(got, ddim_step(of_gaussian(MEAN, STD, edm), X, 2.0, 1.0))


def test_no_solver_adds_noise_to_the_data():
    denoiser = of_gaussian(0.25, 0.0, cosine)  # one point: the last guess is the point, whatever came before
    for step in (sde_step, dpm_solver_2m(1.0), churned(ddim_step, 0.1), corrected(ddpm_step)):
        want = (0.25 * torch.ones_like(X)) if step is not sde_step else euler_like(denoiser)
        assert_close(step(denoiser, X, 0.2, 0.0, generator=seed()), want)


def euler_like(denoiser):
    alpha, sigma = evaluate(cosine, 0.2)
    d_alpha, d_sigma = -math.pi / 2 * sigma, math.pi / 2 * alpha
    x0, eps = denoiser(X, 0.2)
    return X - 0.2 * (d_alpha * x0 + (2 * d_sigma - d_alpha / alpha * sigma) * eps)


def test_the_reverse_sde_says_where_it_has_no_drift():
    with pytest.raises(ValueError, match="no signal is left"):
        sde_step(of_gaussian(MEAN, STD, cosine), X, 1.0, 0.9)
    with pytest.raises(ValueError, match="towards more noise"):
        sde_step(of_gaussian(MEAN, STD, cosine), X, 0.5, 0.9)
