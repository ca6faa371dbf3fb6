"""Bit for bit: the fast engine is the reference engine, on random graphs of all node types."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import QUICK, Case, cases

from neurossm import contract
from neurossm.engine import fast, reference, run
from neurossm.engine.fast import Stepper
from neurossm.nodes import NODE_TYPES
from neurossm.trace import Counts, Trace


def assert_equal(left: Trace, right: Trace) -> None:
    """Values, states and counts, all of them."""
    assert set(left.values) == set(right.values)
    for name, value in left.values.items():
        np.testing.assert_array_equal(value, right.values[name], err_msg=name)
    assert set(left.states) == set(right.states)
    for name, state in left.states.items():
        np.testing.assert_array_equal(state, right.states[name], err_msg=name)
    assert dict(left.counts) == dict(right.counts)


@given(cases())
@QUICK
def test_fast_equals_reference(case: Case):
    expected = run(case.graph, case.inputs, "reference")
    assert_equal(run(case.graph, case.inputs, "fast"), expected)


@given(cases())
@QUICK
def test_every_value_lies_in_the_format_of_its_node(case: Case):
    trace = run(case.graph, case.inputs, "reference")
    for name, values in trace.values.items():
        out = case.graph.nodes[name].out
        assert out.low <= values.min() and values.max() <= out.high


@given(cases(), st.data())
@QUICK
def test_recording_less_changes_nothing_else(case: Case, data: st.DataObject):
    names = tuple(data.draw(st.lists(st.sampled_from(case.graph.order), unique=True)))
    whole = run(case.graph, case.inputs, "fast")
    for engine in ("fast", "reference"):
        part = run(case.graph, case.inputs, engine, record=names)
        assert_equal(part, Trace(engine, {name: whole.values[name] for name in names},
                                 whole.samples, whole.steps, whole.states, whole.counts))  # fmt: skip


@given(cases(), st.integers(1, 5))
@QUICK
def test_splitting_a_batch_changes_nothing(case: Case, first: int):
    samples = next(iter(case.inputs.values())).shape[0]
    first = min(first, samples)
    whole = fast.run(case.graph, case.inputs, case.graph.order, threads=1)
    assert_equal(fast.run(case.graph, case.inputs, case.graph.order, threads=3), whole)
    parts = [slice(0, first)] + ([slice(first, samples)] if first < samples else [])
    traces = [
        run(case.graph, {name: array[part] for name, array in case.inputs.items()}, "fast")
        for part in parts
    ]
    joined = {
        name: np.concatenate([trace.values[name] for trace in traces]) for name in whole.values
    }
    states = {
        name: np.concatenate([trace.states[name] for trace in traces]) for name in whole.states
    }
    counts = {
        name: sum((trace.counts[name] for trace in traces), Counts()) for name in whole.counts
    }
    assert_equal(Trace("fast", joined, samples, whole.steps, states, counts), whole)


@given(cases(inputs=1))
@QUICK
def test_token_by_token_is_the_whole_run(case: Case):
    tokens = case.inputs[case.graph.inputs[0]]
    whole = reference.run(case.graph, case.inputs, case.graph.outputs)
    stepper = Stepper(case.graph, samples=len(tokens))
    for t in range(tokens.shape[1]):
        got = stepper.step(tokens[:, t])
        np.testing.assert_array_equal(got, whole.values[case.graph.outputs[0]][:, t])


def test_the_graphs_reach_what_they_claim_to_reach():
    """All node types, converging edges, every kind of message, saturations; and few are invalid."""
    seen: Counter[str] = Counter()

    @given(cases())
    @QUICK
    def collect(case: Case) -> None:
        graph, trace = case.graph, run(case.graph, case.inputs, "reference")
        assert not contract.problems(graph)
        seen["graphs"] += 1
        for name, node in graph.nodes.items():
            seen[type(node).__name__] += 1
            seen[f"{node.out.kind} messages"] += 1
            seen["negative frac"] += node.out.frac < 0
            several = len(graph.sources[name]) > 1
            seen[f"edges that add into {type(node).__name__}"] += several
            saturated = trace.counts[name].saturations > 0
            seen[f"saturations in {type(node).__name__}"] += saturated
        seen["unread nodes"] += any(
            not graph.targets[name] for name in graph.nodes if name not in graph.outputs
        )

    collect()
    for name in set(NODE_TYPES) - {"BatchNorm"}:
        assert seen[name] >= 10, (name, seen)
    for what in ("Affine", "DiagonalSSM", "Threshold", "PiecewiseLinear", "Accumulate"):
        assert seen[f"edges that add into {what}"] >= 3, (what, seen)
    for what in ("Affine", "DiagonalSSM", "Sum", "Product", "PiecewiseLinear", "Accumulate"):
        assert seen[f"saturations in {what}"] >= 3, (what, seen)
    for what in ("binary messages", "ternary messages", "graded messages", "negative frac"):
        assert seen[what] >= 10, (what, seen)
    assert seen["unread nodes"] >= 3, seen
