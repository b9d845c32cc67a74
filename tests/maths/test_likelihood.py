"""Likelihoods against closed forms: mixtures, linear flows, whole numbers that are uniform."""

import math

import pytest
import torch
from torch.testing import assert_close

from minidiff.estimates import Estimate
from minidiff.exact import of_gaussian, of_mixture
from minidiff.likelihood import _chain, _flow, bits_per_dim, elbo, log_prob
from minidiff.predictions import Denoiser, Prediction
from minidiff.schedules import cosine, edm, evaluate, flow, karras_times, linear_beta, log_snr_times, uniform_times

MEANS = torch.tensor([[-1.05, -0.7], [0.45, 0.3]], dtype=torch.float64)  # of mean 0, as standardised data is
STDS, WEIGHTS = torch.tensor([0.3, 0.5], dtype=torch.float64), torch.tensor([0.3, 0.7], dtype=torch.float64)


def seed(value=7):
    return torch.Generator().manual_seed(value)


def points(n):
    k = torch.multinomial(WEIGHTS, n, replacement=True, generator=seed())
    return MEANS[k] + STDS[k, None] * torch.randn(n, 2, dtype=torch.float64, generator=seed(1))


def truth(x):
    parts = torch.distributions.MultivariateNormal(MEANS, torch.diag_embed(STDS[:, None].expand(2, 2) ** 2))
    return torch.logsumexp(WEIGHTS.log() + parts.log_prob(x[:, None]), 1)


def mixture(schedule):
    return of_mixture(MEANS, STDS, WEIGHTS, schedule)


@pytest.mark.parametrize("schedule, times", [
    (cosine, uniform_times(40)),
    (flow, uniform_times(40)),
    (edm, karras_times(60)),
    (linear_beta, uniform_times(60, 1.0, 1e-5)),
], ids=["cosine", "flow", "edm", "linear_beta"])  # fmt: skip
def test_log_p_of_a_mixture(schedule, times):
    x = points(2000)
    got = log_prob(mixture(schedule), x, times)
    assert_close(got.value, truth(x), rtol=0, atol=1e-3)
    assert float(got.error.abs().max()) == 0


@pytest.mark.parametrize("end", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("dims", [1, 3])
def test_a_trajectory_that_ends_early_counts_how_x_was_shrunk(dims, end):
    """Unit Gaussian data on a variance-preserving path stay that: p(x) is N(alpha x; 0, 1) times alpha per coordinate."""
    x = torch.linspace(-2, 2, 5 * dims, dtype=torch.float64).reshape(5, dims)
    alpha = math.cos(math.pi / 2 * end)
    want = torch.distributions.Normal(0, 1).log_prob(alpha * x).sum(1) + dims * math.log(alpha)
    assert_close(log_prob(of_gaussian(0.0, 1.0, cosine), x, uniform_times(20, 1.0, end)).value, want)


def test_images_are_points_of_another_shape():
    x = points(8)
    want = log_prob(mixture(cosine), x, uniform_times(20)).value
    images = of_mixture(MEANS.reshape(2, 1, 2, 1), STDS, WEIGHTS, cosine)
    assert_close(log_prob(images, x.reshape(8, 1, 2, 1), uniform_times(20)).value, want)


@pytest.mark.slow
def test_hutchinson_is_unbiased_and_its_variance_falls_as_one_over_n():
    x = points(100)
    exact = log_prob(mixture(cosine), x, uniform_times(12)).value
    spreads = []
    for probes in (16, 64):
        got = log_prob(mixture(cosine), x, uniform_times(12), probes=probes, generator=seed())
        z = (got.value - exact) / got.error
        assert abs(float(z.mean())) < 3 / math.sqrt(len(x)) and 0.7 < float(z.std()) < 1.4
        spreads.append(float(got.error.square().mean()))
    assert 3 < spreads[0] / spreads[1] < 5.3  # 4


def test_hutchinson_is_exact_where_coordinates_do_not_mix():
    """Rademacher probes: z' J z = trace J for a diagonal J, as on a product of Gaussians."""
    denoiser, x = of_gaussian(0.2, 0.7, cosine), points(10)
    got = log_prob(denoiser, x, uniform_times(20), probes=2, generator=seed())
    assert_close(got.value, log_prob(denoiser, x, uniform_times(20)).value)
    assert float(got.error.max()) < 1e-12


def test_probes_come_from_the_generator():
    x = points(5)
    run = lambda k: log_prob(mixture(cosine), x, uniform_times(5), probes=3, generator=seed(k)).value
    assert torch.equal(run(0), run(0)) and not torch.equal(run(0), run(1))
    for probes in (1, -2):
        with pytest.raises(ValueError, match="probes must be 0"):
            log_prob(mixture(cosine), x, uniform_times(5), probes=probes)


def test_times_keep_their_digits():
    x, times = points(3), [1.0, 0.7, 0.3, 0.0]  # a list of numbers would be float32 to torch
    want = log_prob(mixture(cosine), x, torch.tensor(times, dtype=torch.float64))
    assert torch.equal(log_prob(mixture(cosine), x, times).value, want.value)
    chain = [0.95, 0.7, 0.3, 0.0]
    want = elbo(mixture(cosine), x, torch.tensor(chain, dtype=torch.float64), generator=seed())
    assert torch.equal(elbo(mixture(cosine), x, chain, generator=seed()).value, want.value)


def test_no_graph_is_left_behind():
    with torch.no_grad():
        got = log_prob(mixture(cosine), points(3).requires_grad_(), uniform_times(4))
    assert not got.value.requires_grad


@pytest.mark.slow
def test_the_elbo_of_the_exact_denoiser_lies_below_log_p_and_closes():
    x = points(500)
    gaps = []
    for steps in (100, 400):
        got = elbo(mixture(cosine), x, log_snr_times(cosine, steps, 0.95, 0.03), draws=4, generator=seed())
        gap = truth(x) - got.value
        gaps.append(float(gap.mean()))
        assert gaps[-1] > -3 * float(gap.std()) / math.sqrt(len(x))
    assert 3 < gaps[0] / gaps[1] < 5.5  # the gap is of first order in the step
    assert gaps[1] < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("stops", [[0.9, 0.6, 0.4, 0.3], [0.5, 0.4, 0.3]], ids=["from noise", "from half way"])
def test_the_elbo_on_one_gaussian_is_what_its_terms_say(stops):
    """Data N(0, 1) on the cosine path: the guess is alpha x_t, so every expectation over the noise is known."""
    x = torch.tensor([[-1.0], [0.5], [2.0]], dtype=torch.float64)
    levels = [evaluate(cosine, t) for t in stops]
    square = [s**4 * x[:, 0] ** 2 + (a * s) ** 2 for a, s in levels]  # E (x - a (a x + s eps))^2, as 1 - a^2 = s^2
    snr = [(a / s) ** 2 for a, s in levels]
    (a, s), last = levels[0], levels[-1][1] ** 2 / levels[-1][0] ** 2
    want = -0.5 * (a**2 * x[:, 0] ** 2 + s**2 - 1 - math.log(s**2))
    want = want - sum(0.5 * (snr[i + 1] - snr[i]) * square[i] for i in range(len(stops) - 1))
    want = want - 0.5 * square[-1] / last - 0.5 * math.log(2 * math.pi * last)
    got = elbo(of_gaussian(0.0, 1.0, cosine), x, torch.tensor([*stops, 0.0]), draws=4000, generator=seed())
    assert ((got.value - want).abs() < 4 * got.error).all()
    assert float(got.error.max()) < 0.05


def test_one_sample_is_a_batch_too():
    x, times = points(3), uniform_times(6)
    assert_close(log_prob(mixture(cosine), x[:1], times).value, log_prob(mixture(cosine), x, times).value[:1])
    assert elbo(mixture(cosine), x[:1], log_snr_times(cosine, 6, 0.9, 0.1), generator=seed()).value.shape == (1,)


def test_everything_is_computed_where_the_samples_are():
    x, stops, denoiser = points(3), [0.9, 0.5, 0.1], mixture(cosine)
    want = (
        _flow(denoiser, [], x, 0.5)[1],
        _chain(denoiser, x, stops, seed()),
    )  # and the times are remembered from here on
    with torch.device("meta"):  # another default device, whose tensors hold no numbers
        assert_close((_flow(denoiser, [], x, 0.5)[1], _chain(denoiser, x, stops, seed())), want)


def test_a_worse_denoiser_has_a_lower_elbo():
    x = points(300)
    good = mixture(cosine)
    bad = Denoiser(cosine, lambda x_t, t: Prediction(0.9 * good(x_t, t).x0, good(x_t, t).eps))
    first, second = (
        elbo(d, x, log_snr_times(cosine, 60, 0.95, 0.03), draws=2, generator=seed()).value for d in (good, bad)
    )
    assert float((first - second).mean()) > 1


@pytest.mark.parametrize("times, draws, match", [
    (uniform_times(5, 0.9, 0.1), 2, "end in 0"),
    (uniform_times(1, 0.9, 0.0), 2, "at least two"),
    (uniform_times(5, 0.9, 0.0), 1, "draws"),
])  # fmt: skip
def test_bad_chains_are_refused(times, draws, match):
    with pytest.raises(ValueError, match=match):
        elbo(mixture(cosine), points(2), times, draws=draws)


def test_uniform_bytes_cost_eight_bits():
    """Bytes with uniform noise have density 1/256; as x = (byte / 255 - shift) / scale that is 255 scale / 256."""
    scale, dims = 0.37, 64
    log_p = torch.full((3,), dims * math.log(255 * scale / 256), dtype=torch.float64)
    bits = bits_per_dim(Estimate(log_p, torch.full_like(log_p, dims * math.log(2))), dims, unit=255 * scale)
    assert_close(bits.value, torch.full_like(log_p, 8.0), rtol=1e-12, atol=0)
    assert_close(bits.error, torch.ones_like(log_p))
