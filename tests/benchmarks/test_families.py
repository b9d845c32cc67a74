"""The parts of notebook 14's benchmark against closed forms and other libraries, and its record against a fresh start."""

import math
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from minidiff.course.tasks import four_families as tasks
from tests.benchmarks import families

DATA = Path(__file__).parents[2] / "data"


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mixture, modes, apart", [(tasks.ring(), 8, 76.54), (tasks.grid(), 25, 40)])
def test_the_yardsticks_are_those_of_pacgan(mixture, modes, apart):
    """Neighbours are 2 sin(pi / 8) / 0.01 and 2 / 0.05 standard deviations apart, and the set is standardised."""
    means, stds = mixture.means, mixture.stds
    gaps = torch.cdist(means, means)[~torch.eye(modes, dtype=bool)]
    assert len(means) == modes and (mixture.weights == mixture.weights[0]).all()
    assert_close(gaps.min() / stds[0], torch.tensor(float(apart)), rtol=1e-3, atol=0)
    assert_close(means.square().mean() + stds[0] ** 2, torch.tensor(1.0), rtol=1e-5, atol=0)


def by_hand(x, means, stds):
    """The score in loops, as the papers say it."""
    counts = [0] * len(means)
    for point in x.tolist():
        far = [math.dist(point, mean) / std for mean, std in zip(means.tolist(), stds.tolist(), strict=True)]
        if min(far) < 3:
            counts[far.index(min(far))] += 1
    shares = [count / sum(counts) for count in counts if count]
    return len(shares), sum(counts) / len(x), sum(q * math.log(q * len(means)) for q in shares)


def test_the_score_is_what_the_papers_say():
    mixture = tasks.ring()
    x = torch.cat([mixture.sample(300, seed=3).x[:, :] * 1.02, normal(50, 2, seed=1)])
    assert tasks.our_score(x, mixture.means, mixture.stds) == pytest.approx(by_hand(x, mixture.means, mixture.stds))


@pytest.mark.parametrize("mixture", [tasks.ring(), tasks.grid()])
def test_perfect_samples_score_what_they_should_and_one_mode_scores_log_k(mixture):
    modes, quality, kl = tasks.our_score(mixture.sample(20_000, seed=4).x, mixture.means, mixture.stds)
    assert modes == len(mixture.means) and abs(quality - (1 - math.exp(-4.5))) < 0.003  # four standard errors
    assert 0 < kl < 3 * (modes - 1) / 40_000
    one = mixture.means[3] + mixture.stds[3] * normal(1_000, 2)
    assert tasks.our_score(one, mixture.means, mixture.stds)[::2] == pytest.approx((1, math.log(modes)))
    assert tasks.our_score(one + 1.5, mixture.means, mixture.stds)[:2] == (0, 0)


def test_the_losses_are_binary_cross_entropies():
    real, fake = 3 * normal(40, 1), 3 * normal(40, 1, seed=1)
    one, none = torch.ones(40, 1), torch.zeros(40, 1)
    entropy = F.binary_cross_entropy_with_logits
    assert_close(tasks.our_gan_losses(real, fake), (entropy(real, one) + entropy(fake, none), entropy(fake, one)))


def test_the_divergence_is_that_of_two_mixtures_counted_by_hand():
    """Half of eight modes against all: 1/2 log(4/3)/2 + 1/2 log(4/3) nats."""
    on, off = math.log(1 / 2), 60.0  # log(p / q) where both are, and where only p is
    real = torch.tensor([on] * 4 + [off] * 4)[:, None]
    assert_close(tasks.our_divergence(real, torch.full((8, 1), on)), torch.tensor(0.75 * math.log(4 / 3)))
    assert_close(tasks.our_divergence(0 * real, 0 * real), torch.tensor(0.0))


def linear_vae():
    """x = W z + 0.5 noise with the exact posterior: log p(x) is known, and the ELBO reaches it."""
    mix, std = normal(2, 3), torch.tensor(0.5)
    precision = torch.eye(2) + mix @ mix.T / std**2
    cross = torch.linalg.solve(precision, mix) / std**2
    truth = torch.distributions.MultivariateNormal(torch.zeros(3), mix.T @ mix + std**2 * torch.eye(3))
    return mix, std, torch.linalg.inv(precision), cross, truth


def test_the_elbo_is_a_bound_and_its_kl_is_torchs():
    mix, std, cov, cross, truth = linear_vae()
    x = truth.sample((6,))
    mean, log_var = x @ cross.T, cov.diag().log().expand(6, 2)
    corners = math.sqrt(2) * torch.cat([torch.eye(2), -torch.eye(2)])  # their average is exact for squares of eps
    draws = [tasks.our_elbo(x, mean, log_var, corner.expand(6, 2), lambda z: z @ mix, std) for corner in corners]
    likely, kl = torch.stack([d[0] for d in draws]).mean(0), draws[0][1]
    prior, posterior = (torch.distributions.Normal(*pair) for pair in ((0.0, 1.0), (mean, (log_var / 2).exp())))
    assert_close(kl, torch.distributions.kl_divergence(posterior, prior).sum(1), rtol=1e-5, atol=1e-6)
    gap = truth.log_prob(x) - (likely - kl)  # KL of the independent posterior to the true one, the same for every x
    true = torch.distributions.MultivariateNormal(torch.zeros(2), cov)
    lone = torch.distributions.MultivariateNormal(torch.zeros(2), cov.diag().diag())
    assert_close(gap, torch.distributions.kl_divergence(lone, true).expand(6), rtol=1e-4, atol=1e-4)


def test_importance_weighting_finds_log_p_of_a_linear_vae():
    mix, std, cov, cross, truth = linear_vae()
    x = truth.sample((8,))
    encoder = lambda x: torch.cat([x @ cross.T, (1.2 * cov.diag()).log().expand(len(x), 2)], 1)
    found = families.weighted(encoder, lambda z: z @ mix, std, x, codes=3_000)
    assert_close(found, truth.log_prob(x), rtol=0, atol=0.1)


def test_the_gans_penalty_is_half_the_squared_slope_and_packing_shows_several_at_once():
    def first(penalty, pack=1):
        torch.manual_seed(0)
        nets = tasks.layers(2, 8, 2), nn.Sequential(nn.Linear(2 * pack, 1))
        training = tasks.train_gan(
            *nets, normal(50, 2), tasks.our_gan_losses, steps=100, lr=1e-3, penalty=penalty, pack=pack, batch=16
        )
        slope = nets[1][0].weight.detach().square().sum()
        return next(training), slope

    (plain, slope), (penalised, _) = first(0.0), first(0.6)
    assert_close(penalised[0] - plain[0], 0.3 * slope)
    (packed, slope), (penalised, _) = first(0.0, pack=2), first(0.6, pack=2)
    assert_close(penalised[0] - packed[0], 0.3 * slope)


def test_each_player_moves_its_own_network_by_adams_first_step():
    """With beta 1 = 0 the first step of Adam is the learning rate times the sign of the gradient."""
    torch.manual_seed(0)
    nets = tasks.layers(2, 8, 2), tasks.layers(2, 8, 1)
    before = [[p.clone() for p in net.parameters()] for net in nets]
    next(tasks.train_gan(*nets, normal(50, 2), tasks.our_gan_losses, steps=10, lr=1e-3))  # warm-up of one step
    for net, old in zip(nets, before, strict=True):
        for new, was in zip(net.parameters(), old, strict=True):
            moved = (new - was).abs()
            assert_close(moved[moved > 0], torch.full_like(moved[moved > 0], 1e-3), rtol=5e-2, atol=0)
            assert (moved > 0).any()


def test_a_gan_finds_a_gaussian():
    torch.manual_seed(0)
    x, nets = 0.5 * normal(4_000, 1) + 1.5, (tasks.layers(1, 16, 1), tasks.layers(1, 16, 1))
    for _ in tasks.train_gan(*nets, x, tasks.our_gan_losses, steps=400, lr=5e-3, penalty=0.1, batch=64):
        pass
    made = nets[0](normal(2_000, 1, seed=9))
    assert abs(made.mean() - 1.5) < 0.25 and 0.25 < made.std() < 0.75


def test_the_vae_begins_without_the_kl_term_and_learns_its_noise():
    torch.manual_seed(0)
    x, nets, log_std = 0.5 * normal(4_000, 2), (tasks.layers(2, 16, 2), tasks.layers(1, 16, 2)), torch.zeros(())
    likely = lambda x, *rest: (-x[:, 0].square(), 7 + 0 * rest[0].sum(1))
    options = {"steps": 100, "lr": 1e-3, "batch": 64}
    cold = list(islice(tasks.train_vae(*nets, log_std, x, likely, **options), 1))
    warm = list(islice(tasks.train_vae(*nets, log_std, x, likely, warm=0.5, **options), 26))
    assert_close(cold[0] - warm[0], torch.tensor(7.0))
    assert_close(warm[25] - warm[0], torch.tensor(3.5), rtol=0, atol=0.5)
    log_std.requires_grad_()
    for _ in tasks.train_vae(*nets, log_std, x, tasks.our_elbo, steps=300, lr=1e-2, batch=64):
        pass
    assert 0.05 < log_std.exp() < 0.55  # at most the data's 0.5, since less is left to be explained
