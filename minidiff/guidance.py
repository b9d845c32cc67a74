"""Guidance turns one denoiser into another; every function here is  Denoiser -> Denoiser.

A guided denoiser plugs into any sampler, because samplers only ever call denoiser(x_t, t).
"""

from torch import Tensor

from .predictions import AnyDenoiser, Denoiser, Prediction
from .schedules import Time


def given(denoiser: AnyDenoiser, **cond) -> Denoiser:
    """Fix the condition: p(x0 | x_t, y) as a denoiser of x_t alone, as in given(denoiser, y=7)."""
    return Denoiser(denoiser.schedule, lambda x_t, t: denoiser(x_t, t, **cond))


def extrapolate(good: AnyDenoiser, bad: AnyDenoiser, scale: float) -> Denoiser:
    """bad + scale * (good - bad), so that scale = 1 is just good and scale = 0 just bad.

    Classifier-free guidance where bad ignores the label (Ho & Salimans 2022, Eq. 6, whose w is scale - 1);
    autoguidance where bad is a weaker model (Karras et al. 2024). Raises ValueError for two different schedules.
    """
    if good.schedule is not bad.schedule:
        raise ValueError("both denoisers must live on the same schedule: the same t means another noise level elsewhere")

    def predict(x_t: Tensor, t: Time) -> Prediction:
        return Prediction(*(b + scale * (g - b) for g, b in zip(good(x_t, t), bad(x_t, t))))

    return Denoiser(good.schedule, predict)
