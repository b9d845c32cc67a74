# %% portrait
from minidiff.course import check

for ax, family in zip(axes, ("vae", "ddpm", "gan", "flow")):
    found = torch.from_numpy(plots.plotted(ax)["scatter0"])
    check(f"drawn in panel {ax.get_title()}", found, torch.tensor(rows[f"main grid {family} 0"]["samples"]), rtol=1e-6)

# %% perfect
from minidiff.course import check

check("neighbours on the ring, in standard deviations", torch.pdist(ring.means).min() / ring.stds[0],
      200 * math.sin(math.pi / 8), rtol=1e-4)
check("neighbours on the grid, in standard deviations", torch.pdist(grid.means).min() / grid.stds[0], 40, rtol=1e-4)
check("modes of the grid that noise covers", int(score(noise, grid.means, grid.stds)[0]), 15, rtol=0)

# %% linear-vae
from minidiff.course import check_that

wide = [elbo(x, mean, log_var + 0.4, eps, lambda z: w * z, std) for eps in (-1 + 0 * x, 1 + 0 * x)]
worse = (wide[0][0] + wide[1][0]) / 2 - wide[0][1]
check_that("any other encoder has a lower bound", worse < truth - 0.01)

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

# %% steps
from minidiff.course import check

for ax, family in zip(axes, ("flow", "ddpm")):
    drawn = plots.plotted(ax)
    for label, step in (("no fresh noise", "ddim_step"), ("ancestral", "ddpm_step")):
        runs = [rows[f"main grid {family} {k}"]["steps"][step] for k in range(5)]
        want = [sum(run[n][1] for run in runs) / 5 for n in runs[0]]
        check(f"drawn for {family}, {label}", drawn[label], torch.tensor(want), rtol=1e-6)

# %% dials
from minidiff.course import check_between, check_that

check_between("perfect model: quality", float(turned["as it should be"][1]), 0.98, 1.0)
check_between("half the noise by the ODE: reverse KL", float(turned["half the noise, ODE"][2]), 0.4, 0.75)
check_between("half the noise, ancestral: reverse KL", float(turned["half the noise, ancestral"][2]), 0.0, 0.02)
check_between("width at temperature 0.5", float(turned["temperature 0.5"][3]), 0.4, 0.52)
check_that("all 25 modes at temperature 0.5", int(turned["temperature 0.5"][0]) == 25)

# %% ledger-3
from minidiff.course import check

check("sentences", len(ledger), 12, rtol=0)
verdicts = [line.split(" | ")[1] for line in ledger]
counted = [verdicts.count(one) for one in ("true", "false", "half true", "not shown")]
check("verdicts, as the text counts them", counted, [2, 4, 5, 1], rtol=0)
