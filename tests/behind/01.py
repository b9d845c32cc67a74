# %% line-up
from minidiff.course import check, check_that

clouds = [[torch.from_numpy(one) for one in plots.plotted(ax).values()] for ax in axes.flat]
drawn = torch.stack([torch.stack(both) for both in clouds])  # (9, 2, 200, 2)
check("dots and triangles drawn, less their numbers", drawn - torch.stack([nature, machine], 1), 0, atol=1e-6)
check_that("the same seed gives the same numbers", noise(5, seed=0) == noise(5, seed=0))

# %% density
from minidiff.course import check

fine = torch.linspace(1.5, 2.5, 10_001, dtype=torch.float64)  # an interval of length 1
check("area within one standard deviation", density(fine, 2, 0.5).mean(), math.erf(0.5**0.5), rtol=1e-4)
check("what is wanted", math.erf(0.5**0.5), 0.6827, rtol=0, atol=5e-5)

# %% convolution
from minidiff.course import check, check_that

drawn = plots.plotted(ax)
gap = drawn["the sum, by convolution"] - drawn["N(0, 25): variances added"]
check("convolution less N(0, 25)", gap, 0, atol=1e-12)
wide = drawn["the sum, by convolution"] - drawn["N(0, 49): deviations added"]
check_that("N(0, 49) is another curve", abs(wide).max() > 0.02)

# %% walk
from minidiff.course import check

check("after two steps", jump[2], (0.64, 0.5904**0.5), rtol=1e-12)
check("alpha^2 + sigma^2 after any of the steps", [a**2 + s**2 for a, s in jump.values()], 1, rtol=1e-12)
check("share of the coin left after 8 steps", (coins * walk[8]).mean(), 0.8**8, rtol=0, atol=4 * 40_000**-0.5)
check("share of heads", (coins > 0).double().mean(), 0.5, rtol=0, atol=0.01)

# %% walked
from minidiff.course import check, check_that

drawn = [plots.plotted(ax) for ax in axes]
gaps = [abs(one["walked"] - one["predicted"]).max() for one in drawn]
check("largest gap between walked and predicted", gaps, 0, atol=0.025)  # a bar scatters by 0.006 at most
x = torch.linspace(-3, 3, 601, dtype=torch.float64)
finer = [density(x, *jump[k]) + density(-x, *jump[k]) for k in (1, 2, 8)]
humps = [((c[1:-1] > c[:-2]) & (c[1:-1] > c[2:])).sum() for c in finer]
check("humps", humps, [2, 1, 1], rtol=0)

# %% game
from minidiff.course import check

check("standard deviation of x0 where the reading was 2", kept.std(), 0.5**0.5, rtol=0.03)

# %% bayes
from minidiff.course import check, check_that

drawn = plots.plotted(ax)
check("grid less formula", drawn["the product"] - drawn["the formula"], 0, atol=1e-12)
mean, std = posterior(1.5, -1, 1.5, 0.8, 0.6)
check("peak of the product", grid[product.argmax()], mean, rtol=0, atol=0.005)
check_that("narrower than either", std < min(1.5, 0.6 / 0.8))

# %% regression
from minidiff.course import check, check_between, check_that

drawn = plots.plotted(ax)
low, high = drawn["posterior mean"]  # at x_t = -3 and at x_t = 3
check("slope of the line drawn", (high - low) / 6, 0.6, rtol=1e-6)
across, height = torch.from_numpy(drawn["average of a slice"]).T
error = torch.tensor([0.8 / inside.sum() ** 0.5 for inside in slices])  # x0 given x_t has standard deviation 0.8
check_between("slice averages less the line, in standard errors", (height - 0.6 * across) / error, -4, 4)
check_that("the long axis is refused", (abs(height - across) / error).max() > 4)
check("covariance of what is drawn", torch.cov(torch.from_numpy(drawn["1,000 pairs"]).T),
      torch.tensor([[1, 0.6], [0.6, 1]]), rtol=0, atol=4 * (2 / 1000) ** 0.5)
for m, s, alpha, sigma in ((-1, 1.5, 0.8, 0.6), (2, 0.3, 1.0, 4.0)):  # section 5's two formulas are section 4's
    some = torch.linspace(-4, 4, 9, dtype=torch.float64)
    slope, variance = (part / (alpha**2 * s**2 + sigma**2) for part in (alpha * s**2, s**2 * sigma**2))
    mean, std = posterior(some, m, s, alpha, sigma)
    check("regression line", m + slope * (some - alpha * m), mean, rtol=1e-12)
    check("posterior variance", std**2, variance, rtol=1e-12)

# %% hedge
from minidiff import of_points
from minidiff.course import check, check_between

across, height = torch.from_numpy(plots.plotted(ax)["learnt: average of a slice"]).T
exact = torch.tanh(0.6 * across / 0.64)
error = torch.tensor([((1 - torch.tanh(0.6 * noisy_coins[c] / 0.64) ** 2).mean() / c.sum()) ** 0.5 for c in parts])
check_between("learnt less exact, in standard errors", (height - exact) / error, -4, 4)
points = of_points(torch.tensor([[-1.0], [1.0]], dtype=torch.float64), cosine)
t = 2 / math.pi * math.acos(0.6)  # where alpha = 0.6 and sigma = 0.8
check("the package's conditional mean", points(across[:, None].double(), t).x0[:, 0], exact, rtol=1e-6)
check("squared error of a guess, as variance and squared distance to the mean", ((clean - 0.3) ** 2).mean(),
      clean.var(correction=0) + (clean.mean() - 0.3) ** 2, rtol=1e-5)

# %% hedge-loss
from minidiff.course import check

x = torch.linspace(-8, 8, 3201, dtype=torch.float64)
left = ((1 - torch.tanh(0.6 * x / 0.64) ** 2) * density(x, 0.6, 0.8)).sum() * (x[1] - x[0])  # by symmetry: x0 = +1
check("the variance that is left", left, 0.619, rtol=1e-3)

# %% covariance
from minidiff.course import check

check("A A^T", A @ A.T, torch.tensor([[1, 0.6], [0.6, 1]]), rtol=1e-6)
check("covariance of the pairs of section 5", torch.cov(pairs.T), A @ A.T, rtol=0, atol=4 * (2 / 1000) ** 0.5)
four = torch.full((1, 4), 0.25)
check("the mean of four pixels", four @ four.T, 0.25)
check("its variance", (noise(40_000, 4, seed=33) @ four.T).var(), 0.25, rtol=0.03)

# %% shell
from minidiff.course import check, check_that

check("standard deviation of the radius", radii[784].std(), 0.5**0.5, rtol=0.05)
squared = radii[784].square()
check("squared distance", squared.mean(), 784, rtol=0.004)
check("its standard deviation", squared.std(), (2 * 784) ** 0.5, rtol=0.05)
check("radii", [radii[d].mean() / d**0.5 for d in (25, 100)], 1, rtol=0.02)
check_that("none of 4,000 near the centre", radii[784].min() > 24)

# %% kl
from minidiff.course import check, check_that

line_ = torch.linspace(-20, 20, 8001, dtype=torch.float64)
for m_p, s_p, m_q, s_q in [(0, 1, 0, 2), (0, 2, 0, 1), (1, 0.7, -0.5, 1.3)]:
    p, q = density(line_, m_p, s_p), density(line_, m_q, s_q)
    integral = (p * (p / q).log()).sum() * (line_[1] - line_[0])  # the definition, on a grid
    check(f"KL from N({m_p}, {s_p}^2) to N({m_q}, {s_q}^2)", integral, kl(m_p, s_p, m_q, s_q), rtol=1e-9)
for curve in plots.plotted(ax).values():
    at = torch.tensor(widths)
    check_that("0 at s = 1 only", abs(curve[28]) < 1e-9 and (curve[abs(at.numpy() - 1) > 0.01] > 0).all())
check("narrow over wide", kl(0, 1, 0, 1 / 3) / kl(0, 1, 0, 3), 4.435, rtol=1e-3)
check("equal widths", kl(1, 0.7, 0.2, 0.7), (1 - 0.2) ** 2 / (2 * 0.7**2), rtol=1e-12)
check("the coin and the machine's", -(math.log(0.25) + math.log(1.75)) / 2, 0.413, rtol=0, atol=5e-4)

# %% average
from minidiff.course import check

for n in (1, 4, 16, 64, 256, 1024):  # a squared Gaussian has a heavy tail: with n = 1 the spread is known to 6 %
    check(f"spread of averages of {n}", losses[:, :n].mean(1).std(), (2 / n) ** 0.5, rtol=0.25 if n < 16 else 0.13)

# %% typical
from minidiff.course import check
from minidiff.evaluation import sliced_wasserstein

a, b = noise(200, 2, seed=13).double(), noise(200, 2, seed=14).double()
lines = DIRECTIONS.double()
check("the package's", float(distance(a, b, lines)), sliced_wasserstein(a, b, directions=lines), rtol=1e-6)
check("moved by (3, 4)", float(distance(a, a + torch.tensor([3.0, 4.0]), lines)), 5 / 2**0.5, rtol=1e-6)

# %% floor
from minidiff.course import check, check_between, check_that

drawn = plots.plotted(ax)
low, high = drawn["the same Gaussian: the floor"], drawn["one moved by 0.5"]
# 1 / sqrt(n) would be -0.5; the outermost dots, which wander most, make it a little less steep
check_between("power of n with which the floor falls", math.log(low[-1] / low[0]) / math.log(128), -0.5, -0.4)
check("moved by 0.5, at n = 3200", high[-1], 0.5 / math.sqrt(2), rtol=0.03)
check_that("0.25 is below the floor of 50 dots and twice the floor of 400", low[1] > 0.25 > 2 * low[4])

# %% verdict
from minidiff.course import check, check_that

drawn = plots.plotted(ax)
check("the pair above the floor", int(drawn["scatter0"][:, 1].argmax()), odd, rtol=0)
check_that("and only this one", sorted(found)[-2] <= max(floors) < max(found))
check("lines drawn", len([name for name in drawn if name.startswith("line")]), 99, rtol=0)

# %% slider
from minidiff.course import check, check_that


def verdict(shift, dots):
    figure = eye_and_test(shift, dots)
    title = figure.axes[1].get_title(loc="left")
    plots.png(figure)
    return title == "different"


check_that("with 200 dots no alarm at 0, one from 0.4 on", [verdict(s, 200) for s in (0.0, 0.4, 1.2)] == [False, True, True])
first = {n: next(k / 10 for k in range(13) if verdict(k / 10, n)) for n in (50, 200, 800)}
check_that("four times the dots, about half the shift", first[50] >= 1.4 * first[200] >= 1.4 * 1.4 * first[800])
check("overlap of the two densities at 0.4", math.erfc(0.2 / 2**0.5), 0.84, rtol=0, atol=0.005)

# %% difference
from minidiff.course import check

minus = 3 * noise(100_000, seed=34) - 4 * noise(100_000, seed=35)
check("spread of a difference", minus.std(), error_of_difference(), rtol=0.01)

# %% look-again
from minidiff.course import check

looks = [2.0, -0.5, 1.2, 0.3, 0.9]
backwards = look_again(looks[::-1], 0, 1, 1, 1)
check("the order does not matter", look_again(looks, 0, 1, 1, 1), backwards, rtol=1e-12)
check("what is left after five", backwards[1], 1 / 6**0.5, rtol=1e-12)

# %% correlated
from minidiff.course import check, check_between, check_that
from minidiff.evaluation import sliced_wasserstein

C = torch.tensor([[1.0, 0.6], [0.6, 1.0]])
check("by pencil", torch.linalg.cholesky(C), torch.tensor([[1, 0], [0.6, 0.8]]), rtol=0, atol=1e-6)
some = correlated(noise(40_000, 2, seed=36), torch.tensor([1.0, -2.0]), C)
check("covariance of samples", torch.cov(some.T), C, rtol=0, atol=0.03)


def above_floor(dim, n=200, number=20):
    clouds = noise(number, 3, n, dim, seed=26)
    clouds[:, 2, :, 0] += 0.5
    least = sum(sliced_wasserstein(c[0], c[1], directions=64) for c in clouds)
    return sum(sliced_wasserstein(c[0], c[2], directions=64) for c in clouds) / least


ratios = [above_floor(dim) for dim in (2, 8, 32, 128)]
check_that("the same shift stands out less with every dimension", ratios == sorted(ratios, reverse=True))
check_between("distance over floor in the plane", ratios[0], 1.8, 3)
check_between("distance over floor in 128 dimensions", ratios[3], 0.97, 1.1)
