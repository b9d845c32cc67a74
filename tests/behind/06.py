# %% opening
from minidiff.course import check_between

alike = torch.corrcoef(torch.stack([x.flatten() for x in drawn.values()]))[3, :3]
check_between("correlation of each row with the last", alike, 0.9, 1)

# %% quarter-circle
from minidiff.course import check

for fresh in (0.0, 1.2, 2.4, 3.3, 4.0):
    cloud = torch.from_numpy(plots.plotted(circle(fresh).axes[1])["pairs"])
    check("standard deviations drawn", cloud.std(0), torch.tensor([5.0, 4.0]), rtol=4 / 800**0.5)
    kept = math.sqrt(16 - fresh**2) / 4
    check("their correlation: remaining / 4", torch.corrcoef(cloud.T)[0, 1], kept, rtol=0, atol=4 / 400**0.5)

# %% split
from minidiff import edm, from_betas
from minidiff.course import check, check_that

check("the triangle at eta = 1", split(edm, 5.0, 4.0, 1.0), (2.4, 3.2), rtol=1e-14)
ddpm = from_betas(torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
bar = [evaluate(ddpm, k / 1000)[0] ** 2 for k in range(1001)]
for t, s in ((1000, 999), (600, 300), (50, 10)):
    paper = 0.5 * math.sqrt((1 - bar[s]) / (1 - bar[t])) * math.sqrt(1 - bar[t] / bar[s])
    check(f"their Eq. 16, step {t} to {s}", split(ddpm, t / 1000, s / 1000, 0.5)[0], paper, rtol=1e-9)
(alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(cosine, 0.7), evaluate(cosine, 0.4)
x0, e, f = (noise(200_000, seed=seed, dtype=torch.float64) for seed in (3, 1, 2))
x_t, needed = alpha_t * x0 + sigma_t * e, []
for eta in (0.0, 0.5, 1.0):
    fresh, remaining = split(cosine, 0.7, 0.4, eta)
    x_s = alpha_s * x0 + remaining * e + fresh * f
    needed.append(torch.linalg.lstsq(torch.stack([x0, x_s], 1), x_t[:, None]).solution[0].item())
    formula = alpha_t - alpha_s * sigma_t * remaining / sigma_s**2
    check(f"factor of x0, eta = {eta}", needed[-1], formula, rtol=0, atol=0.01)
check_that("x0 is needed below eta = 1", max(needed[:2]) < -0.5)

# %% step
from minidiff import of_points
from minidiff.course import check

point = of_points(torch.tensor([[2.0]], dtype=torch.float64), cosine)
uneven = torch.tensor([1.0, 0.9, 0.6, 0.5, 0.1], dtype=torch.float64)
for eta in (0.0, 0.5, 1.0):
    path = sample(partial(step, eta=eta), point, noise(40_000, 1, seed=7, dtype=torch.float64), uneven,
                  generator=torch.Generator().manual_seed(6))
    ratios = [x.std().item() / evaluate(cosine, s)[1] for x, s in zip(path, uneven.tolist()[1:])]
    check(f"eta = {eta}: standard deviation at four times, over sigma", ratios, 1, rtol=4 / 80_000**0.5)

# %% same
from minidiff.course import check, check_that

for eta in (0.0, 0.5, 1.0):
    mine, theirs = (run(kind, exact, x, times, eta=eta) for kind in (step, ddim_step))
    check(f"ddim_step, eta = {eta}", mine, theirs, rtol=0, atol=1e-11)
large = run(ddpm_step, exact, x, times, variance="large")
check_that("eta = 1 is not DDPM with the large variance", (mine - large).abs().max() > 0.1)
check_that("eta = 0 is not DDPM", (run(step, exact, x, times) - ancestral).abs().max() > 0.1)

# %% dials
from minidiff.course import check, check_between
from minidiff.evaluation import load_judge

pictures = {(eta, k): run(step, ten, z, uniform_times(k), eta=eta) for eta in (0.0, 1.0) for k in (5, 50)}
off = [(pictures[eta, 5] - pictures[eta, 50]).square().mean().sqrt().item() for eta in (0.0, 1.0)]
check_between("five steps to fifty: eta = 0 over eta = 1", off[0] / off[1], 0, 0.7)
kinds, forty = torch.arange(10).repeat(4), noise(40, 1, 28, 28, seed=0)
drawings = [run(step, given(network, y=kinds), forty, uniform_times(16), eta=eta) for eta in (0.0, 1.0)]
named = [(load_judge().classify(x) == kinds).sum() for x in drawings]
check("recognised of forty, at eta = 0 and 1", named, [32, 38], rtol=0, atol=1)

# %% wrong-drawn
from minidiff.course import check, check_that

grain = torch.tensor([x.diff(dim=3).abs().mean() for x in rows])
check("eta = 0, right and wrong", (rows[0] - rows[3]).abs().max(), 0, atol=1e-4)
check_that("eta = 1: the grain is more than doubled", grain[5] > 2 * grain[2])
check_that("right steps: the grain changes by less than a third", (grain[1:3] / grain[0] - 1).abs().max() < 1 / 3)

# %% final-std
from minidiff.course import check, check_that

turns = [math.cos(math.pi / (2 * k)) ** k for k in counts]
check("data of standard deviation 1, eta = 0", [final_std(1.0, k, 0.0) for k in counts], turns, rtol=1e-12)
sampled = run(step, of_gaussian(0.0, 0.5, cosine), noise(100_000, 1, seed=8, dtype=torch.float64), uniform_times(8), eta=1.0)
check("eta = 1, by sampling", sampled.std(), final_std(0.5, 8, 1.0), rtol=0.01)

# %% order-drawn
from minidiff import gaussian_mixture as draw_mixture
from minidiff.course import check_between, check_that
from minidiff.evaluation import sliced_wasserstein

seen = {eta: torch.from_numpy(plots.plotted(ax)[f"eta = {eta:g}"]) for eta in errors}
slopes = {eta: (seen[eta][1:] / seen[eta][:-1]).log2() for eta in seen}
check_between("slope for eta = 0 from 64 steps on", slopes[0.0][5:], -1.0, -0.98)
check_between("slope for eta = 1 from 64 steps on", slopes[1.0][5:], -1.0, -0.88)
check_between("error of eta = 1 over that of eta = 0", seen[1.0][5:] / seen[0.0][5:], 2.0, 2.8)


def width(x):
    far, nearest = torch.cdist(x, means.to(x)).min(1)
    return (far / stds.to(x)[nearest]).square().mean().div(2).sqrt().item()


quick, truth = of_mixture(*data.MIXTURE, cosine), [draw_mixture(4_000, seed=seed).x for seed in range(8)]
floor = max(sliced_wasserstein(truth[0], other) for other in truth[1:])
for eta in (0.0, 1.0):
    ends = {k: run(ddim_step, quick, noise(4_000, 2, seed=8), uniform_times(k), eta=eta) for k in (2, 8, 64)}
    check_that("two steps: further than true clouds", sliced_wasserstein(ends[2], truth[0]) > floor)
    check_that("eight: no further", sliced_wasserstein(ends[8], truth[0]) < 1.1 * floor)
    check_that("64: narrower than true clouds", width(ends[64]) < min(map(width, truth)) - 0.02)

# %% survival-drawn
from minidiff.course import check

seen = plots.plotted(ax)
for eta in (0, 1):
    check(f"eta = {eta}", seen[f"eta = {eta}, 400 steps"], seen[f"eta = {eta}, formula"][::3], rtol=0.01)

# %% trials-drawn
from minidiff import edm
from minidiff.course import check, check_between

for eta, wanted in ((0, (0.8, 0.2)), (1, (0.64, 0.36))):
    remaining = split(edm, 5.0, 4.0, eta)[1]
    check(f"eta = {eta}: factors of x_t and of the guess", (remaining / 5, 1 - remaining / 5), wanted, rtol=1e-12)
check_between("B, eta = 0: off by, in biases", off[2] / 0.1, 2.5, 3.4)
check_between("B, eta = 1: off by, in biases", off[3] / 0.1, 3.4, 4.4)
drawn_off = [plots.plotted(ax)["samples"][:, 0].mean() for ax in axes]
check("centres drawn", drawn_off, [float(one) for one in off], rtol=0, atol=4 * (1 / 600) ** 0.5)

# %% there-and-back
from minidiff.course import check, check_between, check_that

one = torch.ones(1, dtype=torch.float64)
many = [8, 32, 128, 256]
found = [1 - there_and_back(of_gaussian(0.0, 1.0, cosine), one, k)[1].item() for k in many]
check("unit Gaussian", found, [1 - math.cos(math.pi / (2 * k)) ** (2 * k) for k in many], rtol=1e-10)
check("steps times error, pi^2 / 4", found[3] * 256, math.pi**2 / 4, rtol=0.01)
points = gaussian_mixture(500, seed=10).x.double()
ways = {k: there_and_back(exact, points, k) for k in (64, 256)}
gaps = [(back - points).norm(dim=1).median() for _, back in ways.values()]
check_between("eight Gaussians: the error at 64 steps over that at 256", gaps[0] / gaps[1], 3.2, 4.2)
check("standard deviation of the noise found for them", ways[256][0].std(), 1, rtol=0.06)
check_that("each doubling brings the photographs nearer", all(a > b for a, b in pairwise(missed)))
check_between("standard deviation of the noise found for photographs", trips[40][0].std(), 0.57, 0.65)
alike = [torch.corrcoef(torch.stack([photos.flatten(), trips[k][1].flatten()]))[0, 1] for k in (5, 40)]
check_between("correlation with the photographs, 5 steps", alike[0], 0.7, 0.93)
check_between("correlation with the photographs, 40 steps", alike[1], 0.98, 1)

# %% slerp
from minidiff.course import check

a, b, mid = noise(2_000, 784, seed=12), noise(2_000, 784, seed=13), torch.tensor(0.5)
check("length of noise", a.norm(dim=1).mean(), 28, rtol=2e-3)
check("its standard deviation", a.norm(dim=1).std(), 0.5**0.5, rtol=4 / 4_000**0.5)
check("length of the straight midpoint", ((a + b) / 2).norm(dim=1).mean(), 19.8, rtol=2e-3)
check("of slerp's", torch.stack([slerp(p, q, mid) for p, q in zip(a[:200], b)]).norm(dim=1).mean(), 28, rtol=5e-3)

# %% bags
from minidiff.course import check, check_between

fine = bags.diff(dim=3).abs().mean((1, 2, 3))
check_between("texture of the middle bag, slerp over straight", fine[13] / fine[4], 1.1, 3)
pairs, mid = noise(16, 2, 1, 28, 28, seed=14), torch.tensor(0.5)
mixes = {"straight": straight, "slerp": slerp}
places = {name: torch.stack([mix(p, q, mid) for p, q in pairs]) for name, mix in mixes.items()}
places["ends"] = pairs[:, 0]
detail = lambda x: (x.diff(dim=3).abs().mean() + x.diff(dim=2).abs().mean()) / 2
fine = {name: detail(run(step, given(network, y=8), x, uniform_times(12))) for name, x in places.items()}
check_between("detail halfway, straight, over that at the ends (16 pairs)", fine["straight"] / fine["ends"], 0.5, 0.8)
check_between("detail halfway, slerp, over that at the ends (16 pairs)", fine["slerp"] / fine["ends"], 0.85, 1.25)

# %% walk
from minidiff.course import check_between, check_that

ends = torch.cat([trousers, dress])
check_that("it begins and ends at the photographs", (through[[0, -1]] - ends).square().mean((1, 2, 3)).sqrt() < 0.2)
known = fashion_mnist("train").x.flatten(1)
nearest = torch.stack([torch.cdist(x[1:-1].flatten(1), known).min(1).values / 28 for x in (through, fade)])
check_that("stations 0.2 to 0.8: nearer to a training image", nearest[0, 1:-1] < nearest[1, 1:-1])
check_between("halfway: its distance over that of the fade", nearest[0, 4] / nearest[1, 4], 0.3, 0.8)

# %% half
from minidiff import edm
from minidiff.course import check

check("the package's triangle", split(edm, 5.0, 4.0, 0.5)[1], half(), rtol=1e-12)
try:
    ddim_step(exact, noise(4, 2, seed=15, dtype=torch.float64), 0.5, 0.4, eta=4 / 2.4)
    raise AssertionError("eta above 1 was taken")
except ValueError:
    pass

# %% survives
from minidiff.course import check, check_between, check_that
from minidiff.evaluation import load_judge

law = [survives(a, 0.5, b, 0.5) for a, b in zip(alpha[::3].tolist(), r[::3].tolist())]
check("what survives at eta = 1/2", [displaced(t, 0.5) for t in levels[::3].tolist()], law, rtol=0.01)
for times, std, worse in ((uniform_times(40) ** 2, (0.7, 0.85), (2, 5)),
                          (torch.sin(math.pi / 2 * uniform_times(40)) ** 2, (0.68, 0.82), (0.5, 0.95))):
    up = last(sample(step, ten, photos, times.flip(0)))
    home = last(sample(step, ten, up, times))
    check_between("standard deviation of the noise", up.std(), *std)
    check_between("distance from home, over that with equal times", (home - photos).square().mean().sqrt() / missed[3], *worse)
pullovers = test.x[test.y == 2][:10]
up = last(sample(step, given(network, y=2), pullovers, uniform_times(40, 0.0, 1.0)))
dresses = last(sample(step, given(network, y=3), up, uniform_times(40)))
check_that("the judge sees dresses in most of them", (load_judge().classify(dresses) == 3).double().mean() > 0.5)
light = torch.stack([pullovers.mean((1, 2, 3)), dresses.mean((1, 2, 3))])
check_between("correlation of brightness (10 pairs)", torch.corrcoef(light)[0, 1], 0.63, 1)
