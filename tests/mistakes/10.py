# %% flow_matching_loss: the sign of the target is turned
def flow_matching_loss(u, x0, x1, t):
    share = t[:, None]
    x_t = (1 - share) * x0 + share * x1
    target = x0 - x1
    return (u(x_t, t) - target).square().mean(1)

# %% flow_matching_loss: x_t runs the wrong way
def flow_matching_loss(u, x0, x1, t):
    share = t[:, None]
    x_t = share * x0 + (1 - share) * x1
    target = x1 - x0
    return (u(x_t, t) - target).square().mean(1)

# %% flow_matching_loss: the clock runs backwards
def flow_matching_loss(u, x0, x1, t):
    share = t[:, None]
    x_t = share * x0 + (1 - share) * x1
    target = x0 - x1
    return (u(x_t, t) - target).square().mean(1)

# %% flow_matching_loss: the target is the noise
def flow_matching_loss(u, x0, x1, t):
    share = t[:, None]
    x_t = (1 - share) * x0 + share * x1
    target = x1
    return (u(x_t, t) - target).square().mean(1)

# %% flow_matching_loss: the way that is left
def flow_matching_loss(u, x0, x1, t):
    share = t[:, None]
    x_t = (1 - share) * x0 + share * x1
    target = x1 - x_t
    return (u(x_t, t) - target).square().mean(1)

# %% flow_matching_loss: added to the whole x0
def flow_matching_loss(u, x0, x1, t):
    share = t[:, None]
    x_t = x0 + share * x1
    target = x1 - x0
    return (u(x_t, t) - target).square().mean(1)

# %% two_ends: the signs are turned
def two_ends(x_t, v, t):
    return x_t + t * v, x_t - (1 - t) * v

# %% two_ends: t and 1 - t have changed places
def two_ends(x_t, v, t):
    return x_t - (1 - t) * v, x_t + t * v

# %% two_ends: a whole velocity away
def two_ends(x_t, v, t):
    return x_t - v, x_t + v

# %% two_ends: x0 is first
def two_ends(x_t, v, t):
    return x_t + (1 - t) * v, x_t - t * v

# %% two_ends: the time left is 1 - t
def two_ends(x_t, v, t):
    return x_t - t * v, x_t + t * v

# %% two_ends: its sign is minus
def two_ends(x_t, v, t):
    return x_t + t * v, x_t + (1 - t) * v

# %% couple: not the distance
def couple(x0, x1):
    cost = torch.cdist(x0, x1)
    rows, columns = linear_sum_assignment(cost.numpy())
    return x0[rows], x1[columns]

# %% couple: the dearest pairs
def couple(x0, x1):
    cost = -torch.cdist(x0, x1).square()
    rows, columns = linear_sum_assignment(cost.numpy())
    return x0[rows], x1[columns]

# %% couple: have changed places
def couple(x0, x1):
    cost = torch.cdist(x0, x1).square()
    rows, columns = linear_sum_assignment(cost.numpy())
    return x0[columns], x1[rows]

# %% couple: as they came
def couple(x0, x1):
    cost = torch.cdist(x0, x1).square()
    rows, columns = linear_sum_assignment(cost.numpy())
    return x0[rows], x1[rows]

# %% couple: used twice
def couple(x0, x1):
    cost = torch.cdist(x0, x1).square()
    return x0, x1[cost.argmin(1)]

# %% couple: in the order of the pairs
def couple(x0, x1):
    cost = torch.cdist(x0, x1).square()
    return linear_sum_assignment(cost.numpy())

# %% meet: time runs from data
def meet():
    return 2 / 3

# %% meet: nearer to the data
def meet():
    return 0.5

# %% meet: here it is minus
def meet():
    return -1

# %% meet: or four digits
def meet():
    return 0.33

# %% average_velocity: divide it by the time
def average_velocity(x, t, s, std):
    r_t, r_s = (((1 - time) ** 2 * std**2 + time**2) ** 0.5 for time in (t, s))
    return x * (1 - r_s / r_t)

# %% average_velocity: the sign is turned
def average_velocity(x, t, s, std):
    r_t, r_s = (((1 - time) ** 2 * std**2 + time**2) ** 0.5 for time in (t, s))
    return x * (r_s / r_t - 1) / (t - s)

# %% average_velocity: upside down
def average_velocity(x, t, s, std):
    r_t, r_s = (((1 - time) ** 2 * std**2 + time**2) ** 0.5 for time in (t, s))
    return x * (1 - r_t / r_s) / (t - s)

# %% average_velocity: these are variances
def average_velocity(x, t, s, std):
    r_t, r_s = ((1 - time) ** 2 * std**2 + time**2 for time in (t, s))
    return x * (1 - r_s / r_t) / (t - s)

# %% average_velocity: add variances
def average_velocity(x, t, s, std):
    r_t, r_s = ((1 - time) * std + time for time in (t, s))
    return x * (1 - r_s / r_t) / (t - s)

# %% average_velocity: the first instant only
def average_velocity(x, t, s, std):
    r_t = ((1 - t) ** 2 * std**2 + t**2) ** 0.5
    return x * (t - (1 - t) * std**2) / r_t**2
