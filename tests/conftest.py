"""Unit tests draw into memory, whatever screen there is, and compute on one thread, so that timings and bits repeat."""

import matplotlib
import torch

matplotlib.use("Agg")
torch.set_num_threads(1)
