"""What is saved can be loaded: wrapped networks, networks and schedules of one's own, other types, and odd paths."""

import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minidiff.engine import checkpoints
from minidiff.engine.checkpoints import CheckpointError, load, load_run, read, save, save_run
from minidiff.engine.state import Run
from minidiff.engine.train import train
from minidiff.networks import MLP, NETWORKS, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import SCHEDULES, cosine, flow, from_betas, sigmoid


class Own(nn.Module):
    """A network of a reader's own, with buffers that training changes and one that is never stored."""

    def __init__(self, width=8, scale=(1, 2)):
        super().__init__()
        self.config = {"width": width, "scale": scale}
        self.norm, self.line = nn.BatchNorm1d(2), nn.Linear(2, width)
        self.back = nn.Linear(width, 2)
        self.register_buffer("levels", torch.tensor([scale[1]]))
        self.register_buffer("constant", torch.full((2,), 3.0), persistent=False)

    def forward(self, x, level):
        return self.back(self.line(self.norm(x + self.constant))).tanh()


def filled(net, seed=0):
    torch.manual_seed(seed)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    return net


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(NETWORKS, "Own", Own)


def same(one, other):
    one, other = one.state_dict(), other.state_dict()
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]) and value.dtype == other[name].dtype, name


class OneProcess:
    """DistributedDataParallel, in a group of one."""

    def __enter__(self):
        store = torch.distributed.HashStore()
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        return nn.parallel.DistributedDataParallel

    def __exit__(self, *_):
        torch.distributed.destroy_process_group()


def compiled(net):
    return torch.compile(net, backend="eager")


def compiled_inside(net):
    net.last = compiled(net.last)
    return net


def compiled_around(net):
    return compiled(nn.DataParallel(net))


@pytest.mark.parametrize("wrap", [compiled, nn.DataParallel, compiled_inside, compiled_around])
@pytest.mark.parametrize("run", [False, True])
def test_a_wrapped_network_is_saved_as_itself(wrap, run, tmp_path):
    plain, wrapped = filled(MLP(2, width=8)), wrap(filled(MLP(2, width=8)))
    denoiser = LearnedDenoiser(wrapped, cosine)
    if run:
        state = Run(denoiser)
        state.advance(denoiser(torch.ones(3, 2), 0.5).x0.square().mean(), lr=0.0)
        save_run(tmp_path / "x", state)
        again, _ = load_run(tmp_path / "x")
        assert all(again.optimizer.state[p]["exp_avg_sq"].sum() > 0 for p in [*again.denoiser.net.parameters()][-1:])
        same(again.average.net, plain)
        again = again.denoiser
    else:
        save(tmp_path / "x", denoiser)
        again, _ = load(tmp_path / "x")
    same(again.net, plain)
    assert not [name for name in read(tmp_path / "x")[0] if "_orig_mod" in name or "module" in name]


def test_a_network_on_several_ranks_is_saved_as_itself(tmp_path):
    with OneProcess() as wrap:
        save(tmp_path / "x", LearnedDenoiser(compiled(wrap(filled(MLP(2, width=8)))), cosine))
    same(load(tmp_path / "x")[0].net, filled(MLP(2, width=8)))


def test_a_network_of_ones_own_is_refused_with_the_way_to_register_it(tmp_path, monkeypatch):
    denoiser = LearnedDenoiser(filled(Own(width=5)), cosine)
    for write in (lambda: save(tmp_path / "x", denoiser), lambda: save_run(tmp_path / "x", Run(denoiser))):
        with pytest.raises(ValueError, match=r"register it, minidiff.networks.NETWORKS\['Own'\] = Own"):
            write()
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(NETWORKS, "Own", Own)
    save(tmp_path / "x", denoiser)
    same(load(tmp_path / "x")[0].net, denoiser.net)


def test_a_network_that_is_not_registered_where_it_is_loaded_may_be_given(tmp_path, registered, monkeypatch):
    denoiser = LearnedDenoiser(filled(Own(width=5)), cosine)
    save(tmp_path / "x", denoiser)
    save_run(tmp_path / "run", Run(denoiser))
    monkeypatch.delitem(NETWORKS, "Own")
    for call in (load, load_run):
        with pytest.raises(CheckpointError, match=r"register yours in minidiff.networks.NETWORKS, or give it"):
            call(tmp_path / ("x" if call is load else "run"))
    given = filled(Own(width=5), seed=1)
    again, _ = load(tmp_path / "x", net=given)
    assert again.net is given
    same(given, denoiser.net)
    same(load_run(tmp_path / "run", net=filled(Own(width=5), seed=2))[0].average.net, denoiser.net)
    for wrong in (Own(width=6), MLP(2)):
        with pytest.raises(CheckpointError, match="do not fit"):
            load(tmp_path / "x", net=wrong)
    for wrong in (Own, {"width": 5}, "Own"):
        with pytest.raises(TypeError, match="takes a network that is built"):
            load(tmp_path / "x", net=wrong)
    with pytest.raises(CheckpointError, match="meta"), torch.device("meta"):
        load(tmp_path / "x", net=Own(width=5))


@pytest.mark.slow
def test_in_another_process_it_is_registered_or_given(tmp_path):
    """The way that the sentence says, from a fresh Python, as a reader goes it."""
    code = """if 1:
        import sys, torch
        from minidiff import LearnedDenoiser, load, save
        from minidiff.networks import MLP, NETWORKS
        from minidiff.schedules import SCHEDULES, from_betas
        class Mine(MLP): pass
        betas = from_betas(torch.linspace(1e-4, 0.02, 50))
        if sys.argv[2] != "given":
            NETWORKS["Mine"], SCHEDULES["mine"] = Mine, betas
        if sys.argv[2] == "save":
            save(sys.argv[1], LearnedDenoiser(Mine(2, width=8), betas))
        given = {"net": Mine(2, width=8), "schedule": betas} if sys.argv[2] == "given" else {}
        print(type(load(sys.argv[1], **given)[0].net).__name__)
    """
    for how in ("save", "load", "given"):
        done = subprocess.run([sys.executable, "-c", code, tmp_path / "x", how], capture_output=True, text=True)
        assert done.stdout == "Mine\n", done.stderr


def test_a_subclass_is_not_loaded_as_its_parent(tmp_path):
    """Nor one that has the parent's very name: the tensors would fit, and the network would be another."""
    parent = MLP

    class Child(MLP):
        def forward(self, x, level, y=None, change=None):
            return -super().forward(x, level, y, change)

    for name in ("Child", parent.__name__):
        Child.__name__ = name
        with pytest.raises(ValueError, match="register it"):
            save(tmp_path / "x", LearnedDenoiser(Child(2), cosine))


def replaced(net):
    net.last = nn.Linear(8, 3)
    return net


def lying(net):
    net.config["width"] = 9
    return net


def listed(net):
    net.config = [2, 8]
    return net


def reserved(net):
    net.config["name"] = "x"
    return net


def mixed(net):
    net.last.double()
    return net


def holding(net):
    net.config["width"] = nn.Linear(1, 1)
    return net


@pytest.mark.parametrize("change", [replaced, lying, listed, reserved, mixed, holding])
def test_a_network_that_its_config_does_not_build_is_refused_when_it_is_saved(change, tmp_path):
    with pytest.raises(ValueError, match=r"MLP\(\*\*net.config\) does not build this network again"):
        save(tmp_path / "x", LearnedDenoiser(change(MLP(2, width=8)), cosine))
    assert not list(tmp_path.iterdir())


def test_a_config_that_is_missing_is_asked_for(tmp_path, monkeypatch):
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(2, 2)

        def forward(self, x, level):
            return self.line(x)

    monkeypatch.setitem(NETWORKS, "Bare", Bare)
    with pytest.raises(ValueError, match="keep all its arguments in its config"):
        save(tmp_path / "x", LearnedDenoiser(bare := filled(Bare()), cosine))
    bare.config = {}
    save(tmp_path / "x", LearnedDenoiser(bare, cosine))
    same(load(tmp_path / "x")[0].net, bare)


def test_buffers_are_saved_and_those_that_are_not_stored_are_built(tmp_path, registered):
    """Batch norm's statistics, after training: of the network and of its average."""
    run = Run(LearnedDenoiser(filled(Own()), cosine))
    for _ in train(run.denoiser, torch.randn(50, 2), steps=20, run=run):
        pass
    save(tmp_path / "x", run.average)
    save_run(tmp_path / "run", run)
    again = load(tmp_path / "x")[0]
    assert again.net.norm.num_batches_tracked == 20 and again.net.norm.running_mean.abs().sum() > 0.1
    same(again.net, run.average.net)
    assert torch.equal(again.net.constant, torch.full((2,), 3.0))
    same(load_run(tmp_path / "run")[0].denoiser.net, run.denoiser.net)


def test_tied_weights_are_saved_and_stay_tied(tmp_path, monkeypatch):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.config = {}
            self.line, self.other = nn.Linear(2, 2), nn.Linear(2, 2)
            self.other.weight = self.line.weight

        def forward(self, x, level):
            return self.other(self.line(x))

    monkeypatch.setitem(NETWORKS, "Tied", Tied)
    denoiser = LearnedDenoiser(filled(Tied()), cosine)
    save(tmp_path / "x", denoiser)
    save_run(tmp_path / "run", Run(denoiser))
    for again in (load(tmp_path / "x")[0], load_run(tmp_path / "run")[0].denoiser):
        same(again.net, denoiser.net)
        assert again.net.other.weight is again.net.line.weight


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("half", [False, True])
def test_other_types_come_back(dtype, half, tmp_path):
    denoiser = LearnedDenoiser(filled(MLP(2, width=8)), cosine).to(dtype)
    save(tmp_path / "x", denoiser, half=half)
    again, card = load(tmp_path / "x")
    assert card["network"]["dtype"] == str(dtype).removeprefix("torch.")
    for name, value in denoiser.net.state_dict().items():
        assert torch.equal(again.net.state_dict()[name], value.half().to(dtype) if half else value)
    x = torch.randn(3, 2, dtype=dtype)
    assert again(x, 0.5).x0.dtype == dtype  # what is not stored, such as frequencies, has it too
    if not half:
        assert_close(again(x, 0.5).x0, denoiser(x, 0.5).x0, rtol=0, atol=0)


def test_a_run_of_doubles_goes_on_to_the_same_bits(tmp_path):
    x = torch.randn(60, 2, dtype=torch.float64)
    whole = Run(LearnedDenoiser(filled(MLP(2, width=8)), cosine).double())
    losses = []
    for loss in train(whole.denoiser, x, steps=6, run=whole):
        losses.append(float(loss))
        if len(losses) == 3:
            save_run(tmp_path / "run", whole)
    again, _ = load_run(tmp_path / "run")
    assert [float(loss) for loss in train(again.denoiser, x, steps=6, run=again)] == losses[3:]
    same(again.average.net, whole.average.net)


def test_a_file_of_doubles_does_not_fill_a_network_of_floats(tmp_path):
    save(tmp_path / "x", LearnedDenoiser(MLP(2, width=8).double(), cosine))
    with pytest.raises(CheckpointError, match="do not fit"):
        load(tmp_path / "x", net=MLP(2, width=8))


def test_a_network_without_values_is_refused_when_it_is_saved(tmp_path, monkeypatch):
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.config, self.line = {}, nn.LazyLinear(2)

        def forward(self, x, level):
            return self.line(x)

    monkeypatch.setitem(NETWORKS, "Lazy", Lazy)
    with torch.device("meta"):
        nowhere = MLP(2)
    for net, said in ((Lazy(), "lazy"), (nowhere, "meta")):
        with pytest.raises((ValueError, CheckpointError), match=said):
            save(tmp_path / "x", LearnedDenoiser(net, cosine))
    assert not list(tmp_path.iterdir())


def test_a_parameter_without_moments_is_saved_with_zeros(tmp_path):
    """One that has had no gradient yet: Adam keeps nothing of it, and begins with zeros when it gets one."""
    x = torch.randn(60, 2)
    run, moments = Run(LearnedDenoiser(filled(MLP(2, width=8, changes=1)), cosine)), []
    for _ in train(run.denoiser, x, steps=4, run=run):
        if run.step == 2:
            save_run(tmp_path / "run", run)
    again, _ = load_run(tmp_path / "run")
    for _ in train(again.denoiser, x, steps=4, run=again):
        pass
    save_run(tmp_path / "one", run)
    save_run(tmp_path / "other", again)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    moments = [name for name, value in read(tmp_path / "one")[0].items() if "changes" in name and "adam" in name]
    assert len(moments) == 3


BETAS = torch.linspace(1e-4, 0.02, 100)


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.k = nn.Parameter(torch.tensor(1.0))

    def forward(self, t):
        return torch.cos(torch.pi / 2 * t**self.k), torch.sin(torch.pi / 2 * t**self.k)


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("turn", torch.tensor(torch.pi / 2))

    def forward(self, t):
        return torch.cos(self.turn * t).clamp(min=0), torch.sin(self.turn * t)


@pytest.mark.parametrize(
    "schedule", [from_betas(BETAS), lambda t: flow(t), partial(sigmoid, start=-2.0), Fixed(), Learned()]
)
def test_a_schedule_of_ones_own_is_refused_with_the_way_to_register_it(schedule, tmp_path, monkeypatch):
    denoiser = LearnedDenoiser(filled(MLP(2, width=8)), schedule)
    with pytest.raises(ValueError, match=r"register (yours|that)"):
        save(tmp_path / "x", denoiser)
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(SCHEDULES, "mine", schedule)
    if isinstance(schedule, Learned):  # its parameters would be lost
        with pytest.raises(ValueError, match="a schedule that learns is not saved"):
            save(tmp_path / "x", denoiser)
        return
    save(tmp_path / "x", denoiser)
    save(tmp_path / "average", Run(denoiser).average)
    save_run(tmp_path / "run", Run(denoiser))
    for name in ("x", "average"):
        again, card = load(tmp_path / name)
        assert again.schedule is schedule and card["schedule"] == "mine"
    monkeypatch.delitem(SCHEDULES, "mine")
    with pytest.raises(CheckpointError, match=r"or give it, load\(path, schedule=...\)"):
        load(tmp_path / "x")
    assert load(tmp_path / "x", schedule=schedule)[0].schedule is schedule
    assert load_run(tmp_path / "run", schedule=schedule)[0].denoiser.schedule is schedule
    with pytest.raises(TypeError, match="a schedule, such as cosine"):
        load(tmp_path / "x", schedule="mine")


def test_another_schedule_than_the_one_it_was_trained_on_is_refused(tmp_path):
    save(tmp_path / "x", LearnedDenoiser(MLP(2, width=8), cosine))
    assert load(tmp_path / "x", schedule=cosine)[0].schedule is cosine
    with pytest.raises(CheckpointError, match="trained on the schedule 'cosine'"):
        load(tmp_path / "x", schedule=flow)


@pytest.mark.parametrize("card", [
    {"data": {1, 2}}, {"note": float("nan")}, {"x": torch.zeros(2)}, {1: "a", "b": 2}, {"note": b"bytes"},
])  # fmt: skip
def test_a_card_that_json_cannot_hold_is_refused_when_it_is_saved(card, tmp_path):
    with pytest.raises(CheckpointError, match="was not written"):
        save(tmp_path / "x", LearnedDenoiser(MLP(2, width=8), cosine), card)
    assert not list(tmp_path.iterdir())


def test_a_card_of_ones_own_is_kept_and_does_not_hide_what_is_said_of_the_network(tmp_path):
    card = {
        "note": "hello",
        "network": "mine",
        "schedule": "flow",
        "format": 7,
        "dtype": "int8",
        "step": "x",
        "data": 3,
    }
    save(tmp_path / "x", LearnedDenoiser(MLP(2, width=8), cosine), card)
    again, found = load(tmp_path / "x")
    assert again.schedule is cosine and found["note"] == "hello" and found["format"] == 1 and found["data"] == 3


def test_loading_draws_as_much_chance_as_it_did_before(tmp_path):
    """Building on the meta device draws none: what comes after a load is as it was with one network built."""
    save(tmp_path / "x", LearnedDenoiser(UNet(size=8, width=8, deep_width=8, deep_blocks=1), cosine))
    drawn = []
    for make in (lambda: load(tmp_path / "x"), lambda: UNet(size=8, width=8, deep_width=8, deep_blocks=1)):
        torch.manual_seed(5)
        make()
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
    denoiser, before = load(tmp_path / "x")[0], torch.get_rng_state()
    save(tmp_path / "x", denoiser)
    assert torch.equal(torch.get_rng_state(), before)


# ---- odd paths


@pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
@pytest.mark.parametrize("name", [
    "folder", "pipe", "loop", "/dev/zero", "gone", "file/below", "dangling", "a\nb\x1b[1m", "\udcff", "x" * 300,
    "nul\0",
])  # fmt: skip
def test_paths_that_hold_no_checkpoint_get_one_sentence(name, tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "file").write_bytes(b"")
    for call in (read, load, load_run):
        with pytest.raises(CheckpointError) as error:
            call(tmp_path / name)
        assert str(error.value).isprintable() and len(str(error.value).split()) >= 5


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "\udcff\udcfe", "ü", " ", "%s{}", "-x"])
def test_odd_names_hold_checkpoints_as_well(name, tmp_path):
    denoiser = LearnedDenoiser(filled(MLP(2, width=8)), cosine)
    save(tmp_path / name, denoiser)
    same(load(tmp_path / name)[0].net, denoiser.net)
    same(load(str(tmp_path / name))[0].net, denoiser.net)


def test_a_link_to_a_checkpoint_is_one(tmp_path):
    denoiser = LearnedDenoiser(filled(MLP(2, width=8)), cosine)
    (tmp_path / "link").symlink_to("real")
    save(tmp_path / "link", denoiser)
    assert (tmp_path / "link").is_symlink()
    same(load(tmp_path / "link")[0].net, denoiser.net)


def test_the_blueprint_counts_nobody_elses_networks(monkeypatch):
    """While one thread builds a blueprint, others build what they like."""
    import threading

    from minidiff.networks import registry

    began, done, built = threading.Event(), threading.Event(), []

    class Slow(MLP):
        def __init__(self, **config):
            super().__init__(**config)
            began.set()
            done.wait(20)

    def other():
        began.wait(20)
        built.extend(MLP(2, width=2, depth=100) for _ in range(3))
        done.set()

    monkeypatch.setitem(NETWORKS, "Slow", Slow)
    thread = threading.Thread(target=other)
    thread.start()
    registry._blueprint({"name": "Slow", "dim": 2}, 1)
    thread.join()
    assert len(built) == 3
    assert checkpoints.CheckpointError is CheckpointError
