"""minidiff: learn diffusion models by running them.

One idea: predict, then remix. A denoiser guesses the clean sample and the noise in x_t = alpha * x0 + sigma * eps;
a sampler mixes the guess again at a lower noise level. Everything else is a choice of one function.
"""

from .checkpoints import CheckpointError, load, save
from .data import (
    Data,
    DataError,
    Mixture,
    checkerboard,
    fashion_mnist,
    gaussian_mixture,
    outline,
    pinwheel,
    rings,
    spirals,
    sprites,
    swiss_roll,
    two_moons,
)
from .exact import of_gaussian, of_mixture, of_points
from .guidance import extrapolate, given
from .networks import MLP, UNet
from .predictions import Denoiser, LearnedDenoiser, Prediction, solve
from .samplers import ddim_step, ddpm_step, last, remix, sample
from .schedules import (
    cosine,
    edm,
    flow,
    from_betas,
    linear_beta,
    log_snr,
    quadratic_beta,
    rates,
    sigmoid,
    start,
    uniform_times,
)
from .training import Run, TrainingError, denoising_loss, train

__version__ = "0.1.0"
