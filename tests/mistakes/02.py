# %% jump: not by alpha-bar
def jump(x0, alpha_bar, eps):
    return alpha_bar * x0 + (1 - alpha_bar).sqrt() * eps

# %% jump: is the variance of the noise
def jump(x0, alpha_bar, eps):
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar) * eps

# %% jump: their squares add up to 1
def jump(x0, alpha_bar, eps):
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar.sqrt()) * eps

# %% jump: changed places
def jump(x0, alpha_bar, eps):
    return (1 - alpha_bar).sqrt() * x0 + alpha_bar.sqrt() * eps

# %% jump: x0 is not shrunk
def jump(x0, alpha_bar, eps):
    return x0 + (1 - alpha_bar).sqrt() * eps

# %% jump: with the eps that is given
def jump(x0, alpha_bar, eps):
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * torch.randn_like(x0)

# %% between: right only where
def between(alpha_s, sigma_s, alpha_t, sigma_t):
    a = alpha_t / alpha_s
    variance = 1 - a**2
    return a, variance

# %% between: a shrinks it
def between(alpha_s, sigma_s, alpha_t, sigma_t):
    a = alpha_t / alpha_s
    variance = sigma_t**2 - sigma_s**2
    return a, variance

# %% between: upside down
def between(alpha_s, sigma_s, alpha_t, sigma_t):
    a = alpha_s / alpha_t
    variance = sigma_t**2 - a**2 * sigma_s**2
    return a, variance

# %% between: a stands where its square belongs
def between(alpha_s, sigma_s, alpha_t, sigma_t):
    a = alpha_t / alpha_s
    variance = sigma_t**2 - a * sigma_s**2
    return a, variance

# %% between: standard deviations are subtracted
def between(alpha_s, sigma_s, alpha_t, sigma_t):
    a = alpha_t / alpha_s
    variance = (sigma_t - a * sigma_s) ** 2
    return a, variance

# %% between: that is b
def between(alpha_s, sigma_s, alpha_t, sigma_t):
    a = alpha_t / alpha_s
    variance = (sigma_t**2 - a**2 * sigma_s**2) ** 0.5
    return a, variance

# %% halfway: still the stronger
def halfway():
    return 34

# %% halfway: steps are whole
def halfway():
    return math.log(0.5) / math.log(0.98)

# %% halfway: compare the squares
def halfway():
    return 69

# %% halfway: do not add up
def halfway():
    return 25

# %% betas_of: all the noise since the data
def betas_of(alpha_bar):
    return 1 - alpha_bar

# %% betas_of: one beta is missing
def betas_of(alpha_bar):
    previous = alpha_bar[:-1]
    return 1 - alpha_bar[1:] / previous

# %% betas_of: roll brings the last entry to the front
def betas_of(alpha_bar):
    previous = alpha_bar.roll(1)
    return 1 - alpha_bar / previous

# %% betas_of: upside down
def betas_of(alpha_bar):
    previous = torch.cat([torch.ones(1), alpha_bar[:-1]])
    return 1 - previous / alpha_bar

# %% betas_of: what a step keeps
def betas_of(alpha_bar):
    previous = torch.cat([torch.ones(1), alpha_bar[:-1]])
    return alpha_bar / previous

# %% betas_of: do not subtract
def betas_of(alpha_bar):
    previous = torch.cat([torch.ones(1), alpha_bar[:-1]])
    return previous - alpha_bar

# %% back: the way forward
def back(v, beta):
    return math.sqrt(1 - beta), beta

# %% back: in the total the shrinking is missing
def back(v, beta):
    total = v + beta
    return math.sqrt(1 - beta) * v / total, beta * v / total

# %% back: the root is missing
def back(v, beta):
    total = (1 - beta) * v + beta
    return (1 - beta) * v / total, beta * v / total

# %% back: take no root
def back(v, beta):
    total = (1 - beta) * v + beta
    return math.sqrt(1 - beta) * v / total, math.sqrt(beta * v / total)

# %% back: c is not squared
def back(v, beta):
    total = (1 - beta) * v + beta
    c = math.sqrt(1 - beta) * v / total
    return c, v - c * total

# %% back: w is not beta
def back(v, beta):
    total = (1 - beta) * v + beta
    return math.sqrt(1 - beta) * v / total, beta
