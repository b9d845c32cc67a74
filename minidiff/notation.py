"""The same thing in five languages: DDPM, score SDE, EDM, flow matching and diffusers, as functions that can be run.

Papers disagree about the clock, the scale and the sign, never about how noisy something is. So each language's clock is
a pair of functions to and from the noise-to-signal ratio  r = sigma / alpha,  and what a network predicts is a sign and
one of our targets. Everything is a float.
"""

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches

import numpy as np
import torch
from torch import Tensor, nn

from .predictions import rescale as rescale  # part of the dictionary
from .predictions import solve, target_of
from .refusals import call, choice, described, flag, instance, number, require, samples, whole
from .samplers import drift_and_diffusion as drift_and_diffusion  # part of the dictionary
from .schedules import Schedule, Time, angle, at, betas, flow, from_betas, pair, t_max, time_at, zero_snr

# clock: (value -> r, r -> value), both of NumPy numbers, for which 1 / 0 is infinity
CLOCKS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "ratio": (lambda r: r, lambda r: r),
    "angle": (lambda a: np.tan(math.pi / 2 * a), lambda r: angle(1.0, r)),  # ours, 0 data, 1 noise
    "log_snr": (lambda g: np.exp(-g / 2), lambda r: -2 * np.log(r)),  # Kingma et al. 2021; falls with noise
    "lambda": (lambda h: np.exp(-h), lambda r: -np.log(r)),  # DPM-Solver (Lu et al. 2022): half the log SNR
    "alpha_bar": (lambda a: np.sqrt((1 - a) / a), lambda r: 1 / (1 + r**2)),  # DDPM (Ho et al. 2020)
    "sigma_edm": (lambda s: s, lambda r: r),  # EDM (Karras et al. 2022): x_t / alpha
    "sigma_ve": (lambda s: s, lambda r: r),  # score SDE, variance exploding (Song et al. 2021)
    "flow": (lambda t: t / (1 - t), lambda r: 1 / (1 + 1 / r)),  # rectified flow as in diffusers: noise at t = 1
    "flow_reversed": (lambda t: (1 - t) / t, lambda r: 1 / (1 + r)),  # Lipman et al. 2023: data at t = 1
}

# what a network predicts: (sign, our target)
OUTPUTS: dict[str, tuple[int, str]] = {
    "epsilon": (1, "eps"),  # diffusers' name, and the next three
    "sample": (1, "x0"),
    "v_prediction": (1, "v"),
    "flow_prediction": (1, "velocity"),  # on the path `flow`: eps - x0
    "flow_reversed": (-1, "velocity"),  # Lipman et al. 2023: time runs from noise to data, so x0 - eps
    "edm_F": (1, "edm"),
    "edm_D": (1, "x0"),
}


def translate(value: float, source: str, goal: str) -> float:
    """A time or noise level from one clock to another: translate(0.5, "flow", "sigma_edm") is 1.0.

    Clean data and pure noise may be infinite on a clock. Raises ValueError for an unknown clock, and for a value that
    the source does not have.
    """
    for name in (source, goal):
        choice("a clock", name, CLOCKS)
    with np.errstate(all="ignore"):
        ratio = CLOCKS[source][0](np.float64(number("value", value, -math.inf, math.inf)))
        require(ratio >= 0, f"the clock {source!r} never shows {described(value)}: that is no noise level")
        return float(CLOCKS[goal][1](np.float64(ratio)))


def time_of(value: float, clock: str, schedule: Schedule) -> float:
    """Our t on a schedule, for a value on another clock."""
    return time_at(schedule, translate(value, clock, "angle"))


def convert_output(out: Tensor, x_t: Tensor, source: str, goal: str, schedule: Schedule, t: Time) -> Tensor:
    """A network's output as if it had been trained to predict something else; like x_t.

    out, x_t: (B, *), the output, and the samples it belongs to.
    source, goal: names in OUTPUTS; "score" is a goal too, where there is noise.
    schedule, t: the path of x_t, and a float, or a tensor () or (B,), on it.
    """
    sign, target = OUTPUTS[choice("the output", source, OUTPUTS)]
    choice("the goal", goal, (*OUTPUTS, "score"))
    samples("out", out, 0)
    x0, eps = solve(x_t, sign * out, target, schedule, t)
    if goal == "score":
        sigma = at(schedule, t, x_t)[1]
        noisy = (torch.as_tensor(sigma) > 0).all()
        require(noisy, "the score has no meaning where there is no noise (sigma = 0): ask at a later t")
        return eps / -sigma
    sign, target = OUTPUTS[goal]
    a, b = at(schedule, t, x_t, target_of(target))
    return sign * (a * x0 + b * eps)


reread = convert_output  # the name in notebook 10


# diffusers' keys: what makes the path, what must be as it is here, and what only chooses times or a sampler
BETA_KEYS = ("beta_schedule", "beta_start", "beta_end", "num_train_timesteps")
FIXED = {"trained_betas": None, "timestep_type": "discrete", "invert_sigmas": False}
ZERO_SNR = "rescale_betas_zero_snr"
TIMES = """prediction_type num_train_timesteps invert_sigmas shift_terminal use_beta_sigmas use_dynamic_shifting
    use_exponential_sigmas use_karras_sigmas time_shift_type"""
FLOW = """shift base_image_seq_len base_shift max_image_seq_len max_shift stochastic_sampling"""
SAMPLERS = """algorithm_type clip_sample clip_sample_range corrector_order disable_corrector dynamic_thresholding_ratio
    eta euler_at_final final_sigmas_type flow_shift interpolation_type lambda_min_clipped lower_order_final
    original_inference_steps predict_x0 predictor_order sample_max_value set_alpha_to_one sigma_max sigma_min
    skip_prk_steps solver_order solver_p solver_type steps_offset tau_func thresholding timestep_scaling
    timestep_spacing use_flow_sigmas use_lu_lambdas variance_type"""


def from_diffusers(config: Mapping) -> tuple[Schedule, str]:
    """(schedule, target) of a diffusers scheduler's configuration, a dict. Raises ValueError for what we do not have.

    Index k of theirs is our time (k + 1) / num_train_timesteps; flow matching's sigma is our time. Flow is the path of
    schedulers with `shift` and without betas, and of others with `use_flow_sigmas`. What only chooses times or a
    sampler is not used; a key that is not known is refused.
    """
    instance("config", config, Mapping, "a configuration, such as scheduler.config")
    has_betas = "beta_schedule" in config
    if not has_betas and ("shift" not in config or "sigma_data" in config):
        kinds = "a beta_schedule, or the shift of flow matching; for EDM's, choose edm and the target 'edm' yourself"
        raise ValueError(f"a configuration needs {kinds}; got the keys {', '.join(map(str, config)):.80}")
    known = [*BETA_KEYS, ZERO_SNR, *FIXED, *f"{TIMES} {SAMPLERS}".split()] if has_betas else f"{TIMES} {FLOW}".split()
    for key, value in config.items():
        if not str(key).startswith("_") and key not in known:
            near = (get_close_matches(str(key), known, 1, 0.0) or known)[0]
            raise ValueError(f"the key {key!r} is not understood here; the nearest that is known is {near!r}")
        if key in FIXED and str(value) != str(FIXED[key]):
            raise ValueError(f"{key}={value!r:.40} changes the path: make a table of your own with from_betas(betas)")
    on_flow = not has_betas or config.get("use_flow_sigmas")
    prediction = config.get("prediction_type", "flow_prediction" if on_flow else "epsilon")
    names = list(OUTPUTS)[: 4 if on_flow else 3]
    require(prediction in names, f"unknown prediction_type {prediction!r} for this path; known: {', '.join(names)}")
    table = betas(**{key: config[key] for key in BETA_KEYS if key in config})
    table = zero_snr(table) if flag(ZERO_SNR, config.get(ZERO_SNR, False)) else table
    return flow if on_flow else from_betas(table), OUTPUTS[prediction][1]


class OwnClock(nn.Module):
    """A network of diffusers, net(x_t, index, **condition).sample, as one of ours, net(x, level, **condition).

    net: such as a UNet2DModel, trained or new. Whatever it calls its conditions, it is told them by these names, and
        what it is told instead of none goes into `nulls`, name -> tensor, as in conditions.py.
    schedule: of unit variance, on which it was trained or will be. At t it is shown the index total * t - 1, or what
        lies between two of them, but nothing below 0.
    total: the number of indices.

    Raises ValueError in half precision, where a noise angle does not tell one index from the next.
    """

    levels: Tensor

    def __init__(self, net: nn.Module, schedule: Schedule, total: int = 1000):
        super().__init__()
        self.net = instance("net", net, nn.Module, "a network, an nn.Module")
        times = torch.linspace(0, t_max(schedule), whole("total", total) + 1, dtype=torch.float64)
        self.register_buffer("levels", angle(*pair(schedule, times)).detach().float(), persistent=False)

    def forward(self, x: Tensor, level: Tensor, **condition: Tensor) -> Tensor:
        precise = level.dtype in (torch.float32, torch.float64)
        require(precise, "in half precision a noise angle is no index: give x_t in float32, under torch.autocast")
        k = torch.searchsorted(self.levels, level.float()).clamp(1, len(self.levels) - 1)
        low, high = self.levels[k - 1], self.levels[k]
        index = (k - 1 - (high - level.float()) / (high - low)).clamp(min=0)
        near = index.round()  # in float32, at the noisy end, an index is known to about 0.002
        out = call("net", self.net, x, torch.where((index - near).abs() < 0.01, near, index), **condition)
        return getattr(out, "sample", out)


def index_times(steps: int, spacing: str = "leading", total: int = 1000, offset: int = 0) -> Tensor:
    """The times of `steps` of a table's indices 0 ... total - 1, then 0, spaced as diffusers' DDPM and DDIM name it.

    steps: from 1 to total. Returns (steps + 1,) float64; diffusers' index k is our time (k + 1) / total.
    spacing: "leading" starts at the clean end, "trailing" at the noisy end, "linspace" has both (Lin et al. 2024,
        Table 2).
    total: the number of entries of the table.
    offset: added to leading indices, as `steps_offset` does.

    Raises ValueError for others, and where an index would lie beyond the table.
    """
    choice("spacing", spacing, ("leading", "trailing", "linspace"))
    steps = whole("steps", steps, 1, whole("total", total))
    count = torch.arange(steps - 1, -1, -1, dtype=torch.float64)
    if spacing == "leading":
        k = count * (total // steps) + whole("offset", offset, 0, total - 1 - (steps - 1) * (total // steps))
    elif spacing == "trailing":
        k = ((count + 1) * (total / steps)).round() - 1
    else:
        k = torch.linspace(total - 1, 0, steps, dtype=torch.float64).round()
    return torch.cat([(k + 1) / total, torch.zeros(1, dtype=torch.float64)])
