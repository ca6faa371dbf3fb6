"""Readouts: by hand, at each sequence's own end, and step by step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from neurossm.errors import InputError
from neurossm_models import BinaryS4DConfig, Network
from neurossm_models.readouts import answer

ONE_SEQUENCE = ("mean", "last", "max", "sum", "leaky")
# what the decoder says, two channels, and the answers after two and after three steps
SAID = [[1.0, 5.0, -3.0], [-1.0, -2.0, -6.0]]
AFTER_TWO = {
    "mean": (3.0, -1.5), "last": (5.0, -2.0), "max": (5.0, -1.0), "sum": (6.0, -3.0),
    "leaky": (0.75 * 0.25 + 5 * 0.25, -0.75 * 0.25 - 2 * 0.25),
}  # fmt: skip
AFTER_THREE = {
    "mean": (1.0, -3.0), "last": (-3.0, -6.0), "max": (5.0, -1.0), "sum": (3.0, -9.0),
    "leaky": (0.75 * 1.4375 - 0.75, 0.75 * -0.6875 - 1.5),
}  # fmt: skip


def decoder():
    """Return a decoder whose output is known: what comes in, plus and minus one half."""
    linear = nn.Linear(2, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(2))
        linear.bias.copy_(torch.tensor([0.5, -0.5]))
    return linear


def network(readout, **changes):
    torch.manual_seed(0)
    settings = {"in_features": 2, "classes": 3, "width": 6, "state": 4, "layers": 1}
    config = BinaryS4DConfig(**settings, readout=readout, readout_leak=0.75, **changes)
    return Network(config).double().eval()


@pytest.mark.parametrize("kind", ONE_SEQUENCE)
def test_each_answer_by_hand_at_the_own_end(kind):
    r = torch.tensor(SAID)[:, None].repeat(1, 2, 1) - torch.tensor([0.5, -0.5])[:, None, None]
    r[:, 0, 2] = 99.0  # behind the end of the first
    found = answer(kind, 0.75, r, torch.tensor([2, 3]), decoder())
    expected = torch.tensor([AFTER_TWO[kind], AFTER_THREE[kind]])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(answer(kind, 0.75, r[:, 1:], None, decoder()), expected[1:])


@pytest.mark.parametrize("kind", [*ONE_SEQUENCE, "every-step"])
def test_step_by_step_it_is_the_answer_to_what_came_so_far(kind):
    model, x = network(kind), torch.randn(3, 9, 2, dtype=torch.float64)
    state = model.initial_state(3)
    with torch.no_grad():
        each = model.forward_sequence(x)
        for t in range(9):
            y, state = model.step(x[:, t], state)
            whole = model(x[:, : t + 1])
            torch.testing.assert_close(y, whole[:, -1] if kind == "every-step" else whole)
            torch.testing.assert_close(each[:, t], y)


@pytest.mark.parametrize("kind", ONE_SEQUENCE)
def test_what_is_behind_the_end_changes_no_answer_and_gets_no_gradient(kind):
    model, lengths = network(kind), torch.tensor([9, 4])
    x = torch.randn(2, 9, 2, dtype=torch.float64, requires_grad=True)
    logits = model(x, lengths)
    torch.testing.assert_close(logits[1], model(x[1:, :4])[0])
    logits.square().sum().backward()
    behind, own = x.grad[1, 4:].abs().max(), x.grad[1, :4].abs().max()
    assert behind < 1e-15 < 1e-6 < own  # by FFT, so not exactly 0


def test_the_old_name_of_every_step_is_understood():
    assert BinaryS4DConfig(readout="sequence") == BinaryS4DConfig(readout="every-step")


def test_another_readout_or_leak_is_refused():
    with pytest.raises(InputError, match=r"readout: expected one of .*did you mean 'last'"):
        BinaryS4DConfig(readout="lst")
    with pytest.raises(InputError, match=r"readout_leak: expected less than 1, got 1\.0"):
        BinaryS4DConfig(readout="leaky", readout_leak=1.0)
