"""GAN, VAE, flow matching and DDPM at equal parameters and equal training steps: what notebook 14 replays.

    python -m tests.benchmarks.families            # goes on where it was stopped; --fresh begins anew

Data: the ring of 8 and the grid of 25 (100,000 training points, as in PacGAN's code), and the 8 x 8 digits (1,437 to train
on, 360 unseen). Every network is a small multilayer perceptron; all that a family trains together has as many parameters
as the others' (within 1.1 %). 2,000 steps of 128 samples on the grid, 1,000 elsewhere, Adam, a short warm-up and half a cosine down to 0.

    search     each family's settings, tried once on the grid, and some again on the digits, with a seed that is not used
               again; the best by overlap is used. The GAN is allowed twice as many as each other family
    main       five seeds of each family with its best settings, on each of the three data sets
    plain      five seeds of a GAN with the settings of Radford et al. 2016 (learning rate 2e-4, beta 0.5, no penalty)

What is measured, on 2,500 samples as in VEEGAN and PacGAN:

    modes      those with at least one sample within 3 standard deviations (Euclidean distance over the standard deviation)
    quality    the share of samples within 3 standard deviations of their nearest mode; of perfect ones 1 - exp(-9/2) = 0.989
    kl         sum of q log(q / p) over the modes, q the shares of these samples, p = 1 / modes, in nats
    overlap    sum over the modes of min(share of all samples, 0.989 / modes): what the search looks for; at most 0.989
    nats       mean log density of 1,000 fresh points: flow and DDPM by the probability-flow ODE, the VAE by importance
               weighting (200 codes); "kernel" has a Gaussian around each of 10,000 samples instead, by its width
    steps      on the grid, modes, quality, kl and overlap by sampler and number of evaluations, for both diffusion networks

For the digits a mode is one of ten classes, named by the nearest training image, and a sample has quality if it is as near
to that as 95 in 100 unseen digits are; "coverage" is that of Naeem et al. 2020 with the unseen digits, k = 5.

The record goes to data/families.json. Seconds in it are of CPU, on one thread.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from minidiff.course.tasks import four_families as tasks
from minidiff.engine.runtime import provenance
from minidiff.engine.train import train
from minidiff.evaluation.metrics import density_coverage
from minidiff.likelihood import elbo, log_prob
from minidiff.losses import lognormal
from minidiff.networks import MLP
from minidiff.predictions import LearnedDenoiser
from minidiff.samplers import ddim_step, ddpm_step, euler_step, last, sample
from minidiff.schedules import cosine, flow, linear_beta, start, uniform_times

DATA = Path(__file__).parents[2] / "data"
STEPS, BATCH, SEARCH_SEED, SEEDS = {"ring": 1_000, "grid": 2_000, "digits": 1_000}, 128, 100, range(5)
SCHEDULES = {"flow": flow, "cosine": cosine, "linear_beta": linear_beta}
WIDTH = {2: {"gan": 71, "vae": 71, "diffusion": 64}, 64: {"gan": 101, "vae": 98, "diffusion": 96}}  # by dimension
CODE = {2: 2, 64: 16}  # numbers in the noise of a GAN and in the code of a VAE
KERNELS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
DIGIT_OPTIONS = {"gan": (0, 1, 3, 4), "vae": (1, 2), "flow": (0, 2), "ddpm": (0, 2)}  # tried again on the digits
PLAIN = {"lr": 2e-4, "beta": 0.5, "penalty": 0.0, "pack": 1, "normal": False}
OPTIONS = {
    "gan": [
        *[{"lr": lr, "beta": b, "penalty": p, "pack": 1, "normal": False} for lr in (2e-3, 5e-3) for b in (0.0, 0.5) for p in (0.0, 0.02)],
        {"lr": 5e-3, "beta": 0.0, "penalty": 0.0, "pack": 2, "normal": False},
        {"lr": 5e-3, "beta": 0.0, "penalty": 0.0, "pack": 1, "normal": True},
    ],
    "vae": [{"lr": lr, "warm": w, "std": s} for lr, w, s in ((2e-3, 0.5, 1.0), (5e-3, 0.5, 1.0), (5e-3, 0.0, 0.1), (5e-3, 0.5, 0.1))],
    "flow": [
        {"lr": lr, "levels": m, "schedule": "flow", "target": "velocity"}
        for lr, m in ((2e-3, None), (2e-3, -1.5), (5e-3, -1.5), (5e-3, -2.5))
    ],
    "ddpm": [
        {"lr": lr, "levels": m, "schedule": s, "target": t}
        for lr, m, s, t in ((2e-3, None, "cosine", "v"), (2e-3, -1.5, "cosine", "v"), (5e-3, -1.5, "cosine", "v"), (5e-3, -1.5, "linear_beta", "eps"))
    ],
}  # fmt: skip


class Model(NamedTuple):
    """What a training left.

    draw: (n, generator) -> samples.
    nats: points -> their log density, or a bound on it; or None.
    parameters: how many were trained.
    losses: the first 30, of the GAN the sums of both players'.
    denoiser, std: of flow and DDPM; of the VAE's decoder.
    """

    draw: Callable[[int, torch.Generator], Tensor]
    nats: Callable[[Tensor], Tensor] | None
    parameters: int
    losses: list[float]
    denoiser: LearnedDenoiser | None = None
    std: float | None = None


def count(*networks: torch.nn.Module) -> int:
    return sum(parameter.numel() for net in networks for parameter in net.parameters())


def followed(training: Iterator[Tensor], stop: int | None) -> list[float]:
    """Train, to the end or for so many steps only; the first 30 losses."""
    return [loss.sum().item() for loss in islice(training, stop)][:30]


def gan(x: Tensor, steps: int, seed: int, stop: int | None = None, *, normal: bool, pack: int, **options: Any) -> Model:
    dim = x.shape[1]
    width, code = WIDTH[dim]["gan"], CODE[dim]
    torch.manual_seed(seed)
    nets = tasks.layers(code, width, dim), tasks.layers(dim * pack, width, 1, torch.nn.LeakyReLU(0.2))
    for part in nets[1] if normal else ():  # spectral normalisation (Miyato et al. 2018)
        if isinstance(part, torch.nn.Linear):
            torch.nn.utils.parametrizations.spectral_norm(part)
    options |= {"steps": steps, "seed": seed, "pack": pack, "batch": BATCH}
    losses = followed(tasks.train_gan(*nets, x, tasks.our_gan_losses, **options), stop)
    return Model(lambda n, dice: nets[0](torch.randn(n, code, generator=dice)), None, count(*nets), losses)


def vae(x: Tensor, steps: int, seed: int, stop: int | None = None, *, std: float, **options: Any) -> Model:
    dim = x.shape[1]
    width, code = WIDTH[dim]["vae"], CODE[dim]
    torch.manual_seed(seed)
    nets = tasks.layers(dim, width, 2 * code), tasks.layers(code, width, dim)
    log_std = torch.tensor(float(np.log(std)), requires_grad=True)
    options |= {"steps": steps, "seed": seed, "batch": BATCH}
    losses = followed(tasks.train_vae(*nets, log_std, x, tasks.our_elbo, **options), stop)

    def draw(n: int, dice: torch.Generator) -> Tensor:
        mean = nets[1](torch.randn(n, code, generator=dice))
        return mean + log_std.exp() * torch.randn(mean.shape, generator=dice)

    nats = lambda points: weighted(*nets, log_std.exp(), points)
    return Model(draw, nats, count(*nets) + 1, losses, std=log_std.exp().item())


def weighted(encoder, decoder, std: Tensor, x: Tensor, codes: int = 200) -> Tensor:
    """log p(x) of a VAE from below, (B,): importance weighting (Burda et al. 2016, Eq. 8)."""
    mean, log_var = encoder(x).chunk(2, 1)
    posterior = torch.distributions.Normal(mean, (log_var / 2).exp())
    dice, found = torch.Generator().manual_seed(0), []
    for _ in range(codes):
        z = mean + posterior.stddev * torch.randn(mean.shape, generator=dice)
        joint = torch.distributions.Normal(decoder(z), std).log_prob(x).sum(1)
        prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        found.append(joint + prior - posterior.log_prob(z).sum(1))
    return torch.stack(found).logsumexp(0) - np.log(codes)


def diffusion(
    x: Tensor,
    steps: int,
    seed: int,
    stop: int | None = None,
    *,
    schedule: str,
    target: str,
    levels: float | None,
    lr: float,
) -> Model:
    dim, path = x.shape[1], SCHEDULES[schedule]
    torch.manual_seed(seed)
    denoiser = LearnedDenoiser(MLP(dim=dim, width=WIDTH[dim]["diffusion"], depth=3), path, target)
    where = None if levels is None else lognormal(path, levels, 1.5)
    losses = followed(train(denoiser, x, steps=steps, batch=BATCH, lr=lr, seed=seed, levels=where), stop)
    step, evaluations = (euler_step, 50) if schedule == "flow" else (ddpm_step, 250)
    first = 1e-2 if schedule == "linear_beta" else 0.0  # there sigma leaves 0 with an infinite slope
    times = torch.linspace(1, first, 81 if dim == 2 else 41, dtype=torch.float64) ** 2
    return Model(lambda n, dice: drawn(denoiser, step, evaluations, (n, dim), dice),
                 lambda points: log_prob(denoiser, points, times).value, count(denoiser.net), losses, denoiser)  # fmt: skip


def drawn(denoiser: LearnedDenoiser, step: Callable, evaluations: int, shape: tuple, dice: torch.Generator) -> Tensor:
    times = uniform_times(evaluations)
    noise = start(denoiser.schedule, times[0].item(), shape, dice)
    return last(sample(step, denoiser, noise, times, generator=dice))


FAMILIES = {"gan": gan, "vae": vae, "flow": diffusion, "ddpm": diffusion}


class Points:
    """A mixture in the plane, and the scores of samples beside it."""

    def __init__(self, mixture) -> None:
        self.mixture, self.train = mixture, mixture.sample(100_000, seed=0).x
        self.fresh = mixture.sample(1_000, seed=1).x
        self.truth = mixture.log_prob(self.fresh).mean().item()

    def score(self, x: Tensor) -> dict[str, float]:
        means, stds = self.mixture.means.float(), self.mixture.stds.float()
        modes, quality, kl = tasks.our_score(x, means, stds)
        far, nearest = (torch.cdist(x, means) / stds).min(1)
        return rounded(
            modes=modes, quality=quality, kl=kl, overlap=overlap(nearest[far < 3], len(means), len(x), 0.98889)
        )


class Digits:
    """The 8 x 8 digits, and the scores of samples beside them."""

    def __init__(self) -> None:
        with np.load(DATA / "digits" / "digits.npz") as packed:
            raw, labels = torch.from_numpy(packed["images"]).float().flatten(1), torch.from_numpy(packed["labels"])
        noisy = raw + torch.rand(raw.shape, generator=torch.Generator().manual_seed(0))
        x, order = (noisy - 5.384165) / 6.023709, torch.randperm(len(raw), generator=torch.Generator().manual_seed(1))
        self.train, self.fresh = x[order[:1437]], x[order[1437:]]
        self.labels, self.truth = labels[order[:1437]].long(), None
        self.reach = torch.cdist(self.fresh, self.train).amin(1).quantile(0.95)

    def score(self, x: Tensor) -> dict[str, float]:
        far, which = torch.cdist(x, self.train).min(1)
        named = self.labels[which[far <= self.reach]]
        share = torch.bincount(named, minlength=10).double() / max(1, len(named))
        kl = torch.xlogy(share, 10 * share).sum().item()
        density, coverage = density_coverage(self.fresh, x[: len(self.fresh)], k=5)
        found = {"modes": int((share > 0).sum()), "quality": len(named) / len(x), "kl": kl}
        return rounded(**found, overlap=overlap(named, 10, len(x), 0.95), density=density, coverage=coverage)


def overlap(modes: Tensor, number: int, samples: int, perfect: float) -> float:
    """How much of the data's mass the samples hold: at most `perfect`."""
    return (torch.bincount(modes, minlength=number) / samples).clamp(max=perfect / number).sum().item()


def rounded(**numbers: Any) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in numbers.items()}


SETS: dict[str, Callable] = {
    "ring": lambda: Points(tasks.ring()),
    "grid": lambda: Points(tasks.grid()),
    "digits": Digits,
}
data = cache(lambda name: SETS[name]())


@torch.no_grad()
def kernel(draw: Callable, points: Tensor) -> dict[str, float]:
    """The mean log density at the points of a Gaussian around each of 10,000 samples, by its width."""
    samples, dim = draw(10_000, torch.Generator().manual_seed(2)), points.shape[1]
    squares = torch.cdist(points.double(), samples.double()).square()
    logs = {
        h: (-squares / (2 * h * h)).logsumexp(1) - np.log(10_000 * (2 * np.pi * h * h) ** (dim / 2)) for h in KERNELS
    }
    return {str(h): round(value.mean().item(), 2) for h, value in logs.items()}


def run(name: str, family: str, seed: int, settings: dict, *, full: bool = True) -> dict:
    """One training and what is measured of it; not in full: only the score."""
    begun = time.process_time()
    model = FAMILIES[family](data(name).train, STEPS[name], seed, **settings)
    trained = time.process_time()
    with torch.no_grad():
        samples = model.draw(2_500, torch.Generator().manual_seed(seed))
    row = {"parameters": model.parameters, **data(name).score(samples), "train_seconds": round(trained - begun, 1)}
    if not full:
        return row
    row["losses"] = [round(model.losses[k], 4) for k in (0, 9, 29)]
    row["sample_seconds"] = round(time.process_time() - trained, 3)
    row |= likelihoods(model, data(name), seed) | ({"std": round(model.std, 4)} if model.std else {})
    if model.denoiser is not None and name == "grid":
        row["steps"] = by_steps(model.denoiser, name, seed)
    if seed == 0:
        row["samples"] = kept(samples, name)
    return row


def likelihoods(model: Model, found: Any, seed: int) -> dict:
    """Nats of fresh points; for the GAN and the VAE by kernels too, for DDPM the ELBO of 250 steps of its chain."""
    row: dict[str, Any] = {} if found.truth is None else {"truth": round(found.truth, 3)}
    if model.nats is not None:
        points = found.fresh[:1_000] if found.fresh.shape[1] == 2 else found.fresh[:60]
        with torch.no_grad():
            row["nats"] = round(model.nats(points).mean().item(), 3)
    if model.denoiser is None:
        row["kernel"] = kernel(model.draw, found.fresh)
    elif model.denoiser.schedule is not flow:
        times = torch.cat([torch.linspace(1, 0.03, 250, dtype=torch.float64) ** 2, torch.zeros(1, dtype=torch.float64)])
        bound = elbo(model.denoiser, found.fresh[:500], times, draws=2, generator=torch.Generator().manual_seed(seed))
        row["elbo"] = round(bound.value.mean().item(), 3)
    return row


@torch.no_grad()
def by_steps(denoiser: LearnedDenoiser, name: str, seed: int) -> dict:
    """The score by sampler and number of evaluations; on the flow path Euler's step is DDIM's."""
    numbers, shape = (5, 10, 20, 50, 250, 1_000), (2_500, data(name).train.shape[1])
    found: dict[str, dict] = {}
    for step in (ddim_step, ddpm_step):
        for n in numbers:
            if n < 1_000 or (step is ddpm_step and denoiser.schedule is not flow):
                x = drawn(denoiser, step, n, shape, torch.Generator().manual_seed(seed))
                score = data(name).score(x)
                found.setdefault(step.__name__, {})[str(n)] = [score[k] for k in ("modes", "quality", "kl", "overlap")]
    return found


def kept(samples: Tensor, name: str) -> list:
    if name != "digits":
        return [[round(value, 3) for value in point] for point in samples[:400].tolist()]
    return (samples[:20] * 6.023709 + 5.384165).floor().clamp(0, 16).int().tolist()


def best(record: dict, family: str, where: str = "grid") -> dict:
    """The settings with the largest overlap in the search."""
    rows = [row for key, row in record["rows"].items() if key.startswith(f"search {where} {family} ")]
    return max(rows, key=lambda row: row["overlap"])["settings"] if rows else {}


def jobs(record: dict) -> Any:
    """(key, settings, what to run), in order; later ones read the rows of earlier ones."""
    searches = [("grid", family, k) for family, options in OPTIONS.items() for k in range(len(options))]
    for name, family, k in searches + [("digits", f, k) for f, numbers in DIGIT_OPTIONS.items() for k in numbers]:
        job = partial(run, name, family, SEARCH_SEED, settings := OPTIONS[family][k], full=False)
        yield f"search {name} {family} {k}", settings, job
    for name, family, seed in product(("grid", "digits", "ring"), FAMILIES, SEEDS):
        settings = best(record, family, "digits" if name == "digits" else "grid")
        yield f"main {name} {family} {seed}", settings, partial(run, name, family, seed, settings)
    for seed in SEEDS:
        yield f"plain grid gan {seed}", PLAIN, partial(run, "grid", "gan", seed, PLAIN, full=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DATA / "families.json")
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="only these")
    options = parser.parse_args()
    os.environ |= {"MINIDIFF_QUIET": "1", "MINIDIFF_DEVICE": "cpu"}
    torch.set_num_threads(1)
    record = {**provenance(torch.device("cpu")), "steps": STEPS, "batch": BATCH, "rows": {}}
    if options.out.exists() and not options.fresh:
        record["rows"] = json.loads(options.out.read_text())["rows"]
    for key, settings, job in jobs(record):
        if key in record["rows"] or key.split()[2] not in options.families:
            continue
        record["rows"][key] = {"settings": settings, **job()}
        print(
            key,
            {name: value for name, value in record["rows"][key].items() if name not in ("samples", "steps")},
            flush=True,
        )
        options.out.write_text(written(record))


def written(record: dict) -> str:
    """JSON with one row a line."""
    rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in record["rows"].items())
    head = json.dumps({name: value for name, value in record.items() if name != "rows"}, indent=1)[:-2]
    return f'{head},\n "rows": {{\n{rows}\n }}\n}}\n'


if __name__ == "__main__":
    main()
