# %% 17-04-f1723d
last = {name: [row for row in race["rows"] if row["name"] == name][-1] for name in names}
drawn = [plots.plotted(axes[1])[name][-1] for name in names]
check("distances after 300 s, as drawn", drawn, [65.77, 954.05, 904.0], rtol=1e-6)
ahead = [last[names[0]]["images_seen"] / last[name]["images_seen"] for name in names[1:]]
check("pictures seen by the first, over those seen by the others", ahead, [35.0, 17.2], rtol=5e-3)
check("the better peer's distance over ours, and its root", [drawn[2] / drawn[0], (drawn[2] / drawn[0]) ** 0.5], [13.7, 3.7], rtol=5e-3)
check_that("the race ran on a CPU", race["device"] == "cpu: AMD EPYC" and race["threads"] == 2)
check("drawings and floor", [race["samples"], plots.plotted(axes[0])["floor: photographs"][0]], [1_000, race["floor"]], rtol=0)

# %% 17-08-55d3e4
left, right = torch.ones(2, 3), torch.ones(3, 2)
check("(2 x 3) times (3 x 2)", flop(lambda: left @ right), 2 * 2 * 3 * 2, rtol=0)
one, where = torch.nn.Conv2d(64, 64, 3, padding=1), torch.ones(1, 64, 14, 14)
check("question 1, in FLOP", flop(lambda: one(where)), 2 * 9 * 64 * 64 * 196, rtol=0)
first_layers = 2 * 9 * 4 * 32 * 14 * 14 + 2 * 64 * 64  # of the pixels, four to a place; of the level, as 64 waves
check("one step: three forward passes, less the first layers once", flop(step), size * (3 * forward - first_layers), rtol=0)
check("half of the average's memory", 1 - 2 ** (-1 / 17), 0.04, rtol=0.01)

# %% clock
import threading

gate, device_there = threading.Event(), Device()
device_there.launch(gate.wait)
check_that("launching returns before the work is done", not device_there.last.done())
gate.set()
device_there.synchronize()
check_that("and synchronize after", device_there.last.done())
watch = clock(lambda: device_there.launch(lambda: time.sleep(0.05)), device_there.synchronize, time.perf_counter)
check_between("the clock waits for work that is done later", watch, 0.05, 5)

# %% 17-16-85b840
check_that("the forgotten synchronize beats physics", told["forgotten"] > 1.2)
marks = [time.perf_counter()]
launched()
marks.append(time.perf_counter())
queue.synchronize()  # "loss.item()"
marks.append(time.perf_counter())
check_between("share of the time that the innocent line seems to take", (marks[2] - marks[1]) / (marks[2] - marks[0]), 0.5, 1)

# %% shares
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

by_hand = 3 * forward * size / seconds(step, repeats=3) / ceiling
check_between("MFU, measured once more, over the first", by_hand / share_of_step, 0.1, 10)
check("FLOP a byte: a + b, and a product of 512 x 512", [1 / 12, 2 * 512**3 / (12 * 512**2)], [0.0833, 512 / 6], rtol=1e-3)
inside = torch.randn(64, 64, requires_grad=True)
once = torch.nn.Linear(64, 64, bias=False)
plain = flop(lambda: once(inside).sum().backward())
with set_checkpoint_early_stop(False):  # it would leave out the last layer
    again = flop(lambda: checkpoint(once, inside, use_reentrant=False).sum().backward())
check("activation checkpointing: four products instead of three", again / plain, 4 / 3, rtol=1e-9)

# %% launch
seen = plots.plotted(ax)
check("drawn: the times measured", seen["one addition of arrays"], times, rtol=1e-9)
check("arrays from 1 to four million, here", [lengths[0], lengths[5], lengths[11]], [1, 1_024, 4**11], rtol=0)

# %% lanes
def queued(job, graph):
    """When the last of eight jobs ends: each begins when it is launched and the one before is done."""
    given, done = 0.0, 0.0
    for k in range(8):
        given += 0.0 if graph and k else 1.0
        done = max(given, done) + job
    return done


law = [1 + 8 * job if graph else 8 * max(1, job) + min(1, job) for job, graph in settings]
check("the law, against the queue", [queued(*setting) for setting in settings], law, rtol=1e-12)
for (job, graph), wanted in zip(settings, law):
    bars = lanes(job, graph).axes[0].patches
    check("drawn: launches", len(bars), 9 if graph else 16, rtol=0)
    check("drawn: the last job begins", bars[-1].get_x() + job, wanted, rtol=1e-12)
plots.plt.close("all")
check("the graph's last job ends before the fourth would begin without", [law[-1], law[-2]], [3, 8.25], rtol=1e-12)

# %% fused
check("tensors that Adam changes", len(list(net.parameters())), 57, rtol=0)
check_between("calls one by one, a tensor", one_by_one[1] / 57, 12, 60)

# %% 17-24-380934
calls = sum(event.count for event in seen.key_averages() if event.key.startswith("aten::"))
check_between("calls in one step", calls, 1_000, 5_000)
check_that("all kinds were seen", all(took > 0 for took in spent.values()))
check("Amdahl: c = 2 %", 1 / (1 - 0.02), 1.0204, rtol=1e-4)
state = student.optimizer.state
held = [*student.denoiser.parameters(), *student.average.parameters()]
held += [p.grad for p in student.denoiser.parameters()] + [s[k] for s in state.values() for k in ("exp_avg", "exp_avg_sq")]
numel = sum(p.numel() for p in student.denoiser.parameters())
check("bytes a parameter", sum(part.numel() * part.element_size() for part in held) / numel, 20, rtol=1e-9)

# %% 17-26-d80a1a
check_between("speed-up if convolutions cost nothing", 1 / (1 - share["convolutions"]), 1.25, 50)
check_that("the ceiling is the faster of the two", ceiling == max(rates.values()))

# %% 17-29-e09243
def rounded(number, kind=torch.bfloat16):
    return torch.tensor(number, dtype=torch.float64).to(kind).double()


check("after 1 comes 1 + 2^-7", rounded(1 + 2**-7), 1 + 2**-7, rtol=0)
check("half-way is rounded to even: back to 1", rounded(1 + 2**-8), 1, rtol=0)
check("a little more is rounded up", rounded(1 + 2**-8 + 2**-12), 1 + 2**-7, rtol=0)
check("largest: float16, E4M3, E5M2", [torch.finfo(k).max for k in (torch.float16, torch.float8_e4m3fn, torch.float8_e5m2)], [65504, 448, 57344], rtol=0)
check_that("bfloat16 reaches as far as float32, and float16 does not", [
    torch.tensor(1e30).to(torch.bfloat16).isfinite().item(), torch.tensor(1e30).to(torch.float16).isinf().item()])
single = torch.linspace(1, 2, 100_001)[:-1]
tf32 = ((single.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)  # ten stored bits
check("worst rounding error in TF32, times 2^11", (tf32 / single - 1).abs().max() * 2**11, 1, rtol=0.02)

# %% angles
def loss_of(bf16):
    learner = copy.deepcopy(shipped).to(device)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        return denoising_loss(learner, some.x.to(device), t.to(device), eps.to(device), y=some.y.to(device)).mean().item()


check_between("loss in bfloat16, over float32", loss_of(True) / loss_of(False), 0.97, 1.03)
last_losses = {}
for bf16 in (False, True):
    torch.manual_seed(0)
    kept = Run(LearnedDenoiser(UNet(width=16, deep_width=32, deep_blocks=1, classes=10).to(device), cosine, "v"))
    last_losses[bf16] = [loss.item() for loss in train(kept.denoiser, clothes[:64], steps=4, batch=8, bf16=bf16, run=kept)][-1]
check_between("last loss: relative difference to float32", abs(last_losses[True] / last_losses[False] - 1), 1e-7, 0.03)
held = [*kept.denoiser.parameters(), *kept.average.parameters()]
held += [value for moments in kept.optimizer.state.values() for key, value in moments.items() if key != "step"]
check_that("after a training in bfloat16 all that is kept is float32", [part.dtype == torch.float32 for part in held])

# %% 17-33-1b66cb
check("counting in float16", min(n for n in range(1, 3_000) if torch.tensor(n).half() + 1 == torch.tensor(n).half()), 2048, rtol=0)
below = torch.nextafter(*torch.tensor([1.0, 0.0], dtype=torch.bfloat16))
check("half the gap below 1", (1 - below.double()) / 2, 2**-9, rtol=0)

# %% 17-39-7c483f
images = torch.arange(120.0).view(2, 3, 4, 5)
turned = images.to(memory_format=torch.channels_last)
check("strides", [*images.stride(), *turned.stride()], [60, 20, 5, 1, 60, 1, 15, 3], rtol=0)
check_that("the same numbers", torch.equal(images, turned))
check_that("our network's kernels lie channels last", [
    p.is_contiguous(memory_format=torch.channels_last) for p in shipped.net.parameters() if p.dim() == 4])
there = copy.deepcopy(shipped.net).to(memory_format=torch.contiguous_format)
given = clothes.x[:4], torch.linspace(0.2, 0.8, 4), clothes.y[:4]
check("and its answers do not depend on it", there(*given), shipped.net(*given), rtol=0, atol=1e-4)
block, found = shipped.net.deep[0], []
maps_there, emb_there = torch.randn(4, 128, 7, 7, generator=rt.generator(1)), torch.randn(4, 128, generator=rt.generator(2))
read = torch.compile(block, backend=lambda graph, inputs: found.append(graph) or graph.forward)(maps_there, emb_there)
check("read only, the same answer", read, block(maps_there, emb_there), rtol=0, atol=1e-6)
check_between("a residual block's nodes", len(found[0].graph.nodes), 10, 60)
traced = torch.compile(block, backend="aot_eager")(maps_there, emb_there)
check("traced with its gradients", traced, block(maps_there, emb_there), rtol=0, atol=1e-5)

# %% 17-42-638089
for count in (2, 4):
    mean = sum(gradient(rows[rank::count], dtype=f64) for rank in range(count)) / count
    check(f"{count} parts, against the whole batch", mean, whole, rtol=0, atol=1e-12)
check_between("the gradient is not small", whole.norm(), 1e-3, 1e3)

# %% recall
import subprocess
import sys
import tempfile
from pathlib import Path

from minidiff.engine import checkpoints, load_run, save_run


def bits(run):
    return [*run.denoiser.parameters(), *run.average.parameters()]


def same_bits(one, two):
    return all(map(torch.equal, bits(one), bits(two)))


check_that("weights and average, bit for bit", same_bits(resumed, undisturbed))
check("what is saved stands at step", saved["step"], 24, rtol=0)
with tempfile.TemporaryDirectory() as folder:
    path, half_way = Path(folder) / "run.safetensors", fresh()
    go_on(half_way, 24)
    save_run(path, half_way)
    check_that("save_run holds the same", go_on(load_run(path)[0]) == want[24:])
    content, refused = path.read_bytes(), 0
    for place in torch.randint(8 * len(content), (25,), generator=rt.generator(4)).tolist():
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            load_run(path)
        except checkpoints.CheckpointError:
            refused += 1
    check("of 25 single flipped bits, refused", refused, 25, rtol=0)
    killed = Path(folder) / "killed"
    command = [sys.executable, "-m", "minidiff", "train", "--preset", "two-moons", "--steps", "300", "--save-every", "0"]
    process = subprocess.Popen([*command, "--out", str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=os.environ | {"MINIDIFF_DEVICE": "cpu"})
    done = 0
    while done < 40 and process.poll() is None:
        time.sleep(0.05)
        if (killed / engine.RUN).exists():
            done = checkpoints.read(killed / engine.RUN)[1]["step"]  # a file half written would be refused here
    process.kill()
    process.wait()
    os.environ["MINIDIFF_DEVICE"] = "cpu"
    survivor, straight = engine.resume(killed), engine.begin("two-moons", steps=300)
    check_between("steps left to do after the kill", 300 - survivor.run.step, 1, 260)
    list(survivor.losses())
    list(straight.losses())
    del os.environ["MINIDIFF_DEVICE"]
    check_that("killed and resumed, it ends where it would have ended", same_bits(survivor.run, straight.run))
    check_that("and so does its loss curve", survivor.record["losses"] == straight.record["losses"])

# %% 17-48-94cbc4
drawn = plots.plotted(ax)
check_that("nothing forgotten: exactly 0, as drawn", (drawn["forgot nothing"] == 0).all())
check("moments forgotten: the first loss is still right", drawn["forgot the moments"][0], 0, atol=1e-12)
check_between("one step skipped: worst relative difference", drawn["forgot one step"].max(), 0.002, 0.05)
check_that("the moments do more harm", drawn["forgot the moments"].max() > drawn["forgot one step"].max())
blind = recall()
blind.average.load_state_dict(fresh().average.state_dict())
check_that("a forgotten average shows in no loss", go_on(blind) == want[24:])
averages = [[*run.average.parameters()][-1] for run in (blind, undisturbed)]
check_that("but in the average", not torch.equal(*averages))

# %% 17-74-fb0b3d
from minidiff.estimates import jackknife
from minidiff.evaluation import frechet_distance, load_judge

record, settings = card["record"], card["settings"]
check_that("the card names the device, a CPU with two threads", record["device"] == "cpu: AMD EPYC" and record["threads"] == 2 and settings["bf16"])
check("pictures seen", record["steps"] * settings["batch"], record["images_seen"], rtol=0)
check("pictures, steps, minutes", [record["images_seen"], record["steps"], record["seconds"] / 60], [1_280_000, 20_000, 73.2], rtol=1e-3)
check("the loss curve ends at the last step", record["losses"][-1][0], record["steps"], rtol=0)
check("recorded: drawings, steps of DDIM", [metrics["samples"], metrics["ddim_steps"]], [10_000, 50], rtol=0)
check("recorded: Fréchet distance, floor, agreement", [metrics["frechet_distance"], metrics["floor"], metrics["agreement"]], [13.74, 1.079, 0.9098], rtol=1e-3)
picture = clothes.x[:1], torch.tensor([0.5]), clothes.y[:1]
needed = 3 * flop(lambda: shipped.net(*picture)) * record["images_seen"]
check("FLOP of the whole training, and a second, in 10^12", [needed / 1e12, needed / record["seconds"] / 1e12], [773, 0.176], rtol=3e-3)
orders = 20_000 * 1_000 * 5e-6
check("seconds of launching; FLOP a second at which they are half", [orders, needed / orders / 1e12], [100, 7.73], rtol=2e-3)
check("the picture beside the checkpoint: its size, and ours", again.shape, stored.shape, rtol=0)
judge, test = load_judge(), fashion_mnist("test")
by_class = torch.stack([(clothes.y == k).nonzero()[:100, 0] for k in range(10)], 1).flatten()
real, photographs = judge.features(test.x[:1_000]), judge.features(clothes.x[by_class])


def floors(count):
    return np.array([frechet_distance(group, real) for group in photographs.split(count)])


means = [floors(count).mean() for count in (50, 100, 200, 500, 1_000)]
check_that("each step up in number brings the floor down", np.diff(means) < 0)
a_hundred = start(cosine, 1.0, (10_000, 1, 28, 28), rt.generator(metrics["seed"]))[:100]
wanted_classes = torch.arange(100) % 10


def judged(denoiser, **how):
    """Fréchet distance less the predicted, in standard errors, and the share recognised."""
    x = engine.generate(denoiser, a_hundred, wanted_classes, **how)
    distance, error = jackknife(frechet_distance, judge.features(x), real)
    miss = distance - (means[1] + metrics["frechet_distance"] - metrics["floor"])
    return miss / max(error, 1), (judge.classify(x) == wanted_classes).double().mean().item(), error


miss, agreed, error = judged(shipped.cpu(), steps=50)
p = metrics["agreement"]
check_between("Fréchet distance less the predicted, in standard errors", miss, -3.5, 3.5)
check_between("its error", error, 5, 20)
check_between("agreement less the record's, in standard errors", (agreed - p) / (p * (1 - p) / 100) ** 0.5, -3.5, 3.5)
shaken, dice = copy.deepcopy(shipped), rt.generator(9)
with torch.no_grad():
    for parameter in shaken.net.parameters():
        parameter += 0.3 * parameter.std(correction=0) * torch.randn(parameter.shape, generator=dice)
check_between("weights shaken by 30 %, in standard errors", judged(shaken, steps=20)[0], 6, 1e3)
