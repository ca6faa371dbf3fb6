"""SpikingJelly's own modules in both step modes, beside the nodes of their converters."""

import numpy as np
import pytest
import torch
from foreign_bench import (
    CHANNELS,
    at_threshold,
    check_integers,
    compare,
    each_step,
    graph_of,
    refusal,
)
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

DTYPES = [torch.float32, torch.float64]


def drive(module, x):
    """Single steps with the membrane behind each, or all of (T, S, C) at once."""
    functional.reset_net(module)
    if module.step_mode == "m":
        out = module(x.transpose(0, 1))
        return out.transpose(0, 1), None
    outs, membranes = [], []
    for t in range(x.shape[1]):
        outs.append(module(x[:, t]))
        membranes.append(module.v)
    return torch.stack(outs, 1), torch.stack(membranes, 1)


CASES = {
    "LIFNode": lambda m: neuron.LIFNode(step_mode=m, v_threshold=0.5),
    "LIFNode tau 5, input as it is": lambda m: neuron.LIFNode(
        tau=5.0, decay_input=False, step_mode=m
    ),
    "LIFNode soft": lambda m: neuron.LIFNode(v_reset=None, v_threshold=0.4, step_mode=m),
    "LIFNode soft, input as it is, detached": lambda m: neuron.LIFNode(
        tau=3.0, v_reset=None, decay_input=False, detach_reset=True, step_mode=m
    ),
    "LIFNode reset to -0.5": lambda m: neuron.LIFNode(
        tau=1.5, v_reset=-0.5, v_threshold=0.25, step_mode=m
    ),
    "LIFNode, arctangent": lambda m: neuron.LIFNode(
        tau=20.0, v_threshold=0.2, surrogate_function=surrogate.ATan(), step_mode=m
    ),
    "ParametricLIFNode": lambda m: neuron.ParametricLIFNode(
        init_tau=2.7, v_threshold=0.5, step_mode=m
    ),
    "ParametricLIFNode soft": lambda m: neuron.ParametricLIFNode(
        init_tau=1.7, v_reset=None, decay_input=False, step_mode=m
    ),
    "IFNode": lambda m: neuron.IFNode(v_threshold=2.5, step_mode=m),
    "IFNode soft": lambda m: neuron.IFNode(v_threshold=1.5, v_reset=None, step_mode=m),
    "IFNode reset to 0.25": lambda m: neuron.IFNode(v_reset=0.25, step_mode=m),
    "SimpleLIFNode": lambda m: neuron.SimpleLIFNode(
        tau=2.0, decay_input=True, v_threshold=0.5, step_mode=m
    ),
    "SimpleIFNode soft": lambda m: neuron.SimpleIFNode(v_reset=None, step_mode=m),
}


def unit_of(module):
    """How much an input of 1 adds, and where the membrane starts."""
    if isinstance(module, neuron.ParametricLIFNode):
        share = float(module.w.detach().sigmoid())
    else:
        share = 1 / getattr(module, "tau", 1.0)
    return share if getattr(module, "decay_input", False) else 1.0, module.v_reset or 0.0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("name", CASES)
def test_spikes_and_membranes(name, mode, dtype):
    module = CASES[name](mode)
    gain, start = unit_of(module)
    found = compare(module, drive, dtype=dtype, settings=f"{name} ({mode})", gain=gain,
                    start=start)  # fmt: skip
    if dtype == torch.float32 and mode == "s":
        check_integers(found)


@pytest.mark.parametrize("v_reset", [0.0, None, 0.25])
def test_a_neuron_with_a_current(v_reset):
    module = neuron.CUBALIFNode(c_decay=0.6, v_decay=0.7, v_threshold=1.5, v_reset=v_reset)
    found = compare(module, drive, dtype=torch.float64, settings=f"CUBALIFNode v_reset {v_reset}",
                    start=v_reset or 0.0)  # fmt: skip
    check_integers(found)


def test_a_membrane_that_is_read():
    def all_steps(module, x):
        return torch.stack(module(x.transpose(0, 1))).transpose(0, 1), None

    found = compare(neuron.NonSpikingLIFNode(tau=4.0), all_steps, dtype=torch.float64,
                    settings="NonSpikingLIFNode")  # fmt: skip
    check_integers(found)


def recurrent(mode, outs=CHANNELS):
    torch.manual_seed(7)
    inner = neuron.LIFNode(v_threshold=0.5)
    if outs != CHANNELS:
        inner = nn.Sequential(nn.Linear(CHANNELS, outs), inner)
    module = layer.LinearRecurrentContainer(inner, CHANNELS, outs, step_mode=mode)
    with torch.no_grad():
        module.rc.weight *= 3
        module.rc.bias += 0.1
    return module


RECURRENT = {
    "LinearRecurrentContainer": recurrent,
    "LinearRecurrentContainer of several": lambda m: recurrent(m, 30),
    "ElementWiseRecurrentContainer": lambda m: layer.ElementWiseRecurrentContainer(
        neuron.IFNode(v_reset=None, v_threshold=1.5), lambda y, x: x + y, step_mode=m
    ),
    "ElementWiseRecurrentContainer, factors": lambda m: layer.ElementWiseRecurrentContainer(
        neuron.LIFNode(v_threshold=0.25),
        lambda y, x: 0.75 * x - torch.linspace(-1, 1, CHANNELS).to(y) * y, step_mode=m,
    ),
}  # fmt: skip


def drive_container(module, x):
    functional.reset_net(module)
    if module.step_mode == "m":
        return module(x.transpose(0, 1)).transpose(0, 1), None
    return each_step(module, x, state=False), None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("name", RECURRENT)
def test_containers_that_feed_back(name, mode, dtype):
    found = compare(RECURRENT[name](mode), drive_container, dtype=dtype,
                    settings=f"{name} ({mode})")  # fmt: skip
    if dtype == torch.float32 and mode == "s":
        check_integers(found, most=0.1, means=True)


@pytest.mark.parametrize("steps", [0, 1, 5, 63])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_delays(mode, steps):
    compare(layer.Delay(steps, step_mode=mode), drive_container, dtype=torch.float64,
            settings=f"Delay {steps} ({mode})")  # fmt: skip


def single_steps():
    torch.manual_seed(4)
    return nn.Sequential(
        layer.Linear(CHANNELS, 40), layer.BatchNorm1d(40), neuron.LIFNode(v_threshold=0.6),
        layer.Dropout(0.2), layer.Linear(40, 30, bias=False),
        neuron.ParametricLIFNode(init_tau=3.0, v_reset=None, v_threshold=0.5, decay_input=False),
        layer.Linear(30, 20), neuron.IFNode(), layer.VotingLayer(4),
    )  # fmt: skip


def all_at_once():
    torch.manual_seed(5)
    return nn.Sequential(
        layer.SeqToANNContainer(nn.Linear(CHANNELS, 40), nn.BatchNorm1d(40)),
        neuron.LIFNode(v_threshold=0.5, step_mode="m"),
        layer.Linear(40, 20, step_mode="m"),
        neuron.LIFNode(tau=5.0, decay_input=False, v_threshold=0.7, step_mode="m"),
    )


def prepare(net):
    """Give the norms statistics, and the synapses weights that make spikes."""
    torch.manual_seed(6)
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.running_mean.normal_(0, 0.2)
                part.running_var.uniform_(0.5, 2)
                part.weight.uniform_(0.5, 1.5)
                part.bias.normal_(0.3, 0.3)
            elif isinstance(part, nn.Linear):
                part.weight *= 3
    return net.eval()


def drive_network(net, x):
    functional.reset_net(net)
    if isinstance(net[0], layer.SeqToANNContainer):
        return net(x.transpose(0, 1)).transpose(0, 1), None
    return each_step(net, x, state=False), None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("make", [single_steps, all_at_once])
def test_a_whole_network(make, dtype):
    found = compare(prepare(make()), drive_network, dtype=dtype, settings=make.__name__)
    assert np.mean(found.float_trace["m.5" if make is single_steps else "m.1"]) > 0.02
    check_integers(found, most=0.1, means=True)


@pytest.mark.parametrize("v_reset", [0.0, None])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_membrane_at_its_threshold_spikes(v_reset, mode):
    settings = {"v_reset": v_reset, "step_mode": mode}
    assert at_threshold(neuron.LIFNode(v_threshold=0.5, **settings), drive, 1.0) == 1
    assert at_threshold(neuron.LIFNode(v_threshold=0.5, **settings), drive, 0.875) == 0
    assert at_threshold(neuron.IFNode(**settings), drive, 1.0) == 1
    assert at_threshold(neuron.ParametricLIFNode(v_threshold=0.5, **settings), drive, 1.0) == 1


REFUSED = {
    "surrogate_function": lambda: neuron.LIFNode(
        surrogate_function=surrogate.Sigmoid(spiking=False)
    ),
    "threshold": lambda: neuron.LIFNode(v_threshold=0.0),
    "decode": lambda: neuron.NonSpikingLIFNode(decode="max-mem"),
    "train with LIFNode": lambda: neuron.KLIFNode(),
    "sum its inputs": lambda: neuron.NonSpikingIFNode(),
    "eval()": lambda: layer.Dropout(0.1),
    "a divisor of 24": lambda: layer.VotingLayer(7),
    "a sum of both": lambda: layer.ElementWiseRecurrentContainer(
        neuron.IFNode(), lambda y, x: y * x
    ),
    "sub_module": lambda: layer.LinearRecurrentContainer(neuron.KLIFNode(), CHANNELS, CHANNELS),
    "in_features: expected 24": lambda: layer.LinearRecurrentContainer(neuron.IFNode(), 7, 7),
    "at most 63, got 64": lambda: layer.Delay(64),
}


@pytest.mark.parametrize("part", REFUSED)
def test_what_no_node_does_is_refused_with_a_remedy(part):
    assert part in refusal(REFUSED[part]())


def test_the_surrogates_of_the_library_are_steps():
    for function in (surrogate.Sigmoid(), surrogate.PiecewiseQuadratic(), surrogate.Erf()):
        graph_of(neuron.IFNode(surrogate_function=function), CHANNELS)
