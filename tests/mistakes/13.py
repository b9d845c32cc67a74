# %% frechet: the 2 is missing
def frechet(mean_a, cov_a, mean_b, cov_b):
    half = root(cov_a)
    return (mean_a - mean_b).square().sum() + (cov_a + cov_b - root(half @ cov_b @ half)).trace()

# %% frechet: is to be squared
def frechet(mean_a, cov_a, mean_b, cov_b):
    half = root(cov_a)
    return (mean_a - mean_b).norm() + (cov_a + cov_b - 2 * root(half @ cov_b @ half)).trace()

# %% frechet: and C_a C_b is none
def frechet(mean_a, cov_a, mean_b, cov_b):
    return (mean_a - mean_b).square().sum() + (cov_a + cov_b - 2 * root(cov_a @ cov_b)).trace()

# %% frechet: only where C_a and C_b commute
def frechet(mean_a, cov_a, mean_b, cov_b):
    return (mean_a - mean_b).square().sum() + (cov_a + cov_b - 2 * root(cov_a) @ root(cov_b)).trace()

# %% frechet: the outer root is missing
def frechet(mean_a, cov_a, mean_b, cov_b):
    half = root(cov_a)
    return (mean_a - mean_b).square().sum() + (cov_a + cov_b - 2 * half @ cov_b @ half).trace()

# %% frechet: its trace is the sum over the diagonal
def frechet(mean_a, cov_a, mean_b, cov_b):
    half = root(cov_a)
    return (mean_a - mean_b).square().sum() + (cov_a + cov_b - 2 * root(half @ cov_b @ half)).sum()

# %% kid: paired with itself too
def kid(a, b):
    return kernel(a, a).mean() + kernel(b, b).mean() - 2 * kernel(a, b).mean()

# %% kid: not n squared
def kid(a, b):
    aa, bb, ab = kernel(a, a), kernel(b, b), kernel(a, b)
    within = [(k - k.diagonal().diag()).mean() for k in (aa, bb)]
    return sum(within) - 2 * ab.mean()

# %% kid: its pairs are m (m - 1)
def kid(a, b):
    n = len(a)
    aa, bb, ab = kernel(a, a), kernel(b, b), kernel(a, b)
    within = [(k.sum() - k.trace()) / (n * (n - 1)) for k in (aa, bb)]
    return sum(within) - 2 * ab.mean()

# %% kid: across count twice
def kid(a, b):
    aa, bb, ab = kernel(a, a), kernel(b, b), kernel(a, b)
    within = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in (aa, bb)]
    return sum(within) - ab.mean()

# %% kid: sums, not means
def kid(a, b):
    aa, bb, ab = kernel(a, a), kernel(b, b), kernel(a, b)
    return aa.sum() - aa.trace() + bb.sum() - bb.trace() - 2 * ab.sum()

# %% could_be: its own nearest
def could_be(x, crowd, k=3):
    reach = torch.cdist(crowd, crowd).topk(k, largest=False).values[:, -1]
    return (torch.cdist(x, crowd) <= reach).any(1)

# %% could_be: unless largest=False
def could_be(x, crowd, k=3):
    reach = torch.cdist(crowd, crowd).topk(k + 1).values[:, k]
    return (torch.cdist(x, crowd) <= reach).any(1)

# %% could_be: belongs to the columns
def could_be(x, crowd, k=3):
    reach = torch.cdist(crowd, crowd).topk(k + 1, largest=False).values[:, k]
    return (torch.cdist(x, crowd) <= reach[:, None]).any(1)

# %% could_be: in every ball
def could_be(x, crowd, k=3):
    reach = torch.cdist(crowd, crowd).topk(k + 1, largest=False).values[:, k]
    return (torch.cdist(x, crowd) <= reach).all(1)

# %% could_be: ask each row
def could_be(x, crowd, k=3):
    reach = torch.cdist(crowd, crowd).topk(k + 1, largest=False).values[:, k]
    return (torch.cdist(x, crowd) <= reach).any(0)

# %% could_be: in how many balls is not asked
def could_be(x, crowd, k=3):
    reach = torch.cdist(crowd, crowd).topk(k + 1, largest=False).values[:, k]
    return (torch.cdist(x, crowd) <= reach).sum(1)

# %% floors: forgets the photographs
def floors():
    return 7_000 / 2_000, 7_000 / 1

# %% floors: it is their inverses
def floors():
    return 7_000 / (2_000 + 10_000), 7_000

# %% floors: counts the drawings twice
def floors():
    return 2 * 7_000 / 2_000, 7_000

# %% floors: only c / n is left
def floors():
    return 4.2, 2 * 7_000

# %% floors: the second keeps the 10,000 photographs
def floors():
    return 4.2, 7_000 / (1 - 0.7)

# %% copied: only row by row
def copied(drawn, unseen):
    return (drawn < unseen).double().mean()

# %% copied: ties are forgotten
def copied(drawn, unseen):
    return (drawn[:, None] < unseen).double().mean()

# %% copied: not as a whole
def copied(drawn, unseen):
    return (drawn[:, None] <= unseen).double().mean()

# %% copied: turned round
def copied(drawn, unseen):
    gap = drawn[:, None] - unseen
    return (gap > 0).double().mean() + (gap == 0).double().mean() / 2

# %% copied: one number stands for all
def copied(drawn, unseen):
    return (drawn < unseen.min()).double().mean()

# %% copied: their median stands for all
def copied(drawn, unseen):
    return (drawn < unseen.median()).double().mean()
