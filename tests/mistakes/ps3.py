# %% ddim: alpha is the root of alpha-bar
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = (x - math.sqrt(1 - bar_t) * eps) / math.sqrt(bar_t)
    if eta == 0:
        return bar_s * x0 + math.sqrt(1 - bar_s) * eps
    fresh = eta * math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return bar_s * x0 + math.sqrt(1 - bar_s - fresh**2) * eps + fresh * z

# %% ddim: its root is missing
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = (x - math.sqrt(1 - bar_t) * eps) / math.sqrt(bar_t)
    if eta == 0:
        return math.sqrt(bar_s) * x0 + (1 - bar_s) * eps
    fresh = eta * math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return math.sqrt(bar_s) * x0 + (1 - bar_s - fresh**2) * eps + fresh * z

# %% ddim: nothing is divided
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = x - math.sqrt(1 - bar_t) * eps
    if eta == 0:
        return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s) * eps
    fresh = eta * math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s - fresh**2) * eps + fresh * z

# %% ddim: the noise is counted twice
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = (x - math.sqrt(1 - bar_t) * eps) / math.sqrt(bar_t)
    if eta == 0:
        return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s) * eps
    fresh = eta * math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s) * eps + fresh * z

# %% ddim: two sides of a triangle
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = (x - math.sqrt(1 - bar_t) * eps) / math.sqrt(bar_t)
    if eta == 0:
        return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s) * eps
    fresh = eta * math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return math.sqrt(bar_s) * x0 + (math.sqrt(1 - bar_s) - fresh) * eps + fresh * z

# %% ddim: eta is forgotten
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = (x - math.sqrt(1 - bar_t) * eps) / math.sqrt(bar_t)
    if eta == 0:
        return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s) * eps
    fresh = math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s - fresh**2) * eps + fresh * z

# %% ddim: the root in fresh is of a negative number
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = (x - math.sqrt(1 - bar_t) * eps) / math.sqrt(bar_t)
    fresh = eta * torch.tensor((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s)).sqrt()
    z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return math.sqrt(bar_s) * x0 + (1 - bar_s - fresh**2).sqrt() * eps + fresh * z

# %% ddim: draw from it
def ddim(x, eps, bar_t, bar_s, eta, generator):
    x0 = (x - math.sqrt(1 - bar_t) * eps) / math.sqrt(bar_t)
    if eta == 0:
        return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s) * eps
    fresh = eta * math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
    return math.sqrt(bar_s) * x0 + math.sqrt(1 - bar_s - fresh**2) * eps + fresh * torch.randn_like(x)

# %% paper: that is the ODE; DDIM takes one step
ddim_lands, ode_leads, fresh = math.sqrt(13), math.sqrt(13), math.sqrt(3)

# %% paper: with variances; you took standard deviations
ddim_lands, ode_leads, fresh = 25 / 7, math.sqrt(13), math.sqrt(3)

# %% paper: that is DDIM's single step
ddim_lands, ode_leads, fresh = 3.4, 3.4, math.sqrt(3)

# %% paper: not with variances
ddim_lands, ode_leads, fresh = 3.4, 2.6, math.sqrt(3)

# %% paper: variances add, standard deviations do not
ddim_lands, ode_leads, fresh = 3.4, 25 / 7, math.sqrt(3)

# %% paper: what remains of the old noise
ddim_lands, ode_leads, fresh = 3.4, math.sqrt(13), 1.0

# %% carry: the mean of x_t is alpha_t times
def carry(x, t, s, schedule, mean, std):
    (a, b), (c, d) = evaluate(schedule, t), evaluate(schedule, s)
    return mean + ((c**2 * std**2 + d**2) / (a**2 * std**2 + b**2)) ** 0.5 * (x - mean)

# %% carry: standard deviations scale x, not variances
def carry(x, t, s, schedule, mean, std):
    (a, b), (c, d) = evaluate(schedule, t), evaluate(schedule, s)
    return c * mean + (c**2 * std**2 + d**2) / (a**2 * std**2 + b**2) * (x - a * mean)

# %% carry: upside down
def carry(x, t, s, schedule, mean, std):
    (a, b), (c, d) = evaluate(schedule, t), evaluate(schedule, s)
    return c * mean + ((a**2 * std**2 + b**2) / (c**2 * std**2 + d**2)) ** 0.5 * (x - a * mean)

# %% carry: taken off before the stretching
def carry(x, t, s, schedule, mean, std):
    (a, b), (c, d) = evaluate(schedule, t), evaluate(schedule, s)
    return ((c**2 * std**2 + d**2) / (a**2 * std**2 + b**2)) ** 0.5 * x

# %% carry: std is squared in the variance
def carry(x, t, s, schedule, mean, std):
    (a, b), (c, d) = evaluate(schedule, t), evaluate(schedule, s)
    return c * mean + ((c**2 * std + d**2) / (a**2 * std + b**2)) ** 0.5 * (x - a * mean)

# %% carry: not the curve that it steps along
def carry(x, t, s, schedule, mean, std):
    (a, b), (c, d) = evaluate(schedule, t), evaluate(schedule, s)
    x0 = mean + a * std**2 / (a**2 * std**2 + b**2) * (x - a * mean)
    return c * x0 + d * (x - a * x0) / b

# %% carry: added where variances should
def carry(x, t, s, schedule, mean, std):
    (a, b), (c, d) = evaluate(schedule, t), evaluate(schedule, s)
    return c * mean + (c * std + d) / (a * std + b) * (x - a * mean)

# %% heun: one evaluation only
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    return alpha_s * (x / alpha_t + (sigma_s / alpha_s - sigma_t / alpha_t) * predict(x, t)[1])

# %% heun: from where the first slope leads, not from x
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    way, slope = sigma_s / alpha_s - sigma_t / alpha_t, predict(x, t)[1]
    if sigma_s > 0:
        slope = (slope + predict(x, s)[1]) / 2
    return alpha_s * (x / alpha_t + way * slope)

# %% heun: the second slope should be at time s
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    way, slope = sigma_s / alpha_s - sigma_t / alpha_t, predict(x, t)[1]
    if sigma_s > 0:
        slope = (slope + predict(alpha_s * (x / alpha_t + way * slope), t)[1]) / 2
    return alpha_s * (x / alpha_t + way * slope)

# %% heun: not with their sum
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    way, slope = sigma_s / alpha_s - sigma_t / alpha_t, predict(x, t)[1]
    if sigma_s > 0:
        slope = slope + predict(alpha_s * (x / alpha_t + way * slope), s)[1]
    return alpha_s * (x / alpha_t + way * slope)

# %% heun: one evaluation is enough
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    way, slope = sigma_s / alpha_s - sigma_t / alpha_t, predict(x, t)[1]
    there = predict(alpha_s * (x / alpha_t + way * slope), s)[1]
    if s > 0:
        slope = (slope + there) / 2
    return alpha_s * (x / alpha_t + way * slope)

# %% heun: that is y: x_s is alpha_s times it
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    way, slope = sigma_s / alpha_s - sigma_t / alpha_t, predict(x, t)[1]
    if sigma_s > 0:
        slope = (slope + predict(alpha_s * (x / alpha_t + way * slope), s)[1]) / 2
    return x / alpha_t + way * slope

# %% heun: and was handed y
def heun(predict, x, t, s, schedule):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = evaluate(schedule, t), evaluate(schedule, s)
    way, slope = sigma_s / alpha_s - sigma_t / alpha_t, predict(x, t)[1]
    if sigma_s > 0:
        slope = (slope + predict(x / alpha_t + way * slope, s)[1]) / 2
    return alpha_s * (x / alpha_t + way * slope)

# %% heun: that is Heun along the path
def heun(predict, x, t, s, schedule):
    from minidiff import Denoiser, Prediction

    return heun_step(Denoiser(schedule, lambda x, t: Prediction(*predict(x, t))), x, t, s)

# %% translate: the other way round
def translate(first, second, x, times, schedule):
    for t, s in zip(times, times[1:]):
        x = heun(first, x, t, s, schedule)
    noise, back = x, times[::-1]
    for t, s in zip(back, back[1:]):
        x = heun(second, x, t, s, schedule)
    return x, noise

# %% translate: you are home again
def translate(first, second, x, times, schedule):
    for t, s in zip(times, times[1:]):
        x = heun(first, x, t, s, schedule)
    noise, back = x, times[::-1]
    for t, s in zip(back, back[1:]):
        x = heun(first, x, t, s, schedule)
    return noise, x

# %% translate: the climb is with the first denoiser
def translate(first, second, x, times, schedule):
    for t, s in zip(times, times[1:]):
        x = heun(second, x, t, s, schedule)
    noise, back = x, times[::-1]
    for t, s in zip(back, back[1:]):
        x = heun(first, x, t, s, schedule)
    return noise, x

# %% translate: on the way down the times fall
def translate(first, second, x, times, schedule):
    for t, s in zip(times, times[1:]):
        x = heun(first, x, t, s, schedule)
    noise = x
    for t, s in zip(times, times[1:]):
        x = heun(second, x, t, s, schedule)
    return noise, x

# %% translate: up to the last
def translate(first, second, x, times, schedule):
    times = times[:-1]
    for t, s in zip(times, times[1:]):
        x = heun(first, x, t, s, schedule)
    noise, back = x, times[::-1]
    for t, s in zip(back, back[1:]):
        x = heun(second, x, t, s, schedule)
    return noise, x

# %% translate: steps with one evaluation
def translate(first, second, x, times, schedule):
    def ddim_step(predict, x, t, s):
        (x0, eps), (alpha, sigma) = predict(x, t), evaluate(schedule, s)
        return alpha * x0 + sigma * eps

    for t, s in zip(times, times[1:]):
        x = ddim_step(first, x, t, s)
    noise, back = x, times[::-1]
    for t, s in zip(back, back[1:]):
        x = ddim_step(second, x, t, s)
    return noise, x

# %% translate: the way down begins at the noise
def translate(first, second, x, times, schedule):
    noise, back = x, times[::-1]
    for t, s in zip(times, times[1:]):
        noise = heun(first, noise, t, s, schedule)
    for t, s in zip(back, back[1:]):
        x = heun(second, x, t, s, schedule)
    return noise, x
