"""Notebook 11, guidance: checks of the reader's lines, and right ones to go on with."""

import torch
from torch import Tensor

from ...exact import of_gaussian
from ...schedules import cosine, evaluate
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def steered(mine) -> None:
    """return the noise of the conditional model, from eps, gradient and sigma."""
    for sigma, shape in ((0.3, (3, 2)), (0.8, (2, 1, 4, 4)), (5.0, (4, 1))):
        eps, gradient = normal(*shape, seed=0), normal(*shape, seed=1)
        refuse_slips(mine(eps, gradient, sigma), eps - sigma * gradient, {
            "the sign is turned: it pushes away from what was read. The score is minus eps / sigma.":
                eps + sigma * gradient,
            "sigma is missing: the gradient is a score, and eps is minus sigma times a score.": eps - gradient,
            "the gradient is divided by sigma: multiply the rule for scores by minus sigma.": eps - gradient / sigma,
            "one sigma is enough: the gradient is multiplied by sigma, not by its square.": eps - sigma**2 * gradient,
            "that is the score: a sampler wants eps, which is minus sigma times it.": gradient - eps / sigma,
            "that is the push alone: it is added to what the model predicts without y.": -sigma * gradient,
            "the push is missing: that is the unconditional model.": eps,
        }, "it should be eps - sigma * gradient.")  # fmt: skip
    x, (alpha, sigma) = normal(9, 1, seed=2), evaluate(cosine, 0.4)  # a sensor reads 1, with error variance 1/3
    gradient = alpha * (1 - alpha * x) / (sigma**2 + 1 / 3)
    got, want = mine(of_gaussian(0.0, 1.0, cosine)(x, 0.4).eps, gradient, sigma), of_gaussian(0.75, 0.5, cosine)(x, 0.4)
    refuse_slips(got, want.eps, {}, "prior and sensor of section 1 should give the noise of N(3/4, 1/4).")


def our_steered(eps: Tensor, gradient: Tensor, sigma: float) -> Tensor:
    """The noise predicted when y is known.

    eps: the noise predicted without it.
    gradient: of log p(y | x_t), of eps's shape.
    sigma: the standard deviation of the noise.
    """
    return eps - sigma * gradient


def guided(mine) -> None:
    """return the prediction without the label, plus w times the push."""
    for w, shape in ((3.0, (3, 2)), (0.3, (4, 1)), (7.5, (2, 1, 4, 4)), (-1.0, (5,))):
        u, c = normal(*shape, seed=0), normal(*shape, seed=1)
        refuse_slips(mine(u, c, w), u + w * (c - u), {
            "here w = 0 gives the labelled model: that is Ho and Salimans' omega. Ours counts from the unlabelled one.":
                c + w * (c - u),
            "the two predictions have changed places: w = 1 should give the one with the label.": c + w * (u - c),
            "the push points away from the label: it is with_label - without.": u - w * (c - u),
            "it starts from the labelled prediction, and w = 0 gives that: start from the one without.":
                c - w * (c - u),
            "that is the push alone: it is added to the prediction without the label.": w * (c - u),
            "the push is the difference of the two predictions, not the labelled one alone.": u + w * c,
            "only the labelled prediction is scaled: at w = 1 it is right, at w = 0 nothing is left.": w * c,
            "w plays no part.": c,
        }, "it should be without + w * (with_label - without).")  # fmt: skip


def our_guided(without: Tensor, with_label: Tensor, w: float) -> Tensor:
    """The guided prediction, of noise or of the clean image.

    without, with_label: the two predictions, of one shape.
    w: the scale; 0 is without the label, 1 with it.
    """
    return without + w * (with_label - without)


def half(mine) -> None:
    """put the two variances in place of the dots."""
    refuse_slips(mine(), (0.5, 0.4), {
        "these are the right numbers, but CFG is the geometric mean, and comes first.": (0.4, 0.5),
        "these are standard deviations: the variances are asked for.": (0.5**0.5, 0.4**0.5),
        "of 1 and 1/4, CFG takes the geometric mean, not the arithmetic one.": (0.625, 0.4),
        "that is w = 1, where both draw from the posterior.": (0.25, 0.25),
        "the second number is a precision: the variance is 1 over it.": (0.5, 2.5),
        "the first number is upside down: the variance is 4 to the power of minus w.": (2.0, 0.4),
        "the tilted density has the precision 1 + 3 w, not 4 w.": (0.5, 0.5),
    }, "CFG has variance 4 ** -w, and the tilted density precision 1 + 3 w.")  # fmt: skip


def our_half() -> tuple[float, float]:
    """Variance of CFG with DDIM, and of the tilted density, at w = 1/2."""
    return 4**-0.5, 1 / (1 + 3 / 2)


def scale_at(mine) -> None:
    """solve (1 - w) / (1 + u) + w / (1/4 + u) = 1 / (1/10 + u) for w."""
    for u in (torch.tensor([0.01, 0.3, 1.0, 7.0, 400.0], dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64)):
        push = 1 / (0.25 + u) - 1 / (1 + u)
        refuse_slips(mine(u), 1.2 * (0.25 + u) / (0.1 + u), {
            "that is the constant scale: it is right only at u = 0.": torch.full_like(u, 3.0),
            "the prior's own part, 1 / (1 + u), is missing on both sides.": (0.25 + u) / (0.1 + u),
            "the prior's own part, 1 / (1 + u), counts on the right side too.": 1 / (0.1 + u) / push,
            "it is upside down: near the data w should be 3.": (0.1 + u) / (0.25 + u) / 1.2,
            "the fraction is upside down: near the data w should be 3.": 1.2 * (0.1 + u) / (0.25 + u),
            "variances are mixed: it is precisions, 1 over each, that add up.": torch.full_like(u, 1.2),
            "the tilted density has noise added too: its precision is 1 / (1/10 + u).": (10 - 1 / (1 + u)) / push,
            "the sign is turned.": -1.2 * (0.25 + u) / (0.1 + u),
        }, "put your w into both sides: at u = 0 it should be 3, at a large u 1.2.")  # fmt: skip


def our_scale_at(u: float) -> float:
    """The scale at u = sigma^2 / alpha^2 whose field is that of the tilted density, for the sensor at w = 3."""
    return 1.2 * (0.25 + u) / (0.1 + u)


def apg(mine) -> None:
    """remove the part of the push that is parallel to with_label, and add w - 1 times what is left."""
    for w, shape in ((6.0, (3, 1, 4, 4)), (2.0, (2, 3, 5, 2))):
        c, u = normal(*shape, seed=0), normal(*shape, seed=1)
        d, dot = c - u, lambda a, b: (a * b).sum((1, 2, 3), keepdim=True)
        along = dot(d, c) / dot(c, c) * c
        refuse_slips(mine(c, u, w), c + (w - 1) * (d - along), {
            "nothing is removed: that is CFG.": c + (w - 1) * d,
            "only the parallel part is kept: it is the one to remove.": c + (w - 1) * along,
            "counted from the labelled prediction, the push comes w - 1 times, not w times.": c + w * (d - along),
            "start from the labelled prediction, not from the other.": u + w * (d - along),
            "divide by c.c: an image is no unit vector.": c + (w - 1) * (d - dot(d, c) * c),
            "divide by c.c, the square of the length, not by the length.":
                c + (w - 1) * (d - dot(d, c) / dot(c, c).sqrt() * c),
            "the push is split along the unlabelled prediction: it should be along with_label.":
                c + (w - 1) * (d - dot(d, u) / dot(u, u) * u),
            "one scalar product for the whole batch: each image should have its own.":
                c + (w - 1) * (d - (d * c).sum() / (c * c).sum() * c),
            "the scale is not used.": c + d - along,
            "the parallel part is a number times with_label: that last factor is missing.":
                c + (w - 1) * (d - dot(d, c) / dot(c, c)),
        }, "it should be with_label + (w - 1) * (push - parallel), each image for itself.")  # fmt: skip


def our_apg(with_label: Tensor, without: Tensor, w: float) -> Tensor:
    """The guided x0 without the part of the push parallel to the labelled one (Sadat, Hilliges, Weber 2025).

    with_label, without: the two predictions of x0, (B, C, H, W).
    w: the scale; 1 is with_label.
    """
    push, dot = with_label - without, lambda a, b: (a * b).sum((1, 2, 3), keepdim=True)
    return with_label + (w - 1) * (push - dot(push, with_label) / dot(with_label, with_label) * with_label)
