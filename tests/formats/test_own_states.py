"""What forward returns beside its results, computes for nothing, or sets in its modules."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from neurossm.engine import run
from neurossm.errors import GraphError, NeurossmWarning
from neurossm.nodes import LIF, Affine
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch import from_torch

FEATURES, WIDTH, STEPS = 3, 5, 12


class Cell(nn.Module):
    """A leaky neuron with a hard reset, a step at a time."""

    def forward(self, x, u):
        u = 0.75 * u + x
        spikes = (u >= 1).to(x.dtype)
        return spikes, u * (1 - spikes)


def leaky(builder, path, module, source):
    ones = np.ones(builder.nodes[source].out_channels)
    node = LIF(theta=ones, tau=0.75 * ones, rho=0 * ones, kappa=0 * ones, reset="hard")
    return builder.add(path, node, source)


class Net(nn.Module):
    """Steps in a loop; `returned` makes what forward returns of spikes and membranes."""

    def __init__(self, returned):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.cell, self.returned = nn.Linear(FEATURES, WIDTH), Cell(), returned

    def forward(self, x):
        u, spikes, membranes = torch.zeros(len(x), WIDTH), [], []
        for x_t in self.first(2 * x).unbind(1):
            s, u = self.cell(x_t, u)
            spikes.append(s)
            membranes.append(u)
        return self.returned(torch.stack(spikes, 1), torch.stack(membranes, 1), u)


def example():
    return torch.randn(4, STEPS, FEATURES, generator=torch.Generator().manual_seed(1))


def exported(returned):
    return from_torch(Net(returned).eval(), example(), converters={Cell: leaky})


RETURNED = {
    "the last state": lambda s, m, u: (s, u),
    "states of all steps": lambda s, m, u: (s, m),
    "states, permuted and cut": lambda s, m, u: (s, (m.transpose(0, 1)[0], [u])),
    "by name": lambda s, m, u: {"output": s, "membrane": m},
}


@pytest.mark.parametrize("name", RETURNED)
def test_states_beside_results_are_left_out_and_that_is_said(name):
    with pytest.warns(NeurossmWarning, match="those of 'cell' are left out"):
        graph = exported(RETURNED[name])
    assert graph.outputs == ("output",)
    alone = exported(lambda s, m, u: s)
    assert list(graph.nodes) == list(alone.nodes)
    integers = np.random.default_rng(0).integers(-900, 900, (2, STEPS, FEATURES))
    found, expected = (run(g, integers, "float").values["output"] for g in (graph, alone))
    np.testing.assert_array_equal(found, expected)
    assert 0.05 < expected.mean() < 0.95


def test_what_is_computed_for_nothing_is_not_refused_nor_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error", NeurossmWarning)
        graph = exported(lambda s, m, u: (torch.sin(s), m.mean(1), s.mean(1))[2])
    assert graph.meta["readout"] == "mean"


@pytest.mark.parametrize(
    "returned",
    [lambda s, m, u: (s, m.mean(1)), lambda s, m, u: s + m, lambda s, m, u: (m, u)],
    ids=["their mean", "a sum with them", "states alone"],
)
def test_a_result_that_is_made_of_states_is_refused(returned):
    with pytest.raises(GraphError, match=r"state of module 'cell' \(Cell\).*return the outputs"):
        exported(returned)


class Shared(nn.Module):
    """A cell that takes a part of its input."""

    def forward(self, x, u):
        u = 0.75 * u + 0.25 * x
        spikes = (u >= 0.25).to(x.dtype)
        return spikes, u * (1 - spikes)


def shared(builder, path, module, source):
    ones = np.ones(builder.nodes[source].out_channels)
    weights = Affine(weight=0.25 * np.eye(len(ones)), bias=0 * ones)
    part = builder.add(f"{path}.part", weights, source)
    node = LIF(theta=0.25 * ones, tau=0.75 * ones, rho=0 * ones, kappa=0 * ones, reset="hard")
    return builder.add(path, node, part)


class Normed(Net):
    def __init__(self, returned):
        super().__init__(returned)
        self.norm, self.cell = nn.BatchNorm1d(FEATURES), Shared()
        self.norm.running_var.fill_(0.01)

    def forward(self, x):
        return super().forward(self.norm(x.flatten(0, 1)).view(x.shape))


def test_synapses_of_a_converter_behind_synapses_lose_nothing():
    net = Normed(lambda s, m, u: s).eval()
    graph = from_torch(net, example(), converters={Shared: shared})
    assert "first.neurons" in graph.nodes
    integers = np.random.default_rng(0).integers(-900, 900, (8, STEPS, FEATURES))
    trace = run(graph, integers, "float", "outputs")
    found = run(Quantize()(graph, calibrate(graph, trace)), integers, "fast", "outputs")
    assert found.saturations() == 0
    expected = trace.values["output"]
    assert np.mean(found.values["output"] != expected) < 0.02 < expected.mean()


class Grouped(nn.Module):
    """A layer that must be told first how many samples are in its rows."""

    def __init__(self):
        super().__init__()
        self.samples = 1

    def forward(self, x):
        u, out = 0, []
        for x_t in x.unflatten(0, (self.samples, -1)).unbind(1):
            u = 0.75 * u + x_t
            spikes = (u >= 1).to(x.dtype)
            u = u * (1 - spikes)
            out.append(spikes)
        return torch.stack(out, 1).flatten(0, 1)


class Told(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.layer = nn.Linear(FEATURES, WIDTH), Grouped()

    def forward(self, x):
        self.layer.samples = len(x)
        return self.layer(self.first(2 * x).flatten(0, 1)).unflatten(0, x.shape[:2])


def test_what_forward_sets_in_its_modules_holds_when_they_are_compared():
    graph = from_torch(Told().eval(), example(), converters={Grouped: leaky})
    assert list(graph.nodes) == ["input", "first", "layer", "output"]


@pytest.mark.parametrize(
    ("message", "forward"),
    [
        (r"pad in model.*recurrences and shifts alone.*S4D",
         lambda m, x: m.c(nn.functional.pad(x.mT, (2, 0))).mT),
        (r"module 'p' \(ConstantPad1d\).*recurrences and shifts",
         lambda m, x: m.c(m.p(x.mT)).mT),
        (r"module 'c' \(Conv1d\).*size 3.*recurrences and shifts alone", lambda m, x: m.c(x.mT)),
        (r"module 'g' \(GRU\).*train with a recurrence", lambda m, x: m.g(x)[0]),
        (r"mul in model.*real numbers, got complex", lambda m, x: (x * torch.tensor(1j)).real),
    ],
)  # fmt: skip
def test_what_sees_the_past_is_refused_with_what_does(message, forward):
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.p = nn.Conv1d(FEATURES, 4, 3), nn.ConstantPad1d((2, 0), 0.0)
            self.g = nn.GRU(FEATURES, 4, batch_first=True)

        def forward(self, x):
            return forward(self, x)

    with pytest.raises(GraphError, match=message):
        from_torch(Mine().eval(), example())
