"""Where the work runs: overrides, nonsense, and silence for a machine."""

import dataclasses
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


@pytest.mark.parametrize("given, shown", [({}, "0it"), ({"total": 0}, "0it"), ({"total": 9}, "0/9")])
def test_a_bar_begins_at_0_and_is_gone_at_the_end(monkeypatch, capsys, given, shown):
    monkeypatch.setattr(rt, "quiet", lambda: False)
    assert list(progress([], label="moons", **given)) == []
    err = capsys.readouterr().err
    assert f"moons: {shown}" in err or ("0%" in err and shown in err)
    assert err.split("\r")[-1] == "" and not err.split("\r")[-2].strip()  # blanks over it, and back to the start


def test_a_machine_is_not_changed_by_hand():
    with pytest.raises(dataclasses.FrozenInstanceError):
        runtime().profile = "full"


@pytest.mark.parametrize("asked, said", [
    ("toaster", "the device is 'toaster': set it to cpu or cuda, or leave it out"),
    ("", "the device is '': set it to cpu or cuda, or leave it out"),
])  # fmt: skip
def test_a_device_that_was_asked_for_is_named(asked, said):
    with pytest.raises(ValueError, match=said):
        runtime(asked)


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


# ---- what a device can do, and its name


CPUINFO = """processor : 0
vendor_id : AuthenticAMD
model name : AMD EPYC 9999
flags : fpu sse avx512f {flags}
processor : 1
model name : another one
"""


def cpu_with(monkeypatch, flags):
    monkeypatch.setattr(rt, "_cpu_info", lambda: CPUINFO.format(flags=flags))


@pytest.mark.parametrize("flags, fast", [
    ("avx512_bf16", True),
    ("amx_bf16", True),
    ("avx512_bf16 amx_bf16", True),
    ("avx512vl amx_tile", False),
])  # fmt: skip
def test_bfloat16_is_fast_where_the_processor_has_it(monkeypatch, flags, fast):
    cpu_with(monkeypatch, flags)
    assert rt.fast_bf16(torch.device("cpu")) is fast


@pytest.mark.parametrize("able", [True, False])
def test_a_gpu_is_asked_whether_it_knows_bfloat16(monkeypatch, able):
    cpu_with(monkeypatch, "" if able else "avx512_bf16")  # the CPU beside it does not matter
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: able)
    assert rt.fast_bf16(torch.device("cuda")) is able


@pytest.mark.parametrize("triton", [True, False])
def test_only_a_gpu_with_its_compiler_compiles(monkeypatch, triton):
    asked = []
    monkeypatch.setattr(rt, "find_spec", lambda name: (asked.append(name), "a spec" if triton else None)[1])
    assert rt.compiles(torch.device("cuda")) is triton and asked == ["triton"]
    assert rt.compiles(torch.device("cpu")) is False


def test_a_device_is_called_what_its_maker_calls_it(monkeypatch):
    cpu_with(monkeypatch, "")
    assert rt.device_name(torch.device("cpu")) == "cpu: AMD EPYC 9999"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"H100 number {device.index}")
    assert rt.device_name(torch.device("cuda:3")) == "cuda: H100 number 3"


@pytest.mark.parametrize("processor, machine, want", [("", "arm", "cpu: arm"), ("M9", "arm", "cpu: M9")])
def test_where_the_system_names_no_model_python_does(monkeypatch, processor, machine, want):
    monkeypatch.setattr(rt, "_cpu_info", lambda: "")
    monkeypatch.setattr(rt.platform, "processor", lambda: processor)
    monkeypatch.setattr(rt.platform, "machine", lambda: machine)
    assert rt.device_name(torch.device("cpu")) == want


def test_a_system_without_proc_tells_nothing(monkeypatch):
    def missing(path, *_, **__):
        raise FileNotFoundError(path)

    with monkeypatch.context() as there:
        there.setattr(rt.Path, "read_text", lambda path, *_, **__: f"read from {path}")
        assert rt._cpu_info() == "read from /proc/cpuinfo"
    monkeypatch.setattr(rt.Path, "read_text", missing)
    assert rt._cpu_info() == "" and rt.fast_bf16(torch.device("cpu")) is False


def test_a_record_says_which_machine_and_which_code(monkeypatch):
    cpu_with(monkeypatch, "")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    told = rt.provenance(torch.device("cpu"))
    assert set(told) == {"device", "threads", "torch", "minidiff", "commit"}
    assert (told["device"], told["threads"], told["torch"]) == ("cpu: AMD EPYC 9999", 5, torch.__version__)


# ---- device and profile


def gpus(monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    for name in ("MINIDIFF_DEVICE", "MINIDIFF_PROFILE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("count, variables, device, profile", [
    (0, {}, "cpu", "small"),
    (1, {}, "cuda", "full"),
    (1, {"MINIDIFF_DEVICE": "cpu"}, "cpu", "small"),
    (1, {"MINIDIFF_PROFILE": "small"}, "cuda", "small"),
    (0, {"MINIDIFF_PROFILE": "full"}, "cpu", "full"),
    (2, {"MINIDIFF_DEVICE": "cuda:1"}, "cuda:1", "full"),
    (2, {"MINIDIFF_DEVICE": "cuda:0"}, "cuda:0", "full"),
    (4, {"LOCAL_RANK": "3"}, "cuda:3", "full"),
    (4, {"LOCAL_RANK": "3", "MINIDIFF_DEVICE": "cuda:1"}, "cuda:1", "full"),
    (0, {"LOCAL_RANK": "3"}, "cpu", "small"),
    (0, {"MINIDIFF_DEVICE": "", "MINIDIFF_PROFILE": ""}, "cpu", "small"),
])  # fmt: skip
def test_the_device_and_its_profile_unless_overridden(monkeypatch, count, variables, device, profile):
    gpus(monkeypatch, count)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert runtime() == rt.Runtime(torch.device(device), profile)
    assert runtime().pick(1, 2) == (2 if profile == "full" else 1) == runtime().pick(small=1, full=2)


@pytest.mark.parametrize("count, wanted", [(0, "cuda"), (1, "cuda:1"), (2, "cuda:2"), (2, "cuda:7")])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, count, wanted):
    gpus(monkeypatch, count)
    monkeypatch.setenv("MINIDIFF_DEVICE", wanted)
    with pytest.raises(ValueError, match=f"{wanted}.*finds {count} CUDA"):
        runtime()


@pytest.mark.parametrize("before", [True, False])
def test_tf32_is_off_in_products_and_in_convolutions(monkeypatch, before):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
    torch.backends.cuda.matmul.allow_tf32 = before
    runtime()
    assert torch.backends.cudnn.allow_tf32 is False and torch.backends.cuda.matmul.allow_tf32 is False


@pytest.mark.parametrize("seed", [0, 7])
def test_a_generator_draws_what_its_seed_says(seed):
    want = torch.randn(3, generator=torch.Generator("cpu").manual_seed(seed))
    for device in ("cpu", "meta"):  # whatever the device
        generator = rt.Runtime(torch.device(device), "small").generator(seed)
        assert torch.equal(torch.randn(3, generator=generator), want)


# ---- who is watching


@pytest.mark.parametrize("terminal, notebook, variables, silent", [
    (False, False, {}, True),
    (True, False, {}, False),
    (False, True, {}, False),
    (True, True, {}, False),
    (True, False, {"CI": "true"}, True),
    (True, True, {"MINIDIFF_QUIET": "1"}, True),
    (True, False, {"CI": "", "MINIDIFF_QUIET": ""}, False),
])  # fmt: skip
def test_a_bar_is_for_a_person_who_watches(monkeypatch, terminal, notebook, variables, silent):
    for name in ("CI", "MINIDIFF_QUIET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel.kernelapp", raising=False)
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", None)
    items = iter([1, 2])
    assert quiet() is silent and (progress(items) is items) is silent
