"""Bit for bit: a graph step by step is the whole run; values, states and saturations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import QUICK, Case, cases
from spiking_block import model_graph, model_input

from neurossm import Stepper
from neurossm.engine import run
from neurossm.engine.compiled import FORMS
from neurossm.graph import Graph
from neurossm.nodes import LIF, NODE_TYPES, Affine, Embedding, Input, Sum
from neurossm.quantization import Quantize, calibrate
from neurossm.store import load, load_golden
from neurossm.trace import Trace
from neurossm_workflows.export import load_run

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "hw_tests" / "golden").glob("*.nssm"))
PUBLISHED = ROOT / "models" / "neurossm_models" / "checkpoints"
CHECKPOINTS = sorted(path.parent.name for path in PUBLISHED.glob("*/recipe.toml"))


def assert_steps_are_the_run(graph: Graph, inputs: dict[str, np.ndarray], whole: Trace) -> Stepper:
    """Run the inputs step by step and compare all that a stepper says with a trace."""
    stream = Stepper(graph, samples=whole.samples, record="all")
    for t in range(whole.steps):
        sent = stream.step({name: array[:, t] for name, array in inputs.items()})
        sent = sent if isinstance(sent, dict) else {graph.outputs[0]: sent}
        for name in graph.outputs:
            np.testing.assert_array_equal(sent[name], whole.values[name][:, t], err_msg=name)
        for name, value in whole.values.items():
            np.testing.assert_array_equal(stream.values[name], value[:, t], err_msg=name)
    states = stream.states
    assert states.keys() == whole.states.keys()
    for name, state in whole.states.items():
        np.testing.assert_array_equal(states[name], state, err_msg=name)
    assert stream.saturations == {n: count.saturations for n, count in whole.counts.items()}
    return stream


def test_every_random_graph_on_integers():
    seen: Counter[str] = Counter()

    @given(cases())
    @settings(QUICK, max_examples=150)
    def check(case: Case) -> None:
        whole = run(case.graph, case.inputs, "reference")
        assert_steps_are_the_run(case.graph, case.inputs, whole)
        seen.update(type(node).__name__ for node in case.graph.nodes.values())
        seen["inputs"] += len(case.graph.inputs) > 1
        seen["outputs"] += len(case.graph.outputs) > 1
        seen["saturations"] += any(count.saturations for count in whole.counts.values())

    check()
    expected = set(NODE_TYPES) - {"BatchNorm"} | {"inputs", "outputs", "saturations"}
    assert set(seen) == expected and min(seen.values()) >= 5, seen


@given(cases())
@settings(QUICK, max_examples=30)
def test_what_has_no_kernel_runs_between_the_compiled_steps(case: Case):
    whole = run(case.graph, case.inputs, "reference")
    kept = {cls: form for cls, form in FORMS.items() if cls not in (LIF, Affine, Sum, Embedding)}
    for forms in (kept, {}):
        with patch.dict(FORMS, forms, clear=True):
            assert_steps_are_the_run(case.graph, case.inputs, whole)


@given(cases(), st.data())
@settings(QUICK, max_examples=60)
def test_every_random_graph_on_real_numbers_beside_integers(case: Case, data: st.DataObject):
    graph, inputs = case.graph, case.inputs
    whole = run(graph, inputs, "reference")
    first = next(iter(inputs))
    real = {first} | {name for name in inputs if data.draw(st.booleans())}
    stream = Stepper(graph, samples=whole.samples, record="all")
    for t in range(whole.steps):
        given = {n: array[:, t] for n, array in inputs.items()}
        for name in real:
            node = graph.nodes[name]
            assert isinstance(node, Input)
            given[name] = given[name] / 2.0**node.out.frac
        sent = stream.step(given)
        sent = sent if isinstance(sent, dict) else {graph.outputs[0]: sent}
        for name in graph.outputs:
            value = whole.values[name][:, t] / 2.0 ** graph.nodes[name].out.frac
            assert sent[name].dtype == np.float64
            np.testing.assert_array_equal(sent[name], value, err_msg=name)
    assert stream.clipped == 0
    for name, state in whole.states.items():
        np.testing.assert_array_equal(stream.states[name], state, err_msg=name)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_vector(path):
    graph = load(path)
    vectors = load_golden(path, graph)
    assert vectors
    for golden in vectors:
        stream = Stepper(graph, record="all")
        for t in range(golden.steps):
            stream.step({name: array[t] for name, array in golden.inputs.items()})
            for name, value in golden.values.items():
                np.testing.assert_array_equal(stream.values[name][0], value[t], err_msg=name)
        for name, state in golden.states.items():
            np.testing.assert_array_equal(stream.states[name][0], state, err_msg=name)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_checkpoint(name):
    floating = load_run(name)
    node = floating.nodes["input"]
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, min(256, node.out.high + 1), (3, 60, node.channels))
    inputs[:, 20:30] = 0
    graph = Quantize()(floating, calibrate(floating, run(floating, inputs, "float")))
    whole = run(graph, inputs, "fast")
    assert np.ptp(whole.values["output"], axis=1).all(), "the test sees no change"
    assert_steps_are_the_run(graph, {"input": inputs}, whole)


@pytest.mark.parametrize("modes", [1, 15, 16, 17, 40])
def test_any_number_of_states_a_channel(modes):
    """They stand in tiles of 16, the last of them filled up."""
    graph = model_graph(blocks=1, channels=5, modes=modes, classes=3)
    inputs = model_input(30, samples=2)
    whole = run(graph, inputs, "reference")
    assert_steps_are_the_run(graph, {"input": inputs}, whole)
