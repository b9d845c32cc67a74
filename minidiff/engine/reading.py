"""Reading before drawing: what an encoder of captions learns without a picture."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.scenes import COLOURS, SHAPES, Scene
from ..networks.text import TextEncoder, Words
from .feed import generator_for
from .train import learning_rate

KINDS = {"shape": len(SHAPES), "colour": len(COLOURS), "number": 3}
MIDDLE, SPREAD = torch.tensor([0.5, 0.5, 0.17]), torch.tensor([0.25, 0.25, 0.07])  # of places and radii in scenes


def facts(told: Sequence[Scene], words: Words) -> tuple[Tensor, Tensor, Tensor]:
    """What captions are about: of each colour and each noun in them, the thing that it belongs to.

    Returns where these words are, (M, 2), number of the caption and of the word; KINDS of their things, (M, 3), counted
    from 0; and their mean place and radius, standardised, (M, 3).
    """
    at, kinds, where = [], [], []
    for k, (one, row) in enumerate(zip(told, words.decode(words.encode([one.caption for one in told])), strict=True)):
        said = row.split()
        for i, colour in enumerate(said):
            if colour not in COLOURS:
                continue
            shape = next(name for name in SHAPES if said[i + 1].startswith(name))
            alike = [thing for thing in one.things if (thing.shape, thing.colour) == (shape, colour)]
            at += [(k, i), (k, i + 1)]
            kinds += 2 * [(SHAPES.index(shape), list(COLOURS).index(colour), len(alike) - 1)]
            where += 2 * [torch.tensor([(thing.x, thing.y, thing.r) for thing in alike]).mean(0)]
    return torch.tensor(at), torch.tensor(kinds), (torch.stack(where) - MIDDLE) / SPREAD


def read(
    encoder: TextEncoder, told: Sequence[Scene], *, steps: int = 500, batch: int = 128, lr: float = 1e-3
) -> dict[str, float]:
    """Teach an encoder, in place, whose colour is whose: one linear layer must tell a thing from any of its words.

    encoder: of captions.
    told: scenes with captions that it can encode.
    steps: of Adam, each with one batch.
    batch: words a step.
    lr: the largest learning rate, which falls to 0.

    Returns the errors of the last step: of shape, colour and number in nats, of the place in squares. A network that is
    trained with this encoder binds colours to shapes long before one that learns to read from pictures alone.
    """
    at, kinds, where = facts(told, encoder.words)
    tokens, generator = encoder.words.encode([one.caption for one in told]), generator_for(0)
    head = nn.Linear(encoder.place.shape[1], sum(KINDS.values()) + 3)
    adam = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr, betas=(0.9, 0.99))
    for step in range(steps):
        adam.param_groups[0]["lr"] = learning_rate(step, steps, lr)
        rows = torch.randint(len(at), (batch,), generator=generator)
        words, _ = encoder(tokens[at[rows, 0]], batch)
        *guesses, place = head(words[torch.arange(batch), at[rows, 1]]).split([*KINDS.values(), 3], 1)
        errors = [F.cross_entropy(guess, kinds[rows, k]) for k, guess in enumerate(guesses)]
        errors.append((place - where[rows]).square().mean())
        adam.zero_grad()
        torch.stack(errors).sum().backward()
        adam.step()
    return {name: round(error.item(), 4) for name, error in zip([*KINDS, "place"], errors, strict=True)}
