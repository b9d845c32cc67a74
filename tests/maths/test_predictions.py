"""Predict: every target on every schedule gives back what was mixed; where it cannot, it says so."""

import math

import pytest
import torch
from torch.testing import assert_close

from minidiff.exact import of_gaussian
from minidiff.predictions import TARGETS, Denoiser, LearnedDenoiser, Prediction, coefficients, combine, on_path, solve
from minidiff.schedules import SCHEDULES, angle, at, cosine, edm, evaluate, flow, from_betas, linear_beta, time_at

X0, EPS = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
EACH = torch.tensor([0.05, 0.2, 0.4, 0.6, 0.8, 0.95], dtype=torch.float64)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("t", [0.02, 0.5, 0.97, EACH], ids=["early", "middle", "late", "each its own"])
def test_what_was_mixed_comes_back(target, schedule, t):
    (alpha, sigma), (a, b) = at(schedule, t, X0), at(coefficients(target, schedule), t, X0)
    x0, eps = solve(alpha * X0 + sigma * EPS, a * X0 + b * EPS, target, schedule, t)
    assert_close(x0, X0, rtol=1e-10, atol=1e-10)
    assert_close(eps, EPS, rtol=1e-10, atol=1e-10)


def test_targets_in_the_papers_notation():
    alpha, sigma = evaluate(linear_beta, 0.3)
    mixed = {name: [float(c) for c in at(coefficients(name, linear_beta), 0.3, X0)] for name in TARGETS}
    assert mixed["x0"] == [1, 0] and mixed["eps"] == [0, 1]
    assert_close(mixed["v"], [-sigma, alpha])  # v = alpha * eps - sigma * x0 (Salimans & Ho 2022)


def test_velocity_on_the_straight_path_is_noise_minus_data():
    a, b = at(coefficients("velocity", flow), 0.3, X0)
    assert_close(a * X0 + b * EPS, EPS - X0)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_velocity_is_how_fast_a_pair_travels(schedule):
    h, path = 1e-6, lambda t: at(schedule, t, X0)[0] * X0 + at(schedule, t, X0)[1] * EPS
    a, b = at(coefficients("velocity", schedule), 0.3, X0)
    assert_close((path(0.3 + h) - path(0.3 - h)) / (2 * h), a * X0 + b * EPS, rtol=1e-6, atol=1e-8)


def test_edm_is_the_preconditioning_of_karras():
    """D = c_skip x + c_out F (Karras et al. 2022, Eq. 7 and Table 1), sigma_data = 1, spelled out."""
    sigma, x, f = 1.7, X0 + 1.7 * EPS, torch.sin(5 * X0)
    c_skip, c_out = 1 / (sigma**2 + 1), sigma / math.sqrt(sigma**2 + 1)
    assert_close(solve(x, f, "edm", edm, sigma).x0, c_skip * x + c_out * f)


def test_edm_is_minus_v_where_the_variance_is_kept():
    for schedule in (cosine, linear_beta):
        edm_row, v_row = (at(coefficients(name, schedule), 0.3, X0) for name in ("edm", "v"))
        assert_close([-c for c in edm_row], list(v_row), rtol=1e-12, atol=0)


def test_v_is_the_direction_of_travel_on_a_quarter_turn():
    """On the cosine path x_t = cos * x0 + sin * eps, so v is dx_t / d(angle): differences must agree."""
    h, path = 1e-6, lambda t: at(cosine, t, X0)[0] * X0 + at(cosine, t, X0)[1] * EPS
    a, b = at(coefficients("v", cosine), 0.3, X0)
    assert_close((path(0.3 + h) - path(0.3 - h)) / (2 * h * math.pi / 2), a * X0 + b * EPS, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("t", [1.0, torch.full((6,), 1.0)])  # float32: cos(pi/2) is -4e-8, not 0
def test_noise_alone_does_not_tell_the_picture(t):
    x = torch.randn(6, 3)
    with pytest.raises(ValueError, match="'eps' cannot tell x0 from eps"):
        solve(x, x, "eps", cosine, t)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("t", [0.0, torch.zeros(6, dtype=torch.float64)])
def test_without_noise_there_is_nothing_to_guess(target, t):
    x_t = X0.clone()
    x_t[0] = 0.0  # black pixels are numbers too
    x0, eps = solve(x_t, torch.full_like(X0, 7.0), target, cosine, t)
    assert_close(x0, x_t)
    assert_close(eps, torch.zeros_like(X0))


@pytest.mark.parametrize("t", [0.0, torch.zeros(6, dtype=torch.float64)])
def test_what_is_left_at_the_clean_end_is_scaled_back(t):
    """Every named schedule has alpha = 1 there; on a path that doubles the data, x0 is half of x_t."""
    doubled = lambda t: (torch.full_like(t, 2.0), t)
    x0, eps = solve(2 * X0, torch.full_like(X0, 7.0), "v", doubled, t)
    assert_close((x0, eps), (X0, torch.zeros_like(X0)))


def test_one_sample_that_cannot_be_told_is_enough():
    t = torch.tensor([0.1, 0.5, 1.0])
    with pytest.raises(ValueError, match="'eps' cannot tell x0 from eps"):
        solve(torch.randn(3, 2), torch.randn(3, 2), "eps", cosine, t)


def test_unknown_target_is_refused_at_once():
    with pytest.raises(ValueError, match="target must be one of 'x0', 'eps', 'v', .* got 'score'"):
        LearnedDenoiser(torch.nn.Identity(), cosine, "score")


class Spy(torch.nn.Module):
    def forward(self, x, level, **cond):
        self.x, self.level, self.cond = x, level, cond
        return x


@pytest.mark.parametrize("t", [10.0, torch.tensor(10.0), torch.full((6,), 10.0)])
def test_the_network_sees_unit_variance_and_the_noise_angle(t):
    denoiser = LearnedDenoiser(Spy(), edm, "x0")
    x = torch.randn(6, 3)
    denoiser(x, t, y=4)
    assert_close(denoiser.net.x, x / math.sqrt(1 + 10**2))
    assert_close(denoiser.net.level, torch.full((6,), 2 / math.pi * math.atan(10.0)))
    assert denoiser.net.cond == {"y": 4}
    denoiser(x, math.sqrt(3))
    assert_close(denoiser.net.x, x / 2)
    LearnedDenoiser(denoiser.net, flow, "x0")(x, 0.25)  # where alpha is not 1
    assert_close(denoiser.net.x, x / math.sqrt(0.75**2 + 0.25**2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_level_comes_as_the_samples_do(dtype):
    denoiser, x = LearnedDenoiser(Spy(), cosine, "x0"), torch.ones(2, 3, dtype=dtype)
    evaluate(cosine, 0.25)  # remembered from here on
    with torch.device("meta"):  # another default device, whose tensors hold no numbers
        denoiser.output(x, 0.25)
    assert_close(denoiser.net.level, torch.full((2,), 0.25, dtype=dtype))


def test_a_denoiser_keeps_its_schedule():
    with pytest.raises(AttributeError):
        of_gaussian(0.0, 1.0, cosine).schedule = flow


def test_a_network_that_is_right_makes_an_exact_denoiser():
    """Read the exact posterior mean through each target: the learned denoiser must give it back."""
    exact = of_gaussian(0.5, 2.0, cosine)
    x_t = torch.randn(6, 3, dtype=torch.float64)
    for target in TARGETS:
        a, b = at(coefficients(target, cosine), 0.4, x_t)
        x0, eps = exact(x_t, 0.4)

        right = torch.nn.Identity()
        right.forward = lambda x, level, answer=a * x0 + b * eps: answer
        assert_close(tuple(LearnedDenoiser(right, cosine, target)(x_t, 0.4)), (x0, eps))


def test_a_denoiser_passes_its_condition_on():
    denoiser = Denoiser(cosine, lambda x_t, t, y: (x_t, y))
    assert denoiser(X0, 0.5, y=3)[1] == 3


def test_a_guess_unpacks_as_two_and_carries_a_third():
    prediction = of_gaussian(0.5, 2.0, cosine)(X0, 0.4)
    x0, eps = prediction
    assert torch.equal(x0, prediction.x0) and torch.equal(eps, prediction.eps) and prediction.fraction is None
    given = Prediction(x0, eps, X0)
    assert given.x0 is x0 and given.eps is eps and given.fraction is X0


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_any_mixture_of_a_guess_is_one_of_its_two_parts(schedule):
    """Where x0 and eps are the truth, every mixture of the guess is known, the path and the target among them."""
    eps, numbers = torch.cos(3 * X0), [(0.3, -2.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.5), (-0.7, 0.0)]
    alpha, sigma = evaluate(schedule, 0.4)
    (a, b) = evaluate(coefficients("v", schedule), 0.4)
    for guess in (Prediction(X0, eps), solve(alpha * X0 + sigma * eps, a * X0 + b * eps, "v", schedule, 0.4)):
        for a, b in numbers:
            assert_close(guess.mix(a, b), a * X0 + b * eps, rtol=1e-12, atol=1e-12)
    assert str(guess).startswith("Prediction(x0=tensor")


def test_the_second_half_of_twice_the_channels_is_a_learned_variance():
    """Nichol & Dhariwal 2021: the network's -1 is the small variance, its 1 the large; the mean is the first half's."""

    class Both(torch.nn.Module):
        def forward(self, x, level):
            return torch.cat([torch.sin(x), torch.linspace(-1, 1, x.numel()).reshape(x.shape)], 1)

    class One(torch.nn.Module):
        def forward(self, x, level):
            return torch.sin(x)

    two, one = (LearnedDenoiser(net, linear_beta, "eps")(X0, 0.4) for net in (Both(), One()))
    assert_close(tuple(two), tuple(one))
    assert_close(two.fraction.flatten(), torch.linspace(0, 1, X0.numel()), check_dtype=False)
    assert one.fraction is None


PATHS = {**SCHEDULES, "table": from_betas(torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))}


@pytest.mark.parametrize("own", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("other", PATHS.values(), ids=PATHS)
def test_a_denoiser_on_another_path_is_the_one_made_there(own, other):
    """The posterior mean depends on the noise-to-signal ratio alone, so the closed form of the other path must come out."""
    moved, made = on_path(of_gaussian(0.5, 0.8, own), other), of_gaussian(0.5, 0.8, other)
    assert moved.schedule is other
    for t in (0.0, 0.1, 0.5, 0.8):
        assert_close(tuple(moved(X0, t)), tuple(made(X0, t)), rtol=1e-6, atol=1e-8)


def test_a_network_on_another_path_is_asked_as_on_its_own():
    """Karras et al. 2022, Appendix C.1: a variance-preserving network on EDM's path sees x / sqrt(sigma^2 + 1)."""
    learned = LearnedDenoiser(Spy(), linear_beta, "eps")
    sigma = 3.0
    on_path(learned, edm)(X0, sigma, y=2)
    assert_close(learned.net.x, X0 / math.sqrt(sigma**2 + 1))
    assert_close(learned.net.level, torch.full((6,), 2 / math.pi * math.atan(sigma)).double())
    assert learned.net.cond == {"y": 2}


def test_a_path_that_is_noisier_than_the_denoiser_knows_is_refused():
    with pytest.raises(ValueError, match="begin with less noise"):
        on_path(of_gaussian(0.0, 1.0, linear_beta), cosine)(X0, 1.0)
    assert time_at(linear_beta, angle(*evaluate(cosine, 0.99))) < 1


@pytest.mark.parametrize("a", [0.0, -0.0, 1.0, -1.0, 0.3])
@pytest.mark.parametrize("b", [0.0, 1.0, -1.0, 0.7])
def test_combine_is_the_sum_it_says(a, b):
    x, y, before = X0.clone(), X0.flip(0), X0.flip(0)
    assert_close(combine(a, x, b, y), torch.stack([a * X0, b * before]).sum(0), rtol=1e-15, atol=1e-15)
    assert torch.equal(x, X0) and torch.equal(y, before)  # nothing in place: y may be what a network keeps


def test_what_a_network_says_itself_is_taken_as_it_is():
    for target, part in (("x0", 0), ("eps", 1)):
        assert tuple(solve(X0, out := X0.flip(0), target, cosine, 0.4))[part] is out
