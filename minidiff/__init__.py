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
    cifar10,
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
from .guidance import between, clip, extrapolate, given, steer, threshold
from .likelihood import bits_per_dim, elbo, log_prob
from .networks import MLP, UNet
from .predictions import Denoiser, LearnedDenoiser, Prediction, on_path, solve
from .samplers import ddim_step, ddpm_step, euler_step, heun_step, last, remix, sample, sde_step
from .schedules import (
    cosine,
    edm,
    flow,
    from_betas,
    index_times,
    karras_times,
    linear_beta,
    log_snr,
    log_snr_times,
    quadratic_beta,
    rates,
    sigmoid,
    start,
    uniform_times,
)
from .solvers import churned, corrected, dpm_solver_2m, unipc
from .training import Run, TrainingError, denoising_loss, train, weighting

__version__ = "0.1.0"
