"""How far apart are two clouds of points? Distances between samples, on whatever features the caller gives."""

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The Frechet distance, squared, between Gaussians fitted to two clouds (Dowson & Landau 1982; Heusel et al. 2017).

        |m_a - m_b|^2 + trace(C_a + C_b - 2 (C_a C_b)^(1/2))

    a: (N, D) and b: (M, D), one row a sample, at least two rows each. Means and covariances (divided by N - 1) are
    taken in float64. The result is at least 0, in the squared unit of the features, and 0 only for equal means and
    covariances. With few rows it is too large: state N and M beside every value. Raises ValueError for other shapes
    and for values that are not finite.
    """
    a, b = _pair(a, b)
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

    a: (N, D) and b: (M, D), at least two rows each. directions: how many to draw, or the directions themselves,
    (K, D), any length but 0. generator: draws them; None draws the same ones every time, so that two numbers are
    measured with one ruler. Two samples of ONE distribution are not at 0: print that floor beside every value. Raises
    ValueError for other shapes and for values that are not finite.
    """
    a, b = _pair(a, b)
    lines = _directions(directions, a.shape[1], generator).to(a)
    return _quantile_gaps((a @ lines.T).T, (b @ lines.T).T).mean().sqrt().item()


def mmd(a: Tensor, b: Tensor, *, scale: float = 1.0) -> float:
    """The squared maximum mean discrepancy, unbiased, Gaussian kernel (Gretton et al. 2012, Lemma 6).

        mean k(a, a') + mean k(b, b') - 2 mean k(a, b),    k(x, y) = exp(-|x - y|^2 / (2 scale^2)),    a' other than a

    a: (N, D) and b: (M, D), at least two rows each. scale > 0: differences much finer or much coarser than it are
    not seen. For two samples of one distribution the value scatters around 0 and is often negative.
    Raises ValueError for other shapes, values that are not finite and a scale that is not positive.
    """
    a, b = _pair(a, b)
    if not 0 < scale < float("inf"):
        raise ValueError(f"scale is the width of the kernel and must be positive; got {scale}. Try the data's spread")

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (torch.cdist(x, y).square() / (-2 * scale**2)).exp()

    def among(x: Tensor) -> Tensor:
        return (kernel(x, x).sum() - len(x)) / (len(x) * (len(x) - 1))  # k(x, x) = 1 on the diagonal is left out

    return (among(a) + among(b) - 2 * kernel(a, b).mean()).item()


def _pair(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Check two clouds that are to be compared and return them in float64."""
    a, b = _rows("a", a), _rows("b", b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} features and b has {b.shape[1]}: give both the same features")
    return a, b


def _rows(name: str, x: Tensor) -> Tensor:
    """Check one cloud and return it in float64."""
    if x.dim() != 2 or x.shape[0] < 2:
        raise ValueError(f"{name} has shape {tuple(x.shape)}: give (N, D), one row a sample, with N at least 2")
    if not x.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite: look for the NaN or infinity in the samples first")
    return x.detach().double()


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
    if isinstance(directions, Tensor):
        lines = directions.double()
        if lines.dim() != 2 or lines.shape[1] != dim or not len(lines):
            raise ValueError(f"directions have shape {tuple(lines.shape)}: give (K, {dim}), one row a direction")
    elif directions >= 1:
        generator = generator or torch.Generator().manual_seed(0)
        lines = torch.randn(directions, dim, generator=generator, dtype=torch.float64, device=generator.device)
    else:
        raise ValueError(f"directions must be at least 1; got {directions}")
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
