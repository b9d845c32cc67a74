# %% mean-of-answers
from minidiff.course import check, check_that

shown = plots.plotted(ax)
check("the dot drawn", shown["mean of the answers"], answers.mean(0, keepdim=True), rtol=0, atol=1e-5)
check_that("not one answer is the ideal one", (answers - star).norm(dim=1) > 0.3)
check_that("600 of those that came to the cross are drawn", len(shown["answers shown"]) == 600 < len(answers))

# %% learner
from minidiff.course import check

check("mean squared errors of 2, 4, 5, 6", [(said - c).square().mean() for c in (2, 4, 5, 6)],
      [53 / 3, 29 / 3, 26 / 3, 29 / 3], rtol=1e-6)
jitter = 4 * math.sqrt(0.002 / 2 * 26 / 3)  # four standard deviations of what a step of 0.002 leaves
check("the learner drawn, last 2,000 answers", plots.plotted(ax)["the learner"][3_000:], 5, rtol=0, atol=jitter)

# %% floors
from minidiff.course import check

claims = {("eps", cosine): 1 / 2, ("x0", cosine): 1 / 2, ("v", cosine): 1, ("edm", cosine): 1,
          ("velocity", cosine): math.pi**2 / 4, ("velocity", flow): math.pi / 2, ("v", flow): 2 / 3}
x0, eps = torch.randn(2, 200_000, 1, generator=seeded(4), dtype=torch.float64)
for (target, schedule), value in claims.items():
    check(f"perfect loss, {target} on {schedule.__name__}", floor(target, schedule, times).mean(), value, rtol=1e-8)
    (alpha, sigma), (a, b) = schedule(times[:, None]), coefficients(target, schedule)(times[:, None])
    guess = of_gaussian(0.0, 1.0, schedule)(alpha * x0 + sigma * eps, times)
    lost = (a * (x0 - guess.x0) + b * (eps - guess.eps)).square()
    error = (lost.std() / len(times) ** 0.5).item()
    check(f"simulated, {target} on {schedule.__name__}", lost.mean(), value, rtol=0, atol=4 * error)
late = floor("eps", cosine, (1 + times) / 2).mean()
check("floor of one who draws only t between 1/2 and 1", late, 0.5 - 1 / math.pi, rtol=1e-8)

# %% floor-curves
from minidiff.course import check

drawn = [plots.plotted(ax) for ax in axes]
check("eps on cosine as drawn", drawn[0]["eps"], torch.cos(math.pi / 2 * grid) ** 2, rtol=0, atol=1e-10)
check("velocity on flow as drawn", drawn[1]["velocity"], 1 / ((1 - grid) ** 2 + grid**2), rtol=1e-10)

# %% run-it
from minidiff.course import check

own = LearnedDenoiser(net, cosine, "eps")
x0, t, eps = kept[-1]
check("own loss = denoising_loss", eps_loss(net, x0, t, eps), denoising_loss(own, x0, t, eps), rtol=1e-4, atol=1e-6)
x = clusters[:500].clone().requires_grad_()
for t in (0.1, 0.3, 0.6):
    alpha, sigma = evaluate(cosine, t)
    wide = (alpha**2 * MIXTURE.stds**2 + sigma**2).sqrt()
    density = MIXTURE._replace(means=alpha * MIXTURE.means, stds=wide).log_prob(x)
    (slope,) = torch.autograd.grad(density.sum(), x)
    check(f"ideal eps at t = {t}, from the slope", ideal(x, t).eps, -sigma * slope, rtol=1e-3, atol=1e-3)

# %% loss-curve
import numpy as np

from minidiff.course import check_that

drawn = plots.plotted(above)
network, rival = drawn["network"][125:], drawn["ideal denoiser, same batches"][125:]
check_that("the late loss trembles by more than 5 %", network.std() > 0.05 * network.mean())
check_that("the ideal denoiser trembles with it", np.corrcoef(network, rival)[0, 1] > 0.6)
check_that("on the batch after that it does not", np.corrcoef(network[:-1], rival[1:])[0, 1] < 0.3)
first, final = (ours - best)[:10].mean(), (ours - best)[125:].mean()
check_that("it ends above the floor, within a third of its first distance", 0 < final < first / 3)

# %% both-sides
from minidiff.course import check, check_that

cross_term = 2 * ((answer - best_eps) * (best_eps - exam_eps)).mean(2)
error = (cross_term.std() / 8_000**0.5).item()
check("four standard errors", 4 * error, 0.0105, rtol=0.3)
check_that("that error is less than a tenth of the excess", error < excess / 10)
check("floor of a network that sees the level", loss_of_ideal, 0.344, rtol=0, atol=0.019)
loss_of_line = (sit(of_gaussian(0.0, 1.0, cosine))[1] - exam_eps).square().mean()
check_that("the finished network is above it, less than half-way to the line",
           loss_of_ideal < loss_of_net < (loss_of_ideal + loss_of_line) / 2)

# %% fields
from minidiff.course import check_that

for column, t in zip(axes.T, (0.7, 0.5)):
    above_, below_ = (plots.plotted(ax)["answers"] for ax in column)
    off = ((below_ - above_) ** 2).sum() / (above_**2).sum()
    check_that(f"t = {t}: the drawn fields differ by less than a tenth, in mean square", 0 < off < 0.1)
upper, middle_ = (plots.plotted(ax)["answers"] for ax in axes[0, :2])
check_that("two ideal fields differ by more", ((upper - middle_) ** 2).sum() > 0.1 * (middle_**2).sum())
worst = {t: (own(spots, t).x0 - ideal(spots, t).x0).norm(dim=1).max() for t in (0.5, 0.2)}
check_that("the worst arrow at t = 0.2 is off by more than the worst at t = 0.5", worst[0.2] > worst[0.5])

# %% error-by-level
from minidiff.course import check, check_that

network = by_target["v"]
check_that("above the floor at every level", network > 0)
check_that("mean excess below half of the line's", network.mean() < line.mean() / 2)
check_that("after 60 steps it was not", hasty.mean() > line.mean() / 2)
check_that("at least 75 % of its excess is below 0.3", network[:6].sum() > 0.75 * network.sum())
check_that("above 0.85 the line is right to a thousandth, and better", (line[17:] < 1e-3) & (line[17:] < network[17:]))
check("an untrained v network IS the line", errors(LearnedDenoiser(newborn(), cosine, "v")), line, rtol=1e-3, atol=1e-7)

# %% decode
from minidiff import solve
from minidiff.course import check
from minidiff.predictions import TARGETS

clean, hidden = torch.randn(2, 5, 2, generator=seeded(1), dtype=torch.float64)
for name in TARGETS:
    for schedule in (cosine, flow):
        at = torch.tensor(0.3, dtype=torch.float64)
        (alpha, sigma), (a, b) = evaluate(schedule, 0.3), map(float, coefficients(name, schedule)(at))
        x_t, y = alpha * clean + sigma * hidden, a * clean + b * hidden
        check(f"{name}: decode finds x0", decode(x_t, y, alpha, sigma, a, b)[0], clean, rtol=0, atol=1e-12)
        check(f"{name}: so does the package", solve(x_t, y, name, schedule, 0.3).x0, clean, rtol=0, atol=1e-12)

# %% targets
from minidiff.course import check, check_that

eps_, x0_, v_ = (by_target[name] for name in ("eps", "x0", "v"))
check_that("most noise: eps errs more than fifty times as much", (eps_[-1] > 50 * v_[-1]) & (eps_[-1] > 50 * x0_[-1]))
check_that("least noise: x0 errs more than five times as much", (x0_[0] > 5 * eps_[0]) & (x0_[0] > 5 * v_[0]))
check_that("eps and v beat the line on average", (eps_.mean() < line.mean()) & (v_.mean() < line.mean()))
for target, end in (("eps", -1), ("x0", 0)):
    charged = (floor(target, cosine, levels) * by_target[target])[end]
    check_that(f"{target}: of its worst level the loss sees less than 0.01", charged < 0.01)


def first_losses(target):
    denoiser = LearnedDenoiser(newborn(), cosine, target)
    return torch.stack(list(train(denoiser, clusters, steps=20, seed=0)))


check("twenty losses of edm and of v on cosine", first_losses("edm"), first_losses("v"), rtol=1e-4)
some = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
(alpha, sigma), (a, b) = flow(some), coefficients("velocity", flow)(some)
check("weight of velocity on flow", ((alpha * b - sigma * a) / sigma) ** 2, 1 / some**2, rtol=1e-12)

# %% clocks
from minidiff import from_betas
from minidiff.course import check, check_that

betas = torch.linspace(1e-4, 0.02, 1_000, dtype=torch.float64)
alpha_bar, table = torch.cumprod(1 - betas, 0), from_betas(betas)


def steps_of_ddpm(n, generator):
    return torch.randint(1, 1_001, (n,), generator=generator) / 1_000


t, some = steps_of_ddpm(2_000, seeded(7)), clusters[:2_000]
k, drawn_noise = (1_000 * t).round().long(), noise(2_000, 2, seed=8)
alpha, sigma = alpha_bar[k - 1].sqrt(), (1 - alpha_bar[k - 1]).sqrt()
x_k = alpha.float()[:, None] * some + sigma.float()[:, None] * drawn_noise
lost = (drawn_noise - net(x_k, angle(alpha, sigma).float())).square().mean(1)
package = denoising_loss(LearnedDenoiser(net, table, "eps"), some, t, drawn_noise)
check("Algorithm 1 = denoising_loss on the table", lost, package, rtol=1e-3, atol=1e-4)
share = (angle(alpha_bar.sqrt(), (1 - alpha_bar).sqrt()) < 0.3).double().mean()
check("share of DDPM's steps with an angle below 0.3", share, 0.147, rtol=1e-2)
schedule, draw, _ = choices["DDPM's schedule"]
looked = (angle(*schedule(draw(100_000, seeded(10)).double())) < 0.3).double().mean()
check("the same for the schedule trained on", looked, share, rtol=0, atol=0.005)
discrete = errors(LearnedDenoiser(trained("eps", table, levels=steps_of_ddpm).net, cosine, "eps"))
ddpm, plain, logs = (missed[name][1] for name in choices)
ratio = discrete[:6].mean() / ddpm[:6].mean()
check_that("discrete levels: as good as continuous ones, within a factor 1.5", 1 / 1.5 < ratio < 1.5)
check_that("small noise: log-normal errs least", logs[:6].mean() < torch.stack([ddpm, plain])[:, :6].mean(1))
check_that("most noise: log-normal errs most", logs[-1] > torch.stack([ddpm, plain])[:, -1])

# %% blind
from minidiff.course import check

x = clusters[:500].clone().requires_grad_()
for t in (0.1, 0.3, 0.6):
    (slope,) = torch.autograd.grad(log_p(x, t).sum(), x)
    check(f"ideal eps at t = {t}, from log_p", ideal(x, t).eps, -evaluate(cosine, t)[1] * slope, rtol=1e-3, atol=1e-3)

# %% blind-curves
import numpy as np

from minidiff import fashion_mnist
from minidiff.course import check, check_between, check_that

check_between("what blindness costs, loss on eps", cost.mean(), 0.135, 0.165)
check_between("floor for a blind network", (blind_eps - exam_eps).square().mean(), 0.47, 0.515)
check("drawn", plots.plotted(ax)["ideal, but blind to the level"], cost, rtol=1e-5)
grid_clock = torch.tensor(clock)
sigma_t = cosine(grid_clock)[1][:, None]  # (100, 1)


def cost_with(extra):
    """What blindness costs with so many more coordinates of pure noise."""
    pure = exam_sigma * noise(20, 400, extra, seed=11)
    r2 = pure.square().sum(2).reshape(1, -1)  # (1, 8000)
    p = (posterior.log() - extra * sigma_t.log() - r2 / (2 * sigma_t**2)).softmax(0)
    return ((p[..., None] * at_each).sum(0).reshape(20, 400, 2) - best_eps).square().mean()


costs = torch.stack([cost_with(extra) for extra in (0, 2, 8, 32, 128, 512)])
check_that("every step to more coordinates lowers it", costs[1:] < costs[:-1])
check_between("with 512 it is less than a hundredth", costs[-1] / costs[0], 1e-4, 1e-2)
check_between("from 128 to 512, like 1 / N", costs[-2] / costs[-1], 2.5, 7)
clothes, true = fashion_mnist("test").x[:400], torch.linspace(0.15, 0.85, 400)
alpha, sigma = (c[:, None, None, None] for c in cosine(true))
noisy = alpha * clothes + sigma * noise(*clothes.shape, seed=12)
blocks = noisy[..., ::2, ::2] - noisy[..., 1::2, ::2] - noisy[..., ::2, 1::2] + noisy[..., 1::2, 1::2]
from_image = (blocks / 2).flatten(1).abs().median(1).values / 0.6745
few = torch.arange(0, 8_000, 20)
from_point = sigma_t[:, 0] @ posterior[:, few]
sigma_point = exam_sigma.flatten().repeat_interleave(400)[few]
check_that("half of the pictures' guesses are within 8 %", np.median(abs(from_image / sigma.flatten() - 1)) < 0.08)
check_that("half of the points' guesses are not within 20 %", np.median(abs(from_point / sigma_point - 1)) > 0.20)

# %% two-times
import numpy as np

from minidiff.course import check, check_that

alone = LearnedDenoiser(tidy, cosine, "eps")
off = (sit(alone)[1] - best_eps).square().mean((1, 2))
check_that("by level it follows the blind ideal", np.corrcoef(off, cost)[0, 1] > 0.8)
right = torch.tensor(losses[-400:]).mean()
check_that("the right loop is below the floor of the blind, by more than the band", right / loss_of_blind < 0.88)


def told_nothing(net, x0, t, eps):
    return eps_loss(lambda x_t, t: net(x_t, 0 * t), x0, t, eps)


rested = torch.tensor(fit(newborn(), told_nothing, clusters, 1_000, seeded(5))[-400:]).mean()
check("a network that is told level 0", rested / loss_of_blind, 1, rtol=0.1)

# %% two-curves
from minidiff.course import check

drawn = plots.plotted(ax)
check("drawn, two times", drawn["two times"], torch.tensor(wrong).reshape(50, 20).mean(1), rtol=1e-5)

# %% average-curves
from minidiff.course import check, check_that

shares = torch.zeros(1_000, dtype=torch.float64)
for n in range(1, 1_001):
    shares *= (1 - 1 / n) ** 17
    shares[n - 1] += 1 - (1 - 1 / n) ** 17
k = torch.arange(1, 1_001, dtype=torch.float64)
check("share of step k", shares, (k / 1_000) ** 17 - ((k - 1) / 1_000) ** 17, rtol=0, atol=1e-15)
check("share of the last 4 % of the run", shares[-40:].sum(), 0.5, rtol=1e-2)
falling, draws = Run(LearnedDenoiser(newborn(), cosine, "v")), seeded(13)
for step in range(1_000):
    x0 = clusters[torch.randint(len(clusters), (128,), generator=draws)]
    t, eps = torch.rand(128, generator=draws), torch.randn(128, 2, generator=draws)
    falling.advance(denoising_loss(falling.denoiser, x0, t, eps).mean(), 6e-3 * (1 - step / 1_000))
plain, smooth = errors(falling.denoiser).mean(), errors(falling.average).mean()
check("falling rate: average and weights agree", smooth / plain, 1, rtol=0.15)
check_that("constant rate with the average, against a falling rate", 1 / 1.4 < averages[-1] / smooth < 1.4)

# %% moons
from minidiff.course import check, check_that
from minidiff.evaluation import sliced_wasserstein

crowd = two_moons(10_000, seed=5).x
far = [sliced_wasserstein(x, crowd) for x in drawn]
check_that("distance to the moons, after 1, 120 and 2,000 steps, falls", far[0] > far[2] > far[6])
unborn = last(sample(ddim_step, LearnedDenoiser(newborn(), cosine, "v"), grains, uniform_times(50))).detach()
check("v = 0 shrinks the noise", unborn, math.cos(math.pi / 100) ** 50 * grains, rtol=0, atol=1e-4)
check("after one step the cloud is the noise, shrunk a little at most", drawn[0], grains, rtol=0, atol=0.3)
pairs = [(two_moons(2_000, seed=k).x, two_moons(2_000, seed=100 + k).x) for k in range(10)]
check_that("no further than two real clouds may be", sliced_wasserstein(drawn[-1], two_moons(2_000, seed=99).x)
           < max(sliced_wasserstein(a, b) for a, b in pairs))
check_that("pure noise is further than that", sliced_wasserstein(grains, crowd)
           > 3 * max(sliced_wasserstein(a, b) for a, b in pairs))

# %% film
from minidiff.course import check_that

check_that("seven frames of one size, all different", len({bytes(one) for one in frames}) == 7)

# %% verdict
from minidiff.course import check_that

alone = torch.cdist(drawn[-1], real).min(1).values > 0.1
check_that("the strays drawn are those further than 0.1", (alone == strays) & alone.any())
usual = torch.cdist(other, real).min(1).values > 0.1
check_that("strays among real points: fewer than 5 in 1,000", usual.double().mean() < 0.005)
check_that("after 500 steps there were more than the band allows",
           (torch.cdist(drawn[4], real).min(1).values > 0.1).double().mean() > 0.025)

# %% floors-of
from minidiff.course import check

for s in (0.25, 1.0, 4.0):
    alpha, sigma = cosine((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)
    check(f"s = {s}: floor on v", (s**2 / (s**2 * alpha**2 + sigma**2)).mean(), floors_of(s)[2], rtol=1e-6)

# %% logit-normal
from minidiff import on_path
from minidiff.course import check, check_that
from minidiff.predictions import TARGETS

straight = trained("velocity", flow, levels=sd3_levels)
here = errors(on_path(straight, cosine))
v_ = by_target["v"]
check_that("it beats half of the line", here.mean() < line.mean() / 2)
check_that("noisy end: worse than v, far better than eps", (here[-1] > v_[-1]) & (here[-1] < by_target["eps"][-1] / 5))
check_that("below 0.3 worse than v", here[:6].mean() > v_[:6].mean())
check_that("around 0.5 better than v", here[8:13].mean() < v_[8:13].mean())
density = torch.histc(sd3_levels(100_000, seeded(17)), 10, 0, 1)
check_that("densest near 1/2, more than twice either end", density[4:6].min() > 2 * density[[0, 9]].max())


def steep(schedule, t):
    alpha, sigma = schedule(t)
    return -(1 + alpha) * sigma, (1 + alpha) * alpha


TARGETS["steep_04"] = steep
grid_t = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
check("mean floor of steep", floor("steep_04", cosine, grid_t).mean(), 1.5 + 4 / math.pi, rtol=1e-8)
bent = errors(trained("steep_04"))
check_that("steep: beats v on average, pays at the noisy end", (bent.mean() < v_.mean()) & (bent[-1] > v_[-1]))
del TARGETS["steep_04"]
