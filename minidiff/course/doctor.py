"""Is everything in place? One line each: ok or problem, what was found, what to do.

It runs where libraries are missing or broken, so it imports them only inside the check that needs them. Away from a
clone the course is absent, which is no problem of the library. Nothing is downloaded.
"""

import hashlib
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path

from .. import SET_WAITING, __version__

Finding = tuple[bool | None, str, str]  # (ok; None: absent, and not needed), what was found, what to do
TRIED = "2.13"  # the torch release whose outputs the notebooks store
PACKAGE = Path(__file__).resolve().parents[1]


def examine() -> Iterator[tuple[str, Finding]]:
    """Every check by name, in order. A check that itself fails is a problem, not a crash."""
    for name, look in CHECKS.items():
        try:
            yield name, look()
        except ImportError as error:
            yield name, (False, f"not known: it needs {error.name or error}", "")
        except Exception as error:  # whatever a broken library raises
            yield name, (False, (str(error) or type(error).__name__).splitlines()[0], "")


def main() -> int:
    """Print one line a check; returns 0 if there is no problem, else 1. An absent course is no problem."""
    findings = []
    for name, (ok, found, advice) in examine():
        findings.append(ok)
        word = {True: "ok", False: "problem", None: "absent"}[ok]
        print(f"{word:7}  {name:<12} {found}{f' -> {advice}' if advice else ''}")
    problems = findings.count(False)
    well = "the library is well; the course is not here" if None in findings else "all is well"
    print(f"{problems} problem{'s' * (problems > 1)} found" if problems else well)
    return 1 if problems else 0


def _python() -> Finding:
    needed = _declared("requires-python", "Requires-Python")[0]
    old = _older(version := platform.python_version(), needed)
    return not old, version, f"minidiff needs a Python {needed}: make a virtual environment with one" if old else ""


def _torch() -> Finding:
    """The release that is here, whether it is new enough, and whether the stored outputs come from it."""
    version, fault = _examined("torch", needed := requirements()["torch"])
    if fault:
        return False, fault, _pip([f"torch{needed}"], version)
    same = version.startswith(f"{TRIED}.")
    return True, version, "" if same else f"stored outputs were made with {TRIED}; small differences may show"


def _libraries() -> Finding:
    needed = {name: versions for name, versions in requirements().items() if name != "torch"}
    seen = {name: _examined(name, versions) for name, versions in needed.items()}
    found = ", ".join(f"{name} {fault or version}" for name, (version, fault) in seen.items())
    wrong = [f"{name}{needed[name]}" for name, (_, fault) in seen.items() if fault]
    there = "".join(version for version, fault in seen.values() if fault)
    return not wrong, found, _pip(wrong, there) if wrong else ""


def _pip(wanted: list[str], there: str) -> str:
    """The command that installs libraries; what is there, but too old or broken, has to be replaced."""
    return " ".join(["python -m pip install", *["--upgrade --force-reinstall"] * bool(there), *map(repr, wanted)])


def requirements() -> dict[str, str]:
    """What minidiff declares that it needs: name -> versions, such as ">=2.4"."""
    lines = [re.match(r"([\w-]+)([^;]*)", line) for line in _declared("dependencies", "Requires-Dist")]
    return {line[1]: line[2].strip() for line in lines if line and "extra ==" not in line.string}


def _declared(key: str, installed: str) -> list[str]:
    """A key's values in the pyproject.toml beside the package that runs, else in what pip noted when it installed."""
    try:
        text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        text = ""
    part = re.search(rf"^{key} = (\[.*?^\]|.*?$)", text, re.M | re.S) if 'name = "minidiff"' in text else None
    return re.findall(r'"(.*?)"', part[1]) if part else metadata.metadata("minidiff").get_all(installed) or []


def _examined(name: str, needed: str) -> tuple[str, str]:
    """A library's version ("" if it is not there) and what is wrong with it ("" if nothing is)."""
    try:
        version = metadata.version(name)
        import_module(name.replace("-", "_"))
    except metadata.PackageNotFoundError:
        return "", "is missing"
    except Exception as error:  # whatever a broken library raises
        return version, f"{version} cannot be imported ({type(error).__name__}: {error})"
    return version, f"{version} is not {needed}" if _older(version, needed) else ""


def _older(version: str, needed: str) -> bool:
    return any(_release(version) < _release(least) for least in re.findall(r">=\s*([\d.]+)", needed))


def _release(version: str) -> list[int]:
    """The numbers of a version without zeros at its end: 2.4 is 2.4.0."""
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[^\d.]", version)[0])]
    return numbers if not numbers or numbers[-1] else _release(".".join(map(str, numbers[:-1])))


def _device() -> Finding:
    from ..engine.runtime import device_name, runtime

    return True, device_name(runtime().device), ""


def _threads() -> Finding:
    import torch

    policy, who = os.environ.get("OMP_WAIT_POLICY"), "set by minidiff" if SET_WAITING else "from the environment"
    waiting = f"OMP_WAIT_POLICY is {policy}, {who}" if policy else "OMP_WAIT_POLICY is not set"
    advice = "" if policy else "import minidiff before torch: threads that spin are slow on busy cores"
    return True, f"{torch.get_num_threads()} for torch, {os.cpu_count()} processors; {waiting}", advice


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


def _course() -> Finding:
    """Whether a clone is here: without one there are no notebooks, and no data but what was downloaded."""
    from ..data.files import clones

    if roots := clones():
        return True, str(roots[0]), ""
    return None, "no clone of minidiff is here", "clone its repository and work inside it, for notebooks and data"


def _of_the_course(look: Callable[[], Finding]) -> Callable[[], Finding]:
    """The check of a data file, which is absent, and no problem, where no folder that should hold it is."""

    def checked() -> Finding:
        from ..data.files import clones

        return look() if clones() or os.environ.get("MINIDIFF_DATA") else (None, "comes with the course", "")

    return checked


@_of_the_course
def _fashion() -> Finding:
    from .. import data
    from ..data.images import FASHION_MNIST_FILES

    missing = [name for name in FASHION_MNIST_FILES if data.files.search(f"fashion-mnist/{name}") is None]
    if missing:  # reading it now would download it
        return (
            False,
            f"{', '.join(missing)} missing",
            "restore data/fashion-mnist with git checkout, or let the first use download it",
        )
    train, test = data.fashion_mnist("train"), data.fashion_mnist("test")
    return True, f"{len(train):,} + {len(test):,} images, SHA-256 as expected", ""


@_of_the_course
def _sprites() -> Finding:
    from ..data import sprites

    return True, f"{len(sprites()):,} sprites, SHA-256 as expected", ""


@_of_the_course
def _judge() -> Finding:
    from ..evaluation.judge import load_judge

    load_judge()
    return True, "SHA-256 as expected", ""


@_of_the_course
def _checkpoints() -> Finding:
    """The models that ship with minidiff: sound, and the very ones whose samples the course shows."""
    from ..data.files import damaged, find, read_bytes
    from ..engine.checkpoints import load
    from ..engine.presets import SHIPPED_SHA256

    for name, sha256 in SHIPPED_SHA256.items():
        load(path := find(name))
        if hashlib.sha256(read_bytes(path)).hexdigest() != sha256:
            raise damaged(path, "is a sound checkpoint, but not the one that ships with minidiff (its SHA-256 differs)")
    return True, f"{', '.join(SHIPPED_SHA256)}: SHA-256 as expected", ""


@_of_the_course
def _notebooks() -> Finding:
    from .lab import course

    return True, f"{len(list((course() / 'notebooks').glob('*.ipynb')))} notebooks", ""


def _profile() -> Finding:
    from ..engine.runtime import runtime

    return True, f"notebooks will use the {runtime().profile} profile", ""


CHECKS: dict[str, Callable[[], Finding]] = {
    "minidiff": lambda: (True, f"{__version__} in {PACKAGE}", ""),
    "python": _python,
    "torch": _torch,
    "libraries": _libraries,
    "device": _device,
    "profile": _profile,
    "threads": _threads,
    "memory": _memory,
    "disk": _disk,
    "course": _course,
    "notebooks": _notebooks,
    "fashion": _fashion,
    "sprites": _sprites,
    "judge": _judge,
    "checkpoints": _checkpoints,
}
