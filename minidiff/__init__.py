"""minidiff: learn diffusion models by running them.

One idea: predict, then remix. A denoiser guesses the clean sample and the noise in x_t = alpha * x0 + sigma * eps;
a sampler mixes the guess again at a lower noise level. Everything else is a choice of one function.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .course import diagnose
    from .data import (  # type: ignore[no-redef]  # scenes is a module too
        Data,
        DataError,
        Mixture,
        checkerboard,
        cifar10,
        fashion_mnist,
        from_array,
        from_folder,
        gaussian_mixture,
        outline,
        pinwheel,
        rings,
        scenes,
        spirals,
        sprites,
        swiss_roll,
        two_moons,
    )
    from .engine.checkpoints import CheckpointError, load, save
    from .engine.measurements import averaging, blurring, masking, mixing, projecting
    from .engine.state import Run
    from .engine.train import TrainingError, train
    from .exact import of_gaussian, of_mixture, of_points
    from .guidance import between, change_x0, clip, extrapolate, given, steer, threshold
    from .inverse import Operator, ddnm, dps, pigdm, repaint, replacement
    from .likelihood import bits_per_dim, elbo, log_prob
    from .losses import denoising_loss, weighting
    from .networks import MLP, DiT, UNet
    from .notation import OwnClock, from_diffusers, index_times
    from .predictions import Denoiser, LearnedDenoiser, Prediction, on_path, solve
    from .samplers import ddim_step, ddpm_step, euler_step, heun_step, last, remix, renoise_step, sample, sde_step
    from .schedules import (
        cosine,
        edm,
        flow,
        from_betas,
        karras_times,
        linear_beta,
        log_snr,
        log_snr_times,
        quadratic_beta,
        rates,
        shifted_times,
        sigmoid,
        start,
        t_max,
        uniform_times,
    )
    from .solvers import churned, corrected, dpm_solver_2m, dpm_solver_3m, unipc

__version__ = "0.1.0"

# Threads that spin while they wait for each other take the cores that these, or other programs, need: on busy cores a
# small network is then many times slower. OpenMP reads this once, when torch loads it; the user's own setting stays.
SET_WAITING = "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ
if SET_WAITING:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

__all__ = [
    "MLP",
    "CheckpointError",
    "Data",
    "DataError",
    "Denoiser",
    "DiT",
    "LearnedDenoiser",
    "Mixture",
    "Operator",
    "OwnClock",
    "Prediction",
    "Run",
    "TrainingError",
    "UNet",
    "averaging",
    "between",
    "bits_per_dim",
    "blurring",
    "change_x0",
    "checkerboard",
    "churned",
    "cifar10",
    "clip",
    "corrected",
    "cosine",
    "ddim_step",
    "ddnm",
    "ddpm_step",
    "denoising_loss",
    "diagnose",
    "dpm_solver_2m",
    "dpm_solver_3m",
    "dps",
    "edm",
    "elbo",
    "euler_step",
    "extrapolate",
    "fashion_mnist",
    "flow",
    "from_array",
    "from_betas",
    "from_diffusers",
    "from_folder",
    "gaussian_mixture",
    "given",
    "heun_step",
    "index_times",
    "karras_times",
    "last",
    "linear_beta",
    "load",
    "log_prob",
    "log_snr",
    "log_snr_times",
    "masking",
    "mixing",
    "of_gaussian",
    "of_mixture",
    "of_points",
    "on_path",
    "outline",
    "pigdm",
    "pinwheel",
    "projecting",
    "quadratic_beta",
    "rates",
    "remix",
    "renoise_step",
    "repaint",
    "replacement",
    "rings",
    "sample",
    "save",
    "scenes",
    "sde_step",
    "shifted_times",
    "sigmoid",
    "solve",
    "spirals",
    "sprites",
    "start",
    "steer",
    "swiss_roll",
    "t_max",
    "threshold",
    "train",
    "two_moons",
    "uniform_times",
    "unipc",
    "weighting",
]

HOMES = (  # where the public names come from, in reading order
    ".schedules", ".predictions", ".exact", ".losses", ".samplers", ".solvers", ".guidance", ".inverse", ".likelihood",
    ".notation", ".networks", ".data", ".engine", ".course.ladder",
)  # fmt: skip

if not TYPE_CHECKING:  # a type checker that saw this would take any name for a public one

    def __getattr__(name: str):
        """A public name, imported when it is first asked for (PEP 562): `minidiff doctor` must run without torch."""
        for home in HOMES if name in __all__ else ():
            if name in (found := vars(import_module(home, __name__))):
                return globals().setdefault(name, found[name])
        if f".{name}" in HOMES:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
