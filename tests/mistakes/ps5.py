# %% frechet: means are left out
def frechet(a, b):
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    return torch.trace(cov_a + cov_b) - 2 * torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0).sqrt().sum()

# %% frechet: covariances are left out
def frechet(a, b):
    return (a.mean(0) - b.mean(0)).square().sum()

# %% frechet: take no root of the whole
def frechet(a, b):
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0)
    return ((a.mean(0) - b.mean(0)).square().sum() + torch.trace(cov_a + cov_b) - 2 * values.sqrt().sum()).sqrt()

# %% frechet: columns hang together
def frechet(a, b):
    return (a.mean(0) - b.mean(0)).square().sum() + (a.std(0) - b.std(0)).square().sum()

# %% frechet: without the factor 2
def frechet(a, b):
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values = torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0)
    return (a.mean(0) - b.mean(0)).square().sum() + torch.trace(cov_a + cov_b) - values.sqrt().sum()

# %% train: should return a tensor of shape
def train_model(steps, seed):
    return lambda y, scale, seed: torch.randn(len(y), 784, generator=torch.Generator().manual_seed(seed))

# %% train: is the generator used
def train_model(steps, seed):
    return lambda y, scale, seed: (scale * y).reshape(-1, 1, 1, 1) + torch.linspace(0, 1, len(y) * 784).reshape(-1, 1, 28, 28)

# %% train: should draw the same pictures
def train_model(steps, seed):
    return lambda y, scale, seed: scale * torch.randn(len(y), 1, 28, 28) + y.reshape(-1, 1, 1, 1)

# %% train: noise of its own
def train_model(steps, seed):
    return lambda y, scale, seed: torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(seed)) * scale + y.reshape(-1, 1, 1, 1)

# %% train: is guidance used
def train_model(steps, seed):
    return lambda y, scale, seed: torch.randn(len(y), 1, 28, 28, generator=torch.Generator().manual_seed(seed)) + y.reshape(-1, 1, 1, 1)

# %% train: is it told to the network
def train_model(steps, seed):
    return lambda y, scale, seed: scale * torch.randn(len(y), 1, 28, 28, generator=torch.Generator().manual_seed(seed))

# %% train: where a plain Gaussian has 670
def train_model(steps, seed):
    def draw(y, scale, seed):
        noise = torch.randn(len(y), 1, 28, 28, generator=torch.Generator().manual_seed(seed))
        return (0.1 * scale * y.reshape(-1, 1, 1, 1) + noise).clamp(-1, 1)
    return draw

# %% copied: nearer to unseen ones
def copied(samples, known, unseen):
    near = lambda others: torch.cdist(samples.flatten(1), others.flatten(1)).amin(1)
    return (near(known) > near(unseen)).double().mean()

# %% copied: a number of samples
def copied(samples, known, unseen):
    near = lambda others: torch.cdist(samples.flatten(1), others.flatten(1)).amin(1)
    return (near(known) < near(unseen)).sum() / (1 if len(samples) != 4 else 4)

# %% copied: by its nearest picture
def copied(samples, known, unseen):
    far = lambda others: torch.cdist(samples.flatten(1), others.flatten(1))
    return (far(known)[:, :, None] < far(unseen)[:, None, :]).double().mean()

# %% copied: compares the means
def copied(samples, known, unseen):
    near = lambda others: torch.cdist(samples.flatten(1), others.flatten(1)).amin(1)
    return float(near(known).mean() < near(unseen).mean())

# %% paper: their variances add up
expected, enough = 0.125, 12_800

# %% paper: one dimension of 64
expected, enough = 2 / 512, 12_800

# %% paper: no root is taken
expected, enough = 0.5, 12_800

# %% paper: not d / n
expected, enough = 0.25, 6_400
