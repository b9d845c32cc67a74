"""Data of one's own: a folder of pictures, or arrays of images, points or signals."""

import hashlib
import io
import os
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import refusals
from ..refusals import choice, described, integers, require, tensor, whole
from .dataset import Data
from .files import DataError, damaged, printable, read_bytes, regular
from .images import FORMATS, LARGEST, on_white, parse_idx

AXES = ("ND", "NL", "NHW", "NCL", "NHWC", "NCHW")  # N samples; D coordinates; length L; height, width, C channels
FITS = ("crop", "pad")
UNREADABLE = ("stop", "skip")
READ_BY = {"fit": FITS, "unreadable": UNREADABLE, "axes": AXES}  # what `from_path` takes of each
_JUNK = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx")  # what systems leave, beside hidden files
_MOST_CLASSES = 10_000
_LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # of red, green and blue in a grey (ITU-R BT.601)


def from_folder(
    path: str | Path, size: int | Sequence[int] = 32, *, channels: int = 3, fit: str = "crop", unreadable: str = "stop"
) -> Data:
    """The pictures in a folder, standardised: x (N, channels, height, width), captions their names in the folder.

    Its sub-folders are the classes, by name, whatever lies deeper; a folder without any has no classes. Pictures are
    taken upright, on white, and scaled by averaging, in the order of their names. Hidden files and what systems leave
    in folders are passed over.

    path: the folder.
    size: of the images, one number for a square, or (height, width); a UNet takes multiples of 4.
    channels: 3 for colours, 1 for greys.
    fit: "crop" cuts the middle out to the shape wanted; "pad" keeps all, with white at two sides.
    unreadable: what to do about a file that is no sound picture: "stop", or "skip" it and name it in a warning.

    Raises DataError for no such folder, one without pictures, loose pictures beside sub-folders that hold some, and a
    file that cannot be read; ValueError for other arguments.
    """
    folder, (high, wide) = refusals.path("path", path), _sides(size)
    choice("fit", fit, FITS), choice("unreadable", unreadable, UNREADABLE)
    kinds = "3 for colours or 1 for greys"
    require(whole("channels", channels) in (1, 3), f"channels must be {kinds}; got {described(channels)}")
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give one that holds pictures")
    files, read, broken = _files(folder, frozenset()), list[Path](), list[str]()
    pixels = torch.empty(len(files), channels, high, wide)
    for file in files:
        try:
            picture = on_white(file, least=max(high, wide))
        except ValueError as error:
            if unreadable == "stop":
                raise DataError(f"{error}, or have such files skipped") from None
            broken.append(file.relative_to(folder).as_posix())
            continue
        pixels[len(read)] = _fitted(picture, high, wide, channels, fit)
        read.append(file.relative_to(folder))
    if broken:
        said = ", ".join(broken[:20]) + ", ..." * (len(broken) > 20)
        warnings.warn(printable(f"{folder}: skipped what is no sound picture ({len(broken)}): {said}"), stacklevel=2)
    classes = _classes(folder, read)
    y = torch.tensor([classes.index(file.parts[0]) for file in read]) if classes else None
    return _standardised(pixels[: len(read)], y, classes, tuple(file.as_posix() for file in read))


def from_array(x: Any, y: Any = None, *, axes: str | None = None, names: Sequence[str] | None = None) -> Data:
    """Images, points or signals in an array or a file, standardised by their mean and standard deviation.

    x: images (N, H, W), (N, H, W, C) or (N, C, H, W), points (N, D), signals (N, L) or (N, C, L); or the path of a .npy
        file, of an .npz file with x and perhaps y in it, or of an IDX file as MNIST's are, whose labels may lie beside.
    y: labels (N,), whole numbers from 0 or words, or the path of such.
    axes: what the axes of x are, one of AXES. Unless it is given, two are ND, three NHW, and four NCHW or NHWC, by
        where the 1 or 3 channels are.
    names: of the classes, entry k for label k (default: the words or numbers).

    Images come out as (N, C, H, W), signals as (N, C, L). Images in bytes become greys from 0 to 1; others that leave
    this range are brought into it. Raises DataError for a file that cannot be read, ValueError for no samples, NaN,
    other shapes and lengths, TypeError for what are no numbers.
    """
    if isinstance(x, (str, os.PathLike)):
        found, beside = _loaded(Path(x)), _labels_beside(Path(x))
        x, y = found["x"], y if y is not None else found.get("y", beside[0] if beside else None)
    y = _loaded(Path(y))["x"] if isinstance(y, (str, os.PathLike)) else y
    raw = tensor("x", x, finite=True)
    axes = _axes(raw) if axes is None else choice("axes", axes, AXES)
    require(
        raw.ndim == len(axes) and raw.numel() and max(raw.shape[1:]) <= LARGEST,
        f"x is {described(raw)}: it should have samples, and the axes {axes}, at most {LARGEST} along each but N",
    )
    in_bytes = raw.dtype == torch.uint8
    raw = raw.detach().cpu().to(torch.float32 if "H" in axes else torch.float64, copy=True)
    if "H" in axes:
        low, high = (0.0, 255.0) if in_bytes else (min(float(raw.min()), 0.0), max(float(raw.max()), 1.0))
        raw = (raw - low) / (high - low)
    raw = raw.movedim(3, 1).contiguous() if axes == "NHWC" else raw.unsqueeze(1) if axes in ("NHW", "NL") else raw
    return _standardised(raw, *_labelled(y, names))


def from_path(
    path: str | Path,
    size: int | Sequence[int] = 32,
    channels: int = 3,
    fit: str = "crop",
    unreadable: str = "stop",
    axes: str | None = None,
) -> tuple[Data, dict]:
    """`from_folder` or `from_array`, as the path is, and what `found_again` needs, in types JSON knows.

    path: of a folder or a file.
    size, channels, fit, unreadable: of pictures in a folder.
    axes: of an array in a file.
    """
    folder, axes = refusals.path("path", path), None if axes is None else choice("axes", axes, AXES)
    if folder.is_dir():
        data = from_folder(folder, size, channels=channels, fit=fit, unreadable=unreadable)
        files = [folder / name for name in data.captions or ()]
        read_by = {"size": list(_sides(size)), "channels": channels, "fit": fit, "unreadable": unreadable}
    else:
        data, files = from_array(folder, axes=axes), [folder, *_labels_beside(folder)]
        read_by = {} if axes is None else {"axes": axes}
    digest = hashlib.sha256(repr((data.names, None if data.y is None else data.y.tolist())).encode("utf-8", "replace"))
    for file in files:
        digest.update(hashlib.sha256(read_bytes(file)).digest())
    return data, {"path": str(folder.resolve()), **read_by, "sha256": digest.hexdigest()}


def found_again(source: Mapping, path: str | Path | None = None) -> tuple[Data, dict]:
    """The data of a source, once more, or from another path. DataError where they are not there, or are others."""
    known = isinstance(source, Mapping) and {"path", "sha256"} <= source.keys()
    require(known, f"source must be what from_path gives beside the data, not {described(source)}")
    place = refusals.path("path", source["path"] if path is None else path)
    if not place.exists():
        raise DataError(f"there are no data at {place} any more: say where they are, --data PATH")
    read_by = {key: value for key, value in source.items() if key not in ("path", "sha256")}
    data, now = from_path(place, **read_by)
    if now["sha256"] != source["sha256"]:
        raise DataError(f"{place} does not hold the data of before: bring back what has changed, come or gone")
    return data, now


def _sides(size: int | Sequence[int]) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    require(len(sides) == 2, f"size must be one number, or height and width; got {described(size)} of {len(sides)}")
    return whole("size", sides[0], 1, LARGEST), whole("size", sides[1], 1, LARGEST)


def _files(folder: Path, above: frozenset[str]) -> list[Path]:
    """All files in a folder and below, by name, without junk; a link to a folder that it lies in is passed over."""
    real = os.path.realpath(folder)
    if real in above:
        return []
    found: list[Path] = []
    letters = lambda entry: (unicodedata.normalize("NFC", entry.name), entry.name)  # some systems keep ä as a and dots
    for entry in sorted(folder.iterdir(), key=letters):
        if not entry.name.startswith(".") and entry.name.lower() not in _JUNK:
            found += _files(entry, above | {real}) if entry.is_dir() else [entry]
    return found


def _classes(folder: Path, files: list[Path]) -> tuple[str, ...] | None:
    """The sub-folders that hold pictures, by name, None where none does. DataError for no pictures, and for both."""
    deep = {file.parts[0]: None for file in files if len(file.parts) > 1}
    loose = [file for file in files if len(file.parts) == 1]
    if not files:
        raise DataError(f"{folder} holds no picture: put some in it ({', '.join(FORMATS)}), or name another folder")
    if deep and loose:
        said = f"{loose[0]} beside the sub-folder {next(iter(deep))}"
        raise DataError(f"{folder} holds {said}: sub-folders are classes, so put every picture in one, or none")
    return tuple(deep) or None


def _fitted(picture: Tensor, high: int, wide: int, channels: int, fit: str) -> Tensor:
    """A picture (H, W, 3) as (channels, high, wide)."""
    x, (h, w) = picture.permute(2, 0, 1).unsqueeze(0), picture.shape[:2]
    inner = (high, wide)
    if fit == "crop":
        tall, broad = max(1, min(h, round(w * high / wide))), max(1, min(w, round(h * wide / high)))
        top, left = (h - tall) // 2, (w - broad) // 2
        x = x[:, :, top : top + tall, left : left + broad]
    else:
        ratio = min(high / h, wide / w)
        inner = (max(1, round(h * ratio)), max(1, round(w * ratio)))
    x = F.interpolate(x, inner, mode="bicubic", antialias=True).clamp(0, 1)[0]
    top, left = (high - inner[0]) // 2, (wide - inner[1]) // 2
    x = F.pad(x, (left, wide - inner[1] - left, top, high - inner[0] - top), value=1.0)
    return x if channels == 3 else (x * _LUMA).sum(0, keepdim=True)


def _axes(x: Tensor) -> str:
    """What the axes of an array are, where its shape tells."""
    if x.ndim == 3 and min(x.shape[1:]) >= 4:
        return "NHW"
    channels = [k for k in (1, 3) if x.ndim == 4 and x.shape[k] in (1, 3)]
    require(x.ndim == 2 or len(channels) == 1, f"x is {described(x)}: say what its axes are, axes= one of {AXES}")
    return "ND" if x.ndim == 2 else "NCHW" if channels == [1] else "NHWC"


def _labelled(y: Any, names: Sequence[str] | None) -> tuple[Tensor | None, tuple[str, ...] | None]:
    """Labels and the names of their classes, from whole numbers or words."""
    names = None if names is None else refusals.instance("names", names, (list, tuple), "a list of texts, or None")
    if y is None:
        require(names is None, "names are given without labels: give y, the class of each sample")
        return None, None
    words = y.tolist() if isinstance(y, np.ndarray) and y.dtype.kind == "U" else y
    if isinstance(words, (list, tuple)) and words and all(isinstance(word, str) for word in words):
        number = {name: k for k, name in enumerate(sorted(set(words)) if names is None else names)}
        require(
            number.keys() >= set(words), f"y holds {min(set(words) - number.keys(), default='')!r}, which has no name"
        )
        y, names = [number[word] for word in words], tuple(number)
    y = integers("y", y)
    most = int(y.max()) if y.numel() else 0
    require(most < _MOST_CLASSES, f"y reaches {most}: number the classes from 0 up, at most {_MOST_CLASSES}")
    return y, tuple(map(str, range(most + 1))) if names is None else tuple(names)


def _loaded(path: Path) -> dict[str, np.ndarray]:
    """The arrays x and, from an .npz, y in a file; no pickle is read. DataError where it is no such file."""
    regular(path)
    content = read_bytes(path)
    try:
        if content[:2] != b"PK" and content[:6] != b"\x93NUMPY":
            return {"x": parse_idx(content)}
        found = np.load(io.BytesIO(content), allow_pickle=False)
        found = {"x": found} if isinstance(found, np.ndarray) else {name: found[name] for name in {*found} & {"x", "y"}}
    except MemoryError:
        raise
    except Exception as error:  # NumPy raises whatever a misshapen file trips it over
        raise damaged(path, f"cannot be read as .npy, .npz or IDX ({error})") from None
    require("x" in found, f"{path} holds no x: name the samples x and the labels, if there are any, y")
    return found


def _labels_beside(path: Path) -> list[Path]:
    """The file of labels that goes with MNIST's images, by its name, if it is there."""
    name = path.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    beside = [path.with_name(name), path.with_name(f"{name}.gz")]
    return [other for other in beside if "images" in path.name and "idx3" in path.name and other.is_file()][:1]


def _standardised(
    raw: Tensor, y: Tensor | None, names: tuple[str, ...] | None, captions: tuple[str, ...] | None = None
) -> Data:
    """Moved and scaled in place to mean 0 and variance 1 over all numbers; what is all one number is only moved."""
    scale, shift = map(float, torch.std_mean(raw, correction=0))
    scale = scale if scale > 8 * torch.finfo(raw.dtype).eps * abs(shift) else 1.0  # less is rounding
    fits = 1e-9 <= scale <= 1e9 and abs(shift) <= 1e9
    require(fits, f"x has mean {shift:.3g} and deviation {scale:.3g}: measure it in another unit, nearer to 1")
    return Data(raw.sub_(shift).div_(scale).float(), y, shift, scale, names, captions)
