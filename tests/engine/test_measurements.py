"""Operators as laws, beside the dense matrix that they are and torch's linear algebra."""

import math
import re

import pytest
import torch
from torch.testing import assert_close

from minidiff.engine.measurements import averaging, blurring, masking, mixing, projecting


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


IMAGES = (3, 4, 6)
KERNEL = torch.tensor([[0.1, 0.5, 0.0, 0.2, 0.3], [0.0, 0.25, 0.15, 0.1, 0.4]], dtype=torch.float64)  # of no symmetry
HALVES = torch.full((2, 2), 0.25, dtype=torch.float64)  # wipes out the highest frequencies
MATRIX = noise(5, 2, 3, seed=1)
TWICE = torch.cat([MATRIX, MATRIX[:1]])  # a row that says nothing new
OPERATORS = {
    "mask": (masking(noise(*IMAGES, seed=2) > 0), IMAGES),
    "one mask for all channels": (masking(noise(1, 4, 6, seed=3) > 0), IMAGES),
    "ones": (masking(1), (7,)),
    "averages of 2": (averaging(2), IMAGES),
    "averages of 1": (averaging(1), IMAGES),
    "grey": (mixing(torch.tensor([0.2, 0.7, 0.4])), IMAGES),
    "blur": (blurring(KERNEL), IMAGES),
    "blur with lost frequencies": (blurring(HALVES), IMAGES),
    "projections": (projecting(MATRIX), (2, 3)),
    "projections, one of them twice": (projecting(TWICE), (2, 3)),
    "projections in float32": (projecting(MATRIX.float()), (2, 3)),
    "one projection": (projecting([[0.6, 0.0]]), (2,)),
}
each = pytest.mark.parametrize("operator, shape", OPERATORS.values(), ids=OPERATORS)


def dense(operator, shape):
    """The matrix (outputs, inputs), column by column."""
    units = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    return operator.forward(units).flatten(1).T


@each
def test_the_adjoint_is_the_transpose(operator, shape):
    x = noise(5, *shape, seed=4)
    y = noise(*operator.forward(x).shape, seed=5)
    assert operator.adjoint(y).shape == x.shape
    dot = lambda a, b: (a * b).flatten(1).sum(1)
    assert_close(dot(operator.forward(x), y), dot(x, operator.adjoint(y)))


@each
def test_the_pseudo_inverse_is_that_of_the_matrix(operator, shape):
    x = noise(5, *shape, seed=6)
    y, matrix = operator.forward(x), dense(operator, shape)
    assert_close(operator.pinv(y).flatten(1), y.flatten(1) @ torch.linalg.pinv(matrix, rtol=1e-5).T)
    assert_close(operator.forward(operator.pinv(y)), y)


@each
@pytest.mark.parametrize("ridge", [0.03, 2.0])
def test_the_solve_is_that_of_the_matrix(operator, shape, ridge):
    v, matrix = operator.forward(noise(5, *shape, seed=7)), dense(operator, shape)
    wanted = torch.linalg.solve(matrix @ matrix.T + ridge * torch.eye(len(matrix)), v.flatten(1).T).T
    assert_close(operator.solve(v, ridge).flatten(1), wanted)


@each
def test_operators_take_x_as_it_is(operator, shape):
    x = noise(5, *shape, seed=8)
    y = operator.forward(x.float())
    for got, wide in ((y, operator.forward(x)), (operator.pinv(y), operator.pinv(operator.forward(x)))):
        assert got.dtype == torch.float32
        assert_close(got, wide.float(), rtol=1e-4, atol=1e-5)


def test_a_mask_keeps_what_it_shows():
    x, mask = noise(2, 3, 3), torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 0]])
    assert_close(masking(mask).forward(x), torch.where(mask.bool(), x, 0.0))
    assert_close(masking(mask.bool()).forward(x), masking(mask).forward(x))


def test_an_average_is_the_mean_of_its_pixels():
    x = torch.arange(32.0).reshape(1, 2, 4, 4)
    wanted = torch.tensor([[[2.5, 4.5], [10.5, 12.5]], [[18.5, 20.5], [26.5, 28.5]]])
    assert_close(averaging(2).forward(x), wanted[None])


def test_grey_is_a_weighted_sum():
    x = noise(2, 3, 4, 4)
    assert_close(mixing([0.2, 0.7, 0.4]).forward(x), 0.2 * x[:, :1] + 0.7 * x[:, 1:2] + 0.4 * x[:, 2:])


def test_a_blur_is_a_convolution_whose_edges_meet():
    """(k * x)[i] = sum_j k[j] x[i - j], with j counted from the kernel's middle."""
    x = noise(2, *IMAGES)
    moved = [(weight, (i - 1, j - 2)) for i, row in enumerate(KERNEL.tolist()) for j, weight in enumerate(row)]
    for picture in (x, x[:, :, :2, :5]):
        wanted = sum(weight * picture.roll(by, (2, 3)) for weight, by in moved)
        assert_close(blurring(KERNEL).forward(picture), wanted)


def test_what_a_blur_wipes_out_stays_out():
    stripes = torch.tensor([1.0, -1.0]).repeat(3).expand(1, 1, 4, 6)
    blur, picture = blurring(HALVES.float()), noise(1, 1, 4, 6, dtype=torch.float32)
    assert_close(blur.forward(stripes), torch.zeros(1, 1, 4, 6))
    back = blur.pinv(blur.forward(picture + stripes))
    assert_close((back * stripes).sum(), torch.tensor(0.0), rtol=0, atol=1e-5)


def test_a_projection_is_one_number_a_row():
    x = noise(4, 2, 3)
    assert_close(projecting(MATRIX).forward(x), torch.einsum("mij,bij->bm", MATRIX, x))


@pytest.mark.parametrize("size", [1.0, 1e3, 1e-3])
def test_less_than_a_millionth_is_not_inverted(size):
    """Eigenvalues of A A^T in the proportions 1, 4e-6 and 1e-8."""
    matrix = size * torch.diag(torch.tensor([1.0, 2e-3, 1e-4], dtype=torch.float64))
    x = torch.ones(1, 3, dtype=torch.float64)
    operator = projecting(matrix)
    assert_close(operator.pinv(operator.forward(x)), torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64))
    assert_close(operator.solve(x, 0.0)[0, 2].item(), 0.0)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: masking(torch.tensor([0.0, 0.5])), "a mask holds 1"),
        (lambda: masking(torch.ones(3)).forward(noise(2, 4)), "the mask and x"),
        (lambda: averaging(0), "k must be a whole number"),
        (lambda: averaging(4).forward(noise(1, 1, 8, 6)), "whose sides 4 divides; got (1, 1, 8, 6)"),
        (lambda: averaging(4).forward(noise(1, 1, 6, 8)), "whose sides 4 divides; got (1, 1, 6, 8)"),
        (lambda: averaging(2).forward(noise(4, 4)), "whose sides 2 divides; got (4, 4)"),
        (lambda: mixing(torch.zeros(3)), "at least one weight"),
        (lambda: mixing(0.5), "weights must have at least 1 dimension"),
        (lambda: projecting(torch.ones(3)), "matrix must have at least 2 dimensions"),
        (lambda: mixing(torch.ones(3)).forward(noise(2, 1, 4, 4)), "3 weights mix images"),
        (lambda: mixing(torch.ones(3)).forward(noise(2, 3)), "3 weights mix images"),
        (lambda: blurring(torch.zeros(3, 3)), "a kernel is a picture"),
        (lambda: blurring(torch.ones(1, 3, 3)), "a kernel is a picture"),
        (lambda: blurring(torch.ones(5, 1)).forward(noise(1, 1, 4, 6)), "a kernel of 5 x 1"),
        (lambda: blurring(torch.ones(1, 5)).forward(noise(1, 1, 6, 4)), "a kernel of 1 x 5"),
        (lambda: projecting(torch.zeros(2, 3)), "measures nothing"),
        (lambda: projecting(torch.ones(2, 3)).forward(noise(2, 4)), "samples of shape (3,); got (4,)"),
    ],
)
def test_what_does_not_fit_is_refused(make, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        make()
