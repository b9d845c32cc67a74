"""Notebook 17b, what the data do: checks of the reader's lines, and right ones to go on with."""

import torch
from torch import Tensor

from ..exercises import refuse_slips


def _numbers(got, right: list[int], slips: dict[str, list[int]], otherwise: str) -> None:
    """Raise AssertionError unless got holds these numbers, in this order."""
    if isinstance(got, Tensor) and got.dtype == torch.bool:
        raise AssertionError("return their numbers, not a mask: mask.nonzero()[:, 0].")
    assert isinstance(got, (Tensor, list, tuple)), "return a tensor of whole numbers, one for each image that is found."
    found = torch.as_tensor(got)
    assert found.ndim == 1, f"return one row of numbers, (n,), not {tuple(found.shape)}: nonzero()[:, 0]."
    if found.tolist() != right:
        raise AssertionError(next((said for said, wrong in slips.items() if wrong == found.tolist()), otherwise))


def copies(mine) -> None:
    """return the numbers of the images that are nearer than tolerance to an earlier one."""
    for shape in ((1, 28, 28), (3, 4, 5)):
        draw = torch.Generator().manual_seed(0)
        x, jitter = torch.randn(8, *shape, generator=draw), torch.randn(2, *shape, generator=draw)
        near, apart = (part / part.square().mean().sqrt() for part in jitter)
        x[3], x[6], x[5], x[7] = x[0], x[0], x[1] + 0.07 * near, x[2] + 0.11 * apart
        _numbers(mine(x, 0.1), [3, 5, 6], {
            "every image is accused, by its distance 0 to itself or by zeros of tril: (gaps < tolerance).tril(-1).":
                [*range(8)],
            "originals are accused with their copies: only what came later should go, tril(-1).": [0, 1, 3, 5, 6],
            "these are the originals: the later one of each pair should go.": [0, 1, 3],
            "only exact copies are found: a root mean square divides by the root of the number of pixels.": [3, 6],
            "an image at 0.11 is accused: take the root of the mean of the squares.": [3, 5, 6, 7],
            "every image but the first is accused: divide by the root of the number of pixels, and only once.":
                [*range(1, 8)],
            "these are the images that have no earlier copy: the other ones are asked for.": [0, 1, 2, 4, 7],
        }, "of eight images, 3 and 6 equal number 0, and 5 is near 1: it should give 3, 5, 6.")  # fmt: skip


def our_copies(images: Tensor, tolerance: float) -> Tensor:
    """Numbers of the images that lie nearer to an earlier one than tolerance, root mean square a pixel.

    images: (N, C, H, W).
    """
    flat = images.flatten(1)
    gaps = torch.cdist(flat, flat) / flat.shape[1] ** 0.5
    return (gaps < tolerance).tril(-1).any(1).nonzero()[:, 0]


def doubted(mine) -> None:
    """return the numbers of the images to whose own label the judge gives less than `below`."""
    p = torch.tensor([[0.7, 0.29, 0.01], [0.6, 0.39, 0.01], [0.001, 0.0, 0.999], [0.5, 0.495, 0.005],
                      [0.02, 0.96, 0.02], [0.34, 0.33, 0.33]])  # fmt: skip
    labels = torch.tensor([0, 1, 0, 2, 1, 2])
    slips = {
        "that is where the judge would have said something else: doubt is less than that.": [1, 2, 3, 5],
        "these are the labels that the judge believes: turn the sign.": [0, 1, 4, 5],
        "that is where ANY class is unlikely: look up the probability of the image's own label.": [2, 3],
        "nothing is doubted: look up the probability of the image's own label, not the largest one.": [],
    }
    _numbers(mine(p, labels, 0.1), [2, 3], {k: v for k, v in slips.items() if v != [2, 3]},
             "look up p[k, labels[k]] for each k, and compare.")  # fmt: skip
    _numbers(mine(p, labels, 0.003), [2], {
        "that is the same for every `below`: compare with the number that is given.": [2, 3],
        "that is where the judge would have said something else: doubt is less than that.": [1, 2, 3, 5],
    }, "look up p[k, labels[k]] for each k, and compare with `below`.")  # fmt: skip


def our_doubted(probabilities: Tensor, labels: Tensor, below: float) -> Tensor:
    """Numbers of the images whose own label is less likely than `below`.

    probabilities: (N, K), the judge's.
    labels: (N,).
    """
    return (probabilities.gather(1, labels[:, None])[:, 0] < below).nonzero()[:, 0]


def mirror(mine) -> None:
    """return the images, mirrored left to right where the coin is True, and 1 or 0 for each: was it?"""
    for shape in ((1, 5, 5), (3, 4, 6)):
        x = torch.randn(6, *shape, generator=torch.Generator().manual_seed(1))
        coins = torch.tensor([True, False, False, True, True, False])
        took = mine(x.clone(), coins)
        if not isinstance(took, (tuple, list)) or len(took) != 2:
            raise AssertionError("return two things: the images, and what the network is told of them.")
        pick, told = coins[:, None, None, None], coins.double()
        refuse_slips(took[0], torch.where(pick, x.flip(3), x), {
            "they stand on their heads: columns are axis 3, rows axis 2.": torch.where(pick, x.flip(2), x),
            "they are mirrored where the coin is False.": torch.where(pick, x, x.flip(3)),
            "all are mirrored: ask each image's coin.": x.flip(3),
            "that turns them by half a circle: only axis 3.": torch.where(pick, x.flip(2, 3), x),
            "none is mirrored.": x,
            "the order of the images has changed, axis 0: mirror columns, axis 3.": torch.where(pick, x.flip(0), x),
        }, "each image should be itself, or itself with its columns in reverse.")  # fmt: skip
        said = torch.as_tensor(took[1])
        refuse_slips(said.reshape(-1).double(), told, {
            "the network is told the opposite: 1 where it was mirrored.": 1 - told,
            "the network is told that none was: that is the untold mirror.": 0 * told,
            "the network is told that all were.": 0 * told + 1,
        }, "it should be told 1 for each mirrored image, 0 for each other one.")  # fmt: skip


def our_mirror(x: Tensor, coins: Tensor) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W), mirrored where the coin (B,) is True, and (B,) floats that say which."""
    return torch.where(coins[:, None, None, None], x.flip(3), x), coins.float()


def expected(mine) -> None:
    """put the number of drawings in place of the dots."""
    right, got = torch.tensor(200 * 20 / 79), mine()
    refuse_slips(right if got == 51 else got, right, {  # 51: rounded
        "that is the share: of 200 drawings, how many?": right / 200,
        "there are 79 photographs in all, not 80 (or it is rounded down: give one place behind the point).": 50.0,
        "79 photographs, not 60 kinds: it has 20 of 79 chances.": 200 * 20 / 60,
        "that is what it would be without its copies, one photograph among 60.": 200 / 60,
        "that is how often it was in the data: how often is it drawn?": 20.0,
        "one photograph among 79: it has 20 of these chances.": 200 / 79,
    }, "all 79 photographs are equally likely, and 20 of them are this one.")  # fmt: skip


def our_expected() -> float:
    """Drawings, of 200, that are the photograph with 20 copies among 79."""
    return 200 * 20 / 79


def told_apart(mine) -> None:
    """return the share of all points whose nearest OTHER point is of their own cloud."""
    for n, m, move in ((40, 40, 0.0), (30, 50, 0.8), (25, 25, 9.0)):
        draw = torch.Generator().manual_seed(2)
        a, b = torch.randn(n, 3, generator=draw), torch.randn(m, 3, generator=draw) + move
        both, own = torch.cat([a, b]), torch.arange(n + m) < n
        gaps = torch.cdist(both, both)
        apart = gaps.clone().fill_diagonal_(float("inf"))
        same = (own[apart.argmin(1)] == own).double()
        far = (own[gaps.argmax(1)] == own).double().mean()
        slips = {
            "each point found itself: its distance to itself should not count, so make it infinite.": torch.tensor(1.0),
            "that is the share whose neighbour is of the OTHER cloud.": 1 - same.mean(),
            "only the first cloud votes: take all points.": same[:n].mean(),
            "only the second cloud votes: take all points.": same[n:].mean(),
            "that is the farthest point: the nearest is argmin.": far,
            "that is how many, not which share.": same.sum(),
        }
        named = {said: wrong for said, wrong in slips.items() if abs(float(wrong) - float(same.mean())) > 1e-3}
        refuse_slips(mine(a, b), same.mean(), named, "for each point: which is nearest, and is it of the same cloud?")


def our_told_apart(a: Tensor, b: Tensor) -> Tensor:
    """The share of points whose nearest other point is of their own cloud; (n, d) and (m, d)."""
    both, own = torch.cat([a, b]), torch.arange(len(a) + len(b)) < len(a)
    nearest = torch.cdist(both, both).fill_diagonal_(float("inf")).argmin(1)
    return (own[nearest] == own).double().mean()
