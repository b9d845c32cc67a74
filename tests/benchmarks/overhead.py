"""What a sampler costs beside its network: microseconds a step, ours and diffusers', on one thread.

    pip install -e ".[test]"
    python -m tests.benchmarks.overhead

2,048 points in the plane, float32, the same beta table, a network that predicts v, walks of 50 steps. The network is
free: it returns a stored tensor, whatever it is asked, so what is measured is all the rest: the loop, the step and the
decoding. Walks of both sides take turns, and the median over all walks is printed, in CPU time, so that a busy machine
does not matter much. Ours knows levels and coefficients by time, as in any walk but the first; theirs has its tables. A
step of Heun's is both of its halves, in EDM's coordinates on both sides.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import diffusers
import torch
from torch import Tensor, nn

from minidiff.notation import from_diffusers, index_times
from minidiff.predictions import AnyDenoiser, LearnedDenoiser, on_path
from minidiff.samplers import Step, ddim_step, ddpm_step, heun_step, last, sample
from minidiff.schedules import edm, evaluate
from minidiff.solvers import dpm_solver_2m

STEPS, POINTS = 50, 2048
TABLE = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02, "prediction_type": "v_prediction"}
WANTED = {"DDIM": 20, "DDPM": 35, "DPM-Solver++ 2M": 25, "Heun": 45}  # microseconds a step, and at most half of theirs


class Stored(nn.Module):
    """A network that costs nothing."""

    def __init__(self, out: Tensor):
        super().__init__()
        self.out = out

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return self.out


def walks(net: Stored) -> dict[str, tuple[Callable, Callable]]:
    """name -> (ours, theirs): functions that make a walk ready, which is then a function of x."""
    schedule, target = from_diffusers(TABLE)
    denoiser, times = LearnedDenoiser(net, schedule, target), index_times(STEPS, "trailing")
    levels = (evaluate(schedule, t) for t in times.tolist())
    in_edm = on_path(denoiser, edm), torch.tensor([sigma / alpha for alpha, sigma in levels], dtype=torch.float64)

    def ours(make: Callable[[], Step], denoiser: AnyDenoiser = denoiser, times: Tensor = times) -> Callable:
        return lambda: lambda x: last(sample(make(), denoiser, x, times))

    def theirs(scheduler_class: type, **config) -> Callable:
        scheduler = scheduler_class(**TABLE, timestep_spacing="trailing", **config)

        @torch.no_grad()
        def walk(x: Tensor) -> Tensor:
            for k in scheduler.timesteps:
                x = scheduler.step(net(scheduler.scale_model_input(x, k), k), k, x).prev_sample
            return x

        def ready() -> Callable[[Tensor], Tensor]:
            scheduler.set_timesteps(STEPS)  # some count their steps
            return walk

        return ready

    return {
        "DDIM": (ours(lambda: ddim_step), theirs(diffusers.DDIMScheduler, clip_sample=False)),
        "DDPM": (ours(lambda: ddpm_step), theirs(diffusers.DDPMScheduler, clip_sample=False)),
        "DPM-Solver++ 2M": (ours(dpm_solver_2m), theirs(diffusers.DPMSolverMultistepScheduler)),
        "Heun": (ours(lambda: heun_step, *in_edm), theirs(diffusers.HeunDiscreteScheduler)),
    }


def measure(repeats: int) -> dict[str, list[float]]:
    """name -> median microseconds a step, ours and theirs."""
    generator = torch.Generator().manual_seed(0)
    x, out = torch.randn(2, POINTS, 2, generator=generator)
    spent = {(name, side): [] for name in WANTED for side in (0, 1)}
    turns = walks(Stored(out))
    for repeat in range(repeats + 1):
        for name, side in spent:
            walk = turns[name][side]()
            begun = time.process_time()
            walk(x)
            if repeat:  # the first fills the caches
                spent[name, side].append((time.process_time() - begun) / STEPS * 1e6)
    return {name: [statistics.median(spent[name, side]) for side in (0, 1)] for name in WANTED}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="walks of each kind (default 200)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"microseconds a step beside the network; diffusers {diffusers.__version__}, torch {torch.__version__}\n")
    print(f"{'':18}{'minidiff':>9}{'diffusers':>11}{'share':>8}{'wanted':>9}")
    for name, (ours, theirs) in measure(options.repeats).items():
        fine = ours <= WANTED[name] and ours <= theirs / 2
        print(f"{name:18}{ours:>9.1f}{theirs:>11.1f}{ours / theirs:>8.0%}{WANTED[name]:>9}{'' if fine else '  missed'}")


if __name__ == "__main__":
    main()
