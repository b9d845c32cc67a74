# %% 12-03-060ffe
from minidiff.course import check, check_between

check("maps inside", [*half.shape, *quarter.shape], [64, 14, 14, 128, 7, 7], rtol=0)
check_between("stretched", inside.stretched(half[:9]), 0, 1)

# %% 12-05-483267
from torch.utils.flop_counter import FlopCounterMode

from minidiff.course import check

found = [F.conv1d(pixels, kernel, padding=1) for pixels in (row, row.roll(1, -1))]
check("the pencil's line", found[0][0, 0], [0, 0, 1, 1, 0, -1, -1, 0], rtol=0)
check("moved by one", found[1] - found[0].roll(1, -1), 0, atol=0)
count = [sum(w.numel() for w in layer.parameters()) for layer in (nn.Linear(784, 784), nn.Conv2d(1, 1, 3))]
check("numbers to learn", count, [615_440, 10], rtol=0)
for gap, wanted in ((1, 0.848), (4, 0.5), (14, 0.0)):
    left, right = clothes.x[:2_000, ..., :-gap], clothes.x[:2_000, ..., gap:]
    alike = torch.corrcoef(torch.stack([left.flatten(), right.flatten()]))[0, 1]
    check(f"correlation of pixels {gap} apart", alike, wanted, rtol=2e-3, atol=0.006)
for size, millions in ((28, 28.9), (14, 7.2), (7, 1.8)):
    with FlopCounterMode(display=False) as counter:
        nn.Conv2d(64, 64, 3, padding=1)(torch.zeros(1, 64, size, size))
    check("millions of multiplications", counter.get_total_flops() / 2e6, millions, rtol=0.01)

# %% block
from minidiff.course import check

h = 5 + 2 * noise(1, 32, 14, 14, seed=4)
groups = h.view(8, -1)
by_hand = (groups - groups.mean(1, keepdim=True)) / groups.std(1, correction=0, keepdim=True)
check("GroupNorm by hand", by_hand.view_as(h), nn.GroupNorm(8, 32)(h), rtol=0, atol=1e-4)
check("a fresh block changes nothing", Block(32, 32, 64)(h, noise(1, 64, seed=5)), h, rtol=0, atol=0)

# %% twin
from minidiff.course import check, check_that

fresh = UNet()
check("a fresh network answers 0", fresh(noise(2, 1, 28, 28, seed=1), torch.rand(2), torch.tensor([3, 10])), 0, atol=0)
check("numbers to learn", sum(w.numel() for w in fresh.parameters()), 252_260, rtol=0.02)
ratio = sum(w.numel() for w in shipped.parameters()) / sum(w.numel() for w in fresh.parameters())
check("the shipped one has six times as many", ratio, 6.5, rtol=0.06)
sizes = {"input": [1, 28]}
for name, part in {"stem": fresh.stem, "down": fresh.down[0], "shrink": fresh.shrink, "deep": fresh.deep[-1],
                   "widen": fresh.widen, "up": fresh.up[0], "last": fresh.last}.items():
    given = LearnedDenoiser(fresh, cosine), part, noise(1, 1, 28, 28, seed=1), 0.5
    sizes[name] = list(inside.feature_maps(*given, y=9).shape[1:3])
check_that("the figure's channels and sizes", {k: list(v) for k, v in inside.STATIONS.items()} == sizes | {"output": [1, 28]})
drawn = plots.plotted(inside.drawn_u().axes[0])
check_that("each bar is as tall as its maps", all(drawn[k] == size for k, (_, size) in inside.STATIONS.items()))
check("the view without deep blocks' second convolutions would be", inside.view(UNet(deep_blocks=1), 128), 34, rtol=0)
for t in (0.1, 0.5, 0.9):
    alpha, sigma = evaluate(cosine, t)
    v = alpha * noise(10_000, seed=6) - sigma * noise(10_000, seed=7)
    check("the loss of answering 0", v.square().mean(), 1, rtol=0.06)  # four standard errors of 10,000 squares

# %% 12-25-c029ad
from minidiff.course import check, check_between

theirs = engine.generate(run.average, begin[:10], ten, steps=15)
check("my sampler = the package's", plain[:10], theirs, rtol=0, atol=1e-3)
guess = engine.generate(beginner, begin[:100], asked[:100], steps=15, guidance=3)
check_between("the beginner of step 60", recognised(guess, asked[:100]), 0, 0.45)
check_between("photographs", recognised(test.x[:500], test.y[:500]), 0.89, 0.97)
check_between("the fall is nearly over by step 200", sum(losses[180:220]) / 40, 0.25, 0.45)
check_between("the end", sum(losses[-100:]) / 100, 0.18, 0.3)

# %% wardrobe
from minidiff.course import check_that

pages = [plots.png(wardrobe(kind, scale, 3)) for kind, scale in (("Boot", 3.0), ("Boot", 0.0), ("Bag", 3.0), ("Bag", 0.0))]
check_that("class and guidance change what is drawn", len(set(pages)) == 4)

# %% 12-28-2665b2
from minidiff.course import check, check_between, check_that

errors = torch.stack([(x - boot).square().mean() for x in shown]).view(3, 4)[:, 1:]
whole, no_skip, no_deep = errors.T
check_that("each arm is needed at each level", torch.cat([no_skip, no_deep]) > whole.repeat(2))
check_between("t = 0.2: without the skip, over without the deep half", no_skip[0] / no_deep[0], 2, 50)
check_between("t = 0.8: without the deep half, over the whole", no_deep[2] / whole[2], 1.4, 3)
check("nothing stays silenced", twin(boot, 0.5, y=9).x0, shipped(boot, 0.5, y=9).x0, rtol=0, atol=1e-4)

# %% 12-30-49cc7a
from minidiff.course import check_between, check_that

some, labels_ = test.x[:50], test.y[:50]
some_t = noisy(some, 0.5, seed=10)
off = [(shipped(some_t, told, y=labels_).x0 - some).square().mean() for told in (0.2, 0.35, 0.5, 0.65, 0.8)]
check_that("the truth is best", min(off) == off[2])
check_between("told 0.35, over the truth", off[1] / off[2], 1.5, 4)
check_between("told 0.8, over the truth", off[4] / off[2], 3, 8)
quarters = [plots.plotted(believe(0.5, told).axes[0])["image0"] for told in (0.5, 0.8)]
honest, lied = (picture.reshape(len(picture), -1)[:, : 4 * (picture.shape[1] // 4)] for picture in quarters)
moved = [(honest != lied)[:, k * honest.shape[1] // 4 : (k + 1) * honest.shape[1] // 4].mean() for k in range(4)]
check_that("only the guess that was told another level changes", moved[2] > 0.3 and max(moved[0], moved[1], moved[3]) < 0.02)

emb = F.silu(shipped.net.condition(torch.linspace(0, 1, 41), 9, 41))
dials = 1 + shipped.net.up[0].scale_shift(emb)[:, :64]
rise = dials[-8:].mean(0) - dials[:8].mean(0)
for sign in (1, -1):
    six = dials[:, (sign * rise).topk(6).indices].mean(1)
    check_that("six channels, from clean to noise", sign * (six[-1] / six[0] - 1) > 0.2)

# %% 12-34-b8300d
from minidiff.course import check_between, check_that

radii = torch.tensor([float(head.split("\n")[1].split()[0]) for head in heads])
check_that("the radius grows from level to level", radii.diff() > 0)
check_between("at both ends", radii[[0, -1]] / torch.tensor([0.535, 7.08]), 0.9, 1.1)

# %% 12-36-6fb4a5
from minidiff import Denoiser, Prediction, denoising_loss, of_gaussian
from minidiff.course import check

flat = clothes.x[:20_000].flatten(1)
variances, directions = torch.linalg.eigh(torch.cov(flat.T))
centre, gaussian = flat.mean(0), of_gaussian(0.0, variances.clamp(min=0).sqrt(), cosine)


def answer(x, t, y=None):
    inner = gaussian((x.flatten(1) - evaluate(cosine, t)[0] * centre) @ directions, t)
    return Prediction(*[(part @ directions.T + by).view_as(x) for part, by in zip(inner, (centre, 0.0))])


check("the line = the linear denoiser", losses_at(levels, Denoiser(cosine, answer), *unseen), line, rtol=0.1)
package = denoising_loss(shipped, unseen[0], torch.full((100,), 0.3), noise(100, 1, 28, 28, seed=12), y=unseen[1])
check("the package's own loss", losses_at([0.3], shipped, *unseen)[0], package.mean(), rtol=1e-3)

# %% 12-40-60782f
from minidiff.course import check_that

check_that("yours beats the line at every level", yours < line)
check_that("longer training is better at every level", hour < yours)
check_that("and more than half the way in the middle", way.mean() > 0.5)
first = losses_at([0.5], beginner, *unseen)[0]
check_that("step 60: worse than the line, better than 1", line[5] < first < 1)

# %% 12-47-168c7e
from minidiff.course import check, check_between

k, x0 = 15, thumbs.repeat(1000, 1, 1, 1)
alpha_, sigma_ = evaluate(cosine, grid[k])
eps, other = noise(2, *x0.shape, seed=17)
x_t_ = alpha_ * x0 + sigma_ * eps
odds = torch.softmax(-torch.cdist(x_t_.flatten(1), alpha_ * thumbs.flatten(1)) ** 2 / (2 * sigma_**2), 1)  # Bayes
bayes = (odds @ thumbs.flatten(1)).view_as(x0)
check("the exact denoiser = Bayes", of_points(thumbs, cosine)(x_t_, grid[k]).x0, bayes, rtol=0, atol=1e-3)
V = ((bayes - x0) ** 2).mean()
best_ = {"right": alpha_ / sigma_ * x_t_ - bayes / sigma_, "drawn twice": -sigma_ * bayes,
         "wrong sign": alpha_ / sigma_ * x_t_ + (sigma_**2 - alpha_**2) / sigma_ * bayes}
for (name, lesson), low_ in zip(LESSONS.items(), (V / sigma_**2, *tasks.our_floors(alpha_, sigma_, V))):
    loss_ = (best_[name] - lesson(x0, eps, other, alpha_, sigma_)).square().mean()
    check(f"{name}: the best answer's loss over the table's floor", loss_ / low_, 1, rtol=0.03)
check_between("the floor is not 0", floor, 0.2, 0.4)
check("drawn twice: 60 % higher", its_own / floor, 1.6, rtol=0.03)

# %% 12-49-0876e5
from minidiff.course import check, check_between

drawn_ = plots.plotted(ax)
check("the last dot drawn", drawn_["right"][-1], taught["right"][-20:].mean(), rtol=1e-5)
check("the floors drawn", sorted({line.get_ydata()[0] for line in ax.lines if len(line.get_ydata()) == 2}), sorted(map(float, (floor, its_own, signed))), rtol=1e-5)
after_50 = taught["right"][40:60].mean()
check_between("after 50 steps the right lesson is as high as the other at its end", after_50 / taught["drawn twice"][-40:].mean(), 0.85, 1.25)

# %% 12-54-8ac541
from minidiff.course import check_that

check_that("what nobody has shown it is far", neighbours(test.x[:20], clothes.x[:1000])[1] > 0.1)

# %% 12-57-87f081
from minidiff.course import check_between, check_that

for name, (denoiser_, sampler_) in patients.items():
    swap = sampler_(exact, few, times, labels)
    check_that(f"{name}: its sampler returns training pictures", neighbours(swap, clothes.x[:1000])[1] < 0.01)
    check_that(f"{name}: the same ones", torch.allclose(swap, truth, rtol=0, atol=1e-2) == (name != "A"))
    came = recognised(sampler_(denoiser_, few, times, labels), labels)
    cured = recognised(engine.generate(denoiser_, few, labels, steps=12), labels)
    check_that(f"{name}: ill as it came, and cured by the package's sampler or not", came < 0.6 and (cured > 0.6) == (name == "A"))
drawings = patients["C"][1](patients["C"][0], few, times, labels)
check_between("C draws the next class", recognised(drawings, (labels + 1) % 10), 0.7, 1)

# %% 12-61-612ff3
from minidiff.course import check_between, check_that

b, c, d = (curves[name][1] for name in "BCD")
check_that("B is worse than answering 0 at every level", b > 1)
check_that("D lies between, at every level", (d < 1) & (d > 1.2 * hour))
check_between("C over healthy at t = 0.05", c[0] / hour[0], 0.98, 1.1)
check_between("C over healthy at t = 0.97", c[-1] / hour[-1], 1.3, 3)

# %% 12-65-ec2231
from minidiff import load
from minidiff.course import check, check_between

_, card = load(data.find("fashion-minutes.safetensors"))
check("steps on the card", card["record"]["steps"], 9_000, rtol=0)
check("seconds on the card", card["record"]["cpu_seconds"], 156, rtol=0)
check("recognised after three minutes", recognised(best, asked), 0.975, rtol=0, atol=0.015)
apart = lambda a, b: (a - b).flatten(1).norm(dim=1).mean()
same_noise = apart(plain, slow) / apart(plain, slow.roll(10, 0))  # ten further on: same class, other noise
check_between("yours and the hour's: same noise, over other noise", same_noise, 0.4, 0.7)
draw_ = torch.Generator().manual_seed(0)
sets_ = [clothes.x[torch.randperm(60_000, generator=draw_)[:200]] for _ in range(12)]
spread_ = [float(frechet_distance(judge.features(x), real) / least) for x in sets_]
check("other sets of 200 photographs, the nearest and the farthest, in floors", [min(spread_), max(spread_)], [0.73, 1.69], rtol=0.03)
metrics = load(data.find("fashion-small.safetensors"))[1]["record"]["metrics"]
check("the hour's floors with 10,000", metrics["frechet_distance"] / metrics["floor"], 13, rtol=0.04)

# %% 12-69-e18e58
from minidiff.course import check, check_that

check("a copy has 0", neighbours(drawn, clothes.x)[1], 0, atol=0.01)
check("a training picture finds itself", neighbours(clothes.x[::10_000], clothes.x)[0], torch.arange(6) * 10_000, rtol=0)
check_that("no drawing is nearer than 99 of 100 test pictures are", near > 0.9 * usual.quantile(0.01))

known, new = ([losses_at((0.25, 0.5, 0.75), d, x.x[:120], x.y[:120]).mean() for x in (clothes, test)] for d in (shipped, exact))
check_between("the hour's network, unseen over seen", known[1] / known[0], 0.9, 1.1)
check_between("the exact denoiser's", new[1] / new[0], 100, 1e6)

# %% 12-76-449825
from minidiff.course import check_between, check_that

check_between("the judge does not mind much", recognised(smooth, labels), 0.5, 1)
check_that("the exact denoiser forgives", off < 0.01)
check_that("the comparison does not", same < 20)
rough, sound = (x.diff(dim=3).abs().mean() for x in (smooth, my_sampler(shipped, few, times, labels)))
check_between("ironed: roughness over a sound sampler's", rough / sound, 0.2, 0.85)
