# %% ddim: as Song's code has it
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = (x - eps * (1 - bar_t) ** 0.5) / bar_t**0.5
    c1 = eta * (max(0.0, (1 - bar_t / bar_s) * (1 - bar_s) / (1 - bar_t))) ** 0.5
    c2 = ((1 - bar_s) - c1**2) ** 0.5
    return bar_s**0.5 * x0 + c1 * torch.empty_like(x).normal_(generator=generator) + c2 * eps


# %% ddim: as factors of x and eps
def ddim(x, eps, bar_t, bar_s, eta, generator):
    keep = math.sqrt(bar_s / bar_t)
    variance = 0.0 if eta == 0 else eta**2 * (1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s)
    factor = math.sqrt(1 - bar_s - variance) - keep * math.sqrt(1 - bar_t)
    x_s = keep * x + factor * eps
    if variance > 0:
        z = torch.randn(x.numel(), generator=generator, dtype=x.dtype).flip(0).view(x.shape)
        x_s = torch.add(x_s, z, alpha=math.sqrt(variance))
    return x_s


# %% ddim: with tensors and angles
def ddim(x, eps, bar_t, bar_s, eta, generator):
    bar_t, bar_s = (torch.tensor(bar, dtype=torch.float64) for bar in (bar_t, bar_s))
    x0 = (x - (1 - bar_t).sqrt() * eps) / bar_t.sqrt()
    fresh = eta * ((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s).clamp(min=0)).sqrt()
    angle = torch.asin((fresh / (1 - bar_s).sqrt().clamp(min=1e-300)).clamp(max=1))
    z = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    noise = torch.cos(angle) * eps + torch.sin(angle) * z
    return (bar_s.sqrt() * x0 + (1 - bar_s).sqrt() * noise).to(x.dtype)


# %% paper: as roots
ddim_lands, ode_leads, fresh = 17 / 5, math.sqrt(13), math.sqrt(3)

# %% paper: rounded
ddim_lands, ode_leads, fresh = 3.4, 3.606, 1.732

# %% paper: by code
x = torch.tensor(5.0)
x0 = 9 * x / 25
ddim_lands = x0 + (x - x0) / 2
ode_leads = 5 * torch.tensor(13.0).sqrt() / 5
fresh = 0.5 * (torch.tensor(4.0) ** 2 - torch.tensor(2.0) ** 2).sqrt()


# %% carry: by the score of standard deviations
def carry(x, t, s, schedule, mean, std):
    std = torch.as_tensor(std, dtype=x.dtype)
    (a, b), (c, d) = evaluate(schedule, t), evaluate(schedule, s)
    z = (x - a * mean) / torch.sqrt((a * std) ** 2 + b**2)
    return c * mean + z * torch.sqrt((c * std) ** 2 + d**2)


# %% carry: by logarithms
def carry(x, t, s, schedule, mean, std):
    std = torch.as_tensor(std, dtype=torch.float64)
    log_wide = lambda alpha, sigma: 0.5 * torch.log((alpha * std).square() + sigma * sigma)
    here, there = evaluate(schedule, t), evaluate(schedule, s)
    return there[0] * mean + (log_wide(*there) - log_wide(*here)).exp() * (x - here[0] * mean)


# %% carry: by way of the noise alone
def carry(x, t, s, schedule, mean, std):
    def wide(alpha, sigma):
        return torch.hypot(torch.as_tensor(alpha * std).double(), torch.tensor(sigma).double())

    alpha, sigma = evaluate(schedule, t)
    unit = (x - alpha * mean) / wide(alpha, sigma)
    alpha, sigma = evaluate(schedule, s)
    return wide(alpha, sigma) * unit + alpha * mean


# %% heun: as DDIM, corrected
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    x0, eps = predict(x, t)
    first = alpha_s * x0 + sigma_s * eps
    if s == 0:
        return first
    again = predict(first, s)[1]
    return first + alpha_s * (sigma_s / alpha_s - sigma_t / alpha_t) / 2 * (again - eps)


# %% heun: with a function of r
def heun(predict, x, t, s, schedule):
    levels = {time: evaluate(schedule, time) for time in (t, s)}
    r = {time: sigma / alpha for time, (alpha, sigma) in levels.items()}
    slope = lambda y, time: predict(levels[time][0] * y, time)[1]
    y, h = x / levels[t][0], r[s] - r[t]
    k1 = slope(y, t)
    k2 = k1 if r[s] == 0 else slope(y + h * k1, s)
    return levels[s][0] * (y + h / 2 * k1 + h / 2 * k2)


# %% heun: eps from the guess of x0
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    y, r, q = x / alpha_t, sigma_t / alpha_t, sigma_s / alpha_s
    slope = (y - predict(x, t)[0]) / r
    landed = y + (q - r) * slope
    if q > 0:
        slope = 0.5 * slope + 0.5 * (landed - predict(alpha_s * landed, s)[0]) / q
        landed = y + (q - r) * slope
    return landed * alpha_s


# %% translate: with pairwise
def translate(first, second, x, times, schedule):
    from itertools import pairwise

    noise = x
    for t, s in pairwise(times):
        noise = heun(first, noise, t, s, schedule)
    there = noise
    for t, s in pairwise(reversed(times)):
        there = heun(second, there, t, s, schedule)
    return noise, there


# %% translate: with indices, as a list
def translate(first, second, x, times, schedule):
    states = [x]
    for k in range(len(times) - 1):
        states.append(heun(first, states[-1], times[k], times[k + 1], schedule))
    noise = states[-1]
    for k in range(len(times) - 1, 0, -1):
        states.append(heun(second, states[-1], times[k], times[k - 1], schedule))
    return [noise, states[-1]]


# %% translate: one loop over both ways
def translate(first, second, x, times, schedule):
    last, found = len(times) - 1, []
    legs = [(first, t, s) for t, s in zip(times, times[1:])]
    legs += [(second, s, t) for t, s in list(zip(times, times[1:]))[::-1]]
    for predict, t, s in legs:
        x = heun(predict, x, t, s, schedule)
        found.append(x)
    return found[last - 1], x
