# %% encoded
from minidiff.course import check, check_that

check_that("a quarter as wide and as high, four channels", z.shape == (500, 4, 8, 8) and again.shape == unseen.x.shape)
check("decoding a draw of q(z | x) beside its mean", net.decode(net.encode(unseen.x[:50], seeded(0))) - again[:50], 0, atol=2.5)

# %% lost
from minidiff.course import check_that

check_that("real scenes are read as they were drawn, mostly of one to three things", {len(one) for one in read} == {1, 2, 3})
check_that("scenes of others are not read alike", sum(a == b for a, b in zip(read, read_again[1:])) < 50)

# %% rates
from minidiff.course import check_that

check_that("from cheap to dear: recipe, latents, raw", recipe < bits < 8 * 3072 and recipe < png < 8 * 3072)

# %% curve
from minidiff.course import check, check_that

drawn_left, drawn_right = plots.plotted(left), plots.plotted(right)
check_that("fewer bits, fewer decibels, but for a tenth where it is flat", (drawn_left["line0"][1:] > drawn_left["line0"][:-1] - 0.1).all())
check("what is drawn on the right is what was recorded", drawn_right["std of the means"], [row["std"] for row in found])

# %% forget-drawn
from minidiff.course import check, check_that

drawn_left, drawn_right = plots.plotted(left), plots.plotted(right)
check("half way at t = 0.5 of std 1", drawn_left["std 1.0"][100], 0.5**0.5, rtol=5e-3)
check("half way at t = 0.885 of std 5.49", drawn_left["std 5.49"][177], 0.5**0.5, rtol=2e-2)
check("the closed form of DDIM", drawn_right["std 1.0"], [math.cos(math.pi / 2 / k) ** k for k in counts])
check_that("less is left of larger latents, whatever the steps", (drawn_right["std 5.49"] < drawn_right["std 1.0"]).all())

# %% calibrated
from minidiff.course import check

check("the shift of the checkpoint, in scales", (shift - net.shift) / net.scale, 0, atol=0.03)

# %% drawn
from minidiff.course import check

check("standard deviation of drawn latents", path[-1].std(), 1, rtol=0.15)

# %% film
from minidiff.course import check_that

check_that("from noise to data", len(film.frames) == 9)

# %% varied-drawn
from minidiff.course import check_that

check_that("the further back, the less is kept", all(one[0] > one[-1] for one in kept.values()))
check_that("shape goes before ground", kept["shape"][2] < kept["ground"][2])

# %% filled
from minidiff.course import check, check_between, check_that

shown = keep.forward(net.encode(covered))
check("latents that were given stay", keep.forward(z) - shown, 0, atol=1e-5)
moved = (net.encode(covered) - net.encode(unseen.x[:8])).square().mean(1, keepdim=True)
mask = latent_mask(hole).bool().expand(moved.shape)
check_between("r.m.s. by which the grey moves the latents around it, a third", moved[~mask].mean().sqrt(), 0.3, 0.4)
check("widened, the mask hides all", F.max_pool2d(latent_mask(hole), 3, 1, 1), 1, atol=0)
small = torch.zeros_like(hole)
small[..., 11:22, 11:22] = 1
check_that("of the smaller hole it leaves 28", int((F.max_pool2d(latent_mask(small), 3, 1, 1) == 0).sum()) == 28)
