"""Golden vectors of unlike lengths in one file: each ends where it ends, in the bundle."""

from __future__ import annotations

import numpy as np
import pytest

from neurossm.comparison import compare
from neurossm.engine import run as run_engine
from neurossm.store import Golden, load, load_golden, save
from neurossm_converters.backends.lava import status
from neurossm_converters.backends.loihi2 import Settings, run

pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(not status().usable, reason="no Lava"),
]
LENGTHS = np.array([9, 4, 9])


def test_each_vector_is_compared_to_its_own_end(golden):
    path = golden("neurons")
    graph = load(path)
    (vector, *_) = load_golden(path, graph)
    rng = np.random.default_rng(2)
    inputs = {
        # rows of a vector that the graph takes, in any order; the padding holds some, too
        name: array[rng.integers(0, len(array), (len(LENGTHS), 9))]
        for name, array in vector.inputs.items()
    }
    trace = run_engine(graph, inputs, "reference", lengths=LENGTHS)
    vectors = tuple(Golden.from_trace(inputs, trace, i) for i in range(len(LENGTHS)))
    assert [v.steps for v in vectors] == LENGTHS.tolist()
    save(path, graph, vectors)

    found = run(path, Settings("lava"))
    assert found.equal
    # every node but the inputs at every real step, and the states of all vectors
    nodes = graph.nodes.items()
    channels = sum(node.out_channels for name, node in nodes if name not in graph.inputs)
    states = sum(state.size for state in trace.states.values())
    assert found.compared >= LENGTHS.sum() * channels + states
    result = compare(trace, found.trace, graph.order)
    assert result.first is None and result.compared == LENGTHS.sum() * channels
    for name, state in trace.states.items():
        np.testing.assert_array_equal(found.states[name], state, err_msg=name)
