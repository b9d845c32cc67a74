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

# %% sixty-four
from minidiff.course import check

joint = torch.cat([near[:, :32], near], 1)
seen = near[:32, :32] + 0.09 * unit[:32, :32]
check("the posterior's covariance, from its precision", spread,
      torch.linalg.inv(torch.linalg.inv(near) + torch.diag((torch.arange(64) < 32).to(f64) / 0.09)), rtol=0, atol=1e-9)

# %% pad
from minidiff.course import check

states = walk_of(first[None, None])
kept = test.restore(boot).clamp(0, 1) * (first < 0.5)
check("known pixels in the last state", states[-1][1:] * (first < 0.5) - kept, 0, atol=1e-6)

# %% batch
from minidiff.course import check_that

def width(step, batch):
    z = torch.randn(batch, 2, generator=seeded(17), dtype=f64)
    return last(sample(step, ideal, z, times, generator=seeded(18)))[:, 0].std()

check_that("one norm: nothing is left of y", width(one_norm, 2_048) > 0.6)
check_that("a norm each: y is heard", width(dps(ddpm_step, eye, y0, 0.3), 2_048) < 0.25)

# %% sixty-four-table
from minidiff.course import check_between

check_between("what split Gibbs' 90 % regions hold", covered, 0.87, 0.93)

# %% colours
from minidiff.course import check, check_between

check("brightness of what was coloured", grey.forward(coloured) - y, 0, atol=1e-5)
check_between("where the answers of a sprite differ most", coloured.unflatten(0, (3, 4)).std(0).amax((1, 2, 3)), 0.2, 1.5)

# %% anagram
from minidiff.course import check_between
from minidiff.evaluation import load_judge

judge = load_judge()
both = (judge.classify(drawn) == 0) & (judge.classify(turn(drawn)) == 8)
check_between("share that the judge takes for both", both.float().mean(), 0.6, 1)
