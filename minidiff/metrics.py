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
    a, b = _rows("a", a), _rows("b", b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a has {a.shape[1]} features and b has {b.shape[1]}: give both the same features")
    shift = (a.mean(0) - b.mean(0)).square().sum()
    cov_a, cov_b = _covariance(a), _covariance(b)
    distance = shift + cov_a.trace() + cov_b.trace() - 2 * _trace_sqrt(cov_a, cov_b)
    return max(distance.item(), 0.0)


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
