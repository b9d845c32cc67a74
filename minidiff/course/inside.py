"""Looking inside a U-Net, and four generators of which something is broken on purpose: notebook 12."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..engine.state import Run
from ..predictions import AnyDenoiser, Denoiser, LearnedDenoiser, Prediction
from ..schedules import cosine, evaluate
from ..show import plots


def feature_maps(denoiser: AnyDenoiser, layer: nn.Module, x_t: Tensor, t: float, **cond) -> Tensor:
    """What a layer gives, (B, C, H, W), while the denoiser answers.

    denoiser: the whole, which holds the layer.
    layer: the one to listen to.
    x_t, t, cond: as the denoiser is called.
    """
    kept: list[Tensor] = []
    hook = layer.register_forward_hook(lambda layer, given, out: kept.append(out.detach()))
    try:
        denoiser(x_t, t, **cond)
    finally:
        hook.remove()
    return kept[0]


def stretched(maps: Tensor, size: int = 28) -> Tensor:
    """Feature maps (k, h, h) as pictures (k, 1, size, size), each from 0, its lowest value, to 1, its highest."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return F.interpolate(((maps - low) / (high - low))[:, None], size=size)


@contextmanager
def silenced(layer: nn.Module, channels: slice) -> Iterator[None]:
    """While it lasts, these channels of what comes into the layer first are 0."""

    def hook(layer: nn.Module, given: tuple) -> tuple:
        h = given[0].clone()
        h[:, channels] = 0
        return h, *given[1:]

    handle = layer.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def view(net: Any, size: int = 256) -> int:
    """How many pixels wide is what one position of the last deep layer depends on, measured by its gradient.

    net: a U-Net for pictures of this size.
    size: a multiple of 8, wider than the view.
    """
    net, x = copy.deepcopy(net).requires_grad_(False), torch.zeros(1, 1, size, size)
    for part in net.modules():
        if isinstance(part, nn.GroupNorm):  # it adds one common mean and spread; this measures without
            part.forward = lambda x: x  # type: ignore[assignment]
    for k, weights in enumerate(net.parameters()):  # some are 0 at birth, and would hide what is behind them
        weights.copy_(0.1 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(k)))
    seen: list[Tensor] = []
    net.deep[-1].register_forward_hook(lambda layer, given, out: seen.append(out[0, :, size // 8, size // 8].sum()))
    net(x.requires_grad_(), torch.tensor([0.5]))
    return int((torch.autograd.grad(seen[0], x)[0] != 0).any(2).sum())


def influence(denoiser: AnyDenoiser, x_t: Tensor, t: float, **cond) -> tuple[Tensor, Tensor]:
    """How the guess for the central pixel depends on each pixel: its mean square slope, (H, W), and the r.m.s. radius.

    denoiser: what guesses.
    x_t, t, cond: as it is called.
    """
    x_t = x_t.clone().requires_grad_()
    middle = denoiser(x_t, t, **cond).x0[:, :, x_t.shape[2] // 2, x_t.shape[3] // 2].sum()
    power = torch.autograd.grad(middle, x_t)[0].square().mean((0, 1))
    across, down = ((torch.arange(n) - n // 2) ** 2 for n in power.shape)
    return power, ((power * (across[:, None] + down)).sum() / power.sum()).sqrt()


def practise(build: Callable[[], nn.Module], batch: Tensor, lesson: Callable[..., Tensor], steps: int = 320) -> Tensor:
    """Losses of a new v-predicting network that is taught one batch, with fresh noise, from t = 0.5 to 1: (steps,).

    build: makes the network, always from the same seed.
    batch: (N, *), 64 are drawn from it at each step.
    lesson: lesson(x0, eps, other, alpha, sigma), what is taught as v; other is a second noise.
    steps: how many.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        student, losses = Run(LearnedDenoiser(build(), cosine, "v")), []
        for step in range(steps):
            t = 0.5 + 0.5 * (torch.rand(1) + torch.arange(64)) / 64  # spread evenly
            alpha, sigma = (c.view(-1, *[1] * (batch.ndim - 1)) for c in cosine(t))
            x0 = batch[torch.randperm(64) % len(batch)]
            eps, other = torch.randn(2, *x0.shape)
            v = student.denoiser.output(alpha * x0 + sigma * eps, t)
            losses.append(F.mse_loss(v, lesson(x0, eps, other, alpha, sigma)))
            student.advance(losses[-1], 0.01 * min(1, (step + 1) / 30, 2 - 2 * step / steps))
    return torch.stack(losses).detach()


def probe(ridge: Callable, A: Tensor, y: Tensor, learn: int) -> float:
    """The share of rows of A after the first ones that ridge regression on these names rightly, at its best weight.

    ridge: ridge(A, Y, weight) gives W.
    A: (N, k); its columns are standardised, and 1 is put behind them.
    y: (N,), what the rows show.
    learn: how many rows to learn from.
    """
    A = F.pad((A - A[:learn].mean(0)) / A[:learn].std(0), (0, 1), value=1.0)
    Y = F.one_hot(y[:learn]).to(A)
    named = [(A[learn:] @ ridge(A[:learn], Y, weight)).argmax(1) for weight in (1e1, 1e2, 1e3, 1e4)]
    return max((one == y[learn:]).double().mean().item() for one in named)


STATIONS = {"input": (1, 28), "stem": (32, 14), "down": (32, 14), "shrink": (64, 7), "deep": (64, 7), "widen": (32, 7),
            "up": (32, 14), "last": (4, 14), "output": (1, 28)}  # fmt: skip


def drawn_u() -> plots.Figure:
    """The U-Net of notebook 12 as a figure: channels and size of what each part gives."""
    look = {28: (plots.DATA, 0), 14: (plots.SECOND, -7), 7: (plots.MODEL, -25)}  # colour, and where a bar begins
    figure, _ = plots.panels(height=2.6)
    ax: Any = figure.axes[0]
    for k, (name, (channels, size)) in enumerate(STATIONS.items()):
        colour, bottom = look[size]
        ax.bar(k, size, width=0.5, bottom=bottom, color=colour, label=name)
        ax.text(k, bottom - 1, f"{name}\n{channels}, {size}x{size}", ha="center", va="top", fontsize=8)
    ax.annotate("", (5.7, 1), (2.3, 1), arrowprops={"arrowstyle": "->", "color": plots.EXACT})
    ax.text(4, 2, "skip", ha="center", fontsize=9)
    ax.set(ylim=(-36, 29), title="Down, think, up: each bar is as tall as its maps")
    ax.axis("off")
    return figure


def patients(healthy: LearnedDenoiser, beginner: LearnedDenoiser, sampler: Callable) -> dict[str, tuple]:
    """Four denoisers, each with a sampler, of which something is broken: run before you read on.

    healthy, beginner: one that has learned, and one that has only begun.
    sampler: sampler(denoiser, x, times, y), a sound one.
    """

    def ahead(denoiser: AnyDenoiser, x: Tensor, times: Tensor, y: Tensor) -> Tensor:
        for s in times.tolist()[1:]:
            x0, eps = denoiser(x, max(s, 0.01), y=y)
            alpha, sigma = evaluate(cosine, s)
            x = alpha * x0 + sigma * eps
        return x

    def flipped(x_t: Tensor, t: float, y: Tensor | None = None) -> Prediction:
        (alpha, sigma), v = evaluate(cosine, t), healthy.output(x_t, t, y=y)
        return Prediction(alpha * x_t + sigma * v, sigma * x_t + alpha * v)

    def neighbour(x_t: Tensor, t: float, y: Tensor) -> Prediction:
        return healthy(x_t, t, y=(y + 1) % 10)

    return {"A": (healthy, ahead), "B": (Denoiser(cosine, flipped), sampler),
            "C": (Denoiser(cosine, neighbour), sampler), "D": (beginner, sampler)}  # fmt: skip
