# %% p_value: >= instead of >
def p_value(distances):
    return (distances > distances[0]).double().mean()

# %% p_value: the true colours are left out
def p_value(distances):
    return (distances[1:] >= distances[0]).double().mean()

# %% p_value: it counts the distances that are smaller
def p_value(distances):
    return (distances <= distances[0]).double().mean()

# %% p_value: the number of them
def p_value(distances):
    return (distances >= distances[0]).sum()

# %% p_value: divided by the shuffles
def p_value(distances):
    return (distances >= distances[0]).sum() / (len(distances) - 1)

# %% fair_p: that is peeking
def fair_p(gaps):
    return p_value(gaps[:, gaps[0].argmax()])

# %% fair_p: the smallest p-value
def fair_p(gaps):
    return min(p_value(gaps[:, k]) for k in range(gaps.shape[1]))

# %% fair_p: Bonferroni
def fair_p(gaps):
    return gaps.shape[1] * min(p_value(gaps[:, k]) for k in range(gaps.shape[1]))

# %% fair_p: the test of section 1
def fair_p(gaps):
    return p_value(gaps.mean(1))

# %% fair_p: the largest of the shuffles
def fair_p(gaps):
    return p_value(gaps.amax(0))

# %% fewest_dots: with three it is 2/20
def fewest_dots():
    return 3

# %% fewest_dots: fewer are enough
def fewest_dots():
    return 5

# %% fewest_dots: the dots of one colour
def fewest_dots():
    return 8

# %% dots_needed: not twice as many
def dots_needed(n, noticed, wanted):
    return n * noticed / wanted

# %% dots_needed: the ratio is upside down: a smaller
def dots_needed(n, noticed, wanted):
    return n * (wanted / noticed) ** 2

# %% dots_needed: a root where a square belongs
def dots_needed(n, noticed, wanted):
    return n * math.sqrt(noticed / wanted)

# %% dots_needed: multiply it by n
def dots_needed(n, noticed, wanted):
    return (noticed / wanted) ** 2

# %% permutation_test: have other sizes
def permutation_test(metric, a, b, shuffles, dice):
    both, found = torch.cat([a, b]), [metric(a, b)]
    for _ in range(shuffles):
        order = torch.randperm(len(both), generator=dice)
        found.append(metric(*both[order].chunk(2)))
    return p_value(torch.tensor(found))

# %% permutation_test: in both clouds or in none
def permutation_test(metric, a, b, shuffles, dice):
    both, found = torch.cat([a, b]), [metric(a, b)]
    for _ in range(shuffles):
        order = torch.randperm(len(both), generator=dice)
        found.append(metric(both[order][: len(a)], b))
    return p_value(torch.tensor(found))

# %% permutation_test: no dot changes its colour
def permutation_test(metric, a, b, shuffles, dice):
    both, found = torch.cat([a, b]), [metric(a, b)]
    for _ in range(shuffles):
        order = torch.randperm(len(both), generator=dice)
        found.append(metric(both[: len(a)], both[len(a) :]))
    return p_value(torch.tensor(found))

# %% permutation_test: metric is called 1 times
def permutation_test(metric, a, b, shuffles, dice):
    both, found = torch.cat([a, b]), [metric(a, b)]
    for _ in range(shuffles):
        order = torch.randperm(len(both), generator=dice)
    return p_value(torch.tensor(found))
