"""Training a preset, with checkpoints from which it goes on."""

import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from .. import refusals
from ..data import Data
from ..losses import LEVELS
from ..networks.registry import accept
from ..predictions import LearnedDenoiser
from ..refusals import choice, described, number, whole
from ..samplers import last
from ..schedules import cosine
from . import checkpoints, ranks
from .augmentations import AUGMENTATIONS, together
from .cards import demand
from .checkpoints import load_run, save_run
from .presets import PRESETS
from .runtime import compiles, fast_bf16, provenance, runtime
from .state import TrainState
from .train import train

MOST_STEPS = 1_000_000_000  # more than a GPU makes in a year
RUN = "run.safetensors"  # in a run's folder: all that --resume needs


@dataclass
class Training:
    """A preset in training.

    name: of the preset
    run: all that training changes
    data: what it trains on
    settings: fixed when it began, and kept by a resume
    record: what ends up in the checkpoint's card: machine, time, loss curve
    recent: losses since the last point of that curve, read late, since reading makes a GPU wait
    """

    name: str
    run: TrainState
    data: Data
    settings: dict
    record: dict
    recent: list[Tensor] = field(default_factory=list)

    def losses(self) -> Iterator[Tensor]:
        """Train on to the last step, noting about 200 points of the loss curve."""
        options = _options(self.run.denoiser, self.settings)
        window = max(1, self.settings["steps"] // 200)
        if self.settings.get("compile"):
            self.run.denoiser.net.compile()
        for loss in train(self.run.denoiser, self.data, steps=self.settings["steps"], run=self.run, **options):
            self.recent.append(loss)
            if self.run.step % window == 0:
                self.record["losses"].append([self.run.step, round(float(torch.stack(self.recent).double().mean()), 5)])
                self.recent = []
            yield loss

    def save(self, folder: Path, seconds: float) -> None:
        """Write folder/run.safetensors, from which `--resume` goes on, and folder/model.safetensors, for others."""
        step, data = self.run.step, self.data
        self.record |= {"steps": step, "images_seen": step * self.settings["batch"], "seconds": round(seconds)}
        described = {"name": PRESETS[self.name].data, "shape": list(data.x.shape[1:]), "shift": data.shift}
        described |= {"scale": data.scale, "names": list(data.names or ()), "examples": len(data)}
        card = {"data": described, "settings": self.settings, "record": self.record}
        save_run(folder / RUN, self.run, card | {"recent": [float(loss) for loss in self.recent]})
        checkpoints.save(folder / "model.safetensors", self.run.average, card, half=True)


def begin(name: str, *, seed: int = 0, steps: int | None = None, minutes: float | None = None) -> Training:
    """A preset at its first step. Raises ValueError for an unknown one, and for both steps and minutes.

    name: one of PRESETS
    seed: decides the initial weights, and everything that training draws
    steps: how many (default: the preset's)
    minutes: instead of steps: times 20 of them and fixes, once and for all, how many fit into the rest
    """
    preset, rt = PRESETS[choice("the preset", name, PRESETS)], runtime()
    if steps is not None and minutes is not None:
        raise ValueError(f"give one of steps and minutes; got {described(steps)} and {described(minutes)}")
    examples = preset.load()
    with torch.random.fork_rng():
        torch.manual_seed(whole("seed", seed, 0))
        denoiser = LearnedDenoiser(preset.network(examples), cosine, "v").to(rt.device)
    settings = {"preset": name, "seed": seed, "batch": preset.batch, "lr": preset.lr, "levels": preset.levels}
    settings |= {"augment": list(preset.augment), "drop": 0.1, "bf16": fast_bf16(rt.device)}
    settings |= {"compile": compiles(rt.device)}
    record = {**provenance(rt.device), "losses": []}
    if minutes is not None:
        steps, timed = _steps_within(minutes, denoiser, examples, settings)
        record |= timed
    settings["steps"] = ranks.broadcast(whole("steps", preset.steps if steps is None else steps, 1, MOST_STEPS))
    return Training(name, TrainState(denoiser), examples, settings, record)


def resume(folder: Path) -> Training:
    """A preset where folder/run.safetensors left it."""
    folder = refusals.path("folder", folder)
    run, card = load_run(folder / RUN, runtime().device)
    demand(folder / RUN, card, "settings", "record")
    settings, recent = card["settings"], [torch.tensor(loss) for loss in card.get("recent", [])]
    examples = PRESETS[settings["preset"]].load()
    if run.step > settings["steps"] or (settings.get("augment") and examples.x.ndim != 4):
        said = f"step {run.step} of {settings['steps']}, augmented by {settings.get('augment')}"
        raise checkpoints.CheckpointError(f"{folder / RUN} does not go with its preset: {said}")
    with checkpoints.about(folder / RUN):
        accept(run.denoiser.net, examples.x.shape[1:], len(examples.names or ()))
    return Training(settings["preset"], run, examples, settings, card["record"], recent)


def _options(denoiser: LearnedDenoiser, settings: dict) -> dict:
    """The arguments of `train` that settings hold; levels and augmentations are named there."""
    options = {key: settings[key] for key in ("batch", "lr", "seed", "drop", "bf16")}
    parts = [AUGMENTATIONS[name] for name in settings.get("augment", ())]  # runs of earlier versions have none
    return options | {
        "levels": LEVELS[settings["levels"]](denoiser.schedule),
        "augment": together(*parts) if parts else None,
    }


def _steps_within(minutes: float, denoiser: LearnedDenoiser, examples: Data, settings: dict) -> tuple[int, dict]:
    """How many steps fit into the minutes, from 1 to MOST_STEPS, and what the record says about it."""
    seconds = 60 * number("minutes", minutes, sys.float_info.min)
    begun = time.perf_counter()
    pace = _seconds_a_step(denoiser, examples, settings)
    timing = time.perf_counter() - begun
    steps = round(min(max(1, (seconds - timing) / pace), MOST_STEPS))
    told = {"seconds_a_step_when_timed": round(pace, 5), "seconds_of_timing": round(timing, 3)}
    return steps, {"minutes_asked": minutes, **told}


def _seconds_a_step(denoiser: LearnedDenoiser, examples: Data, settings: dict) -> float:
    """The time of one training step: 20 of them on a copy, after three to warm up."""
    copy = deepcopy(denoiser)
    if settings["compile"]:
        copy.net.compile()
    losses = train(copy, examples, steps=23, **_options(denoiser, settings))
    last(islice(losses, 3))
    before = time.perf_counter()
    float(last(losses))
    return (time.perf_counter() - before) / 20
