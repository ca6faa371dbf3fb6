"""One integer graph, three executors, real images: every node and every step, no tolerance."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.graph import Graph
from neurossm.quantization import Quantize, calibrate
from neurossm.trace import Trace
from neurossm_converters.backends.lava import LavaOptions, run_timed
from neurossm_models.data import Dataset, load
from neurossm_workflows.export import load_run

CHECKPOINT = "binary-s4d-smnist"
IMAGES, STEPS, WIDTH, CLASSES = 3, 784, 64, 10
# one pixel; encoder and two blocks of seven nodes; decoder, readout and output
CHANNELS = 1 + 15 * WIDTH + 3 * CLASSES


@pytest.fixture(scope="module")
def images() -> Dataset:
    return load(f"mnist:test:{IMAGES}")


@pytest.fixture(scope="module")
def graph() -> Graph:
    floating = load_run(CHECKPOINT)
    trace = run(floating, load("mnist:train:16").inputs, "float", "outputs")
    return Quantize()(floating, calibrate(floating, trace))


@pytest.fixture(scope="module")
def expected(graph: Graph, images: Dataset) -> Trace:
    return run(graph, images.inputs, "reference")


def check(graph: Graph, found: Trace, expected: Trace) -> None:
    result = compare(expected, found, graph.order)
    assert result.first is None
    assert (result.mismatches, result.compared) == (0, IMAGES * STEPS * CHANNELS)
    assert found.states.keys() == expected.states.keys()
    for name, state in expected.states.items():
        assert np.array_equal(found.states[name], state), name
    for name, count in expected.counts.items():
        assert asdict(found.counts[name]) == asdict(count), name


def test_the_images_make_the_network_work(graph: Graph, images: Dataset, expected: Trace) -> None:
    """Agreement about silence would say nothing: every node speaks, and the answers are right."""
    assert all(count.spikes_out for count in expected.counts.values())
    for block in (0, 1):
        rate = expected.values[f"blocks.{block}.spike"].mean()
        assert 0.01 < rate < 0.5, block
    answers = expected.values[graph.outputs[0]][:, -1].argmax(axis=1)
    assert answers.tolist() == images.labels.tolist() == [7, 2, 1]


def test_fast_equals_reference(graph: Graph, images: Dataset, expected: Trace) -> None:
    check(graph, run(graph, images.inputs, "fast"), expected)


@pytest.mark.lava
def test_lava_equals_reference(graph: Graph, images: Dataset, expected: Trace) -> None:
    options = LavaOptions(protocol="async", batch=IMAGES)
    check(graph, run_timed(graph, images.inputs, "all", options).trace, expected)
