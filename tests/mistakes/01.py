# %% after: standard deviations are added
def after(first, then):
    (alpha_1, sigma_1), (alpha_2, sigma_2) = first, then
    return alpha_2 * alpha_1, alpha_2 * sigma_1 + sigma_2

# %% after: the second value is the variance
def after(first, then):
    (alpha_1, sigma_1), (alpha_2, sigma_2) = first, then
    return alpha_2 * alpha_1, (alpha_2 * sigma_1) ** 2 + sigma_2**2

# %% after: the first noise keeps its size
def after(first, then):
    (alpha_1, sigma_1), (alpha_2, sigma_2) = first, then
    return alpha_2 * alpha_1, math.hypot(sigma_1, sigma_2)

# %% after: alpha_1 shrinks the first noise
def after(first, then):
    (alpha_1, sigma_1), (alpha_2, sigma_2) = first, then
    return alpha_2 * alpha_1, math.hypot(alpha_1 * sigma_1, sigma_2)

# %% after: which is so for some steps only
def after(first, then):
    (alpha_1, sigma_1), (alpha_2, sigma_2) = first, then
    return alpha_2 * alpha_1, math.sqrt(1 - (alpha_2 * alpha_1) ** 2)

# %% after: the factors of x0 are added
def after(first, then):
    (alpha_1, sigma_1), (alpha_2, sigma_2) = first, then
    return alpha_2 + alpha_1, math.hypot(alpha_2 * sigma_1, sigma_2)

# %% posterior: the second value is the variance
def posterior(x_t, mean, std, alpha, sigma):
    precision = 1 / std**2 + alpha**2 / sigma**2
    return (mean / std**2 + alpha * x_t / sigma**2) / precision, 1 / precision

# %% posterior: the first value is h
def posterior(x_t, mean, std, alpha, sigma):
    precision = 1 / std**2 + alpha**2 / sigma**2
    return mean / std**2 + alpha * x_t / sigma**2, precision**-0.5

# %% posterior: alpha is missing from h
def posterior(x_t, mean, std, alpha, sigma):
    precision = 1 / std**2 + alpha**2 / sigma**2
    return (mean / std**2 + x_t / sigma**2) / precision, precision**-0.5

# %% posterior: alpha is squared in h
def posterior(x_t, mean, std, alpha, sigma):
    precision = 1 / std**2 + alpha**2 / sigma**2
    return (mean / std**2 + alpha**2 * x_t / sigma**2) / precision, precision**-0.5

# %% posterior: alpha^2 is missing from the precision
def posterior(x_t, mean, std, alpha, sigma):
    precision = 1 / std**2 + 1 / sigma**2
    return (mean / std**2 + alpha * x_t / sigma**2) / precision, precision**-0.5

# %% posterior: where their squares belong
def posterior(x_t, mean, std, alpha, sigma):
    precision = 1 / std + alpha / sigma
    return (mean / std + x_t / sigma) / precision, precision**-0.5

# %% distance: nothing is sorted
def distance(a, b, directions):
    gaps = a @ directions.T - b @ directions.T
    return gaps.square().mean().sqrt()

# %% distance: sort the dots, dim 0
def distance(a, b, directions):
    gaps = (a @ directions.T).sort().values - (b @ directions.T).sort().values
    return gaps.square().mean().sqrt()

# %% distance: sorts before it looks
def distance(a, b, directions):
    gaps = a.sort(0).values @ directions.T - b.sort(0).values @ directions.T
    return gaps.square().mean().sqrt()

# %% distance: the root is missing
def distance(a, b, directions):
    gaps = (a @ directions.T).sort(0).values - (b @ directions.T).sort(0).values
    return gaps.square().mean()

# %% distance: the mean absolute gap
def distance(a, b, directions):
    gaps = (a @ directions.T).sort(0).values - (b @ directions.T).sort(0).values
    return gaps.abs().mean()

# %% distance: added up
def distance(a, b, directions):
    gaps = (a @ directions.T).sort(0).values - (b @ directions.T).sort(0).values
    return gaps.norm()

# %% error_of_difference: noise does not cancel noise
def error_of_difference():
    return 4 - 3

# %% error_of_difference: the variances are subtracted
def error_of_difference():
    return math.sqrt(4**2 - 3**2)

# %% error_of_difference: the standard errors are added
def error_of_difference():
    return 3 + 4

# %% error_of_difference: that is the variance
def error_of_difference():
    return 3**2 + 4**2

# %% error_of_difference: it comes out even
def error_of_difference():
    return 4.9

# %% look_again: only the last one counts
def look_again(readings, mean, std, alpha, sigma):
    for x_t in readings:
        guess = posterior(x_t, mean, std, alpha, sigma)
    return guess

# %% look_again: return after the loop
def look_again(readings, mean, std, alpha, sigma):
    for x_t in readings:
        mean, std = posterior(x_t, mean, std, alpha, sigma)
        return mean, std

# %% look_again: nothing has changed
def look_again(readings, mean, std, alpha, sigma):
    for x_t in readings:
        posterior(x_t, mean, std, alpha, sigma)
    return mean, std

# %% look_again: std is not
def look_again(readings, mean, std, alpha, sigma):
    for x_t in readings:
        mean, _ = posterior(x_t, mean, std, alpha, sigma)
    return mean, std

# %% look_again: one reading of the average
def look_again(readings, mean, std, alpha, sigma):
    return posterior(sum(readings) / len(readings), mean, std, alpha, sigma)

# %% correlated: transposed
def correlated(eps, mean, covariance):
    return mean + eps @ torch.linalg.cholesky(covariance)

# %% correlated: the covariance itself is no A
def correlated(eps, mean, covariance):
    return mean + eps @ covariance

# %% correlated: the diagonal is not enough
def correlated(eps, mean, covariance):
    return mean + eps * covariance.diag().sqrt()

# %% correlated: the mean is missing
def correlated(eps, mean, covariance):
    return eps @ torch.linalg.cholesky(covariance).T

# %% correlated: the root of each entry
def correlated(eps, mean, covariance):
    return mean + eps @ covariance.sqrt()
