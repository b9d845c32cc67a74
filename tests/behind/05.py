# %% grain
from minidiff.course import check_between

# Ten real images, one a class, would scatter by 8 % around 1.
check_between("grain of DDPM's ten, over real clothes", shares[0], 0.7, 1.3)
check_between("grain without fresh noise", shares[1], 0.3, 0.7)

# %% two-sources
wide = torch.linspace(-6, 6, 4_801, dtype=torch.float64)
step = (wide[1] - wide[0]).item()
between = density(wide, 0.8, 0.36) * density(-0.5, 0.8 * wide, 0.36)
between = between / (between.sum() * step)
mean = (wide * between).sum() * step
check("mean of x1, Bayes on a grid", mean, 0.4 / 1.64, rtol=1e-12)
check("variance of x1, Bayes on a grid", ((wide - mean) ** 2 * between).sum() * step, 0.36 / 1.64, rtol=1e-12)
drawn, middles = plots.plotted(ax), torch.linspace(-1.95, 2.95, 50, dtype=torch.float64)
check("the drawn posterior", drawn["both: Bayes"], density(grid, 0.4 / 1.64, 0.36 / 1.64), rtol=0, atol=1e-12)
check("the drawn histogram", drawn["bars0"], density(middles, 0.4 / 1.64, 0.36 / 1.64), rtol=0, atol=0.09)

# %% posterior
from minidiff.samplers import forward_std, posterior_std


def by_grid(path, t, s, x0, x_t):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(path, t), evaluate(path, s)
    x = alpha_s * x0 + torch.linspace(-12 * sigma_s, 12 * sigma_s, 40_001, dtype=torch.float64)
    log = -((x - alpha_s * x0) ** 2) / (2 * sigma_s**2)
    b2 = sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2
    weight = (log - (x_t - alpha_t / alpha_s * x) ** 2 / (2 * b2)).softmax(0)
    mean = (weight * x).sum()
    return mean, (weight * (x - mean) ** 2).sum()


ddpm_table = schedules.from_betas(torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
for path in (ddpm_table, *schedules.SCHEDULES.values()):
    for t, s in ((0.9, 0.6), (0.5, 0.4), (0.3, 0.05)):
        q = posterior(path, t, s)
        boxed = [0.7 * q.of_x0 - 0.4 * q.of_xt, q.small]
        check("the box, against Bayes on a grid", boxed, by_grid(path, t, s, 0.7, -0.4), rtol=1e-9)
        package = [posterior_std(path, t, s), forward_std(path, t, s)]
        check("the package's", [q.small**0.5, q.large**0.5], package, rtol=1e-9)
        (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(path, t), evaluate(path, s)
        eps = (-0.4 - alpha_t * 0.7) / sigma_t
        remixed = alpha_s * 0.7 + math.sqrt(sigma_s**2 - q.small) * eps
        check("the mean, remixed", remixed, boxed[0], rtol=1e-9)

# %% eq7
of_x0, of_xt, small, large = torch.tensor(rows, dtype=torch.float64).T
check("Eq. 7, factor of x0", of_x0, earlier.sqrt() * betas / (1 - bar), rtol=1e-9)
check("Eq. 7, factor of x_t", of_xt, (1 - betas).sqrt() * (1 - earlier) / (1 - bar), rtol=1e-9)
check("b^2 is their beta", large, betas, rtol=1e-9)

# %% my-step
eight_of, some = Mixture(*(part.double() for part in data.MIXTURE)), noise(500, 2, seed=4)
for road in (table, cosine, schedules.linear_beta):
    for variance in ("small", "large"):
        ideal = exact.of_mixture(*eight_of, road)
        mine, packaged = [
            last(sample(partial(step, variance=variance), ideal, some, uniform_times(20), generator=seeded(5)))
            for step in (my_step, ddpm_step)
        ]
        check("20 steps, ours less the package's", mine - packaged, 0.0, atol=1e-9)

# %% paths
drawn = [plots.plotted(panel) for panel in axes]
climbed = [torch.tensor([d[f"path {i}"].tolist() for i in (0, 7, 8)]).diff(dim=1).abs().sum(1) for d in drawn]
check_that("each DDPM path climbs and falls five times as much", climbed[1] > 5 * climbed[0])
check_that("all of them within the frame", all(path[:, [0, 7, 8]].abs().max() < 3 for path in paths.values()))

# %% same-end
from minidiff.evaluation import sliced_wasserstein

fresh = [eight.sample(2_000, seed).x for seed in range(40)]
floors = [sliced_wasserstein(p, q, generator=seeded(0)) for p, q in zip(fresh[::2], fresh[1::2])]
for path in paths.values():
    off = sliced_wasserstein(path[-1], fresh[0].double(), generator=seeded(0))
    check_that("distance to fresh data is no more than the worst of twenty floors", off < max(floors))

# %% run-bugs
from minidiff.samplers import forward_std

few = uniform_times(10)
point_ends = last(sample(partial(ddpm_step, variance="large"), one_point, x, few, generator=seeded(9)))
check_that("without the bug all are the point", (point_ends - 1).abs() < 1e-12)
dirty = last(sample(faulty("noise in the last step"), one_point, x, few, generator=seeded(9)))
check("variance that bug 3 leaves, ten steps", dirty.var(), math.sin(math.pi / 20) ** 2, rtol=0.0283)
check("as a standard deviation", math.sin(math.pi / 20), 0.156, rtol=5e-3)
grey = forward_std(table, 0.001, 0.0) * card["data"]["scale"] * 255
check("with a thousand steps, in grey levels", grey, 0.9, rtol=5e-3)

# %% small-over-large
check("steps 2, 20, 200", ratios[[1, 19, 199]], [0.4547, 0.9175, 0.9921], rtol=1e-3)
check("at step 1 no noise at all", ratios[0], 0.0, atol=1e-12)
check("at step 2", ratios[1], (1 - bar[0]) / (1 - bar[1]), rtol=1e-9)
check("step from which they differ by less than 1 %", int((ratios < 0.99).nonzero().max()) + 2, 168, rtol=0)
for path in (cosine, table):
    for t, s in ((1.0, 0.9), (0.5, 0.4), (0.3, 0.05)):
        q = posterior(path, t, s)
        check("beta-tilde + c^2 sigma_t^2 is b^2", q.small + q.of_x0**2 * evaluate(path, t)[1] ** 2, q.large, rtol=1e-9)

# %% closed-forms
check("the number that section 4 uses", small_closed(50), right_variance, rtol=1e-4)


def recursion(name, K, std):
    found = [1.0]
    for t, s in pairwise(uniform_times(K).tolist()):
        (alpha_t, sigma_t), (alpha_s, sigma_s), q = evaluate(cosine, t), evaluate(cosine, s), posterior(cosine, t, s)
        gain = alpha_t * std**2 / (alpha_t**2 * std**2 + sigma_t**2)
        m = alpha_s * gain + sigma_s * (1 - alpha_t * gain) / sigma_t if name == "DDIM" else q.of_x0 * gain + q.of_xt
        found.append(m**2 * found[-1] + {"DDIM": 0.0, "DDPM small": q.small, "DDPM large": q.large * (s > 0)}[name])
    return found


def large_at_last_stop(K):
    theta, total = math.pi / (2 * K), 0.0
    for j in range(1, K):
        b2 = 1 - (math.cos((j + 1) * theta) / math.cos(j * theta)) ** 2
        total += b2 / (math.tan(j * theta) * math.sin(j * theta)) ** 2
    return total * math.tan(theta) ** 2


for name, formula in closed.items():
    by_step = [recursion(name, K, 1.0)[-1] for K in range(1, 60)]
    check("recursion = closed form", by_step, [formula(K) for K in range(1, 60)], rtol=1e-12, atol=1e-13)
missing = [1000 * (1 - ddim_closed(1000)), 1000 * (1 - small_closed(1000)), 1000**2 * (1 - large_closed(1000))]
check("missing at K = 1000", missing, [math.pi**2 / 4, math.pi**2 / 2, math.pi**2 / 4], rtol=0.02)  # small comes slowly
over = {name: [recursion(name, K, 0.0)[-2] / evaluate(cosine, 1 / K)[1] ** 2 for K in range(2, 60)] for name in closed}
check("a point, small and DDIM: right at the last stop", [over["DDPM small"], over["DDIM"]], 1.0, rtol=1e-10)
check("a point, large", over["DDPM large"], [large_at_last_stop(K) for K in range(2, 60)], rtol=1e-10)
zeta3 = sum(1 / j**3 for j in range(1, 20_000))
check("many steps: 2 zeta(3) + zeta(4)", large_at_last_stop(2_000), 2 * zeta3 + math.pi**4 / 90, rtol=1e-4)

# %% flip
gaussian, point = plots.plotted(left), plots.plotted(right)
for name, formula in closed.items():
    wanted = [formula(K) for K in counts]
    check("40,000 samples", gaussian[f"{name}, samples"], wanted, rtol=0.0283, atol=1e-12)
    check("drawn line", gaussian[name], [formula(K) for K in range(1, 61)], rtol=1e-12, atol=1e-13)
drawn = [point[name][-1] for name in closed]
check("K = 50, one point: DDIM, small, large", drawn, [1, 1, 3.48], rtol=0.0283)

# %% lever
large = variances("DDPM large", 8, 1.0)
check("large on the Gaussian: right at every stop but the last", large[:-1], 1.0, rtol=0.0283)
check("small on the point: right at every stop", variances("DDPM small", 8, 0.0)[:-1], 1.0, rtol=0.0283)
check_that(
    "neither is right in between",
    variances("DDPM small", 8, 0.5)[-2] < 0.97 and variances("DDPM large", 8, 0.5)[-2] > 1.03,
)

picture = all_stops(8, 0.0)
drawn = plots.plotted(picture.axes[0])
check("drawn, large", drawn["DDPM large"], variances("DDPM large", 8, 0.0, n=10_000)[:-1], rtol=1e-12)
plots.png(picture)

# %% clothes
from minidiff.course import check_between

over = {K: grain(pictures[K, "large"]).mean() / grain(pictures[K, "small"]).mean() for K in (10, 50)}
check_between("grain, large over small, 10 steps", over[10], 1.4, 2.6)
check_between("grain, large over small, 50 steps", over[50], 0.8, 1.35)

# %% exact-stops
check("the variance at the end", V, 4.0, rtol=1e-12)
for width in (0.0, 0.5, 3.0):
    v = 1.0
    for t, s in pairwise(uniform_times(7).tolist()):
        (alpha, sigma), q = evaluate(cosine, t), posterior(cosine, t, s)
        slope = q.of_x0 * alpha * width**2 / marginal(t, width) + q.of_xt
        v = slope**2 * v + true_variance(cosine, t, s, width)
        check("right at every stop", v, marginal(s, width), rtol=1e-9, atol=1e-12)

# %% pushed
for t in (0.7, 0.1):
    by_ddim = last(sample(ddim_step, unit_gaussian, noise(20_000, 1, seed=19) + 1, uniform_times(200, start=t)))
    check("DDIM keeps the push", by_ddim.mean(), 1.0, rtol=0.03)
