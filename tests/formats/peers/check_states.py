"""States of modules that ran before are put back to where they begin."""

import pytest
import sinabs.layers as sl
import snntorch as snn
import torch
from sinabs.activation import SingleSpike
from spikingjelly.activation_based import neuron
from torch import nn

from neurossm_converters.formats.torch.foreign import reset_states

MODULES = {
    "Leaky": lambda: snn.Leaky(beta=0.9, init_hidden=True),
    "Synaptic": lambda: snn.Synaptic(0.5, 0.9, init_hidden=True),
    "Alpha": lambda: snn.Alpha(0.9, 0.5, init_hidden=True),
    "LIFNode": lambda: neuron.LIFNode(v_reset=-0.5, v_threshold=0.3),
    "CUBALIFNode": lambda: neuron.CUBALIFNode(),
    "sinabs LIF": lambda: sl.LIF(tau_mem=5.0, tau_syn=3.0, spike_fn=SingleSpike),
    "sinabs ALIF": lambda: sl.ALIF(tau_mem=5.0, tau_adapt=3.0),
}


@pytest.mark.parametrize("name", MODULES)
def test_the_second_run_is_the_first(name):
    net = nn.Sequential(nn.Linear(6, 8), MODULES[name]())
    torch.manual_seed(0)
    x = torch.rand(2, 30, 6) * 4

    def answer():
        if name.startswith("sinabs"):
            return net(x)
        return torch.stack([net(x[:, t]) for t in range(30)], 1)

    first = answer()
    second = answer()
    assert not torch.equal(first, second)  # it went on from where it was
    reset_states(net)
    assert torch.equal(answer(), first)
    assert first.sum() > 0
