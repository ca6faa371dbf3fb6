"""Golden vectors go to the ends of what an input may be: pixels, spikes, tokens."""

from __future__ import annotations

import numpy as np
import pytest
from family_networks import STEPS, network
from spiking_block import model_graph, tiny_graph

from neurossm.graph import Graph
from neurossm_converters.formats.torch import from_torch
from neurossm_models.data import Dataset
from neurossm_workflows.golden import golden_vectors, random_vectors
from neurossm_workflows.quantize import quantized

TOKENS = 5


def data(most: int, channels: int, vocabulary: int = 0) -> Dataset:
    inputs = np.random.default_rng(1).integers(0, most + 1, (4, STEPS, channels)).astype(np.uint8)
    return Dataset("digits", "train", inputs, 1.0, np.zeros(4, np.int64), "random", vocabulary)


def token_graph() -> Graph:
    floating = from_torch(network("spikingssm", vocabulary=TOKENS), steps=STEPS, scale=1)
    return quantized(floating, data(TOKENS - 1, 1, TOKENS))


@pytest.mark.parametrize(
    ("graph", "most", "ends"),
    [
        (model_graph(blocks=1, channels=4, modes=2), 255, {-255, 255}),
        (tiny_graph(), 1, {0, 1}),
        (token_graph, TOKENS - 1, {0, TOKENS - 1}),
    ],
    ids=["pixels", "spikes", "tokens"],
)
def test_the_last_vector_is_of_the_ends_only(graph, most, ends):
    graph = graph() if callable(graph) else graph
    given = data(most, graph.nodes["input"].out_channels)
    vectors = golden_vectors(graph, given)
    assert len(vectors) == 3
    for vector, expected in zip(vectors, given.inputs, strict=False):
        if vector is not vectors[-1]:
            np.testing.assert_array_equal(vector.inputs["input"], expected)
    assert set(np.unique(vectors[-1].inputs["input"])) == ends


def test_random_vectors_of_tokens_and_of_as_many_steps_as_a_sum_is_sized_for():
    graph = token_graph()
    drawn, _, ends = random_vectors(graph, steps=10_000)
    assert drawn.steps == STEPS == graph.meta["steps"]
    assert set(np.unique(drawn.inputs["input"])) == set(range(TOKENS))
    assert set(np.unique(ends.inputs["input"])) == {0, TOKENS - 1}
