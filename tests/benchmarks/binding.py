"""Whose colour is whose: a denoiser whose encoder was taught to read, beside one that learns to read from pictures.

    python -m tests.benchmarks.binding              # both, ten minutes of one core; data/binding.json
    python -m tests.benchmarks.binding --only taught

The preset scenes is trained for 2,000 steps of 64 (the shipped model: 22,000) twice, from the same seed: as it is, and
without the teaching of its encoder (minidiff.engine.reading). 200 prompts of each kind, which training has not seen, are
drawn by 2M in 12 steps with guidance 3 and read by the exact judge. A share stands with its standard error.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch

from minidiff.data import find
from minidiff.data.files import write_atomically
from minidiff.engine import checkpoints
from minidiff.engine.presets import LATENTS, PRESETS
from minidiff.engine.runs import begin
from minidiff.engine.runtime import provenance
from tests.benchmarks.prompts import Painter, asked, shares

RECORD = Path(__file__).parents[2] / "data" / "binding.json"
WAYS, KINDS = ("taught", "untaught"), ("one", "pair", "mixed")


def trained(way: str, steps: int, each: int) -> dict:
    """What a network draws that was trained in one of two ways."""
    preset = PRESETS["scenes"] if way == "taught" else replace(PRESETS["scenes"], teach=None)
    with patch.dict(PRESETS, {"scenes": preset}):
        begun, job = time.process_time(), begin("scenes", steps=steps)
        losses = [loss.item() for loss in job.losses()]
    encoded, decoded = checkpoints.latents(find(LATENTS))
    data = {"data": {"shape": list(job.data.x.shape[1:])}}
    units = checkpoints.Units(encoded, lambda x: decoded(x) * job.data.scale + job.data.shift)
    painter, row = (
        Painter(job.run.average, data, units),
        {"steps": steps, "cpu_seconds": round(time.process_time() - begun)},
    )
    for kind in KINDS:
        wanted = asked(kind, "train", each)
        row[kind] = shares(painter.draw([one.caption for one in wanted], 3.0), wanted)
        print(way, kind, row[kind], flush=True)
    last = losses[-200:]
    return row | {"loss": round(sum(last) / len(last), 4), "reading": job.record.get("reading")}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=WAYS)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RECORD)
    a = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for way in [a.only] if a.only else WAYS:
        row = trained(way, a.steps, a.each)
        record = json.loads(a.out.read_text()) if a.out.exists() else {}
        record |= provenance(torch.device("cpu")) | {"each": a.each, way: row}
        write_atomically(a.out, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
