"""Finding data files, and writing a file so that a crash leaves the old one or the new one, never a mixture."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the folder that holds the package: a clone, or site-packages


class DataError(RuntimeError):
    """A data file is missing, damaged or unreachable; the message says which one, what is wrong and how to mend it."""


def cache_folder() -> Path:
    """The folder for downloaded files: $XDG_CACHE_HOME/minidiff, or the place this operating system keeps caches."""
    if Path(os.environ.get("XDG_CACHE_HOME", "")).is_absolute():
        return Path(os.environ["XDG_CACHE_HOME"]) / "minidiff"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "minidiff"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "minidiff"
    return Path.home() / ".cache" / "minidiff"


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
    """Where `find` looks, in order: $MINIDIFF_DATA, the `data/` of a clone of minidiff, the cache folder.

    A clone is looked for beside the package, then in the current folder and its parents. DataError where $MINIDIFF_DATA
    is not a folder.
    """
    chosen = [Path(folder) for folder in [os.environ.get("MINIDIFF_DATA")] if folder]
    if chosen and not chosen[0].is_dir():
        raise DataError(f"MINIDIFF_DATA is set to {chosen[0]}, which is not a folder: correct it, or unset it")
    return [*chosen, *(root / "data" for root in clones()), cache_folder()]


def search(relative_path: str) -> Path | None:
    """The first of the data folders' copies of a file or folder, or None."""
    return next((folder / relative_path for folder in data_folders() if (folder / relative_path).exists()), None)


def find(relative_path: str) -> Path:
    """The path of a data file or folder, such as "sprites/sprites.png". DataError where none is found."""
    path = search(relative_path)
    if path is None:
        places = ", ".join(str(folder) for folder in data_folders())
        raise DataError(
            f"{relative_path} is missing (looked in {places}): in minidiff's repository, restore it with"
            f" git checkout -- data/{relative_path}, or set MINIDIFF_DATA to a folder that holds it"
        )
    return path


def damaged(path: Path, what: str) -> DataError:
    """The error for a file that is there but wrong, with the way to get it back."""
    mend = "put a good copy in its place"
    if path.is_relative_to(cache_folder() / "fashion-mnist"):
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


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write content beside path under a temporary name, force it to disk, then rename it over path.

    A process killed at any moment leaves either the old file or the new one whole. What it may leave behind
    is the temporary file, which the next write replaces. On an error (a full disk, say) it is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


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
