"""Finding data files, and writing a file so that a crash leaves the old one or the new one, never a mixture."""

import os
import re
import secrets
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..refusals import path as checked_path

ROOT = Path(__file__).resolve().parents[2]  # the folder that holds the package: a clone, or site-packages


class DataError(RuntimeError):
    """A data file is missing, damaged or unreachable; the message says which one, what is wrong and how to mend it."""


def cache_folder() -> Path:
    """The folder for downloaded files: $XDG_CACHE_HOME/minidiff, or the place this operating system keeps caches.

    DataError where that is in a home folder and there is none.
    """
    if Path(os.environ.get("XDG_CACHE_HOME", "")).is_absolute():
        return Path(os.environ["XDG_CACHE_HOME"]) / "minidiff"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "minidiff"
    return home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "minidiff"


def home() -> Path:
    """The user's home folder. DataError where HOME is not set and the system does not know the user."""
    try:
        return Path.home()
    except RuntimeError:
        raise DataError("this user has no home folder: set HOME to a folder that it may write to") from None


def _caches() -> list[Path]:
    """The cache folder, unless there is none."""
    try:
        return [cache_folder()]
    except DataError:
        return []


def clones() -> list[Path]:
    """Where a clone of minidiff may be: beside the package, or else the current folder and its parents."""
    here = Path.cwd()
    return [root for root in dict.fromkeys([ROOT, here, *here.parents]) if _is_clone(root)]


def _is_clone(root: Path) -> bool:
    """Whether a folder holds minidiff's own pyproject.toml; a stranger's `data/` may lie beside the package too."""
    try:
        return 'name = "minidiff"' in (root / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False


def data_folders() -> list[Path]:
    """Where `find` looks, in order: $MINIDIFF_DATA, the `data/` of a clone of minidiff, the cache folder (if any).

    A clone is looked for beside the package, then in the current folder and its parents. DataError where $MINIDIFF_DATA
    is not a folder.
    """
    chosen = [Path(folder) for folder in [os.environ.get("MINIDIFF_DATA")] if folder]
    if chosen and not chosen[0].is_dir():
        raise DataError(f"MINIDIFF_DATA is set to {chosen[0]}, which is not a folder: correct it, or unset it")
    return [*chosen, *(root / "data" for root in clones()), *_caches()]


def search(relative_path: str) -> Path | None:
    """The first of the data folders' copies of a file or folder, or None."""
    return next((folder / relative_path for folder in data_folders() if (folder / relative_path).exists()), None)


def find(relative_path: str) -> Path:
    """The path of a data file or folder, such as "sprites/sprites.png". DataError where none is found."""
    path = search(os.fspath(checked_path("what to find", relative_path)))
    if path is None:
        places = ", ".join(str(folder) for folder in data_folders()) or "no folder, since none is known"
        raise DataError(
            f"{relative_path} is missing (looked in {places}): in minidiff's repository, restore it with"
            f" git checkout -- data/{relative_path}, or set MINIDIFF_DATA to a folder that holds it"
        )
    return path


def damaged(path: Path, what: str) -> DataError:
    """The error for a file that is there but wrong, with the way to get it back."""
    mend = "put a good copy in its place"
    if any(path.is_relative_to(cache / "fashion-mnist") for cache in _caches()):
        mend = "delete it, and it will be downloaded again"
    for root in clones():
        if path.is_relative_to(root / "data"):
            mend = f"restore it with git checkout -- {path.relative_to(root).as_posix()}"
    return DataError(f"{path} {what}: {mend}")


def read_bytes(path: Path) -> bytes:
    """A data file's content. DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror})") from error


def printable(text: str) -> str:
    """Text from a file or a path, its control characters escaped: what is shown must not steer the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def regular(path: str | Path) -> os.stat_result | None:
    """What the system knows of the file at path, None where nothing is. OSError where it is not a regular file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} is a device, a pipe or a socket: name a regular file")
    return found


def writable(path: str | Path) -> None:
    """Raise OSError now, not after the work, where `write_atomically` could not write path. Makes nothing."""
    regular(path)
    parents = Path(os.path.realpath(path)).parents
    folder = next((parent for parent in parents if parent.exists()), parents[-1])
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder, so {path} cannot be written: choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be written to: choose another place")


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write content beside path under a temporary name, force it to disk, then rename it over path.

    A process killed at any moment leaves either the old file or the new one whole, and two that write at once leave one
    of theirs. The temporary file's name is random, and must be new: no link of that name is followed. It is removed on
    an error; what a killed writer left is removed by the first write an hour later. An old file keeps its mode, and a
    link stays: what it points to is replaced. OSError where path is anything but a regular file.
    """
    path = Path(os.path.realpath(path))
    old = regular(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    partial = path.with_name(f".{path.name[:_KEPT]}.{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb") as file:
            if old is not None:
                os.chmod(partial, stat.S_IMODE(old.st_mode))  # before there is anything to read
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except FileExistsError:
        raise  # it is not ours
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


_KEPT = 40  # characters of a name that its temporary file is named after: a name's length has a limit


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of path that nobody has touched for an hour, which is longer than a write takes."""
    ours = re.compile(rf"\.{re.escape(path.name[:_KEPT])}\.[0-9a-f]{{16}}\.partial")
    with suppress(OSError):  # as from a folder that may be written but not listed
        for entry in os.scandir(path.parent):
            if ours.fullmatch(entry.name) and time.time() - entry.stat(follow_symlinks=False).st_mtime > 3600:
                os.unlink(entry)


def _sync_folder(folder: Path) -> None:
    """Force the rename itself to disk, where the system lets a folder be opened (Windows does not)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
