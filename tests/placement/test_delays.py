"""A delay is a property of synapses: it takes no neuron of a chip."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from recurrent import IN, C, recurrent_lif

from neurossm.energy import estimate
from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.nodes import Affine, Delay, Input, Node, Output, Sum, Threshold
from neurossm.placement import SSM_MAPPINGS, Connection, NodeShape, Shape, check, place

LOIHI2 = load_hardware("loihi2")


def chain(*middle: tuple[str, Node], graded: bool = False) -> Graph:
    out = Fixed(12, 0) if graded else Fixed.binary()
    first = Sum(channels=2, out=out) if graded else threshold()
    names = ["x", "first", *(name for name, _ in middle), "y"]
    last = middle[-1][1].out if middle else out
    nodes = {"x": Input(channels=2, out=Fixed(12, 0)), "first": first, **dict(middle),
             "y": Output(channels=2, out=last)}  # fmt: skip
    return Graph(nodes, tuple(pairwise(names)))


def threshold() -> Threshold:
    return Threshold(theta=Quantized(np.array([3, 4]), 0, 24))


def later(steps: int | list[int], out: Fixed | None = None) -> Delay:
    return Delay(channels=2, steps=np.asarray(steps), out=out or Fixed.binary())


def mix(in_frac: int = 0) -> Affine:
    weight, bias = np.array([[1, 0], [3, 4]]), np.array([0, 1])
    return Affine(weight=Quantized(weight, 0, 8), bias=Quantized(bias, in_frac, 24),
                  out=Fixed(16, in_frac))  # fmt: skip


@pytest.mark.parametrize("mapping", SSM_MAPPINGS)
def test_recurrent_synapses_lead_back_into_the_neurons_that_send(mapping):
    placed = place(recurrent_lif(np.random.default_rng(0), 7), LOIHI2, ssm_mapping=mapping)
    lif, y = placed.populations["lif"], placed.populations["y"]
    assert set(placed.populations) == {"lif", "y"} and lif.nodes == ("lif",)
    assert lif.inputs == (
        Connection("x", "dense", IN, node="into", through="x"),
        Connection("lif", "dense", C, node="back", through="lif", delay="later"),
    )
    assert y.inputs == (Connection("lif", "one-to-one", C, through="lif"),)


def test_a_neuron_behind_a_delay_has_synapses_of_ones_and_does_not_join_the_one_in_front():
    graph = chain(("one", later(1)), ("two", later([5, 62])), ("second", threshold()))
    assert place(graph, LOIHI2).populations["second"].inputs == (
        Connection("first", "one-to-one", 2, through="first", delay="two"),
    )
    assert check(graph, LOIHI2).ok


def test_a_sum_of_synapses_in_front_of_a_delay_needs_a_neuron():
    graph = chain(("mix", mix()), ("later", later(3, Fixed(16, 0))), ("second", threshold()))
    placed = place(graph, LOIHI2)
    assert placed.populations["mix"].kind == "relay"
    assert placed.populations["second"].inputs[0].source == "mix"
    # a chip without graded messages cannot send that sum
    loihi1 = load_hardware("loihi1")
    refused = {n.name for n in check(graph, loihi1).nodes if not n.ok}
    assert refused == {"x", "mix"}


def test_delays_that_synapses_do_not_have_are_refused_and_the_remedy_works():
    out = Fixed(12, 0)
    graph = chain(("one", later(60, out)), ("two", later([1, 4], out)), graded=True)
    with pytest.raises(GraphError, match=r"node 'two'.*at most 63 steps.*got 64; put a Sum"):
        place(graph, LOIHI2)
    assert "at most 63" in check(graph, LOIHI2).why_not
    between = ("between", Sum(channels=2, out=out))
    graph = chain(("one", later(60, out)), between, ("two", later([1, 4], out)), graded=True)
    assert list(place(graph, LOIHI2).populations) == ["first", "between", "y"]


def test_a_cycle_of_delays_alone_is_refused():
    nodes = dict.fromkeys(("a", "b"), NodeShape(type="Delay", inputs=1, outputs=1, delay=1))
    with pytest.raises(GraphError, match="cycle of delays alone"):
        place(Shape(nodes, (("a", "b"), ("b", "a"))), LOIHI2)


@pytest.mark.parametrize("mapping", SSM_MAPPINGS)
def test_energy_counts_delayed_messages_where_they_arrive(mapping):
    graph = recurrent_lif(np.random.default_rng(0), [1, 2, 63, 5, 1])
    x = np.random.default_rng(1).integers(0, 2, (1, 40, IN))
    trace = run(graph, x, "reference")
    placed = place(graph, LOIHI2, ssm_mapping=mapping)
    work = estimate(measure(graph, trace), graph, LOIHI2, placement=placed).work
    fan_out = [np.count_nonzero(graph.nodes[n].weight.values, axis=0) for n in ("into", "back")]
    sent = [trace.values[n].sum(axis=(0, 1)) for n in ("x", "later", "lif")]
    assert sent[1].sum() < sent[2].sum()  # some still wait at the end
    expected = float(sent[0] @ fan_out[0] + sent[1] @ fan_out[1] + sent[2].sum())
    assert work.syn_ops.low == pytest.approx(expected) == work.syn_ops.high
    # a neuron fires once, whoever receives it at once or later
    assert work.spikes.low <= sent[2].sum() == pytest.approx(work.spikes.high)
