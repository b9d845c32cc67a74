"""Kill a training at random moments, again and again, and see that nothing is ever lost.

    python -m tests.mutation.kills --kills 300

A small training saves after every step and is killed (SIGKILL, which no program can catch) at moments drawn from a seed.
After every kill the checkpoint, if one has ever been written, must load; whenever a training comes to its end, after
however many kills, its weights, average, moments and loss curve must be bit for bit those of one that nobody disturbed.
Then the next training begins, until the kills are used up. Processes are forked from a server that has imported torch,
so that most of the time goes into training and not into starting.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from minidiff.engine.checkpoints import fingerprint, read
from minidiff.engine.runs import RUN

STEPS = 60
SERVER = multiprocessing.get_context("forkserver")


def train(folder: Path) -> None:
    """What each process does: begin, or go on if there is a checkpoint."""
    import torch

    from minidiff.__main__ import main

    torch.set_num_threads(1)
    os.environ |= {"MINIDIFF_QUIET": "1", "MINIDIFF_DEVICE": "cpu"}
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  for as long as this process lives
    begin = ["--preset", "two-moons", "--steps", str(STEPS)]
    sys.exit(
        main(
            ["train", "--out", str(folder), "--save-every", "0", *(["--resume"] if (folder / RUN).exists() else begin)]
        )
    )


def state(folder: Path) -> tuple[str, list]:
    """The SHA-256 of all tensors of the run, and its loss curve. Raises CheckpointError for a damaged file."""
    tensors, card = read(folder / RUN)
    return fingerprint(tensors, str(card["step"])), card["record"]["losses"]


def run(folder: Path, patience: float | None) -> int | None:
    """Train for so many seconds; None if it was killed then, else its exit status."""
    process = SERVER.Process(target=train, args=(folder,))
    process.start()
    process.join(patience)
    if process.exitcode is None:
        process.kill()
        process.join()
        return None
    return process.exitcode


def survive(kills: int, root: Path, seed: int = 0) -> dict[str, int]:
    """Kill so many times. Raises AssertionError at the first loss; returns what was seen."""
    SERVER.set_forkserver_preload(["minidiff.engine.commands", "minidiff.engine.runs", "torch._dynamo"])
    dice, seen = random.Random(seed), {"kills": 0, "before the first checkpoint": 0, "trainings that ended": 0}
    assert run(root / "warm", None) == 0
    begun = time.monotonic()
    assert run(root / "whole", None) == 0
    length, want = time.monotonic() - begun, state(root / "whole")
    folder = root / "disturbed"
    while seen["kills"] < kills or folder.exists():
        status = run(folder, dice.uniform(0, length) if seen["kills"] < kills else None)
        if status is None:
            seen["kills"] += 1
            if seen["kills"] % 50 == 0:
                print(f"{seen['kills']} kills, a whole training takes {length:.1f} s", flush=True)
            if (folder / RUN).exists():
                state(folder)
            else:
                seen["before the first checkpoint"] += 1
        else:
            assert status == 0, f"the training ended with status {status}"
            assert state(folder) == want, "the disturbed training ended elsewhere than the undisturbed one"
            seen["trainings that ended"] += 1
            shutil.rmtree(folder)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        seen = survive(options.kills, Path(root), options.seed)
    print(", ".join(f"{name}: {count}" for name, count in seen.items()))
    print("ok  every checkpoint loaded, and every training ended bit for bit where the undisturbed one did")


if __name__ == "__main__":
    main()
