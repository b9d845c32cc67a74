"""Guidance against the paper's formula and a Gaussian posterior in closed form."""

import pytest
import torch
from torch.testing import assert_close

from minidiff.exact import of_gaussian, of_mixture
from minidiff.guidance import extrapolate, given
from minidiff.schedules import cosine, evaluate, flow, linear_beta

X_T = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
PRIOR, POSTERIOR = of_gaussian(0.0, 1.0, linear_beta), of_gaussian(0.5, 0.5, linear_beta)


def test_scale_one_is_good_and_zero_is_bad():
    for scale, want in ((1.0, POSTERIOR), (0.0, PRIOR)):
        assert_close(tuple(extrapolate(POSTERIOR, PRIOR, scale)(X_T, 0.4)), tuple(want(X_T, 0.4)))


def test_classifier_free_guidance_in_the_papers_notation():
    """Ho & Salimans 2022, Eq. 6: (1 + w) eps(c) - w eps."""
    w = 2.5
    want = (1 + w) * POSTERIOR(X_T, 0.4).eps - w * PRIOR(X_T, 0.4).eps
    assert_close(extrapolate(POSTERIOR, PRIOR, 1 + w)(X_T, 0.4).eps, want)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_a_guided_guess_still_explains_x_t(scale):
    x0, eps = extrapolate(POSTERIOR, PRIOR, scale)(X_T, 0.4)
    alpha, sigma = evaluate(linear_beta, 0.4)
    assert_close(alpha * x0 + sigma * eps, X_T)


def test_given_fixes_the_label():
    means = torch.tensor([[-2.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    ones = torch.ones(2, dtype=torch.float64)
    denoiser = of_mixture(means, ones, ones, cosine)
    assert_close(given(denoiser, y=1)(X_T, 0.3).x0, of_gaussian(means[1], ones[0], cosine)(X_T, 0.3).x0)
    assert_close(given(denoiser, y=None)(X_T, 0.3).x0, denoiser(X_T, 0.3).x0)


def test_two_schedules_do_not_mix():
    with pytest.raises(ValueError, match="same schedule"):
        extrapolate(of_gaussian(0.0, 1.0, cosine), of_gaussian(0.0, 1.0, flow), 2.0)
