"""Images as pixels and as PNG files, without matplotlib."""

import io
import math

import numpy as np
import torch
from PIL import Image

from ..refusals import described, number, require, whole

Limits = tuple[float, float]  # the values of black and of white


def tile(
    images, columns: int | None = None, *, scale: int = 1, gap: int = 2, limits: Limits = (0.0, 1.0)
) -> np.ndarray:
    """Images side by side as one uint8 picture, (height, width) or (height, width, 3), row by row.

    images: (N, H, W) or (N, 1 or 3, H, W), values in limits (clipped).
    columns: by default one row up to 10 images, then nearly square.
    scale: each pixel becomes scale x scale pixels.
    gap: white pixels between images.
    limits: the values of black and of white.

    Raises ValueError for other shapes, no images or NaN, and TypeError for what are no numbers.
    """
    scale, gap = whole("scale", scale, 1, 1000), whole("gap", gap, 0, 1000)
    pixels = as_pixels(images, limits).repeat(scale, axis=1).repeat(scale, axis=2)
    count, high, wide, channels = pixels.shape
    columns = whole("columns", default_columns(count) if columns is None else columns, 1, 1000)
    rows = math.ceil(count / columns)
    canvas = np.full((rows * (high + gap) - gap, columns * (wide + gap) - gap, channels), 255, dtype=np.uint8)
    for i, image in enumerate(pixels):
        top, left = (i // columns) * (high + gap), (i % columns) * (wide + gap)
        canvas[top : top + high, left : left + wide] = image
    return canvas[..., 0] if channels == 1 else canvas


def encode(pixels: np.ndarray) -> bytes:
    """Pixels, uint8 (H, W) or (H, W, 3), as a PNG; colour pictures are reduced to their best 256 colours."""
    fits = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim in (2, 3) and pixels.size
    require(fits and pixels.shape[2:] in ((), (3,)), f"pixels are uint8, (H, W) or (H, W, 3); got {described(pixels)}")
    image = Image.fromarray(pixels)
    if image.mode == "RGB":
        image = image.quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def as_array(values) -> np.ndarray:
    """Real numbers as a NumPy array, from a tensor, an array or a list. Raises TypeError for what are none."""
    if isinstance(values, torch.Tensor) and values.layout == torch.strided:
        values = values.detach().cpu()
        return as_array((values.float() if values.dtype == torch.bfloat16 else values).numpy())
    if isinstance(values, (list, tuple)):
        values = [as_array(part) if isinstance(part, torch.Tensor) else part for part in values]
    try:
        found = np.asarray(values)
    except (ValueError, TypeError):  # rows of unequal length, a sparse tensor
        found = np.asarray(None)
    if found.dtype.kind not in "biuf":
        raise TypeError(f"What is drawn must be real numbers in a tensor, an array or a list, not {described(values)}.")
    return found


def as_limits(limits: Limits) -> Limits:
    """The values of black and of white as floats. Raises ValueError unless black is below white."""
    pair = tuple(limits) if isinstance(limits, (tuple, list)) else ()
    said = f"limits are (value of black, value of white) with black below white; got {described(limits)}."
    require(len(pair) == 2, said)
    low, high = (number("a limit", limit) for limit in pair)
    require(low < high, said)
    return low, high


def as_pixels(images, limits: Limits) -> np.ndarray:
    """Images as uint8, (N, H, W, 1 or 3)."""
    images, (low, high) = as_array(images), as_limits(limits)
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"Images are (N, H, W) or (N, 1 or 3, H, W) with N >= 1; got shape {images.shape}.")
    if np.isnan(images).any():
        raise ValueError(
            "These images contain NaN. Look for the step that first produced one: "
            "often a division by sigma or alpha at the end of the path, or a step that is too large."
        )
    levels = np.round(255 * (np.clip(images, low, high) - low) / (high - low))
    return levels.astype(np.uint8).transpose(0, 2, 3, 1)


def default_columns(images: int) -> int:
    number = whole("images", images)
    return number if number <= 10 else math.ceil(math.sqrt(number))
