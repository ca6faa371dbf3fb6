"""Bit for bit: the fast engine is the reference engine, on random graphs of all node types."""

from collections import Counter
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import QUICK, Case, cases

from neurossm.engine import fast, reference, run
from neurossm.engine.compiled import FORMS
from neurossm.engine.stepper import Stepper
from neurossm.nodes import LIF, NODE_TYPES, AdaptiveLIF, Affine, ResonateAndFire, message_frac
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


def test_fast_equals_reference_and_values_keep_their_formats():
    seen: Counter[str] = Counter()

    @given(cases())
    @settings(QUICK, max_examples=350)
    def check(case: Case) -> None:
        expected = run(case.graph, case.inputs, "reference")
        assert_equal(run(case.graph, case.inputs, "fast"), expected)
        for name, values in expected.values.items():
            out = case.graph.nodes[name].out
            assert out.low <= values.min() and values.max() <= out.high
        seen.update(reached(case, expected))

    check()
    # the graphs reach what they claim: all nodes, converging edges, all messages, saturations
    for name in set(NODE_TYPES) - {"BatchNorm"}:
        assert seen[name] >= 10, (name, seen)
    adding = ("Affine", "DiagonalSSM", "Threshold", "PiecewiseLinear", "Accumulate",
              "TernaryThreshold", "LIF", "AdaptiveLIF", "ResonateAndFire",
              "AdaptiveThreshold", "ComplexDiagonal")  # fmt: skip
    for what in adding:
        assert seen[f"edges that add into {what}"] >= 3, (what, seen)
    for what in ("Affine", "DiagonalSSM", "Sum", "Product", "PiecewiseLinear", "Accumulate", "LIF",
                 "AdaptiveLIF", "ResonateAndFire", "ComplexDiagonal"):  # fmt: skip
        assert seen[f"saturations in {what}"] >= 3, (what, seen)
    for kind, choices in (("LIF", LIF.resets), ("AdaptiveLIF", AdaptiveLIF.resets),
                          ("AdaptiveLIF", AdaptiveLIF.sides),
                          ("ResonateAndFire", ResonateAndFire.resets),
                          ("ResonateAndFire", ResonateAndFire.drives)):  # fmt: skip
        for choice in choices:
            assert seen[f"spikes of {kind}, {choice}"] >= 3, (kind, choice, seen)
    for what in ("one exponent", "exponents by channel", "wide leaks", "exponents by row"):
        assert seen[what] >= 3, (what, seen)
    assert seen["refractory variables"] >= 3 and seen["ternary weights of graded messages"] >= 3, (
        seen
    )
    for what in ("binary", "ternary", "graded", "negative frac", "unread"):
        assert seen[what] >= 3, (what, seen)


@given(cases())
@settings(QUICK, max_examples=40)
def test_what_has_no_kernel_runs_by_its_own_steps(case: Case):
    expected = run(case.graph, case.inputs, "reference")
    with patch.dict(FORMS, clear=True):
        assert_equal(run(case.graph, case.inputs, "fast"), expected)


def reached(case: Case, trace: Trace) -> Counter[str]:
    """Count what a case exercises."""
    seen: Counter[str] = Counter()
    for name, node in case.graph.nodes.items():
        kind = type(node).__name__
        seen[kind] += 1
        seen[node.out.kind] += 1
        seen["negative frac"] += node.out.frac < 0
        seen["unread"] += kind != "Output" and not case.graph.targets[name]
        seen[f"edges that add into {kind}"] += len(case.graph.sources[name]) > 1
        seen[f"saturations in {kind}"] += trace.counts[name].saturations > 0
        for choice in ("reset", "adapts_on", "drive"):
            if hasattr(node, choice):
                chosen = f"spikes of {kind}, {getattr(node, choice)}"
                seen[chosen] += trace.counts[name].spikes_out > 0
        if isinstance(node, LIF):
            arriving = message_frac(case.graph.nodes[case.graph.sources[name][0]])
            finer = node.theta.frac_by_channel() - arriving
            fired = trace.counts[name].spikes_out > 0
            seen["one exponent"] += fired and isinstance(node.theta.frac, int) and np.any(finer)
            seen["exponents by channel"] += fired and np.ptp(finer) > 0
            seen["wide leaks"] += fired and node.tau.frac > 12
            seen["exponents by row"] += fired and not isinstance(arriving, int)
            seen["refractory variables"] += bool(np.any(trace.states.get(f"{name}.r", 0)))
        if isinstance(node, Affine) and node.only_adds:
            graded = not case.graph.nodes[case.graph.sources[name][0]].out.is_spike
            seen["ternary weights of graded messages"] += graded and trace.counts[name].syn_ops > 0
    return seen


@given(cases(), st.data())
@settings(QUICK, max_examples=25)
def test_recording_less_changes_nothing_else(case: Case, data: st.DataObject):
    names = tuple(data.draw(st.lists(st.sampled_from(case.graph.order), unique=True)))
    whole = run(case.graph, case.inputs, "fast")
    for engine in ("fast", "reference"):
        part = run(case.graph, case.inputs, engine, record=names)
        kept = {name: whole.values[name] for name in names}
        assert_equal(part, replace(whole, values=kept))


@given(cases(), st.integers(1, 5))
@settings(QUICK, max_examples=25)
def test_splitting_a_batch_or_the_threads_changes_nothing(case: Case, first: int):
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


@given(cases(inputs=1, outputs=1))
@settings(QUICK, max_examples=25)
def test_token_by_token_is_the_whole_run(case: Case):
    tokens = case.inputs[case.graph.inputs[0]]
    whole = reference.run(case.graph, case.inputs, case.graph.outputs)
    stepper = Stepper(case.graph, samples=len(tokens))
    for t in range(tokens.shape[1]):
        got = stepper.step(tokens[:, t])
        np.testing.assert_array_equal(got, whole.values[case.graph.outputs[0]][:, t])
