"""Where the work runs: overrides, nonsense, and silence for a machine."""

import sys
import time

import pytest
import torch

from minidiff.engine.runtime import progress, quiet, runtime

rt = sys.modules["minidiff.engine.runtime"]  # the module: in `engine` the function bears its name


def test_small_on_a_cpu_full_when_asked(monkeypatch):
    monkeypatch.setenv("MINIDIFF_DEVICE", "cpu")
    monkeypatch.delenv("MINIDIFF_PROFILE", raising=False)
    assert (runtime().device, runtime().profile, runtime().pick(small=3, full=7)) == (torch.device("cpu"), "small", 3)
    monkeypatch.setenv("MINIDIFF_PROFILE", "full")
    assert runtime().pick(small=3, full=7) == 7


@pytest.mark.parametrize(
    "name, value", [("MINIDIFF_PROFILE", "huge"), ("MINIDIFF_DEVICE", "toaster"), ("MINIDIFF_DEVICE", "meta")]
)
def test_nonsense_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}'"):
        runtime()


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_cuda_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv("MINIDIFF_DEVICE", "cuda")
    with pytest.raises(ValueError, match="finds 0 CUDA devices"):
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
    assert quiet()  # standard error is a file here
    monkeypatch.setitem(rt.sys.modules, "ipykernel.kernelapp", None)
    assert not quiet()  # but somebody sits at a notebook
    for name in ("CI", "MINIDIFF_QUIET"):
        with monkeypatch.context() as set_to:
            set_to.setenv(name, "1")
            assert quiet()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("notebook", [False, True])
def test_a_person_sees_a_bar_with_the_smoothed_loss(monkeypatch, capsys, notebook):
    """A loss falls from 1 to 0 and stays there for 59 steps; what is shown follows as 0.95^59 = 0.0485."""
    monkeypatch.setattr(rt, "quiet", lambda: False)
    monkeypatch.setattr(rt, "_in_notebook", lambda: notebook)
    monkeypatch.setattr(rt.time, "monotonic", iter(range(1, 1000)).__next__)  # slow steps: each is shown
    losses = [torch.tensor(1.0)] + [torch.tensor(0.0)] * 59
    assert list(progress(losses, total=200, label="moons", done=140)) == losses
    out, err = capsys.readouterr()
    shown = out if notebook else err
    assert "moons" in shown and "140/200" in shown and "loss=1.000" in shown and "loss=0.048" in shown
    assert (err if notebook else out) == ""  # in a notebook nothing looks like an error


def test_a_loss_is_read_only_now_and_then(monkeypatch):
    """A thousand quick steps, and the bar looks at the loss a few times: each look makes a GPU wait."""
    read = []
    monkeypatch.setattr(rt, "quiet", lambda: False)
    monkeypatch.setattr(torch.Tensor, "__float__", lambda tensor: read.append(1) or 0.5)
    begun = time.monotonic()
    list(progress([torch.tensor(0.5)] * 1000))
    assert 1 <= len(read) <= 2 + (time.monotonic() - begun) / 0.5


def test_what_is_no_loss_is_handed_on(monkeypatch):
    monkeypatch.setattr(rt, "quiet", lambda: False)
    pictures = [torch.zeros(2, 2), "text", 3]
    assert list(progress(iter(pictures))) == pictures


def test_tf32_is_off_after_runtime():
    torch.backends.cudnn.allow_tf32 = True
    runtime()
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
