"""Looking inside a U-Net (minidiff/course/inside.py), where the answer is known."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from minidiff import Denoiser, LearnedDenoiser, Prediction, UNet, cosine
from minidiff.course import inside
from minidiff.course.tasks.unet_and_first_images import OurUNet, our_ridge
from minidiff.schedules import evaluate


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Pair(nn.Module):
    """Two layers, the second of which hears 4 channels."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 1, 1)

    def forward(self, x, level):
        return self.second(self.first(x))


def test_feature_maps_are_those_of_the_layer_and_nothing_listens_afterwards():
    net, x = Pair(), noise(2, 1, 4, 4)
    found = inside.feature_maps(LearnedDenoiser(net, cosine), net.first, x, 0.5)
    torch.testing.assert_close(found, net.first(x).detach())
    assert not net.first._forward_hooks
    with pytest.raises(TypeError):
        inside.feature_maps(LearnedDenoiser(net, cosine), net.first, x, 0.5, nonsense=1)
    assert not net.first._forward_hooks


def test_stretched_maps_reach_from_0_to_1():
    maps = 7 + 3 * noise(5, 7, 7)
    found = inside.stretched(maps, 28)
    assert found.shape == (5, 1, 28, 28)
    torch.testing.assert_close(found.amin((1, 2, 3)), torch.zeros(5))
    torch.testing.assert_close(found.amax((1, 2, 3)), torch.ones(5))
    assert (found[:, 0, ::4, ::4].flatten(1).argmax(1) == maps.flatten(1).argmax(1)).all()


def test_what_is_silenced_is_silent_while_it_lasts():
    net, x = Pair(), noise(2, 1, 4, 4)
    whole = net(x, None)
    kept = net.second.weight[:, 2:]
    with inside.silenced(net.second, slice(0, 2)):
        torch.testing.assert_close(net(x, None), nn.functional.conv2d(net.first(x)[:, 2:], kept, net.second.bias))
    torch.testing.assert_close(net(x, None), whole)


@pytest.mark.parametrize("deep_blocks, wide", [(1, 34), (2, 50), (4, 82)])
def test_the_view_is_the_pencils(deep_blocks, wide):
    net = OurUNet(8, 8, deep_blocks)
    before = [weights.clone() for weights in net.parameters()]
    assert inside.view(net, 128) == wide
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_influence_and_its_radius_are_those_of_the_weights():
    weights = torch.zeros(6, 8)
    weights[3, 4], weights[3, 7], weights[0, 4] = 2.0, 1.0, -1.0  # the central pixel, and two at a distance of 3

    def predict(x_t, t):
        x0 = torch.zeros_like(x_t)
        x0[..., 3, 4] = (x_t * weights).sum((2, 3))
        return Prediction(x0, x_t)

    power, radius = inside.influence(Denoiser(cosine, predict), noise(5, 1, 6, 8), 0.5)
    torch.testing.assert_close(power, weights**2)
    torch.testing.assert_close(radius, torch.tensor((2 * 9 / 6) ** 0.5))


def test_practice_comes_down_to_the_floor_and_touches_no_dice():
    thumbs, state = noise(4, 1, 8, 8), torch.get_rng_state()
    build = lambda: UNet(size=8, width=8, deep_width=8, deep_blocks=1)
    lesson = lambda x0, eps, other, alpha, sigma: alpha * eps - sigma * x0
    losses = inside.practise(build, thumbs, lesson, steps=30)
    assert losses.shape == (30,) and not losses.requires_grad and torch.equal(state, torch.get_rng_state())
    assert 0.7 < losses[0] < 1.3 and losses[-5:].mean() < 0.9
    assert torch.equal(losses, inside.practise(build, thumbs, lesson, steps=30))


def test_a_probe_reads_what_is_there_and_guesses_what_is_not():
    y = torch.arange(400) % 10
    told = torch.nn.functional.one_hot(y).float() + 0.1 * noise(400, 10)
    assert inside.probe(our_ridge, 5 + 3 * told, y, learn=200) == 1.0
    assert inside.probe(our_ridge, noise(400, 10, seed=1), y, learn=200) < 0.25
    nothing = lambda A, Y, weight: torch.zeros(A.shape[1], Y.shape[1])
    assert inside.probe(nothing, told, y, learn=200) == pytest.approx(0.1)


def test_four_generators_are_broken_as_they_should_be():
    net = LearnedDenoiser(UNet(size=4, classes=10, width=8, deep_width=8, deep_blocks=1), cosine)
    nn.init.normal_(net.net.last.weight, std=0.1)
    for weights in (net.net.condition.table.weight, net.net.up[0].conv2.weight):
        nn.init.normal_(weights)
    net.requires_grad_(False)

    def sound(denoiser, x, times, y):
        for t, s in pairwise(times.tolist()):
            (x0, eps), (alpha, sigma) = denoiser(x, t, y=y), evaluate(cosine, s)
            x = alpha * x0 + sigma * eps
        return x

    found, x, y = inside.patients(net, "beginner", sound), noise(3, 1, 4, 4), torch.tensor([0, 5, 9])
    exact = Denoiser(cosine, lambda x_t, t, y: Prediction(t * x_t, x_t))
    times = torch.linspace(1, 0, 6)
    same = {name: torch.equal(s(exact, x, times, y), sound(exact, x, times, y)) for name, (_, s) in found.items()}
    assert same == {"A": False, "B": True, "C": True, "D": True} and found["D"][0] == "beginner"
    assert found["A"][0] is net
    (alpha, sigma), v = evaluate(cosine, 0.3), net.output(x, 0.3, y=y)
    torch.testing.assert_close(found["B"][0](x, 0.3, y=y).x0, alpha * x + sigma * v)
    torch.testing.assert_close(found["B"][0](x, 0.3, y=y).eps, sigma * x + alpha * v)
    torch.testing.assert_close(found["C"][0](x, 0.3, y=y).x0, net(x, 0.3, y=torch.tensor([1, 6, 0])).x0)


def test_the_figure_shows_each_part():
    (ax,) = inside.drawn_u().axes
    assert [bar.get_height() for bar in ax.patches] == [28, 14, 14, 7, 7, 7, 14, 14, 28]
    assert {text.get_text() for text in ax.texts} >= {"skip", "input\n1, 28x28", "output\n1, 28x28"}
