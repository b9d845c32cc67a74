# %% best-guess: the prior is forgotten
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    return (-((x_t[:, None] - alpha * points) ** 2) / (2 * sigma**2)).softmax(1) @ points

# %% best-guess: by the variance, sigma^2, not by sigma
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    return (-((x_t[:, None] - alpha * points) ** 2) / (2 * sigma) + shares.log()).softmax(1) @ points

# %% best-guess: the 2 is missing
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    return (-((x_t[:, None] - alpha * points) ** 2) / sigma**2 + shares.log()).softmax(1) @ points

# %% best-guess: compared with alpha times a point
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    return (-((x_t[:, None] - points) ** 2) / (2 * sigma**2) + shares.log()).softmax(1) @ points

# %% best-guess: the likeliest number
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    return points[(-((x_t[:, None] - alpha * points) ** 2) / (2 * sigma**2) + shares.log()).argmax(1)]

# %% best-guess: which sum of weights is 1
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    fit = -((x_t[:, None] - alpha * points) ** 2) / (2 * sigma**2) + shares.log()
    return fit.softmax(0) @ points

# %% best-guess: 0 / 0 is no number
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    weights = shares * torch.exp(-((x_t[:, None] - alpha * points) ** 2) / (2 * sigma**2))
    return (weights * points).sum(1) / weights.sum(1)

# %% read-off: eps: x_t - sigma eps is alpha x0
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    if target == "x0":
        return y, 1.0
    if target == "eps":
        return x_t - sigma * y, alpha**2 / sigma**2
    both = alpha**2 + sigma**2
    return (alpha * x_t - sigma * y) / both, both**2 / sigma**2

# %% read-off: eps: all of eps is taken away
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    if target == "x0":
        return y, 1.0
    if target == "eps":
        return (x_t - y) / alpha, alpha**2 / sigma**2
    both = alpha**2 + sigma**2
    return (alpha * x_t - sigma * y) / both, both**2 / sigma**2

# %% read-off: that sum is not 1 on every path
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    if target == "x0":
        return y, 1.0
    if target == "eps":
        return (x_t - sigma * y) / alpha, alpha**2 / sigma**2
    return alpha * x_t - sigma * y, 1 / sigma**2

# %% read-off: the noise cancels in alpha x_t - sigma v
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    if target == "x0":
        return y, 1.0
    if target == "eps":
        return (x_t - sigma * y) / alpha, alpha**2 / sigma**2
    both = alpha**2 + sigma**2
    return (alpha * x_t + sigma * y) / both, both**2 / sigma**2

# %% read-off: the weight is upside down
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    if target == "x0":
        return y, 1.0
    if target == "eps":
        return (x_t - sigma * y) / alpha, sigma**2 / alpha**2
    both = alpha**2 + sigma**2
    return (alpha * x_t - sigma * y) / both, sigma**2 / both**2

# %% read-off: eps: the weight is of squares
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    if target == "x0":
        return y, 1.0
    if target == "eps":
        return (x_t - sigma * y) / alpha, alpha / sigma
    both = alpha**2 + sigma**2
    return (alpha * x_t - sigma * y) / both, both / sigma

# %% read-off: the weight 1 / sigma^2 holds where
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    if target == "x0":
        return y, 1.0
    if target == "eps":
        return (x_t - sigma * y) / alpha, alpha**2 / sigma**2
    return (alpha * x_t - sigma * y) / (alpha**2 + sigma**2), 1 / sigma**2

# %% paper: data of variance 1
floor, mean, variance = 0.75, 17 / 14, 9 / 28

# %% paper: the error of x0, not of eps
floor, mean, variance = 4 / 13, 17 / 14, 9 / 28

# %% paper: data of variance 16
floor, mean, variance = 12 / 12.25, 17 / 14, 9 / 28

# %% paper: still to be divided by 1 - alpha-bar_2
floor, mean, variance = 12 / 13, 17 / 14, 0.27

# %% paper: the factor 0.5 is squared in the precision
floor, mean, variance = 12 / 13, 17 / 14, 0.2903

# %% paper: x_2 is -1: mind its sign
floor, mean, variance = 12 / 13, 1.6429, 9 / 28

# %% paper: have changed places
floor, mean, variance = 12 / 13, -0.2857, 9 / 28

# %% step: the prefactor 1 / sqrt(1 - beta_k) is missing
def step(predict, x, k, betas, large, generator):
    bar = torch.cumprod(1 - betas.double(), 0)
    beta, bar_k = betas[k - 1].item(), bar[k - 1].item()
    mean = x - beta / math.sqrt(1 - bar_k) * predict(x, k)
    if k == 1:
        return mean
    nu = beta if large else (1 - bar[k - 2].item()) / (1 - bar_k) * beta
    return mean + math.sqrt(nu) * torch.randn(x.shape, generator=generator, dtype=x.dtype)

# %% step: multiplied by the root of nu
def step(predict, x, k, betas, large, generator):
    bar = torch.cumprod(1 - betas.double(), 0)
    beta, bar_k = betas[k - 1].item(), bar[k - 1].item()
    mean = (x - beta / math.sqrt(1 - bar_k) * predict(x, k)) / math.sqrt(1 - beta)
    if k == 1:
        return mean
    nu = beta if large else (1 - bar[k - 2].item()) / (1 - bar_k) * beta
    return mean + nu * torch.randn(x.shape, generator=generator, dtype=x.dtype)

# %% step: the table begins with beta_1
def step(predict, x, k, betas, large, generator):
    bar = torch.cumprod(1 - betas.double(), 0)
    beta, bar_k = betas[k].item(), bar[k].item()
    mean = (x - beta / math.sqrt(1 - bar_k) * predict(x, k)) / math.sqrt(1 - beta)
    if k == 1:
        return mean
    nu = beta if large else (1 - bar[k - 1].item()) / (1 - bar_k) * beta
    return mean + math.sqrt(nu) * torch.randn(x.shape, generator=generator, dtype=x.dtype)

# %% step: there is no fresh noise
def step(predict, x, k, betas, large, generator):
    bar = torch.cumprod(1 - betas.double(), 0)
    beta, bar_k = betas[k - 1].item(), bar[k - 1].item()
    mean = (x - beta / math.sqrt(1 - bar_k) * predict(x, k)) / math.sqrt(1 - beta)
    nu = beta if large else (1 - (bar[k - 2].item() if k > 1 else 1)) / (1 - bar_k) * beta
    return mean + math.sqrt(nu) * torch.randn(x.shape, generator=generator, dtype=x.dtype)

# %% step: you take that of one step
def step(predict, x, k, betas, large, generator):
    bar = torch.cumprod(1 - betas.double(), 0)
    beta, bar_k = betas[k - 1].item(), bar[k - 1].item()
    mean = (x - beta / math.sqrt(beta) * predict(x, k)) / math.sqrt(1 - beta)
    if k == 1:
        return mean
    nu = beta if large else (1 - bar[k - 2].item()) / (1 - bar_k) * beta
    return mean + math.sqrt(nu) * torch.randn(x.shape, generator=generator, dtype=x.dtype)

# %% step: large and small have changed places
def step(predict, x, k, betas, large, generator):
    bar = torch.cumprod(1 - betas.double(), 0)
    beta, bar_k = betas[k - 1].item(), bar[k - 1].item()
    mean = (x - beta / math.sqrt(1 - bar_k) * predict(x, k)) / math.sqrt(1 - beta)
    if k == 1:
        return mean
    nu = (1 - bar[k - 2].item()) / (1 - bar_k) * beta if large else beta
    return mean + math.sqrt(nu) * torch.randn(x.shape, generator=generator, dtype=x.dtype)

# %% step: the small variance is upside down
def step(predict, x, k, betas, large, generator):
    bar = torch.cumprod(1 - betas.double(), 0)
    beta, bar_k = betas[k - 1].item(), bar[k - 1].item()
    mean = (x - beta / math.sqrt(1 - bar_k) * predict(x, k)) / math.sqrt(1 - beta)
    if k == 1:
        return mean
    nu = beta if large else (1 - bar_k) / (1 - bar[k - 2].item()) * beta
    return mean + math.sqrt(nu) * torch.randn(x.shape, generator=generator, dtype=x.dtype)

# %% step: draw from it
def step(predict, x, k, betas, large, generator):
    bar = torch.cumprod(1 - betas.double(), 0)
    beta, bar_k = betas[k - 1].item(), bar[k - 1].item()
    mean = (x - beta / math.sqrt(1 - bar_k) * predict(x, k)) / math.sqrt(1 - beta)
    if k == 1:
        return mean
    nu = beta if large else (1 - bar[k - 2].item()) / (1 - bar_k) * beta
    return mean + math.sqrt(nu) * torch.randn_like(x)

# %% ancestral: from noise to data
def ancestral(predict, shape, betas, large, generator):
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    for k in range(1, len(betas) + 1):
        x = step(predict, x, k, betas, large, generator)
    return x

# %% ancestral: the first step is k = T
def ancestral(predict, shape, betas, large, generator):
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    for k in range(len(betas) - 1, 0, -1):
        x = step(predict, x, k, betas, large, generator)
    return x

# %% ancestral: the last step is k = 1
def ancestral(predict, shape, betas, large, generator):
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    for k in range(len(betas), 1, -1):
        x = step(predict, x, k, betas, large, generator)
    return x

# %% ancestral: not with uniform noise
def ancestral(predict, shape, betas, large, generator):
    x = torch.rand(shape, generator=generator, dtype=torch.float64)
    for k in range(len(betas), 0, -1):
        x = step(predict, x, k, betas, large, generator)
    return x

# %% ancestral: not with zeros
def ancestral(predict, shape, betas, large, generator):
    x = torch.zeros(shape, dtype=torch.float64)
    for k in range(len(betas), 0, -1):
        x = step(predict, x, k, betas, large, generator)
    return x

# %% ancestral: the one that you began with
def ancestral(predict, shape, betas, large, generator):
    seed = int(generator.get_state().sum())
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for k in range(len(betas), 0, -1):
        x = step(predict, x, k, betas, large, torch.Generator().manual_seed(seed))
    return x

# %% ancestral: here it is the same in all
def ancestral(predict, shape, betas, large, generator):
    x, seed = torch.randn(shape, generator=generator, dtype=torch.float64), int(generator.get_state().sum())
    for k in range(len(betas), 0, -1):
        x = step(predict, x, k, betas, large, torch.Generator().manual_seed(seed))
    return x

# %% ancestral: large and small have changed places
def ancestral(predict, shape, betas, large, generator):
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    for k in range(len(betas), 0, -1):
        x = step(predict, x, k, betas, not large, generator)
    return x

# %% ancestral: does noise enter in the last step
def ancestral(predict, shape, betas, large, generator):
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    for k in range(len(betas), 0, -1):
        x = step(predict, x, k, betas, large, generator)
    return x + betas[0].sqrt() * torch.randn(shape, generator=generator, dtype=torch.float64)

# %% ancestral: to begin with should have variance 1
def ancestral(predict, shape, betas, large, generator):
    x = betas[-1].sqrt() * torch.randn(shape, generator=generator, dtype=torch.float64)
    for k in range(len(betas), 0, -1):
        x = step(predict, x, k, betas, large, generator)
    return x
