"""Notebook 14, four families: checks of the reader's lines, right ones to go on with, and two trainings."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...data import Mixture
from ...engine.train import learning_rate
from ...exact import of_points
from ...predictions import AnyDenoiser
from ...samplers import ddim_step
from ...schedules import cosine
from ..exercises import refuse_slips


def ring() -> Mixture:
    """Eight Gaussians on a circle of radius 1, standard deviation 0.01 (PacGAN's code), then standardised."""
    angle = torch.arange(8) * math.pi / 4
    return Mixture(torch.stack([angle.cos(), angle.sin()], 1), torch.full((8,), 0.01), torch.ones(8)).standardised()


def grid() -> Mixture:
    """25 Gaussians at -4, -2, 0, 2, 4 either way, standard deviation 0.05 (PacGAN's code), then standardised."""
    line = torch.arange(-4.0, 5, 2)
    return Mixture(torch.cartesian_prod(line, line), torch.full((25,), 0.05), torch.ones(25)).standardised()


def layers(first: int, width: int, last: int, act: nn.Module | None = None) -> nn.Sequential:
    """A plain network with three hidden layers: (B, first) -> (B, last).

    first, width, last: numbers that go in, in each hidden layer, and out.
    act: the activation, SiLU if None.
    """
    linear = [nn.Linear(a, b) for a, b in pairwise([first, width, width, width, last])]
    return nn.Sequential(*[part for one in linear for part in (one, act or nn.SiLU())][:-1])


def train_gan(generator: nn.Sequential, discriminator: nn.Module, x: Tensor, losses: Callable, *, steps: int,
              lr: float, seed: int = 0, beta: float = 0.0, penalty: float = 0.0, pack: int = 1,
              batch: int = 128) -> Iterator[Tensor]:  # fmt: skip
    """Train both in turn, yielding (discriminator's loss, generator's loss) of each step.

    generator: (B, noise) -> (B, D).
    discriminator: (B, pack * D) -> (B, 1), a logit, high for data.
    x: (N, D), the data.
    losses: of the logits of real and of generated samples: both losses.
    steps, lr, seed, batch: as in `train`.
    beta: Adam's memory of gradients, beta 1.
    penalty: half of it times |gradient of the logit at data|^2 is added (R1; Mescheder et al. 2018).
    pack: samples that the discriminator sees together (PacGAN; Lin et al. 2018).
    """
    dice, size = torch.Generator().manual_seed(seed), next(generator.parameters()).shape[1]
    players = [torch.optim.Adam(net.parameters(), lr, betas=(beta, 0.99)) for net in (discriminator, generator)]
    for step in range(steps):
        real = x[torch.randint(len(x), (batch * pack,), generator=dice)].requires_grad_(penalty > 0)
        score, found = discriminator(real.view(batch, -1)), []
        for turn, player in enumerate(players):
            fake = generator(torch.randn(batch * pack, size, generator=dice)).view(batch, -1)
            pair = (score.detach(), discriminator(fake)) if turn else (score, discriminator(fake.detach()))
            loss = losses(*pair)[turn]
            if penalty and not turn:
                (slope,) = torch.autograd.grad(score.sum(), real, create_graph=True)
                loss = loss + penalty / 2 * slope.square().view(batch, -1).sum(1).mean()
            player.param_groups[0]["lr"] = learning_rate(step, steps, lr)
            player.zero_grad()
            loss.backward()
            player.step()
            found.append(loss.detach())
        yield torch.stack(found)


def train_vae(encoder: nn.Module, decoder: nn.Module, log_std: Tensor, x: Tensor, elbo: Callable, *, steps: int,
              lr: float, seed: int = 0, warm: float = 0.0, batch: int = 128) -> Iterator[Tensor]:  # fmt: skip
    """Train to a higher ELBO, yielding its negative, the mean over each batch.

    encoder: (B, D) -> (B, 2 * code), mean and log variance of the code.
    decoder: (B, code) -> (B, D), the mean of x.
    log_std: (), of the decoder's noise; learned if it requires a gradient.
    x: (N, D), the data.
    elbo: (x, mean, log_var, eps, decoder, std) -> two tensors (B,), the log likelihood and the KL divergence.
    steps, lr, seed, batch: as in `train`.
    warm: the share of the steps over which the KL term grows from 0 to its full weight.
    """
    dice, learned = torch.Generator().manual_seed(seed), [log_std] if log_std.requires_grad else []
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), *learned], lr)
    for step in range(steps):
        some = x[torch.randint(len(x), (batch,), generator=dice)]
        mean, log_var = encoder(some).chunk(2, 1)
        eps = torch.randn(mean.shape, generator=dice)
        log_likelihood, divergence = elbo(some, mean, log_var, eps, decoder, log_std.exp())
        weight = min(1.0, step / (warm * steps)) if warm else 1.0
        adam.param_groups[0]["lr"] = learning_rate(step, steps, lr)
        adam.zero_grad()
        loss = (weight * divergence - log_likelihood).mean()
        loss.backward()
        adam.step()
        yield loss.detach()


def score(mine) -> None:
    """find each sample's nearest mode, keep those within 3 standard deviations, and return the three numbers."""
    means, unit = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]]), torch.tensor([0.0, 2.5])
    x = torch.cat([means[:1].expand(6, 2), means[1:2].expand(3, 2), means[2:3] + 1.3, means[3:] + unit])
    far, stds = torch.cdist(x, means), torch.full((4,), 0.5)
    right, every = _summary(*(far / stds).min(1), 4), _summary(*(far * 0).add(far / 99).min(1), 4)
    (modes, quality, kl), square = right, torch.cdist(x, means, p=math.inf) / stds
    thin = quality * (kl + math.log(quality))
    refuse_slips(mine(x, means, stds), right, {
        "modes and divergence are over high-quality samples only: drop the others.": (every[0], quality, every[2]),
        "quality is a share: divide by how many samples there are.": (modes, 9.0, kl),
        "distances are measured in standard deviations: divide by stds.": _summary(*far.min(1), 4),
        "3 standard deviations is a circle, not a square: take the Euclidean distance.": _summary(*square.min(1), 4),
        "a mode that nobody visits counts among the K too: give bincount minlength=len(means).":
            (modes, quality, kl - math.log(2)),
        "the shares q are of the high-quality samples, and add up to 1.": (modes, quality, thin),
        "in the divergence p is missing: every mode has probability 1 / K.": (modes, quality, kl - math.log(4)),
    }, "it should be modes covered, share of high-quality samples, and sum of q log(q / p), p = 1 / K.")  # fmt: skip


def _summary(far: Tensor, nearest: Tensor, modes: int) -> tuple[int, float, float]:
    counts = torch.bincount(nearest[far < 3], minlength=modes).double()
    share = counts / counts.sum().clamp(min=1)
    return int((counts > 0).sum()), float((far < 3).double().mean()), float(torch.xlogy(share, share * modes).sum())


def our_score(x: Tensor, means: Tensor, stds: Tensor) -> tuple[int, float, float]:
    """Modes covered, the share of high-quality samples, the reverse KL divergence over modes in nats.

    x: (B, D). means: (K, D). stds: (K,).
    """
    return _summary(*(torch.cdist(x, means) / stds).min(1), len(means))


def gan_losses(mine) -> None:
    """return both losses: the discriminator's cross-entropy, and -log D of the fakes for the generator."""
    real, fake = (torch.linspace(low, high, 6)[:, None] for low, high in ((-1.0, 3.0), (-2.5, 1.5)))
    data, fakes, fooled = F.softplus(-real).mean(), F.softplus(fake).mean(), F.softplus(-fake).mean()
    refuse_slips(mine(real, fake), (data + fakes, fooled), {
        "the discriminator's labels are swapped: D is near 1 on data.": (F.softplus(real).mean() + fooled, fooled),
        "that is the minimax loss, which saturates: the generator lowers -log D(fake) instead.": (data + fakes, -fakes),
        "one loss with two signs is minimax, and saturates: it is -log D of the fakes.": (data + fakes, -data - fakes),
        "both of the discriminator's means count in full: add them, without a half.": ((data + fakes) / 2, fooled),
        "the generator lowers the discriminator's own loss on fakes, and so gives itself away.": (data + fakes, fakes),
    }, "they should be mean(-log D(real)) + mean(-log(1 - D(fake))) and mean(-log D(fake)).")  # fmt: skip
    sure = torch.stack(mine(torch.tensor([[-200.0]]), torch.tensor([[-200.0]])))
    if not sure.isfinite().all():
        raise AssertionError("at a logit of -200 it is not finite: log(sigmoid) underflows, and F.softplus does not.")


def our_gan_losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The discriminator's cross-entropy and the generator's non-saturating loss, of logits (B, 1) each."""
    return F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(-fake).mean()


def elbo(mine) -> None:
    """draw z with eps, then return log p(x | z) and the KL divergence, (B,) each."""
    dice = torch.Generator().manual_seed(0)
    x, mean, log_var, eps, mix = (torch.randn(n, generator=dice) for n in ((5, 3), (5, 2), (5, 2), (5, 2), (2, 3)))
    decode, std = (lambda z: z @ mix), torch.tensor(0.6)
    likely, kl = our_elbo(*(most := (x, mean, log_var, eps, decode)), std)
    at = lambda z: our_elbo(x, z, log_var, 0 * eps, decode, std)[0]
    refuse_slips(mine(*most, std), (likely, kl), {
        "z is drawn with the variance: its square root is exp(log_var / 2).": (at(mean + log_var.exp() * eps), kl),
        "z is not drawn: it is the mean plus a standard deviation times eps.": (at(mean), kl),
        "the KL divergence lacks its half.": (likely, 2 * kl),
        "add up over the coordinates, and do not average: nats are of a whole sample.": (likely / 3, kl / 2),
        "Normal takes a standard deviation, and std is one: do not square it.": (our_elbo(*most, std**2)[0], kl),
        "that is a square error, the log density at std 1 without its constant: std is learned, so keep it.":
            (0.0 * likely - (x - decode(mean + (log_var / 2).exp() * eps)).square().sum(1) / 2, kl),
        "a KL divergence is never negative: turn the sign of the second term.": (likely, -kl),
        "log p(x | z) lacks -D log(std), without which std cannot be learned.": (likely + 3 * std.log(), kl),
    }, "they should be log N(x; decode(z), std^2) and (mean^2 + var - 1 - log var) / 2, summed.")  # fmt: skip


def our_elbo(x, mean, log_var, eps, decode, std) -> tuple[Tensor, Tensor]:
    """log p(x | z) and KL(q(z | x) || N(0, I)), (B,) each, in nats; z is drawn from q with the noise eps.

    x: (B, D), the data.
    mean, log_var, eps: (B, code), what the encoder says of z, and the noise that z is drawn with.
    decode: (B, code) -> (B, D), the mean of x.
    std: (), of the noise on x.
    """
    z = mean + (log_var / 2).exp() * eps
    likely = torch.distributions.Normal(decode(z), std).log_prob(x).sum(1)
    return likely, (mean.square() + log_var.exp() - 1 - log_var).sum(1) / 2


def stride(mine) -> None:
    """call ddim_step from each of the times to the next, and return x at the last."""
    x, times = torch.tensor([[1.3], [-0.4]], dtype=torch.float64), [0.9, 0.6, 0.3, 0.1]
    coin = of_points(torch.tensor([[1.0], [-1.0]], dtype=torch.float64), cosine)
    near = turned = x
    for t, s in pairwise(times):
        near, turned = ddim_step(coin, near, t, t - 1 / 200), ddim_step(coin, turned, s, t)
    refuse_slips(mine(coin, x, times), our_stride(coin, x, times), {
        "each step lands on t - 1/200, as in the published sampler: it should land on the next of the times.": near,
        "each step starts from the first x: give what a step returns the name x.": ddim_step(coin, x, *times[-2:]),
        "the last step is missing: the last pair of times belongs to it too.": our_stride(coin, x, times[:-1]),
        "that is the first step alone: return x after the loop, not inside it.": our_stride(coin, x, times[:2]),
        "that is one step too many: the last of the times is where it ends.": our_stride(coin, x, [*times, 0.0]),
        "t is where x is, and s where the step lands: they are exchanged.": turned,
    }, "each step should go from one of the times to the next.")  # fmt: skip


def our_stride(denoiser: AnyDenoiser, x: Tensor, times: list[float]) -> Tensor:
    """x at the last of the times: each step lands on the next of them."""
    for t, s in pairwise(times):
        x = ddim_step(denoiser, x, t, s)
    return x


def ceiling(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(-math.expm1(-4.5)), {
        "that is three standard deviations in one dimension; in the plane there is more room outside.": 0.9973,
        "that is a square around the mode: each coordinate within 3. The circle holds less.": 0.9946,
        "that is the share outside.": math.exp(-4.5),
        "in the exponent stands r^2 / 2, with r = 3.": -math.expm1(-9.0),
        "that is right to two digits: give three.": 0.99,
    }, "integrate r exp(-r^2 / 2) from 0 to 3.")  # fmt: skip


def our_ceiling() -> float:
    """The share of a round Gaussian in the plane within 3 standard deviations."""
    return 1 - math.exp(-(3**2) / 2)


def divergence(mine) -> None:
    """return the Jensen-Shannon divergence in nats, from the loss of the ideal discriminator."""
    real, fake = torch.linspace(-0.5, 2.5, 6)[:, None], torch.linspace(-2.0, 1.0, 6)[:, None]
    loss = our_gan_losses(real, fake)[0]
    refuse_slips(torch.as_tensor(mine(real, fake)), math.log(2) - loss / 2, {
        "that is in bits: 1 nat is 1 / log 2 of them.": 1 - loss / 2 / math.log(2),
        "the generator's loss has no part in it: take the discriminator's, the first of the two.":
            math.log(2) - our_gan_losses(real, fake)[1] / 2,
        "the loss counts twice: its two means are averaged.": math.log(2) - loss,
        "that is the discriminator's loss: the divergence falls as it rises.": loss,
    }, "with equal densities it should be 0, with densities apart log 2.")  # fmt: skip


def our_divergence(real: Tensor, fake: Tensor) -> Tensor:
    """The Jensen-Shannon divergence in nats, from the ideal discriminator's logits of data and of fakes."""
    return math.log(2) - our_gan_losses(real, fake)[0] / 2
