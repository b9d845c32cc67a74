"""Is everything in place? One line each: ok or problem, what was found, what to do."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from .. import data
from ..engine import checkpoints
from ..engine.presets import SHIPPED
from ..engine.runtime import device_name, runtime
from ..evaluation import judge
from . import lab

Finding = tuple[bool, str, str]  # (ok, what was found, what to do)
TRIED = "2.13"  # the torch release whose outputs the notebooks store
LIBRARIES = ("numpy", "matplotlib", "jupyterlab", "ipywidgets", "safetensors", "tqdm")


def examine() -> Iterator[tuple[str, Finding]]:
    """Every check by name, in order. A check that itself fails is a problem, not a crash."""
    for name, look in CHECKS.items():
        try:
            yield name, look()
        except (RuntimeError, ValueError, OSError, importlib.metadata.PackageNotFoundError) as error:
            yield name, (False, str(error).splitlines()[0], "")


def main() -> int:
    """Print one line a check; returns 0 if all are well, else 1."""
    problems = 0
    for name, (ok, found, advice) in examine():
        problems += not ok
        print(f"{'ok     ' if ok else 'problem'}  {name:<12} {found}{f' -> {advice}' if advice else ''}")
    print("all is well" if not problems else f"{problems} problem{'s' * (problems > 1)} found")
    return 1 if problems else 0


def _python() -> Finding:
    return (
        sys.version_info >= (3, 10),
        platform.python_version(),
        "" if sys.version_info >= (3, 10) else "needs 3.10 or newer",
    )


def _torch() -> Finding:
    same = torch.__version__.startswith(TRIED)
    return True, torch.__version__, "" if same else f"stored outputs were made with {TRIED}; small differences may show"


def _libraries() -> Finding:
    missing = [name for name in LIBRARIES if not _version(name)]
    found = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES if _version(name))
    return not missing, found, f"pip install {' '.join(missing)}" if missing else ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device() -> Finding:
    return True, device_name(runtime().device), ""


def _threads() -> Finding:
    return True, f"{torch.get_num_threads()} for torch, {os.cpu_count()} processors", ""


def _memory() -> Finding:
    free = _free_gigabytes()
    if free is None:
        return True, "free memory is not known on this system", ""
    return free >= 2, f"{free:.1f} GB free", "" if free >= 2 else "the image notebooks want 2 GB: close something"


def _free_gigabytes() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 1e6
    except (OSError, StopIteration):
        return None


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return free >= 1, f"{free:.1f} GB free here", "" if free >= 1 else "checkpoints and notebooks want 1 GB: make room"


def _fashion() -> Finding:
    if not any((folder / "fashion-mnist").exists() for folder in data.data_folders()):  # do not download while looking
        return False, "Fashion-MNIST is missing", "clone the repository, or let data.fetch_fashion_mnist() download it"
    train, test = data.fashion_mnist("train"), data.fashion_mnist("test")
    return True, f"{len(train):,} + {len(test):,} images, SHA-256 as expected", ""


def _sprites() -> Finding:
    return True, f"{len(data.sprites()):,} sprites, SHA-256 as expected", ""


def _judge() -> Finding:
    judge.load_judge()
    return True, "SHA-256 as expected", ""


def _checkpoint() -> Finding:
    path = data.find(SHIPPED)
    record = checkpoints.load(path)[1].get("record", {})
    return True, f"{path.name}: SHA-256 as expected, trained on {record.get('device', 'an unknown device')}", ""


def _notebooks() -> Finding:
    return True, f"{len(list((lab.course() / 'notebooks').glob('*.ipynb')))} notebooks", ""


def _profile() -> Finding:
    return True, f"notebooks will use the {runtime().profile} profile", ""


CHECKS: dict[str, Callable[[], Finding]] = {
    "python": _python,
    "torch": _torch,
    "libraries": _libraries,
    "device": _device,
    "threads": _threads,
    "memory": _memory,
    "disk": _disk,
    "fashion": _fashion,
    "sprites": _sprites,
    "judge": _judge,
    "checkpoint": _checkpoint,
    "notebooks": _notebooks,
    "profile": _profile,
}
