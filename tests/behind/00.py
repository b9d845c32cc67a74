# %% sixty
from minidiff import start
from minidiff.course import check, check_that

check("the noise of `start`", start(cosine, 1.0, z.shape, torch.Generator().manual_seed(0)), z, rtol=0, atol=1e-6)
seen = plots.plotted(fig.axes[0])["image0"]
check("height of the drawn grid", seen.shape[0], 10 * 58 - 2, rtol=0)
other = last(sample(ddim_step, given(denoiser, y=labels), noise(60, 1, 28, 28, seed=1), uniform_times(4)))
check_that("another seed, other pictures", (other - images).abs().mean((1, 2, 3)) > 0.05)

# %% judge
from minidiff.course import check_between

real = (judge.classify(clothes.x[:1_000]) == clothes.y[:1_000]).double().mean()
check_between("real photographs that the judge names right", real, 0.935, 0.945)
untold = judge.classify(last(sample(ddim_step, given(denoiser, y=labels.flip(0)), z, uniform_times(4))))
check_between("drawings of other classes that pass", (untold == labels).double().mean(), 0, 0.3)

# %% network
from minidiff.course import check

guess = denoiser(z[:4], 0.7, y=labels[:4])
check("one output suffices", tasks.our_mix(guess.x0, guess.eps, 0.7), z[:4], rtol=0, atol=1e-5)
check("photographs seen, millions", card["record"]["images_seen"] / 1e6, 1.28, rtol=1e-6)

# %% three-times
from minidiff.course import check, check_that

error = [(guess - boot).square().mean().sqrt().item() for guess in guesses]
check_that("the guess gets worse with more noise", error[0] < error[1] < error[2])
mean = clothes.x[clothes.y == 9].mean(0, keepdim=True)
likeness = [torch.corrcoef(torch.stack([guess.flatten(), mean.flatten()]))[0, 1] for guess in guesses]
check_that("and more like the average boot", likeness[2] > max(likeness[:2]) and likeness[2] > 0.9)
check("three columns of pictures", plots.plotted(fig.axes[0])["image0"].shape[1], 3 * 114 - 2, rtol=0)

# %% wrong-drawn
from minidiff.course import check, check_that

check("t for s: no pixel has changed", (ends["t for s"] - z[::6]).abs().max(), 0, atol=1e-4)
check("the right row is the first column of section 1", (ends["right"] - images[::6]).abs().max(), 0, atol=1e-3)
named = {name: (judge.classify(x) == torch.arange(10)).sum().item() for name, x in ends.items()}
check_that("the judge likes two of the mistakes", min(named["minus"], named["no noise"]) >= named["right"])
check_that("and not the third", named["t for s"] <= 2)

# %% film
from minidiff.course import check_that

before = film.image.value
film.slider.value = 3
check_that("the picture follows the slider", film.image.value == film.frames[3] != before)
check_that("and its label", film.label.value == words[3] == "t = 0.76")
film.slider.value = 7
check_that("the guess is nearer to the end than the state", all(
    (guesses[k] - guesses[-1]).norm() < 0.3 * (states[k] - guesses[-1]).norm() for k in range(5, 13)))

# %% decided
from minidiff.course import check, check_between

check("the average is subtracted", special[0] + average.flatten(), guesses[5].flatten(), rtol=0, atol=1e-5)
alike = torch.stack([torch.corrcoef(torch.stack([special[0], (images[k] - average).flatten()]))[0, 1]
                     for k in (54, 56, 57, 58, 59)])
check_between("the five other boots", alike, -0.7, 0.5)
check("negative ones among them", (alike < 0).sum(), 3, rtol=0)
plain = torch.corrcoef(torch.stack([average.flatten(), guesses[-1].flatten()]))[0, 1]
check_between("any two boots look alike: the average boot and this one", plain, 0.7, 1)

# %% ten
from minidiff.course import check_that

light = rows.mean((1, 2, 3)).reshape(4, 10)[:, [0, 2, 3, 4, 6]]
check_that("rows 1 and 2 are lighter than row 3, garment by garment", light[:2] > light[2])

# %% bright
from minidiff.course import check, check_between

seen = torch.from_numpy(plots.plotted(ax)["scatter0"])
check("drawings in the plot", len(seen), 40, rtol=0)
check("correlation of the dots", torch.corrcoef(seen.T)[0, 1], torch.corrcoef(light.T)[0, 1], rtol=1e-4)
strangers = torch.stack([light[:, 0], light[:, 1].roll(7)])
check_between("with unrelated noise", torch.corrcoef(strangers)[0, 1], -0.45, 0.45)

# %% own
from minidiff.course import check_that

check_that("another seed or class, another picture",
           not torch.equal(one(7, "Bag"), one(8, "Bag")) and not torch.equal(one(7, "Bag"), one(7, "Coat")))

# %% doodle
from minidiff.course import check_that

far = []
for t in (0.1, 0.4, 0.9):
    seen = torch.from_numpy(plots.plotted(finished(first[None, None], t, "Ankle boot").axes[0])["image0"])
    drawing, answer = seen[:112, :112] / 255, seen[:112, 228:340] / 255
    far.append((drawing - answer).square().mean().sqrt().item())
check_that("the more noise, the less is left of the doodle", far[0] < far[1] < far[2])

# %% train
from minidiff.course import check_between

floor = sliced_wasserstein(two_moons(1000, seed=1).x, two_moons(1000, seed=2).x)
check_between("noise, in floors", sliced_wasserstein(path[0], two_moons(1000, seed=1).x) / floor, 6, 30)

# %% moons
from minidiff.course import check

drawn = [plots.plotted(ax)["scatter0"] for ax in axes]
check("the last cloud drawn", drawn[3], path[-1].numpy(), rtol=0, atol=1e-6)

# %% floor
from minidiff.course import check, check_that

check("covariance of the Gaussian", gaussian.T.cov(), real.T.cov(), rtol=0.1, atol=0.06)
pairs = [sliced_wasserstein(two_moons(1000, seed=k).x, real) / floor for k in (3, 4, 5, 6)]
check_that("real clouds are within two floors", max(pairs) < 2)

# %% shirts
from minidiff import extrapolate
from minidiff.course import check, check_between

ready = extrapolate(given(denoiser, y=6), given(denoiser, y=None), 3.0)
check("the package's guidance", push(begin, 0.6).x0, ready(begin, 0.6).x0, rtol=0, atol=1e-4)
check("shirts known, of forty", [40 * s for s in shares], [30, 40], rtol=0, atol=1)
contrast, varied = [], []
for seed in (8, 9, 10):
    z6 = noise(40, 1, 28, 28, seed=seed)
    two = [last(sample(ddim_step, way, z6, uniform_times(12))) for way in (given(denoiser, y=6), ready)]
    spread = [x.std((1, 2, 3)).mean() for x in two]
    contrast.append(spread[1] / spread[0])
    across = [judge.features(x).var(0).sum() for x in two]
    varied.append(across[1] / across[0])
check_between("contrast with guidance, over that without", torch.stack(contrast), 1.09, 1.16)
check("seeds of three with which they vary less", (torch.stack(varied) < 1).sum(), 2, rtol=0)

# %% how-few
from minidiff.course import check_between, check_that

lines = plots.plotted(ax)
seen, growing = lines["share recognised"], lines["detail, beside real photographs"]
check_between("recognised after 1, 2 and 16 steps", seen[[0, 1, 4]] - [0.6, 0.9, 0.85], -0.02, 0.02)
check_that("the detail grows with every doubling", (growing[1:] > growing[:-1]).all())
check_between("one step: the average", growing[0], 0.5, 0.65)


def halfway(x_t, t):
    a, b = denoiser(x_t, t, y=7), denoiser(x_t, t, y=9)
    return Prediction((a.x0 + b.x0) / 2, (a.eps + b.eps) / 2)


def switch(x_t, t):
    return denoiser(x_t, t, y=9 if t > 0.5 else 7)


shoes = [last(sample(ddim_step, Denoiser(cosine, f), z[:8], times)) for f in (halfway, switch)]
footwear = torch.isin(judge.classify(torch.cat(shoes)), torch.tensor([5, 7, 9])).double().mean()
check_between("footwear, as the judge sees it", footwear, 0.7, 1)
