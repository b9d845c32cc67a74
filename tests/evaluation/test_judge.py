"""The judge: the shipped file, what it sees, and that nobody can swap it unnoticed."""

import hashlib
import json
import re
import sys
import types
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from torch.optim.optimizer import register_optimizer_step_post_hook

from minidiff.data import Data
from minidiff.data.files import DataError, find
from minidiff.data.images import fashion_mnist
from minidiff.evaluation.inception import inception
from minidiff.evaluation.judge import Judge, accuracy, load_judge, round_weights, train_judge
from minidiff.evaluation.metrics import frechet_distance

module = sys.modules["minidiff.evaluation.judge"]


@pytest.fixture(scope="module")
def judge():
    return load_judge()


@pytest.fixture(scope="module")
def clothes():
    return fashion_mnist("test")


@pytest.mark.slow
def test_reaches_the_accuracy_in_its_card(judge, clothes):
    right = (judge.classify(clothes.x[:1000]) == clothes.y[:1000]).double().mean()
    assert 0.905 <= right <= 0.955  # 93.17 % of all 10,000; the standard error of 1,000 is 0.8 %


@pytest.mark.slow
def test_features_are_what_the_last_layer_reads(judge, clothes):
    x = clothes.x[:501]  # one more than a batch
    features = judge.features(x)
    assert features.shape == (501, 128)
    logits = features @ judge.head[-1].weight.T + judge.head[-1].bias
    torch.testing.assert_close(logits.argmax(1), judge.classify(x))
    torch.testing.assert_close(features[500:], judge.features(x[500:]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(judge.probabilities(x), logits.softmax(1), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_the_distance_grows_with_the_damage(judge, clothes):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1000, 1, 28, 28, generator=generator)
    reference, x = judge.features(clothes.x[:1000]), clothes.x[1000:2000]
    distances = [frechet_distance(judge.features(x + scale * noise), reference) for scale in (0.0, 0.1, 0.3)]
    assert distances[0] < 25  # real images against real images: the floor of this size is 16
    assert distances[1] > 3 * distances[0] and distances[2] > 4 * distances[1]


def test_is_ready_to_use(judge):
    assert not judge.training and not any(p.requires_grad for p in judge.parameters())
    assert {p.dtype for p in judge.parameters()} == {torch.float32}


def test_gradients_reach_the_image(judge, clothes):
    x = clothes.x[:2].clone().requires_grad_()
    judge(x)[:, 3].sum().backward()
    assert (x.grad.flatten(1).norm(dim=1) > 0).all()


def flip_a_bit(content):
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.mark.parametrize("damage", [lambda content: content[:-1], flip_a_bit, lambda content: b""])
def test_an_altered_file_is_refused(damage, tmp_path):
    path = tmp_path / "judge.safetensors"
    path.write_bytes(damage(find("judge.safetensors").read_bytes()))
    with pytest.raises(DataError, match="git checkout"):
        load_judge(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_judge(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("shape", [(2, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32), (0, 1, 28, 28)])
def test_other_images_are_refused(judge, shape):
    with pytest.raises(ValueError, match="28"):
        judge.features(torch.zeros(shape))


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, "array"])
def test_other_precisions_and_arrays_are_judged(judge, clothes, kind):
    x = clothes.x[:20]
    seen = x.double().numpy() if kind == "array" else x.to(kind)
    assert (judge.classify(seen) == judge.classify(x)).double().mean() >= 0.95
    torch.testing.assert_close(judge.features(seen), judge.features(torch.as_tensor(seen).float()), rtol=0, atol=0)


def test_what_is_not_standardised_is_refused(judge, clothes):
    """Bytes as integers or floats, and greys in [0, 1]; not samples, however far they went astray."""
    x = clothes.x[:20]
    raw = clothes.restore(x)
    for wrong in ((255 * raw).round().byte(), (255 * raw).round().long(), 255 * raw, raw, 0.8 * raw.double()):
        for ask in (judge.features, judge.probabilities, judge.classify):
            with pytest.raises(ValueError, match="as raw pixels are: standardise them first"):
                ask(wrong)
    for wrong in (torch.zeros(2, 1, 28, 28, dtype=torch.long), torch.ones(2, 1, 28, 28, dtype=torch.bool)):
        with pytest.raises(ValueError, match="as raw pixels are"):
            judge.embed(wrong)
    with pytest.raises(ValueError, match="not finite"):
        judge.classify(x * float("nan"))
    shades = torch.linspace(0, 1, 784).reshape(1, 1, 28, 28)
    assert len(judge.classify(0.5 * shades)) == 1  # a dull piece of a standardised image
    with pytest.raises(ValueError, match="from 0 to 0.52, as raw pixels are"):
        judge.classify(0.52 * shades)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    for sample in (3 * x, x + noise, 4 * noise, 0 * x, x.clamp(-1, 1), x[:1]):
        assert judge.features(sample).isfinite().all()


@pytest.mark.parametrize("x", [None, "clothes", object(), torch.zeros(2, 1, 28, 28, dtype=torch.cfloat)])
def test_what_are_no_images_is_refused(judge, x):
    for ask in (judge.features, judge):
        with pytest.raises(TypeError, match=r"images (must be numbers|is a tensor of .*complex)"):
            ask(x)


@pytest.mark.parametrize(
    "given, match",
    [
        ({"labels": torch.arange(5)}, "labels must be 20"),
        ({"labels": torch.arange(20) % 11}, "from 0 to 9"),
        ({"labels": torch.arange(20) % 5 - 1}, "from 0 to 9"),
        ({"labels": torch.zeros(20)}, "whole numbers"),
        ({"batch": 21}, "from 1 to 20; got 21"),
        ({"epochs": 0}, "epochs must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_unusable_training_of_a_judge_is_refused(clothes, given, match):
    with pytest.raises(ValueError, match=match):
        train_judge(**{"images": clothes.x[:20], "labels": clothes.y[:20], "batch": 5, **given})


@pytest.mark.slow
def test_training_learns_and_repeats_bit_for_bit(clothes):
    x, y = clothes.x[:300], clothes.y[:300]
    first, second = (train_judge(x, y, epochs=3, batch=30, seed=1) for _ in range(2))
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)
    assert (first.classify(x) == y).double().mean() > 0.5  # a guess is right one time in ten


def test_rounding_leaves_what_the_file_holds():
    judge = Judge()
    tensors = round_weights(judge)
    assert not any("num_batches" in name for name in tensors)
    for name, value in tensors.items():
        torch.testing.assert_close(judge.state_dict()[name], value.float(), rtol=0, atol=0)


# ---- the training of a judge, on pictures of 28 x 28 that are bright or dark


@pytest.fixture
def small(monkeypatch):
    """One linear layer in place of the judge's network: quick, and as forgetful (its dropout draws at random)."""

    class Small(torch.nn.Sequential):
        def __init__(self):
            super().__init__(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(784, 10))

        def classify(self, x):
            return self(x).argmax(1)

    monkeypatch.setattr(module, "Judge", Small)
    return Small


def flat(number, bright, dark, seed=0):
    """Half of the images are bright, half dark; the labels say how they are called."""
    x = 0.1 * torch.randn(number, 1, 28, 28, generator=torch.Generator().manual_seed(seed))
    sign = torch.arange(number) % 2
    return Data(
        x + (2 * sign - 1)[:, None, None, None], torch.where(sign == 1, bright, dark), names=tuple("abcdefghij")
    )


@pytest.fixture
def rates():
    """The learning rate of every step taken by any optimiser, and the optimiser."""
    seen = []
    handle = register_optimizer_step_post_hook(lambda one, *_: seen.append((one.param_groups[0]["lr"], one)))
    yield seen
    handle.remove()


@pytest.mark.parametrize(
    "number, epochs, batch, steps", [(25, 5, 10, 10), (29, 5, 10, 10), (30, 4, 10, 12), (7, 3, 7, 3)]
)
def test_training_takes_whole_batches_along_one_cycle_of_the_rate(small, rates, number, epochs, batch, steps):
    """OneCycleLR (Smith & Topin 2017) as torch makes it: up from 0.003 / 25 over 30 % of the steps, then to none."""
    images = flat(number, 3, 7)
    train_judge(images.x, images.y, epochs=epochs, batch=batch)
    want = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    cycle, lrs = torch.optim.lr_scheduler.OneCycleLR(want, max_lr=0.003, total_steps=steps), []
    for _ in range(steps):
        lrs.append(want.param_groups[0]["lr"])
        want.step()
        cycle.step() if len(lrs) < steps else None
    torch.testing.assert_close([lr for lr, one in rates if one is not want], lrs)
    (optimiser,) = {one for _, one in rates if one is not want}
    assert isinstance(optimiser, torch.optim.AdamW) and optimiser.param_groups[0]["weight_decay"] == 0.01


@pytest.mark.parametrize("number, steps", [(499, 6), (500, 12)])
def test_unless_told_otherwise_six_epochs_in_batches_of_250(small, rates, number, steps):
    images = flat(number, 3, 7)
    judge = train_judge(images.x, images.y)
    assert len(rates) == steps and not judge.training and not any(p.requires_grad for p in judge.parameters())
    again = train_judge(images.x, images.y, seed=0)
    torch.testing.assert_close(again.state_dict(), judge.state_dict(), rtol=0, atol=0)


def test_the_seed_decides_weights_and_order_and_no_other_randomness_is_touched(small):
    images = flat(40, 3, 7)
    state = torch.get_rng_state()
    one, two, again = (train_judge(images.x, images.y, epochs=1, batch=10, seed=seed)[2].weight for seed in (1, 2, 1))
    assert torch.equal(one, again) and not torch.equal(one, two) and torch.equal(state, torch.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(one, train_judge(images.x, images.y, epochs=1, batch=10, seed=1)[2].weight)


def test_every_step_follows_the_gradient_of_its_batch_alone(small, monkeypatch):
    """Each part of the bias's gradient is a mean of differences of probabilities, within -1 and 1."""
    seen = []

    class Noting(torch.optim.AdamW):
        def step(self):
            seen.append(self.param_groups[0]["params"][-1].grad.clone())
            return super().step()

    monkeypatch.setattr(torch.optim, "AdamW", Noting)
    train_judge(flat(40, 3, 7).x, torch.full((40,), 3), epochs=3, batch=5)
    assert len(seen) == 24 and torch.stack(seen).abs().max() <= 1


def test_every_epoch_shows_the_images_in_another_order(small, monkeypatch):
    shown, real = [], torch.nn.functional.cross_entropy
    monkeypatch.setattr(module.F, "cross_entropy", lambda logits, y: (shown.append(y.tolist()), real(logits, y))[1])
    train_judge(flat(20, 3, 7).x, torch.arange(20) % 10, epochs=3, batch=5)
    epochs = [[y for batch in shown[4 * k : 4 * k + 4] for y in batch] for k in range(3)]
    assert len(shown) == 12 and all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


@pytest.fixture
def sets(monkeypatch):
    """In the training images bright is called 3 and dark 7; all but 29 of 300 test images say the opposite."""
    test = flat(300, 3, 7, seed=5)
    swapped = torch.arange(300) < 271
    test = Data(test.x, torch.where(swapped, 10 - test.y, test.y), names=test.names)
    sets = {"train": flat(500, 3, 7), "test": test}
    monkeypatch.setattr(module, "fashion_mnist", lambda split="train": sets[split])
    return sets


def test_accuracy_is_of_the_test_images_unless_told_otherwise(sets):
    class Told:
        def classify(self, x):
            return torch.where(x.mean((1, 2, 3)) > 0, 3, 7)

    assert accuracy(Told()) == accuracy(Told(), "test") == pytest.approx(29 / 300)
    assert accuracy(Told(), "train") == 1.0


@pytest.mark.parametrize("path", ["somewhere/new.safetensors", None])
def test_a_remade_judge_is_trained_on_the_training_images_and_asked_about_the_others(
    sets, small, path, tmp_path, monkeypatch, capsys
):
    """`minidiff judge --remake` in full. It learns the training labels, so 29 of 300 test images are labelled alike."""
    clock = iter([100.0, 142.4])
    monkeypatch.setattr(module.time, "perf_counter", clock.__next__)
    monkeypatch.chdir(tmp_path)
    assert module.main(*[path] if path else []) == 0
    path = Path(path or "runs/judge.safetensors")
    content, said = path.read_bytes(), capsys.readouterr().out
    digest = hashlib.sha256(content).hexdigest()
    assert f"{path}: 9.67% of 300 test images, 42 s, {len(content):,} bytes" in said.replace("10,000 test", "300 test")
    assert digest in said and len(said.splitlines()) == 2
    with safe_open(path, "pt") as file:
        card = json.loads(file.metadata()["card"])
        weight = file.get_tensor("2.weight")
    assert (
        card["accuracy"] == 0.0967
        and card["seconds"] == 42
        and card["torch"] == torch.__version__
        and card["seed"] == 0
    )
    assert list(card) == sorted(card)  # the same judge is the same file
    want = train_judge(sets["train"].x, sets["train"].y, seed=0)
    assert weight.dtype == torch.float16 and torch.equal(weight, want[2].weight.half())


@pytest.mark.parametrize("path", [find("judge.safetensors"), Path(__file__).parent, Path(__file__) / "new"])
def test_a_judge_that_cannot_be_written_there_is_not_trained(path, monkeypatch):
    monkeypatch.setattr(module, "train_judge", lambda *given: pytest.fail("it was trained"))
    with pytest.raises(OSError, match=re.escape(str(path.parent if path.name == "new" else path))):
        module.main(path)


def test_the_shipped_judge_is_the_network_that_its_class_builds():
    """Every weight comes out of the file: whatever a fresh judge is made of, none of it is left."""
    one, other = load_judge(), load_judge(find("judge.safetensors"))
    stored = safetensors.torch.load_file(find("judge.safetensors"))
    assert set(stored) == {name for name in one.state_dict() if "num_batches" not in name}
    for name, value in stored.items():
        assert torch.equal(one.state_dict()[name], value.float()) and torch.equal(
            other.state_dict()[name], value.float()
        )
    assert [part.p for part in one.modules() if isinstance(part, torch.nn.Dropout)] == [0.3, 0.25]


def test_judging_leaves_no_gradient_behind(judge, clothes):
    x = clothes.x[:3].clone().requires_grad_()
    assert not any(what(x).requires_grad for what in (judge.features, judge.probabilities, judge.classify))


class Inception(torch.nn.Module):
    """In the place of torch-fidelity's: bytes (N, 3, H, W) become their sum and two colours; no more than 50 fit."""

    def __init__(self, name, layers):
        super().__init__()
        assert name == "inception-v3-compat" and len(layers) == 1
        self.offset = {"2048": 0, "logits_unbiased": 1}[layers[0]]

    def forward(self, x):
        assert x.dtype == torch.uint8 and x.shape[1] == 3 and len(x) <= 50
        x = x.float() + self.offset
        return (torch.stack([x.sum((1, 2, 3)), x[:, 0, 0, 0], x[:, 2, 0, 0]], dim=1),)


def test_inception_sees_all_images_in_three_colours(monkeypatch):
    library = types.SimpleNamespace(FeatureExtractorInceptionV3=Inception)
    monkeypatch.setitem(sys.modules, "torch_fidelity", library)
    grey = torch.randint(256, (120, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    total, corner = grey.double().sum((1, 2, 3)), grey[:, 0, 0, 0]
    want = torch.stack([3 * total, corner, corner], dim=1).float()
    torch.testing.assert_close(inception(grey), want)
    torch.testing.assert_close(inception(grey, "logits_unbiased")[:, 1:], want[:, 1:] + 1)
    coloured = torch.cat([grey, grey.flip(0), 255 - grey], dim=1)
    torch.testing.assert_close(inception(coloured)[:, 1:], torch.stack([corner, 255 - corner], dim=1).float())
    for wrong in (grey.float(), grey[0], grey.repeat(1, 2, 1, 1), grey[:0]):
        with pytest.raises(ValueError, match=r"uint8 in 0\.\.255"):
            inception(wrong)


def test_without_torch_fidelity_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(RuntimeError, match=r'pip install -e "\.\[fid\]"'):
        inception(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
