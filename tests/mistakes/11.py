# %% steered: the sign is turned
def steered(eps, gradient, sigma):
    return eps + sigma * gradient

# %% steered: sigma is missing
def steered(eps, gradient, sigma):
    return eps - gradient

# %% steered: divided by sigma
def steered(eps, gradient, sigma):
    return eps - gradient / sigma

# %% steered: one sigma is enough
def steered(eps, gradient, sigma):
    return eps - sigma**2 * gradient

# %% steered: that is the score
def steered(eps, gradient, sigma):
    return -eps / sigma + gradient

# %% steered: the push alone
def steered(eps, gradient, sigma):
    return -sigma * gradient

# %% guided: Ho and Salimans' omega
def guided(without, with_label, w):
    return (1 + w) * with_label - w * without

# %% guided: have changed places
def guided(without, with_label, w):
    return with_label + w * (without - with_label)

# %% guided: points away
def guided(without, with_label, w):
    return without - w * (with_label - without)

# %% guided: the push alone
def guided(without, with_label, w):
    return w * (with_label - without)

# %% guided: not the labelled one alone
def guided(without, with_label, w):
    return without + w * with_label

# %% guided: w plays no part
def guided(without, with_label, w):
    return with_label

# %% half: comes first
def half():
    return 0.4, 0.5

# %% half: standard deviations
def half():
    return 0.5**0.5, 0.4**0.5

# %% half: not the arithmetic one
def half():
    return (1 + 1 / 4) / 2, 0.4

# %% half: is a precision
def half():
    return 0.5, 1 + 3 / 2

# %% half: upside down
def half():
    return 4**0.5, 0.4

# %% scale_at: the constant scale
def scale_at(u):
    return 3.0 + 0 * u

# %% scale_at: is missing on both sides
def scale_at(u):
    return (0.25 + u) / (0.1 + u)

# %% scale_at: counts on the right side too
def scale_at(u):
    return (1 + u) * (0.25 + u) / (0.75 * (0.1 + u))

# %% scale_at: the fraction is upside down
def scale_at(u):
    return 1.2 * (0.1 + u) / (0.25 + u)

# %% scale_at: variances are mixed
def scale_at(u):
    return ((1 + u) - (0.1 + u)) / ((1 + u) - (0.25 + u))

# %% scale_at: has noise added too
def scale_at(u):
    return (10 - 1 / (1 + u)) / (1 / (0.25 + u) - 1 / (1 + u))

# %% apg: that is CFG
def apg(with_label, without, w):
    return without + w * (with_label - without)

# %% apg: it is the one to remove
def apg(with_label, without, w):
    push = with_label - without
    parallel = dot(push, with_label) / dot(with_label, with_label) * with_label
    return with_label + (w - 1) * parallel

# %% apg: not w times
def apg(with_label, without, w):
    push = with_label - without
    parallel = dot(push, with_label) / dot(with_label, with_label) * with_label
    return with_label + w * (push - parallel)

# %% apg: not from the other
def apg(with_label, without, w):
    push = with_label - without
    parallel = dot(push, with_label) / dot(with_label, with_label) * with_label
    return without + w * (push - parallel)

# %% apg: no unit vector
def apg(with_label, without, w):
    push = with_label - without
    parallel = dot(push, with_label) * with_label
    return with_label + (w - 1) * (push - parallel)

# %% apg: not by the length
def apg(with_label, without, w):
    push = with_label - without
    parallel = dot(push, with_label) / dot(with_label, with_label).sqrt() * with_label
    return with_label + (w - 1) * (push - parallel)
