# %% opening-drawn
from minidiff.course import check_that


def crossings(curves):
    """How many of all pairs of curves, (times, n), change places between the first time and the last."""
    first, final = ((p[:, None] - p).round(decimals=4).sign() for p in (curves[0], curves[-1]))
    return int((first * final < 0).sum()) // 2


drawn = [torch.stack([torch.tensor(y) for y in plots.plotted(ax).values()], 1) for ax in axes]
check_that("the drawn lines cross more than 30 times", crossings(drawn[0]) > 30)
check("the drawn paths: crossings", crossings(drawn[1]), 0, atol=0)
check("the drawn lines bend by", drawn[0].diff(n=2, dim=0).abs().max(), 0, atol=1e-12)
check("the drawn paths end at -1 or 1", drawn[1][-1].abs(), 1, rtol=1e-6)

# %% two-points
many, points = noise(400_000, seed=2), noise(400_000, seed=3).sign()
for x, t in ((0.3, 0.5), (-1.0, 0.8)):
    near = ((1 - t) * points + t * many - x).abs() < 0.02  # lines through a narrow gate
    slopes = (many - points)[near]
    bound = 4 * slopes.std().item() / len(slopes) ** 0.5 + 0.02  # four standard errors, and the gate's width
    check("the mean velocity, by simulation", slopes.mean(), mean_velocity(torch.tensor(x), t).item(), rtol=0, atol=bound)
check("the package's velocity", velocity(two, starts, 0.6), mean_velocity(starts, 0.6), rtol=1e-12)
check("the package's step", last(sample(euler_step, two, starts, uniform_times(1))), 0, atol=0)

# %% loss
from minidiff import denoising_loss

torch.manual_seed(0)
untrained = MLP(dim=2, width=64)
torch.nn.init.normal_(untrained.last.weight, std=0.1)  # it starts at zero, which would hide errors
learner, times_seen = LearnedDenoiser(untrained, flow, "velocity"), torch.linspace(0.01, 1, 256)
a, b = noise(256, 2, seed=3, dtype=torch.float32), noise(256, 2, seed=5, dtype=torch.float32)
check("notebook 04's loss", flow_matching_loss(learner.output, a, b, times_seen), denoising_loss(learner, a, times_seen, b), rtol=1e-5)
hills = Mixture(*(torch.tensor(part, dtype=f64) for part in ([[-1.2], [0.1], [1.0]], [0.3, 0.2, 0.5], [0.3, 0.2, 0.5])))
on_hills = of_mixture(*hills, flow)


def unbalance(sign, x, t):
    """dp/dt + d(v p)/dx at the places x: what appears from nowhere."""
    x, t = x.clone().requires_grad_(), torch.tensor(t, dtype=f64, requires_grad=True)
    noisy = Mixture((1 - t) * hills.means, (((1 - t) * hills.stds) ** 2 + t**2).sqrt(), hills.weights)
    p = noisy.log_prob(x[:, None]).exp()
    dp_dt = torch.stack([torch.autograd.grad(one, t, retain_graph=True)[0] for one in p])
    (spreading,) = torch.autograd.grad((sign * velocity(on_hills, x[:, None], t.item())[:, 0] * p).sum(), x)
    return (dp_dt + spreading).detach()


grid = torch.linspace(-3, 3, 41, dtype=f64)
for t in (0.2, 0.5, 0.9):
    check("the continuity equation", unbalance(1, grid, t), 0, atol=1e-12)
    check_between("with the sign of v turned", unbalance(-1, grid, t).abs().max(), 0.1, 100)

# %% moons
from minidiff import two_moons

near = sliced_wasserstein(two_moons(2_000, 7).x.double(), MOONS.sample(2_000, seed=0).x.double())
check_between("two_moons is as near to ours as ours to itself", near, 0, 0.065)
on_cosine = of_mixture(*MOONS, cosine)
for t, s in ((1.0, 0.7), (0.62, 0.11), (0.3, 0.0)):
    check("DDIM and Euler", ddim_step(exact, z, t, s), euler_step(exact, z, t, s), rtol=0, atol=1e-14)
gap = (ddim_step(on_cosine, z, 0.62, 0.11) - euler_step(on_cosine, z, 0.62, 0.11)).abs().max()
check_between("on the cosine path they are two methods", gap, 0.1, 10)
far = [last(sample(heun_step, d, z, uniform_times(200))) for d in (exact, on_cosine)]
check("straight and cosine, 200 steps of Heun: median distance", (far[0] - far[1]).norm(dim=1).median(), 0, atol=1e-3)

# %% race-drawn
from minidiff import of_gaussian
from minidiff.course import check_that

floor = [sliced_wasserstein(a, b) for k, a in enumerate(truth) for b in truth[:k]]  # 15 pairs of true clouds
check_between("two true clouds", floor, 0.03, 0.06)
straight, ddim, tangent, slow, fresh = (torch.tensor(row) for row in raced.values())
check("drawn", list(plots.plotted(drawn_race).values())[:5], list(raced.values()), rtol=1e-12)
check("straight, less DDIM on cosine", straight - ddim, 0, atol=0.013)
check("one step of the tangent on cosine is plain noise", tangent[0], sliced_wasserstein(begin, truth[0]), rtol=0.01)
check_that("the tangent on cosine leads", (tangent[:5] < ddim[:5]).all())
check_that("DDPM's clock is slower", (slow[1:5] > 1.15 * straight[1:5]).all())
for seed in range(2, 7):
    x = last(sample(ddpm_step, of_mixture(*MOONS, linear_beta), begin, uniform_times(8), generator=torch.Generator().manual_seed(seed)))
    check_between("DDPM over straight, 8 steps, other fresh noise", sliced_wasserstein(x, truth[0]) / straight[3], 1.7, 2.4)
one, unit = torch.ones(1, 1, dtype=f64), [of_gaussian(0.0, 1.0, path) for path in (flow, cosine)]
for k, left, also in ((1, 0.0, 0.0), (2, 0.5, 0.5), (4, 0.72, 0.73), (8, 0.85, 0.86)):
    check("a unit Gaussian, straight", last(sample(euler_step, unit[0], one, uniform_times(k))), left, rtol=0, atol=0.006)
    check("a unit Gaussian, DDIM", last(sample(ddim_step, unit[1], one, uniform_times(k))), math.cos(math.pi / 2 / k) ** k, atol=1e-9)
    check("the text's number", math.cos(math.pi / 2 / k) ** k, also, rtol=0, atol=0.006)
    check("and for the tangent", last(sample(euler_step, unit[1], one, uniform_times(k))), 1, rtol=1e-9)

# %% moons-bill
from minidiff import of_gaussian

sides = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=f64)
for r0 in (1.0, 0.5, 2.0):  # all is quadratic: four pairs with the right variances do
    closed = (1 - r0) ** 2, r0 * (2 - math.pi / 2), r0 * math.pi / 2
    got = bill(of_gaussian(0.0, r0, flow), r0 * sides[:, :1], sides[:, 1:])
    check("the bill of a Gaussian", got, closed, rtol=3e-3, atol=1.5e-3)
check("the price of random pairs", price(x0, x1), 2, rtol=0.06)
check("the last ratio", ratio, price(reached, x1) / price(*couple(reached, x1)), rtol=1e-9)
check("transport, bending, crossing", bills["random pairs"], [0.21, 0.45, 1.37], rtol=0.02)

# %% prices
two_and_two = couple(torch.tensor([[1.0], [-1.0]]), torch.tensor([[-1.2], [0.4]]))
check("two and two: 1 with 0.4, -1 with -1.2", torch.cat(two_and_two, 1), [[1.0, 0.4], [-1.0, -1.2]], rtol=1e-6)
for name, at_128 in (("Fashion-MNIST", 1.88), ("moons", 0.24)):
    check("random pairs", falls[name][0], 2, rtol=0.02)
    check("in batches of 128", falls[name][7], at_128, rtol=0.02)
dots = (pools["Fashion-MNIST"] * noise(1_024, 784, seed=9, dtype=torch.float32)).mean(1)
check("standard deviation of x0 . x1 / D", dots.std(), 1 / 28, rtol=0.1)

# %% prices-drawn
from minidiff.course import check_that

for name, row in plots.plotted(ax).items():
    check("drawn", row, falls[name], rtol=1e-12)
    check_that("each doubling of the batch lowers the price", row[1:] < row[:-1])

# %% nets
from minidiff import denoising_loss

misses = [bill(net, x0.float(), x1.float())[2] for net in (nets["random pairs, trained"], exact)]
check_between("crossing: what training leaves, over what it must leave", misses[0] / misses[1], 0.98, 1.1)

# %% reflow
home = last(sample(heun_step, two, noise(1_000, 1, seed=13), uniform_times(100)))
x1_line = noise(1_000, 1, seed=13)
check("the flow sends a noise to its sign", home, x1_line.sign(), rtol=1e-4)
cheap = 2 - 2 * math.sqrt(2 / math.pi)
check("the text's price", cheap, 0.40, rtol=0.02)
check("price after reflow", price(x1_line.sign(), x1_line), cheap, rtol=0, atol=4 * (x1_line.abs() - 1).square().std().item() / 1_000**0.5)
check("which is the cheapest", price(x1_line.sign(), x1_line), price(*couple(x1_line.sign(), x1_line)), rtol=1e-9)
seen = plots.plotted(drawn_short)
check("drawn", [seen[name] for name in short], list(short.values()), rtol=1e-12)
check_between("reflow, one step", seen["reflow"][0], 0.02, 0.09)
check_between("reflow in one step, over the exact flow in 32", seen["reflow"][0] / seen["random pairs, exact"][-1], 0.5, 1.9)
check_between("better pairs in one step, over random pairs in eight", seen["better pairs"][0] / seen["random pairs, exact"][3], 0, 1)
check_between("all, 32 steps", [row[-1] for row in short.values()], 0, 0.16)

# %% film
from minidiff.course import check_that

arrive = {name: [last(sample(euler_step, net, few, uniform_times(k))) for k in (1, 32)] for name, net in flows.items()}
check("one step, random pairs: spread", arrive["random pairs, exact"][0].std(0), 0, atol=1e-6)
moved = [(a - b).norm(dim=1).median() for a, b in arrive.values()]
check_between("from one step to 32 a sample moves by, random pairs", moved[0], 1.0, 1.8)
check_between("better pairs, and reflow", moved[1:], 0, 0.15)
film.slider.value = 3
check_that("the slider shows its own picture", film.image.value == film.frames[3] != film.frames[0])
film.slider.value = 0
check("stops drawn", len(film.frames), len(stages), rtol=0)

# %% bars
seen = plots.plotted(ax)
dear = [price(x0, x1), price(*couple(x0, x1)), price(reached, x1)]
check("every bar is as high as its pairs are dear", sum(seen.values()), dear, rtol=0.08)
check_between("transport, all three", seen["transport"], 0.16, 0.26)
check_between("bending, after each cure", seen["bending"][1:], 0, 0.02)
check_between("crossing, after each cure", seen["crossing"][1:], 0, 0.06)
check_between("random pairs: share of crossing", seen["crossing"][0] / dear[0], 0.6, 0.75)

# %% bars-checked
check_between("astray: true samples", astray(truth[0]), 0, 0.015)
check("in per cent", 100 * astray(truth[0]), 0.5, rtol=0, atol=0.3)
check_between("exact flow, 32 steps", astray(last(sample(euler_step, exact, begin, uniform_times(32)))), 0.003, 0.015)
check("exact flow, one step: all", astray(last(sample(euler_step, exact, begin, uniform_times(1)))), 1, atol=0)
check_between("better pairs, one step", astray(last(sample(euler_step, nets["better pairs"], begin.float(), uniform_times(1)))), 0.08, 0.35)

# %% bridge
from minidiff.data import MIXTURE

blobs = Mixture(*(part.double() for part in MIXTURE))
plain = Mixture(*(torch.tensor(part, dtype=f64) for part in ([[0, 0]], [1], [1])))  # noise, as a mixture
for mixture in (MOONS, blobs):
    for t in (0.9, 0.1):
        got, want = bridge(mixture, plain)(z, t), of_mixture(*mixture, flow)(z, t)
        check("from noise: x0", got.x0, want.x0, rtol=0, atol=1e-6)
        check("from noise: x1 is the noise", got.eps, want.eps, rtol=0, atol=1e-6)
across, from_blobs = bridge(MOONS, blobs), blobs.sample(2_000, seed=16).x.double()
away_by = sliced_wasserstein(last(sample(heun_step, across, from_blobs, uniform_times(40))), truth[0])
check_between("from blobs to the moons: distance", away_by, 0, 0.09)
stuck = last(sample(euler_step, across, from_blobs[:300], uniform_times(1)))
check("in one step: the variance, once more", stuck.var(0), 0, atol=1e-25)


def score(source, x):
    """Of x_1/2, for independent pairs."""
    i, j = torch.cartesian_prod(torch.arange(64), torch.arange(len(source.means))).T
    middle = Mixture(0.5 * (MOONS.means[i] + source.means[j]), 0.5 * (MOONS.stds[i] ** 2 + source.stds[j] ** 2).sqrt(), MOONS.weights[i] * source.weights[j])
    x = x.clone().requires_grad_()
    return torch.autograd.grad(middle.log_prob(x).sum(), x)[0]


for source, low, high in ((plain, 0, 1e-7), (blobs, 1, 10)):
    x = 0.5 * MOONS.sample(500, seed=17).x.double() + 0.5 * source.sample(500, seed=18).x.double()
    off = (bridge(MOONS, source)(x, 0.5).eps + 0.5 * score(source, x)).square().mean().sqrt()
    check_between("E[x1 | x_t] + t * score: 0 for noise only", off, low, high)
renewed = 0.8 * from_blobs + 0.6 * from_blobs.roll(1, 0)  # old and "fresh" blobs, 0.64 + 0.36 = 1
gaps = [torch.cdist(x, blobs.means).min(1).values.median() for x in (from_blobs, renewed)]
check_between("sums of blobs are no blobs", gaps[1] / gaps[0], 3, 100)

# %% toy-live
from minidiff.course import check_that

check_between("from the heart to the moons: distance", sliced_wasserstein(morph(heart, 0.0, "the flow"), truth[0]), 0, 0.13)
halfway = {way: morph(heart, 0.5, way) for way in ("the flow", "random pairs", "cheapest pairs")}
check_between("half-way: flow and random pairs", sliced_wasserstein(halfway["the flow"], halfway["random pairs"]), 0, 0.1)
check_between("and cheapest pairs", sliced_wasserstein(halfway["cheapest pairs"], halfway["random pairs"]), 0.15, 1)
drawing, at_start = pad.Pad("points", heart, limit=2.5).value, morph(heart, 1.0, "the flow")
check_between("at t = 1: the heart", torch.cdist(at_start, drawing.double()).min(1).values.median(), 0, 0.2)
for way in ("the flow", "random pairs", "cheapest pairs"):
    check("both ends", morph(heart, 1.0, way).sort(0).values, at_start.sort(0).values, rtol=0, atol=1e-9)
fig = shown(heart[:3], 0.3, "cheapest pairs")
check("drawn", plots.plotted(fig.axes[0])["cloud"], morph(heart[:3], 0.3, "cheapest pairs"), rtol=1e-9)
plots.png(fig)
lever = live(shown, drawing=pad.Pad("points", heart, limit=2.5), t=(0.0, 1.0, 0.8), way=["the flow", "random pairs"])
before = lever.image.value
lever.controls["drawing"].value = heart[:5]
check_that("another drawing, another picture", lever.image.value != before)

# %% sign
check("as it was written", slopes(readings["as it was written"]), 1, rtol=0.1)
check("sign turned", slopes(readings["sign turned"]), -1, rtol=0.1)
check("clock turned", slopes(readings["clock turned"]), [-1.1, 0.9, 0.5, 0.1], rtol=0, atol=0.12)
check_between("random output", slopes(lambda x, t: noise(1_000, 2, seed=33)).abs(), 0, 0.15)
timid = slopes(lambda x, t: (x1 - x0).mean(0).expand_as(x) + (x * (x1 - x0)).sum() / (x * x).sum() * x if t < 0 else x * ((x1 - x0) * x).sum() / (x * x).sum())
check("a timid one: the best multiple of x_t", timid, 1, rtol=1e-9)
away_from = last(sample(euler_step, Denoiser(flow, lambda x, t: solve(x, -velocity(exact, x, t), "velocity", flow, t)), z, uniform_times(20)))
near = last(sample(euler_step, exact, z, uniform_times(20)))
far = [torch.cdist(x, MOONS.means).min(1).values.median() for x in (near, away_from)]
check_between("the right sign: distance from the moons", far[0], 0, 0.2)
check_between("sign turned: the samples run away", far[1], 0.5, 1e6)

# %% clocks
closed = {
    "ratio": 3 / 4, "angle": math.degrees(math.asin(0.6)) / 90, "log_snr": math.log(16 / 9), "lambda": math.log(4 / 3),
    "alpha_bar": 0.64, "sigma_edm": 3 / 4, "sigma_ve": 3 / 4, "flow": 3 / 7, "flow_reversed": 4 / 7,
}
from minidiff.course import check_that

check_that("every clock is in the table", list(closed) == list(CLOCKS))
check("every clock", [translate(0.75, "ratio", name) for name in closed], list(closed.values()), rtol=1e-12)
check("and back", [translate(value, name, "ratio") for name, value in closed.items()], 0.75, rtol=1e-12)
for t in (0.1, 0.5, 0.9):
    late = 3 * t / (1 + 2 * t)
    check("shifted times multiply r by 3", translate(late, "flow", "ratio"), 3 * t / (1 - t), rtol=1e-12)
    check("and lower the log SNR", translate(t, "flow", "log_snr") - translate(late, "flow", "log_snr"), 2 * math.log(3), rtol=1e-9)

# %% outputs
from minidiff.course import check_that
from minidiff.notation import OUTPUTS, betas, drift_and_diffusion, from_diffusers
from minidiff.schedules import evaluate

for path, value in ((cosine, 2.2), (linear_beta, 2.2), (edm, 2.75), (flow, 11 / 7)):
    check("x_t on each path", rescale(x_t, cosine, here, path, time_of(0.75, "ratio", path)), value, rtol=1e-9)
for path, value in ((cosine, math.degrees(math.asin(0.6)) / 90), (edm, 3 / 4), (flow, 3 / 7)):
    check("our t", time_of(0.75, "ratio", path), value, rtol=1e-9)
by_hand = {"epsilon": 1, "sample": 2, "v_prediction": 0.8 - 1.2, "flow_prediction": -1, "flow_reversed": 1,
           "edm_F": (0.75 * 2 - 1) / 1.25, "edm_D": 2, "score": -1 / 0.6}
check_that("every output is in the table", asked.keys() == by_hand.keys() == OUTPUTS.keys() | {"score"})
for name, path in asked.items():
    t = time_of(0.75, "ratio", path)
    there = rescale(x_t, cosine, here, path, t)
    said = reread(torch.ones_like(there), there, "epsilon", name, path, t)
    check(name, said, by_hand[name], rtol=1e-9)
    if name != "score":
        check(f"{name}, read as x0", reread(said, there, name, "sample", path, t), 2, rtol=1e-9)
beta = 0.1 + 0.3 * (20 - 0.1)
for path, t, want in ((linear_beta, 0.3, (-beta / 2, math.sqrt(beta))), (edm, 8.0, (0.0, 4.0)), (flow, 0.2, (-1.25, math.sqrt(0.5)))):
    check("drift and diffusion", drift_and_diffusion(path, t), want, rtol=1e-9, atol=1e-12)
for config, power, end in (
    ({"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}, 1, 4.04e-5),
    ({"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}, 2, 0.0047),
):
    bars, low, high = [1.0], config["beta_start"], config["beta_end"]
    for k in range(1000):  # alpha-bar in DDPM's own words
        beta = (low ** (1 / power) * (1 - k / 999) + high ** (1 / power) * k / 999) ** power
        bars.append((1 - beta) * bars[-1])
    path, target = from_diffusers(config)
    check("alpha-bar at the noisy end", evaluate(path, 1.0)[0] ** 2, bars[1000], rtol=1e-9)
    check("the text's number", bars[1000], end, rtol=0.01)
    check("diffusers' index 499 is our t", time_of(bars[500], "alpha_bar", path), 0.5, rtol=1e-6)
    check_that("it predicts eps", target == "eps")
check_that("a flow's file", from_diffusers({"shift": 3.0}) == (flow, "velocity"))
check("the ends of DDPM's table", betas()[[0, -1]], [1e-4, 0.02], rtol=1e-12)

# %% meet
from minidiff import Prediction

r0, unit_noise = 0.5, noise(200, 1, seed=23)
crossing_at = r0 / (1 + r0)
check("the answer", meet(), crossing_at, rtol=1e-9)
check("there all lines are at", (1 - crossing_at) * -r0 * unit_noise + crossing_at * unit_noise, 0, atol=1e-12)
worst = Denoiser(flow, lambda x, t: Prediction(-r0 * x / (t - (1 - t) * r0), x / (t - (1 - t) * r0)))
check("v is 3/2 x1", velocity(worst, (0.7 - 0.3 * r0) * unit_noise, 0.7), 1.5 * unit_noise, rtol=1e-9)
leaps = [last(sample(euler_step, worst, unit_noise, uniform_times(steps))) for steps in (1, 20)]
check("1 step and 20: over the pole", torch.cat(leaps, 1), -r0 * unit_noise.expand(-1, 2), rtol=1e-9)
straight = Denoiser(flow, lambda x, t: Prediction(r0 * x / ((1 - t) * r0 + t), x / ((1 - t) * r0 + t)))
check("after reflow of a Gaussian one step is exact", last(sample(euler_step, straight, unit_noise, uniform_times(1))), r0 * unit_noise, rtol=1e-12)

# %% identity
from minidiff import of_gaussian
from minidiff.data import MIXTURE

check("one step: every sample", one_step, std * x_t, rtol=1e-12)
check("v is the exact flow's", v[:, None], velocity(of_gaussian(0.0, std, flow), x_t[:, None], t.item()), rtol=1e-9)
many_steps = last(sample(heun_step, of_gaussian(0.0, std, flow), x_t[:, None], torch.linspace(0.8, 0.3, 400, dtype=f64)))
check("where u leads, by 400 steps of Heun", x_t - 0.5 * u, many_steps[:, 0], rtol=0, atol=1e-5)
from_here, blob_starts = MIXTURE.sample(1_000, seed=21).x, MIXTURE.sample(5_000, seed=19).x
across = bridge(MOONS, Mixture(*(part.double() for part in MIXTURE)))
blob_ends = last(sample(heun_step, across, blob_starts.double(), uniform_times(30))).float()


def bridged(n, dice):
    chosen = torch.randint(len(blob_starts), (n,), generator=dice)
    return blob_ends[chosen], blob_starts[chosen]


def unpaired(n, dice):
    i, j = torch.randint(len(blob_starts), (2, n), generator=dice)
    return blob_ends[i], blob_starts[j]




def carried(net, dtype=torch.float32):
    x = last(sample(heun_step, net, from_here.to(dtype), uniform_times(40))).float()
    return price(x, from_here), price(*couple(x, from_here))


check("transport of the exact flow", carried(across, f64)[0], 0.34, rtol=0.03)
for steps, again, blur, least in ((800, 0.30, 0.30, 0.24), (2_000, 0.31, 0.33, 0.23)):
    check("of reflow, and the cheapest plan", carried(fit(bridged, steps)), [again, least], rtol=0.06)
    check("of a network on random pairs", carried(fit(unpaired, steps))[0], blur, rtol=0.06)
