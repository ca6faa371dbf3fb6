"""Synapses, tokens and edges that add: numbers computed by hand, in both integer engines.

``sat`` is the symmetric saturation. Counters are counted by hand too.
"""

import numpy as np
import pytest
from by_hand import BOTH, MIX, TOP, behind, run_on, values
from spiking_block import integers

from neurossm.engine import run
from neurossm.engine.stepper import Stepper
from neurossm.errors import RangeError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    Accumulate,
    Affine,
    Embedding,
    Threshold,
)
from neurossm.trace import Counts

# -- synapses ------------------------------------------------------------------


@BOTH
def test_spikes_select_weights_and_multiply_nothing(engine):
    trace = run_on(engine, MIX, Fixed.binary(), [[1, 1], [0, 1], [1, 0], [0, 0]])
    assert values(trace) == [
        [3 - 2 + 1, 0 + 5 - 4],
        [-2 + 1, 5 - 4],
        [3 + 1, 0 - 4],
        [1, -4],
    ]
    # channel 0 has one weight that is not zero, channel 1 has two: (1 + 2) + 2 + 1
    assert trace.counts["node"] == Counts(syn_ops=6, spikes_in=4, axon_out=8, spikes_out=8)
    assert trace.counts["in"] == Counts(axon_out=4, spikes_out=4)
    assert trace.counts["out"] == Counts(spikes_in=8, spikes_out=8)


@BOTH
def test_a_negative_spike_subtracts(engine):
    trace = run_on(engine, MIX, Fixed.ternary(), [[-1, 1], [-1, -1]])
    assert values(trace) == [[-3 - 2 + 1, 5 - 4], [-3 + 2 + 1, -5 - 4]]
    # 4 messages: (1 + 2) twice; of the outputs one is 0
    assert trace.counts["node"] == Counts(syn_ops=6, spikes_in=4, axon_out=3, spikes_out=3)


@BOTH
def test_graded_messages_multiply_each_weight_that_is_not_zero(engine):
    trace = run_on(engine, MIX, Fixed(8), [[7, -10], [0, 1], [0, 0]])
    assert values(trace) == [[21 + 20 + 1, -50 - 4], [-2 + 1, 5 - 4], [1, -4]]
    assert trace.counts["node"] == Counts(
        syn_ops=5, synaptic_multiplies=5, spikes_in=3, axon_out=6, spikes_out=6
    )


@BOTH
def test_synapses_saturate_to_the_width_of_their_output_on_both_sides(engine):
    node = Affine(weight=integers([[3], [-3]]), bias=integers([0, 0], 0, 24), out=Fixed(5))
    trace = run_on(engine, node, Fixed(8), [[5], [6], [-6], [1]])  # 5 bits: +-15
    assert values(trace) == [[15, -15], [15, -15], [-15, 15], [3, -3]]
    assert trace.counts["node"].saturations == 4  # 18 and -18, twice


@BOTH
def test_converging_synapses_sum_exactly_and_saturate_once(engine):
    node = Affine(weight=integers([[1]]), bias=integers([-TOP], 0, 24), out=Fixed(24))
    graph = behind(node, {"a": Fixed(24), "b": Fixed(24)})
    inputs = {"a": np.array([[[TOP], [TOP]]]), "b": np.array([[[TOP], [-1]]])}
    trace = run(graph, inputs, engine)
    # saturating the sum of messages on entry would give TOP - TOP = 0 at step 0
    assert values(trace) == [[TOP + TOP - TOP], [TOP - 1 - TOP]]
    assert trace.counts["node"] == Counts(syn_ops=4, spikes_in=4, axon_out=2, spikes_out=2)


@BOTH
@pytest.mark.parametrize(
    ("weight", "multiplied"),
    [
        ([[1, -1], [0, 1]], 0), ([[4, -4], [0, 4]], 0), ([[64, 0], [0, 0]], 0),
        ([[0, 0], [0, 0]], 0), ([[2, -1], [0, 1]], 5), ([[3, -3], [0, 3]], 5),
    ],
)  # fmt: skip
def test_ternary_weights_add_graded_messages_and_multiply_nothing(engine, weight, multiplied):
    node = Affine(weight=integers(weight), bias=integers([1, -4], 0, 24), out=Fixed(24))
    trace = run_on(engine, node, Fixed(8), [[7, -10], [0, 1]])
    w = np.array(weight)
    expected = [(w @ u + [1, -4]).tolist() for u in ([7, -10], [0, 1])]
    assert values(trace) == expected
    # message 7 meets the first column, -10 and 1 the second: one weight, or two
    operations = np.count_nonzero(w[:, 0]) + 2 * np.count_nonzero(w[:, 1])
    assert trace.counts["node"].syn_ops == operations
    assert trace.counts["node"].synaptic_multiplies == multiplied


# -- tokens --------------------------------------------------------------------

TABLE = Embedding(table=integers([[5, -7, 0], [1, 2, 3], [-127, 0, 127]], 4), out=Fixed(8, 4))


@BOTH
def test_a_token_selects_its_row_and_every_token_is_a_message(engine):
    trace = run_on(engine, TABLE, Fixed(8), [[2], [0], [0], [1]])
    assert values(trace) == [[-127, 0, 127], [5, -7, 0], [5, -7, 0], [1, 2, 3]]
    # 3 channels a token, zeros in a row included; two rows of two and one of three are not zero
    assert trace.counts["node"] == Counts(syn_ops=12, spikes_in=4, axon_out=9, spikes_out=9)
    # token 0 is a message as any other
    assert trace.counts["in"] == Counts(axon_out=4, spikes_out=4)


@BOTH
@pytest.mark.parametrize("token", [-1, 3, 127])
def test_a_token_outside_the_table_is_refused_before_anything_runs(engine, token):
    with pytest.raises(RangeError, match=r"input 'in': expected 0 to 2 \(3 tokens, s8.0\), got"):
        run_on(engine, TABLE, Fixed(8), [[0], [token]])


def test_the_stepper_and_the_float_engine_refuse_a_token_outside_the_table():
    graph = behind(TABLE, {"in": Fixed(8)})
    with pytest.raises(RangeError, match="input 'in': expected 0 to 2"):
        Stepper(graph).step(np.array([3]))
    with pytest.raises(RangeError, match="input 'in': expected 0 to 2"):
        run(graph, np.array([[[3]]]), "float")


@BOTH
def test_of_two_tables_the_smaller_one_limits_the_tokens(engine):
    small = Embedding(table=integers([[1], [2]]), out=Fixed(8))
    nodes = dict(behind(TABLE, {"in": Fixed(8)}).nodes) | {"small": small}
    graph = Graph(nodes, (("in", "node"), ("node", "out"), ("in", "small")))
    trace = run(graph, np.array([[[1]]]), engine)
    assert (values(trace), values(trace, "small")) == ([[1, 2, 3]], [[2]])
    assert trace.counts["in"] == Counts(axon_out=2, spikes_out=1)
    with pytest.raises(RangeError, match=r"0 to 1 \(2 tokens"):
        run(graph, np.array([[[2]]]), engine)


# -- edges that add in front of a neuron ---------------------------------------


@BOTH
def test_converging_edges_saturate_to_24_bits_on_entry(engine):
    node = Accumulate(channels=1, steps=1, term_bits=24, out=Fixed(24))
    graph = behind(node, {"a": Fixed(24), "b": Fixed(24)})
    inputs = {"a": np.array([[[TOP], [-TOP], [5]]]), "b": np.array([[[3], [-TOP], [-9]]])}
    trace = run(graph, inputs, engine)
    # TOP + 3 clips to TOP; -2 TOP clips to -TOP, the sum is 0; then -4
    assert values(trace) == [[TOP], [0], [-4]]
    assert trace.counts["node"] == Counts(
        dendrite_updates=3, spikes_in=6, axon_out=2, spikes_out=2, saturations=2
    )


@BOTH
def test_three_edges_add_before_they_saturate(engine):
    node = Threshold(theta=integers([0], 0, 24))
    graph = behind(node, dict.fromkeys("abc", Fixed(24)))
    inputs = {"a": np.array([[[TOP]]]), "b": np.array([[[TOP]]]), "c": np.array([[[-TOP]]])}
    assert values(run(graph, inputs, engine)) == [[1]]
    assert run(graph, inputs, engine).counts["node"].saturations == 0
