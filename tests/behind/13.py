# %% 13-03-9d61d5
record = card["record"]
check("pictures that the network was shown", record["images_seen"], 1_280_000, rtol=0)
check_between("seconds that it learned for", record["seconds"], 3_600, 7_200)
assert torch.equal(clothes.x[:500], machines["A"][0]) and not torch.equal(photos.x, machines["C"][0])

# %% 13-04-0e5412
check_between("B over A", scores["B"] / scores["A"], 1.4, 2.5)
check_between("C over A, a ratio of squares", scores["C"] / scores["A"], 17, 20)
check_between("its root: how much farther away", (scores["C"] / scores["A"]) ** 0.5, 4, 4.5)

# %% 13-08-743ed6
from minidiff.evaluation import sliced_wasserstein

x = noise(20_000, 1, seed=3).double()
y = 3 + 2 * x
check("cost of the map y = 3 + 2x", (x - y).square().mean(), 10, rtol=0.03)  # some seven standard errors
check("by sorting", sliced_wasserstein(x, y, directions=1) ** 2, 10, rtol=0.03)
check("the package's", frechet_distance(x, y), 10, rtol=0.03)
check("the root, squared", root(torch.tensor([[2.0, 1.0], [1.0, 2.0]])) @ root(torch.tensor([[2.0, 1.0], [1.0, 2.0]])),
      torch.tensor([[2.0, 1.0], [1.0, 2.0]]), atol=1e-5)

# %% 13-09-e080e3
from minidiff.course import check_that

a = noise(400, 5, seed=4).double() @ noise(5, 5, seed=5).double()
b = noise(300, 5, seed=6).double() @ noise(5, 5, seed=7).double() + 1
fitted = [part for cloud in (a, b) for part in (cloud.mean(0), torch.cov(cloud.T))]
check("two clouds, over the package's", frechet(*fitted) / frechet_distance(a, b), 1, rtol=1e-9)
mean_a, cov_a, mean_b, cov_b = fitted
half, eye = root(cov_a), torch.eye(5).double()
T = half.inverse() @ root(half @ cov_b @ half) @ half.inverse()
check("T C_a T is C_b", T @ cov_a @ T, cov_b, rtol=0, atol=1e-9)
spread = lambda M: ((eye - M) @ cov_a @ (eye - M).T).trace()
check("what T costs", (mean_a - mean_b).square().sum() + spread(T), frechet(*fitted), rtol=1e-9)
check("by multiplying out", (cov_a + cov_b - 2 * T @ cov_a).trace(), spread(T), rtol=1e-9)
turning = torch.linalg.cholesky(cov_b) @ torch.linalg.cholesky(cov_a).inverse()
check("another map that fits", turning @ cov_a @ turning.T, cov_b, rtol=0, atol=1e-9)
check_that("costs more", spread(turning) > 1.05 * spread(T))

# %% 13-11-a6920b
check_between("scatter of one pair, over the mean", chance.std() / chance.mean(), 0.01, 0.04)

# %% 13-13-600f1e
check("the pencil's 2 c / n", 2 * constant(torch.ones(64))[0] / 1_000, 2.208, rtol=1e-6)
check_between("effective dimension of the judge's 128 features", D, 19, 21.4)
check_between("its c", c, 6_900, 7_300)
lam = torch.linalg.eigvalsh(torch.cov(real.double().T)).clamp(min=1e-12)
flat, D128 = constant(lam.mean().expand(128))
check("effective dimension where all are equal", D128, 129, rtol=1e-6)
check_between("c if all 128 carried equally much, over c", flat / c, 5, 6)
check("on many points of a Gaussian", constant(torch.linalg.eigvalsh(torch.cov(noise(50_000, 64, seed=9).T)))[0], 1_104, rtol=0.01)
for d, rtol in ((4, 0.35), (16, 0.12), (64, 0.12)):  # three standard errors of ten pairs, and more at 64
    for n in (100, 400, 1_600):
        measured = sum(frechet_distance(a, b) for a, b in noise(10, 2, n, d, seed=n)) / 10
        check(f"d = {d}, n = {n}, over the law", measured / (2 * (d + d * (d + 1) / 4) / n), 1, rtol=rtol)
values, vectors = torch.linalg.eigh(torch.cov(real.double().T))
along = (real.double() - real.double().mean(0)) @ vectors
fourth = along.square().T @ along.square() / 4_000 - (along.T @ along / 4_000) ** 2  # for lam_i lam_j (1 + delta_ij)
heavy = values.sum() + (fourth / (2 * (values[:, None] + values)).clamp(min=1e-9)).sum()
check("c from the features' own fourth moments, over the Gaussian's", heavy / c, 1.1, rtol=0.02)

# %% 13-16-45d382
found = {n: floor(frechet_distance, real, n, m).value / bias(n, m) for n, m in ((125, 2_000), (500, 2_000), (1_000, 1_000), (2_000, 500))}
check("from 500 on, over the formula", [found[n] for n in (500, 1_000, 2_000)], 1, rtol=0.04)
check("125, over the formula", found[125], 7 / 6, rtol=0.06)

# %% 13-18-5c705d
check("the poor machine, extrapolated to infinity", limit, 0.8, rtol=0.1)
check("the pencil", 64 * (0.05**2 + 0.1**2), 0.8, rtol=1e-9)
check_between("perfect, n = 250, over poor, n = 2,000", perfect[0] / poor[-1], 4, 6)
check("perfect, over the formula", np.array(perfect) * sizes / 2_208, 1, rtol=0.05)

# %% 13-19-318225
from minidiff.course import check_that

seen = plots.plotted(ax)
check_that("the drawn marks", seen["perfect machine"][0] > 4 * seen["poor machine"][-1])
check("its right end, at the measured", seen["straight line"][1], seen["poor machine"][0], rtol=0.05)
check("the line meets the axis at the truth", seen["straight line"][0], seen["truth of the poor one"][0], rtol=0.1)

# %% 13-21-e84a39
check_between("standard error of the score of 500 drawings", error, 3, 9)
check_between("as it stands, from 12.7, in errors", (scores["B"] - recorded) / error, 2.2, 4)
check("the record, less its floor", recorded, 12.7, rtol=0.01)
check("its floor, as the formula has it", card["record"]["metrics"]["floor"], bias(10_000, 10_000).item(), rtol=0.35)

# %% 13-23-b3a492
from minidiff.course import check_that

shown = plots.plotted(ax)
check("thieves' scores over the law", shown["the thief, measured"] / shown["c / k"], 1, rtol=0.5)
check_that("with 100 photographs the network wins, with 1,000 the thief",
           shown["the thief, measured"][1] > shown["the network"][0] > shown["the thief, measured"][4])
check_between("photographs that beat the network", c / recorded, 540, 580)
check_between("share of the training set", c / recorded / 60_000, 0, 0.01)

# %% faults
from minidiff.course import check_that

check_between("a fifth mirrored, over the network", mixed("mirrored", 20) / recorded, 0.8, 1.3)
check_that("stolen ones are never noticed", max(mixed("stolen", p) for p in percents) < recorded)
check_between("all mirrored over a fifth: the square of five", mixed("mirrored", 100) / mixed("mirrored", 20), 18, 35)
few = frechet_distance(honest[:125], real)
check_that("at unequal n the network beats 125 photographs", scores["B"] < few)
check_that("less the bias it does not", above > few - bias(125))

# %% lever
fig = shown("stolen", 60)
drawn_there = plots.plotted(fig.axes[1])
for k in (0, 3, 5):
    check("the curve of the lever", drawn_there["photographs"][k], float(mixed("stolen", 20 * k)), rtol=1e-6)
check("the network's line", drawn_there["the network"], recorded, rtol=1e-6)
assert fig.axes[0].get_title(loc="left") == "60 % stolen"
pictures = plots.plotted(fig.axes[0])["image0"]
assert pictures.shape[0] >= 40, "garments are at least 40 pixels high"

# %% kid
from minidiff.evaluation import kernel_distance

a, b = noise(40, 3, seed=15).double(), 1 + noise(30, 3, seed=16).double()
check("the package's", kid(a, b), kernel_distance(a, b).value, rtol=1e-9)
x, y = noise(60, 1, seed=17).double(), 1 + noise(50, 1, seed=18).double()
moments = [(x**k).mean() - (y**k).mean() for k in (1, 2, 3)]
biased = kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()
check("a sum of squares", biased, 3 * moments[0] ** 2 + 3 * moments[1] ** 2 + moments[2] ** 2, rtol=1e-9)

# %% 13-31-575cde
check("KID of the three", [pair[1] for pair in means], torch.tensor([0.0, 4, 0]), rtol=0.35, atol=0.12)
for k, truth in enumerate((0, 4, 0)):
    both = [(crowds(s)[0], crowds(s + 400)[k]) for s in range(400)]
    kids, frechets = (torch.tensor([float(f(*pair)) for pair in both]) for f in (kid, frechet_distance))
    check_between("KID, from the truth in standard errors", (kids.mean() - truth) / kids.std() * 20, -4, 4)
    check_between("Frechet, in standard errors", frechets.mean() / frechets.std() * 20, 10, 50)
many = crowds(1_000, n=400_000)
check("means", [x.mean() for x in many], 0, atol=0.01)
check("variances", [x.var() for x in many], 1, rtol=0.02)
check("third moments", [(x**3).mean() for x in many], torch.tensor([0.0, 2.0, 0.0]).double(), rtol=0, atol=0.15)

# %% could-be
from minidiff.evaluation import precision_recall

x, y = noise(300, 3, seed=30).double(), 0.5 + noise(200, 3, seed=31).double()
ours = could_be(y, x).double().mean(), could_be(x, y).double().mean()
check("the package's", ours, torch.tensor(precision_recall(x, y), dtype=torch.float64), rtol=1e-9)

# %% 13-35-908522
truths = {"the same": (1, 1), "moved": (0.5, 0.5), "left half": (1, 0.5), "wide": (0.5, 1)}
for ax, (name, (left, width)) in zip(axes, ends.items()):
    real_there, fake_there = (torch.from_numpy(plots.plotted(ax)[kind]) for kind in ("real", "fake"))
    check("the machine's left end", fake_there[:, 0].min(), left, atol=0.02)
    check("its width", fake_there[:, 0].max() - fake_there[:, 0].min(), width, rtol=0.02)
    found = [could_be(*pair).double().mean() for pair in ((fake_there, real_there), (real_there, fake_there))]
    check(f"{name}: precision and recall", found, torch.tensor(truths[name]).double(), rtol=0, atol=0.08)  # edges
    assert ax.get_title(loc="left") == "{}:\n{:.1f} and {:.1f}".format(name, *truths[name])
fake = torch.tensor([0.5, 0]) + other
stray = torch.cat([square, torch.tensor([[2.5, 0.5]])])
check("precision, with one stray point", could_be(fake, stray).double().mean(), 1, rtol=0, atol=0.06)
before, after = evaluation.density_coverage(square, fake), evaluation.density_coverage(stray, fake)
check("density before and after", [before[0], after[0]], torch.tensor([0.5, 0.6]).double(), rtol=0, atol=0.06)
check("half of the fakes lie in one ball more, 1/5 each", after[0] - before[0], 0.1, rtol=0, atol=0.015)
check("coverage does not move", after[1] - before[1], 0, atol=2e-3)
expected = 1 - math.prod((1_000 - i) / (1_500 - i) for i in range(1, 6))
check("coverage of perfect drawings", expected, 0.869, rtol=1e-3)
plane = [evaluation.density_coverage(noise(1_000, 2, seed=s), noise(500, 2, seed=s + 100)) for s in range(20)]
check("in the plane", torch.tensor(plane).mean(0), torch.tensor([1, expected]), rtol=0.02)  # four standard errors

# %% 13-45-4493d5
assert (torch.cdist(judge.features(test.x[6_000:6_500]), unseen).diagonal() < 0.1).all(), "unseen, and no training pictures"
even = torch.tensor([[0.9, 0.1], [0.1, 0.9]]).repeat(50, 1)
check("Inception score of two opinions", evaluation.inception_score(even, splits=2).value, 1.445, rtol=0.02)
p = judge.head(real).softmax(1)
check_between("Inception score of 4,000 photographs", evaluation.inception_score(p).value, 8, 9)
check_between("of the ten surest", evaluation.inception_score(p[p.argmax(0)].repeat(50, 1)).value, 9, 10)

# %% scored
from minidiff.course import check_that

signs = {name: "".join("v" if by > 3 else "^" if by < -3 else "." for by in row) for name, row in z.items()}
wanted = {"photographs": ".........", "blurred": "vvvvvvv^v", "mirrored": "vvvvv.v^v", "no trousers": "vvv.v.v..",
          "50 repeated": "vv..v.v.^", "10 repeated": "vv^^v^v.^", "the thief": ".......v.", "wrong labels": "........v",
          "the network": "....v...."}
for name, want in wanted.items():
    assert signs[name] == want, f"{name}: {signs[name]}, wanted {want}"
planted = ["".join(signs[name][k] for name in wanted if name not in ("photographs", "the network")) for k in range(9)]
check_that("each score misses a fault", ["." in column for column in planted])
check("scores that praise one", sum("^" in column for column in planted), 5, rtol=0)
check("columns that ten photographs win", signs["10 repeated"].count("^"), 4, rtol=0)
expected = 1 - math.prod((1_000 - i) / (1_500 - i) for i in range(1, 6))
check("density and coverage of photographs", level[5:7], torch.tensor([1, expected]).double(), rtol=0.04)
check("Frechet of photographs, as section 2 promised", level[0], bias(500, 1_000).item(), rtol=0.15)
elsewhere = nine(stolen[1_000:1_500], clothes.y[1_000:1_500], real[:1_000])
check_that("a thief in another aisle passes all nine", (worse * (elsewhere - level) / scatter).abs() < 3)
partner = torch.zeros(500, dtype=torch.int64)
for k in range(10):
    (same,) = torch.where(photos.y == k)
    partner[same] = same.roll(1)
faded = worse * (nine(judge.features((photos.x + photos.x[partner]) / 2), photos.y, real[:1_000]) - level) / scatter
check_that("cross-faded: precision not worse", faded[3] < 3)
check_that("cross-faded: density better", faded[5] < -3)
check_that("cross-faded: recall and coverage worse", [faded[4] > 3, faded[6] > 3])

# %% 13-47-5f1389
marks = "".join(text.get_text()[:1] for text in ax.texts)
for sign, by in (("▼", 1), ("▲", -1)):
    check(f"marks {sign}", marks.count(sign), sum(int((by * row > 3).sum()) for row in z.values()), rtol=0)
assert min(text.get_fontsize() for text in ax.texts) >= 8 and len(ax.images) == 33

# %% 13-49-76cca9
from minidiff.course import check_that

check_between("error with the same noise, over error of independent draws", paired.error / alone, 0.1, 0.8)
same = jackknife(lambda f, g: score(f) - score(g), features["B"][250:], careful)
check_that("eight steps against eight, other noise: within two errors", abs(same.value) < 2 * same.error)

# %% 13-51-eb588f
parameters = sum(p.numel() for p in UNet(size=8, width=32, deep_width=64, deep_blocks=1).parameters())
check_between("parameters, over pixels of a thousand thumbnails", parameters / small[:1_000].numel(), 2, 10)
assert not (set(map(bytes, halves[1_000][0].numpy())) & set(map(bytes, halves[1_000][1].numpy()))), "none is shared"

# %% 13-52-57aa5e
fresh = engine.generate(of_points(halves[1_000][1], cosine), noise(100, 1, 8, 8, seed=20), steps=12)
check("what a perfect denoiser draws", ideal[1], fresh, rtol=0, atol=1e-4)
check("what the second network of ten draws, which began elsewhere", draw(student(halves[10][1], 1)), learned[10][1], rtol=0, atol=1e-3)

# %% 13-53-aea702
from minidiff import of_gaussian
from minidiff.course import check_that

check_between("ten: gap, same noise over other", agreement(*learned[10]), 0.4, 0.75)
near = lambda x, pictures: torch.cdist(x.flatten(1), pictures.flatten(1)).amin(1)
own_share = {n: (near(one, halves[n][0]) < near(one, halves[n][1])).double().mean() for n, (one, two) in learned.items()}
check_between("ten: share of drawings nearer to the network's own pictures", own_share[10], 0.93, 1)
check_between("a thousand", own_share[1_000], 0.3, 0.7)  # four standard errors of 100 coin tosses
strangers = near(small[1_000:], small[:1_000]).median()  # from a picture of one set to its nearest in the other
check_that("two networks are closer to each other than that", gap(*learned[1_000]) < strangers)
check_that("two perfect denoisers are not", gap(*ideal) > strangers)
check_between("network to perfect denoiser, over network to network", gap(learned[1_000][0], ideal[0]) / gap(*learned[1_000]), 1.4, 3)


def linear(pictures):
    flat = pictures.flatten(1)
    variances, directions = torch.linalg.eigh(torch.cov(flat.T))
    gaussian = of_gaussian(flat.mean(0) @ directions, variances.clamp(min=0).sqrt(), cosine)
    got = engine.generate(gaussian, noise(100, 1, 8, 8, seed=20).flatten(1) @ directions, steps=12)
    return (got @ directions.T).view(100, 1, 8, 8)


straight = [linear(part) for part in halves[1_000]]
check("two linear denoisers", agreement(*straight), 0.07, rtol=0.1)
check_between("how far they draw from the data", near(straight[0], small[:1_000]).median() / strangers, 1.5, 2.5)

# %% copied
from minidiff.evaluation import memorisation

one, two, three = noise(40, 2, seed=50), noise(60, 2, seed=51), noise(30, 2, seed=52)
distance = lambda x: torch.cdist(x, two).amin(1)
check("the package's", copied(distance(one), distance(three)), memorisation(one, two, three).value, rtol=1e-6)

# %% 13-41-21764c
check("the last distances are of unseen photographs", others, nearest(judge.features(test.x[6_000:6_500]), known), atol=1e-3)
flat, known, others = (lambda v: v.flatten(1)), clothes.x[:1_000], test.x[6_000:6_500]
within, bands = judge.features, {"unseen photographs": ((0.446, 0.554), (0.446, 0.554)), "the thief": ((0.99, 1), (0.99, 1)),
                                 "copies, moved": ((0.35, 0.5), (0.6, 0.8)), "the network": ((0.53, 0.65), (0.45, 0.56))}
for name, both in bands.items():
    for space, (low, high) in zip((flat, within), both):
        value = copied(nearest(space(suspects[name]), space(known)), nearest(space(others), space(known)))
        check_between(name, value, low, high)
check("how far chance moves it", (1_001 / (12 * 500 * 500)) ** 0.5, 0.018, rtol=0.02)
