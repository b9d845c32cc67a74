"""What waiting threads cost: seconds of a training and of a drawing, alone and beside busy programs.

    python -m tests.benchmarks.threads --busy 0 1 2

OpenMP's threads spin while they wait for each other, unless OMP_WAIT_POLICY is PASSIVE when torch loads it, which
`import minidiff` sees to (minidiff/__init__.py). Compared are torch as it comes, which is what happens if torch is
imported first; as minidiff sets it; and one thread. Each is run in a process of its own, in turn, so that whatever
else the machine does falls on all alike; the least of the repeats is shown. Imports are not counted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

SETTINGS = {  # what is imported first, and the environment
    "as torch comes": ("torch", {}),
    "as minidiff sets it": ("minidiff", {}),
    "one thread": ("torch", {"OMP_NUM_THREADS": "1"}),
}
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # not longer than the benchmark, however that ends
CHILD = """
import {first}, sys, time
from minidiff.__main__ import main, parser
parser("train")
begun, status = time.perf_counter(), main(sys.argv[1:])
print(time.perf_counter() - begun)
sys.exit(status)
"""


def seconds(arguments: list[str], first: str, told: dict[str, str]) -> float:
    """How long one command takes in a process of its own."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_", "MKL_"))}
    command = [sys.executable, "-c", CHILD.format(first=first), *arguments]
    told = rest | {"MINIDIFF_QUIET": "1", "MINIDIFF_DEVICE": "cpu"} | told
    done = subprocess.run(command, env=told, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


@contextmanager
def beside(count: int) -> Iterator[None]:
    """So many other programs that do nothing but compute; they end with the block."""
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2], help="other programs (default: 0 1 2)")
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=200, help="of the training (default: %(default)s)")
    parser.add_argument("--number", type=int, default=64, help="of images drawn in 10 steps (default: %(default)s)")
    a = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before; the least of {a.repeats}, in seconds")
    for busy in a.busy:
        best: dict[tuple[str, str], float] = {}
        with beside(busy), tempfile.TemporaryDirectory() as folder:
            for k in range(a.repeats):
                for name, (first, told) in SETTINGS.items():
                    out = f"{folder}/{k} {name}"
                    for work in (["train", "--preset", "two-moons", "--steps", str(a.steps), "--out", out],
                                 ["sample", "--number", str(a.number), "--steps", "10", "--out", f"{out}.png"]):  # fmt: skip
                        key = (work[0], name)
                        best[key] = min(best.get(key, float("inf")), seconds(work, first, told))
        for (work, name), least in best.items():
            print(f"{busy} busy  {work:<7} {name:<20} {least:6.1f}", flush=True)


if __name__ == "__main__":
    main()
