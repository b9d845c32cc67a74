"""Samples given a measurement: each method beside a closed form, or the paper's own notation."""

import math

import pytest
import torch
from torch.testing import assert_close

from minidiff.engine.measurements import averaging, blurring, masking, mixing, projecting
from minidiff.exact import of_gaussian, of_mixture
from minidiff.inverse import ddnm, dps, pigdm, repaint, replacement, residual
from minidiff.predictions import Denoiser, Prediction
from minidiff.samplers import ddim_step, ddpm_step, heun_step, last, sample
from minidiff.schedules import cosine, edm, evaluate, flow, linear_beta, uniform_times
from minidiff.solvers import churned


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


MATRIX = noise(2, 3, seed=1)
KERNEL = torch.tensor([[0.1, 0.5], [0.15, 0.25]], dtype=torch.float64)
CASES = {
    "mask": (masking(torch.tensor([1.0, 0.0, 1.0])), (3,)),
    "projections": (projecting(MATRIX), (3,)),
    "averages": (averaging(2), (1, 4, 4)),
    "blur": (blurring(KERNEL), (1, 3, 4)),
    "grey": (mixing(torch.tensor([0.5, 0.2, 0.3])), (3, 2, 2)),
}
each = pytest.mark.parametrize("operator, shape", CASES.values(), ids=CASES)
PROJECTION = projecting(MATRIX)
X = noise(6, 3, seed=2)
Y = PROJECTION.forward(noise(6, 3, seed=3))
BENT = of_mixture(noise(4, 3, seed=4), torch.tensor([0.3, 0.5, 0.2, 0.9]), torch.ones(4), cosine)


def dense(operator, shape):
    units = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    return operator.forward(units).flatten(1).T


# PiGDM: exact where the data is N(0, std^2 I)


@each
@pytest.mark.parametrize("schedule", [linear_beta, edm, flow], ids=lambda schedule: schedule.__name__)
def test_pigdm_is_bayes_rule_on_round_gaussian_data(operator, shape, schedule):
    """The precisions of the data, of y and of x_t add up, in the coordinates of the dense matrix."""
    std, spread = 0.7, 0.3
    x_t, matrix = noise(5, *shape, seed=5), dense(operator, shape)
    y = operator.forward(noise(5, *shape, seed=6)) + spread * operator.forward(noise(5, *shape, seed=7))
    guided = pigdm(of_gaussian(0.0, std, schedule), operator, y, spread, std)
    for t in (0.02, 0.4, 0.97):
        alpha, sigma = evaluate(schedule, t)
        eye = torch.eye(matrix.shape[1], dtype=torch.float64)
        precision = eye * (1 / std**2 + alpha**2 / sigma**2) + matrix.T @ matrix / spread**2
        told = y.flatten(1) @ matrix / spread**2 + alpha / sigma**2 * x_t.flatten(1)
        wanted = torch.linalg.solve(precision, told.T).T.reshape(x_t.shape)
        got = guided(x_t, t)
        assert_close(got.x0, wanted)
        assert_close(alpha * got.x0 + sigma * got.eps, x_t)


def test_pigdm_samples_the_product_of_two_gaussians():
    """Data N(0, 1), y = 1 seen through noise of variance 1/3: the posterior is N(3/4, 1/4), also along the ODE."""
    noisy = noise(4, 1, seed=8)
    times = uniform_times(30, 0.99)
    guided = pigdm(of_gaussian(0.0, 1.0, cosine), masking(1), torch.ones(1, 1).double(), 3**-0.5)
    exact = of_gaussian(0.75, 0.5, cosine)
    assert_close(*(last(sample(ddim_step, one, noisy, times)) for one in (guided, exact)))


@each
def test_pigdm_without_noise_ends_at_the_measurement(operator, shape):
    x_t, y = noise(5, *shape, seed=9), operator.forward(noise(5, *shape, seed=10))
    guided = pigdm(of_gaussian(0.0, 1.0, cosine), operator, y)
    assert_close(operator.forward(guided(x_t, 0.3).x0), y)
    assert_close(guided(x_t, 0.0).x0, x_t)  # nothing is hidden there
    assert guided(x_t, 1.0).x0.isfinite().all()
    assert pigdm(of_gaussian(0.0, 1.0, cosine), operator, y, std=0.0)(x_t, 0.3).x0.isfinite().all()


# DDNM: another x0 with the same null space


@each
def test_ddnm_is_the_projection_of_the_predicted_x0(operator, shape):
    """A^+ y + (I - A^+ A) x0, as the paper writes it, with torch's pseudo-inverse of the dense matrix."""
    x_t, y = noise(5, *shape, seed=11), operator.forward(noise(5, *shape, seed=12))
    plain, matrix = of_gaussian(0.4, 0.8, linear_beta), dense(operator, shape)
    got, (alpha, sigma) = ddnm(plain, operator, y)(x_t, 0.4), evaluate(linear_beta, 0.4)
    inverse, x0 = torch.linalg.pinv(matrix, rtol=1e-5), plain(x_t, 0.4).x0.flatten(1)
    wanted = y.flatten(1) @ inverse.T + x0 - x0 @ (inverse @ matrix).T
    assert_close(got.x0.flatten(1), wanted)
    assert_close(operator.forward(got.x0), y)
    assert_close(alpha * got.x0 + sigma * got.eps, x_t)


def test_ddnm_keeps_the_pixels_that_are_known():
    mask = torch.tensor([True, False, True])
    y = masking(mask).forward(noise(6, 3, seed=13))
    end = last(sample(ddpm_step, ddnm(BENT, masking(mask), y), X, uniform_times(20), generator=seeded()))
    assert_close(end[:, mask], y[:, mask], rtol=0, atol=1e-14)
    assert (end[:, ~mask] - y[:, ~mask]).abs().min() > 1e-3


def test_one_measurement_serves_all_samples():
    for make in (ddnm, pigdm):
        assert_close(make(BENT, PROJECTION, Y[:1])(X, 0.4).x0, make(BENT, PROJECTION, Y[:1].expand(6, 2))(X, 0.4).x0)


# DPS: one norm a sample


@each
def test_dps_moves_down_the_gradient_of_the_distance(operator, shape):
    """On N(0, s^2) the predicted x0 is a number times x_t, so that the gradient of |y - A x0| is known."""
    s, t, u, scale = 0.6, 0.7, 0.5, 0.3
    x_t, y, plain = noise(5, *shape, seed=14), operator.forward(noise(5, *shape, seed=15)), of_gaussian(0, s, flow)
    alpha, sigma = evaluate(flow, t)
    slope = alpha * s**2 / (alpha**2 * s**2 + sigma**2)
    matrix = dense(operator, shape)
    gap = y.flatten(1) - slope * x_t.flatten(1) @ matrix.T
    unit = gap / gap.square().sum(1, keepdim=True).sqrt()
    wanted = ddim_step(plain, x_t, t, u) + scale * slope * (unit @ matrix).reshape(x_t.shape)
    assert_close(dps(ddim_step, operator, y, scale)(plain, x_t, t, u), wanted)


def test_dps_has_a_scale_of_1_by_default():
    got, plain = dps(ddim_step, PROJECTION, Y)(BENT, X, 0.6, 0.5), ddim_step(BENT, X, 0.6, 0.5)
    assert_close(got - plain, 2 * (dps(ddim_step, PROJECTION, Y, 0.5)(BENT, X, 0.6, 0.5) - plain))


def test_dps_does_not_depend_on_the_batch():
    step = dps(ddim_step, PROJECTION, Y, 0.5)
    alone = [dps(ddim_step, PROJECTION, Y[i : i + 1], 0.5)(BENT, X[i : i + 1], 0.6, 0.5) for i in range(6)]
    assert_close(step(BENT, X, 0.6, 0.5), torch.cat(alone))


def test_dps_asks_the_network_once():
    asked = []
    spy = Denoiser(cosine, lambda x, t: asked.append(t) or BENT(x, t))
    dps(ddim_step, PROJECTION, Y)(spy, X, 0.6, 0.5)
    assert asked == [0.6]
    dps(heun_step, PROJECTION, Y)(spy, X, 0.6, 0.5)
    assert asked == [0.6, 0.6, 0.5]


@pytest.mark.parametrize("step", [ddim_step, heun_step, churned(ddim_step, 0.3)], ids=["ddim", "heun", "churned"])
def test_dps_with_a_scale_of_0_is_the_step(step):
    got = dps(step, PROJECTION, Y, 0.0)(BENT, X, 0.6, 0.5, generator=seeded())
    assert_close(got, step(BENT, X, 0.6, 0.5, generator=seeded()))


def test_dps_comes_closer_to_the_measurement_and_leaves_no_graph():
    x_t = X.clone()
    with torch.inference_mode():
        near, far = (dps(ddim_step, PROJECTION, Y, scale)(BENT, x_t, 0.3, 0.2) for scale in (0.1, -0.1))
    distance = lambda x: residual(PROJECTION, BENT(x, 0.2).x0, Y).norm(dim=1)
    assert (distance(near) < distance(far)).all()
    assert not dps(ddim_step, PROJECTION, Y)(BENT, x_t, 0.3, 0.2).requires_grad
    assert not x_t.requires_grad


def test_dps_stands_still_where_nothing_is_missing():
    zero = Denoiser(cosine, lambda x, t: Prediction(0 * x, x))
    still = dps(ddim_step, masking(1), torch.zeros(1, 3).double())(zero, X, 0.6, 0.5)
    assert_close(still, ddim_step(zero, X, 0.6, 0.5))


# replacement and RePaint


def test_replacement_puts_in_what_is_known_as_noisy_as_the_rest():
    """For a mask, alpha_s y + sigma_s noise where it is known, and the step's own x_s elsewhere."""
    mask = torch.tensor([True, False, True])
    y = masking(mask).forward(noise(6, 3, seed=16))
    got = replacement(ddim_step, masking(mask), y)(BENT, X, 0.6, 0.4, generator=seeded(1))
    alpha, sigma = evaluate(cosine, 0.4)
    known = alpha * y + sigma * noise(6, 3, seed=1)
    assert_close(got, torch.where(mask, known, ddim_step(BENT, X, 0.6, 0.4)))
    again = lambda: replacement(ddpm_step, masking(mask), y)(BENT, X, 0.6, 0.4, generator=seeded(1))
    assert_close(again(), again())
    end = replacement(ddim_step, masking(mask), y)(BENT, X, 0.2, 0.0)
    assert_close(end[:, mask], y[:, mask], rtol=0, atol=1e-14)


@each
def test_replacement_changes_only_what_is_measured(operator, shape):
    x_t, y = noise(5, *shape, seed=17), operator.forward(noise(5, *shape, seed=18))
    plain, (alpha, sigma) = of_gaussian(0.4, 0.8, linear_beta), evaluate(linear_beta, 0.3)
    got = replacement(ddim_step, operator, y)(plain, x_t, 0.5, 0.3, generator=seeded(2))
    z = noise(5, *shape, seed=2)
    assert_close(operator.forward(got), alpha * y + sigma * operator.forward(z))
    change = got - ddim_step(plain, x_t, 0.5, 0.3)
    assert_close(operator.pinv(operator.forward(change)), change)


def test_repaint_in_the_papers_notation():
    """Lugmayr et al. 2022, Algorithm 1, line 9: x_t ~ N(sqrt(1 - beta) x_{t-1}, beta I), with beta of this step."""
    bar = lambda t: evaluate(linear_beta, t)[0] ** 2
    plain, beta = of_gaussian(0.4, 0.8, linear_beta), 1 - bar(0.5) / bar(0.45)
    x, rand = X, seeded(3)
    draw = lambda: torch.randn(x.shape, generator=rand, dtype=torch.float64)
    for _ in range(2):
        x = ddpm_step(plain, x, 0.5, 0.45, generator=rand)
        x = math.sqrt(1 - beta) * x + math.sqrt(beta) * draw()
    x = ddpm_step(plain, x, 0.5, 0.45, generator=rand)
    assert_close(repaint(ddpm_step, 3)(plain, X, 0.5, 0.45, generator=seeded(3)), x)
    once = repaint(ddpm_step, 1)(plain, X, 0.5, 0.45, generator=seeded(3))
    assert_close(once, ddpm_step(plain, X, 0.5, 0.45, generator=seeded(3)))


def test_repaint_goes_back_ten_times_by_default():
    asked = []
    spy = Denoiser(cosine, lambda x, t: asked.append(t) or BENT(x, t))
    repaint(ddim_step)(spy, X, 0.6, 0.5, generator=seeded())
    assert asked == [0.6] * 10


@pytest.mark.parametrize("name, low, high", [("replacement", 0.20, 0.30), ("repaint", 0.39, 0.47)])
def test_what_replacement_is_biased_by_repaint_mends(name, low, high):
    """Two coordinates of correlation 1/2, and the first is 1: the second's mean is 1/2. Four standard errors: 0.05."""
    rho, y, n = 0.5, torch.tensor([[1.0, 0.0]], dtype=torch.float64), 4_000
    covariance = torch.tensor([[1.0, rho], [rho, 1.0]], dtype=torch.float64)

    def predict(x, t):
        alpha, sigma = evaluate(cosine, t)
        seen = alpha**2 * covariance + sigma**2 * torch.eye(2, dtype=torch.float64)
        x0 = alpha * x @ torch.linalg.solve(seen, covariance)
        return Prediction(x0, (x - alpha * x0) / sigma)

    step = replacement(ddpm_step, masking(torch.tensor([1, 0])), y)
    step = repaint(step, 5) if name == "repaint" else step
    x = noise(n, 2, seed=19)
    end = last(sample(step, Denoiser(cosine, predict), x, uniform_times(30, 0.99), generator=seeded(4)))
    assert low < end[:, 1].mean() < high


@pytest.mark.parametrize(
    "use, error, said",
    [
        (lambda: ddnm(BENT, lambda x: x, Y)(X, 0.4), TypeError, "operator must be an Operator"),
        (lambda: ddnm(BENT, PROJECTION, Y[:3])(X, 0.4), ValueError, "y, of shapes"),
        (lambda: pigdm(BENT, PROJECTION, Y.tolist())(X, 0.4), TypeError, "y must be an ordinary floating-point"),
        (lambda: pigdm(BENT, PROJECTION, Y, noise=-1.0)(X, 0.4), ValueError, "noise must lie in"),
        (lambda: pigdm(BENT, PROJECTION, Y, std=-1.0)(X, 0.4), ValueError, "std must lie in"),
        (lambda: dps(ddim_step, PROJECTION, Y, math.nan)(BENT, X, 0.4, 0.3), ValueError, "scale must lie"),
        (lambda: dps(None, PROJECTION, Y), TypeError, "a step, as ddim_step is"),
        (lambda: repaint("ddim"), TypeError, "a step, as ddim_step is"),
        (lambda: repaint(ddim_step, 0)(BENT, X, 0.4, 0.3), ValueError, "times must be a whole number"),
        (lambda: replacement(ddim_step(BENT, X, 0.4, 0.3), PROJECTION, Y), TypeError, "a step, as ddim_step is"),
    ],
)
def test_what_cannot_be_meant_is_refused(use, error, said):
    with pytest.raises(error, match=said):
        use()
