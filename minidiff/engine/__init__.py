"""Everything around the mathematics: training, checkpoints, presets, whole runs, and drawing in batches."""

from .checkpoints import CheckpointError, load, load_network, load_run, read, save, save_network, save_run, units
from .feed import generator_for
from .generate import generate
from .measurements import averaging, blurring, masking, mixing, projecting
from .presets import PRESETS
from .runs import RUN, begin, resume
from .runtime import device_name, progress, runtime
from .state import Run
from .train import TrainingError, learning_rate, train

__all__ = [
    "PRESETS",
    "RUN",
    "CheckpointError",
    "Run",
    "TrainingError",
    "averaging",
    "begin",
    "blurring",
    "device_name",
    "generate",
    "generator_for",
    "learning_rate",
    "load",
    "load_network",
    "load_run",
    "masking",
    "mixing",
    "progress",
    "projecting",
    "read",
    "resume",
    "runtime",
    "save",
    "save_network",
    "save_run",
    "train",
    "units",
]
