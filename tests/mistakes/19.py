# %% rate: that is in nats
def rate(mean, log_var):
    nats = (mean**2 + log_var.exp() - 1 - log_var) / 2
    return nats.flatten(1).sum(1)

# %% rate: multiplied by log(2)
def rate(mean, log_var):
    nats = (mean**2 + log_var.exp() - 1 - log_var) / 2
    return nats.flatten(1).sum(1) * math.log(2)

# %% rate: the half in front is missing
def rate(mean, log_var):
    nats = mean**2 + log_var.exp() - 1 - log_var
    return nats.flatten(1).sum(1) / math.log(2)

# %% rate: their divergences add up
def rate(mean, log_var):
    nats = (mean**2 + log_var.exp() - 1 - log_var) / 2
    return nats.flatten(1).mean(1) / math.log(2)

# %% rate: taken for the log of a standard deviation
def rate(mean, log_var):
    nats = (mean**2 + (log_var / 2).exp() - 1 - log_var / 2) / 2
    return nats.flatten(1).sum(1) / math.log(2)

# %% rate: the means are missing
def rate(mean, log_var):
    nats = (log_var.exp() - 1 - log_var) / 2
    return nats.flatten(1).sum(1) / math.log(2)

# %% standardise: the factor to multiply with
def standardise(z):
    return z.mean(), 1 / z.std()

# %% standardise: exchanged
def standardise(z):
    return z.std(), z.mean()

# %% standardise: that is the variance
def standardise(z):
    return z.mean(), z.var()

# %% standardise: root mean square
def standardise(z):
    return z.mean(), z.square().mean().sqrt()

# %% standardise: one number each
def standardise(z):
    return z.mean((0, 2, 3)), z.std((0, 2, 3))

# %% standardise: without a shift
def standardise(z):
    return 0.0, z.std()

# %% vary: begin at t
def vary(denoiser, net, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    z_t = alpha * net.encode(x) + sigma * noise
    return net.decode(last(sample(ddim_step, denoiser, z_t, tasks.times_from(1.0))))

# %% vary: z shrinks to alpha * z
def vary(denoiser, net, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    z_t = net.encode(x) + sigma * noise
    return net.decode(last(sample(ddim_step, denoiser, z_t, tasks.times_from(t))))

# %% vary: multiply it by sigma
def vary(denoiser, net, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    z_t = alpha * net.encode(x) + noise
    return net.decode(last(sample(ddim_step, denoiser, z_t, tasks.times_from(t))))

# %% vary: it draws its own noise
def vary(denoiser, net, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    z = net.encode(x)
    z_t = alpha * z + sigma * torch.randn_like(z)
    return net.decode(last(sample(ddim_step, denoiser, z_t, tasks.times_from(t))))

# %% vary: that is the noised picture
def vary(denoiser, net, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    return net.decode(alpha * net.encode(x) + sigma * noise)

# %% vary: nothing could change
def vary(denoiser, net, x, t, noise):
    alpha, sigma = evaluate(denoiser.schedule, t)
    return net.decode(last(sample(ddim_step, denoiser, alpha * net.encode(x), tasks.times_from(t))))

# %% half_way: a standard deviation of 1
def half_way():
    return 0.5

# %% half_way: the ratio is turned round
def half_way():
    return 2 / math.pi * math.atan(0.18215)

# %% half_way: the angle in radians
def half_way():
    return math.atan(5.49)

# %% half_way: the angle in degrees
def half_way():
    return 79.677

# %% half_way: right where alpha = 1 - t
def half_way():
    return 5.49 / 6.49

# %% latent_mask: only where all are
def latent_mask(hidden):
    return 1 - F.max_pool2d(1 - hidden, 4)

# %% latent_mask: the share of hidden pixels
def latent_mask(hidden):
    return F.avg_pool2d(hidden, 4)

# %% latent_mask: that is rounded
def latent_mask(hidden):
    return (F.avg_pool2d(hidden, 4) > 0.5).float()

# %% latent_mask: one pixel of sixteen
def latent_mask(hidden):
    return F.interpolate(hidden, scale_factor=0.25)

# %% latent_mask: turned round
def latent_mask(hidden):
    return 1 - F.max_pool2d(hidden, 4)

# %% latent_mask: it gives True and False
def latent_mask(hidden):
    return F.max_pool2d(hidden, 4) > 0
