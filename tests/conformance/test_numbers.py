"""What the integers of every node type are worth: bounds that hold, errors that are small."""

from __future__ import annotations

import numpy as np
import pytest
from conformance.cells import KINDS, cell, each_type
from conformance.test_execution import reference
from node_examples import NODE, Example, examples

from neurossm.engine import run
from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.quantization import Bounds, bounds
from neurossm.trace import Trace, units

# the register that bounds a part of a state
REGISTERS = {
    "re": "state",
    "im": "state",
    "u": "membrane",
    "r": "trace",
    "w": "adaptation",
    "sum": "message",
}

# largest error of a message, of the largest message; of nodes that spike, of all their steps the
# part at which they differ
TOLERANCES: dict[str, tuple[float, str]] = {
    "Input": (0, "it is integers from the start"),
    "Output": (0.01, "it passes on what the synapses in front of it round"),
    "Affine": (
        0.02,
        "8 bits of weight: each is wrong by 1/254 of the largest, and a sum may be small",
    ),
    "Conv2d": (0.02, "as in Affine"),
    "BatchNorm": (0.015, "it is in the synapses or states beside it"),
    "DiagonalSSM": (0.025, "8 bits in b, c and d each, and both parts of a state add up"),
    "Threshold": (0, "an integer is compared exactly where its real value was"),
    "AdaptiveThreshold": (0, "exact with one candidate; no sum of several is that close here"),
    "ComplexDiagonal": (0.01, "16 bits of pole; in two examples the synapses in front of it round"),
    "TernaryThreshold": (0, "an integer is compared exactly where its real value was"),
    "Sum": (0.01, "operands are exact here; one comes from synapses"),
    "Product": (0.01, "one operand comes from synapses"),
    "PiecewiseLinear": (0.005, "12 bits of slope and of message, of segments that may cancel"),
    "Accumulate": (0, "every term is exact here"),
    "LIF": (0.03, "leaks are rounded, and so are the synapses of one example"),
    "AdaptiveLIF": (0.03, "leaks and couplings are rounded, and so are synapses of one example"),
    "ResonateAndFire": (0.03, "16 bits of pole; synapses of two examples are rounded"),
    "Embedding": (0.01, "8 bits of the table"),
    "Delay": (0.06, "it is exact; in loops neurons and synapses round, which goes round"),
}


def tolerance_of(kind: str) -> float:
    """Return the largest error of a type; a type without one fails by its name."""
    if kind not in TOLERANCES:
        pytest.fail(
            f"{kind} has no tolerance: add a row to TOLERANCES in tests/conformance/test_numbers.py"
            " with the largest error of a message, of the largest message, and why"
        )
    return TOLERANCES[kind][0]


def measured(example: Example) -> str:
    """Return the node whose messages are looked at: where a norm was folded, what is behind it."""
    graph = example.integers
    return NODE if NODE in graph.nodes else graph.sources[graph.outputs[0]][0]


@each_type
def test_quantizing_keeps_values_and_silences_nothing(kind):
    with cell("small error", kind):
        tolerance, seen = tolerance_of(kind), 0
        for example in examples(kind):
            integers, name = reference(example), measured(example)
            if integers.saturations():
                continue
            seen += 1
            real = run(example.folded, example.inputs, "float").values[name]
            found = integers.values[name] * units(example.integers)[name]
            if example.integers.nodes[name].out.is_spike:
                error = np.mean(real != found)
            else:
                error = np.abs(real - found).max() / np.abs(real).max()
            assert error <= tolerance, f"{example.label}: {error:.4f}"
            active = np.abs(real).max(axis=(0, 1)) > tolerance * np.abs(real).max()
            assert np.abs(found).max(axis=(0, 1))[active].all(), f"{example.label}: silent"
        assert seen >= 3


@each_type
def test_no_value_leaves_its_bounds(kind):
    with cell("bounds", kind):
        for example in examples(kind):
            for graph in (example.folded, example.integers):
                engine = "reference" if graph.is_integer else "float"
                inside_bounds(graph, run(graph, example.inputs, engine), bounds(graph))
            # of the float graph as it was given, norms too
            inside_bounds(example.graph, run(example.graph, example.inputs, "float"),
                          bounds(example.graph))  # fmt: skip


def inside_bounds(graph: Graph, trace: Trace, found: Bounds) -> None:
    """Check the messages and final states of a run, and that registers that hold did not clip."""
    unit = units(graph) if graph.is_integer else dict.fromkeys(graph.nodes, 1.0)
    for name, values in trace.values.items():
        span, real = found.messages[name], values * unit[name]
        slack = 1e-9 * np.abs(real).max()
        kind = type(graph.nodes[name]).__name__
        assert np.isfinite(span.largest), f"{name} has no bound: write {kind}.bound"
        assert np.all(real >= span.low - slack) and np.all(real <= span.high + slack), name
        if graph.is_integer and all(register.holds for register in found.registers[name]):
            assert trace.counts[name].saturations == 0, name
    for key, state in trace.states.items():
        name, _, part = key.rpartition(".")
        if part in ("waiting", "candidates"):  # messages, held against their span above, or bits
            assert part == "waiting" or set(np.unique(state)) <= {0, 1}
            continue
        register = found.register(name, REGISTERS.get(part, part))
        assert np.all(np.abs(state) * register.unit <= register.bound * (1 + 1e-9)
                      ) or not register.holds, key  # fmt: skip
        assert np.abs(state).max() <= register.limit, key


@each_type
def test_what_saturates_was_not_said_to_hold(kind):
    """A bound that is too small would pass the test above on quiet data; these are loud."""
    with cell("headroom", kind):
        for example in examples(kind):
            trace, found = reference(example), bounds(example.integers)
            for name, counts in trace.counts.items():
                if counts.saturations:
                    assert not all(register.holds for register in found.registers[name])


@each_type
def test_parameters_are_rounded_to_nearest_or_upward(kind):
    """Thresholds and knots upward, taps with them, others to nearest, by the rules in FORMAT.md."""
    with cell("rounding", kind):
        for example in examples(kind):
            node = example.integers.nodes.get(NODE)
            for name in node.shapes if node else ():
                parameter = getattr(node, name)
                assert isinstance(parameter, Quantized)
                if kind == "DiagonalSSM":
                    continue  # states are scaled one by one; tests/quantization holds its rules
                error = (
                    parameter.dequantize() - np.asarray(getattr(example.node, name))
                ) * np.exp2(parameter.frac_by_channel().astype(float))
                if name in ("theta", "delta", "knots"):
                    out_of_reach = parameter.values == 2 ** (parameter.bits - 1) - 1
                    assert np.all((error >= 0) & (error < 1) | out_of_reach), name
                elif name == "taps":  # theta + tap is rounded up, as theta is
                    largest = parameter.values == 2 ** (parameter.bits - 1) - 1
                    assert np.all((np.abs(error) < 1) | largest), f"{example.label}: {name}"
                else:
                    assert np.all(np.abs(error) <= 0.5), f"{example.label}: {name}"


def test_a_bound_that_is_too_small_is_found():
    (example, *_) = examples("Affine")
    graph = example.integers
    trace = reference(example)
    wrong = {**trace.values, NODE: 3 * trace.values[NODE]}
    with pytest.raises(AssertionError):
        inside_bounds(graph, Trace("x", wrong, trace.samples, trace.steps, counts=trace.counts),
                      bounds(graph))  # fmt: skip


def test_a_type_without_a_tolerance_is_named_with_what_to_add():
    wanted = (
        r"^Neuron has no tolerance: add a row to TOLERANCES in tests/conformance/test_numbers.py"
    )
    with pytest.raises(pytest.fail.Exception, match=wanted):
        tolerance_of("Neuron")
    assert tolerance_of("Sum") == 0.01


def test_no_tolerance_is_of_a_type_that_is_gone():
    assert set(TOLERANCES) == set(KINDS)
