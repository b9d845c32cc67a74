# %% cooled-clothes
from minidiff.course import check_between, check_that

texture = [one.diff(dim=3).abs().mean() for one in cooled]
check_that("less noise, less texture", all(more > less for more, less in pairwise(texture)))
check_between("none over all", texture[3] / texture[0], 0.3, 0.7)

# %% step-kl
grid = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
log_of = lambda mean, v: -((grid - mean) ** 2) / (2 * v) - math.log(2 * math.pi * v) / 2
q, p = log_of(0.0, 0.5), log_of(0.7, 1.2)
by_grid = (q.exp() * (q - p)).sum() * 0.001
check("the KL on a grid", step_kl(torch.tensor(0.49), torch.tensor(0.5), torch.tensor(1.2)), by_grid, rtol=1e-6)

# %% weights
from minidiff import schedules
from minidiff.course import check_between, check_that

road = schedules.from_betas(betas)
rows = torch.tensor([posterior(road, (k + 1) / 1000, k / 1000) for k in range(1, 1000)], dtype=torch.float64)
snr = bar / (1 - bar)
check(
    "weight on x0, small: half of the gain in SNR",
    rows[:, 0] ** 2 / (2 * rows[:, 2]),
    (snr[:-1] - snr[1:]) / 2,
    rtol=1e-8,
)
for name, column in (("small", 2), ("large", 3)):
    on_eps = rows[:, 0] ** 2 / (2 * rows[:, column]) * (1 - bar[1:]) / bar[1:]
    check(f"{name}: c^2 / 2 nu on x0 is theirs on eps", on_eps, weights[name], rtol=1e-8)
drawn = plots.plotted(ax)["bound, small variance"]
check_that("the first weight drawn is the largest", drawn.argmax() == 0)
check("largest drawn over smallest", drawn.max() / drawn.min(), 120, rtol=5e-3)
check_between("step of the smallest", 2 + drawn.argmin(), 340, 360)

# %% needle-hill
check("area under the density", marginal(0.0).sum() * dz, 1.0, rtol=1e-12)
check("mean square of the data", (marginal(0.0) * line**2).sum() * dz, 1.0, rtol=1e-9)

# %% elbo
K, n = 4, 20_000  # the definition: 20,000 paths forwards, log p - log q along each
x = needle_hill.sample(n, seed=11).x.double()
log_of = lambda x, mean, v: -((x - mean) ** 2) / (2 * v) - math.log(2 * math.pi * v) / 2
ratios, eps = torch.zeros(n, 1, dtype=torch.float64), torch.randn(K, n, 1, generator=seeded(12), dtype=torch.float64)
for k in range(1, K + 1):
    q = posterior(cosine, k / K, (k - 1) / K)
    a = evaluate(cosine, k / K)[0] / evaluate(cosine, (k - 1) / K)[0]
    later = a * x + math.sqrt(q.large) * eps[k - 1]
    back = q.of_x0 * ideal(later, k / K).x0 + q.of_xt * later
    ratios += log_of(x, back, q.large) - log_of(later, a * x, q.large)
    x = later
ratios += log_of(x, 0.0, 1.0)
check(
    "ELBO by its definition, K = 4, large",
    ratios.mean(),
    elbo(4, lambda c, small, large, e: large),
    rtol=0,
    atol=4 * float(ratios.std()) / n**0.5,
)

# %% gap
from minidiff.course import check_that

seen = plots.plotted(ax)
check_that("never above the truth", all((seen[name] > 0).all() for name in ("small", "large")))
check("large: twice the steps, half the gap", seen["large"][-2] / seen["large"][-1], 2.0, rtol=0.02)
check("small: the limit, extrapolated", 2 * seen["small"][-1] - seen["small"][-2], limit, rtol=5e-3)
lost_nats = []
for j in range(1, 6):
    q = posterior(cosine, (j + 1) / 1024, j / 1024)
    true = torch.tensor(q.small + q.of_x0**2 * error((j + 1) / 1024))
    lost_nats.append(step_kl(0.0, true, torch.tensor(q.small)))
check(
    "lost in the last five steps",
    lost_nats,
    [1 / j + 1 / (2 * j**2) - math.log(1 + 1 / j) for j in range(1, 6)],
    rtol=0.01,
)
total = sum(1 / j + 1 / (2 * j**2) - math.log1p(1 / j) for j in range(1, 100_000))
check("the sum of all of them", total, limit, rtol=1e-4)
forgotten = 0.0  # log(nu / small) of 64 steps
for k in range(2, 65):
    q = posterior(cosine, k / 64, (k - 1) / 64)
    forgotten += math.log(q.large / q.small) / 2
check_that("without the logarithm the bound is above the truth", elbo(64, lambda c, s, l, e: l) + forgotten > truth)

# %% vlb
from minidiff.samplers import learned_std

f = torch.linspace(-1, 2, 90, dtype=torch.float64)
q = posterior(cosine, 0.5, 0.4)
package = learned_std(q.small**0.5, q.large**0.5, Prediction(f, f, f)) ** 2
ours = q.small ** (1 - f) * q.large**f
check("Eq. 15 and the package's", ours, package, rtol=1e-12)

# %% train
from minidiff import denoising_loss
from minidiff.course import check_that

x0, k, eps = born[:90], torch.arange(90) % 9 + 2, torch.randn(90, 1, generator=seeded(22))
alpha, sigma = cosine(k[:, None] / 10)
said = run.average(alpha * x0 + sigma * eps, k / 10)
package = denoising_loss(run.average, x0, k / 10, eps).mean()
check_that("the simple loss is the package's", ((((x0 - said.x0) / sigma) ** 2).mean() / package - 1).abs() < 1e-4)
newborn = LearnedDenoiser(MLP(1, width=64, depth=2, variance=True), cosine, "v")
check("an untrained network says f", newborn(x0, 0.5).fraction.detach(), 0.5, rtol=1e-6)

# %% true-fraction
from minidiff.course import check_between

for t, s in ((0.9, 0.8), (0.5, 0.4), (0.2, 0.1)):
    (alpha, sigma), V, x = evaluate(cosine, t), posterior_variance(line, t), line.clone().requires_grad_()
    (slope,) = torch.autograd.grad(ideal(x, t).x0.sum(), x)
    check("V is sigma^2 / alpha times the slope of x0", V, sigma**2 / alpha * slope, rtol=1e-8)
    check("on average V is the error", (marginal(t) * V).sum() * dz, error(t), rtol=1e-9)
    w, r = V / sigma**2, (sigma / evaluate(cosine, s)[1]) ** 2
    check("f from w and r", true_f(line, t, s), torch.log(1 + w * (r - 1)) / math.log(r), rtol=1e-9)
average = [error(k / 50) / evaluate(cosine, k / 50)[1] ** 2 for k in range(1, 51)]
check_between("average of w, at fifty levels", average, 0, 1 + 1e-12)
w = posterior_variance(line, 0.5) / evaluate(cosine, 0.5)[1] ** 2
check("in a short step f is w", true_f(line, 0.5, 0.4999), w, rtol=1e-3)

# %% fractions
from minidiff.course import check_that

for panel, t in zip(axes, (0.2, 0.4, 0.6)):
    drawn, here = plots.plotted(panel), marginal(t)[line.abs() < 2.6] * dz
    true, learned = torch.tensor(drawn["true"]), torch.tensor(drawn["learned"])
    missed, spread = ((here @ (miss**2)) ** 0.5 for miss in (learned - true, true - here @ true))
    check_that("it misses less than half of what one number would", missed < spread / 2)
    check("the largest f, in the valley", true.max(), {0.2: 1.754, 0.4: 1.714, 0.6: 1.326}[t], rtol=1e-3)
first, at = plots.plotted(axes[0])["true"], 0.951 * needle_hill.means[:, 0]
places = (near - at).abs().argmin(0)
check("f at t = 0.2: at the needle, and on the hill", first[places], [0.324, 0.818], rtol=5e-3)

# %% price
from minidiff.course import check_that

check("nats lost", [lost[name] for name in ("small", "large", "held")], [0.7459, 0.1335, 0.0283], rtol=2e-3)


def blind(x, t, s):
    q = posterior(cosine, t, s)
    return 0 * x + math.log(1 + q.of_x0**2 * error(t) / q.small) / math.log(q.large / q.small)


check("by who knows t, but not x_t", price(blind), 0.1035, rtol=2e-3)
misread = price(lambda x, t, s: 2 * learned_f(x, t, s) - 1)  # the output 2f - 1, taken for f
check_that("a misread output is refused", not 0 < misread < lost["held"])

# %% samples
from minidiff.course import check_that

by_small = [found - price(choices["small"], K) for found, K in zip(gap["small"], ks)]
check("gap of the true variance: from large or from small, the same", gap["true"], by_small, rtol=1e-4)

# %% gap-and-samples
from minidiff.course import check_between, check_that

seen, bars = plots.plotted(left), plots.plotted(right)["bars0"]
check_between("true: gap of 128 steps over gap of 256", seen["true"][-2] / seen["true"][-1], 3.5, 4.0)
check("distance of small and large, as drawn", bars[:2], [0.084, 0.0486], rtol=0.01)
check("learned minus true, over the worst floor", (bars[2] - bars[3]) / max(floors), 0.0, atol=0.25)
check_that("ten steps are still further off than fresh data", bars[3] > max(floors))
walk = lambda v: last(
    sample(partial(ddpm_step, variance=v), run.average, x.float(), uniform_times(10), generator=seeded(26))
)
own = [float((walk(v)[:, 0].double().sort().values - quantiles).abs().mean()) for v in ("small", "large", "learned")]
check_that("with the network's own mean, too, learned is the nearest", own[2] < min(own[:2]))

# %% tempered
share_of = lambda p: float((p * (line < valley)).sum() * dz)
check("share of the needle: data", share_of(density), 0.400, rtol=2e-3)
check("share of the needle: p^4", share_of(tempered), 0.842, rtol=2e-3)
squared = density**2 / ((density**2).sum() * dz)
check("share of the needle: p^2", share_of(squared), 4 / 7, rtol=1e-2)

# %% share-in-needle
check("all the noise", share_in_needle(lambda t: 1.0), 0.400, rtol=1e-2)
check("half the noise", share_in_needle(lambda t: 0.5), 0.323, rtol=5e-3)

# %% half-noise
from minidiff.course import check_between

full = last(sample(partial(ddpm_step, variance="large"), ideal, x, uniform_times(100), generator=seeded(16)))[:, 0]
check("all the noise, samples", (full < valley).double().mean(), 0.4, rtol=0, atol=0.0142)
check("read from the bars", plots.plotted(ax)["bars0"][:30].sum() * 0.06, 0.323, rtol=0, atol=0.0142)


def width(weight, side):
    part = weight * side
    return float(((part * line**2).sum() / part.sum() - ((part * line).sum() / part.sum()) ** 2) ** 0.5)


for side, low, high, kept in ((line < valley, 1.05, 1.3, half < valley), (line >= valley, 1.1, 1.4, half >= valley)):
    check_between("width, half the noise over p^4", half[kept].std() / width(tempered, side), low, high)

# %% best-gap
from minidiff.course import check_that

check_that("never above the truth", [found > 0 for found in best])
check_that(
    "never worse than small or large",
    [found <= min(pair) + 1e-12 for found, pair in zip(best, zip(gap["small"], gap["large"]))],
)
check("gap of large over gap of the best, 256 steps", gap["large"][-1] / best[-1], 1.56, rtol=0.02)

# %% cold
x = torch.randn(40_000, 1, generator=seeded(13), dtype=torch.float64)
for tau in (0.0, 0.25, 0.5, 0.8):
    cooling = partial(ddpm_step, variance="large", temperature=tau)
    cold = last(sample(cooling, exact.of_gaussian(0.0, 1.0, cosine), x, uniform_times(50), generator=seeded(14)))
    check("variance left", cold.var(), variance_left(tau, 50), rtol=0.0283, atol=1e-12)
