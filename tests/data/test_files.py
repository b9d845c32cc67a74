"""Writing files: the whole old one or the whole new one, whoever else writes, and nothing but regular files."""

import multiprocessing
import os
import stat
import time

import pytest

from minidiff.data import files
from minidiff.data.files import printable, writable, write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes as POSIX has them")


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "folder" / "x.bin"
    for content in (b"one", b"", bytes(range(256))):
        write_atomically(path, content)
        assert path.read_bytes() == content and listed(path.parent) == ["x.bin"]


def rewrite(path, letter, stop):
    while not stop.is_set():
        write_atomically(path, letter * 300_000)


@pytest.mark.slow
def test_two_writers_and_two_readers_never_see_a_mixture(tmp_path):
    """Two processes write one file without a pause; with one temporary name for both, two reads in five were torn."""
    path, end, seen = tmp_path / "x", time.monotonic() + 1.5, set()
    write_atomically(path, b"a" * 300_000)
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    stop = context.Event()
    writers = [context.Process(target=rewrite, args=(path, letter, stop)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    try:
        while time.monotonic() < end or (len(seen) < 2 and time.monotonic() < end + 60):
            content = path.read_bytes()
            assert content in (b"a" * 300_000, b"b" * 300_000)
            seen.add(content[:1])
    finally:
        stop.set()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen == {b"a", b"b"} and listed(tmp_path) == ["x"]


@posix
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder", "file"])
@pytest.mark.parametrize("name", [".x.partial", ".x.0000000000000000.partial"])
def test_a_temporary_name_that_is_taken_hurts_nobody(kind, name, tmp_path, monkeypatch):
    """Planted under the name of old, or under one that was guessed: it is not followed, not opened, not removed."""
    victim, planted = tmp_path / "victim", tmp_path / name
    victim.write_bytes(b"precious")
    make = {
        "link": lambda: planted.symlink_to(victim),
        "dangling link": lambda: planted.symlink_to(tmp_path / "no"),
        "pipe": lambda: os.mkfifo(planted),
        "folder": planted.mkdir,
        "file": lambda: planted.write_bytes(b"theirs"),
    }
    make[kind]()
    before = os.lstat(planted)
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: "0" * 2 * count)
    guessed = "0000" in name
    try:
        write_atomically(tmp_path / "x", b"new")
        assert not guessed
    except FileExistsError:
        assert guessed
    assert os.path.samestat(os.lstat(planted), before) and victim.read_bytes() == b"precious"
    assert listed(tmp_path) == sorted([name, "victim"] + ["x"] * (not guessed))


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_an_old_file_keeps_its_mode(mode, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_bytes() == b"new"


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_leaves(mask, tmp_path):
    old = os.umask(mask)
    try:
        write_atomically(tmp_path / "x", b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o666 & ~mask


@posix
def test_what_is_private_is_so_before_anything_is_written(tmp_path, monkeypatch):
    path, seen = tmp_path / "x", []
    path.write_bytes(b"old")
    path.chmod(0o600)
    monkeypatch.setattr(files.os, "fsync", lambda handle: seen.append(stat.S_IMODE(os.fstat(handle).st_mode)))
    chmod = os.chmod
    monkeypatch.setattr(files.os, "chmod", lambda path, mode: (seen.append(os.stat(path).st_size), chmod(path, mode)))
    write_atomically(path, b"secret")
    assert seen[:2] == [0, 0o600]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_no_other(moment, error, tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(files.os, moment, fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and listed(tmp_path) == ["x"]


def test_leftovers_of_killed_writers_go_after_an_hour(tmp_path):
    """Those of this file only, and of regular files only: a younger one may belong to a writer at work."""
    old, young = ".x.00000000000000aa.partial", ".x.00000000000000bb.partial"
    others = [".y.00000000000000aa.partial", ".x.partial", ".x.aa.partial", "x.00000000000000aa.partial"]
    for name in (old, young, *others):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - (60 if name == young else 4000),) * 2)
    write_atomically(tmp_path / "x", b"whole")
    assert listed(tmp_path) == sorted(["x", young, *others])


@posix
def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    for name, target in (("there", "real/x"), ("dangling", "real/y"), ("twice", "there")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "real" / "x").write_bytes(b"old")
    for name in ("there", "dangling", "twice"):
        write_atomically(tmp_path / name, name.encode())
        assert (tmp_path / name).is_symlink() and (tmp_path / name).read_bytes() == name.encode()
    assert listed(tmp_path / "real") == ["x", "y"] and listed(tmp_path) == ["dangling", "real", "there", "twice"]


def odd(folder):
    """Everything that may stand where a file should, by what it is."""
    made = {name: folder / name for name in ("folder", "pipe", "loop", "link to a device", "link to a folder")}
    made["folder"].mkdir()
    os.mkfifo(made["pipe"])
    made["loop"].symlink_to(made["loop"])
    made["link to a device"].symlink_to("/dev/null")
    made["link to a folder"].symlink_to(made["folder"])
    (folder / "file").write_bytes(b"")
    return made | {"device": folder.__class__("/dev/null"), "below a file": folder / "file" / "in it"}


@posix
@pytest.mark.parametrize(
    "what", ["folder", "pipe", "loop", "link to a device", "link to a folder", "device", "below a file"]
)
def test_what_is_no_regular_file_is_refused_in_a_sentence(what, tmp_path, monkeypatch):
    path = odd(tmp_path)[what]
    before = listed(tmp_path)
    monkeypatch.setattr(files.os, "replace", None)  # were it not refused, root would lose /dev/null
    for call in (lambda: write_atomically(path, b"new"), lambda: writable(path)):
        with pytest.raises(OSError) as error:
            call()
        assert len(str(error.value).split()) >= 5
    assert listed(tmp_path) == before


@pytest.mark.parametrize("name", ["é" * 100, "x" * 250, "with\nnewline", "\x1b[31mred", "*?[a]", " ", "-x", "a'b\"c"])
def test_odd_names_are_names(name, tmp_path):
    for content in (b"one", b"two"):
        write_atomically(tmp_path / name, content)
        assert (tmp_path / name).read_bytes() == content and listed(tmp_path) == [name]


@posix
def test_a_name_that_is_not_unicode_is_a_name_too(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xff\xfe")
    write_atomically(os.fsdecode(path), b"one")
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff\xfe"]


def test_looking_whether_a_file_can_be_written_makes_nothing(tmp_path):
    writable(tmp_path / "new" / "folder" / "x")
    assert listed(tmp_path) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="cannot be written to"):
        writable(tmp_path / "new" / "x")
    tmp_path.chmod(0o700)


def test_control_characters_are_shown_not_obeyed():
    assert printable("plain, ünïcode 日本") == "plain, ünïcode 日本"
    assert printable("\x1b[2J\r\n\x07\u202e\udcff\x9b") == "\\x1b[2J\\r\\n\\x07\\u202e\\udcff\\x9b"
