# %% jump: the noise by normal_
def jump(x0, t, schedule, generator):
    eps = torch.empty_like(x0).normal_(generator=generator)
    alpha, sigma = schedule(torch.as_tensor(t, dtype=torch.float64))
    return float(alpha) * x0 + float(sigma) * eps, eps


# %% jump: row by row, from the last
def jump(x0, t, schedule, generator):
    alpha, sigma = evaluate(schedule, t)
    rows = [torch.randn(row.shape, generator=generator, dtype=x0.dtype) for row in x0]
    eps = torch.stack(rows[::-1])
    return torch.add(alpha * x0, eps, alpha=sigma), eps


# %% jump: by Box and Muller
def jump(x0, t, schedule, generator):
    u, v = (torch.rand(x0.shape, generator=generator, dtype=torch.float64) for _ in range(2))
    eps = ((-2 * (1 - u).log()).sqrt() * (2 * math.pi * v).cos()).to(x0.dtype)
    alpha, sigma = evaluate(schedule, t)
    return alpha * x0 + sigma * eps, eps


# %% between: by hypotenuse
def between(schedule, s, t):
    a = evaluate(schedule, t)[0] / evaluate(schedule, s)[0]
    left = a * evaluate(schedule, s)[1]
    sigma = evaluate(schedule, t)[1]
    return a, math.sqrt((sigma - left) * (sigma + left))


# %% between: as tensors
def between(schedule, s, t):
    levels = torch.tensor([evaluate(schedule, one) for one in (s, t)], dtype=torch.float64)
    a = levels[1, 0] / levels[0, 0]
    return a, (levels[1, 1] ** 2 - (a * levels[0, 1]) ** 2).sqrt()


# %% between: a list, from the signal-to-noise ratios
def between(schedule, s, t):
    (alpha_s, sigma_s), (alpha_t, sigma_t) = evaluate(schedule, s), evaluate(schedule, t)
    ratio = (sigma_t / alpha_t) ** 2 - (sigma_s / alpha_s) ** 2
    return [alpha_t / alpha_s, alpha_t * math.sqrt(ratio)]


# %% levels: a loop
def levels(betas):
    alphas, alpha = [], 1.0
    for beta in betas.tolist():
        alpha *= math.sqrt(1 - beta)
        alphas.append(alpha)
    alphas = torch.tensor(alphas, dtype=torch.float64)
    return alphas, (1 - alphas**2).sqrt()


# %% levels: through logarithms
def levels(betas):
    log = torch.cumsum(torch.log1p(-betas.double()), 0)
    return (log / 2).exp(), (-torch.expm1(log)).sqrt()


# %% levels: with NumPy
def levels(betas):
    import numpy as np

    alpha_bar = np.cumprod(1 - betas.double().numpy())
    return np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)


# %% same-noise: through the ratio
def same_noise(t, k):
    ratio = k * t / (1 - t)
    return ratio / (1 + ratio)


# %% same-noise: through its inverse
def same_noise(t, k):
    return 1 / (1 + (1 - t) / (k * t)) if k != 1 else t


# %% same-noise: by bisection
def same_noise(t, k):
    if k == 1:
        return t
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle / (1 - middle) < k * t / (1 - t) else (low, middle)
    return low


# %% paper: as fractions
variance, equal = 7 / 4, 0.705

# %% paper: as tensors
variance = torch.tensor(1.75)
equal = torch.tensor(2.0).atan() / (math.pi / 2)

# %% paper: with four digits
variance, equal = 1.75, 0.7048
