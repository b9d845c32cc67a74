"""Notebook 10, flow matching: checks of the reader's lines, and right ones to go on with."""

from collections.abc import Callable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def flow_matching_loss(mine) -> None:
    """write x_t, the mixture at time t, and target, the velocity of this pair's line."""
    u = lambda x, t: torch.sin(2 * x) + x * t[:, None]
    for n, d in ((6, 2), (5, 3)):
        x0, x1, t = 1 + normal(n, d, seed=0), normal(n, d, seed=1), torch.linspace(0.1, 0.95, n, dtype=torch.float64)
        share = t[:, None]
        off = lambda x_t, target, t=t: (u(x_t, t) - target).square().mean(1)
        straight, turned = (1 - share) * x0 + share * x1, share * x0 + (1 - share) * x1
        refuse_slips(mine(u, x0, x1, t), off(straight, x1 - x0), {
            "the sign of the target is turned: as t grows, x_t moves away from the data.": off(straight, x0 - x1),
            "x_t runs the wrong way: at t = 0 it should be x0.": off(turned, x1 - x0),
            "the clock runs backwards, as in Lipman et al.: here data is at t = 0.": off(turned, x0 - x1),
            "the target is the noise: that is diffusion's eps.": off(straight, x1),
            "the target is the data: that is a denoiser's.": off(straight, x0),
            "the target is the way that is left from x_t: the velocity of the line is the whole way, in time 1.":
                off(straight, x1 - straight),
            "the target is multiplied by t: the velocity of a straight line does not depend on the time.":
                off(straight, share * (x1 - x0)),
            "x1 - x0 is the way of the whole time, 1: it is not divided by t.": off(straight, (x1 - x0) / share),
            "the target is x_t itself: take its derivative by t.": off(straight, straight),
            "the noise is added to the whole x0: its share should be 1 - t.": off(x0 + share * x1, x1 - x0),
            "x_t is that of the cosine path: here the shares are 1 - t and t.":
                off(torch.cos(torch.pi / 2 * share) * x0 + torch.sin(torch.pi / 2 * share) * x1, x1 - x0),
            "the shares have roots: on the straight path they are 1 - t and t themselves.":
                off((1 - share).sqrt() * x0 + share.sqrt() * x1, x1 - x0),
        }, "x_t should be (1 - t) x0 + t x1, and target its derivative by t.")  # fmt: skip


def our_flow_matching_loss(u: Callable[[Tensor, Tensor], Tensor], x0: Tensor, x1: Tensor, t: Tensor) -> Tensor:
    """Conditional flow matching's loss (Lipman et al. 2023, Eq. 23, with time reversed), a number a pair: (B,).

    u: the network, u(x_t, t), (B, D).
    x0, x1: (B, D), the pairs: data, and where it comes from.
    t: (B,), the times.
    """
    share = t[:, None]
    return (u((1 - share) * x0 + share * x1, t) - (x1 - x0)).square().mean(1)


def two_ends(mine) -> None:
    """return the guesses of x0 and x1: the places on the line at time 0 and at time 1."""
    x, v = normal(4, 3, seed=2), normal(4, 3, seed=3)
    for t in (0.3, torch.linspace(0.1, 0.8, 4, dtype=torch.float64)[:, None]):
        x0, x1 = x - t * v, x + (1 - t) * v
        refuse_slips(mine(x, v, t), (x0, x1), {
            "the signs are turned: v points from data to noise, so x0 lies back along it.":
                (x + t * v, x - (1 - t) * v),
            "x0 is right, but x1 is not: from t to 1 the time left is 1 - t.": (x0, x + t * v),
            "x0 is right, but x1 is too far: from t to 1 it is the time 1 - t, not 1.": (x0, x + v),
            "x0 is right, but x1 lies the other way: v points towards it.": (x0, x - (1 - t) * v),
            "x1 is right, but x0 is not: from t back to 0 it is the time t.": (x - (1 - t) * v, x1),
            "x1 is right, but x0 lies back along v: its sign is minus.": (x + t * v, x1),
            "t and 1 - t have changed places.": (x - (1 - t) * v, x + t * v),
            "these are ends a whole velocity away: multiply v by the time it takes to get there.": (x - v, x + v),
            "x0 and x1 have changed places: x0 is first.": (x1, x0),
            "x1 = x0 + v: a line takes time 1 from x0 to x1.": (x0, x0 - v),
            "that is eps for data of 0: x0 should be part of it.": (x0, x / t),
        }, "test it: (1 - t) x0 + t x1 should be x_t, and x1 - x0 should be v.")  # fmt: skip


def our_two_ends(x_t: Tensor, v: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
    """(x0, x1) of the line through x_t at time t with the velocity v.

    x_t, v: (B, *).
    t: a number, or a tensor that broadcasts against them.
    """
    return x_t - t * v, x_t + (1 - t) * v


def couple(mine) -> None:
    """write the table of costs, and return x0 and x1 in the order of the pairs."""
    near = torch.tensor([[0.0, 0.0], [1.0, 0.3]], dtype=torch.float64)
    for x0, x1 in ((normal(9, 2, seed=4), normal(9, 2, seed=5)), (normal(7, 3, seed=6), 3 + normal(7, 3, seed=7)),
                   (near, near + torch.tensor([1.0, 0.3], dtype=torch.float64))):  # fmt: skip
        cost = torch.cdist(x0, x1).square()
        found = mine(x0.clone(), x1.clone())
        shapes = isinstance(found, (tuple, list)) and [getattr(part, "shape", None) for part in found]
        assert shapes == [x0.shape, x1.shape], (
            "it should return x0 and x1, both (n, D), in the order of the pairs; cost is (n, n), each x0 with each x1."
        )
        for got, points in zip(found, (x0, x1), strict=True):
            whole = torch.equal(_sorted(got.double()), _sorted(points))
            assert whole, "a point is missing or used twice: each should be in exactly one pair."
        best = [torch.as_tensor(linear_sum_assignment(table.numpy())[1]) for table in (cost, -cost, cost.sqrt())]
        order = lambda k, x0=x0, x1=x1: _sorted(torch.cat([x0, x1[k]], 1))
        refuse_slips(_sorted(torch.cat(list(found), 1).double()), order(best[0]), {
            "these are the pairs as they came: return x0[rows] and x1[columns].": order(slice(None)),
            "these are the dearest pairs: the sign of the cost is turned.": order(best[1]),
            "the price of a pair is the square of its distance, not the distance.": order(best[2]),
            "rows belong to x0 and columns to x1: there they have changed places.": order(best[0].argsort()),
        }, "another pairing has a smaller sum of squared distances.")  # fmt: skip


def _sorted(rows: Tensor) -> Tensor:
    """The rows in the order of their first numbers."""
    return rows[rows[:, 0].argsort()]


def our_couple(x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor]:
    """The same points, (n, D) each, paired so that the sum of squared distances is least."""
    rows, columns = linear_sum_assignment(torch.cdist(x0, x1).square().numpy())
    return x0[rows], x1[columns]


def meet(mine) -> None:
    """put the time at which all lines meet in place of the dots."""
    refuse_slips(mine(), torch.tensor(1 / 3), {
        "that is 1 - t: time runs from data, 0, to noise, 1.": 2 / 3,
        "at t = 1/2 the line is at x1 / 4: it meets 0 nearer to the data, which are half as wide.": 0.5,
        "that is for x0 = +x1 / 2: here it is minus.": -1.0,
        "give a fraction, or four digits.": 0.33,
        "at t = 0 each line is at its own data point.": 0.0,
        "at t = 1 each line is at its own noise.": 1.0,
    }, "solve t - (1 - t) / 2 = 0.")  # fmt: skip


def our_meet() -> float:
    """When the lines from x1 to -x1 / 2 meet."""
    return 1 / 3


def average_velocity(mine) -> None:
    """write r at both times, and return the way from x_t to x_s over the time it takes."""
    x = normal(6, seed=8)
    for t, s, std in ((0.9, 0.3, 0.5), (1.0, 0.0, 2.0), (0.6, 0.5, 1.5)):
        r_t, r_s = (((1 - k) ** 2 * std**2 + k**2) ** 0.5 for k in (t, s))
        v = x * (t - (1 - t) * std**2) / r_t**2
        refuse_slips(mine(x, t, s, std), x * (1 - r_s / r_t) / (t - s), {
            "the sign is turned: velocities point to growing t, from x_s to x_t.": -x * (1 - r_s / r_t) / (t - s),
            "that is the way: divide it by the time t - s.": x * (1 - r_s / r_t),
            "r_s / r_t is upside down.": x * (1 - r_t / r_s) / (t - s),
            "r is a root: these are variances.": x * (1 - (r_s / r_t) ** 2) / (t - s),
            "x_s is x_t r_s / r_t: the way is x_t less that.": x * (r_t - r_s) / (t - s),
            "that is v at time t, of the first instant only.": v,
            "that is where the sample arrives, x_s: the velocity is the way over the time.": x * r_s / r_t,
            "std stands in r where its square belongs.":
                x * (1 - (((1 - s) ** 2 * std + s**2) / ((1 - t) ** 2 * std + t**2)) ** 0.5) / (t - s),
            "r adds standard deviations: add variances, and take the root.":
                x * (1 - ((1 - s) * std + s) / ((1 - t) * std + t)) / (t - s),
        }, "it should be (x_t - x_s) / (t - s), with x_s = x_t r_s / r_t.")  # fmt: skip
    time = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    got, right = (torch.autograd.grad(f(x, time, 0.3, 0.5).sum(), time)[0] for f in (mine, our_average_velocity))
    refuse_slips(got, right, {}, "write roots as ** 0.5, so that autograd can follow t through them.")


def our_average_velocity(x: Tensor, t: float | Tensor, s: float, std: float) -> Tensor:
    """The mean velocity from t down to s on the straight path, for data N(0, std^2) (Geng et al. 2025).

    x: the sample at t.
    t, s: from and to, s < t.
    std: of the data.
    """
    r_t, r_s = (((1 - time) ** 2 * std**2 + time**2) ** 0.5 for time in (t, s))
    return x * (1 - r_s / r_t) / (t - s)
