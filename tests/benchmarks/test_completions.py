"""What notebook 15 says of completions, in small: known halves stay, and the judge recognises them."""

import pytest
import torch

from minidiff import fashion_mnist
from minidiff.evaluation import load_judge
from tests.benchmarks import completions


@pytest.mark.slow
def test_the_judge_recognises_completions_beside_the_nearest_neighbours():
    """At 60 images four standard errors of a share of 0.93 are 0.13; the floor asked for is 0.85."""
    test, judge = fashion_mnist("test"), load_judge()
    x, y = test.x[:60], test.condition["y"][:60]
    seen = torch.where(completions.UPPER, x, 0.0)
    drawn = completions.filled(seen, y)
    torch.testing.assert_close(drawn[:, :, :14], x[:, :, :14], rtol=0, atol=1e-6)
    assert (judge.classify(drawn) == y).float().mean() >= 0.85
    assert (judge.classify(completions.nearest(seen, y)) == y).float().mean() >= 0.9
    assert (judge.classify(seen) == y).float().mean() < 0.75  # the upper halves alone would not do


@pytest.mark.slow
def test_the_nearest_is_of_the_class_asked_for():
    test = fashion_mnist("test")
    x, wrong = test.x[:4], (test.condition["y"][:4] + 1) % 10
    near, other = completions.nearest(x, None), completions.nearest(x, wrong)
    torch.testing.assert_close(near[:, :, :14], x[:, :, :14])
    assert not torch.equal(near, other)
