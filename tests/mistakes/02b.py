# %% linear_alpha_bar: the integral of u is t^2
def linear_alpha_bar(t, low, high):
    integral = low * t + (high - low) * t**2
    return torch.exp(-integral)

# %% linear_alpha_bar: that is alpha
def linear_alpha_bar(t, low, high):
    integral = low * t + (high - low) * t**2 / 2
    return torch.exp(-integral / 2)

# %% linear_alpha_bar: should be negative
def linear_alpha_bar(t, low, high):
    integral = low * t + (high - low) * t**2 / 2
    return torch.exp(integral)

# %% linear_alpha_bar: not by high
def linear_alpha_bar(t, low, high):
    integral = low * t + high * t**2 / 2
    return torch.exp(-integral)

# %% shifted: no longer add up to 1
def shifted(alpha, sigma, factor):
    return alpha, factor * sigma

# %% shifted: the root is missing
def shifted(alpha, sigma, factor):
    size = alpha**2 + (factor * sigma) ** 2
    return alpha / size, factor * sigma / size

# %% shifted: the factor squared
def shifted(alpha, sigma, factor):
    size = (alpha**2 + (factor**2 * sigma) ** 2) ** 0.5
    return alpha / size, factor**2 * sigma / size

# %% shifted: is divided by the factor
def shifted(alpha, sigma, factor):
    size = ((factor * alpha) ** 2 + sigma**2) ** 0.5
    return factor * alpha / size, sigma / size

# %% shifted: not by the sum
def shifted(alpha, sigma, factor):
    size = alpha + factor * sigma
    return alpha / size, factor * sigma / size

# %% same_noise: for a ratio of 4
def same_noise():
    return 0.8

# %% same_noise: not less
def same_noise():
    return 1 / 3

# %% same_noise: time is not the ratio
def same_noise():
    return 1.0

# %% same_noise: the root of four is 2
def same_noise():
    return 2**0.5 / (1 + 2**0.5)

# %% brightness_snr: the pixels times alpha-bar
def brightness_snr(betas, side):
    last = torch.prod(1 - betas)
    return side**2 * last

# %% brightness_snr: the SNR of one pixel
def brightness_snr(betas, side):
    last = torch.prod(1 - betas)
    return last / (1 - last)

# %% brightness_snr: side * side pixels
def brightness_snr(betas, side):
    last = torch.prod(1 - betas)
    return side * last / (1 - last)

# %% brightness_snr: take no root
def brightness_snr(betas, side):
    last = torch.prod(1 - betas).sqrt()
    return side**2 * last / (1 - last)

# %% brightness_snr: one step only
def brightness_snr(betas, side):
    last = 1 - betas[-1]
    return side**2 * last / (1 - last)

# %% straight: take roots
def straight(t, top, bottom):
    log_ratio = top + (bottom - top) * t
    return torch.sigmoid(log_ratio), torch.sigmoid(-log_ratio)

# %% straight: the wrong way
def straight(t, top, bottom):
    log_ratio = bottom + (top - bottom) * t
    return torch.sigmoid(log_ratio).sqrt(), torch.sigmoid(-log_ratio).sqrt()

# %% straight: a 2 too many
def straight(t, top, bottom):
    log_ratio = 2 * (top + (bottom - top) * t)
    return torch.sigmoid(log_ratio).sqrt(), torch.sigmoid(-log_ratio).sqrt()

# %% straight: do not add up to 1
def straight(t, top, bottom):
    log_ratio = top + (bottom - top) * t
    return torch.exp(log_ratio / 2), torch.ones_like(t)

# %% straight: should end at bottom
def straight(t, top, bottom):
    log_ratio = top + bottom * t
    return torch.sigmoid(log_ratio).sqrt(), torch.sigmoid(-log_ratio).sqrt()
