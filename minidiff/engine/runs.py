"""Training a preset, or on data of one's own, with checkpoints from which it goes on."""

import sys
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from inspect import signature
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from .. import refusals
from ..data import Data, find, found_again, from_path
from ..losses import LEVELS
from ..networks.registry import accept, adapted
from ..predictions import LearnedDenoiser
from ..refusals import choice, described, number, require, whole
from ..samplers import last
from ..schedules import cosine
from . import checkpoints, ranks
from .augmentations import AUGMENTATIONS, together
from .cards import demand
from .checkpoints import load_run, save_run
from .presets import EVERY, KINDS, OWN, PRESETS, Preset
from .runtime import compiles, fast_bf16, provenance, runtime
from .state import TrainState
from .train import train

MOST_STEPS = 1_000_000_000  # more than a GPU makes in a year
READ_BY = signature(from_path).parameters.keys()
RUN = "run.safetensors"  # in a run's folder: all that --resume needs


@dataclass
class Training:
    """A preset in training.

    name: of the preset, one of PRESETS or OWN
    run: all that training changes
    data: what it trains on
    settings: fixed when it began, and kept by a resume
    record: what ends up in the checkpoint's card: machine, time, loss curve
    recent: losses since the last point of that curve, read late, since reading makes a GPU wait
    source: data of one's own: where they are, how they were read, and their SHA-256
    """

    name: str
    run: TrainState
    data: Data
    settings: dict
    record: dict
    recent: list[Tensor] = field(default_factory=list)
    source: dict | None = None

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

    def title(self) -> str:
        """What its data are called: of a path, which may tell more than others should know, the last part alone."""
        return Path(self.source["path"]).name[:200] if self.source else PRESETS[self.name].data

    def save(self, folder: Path, seconds: float) -> None:
        """Write folder/run.safetensors, from which `--resume` goes on, and folder/model.safetensors, for others."""
        step, data = self.run.step, self.data
        self.record |= {"steps": step, "images_seen": step * self.settings["batch"], "seconds": round(seconds)}
        described = {"name": self.title(), "shape": list(data.x.shape[1:]), "shift": data.shift}
        described |= {"scale": data.scale, "names": list(data.names or ()), "examples": len(data)}
        described |= {"autoencoder": latents} if (latents := EVERY[self.name].autoencoder) else {}
        card = {"data": described, "settings": self.settings, "record": self.record}
        recent = [float(loss) for loss in self.recent]
        save_run(folder / RUN, self.run, card | {"source": self.source, "recent": recent})
        checkpoints.save(folder / "model.safetensors", self.run.average, card, half=True)


def begin(
    name: str = "",
    *,
    own: Mapping | None = None,
    seed: int = 0,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    lr: float | None = None,
    levels: str | None = None,
    init: str | Path | None = None,
    device: str | None = None,
) -> Training:
    """A training at its first step. Raises ValueError for an unknown preset, and for both steps and minutes.

    name: one of PRESETS, for none but its own data
    own: or data of one's own, as the arguments of `from_path`, such as {"path": "my-pictures", "size": 64}
    seed: decides the initial weights, and everything that training draws
    steps: how many (default: the preset's)
    minutes: instead of steps: times 20 of them and fixes, once and for all, how many fit into the rest
    batch: samples a step (default: the preset's)
    lr: the largest learning rate (default: the preset's)
    levels: where the training times come from, a name in LEVELS (default: the preset's)
    init: a checkpoint to begin with, as far as its weights fit these data
    device: "cpu" or "cuda" (default: as `runtime` decides)
    """
    fits = own is None or (isinstance(own, Mapping) and "path" in own and own.keys() <= READ_BY)
    require(fits, f"own must be arguments of from_path, {', '.join(sorted(READ_BY))}; got {described(own)}")
    examples, source = (None, None) if own is None else from_path(**own)
    name = choice("the preset", name, PRESETS) if examples is None else KINDS[examples.x.ndim]
    preset, rt = EVERY[name], runtime(device)
    if steps is not None and minutes is not None:
        raise ValueError(f"give one of steps and minutes; got {described(steps)} and {described(minutes)}")
    examples = _loaded(preset) if examples is None else examples
    with torch.random.fork_rng():
        torch.manual_seed(whole("seed", seed, 0))
        denoiser, settings, record = _denoiser(preset, examples, init)
    denoiser, settings = denoiser.to(rt.device), settings | {"preset": name, "seed": seed}
    settings |= {"batch": preset.batch if batch is None else whole("batch", batch, 1, 2**16)}
    settings |= {"lr": preset.lr if lr is None else number("lr", lr, 0, 1000)}
    settings |= {} if levels is None else {"levels": choice("levels", levels, LEVELS)}
    settings |= {"drop": 0.1, "bf16": fast_bf16(rt.device), "compile": compiles(rt.device)}
    record = {**provenance(rt.device), "losses": [], **record}
    if minutes is not None:
        steps, timed = _steps_within(minutes, denoiser, examples, settings)
        record |= timed
    settings["steps"] = ranks.broadcast(whole("steps", preset.steps if steps is None else steps, 1, MOST_STEPS))
    return Training(name, TrainState(denoiser), examples, settings, record, source=source)


def _loaded(preset: Preset) -> Data:
    """A preset's data, in latents where it has an autoencoder; shift and scale are still those of what is decoded."""
    examples = preset.load()
    if preset.autoencoder is None:
        return examples
    return replace(examples, x=checkpoints.latents(find(preset.autoencoder)).standardise(examples.x))


def _denoiser(preset: Preset, examples: Data, init: str | Path | None) -> tuple[LearnedDenoiser, dict, dict]:
    """What a training begins with, what its settings say of it, and its record."""
    settings = {"levels": preset.levels, "augment": list(preset.augment)}
    if init is None:
        net = preset.network(examples)
        return LearnedDenoiser(net, cosine, "v"), settings, preset.teach(net) if preset.teach else {}
    old, card = checkpoints.load(init)
    demand(init, card, "settings.augment")
    with checkpoints.about(init):
        net, fits = adapted(old.net, examples.x.shape[1:], len(examples.names or ()))
    former = card.get("settings")
    settings["augment"] = former.get("augment", []) if isinstance(former, dict) else []
    return LearnedDenoiser(net, old.schedule, old.target), settings, {"init": Path(init).name, "init_tensors": fits}


def resume(
    folder: str | Path, *, steps: int | None = None, path: str | Path | None = None, device: str | None = None
) -> Training:
    """A training where folder/run.safetensors left it; with the same number of steps it goes on to the same bits.

    folder: where it was saved
    steps: how many in all, if more than were planned: from here on, the learning rate is what it would be if so many
        had been planned at first
    path: where data of one's own are now, if they have moved
    device: "cpu" or "cuda" (default: as `runtime` decides)

    Raises CheckpointError where the parts do not go together, and for data that have changed.
    """
    file, steps = refusals.path("folder", folder) / RUN, None if steps is None else whole("steps", steps, 1, MOST_STEPS)
    run, card = load_run(file, runtime(device).device)
    demand(file, card, "settings", "record")
    settings, recent = card["settings"], [torch.tensor(loss) for loss in card.get("recent", [])]
    demand(file, card, *["source"] * (own := settings["preset"] in OWN))
    require(own or path is None, f"{file} is a training of the preset {settings['preset']}, which has data of its own")
    examples, source = found_again(card["source"], path) if own else (_loaded(EVERY[settings["preset"]]), None)
    if run.step > settings["steps"] or (settings.get("augment") and examples.x.ndim != 4):
        said = f"step {run.step} of {settings['steps']}, augmented by {settings.get('augment')}"
        raise checkpoints.CheckpointError(f"{file} does not go with its preset: {said}")
    with checkpoints.about(file):
        accept(run.denoiser.net, examples.x.shape[1:], len(examples.names or ()))
    job = Training(settings["preset"], run, examples, settings, card["record"], recent, source)
    return job if steps is None else _longer(job, steps)


def _longer(job: Training, steps: int) -> Training:
    """The training with more steps. The learning rate follows the cosine of so many, from here on."""
    planned, run = job.settings["steps"], job.run
    if steps < planned or steps == run.step:
        raise ValueError(f"steps counts all; {planned} were planned, {run.step} are taken: give more than {steps}")
    if steps > planned:
        job.settings["steps"] = steps
        run.settings = run.settings and {**run.settings, "steps": steps}
        job.record["extended"] = [*job.record.get("extended", []), [run.step, planned, steps]]
    return job


def _options(denoiser: LearnedDenoiser, settings: dict) -> dict:
    """The arguments of `train` that settings hold; levels and augmentations are named there."""
    options = {key: settings[key] for key in ("batch", "lr", "seed", "drop", "bf16")}
    parts = [AUGMENTATIONS[name] for name in settings.get("augment", ())]  # runs of earlier versions have none
    levels, augment = LEVELS[settings["levels"]](denoiser.schedule), together(*parts) if parts else None
    return options | {"levels": levels, "augment": augment}


def _steps_within(minutes: float, denoiser: LearnedDenoiser, examples: Data, settings: dict) -> tuple[int, dict]:
    """How many steps fit into the minutes, from 1 to MOST_STEPS, and what the record says about it."""
    seconds = 60 * number("minutes", minutes, sys.float_info.min)
    begun = time.perf_counter()
    pace = seconds_a_step(denoiser, examples, settings)
    timing = time.perf_counter() - begun
    steps = round(min(max(1, (seconds - timing) / pace), MOST_STEPS))
    told = {"seconds_a_step_when_timed": round(pace, 5), "seconds_of_timing": round(timing, 3)}
    return steps, {"minutes_asked": minutes, **told}


def seconds_a_step(denoiser: LearnedDenoiser, examples: Data, settings: dict) -> float:
    """The time of one training step: 20 of them on a copy, after three to warm up."""
    copy = deepcopy(denoiser)
    if settings.get("compile"):
        copy.net.compile()
    losses = train(copy, examples, steps=23, **_options(denoiser, settings))
    last(islice(losses, 3))
    before = time.perf_counter()
    float(last(losses))
    return (time.perf_counter() - before) / 20
