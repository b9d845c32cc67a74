"""The networks: what they may depend on, what they must not, and how they begin."""

import json
import math

import numpy as np
import pytest
import torch

from minidiff.networks import MLP, NETWORKS, ConvNet1d, DiT, UNet
from minidiff.networks.layers import Embedding as Condition
from minidiff.networks.layers import labels

SMALL = {"width": 16, "deep_width": 24, "deep_blocks": 2}
CASES = {
    "mlp": (MLP, {"dim": 2, "width": 32, "classes": 3}, (2,)),
    "mlp without classes, dim 5": (MLP, {"dim": 5, "width": 32}, (5,)),
    "unet": (UNet, {"classes": 10, **SMALL}, (1, 28, 28)),
    "unet 32 colour": (UNet, {"channels": 3, "size": 32, "classes": 4, "blocks": 2, **SMALL}, (3, 32, 32)),
    "unet without classes": (UNet, {"size": 32, **SMALL}, (1, 32, 32)),
    "unet told of changes": (UNet, {"classes": 10, "changes": 4, **SMALL}, (1, 28, 28)),
    "signals": (ConvNet1d, {"channels": 2, "length": 30, "width": 16, "classes": 3, "changes": 1}, (2, 30)),
    "mlp told of changes": (MLP, {"width": 32, "changes": 2}, (2,)),
    "dit": (
        DiT,
        {"channels": 1, "size": 12, "patch": 3, "classes": 3, "width": 16, "depth": 2, "heads": 2},
        (1, 12, 12),
    ),
    "dit told of changes": (DiT, {"size": 8, "patch": 2, "width": 16, "depth": 1, "heads": 4, "changes": 2}, (3, 8, 8)),
}


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def perturbed(kind, config):
    """A network whose layers that begin at zero have moved on, so that everything in it matters."""
    torch.manual_seed(0)
    net = kind(**config)
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.add_(0.05 * randn(*parameter.shape, seed=number))
    return net


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def case(request):
    """A network, six inputs, their levels and their labels (None for a network without classes)."""
    kind, config, shape = CASES[request.param]
    y = torch.arange(6) % config["classes"] if "classes" in config else None
    return perturbed(kind, config), randn(6, *shape, seed=1), torch.linspace(0, 1, 6), y


@pytest.mark.parametrize("name", CASES)
def test_a_variance_doubles_the_channels_and_nothing_else(name):
    """Given the last layer of the plain network, and twice that below it: the same output, and twice that."""
    kind, config, shape = CASES[name]
    one, two = perturbed(kind, config), kind(**config, variance=True)
    shapes = {key: value.shape for key, value in two.state_dict().items()}
    doubled = {key: torch.cat([v, 2 * v]) if shapes[key] != v.shape else v for key, v in one.state_dict().items()}
    two.load_state_dict(doubled)
    x, level = randn(4, *shape), torch.linspace(0, 1, 4)
    close(two(x, level), torch.cat([one(x, level), 2 * one(x, level)], 1))


def close(got, want):
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_says_nothing_at_first(name):
    kind, config, shape = CASES[name]
    out = kind(**config)(randn(2, *shape), torch.tensor([0.1, 0.9]))
    torch.testing.assert_close(out, torch.zeros(2, *shape), atol=0, rtol=0)


def test_each_sample_is_judged_alone(case):
    net, x, level, y = case
    together = net(x, level, y)
    for i in range(len(x)):
        alone = net(x[i : i + 1], level[i : i + 1], None if y is None else y[i : i + 1])
        close(together[i : i + 1], alone)


def test_permuting_the_batch_permutes_the_answer(case):
    net, x, level, y = case
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    close(net(x[order], level[order], None if y is None else y[order]), net(x, level, y)[order])


def test_level_and_input_matter_everywhere(case):
    net, x, level, y = case
    x = x[:1].expand_as(x)
    out = net(x, level, None if y is None else y[:1].expand(6)).flatten(1)
    assert torch.pdist(out).min() > 1e-3  # six levels, six answers
    x = x.clone().requires_grad_()
    net(x, level, y).square().sum().backward()
    assert (x.grad != 0).all()


def test_training_and_evaluation_agree(case):
    net, x, level, y = case
    torch.testing.assert_close(net.train()(x, level, y), net.eval()(x, level, y), atol=0, rtol=0)


def test_config_builds_the_network_again(case):
    net, x, level, y = case
    config = json.loads(json.dumps(net.config))
    twin = NETWORKS[type(net).__name__](**config)
    twin.load_state_dict(net.state_dict())
    torch.testing.assert_close(twin(x, level, y), net(x, level, y), atol=0, rtol=0)


@pytest.mark.parametrize("name", CASES)
def test_gradients_soon_reach_every_parameter(name):
    kind, config, shape = CASES[name]
    torch.manual_seed(0)
    net, x, level = kind(**config), randn(12, *shape), torch.rand(12)
    y = None if net.classes is None else torch.arange(12) % (net.classes + 1)
    change = randn(12, config["changes"], seed=5) if "changes" in config else None
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):  # layers that begin at 0 hide those before them for a step each: last, then conv2, then the rest
        optimiser.zero_grad()
        (net(x, level, y, change) - x).square().mean().backward()
        optimiser.step()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", ["mlp", "unet"])
def test_no_label_is_the_null_label_and_an_int_is_for_all(name):
    kind, config, shape = CASES[name]
    net, x, level = perturbed(kind, config), randn(4, *shape), torch.rand(4)
    null = net.classes
    torch.testing.assert_close(net(x, level), net(x, level, torch.full((4,), null)), atol=0, rtol=0)
    torch.testing.assert_close(net(x, level, 1), net(x, level, torch.ones(4, dtype=torch.int64)), atol=0, rtol=0)
    answers = torch.stack([net(x, level, label).flatten() for label in range(null + 1)])
    assert torch.pdist(answers).min() > 1e-3


TOLD = [name for name in CASES if "told" in name]


@pytest.mark.parametrize("name", TOLD)
def test_no_change_is_all_zeros_and_every_other_matters(name):
    kind, config, shape = CASES[name]
    net, x, level, k = perturbed(kind, config), randn(1, *shape), torch.tensor([0.5]), config["changes"]
    torch.testing.assert_close(net(x, level), net(x, level, change=torch.zeros(1, k)), atol=0, rtol=0)
    answers = torch.stack(
        [net(x, level, change=change[None]).flatten() for change in torch.cat([torch.zeros(1, k), torch.eye(k)])]
    )
    assert torch.pdist(answers).min() > 1e-3


@pytest.mark.parametrize("name", TOLD)
def test_each_sample_is_told_its_own_change(name):
    kind, config, shape = CASES[name]
    net, x, level, change = (
        perturbed(kind, config),
        randn(3, *shape),
        torch.rand(3),
        randn(3, config["changes"], seed=5),
    )
    together = net(x, level, change=change)
    for i in range(3):
        close(together[i : i + 1], net(x[i : i + 1], level[i : i + 1], change=change[i : i + 1]))


def test_labels_in_full():
    torch.testing.assert_close(labels(None, 3, 2), torch.tensor([3, 3]))
    torch.testing.assert_close(labels(0, 3, 2), torch.tensor([0, 0]))
    for y in (torch.tensor([2, 1]), torch.tensor([2, 1], dtype=torch.uint8), [2, 1], (2, 1), np.array([2, 1], "int32")):
        torch.testing.assert_close(labels(y, 3, 2), torch.tensor([2, 1]))


@pytest.mark.parametrize("y", ["1", object(), {}, [None, 1], b"ab", print, 1j])
def test_labels_that_are_no_numbers_are_refused(y):
    with pytest.raises(TypeError, match=r"y (must be numbers in|is .* give real numbers)"):
        labels(y, 3, 2)


@pytest.mark.parametrize("name", CASES)
def test_what_a_network_knows_and_what_not_given_is(name):
    """`nulls` names the conditions, and a condition that is null is as good as none."""
    kind, config, shape = CASES[name]
    net, x, level = perturbed(kind, config), randn(3, *shape), torch.rand(3)
    given = {"y": config.get("classes"), "change": config.get("changes")}
    assert {name: null.shape for name, null in net.nulls.items()} == {
        name: (() if name == "y" else (number,)) for name, number in given.items() if number
    }
    full = {name: null.expand(3, *null.shape) for name, null in net.nulls.items()}
    torch.testing.assert_close(net(x, level, **full), net(x, level), atol=0, rtol=0)
    assert all(null.device.type == "meta" for null in kind(**config).to("meta").nulls.values())


@pytest.mark.parametrize("depth", [0, 3, 5])
def test_a_number_of_a_signal_is_answered_by_its_neighbours(depth):
    """2^depth to either side: the taps of each layer stand twice as far apart as those of the layer before."""
    net = perturbed(ConvNet1d, {"length": 101, "width": 8, "depth": depth})
    net.norms = torch.nn.ModuleList(torch.nn.Identity() for _ in range(depth))  # statistics are of all alike
    x = randn(1, 1, 101).requires_grad_()
    (slope,) = torch.autograd.grad(net(x, torch.tensor([0.5]))[0, 0, 50], x)
    seen = slope[0, 0].nonzero().flatten().tolist()
    assert (seen[0], seen[-1]) == (50 - 2**depth, 50 + 2**depth)


@pytest.mark.parametrize("kind, shape", [(MLP, (2,)), (UNet, (1, 28, 28))])
def test_levels_and_changes_of_another_precision_are_rounded(kind, shape):
    net = perturbed(kind, {"changes": 2, "width": 16})
    x, level, change = randn(3, *shape), torch.tensor([0.25, 0.5, 1.0]), torch.ones(3, 2)
    want = net(x, level, change=change)
    torch.testing.assert_close(net(x, level.double(), change=change.half()), want, atol=0, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        net(x.bfloat16(), level, change=change)  # autocast brings x and weights together


def test_features_of_the_level_are_sines_and_cosines():
    condition = Condition(8, None, frequencies=3)
    torch.testing.assert_close(condition.frequencies, torch.tensor([0.5, 5.0, 50.0]))
    seen = []
    condition.net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    condition(torch.tensor([0.3]), None, 1)
    want = [math.sin(0.15), math.sin(1.5), math.sin(15), math.cos(0.15), math.cos(1.5), math.cos(15)]
    torch.testing.assert_close(seen[0], torch.tensor([want]), atol=1e-5, rtol=1e-5)


def test_every_pixel_sees_the_whole_picture_and_keeps_its_place():
    net = perturbed(UNet, {"classes": 10})
    x = randn(1, 1, 28, 28).requires_grad_()
    net(x, torch.tensor([0.5]))[0, 0, 0, 0].backward()
    reach = x.grad[0, 0].abs()
    assert (reach > 0).all()
    assert reach.argmax() < 28 * 4 and reach.argmax() % 28 < 4  # nothing counts more than the pixel's own corner


def test_fine_detail_goes_around_the_quarter_resolution():
    net = perturbed(UNet, {"classes": 10})
    with torch.no_grad():
        net.shrink.weight.zero_()  # now only the skip connection carries the picture
    x = randn(1, 1, 28, 28).requires_grad_()
    net(x, torch.tensor([0.5])).square().sum().backward()
    assert (x.grad != 0).all()


def test_checkpoints_hold_what_was_learned_and_nothing_else():
    net = UNet(classes=10)
    assert set(net.state_dict()) == {name for name, _ in net.named_parameters()}
    assert net.condition.table.weight.shape == (11, 128)  # ten labels and the null label


def test_the_default_unet_fits_a_small_file():
    count = sum(p.numel() for p in UNet(classes=10).parameters())
    assert 1_000_000 < count <= 1_950_000  # float16 and a card within 4,000,000 bytes


@pytest.mark.parametrize(
    "change, word",
    [
        ({"x": torch.zeros(2, 3, 28, 28)}, r"\(B, 1, 28, 28\)"),
        ({"x": torch.zeros(2, 1, 32, 32)}, r"\(B, 1, 28, 28\)"),
        ({"x": torch.zeros(1, 28, 28)}, r"\(B, 1, 28, 28\)"),
        ({"x": None}, r"\(B, 1, 28, 28\), not None"),
        ({"x": [0.0] * 3}, r"\(B, 1, 28, 28\), not a list"),
        ({"x": torch.zeros(2, 1, 28, 28).double()}, "torch.float64 on cpu, and its weights are torch.float32"),
        ({"x": torch.zeros(2, 1, 28, 28).half()}, "both agree"),
        ({"x": torch.zeros(2, 1, 28, 28).byte()}, "both agree"),
        ({"x": torch.zeros(2, 1, 28, 28).cfloat()}, "both agree"),
        ({"x": torch.zeros(2, 1, 28, 28, device="meta")}, "on meta, and its weights"),
        ({"level": 0.5}, "level is 0.5"),
        ({"level": [0.5, 0.5]}, "level is a list"),
        ({"level": torch.zeros(2, dtype=torch.int64)}, "floating-point"),
        ({"level": torch.tensor(0.5)}, "level"),
        ({"level": torch.zeros(3)}, "level"),
        ({"level": torch.zeros(2, 1)}, "level"),
        ({"y": 11}, "null label"),
        ({"y": -1}, "null label"),
        ({"y": torch.tensor([0, 11])}, "null label"),
        ({"y": torch.tensor([0, 1, 2])}, "y is"),
        ({"y": torch.tensor([0.0, 1.0])}, "y is"),
        ({"y": torch.eye(10)[:2].long()}, "y is"),
        ({"y": 1.0}, "y is"),
        ({"y": [True, False]}, "y is"),
        ({"y": [0, 11]}, "null label"),
        ({"change": torch.zeros(2, 3)}, r"change is a tensor.* \(2, 3\): give \(2, 4\)"),
        ({"change": torch.zeros(4)}, "change is a tensor"),
        ({"change": torch.zeros(1, 4)}, "change is a tensor"),
        ({"change": torch.zeros(2, 4).long()}, "change is a tensor"),
        ({"change": 0.0}, "change is 0.0"),
    ],
)
def test_wrong_inputs_are_named(change, word):
    net = UNet(classes=10, changes=4, **SMALL)
    with pytest.raises(ValueError, match=word):
        net(**{"x": torch.zeros(2, 1, 28, 28), "level": torch.zeros(2), "y": None, **change})


def test_points_of_another_dimension_are_named():
    with pytest.raises(ValueError, match=r"\(B, 3\)"):
        MLP(dim=3)(torch.zeros(4, 2), torch.zeros(4))


@pytest.mark.parametrize("kind", [MLP, UNet])
def test_a_label_for_a_network_without_classes_is_refused(kind):
    shape = (2, 2) if kind is MLP else (2, 1, 28, 28)
    with pytest.raises(ValueError, match="no classes"):
        kind()(torch.zeros(shape), torch.zeros(2), 0)


@pytest.mark.parametrize("kind", [MLP, UNet])
def test_a_change_for_a_network_that_is_told_of_none_is_refused(kind):
    shape = (2, 2) if kind is MLP else (2, 1, 28, 28)
    with pytest.raises(ValueError, match="told of no changes"):
        kind()(torch.zeros(shape), torch.zeros(2), change=torch.zeros(2, 1))


ODD_SIZES = {
    "multiple": [{"size": 30}, {"size": 0}, {"size": (8, 10)}, {"size": (8, 0)}, {"width": 20}, {"deep_width": 4}],
    "height and width": [{"size": (8, 8, 8)}, {"size": []}],
    "channels must be": [{"channels": 0}, {"channels": math.nan}, {"channels": "1"}],
    "width must be": [{"width": 0}, {"width": 16.0}, {"width": True}],
    "classes .* must be": [{"classes": 0}, {"classes": -1}, {"classes": "10"}, {"classes": math.inf}, {"classes": [3]}],
    "groups must be": [{"groups": 0}, {"groups": -8}],
    "blocks must be": [{"blocks": 0}, {"deep_blocks": -1}],
    "changes must be": [{"changes": -1}, {"changes": None}],
    "variance must be": [{"variance": 1}, {"variance": "no"}],
}


@pytest.mark.parametrize("config, word", [(config, word) for word, configs in ODD_SIZES.items() for config in configs])
def test_sizes_that_cannot_be_built_are_refused(config, word):
    kinds = [MLP, UNet] if set(config) <= {"width", "classes", "changes", "variance"} and word != "multiple" else [UNet]
    for kind in kinds:
        with pytest.raises(ValueError, match=word):
            kind(**config)


@pytest.mark.parametrize("config", [{"dim": 0}, {"dim": 2.0}, {"depth": -1}, {"depth": None}])
def test_points_and_depths_that_cannot_be_built_are_refused(config):
    with pytest.raises(ValueError, match=r"must be a whole number from \d up"):
        MLP(**config)


def test_images_need_not_be_square():
    """A square is built by one number or two; a tall image turned, seen by turned kernels, is the wide image turned."""
    assert UNet(size=(28, 28), **SMALL).config == UNet(size=28, **SMALL).config
    tall = perturbed(UNet, {"size": (8, 12), "classes": 3, **SMALL})
    assert json.loads(json.dumps(tall.config)) == tall.config
    wide = UNet(**tall.config | {"size": [12, 8]})
    kernels = {k: v.mT if v.dim() == 4 and v.shape[2] > 1 else v for k, v in tall.state_dict().items()}
    k = torch.arange(4 * 1).reshape(1, 2, 2).mT.flatten()  # pixel unshuffle numbers the four pixels row by row
    kernels["stem.weight"] = kernels["stem.weight"][:, k]
    kernels |= {name: kernels[name][k] for name in ("last.weight", "last.bias")}
    wide.load_state_dict(kernels)
    x, level, y = randn(2, 1, 8, 12), torch.tensor([0.2, 0.7]), torch.tensor([0, 2])
    close(wide(x.mT, level, y), tall(x, level, y).mT)


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_groups_are_those_asked_for_everywhere(groups):
    net = UNet(**{**SMALL, "blocks": 2}, groups=groups)
    norms = [(name, part) for name, part in net.named_modules() if isinstance(part, torch.nn.GroupNorm)]
    assert {name.split(".")[0] for name, _ in norms} == {"down", "deep", "up", "norm"}
    assert len(norms) == 2 * (2 + 2 + 2) + 1 and {part.num_groups for _, part in norms} == {groups}


def test_the_quarter_resolution_is_brought_back_by_repeating_each_position():
    net, seen = perturbed(UNet, SMALL), {}
    net.widen.register_forward_hook(lambda module, args, out: seen.update(low=out))
    net.up[0].register_forward_pre_hook(lambda module, args: seen.update(high=args[0]))
    net(randn(2, 1, 28, 28), torch.tensor([0.2, 0.7]))
    repeated = seen["low"].repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert repeated.std() > 0.01 and repeated.shape == (2, 16, 14, 14)
    torch.testing.assert_close(seen["high"][:, :16], repeated, rtol=0, atol=0)


def test_labels_go_with_a_batch_whose_size_the_compiler_leaves_open():
    """As it does once a network was called with two sizes, though the labels come with one alone."""
    torch._dynamo.reset()
    net = perturbed(MLP, {"classes": 3, "width": 8})
    x, level, y = randn(6, 2), torch.rand(6), torch.arange(6) % 3
    for part in (x, level):
        torch._dynamo.maybe_mark_dynamic(part, 0)
    whole = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(whole(x, level, y), net(x, level, y))


def test_nothing_that_is_checked_breaks_a_compiled_graph():
    net = perturbed(MLP, {"classes": 3, "changes": 2, "width": 8})
    given = randn(4, 2), torch.rand(4), torch.tensor([0, 1, 2, 3]), randn(4, 2, seed=1)
    whole = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(whole(*given), net(*given))
