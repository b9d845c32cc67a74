# %% guide: the weights of Ho and Salimans
def guide(told, untold, scale):
    def predict(x_t, t):
        w = scale - 1
        (a, b), (c, d) = told(x_t, t), untold(x_t, t)
        return (1 + w) * a - w * c, (1 + w) * b - w * d
    return predict

# %% guide: by lerp, as a list
def guide(told, untold, scale):
    return lambda x_t, t: [torch.lerp(c, a, scale) for a, c in zip(told(x_t, t), untold(x_t, t))]

# %% guide: a class that can be called
class Guided:
    def __init__(self, told, untold, scale):
        self.told, self.untold, self.scale = told, untold, scale

    def __call__(self, x_t, t):
        far, near = (torch.stack(list(f(x_t, t))) for f in (self.told, self.untold))
        both = near + self.scale * (far - near)
        return both[0], both[1]


def guide(told, untold, scale):
    return Guided(told, untold, scale)

# %% inpaint: by arithmetic
def inpaint(predict, schedule, known, mask):
    def filled(x_t, t):
        alpha, sigma = evaluate(schedule, t)
        m = mask.to(x_t.dtype)
        x0 = m * known + (1 - m) * predict(x_t, t)[0]
        return x0, x_t / sigma - alpha / sigma * x0
    return filled

# %% inpaint: in place, on a copy
def inpaint(predict, schedule, known, mask):
    def filled(x_t, t):
        alpha, sigma = schedule(torch.tensor(t, dtype=torch.float64))
        x0 = predict(x_t, t)[0].clone()
        everywhere = mask.expand(x0.shape)
        x0[everywhere] = known.expand(x0.shape)[everywhere]
        return [x0, (x_t - alpha * x0) / sigma]
    return filled

# %% inpaint: correcting eps by the change of x0
def inpaint(predict, schedule, known, mask):
    def filled(x_t, t):
        alpha, sigma = evaluate(schedule, t)
        x0, eps = predict(x_t, t)
        new = x0.where(~mask, known)
        return new, eps + alpha / sigma * (x0 - new)
    return filled

# %% project: in a basis of the rows
def project(x0, A, y):
    Q, R = torch.linalg.qr(A.T)
    return x0 + torch.linalg.solve(R.T, (y - x0 @ A.T).T).T @ Q.T

# %% project: the null space, as DDNM writes it
def project(x0, A, y):
    inverse = torch.linalg.pinv(A)
    return y @ inverse.T + x0 @ (torch.eye(A.shape[1], dtype=A.dtype) - inverse @ A).T

# %% project: row by row
def project(x0, A, y):
    inverse = A.T @ torch.linalg.inv(A @ A.T)
    return torch.stack([row + inverse @ (value - A @ row) for row, value in zip(x0, y)])

# %% posterior: by precisions
def posterior(mu, Sigma, A, y, s):
    before = torch.linalg.inv(Sigma)
    covariance = torch.linalg.inv(before + A.T @ A / s**2)
    return covariance @ (before @ mu + A.T @ y / s**2), covariance

# %% posterior: by solve
def posterior(mu, Sigma, A, y, s):
    of_y = A @ Sigma @ A.T + s**2 * torch.eye(A.shape[0], dtype=Sigma.dtype)
    gain = torch.linalg.solve(of_y, A @ Sigma).T
    return mu + gain @ (y - A @ mu), (torch.eye(len(mu), dtype=Sigma.dtype) - gain @ A) @ Sigma

# %% posterior: one measured number after the other
def posterior(mu, Sigma, A, y, s):
    for a, value in zip(A, y):
        gain = Sigma @ a / (a @ Sigma @ a + s**2)
        mu, Sigma = mu + gain * (value - a @ mu), Sigma - torch.outer(gain, a @ Sigma)
    return mu, Sigma

# %% paper: digits
mean, variance = 1.2, 0.2

# %% paper: fractions
from fractions import Fraction
mean, variance = float(Fraction(6, 5)), float(Fraction(1, 5))

# %% paper: tensors
mean = torch.tensor(1.2)
variance = torch.tensor(0.2)
