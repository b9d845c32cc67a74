"""Our samplers against the schedulers of diffusers: whole walks, state by state, and the closed list of differences.

The cases and the differences are in tests/peers/conformance.py, which prints them as a table. Skipped where diffusers
is missing, except in CI (the environment variable CI is "true"), where it must be there.
"""

import os
from fractions import Fraction
from functools import partial
from importlib.util import find_spec

import pytest

if find_spec("diffusers") is None:
    MISSING = 'diffusers is not installed: pip install -e ".[test]"'
    if os.environ.get("CI") == "true":
        raise ModuleNotFoundError(MISSING)
    pytest.skip(MISSING, allow_module_level=True)

from minidiff.notation import index_times
from minidiff.solvers import unipc
from tests.peers.conformance import CASES, EDM, FLOAT64, KNOWN, SCHEDULERS, STEPS, Case, T, sentence, setting, table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # how they call NumPy 2
]


def name(case):
    return f"{case.sampler} {case.steps} {setting(case)}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_walk_in_float64(case):
    assert case.difference() < case.bound()


@pytest.mark.parametrize("case", [case for case in CASES if case.sampler not in EDM or case.steps <= 50], ids=name)
def test_a_walk_in_float32_with_their_code_as_it_is(case):
    assert case.difference(double=False) < case.bound(double=False)


@pytest.mark.parametrize("steps", [10, 50])
def test_unipc_of_order_3_until_theirs_lowers_its_order(steps):
    """Theirs takes the last step but one in second order, whatever follows; ours cannot know that the end is near."""
    case = Case("unipc", steps, table("sample", solver_order=3), step=partial(unipc, 3))
    apart = [
        float((a - b).abs().max() / a.abs().max()) for a, b in zip(case.theirs(True), case.ours(True), strict=False)
    ]
    assert len(apart) == steps and max(apart[:-2]) < FLOAT64
    assert apart[-2] > 1e-9
    assert case.changed(step=unipc) > 1e-6  # and it is not the second order that agrees


def test_every_sampler_meets_every_setting_it_has():
    assert SCHEDULERS.keys() == STEPS.keys() == {case.sampler for case in CASES}
    for sampler in SCHEDULERS:
        cases = [case for case in CASES if case.sampler == sampler]
        assert {case.steps for case in cases} >= {10, 50, 250}
        if sampler in ("flow", "flow noise"):
            continue
        for key, count in (
            ("prediction_type", 3 - (sampler == "ancestral")),
            ("beta_schedule", 3),
            ("timestep_spacing", 2),
        ):
            assert len({case.config[key] for case in cases if key in case.config}) >= count, (sampler, key)
        if sampler not in ("euler", "ancestral"):  # which have neither
            limits = [case for case in cases if case.config.get("clip_sample") or case.config.get("thresholding")]
            assert limits and len(limits) < len(cases), sampler
    options = [case.options for case in CASES if case.sampler == "ddim"]
    assert {option["eta"] for option in options} == {0.0, 0.5, 1.0}
    assert any(option.get("use_clipped_model_output") for option in options)
    variances = {case.config["variance_type"] for case in CASES if case.sampler == "ddpm"}
    assert variances == {"fixed_small", "fixed_large", "learned_range"}


@pytest.mark.parametrize("difference", KNOWN, ids=lambda difference: difference.__name__)
def test_a_known_difference_is_there_and_is_all_there_is(difference):
    """As we are the walks differ, far beyond rounding; with the change that the function makes, they do not."""
    plain, change = difference()
    assert change < 1e-12 and plain > max(1e-10, 1000 * change), sentence(difference)


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
def test_indices_differ_by_rounding_only(spacing):
    """For any number of steps: the same indices, but where a half is rounded, they may take the other neighbour.

    Their "trailing" counts by floating-point steps and may make one step too many, with index -1, as for 61; their
    "linspace" of one step is the clean end, ours the noisy one.
    """
    scheduler, halves, too_many = SCHEDULERS["ddim"](**table(spacing=spacing)), 0, []
    for steps in range(1, T + 1):
        scheduler.set_timesteps(steps)
        theirs, ours = scheduler.timesteps.tolist(), (index_times(steps, spacing)[:-1] * T - 1).round().int().tolist()
        if len(theirs) != steps:
            assert theirs[-1] == -1
            too_many.append(steps)
        if (spacing, steps) == ("linspace", 1):
            assert (theirs, ours) == ([0], [T - 1])
            continue
        for i, (a, b) in enumerate(zip(theirs, ours, strict=False)):
            if a != b:
                place = (
                    Fraction(T * (steps - i), steps)
                    if spacing == "trailing"
                    else Fraction((T - 1) * (steps - 1 - i), steps - 1)
                )
                assert abs(a - b) == 1 and place.denominator == 2, (steps, i)
                halves += 1
    assert (halves > 0) == (spacing != "leading") and (61 in too_many) == (spacing == "trailing")
