"""Pictures that people bring to `outline`: every kind and depth, upright, or one sentence; no program, no hours."""

import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from minidiff import outline
from minidiff.data import images
from minidiff.data.images import on_white

INK = np.full((40, 60), 200, np.uint8)  # grey paper
INK[18:22, 5:50] = 40  # a bar that lies, off the middle
INK[5:18, 5:9] = 120  # and an arm at its left end, which points up
GREY = Image.fromarray(INK)
WANT = torch.from_numpy(INK).float().div(255)


def saved(picture, path, **options):
    picture.save(path, **options)
    return path


KINDS = {
    "grey.png": GREY,
    "colour.png": GREY.convert("RGB"),
    "palette.png": GREY.convert("RGB").quantize(16),
    "alpha.png": GREY.convert("RGBA"),
    "grey-alpha.png": GREY.convert("LA"),
    "deep.png": Image.fromarray(INK.astype(np.uint16) * 257),
    "deep.tif": Image.fromarray(INK.astype(np.uint16) * 257),
    "deep.pgm": Image.fromarray(INK.astype(np.uint16) * 257),
    "deeper.tif": Image.fromarray(INK.astype(np.int32) * 257),
    "real.tif": Image.fromarray(INK.astype(np.float32) / 255),
    "cmyk.tif": GREY.convert("RGB").convert("CMYK"),
    "ycbcr.tif": GREY.convert("RGB").convert("YCbCr"),
    "still.gif": GREY,
    "plain.bmp": GREY,
    "exact.webp": GREY.convert("RGB"),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_picture_gives_the_same_greys(name, tmp_path):
    """16 bits a pixel used to be cut off at 255, which left white paper and no ink."""
    found = on_white(saved(KINDS[name], tmp_path / name, **{"lossless": True} if name.endswith("webp") else {}))
    assert found.shape == (40, 60, 3) and found.dtype == torch.float32
    assert_close(found, WANT.unsqueeze(2).expand(-1, -1, 3), rtol=0, atol=1e-6)


def test_one_bit_and_greys_out_of_range(tmp_path):
    assert on_white(
        saved(GREY.point(lambda grey: 255 * (grey > 150)).convert("1"), tmp_path / "1.png")
    ).unique().tolist() == [0, 1]
    wide = Image.fromarray(INK.astype(np.float32) - 100)  # from -60 to 100
    found = on_white(saved(wide, tmp_path / "wide.tif"))
    assert (found.min(), found.max()) == (0, 1)
    assert_close(outline(tmp_path / "wide.tif", 100).x, outline(INK, 100).x)


def test_the_first_of_several_pictures_is_taken(tmp_path):
    blank = Image.new("L", GREY.size, 255)
    path = saved(GREY, tmp_path / "many.gif", save_all=True, append_images=[blank, blank])
    assert_close(on_white(path), WANT.unsqueeze(2).expand(-1, -1, 3))


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_taken_upright(orientation, kind, tmp_path):
    """A camera that was held another way stores its lines turned, and says so: what it saw is what counts."""
    turn = {1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud, 5: lambda x: x.T,
            6: np.rot90, 7: lambda x: np.rot90(x, 2).T, 8: lambda x: np.rot90(x, 3)}[orientation]  # fmt: skip
    stored = Image.fromarray(np.ascontiguousarray(turn(INK)))
    exif = stored.getexif()
    exif[0x0112] = orientation
    options = {"tif": {"compression": "tiff_lzw"}, "webp": {"lossless": True}, "jpg": {"quality": 100}}.get(kind, {})
    found = on_white(saved(stored.convert("RGB"), tmp_path / f"phone.{kind}", exif=exif, **options))
    assert_close(found, WANT.unsqueeze(2).expand(-1, -1, 3), rtol=0, atol=0.02)
    width, height = np.ptp(outline(tmp_path / f"phone.{kind}", 1000).x.numpy(), 0)
    assert width > 2 * height


def test_turned_lines_that_pillow_reads_wrongly_are_refused_or_right(tmp_path):
    """Pillow 13 tears uncompressed TIFFs that are turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(Image.fromarray(np.ascontiguousarray(np.rot90(INK))), tmp_path / "torn.tif", exif=exif)
    try:
        assert_close(on_white(path)[..., 0], WANT)
    except ValueError as error:
        assert "torn.tif cannot be read as a picture" in str(error)


def test_a_large_picture_is_reduced(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "LARGEST", 100)
    large = np.kron(INK, np.ones((8, 8), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, picture in {"p.png": GREY.convert("RGB").quantize(16), "l.png": GREY, "d.png": KINDS["deep.png"]}.items():
        big = picture.resize((480, 320), Image.Resampling.NEAREST)
        found = on_white(saved(big, tmp_path / name))
        assert found.shape == (67, 100, 3) and 0.1 < found.min() < 0.3 and 0.75 < found.max() < 0.85
        assert len(found.unique()) > 4  # averaged, not thinned out
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(large)))
    assert on_white(saved(turned, tmp_path / "turned.jpg", exif=exif)).shape == (67, 100, 3)
    monkeypatch.setattr(images, "LARGEST", 480)
    assert on_white(tmp_path / "l.png").shape == (320, 480, 3)  # what is not too large stays as it is


def png(width, height):
    """The head of a PNG of that size, and a byte of it: what a bomb needs."""
    chunk = lambda kind, content: (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def brought(folder):
    """Paths of what is no picture."""
    whole = saved(GREY, folder / "whole.png").read_bytes()
    content = {
        "cut.png": whole[: len(whole) // 2],
        "text.png": b"I am a text.\n" * 100,
        "empty.png": b"",
        "head.png": whole[:8],
        "bomb.png": png(2**17, 2**17),
        "odd.png": png(0, 5),
        "page.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n",  # starts Ghostscript
        "vector.svg": b"<svg/>",
        "archive.zip": b"PK\3\4" + bytes(50),
    }
    for name, written in content.items():
        (folder / name).write_bytes(written)
    (folder / "folder.png").mkdir()
    return [*(folder / name for name in content), folder / "folder.png", folder / "missing.png", folder / "no\0ne.png"]


def test_what_is_no_picture_gets_one_sentence(tmp_path, recwarn):
    for path in brought(tmp_path):
        for given in (path, str(path)):
            with pytest.raises(ValueError) as told:
                outline(given, 10)
            said = str(told.value)
            assert path.name in said and len(said.split()) > 7 and "\n" not in said and "Ghostscript" not in said
    assert not recwarn.list


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO on this system")
def test_a_fifo_and_a_device_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero"):
        with pytest.raises(ValueError, match="is no file"):
            outline(path, 10)


NAN = np.where(INK > 100, 1.0, np.nan)


NO_DRAWING = {
    ValueError: [NAN, np.full((3, 3), np.inf), np.zeros((2, 3, 3)), np.zeros(5), np.zeros((0, 4)), np.array(7.0),
                 np.zeros((1, images.LARGEST + 1))],
    TypeError: [INK.astype(complex), None, ["a", "b"], [[1, 2], [3]], {}, object(), b"bytes", np.array([["a"]]),
                np.datetime64("2020")],
}  # fmt: skip


@pytest.mark.parametrize("picture, error", [(picture, error) for error in NO_DRAWING for picture in NO_DRAWING[error]])
def test_arrays_that_are_no_drawing(picture, error):
    with pytest.raises(error) as told:
        outline(picture, 10)
    assert len(str(told.value).split()) >= 5 and "a drawing" in str(told.value)


def test_a_drawing_may_be_as_wide_as_is_said():
    wide = np.zeros((2, images.LARGEST))
    wide[1] = 1.0
    assert len(outline(wide, 10)) == 10


@pytest.mark.parametrize("given", [
    INK.tolist(), torch.from_numpy(INK), torch.from_numpy(INK).bfloat16(), INK > 150, torch.from_numpy(INK) > 150,
    INK.astype(np.float16), INK[::-1][::-1], np.asfortranarray(INK), torch.from_numpy(INK).double().requires_grad_(),
    INK.astype(np.uint16) * 257, INK * 1e300, INK * 8e305, INK - 1e5,
])  # fmt: skip
def test_arrays_of_every_kind_are_the_same_drawing(given):
    sharp = np.where(INK > 150, 1.0, 0.0)  # an edge between two greys lies in the middle, whatever the greys
    flat = isinstance(given, (np.ndarray, torch.Tensor)) and "bool" in str(given.dtype)
    assert_close(outline(given, 200).x, outline(sharp if flat else INK.astype(float), 200).x, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read as Linux tells it")
def test_thirteen_thousand_pixels_a_side_take_two_gigabytes_at_most(tmp_path):
    picture = Image.new("L", (13_000, 13_000), 255)
    picture.paste(0, (3000, 3000, 9000, 6000))
    picture.save(path := tmp_path / "large.png", compress_level=1)
    code = (  # VmHWM, because ru_maxrss begins with what the process had that started this one
        f"from minidiff import outline; x = outline({str(path)!r}, 1000).x\n"
        "said = open('/proc/self/status').read(); most = said.split('VmHWM:')[1].split()[0]\n"
        "print(most, *(x.amax(0) - x.amin(0)).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True)
    kilobytes, width, height = map(float, done.stdout.split())
    assert kilobytes < 2e6 and abs(width / height - 2) < 0.01 and not done.stderr
