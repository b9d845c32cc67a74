# %% given_y: normalising constant differs
def given_y(y, spread, means, stds, shares):
    variance = stds**2 + spread**2
    log_fit = -((y - means[:, 0]) ** 2) / (2 * variance)
    return (shares.log() + log_fit).softmax(-1), means[:, 0] + stds**2 / variance * (y - means[:, 0])

# %% given_y: a half is missing
def given_y(y, spread, means, stds, shares):
    variance = stds**2 + spread**2
    log_fit = -((y - means[:, 0]) ** 2) / variance - variance.log() / 2
    return (shares.log() + log_fit).softmax(-1), means[:, 0] + stds**2 / variance * (y - means[:, 0])

# %% given_y: noise of the sensor too
def given_y(y, spread, means, stds, shares):
    variance = stds**2 + spread**2
    log_fit = -((y - means[:, 0]) ** 2) / (2 * stds**2) - stds.log()
    return (shares.log() + log_fit).softmax(-1), means[:, 0] + stds**2 / variance * (y - means[:, 0])

# %% given_y: its parts exchanged
def given_y(y, spread, means, stds, shares):
    variance = stds**2 + spread**2
    log_fit = -((y - means[:, 0]) ** 2) / (2 * variance) - variance.log() / 2
    return (shares.log() + log_fit).softmax(-1), means[:, 0] + spread**2 / variance * (y - means[:, 0])

# %% given_y: Normal takes a standard deviation
def given_y(y, spread, means, stds, shares):
    variance = stds**2 + spread**2
    log_fit = torch.distributions.Normal(means[:, 0], variance).log_prob(torch.as_tensor(y, dtype=means.dtype))
    return (shares.log() + log_fit).softmax(-1), means[:, 0] + stds**2 / variance * (y - means[:, 0])

# %% given_y: the gain adds variances
def given_y(y, spread, means, stds, shares):
    variance = stds**2 + spread**2
    log_fit = -((y - means[:, 0]) ** 2) / (2 * variance) - variance.log() / 2
    weights = (shares.log() + log_fit).softmax(-1)
    where = means[:, 0] + stds / (stds + spread) * (y - means[:, 0])
    return weights, where

# %% consistent: that is A^+ y alone
def consistent(x0, y, operator):
    return operator.pinv(y)

# %% consistent: on top of what x0 has there already
def consistent(x0, y, operator):
    return x0 + operator.pinv(y)

# %% consistent: the sign is turned
def consistent(x0, y, operator):
    return x0 - operator.pinv(y - operator.forward(x0))

# %% consistent: the adjoint takes the place
def consistent(x0, y, operator):
    return x0 + operator.adjoint(y - operator.forward(x0))

# %% consistent: that is what x0 lacks
def consistent(x0, y, operator):
    return operator.pinv(y - operator.forward(x0))

# %% shrinkage: a sum of norms
def shrinkage():
    return 64

# %% shrinkage: by what number is it divided
def shrinkage():
    return 1 / 8

# %% shrinkage: half of 64
def shrinkage():
    return 32

# %% shrinkage: twice as large
def shrinkage():
    return 16

# %% two_views: turn it back before you average
def two_views(first, second, turn):
    def predict(x_t, t):
        a = first(x_t, t).x0
        b = second(turn(x_t), t).x0
        return solve(x_t, (a + b) / 2, "x0", first.schedule, t)

    return Denoiser(first.schedule, predict)

# %% two_views: should be shown x_t turned round
def two_views(first, second, turn):
    def predict(x_t, t):
        a = first(x_t, t).x0
        b = turn(second(x_t, t).x0)
        return solve(x_t, (a + b) / 2, "x0", first.schedule, t)

    return Denoiser(first.schedule, predict)

# %% two_views: shown x_t as it is
def two_views(first, second, turn):
    def predict(x_t, t):
        a = first(x_t, t).x0
        b = second(x_t, t).x0
        return solve(x_t, (a + b) / 2, "x0", first.schedule, t)

    return Denoiser(first.schedule, predict)

# %% two_views: that is the sum
def two_views(first, second, turn):
    def predict(x_t, t):
        a = first(x_t, t).x0
        b = turn(second(turn(x_t), t).x0)
        return solve(x_t, a + b, "x0", first.schedule, t)

    return Denoiser(first.schedule, predict)

# %% two_views: ask second about it
def two_views(first, second, turn):
    def predict(x_t, t):
        a = first(x_t, t).x0
        b = turn(first(turn(x_t), t).x0)
        return solve(x_t, (a + b) / 2, "x0", first.schedule, t)
    return Denoiser(first.schedule, predict)

# %% two_views: these are of the noise
def two_views(first, second, turn):
    def predict(x_t, t):
        a = first(x_t, t).eps
        b = turn(second(turn(x_t), t).eps)
        return solve(x_t, (a + b) / 2, "x0", first.schedule, t)
    return Denoiser(first.schedule, predict)
