"""Token by token: states are carried, reset, kept apart; what cannot be stepped is refused."""

import numpy as np
import pytest
from spiking_block import TINY_INPUT, integers, model_graph, model_input, tiny_graph

from neurossm.engine import run
from neurossm.engine.stepper import Stepper
from neurossm.errors import GraphError, InputError, RangeError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output, Threshold


def test_the_tokens_of_two_sequences_are_those_of_the_whole_run():
    graph = model_graph(blocks=2, channels=4, modes=3, classes=3)
    inputs = model_input(30, samples=2)
    whole = run(graph, inputs, "reference").values["output"]
    assert np.count_nonzero(np.diff(whole[:, :, 0])) > 10, "the test sees no change"
    stepper = Stepper(graph, samples=2)
    for t in range(30):
        np.testing.assert_array_equal(stepper.step(inputs[:, t]), whole[:, t])


def test_reset_starts_anew_and_two_steppers_share_nothing():
    # the tiny graph's sum by hand: spikes 1 1 give 5 - 4 = 1, then no spikes
    one, other = Stepper(tiny_graph()), Stepper(tiny_graph())
    token = TINY_INPUT[0, 0]
    assert [one.step(token).tolist() for _ in range(3)] == [[[1]], [[2]], [[3]]]
    assert other.step(token).tolist() == [[1]]
    one.reset()
    assert one.step(token).tolist() == [[1]]


def test_what_a_step_returned_is_not_overwritten_by_the_next():
    stepper = Stepper(tiny_graph())
    first = stepper.step(TINY_INPUT[0, 0])
    stepper.step(TINY_INPUT[0, 0])
    assert first.tolist() == [[1]]


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 2), (1, 1, 2), ()])
def test_a_token_of_another_shape_is_refused(shape):
    with pytest.raises(InputError, match=r"token: expected shape \(1, 2\)"):
        Stepper(tiny_graph()).step(np.zeros(shape, int))


def test_samples_are_not_guessed_from_a_flat_token():
    with pytest.raises(InputError, match=r"expected shape \(2, 2\), got shape \(4,\)"):
        Stepper(tiny_graph(), samples=2).step(np.zeros(4, int))


def test_a_token_outside_the_format_or_of_another_type_is_refused():
    with pytest.raises(RangeError, match="0 to 1"):
        Stepper(tiny_graph()).step(np.array([2, 0]))
    with pytest.raises(InputError, match="expected integers"):
        Stepper(tiny_graph()).step(np.array([0.5, 0.0]))


def test_float_graphs_and_several_outputs_are_refused():
    nodes = {"in": Input(channels=1, out=Fixed(8)), "out": Output(channels=1, out=Fixed(8))}
    mix = {"mix": Affine(weight=[[1.0]], bias=[0.0])}
    with pytest.raises(GraphError, match="'mix': expected an integer node"):
        Stepper(Graph(nodes | mix, (("in", "mix"), ("mix", "out"))))
    fire = {
        "fire": Threshold(theta=integers([1], 0, 24)),
        "spikes": Output(channels=1, out=Fixed.binary()),
    }
    with pytest.raises(GraphError, match="one Input and one Output, got 1 and 2"):
        Stepper(Graph(nodes | fire, (("in", "fire"), ("in", "out"), ("fire", "spikes"))))
