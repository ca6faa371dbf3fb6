"""The answer to a sequence by every readout, on traces written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from neurossm.fixed import Fixed, Quantized, TargetScaling
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm.metrics import answers
from neurossm.metrics.answers import chosen
from neurossm.metrics.end_to_end import Predictions, predictions
from neurossm.nodes import Input, Output, Threshold
from neurossm.trace import Trace

# two sequences of 3 and 2 of 3 steps, two channels; what stands behind an end is of no meaning
SENT = np.array([[[1, 8], [5, 2], [3, 4]], [[2, 1], [-4, 6], [90, 90]]])
LENGTHS = np.array([3, 2])


def graph(frac: int = 0, **about: object) -> Graph:
    nodes = {
        "in": Input(channels=2, out=Fixed(9, frac)),
        "out": Output(channels=2, out=Fixed(9, frac)),
    }
    made = Graph(nodes, (("in", "out"),), meta={"steps": 6})
    return Interface(**about).applied(made)  # type: ignore[arg-type]


def trace(sent: np.ndarray = SENT) -> Trace:
    return Trace("fast", {"out": sent}, *sent.shape[:2], lengths=LENGTHS)


@pytest.mark.parametrize(
    ("readout", "expected"),
    [
        ("", [[3, 4], [-4, 6]]),
        ("last", [[3, 4], [-4, 6]]),
        ("sum", [[3, 4], [-4, 6]]),
        ("leaky", [[3, 4], [-4, 6]]),
        ("max", [[5, 8], [2, 6]]),
        # the graph adds up sixths of what it sends, as it was made for 6 steps
        ("mean", [[3 * 6 / 3, 4 * 6 / 3], [-4 * 6 / 2, 6 * 6 / 2]]),
    ],
)
def test_a_sequence_is_answered_by_its_readout(readout, expected):
    np.testing.assert_array_equal(answers(graph(readout=readout), trace()), expected)
    # in halves, and as real numbers
    halves = np.asarray(expected) / 2
    np.testing.assert_array_equal(answers(graph(1, readout=readout), trace()), halves)
    real = answers(graph(1, readout=readout), trace(SENT / 2))
    np.testing.assert_array_equal(real, halves)


def test_the_largest_of_negative_values_is_none_of_the_padding():
    """No zero takes part: not that behind a sequence's end, and not one to start from."""
    below = SENT - 100
    expected = [[-95, -92], [-98, -94]]
    np.testing.assert_array_equal(answers(graph(readout="max"), trace(below)), expected)
    real = answers(graph(1, readout="max"), trace(below / 2))
    np.testing.assert_array_equal(real, np.array(expected) / 2)


def test_every_step_is_answered_and_nothing_behind_the_end():
    found = answers(graph(task="step-regression"), trace())
    np.testing.assert_array_equal(found, [SENT[0], [[2, 1], [-4, 6], [0, 0]]])
    assert answers(graph(readout="every-step"), trace()).shape == (2, 3, 2)


def test_numbers_have_the_units_of_the_labels():
    target = TargetScaling([10.0, 0.5], [100.0, -1.0])
    found = answers(graph(task="regression", readout="last", target=target), trace())
    np.testing.assert_array_equal(found, [[130, 1], [60, 2]])


def test_spikes_are_counted_to_the_end_whatever_the_readout():
    nodes = {"in": Input(channels=2, out=Fixed(9)),
             "lif": Threshold(theta=Quantized(np.array([1, 1]), 0, 24)),
             "out": Output(channels=2, out=Fixed.binary())}  # fmt: skip
    made = Graph(nodes, (("in", "lif"), ("lif", "out")), meta={"steps": 6})
    spikes = np.array([[[1, 0], [1, 1], [0, 1]], [[0, 1], [0, 1], [1, 0]]])
    for readout in ("", "last", "max", "mean"):
        found = answers(Interface(readout=readout).applied(made), trace(spikes))
        np.testing.assert_array_equal(found, [[2, 2], [0, 2]])


def test_what_answers_choose():
    found = np.array([[0.5, 2.0], [1.0, -1.0]])
    assert chosen("classification", found).tolist() == [1, 0]
    assert chosen("multilabel", found).tolist() == [[True, True], [True, False]]
    assert chosen("regression", found) is None and chosen("classification", found[:, :1]) is None


def test_predictions_of_a_check_follow_the_same_rule():
    # the largest of all steps: 8 and 6; at the last step, 4 and 6
    other = SENT.copy()
    other[0, 0] = [9, 8]
    assert predictions(graph(readout="last"), trace(), trace(other)) == Predictions(2, 2, 0)
    found = predictions(graph(readout="max"), trace(), trace(other))
    assert found == Predictions(2, 1, 1)
    by_step = predictions(graph(task="step-classification"), trace(), trace(other))
    assert by_step == Predictions(5, 4, 1)  # of five steps the first one
    assert predictions(graph(task="regression"), trace(), trace(other)) is None
