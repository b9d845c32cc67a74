"""How often a right solution is refused: the assignments' solutions, graded with many seeds.

    python -m tests.benchmarks.gradings            # 200 seeds an assignment; tests that train a network are left out
    python -m tests.benchmarks.gradings --seeds 5 --all

Each random test allows five standard errors, so that one draw in a million is refused; none of 1,000 gradings should be.
"""

import argparse
import time

from minidiff.course.grading.release import is_test
from tests.course.test_assignments import NAMES, book, graded


def main() -> int:
    """Grade, and print what was refused; returns 1 if anything was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, help="an assignment (default 200)")
    parser.add_argument("--all", action="store_true", help="also the tests that train a network")
    a = parser.parse_args()
    refused, done, begun = 0, 0, time.perf_counter()
    for name in NAMES:
        source = book(name)
        keep = lambda cell: a.all or not is_test(cell) or "seconds" not in cell.metadata["minidiff"]
        source.cells = [cell for cell in source.cells if keep(cell)]
        for seed in range(1000, 1000 + a.seeds):
            said = {test: one for test, one in graded(source, {}, seed=seed).items() if one}
            refused, done = refused + bool(said), done + 1
            if said:
                print(f"{name}, seed {seed}: {said}", flush=True)
        print(f"{name}: {a.seeds} seeds", flush=True)
    print(f"{refused} of {done} gradings of right solutions refused, in {time.perf_counter() - begun:.0f} s")
    return int(refused > 0)


if __name__ == "__main__":
    raise SystemExit(main())
