"""minidiff: learn diffusion models by running them.

One idea: predict, then remix. A denoiser guesses the clean sample and the noise in x_t = alpha * x0 + sigma * eps;
a sampler mixes the guess again at a lower noise level. Everything else is a choice of one function.
"""

__version__ = "0.1.0"
