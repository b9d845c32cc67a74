"""Checks print what was measured and what was wanted, and nothing that is not a number passes."""

import math
import re
from pathlib import Path

import nbval.plugin
import numpy as np
import pytest
import torch

from minidiff.course.checks import check, check_between, check_that


def said(capsys):
    return capsys.readouterr().out


ROOT = Path(__file__).parents[2]
PASSING = {
    "ok  pi = 3.14162   wanted 3.1416 within 1e-5 of it": lambda say: check(say, 3.14162, 3.1416, rtol=9.9999e-6),
    "ok  spread, t = 0.1 = 1.002   wanted 1 within 0.5 %": lambda say: check(say, 1.0021234, 1, rtol=0.005),
    "ok  zero = 1e-9   wanted 0 within 1e-6": lambda say: check(say, torch.tensor(1e-9, dtype=float), 0, atol=1e-6),
    "ok  answers = 4   wanted 4": lambda say: check(say, torch.tensor(4), 4, rtol=0),
    "ok  two: 2 values off by 1e-7 at most   wanted within 1e-6 of it": lambda say: check(
        say, np.array([1.0, 2.0000001]), [1, 2], rtol=1e-6
    ),
    "ok  same: 2 values off by 0 at most   wanted no difference": lambda say: check(say, [1, 2], [1, 2], rtol=0),
    "ok  slopes = 0.98 to 1.02 (3 values)   wanted 1 within 5 % and 0.1": lambda say: check(
        say, np.array([0.98, 1.0, 1.02]), 1, rtol=0.05, atol=0.1
    ),
    "ok  slopes = 1 (1 value)   wanted 1 within 5 %": lambda say: check(say, [1.0], 1, rtol=0.05),
    "ok  share = 0.3333   wanted 0 to 1": lambda say: check_between(say, 1 / 3, 0, 1),
    "ok  shares = 0.25 to 0.5 (2 values)   wanted 0 to 1": lambda say: check_between(say, [0.5, 0.25], 0, 1),
    "ok  it rains": lambda say: check_that(say, True),
}


def name_in(line):
    return re.match(r"ok  (.*?)(?: = (?!0.1 )|:|$)", line)[1]


@pytest.mark.parametrize("line", PASSING)
def test_a_passing_check_prints_what_was_measured_and_what_was_wanted(line, capsys):
    PASSING[line](name_in(line))
    assert said(capsys) == line + "\n"


def sanitised(text):
    """What strict nbval compares, by its own reading of the project's file."""
    for regex, replace in nbval.plugin.get_sanitize_patterns((ROOT / "tests" / "nbval.cfg").read_text()):
        text = re.sub(regex, replace, text)
    return text


@pytest.mark.parametrize("line", PASSING)
def test_notebooks_are_compared_but_for_what_was_measured(line):
    """Another machine's last digits are forgiven; another name, count, target or tolerance is not."""
    before, wanted, after = line.partition("   wanted ")
    other = re.sub(r"(= |by )\d[^ ]*( to \d[^ ]*)?(?=$| \(| at)", r"\g<1>7.5e-12 to 8", before)
    assert (other == before) == (not wanted)
    assert sanitised(f"first\n{other}{wanted}{after}\nlast") == sanitised(f"first\n{line}\nlast")
    changes = [line[1:], line + "0", line.replace("ok  ", "ok  x"), line.replace("values", "value"), " " + line]
    assert all(sanitised(changed) != sanitised(line) for changed in changes if changed != line)
    assert all(sanitised(text) == text for text in (f"print {before} = 4\n", "weights = 0.4\n", "ok  three = 3\n"))


@pytest.mark.parametrize("got, want, options", [
    (1.1, 1.0, {}),
    (-1.0, 1.0, {}),
    (1e-3, 0.0, {}),
    (math.nan, 1.0, {"atol": 1e9}),
    (math.inf, 1.0, {"atol": 1e9}),
    (1.0, math.nan, {}),
    (math.inf, math.inf, {}),
    ([1.0, 2.0, 9.0], [1.0, 2.0, 3.0], {}),
    ([1.0, 2.0], [1.0, 2.0, 3.0], {}),
    ([], [], {}),
    ([1.0, math.nan], 1.0, {}),
])  # fmt: skip
def test_a_wrong_number_is_loud(got, want, options, capsys):
    with pytest.raises(AssertionError, match="^speed: "):
        check("speed", got, want, **options)
    assert said(capsys) == ""


def test_the_message_says_got_wanted_and_allowed():
    with pytest.raises(AssertionError, match="this run gave 1.5, wanted 1 .allowed difference 0.1"):
        check("speed", 1.5, 1, rtol=0.1)


@pytest.mark.parametrize("got", [-0.1, 1.1, math.nan, math.inf, [0.5, 2.0], []])
def test_outside_a_band_is_loud(got):
    with pytest.raises(AssertionError, match="between 0 and 1|no values"):
        check_between("share", got, 0, 1)


@pytest.mark.parametrize("condition", [False, torch.tensor(False), np.array([True, False]), np.array([], dtype=bool)])
def test_a_false_claim_is_loud(condition):
    with pytest.raises(AssertionError, match="it rains"):
        check_that("it rains", condition)


@pytest.mark.parametrize("condition", [math.nan, "False", 1, None])
def test_only_booleans_are_claims(condition):
    with pytest.raises(TypeError, match="True or False"):
        check_that("it rains", condition)


def test_a_meaningless_tolerance_is_refused():
    for bad in ({"rtol": -1}, {"atol": math.inf}, {"rtol": math.nan}):
        with pytest.raises(ValueError, match="rtol and atol"):
            check("x", 1, 1, **bad)
    with pytest.raises(ValueError, match="low must not be above"):
        check_between("x", 1, 2, 0)


def test_half_precision_is_measured_like_any_other(capsys):
    """NumPy knows no bfloat16."""
    check("a half", torch.tensor(0.5, dtype=torch.bfloat16), 0.5)
    check("one and two", [torch.tensor(1.0, dtype=torch.bfloat16), 2], [1, 2])
    assert capsys.readouterr().out.count("ok  ") == 2


@pytest.mark.parametrize(
    "call", [lambda: check(5, 1.0, 1.0), lambda: check_between(None, 1.0, 0.0, 2.0), lambda: check_that(b"a", True)]
)
def test_a_claim_is_a_text(call):
    with pytest.raises(TypeError, match="a text"):
        call()
