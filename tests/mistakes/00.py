# %% mix: alpha and sigma have changed places
def mix(x0, eps, t):
    alpha, sigma = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
    return sigma * x0 + alpha * eps

# %% mix: the noise is subtracted
def mix(x0, eps, t):
    alpha, sigma = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
    return alpha * x0 - sigma * eps

# %% mix: the noise comes at full strength
def mix(x0, eps, t):
    alpha, sigma = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
    return alpha * x0 + eps

# %% mix: the picture comes at full strength
def mix(x0, eps, t):
    alpha, sigma = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
    return x0 + sigma * eps

# %% mix: t itself is the weight
def mix(x0, eps, t):
    return (1 - t) * x0 + t * eps

# %% mix: squared
def mix(x0, eps, t):
    alpha, sigma = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
    return alpha**2 * x0 + sigma**2 * eps

# %% draw: asked at the wrong time
def draw(denoise, x, times):
    for t, s in pairwise(times):
        x0, eps = denoise(x, s)
        x = mix(x0, eps, s)
    return x

# %% draw: it remixes at t
def draw(denoise, x, times):
    for t, s in pairwise(times):
        x0, eps = denoise(x, t)
        x = mix(x0, eps, t)
    return x

# %% draw: two runs from one noise differ
def draw(denoise, x, times):
    for t, s in pairwise(times):
        x0, eps = denoise(x, t)
        x = mix(x0, torch.randn_like(eps), s)
    return x

# %% draw: the state x is mixed in where eps belongs
def draw(denoise, x, times):
    for t, s in pairwise(times):
        x0, eps = denoise(x, t)
        x = mix(x0, x, s)
    return x

# %% draw: is `return x` below the loop
def draw(denoise, x, times):
    for t, s in pairwise(times):
        x0, eps = denoise(x, t)
        x = mix(x0, eps, s)
        return x

# %% draw: about the first noise again
def draw(denoise, x, times):
    for t, s in pairwise(times):
        x0, eps = denoise(x, t)
        new = mix(x0, eps, s)
    return new

# %% twice: that is the angle: it is pi/2 times t
def twice():
    return math.atan(2)

# %% twice: in degrees
def twice():
    return 63.4349

# %% twice: the picture is twice as strong
def twice():
    return 2 / math.pi * math.atan(0.5)

# %% twice: equally strong
def twice():
    return 0.5

# %% twice: are not the weights here
def twice():
    return 2 / 3

# %% guided: at scale 0 it gives told
def guided(untold, told, scale):
    return told + scale * (told - untold)

# %% guided: have changed places
def guided(untold, told, scale):
    return told + scale * (untold - told)

# %% guided: without its beginning
def guided(untold, told, scale):
    return scale * (told - untold)

# %% guided: the direction is turned
def guided(untold, told, scale):
    return untold + scale * (untold - told)

# %% guided: told, multiplied
def guided(untold, told, scale):
    return scale * told

# %% recognised: how many, not which share
def recognised(denoise, judge, z, wanted, steps):
    pictures = draw(denoise, z, uniform_times(steps).tolist())
    return (judge.classify(pictures) == wanted).sum()

# %% recognised: the judge was shown the noise
def recognised(denoise, judge, z, wanted, steps):
    pictures = draw(denoise, z, uniform_times(steps).tolist())
    return (judge.classify(z) == wanted).double().mean()

# %% recognised: does not recognise
def recognised(denoise, judge, z, wanted, steps):
    pictures = draw(denoise, z, uniform_times(steps).tolist())
    return (judge.classify(pictures) != wanted).double().mean()

# %% recognised: the number of steps is not used
def recognised(denoise, judge, z, wanted, steps):
    pictures = draw(denoise, z, uniform_times(25).tolist())
    return (judge.classify(pictures) == wanted).double().mean()
