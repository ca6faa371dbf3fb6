"""Counters of cores against a count synapse by synapse, and the step time by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_networks import s4d_shape
from random_graphs import QUICK, Case, cases
from spiking_block import TINY_INPUT, tiny_graph

from neurossm.engine import run
from neurossm.errors import InputError, TargetError
from neurossm.graph import Graph
from neurossm.hardware import Quantity, load_hardware
from neurossm.metrics.per_core import COUNTERS, per_core, per_core_at_most
from neurossm.metrics.step_time import step_time
from neurossm.nodes import Affine, ComplexDiagonal, Conv2d, DiagonalSSM
from neurossm.placement import Connection, Placement, place
from neurossm.trace import Trace

LOIHI2 = load_hardware("loihi2")
FEW_WORDS = Quantity(9, 9, "word", "a test", "U")
TWO_CORES = Quantity(2, 2, "core", "a test", "U")
TINY = replace(
    LOIHI2, limits=replace(LOIHI2.limits, neuron_words_per_core=FEW_WORDS, cores=TWO_CORES)
)


def toward_zero(value: int, right: int) -> int:
    if right <= 0:
        return value * 2**-right
    return abs(value) // 2**right * (1 if value >= 0 else -1)


def state_messages_by_hand(graph: Graph, name: str, trace: Trace) -> np.ndarray:
    """The integer recurrence of the docstring in Python's own integers."""
    node = graph.nodes[name]
    assert isinstance(node, DiagonalSSM)
    u_frac = graph.nodes[graph.sources[name][0]].out.frac
    arriving = sum(trace.values[source].astype(object) for source in graph.sources[name])
    top = 2 ** (node.drive_re.bits - 1) - 1
    sent = np.zeros((node.in_channels, node.modes))
    state_frac, b_frac, c_frac = (
        np.broadcast_to(p.frac, node.in_channels) for p in (node.drive_re, node.b_re, node.c_re)
    )
    for c in range(node.in_channels):
        b_shift, c_shift = (
            int(b_frac[c] + u_frac - state_frac[c]),
            int(c_frac[c] + state_frac[c] - 1 - node.out.frac),
        )
        for n in range(node.modes):
            a_re, a_im, b_re, b_im, c_re, c_im, d_re, d_im = (
                int(p.values[c, n])
                for p in (node.a_re, node.a_im, node.b_re, node.b_im, node.c_re, node.c_im,
                          node.drive_re, node.drive_im)
            )  # fmt: skip
            pole = node.a_re.frac
            for sample in range(trace.samples):
                re = im = 0
                for t in range(trace.steps):
                    u = max(-(2**23) + 1, min(2**23 - 1, int(arriving[sample, t, c])))
                    re, im = (
                        toward_zero(a_re * re, pole) - toward_zero(a_im * im, pole)
                        + toward_zero(b_re * u, b_shift) + d_re,
                        toward_zero(a_re * im, pole) + toward_zero(a_im * re, pole)
                        + toward_zero(b_im * u, b_shift) + d_im,
                    )  # fmt: skip
                    re, im = (max(-top, min(top, x)) for x in (re, im))
                    part = toward_zero(c_re * re, c_shift) - toward_zero(c_im * im, c_shift)
                    sent[c, n] += part != 0
    return sent.ravel()


def messages_by_hand(graph: Graph, placed: Placement, source: str, trace: Trace) -> np.ndarray:
    if source in graph.vocabularies:
        tokens = trace.values[source].astype(int).ravel()
        return np.bincount(tokens, minlength=16)  # tables have at most 7 rows
    population = placed.populations.get(source)
    if population is not None and population.kind == "states":
        return state_messages_by_hand(graph, population.nodes[0], trace)
    return (trace.values[source] != 0).sum(axis=(0, 1))


def synapses(connection: Connection, neurons: int) -> list[tuple[int, int]]:
    """Pairs of source axon and target sum, one for each synapse: sum j is of neuron j % neurons."""
    fan, sums = connection.fan, neurons * connection.rows
    return {
        "dense": [(i, j) for i in range(connection.axons) for j in range(sums)],
        "shared": [
            (i, j)
            for i in range(connection.axons)
            for j in range(sums)
            if in_one_group(connection, i, j)
        ],
        "fan-out": [(j // fan, j) for j in range(neurons)],
        "reduce": [(j * fan + i, j) for j in range(neurons) for i in range(fan)],
        "one-to-one": [(j, j) for j in range(sums)],
    }[connection.kind]


def in_one_group(connection: Connection, i: int, j: int) -> bool:
    """Whether an input and a filter of a convolution see one another, wherever they lie."""
    if connection.windows is None or connection.rows > 1:  # two sums of a neuron: it gets all
        return True
    groups, sums = connection.windows.groups, math.prod(connection.windows.out_shape)
    return i * groups // connection.axons == j * groups // sums


def weight_by_hand(node: Conv2d, i: int, j: int) -> int:
    """The weight between an input and an output, both flat; 0 where the kernel does not reach."""
    weight, (_, height, width) = node.weight.values, node.in_shape
    outs, own, kh, kw = weight.shape
    rows, columns = node.windows.out_size
    o, y, x = j // (rows * columns), j // columns % rows, j % columns
    c, row, column = i // (height * width), i // width % height, i % width
    if c // own != o // (outs // node.groups):
        return 0
    for k, m in np.ndindex(kh, kw):
        above = y * node.stride[0] - node.padding[0] + k * node.dilation[0]
        left = x * node.stride[1] - node.padding[1] + m * node.dilation[1]
        if (above, left) == (row, column):
            return int(weight[o, c % own, k, m])
    return 0


def count_by_hand(graph: Graph, placed: Placement, trace: Trace) -> dict[str, np.ndarray]:
    found = {name: np.zeros(len(placed.cores)) for name in COUNTERS}
    found["leaving"] = np.zeros(placed.chips)
    home = {
        (part.population, neuron): position
        for position, core in enumerate(placed.cores)
        for part in core.slices
        for neuron in range(part.first, part.stop)
    }
    for name, population in placed.populations.items():
        for connection in population.inputs:
            sent = messages_by_hand(graph, placed, connection.delay or connection.source, trace)
            node = graph.nodes.get(connection.node)
            deliveries = set()
            for i, j in synapses(connection, population.neurons):
                core = home[name, j % population.neurons]
                deliveries.add((i, core))
                is_zero = isinstance(node, Affine) and connection.kind == "dense" and (
                    node.weight.values[j, i] == 0
                )  # fmt: skip
                if connection.kind == "shared":
                    is_zero = weight_by_hand(node, i, j) == 0
                found["syn_ops"][core] += 0 if is_zero else sent[i]
            for i, core in deliveries:
                found["spikes_in"][core] += sent[i]
                if connection.source in placed.populations:
                    origin = home[connection.source, i]
                    found["axon_out"][origin] += sent[i]
                    chip = placed.cores[origin].chip
                    found["leaving"][chip] += sent[i] * (chip != placed.cores[core].chip)
    return found


@QUICK
@given(cases(), st.sampled_from(["state", "channel"]), st.booleans(), st.booleans())
def test_counters_equal_a_count_synapse_by_synapse(
    case: Case, mapping: str, tiny: bool, shared: bool
) -> None:
    chip = TINY if tiny else LOIHI2
    try:
        placed = place(case.graph, chip, ssm_mapping=mapping)
        if shared and placed.chips > 1:  # then populations come out of order
            placed = place(case.graph, chip, chips=placed.chips - 1, ssm_mapping=mapping)
    except TargetError:  # three complex states in one neuron and a membrane are more than 9 words
        return
    trace = run(case.graph, case.inputs, "reference")
    found = per_core(placed, case.graph, trace)
    runs = trace.samples * trace.steps
    by_hand = count_by_hand(case.graph, placed, trace)
    for name in ("syn_ops", "spikes_in", "axon_out", "leaving"):
        low, high = getattr(found, name)
        assert low == pytest.approx(high)
        assert low * runs == pytest.approx(by_hand[name]), name
    # what the graph counts is in it, and the updates of relays and receivers come on top
    extra = sum(p.neurons for p in placed.populations.values() if p.kind in ("relay", "receiver"))
    # a neuron for each part of a complex state, which is updated once
    extra += sum(n.complex_states for n in case.graph.nodes.values()
                 if isinstance(n, ComplexDiagonal))  # fmt: skip
    counted = sum(counts.dendrite_updates for counts in trace.counts.values())
    assert found.dendrite_updates[0].sum() * runs == pytest.approx(counted + extra * runs)
    dense = sum(counts.syn_ops for counts in trace.counts.values())
    assert found.syn_ops[0].sum() * runs >= dense - 1e-9
    at_most = per_core_at_most(placed)
    for name in COUNTERS:
        if not case.graph.vocabularies:  # the mean over tokens is no bound
            assert np.all(getattr(found, name)[1] <= getattr(at_most, name)[1] + 1e-9), name


def test_a_trace_of_the_outputs_alone_is_refused() -> None:
    graph = tiny_graph()
    trace = run(graph, TINY_INPUT, "reference", record="outputs")
    with pytest.raises(InputError, match="expected values of every node, got none of 'input'"):
        per_core(place(graph, LOIHI2), graph, trace)


def test_the_step_of_the_128_x_4_network_at_full_activity_by_hand() -> None:
    placed = place(s4d_shape(width=128, states=4, layers=1), LOIHI2, ssm_mapping="state")
    found = step_time(placed, per_core_at_most(placed), LOIHI2)
    terms = {term.name: term for term in found.terms}
    # 512 states of 1 to 2 passes of 4 ns; 128 x 128 synapses of 0.66 ns
    assert terms["neuron updates"].low == pytest.approx(512 * 4e-9)
    assert terms["neuron updates"].high == pytest.approx(512 * 2 * 4e-9)
    assert "s4d.states" in terms["neuron updates"].where
    assert terms["synaptic operations"].high == pytest.approx(128 * 128 * 0.66e-9)
    assert "relu" in terms["synaptic operations"].where
    assert terms["barrier"].high == 200e-9
    # the ReLU layer's core, if it does not overlap its work, and 10 us to synchronize
    in_a_row = 128 * 128 * 0.66e-9 + 128 * 2 * 4e-9 + 10e-6
    assert terms["both in a row, and a barrier"].high == pytest.approx(in_a_row)
    # Intel measured 31.03 us a step of this network: inside, by the fixed cost alone
    assert found.low <= 31.03e-6 <= found.high
    assert found.binds_low.name == "neuron updates"
    assert found.binds_high.name == "fixed cost of input and output"


def test_two_chips_pay_the_barrier_and_the_link_of_what_crosses() -> None:
    two = Quantity(2, 2, "core", "a test", "U")
    chip = replace(LOIHI2, limits=replace(LOIHI2.limits, cores=two))
    placed = place(s4d_shape(width=128, states=4, layers=1), chip, ssm_mapping="state")
    assert placed.chips == 3
    activity = per_core_at_most(placed)
    # encoder, states | relay, ReLU | decoder, output: the states leave, then the ReLU's outputs
    assert activity.leaving[1].tolist() == [512, 128, 0]
    found = step_time(placed, activity, chip)
    terms = {term.name: term for term in found.terms}
    assert terms["barrier"].low == terms["barrier"].high == 10e-6
    assert terms["messages between chips"].low == 0
    assert terms["messages between chips"].high == pytest.approx(512 * 15e-9)
