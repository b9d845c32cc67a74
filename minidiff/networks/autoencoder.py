"""Images as latents, a quarter as wide and as high, and back."""

import torch
from torch import Tensor, nn

from ..refusals import generator as checked
from ..refusals import require, samples, whole
from .layers import Block, check_input


class AutoEncoder(nn.Module):
    """A KL-regularised autoencoder (Kingma & Welling 2014; as in latent diffusion, Rombach et al. 2022, Section 3.1).

    encode: (B, channels, H, W) -> (B, latent, H/4, W/4), and decode back; H and W are any multiples of 4.
    `calibrate` sets one shift and one scale, so that what `encode` gives has mean 0 and standard deviation 1, as
    diffusion wants its data. Both live in here and in the checkpoint, and encode and decode use them by themselves.

    channels: of the images.
    latent: channels of the latents.
    width: channels at half resolution, a multiple of groups.
    deep_width: channels at quarter resolution, a multiple of groups.
    blocks: residual blocks at each resolution, in the encoder and again in the decoder.
    groups: of channels that GroupNorm normalises together.

    Raises ValueError for sizes that cannot be built and, when called, for inputs of other shapes and types.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, channels: int = 3, latent: int = 4, width: int = 48, deep_width: int = 64, blocks: int = 1,
                 groups: int = 4) -> None:  # fmt: skip
        super().__init__()
        config = {"channels": channels, "latent": latent, "width": width, "deep_width": deep_width}
        self.config = {name: whole(name, one) for name, one in (config | {"blocks": blocks, "groups": groups}).items()}
        fits = width % groups == deep_width % groups == 0
        require(fits, f"widths must be multiples of {groups} (GroupNorm's groups); got {width} and {deep_width}")
        fine = lambda: [Block(width, width, None, groups) for _ in range(blocks)]
        deep = lambda: [Block(deep_width, deep_width, None, groups) for _ in range(blocks)]
        into = lambda size, out: [nn.GroupNorm(groups, size), nn.SiLU(), nn.Conv2d(size, out, 3, padding=1)]
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, width, 3, padding=1), *fine(),
            nn.Conv2d(width, deep_width, 3, stride=2, padding=1), *deep(), *into(deep_width, 2 * latent),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Conv2d(latent, deep_width, 3, padding=1), *deep(), nn.Conv2d(deep_width, width, 1),
            nn.Upsample(scale_factor=2.0), *fine(), *into(width, 4 * channels), nn.PixelShuffle(2),
        )  # fmt: skip
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), as the encoder has them, not yet shifted or scaled, like z each."""
        samples("images", x, 4)
        check_input(x, (self.config["channels"], *x.shape[2:]), self.shift, "images")
        fits = x.numel() and not (x.shape[2] % 4 or x.shape[3] % 4)
        require(fits, f"images must be at least one, with sides of 4, 8, ...; got {tuple(x.shape)}")
        mean, log_var = self.encoder(x.contiguous(memory_format=torch.channels_last)).chunk(2, 1)
        return mean, log_var.clamp(-30, 20)

    def encode(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Latents of images: the mean of q(z | x), or, with a generator, a draw from it."""
        z, log_var = self.moments(x)
        if checked(generator) is not None:
            z = z + (log_var / 2).exp() * torch.randn(z.shape, generator=generator).to(z)
        return (z - self.shift) / self.scale

    def decode(self, z: Tensor) -> Tensor:
        """Images of latents."""
        samples("latents", z, 4)
        check_input(z, (self.config["latent"], *z.shape[2:]), self.shift, "latents")
        return self.decoder((z * self.scale + self.shift).contiguous(memory_format=torch.channels_last))

    @torch.no_grad()
    def calibrate(self, x: Tensor, generator: torch.Generator | None = None) -> None:
        """Set shift and scale, so that `encode` gives mean 0 and standard deviation 1 over these images.

        Raises ValueError where their latents do not differ or are not finite.
        """
        z = self.encode(x, generator) * self.scale + self.shift
        require(0 < z.std() < float("inf"), "these images have latents without a standard deviation: give more of them")
        self.shift.copy_(z.mean()), self.scale.copy_(z.std())

    def forward(self, x: Tensor) -> Tensor:
        """Images once through the latents."""
        return self.decode(self.encode(x))
