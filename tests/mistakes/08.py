# %% my_log_prob: the sign is turned
def my_log_prob(denoiser, x, times, divergence):
    gathered = torch.zeros(len(x), dtype=x.dtype)
    for t, s in pairwise(times.tolist()):
        half = x + (s - t) / 2 * velocity(denoiser, x, t)
        f = partial(velocity, denoiser, t=(t + s) / 2)
        gathered = gathered - (s - t) * divergence(f, half)
        x = x + (s - t) * f(half)
    return log_normal(x) + gathered

# %% my_log_prob: not to the data where it began
def my_log_prob(denoiser, x, times, divergence):
    gathered, x0 = torch.zeros(len(x), dtype=x.dtype), x
    for t, s in pairwise(times.tolist()):
        half = x + (s - t) / 2 * velocity(denoiser, x, t)
        f = partial(velocity, denoiser, t=(t + s) / 2)
        gathered = gathered + (s - t) * divergence(f, half)
        x = x + (s - t) * f(half)
    return log_normal(x0) + gathered

# %% my_log_prob: a divergence is a rate
def my_log_prob(denoiser, x, times, divergence):
    gathered = torch.zeros(len(x), dtype=x.dtype)
    for t, s in pairwise(times.tolist()):
        half = x + (s - t) / 2 * velocity(denoiser, x, t)
        f = partial(velocity, denoiser, t=(t + s) / 2)
        gathered = gathered + divergence(f, half)
        x = x + (s - t) * f(half)
    return log_normal(x) + gathered

# %% my_log_prob: the divergence is taken at x
def my_log_prob(denoiser, x, times, divergence):
    gathered = torch.zeros(len(x), dtype=x.dtype)
    for t, s in pairwise(times.tolist()):
        half = x + (s - t) / 2 * velocity(denoiser, x, t)
        f = partial(velocity, denoiser, t=(t + s) / 2)
        gathered = gathered + (s - t) * divergence(f, x)
        x = x + (s - t) * f(half)
    return log_normal(x) + gathered

# %% my_log_prob: a step and a half
def my_log_prob(denoiser, x, times, divergence):
    gathered = torch.zeros(len(x), dtype=x.dtype)
    for t, s in pairwise(times.tolist()):
        half = x + (s - t) / 2 * velocity(denoiser, x, t)
        f = partial(velocity, denoiser, t=(t + s) / 2)
        gathered = gathered + (s - t) * divergence(f, half)
        x = half + (s - t) * f(half)
    return log_normal(x) + gathered

# %% my_log_prob: where the step begins
def my_log_prob(denoiser, x, times, divergence):
    gathered = torch.zeros(len(x), dtype=x.dtype)
    for t, s in pairwise(times.tolist()):
        f = partial(velocity, denoiser, t=t)
        gathered = gathered + (s - t) * divergence(f, x)
        x = x + (s - t) * f(x)
    return log_normal(x) + gathered

# %% hutchinson: z is missing on the right
def hutchinson(f, x, z):
    x = x.detach().requires_grad_()
    v = f(x)
    (pulled,) = torch.autograd.grad(v, x, z)
    return pulled.sum(1)

# %% hutchinson: z is missing on the left
def hutchinson(f, x, z):
    x = x.detach().requires_grad_()
    v = f(x)
    (pulled,) = torch.autograd.grad(v.sum(), x)
    return (z * pulled).sum(1)

# %% hutchinson: not averaged
def hutchinson(f, x, z):
    x = x.detach().requires_grad_()
    v = f(x)
    (pulled,) = torch.autograd.grad(v, x, z)
    return (z * pulled).mean(1)

# %% hutchinson: no derivative is taken
def hutchinson(f, x, z):
    return (z * f(x)).sum(1)

# %% hutchinson: the exact divergence
def hutchinson(f, x, z):
    return tasks.divergence(f, x)

# %% hutchinson: every entry of J counts
def hutchinson(f, x, z):
    x = x.detach().requires_grad_()
    (pulled,) = torch.autograd.grad(f(x).sum(), x)
    return pulled.sum(1)

# %% bits: the scale is forgotten
def bits(log_p, d, scale):
    return -log_p / (d * math.log(2))

# %% bits: the scale has the wrong sign
def bits(log_p, d, scale):
    return -math.log2(scale) - log_p / (d * math.log(2))

# %% bits: nats are not bits
def bits(log_p, d, scale):
    return math.log2(scale) - log_p / d

# %% bits: bits want log2
def bits(log_p, d, scale):
    return math.log(scale) - log_p / (d * math.log(2))

# %% bits: not divided by d
def bits(log_p, d, scale):
    return (math.log2(scale) - log_p / math.log(2)) / d

# %% bits: for the whole picture
def bits(log_p, d, scale):
    return math.log2(scale) - log_p / math.log(2)

# %% report: without the scale
def report():
    return -3.99

# %% report: 255 would be for [0, 1]
def report():
    return 4.0025

# %% report: three colours
def report():
    return -4.981

# %% report: 128 would be for 256 steps
def report():
    return 7 - 3.992

# %% report: it lowers the bits
def report():
    return 10.986

# %% gap_law: the end term is missing
def gap_law(first, final, S2, d):
    return d * math.log(final / first) / 4 * math.log(1 + final * S2)

# %% gap_law: d dimensions, d gaps
def gap_law(first, final, S2, d):
    return math.log(final / first) / 4 * (math.log(1 + final * S2) - 1)

# %% gap_law: d times the whole bracket
def gap_law(first, final, S2, d):
    return math.log(final / first) / 4 * (d * math.log(1 + final * S2) - 1)

# %% gap_law: the range is missing
def gap_law(first, final, S2, d):
    return d * (math.log(1 + final * S2) - 1) / 4

# %% gap_law: half for the triangle
def gap_law(first, final, S2, d):
    return d * math.log(final / first) / 2 * (math.log(1 + final * S2) - 1)

# %% verdicts: sign, N(0, 1): look again
def verdicts():
    return {"sign": ("red", "red", "red"), "wrong way": ("green", "red", "red"),
            "no constant": ("red", "red", "red"), "one derivative": ("green", "green", "red")}

# %% verdicts: wrong way, N(0, 1/4): look again
def verdicts():
    return {"sign": ("green", "red", "red"), "wrong way": ("green", "green", "green"),
            "no constant": ("red", "red", "red"), "one derivative": ("green", "green", "red")}

# %% verdicts: d/2 log 2 pi is missing
def verdicts():
    return {"sign": ("green", "red", "red"), "wrong way": ("green", "red", "red"),
            "no constant": ("green", "red", "red"), "one derivative": ("green", "green", "red")}

# %% verdicts: both swell
def verdicts():
    return {"sign": ("green", "red", "red"), "wrong way": ("green", "red", "red"),
            "no constant": ("red", "red", "red"), "one derivative": ("green", "green", "green")}

# %% verdicts: three words
def verdicts():
    return {"sign": ("green", "red"), "wrong way": ("green", "red", "red"),
            "no constant": ("red", "red", "red"), "one derivative": ("green", "green", "red")}
