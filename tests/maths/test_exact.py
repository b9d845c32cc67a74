"""Exact denoisers against Bayes' rule on a grid and against brute force."""

import math

import pytest
import torch
from torch.testing import assert_close

from minidiff import exact
from minidiff.exact import of_gaussian, of_mixture, of_points
from minidiff.schedules import cosine, edm, evaluate, flow, linear_beta

GRID = torch.linspace(-12, 12, 48_001, dtype=torch.float64)
X_T = torch.tensor([[-1.7], [0.0], [0.6], [2.5]], dtype=torch.float64)
SCHEDULES = [linear_beta, cosine, flow, edm]


def bayes(prior, x_t, schedule, t):
    """The posterior mean by numerical integration: prior density on a grid times the likelihood of x_t."""
    alpha, sigma = evaluate(schedule, t)
    likelihood = torch.distributions.Normal(alpha * GRID, sigma).log_prob(x_t).exp()  # (B, grid)
    weight = prior * likelihood
    return (weight @ GRID / weight.sum(-1))[:, None]


def normal(mean, std):
    return torch.distributions.Normal(mean, std).log_prob(GRID).exp()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_gaussian_is_bayes_on_a_grid(schedule, t):
    got = of_gaussian(0.7, 0.5, schedule)(X_T, t).x0
    assert_close(got, bayes(normal(0.7, 0.5), X_T, schedule, t), rtol=1e-8, atol=1e-8)


MEANS, STDS, WEIGHTS = (
    torch.tensor(v, dtype=torch.float64) for v in ([[-2.0], [1.0], [1.5]], [0.3, 0.6, 0.1], [1, 2, 1])
)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_mixture_is_bayes_on_a_grid(schedule, t):
    prior = sum(w / 4 * normal(float(m), s) for m, s, w in zip(MEANS, STDS, WEIGHTS, strict=True))
    got = of_mixture(MEANS, STDS, WEIGHTS, schedule)(X_T, t).x0
    assert_close(got, bayes(prior, X_T, schedule, t), rtol=1e-7, atol=1e-7)


def test_mixture_in_two_dimensions_is_the_weighted_sum_of_its_parts():
    means = torch.tensor([[-1.0, 2.0], [0.5, 0.0]], dtype=torch.float64)
    x_t, (alpha, sigma) = torch.randn(5, 2, dtype=torch.float64), evaluate(cosine, 0.4)
    stds, weights = torch.tensor([0.5, 1.5], dtype=torch.float64), torch.tensor([0.3, 0.7], dtype=torch.float64)
    joint = []
    for m, s, w in zip(means, stds, weights, strict=True):
        marginal = torch.distributions.MultivariateNormal(
            alpha * m, (alpha**2 * s**2 + sigma**2) * torch.eye(2).double()
        )
        joint.append(w.log() + marginal.log_prob(x_t))
    share = torch.stack(joint, 1).softmax(1)
    want = sum(share[:, k, None] * of_gaussian(means[k], stds[k], cosine)(x_t, 0.4).x0 for k in range(2))
    mixture = of_mixture(means, stds, weights, cosine)
    assert_close(mixture(x_t, 0.4).x0, want)
    assert_close(mixture(x_t, 0.4, y=1).x0, of_gaussian(means[1], stds[1], cosine)(x_t, 0.4).x0)
    assert_close(mixture(x_t, 0.4, y=2).x0, want)  # the null label
    assert_close(mixture(x_t, torch.full((5,), 0.4, dtype=torch.float64)).x0, want)


POINTS = torch.randn(50, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(50) % 3


def brute(x_t, t, points=POINTS):
    alpha, sigma = evaluate(cosine, t)
    weight = torch.stack([torch.exp(-((x_t - alpha * p) ** 2).sum((1, 2)) / (2 * sigma**2)) for p in points])
    return torch.einsum("nb,nij->bij", weight / weight.sum(0), points)


@pytest.mark.parametrize("t", [0.2, 0.8])
def test_points_are_a_weighted_average(t, monkeypatch):
    x_t = torch.randn(7, 2, 3, dtype=torch.float64)
    denoiser, y = of_points(POINTS, cosine, LABELS), torch.tensor([0, 1, 2, 0, 3, 1, 3])
    each = torch.full((7,), t, dtype=torch.float64)
    want = torch.cat([brute(x[None], t, POINTS[(k == LABELS) | (k == 3)]) for x, k in zip(x_t, y, strict=True)])
    for chunk in (2**24, 50 * 3, 1):  # all at once, three rows at a time, one row at a time
        monkeypatch.setattr("minidiff.exact.CHUNK", chunk)
        denoiser = of_points(POINTS, cosine, LABELS)
        assert_close(denoiser(x_t, t).x0, brute(x_t, t))
        assert_close(denoiser(x_t, each).x0, brute(x_t, t))
        assert_close(denoiser(x_t, t, y=y).x0, want)
        assert_close(denoiser(x_t, each, y=y).x0, want)
        assert_close(denoiser(x_t, t, y=1).x0, brute(x_t, t, POINTS[LABELS == 1]))


def test_no_more_distances_are_held_at_a_time_than_chunk(monkeypatch):
    seen = []
    distances = exact._distances
    monkeypatch.setattr(
        exact, "_distances", lambda x, points, alpha: seen.append(len(x)) or distances(x, points, alpha)
    )
    for chunk in (4 * 50 + 49, 1):
        monkeypatch.setattr(exact, "CHUNK", chunk)
        of_points(POINTS, cosine)(POINTS[:7], 0.5)
    assert seen == [4, 3] + [1] * 7  # rows of 50 distances each; one row has to be


def test_labels_are_compared_where_the_data_lives():
    x_t, stds = torch.randn(4, 1, dtype=torch.float64), torch.full((3,), 0.5, dtype=torch.float64)
    mixture, points = of_mixture(MEANS, stds, WEIGHTS, cosine), of_points(POINTS, cosine, LABELS)
    with torch.device("meta"):  # another default device, whose tensors hold no numbers
        got = of_mixture(MEANS, stds, WEIGHTS, cosine)(x_t, 0.5, y=1).x0, points(POINTS[:2], 0.5, y=1).x0
    assert_close(got, (mixture(x_t, 0.5, y=1).x0, points(POINTS[:2], 0.5, y=1).x0))


def test_distances_survive_a_large_offset():
    """Forty points 1e-3 apart, 1,000 from the origin, in float32: the expanded square would see nothing but rounding."""
    points = 1000 + 1e-3 * torch.arange(40.0)[:, None]
    _, sigma = evaluate(edm, 5e-4)
    exactly = points.double()  # as float32 stores them
    want = torch.softmax(-((exactly - exactly.T) ** 2) / (2 * sigma**2), 1) @ exactly
    for t in (5e-4, torch.full((40,), 5e-4)):  # one time for all, or one each
        got = of_points(points, edm)(points, t).x0.double()
        assert_close(got - 1000, want - 1000, rtol=0, atol=3.1e-4)  # five float32 ulps there; by expansion it is 300


def test_little_noise_returns_the_point_itself():
    x_t = evaluate(cosine, 0.01)[0] * POINTS + 0.001
    assert_close(of_points(POINTS, cosine)(x_t, 0.01).x0, POINTS)


@pytest.mark.parametrize("denoiser", [
    of_gaussian(0.0, 0.0, cosine),
    of_points(torch.zeros(1, 3), cosine),
    of_mixture(torch.zeros(1, 3), torch.zeros(1), torch.ones(1), cosine),
])  # fmt: skip
def test_one_point_has_one_answer_and_the_rest_is_noise(denoiser):
    x_t = torch.randn(4, 3)
    assert_close(denoiser(x_t, 0.5).x0, torch.zeros(4, 3))
    assert_close(denoiser(x_t, 0.5).eps, x_t / math.sin(math.pi / 4))
    assert_close(denoiser(x_t, 0.0).x0, x_t)


def test_nonsense_is_refused():
    for std in (-1.0, torch.tensor([1.0, -1.0])):
        with pytest.raises(ValueError, match="negative"):
            of_gaussian(0.0, std, cosine)
    for stds, weights in ((STDS[:2], WEIGHTS), (STDS[:2], WEIGHTS[:2]), (STDS - 0.2, WEIGHTS), (STDS, WEIGHTS - 1)):
        with pytest.raises(ValueError, match="mixture of K"):
            of_mixture(MEANS, stds, weights, cosine)
    for points, labels in ((torch.zeros(0, 2), None), (POINTS, LABELS[:49])):
        with pytest.raises(ValueError, match="N >= 1"):
            of_points(points, cosine, labels)
    for y in (4, -1, torch.tensor([0, 4]), torch.tensor([-1, 0])):
        with pytest.raises(ValueError, match="0 to 3"):
            of_points(POINTS, cosine, LABELS)(POINTS[:2], 0.5, y=y)
    with pytest.raises(ValueError, match="without labels"):
        of_points(POINTS, cosine)(POINTS[:2], 0.5, y=1)
