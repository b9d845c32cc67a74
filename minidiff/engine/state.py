"""What training changes: the network, its running average, Adam's moments and the number of steps taken."""

import copy

import torch
from torch import Tensor, nn

from ..predictions import LearnedDenoiser


class Run:
    """All that training changes: the denoiser, its running average, Adam's moments and the number of steps taken.

    `average` (EMA) is a denoiser of its own, and usually the better one. Save a Run, restore it, and training goes on
    bit for bit as if it had never stopped.
    """

    def __init__(self, denoiser: LearnedDenoiser):
        self.denoiser, self.step = denoiser, 0
        self.average = copy.deepcopy(denoiser).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(denoiser.parameters(), betas=(0.9, 0.99), weight_decay=0.0, fused=True)

    def advance(self, loss: Tensor, lr: float) -> None:
        """One step of Adam (Kingma & Ba 2015), gradients clipped to norm 1, and of the average."""
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.step += 1
        keep = (1 - 1 / self.step) ** AVERAGE_POWER
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.denoiser.parameters()), 1 - keep)


# The average weighs step k by about k^(power - 1), so its memory is a fixed share of the run, however long
# (the power-function EMA of Karras et al. 2024).
AVERAGE_POWER = 17.0
