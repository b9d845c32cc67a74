"""`minidiff sample` and `card`: whatever is written holds the same samples, and nobody else's file is written over."""

import hashlib
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from minidiff.__main__ import main
from minidiff.engine import checkpoints
from minidiff.engine.generate import streams, times_for
from minidiff.guidance import given
from minidiff.networks import MLP, ConvNet1d, DiT, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.samplers import ddpm_step, sample
from minidiff.schedules import cosine, edm, evaluate, start, t_max
from minidiff.show import commands
from minidiff.show.commands import PATIENT, PROMPTED
from minidiff.show.samples import BEGINNINGS, FILMS, HEAD, HELD, STILLS, _plane, _room, drawn, encoded, ours

NAMES = ["hat", "Größe 3/4: ../x", "left shoe"]
SHIFT, SCALE = 0.4, 0.3
KINDS = {  # networks, and the shapes of what they draw
    "grey": (lambda: UNet(1, (8, 12), 3, 8, 8, 1, 1, 4), (1, 8, 12)),
    "colours": (lambda: UNet(3, (12, 8), 3, 8, 8, 1, 1, 4), (3, 12, 8)),
    "points": (lambda: MLP(2, width=8, depth=1, classes=3), (2,)),
    "numbers": (lambda: MLP(1, width=8, depth=1, classes=3), (1,)),
    "signals": (lambda: ConvNet1d(2, 16, 3, 8, 2), (2, 16)),
    "told": (lambda: DiT(3, 8, 4, None, 8, 1, 1, ["a", "red", "star", "ring", ",", "two", "stars"], 6), (3, 8, 8)),
}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setenv("MINIDIFF_DEVICE", "cpu")


@pytest.fixture
def model(tmp_path):
    """A maker of checkpoints of a network with random weights."""

    def make(kind, schedule=cosine, names=NAMES, **more):
        torch.manual_seed(0)
        build, shape = KINDS[kind]
        denoiser = LearnedDenoiser(build(), schedule)
        for parameter in denoiser.parameters():  # a fresh network answers 0 to everything
            torch.nn.init.normal_(parameter, std=0.2)
        described = {"name": kind, "shape": list(shape), "shift": SHIFT, "scale": SCALE, "names": names}
        checkpoints.save(path := tmp_path / "model.safetensors", denoiser, {"data": described, **more})
        return path

    return make


def run(path, out, *more, number=3, steps=3):
    given = ("--checkpoint", path, "--out", out, "--number", number, "--steps", steps, *more)
    try:
        return main(["sample", *map(str, given)])
    except SystemExit as end:
        return end.code


def shown(path):
    """Every frame of a file as (H, W, 3), and how long each is shown."""
    with Image.open(path) as picture:
        frames, times = [], []
        for k in range(getattr(picture, "n_frames", 1)):
            picture.seek(k)
            frames.append(np.asarray(picture.convert("RGB")).astype(int))
            times.append(picture.info.get("duration", 0))
    return frames, times


def in_colours(pixels):
    return np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels


def noisy(count=4, shape=(16, 20), seed=0):
    return list(np.random.default_rng(seed).integers(0, 255, (count, *shape), dtype=np.uint8))


# ---- pictures


@pytest.mark.parametrize("count, columns", [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4), (64, 8)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_tiles_in_a_square(count, columns, channels):
    images = torch.rand(count, channels, 4, 6, generator=torch.Generator().manual_seed(0)) * 2 - 0.5
    picture = in_colours(drawn(images, scale=1))
    rows = -(-count // columns)
    assert picture.shape == (rows * 6 - 2, columns * 8 - 2, 3)
    for k, image in enumerate(images.clamp(0, 1).expand(-1, 3, -1, -1)):
        top, left = k // columns * 6, k % columns * 8
        want = (255 * image).round().permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(picture[top : top + 4, left : left + 6], want)
    assert drawn(images).shape[1] == columns * 6 * (448 // (columns * 6)) + 2 * (columns - 1)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(6, 2), (6, 5), (6, 1), (6, 2, 16)])
@pytest.mark.parametrize("size", [1.0, 50.0])
def test_axes_are_those_of_all_so_that_pictures_can_be_compared(shape, size):
    """What is drawn alone, on the axes of all, is where it is among all."""
    samples = size * torch.randn(shape, generator=torch.Generator().manual_seed(1)).clamp(-2, 2)
    if shape[1] == 1:
        samples[0] = 0.3  # numbers stand beside their place
    whole, one = drawn(samples).astype(int), drawn(samples[:1], samples).astype(int)
    coloured = lambda picture: picture.max(2) - picture.min(2) > 60
    assert whole.shape == one.shape == (400, 400, 3) and coloured(one).any()
    assert coloured(whole)[coloured(one)].all() and coloured(whole).sum() > 1.5 * coloured(one).sum()
    assert not np.array_equal(drawn(samples[:1] / 3, samples), one)


def test_samples_of_no_such_kind_are_refused():
    for wrong in (torch.zeros(3), torch.zeros(0, 2), torch.zeros(1, 1, 1, 1, 1), torch.full((2, 1, 4, 4), math.nan)):
        with pytest.raises(ValueError):
            drawn(wrong)
    with pytest.raises(ValueError, match="around is not"):
        drawn(torch.zeros(3, 2), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="1 or 3"):
        drawn(torch.zeros(3, 2, 4, 4))


# ---- files


@pytest.mark.parametrize("shape", [(16, 20), (16, 20, 3)])
@pytest.mark.parametrize("ending", [".png", ".apng", ".gif"])
def test_a_film_holds_its_frames_and_ends_on_the_last(ending, shape, tmp_path):
    frames = noisy(5, shape)
    (tmp_path / "x").write_bytes(encoded(frames, ending))
    got, times = shown(tmp_path / "x")
    if ending == ".gif" and len(shape) == 3:  # the best 256 colours of each
        frames = [Image.fromarray(frame).quantize(256, dither=Image.Dither.NONE).convert("RGB") for frame in frames]
    want = [in_colours(np.asarray(frame)) for frame in (frames if ending in FILMS else frames[-1:])]
    np.testing.assert_array_equal(got, want)
    assert times == ([300] * 4 + [HELD] if ending in FILMS else [0])


@pytest.mark.parametrize("ending", [".apng", ".gif"])
@pytest.mark.parametrize("count, each", [(2, 300), (10, 300), (60, 50), (200, 20)])
def test_a_film_takes_some_three_seconds_holds_its_end_and_repeats(ending, count, each, tmp_path):
    (tmp_path / "x").write_bytes(encoded(noisy(count, (2, 2)), ending))
    frames, times = shown(tmp_path / "x")
    assert len(frames) == count and times == [each] * (count - 1) + [HELD] and HELD >= 1000
    with Image.open(tmp_path / "x") as film:
        assert film.info["loop"] == 0


@pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
@pytest.mark.parametrize("shape", [(16, 20), (16, 20, 3)])
def test_a_jpeg_is_nearly_the_picture(ending, shape, tmp_path):
    ramp = np.broadcast_to(np.linspace(0, 250, 20, dtype=np.uint8).reshape(20, *[1] * (len(shape) - 2)), shape)
    (tmp_path / "x").write_bytes(encoded([noisy(1, shape)[0], np.ascontiguousarray(ramp)], ending))
    with Image.open(tmp_path / "x") as picture:
        assert picture.format == "JPEG" and picture.mode == ("L" if len(shape) == 2 else "RGB")
    (got,), _ = shown(tmp_path / "x")
    assert np.abs(got - in_colours(ramp)).max() <= 4


def test_only_files_of_ours_are_known_as_ours():
    for ending in STILLS | FILMS:
        content = encoded(noisy(2, (16, 20, 3)), ending)
        assert ours(content[:HEAD], ending)
        for other in BEGINNINGS:
            assert ours(content[:HEAD], other) == (BEGINNINGS[ending] == BEGINNINGS[other]), (ending, other)
        buffer = io.BytesIO()
        Image.fromarray(noisy(1)[0]).save(buffer, format=(STILLS | FILMS)[ending])
        assert buffer.getvalue().startswith(BEGINNINGS[ending]) and not ours(buffer.getvalue()[:HEAD], ending)
    assert not ours(b"", ".png") and not ours(b"minidiff", ".png")


@pytest.mark.parametrize("frames, ending, said", [
    ([], ".gif", "of one size"),
    (noisy(1)[0], ".gif", "a list of pictures"),
    (noisy(1) + noisy(1, (8, 8)), ".gif", "of one size"),
    ([noisy(1)[0] / 255], ".png", "uint8"),
    (noisy(1), ".bmp", "ending"),
    (noisy(1), "png", "ending"),
])  # fmt: skip
def test_what_cannot_be_a_file_is_refused(frames, ending, said):
    with pytest.raises((ValueError, TypeError), match=said):
        encoded(frames, ending)


# ---- the command


def walk(path, number, steps, schedule=cosine, seed=0):
    """The walk by hand, x_t at the data's own variance, in its units: (F, N, *)."""
    denoiser, card = checkpoints.load(path)
    own, times = streams(seed, range(number)), times_for("ddpm", schedule, steps)
    x = start(schedule, t_max(schedule), (number, *card["data"]["shape"]), own)
    y = torch.arange(number) % 3
    path = [x, *sample(ddpm_step, given(denoiser, y=y), x, times, generator=own)]
    levels = [evaluate(schedule, float(t)) for t in times]
    return torch.stack([SCALE * x / math.hypot(*level) + SHIFT for x, level in zip(path, levels, strict=True)])


@pytest.mark.parametrize("kind", ["grey", "colours", pytest.param("numbers", marks=pytest.mark.slow)])
def test_every_file_holds_the_same_samples(kind, model, tmp_path, capsys):
    """Those of the walk by hand, with a sampler that draws noise on its way, each sample from a stream of its own."""
    path, more = model(kind), ("--sampler", "ddpm", "--guidance", 1, "--seed", 5)
    want = walk(path, 3, 3, seed=5)
    for name in ("a.png", "a.apng", "a.gif", "a.npz"):
        assert run(path, tmp_path / name, *more) == 0
        said = f"wrote {tmp_path / name}: 3 samples of {kind}, ddpm in 3 steps, no guidance, seed 5\n"
        assert capsys.readouterr().out == said
    held = np.load(tmp_path / "a.npz", allow_pickle=False)
    np.testing.assert_allclose(held["x"], want[-1].numpy(), rtol=0, atol=1e-5)
    still, film = shown(tmp_path / "a.png")[0], shown(tmp_path / "a.apng")[0]
    assert len(still) == 1 and len(film) == 4
    for frame, x in zip(film, want, strict=True):
        assert np.abs(frame - in_colours(drawn(x, want[-1]))).max() <= 1  # rounding
    np.testing.assert_array_equal(film[-1], still[0])  # the very image
    last = Image.open(tmp_path / "a.png")
    if kind == "colours":
        last = last.quantize(256, dither=Image.Dither.NONE)
    np.testing.assert_array_equal(shown(tmp_path / "a.gif")[0][-1], np.asarray(last.convert("RGB")))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["points", "signals"])
def test_what_is_drawn_on_axes_makes_a_film_too(kind, model, tmp_path):
    path = model(kind)
    more = ("--sampler", "ddpm")
    assert run(path, tmp_path / "a.apng", *more) == run(path, tmp_path / "a.png", *more) == 0
    film, times = shown(tmp_path / "a.apng")
    assert len(film) == 4 and times == [300] * 3 + [HELD] and np.abs(film[0] - film[-1]).max() > 50
    np.testing.assert_array_equal(film[-1], shown(tmp_path / "a.png")[0][0])
    moments = walk(path, 3, 3)
    off = np.abs(film[0] - drawn(moments[0], moments[-1]))  # on the axes of the end
    assert off.mean() < 0.1 * np.abs(film[0] - film[-1]).mean()


def test_a_walk_is_shown_at_the_datas_own_variance(model, tmp_path, monkeypatch):
    """On EDM's path noise has a standard deviation of 80, which would be one black and white flicker."""
    path, seen = model("points", edm), []
    monkeypatch.setattr(commands, "drawn", lambda x, *_: (seen.append(x.clone()), noisy(1)[0])[1])
    assert run(path, tmp_path / "a.gif", "--sampler", "ddpm", number=400, steps=4) == 0
    assert len(seen) == 5 and abs(float(seen[0].std()) / SCALE - 1) < 0.1
    torch.testing.assert_close(torch.stack(seen), walk(path, 400, 4, edm), rtol=1e-3, atol=1e-4)


def test_a_film_has_at_most_sixty_frames(model, tmp_path, monkeypatch):
    frames = []
    monkeypatch.setattr(commands, "encoded", lambda pictures, ending: (frames.append(len(pictures)), b"x")[1])
    monkeypatch.setattr(commands, "drawn", lambda *_: None)
    path = model("points")
    for steps, want in ((1, 2), (59, 60), (60, 60), (500, 60)):
        assert run(path, tmp_path / f"{steps}.gif", number=1, steps=steps) == 0 and frames.pop() == want


@pytest.mark.parametrize("kind, names, steps, guidance", [
    ("grey", NAMES, 8, 1.25), ("grey", [], 8, 1.0), ("numbers", NAMES, 16, 1.0), ("numbers", [], 16, 1.0),
])  # fmt: skip
def test_how_samples_are_drawn_where_nothing_is_asked(kind, names, steps, guidance, model, tmp_path):
    """Guidance changes a distribution: points of a class keep theirs."""
    path = model(kind) if names else model(kind, names=[])
    assert main(["sample", "--checkpoint", str(path), "--out", str(tmp_path / "a.npz"), "--number", "2"]) == 0
    card = json.loads(str(np.load(tmp_path / "a.npz")["card"]))
    assert (card["sampler"], card["steps"], card["guidance"]) == ("2m", steps, guidance)


def told(model, tmp_path, *more):
    """The samples for a prompt, and what is said of them."""
    path, out = model("told", names=[]), tmp_path / "a.npz"
    assert run(path, out, "--seed", 3, "--force", *more) == 0
    file = np.load(out)
    return file["x"], json.loads(str(file["card"]))


def test_a_prompt_reaches_the_network_and_what_it_should_not_be_leads_away(model, tmp_path):
    red, card = told(model, tmp_path, "--prompt", "A red STAR", "--guidance", 1)
    assert card["prompt"] == "A red STAR" and card["guidance"] == 1
    ring, _ = told(model, tmp_path, "--prompt", "a ring", "--guidance", 1)
    none, _ = told(model, tmp_path)
    empty, _ = told(model, tmp_path, "--prompt", "", "--guidance", 1)
    assert np.abs(red - ring).max() > 1e-3 and np.abs(red - none).max() > 1e-3
    np.testing.assert_allclose(empty, none, rtol=0, atol=1e-5)  # no words are no prompt
    strong, _ = told(model, tmp_path, "--prompt", "a red star", "--guidance", 3)
    away, _ = told(model, tmp_path, "--prompt", "a red star", "--guidance", 3, "--negative", "two stars")
    same, _ = told(model, tmp_path, "--prompt", "a red star", "--guidance", 3, "--negative", "a red star")
    assert np.abs(strong - away).max() > 1e-3
    np.testing.assert_allclose(same, red, rtol=0, atol=1e-4)  # from itself to itself, however far, is no way


def test_a_prompt_is_guided_where_nothing_is_asked(model, tmp_path):
    assert told(model, tmp_path, "--prompt", "a ring")[1]["guidance"] == PROMPTED > 1
    path, out = str(model("told", names=[])), tmp_path / "b.npz"
    for more, steps in (((), 8), (("--prompt", "a ring"), PATIENT), (("--prompt", "a ring", "--sampler", "ddim"), 50)):
        assert main(["sample", "--checkpoint", path, "--out", str(out), "--number", "1", *more, "--force"]) == 0
        assert json.loads(str(np.load(out)["card"]))["steps"] == steps


@pytest.mark.parametrize("kind, more, said", [
    ("told", ("--prompt", "a red staar"), "'staar' is not known; near it are: star, stars"),
    ("told", ("--prompt", "a red star , two stars a red"), "8 words is too long: 6"),
    ("told", ("--prompt", "a red star", "--negative", "blau"), "'blau' is not known"),
    ("told", ("--negative", "a red star"), "give that too"),
    ("grey", ("--prompt", "a red star"), "was told no captions"),
])  # fmt: skip
def test_prompts_that_cannot_be_followed_get_one_sentence(kind, more, said, model, tmp_path, capsys):
    path = model(kind, names=NAMES if kind == "grey" else [])
    assert run(path, tmp_path / "a.png", *more) != 0
    assert said in capsys.readouterr().err and not (tmp_path / "a.png").exists()


def test_an_npz_says_what_it_holds_without_pickle(model, tmp_path):
    path = model("colours")
    assert run(path, tmp_path / "a.npz", "--seed", 7, number=5) == 0
    held = np.load(tmp_path / "a.npz", allow_pickle=False)
    assert set(held) == {"minidiff", "x", "y", "names", "seed", "card"}
    assert held["x"].shape == (5, 3, 12, 8) and held["x"].dtype == np.float32
    assert held["y"].tolist() == [0, 1, 2, 0, 1] and held["names"].tolist() == NAMES and held["seed"] == 7
    card = json.loads(str(held["card"]))
    assert card["checkpoint"] == "model.safetensors" and card["data"]["shift"] == SHIFT and card["sampler"] == "2m"
    assert card["schedule"] == "cosine" and card["network"]["name"] == "UNet" and card["steps"] == 3
    first = (tmp_path / "a.npz").read_bytes()
    assert run(path, tmp_path / "a.npz", "--seed", 7, number=5) == 0 and (tmp_path / "a.npz").read_bytes() == first
    assert run(model("numbers", names=[]), tmp_path / "b.npz") == 0
    assert set(np.load(tmp_path / "b.npz", allow_pickle=False)) == {"minidiff", "x", "seed", "card"}


@pytest.mark.parametrize("kind, ending", [("grey", "png"), ("colours", "png"), ("colours", "gif"), ("grey", "jpg")])
def test_a_file_a_sample(kind, ending, model, tmp_path, capsys):
    path, out = model(kind), tmp_path / "mine"
    assert run(path, out, "--each", *[ending] * (ending != "png"), number=11) == 0
    names = [f"{k:02}-{('hat', 'Größe-3-4-x', 'left-shoe')[k % 3]}.{ending}" for k in range(11)]
    assert sorted(file.name for file in out.iterdir()) == names
    assert f"wrote 11 files, {out / names[0]} to {names[-1]}: 11 samples" in capsys.readouterr().out
    assert run(path, tmp_path / "a.npz", number=11) == 0
    pixels = np.round(255 * np.load(tmp_path / "a.npz")["x"].clip(0, 1)).transpose(0, 2, 3, 1)
    for name, want in zip(names, pixels, strict=True):
        frames, _ = shown(out / name)
        assert len(frames) == (4 if ending == "gif" else 1) and frames[-1].shape == (*want.shape[:2], 3)
        off = np.abs(frames[-1] - want)
        assert off.max() == 0 if ending == "png" or ending == "gif" else off.mean() < 8


def test_models_without_classes_and_odd_classes_have_names_of_files(model, tmp_path):
    path = model("points", names=["...", "/", "a" * 100])
    a = commands.argparse.Namespace(each="png", out=tmp_path, number=3)
    names = [file.name for file in commands._files(a, ".png", torch.arange(3), ["...", "/", "a" * 100])]
    assert names == ["0.png", "1.png", f"2-{'a' * 40}.png"]
    assert [file.name for file in commands._files(a, ".png", None, [])] == ["0.png", "1.png", "2.png"]
    assert run(path, tmp_path / "x.npz") == 0


def foreign(path, ending):
    """A file as another program makes it, whose name ends so."""
    path.parent.mkdir(exist_ok=True)
    if ending == ".npz":
        np.savez(path, thesis=np.arange(9))
    else:
        Image.fromarray(noisy(1)[0]).save(path, format=(STILLS | FILMS)[ending])


@pytest.mark.parametrize("ending", sorted(BEGINNINGS))
def test_a_file_of_that_kind_is_written_over_only_if_it_is_ours(ending, model, tmp_path, capsys):
    path, out = model("grey"), tmp_path / f"a{ending}"
    foreign(out, ending)
    before = out.read_bytes()
    assert run(path, out) == 1 and out.read_bytes() == before
    err = capsys.readouterr().err
    assert f"no {ending[1:].upper()} that minidiff wrote" in err and "--force" in err and err.count("\n") == 1
    assert run(path, out, "--force") == 0 and out.read_bytes() != before
    assert run(path, out, number=2) == 0


def test_one_file_of_another_in_the_folder_stops_all(model, tmp_path, capsys, monkeypatch):
    path, out = model("grey"), tmp_path / "mine"
    foreign(out / "2-left-shoe.png", ".png")
    (out / "diary.txt").write_text("mine")
    monkeypatch.setattr(commands, "generate", lambda *_, **__: pytest.fail("it was drawn for nothing"))
    assert run(path, out, "--each") == 1 and "2-left-shoe.png exists" in capsys.readouterr().err
    assert len(list(out.iterdir())) == 2
    monkeypatch.undo()
    assert run(path, out, "--each", "--force") == 0 and len(list(out.iterdir())) == 4
    assert run(path, out, "--each") == 0 and (out / "diary.txt").read_text() == "mine"
    assert run(path, out / "diary.txt", "--each") == 1 and "diary.txt" in capsys.readouterr().err


def test_a_full_disk_gets_one_sentence_and_keeps_what_was_there(model, tmp_path, capsys, monkeypatch):
    path, out = model("grey"), tmp_path / "a.png"
    assert run(path, out) == 0
    before = out.read_bytes()

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(commands, "write_atomically", full)
    capsys.readouterr()
    assert run(path, out) == 1 and out.read_bytes() == before
    out, err = capsys.readouterr()
    assert not out and "a.png could not be written (No space left on device): make room" in err and err.count("\n") == 1


def test_a_film_that_would_fill_the_memory_is_refused_before_it_is_drawn(model, tmp_path, capsys, monkeypatch):
    path = model("grey")
    monkeypatch.setattr(commands, "MOST", 4 * 3 * 96)
    assert run(path, tmp_path / "a.gif") == 0
    assert run(path, tmp_path / "a.gif", number=4) == 2 and "draw fewer" in capsys.readouterr().err
    assert run(path, tmp_path / "a.png", number=4) == 0


def test_samples_that_are_no_numbers_get_one_sentence(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(commands, "generate", lambda *_, **__: torch.full((3, 2), math.inf))
    assert run(model("points"), tmp_path / "a.png") == 2
    assert "not finite numbers" in (err := capsys.readouterr().err) and err.count("\n") == 1
    assert not (tmp_path / "a.png").exists()


def test_batch_and_device_are_handed_on(model, tmp_path, capsys, monkeypatch):
    path, asked, real = model("grey"), [], commands.generate
    monkeypatch.setattr(commands, "generate", lambda *a, **k: (asked.append(k["batch"]), real(*a, **k))[1])
    for batch in ([], ["--batch", 2]):
        assert run(path, tmp_path / f"{len(batch)}.npz", *batch, "--device", "cpu") == 0
    assert asked == [None, 2]
    one, other = (np.load(tmp_path / f"{k}.npz")["x"] for k in (0, 2))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert run(path, tmp_path / "x.npz", "--device", "cuda") == 2 and "CUDA" in capsys.readouterr().err


# ---- card


def card(capsys, *arguments):
    status = main(["card", *map(str, arguments)])
    return status, *capsys.readouterr()


def test_a_card_is_told_in_lines(model, capsys):
    losses = [[k, 1 / k] for k in range(1, 201)]
    path = model("grey", settings={"lr": 0.003, "augment": ["flip"]},
                 record={"steps": 200, "losses": losses, "metrics": {"recall": 0.51234567}})  # fmt: skip
    status, out, err = card(capsys, path)
    assert (status, err) == (0, "")
    first, *lines = out.splitlines()
    numbers = sum(p.numel() for p in checkpoints.load(path)[0].parameters())
    assert first.startswith(f"{path}: {path.stat().st_size:,} bytes") and f"{numbers:,} numbers (float32)" in first
    told = {line[:26].rstrip(): line[26:].strip() for line in lines}
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["  names"] == ", ".join(NAMES) and told["  shape"] == "1, 8, 12" and told["schedule"] == "cosine"
    assert told["  lr"] == "0.003" and told["    recall"] == "0.512346" and told["  augment"] == "flip"
    points = told["  losses"].removesuffix(" (200 in all)").split(", ")
    assert len(points) == 8 and points[0] == "1 1" and points[-1] == "200 0.005"
    order = [line for line in lines[1:] if not line.startswith(" ")]
    assert [line.split()[0] for line in order[:6]] == ["data", "network", "schedule", "target", "settings", "record"]


def test_a_card_is_told_whole_as_json(model, capsys):
    path = model("grey", record={"losses": [[k, 1.0] for k in range(300)]})
    status, out, _ = card(capsys, path, "--json")
    assert status == 0 and json.loads(out) == checkpoints.read(path)[1] and out.isascii()
    assert '\n  "data": {\n    "' in out


def test_a_card_that_is_no_json_is_not_shown_as_such(model, capsys, monkeypatch):
    path = model("grey")
    monkeypatch.setattr(checkpoints, "read", lambda path: ({}, {"record": {"loss": math.nan}}))
    status, out, err = card(capsys, path, "--json")
    assert (status, out, err.count("\n")) == (1, "", 1) and "cannot be shown" in err


def test_what_is_no_picture_lies_in_a_plane_with_room_around_it():
    numbers, pairs = torch.tensor([[3.0], [1.0]]), torch.arange(6.0).reshape(2, 3)
    assert _plane(numbers).tolist() == [[0, 3], [1, 1]] and _plane(pairs).tolist() == [[0, 1], [3, 4]]
    assert _plane(pairs[:, :2]).tolist() == [[0, 1], [3, 4]]
    assert _room(numbers) == pytest.approx((0.9, 3.1)) and _room(numbers[:1]) == (2.5, 3.5)


def test_a_card_cannot_steer_the_terminal(model, capsys):
    path = model(
        "numbers", names=["\x1b[2J", "\u202eb", "c\rd"], **{"note\x1b[1m": "\x07", "more": [{"a": "\x9b"}, "\x1b"]}
    )
    for more in ([], ["--json"]):
        status, out, _ = card(capsys, path, *more)
        assert status == 0 and out.replace("\n", "").isprintable() and "[2J" in out


@pytest.mark.parametrize("odd", [[1], "text", 5, None, {"a": json.loads("[" * 400 + "]" * 400)}, {}], ids=str)
def test_a_card_of_another_make_is_shown_or_gets_one_sentence(odd, tmp_path, capsys):
    checkpoints.write(tmp_path / "x.safetensors", {}, odd)
    for more in ([], ["--json"]):
        status, out, err = card(capsys, tmp_path / "x.safetensors", *more)
        assert (status, err.count("\n")) in ((0, 0), (1, 1)) and bool(out) is not bool(err) and "Traceback" not in err


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_files_that_are_damaged_missing_or_no_checkpoint_get_one_sentence(more, model, tmp_path, capsys):
    path = model("numbers")
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:-3])
    (tmp_path / "notes.txt").write_text("no checkpoint")
    for name in ("cut.safetensors", "notes.txt", "none", "."):
        status, out, err = card(capsys, tmp_path / name, *more)
        assert status == 1 and not out and err.count("\n") == 1 and str(tmp_path) in err


def test_the_models_that_ship_have_cards(capsys):
    for name in ("fashion-small", "sprites"):
        path = Path(__file__).parents[2] / "data" / f"{name}.safetensors"
        assert card(capsys, path)[0] == 0
