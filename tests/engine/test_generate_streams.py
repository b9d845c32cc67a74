"""(seed, number) decides an image, whatever the batch or the number drawn; every bit of a seed counts."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from minidiff.engine.generate import generate, streams
from minidiff.exact import of_gaussian
from minidiff.samplers import ddim_step, ddpm_step, noise_like, sde_step
from minidiff.schedules import cosine, start, uniform_times
from minidiff.solvers import churned, corrected, dpm_solver_2m

DENOISER = of_gaussian(0.5, 0.5, cosine)
STEPS = {
    "ddpm": lambda: ddpm_step,
    "ddim, eta 0.5": lambda: partial(ddim_step, eta=0.5),
    "sde": lambda: sde_step,
    "2m sde": lambda: dpm_solver_2m(eta=1.0),
    "corrected": lambda: corrected(ddim_step),
    "churned": lambda: churned(ddim_step, 0.1),
}


def drawn(name, number, batch, seed=0):
    own = streams(seed, range(number))
    times = uniform_times(6, 0.9)
    noise = start(cosine, 0.9, (number, 3), own)
    return generate(DENOISER, noise, step=STEPS[name](), times=times, generator=own, batch=batch)


@pytest.mark.parametrize("name", STEPS)
def test_seed_and_number_decide_an_image(name):
    whole = drawn(name, 12, 12)
    for number, batch in ((12, 5), (12, 1), (4, 4), (7, 3)):
        assert_close(drawn(name, number, batch), whole[:number], rtol=0, atol=0)
    assert torch.pdist(whole).min() > 1e-3 and not torch.allclose(drawn(name, 12, 12, seed=1), whole)


@pytest.mark.parametrize("seeds", [(0, 2**32), (1, 1 + 2**32), (5, 2**62 + 5), (2**63 - 1, 2**31 - 1)])
def test_every_bit_of_a_seed_counts(seeds):
    one, other = (start(cosine, 1.0, (8, 3), streams(seed, range(8))) for seed in seeds)
    assert torch.pdist(torch.cat([one, other])).min() > 1e-3  # nor is an image of one seed another image of the other


def test_the_noise_is_standard_normal_in_the_kind_that_is_asked_for():
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        noise = noise_like(torch.zeros(500, 40, dtype=dtype), streams(3, range(500)))
        assert noise.dtype == dtype and abs(noise.double().mean()) < 4 / 20_000**0.5
        assert abs(noise.double().var() - 1) < 4 * (2 / 20_000) ** 0.5


@pytest.mark.parametrize("generator, error, match", [
    (streams(0, range(3)), ValueError, "3 generators were given for 4 samples"),
    ([torch.Generator()] * 4, TypeError, "a list of NumPy's"),
    ("dice", TypeError, "a list of NumPy's"),
    ([np.random.RandomState(0)] * 4, TypeError, "a list of NumPy's"),
])  # fmt: skip
def test_other_generators_get_a_sentence(generator, error, match):
    with pytest.raises(error, match=match):
        start(cosine, 1.0, (4, 3), generator)
