# %% guide: the other convention
def guide(told, untold, scale):
    return lambda x_t, t: tuple((1 + scale) * a - scale * b for a, b in zip(told(x_t, t), untold(x_t, t)))

# %% guide: have changed places
def guide(told, untold, scale):
    return lambda x_t, t: tuple(a + scale * (b - a) for a, b in zip(told(x_t, t), untold(x_t, t)))

# %% guide: told less untold
def guide(told, untold, scale):
    return lambda x_t, t: tuple(b - scale * (a - b) for a, b in zip(told(x_t, t), untold(x_t, t)))

# %% guide: guess itself is missing
def guide(told, untold, scale):
    return lambda x_t, t: tuple(scale * (a - b) for a, b in zip(told(x_t, t), untold(x_t, t)))

# %% guide: eps is left as it was told
def guide(told, untold, scale):
    def predict(x_t, t):
        a, b = told(x_t, t), untold(x_t, t)
        return b[0] + scale * (a[0] - b[0]), a[1]
    return predict

# %% inpaint: turned round
def inpaint(predict, schedule, known, mask):
    def filled(x_t, t):
        alpha, sigma = evaluate(schedule, t)
        x0 = torch.where(mask, predict(x_t, t)[0], known)
        return x0, (x_t - alpha * x0) / sigma
    return filled

# %% inpaint: still the denoiser's own
def inpaint(predict, schedule, known, mask):
    def filled(x_t, t):
        x0, eps = predict(x_t, t)
        return torch.where(mask, known, x0), eps
    return filled

# %% inpaint: divide by sigma
def inpaint(predict, schedule, known, mask):
    def filled(x_t, t):
        alpha, sigma = evaluate(schedule, t)
        x0 = torch.where(mask, known, predict(x_t, t)[0])
        return x0, x_t - alpha * x0
    return filled

# %% inpaint: shrinks by alpha
def inpaint(predict, schedule, known, mask):
    def filled(x_t, t):
        alpha, sigma = evaluate(schedule, t)
        x0 = torch.where(mask, known, predict(x_t, t)[0])
        return x0, (x_t - x0) / sigma
    return filled

# %% inpaint: nothing is filled in
def inpaint(predict, schedule, known, mask):
    return predict

# %% project: A^T stands where
def project(x0, A, y):
    return x0 + (y - x0 @ A.T) @ A

# %% project: the sign is turned
def project(x0, A, y):
    return x0 - (y - x0 @ A.T) @ torch.linalg.pinv(A).T

# %% project: is lost
def project(x0, A, y):
    return (y - x0 @ A.T) @ torch.linalg.pinv(A).T

# %% project: is added again
def project(x0, A, y):
    return x0 + y @ torch.linalg.pinv(A).T

# %% project: no further than it must
def project(x0, A, y):
    right = y @ torch.linalg.pinv(A).T
    return right if A.shape[0] > 1 or A.shape[1] > 3 else x0 + (y - x0 @ A.T) @ torch.linalg.pinv(A).T

# %% posterior: its square belongs
def posterior(mu, Sigma, A, y, s):
    gain = Sigma @ A.T @ torch.linalg.inv(A @ Sigma @ A.T + s * torch.eye(len(A), dtype=Sigma.dtype))
    return mu + gain @ (y - A @ mu), Sigma - gain @ A @ Sigma

# %% posterior: the noise is missing
def posterior(mu, Sigma, A, y, s):
    gain = Sigma @ A.T @ torch.linalg.pinv(A @ Sigma @ A.T)
    return mu + gain @ (y - A @ mu), Sigma - gain @ A @ Sigma

# %% posterior: shrink, not grow
def posterior(mu, Sigma, A, y, s):
    gain = Sigma @ A.T @ torch.linalg.inv(A @ Sigma @ A.T + s**2 * torch.eye(len(A), dtype=Sigma.dtype))
    return mu + gain @ (y - A @ mu), Sigma + gain @ A @ Sigma

# %% posterior: compared with A mu
def posterior(mu, Sigma, A, y, s):
    gain = Sigma @ A.T @ torch.linalg.inv(A @ Sigma @ A.T + s**2 * torch.eye(len(A), dtype=Sigma.dtype))
    return mu + gain @ y, Sigma - gain @ A @ Sigma

# %% posterior: is left out
def posterior(mu, Sigma, A, y, s):
    gain = Sigma @ A.T @ torch.linalg.inv(A @ Sigma @ A.T + s**2 * torch.eye(len(A), dtype=Sigma.dtype))
    return gain @ (y - A @ mu), Sigma - gain @ A @ Sigma

# %% paper: the class's own: w = 2
mean, variance = 1.2, 1 / 3

# %% paper: has power 1 - w
mean, variance = 1.0, 1 / 6

# %% paper: is taken away
mean, variance = 6 / 7, 1 / 7

# %% paper: means do not add up
mean, variance = 2.0, 0.2

# %% paper: divide by the new precision
mean, variance = 6.0, 0.2
