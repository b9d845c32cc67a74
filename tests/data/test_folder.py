"""One's own data: folders of pictures of every kind, arrays and their files, and one sentence for what is none."""

import gzip
import json
import os
import struct
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from minidiff.data import Data, DataError, folder, found_again, from_array, from_folder, from_path, images
from tests.data.mixed import BROKEN, CLASSES, make

RAMP = np.add.outer(np.arange(24), 2 * np.arange(36)).astype(np.uint8) + 100  # rises downwards and to the right


def put(path, pixels=RAMP):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def raw(data: Data) -> torch.Tensor:
    return data.restore(data.x)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return make(tmp_path_factory.mktemp("own") / "Meine Bilder")


# ---- folders


def test_two_hundred_pictures_of_many_kinds(mixed):
    with pytest.warns(UserWarning, match=f"skipped what is no sound picture .1.: {BROKEN}$") as told:
        data = from_folder(mixed, 16, unreadable="skip")
    assert len(told) == 1 and told[0].filename == __file__
    assert data.x.shape == (199, 3, 16, 16) and data.names == CLASSES and data.x.dtype == torch.float32
    assert_close(data.x.mean(), torch.tensor(0.0), atol=1e-4, rtol=0)
    assert_close(data.x.square().mean(), torch.tensor(1.0), atol=1e-4, rtol=0)
    assert raw(data).min() > -1e-5 and raw(data).max() < 1 + 1e-5
    assert all(caption.startswith(f"{CLASSES[k]}/") for caption, k in zip(data.captions, data.y.tolist(), strict=True))
    assert "Bäume/more/größe 000.png" in data.captions and list(data.captions) == sorted(
        data.captions, key=lambda name: name.split("/")
    )
    grey = [any(part in name for part in ("grey", "deep", "bit", "real")) for name in data.captions]
    colours = data[~torch.tensor(grey)]
    order = {name: int(k) for name, k in zip(CLASSES, (0, 1, 2), strict=True)}
    want = torch.tensor([order[data.names[k]] for k in colours.y])
    assert torch.equal(raw(colours).mean((2, 3)).argmax(1), want)  # palettes, CMYK, alpha: the colour of its class
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = from_folder(str(mixed), 16, unreadable="skip")
    assert torch.equal(again.x, data.x) and again.captions == data.captions and torch.equal(again.y, data.y)


def test_a_broken_file_stops_it_unless_it_may_be_skipped(mixed):
    with pytest.raises(DataError, match="zerbrochen.jpg cannot be read as a picture .*or have such files skipped"):
        from_folder(mixed, 8)


def test_a_picture_of_the_size_wanted_is_unchanged_and_a_turned_one_upright(tmp_path):
    put(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(RAMP))).save(tmp_path / "b.png", exif=exif)
    data = from_folder(tmp_path, (24, 36), channels=1)
    want = torch.from_numpy(RAMP)[None].float() / 255
    assert data.names is None and data.y is None and data.captions == ("a.png", "b.png")
    for found in raw(data):
        assert_close(found, want, atol=1e-5, rtol=0)


def test_colours_as_greys_have_the_weights_of_television(tmp_path):
    """ITU-R BT.601, as Pillow has it."""
    pixels = np.random.default_rng(0).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    put(tmp_path / "a.png", pixels)
    want = torch.from_numpy(np.asarray(Image.fromarray(pixels).convert("L")).copy())[None].float() / 255
    assert_close(raw(from_folder(tmp_path, 6, channels=1))[0], want, atol=0.6 / 255, rtol=0)


def test_scaling_down_averages_and_does_not_thin_out(tmp_path):
    """Salt and pepper is grey from afar: an eighth of the size averages 64 pixels, of deviation 1/2 each."""
    put(tmp_path / "a.png", 255 * np.random.default_rng(0).integers(0, 2, (128, 128)))
    found = raw(from_folder(tmp_path, 16, channels=1))
    assert abs(found.mean() - 0.5) < 0.02 and found.std() < 1.5 / 16


@pytest.mark.parametrize("size, fit, want", [
    (24, "crop", RAMP[:, 6:30]),
    ((24, 12), "crop", RAMP[:, 12:24]),
    ((12, 36), "crop", RAMP[6:18]),
    ((30, 40), "pad", np.pad(RAMP, ((3, 3), (2, 2)), constant_values=255)),
])  # fmt: skip
def test_the_middle_is_cut_out_or_all_is_kept_on_white(size, fit, want, tmp_path):
    put(tmp_path / "a.png")
    found = raw(from_folder(tmp_path, size, channels=1, fit=fit))[0, 0]
    if fit == "pad":  # scaled up to touch two sides
        high, wide = 27, 40
        assert found.shape == (30, 40) and (found[:1] > 0.999).all() and (found[-2:] > 0.999).all()
        want = torch.nn.functional.interpolate(
            torch.from_numpy(RAMP)[None, None].float(), (high, wide), mode="bilinear", antialias=True
        )[0, 0]
        assert_close(found[1:28], want / 255, atol=0.01, rtol=0)
    else:
        assert_close(found, torch.from_numpy(np.ascontiguousarray(want)).float() / 255, atol=1e-5, rtol=0)


def test_a_strip_and_a_speck(tmp_path):
    put(tmp_path / "strip.png", np.full((1, 300), 40))
    put(tmp_path / "speck.png", np.full((1, 1), 40))
    found = raw(from_folder(tmp_path, (8, 12), channels=1))
    assert_close(found, torch.full((2, 1, 8, 12), 40 / 255), atol=1e-5, rtol=0)
    padded = raw(from_folder(tmp_path, (8, 12), channels=1, fit="pad"))[1, 0]
    assert (padded < 0.999).sum() == 12  # the strip is one line of twelve


def test_a_large_photograph_looks_the_same_as_when_it_is_not_reduced_first(tmp_path, monkeypatch):
    """It is read at about four times the size wanted, which for JPEG is many times faster."""
    waves = 128 + 100 * np.sin(np.add.outer(np.arange(900), np.arange(1200)) / 120)
    put(tmp_path / "a.jpg", waves)
    small = raw(from_folder(tmp_path, 16, channels=1))
    monkeypatch.setattr(folder, "on_white", lambda file, least: images.on_white(file))
    assert_close(small, raw(from_folder(tmp_path, 16, channels=1)), atol=0.04, rtol=0)  # it is cut a pixel beside


def test_deeper_folders_belong_to_their_class_and_links_that_lead_back_are_passed_over(tmp_path):
    for name in ("b/deep/er/1.png", "b/2.png", "a/3.png"):
        put(tmp_path / "all" / name)
    (tmp_path / "all" / "empty").mkdir()
    put(tmp_path / "elsewhere" / "4.png")
    if hasattr(os, "symlink"):
        os.symlink(tmp_path / "all", tmp_path / "all" / "b" / "loop")
        os.symlink("loop", tmp_path / "all" / "a" / ".itself")
        os.symlink(tmp_path / "elsewhere", tmp_path / "all" / "c")
    data = from_folder(tmp_path / "all", 4)
    assert data.captions == ("a/3.png", "b/2.png", "b/deep/er/1.png", "c/4.png")
    assert data.names == ("a", "b", "c") and data.y.tolist() == [0, 1, 1, 2]


def test_an_umlaut_in_one_letter_or_in_two_has_one_place(tmp_path):
    """macOS used to store them as two: the order, and with it the labels, must not depend on it."""
    for where, name in (("one", "\u00e4"), ("two", "a\u0308")):
        for part in (name, "az", "b"):
            put(tmp_path / where / part / "1.png")
    assert [from_folder(tmp_path / where, 4).names[2][0] for where in ("one", "two")] == ["\u00e4", "a"]


def test_hidden_files_and_what_systems_leave_are_no_pictures(tmp_path):
    put(tmp_path / "a.png")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".git/config", "__MACOSX/._a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert from_folder(tmp_path, 4).captions == ("a.png",)


def test_pictures_of_one_colour_are_only_moved(tmp_path):
    put(tmp_path / "a.png", np.full((5, 5), 51))
    data = from_folder(tmp_path, 4)
    assert data.scale == 1 and abs(data.shift - 0.2) < 1e-6 and data.x.abs().max() < 1e-6


def refused(error, *given, **options) -> str:
    with pytest.raises(error) as told:
        (from_folder if error is DataError and not options.pop("array", False) else from_array)(*given, **options)
    said = str(told.value)
    assert "\n" not in said and len(said.split()) > 6
    return said


def test_folders_that_hold_no_data(tmp_path):
    assert "is no folder" in refused(DataError, tmp_path / "none")
    assert "is no folder" in refused(DataError, put(tmp_path / "one" / "a.png"))
    (tmp_path / "empty" / "class").mkdir(parents=True)
    (tmp_path / "empty" / ".hidden.png").touch()
    assert "holds no picture" in refused(DataError, tmp_path / "empty")
    put(tmp_path / "one" / "cats" / "b.png")
    assert "a.png beside the sub-folder cats" in refused(DataError, tmp_path / "one")
    (tmp_path / "one" / "a.png").write_text("notes")
    with pytest.warns(UserWarning, match="a.png"):
        assert from_folder(tmp_path / "one", 4, unreadable="skip").captions == ("cats/b.png",)
    (tmp_path / "one" / "cats" / "b.png").write_text("notes")
    with pytest.warns(UserWarning, match="2"):
        assert "holds no picture" in refused(DataError, tmp_path / "one", unreadable="skip")


@pytest.mark.parametrize("options, word", [
    ({"size": 0}, "size"), ({"size": 2.5}, "size"), ({"size": (4, 4, 4)}, "height and width"), ({"size": None}, "size"),
    ({"size": 10**6}, "size"), ({"channels": 4}, "channels"), ({"fit": "stretch"}, "fit"), ({"unreadable": 1}, "unread"),
])  # fmt: skip
def test_options_that_make_no_sense(options, word, tmp_path):
    put(tmp_path / "a.png")
    with pytest.raises(ValueError, match=word):
        from_folder(tmp_path, **options)
    with pytest.raises(TypeError, match="path"):
        from_folder(5)


def test_the_warning_steers_no_terminal_and_stays_short(tmp_path):
    put(tmp_path / "z.png")
    for k in range(30):
        (tmp_path / f"{k:02}\x1b[2J.png").write_text("x")
    with pytest.warns(UserWarning) as told:
        from_folder(tmp_path, 4, unreadable="skip")
    said = str(told[0].message)
    assert said.isprintable() and "(30)" in said and said.count("2J") == 20 and said.endswith(", ...")


# ---- arrays


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("given, axes, want", [
    ((5, 8, 12), None, (5, 1, 8, 12)),
    ((5, 8, 12, 3), None, (5, 3, 8, 12)),
    ((5, 3, 8, 12), None, (5, 3, 8, 12)),
    ((5, 8, 12, 1), None, (5, 1, 8, 12)),
    ((5, 3, 8, 3), "NCHW", (5, 3, 8, 3)),
    ((5, 3, 8, 3), "NHWC", (5, 3, 3, 8)),
    ((5, 4, 8, 8), "NCHW", (5, 4, 8, 8)),
    ((5, 2), None, (5, 2)),
    ((5, 64), "NL", (5, 1, 64)),
    ((5, 2, 64), "NCL", (5, 2, 64)),
    ((5, 3, 3), "NHW", (5, 1, 3, 3)),
])  # fmt: skip
def test_axes_are_told_by_the_shape_or_said(given, axes, want):
    x = noise(*given)
    data = from_array(x, axes=axes)
    assert data.x.shape == want and data.names is None
    last = axes == "NHWC" or (axes is None and len(given) == 4 and given[3] in (1, 3))
    rows = torch.from_numpy(np.moveaxis(x, 3, 1) if last else x).reshape(want)
    assert_close(raw(data), rows, atol=1e-6, rtol=0)
    assert abs(data.x.mean()) < 1e-5 and abs(data.x.square().mean() - 1) < 1e-5


@pytest.mark.parametrize("shape", [(5, 3, 8, 3), (5, 4, 8, 8), (5, 2, 64), (5,), (5, 1, 1, 1, 1)])
def test_a_shape_that_could_mean_several_things_is_asked_about(shape):
    assert "say what its axes are" in refused(ValueError, noise(*shape))
    assert "axes" in refused(ValueError, noise(*shape), axes="ND")


@pytest.mark.parametrize("x, low, high", [
    (np.array([[[0, 255]]], np.uint8), 0, 1),
    (np.array([[[0, 51]]], np.uint8), 0, 0.2),
    (np.array([[[0.2, 0.7]]]), 0.2, 0.7),
    (np.array([[[-1.0, 1.0]]]), 0, 1),
    (np.array([[[0, 510]]]), 0, 1),
    (np.array([[[False, True]]]), 0, 1),
])  # fmt: skip
def test_images_become_greys_from_0_to_1(x, low, high):
    found = raw(from_array(x, axes="NHW"))
    assert_close((float(found.min()), float(found.max())), (float(low), float(high)), atol=1e-6, rtol=0)


def test_points_keep_their_units_however_far_from_0_and_what_was_given_is_not_changed():
    x = 1e8 + np.random.default_rng(0).standard_normal((1000, 2)) * 3
    before = x.copy()
    data = from_array(x)
    assert (x == before).all() and abs(data.shift - 1e8) < 1 and abs(data.scale - 3) < 0.2
    assert_close(data.x, torch.from_numpy((x - data.shift) / data.scale).float())
    t = torch.rand(9, 2, dtype=torch.float64)
    before = t.clone()
    from_array(t)
    assert torch.equal(t, before)
    assert_close(raw(from_array(np.arange(20, dtype=np.uint8).reshape(10, 2))), torch.arange(20.0).reshape(10, 2))
    flat = from_array(np.full((4, 2), 7.0))
    assert (flat.shift, flat.scale, float(flat.x.abs().max())) == (7, 1, 0)


def test_labels_are_numbers_or_words():
    x = noise(4, 2)
    data = from_array(x, [0, 2, 1, 2])
    assert data.names == ("0", "1", "2") and data.y.tolist() == [0, 2, 1, 2]
    for words in (["dog", "cat", "dog", "eel"], np.array(["dog", "cat", "dog", "eel"])):
        data = from_array(x, words)
        assert data.names == ("cat", "dog", "eel") and data.y.tolist() == [1, 0, 1, 2]
    data = from_array(x, ["dog", "cat", "dog", "dog"], names=["dog", "eel", "cat"])
    assert data.names == ("dog", "eel", "cat") and data.y.tolist() == [0, 2, 0, 0]
    assert from_array(x, torch.tensor([1, 0, 0, 0], dtype=torch.uint8), names=("a", "b")).names == ("a", "b")


@pytest.mark.parametrize("x, y, error", [
    (np.full((3, 2), np.nan), None, ValueError), (np.array([[1.0, np.inf]]), None, ValueError),
    (np.zeros((0, 2)), None, ValueError), (np.zeros((3, 0)), None, ValueError),
    (np.array([[1, "a"]], dtype=object), None, TypeError), ([["a", "b"]], None, TypeError),
    (np.zeros((2, 2), complex), None, TypeError), (None, None, TypeError), (7.0, None, ValueError),
    (noise(3, 2), [0, 1], ValueError), (noise(3, 2), [], ValueError), (noise(3, 2), [0.5, 1, 2], ValueError),
    (noise(3, 2), [[0], [1], [2]], ValueError), (noise(3, 2), [0, 1, -1], ValueError),
    (noise(3, 2), [0, 1, 10**9], ValueError), (noise(3, 2), ["a", "b"], ValueError),
    (noise(3, 2) * 1e12, None, ValueError), (noise(3, 2) * 1e-12, None, ValueError),
])  # fmt: skip
def test_arrays_that_are_no_data(x, y, error):
    said = refused(error, x, y) if error is ValueError else None
    if said is None:
        with pytest.raises(error):
            from_array(x, y)
    else:
        assert said[0] in "xy"


def test_names_have_to_go_with_labels():
    with pytest.raises(ValueError, match="without labels"):
        from_array(noise(3, 2), names=("a",))
    with pytest.raises(ValueError, match="'c', which has no name"):
        from_array(noise(3, 2), ["a", "b", "c"], names=("a", "b"))
    with pytest.raises(ValueError, match="axes must be one of"):
        from_array(noise(3, 2), axes="NWH")


# ---- files of arrays


def idx(array) -> bytes:
    array = np.asarray(array, np.uint8)
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def test_npy_and_npz(tmp_path):
    x, y = noise(6, 4, 4), np.array([0, 1, 2, 0, 1, 2])
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    np.savez(tmp_path / "both.npz", x=x, y=y, more=np.array([{}], dtype=object))
    np.savez_compressed(tmp_path / "words.npz", x=x, y=np.array(["b", "a", "a", "a", "a", "a"]))
    want = from_array(x, y)
    for found in (from_array(tmp_path / "x.npy", str(tmp_path / "y.npy")), from_array(tmp_path / "both.npz")):
        assert torch.equal(found.x, want.x) and torch.equal(found.y, want.y) and found.names == ("0", "1", "2")
    assert from_array(str(tmp_path / "x.npy")).y is None
    assert from_array(tmp_path / "words.npz").names == ("a", "b")
    assert from_array(tmp_path / "both.npz", axes="NCL").x.shape == (6, 4, 4)


@pytest.mark.parametrize("pack, ending", [(bytes, ""), (gzip.compress, ".gz")])
@pytest.mark.parametrize("labels", ["", ".gz", None])
def test_mnists_own_files(pack, ending, labels, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 6, 5), dtype=np.uint8)
    path = tmp_path / f"train-images-idx3-ubyte{ending}"
    path.write_bytes(pack(idx(pixels)))
    if labels is not None:
        content = idx([3, 0, 1, 1, 2, 3, 0])
        (tmp_path / f"train-labels-idx1-ubyte{labels}").write_bytes(gzip.compress(content) if labels else content)
    data = from_array(path)
    assert_close(raw(data)[:, 0], torch.from_numpy(pixels) / 255, atol=1e-6, rtol=0)
    assert (data.names, None if data.y is None else data.y.tolist()) == (
        (None, None) if labels is None else (("0", "1", "2", "3"), [3, 0, 1, 1, 2, 3, 0])
    )


def test_files_that_hold_no_array(tmp_path):
    whole = idx(np.zeros((2, 3, 4)))
    np.save(tmp_path / "ok.npy", noise(2, 3))
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "noise.npz", z=noise(2, 3))
    npy = (tmp_path / "ok.npy").read_bytes()
    contents = {
        "empty": b"", "text": b"hello, world", "cut.npy": npy[:-3], "head.npy": npy[:20], "cut.npz": b"PK\3\4" + npy,
        "cut-idx": whole[:-1], "long-idx": whole + b"x", "head-idx": whole[:9], "no-axes": struct.pack(">2I", 0x0800, 1),
        "many-axes": struct.pack(">256I", 0x08FF, *[1] * 255) + b"x", "cut.gz": gzip.compress(whole)[:-9],
        "huge-idx": struct.pack(">5I", 0x0804, *[2**32 - 1] * 4) + b"x", "floats-idx": b"\0\0\x0d\1" + whole[4:],
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in (*contents, "pickle.npy", "missing.npy"):
        said = refused(DataError, tmp_path / name, array=True)
        assert name in said, said
    assert "name the samples x" in refused(ValueError, tmp_path / "noise.npz")
    with pytest.raises(OSError, match="is a folder"):
        from_array(tmp_path)


def test_nothing_of_a_pickle_is_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    np.save(tmp_path / "x.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=np.array([Evil()], dtype=object))
    for name in ("x.npy", "x.npz"):
        refused(DataError, tmp_path / name, array=True)
    assert not (tmp_path / "evil").exists()


def test_data_are_found_again_and_known_by_what_was_read(tmp_path):
    whole = tmp_path / "all"
    for name in ("a/1.png", "b/2.png"):
        put(whole / name)
    data, source = from_path(whole, 8, fit="pad", unreadable="skip")
    assert source == {"path": str(whole.resolve()), "size": [8, 8], "channels": 3, "fit": "pad", "unreadable": "skip",
                      "sha256": source["sha256"]}  # fmt: skip
    (whole / ".hidden").write_text("x")
    (whole / "notes.txt").write_text("x")
    with pytest.warns(UserWarning, match="notes"):
        again, now = found_again(json.loads(json.dumps(source)))
    assert torch.equal(again.x, data.x) and again.names == data.names and now == source
    moved = whole.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="no data at .*all any more: say where they are"):
        found_again(source)
    (moved / "notes.txt").unlink()
    assert found_again(source, moved)[1] == source | {"path": str(moved.resolve())}
    before = (moved / "b" / "2.png").read_bytes()
    put(moved / "b" / "2.png", RAMP + 1)
    for change in (lambda: None, lambda: (moved / "b").rename(moved / "c"), lambda: put(moved / "c" / "3.png")):
        change()
        with pytest.raises(DataError, match="does not hold the data of before"):
            found_again(source, moved)
        (moved / "b" / "2.png" if (moved / "b").exists() else moved / "c" / "2.png").write_bytes(before)


def test_the_labels_beside_an_array_count_too(tmp_path):
    images, labels = tmp_path / "t10k-images-idx3-ubyte", tmp_path / "t10k-labels-idx1-ubyte"
    images.write_bytes(idx(np.arange(32).reshape(2, 4, 4)))
    data, source = from_path(images)
    assert data.y is None and source == {"path": str(images.resolve()), "sha256": source["sha256"]}
    labels.write_bytes(idx([0, 1]))
    with pytest.raises(DataError, match="of before"):
        found_again(source)
    data, source = from_path(images, axes="NCL")
    assert data.y.tolist() == [0, 1] and data.x.shape == (2, 4, 4)
    assert found_again(source)[1] == source == source | {"axes": "NCL"}
    images.write_bytes(idx(np.arange(32).reshape(2, 4, 4) + 1))
    with pytest.raises(DataError, match="of before"):
        found_again(source)
