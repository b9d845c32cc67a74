"""Metrics against other people's code: prdc, scikit-learn and SciPy, on the same features.

Skipped where prdc is missing, except in CI (the environment variable CI is "true"), where it must be there.
"""

import os
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from minidiff import estimates
from minidiff.evaluation import metrics

if find_spec("prdc") is None:
    MISSING = 'prdc is not installed: pip install -e ".[test]"'
    if os.environ.get("CI") == "true":
        raise ModuleNotFoundError(MISSING)
    pytest.skip(MISSING, allow_module_level=True)

import scipy.linalg
import scipy.optimize
import scipy.stats
from prdc import compute_prdc
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors


def clouds(n, m, dim=12):
    """Two that overlap, neither of them round, as NumPy arrays."""
    draw = np.random.default_rng(n + m)
    a, b = draw.standard_normal((n, dim)) ** 3, 1.3 * draw.standard_normal((m, dim)) + 0.2
    return a @ draw.standard_normal((dim, dim)), b @ draw.standard_normal((dim, dim))


def ours(metric, *arrays, **options):
    return metric(*map(torch.from_numpy, arrays), **options)


CLOSE = {"rel": 1e-6}


@pytest.mark.parametrize("n, m", [(150, 150), (90, 140)])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_recall_density_and_coverage(n, m, k, capsys):
    real, fake = clouds(n, m)
    wanted = compute_prdc(real, fake, k)
    assert ours(metrics.precision_recall, real, fake, k=k) == pytest.approx(
        (wanted["precision"], wanted["recall"]), **CLOSE
    )
    assert ours(metrics.density_coverage, real, fake, k=k) == pytest.approx(
        (wanted["density"], wanted["coverage"]), **CLOSE
    )


def test_frechet_distance():
    a, b = clouds(100, 70)
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    want = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert ours(metrics.frechet_distance, a, b) == pytest.approx(want, **CLOSE)


def unbiased(kernel, a, b):
    within = sum((kernel(x, x).sum() - np.trace(kernel(x, x))) / (len(x) * (len(x) - 1)) for x in (a, b))
    return within - 2 * kernel(a, b).mean()


def test_kernel_distances():
    a, b = clouds(100, 70)
    want = unbiased(lambda x, y: polynomial_kernel(x, y, degree=3, coef0=1), a, b)  # gamma is 1 / D unless it is said
    assert ours(metrics.kernel_distance, a, b).value == pytest.approx(want, **CLOSE)
    want = unbiased(lambda x, y: rbf_kernel(x, y, gamma=1 / (2 * 7.0**2)), a, b)
    assert ours(metrics.mmd, a, b, scale=7.0) == pytest.approx(want, **CLOSE)


def test_inception_score():
    p = scipy.special.softmax(clouds(80, 2, 5)[0], axis=1)
    parts = [p[rows.numpy()] for rows in estimates.random_folds(80, 4)]
    scores = [np.exp(scipy.special.rel_entr(part, part.mean(0)).sum(1).mean()) for part in parts]
    assert ours(metrics.inception_score, p, splits=4) == pytest.approx(
        (np.mean(scores), scipy.stats.sem(scores)), **CLOSE
    )


def test_sliced_wasserstein():
    """Along each direction, the cheapest of all pairings."""
    a, b = clouds(40, 40, 3)
    lines = np.random.default_rng(0).standard_normal((6, 3))
    costs = []
    for line in lines / np.linalg.norm(lines, axis=1, keepdims=True):
        gaps = ((a @ line)[:, None] - b @ line) ** 2
        costs.append(gaps[scipy.optimize.linear_sum_assignment(gaps)].mean())
    got = metrics.sliced_wasserstein(torch.from_numpy(a), torch.from_numpy(b), directions=torch.from_numpy(lines))
    assert got == pytest.approx(np.mean(costs) ** 0.5, **CLOSE)


def test_memorisation():
    fake, test = clouds(60, 90)
    train = clouds(110, 2)[0]
    away = [NearestNeighbors(n_neighbors=1).fit(train).kneighbors(x)[0][:, 0] for x in (fake, test)]
    u, p = scipy.stats.mannwhitneyu(*away, method="asymptotic", use_continuity=False)
    value, error = ours(metrics.memorisation, fake, train, test)
    assert value == pytest.approx(1 - u / (60 * 90), **CLOSE)
    assert 2 * scipy.stats.norm.sf(abs(value - 0.5) / error) == pytest.approx(p, **CLOSE)


@pytest.mark.parametrize("n, k", [(64, 9), (130, 11)])  # the roots of n are 8, made odd, and 11
def test_classifier(n, k):
    a, b = clouds(n, n, 4)
    known, unseen = (rows.numpy() for rows in estimates.random_folds(n, 2))
    vote = KNeighborsClassifier(k).fit(np.concatenate([a[known], b[known]]), np.repeat([0, 1], n // 2))
    right = vote.predict(np.concatenate([a[unseen], b[unseen]])) == np.repeat([0, 1], n // 2)
    assert ours(metrics.c2st, a, b) == pytest.approx(
        (right.mean(), (right.mean() * (1 - right.mean()) / n) ** 0.5), **CLOSE
    )
    assert 0.55 < right.mean() < 0.95
