# %% jump: both are squared
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    eps = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
    return alpha**2 * x0 + sigma**2 * eps, eps

# %% jump: alpha is squared
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    eps = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
    return alpha**2 * x0 + sigma * eps, eps

# %% jump: alpha and sigma have changed places
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    eps = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
    return sigma * x0 + alpha * eps, eps

# %% jump: that is uniform noise on [0, 1]
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    eps = torch.rand(x0.shape, generator=generator, dtype=x0.dtype)
    return alpha * x0 + sigma * eps, eps

# %% jump: draw from it
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    eps = torch.randn_like(x0)
    return alpha * x0 + sigma * eps, eps

# %% jump: every row needs noise of its own
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    eps = torch.randn(x0.shape[1:], generator=generator, dtype=x0.dtype).expand(x0.shape)
    return alpha * x0 + sigma * eps, eps

# %% jump: drawn in that dtype
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    eps = torch.randn(x0.shape, generator=generator)
    return alpha * x0 + sigma * eps, eps

# %% jump: the data shrink, too
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    eps = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
    return x0 + sigma * eps, eps

# %% between: a is upside down
def between(schedule, s, t):
    (alpha_s, sigma_s), (alpha_t, sigma_t) = evaluate(schedule, s), evaluate(schedule, t)
    a = alpha_s / alpha_t
    return a, math.sqrt(abs(sigma_t**2 - a**2 * sigma_s**2))

# %% between: a ratio of alphas, not of their squares
def between(schedule, s, t):
    (alpha_s, sigma_s), (alpha_t, sigma_t) = evaluate(schedule, s), evaluate(schedule, t)
    a = alpha_t**2 / alpha_s**2
    return a, math.sqrt(abs(sigma_t**2 - a**2 * sigma_s**2))

# %% between: its root is missing
def between(schedule, s, t):
    (alpha_s, sigma_s), (alpha_t, sigma_t) = evaluate(schedule, s), evaluate(schedule, t)
    a = alpha_t / alpha_s
    return a, sigma_t**2 - a**2 * sigma_s**2

# %% between: variances add, standard deviations do not
def between(schedule, s, t):
    (alpha_s, sigma_s), (alpha_t, sigma_t) = evaluate(schedule, s), evaluate(schedule, t)
    a = alpha_t / alpha_s
    return a, sigma_t - a * sigma_s

# %% between: the noise of x_s shrinks by a as well
def between(schedule, s, t):
    (alpha_s, sigma_s), (alpha_t, sigma_t) = evaluate(schedule, s), evaluate(schedule, t)
    return alpha_t / alpha_s, math.sqrt(abs(sigma_t**2 - sigma_s**2))

# %% between: variance preserving path only
def between(schedule, s, t):
    a = evaluate(schedule, t)[0] / evaluate(schedule, s)[0]
    return a, math.sqrt(1 - a**2)

# %% levels: alpha is its root
def levels(betas):
    alpha_bar = torch.cumprod(1 - betas.double(), 0)
    return alpha_bar, (1 - alpha_bar).sqrt()

# %% levels: that is the variance
def levels(betas):
    alpha_bar = torch.cumprod(1 - betas.double(), 0)
    return alpha_bar.sqrt(), 1 - alpha_bar

# %% levels: its first alpha is sqrt
def levels(betas):
    alpha_bar = torch.cumprod(1 - betas.double(), 0)
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

# %% levels: that is one step's: multiply
def levels(betas):
    return (1 - betas.double()).sqrt(), betas.double().sqrt()

# %% levels: the sum of the betas forgets that
def levels(betas):
    alpha_bar = torch.cumprod(1 - betas.double(), 0)
    return alpha_bar.sqrt(), torch.cumsum(betas.double(), 0).sqrt()

# %% same-noise: noisier, not cleaner
def same_noise(t, k):
    return t / (k - (k - 1) * t)

# %% same-noise: so sigma by k
def same_noise(t, k):
    return k**2 * t / (1 + (k**2 - 1) * t)

# %% same-noise: not by its root
def same_noise(t, k):
    return k**0.5 * t / (1 + (k**0.5 - 1) * t)

# %% same-noise: sigma / alpha does
def same_noise(t, k):
    return k * t if t < 0.4 else k * t / (1 + (k - 1) * t)

# %% paper: which of them belongs to the data
variance, equal = 3.25, 0.7048

# %% paper: of variance 2 would have
variance, equal = 1.25, 0.7048

# %% paper: right for data of variance 1
variance, equal = 1.75, 0.5

# %% paper: tan(pi t / 2) is its root
variance, equal = 1.75, 0.844

# %% paper: last longer, not shorter
variance, equal = 1.75, 0.2952
