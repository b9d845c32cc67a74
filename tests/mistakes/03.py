# %% weights: the softmax runs over the points
def weights(x_t, points, alpha, sigma):
    fit = (alpha * x_t @ points.T - alpha**2 * points.square().sum(1) / 2) / sigma**2
    return fit.softmax(0)

# %% weights: sigma stands where its square belongs
def weights(x_t, points, alpha, sigma):
    fit = (alpha * x_t @ points.T - alpha**2 * points.square().sum(1) / 2) / sigma
    return fit.softmax(1)

# %% weights: alpha is missing
def weights(x_t, points, alpha, sigma):
    fit = (x_t @ points.T - points.square().sum(1) / 2) / sigma**2
    return fit.softmax(1)

# %% weights: the squared length of p_i is missing
def weights(x_t, points, alpha, sigma):
    fit = alpha * x_t @ points.T / sigma**2
    return fit.softmax(1)

# %% weights: it is not finite
def weights(x_t, points, alpha, sigma):
    fit = (alpha * x_t @ points.T - alpha**2 * points.square().sum(1) / 2) / sigma**2
    return fit.exp() / fit.exp().sum(1, keepdim=True)

# %% weights: multiply the square out
def weights(x_t, points, alpha, sigma):
    fit = -(x_t[:, None] - alpha * points).square().sum(2) / (2 * sigma**2)
    return fit.softmax(1)

# %% draw: the denoiser is asked at the wrong time
def draw(denoiser, x, times):
    states = [x]
    for t, s in pairwise(times):
        x0, eps = denoiser(x, s)
        alpha, sigma = evaluate(denoiser.schedule, s)
        x = alpha * x0 + sigma * eps
        states.append(x)
    return states

# %% draw: remix at s
def draw(denoiser, x, times):
    states = [x]
    for t, s in pairwise(times):
        x0, eps = denoiser(x, t)
        alpha, sigma = evaluate(denoiser.schedule, t)
        x = alpha * x0 + sigma * eps
        states.append(x)
    return states

# %% draw: sigma squared stands where sigma belongs
def draw(denoiser, x, times):
    states = [x]
    for t, s in pairwise(times):
        x0, eps = denoiser(x, t)
        alpha, sigma = evaluate(denoiser.schedule, s)
        x = alpha * x0 + sigma**2 * eps
        states.append(x)
    return states

# %% draw: draw no new noise
def draw(denoiser, x, times):
    states = [x]
    for t, s in pairwise(times):
        x0, eps = denoiser(x, t)
        alpha, sigma = evaluate(denoiser.schedule, s)
        x = alpha * x0 + sigma * torch.randn_like(x)
        states.append(x)
    return states

# %% draw: holds no noise
def draw(denoiser, x, times):
    states = [x]
    for t, s in pairwise(times):
        x0, eps = denoiser(x, t)
        alpha, sigma = evaluate(denoiser.schedule, s)
        x = alpha * x0 + max(sigma, 0.02) * eps
        states.append(x)
    return states

# %% draw: asked about the first x every time
def draw(denoiser, x, times):
    states = [x]
    for t, s in pairwise(times):
        x0, eps = denoiser(x, t)
        alpha, sigma = evaluate(denoiser.schedule, s)
        states.append(alpha * x0 + sigma * eps)
    return states

# %% bent_coin: a fair coin's answer
def bent_coin():
    return 0

# %% bent_coin: the probability of +1
def bent_coin():
    return 0.9

# %% bent_coin: names the likelier side
def bent_coin():
    return 1

# %% bent_coin: half of log 9
def bent_coin():
    return math.tanh(math.log(9))

# %% copying_error: no noise was added
def copying_error(images, points, sigma, noise):
    x_t = images
    guess = posterior_mean(x_t, points, 1.0, sigma)
    return (guess - images).square().mean().sqrt()

# %% copying_error: made for sigma = 1
def copying_error(images, points, sigma, noise):
    x_t = images + sigma * noise
    guess = posterior_mean(x_t, points, 1.0, 1.0)
    return (guess - images).square().mean().sqrt()

# %% copying_error: multiplied by the root of sigma
def copying_error(images, points, sigma, noise):
    x_t = images + sigma**0.5 * noise
    guess = posterior_mean(x_t, points, 1.0, sigma)
    return (guess - images).square().mean().sqrt()

# %% copying_error: the nearest to the clean image
def copying_error(images, points, sigma, noise):
    x_t = images + sigma * noise
    guess = points[torch.cdist(images, points).argmin(1)]
    return (guess - images).square().mean().sqrt()

# %% copying_error: measured from the noisy input
def copying_error(images, points, sigma, noise):
    x_t = images + sigma * noise
    guess = posterior_mean(x_t, points, 1.0, sigma)
    return (guess - x_t).square().mean().sqrt()

# %% copying_error: the ideal denoiser averages
def copying_error(images, points, sigma, noise):
    x_t = images + sigma * noise
    guess = points[torch.cdist(x_t, points).argmin(1)]
    return (guess - images).square().mean().sqrt()

# %% variance: sigma stands where its square belongs
def variance(denoise, x_t, alpha, sigma):
    x_t = x_t.clone().requires_grad_()
    (slope,) = torch.autograd.grad(denoise(x_t).sum(), x_t)
    return sigma / alpha * slope

# %% variance: alpha is missing
def variance(denoise, x_t, alpha, sigma):
    x_t = x_t.clone().requires_grad_()
    (slope,) = torch.autograd.grad(denoise(x_t).sum(), x_t)
    return sigma**2 * slope

# %% variance: alpha multiplies where it should divide
def variance(denoise, x_t, alpha, sigma):
    x_t = x_t.clone().requires_grad_()
    (slope,) = torch.autograd.grad(denoise(x_t).sum(), x_t)
    return alpha * sigma**2 * slope

# %% variance: upside down
def variance(denoise, x_t, alpha, sigma):
    x_t = x_t.clone().requires_grad_()
    (slope,) = torch.autograd.grad(denoise(x_t).sum(), x_t)
    return alpha / sigma**2 * slope

# %% variance: on the fair coin
def variance(denoise, x_t, alpha, sigma):
    x_t = x_t.clone().requires_grad_()
    (slope,) = torch.autograd.grad(denoise(x_t).sum(), x_t)
    return (sigma**2 / alpha * slope).mean().expand(len(x_t), 1)
