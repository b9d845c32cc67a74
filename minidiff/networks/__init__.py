"""Networks that turn a noisy input into an output of the same shape. They know nothing of diffusion.

    forward(x, level, y=None, change=None)     x: (B, *), level: (B,) in [0, 1], y: (B,) labels, or one int for all

The level says how noisy x is: 0 is clean, 1 is noise only. The change, (B, changes), says what an augmentation did to x
in training. What is None is not given, and `net.nulls` says what that looks like: name -> tensor without the batch.
`MLP` is for points, `UNet` and `DiT` for images, `ConvNet1d` for signals; the two for images can be told captions too,
text=..., (B, length). `AutoEncoder` is none of these: it turns images into latents and back. Every network keeps the
arguments it was built with in `config`, so that a checkpoint can build it again: `NETWORKS[name](**net.config)`. To
save one of your own, register it there first: `NETWORKS["Mine"] = Mine`.
"""

from .autoencoder import AutoEncoder
from .convnet import ConvNet1d
from .dit import DiT
from .mlp import MLP
from .registry import NETWORKS
from .text import vocabulary
from .unet import UNet

__all__ = ["MLP", "NETWORKS", "AutoEncoder", "ConvNet1d", "DiT", "UNet", "vocabulary"]
