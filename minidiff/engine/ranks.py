"""Several processes, one training: torchrun starts them, each is a rank, and rank 0 speaks for all.

    torchrun --nproc-per-node 4 -m minidiff train --preset fashion

With one process every function here does nothing, so that the code around it need not ask.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Meet the other ranks, where torchrun has started any; on CUDA they talk by NCCL, else by gloo."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)  # what NCCL sends an object through, or all ranks would take the first GPU
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank_slice() -> slice:
    """This process's part of a batch: every world-th sample, from its own number on."""
    return slice(rank(), None, world())


def distributed(net: nn.Module) -> nn.Module:
    """The network as all ranks train it: after backward, every gradient is the mean over the ranks."""
    if world() == 1:
        return net
    device = next(net.parameters()).device
    return DistributedDataParallel(net, device_ids=[device] if device.type == "cuda" else None)


def mean(value: Tensor) -> Tensor:
    """The mean of a tensor over the ranks, the same on each."""
    if world() > 1:
        value = value / world()
        dist.all_reduce(value)
    return value


def any_rank(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set on any rank: all learn it at the same step, and none waits for one that has gone."""
    return bool(mean(torch.tensor(float(flag), device=device)) > 0)


def broadcast(value: T) -> T:
    """Rank 0's value, on every rank."""
    values = [value]
    if world() > 1:
        dist.broadcast_object_list(values)
    return values[0]
