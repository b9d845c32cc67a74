"""The parts of notebook 14's benchmark against closed forms and other libraries, and its record against a fresh start."""

import json
import math
import re
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


@pytest.mark.slow
def test_a_gan_finds_a_gaussian():
    torch.manual_seed(0)
    x, nets = 0.5 * normal(4_000, 1) + 1.5, (tasks.layers(1, 16, 1), tasks.layers(1, 16, 1))
    for _ in tasks.train_gan(*nets, x, tasks.our_gan_losses, steps=400, lr=5e-3, penalty=0.1, batch=64):
        pass
    made = nets[0](normal(2_000, 1, seed=9))
    assert abs(made.mean() - 1.5) < 0.25 and 0.25 < made.std() < 0.75


def test_the_vae_begins_without_the_kl_term():
    torch.manual_seed(0)
    x, nets, log_std = 0.5 * normal(4_000, 2), (tasks.layers(2, 16, 2), tasks.layers(1, 16, 2)), torch.zeros(())
    likely = lambda x, *rest: (-x[:, 0].square(), 7 + 0 * rest[0].sum(1))
    options = {"steps": 100, "lr": 1e-3, "batch": 64}
    cold = list(islice(tasks.train_vae(*nets, log_std, x, likely, **options), 1))
    warm = list(islice(tasks.train_vae(*nets, log_std, x, likely, warm=0.5, **options), 26))
    assert_close(cold[0] - warm[0], torch.tensor(7.0))
    assert_close(warm[25] - warm[0], torch.tensor(3.5), rtol=0, atol=0.5)


@pytest.mark.slow
def test_the_vae_learns_its_noise():
    torch.manual_seed(0)
    nets, log_std = (tasks.layers(2, 16, 2), tasks.layers(1, 16, 2)), torch.zeros((), requires_grad=True)
    for _ in tasks.train_vae(*nets, log_std, 0.5 * normal(4_000, 2), tasks.our_elbo, steps=300, lr=1e-2, batch=64):
        pass
    assert 0.05 < log_std.exp() < 0.55  # at most the data's 0.5, since less is left to be explained


def test_overlap_is_the_mass_that_samples_cover():
    half = torch.tensor([0, 0, 0, 1])  # of 8 samples, 4 are near a mode; 2 of 4 modes are drawn, one too often
    assert families.overlap(half, 4, 8, 1.0) == pytest.approx(2 / 8 + 1 / 8)
    assert families.overlap(torch.arange(4).repeat(2), 4, 8, 0.9) == pytest.approx(0.9)


def test_a_kernels_density_is_that_of_a_mixture():
    samples, points = normal(10_000, 2, seed=3), normal(20, 2, seed=4)
    found = families.kernel(lambda n, dice: samples, points)["0.2"]
    parts = torch.distributions.Independent(torch.distributions.Normal(samples.double(), 0.2), 1)
    which = torch.distributions.Categorical(torch.ones(10_000, dtype=torch.float64))
    truth = torch.distributions.MixtureSameFamily(which, parts).log_prob(points.double()).mean()
    assert found == pytest.approx(truth.item(), abs=0.006)


def test_unseen_digits_score_as_unseen_digits_should():
    digits = families.data("digits")
    found = digits.score(digits.fresh)
    assert found["modes"] == 10 and 0.94 < found["quality"] < 0.96 and found["kl"] < 0.02 and found["coverage"] == 1
    assert len(digits.train) == 1437 and len(digits.fresh) == 360 and abs(digits.train.std() - 1) < 0.01
    assert digits.score(normal(300, 64))["quality"] == 0  # noise is no digit


RECORD = json.loads((DATA / "families.json").read_text())
ROWS = RECORD["rows"]


def test_the_record_holds_every_job_and_tells_who_made_it():
    assert set(ROWS) == {key for key, _, _ in families.jobs(RECORD)}
    assert all(ROWS[key]["settings"] == settings for key, settings, _ in families.jobs(RECORD))
    assert RECORD["threads"] == 1 and RECORD["torch"] and RECORD["commit"] and RECORD["device"]
    assert RECORD["steps"] == families.STEPS and RECORD["batch"] == families.BATCH


def test_the_budgets_are_equal():
    for name in families.SETS:
        sizes = [ROWS[f"main {name} {family} 0"]["parameters"] for family in families.FAMILIES]
        assert max(sizes) < 1.011 * min(sizes)


@pytest.mark.slow
@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("name", ["grid", "digits"])
def test_the_record_begins_as_a_fresh_training_does(name, family):
    """The losses of the first, tenth and thirtieth step; another processor moves them in the sixth digit."""
    row = ROWS[f"main {name} {family} 3"]
    model = families.FAMILIES[family](families.data(name).train, families.STEPS[name], 3, 30, **row["settings"])
    assert [model.losses[k] for k in (0, 9, 29)] == pytest.approx(row["losses"], rel=1e-3, abs=2e-4)
    assert model.parameters == row["parameters"]


@pytest.mark.slow
def test_a_record_from_end_to_end(tmp_path, monkeypatch, capsys):
    """It is resumed: what it holds is not made again."""
    monkeypatch.setattr(families, "STEPS", {"grid": 30, "ring": 30, "digits": 30})
    monkeypatch.setattr(families, "SEEDS", range(1))
    monkeypatch.setattr(families, "by_steps", lambda *given: {})
    monkeypatch.setattr(families, "OPTIONS", {family: options[:2] for family, options in families.OPTIONS.items()})
    monkeypatch.setattr(families, "DIGIT_OPTIONS", {"gan": (1,), "vae": (0,)})
    for name in ("MINIDIFF_QUIET", "MINIDIFF_DEVICE"):
        monkeypatch.setenv(name, "")  # so that what the program sets is undone
    out = tmp_path / "families.json"
    for chosen, rows, made in ((["vae"], 6, 6), (["vae", "gan"], 13, 7)):
        monkeypatch.setattr("sys.argv", ["families.py", "--out", str(out), "--families", *chosen])
        families.main()
        record = json.loads(out.read_text())
        assert len(record["rows"]) == rows and capsys.readouterr().out.count("\n") == made
    assert set(record) == set(RECORD)
    shown = ROWS["main grid vae 0"]
    assert set(record["rows"]["main grid vae 0"]) == set(shown) and len(shown["samples"]) == 400


def average(family, key, of="main grid"):
    found = [row[key] for name, row in ROWS.items() if name.startswith(f"{of} {family} ")]
    return sum(found) / len(found)


def by_steps(family, step, number):
    found = [row["steps"][step][number][1] for name, row in ROWS.items() if name.startswith(f"main grid {family} ")]
    return sum(found) / len(found)


SAID = {  # sentences of the notebook, and what the record says where they have a number
    r"covers (\S+) of the 25 modes and draws": average("gan", "modes"),
    r"unevenly, with a reverse KL of (\S+)\. ": average("gan", "kl"),
    r"The VAE covers (\S+) with a quality": average("vae", "modes"),
    r"with a quality of (\S+), not much better": average("vae", "quality"),
    r"noise is still (\S+) times as wide": average("vae", "std") / tasks.grid().stds[0].item(),
    r"the GAN's quality, (\S+), is as good": average("gan", "quality", "main ring"),
    r"its reverse KL, (\S+), is by far": average("gan", "kl", "main ring"),
    r"all 25 modes with a quality of (\S+); the same": ROWS["search grid gan 4"]["quality"],
    r"quality is (\S+) for the VAE": average("vae", "quality", "main digits"),
    r"for the VAE, (\S+) for the GAN": average("gan", "quality", "main digits"),
    r"for the GAN, (\S+) for flow matching": average("flow", "quality", "main digits"),
    r"for flow matching and (\S+) for DDPM": average("ddpm", "quality", "main digits"),
    r"leads the VAE, with .(\S+) nats": -average("flow", "nats", "main digits"),
    r"nats against .(\d+)": -average("vae", "nats", "main digits"),
    r"DDPM's network has (\S+) after 20": by_steps("ddpm", "ddim_step", "20"),
    r"fresh noise, and (\S+) after 1,000": by_steps("ddpm", "ddpm_step", "1000"),
    r"flow matching's ends at (\S+)\. ": by_steps("flow", "ddim_step", "250"),
    r"h\$ decides: from \$(\S+)\$ to": max(ROWS["main grid gan 0"]["kernel"].values()),
    r"to \$(\S+)\$ nats a point": min(ROWS["main grid gan 0"]["kernel"].values()),
}


@pytest.mark.parametrize("sentence", SAID)
def test_the_notebook_says_what_the_record_holds(sentence):
    cells = json.loads((DATA.parent / "notebooks" / "14_four_families.ipynb").read_text())["cells"]
    text = " ".join(" ".join("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    (said,) = re.findall(sentence, text)
    digits = len(said.partition(".")[2])
    assert said == f"{SAID[sentence]:.{digits}f}"


def test_the_best_gan_of_the_search_is_the_one_the_notebook_tells_of():
    found = {key: row for key, row in ROWS.items() if key.startswith("search grid gan")}
    assert max(found, key=lambda key: found[key]["overlap"]) == "search grid gan 4"
    assert found["search grid gan 4"]["modes"] == 25 and len(found) == 10
