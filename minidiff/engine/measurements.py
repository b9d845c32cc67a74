"""What can be measured of a sample, as Operators for inverse.py: each is A, A^T and (A A^T + ridge I)^-1.

    masking(mask)         inpainting and missing values; masking(1) is denoising
    averaging(k)          super-resolution by k
    blurring(kernel)      deblurring
    mixing(weights)       colourising: a weighted sum of the channels
    projecting(matrix)    any matrix, such as a random one

All take samples (B, *) of any floating-point kind, on any device. Of A A^T only what is a millionth of its largest
eigenvalue or more is inverted: less is a rounding error, or would be drowned in one.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ..inverse import Operator
from ..refusals import broadcast, data, require, whole

SMALL = 1e-6  # of the largest eigenvalue of A A^T


def masking(mask: Tensor) -> Operator:
    """Keep x where the mask is 1, and 0 elsewhere. mask: broadcasts against x, (B, *); booleans, or zeros and ones.

    A A^T is 1 on its range. Raises ValueError for other numbers and shapes.
    """
    mask = data("mask", mask)
    require(((mask == 0) | (mask == 1)).all(), "a mask holds 1 (or True) where x is seen and 0 elsewhere, nothing else")

    def keep(x: Tensor) -> Tensor:
        broadcast("the mask and x", x.shape, mask.shape)
        return mask.to(x) * x

    return Operator(keep, keep, lambda v, ridge: v / (1 + ridge))


def averaging(k: int) -> Operator:
    """The mean of each k x k pixels, (B, C, H, W) -> (B, C, H / k, W / k); A A^T is 1 / k^2.

    Raises ValueError where k does not divide both sides.
    """
    whole("k", k)

    def mean(x: Tensor) -> Tensor:
        fits = x.ndim == 4 and x.shape[2] % k == x.shape[3] % k == 0
        require(fits, f"averages of {k} x {k} need images (B, C, H, W) whose sides {k} divides; got {(*x.shape,)}")
        return avg_pool2d(x, k)

    spread = lambda y: y.repeat_interleave(k, -1).repeat_interleave(k, -2) / k**2
    return Operator(mean, spread, lambda v, ridge: v / (1 / k**2 + ridge))


def mixing(weights: Tensor) -> Operator:
    """A weighted sum of the channels, (B, C, H, W) -> (B, 1, H, W); A A^T is |weights|^2. weights: (C,), not all 0."""
    column = data("weights", weights, 1).reshape(-1, 1, 1)
    power = float(column.square().sum())
    require(power > 0, "at least one weight must differ from 0")

    def mixed(x: Tensor) -> Tensor:
        fits = x.ndim == 4 and x.shape[1] == len(column)
        require(fits, f"{len(column)} weights mix images (B, {len(column)}, H, W); got the shape {tuple(x.shape)}")
        return (column.to(x) * x).sum(1, keepdim=True)

    return Operator(mixed, lambda y: column.to(y) * y, lambda v, ridge: v / (power + ridge))


def blurring(kernel: Tensor) -> Operator:
    """Convolve images, (B, C, H, W), with a kernel (h, w), no larger than they are, whose edges meet (circular).

    The kernel's middle, at (h // 2, w // 2), stays where it is. A Fourier transform makes A a product with the
    kernel's own: A A^T is its square, and frequencies that it wipes out stay 0 in the pseudo-inverse.
    """
    kernel = data("kernel", kernel, 2)
    require(kernel.ndim == 2 and kernel.any(), f"a kernel is a picture (h, w), not all 0; got {tuple(kernel.shape)}")
    (h, w), middle = kernel.shape, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2))

    def transform(x: Tensor) -> Tensor:
        fits = x.ndim == 4 and x.shape[2] >= h and x.shape[3] >= w
        require(fits, f"a kernel of {h} x {w} blurs images (B, C, H, W) at least as large; got {tuple(x.shape)}")
        whole_picture = pad(kernel.to(x), (0, x.shape[3] - w, 0, x.shape[2] - h))
        return torch.fft.fft2(whole_picture.roll(middle, (0, 1)))

    product = lambda x, gain: torch.fft.ifft2(torch.fft.fft2(x) * gain).real
    return Operator(
        lambda x: product(x, transform(x)),
        lambda y: product(y, transform(y).conj()),
        lambda v, ridge: product(v, _inverse(transform(v).abs().square(), ridge)),
    )


def projecting(matrix: Tensor) -> Operator:
    """One number of x for each row: (B, *) -> (B, m), of a matrix (m, *), whose rows have the shape of a sample."""
    rows = data("matrix", matrix, 2).flatten(1).double()
    require(rows.any(), "a matrix of zeros measures nothing")
    eigenvalues, basis = torch.linalg.eigh(rows @ rows.T)
    shape = data("matrix", matrix).shape[1:]

    def project(x: Tensor) -> Tensor:
        require(x.shape[1:] == shape, f"this matrix projects samples of shape {(*shape,)}; got {tuple(x.shape[1:])}")
        return x.flatten(1) @ rows.T.to(x)

    solve = lambda v, ridge: v @ basis.to(v) * _inverse(eigenvalues.to(v), ridge) @ basis.T.to(v)
    return Operator(project, lambda y: (y @ rows.to(y)).reshape(-1, *shape), solve)


def _inverse(power: Tensor, ridge: float) -> Tensor:
    """1 / (power + ridge), and 0 where there is no power."""
    return torch.where(power > SMALL * power.max(), 1 / (power + ridge), 0.0)
