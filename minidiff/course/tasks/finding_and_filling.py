"""Notebook 16, finding and filling: checks of the reader's lines, right ones to go on with, and its table of cells."""

import math
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from ...data.files import find
from ...estimates import Estimate
from ...exact import of_gaussian
from ...predictions import AnyDenoiser
from ...schedules import cosine, evaluate
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cells() -> tuple[Tensor, Tensor]:
    """The cells of 569 biopsies: thirty numbers each, (569, 30), and whether they are malignant, (569,)."""
    with np.load(find("cells/cells.npz")) as archive:
        return torch.from_numpy(archive["values"]), torch.from_numpy(archive["malignant"])


def auc(mine) -> None:
    """return the share of pairs in which the odd one has the larger score, a tie for one half."""
    ordinary, odd = torch.tensor([0.2, 0.5, 0.7]).double(), torch.tensor([0.6, 0.1, 0.7, 0.9]).double()
    for few, many in ((ordinary, odd), (odd, ordinary), (normal(7, seed=0).round(), normal(9, seed=1).round())):
        won = [(b > a) + (b == a) / 2 for a, b in product(few.tolist(), many.tolist())]
        strict = [float(b > a) for a, b in product(few.tolist(), many.tolist())]
        loose = [float(b >= a) for a, b in product(few.tolist(), many.tolist())]
        short = min(len(few), len(many))
        refuse_slips(mine(few, many), torch.tensor(sum(won) / len(won)).double(), {
            "a tie counts nothing here: it is a half, or a score that says the same of all would look like skill.":
                sum(strict) / len(won),
            "a tie counts as won here: it is a half.": sum(loose) / len(won),
            "it is turned round: the odd one should have the LARGER score.": 1 - sum(won) / len(won),
            "the pairs are counted: divide by how many there are, which is what a mean does.": sum(won),
            "that compares two averages: compare every odd one with every ordinary one.":
                (many.mean() > few.mean()).double(),
            "each odd one meets one ordinary one only: compare every one with every other, as odd[:, None] > normal.":
                (many[:short] > few[:short]).double().mean(),
        }, "for odd scores 0.6, 0.7 against 0.2, 0.5, 0.7 four and a half pairs of six are won.")  # fmt: skip


def our_auc(normal: Tensor, odd: Tensor) -> Tensor:
    """The area under the ROC curve: the share of pairs in which odd, (M,), lies above normal, (N,); ties half."""
    return ((odd[:, None] > normal).double() + (odd[:, None] == normal).double() / 2).mean()


def denoising_error(mine) -> None:
    """noise x to level t, let the denoiser answer, and return the mean square error of x0, one number an image."""
    x, noise, t = normal(3, 1, 4, 4, seed=2), normal(3, 1, 4, 4, seed=3), 0.65
    denoiser, (alpha, sigma) = of_gaussian(0.3, 0.8, cosine), evaluate(cosine, t)
    x_t = alpha * x + sigma * noise
    found = denoiser(x_t, t)
    each = lambda square: square.flatten(1).mean(1)
    answer, again = mine(denoiser, x, t, noise), mine(denoiser, x, t, noise)
    assert torch.equal(answer, again), "it gives another number each time: use the noise that is handed in."
    refuse_slips(answer, each((found.x0 - x).square()), {
        "the denoiser is shown the clean image: show it alpha * x + sigma * noise.":
            each((denoiser(x, t).x0 - x).square()),
        "alpha is missing: on this path x_t is alpha * x + sigma * noise.":
            each((denoiser(x + sigma * noise, t).x0 - x).square()),
        "it is measured from the noisy image: the error is the distance from x.": each((found.x0 - x_t).square()),
        "that is the error of the noise: compare x0 with x.": each((found.eps - noise).square()),
        "that is the root: leave the mean of the squares as it is.": each((found.x0 - x).square()).sqrt(),
        "that is the sum over the pixels: take the mean.": 16 * each((found.x0 - x).square()),
    }, "it should be the mean square of x0 - x over each image's own pixels, .flatten(1).mean(1).")  # fmt: skip


def our_denoising_error(denoiser: AnyDenoiser, x: Tensor, t: float, noise: Tensor) -> Tensor:
    """How far the predicted x0 is from x, mean square a pixel: (B,).

    denoiser: what is asked.
    x: (B, *), clean.
    t: the level it is noised to.
    noise: like x, N(0, 1).
    """
    alpha, sigma = evaluate(denoiser.schedule, t)
    return (denoiser(alpha * x + sigma * noise, t).x0 - x).square().flatten(1).mean(1)


def coverage(mine) -> None:
    """return the share of holes whose truth lies between the smallest and the largest of its draws."""
    draws, truth = torch.tensor([[0.0, 1.0, 5.0], [2.0, 1.5, 4.0]]).double(), torch.tensor([1.0, 1.2, 9.0]).double()
    many, few = (normal(19, 400, seed=4), normal(400, seed=5)), (normal(3, 5, seed=6), normal(5, seed=7))
    for d, x in ((draws, truth), many, few):
        low, high = d.amin(0), d.amax(0)
        share = lambda inside: inside.double().mean()
        refuse_slips(mine(d, x), share((low <= x) & (x <= high)), {
            "only one end is tested: the truth must lie above the smallest as well.": share(x <= high),
            "only one end is tested: the truth must lie below the largest as well.": share(low <= x),
            "that is the share of misses: one minus it.": share((x < low) | (high < x)),
            "that is counted, not a share: take the mean.": ((low <= x) & (x <= high)).sum(),
            "between two quantiles of the draws lie fewer: take the smallest and the largest.":
                share((d.quantile(0.05, 0) <= x) & (x <= d.quantile(0.95, 0))),
            "an interval of two standard deviations assumes a bell: use the smallest and the largest draw.":
                share((x - d.mean(0)).abs() <= 2 * d.std(0)),
        }, "of draws 0 and 2 a truth of 1 is within the range, of 4 and 5 a truth of 9 is not.")  # fmt: skip


def our_coverage(draws: Tensor, truth: Tensor) -> Tensor:
    """The share of truths (N,) between the smallest and the largest of their draws (m, N)."""
    return ((draws.amin(0) <= truth) & (truth <= draws.amax(0))).double().mean()


def enough_draws(mine) -> None:
    """put your number in place of the dots."""
    refuse_slips(mine(), torch.tensor(39), {
        "that is right for 90 %: now 1 case of 20 may be outside, at both ends together.": 19,
        "with 40 draws there are 41 places for the truth: count the truth as well.": 40,
        "that is the percentage: how many draws?": 95,
        "that leaves 2 of 21 cases outside: 90 %.": 20,
        "3 draws cover 50 %; the number for 95 % is asked.": 3,
    }, "the truth is the smallest or the largest in 2 of m + 1 cases: when is that a twentieth?")  # fmt: skip


def our_enough_draws() -> int:
    """Of 40 exchangeable numbers a given one is the smallest or the largest in 2 cases of 40."""
    return 39


def typicality(mine) -> None:
    """return the distance from the mean of the known scores, in their standard deviations."""
    known, new = 2 + 3 * normal(5_000, seed=8), torch.tensor([2.0, -7.0, 11.0, 5.0]).double()
    m, s = known.mean(), known.std()
    refuse_slips(mine(new, known), (new - m).abs() / s, {
        "it has a sign: too probable is as odd as too improbable, so take the absolute value.": (new - m) / s,
        "it is not divided by the standard deviation of the known scores.": (new - m).abs(),
        "mean and standard deviation are those of the new scores: take the known ones'.":
            (new - new.mean()).abs() / new.std(),
        "the mean is not taken off.": new.abs() / s,
        "that divides by the variance: by its root.": (new - m).abs() / s**2,
        "that is in standard errors of the mean: how far one score is goes by the standard deviation.":
            (new - m).abs() / s * len(known) ** 0.5,
    }, "for known scores around 2 with a deviation of 3 the scores 2, -7 and 11 are about 0, 3 and 3.")  # fmt: skip


def our_typicality(new: Tensor, known: Tensor) -> Tensor:
    """How far scores (N,) are from the mean of the known ones (M,), in standard deviations, (N,)."""
    return (new - known.mean()).abs() / known.std()


def hide(mine) -> None:
    """return three masks, (N,) booleans: MCAR, MAR and MNAR."""
    x, share = normal(20_000, 2, seed=9), torch.rand(20_000, generator=torch.Generator().manual_seed(10)).double()
    masks = mine(x, share)
    fits = isinstance(masks, tuple) and [getattr(mask, "dtype", None) for mask in masks] == 3 * [torch.bool]
    assert fits, "it should return three tensors of booleans, in a tuple: share < a probability."
    for name, mask in zip(("MCAR", "MAR", "MNAR"), masks, strict=True):
        assert mask.shape == (20_000,), f"{name} has shape {tuple(mask.shape)}: one boolean a row, (N,)."
        assert abs(mask.double().mean() - 0.5) < 0.02, (
            f"{name} hides {mask.double().mean():.2f} of the rows: it should hide half of them."
        )
    for name, mask, column in zip(("MAR", "MNAR"), masks[1:], x.T, strict=True):
        if torch.equal(mask, column > 0):
            raise AssertionError(f"{name} leaves nothing to chance: compare share with a probability.")
    means = torch.stack([x[mask].mean(0) for mask in masks])  # E[x sigmoid(3 x)] / (1/2) = 0.73 for N(0, 1)
    wanted = torch.tensor([[0.0, 0.0], [0.73, 0.0], [0.0, 0.73]]).double()
    said = (
        "MCAR must look at nothing: compare share with 0.5.",
        "MAR looks at what stays visible, x[:, 0], and hides the more the larger it is.",
        "MNAR looks at what it hides, x[:, 1], and hides the more the larger it is.",
    )
    for row, right, sentence in zip(means, wanted, said, strict=True):
        assert (row - right).abs().max() < 0.06, sentence


def our_hide(x: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which second numbers of x (N, 2) are hidden, by chance share (N,): MCAR, MAR, MNAR, (N,) each."""
    return share < 0.5, share < torch.sigmoid(3 * x[:, 0]), share < torch.sigmoid(3 * x[:, 1])


def delong(auc_of, normal: Tensor, odd: Tensor) -> Estimate:
    """An AUC and its standard error, both samples being random (DeLong, DeLong and Clarke-Pearson 1988).

    auc_of: (normal, odd) -> AUC.
    normal, odd: scores, (N,) and (M,).
    """
    won = torch.stack([torch.as_tensor(auc_of(normal, one)) for one in odd.split(1)])
    lost = torch.stack([torch.as_tensor(auc_of(one, odd)) for one in normal.split(1)])
    return Estimate(float(auc_of(normal, odd)), math.sqrt(won.var() / len(odd) + lost.var() / len(normal)))


def exact(mixture, first: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """The second number of a mixture's points, drawn from its law given the first, (n,): (draws, n).

    mixture: a data.Mixture of points in the plane.
    first: (n,), the numbers that are seen.
    draws: how many for each.
    generator: of components and noise.
    """
    means, stds, shares = (part.to(first) for part in mixture)
    fit = shares.log() - stds.log() - (first[:, None] - means[:, 0]) ** 2 / (2 * stds**2)
    k = torch.multinomial(fit.softmax(1), draws, replacement=True, generator=generator).T
    return means[k, 1] + stds[k] * torch.randn(k.shape, generator=generator, dtype=first.dtype)


def regressed(known: Tensor, rows: Tensor, seen: Tensor, rounds: int = 5) -> Tensor:
    """Iterative imputation: each column in turn by least squares on all others, (B, D).

    known: complete rows, (N, D).
    rows: with holes, (B, D).
    seen: where they have none, (B, D).
    rounds: how often each column is filled anew; the first time round the others' holes hold means.
    """
    filled, one = torch.where(seen, rows, known.mean(0)), torch.nn.ConstantPad1d((1, 0), 1.0)
    columns = torch.arange(rows.shape[1])
    for c in columns.repeat(rounds):
        rest = columns[columns != c]
        line = torch.linalg.lstsq(one(known[:, rest]), known[:, c : c + 1]).solution[:, 0]
        filled[:, c] = torch.where(seen[:, c], rows[:, c], one(filled[:, rest]) @ line)
    return filled


def of_one_gaussian(known: Tensor, rows: Tensor, seen: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Draws from the Gaussian fitted to what is known, given what is seen: (draws, B, D).

    known: complete rows, (N, D).
    rows: with holes, (B, D).
    seen: where they have none, (B, D).
    draws: how many for each row.
    generator: of the noise.
    """
    mean, cov = known.mean(0), known.T.cov() + 1e-4 * torch.eye(known.shape[1]).to(known)
    z = torch.randn(draws, *rows.shape, generator=generator).to(known) @ torch.linalg.cholesky(cov).T + mean
    for i, s in enumerate(seen):  # a draw of all, moved by what is seen less what it has in its place
        z[:, i] += (rows[i, s] - z[:, i, s]) @ torch.linalg.solve(cov[s][:, s], cov[s])
    return z


def classifier(x: Tensor, y: Tensor, seed: int = 0, change=lambda x, generator: x, steps: int = 300) -> nn.Sequential:
    """A small network that tells ten classes apart, trained for a second or two.

    x: images (N, 1, 28, 28).
    y: labels (N,).
    seed: of weights and batches.
    change: (x, generator) -> x, an augmentation of each batch.
    steps: of 64 images.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = [nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten()]
        net = nn.Sequential(*body, nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser, generator = torch.optim.AdamW(net.parameters(), 1e-3), torch.Generator().manual_seed(seed)
    for _ in range(steps):
        pick = torch.randint(len(x), (64,), generator=generator)
        loss = nn.functional.cross_entropy(net(change(x[pick], generator)), y[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.requires_grad_(False)
