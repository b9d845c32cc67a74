"""Presets: a network, a data set and the settings that suit them."""

from collections import ChainMap
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch

from .. import data
from ..data import Data
from ..networks.registry import network_for
from ..networks.text import TextEncoder, Words, vocabulary
from ..networks.unet import UNet
from ..refusals import instance, require
from .reading import read

SHIPPED, TOLD = "fashion-small.safetensors", "scenes.safetensors"  # what samples are drawn from; with a prompt
LATENTS = "scenes-autoencoder.safetensors"
SHIPPED_SHA256 = {  # whose samples the course shows; `minidiff doctor` looks whether these are here
    SHIPPED: "bb021be462c1bd9f15e2452515f742ad39a7f4eba55c5ecd2ee1d3e615e8bba5",
    "sprites.safetensors": "8a8bb1c2ca8fa63d42d1724426e67f789baf02bac11d701da957171c97f11f16",
    "scenes.safetensors": "31151cc12d75b526ec0152c1ae403222542dff4c3a479b5e774bd5b94f0ad7d4",
    "scenes-latent.safetensors": "02014952dbff6808a07b3e6e80fd25fbeb9ff562e8d82c8bb31d9c6d941ffa97",
}


@dataclass(frozen=True)
class Preset:
    """What to train on what, and for how long unless told otherwise.

    data: the name of the data set, a key of DATA_SETS
    load: reads it; for data of one's own, given where they are
    network: builds a network for it
    steps: how many in all
    batch: samples a step
    lr: the largest learning rate
    levels: where the training times come from, a name in LEVELS
    augment: names in AUGMENTATIONS; the network is told of their changes
    autoencoder: the file of one that ships with minidiff, in whose latents is trained; None: on the data themselves
    teach: what a network learns beforehand, in place, and returns for the record
    """

    data: str
    load: Callable[..., Data]
    network: Callable[[Data], torch.nn.Module]
    steps: int
    batch: int = 64
    lr: float = 3e-3
    levels: str = "lognormal"
    augment: tuple[str, ...] = ()
    autoencoder: str | None = None
    teach: Callable[[torch.nn.Module], dict] | None = None


def _unet(images: Data, **config) -> UNet:
    classes = len(images.names or ()) or None
    return UNet(channels=images.x.shape[1], size=tuple(images.x.shape[2:]), classes=classes, **config)


def _fitting(own: Data) -> torch.nn.Module:
    return network_for(own.x.shape[1:], len(own.names or ()))


def worded(captioned: Data, length: int = 16) -> Data:
    """Data whose captions are a condition: text, (N, length), by the words that occur in them."""
    require(captioned.captions is not None, "these data have no captions, from which the words would be taken")
    words = Words(vocabulary(captioned.captions or ()), length)
    return replace(captioned, condition={"text": words.encode(captioned.captions or ())})


def _told(captioned: Data, **config) -> UNet:
    words, length = vocabulary(captioned.captions or ()), captioned.condition["text"].shape[1]
    return _unet(captioned, words=words, length=length, **config)


def _scenes() -> Data:
    return worded(data.scenes(120_000))


def _reader(net: torch.nn.Module) -> dict:
    """Captions are read before scenes are drawn."""
    encoder = instance("the network's text", getattr(net, "text", None), TextEncoder, "an encoder: give it words=...")
    return {"reading": read(encoder, [data.scene(0, number) for number in range(20_000)])}


def _clothes() -> Data:
    return data.fashion_mnist("train")


QUICK = partial(_unet, width=32, deep_blocks=2, groups=2)
# The next two are for a GPU, for minutes and for hours: chosen by reasoning, not run yet.
MIDDLE = partial(_unet, width=128, deep_width=256, blocks=2, deep_blocks=6, changes=1)
LARGE = partial(_unet, width=256, deep_width=512, blocks=3, deep_blocks=8, groups=16, changes=1)
DRAWER = partial(_told, blocks=3, deep_blocks=3, groups=4, patch=1)
PLANE = ("two-moons", "swiss-roll", "checkerboard", "spirals", "pinwheel", "rings")
PRESETS: dict[str, Preset] = {
    "fashion-small": Preset("fashion-mnist", _clothes, _unet, 5_000),
    "fashion-quick": Preset("fashion-mnist", _clothes, QUICK, 8_000, 32, 5e-3),
    "sprites": Preset(  # a tenth of the sprites is held out for good
        "sprites", partial(data.sprites, "train"), partial(_unet, groups=4, changes=1), 25_000, 32, augment=("flip",)
    ),
    "scenes": Preset("scenes", _scenes, DRAWER, 22_000, 64, 2e-3, "uniform_angle", autoencoder=LATENTS, teach=_reader),
    "fashion": Preset("fashion-mnist", _clothes, MIDDLE, 30_000, 256, 1e-3, augment=("flip",)),
    "cifar10": Preset("cifar-10", data.cifar10, LARGE, 100_000, 512, 1e-3, augment=("flip",)),
} | {
    name: Preset(
        name, partial(getattr(data, name.replace("-", "_")), 20_000), _fitting, 3_000, 256, 2e-3, "uniform_angle"
    )
    for name in PLANE
}
KINDS = {2: "points", 3: "signals", 4: "images"}  # by the axes of x
OWN: dict[str, Preset] = {  # for data of one's own
    "points": Preset("", data.from_array, _fitting, 3_000, 256, 2e-3, "uniform_angle"),
    "signals": Preset("", data.from_array, _fitting, 5_000, 64, 2e-3, "uniform_angle"),
    "images": Preset("", data.from_folder, _fitting, 10_000, 32, augment=("flip",)),
}
EVERY = ChainMap(PRESETS, OWN)
DATA_SETS = {preset.data: name for name, preset in reversed(PRESETS.items())}  # the first preset of each
