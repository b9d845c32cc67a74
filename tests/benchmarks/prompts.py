"""Do pictures show what their prompts ask for?

    python -m tests.benchmarks.prompts [--checkpoint data/scenes.safetensors] [--each 200] [--record]

Prompts of each kind, from captions that training has not seen, in combinations that it has (train) and that it never
shows (held-out), are drawn by 2M; the exact judge reads each picture back. A share has its binomial standard error.

    by guidance     every kind and split, guidance from 1 to 8
    by evaluations  pairs with a relation, 4 to 50 steps, at the guidance that is best for them
    product         for two things: the share that both look right, beside the product of single things' shares (of the
                    kind "place", whose things are as large); of two things that are held out one may be familiar
    diversity       the spread of the places of single things in pictures of one prompt, over that of real scenes
    attention       how much a shape's or a colour's word is looked at from its thing, from the other one, from the ground, by layer
    lift            how often the prompt is told from one with another colour by the network's own error

The record goes to data/prompts.json, the figure to data/prompts.png.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import torch
from torch import Tensor

from minidiff.data.files import write_atomically
from minidiff.data.scenes import COLOURS, Scene, render, scene
from minidiff.engine import checkpoints
from minidiff.engine.generate import SAMPLERS, generate, streams, times_for
from minidiff.engine.runtime import provenance
from minidiff.estimates import proportion
from minidiff.evaluation.scene_parser import obeys, read_scenes
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import start

ROOT = Path(__file__).parents[2]
SEED = 2026  # of the prompts, which training does not use
KINDS = ("one", "place", "only", "and", "pair", "count", "mixed", "three")
GUIDANCE, STEPS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0), (4, 6, 8, 12, 20, 50)


class Painter:
    """A model that draws scenes from their captions.

    denoiser: a network with words.
    card: of its checkpoint.
    units: between its pictures and what it draws.
    """

    def __init__(self, denoiser: LearnedDenoiser, card: dict, units: checkpoints.Units) -> None:
        self.denoiser, self.card, self.units = denoiser.float(), card["data"], units
        self.denoiser.net.eval()

    def tokens(self, captions: list[str]) -> Tensor:
        return self.denoiser.net.text.words.encode(captions)

    def draw(self, captions: list[str], guidance: float, steps: int = 12, seed: int = 0) -> Tensor:
        """Pictures of captions, (N, 3, S, S), 0 black and 1 white."""
        times, own = times_for("2m", self.denoiser.schedule, steps), streams(seed, range(len(captions)))
        noise = start(self.denoiser.schedule, float(times[0]), (len(captions), *self.card["shape"]), own)
        told = {"text": self.tokens(captions)}
        x = generate(self.denoiser, noise, told, step=SAMPLERS["2m"](1.0), times=times, guidance=guidance, bf16=True)
        return self.units.restore(x.float())


def asked(kind: str, split: str, each: int) -> list[Scene]:
    return [scene(SEED, number, split, kind) for number in range(each)]


def shares(images: Tensor, wanted: list[Scene]) -> dict[str, list[float]]:
    """The share of pictures that meet each demand, with its standard error."""
    met = [obeys(seen, one) for seen, one in zip(read_scenes(images), wanted, strict=True)]
    names = sorted({name for one in met for name in one})
    return {name: _rounded(proportion(torch.tensor([one[name] for one in met if name in one]))) for name in names}


def _rounded(estimate) -> list[float]:
    return [round(float(estimate.value), 4), round(float(estimate.error), 4)]


def by_guidance(painter: Painter, each: int, weights=GUIDANCE) -> dict:
    """kind -> split -> guidance -> demand -> share."""
    found: dict = {}
    for kind in KINDS:
        for split in ("train", "held-out"):
            wanted = asked(kind, split, each)
            for weight in weights:
                images = painter.draw([one.caption for one in wanted], weight)
                found.setdefault(kind, {}).setdefault(split, {})[f"{weight:g}"] = shares(images, wanted)
            print(kind, split, {w: row["all"] for w, row in found[kind][split].items()}, flush=True)
    return found


def best(rows: dict) -> str:
    """The guidance at which most pictures meet all demands."""
    return max(rows, key=lambda weight: rows[weight]["all"][0])


def diversity(painter: Painter, weights=GUIDANCE, prompts: int = 8, each: int = 24) -> dict[str, float]:
    """The spread of a single thing's place over pictures of one prompt, as a share of that of real scenes."""
    wanted = [one for number in range(10_000) if not (one := scene(SEED, number, "train", "one")).said][:prompts]
    real = torch.tensor([(t.x, t.y) for n in range(2000) for t in scene(SEED + 1, n, "train", "one").things])
    found = {}
    for weight in weights:
        images = painter.draw([one.caption for one in wanted for _ in range(each)], weight)
        places = [(s.things[0].x, s.things[0].y) if s.things else (0.5, 0.5) for s in read_scenes(images)]
        spread = torch.tensor(places).reshape(prompts, each, 2).var(1).mean().sqrt()
        found[f"{weight:g}"] = round(float(spread / real.var(0).mean().sqrt()), 3)
    return found


@torch.no_grad()
def attention(painter: Painter, each: int = 100, level: float = 0.5) -> dict[str, list[list[float]]]:
    """Mean attention to the words of one of two things: where it stands, where the other does, and on the ground, by layer.

    Scenes of two things unlike in shape and colour, noised to t = level; means over heads.
    """
    net, wanted = painter.denoiser.net, [one for one in asked("pair", "train", 2 * each) if _unlike(one)][:each]
    tokens = painter.tokens([one.caption for one in wanted])
    words = [net.text.words.decode(row[None])[0].split() for row in tokens]
    x0, (alpha, sigma) = painter.units.standardise(render(wanted)), painter.denoiser.schedule(torch.tensor(level))
    x_t = alpha * x0 + sigma * torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    maps: list[Tensor] = []
    keep = lambda layer, given: maps.append(layer.weights(*given).mean(1))  # of the heads
    hooks = [look.words.register_forward_pre_hook(keep) for look in net.looks]
    painter.denoiser(x_t, level, text=tokens)
    for hook in hooks:
        hook.remove()
    on = [covered(wanted, which, round(maps[0].shape[1] ** 0.5)) for which in (0, 1)]
    found: dict = {}
    for name in ("shape", "colour"):
        for looked in maps:
            parts: list[list[Tensor]] = [[], [], []]
            for k, (row, one) in enumerate(zip(words, wanted, strict=True)):
                for which in (0, 1):
                    weight = looked[k, :, row.index(getattr(one.things[which], name))]
                    places = (on[which][k], on[1 - which][k], ~(on[0] | on[1])[k])
                    for part, place in zip(parts, places, strict=True):
                        part.append(weight[place])
            found.setdefault(name, []).append([round(torch.cat(part).mean().item(), 4) for part in parts])
    return found


def _unlike(one: Scene) -> bool:
    first, last = one.things
    return first.shape != last.shape and first.colour != last.colour


def covered(scenes: list[Scene], which: int, side: int) -> Tensor:
    """Which of side x side places one of the things stands on, (N, side^2)."""
    alone, empty = (
        [dataclasses.replace(one, things=one.things[which : which + count]) for one in scenes] for count in (1, 0)
    )
    away = (render(alone) - render(empty)).abs().amax(1)
    return torch.nn.functional.adaptive_avg_pool2d(away, side).flatten(1) > 0.15


@torch.no_grad()
def lift(painter: Painter, each: int = 200, draws: int = 8, level: float = 0.6) -> list[float]:
    """How often the true caption explains the noise better than one with another colour: share and standard error."""
    wanted = asked("one", "train", each)
    names = list(COLOURS)
    swap = {name: names[(k + 3) % len(names)] for k, name in enumerate(names)}
    true = [one.caption for one in wanted]
    false = [one.caption.replace(one.things[0].colour, swap[one.things[0].colour]) for one in wanted]
    x0 = painter.units.standardise(render(wanted))
    alpha, sigma = painter.denoiser.schedule(torch.tensor(level))
    errors = torch.zeros(2, each)
    for draw in range(draws):
        eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(draw))
        for k, captions in enumerate((true, false)):
            told = painter.denoiser(alpha * x0 + sigma * eps, level, text=painter.tokens(captions))
            errors[k] += (told.eps - eps).square().flatten(1).mean(1)
    return _rounded(proportion(errors[0] < errors[1]))


def measure(painter: Painter, each: int) -> dict:
    """Every table."""
    table = by_guidance(painter, each)
    weight = float(best(table["pair"]["train"]))
    pairs = asked("pair", "train", each)
    steps = {k: shares(painter.draw([one.caption for one in pairs], weight, k), pairs) for k in STEPS}
    product = {}
    for split in ("train", "held-out"):
        one, both = (table[kind][split][f"{weight:g}"]["looks"][0] for kind in ("place", "pair"))
        product[split] = {
            "one": one,
            "both": both,
            "product": round(one * table["place"]["train"][f"{weight:g}"]["looks"][0], 4),
        }
    return {
        "each": each, "by_guidance": table, "by_evaluations": steps, "guidance_of_evaluations": weight,
        "product": product, "diversity": diversity(painter), "attention": attention(painter), "lift": lift(painter),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Do pictures show what their prompts ask for?")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "data" / "scenes.safetensors")
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--record", action="store_true", help="write data/prompts.json and data/prompts.png")
    a = parser.parse_args(arguments)
    denoiser, card = checkpoints.load(a.checkpoint)
    record = {
        **provenance(torch.device("cpu")),
        **measure(Painter(denoiser, card, checkpoints.units(a.checkpoint)), a.each),
    }
    print(record)
    if a.record:
        write_atomically(ROOT / "data" / "prompts.json", json.dumps(record, indent=1).encode())


if __name__ == "__main__":
    main()
