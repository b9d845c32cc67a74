"""The same walk twice: our samplers and the schedulers of diffusers, compared state by state.

    pip install -e ".[test]"
    python -m tests.peers.conformance

Both sides start from the same noise, ask the same network and draw the same fresh noise. What is printed, and bounded in
tests/peers/test_diffusers.py, is the largest difference between the states of the two walks. Each case runs in two precisions:

    float64   Their own code, read so that float32 means float64 (they keep tables and noise levels in float32 whatever
              the sample is, and some cast the sample too), against ours in float64. Relative to the largest value in
              the same state. No formula can hide a difference behind rounding.
    float32   Their code as it is, against ours in float32. Relative to the largest value in the walk, because Euler and
              Heun walk in EDM's coordinates, x / alpha, which may shrink from 20,000 to 1, losing digits on both sides.

Where we mean to differ, the difference is in KNOWN, with what must be changed on our side to reproduce theirs; the list
is complete, since every case must agree. Noise levels and times come from their schedulers, but for DDPM and DDIM,
whose times are ours.
"""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from inspect import signature
from itertools import cycle, pairwise
from unittest.mock import patch

import diffusers
import numpy as np
import torch
from torch import Tensor, nn

from minidiff.guidance import clip, threshold
from minidiff.notation import ZERO_SNR, from_diffusers, index_times
from minidiff.predictions import AnyDenoiser, Denoiser, LearnedDenoiser, Prediction, on_path, solve
from minidiff.samplers import (
    Step,
    ddim_step,
    ddpm_step,
    euler_step,
    forward_std,
    heun_step,
    learned_std,
    noise_like,
    remix,
    renoise_step,
    sample,
)
from minidiff.schedules import Schedule, angle, edm, evaluate, flow, shifted_times, uniform_times
from minidiff.solvers import churned, dpm_solver_2m, dpm_solver_3m, unipc, weighted_average

SHAPE = (3, 2, 3, 3)
T = 1000
FLOAT64 = 1e-10
FLOAT32 = {
    "ddpm": 2e-4,
    "ddim": 2e-4,
    "2m": 2e-4,
    "2m sde": 2e-4,
    "unipc": 2e-4,
    "euler": 1e-5,
    "ancestral": 1e-5,
    "heun": 2e-5,
    "flow": 1e-6,
    "flow noise": 2e-4,  # as LCM, with the same step: its x0 goes through the network again and again, which magnifies
    "lcm": 2e-4,
}
STEEP = (
    1000  # what rounding may be magnified where Euler and Heun begin at sigma = 20,000, at their first step down to 6
)

SCHEDULERS = {
    "ddpm": diffusers.DDPMScheduler,
    "ddim": diffusers.DDIMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "ancestral": diffusers.EulerAncestralDiscreteScheduler,
    "heun": diffusers.HeunDiscreteScheduler,
    "2m": diffusers.DPMSolverMultistepScheduler,
    "2m sde": partial(diffusers.DPMSolverMultistepScheduler, algorithm_type="sde-dpmsolver++"),
    "unipc": diffusers.UniPCMultistepScheduler,
    "flow": diffusers.FlowMatchEulerDiscreteScheduler,
    "flow noise": partial(diffusers.FlowMatchEulerDiscreteScheduler, stochastic_sampling=True),
    "lcm": partial(diffusers.LCMScheduler, original_inference_steps=T),
}
EDM = ("euler", "ancestral", "heun")  # whose coordinates are x / alpha
STEPS: dict[str, Callable[[], Step]] = {
    "ddpm": lambda: ddpm_step,
    "ddim": lambda: ddim_step,
    "euler": lambda: euler_step,
    "ancestral": lambda: partial(ddim_step, eta=1.0),
    "heun": lambda: heun_step,
    "2m": dpm_solver_2m,
    "2m sde": partial(dpm_solver_2m, 1.0),
    "unipc": unipc,
    "flow": lambda: euler_step,
    "flow noise": lambda: renoise_step,
    "lcm": lambda: renoise_step,
}


class Network(nn.Module):
    """What a trained network might say: a smooth guess at x0, beyond [-1, 1] now and then, as its target words it.

    With `learned`, a variance too, in as many channels again.
    """

    def __init__(self, target: str, learned: bool = False):
        super().__init__()
        size = math.prod(SHAPE[1:])
        self.mix = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64, generator=seed(2)))[0]
        self.target, self.learned = target, learned

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        at, dtype = level.double().reshape(-1, 1, 1, 1) * math.pi / 2, x.dtype
        x, alpha, sigma = x.double(), at.cos(), at.sin()
        mixed = (x.flatten(1) @ self.mix).reshape(x.shape)
        x0 = 1.6 * torch.tanh(mixed + 0.5 * sigma)
        eps = (x - alpha * x0) / sigma
        words = {"x0": x0, "eps": eps, "v": alpha * eps - sigma * x0, "velocity": eps - x0}
        variance = [torch.sin(3 * mixed)] if self.learned else []
        return torch.cat([words[self.target], *variance], 1).to(dtype)


def seed(value: int) -> torch.Generator:
    return torch.Generator().manual_seed(value)


@dataclass(frozen=True)
class Case:
    """One walk: their scheduler and its settings, and how ours is to be changed, if it is."""

    sampler: str
    steps: int
    config: dict = field(default_factory=dict)  # of their scheduler
    options: dict = field(default_factory=dict)  # of their scheduler's step
    guess: Callable[[AnyDenoiser], AnyDenoiser] = lambda denoiser: denoiser
    step: Callable[[], Step] | None = None
    times: Tensor | None = None

    def difference(self, double: bool = True) -> float:
        """The largest in any state, relative to the largest value there, or in float32 to the largest in the walk."""
        theirs, ours = (torch.stack(walk).flatten(1) for walk in (self.theirs(double), self.ours(double)))
        assert theirs.shape == ours.shape and theirs.dtype == ours.dtype == (torch.float64 if double else torch.float32)
        sizes = theirs.abs().amax(1)
        return float(((theirs - ours).abs().amax(1) / (sizes if double else sizes.max())).max())

    def bound(self, double: bool = True) -> float:
        steep = self.sampler in EDM and self.config["beta_schedule"] == "squaredcos_cap_v2"
        return (FLOAT64 if double else FLOAT32[self.sampler]) * (STEEP if steep else 1)

    def changed(self, **ours) -> float:
        """The difference, if something on our side were otherwise."""
        return replace(self, **ours).difference()

    def scheduler(self, double: bool = True):
        with read_in_float64(self.sampler) if double else nullcontext():
            scheduler = SCHEDULERS[self.sampler](**self.config)
            scheduler.set_timesteps(self.steps)
        return scheduler

    def network(self, target: str) -> Network:
        return Network(target, self.config.get("variance_type") == "learned_range")

    def first(self, scheduler, double: bool) -> Tensor:
        size = float(getattr(scheduler, "init_noise_sigma", 1.0))
        x = size * torch.randn(SHAPE, dtype=torch.float64, generator=seed(0))
        return x if double else x.float()

    def theirs(self, double: bool) -> list[Tensor]:
        """Their states: after each step, where Heun's takes two calls."""
        scheduler = self.scheduler(double)
        net = self.network(known_path(scheduler)[1])
        options = self.options | ({"generator": seed(1)} if "generator" in signature(scheduler.step).parameters else {})
        x, states = self.first(scheduler, double), []
        with read_in_float64(self.sampler) if double else nullcontext():
            for i, k in enumerate(scheduler.timesteps):
                out = net(*self.seen(scheduler, i, k, x))
                x = scheduler.step(out, k, x, **options).prev_sample
                half = getattr(scheduler, "dt", None) is not None  # of a step of Heun's; the last is Euler's
                if not half or i == len(scheduler.timesteps) - 1:
                    states.append(x)
        return states

    def seen(self, scheduler, i: int, k: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """What their network is shown at the i-th call: unit variance, and the noise angle by their tables."""
        if not hasattr(scheduler, "sigmas"):
            bar = float(scheduler.alphas_cumprod[k])
            alpha, sigma = math.sqrt(bar), math.sqrt(1 - bar)
        else:
            sigma = float(scheduler.sigmas[i])
            alpha = 1 - sigma if is_flow(scheduler) else 1.0
        size = math.hypot(alpha, sigma)  # ours divides by it on flows too; diffusers leaves that to the network
        x = x / size if is_flow(scheduler) else scheduler.scale_model_input(x, k)
        return x, torch.full((1,), angle(alpha, sigma), dtype=x.dtype)

    def ours(self, double: bool) -> list[Tensor]:
        scheduler = self.scheduler(double)
        schedule, target = known_path(scheduler)
        denoiser = self.guess(LearnedDenoiser(self.network(target), schedule, target))
        denoiser = on_path(denoiser, edm) if self.sampler in EDM else denoiser
        times = times_of(scheduler, self) if self.times is None else self.times
        step = (self.step or STEPS[self.sampler])()
        return list(sample(step, denoiser, self.first(scheduler, double), times, generator=seed(1)))


def known_path(scheduler) -> tuple[Schedule, str]:
    """from_diffusers, but with one schedule for equal betas, since times are looked up in it again and again."""
    schedule, target = from_diffusers(scheduler.config)
    betas = tuple(scheduler.config.get(name) for name in ("beta_schedule", "beta_start", "beta_end", ZERO_SNR))
    return (schedule if schedule is flow else TABLES.setdefault(betas, schedule)), target


TABLES: dict[tuple, Schedule] = {}


class Reads:
    """A library in which float32 means float64."""

    def __init__(self, library):
        self.library = library

    def __getattr__(self, name: str):
        return getattr(self.library, "float64" if name == "float32" else name)


@contextmanager
def read_in_float64(sampler: str) -> Iterator[None]:
    """Their module, as if its authors had written float64 wherever they wrote float32."""
    scheduler = SCHEDULERS[sampler]
    module = sys.modules[getattr(scheduler, "func", scheduler).__module__]
    torch.set_default_dtype(torch.float64)
    try:
        with patch.multiple(module, torch=Reads(torch), np=Reads(np)):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def is_flow(scheduler) -> bool:
    return "beta_schedule" not in scheduler.config or bool(scheduler.config.get("use_flow_sigmas"))


def times_of(scheduler, case: Case) -> Tensor:
    """Our times of their walk: a noise level on EDM's path and on that of flow matching, (k + 1) / T on a table."""
    if case.sampler in ("ddpm", "ddim"):
        return index_times(case.steps, scheduler.config.timestep_spacing, T, scheduler.config.steps_offset)
    if case.sampler == "lcm":
        return index_times(case.steps, "trailing")
    if case.sampler == "heun":
        return torch.cat([scheduler.sigmas[:1], scheduler.sigmas[1::2]]).double()  # theirs come in pairs
    if case.sampler in EDM or is_flow(scheduler):
        return scheduler.sigmas.double()
    return data_at_the_end((scheduler.timesteps.double() + 1) / T)


def data_at_the_end(times: Tensor) -> Tensor:
    return torch.cat([times, torch.zeros(1, dtype=torch.float64)])


def table(prediction: str = "epsilon", betas: str = "linear", spacing: str = "leading", **more) -> dict:
    ends = (0.00085, 0.012) if betas == "scaled_linear" else (1e-4, 0.02)
    return {"prediction_type": prediction, "beta_schedule": betas, "beta_start": ends[0], "beta_end": ends[1],
            "timestep_spacing": spacing, **more}  # fmt: skip


def nine(sampler: str, spacings: tuple, *turns) -> Iterator[Case]:
    """An orthogonal array: any two of steps, outputs, betas and spacings meet in all their nine combinations.

    turns: changes of a case, which take turns.
    """
    outputs, betas = ("epsilon", "sample", "v_prediction"), ("linear", "scaled_linear", "squaredcos_cap_v2")
    for i, turn in zip(range(9), cycle(turns or [lambda case: case])):
        a, b = i % 3, i // 3
        spacing, offset = spacings[(a + 2 * b) % 3]
        config = table(outputs[b], betas[(a + b) % 3], spacing, steps_offset=offset)
        if sampler in ("ddpm", "ddim"):
            config["clip_sample"] = False
        yield turn(Case(sampler, (10, 50, 250)[a], config))


def with_(config: dict | None = None, **changes) -> Callable[[Case], Case]:
    """A change of a case: settings of their scheduler, and the like on our side."""
    return lambda case: replace(case, config=case.config | (config or {}), **changes)


LEADING, SHIFTED, TRAILING, LINSPACE = ("leading", 0), ("leading", 1), ("trailing", 0), ("linspace", 0)
ALL = (LEADING, TRAILING, LINSPACE)
CLIP = {"clip_sample": True, "clip_sample_range": 1.1}
DYNAMIC = {"thresholding": True, "sample_max_value": math.inf, "dynamic_thresholding_ratio": 0.9}
clipped, limited = partial(clip, low=-1.1, high=1.1), partial(threshold, quantile=0.9)
BOUNDARY = {"timestep_scaling": 1e12}  # which leaves nothing of its boundary condition
RENEW = {"use_clipped_model_output": True}
OWN_FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}


def ddim_with(eta: float, **more) -> Callable[[Case], Case]:
    options = {"eta": eta} | more.pop("options", {})
    return with_(more.pop("config", None), options=options, step=lambda: partial(ddim_step, eta=eta), **more)


CASES = [
    *nine(
        "ddpm",
        (LEADING, LINSPACE, LEADING),
        with_({"variance_type": "fixed_small"} | CLIP, guess=clipped),
        with_({"variance_type": "fixed_large"}, step=lambda: partial(ddpm_step, variance="large")),
        with_({"variance_type": "learned_range"}, step=lambda: partial(ddpm_step, variance="learned")),
        with_({"variance_type": "fixed_small"}),
        with_({"variance_type": "fixed_small"} | DYNAMIC, guess=limited),
    ),
    *nine(
        "ddim",
        (LEADING, TRAILING, SHIFTED),
        ddim_with(0.0),
        ddim_with(0.5, config=CLIP, guess=partial(clipped, keep_eps=True)),
        ddim_with(1.0),
        ddim_with(0.0, config=CLIP, options=RENEW, guess=clipped),
        ddim_with(0.5, config=DYNAMIC, options=RENEW, guess=limited),
        ddim_with(1.0, config=DYNAMIC, guess=partial(limited, keep_eps=True)),
        ddim_with(0.5),
    ),
    *nine("euler", ALL),
    *(case for case in nine("ancestral", ALL) if case.config["prediction_type"] != "sample"),  # which theirs has not
    *nine("heun", ALL, with_(), with_(CLIP, guess=clipped)),
    *nine("2m", ALL, with_(), with_(DYNAMIC, guess=limited)),
    *nine("2m sde", ALL, with_(), with_(DYNAMIC, guess=limited)),
    *nine("unipc", ALL, with_(), with_(DYNAMIC, guess=limited)),
    *(Case("flow", steps, {"shift": shift}) for steps, shift in ((10, 1.0), (50, 3.0), (250, 1.0))),
    *(Case("flow noise", steps, {"shift": shift}) for steps, shift in ((10, 1.0), (50, 3.0), (250, 1.0))),
    *nine("lcm", ALL, with_(BOUNDARY), with_(BOUNDARY | CLIP, guess=clipped)),
    *(
        ddim_with(eta)(
            Case("ddim", 10, table("v_prediction", spacing="trailing", clip_sample=False, **{ZERO_SNR: True}))
        )
        for eta in (0.0, 0.5)
    ),
    Case("2m", 20, OWN_FLOW),
    Case("2m sde", 20, OWN_FLOW | {"flow_shift": 3.0}),
    Case("unipc", 20, OWN_FLOW | {"flow_shift": 3.0}),
]


# ---- where we mean to differ -------------------------------------------------------------------------------------

Known = Callable[[], tuple[float, float]]  # the difference as it is, and with the change on our side
KNOWN: list[Known] = []


def known(difference: Known) -> Known:
    KNOWN.append(difference)
    return difference


def fixed_distance(steps: int) -> Step:
    def step(denoiser, x_t: Tensor, t: float, s: float, *, generator=None) -> Tensor:
        return ddim_step(denoiser, x_t, t, max(round(t * T) - T // steps, 0) / T)

    return step


@known
def ddim_goes_a_fixed_distance() -> tuple[float, float]:
    """DDIM goes from index k to k - T // steps, which with "linspace" is not the index it looks at next."""
    case = Case("ddim", 50, table(spacing="linspace", clip_sample=False))
    return case.difference(), case.changed(step=lambda: fixed_distance(50))


@known
def ddim_goes_a_fixed_distance_where_the_steps_do_not_divide_t() -> tuple[float, float]:
    """The same with "trailing", if the number of steps does not divide T."""
    case = Case("ddim", 30, table(spacing="trailing", clip_sample=False))
    return case.difference(), case.changed(step=lambda: fixed_distance(30))


def noisy_end(variance: str) -> Step:
    def step(denoiser, x_t: Tensor, t: float, s: float, *, generator=None) -> Tensor:
        x_s = ddpm_step(denoiser, x_t, t, s, variance=variance, generator=generator)
        if s > 0:
            return x_s
        small, large = 1e-10, forward_std(denoiser.schedule, t, s)  # they keep variances from vanishing, at 1e-20
        fresh = {"small": small, "large": large}.get(variance) or learned_std(small, large, denoiser(x_t, t))
        return x_s + fresh * noise_like(x_t, generator)

    return step


def ddpm_ends_in_noise(variance: str, name: str) -> tuple[float, float]:
    config = table(spacing="trailing", clip_sample=False, variance_type=name)
    case = Case("ddpm", 10, config, step=lambda: partial(ddpm_step, variance=variance))
    return case.difference(), case.changed(step=lambda: noisy_end(variance))


@known
def ddpm_ends_in_large_noise() -> tuple[float, float]:
    """DDPM with the large variance adds noise to the data where the last index is not 0, as with "trailing"."""
    return ddpm_ends_in_noise("large", "fixed_large")


@known
def ddpm_ends_in_learned_noise() -> tuple[float, float]:
    """DDPM with a learned variance does so too."""
    return ddpm_ends_in_noise("learned", "learned_range")


@known
def ddpm_ends_in_small_noise() -> tuple[float, float]:
    """DDPM with the small variance does so too, but of spread 1e-10."""
    return ddpm_ends_in_noise("small", "fixed_small")


@known
def ddim_clips_x0_alone() -> tuple[float, float]:
    """DDIM clips x0 and keeps the eps that belonged to the old one, unless told `use_clipped_model_output`."""
    case = Case("ddim", 10, table() | CLIP, guess=clipped)
    return case.difference(), case.changed(guess=partial(clipped, keep_eps=True))


@known
def ddim_may_end_before_the_data() -> tuple[float, float]:
    """DDIM with `set_alpha_to_one=False` ends at index 0, our t = 1/T, and not at the data."""
    case = Case("ddim", 10, table(steps_offset=1, clip_sample=False, set_alpha_to_one=False))
    times = index_times(10, "leading", T, 1)
    times[-1] = 1 / T
    return case.difference(), case.changed(times=times)


def one_index_more(steps: int, spacing: str) -> Tensor:
    return data_at_the_end(index_times(steps + 1, spacing)[:-2])


@known
def solvers_leave_out_the_cleanest_index() -> tuple[float, float]:
    """DPM-Solver and UniPC space one index more, "linspace" and "leading", and leave out the cleanest."""
    cases = [Case(name, 10, table(spacing=spacing)) for name in ("2m", "unipc") for spacing in ("linspace", "leading")]
    plain = [case.changed(times=index_times(10, case.config["timestep_spacing"])) for case in cases]
    change = [case.changed(times=one_index_more(10, case.config["timestep_spacing"])) for case in cases]
    return min(plain), max(change)


def ratios(times: Tensor) -> Tensor:
    schedule, _ = from_diffusers(table())
    levels = (evaluate(schedule, t) for t in times.tolist())
    return torch.tensor([sigma / alpha for alpha, sigma in levels], dtype=torch.float64)


@known
def euler_looks_between_the_indices() -> tuple[float, float]:
    """Euler and Heun do not round the indices of "linspace", and draw a straight line between neighbouring sigmas."""
    between = np.interp(np.linspace(T - 1, 0, 50), np.arange(T), ratios(torch.arange(1, T + 1).double() / T))
    cases = [Case(name, 50, table(spacing="linspace")) for name in ("euler", "heun")]
    plain = [case.changed(times=ratios(index_times(50, "linspace"))) for case in cases]
    return min(plain), max(case.changed(times=data_at_the_end(torch.from_numpy(between))) for case in cases)


@known
def flow_goes_to_one_in_t_first() -> tuple[float, float]:
    """Flow matching spaces its steps from 1 to 1/T, so that the last is a very short one into the data."""
    case = Case("flow", 10)
    return case.changed(times=uniform_times(10)), case.changed(times=data_at_the_end(uniform_times(9, 1.0, 1 / T)))


@known
def flow_shifts_its_end_twice() -> tuple[float, float]:
    """Flow matching's `shift` is applied to the ends of the range, and to all of the range once more."""
    case = Case("flow", 10, {"shift": 3.0})
    once, twice = (data_at_the_end(shifted_times(9, 3.0, 1.0, last)) for last in (1 / T, 3 / T / (1 + 2 / T)))
    return case.changed(times=once), case.changed(times=twice)


@known
def solvers_never_start_from_pure_noise_on_flows() -> tuple[float, float]:
    """On flows DPM-Solver starts at t = 1 - 1/T, UniPC too or, in later versions, at 1 - 1e-6; we start at 1."""
    multistep, both = Case("2m", 20, OWN_FLOW), Case("unipc", 20, OWN_FLOW)
    below = data_at_the_end(1 - torch.linspace(1 / T, 1, 21, dtype=torch.float64)[:-1])
    almost = uniform_times(20, 1.0, 1 / T)[:-1]
    almost[0] -= 1e-6
    later = both.changed(times=data_at_the_end(almost))
    plain = [case.changed(times=uniform_times(20)) for case in (multistep, both)]
    return min(plain), max(multistep.changed(times=below), min(later, both.changed(times=below)))


def first_order_end(make: Callable[[], Step], end: float) -> Step:
    solver = make()

    def step(denoiser, x_t: Tensor, t: float, s: float, *, generator=None) -> Tensor:
        if s > end:
            return solver(denoiser, x_t, t, s)
        here = solver(denoiser, x_t, t, t)  # UniPC corrects x_t; 2M leaves it as it is
        return remix(denoiser.schedule, solve(here, denoiser(x_t, t).x0, "x0", denoiser.schedule, t), s)

    return step


@known
def solvers_end_in_first_order() -> tuple[float, float]:
    """With `final_sigmas_type="sigma_min"` UniPC's last step is of first order, and so is DPM-Solver's below 15 steps."""
    results = []
    for name, steps in (("2m", 10), ("unipc", 10), ("unipc", 50)):
        case = Case(name, steps, table(final_sigmas_type="sigma_min"))
        times = one_index_more(steps, "leading")
        times[-1] = 1 / T
        case = replace(case, times=times)
        results.append((case.difference(), case.changed(step=partial(first_order_end, STEPS[name], 1 / T))))
    plain, change = zip(*results, strict=True)
    return min(plain), max(change)


def half_bent(evaluations: list, start: float, end: float) -> Tensor:
    """The mean of a parabola with half of its bend: that of the parabola and that of its tangent, half each."""
    whole, (*_, before, here) = weighted_average(evaluations, start, end), evaluations
    slopes = [(b.x0 - a.x0) / (b.lambda_t - a.lambda_t) for a, b in pairwise(evaluations)]
    bend = (slopes[-1] - slopes[0]) / (here.lambda_t - evaluations[0].lambda_t)
    slope = slopes[-1] + bend * (here.lambda_t - before.lambda_t)
    further = here._replace(lambda_t=end, x0=here.x0 + slope * (end - here.lambda_t))
    return (whole + weighted_average([here, further], start, end)) / 2


def half_bent_3m() -> Step:
    solver = dpm_solver_3m()

    def step(denoiser, x_t: Tensor, t: float, s: float, *, generator=None) -> Tensor:
        with patch("minidiff.solvers.weighted_average", half_bent):
            return solver(denoiser, x_t, t, s)

    return step


@known
def third_order_takes_half_of_the_bend() -> tuple[float, float]:
    """DPM-Solver of third order takes half of the second difference of x0 that a parabola through three values has."""
    cases = [
        Case("2m", 20, table("sample", spacing=s, solver_order=3), step=dpm_solver_3m) for s in ("trailing", "linspace")
    ]
    return min(case.difference() for case in cases), max(case.changed(step=half_bent_3m) for case in cases)


@known
def lcm_keeps_some_of_x_t() -> tuple[float, float]:
    """LCM mixes x0 with a little of x_t, the boundary condition of a consistency model, 3e-5 of it at index 9 of 1,000."""

    def bounded(denoiser: AnyDenoiser) -> Denoiser:
        def predict(x_t: Tensor, t: float) -> Prediction:
            scaled = 10 * round(t * T - 1)
            keep, x0 = 0.25 / (scaled**2 + 0.25), denoiser(x_t, t).x0
            return Prediction(scaled / math.sqrt(scaled**2 + 0.25) * x0 + keep * x_t, x0)

        return Denoiser(denoiser.schedule, predict)

    case = Case("lcm", 100, table(clip_sample=False))
    return case.difference(), case.changed(guess=bounded)


@known
def euler_may_start_too_wide() -> tuple[float, float]:
    """Euler and Heun with "leading" start from noise of spread sqrt(sigma^2 + 1), not sigma: as if the data were N(0, 1)."""
    scheduler = Case("euler", 10, table()).scheduler()
    theirs, ours = float(scheduler.init_noise_sigma), evaluate(edm, float(scheduler.sigmas[0]))[1]
    return abs(theirs / ours - 1), abs(theirs / math.hypot(ours, 1.0) - 1)


@known
def tables_start_from_unit_noise() -> tuple[float, float]:
    """On tables they start from noise of spread 1, we from sigma_T, a little less."""
    scheduler = Case("ddim", 10, table(spacing="trailing")).scheduler()
    schedule, _ = known_path(scheduler)
    alpha, sigma = evaluate(schedule, 1.0)
    return abs(scheduler.init_noise_sigma / sigma - 1), abs(scheduler.init_noise_sigma / math.hypot(alpha, sigma) - 1)


@known
def thresholding_is_clipping_unless_told() -> tuple[float, float]:
    """Dynamic thresholding with their default `sample_max_value=1` is nothing but clipping at 1."""
    case = Case("2m", 10, table(thresholding=True, dynamic_thresholding_ratio=0.9), guess=limited)
    return case.difference(), case.changed(guess=clip)


def noise_after_the_network(gamma: float) -> Step:
    def step(denoiser, x_t: Tensor, t: float, s: float, *, generator=None) -> Tensor:
        eps, up = denoiser(x_t, t).eps, (1 + gamma) * t
        return x_t + forward_std(denoiser.schedule, up, t) * noise_like(x_t, generator) + (s - up) * eps

    return step


@known
def euler_churns_after_the_network() -> tuple[float, float]:
    """Euler with `s_churn` asks the network before the noise is added, not after, as EDM's Algorithm 2 and we do."""
    case = Case("euler", 10, table(), options={"s_churn": 1.0}, step=lambda: churned(euler_step, 1 / 10))
    return case.difference(), case.changed(step=lambda: noise_after_the_network(1 / 10))


def sentence(difference: Known) -> str:
    return " ".join(difference.__doc__.split())


def setting(case: Case) -> str:
    hidden = (
        "steps_offset",
        "beta_start",
        "beta_end",
        "clip_sample_range",
        "dynamic_thresholding_ratio",
        "sample_max_value",
    )
    words = []
    for key, value in (case.config | case.options).items():
        if key not in hidden and value is not False:
            words.append(value if isinstance(value, str) else key if value is True else f"{key}={value:g}")
    return " ".join(words)


def main() -> None:
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}\n")
    print(f"{'sampler':8}{'steps':>5}  {'setting':68}{'float64':>8}{'bound':>8}{'float32':>9}{'bound':>8}")
    for case in CASES:
        columns = [f"{case.difference(double):>8.0e}{case.bound(double):>8.0e}" for double in (True, False)]
        print(f"{case.sampler:8}{case.steps:>5}  {setting(case):68}{' '.join(columns)}", flush=True)
    print("\nKnown differences: as we are, and with the change that reproduces theirs\n")
    for difference in KNOWN:
        plain, change = difference()
        print(f"{plain:>8.0e}{change:>8.0e}  {sentence(difference)}", flush=True)


if __name__ == "__main__":
    main()
