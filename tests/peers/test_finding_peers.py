"""Notebook 16 beside scikit-learn and SciPy: the table of cells, AUC and its interval, imputation by regression.

Skipped where scikit-learn is missing, except in CI (the environment variable CI is "true"), where it must be there.
"""

import os
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from minidiff.course.tasks import finding_and_filling as tasks

if find_spec("sklearn") is None:
    MISSING = 'scikit-learn is not installed: pip install -e ".[test]"'
    if os.environ.get("CI") == "true":
        raise ModuleNotFoundError(MISSING)
    pytest.skip(MISSING, allow_module_level=True)

from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score


def test_the_table_of_cells_is_theirs():
    theirs = load_breast_cancer()
    values, malignant = tasks.cells()
    assert np.array_equal(values.numpy(), theirs.data.astype(np.float32))
    assert np.array_equal(malignant.numpy(), theirs.target_names[theirs.target] == "malignant")
    assert int(malignant.sum()) == 212


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_auc_is_theirs_with_and_without_ties(decimals):
    draw = np.random.default_rng(decimals)
    normal, odd = draw.standard_normal(70).round(decimals), (draw.standard_normal(40) + 0.7).round(decimals)
    ours = tasks.our_auc(torch.from_numpy(normal), torch.from_numpy(odd)).item()
    truth = np.repeat([0, 1], [70, 40])
    assert ours == pytest.approx(roc_auc_score(truth, np.concatenate([normal, odd])), abs=1e-12)
    assert ours == pytest.approx(stats.mannwhitneyu(odd, normal).statistic / (70 * 40), abs=1e-12)


def test_the_error_of_an_auc_is_the_bootstraps():
    draw = np.random.default_rng(3)
    normal, odd = draw.standard_normal(80), draw.standard_normal(50) + 1
    ours = tasks.delong(tasks.our_auc, torch.from_numpy(normal), torch.from_numpy(odd))
    auc = lambda a, b: stats.mannwhitneyu(b, a).statistic / (len(a) * len(b))
    theirs = stats.bootstrap((normal, odd), auc, vectorized=False, n_resamples=400, random_state=4, method="percentile")
    assert ours.error == pytest.approx(theirs.standard_error, rel=0.15)


@pytest.mark.filterwarnings("ignore:.*Early stopping criterion")
def test_regression_goes_round_as_theirs_does():
    """Theirs learns from rows with holes as well, thirty beside 300, so that it is the same to a few per cent only."""
    values, _ = tasks.cells()
    columns = ((values - values.mean(0)) / values.std(0))[:, :6].double()
    known, rows = columns[:300], columns[300:330]
    seen = torch.rand(rows.shape, generator=torch.Generator().manual_seed(0)) > 0.2
    seen[:, 0] = True
    both = torch.cat([known, torch.where(seen, rows, torch.nan)]).numpy()
    expected = IterativeImputer(LinearRegression(), max_iter=40, imputation_order="roman", tol=1e-9).fit_transform(both)
    ours = tasks.regressed(known, torch.where(seen, rows, torch.nan), seen, rounds=40).numpy()
    assert np.abs(ours - expected[300:])[~seen.numpy()].mean() < 0.1 * np.abs(rows.numpy()[~seen.numpy()]).mean()
