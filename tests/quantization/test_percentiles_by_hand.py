"""Percentiles of several channels and operands, and exponents of rows, from plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, DiagonalSSM, Input, Output, Sum
from neurossm.quantization import Percentiles
from neurossm.quantization.lost_weights import _rows, _width
from neurossm.quantization.rows import graded_frac
from neurossm.trace import Trace


def two_channels() -> Graph:
    nodes = {"in": Input(channels=2, out=Fixed(9, 0)), "sum": Sum(channels=2),
             "out": Output(channels=2)}  # fmt: skip
    return Graph(nodes, (("in", "sum"), ("sum", "out")))


def test_the_values_of_all_channels_count() -> None:
    # 400 magnitudes of two channels in 200 steps: at 99% four may be larger, 397 to 400
    values = np.arange(1, 401, dtype=float).reshape(1, 200, 2)
    for percent, expected in ((100, 400), (99.5, 398), (99, 396)):
        kept = Percentiles(two_channels(), ("sum",), percent, 200)
        kept.add(Trace("float", {"sum": values}, 1, 200))
        assert kept.result() == {"sum": expected}, percent


def test_the_smallest_of_what_was_seen_is_no_zero_that_was_not() -> None:
    # fewer values than would be kept: two of 3 and 4, where 201 steps were announced
    kept = Percentiles(two_channels(), ("sum",), 99, 201)
    kept.add(Trace("float", {"sum": np.array([[[3.0, -4.0]]])}, 1, 1))
    assert kept.result() == {"sum": 3.0}


def test_moduli_of_states_are_those_of_the_recurrence_with_all_operands_and_the_drive() -> None:
    pole, gain, drive = 0.5 + 0.25j, 1.0 - 2.0j, 0.125 + 0.5j
    ssm = DiagonalSSM(
        a_re=[[pole.real]], a_im=[[pole.imag]], b_re=[[gain.real]], b_im=[[gain.imag]],
        c_re=[[1.0]], c_im=[[0.0]], d=[0.0], bias=[0.0], drive_re=[[drive.real]],
        drive_im=[[drive.imag]], step_size=[1.0], method="zoh",
    )  # fmt: skip
    nodes = {name: Input(channels=1, out=Fixed(9, 0)) for name in "abc"}
    graph = Graph({**nodes, "ssm": ssm, "out": Output(channels=1)},
                  (("a", "ssm"), ("b", "ssm"), ("c", "ssm"), ("ssm", "out")))  # fmt: skip
    given = {"a": [1, 0, 2], "b": [3, -1, 0], "c": [-2, 5, 7]}
    state, moduli = 0j, []
    for t in range(3):
        state = pole * state + gain * (given["a"][t] + given["b"][t] + given["c"][t]) + drive
        moduli.append(abs(state))
    kept = Percentiles(graph, ("ssm",), 100, 3)
    inputs = {name: np.array(values).reshape(1, 3, 1) for name, values in given.items()}
    kept.add(run(graph, inputs, "float", "all"))
    assert kept.states()["ssm"] == pytest.approx(np.array([[max(moduli)]]))


@pytest.mark.parametrize(
    ("names", "moments", "said"),
    [(("none",), 200, "names: expected names of nodes, got 'none'"),
     (("sum",), 0, "moments: expected a whole number of at least 1, got 0"),
     (("sum",), 2.5, "moments: expected a whole number of at least 1, got 2.5")],
)  # fmt: skip
def test_what_cannot_be_collected_is_refused(names, moments, said) -> None:
    with pytest.raises(InputError, match=said):
        Percentiles(two_channels(), names, 99, moments)


def test_a_row_is_as_fine_as_its_weights_and_its_sum_allow() -> None:
    weight = np.array([[1000.0, 0.0], [0.5, 0.25], [1e-9, 0.0], [0.0, 0.0]])
    node = Affine(weight=weight, bias=[0.0, 1e5, 0.0, 3.0])
    # 1000 in 8 bits: -3. 0.5: 7, if the sum allows: messages of up to 2**10 / 2**4 = 64 make
    # 0.75 * 64 + 100,000 at most; 22 bits and a sign hold 5 fraction bits of that (2**22 / 100,048
    # is 41.9), of which 4 are the messages'. 1e-9: 36, and its small sum allows more. No weights:
    # as all.
    found = graded_frac(node, 8, (2**10, 4), by_row=True)
    assert np.asarray(found).tolist() == [-3, 1, 36, -3]
    light = replace(node, bias=np.array([0.0, -10.0, 0.0, 3.0]))
    # 2**22 / 58 is above 2**16, so 7 by the size of the weights
    assert np.asarray(graded_frac(light, 8, (2**10, 4), by_row=True)).tolist() == [-3, 7, 36, -3]
    assert graded_frac(light, 8, (2**10, 4), by_row=False) == -3
    # rows of which none can be finer share a number
    alike = Affine(weight=[[1.0], [1.1]], bias=[0.0, 0.0])
    assert graded_frac(alike, 8, (2**10, 4), by_row=True) == 6


def test_what_became_zero_needs_a_bit_for_each_doubling() -> None:
    assert [_width(8, times) for times in (0.5, 1.0, 1.5, 2.0, 2.1, 1e30)] == [8, 8, 9, 9, 10, 64]


@pytest.mark.parametrize(
    ("dead", "said"),
    [([3], "row 3"), ([0, 2], "2 rows (0, 2)"), ([0, 1, 2, 3], "4 rows (0, 1, 2, 3)"),
     ([0, 1, 2, 3, 5], "5 rows (0, 1, 2, 3, ...)")],
)  # fmt: skip
def test_four_rows_are_named_and_no_more(dead: list[int], said: str) -> None:
    mask = np.zeros(6, dtype=bool)
    mask[dead] = True
    assert _rows(mask) == said
