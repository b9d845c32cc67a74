# %% equal-times
angles = [angle(*evaluate(path, t_max(path) / 4)) for path in SCHEDULES.values()]
check("noise angles at a quarter of the time", angles, [0.485, 0.278, 0.250, 0.252, 0.968, 0.205], rtol=5e-3)
for pictures, level in zip(strips, angles):
    turn = math.pi / 2 * level
    wanted = math.cos(turn) * coat[0] + math.sin(turn) * static[0]
    check("the picture at a quarter of the time", pictures[1], wanted, rtol=0, atol=1e-5)
check("sigma of EDM at an eighth of its time", evaluate(edm, 10.0)[1], 10.0, rtol=1e-12)

# %% equal-ratio
check("log SNR of both", [log_snr(cosine, times[0]), log_snr(edm, times[1])], -2 * math.log(ratio), rtol=1e-12)

# %% table-or-integral
check("the sum of the betas", betas.sum(), 10.05, rtol=1e-12)
check("the integral at the end", smooth[-1], math.exp(-10.05), rtol=1e-12)
check("the table at the end", table[-1], 4.036e-5, rtol=1e-3)
ddpm = schedules.from_betas(betas)
check("the package's table", ddpm(t)[0] ** 2, table, rtol=1e-12)

# %% own-lines
from minidiff.course import check_that

for name, own in alpha_bars.items():
    check(f"{name}: sigma^2", SCHEDULES[name](t)[1] ** 2, 1 - own(t), rtol=0, atol=1e-12)
check("flow: alpha + sigma", sum(flow(t)), 1.0, rtol=1e-12)
check("edm: sigma is the time", edm(80 * t)[1], 80 * t, rtol=1e-12)
check_that("the names in the table", list(SCHEDULES) == [*alpha_bars, "edm", "flow"])

# %% paths-drawn
from minidiff.course import check_that

drawn = plots.plotted(paces)
check("the cosine angle is the time", drawn["cosine"], t, rtol=0, atol=1e-12)
check("EDM's angle after 13 hundredths of its time", drawn["edm"][13], 2 / math.pi * math.atan(80 * 0.13), rtol=1e-12)
check_that("no angle ever falls", all((torch.tensor(drawn[name]).diff() > 0).all() for name in SCHEDULES))
check("flow's path is a chord: its sigma", plots.plotted(paths)["flow"], t, rtol=0, atol=1e-12)
arc = [SCHEDULES[name](t) for name in alpha_bars]
check("the four on the arc", [(a**2 + s**2).max().item() for a, s in arc], 1.0, rtol=1e-12)
check("a ray at half a right angle", plots.plotted(paths)["ray 0.5"][1], 2.0, rtol=1e-12)

# %% equal-angles
found = [[angle(*evaluate(path, time_at(path, level))) for level in wanted] for path in SCHEDULES.values()]
check("noise angles of the four rows", torch.tensor(found) - torch.tensor(wanted), 0.0, atol=1e-6)

# %% rho
keeps = [avg_pool2d(clothes.x, k).square().mean() for k in (2, 4, 7)]
check("variance that the pictures keep", keeps, [0.874, 0.735, 0.561], rtol=3e-3)
check("the first of them, (1 + 3 rho) / 4", keeps[0], (1 + 3 * rho) / 4, rtol=1e-3)
check("gain in SNR, to 14 x 14 and 7 x 7", [4 * keeps[0], 16 * keeps[1]], [3.497, 11.76], rtol=1e-3)
details = clothes.x - avg_pool2d(clothes.x, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
check("details: share of the variance, picture over noise", details.square().mean() / 0.75, 1 - rho, rtol=2e-3)
check("the same", 1 - rho, 0.168, rtol=1e-2)
check("SNR, thumbnail over details", (1 + 3 * rho) / (1 - rho), 20.8, rtol=2e-2)

# %% thumbnails
x_0, noise_0 = clothes.x[:2_000], noise(2_000, 1, 28, 28, seed=10)
left_over = [(avg_pool2d(0.6 * x_0 + 0.8 * noise_0, k) - 0.6 * avg_pool2d(x_0, k)).std() for k in (1, 2, 4)]
check("noise left in the three rows when sigma is 0.8", left_over, [0.8, 0.4, 0.2], rtol=0.02)
dim = math.cos(0.3 * math.pi) * coat + math.sin(0.3 * math.pi) * noise(1, 1, 28, 28, seed=4)
check("a coat at t = 0.6", noisy(coat, 0.6, seed=4), dim, rtol=0, atol=1e-6)
check("contrast of each picture", torch.cat(boot).square().mean((1, 2, 3)), 1.0, rtol=1e-5)

# %% scrub
from minidiff.course import check_that

before = scrubber.image.value
scrubber.slider.value = 3
check_that("the picture follows the slider", scrubber.image.value == scrubber.frames[3] != before)
scrubber.slider.value = 4

# %% enlarged
grid = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
lowered = [2 * math.log(a / s) for a, s in (shifted(*evaluate(cosine, float(one)), 2.0) for one in grid)]
check("the log SNR falls by log 4", torch.tensor(lowered) - log_snr(cosine, grid), -math.log(4), rtol=1e-6)
hidden = avg_pool2d(large + 2.0 * noise(1, 1, 56, 56, seed=13), 2)
check("inside a coat with noise of 2, one with noise of", (hidden - coat).std(), 1.0, rtol=0.1)

# %% corner
check("standard deviation of the corner", corner.std(), 0.001, rtol=0.05)
check("its brightest value", brightest, 16, rtol=1e-3)
check("the same, standardised by itself", alone.max(), 173, rtol=5e-3)
check("white on our scale", clothes.x.max(), 2.02, rtol=2e-3)
black = (clothes.restore(corner) * 255).round() == 0
check("share of images with a black corner", black.double().mean(), 1.0, rtol=1e-2)

# %% clean
from minidiff.course import check_that

check("different images", len(set(seen)), 60_000, rtol=0)
check_that("none is in both", not set(unseen) & set(seen))
check("images of each class", clothes.y.bincount(), 6_000, rtol=0)
check_that("all values finite, from 0 to 255", clothes.x.isfinite().all() and min(map(min, seen[:100])) == 0)

# %% stable-diffusion
last = torch.cumprod(1 - latent, 0)[-1]
check("Stable Diffusion's last alpha-bar", last, 0.00466, rtol=2e-3)
check("SNR of the brightness, 64 x 64", brightness_snr(latent, 64), 19.18, rtol=1e-3)
check("DDPM's table, 32 x 32", brightness_snr(betas, 32), 0.0413, rtol=1e-2)
check("mended", brightness_snr(schedules.zero_snr(latent), 64), 0.0, atol=1e-12)

# %% straight-time
lines = torch.linspace(0, 1, 101, dtype=torch.float64)
check("a straight log SNR", log_snr(lambda t: straight(t, 10.0, -10.0), lines), 10 - 20 * lines, rtol=0, atol=1e-12)
check("on the arc", alpha**2 + sigma**2, 1.0, rtol=1e-12)
check("share of its time", middle.double().mean(), 0.368, rtol=1e-2)
check("sigma at the start", sigma[0], 0.007, rtol=0.05)
