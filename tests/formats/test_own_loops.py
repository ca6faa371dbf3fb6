"""Loops over time whose step uses what the step before computed, as a graph with a cycle."""

import numpy as np
import pytest
import torch
from own_networks import FEATURES, example
from torch import nn

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.nodes import LIF, Delay
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch import from_torch

WIDTH, STEPS = 6, 40


class Loop(nn.Module):
    """A forward as a function over all steps, and layers that make spikes."""

    def __init__(self, function, **parts):
        super().__init__()
        torch.manual_seed(3)
        self.function = function
        self.first, self.back = nn.Linear(FEATURES, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 2)
        for name, part in parts.items():
            setattr(self, name, part)
        with torch.no_grad():
            self.first.weight *= 2
            self.back.weight *= 2

    def forward(self, x, *states):
        return self.function(self, x, *states)


class Cell(nn.Module):
    def forward(self, x, u):
        u = 0.75 * u + x
        spikes = (u >= 1).to(x.dtype)
        return spikes, u * (1 - spikes)


def leaky(builder, path, module, source):
    ones = np.ones(builder.nodes[source].out_channels)
    node = LIF(theta=ones, tau=0.75 * ones, rho=0 * ones, kappa=0 * ones, reset="hard")
    return builder.add(path, node, source)


def zeros(x):
    return torch.zeros(len(x), WIDTH, dtype=x.dtype)


def by_cell(m, x):
    """The usual one: recurrent weights around a cell, spikes of all steps."""
    spikes, u, out = zeros(x), zeros(x), []
    for t in range(x.shape[1]):
        spikes, u = m.cell(m.first(x[:, t]) + m.back(spikes), u)
        out.append(spikes)
    return torch.stack(out, 1)


def sums(m, x):
    """What comes back is computed first, and the answer is a sum of all steps."""
    spikes, u, total = zeros(x), zeros(x), 0
    for now in m.first(x).unbind(1):
        back = m.back(spikes)
        spikes, u = m.cell(back + now, u)
        total = total + spikes
    return m.head(total / x.shape[1])


def by_hand(m, x):
    """A neuron written as operations, with a refractory variable."""
    spikes = u = trace = zeros(x)
    out = []
    for t in range(x.shape[1]):
        trace = 0.5 * trace + spikes
        u = 0.9 * u * (1 - spikes) + m.first(x[:, t]) - 0.25 * trace
        spikes = (u >= 1).to(x.dtype)
        out.append(spikes)
    return torch.stack(out, 1)


def two_before(m, x):
    """Steps of different age together, in one layer."""
    one = two = zeros(x)
    out = []
    for t in range(x.shape[1]):
        new = torch.tanh(m.both(torch.cat((m.first(x[:, t]), one, two), dim=-1)))
        one, two = new, one
        out.append(new)
    return torch.stack(out, 1)


def past_input(m, x):
    """No cycle: what comes back is of the data."""
    before, out = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        out.append(m.first(x[:, t]) - m.first(before))
        before = x[:, t]
    return torch.stack(out, 1)


LOOPS = {
    "a cell and recurrent weights": (by_cell, {"cell": Cell()}, ["cell.before"]),
    "sums of what comes back": (sums, {"cell": Cell()}, ["cell.before"]),
    "a neuron by hand": (by_hand, {}, None),
    "two steps before": (two_before, {"both": nn.Linear(3 * WIDTH, WIDTH)}, None),
    "data of the step before": (past_input, {}, None),
}


def data(graph, x):
    return np.rint(x.double().numpy() * 2.0 ** graph.nodes["input"].out.frac).astype(np.int64)


@pytest.mark.parametrize("name", LOOPS)
def test_what_a_step_computes_goes_into_the_next_one(name):
    function, parts, delays = LOOPS[name]
    net, x = Loop(function, **parts).eval(), example(4, STEPS, FEATURES)
    graph = from_torch(net, x, converters={Cell: leaky})
    found = [name for name, node in graph.nodes.items() if isinstance(node, Delay)]
    assert found == (delays or found) and found
    ints = data(graph, x)
    trace = run(graph, ints, "float", "all")
    with torch.no_grad():
        real = torch.from_numpy(ints * 2.0 ** -graph.nodes["input"].out.frac)
        expected = net.double()(real).numpy()
    got = trace.values["output"][:, -1] if expected.ndim == 2 else trace.values["output"]
    if name == "two steps before":  # eight segments of tanh
        np.testing.assert_allclose(got, expected, atol=0.1)
    else:
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    assert np.abs(expected).max() > 0
    integer = Quantize()(graph, calibrate(graph, trace))
    both = [run(integer, ints, engine, "all").values for engine in ("reference", "fast")]
    for node, values in both[0].items():
        np.testing.assert_array_equal(values, both[1][node])


def test_spikes_that_come_back_are_heard():
    net, x = Loop(by_cell, cell=Cell()).eval(), example(4, STEPS, FEATURES)
    with torch.no_grad():
        heard = net(x)
        net.back.weight.zero_()
        deaf = net(x)
    assert (heard != deaf).double().mean() > 0.02


def test_a_network_of_one_step_may_feed_back_too():
    def step(m, x, spikes, u):
        spikes, u = m.cell(m.first(x) + m.back(spikes), u)
        return m.head(spikes), spikes, u

    net, x = Loop(step, cell=Cell()).eval(), example(4, STEPS, FEATURES)
    graph = from_torch(net, x, converters={Cell: leaky}, step=True,
                       state=(torch.zeros(1, WIDTH), torch.zeros(1)))  # fmt: skip
    whole = Loop(lambda m, x: m.head(by_cell(m, x)), cell=Cell()).eval()
    expected = from_torch(whole, x, converters={Cell: leaky})
    assert len(graph.loops) == 1
    ints = data(graph, x)
    found, other = (run(g, ints, "float").values["output"] for g in (graph, expected))
    np.testing.assert_array_equal(found, other)


def once(change):
    """A loop that differs at one step."""

    def function(m, x):
        spikes, u, out = zeros(x), zeros(x), []
        for t in range(x.shape[1]):
            spikes, u = m.cell(m.first(x[:, t]) + change(m, spikes, t), u)
            out.append(spikes)
        return torch.stack(out, 1)

    return function


def starting(m, x):
    spikes, u, out = torch.ones(len(x), WIDTH), zeros(x), []
    for t in range(x.shape[1]):
        spikes, u = m.cell(m.first(x[:, t]) + m.back(spikes), u)
        out.append(spikes)
    return torch.stack(out, 1)


REFUSED = {
    r"operands of the same step.*\(y, state = cell": once(
        lambda m, s, t: m.back(s) if t % 2 else 0.5 * s
    ),
    "what its forward computes, .* at sample 0, step 0": starting,
    "an operation that a graph has, got sin": once(lambda m, s, t: torch.sin(m.back(s))),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_no_loop_of_the_same_calls_from_zero_is_refused(message):
    with pytest.raises(GraphError, match=message):
        from_torch(Loop(REFUSED[message], cell=Cell()).eval(), example(4, 12, FEATURES),
                   converters={Cell: leaky})  # fmt: skip


class Recurrent(nn.Module):
    """A module whose own loop is behind one call, with a function that is only approximated."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.back = nn.Linear(FEATURES, FEATURES)

    def forward(self, x):
        y, out = torch.zeros(len(x), FEATURES), []
        for t in range(x.shape[1]):
            y = torch.sigmoid(x[:, t] + self.back(y))
            out.append(y)
        return torch.stack(out, 1)


def fed_back(builder, path, module, source):
    from neurossm.nodes import Affine, Sum
    from neurossm.piecewise import piecewise

    before = builder.add(f"{path}.before", Delay(channels=FEATURES, steps=1))
    weight, bias = (p.detach().double().numpy() for p in module.back.parameters())
    back = builder.add(f"{path}.back", Affine(weight=weight, bias=bias), before)
    drive = builder.add(f"{path}.drive", Sum(channels=FEATURES), source, back)
    return builder.connect(builder.add(path, piecewise("sigmoid", FEATURES), drive), before)


def test_the_proof_of_a_loop_takes_functions_for_the_segments_that_stand_for_them():
    net = nn.Sequential(Recurrent(), nn.Linear(FEATURES, 2)).eval()
    graph = from_torch(net, example(4, 12, FEATURES), converters={Recurrent: fed_back})
    assert len(graph.loops) == 1

    def wrong(builder, path, module, source):
        name = fed_back(builder, path, module, source)
        node = builder.nodes[f"{path}.back"]
        builder.nodes[f"{path}.back"] = type(node)(weight=1.001 * node.weight, bias=node.bias)
        return name

    with pytest.raises(GraphError, match=r"module '0' \(Recurrent\).*what its forward computes"):
        from_torch(net, example(4, 12, FEATURES), converters={Recurrent: wrong})
