"""Spikes that arrive some steps later: by hand, their gradient, steps, refusals."""

from __future__ import annotations

import pytest
import torch

from neurossm import nodes
from neurossm.errors import InputError
from neurossm_models import Network, SpikingSSMConfig
from neurossm_models.config import LONGEST_DELAY
from neurossm_models.delay import Delay

SPIKES = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [1, 3, 5, 7]]).double()[:, None]  # (3, 1, 4)


def test_features_take_the_delays_in_turn():
    arrives = Delay(3, (1, 2))(SPIKES)
    assert arrives[:, 0].tolist() == [[0, 1, 2, 3], [0, 0, 5, 6], [0, 1, 3, 5]]
    assert Delay(3, (4,))(SPIKES).count_nonzero() == Delay(3, (63,))(SPIKES).count_nonzero() == 0
    assert Delay(3)(SPIKES) is SPIKES


def test_the_gradient_goes_back_by_as_many_steps():
    s = SPIKES.clone().requires_grad_()
    weight = torch.tensor([[1, 10, 100, 1000]]).double()
    (Delay(3, (1, 2))(s) * weight).sum().backward()
    assert s.grad[:, 0].tolist() == [[10, 100, 1000, 0], [100, 1000, 0, 0], [10, 100, 1000, 0]]


def test_one_step_at_a_time_gives_the_same():
    delay = Delay(3, (1, 2))
    state, arrived = delay.initial_state(1, SPIKES), []
    for s in SPIKES.unbind(-1):
        now, state = delay.step(s.T, state)
        arrived.append(now.T)
    assert torch.equal(torch.stack(arrived, -1), delay(SPIKES))


def test_native_and_plain_forms_learn_alike():
    torch.manual_seed(0)
    config = SpikingSSMConfig(width=6, state=4, layers=2, threshold=0.3, delays=(1, 4, 2))
    model = Network(config).eval()
    x, found = torch.rand(3, 25, 1), []
    for forms in ({}, {"ssm": "loop", "neuron": "loop"}):
        model.zero_grad()
        model.use(**forms)(x).square().sum().backward()
        found.append(model.blocks[0].ssm.c.grad.clone())
    assert found[0].abs().max() > 0
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-5)


def test_the_longest_is_that_of_the_graph():
    assert nodes.Delay.longest == LONGEST_DELAY


@pytest.mark.parametrize("steps", [(0,), (64,), (1.5,), (True,), (1, 1, 1, 1)])
def test_other_delays_are_refused(steps):
    with pytest.raises(InputError, match="Delay steps"):
        Delay(3, steps)


@pytest.mark.parametrize("steps", [(0,), (64,), (1.5,), ("1",), 3])
def test_a_configuration_refuses_them_by_name(steps):
    with pytest.raises(InputError, match="model delays"):
        SpikingSSMConfig(delays=steps)
