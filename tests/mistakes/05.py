# %% posterior: the ratio in beta-tilde is upside down
def posterior(schedule, t, s):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    a = alpha_t / alpha_s
    large = sigma_t**2 - a**2 * sigma_s**2
    small = sigma_t**2 / sigma_s**2 * large
    return Posterior(alpha_s * large / sigma_t**2, a * sigma_s**2 / sigma_t**2, small, large)

# %% posterior: the slip of many programs
def posterior(schedule, t, s):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    a = alpha_t / alpha_s
    large = sigma_t**2 - a**2 * sigma_s**2
    small = sigma_s**2 / sigma_t**2 * large
    return Posterior(a * large / sigma_t**2, a * sigma_s**2 / sigma_t**2, small, large)

# %% posterior: not with alpha_t
def posterior(schedule, t, s):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    a = alpha_t / alpha_s
    large = sigma_t**2 - a**2 * sigma_s**2
    small = sigma_s**2 / sigma_t**2 * large
    return Posterior(alpha_t * large / sigma_t**2, a * sigma_s**2 / sigma_t**2, small, large)

# %% posterior: a variance
def posterior(schedule, t, s):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    a = alpha_t / alpha_s
    large = sigma_t**2 - a**2 * sigma_s**2
    small = (sigma_s**2 / sigma_t**2 * large) ** 0.5
    return Posterior(alpha_s * large / sigma_t**2, a * sigma_s**2 / sigma_t**2, small, large)

# %% posterior: the factor of x_t begins with a
def posterior(schedule, t, s):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    a = alpha_t / alpha_s
    large = sigma_t**2 - a**2 * sigma_s**2
    small = sigma_s**2 / sigma_t**2 * large
    return Posterior(alpha_s * large / sigma_t**2, sigma_s**2 / sigma_t**2, small, large)

# %% posterior: have changed places
def posterior(schedule, t, s):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    a = alpha_t / alpha_s
    large = sigma_t**2 - a**2 * sigma_s**2
    small = sigma_s**2 / sigma_t**2 * large
    return Posterior(a * sigma_s**2 / sigma_t**2, alpha_s * large / sigma_t**2, small, large)

# %% my_step: multiplied by its root
def my_step(denoiser, x_t, t, s, *, generator=None, variance="small"):
    q = posterior(denoiser.schedule, t, s)
    nu = q.small if variance == "small" else q.large
    x0, _ = denoiser(x_t, t)
    mean = q.of_x0 * x0 + q.of_xt * x_t
    if s == 0:
        return mean
    return mean + nu * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)

# %% my_step: no fresh noise
def my_step(denoiser, x_t, t, s, *, generator=None, variance="small"):
    q = posterior(denoiser.schedule, t, s)
    x0, _ = denoiser(x_t, t)
    return q.of_x0 * x0 + q.of_xt * x_t

# %% my_step: noise goes into the finished sample
def my_step(denoiser, x_t, t, s, *, generator=None, variance="small"):
    q = posterior(denoiser.schedule, t, s)
    nu = q.small if variance == "small" else q.large
    x0, _ = denoiser(x_t, t)
    mean = q.of_x0 * x0 + q.of_xt * x_t
    return mean + nu**0.5 * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)

# %% my_step: is asked at s
def my_step(denoiser, x_t, t, s, *, generator=None, variance="small"):
    q = posterior(denoiser.schedule, t, s)
    nu = q.small if variance == "small" else q.large
    x0, _ = denoiser(x_t, s)
    mean = q.of_x0 * x0 + q.of_xt * x_t
    if s == 0:
        return mean
    return mean + nu**0.5 * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)

# %% my_step: the mean has no part of x_t
def my_step(denoiser, x_t, t, s, *, generator=None, variance="small"):
    q = posterior(denoiser.schedule, t, s)
    nu = q.small if variance == "small" else q.large
    x0, _ = denoiser(x_t, t)
    mean = q.of_x0 * x0
    if s == 0:
        return mean
    return mean + nu**0.5 * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)

# %% my_step: should put q.large
def my_step(denoiser, x_t, t, s, *, generator=None, variance="small"):
    q = posterior(denoiser.schedule, t, s)
    x0, _ = denoiser(x_t, t)
    mean = q.of_x0 * x0 + q.of_xt * x_t
    if s == 0:
        return mean
    return mean + q.small**0.5 * torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype)

# %% verdicts: beta for its root, one point
def verdicts():
    return {"beta for its root": ("red", "red"), "a for alpha_s": ("red", "red"),
            "noise in the last step": ("green", "red"), "ratio upside down": ("red", "green")}

# %% verdicts: a for alpha_s, one point
def verdicts():
    return {"beta for its root": ("red", "green"), "a for alpha_s": ("red", "green"),
            "noise in the last step": ("green", "red"), "ratio upside down": ("red", "green")}

# %% verdicts: noise in the last step, the unit Gaussian
def verdicts():
    return {"beta for its root": ("red", "green"), "a for alpha_s": ("red", "red"),
            "noise in the last step": ("red", "red"), "ratio upside down": ("red", "green")}

# %% verdicts: ratio upside down, one point
def verdicts():
    return {"beta for its root": ("red", "green"), "a for alpha_s": ("red", "red"),
            "noise in the last step": ("green", "red"), "ratio upside down": ("red", "red")}

# %% verdicts: each row is two words
def verdicts():
    return {"beta for its root": ("red",), "a for alpha_s": ("red", "red"),
            "noise in the last step": ("green", "red"), "ratio upside down": ("red", "green")}

# %% verdicts: it should have four rows
def verdicts():
    return {"beta for its root": ("red", "green")}

# %% ratio: the ratio of the sigmas
def ratio():
    return 3**-0.5

# %% ratio: large over small
def ratio():
    return 3

# %% ratio: the ratio of the times: sigma
def ratio():
    return 0.5

# %% ratio: the ratio of the times squared
def ratio():
    return 0.25

# %% true_variance: x0's part should be squared
def true_variance(schedule, t, s, std):
    q, (alpha, sigma) = posterior(schedule, t, s), evaluate(schedule, t)
    return q.small + q.of_x0 * std**2 * sigma**2 / (alpha**2 * std**2 + sigma**2)

# %% true_variance: add small
def true_variance(schedule, t, s, std):
    q, (alpha, sigma) = posterior(schedule, t, s), evaluate(schedule, t)
    return q.of_x0**2 * std**2 * sigma**2 / (alpha**2 * std**2 + sigma**2)

# %% true_variance: seeing x_t makes it smaller
def true_variance(schedule, t, s, std):
    q = posterior(schedule, t, s)
    return q.small + q.of_x0**2 * std**2

# %% true_variance: do not add the error to large
def true_variance(schedule, t, s, std):
    q, (alpha, sigma) = posterior(schedule, t, s), evaluate(schedule, t)
    return q.large + q.of_x0**2 * std**2 * sigma**2 / (alpha**2 * std**2 + sigma**2)

# %% true_variance: it raised ZeroDivisionError
def true_variance(schedule, t, s, std):
    q, (alpha, sigma) = posterior(schedule, t, s), evaluate(schedule, t)
    return q.small + q.of_x0**2 / (1 / std**2 + alpha**2 / sigma**2)

# %% left_of_push: that is sigma_t
def left_of_push(t):
    return math.sin(math.pi * t / 2)

# %% left_of_push: alpha_t squared
def left_of_push(t):
    return math.cos(math.pi * t / 2) ** 2

# %% left_of_push: what DDIM leaves
def left_of_push(t):
    return 1.0

# %% left_of_push: not a straight line
def left_of_push(t):
    return 1 - t

# %% left_of_push: a quarter turn
def left_of_push(t):
    return math.cos(math.pi * t)
