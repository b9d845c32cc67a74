"""How few looks at the network does a good image take, and how fast are images drawn, beside diffusers' own pipeline?

    pip install -e ".[test]"
    python -m tests.benchmarks.few_steps

The model that ships with minidiff, the same noise and labels for all, no guidance. The first table: the Frechet distance
of 2,000 samples to the 10,000 test images, in the features of the judge, for DDIM in equal steps of time and for the
multistep solvers on Karras' noise levels from 80 to 0.02, beside DDIM with 200 steps. The second: images a second with
DDIM, 50 steps, by `generate` and by diffusers' DDIMPipeline around the very same network, turn about, the best of
several turns; and ours in bfloat16 where the hardware knows it. Runs on a GPU where there is one.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import diffusers
import numpy as np
import torch
from torch import Tensor, nn

from minidiff.data.dataset import Data
from minidiff.data.files import find
from minidiff.data.images import fashion_mnist
from minidiff.engine import checkpoints, presets
from minidiff.engine.generate import generate
from minidiff.engine.runtime import device_name, fast_bf16, runtime
from minidiff.evaluation.judge import load_judge
from minidiff.evaluation.metrics import frechet_distance
from minidiff.predictions import LearnedDenoiser
from minidiff.samplers import Step, ddim_step
from minidiff.schedules import angle, cosine, karras_times, start, uniform_times
from minidiff.solvers import dpm_solver_2m, unipc

SOLVERS: dict[str, Callable[[], Step]] = {"2M": dpm_solver_2m, "UniPC": unipc, "UniPC-3": lambda: unipc(3)}
LOOKS = (6, 8, 12, 25)


def walks(reference: int) -> list[tuple[str, int, Step, Tensor]]:
    found = [("DDIM", n, ddim_step, uniform_times(n)) for n in (reference, *LOOKS)]
    return found + [
        (name, n, make(), karras_times(n, 0.02, schedule=cosine)) for n in LOOKS for name, make in SOLVERS.items()
    ]


def quality(denoiser: LearnedDenoiser, number: int, reference: int, bf16: bool) -> None:
    judge, test, y = load_judge(), fashion_mnist("test"), torch.arange(number) % 10
    real, device, wanted = judge.features(test.x), next(denoiser.parameters()).device, None
    floor = frechet_distance(judge.features(fashion_mnist("train").x[:number]), real)
    print(
        f"{'looks':>5} {'solver':10} {'distance':>9} {'of DDIM ' + str(reference):>12} {'classes':>8}    floor {floor:.2f}"
    )
    for name, n, step, times in walks(reference):
        noise = start(cosine, float(times[0]), (number, 1, 28, 28), torch.Generator().manual_seed(0)).to(device)
        x = generate(denoiser, noise, y.to(device), step=step, times=times, bf16=bf16).cpu()
        distance = frechet_distance(judge.features(x), real)
        wanted = wanted or distance
        said = float((judge.classify(x) == y).double().mean())
        print(f"{n:>5} {name:10} {distance:>9.2f} {distance / wanted:>12.2f} {said:>8.1%}", flush=True)


class Dressed(diffusers.ModelMixin, diffusers.ConfigMixin):
    """Our network as their pipeline wants it: asked at an index k, it answers at the noise angle of their table."""

    config_name = "config.json"

    @diffusers.configuration_utils.register_to_config
    def __init__(self, sample_size: int = 28, in_channels: int = 1):
        super().__init__()

    def dress(self, net: nn.Module, alphas_bar: Tensor) -> "Dressed":
        self.net = net
        self.levels = angle(alphas_bar.sqrt(), (1 - alphas_bar).sqrt()).to(next(net.parameters()).device)
        return self

    def forward(self, x: Tensor, k: Tensor):
        return diffusers.models.unets.unet_2d.UNet2DOutput(sample=self.net(x, self.levels[k].expand(len(x))))


def speed(denoiser: LearnedDenoiser, number: int, turns: int, fast: bool) -> None:
    device = next(denoiser.parameters()).device
    scheduler = diffusers.DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample=False
    )
    pipeline = diffusers.DDIMPipeline(Dressed().dress(denoiser.net, scheduler.alphas_cumprod), scheduler).to(device)
    pipeline.set_progress_bar_config(disable=True)
    clothes: Data = fashion_mnist("test")

    def theirs(generator: torch.Generator) -> np.ndarray:
        return pipeline(batch_size=number, generator=generator, num_inference_steps=50, output_type="np").images

    def ours(generator: torch.Generator, bf16: bool = False) -> np.ndarray:
        noise = start(cosine, 1.0, (number, 1, 28, 28), generator).to(device)
        x = generate(denoiser, noise, steps=50, bf16=bf16)
        return clothes.restore(x).clamp(0, 1).cpu().numpy()

    entrants = {"diffusers": theirs, "minidiff": ours}
    if fast:
        entrants["minidiff, bfloat16"] = lambda generator: ours(generator, True)
    best = dict.fromkeys(entrants, 0.0)
    for turn in range(turns):
        for name, draw in entrants.items():
            begun = time.perf_counter()
            draw(torch.Generator().manual_seed(turn))
            best[name] = max(best[name], number / (time.perf_counter() - begun))
    for name, rate in best.items():
        print(
            f"{number:>5} at a time  {name:20} {rate:8.2f} images a second  {rate / best['diffusers']:6.2f} of diffusers",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--number", type=int, default=2_000, help="samples a walk in the first table; 0: none (default: %(default)s)"
    )
    parser.add_argument("--reference", type=int, default=200, help="steps of the reference (default: %(default)s)")
    parser.add_argument(
        "--turns", type=int, default=5, help="turns in the second table; 0: none (default: %(default)s)"
    )
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    device = runtime().device
    denoiser = checkpoints.load(find(presets.SHIPPED))[0].to(device)
    fast = fast_bf16(device)
    print(
        f"{device_name(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}, diffusers {diffusers.__version__}\n"
    )
    for number in (1, 16, 128) if options.turns else ():
        speed(denoiser, number, options.turns, fast)
    if options.number:
        print(f"\nnetwork in {'bfloat16' if fast else 'float32'}")
        quality(denoiser, options.number, options.reference, fast)


if __name__ == "__main__":
    main()
