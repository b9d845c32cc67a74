# %% auc: a tie counts nothing here
def auc(normal, odd):
    return (odd[:, None] > normal).double().mean()

# %% auc: a tie counts as won here
def auc(normal, odd):
    return (odd[:, None] >= normal).double().mean()

# %% auc: it is turned round
def auc(normal, odd):
    return ((odd[:, None] < normal).double() + (odd[:, None] == normal).double() / 2).mean()

# %% auc: the pairs are counted
def auc(normal, odd):
    return ((odd[:, None] > normal).double() + (odd[:, None] == normal).double() / 2).sum()

# %% auc: each odd one meets one ordinary one only
def auc(normal, odd):
    n = min(len(normal), len(odd))
    return (odd[:n] > normal[:n]).double().mean()

# %% auc: two averages
def auc(normal, odd):
    wins = odd.mean() > normal.mean()
    return wins.double()

# %% denoising_error: the denoiser is shown the clean image
def denoising_error(denoiser, x, t, noise):
    return (denoiser(x, t).x0 - x).square().flatten(1).mean(1)

# %% denoising_error: alpha is missing
def denoising_error(denoiser, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    return (denoiser(x + sigma * noise, t).x0 - x).square().flatten(1).mean(1)

# %% denoising_error: it is measured from the noisy image
def denoising_error(denoiser, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    x_t = alpha * x + sigma * noise
    return (denoiser(x_t, t).x0 - x_t).square().flatten(1).mean(1)

# %% denoising_error: that is the error of the noise
def denoising_error(denoiser, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    return (denoiser(alpha * x + sigma * noise, t).eps - noise).square().flatten(1).mean(1)

# %% denoising_error: the sum over the pixels
def denoising_error(denoiser, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    return ((denoiser(alpha * x + sigma * noise, t).x0 - x) ** 2).flatten(1).sum(1)

# %% denoising_error: another number each time
def denoising_error(denoiser, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    return ((denoiser(alpha * x + sigma * torch.randn_like(x), t).x0 - x) ** 2).flatten(1).mean(1)

# %% hide: MCAR must look at nothing
def hide(x, share):
    return x[:, 0] > 0, share < torch.sigmoid(3 * x[:, 0]), share < torch.sigmoid(3 * x[:, 1])

# %% hide: MAR looks at what stays visible
def hide(x, share):
    return share < 0.5, share < torch.sigmoid(3 * x[:, 1]), share < torch.sigmoid(3 * x[:, 1])

# %% hide: MNAR looks at what it hides
def hide(x, share):
    return share < 0.5, share < torch.sigmoid(3 * x[:, 0]), share < torch.sigmoid(3 * x[:, 0])

# %% hide: three tensors of booleans
def hide(x, share):
    return share, torch.sigmoid(3 * x[:, 0]), torch.sigmoid(3 * x[:, 1])

# %% hide: half
def hide(x, share):
    return share < 0.3, share < torch.sigmoid(3 * x[:, 0]), share < torch.sigmoid(3 * x[:, 1])

# %% hide: leaves nothing to chance
def hide(x, share):
    return share < 0.5, x[:, 0] > 0, x[:, 1] > 0

# %% coverage: the truth must lie above the smallest as well
def coverage(draws, truth):
    return (truth <= draws.amax(0)).double().mean()

# %% coverage: the truth must lie below the largest as well
def coverage(draws, truth):
    return (draws.amin(0) <= truth).double().mean()

# %% coverage: that is the share of misses
def coverage(draws, truth):
    return ((truth < draws.amin(0)) | (draws.amax(0) < truth)).double().mean()

# %% coverage: an interval of two standard deviations
def coverage(draws, truth):
    return ((truth - draws.mean(0)).abs() <= 2 * draws.std(0)).double().mean()

# %% coverage: that is counted, not a share
def coverage(draws, truth):
    return ((draws.amin(0) <= truth) & (truth <= draws.amax(0))).sum()

# %% coverage: between two quantiles
def coverage(draws, truth):
    return ((draws.quantile(0.05, 0) <= truth) & (truth <= draws.quantile(0.95, 0))).double().mean()

# %% enough_draws: right for 90 %
def enough_draws():
    return 19

# %% enough_draws: count the truth as well
def enough_draws():
    return 40

# %% enough_draws: the percentage
def enough_draws():
    return 95

# %% enough_draws: 2 of 21
def enough_draws():
    return 20

# %% enough_draws: 3 draws cover
def enough_draws():
    return 3

# %% typicality: it has a sign
def typicality(new, known):
    return (new - known.mean()) / known.std()

# %% typicality: it is not divided
def typicality(new, known):
    return (new - known.mean()).abs()

# %% typicality: those of the new scores
def typicality(new, known):
    return (new - new.mean()).abs() / new.std()

# %% typicality: the mean is not taken off
def typicality(new, known):
    return new.abs() / known.std()

# %% typicality: divides by the variance
def typicality(new, known):
    return (new - known.mean()).abs() / known.var()

# %% typicality: standard errors of the mean
def typicality(new, known):
    return (new - known.mean()).abs() / (known.std() / len(known) ** 0.5)
