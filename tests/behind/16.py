# %% kinds
from minidiff.course import check, check_that

check_that("a hundred of each kind, standardised", all(images.shape == (100, 1, 28, 28) for images in kinds.values()))
check("digits go from black to white", (raw["digits"].min(), raw["digits"].max()), [0.0, 1.0], atol=0.02)
check("half the contrast is half of it", raw["half the contrast"].max(), 0.5, atol=0.01)
check_that("halves swapped twice are the picture", raw["halves swapped"].roll(14, 3) == others)

# %% given-back
from minidiff.course import check_between

near = {name: float((back[name] - kinds[name]).square().mean()) for name in kinds}
check_between("clothes come back nearest, but for the faint ones", near["clothes"] / min(
    near[name] for name in ("noise", "digits", "sprites", "halves swapped")), 0, 0.8)

# %% with-error
from minidiff.course import check

check("seven and a half of nine", pencil.value, 7.5 / 9, rtol=1e-6)

# %% ratings
from minidiff.course import check_between

check_between("asked once, digits", ratings["one question"]["digits"].value, 0.88, 0.96)
check_between("nearest in pixels, digits", ratings["nearest, pixels"]["digits"].value, 0.95, 1)
check_between("everything on noise", [row["noise"].value for row in ratings.values()], 0.95, 1)
check_between("everything on half the contrast", [row["half the contrast"].value for row in ratings.values()], 0, 0.6)
check_between("swapped halves: nearest less reconstruction", ratings["nearest, pixels"]["halves swapped"].value
              - ratings["reconstruction"]["halves swapped"].value, 0.03, 0.25)

# %% costs
from types import FunctionType

from minidiff import bits_per_dim, elbo
from minidiff.course import check_between

few, rungs = pictures["clothes"][:3], torch.linspace(-7, 9, 25, dtype=torch.float64)
finer = FunctionType(bits.__code__, {**globals(), "ladder": rungs})(few)
check_between("nine levels against 25, bits a pixel", (finer - cost["clothes"][:3]).abs().max(), 1e-6, 0.06)
times = torch.cat([2 / math.pi * torch.exp(-rungs / 2).atan(), torch.zeros(1, dtype=torch.float64)])
u = torch.rand(few.shape, generator=dice(2))
bound = elbo(model, unseen.standardise(((255 * few).round() + u) / 255), times, generator=dice(3))
gap = bits_per_dim(bound, 784, 255 * unseen.scale).value - finer
check_between("the package's chain of 25 steps costs more, by its stairs only", gap, 0.05, 1.2)
check_between("bits of clothes", cost["clothes"].mean(), 3.5, 3.85)
check_between("digits are cheaper", cost["clothes"].mean() - cost["digits"].mean(), 0.15, 0.45)
check_between("blank pages", cost["blank"], 1.7, 2.1)

# %% typical
from minidiff.course import check, check_between

check("the mean is D/2", below.mean(), 392, rtol=0, atol=2)
check("the deviation is sqrt(D/2)", below.std(), math.sqrt(392), rtol=0.07)
check_between("AUC of bits on digits and faint clothes", [
    auc(cost["clothes"], cost[kind]) for kind in ("digits", "half the contrast")], 0.35, 0.45)
check_between("AUC of bits on sprites", auc(cost["clothes"], cost["sprites"]), 0.85, 0.95)

# %% held-out
from minidiff.course import check_between, check_that

check_between("the novice on trousers", held["never saw them"]["trousers"].value, 0.45, 0.75)
check_between("the expert on trousers", held["saw them"]["trousers"].value, 0.08, 0.32)
check_between("their ratio on trousers", held["ratio of the two"]["trousers"].value, 0.85, 1)
check_between("their ratio on sandals", held["ratio of the two"]["sandals"].value, 0.6, 0.8)
check_between("the nearest on both", [one.value for one in held["nearest, pixels"].values()], 0.75, 0.95)
check_that("eight classes of 6,000 are left", len(known) == 48_000)

# %% cells-rated
from minidiff.course import check_between, check_that

check_between("Mahalanobis", found["Mahalanobis"]["malignant"].value, 0.95, 0.99)
check_between("the network", [found[f"one question, t = {t}"]["malignant"].value for t in (0.3, 0.9)], 0.9, 0.99)
check_that("none of the benign rows that are judged was learned from", torch.cdist(normal, healthy).min() > 0)

# %% filled
from minidiff.course import check, check_between

check("correlation before anything is lost", x.T.corrcoef()[0, 1], 0.71, rtol=0, atol=0.02)
check("mean before", x[:, 1].mean(), 0.04, rtol=0, atol=0.005)
again = tasks.our_hide(x, share)
for name, mask in zip(masks, again):
    check(f"{name} hides about half", mask.double().mean(), 0.5, rtol=0, atol=0.06)
for name, hidden in masks.items():
    one = answers[name]["exact, drawn"]
    gap = (one.mean(0) - answers[name]["diffusion, drawn"].mean(0)).square().mean().sqrt()
    check_between(f"{name}: averages of PiGDM against exact ones (floor: {math.sqrt(2 / 19) * 0.6:.2f})", gap, 0.1, 0.4)

# %% judged
from minidiff.course import check, check_between

table = {name: {method: judged(d, x[hidden, 1]) for method, d in answers[name].items()} for name, hidden in masks.items()}
check_between("the exact law covers, whatever hides", [table[name]["exact, drawn"][2] for name in ("MCAR", "MAR")], 86, 94)
check_between("diffusion", [table[name]["diffusion, drawn"][2] for name in ("MCAR", "MAR")], 85, 94)
check("one value covers nothing", [table[name][m][2] for name in masks for m in ("mean", "regression")], 0, atol=0.01)
best = table["MCAR"]["exact, drawn"]
check_between("MCAR: nobody knows more than the exact law", [row[1] - best[1] for row in table["MCAR"].values()], -0.03, 0.4)
check_between("one draw over the average, squared: 1.9", (best[0] / best[1]) ** 2, 1.5, 2.3)
check_between("MNAR: the exact law of what is visible misses the mean", x[:, 1].mean() - x[:, 1].where(
    ~masks["MNAR"], 0.0).masked_scatter(masks["MNAR"], answers["MNAR"]["exact, drawn"][0]).mean(), 0.08, 0.3)

# %% upper-half
from minidiff.course import check_that

check_that("what is seen stays to the bit", all((d[:, seen] == face[seen]).all() for d in fillings.values()))

# %% cells-holes
from minidiff.course import check, check_between, check_that

check("rows to learn from, and to fill", [len(learn), len(test)], [400, 169], rtol=0)
check("those to learn from have mean 0 and deviation 1", [learn.mean(0).abs().max() + 1, learn.std(0).max()], [1.0, 1.0], rtol=0, atol=1e-4)
check_that("the first column stays", all(not hidden[:, 0].any() for hidden in lost.values()))
check("MCAR: half of the others", lost["MCAR"][:, 1:].double().mean(), 0.5, rtol=0, atol=0.02)
kept = {name: [float(torch.corrcoef(torch.stack([hidden[:, c].float(), test[:, k]]))[0, 1]) for c, k in ((3, 0), (9, 9), (14, 0), (14, 14))]
        for name, hidden in lost.items()}
check_between("MCAR: no column decides", kept["MCAR"], -0.25, 0.25)
check_between("MAR: the first column decides", [kept["MAR"][0], kept["MAR"][2]], 0.55, 0.9)
check_between("MNAR: each column decides for itself", [kept["MNAR"][1], kept["MNAR"][3]], 0.35, 0.9)

# %% cells-judged
from minidiff.course import check, check_between, check_that

check("MCAR: the mean has an error of 1", table["mean"][0], 1, rtol=0.08)
check("one value covers nothing", [float(c) for m in ("mean", "iterative") for c in table[m][1::2]], 6 * [0.0], atol=0.2)
check_between("MCAR: all but the mean", [row[0] for method, row in table.items() if method != "mean"], 0.35, 0.65)
check_between("those who draw cover, MCAR and MAR", [table[m][k] for m in table if "drawn" in m for k in (1, 3)], 86, 97)
check_between("and under MNAR", [table[m][5] for m in table if "drawn" in m], 65, 88)
check_that("from MCAR to MAR to MNAR every error grows", all(row[0] < row[2] < row[4] for row in table.values()))
check_that("one Gaussian makes more of 400 rows than a network", all(table["Gaussian, drawn"][k] < table["diffusion, drawn"][k] + 0.03 for k in (0, 2, 4)))
check_that("under MNAR diffusion covers least", table["diffusion, drawn"][5] == min(table[m][5] for m in table if "drawn" in m))
answers_of = refill(learned, ~lost["MNAR"])
lean = [(d.mean(0) - test)[lost["MNAR"]].mean() for d in answers_of.values()]
check_between("under MNAR every answer is too small", lean, -0.9, -0.35)
check_that("what is seen of the table stays", all(torch.equal(answers_of[m][:, ~lost["MNAR"]], test[~lost["MNAR"]].expand(19, -1)) for m in ("iterative", "diffusion, drawn")))

# %% recorded
from minidiff.course import check, check_between, check_that

accuracy = {name: torch.tensor(found) for name, found in record["accuracy"].items()}
check_that("five seeds each", all(len(found) == 5 for found in accuracy.values()))
gain = lambda name: (accuracy[name] - accuracy["few"]).mean()
check_between("drawn by the model of 60,000, gain", gain("shipped"), 0.02, 0.06)
check_between("forty more real ones, gain", gain("more"), 0.02, 0.06)
check_between("drawn by a model of the same 200, gain", gain("own"), -0.03, 0.005)
check("means of few and own", [accuracy[name].mean() for name in ("few", "own")], [0.743, 0.727], rtol=0, atol=5e-4)
check_between("mirrored and moved, gain", gain("moved"), -0.08, 0.0)
