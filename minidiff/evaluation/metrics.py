"""How far apart are two clouds of points? Metrics on whatever features the caller gives, and their sampling errors.

No value means anything alone: show it with its error (its own, or from `jackknife`) and beside its `floor`, which is
what the same metric says of real against real at the same sizes. Everything is computed in float64.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ..estimates import Estimate, proportion, random_folds
from ..refusals import generator as checked_generator
from ..refusals import integers, number, require, tensor, whole

CHUNK = 2**23  # pairs of rows compared at a time: 64 MB of distances


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The Frechet distance, squared, between Gaussians fitted to two clouds (Dowson & Landau 1982; Heusel et al. 2017).

        |m_a - m_b|^2 + trace(C_a + C_b - 2 (C_a C_b)^(1/2))

    a: (N, D) and b: (M, D), one row a sample, at least two rows each. Means and covariances (divided by N - 1) are
    taken in float64. The result is at least 0, in the squared unit of the features, and 0 only for equal means and
    covariances. With few rows it is too large: N rows each of two equal standard normals give about
    2 D / N + D (D + 1) / (2 N) for N far above D (means, and covariances to second order). State N and M beside every
    value. Raises ValueError for other shapes and for values that are not finite.
    """
    a, b = _clouds(a=a, b=b)
    shift = (a.mean(0) - b.mean(0)).square().sum()
    cov_a, cov_b = _covariance(a), _covariance(b)
    distance = shift + cov_a.trace() + cov_b.trace() - 2 * _trace_sqrt(cov_a, cov_b)
    return max(distance.item(), 0.0)


def sliced_wasserstein(
    a: Tensor, b: Tensor, *, directions: int | Tensor = 128, generator: torch.Generator | None = None
) -> float:
    """The sliced 2-Wasserstein distance (Rabin et al. 2012; Bonneel et al. 2015): look along a line, sort, compare.

    On a line the cheapest way to turn one cloud into the other pairs the sorted points; the squared gaps are averaged
    over points and directions, and the root is in the unit of the features. A pure shift by d gives |d| in one
    dimension and |d| / sqrt(D) on average over all directions in D.

    a, b: (N, D) and (M, D), at least two rows each.
    directions: how many to draw, or the directions themselves, (K, D), any length but 0.
    generator: draws them; None draws the same ones every time, so that two numbers are measured with one ruler.

    Two samples of ONE distribution are not at 0: print that floor beside every value. Raises ValueError for other
    shapes and for values that are not finite.
    """
    a, b = _clouds(a=a, b=b)
    lines = _directions(directions, a.shape[1], generator).to(a)
    return _quantile_gaps((a @ lines.T).T, (b @ lines.T).T).mean().sqrt().item()


def mmd(a: Tensor, b: Tensor, *, scale: float = 1.0) -> float:
    """The squared maximum mean discrepancy, unbiased, Gaussian kernel (Gretton et al. 2012, Lemma 6).

        mean k(a, a') + mean k(b, b') - 2 mean k(a, b),    k(x, y) = exp(-|x - y|^2 / (2 scale^2)),    a' other than a

    a: (N, D) and b: (M, D), at least two rows each. scale > 0: differences much finer or much coarser than it are
    not seen. For two samples of one distribution the value scatters around 0 and is often negative.
    Raises ValueError for other shapes, values that are not finite and a scale that is not positive.
    """
    a, b = _clouds(a=a, b=b)
    scale = number("scale, the width of the kernel, must be positive and", scale)
    require(scale > 0, f"scale, the width of the kernel, must be positive; got {scale}: try the standard deviation")
    return _discrepancy(lambda x, y: (torch.cdist(x, y).square() / (-2 * scale**2)).exp(), a, b).value


def kernel_distance(a: Tensor, b: Tensor) -> Estimate:
    """KID (Binkowski et al. 2018): the unbiased squared discrepancy of `mmd`, kernel (x.y / D + 1)^3, from all pairs.

    a: (N, D) and b: (M, D). Unbiased: the expected value is the same at every size, and 0 for equal distributions, so a
    value below 0 is no mistake. (KIDs in print average 100 subsets of 1,000 rows: same expectation, more noise.) The
    error leaves one row out at a time; for equal distributions it is about sqrt(2) too large.
    """
    return _discrepancy(lambda x, y: (x @ y.mT / x.shape[-1] + 1) ** 3, *_clouds(a=a, b=b))


def inception_score(probabilities: Tensor, *, splits: int = 10) -> Estimate:
    """Salimans et al. 2016: is every image clear to a classifier, and are all classes there? From 1 to the classes.

        exp(H(mean p) - mean H(p)),    H(p) = -sum p log p

    probabilities: (N, classes), each row at least 0 with sum 1. The value is the mean over random splits, as usual; the
    error is that mean's, where papers print the splits' own spread, sqrt(splits) times as much. Small splits score
    lower. No real image is ever looked at: one sharp image a class is enough for the best score.
    """
    (p,) = _clouds(probabilities=probabilities)
    if (p < 0).any() or (p.sum(1) - 1).abs().max() > 1e-3:
        raise ValueError("each row of probabilities must be at least 0 and sum to 1: give the softmax, not the logits")
    entropy = torch.special.entr
    parts = [p[rows] for rows in random_folds(len(p), splits)]
    scores = torch.stack([(entropy(part.mean(0)).sum() - entropy(part).sum(1).mean()).exp() for part in parts])
    return Estimate(scores.mean().item(), scores.std().item() / math.sqrt(splits))


def precision_recall(real: Tensor, fake: Tensor, *, k: int = 3) -> tuple[float, float]:
    """Precision, the share of fakes that could be real; recall, of reals that could be fake (Kynkaanniemi et al. 2019).

    Could be (Eq. 1): no farther from some row of the other cloud than that row's own k-th nearest neighbour there. Both
    are in [0, 1] and depend on N and M, even for equal distributions. One stray row claims a large ball, which
    `density_coverage` mends. real: (N, D), fake: (M, D), k at least 1 and below N and M.
    """
    real, fake = _clouds(real=real, fake=fake)

    def claimed(x: Tensor, by: Tensor) -> float:
        reach = _reach(by, k)
        return torch.cat([(d <= reach).any(1) for d in _distances(x, by)]).double().mean().item()

    return claimed(fake, real), claimed(real, fake)


def density_coverage(real: Tensor, fake: Tensor, *, k: int = 5) -> tuple[float, float]:
    """Density, how many real balls hold a fake, over k; coverage, the share of them that hold any (Naeem et al. 2020).

    A real row's ball reaches to its k-th nearest neighbour among the reals. real: (N, D), fake: (M, D), 1 <= k < N. For
    equal distributions the density is 1 on average, and coverage is 1 - (N-1)...(N-k) / ((N+M-1)...(N+M-k)), about
    1 - 2^-k for N = M: choose k by that. Density may exceed 1; coverage may not.
    """
    real, fake = _clouds(real=real, fake=fake)
    reach = _reach(real, k)
    density = torch.cat([(d <= reach).sum(1) for d in _distances(fake, real)]).double().mean() / k
    nearest = torch.cat([d.amin(1) for d in _distances(real, fake)])
    return density.item(), (nearest <= reach).double().mean().item()


def memorisation(fake: Tensor, train: Tensor, test: Tensor) -> Estimate:
    """How often is a sample closer to the training set than unseen data is? 1/2 if nothing was memorised, 1 for copies.

    Over all pairs of one fake and one test row, a tie counting half (the three-sample test of Meehan et al. 2020). The
    error is that of chance when nothing was memorised, so (value - 1/2) / error is a z score (Mann & Whitney 1947).
    fake: (N, D), train: (T, D), test: (M, D); T may differ, as both are measured against the same train. Samples of
    low diversity near the mean also exceed 1/2; inspect nearest neighbours before concluding memorisation.
    """
    fake, train, test = _clouds(fake=fake, train=train, test=test)
    ours, unseen = (torch.cat([d.amin(1) for d in _distances(x, train)]) for x in (fake, test))
    unseen = unseen.sort().values
    below, up_to = torch.searchsorted(unseen, ours), torch.searchsorted(unseen, ours, right=True)
    n, m = len(fake), len(test)
    nearer = (below + up_to).double().mean().item() / 2  # test rows nearer to the training set than a fake one
    return Estimate(1 - nearer / m, math.sqrt((n + m + 1) / (12 * n * m)))


def class_fidelity(predicted: Tensor, wanted: Tensor) -> Estimate:
    """The fraction of samples to which a classifier gives the wanted class. predicted, wanted: (N,) integer labels.

    The error is the binomial sqrt(p (1 - p) / N). It is 0 for none or all of them; then p may still be 3 / N away.
    """
    predicted, wanted = integers("predicted", predicted), integers("wanted", wanted)
    shapes = f"predicted is {tuple(predicted.shape)}, wanted {tuple(wanted.shape)}"
    fits = predicted.shape == wanted.shape and predicted.dim() == 1 and len(predicted)
    require(fits, f"{shapes}: give both (N,), a label a sample")
    return proportion(predicted == wanted.to(predicted.device))


def c2st(a: Tensor, b: Tensor) -> Estimate:
    """Classifier two-sample test (Lopez-Paz & Oquab 2017): how often are unseen rows told apart? 1/2 = not at all.

    The classifier knows a random half of both clouds, always the same rows, and lets the nearest sqrt(number known)
    of them vote (the paper's C2ST-KNN). It is tested on the other n = about N rows. a, b: (N, D), equally many. The
    error is binomial. Equal distributions scatter by 1 / (2 sqrt(n)); 1.64 times that above 1/2 is the 5 % level.
    """
    a, b = _clouds(a=a, b=b)
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} rows and b {len(b)}: give equally many, or guessing would do better than 1/2")
    known, unseen = (torch.cat([a[rows], b[rows]]) for rows in random_folds(len(a), 2))
    k = math.isqrt(len(known)) | 1  # odd, so that there is always a majority
    near = torch.cat([d.topk(k, largest=False).indices for d in _distances(unseen, known)])
    votes = (near >= len(known) // 2).double().mean(1)
    return proportion((votes > 0.5) == (torch.arange(len(unseen)).to(near) >= len(unseen) // 2))


def _discrepancy(kernel: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> Estimate:
    """The unbiased squared discrepancy (Gretton et al. 2012, Eq. 3); to first order the error is leave-one-out's.

    Each row's part is its mean kernel with the others of its own cloud, less that with the other cloud.
    """

    def total(x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([kernel(part, y).sum(1) for part in _blocks(x, y)])

    def parts(x: Tensor, y: Tensor) -> Tensor:
        itself = kernel(x[:, None], x[:, None]).flatten()
        return (total(x, x) - itself) / (len(x) - 1) - total(x, y) / len(y)

    ours, theirs = parts(a, b), parts(b, a)
    error = 2 * (ours.var() / len(a) + theirs.var() / len(b)).sqrt()
    return Estimate((ours.mean() + theirs.mean()).item(), error.item())


def _blocks(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """The rows of x, so many at a time that they make CHUNK pairs with those of y."""
    return iter(x.split(max(1, CHUNK // len(y))))


def _distances(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """Distances from each row of x to all of y, block by block, (B, M): 10,000 x 10,000 at once would be 800 MB."""
    return (torch.cdist(part, y) for part in _blocks(x, y))


def _reach(x: Tensor, k: int) -> Tensor:
    """How far the k-th nearest other row is from each row, (N,)."""
    possible = 1 <= whole("k", k, 0) < len(x)
    require(possible, f"k must be from 1 to {len(x) - 1}, with {len(x)} rows that have neighbours; got {k}")
    # Nobody is nearer to a row than itself, so it is always among the k + 1 nearest.
    return torch.cat([d.topk(k + 1, largest=False).values[:, k] for d in _distances(x, x)])


def _clouds(**named: Tensor) -> list[Tensor]:
    """Check clouds that are to be compared and return them in float64, on the device of the first."""
    clouds = [_cloud(name, x) for name, x in named.items()]
    if len({x.shape[1] for x in clouds}) > 1:
        said = " and ".join(f"{name} has {x.shape[1]} features" for name, x in zip(named, clouds, strict=True))
        raise ValueError(f"{said}: give all the same features")
    return [x.to(clouds[0].device) for x in clouds]


def _cloud(name: str, x: Tensor) -> Tensor:
    """Check one cloud and return it in float64."""
    x = tensor(name, x, torch.float64, finite=True).detach()
    fits = x.dim() == 2 and x.shape[0] >= 2 and x.shape[1] >= 1
    require(fits, f"{name} has shape {tuple(x.shape)}: give (N, D), one row a sample, with N at least 2")
    return x


def _covariance(x: Tensor) -> Tensor:
    """The (D, D) sample covariance, divided by N - 1."""
    centred = x - x.mean(0)
    return centred.T @ centred / (x.shape[0] - 1)


def _trace_sqrt(p: Tensor, q: Tensor) -> Tensor:
    """trace((p q)^(1/2)) for two covariances: p q has the eigenvalues of the symmetric p^(1/2) q p^(1/2)."""
    values, vectors = torch.linalg.eigh(p)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    # eigvalsh is exact for symmetric matrices and needs no complex numbers; rounding may leave values just below 0.
    return torch.linalg.eigvalsh(root @ q @ root).clamp(min=0).sqrt().sum()


def _directions(directions: int | Tensor, dim: int, generator: torch.Generator | None) -> Tensor:
    """Unit vectors, (K, dim) float64: the given ones, or as many as asked for, even over the sphere."""
    if isinstance(directions, (Tensor, np.ndarray, list, tuple)):
        lines = tensor("directions", directions, torch.float64)
        fits = lines.dim() == 2 and lines.shape[1] == dim and len(lines)
        require(fits, f"directions have shape {tuple(lines.shape)}: give (K, {dim}), one row a direction")
    else:
        count = whole("directions, at least 1,", directions, 1, 10**6)
        generator = checked_generator(generator) or torch.Generator().manual_seed(0)
        lines = torch.randn(count, dim, generator=generator, dtype=torch.float64, device=generator.device)
    length = lines.norm(dim=1, keepdim=True)
    if not (length.isfinite() & (length > 0)).all():
        raise ValueError("every direction must be finite and have a length above 0")
    return lines / length


def _quantile_gaps(a: Tensor, b: Tensor) -> Tensor:
    """The squared gap between the quantile functions of each row of a, (K, N), and of b, (K, M), averaged: (K,)."""
    (n, m), a, b = (a.shape[1], b.shape[1]), a.sort(1).values, b.sort(1).values
    if n == m:
        return (a - b).square().mean(1)
    # Both quantile functions are staircases: constant between neighbours among the levels i/n and j/m.
    levels = torch.cat([torch.arange(n + 1).to(a) / n, torch.arange(1, m).to(a) / m]).sort().values
    middle, width = (levels[1:] + levels[:-1]) / 2, levels.diff()
    return ((a[:, (middle * n).long()] - b[:, (middle * m).long()]).square() * width).sum(1)
