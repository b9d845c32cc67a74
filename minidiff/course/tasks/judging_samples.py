"""Notebook 13, judging samples: checks of the reader's lines, and right ones to go on with."""

import torch
from torch import Tensor

from ...evaluation import frechet_distance, kernel_distance
from ..exercises import refuse_slips


def normal(*shape: int, seed: int) -> Tensor:
    """Independent N(0, 1) numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def frechet(mine) -> None:
    """return the squared gap of the means, plus the trace of C_a + C_b - 2 (H C_b H)^(1/2)."""
    for d, seed in ((5, 0), (3, 10), (1, 20)):
        a, b = (normal(40, d, seed=seed + s) @ normal(d, d, seed=seed + s + 1) + s for s in (0, 2))
        (p, v), (q, w) = ((x.mean(0), torch.cov(x.T).reshape(d, d)) for x in (a, b))
        gap, h = (p - q).square().sum(), root(v)
        both = (v + w).trace()
        cross = root(h @ w @ h).trace()
        refuse_slips(mine(p, v, q, w), torch.tensor(frechet_distance(a, b)), {
            "the 2 is missing: each of C_a and C_b takes one root with it.": gap + both - cross,
            "the gap of the means is to be squared.": gap.sqrt() + both - 2 * cross,
            "the gap of the means is missing.": both - 2 * cross,
            "the outer root is missing: root(H C_b H).": gap + both - 2 * (h @ w @ h).trace(),
            "root is for symmetric matrices, and C_a C_b is none: put H on both sides of C_b.":
                gap + both - 2 * root(v @ w).trace(),
            "H C_b is not symmetric: H belongs on both sides of C_b.": gap + both - 2 * root(h @ w).trace(),
            "sqrt() is of each number, root of a matrix.": gap + both - 2 * (h @ w @ h).diagonal().sqrt().sum(),
            "H is the root of C_a: here C_a itself stands on both sides of C_b.":
                gap + both - 2 * root(v @ w @ v).trace(),
            "the product of two roots is right only where C_a and C_b commute: take root(H C_b H).":
                gap + both - 2 * (h @ root(w)).trace(),
            "that adds up all entries of the matrix: its trace is the sum over the diagonal.":
                gap + (v + w - 2 * root(h @ w @ h)).sum(),
            "the root of the whole is taken: the field prints the square.": (gap + both - 2 * cross).sqrt(),
            "the sign of the last term is turned: equal Gaussians should be at 0.": gap + both + 2 * cross,
        }, "it should be |m_a - m_b|^2 + trace(C_a + C_b - 2 root(H C_b H)), with H = root(C_a).")  # fmt: skip


def our_frechet(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
    """The squared Frechet distance of two Gaussians (Dowson and Landau 1982).

    mean_a, mean_b: (D,).
    cov_a, cov_b: (D, D), symmetric.
    """
    half = root(cov_a)
    return (mean_a - mean_b).square().sum() + (cov_a + cov_b - 2 * root(half @ cov_b @ half)).trace()


def kid(mine) -> None:
    """return the mean over pairs within a, plus that within b, less twice that across; no point with itself."""
    for n, m, d in ((6, 9, 3), (30, 4, 2), (5, 5, 1)):
        a, b = normal(n, d, seed=n), 1 + normal(m, d, seed=m + 50)
        aa, bb, ab = ((x @ y.T / d + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
        alone = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in (aa, bb)]
        refuse_slips(mine(a, b), torch.tensor(kernel_distance(a, b).value), {
            "each point is paired with itself too: take the diagonals of aa and bb out, then no bias is left.":
                aa.mean() + bb.mean() - 2 * ab.mean(),
            "without the diagonal there are n (n - 1) pairs, not n squared.":
                (aa.sum() - aa.trace()) / n**2 + (bb.sum() - bb.trace()) / m**2 - 2 * ab.mean(),
            "b has m points: its pairs are m (m - 1).":
                alone[0] + (bb.sum() - bb.trace()) / (n * (n - 1)) - 2 * ab.mean(),
            "the diagonal of bb is still there.": alone[0] + bb.mean() - 2 * ab.mean(),
            "the pairs across count twice.": sum(alone) - ab.mean(),
            "the pairs across are added: they are to be subtracted, twice.": sum(alone) + 2 * ab.mean(),
            "sums, not means: divide by the number of pairs.":
                aa.sum() - aa.trace() + bb.sum() - bb.trace() - 2 * ab.sum(),
            "across there are n m pairs.": sum(alone) - 2 * ab.sum() / n**2,
            "ab has no points paired with themselves: its mean runs over all n m pairs.":
                sum(alone) - 2 * (ab.sum() - ab.diagonal().sum()) / (n * m - min(n, m)),
        }, "it should be mean aa and mean bb, both without their diagonals, less twice mean ab.")  # fmt: skip


def our_kid(a: Tensor, b: Tensor) -> Tensor:
    """The kernel distance (Binkowski et al. 2018) of a (N, D) and b (M, D), without bias."""
    n, m = len(a), len(b)
    aa, bb, ab = ((x @ y.T / x.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    within_a, within_b = (aa.sum() - aa.trace()) / (n * (n - 1)), (bb.sum() - bb.trace()) / (m * (m - 1))
    return within_a + within_b - 2 * ab.mean()


def could_be(mine) -> None:
    """find reach, (M,), to the k-th nearest other point; then say who lies in a ball, (N,), True or False."""
    for n, m, d, k in ((40, 40, 2, 3), (25, 60, 3, 5), (80, 30, 1, 1)):
        x, crowd = 0.5 + 1.5 * normal(n, d, seed=n), normal(m, d, seed=m + 1)
        apart, between = torch.cdist(x, crowd), torch.cdist(crowd, crowd).sort(1).values
        got = mine(x, crowd, k)
        if isinstance(got, Tensor) and got.dtype != torch.bool and got.shape == (n,):
            raise AssertionError("it should say True or False for each row of x: in how many balls is not asked.")
        slips = {
            "each point is its own nearest: take k + 1 of the smallest distances.": (apart <= between[:, k - 1]).any(1),
            "that is the neighbour after the k-th: the point itself is number 0, so the k-th is in column k.":
                (apart <= between[:, min(k + 1, m - 1)]).any(1),
            "topk takes the largest distances unless largest=False.": (apart <= between[:, -k - 1]).any(1),
            "all asks whether a row lies in every ball: one is enough, any.": (apart <= between[:, k]).all(1),
            "the comparison is turned: inside means nearer than the reach.": (apart >= between[:, k]).any(1),
            "k is an argument: here it is always 3.": (apart <= between[:, min(3, m - 1)]).any(1),
            "the balls are those of x: they should be the crowd's, with the reach of the crowd's points.":
                (apart <= torch.cdist(x, x).sort(1).values[:, k, None]).any(1),
        }  # fmt: skip
        if n == m:
            slips["the reach belongs to the columns, the crowd: compare with reach, not with reach[:, None]."] = (
                apart <= between[:, k, None]
            ).any(1)
            said = "any(0) asks of each ball whether it holds a row: ask each row, any(1)."
            slips[said] = (apart <= between[:, k]).any(0)
        refuse_slips(got, (apart <= between[:, k]).any(1), slips, "it should be any(1) of cdist(x, crowd) <= reach.")


def our_could_be(x: Tensor, crowd: Tensor, k: int = 3) -> Tensor:
    """Whether each row of x (N, D) lies in a ball of the crowd (M, D), out to its k-th nearest other point: (N,)."""
    reach = torch.cdist(crowd, crowd).topk(k + 1, largest=False).values[:, k]
    return (torch.cdist(x, crowd) <= reach).any(1)


def floors(mine) -> None:
    """put the perfect network's score, and the number of drawings, in place of the dots."""
    refuse_slips(mine(), (4.2, 7_000.0), {
        "the first forgets the photographs: they are a sample too.": (3.5, 7_000.0),
        "the first forgets the drawings: they are a sample too.": (0.7, 7_000.0),
        "the first adds the numbers of pictures: it is their inverses, 1/n + 1/m, that add up.": (7 / 12, 7_000.0),
        "the first counts the drawings twice: there are 10,000 photographs.": (7.0, 7_000.0),
        "in the second there are photographs without end: only c / n is left.": (4.2, 14_000.0),
        "the second keeps the 10,000 photographs: without end their part is 0.": (4.2, 7_000 / 0.3),
        "these are the right numbers, in the other order.": (7_000.0, 4.2),
    }, "c (1/n + 1/m) with c = 7,000: first n and m as given, then 1/m = 0 and the bias 1.")  # fmt: skip


def our_floors() -> tuple[float, float]:
    """What a perfect network scores with 2,000 drawings against 10,000 photographs; how many score 1 against all."""
    return 7_000 * (1 / 2_000 + 1 / 10_000), 7_000 / 1


def copied(mine) -> None:
    """return the share of all pairs in which the drawing is the nearer one; a tie counts half."""
    for n, m in ((31, 31), (30, 11), (1, 4)):
        drawn, unseen = (normal(k, seed=k + s).abs().mul(4).round() for k, s in ((n, 0), (m, 1)))  # whole: with ties
        gap = unseen - drawn[:, None]
        one = unseen - drawn if n == m else gap
        (nearer, tied), (above, level) = (((g > 0).double().mean(), (g == 0).double().mean()) for g in (gap, one))
        refuse_slips(mine(drawn, unseen), nearer + tied / 2, {
            "ties are forgotten: each counts half.": nearer,
            "a tie counts half, not as a whole.": nearer + tied,
            "it is turned round: a drawing that is nearer to the training set counts 1.": 1 - nearer - tied / 2,
            "a share is asked for: divide by the number of pairs.": (nearer + tied / 2) * n * m,
            "one number stands for all photographs, such as their mean: compare each drawing with each of them.":
                (drawn.mean() < unseen.mean()).double(),
            "their median stands for all photographs: compare each drawing with each of them.":
                (drawn < unseen.median()).double().mean(),
            "only row by row: compare each drawing with each photograph, drawn[:, None] with unseen.":
                above + level / 2,
            "only row by row, and ties are forgotten: compare each drawing with each photograph.": above,
        }, "look at drawn = 1, 2 and unseen = 2, 3: 7/8.")  # fmt: skip


def our_copied(drawn: Tensor, unseen: Tensor) -> Tensor:
    """How often a drawing is nearer to the training set than an unseen photograph, ties half.

    drawn, unseen: (N,) and (M,), distances to the nearest training picture.
    """
    gap = unseen - drawn[:, None]
    return (gap > 0).double().mean() + (gap == 0).double().mean() / 2
