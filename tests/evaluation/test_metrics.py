"""Metrics of clouds, against closed forms, planted faults, and, for their errors, the spread of fresh draws."""

import math

import numpy as np
import pytest
import torch

from minidiff import estimates
from minidiff.estimates import Estimate, floor, jackknife
from minidiff.evaluation import metrics
from minidiff.evaluation.metrics import (
    c2st,
    class_fidelity,
    density_coverage,
    frechet_distance,
    inception_score,
    kernel_distance,
    memorisation,
    mmd,
    precision_recall,
    sliced_wasserstein,
)
from minidiff.evaluation.score import _compared


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


def test_eigenvalues_that_rounding_leaves_below_zero_do_no_harm():
    """Five points in 20 dimensions: most eigenvalues are 0, and come out as -1e-15 as often as not."""
    for s in range(4):
        a = normal(5, 20, s)
        assert frechet_distance(a, a + 2) == pytest.approx(20 * 4, rel=1e-6)


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


def test_directions_of_any_type_are_taken_for_what_they_say():
    a, b, third = normal(9, 3), normal(9, 3, seed=1), torch.tensor([[1.0, 1, 1]]) / 3
    exactly = sliced_wasserstein(a, b, directions=third.double())
    assert sliced_wasserstein(a, b, directions=third) == pytest.approx(exactly, rel=1e-14)
    assert sliced_wasserstein(a, b, directions=torch.ones(1, 3, dtype=torch.int64)) == pytest.approx(exactly, rel=1e-12)


def test_the_generator_draws_normals_in_float64_whose_directions_are_meant():
    a, b, seed = normal(9, 3), normal(9, 3, seed=1), torch.Generator().manual_seed
    lines = torch.randn(4, 3, generator=seed(5), dtype=torch.float64)
    want = sliced_wasserstein(a, b, directions=lines)
    assert sliced_wasserstein(a, b, directions=4, generator=seed(5)) == pytest.approx(want, rel=1e-14)


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
    k = lambda gap: math.exp(-(gap**2) / 8)
    assert mmd(a, b, scale=2.0) == pytest.approx(k(1) + k(3) - (k(0) + k(3) + k(1) + k(2)) / 2, rel=1e-12)


PAIRS = [sliced_wasserstein, mmd, kernel_distance, precision_recall, density_coverage, c2st]


@pytest.mark.parametrize("distance", [*PAIRS, lambda a, b: memorisation(a, b, b), lambda a, b: memorisation(b, b, a)])
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
        ({"directions": torch.tensor([[1.0, 2.0], [0.0, 0.0]])}, "length"),
    ],
)
def test_unusable_directions_are_refused(options, word):
    with pytest.raises(ValueError, match=word):
        sliced_wasserstein(normal(5, 2), normal(5, 2), **options)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_an_unusable_scale_is_refused(scale):
    with pytest.raises(ValueError, match="positive"):
        mmd(normal(5, 2), normal(5, 2), scale=scale)


@pytest.mark.parametrize("d, n, draws", [(4, 100, 400), (16, 500, 60)])
def test_the_frechet_distance_of_equal_normals_is_as_large_as_its_rows_are_few(d, n, draws):
    """2 d / n from the means; from the covariances |C_a - C_b|^2 / 4, by second order, where n is far above d."""
    got = torch.tensor([frechet_distance(normal(n, d, s), normal(n, d, s + 5000)) for s in range(draws)])
    want = 2 * d / n + d * (d + 1) / (2 * n)
    assert got.mean().item() == pytest.approx(want, rel=0.1)
    assert got.std() / draws**0.5 < 0.03 * want  # so that the tenth is no accident


# --- errors ---


def test_the_jackknife_of_a_mean_is_the_textbook_error():
    x = normal(40, 2)
    value, error = jackknife(lambda x: x.mean(0), x, folds=40)
    assert value == pytest.approx(x.mean(0).tolist()) and error == pytest.approx(
        (x.std(0) / 40**0.5).tolist(), rel=1e-9
    )
    means = torch.stack([x[rows, 0].mean() for rows in estimates.random_folds(40, 10)])  # ten means of four
    assert jackknife(lambda x: x[:, 0].mean(), x).error == pytest.approx(means.std().item() / 10**0.5, rel=1e-9)


def test_the_jackknife_keeps_labels_with_their_images():
    x = torch.arange(30)
    together = jackknife(lambda x, y, z: ((x == y).double().mean(), len(z)), x, x.clone(), torch.zeros(20), folds=5)
    assert together == ([1.0, 20.0], [0.0, 0.0])
    sorted_by_class = torch.arange(100) // 10  # a fold of neighbours, or of every tenth, would lose a class
    kept = jackknife(lambda y: len(y.unique()), sorted_by_class)
    assert kept == (10.0, 0.0) == jackknife(lambda y: len(y.unique()), torch.arange(100) % 10)


@pytest.mark.parametrize("metric", [frechet_distance, sliced_wasserstein, kernel_distance])
def test_the_jackknife_foretells_how_fresh_draws_scatter(metric):
    draws = [(normal(100, 3, s), 1.3 * normal(70, 3, s + 5000) + 1) for s in range(60)]
    value = lambda found: found.value if isinstance(found, Estimate) else found
    spread = torch.tensor([value(metric(*pair)) for pair in draws]).std().item()
    errors = torch.tensor([jackknife(metric, *pair, folds=20).error for pair in draws[:12]])
    assert errors.square().mean().sqrt().item() == pytest.approx(spread, rel=0.3)
    assert jackknife(metric, *draws[0]).value == value(metric(*draws[0]))


@pytest.mark.parametrize("folds", [0, 1, 11])
def test_impossible_folds_are_refused(folds):
    for ask in (lambda: jackknife(frechet_distance, normal(40, 2), normal(10, 2), folds=folds),
                lambda: inception_score(torch.full((10, 2), 0.5), splits=folds)):  # fmt: skip
        with pytest.raises(ValueError, match=f"{folds} parts of"):
            ask()


def test_a_floor_compares_different_rows_of_the_sizes_asked_for():
    rows = torch.arange(50.0)[:, None]
    sizes = lambda a, b: (len(a), len(b), len(torch.cat([a, b]).unique()))
    for n, m in [(20, 30), (2, 2)]:
        assert floor(sizes, rows, n, m) == ([n, m, n + m], [0, 0, 0])


def test_a_floor_says_how_far_one_draw_scatters():
    real = normal(4000, 1)
    shift = lambda a, b: a.mean() - b.mean()
    value, scatter = floor(shift, real, 50, 100, draws=400)
    want = (1 / 50 + 1 / 100) ** 0.5
    assert scatter == pytest.approx(want, rel=0.12) and abs(value) < 4 * want / 20
    ten = []
    assert floor(lambda a, b: ten.append(a[0, 0].item()) or Estimate(float(len(ten)), 99.0), real, 50, 50).value == 5.5
    assert len(set(ten)) == 10  # ten draws, all different


@pytest.mark.parametrize("n, m, draws, word", [(6, 5, 2, "drawn from 10"), (1, 5, 2, "drawn from 10"),
                                               (5, 1, 2, "drawn from 10"), (5, 5, 1, "draws")])  # fmt: skip
def test_an_impossible_floor_is_refused(n, m, draws, word):
    with pytest.raises(ValueError, match=word):
        floor(frechet_distance, normal(10, 2), n, m, draws=draws)


def test_a_floor_of_all_rows_and_two_draws_is_possible_and_comes_out_again():
    two = floor(frechet_distance, normal(10, 2), 5, 5, draws=2)
    assert two == floor(frechet_distance, normal(10, 2), 5, 5, draws=2) and two.error > 0


# --- the kernel distance ---


def test_the_kernel_distance_of_two_gaussians():
    """In one dimension (1 + x y)^3 compares three moments: 3 dm1^2 + 3 dm2^2 + dm3^2. Unbiased at any size."""
    moments = lambda mean, std: (mean, mean**2 + std**2, mean**3 + 3 * mean * std**2)
    got = torch.tensor([kernel_distance(normal(20, 1, s), 0.5 * normal(15, 1, s + 5000) + 1).value for s in range(600)])
    gaps = [(p - q) ** 2 for p, q in zip(moments(0, 1), moments(1, 0.5), strict=True)]
    want, error = 3 * gaps[0] + 3 * gaps[1] + gaps[2], got.std().item() / 600**0.5
    assert abs(got.mean().item() - want) < 4 * error < want / 3


def test_the_kernel_distance_by_hand():
    """Two points each, in two dimensions: x.y / 2 + 1 is 2 between the first two, 1 between all others but twins."""
    a, b = torch.tensor([[1.0, 1.0], [2.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    across = [1, 2**3, 1, 1]  # (1, 1).(0, 2) / 2 + 1 = 2
    assert kernel_distance(a, b).value == pytest.approx(2**3 + 1 - sum(across) / 2, rel=1e-12)


def test_the_error_of_the_kernel_distance_is_that_of_leaving_one_row_out():
    a, b = normal(60, 3), 1.2 * normal(45, 3, seed=1) + 0.5
    squares = 0.0
    for n, without in ((60, lambda k: (a[torch.arange(60) != k], b)), (45, lambda k: (a, b[torch.arange(45) != k]))):
        values = torch.tensor([kernel_distance(*without(k)).value for k in range(n)]).double()
        squares += (n - 1) * values.var(correction=0).item()
    assert kernel_distance(a, b).error == pytest.approx(squares**0.5, rel=0.03)  # they differ by about 1 / n


# --- the Inception Score ---


def test_the_inception_score_counts_classes_that_are_clear():
    unsure = torch.full((40, 4), 0.25)
    assert inception_score(unsure) == pytest.approx((1, 0))  # nothing is clear
    half = torch.cat(estimates.random_folds(40, 2)).argsort() < 20  # whoever is in the first split
    clear = torch.zeros(40, 4)
    clear[half.nonzero()[:, 0], torch.arange(20) % 4] = 1
    clear[~half, 2] = 1
    # four classes in one split, one in the other; their spread is |4 - 1| / sqrt(2), the mean's error 1 / sqrt(2) of it
    assert inception_score(clear, splits=2) == pytest.approx((2.5, 1.5))
    nine = torch.tensor([[0.9, 0.1], [0.1, 0.9]])[(torch.cat(estimates.random_folds(40, 2)).argsort() % 2)]
    want = math.exp(math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert inception_score(nine.float(), splits=2).value == pytest.approx(want, rel=1e-6)


def test_the_error_of_the_inception_score_is_the_spread_of_fresh_draws():
    draws = [inception_score((2 * normal(200, 3, s)).softmax(1)) for s in range(150)]
    spread = torch.tensor([value for value, _ in draws]).std().item()
    assert torch.tensor([error for _, error in draws]).square().mean().sqrt().item() == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("row", [[2.0, -1.0], [0.5, 0.498], [0.5, 0.502]])
def test_what_is_no_probability_is_refused(row):
    good = torch.tensor([0.4, 0.6])
    with pytest.raises(ValueError, match="softmax"):
        inception_score(torch.stack([good] * 10 + [torch.tensor(row)]), splits=2)


# --- neighbours ---


def on_a_line(*x):
    return torch.tensor(x)[:, None]


def test_precision_and_recall_by_hand():
    real = on_a_line(0.0, 1, 2, 10)  # with k = 1 they reach 1, 1, 1 and 8 far; with k = 2 they reach 2, 1, 2 and 9
    fake = on_a_line(3.0, 19, -1, -2, -50)  # with k = 1: 4, 16, 1, 1, 48; with k = 2: 5, 20, 4, 5, 49
    assert precision_recall(real, fake, k=1) == pytest.approx((2 / 5, 1))  # 3 and -1, just; 19 is 9 away from 10
    assert precision_recall(real, fake, k=2) == pytest.approx((4 / 5, 1))
    assert precision_recall(fake, real, k=1) == pytest.approx((1, 2 / 5))
    real, fake = on_a_line(0.0, 0.5, 30, 31), on_a_line(0.25, 0.3, 0.35, 0.6)  # 0.6 alone reaches far enough, to 0.5
    assert precision_recall(real, fake, k=1) == pytest.approx((1, 1 / 4))


def test_density_and_coverage_by_hand():
    real = on_a_line(0.0, 1, 2, 10)  # reach 1, 1, 1, 8
    fake = on_a_line(1.5, 3, 40)  # in the balls of 1, 2 | 2, 10 | none
    assert density_coverage(real, fake, k=1) == pytest.approx((4 / 3, 3 / 4))
    # with k = 2 they reach 2, 1, 2, 9: in those of 0, 1, 2, 10 | 2, 10 | none
    assert density_coverage(real, fake, k=2) == pytest.approx((6 / 3 / 2, 1))
    assert density_coverage(on_a_line(0.0, 1, 5), on_a_line(-1.0, 9), k=1) == pytest.approx((1, 2 / 3))  # both just in


@pytest.mark.parametrize("n, m, k", [(30, 20, 2), (20, 40, 3)])
def test_density_and_coverage_of_equal_distributions(n, m, k):
    """Naeem et al. 2020: a new point is as likely the nearest as any other."""
    got = torch.tensor([density_coverage(normal(n, 3, s), normal(m, 3, s + 5000), k=k) for s in range(300)]).double()
    none = math.prod((n - j) / (n + m - j) for j in range(1, k + 1))
    error = got.std(0) / 300**0.5
    assert ((got.mean(0) - torch.tensor([1, 1 - none])).abs() < 4 * error).all() and (error < 0.02).all()


def two_modes(n, seed, share=0.5, spread=1.0):
    """Around +8 and, for a share of the rows, -8."""
    x = spread * normal(n, 3, seed)
    x[:, 0] += torch.where(torch.arange(n) < share * n, -8.0, 8.0)
    return x


def test_a_dropped_mode_lowers_recall_and_a_blur_lowers_precision():
    real = two_modes(200, 0)
    precision, recall = precision_recall(real, two_modes(200, 1))  # the floor
    density, coverage = density_coverage(real, two_modes(200, 1))
    dropped, blurred = two_modes(200, 2, share=0), two_modes(200, 3, spread=2.0)
    assert precision_recall(real, dropped)[0] > precision - 0.05 and precision_recall(real, dropped)[1] < recall - 0.3
    assert density_coverage(real, dropped)[0] > density - 0.2 and density_coverage(real, dropped)[1] < coverage - 0.3
    assert precision_recall(real, blurred)[0] < precision - 0.2 and precision_recall(real, blurred)[1] > recall - 0.05
    assert density_coverage(real, blurred)[0] < density - 0.2


def test_options_unless_told_otherwise():
    a, b, p = normal(60, 2), normal(60, 2, seed=1), normal(60, 5).softmax(1)
    assert precision_recall(a, b) == precision_recall(a, b, k=3) != precision_recall(a, b, k=4)
    assert density_coverage(a, b) == density_coverage(a, b, k=5) != density_coverage(a, b, k=4)
    assert inception_score(p) == inception_score(p, splits=10) != inception_score(p, splits=9)
    assert mmd(a, b) == mmd(a, b, scale=1.0) and sliced_wasserstein(a, b) == sliced_wasserstein(a, b, directions=128)


def test_too_many_neighbours_are_refused():
    few, many = normal(4, 2), normal(9, 2, seed=1)
    assert precision_recall(few, many) and precision_recall(many, few) and density_coverage(few, many, k=3)
    for ask in (lambda k: precision_recall(few, many, k=k), lambda k: precision_recall(many, few, k=k),
                lambda k: density_coverage(few, many, k=k)):  # fmt: skip
        with pytest.raises(ValueError, match=r"from 1 to 3, with 4 rows .* got 4"):
            ask(4)
        with pytest.raises(ValueError, match="got 0"):
            ask(0)
    assert density_coverage(many, few)[0] > 0  # k = 5 asks only for as many real rows


# --- memorisation ---


def test_a_memoriser_is_flagged_by_its_neighbours_and_not_by_the_frechet_distance():
    train, test, others = normal(400, 6), normal(300, 6, seed=1), normal(300, 6, seed=2)
    copies = train[:300] + 0.01 * normal(300, 6, seed=3)
    usual, scatter = floor(frechet_distance, normal(3000, 6, seed=4), 300, 300)
    assert abs(frechet_distance(copies, test) - usual) < 3 * scatter
    value, error = memorisation(copies, train, test)
    assert value == 1 and (value - 0.5) / error > 20
    honest = memorisation(others, train, test)
    assert abs(honest.value - 0.5) < 3 * honest.error
    assert memorisation(4 * others, train, test).value < 0.1  # far from everything


def test_memorisation_by_hand():
    train, test = on_a_line(0.0, 10), on_a_line(1.0, 13, -2)  # 1, 3 and 2 away
    fake = on_a_line(9.5, -2, 8, 20)  # 0.5, 2, 2 and 10 away: closer than 3, 1.5, 1.5 and 0 of the three
    assert memorisation(fake, train, test) == pytest.approx((6 / 12, (8 / (12 * 4 * 3)) ** 0.5))
    assert memorisation(fake[:2], train, test).value == pytest.approx(4.5 / 6)
    assert memorisation(train, train, train).value == 0.5


@pytest.mark.parametrize("n, t, m", [(60, 20, 90), (90, 400, 60)])
def test_without_memorisation_chance_does_what_the_error_says(n, t, m):
    got = [memorisation(normal(n, 2, s), normal(t, 2, s + 5000), normal(m, 2, s + 9000)) for s in range(300)]
    values = torch.tensor([value for value, _ in got])
    assert values.mean().item() == pytest.approx(0.5, abs=4 * got[0].error / 300**0.5)
    assert values.std().item() == pytest.approx(got[0].error, rel=0.15)


# --- classes and classifiers ---


def test_class_fidelity_is_a_share_with_a_binomial_error():
    said, asked = torch.tensor([0, 1, 2, 3, 3]), torch.tensor([0, 1, 2, 2, 3])
    assert class_fidelity(said, asked) == pytest.approx((0.8, (0.8 * 0.2 / 5) ** 0.5))
    assert class_fidelity(asked[:1], asked[:1]) == (1, 0)
    for wrong in (said[:4], said[:, None], said[:0]):
        with pytest.raises(ValueError, match="label a sample"):
            class_fidelity(wrong, asked if len(wrong) else wrong)
    with pytest.raises(ValueError, match="label a sample"):
        class_fidelity(said[:, None], said[:, None])


def test_a_classifier_cannot_tell_equal_clouds_apart():
    got = torch.tensor([c2st(normal(80, 2, s), normal(80, 2, s + 5000)).value for s in range(300)])
    null = 1 / (2 * 80**0.5)  # 40 rows of each are tested
    assert got.mean().item() == pytest.approx(0.5, abs=4 * null / 300**0.5)
    assert 0.75 * null < got.std() < 1.1 * null
    assert (got > 0.5 + 1.64 * null).double().mean() < 0.08


def test_a_classifier_tells_clouds_apart_that_are():
    a = normal(60, 2)
    assert c2st(a, a + 20) == (1, 0)
    assert c2st(a, 0.3 * a).value > 0.5 + 3 / (2 * 60**0.5)  # one within the other
    assert c2st(torch.zeros(3, 1), torch.ones(3, 1)) == (1, 0)
    with pytest.raises(ValueError, match="60 rows and b 59: give equally many"):
        c2st(a, a[1:])


def test_a_score_has_errors_and_floors():
    """What `minidiff judge` records: the model's, its error, and what other real images get."""
    real, fake, others = two_modes(90, 0), two_modes(60, 1, share=0), two_modes(60, 2)
    got = _compared(real, fake, others)
    assert got["frechet_distance"] == frechet_distance(fake, real) > 10 * got["frechet_distance_floor"]
    assert got["frechet_distance_floor"] == frechet_distance(others, real)
    assert (got["kernel_distance"], got["kernel_distance_error"]) == pytest.approx(kernel_distance(real, fake))
    assert got["kernel_distance_floor"] == pytest.approx(kernel_distance(real, others).value)
    assert (got["precision"], got["recall"]) == precision_recall(real[:60], fake)
    assert (got["precision_floor"], got["recall_floor"]) == precision_recall(real[:60], others)
    assert got["recall"] < 0.7 < got["precision"] and 0 < got["precision_error"] < 0.2 and 0 < got["recall_error"] < 0.5
    assert 0.01 < got["frechet_distance_error"] / got["frechet_distance"] < 0.5 and len(got) == 12


def test_never_too_many_distances_at_once(monkeypatch):
    """With little memory: the same numbers, block by block."""
    a, b = normal(30, 3), normal(30, 3, seed=1) + 0.5
    several = [*PAIRS, lambda a, b: memorisation(a, b, b + 0.1)]
    wanted, sizes, cdist = [metric(a, b) for metric in several], [], torch.cdist

    def noted(x, y):
        sizes.append(x.shape[-2] * y.shape[-2])
        return cdist(x, y)

    monkeypatch.setattr(torch, "cdist", noted)
    for chunk in (1, 100):
        monkeypatch.setattr(metrics, "CHUNK", chunk)
        sizes.clear()
        for metric, want in zip(several, wanted, strict=True):
            assert metric(a, b) == pytest.approx(want, rel=1e-9)
        assert max(sizes) == max(30, chunk // 30 * 30)


LISTS = [  # what may be given in place of a tensor, and that tensor
    (lambda x: x.numpy(), lambda x: x),
    (lambda x: x.numpy()[::-1], lambda x: x.flip(0)),
    (lambda x: x.tolist(), lambda x: x),
    (list, lambda x: x),
    (lambda x: x.half(), lambda x: x),
    (lambda x: x.bfloat16(), lambda x: x),
    (lambda x: x.clone().requires_grad_(), lambda x: x),
]


@pytest.mark.parametrize("other, same", LISTS)
def test_arrays_lists_and_other_precisions_are_clouds(other, same):
    a, b = (torch.arange(12.0).reshape(6, 2) / 4 - k for k in (0, 1))  # exact in every precision
    for metric in (
        *PAIRS,
        frechet_distance,
        lambda a, b: memorisation(a, b, b),
        lambda a, b: jackknife(mmd, a, b, folds=2),
    ):
        assert metric(other(a), other(b)) == pytest.approx(metric(same(a), same(b)), rel=1e-12)


@pytest.mark.parametrize("kind", [list, np.array, lambda y: torch.tensor(y, dtype=torch.uint8)])
def test_labels_may_be_lists_and_arrays(kind):
    assert class_fidelity(kind([0, 1, 2, 2]), torch.tensor([0, 1, 2, 1])).value == 0.75


def test_a_metric_that_is_no_number_is_refused():
    for metric, kind in (
        (lambda a: float("nan"), ValueError),
        (lambda a: "near", TypeError),
        (lambda a: None, TypeError),
    ):
        with pytest.raises(kind, match="what the metric gave"):
            jackknife(metric, normal(10, 2))
    for metric in (7, "mmd", lambda: 3.0, None):
        with pytest.raises(TypeError, match="metric must be a function of 1 arguments"):
            jackknife(metric, normal(10, 2))
