# %% preconditioning: is still a square
def preconditioning(r):
    return 1 / (1 + r**2), r**2 / (1 + r**2), 1 / (1 + r**2) ** 0.5

# %% preconditioning: a root too many
def preconditioning(r):
    return 1 / (1 + r**2) ** 0.5, r / (1 + r**2) ** 0.5, 1 / (1 + r**2) ** 0.5

# %% preconditioning: the share of the noise
def preconditioning(r):
    return r**2 / (1 + r**2), r / (1 + r**2) ** 0.5, 1 / (1 + r**2) ** 0.5

# %% preconditioning: grows without end
def preconditioning(r):
    return 1.0, r, 1 / (1 + r**2) ** 0.5

# %% preconditioning: asks the network for x0
def preconditioning(r):
    return 0.0, 1.0, 1 / (1 + r**2) ** 0.5

# %% preconditioning: separated by commas
def preconditioning(r):
    return 1 / (1 + r**2), r / (1 + r**2) ** 0.5

# %% karras: equal steps in r
def karras(n, rho=7.0, low=0.002, high=80.0):
    share = torch.linspace(0, 1, n, dtype=torch.float64)
    return torch.cat([high + share * (low - high), torch.zeros(1, dtype=torch.float64)])

# %% karras: raise them to the power
def karras(n, rho=7.0, low=0.002, high=80.0):
    share, first, final = torch.linspace(0, 1, n, dtype=torch.float64), high ** (1 / rho), low ** (1 / rho)
    return torch.cat([first + share * (final - first), torch.zeros(1, dtype=torch.float64)])

# %% karras: have changed places: first the root
def karras(n, rho=7.0, low=0.002, high=80.0):
    share = torch.linspace(0, 1, n, dtype=torch.float64)
    levels = (high**rho + share * (low**rho - high**rho)) ** (1 / rho)
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])

# %% karras: begins in the noise
def karras(n, rho=7.0, low=0.002, high=80.0):
    share, first, final = torch.linspace(0, 1, n, dtype=torch.float64), high ** (1 / rho), low ** (1 / rho)
    return torch.cat([(final + share * (first - final)) ** rho, torch.zeros(1, dtype=torch.float64)])

# %% karras: equal steps in ln r
def karras(n, rho=7.0, low=0.002, high=80.0):
    return torch.cat([torch.logspace(math.log10(high), math.log10(low), n, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])

# %% karras: it gives shape
def karras(n, rho=7.0, low=0.002, high=80.0):
    share, first, final = torch.linspace(0, 1, n, dtype=torch.float64), high ** (1 / rho), low ** (1 / rho)
    return (first + share * (final - first)) ** rho

# %% heun: that is where Euler lands
def heun(denoiser, x_t, t, s, *, generator=None):
    return x_t + (s - t) * denoiser(x_t, t).eps

# %% heun: take their mean
def heun(denoiser, x_t, t, s, *, generator=None):
    slope = denoiser(x_t, t).eps
    landed = x_t + (s - t) * slope
    return landed if s == 0 else x_t + (s - t) * (slope + denoiser(landed, s).eps)

# %% heun: followed from x_t
def heun(denoiser, x_t, t, s, *, generator=None):
    slope = denoiser(x_t, t).eps
    landed = x_t + (s - t) * slope
    return landed if s == 0 else landed + (s - t) / 2 * (slope + denoiser(landed, s).eps)

# %% heun: the second evaluation is at x_t
def heun(denoiser, x_t, t, s, *, generator=None):
    slope = denoiser(x_t, t).eps
    landed = x_t + (s - t) * slope
    return landed if s == 0 else x_t + (s - t) / 2 * (slope + denoiser(x_t, s).eps)

# %% heun: the second evaluation is at the level t
def heun(denoiser, x_t, t, s, *, generator=None):
    slope = denoiser(x_t, t).eps
    landed = x_t + (s - t) * slope
    return landed if s == 0 else x_t + (s - t) / 2 * (slope + denoiser(landed, t).eps)

# %% heun: the sign is turned
def heun(denoiser, x_t, t, s, *, generator=None):
    slope = denoiser(x_t, t).eps
    landed = x_t + (s - t) * slope
    return landed if s == 0 else x_t + (t - s) / 2 * (slope + denoiser(landed, s).eps)

# %% extrapolated: The half is missing
def extrapolated(now, before, h, h_before):
    return now + h * (now - before) / h_before

# %% extrapolated: the ratio is upside down
def extrapolated(now, before, h, h_before):
    return now + h_before / (2 * h) * (now - before)

# %% extrapolated: right for equal steps only
def extrapolated(now, before, h, h_before):
    return now + (now - before) / 2

# %% extrapolated: the wrong sign
def extrapolated(now, before, h, h_before):
    return now + h / 2 * (before - now) / h_before

# %% extrapolated: behind us
def extrapolated(now, before, h, h_before):
    return (now + before) / 2

# %% extrapolated: the line goes on from now
def extrapolated(now, before, h, h_before):
    return before + h / 2 * (now - before) / h_before

# %% shifted: is the factor of r
def shifted():
    return 3.0, 1.0

# %% shifted: before the shift
def shifted():
    return 0.0, 1.0

# %% shifted: does not widen it
def shifted():
    return math.log(3), 3.0

# %% shifted: towards the noise
def shifted():
    return -math.log(3), 1.0

# %% shifted: not ln r
def shifted():
    return 0.0, 3.0

# %% shifted: natural logarithm
def shifted():
    return math.log10(3), 1.0

# %% min_snr: the weight of x0's error
def min_snr(r, gamma=5.0):
    return (1 / r**2).clamp(max=gamma)

# %% min_snr: the weight of eps's error
def min_snr(r, gamma=5.0):
    return r**2 * (1 / r**2).clamp(max=gamma)

# %% min_snr: c_out comes twice
def min_snr(r, gamma=5.0):
    return r / (1 + r**2) ** 0.5 * (1 / r**2).clamp(max=gamma)

# %% min_snr: ratio of variances
def min_snr(r, gamma=5.0):
    return r**2 / (1 + r**2) * (1 / r).clamp(max=gamma)

# %% min_snr: not the larger
def min_snr(r, gamma=5.0):
    return r**2 / (1 + r**2) * (1 / r**2).clamp(min=gamma)

# %% min_snr: squared multiplies
def min_snr(r, gamma=5.0):
    return (1 / r**2).clamp(max=gamma) * (1 + r**2) / r**2
