"""Traces and their comparison: the first place where two runs part, and how far."""

import numpy as np
import pytest
from spiking_block import TINY_INPUT, tiny_graph

from neurossm.comparison import compare, joined
from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.trace import Counts, Trace, units

ORDER = ("a", "b")


def trace(**values) -> Trace:
    arrays = {name: np.asarray(value) for name, value in values.items()}
    samples, steps = next(iter(arrays.values())).shape[:2]
    return Trace("reference", arrays, samples, steps)


# two samples, three steps, two channels
BASE = np.arange(12).reshape(2, 3, 2)


def changed(*places: tuple[int, int, int]) -> np.ndarray:
    copy = BASE.copy()
    for place in places:
        copy[place] += 10
    return copy


def test_equal_traces_have_no_mismatch():
    found = compare(trace(a=BASE, b=BASE), trace(a=BASE, b=BASE.astype(np.int32)), ORDER)
    assert found.first is None
    assert (found.compared, found.mismatches) == (24, 0)


def test_the_earliest_step_comes_first_then_the_order_of_the_graph():
    left = trace(a=BASE, b=BASE)
    # a parts at step 2, b at step 1
    found = compare(left, trace(a=changed((0, 2, 0)), b=changed((1, 1, 1), (0, 2, 0))), ORDER)
    assert (found.first.node, found.first.sample, found.first.step, found.first.channel) == (
        "b", 1, 1, 1
    )  # fmt: skip
    assert (found.first.left, found.first.right) == (9, 19)
    assert str(found.first) == "'b', sample 1, step 1, channel 1: 9 against 19"
    # both at step 1: the one that comes first in the graph
    both = trace(a=changed((1, 1, 0)), b=changed((0, 1, 0)))
    assert compare(left, both, ORDER).first.node == "a"
    assert compare(left, both, ("b", "a")).first.node == "b"


def test_within_a_step_the_first_sample_and_channel():
    found = compare(trace(a=BASE), trace(a=changed((1, 1, 0), (0, 1, 1))), ORDER).first
    assert (found.sample, found.channel) == (0, 1)


def test_rows_count_and_measure_the_differences():
    found = compare(trace(a=BASE), trace(a=changed((0, 0, 0), (1, 2, 1))), ORDER)
    (row,) = found.rows
    assert (row.compared, row.mismatches, row.largest) == (12, 2, 10)
    assert row.mean == pytest.approx(20 / 12)
    assert row.range_left == 11
    assert found.mismatches == 2


def test_integers_are_brought_to_real_units():
    real = Trace("float", {"a": np.array([[[0.75]]])}, 1, 1)
    found = compare(real, trace(a=[[[2]]]), ORDER, {"a": 0.25})
    assert (found.first.left, found.first.right) == (0.75, 0.5)
    assert found.rows[0].largest == 0.25
    assert compare(real, trace(a=[[[3]]]), ORDER, {"a": 0.25}).first is None


def test_units_are_those_of_the_formats():
    found = units(tiny_graph())
    assert found["mix"] == 1.0 and set(found) == set(tiny_graph().nodes)


def test_only_what_both_hold_is_compared_and_nothing_shared_is_an_error():
    found = compare(trace(a=BASE, b=BASE), trace(b=BASE), ORDER)
    assert [row.node for row in found.rows] == ["b"]
    with pytest.raises(InputError, match="a node that both traces hold"):
        compare(trace(a=BASE), trace(b=BASE), ORDER)


def test_other_shapes_are_an_error():
    with pytest.raises(InputError, match=r"trace of 'a': expected shape \(2, 3, 2\)"):
        compare(trace(a=BASE), trace(a=BASE[:, :2]), ORDER)
    with pytest.raises(InputError, match=r"trace of 'a': expected \(2, 3, C\), got shape"):
        Trace("fast", {"a": BASE[:1]}, 2, 3)


def test_counts_add_and_saturations_sum_over_nodes():
    one, two = Counts(1, 2, 3, 4, 5, 6, 7), Counts(10, 20, 30, 40, 50, 60, 70)
    assert one + two == Counts(11, 22, 33, 44, 55, 66, 77)
    both = Trace("fast", {}, 1, 1, counts={"a": one, "b": two})
    assert both.saturations() == 77


def test_a_trace_cannot_be_changed():
    found = run(tiny_graph(), TINY_INPUT, "reference")
    with pytest.raises(TypeError):
        found.values["mix"] = BASE


def test_agreement_is_the_share_of_equal_values():
    (row,) = compare(trace(a=BASE), trace(a=changed((0, 0, 0), (0, 1, 0), (1, 2, 1))), ORDER).rows
    assert row.agreement == 0.75


def test_integers_of_unlike_formats_are_brought_to_real_units():
    # 3 quarters and 6 eighths are equal, 2 quarters and 5 eighths are not
    found = compare(
        trace(a=[[[3]], [[2]]]), trace(a=[[[6]], [[5]]]), ORDER, {"a": 1 / 8}, {"a": 1 / 4}
    )
    assert (found.mismatches, found.first.sample) == (1, 1)
    assert (found.first.left, found.first.right) == (0.5, 0.625)


def test_parts_of_the_samples_join_to_the_whole():
    left, right = (
        trace(a=BASE, b=BASE),
        trace(a=changed((1, 2, 0)), b=changed((1, 1, 1), (0, 1, 0))),
    )
    whole = compare(left, right, ORDER)
    parts = [
        (sample, compare(
            trace(**{name: value[sample : sample + 1] for name, value in left.values.items()}),
            trace(**{name: value[sample : sample + 1] for name, value in right.values.items()}),
            ORDER,
        ))
        for sample in (0, 1)
    ]  # fmt: skip
    assert joined(parts) == whole
    assert whole.first.node == "b" and whole.first.sample == 0
    assert joined(parts[1:]).first.sample == 1, "samples are counted from the first part"


def test_a_mean_over_parts_of_unlike_sizes_is_that_over_all_values():
    zeros = np.zeros((3, 2, 1))
    # one sample is wrong by 6 at every step, two others are right: 2 on average, not 3
    first, rest = trace(a=zeros[:1] + 6), trace(a=zeros[1:])
    parts = [
        (0, compare(trace(a=zeros[:1]), first, ORDER)),
        (1, compare(trace(a=zeros[1:]), rest, ORDER)),
    ]
    (row,) = joined(parts).rows
    assert (row.mean, row.largest, row.compared, row.mismatches) == (2.0, 6.0, 6, 2)
