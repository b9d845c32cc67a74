"""Notebook 17, training at speed: checks of the reader's lines, and right ones to go on with."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...engine.state import TrainState
from ...engine.train import train
from ...networks.mlp import MLP
from ...predictions import LearnedDenoiser
from ...schedules import cosine
from ..exercises import refuse_slips


class Pretended:
    """A device and its watch without real time: handing work over takes 1, doing it takes `job`.

    job: how long the device works on it.
    busy: how long it still works on something older.
    """

    def __init__(self, job: float, busy: float):
        self.time, self.job, self.free, self.said = 5.0, job, 5.0 + busy, ""

    def work(self) -> None:
        self.time, self.said = self.time + 1, self.said + " work"
        self.free = max(self.free, self.time) + self.job

    def wait(self) -> None:
        self.time, self.said = max(self.time, self.free), self.said + " wait"

    def now(self) -> float:
        return self.time


def clock(mine) -> None:
    """wait, read the watch, call work, wait, and return how much later it is."""
    for job, busy in ((10.0, 50.0), (0.5, 0.0), (7.0, 20.0)):
        device = Pretended(job, busy)
        took = mine(device.work, device.wait, device.now)
        if "work" not in device.said:
            raise AssertionError("work is never called, with its brackets: work().")
        if "wait" not in device.said:
            raise AssertionError("nobody waits: that is the time of handing the work over, not of doing it.")
        refuse_slips(took, torch.tensor(1 + job), {
            "the second wait is missing, or comes after the watch was read: the work may not be done yet.": 1.0,
            "the first wait is missing, or comes after the watch was read: older work is counted too.": busy + job,
            "the watch is read too early: wait until the queue is empty first.": busy + job + 1,
            "the watch is read too late: read it before work is called.": job,
            "the difference is turned: later minus earlier.": -1 - job,
            "that is what the watch says at the end: subtract what it said at the beginning.": device.time,
        }, "it should be the time from an empty queue to an empty queue.")  # fmt: skip


def our_clock(work: Callable[[], object], wait: Callable[[], object], now: Callable[[], float]) -> float:
    """Seconds that work takes on a device that does it later.

    work: hands it over.
    wait: returns when the device has done all it was given.
    now: the time in seconds.
    """
    wait()
    begun = now()
    work()
    wait()
    return now() - begun


def mfu(mine) -> None:
    """return the FLOP that training on so many images needs a second, as a share of the ceiling."""
    for forward, images, seconds, ceiling in ((2e6, 100, 4.0, 1e9), (8e7, 32, 0.04, 3e11), (1e9, 6, 7.0, 2e12)):
        right = torch.tensor(3 * forward * images / (seconds * ceiling))
        refuse_slips(mine(forward, images, seconds, ceiling), right, {
            "the way back is missing: a training step costs three forward passes.": right / 3,
            "the forward pass counts as well: three in all.": 2 / 3 * right,
            "that counts a forward pass twice, as activation checkpointing does it: MFU asks only for what is needed.":
                4 / 3 * right,
            "that is for a single image: there are more.": right / images,
            "the fraction is upside down: a share of the ceiling lies between 0 and 1.": 1 / right,
            "FLOP are divided by seconds, not multiplied: more time, smaller share.": right * seconds**2,
            "seconds are missing: FLOP a second are wanted.": right * seconds,
            "that is FLOP a second: divide it by the ceiling.": right * ceiling,
        }, "it should be 3 * forward * images / seconds / ceiling.")  # fmt: skip


def our_mfu(forward: float, images: int, seconds: float, ceiling: float) -> float:
    """Model FLOP utilisation (Chowdhery et al. 2022).

    forward: FLOP of one image's forward pass.
    images: trained on in these seconds.
    seconds: what that took.
    ceiling: the most FLOP a second that the machine does.
    """
    return 3 * forward * images / (seconds * ceiling)


KEEP = {
    "net": "the weights",
    "average": "the running average, which cannot be had from today's weights,",
    "adam": "Adam's moments, without which the next step is a full one in every weight,",
    "step": "the number of the step, on which the learning rate depends,",
}


def _flat(part) -> Tensor:
    """All the numbers in a state, in one row."""
    if isinstance(part, dict):
        return torch.cat([torch.zeros(0, dtype=torch.float64), *map(_flat, part.values())])
    return torch.as_tensor(part).double().reshape(-1) if isinstance(part, (Tensor, int, float)) else torch.zeros(0)


def remember(mine) -> None:
    """return a dict that holds net, average, adam and step, and that the training cannot change any more."""
    torch.manual_seed(0)
    run = TrainState(LearnedDenoiser(MLP(dim=2, width=8), cosine, "v"))
    losses = train(run.denoiser, torch.randn(64, 2), steps=7, batch=8, lr=1e-2, run=run)
    for _ in range(4):
        next(losses)
    said = "return a dict with the names net, average, adam and step."
    saved = mine(run)
    assert isinstance(saved, dict), said
    for name, what in KEEP.items():
        assert name in saved, f"{what} would be lost: there is no {name!r}."
    assert saved["step"] == 4, f"after 4 steps, step is {saved['step']!r}: save run.step."
    parts: dict[str, Any] = {"net": run.denoiser, "average": run.average, "adam": run.optimizer}
    states = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
    for name, state in states.items():
        assert isinstance(saved[name], dict), f"{name} is no state: each part gives one, part.state_dict()."
        got, want = _flat(saved[name]), _flat(state)
        twice = name == "average" and torch.equal(got, _flat(states["net"]))
        assert not twice, "the average that is saved is today's network: take run.average."
        assert torch.equal(got, want), f"{name} does not hold the numbers of its part of the run."
    for _ in losses:
        pass
    moved = [name for name, state in states.items() if not torch.equal(_flat(saved[name]), _flat(state))]
    if moved:
        raise AssertionError(f"what was saved of {', '.join(moved)} went on training: a state is no copy, so copy it.")


def our_remember(run: TrainState) -> dict:
    """Copies of all that a training must remember."""
    parts: dict[str, Any] = {"net": run.denoiser, "average": run.average, "adam": run.optimizer}
    return copy.deepcopy({name: part.state_dict() for name, part in parts.items()} | {"step": run.step})


def stuck(mine) -> None:
    """put the first whole number n with n + 1 = n in place of the dots."""
    got, slips = mine(), {
        1024: "the leading 1 counts as well: float16 stores 10 bits after it, so 11 are significant.",
        256: "that is bfloat16, with 8 significant bits.",
        2047: "one more: after 2,047 the next number, 2,048, can still be written.",
        2049: "2,049 cannot be written any more: the sum is stuck before it.",
        65504: "that is where float16 ends: counting sticks long before.",
        4096: "that would be 12 significant bits.",
    }  # fmt: skip
    otherwise = "from 2 to the power of the number of significant bits on, the gap between neighbours is 2."
    assert got == 2048, slips.get(got, otherwise)


def our_stuck() -> int:
    """Where counting by ones sticks with 11 significant bits."""
    return 2**11


def speedup(mine) -> None:
    """return the time of so many launches one by one, over that of a single launch of all of them."""
    for number, launch, job in ((8, 1.0, 0.25), (1000, 5e-6, 2e-6), (10, 1.0, 4.0)):
        single, graph = number * max(launch, job) + min(launch, job), launch + number * job
        refuse_slips(mine(number, launch, job), torch.tensor(single / graph), {
            "the fraction is upside down: above 1 the graph is faster.": graph / single,
            "one by one, launching and doing overlap: only the slower of the two counts each time.":
                number * (launch + job) / graph,
            "one by one, the other of the two counts once as well, at one end.": number * max(launch, job) / graph,
            "one by one, it is the slower of the two that never rests: max, and then min.":
                (number * min(launch, job) + max(launch, job)) / graph,
            "a graph is launched once, but every job must still be done.": single / (launch + job),
            "with a graph there is one launch, not one for each job.": single / (number * (launch + job)),
            "the graph's one launch is missing.": single / (number * job),
            "that is the limit for many jobs: for so many, take both times as they are.": max(launch, job) / job,
        }, "draw both timelines: N max(L, J) + min(L, J), and L + N J.")  # fmt: skip


def our_speedup(number: int, launch: float, job: float) -> float:
    """How many times faster a graph of kernels is than launching them one by one.

    number: of kernels.
    launch: what handing over one of them, or the graph, takes.
    job: what the device needs for one of them.
    """
    return (number * max(launch, job) + min(launch, job)) / (launch + number * job)


def together(mine) -> None:
    """return the gradient of the whole batch, from those of parts of unequal size."""
    for sizes in ((5, 7), (1, 2, 9), (4, 4, 4)):
        each = torch.randn(sum(sizes), 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        means = torch.stack([part.mean(0) for part in each.split(list(sizes))])
        n = torch.tensor(sizes).double()[:, None]
        refuse_slips(mine(means, list(sizes)), each.mean(0), {
            "the parts weigh alike: that is right only where they are equally large.": means.mean(0),
            "divide by how many images there are: this is the sum over all of them.": (n * means).sum(0),
            "divide by how many images there are, not by how many parts.": (n * means).mean(0),
            "the small parts weigh most: a mean of n images stands for n of them.": (means / n).sum(0) / (1 / n).sum(),
            "the means are only added up.": means.sum(0),
        }, "weigh each mean by its number of images, and divide by the number of all.")  # fmt: skip


def our_together(means: Tensor, sizes: list[int]) -> Tensor:
    """The mean over all images, (P,), from the means of parts, (R, P), and their sizes."""
    weights = torch.as_tensor(sizes, dtype=means.dtype) / sum(sizes)
    return weights @ means
