# %% eps_loss: alpha and sigma have changed places
def eps_loss(net, x0, t, eps):
    alpha, sigma = cosine(t[:, None])
    x_t = sigma * x0 + alpha * eps
    return (net(x_t, t) - eps).square().mean(1)

# %% eps_loss: shown the clean point
def eps_loss(net, x0, t, eps):
    return (net(x0, t) - eps).square().mean(1)

# %% eps_loss: compared with x0
def eps_loss(net, x0, t, eps):
    alpha, sigma = cosine(t[:, None])
    x_t = alpha * x0 + sigma * eps
    return (net(x_t, t) - x0).square().mean(1)

# %% eps_loss: nothing is squared
def eps_loss(net, x0, t, eps):
    alpha, sigma = cosine(t[:, None])
    x_t = alpha * x0 + sigma * eps
    return (net(x_t, t) - eps).abs().mean(1)

# %% eps_loss: it gives shape ()
def eps_loss(net, x0, t, eps):
    alpha, sigma = cosine(t[:, None])
    x_t = alpha * x0 + sigma * eps
    return (net(x_t, t) - eps).square().mean()

# %% eps_loss: mean over coordinates
def eps_loss(net, x0, t, eps):
    alpha, sigma = cosine(t[:, None])
    x_t = alpha * x0 + sigma * eps
    return (net(x_t, torch.rand(len(x0))) - eps).square().mean(1)

# %% fit: zero_grad() is missing
def fit(net, loss_of, points, steps, generator):
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=3e-3), []
    for _ in range(steps):
        x0 = points[torch.randint(len(points), (128,), generator=generator)]
        t = torch.rand(128, generator=generator)
        eps = torch.randn(128, 2, generator=generator)
        loss = loss_of(net, x0, t, eps).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses

# %% fit: optimiser.step() is missing
def fit(net, loss_of, points, steps, generator):
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=3e-3), []
    for _ in range(steps):
        x0 = points[torch.randint(len(points), (128,), generator=generator)]
        t = torch.rand(128, generator=generator)
        eps = torch.randn(128, 2, generator=generator)
        loss = loss_of(net, x0, t, eps).mean()
        optimiser.zero_grad()
        loss.backward()
        losses.append(loss.item())
    return losses

# %% fit: one draw for each sample
def fit(net, loss_of, points, steps, generator):
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=3e-3), []
    for _ in range(steps):
        x0 = points[torch.randint(len(points), (128,), generator=generator)]
        t = torch.rand(1, generator=generator)
        eps = torch.randn(128, 2, generator=generator)
        loss = loss_of(net, x0, t, eps).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses

# %% fit: outside [0, 1]
def fit(net, loss_of, points, steps, generator):
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=3e-3), []
    for _ in range(steps):
        x0 = points[torch.randint(len(points), (128,), generator=generator)]
        t = torch.randn(128, generator=generator)
        eps = torch.randn(128, 2, generator=generator)
        loss = loss_of(net, x0, t, eps).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses

# %% fit: the noise is not N(0, 1)
def fit(net, loss_of, points, steps, generator):
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=3e-3), []
    for _ in range(steps):
        x0 = points[torch.randint(len(points), (128,), generator=generator)]
        t, eps = torch.rand(128, generator=generator), torch.rand(128, 2, generator=generator)
        loss = loss_of(net, x0, t, eps).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses

# %% fit: two runs differ
def fit(net, loss_of, points, steps, generator):
    optimiser, losses = torch.optim.Adam(net.parameters(), lr=3e-3), []
    for _ in range(steps):
        x0 = points[torch.randint(len(points), (128,), generator=generator)]
        t, eps = torch.rand(128), torch.randn(128, 2)
        loss = loss_of(net, x0, t, eps).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses

# %% decode: return x0 first
def decode(x_t, y, alpha, sigma, a, b):
    det = alpha * b - sigma * a
    return (alpha * y - a * x_t) / det, (b * x_t - sigma * y) / det

# %% decode: not divided by
def decode(x_t, y, alpha, sigma, a, b):
    return b * x_t - sigma * y, alpha * y - a * x_t

# %% decode: the determinant has the wrong sign
def decode(x_t, y, alpha, sigma, a, b):
    det = sigma * a - alpha * b
    return (b * x_t - sigma * y) / det, (alpha * y - a * x_t) / det

# %% decode: eps the two terms have the wrong sign
def decode(x_t, y, alpha, sigma, a, b):
    det = alpha * b - sigma * a
    return (b * x_t - sigma * y) / det, (a * x_t - alpha * y) / det

# %% decode: put x0 and eps into the two equations
def decode(x_t, y, alpha, sigma, a, b):
    det = alpha * b - sigma * a
    return (b * x_t + sigma * y) / det, (alpha * y + a * x_t) / det

# %% distance: its root is asked for
def distance():
    return 0.04

# %% distance: the floor is not subtracted
def distance():
    return math.sqrt(0.54)

# %% distance: roots are subtracted
def distance():
    return math.sqrt(0.54) - math.sqrt(0.5)

# %% distance: the loss itself is no distance
def distance():
    return 0.54

# %% floors_of: where does s enter
def floors_of(s):
    return 0.5, 0.5, 1.0

# %% floors_of: have changed places
def floors_of(s):
    return s**2 / (1 + s), s / (1 + s), s

# %% floors_of: the determinant is squared
def floors_of(s):
    return 1 / (1 + s), s / (1 + s), 1.0

# %% floors_of: above the fraction bar is missing
def floors_of(s):
    return 1 / (s * (1 + s)), 1 / (1 + s), 1 / s

# %% floors_of: the integral is 1 / s
def floors_of(s):
    return s / (1 + s), s**2 / (1 + s), s**2

# %% sd3_levels: a triangle
def sd3_levels(n, generator):
    return torch.rand(2, n, generator=generator).mean(0)

# %% sd3_levels: 0 or 1
def sd3_levels(n, generator):
    return (0.5 + 0.2 * torch.randn(n, generator=generator)).clamp(0, 1)

# %% sd3_levels: it is shifted
def sd3_levels(n, generator):
    return (torch.randn(n, generator=generator) - 0.5).sigmoid()

# %% sd3_levels: z is uniform
def sd3_levels(n, generator):
    return torch.rand(n, generator=generator).sigmoid()

# %% sd3_levels: standard deviation 1
def sd3_levels(n, generator):
    return (1.7 * torch.randn(n, generator=generator)).sigmoid()

# %% sd3_levels: is something cut off
def sd3_levels(n, generator):
    return torch.randn(n, generator=generator).clamp(-2, 2).sigmoid()
