"""Which nodes share a process and what carries the synapses; nothing of Lava is started."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output, Sum, Threshold
from neurossm_converters.backends.lava import LavaOptions, make_plan
from neurossm_converters.backends.lava.job import Job
from neurossm_converters.backends.lava.layout import lay_out
from neurossm_converters.backends.lava.orders import Orders

STEADY = Fixed(8, 0)


def affine(nonzero: int, out: Fixed = STEADY) -> Affine:
    """Four channels to four, with as many weights of 1 as asked for."""
    weight = (np.arange(16) < nonzero).astype(np.int64).reshape(4, 4)
    return Affine(
        weight=Quantized(weight, 0, 8), bias=Quantized(np.zeros(4, np.int64), 0, 24), out=out
    )


def residual(nonzero: int = 16) -> Graph:
    """Two layers of synapses, and a connection around the second."""
    theta = Quantized(np.ones(4, np.int64), 0, 24)
    nodes = {
        "x": Input(channels=4, out=STEADY),
        "first": affine(16),
        "spike": Threshold(theta=theta),
        "second": affine(nonzero),
        "add": Sum(channels=4, out=STEADY),
        "fire": Threshold(theta=theta),
        "out": Output(channels=4, out=Fixed.binary()),
    }
    return Graph(nodes, (*pairwise(nodes), ("first", "add")))


def layout(graph: Graph, **options: object):
    return lay_out(graph, make_plan(graph), LavaOptions(**options))


def test_a_stage_reaches_from_synapses_to_synapses():
    graph = residual()
    found = layout(graph, fuse="stage")
    # the input feeds one stage only, and is in it
    assert found.groups == (("x", "first", "spike"), ("second", "add", "fire", "out"))
    assert found.synapses == {} and found.processes == 2
    assert found.bundles == {(0, 1): ("first", "spike")}  # two nodes, one message
    with_lava = layout(graph, fuse="stage", synapses="lava")
    assert with_lava.groups == found.groups
    assert with_lava.synapses == {("x", "first"): "dense", ("spike", "second"): "dense"}
    assert with_lava.bundles == {(0, 1): ("first",)} and with_lava.processes == 4


def test_an_input_of_two_stages_is_one_of_its_own():
    graph = residual()
    nodes = {"far": Sum(channels=4, out=STEADY), "end": Output(channels=4, out=STEADY)}
    edges = (("x", "far"), ("second", "far"), ("far", "end"))
    found = layout(Graph({**graph.nodes, **nodes}, (*graph.edges, *edges)), fuse="stage")
    assert found.groups[0] == ("x",)
    assert found.bundles == {(0, 1): ("x",), (0, 2): ("x",), (1, 2): ("first", "spike")}


def test_all_of_it_in_one_process():
    graph = residual()
    whole = layout(graph, fuse="network")
    assert whole.groups == (tuple(graph.order),) and whole.processes == 1


@pytest.mark.parametrize(
    ("options", "fuse", "synapses"),
    [
        ({}, "network", "own"),
        ({"batch": 2}, "network", "own"),
        ({"synapses": "lava"}, "stage", "lava"),
        ({"fuse": "stage"}, "stage", "own"),
    ],
)
def test_what_auto_stands_for(options, fuse, synapses):
    chosen = LavaOptions(**options)
    assert (chosen.fuse_used, chosen.synapses_used) == (fuse, synapses)


def test_what_the_worker_is_asked_to_do_comes_back_as_it_was_sent(tmp_path):
    options = LavaOptions(synapses="lava", fuse="stage", time_limit=7.5)
    inputs = {"x": np.ones((3, 5, 4), np.int64)}
    sent = Job(residual(4), inputs, ("out",), options, np.array([5, 1, 2])).orders()
    sent.save(tmp_path)
    found = Orders.load(tmp_path)
    assert (found.plan, found.layout, found.options) == (sent.plan, sent.layout, options)
    assert (found.order, found.recorded) == (sent.order, ("out",))
    assert found.lengths.tolist() == [5, 1, 2] and (found.samples, found.steps) == (3, 5)
    assert found.network_steps == 3 * 5 + 2  # one sample after the other, two layers of synapses


@pytest.mark.parametrize(
    ("nonzero", "carrier"), [(0, "dense"), (1, "sparse"), (4, "sparse"), (5, "dense")]
)
def test_sparse_carries_at_most_a_quarter(nonzero, carrier):
    # 4 of 16 is a quarter; a matrix of zeros is a corner case of Lava's Sparse
    found = layout(residual(nonzero), synapses="lava").synapses
    assert found["spike", "second"] == carrier
    assert found["x", "first"] == "dense"


@pytest.mark.parametrize(("nonzero", "carrier"), [(0, "dense"), (5, "sparse"), (16, "sparse")])
def test_sparse_carries_what_the_graph_calls_sparse(nonzero, carrier):
    graph = residual(nonzero)
    graph = graph.with_nodes({"second": replace(graph.nodes["second"], sparse=True)})
    assert layout(graph, synapses="lava").synapses["spike", "second"] == carrier
    assert layout(graph, synapses="dense").synapses["spike", "second"] == "dense"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fuse": "none"}, r"fuse: expected auto \| stage \| network, got 'none'"),
        ({"synapses": "conv"}, r"synapses: expected auto \| lava \| dense \| sparse \| own"),
        ({"synapses": "dense", "batch": 2}, "own .* batch above 1.* got 'dense'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        LavaOptions(**options)
