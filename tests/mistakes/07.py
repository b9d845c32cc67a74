# %% drift: the sign of the score is turned
def drift(x, score, f, g, eta):
    return f * x + (1 + eta**2) / 2 * g**2 * score

# %% drift: a half is missing
def drift(x, score, f, g, eta):
    return f * x - (1 + eta**2) * g**2 * score

# %% drift: that is the drift of the ODE
def drift(x, score, f, g, eta):
    return f * x - g**2 / 2 * score

# %% drift: 1 - eta^2 is the factor on the way out
def drift(x, score, f, g, eta):
    return f * x - (1 - eta**2) / 2 * g**2 * score

# %% drift: g stands where its square belongs
def drift(x, score, f, g, eta):
    return f * x - (1 + eta**2) / 2 * g * score

# %% drift: f multiplies x
def drift(x, score, f, g, eta):
    return f - (1 + eta**2) / 2 * g**2 * score

# %% family_step: it is -eps over sigma
def family_step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    f, g = drift_and_diffusion(denoiser.schedule, t)
    score = denoiser(x_t, t).eps / evaluate(denoiser.schedule, t)[1]
    x_s = x_t + (s - t) * drift(x_t, score, f, g, eta)
    if eta and s > 0:
        x_s = x_s + eta * g * math.sqrt(t - s) * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return x_s

# %% family_step: sigma is missing
def family_step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    f, g = drift_and_diffusion(denoiser.schedule, t)
    score = -denoiser(x_t, t).eps
    x_s = x_t + (s - t) * drift(x_t, score, f, g, eta)
    if eta and s > 0:
        x_s = x_s + eta * g * math.sqrt(t - s) * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return x_s

# %% family_step: dt = s - t is negative already
def family_step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    f, g = drift_and_diffusion(denoiser.schedule, t)
    score = -denoiser(x_t, t).eps / evaluate(denoiser.schedule, t)[1]
    x_s = x_t - (s - t) * drift(x_t, score, f, g, eta)
    if eta and s > 0:
        x_s = x_s + eta * g * math.sqrt(t - s) * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return x_s

# %% family_step: by the root of t - s
def family_step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    f, g = drift_and_diffusion(denoiser.schedule, t)
    score = -denoiser(x_t, t).eps / evaluate(denoiser.schedule, t)[1]
    x_s = x_t + (s - t) * drift(x_t, score, f, g, eta)
    if eta and s > 0:
        x_s = x_s + eta * g * (t - s) * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return x_s

# %% family_step: it raised ValueError
def family_step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    f, g = drift_and_diffusion(denoiser.schedule, t)
    dt = s - t
    score = -denoiser(x_t, t).eps / evaluate(denoiser.schedule, t)[1]
    x_s = x_t + dt * drift(x_t, score, f, g, eta)
    if eta and s > 0:
        x_s = x_s + eta * g * math.sqrt(dt) * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return x_s

# %% family_step: eta is missing in the noise
def family_step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    f, g = drift_and_diffusion(denoiser.schedule, t)
    score = -denoiser(x_t, t).eps / evaluate(denoiser.schedule, t)[1]
    x_s = x_t + (s - t) * drift(x_t, score, f, g, eta)
    if eta and s > 0:
        x_s = x_s + g * math.sqrt(t - s) * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return x_s

# %% quantile_map: that is the share itself
def quantile_map(x1, start, end):
    return share_below(start, x1)

# %% quantile_map: have changed places
def quantile_map(x1, start, end):
    return quantile(start, share_below(end, x1))

# %% quantile_map: quantile wants a share
def quantile_map(x1, start, end):
    return quantile(end, x1)

# %% quantile_map: that is x1 again
def quantile_map(x1, start, end):
    return quantile(start, share_below(start, x1))

# %% quantile_map: the order is turned round
def quantile_map(x1, start, end):
    return quantile(end, 1 - share_below(start, x1))

# %% langevin_move: it goes downhill
def langevin_move(x, score, d, z):
    return x - d * score + math.sqrt(2 * d) * z

# %% langevin_move: variance 2 d: take the root
def langevin_move(x, score, d, z):
    return x + d * score + 2 * d * z

# %% langevin_move: variance 2 d, not d
def langevin_move(x, score, d, z):
    return x + d * score + math.sqrt(d) * z

# %% langevin_move: no noise
def langevin_move(x, score, d, z):
    return x + d * score

# %% langevin_move: the score is multiplied by d, not by 2 d
def langevin_move(x, score, d, z):
    return x + 2 * d * score + math.sqrt(2 * d) * z

# %% langevin_move: a move starts from where x is
def langevin_move(x, score, d, z):
    return d * score + math.sqrt(2 * d) * z

# %% sub_vp: that is VP's
def sub_vp():
    return 1

# %% sub_vp: -2 f sigma^2 adds to it
def sub_vp():
    return 0.5

# %% sub_vp: has the wrong sign
def sub_vp():
    return 0.25

# %% sub_vp: g over the root of b
def sub_vp():
    return 0.75**0.5

# %% sub_vp: that is for alpha = 1/2
def sub_vp():
    return 15 / 16

# %% displaced: without the displacement
def displaced():
    return 0.2

# %% displaced: the wrong way
def displaced():
    return 0.366

# %% displaced: the other mode's share
def displaced():
    return 0.91

# %% displaced: no half of the share
def displaced():
    return 0.1

# %% displaced: give three digits
def displaced():
    return 0.09

# %% drift_out: that is the way back
def drift_out(x, score, f, g, eta):
    return f * x - (1 + eta**2) / 2 * g**2 * score

# %% drift_out: the sign is turned
def drift_out(x, score, f, g, eta):
    return f * x + (1 - eta**2) / 2 * g**2 * score

# %% drift_out: a half is missing
def drift_out(x, score, f, g, eta):
    return f * x - (1 - eta**2) * g**2 * score

# %% drift_out: that is the ODE
def drift_out(x, score, f, g, eta):
    return f * x - g**2 / 2 * score

# %% drift_out: that is the forward SDE
def drift_out(x, score, f, g, eta):
    return f * x

# %% drift_out: the square is of eta alone
def drift_out(x, score, f, g, eta):
    return f * x - (1 - eta) ** 2 / 2 * g**2 * score

# %% sub_vp: a 2 is missing
def sub_vp():
    return 0.625

# %% displaced: the border has four digits
def displaced():
    return 0.0901
