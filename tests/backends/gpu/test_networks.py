"""Golden files and trained networks on the executor for GPUs, without a GPU."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import triton_compiled

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.quantization import Quantize, calibrate
from neurossm.store import load, load_golden
from neurossm_converters.backends.gpu.arithmetic import saturated, shift_table, shifted
from neurossm_converters.backends.gpu.nodes.affine import exact_type
from neurossm_models.data import load as load_data
from neurossm_workflows.export import load_run

ROOT = Path(__file__).parents[3]
GOLDEN = sorted((ROOT / "hw_tests" / "golden").glob("*.nssm"))
HERE = "gpu:device=interpreter"
WAYS = pytest.mark.parametrize(
    "way", [nullcontext, triton_compiled.instead_of_starting], ids=["interpreted", "compiled"]
)


@WAYS
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_files(path, way):
    graph = load(path)
    vectors = load_golden(path, graph)
    inputs = {name: np.stack([vector.inputs[name] for vector in vectors]) for name in graph.inputs}
    with way():
        trace = run(graph, inputs, HERE)
    for number, vector in enumerate(vectors):
        for name, values in vector.values.items():
            np.testing.assert_array_equal(trace.values[name][number], values, err_msg=name)
        for name, state in vector.states.items():
            np.testing.assert_array_equal(trace.states[name][number], state, err_msg=name)
    counts = json.loads(path.with_suffix(".counts.json").read_text(encoding="utf-8"))
    assert {name: asdict(count) for name, count in trace.counts.items()} == counts


def quantized(checkpoint: str, data: str) -> Graph:
    """Return a trained network's integers."""
    floating = load_run(checkpoint)
    trace = run(floating, load_data(f"{data}:train:16").inputs, "float", "outputs")
    return Quantize()(floating, calibrate(floating, trace))


# of an image from its middle on: it begins with nothing
@pytest.mark.parametrize(
    ("checkpoint", "data", "samples", "part", "way"),
    [("binary-s4d-digits", "digits", 2, slice(64), nullcontext),
     ("spike-ssm-smnist", "mnist", 1, slice(400, 420), nullcontext),
     ("spike-ssm-smnist", "mnist", 1, slice(400, 420), triton_compiled.instead_of_starting)],
    ids=["digits", "MNIST", "MNIST, compiled"],
)  # fmt: skip
def test_trained_networks(checkpoint, data, samples, part, way):
    graph = quantized(checkpoint, data)
    inputs = load_data(f"{data}:test:{samples}").inputs[:, part]
    expected = run(graph, inputs, "reference")
    with way():
        found = run(graph, inputs, HERE)
    spoke = [count.spikes_out for count in expected.counts.values()]
    assert all(spoke), "agreement about silence would say nothing"
    for kind in ("values", "states"):
        here, there = getattr(found, kind), getattr(expected, kind)
        assert here.keys() == there.keys()
        for name, array in there.items():
            np.testing.assert_array_equal(here[name], array, err_msg=name)
    assert dict(found.counts) == dict(expected.counts)


# -- arithmetic on tensors -----------------------------------------------------


@pytest.mark.parametrize("right", [0, 1, 5, 23, 31, 61, 62, 63, 70])
def test_shifts_to_the_right_are_toward_zero(right):
    values = [0, 1, -1, 2, -2, 31, -31, 32, -32, 2**31, -(2**31), 2**62 - 1, -(2**62) + 1, 2**61]
    expected = [(abs(value) >> right) * (1 if value > 0 else -1) for value in values]
    assert shifted(torch.tensor(values), right).tolist() == expected
    small = [value for value in values if abs(value) < 2**31]
    expected = [(abs(value) >> right) * (1 if value > 0 else -1) for value in small]
    assert shifted(torch.tensor(small, dtype=torch.int32), right).tolist() == expected


def test_shifts_to_the_left_are_exact():
    found = shifted(torch.tensor([3, -3, 0], dtype=torch.int32), -40)
    assert found.tolist() == [3 * 2**40, -3 * 2**40, 0]
    assert shifted(torch.tensor([0]), -70).tolist() == [0]


def test_what_saturates_is_counted_where_it_is_no_padding():
    values = torch.tensor([[8, -8], [7, -7], [9, 0]])
    clipped, count = saturated(values, 7, None)
    assert (clipped.tolist(), int(count)) == ([[7, -7], [7, -7], [7, 0]], 3)
    inside = torch.tensor([[False], [True], [True]])
    assert int(saturated(values, 7, inside)[1]) == 1


def test_a_table_of_shifts_by_hand():
    right = np.array([0, 3, 31, 64, -2, -28, -64])
    down, below, most, left = shift_table(right)
    assert down.tolist() == [0, 3, 31, 31, 0, 0, 0]
    assert below.tolist() == [0, 7, 2**31 - 1, 2**31 - 1, 0, 0, 0]
    # what is larger would be more than 2**28 after its shift, and so saturates in any case
    assert most.tolist() == [2**28, 2**28, 2**28, 2**28, 2**26, 1, 1]
    assert left.tolist() == [0, 0, 0, 0, 2, 28, 28]
    assert shift_table(right, wide=True)[3].tolist() == [0, 0, 0, 0, 2, 28, 62]


class Arriving:
    """Formats of edges."""

    def __init__(self, *formats: Fixed) -> None:
        self.formats = formats


@pytest.mark.parametrize(
    ("weights", "bias", "edges", "real"),
    [
        ([2**22 - 1], [0], Arriving(Fixed.binary()), torch.float32),
        ([2**22 - 1], [1], Arriving(Fixed.binary()), torch.float64),
        ([0, 2**21], [0, 0], Arriving(Fixed.binary(), Fixed.ternary()), torch.float64),
        ([0, 2**21 - 1], [0, 1], Arriving(Fixed.binary(), Fixed.ternary()), torch.float32),
        ([100], [0], Arriving(Fixed(9)), torch.float32),  # up to 255
        ([100], [0], Arriving(Fixed(10)), torch.float64),  # 511 needs more than bfloat16 has
    ],
)  # fmt: skip
def test_the_type_of_a_matrix_product_by_hand(weights, bias, edges, real):
    assert exact_type(np.array(weights), np.array(bias), edges) is real
