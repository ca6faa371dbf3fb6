"""Sparse synapses: the numbers of a matrix product and of counting, in every way to execute them.

Expected values are those of numpy's matrix product, of lengths beyond one block of the kernels.
"""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import QUICK, Case, cases
from spiking_block import integers

from neurossm.engine import run
from neurossm.engine.compiled import affine
from neurossm.engine.sparse_kernels import BLOCK
from neurossm.engine.stepper import Stepper
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output
from neurossm.trace import Counts

OUT = Fixed(16, 0)
FORMATS = pytest.mark.parametrize(
    "fmt", [Fixed.binary(), Fixed.ternary(), Fixed(9)], ids=["binary", "ternary", "graded"]
)


def graph_of(weight: np.ndarray, fmt: Fixed) -> Graph:
    outputs, inputs = weight.shape
    bias = 3 * np.arange(outputs) - 7
    node = Affine(weight=integers(weight, 0), bias=integers(bias, 0, 24), sparse=True, out=OUT)
    nodes = {
        "x": Input(channels=inputs, out=fmt), "node": node,
        "out": Output(channels=outputs, out=OUT),
    }  # fmt: skip
    return Graph(nodes, (("x", "node"), ("node", "out")))


def pruned(rng: np.random.Generator, outputs: int, inputs: int, share: float) -> np.ndarray:
    weight = rng.integers(1, 128, (outputs, inputs)) * rng.choice([-1, 1], (outputs, inputs))
    weight[rng.random(weight.shape) >= share] = 0
    weight[0], weight[:, 1] = 0, 0  # an output and an input without any
    return weight


@FORMATS
@pytest.mark.parametrize("share", [0.03, 0.5])
@pytest.mark.parametrize("steps", [1, BLOCK - 1, BLOCK, 2 * BLOCK + 3])
def test_it_is_the_matrix_product_and_counts_what_is_not_zero(fmt, share, steps):
    rng = np.random.default_rng(steps)
    weight = pruned(rng, 20, 13, share)
    inputs = rng.integers(fmt.low, fmt.high + 1, (2, steps, 13))
    inputs[rng.random(inputs.shape) < 0.4] = 0
    sums = inputs @ weight.T + 3 * np.arange(20) - 7
    expected = np.clip(sums, -(2**15) + 1, 2**15 - 1)
    work = int(((inputs != 0).sum(axis=(0, 1)) * (weight != 0).sum(axis=0)).sum())
    sent = np.count_nonzero(expected)
    counts = Counts(
        syn_ops=work, synaptic_multiplies=0 if fmt.is_spike else work, saturations=np.sum(
            sums != expected), spikes_in=np.count_nonzero(inputs), axon_out=sent, spikes_out=sent,
    )  # fmt: skip
    graph = graph_of(weight, fmt)
    for engine in ("reference", "fast"):
        trace = run(graph, inputs, engine)
        np.testing.assert_array_equal(trace.values["node"], expected, err_msg=engine)
        assert trace.counts["node"] == counts, engine
    stream = Stepper(graph, samples=2)
    for t in range(steps):
        np.testing.assert_array_equal(stream.step(inputs[:, t]), expected[:, t])
    assert stream.saturations["node"] == counts.saturations


def test_ternary_weights_of_graded_spikes_multiply_nothing():
    weight = np.zeros((9, 9), int)
    weight[2, 3], weight[5, 3], weight[7, 0] = 4, -4, 4
    inputs = np.zeros((1, 3, 9), int)
    inputs[0, :, 3] = [5, 0, -7]
    trace = run(graph_of(weight, Fixed(9)), inputs)
    # bias is 3 o - 7: -1 and 8 at outputs 2 and 5
    assert trace.values["node"][0, :, [2, 5]].T.tolist() == [[19, -12], [-1, 8], [-29, 36]]
    assert trace.counts["node"].syn_ops == 4 and trace.counts["node"].synaptic_multiplies == 0


def test_sparse_changes_no_number_of_a_random_graph():
    """Whatever the share of zeros: by single synapses, by dense columns, as whole matrices."""
    sparse = []

    @given(cases())
    @settings(QUICK, max_examples=60)
    def check(case: Case) -> None:
        found = {name: node for name, node in case.graph.nodes.items() if isinstance(node, Affine)}
        expected = run(case.graph, case.inputs, "reference")
        for share in (0.0, 1.0):
            graph = case.graph.with_nodes({n: replace(a, sparse=True) for n, a in found.items()})
            with patch.object(affine, "FEW", share):
                trace = run(graph, case.inputs, "fast")
                stream = Stepper(graph, samples=trace.samples, record="all")
                for t in range(trace.steps):
                    stream.step({name: array[:, t] for name, array in case.inputs.items()})
            for name, value in expected.values.items():
                np.testing.assert_array_equal(trace.values[name], value, err_msg=name)
                np.testing.assert_array_equal(stream.values[name], value[:, -1], err_msg=name)
            assert dict(trace.counts) == dict(expected.counts)
        sparse.extend(node for node in found.values() if node.synapses)

    check()
    assert len(sparse) > 30


@pytest.mark.parametrize("wrong", [1, 0, "yes", None])
def test_sparse_is_true_or_false(wrong):
    with pytest.raises(GraphError, match=r"Affine\.sparse: expected True or False, got"):
        Affine(weight=np.eye(2), bias=np.zeros(2), sparse=wrong)
