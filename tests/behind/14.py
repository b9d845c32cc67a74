# %% portrait
from minidiff.course import check

for ax, family, letter in zip(axes[1:], ("vae", "ddpm", "gan", "flow"), "ABCD"):  # as section 1 tells
    found = torch.from_numpy(plots.plotted(ax)["scatter0"])
    check(f"drawn in panel {ax.get_title()}", found, torch.tensor(rows[f"main grid {family} 0"]["samples"]), rtol=1e-6)
    assert ax.get_title(loc="left") == letter
spots = torch.from_numpy(plots.plotted(axes[0])["scatter0"])
check("the data's panel has 25 spots, in pairs of coordinates", torch.cdist(spots, tasks.grid().means.double()).amin(1).max(), 0, atol=0.1)

# %% perfect
from minidiff.course import check

check("neighbours on the ring, in standard deviations", torch.pdist(ring.means).min() / ring.stds[0],
      200 * math.sin(math.pi / 8), rtol=1e-4)
check("neighbours on the grid, in standard deviations", torch.pdist(grid.means).min() / grid.stds[0], 40, rtol=1e-4)
check("modes of the grid that noise covers", int(score(noise, grid.means, grid.stds)[0]), 15, rtol=0)
check("spots that those of the first picture reach", [rows[f"main grid {f} 0"]["modes"] for f in ("gan", "vae", "flow", "ddpm")],
      [20, 25, 25, 25], rtol=0)

# %% live-checked
from minidiff.course import check_between

marks = {family: score(x, ring.means, ring.stds) for family, x in made.items()}
check_between("live: the GAN's reverse KL", marks["gan"][2], 0.25, 1.6)
check_between("live: the diffusion models' reverse KL", [marks["flow"][2], marks["ddpm"][2]], 0, 0.25)
check_between("live: the VAE's quality", marks["vae"][1], 0, 0.06)
near = torch.cdist(made["gan"], ring.means).argmin(1).bincount(minlength=8).double()
check_between("live: the GAN's fullest mode over its emptiest", near.max() / near.min(), 2.5, 50)
for ax, (family, x) in zip(axes, made.items()):
    check(f"drawn for {family}", torch.from_numpy(plots.plotted(ax)["scatter0"]).float(), x, rtol=1e-5)

# %% linear-vae
from minidiff.course import check_that

wide = [elbo(x, mean, log_var + 0.4, eps, lambda z: w * z, std) for eps in (-1 + 0 * x, 1 + 0 * x)]
worse = (wide[0][0] + wide[1][0]) / 2 - wide[0][1]
check_that("any other encoder has a lower bound", worse < truth - 0.01)

# %% conclusions
from minidiff.course import check

mean = {(of, f, key): average(f, key, of=f"main {of}") for of in ("grid", "ring", "digits") for f in families for key in keys}
told = {("grid", "gan", "modes"): 18, ("grid", "gan", "kl"): 0.76, ("grid", "vae", "modes"): 22.6, ("grid", "vae", "quality"): 0.04,
        ("ring", "gan", "quality"): 0.47, ("ring", "gan", "kl"): 0.82, ("digits", "vae", "quality"): 0.84,
        ("digits", "gan", "quality"): 0.43, ("digits", "flow", "quality"): 0.18, ("digits", "ddpm", "quality"): 0.08}
check("means that the text tells", [mean[key] for key in told], list(told.values()), rtol=0, atol=0.0051)
check("the VAE's noise in widths of a mode", average("vae", "std") / grid.stds[0], 3.8, rtol=0, atol=0.051)
found = max((row for key, row in rows.items() if key.startswith("search grid gan")), key=lambda row: row["overlap"])
check("the best GAN of the search", [found["modes"], found["quality"]], [25, 0.16], rtol=0, atol=0.0051)
tried = [len({json.dumps(row["settings"], sort_keys=True) for key, row in rows.items() if key.startswith(f"search grid {f} ")}) for f in families]
check("settings tried", tried, [10, 4, 4, 4], rtol=0)
check("trainings recorded", sum(key.startswith("main ") for key in rows), 60, rtol=0)
check("nats on digits, of flow matching and of the VAE", [average(f, "nats", of="main digits") for f in ("flow", "vae")], [-19, -73], rtol=0, atol=0.51)
swings = [torch.tensor([run["quality"] for run in seeds(f)]) for f in families]
assert max(range(4), key=lambda k: swings[k].std() / swings[k].mean()) == 2, "flow matching varies most from seed to seed"

# %% stds
from minidiff.course import check


def closed_form(std, reach):
    """What one standard deviation of noise becomes: at each index x0 and eps are both multiples of x."""
    level = lambda k: math.cos((k / 200 + 0.008) / 1.008 * math.pi / 2) / math.cos(0.008 / 1.008 * math.pi / 2)
    indices, scale = [int(k) for k in torch.linspace(199, 0, 50)], 1.0
    for here, then in pairwise(indices):
        a, b = level(here), level(reach(here, then))
        s, r = math.sqrt(1 - a * a), math.sqrt(max(0.0, 1 - b * b))
        total = a * a * std**2 + s * s
        scale *= b * a * std**2 / total + r * s / total
    return scale


for std in (1.0, 0.5, 0.2, 0.05):
    gaussian = of_gaussian(0.0, std, published)
    check("right stride", stride(gaussian, one, times), closed_form(std, lambda here, then: then), rtol=1e-9)
    check("as published", short(gaussian, one, times), closed_form(std, lambda here, then: here - 1), rtol=1e-9)

narrow, every = of_gaussian(0.0, 0.05, published), [k / 200 for k in range(199, 2, -1)]
left = stride(narrow, one, every).item()
check("all 196 steps of one index, and the fourth root", [left, left**0.25], [0.059, 0.49], rtol=0, atol=0.004)

# %% stds-drawn
from minidiff.course import check

drawn = plots.plotted(ax)
check("curve of the right stride", drawn["right stride"], torch.tensor(lines[stride]).double(), rtol=1e-6)
check("curve as published", drawn["as published"], torch.tensor(lines[short]).double(), rtol=1e-6)

# %% half-the-modes
from minidiff.course import check

p, q = torch.full((8,), 1 / 8), torch.tensor([1 / 4] * 4 + [0.0] * 4)
m = (p + q) / 2
counted = (torch.xlogy(p, p / m) + torch.xlogy(q, q / m)).sum() / 2
check("JS, counted over eight places", divergence(real, fake), counted, rtol=1e-5)

# %% seeds
from minidiff.course import check

for ax, where in zip(axes, ("grid", "ring", "digits")):
    drawn = plots.plotted(ax)
    for family in families:
        want = [rows[f"main {where} {family} {k}"]["quality"] for k in range(5)]
        check(f"drawn for {family} on the {where}", drawn[names[family]], torch.tensor(want), rtol=1e-6)

# %% digits-drawn
from minidiff.course import check

for k, family in enumerate(families):
    want = torch.tensor(rows[f"main digits {family} 0"]["samples"][:10]).reshape(10, 1, 8, 8)
    check(f"ten digits of {family}, black at 0 and white at 16", images[10 * k:10 * k + 10] * 16, want, rtol=0, atol=1e-4)

# %% steps
from minidiff.course import check

for ax, family in zip(axes, ("flow", "ddpm")):
    drawn = plots.plotted(ax)
    for label, step in (("no fresh noise", "ddim_step"), ("ancestral", "ddpm_step")):
        runs = [rows[f"main grid {family} {k}"]["steps"][step] for k in range(5)]
        want = [sum(run[n][1] for run in runs) / 5 for n in runs[0]]
        check(f"drawn for {family}, {label}", drawn[label], torch.tensor(want), rtol=1e-6)

# %% dials
from minidiff.course import check, check_between, check_that

check_between("perfect model: quality", float(turned["as it should be"][1]), 0.98, 1.0)
check_between("half the noise by the ODE: reverse KL", float(turned["half the noise, ODE"][2]), 0.4, 0.75)
check_between("half the noise, ancestral: reverse KL", float(turned["half the noise, ancestral"][2]), 0.0, 0.02)
check_between("width at temperature 0.5", float(turned["temperature 0.5"][3]), 0.4, 0.52)
check("reverse KL at temperature 0.5", turned["temperature 0.5"][2], 0.41, rtol=0, atol=0.04)
cool = perfect_model(0.3)
met = torch.cdist(cool, grid.means).argmin(1).unique().tolist()
check_that("at temperature 0.3 the four corners are lost, and no other", met == [k for k in range(25) if k not in (0, 4, 20, 24)])
check_that("all 25 modes at temperature 0.5", int(turned["temperature 0.5"][0]) == 25)
cold = perfect_model(0.0)
check_that("at temperature 0 every path ends at the middle mode", (torch.cdist(cold, grid.means).argmin(1) == 12).all() and width(cold) < 0.5)

# %% ledger-3
from minidiff.course import check

check("sentences", len(ledger), 12, rtol=0)
verdicts = [line.split(" | ")[1] for line in ledger]
counted = [verdicts.count(one) for one in ("true", "false", "half true", "not shown")]
check("verdicts, as the text counts them", counted, [2, 4, 5, 1], rtol=0)
