# %% best-guess: with logsumexp
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    fit = shares.log() - (x_t[:, None] - alpha * points).square() / (2 * sigma**2)
    weights = (fit - fit.logsumexp(1, keepdim=True)).exp()
    return (weights * points).sum(1)


# %% best-guess: multiplied out, in a loop
def best_guess(x_t, t, schedule, points, shares):
    alpha, sigma = evaluate(schedule, t)
    guesses = []
    for one in x_t.double():
        fit = (alpha * one * points - alpha**2 * points**2 / 2) / sigma**2 + torch.log(shares)
        guesses.append((torch.exp(fit - fit.max()) / torch.exp(fit - fit.max()).sum() * points).sum())
    return torch.stack(guesses)


# %% best-guess: by the package's mixture of Gaussians of width 0
def best_guess(x_t, t, schedule, points, shares):
    from minidiff import of_mixture

    return of_mixture(points[:, None], torch.zeros_like(points), shares, schedule)(x_t[:, None], t).x0[:, 0]


# %% read-off: by the determinant
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    a, b = {"x0": (1.0, 0.0), "eps": (0.0, 1.0), "v": (-sigma, alpha)}[target]
    det = alpha * b - sigma * a
    return (b * x_t - sigma * y) / det, (det / sigma) ** 2


# %% read-off: by the package
def read_off(x_t, y, target, t, schedule):
    from minidiff import solve

    off = solve(x_t, y + 1.0, target, schedule, t).x0 - solve(x_t, y, target, schedule, t).x0
    return solve(x_t, y, target, schedule, t).x0, 1 / off.double().square().mean()


# %% read-off: v through eps, as a list
def read_off(x_t, y, target, t, schedule):
    alpha, sigma = evaluate(schedule, t)
    if target == "x0":
        return [y.clone(), 1]
    eps = y if target == "eps" else (sigma * x_t + alpha * y) / (alpha**2 + sigma**2)
    weight = (alpha / sigma) ** 2 if target == "eps" else (alpha**2 / sigma + sigma) ** 2
    return [(x_t - sigma * eps) / alpha, weight]


# %% paper: as fractions
floor, mean, variance = 12 / 13, 17 / 14, 9 / 28

# %% paper: rounded
floor, mean, variance = 0.9231, 1.2143, 0.3214

# %% paper: by precisions, as tensors
precision = torch.tensor(1 / 0.36 + 0.25 / 0.75)
variance = 1 / precision
mean = (0.8 * 2 / 0.36 + 0.5 * -1 / 0.75) / precision
floor = torch.tensor(1 - 0.25 / 3.25)


# %% step: through the guess of x0
def step(predict, x, k, betas, large, generator):
    bar = torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - betas.double(), 0)]).tolist()
    beta, eps = float(betas[k - 1]), predict(x, k)
    x0 = (x - math.sqrt(1 - bar[k]) * eps) / math.sqrt(bar[k])
    small = (1 - bar[k - 1]) / (1 - bar[k]) * beta
    mean = math.sqrt(bar[k - 1]) * beta / (1 - bar[k]) * x0
    mean = mean + math.sqrt(1 - beta) * (1 - bar[k - 1]) / (1 - bar[k]) * x
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype) if k > 1 else torch.zeros_like(x)
    return mean + math.sqrt(beta if large else small) * z


# %% step: as old noise and fresh noise
def step(predict, x, k, betas, large, generator):
    bar = [1.0]
    for beta in betas.tolist():
        bar.append(bar[-1] * (1 - beta))
    beta, eps = betas[k - 1].item(), predict(x, k)
    x0 = (x - (1 - bar[k]) ** 0.5 * eps) / bar[k] ** 0.5
    small = (1 - bar[k - 1]) / (1 - bar[k]) * beta
    mean = bar[k - 1] ** 0.5 * x0 + (1 - bar[k - 1] - small) ** 0.5 * eps
    fresh = torch.empty_like(x).normal_(generator=generator)
    return mean + (0.0 if k == 1 else (beta if large else small) ** 0.5) * fresh


# %% step: with tensors, the noise drawn before and backwards
def step(predict, x, k, betas, large, generator):
    z = torch.randn(x.numel(), generator=generator, dtype=x.dtype).flip(0).reshape(x.shape)
    bar = torch.cumprod(1 - betas, 0)
    nu = betas[k - 1] if large else betas[k - 1] * (1 - (bar[k - 2] if k > 1 else 1)) / (1 - bar[k - 1])
    back = (x - betas[k - 1] / (1 - bar[k - 1]).sqrt() * predict(x, k)) / (1 - betas[k - 1]).sqrt()
    return (back + nu.sqrt() * z * (k > 1)).to(x.dtype)


# %% ancestral: with while
def ancestral(predict, shape, betas, large, generator):
    x, k = torch.randn(*shape, generator=generator, dtype=torch.float64), len(betas)
    while k >= 1:
        x = step(predict, x, k, betas, large, generator)
        k -= 1
    return x


# %% ancestral: without step
def ancestral(predict, shape, betas, large, generator):
    bar = torch.cumprod(1 - betas, 0)
    nus = betas.clone()
    if not large:
        nus[1:] *= (1 - bar[:-1]) / (1 - bar[1:])
    x = torch.empty(shape, dtype=torch.float64).normal_(generator=generator)
    for i in reversed(range(len(betas))):
        x = (x - betas[i] / (1 - bar[i]).sqrt() * predict(x, i + 1)) / (1 - betas[i]).sqrt()
        if i:
            x = x + nus[i].sqrt() * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    return x


# %% ancestral: all noise drawn at first
def ancestral(predict, shape, betas, large, generator):
    from functools import reduce

    total = len(betas)
    noise = torch.randn((total, *shape), generator=generator, dtype=torch.float64)
    seeds = [torch.Generator().manual_seed(int(1e6 * abs(z.flatten()[0]))) for z in noise]
    one = lambda x, k: step(predict, x, k, betas, large, seeds[k - 1])
    return reduce(one, range(total, 0, -1), noise[0])
