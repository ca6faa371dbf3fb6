"""sinabs' own layers beside the nodes of their converters."""

import numpy as np
import pytest
import sinabs
import torch
from foreign_bench import (
    CHANNELS,
    SAMPLES,
    at_threshold,
    check_integers,
    compare,
    graph_of,
    refusal,
)
from sinabs import layers
from sinabs.activation import MaxSpike, MembraneReset, MembraneSubtract, SingleSpike
from torch import nn

from neurossm.engine import run

DTYPES = [torch.float32, torch.float64]
TAUS = torch.linspace(1.5, 60.0, CHANNELS)
ONE = {"spike_fn": SingleSpike}


def drive(module, x):
    """Step by step from states of zero, with the membrane behind each.

    Not by `record_states`: what `ALIF` records there is changed by its next step.
    """
    module.reset_states()  # sinabs.reset_states is for what holds layers
    if isinstance(module, layers.ALIF) and module.alpha_syn_calculated is not None:
        return module(x), None  # it forgets its current between two calls
    outs, membranes = [], []
    for t in range(x.shape[1]):
        outs.append(module(x[:, t : t + 1]))
        membranes.append(module.v_mem)
    return torch.cat(outs, 1), torch.stack(membranes, 1)


CASES = {
    "LIF": lambda: layers.LIF(tau_mem=10.0, spike_threshold=torch.tensor(0.4), **ONE),
    "LIF, a value a channel": lambda: layers.LIF(
        tau_mem=TAUS, spike_threshold=torch.linspace(0.2, 0.6, CHANNELS), **ONE
    ),
    "LIF input as it is": lambda: layers.LIF(tau_mem=TAUS, norm_input=False, **ONE),
    "LIF reset to zero": lambda: layers.LIF(
        tau_mem=5.0, norm_input=False, reset_fn=MembraneReset(), **ONE
    ),
    "LIF subtract 0.25": lambda: layers.LIF(
        tau_mem=TAUS, norm_input=False, reset_fn=MembraneSubtract(0.25), **ONE
    ),
    "LIF subtract more than the threshold": lambda: layers.LIF(
        tau_mem=6.0, norm_input=False, reset_fn=MembraneSubtract(1.5), **ONE
    ),
    "LIF with a current": lambda: layers.LIF(
        tau_mem=8.0, tau_syn=TAUS, spike_threshold=torch.tensor(0.5), **ONE
    ),
    "LIF with a current, not normed, alphas": lambda: layers.LIF(
        tau_mem=8.0, tau_syn=3.0, norm_input=False, train_alphas=True,
        spike_threshold=torch.tensor(2.0), **ONE
    ),
    "IAF": lambda: layers.IAF(spike_threshold=torch.tensor(2.0), **ONE),
    "IAF reset to zero": lambda: layers.IAF(reset_fn=MembraneReset(), **ONE),
    "IAF with a current": lambda: layers.IAF(tau_syn=4.0, spike_threshold=torch.tensor(3.0), **ONE),
    "ALIF": lambda: layers.ALIF(
        tau_mem=10.0, tau_adapt=20.0, norm_input=False, reset_fn=MembraneReset()
    ),
    "ALIF normed": lambda: layers.ALIF(
        tau_mem=torch.tensor(TAUS), tau_adapt=5.0, adapt_scale=0.7,
        spike_threshold=torch.tensor(0.2), reset_fn=MembraneReset(),
    ),
    "ALIF with a current, normed": lambda: layers.ALIF(
        tau_mem=2.0, tau_syn=6.0, tau_adapt=10.0, spike_threshold=torch.tensor(0.1),
        adapt_scale=0.5, reset_fn=MembraneReset(),
    ),
    "ALIF with a current": lambda: layers.ALIF(
        tau_mem=4.0, tau_syn=6.0, tau_adapt=10.0, norm_input=False,
        spike_threshold=torch.tensor(2.0), reset_fn=MembraneReset(),
    ),
}  # fmt: skip


def gain_of(module):
    """How much an input of 1 adds to the membrane of the node."""
    scaled = module.norm_input and not (type(module) is layers.ALIF and module.alpha_syn_calculated
                                        is not None)  # fmt: skip
    return (1 - module.alpha_mem_calculated).detach().double().numpy() if scaled else 1.0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_spikes_and_membranes(name, dtype):
    module = CASES[name]().to(dtype)
    found = compare(module, drive, dtype=dtype, settings=name, gain=gain_of(module))
    if dtype == torch.float32:
        # a gain rounded to 8 bits moves spikes of a membrane that forgets nothing, not their number
        check_integers(found, means="current" in name)


# its spikes are of float32, so recurrent weights of float64 do not run
def connections(bias, scale=0.2):
    torch.manual_seed(9)
    layer = nn.Linear(CHANNELS, CHANNELS, bias=bias)
    with torch.no_grad():
        layer.weight.normal_(0, scale)
        if bias:
            layer.bias.fill_(0.25)
    return layer


RECURRENT = {
    "LIFRecurrent": lambda bias: layers.LIFRecurrent(
        tau_mem=TAUS, rec_connect=connections(bias, 0.6),
        spike_threshold=torch.linspace(0.2, 0.6, CHANNELS), **ONE
    ),
    "LIFRecurrent with a current, reset to zero": lambda bias: layers.LIFRecurrent(
        tau_mem=8.0, tau_syn=3.0, rec_connect=connections(bias), norm_input=False,
        spike_threshold=torch.tensor(2.0), reset_fn=MembraneReset(), **ONE
    ),
    "LIFRecurrent, several modules": lambda bias: layers.LIFRecurrent(
        tau_mem=8.0, norm_input=False,
        rec_connect=nn.Sequential(connections(bias), nn.ReLU(), connections(bias)), **ONE
    ),
    "IAFRecurrent": lambda bias: layers.IAFRecurrent(
        rec_connect=connections(bias), spike_threshold=torch.tensor(2.0), **ONE
    ),
}  # fmt: skip


def all_at_once(module, x):
    """All steps in one call: between two calls it forgets what was on its way back."""
    module.reset_states()
    return module(x), None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_neurons_driven_by_their_own_spikes(name, bias):
    module = RECURRENT[name](bias)
    found = compare(module, all_at_once, dtype=torch.float32, settings=f"{name}, bias {bias}")
    check_integers(found, most=0.1, means=True)


def test_nothing_comes_back_at_the_first_step_nor_a_bias():
    inner = nn.Linear(CHANNELS, CHANNELS)
    with torch.no_grad():
        inner.weight.zero_()
        inner.bias.fill_(0.25)
    module = layers.IAFRecurrent(rec_connect=inner, **ONE)
    found = run(graph_of(module, CHANNELS), np.zeros((1, 6, CHANNELS), np.int64), "float")
    # a quarter from the second step on: 1 at the fifth
    assert found.values["output"][0, :, 0].tolist() == [0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("norm", [True, False])
def test_a_membrane_that_is_read(norm):
    module = layers.ExpLeak(tau_mem=TAUS, norm_input=norm)
    found = compare(module, lambda m, x: (m(x), None), dtype=torch.float64,
                    settings=f"ExpLeak norm_input={norm}")  # fmt: skip
    check_integers(found)


def network():
    torch.manual_seed(8)
    net = nn.Sequential(
        nn.Linear(CHANNELS, 40),
        layers.IAFSqueeze(batch_size=SAMPLES, spike_threshold=torch.tensor(2.0), **ONE),
        nn.Linear(40, 30),
        layers.LIFSqueeze(tau_mem=10.0, batch_size=SAMPLES, norm_input=False, **ONE),
        nn.Linear(30, 10),
        layers.ExpLeakSqueeze(tau_mem=20.0, batch_size=SAMPLES),
    )
    with torch.no_grad():
        net[0].weight *= 3
        net[2].weight *= 3
    return net.eval()


def squeezed(net, x):
    sinabs.reset_states(net)
    return net(x.flatten(0, 1)).unflatten(0, x.shape[:2]), None


def test_a_whole_network_that_squeezes_batch_and_time():
    found = compare(network(), squeezed, dtype=torch.float32, settings="Linear, IAFSqueeze, ...")
    assert 0.02 < found.float_trace["m.3"].mean() < 0.98
    check_integers(found, most=0.1, means=True)


def test_repeat_and_network_hold_one_module():
    net = sinabs.network.Network(
        spiking_model=nn.Sequential(layers.Repeat(nn.Linear(CHANNELS, 12)), layers.LIF(9.0, **ONE))
    )
    with torch.no_grad():
        net.spiking_model[0].module.weight *= 5

    def all_steps(module, x):
        sinabs.reset_states(module)
        return module(x), None

    compare(net, all_steps, dtype=torch.float32, settings="Network of Repeat(Linear), LIF")


@pytest.mark.parametrize("reset", [MembraneReset(), MembraneSubtract(), MembraneSubtract(0.5)])
def test_a_membrane_at_its_threshold_spikes(reset):
    lif = layers.LIF(tau_mem=7.0, norm_input=False, reset_fn=reset, **ONE)
    assert at_threshold(lif, drive, 1.0) == 1
    assert at_threshold(lif, drive, 0.875) == 0
    adaptive = layers.ALIF(tau_mem=7.0, tau_adapt=3.0, norm_input=False, reset_fn=MembraneReset())
    assert at_threshold(adaptive, drive, 1.0) == 1


REFUSED = {
    "MultiSpike": lambda: layers.LIF(tau_mem=10.0),
    "MaxSpike": lambda: layers.IAF(spike_fn=MaxSpike(3)),
    "min_v_mem": lambda: layers.LIF(tau_mem=10.0, min_v_mem=-1.0, **ONE),
    "a reset_value of 0": lambda: layers.LIF(tau_mem=10.0, reset_fn=MembraneReset(0.5), **ONE),
    "MembraneSubtract() or": lambda: layers.LIF(tau_mem=10.0, reset_fn=lambda *a: a[1], **ONE),
    "a threshold that adapts": lambda: layers.ALIF(tau_mem=10.0, tau_adapt=5.0),
    "train with LIFRecurrent": lambda: layers.ALIFRecurrent(
        tau_mem=10.0, tau_adapt=5.0, rec_connect=nn.Linear(CHANNELS, CHANNELS)
    ),
    "LIFRecurrent) spike_fn": lambda: layers.LIFRecurrent(
        tau_mem=10.0, rec_connect=nn.Linear(CHANNELS, CHANNELS)
    ),
    "module 'm.rec_connect'": lambda: layers.LIFRecurrent(
        tau_mem=10.0, rec_connect=nn.Softplus(), **ONE
    ),
    "24 channels, as arrive, got 7": lambda: layers.IAFRecurrent(
        rec_connect=nn.Linear(CHANNELS, 7, bias=False), **ONE
    ),
    "that leak": lambda: layers.IAF(reset_fn=MembraneSubtract(0.5), **ONE),
    "1 or 24 values": lambda: layers.LIF(tau_mem=torch.ones(3), **ONE),
}


@pytest.mark.parametrize("part", REFUSED)
def test_what_no_node_does_is_refused_with_a_remedy(part):
    assert part in refusal(REFUSED[part]())
