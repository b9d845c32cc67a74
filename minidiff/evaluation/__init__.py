"""How good are the samples? Metrics on features, the judge of Fashion-MNIST that gives them, and that of scenes."""

from ..estimates import Estimate, floor, jackknife
from .judge import load_judge
from .metrics import (
    c2st,
    class_fidelity,
    density_coverage,
    frechet_distance,
    inception_score,
    kernel_distance,
    memorisation,
    mmd,
    precision_recall,
    sliced_wasserstein,
)
from .scene_parser import obeys, read_scenes

__all__ = [
    "Estimate",
    "c2st",
    "class_fidelity",
    "density_coverage",
    "floor",
    "frechet_distance",
    "inception_score",
    "jackknife",
    "kernel_distance",
    "load_judge",
    "memorisation",
    "mmd",
    "obeys",
    "precision_recall",
    "read_scenes",
    "sliced_wasserstein",
]
