# %% opening
for path, ax in zip(states.values(), axes[0]):
    drawn = plots.plotted(ax)
    shares = [len(drawn[name]) / 2_000 for name in "ABC"]
    check("shares of A, B, C, drawn", shares, abc.weights, rtol=0, atol=4 * 0.5 / 2_000**0.5)
below = plots.plotted(axes[1, 1])
for k, name in enumerate("ABC"):
    check("the drawn ends are near their mean", below[name].mean(0), abc.means[k], rtol=0, atol=0.05)

# %% brownian
counts = [4**k for k in range(1, 9)]
walks = [w[:: 2**16 // n].diff() for n in counts]
bounds = torch.tensor([4 * (2 / n) ** 0.5 for n in counts])
off = torch.tensor([float(dw.square().sum()) - 1 for dw in walks])
assert (off.abs() < bounds).all()
lengths = [float(dw.abs().sum()) / n**0.5 for dw, n in zip(walks[4:], counts[4:])]
check("length over sqrt(n)", lengths, math.sqrt(2 / math.pi), rtol=4 * 0.75 / 1024**0.5)
halfway = ((w[:-1] + w[1:]) / 2 * w.diff()).sum()
check("Stratonovich's integral", halfway - w[-1] ** 2 / 2, 0.0, atol=1e-9)

# %% f-and-g
from minidiff import schedules

for name, schedule in schedules.SCHEDULES.items():
    pairs = [[f_and_g(schedule, t) for t in (0.1, 0.5, 0.9)], [drift_and_diffusion(schedule, t) for t in (0.1, 0.5, 0.9)]]
    check(f"{name}: ours and the package's", *pairs, rtol=1e-9)
betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
table = schedules.from_betas(betas)
for k in (1, 10, 100, 500, 1000):
    f, g = drift_and_diffusion(table, (k - 0.5) / 1000)
    wanted = -math.log1p(-float(betas[k - 1]))
    check("g^2 dt and -2 f dt: -log(1 - beta)", [g**2 / 1000, -2 * f / 1000], [wanted, wanted], rtol=1e-9)
    check("which is beta, but for 1 %", g**2 / 1000, float(betas[k - 1]), rtol=0.0102)


def sub_vp_path(t):
    alpha = (-(0.1 * t + 19.9 * t**2 / 2) / 2).exp()
    return alpha, 1 - alpha**2


for t in (0.1, 0.4):
    f, g = f_and_g(sub_vp_path, t)
    check("sub-VP: g^2 = b (1 - alpha^4)", g**2, (0.1 + 19.9 * t) * (1 - evaluate(linear_beta, t)[0] ** 4), rtol=1e-9)

# %% two-parts
def gradient(y, x):
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


for t in (0.05, 0.15, 0.5):
    x = places.clone().requires_grad_()
    f, g = drift_and_diffusion(linear_beta, t)
    p = density(x, t)
    right = -gradient(f * x * p, x) + g**2 / 2 * gradient(gradient(p, x), x)
    left = (density(places, t + 1e-5) - density(places, t - 1e-5)) / 2e-5
    check("Fokker-Planck by autodiff", left, right.detach(), rtol=0, atol=1e-6)
    score = -ideal(places[:, None], t).eps[:, 0] / evaluate(linear_beta, t)[1]
    check("score of the exact denoiser", score, (gradient(density(x, t).log(), x)).detach(), rtol=1e-6, atol=1e-6)

# %% two-parts-drawn
drawn = plots.plotted(ax)
check("the drawn sum", drawn["sum"], change, rtol=0, atol=0.003)
high = drawn["sum"].argmin()
assert drawn["by the noise"][high] < -drawn["by the drift"][high] < 0
valley = 300 + p[300:500].argmin()
assert drawn["by the noise"][valley] > 0 and drawn["sum"][valley] > 0

# %% family-step
from minidiff import cosine, ddim_step, edm
from minidiff.samplers import posterior_std, velocity

x, times = noise(500, 2, seed=6), uniform_times(20, 0.9, 0.1)
for path in (linear_beta, cosine, edm):
    blobs = of_mixture(*abc, path)
    for eta, theirs in ((0.0, euler_step), (1.0, sde_step)):
        mine = last(sample(partial(family_step, eta=eta), blobs, x, times, generator=seeded(7)))
        other = last(sample(theirs, blobs, x, times, generator=seeded(7)))
        check("ours minus the package's", mine - other, 0.0, atol=1e-9)
short = (ddim_step(exact, x, 0.4, 0.4 - 1e-6) - x) / -1e-6
check("DDIM's displacement per time", short, velocity(exact, x, 0.4), rtol=0, atol=1e-3)
for t in (0.9, 0.4, 0.1):
    g = drift_and_diffusion(linear_beta, t)[1]
    check("DDPM's fresh variance per time", posterior_std(linear_beta, t, t - 1e-7) ** 2 / 1e-7, g**2, rtol=1e-4)

# %% ode-paths
path = walk_back(0.0, 0)
assert (path[:, :5].diff(dim=1) > 0).all(), "paths of the ODE cross"
assert (path[-1, :5] < -0.75).tolist() == [True, True, False, False, False]
lines = plots.plotted(five_paths(0.0, 0).axes[0])
check("a drawn path", lines["path 1"], path[:, 1], rtol=1e-9)

# %% eta-lever
path = walk_back(1.0, 23)
assert not (path[:, :5].diff(dim=1) > 0).all()
assert (path[-1, :5] < -0.75).tolist() == [False, False, False, False, True]
bars = [bar.get_width() for bar in five_paths(1.0, 23).axes[1].patches]
inside = share_below(clean, grid[::4][1:]) - share_below(clean, grid[::4][:-1])
check("the drawn bars", torch.tensor(bars) * 0.16, inside, rtol=0.1, atol=5 / 4_000)

# %% marginals
true = clean.sample(4_000, seed=1).x.double()[:, 0]
assert misfit(true, clean) < 1.95
one = noise(4_000, seed=1)  # one plain Gaussian of the data's mean and variance
mean = clean.weights @ clean.means[:, 0]
std = (clean.weights @ (clean.means[:, 0] ** 2 + clean.stds**2) - mean**2).sqrt()
assert misfit(mean + std * one, clean) > 10
equal = clean._replace(weights=torch.tensor([0.5, 0.5], dtype=torch.float64))
assert misfit(equal.sample(4_000, seed=1).x.double()[:, 0], clean) > 10

# %% anderson
drawn = plots.plotted(ax)
check("memory, measured and by formula", drawn["family_step"], drawn["alpha ^ (eta ^ 2)"], rtol=0, atol=4 / 4_000**0.5)
x0 = noise(4_000, 1, seed=31)
out = alpha * x0 + evaluate(linear_beta, 0.3)[1] * noise(4_000, 1, seed=32)
check("forwards", torch.corrcoef(torch.cat([x0, out], 1).T)[0, 1], alpha, rtol=0, atol=4 / 4_000**0.5)
area = 0.1 * 0.3 + 19.9 * 0.3**2 / 2  # the integral of g^2
for eta in (0.5, 1.0, 2.0):
    way = sample(partial(family_step, eta=eta), unit, x_t[:200], uniform_times(2_000, 0.3, 0.001), generator=seeded(4))
    squares = torch.stack([x_t[:200], *way])[..., 0].diff(dim=0).square().sum(0).mean()
    check("sum of squared steps of a path", squares, eta**2 * area, rtol=0.02)

# %% map-lever
def sorted_share(points, end):
    near = torch.cdist(points, points).fill_diagonal_(9.0).argmin(1)
    mode = torch.cdist(end, abc.means).argmin(1)
    return (mode[near] == mode).double().mean().item()


plain, noisy_paths = states.values()
assert min(sorted_share(plain[k], plain[-1]) for k in (0, 80, 120, 160)) > 0.95
stages = [sorted_share(noisy_paths[k], noisy_paths[-1]) for k in (0, 80, 120, 150, 180)]
check_between("with fresh noise, until t = 0.6", stages[:2], 0.32, 0.45)
check_between("at t = 0.4", stages[2], 0.4, 0.6)
check_between("at t = 0.1", stages[4], 0.95, 1)
x, own = noise(1_500, 2, seed=14), of_mixture(*abc, linear_beta)
late = [x, *sample(partial(family_step, eta=2.0), own, x, uniform_times(100), generator=seeded(15))]
check_between("eta = 2, at t = 0.4 and 0.25", [sorted_share(late[k], late[-1]) for k in (60, 75)], 0.3, 0.65)
drawn = plots.plotted(my_map(0.7, 0.0, 1.0).axes[0])
check("A's share of the noise", len(drawn["A"]) / 1_500, 0.7, rtol=0, atol=4 * 0.5 / 1_500**0.5)
assert len(plots.plotted(my_map(0.05, 2.0, 0.0).axes[0])["C"]) > 700

# %% staircase
drawn = plots.plotted(ax)
check("the drawn dots lie on the map", drawn["ODE, solved"], mapped[::3], rtol=0, atol=1e-3)
counts = [50, 100, 200]
errors = {}
for name, method in (("Euler", partial(family_step, eta=0.0)), ("Heun", heun_step)):
    errors[name] = [(last(sample(method, ideal, x1[:, None], uniform_times(k)))[:, 0] - mapped).abs().max() for k in counts]
for name, low, high in (("Euler", 1.8, 2.2), ("Heun", 3.5, 4.5)):
    check_between("twice the steps", [errors[name][k] / errors[name][k + 1] for k in (0, 1)], low, high)
border = quantile(noisy(1.0), torch.tensor([0.2], dtype=torch.float64))
check("the border", border, -0.8416, rtol=1e-4)
beside = torch.cat([border - 0.01, border + 0.01])[:, None]
assert (last(sample(heun_step, ideal, beside, uniform_times(400)))[:, 0] < -0.75).tolist() == [True, False]

# %% slips-table
B = 0.1 + 19.9 / 2
wrong = {name: [final_variance(rule, eta) for eta in (0, 1)] for name, rule in rules.items()}
check("yours", wrong["yours"], 1.0, rtol=2e-3)
check("yours, at other eta", [final_variance(drift, eta) for eta in (0.3, 2.0)], 1.0, rtol=0.01)
check("half the score, all the noise", wrong["half"][1], 1 + B, rtol=2e-3)
check("all the score, no noise", wrong["all"][0], math.exp(-B), rtol=0.03)
check("which is alpha-bar", math.exp(-B), evaluate(linear_beta, 1.0)[0] ** 2, rtol=1e-6)
check("sign turned, log", math.log(wrong["turned"][1]), 3 * B + math.log(4 / 3), rtol=0.01)

# %% learned-drawn
B, b3 = (0.1 * t + 19.9 * t**2 / 2 for t in (1.0, 0.3))
held = lambda eta, area: -math.expm1(-(eta**2) * area / 2) / eta**2 if eta else area / 2
late = [(1 + eta**2) * held(eta, b3) for eta in etas]
early = [(1 + eta**2) * held(eta, B - b3) * math.exp(-(eta**2) * b3 / 2) for eta in etas]
drawn = plots.plotted(ax)
check("early errors, closed form", drawn["score wrong at t > 0.3"], early, rtol=0.03, atol=0.08)
check("late errors, closed form", drawn["score wrong at t < 0.3"], late, rtol=0.03, atol=0.08)

# %% langevin-move
from minidiff.solvers import langevin

x, sigma = noise(500, 1, seed=13), evaluate(linear_beta, 0.3)[1]
z = torch.randn(x.shape, generator=seeded(14), dtype=x.dtype)
mine = langevin_move(x, -ideal(x, 0.3).eps / sigma, 0.2 * sigma**2, z)
check("ours minus the package's", mine - langevin(ideal, x, 0.3, size=0.2, generator=seeded(14)), 0.0, atol=1e-12)
x, d = noise(40_000, 1, seed=15), 0.3
for k in range(40):
    x = langevin_move(x, -x, d, noise(40_000, 1, seed=100 + k))
check("variance at rest, 1 / (1 - d / 2)", x.var(), 1 / (1 - d / 2), rtol=4 * (2 / 40_000) ** 0.5)

# %% wander-drawn
drawn = plots.plotted(ax)
check_between("t = 0.1: on the way", drawn["Langevin at t = 0.1"][-1], 0.3, 0.45)
true = {t: share_below(noisy(t), noisy(t).means.mean().reshape(1)).item() for t in wandered}
check_between("the truths", list(true.values()), 0.195, 0.21)
check("t = 0.15", drawn["Langevin at t = 0.15"][400:].mean(), true[0.15], rtol=0, atol=4 * 0.5 / 4_000**0.5)
quiet = noisy(0.03)
hill, gap = quiet.log_prob(torch.stack([quiet.means[0], quiet.means.mean(0)])).tolist()
check_between("density in the gap over that on the small hill", math.exp(gap - hill), 1e-6, 2e-6)

# %% weights
assert gap > 0.25  # at t = 0.3

# %% displaced
from minidiff import corrected

check("Phi", torch.special.ndtr(torch.tensor(-0.8416 - 0.5, dtype=torch.float64)), tasks.our_displaced(), rtol=1e-3)
share_of = lambda method: float((last(sample(method, ideal, starts + 0.5, uniform_times(200), generator=seeded(21))) < -0.75).double().mean())
check("the ODE's share", share_of(partial(family_step, eta=0.0)), 0.0899, rtol=0, atol=4 * 0.286 / 4_000**0.5)
check("the SDE's", share_of(partial(family_step, eta=1.0)), 0.2, rtol=0, atol=4 * 0.4 / 4_000**0.5)
check("with a corrector", share_of(corrected(partial(family_step, eta=0.0), 1, 0.1)), 0.2, rtol=0, atol=4 * 0.4 / 4_000**0.5)

# %% outwards
from minidiff import cosine, edm, flow, karras_times

begin, ends = noise(300, 2, seed=25), {}
for path in (linear_beta, cosine, flow):
    ends[path] = last(sample(heun_step, of_mixture(*abc, path), begin, uniform_times(200)))
ends[edm] = last(sample(heun_step, of_mixture(*abc, edm), 80 * begin, karras_times(200)))
for path in (cosine, flow, edm):
    check("the same end on every path", (ends[path] - ends[linear_beta]).norm(dim=1).median(), 0.0, atol=0.02)
eager = {k: last(sample(partial(family_step, eta=3.0), ideal, starts, uniform_times(k), generator=seeded(26)))[:, 0] for k in (100, 800)}
assert misfit(eager[100], clean) > 1.95 and misfit(eager[800], clean) < 1.95
