"""The same thing in five languages: DDPM, score SDE, EDM, flow matching and diffusers, as functions that can be run.

Papers disagree about the clock, the scale and the sign, never about how noisy something is. So each language's clock is
a pair of functions to and from the noise-to-signal ratio  r = sigma / alpha,  and what a network predicts is a sign and
one of our targets. Everything is a float.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from .predictions import coefficients, rescale, solve  # noqa: F401 - part of the dictionary
from .samplers import drift_and_diffusion  # noqa: F401 - part of the dictionary
from .schedules import Schedule, Time, angle, at, flow, from_betas, time_at

# clock: (value -> r, r -> value)
CLOCKS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "ratio": (lambda r: r, lambda r: r),
    "angle": (lambda a: math.tan(math.pi / 2 * a), lambda r: angle(1.0, r)),  # ours, 0 data, 1 noise
    "log_snr": (lambda g: math.exp(-g / 2), lambda r: -2 * math.log(r)),  # Kingma et al. 2021; falls with noise
    "lambda": (lambda h: math.exp(-h), lambda r: -math.log(r)),  # DPM-Solver (Lu et al. 2022): half the log SNR
    "alpha_bar": (lambda a: math.sqrt((1 - a) / a), lambda r: 1 / (1 + r**2)),  # DDPM (Ho et al. 2020)
    "sigma_edm": (lambda s: s, lambda r: r),  # EDM (Karras et al. 2022): x_t / alpha
    "sigma_ve": (lambda s: s, lambda r: r),  # score SDE, variance exploding (Song et al. 2021)
    "flow": (lambda t: t / (1 - t), lambda r: r / (1 + r)),  # rectified flow as in diffusers: noise at t = 1
    "flow_reversed": (lambda t: (1 - t) / t, lambda r: 1 / (1 + r)),  # Lipman et al. 2023: data at t = 1
}

# what a network predicts: (sign, our target)
OUTPUTS: dict[str, tuple[int, str]] = {
    "epsilon": (1, "eps"),  # diffusers' name
    "sample": (1, "x0"),
    "v_prediction": (1, "v"),
    "flow_prediction": (1, "velocity"),  # on the path `flow`: eps - x0
    "flow_reversed": (-1, "velocity"),  # Lipman et al. 2023: time runs from noise to data, so x0 - eps
    "edm_F": (1, "edm"),
    "edm_D": (1, "x0"),
}


def translate(value: float, source: str, goal: str) -> float:
    """A time or noise level from one clock to another: translate(0.5, "flow", "sigma_edm") is 1.0."""
    for name in (source, goal):
        if name not in CLOCKS:
            raise ValueError(f"unknown clock {name!r}; choose from {', '.join(CLOCKS)}")
    return CLOCKS[goal][1](CLOCKS[source][0](value))


def time_of(value: float, clock: str, schedule: Schedule) -> float:
    """Our t on a schedule, for a value on another clock."""
    return time_at(schedule, translate(value, clock, "angle"))


def reread(out: Tensor, x_t: Tensor, source: str, goal: str, schedule: Schedule, t: Time) -> Tensor:
    """A network's output as if it had been trained to predict something else, by name in OUTPUTS; "score" is a goal too."""
    sign, target = OUTPUTS[source]
    x0, eps = solve(x_t, sign * out, target, schedule, t)
    if goal == "score":
        return eps / -at(schedule, t, x_t)[1]
    sign, target = OUTPUTS[goal]
    a, b = at(coefficients(target, schedule), t, x_t)
    return sign * (a * x0 + b * eps)


def from_diffusers(config: Mapping) -> tuple[Schedule, str]:
    """(schedule, target) of a diffusers scheduler's configuration, a dict. Raises ValueError for what we do not have.

    Index k of theirs is our time (k + 1) / num_train_timesteps; flow matching's sigma is our time. Flow is the path of
    schedulers without betas, and of others with `use_flow_sigmas`.
    """
    on_flow = config.get("use_flow_sigmas") or ("num_train_timesteps" in config and "beta_schedule" not in config)
    prediction = config.get("prediction_type", "flow_prediction" if on_flow else "epsilon")
    if prediction not in OUTPUTS or (prediction == "flow_prediction" and not on_flow):
        raise ValueError(f"unknown prediction_type {prediction!r} for this path; known: {', '.join(OUTPUTS)}")
    if config.get("rescale_betas_zero_snr") or config.get("trained_betas") is not None:
        raise ValueError("rescale_betas_zero_snr and trained_betas change the table: make it with from_betas(betas)")
    if on_flow:
        return flow, OUTPUTS[prediction][1]
    return from_betas(betas(**{key: config[key] for key in BETA_KEYS if key in config})), OUTPUTS[prediction][1]


BETA_KEYS = ("beta_schedule", "beta_start", "beta_end", "num_train_timesteps")


def betas(
    beta_schedule: str = "linear", beta_start: float = 1e-4, beta_end: float = 0.02, num_train_timesteps: int = 1000
) -> Tensor:
    """A beta table by diffusers' names, (T,) float64: linear, scaled_linear, squaredcos_cap_v2."""
    ends = partial(torch.linspace, steps=num_train_timesteps, dtype=torch.float64)
    if beta_schedule == "linear":  # Ho et al. 2020, Section 4
        return ends(beta_start, beta_end)
    if beta_schedule == "scaled_linear":  # Rombach et al. 2022
        return ends(beta_start**0.5, beta_end**0.5) ** 2
    if beta_schedule == "squaredcos_cap_v2":  # Nichol & Dhariwal 2021, Eq. 17, with s = 0.008 and betas up to 0.999
        bar = torch.cos((ends(0, 1, steps=num_train_timesteps + 1) + 0.008) / 1.008 * math.pi / 2) ** 2
        return (1 - bar[1:] / bar[:-1]).clamp(max=0.999)
    raise ValueError(f"unknown beta_schedule {beta_schedule!r}; known: linear, scaled_linear, squaredcos_cap_v2")
