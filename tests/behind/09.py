# %% opening
from minidiff.course import check_that

off = {name: (x - patient).square().mean((1, 2, 3)).sqrt().mean() for name, x in seven.items()}
check_that("2M nearest, then DDIM, Heun three times as far", off["2M"] < off["DDIM"] < off["Heun"] / 3)

# %% same-ends
born = of_mixture(*(part.to(f64) for part in data.MIXTURE), cosine)
x, t = noise(200, 2, seed=1, dtype=f64), float(times_at(cosine, [3.0]))
own = born(3 * x * evaluate(cosine, t)[0], t).x0
check("a denoiser born on cosine, asked at r = 3, and one on EDM's path", own, blobs(3 * x, 3.0).x0, rtol=0, atol=1e-12)

# %% same-ends-checked
from minidiff.course import check_between

gap = [(ends("Heun", path) - ends("Heun", edm)).abs().max() for path in (flow, cosine)]
check_between("Heun on flow and on cosine", gap, 0.1, 2)

# %% tracks
from minidiff import Prediction, euler_step, remix
from minidiff.course import check_that

spread = torch.stack([states[:, -1] for _, states in tracks.values()])
check("the three paths end in the same 16 points", spread - spread[0], 0, atol=1e-10)
times, states = tracks["EDM"]
straight = states[:, times >= 2]
share = (80 - times[times >= 2]) / (80 - times[times >= 2][-1])
chord = straight[:, :1] + share * (straight[:, -1:] - straight[:, :1])
bend = (straight - chord).abs().amax(1) / (straight[:, -1] - straight[:, 0]).abs()
check_that("EDM, from 80 to 2: no solution leaves its chord by 2 % of its length", bend < 0.02)
one = torch.ones(1, 1, dtype=f64)
for path, t in ((edm, 80.0), (flow, 0.99)):
    begun, landed = (remix(path, Prediction(0.7 * one, one), u) for u in (t, t / 8))
    check("a point, one step of Euler", euler_step(of_gaussian(0.7, 0.0, path), begun, t, t / 8), landed, rtol=1e-12)
check("N(0, 1) on cosine, one step", euler_step(of_gaussian(0.0, 1.0, cosine), one, 1.0, 0.0), 1, rtol=1e-12)
astray = euler_step(of_gaussian(0.7, 0.0, cosine), one, 1.0, 0.0)
check_that("but a point on cosine: far off", (astray - 0.7).abs() > 0.5)

# %% tracks-drawn
from minidiff.course import check_that

drawn = [[line.get_ydata()[-1] for line in ax.lines] for ax in axes]
check("drawn solutions end in the groups", [min(abs(abs(y) - 1) for y in row) for row in drawn], 0, atol=0.15)
check_that("half of them above, half below", [sum(y > 0 for y in row) == 8 for row in drawn])

# %% f-is-minus-v
from minidiff import solve

clouds = data.MIXTURE.sample(200_000, seed=5).x.to(f64)
for r in (0.1, 0.75, 4.0):
    c_skip, c_out, c_in = preconditioning(r)
    y = clouds + r * noise(200_000, 2, seed=6, dtype=f64)
    check(f"r = {r}: least squares finds c_skip", (clouds * y).mean() / y.square().mean(), c_skip, rtol=0.01)
    both = (c_in * y).square().mean(), ((clouds - c_skip * y) / c_out).square().mean()
    check(f"r = {r}: variance of input and target", both, (1, 1), rtol=0.02)
for path in (cosine, linear_beta, sigmoid):
    alpha, sigma = evaluate(path, 0.4)
    c_skip, c_out, _ = preconditioning(sigma / alpha)
    y, out = x0 + sigma / alpha * eps, noise(1_000, 2, seed=9, dtype=f64)  # whatever a network may say
    check(
        "D by the wrapper, x0 by v",
        c_skip * y + c_out * out,
        solve(alpha * y, -out, "v", path, 0.4).x0,
        rtol=0,
        atol=1e-12,
    )

# %% floor
from minidiff.course import check_between
from minidiff.losses import lognormal

seen = plots.plotted(ax)["best possible"]
check_between("floor at both ends", seen[[0, -1]], 0.95, 1.05)
check_between("lowest floor", seen.min(), 0.25, 0.35)
check_between("the r at which it is lowest", levels[seen.argmin()], 0.1, 0.3)
dice = torch.Generator().manual_seed(0)
drawn_r = lognormal(edm)(10_000, dice).double()
check(
    "the package's log-normal levels: mean and spread of ln r",
    [drawn_r.log().mean(), drawn_r.log().std()],
    [-0.5, 1.2],
    rtol=0.01,
)
check("the drawn bell's top", levels[plots.plotted(ax)["EDM trains here"].argmax()], math.exp(-0.5), rtol=0.15)

# %% karras
check("the package's levels", karras(18), karras_times(18), rtol=1e-12)
check("rho to infinity: equal ratios", karras(5, 1e7)[1:5] / karras(5, 1e7)[:4], (0.002 / 80) ** 0.25, rtol=1e-4)

# %% rhos
from minidiff.course import check_between

for r, low, high in ((20.0, 0, 0.1), (0.05, 0.75, 1.05)):
    levels = karras(200)[:-1]
    levels = torch.cat([levels.new_tensor([r]), levels[levels < r]])
    at_r = last(sample(unipc(), blobs, begin, torch.cat([karras(200)[:-1][karras(200)[:-1] > r], levels[:1]])))
    kept = [last(sample(unipc(), blobs, x, levels)) for x in (at_r, at_r + 1e-3)]
    check_between(
        f"share of an error made at r = {r} that survives, median",
        (kept[1] - kept[0]).norm(dim=1).median() / (1e-3 * 2**0.5),
        low,
        high,
    )
jump = error("UniPC", 1_000, partial(karras, low=1e-5))
check_between("what the jump from 0.002 to 0 leaves out", jump, 1e-5, 5e-5)

# %% rhos-drawn
from minidiff.course import check_between

seen = {name: dict(zip(rhos, plots.plotted(ax)[name], strict=True)) for name in by_rho}
limit = {
    name: error(
        name,
        31,
        lambda n: torch.cat(
            [torch.logspace(math.log10(80), math.log10(0.002), n, dtype=f64), torch.zeros(1, dtype=f64)]
        ),
    )
    for name in by_rho
}
for name in ("DDIM", "Heun"):
    flat = [e / seen[name][7] for e in (seen[name][5], seen[name][20], limit[name])]
    check_between(f"{name}: rho = 5, 20 and infinity over 7", flat, 0.9, 1.3)
check_between("2M: infinity over 7", limit["2M"] / seen["2M"][7], 0.4, 0.75)
check_between(
    "rho = 3 over rho = 7: DDIM, Heun, 2M", [seen[name][3] / seen[name][7] for name in ("DDIM", "Heun", "2M")], 1.2, 9
)
check_between("rho = 7: Heun over DDIM", seen["Heun"][7] / seen["DDIM"][7], 0.7, 0.95)
check_between("rho = 7: DDIM over 2M", seen["DDIM"][7] / seen["2M"][7], 4, 5)

# %% heun
from minidiff import euler_step

unit, at_start = of_gaussian(0.0, 1.0, edm), torch.tensor([[5 / 3]], dtype=f64)
check("Euler by hand", euler_step(unit, at_start, 4 / 3, 3 / 4).item(), 1.2, rtol=1e-12)
check("Heun by hand", heun(unit, at_start, 4 / 3, 3 / 4).item(), 5 / 3 - 7 / 12 * 0.688, rtol=1e-12)
x = noise(300, 2, seed=13, dtype=f64)
check("the package's Heun", heun(blobs, 3 * x, 3.0, 2.0), heun_step(blobs, 3 * x, 3.0, 2.0), rtol=0, atol=1e-13)
for t, s in ((3.0, 2.0), (10.0, 0.5)):
    before, ddim = blobs(3 * x, t).x0, ddim_step(blobs, 3 * x, t, s)
    corrected = ddim + (t - s) / (2 * s) * (blobs(ddim, s).x0 - before)
    check("DDIM and k times the change of the guess", corrected, heun(blobs, 3 * x, t, s), rtol=0, atol=1e-12)

# %% exponential
from minidiff.course import check_that

gap = lambda x: (x - patient).square().mean((1, 2, 3)).sqrt().mean()
check_that(
    "bounded: less than half as far as Heun, but further than DDIM",
    gap(seven["DDIM"]) < gap(bounded) < gap(seven["Heun"]) / 2,
)
x = noise(300, 2, seed=13, dtype=f64)
ddim = ddim_step(blobs, 3 * x, 3.0, 2.0)
moved = ddim + (1 - 2 / 3) / 2 * (blobs(ddim, 2.0).x0 - blobs(3 * x, 3.0).x0)
check("its k is (1 - s / t) / 2", exponential_heun(blobs, 3 * x, 3.0, 2.0), moved, rtol=0, atol=1e-13)

# %% two-m
start = 80 * noise(200, 2, seed=2, dtype=f64)
mine, package = (last(sample(make(), blobs, start, karras(20))) for make in (two_m, dpm_solver_2m))
check("our 2M and the package's", mine, package, rtol=0, atol=1e-9)
u = (torch.arange(100_000, dtype=f64) + 0.5) / 100_000 * 0.3  # the lean of the weight, by summing
check("lean of e^lambda, over h^2 / 12", ((u * u.exp()).sum() / u.exp().sum() - 0.15) / (0.09 / 12), 1, rtol=0.01)
y, t, s = start[:50] / 80, 1.0, 0.9999
rate = (heun(blobs, y, t, s) - y) / math.log(t / s)
check("dy / dlambda against D - y", rate, blobs(y, t).x0 - y, rtol=0, atol=1e-3)

# %% orders
from minidiff import euler_step
from minidiff.course import check_that
from minidiff.evaluation import sliced_wasserstein

inside = 0.5 + math.hypot(0.3, 0.4) * three
slope = (inside - 0.5) * 0.4 / (0.3**2 + 0.4**2)
check("the closed form has the slope that Euler follows", narrow(inside, 0.4).eps, slope, rtol=1e-9)
real = data.MIXTURE.sample(500, seed=14).x.double()
floors = [sliced_wasserstein(real, data.MIXTURE.sample(500, seed=15 + k).x) for k in range(10)]
slipped = draw("no half", 40, blobs, begin)
check_that(
    "samples without the half are as near to true ones as ten true clouds",
    sliced_wasserstein(slipped, real) < max(floors),
)

# %% orders-drawn
from minidiff.course import check_that

seen = plots.plotted(ax)
check("drawn order of 2M, from 512 and 1,024 steps", math.log2(seen["2M"][-2] / seen["2M"][-1]), 2, rtol=0, atol=0.05)
check("Heun and the exponential integrator coincide", seen["exp. Heun"][-1] / seen["Heun"][-1], 1, rtol=0.3)
check("so do DDIM and the slip", seen["no half"][-1] / seen["DDIM"][-1], 1, rtol=0.3)
check_that("at four steps UniPC is not ten times better than 2M", seen["2M"][0] < 10 * seen["UniPC"][0])

# %% work-drawn
from minidiff.course import check_that

seen, other = (
    {name: dict(zip(budgets, row, strict=True)) for name, row in plots.plotted(ax).items()} for ax in (left, right)
)
check_that("up to 25 Heun is worse than DDIM", [seen["Heun"][n] > 1.1 * seen["DDIM"][n] for n in budgets[:6]])
check_that("from 33 on it is better", [seen["Heun"][n] < 0.9 * seen["DDIM"][n] for n in budgets[6:]])
check_that("2M overtakes DDIM at 17", [(seen["2M"][n] < seen["DDIM"][n]) == (n >= 17) for n in budgets])
check_that("2M is better than Heun everywhere", [seen["2M"][n] < seen["Heun"][n] for n in budgets])
check(
    "NFE 7, DDIM: rho = 7 over equal angles", other["DDIM, rho = 7"][7] / other["DDIM, equal angles"][7], 4.5, rtol=0.05
)
check("NFE 7: 2M over DDIM", seen["2M"][7] / seen["DDIM"][7], 2.36, rtol=0.05)
check(
    "NFE 65, DDIM: rho = 7 over equal angles",
    other["DDIM, rho = 7"][65] / other["DDIM, equal angles"][65],
    1.48,
    rtol=0.05,
)
check("NFE 65, rho = 7: DDIM over 2M", seen["DDIM"][65] / seen["2M"][65], 10.2, rtol=0.05)
rms = lambda name, nfe: (draw(name, nfe, blobs, begin, karras) - truth).square().sum(1).mean().sqrt()
check_that(
    "root mean square: Heun worse at 17, better at 25",
    rms("Heun", 17) > rms("DDIM", 17) and rms("Heun", 25) < rms("DDIM", 25),
)
quick = of_mixture(*data.MIXTURE, edm)  # in float32
single = (draw("UniPC", 129, quick, begin.float(), karras) - truth).norm(dim=1).median()
check("UniPC at 129, float32 over float64", single / seen["UniPC"][129], 1, rtol=0.1)

# %% try
from minidiff.course import check_between, check_that

inside = {}
for name in ("DDIM", "Heun"):
    for nfe in (5, 9, 13, 17):
        reached = draw(name, nfe, blobs, begin[:250], karras)
        inside[name, nfe] = (reached.abs().amax(1) < 2.2).double().mean()
check_between("Heun at 5 and 9: share in sight", [inside["Heun", 5], inside["Heun", 9]], 0, 0.25)
check("at 17, and DDIM: all in sight", [inside["Heun", 17], inside["DDIM", 5], inside["DDIM", 17]], 1, rtol=0.01)
check_between("Heun at 13: more than half in sight", inside["Heun", 13], 0.5, 1)
at_nine = {name: [error(name, 9, partial(karras, rho=rho)) for rho in rhos] for name in names}
check_that("at 9 Heun is 1 off and more", [off >= 1 for off in at_nine["Heun"]])
check_that("at 9 DDIM comes nearest", min(at_nine["DDIM"]) == min(min(row) for row in at_nine.values()))
check("at 9, DDIM from rho = 7 up", at_nine["DDIM"][5:], 0.13, rtol=0.05)
ax = trial("2M", 17, 3.0).axes[0]
drawn = draw("2M", 17, blobs, begin[:250], partial(karras, rho=3.0))
seen = [part[part.abs().amax(1) < 2.2] for part in (torch.from_numpy(plots.plotted(ax)["samples"]).double(), drawn)]
check("the lever draws with its own solver, NFE and rho", *seen, rtol=0, atol=1e-5)
check("and says how far off", float(ax.get_xlabel().split()[-1]), (drawn - truth[:250]).norm(dim=1).median(), rtol=0.06)

# %% churn
from minidiff import Denoiser, churned, solve
from minidiff.course import check_between
from minidiff.evaluation import sliced_wasserstein

plain, many = of_mixture(*data.MIXTURE, edm), 80 * noise(2_000, 2, seed=19)


def faulty(by, above):
    def predict(x_t, t):
        return solve(x_t, plain(x_t, t).x0 + torch.tensor([by, 0.0]) * (t > above), "x0", edm, t)

    return Denoiser(edm, predict)


def drawn_with(gamma, denoiser, steps, low=0.05):
    step = churned(heun_step, gamma, low=low, high=2.0)
    return last(sample(step, denoiser, many, karras_times(steps), generator=torch.Generator().manual_seed(18)))


def width(x):
    means, stds, _ = data.MIXTURE
    distance, nearest = torch.cdist(x, means).min(1)
    return (distance / stds[nearest]).square().mean().div(2).sqrt()


most, far, always = math.sqrt(2) - 1, faulty(0.5, 2.0), faulty(0.05, 0.0)
found = [drawn_with(gamma, fault, 128)[:, 0].mean() for fault in (far, always) for gamma in (0.0, most)]
check("mean of x: far out, with churn, everywhere, with churn", found, (0.20, 0.03, 0.33, 0.50), rtol=0, atol=0.07)
check_between(
    "width without a fault, 32 levels: churn, and churn above 0.2", [width(drawn_with(most, plain, 32))], 1.05, 1.12
)
check_between("churn above 0.2 only", width(drawn_with(most, plain, 32, low=0.2)), 0.97, 1.035)
true = data.MIXTURE.sample(2_000, seed=20).x
repaired = [sliced_wasserstein(drawn_with(most, far, 32, low=low), true) for low in (0.2, 0.05)]
check_between(
    "fault far out: distance with churn above 0.2 only, over that from 0.05", repaired[0] / repaired[1], 0.8, 1.25
)

# %% clothes
from minidiff.course import check_that

seen = plots.plotted(ax)
check_that("Heun is worse than DDIM at 7 and 11", seen["Heun"][:2] > 1.15 * seen["DDIM"][:2])
check_that("Heun is better at 15 and 25", seen["Heun"][2:] < 0.95 * seen["DDIM"][2:])
check("DDIM at 7 and 25", seen["DDIM"][[0, 3]], [0.244, 0.092], rtol=0.1)
check_that("2M is the best at all four", [seen["2M"] < 0.9 * seen[other] for other in ("DDIM", "Heun", "exp. Heun")])

# %% today
from minidiff.course import check_between
from minidiff.losses import lognormal

logits = torch.logit(lognormal(flow, 0.0, 1.0)(10_000, torch.Generator().manual_seed(0)).double())
check("logit t on flow for ln r ~ N(0, 1): mean, spread", [logits.mean(), logits.std()], [0, 1], rtol=0, atol=0.01)
tops = [r[row.argmax()].log() for row in plots.plotted(ax).values()]
check("tops of the bells, in ln r", tops, [-0.5, 0.0, 0.293], rtol=0, atol=0.04)
t = torch.linspace(0.01, 0.99, 99, dtype=f64)
ratio = t / (1 - t)
check_between("the weight on F of the plain error of eps - x0", ratio**2 / (1 + ratio**2) / t**2, 1, 2)

# %% shifted
t = torch.sigmoid(noise(200_000, seed=30, dtype=f64))
moved = torch.logit(3 * t / (1 + 2 * t))
check("mean and spread of ln r, by drawing", shifted(), (moved.mean(), moved.std()), rtol=0, atol=0.01)

# %% min-snr
ours = torch.tensor([min_snr(torch.tensor(one)) / preconditioning(one)[1] ** 2 for one in (0.1, 0.3, 2.0)])
check("the weight of x0's error: min(SNR, 5)", ours, (5, 5, 0.25), rtol=1e-5)
check("the bump's top", r[min_snr(r).argmax()], 5**-0.5, rtol=0.05)

# %% garments
from minidiff.course import check_that


def flipped(now, before, h, h_before):
    return now + h_before / (2 * h) * (now - before)


SOLVERS["flipped"] = partial(two_m, flipped)
wrong = math.log2(gaussian_error("flipped", 512) / gaussian_error("flipped", 1024))
del SOLVERS["flipped"]
check("order of 2M with q upside down", wrong, 2, rtol=0, atol=0.15)


def single(ahead, h):
    step, r = two_m(ahead), [math.exp(2 * h), 1.0, math.exp(-h)]
    size = [math.hypot(0.3, one) for one in r]
    step(narrow, 0.5 + size[0] * three, r[0], r[1])
    return (step(narrow, 0.5 + size[1] * three, r[1], r[2]) - 0.5 - size[2] * three).abs().max()


check("one step, right: h^3", math.log2(single(extrapolated, 0.02) / single(extrapolated, 0.01)), 3, rtol=0, atol=0.15)
check("one step, upside down: h^2", math.log2(single(flipped, 0.02) / single(flipped, 0.01)), 2, rtol=0, atol=0.15)


def limping(make, steps):
    lengths = torch.tensor([1.0, 2.0], dtype=f64).repeat(steps // 2).cumsum(0)
    r = 2 * 0.05 ** torch.cat([torch.zeros(1, dtype=f64), lengths / lengths[-1]])
    shrink = math.hypot(0.3, r[-1].item()) / math.hypot(0.3, 2.0)
    return (last(sample(make(), narrow, three, r)) - 0.5 - shrink * (three - 0.5)).abs().max()


uneven = math.log2(limping(partial(two_m, flipped), 512) / limping(partial(two_m, flipped), 1024))
check("upside down, steps one and two long: order", uneven, 2, rtol=0, atol=0.15)
near = {low: apart(draw("2M", 9, ten, z, partial(karras, low=low)), patient) for low in (0.002, 0.02, 0.4)}
check_that(
    "2M, NFE 9: a smallest level of 0.02 is better than 0.002 and 0.4", near[0.02] < 0.97 * min(near[0.002], near[0.4])
)
shown = garments("2M", 9, 0.02, 7.0).axes[0].figure
said = " ".join(text.get_text() for text in [*shown.texts, *(ax.title for ax in shown.axes)] if text.get_text())
check_that("the lever's low is used", f"{near[0.02]:.3f}" in said)
