"""The laptop race: how good are images after 60, 180 and 300 s of training from scratch on two CPU cores?

    pip install -e . torch-ema accelerate einops && pip install --no-deps smalldiffusion diffusers
    python -m tests.benchmarks.race

Three entrants learn Fashion-MNIST one after the other on the same machine, each by its own authors' recipe:

    minidiff           the preset fashion-quick, trained anew for each of the three times; as many images of each class,
                       2M in 8 steps, guidance 1.5; and the same without guidance
    smalldiffusion     its example for Fashion-MNIST: a U-Net, batches of 1,024, EMA; its own sampler, 20 steps
    Hugging Face       the UNet2DModel of the first unit of its course, trained as in the second; DDIM, 50 steps,
                       since the scheduler's own 1,000 steps would take an hour for 1,000 images

Only seconds of training count. The peers' learning rates are constant, so one run, stopped three times, gives each its three
models. They get their images ready-made in memory and their flips for nothing. 1,000 images of each model are compared
with the 10,000 test images by the Frechet distance in the features of the judge; as many training images are the floor.
The record goes to data/race.json, the figure to data/race.png.

On a GPU (all entrants train and draw there; it has been run on a CPU only), the same with our larger preset:

    python -m tests.benchmarks.race --preset fashion --seconds 60 300 --number 10000 --out runs
"""

import argparse
import copy
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from unittest.mock import MagicMock, patch

import torch
from torch import Tensor

from minidiff.data.images import fashion_mnist
from minidiff.engine import presets, runs
from minidiff.engine.generate import SAMPLERS, generate, steps_for, times_for
from minidiff.engine.runtime import provenance, runtime
from minidiff.evaluation.judge import load_judge
from minidiff.evaluation.metrics import frechet_distance
from minidiff.predictions import AnyDenoiser
from minidiff.schedules import start
from minidiff.show import plots

DATA = Path(__file__).parents[2] / "data"
CLOTHES, TEST = fashion_mnist("train"), fashion_mnist("test")

Draw = Callable[[int], Tensor]  # how many -> images (N, 1, 28, 28), 0 black, 1 white
DEVICE = runtime().device
Models = Iterator[tuple[str, int, int, Draw]]  # name, seconds of training, images seen, how to draw
BATCH = 250  # images drawn at a time


def minidiff_entry(budgets: list[int], preset: str = "fashion-quick") -> Models:
    """Our preset, trained anew for each budget, in which finding out how many steps fit is included."""
    for seconds in budgets:
        begun = time.perf_counter()
        training = runs.begin(preset, minutes=seconds / 60)
        for _ in training.losses():
            if time.perf_counter() - begun > seconds:
                break
        settle()
        seen = training.run.step * training.settings["batch"]
        for name, guidance in (("minidiff", 1.5), ("minidiff, no guidance", 1.0)):
            yield name, seconds, seen, partial(draw_ours, training.run.average, guidance)


def draw_ours(denoiser: AnyDenoiser, guidance: float, number: int) -> Tensor:
    """As many images of each class, as `minidiff sample` draws them."""
    shape = CLOTHES.x.shape[1:]
    times = times_for("2m", denoiser.schedule, steps_for("2m", shape))
    noise = start(denoiser.schedule, float(times[0]), (number, *shape), torch.Generator().manual_seed(0)).to(DEVICE)
    y = torch.arange(number, device=DEVICE) % 10
    return CLOTHES.restore(generate(denoiser, noise, y, step=SAMPLERS["2m"](1.0), times=times, guidance=guidance))


def smalldiffusion_entry(budgets: list[int], batch: int = 1024) -> Models:
    """examples/fashion_mnist_unet.py of smalldiffusion 0.5.0, with a clock."""
    with patch.dict(sys.modules, {"torchvision": MagicMock(), "torchvision.transforms": MagicMock()}):  # not needed
        from smalldiffusion import Scaled, ScheduleLogLinear, Unet, diffusion, samples, training_loop
    from torch_ema import ExponentialMovingAverage

    diffusion.tqdm = iter  # no bar
    schedule = ScheduleLogLinear(sigma_min=0.01, sigma_max=20, N=800)
    model = Scaled(Unet)(28, 1, 1, ch=64, ch_mult=(1, 1, 2), attn_resolutions=(14,)).to(DEVICE)
    average = ExponentialMovingAverage(model.parameters(), decay=0.999)

    def draw(number: int) -> Tensor:
        drawn = [list(samples(net, schedule.sample_sigmas(20), gam=1.6, batchsize=b))[-1] for b in parts(number)]
        return (torch.cat(drawn) + 1) / 2

    steps = training_loop(Batches(batch, flips=True), model, schedule, epochs=10**6, lr=7e-4)
    for seconds, seen in clocked(steps, budgets, average.update):
        with average.average_parameters():
            net = copy.deepcopy(model)
        yield "smalldiffusion", seconds, seen * batch, draw


def huggingface_entry(budgets: list[int], batch: int = 128) -> Models:
    """The UNet2DModel of unit 1 (28x28, 32-64-64 channels), trained on noise as unit 2 does: Adam, 1e-3, squared cosine."""
    from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

    model = UNet2DModel(
        sample_size=28, in_channels=1, out_channels=1, layers_per_block=2, block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    ).to(DEVICE)  # fmt: skip
    noising = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def steps() -> Iterator[None]:
        while True:
            for x0 in Batches(batch):
                eps, k = torch.randn_like(x0), torch.randint(0, 1000, (len(x0),), device=DEVICE)
                loss = (model(noising.add_noise(x0, eps, k), k).sample - eps).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                yield

    @torch.no_grad()
    def draw(number: int) -> Tensor:
        scheduler, drawn = DDIMScheduler.from_config(noising.config), []
        for b in parts(number):
            scheduler.set_timesteps(50)
            x = torch.randn(b, 1, 28, 28, device=DEVICE)
            for k in scheduler.timesteps:
                x = scheduler.step(net(x, k).sample, k, x).prev_sample
            drawn.append(x)
        return (torch.cat(drawn) + 1) / 2

    for seconds, seen in clocked(steps(), budgets):
        net = copy.deepcopy(model).eval()
        yield "Hugging Face course", seconds, seen * batch, draw


class Batches:
    """The peers' data: an endless shuffle of ready images in [-1, 1], half of them flipped where the recipe says so."""

    def __init__(self, batch: int, flips: bool = False):
        self.images, self.batch, self.flips = (CLOTHES.restore(CLOTHES.x) * 2 - 1).to(DEVICE), batch, flips

    def __iter__(self) -> Iterator[Tensor]:
        for chosen in torch.randperm(len(self.images)).split(self.batch):
            x = self.images[chosen]
            yield torch.where(torch.rand(len(x), 1, 1, 1, device=DEVICE) < 0.5, x.flip(3), x) if self.flips else x


def parts(number: int) -> list[int]:
    """How many to draw at a time."""
    return [min(BATCH, number - first) for first in range(0, number, BATCH)]


def clocked(steps: Iterable, budgets: list[int], after: Callable[[], None] = lambda: None) -> Iterator[tuple[int, int]]:
    """Run steps, calling after() behind each; yield (seconds, steps so far) whenever a budget is used up."""
    spent, waiting, begun = 0.0, list(budgets), time.perf_counter()
    for count, _ in enumerate(steps, 1):
        after()
        if spent + time.perf_counter() - begun >= waiting[0]:
            settle()
            spent += time.perf_counter() - begun
            yield waiting.pop(0), count
            if not waiting:
                return
            begun = time.perf_counter()  # what the caller did meanwhile was not training


def settle() -> None:
    """Wait until a GPU has done what it was told: its queue is part of the time."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


ENTRIES: dict[str, Callable[[list[int]], Models]] = {
    "minidiff": minidiff_entry,
    "smalldiffusion": smalldiffusion_entry,
    "huggingface": huggingface_entry,
}
WHERE = "two CPU cores" if DEVICE.type == "cpu" else torch.cuda.get_device_name(DEVICE)
COLOURS = {
    "minidiff": plots.MODEL,
    "smalldiffusion": plots.DATA,
    "Hugging Face course": plots.SECOND,
    "minidiff, no guidance": plots.NOISE,
}


def measure(entry: str, budgets: list[int], number: int) -> Iterator[tuple[dict, Tensor]]:
    """Train one entrant; for each model what the judge says, and its first 20 images."""
    judge = load_judge()
    real = judge.features(TEST.x)
    torch.manual_seed(0)
    for name, seconds, seen, draw in ENTRIES[entry](budgets):
        images = draw(number).clamp(0, 1).cpu()
        distance = frechet_distance(judge.features(CLOTHES.standardise(images)), real)
        yield (
            {"name": name, "seconds": seconds, "images_seen": seen, "frechet_distance": round(distance, 2)},
            images[:20],
        )


def picture(rows: list[dict], floor: float, images: dict[str, Tensor]) -> bytes:
    """Distance against seconds, and what each entrant draws at the end."""
    shown = [name for name in COLOURS if name in images and "," not in name]
    fig, axes = plots.panels(1, 1 + len(shown), width=7, height=2.7, gridspec_kw={"width_ratios": [2.2] + [1] * len(shown)},
                             title=f"{max(row['seconds'] for row in rows)} seconds of training from scratch on {WHERE}")  # fmt: skip
    for name in images:
        x, y = zip(*((row["seconds"], row["frechet_distance"]) for row in rows if row["name"] == name), strict=True)
        plots.curve(axes[0], x, y, COLOURS[name], label=name, marker="o", markersize=4)
    axes[0].axhline(floor, color=plots.EXACT, linewidth=1)
    axes[0].text(x[0], floor * 1.15, "floor: real images", fontsize=8)
    axes[0].set(
        yscale="log", xlabel="seconds of training", ylabel="Frechet distance", xticks=x, ylim=(floor / 1.6, 6e4)
    )
    axes[0].legend(fontsize=6, loc="upper center", ncol=2, columnspacing=1, handlelength=1.5)
    for ax, name in zip(axes[1:], shown, strict=False):
        ax.imshow(plots.tile(images[name], columns=4), cmap="gray")
        ax.set_title(name, color=COLOURS[name], fontsize=9)
        ax.set_axis_off()
    return plots.png(fig)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, nargs="+", default=[60, 180, 300])
    parser.add_argument("--number", type=int, default=1000, help="images to judge (default 1000)")
    parser.add_argument(
        "--preset", default="fashion-quick", choices=presets.PRESETS, help="ours (default: %(default)s)"
    )
    parser.add_argument("--only", choices=ENTRIES, nargs="+", default=list(ENTRIES))
    parser.add_argument("--out", type=Path, default=DATA, help="folder for race.json and race.png (default: data/)")
    options = parser.parse_args()
    os.environ["MINIDIFF_QUIET"] = "1"
    ENTRIES["minidiff"] = partial(minidiff_entry, preset=options.preset)
    options.out.mkdir(parents=True, exist_ok=True)
    floor = frechet_distance(*(load_judge().features(x) for x in (CLOTHES.x[: options.number], TEST.x)))
    print(f"{options.number} training images in place of samples, the floor: {floor:.2f}\n")
    print(f"{'':22}{'seconds':>8}{'images seen':>13}{'Frechet distance':>18}", flush=True)
    versions = {name: version(name) for name in ("smalldiffusion", "diffusers")}
    record = {**provenance(DEVICE), **versions, "samples": options.number, "floor": round(floor, 2), "rows": []}
    images = {}
    for entry in options.only:
        for row, drawn in measure(entry, sorted(options.seconds), options.number):
            record["rows"].append(row)
            images[row["name"]] = drawn
            print(
                f"{row['name']:22}{row['seconds']:>8}{row['images_seen']:>13,}{row['frechet_distance']:>18.1f}",
                flush=True,
            )
        (options.out / "race.json").write_text(json.dumps(record, indent=1) + "\n")
        (options.out / "race.png").write_bytes(picture(record["rows"], floor, images))


if __name__ == "__main__":
    main()
