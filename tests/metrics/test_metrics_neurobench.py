"""Our numbers against those that neurobench 2.3.0 gave for the same networks (a recording)."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from spiking_block import TINY_INPUT, integers, model_graph, model_input, tiny_graph

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.metrics import Metrics, measure
from neurossm.nodes import (
    LIF,
    Affine,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    TernaryThreshold,
    Threshold,
)

FILE = Path(__file__).parents[1] / "fixtures" / "neurobench" / "recorded.json"
DOCUMENT = json.loads(FILE.read_text())
SEGMENT_BYTES = 2 + 2 * 2 + 2 * 2  # a ReLU of ours has a knot, two slopes and two offsets


def graph_of(network: dict) -> Graph:
    """Build our counterpart of a network of the recording."""
    inputs = np.asarray(network["inputs"])
    nodes: dict[str, Node] = {
        "input": Input(
            channels=inputs.shape[2], out=Fixed.binary() if inputs.max() == 1 else Fixed(8)
        )
    }
    for index, layer in enumerate(network["layers"]):
        nodes[f"{layer['kind']}{index}"] = _node(layer)
    last = nodes[list(nodes)[-1]]
    nodes["output"] = Output(channels=last.out_channels, out=last.out)
    return Graph(nodes, tuple(pairwise(nodes)))


def _node(layer: dict) -> Node:
    match layer["kind"]:
        case "linear":
            return Affine(
                weight=integers(layer["weight"]), bias=integers(layer["bias"], 0, 16), out=Fixed(24)
            )
        case "relu":
            return PiecewiseLinear(
                function="relu", max_error=0.0, channels=16, knots=integers([0], 0, 16),
                slopes=integers([0, 1], 0, 16), offsets=integers([0, 0], 0, 16), out=Fixed(24),
            )  # fmt: skip
        case "binary":
            return Threshold(theta=integers(layer["theta"], 0, 16))
        case "ternary":
            return TernaryThreshold(delta=integers(layer["theta"], 0, 16))
    count = len(layer["theta"])
    return LIF(
        theta=integers(layer["theta"], 0, 24),
        tau=integers([2048] * count, 12, 13),  # a half, exact while the membrane stays even
        rho=integers([0] * count, 12, 13), kappa=integers([0] * count, 0, 24), reset="none",
    )  # fmt: skip


def ours(name: str) -> Metrics:
    network = DOCUMENT["networks"][name]
    graph = graph_of(network)
    return measure(graph, run(graph, np.asarray(network["inputs"]), "fast"))


def test_the_recording_says_where_it_comes_from() -> None:
    assert DOCUMENT["provenance"]["packages"]["neurobench"] == "2.3.0"


@pytest.mark.parametrize("name", ["spikes", "graded", "leaky"])
def test_every_number_is_that_of_neurobench(name: str) -> None:
    found, recorded = ours(name), DOCUMENT["recorded"][name]
    numbers = found.neurobench
    for key in ("Effective_ACs", "Effective_MACs", "Dense", "ActivationSparsity"):
        assert numbers[key] == pytest.approx(recorded[key], rel=1e-12), key
    # it rounds this one
    assert round(numbers["ConnectionSparsity"], 4) == recorded["ConnectionSparsity"]
    if "Footprint" in recorded:  # snnTorch's neurons have buffers of their own
        more = SEGMENT_BYTES if name == "graded" else 0
        assert numbers["Footprint"] == recorded["Footprint"] + more


def test_the_networks_are_no_special_case() -> None:
    spikes, graded, leaky = (DOCUMENT["recorded"][n] for n in ("spikes", "graded", "leaky"))
    assert min(spikes["Effective_ACs"], graded["Effective_MACs"], graded["Effective_ACs"]) > 0
    assert all(0 < n["ActivationSparsity"] < 1 for n in (spikes, graded, leaky))
    assert ours("leaky").recurrence["State_Updates"] == 4 * (16 + 10)


def test_the_recurrence_is_counted_beside_them_by_hand() -> None:
    graph = model_graph(blocks=2, channels=4, modes=3, classes=3)
    found = measure(graph, run(graph, model_input(5, samples=2), "reference"))
    # 5 steps, 2 layers of 4 channels with 3 states; 8 MACs a state and 1 a feed-through
    assert found.recurrence == {
        "State_Updates": 5 * 2 * 4 * 3,
        "Effective_MACs": 5 * 2 * (4 * 3 * 8 + 4),
    }
    assert found.neurobench_document()["Recurrence"] == found.recurrence
    # and in none of the others: the same synapses without any state give the same Dense
    dense = 4 + 2 * 2 * 16 + 12
    assert found.neurobench["Dense"] == 5 * dense


def test_the_document_has_neurobenchs_keys() -> None:
    found = measure(tiny_graph(), run(tiny_graph(), TINY_INPUT, "reference"))
    document = json.loads(json.dumps(found.neurobench_document()))
    assert list(document) == [
        "Effective_ACs", "Effective_MACs", "Dense", "ActivationSparsity", "ConnectionSparsity",
        "Footprint", "Recurrence",
    ]  # fmt: skip
