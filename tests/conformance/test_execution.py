"""Every node type on every executor: the same integers, states, saturations and counters."""

from __future__ import annotations

from dataclasses import asdict

import chip_arithmetic
import numpy as np
import pytest
from conformance.cells import cell, each_type
from independent import counting, interpreter
from node_examples import NODE, STEPS, Example, examples

from neurossm import contract
from neurossm.engine import run
from neurossm.engine.stepper import Stepper
from neurossm.metrics import measure, multiplications
from neurossm.nodes import NODE_TYPES
from neurossm.quantization import Quantize, calibrate
from neurossm.store import Golden, save
from neurossm.trace import Trace

# what sends only spikes, or passes on, has nothing to clip but the sum of several edges
NEVER_SATURATES = ("Input", "Output", "Embedding", "BatchNorm", "Delay")
# one edge by their meaning; an Input has none
ONE_EDGE = ("Input", "Output", "Embedding", "BatchNorm", "Delay")


def reference(example: Example) -> Trace:
    """Return what the specification makes of an example."""
    return run(example.integers, example.inputs, "reference")


@each_type
def test_examples_are_valid(kind):
    with cell("examples", kind):
        found = examples(kind)
        assert len(found) >= 4, f"{len(found)} of at least 4; write some in node_examples.py"
        assert len({example.label for example in found}) == len(found)
        for example in found:
            assert type(example.node) is NODE_TYPES[kind], example.label
            assert contract.problems(example.integers) == (), example.label
            traced = run(example.graph, example.inputs, "float")
            assert all(np.isfinite(value).all() for value in traced.values.values())
        widths = {example.node.out_channels for example in found}
        # both parts of one complex state are two channels
        assert min(widths) == (2 if kind == "ComplexDiagonal" else 1) and len(widths) > 1
        edges = {len(example.graph.sources[NODE]) for example in found}
        assert len(edges) > 1 or kind in ONE_EDGE or (kind == "Product" and edges == {2})


@each_type
def test_it_has_integers_or_says_what_to_do_first(kind):
    with cell("integers", kind):
        for example in examples(kind):
            trace = run(example.graph, example.inputs, "float")
            Quantize()(example.graph, calibrate(example.graph, trace))


@each_type
def test_fast_is_the_reference(kind):
    with cell("fast", kind):
        for example in examples(kind):
            expected = reference(example)
            found = run(example.integers, example.inputs, "fast")
            same(found.values, expected.values, example)
            same(found.states, expected.states, example)
            assert dict(found.counts) == dict(expected.counts), example.label


@each_type
def test_fast_on_sequences_of_unlike_lengths_is_the_reference(kind):
    with cell("lengths", kind):
        for example in examples(kind):
            ends = np.array([STEPS, 1, STEPS - 5])
            expected, found = (
                run(example.integers, example.inputs, engine, lengths=ends)
                for engine in ("reference", "fast")
            )
            same(found.values, expected.values, example)
            same(found.states, expected.states, example)
            assert dict(found.counts) == dict(expected.counts), example.label
            for number, end in enumerate(ends):  # each is the run of it alone
                inputs = {n: array[number, None, :end] for n, array in example.inputs.items()}
                alone = run(example.integers, inputs, "reference")
                parts = {name: value[number, None, :end] for name, value in found.values.items()}
                same(parts, alone.values, example)


@each_type
def test_step_by_step_is_the_reference(kind):
    with cell("Stepper", kind):
        for example in examples(kind):
            expected = reference(example)
            stream = Stepper(example.integers, samples=expected.samples, record="all")
            for t in range(expected.steps):
                stream.step({name: array[:, t] for name, array in example.inputs.items()})
                now = {name: value[:, t] for name, value in expected.values.items()}
                same(stream.values, now, example)
            same(stream.states, expected.states, example)
            clipped = {name: counts.saturations for name, counts in expected.counts.items()}
            assert stream.saturations == clipped, example.label


@each_type
def test_the_chips_arithmetic_is_the_reference(kind, tmp_path):
    with cell("bundle", kind):
        for example in examples(kind):
            expected, path = reference(example), golden_file(example, tmp_path)
            for number, (values, states, clipped) in enumerate(chip_arithmetic.run(str(path))):
                same(values, {n: value[number] for n, value in expected.values.items()}, example)
                same(states, {n: state[number] for n, state in expected.states.items()}, example)
                inputs = {n: array[number, None] for n, array in example.inputs.items()}
                alone = run(example.integers, inputs, "reference").counts
                for name, count in clipped.items():
                    assert count == alone[name].saturations, (example.label, name)


@each_type
def test_an_interpreter_written_from_the_format_agrees(kind, tmp_path):
    with cell("FORMAT.md", kind):
        for example in examples(kind):
            file = interpreter.read(golden_file(example, tmp_path))
            assert len(file.golden) == 3
            assert interpreter.disagreements(file) == [], example.label


@each_type
def test_counters_are_those_counted_alone(kind, tmp_path):
    with cell("counters", kind):
        clipped = 0
        for example in examples(kind):
            trace, file = reference(example), interpreter.read(golden_file(example, tmp_path))
            alone = [counting.count(file, vector.inputs) for vector in file.golden]
            for name, counts in trace.counts.items():
                total = {key: sum(one[name][key] for one in alone) for key in counting.COUNTERS}
                assert asdict(counts) == total, (example.label, name)
            clipped += trace.counts[NODE].saturations if NODE in trace.counts else 0
        assert bool(clipped) is (kind not in NEVER_SATURATES), "the examples show no saturation"


# multiplications of one channel and step, from the equations of FORMAT.md by hand: each of the
# four products of a complex pole and a state, two into it, two out of it, one past it; of a state
# that sends both parts, two for each
FIXED = {
    "Product": lambda node: 1,
    "PiecewiseLinear": lambda node: 1,
    "DiagonalSSM": lambda node: 8 * node.modes + 1,
    "ComplexDiagonal": lambda node: 2,
    "LIF": lambda node: 2 if node.has_trace else 1,
    "AdaptiveLIF": lambda node: 3,
    "ResonateAndFire": lambda node: 4,
}


@each_type
def test_multiplications_are_those_of_the_equation(kind):
    with cell("multiplies", kind):
        for example in examples(kind):
            graph, trace = example.integers, reference(example)
            found = multiplications(graph, measure(graph, trace))
            if NODE not in graph.nodes:
                continue  # folded
            node = graph.nodes[NODE]
            expected = FIXED[kind](node) * node.out_channels if kind in FIXED else 0
            expected *= trace.samples * trace.steps
            counted = found.recurrence.get(NODE, 0) + found.gates.get(NODE, 0)
            assert counted == expected, example.label
            assert found.synapses.get(NODE, 0) == trace.counts[NODE].synaptic_multiplies


def golden_file(example: Example, folder) -> object:
    """Save an example with a golden vector of each of its samples."""
    trace, path = reference(example), folder / "example.nssm"
    samples = range(trace.samples)
    save(
        path, example.integers, tuple(Golden.from_trace(example.inputs, trace, n) for n in samples)
    )
    return path


def same(found, expected, example: Example) -> None:
    """Compare integers by name, all of them."""
    assert set(found) == set(expected), example.label
    for name, values in expected.items():
        note = f"{example.label}: {name}"
        np.testing.assert_array_equal(np.asarray(found[name]), values, err_msg=note)


def test_a_difference_is_found():
    (example, *_) = examples("Affine")
    expected = reference(example).values
    other = {name: value + (name == NODE) for name, value in expected.items()}
    with pytest.raises(AssertionError, match="graded: node"):
        same(other, expected, example)
