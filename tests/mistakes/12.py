# %% Block: the noise level has no say
class Block(BlockParts):
    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h)
        return self.skip(x) + self.conv2(F.silu(h))

# %% Block: without its 1
class Block(BlockParts):
    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, 1)
        h = self.norm2(h) * scale + shift
        return self.skip(x) + self.conv2(F.silu(h))

# %% Block: undoes the scaling
class Block(BlockParts):
    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, 1)
        h = self.norm2(h * (1 + scale) + shift)
        return self.skip(x) + self.conv2(F.silu(h))

# %% Block: x is missing
class Block(BlockParts):
    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, 1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.conv2(F.silu(h))

# %% Block: self.skip(x) brings it to theirs
class Block(BlockParts):
    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, 1)
        h = self.norm2(h) * (1 + scale) + shift
        return x + self.conv2(F.silu(h))

# %% Block: the nonlinearity is missing
class Block(BlockParts):
    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.scale_shift(emb)[:, :, None, None].chunk(2, 1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(h)

# %% UNet: have changed places
class UNet(UNetParts):
    def forward(self, x, level, y=None):
        emb = F.silu(self.condition(level, y, len(x)))
        h = self.stem(F.pixel_unshuffle(x, 2))
        side = self.down[0](h, emb)
        h = self.shrink(side)
        for block in self.deep:
            h = block(h, emb)
        h = F.interpolate(self.widen(h), scale_factor=2.0)
        h = torch.cat([side, h], 1)
        h = self.up[0](h, emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)

# %% UNet: channels do not fit
class UNet(UNetParts):
    def forward(self, x, level, y=None):
        emb = F.silu(self.condition(level, y, len(x)))
        h = self.stem(F.pixel_unshuffle(x, 2))
        side = self.down[0](h, emb)
        h = self.shrink(side)
        for block in self.deep:
            h = block(h, emb)
        h = F.interpolate(self.widen(h), scale_factor=2.0)
        h = h + side
        h = self.up[0](h, emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)

# %% UNet: the skip, side, is missing
class UNet(UNetParts):
    def forward(self, x, level, y=None):
        emb = F.silu(self.condition(level, y, len(x)))
        h = self.stem(F.pixel_unshuffle(x, 2))
        side = self.down[0](h, emb)
        h = self.shrink(side)
        for block in self.deep:
            h = block(h, emb)
        h = F.interpolate(self.widen(h), scale_factor=2.0)
        h = torch.cat([h, h], 1)
        h = self.up[0](h, emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)

# %% UNet: carries what the stem made
class UNet(UNetParts):
    def forward(self, x, level, y=None):
        emb = F.silu(self.condition(level, y, len(x)))
        h = self.stem(F.pixel_unshuffle(x, 2))
        side = h
        h = self.shrink(self.down[0](h, emb))
        for block in self.deep:
            h = block(h, emb)
        h = F.interpolate(self.widen(h), scale_factor=2.0)
        h = torch.cat([h, side], 1)
        h = self.up[0](h, emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)

# %% UNet: adds by itself
class UNet(UNetParts):
    def forward(self, x, level, y=None):
        emb = F.silu(self.condition(level, y, len(x)))
        h = self.stem(F.pixel_unshuffle(x, 2))
        side = self.down[0](h, emb)
        h = self.shrink(side)
        for block in self.deep:
            h = h + block(h, emb)
        h = F.interpolate(self.widen(h), scale_factor=2.0)
        h = torch.cat([h, side], 1)
        h = self.up[0](h, emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)

# %% UNet: in line 7 of forward
class UNet(UNetParts):
    def forward(self, x, level, y=None):
        emb = F.silu(self.condition(level, y, len(x)))
        h = self.stem(F.pixel_unshuffle(x, 2))
        side = self.down[0](h, emb)
        h = self.shrink(side)
        for block in self.deep:
            h = block(h)
        h = F.interpolate(self.widen(h), scale_factor=2.0)
        h = torch.cat([h, side], 1)
        h = self.up[0](h, emb)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2)

# %% floors: nobody can know the fresh noise
def floors(alpha, sigma, V):
    return sigma**2 * V, (sigma**2 - alpha**2) ** 2 * V / sigma**2

# %% floors: alpha^2 too
def floors(alpha, sigma, V):
    return alpha + sigma**2 * V, (sigma**2 - alpha**2) ** 2 * V / sigma**2

# %% floors: wrong sign: the factor of x0 comes in squared
def floors(alpha, sigma, V):
    return alpha**2 + sigma**2 * V, abs(sigma**2 - alpha**2) * V / sigma

# %% floors: so it is squared too
def floors(alpha, sigma, V):
    return alpha**2 + sigma**2 * V, (sigma**2 - alpha**2) ** 2 * V / sigma

# %% floors: that is the floor of the right lesson
def floors(alpha, sigma, V):
    return alpha**2 + sigma**2 * V, V / sigma**2

# %% floors: changed places
def floors(alpha, sigma, V):
    return (sigma**2 - alpha**2) ** 2 * V / sigma**2, alpha**2 + sigma**2 * V

# %% culprits: A: look again
def culprits():
    return {"A": "denoiser", "B": "denoiser", "C": "denoiser", "D": "training"}

# %% culprits: B: look again
def culprits():
    return {"A": "sampler", "B": "training", "C": "denoiser", "D": "training"}

# %% culprits: C: look again
def culprits():
    return {"A": "sampler", "B": "denoiser", "C": "training", "D": "training"}

# %% culprits: D: look again
def culprits():
    return {"A": "sampler", "B": "denoiser", "C": "denoiser", "D": "denoiser"}

# %% culprits: one culprit for each
def culprits():
    return {"A": "sampler", "B": "sign", "C": "labels", "D": "none"}

# %% wide: each has two
def wide():
    return 50

# %% wide: have four convolutions
def wide():
    return 66

# %% wide: a view of 2 to begin with
def wide():
    return 80

# %% wide: one step of the half-size grid
def wide():
    return 78

# %% wide: reaches to both sides
def wide():
    return 42

# %% wide: it adds to the 50
def wide():
    return 32

# %% ironed: still to be planted
def ironed(denoiser, x, times, y):
    return my_sampler(denoiser, x, times, y)

# %% ironed: no noise is mixed in at all
def ironed(denoiser, x, times, y):
    for t, s in pairwise(times.tolist()):
        x0, eps = denoiser(x, t, y=y)
        alpha, sigma = evaluate(cosine, s)
        x = alpha * x0
    return x

# %% ironed: those of t
def ironed(denoiser, x, times, y):
    for t, s in pairwise(times.tolist()):
        x0, eps = denoiser(x, t, y=y)
        alpha, sigma = evaluate(cosine, t)
        x = alpha * x0 + sigma**2 * eps
    return x

# %% ironed: x is still at t
def ironed(denoiser, x, times, y):
    for t, s in pairwise(times.tolist()):
        x0, eps = denoiser(x, s, y=y)
        alpha, sigma = evaluate(cosine, s)
        x = alpha * x0 + sigma**2 * eps
    return x

# %% ironed: not told the class
def ironed(denoiser, x, times, y):
    for t, s in pairwise(times.tolist()):
        x0, eps = denoiser(x, t)
        alpha, sigma = evaluate(cosine, s)
        x = alpha * x0 + sigma**2 * eps
    return x

# %% ironed: alpha is missing
def ironed(denoiser, x, times, y):
    for t, s in pairwise(times.tolist()):
        x0, eps = denoiser(x, t, y=y)
        alpha, sigma = evaluate(cosine, s)
        x = x0 + sigma**2 * eps
    return x

# %% ridge: the penalty is missing
def ridge(A, Y, weight):
    return torch.linalg.lstsq(A, Y).solution

# %% ridge: the wrong sign
def ridge(A, Y, weight):
    return torch.linalg.solve(A.T @ A - weight * torch.eye(A.shape[1], dtype=A.dtype), A.T @ Y)

# %% ridge: on the diagonal
def ridge(A, Y, weight):
    return torch.linalg.solve(A.T @ A + weight, A.T @ Y)

# %% ridge: without its weight
def ridge(A, Y, weight):
    return torch.linalg.solve(A.T @ A + torch.eye(A.shape[1], dtype=A.dtype), A.T @ Y)

# %% ridge: weight is squared
def ridge(A, Y, weight):
    return torch.linalg.solve(A.T @ A + weight**2 * torch.eye(A.shape[1], dtype=A.dtype), A.T @ Y)
