"""Where the work runs and how large it is: the device, the profile (small or full), and whether anyone is watching."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

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
        return torch.Generator("cpu").manual_seed(seed)


def runtime() -> Runtime:
    """This machine's Runtime; MINIDIFF_DEVICE and MINIDIFF_PROFILE override it. ValueError for senseless values.

    Turns TF32 off: its ten-bit products would move checked numbers by 1e-3.
    """
    cuda = torch.cuda.is_available()
    own = f"cuda:{os.environ['LOCAL_RANK']}" if "LOCAL_RANK" in os.environ else "cuda"  # torchrun: a GPU a process
    wanted = os.environ.get("MINIDIFF_DEVICE") or (own if cuda else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"MINIDIFF_DEVICE is {wanted!r}: set it to cpu or cuda, or unset it")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"MINIDIFF_DEVICE is {wanted!r}, but torch finds {torch.cuda.device_count()} CUDA devices "
                         "here: set it to cpu, or unset it")  # fmt: skip
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
    return not (sys.stderr.isatty() or _in_notebook())


def _in_notebook() -> bool:
    return "ipykernel.kernelapp" in sys.modules  # what a kernel is started by


def progress(items: Iterable[T], total: int | None = None, label: str = "", *, done: int = 0) -> Iterable[T]:
    """The items, with a bar for a person: how far, time left and, where they are losses (0-d tensors), a smoothed loss.

    done: how many of the total were done before. For a machine it is `items` itself.
    """
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
