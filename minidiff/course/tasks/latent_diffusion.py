"""Notebook 19, latent diffusion: checks of the reader's lines, and right ones to go on with."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ...engine.train import learning_rate
from ...exact import of_gaussian
from ...networks import AutoEncoder
from ...predictions import AnyDenoiser
from ...samplers import ddim_step, last, sample
from ...schedules import cosine, evaluate
from ..exercises import refuse_slips


def train_autoencoder(net: AutoEncoder, x: Tensor, loss: Callable, *, steps: int, weight: float, lr: float = 2e-3,
                      batch: int = 64, seed: int = 0) -> Iterator[Tensor]:  # fmt: skip
    """Train an autoencoder in place, yielding each step's mean loss, over the values of an image.

    net: whose encoder and decoder learn.
    x: (N, C, H, W), standardised images.
    loss: (x, again, mean, log_var, weight) -> (B,), a loss for each image.
    weight: of the KL divergence, in squared errors a nat.
    steps, lr, batch, seed: as in `train`.
    """
    dice, adam = torch.Generator().manual_seed(seed), torch.optim.Adam(net.parameters(), lr, betas=(0.9, 0.99))
    for step in range(steps):
        some = x[torch.randint(len(x), (batch,), generator=dice)]
        mean, log_var = net.moments(some)
        again = net.decoder(mean + (log_var / 2).exp() * torch.randn(mean.shape, generator=dice))
        found = loss(some, again, mean, log_var, weight).mean() / some[0].numel()
        adam.zero_grad()
        found.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.param_groups[0]["lr"] = learning_rate(step, steps, lr)
        adam.step()
        yield found.detach()


def our_loss(x: Tensor, again: Tensor, mean: Tensor, log_var: Tensor, weight: float) -> Tensor:
    """Squared error of an image plus weight times its rate in nats, (B,).

    x, again: images, and what the decoder makes of them.
    mean, log_var: of their latents.
    weight: in squared errors a nat.
    """
    return (x - again).square().flatten(1).sum(1) + weight * math.log(2) * our_rate(mean, log_var)


def our_rate(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(q(z | x) || N(0, 1)) in bits an image, (B,)."""
    nats = (mean.square() + log_var.exp() - 1 - log_var) / 2
    return nats.flatten(1).sum(1) / math.log(2)


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rate(mine) -> None:
    """return KL(q || N(0, 1)) of each image in bits, from mean and log_var of its latents."""
    for count, seed in ((5, 0), (3, 7)):
        mean, log_var = 2 * normal(count, 4, 2, 2, seed=seed), normal(count, 4, 2, 2, seed=seed + 1) - 1
        every = (mean.square() + log_var.exp() - 1 - log_var) / 2 / math.log(2)
        one = every.flatten(1).sum(1)
        deviation = (mean.square() + (log_var / 2).exp() - 1 - log_var / 2) / 2 / math.log(2)
        refuse_slips(mine(mean, log_var), one, {
            "that is in nats: a bit is log(2) of them.": one * math.log(2),
            "it is multiplied by log(2), where bits are nats divided by it.": one * math.log(2) ** 2,
            "the half in front is missing.": 2 * one,
            "that is the mean over the latents: their divergences add up.": every.flatten(1).mean(1),
            "log_var is taken for the log of a standard deviation, or halved where it should not be.":
                deviation.flatten(1).sum(1),
            "the means are missing: a posterior away from 0 costs bits too.":
                one - (mean.square() / 2 / math.log(2)).flatten(1).sum(1),
        }, "it should be the sum of (mean^2 + var - 1 - log var) / 2 over an image's latents, over log 2.")  # fmt: skip


def standardise(mine) -> None:
    """return shift and scale, one number each, so that (z - shift) / scale has mean 0 and standard deviation 1."""
    for seed in (2, 3):
        z = 0.7 + torch.tensor([0.5, 3.0])[:, None, None] * normal(40, 2, 3, 3, seed=seed)
        answer = mine(z)
        assert isinstance(answer, (tuple, list, Tensor)) and len(answer) == 2, (
            "it should return two things, shift and scale."
        )
        shift, scale = (torch.as_tensor(one) for one in answer)
        if shift.ndim or scale.ndim:
            raise AssertionError("shift and scale should be one number each, over images, channels and places alike.")
        refuse_slips(shift, z.mean(), {
            "shift and scale are exchanged: return the mean first.": z.std(),
            "(z - shift) takes away the mean itself, not its negative.": -z.mean(),
            "the median is not the mean, unless the latents are symmetric.": z.median(),
            "without a shift the mean stays where it is.": 0,
        }, "shift should be the mean of z.")  # fmt: skip
        refuse_slips(scale, z.std(), {
            "that is the factor to multiply with, as 0.18215 is: here z is divided by scale.": 1 / z.std(),
            "that is the variance: take the root.": z.var(),
            "that is the root mean square of z: take the mean away first.": z.square().mean().sqrt(),
            "that is the mean distance from the mean, not the standard deviation.": (z - z.mean()).abs().mean(),
            "that is the mean of the channels' standard deviations, which do not add.": z.std((0, 2, 3)).mean(),
        }, "scale should be the standard deviation of all numbers in z.")  # fmt: skip


def our_standardise(z: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of all numbers in z."""
    return z.mean(), z.std()


def vary(mine) -> None:
    """encode x, noise its latents to level t, sample from t down to 0, and decode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = AutoEncoder(1, 2, 4, 4, groups=2).requires_grad_(False)
    net.calibrate(normal(8, 1, 8, 8, seed=4))
    x, noise, t = normal(3, 1, 8, 8, seed=5), normal(3, 2, 2, 2, seed=6), 0.6
    denoiser, z = of_gaussian(0.5, 0.8, cosine), net.encode(x)
    (alpha, sigma), down = evaluate(cosine, t), lambda z_t, t=t: last(sample(ddim_step, denoiser, z_t, times_from(t)))
    right = down(alpha * z + sigma * noise)
    got = mine(denoiser, net, x, t, noise)
    assert not isinstance(got, Tensor) or got.shape != z.shape, "it returns latents: decode them."
    again = mine(denoiser, net, x, t, noise)
    assert not isinstance(got, Tensor) or torch.equal(got, again), "it draws its own noise: use the argument."
    refuse_slips(got, net.decode(right), {
        "times should begin at t, where the noised latents are, not at 1.":
            net.decode(down(alpha * z + sigma * noise, 1.0)),
        "noise is added to z as it is: on the path z shrinks to alpha * z.": net.decode(down(z + sigma * noise)),
        "the noise has standard deviation 1: multiply it by sigma.": net.decode(down(alpha * z + noise)),
        "alpha and sigma are exchanged.": net.decode(down(sigma * z + alpha * noise)),
        "there is no noise in it: nothing could change.": net.decode(down(alpha * z)),
        "that is x once through the autoencoder: nothing was noised.": net.decode(z),
        "that is the noised picture: sample it down to 0 before you decode.": net.decode(alpha * z + sigma * noise),
    }, "it should be decode(sample from alpha * encode(x) + sigma * noise, down from t).")  # fmt: skip


def times_from(t: float, steps: int = 20) -> Tensor:
    """Equal steps from t down to 0."""
    return torch.linspace(t, 0, steps + 1, dtype=torch.float64)


def our_vary(denoiser: AnyDenoiser, net: AutoEncoder, x: Tensor, t: float, noise: Tensor) -> Tensor:
    """Images like x, (B, C, H, W).

    denoiser: of latents.
    net: between images and latents.
    x: images.
    t: how far they are noised.
    noise: N(0, 1) numbers like the latents.
    """
    alpha, sigma = evaluate(denoiser.schedule, t)
    z_t = alpha * net.encode(x) + sigma * noise
    return net.decode(last(sample(ddim_step, denoiser, z_t, times_from(t))))


def half_way(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(2 / math.pi * math.atan(5.49)), {
        "that is where it lies for a standard deviation of 1.": 0.5,
        "the ratio is turned round: the larger the latents, the later they drown.": 2 / math.pi * math.atan(1 / 5.49),
        "that is the angle in radians: t is its share of pi / 2.": math.atan(5.49),
        "that is the angle in degrees: t is its share of 90.": math.degrees(math.atan(5.49)),
        "that is right where alpha = 1 - t and sigma = t; here they are cos and sin.": 5.49 / 6.49,
    }, "set 5.49 cos(pi t / 2) = sin(pi t / 2), so that tan(pi t / 2) is 5.49.")  # fmt: skip


def our_half_way() -> float:
    """tan(pi t / 2) = 5.49."""
    return 2 / math.pi * math.atan(5.49)


def latent_mask(mine) -> None:
    """return (B, 1, H/4, W/4): 1 where any of the 4 x 4 pixels under a latent is hidden, else 0."""
    hidden = (normal(4, 1, 16, 12, seed=8) > 1.6).float()
    hidden[0, 0, :8, :5] = hidden[1, 0, :8, :7] = 1
    blocks = hidden.unflatten(2, (4, 4)).unflatten(4, (3, 4))  # (4, 1, 4, 4, 3, 4)
    any_of, all_of, mean = blocks.amax((3, 5)), blocks.amin((3, 5)), blocks.mean((3, 5))
    refuse_slips(got := mine(hidden), any_of, {
        "a latent is hidden as soon as one of its pixels is: here it is only where all are.": all_of,
        "that is the share of hidden pixels: a latent that has seen any of them is hidden.": mean,
        "that is rounded: a latent with a few hidden pixels has seen them too.": (mean > 0.5).float(),
        "that looks at one pixel of sixteen.": hidden[:, :, ::4, ::4],
        "it is turned round: 1 where hidden, as in the mask of pixels.": 1 - any_of,
    }, "it should be the largest value under each latent.")  # fmt: skip
    assert got.dtype != torch.bool, "it gives True and False: make numbers of them, `.float()`."


def our_latent_mask(hidden: Tensor) -> Tensor:
    """The largest value of each 4 x 4 pixels."""
    return nn.functional.max_pool2d(hidden, 4)
