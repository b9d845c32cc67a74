"""Images as pixels and as PNG files, without matplotlib."""

import io
import math

import numpy as np
import torch
from PIL import Image


def tile(
    images, columns: int | None = None, *, scale: int = 1, gap: int = 2, limits: tuple[float, float] = (0.0, 1.0)
) -> np.ndarray:
    """Images side by side as one uint8 picture, (height, width) or (height, width, 3), row by row.

    images: (N, H, W) or (N, 1 or 3, H, W), values in limits (clipped). Each pixel becomes scale x scale pixels, with
    `gap` white pixels between images. columns: by default one row up to 10 images, then nearly square. ValueError for
    other shapes, no images or NaN.
    """
    pixels = as_pixels(images, limits).repeat(scale, axis=1).repeat(scale, axis=2)
    number, high, wide, channels = pixels.shape
    columns = columns or default_columns(number)
    rows = math.ceil(number / columns)
    canvas = np.full((rows * (high + gap) - gap, columns * (wide + gap) - gap, channels), 255, dtype=np.uint8)
    for i, image in enumerate(pixels):
        top, left = (i // columns) * (high + gap), (i % columns) * (wide + gap)
        canvas[top : top + high, left : left + wide] = image
    return canvas[..., 0] if channels == 1 else canvas


def encode(pixels: np.ndarray) -> bytes:
    """Pixels, uint8 (H, W) or (H, W, 3), as a PNG; colour pictures are reduced to their best 256 colours."""
    image = Image.fromarray(pixels)
    if image.mode == "RGB":
        image = image.quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def as_array(values) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def as_pixels(images, limits) -> np.ndarray:
    """Images as uint8, (N, H, W, 1 or 3)."""
    images, (low, high) = as_array(images), limits
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"Images are (N, H, W) or (N, 1 or 3, H, W) with N >= 1; got shape {images.shape}.")
    if np.isnan(images).any():
        raise ValueError(
            "These images contain NaN. Look for the step that first produced one: "
            "often a division by sigma or alpha at the end of the path, or a step that is too large."
        )
    if not low < high:
        raise ValueError(f"limits are (value of black, value of white) with black below white; got {limits}.")
    levels = np.round(255 * (np.clip(images, low, high) - low) / (high - low))
    return levels.astype(np.uint8).transpose(0, 2, 3, 1)


def default_columns(number: int) -> int:
    return number if number <= 10 else math.ceil(math.sqrt(number))
