"""The judge: one small classifier of Fashion-MNIST, whose features and labels every image notebook uses.

`minidiff judge --remake` trains it again in a few minutes. The shipped file is pinned by its SHA-256, so
that Frechet distances printed at different times are measured with the same weights.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from torch import Tensor, nn

from ..data.files import DataError, find, writable, write_atomically
from ..data.images import fashion_mnist
from ..refusals import integers, require, tensor, whole
from ..refusals import path as checked_path
from .metrics import class_fidelity

JUDGE_SHA256 = "2da96de76d887200f68a501d5f42b7d5de873854bd6f4c63c995010c4243a75e"
RESTORE = "restore it with git checkout -- data/judge.safetensors"
BATCH = 500  # images at a time: enough to keep a CPU busy, little enough for its memory
STANDARDISE = "standardise them first, as fashion_mnist does: data.standardise(images), with images in [0, 1]"


class Judge(nn.Module):
    """Images (N, 1, 28, 28), standardised as `data.fashion_mnist` does, -> 128 features -> 10 classes.

    Four 3x3 convolutions, each with batch norm and ReLU, two at 28x28 and two at 14x14, then one hidden layer of 128
    units. The features are the hidden layer's activations, after its ReLU.

    Images may be tensors or arrays of any floating-point type. ValueError for other shapes, for bytes, NaN, and images
    in [0, 1] or 0..255.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(1, 32), _convolution(32, 32), nn.MaxPool2d(2),
            _convolution(32, 64), _convolution(64, 64), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 7 * 7, 128), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(0.25), nn.Linear(128, 10))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28) -> the ten logits of each image, (N, 10)."""
        return self.head(self.embed(x))

    def embed(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28) -> features (N, 128), with gradients and in one go."""
        weight = next(self.parameters())
        x = _images(x).to(weight.device, weight.dtype)
        return self.body(x.contiguous(memory_format=torch.channels_last))

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28) -> features (N, 128), in batches."""
        return torch.cat([self.embed(batch) for batch in _batches(x)])

    @torch.no_grad()
    def probabilities(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28) -> how likely it thinks each class, (N, 10), in batches."""
        return torch.cat([self(batch).softmax(1) for batch in _batches(x)])

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """x: (N, 1, 28, 28) -> the most likely label of each image, (N,) int64 in 0..9, in batches."""
        return torch.cat([self(batch).argmax(1) for batch in _batches(x)])


def _convolution(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU())


def _images(x: Tensor) -> Tensor:
    x = tensor("images", x)
    fits = x.shape[1:] == (1, 28, 28) and len(x) > 0
    require(fits, f"the judge was given {tuple(x.shape)}: it judges images (N, 1, 28, 28), with N at least 1")
    require(x.is_floating_point(), f"the judge was given {x.dtype}, as raw pixels are: {STANDARDISE}")
    return x


def _batches(x: Tensor) -> Iterator[Tensor]:
    """Images in batches. Raises ValueError for what is evidently not standardised; samples may overshoot the data."""
    x = tensor("images", _images(x), finite=True)
    low, high = x.min().item(), x.max().item()  # standardised, the data go from -0.81 (black) to 2.02 (white)
    raw = low >= 0 and high > 0.5  # what a broken sampler makes may reach far, but to both sides
    require(not raw, f"the judge was given values from {low:.3g} to {high:.3g}, as raw pixels are: {STANDARDISE}")
    return iter(x.split(BATCH))


def train_judge(images: Tensor, labels: Tensor, *, epochs: int = 6, batch: int = 250, seed: int = 0) -> Judge:
    """Train a judge from scratch; a few minutes on two cores.

    images: (N, 1, 28, 28), standardised.
    labels: (N,) from 0 to 9.
    epochs: passes over the images.
    batch: images a step, at most N.
    seed: of the initial weights, the order and the dropout.

    Raises ValueError for what does not fit.
    """
    images, labels = torch.cat(list(_batches(images))).float(), integers("labels", labels)
    fits = labels.shape == images.shape[:1] and labels.min() >= 0 and labels.max() <= 9
    require(fits, f"labels must be {len(images)} whole numbers from 0 to 9; got {tuple(labels.shape)}")
    epochs, batch = whole("epochs", epochs), whole("batch", batch, 1, len(images))
    generator = torch.Generator().manual_seed(whole("seed", seed, 0))
    with torch.random.fork_rng():  # initial weights and dropout draw from the global generator
        torch.manual_seed(seed)
        judge = Judge().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.AdamW(judge.parameters(), weight_decay=0.01)
        rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=epochs * (len(images) // batch))
        for _ in range(epochs):
            for index in torch.randperm(len(images), generator=generator).split(batch)[: len(images) // batch]:
                with torch.autocast("cpu", torch.bfloat16):
                    loss = F.cross_entropy(judge(images[index]).float(), labels[index])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                rates.step()
    return judge.eval().requires_grad_(False)


def accuracy(judge: Judge, split: str = "test") -> float:
    """The fraction of Fashion-MNIST's images that the judge labels as the data set does, in [0, 1]."""
    clothes = fashion_mnist(split)
    return class_fidelity(judge.classify(clothes.x), clothes.condition["y"]).value


def load_judge(path: str | Path | None = None) -> Judge:
    """The shipped judge, in float32 and evaluation mode. Raises data.DataError if its file is missing or altered."""
    path = find("judge.safetensors") if path is None else checked_path("the judge's file", path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): {RESTORE}") from error
    if hashlib.sha256(content).hexdigest() != JUDGE_SHA256:
        raise DataError(f"{path} is not the judge this version was measured with (its SHA-256 differs): {RESTORE}")
    judge = Judge()
    judge.load_state_dict(load(content))  # batch norm's step counters are of no use, not stored, and not missed
    return judge.eval().requires_grad_(False)


def round_weights(judge: Judge) -> dict[str, Tensor]:
    """Round a judge to float16 in place, and return what its file holds."""
    tensors = {name: value.half() for name, value in judge.state_dict().items() if value.is_floating_point()}
    judge.load_state_dict(tensors)
    return {name: value.contiguous() for name, value in tensors.items()}


def main(path: str | Path = "runs/judge.safetensors") -> int:
    """Train a judge, write it to path (never over the shipped one), print its accuracy and SHA-256; the status, 0."""
    writable(path)
    if Path(path).exists() and Path(path).samefile(find("judge.safetensors")):
        raise FileExistsError(f"{path} is the judge that ships with minidiff: write the new one elsewhere")
    clothes, began = fashion_mnist("train"), time.perf_counter()
    judge = train_judge(clothes.x, clothes.condition["y"])
    seconds = time.perf_counter() - began
    tensors = round_weights(judge)
    card = {
        "architecture": "four 3x3 convolutions, 128 hidden units, linear; minidiff.evaluation.judge.Judge",
        "accuracy": round(accuracy(judge), 4),
        "features": "the 128 hidden units, after ReLU",
        "data": "Fashion-MNIST, 60,000 training images, 6 epochs",
        "seed": 0,
        "device": "cpu",
        "torch": torch.__version__,
        "seconds": round(seconds),
    }
    content = save(tensors, {"card": json.dumps(card, sort_keys=True)})
    write_atomically(path, content)
    print(f"{path}: {card['accuracy']:.2%} of 10,000 test images, {seconds:.0f} s, {len(content):,} bytes")
    print(f"SHA-256 {hashlib.sha256(content).hexdigest()}; a judge with another one than JUDGE_SHA256 is another ruler")
    return 0
