"""Two hundred pictures as people have them: of many kinds, sizes and names, one of them broken."""

from pathlib import Path

import numpy as np
from PIL import Image

KINDS = {  # mode, and how it is saved
    "png": ("RGB", {}), "jpg": ("RGB", {"quality": 95}), "gif": ("P", {}), "webp": ("RGB", {"lossless": True}),
    "bmp": ("RGB", {}), "tif": ("RGB", {"compression": "tiff_lzw"}), "alpha.png": ("RGBA", {}), "grey.png": ("L", {}),
    "greyalpha.png": ("LA", {}), "palette.png": ("P", {}), "cmyk.jpg": ("CMYK", {"quality": 95}),
    "cmyk.tif": ("CMYK", {}), "deep.png": ("I;16", {}), "bit.png": ("1", {}), "real.tif": ("F", {}),
    "ppm": ("RGB", {}),
}  # fmt: skip
CLASSES = ("Bäume", "Straße 2", "cats")
BROKEN = "cats/zerbrochen.jpg"


def make(folder: Path, count: int = 200, seed: int = 0) -> Path:
    """The folder, filled: each class has a colour of its own, and every tenth picture was taken with a turned camera."""
    rng = np.random.default_rng(seed)
    for k in range(count - 1):
        (ending, (mode, options)), name = list(KINDS.items())[k % len(KINDS)], CLASSES[k % 3]
        height, width = rng.integers(9, 60, 2)
        pixels = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
        pixels[..., k % 3] += 150
        exif = Image.Exif()
        if k % 10 == 0 and ending in ("png", "jpg", "webp", "tif"):
            exif[0x0112] = 1 + k // 10 % 8
        (folder / name / ("more" * (k % 7 == 0))).mkdir(parents=True, exist_ok=True)
        path = folder / name / ("more" * (k % 7 == 0)) / f"größe {k:03}.{ending}"
        as_mode(Image.fromarray(pixels), mode).save(path, exif=exif, **options)
    (folder / BROKEN).write_bytes(b"\xff\xd8\xff\xe0 and then the card was pulled out")
    (folder / "cats" / ".hidden").write_text("no picture")
    (folder / "cats" / "Thumbs.db").write_text("no picture")
    return folder


def as_mode(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in another mode; 16 bits from 0 to 65,535, real numbers from 0 to 1."""
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(np.asarray(picture.convert("L"), np.float32) / 255)
    return picture.convert(mode)
