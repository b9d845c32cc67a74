"""Points: six sets in the plane, made from a seed, and mixtures of Gaussians, whose density is known."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..refusals import require, tensor, whole
from .dataset import Data


def two_moons(n: int, seed: int = 0) -> Data:
    """Two half circles that reach into each other; y says which. n points, x (n, 2), the same for the same seed."""
    generator = generator_of(n, seed)
    y = torch.randint(2, (n,), generator=generator)
    angle = math.pi * torch.rand(n, generator=generator)
    upper = torch.stack([angle.cos() - 1 / 2, angle.sin() - 1 / 4], 1)
    points = upper * (1 - 2 * y[:, None])  # the lower moon is the upper one after half a turn
    return in_plane(points, 21 / 16 - 1 / math.pi, 0.08, generator, y, ("upper moon", "lower moon"))


def swiss_roll(n: int, seed: int = 0) -> Data:
    """A rolled-up line, seen from the end: radius = angle, from 1.5 pi to 4.5 pi. No labels."""
    generator = generator_of(n, seed)
    angle = math.pi * (1.5 + 3 * torch.rand(n, generator=generator))
    centre = torch.tensor([2, 2 / (3 * math.pi)])
    points = angle[:, None] * _circle(angle) - centre
    return in_plane(points, 9.75 * math.pi**2 - centre.square().sum().item(), 0.4, generator)


def spirals(n: int, seed: int = 0) -> Data:
    """Two arms that wind one and a half times around the middle, half a turn apart; y is the arm."""
    generator = generator_of(n, seed)
    y = torch.randint(2, (n,), generator=generator)
    angle = 3 * math.pi * torch.rand(n, generator=generator).sqrt()  # the root spreads the points evenly along the arm
    points = angle[:, None] * _circle(angle + math.pi * y)
    return in_plane(points, 4.5 * math.pi**2, 0.4, generator, y, ("first arm", "second arm"))


def pinwheel(n: int, seed: int = 0) -> Data:
    """Five blades (Johnson et al. 2016): long Gaussians, turned the further the farther out; y is the blade."""
    generator = generator_of(n, seed)
    y = torch.randint(5, (n,), generator=generator)
    along, across = 1 + 0.3 * torch.randn(n, generator=generator), 0.1 * torch.randn(n, generator=generator)
    turn = 2 * math.pi * y / 5 + along.exp() / 4
    points = along[:, None] * _circle(turn) + across[:, None] * _circle(turn + math.pi / 2)
    return in_plane(points, 1 + 0.3**2 + 0.1**2, 0.0, generator, y, tuple(f"blade {k}" for k in range(1, 6)))


def rings(n: int, seed: int = 0) -> Data:
    """Three rings of radius 1, 2 and 3, equally likely; y is the ring."""
    generator = generator_of(n, seed)
    y = torch.randint(3, (n,), generator=generator)
    points = (1 + y[:, None]) * _circle(2 * math.pi * torch.rand(n, generator=generator))
    return in_plane(points, 14 / 3, 0.1, generator, y, ("inner ring", "middle ring", "outer ring"))


def checkerboard(n: int, seed: int = 0) -> Data:
    """Uniform on the eight dark squares of a 4 x 4 board, edges sharp; y is the square, row by row from below."""
    generator = generator_of(n, seed)
    y = torch.randint(8, (n,), generator=generator)
    row = y // 2
    corner = torch.stack([2 * (y % 2) + row % 2, row], 1) - 2
    points = corner + torch.rand(n, 2, generator=generator)
    return in_plane(points, 8 / 3, 0.0, generator, y, tuple(f"square {k}" for k in range(1, 9)))


def generator_of(n: int, seed: int) -> torch.Generator:
    """A CPU generator for n samples. Raises ValueError unless n is at least 1 and seed at least 0, both whole."""
    whole("n, how many samples to draw,", n)
    seed = whole("seed", seed, 0)
    if seed >= 2**32:  # torch's CPU generator reads only the low 32 bits
        seed = int(np.random.SeedSequence(seed).generate_state(1)[0])
    return torch.Generator().manual_seed(seed)


def _circle(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], 1)


def in_plane(points: Tensor, spread: float, noise: float, generator: torch.Generator, y=None, names=None) -> Data:
    """Add noise to points of mean 0, and scale to a mean square of 1 a coordinate.

    points: (n, 2).
    spread: the mean of |point|^2 before noise is added.
    noise: its standard deviation in each coordinate.
    generator: draws the noise.
    y, names: labels (n,) and what they are called, or None.
    """
    scale = math.sqrt(spread / 2 + noise**2)
    raw = points + noise * torch.randn(points.shape, generator=generator)
    return Data(raw / scale, y, 0.0, scale, names)


class _Parts(NamedTuple):
    means: Tensor
    stds: Tensor
    weights: Tensor


class Mixture(_Parts):
    """A mixture of round Gaussians, whose density is known: `exact.of_mixture(*mixture, schedule)` is its denoiser.

    means: (K, D). stds: (K,) > 0. weights: (K,) > 0, of which only the proportions matter. Arrays and lists become
    tensors. Raises ValueError for other shapes and values, and TypeError for what are no numbers.
    """

    __slots__ = ()

    def __new__(cls, means: Tensor, stds: Tensor, weights: Tensor) -> "Mixture":
        named = (("means", means), ("stds", stds), ("weights", weights))
        means, stds, weights = (tensor(name, part, finite=True) for name, part in named)
        shapes = f"(K, D), (K,) and (K,); got {tuple(means.shape)}, {tuple(stds.shape)} and {tuple(weights.shape)}"
        fits = means.dim() == 2 and means.numel() > 0 and stds.shape == weights.shape == means.shape[:1]
        require(fits, f"means, stds and weights of a mixture have the shapes {shapes}")
        require((stds > 0).all() and (weights > 0).all(), "stds and weights of a mixture must be above 0")
        return super().__new__(cls, *(x if x.is_floating_point() else x.float() for x in (means, stds, weights)))

    def standardised(self) -> "Mixture":
        """The same mixture moved and scaled to mean 0 and, averaged over the coordinates, variance 1."""
        weights = self.weights / self.weights.sum()
        means = self.means - weights @ self.means
        scale = (weights @ (means.square().mean(1) + self.stds.square())).sqrt()
        return Mixture(means / scale, self.stds / scale, weights)

    def sample(self, n: int, seed: int = 0) -> Data:
        """n points, x (n, D); y is the component each was drawn from."""
        generator = generator_of(n, seed)
        y = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator)
        names = tuple(f"Gaussian {k}" for k in range(1, len(self.means) + 1))
        return Data((self.means[y] + self.stds[y, None] * noise).float(), y, names=names)

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density at x (B, D), in nats: (B,)."""
        x = tensor("x", x)
        fits = x.dim() == 2 and x.shape[1] == self.means.shape[1]
        require(fits, f"x has shape {tuple(x.shape)}: give points (B, {self.means.shape[1]})")
        x = x if x.is_floating_point() else x.float()
        means, stds, weights = (part.to(x) for part in self)
        squares = (x[:, None] - means).square().sum(2)
        log_normal = -squares / (2 * stds**2) - x.shape[1] * (stds * math.sqrt(2 * math.pi)).log()
        return (log_normal + (weights / weights.sum()).log()).logsumexp(1)


MIXTURE = Mixture(
    means=_circle(torch.arange(8) * math.pi / 4),
    stds=torch.tensor([0.1, 0.05]).repeat(4),
    weights=torch.tensor([1.0, 2.0]).repeat(4),
).standardised()


def gaussian_mixture(n: int, seed: int = 0) -> Data:
    """`MIXTURE`: eight Gaussians on a circle, every other one half as wide and twice as likely; y is the component."""
    return MIXTURE.sample(n, seed)
