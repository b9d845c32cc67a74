"""Checks print what was wanted, never what came out, and nothing that is not a number passes."""

import math

import numpy as np
import pytest
import torch

from minidiff.course.checks import check, check_between, check_that


def said(capsys):
    return capsys.readouterr().out


def test_a_passing_check_prints_what_was_wanted(capsys):
    check("pi", 3.14160001, 3.1416, rtol=1e-6)
    check("zero", torch.tensor(1e-9), 0, atol=1e-6)
    check("two numbers", np.array([1.0, 2.0000001]), [1, 2], rtol=1e-6)
    check("many against one", torch.ones(3) + 1e-7, 1, rtol=1e-6)
    check_between("share", 0.3, 0, 1)
    check_that("it rains", True)
    assert said(capsys).splitlines() == [
        "ok  pi = 3.1416",
        "ok  zero = 0",
        "ok  two numbers (2 values)",
        "ok  many against one = 1 (3 values)",
        "ok  share is between 0 and 1",
        "ok  it rains",
    ]


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
