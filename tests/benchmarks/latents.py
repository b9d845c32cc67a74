"""The autoencoder of scenes, its rate-distortion curve, and diffusion in its latents beside diffusion in pixels (notebook 19).

    python -m tests.benchmarks.latents              # goes on where it was stopped; --fresh begins anew
    python -m tests.benchmarks.latents --fresh --scale 6     # the denoisers for six times as long

Data: captioned scenes of 32 x 32 pixels (minidiff.data.scenes), 20,000 by seed 0 to train on, 2,000 by seed 1 unseen; the
denoisers draw scenes of one thing, and are told its shape. Everything is trained with batches of 64 on one thread of a CPU.

    autoencoder    1,500 steps with a KL weight of 0.01 squared errors a nat; saved with a card that holds its record
    curve          this network, trained on for 60 steps each with weights from 0.001 to 10: PSNR, rate, standard deviation of the latents
    denoisers      at about equal seconds of CPU: a U-Net in pixels and in latents; a DiT of 64 tokens in pixels (patches of
                   4 x 4) and in latents (patches of one); and the U-Net in latents of
                   standard deviation 5.49, which is that of Stable Diffusion's before they are multiplied by 0.18215

Of each denoiser 400 samples of its average (2M, 16 steps, an eighth of each shape) are read by the exact judge:

    clean          the share of samples that show one thing, and it is recognised
    asked          the share of samples that show one thing, of the shape that was asked
    floors         the same of unseen scenes, and of unseen scenes that have been through the autoencoder

"flops" are those of one image once through the network, by torch's own counter. Seconds are of CPU, without the drawing.
The record goes to data/latents.json, the weights to data/scenes-autoencoder.safetensors and data/scenes-latent.safetensors.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from minidiff.course.tasks import latent_diffusion as tasks
from minidiff.data import Data, scene, scenes
from minidiff.data.scenes import SHAPES
from minidiff.engine import Run, generator_for, load_network, save, save_network, train
from minidiff.engine.generate import generate, times_for
from minidiff.engine.runtime import provenance
from minidiff.evaluation.scene_parser import UNCLEAR, obeys, read_scenes
from minidiff.networks import AutoEncoder, DiT, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine, start
from minidiff.solvers import dpm_solver_2m

DATA = Path(__file__).parents[2] / "data"
TRAIN, UNSEEN, BATCH = 20_000, 2_000, 64
WEIGHT, STEPS, CURVE, CURVE_STEPS = 0.01, 1_500, (10.0, 1.0, 0.1, 0.01, 0.001), 60
UNETS, DITS = {"classes": 8, "groups": 4}, {"classes": 8, "width": 64, "depth": 4, "heads": 4}
JOBS = {  # network, its arguments, steps, learning rate, whether in latents
    "latent U-Net": (UNet, {"channels": 4, "size": 8, **UNETS}, 1_500, 2e-3, True),
    "pixel U-Net": (UNet, {"channels": 3, "size": 32, **UNETS}, 700, 2e-3, False),
    "latent DiT": (DiT, {"channels": 4, "size": 8, "patch": 1, **DITS}, 700, 2e-3, True),
    "pixel DiT": (DiT, {"channels": 3, "size": 32, "patch": 4, **DITS}, 700, 2e-3, False),
    "latent U-Net, std 5.49": (UNet, {"channels": 4, "size": 8, **UNETS}, 1_500, 2e-3, True),
}
SAMPLES, SAMPLER_STEPS, SHIPPED, FORGOTTEN = 400, 16, "latent U-Net", 5.49


@cache
def told(n: int, seed: int, kind: str | None = None) -> tuple[Data, Tensor]:
    """Scenes and their labels, the shape of the thing that is named first."""
    shapes = [SHAPES.index(scene(seed, k, kind=kind).things[0].shape) for k in range(n)]
    return scenes(n, seed, kind=kind), torch.tensor(shapes)


def psnr(x: Tensor, again: Tensor, scale: float) -> float:
    """In decibels, of standardised images of this scale, whose pixels go from 0 to 1."""
    return -10 * math.log10((x - again).square().mean().item() * scale**2)


@torch.no_grad()
def measured(net: AutoEncoder, x: Tensor, scale: float) -> dict[str, float]:
    """PSNR, rate in bits an image, and the standard deviation and mean of the latents as the encoder gives them."""
    parts = x.split(500)
    mean, log_var = (torch.cat(part) for part in zip(*map(net.moments, parts), strict=True))
    again = torch.cat([net(part) for part in parts])
    spread = (log_var / 2).exp()
    return {"psnr": round(psnr(x, again, scale), 2), "bits": round(tasks.our_rate(mean, log_var).mean().item(), 1),
            "std": round(mean.std().item(), 4), "mean": round(mean.mean().item(), 4),
            "noise": round(spread.mean().item(), 4)}  # fmt: skip


@torch.no_grad()
def through(net: AutoEncoder, x: Tensor, latents: bool = False) -> Tensor:
    return torch.cat([net.encode(part) if latents else net(part) for part in x.split(500)])


def read_back(images: Tensor, seed: int) -> float:
    """The share of unseen scenes, as these images show them, that the judge reads as what was drawn."""
    asked = [scene(seed, k) for k in range(len(images))]
    seen = [one for part in images.split(250) for one in read_scenes(part)]
    return sum(obeys(one, want)["all"] for one, want in zip(seen, asked, strict=True)) / len(images)


def judged(images: Tensor, labels: Tensor) -> dict[str, float]:
    """Shares of images (N, 3, S, S) in [0, 1] that show one thing, recognised, and one of the shape that was asked."""
    seen = [[thing.shape for thing in one.things] for part in images.split(250) for one in read_scenes(part)]
    clean = [len(shapes) == 1 and shapes != [UNCLEAR] for shapes in seen]
    right = [shapes == [SHAPES[y]] for shapes, y in zip(seen, labels.tolist(), strict=True)]
    return {"clean": round(sum(clean) / len(seen), 4), "asked": round(sum(right) / len(seen), 4)}


def flops(net: nn.Module, *given: Tensor) -> int:
    """Of one image once through a network."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(*given)
    return counter.get_total_flops()


def fitted(
    net: AutoEncoder, x: Tensor, weight: float, steps: int, lr: float
) -> tuple[AutoEncoder, list[list[float]], float]:
    """An autoencoder that has been trained and calibrated, its losses, (step, loss), and the seconds of CPU.

    net: with its first weights.
    x: images.
    weight, steps, lr: as in `tasks.train_autoencoder`.
    """
    begun, losses = time.process_time(), []
    training = tasks.train_autoencoder(net, x, tasks.our_loss, steps=steps, weight=weight, lr=lr)
    for step, loss in enumerate(training):
        if step % max(1, steps // 40) == 0 or step == steps - 1:
            losses.append([step, round(loss.item(), 5)])
    seconds = time.process_time() - begun
    net.eval().requires_grad_(False)
    net.calibrate(x[:2_000])
    return net, losses, seconds


def autoencoder(out: Path, steps: int) -> dict:
    torch.manual_seed(0)
    net, losses, seconds = fitted(AutoEncoder(), told(TRAIN, 0)[0].x, WEIGHT, steps, 2e-3)
    net.half().float()  # as the file has it
    drawn, x = told(UNSEEN, 1)[0], told(UNSEEN, 1)[0].x
    z, again = through(net, x, latents=True), through(net, x)
    row = measured(net, x, drawn.scale) | {
        "steps": steps, "weight": WEIGHT, "cpu_seconds": round(seconds), "losses": losses,
        "parameters": sum(p.numel() for p in net.parameters()),
        "encode_flops": flops(net.encoder, x[:1]), "decode_flops": flops(net.decoder, z[:1]),
        "latent_mean": round(z.mean().item(), 4), "latent_std": round(z.std().item(), 4),
        "channel_stds": [round(std, 3) for std in z.std((0, 2, 3)).tolist()],
        "scale": round(net.scale.item(), 4), "shift": round(net.shift.item(), 4),
        "read_back": round(read_back(drawn.restore(again), 1), 4),
    }  # fmt: skip
    data = {"name": "scenes", "examples": TRAIN, "shift": drawn.shift, "scale": drawn.scale}
    save_network(out, net, {"data": data, "record": row | provenance(torch.device("cpu"))}, half=True)
    return row


def curve(weight: float, steps: int, weights: Path) -> dict:
    """A point of the curve: the shipped autoencoder, trained on with another weight."""
    net = load_network(weights)[0].requires_grad_(True)
    net, losses, seconds = fitted(net, scenes(4_000, 0).x, weight, steps, 1e-3)
    drawn = scenes(500, 1)
    row = measured(net, drawn.x, drawn.scale)
    row["read_back"] = round(read_back(drawn.restore(through(net, drawn.x)), 1), 4)
    return row | {"weight": weight, "steps": steps, "cpu_seconds": round(seconds), "losses": losses[-1:]}


def standing(weights: Path, name: str) -> AutoEncoder | None:
    """The autoencoder between pixels and a denoiser's data, None for pixels."""
    if not JOBS[name][-1]:
        return None
    between = load_network(weights)[0]
    if "std" in name:
        between.scale /= FORGOTTEN
    return between


def denoiser(name: str, steps: int, weights: Path, out: Path) -> dict:
    """A row of the table: a denoiser is trained and some of its samples are judged."""
    kind, config, _, lr, _ = JOBS[name]
    between = standing(weights, name)
    drawn, labels = told(TRAIN, 0, "one")
    x = drawn.x if between is None else through(between, drawn.x, latents=True)
    torch.manual_seed(0)
    run, begun, losses = Run(LearnedDenoiser(kind(**config), cosine, "v")), time.process_time(), []
    told_of = {"labels": labels, "batch": BATCH, "lr": lr, "seed": 0, "bf16": True, "run": run}
    for loss in train(run.denoiser, x, steps=steps, **told_of):
        losses.append(loss.item())
    seconds = time.process_time() - begun
    times, wanted = times_for("2m", cosine, SAMPLER_STEPS), torch.arange(SAMPLES) % 8
    noise, begun = start(cosine, times[0].item(), (SAMPLES, *x.shape[1:]), generator_for(0)), time.process_time()
    made = generate(run.average, noise, wanted, step=dpm_solver_2m(), times=times, batch=250)
    made = made if between is None else torch.cat([between.decode(part) for part in made.split(250)])
    row = {"steps": steps, "cpu_seconds": round(seconds), "lr": lr, "config": config, "net": kind.__name__,
           "parameters": sum(p.numel() for p in run.denoiser.parameters()), "draw_seconds": round(time.process_time() - begun),
           "flops": flops(run.average, x[:1], 0.5), "losses": [round(sum(losses[k : k + 100]) / len(losses[k : k + 100]), 4)
           for k in range(0, steps, max(100, steps // 20))], "first": [round(losses[k], 5) for k in (0, 9, 29)]}  # fmt: skip
    row |= judged(drawn.restore(made), wanted)
    if name == SHIPPED:
        data = {"name": "scenes", "examples": TRAIN, "shift": 0.0, "scale": 1.0, "shape": list(x.shape[1:])}
        data["names"] = list(SHAPES)
        save(out, run.average, {"data": data, "record": row | provenance(torch.device("cpu"))}, half=True)
    return row


def floors(weights: Path) -> dict[str, float]:
    """What unseen scenes score, as they are and through the autoencoder."""
    drawn, labels = told(SAMPLES, 1, "one")
    again = through(load_network(weights)[0], drawn.x)
    return {name: judged(drawn.restore(x), labels) for name, x in (("scenes", drawn.x), ("reconstructed", again))}


def jobs(scale: float, folder: Path) -> dict:
    """What is to be made, by name, in order; scale: of the denoisers' steps, and below 1 of the others' too."""
    weights, out = folder / "scenes-autoencoder.safetensors", folder / "scenes-latent.safetensors"
    some = lambda steps, most=1.0: max(30, round(min(scale, most) * steps))
    return {
        "autoencoder": lambda: autoencoder(weights, some(STEPS)),
        "floors": lambda: floors(weights),
        **{name: lambda name=name: denoiser(name, some(JOBS[name][2], math.inf), weights, out) for name in JOBS},
        **{f"curve {weight:g}": lambda w=weight: curve(w, some(CURVE_STEPS), weights) for weight in CURVE},
    }


def known(path: Path) -> dict:
    """The record so far."""
    return json.loads(path.read_text()) if path.exists() else {"rows": {}}


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=DATA, help="where record and weights go")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the denoisers' numbers of steps, and below 1 of the others' too"
    )
    parser.add_argument("--only", nargs="*", help="these rows, by the beginnings of their names")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args(given)
    os.environ |= {"MINIDIFF_QUIET": "1", "MINIDIFF_DEVICE": "cpu"}
    torch.set_num_threads(1)
    path = options.folder / "latents.json"
    if options.fresh:
        path.unlink(missing_ok=True)
    for name, make in jobs(options.scale, options.folder).items():
        record = known(path)
        if name in record["rows"] or (options.only and not name.startswith(tuple(options.only))):
            continue
        row = make()
        record = known(path)  # again: another process may have added to it
        record["rows"][name] = row
        record["rows"] = {key: record["rows"][key] for key in jobs(1, DATA) if key in record["rows"]}
        record |= {"train": TRAIN, "unseen": UNSEEN, "samples": SAMPLES, "scale": options.scale} | provenance(
            torch.device("cpu")
        )
        path.write_text(json.dumps(record, indent=1) + "\n")
        said = {key: value for key, value in row.items() if isinstance(value, (float, int))}
        print(name, said, flush=True)


if __name__ == "__main__":
    main()
