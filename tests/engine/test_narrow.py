"""Narrow recurrences, simulated: by hand on one state, and wide ones against the float engine."""

import numpy as np
import pytest
from spiking_block import integers, model_graph, model_input

from neurossm.engine import run
from neurossm.engine.narrow import run_narrow
from neurossm.errors import RangeError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Delay, DiagonalSSM, Input, Output, Sum


def one_state(pole: float) -> Graph:
    one, zero = [[1.0]], [[0.0]]
    ssm = DiagonalSSM(
        a_re=[[pole]], a_im=zero, b_re=one, b_im=zero, c_re=[[0.5]], c_im=zero, d=[0.0],
        drive_re=zero, drive_im=zero, bias=[0.0], step_size=[0.1], method="zoh",
    )  # fmt: skip
    nodes = {"x": Input(channels=1, out=Fixed(8)), "ssm": ssm, "y": Output(channels=1)}
    return Graph(nodes, (("x", "ssm"), ("ssm", "y")))


def test_a_state_of_four_bits_by_hand() -> None:
    # the largest state is the first, 7, and the largest number 7: the unit is 1; the pole 0.6 is
    # 5/8 in four bits: 7 -> 4.375, 4 -> 2.5, 2 (ties to even) -> 1.25, 1 -> 0.625, 1: it stays
    inputs = {"x": np.array([[[7], [0], [0], [0], [0], [0]]])}
    assert run_narrow(one_state(0.6), inputs, 4)["y"].ravel().tolist() == [7, 4, 2, 1, 1, 1]


def test_many_bits_are_the_float_engine() -> None:
    graph, inputs = model_graph(blocks=1, channels=4, modes=2, classes=3), model_input(50)
    exact = run(graph, inputs, "float").values["output"]
    wide, coarse = (run_narrow(graph, {"input": inputs}, bits)["output"] for bits in (24, 4))
    largest = np.abs(exact).max()
    assert np.abs(wide - exact).max() < 1e-5 * largest
    assert np.abs(coarse - exact).max() > 1e-4 * largest


def test_neurons_behind_a_recurrence_send_their_spikes() -> None:
    # 7, 4.2, 2.52, 1.512 arrive, and nothing stays of a membrane: a spike is where 3 is reached
    graph = one_state(0.6)
    neuron = LIF(theta=[3.0], tau=[0.0], rho=[0.0], kappa=[0.0], reset="hard")
    nodes = {**graph.nodes, "spike": neuron}
    spiking = Graph(nodes, (("x", "ssm"), ("ssm", "spike"), ("spike", "y")))
    inputs = {"x": np.array([[[7], [0], [0], [0]]])}
    assert run_narrow(spiking, inputs, 16)["y"].ravel().tolist() == [1, 1, 0, 0]


def test_a_state_that_feeds_itself_through_a_delay_by_hand() -> None:
    # half of the state and a quarter of what was sent at the step before: 7, 5.25 -> 5,
    # 2.5 + 1.25 = 3.75 -> 4, 3, 2.25 -> 2, 1.5 -> 2 (ties to even), 2: the unit is 1
    graph = one_state(0.5)
    nodes = {**graph.nodes, "later": Delay(channels=1, steps=np.array([1])),
             "back": Affine(weight=np.array([[0.25]]), bias=np.zeros(1)),
             "both": Sum(channels=1)}  # fmt: skip
    edges = (("x", "both"), ("back", "both"), ("both", "ssm"), ("ssm", "y"), ("ssm", "later"),
             ("later", "back"))  # fmt: skip
    inputs = {"x": np.array([[[7]] + [[0]] * 6])}
    found = run_narrow(Graph(nodes, edges), inputs, 4)["y"].ravel().tolist()
    assert found == [7, 5, 4, 3, 2, 2, 2]


def test_poles_stay_inside_and_widths_are_checked() -> None:
    inputs = {"x": np.array([[[7]] + [[0]] * 30])}
    found = run_narrow(one_state(0.9999), inputs, 4)["y"].ravel()
    assert found[-1] < found[0]  # 7/8, not 1
    for bits in (1, 25):
        with pytest.raises(RangeError, match="expected 2 to 24 bits"):
            run_narrow(one_state(0.5), inputs, bits)


def test_integer_parameters_are_the_numbers_that_they_stand_for() -> None:
    assert integers([3], 1).dequantize().tolist() == [1.5]
