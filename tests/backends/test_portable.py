"""Lava and a bundle in their children where the system has neither `waitid` nor affinities."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hostile.examples import integer_graph

from neurossm.engine import execute, run
from neurossm_converters.backends.lava import status

pytestmark = pytest.mark.lava


@pytest.mark.parametrize("engine", ["fast", "lava", "bundle"])
def test_an_engine_needs_nothing_that_macos_lacks(monkeypatch, engine):
    if engine != "fast" and not status().usable:
        pytest.skip("no Lava")
    graph = integer_graph()
    inputs = np.random.default_rng(4).integers(-127, 128, (2, 5, 2))
    expected = run(graph, inputs, "reference")
    monkeypatch.delattr(os, "waitid")
    monkeypatch.delattr(os, "sched_getaffinity")
    found = execute(graph, inputs, engine, "all").trace
    assert set(found.values) == set(expected.values)
    for name, values in expected.values.items():
        np.testing.assert_array_equal(found.values[name], values, name)
