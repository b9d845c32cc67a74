# %% completions
from minidiff.course import check, check_between

hidden = filled.unflatten(0, (4, 6))[:, :, :, 14:]
check_between("spread of the four answers where nothing is given", hidden.std(0).mean(), 0.1, 1)
small = averaging(4).forward(six)
enlarged = last(sample(renoise_step, ddnm(network, averaging(4), small), blank[:6], levels[::4], generator=seeded(1)))
check("a picture enlarged fourfold, averaged back", averaging(4).forward(enlarged) - small, 0, atol=1e-5)

# %% posterior
from minidiff.course import check

weights, where = given_y(0.4, 0.3, means, stds, shares)
grid = torch.linspace(-4, 4, 801, dtype=f64)
x = torch.cartesian_prod(grid, grid)
fit = world.log_prob(x) - (0.4 - x[:, 0]) ** 2 / (2 * 0.3**2)
brute = fit.softmax(0)
check("mean of x1 on a grid", (weights * where).sum(), brute @ x[:, 0], rtol=0, atol=1e-9)
check("mean of x2 on a grid", weights @ means[:, 1], brute @ x[:, 1], rtol=0, atol=1e-9)
cloud = exact(100_000, seed=0, y=0.4)
mean = brute @ x
check("covariance of what is drawn", cloud.T.cov(), ((x - mean).T * brute) @ (x - mean), rtol=0, atol=0.02)

# %% clouds
from minidiff.course import check, check_that

seen_up = {name: (cloud[:, 1] > 0).double().mean() for name, cloud in clouds.items()}
check_that("replacement, DDNM and PiGDM: 'up' at least twice too often", min(seen_up[n] for n in ("replacement", "DDNM", "PiGDM")) > 0.4)
check("the exact posterior, up", seen_up["exact again"], 0.22, rtol=0, atol=0.03)
check_that("six panels", len(axes.flat) == 6)

# %% scores
from minidiff.course import check_that

far = {name: distance(cloud) / floor for name, cloud in clouds.items()}
check_that("each of the five is at least three floors off", min(v for n, v in far.items() if n != "exact again") > 3)

# %% dps-spread
from minidiff.course import check_that

drawn = plots.plotted(ax)
check_that("strong: too narrow in the middle", drawn["DPS, scale 0.3"][50] < 0.5 * drawn["exact"][50])
check_that("weak: too wide in the middle", drawn["DPS, scale 0.05"][50] > drawn["exact"][50])
check_that("all: too narrow at the end", max(drawn[f"DPS, scale {s}"][-1] for s in (0.05, 0.1, 0.3)) < 0.25)

# %% resampled
from minidiff.course import check

weights, where = given_y(0.0, 0.3, means, stds, shares)
check("share of up, by split Gibbs", (x[:, 1] > 0).double().mean(), 0.227, rtol=0, atol=0.02)
check("mean of x2, by split Gibbs", x[:, 1].mean(), weights @ means[:, 1], rtol=0, atol=0.05)

# %% pad
from minidiff.course import check

kept = test.restore(boot).clamp(0, 1) * (first < 0.5)
check("known pixels", completed(first[None, None])[1:] * (first < 0.5) - kept, 0, atol=1e-6)
hidden = (test.restore(boot).clamp(0, 1) * first)[0, 0]
check("what is hidden is the boot's shaft: its columns from 13 to 26, not the toe", (hidden.sum(0) > 1).nonzero().aminmax().min, 13, rtol=0)

# %% batch
from minidiff.course import check_that

def width(step, batch):
    z = torch.randn(batch, 2, generator=seeded(17), dtype=f64)
    return last(sample(step, ideal, z, times, generator=seeded(18)))[:, 0].std()

check_that("one norm: nothing is left of y", width(one_norm, 2_048) > 0.6)
check_that("a norm each: y is heard", width(dps(ddpm_step, eye, y0, 0.3), 2_048) < 0.25)

# %% sixty-four-table
from minidiff.course import check, check_between

check_between("what split Gibbs' 90 % regions hold", held, 0.87, 0.93)
place = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0)).double()
near = torch.exp(-torch.cdist(place, place) / 3)
precise = torch.linalg.inv(near) + torch.diag((torch.arange(64) < 32).double() / 0.09)
many = smooth.exact(40_000, 3)
check("the posterior's deviations, from its precision", smooth.std, torch.linalg.inv(precise).diag().sqrt(), rtol=0, atol=1e-9)
check("its mean, from its precision", smooth.mean[0], torch.linalg.solve(precise, smooth.y[0] / 0.09), rtol=0, atol=1e-9)
check("what is drawn has that covariance", many.T.cov(), torch.linalg.inv(precise), rtol=0, atol=0.03)
check("what is drawn before y is seen", smooth.prior(40_000, 4).T.cov(), near, rtol=0, atol=0.04)
x = smooth.prior(4, 5)
check("nothing is left to denoise", smooth.denoiser(x, 1e-4).x0, x, rtol=0, atol=1e-3)

# %% colours
from minidiff.course import check, check_between

check("brightness of what was coloured", grey.forward(coloured) - y, 0, atol=1e-5)
check_between("where the answers of a sprite differ most", coloured.unflatten(0, (3, 4)).std(0).amax((1, 2, 3)), 0.2, 1.5)

# %% edited
from minidiff.course import check_between, check_that

check_that("strength: each level makes more dresses, and changes more", named == sorted(named) and moved == sorted(moved))
check_between("share of dresses at both ends", [named[0], 1 - named[-1]], 0, 0.05)
check_between("shares of dresses, as told", [named[1] - 0.21, named[2] - 0.71], -0.13, 0.13)
others = (shirts - shirts.roll(5, 0)).square().mean().sqrt()
check_between("two T-shirts, and a T-shirt and what became of it after 0.95", [others - 0.9, moved[3] - 0.88], -0.12, 0.12)
check_that("and they were none before", (judge.classify(shirts) != 3).double().mean() > 0.9)
again = last(sample(dpm_solver_2m(), strongly(0), x_t, uniform_times(8, 0.95)))
check_between("the same noise, told 'T-shirt'", (judge.classify(again) == 0).double().mean(), 0.8, 1)

# %% between
from minidiff.course import check, check_between, check_that

pair = test.x[[9, 0]]
back = (between[[0, -1]] - pair).square().mean((1, 2, 3)).sqrt()
check_between("there and back, a pixel", back, 0, 0.2)
loud = torch.stack([(a.cos() * noises[0] + a.sin() * noises[1]).std() for a in arc.flatten()])
check_between("halfway the noise is as strong as at the ends, where a straight line loses 0.3", loud[3] / loud[[0, -1]].mean(), 0.85, 1.2)
check("and it ends at the second", loud[-1], noises[1].std(), rtol=1e-4)
known = fashion_mnist("train").x.flatten(1)
blend = torch.stack([pair[0] + (pair[1] - pair[0]) * k / 6 for k in range(7)])
far = [torch.cdist(x[2:5].flatten(1), known).amin(1).mean() for x in (between, blend)]
check_that("halfway it is nearer to some real garment than a double exposure is", far[0] < 0.9 * far[1])

# %% two-meanings
from minidiff.course import check_between
from minidiff.evaluation import load_judge

judge, train = load_judge(), fashion_mnist("train")
both = (judge.classify(double) == 0) & (judge.classify(turn(double)) == 8)
check_between("share that the judge takes for both", both.float().mean(), 0.6, 1)
known = far_off(train.x[:5_000]).flatten(1)
seen_far = lambda x: train.y[torch.cdist(far_off(x).flatten(1), known).argmin(1)]
check_between("hybrids: trousers to the judge", (judge.classify(mixed) == 1).double().mean(), 0.85, 1)
check_between("hybrids: blurred, nearest to a blurred dress", (seen_far(mixed) == 3).double().mean(), 0.5, 1)
check_between("plain trousers, blurred, nearest to a dress", (seen_far(test.x[test.y == 1][:200]) == 3).double().mean(), 0.02, 0.09)
