"""A check must pass what is right, fail what is wrong in every costume, and print the same line on every machine."""

import math

import numpy as np
import pytest
import torch

from minidiff.checks import check, check_between, check_that

COSTUMES = [float, np.float32, np.float64, torch.tensor, lambda v: torch.tensor(v, requires_grad=True),
            lambda v: torch.tensor(v, dtype=torch.bfloat16)]


@pytest.mark.parametrize("costume", COSTUMES)
def test_a_scalar_passes_in_every_costume_and_prints_what_was_wanted(costume, capsys):
    check("half", costume(0.5001), 0.5, rtol=1e-2)
    assert capsys.readouterr().out == "ok  half = 0.5\n"


@pytest.mark.parametrize("costume", COSTUMES)
def test_a_wrong_scalar_fails_in_every_costume(costume):
    with pytest.raises(AssertionError, match=r"half: this run gave 0\.(7|699219), wanted 0\.5 \(allowed difference 0\.005\)"):
        check("half", costume(0.7), 0.5, rtol=1e-2)


@pytest.mark.parametrize("got", [1.0 + 0.9e-3, 1.0 - 0.9e-3])
def test_the_tolerance_is_met_from_both_sides(got):
    check("one", got, 1.0)


@pytest.mark.parametrize("got", [1.0 + 1.1e-3, 1.0 - 1.1e-3, -1.0])
def test_the_tolerance_is_broken_from_both_sides(got):
    with pytest.raises(AssertionError):
        check("one", got, 1.0)


def test_rtol_is_relative_to_what_was_wanted_and_atol_is_added():
    check("scale", 1010.0, 1000.0, rtol=0.01)
    check("small", 0.1, 0.0, atol=0.1)
    check("both", -103.0, -100.0, rtol=0.02, atol=1.0)
    with pytest.raises(AssertionError):
        check("both", -103.1, -100.0, rtol=0.02, atol=1.0)


def test_zero_needs_an_atol_and_the_message_says_so():
    with pytest.raises(AssertionError, match="give an atol"):
        check("drift", 1e-12, 0.0)


@pytest.mark.parametrize("got, want", [(math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan), (math.inf, math.inf),
                                       ([1.0, math.nan], 1.0), (torch.tensor([math.inf, 1.0]), [math.inf, 1.0])])
def test_nan_and_infinity_never_pass(got, want):
    with pytest.raises(AssertionError):
        check("value", got, want, rtol=10.0, atol=10.0)


@pytest.mark.parametrize("wrap", [list, np.array, torch.tensor])
def test_arrays_are_compared_value_by_value(wrap, capsys):
    check("curve", wrap([1.0, 100.0]), torch.tensor([1.0005, 100.05]))
    assert capsys.readouterr().out == "ok  curve (2 values)\n"
    with pytest.raises(AssertionError, match=r"gave 1\.05, wanted 1 .*1 of 2 values are wrong"):
        check("curve", wrap([1.05, 100.05]), [1.0, 100.0])


def test_the_worst_value_is_named_and_nan_is_worse_than_any():
    with pytest.raises(AssertionError, match=r"gave 5, wanted 1 "):
        check("curve", [1.0, 2.0, 5.0], 1.0)
    with pytest.raises(AssertionError, match=r"gave nan, wanted 1 "):
        check("curve", [1.0, math.nan, 5.0], 1.0)


def test_one_number_may_be_wanted_everywhere(capsys):
    check("variance of each pixel", torch.ones(3, 4), 1)
    assert capsys.readouterr().out == "ok  variance of each pixel = 1 (12 values)\n"


def test_a_list_of_losses_is_an_array():
    check("losses", [torch.tensor(1.0), torch.tensor(2.0, requires_grad=True)], [1.0, 2.0])


@pytest.mark.parametrize("want", [[1.0], [1.0, 1.0, 1.0], [[1.0, 1.0]]])
def test_shapes_must_agree(want):
    with pytest.raises(AssertionError, match=r"gave shape \(2,\), wanted shape"):
        check("curve", [1.0, 1.0], want)


def test_an_array_is_not_compared_with_a_number_by_accident():
    with pytest.raises(AssertionError, match="wanted shape"):
        check("curve", 1.0, [1.0, 1.0])


@pytest.mark.parametrize("claim", [lambda: check("n", [], []), lambda: check("n", torch.zeros(0), 0.0),
                                   lambda: check_between("n", [], 0, 1), lambda: check_that("n", torch.zeros(0) < 1)])
def test_nothing_never_passes(claim):
    with pytest.raises(AssertionError):
        claim()


@pytest.mark.parametrize("want, text", [(60_000, "60000"), (1e-12, "1e-12"), (4.04e-5, "4.04e-05"), (-2.0, "-2"),
                                        (1 / 3, "0.333333"), (123456789, "123456789"), (torch.tensor(2.5), "2.5")])
def test_the_wanted_number_is_printed_plainly(want, text, capsys):
    check("value", want, want)
    assert capsys.readouterr().out == f"ok  value = {text}\n"


def test_the_line_does_not_depend_on_what_was_found(capsys):
    check("mean", 0.9999, 1.0)
    check("mean", 1.0001, 1.0)
    check_between("mean", 0.1, 0, 1)
    check_between("mean", 0.9, 0, 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[1] and lines[2] == lines[3] == "ok  mean is between 0 and 1"


@pytest.mark.parametrize("got", [0.0, 1.0, torch.tensor(0.5), [0.0, 1.0]])
def test_between_includes_its_ends(got):
    check_between("share", got, 0, 1)


@pytest.mark.parametrize("got", [-1e-9, 1 + 1e-9, math.nan, math.inf, [0.5, 1.5], [0.5, math.nan]])
def test_between_fails_outside(got):
    with pytest.raises(AssertionError, match="wanted between 0 and 1"):
        check_between("share", got, 0, 1)


@pytest.mark.parametrize("low, high", [(1, 0), (math.nan, 1), (0, math.nan)])
def test_between_wants_an_interval(low, high):
    with pytest.raises(ValueError, match="low must not be above high"):
        check_between("share", 0.5, low, high)


@pytest.mark.parametrize("tolerance", [{"rtol": -1.0}, {"atol": math.inf}, {"rtol": math.nan}])
def test_a_tolerance_that_allows_all_or_nothing_is_refused(tolerance):
    with pytest.raises(ValueError, match="rtol and atol"):
        check("value", 1.0, 1.0, **tolerance)


@pytest.mark.parametrize("condition", [True, np.True_, torch.tensor(True), torch.tensor([1.0, 2.0]) > 0, [True, True]])
def test_that_accepts_true(condition, capsys):
    check_that("all positive", condition)
    assert capsys.readouterr().out == "ok  all positive\n"


@pytest.mark.parametrize("condition", [False, np.False_, torch.tensor(False), torch.tensor([1.0, -2.0]) > 0,
                                       torch.tensor(math.nan) == math.nan])
def test_that_refuses_false(condition):
    with pytest.raises(AssertionError, match="wanted True, this run gave False"):
        check_that("all positive", condition)


@pytest.mark.parametrize("condition", [math.nan, 1, "False", None, torch.tensor(1.0)])
def test_that_refuses_what_is_only_truthy(condition):
    with pytest.raises(TypeError, match="wants True or False"):
        check_that("all positive", condition)


@pytest.mark.parametrize("got", ["many", None, object()])
def test_what_is_not_a_number_is_refused(got):
    with pytest.raises((TypeError, AssertionError)):
        check("value", got, 1.0)
