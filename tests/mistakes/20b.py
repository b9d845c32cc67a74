# %% low_rank: that is the layer alone
def low_rank(x, layer, a, b, strength):
    return layer(x)

# %% low_rank: that is the change alone
def low_rank(x, layer, a, b, strength):
    return strength * b(a(x))

# %% low_rank: strength is missing
def low_rank(x, layer, a, b, strength):
    return layer(x) + b(a(x))

# %% low_rank: strength turns the change, not the layer
def low_rank(x, layer, a, b, strength):
    return strength * (layer(x) + b(a(x)))

# %% low_rank: it raised RuntimeError
def low_rank(x, layer, a, b, strength):
    return layer(x) + strength * a(b(x))

# %% merged: changes the weight that it was given
def merged(weight, a, b, strength):
    weight += strength * b @ a
    return weight

# %% merged: strength is missing
def merged(weight, a, b, strength):
    return weight + b @ a

# %% merged: that is the change alone
def merged(weight, a, b, strength):
    return strength * b @ a

# %% merged: it raised RuntimeError
def merged(weight, a, b, strength):
    return weight + strength * a @ b

# %% merged: strength turns the change, not the weight
def merged(weight, a, b, strength):
    return strength * (weight + b @ a)

# %% numbers: that is all of W
def numbers():
    return 128 * 256

# %% numbers: count both
def numbers():
    return 4 * 128

# %% numbers: the rank is 4
def numbers():
    return 128 + 256

# %% nearest: keep the largest
def nearest(change, rank):
    u, s, vh = torch.linalg.svd(change, full_matrices=False)
    return (u[:, -rank:] * s[-rank:]) @ vh[-rank:]

# %% nearest: the singular values are missing
def nearest(change, rank):
    u, s, vh = torch.linalg.svd(change, full_matrices=False)
    return u[:, :rank] @ vh[:rank]

# %% nearest: all singular values are kept
def nearest(change, rank):
    u, s, vh = torch.linalg.svd(change, full_matrices=False)
    return (u * s) @ vh

# %% nearest: that is what is left over
def nearest(change, rank):
    u, s, vh = torch.linalg.svd(change, full_matrices=False)
    return (u[:, rank:] * s[rank:]) @ vh[rank:]

# %% nearest: vh holds the right vectors in its rows
def nearest(change, rank):
    u, s, vh = torch.linalg.svd(change, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vh[:, :rank].T
