# %% attention: not divided by sqrt(d)
def attention(q, k, v):
    return (q @ k.transpose(-2, -1)).softmax(-1) @ v

# %% attention: divided by d, not by its root
def attention(q, k, v):
    return (q @ k.transpose(-2, -1) / q.shape[-1]).softmax(-1) @ v

# %% attention: how many numbers a key has
def attention(q, k, v):
    return (q @ k.transpose(-2, -1) / v.shape[-1] ** 0.5).softmax(-1) @ v

# %% attention: softmax runs over the queries
def attention(q, k, v):
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-2) @ v

# %% attention: the softmax is missing
def attention(q, k, v):
    return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 @ v

# %% attention: more axes in front
def attention(q, k, v):
    return (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1) @ v

# %% patches: column by column
def patches(x, p):
    x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))
    return x.permute(0, 4, 2, 1, 3, 5).flatten(3).flatten(1, 2)

# %% patches: each patch is transposed
def patches(x, p):
    x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))
    return x.permute(0, 2, 4, 1, 5, 3).flatten(3).flatten(1, 2)

# %% patches: the channel comes first
def patches(x, p):
    x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))
    return x.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)

# %% patches: the list of pixels in pieces
def patches(x, p):
    return x.flatten(1).unflatten(1, (-1, x.shape[1] * p * p))

# %% patches: it gives shape
def patches(x, p):
    x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3)

# %% residual: x itself is missing
def residual(x, part, shift, scale, gate):
    h = F.layer_norm(x, x.shape[-1:])
    return gate * part((1 + scale) * h + shift)

# %% residual: the gate is on x too
def residual(x, part, shift, scale, gate):
    h = F.layer_norm(x, x.shape[-1:])
    return gate * (x + part((1 + scale) * h + shift))

# %% residual: std divides by n - 1
def residual(x, part, shift, scale, gate):
    h = (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)
    return x + gate * part((1 + scale) * h + shift)

# %% residual: it changes the x it was given
def residual(x, part, shift, scale, gate):
    x += gate * part((1 + scale) * F.layer_norm(x, x.shape[-1:]) + shift)
    return x

# %% residual: not by 1 + gate
def residual(x, part, shift, scale, gate):
    return x + (1 + gate) * part((1 + scale) * F.layer_norm(x, x.shape[-1:]) + shift)

# %% residual: over its last axis only
def residual(x, part, shift, scale, gate):
    return x + gate * part((1 + scale) * F.layer_norm(x, x.shape[1:]) + shift)

# %% crossing: N^2 w is spent twice
def crossing():
    return 12 * 96

# %% crossing: that is the width
def crossing():
    return 96

# %% crossing: the two layers are missing
def crossing():
    return 2 * 96

# %% turn: the other way
def turn(x, angles):
    a, b = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos + b * sin, b * cos - a * sin], -1)

# %% turn: both have a plus
def turn(x, angles):
    a, b = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos + b * sin, a * sin + b * cos], -1)

# %% turn: pairs side by side
def turn(x, angles):
    a, b = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)

# %% turn: the turned b needs the old a
def turn(x, angles):
    a, b = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    a = a * cos - b * sin
    b = a * sin + b * cos
    return torch.cat([a, b], -1)

# %% turn: pairs are k and k + d/2
def turn(x, angles):
    a, b = x[..., ::2], x[..., 1::2]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

# %% turn: the halves have changed places
def turn(x, angles):
    a, b = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * sin + b * cos, a * cos - b * sin], -1)
