"""The data sets: one function each, every one returning a `Data`.

    moons = two_moons(10_000)            a set in the plane, made from a seed
    clothes = fashion_mnist("train")     60,000 grey images of 28 x 28 pixels
    tiles = sprites()                    1,465 colour images of 32 x 32 pixels
    photos = cifar10("train")            50,000 colour images of 32 x 32 pixels, from an archive that you download

Every set is standardised by one scalar shift and one scalar scale, fixed constants of the set and not statistics of the
sample drawn: the mean over all coordinates is 0 and the mean square is 1. The rest of the package can therefore take
the spread of the data to be 1. The sets in the plane are centred by their recipes, so their shift is 0. The data cards
under `data/` give the numbers, the sources and the licences.
"""

import csv
import gzip
import hashlib
import io
import math
import os
import struct
import sys
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .files import repositories, write_atomically


class DataError(RuntimeError):
    """A data file is missing, damaged or unreachable; the message says which one, what is wrong and how to mend it."""


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """A data set in standardised units: `raw = x * scale + shift`.

    x: (N, *) float32. y: (N,) int64 class labels, or None. names: the names of the classes, entry k for label k.
    captions: one name for each of the N items, or None.
    """

    x: Tensor
    y: Tensor | None = None
    shift: float = 0.0
    scale: float = 1.0
    names: tuple[str, ...] | None = None
    captions: tuple[str, ...] | None = None

    def restore(self, x: Tensor) -> Tensor:
        """From standardised to original units (for images: 0 is black, 1 is white; a sample may fall outside)."""
        return x * self.scale + self.shift

    def standardise(self, raw: Tensor) -> Tensor:
        """From original to standardised units."""
        return (raw - self.shift) / self.scale

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, items: slice | Tensor | Sequence[int]) -> "Data":
        """The part of the set picked by a slice, a mask or a list of indices: `clothes[clothes.y == 7]`."""
        picked = torch.arange(len(self))[items]
        if picked.ndim != 1:
            raise TypeError(f"Data[{items}] would not be a data set: give a slice, or take data.x[{items}]")
        y = None if self.y is None else self.y[items]
        captions = None if self.captions is None else tuple(self.captions[i] for i in picked.tolist())
        return Data(self.x[items], y, self.shift, self.scale, self.names, captions)

    def __repr__(self) -> str:
        classes = "no labels" if self.names is None else f"{len(self.names)} classes"
        return f"Data(x {tuple(self.x.shape)}, {classes}, shift {self.shift:.6g}, scale {self.scale:.6g})"


# ---- where the files are -----------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """The folder for downloaded files: $XDG_CACHE_HOME/minidiff, or the place this operating system keeps caches."""
    if Path(os.environ.get("XDG_CACHE_HOME", "")).is_absolute():
        return Path(os.environ["XDG_CACHE_HOME"]) / "minidiff"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "minidiff"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "minidiff"
    return Path.home() / ".cache" / "minidiff"


def data_folders() -> list[Path]:
    """Where `find` looks, in order: $MINIDIFF_DATA, the `data/` of a clone of minidiff, the cache folder.

    A clone is looked for beside the package, then in the current folder and its parents. DataError where $MINIDIFF_DATA
    is not a folder.
    """
    chosen = [Path(folder) for folder in [os.environ.get("MINIDIFF_DATA")] if folder]
    if chosen and not chosen[0].is_dir():
        raise DataError(f"MINIDIFF_DATA is set to {chosen[0]}, which is not a folder: correct it, or unset it")
    return [*chosen, *_clones(), cache_folder()]


def _clones() -> list[Path]:
    """The `data/` of every clone around. Without a pyproject.toml, `data/` would be a stranger's in site-packages."""
    return [root / "data" for root in repositories() if (root / "pyproject.toml").is_file()]


def _search(relative_path: str) -> Path | None:
    return next((folder / relative_path for folder in data_folders() if (folder / relative_path).exists()), None)


def find(relative_path: str) -> Path:
    """The path of a data file or folder, such as "sprites/sprites.png". DataError where none is found."""
    path = _search(relative_path)
    if path is None:
        places = ", ".join(str(folder) for folder in data_folders())
        raise DataError(
            f"{relative_path} is missing (looked in {places}): in minidiff's repository, restore it with"
            f" git checkout -- data/{relative_path}, or set MINIDIFF_DATA to a folder that holds it"
        )
    return path


def _damaged(path: Path, what: str) -> DataError:
    """The error for a file that is there but wrong, with the way to get it back."""
    mend = "put a good copy in its place"
    if path.is_relative_to(cache_folder() / "fashion-mnist"):
        mend = "delete it, and it will be downloaded again"
    for folder in _clones():
        if path.is_relative_to(folder):
            mend = f"restore it with git checkout -- data/{path.relative_to(folder).as_posix()}"
    return DataError(f"{path} {what}: {mend}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror})") from error


# ---- images ------------------------------------------------------------------------------------------------------

FASHION_MNIST_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MNIST_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
FASHION_MNIST_SHIFT, FASHION_MNIST_SCALE = 0.286041, 0.353024  # mean and deviation of the training pixels in [0, 1]
_FASHION_MNIST_FILES = {  # shape, and SHA-256 of the decompressed file
    "train-images-idx3-ubyte.gz": ((60000, 28, 28), "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    "train-labels-idx1-ubyte.gz": ((60000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "t10k-images-idx3-ubyte.gz": ((10000, 28, 28), "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    "t10k-labels-idx1-ubyte.gz": ((10000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}


def fashion_mnist(split: str = "train") -> Data:
    """Fashion-MNIST (Xiao et al. 2017): x (N, 1, 28, 28), ten classes; N is 60,000 ("train") or 10,000 ("test").

    Read from the repository, or downloaded once where no copy is found. DataError if a file is damaged or unreachable.
    """
    if split not in ("train", "test"):
        raise ValueError(f'split is "train" or "test", not {split!r}')
    prefix = "train" if split == "train" else "t10k"
    pixels = torch.from_numpy(_fashion_mnist_file(f"{prefix}-images-idx3-ubyte.gz"))
    labels = torch.from_numpy(_fashion_mnist_file(f"{prefix}-labels-idx1-ubyte.gz"))
    x = pixels.unsqueeze(1).to(torch.float32).div_(255).sub_(FASHION_MNIST_SHIFT).div_(FASHION_MNIST_SCALE)
    return Data(x, labels.long(), FASHION_MNIST_SHIFT, FASHION_MNIST_SCALE, FASHION_MNIST_NAMES)


def _fashion_mnist_file(name: str) -> np.ndarray:
    path = _search(f"fashion-mnist/{name}")
    if path is None:
        path = fetch_fashion_mnist() / name
    return _read_idx(path, *_FASHION_MNIST_FILES[name])


def _read_idx(path: Path, shape: tuple[int, ...], sha256: str) -> np.ndarray:
    """The uint8 array in a gzipped IDX file; DataError unless its shape and the SHA-256 of its content are as given."""
    try:
        return _parse_idx(_read(path), shape, sha256)
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _parse_idx(compressed: bytes, shape: tuple[int, ...], sha256: str) -> np.ndarray:
    """IDX is a magic number (0x08 for bytes, then the number of axes), the shape as big-endian int32, and the bytes.

    ValueError unless the content is exactly the one whose SHA-256 is given; its message wants the file's name in front.
    """
    header, size = 4 + 4 * len(shape), math.prod(shape)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(compressed)) as stream:
            content = stream.read(header + size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("is cut short, damaged or not a gzip file") from error
    if len(content) < header:
        raise ValueError("is too short for its header")
    magic, *found = struct.unpack(f">{1 + len(shape)}I", content[:header])
    if magic != 0x0800 + len(shape):
        raise ValueError(f"has the magic number {magic} instead of {0x0800 + len(shape)}")
    if tuple(found) != shape or len(content) != header + size:
        raise ValueError(f"should hold {shape} bytes, but says {tuple(found)} and holds {len(content) - header}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("does not have the expected content (its SHA-256 differs)")
    return np.frombuffer(bytearray(content), np.uint8, offset=header).reshape(shape)


def fetch_fashion_mnist() -> Path:
    """Download Fashion-MNIST (30 MB) from Zalando's address to the cache folder; returns the folder.

    Files already there and sound are kept, damaged ones replaced. A file appears only once its SHA-256 is right.
    """
    folder = cache_folder() / "fashion-mnist"
    for name, (shape, sha256) in _FASHION_MNIST_FILES.items():
        try:
            _read_idx(folder / name, shape, sha256)
        except DataError:
            _download(FASHION_MNIST_URL + name, folder / name, shape, sha256)
    return folder


def _download(url: str, path: Path, shape: tuple[int, ...], sha256: str) -> None:
    """Fetch, verify, then write: to a temporary file in the same folder, which takes the name in one atomic step."""
    from http.client import HTTPException
    from urllib.request import urlopen

    instead = "restore Fashion-MNIST with git checkout -- data/fashion-mnist in minidiff's repository"
    try:
        with urlopen(url, timeout=15) as response:
            compressed = response.read(2 * math.prod(shape) + 1024)  # more is not this file
        _parse_idx(compressed, shape, sha256)
    except ValueError as error:
        raise DataError(f"what {url} sent {error}, so it was not kept: try again, or {instead}") from error
    except (OSError, HTTPException) as error:
        raise DataError(f"{url} could not be fetched ({error}): connect to the network, or {instead}") from error
    try:
        write_atomically(path, compressed)
    except OSError as error:
        advice = f"give that folder room for 30 MB and the right to write, or {instead}"
        raise DataError(f"{path} cannot be written ({error.strerror}): {advice}") from error


SPRITES_SHIFT, SPRITES_SCALE = 0.668303, 0.412452  # mean and deviation over all pixels and colours, on white
_SPRITES_SHA256 = {
    "sprites.png": "96da41b23ed87343ba1582c901e84eb657218203304e89c127f4e6a917012173",
    "sprites.csv": "831ae440955b4041df8d9f7d2501f17de1f792087addba4d5959171cddb8e11d",
}


def sprites(split: str = "all") -> Data:
    """1,465 game tiles on white: x (N, 3, 32, 32), y one of 18 categories, captions the names. DataError if damaged.

    split: "train" or "test" for a fixed part: every tenth name is held out, with all tiles that bear it (134), so that
    what was learned by heart can be told from what was understood. "all": both, in the order of the file.
    """
    if split not in ("all", "train", "test"):
        raise ValueError(f'split is "all", "train" or "test", not {split!r}')
    sheet = _on_white(io.BytesIO(_sprites_file("sprites.png")))  # 31 rows of 48 tiles
    pixels = sheet.reshape(31, 32, 48, 32, 3).permute(0, 2, 4, 1, 3).reshape(-1, 3, 32, 32)
    rows = list(csv.DictReader(io.StringIO(_sprites_file("sprites.csv").decode())))
    names = tuple(sorted({row["category"] for row in rows}))
    y = torch.tensor([names.index(row["category"]) for row in rows])
    x = pixels[: len(rows)].sub(SPRITES_SHIFT).div(SPRITES_SCALE)
    captions = tuple(row["name"] for row in rows)
    tiles = Data(x, y, SPRITES_SHIFT, SPRITES_SCALE, names, captions)
    number = {name: k for k, name in enumerate(dict.fromkeys(captions))}
    held_out = torch.tensor([number[name] % 10 == 9 for name in captions])
    return {"all": tiles, "train": tiles[~held_out], "test": tiles[held_out]}[split]


def _sprites_file(name: str) -> bytes:
    path = find(f"sprites/{name}")
    content = _read(path)
    if name.endswith(".csv"):
        content = content.replace(b"\r\n", b"\n")  # git on Windows may have changed the line ends
    if hashlib.sha256(content).hexdigest() != _SPRITES_SHA256[name]:
        raise _damaged(path, "does not have the expected content (its SHA-256 differs)")
    return content


CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_SHIFT, CIFAR10_SCALE = (
    0.473363,
    0.251569,
)  # mean and deviation of the training pixels in [0, 1], all colours alike
_CIFAR10 = (170_052_171, "c32a1d4ab5d03f1284b67883e8d87530")  # bytes, and the MD5 that its authors publish


def cifar10(split: str = "train") -> Data:
    """CIFAR-10 (Krizhevsky 2009): x (N, 3, 32, 32), ten classes; N is 50,000 ("train") or 10,000 ("test").

    Read from the authors' binary archive, which minidiff neither brings nor downloads. It is never unpacked: what is
    needed is read in memory, once its MD5 is right. DataError if it is missing or another.
    """
    if split not in ("train", "test"):
        raise ValueError(f'split is "train" or "test", not {split!r}')
    batches = [f"data_batch_{k}.bin" for k in range(1, 6)] if split == "train" else ["test_batch.bin"]
    with tarfile.open(fileobj=io.BytesIO(_cifar10_archive())) as archive:
        found = {Path(entry.name).name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
    content = bytearray().join(found[name] for name in batches)
    records = torch.from_numpy(np.frombuffer(content, np.uint8).reshape(-1, 1 + 3 * 32 * 32))
    pixels = records[:, 1:].reshape(-1, 3, 32, 32)  # all reds, then all greens, then all blues
    x = pixels.to(torch.float32).div_(255).sub_(CIFAR10_SHIFT).div_(CIFAR10_SCALE)
    return Data(x, records[:, 0].long(), CIFAR10_SHIFT, CIFAR10_SCALE, CIFAR10_NAMES)


def _cifar10_archive() -> bytes:
    name = CIFAR10_URL.rsplit("/", 1)[1]
    path, fetch = _search(name), f"download {CIFAR10_URL} (170 MB) to {cache_folder() / name}"
    if path is None:
        raise DataError(
            f"CIFAR-10 does not come with minidiff: {fetch}, or set MINIDIFF_DATA to a folder that holds it"
        )
    content, (size, md5) = _read(path), _CIFAR10
    if len(content) != size:
        raise DataError(f"{path} holds {len(content):,} bytes instead of {size:,}: delete it, and {fetch} again")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DataError(f"{path} does not have the MD5 that its authors publish: delete it, and {fetch} again")
    return content


def _on_white(source: str | Path | io.BytesIO) -> Tensor:
    """A picture file as (H, W, 3) float32 in [0, 1], whatever is transparent laid on white."""
    from PIL import Image

    with Image.open(source) as picture:
        rgba = torch.from_numpy(np.array(picture.convert("RGBA"))).float().div_(255)
    colour, opacity = rgba[..., :3], rgba[..., 3:]
    return colour * opacity + (1 - opacity)


# ---- sets in the plane -------------------------------------------------------------------------------------------


def two_moons(n: int, seed: int = 0) -> Data:
    """Two half circles that reach into each other; y says which. n points, x (n, 2), the same for the same seed."""
    generator = _generator(n, seed)
    y = torch.randint(2, (n,), generator=generator)
    angle = math.pi * torch.rand(n, generator=generator)
    upper = torch.stack([angle.cos() - 1 / 2, angle.sin() - 1 / 4], 1)
    points = upper * (1 - 2 * y[:, None])  # the lower moon is the upper one after half a turn
    return _in_plane(points, 21 / 16 - 1 / math.pi, 0.08, generator, y, ("upper moon", "lower moon"))


def swiss_roll(n: int, seed: int = 0) -> Data:
    """A rolled-up line, seen from the end: radius = angle, from 1.5 pi to 4.5 pi. No labels."""
    generator = _generator(n, seed)
    angle = math.pi * (1.5 + 3 * torch.rand(n, generator=generator))
    centre = torch.tensor([2, 2 / (3 * math.pi)])
    points = angle[:, None] * _circle(angle) - centre
    return _in_plane(points, 9.75 * math.pi**2 - centre.square().sum().item(), 0.4, generator)


def spirals(n: int, seed: int = 0) -> Data:
    """Two arms that wind one and a half times around the middle, half a turn apart; y is the arm."""
    generator = _generator(n, seed)
    y = torch.randint(2, (n,), generator=generator)
    angle = 3 * math.pi * torch.rand(n, generator=generator).sqrt()  # the root spreads the points evenly along the arm
    points = angle[:, None] * _circle(angle + math.pi * y)
    return _in_plane(points, 4.5 * math.pi**2, 0.4, generator, y, ("first arm", "second arm"))


def pinwheel(n: int, seed: int = 0) -> Data:
    """Five blades (Johnson et al. 2016): long Gaussians, turned the further the farther out; y is the blade."""
    generator = _generator(n, seed)
    y = torch.randint(5, (n,), generator=generator)
    along, across = 1 + 0.3 * torch.randn(n, generator=generator), 0.1 * torch.randn(n, generator=generator)
    turn = 2 * math.pi * y / 5 + along.exp() / 4
    points = along[:, None] * _circle(turn) + across[:, None] * _circle(turn + math.pi / 2)
    return _in_plane(points, 1 + 0.3**2 + 0.1**2, 0.0, generator, y, tuple(f"blade {k}" for k in range(1, 6)))


def rings(n: int, seed: int = 0) -> Data:
    """Three rings of radius 1, 2 and 3, equally likely; y is the ring."""
    generator = _generator(n, seed)
    y = torch.randint(3, (n,), generator=generator)
    points = (1 + y[:, None]) * _circle(2 * math.pi * torch.rand(n, generator=generator))
    return _in_plane(points, 14 / 3, 0.1, generator, y, ("inner ring", "middle ring", "outer ring"))


def checkerboard(n: int, seed: int = 0) -> Data:
    """Uniform on the eight dark squares of a 4 x 4 board, edges sharp; y is the square, row by row from below."""
    generator = _generator(n, seed)
    y = torch.randint(8, (n,), generator=generator)
    row = y // 2
    corner = torch.stack([2 * (y % 2) + row % 2, row], 1) - 2
    points = corner + torch.rand(n, 2, generator=generator)
    return _in_plane(points, 8 / 3, 0.0, generator, y, tuple(f"square {k}" for k in range(1, 9)))


def outline(picture: object, n: int, seed: int = 0) -> Data:
    """Points along the edge between dark ink and light paper in a drawing of your own.

    picture: a 2-D array, row 0 at the top, or the path of a picture file. Ink is what is darker than midway between
    its darkest and its lightest grey; ValueError if all is one grey. The edge is cut into pieces of one pixel, equally
    likely. It is centred, and scaled by its own exact spread, so every n and seed draw from one distribution.
    """
    generator = _generator(n, seed)
    middles, lies_along = _edge(_grey(picture))
    middles = middles - middles.mean(0)
    spread = middles.square().sum(1).mean().item() + 1 / 12  # 1/12: the variance along a piece
    piece = torch.randint(len(middles), (n,), generator=generator)
    along = torch.rand(n, 1, generator=generator) - 1 / 2
    return _in_plane((middles[piece] + along * lies_along[piece]).float(), spread, 0.0, generator)


def _grey(picture: object) -> Tensor:
    if isinstance(picture, (str, Path)):
        return _on_white(picture).double().mean(2)
    grey = torch.from_numpy(np.array(picture, np.float64))
    if grey.ndim != 2 or not grey.isfinite().all() or not grey.numel():
        raise ValueError(f"a drawing is a 2-D array of finite greys, or the path of a picture; got {tuple(grey.shape)}")
    return grey


def _edge(grey: Tensor) -> tuple[Tensor, Tensor]:
    """The pieces of the edge: their middles (M, 2) as (right, up) in pixels, and the unit vectors they lie along."""
    midway = (grey.min() + grey.max()) / 2
    paper = torch.nn.functional.pad(grey, (1, 1, 1, 1), value=grey.max().item())

    def crossings(grey: Tensor) -> Tensor:
        row, column = torch.nonzero((grey[:, :-1] < midway) != (grey[:, 1:] < midway), as_tuple=True)
        left, right = grey[row, column], grey[row, column + 1]
        return torch.stack([column + (midway - left) / (right - left), row], 1)  # where the grey passes midway

    upright, flat = crossings(paper), crossings(paper.T).flip(1)
    middles = torch.cat([upright, flat]) * torch.tensor([1, -1])  # rows count downwards
    if not len(middles):
        raise ValueError("the drawing is all one grey, so it has no edge: draw dark ink on light paper")
    direction = torch.tensor([[0.0, 1.0]] * len(upright) + [[1.0, 0.0]] * len(flat))
    return middles, direction


def _generator(n: int, seed: int) -> torch.Generator:
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
        raise ValueError(f"n is how many points to draw, a whole number from 1 up; got {n!r}")
    return torch.Generator().manual_seed(seed)


def _circle(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], 1)


def _in_plane(points: Tensor, spread: float, noise: float, generator: torch.Generator, y=None, names=None) -> Data:
    """Add noise to points (n, 2) of mean 0 and E|point|^2 = spread, and scale to a mean square of 1 a coordinate."""
    scale = math.sqrt(spread / 2 + noise**2)
    raw = points + noise * torch.randn(points.shape, generator=generator)
    return Data(raw / scale, y, 0.0, scale, names)


class Mixture(NamedTuple):
    """A mixture of round Gaussians, whose density is known: `exact.of_mixture(*mixture, schedule)` is its denoiser.

    means: (K, D). stds: (K,) > 0. weights: (K,) > 0, of which only the proportions matter.
    """

    means: Tensor
    stds: Tensor
    weights: Tensor

    def standardised(self) -> "Mixture":
        """The same mixture moved and scaled to mean 0 and, averaged over the coordinates, variance 1."""
        weights = self.weights / self.weights.sum()
        means = self.means - weights @ self.means
        scale = (weights @ (means.square().mean(1) + self.stds.square())).sqrt()
        return Mixture(means / scale, self.stds / scale, weights)

    def sample(self, n: int, seed: int = 0) -> Data:
        """n points, x (n, D); y is the component each was drawn from."""
        generator = _generator(n, seed)
        y = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator)
        names = tuple(f"Gaussian {k}" for k in range(1, len(self.means) + 1))
        return Data((self.means[y] + self.stds[y, None] * noise).float(), y, names=names)

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log density at x (B, D), in nats: (B,)."""
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
