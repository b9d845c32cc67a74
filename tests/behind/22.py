# %% opening
from minidiff.course import check_that

check_that("all masked, then none", (states[0] == MASK).all() & (states[-1] != MASK).all())
opened_later = [(a != MASK) & (a != b) for a, b in pairwise(states)]
check_that("what is open stays", ~torch.stack(opened_later))
check_that("every line is made of known captions' words", (states[-1] >= 0) & (states[-1] < len(names) - 1))

# %% bayes-check
from minidiff.course import check

check("columns are probabilities", back.sum(0), 1.0, rtol=1e-5)
check("the forward chain in two steps is that in one", at_s @ chance(states3[:, None], states3, (t - s) / (1 - s)),
      shares @ chance(triples[:, None], states3, t), rtol=1e-5)
many = states3[-1:].repeat(100_000, 1)  # all masked
found = unmask(many, ideal(triples, shares)(many), t, s, seeded(0))
check("the reader's step: a first b", (found[:, 0] == 1).double().mean(), by_count[-1, 0, 1].item(), atol=0.006)
check("ways to say the same", ideal(triples, shares)(states3).sum(2), 1.0, rtol=1e-12)

# %% rates
from minidiff.course import check, check_between

check("half drawn afresh", law(math.log(2)), first / 2 + 1 / 8, rtol=1e-6)
check("rates leave nothing", Q.sum(1), 0.0, atol=1e-12)
check_between("64 leaps are nearly exact", (p - first).abs().max(), 0.001, 0.03)

# %% recipes-table
from minidiff.course import check

wanted = {"sum, slope / sigma": (1, 1), "pooled": (4 / 3, 2 * (1.5 - 4 / math.pi) / (1 - 2 / math.pi)),
          "mean, 1 / sigma": (1, 2 - 4 / math.pi), "mean, no weight": (2 / 3, 3 - 8 / math.pi)}
for name, (a, b) in wanted.items():
    check(f"{name}, linear", rows[0][name], a, rtol=1e-5)
    check(f"{name}, cosine", rows[1][name], b, rtol=1e-5)

# %% markov
from minidiff.course import check, check_that

check("the entropy, by counting", -(chain * chain.log2()).sum(), true_bits.item(), rtol=1e-6)
check("on the linear schedule, too", recipes(exact, fives, chain, *linear)["sum, slope / sigma"], true_bits.item(),
      rtol=1e-5)
grid_t = (torch.arange(20_000) + 0.5) / 20_000
drawn_words = fives[torch.multinomial(chain, 20_000, replacement=True, generator=seeded(5))]
drawn_masks = hide(drawn_words, grid_t[:, None], seeded(6))
estimate = bound(cost(exact, drawn_words, drawn_masks), drawn_masks == MASK, grid_t, torch.ones_like(grid_t))
check("the reader's bound, from 20,000 words", estimate, true_bits.item(), rtol=0.01)

# %% spoiled
from minidiff.course import check, check_between, check_that

lines = plots.plotted(ax)
right = torch.from_numpy(lines["sum, slope / sigma"])
check_that("never below the entropy", right > true_bits - 1e-5)
check_that("it rises", right.diff() > 0)
check_that("no weight: below the entropy for every guess", torch.from_numpy(lines["mean, no weight"]) < true_bits)
check_between("1 / sigma on the mean", torch.stack([row["mean, 1 / sigma"] for row in rows]), 15, 25)
check("the drawn entropy", lines["entropy"], true_bits.item(), rtol=1e-9)

# %% abab
from minidiff.course import check

check("one step", failure(1), 7 / 8, rtol=1e-12)
check("two steps, by hand", failure(2), 1 - 2 * (0.25**4 + 0.75**4 - 0.5**4), rtol=1e-12)
check("many steps", 1_000 * failure(1_000), 1.0, rtol=0.01)
check("two letters", [failure(k, 2) for k in (1, 2, 5)], [1 / 2, 1 / 4, 1 / 10], rtol=1e-9)

# %% train
from minidiff.course import check, check_that

check("numbers in the network, thousands", sum(p.numel() for p in filler.parameters()) / 1e3, 162, rtol=0.01)
with torch.no_grad():
    some = known[:4].clone()
    other = some.clone()
    other[:, 5] = (other[:, 5] + 1) % len(words.words)
    check("the causal network does not look ahead", writer(some)[:, :5] - writer(other)[:, :5], 0.0, atol=1e-5)
    check_that("the other does", ((filler(some) - filler(other))[:, :5].abs().amax((1, 2)) > 1e-3))

# %% judge
from minidiff.course import check_between, check_that

check_between("new captions of the source", source, 0.97, 1)
check_between("one step", well[0], 0, 0.15)
check_between("forty steps: less than half", well[-1], 0.33, 0.5)
check_that("more steps are better", well[0] < well[2] < well[-1])
check_between("left to right", share_formed(best), 0.85, 1)
check_that("a wrong article and a wrong plural are refused",
           torch.tensor([pattern(text) not in formed for text in ("a orange star", "two red star", "an red star")]))

# %% infill
from minidiff.course import check_between, check_that

holes = words.encode(["a red star above two red stars"])[0]
holes[[1, 6]] = MASK
filled = opened(400, 40, 3, holes)
check_that("what is given stays", (filled == holes)[:, [0, 2, 3, 4, 5, 7, 8, 9]])
plural = torch.tensor([name.endswith("s") and name != "cross" for name in names[:-1]])
check_between("the last word is a plural", plural[filled[:, 6]].double().mean(), 0.8, 1)

# %% confident
from minidiff.course import check

check("the closed form", wanted, 1 - (1 - 0.1**12) / 9 / 12, rtol=1e-9)
check("honest sampling would give", 0.9, (tasks.draw(torch.tensor([0.9, 0.1]).expand(20_000, 12, 2), dice) == 0).double().mean().item(), rtol=0.01)

# %% orders
from minidiff.course import check, check_that

found = [in_order(exact, fives[100], order) for order in orders]
check("three orders, one price", found, -chain[100].log2().item(), rtol=1e-6)
prices = [in_order(guess_of(filler), test[0], torch.randperm(10, generator=seeded(k)).tolist()) for k in range(30)]
check_that("a trained guess: orders differ", torch.stack(prices).std() > 0.1)
