"""Images: Fashion-MNIST and the sprites, which come with minidiff, and CIFAR-10, which you download."""

import csv
import gzip
import hashlib
import io
import math
import struct
import tarfile
import threading
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..refusals import choice
from .dataset import Data
from .files import DataError, cache_folder, damaged, find, read_bytes, search, write_atomically

FASHION_MNIST_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MNIST_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
FASHION_MNIST_SHIFT, FASHION_MNIST_SCALE = 0.286041, 0.353024  # mean and deviation of the training pixels in [0, 1]
FASHION_MNIST_FILES = {  # shape, and SHA-256 of the decompressed file
    "train-images-idx3-ubyte.gz": ((60000, 28, 28), "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    "train-labels-idx1-ubyte.gz": ((60000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "t10k-images-idx3-ubyte.gz": ((10000, 28, 28), "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    "t10k-labels-idx1-ubyte.gz": ((10000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}


def fashion_mnist(split: str = "train") -> Data:
    """Fashion-MNIST (Xiao et al. 2017): x (N, 1, 28, 28), ten classes; N is 60,000 ("train") or 10,000 ("test").

    Read from the repository, or downloaded once where no copy is found. DataError if a file is damaged or unreachable.
    """
    choice("split", split, ("train", "test"))
    prefix = "train" if split == "train" else "t10k"
    pixels = torch.from_numpy(_fashion_mnist_file(f"{prefix}-images-idx3-ubyte.gz"))
    labels = torch.from_numpy(_fashion_mnist_file(f"{prefix}-labels-idx1-ubyte.gz"))
    x = pixels.unsqueeze(1).to(torch.float32).div_(255).sub_(FASHION_MNIST_SHIFT).div_(FASHION_MNIST_SCALE)
    return Data(x, labels.long(), FASHION_MNIST_SHIFT, FASHION_MNIST_SCALE, FASHION_MNIST_NAMES)


def _fashion_mnist_file(name: str) -> np.ndarray:
    path = search(f"fashion-mnist/{name}")
    if path is None:
        path = fetch_fashion_mnist() / name
    return _read_idx(path, *FASHION_MNIST_FILES[name])


def _read_idx(path: Path, shape: tuple[int, ...], sha256: str) -> np.ndarray:
    """The uint8 array in a gzipped IDX file; DataError unless its shape and the SHA-256 of its content are as given."""
    try:
        return parse_idx(read_bytes(path), shape, sha256)
    except ValueError as error:
        raise damaged(path, str(error)) from error


def parse_idx(packed: bytes, shape: tuple[int, ...] | None = None, sha256: str | None = None) -> np.ndarray:
    """IDX, gzipped or not: a magic number (0x08 for bytes, then the number of axes), the shape as big-endian int32,
    and the bytes.

    ValueError for another content, shape or SHA-256 than the given ones; its message wants the file's name in front.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) if packed[:2] == b"\x1f\x8b" else io.BytesIO(packed) as stream:
            header = stream.read(4)
            axes = len(shape) if shape is not None else header[3] if len(header) == 4 else 0
            header += stream.read(4 * axes)
            if len(header) < 8 or len(header) < 4 + 4 * axes:
                raise ValueError("is too short for its header")
            magic, *found = struct.unpack(f">{1 + axes}I", header)
            if magic != 0x0800 + axes:
                raise ValueError(f"has the magic number {magic} instead of {0x0800 + axes}")
            shape = tuple(found) if shape is None else shape
            content = stream.read(
                min(math.prod(shape), 1100 * len(packed)) + 1
            )  # gzip makes nothing 1,100 times smaller
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("is cut short, damaged or not a gzip file") from error
    if tuple(found) != shape or len(content) != math.prod(shape):
        raise ValueError(f"should hold {shape} bytes, but says {tuple(found)} and holds {len(content)}")
    if sha256 is not None and hashlib.sha256(header + content).hexdigest() != sha256:
        raise ValueError("does not have the expected content (its SHA-256 differs)")
    return np.frombuffer(bytearray(content), np.uint8).reshape(shape)


def fetch_fashion_mnist() -> Path:
    """Download Fashion-MNIST (30 MB) from Zalando's address to the cache folder; returns the folder.

    Files already there and sound are kept, damaged ones replaced. A file appears only once its SHA-256 is right.
    """
    folder = cache_folder() / "fashion-mnist"
    for name, (shape, sha256) in FASHION_MNIST_FILES.items():
        try:
            _read_idx(folder / name, shape, sha256)
        except DataError:
            _download(FASHION_MNIST_URL + name, folder / name, shape, sha256)
    return folder


def _download(url: str, path: Path, shape: tuple[int, ...], sha256: str) -> None:
    """Fetch, verify, then write: to a temporary file in the same folder, which takes the name in one atomic step."""
    from http.client import HTTPException

    instead = "restore Fashion-MNIST with git checkout -- data/fashion-mnist in minidiff's repository"
    try:
        compressed = _fetched(url, 2 * math.prod(shape) + 1024)  # more is not this file
        parse_idx(compressed, shape, sha256)
    except ValueError as error:
        raise DataError(f"what {url} sent {error}, so it was not kept: try again, or {instead}") from error
    except (OSError, HTTPException) as error:
        raise DataError(f"{url} could not be fetched ({error}): connect to the network, or {instead}") from error
    try:
        write_atomically(path, compressed)
    except OSError as error:
        advice = f"give that folder room for 30 MB and the right to write, or {instead}"
        raise DataError(f"{path} cannot be written ({error.strerror}): {advice}") from error


PATIENCE, LEAST_SPEED = 15, 10_000  # seconds in which nothing need come, and bytes a second from then on


def _fetched(url: str, most: int) -> bytes:
    """What a server sends, up to `most` bytes. TimeoutError if it is slower than LEAST_SPEED, in whatever it does."""
    from urllib.request import urlopen

    content, failed, given_up = bytearray(), [], threading.Event()

    def fetch() -> None:
        try:
            with urlopen(url, timeout=PATIENCE) as response:
                while len(content) < most and not given_up.is_set() and (piece := response.read1(1 << 16)):
                    content.extend(piece)
        except Exception as error:
            failed.append(error)

    worker = threading.Thread(target=fetch, daemon=True)  # a header may come byte by byte too, an address never
    worker.start()
    begun = time.monotonic()
    while worker.is_alive():
        worker.join(0.05)
        seconds = time.monotonic() - begun
        if worker.is_alive() and len(content) < LEAST_SPEED * (seconds - PATIENCE):
            given_up.set()
            raise TimeoutError(f"{len(content):,} bytes came in {seconds:.0f} s")
    if failed:
        raise failed[0]
    return bytes(content)


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
    choice("split", split, ("all", "train", "test"))
    sheet = on_white(io.BytesIO(_sprites_file("sprites.png")))  # 31 rows of 48 tiles
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
    content = read_bytes(path)
    if name.endswith(".csv"):
        content = content.replace(b"\r\n", b"\n")  # git on Windows may have changed the line ends
    if hashlib.sha256(content).hexdigest() != _SPRITES_SHA256[name]:
        raise damaged(path, "does not have the expected content (its SHA-256 differs)")
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
    choice("split", split, ("train", "test"))
    batches = [f"data_batch_{k}.bin" for k in range(1, 6)] if split == "train" else ["test_batch.bin"]
    with tarfile.open(fileobj=io.BytesIO(_cifar10_archive())) as archive:
        found = {Path(entry.name).name: file.read() for entry in archive if (file := archive.extractfile(entry))}
    content = bytearray().join(found[name] for name in batches)
    records = torch.from_numpy(np.frombuffer(content, np.uint8).reshape(-1, 1 + 3 * 32 * 32))
    pixels = records[:, 1:].reshape(-1, 3, 32, 32)  # all reds, then all greens, then all blues
    x = pixels.to(torch.float32).div_(255).sub_(CIFAR10_SHIFT).div_(CIFAR10_SCALE)
    return Data(x, records[:, 0].long(), CIFAR10_SHIFT, CIFAR10_SCALE, CIFAR10_NAMES)


def _cifar10_archive() -> bytes:
    path = search(name := CIFAR10_URL.rsplit("/", 1)[1])
    fetch = f"download {CIFAR10_URL} (170 MB) to {path or cache_folder() / name}"
    if path is None:
        raise DataError(
            f"CIFAR-10 does not come with minidiff: {fetch}, or set MINIDIFF_DATA to a folder that holds it"
        )
    content, (size, md5) = read_bytes(path), _CIFAR10
    if len(content) != size:
        raise DataError(f"{path} holds {len(content):,} bytes instead of {size:,}: delete it, and {fetch} again")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DataError(f"{path} does not have the MD5 that its authors publish: delete it, and {fetch} again")
    return content


LARGEST = 4096  # pixels along a side of a picture, beyond which it is reduced: a photograph stays as it is
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # no more: EPS, for one, starts another program


def on_white(source: str | Path | io.BytesIO, least: int = LARGEST) -> Tensor:
    """A picture file as (H, W, 3) float32 in [0, 1], upright, whatever is transparent laid on white.

    Of several pictures in a file the first; of 16 bits a pixel all. One above LARGEST a side is reduced to it, and one
    whose shorter side is above four times `least`, the pixels that are wanted, to that.
    ValueError for what is no picture, is damaged, or is so large that it may be meant to fill the memory.
    """
    from PIL import Image, ImageOps

    if not isinstance(source, io.BytesIO) and not Path(source).is_file():  # a FIFO would never end
        raise ValueError(f"{source} is no file: give the path of a picture, such as a PNG or a JPEG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a large picture, which is reduced, and of odd colours
            with Image.open(source, formats=FORMATS) as picture:
                return _laid_on_white(ImageOps.exif_transpose(_reduced(picture, least)))
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises whatever a misshapen file trips it over
        known = ", ".join(FORMATS)
        raise ValueError(f"{source} cannot be read as a picture ({error}): give a sound one ({known})") from None


def _reduced(picture, least: int):
    """A picture of no more pixels than `on_white` says, with greys or colours that can be averaged."""
    size = picture.size
    if picture.format == "TIFF":
        picture.load()
        if picture.size != size:  # Pillow 13 tears uncompressed lines that are turned by a quarter
            raise ValueError("its turned lines are read wrongly")
    if picture.mode in ("1", "P"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode.startswith("I"):  # greys of 16 bits, which convert("RGBA") would cut off at 255
        picture = picture.convert("F").point(lambda grey: grey * (1 / 65535))
    if (ratio := max(max(picture.size) / LARGEST, min(picture.size) / (4 * least))) > 1:
        picture.thumbnail([max(1, round(side / ratio)) for side in picture.size])
    return picture


def _laid_on_white(picture) -> Tensor:
    if picture.mode == "F":
        grey = torch.from_numpy(np.array(picture)).unsqueeze(2).expand(-1, -1, 3)
        low, high = grey.min().clamp(max=0), grey.max().clamp(min=1)
        return (grey - low) / (high - low)
    rgba = torch.from_numpy(np.array(picture.convert("RGBA"))).float().div_(255)
    colour, opacity = rgba[..., :3], rgba[..., 3:]
    return colour * opacity + (1 - opacity)
