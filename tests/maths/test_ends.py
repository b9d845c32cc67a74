"""The ends of time, as laws: every schedule, target, step, direction and dtype gives finite numbers or one sentence.

From the last time down to 0 and from 0 up; on Gaussian data the trajectory is known in closed form. Beside them, what
cannot be meant: other libraries' times, names instead of functions, networks that answer something else.
"""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minidiff import schedules
from minidiff.exact import of_gaussian
from minidiff.notation import betas
from minidiff.predictions import TARGETS, LearnedDenoiser, coefficients
from minidiff.samplers import ddim_step, ddpm_step, euler_step, heun_step, last, sample, sde_step
from minidiff.schedules import (
    SCHEDULES,
    cosine,
    edm,
    evaluate,
    from_betas,
    karras_times,
    log_snr,
    rates,
    start,
    t_max,
    uniform_times,
)
from minidiff.solvers import churned, corrected, dpm_solver_2m, unipc


def own_vp(t):
    """A reader's own: leaves the data vertically, reaches the noise vertically, and alpha is computed from sigma."""
    return (1 - t).sqrt(), t.sqrt()


def own_ve(t):
    """A reader's own variance-exploding path, whose alpha is a number and whose noise grows as t^2."""
    return 1.0, t**2


own_ve.t_max = 9.0


class Learned(nn.Module):
    """A schedule with a parameter."""

    def __init__(self):
        super().__init__()
        self.k = nn.Parameter(torch.tensor(1.3, dtype=torch.float64))

    def forward(self, t):
        return torch.cos(math.pi / 2 * t**self.k).clamp(min=0), torch.sin(math.pi / 2 * t**self.k)


PATHS = {
    **SCHEDULES, "table": from_betas(betas()), "zero snr": from_betas(betas("squaredcos_cap_v2")),
    "own vp": own_vp, "own ve": own_ve, "learned": Learned(),
}  # fmt: skip
STEPS = {
    "ddim": lambda: ddim_step, "ddim, eta": lambda: partial(ddim_step, eta=1.0), "ddpm": lambda: ddpm_step,
    "ddpm, large": lambda: partial(ddpm_step, variance="large"), "euler": lambda: euler_step,
    "heun": lambda: heun_step, "sde": lambda: sde_step, "2m": dpm_solver_2m, "2m, eta": partial(dpm_solver_2m, 1.0),
    "unipc": unipc, "unipc 3": partial(unipc, 3), "churned": lambda: churned(heun_step, 0.05),
    "corrected": lambda: corrected(ddim_step),
}  # fmt: skip
UP = ("ddim", "euler", "heun", "2m", "unipc", "unipc 3")  # the rest draws noise, which has no meaning upwards
each_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def seed(value=7):
    return torch.Generator().manual_seed(value)


def sentence(error, words=5):
    """One sentence of minidiff's own."""
    frame = error.__traceback__
    while frame.tb_next:
        frame = frame.tb_next
    return "minidiff" in frame.tb_frame.f_code.co_filename and len(str(error).split()) >= words


def finite_or_sentence(call):
    """What call() gives, which must be finite; None where it is refused in a sentence."""
    try:
        result = call()
    except (ValueError, TypeError) as error:
        assert sentence(error), error
        return None
    assert result.isfinite().all()
    return result


@each_path
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_schedule_keeps_its_sense_at_its_ends(path, dtype):
    """Finite, falling signal, rising noise, finite slopes and targets, down to the smallest times that there are."""
    close = torch.cat([torch.zeros(1), torch.logspace(-12, -1, 300), 1 - torch.logspace(-1, -12, 300), torch.ones(1)])
    t = (t_max(path) * close.double()).to(dtype)
    alpha, sigma = schedules.pair(path, t)
    for c in (alpha, sigma, *rates(path, t)):
        assert c.dtype == dtype and c.isfinite().all()
    assert (alpha >= 0).all() and (sigma >= 0).all()
    assert (alpha.diff() <= 1e-2 * (dtype.itemsize == 2)).all() and (
        sigma.diff() >= -1e-2 * (dtype.itemsize == 2)
    ).all()
    assert not log_snr(path, t).isnan().any()
    for target in TARGETS:
        assert all(c.isfinite().all() for c in coefficients(target, path)(t))


@pytest.mark.parametrize("path", SCHEDULES.values(), ids=SCHEDULES)
def test_float32_is_float64_rounded_near_the_ends_too(path):
    """To 20 roundings; but to 1e-7 of alpha on cosine, whose bits inside are those of torch's float32 cosine."""
    t = t_max(path) * torch.cat([torch.logspace(-7, -1, 200), 1 - 2.0 ** -torch.arange(1, 24)])
    for single, double, atol in zip(path(t), path(t.double()), (1.1e-7 * (path is cosine), 0), strict=True):
        assert_close(single.double(), double, rtol=20 * 2**-24, atol=atol)
    assert path is edm or path(torch.ones(()))[0] >= 0


@each_path
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", STEPS)
def test_an_exact_trajectory_from_the_last_time_is_finite_and_ends_in_the_data(path, name, dtype):
    """Data N(0.5, 0.3^2): 40 steps from pure noise end near it, or the step is refused in a sentence."""
    end, times = t_max(path), uniform_times(40, t_max(path))
    if path in (edm, own_ve):
        times = karras_times(40, 0.01, evaluate(path, end)[1], schedule=path)
    x, denoiser = start(path, end, (2000, 1), seed(1)).to(dtype), of_gaussian(0.5, 0.3, path)
    x0 = finite_or_sentence(lambda: last(sample(STEPS[name](), denoiser, x, times, generator=seed())))
    if x0 is None:  # the reverse SDE has no drift where no signal is left, and churn cannot climb above the last time
        assert name in ("sde", "churned")
        return
    assert x0.dtype == dtype
    assert abs(float(x0.mean()) - 0.5) < 0.12 and 0.1 < float(x0.std()) < 0.42


@each_path
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", STEPS)
def test_inversion_from_clean_data_to_the_last_time_is_finite_and_keeps_the_quantile(path, name, dtype):
    """(x - mean) / std is the same at both ends of the probability-flow ODE. What draws noise is refused upwards."""
    end, x = t_max(path), torch.linspace(-0.1, 1.1, 5, dtype=dtype)[:, None]
    grid = end * uniform_times(100).flip(0) ** 2  # small steps near the data
    climb = lambda: last(sample(STEPS[name](), of_gaussian(0.5, 0.3, path), x, grid, generator=seed()))
    if name not in UP:
        with pytest.raises(ValueError, match="towards more noise"):
            climb()
        return
    x_t = finite_or_sentence(climb)
    assert x_t is not None and x_t.dtype == dtype
    alpha, sigma = evaluate(path, end)
    want = alpha * 0.5 + math.hypot(0.3 * alpha, sigma) * (x - 0.5) / 0.3
    assert_close(x_t, want, rtol=0.15, atol=0.1 * sigma)


class Smooth(nn.Module):
    """What a network might say: smooth and of size 1."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(1.5))

    def forward(self, x, level):
        return torch.sin(self.a * x + level[:, None])


@each_path
@pytest.mark.parametrize("target", TARGETS)
def test_a_network_of_any_target_is_sampled_and_inverted_on_every_path(path, target):
    """Finite and of sane size, or a sentence, which v never needs but from a step that cannot be meant."""
    end, denoiser = t_max(path), LearnedDenoiser(Smooth(), path, target)
    x, size, down = start(path, end, (50, 2), seed()), evaluate(path, end)[1], uniform_times(20, end)
    for name, make in STEPS.items():
        for begin, times in ((x, down), (x / size, down.flip(0))):
            for dtype in (torch.float32, torch.float64, torch.bfloat16)[: 3 if name == "heun" else 1]:
                run = partial(sample, make(), denoiser, begin.to(dtype), times, generator=seed())
                got = finite_or_sentence(lambda run=run: last(run()))
                if got is None:
                    refused = name in ("sde", "churned") or (times[0] == 0 and name not in UP)
                    assert refused or target in ("eps", "x0") or path is own_ve, name
                    continue
                assert got.dtype == dtype
                if target not in ("eps", "x0") and name in UP:
                    assert float(got.abs().max()) < 30 * size, name
