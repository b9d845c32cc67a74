# %% step_kl: without the logarithm it can be below 0
def step_kl(gap2, small, nu):
    return ((small + gap2) / nu - 1) / 2


# %% step_kl: the half is missing
def step_kl(gap2, small, nu):
    return (nu / small).log() + (small + gap2) / nu - 1


# %% step_kl: the logarithm is upside down
def step_kl(gap2, small, nu):
    return ((small / nu).log() + (small + gap2) / nu - 1) / 2


# %% step_kl: have changed places
def step_kl(gap2, small, nu):
    return ((small / nu).log() + (nu + gap2) / small - 1) / 2


# %% step_kl: divided by nu, not by small
def step_kl(gap2, small, nu):
    return ((nu / small).log() + small / nu + gap2 / small - 1) / 2


# %% step_kl: gap2 is squared already
def step_kl(gap2, small, nu):
    return ((nu / small).log() + (small + gap2**2) / nu - 1) / 2


# %% vlb: its gradient reaches the guess
def vlb(x0, guess, f, c, small, large):
    nu = small ** (1 - f) * large**f
    return step_kl(c**2 * (x0 - guess) ** 2, small, nu)


# %% vlb: no gradient reaches f
def vlb(x0, guess, f, c, small, large):
    nu = small ** (1 - f) * large**f
    return step_kl(c**2 * (x0 - guess) ** 2, small, nu).detach()


# %% vlb: small and large have changed places
def vlb(x0, guess, f, c, small, large):
    nu = small**f * large ** (1 - f)
    return step_kl(c**2 * (x0 - guess.detach()) ** 2, small, nu)


# %% vlb: a straight line from small to large
def vlb(x0, guess, f, c, small, large):
    nu = (1 - f) * small + f * large
    return step_kl(c**2 * (x0 - guess.detach()) ** 2, small, nu)


# %% vlb: c is missing
def vlb(x0, guess, f, c, small, large):
    nu = small ** (1 - f) * large**f
    return step_kl((x0 - guess.detach()) ** 2, small, nu)


# %% vlb: c should be squared
def vlb(x0, guess, f, c, small, large):
    nu = small ** (1 - f) * large**f
    return step_kl(c * (x0 - guess.detach()) ** 2, small, nu)


# %% needle_share: that is the data's share
def needle_share():
    return 0.4


# %% needle_share: the width counts too
def needle_share():
    return 0.16 / (0.16 + 0.36)


# %% needle_share: the shares are squared as well
def needle_share():
    return 0.4 / (0.4 + 0.6 / 3)


# %% needle_share: under p^4
def needle_share():
    return 0.842


# %% needle_share: the share of the hill
def needle_share():
    return 3 / 7


# %% best_variance: c should be squared
def best_variance(c, small, large, error):
    return small + c * error


# %% best_variance: is missing
def best_variance(c, small, large, error):
    return c**2 * error


# %% best_variance: not to large
def best_variance(c, small, large, error):
    return large + c**2 * error


# %% best_variance: a mean square already
def best_variance(c, small, large, error):
    return small + (c * error) ** 2


# %% variance_left: and so tau^2
def variance_left(tau, K):
    return tau * math.cos(math.pi / (2 * K)) ** 2


# %% variance_left: tau is missing
def variance_left(tau, K):
    return math.cos(math.pi / (2 * K)) ** 2


# %% variance_left: that is for many steps
def variance_left(tau, K):
    return tau**2


# %% variance_left: comes once
def variance_left(tau, K):
    return tau ** (2 * K) * math.cos(math.pi / (2 * K)) ** 2


# %% variance_left: K cosines
def variance_left(tau, K):
    return tau**2 * math.cos(math.pi / (2 * K)) ** (2 * K)
