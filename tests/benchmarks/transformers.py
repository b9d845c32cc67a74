"""A transformer beside a U-Net at equal FLOPs and at equal minutes, and what survives many dimensions: notebook 18.

    python -m tests.benchmarks.transformers        # goes on where it was stopped; --fresh begins anew

Both networks draw Fashion-MNIST by class: a U-Net, and a DiT with patches of 4 x 4 pixels (49 tokens), width 72, depth 3
and 4 heads. One image costs both as many FLOPs, within 1 %, so that equal steps are equal FLOPs. Batches of 32,
v-prediction, training times lognormal, Adam with half a cosine down to 0, a running average.

    toy        two spirals in a plane within D dimensions, a network of width 256, three targets: 1,000 steps each,
               and a second seed in the largest D
    search     both networks with the same three learning rates, a short training each; the lower test loss is used
    race       both networks, equally many steps
    minutes    the DiT with so many steps as take it the U-Net's seconds: a step of it takes 1.67 times as long (median of 60
               steps of each, in turns, on a core that other work shared)

What is measured: loss, the mean of (v - target)^2 on 500 test images at four draws of level and noise, the same for both
networks; frechet_distance and agreement of 1,000 images (2M, 8 steps, no guidance, the same noise for both); of the toy the
share of |x|^2 off the plane, and the sliced Wasserstein distance within it to 4,000 spirals, beside its floor.

The record goes to data/transformers.json. Seconds in it are of CPU, on one thread.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from minidiff.course.tasks import transformers as tasks
from minidiff.data.images import fashion_mnist
from minidiff.data.points import spirals
from minidiff.engine.feed import generator_for
from minidiff.engine.generate import generate, times_for
from minidiff.engine.runtime import fast_bf16, provenance
from minidiff.engine.state import TrainState
from minidiff.engine.train import train
from minidiff.evaluation.judge import load_judge
from minidiff.evaluation.metrics import class_fidelity, frechet_distance, sliced_wasserstein
from minidiff.losses import denoising_loss, lognormal
from minidiff.networks import MLP, DiT, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.samplers import ddim_step, last, sample
from minidiff.schedules import cosine, start, uniform_times
from minidiff.solvers import dpm_solver_2m

DATA = Path(__file__).parents[2] / "data"
NETS: dict[str, Callable[[], torch.nn.Module]] = {
    "unet": lambda: UNet(classes=10, width=16, deep_width=64, deep_blocks=2, groups=2),
    "dit": lambda: DiT(1, 28, 4, 10, width=72, depth=3, heads=4),
}
BATCH, NUMBER, SEED, SEARCH_SEED = 32, 1_000, 0, 100
RATES = (2e-3, 4e-3, 8e-3)
STEPS = {"search": 200, "race": 1_500, "minutes": 900, "toy": 1_000}
DIMS, TARGETS = (512, 128, 32, 8, 2), ("x0", "eps", "v")
BEGIN = 0.98  # where eps still tells x0


@cache
def clothes(part: str) -> Any:
    return fashion_mnist(part)


def flops(name: str) -> float:
    """Of one image, in millions."""
    with FlopCounterMode(display=False) as counter:
        NETS[name]()(torch.zeros(1, 1, 28, 28), torch.tensor([0.5]), 3)
    return round(counter.get_total_flops() / 1e6, 2)


def trained(name: str, steps: int, lr: float, seed: int, stop: int | None = None) -> tuple[LearnedDenoiser, dict]:
    """The average of a training, and its seconds and first losses."""
    torch.manual_seed(seed)
    run = TrainState(LearnedDenoiser(NETS[name](), cosine, "v"))
    options = {"steps": steps, "batch": BATCH, "lr": lr, "seed": seed, "levels": "lognormal", "run": run}
    bf16, begun = fast_bf16(torch.device("cpu")), time.process_time()
    losses = [float(loss) for loss in islice(train(run.denoiser, clothes("train"), bf16=bf16, **options), stop)]
    row = {"steps": steps, "lr": lr, "cpu_seconds": round(time.process_time() - begun, 1)}
    return run.average, row | {"losses": [round(losses[k], 5) for k in (0, 9, 29) if k < len(losses)]}


@torch.no_grad()
def loss(denoiser: LearnedDenoiser, number: int = 500) -> float:
    """The mean loss on test images over 4 draws of level and noise, the same for every network."""
    images, total = clothes("test")[:number], 0.0
    for k in range(4):
        generator = generator_for(0, 2, k)
        t = lognormal(cosine)(number, generator)
        eps = torch.randn(images.x.shape, generator=generator)
        total += denoising_loss(denoiser, images.x, t, eps, y=images.y).mean().item() / 4
    return round(total, 5)


def quality(denoiser: LearnedDenoiser) -> dict:
    judge, y, times = load_judge(), torch.arange(NUMBER) % 10, times_for("2m", cosine, 8)
    noise = start(cosine, times[0], (NUMBER, 1, 28, 28), torch.Generator().manual_seed(0))
    x = generate(denoiser, noise, y, step=dpm_solver_2m(), times=times)
    distance = frechet_distance(judge.features(x), judge.features(clothes("test").x))
    return {"frechet_distance": round(distance, 1), "agreement": round(class_fidelity(judge.classify(x), y).value, 3)}


def run(name: str, steps: int, lr: float, seed: int, *, full: bool = True) -> dict:
    average, row = trained(name, steps, lr, seed)
    return row | {"loss": loss(average)} | (quality(average) if full else {})


def plane(target: str, dim: int, seed: int, steps: int, stop: int | None = None) -> tuple[LearnedDenoiser, list[float]]:
    """A denoiser of spirals in a plane within so many dimensions, and the losses of its training."""
    torch.manual_seed(seed)
    denoiser = LearnedDenoiser(MLP(dim, width=256), cosine, target)
    x = spirals(10_000, seed=0).x @ tasks.frame(dim).T
    return denoiser, [float(one) for one in islice(train(denoiser, x, steps=steps, seed=seed), stop)]


def toy(target: str, dim: int, seed: int) -> dict:
    denoiser, losses = plane(target, dim, seed, STEPS["toy"])
    noise = start(cosine, BEGIN, (4_000, dim), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        x = last(sample(ddim_step, denoiser, noise, uniform_times(40, BEGIN)))
    axes, real = tasks.frame(dim), spirals(4_000, seed=1).x
    found = {"off": tasks.off_plane(x, axes), "distance": sliced_wasserstein(x @ axes, real)}
    return {name: round(value, 4) for name, value in found.items()} | {
        "loss": round(sum(losses[-100:]) / len(losses[-100:]), 5),
        "losses": [round(losses[k], 5) for k in (0, 9, 29) if k < len(losses)],
    }


def best(record: dict, name: str) -> float:
    """The learning rate with the lowest test loss in the search."""
    rows = [row for key, row in record["rows"].items() if key.startswith(f"search {name} ")]
    return min(rows, key=lambda row: row["loss"])["lr"] if rows else RATES[0]


def jobs(record: dict) -> Iterator[tuple[str, Callable[[], dict]]]:
    """(key, what to run), in order; later ones read the rows of earlier ones."""
    for (dim, seed), target in product([*[(dim, 0) for dim in DIMS], (DIMS[0], 1)], TARGETS):
        yield f"toy {target} {dim} {seed}", partial(toy, target, dim, seed)
    for name, lr in product(NETS, RATES):
        yield f"search {name} {lr}", partial(run, name, STEPS["search"], lr, SEARCH_SEED, full=False)
    for kind, name in (("race", "unet"), ("race", "dit"), ("minutes", "dit")):
        yield f"{kind} {name}", partial(run, name, STEPS[kind], best(record, name), SEED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DATA / "transformers.json")
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    parser.add_argument("--only", nargs="+", default=[], help="rows that begin with one of these words")
    options = parser.parse_args()
    os.environ |= {"MINIDIFF_QUIET": "1", "MINIDIFF_DEVICE": "cpu"}
    torch.set_num_threads(1)
    record = {**provenance(torch.device("cpu")), "batch": BATCH, "samples": NUMBER, "rows": {}}
    judge = load_judge()
    real = judge.features(clothes("test").x)
    record["floor"] = round(frechet_distance(judge.features(clothes("train").x[:NUMBER]), real), 2)
    record["toy_floor"] = round(sliced_wasserstein(spirals(4_000, seed=2).x, spirals(4_000, seed=1).x), 4)
    record["nets"] = {name: [flops(name), sum(p.numel() for p in net().parameters())] for name, net in NETS.items()}
    if options.out.exists() and not options.fresh:
        record["rows"] = json.loads(options.out.read_text())["rows"]
    for key, job in jobs(record):
        if key in record["rows"] or (options.only and not key.startswith(tuple(options.only))):
            continue
        record["rows"][key] = job()
        print(key, record["rows"][key], flush=True)
        options.out.write_text(written(record))


def written(record: dict) -> str:
    """JSON with one row a line."""
    rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in record["rows"].items())
    head = json.dumps({name: value for name, value in record.items() if name != "rows"}, indent=1)[:-2]
    return f'{head},\n "rows": {{\n{rows}\n }}\n}}\n'


if __name__ == "__main__":
    main()
