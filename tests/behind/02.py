# %% dissolving
from minidiff.course import check

clouds = [plots.plotted(below)["cloud"] for below in axes[1]]
check("mean square of each drawn cloud", [(cloud**2).mean() for cloud in clouds], 1.0, rtol=0.1)
check("the last coat drawn, in pixels, is noise only", plots.plotted(axes[0, 6])["image0"],
      clothes.restore(noise(1, 1, 28, 28, seed=1))[0, 0], rtol=0, atol=1e-6)

# %% by-hand
check("mean after three steps", mean, 0.9 * 0.7 * 0.8, rtol=1e-12)
check("variance after three steps: what is missing to 1", variance, 1 - 0.504**2, rtol=1e-12)

# %% table
check("DDPM's last alpha-bar", alpha_bar[-1], 4.0358e-5, rtol=1e-4)
check("steps on which the signal is the stronger", (alpha_bar > 0.5).sum(), 259, rtol=0)
check("DDPM's table, by diffusers' name", betas, __import__("minidiff").schedules.betas("linear"), rtol=1e-12)
check("mean", mean_at[1:], alpha_bar.sqrt(), rtol=1e-12)
check("variance", variance_at[1:], 1 - alpha_bar, rtol=0, atol=1e-12)

# %% signal-and-noise
drawn = plots.plotted(ax)
signal, static = drawn["alpha: what multiplies the data"], drawn["sigma: what multiplies the noise"]
check("alpha^2 + sigma^2 along the drawn curves", signal**2 + static**2, 1.0, rtol=1e-12)
check("last sigma drawn", static[-1], 1.0, rtol=1e-4)
check("drawn at step 259", signal[258], 0.5**0.5, rtol=5e-3)
check("brightness that is left", signal[-1], 0.0064, rtol=1e-2)

# %% walk
check("sum of the thousand betas", betas.sum(), 10.05, rtol=1e-12)

# %% paths
gaps = [plots.plotted(ax)["mean from +1"] - plots.plotted(ax)["mean from -1"] for ax in axes]
check("last gap between the drawn means, with shrinking", gaps[0][-1], 2 * alpha_bar[-1].sqrt(), rtol=0, atol=0.13)
check("last gap between the drawn means, without", gaps[1][-1], 2.0, rtol=0, atol=0.42)

# %% in-floors
from minidiff.course import check_that

same = jump(points, alpha_bar[299], noise(2_000, 2, seed=100))
check_that("no point of a walk is where its jump put it", (walked[300] != same).any(1))
check("variance of a walk at three steps", [walked[k].var() for k in (150, 300, 1000)], 1.0, rtol=0.15)

# %% between-steps
from minidiff.course import check_that
from minidiff.schedules import SCHEDULES, t_max

alpha, sigma = ddpm(torch.arange(1, 1001).double() / 1000)
check("from_betas: alpha", alpha, alpha_bar.sqrt(), rtol=1e-12)
check("from_betas: sigma squared", sigma**2, 1 - alpha_bar, rtol=0, atol=1e-12)
for schedule in SCHEDULES.values():
    path = [evaluate(schedule, t_max(schedule) * k / 21) for k in range(1, 21)]
    variances = torch.tensor([between(*first, *second)[1] for first, second in pairwise(path)])
    check_that("never negative, on six schedules", variances > 0)

# %% ways-back
from minidiff.course import check_that

half_step = 0.5 * (earlier(0.01)[0] - earlier(0.01)[1]).abs().sum() * width
check("half the step: the misfit falls by 2^(3/2)", misplaced[2] / half_step, 2**1.5, rtol=0.05)
tall = 1 / (2 * math.pi * earlier(0.02)[1].max() ** 2)  # a Gaussian of variance v is 1 / sqrt(2 pi v) high
check("its variance over beta, at beta = 0.02", tall / 0.02, 1.0, rtol=0.02)
drawn = [plots.plotted(ax) for ax in axes]
gap = [abs(d["exact"] - d["Gaussian"]).max() / d["exact"].max() for d in drawn]
peaks = lambda y: int(((y[1:-1] > y[:-2]) & (y[1:-1] > y[2:])).sum())
check_that("two answers at beta = 0.45, one peak in what is called Gaussian", (peaks(drawn[0]["exact"]), peaks(drawn[0]["Gaussian"])) == (2, 1))
check_that("the drawn curves part in the first panel and agree in the last", gap[0] > 0.5 and gap[2] < 0.005)
check("each drawn density integrates to 1", [d["exact"].sum() * 50 * width for d in drawn], 1.0, rtol=1e-3)

# %% caught
check("mean square of the wrong row", squares[1], 0.75, rtol=0.02)
clean = (lost(x0, bar, eps) - (1 - bar).sqrt() * eps) / bar.sqrt()
check("brightness of the clean image solved from it", (clean * x0).mean() / x0.square().mean(), 0.5**0.5, rtol=2e-3)

# %% three-scales
check("mean of all pixels", clothes.x.double().mean(), 0.0, atol=1e-4)
check("their mean square", clothes.x.double().square().mean(), 1.0, rtol=1e-4)
check("shift and scale", [clothes.shift, clothes.scale], [0.286, 0.353], rtol=2e-3)

static = noise(*coat.shape, seed=5)
size = (alpha_bar[-1] * scales["0 to 255"] ** 2 + 1 - alpha_bar[-1]).sqrt()
found = (rows[4] * size - (1 - alpha_bar[-1]).sqrt() * static) / (scales["0 to 255"] * alpha_bar[-1].sqrt())
check("the coat in the last picture of the first row", found, coat, rtol=0, atol=1e-5)
check("contrast of each picture", torch.cat(rows).square().mean((1, 2, 3)), 1.2, rtol=0.4)

# %% rods-drawn
from minidiff.course import check_that

rod = plots.plotted(left)["2,500 ticks"]
check("the drawn rod after 2,500 ticks = data plus noise of variance 0.5", rod, truth(2500), rtol=0, atol=2e-5)
check("noise variance of 2,500 ticks", 2500 * tick, 0.5, rtol=1e-12)
shattered, fitting = (plots.plotted(right)[f"{ticks} ticks back"] for ticks in (54, 48))
check("48 ticks back still fits", fitting, truth(2500 - 48), rtol=0, atol=0.02)
check_that("54 ticks back is off by more than 0.1", abs(shattered - truth(2500 - 54).numpy()).max() > 0.1)
errors = [(conduct(truth(2500), ticks, -1) - truth(2500 - ticks)).abs().max() for ticks in (54, 55, 56)]
check("growth at each further tick", [errors[1] / errors[0], errors[2] / errors[1]], 2.0, rtol=0.05)
ripple = (-1.0) ** torch.arange(800, dtype=torch.float64)
check("the finest ripple goes in one tick", conduct(ripple, 1), 0.0, atol=1e-15)
check("and doubles in one tick back", conduct(ripple, 1, -1), 2 * ripple, rtol=1e-12)

# %% mystery
from minidiff.course import check_that

shown = 0.156434 * mystery + 0.987688 * noise(*mystery.shape, seed=11)  # cos and sin of 81 degrees
right = plots.png(plots.image_grid(shown, column_titles=["t = 0.9"], limits=(-2, 2), scale=7))
check_that("the frame at t = 0.9", frames[3] == right)
before = scrubber.image.value
scrubber.slider.value = 3
check_that("the picture follows the slider", scrubber.image.value == scrubber.frames[3] != before)
check_that("and so does what is said of it", scrubber.label.value == "t = 0.9")
scrubber.slider.value = 4

# %% witnesses-drawn
drawn, at = plots.plotted(ax), {t: k for k, t in enumerate(times)}
network, averaged = drawn["network, trained on clean ones"], drawn["ten average pictures"]
check_between("network on clean images", network[at[0]], 0.90, 0.98)
check_between("network at t = 0.2 and 0.3: one half is between", [network[at[0.2]] - 0.5, 0.5 - network[at[0.3]]], 0, 0.5)
check_between("network at t = 0.3", network[at[0.3]], 0.20, 0.50)
check_between("ten averages on clean images", averaged[at[0]], 0.63, 0.73)
check_between("ten averages at t = 0.7, where the noise is twice the signal", averaged[at[0.7]], 0.60, 0.72)
check_between("both, of noise only", [network[-1], averaged[-1]], 0.05, 0.15)

# %% distances
check("half the median distance between two class averages", half, 10.7, rtol=1e-2)
check("sigma / alpha at t = 0.9", evaluate(cosine, 0.9)[1] / evaluate(cosine, 0.9)[0], 6.31, rtol=1e-3)
check("half a distance, in standard deviations", half / math.tan(math.pi / 2 * 0.9), 1.7, rtol=0.02)

# %% cosine-betas
from minidiff.course import check_that

check("betas of the cosine, against its own closed form", turned[1:],
      1 - (quarter[1:].cos() / quarter[:-1].cos()) ** 2, rtol=0, atol=1e-12)
check("the last", turned[-1], 1.0, rtol=1e-12)
check_that("only the last is above 0.999", (turned > 0.999).sum() == 1)

# %% small-steps
check("w / beta for small steps", [back(v, 0.001)[1] / 0.001 for v in (0.1, 1.0, 10.0)], 1.0, rtol=0.01)
check("unit data: the way back is the way forward", back(1.0, 0.3), [0.7**0.5, 0.3], rtol=1e-12)
