"""Guidance against the paper's formula and a Gaussian posterior in closed form."""

import math

import pytest
import torch
from torch.testing import assert_close

from minidiff.exact import of_gaussian, of_mixture
from minidiff.guidance import between, change_x0, clip, extrapolate, given, steer, threshold
from minidiff.predictions import Denoiser, Prediction
from minidiff.samplers import ddim_step, last, sample
from minidiff.schedules import cosine, evaluate, flow, linear_beta, uniform_times

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


@pytest.mark.parametrize("output, a, b", [("eps", 0, 1), ("x0", 1, 0), ("v", -1, 1)])
def test_rescaled_guidance_in_the_papers_notation(output, a, b):
    """Lin et al. 2024, Section 3.4: x_cfg times std(x_pos) / std(x_cfg), mixed with x_cfg by phi; sample by sample."""
    (alpha, sigma), phi = evaluate(linear_beta, 0.4), 0.7
    factors = (a * sigma, b * alpha) if output == "v" else (a, b)
    read = lambda guess: factors[0] * guess.x0 + factors[1] * guess.eps
    x_pos, x_cfg = read(POSTERIOR(X_T, 0.4)), read(extrapolate(POSTERIOR, PRIOR, 7.5)(X_T, 0.4))
    x_rescaled = torch.stack([cfg * pos.std() / cfg.std() for pos, cfg in zip(x_pos, x_cfg, strict=True)])
    guided = extrapolate(POSTERIOR, PRIOR, 7.5, rescale=phi, output=output)(X_T, 0.4)
    assert_close(read(guided), phi * x_rescaled + (1 - phi) * x_cfg)
    assert_close(alpha * guided.x0 + sigma * guided.eps, X_T)
    one = extrapolate(POSTERIOR, PRIOR, 7.5, rescale=1.0, output=output)(X_T[:, :1], 0.4)
    assert one.x0.isfinite().all()  # one coordinate has no standard deviation


def test_two_scales_in_the_papers_notation():
    """InstructPix2Pix (Brooks et al. 2023, Eq. 3) from two calls of extrapolate."""
    nothing, image, both = PRIOR, POSTERIOR, of_gaussian(-0.3, 0.7, linear_beta)
    s_image, s_text = 1.5, 7.5
    e = [one(X_T, 0.4).eps for one in (nothing, image, both)]
    want = e[0] + s_image * (e[1] - e[0]) + s_text * (e[2] - e[1])
    base = extrapolate(image, nothing, (s_text - s_image) / (s_text - 1))
    assert_close(extrapolate(both, base, s_text)(X_T, 0.4).eps, want)


def test_given_fixes_the_label():
    means = torch.tensor([[-2.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    ones = torch.ones(2, dtype=torch.float64)
    denoiser = of_mixture(means, ones, ones, cosine)
    assert_close(given(denoiser, y=1)(X_T, 0.3).x0, of_gaussian(means[1], ones[0], cosine)(X_T, 0.3).x0)
    assert_close(given(denoiser, y=None)(X_T, 0.3).x0, denoiser(X_T, 0.3).x0)


def test_two_schedules_do_not_mix():
    with pytest.raises(ValueError, match="same schedule"):
        extrapolate(of_gaussian(0.0, 1.0, cosine), of_gaussian(0.0, 1.0, flow), 2.0)
    with pytest.raises(ValueError, match="same schedule"):
        between(0.2, 0.8, of_gaussian(0.0, 1.0, cosine), of_gaussian(0.0, 1.0, flow))


def test_an_interval_has_its_upper_end_and_not_its_lower():
    guided = between(0.2, 0.6, POSTERIOR, PRIOR)
    for t, want in ((0.1, PRIOR), (0.2, PRIOR), (0.21, POSTERIOR), (0.6, POSTERIOR), (0.61, PRIOR)):
        assert_close(tuple(guided(X_T, t)), tuple(want(X_T, t)))


def test_what_is_not_used_is_not_asked():
    asked = []
    spy = Denoiser(cosine, lambda x, t: asked.append(t) or Prediction(x, x))
    between(0.2, 0.6, spy, of_gaussian(0.0, 1.0, cosine))(X_T, 0.9)
    assert asked == []


def evidence(x_t, t):
    """log p(y | x_t) for y = 1 seen through noise of variance 1/3: x0 given x_t is Gaussian, so y given x_t is too."""
    alpha, sigma = evaluate(linear_beta, t)
    mean, variance = alpha * x_t / (alpha**2 + sigma**2), sigma**2 / (alpha**2 + sigma**2)
    return -0.5 * ((1 - mean) ** 2 / (variance + 1 / 3)).sum(1)


def test_steering_by_the_exact_classifier_gives_the_exact_posterior():
    """Prior N(0, 1), observation 1 with variance 1/3: the posterior is N(3/4, 1/4), at every noise level."""
    posterior = of_gaussian(0.75, 0.5, linear_beta)
    for t in (0.05, 0.4, 0.95):
        assert_close(tuple(steer(PRIOR, evidence)(X_T, t)), tuple(posterior(X_T, t)))
    walk = lambda denoiser: last(sample(ddim_step, denoiser, X_T, uniform_times(30, 0.99)))
    assert_close(walk(steer(PRIOR, evidence)), walk(posterior))


def test_steering_is_linear_in_its_scale_and_stays_on_x_t():
    alpha, sigma = evaluate(linear_beta, 0.4)
    plain, once, twice = (steer(PRIOR, evidence, scale)(X_T, 0.4) for scale in (0.0, 1.0, 2.0))
    assert_close(tuple(plain), tuple(PRIOR(X_T, 0.4)))
    assert_close(twice.eps - once.eps, once.eps - plain.eps)
    assert_close(alpha * twice.x0 + sigma * twice.eps, X_T)


def test_steering_leaves_the_sample_it_looks_at_alone():
    x_t = X_T.clone()
    guided = steer(PRIOR, evidence)(x_t, 0.4)
    assert not x_t.requires_grad and not guided.x0.requires_grad


def test_steering_through_the_guess_reaches_the_network():
    """Diffusion posterior sampling: the gradient must go through the denoiser, here E[x0 | x_t] = alpha x_t."""
    through = steer(PRIOR, lambda x, t: -0.5 * (1 - PRIOR(x, t).x0).square().sum(1))
    alpha, sigma = evaluate(linear_beta, 0.4)
    assert_close(through(X_T, 0.4).eps, PRIOR(X_T, 0.4).eps - sigma * alpha * (1 - alpha * X_T))


def test_clipping_in_both_conventions():
    alpha, sigma = evaluate(linear_beta, 0.9)
    x_t, x0 = 3 * X_T, PRIOR(3 * X_T, 0.9).x0
    wild = Denoiser(linear_beta, lambda x, t: Prediction(8 * x, (x - alpha * 8 * x) / sigma))
    held, kept = clip(wild, -1.0, 1.0)(x_t, 0.9), clip(wild, -1.0, 1.0, keep_eps=True)(x_t, 0.9)
    assert_close(held.x0, (8 * x_t).clamp(-1, 1))
    assert_close(alpha * held.x0 + sigma * held.eps, x_t)
    assert_close(kept.x0, held.x0)
    assert_close(kept.eps, wild(x_t, 0.9).eps)
    assert_close(tuple(clip(PRIOR, -9.0, 9.0)(x_t, 0.9)), tuple(PRIOR(x_t, 0.9)))
    assert float(x0.abs().max()) < 9


def test_another_x0_in_place_of_the_predicted_one():
    alpha, sigma = evaluate(linear_beta, 0.4)
    known, plain = torch.tensor([True, False]), PRIOR(X_T, 0.4)
    put_in = lambda x0: torch.where(known, 2.0, x0)
    for keep in (False, True):
        got = change_x0(PRIOR, put_in, keep)(X_T, 0.4)
        assert_close(got.x0, torch.stack([torch.full_like(X_T[:, 0], 2.0), plain.x0[:, 1]], 1))
        assert_close(got.eps, plain.eps if keep else (X_T - alpha * got.x0) / sigma)
        with pytest.raises(ValueError, match=r"change must return another x0, \(6, 2\)"):
            change_x0(PRIOR, lambda x0: x0[0], keep)(X_T, 0.4)


def test_dynamic_thresholding_in_imagens_notation():
    """Saharia et al. 2022: s = max(percentile of |x0|, 1); x0 = clip(x0, -s, s) / s, each sample on its own."""
    x0 = torch.linspace(-3, 2, 12, dtype=torch.float64).reshape(2, 6)
    plain = Denoiser(flow, lambda x, t: Prediction(x0, x0))
    got = threshold(plain, 0.8)(x0, 0.5).x0
    for row, want in zip(got, x0, strict=False):
        s = max(float(torch.quantile(want.abs(), 0.8)), 1.0)
        assert_close(row, want.clamp(-s, s) / s)
    small = Denoiser(flow, lambda x, t: Prediction(x0 / 4, x0))
    assert_close(threshold(small, 0.8)(x0, 0.5).x0, x0 / 4)
    assert_close(threshold(plain, 1.0, limit=math.inf, keep_eps=True)(x0, 0.5).eps, x0)
    with pytest.raises(ValueError, match="quantile"):
        threshold(plain, 99.5)


def test_a_learned_variance_is_untouched_by_guidance():
    fraction = torch.rand(6, 2)
    told = Denoiser(linear_beta, lambda x, t: Prediction(*PRIOR(x, t), fraction))
    other = Denoiser(linear_beta, lambda x, t: Prediction(*POSTERIOR(x, t), 1 - fraction))
    guided = (
        extrapolate(told, other, 3.0),
        steer(told, evidence),
        clip(told),
        threshold(told),
        between(0, 1, told, other),
    )
    for denoiser in guided:
        assert denoiser(X_T, 0.4).fraction is fraction
