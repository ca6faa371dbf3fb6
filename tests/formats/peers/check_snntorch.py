"""snnTorch's own modules, step by step, beside the nodes of their converters."""

import numpy as np
import pytest
import snntorch as snn
import torch
from foreign_bench import (
    CHANNELS,
    at_threshold,
    builder,
    check_integers,
    compare,
    currents,
    each_step,
    graph_of,
    refusal,
)
from snntorch import surrogate, utils
from torch import nn

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Input, Output
from neurossm_converters.formats.torch.foreign import foreign_membranes

DTYPES = [torch.float32, torch.float64]
BETAS = torch.linspace(0.3, 0.99, CHANNELS)
THRESHOLDS = torch.linspace(0.6, 1.9, CHANNELS)


def drive(module, x):
    """Explicit states: all outputs of a call but the spikes go into the next one."""
    spikes, membranes, states = [], [], ()
    for t in range(x.shape[1]):
        spike, *states = module(x[:, t], *states)
        spikes.append(spike)
        membranes.append(states[-1])
    return torch.stack(spikes, 1), torch.stack(membranes, 1)


def drive_hidden(module, x):
    """Hidden states, as in a network of `init_hidden=True`."""
    utils.reset(module)
    return each_step(module, x, state=False), None


CASES = {
    "Leaky subtract": lambda: snn.Leaky(beta=0.9),
    "Leaky subtract, a value a channel": lambda: snn.Leaky(
        beta=BETAS, threshold=THRESHOLDS, learn_beta=True, learn_threshold=True
    ),
    "Leaky zero": lambda: snn.Leaky(beta=BETAS, reset_mechanism="zero"),
    "Leaky none": lambda: snn.Leaky(beta=0.8, threshold=1.5, reset_mechanism="none"),
    "Leaky zero at once": lambda: snn.Leaky(beta=BETAS, reset_mechanism="zero", reset_delay=False),
    "Leaky none at once": lambda: snn.Leaky(
        beta=0.5, threshold=1.0, reset_mechanism="none", reset_delay=False
    ),
    "Leaky beta 1": lambda: snn.Leaky(beta=1.0, threshold=2.0),
    "Leaky beta above 1, clamped": lambda: snn.Leaky(beta=1.3, threshold=2.0),
    "Leaky without memory": lambda: snn.Leaky(beta=0.0),
    "Lapicque beta": lambda: snn.Lapicque(beta=0.7, threshold=0.5),
    "Lapicque R, C": lambda: snn.Lapicque(R=2.0, C=1.5, time_step=0.5, threshold=0.4),
    "Lapicque none": lambda: snn.Lapicque(
        beta=0.8, R=1.2, threshold=0.6, reset_mechanism="none"
    ),
    "Synaptic subtract": lambda: snn.Synaptic(alpha=0.6, beta=BETAS, threshold=THRESHOLDS),
    "Synaptic none": lambda: snn.Synaptic(
        alpha=BETAS, beta=0.5, threshold=4.0, reset_mechanism="none"
    ),
    "Synaptic zero at once": lambda: snn.Synaptic(
        alpha=0.8, beta=0.9, threshold=3.0, reset_mechanism="zero", reset_delay=False
    ),
}  # fmt: skip


def gain_of(module):
    """The unit of a membrane, from the parameters as they are."""
    if isinstance(module, snn.Lapicque):
        return float(module.time_step / module.C)
    return 1.0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_spikes_and_membranes_with_explicit_states(name, dtype):
    module = CASES[name]()
    found = compare(module, drive, dtype=dtype, settings=name, gain=gain_of(module))
    if dtype == torch.float32:
        check_integers(found)


@pytest.mark.parametrize("name", ["Leaky subtract", "Leaky zero", "Synaptic subtract"])
def test_hidden_states_are_the_same_neuron(name):
    module = CASES[name]()
    module.init_hidden = True
    compare(module, drive_hidden, dtype=torch.float64, settings=f"{name}, init_hidden")


def test_graded_spikes_are_scaled_behind_the_neuron():
    factor = torch.linspace(0.5, 2, CHANNELS)
    module = snn.Leaky(beta=0.9, graded_spikes_factor=factor)
    compare(module, lambda m, x: (drive(m, x)[0], None), dtype=torch.float64, settings="graded")


def test_alpha_without_reset_is_two_currents_and_a_comparison():
    module = snn.Alpha(alpha=BETAS, beta=0.25, threshold=0.5, reset_mechanism="none")
    found = compare(module, lambda m, x: (drive(m, x)[0], None), dtype=torch.float64,
                    settings="Alpha none")  # fmt: skip
    check_integers(found)


@pytest.mark.parametrize("output", [True, False])
def test_state_leaky_takes_all_steps_at_once(output):
    module = snn.StateLeaky(beta=0.8, channels=CHANNELS, output=output)

    def all_steps(m, x):
        out = m(x.transpose(0, 1))
        return (out[0] if output else out).transpose(0, 1), None

    compare(module, all_steps, dtype=torch.float64, settings=f"StateLeaky output={output}")


@pytest.mark.parametrize("name", ["Leaky none", "Lapicque none", "Synaptic none"])
def test_a_membrane_that_is_never_reset_can_be_read(name):
    module = CASES[name]().double()
    made = builder()
    source = made.add("input", Input(channels=CHANNELS, out=Fixed(16, 10)))
    made.convert("m", module, source)
    membrane = foreign_membranes()[type(module)](made, "m", module, source)
    made.add("spikes", Output(channels=CHANNELS), "m")
    made.add("membrane", Output(channels=CHANNELS), membrane)
    graph = Graph(made.nodes, tuple(made.edges))
    ints = currents(3, 0.3, 0.7)
    with torch.no_grad():
        spikes, expected = drive(module, torch.tensor(ints / 1024.0))
    values = run(graph, ints, "float", ("spikes", "membrane")).values
    np.testing.assert_array_equal(values["spikes"], spikes)
    np.testing.assert_allclose(values["membrane"], expected, rtol=0, atol=1e-9)


def test_a_whole_network_of_hidden_states():
    torch.manual_seed(3)
    net = nn.Sequential(
        nn.Linear(CHANNELS, 40), snn.Leaky(beta=0.9, init_hidden=True), nn.Dropout(0.1),
        nn.Linear(40, 30), snn.Synaptic(alpha=0.5, beta=0.8, init_hidden=True),
        nn.Linear(30, 20), snn.Leaky(beta=BETAS[:20], init_hidden=True, reset_mechanism="zero"),
    ).eval()  # fmt: skip
    with torch.no_grad():
        for layer in net[::2]:
            if isinstance(layer, nn.Linear):
                layer.weight *= 5
                layer.bias += 0.5
    # its spikes are always of float32, so a network of float64 does not run
    found = compare(net, drive_hidden, dtype=torch.float32, settings="Linear, Leaky, Synaptic, ...")
    check_integers(found, most=0.1, means=True)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_a_membrane_at_its_threshold_does_not_spike(reset):
    assert at_threshold(snn.Leaky(0.5, threshold=0.75, reset_mechanism=reset), drive, 0.75) == 0
    assert at_threshold(snn.Synaptic(0.5, 0.25, threshold=0.5, reset_mechanism=reset,
                                     reset_delay=reset != "zero"), drive, 0.5) == 0  # fmt: skip
    assert at_threshold(snn.Leaky(0.5, threshold=0.75, reset_mechanism=reset), drive, 0.875) == 1


def _changed():
    module = snn.Leaky(beta=0.9)
    module.reset_mechanism = "zero"  # its forward still subtracts
    return module


REFUSED = {
    "reset_delay": lambda: snn.Leaky(beta=0.9, reset_delay=False),
    "inhibition": lambda: snn.Leaky(beta=0.9, inhibition=True),
    "state_quant": lambda: snn.Leaky(beta=0.9, state_quant=lambda m: m),
    "spike_grad": lambda: snn.Leaky(beta=0.9, spike_grad=torch.sigmoid),
    "1 or 24 values": lambda: snn.Leaky(beta=torch.rand(3)),
    "loses an input": lambda: snn.Lapicque(beta=0.9, reset_mechanism="zero"),
    "reset_delay=False with it": lambda: snn.Synaptic(0.9, 0.8, reset_mechanism="zero"),
    "resets the currents": lambda: snn.Alpha(0.9, 0.8),
    "kept in a step": lambda: snn.Lapicque(beta=0.2),
    "threshold": lambda: snn.Leaky(beta=0.9, threshold=-0.1),
    "no cycles": lambda: snn.RLeaky(beta=0.9, all_to_all=False),
    "as it was built": _changed,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", REFUSED)
def test_what_no_node_does_is_refused_with_a_remedy(part):
    assert part in refusal(REFUSED[part]())


def test_the_surrogates_of_the_library_are_steps():
    for gradient in (
        surrogate.fast_sigmoid(),
        surrogate.atan(),
        surrogate.straight_through_estimator(),
    ):
        graph_of(snn.Leaky(beta=0.9, spike_grad=gradient), CHANNELS)
