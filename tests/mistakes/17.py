# %% clock: nobody waits
def clock(work, wait, now):
    begun = now()
    work()
    return now() - begun

# %% clock: the second wait is missing
def clock(work, wait, now):
    wait()
    begun = now()
    work()
    return now() - begun

# %% clock: the first wait is missing
def clock(work, wait, now):
    begun = now()
    work()
    wait()
    return now() - begun

# %% clock: the difference is turned
def clock(work, wait, now):
    wait()
    begun = now()
    work()
    wait()
    return begun - now()

# %% clock: what the watch says at the end
def clock(work, wait, now):
    wait()
    work()
    wait()
    return now()

# %% clock: with its brackets
def clock(work, wait, now):
    wait()
    begun = now()
    work
    wait()
    return now() - begun

# %% mfu: the way back is missing
def mfu(forward, images, seconds, ceiling):
    return forward * images / (seconds * ceiling)

# %% mfu: the forward pass counts as well
def mfu(forward, images, seconds, ceiling):
    return 2 * forward * images / (seconds * ceiling)

# %% mfu: counts a forward pass twice
def mfu(forward, images, seconds, ceiling):
    return 4 * forward * images / (seconds * ceiling)

# %% mfu: for a single image
def mfu(forward, images, seconds, ceiling):
    return 3 * forward / (seconds * ceiling)

# %% mfu: divided by seconds, not multiplied
def mfu(forward, images, seconds, ceiling):
    return 3 * forward * images * seconds / ceiling

# %% mfu: divide it by the ceiling
def mfu(forward, images, seconds, ceiling):
    return 3 * forward * images / seconds

# %% remember: there is no 'step'
def remember(run):
    parts = {"net": run.denoiser, "average": run.average, "adam": run.optimizer}
    return copy.deepcopy({name: part.state_dict() for name, part in parts.items()})

# %% remember: Adam's moments
def remember(run):
    parts = {"net": run.denoiser, "average": run.average}
    return copy.deepcopy({name: part.state_dict() for name, part in parts.items()} | {"step": run.step})

# %% remember: went on training
def remember(run):
    parts = {"net": run.denoiser, "average": run.average, "adam": run.optimizer}
    return {name: part.state_dict() for name, part in parts.items()} | {"step": run.step}

# %% remember: today's network
def remember(run):
    parts = {"net": run.denoiser, "average": run.denoiser, "adam": run.optimizer}
    return copy.deepcopy({name: part.state_dict() for name, part in parts.items()} | {"step": run.step})

# %% remember: is no state
def remember(run):
    parts = {"net": run.denoiser, "average": run.average, "adam": run.optimizer}
    return copy.deepcopy(parts) | {"step": run.step}

# %% remember: return a dict
def remember(run):
    return copy.deepcopy([run.denoiser.state_dict(), run.optimizer.state_dict(), run.step])

# %% stuck: the leading 1 counts as well
def stuck():
    return 1024

# %% stuck: that is bfloat16
def stuck():
    return 256

# %% stuck: can still be written
def stuck():
    return 2047

# %% stuck: cannot be written any more
def stuck():
    return 2049

# %% stuck: where float16 ends
def stuck():
    return 65504

# %% speedup: upside down
def speedup(number, launch, job):
    return (launch + number * job) / (number * max(launch, job) + min(launch, job))

# %% speedup: launching and doing overlap
def speedup(number, launch, job):
    return number * (launch + job) / (launch + number * job)

# %% speedup: counts once as well
def speedup(number, launch, job):
    return number * max(launch, job) / (launch + number * job)

# %% speedup: every job must still be done
def speedup(number, launch, job):
    return (number * max(launch, job) + min(launch, job)) / (launch + job)

# %% speedup: the limit for many jobs
def speedup(number, launch, job):
    return max(launch, job) / job

# %% speedup: the graph's one launch is missing
def speedup(number, launch, job):
    return (number * max(launch, job) + min(launch, job)) / (number * job)

# %% together: the parts weigh alike
def together(means, sizes):
    return means.mean(0)

# %% together: the sum over all of them
def together(means, sizes):
    return torch.tensor(sizes, dtype=means.dtype) @ means

# %% together: not by how many parts
def together(means, sizes):
    return torch.tensor(sizes, dtype=means.dtype) @ means / len(sizes)

# %% together: the small parts weigh most
def together(means, sizes):
    weights = 1 / torch.tensor(sizes, dtype=means.dtype)
    return weights @ means / weights.sum()

# %% together: only added up
def together(means, sizes):
    return means.sum(0)
