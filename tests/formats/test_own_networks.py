"""Networks that are not ours: exported, proven, quantized, run with the same bits everywhere."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from own_networks import NETWORKS, SAMPLES, STEPS, exported, own

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm.quantization import Quantize, calibrate
from neurossm.store import load, save
from neurossm_converters.backends.lava import LavaOptions, run_timed
from neurossm_converters.formats.torch import from_torch

LAVA = ("stepping", "convolutional")


def data(graph: Graph, samples: int = SAMPLES) -> dict[str, np.ndarray]:
    """Return integers of the input formats, tokens within their tables."""
    rng = np.random.default_rng(2)
    found = {}
    for name in graph.inputs:
        node = graph.nodes[name]
        low, high = -(2**11), 2**11
        if name in graph.vocabularies:
            low, high = 0, graph.vocabularies[name]
        found[name] = rng.integers(low, high, (samples, STEPS, node.out_channels))
    return found


@cache
def integer(name: str) -> Graph:
    graph = exported(name)
    return Quantize()(graph, calibrate(graph, run(graph, data(graph), "float")))


def forward(name: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return what the module computes for integers: one value an input unit is its scale."""
    model, example, options = own(name)
    graph = exported(name)
    tensors = []
    for given, values in zip(example if isinstance(example, tuple) else (example,),
                             inputs.values(), strict=True):  # fmt: skip
        if not given.is_floating_point():
            tensors.append(torch.from_numpy(values[..., 0]))
            continue
        frac = graph.nodes[list(inputs)[len(tensors)]].out.frac
        real = torch.from_numpy(values * 2.0**-frac).float()
        tensors.append(real.mT if options.get("layout") == "bft" else real)
    with torch.no_grad():
        if options.get("step"):
            states, answers = (), []
            for t in range(STEPS):
                y, *states = model(tensors[0][:, t], *states)
                answers.append(y)
            return [torch.stack(answers).mean(0).numpy()]
        result = model(*tensors)
    results = result.values() if isinstance(result, dict) else result
    return [r.numpy() for r in (results if isinstance(results, tuple | type({}.values())) else
                                (results,))]  # fmt: skip


def answers(graph: Graph, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the outputs of a float run, taken as the graph says."""
    trace = run(graph, inputs, "float")
    first = str(graph.meta["readout"])
    found = []
    for name in graph.outputs:
        kind, values = graph.meta.get(f"readout.{name}", first), trace.values[name]
        found.append(values if kind == "every-step" else values.max(axis=1) if kind == "max"
                     else values[:, -1])  # fmt: skip
    return found


@pytest.mark.parametrize("name", ["stepping", "looping", "our-layers"])
def test_the_graph_answers_as_the_module_does(name):
    """Those without segments, on data of which the export knew nothing."""
    graph = exported(name)
    inputs = data(graph)
    got = answers(graph, inputs)
    expected = forward(name, inputs)
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert np.ptp(other) > 0.1
        np.testing.assert_allclose(one, other.reshape(one.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["skips", "convolutional", "concatenated", "two-inputs"])
def test_segments_change_the_answer_by_little(name):
    graph = exported(name)
    inputs = data(graph)
    for one, other in zip(answers(graph, inputs), forward(name, inputs), strict=True):
        assert np.ptp(other) > 0.1  # agreement about nothing would say nothing
        np.testing.assert_allclose(one, other.reshape(one.shape), atol=0.1 * np.ptp(other))


@pytest.mark.parametrize("name", NETWORKS)
def test_it_quantizes_and_fast_equals_reference(name):
    graph = integer(name)
    inputs = data(graph)
    expected = run(graph, inputs, "reference", "all")
    result = compare(expected, run(graph, inputs, "fast", "all"), graph.order)
    assert result.first is None and result.compared
    floating = run(exported(name), inputs, "float")
    for output in graph.outputs:
        frac = graph.nodes[output].out.frac
        real, integers = floating.values[output], expected.values[output] * 2.0**-frac
        if graph.nodes[output].out.is_spike:
            continue
        # near, on average: single spikes may come a step later
        assert np.abs(real - integers).mean() < 0.05 * np.abs(real).max()


@pytest.mark.lava
@pytest.mark.parametrize("name", LAVA)
def test_lava_equals_reference(name):
    graph = integer(name)
    inputs = data(graph, samples=2)
    options = LavaOptions(protocol="async", batch=2)
    expected = run(graph, inputs, "reference", "all")
    found = run_timed(graph, inputs, "all", options).trace
    result = compare(expected, found, graph.order)
    assert result.first is None
    assert result.compared == sum(value.size for value in expected.values.values())


@pytest.mark.parametrize(
    ("name", "readouts"),
    [
        ("skips", {"output.0": "mean", "output.1": "last"}),
        ("convolutional", {"output": "mean"}),
        ("concatenated", {"classes": "sum", "peak": "max"}),
        ("two-inputs", {"output": "every-step"}),
        ("stepping", {"output": "mean"}),
        ("looping", {"output.0": "mean", "output.1": "every-step"}),
    ],
)
def test_results_are_named_and_their_readouts_said(name, readouts):
    graph = exported(name)
    first, *rest = readouts
    assert graph.outputs == tuple(readouts)
    assert graph.meta["readout"] == readouts[first]
    for output in rest:
        assert graph.meta.get(f"readout.{output}", readouts[first]) == readouts[output]
    assert graph.meta["steps"] == STEPS


def test_what_goes_in_is_said_and_kept_in_the_file(tmp_path):
    graph = exported("skips")
    save(tmp_path / "own.nssm", graph)
    again = load(tmp_path / "own.nssm")
    scaling = Interface.of(again).scaling
    assert scaling is not None and scaling.bits == 12
    assert again.meta == graph.meta and again.nodes == graph.nodes
    _, example, _ = own("skips")
    # the largest value of the example just fits in twelve bits
    largest = float(example.abs().max())
    assert largest / 2 <= scaling.unit[0] * 2**11 <= largest or largest <= scaling.unit[0] * 2**12
    np.testing.assert_array_equal(scaling.unit, 2.0 ** -graph.nodes["input"].out.frac)


def test_the_unit_holds_every_sample_of_a_long_example():
    torch.manual_seed(0)
    example = 2 * torch.rand(64, 20, 3) - 1
    example[50, 7, 2] = 6.5  # behind the samples on which module and graph are compared
    fmt = from_torch(torch.nn.Linear(3, 2).eval(), example).nodes["input"].out
    assert 6.5 <= (2**12 - 1) * 2.0**-fmt.frac < 13
