# %% spoil
check("entries, broken, copies, wrong labels", [len(x), len(broken), len(twins), len(liars)], [2_024, 12, 24, 40], rtol=0)
check("wrong labels differ from the right ones", (labels[liars] != clean.y[liars]).sum(), 40, rtol=0)
check("the spoiled ones are all different", len(set(order[:76].tolist())), 76, rtol=0)

# %% spoiled
check("the seventh is a copy of the first", x[some[6]] - x[some[0]], 0, atol=0)
check("the fourth and the tenth have the wrong name", [int(labels[k] != clean.y[k]) for k in some[[3, 9]]], [1, 1], rtol=0)
check("the others that are pictures have their own", [int(labels[k] == clean.y[k]) for k in some[[1, 4, 7]]], [1, 1, 1], rtol=0)

# %% broken
static = torch.randn(4, 1, 28, 28, generator=seeded(3)).diff(dim=3).abs().mean()
check("roughness of noise", static, 2 / torch.pi**0.5, rtol=0.05)
for part in (broken[:4], broken[4:8], broken[8:]):
    check("each kind is found", fine[part].sum(), 0, atol=0)

check("photographs: the roughest, the flattest", [clean.x.diff(dim=3).abs().mean((1, 2, 3)).max(), clean.x.flatten(1).std(1).min()], [0.752, 0.244], rtol=0.01)

# %% copies-found
flat = x[numbers].flatten(1)
apart = torch.cdist(flat, flat).tril(-1) / 28
apart[apart == 0] = 9
originals = (numbers < 2_000).nonzero()[:, 0]
check_between("the closest two photographs, r.m.s. a pixel", apart[originals][:, originals].min(), 0.14, 0.15)
check("SHA-256 does not find what was saved anew", sum(k >= 2_012 for k in same), 0, atol=0)

# %% caught
check("labels that could be accused", len(rest), 1_988, rtol=0)
check_between("honest labels", len(rest) - 40, 1_940, 1_955)
loose = rest[doubted(judge.probabilities(x[rest]), labels[rest], 0.5)]
check_between("below one half: accused honest labels", (~torch.isin(loose, liars)).sum(), 60, 300)

# %% told-apart-drawn
typical = clothes.x[clothes.y == 1].mean((0, 1))  # the mean pair of trousers, (28, 28)
moved = [(typical.flip(1).roll(by, 1) - typical).abs().mean() for by in (-1, 0, 1)]
check("mean trousers less their mirror image, moved by -1, 0, 1 pixels", moved, [0.344, 0.154, 0.095], rtol=0.02)
check_between("shirts: two of three", seen["mirrored"][6], 0.6, 0.73)
check_between("boots: every time", seen["mirrored"][9], 0.99, 1)

# %% mirrored
from minidiff.engine.augmentations import flip

theirs, condition = flip(shoes, {}, seeded(2))
check("the package's flip, told", mirror(shoes, condition["change"][:, 0] > 0.5)[0], theirs, rtol=0, atol=0)
check_between("mirrored boots", told.sum(), 1, 9)

# %% amount-drawn
check("the record's device and threads", [int(record["device"] == "cpu: AMD EPYC"), record["threads"], record["steps"], record["samples"]], [1, 1, 1_000, 1_000], rtol=0)
check("unseen over seen, 250 and 60,000 photographs", [fresh[0] / own[0], fresh[3] / own[3]], [1.104, 1.008], rtol=2e-3)
check("photographs given", images, [250, 2_500, 15_000, 60_000], rtol=0)
check_between("seconds of a processor each", [row["cpu_seconds"] for row in rows], 60, 80)
drawn_there = plots.plotted(right)
check("drawn: both losses", [*drawn_there["given to all"], *drawn_there["given to none"]], [*own, *fresh], rtol=1e-9)
check("the fewest photographs are the best for the judge", min(distances), distances[0], rtol=0)
agreement = [row["agreement"] for row in rows]
check("recognised: 250 and 60,000 photographs", [agreement[0], agreement[-1]], [0.74, 0.608], rtol=1e-3)
memory = [(row["memorised"] - 0.5) / row["memorised_error"] for row in rows]
check_between("copies among the drawings, in standard errors", memory, -40, 2)
check("times each of 250 was seen; share of 60,000 reached", [1_000 * 32 / 250, 1_000 * 32 / 60_000], [128, 0.533], rtol=1e-3)

# %% flipped
bars = plots.plotted(ax)
check("distance with mirrors, over that without", bars["mirrored, untold"] / bars["as they are"], [1.254, 1.209], rtol=2e-3)
some_flipped = [row for row in record["rows"] if row["flipped"]]
check("recognised, with mirrors", [row["agreement"] for row in some_flipped], [0.612, 0.499], rtol=1e-3)
rise = [after["loss_unseen"] - before["loss_unseen"] for before, after in zip((rows[0], rows[3]), some_flipped)]
check_between("and the loss on unseen photographs rose as well", rise, 1e-5, 0.1)

# %% crowd
check("entries, and copies among them", [len(crowd), int((crowd == crowd[0]).all(3).all(2).all(1).sum())], [79, 20], rtol=0)
gaps_there = torch.cdist(drawn.flatten(1), crowd.flatten(1)).min(1).values / 28
check_between("every drawing is one of the photographs, r.m.s. a pixel", gaps_there, 0, 0.05)
