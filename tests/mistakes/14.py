# %% score: distances are measured in standard deviations
def score(x, means, stds):
    far, nearest = torch.cdist(x, means).min(1)
    counts = torch.bincount(nearest[far < 3], minlength=len(means))
    share = counts / counts.sum()
    return (counts > 0).sum(), (far < 3).float().mean(), torch.xlogy(share, share * len(means)).sum()

# %% score: not a square
def score(x, means, stds):
    far, nearest = (torch.cdist(x, means, p=math.inf) / stds).min(1)
    counts = torch.bincount(nearest[far < 3], minlength=len(means))
    share = counts / counts.sum()
    return (counts > 0).sum(), (far < 3).float().mean(), torch.xlogy(share, share * len(means)).sum()

# %% score: modes and divergence are over high-quality samples only
def score(x, means, stds):
    far, nearest = (torch.cdist(x, means) / stds).min(1)
    counts = torch.bincount(nearest, minlength=len(means))
    share = counts / counts.sum()
    return (counts > 0).sum(), (far < 3).float().mean(), torch.xlogy(share, share * len(means)).sum()

# %% score: quality is a share
def score(x, means, stds):
    far, nearest = (torch.cdist(x, means) / stds).min(1)
    counts = torch.bincount(nearest[far < 3], minlength=len(means))
    share = counts / counts.sum()
    return (counts > 0).sum(), (far < 3).sum(), torch.xlogy(share, share * len(means)).sum()

# %% score: in the divergence p is missing
def score(x, means, stds):
    far, nearest = (torch.cdist(x, means) / stds).min(1)
    counts = torch.bincount(nearest[far < 3], minlength=len(means))
    share = counts / counts.sum()
    return (counts > 0).sum(), (far < 3).float().mean(), torch.xlogy(share, share).sum()

# %% score: a mode that nobody visits
def score(x, means, stds):
    far, nearest = (torch.cdist(x, means) / stds).min(1)
    counts = torch.bincount(nearest[far < 3])
    share = counts / counts.sum()
    return (counts > 0).sum(), (far < 3).float().mean(), torch.xlogy(share, share * len(counts)).sum()

# %% gan_losses: labels are swapped
def gan_losses(real, fake):
    return F.softplus(real).mean() + F.softplus(-fake).mean(), F.softplus(-fake).mean()

# %% gan_losses: that is the minimax loss
def gan_losses(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean(), -F.softplus(fake).mean()

# %% gan_losses: gives itself away
def gan_losses(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(fake).mean()

# %% gan_losses: not finite
def gan_losses(real, fake):
    D_real, D_fake = torch.sigmoid(real), torch.sigmoid(fake)
    return -D_real.log().mean() - (1 - D_fake).log().mean(), -D_fake.log().mean()

# %% gan_losses: one loss with two signs
def gan_losses(real, fake):
    d = F.softplus(-real).mean() + F.softplus(fake).mean()
    return d, -d

# %% gan_losses: without a half
def gan_losses(real, fake):
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2, F.softplus(-fake).mean()

# %% elbo: z is drawn with the variance
def elbo(x, mean, log_var, eps, decode, std):
    z = mean + log_var.exp() * eps
    likelihood = torch.distributions.Normal(decode(z), std).log_prob(x).sum(1)
    return likelihood, (mean**2 + log_var.exp() - 1 - log_var).sum(1) / 2

# %% elbo: z is not drawn
def elbo(x, mean, log_var, eps, decode, std):
    likelihood = torch.distributions.Normal(decode(mean), std).log_prob(x).sum(1)
    return likelihood, (mean**2 + log_var.exp() - 1 - log_var).sum(1) / 2

# %% elbo: lacks its half
def elbo(x, mean, log_var, eps, decode, std):
    z = mean + (log_var / 2).exp() * eps
    likelihood = torch.distributions.Normal(decode(z), std).log_prob(x).sum(1)
    return likelihood, (mean**2 + log_var.exp() - 1 - log_var).sum(1)

# %% elbo: a square error
def elbo(x, mean, log_var, eps, decode, std):
    z = mean + (log_var / 2).exp() * eps
    return -((x - decode(z)) ** 2).sum(1) / 2, (mean**2 + log_var.exp() - 1 - log_var).sum(1) / 2

# %% elbo: without which std cannot be learned
def elbo(x, mean, log_var, eps, decode, std):
    z = mean + (log_var / 2).exp() * eps
    likelihood = (-((x - decode(z)) ** 2) / (2 * std**2) - math.log(2 * math.pi) / 2).sum(1)
    return likelihood, (mean**2 + log_var.exp() - 1 - log_var).sum(1) / 2

# %% elbo: never negative
def elbo(x, mean, log_var, eps, decode, std):
    z = mean + (log_var / 2).exp() * eps
    likelihood = torch.distributions.Normal(decode(z), std).log_prob(x).sum(1)
    return likelihood, (1 + log_var - mean**2 - log_var.exp()).sum(1) / 2

# %% stride: each step lands on t - 1/200
def stride(denoiser, x, times):
    for t, s in pairwise(times):
        x = ddim_step(denoiser, x, t, t - 1 / 200)
    return x

# %% stride: each step starts from the first x
def stride(denoiser, x, times):
    for t, s in pairwise(times):
        end = ddim_step(denoiser, x, t, s)
    return end

# %% stride: the last step is missing
def stride(denoiser, x, times):
    for t, s in pairwise(times[:-1]):
        x = ddim_step(denoiser, x, t, s)
    return x

# %% stride: return x after the loop
def stride(denoiser, x, times):
    for t, s in pairwise(times):
        x = ddim_step(denoiser, x, t, s)
        return x

# %% stride: they are exchanged
def stride(denoiser, x, times):
    for t, s in pairwise(times):
        x = ddim_step(denoiser, x, s, t)
    return x

# %% stride: one step too many
def stride(denoiser, x, times):
    for t, s in zip(times, times[1:] + [0.0]):
        x = ddim_step(denoiser, x, t, s)
    return x

# %% ceiling: in one dimension
def ceiling():
    return 0.9973

# %% ceiling: that is a square
def ceiling():
    return 0.9973**2

# %% ceiling: that is the share outside
def ceiling():
    return math.exp(-4.5)

# %% ceiling: in the exponent stands
def ceiling():
    return 1 - math.exp(-9)

# %% ceiling: give three
def ceiling():
    return 0.99

# %% divergence: twice as large
def divergence(real, fake):
    return 2 * math.log(2) - gan_losses(real, fake)[0]

# %% divergence: its sign is turned
def divergence(real, fake):
    return gan_losses(real, fake)[0] / 2 - math.log(2)

# %% divergence: its two means are averaged
def divergence(real, fake):
    return math.log(2) - gan_losses(real, fake)[0]

# %% divergence: that is the discriminator's loss
def divergence(real, fake):
    return gan_losses(real, fake)[0]

# %% divergence: in bits
def divergence(real, fake):
    return 1 - gan_losses(real, fake)[0] / 2 / math.log(2)

# %% divergence: has no part in it
def divergence(real, fake):
    return math.log(2) - gan_losses(real, fake)[1] / 2
