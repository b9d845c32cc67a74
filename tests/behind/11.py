# %% dresses
seen = [(x * card["data"]["scale"] + card["data"]["shift"]).clamp(0, 1) for x in dresses]
differ = [x.std(0).mean() for x in seen]
check_between("how much the ten dresses differ, scale 6 over scale 1", differ[3] / differ[1], 0.35, 0.65)
check_between("their brightness, scale 6 over scale 1", seen[3].mean() / seen[1].mean(), 1.03, 1.3)
check("share of training images whose label was hidden", card["settings"]["drop"], 0.1, rtol=0)

# %% steered
for t in (0.05, 0.4, 0.95):
    x, (alpha, sigma) = torch.linspace(-3, 3, 61, dtype=f64)[:, None], evaluate(cosine, t)
    slope = alpha * (1 - alpha * x) / (sigma**2 + 1 / 3)
    eps = of_gaussian(0.0, 1.0, cosine)(x, t).eps
    truth = of_gaussian(0.75, 0.5, cosine)(x, t).eps
    check(f"prior + sensor = posterior at t = {t}", steered(eps, slope, sigma), truth, atol=1e-12)

# %% sensor
check("mean at the end", sensed.mean(), 0.75, rtol=0, atol=4 * 0.5 / 1_000**0.5)  # four standard errors
check("variance at the end", sensed.var(), 0.25, rtol=4 * (2 / 1_000) ** 0.5)
walks = [torch.stack(list(sample(ddim_step, d, start, uniform_times(200)))) for d in both]
check("every one of 200 steps", walks[0], walks[1], rtol=0, atol=1e-12)

# %% classified
from minidiff.course import check_that

certain, doubtful = (plots.plotted(ax)["p(B | x)"] for ax in axes)
check_that("without noise neither hill is in doubt", min(certain[300], certain[450]) > 0.999999)
alpha, sigma = evaluate(cosine, 0.6)
e = math.exp(-((1.5 * alpha) ** 2) / (2 * (alpha**2 / 16 + sigma**2)))  # hill A, and the far hill, from the near
check("through noise: p(B) at the near hill, by hand", doubtful[300], (1 + e) / (1 + 2 * e), rtol=1e-9)
check_that("and at the far hill it is higher by 0.15", doubtful[300 + round(150 * alpha)] > doubtful[300] + 0.15)
for ax in axes:
    drawn_there = plots.plotted(ax)
    quotient = drawn_there["class B"] / drawn_there["all three hills"]
    check("the drawn quotient", drawn_there["p(B | x)"], quotient, rtol=1e-6)

# %% neutral
from minidiff import engine
from minidiff.course import check_that

for t in (0.05, 0.4, 0.95):
    got, want = steer(anything, classifier)(line, t), wanted(line, t)
    check(f"t = {t}: steered guess against the exact one", got.x0, want.x0, rtol=0, atol=1e-9)
    check(f"t = {t}: steered noise against the exact one", got.eps, want.eps, rtol=0, atol=1e-9)
    for w in (0.5, 3.0):
        mine = cfg(wanted, anything, w)(line, t)
        for other in (extrapolate(wanted, anything, w), steer(anything, classifier, w)):
            for a, b in zip(mine, other(line, t)):
                check(f"scale {w}, t = {t}", a, b, rtol=0, atol=1e-8)
    for omega in (0.0, 0.3, 2.0):
        c, u = wanted(line, t).eps, anything(line, t).eps
        first, second = (1 + omega) * c - omega * u, (1 + omega) * c + (1 - (1 + omega)) * u
        for paper in (first, second):
            check(f"omega = {omega}", cfg(wanted, anything, 1 + omega)(line, t).eps, paper, rtol=0, atol=1e-12)
theirs = engine.generate(network, ten, torch.arange(10), steps=12, guidance=1.0)
check_that("engine.generate at guidance 1: the conditional model, bit for bit", torch.equal(theirs, draw(torch.arange(10), 1, ten)))

# %% omega
found = [strays(arrive(cfg(wanted, anything, scale))) for scale in (1.3, 0.3, 0.0)]
check("strays at 1.3, 0.3 and without the label", found, [0, 0.203, 1 / 3], rtol=0, atol=2e-3)

# %% delivered
fine = torch.linspace(-6, 6, 12_001, dtype=f64)
tilt = (-(fine**2) / 2 - 3 * 1.5 * (1 - fine) ** 2).softmax(0)  # prior times three readings, on a grid
average = (tilt * fine).sum()
check("tilted density: mean", average, 0.9, rtol=1e-9)
check("tilted density: variance", (tilt * (fine - average) ** 2).sum(), 0.1, rtol=1e-9)
check("scale 3: mean of CFG, 9/8", drawn[3.0][0], 9 / 8, rtol=2e-3)
check("w = 1/2 and -1", [crowd(cfg(posterior, prior, w))[1] for w in (0.5, -1.0)], [0.5, 4.0], rtol=0.01)

# %% slide
from minidiff.course import check_that

seen = [plots.plotted(fig.axes[0]) for fig in figures]
gaps = [abs(curve["CFG"] - curve["tilted"]).max() for curve in seen]
check("scales on the slider at which they agree", [w for g, w in zip(gaps, SCALES) if g < 0.01], [0, 1], rtol=0)
peaks = [curve["CFG"].max() / curve["tilted"].max() for curve in seen]
check_that("between 0 and 1 CFG is the wider one, above 1 the narrower", peaks[1] < 1 < min(peaks[3:]))
check("drawn height of CFG at scale 3", seen[6]["CFG"].max(), 8 / math.sqrt(2 * math.pi), rtol=1e-3)
check("each drawn density integrates to 1", [seen[6][k].sum() * 0.01 for k in ("tilted", "CFG")], 1.0, rtol=1e-3)
before = slide.image.value
slide.slider.value = 0
check_that("the slider shows its own picture", slide.image.value == slide.frames[0] and slide.label.value == "scale 0")
slide.slider.value = 6
check_that("and goes back", slide.image.value == before)

# %% believed
from itertools import pairwise

from minidiff import ddpm_step
from minidiff.samplers import forward_std

seen = plots.plotted(ax)
check("scale 0: the prior's variance at all levels", seen["scale 0"], 1.0, rtol=1e-6)
check("scale 1: the posterior's at all levels", seen["scale 1"], 0.25, rtol=1e-6)
check("scale 3, hardly any noise: the tilted one", seen["scale 3"][0], 0.1, rtol=1e-2)
check("scale 3, much noise: (1 - w) + w / 4", seen["scale 3"][-1], -2 + 3 / 4, rtol=1e-2)
one = torch.ones(1, 1, dtype=f64)
guess = cfg(of_gaussian(0.0, 0.5, edm), of_gaussian(0.0, 1.0, edm), 3.0)(one, 1.0)
check("guess of the clean number, if x = 1 at sigma = 1", guess.x0, -0.4, rtol=1e-9)
check("the score there, against that of N(0, 0.714)", -guess.eps, -1.4, rtol=1e-9)
centred = of_gaussian(0.0, 0.5, cosine)


def final_variance(denoiser, step, **options):
    variance = 1.0
    for t, s in pairwise(uniform_times(800).tolist()):
        factor = step(denoiser, one, t, s, **options).item()
        fresh = forward_std(cosine, t, s) if step is ddpm_step and s > 0 else 0.0
        variance = factor**2 * variance + fresh**2
    return variance


for w in (1.0, 2.0, 3.0):
    field = cfg(centred, prior, w)
    check(f"scale {w:g}: DDIM", final_variance(field, ddim_step), 4**-w, rtol=0.025)
    closed = (0.25 - 16**-w) / (0.75 * (2 * w - 1))
    ddpm = final_variance(field, ddpm_step, variance="large", temperature=0.0)  # the factor only
    check(f"scale {w:g}: DDPM against the closed form", ddpm, closed, rtol=0.02)
    check("the numbers of the text", closed, {1: 0.25, 2: 0.109, 3: 0.0666}[w], rtol=4e-3)

# %% lost
for w, share, noised in ((1, 0.5, 0.780), (2, 0.306, 0.825), (4, 0.031, 0.878)):
    check(f"scale {w}: share of the near hill", near_hill(ends[w]), share, rtol=0, atol=0.003)
    beliefs = doubt(ends[w], 0.6)
    check(f"scale {w}: p(B) of the clean samples", beliefs[0], 0.999 if w == 1 else 1.0, rtol=0, atol=6e-4)
    check(f"scale {w}: p(B) of noisy samples", beliefs[1], noised, rtol=0, atol=6e-4)
    again = torch.stack([doubt(ends[w], t)[1] for t in (0.3, 0.5, 0.7)])
    check(f"scale {w}: at other noise levels", again, {1: [0.928, 0.827, 0.735], 2: [0.971, 0.883, 0.766], 4: [0.997, 0.941, 0.803]}[w], rtol=0, atol=2e-3)
check("variance of B: CFG at scale 4", ends[4].var(), 0.095, rtol=0.02)

# %% lost-drawn
from minidiff.course import check_that

seen = [plots.plotted(ax) for ax in axes]
check_that("the samples kept their order", torch.cat([x.diff() for x in ends.values()]) > 0)
tilts = [curve["tilted"] for curve in seen]
check("tilted at scale 1: class B itself", tilts[0], hills(B).log_prob(grid).exp(), rtol=0, atol=1e-4)
check("scale 1: highest points drawn, CFG over tilted", seen[0]["CFG"].max() / tilts[0].max(), 1, rtol=0.03)
check("tilted, as drawn: height of the near hill over the far one", [c[:4750].max() / c[4750:].max() for c in tilts], 1, rtol=0.01)
check("tilted: share of the near hill", [c[:4750].sum() / c.sum() for c in tilts], 0.5, rtol=4e-3)
for curve, w in zip(tilts, weights):  # half-way between A and the near hill p(B | x) is 1/2, at 1.5 it is 1
    ratio = curve / tilts[0]
    check(f"scale {w}: p(B | x)^w, half-way", ratio[3250] / ratio[5500], 0.5 ** (w - 1), rtol=1e-3)
for curve, w, gap in zip(seen, weights, (0.0, 0.350, 0.804)):
    places = grid[torch.searchsorted(torch.as_tensor(curve["tilted"]).cumsum(0) * 0.001, q).clamp(max=9_000), 0]
    check(f"scale {w}: Wasserstein-1 distance from the tilted density", (ends[w] - places).abs().mean(), gap, rtol=0.01, atol=0.005)

# %% album
check_between("most: coat or shirt", most[4] + most[6], 0.23, 0.37)
check_between("least: coat or shirt", least[4] + least[6], 0, 0.08)

# %% late
from minidiff.course import check_that

seen = plots.plotted(ax)
there, gone = seen["near hill kept"], seen["strays left"]
check_that("T = 0.2 to 0.4: strays gone, near hill kept", (gone[2:5] < 0.05).all() and (there[2:5] > 0.97).all())
check_between("guided throughout: what is kept of the near hill", there[10], 0.24, 0.28)
check_between("strays of the smeared network", strays(late[0]), 0.0135, 0.0145)
early = arrive(between(0.5, 1.0, home, smeared), 100)
check_between("guided only for t > 0.5: nearly as much is lost", 2 * near_hill(early), 0.27, 0.33)

# %% auto-drawn
from minidiff.course import check_that


def measure(x):
    """Width of the blobs (1 is right), and the share of the top and bottom ones, which stand beside the other class."""
    apart, nearest = torch.cdist(torch.as_tensor(x).double(), means[right]).min(1)
    width = (apart / stds[right][nearest]).square().mean().div(2).sqrt()
    return width.item(), ((nearest == 0) | (nearest == 4)).double().mean().item()


found = [measure(plots.plotted(ax)["samples"])[0] for ax in axes]
check("700 drawn points: width of the blobs, truth, plain, autoguided", [found[k] for k in (0, 1, 3)], [1, 1.5, 1], rtol=0.1)
(w_true, end_true), (w_plain, end_plain), (w_cfg, end_cfg), (w_auto, end_auto) = map(measure, clouds.values())
four_errors = 4 * (2 / 7 * 5 / 7 / 2_000) ** 0.5  # four standard errors of a share of 2/7
check("share of the top and bottom blobs: truth, plain, autoguided", [end_true, end_plain, end_auto], 2 / 7, rtol=0, atol=four_errors)
check_between("the same, CFG: deserted", end_cfg, 0.0, 0.06)
check("width of the blobs, plain", w_plain, 1.5, rtol=0.06)
check("width, autoguided: 1.5^2 / 2.25", w_auto, 1.0, rtol=0.08)
check_between("width, CFG at scale 3", w_cfg, 1.3, 1.6)
shifted = means[right] + torch.tensor([0.1, 0.0], dtype=f64)  # a bad network with ANOTHER mistake
other = cfg(good, of_mixture(shifted, 1.5 * stds[right], shares[right], cosine), 2.0)
moved = last(sample(ddim_step, other, cloud, uniform_times(100)))
check("blobs 0.1 to the right: samples move by", (moved - clouds["scale 1"])[:, 0].mean(), -0.1, rtol=0.1)
check("and stay as wide as they were", measure(moved + torch.tensor([0.1, 0.0], dtype=f64))[0], 1.5, rtol=0.06)

# %% clothes
check_between("fidelity of 1,000 photographs", real[0], 0.91, 0.95)
check_between("Fréchet distance of 80 photographs", floor[2], 75, 105)
halves = [rulers(photos[part], kinds[part])[1] for part in (slice(500), slice(500, None))]
check_between("variety of one half of them over that of the other", halves[0] / halves[1], 0.9, 1.1)

# %% clothes-drawn
from minidiff.course import check_that

seen, beside_it = plots.plotted(near), plots.plotted(far)
check_between("fidelity at scale 1", seen["fidelity"][0], 0.88, 0.97)
check_between("fidelity at scale 2, 4 and 6", seen["fidelity"][1:], 0.97, 1)
check_between("variety at scale 1, over that of photographs", seen["variety"][0], 0.8, 0.98)
check_that("variety falls with every turn", (seen["variety"][1:] < seen["variety"][:-1]).all())
check_between("variety at scale 6 over variety at scale 1", seen["variety"][3] / seen["variety"][0], 0.5, 0.72)
check_between("scale 4, for t <= 0.7 only: fidelity", found["late"][0], 0.95, 1)
check_between("its variety over that of scale 4 throughout", found["late"][1] / found[4][1], 1.3, 1.8)
check_that("the distance grows with every turn", (beside_it["Fréchet distance"][1:] > beside_it["Fréchet distance"][:-1]).all())
check_between("at scale 1, over 80 photographs", beside_it["Fréchet distance"][0] / floor[2], 0.7, 1.1)
check("the drawn floor", beside_it["80 photographs"], float(floor[2]), rtol=1e-9)
pixels = {w: clothes[w] * card["data"]["scale"] + card["data"]["shift"] for w in (1, 6)}
check_between("the brightest pixel at scale 6 (white is 1)", pixels[6].max(), 1.1, 1.6)
check_between("share of pixels whiter than white, scale 6", (pixels[6] > 1.02).double().mean(), 0.045, 0.08)
check_between("and scale 1", (pixels[1] > 1.02).double().mean(), 0, 0.003)

# %% clothes-rows
like = torch.corrcoef(torch.stack([clothes[name][:20].flatten() for name in (1, 4, "late")]))
check_between("correlation with scale 1: scale 4, late", like[0, 2], 0.95, 1)
check_between("correlation with scale 1: scale 4", like[0, 1], 0.8, 0.95)

# %% shirts
seen_as = torch.bincount(judge.classify(test.x[test.y == 6][:500]), minlength=10)
check("what real shirts are most often taken for: shirt (6), T-shirt (0)", seen_as.topk(2).indices, [6, 0], rtol=0)
white = [(x[:10] * card["data"]["scale"] + card["data"]["shift"]).clamp(0, 1) for x in shirts.values()]
sleeves = [x[..., 14:24, 2:8].mean() for x in white]  # where the left sleeve of a long one hangs
check_between("brightness there: not a T-shirt, over not a coat", sleeves[1] / sleeves[2], 1.3, 1.9)
check_between("CFG: T-shirt, in the judge's opinion", opinion[0, 0], 0.02, 0.07)
check_between("the class we push away from", [opinion[1, 0], opinion[2, 4]], 0, 0.03)
check_between("not a coat: T-shirt", opinion[2, 0], 0.15, 0.27)

# %% scheduled
from minidiff import corrected

check("w near the data, and in much noise", [scale_at(0.0), scale_at(1e6)], [3, 1.2], rtol=1e-5)


def naive(x_t, t):
    return -1.5 * (1 - prior(x_t, t).x0).square().sum(1)


check("variance with the naive classifier, e^-3", crowd(steer(prior, naive))[1], math.exp(-3), rtol=0.02)
start = noise(4_000, 1, seed=6, dtype=f64)
for times, low, high in ((2, 0.017, 0.1), (10, 0.075, 0.105)):
    walker, generator = corrected(ddim_step, times, size=0.1), torch.Generator().manual_seed(7)
    ends_there = last(sample(walker, cfg(posterior, prior, 3.0), start, uniform_times(100), generator=generator))
    check_between(f"variance with {times} moves a step", ends_there.var(), low, high)

# %% projected
check_between("fidelity of APG at scale 6", rulers(clear, y)[0], 0.97, 1)
check_between("its Fréchet distance over that of CFG", rulers(clear, y)[2] / found[6][2], 0.85, 1.1)
