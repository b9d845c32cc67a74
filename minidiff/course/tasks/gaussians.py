"""Notebook 01, Gaussians: checks of the reader's lines, and right ones to go on with."""

import math

import torch
from torch import Tensor

from ..exercises import refuse_slips

Step = tuple[float, float]  # (alpha, sigma)


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers, float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def after(mine) -> None:
    """return the factor of x0, and the standard deviation of both noises together."""
    for first, then in (((0.8, 0.5), (0.6, 0.3)), ((1.0, 2.0), (0.25, 0.1))):
        (a1, s1), (a2, s2) = first, then
        both = a2 * a1
        refuse_slips(mine(first, then), our_after(first, then), {
            "standard deviations are added: it is variances that add.": (both, a2 * s1 + s2),
            "the second value is the variance: take its root.": (both, (a2 * s1) ** 2 + s2**2),
            "the first noise keeps its size: the second step shrinks it too, by alpha_2.": (both, math.hypot(s1, s2)),
            "alpha_1 shrinks the first noise: it is alpha_2 that comes after it.": (both, math.hypot(a1 * s1, s2)),
            "alpha_2 shrinks the second noise: it comes after the shrinking.": (both, math.hypot(s1, a2 * s2)),
            "alpha_2 is not squared: the noise alpha_2 sigma_1 eps has variance (alpha_2 sigma_1)^2.":
                (both, math.sqrt(a2 * s1**2 + s2**2)),
            "that makes alpha^2 + sigma^2 = 1, which is so for some steps only.": (both, math.sqrt(1 - both**2)),
            "the factors of x0 are added: the second multiplies what the first left.":
                (a1 + a2, math.hypot(a2 * s1, s2)),
        }, "x0 has the factor alpha_2 alpha_1, the noises deviations alpha_2 sigma_1 and sigma_2.")  # fmt: skip


def our_after(first: Step, then: Step) -> Step:
    """The one step (alpha, sigma) that does what two do."""
    return then[0] * first[0], math.hypot(then[0] * first[1], then[1])


def posterior(mine) -> None:
    """add the two precisions, and return mean and standard deviation."""
    for x_t, mean, std, alpha, sigma in ((1.5, -1.0, 1.5, 0.8, 0.6), (-0.4, 2.0, 0.5, 1.3, 3.0)):
        prior, reading, lone = 1 / std**2, (alpha / sigma) ** 2, 1 / std**2 + 1 / sigma**2
        h = mean * prior + alpha * x_t / sigma**2
        right, left = our_posterior(x_t, mean, std, alpha, sigma)
        loose = 1 / std + alpha / sigma
        refuse_slips(mine(x_t, mean, std, alpha, sigma), (right, left), {
            "the second value is the variance: take its root.": (right, left**2),
            "the second value is the precision: the standard deviation is one over its root.": (right, left**-2),
            "the second value is upside down: one over the root of the precision.": (right, 1 / left),
            "the first value is h: divide it by the precision.": (h, left),
            "alpha is missing from h: the reading enters as alpha * x_t / sigma^2.":
                ((mean * prior + x_t / sigma**2) * left**2, left),
            "alpha is squared in h: alpha^2 / sigma^2 is the weight of x_t / alpha, not of x_t.":
                ((mean * prior + reading * x_t) * left**2, left),
            "alpha^2 is missing from the precision of the reading.": (h / lone, lone**-0.5),
            "standard deviations stand where their squares belong.": ((mean / std + x_t / sigma) / loose, loose**-0.5),
            "that is the plain average of m and x_t / alpha: weigh them by their precisions.":
                ((mean + x_t / alpha) / 2, left),
            "the weights have changed places: the more precise source counts more.":
                ((mean * reading + x_t / alpha * prior) * left**2, left),
        }, "the mean should be h / Lambda, the standard deviation one over the root of Lambda.")  # fmt: skip
    readings = normal(5, seed=0)
    several = mine(readings, 0.0, 1.0, 0.6, 0.8)[0]
    refuse_slips(several, 0.6 * readings, {}, "N(0, 1), alpha 0.6, sigma 0.8 and five readings: wanted 0.6 x_t.")


def our_posterior(x_t, mean: float, std: float, alpha: float, sigma: float) -> tuple:
    """Mean and standard deviation of x0 given x_t = alpha x0 + sigma eps.

    x_t: a reading, or a tensor of them.
    mean, std: of x0, which is Gaussian.
    alpha, sigma: of the path.
    """
    precision = 1 / std**2 + alpha**2 / sigma**2
    return (mean / std**2 + alpha * x_t / sigma**2) / precision, precision**-0.5


def distance(mine) -> None:
    """sort what the directions see of either cloud, and return the root of the mean squared gap."""
    for n, d, k in ((6, 2, 4), (9, 3, 2)):
        a, b, lines = normal(n, d, seed=1), 1 + 0.5 * normal(n, d, seed=2), normal(k, d, seed=3)
        lines = lines / lines.norm(dim=1, keepdim=True)
        left, right = a @ lines.T, b @ lines.T
        gaps = left.sort(0).values - right.sort(0).values
        root = lambda these: these.square().mean().sqrt()
        refuse_slips(mine(a, b, lines), root(gaps), {
            "nothing is sorted: row k of one cloud has nothing to do with row k of the other.": root(left - right),
            "it sorts what one dot shows to all directions: sort the dots, dim 0.":
                root(left.sort(1).values - right.sort(1).values),
            "it sorts before it looks: take the directions first, then sort.":
                root(a.sort(0).values @ lines.T - b.sort(0).values @ lines.T),
            "the root is missing.": gaps.square().mean(),
            "that is the mean absolute gap: square, average, take the root.": gaps.abs().mean(),
            "the squares are added up: take their mean.": gaps.square().sum().sqrt(),
            "the root comes too early: average over the directions too, then take it.":
                gaps.square().mean(0).sqrt().mean(),
            "only the means of the clouds are compared: square each gap before averaging.": root(gaps.mean(0)),
        }, "it should be the root of the mean of (sorted a - sorted b)^2, over dots and directions.")  # fmt: skip
        shuffled = a[torch.randperm(n, generator=torch.Generator().manual_seed(4))]
        refuse_slips(mine(a, shuffled, lines), torch.zeros(()), {}, "a cloud and itself, in another order, are at 0.")


def our_distance(a: Tensor, b: Tensor, directions: Tensor) -> Tensor:
    """The sliced Wasserstein distance of clouds (n, d), along directions (k, d) of length 1."""
    return ((a @ directions.T).sort(0).values - (b @ directions.T).sort(0).values).square().mean().sqrt()


def error_of_difference(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(5.0), {
        "the standard errors are subtracted: noise does not cancel noise.": 1.0,
        "the variances are subtracted: Var(-y) = Var(y), so they add.": 7**0.5,
        "the standard errors are added: it is variances that add.": 7.0,
        "that is the variance: take its root.": 25.0,
        "that is the lead itself: its standard error is asked for.": 6.0,
    }, "add the squares of 3 and 4, and take the root: it comes out even.")  # fmt: skip


def our_error_of_difference() -> float:
    """Variances add, whether the numbers are added or subtracted."""
    return math.hypot(3, 4)


def look_again(mine) -> None:
    """make the answer to one reading the prior of the next."""
    readings = [2.0, -0.5, 1.2, 0.3, 0.9]
    for mean, std, alpha, sigma in ((0.0, 1.0, 1.0, 1.0), (-1.0, 1.5, 0.8, 0.6)):
        average, path = sum(readings) / 5, (alpha, sigma)
        alone = [our_posterior(x_t, mean, std, *path) for x_t in readings]
        only_std, only_mean, precise = (mean, std), mean, (mean, std)
        for x_t in readings:
            only_std = mean, our_posterior(x_t, *only_std, *path)[1]
            only_mean = our_posterior(x_t, only_mean, std, *path)[0]
            precise = our_posterior(x_t, *precise, alpha, sigma / 5**0.5)
        wanted = our_posterior(average, mean, std, alpha, sigma / 5**0.5)
        refuse_slips(mine(list(readings), mean, std, *path), wanted, {
            "every reading meets the first prior, so only the last one counts: hand the answer on.": alone[-1],
            "only the first reading counts: return after the loop.": alone[0],
            "nothing has changed: give the answer of posterior the names mean and std.": (mean, std),
            "mean is handed on, but std is not.": (only_mean, std),
            "std is handed on, but mean is not.": only_std,
            "one reading of the average has the noise sigma / sqrt(5), not sigma.":
                our_posterior(average, mean, std, *path),
            "each single reading has the noise sigma: sigma / sqrt(5) is that of their average.": precise,
        }, "it should be what one reading of the average says, with the noise sigma / sqrt(5).")  # fmt: skip
    one = 0.7, 0.0, 2.0, 0.8, 0.6
    refuse_slips(mine([0.7], *one[1:]), our_posterior(*one), {}, "a single reading needs `posterior` once.")


def our_look_again(readings: list, mean: float, std: float, alpha: float, sigma: float) -> tuple:
    """Mean and standard deviation of x0 given all readings.

    readings: of alpha x0 + sigma eps, each with fresh eps.
    mean, std: of x0, which is Gaussian.
    alpha, sigma: of the path.
    """
    for x_t in readings:
        mean, std = our_posterior(x_t, mean, std, alpha, sigma)
    return mean, std


def correlated(mine) -> None:
    """find A with A A^T = covariance, and return mean + A eps for each row of eps."""
    mix = normal(4, 4, seed=5)
    for covariance in (torch.tensor([[2.0, 0.6], [0.6, 1.0]], dtype=torch.float64), mix @ mix.T):
        d = len(covariance)
        mean, one = normal(d, seed=d), torch.eye(d, dtype=torch.float64)
        centre = mine(torch.zeros(3, d, dtype=torch.float64), mean, covariance)
        refuse_slips(centre, mean.expand(3, d), {"the mean is missing.": torch.zeros(3, d)}, "eps = 0 is the mean.")
        A, lower = (mine(one, mean, covariance) - mean).T, torch.linalg.cholesky(covariance)
        refuse_slips(A @ A.T, covariance, {
            "samples are rows, so A stands on their right transposed: eps @ A.T.": lower.T @ lower,
            "the covariance itself is no A: noise times C has covariance C C^T.": covariance @ covariance.T,
            "the coordinates do not vary together: the diagonal is not enough.": covariance.diag().diag(),
            "the noise is as it came.": one,
            "the root of each entry is no root of the matrix: try torch.linalg.cholesky.":
                covariance.sqrt() @ covariance.sqrt().T,
            "that is the inverse: it would make noise of such samples.": covariance.inverse(),
        }, "noise times your matrix has another covariance: A A^T should be C.")  # fmt: skip


def our_correlated(eps: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Samples of N(mean, covariance), (n, d), from noise (n, d)."""
    return mean + eps @ torch.linalg.cholesky(covariance).T
