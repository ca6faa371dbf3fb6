"""Step by step: integers and real numbers in and out, states that go on, answers, refusals."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from spiking_block import TINY_INPUT, integers, model_graph, model_input, tiny_graph

from neurossm import Graph, Stepper
from neurossm.engine import run
from neurossm.errors import FormatError, GraphError, InputError, RangeError
from neurossm.fixed import Fixed, Scaling, TargetScaling
from neurossm.interface import Interface
from neurossm.metrics.answers import answers
from neurossm.nodes import Accumulate, Affine, Embedding, Input, Node, Output, Threshold

NAN, INF = float("nan"), float("inf")


def pair_graph(**meaning: object) -> Graph:
    """Two channels of 8 bits, 4 of them fraction: u_0 + 2 u_1 and -u_0, in s24.4."""
    nodes: dict[str, Node] = {
        "input": Input(channels=2, out=Fixed(8, 4)),
        "mix": Affine(
            weight=integers([[1, 2], [-1, 0]]), bias=integers([0, 0], 4, 24), out=Fixed(24, 4)
        ),
        "output": Output(channels=2, out=Fixed(24, 4)),
    }
    graph = Graph(nodes, (("input", "mix"), ("mix", "output")))
    return Interface(**meaning).applied(graph)


def several_graph() -> Graph:
    """Two inputs that are summed up over time; what was summed and whether it is above 2."""
    wide = Fixed(24, 2)
    nodes: dict[str, Node] = {
        "a": Input(channels=1, out=wide),
        "b": Input(channels=1, out=wide),
        "sum": Accumulate(channels=1, steps=100, term_bits=17, out=wide),
        "above": Threshold(theta=integers([8], 2, 24)),  # 2.0
        "total": Output(channels=1, out=wide),
        "spikes": Output(channels=1, out=Fixed.binary()),
    }
    edges = (("a", "sum"), ("b", "sum"), ("sum", "above"), ("sum", "total"), ("above", "spikes"))
    return Graph(nodes, edges)


def token_graph() -> Graph:
    nodes: dict[str, Node] = {
        "token": Input(channels=1, out=Fixed(8)),
        "table": Embedding(table=integers([[10, 20], [-30, 40]], 3), out=Fixed(8, 3)),
        "output": Output(channels=2, out=Fixed(8, 3)),
    }
    return Graph(nodes, (("token", "table"), ("table", "output")))


# -- time ----------------------------------------------------------------------


def test_the_steps_of_two_sequences_are_those_of_the_whole_run():
    graph = model_graph(blocks=2, channels=4, modes=3, classes=3)
    inputs = model_input(30, samples=2)
    whole = run(graph, inputs, "reference").values["output"]
    assert np.count_nonzero(np.diff(whole[:, :, 0])) > 10, "the test sees no change"
    stream = Stepper(graph, samples=2)
    for t in range(30):
        np.testing.assert_array_equal(stream.step(inputs[:, t]), whole[:, t])


def test_reset_starts_anew_and_two_streams_share_nothing():
    # the tiny graph's sum by hand: spikes 1 1 give 5 - 4 = 1, then no spikes
    one, other = Stepper(tiny_graph(), record="sum"), Stepper(tiny_graph())
    token = TINY_INPUT[0, 0]
    assert [one.step(token).tolist() for _ in range(3)] == [[[1]], [[2]], [[3]]]
    assert (one.steps, one.states["sum.sum"].tolist()) == (3, [[3]])
    assert other.step(token).tolist() == [[1]]
    one.reset()
    assert (one.steps, one.values, one.states["sum.sum"].tolist()) == (0, {}, [[0]])
    assert one.step(token).tolist() == [[1]]


def test_after_a_reset_everything_is_as_in_a_new_stream():
    graph = model_graph(blocks=2, channels=4, modes=3, classes=3)
    inputs = model_input(40)[0] / 64.0  # far beyond the range: some are clipped
    fresh, used = Stepper(graph, record="all"), Stepper(graph, record="all")
    for value in inputs:
        used.step(value)
    assert used.clipped
    used.reset()
    assert used.clipped == 0
    for value in inputs:
        assert fresh.step(value).tolist() == used.step(value).tolist()
    assert (fresh.clipped, fresh.saturations) == (used.clipped, used.saturations)
    for name, state in fresh.states.items():
        np.testing.assert_array_equal(used.states[name], state)


def test_what_a_step_returned_is_the_callers_own():
    stream = Stepper(tiny_graph(), record="all")
    token = TINY_INPUT[0, 0].copy()
    first, kept, states = stream.step(token), stream.values, stream.states
    token[:] = 7  # was read, is not held
    for array in (first, *kept.values(), *states.values(), stream.answer()):
        array[...] = 99
    assert stream.values is kept  # it is only replaced at the next step
    assert stream.step(TINY_INPUT[0, 0]).tolist() == [[2]]
    assert first.tolist() == [[99]] and stream.values["sum"].tolist() == [[2]]


def test_saturations_are_counted_until_the_next_reset():
    # the sum of 6 bits ends at 31: 20, then 31 for 40
    nodes: dict[str, Node] = {
        "in": Input(channels=1, out=Fixed(6)),
        "sum": Accumulate(channels=1, steps=1, term_bits=6, out=Fixed(6)),
        "out": Output(channels=1, out=Fixed(6)),
    }
    stream = Stepper(Graph(nodes, (("in", "sum"), ("sum", "out"))))
    assert [stream.step(20).tolist() for _ in range(3)] == [[[20]], [[31]], [[31]]]
    assert stream.saturations == {"in": 0, "sum": 2, "out": 0}
    stream.reset()
    assert stream.saturations["sum"] == 0


# -- integers and real numbers -------------------------------------------------


def test_integers_give_integers_and_real_numbers_real_ones():
    stream = Stepper(pair_graph())
    assert stream.step(np.array([3, 5])).tolist() == [[13, -3]]
    found = stream.step(np.array([3, 5], dtype=np.uint8))
    assert found.dtype == np.int32 and found.tolist() == [[13, -3]]
    # 3/16 + 2 * 5/16 and -3/16
    found = stream.step([3 / 16, 5 / 16])
    assert found.dtype == np.float64 and found.tolist() == [[13 / 16, -3 / 16]]
    assert stream.step(np.float32([0.1875, 0.3125])).tolist() == [[13 / 16, -3 / 16]]


def test_real_numbers_are_rounded_to_even_and_clipped_ones_are_counted():
    stream = Stepper(pair_graph(), record="input")
    # units of 1/16: 0.5 -> 0, 1.5 -> 2, 2.51 -> 3; the range ends at +-127
    for value, units in ((0.5 / 16, 0), (1.5 / 16, 2), (-2.51 / 16, -3), (127.4 / 16, 127)):
        stream.step([value, 0.0])
        assert stream.values["input"].tolist() == [[units / 16, 0]]
    assert stream.clipped == 0
    stream.step([8.0, -1e30])
    assert stream.values["input"].tolist() == [[127 / 16, -127 / 16]] and stream.clipped == 2


def test_the_scaling_of_the_graph_is_that_of_data():
    scaling = Scaling([0.5, 3.0], [10.0, -1.0], [1.0, 1.0], 6)
    stream = Stepper(pair_graph(scaling=scaling), record="input", samples=2)
    # (11.2 - 10) / 0.5 = 2.4 -> 2; (-7.5 + 1) / 3 = -2.17 -> -2; 6 bits: at most 63
    given = np.array([[11.2, -7.5], [1000.0, -1000.0]])
    stream.step(given)
    units, clipped = scaling.to_integers(given)
    assert units.tolist() == [[2, -2], [63, -63]] and clipped == 2
    assert (stream.values["input"] * 16).tolist() == units.tolist() and stream.clipped == 2
    assert stream.step(np.array([[2, -2], [63, -63]])).tolist() == [[-2, -2], [-63, -63]]


def test_the_unit_of_older_files_is_a_scaling_too():
    graph = replace(pair_graph(), meta={"input_scale": 1 / 255})
    stream = Stepper(graph, record="input")
    stream.step([100 / 255, -1.0])
    assert (stream.values["input"] * 16).tolist() == [[100, -127]] and stream.clipped == 1
    with pytest.raises(FormatError, match=r"graph\.meta input_scale: expected a number above 0"):
        Stepper(replace(graph, meta={"input_scale": -1.0}))
    Stepper(replace(tiny_graph(), meta={"input_scale": 1.0})).step([1, 1])  # spikes have no unit


def test_compiled_scaling_is_the_one_of_arrays():
    rng = np.random.default_rng(0)
    scaling = Scaling(rng.uniform(1e-3, 3, 2), rng.normal(0, 5, 2), np.ones(2), 6)
    stream = Stepper(pair_graph(scaling=scaling), samples=500, record="input")
    given = rng.normal(0, 60, (500, 2))
    stream.step(given)
    units, clipped = scaling.to_integers(given)
    assert 100 < clipped < 900, clipped
    np.testing.assert_array_equal(stream.values["input"] * 16, units)
    assert stream.clipped == clipped


def test_real_outputs_go_through_the_target_scaling():
    target = TargetScaling([10.0, 2.0], [1.0, -5.0])
    stream = Stepper(pair_graph(target=target, task="regression"))
    assert stream.step([3 / 16, 5 / 16]).tolist() == [[13 / 16 * 10 + 1, -3 / 16 * 2 - 5]]
    assert stream.answer().tolist() == [[13 / 16 * 10 + 1, -3 / 16 * 2 - 5]]
    assert stream.step([3, 5]).tolist() == [[13, -3]]  # integers as they are


def test_the_kind_of_numbers_can_be_said():
    reals, whole = Stepper(pair_graph(), numbers="reals"), Stepper(pair_graph(), numbers="integers")
    assert reals.step([3, 0]).tolist() == [[3.0, -3.0]]
    assert reals.step([np.int64(100), 0]).tolist() == [[127 / 16, -127 / 16]]
    assert whole.step([3.0, 5.0]).tolist() == [[13, -3]]
    with pytest.raises(InputError, match=r"input 'input': expected integers, got 3.5; .*'auto'"):
        whole.step([3.0, 3.5])
    with pytest.raises(InputError, match=r"numbers: expected auto \| integers \| reals"):
        Stepper(pair_graph(), numbers="real")


def test_tokens_and_spikes_are_whole_numbers():
    tokens, spikes = Stepper(token_graph()), Stepper(tiny_graph())
    assert tokens.step(1).tolist() == [[-30, 40]]
    assert tokens.step(1.0).tolist() == [[-30 / 8, 40 / 8]]
    assert spikes.step([1.0, 1.0]).tolist() == [[1.0]]
    with pytest.raises(InputError, match=r"'token': expected integers, got 0.5$"):
        tokens.step(0.5)
    with pytest.raises(RangeError, match=r"0 to 1 \(2 tokens, s8.0\), got 2 to 2"):
        tokens.step(2.0)
    with pytest.raises(InputError, match=r"'input': expected integers, got 0.5$"):
        spikes.step([0.5, 0.0])


def test_one_number_is_enough_for_one_channel():
    graph = model_graph(blocks=1, channels=4, modes=3, classes=3)
    one, other = Stepper(graph), Stepper(graph)
    for value in (0.25, 0.5, -0.125):
        assert one.step(value).tolist() == other.step(np.array([[value]])).tolist()


# -- several inputs and outputs ------------------------------------------------


def test_several_inputs_and_outputs_go_by_their_names():
    stream = Stepper(several_graph())
    assert stream.step({"a": [3], "b": [2]}) == {"total": [[5]], "spikes": [[0]]}
    # units of 1/4: 0.75 is 3, beside the integer 4
    found = stream.step({"b": [4], "a": [0.75]})
    assert found == {"total": [[3.0]], "spikes": [[1.0]]} and found["total"].dtype == np.float64
    assert stream.step({"a": [-8], "b": [0]}) == {"total": [[4]], "spikes": [[0]]}
    assert stream.step({"a": [4], "b": [0]}) == {"total": [[8]], "spikes": [[1]]}
    assert stream.answer() == {"total": [[8]], "spikes": [[2]]}  # spikes are counted


@pytest.mark.parametrize("given", [{"a": [1]}, {"a": [1], "b": [1], "c": [1]}, {"a": [1], 2: [1]}])
def test_other_names_are_refused(given):
    with pytest.raises(InputError, match="inputs: expected a, b, got"):
        Stepper(several_graph()).step(given)


def test_one_array_for_several_inputs_is_refused():
    with pytest.raises(InputError, match="inputs: expected a mapping with a, b, got one array"):
        Stepper(several_graph()).step([1])


# -- answers -------------------------------------------------------------------


@pytest.mark.parametrize("readout", ["", "mean", "sum", "last", "leaky", "every-step"])
def test_the_answer_is_what_was_sent_last(readout):
    stream = Stepper(pair_graph(readout=readout))
    for token in ([3, 5], [-1, -2]):
        stream.step(token)
    assert stream.answer().tolist() == [[-5, 1]]


def test_the_answer_of_the_readout_max_is_the_largest_of_each_channel():
    stream = Stepper(pair_graph(readout="max"))
    for token in ([-3, -5], [-10, 2], [-7, -1]):
        stream.step(token)
    # -13 -6 -9 and 3 10 7: below zero, too
    assert stream.answer().tolist() == [[-6, 10]]
    stream.reset()
    stream.step([-3.0, -5.0])
    assert stream.answer().tolist() == [[-13.0, 3.0]]


def test_a_mean_in_real_numbers_is_that_of_the_steps_so_far():
    target = TargetScaling([10.0, 2.0], [1.0, -5.0])
    graph = pair_graph(readout="mean", task="regression", target=target)
    graph = replace(graph, meta={**graph.meta, "steps": 8})  # it adds up eighths
    stream = Stepper(graph)
    stream.step([3 / 16, 5 / 16])
    stream.step([-1 / 16, -2 / 16])
    # the node sends -5 and 1 sixteenths (no sum in this graph): of 2 of 8 steps that is four times
    assert stream.answer().tolist() == [[-5 / 16 * 4 * 10 + 1, 1 / 16 * 4 * 2 - 5]]
    trace = run(graph, np.array([[[3, 5], [-1, -2]]]), "fast")
    np.testing.assert_array_equal(stream.answer(), answers(graph, trace))


def test_there_is_no_answer_before_the_first_step():
    stream = Stepper(pair_graph())
    with pytest.raises(InputError, match="answer: expected at least one step before, got none"):
        stream.answer()
    stream.step([0, 0])
    stream.reset()
    with pytest.raises(InputError, match="answer: expected at least one step"):
        stream.answer()


# -- refusals ------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 2), (1, 1, 2), ()])
def test_values_of_another_shape_are_refused(shape):
    with pytest.raises(InputError, match=r"input 'input': expected shape \(1, 2\), got shape"):
        Stepper(tiny_graph()).step(np.zeros(shape, int))


def test_samples_are_not_guessed_from_flat_values():
    with pytest.raises(InputError, match=r"expected shape \(2, 2\), got shape \(4,\)"):
        Stepper(tiny_graph(), samples=2).step(np.zeros(4, int))


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ([NAN, 0.0], InputError, "finite numbers, got nan in channel 0 of sample 0"),
        ([0.0, -INF], InputError, "finite numbers, got -inf in channel 1 of sample 0"),
        ([128, 0], RangeError, r"expected -127 to 127 \(s8.4\), got 0 to 128"),
        ([0, -(2**62)], RangeError, r"expected -127 to 127 .* got -4\.6"),
        ([0, 2**70], InputError, "expected integers or real numbers, got object"),
        ([1j, 0], InputError, "expected integers or real numbers, got complex128"),
        (["1", "2"], InputError, "expected integers or real numbers, got <U1"),
        (None, InputError, "expected integers or real numbers, got None"),
        ([[1], [2, 3]], InputError, "expected an array, got rows of unlike lengths"),
    ],
)
def test_what_is_no_number_of_the_input_is_refused_and_nothing_moves(given, kind, said):
    stream = Stepper(pair_graph(readout="max"), record="all")
    stream.step([3.0, 500.0])
    before = stream.answer().tolist(), stream.clipped, stream.steps, stream.values
    with pytest.raises(kind, match=rf"input 'input': .*{said}"):
        stream.step(given)
    assert (stream.answer().tolist(), stream.clipped, stream.steps, stream.values) == before


def test_a_refused_step_does_not_reach_an_output_either():
    nodes: dict[str, Node] = {
        "in": Input(channels=2, out=Fixed(8)),
        "out": Output(channels=2, out=Fixed(8)),
    }
    stream = Stepper(Graph(nodes, (("in", "out"),)))
    assert stream.step([3, 4]).tolist() == [[3, 4]]
    with pytest.raises(RangeError):
        stream.step([5, 999])
    assert stream.answer().tolist() == [[3, 4]]


def test_a_stream_is_not_copied():
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a Stepper cannot be copied or pickled"):
            copied(Stepper(pair_graph()))


def test_what_cannot_become_an_array_is_refused():
    class Held:
        def __array__(self, *more: object, **options: object) -> np.ndarray:
            raise RuntimeError("it requires grad")

    with pytest.raises(InputError, match="input 'input': expected an array, got it requires grad"):
        Stepper(pair_graph()).step(Held())


def test_a_bad_second_input_leaves_the_first_uncounted():
    stream = Stepper(several_graph())
    with pytest.raises(InputError, match="input 'b': expected finite numbers"):
        stream.step({"a": [1e30], "b": [NAN]})
    assert stream.clipped == 0 and stream.states["sum.sum"].tolist() == [[0]]


def test_float_graphs_unknown_records_and_wrong_meta_are_refused():
    nodes = {"in": Input(channels=1, out=Fixed(8)), "out": Output(channels=1, out=Fixed(8))}
    mix = {"mix": Affine(weight=[[1.0]], bias=[0.0])}
    with pytest.raises(GraphError, match="'mix': expected an integer node"):
        Stepper(Graph(nodes | mix, (("in", "mix"), ("mix", "out"))))
    with pytest.raises(InputError, match="record: expected names of nodes, got 'x'"):
        Stepper(tiny_graph(), record="x")
    with pytest.raises(FormatError, match=r"graph\.meta readout"):
        Stepper(replace(tiny_graph(), meta={"readout": "loudest"}))
