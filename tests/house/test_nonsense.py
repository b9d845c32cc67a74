"""Every public function is called with nonsense of some fifty kinds in place of each of its arguments, one at a time.

It is refused in a sentence of minidiff's own, unless the kind of the argument says that it can be meant there: then what
comes back must be finite. A public function without calls here turns `test_nothing_public_is_left_out` red.
"""

import copy
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from inspect import isclass, signature
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import minidiff
from minidiff import conditions, course, data, engine, estimates, evaluation, losses, networks, notation, schedules
from minidiff.course.live import Lever, live
from minidiff.course.multiple_choice import Quiz, questions
from minidiff.evaluation import metrics
from minidiff.show import pad, pixels, plots, widgets
from minidiff.show import samples as shown
from tests.nonsense import NONSENSE, alike, sentence

pytestmark = pytest.mark.slow


class Given(NamedTuple):
    """An argument of a call that is right, and what its kind says of nonsense in its place."""

    value: Any
    taken: frozenset[str]
    errors: tuple[type[Exception], ...]
    finite: bool


def kind(taken: str = "", *errors: type[Exception], finite: bool = True) -> Callable[[Any], Given]:
    """A kind of argument.

    taken: the nonsense that can be meant there
    errors: what it may raise beside ValueError and TypeError
    finite: whether what comes of nonsense that is taken must be finite
    """
    return lambda value: Given(value, frozenset(taken.split(" | ")), (ValueError, TypeError, *errors), finite)


def maybe(one: Callable[[Any], Given], value: Any = None) -> Given:
    """An argument that may be None, and is, unless a value is given."""
    given = one(value)
    return given._replace(taken=given.taken | {"None"})


REAL = "0 | -1 | -0.5 | 0.5 | True | 0-d"
TEXT = "text | numeral | empty text"
PICTURED = "whole alike | bools alike | row more | square | axis more"
SHAPES = "no rows | row more | axis more | square | empty"  # what is asked says what fits
FILES = (OSError, engine.CheckpointError, data.DataError)  # of a file that is missing, or another

anything = kind(" | ".join([*NONSENSE, *alike(torch.ones(1))]), finite=False)
number, bound, count, whole = kind(REAL), kind(f"{REAL} | inf | -inf"), kind(), kind("0")
flag, name, text, texts, path = kind("True"), kind(), kind(TEXT), kind("[] | texts"), kind(TEXT, *FILES)
denoiser, step, schedule, function = kind(), kind(), kind("function | network", *FILES), kind()
network, stream = kind("", *FILES), kind("[]")  # no generators, for no samples, or where none is asked
samples = kind(f"nan alike | {SHAPES} | [] | floats | array")  # a NaN in them is not looked for: a GPU would wait
when = kind("0 | 0.5 | True | 0-d | 0-d nan | nan alike")  # likewise
formula = kind(f"{REAL} | nan | inf | -inf | 0-d nan | [] | floats | array | nan alike | {SHAPES}", finite=False)
times, row = kind("floats | array"), kind("whole alike | bools alike | row more")
numbers = kind(f"{REAL} | pair | floats | array | whole | bools | whole alike | bools alike | {SHAPES}")
cloud, labels = kind("square | whole alike | bools alike | row more"), kind("0 | whole alike | bools alike")
unlooked = kind("-1 | 0 | whole alike")  # labels of a network that does not look at them
named = kind("{} | range")
captions = kind(f"{TEXT} | [] | {{}} | texts | generator | array of texts | empty", finite=False)
drawn = kind("0.5 | 0-d | pair | floats | whole | bools | array | nan alike | whole alike | bools alike | no rows | "
             "row more | square")  # fmt: skip
pair, colour = kind("pair"), kind("None | numeral")
measured = kind(f"{REAL} | pair | floats | range | square | whole | bools | array", AssertionError)
limit = kind(f"{REAL} | inf | -inf", AssertionError)


def seed(value: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(value)


class Table(nn.Module):
    """A network of points that is told a label, as small as it can be."""

    classes = 3

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(1.5))

    def forward(self, x, level, y):
        return torch.sin(self.a * x + level[:, None]) + y[:, None]


cosine, flow, X = schedules.cosine, schedules.flow, torch.randn(4, 2, generator=seed())
T, LABELS, ONES = torch.tensor([0.1, 0.4, 0.5, 0.8]), torch.tensor([0, 1, 2, 0]), [1.0] * 4
CLOUD, OTHER = torch.randn(2, 12, 3, generator=seed())
IMAGES, BLACK = torch.rand(4, 1, 8, 8, generator=seed()), np.zeros((4, 4), np.uint8)
EXACT, TIMES, HIDE = minidiff.of_gaussian(0.0, 1.0, cosine), minidiff.uniform_times(4), {"y": torch.tensor(3)}
LEARNED = minidiff.LearnedDenoiser(minidiff.MLP(width=4, depth=1), cosine)
TOLD = minidiff.LearnedDenoiser(Table(), cosine)
NET = networks.MLP(width=4, depth=1, classes=3, changes=1)
WORDS = ["blue", "circle", "red"]
ENCODED = import_module("minidiff.networks.text").Words(WORDS, 4)
TEXT_NET = networks.DiT(1, 8, 4, 3, 8, 1, 1, WORDS, 4, changes=1)
SCENE = data.scene(0)
UNET = networks.UNet(size=8, width=4, deep_width=4, deep_blocks=0, groups=2, classes=3, changes=1)
CODER = networks.AutoEncoder(1, 1, 4, 4, groups=2)
FIGURE, AX = plots.panels()


def used(make):
    """A factory of steps, its step in use."""
    return lambda **given: minidiff.last(minidiff.sample(make(**given), EXACT, X, TIMES, generator=seed()))


def asked(make):
    """A maker of denoisers, its denoiser asked."""
    return lambda **given: make(**given)(X, 0.5).x0


def after(function, *more):
    """What a function gives, called once more."""
    return lambda **given: function(**given)(*more)


def trained(denoiser, **given):
    """A training of one step, of a copy."""
    denoiser = copy.deepcopy(denoiser) if isinstance(denoiser, nn.Module) else denoiser
    return minidiff.last(minidiff.train(denoiser, **given))


POINTS = {"n": count(5), "seed": whole(0)}
STEP = {"denoiser": denoiser(EXACT), "x_t": samples(X), "t": when(0.5), "s": when(0.2)}
UNUSED, RANDOM = {"generator": anything(None)}, {"generator": maybe(stream)}
PAIR, TWO = {"a": cloud(CLOUD), "b": cloud(OTHER)}, {"real": cloud(CLOUD), "fake": cloud(OTHER)}
ONE_T, ON_COSINE = {"t": formula(T)}, {"schedule": schedule(cosine)}
BETAS = {"beta_min": number(0.1), "beta_max": number(20.0)}
MEASURED = {"operator": kind()(minidiff.masking(torch.tensor([1.0, 0.0]))), "y": samples(X * torch.tensor([1.0, 0.0]))}
TILES = {"columns": maybe(count, 2), "scale": count(1), "limits": pair((0.0, 1.0))}

CALLS = {  # name -> function, and its arguments
    # schedules
    "cosine": (cosine, ONE_T),
    "edm": (schedules.edm, ONE_T),
    "flow": (flow, ONE_T),
    "linear_beta": (schedules.linear_beta, ONE_T | BETAS),
    "quadratic_beta": (schedules.quadratic_beta, ONE_T | BETAS),
    "sigmoid": (schedules.sigmoid, ONE_T | {"start": number(-3.0), "end": number(3.0)}),
    "from_betas": (after(minidiff.from_betas, T), {"betas": numbers([0.1, 0.2])}),
    "betas": (schedules.betas, {"beta_schedule": name("linear"), "beta_start": number(0.1), "beta_end": number(0.2)}
              | {"num_train_timesteps": count(3)}),
    "zero_snr": (schedules.zero_snr, {"betas": numbers([0.1, 0.2])}),
    "t_max": (minidiff.t_max, ON_COSINE),
    "log_snr": (minidiff.log_snr, ON_COSINE | ONE_T),
    "rates": (minidiff.rates, ON_COSINE | ONE_T),
    "evaluate": (schedules.evaluate, {"curve": schedule(cosine), "t": number(0.5)}),
    "time_at": (schedules.time_at, ON_COSINE | {"wanted": number(0.5)}),
    "uniform_times": (minidiff.uniform_times, {"steps": count(4), "start": number(1.0), "stop": number(0.0)}),
    "shifted_times": (minidiff.shifted_times, {"steps": count(4), "shift": number(3.0), "start": number(1.0)}
                      | {"stop": number(0.0)}),
    "karras_times": (minidiff.karras_times, {"steps": count(4), "low": number(0.01), "high": number(10.0)}
                     | {"rho": number(7.0)} | ON_COSINE),
    "log_snr_times": (minidiff.log_snr_times, ON_COSINE | {"steps": count(4), "start": number(0.9)}
                      | {"stop": number(0.1)}),
    "start": (minidiff.start, ON_COSINE | {"t": number(1.0), "shape": pair((4, 2))} | RANDOM),
    # conditions
    "complete": (conditions.complete, {"condition": named({"y": LABELS}), "nulls": named(HIDE), "x": anything(X)}),
    "hide": (conditions.hide, {"condition": named({"y": LABELS}), "nulls": named(HIDE), "hidden": row(LABELS > 0)}),
    # predictions
    "Denoiser": (asked(minidiff.Denoiser), ON_COSINE | {"predict": function(lambda x_t, t: EXACT(x_t, t))}),
    "LearnedDenoiser": (asked(minidiff.LearnedDenoiser), ON_COSINE | {"net": network(LEARNED.net), "target": name("v")}),
    "an exact denoiser": (EXACT, {"x_t": samples(X), "t": when(0.5)}),
    "a learned denoiser": (LEARNED, {"x_t": samples(X), "t": when(0.5)}),
    "a told denoiser": (TOLD, {"x_t": samples(X), "t": when(0.5), "y": maybe(unlooked, LABELS)}),
    "on_path": (asked(minidiff.on_path), {"denoiser": denoiser(EXACT), "schedule": schedule(flow)}),
    "solve": (minidiff.solve, ON_COSINE | {"x_t": samples(X), "out": samples(X), "target": name("v"), "t": when(0.5)}),
    # exact
    "of_gaussian": (asked(minidiff.of_gaussian), ON_COSINE | {"mean": numbers(0.0), "std": numbers(1.0)}),
    "of_mixture": (asked(minidiff.of_mixture), ON_COSINE | {"means": numbers(X), "stds": numbers(ONES)}
                   | {"weights": numbers(ONES)}),
    "of_points": (asked(minidiff.of_points), ON_COSINE | {"points": numbers(X), "labels": maybe(labels, LABELS)}
                  | {"classes": maybe(count, 4)}),
    "a label": (lambda y: minidiff.of_points(X, cosine, LABELS)(X, 0.5, y=y), {"y": maybe(labels, 1)}),
    # losses
    "denoising_loss": (minidiff.denoising_loss, {"denoiser": denoiser(LEARNED), "x0": samples(X), "t": when(T)}
                       | {"eps": maybe(samples, X)}),
    "weighting": (after(minidiff.weighting, T), {"name": name("snr"), "denoiser": denoiser(LEARNED)}),
    "snr_rate": (losses.snr_rate, ON_COSINE | ONE_T),
    "uniform_angle": (after(losses.uniform_angle, 5, seed()), ON_COSINE),
    "lognormal": (after(losses.lognormal, 5, seed()), ON_COSINE | {"mean": number(-0.5), "std": number(1.2)}),
    "diagnose": (minidiff.diagnose, {"points": numbers(torch.randn(120, 2)), "schedule": maybe(schedule, cosine)}
                 | {"step": maybe(step, minidiff.ddim_step), "loss": maybe(kind("network"), minidiff.denoising_loss)}
                 | {"denoiser": maybe(kind("network"), EXACT), "seed": whole(0)}),
    # samplers
    "sample": (lambda **given: minidiff.last(minidiff.sample(**given)), {"step": step(minidiff.ddim_step)}
               | {"denoiser": denoiser(EXACT), "x": samples(X), "times": times(TIMES)} | RANDOM),
    "last": (minidiff.last, {"path": kind("square | whole | complex tensor | bools | sparse", finite=False)([X])}),
    "remix": (minidiff.remix, ON_COSINE | {"prediction": kind()(EXACT(X, 0.5)), "s": when(0.5)}),
    "ddim_step": (minidiff.ddim_step, STEP | {"eta": number(0.5), "temperature": number(1.0)} | RANDOM),
    "ddpm_step": (minidiff.ddpm_step, STEP | {"variance": name("large"), "temperature": number(1.0)} | RANDOM),
    "renoise_step": (minidiff.renoise_step, STEP | RANDOM),
    "euler_step": (minidiff.euler_step, STEP | UNUSED),
    "heun_step": (minidiff.heun_step, STEP | UNUSED),
    "sde_step": (minidiff.sde_step, STEP | RANDOM),
    "dpm_solver_2m": (used(minidiff.dpm_solver_2m), {"eta": number(0.5)}),
    "dpm_solver_3m": (used(minidiff.dpm_solver_3m), {}),
    "unipc": (used(minidiff.unipc), {"order": count(2)}),
    "churned": (used(minidiff.churned), {"step": step(minidiff.ddim_step), "gamma": number(0.0), "low": number(0.0)}
                | {"high": bound(9.0), "noise": number(1.0)}),
    "corrected": (used(minidiff.corrected), {"step": step(minidiff.ddim_step), "times": whole(1), "size": number(0.1)}),
    # guidance
    "given": (lambda denoiser, y: minidiff.given(denoiser, y=y)(X, 0.5).x0, {"denoiser": denoiser(TOLD)}
              | {"y": maybe(unlooked, 1)}),
    "extrapolate": (asked(minidiff.extrapolate), {"good": denoiser(EXACT), "bad": denoiser(EXACT)}
                    | {"scale": number(2.0), "rescale": number(0.5), "output": name("v")}),
    "between": (asked(minidiff.between), {"low": number(0.2), "high": number(0.8), "inside": denoiser(EXACT)}
                | {"outside": denoiser(EXACT)}),
    "steer": (asked(minidiff.steer), {"denoiser": denoiser(EXACT), "log_likelihood": function(lambda x, t: -x.sum(1))}
              | {"scale": number(1.0)}),
    "change_x0": (asked(minidiff.change_x0), {"denoiser": denoiser(EXACT), "change": function(lambda x0: 2 * x0)}
                  | {"keep_eps": flag(False)}),
    "clip": (asked(minidiff.clip), {"denoiser": denoiser(EXACT), "low": bound(-1.0), "high": bound(1.0)}
             | {"keep_eps": flag(False)}),
    "threshold": (asked(minidiff.threshold), {"denoiser": denoiser(EXACT), "quantile": number(0.9)}
                  | {"limit": bound(1.0), "keep_eps": flag(False)}),
    # inverse, and what is measured
    "ddnm": (asked(minidiff.ddnm), MEASURED | {"denoiser": denoiser(EXACT)}),
    "pigdm": (asked(minidiff.pigdm), MEASURED | {"denoiser": denoiser(EXACT), "noise": number(0.1), "std": number(1.0)}),
    "dps": (used(minidiff.dps), MEASURED | {"step": step(minidiff.ddim_step), "scale": number(0.1)}),
    "replacement": (used(minidiff.replacement), MEASURED | {"step": step(minidiff.ddim_step)}),
    "repaint": (used(minidiff.repaint), {"step": step(minidiff.ddim_step), "times": count(2)}),
    "masking": (lambda mask: minidiff.masking(mask).pinv(X), {"mask": numbers(X > 0)}),
    "averaging": (lambda k: minidiff.averaging(k).forward(IMAGES), {"k": count(2)}),
    "mixing": (lambda weights: minidiff.mixing(weights).forward(X[:, :, None, None]), {"weights": numbers(X[0])}),
    "blurring": (lambda kernel: minidiff.blurring(kernel).forward(IMAGES), {"kernel": numbers(X)}),
    "projecting": (lambda matrix: minidiff.projecting(matrix).pinv(minidiff.projecting(matrix).forward(X)), {"matrix": numbers(X)}),
    # likelihood, estimates, notation
    "log_prob": (minidiff.log_prob, {"denoiser": denoiser(EXACT), "x": numbers(X), "times": times(TIMES)}
                 | {"probes": whole(0)} | RANDOM),
    "elbo": (minidiff.elbo, {"denoiser": denoiser(EXACT), "x": numbers(X), "times": times([0.9, 0.5, 0.0])}
             | {"draws": count(2)} | RANDOM),
    "bits_per_dim": (minidiff.bits_per_dim, {"log_p": kind()(estimates.Estimate(X, X)), "dims": count(3)}
                     | {"unit": number(2.0)}),
    "jackknife": (lambda clouds, metric, **given: estimates.jackknife(metric, clouds, OTHER, **given),
                  {"clouds": cloud(CLOUD), "metric": function(metrics.mmd), "folds": count(3)}),
    "floor": (estimates.floor, {"metric": function(metrics.mmd), "real": cloud(CLOUD), "n": count(4), "m": count(4)}
              | {"draws": count(3)}),
    "random_folds": (estimates.random_folds, {"rows": count(4), "folds": count(2)}),
    "proportion": (estimates.proportion, {"right": kind("bools | bools alike | row more")(LABELS > 0)}),
    "index_times": (minidiff.index_times, {"steps": count(4), "spacing": name("leading"), "total": count(1000)}
                    | {"offset": whole(0)}),
    "from_diffusers": (lambda config: notation.from_diffusers(config)[0](T), {"config": kind()({"beta_schedule": "linear"})}),
    "OwnClock": (lambda **given: notation.OwnClock(**given)(X, T), ON_COSINE | {"net": network(LEARNED.net)}
                 | {"total": count(1000)}),
    "translate": (notation.translate, {"value": kind(REAL, finite=False)(0.5), "source": name("flow"), "goal": name("sigma_edm")}),
    "convert_output": (notation.convert_output, ON_COSINE | {"out": samples(X), "x_t": samples(X), "t": when(0.5)}
                       | {"source": name("sample"), "goal": name("epsilon")}),
    # networks
    "MLP": (networks.MLP, {"dim": count(2), "width": count(4), "depth": whole(1), "classes": maybe(count, 2)}
            | {"variance": flag(False), "changes": whole(1)}),
    "ConvNet1d": (networks.ConvNet1d, {"channels": count(1), "length": count(8), "classes": maybe(count, 2)}
                  | {"width": count(4), "depth": whole(1), "variance": flag(False), "changes": whole(1)}),
    "an MLP": (NET, {"x": samples(X), "level": when(T), "y": maybe(labels, LABELS), "change": maybe(samples, X[:, :1])}),
    "UNet": (networks.UNet, {"channels": count(1), "size": count(8), "classes": maybe(count, 2), "width": count(4)}
             | {"deep_width": count(4), "blocks": count(1), "deep_blocks": whole(0), "groups": count(2)}
             | {"variance": flag(False), "changes": whole(1), "patch": count(2)}),
    "UNet, told": (lambda **given: networks.UNet(size=8, width=4, deep_width=4, deep_blocks=1, groups=2, **given),
                   {"words": maybe(texts, WORDS), "length": count(4)}),
    "DiT": (networks.DiT, {"channels": count(1), "size": count(8), "patch": count(4), "classes": maybe(count, 2)}
            | {"width": count(8), "depth": whole(1), "heads": count(1), "words": maybe(kind("texts"), WORDS)}
            | {"length": count(4), "variance": flag(False), "changes": whole(1)}),
    "a DiT": (TEXT_NET, {"x": samples(IMAGES), "level": when(T), "y": maybe(labels, LABELS)}
              | {"change": maybe(samples, X[:, :1]), "text": maybe(labels, ENCODED.encode(["red circle"] * 4))}),
    "vocabulary": (networks.vocabulary, {"texts": captions(["a red circle"])}),
    "Words": (type(ENCODED), {"words": kind("texts")(WORDS), "length": count(4)}),
    "Words.encode": (ENCODED.encode, {"texts": kind("[] | {} | empty text | generator | empty")(["red circle", ""])}),
    "Words.decode": (ENCODED.decode, {"tokens": kind("whole alike | no rows | row more")(ENCODED.encode(["red circle", ""]))}),
    "a UNet": (UNET, {"x": samples(IMAGES), "level": when(T), "y": maybe(labels, LABELS)}
               | {"change": maybe(samples, X[:, :1])}),
    "AutoEncoder": (networks.AutoEncoder, {"channels": count(1), "latent": count(2), "width": count(4)}
                    | {"deep_width": count(4), "blocks": count(1), "groups": count(2)}),
    "AutoEncoder.encode": (CODER.encode, {"x": samples(IMAGES)} | RANDOM),
    "AutoEncoder.decode": (CODER.decode, {"z": samples(IMAGES)}),
    # data
    "two_moons": (data.two_moons, POINTS),
    "swiss_roll": (data.swiss_roll, POINTS),
    "spirals": (data.spirals, POINTS),
    "pinwheel": (data.pinwheel, POINTS),
    "rings": (data.rings, POINTS),
    "checkerboard": (data.checkerboard, POINTS),
    "gaussian_mixture": (data.gaussian_mixture, POINTS),
    "outline": (data.outline, POINTS | {"picture": row(torch.eye(4))}),
    "scenes": (data.scenes, POINTS | {"split": name("train"), "kind": maybe(name, "one"), "size": count(8)}),
    "scene": (data.scene, {"seed": whole(0), "number": whole(0), "split": name("train"), "kind": maybe(name, "one")}),
    "held_out": (import_module("minidiff.data.scenes").held_out, {"scene": kind()(SCENE)}),
    "render": (data.render, {"scenes": kind("[]")([SCENE]), "size": count(8)}),
    "Data": (data.Data, {"x": cloud(X), "y": maybe(labels, LABELS), "shift": number(0.0), "scale": number(1.0)}
             | {"names": maybe(texts, ["a", "b", "c"]), "captions": maybe(texts, list("abcd"))}
             | {"condition": named({"text": X})}),
    "Data.restore": (data.two_moons(8).restore, {"x": anything(X)}),
    "Data.standardise": (data.two_moons(8).standardise, {"raw": anything(X)}),
    "Data[...]": (data.two_moons(8).__getitem__, {"items": kind("pair | range | slice | whole")([1, 2])}),
    "Mixture": (data.Mixture, {"means": cloud(X), "stds": numbers(T), "weights": numbers(T)}),
    "Mixture.sample": (data.MIXTURE.sample, POINTS),
    "Mixture.log_prob": (data.MIXTURE.log_prob, {"x": anything(X)}),
    "find": (data.find, {"relative_path": path("judge.safetensors")}),
    "from_array": (data.from_array, {"x": kind(f"{TEXT} | row more | axis more | whole alike | bools alike | square", *FILES)(X)}
                   | {"y": maybe(kind(f"{TEXT} | texts | whole alike", *FILES), LABELS), "axes": maybe(name, "ND")}
                   | {"names": maybe(texts, ["a", "b", "c"])}),
    "from_folder": (data.from_folder, {"path": path("pictures"), "size": kind("pair")(4), "channels": count(1)}
                    | {"fit": name("pad"), "unreadable": name("stop")}),
    "from_path": (data.from_path, {"path": path("pictures"), "size": kind("pair")(4), "channels": count(1)}
                  | {"fit": name("pad"), "unreadable": name("stop"), "axes": maybe(name)}),
    "found_again": (data.found_again, {"source": kind()({"path": "pictures", "size": [4, 4], "sha256": "another"})}
                    | {"path": maybe(path)}),
    "fashion_mnist": (data.fashion_mnist, {"split": name("test")}),
    "cifar10": (data.cifar10, {"split": name("test")}),
    "sprites": (data.sprites, {"split": name("test")}),
    # engine
    "train": (trained, {"denoiser": denoiser(LEARNED), "data": row(X), "steps": count(1), "batch": count(2)}
              | {"lr": number(1e-3), "seed": whole(0), "drop": kind("0 | 0.5 | True | 0-d | {}")(0.1)}
              | {"levels": maybe(function, "lognormal"), "weight": maybe(function, "snr"), "augment": maybe(function)}
              | {"bf16": flag(False), "run": maybe(kind())}),
    "train, told": (lambda **given: trained(TOLD, data=X, steps=1, batch=2, **given),
                    {"condition": maybe(named, {"y": LABELS}), "labels": maybe(labels, LABELS)}),
    "learning_rate": (engine.learning_rate, {"step": whole(1), "steps": count(5), "peak": number(0.1)}),
    "Run": (engine.Run, {"denoiser": denoiser(LEARNED)}),
    "generate": (engine.generate, {"denoiser": denoiser(TOLD), "noise": samples(X), "steps": count(2)}
                 | {"condition": maybe(named, {"y": LABELS}), "step": step(minidiff.ddim_step), "batch": maybe(count, 2)}
                 | {"times": maybe(times, TIMES), "guidance": number(2.0), "bf16": flag(False)} | RANDOM
                 | {"frames": maybe(count, 2), "against": maybe(named, {"y": LABELS[:1]})}),
    "times_for": (import_module("minidiff.engine.generate").times_for, {"sampler": name("2m"), "schedule": schedule(cosine)}
                  | {"steps": count(4)}),
    "steps_for": (lambda sampler: import_module("minidiff.engine.generate").steps_for(sampler, (1, 8, 8)), {"sampler": name("2m")}),
    "Runtime.generator": (engine.runtime().generator, {"seed": whole(1)}),
    "generator_for": (lambda key: engine.generator_for(key, 1), {"key": whole(1)}),
    "save": (engine.save, {"path": path("one.safetensors"), "denoiser": denoiser(LEARNED), "card": maybe(kind("{}"))}
             | {"half": flag(False)}),
    "load": (engine.load, {"path": path("model.safetensors"), "net": maybe(network), "schedule": maybe(schedule)}),
    "save_network": (engine.save_network, {"path": path("one.safetensors"), "net": network(NET)}
                     | {"card": maybe(kind("{}")), "half": flag(False)}),
    "load_network": (engine.load_network, {"path": path("model.safetensors")}),
    "units": (engine.units, {"path": path(str(data.find("sprites.safetensors")))}),
    "read": (engine.read, {"path": path("model.safetensors")}),
    "save_run": (engine.save_run, {"path": path("one.safetensors"), "run": kind()(engine.Run(LEARNED))}
                 | {"card": maybe(kind("{}"))}),
    "load_run": (engine.load_run, {"path": path("run.safetensors"), "device": name("cpu"), "net": maybe(network)}
                 | {"schedule": maybe(schedule)}),
    "begin": (engine.begin, {"name": name("two-moons"), "seed": whole(0), "steps": maybe(count, 5)}
              | {"minutes": maybe(number), "batch": maybe(count, 4), "lr": maybe(number, 0.1)}
              | {"init": maybe(path), "device": maybe(name, "cpu"), "own": maybe(kind()), "levels": maybe(name, "lognormal")}),
    "resume": (engine.resume, {"folder": path("folder"), "steps": maybe(kind("", *FILES), 5), "path": maybe(path)}
               | {"device": maybe(kind("", *FILES), "cpu")}),
    "runtime": (engine.runtime, {"asked": maybe(name, "cpu")}),
    "device_name": (engine.device_name, {"device": name("cpu")}),
    "progress": (engine.progress, {"items": anything([1, 2]), "total": maybe(whole, 2), "label": text("a")}
                 | {"done": whole(0)}),
    # evaluation
    "frechet_distance": (metrics.frechet_distance, PAIR),
    "kernel_distance": (metrics.kernel_distance, PAIR),
    "c2st": (metrics.c2st, PAIR),
    "mmd": (metrics.mmd, PAIR | {"scale": number(1.0)}),
    "sliced_wasserstein": (metrics.sliced_wasserstein, PAIR | {"directions": count(4), "generator": maybe(kind())}),
    "inception_score": (metrics.inception_score, {"probabilities": cloud(CLOUD.softmax(1)), "splits": count(2)}),
    "precision_recall": (metrics.precision_recall, TWO | {"k": count(2)}),
    "density_coverage": (metrics.density_coverage, TWO | {"k": count(2)}),
    "memorisation": (metrics.memorisation, {"fake": cloud(CLOUD), "train": cloud(OTHER), "test": cloud(CLOUD)}),
    "class_fidelity": (metrics.class_fidelity, {"predicted": labels(LABELS), "wanted": labels(LABELS)}),
    "load_judge": (evaluation.load_judge, {"path": maybe(path)}),
    "read_scenes": (evaluation.read_scenes, {"images": samples(data.render([SCENE] * 2, 8))}),
    "obeys": (evaluation.obeys, {"seen": kind()(SCENE), "asked": kind()(SCENE)}),
    # show
    "tile": (pixels.tile, {"images": row(IMAGES), "gap": whole(2)} | TILES),
    "encode": (pixels.encode, {"pixels": kind()(BLACK)}),
    "as_array": (pixels.as_array, {"values": anything([1.0])}),
    "as_limits": (pixels.as_limits, {"limits": pair((0.0, 1.0))}),
    "as_pixels": (pixels.as_pixels, {"images": row(IMAGES), "limits": pair((0.0, 1.0))}),
    "default_columns": (pixels.default_columns, {"images": count(4)}),
    "panels": (plots.panels, {"rows": count(1), "columns": count(1), "width": number(3.0), "height": number(1.0)}
               | {"title": maybe(text)}),
    "curve": (plots.curve, {"ax": kind()(AX), "x": drawn([1.0, 2.0]), "y": drawn([1.0, 2.0])}
              | {"color": colour(plots.DATA), "label": maybe(text)}),
    "scatter": (plots.scatter, {"ax": kind()(AX), "points": drawn(X), "color": colour(plots.DATA)}
                | {"label": maybe(text), "limit": maybe(number, 3.0), "size": drawn(4.0)}),
    "heat": (plots.heat, {"ax": kind()(AX), "values": drawn(X), "limit": number(3.0), "label": maybe(text)}),
    "arrows": (plots.arrows, {"ax": kind()(AX), "points": drawn(X), "vectors": drawn(X), "color": colour(plots.DATA)}
               | {"limit": maybe(number, 3.0)}),
    "image_grid": (plots.image_grid, {"images": row(IMAGES), "row_titles": maybe(texts, ["a", "b"])}
                   | {"column_titles": maybe(texts, ["a", "b"]), "title": maybe(text)} | TILES | {"scale": maybe(count)}),
    "plotted": (plots.plotted, {"ax": kind()(plots.panels()[1])}),
    "png": (plots.png, {"figure": kind()(FIGURE), "dpi": number(20.0)}),
    "show": (plots.show, {"figure": kind()(FIGURE), "alt": maybe(text)}),
    "drawn": (shown.drawn, {"samples": kind(PICTURED)(IMAGES), "scale": maybe(count, 1)}),
    "drawn, points": (shown.drawn, {"samples": kind(PICTURED)(X), "around": maybe(kind(PICTURED), X)}),
    "encoded": (shown.encoded, {"frames": kind()([BLACK]), "ending": name(".png")}),
    "ours": (shown.ours, {"head": kind("bytes")(b"x"), "ending": name(".png")}),
    "StepScrubber": (widgets.StepScrubber, {"frames": kind()([pixels.encode(BLACK)]), "labels": maybe(texts, ["a"])}
                     | {"start": whole(0), "interval": count(200), "alt": maybe(text)}),
    "film": (widgets.film, {"steps": kind()([IMAGES]), "labels": maybe(texts, ["a"]), "start": whole(0)}
             | {"alt": maybe(text)} | TILES),
    "Pad": (pad.Pad, {"kind": kind()("doodle"), "initial": maybe(kind("whole alike | bools alike"), torch.zeros(28, 28))}
            | {"limit": number(3.0), "most": count(5)}),
    # course
    "Lever": (Lever, {"f": function(lambda t: pixels.encode(BLACK)), "sliders": kind()({"t": (0, 1, 0)})}),
    "live": (lambda f: live(f, t=(0, 1, 0)), {"f": function(lambda t: pixels.encode(BLACK))}),
    "check": (course.check, {"name": text("a"), "got": measured(1.0), "want": measured(1.0), "rtol": number(0.1)}
              | {"atol": number(0.1)}),
    "check_between": (course.check_between, {"name": text("a"), "got": measured(1.0), "low": limit(0.0)}
                      | {"high": limit(2.0)}),
    "check_that": (course.check_that, {"name": text("a"), "condition": kind("True", AssertionError)(True)}),
    "attempt": (course.attempt, {"check": function(lambda answer: None), "mine": anything(abs)}
                | {"otherwise": anything(abs)}),
    "quiz": (course.quiz, {"name": name("07")}),
    "Quiz": (Quiz, {"name": name("07")}),
    "questions": (questions, {"name": name("07")}),
}  # fmt: skip
ABSENT = {
    "cifar10": [data.DataError],
    "found_again": [data.DataError],
    "resume": [engine.CheckpointError],
}  # whose files do not come with minidiff
EXEMPT = {
    "Prediction": "holds what it is given, and is made at every step",
    "Estimate": "holds what it is given",
    "Operator": "holds what it is given",
    "Scene": "holds what it is given, and render looks at it",
    "Choice": "holds what it is given",
    "Question": "holds what it is given",
    "Thing": "holds what it is given, and render looks at it",
    "Panel": "is matplotlib's, and made by panels",
    "nulls_of": "asks anything for what it declares",
}
ROOMS = ("minidiff", *(f"minidiff.{room}" for room in ("networks", "data", "engine", "evaluation", "course")))
OPEN = (
    "conditions",
    "losses",
    "estimates",
    "show.pixels",
    "show.plots",
    "show.samples",
    "show.widgets",
    "show.pad",
    "course.live",
    "course.multiple_choice",
)  # modules without a list


def public() -> dict[str, Any]:
    """Functions and classes by name: what rooms name in `__all__`, and what modules without a list define."""
    found = {}
    for room in ROOMS:
        module = import_module(room)
        found |= {name: getattr(module, name) for name in module.__all__}
    for module in (import_module(f"minidiff.{part}") for part in OPEN):
        own = {name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
        found |= {name: getattr(module, name) for name in own if not name.startswith("_")}
    return {name: value for name, value in found.items() if callable(value)}


def arguments(function: Any) -> set[str]:
    """The names of a function's arguments, without what it passes on, such as **options."""
    if isclass(function) and issubclass(function, Exception):
        return set()
    found = signature(function).parameters.values()
    return {one.name for one in found if one.kind is not one.VAR_KEYWORD}


def test_nothing_public_is_left_out():
    left_out = {}
    for name, function in public().items():
        rows = [given for row, (_, given) in CALLS.items() if row.split(",")[0] == name]
        left_out[name] = arguments(function) - {argument for given in rows for argument in given}
    assert {name: missing for name, missing in left_out.items() if missing and name not in EXEMPT} == {}
    assert left_out.keys() > EXEMPT.keys()


def test_kinds_say_of_nonsense_that_is_tried_whether_it_is_taken():
    """And at least 20 kinds must be refused, wherever anything is."""
    known = {*NONSENSE, *alike(torch.ones(1)), ""}
    for name, (_, given) in CALLS.items():
        for argument, one in given.items():
            assert one.taken <= known and (len(known - one.taken) > 20 or one.taken > {*NONSENSE}), (name, argument)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model, a run and two pictures in it."""
    made = tmp_path_factory.mktemp("nonsense")
    engine.save(made / "model.safetensors", LEARNED)
    engine.save_run(made / "run.safetensors", engine.Run(LEARNED))
    (made / "pictures").mkdir()
    for shade in (0, 255):
        (made / "pictures" / f"{shade}.png").write_bytes(pixels.encode(BLACK + np.uint8(shade)))
    return made


def finite(result: Any) -> bool:
    """Whether no number of a result is NaN or infinite."""
    parts = result if isinstance(result, (tuple, list)) else (result,)
    tensors = [torch.as_tensor(part) for part in parts if isinstance(part, (Tensor, float))]
    return all(bool(part.isfinite().all()) for part in tensors)


def fault(function: Callable, given: dict[str, Given], argument: str, nonsense: Any, taken: bool) -> str:
    """What is wrong with what a function does with nonsense; nothing if it refuses it, or if it can be meant."""
    try:
        result = function(**{name: one.value for name, one in given.items()} | {argument: nonsense})
    except given[argument].errors as error:
        return "" if sentence(error) else f"no sentence, {error!r:.80}"
    except Exception as error:
        return f"{error!r:.80}"
    if not taken:
        return "is taken"
    return "" if not given[argument].finite or finite(result) else f"gives {result!s:.80}"


@pytest.mark.parametrize("name", CALLS)
def test_nonsense_is_refused_in_a_sentence(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MINIDIFF_QUIET", "1")
    function, given = CALLS[name]
    with suppress(*ABSENT.get(name, ())):
        assert finite(function(**{argument: one.value for argument, one in given.items()}))
    faults = []
    for argument, one in given.items():
        for what, nonsense in {**NONSENSE, **alike(one.value)}.items():
            found = fault(function, given, argument, nonsense, what in one.taken)
            if found and not (found.startswith("gives") and "nan" in what):  # what is not looked for is handed on
                faults.append(f"{argument} = {what}: {found}")
    plots.plt.close("all")
    assert not faults, "\n".join(faults)
