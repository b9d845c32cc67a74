"""Distances between clouds, against closed forms."""

import math

import pytest
import torch

from minidiff.metrics import frechet_distance, mmd, sliced_wasserstein


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


def normal(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fan(k):
    """k directions at equal angles over half a turn: any quadratic form is averaged over them exactly."""
    angle = math.pi * torch.arange(k, dtype=torch.float64) / k
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def test_on_a_line_a_shift_costs_its_length():
    a = normal(50, 1)
    shuffled = a[torch.randperm(50, generator=torch.Generator().manual_seed(1))]
    assert sliced_wasserstein(a, shuffled - 2.5) == pytest.approx(2.5, rel=1e-12)


def test_on_a_line_a_stretch_costs_the_difference_of_the_spreads():
    """N(1, 3^2) against N(-1, 2^2), by their own quantiles: W2^2 = (1 + 1)^2 + (3 - 2)^2."""
    quantiles = torch.special.ndtri((torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000)[:, None]
    got = sliced_wasserstein(1 + 3 * quantiles, 2 * quantiles - 1, directions=1)
    assert got == pytest.approx(math.sqrt(5), rel=1e-4)


def test_in_the_plane_a_shift_is_shared_among_the_directions():
    a = normal(40, 2)
    for k in (2, 3, 8):
        got = sliced_wasserstein(a, a + torch.tensor([3.0, 4.0]), directions=7 * fan(k))  # their length is no matter
        assert got == pytest.approx(5 / math.sqrt(2), rel=1e-12)


@pytest.mark.parametrize("shift", [[0.0, 0, 2, 0, 0], [0.8**0.5] * 5])
def test_drawn_directions_are_even_over_the_sphere(shift):
    a = normal(10, 5)
    got = sliced_wasserstein(a, a + torch.tensor(shift), directions=20_000)
    # u_3^2 has mean 1/5 and standard deviation sqrt(3/35 - 1/25) = 0.21, hence the root of 4/5 is known to 0.4 %
    assert got == pytest.approx(2 / math.sqrt(5), rel=0.015)


@pytest.mark.parametrize("n, m", [(2, 3), (4, 6), (7, 7), (10, 4), (9, 100)])
def test_unequal_numbers_of_points_agree_with_repeating_each_point(n, m):
    a, b, both = normal(n, 3), normal(m, 3, seed=1) + 1, math.lcm(n, m)
    long_a, long_b = a.repeat_interleave(both // n, 0), b.repeat_interleave(both // m, 0)
    assert sliced_wasserstein(a, b) == pytest.approx(sliced_wasserstein(long_a, long_b), rel=1e-12)


def test_sees_what_mean_and_covariance_hide():
    turn = 2 * math.pi * torch.arange(400, dtype=torch.float64) / 400
    ring = torch.stack([turn.cos(), turn.sin()], dim=1)
    dots = cloud(ring.mean(0), ring.T @ ring / 399)
    assert frechet_distance(ring, dots) < 1e-9
    floor = max(sliced_wasserstein(normal(400, 2, s) / 2**0.5, dots) for s in range(1, 6))
    assert sliced_wasserstein(ring, dots) > 2 * floor


def test_the_ruler_does_not_move_between_measurements():
    a, b = normal(30, 4), normal(30, 4, seed=1)
    assert sliced_wasserstein(a, b) == sliced_wasserstein(a, b) == sliced_wasserstein(b, a)
    assert sliced_wasserstein(a, a.flip(0)) < 1e-12
    drawn = [sliced_wasserstein(a, b, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def gaussian_mmd(dim, p, q, shift, scale):
    """The squared discrepancy of N(0, p^2 I) and N(shift, q^2 I): the kernel averaged over Gaussians is a Gaussian."""
    def mean_kernel(variance, distance):
        total = scale**2 + variance
        return (scale**2 / total) ** (dim / 2) * math.exp(-(distance**2) / (2 * total))
    return mean_kernel(2 * p**2, 0) + mean_kernel(2 * q**2, 0) - 2 * mean_kernel(p**2 + q**2, shift)


@pytest.mark.parametrize("dim, p, q, shift, scale", [(1, 1, 1, 1, 1), (2, 1, 2, 0, 1), (3, 1, 1.5, 2, 0.7)])
def test_mmd_of_two_gaussians(dim, p, q, shift, scale):
    """Unbiased: the average over many small clouds is the closed form, within 4 standard errors."""
    move = torch.zeros(dim).double()
    move[0] = shift
    got = torch.tensor(
        [mmd(p * normal(20, dim, s), q * normal(15, dim, s + 5000) + move, scale=scale) for s in range(600)]
    )
    error = got.std().item() / len(got) ** 0.5
    want = gaussian_mmd(dim, p, q, shift, scale)
    assert abs(got.mean().item() - want) < 4 * error < want / 3


def test_mmd_by_hand():
    """Two points each: one pair among a, one among b, four between them."""
    a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [3.0]])
    k = lambda gap: math.exp(-(gap**2) / 8)  # noqa: E731 (scale 2)
    assert mmd(a, b, scale=2.0) == pytest.approx(k(1) + k(3) - (k(0) + k(3) + k(1) + k(2)) / 2, rel=1e-12)


@pytest.mark.parametrize("distance", [sliced_wasserstein, mmd])
def test_every_distance_refuses_unusable_clouds(distance):
    for a, b, word in [
        (torch.zeros(3, 2), torch.zeros(3, 4), "features"),
        (torch.zeros(3), torch.zeros(3, 1), "shape"),
        (torch.zeros(2, 1), torch.tensor([[0.0], [float("nan")]]), "finite"),
    ]:
        with pytest.raises(ValueError, match=word):
            distance(a, b)


@pytest.mark.parametrize(
    "options, word",
    [
        ({"directions": 0}, "at least 1"),
        ({"directions": torch.ones(4, 3)}, r"\(K, 2\)"),
        ({"directions": torch.ones(2)}, r"\(K, 2\)"),
        ({"directions": torch.ones(0, 2)}, r"\(K, 2\)"),
        ({"directions": torch.zeros(1, 2)}, "length"),
    ],
)
def test_unusable_directions_are_refused(options, word):
    with pytest.raises(ValueError, match=word):
        sliced_wasserstein(normal(5, 2), normal(5, 2), **options)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_an_unusable_scale_is_refused(scale):
    with pytest.raises(ValueError, match="positive"):
        mmd(normal(5, 2), normal(5, 2), scale=scale)
