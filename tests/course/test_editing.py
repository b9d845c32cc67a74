"""Notebook 15's helpers: particles drawn again by weight, and a picture whose posterior is known, against algebra."""

import math

import pytest
import torch

from minidiff.course.tasks.editing import normal, resampled, smooth_pixels
from minidiff.engine.measurements import masking
from minidiff.schedules import cosine, evaluate


def dice(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("before, rho", [(math.inf, 1.0), (2.0, 0.7)])
def test_particles_are_drawn_again_as_often_as_they_fit(before, rho):
    """Systematic resampling: each as often as n times its weight, rounded up or down, within its own group."""
    x, y = normal(60, 2, seed=1), normal(60, 2, seed=2)
    eye, groups = masking(torch.tensor([1, 0])), 3
    y = eye.forward(y)
    fit = -(y - x)[:, 0].square() / 2 * (rho**-2 - (0 if before == math.inf else before**-2))
    weights = fit.reshape(groups, 20).softmax(1)
    drawn = resampled(x, y, eye, before, rho, groups, dice(3))
    assert drawn.shape == x.shape
    for mine, old, weight in zip(drawn.reshape(groups, 20, 2), x.reshape(groups, 20, 2), weights, strict=True):
        counts = (mine[:, None] == old).all(2).sum(0)
        assert counts.sum() == 20 and ((counts - 20 * weight).abs() < 1).all()


def test_equal_weights_leave_every_particle():
    x = normal(10, 2, seed=4)
    again = resampled(
        x, x[:, :1] * 0 + masking(torch.tensor([1, 0])).forward(x), masking(torch.tensor([1, 0])), 2.0, 1.0, 1, dice(5)
    )
    assert torch.equal(again, x)


NOISE = 0.4
SMOOTH = smooth_pixels(NOISE)


def precision():
    place = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0)).double()
    cov = torch.exp(-(place[:, None] - place).norm(dim=2) / 3)
    return cov, torch.linalg.inv(cov) + torch.diag((torch.arange(64) < 32).double() / NOISE**2)


def test_the_posterior_follows_from_its_precision():
    cov, precise = precision()
    torch.testing.assert_close(SMOOTH.std, torch.linalg.inv(precise).diag().sqrt())
    torch.testing.assert_close(SMOOTH.mean[0], torch.linalg.solve(precise, SMOOTH.y[0] / NOISE**2))
    drawn = SMOOTH.exact(40_000, 6)
    torch.testing.assert_close(drawn.T.cov(), torch.linalg.inv(precise), rtol=0, atol=0.03)
    torch.testing.assert_close(drawn.mean(0), SMOOTH.mean[0], rtol=0, atol=0.03)
    torch.testing.assert_close(SMOOTH.prior(40_000, 7).T.cov(), cov, rtol=0, atol=0.04)


def test_what_was_seen_is_the_upper_half_of_a_picture_in_noise():
    assert not SMOOTH.y[0, 32:].any() and torch.equal(SMOOTH.operator.forward(SMOOTH.y), SMOOTH.y)
    many = torch.cat([smooth_pixels(noise).y[:, :32] for noise in (0.0, 10.0)])
    assert many[0].std() < 2 and 6 < many[1].std() < 14  # the picture alone; the noise alone


@pytest.mark.parametrize("t", [0.2, 0.5, 0.8])
def test_the_denoiser_leaves_nothing_that_x_t_could_tell(t):
    """The error of a conditional mean is uncorrelated with what it was told."""
    alpha, sigma = evaluate(cosine, t)
    x0 = SMOOTH.prior(20_000, 8)
    x_t = alpha * x0 + sigma * normal(20_000, 64, seed=9)
    error = SMOOTH.denoiser(x_t, t).x0 - x0
    assert (error.T @ x_t / 20_000).abs().max() < 0.05
    assert error.square().mean() < 0.9 * sigma**2 / (alpha**2 + sigma**2)  # better than pixel by pixel
