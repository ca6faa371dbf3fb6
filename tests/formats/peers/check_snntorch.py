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


def own(weight, bias=0.0):
    """A linear layer of recurrent weights."""
    layer = nn.Linear(CHANNELS, CHANNELS)
    torch.manual_seed(11)
    with torch.no_grad():
        layer.weight.normal_(0, weight)
        layer.bias.fill_(bias)
    return layer


def recurrent(kind, *decays, back=None, **settings):
    module = kind(*decays, linear_features=CHANNELS, **settings)
    module.recurrent = back or own(0.2)
    return module


def one_to_one(kind, *decays, **settings):
    return kind(*decays, all_to_all=False, **settings)


RECURRENT = {
    "RLeaky": lambda: recurrent(snn.RLeaky, 0.9),
    "RLeaky, a value a channel, biases": lambda: recurrent(
        snn.RLeaky, BETAS, threshold=THRESHOLDS, back=own(0.3, 0.1)
    ),
    "RLeaky none": lambda: recurrent(snn.RLeaky, 0.5, threshold=1.5, reset_mechanism="none"),
    "RLeaky zero at once": lambda: recurrent(
        snn.RLeaky, BETAS, reset_mechanism="zero", reset_delay=False
    ),
    "RLeaky one to one": lambda: one_to_one(snn.RLeaky, 0.8, V=-0.7),
    "RLeaky one to one, a value a channel": lambda: one_to_one(
        snn.RLeaky, 0.8, V=torch.linspace(-1, 1, CHANNELS)
    ),
    "RSynaptic": lambda: recurrent(snn.RSynaptic, 0.6, 0.8, threshold=2.0),
    "RSynaptic none, a value a channel": lambda: recurrent(
        snn.RSynaptic, 0.3, BETAS, threshold=4.0, reset_mechanism="none"
    ),
    "RSynaptic one to one": lambda: one_to_one(snn.RSynaptic, BETAS, 0.7, V=0.4, threshold=3.0),
}


def drive_recurrent(module, x):
    """Explicit states, of which the spikes are one."""
    spikes, membranes, states = [], [], ()
    for t in range(x.shape[1]):
        states = module(x[:, t], *states)
        spikes.append(states[0])
        membranes.append(states[-1])
    return torch.stack(spikes, 1), torch.stack(membranes, 1)


# its spikes are of float32, so recurrent weights of float64 do not run
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(n, d) for n in RECURRENT for d in DTYPES if d == torch.float32 or "one to one" in n],
)
def test_neurons_driven_by_their_own_spikes(name, dtype):
    found = compare(RECURRENT[name](), drive_recurrent, dtype=dtype, settings=name)
    if dtype == torch.float32:
        check_integers(found, most=0.1, means=True)


def test_without_what_comes_back_they_would_spike_otherwise():
    for name in RECURRENT:
        module, x = RECURRENT[name](), torch.tensor(currents(7, 0.3, 0.7) / 1024.0).float()
        with torch.no_grad():
            with_it, _ = drive_recurrent(module, x)
            for tensor in (*module.recurrent.parameters(), getattr(module.recurrent, "V", None)):
                _ = tensor is not None and tensor.zero_()
            utils.reset(module)
            without, _ = drive_recurrent(module, x)
        assert (with_it != without).float().mean() > 0.02, name


@pytest.mark.parametrize("name", ["RLeaky", "RSynaptic"])
def test_hidden_states_that_feed_back(name):
    module = RECURRENT[name]()
    module.init_hidden = True
    compare(module, drive_hidden, dtype=torch.float32, settings=f"{name}, init_hidden")


def test_graded_spikes_feed_back_as_they_are():
    module = recurrent(snn.RLeaky, 0.9)
    module.graded_spikes_factor = torch.linspace(0.5, 2, CHANNELS)
    compare(module, lambda m, x: (drive_recurrent(m, x)[0], None), dtype=torch.float32,
            settings="RLeaky, graded")  # fmt: skip


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
    "RLeaky) reset_mechanism": lambda: one_to_one(snn.RLeaky, 0.9, reset_mechanism="zero"),
    "RLeaky with reset_delay=False": lambda: one_to_one(
        snn.RSynaptic, 0.9, 0.9, reset_mechanism="zero"
    ),
    "got Conv2d": lambda: snn.RLeaky(0.9, conv2d_channels=CHANNELS, kernel_size=3),
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
