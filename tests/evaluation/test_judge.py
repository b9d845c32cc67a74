"""The judge: the shipped file, what it sees, and that nobody can swap it unnoticed."""

import sys
import types

import pytest
import torch

from minidiff.data.files import DataError, find
from minidiff.data.images import fashion_mnist
from minidiff.evaluation.inception import inception
from minidiff.evaluation.judge import Judge, load_judge, round_weights, train_judge
from minidiff.evaluation.metrics import frechet_distance


@pytest.fixture(scope="module")
def judge():
    return load_judge()


@pytest.fixture(scope="module")
def clothes():
    return fashion_mnist("test")


def test_reaches_the_accuracy_in_its_card(judge, clothes):
    right = (judge.classify(clothes.x[:1000]) == clothes.y[:1000]).double().mean()
    assert 0.905 <= right <= 0.955  # 93.17 % of all 10,000; the standard error of 1,000 is 0.8 %


def test_features_are_what_the_last_layer_reads(judge, clothes):
    x = clothes.x[:501]  # one more than a batch
    features = judge.features(x)
    assert features.shape == (501, 128)
    logits = features @ judge.head[-1].weight.T + judge.head[-1].bias
    torch.testing.assert_close(logits.argmax(1), judge.classify(x))
    torch.testing.assert_close(features[500:], judge.features(x[500:]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(judge.probabilities(x), logits.softmax(1), atol=1e-5, rtol=1e-4)


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


class Inception(torch.nn.Module):
    """In the place of torch-fidelity's: bytes (N, 3, H, W) become their sum and two colours, and no more than 50 fit."""

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
        with pytest.raises(ValueError, match="uint8 in 0..255"):
            inception(wrong)


def test_without_torch_fidelity_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(RuntimeError, match=r'pip install -e "\.\[fid\]"'):
        inception(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
