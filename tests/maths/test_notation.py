"""The dictionary against the papers' own formulas, and against tables of other codes."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minidiff.exact import of_gaussian
from minidiff.guidance import given
from minidiff.notation import (
    CLOCKS,
    OUTPUTS,
    OwnClock,
    betas,
    convert_output,
    drift_and_diffusion,
    from_diffusers,
    rescale,
    time_of,
    translate,
)
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import SCHEDULES, cosine, edm, evaluate, flow, from_betas, linear_beta, zero_snr

X_T = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("source", CLOCKS)
@pytest.mark.parametrize("goal", CLOCKS)
def test_there_and_back(source, goal):
    value = translate(0.37, "ratio", source)
    assert_close(translate(translate(value, source, goal), goal, source), value, rtol=1e-12, atol=0)


def test_one_place_in_every_language():
    """Half signal, half noise: alpha = sigma."""
    want = {"ratio": 1, "angle": 0.5, "log_snr": 0, "lambda": 0, "alpha_bar": 0.5, "sigma_edm": 1, "sigma_ve": 1, "flow": 0.5,
            "flow_reversed": 0.5}  # fmt: skip
    assert want.keys() == CLOCKS.keys()
    for name, value in want.items():
        assert_close(translate(1.0, "ratio", name), float(value))


@pytest.mark.parametrize("clock, curve", [
    ("alpha_bar", lambda a, s: a**2 / (a**2 + s**2)),
    ("log_snr", lambda a, s: math.log(a**2 / s**2)),
    ("lambda", lambda a, s: math.log(a / s)),
    ("sigma_edm", lambda a, s: s / a),
    ("flow", lambda a, s: s / (a + s)),
    ("flow_reversed", lambda a, s: a / (a + s)),
    ("angle", lambda a, s: math.degrees(math.atan2(s, a)) / 90),
])  # fmt: skip
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_each_clock_finds_our_time(clock, curve, schedule):
    for t in (0.05, 0.4, 0.9):
        assert_close(time_of(curve(*evaluate(schedule, t)), clock, schedule), t, rtol=1e-9, atol=0)


def test_the_direction_of_time():
    """Lipman's clock runs from noise to data: later on ours is earlier on theirs."""
    assert translate(0.9, "flow", "flow_reversed") == pytest.approx(0.1)
    assert translate(0.2, "flow", "sigma_edm") < translate(0.3, "flow", "sigma_edm")
    assert translate(1.0, "log_snr", "ratio") > translate(2.0, "log_snr", "ratio")


def test_unknown_clocks_are_refused():
    with pytest.raises(ValueError, match="a clock must be one of 'ratio', .* got 'snr'"):
        translate(1.0, "snr", "ratio")


@pytest.mark.parametrize("source, goal", [(cosine, flow), (flow, cosine), (flow, edm), (edm, flow)])
def test_a_sample_keeps_its_ingredients_on_another_path(source, goal):
    x0, eps = X_T, X_T.flip(0)
    (alpha, sigma), t = evaluate(source, 0.3), 0.3
    s = time_of(sigma / alpha, "ratio", goal)
    alpha_s, sigma_s = evaluate(goal, s)
    assert_close(rescale(alpha * x0 + sigma * eps, source, t, goal, s), alpha_s * x0 + sigma_s * eps)


def test_every_output_reads_as_every_other():
    x0, eps = of_gaussian(0.5, 0.8, cosine)(X_T, 0.4)
    alpha, sigma = evaluate(cosine, 0.4)
    d_alpha, d_sigma = -math.pi / 2 * sigma, math.pi / 2 * alpha
    papers = {
        "epsilon": eps, "sample": x0, "v_prediction": alpha * eps - sigma * x0,
        "flow_prediction": d_alpha * x0 + d_sigma * eps, "flow_reversed": -d_alpha * x0 - d_sigma * eps,
        "edm_F": sigma * x0 - alpha * eps, "edm_D": x0,
    }  # fmt: skip
    assert papers.keys() == OUTPUTS.keys()
    for source, out in papers.items():
        for goal, want in {**papers, "score": -eps / sigma}.items():
            assert_close(convert_output(out, X_T, source, goal, cosine, 0.4), want)


def test_the_score_is_the_slope_of_log_p():
    denoiser, (alpha, sigma) = of_gaussian(0.5, 0.8, cosine), evaluate(cosine, 0.4)
    got = convert_output(denoiser(X_T, 0.4).x0, X_T, "sample", "score", cosine, 0.4)
    assert_close(got, -(X_T - alpha * 0.5) / (0.64 * alpha**2 + sigma**2))


def test_drift_and_diffusion_of_the_score_sde():
    """Song et al. 2021: VP f = -beta / 2, g = sqrt(beta) (Eq. 11); EDM's VE in time sigma: f = 0, g = sqrt(2 sigma)."""
    for t in (0.1, 0.5, 0.9):
        beta = 0.1 + t * (20 - 0.1)
        assert_close(drift_and_diffusion(linear_beta, t), (-beta / 2, math.sqrt(beta)), rtol=1e-9, atol=0)
    assert_close(drift_and_diffusion(edm, 3.0), (0.0, math.sqrt(6.0)))
    assert_close(drift_and_diffusion(flow, 0.25), (-1 / 0.75, math.sqrt(2 * 0.25 / 0.75)))


def test_betas_by_diffusers_names():
    assert_close(betas()[[0, 999]], torch.tensor([1e-4, 0.02], dtype=torch.float64))
    first, final = math.sqrt(0.00085), math.sqrt(0.012)  # Stable Diffusion's
    assert float(betas("scaled_linear", 0.00085, 0.012)[500]) == pytest.approx(
        (first + 500 / 999 * (final - first)) ** 2
    )
    cosine_bar = torch.cumprod(1 - betas("squaredcos_cap_v2"), 0)
    f = lambda u: math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
    assert_close(cosine_bar[499], torch.tensor(f(0.5) / f(0), dtype=torch.float64))
    assert float(betas("squaredcos_cap_v2").max()) == 0.999
    with pytest.raises(ValueError, match="beta_schedule must be one of"):
        betas("exp")


def test_a_configuration_becomes_schedule_and_target():
    config = {"num_train_timesteps": 500, "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.04}
    schedule, target = from_diffusers({**config, "prediction_type": "v_prediction"})
    want = from_betas(torch.linspace(1e-4, 0.04, 500, dtype=torch.float64))
    assert target == "v"
    assert evaluate(schedule, 0.3) == evaluate(want, 0.3)
    assert from_diffusers({"num_train_timesteps": 1000, "shift": 1.0}) == (flow, "velocity")
    solver = {**config, "use_flow_sigmas": True}  # DPM-Solver and UniPC have betas even then
    assert from_diffusers({**solver, "prediction_type": "flow_prediction"}) == (flow, "velocity")
    assert from_diffusers({**solver, "prediction_type": "sample"}) == (flow, "x0")
    with pytest.raises(ValueError, match="unknown prediction_type 'flow_prediction' for this path"):
        from_diffusers({**config, "prediction_type": "flow_prediction"})
    with pytest.raises(ValueError, match="from_betas"):
        from_diffusers({**config, "trained_betas": torch.full((3,), 0.1)})
    rescaled, _ = from_diffusers({**config, "rescale_betas_zero_snr": True})
    assert evaluate(rescaled, 0.3) == evaluate(from_betas(zero_snr(betas(**config))), 0.3)
    assert evaluate(rescaled, 1.0)[0] < 1e-17 < evaluate(want, 1.0)[0]
    with pytest.raises(ValueError, match="rescale_betas_zero_snr must be True or False"):
        from_diffusers({**config, "rescale_betas_zero_snr": "yes"})
    assert evaluate(
        from_diffusers({**config, "rescale_betas_zero_snr": False, "trained_betas": None})[0], 0.3
    ) == evaluate(want, 0.3)
    with pytest.raises(ValueError, match="unknown prediction_type 'score'"):
        from_diffusers({"beta_schedule": "linear", "prediction_type": "score"})


class Listener(nn.Module):
    """A network with a clock of indices: it keeps what it was told, and answers as those of diffusers do."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, x, index, **condition):
        self.told.append((index, condition))
        return SimpleNamespace(sample=0 * x)


TABLES = {
    "linear": from_betas(betas()), "cosine": from_betas(betas("squaredcos_cap_v2")),
    "zero snr": from_betas(zero_snr(betas())), "500": from_betas(betas(num_train_timesteps=500)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", TABLES)
def test_a_network_is_asked_at_its_own_indices(name, dtype):
    """At t = (k + 1) / T it is told k, to the bit, for every k of the table, and in training too."""
    net, total = Listener(), 500 if name == "500" else 1000
    denoiser = LearnedDenoiser(OwnClock(net, TABLES[name], total), TABLES[name], "v")
    x, every = torch.zeros(1, 1, dtype=dtype), torch.arange(total, dtype=dtype)
    for k in range(0, total, 7):
        denoiser.output(x, (k + 1) / total)
        assert net.told.pop()[0].tolist() == [k]
    denoiser.output(x.expand(total, 1), (every + 1) / total)
    assert_close(net.told.pop()[0], every, rtol=0, atol=0, check_dtype=False)


def test_between_its_indices_a_network_is_told_what_lies_between():
    net = Listener()
    denoiser = LearnedDenoiser(OwnClock(net, cosine), cosine)  # a new one, on a path without a table
    t = torch.tensor([0.0002, 0.1234, 0.5005, 0.99999])
    denoiser.output(torch.zeros(4, 1), t)
    assert_close(net.told[0][0], (1000 * t - 1).clamp(min=0), rtol=0, atol=0.02)
    assert net.told[0][0][2] != net.told[0][0][2].round()


def test_a_network_is_told_its_conditions_by_its_own_names():
    net = OwnClock(Listener(), cosine)
    net.nulls = {"class_labels": torch.tensor(10)}
    denoiser = LearnedDenoiser(net, cosine)
    for y, want in ((3, [3, 3]), (None, [10, 10])):
        given(denoiser, class_labels=y)(torch.zeros(2, 1), 0.5)
        assert net.net.told[-1][1]["class_labels"].tolist() == want
    with pytest.raises(ValueError, match="in half precision a noise angle is no index"):
        net(torch.zeros(1, 1).half(), torch.ones(1).half())
