# %% unmask: it opens every mask at once
def unmask(x_t, guess, t, s, dice):
    return torch.where(x_t == MASK, tasks.draw(guess, dice), x_t)

# %% unmask: share that stays hidden
def unmask(x_t, guess, t, s, dice):
    opened = torch.rand(x_t.shape, generator=dice) < s / t
    return torch.where((x_t == MASK) & opened, tasks.draw(guess, dice), x_t)

# %% unmask: of those still hidden
def unmask(x_t, guess, t, s, dice):
    opened = torch.rand(x_t.shape, generator=dice) < t - s
    return torch.where((x_t == MASK) & opened, tasks.draw(guess, dice), x_t)

# %% unmask: a letter that can be seen
def unmask(x_t, guess, t, s, dice):
    opened = torch.rand(x_t.shape, generator=dice) < (t - s) / t
    return torch.where(opened, tasks.draw(guess, dice), x_t)

# %% unmask: likeliest letter
def unmask(x_t, guess, t, s, dice):
    opened = torch.rand(x_t.shape, generator=dice) < (t - s) / t
    return torch.where((x_t == MASK) & opened, guess.argmax(-1), x_t)

# %% unmask: give generator=dice
def unmask(x_t, guess, t, s, dice):
    opened = torch.rand(x_t.shape) < (t - s) / t
    return torch.where((x_t == MASK) & opened, tasks.draw(guess, dice), x_t)

# %% bound: it pools the masks
def bound(bits, masked, sigma, slope):
    return masked.shape[1] * (bits * masked).sum() / masked.sum()

# %% bound: with no weight
def bound(bits, masked, sigma, slope):
    return masked.shape[1] * ((bits * masked).sum(1) / masked.sum(1).clamp_min(1)).mean()

# %% bound: a weight hidden in it already
def bound(bits, masked, sigma, slope):
    return (slope / sigma * masked.shape[1] * (bits * masked).sum(1) / masked.sum(1).clamp_min(1)).mean()

# %% bound: multiply the bits by masked
def bound(bits, masked, sigma, slope):
    return (slope / sigma * bits.sum(1)).mean()

# %% bound: the slope is missing
def bound(bits, masked, sigma, slope):
    return ((bits * masked).sum(1) / sigma).mean()

# %% bound: times 1 / sigma, is no bound
def bound(bits, masked, sigma, slope):
    return masked.shape[1] * ((bits * masked).sum(1) / masked.sum(1).clamp_min(1) / sigma).mean()

# %% failing: agree by luck
def failing():
    return 1 / 5

# %% failing: for a single step
def failing():
    return 1 / 2

# %% failing: how often it goes well
def failing():
    return 0.9

# %% failing: one given step
def failing():
    return 1 / 25

# %% in_order: never shown
def in_order(guess, word, order):
    x, bits = torch.full_like(word, MASK), 0.0
    for i in order:
        bits = bits - guess(x[None])[0, i, word[i]].log2()
    return bits

# %% in_order: shown before it is asked for
def in_order(guess, word, order):
    x, bits = torch.full_like(word, MASK), 0.0
    for i in order:
        x[i] = word[i]
        bits = bits - guess(x[None])[0, i, word[i]].log2()
    return bits

# %% in_order: nats
def in_order(guess, word, order):
    x, bits = torch.full_like(word, MASK), 0.0
    for i in order:
        bits = bits - guess(x[None])[0, i, word[i]].log()
        x[i] = word[i]
    return bits

# %% in_order: sign is turned
def in_order(guess, word, order):
    x, bits = torch.full_like(word, MASK), 0.0
    for i in order:
        bits = bits + guess(x[None])[0, i, word[i]].log2()
        x[i] = word[i]
    return bits

# %% in_order: from left to right
def in_order(guess, word, order):
    x, bits = torch.full_like(word, MASK), 0.0
    for i in range(len(word)):
        bits = bits - guess(x[None])[0, i, word[i]].log2()
        x[i] = word[i]
    return bits

# %% posterior: add up to 1
def posterior(shares, seen, sigma):
    fit = torch.full_like(shares, sigma / len(shares))
    fit[seen] += 1 - sigma
    return shares * fit

# %% posterior: shares of the letters are left out
def posterior(shares, seen, sigma):
    fit = torch.full_like(shares, sigma / len(shares))
    fit[seen] += 1 - sigma
    return fit / fit.sum()

# %% posterior: may be the old one
def posterior(shares, seen, sigma):
    fit = torch.full_like(shares, sigma / (len(shares) - 1))
    fit[seen] = 1 - sigma
    return shares * fit / (shares * fit).sum()

# %% posterior: it may be noise
def posterior(shares, seen, sigma):
    return (torch.arange(len(shares)) == seen).to(shares)

# %% posterior: weigh (multiply)
def posterior(shares, seen, sigma):
    fit = sigma * shares
    fit[seen] += 1 - sigma
    return fit
