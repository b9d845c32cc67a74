"""The reader's own copy of the notebooks: made once, without outputs, and never overwritten.

So that what a cell prints can be guessed before it is run, and so that an update of the course and the reader's work
never meet in one file.
"""

import hashlib
import json
import time
from itertools import count
from pathlib import Path

from ..data.files import damaged, home, printable, writable, write_atomically
from ..refusals import require

NAME = "my-notebooks"


def open_copy(root: Path, chosen: Path | None = None) -> Path:
    """The folder with the reader's copy of the notebooks of a clone, made or added to; says where and what is new."""
    home()  # Jupyter needs one, so without one nothing is made
    folder = place(root, chosen)
    added, changed = update(root, folder)
    why = "" if chosen or folder.is_relative_to(root) else f", since {root} cannot be written to"
    new = f" ({len(added)} added)" if added else ""
    print(printable(f"your copy of the notebooks is in {folder}{why}{new}"), flush=True)
    if changed:
        numbers = [_number(path) for path in changed]
        where = f" --folder '{folder}'" if chosen else ""
        how = f"minidiff lab{where} --reset {numbers[0]} brings the new one and keeps yours beside it"
        print(printable(f"changed since you copied them: {', '.join(numbers)}; {how}"), flush=True)
    return folder


def reset_copies(root: Path, chosen: Path | None, wanted: list[str]) -> int:
    """Reset the copies of notebooks by number or name, and say what became of the old ones; returns 0, the status."""
    folder = place(root, chosen)
    for original in [named(name, root) for name in wanted]:
        kept = reset(original, folder)
        yours = f"; yours is kept as {kept.name}" if kept else ""
        print(printable(f"{folder / original.name} is as it came{yours}"))
    return 0


def place(root: Path, chosen: Path | None = None) -> Path:
    """The folder of the copies: the chosen one, or one in the clone, or in the home where that cannot be written to.

    Raises OSError where the copies cannot be written.
    """
    if chosen is None:
        try:
            writable(root / NAME / "any")
            return root / NAME
        except OSError:
            chosen = home() / NAME
    folder = chosen.expanduser().absolute()
    writable(folder / "any")
    require(folder.resolve() != (root / "notebooks").resolve(), f"{folder} holds the originals: choose another folder")
    return folder


def originals(root: Path) -> list[Path]:
    """The course's notebooks in order."""
    return sorted((root / "notebooks").glob("*.ipynb"))


def update(root: Path, folder: Path) -> tuple[list[Path], list[Path]]:
    """Add the copies that are missing. The originals of those, and the originals that others of the copies lag behind.

    A copy that is there is left alone.
    """
    added, changed = [], []
    for original in originals(root):
        own, new = folder / original.name, fresh(original)
        if not own.exists():
            write_atomically(own, new)
            added.append(original)
        elif _mark(own.read_bytes()) not in (None, _mark(new)):
            changed.append(original)
    return added, changed


def reset(original: Path, folder: Path) -> Path | None:
    """Bring a copy back to what its original is now; the old copy stays beside it, under the name that is returned.

    It is renamed, not copied: what another program saves to it meanwhile is kept too. None where there was nothing of
    the reader's to keep.
    """
    own, new, kept = folder / original.name, fresh(original), None
    if own.exists() and own.read_bytes() != new:
        then = time.strftime("%Y-%m-%d_%H-%M-%S")
        names = (f"{own.stem}_{then}{f'_{number}' * (number > 1)}.ipynb" for number in count(1))
        kept = next(path for path in map(own.with_name, names) if not path.exists())
        own.rename(kept)
    write_atomically(own, new)
    return kept


def fresh(original: Path) -> bytes:
    """A notebook as its copy begins: without outputs, and with a mark of what it was copied from."""
    try:
        notebook = json.loads(original.read_bytes())
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        mark = hashlib.sha256(_written(notebook)).hexdigest()
        notebook["metadata"]["minidiff"] = {"original": mark}
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(original, "cannot be read as a notebook") from error
    return _written(notebook)


def named(wanted: str, root: Path) -> Path:
    """The original of this number, such as "03", or of this name. ValueError says which there are."""
    known = {_number(path): path for path in originals(root)}
    found = [path for number, path in known.items() if wanted in (path.stem, path.name) or wanted.zfill(2) == number]
    require(found, f"there is no notebook {wanted!r}: choose from {', '.join(known)}")
    return found[0]


def _number(notebook: Path) -> str:
    return notebook.stem.partition("_")[0]


def _written(notebook: dict) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _mark(notebook: bytes) -> str | None:
    """What a copy was made from; None where nobody knows, as where the reader's file is no notebook."""
    try:
        return json.loads(notebook)["metadata"]["minidiff"]["original"]
    except (ValueError, KeyError, TypeError):
        return None
