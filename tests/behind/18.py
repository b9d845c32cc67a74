# %% shuffled-drawn
from minidiff.course import check, check_that

tokens, others = (tasks.our_patches(x, p) for x in (six, mixed))
check("the same patches, in another order", others - tokens[:, order], 0, atol=0)
check_that("and not one picture is as it was", (mixed != six).flatten(1).any(1))

# %% attention-laws
from minidiff.course import check, check_that

rows = (q @ k.mT / 8).softmax(-1)
check("weights of a query sum to", rows.sum(-1), 1.0, rtol=1e-12)
check_that("an answer lies within the values", ((found <= v.amax(1)) & (found >= v.amin(1))).all())
narrow = F.scaled_dot_product_attention(q[..., :16], k[..., :16], v, scale=0.25)
check("16 of 64 numbers", attention(q[..., :16], k[..., :16], v) - narrow, 0, atol=1e-12)

# %% root
from minidiff.course import check_between

check_between("the largest of 49 weights, with the root", weights["with the root"].amax(-1).mean(), 0.08, 0.2)
check_between("and without", weights["without"].amax(-1).mean(), 0.6, 0.9)

# %% price
from minidiff.course import check

for side_ in (1, 2, 7, 14, 28):
    check(f"there and back by {side_}", unpatch(patches(six, side_), side_) - six, 0, atol=0)
check("patch number 8 is in the second row and the second column", patches(six, p)[:, 8], six[:, 0, 4:8, 4:8].flatten(1), atol=0)

# %% price-drawn
from minidiff.course import check

drawn_ = plots.plotted(ax)
check("dots", drawn_["counted"][:, 1] * 1e6, formula.double(), rtol=1e-5)
far = drawn_["all pairs"] / drawn_["each token by itself"]
check("the lines cross at 6 w tokens", n[(torch.tensor(far) > 1).double().argmax()], 6 * width, rtol=0.14)

# %% gates
from minidiff.course import check_that

check_that("the tokens grow from block to block", (wide[8::8] > wide[:-8:8]).all())
check_that("a DiT of 128 blocks, gates open", len(wide) == 128 and (deep.blocks[5].modulation.bias.view(6, -1)[[2, 5]] == 1).all())

# %% train
from minidiff.course import check, check_between

check("the net that draws is the average, with its gates open by now", float(mine.net.blocks[0].modulation.weight.abs().max() > 0), 1.0)
check("weights", sum(w.numel() for w in mine.parameters()), 306_808, rtol=0)
check_between("the loss, first 20 steps", losses[:20].mean(), 0.6, 1.1)

# %% drawn
from minidiff.course import check_between

grey = test.x[torch.randperm(200, generator=torch.Generator().manual_seed(9))]
check_between("share recognised, had it drawn other classes than those asked for",
              (judge.classify(grey) == y).double().mean(), 0, 0.2)

# %% places
from minidiff.course import check, check_that

check_that("with places it is another matter", (told[1:] - shuffle(told[:1])).abs().mean() > 0.05)
check("the places are back", mine.net.place, places(7, 72), atol=0)

# %% wrong-places
from minidiff.course import check, check_that

check("the places are back", mine.net.place, places(7, 72), atol=0)
with torch.no_grad():
    good, bad = mine(torch.cat([x_t, turned_over(x_t)]), 0.5, y=9).x0.split(1)
check_that("right places tell top from bottom", (bad - turned_over(good)).abs().mean() > 0.05)
check("turned over twice", turned_over(turned_over(x_t)) - x_t, 0, atol=0)

# %% race
from minidiff.course import check, check_that

check_that("more than the floor, all three", min(recorded[key]["frechet_distance"] for key in ("race unet", "race dit", "minutes dit")) > 2 * record["floor"])
costs = [cost for cost, _ in record["nets"].values()]
check("equal cost", costs[0] / costs[1], 1, rtol=0.011)

# %% maps
from minidiff.course import check

check("weights sum to", usual.sum(-1), 1.0, rtol=1e-4)
plain = mine.net.blocks[0].attention
hidden = mine.net.first(patches(noisy[:3], p)) + mine.net.place
emb = F.silu(mine.net.condition(torch.full((3,), 0.5), 0, 3))
shift, scale, _ = mine.net.blocks[0].modulation(emb)[:, None].chunk(6, 2)[:3]
seen_ = F.layer_norm(hidden, (72,)) * (1 + scale) + shift
keys, _ = plain.key_value(seen_).chunk(2, -1)
heads = lambda z: z.unflatten(2, (4, 18)).transpose(1, 2)
by_hand = (heads(plain.query(seen_)) @ heads(keys).mT / 18**0.5).softmax(-1)
check("the first block's maps by hand", looks(mine.net, noisy[:3], 0.5, 0)[0], by_hand.detach(), rtol=1e-3, atol=1e-5)

# %% maps-drawn
from minidiff.course import check

check("the patch that asks is inverted", shirt[..., 4:8, 4:8], 1 - test.restore(shirts[:1]).clamp(0, 1)[..., 4:8, 4:8], atol=1e-6)
check("the brightest of each map", tiles.amax((1, 2, 3)), 1.0, atol=0)

# %% maps-measured
from minidiff.course import check, check_that

check("pairs that face each other", facing.sum(), 42, rtol=0)
check_that("of the same row, at the mirror column", all(int(i) // 7 == int(j) // 7 and int(i) % 7 + int(j) % 7 == 6 for i, j in facing.nonzero()))
check("equal weights prefer nothing", torch.full((49, 49), 1 / 49)[facing].mean() / torch.full((49, 49), 1 / 49)[as_far].mean(), 1.0)
torch.manual_seed(0)
fresh = looks(DiT(1, 28, 4, 10, width=72, depth=3, heads=4), noisy[:50], 0.5, 0).mean(1)
check("an untrained network prefers nothing much", (fresh[:, :, facing].mean(-1) / fresh[:, :, as_far].mean(-1)).mean(), 1.0, rtol=0.05)

# %% toy-exact
from minidiff.course import check

check("axes at right angles", axes.T @ axes, torch.eye(2), rtol=0, atol=1e-5)
check("the answer lies on the plane", tasks.off_plane(laid(points_t, t).x0, axes.double()), 0, atol=1e-6)

# %% toy-drawn
from minidiff.course import check, check_between
from minidiff.evaluation import sliced_wasserstein

real = spirals(1_000, seed=3).x
floor = sliced_wasserstein(spirals(1_000, seed=4).x, real)
check_between("x0 within the plane, in floors", sliced_wasserstein(ends["x0"] @ axes, real) / floor, 0, 4)
check("what is drawn is the projection", plots.plotted(axs[1])["samples"], ends["v"] @ axes, rtol=0, atol=1e-4)

# %% toy-rank
from minidiff.course import check_that

said_by = {}
for target, (net, _) in trained.items():
    with torch.no_grad():
        said_by[target] = directions(net.output(alpha * clean + sigma * eps, torch.full((2_000,), 0.5)))
check_that("x0 few, the others no more than the units", said_by["x0"] <= 4 and max(said_by.values()) <= 257)
check_that("no output has more directions than units and a bias",
           all(int(torch.linalg.matrix_rank(net.net.last.weight.double())) <= 256 for net, _ in trained.values()))

# %% toy-record
from minidiff.course import check

lines = plots.plotted(axs[0])
check("the left panel shows the record", lines["v"], [recorded[f"toy v {d} 0"]["off"] for d in (2, 8, 32, 128, 512)], rtol=1e-9, atol=1e-12)
check("no dimension takes x0 off", lines["x0"], 0, atol=1e-3)

# %% turned
from minidiff.course import check

once = turn(pair, where * speeds)
check("lengths are kept", once.norm(dim=-1), pair.norm(dim=-1), rtol=1e-12)
check("at 0 nothing moves", turn(pair, 0 * where * speeds) - pair, 0, atol=0)
check("the quickest pair turns a hundred times as far as the slowest", float(speeds[0] / speeds[-1]), 100, rtol=1e-9)
