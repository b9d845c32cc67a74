"""How close to the truth does a solver come with so many looks at the network? Ours, diffusers' and k-diffusion's.

    pip install -e ".[test]" && pip install --no-deps k-diffusion
    python -m tests.benchmarks.work_precision

Data: a mixture of eight Gaussians, whose denoiser is exact, so that only the solver can be at fault; float64. All walk
down EDM's noise levels: from 80 to 0.002, their 7th roots equally spaced, then the last step into 0, of first order and
the same for all. The error is the root mean square distance of 2,000 ends from those of a fine walk with that same last
step. A solver has as many levels as its looks at the network allow; with two looks a level Heun, whose last step takes one,
spends an odd number, and so one less than is printed.

diffusers' code runs as if it had been written in float64 (conformance.py says how), since in float32 its errors would
stop falling near 1e-6. k-diffusion is left out where it is not installed; of its own requirements only those are needed
that the samplers use. The table is printed, the figure goes to work_precision.png in the current folder.
"""

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from unittest.mock import MagicMock, patch

import torch
from torch import Tensor

from minidiff.data.points import MIXTURE
from minidiff.exact import of_mixture
from minidiff.predictions import Denoiser, Prediction
from minidiff.samplers import Step, ddim_step, euler_step, heun_step, last, sample
from minidiff.schedules import edm, karras_times
from minidiff.show import plots
from minidiff.solvers import dpm_solver_2m, dpm_solver_3m, unipc
from tests.peers.conformance import SCHEDULERS, read_in_float64

STARTS, LOW, HIGH = 2000, 0.002, 80.0
LOOKS = [6, 8, 10, 12, 16, 20, 32, 50, 64, 100]
EXACT = of_mixture(*(part.double() for part in MIXTURE), edm)

Walk = Callable[[Denoiser, Tensor, Tensor], Tensor]  # (denoiser, x, noise levels that end in 0) -> the end


class Solver(NamedTuple):
    walk: Walk
    looks: int = 1  # a level


def ours(make: Callable[[], Step]) -> Walk:
    return lambda denoiser, x, levels: last(sample(make(), denoiser, x, levels))


def diffusers_multistep(name: str, order: int) -> Walk:
    """In coordinates that preserve variance, x / sqrt(1 + sigma^2)."""

    @torch.no_grad()
    def walk(denoiser: Denoiser, x: Tensor, levels: Tensor) -> Tensor:
        with read_in_float64(name):
            scheduler = SCHEDULERS[name](prediction_type="sample", solver_order=order)
            scheduler.set_timesteps(len(levels) - 1)
            scheduler.sigmas = levels
            scheduler.set_begin_index(0)
            x = x / (1 + levels[0] ** 2).sqrt()
            for k, sigma in zip(scheduler.timesteps, levels, strict=False):
                x = scheduler.step(denoiser(x * (1 + sigma**2).sqrt(), float(sigma)).x0, k, x).prev_sample
        return x

    return walk


@torch.no_grad()
def diffusers_heun(denoiser: Denoiser, x: Tensor, levels: Tensor) -> Tensor:
    with read_in_float64("heun"):
        scheduler = SCHEDULERS["heun"](prediction_type="sample")
        scheduler.set_timesteps(len(levels) - 1)
        scheduler.sigmas = torch.cat([levels[:1], levels[1:-1].repeat_interleave(2), levels[-1:]])
        scheduler.set_begin_index(0)
        for k, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
            x = scheduler.step(denoiser(x, float(sigma)).x0, k, x).prev_sample
    return x


def k_diffusion(name: str) -> Walk:
    """k_diffusion.sampling, without the models, metrics and adaptive solvers that its package imports as well."""
    absent = ["scipy", "torchdiffeq", "torchsde", "torchvision", "torchvision.transforms"]
    absent += [
        f"k_diffusion.{part}"
        for part in ("augmentation", "config", "evaluation", "external", "gns", "layers", "models")
    ]
    with patch.dict(sys.modules, {module: MagicMock() for module in absent}):
        from k_diffusion import sampling
    run = getattr(sampling, name)

    @torch.no_grad()
    def walk(denoiser: Denoiser, x: Tensor, levels: Tensor) -> Tensor:
        return run(lambda x, sigma: denoiser(x, float(sigma[0])).x0, x, levels, disable=True)

    return walk


def solvers() -> dict[str, Solver]:
    """Ours first; a peer's name says whose it is."""
    found = {
        "DDIM": Solver(ours(lambda: ddim_step)),
        "Euler": Solver(ours(lambda: euler_step)),
        "Heun": Solver(ours(lambda: heun_step), 2),
        "2M": Solver(ours(dpm_solver_2m)),
        "3M": Solver(ours(dpm_solver_3m)),
        "UniPC": Solver(ours(unipc)),
        "UniPC-3": Solver(ours(lambda: unipc(3))),
        "diffusers Heun": Solver(diffusers_heun, 2),
        "diffusers 2M": Solver(diffusers_multistep("2m", 2)),
        "diffusers 3M": Solver(diffusers_multistep("2m", 3)),
        "diffusers UniPC": Solver(diffusers_multistep("unipc", 2)),
        "diffusers UniPC-3": Solver(diffusers_multistep("unipc", 3)),
    }
    if find_spec("k_diffusion"):
        found["k-diffusion Euler"] = Solver(k_diffusion("sample_euler"))
        found["k-diffusion Heun"] = Solver(k_diffusion("sample_heun"), 2)
        found["k-diffusion DPM-2"] = Solver(k_diffusion("sample_dpm_2"), 2)
        found["k-diffusion 2M"] = Solver(k_diffusion("sample_dpmpp_2m"))
    return found


def end(solver: Solver, x: Tensor, looks: int) -> Tensor:
    """Where the solver arrives with this many looks, or one less if it takes two a level; they are counted."""
    asked: list[float] = []

    def predict(x_t: Tensor, t: float) -> Prediction:
        asked.append(t)
        return EXACT(x_t, t)

    found = solver.walk(Denoiser(edm, predict), x, karras_times(-(-looks // solver.looks), LOW, HIGH))
    assert looks - solver.looks < len(asked) <= looks
    return found


def measure() -> tuple[dict[str, list[float]], float]:
    """The errors of every solver, one for each number of looks, and the reference's own."""
    x = HIGH * torch.randn(STARTS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    error = lambda a, b: float((a - b).square().sum(1).mean().sqrt())
    truth, other = (end(Solver(ours(make)), x, 4000) for make in (unipc, dpm_solver_2m))
    table = {name: [error(end(solver, x, looks), truth) for looks in LOOKS] for name, solver in solvers().items()}
    return table, error(truth, other)


def picture(table: dict[str, list[float]]) -> bytes:
    """Ours as lines, the peers as marks."""
    fig, ax = plots.panels(width=6.4, height=4.2)
    colours = dict(
        zip(
            ("DDIM", "Heun", "2M", "3M", "UniPC", "UniPC-3"),
            (plots.NOISE, plots.DATA, plots.SECOND, plots.EXACT, plots.MODEL, plots.HIGHLIGHT),
            strict=True,
        )
    )
    for name, colour in colours.items():
        plots.curve(ax, LOOKS, table[name], colour, label=name)
    peers = [name for name in table if " " in name]
    for name, mark in zip(peers, "ox+^vsd*<", strict=False):
        method = name.split()[-1]
        colour = colours.get(method, plots.EXACT if method != "Euler" else plots.NOISE)
        ax.plot(LOOKS, table[name], mark, color=colour, markerfacecolor="none", markersize=6, label=name)
    ax.set(xscale="log", yscale="log", xlabel="evaluations of the denoiser", ylabel="root mean square error of the end")
    ax.set_xticks(LOOKS, [str(looks) for looks in LOOKS], minor=False)
    ax.minorticks_off()
    ax.set_title("The peers' solvers stand where ours do")
    ax.legend(ncols=2, fontsize=8)
    return plots.png(fig)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for work_precision.png (default: here)")
    options = parser.parse_args()
    table, doubt = measure()
    print(f"noise levels {HIGH:g} ... {LOW:g}, 0; the reference is good to {doubt:.0e}\n")
    print(f"{'evaluations':20}" + "".join(f"{looks:>9}" for looks in LOOKS))
    for name, errors in table.items():
        print(f"{name:20}" + "".join(f"{error:>9.1e}" for error in errors))
    print()
    best = [min(errors) for errors in zip(*(errors for name, errors in table.items() if " " not in name), strict=True)]
    for name, errors in table.items():
        if same := table.get(name.split()[-1]) if " " in name else None:
            print(f"{name} is ours to {max(abs(a / b - 1) for a, b in zip(errors, same, strict=False)):.0e}")
        ahead = [n for n, error, ours in zip(LOOKS, errors, best, strict=True) if error < (1 - 1e-6) * ours]
        if ahead:
            print(f"{name} is closer than the best of ours at {', '.join(map(str, ahead))}")
    (options.out / "work_precision.png").write_bytes(picture(table))


if __name__ == "__main__":
    main()
