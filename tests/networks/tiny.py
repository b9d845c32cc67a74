"""Two networks of a reader's own, as small as they can be: one is given tokens, the other an image."""

import torch
from torch import Tensor, nn

WORDS, LENGTH = 5, 3  # tokens 1 to 5; 0 stands where there is none


class TokenNet(nn.Module):
    """Points (B, 2), with a text of LENGTH tokens: x + level + the sum of the tokens' vectors, times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(WORDS + 1, 2), nn.Linear(2, 2)

    @property
    def nulls(self) -> dict[str, Tensor]:
        return {"text": torch.zeros(LENGTH, dtype=torch.int64, device=self.out.weight.device)}

    def forward(self, x: Tensor, level: Tensor, text: Tensor) -> Tensor:
        return self.out(x + level[:, None] + self.table(text).sum(1))


class ImageNet(nn.Module):
    """Images (B, 1, 4, 4), with another of half the size: x and the other, enlarged, through one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Conv2d(2, 1, 3, padding=1)

    @property
    def nulls(self) -> dict[str, Tensor]:
        return {"low_res": self.out.weight.new_zeros(1, 2, 2)}

    def forward(self, x: Tensor, level: Tensor, low_res: Tensor) -> Tensor:
        large = nn.functional.interpolate(low_res, scale_factor=2.0)
        return self.out(torch.cat([x, large], 1)) + level[:, None, None, None]
