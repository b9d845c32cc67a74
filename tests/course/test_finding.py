"""What notebook 16 compares with: the exact law of a hidden number, a Gaussian and a regression that fill holes."""

import math

import pytest
import torch
from torch.testing import assert_close

from minidiff.course.tasks import finding_and_filling as tasks
from minidiff.data import Mixture

CLOUDS = Mixture(
    torch.tensor([[-1.3, -0.9], [0.0, -1.0], [0.0, 1.0], [1.3, 0.9]], dtype=torch.float64),
    torch.tensor([0.25, 0.2, 0.3, 0.4], dtype=torch.float64),
    torch.tensor([0.3, 0.2, 0.1, 0.4], dtype=torch.float64),
)


def dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_law_of_a_hidden_number_is_bayes_on_a_grid():
    """The joint density along a line, normalised: its distribution function is uniform at exact draws."""
    grid = torch.linspace(-4, 4, 4_001, dtype=torch.float64)
    for first in (-0.9, -0.1, 0.4):
        line = torch.stack([torch.full_like(grid, first), grid], 1)
        mass = CLOUDS.log_prob(line).exp()
        below = mass.cumsum(0) / mass.sum()
        draws = tasks.exact(CLOUDS, torch.tensor([first], dtype=torch.float64), 4_000, dice(0))[:, 0]
        levels = below[torch.searchsorted(grid, draws).clamp(max=4_000)].sort().values
        steps = (torch.arange(4_000) + 0.5) / 4_000
        assert (levels - steps).abs().max() < 1.63 / math.sqrt(4_000)  # Kolmogorov and Smirnov, 1 %


def test_nineteen_exact_draws_cover_nine_in_ten():
    x = CLOUDS.sample(4_000, seed=1).x.double()
    draws = tasks.exact(CLOUDS, x[:, 0], 19, dice(2))
    assert abs(tasks.our_coverage(draws, x[:, 1]) - 0.9) < 3 * math.sqrt(0.09 / 4_000)
    assert tasks.our_coverage(draws[:9], x[:, 1]) < 0.85  # nine cover 80 %


def test_a_gaussian_fills_by_its_conditional_law():
    """Three correlated columns, the first seen: mean and covariance of the others in closed form."""
    root = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.5, 0.4, 0.7]], dtype=torch.float64)
    known = torch.randn(50_000, 3, generator=dice(3), dtype=torch.float64) @ root.T + torch.tensor([1.0, -2.0, 0.5])
    rows = torch.tensor([[2.5, 9.0, 9.0]], dtype=torch.float64)
    seen = torch.tensor([[True, False, False]])
    z = tasks.of_one_gaussian(known, rows, seen, 10_000, dice(4))[:, 0]
    cov = root @ root.T
    mean = torch.tensor([-2.0, 0.5], dtype=torch.float64) + cov[1:, 0] / cov[0, 0] * 1.5
    rest = cov[1:, 1:] - torch.outer(cov[1:, 0], cov[1:, 0]) / cov[0, 0]
    assert_close(z[:, 0], torch.full_like(z[:, 0], 2.5), rtol=0, atol=1e-3)  # what is seen stays
    assert_close(z[:, 1:].mean(0), mean, rtol=0, atol=0.03)
    assert_close(z[:, 1:].T.cov(), rest, rtol=0, atol=0.03)


def test_regression_finds_exact_relations_and_leaves_what_is_seen():
    x = torch.randn(60, 2, generator=dice(5), dtype=torch.float64)
    known = torch.stack([x[:, 0], x[:, 1], 2 * x[:, 0] - x[:, 1] + 3], 1)
    rows, seen = known[:20].clone(), torch.ones(20, 3, dtype=torch.bool)
    seen[torch.arange(20), torch.arange(20) % 3] = False
    filled = tasks.regressed(known, torch.where(seen, rows, torch.nan), seen)
    assert_close(filled, rows, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n, m, wide, high", [(24, 80, 2, 1), (80, 24, 1, 2)])
def test_the_error_of_an_auc_is_the_scatter_of_fresh_draws(n, m, wide, high):
    """Normal scores N(0, wide^2), odd ones N(1, high^2): P(odd > normal) = Phi(1 / sqrt 5)."""
    normal = wide * torch.randn(300, n, generator=dice(6), dtype=torch.float64)
    odd = 1 + high * torch.randn(300, m, generator=dice(7), dtype=torch.float64)
    found = [tasks.delong(tasks.our_auc, a, b) for a, b in zip(normal, odd, strict=True)]
    values = torch.tensor([one.value for one in found])
    errors = torch.tensor([one.error for one in found])
    assert abs(values.mean() - 0.5 * (1 + math.erf(0.1**0.5))) < 0.02
    assert errors.mean() / values.std() == pytest.approx(1.0, abs=0.15)


def test_a_classifier_is_the_same_for_the_same_seed_and_learns():
    x = torch.randn(40, 1, 28, 28, generator=dice(8))
    y = torch.arange(40) % 10
    before = torch.get_rng_state()
    one, other = (tasks.classifier(x, y, seed, steps=30) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)  # whatever was drawn before
    same = tasks.classifier(x, y, 0, steps=30)
    assert torch.equal(one(x), same(x)) and not torch.equal(one(x), other(x))
    assert (one(x).argmax(1) == y).double().mean() > 0.9
    blank = tasks.classifier(x, y, 0, lambda images, generator: 0 * images, steps=30)
    assert (blank(x).argmax(1) == y).double().mean() < 0.5  # the augmentation is what it learned from
