"""Networks of diffusers among our denoisers, and ours among their schedulers; what the README says of both."""

import ast
import math
import os
import re
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("diffusers") is None:
    MISSING = 'diffusers is not installed: pip install -e ".[test]"'
    if os.environ.get("CI") == "true":
        raise ModuleNotFoundError(MISSING)
    pytest.skip(MISSING, allow_module_level=True)

import diffusers
import torch
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, FlowMatchEulerDiscreteScheduler, UNet2DModel
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr
from torch.testing import assert_close

import minidiff
from minidiff import (
    LearnedDenoiser,
    OwnClock,
    ddim_step,
    elbo,
    extrapolate,
    from_diffusers,
    given,
    index_times,
    last,
    log_snr_times,
    sample,
    shifted_times,
)
from minidiff.engine import generate
from minidiff.schedules import betas, cosine, zero_snr
from tests.peers.conformance import CASES, SCHEDULERS, read_in_float64

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # how they call NumPy 2
]

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = re.search(r"^## Coming from diffusers\n(.*?)^## ", README, re.M | re.S)[1]
PROGRAMS = re.findall(r"```python\n(.*?)```", SECTION, re.S)
TABLES = {"linear": {}, "scaled_linear": {"beta_start": 0.00085, "beta_end": 0.012}, "squaredcos_cap_v2": {}}


def seed(value=0):
    return torch.Generator().manual_seed(value)


def unet(classes=None):
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
        num_class_embeds=classes,
    ).eval()  # fmt: skip


@torch.no_grad()
def theirs(scheduler, net, x, **condition):
    for k in scheduler.timesteps:
        x = scheduler.step(net(x, k, **condition).sample, k, x).prev_sample
    return x


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A pipeline of theirs in the folder "mine", as the README has it."""
    monkeypatch.chdir(tmp_path)
    pipeline = DDPMPipeline(
        unet(), DDPMScheduler(beta_schedule="scaled_linear", prediction_type="epsilon", clip_sample=False)
    )
    pipeline.save_pretrained("mine")
    return {"images": torch.randn(32, 1, 8, 8, generator=seed(3)), "x": torch.randn(2, 1, 8, 8, generator=seed())}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("table", TABLES)
def test_their_network_walks_here_as_it_does_there(prediction, table):
    config = {"beta_schedule": table, "prediction_type": prediction, "clip_sample": False, **TABLES[table]}
    scheduler, net, x = (
        DDIMScheduler(timestep_spacing="trailing", **config),
        unet(),
        torch.randn(2, 1, 8, 8, generator=seed()),
    )
    scheduler.set_timesteps(20)
    schedule, target = from_diffusers(scheduler.config)
    denoiser = LearnedDenoiser(OwnClock(net, schedule), schedule, target)
    want = theirs(scheduler, net, x)
    got = last(sample(ddim_step, denoiser, x, index_times(20, "trailing")))
    assert_close(got, want, rtol=0, atol=1e-4 * float(want.abs().max()))


def test_their_network_walks_in_float64_to_the_last_digits():
    net, x = unet().double(), torch.randn(2, 1, 8, 8, generator=seed(), dtype=torch.float64)
    with read_in_float64("ddim"):
        scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(20)
    net.time_proj.register_forward_hook(lambda module, given, out: out.double())
    schedule, target = from_diffusers(scheduler.config)
    got = last(
        sample(ddim_step, LearnedDenoiser(OwnClock(net, schedule), schedule, target), x, index_times(20, "trailing"))
    )
    want = theirs(scheduler, net, x)
    assert_close(got, want, rtol=0, atol=1e-10 * float(want.abs().max()))


def test_guidance_with_their_network_is_theirs():
    net, scheduler = unet(classes=4), DDIMScheduler(clip_sample=False)
    scheduler.set_timesteps(10)
    schedule, target = from_diffusers(scheduler.config)
    denoiser = LearnedDenoiser(OwnClock(net, schedule), schedule, target)
    denoiser.net.nulls = {"class_labels": torch.tensor(3)}
    x = torch.randn(2, 1, 8, 8, generator=seed())
    want, told, null = x, torch.tensor([1, 1]), torch.tensor([3, 3])
    with torch.no_grad():
        for k in scheduler.timesteps:
            good, bad = (net(want, k, class_labels=y).sample for y in (told, null))
            want = scheduler.step(bad + 3.0 * (good - bad), k, want).prev_sample
    guided = extrapolate(given(denoiser, class_labels=1), given(denoiser), 3.0)
    got = last(sample(ddim_step, guided, x, index_times(10)))
    assert_close(got, want, rtol=0, atol=1e-4 * float(want.abs().max()))
    assert elbo(guided, x, log_snr_times(schedule, 4, 0.99, 0.01)).value.isfinite().all()


def test_the_readmes_three_lines_and_their_training(mine):
    """Loaded, asked, trained by `train`, saved and loaded by diffusers, whose pipeline then walks as ours does."""
    exec(PROGRAMS[0], mine)
    assert len(PROGRAMS[0].strip().splitlines()) <= 7  # of which four are imports and blank
    before = generate(mine["denoiser"], mine["x"], steps=5)
    exec(PROGRAMS[1].replace("1_000", "30").replace("1e-4", "1e-2"), mine)
    again = DDPMPipeline.from_pretrained("finer")
    scheduler = DDIMScheduler.from_config(again.scheduler.config, timestep_spacing="trailing")
    scheduler.set_timesteps(5)
    after = last(sample(ddim_step, mine["denoiser"], mine["x"], index_times(5, "trailing")))
    assert_close(after, theirs(scheduler, again.unet, mine["x"]), rtol=0, atol=1e-4 * float(after.abs().max()))
    assert float((after - before).abs().max()) > 1e-2


def test_a_network_trained_here_learns():
    """On a path without a table: the loss of the README's training falls below that of knowing nothing, which is 1."""
    denoiser = LearnedDenoiser(OwnClock(unet(), cosine), cosine, "v")
    images = torch.randn(64, 1, 1, 1, generator=seed()).expand(64, 1, 8, 8)
    losses = [float(loss) for loss in minidiff.train(denoiser, images, steps=60, lr=5e-3)]
    assert sum(losses[-20:]) / 20 < 0.6 < sum(losses[:5]) / 5


def test_ours_walks_in_their_loop(mine):
    exec(PROGRAMS[0], mine)
    scheduler = DDIMScheduler.from_config(mine["pipeline"].scheduler.config)
    scheduler.set_timesteps(10)
    want = last(sample(ddim_step, mine["denoiser"], mine["x"], index_times(10)))
    mine["pipeline"].scheduler = scheduler
    with torch.no_grad():
        exec(PROGRAMS[2], mine)
    assert_close(mine["x"], want, rtol=0, atol=1e-4 * float(want.abs().max()))


def test_a_network_of_flow_matching_by_the_readmes_line():
    scheduler, net, x = FlowMatchEulerDiscreteScheduler(shift=3.0), unet(), torch.randn(2, 1, 8, 8, generator=seed())
    scheduler.set_timesteps(10)
    (line,) = re.findall(r"`(Denoiser\(flow, .*?\))`", SECTION)
    denoiser = eval(
        line, {**{name: getattr(minidiff, name) for name in ("Denoiser", "flow", "solve")}, "unet": net, "torch": torch}
    )
    got = last(sample(minidiff.euler_step, denoiser, x, scheduler.sigmas.double()))
    want = theirs(scheduler, net, x)
    assert_close(got, want, rtol=0, atol=1e-5 * float(want.abs().max()))


# ---- the README's tables -----------------------------------------------------------------------------------------

ROWS = re.findall(r"^\| (\w+Scheduler(?:, \S+)?) \| `(.*?)` \| (.*?) ?\|$", SECTION, re.M)


def row_of(name):
    """How the README calls one of the schedulers that we walk beside."""
    scheduler = SCHEDULERS[name]
    said = [name] if (name := getattr(scheduler, "keywords", {}).get("algorithm_type")) else []
    said += ["stochastic_sampling"] * ("stochastic_sampling" in getattr(scheduler, "keywords", {}))
    return ", ".join([getattr(scheduler, "func", scheduler).__name__, *said])


def test_the_readmes_table_names_every_scheduler_that_we_walk_beside():
    assert [row for row, *_ in ROWS] and {row for row, *_ in ROWS} == {row_of(name) for name in SCHEDULERS}
    assert all(hasattr(diffusers, row.split(",")[0]) for row, *_ in ROWS)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_the_readmes_table_names_is_theirs(name):
    (code,) = (code for row, code, _ in ROWS if row == row_of(name))
    names = {name: getattr(minidiff, name) for name in minidiff.__all__} | {"partial": partial}
    case = next(case for case in CASES if case.sampler == name and {*case.options.values()} <= {0.0})
    assert case.changed(step=lambda: eval(code, names)) < case.bound()


def test_shifts_are_theirs():
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    scheduler.set_timesteps(10, mu=1.15)
    want = scheduler.sigmas[:-1].double()
    assert_close(shifted_times(9, math.exp(1.15), 1.0, 1 / 1000), want, rtol=1e-6, atol=0)
    moved = scheduler.time_shift(1.15, 1.0, torch.linspace(1, 0.1, 10))
    assert_close(shifted_times(9, math.exp(1.15), 1.0, 0.1).float(), moved)


def test_zero_snr_is_theirs():
    for name, ends in TABLES.items():
        table = betas(name, **ends)
        assert_close(zero_snr(table), rescale_zero_terminal_snr(table), rtol=1e-9, atol=1e-15)


def their_rescale():
    """Their function, out of its file: the file itself needs libraries that we do not."""
    path = Path(diffusers.__file__).parent / "pipelines" / "stable_diffusion" / "pipeline_stable_diffusion.py"
    (found,) = (node for node in ast.parse(path.read_text()).body if getattr(node, "name", "") == "rescale_noise_cfg")
    names = {}
    exec(ast.unparse(found), names)
    return names["rescale_noise_cfg"]


@pytest.mark.parametrize("target", ["eps", "v", "x0"])
def test_guidance_rescale_is_theirs(target):
    good, bad = (minidiff.of_gaussian(mean, std, cosine) for mean, std in ((0.5, 0.3), (0.0, 1.0)))
    x, (alpha, sigma) = torch.randn(3, 2, 4, generator=seed()).double(), minidiff.schedules.evaluate(cosine, 0.6)
    a, b = {"eps": (0, 1), "v": (-sigma, alpha), "x0": (1, 0)}[target]
    told, null = (a * guess.x0 + b * guess.eps for guess in (good(x, 0.6), bad(x, 0.6)))
    want = their_rescale()(null + 7.5 * (told - null), told, guidance_rescale=0.7)
    got = extrapolate(good, bad, 7.5, rescale=0.7, output=target)(x, 0.6)
    assert_close(a * got.x0 + b * got.eps, want)
