"""Whole programs in one call: train a preset with checkpoints, generate a batch, score it with the judge.

The command line and the image notebooks call these; each is a few lines around the core.
"""

import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from . import checkpoints, data
from .augmentations import AUGMENTATIONS, together
from .guidance import extrapolate, given
from .judge import load_judge
from .metrics import class_fidelity, frechet_distance, jackknife, kernel_distance, precision_recall
from .networks import MLP, UNet
from .predictions import AnyDenoiser, LearnedDenoiser
from .ranks import agreed
from .runtime import progress, runtime
from .samplers import Step, ddim_step, ddpm_step, last, sample
from .schedules import Schedule, cosine, karras_times, last_time, start, uniform_times
from .solvers import dpm_solver_2m
from .training import LEVELS, Run, load_run, save_run, train

SHIPPED = "fashion-small.safetensors"
RUN = "run.safetensors"  # in a run's folder: all that --resume needs
JUDGED = "fashion-mnist"  # the data set that the judge knows
SAMPLERS: dict[str, Callable[[float], Step]] = {  # temperature -> step
    "ddim": lambda temperature: partial(ddim_step, temperature=temperature),
    "ddpm": lambda temperature: partial(ddpm_step, temperature=temperature),
    "2m": lambda temperature: dpm_solver_2m(),  # which draws no noise on its way
}


def times_for(sampler: str, schedule: Schedule, steps: int) -> Tensor:
    """Where a sampler of that name looks: few steps of 2M do best on Karras' noise levels, down to 0.02."""
    if sampler == "2m":
        return karras_times(steps, low=0.02, schedule=schedule)
    return uniform_times(steps, last_time(schedule))


@dataclass(frozen=True)
class Preset:
    """What to train on what, and for how long unless told otherwise."""

    data: str
    load: Callable[[], data.Data]
    network: Callable[[data.Data], torch.nn.Module]
    steps: int
    batch: int = 64
    lr: float = 3e-3
    levels: str = "lognormal"
    augment: tuple[str, ...] = ()  # names in AUGMENTATIONS; the network is told of their changes


def _unet(images: data.Data, **config) -> UNet:
    return UNet(channels=images.x.shape[1], size=images.x.shape[2], classes=len(images.names), **config)


def _mlp(points: data.Data) -> MLP:
    return MLP(dim=2, classes=len(points.names) if points.names else None)


PLANE = ("two-moons", "swiss-roll", "checkerboard", "spirals", "pinwheel", "rings")
PRESETS: dict[str, Preset] = {
    "fashion-small": Preset("fashion-mnist", lambda: data.fashion_mnist("train"), _unet, 5_000),
    "fashion-quick": Preset(
        "fashion-mnist",
        lambda: data.fashion_mnist("train"),
        partial(_unet, width=32, deep_blocks=2, groups=2),
        8_000,
        32,
        5e-3,
    ),
    "sprites": Preset(  # a tenth of the sprites is held out for good
        "sprites", partial(data.sprites, "train"), partial(_unet, groups=4, changes=1), 25_000, 32, augment=("flip",)
    ),
    "fashion": Preset(  # for one GPU and minutes: chosen by reasoning, not run yet
        "fashion-mnist",
        data.fashion_mnist,
        partial(_unet, width=128, deep_width=256, blocks=2, deep_blocks=6, changes=1),
        30_000,
        256,
        1e-3,
        augment=("flip",),
    ),
    "cifar10": Preset(  # for one GPU and hours: chosen by reasoning, not run yet
        "cifar-10",
        data.cifar10,
        partial(_unet, width=256, deep_width=512, blocks=3, deep_blocks=8, groups=16, changes=1),
        100_000,
        512,
        1e-3,
        augment=("flip",),
    ),
} | {
    name: Preset(name, partial(getattr(data, name.replace("-", "_")), 20_000), _mlp, 3_000, 256, 2e-3, "uniform_angle")
    for name in PLANE
}

DATA_SETS = {preset.data: name for name, preset in reversed(PRESETS.items())}  # the first preset of each


@dataclass
class Training:
    """A preset in training: its Run, its settings, and the record that ends up in the checkpoint's card."""

    name: str
    run: Run
    set: data.Data
    settings: dict
    record: dict

    recent: list[Tensor] = field(default_factory=list)  # losses since the last point of the curve; read late, for a GPU

    def losses(self) -> Iterator[Tensor]:
        """Train on to the last step, noting about 200 points of the loss curve."""
        options = _options(self.run.denoiser, self.settings)
        window = max(1, self.settings["steps"] // 200)
        if self.settings.get("compile"):
            self.run.denoiser.net.compile()
        for loss in train(self.run.denoiser, self.set, steps=self.settings["steps"], run=self.run, **options):
            self.recent.append(loss)
            if self.run.step % window == 0:
                self.record["losses"].append([self.run.step, round(float(torch.stack(self.recent).double().mean()), 5)])
                self.recent = []
            yield loss

    def save(self, folder: Path, seconds: float) -> None:
        """Write folder/run.safetensors, from which `--resume` goes on, and folder/model.safetensors, which is shared."""
        self.record |= {
            "steps": self.run.step,
            "images_seen": self.run.step * self.settings["batch"],
            "seconds": round(seconds),
        }
        names = list(self.set.names or ())
        described = {
            "name": PRESETS[self.name].data,
            "shape": list(self.set.x.shape[1:]),
            "shift": self.set.shift,
            "scale": self.set.scale,
            "names": names,
        }
        described["examples"] = len(self.set)
        card = {"data": described, "settings": self.settings, "record": self.record}
        save_run(folder / RUN, self.run, card | {"recent": [float(loss) for loss in self.recent]})
        checkpoints.save(folder / "model.safetensors", self.run.average, card, half=True)


def begin(name: str, *, seed: int = 0, steps: int | None = None, minutes: float | None = None) -> Training:
    """A preset at its first step. minutes: times 20 steps and fixes, once and for all, how many fit into the rest."""
    preset, rt = PRESETS[name], runtime()
    examples = preset.load()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        denoiser = LearnedDenoiser(preset.network(examples), cosine, "v").to(rt.device)
    settings = {"preset": name, "seed": seed, "batch": preset.batch, "lr": preset.lr, "levels": preset.levels}
    settings |= {
        "augment": list(preset.augment),
        "drop": 0.1,
        "bf16": fast_bf16(rt.device),
        "compile": compiles(rt.device),
    }
    record = {**provenance(rt.device), "losses": []}
    if minutes is not None:
        begun = time.perf_counter()
        pace = _seconds_a_step(denoiser, examples, settings)
        timing = time.perf_counter() - begun
        steps = max(1, round((60 * minutes - timing) / pace))
        record |= {
            "minutes_asked": minutes,
            "seconds_a_step_when_timed": round(pace, 5),
            "seconds_of_timing": round(timing, 3),
        }
    settings["steps"] = agreed(preset.steps if steps is None else steps)
    return Training(name, Run(denoiser), examples, settings, record)


def resume(folder: Path) -> Training:
    """A preset where folder/run.safetensors left it."""
    run, card = load_run(folder / RUN, runtime().device)
    if card.get("settings", {}).get("preset") not in PRESETS:
        raise checkpoints.CheckpointError(
            f"{folder / 'run.safetensors'} was not written by minidiff train: it names no preset"
        )
    name, recent = card["settings"]["preset"], [torch.tensor(loss) for loss in card.get("recent", [])]
    return Training(name, run, PRESETS[name].load(), card["settings"], card["record"], recent)


def _options(denoiser: LearnedDenoiser, settings: dict) -> dict:
    """The arguments of `train` that settings hold; levels and augmentations are named there."""
    options = {key: settings[key] for key in ("batch", "lr", "seed", "drop", "bf16")}
    parts = [AUGMENTATIONS[name] for name in settings.get("augment", ())]  # runs of earlier versions have none
    return options | {
        "levels": LEVELS[settings["levels"]](denoiser.schedule),
        "augment": together(*parts) if parts else None,
    }


def _seconds_a_step(denoiser: LearnedDenoiser, examples: data.Data, settings: dict) -> float:
    """The time of one training step: 20 of them on a copy, after three to warm up."""
    copy = deepcopy(denoiser)
    if settings["compile"]:
        copy.net.compile()
    losses = train(copy, examples, steps=23, **_options(denoiser, settings))
    last(islice(losses, 3))
    before = time.perf_counter()
    float(last(losses))
    return (time.perf_counter() - before) / 20


def fast_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return "avx512_bf16" in _cpu_info() or "amx_bf16" in _cpu_info()


def compiles(device: torch.device) -> bool:
    """Whether torch.compile pays: on a GPU that has its compiler; a CPU would spend minutes of a short training on it."""
    return device.type == "cuda" and find_spec("triton") is not None


def provenance(device: torch.device) -> dict:
    """What a record must say about the machine and the code that made it."""
    root = Path(__file__).resolve().parents[1]
    described = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True
    )
    return {
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "commit": described.stdout.strip() or "unknown",
    }


def device_name(device: torch.device) -> str:
    """The processor as its maker calls it, such as "cpu: AMD EPYC"."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    models = [line.split(":")[1].strip() for line in _cpu_info().splitlines() if line.startswith("model name")]
    return f"cpu: {models[0] if models else platform.processor() or platform.machine()}"


def _cpu_info() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""  # not Linux


def generate(
    denoiser: AnyDenoiser,
    noise: Tensor,
    y: Tensor | None = None,
    *,
    step: Step = ddim_step,
    steps: int = 50,
    times: Tensor | None = None,
    guidance: float = 1.0,
    generator: torch.Generator | None = None,
    batch: int | None = None,
    bf16: bool = False,
) -> Tensor:
    """Samples like noise, (N, *), which is schedules.start at the first of the times; y: (N,) labels, or None.

    times: as for `sample` (default: `steps` equal ones from the last). guidance 1 is the conditional model itself, above
    it the label is exaggerated (classifier-free guidance). batch: samples that walk together (default: 256 on a GPU; 64 on
    a CPU, where 128 were slower). bf16: run the network in bfloat16, faster where the hardware
    knows it (`fast_bf16`); its outputs are then off by 0.3 % at high noise, 2 % at t = 0.05, 5 % at 0.02.
    """
    times = uniform_times(steps, last_time(denoiser.schedule)) if times is None else times
    parts, batch = [], batch or (64 if noise.device.type == "cpu" else 256)
    for first in range(0, len(noise), batch):
        part = slice(first, first + batch)
        chosen = denoiser if y is None else given(denoiser, y=y[part])
        if y is not None and guidance != 1:
            chosen = extrapolate(chosen, given(denoiser, y=None), guidance)
        label = f"drawing {min(first + batch, len(noise))} of {len(noise)}"
        walk = sample(step, chosen, noise[part], times, generator=generator)
        with torch.autocast(noise.device.type, torch.bfloat16, enabled=bf16):
            parts.append(last(progress(walk, total=len(times) - 1, label=label)))
    return torch.cat(parts)


def score(denoiser: AnyDenoiser, *, number: int = 10_000, steps: int = 50, seed: int = 0) -> dict[str, float]:
    """How the judge sees `number` class-conditional samples (DDIM, no guidance) of a Fashion-MNIST denoiser.

    Returns the Frechet distance to the 10,000 test images, the kernel distance (KID), precision and recall, each with
    its standard error and its floor (as many training images), and the share of samples that the judge assigns to the
    class asked for.
    """
    judge, test, clothes = load_judge(), data.fashion_mnist("test"), data.fashion_mnist("train")
    y = torch.arange(number) % len(test.names)
    noise = start(
        denoiser.schedule, last_time(denoiser.schedule), (number, 1, 28, 28), torch.Generator().manual_seed(seed)
    )
    x = generate(denoiser, noise, y, steps=steps)
    compared = _compared(*(judge.features(images) for images in (test.x, x, clothes.x[:number])))
    agreement = class_fidelity(judge.classify(x), y)
    return {
        **compared,
        "floor": compared["frechet_distance_floor"],  # as older cards call it
        "agreement": agreement.value,
        "agreement_error": agreement.error,
        "samples": number,
        "ddim_steps": steps,
        "seed": seed,
    }


def _compared(real: Tensor, fake: Tensor, others: Tensor) -> dict[str, float]:
    """Distances of features to those of real images, with their standard errors, and their floors: what others get."""
    same = real[: len(fake)]  # precision and recall depend on the numbers
    rows = [
        ("frechet_distance", *jackknife(frechet_distance, fake, real), frechet_distance(others, real)),
        ("kernel_distance", *kernel_distance(fake, real), kernel_distance(others, real).value),
        *zip(("precision", "recall"), *jackknife(precision_recall, same, fake), precision_recall(same, others)),
    ]
    return {f"{name}{part}": value for name, *values in rows for part, value in zip(("", "_error", "_floor"), values)}
