"""Where the work runs: device and profile, what a record says about both, and progress for a person."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import torch

from .. import __version__, refusals
from ..data.files import ROOT, clones

PATIENCE = 10  # seconds for git


def fast_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return "avx512_bf16" in _cpu_info() or "amx_bf16" in _cpu_info()


def compiles(device: torch.device) -> bool:
    """Whether torch.compile pays: on a GPU that has its compiler; on a CPU it takes minutes of a short training."""
    return device.type == "cuda" and find_spec("triton") is not None


def provenance(device: torch.device) -> dict:
    """What a record must say about the machine and the code that made it."""
    return {"device": device_name(device), "threads": torch.get_num_threads(), "torch": torch.__version__,
            "minidiff": __version__, "commit": commit()}  # fmt: skip


def commit() -> str:
    """The commit of minidiff's own clone; "unknown" where git fails, or says it of a repository around the package."""
    top = _git("rev-parse", "--show-toplevel")
    own = ROOT in clones() and top and Path(top).is_dir() and Path(top).samefile(ROOT)
    if not own or not _git("ls-files", "minidiff/__init__.py"):
        return "unknown"
    return _git("describe", "--always", "--dirty") or "unknown"


def _git(*arguments: str) -> str:
    """What git says in the folder that holds the package; nothing where it is missing, fails or hangs."""
    # GIT_DIR and the like are of another folder
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        said = subprocess.run(["git", *arguments], cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace")  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""


def device_name(device: torch.device) -> str:
    """The processor as its maker calls it, such as "cpu: AMD EPYC"."""
    device = refusals.device(device)
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    models = [line.split(":")[1].strip() for line in _cpu_info().splitlines() if line.startswith("model name")]
    return f"cpu: {models[0] if models else platform.processor() or platform.machine()}"


def _cpu_info() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""  # not Linux


T = TypeVar("T")
PROFILES = ("small", "full")


@dataclass(frozen=True)
class Runtime:
    """A device, and the profile that goes with it: "full" where CUDA is, else "small"."""

    device: torch.device
    profile: str

    def pick(self, small: T, full: T) -> T:
        """The number for this profile: both profiles run the same code, never another branch."""
        return full if self.profile == "full" else small

    def generator(self, seed: int) -> torch.Generator:
        """A generator on the CPU whatever the device, so that a seed means the same numbers everywhere."""
        return torch.Generator("cpu").manual_seed(refusals.whole("seed", seed, 0))


def runtime(asked: str | None = None) -> Runtime:
    """This machine's Runtime. ValueError for senseless values.

    asked: the device, "cpu" or "cuda"; MINIDIFF_DEVICE and MINIDIFF_PROFILE decide where it is None, if they are set.

    Turns TF32 off: its ten-bit products would move checked numbers by 1e-3.
    """
    cuda = torch.cuda.is_available()
    own = f"cuda:{os.environ['LOCAL_RANK']}" if "LOCAL_RANK" in os.environ else "cuda"  # torchrun: a GPU a process
    said, instead = ("MINIDIFF_DEVICE", "unset it") if asked is None else ("the device", "leave it out")
    if asked is None:
        wanted = os.environ.get("MINIDIFF_DEVICE") or (own if cuda else "cpu")
    else:
        wanted = own if refusals.instance("the device", asked, str, "the name cpu or cuda") == "cuda" else asked
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"{said} is {wanted!r}: set it to cpu or cuda, or {instead}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"{said} is {wanted!r}, but torch finds {torch.cuda.device_count()} CUDA devices "
                         f"here: set it to cpu, or {instead}")  # fmt: skip
    profile = os.environ.get("MINIDIFF_PROFILE") or ("full" if device.type == "cuda" else "small")
    if profile not in PROFILES:
        raise ValueError(f"MINIDIFF_PROFILE is {profile!r}: set it to small or full, or unset it")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return Runtime(device, profile)


def quiet() -> bool:
    """True where no person is watching: in CI, under nbval, where MINIDIFF_QUIET is set, or where stderr is a file."""
    if os.environ.get("CI") or os.environ.get("MINIDIFF_QUIET"):
        return True
    return not (_in_notebook() or (sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()))


def _in_notebook() -> bool:
    return "ipykernel.kernelapp" in sys.modules  # what a kernel is started by


def progress(items: Iterable[T], total: int | None = None, label: str = "", *, done: int = 0) -> Iterable[T]:
    """The items, with a bar for a person: how far, time left and, where they are losses (0-d tensors), a smoothed loss.

    items: what is to be done, one at a time.
    total: how many there are, done ones too; None where nobody knows.
    label: stands before the bar.
    done: how many of the total were done before.

    For a machine it is `items` itself.
    """
    several = isinstance(items, Iterable) and bool(getattr(items, "ndim", 1))
    refusals.require(several, f"items must be what can be gone through, not {refusals.described(items)}")
    refusals.instance("label", label, str, "a text")
    total, done = None if total is None else refusals.whole("total", total, 0), refusals.whole("done", done, 0)
    return items if quiet() else _with_bar(items, total, label, done)


def _with_bar(items: Iterable[T], total: int | None, label: str, done: int) -> Iterator[T]:
    from tqdm import tqdm

    recent, due = None, 0.0
    screen = sys.stdout if _in_notebook() else sys.stderr  # Jupyter shows standard error in red, as if it were one
    with tqdm(items, total=total, desc=label, initial=done, leave=False, dynamic_ncols=True, file=screen) as bar:
        for item in bar:
            if isinstance(item, torch.Tensor) and item.ndim == 0:
                recent = item if recent is None else torch.lerp(recent, item, 0.05)
                if time.monotonic() > due:  # reading a loss makes a GPU wait, so twice a second is enough
                    bar.set_postfix(loss=f"{float(recent):.3f}")
                    due = time.monotonic() + 0.5
            yield item
