"""The command line in odd surroundings: closed and full streams, narrow terminals, missing libraries, no memory."""

import ast
import errno
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
import torch

import minidiff
from minidiff import __main__ as cli
from minidiff.data import DataError

ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell's redirections")


def shell(line, **environment):
    """(status, stdout, stderr) of a line of bash in which MINIDIFF stands for the command.

    After `| nobody` standard output is a pipe whose reader has gone.
    """
    asked, line = line, line.replace("MINIDIFF", f'"{sys.executable}" -m minidiff').replace("| nobody", "")
    told = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    told = {name: value for name, value in told.items() if value is not None}
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": writer if "| nobody" in asked else subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run(["bash", "-c", line], env=told, text=True, timeout=120, **streams)
    os.close(writer)
    return done.returncode, done.stdout or "", done.stderr


@POSIX
@pytest.mark.parametrize("unbuffered", [None, "1"])
@pytest.mark.parametrize("line, status, said", [
    ("MINIDIFF --version >&-", 0, ""),
    ("MINIDIFF --version <&- >&- 2>&-", 0, ""),
    ("MINIDIFF dance 2>&-", 2, ""),
    ("MINIDIFF dance >&-", 2, "dance"),
    ("MINIDIFF dance 2>/dev/full", 2, ""),
    ("MINIDIFF --version >/dev/full", 1, "No space left"),
    ("MINIDIFF --version >/dev/full 2>/dev/full", 1, ""),
    ("MINIDIFF --version | nobody", 141, ""),
    ("MINIDIFF doctor --help | nobody", 141, ""),
])  # fmt: skip
def test_streams_that_are_closed_full_or_broken(line, status, said, unbuffered):
    if said == "No space left" and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    found, out, err = shell(line, PYTHONUNBUFFERED=unbuffered)
    assert found == status and said in err and err.count("\n") == bool(said) and not out


@POSIX
def test_no_file_gets_the_number_of_a_closed_stream():
    """Else what a library writes to standard error would end up in a checkpoint."""
    code = (
        "import os, sys; from minidiff import __main__ as cli\n"
        "cli._run = lambda arguments: print(open(os.devnull).fileno(), file=sys.stdout) or 0\n"
        "sys.exit(cli.main([]))"
    )
    status, out, err = shell(f"{sys.executable} -c '{code}' 2>&-")
    assert (status, err) == (0, "") and int(out) > 2
    status, out, err = shell(f"{sys.executable} -c '{code}' 2>&- <&-")
    assert (status, err) == (0, "") and int(out) > 2


@POSIX
@pytest.mark.parametrize(
    "settings", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_terminal_that_shows_ascii_alone(settings):
    status, _, err = shell("MINIDIFF dänce", **settings)
    assert status == 2 and "there is no command" in err and err.count("\n") == 1
    code = "from minidiff import __main__ as cli; cli._run = lambda _: print(chr(233)) or 0; print(cli.main([]))"
    assert shell(f"{sys.executable} -c '{code}'", PYTHONIOENCODING="ascii") == (0, "\\xe9\n0\n", "")


def test_what_is_said_cannot_steer_the_terminal(capsys):
    assert cli.main(["\x1b[2J\u202edance"]) == 2
    assert cli.main(["lab", "--\x1b[2J"]) == 2
    err = capsys.readouterr().err
    assert err.isascii() and err.replace("\n", "").isprintable() and "\\x1b[2J" in err


ADVICE = "ask for less at a time, or close something"
TORCH = (  # what torch 2.4 to 2.13 says where a CPU's memory ends
    "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes.",
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "400000000000000 bytes. Error code 12 (Cannot allocate memory)",
)


@pytest.mark.parametrize("error, status, said", [
    (ValueError("give me\na number"), 2, "give me a number"),
    (DataError("a file is gone"), 1, "a file is gone"),
    (FileNotFoundError(errno.ENOENT, "No such file", "here.txt"), 1, "here.txt: No such file"),
    (OSError("it cannot be written: make room"), 1, "it cannot be written: make room"),
    (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
    (MemoryError(), 1, ADVICE),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), 1, ADVICE),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), 1, ADVICE),
    *[(RuntimeError(text), 1, ADVICE) for text in (*TORCH, "std::bad_alloc")],
    (ModuleNotFoundError("No module named 'torch'", name="torch"), 1, "'torch'): run minidiff doctor"),
    (KeyboardInterrupt(), 130, "stopped"),
])  # fmt: skip
def test_what_can_be_foreseen_gets_one_sentence(error, status, said, monkeypatch, capsys):
    def fail(arguments):
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    assert cli.main(["sample"]) == status
    out, err = capsys.readouterr()
    assert err.startswith("minidiff sample: ") and said in err and err.count("\n") == 1 and not out


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), KeyError("y"), ZeroDivisionError(), AssertionError()])
def test_a_fault_of_ours_is_not_explained_away(error, monkeypatch):
    monkeypatch.setattr(cli, "_run", lambda arguments: (_ for _ in ()).throw(error))
    with pytest.raises(type(error)):
        cli.main(["sample"])


@pytest.mark.slow
@POSIX
def test_torch_without_memory_gets_one_sentence():
    """With torch's own text: a tensor that no address space holds."""
    code = (
        "import torch, sys; from minidiff import __main__ as cli\n"
        "cli._run = lambda arguments: torch.empty(2**50)\n"
        'sys.exit(cli.main(["judge"]))'
    )
    status, _, err = shell(f"{sys.executable} -c '{code}'")
    assert status == 1 and err == f"minidiff judge: out of memory: {ADVICE}\n"


def test_bare_gets_the_list_of_commands(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert not out and all(f"    {name}" in err for name in cli.ROOMS)


@pytest.mark.parametrize("typed, meant", [("trian", "train"), ("docter", "doctor"), ("notebook", "notebooks")])
def test_a_command_that_is_none_gets_the_nearest(typed, meant, capsys):
    assert cli.main([typed]) == 2
    assert f"did you mean {meant}?" in (err := capsys.readouterr().err) and err.count("\n") == 1


def test_every_status_is_documented():
    numbers = {"0", "1", "2", "130", "141", "143"}
    assert all(f" {number}," in cli.__doc__.replace("\n", " ") for number in numbers)
    assert all(f"{name}" in cli.__doc__.splitlines()[0] for name in cli.ROOMS)


@pytest.mark.parametrize("arguments", [["lab"], ["notebooks", "run"]])
def test_jupyter_without_a_home_gets_one_sentence(arguments, monkeypatch, capsys):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert cli.main(arguments) == 1
    out, err = capsys.readouterr()
    assert "has no home folder: set HOME" in err and err.count("\n") == 1 and not out


def without(names, *arguments, optimised=False):
    """(status, stdout, stderr) of a command where these libraries cannot be imported."""
    code = f"import sys\nfor name in {names!r}: sys.modules[name] = None\n"
    code += "from minidiff.__main__ import main\nsys.exit(main())"
    command = [sys.executable, *["-OO"] * optimised, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_library_that_is_missing_gets_one_sentence():
    assert without(["torch"], "--version")[0] == 0
    for arguments in (["train"], ["--help"], ["notebooks", "check"]):
        status, out, err = without(["torch"], *arguments)
        assert status == 1 and "run minidiff doctor" in err and err.count("\n") == 1 and not out


@pytest.mark.slow
def test_help_does_without_docstrings():
    status, out, _ = without([], "judge", "--help", optimised=True)
    assert status == 0 and "Fashion-MNIST" in out


@pytest.mark.slow
def test_commands_do_without_asserts_and_docstrings(tmp_path):
    arguments = ("sample", "--number", "1", "--steps", "1", "--out", str(tmp_path / "x.png"))
    status, out, err = without([], *arguments, optimised=True)
    assert (status, err) == (0, "") and "1 samples" in out and (tmp_path / "x.png").stat().st_size > 1000


HEAVY = ("torch", "numpy", "matplotlib", "nbformat")


def test_the_command_line_is_light_until_it_works():
    code = f"import sys, minidiff.__main__, minidiff.course.doctor\nprint([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@POSIX
@pytest.mark.parametrize("delay", [0.2, 0.5, 1.0, 1.5])
def test_ctrl_c_while_importing_gets_one_line(delay):
    child = subprocess.Popen([sys.executable, "-m", "minidiff", "sample", "--checkpoint", "none"], cwd=ROOT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    deadline = time.monotonic() + 30
    while "libtorch" not in Path(f"/proc/{child.pid}/maps").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(delay / 10)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, "", "minidiff sample: stopped\n")


def test_public_names_are_those_of_their_modules():
    """They are imported when asked for; type checkers and readers see the imports, and both must mean the same."""
    tree = ast.parse(Path(minidiff.__file__).read_text())
    lines = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    found = {alias.name: node.module for node in lines for alias in node.names}
    assert sorted(found) == sorted(minidiff.__all__)
    for name, module in found.items():
        assert getattr(minidiff, name) is getattr(import_module(f"minidiff.{module}"), name)
    assert set(dir(minidiff)) >= set(minidiff.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        minidiff.trian  # noqa: B018
