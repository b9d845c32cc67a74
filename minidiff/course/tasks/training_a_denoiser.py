"""Notebook 04, training a denoiser: checks of the reader's lines, and right ones to go on with."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...predictions import TARGETS
from ...schedules import cosine
from ..exercises import refuse_slips


def seeded(seed: int) -> torch.Generator:
    """A generator of random numbers, the same every time."""
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers, float64."""
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def eps_loss(mine) -> None:
    """hide x0 in the noise eps at times t, ask the network, and return one squared error a sample."""
    net = lambda x, t: torch.stack([x[:, 0] * t - 1, x[:, 1] + 3 * t**2], 1)
    for n, seed in ((6, 0), (9, 1)):
        x0, eps, t = normal(n, 2, seed=seed), normal(n, 2, seed=seed + 9), normal(n, seed=seed + 5).sigmoid()
        alpha, sigma = cosine(t[:, None])
        x_t = alpha * x0 + sigma * eps
        error = lambda x, level=t, truth=eps: (net(x, level) - truth).square().mean(1)
        refuse_slips(mine(net, x0, t, eps), error(x_t), {
            "alpha and sigma have changed places: alpha belongs to the data.": error(sigma * x0 + alpha * eps),
            "the network is shown the clean point: show it x_t.": error(x0),
            "the answer is compared with x0: this network is asked for the noise.": error(x_t, truth=x0),
            "nothing is squared: that is the mean absolute error.": (net(x_t, t) - eps).abs().mean(1),
            "the squares of the two coordinates are added: take their mean.": 2 * error(x_t),
        }, "it should be the mean over coordinates, dim 1, of (net(x_t, t) - eps) squared, one a sample.")  # fmt: skip


def our_eps_loss(net, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """The squared error of the noise that a network names, (n,).

    net: what is asked, (x_t, t) -> (n, 2).
    x0, t, eps: the clean points (n, 2), their times (n,), and the noise (n, 2).
    """
    alpha, sigma = cosine(t[:, None])
    return (net(alpha * x0 + sigma * eps, t) - eps).square().mean(1)


def _probe() -> nn.Linear:
    net = nn.Linear(2, 2, bias=False)
    net.weight.data = torch.tensor([[0.5, -0.3], [0.2, 0.1]])
    return net


def _probe_loss(net: nn.Module, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    return (net(x0 + t[:, None] * eps) - eps).square().mean(1)


def fit(mine) -> None:
    """draw times and noise, take the mean loss, and let the optimiser make one step."""
    data, net, seen = normal(40, 2, seed=1).float(), _probe(), []

    def spy(net: nn.Module, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        _refuse_draws(x0, t, eps)
        seen.append((x0, t, eps))
        return _probe_loss(net, x0, t, eps)

    losses = mine(net, spy, data, 20, seeded(2))
    if len(seen) != 20 or len(losses) != 20:
        raise AssertionError("20 steps should ask for 20 losses and return 20: one of each a step.")
    _refuse_statistics(torch.cat([t for _, t, _ in seen]), torch.cat([eps for *_, eps in seen]), seen)
    if torch.equal(net.weight, _probe().weight):
        why = "no gradient is there: zero_grad comes first, then loss.backward(), then step()."
        why = why if net.weight.grad is None or not net.weight.grad.any() else "optimiser.step() is missing, or early."
        raise AssertionError(f"the weights are as they were: {why}")
    wanted, means = _replayed(seen, clear=True)
    refuse_slips(torch.tensor(losses[:1]), means[:1], {
        "the losses of the batch are added up: take their mean.": 128 * means[:1],
    }, "the loss of a step should be the mean of loss_of(net, x0, t, eps).")  # fmt: skip
    refuse_slips(net.weight.detach(), wanted, {
        "the gradients of earlier steps are still there: optimiser.zero_grad() is missing.": _replayed(seen, False)[0],
    }, "its weights are not those of zero_grad, backward and step, once each, in every step.")  # fmt: skip
    again = mine(_probe(), spy, data, 20, seeded(2))
    if again != losses:
        raise AssertionError("two runs differ: hand generator=generator to all that is drawn.")


def _refuse_draws(x0: Tensor, t: Tensor, eps: Tensor) -> None:
    for name, got, wanted in (("t", t, (len(x0),)), ("eps", eps, tuple(x0.shape))):
        if not isinstance(got, Tensor) or tuple(got.shape) != wanted:
            shape = tuple(got.shape) if isinstance(got, Tensor) else "no tensor"
            raise AssertionError(f"{name} should be a tensor of shape {wanted}, one draw for each sample; got {shape}.")


def _refuse_statistics(t: Tensor, eps: Tensor, seen: list) -> None:
    _refuse({
        "some times lie outside [0, 1]: they should be uniform there, torch.rand.": not 0 <= t.min() <= t.max() <= 1,
        "the whole batch has one time: draw one for each sample.": all(one.std() < 1e-6 for _, one, _ in seen),
        "every step has the same times: draw inside the loop.": all(torch.equal(s[1], seen[0][1]) for s in seen),
        "the noise is not N(0, 1): torch.randn makes it, torch.rand does not.": abs(eps.std() - 1) > 0.1,
        "the times are not uniform on [0, 1]: torch.rand makes them.": abs(t.std() - 12**-0.5) > 0.03,
    })  # fmt: skip


def _refuse(faults: dict[str, Any]) -> None:
    for said in (said for said, found in faults.items() if found):
        raise AssertionError(said)


def _replayed(seen: list, clear: bool) -> tuple[Tensor, Tensor]:
    """Weights and losses of Adam on the batches that were seen."""
    net, losses = _probe(), []
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for batch in seen:
        loss = _probe_loss(net, *batch).mean()
        if clear:
            optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return net.weight.detach(), torch.tensor(losses)


def our_fit(net: nn.Module, loss_of, data: Tensor, steps: int, generator: torch.Generator, lr: float = 3e-3) -> list:
    """Train a network in place; the mean loss of each step.

    net: what is trained.
    loss_of: (net, x0, t, eps) -> (n,).
    data: (N, 2), the clean points.
    steps: how many.
    generator: of all that is drawn.
    lr: the learning rate.
    """
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=lr), []
    for _ in range(steps):
        x0 = data[torch.randint(len(data), (128,), generator=generator)]
        t = torch.rand(128, generator=generator)
        eps = torch.randn(x0.shape, generator=generator)
        loss = loss_of(net, x0, t, eps).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def decode(mine) -> None:
    """solve the two equations for x0 and eps, by Cramer's rule."""
    x0, eps = normal(5, 2, seed=3), normal(5, 2, seed=4)
    for alpha, sigma, a, b in ((0.8, 0.6, -0.6, 0.8), (0.3, 0.7, -1.0, 1.0), (0.5, 0.2, 0.4, 2.0)):
        x_t, y = alpha * x0 + sigma * eps, a * x0 + b * eps
        det = alpha * b - sigma * a
        refuse_slips(mine(x_t, y, alpha, sigma, a, b), (x0, eps), {
            "x0 and eps have changed places: return x0 first.": (eps, x0),
            "the determinant is not divided by.": (det * x0, det * eps),
            "the determinant has the wrong sign: it is alpha b - sigma a.": (-x0, -eps),
            "in eps the two terms have the wrong sign: eps = (alpha y - a x_t) / det.": (x0, -eps),
        }, "put x0 and eps into the two equations again: do x_t and y come out?")  # fmt: skip


def our_decode(x_t: Tensor, y: Tensor, alpha: float, sigma: float, a: float, b: float) -> tuple[Tensor, Tensor]:
    """x0 and eps, from x_t = alpha x0 + sigma eps and y = a x0 + b eps.

    x_t, y: what is seen, and what the network said of it.
    alpha, sigma: of the path.
    a, b: of the target.
    """
    det = alpha * b - sigma * a
    return (b * x_t - sigma * y) / det, (alpha * y - a * x_t) / det


def distance(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(0.2), {
        "that is the mean square: its root is asked for.": 0.04,
        "the floor is not subtracted: loss = floor + mean square.": math.sqrt(0.54),
        "the loss itself is no distance: subtract the floor first.": 0.54,
        "roots are subtracted: subtract the floor from the loss, then take the root.": math.sqrt(0.54) - math.sqrt(0.5),
    }, "loss = floor + mean square distance, and the floor of eps was computed in section 3.")  # fmt: skip


def our_distance() -> float:
    """The root of the excess."""
    return math.sqrt(0.54 - 0.5)


def floors_of(mine) -> None:
    """return the mean floors of eps, x0 and v for data of standard deviation s."""
    t = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    alpha, sigma = cosine(t)
    for s in (0.25, 1.5, 4.0):
        pairs = [TARGETS[name](cosine, t) for name in ("eps", "x0", "v")]
        right = tuple((s**2 * (alpha * b - sigma * a) ** 2 / (s**2 * alpha**2 + sigma**2)).mean() for a, b in pairs)
        one, two, three = right
        refuse_slips(mine(s), right, {
            "those are the floors of s = 1: where does s enter?": (0.5, 0.5, 1.0),
            "eps and x0 have changed places.": (two, one, three),
            "the s^2 above the fraction bar is missing: det is s times what it was.": tuple(x / s**2 for x in right),
            "only one factor s stands above the fraction bar: the determinant is squared.": tuple(x / s for x in right),
            "the floor of v is the mean of s^2 / (s^2 cos^2 + sin^2), and the integral is 1 / s.": (one, two, s**2),
        }, "s (1 / (1 + s)) = A s^2 for eps; check your integrals at s = 1, where all are known.")  # fmt: skip


def our_floors_of(s: float) -> tuple[float, float, float]:
    """The mean floors of eps, x0 and v, on cosine with uniform times, for data N(0, s^2)."""
    return s / (1 + s), s**2 / (1 + s), s


def sd3_levels(mine) -> None:
    """draw n numbers z from N(0, 1), and return 1 / (1 + exp(-z))."""
    for n, seed in ((20_000, 0), (7, 1)):
        t = mine(n, seeded(seed))
        if not isinstance(t, Tensor) or tuple(t.shape) != (n,):
            raise AssertionError(f"n = {n} times are wanted, a tensor of shape ({n},).")
        if not torch.equal(t, mine(n, seeded(seed))):
            raise AssertionError("two calls with equal generators differ: hand generator=generator to torch.randn.")
    t = mine(20_000, seeded(0)).double().sort().values
    even = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000  # the quantiles of a uniform law
    z, law = t.logit(), torch.special.ndtri(even)
    far = lambda other: (z - other)[200:-200].abs().max()
    _refuse({
        "some levels are 0 or 1, or beyond: the logistic function never reaches them.": not 0 < t[0] <= t[-1] < 1,
        "z is uniform: it should be N(0, 1), from torch.randn.": far(even) < 0.1,
        "the levels themselves are uniform: z should be N(0, 1), not the level.": far(even.logit()) < 0.1,
        "that is the mean of two uniform numbers, a triangle: z should be N(0, 1).": far(_triangle(even).logit()) < 0.1,
        "half of the levels should be below 0.5: it is shifted.": abs(z[10_000]) > 0.05,
        "z should have standard deviation 1, and has another.": abs((z[16_827] - z[3_173]) / 2 - 1) > 0.05,
        "log(t / (1 - t)) should be N(0, 1), and has another shape: is something cut off?": far(law) > 0.15,
    })  # fmt: skip


def _triangle(u: Tensor) -> Tensor:
    """The quantiles of the mean of two uniform numbers, like u."""
    return torch.where(u < 0.5, (u / 2).sqrt(), 1 - ((1 - u) / 2).sqrt())


def our_sd3_levels(n: int, generator: torch.Generator) -> Tensor:
    """The levels of Stable Diffusion 3, (n,)."""
    return torch.randn(n, generator=generator).sigmoid()
