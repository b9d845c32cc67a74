# %% forgery
from minidiff.course import check

check("covariance of the forgery", torch.cov(forgery.T), torch.cov(moons.T), rtol=1e-9)
check("its mean", forgery.mean(0), moons.mean(0), rtol=0, atol=1e-12)
drawn = [torch.from_numpy(plots.plotted(ax)["scatter0"]) for ax in axes]
check("dots drawn", torch.stack(drawn), torch.stack([moons, forgery]), rtol=0, atol=1e-6)

# %% six
from minidiff.course import check

check("distances", torch.stack(six), torch.tensor([2.0, 1, 1, 1, 1, 2]))
check("p-value", p_value(torch.stack(six)), 1 / 3)

# %% shuffled
from minidiff.course import check
from minidiff.evaluation import sliced_wasserstein

a, b = nature[0].double(), machine[0].double()
gap = shuffled_gaps(a, b, 3, torch.Generator().manual_seed(0))
check("row 0 is the package's distance", gap[0].mean().sqrt(), sliced_wasserstein(a, b, directions=DIRECTIONS), rtol=1e-9)
check("the line-up of notebook 01", torch.randint(9, (), generator=torch.Generator().manual_seed(10)), 5, rtol=0)

# %% line-up
from minidiff.course import check, check_that

drawn = plots.plotted(ax)["true colours"]
p = torch.stack([p_value(distances) for distances in lineup])
check("the pair that the test picks", p.argmin() + 1, 6, rtol=0)
check("and the highest drawn", int(drawn[:, 1].argmax()) + 1, 6, rtol=0)
check_that("no other below 0.05 / 9", (p < 0.05 / 9).sum() == 1)
check("one or more false alarms among nine", 1 - 0.95**9, 0.37, rtol=0, atol=0.005)

# %% wolf
from minidiff.course import check, check_between

bars = plots.plotted(ax)["p"]
check("pairs counted", bars.sum(), 1000)
check("three standard errors of a bar", 3 * (1000 * 0.05 * 0.95) ** 0.5, 21, rtol=0, atol=0.5)
check_between("bars", bars, 50 - 4 * 6.9, 50 + 4 * 6.9)

# %% peek
from minidiff.course import check, check_between

check_between("peeking against the promise, alarm by alarm", (after_peeking <= 0.05).sum() / (p_values <= 0.05).sum(), 2, 3.5)
check_between("one direction alone", (torch.stack([p_value(g) for g in gaps[:, :, 2]]) <= 0.05).sum(), 29, 71)
other = torch.randn(1_000, 2, 50, 2, generator=torch.Generator().manual_seed(100))
dice = torch.Generator().manual_seed(200)
again = torch.stack([shuffled_gaps(a, b, 99, dice) for a, b in other])
picked = again[torch.arange(1000), :, again[:, 0].argmax(1)]
check("alarms after peeking in another run", sum(p_value(g) <= 0.05 for g in picked), 134, rtol=0, atol=33)

# %% power-drawn
from minidiff.course import check_between

drawn = plots.plotted(ax)


def half_way(curve):  # the shift that is noticed half of the time, on a straight line between its neighbours
    k = next(i for i, share in enumerate(curve) if share > 0.5)
    return SHIFTS[k - 1] + (0.5 - curve[k - 1]) / (curve[k] - curve[k - 1]) * (SHIFTS[k] - SHIFTS[k - 1])


half = {n: half_way(drawn[f"{n} dots a cloud"]) for n in (50, 200)}
# each share comes from 150 trials and is uncertain by 0.04, which moves a crossing by a tenth or so
check_between("shift noticed half of the time, 50 dots over 200 dots", half[50] / half[200], 1.6, 2.4)
check_between("half noticed with 200 dots, a shift", half[200], 0.2, 0.3)
check_between("half noticed with 50 dots, a shift", half[50], 0.4, 0.6)
check_between("share noticed at shift 0", power(50, 0.0, torch.Generator().manual_seed(42)), 0, 0.05 + 3 * 0.018)

# %% three-judges
from minidiff.course import check_that

real = [frechet_distance(moons, two_moons(100, seed=s).x) for s in range(1, 21)]
check_that("20 other samples of moons came less close", min(real) > 1e-4)

# %% own
from minidiff.course import check_that

triangle = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1], [0.5, 2]])
figure = against_forgery(triangle)
check_that("five dots can be judged", figure.axes[0].get_title(loc="left") == "yours, 5 dots")
plots.png(figure)

# %% needed
from minidiff.course import check

check("from 200 dots and 0.25", [dots_needed(200, 0.25, 0.1), dots_needed(200, 0.25, 0.01)], [1250, 125_000], rtol=1e-9)

# %% kernels
from minidiff.course import check, check_between

told = [permutation_test(lambda a, b: mmd(a, b, scale=s), moons, forgery, 199, torch.Generator().manual_seed(25))
        for s in (0.25, 3.0)]
check("narrow", told[0], 0.005, rtol=1e-6)
check_between("wide", told[1], 0.9, 1)
