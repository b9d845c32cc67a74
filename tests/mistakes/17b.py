# %% copies: by its distance 0 to itself
def copies(images, tolerance):
    flat = images.flatten(1)
    gaps = torch.cdist(flat, flat) / flat.shape[1] ** 0.5
    return (gaps < tolerance).any(1).nonzero()[:, 0]

# %% copies: originals are accused
def copies(images, tolerance):
    flat = images.flatten(1)
    gaps = (torch.cdist(flat, flat) / flat.shape[1] ** 0.5).fill_diagonal_(9)
    return (gaps < tolerance).any(1).nonzero()[:, 0]

# %% copies: these are the originals
def copies(images, tolerance):
    flat = images.flatten(1)
    gaps = torch.cdist(flat, flat) / flat.shape[1] ** 0.5
    return (gaps < tolerance).triu(1).any(1).nonzero()[:, 0]

# %% copies: only exact copies
def copies(images, tolerance):
    flat = images.flatten(1)
    return (torch.cdist(flat, flat) < tolerance).tril(-1).any(1).nonzero()[:, 0]

# %% copies: the root of the mean
def copies(images, tolerance):
    flat = images.flatten(1)
    gaps = torch.cdist(flat, flat) ** 2 / flat.shape[1]
    return (gaps < tolerance).tril(-1).any(1).nonzero()[:, 0]

# %% copies: not a mask
def copies(images, tolerance):
    flat = images.flatten(1)
    gaps = torch.cdist(flat, flat) / flat.shape[1] ** 0.5
    return (gaps < tolerance).tril(-1).any(1)

# %% doubted: would have said something else
def doubted(probabilities, labels, below):
    return (probabilities.argmax(1) != labels).nonzero()[:, 0]

# %% doubted: turn the sign
def doubted(probabilities, labels, below):
    return (probabilities[torch.arange(len(labels)), labels] > below).nonzero()[:, 0]

# %% doubted: not the largest one
def doubted(probabilities, labels, below):
    return (probabilities.max(1).values < below).nonzero()[:, 0]

# %% doubted: the same for every
def doubted(probabilities, labels, below):
    return (probabilities[torch.arange(len(labels)), labels] < 0.01).nonzero()[:, 0]

# %% doubted: not a mask
def doubted(probabilities, labels, below):
    return probabilities[torch.arange(len(labels)), labels] < below

# %% mirror: on their heads
def mirror(x, coins):
    return torch.where(coins[:, None, None, None], x.flip(2), x), coins.float()

# %% mirror: where the coin is False
def mirror(x, coins):
    return torch.where(coins[:, None, None, None], x, x.flip(3)), coins.float()

# %% mirror: all are mirrored
def mirror(x, coins):
    return x.flip(3), coins.float()

# %% mirror: the opposite
def mirror(x, coins):
    return torch.where(coins[:, None, None, None], x.flip(3), x), 1 - coins.float()

# %% mirror: the untold mirror
def mirror(x, coins):
    return torch.where(coins[:, None, None, None], x.flip(3), x), torch.zeros(len(x))

# %% mirror: return two things
def mirror(x, coins):
    return torch.where(coins[:, None, None, None], x.flip(3), x)

# %% expected: that is the share
def expected():
    return 20 / 79

# %% expected: not 80
def expected():
    return 200 * 20 / 80

# %% expected: not 60 kinds
def expected():
    return 200 * 20 / 60

# %% expected: without its copies
def expected():
    return 200 / 60

# %% expected: how often it was in the data
def expected():
    return 20

# %% told_apart: each point found itself
def told_apart(a, b):
    both, own = torch.cat([a, b]), torch.arange(len(a) + len(b)) < len(a)
    return (own[torch.cdist(both, both).argmin(1)] == own).double().mean()

# %% told_apart: the OTHER cloud
def told_apart(a, b):
    both, own = torch.cat([a, b]), torch.arange(len(a) + len(b)) < len(a)
    nearest = torch.cdist(both, both).fill_diagonal_(float("inf")).argmin(1)
    return (own[nearest] != own).double().mean()

# %% told_apart: only the first cloud
def told_apart(a, b):
    both, own = torch.cat([a, b]), torch.arange(len(a) + len(b)) < len(a)
    nearest = torch.cdist(both, both).fill_diagonal_(float("inf")).argmin(1)
    return (own[nearest] == own)[: len(a)].double().mean()

# %% told_apart: the farthest
def told_apart(a, b):
    both, own = torch.cat([a, b]), torch.arange(len(a) + len(b)) < len(a)
    return (own[torch.cdist(both, both).argmax(1)] == own).double().mean()

# %% told_apart: not which share
def told_apart(a, b):
    both, own = torch.cat([a, b]), torch.arange(len(a) + len(b)) < len(a)
    nearest = torch.cdist(both, both).fill_diagonal_(float("inf")).argmin(1)
    return (own[nearest] == own).double().sum()
