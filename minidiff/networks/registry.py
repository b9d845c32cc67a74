"""Networks by name: described so that they can be built again, and filled with tensors that come from anywhere."""

import copy
import json
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.parameter import is_lazy

from .autoencoder import AutoEncoder
from .convnet import ConvNet1d
from .dit import DiT
from .mlp import MLP
from .unet import UNet

NETWORKS: dict[str, type[nn.Module]] = {
    "MLP": MLP, "UNet": UNet, "ConvNet1d": ConvNet1d, "DiT": DiT, "AutoEncoder": AutoEncoder,
}  # fmt: skip


def unwrapped(net: nn.Module) -> nn.Module:
    """The network itself, without what `torch.compile` and data parallelism wrapped it in."""
    while "_orig_mod" in net._modules or isinstance(net, (DataParallel, DistributedDataParallel)):
        net = net.get_submodule("_orig_mod" if "_orig_mod" in net._modules else "module")
    return net


def parameters(net: nn.Module) -> dict[str, nn.Parameter]:
    """A network's parameters by its own names for them, whatever wraps it or its parts."""
    return {name.replace("_orig_mod.", ""): value for name, value in unwrapped(net).named_parameters()}


def weights(net: nn.Module) -> dict[str, Tensor]:
    """Parameters and persistent buffers, named likewise. Raises ValueError where one is lazy."""
    found = {name.replace("_orig_mod.", ""): value for name, value in unwrapped(net).state_dict().items()}
    for name, value in found.items():
        if not isinstance(value, Tensor) or is_lazy(value):
            raise ValueError(f"{name} of the network is lazy or no tensor: call the network once, and keep tensors")
    return found


def misfit(have: dict[str, Tensor], found: dict[str, Tensor], *, rounded: bool = False) -> str | None:
    """The first name that only one of them has, or whose shapes or types differ; rounded: float16 is any float."""

    def alike(one: Tensor, other: Tensor) -> bool:
        close = rounded and one.is_floating_point() and other.dtype == torch.float16
        return one.shape == other.shape and (close or one.dtype == other.dtype)

    odd = have.keys() ^ found.keys() or {name for name in have if not alike(have[name], found[name])}
    return min(odd, default=None)


def unfinite(tensors: dict[str, Tensor]) -> str | None:
    """The first name whose tensor holds NaN or infinity."""
    real = {name: value for name, value in tensors.items() if value.is_floating_point() or value.is_complex()}
    return next((name for name, value in real.items() if not value.isfinite().all()), None)


def describe(net: nn.Module) -> dict:
    """What `restore` makes a network like this one from: name and arguments. Raises ValueError where it could not."""
    net, kind, held = unwrapped(net), type(unwrapped(net)).__name__, weights(net)
    name = next((name for name, known in NETWORKS.items() if known is type(net)), None)
    if name is None:
        raise ValueError(
            f"nothing could build a {kind} again: register it, minidiff.networks.NETWORKS[{kind!r}] = {kind}, and keep"
            " its arguments in its config"
        )
    config: Any = getattr(net, "config", None)
    kinds = {str(value.dtype).removeprefix("torch.") for value in held.values() if value.is_floating_point()}
    kinds -= {"float32"}
    try:
        described = {**config, "name": name, "dtype": min(kinds)} if kinds else {**config, "name": name}
        again = weights(_blueprint(json.loads(json.dumps(described)), len(held)))
        same = not {"name", "dtype"} & config.keys() and misfit(again, held) is None
    except Exception:  # whatever building from a config that is none trips over
        same = False
    if not same:
        raise ValueError(
            f"{name}(**net.config) does not build this network again: keep all its arguments in its config, in types"
            " that JSON knows, and all its numbers in one type"
        )
    return described


def restore(description: dict, tensors: dict[str, Tensor]) -> nn.Module:
    """The network of a description, filled with tensors, which are compared before any memory is taken for it.

    Raises ValueError where they do not fit, and whatever its arguments make a network raise.
    """
    _refuse(weights(_blueprint(description, len(tensors))), tensors)
    return fill(_build(description), tensors)


@torch.no_grad()
def fill(net: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Copy tensors into a network, all of them and no others. ValueError where they do not fit or are not finite."""
    have = weights(net)
    _refuse(have, tensors)
    if any(value.is_meta for value in have.values()):
        raise ValueError("the network to fill is on the meta device: build it on another, or use to_empty")
    for name, value in have.items():
        value.copy_(tensors[name])
    return net


def _refuse(have: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    if (odd := misfit(have, tensors, rounded=True)) is not None:
        raise ValueError(f"the tensors do not fit the network: compare {odd[:100]!r}")
    if (broken := unfinite(tensors)) is not None:
        raise ValueError(f"{broken} holds NaN or infinity: take an earlier checkpoint")


def accept(net: nn.Module, shape: Sequence[int], classes: int) -> None:
    """Raise ValueError where a network takes no samples of this shape, or knows another number of classes.

    It is asked on the meta device, where an absurd shape costs nothing.
    """
    net = copy.deepcopy(net).to("meta")
    try:
        out = net(torch.empty(1, *shape, device="meta"), torch.empty(1, device="meta"))
        fits = out.shape[2:] == torch.Size(shape[1:]) and out.shape[1] in (shape[0], 2 * shape[0])
    except Exception as error:  # whatever a shape trips it over
        raise ValueError(f"its network takes no samples of shape {tuple(shape)}: {error}") from None
    if not fits or classes not in (0, getattr(net, "classes", None)):
        raise ValueError(
            f"its network was made for other data than samples of shape {tuple(shape)} in {classes} classes"
        )


def _build(description: dict) -> nn.Module:
    config = dict(description)
    kind, dtype = NETWORKS[config.pop("name")], getattr(torch, config.pop("dtype", "float32"))
    return kind(**config).to(dtype)


def _blueprint(description: dict, tensors: int) -> nn.Module:
    """The network on the meta device: names and shapes, no memory. ValueError for far more parameters than tensors."""
    seen, thread = 0, threading.get_ident()

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal seen
        seen += threading.get_ident() == thread
        if seen > 4 * tensors + 100:
            raise ValueError(f"it would have far more parameters than there are tensors, {tensors}")

    hook = register_module_parameter_registration_hook(count)  # a billion layers take hours, even without memory
    try:
        with torch.device("meta"):
            return _build(description)
    finally:
        hook.remove()


def network_for(shape: Sequence[int], classes: int) -> nn.Module:
    """A network of a size that suits samples of this shape: an MLP for points, a ConvNet1d for signals, a UNet for
    images, deep enough that a number is answered by most of its sample. classes: how many, 0 for no labels.
    """
    known, longest = classes or None, max(shape)
    if len(shape) == 1:
        return MLP(longest, width=128 if longest <= 16 else 512, classes=known)
    if len(shape) == 2:
        return ConvNet1d(shape[0], shape[1], known, depth=min(10, max(4, (shape[1] - 1).bit_length())))
    deep = 4 if longest <= 40 else 6 if longest <= 64 else 8
    return UNet(shape[0], shape[1:], known, deep_blocks=deep, groups=4, changes=1)


@torch.no_grad()
def adapted(net: nn.Module, shape: Sequence[int], classes: int) -> tuple[nn.Module, list[int]]:
    """A network like this one for samples of another shape and other classes, with all its weights that fit.

    net: one of NETWORKS.
    shape: of a sample.
    classes: how many, 0 for no labels.

    Returns the network, and how many of its tensors fit, of how many. Raises ValueError where it can take no such
    samples.
    """
    net = unwrapped(net)
    config: Any = net.config
    changed: dict[str, Any] = {"channels": shape[0], "dim": shape[0], "classes": classes or None}
    if len(shape) == 2:
        changed["length"] = shape[1]  # of a signal: that of an image's network is the length of its captions
    elif len(shape) == 3:
        changed["size"] = shape[1] if shape[1] == shape[2] else shape[1:]
    new = type(net)(**config | {key: value for key, value in changed.items() if key in config})
    accept(new, shape, classes)
    have, found = weights(new), weights(net)
    fits = [name for name, value in have.items() if name in found and found[name].shape == value.shape]
    for name in fits:
        have[name].copy_(found[name])
    return new, [len(fits), len(have)]
