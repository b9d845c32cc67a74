# %% frechet: by symmetric roots
def frechet(a, b):
    def root(matrix):
        values, vectors = torch.linalg.eigh(matrix)
        return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T

    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    cross = root(root(cov_a) @ cov_b @ root(cov_a))
    return (a.mean(0) - b.mean(0)).pow(2).sum() + torch.trace(cov_a + cov_b - 2 * cross)

# %% frechet: the nuclear norm of a product
def frechet(a, b):
    centred = [(x - x.mean(0)) / (len(x) - 1) ** 0.5 for x in (a, b)]
    factors = [torch.linalg.qr(x)[1] for x in centred]
    cross = torch.linalg.svdvals(factors[0] @ factors[1].T).sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + sum(x.square().sum() for x in centred) - 2 * cross)

# %% frechet: with NumPy
def frechet(a, b):
    import numpy as np

    a, b = a.numpy(), b.numpy()
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    values = np.linalg.eigvals(cov_a @ cov_b).real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b) - 2 * np.sqrt(np.maximum(values, 0)).sum())

# %% train: one's own loop and Adam
def train_model(steps, seed):
    torch.manual_seed(seed)
    denoiser = LearnedDenoiser(UNet(1, 28, classes=10, width=32, deep_width=64, deep_blocks=2), schedule=cosine, target="v")
    optimiser, rows = torch.optim.Adam(denoiser.parameters(), lr=3e-3), torch.randperm(len(pictures))
    for k in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(1, (k + 1) / 20) * (1 - k / steps)
        pick = rows[torch.randint(len(rows), (32,))]
        y = torch.where(torch.rand(32) < 0.1, 10, labels[pick])
        t = torch.rand(32) * 0.98 + 0.01
        loss = denoising_loss(denoiser, pictures[pick], t, y=y).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def draw(y, scale, seed):
        guided = extrapolate(given(denoiser, y=y), given(denoiser, y=None), scale)
        times = uniform_times(9)
        return last(sample(ddim_step, guided, start(cosine, times[0], (len(y), 1, 28, 28), torch.Generator().manual_seed(seed)), times))

    return draw

# %% train: flow matching
def train_model(steps, seed):
    torch.manual_seed(seed)
    denoiser = LearnedDenoiser(UNet(1, 28, classes=10, width=32, deep_width=64, deep_blocks=2), schedule=flow, target="velocity")
    for _ in train(denoiser, pictures, labels=labels, steps=steps, batch=32, lr=4e-3, seed=seed):
        pass

    @torch.no_grad()
    def draw(y, scale, seed):
        guided = extrapolate(given(denoiser, y=y), given(denoiser, y=None), scale)
        times = uniform_times(9)
        return last(sample(dpm_solver_2m(), guided, start(flow, times[0], (len(y), 1, 28, 28), torch.Generator().manual_seed(seed)), times))

    return draw

# %% train: another network, another sampler
def train_model(steps, seed):
    torch.manual_seed(seed)
    denoiser = LearnedDenoiser(UNet(1, 28, classes=10, width=32, deep_width=64, deep_blocks=1), schedule=cosine, target="v")
    for _ in train(denoiser, pictures, labels=labels, steps=steps, batch=32, lr=5e-3, seed=seed):
        pass

    @torch.no_grad()
    def draw(y, scale, seed):
        told, untold = given(denoiser, y=y), given(denoiser, y=None)
        times = uniform_times(10)
        x = start(cosine, times[0], (len(y), 1, 28, 28), torch.Generator().manual_seed(seed))
        return last(sample(dpm_solver_2m(), extrapolate(told, untold, scale), x, times)).clamp(-1, 1)

    return draw

# %% copied: all squared differences
def copied(samples, known, unseen):
    def near(others):
        return torch.stack([(others - one).square().flatten(1).sum(1).min() for one in samples])

    return (near(known) < near(unseen)).float().mean().item()

# %% copied: by topk, both sets in one
def copied(samples, known, unseen):
    every = torch.cat([known, unseen]).flatten(1)
    nearest = torch.cdist(samples.flatten(1), every).topk(1, largest=False).indices
    return (nearest < len(known)).double().mean()

# %% copied: a count
def copied(samples, known, unseen):
    count = 0
    for one in samples:
        a, b = (min((one - other).norm() for other in others) for others in (known, unseen))
        count += bool(a < b)
    return count / len(samples)

# %% paper: fractions
expected, enough = 1 / 4, 12_800

# %% paper: by the formula
expected, enough = 64 * (1 / 512 + 1 / 512), 128 / 0.01

# %% paper: tensors
expected, enough = torch.tensor(0.25), torch.tensor(12_800.0)
