"""The golden traces on the target: the same integers at every node and step, the same work."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.nodes import NODE_TYPES
from neurossm.store import load
from neurossm.trace import Trace

FOLDER = Path(__file__).parent / "golden"
MAKE = runpy.run_path(str(FOLDER / "make.py"))
FLOAT_ONLY = {"BatchNorm"}


def test_every_value_of_every_node(replay):
    values = {name: replay.expected("values", name) for name in replay.graph.nodes}
    golden = Trace("golden", values, replay.trace.samples, replay.trace.steps)
    # inside a chip nothing is listened to: its outputs are all that comes out
    readable = replay.graph.outputs if replay.from_outside else replay.graph.nodes
    assert set(readable) <= set(replay.trace.values)
    result = compare(golden, replay.trace, replay.graph.order)
    assert result.first is None
    assert result.compared == sum(values[n].size for n in replay.trace.values)


def test_every_state_after_the_last_step(replay):
    assert set(replay.trace.states) == set(replay.vectors[0].states)
    for name, state in replay.trace.states.items():
        # a chip can be asked once, at the end: for the states of the last sample
        first = len(replay.vectors) - 1 if replay.from_outside else 0
        expected = replay.expected("states", name)[first:]
        assert np.array_equal(state, expected), name


def test_every_counter(replay):
    if not replay.target.executor.counters:
        pytest.skip(f"{replay.target.name} has no operation counters that could be compared")
    assert {name: vars(count) for name, count in replay.trace.counts.items()} == replay.counts


def test_power_energy_and_time_are_measured(replay):
    if not replay.target.options.profile:
        pytest.skip(f"power, energy and time were not asked for ({replay.target.name}:profile=yes)")
    if "profile" not in replay.run.notes:
        pytest.skip(f"nothing to measure on a {replay.run.notes['ran on']}")
    for name in ("power", "energy", "static_energy", "execution_time"):
        assert replay.run.notes["profile"][name]["mean"] > 0, name


def test_the_golden_files_hold_every_node_type_and_saturate():
    graphs = [load(path) for path in FOLDER.glob("*.nssm")]
    found = {type(node).__name__ for graph in graphs for node in graph.nodes.values()}
    assert found == set(NODE_TYPES) - FLOAT_ONLY
    for name, build in MAKE["GRAPHS"].items():
        graph = build()
        trace = run(graph, MAKE["inputs"](graph), "reference")
        assert trace.saturations() > 0, name
        assert all(count.spikes_out for count in trace.counts.values()), name


def test_the_script_still_makes_these_graphs():
    assert {path.stem for path in FOLDER.glob("*.nssm")} == set(MAKE["GRAPHS"])
    for name, build in MAKE["GRAPHS"].items():
        assert load(FOLDER / f"{name}.nssm") == build(), name


def test_the_specification_still_makes_these_integers(replay):
    inputs = {name: replay.expected("inputs", name) for name in replay.graph.inputs}
    trace = run(replay.graph, inputs, "reference")
    for name, value in trace.values.items():
        assert np.array_equal(value, replay.expected("values", name)), name
    assert {name: vars(count) for name, count in trace.counts.items()} == replay.counts
