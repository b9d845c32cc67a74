"""Schedules against the papers' own notation, numerical integration, and a thousand-step chain."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from minidiff.notation import index_times
from minidiff.schedules import (
    SCHEDULES,
    angle,
    at,
    cosine,
    edm,
    evaluate,
    flow,
    from_betas,
    karras_times,
    linear_beta,
    log_snr,
    log_snr_times,
    quadratic_beta,
    rates,
    shifted_times,
    sigmoid,
    start,
    t_max,
    time_at,
    uniform_times,
    zero_snr,
)

T = torch.linspace(0, 1, 201, dtype=torch.float64)
INSIDE = T[1:-1]
DDPM = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)


@pytest.mark.parametrize("schedule", [linear_beta, quadratic_beta, cosine, sigmoid, from_betas(DDPM)])
def test_variance_is_preserved(schedule):
    alpha, sigma = schedule(T)
    assert_close(alpha**2 + sigma**2, torch.ones_like(T), rtol=0, atol=1e-12)


@pytest.mark.parametrize("schedule", [*SCHEDULES.values(), from_betas(DDPM)])
def test_data_at_zero_noise_later_and_never_back(schedule):
    alpha, sigma = evaluate(schedule, 0.0)
    assert_close((alpha, sigma), (1.0, 0.0), rtol=0, atol=1e-7)
    assert (log_snr(schedule, INSIDE).diff() < 0).all()
    assert (angle(*schedule(T)).diff() > 0).all()


@pytest.mark.parametrize("schedule, beta", [
    (linear_beta, lambda t: 0.1 + t * (20 - 0.1)),
    (quadratic_beta, lambda t: (math.sqrt(0.1) + t * (math.sqrt(20) - math.sqrt(0.1))) ** 2),
])  # fmt: skip
def test_alpha_is_the_exponential_of_minus_half_the_integral_of_beta(schedule, beta):
    for t in (0.1, 0.5, 1.0):
        grid = torch.linspace(0, t, 20_001, dtype=torch.float64)
        assert_close(
            evaluate(schedule, t)[0], math.exp(-0.5 * float(torch.trapezoid(beta(grid), grid))), rtol=1e-7, atol=0
        )


def test_cosine_is_nichol_and_dhariwal_without_offset():
    for t in (0.0, 0.3, 0.9):
        assert_close(evaluate(cosine, t)[0] ** 2, math.cos(math.pi * t / 2) ** 2)


def test_sigmoid_is_chen_algorithm():
    def gamma(t, start=-3, end=3):  # gamma(t) as the paper prints it
        squash = lambda z: 1 / (1 + math.exp(-z))
        return (squash(end) - squash(t * (end - start) + start)) / (squash(end) - squash(start))

    for t in (0.0, 0.2, 0.5, 0.99, 1.0):
        assert_close(evaluate(sigmoid, t)[0] ** 2, gamma(t), rtol=1e-12, atol=1e-12)


def test_thousand_step_chain_is_the_closed_form():
    """q(x_t | x_{t-1}) = N(sqrt(1 - beta) x, beta), a thousand times: follow the mean and the variance by hand."""
    alpha, sigma = from_betas(DDPM)(torch.arange(1, 1001, dtype=torch.float64) / 1000)
    mean, variance = 1.0, 0.0
    for k, beta in enumerate(DDPM.tolist()):
        mean, variance = math.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        assert_close((float(alpha[k]), float(sigma[k]) ** 2), (mean, variance), rtol=1e-12, atol=1e-12)
    assert abs(mean**2 - 4.04e-5) < 0.005e-5  # DDPM's last alpha-bar


@pytest.mark.parametrize("total", [1000, 4000])
def test_table_entries_are_hit_from_float32_times_too(total):
    betas = torch.linspace(1e-4, 0.02, total, dtype=torch.float64)
    table, bar = from_betas(betas), torch.cumprod(1 - betas, 0)
    for dtype, rtol in (
        (torch.float32, 6e-8),
        (torch.float64, 1e-11),
    ):  # 2^-24 is one rounding; beside an entry it is 6e-7
        t = torch.arange(1, total + 1, dtype=dtype) / total
        assert_close(table(t)[0].double(), bar.sqrt(), rtol=rtol, atol=1e-45)


@pytest.mark.parametrize("share", [0.125, 0.5, 0.75])
def test_table_is_log_linear_between_entries(share):
    table, bar = from_betas(DDPM), torch.cumprod(1 - DDPM, 0)
    t, want = (500 + share) / 1000, float(bar[499] ** (1 - share) * bar[500] ** share)
    assert_close(evaluate(table, t)[0] ** 2, want, rtol=1e-12, atol=0)


class Elsewhere(torch.Tensor):
    """Stands in for a tensor on a GPU: it does not mix with the CPU's, and .cpu() brings it back."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.Tensor.cpu:
            return args[0].as_subclass(torch.Tensor)
        if func is not torch.Tensor.to and any(type(a) is torch.Tensor and a.ndim for a in args):
            raise RuntimeError("two devices")
        return super().__torch_function__(func, types, args, kwargs or {})


def test_tables_answer_times_and_betas_from_a_gpu():
    want = from_betas(DDPM)(T)
    assert_close([c.cpu() for c in from_betas(DDPM)(T.as_subclass(Elsewhere))], list(want))
    assert_close(from_betas(DDPM.as_subclass(Elsewhere))(T), want)


def test_tables_compute_in_float64_whatever_they_are_given():
    table, single = from_betas(DDPM.float().double()), from_betas(DDPM.float())
    assert evaluate(single, 0.5) == evaluate(table, 0.5)
    t = torch.linspace(0.1, 0.9, 1001)
    assert_close(table(t)[0], table(t.double())[0].float(), rtol=1.2e-7, atol=0)  # one rounding, at the end


@pytest.mark.parametrize("betas", [[], [0.0, 0.1], [1.0, 0.1], [0.1, 1.1], [[0.1]], [float("nan")]])
def test_bad_tables_are_refused(betas):
    with pytest.raises(ValueError, match="betas must be"):
        from_betas(torch.tensor(betas))


def test_no_signal_is_left_at_the_end_of_a_rescaled_table():
    """Lin et al. 2024, Section 3.1: sqrt(alpha-bar) shifted to end in 0, scaled to begin as it did."""
    before, after = from_betas(DDPM), from_betas(zero_snr(DDPM))
    times = torch.arange(1, len(DDPM) + 1, dtype=torch.float64) / len(DDPM)
    (old, _), (new, noise) = before(times), after(times)
    assert float(new[-1]) < 1e-17 and float(noise[-1]) == 1.0
    assert_close(new[0], old[0])
    line = (old[0] - old) / (old[0] - old[-1])  # how far down, of the whole way
    assert_close((new[0] - new) / new[0], line)
    assert_close(zero_snr(zero_snr(DDPM)), zero_snr(DDPM))
    with pytest.raises(ValueError, match="betas must be 2 or more"):
        zero_snr(torch.tensor([0.1]))


def test_a_shift_multiplies_the_ratio_of_noise_to_signal():
    times, shifted = uniform_times(10), shifted_times(10, 3.0)
    assert shifted[0] == 1 and shifted[-1] == 0
    ratio = lambda t: (t / (1 - t))[1:-1]
    assert_close(ratio(shifted), 3 * ratio(times))
    assert_close(shifted_times(7, 1.0, 0.9, 0.1), uniform_times(7, 0.9, 0.1))
    for wrong in ({"shift": 0}, {"start": 1.5}):
        with pytest.raises(ValueError, match="a shift must be above 0|start must lie"):
            shifted_times(4, **wrong)


def test_edm_and_flow():
    assert evaluate(edm, 80.0) == (1.0, 80.0) and t_max(edm) == 80.0
    assert evaluate(flow, 0.25) == (0.75, 0.25) and t_max(flow) == 1.0


@pytest.mark.parametrize("schedule", [*SCHEDULES.values(), from_betas(DDPM)])
def test_rates_are_the_slopes_of_the_curves(schedule):
    t, h = torch.linspace(0.0503, 0.9503, 10, dtype=torch.float64), 1e-5  # between the entries of a table
    with torch.no_grad():
        got = rates(schedule, t)
    for slope, later, earlier in zip(got, schedule(t + h), schedule(t - h), strict=False):
        assert_close(slope, (later - earlier) / (2 * h), rtol=1e-6, atol=1e-9)


def test_rates_at_an_entry_of_a_table_are_not_lost():
    t = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    beta = 0.1 + t * (
        20 - 0.1
    )  # the slope of log alpha is -beta / 2 (Song et al. 2021), to the coarseness of the table
    assert_close(rates(from_betas(DDPM), t)[0] / from_betas(DDPM)(t)[0], -beta / 2, rtol=0.02, atol=0)


def test_rates_in_inference_mode():
    with torch.inference_mode():
        assert_close(rates(flow, torch.tensor([0.2, 0.7])), (torch.full((2,), -1.0), torch.full((2,), 1.0)))


def test_rates_are_finite_at_the_ends_where_the_path_is_smooth():
    """On the cosine path (-pi/2 sin, pi/2 cos) of the quarter turn, at the very ends too."""
    d_alpha, d_sigma = rates(cosine, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert_close(d_alpha, torch.tensor([0, -math.pi / 2], dtype=torch.float64))
    assert_close(d_sigma, torch.tensor([math.pi / 2, 0], dtype=torch.float64))


def test_log_snr_is_that_of_the_variances_and_infinite_at_the_ends():
    assert_close(
        log_snr(flow, torch.tensor([0.0, 0.2, 0.5, 1.0])), torch.tensor([math.inf, math.log(16), 0, -math.inf])
    )


@pytest.mark.parametrize("schedule", [linear_beta, quadratic_beta, cosine, sigmoid, from_betas(DDPM)])
def test_no_rounding_makes_the_ends_imaginary(schedule):
    for dtype in (torch.float32, torch.float64):
        close = torch.cat([torch.logspace(-9, -1, 400), torch.zeros(1)]).to(dtype)
        for t in (close, 1 - close):
            assert all(c.isfinite().all() for c in schedule(t))


def test_angle_is_the_quarter_turn_of_the_cosine_path():
    assert_close(angle(*cosine(T)), T, rtol=0, atol=1e-12)
    assert_close([angle(1.0, 1.0), angle(1.0, 0.0), angle(math.sqrt(3), 1.0)], [0.5, 0.0, 1 / 3])


def test_at_broadcasts_times_over_images():
    x, t = torch.zeros(3, 1, 4, 4), torch.tensor([0.1, 0.5, 0.9])
    alpha, sigma = at(flow, t, x)
    assert_close((alpha * torch.ones_like(x))[:, 0, 2, 2], 1 - t)
    assert alpha.shape == sigma.shape == (3, 1, 1, 1)
    assert at(flow, 0.25, x) == (0.75, 0.25)
    assert_close(at(flow, torch.tensor(0.25), x)[0], torch.tensor(0.75))
    assert_close(at(flow, torch.tensor([0.25]), x)[0], torch.full((1, 1, 1, 1), 0.75))
    for t in (torch.rand(2), torch.rand(3, 1), torch.rand(3, 1, 1)):
        with pytest.raises(ValueError, match="t must be"):
            at(flow, t, x)


def test_times():
    assert_close(uniform_times(4), torch.tensor([1, 0.75, 0.5, 0.25, 0], dtype=torch.float64))
    assert uniform_times(1, 0.9, 0.1).tolist() == [0.9, 0.1]
    with pytest.raises(ValueError, match="steps"):
        uniform_times(0)


@pytest.mark.parametrize("schedule", [*SCHEDULES.values(), from_betas(DDPM)])
def test_time_at_undoes_the_angle(schedule):
    for t in (0.0, 1e-3, 0.25, 0.7, 0.999, t_max(schedule)):
        assert_close(
            time_at(schedule, float(angle(*evaluate(schedule, t)))), t, rtol=1e-9, atol=1.1e-7
        )  # a table's entries


def test_time_at_finds_the_entries_of_a_table():
    """Whatever rounding makes of the wanted angle: beside an entry, the nearest time may lie on either side of a gap."""
    table, bar = from_betas(DDPM), torch.cumprod(1 - DDPM, 0)
    for k in range(9, 1000, 45):
        ratio = math.sqrt((1 - float(bar[k])) / float(bar[k]))
        for nudge in (1 - 1e-14, 1.0, 1 + 1e-14):
            alpha, sigma = evaluate(table, time_at(table, angle(1.0, ratio * nudge)))
            assert_close(sigma / alpha, ratio, rtol=1e-11, atol=0)
    assert evaluate(table, time_at(table, angle(1.0, ratio * (1 + 1e-5)))) == evaluate(table, 1.0)  # of a float32 table


def test_time_at_in_closed_form():
    assert_close(time_at(cosine, 0.3), 0.3, rtol=1e-12, atol=0)
    assert_close(time_at(edm, 0.5), 1.0, rtol=1e-12, atol=0)
    assert_close(time_at(flow, angle(1.0, 3.0)), 0.75, rtol=1e-12, atol=0)
    assert_close(time_at(edm, angle(1.0, 200.0)), 200.0, rtol=1e-9, atol=0)  # churn climbs above 80


@pytest.mark.parametrize(
    "schedule, wanted", [(linear_beta, 1.0), (cosine, 1.2), (cosine, -0.1), (edm, 1.0), (flow, math.nan)]
)
def test_a_noise_level_that_a_path_never_reaches_is_refused(schedule, wanted):
    with pytest.raises(ValueError, match="noise angle goes from 0 to"):
        time_at(schedule, wanted)


@pytest.mark.parametrize("schedule", [cosine, linear_beta, flow, from_betas(DDPM)])
def test_karras_times_are_the_same_noise_levels_on_every_path(schedule):
    times = karras_times(9, 0.02, 40.0, schedule=schedule)
    alpha, sigma = schedule(times)
    assert_close(sigma / alpha, karras_times(9, 0.02, 40.0), rtol=1e-6, atol=0)
    with pytest.raises(ValueError, match="begin with less noise"):
        karras_times(9, high=1e9, schedule=from_betas(DDPM))


def test_karras_times_in_the_papers_notation():
    """Karras et al. 2022, Eq. 5, with N = 18, and sigma_N = 0."""
    want = [(80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(18)] + [0.0]
    assert_close(karras_times(18), torch.tensor(want, dtype=torch.float64), rtol=1e-12, atol=0)


@pytest.mark.parametrize("schedule", [*SCHEDULES.values(), from_betas(DDPM)])
def test_log_snr_times_are_evenly_spaced_in_log_snr(schedule):
    times = log_snr_times(schedule, 9, 0.9, 0.01)
    assert_close(times[[0, 8, 9]], torch.tensor([0.9, 0.01, 0.0], dtype=torch.float64), rtol=1e-6, atol=1.1e-7)
    gaps = log_snr(schedule, times[:-1]).diff()
    assert_close(gaps, torch.full_like(gaps, gaps.mean()), rtol=1e-4, atol=0)  # a table's entries are 2e-7 wide


@pytest.mark.parametrize("first, final", [(1.0, 0.01), (0.9, 0.0), (0.1, 0.9)])
def test_log_snr_times_need_signal_and_noise_at_both_ends(first, final):
    with pytest.raises(ValueError, match="log SNR must rise"):
        log_snr_times(flow, 5, first, final)


def test_index_times_are_those_that_lin_et_al_list():
    """Lin et al. 2024, Table 2: ten of a thousand indices (counted from 0 here)."""
    index = lambda *args, **kw: [round(k, 6) for k in (index_times(*args, **kw) * 1000 - 1).tolist()]
    assert index(10, "leading") == [900, 800, 700, 600, 500, 400, 300, 200, 100, 0, -1]
    assert index(10, "leading", offset=1) == [901, 801, 701, 601, 501, 401, 301, 201, 101, 1, -1]
    assert index(10, "trailing") == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99, -1]
    assert index(10, "linspace") == [999, 888, 777, 666, 555, 444, 333, 222, 111, 0, -1]
    assert index(3, "trailing") == [999, 666, 332, -1]
    assert index(12, "linspace") == [
        999,
        908,
        817,
        727,
        636,
        545,
        454,
        363,
        272,
        182,
        91,
        0,
        -1,
    ]  # 999 / 11 = 90.818...
    for steps in (7, 15, 47):  # where a half goes to the even one, as in diffusers
        assert index(steps, "linspace") == [*np.linspace(0, 999, steps).round()[::-1], -1]
    assert index(1, "linspace") == [999, -1]
    for spacing in ("leading", "trailing", "linspace"):
        assert index(1000, spacing) == list(range(999, -2, -1))


@pytest.mark.parametrize("steps, spacing", [(0, "leading"), (1001, "leading"), (10, "uniform")])
def test_bad_index_times_are_refused(steps, spacing):
    with pytest.raises(ValueError, match="spacing must be one of|steps must be"):
        index_times(steps, spacing)


def test_start_has_the_spread_of_its_time_and_only_the_seed_decides():
    draw = lambda seed: start(edm, 80.0, (20_000,), torch.Generator().manual_seed(seed))
    assert abs(float(draw(0).std()) / 80 - 1) < 0.02  # 4 standard errors of 20,000 draws
    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))
