"""Several processes are one training: the same batches, gradients and bits, met by gloo on the CPU."""

import contextlib
import io
import os
import socket
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from minidiff.engine import ranks
from minidiff.engine.augmentations import shift
from minidiff.engine.checkpoints import load_run, read, save_run
from minidiff.engine.state import TrainState
from minidiff.engine.train import train
from minidiff.networks import MLP, UNet
from minidiff.predictions import LearnedDenoiser
from minidiff.schedules import cosine

ROOT = Path(__file__).parents[2]
POINTS = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
PICTURES = torch.randn(24, 1, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(40) % 3


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def together(count, work, *arguments, begin="forkserver"):
    """Run work(*arguments) in `count` processes of one group."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "GLOO_SOCKET_IFNAME": "lo"}
    mp.set_forkserver_preload([__name__, "torch._dynamo"])  # both are imported once for all of them
    mp.start_processes(_one, (count, work, arguments), count, start_method=begin)


def _one(rank, count, work, arguments):
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count)}
    with ranks.process_group(torch.device("cpu")):
        assert (ranks.rank(), ranks.world()) == (rank, count)
        work(*arguments)


def points():
    torch.manual_seed(0)
    net = MLP(width=16, depth=1, classes=3)
    torch.nn.init.normal_(net.last.weight)
    return LearnedDenoiser(net, cosine, "v"), {"data": POINTS, "labels": LABELS, "batch": 12}


def pictures():
    torch.manual_seed(0)
    net = UNet(size=8, width=8, deep_width=16, deep_blocks=1, changes=2)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return LearnedDenoiser(net, cosine, "eps"), {"data": PICTURES, "batch": 8, "augment": shift}


def gradients(make, folder):
    """One step, whose gradients and loss are left in a file for each rank."""
    denoiser, given = make()
    given["data"] = given["data"].double()
    (loss,) = train(denoiser.double(), **given, steps=1, lr=0.0, seed=5)
    found = {name: p.grad.contiguous() for name, p in denoiser.named_parameters()} | {"loss": loss}
    save_file(found, folder / f"{ranks.rank()}.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("make, counts", [(points, (2, 4)), (pictures, (2,))], ids=["mlp", "unet"])
def test_the_gradients_are_those_of_one_process(make, counts, tmp_path):
    gradients(make, tmp_path)
    alone = load_file(tmp_path / "0.safetensors")
    assert float(alone["loss"]) > 0.1 and all(g.abs().sum() > 0 for name, g in alone.items())
    for count in counts:
        together(count, gradients, make, tmp_path)
        for rank in range(count):
            assert_close(load_file(tmp_path / f"{rank}.safetensors"), alone, rtol=1e-12, atol=1e-13)


def stopped_and_resumed(steps, folder):
    """Train without a stop, saving after each step; then go on from each file for two steps.

    Since a file is all that a resumed run knows, and each leads to the next but one bit for bit, a run may stop
    anywhere, and as often as it likes. Rank 0 writes, all read.
    """
    denoiser, given = points()
    path, whole = lambda step: folder / f"{ranks.world()}-{step}.safetensors", TrainState(denoiser)
    save = lambda step: save_run(path(step), whole) if not ranks.rank() else None
    save(0)
    losses = [(float(loss), save(whole.step))[0] for loss in train(denoiser, **given, steps=steps, seed=3, run=whole)]
    ranks.broadcast(None)  # the files are there
    for stop in range(steps):
        again, _ = load_run(path(stop))
        assert again.step == stop
        some = islice(train(again.denoiser, **given, steps=steps, seed=3, run=again), 2)
        assert [float(loss) for loss in some] == losses[stop : stop + 2], stop
        there, _ = load_run(path(again.step))
        for one, other in ((again.denoiser, there.denoiser), (again.average, there.average)):
            for a, b in zip(one.parameters(), other.parameters(), strict=True):
                assert torch.equal(a, b), stop
        for a, b in zip(again.denoiser.parameters(), there.denoiser.parameters(), strict=True):
            assert set(again.optimizer.state[a]) == {"step", "exp_avg", "exp_avg_sq"}
            for key, value in there.optimizer.state[b].items():
                assert torch.equal(again.optimizer.state[a][key], value), (stop, key)
    assert again.step == steps  # from steps - 1 there is one to go


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_a_run_may_stop_at_every_step(count, tmp_path):
    together(count, stopped_and_resumed, 50, tmp_path)


def heard(folder):
    """What each rank hears when nobody, the last one alone, or everybody asks to stop."""
    cpu, me, last = torch.device("cpu"), ranks.rank(), ranks.world() - 1
    told = [ranks.any_rank(flag, cpu) for flag in (False, me == last, True)]
    save_file({"told": torch.tensor(told)}, folder / f"{me}.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_who_asks_to_stop_is_heard_by_all_ranks(count, tmp_path):
    together(count, heard, tmp_path)
    for rank in range(count):
        assert load_file(tmp_path / f"{rank}.safetensors")["told"].tolist() == [False, True, True]


def spoken(folder):
    """What each rank knows of itself, of rank 0 and of the mean; left in a file for each."""
    me, count = ranks.rank(), ranks.world()
    told = {"broadcast": torch.tensor(ranks.broadcast(10 + me)), "mean": ranks.mean(torch.tensor([float(me), 1.0]))}
    texts = ranks.broadcast({"rank": me, "steps": [me, 7]})
    told |= {
        "named": torch.tensor([texts["rank"], *texts["steps"]]),
        "share": torch.arange(12)[ranks.rank_slice()].clone(),
    }
    given = torch.full((2,), float(me))
    ranks.mean(given)
    net = ranks.distributed(torch.nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        next(net.parameters()).fill_(1.0)
    net(torch.full((1, 1), float(me))).sum().backward()
    told |= {"given": given, "gradient": next(net.parameters()).grad.clone(), "count": torch.tensor(count)}
    save_file(told, folder / f"{me}.safetensors")


@pytest.mark.skipif(sys.platform != "linux", reason="forks, which is quick, and safe on Linux only")
@pytest.mark.parametrize("count", [1, 2, 3])
def test_rank_0_speaks_for_all_and_a_mean_is_over_all(count, tmp_path):
    together(count, spoken, tmp_path, begin="fork")
    mean = (count - 1) / 2
    for me in range(count):
        told = load_file(tmp_path / f"{me}.safetensors")
        assert told["broadcast"] == 10 and told["named"].tolist() == [0, 0, 7] and told["count"] == count
        assert_close(told["mean"], torch.tensor([mean, 1.0]))
        assert_close(told["gradient"], torch.tensor([[mean]]))
        assert told["share"].tolist() == list(range(12))[me::count]
        assert told["given"].tolist() == [me, me]  # what is given stays as it was


def test_alone_everything_is_as_it_was():
    net, value = torch.nn.Linear(2, 2), torch.ones(2)
    assert (ranks.rank(), ranks.world(), ranks.rank_slice()) == (0, 1, slice(0, None, 1))
    assert ranks.distributed(net) is net and ranks.mean(value) is value and ranks.broadcast("mine") == "mine"
    assert [ranks.any_rank(flag, torch.device("cpu")) for flag in (False, True)] == [False, True]


@pytest.mark.parametrize("size", [None, "1"])
def test_one_process_joins_nobody(monkeypatch, size):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if size:
        monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setattr(ranks.dist, "init_process_group", lambda *_: pytest.fail("there is nobody to meet"))
    with ranks.process_group(torch.device("cpu")):
        assert ranks.world() == 1


@pytest.mark.parametrize("device, talk", [("cpu", "gloo"), ("cuda:3", "nccl")])
@pytest.mark.parametrize("error", [None, KeyError])
def test_ranks_meet_by_what_their_device_speaks_and_part_however_it_ends(monkeypatch, device, talk, error):
    """Rehearsed without a GPU: its number is set before the ranks meet, since NCCL would take the first for all."""
    heard = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: heard.append(str(device)))
    monkeypatch.setattr(ranks.dist, "init_process_group", heard.append)
    monkeypatch.setattr(ranks.dist, "destroy_process_group", lambda: heard.append("parted"))
    try:
        with ranks.process_group(torch.device(device)):
            heard.append("work")
            if error:
                raise error
    except KeyError:
        assert error
    assert heard == [*([device] if device != "cpu" else []), talk, "work", "parted"]


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr(ranks, "world", lambda: 5)
    denoiser, given = points()
    with pytest.raises(ValueError, match="a batch of 12 cannot be shared evenly among 5 ranks"):
        train(denoiser, **given, steps=1)


def minidiff(count, *arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]  # which finds a port that stays free
    command += ["--nproc-per-node", str(count), "-m", "minidiff", *arguments]
    environment = os.environ | {"MINIDIFF_DEVICE": "cpu", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)


@pytest.mark.slow
def test_torchrun_trains_what_one_process_trains(tmp_path):
    from minidiff.__main__ import main

    done = minidiff(2, "train", "--preset", "two-moons", "--steps", "12", "--out", str(tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("wrote") == 1  # rank 0 speaks for both
    assert main(["train", "--preset", "two-moons", "--steps", "12", "--out", str(tmp_path / "one")]) == 0
    (two, card), (one, alone) = (read(tmp_path / name / "run.safetensors") for name in ("two", "one"))
    assert card["settings"] == alone["settings"] and card["step"] == 12
    apart = torch.cat([(two[name] - one[name]).abs().flatten() for name in one if name.startswith("net.")])
    assert float(apart.mean()) < 1e-4  # bfloat16's rounding; other batches move every weight by about the rate, 2e-3


def _refused(rank, folder, port):
    from minidiff.__main__ import main

    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MINIDIFF_DEVICE": "cpu", "GLOO_SOCKET_IFNAME": "lo"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with contextlib.redirect_stderr(io.StringIO()) as err:
        assert main(["train", "--preset", "two-moons", "--out", str(folder)]) == 2
    assert "already holds a run" in err.getvalue()


@pytest.mark.slow
def test_a_folder_that_holds_a_run_is_refused_by_all_ranks(tmp_path):
    """And none waits for another."""
    (tmp_path / "run.safetensors").write_bytes(b"a run")
    mp.start_processes(_refused, (tmp_path, free_port()), 2, start_method="forkserver")
