# %% split: remaining is sigma_s
def split(schedule, t, s, eta):
    alpha_t, sigma_t = evaluate(schedule, t)
    alpha_s, sigma_s = evaluate(schedule, s)
    root = math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
    return eta * sigma_s / sigma_t * root, sigma_s

# %% split: sides of a triangle do not add up
def split(schedule, t, s, eta):
    alpha_t, sigma_t = evaluate(schedule, t)
    alpha_s, sigma_s = evaluate(schedule, s)
    fresh = eta * sigma_s / sigma_t * math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
    return fresh, sigma_s - fresh

# %% split: that is the forward step's noise
def split(schedule, t, s, eta):
    alpha_t, sigma_t = evaluate(schedule, t)
    alpha_s, sigma_s = evaluate(schedule, s)
    fresh = eta * math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
    return fresh, math.sqrt(sigma_s**2 - fresh**2)

# %% split: the root is missing in fresh
def split(schedule, t, s, eta):
    alpha_t, sigma_t = evaluate(schedule, t)
    alpha_s, sigma_s = evaluate(schedule, s)
    fresh = eta * sigma_s / sigma_t * (sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
    return fresh, math.sqrt(sigma_s**2 - fresh**2)

# %% split: eta is squared
def split(schedule, t, s, eta):
    alpha_t, sigma_t = evaluate(schedule, t)
    alpha_s, sigma_s = evaluate(schedule, s)
    fresh = eta**2 * sigma_s / sigma_t * math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
    return fresh, math.sqrt(sigma_s**2 - fresh**2)

# %% split: in the wrong order
def split(schedule, t, s, eta):
    alpha_t, sigma_t = evaluate(schedule, t)
    alpha_s, sigma_s = evaluate(schedule, s)
    fresh = eta * sigma_s / sigma_t * math.sqrt(sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2)
    return math.sqrt(sigma_s**2 - fresh**2), fresh

# %% step: the old noise is counted in full
def step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    x0, eps = denoiser(x_t, t)
    fresh, remaining = split(denoiser.schedule, t, s, eta)
    alpha_s, sigma_s = evaluate(denoiser.schedule, s)
    z = torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return alpha_s * x0 + sigma_s * eps + fresh * z

# %% step: fresh and remaining have changed places
def step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    x0, eps = denoiser(x_t, t)
    fresh, remaining = split(denoiser.schedule, t, s, eta)
    alpha_s, sigma_s = evaluate(denoiser.schedule, s)
    z = torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return alpha_s * x0 + fresh * eps + remaining * z

# %% step: the fresh noise is missing
def step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    x0, eps = denoiser(x_t, t)
    fresh, remaining = split(denoiser.schedule, t, s, eta)
    alpha_s, sigma_s = evaluate(denoiser.schedule, s)
    return alpha_s * x0 + remaining * eps

# %% step: alpha_s is missing
def step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    x0, eps = denoiser(x_t, t)
    fresh, remaining = split(denoiser.schedule, t, s, eta)
    z = torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return x0 + remaining * eps + fresh * z

# %% step: the state x_t stands where eps belongs
def step(denoiser, x_t, t, s, *, eta=0.0, generator=None):
    x0, eps = denoiser(x_t, t)
    fresh, remaining = split(denoiser.schedule, t, s, eta)
    alpha_s, sigma_s = evaluate(denoiser.schedule, s)
    z = torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)
    return alpha_s * x0 + remaining * x_t + fresh * z

# %% slerp: that is the straight line
def slerp(a, b, u):
    return (1 - u) * a + u * b

# %% slerp: right at a right angle only
def slerp(a, b, u):
    return torch.cos(math.pi / 2 * u) * a + torch.sin(math.pi / 2 * u) * b

# %% slerp: sin(theta) is missing below
def slerp(a, b, u):
    theta = torch.acos((a * b).sum() / (a.norm() * b.norm()))
    return torch.sin((1 - u) * theta) * a + torch.sin(u * theta) * b

# %% slerp: a and b have changed places
def slerp(a, b, u):
    theta = torch.acos((a * b).sum() / (a.norm() * b.norm()))
    return (torch.sin(u * theta) * a + torch.sin((1 - u) * theta) * b) / torch.sin(theta)

# %% half: that is fresh
def half():
    return 1.2

# %% half: squares add up, not sides
def half():
    return 2.8

# %% half: at eta = 1
def half():
    return 3.2

# %% half: take the root
def half():
    return 14.56

# %% survives: eta itself is the power
def survives(alpha, r0, r, eta):
    return r0 / r * (alpha * r0 / r) ** eta

# %% survives: that is eta = 1
def survives(alpha, r0, r, eta):
    return alpha * r0**2 / r**2

# %% survives: eta squared multiplies
def survives(alpha, r0, r, eta):
    return r0 / r * eta**2 * alpha * r0 / r

# %% survives: upside down
def survives(alpha, r0, r, eta):
    return r / r0 * (alpha * r0 / r) ** (eta**2)
