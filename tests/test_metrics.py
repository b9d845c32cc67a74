"""Distances between clouds, against closed forms."""

import pytest
import torch

from minidiff.metrics import frechet_distance


def cloud(mean, cov, n=400, seed=0):
    """n points whose SAMPLE mean and covariance are exactly the ones asked for, in float64."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, len(mean), generator=generator, dtype=torch.float64)
    x = x - x.mean(0)
    own = torch.linalg.cholesky(x.T @ x / (n - 1))
    white = torch.linalg.solve_triangular(own, x.T, upper=False)
    return (torch.linalg.cholesky(cov) @ white).T + mean


def covariance(dim, seed):
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    return factor @ factor.T + 0.1 * torch.eye(dim, dtype=torch.float64)


def mean(dim, seed):
    return torch.randn(dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_dimension_is_the_textbook_formula():
    a = cloud(torch.tensor([1.0]).double(), torch.tensor([[9.0]]).double())
    b = cloud(torch.tensor([-1.0]).double(), torch.tensor([[4.0]]).double(), n=90, seed=1)
    assert frechet_distance(a, b) == pytest.approx((1 + 1) ** 2 + (3 - 2) ** 2, rel=1e-9)


def test_commuting_covariances_compare_axis_by_axis():
    p, q = torch.tensor([1.0, 4.0, 9.0]).double(), torch.tensor([4.0, 0.25, 16.0]).double()
    a, b = cloud(mean(3, 1), p.diag()), cloud(mean(3, 2), q.diag(), seed=1)
    want = (mean(3, 1) - mean(3, 2)).square().sum() + (p.sqrt() - q.sqrt()).square().sum()
    assert frechet_distance(a, b) == pytest.approx(want.item(), rel=1e-9)


@pytest.mark.parametrize("dim", [2, 5, 40])
def test_covariances_that_do_not_commute(dim):
    p, q = covariance(dim, 3), covariance(dim, 4)
    assert (p @ q - q @ p).abs().max() > 0.1
    a, b = cloud(mean(dim, 5), p), cloud(mean(dim, 6), q, seed=1)
    eigenvalues = torch.linalg.eigvals(p @ q)  # of the product itself, which is not symmetric
    want = (mean(dim, 5) - mean(dim, 6)).square().sum() + p.trace() + q.trace() - 2 * eigenvalues.real.sqrt().sum()
    assert frechet_distance(a, b) == pytest.approx(want.item(), rel=1e-8)


def test_is_symmetric_zero_on_itself_and_sees_a_shift():
    a, b = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)), cloud(mean(4, 1), covariance(4, 2))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-10)
    assert 0 <= frechet_distance(a, a) < 1e-12
    shift = torch.tensor([3.0, 0.0, -4.0, 0.0])
    assert frechet_distance(a, a + shift) == pytest.approx(25, rel=1e-5)


def test_fewer_points_than_dimensions():
    """Covariances of rank 2 in 3 dimensions: two points at +-u and two at +-w spread along u and along w only."""
    a = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    b = torch.tensor([[0.0, 2.0, 0.0], [0.0, -2.0, 0.0]])
    assert frechet_distance(a, b) == pytest.approx(2 + 8)


def test_float32_clouds_are_measured_in_float64():
    a = cloud(torch.zeros(2).double(), torch.eye(2).double())
    far = torch.full((2,), 4096.0).double()  # exact in float32, but its square is far above the rounding of 1
    assert frechet_distance((a + far).float(), a.float() + 4096) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "a, b, word",
    [
        (torch.zeros(3, 2), torch.zeros(3, 4), "features"),
        (torch.zeros(3), torch.zeros(3, 1), "shape"),
        (torch.zeros(3, 2), torch.zeros(1, 2), "at least 2"),
        (torch.tensor([[0.0], [float("nan")]]), torch.zeros(2, 1), "finite"),
        (torch.zeros(2, 1), torch.tensor([[0.0], [float("inf")]]), "finite"),
    ],
)
def test_unusable_clouds_are_refused(a, b, word):
    with pytest.raises(ValueError, match=word):
        frechet_distance(a, b)
