"""The fault ladder: right parts are called right, on every schedule; planted faults are named."""

import math

import pytest
import torch
from torch import nn

import minidiff
from minidiff import MLP, LearnedDenoiser, cosine, ddim_step, denoising_loss, edm, flow, linear_beta, of_points, train
from minidiff.course import diagnose
from minidiff.schedules import evaluate

POINTS = minidiff.data.two_moons(1000, 0)
POINTS = getattr(POINTS, "x", POINTS)


@pytest.mark.parametrize("schedule", [cosine, flow, edm, linear_beta, minidiff.sigmoid], ids=lambda one: one.__name__)
def test_right_parts_are_called_right_on_every_schedule(schedule, capsys):
    found = diagnose(POINTS, schedule=schedule, step=ddim_step, loss=denoising_loss)
    assert found == {"schedule": "", "step": "", "loss": ""}
    assert capsys.readouterr().out == "right  schedule\nright  step\nright  loss\n"


@pytest.mark.parametrize("step", [
    minidiff.ddpm_step, minidiff.heun_step, minidiff.euler_step, minidiff.dpm_solver_2m(),
    lambda d, x, t, s, *, generator=None: ddim_step(d, x, t, s, eta=0.5 * (s > 0), generator=generator),
], ids=["ddpm", "heun", "euler", "2m", "half"])  # fmt: skip
def test_other_samplers_are_right_too(step):
    assert diagnose(POINTS, step=step) == {"step": ""}


def test_an_exact_denoiser_and_a_trained_one_are_right():
    assert diagnose(POINTS, denoiser=of_points(POINTS.double(), flow)) == {"denoiser": ""}
    torch.manual_seed(0)
    denoiser = LearnedDenoiser(MLP(dim=2), cosine, "v")
    for _ in train(denoiser, POINTS, steps=700, batch=256, seed=0):
        pass
    assert diagnose(POINTS, denoiser=denoiser) == {"denoiser": ""}


SCHEDULES = {
    "have changed places": lambda t: flow(t)[::-1],
    "which are squares: alpha and sigma are their roots": lambda t: tuple(one**2 for one in cosine(t)),
    "data should come through, with 1 and 0": lambda t: (0.8 * cosine(t)[0], cosine(t)[1]),
    "the noise does not grow after t = 0.5": lambda t: cosine(0.5 - (t - 0.5).abs()),
    "data shine through": lambda t: cosine(0.6 * t),
    "it gives no two numbers at every time": lambda t: (1 - t, (t - 0.5).sqrt()),
}  # fmt: skip


@pytest.mark.parametrize("said", SCHEDULES)
def test_a_wrong_schedule_is_named_and_the_sampler_is_not_blamed(said):
    found = diagnose(POINTS, schedule=SCHEDULES[said], step=ddim_step)
    assert said in found["schedule"] and found["step"] == ""


def stepped(change):
    """DDIM with a fault: what stands for (alpha_s, sigma_s), the time asked, the noise after."""

    def step(denoiser, x_t, t, s, *, generator=None):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(cosine, t), evaluate(cosine, s)
        return change(denoiser, x_t, t, s, alpha_t, sigma_t, alpha_s, sigma_s, generator)

    return step


def noise(x, generator):
    return torch.randn(x.shape, generator=generator, dtype=x.dtype)


STEPS = {
    "it adds noise in the last step": lambda d, x, t, s, at, st, a, b, g: ddim_step(d, x, t, s) + 0.05 * noise(x, g),
    "it asks the denoiser at another time than t": lambda d, x, t, s, at, st, a, b, g: a * d(x, s).x0 + b * d(x, s).eps,
    "where 2 alpha_s is": lambda d, x, t, s, at, st, a, b, g: (at if s > 0 else a) * d(x, t).x0 + b * d(x, t).eps,
    "where sigma_s is": lambda d, x, t, s, at, st, a, b, g: a * d(x, t).x0 + b**2 * d(x, t).eps,
    "what a step does with the guess in between": lambda d, x, t, s, at, st, a, b, g: a * d(x, t).x0.round() + b * d(x, t).eps,
}  # fmt: skip


@pytest.mark.parametrize("said", STEPS)
def test_a_wrong_step_is_named(said):
    found = diagnose(POINTS, step=stepped(STEPS[said]))
    assert said in found["step"]


def loss_with(seen, wanted, reduce=lambda e: e.flatten(1).mean(1)):
    def loss(denoiser, x0, t, eps):
        alpha, sigma = (one.reshape(-1, 1) for one in denoiser.schedule(t))
        return reduce((denoiser.output(seen(alpha, sigma, x0, eps), t) - wanted(alpha, sigma, x0, eps)).square())

    return loss


right = lambda a, s, x0, eps: a * x0 + s * eps
LOSSES = [
    (loss_with(right, lambda a, s, x0, eps: eps), ""),
    (loss_with(right, lambda a, s, x0, eps: eps, lambda e: e.mean()), ""),
    (
        loss_with(lambda a, s, x0, eps: a**2 * x0 + s**2 * eps, lambda a, s, x0, eps: eps),
        "a perfect network has a loss",
    ),
    (loss_with(lambda a, s, x0, eps: s * x0 + a * eps, lambda a, s, x0, eps: eps), "a perfect network has a loss"),
    (loss_with(right, lambda a, s, x0, eps: x0), "a perfect network has a loss"),
    (loss_with(right, lambda a, s, x0, eps: torch.randn_like(eps)), "a perfect network has a loss"),
    (loss_with(right, lambda a, s, x0, eps: eps, lambda e: e.flatten(1).sum(1)), "adds up over the coordinates"),
    (loss_with(right, lambda a, s, x0, eps: eps, lambda e: e.flatten(1).mean(1).sqrt()), "a network that answers 0"),
]


@pytest.mark.parametrize("loss, said", LOSSES)
def test_a_loss_is_right_or_its_fault_is_named(loss, said):
    found = diagnose(POINTS, loss=loss)["loss"]
    assert said in found if said else not found


class Blind(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = MLP(dim=2)

    def forward(self, x, level):
        return self.net(x, torch.full_like(level, 0.5))


def test_a_wrong_network_is_named():
    torch.manual_seed(0)
    raw = diagnose(POINTS, denoiser=LearnedDenoiser(MLP(dim=2), cosine, "v"))["denoiser"]
    assert "its squared error is" in raw
    blind = LearnedDenoiser(Blind(), cosine, "x0")
    for _ in train(blind, POINTS, steps=200, batch=256, seed=0):
        pass
    assert "its output does not depend on the time" in diagnose(POINTS, denoiser=blind)["denoiser"]
    exact = of_points(POINTS.double(), cosine)
    late = lambda x, t: exact(x, t) if t < 0.5 else minidiff.Prediction(torch.zeros_like(x), x)
    assert (
        "times the floor"
        in diagnose(POINTS, denoiser=minidiff.Denoiser(cosine, lambda x, t, y=None: late(x, t)))["denoiser"]
    )
    early = lambda x, t: exact(x, t) if t > 0.5 else minidiff.Prediction(0 * x, x)
    assert (
        "at low noise"
        in diagnose(POINTS, denoiser=minidiff.Denoiser(cosine, lambda x, t, y=None: early(x, t)))["denoiser"]
    )
    gone = minidiff.Denoiser(cosine, lambda x, t, y=None: minidiff.Prediction(x * math.nan, x))
    assert "not finite" in diagnose(POINTS, denoiser=gone)["denoiser"]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="100 points or more"):
        diagnose(POINTS[:50], step=ddim_step)
    with pytest.raises(ValueError, match="give one of schedule, step, loss, denoiser"):
        diagnose(POINTS)
