"""What training changes: the network, its running average, Adam's moments and the number of steps taken."""

import copy

import torch
from torch import Tensor, nn

from ..predictions import LearnedDenoiser, learned

# The average weighs step k by about k^(power - 1), so its memory is a fixed share of the training, however long
# (the power-function EMA of Karras et al. 2024).
AVERAGE_POWER = 17.0


class TrainState:
    """All that training changes: the denoiser, its running average, Adam's moments and the number of steps taken.

    `average` (EMA) is a denoiser of its own, and usually the better one. Save a state, restore it, and training goes on
    bit for bit as if it had never stopped. `settings` are those of the training that has begun, None before it has:
    `train` refuses others, because the learning rate and the order of the samples depend on them. Only the number of
    steps may grow, once all of them are taken: the learning rate then goes on as if so many had been planned at first.
    """

    def __init__(self, denoiser: LearnedDenoiser):
        self.denoiser, self.step = learned(denoiser), 0
        self.settings: dict | None = None
        path = denoiser.schedule
        learns = isinstance(path, nn.Module) and any(True for _ in path.parameters())
        shared = {} if learns else {id(path): path}  # a path that is the same to both has one name in a checkpoint
        with torch.inference_mode(False):  # what is made under it could never be changed in place
            self.average = copy.deepcopy(denoiser, shared).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(denoiser.parameters(), betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        self.broken: Tensor | None = None  # on a GPU: 1 once a gradient was not finite, and nothing was learned since

    def keep_to(self, settings: dict) -> None:
        """Begin with these settings, or go on with them. Raises ValueError where the training began with others."""
        began = settings if self.settings is None or not self.step else self.settings
        if began.get("steps") == self.step < settings.get("steps", 0):
            began = {**began, "steps": settings["steps"]}
        other = [name for name, value in settings.items() if began.get(name, value) != value]
        if other:
            said, asked = (", ".join(f"{name}={held[name]}" for name in other) for held in (began, settings))
            raise ValueError(f"this training began with {said}, not {asked}: go on as it began, or make a new Run")
        self.settings = began

    def advance(self, loss: Tensor, lr: float, wait: bool = True) -> bool:
        """One step of Adam (Kingma & Ba 2015), gradients clipped to norm 1, and of the average.

        False, and nothing has changed, where the gradient is not finite. wait = False never asks the device, which on a
        GPU would wait for the answer: then the optimiser skips that step and all later ones, and `finite` tells.
        """
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        if wait and not norm.isfinite():
            return False
        if not wait and self.optimizer.defaults["fused"]:
            bad = (~norm.isfinite()).float()
            self.broken = bad if self.broken is None else torch.maximum(self.broken, bad)
            # what torch.amp.GradScaler sets: a fused step then changes nothing
            self.optimizer.found_inf = self.broken  # type: ignore[attr-defined]
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.step += 1
        self._follow()
        return True

    @torch.no_grad()
    def _follow(self) -> None:
        """The average moves towards the parameters; buffers, such as running statistics, are taken as they are."""
        keep = (1 - 1 / self.step) ** AVERAGE_POWER
        torch._foreach_lerp_(list(self.average.parameters()), list(self.denoiser.parameters()), 1 - keep)
        for mine, theirs in zip(self.average.buffers(), self.denoiser.buffers(), strict=True):
            mine.copy_(theirs)

    def finite(self) -> bool:
        """Whether every gradient so far was finite; on a GPU, asking makes it wait."""
        return self.broken is None or not bool(self.broken)


Run = TrainState  # the name of earlier versions
