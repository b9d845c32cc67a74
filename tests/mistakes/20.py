# %% forget: hides the rows that should be told
def forget(tokens, hidden):
    return torch.where(hidden[:, None], tokens, 0)

# %% forget: everything is hidden
def forget(tokens, hidden):
    return torch.zeros_like(tokens)

# %% forget: fills with ones
def forget(tokens, hidden):
    return torch.where(hidden[:, None], 1, tokens)

# %% forget: changes the tokens it was given
def forget(tokens, hidden):
    tokens[hidden] = 0
    return tokens

# %% forget: nothing is hidden
def forget(tokens, hidden):
    return tokens

# %% look: words that are not there are looked at too
def look(q, k, v, there):
    return (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1) @ v

# %% look: the mask is turned
def look(q, k, v, there):
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return scores.masked_fill(there[:, None], -torch.inf).softmax(-1) @ v

# %% look: divide the scores by sqrt(d)
def look(q, k, v, there):
    return (q @ k.transpose(1, 2)).masked_fill(~there[:, None], -torch.inf).softmax(-1) @ v

# %% look: not by d
def look(q, k, v, there):
    return (q @ k.transpose(1, 2) / q.shape[-1]).masked_fill(~there[:, None], -torch.inf).softmax(-1) @ v

# %% look: a score of 0 is not absence
def look(q, k, v, there):
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return (scores * there[:, None]).softmax(-1) @ v

# %% look: mask before it
def look(q, k, v, there):
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1)
    return (weights * there[:, None]) @ v

# %% lift: the sign is turned
def lift(eps, told, untold):
    error = lambda guess: (eps - guess).square().flatten(1).mean(1)
    return error(told) - error(untold)

# %% lift: it gives shape (), wanted (3,)
def lift(eps, told, untold):
    return (eps - untold).square().mean() - (eps - told).square().mean()

# %% lift: grows with the picture
def lift(eps, told, untold):
    error = lambda guess: (eps - guess).square().flatten(1).sum(1)
    return error(untold) - error(told)

# %% lift: compares the two predictions
def lift(eps, told, untold):
    return (told - untold).square().flatten(1).mean(1)

# %% together: there are two things
def together():
    return 0.9 * 0.8

# %% together: the relation has to be right too
def together():
    return 0.9**2

# %% together: multiply, do not average
def together():
    return (0.9 + 0.9 + 0.8) / 3

# %% switched: noise grows with t
def switched(first, second, when):
    def predict(x_t, t):
        return first(x_t, t) if t < when else second(x_t, t)

    return Denoiser(first.schedule, predict)

# %% switched: only the first is asked
def switched(first, second, when):
    return Denoiser(first.schedule, lambda x_t, t: first(x_t, t))

# %% switched: only the second is asked
def switched(first, second, when):
    return Denoiser(first.schedule, lambda x_t, t: second(x_t, t))

# %% switched: that is their mean
def switched(first, second, when):
    def predict(x_t, t):
        a, b = first(x_t, t), second(x_t, t)
        return type(a)((a.x0 + b.x0) / 2, (a.eps + b.eps) / 2)

    return Denoiser(first.schedule, predict)
