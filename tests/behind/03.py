# %% eight-photographs
from minidiff.course import check, check_that

off = (answers - eight).square().mean((1, 2, 3)).sqrt()
check("answers without any error", (off < 0.001).sum(), 4, rtol=0)
check_that("the other four are off by more than 0.2 a pixel", off.sort().values[4:] > 0.2)
check_that("the perfect ones are the training images", off.argsort()[:4].sort().values == torch.tensor([0, 4, 5, 7]))

# %% by-hand
check("the average, weighed by hand", 2 * share - 1, math.tanh(0.5**0.5 * 0.3 / 0.5), rtol=1e-14)

# %% posterior-mean
from minidiff.course import check

some = torch.linspace(-4, 4, 81, dtype=torch.float64)[:, None]
check("the coin", posterior_mean(some, coin, half, half), torch.tanh(some / half), rtol=0, atol=1e-14)
check("of_points", of_points(coin, cosine)(some, 0.5).x0, torch.tanh(some / half), rtol=0, atol=1e-14)

# %% three-denoisers
check("leaving the noise alone", losses["divide by alpha"], 1.0, rtol=0.01)
check("naming the nearer side: 4 times a Gaussian's tail beyond 1", losses["name the nearer side"],
      2 * math.erfc(half), rtol=0.015)

# %% mixtures
from minidiff import of_gaussian
from minidiff.course import check

grid = torch.linspace(-9, 9, 9_001, dtype=torch.float64)[:, None]
some = torch.linspace(-3, 3, 61, dtype=torch.float64)[:, None]


def brute(prior, sigma):
    joint = weights(some, grid, 1.0, sigma) * prior(grid[:, 0])
    return joint / joint.sum(1, keepdim=True) @ grid


def bells(x):
    m, s, p = (part.double().reshape(-1, 1) for part in three)
    return (p / s * torch.exp(-((x - m) ** 2) / (2 * s**2))).sum(0)


for sigma in (0.3, 2.0):
    check("three Gaussians, against 9,001 points", best_guess["three Gaussians"](some, sigma), brute(bells, sigma),
          rtol=0, atol=1e-6)
    one = brute(lambda x: torch.exp(-(x**2) / 2), sigma)
    check("a Gaussian, against 9,001 points", best_guess["N(0, 1)"](some, sigma), one, rtol=0, atol=1e-10)
    check("of_gaussian", of_gaussian(0.0, 1.0, edm)(some, sigma).x0, one, rtol=0, atol=1e-10)

# %% staircases
from minidiff.course import check

drawn = [plots.plotted(ax) for ax in axes]
check("drawn for the coin, sigma = 0.8", drawn[0]["sigma = 0.8"], torch.tanh(readings / 0.64)[:, 0], rtol=0, atol=1e-12)
steep = drawn[1]["sigma = 2.0"]
check("slope drawn for the Gaussian, sigma = 2", (steep[-1] - steep[0]) / 6, 1 / 5, rtol=1e-12)

# %% arrows
from minidiff.course import check

slopes = []
for t in (0.8, 0.4, 0.2):
    at = feet.clone().requires_grad_()
    slopes += [torch.autograd.grad(log_p(at, t).sum(), at)[0]]
drawn = [torch.from_numpy(plots.plotted(ax)["arrows0"]) for ax in axes]
along = [torch.cosine_similarity(arrow, slope) for arrow, slope in zip(drawn, slopes)]
check("cosine between each drawn arrow and the steepest way uphill", torch.cat(along), 1.0, rtol=1e-9)

# %% score
from minidiff.course import check

check("score from eps", -ideal(x, t).eps / sigma, score_by_autograd(x, t), rtol=0, atol=1e-10)
grid = torch.linspace(-9, 9, 9_001, dtype=torch.float64)[:, None]
for beta in (0.45, 0.02):  # the centre of the reverse step, for the coin at alpha-bar = 1/2
    keep, before = (1 - beta) ** 0.5, 0.5 / (1 - beta)
    bells = [torch.exp(-((grid[:, 0] - sign * before**0.5) ** 2) / (2 * (1 - before))) for sign in (1, -1)]
    joint = weights(reading, grid, keep, beta**0.5) * sum(bells)
    slope = (half * torch.tanh(reading / half) - reading) / 0.5
    check("centre of the way back", (reading + beta * slope) / keep, joint / joint.sum() @ grid, rtol=1e-9)

# %% states-and-guesses
from minidiff import ddim_step, last, sample
from minidiff.course import check, check_between, check_that

begun, ended = (plots.plotted(axes[1, k])["guess"] for k in (0, 4))
apart = torch.from_numpy(plots.plotted(axes[0, 4])["state"] - ended).norm(dim=1)
check("every first guess is the mean of the data", begun, 0.0, atol=1e-6)
check_between("at t = 0.02 a state is this far from its guess", apart, 0, 5 * math.sin(math.pi / 2 * 0.02))
near = torch.cdist(torch.from_numpy(ended), means).min(1).values / 0.14
check_that("99 % of the last guesses are within three widths of a centre", (near < 3).double().mean() > 0.99)
by_package = last(sample(ddim_step, ideal, states[0], uniform_times(50)))
check("sample(ddim_step, ...)", states[-1], by_package, rtol=0, atol=1e-9)

# %% changes
from minidiff.course import check, check_that

check("the right loop", samples["as it was"], states[-1], rtol=0, atol=1e-12)
check_that("each change is refused", torch.tensor([floors[name] > 1 for name in list(variants)[1:]]))

# %% moons
from minidiff.course import check, check_that

counts = []
for sigma, alone in ((0.15, 8), (0.8, 0)):
    w = weights(query, points, 1.0, sigma)
    check("of_points", w @ points, of_points(points, edm)(query, sigma).x0, rtol=0, atol=1e-9)
    check("positions of 15 at which one point has over 90 %", (w.max(1).values > 0.9).sum(), alone, rtol=0)
figure, pair = plots.panels(1, 2)
panel(pair[0], query[3:4], 0.15)
check("the diamond drawn", plots.plotted(pair[0])["answer"], weights(query[3:4], points, 1.0, 0.15) @ points, atol=1e-9)
plots.png(figure)
before = moons.image.value
moons.slider.value = 3
check_that("the picture follows the slider", moons.image.value == moons.frames[3] != before)
moons.slider.value = 6

# %% copies
from minidiff.course import check

check("different training images among the ten", len({tuple(one.flatten().tolist()) for one in copied}), 10, rtol=0)

# %% curves
from minidiff.course import check, check_between, check_that

drawn = plots.plotted(ax)
new, known = drawn["ideal, on test images"], drawn["ideal, on training images"]
check("seen, up to sigma = 1", known[:4], 0.0, atol=0.01)
check_between("unseen, up to sigma = 1", new[:4], 0.32, 0.42)
check_that("worse than nothing up to 0.3, better from 0.6", (new > levels) == (torch.tensor(levels) < 0.5).numpy())
check("seen and unseen agree at sigma = 10", known[-1] / new[-1], 1.0, rtol=0.1)
x_t = (unseen.x[:200] + 0.3 * noise(200, 1, 28, 28, seed=5)).flatten(1)
best, second = weights(x_t, train_set, 1.0, 0.3).topk(2).values.T
check_that("one image has over 99 % of the weight, for 9 of 10", (best > 0.99).double().mean() > 0.9)
check("median lead of the winner, as a power of e", (best / second).log().median(), 42, rtol=0.05)

# %% stranger
from minidiff.course import check, check_between

for sigma, low, high in ((20.0, 20_000, 50_000), (6.0, 300, 2_000), (2.0, 1, 9), (0.3, 1, 1.01)):
    w = weights((stranger + sigma * one_noise).flatten(1), train_set, 1.0, sigma)
    check_between(f"images that share the answer at sigma = {sigma}", 1 / w.square().sum(), low, high)
check("distance of the last answer to a training image", nearest((w @ train_set).reshape(1, 1, 28, 28))[1], 0.0, atol=1e-3)

# %% network
from minidiff.course import check, check_that

check("seen and unseen are alike", learned[0] / learned[1], 1.0, rtol=0.03)
of_ideal, of_network = ((answer - faces).square().mean((1, 2, 3)) for answer in rows[1:3])
check_that("the network wins on each of the seven", of_network < of_ideal)
net, _ = load(data.find("fashion-small.safetensors"))
check("parameters, millions", sum(p.numel() for p in net.parameters()) / 1e6, 1.65, rtol=0.005)
check("pixels, millions", train_set.numel() / 1e6, 47, rtol=0.005)
with torch.no_grad():
    heavy = [error(d, unseen.x[:100], 5.0) for d in (network, perfect)]
check("at sigma 5 the two agree", heavy[0] / heavy[1], 1.0, rtol=0.05)

# %% no-copies-drawn
from minidiff.course import check_that

known = nearest(unseen.x[:500])[1].quantile(0.01)
check_that("no drawing is nearer than 99 % of unseen images are", gaps > known)

# %% how-many
from minidiff.course import check

check("errors", errors, [0.61, 0.49, 0.42, 0.36], rtol=0, atol=0.006)
x_t = some + 0.3 * epsilon
copy = posterior_mean(x_t, train_set, 1.0, math.hypot(0.35, 0.3))
blend = copy + 0.35**2 / (0.35**2 + 0.3**2) * (x_t - copy)
check("the error with Gaussians of width 0.35", (blend - some).square().mean().sqrt(), 0.23, rtol=0, atol=0.008)

# %% variance
from minidiff.course import check

one = torch.linspace(-3, 3, 61, dtype=torch.float64)[:, None]
spread = variance(lambda x: of_mixture(*three, edm)(x, 0.8).x0, one, 1.0, 0.8)
grid = torch.linspace(-9, 9, 9_001, dtype=torch.float64)[:, None]
m, s, p = (part.double().reshape(-1, 1) for part in three)
joint = weights(one, grid, 1.0, 0.8) * (p / s * torch.exp(-((grid[:, 0] - m) ** 2) / (2 * s**2))).sum(0)
joint = joint / joint.sum(1, keepdim=True)
check("three Gaussians, against a grid", spread, joint @ grid**2 - (joint @ grid) ** 2, rtol=0, atol=1e-6)
