"""Where the work runs: overrides, nonsense, and silence for a machine."""

import pytest
import torch

from minidiff import runtime as rt
from minidiff.runtime import progress, quiet, runtime


def test_small_on_a_cpu_full_when_asked(monkeypatch):
    monkeypatch.setenv("MINIDIFF_DEVICE", "cpu")
    monkeypatch.delenv("MINIDIFF_PROFILE", raising=False)
    assert (runtime().device, runtime().profile, runtime().pick(small=3, full=7)) == (torch.device("cpu"), "small", 3)
    monkeypatch.setenv("MINIDIFF_PROFILE", "full")
    assert runtime().pick(small=3, full=7) == 7


@pytest.mark.parametrize("name, value", [("MINIDIFF_PROFILE", "huge"), ("MINIDIFF_DEVICE", "toaster")])
def test_nonsense_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}'"):
        runtime()


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_cuda_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv("MINIDIFF_DEVICE", "cuda")
    with pytest.raises(ValueError, match="finds no CUDA"):
        runtime()


def test_a_generator_is_on_the_cpu_and_seeded():
    one, two = (torch.randn(3, generator=runtime().generator(5)) for _ in range(2))
    assert torch.equal(one, two) and runtime().generator(5).device.type == "cpu"


def test_a_machine_sees_silence(monkeypatch, capsys):
    monkeypatch.setenv("MINIDIFF_QUIET", "1")
    items = iter([1, 2])
    assert quiet() and progress(items) is items
    monkeypatch.delenv("MINIDIFF_QUIET")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(rt.sys, "modules", {k: v for k, v in rt.sys.modules.items() if k != "ipykernel"})
    assert quiet()  # standard error is a file here
    assert capsys.readouterr().err == ""


def test_a_person_sees_a_bar_with_the_loss(monkeypatch, capsys):
    monkeypatch.setattr(rt, "quiet", lambda: False)
    losses = [torch.tensor(0.5)] * 120
    assert list(progress(losses, total=200, label="moons", done=80)) == losses
    err = capsys.readouterr().err
    assert "moons" in err and "/200" in err and "loss=0.500" in err
