"""The published recurrent networks of the NIR paper, with the spikes that snnTorch gives."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

from neurossm.engine import run
from neurossm.graph import Graph
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading

FOLDER = Path(__file__).parents[1] / "fixtures" / "nir" / "published"
ZERO, SUBTRACT = "braille_noDelay_bias_zero", "braille_noDelay_noBias_subtract"
RECURRENT, LAST = "lif1.lif", "lif2"


def recorded(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return input (4, 256, 12) and the spikes of both layers, (4, 256, C)."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return file["input"].astype(np.int64), file["hidden"], file["output"]


def graph_of(name: str, **reading: str) -> Graph:
    return neurossm_nir.read(FOLDER / f"{name}.nir", Reading("snntorch", **reading)).graph


def spikes(graph: Graph, inputs: np.ndarray, engine: str) -> tuple[np.ndarray, np.ndarray]:
    values = run(graph, inputs, engine, "all").values
    return values[RECURRENT], values[LAST]


def integers(graph: Graph, inputs: np.ndarray) -> Graph:
    """Return the graph quantized at default widths."""
    return Quantize()(graph, calibrate(graph, run(graph, inputs, "float", "outputs")))


def test_all_spikes_of_both_layers_are_those_of_snntorch():
    inputs, *expected = recorded(ZERO)
    assert [int(layer.sum()) for layer in expected] == [375, 2602]
    for found, layer in zip(spikes(graph_of(ZERO), inputs, "float"), expected, strict=True):
        np.testing.assert_array_equal(found, layer)


def test_integers_spike_as_often_within_five_percent_a_layer():
    inputs, *expected = recorded(ZERO)
    found = spikes(integers(graph_of(ZERO), inputs), inputs, "fast")
    for layer, float_layer in zip(found, expected, strict=True):
        assert abs(int(layer.sum()) / int(float_layer.sum()) - 1) < 0.05


@pytest.mark.lava
def test_integers_are_bit_exact_on_lava():
    inputs = recorded(ZERO)[0][2:, :64]
    graph = integers(graph_of(ZERO), inputs)
    reference = run(graph, inputs, "reference", "all")
    assert reference.values[RECURRENT].sum() > 10 and reference.values[LAST].sum() > 10
    for engine in ("fast", "lava"):
        trace = run(graph, inputs, engine, "all")
        for name, values in reference.values.items():
            np.testing.assert_array_equal(trace.values[name], values, f"{engine} {name}")


def loop(inputs: np.ndarray, again: bool) -> tuple[np.ndarray, np.ndarray]:
    """Compute the network without bias from its published weights and decays, in float32.

    `again` subtracts as snnTorch 1.0.0 does without delay: a second time, in the next step before
    it compares, where the membrane is still above its threshold after the first.
    """
    nodes = nir.read(FOLDER / f"{SUBTRACT}.nir").nodes
    first, back, last = (np.asarray(nodes[n].weight).T for n in ("fc1", "lif1.w_rec", "fc2"))
    alpha, beta, alpha_out, beta_out = np.float32([0.75, 0.85, 0.45, 0.7])
    one, samples = np.float32(1), len(inputs)

    def fire(before: np.ndarray, membrane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        late = (again & (before > one)).astype(np.float32)
        seen = membrane - late
        sent = (seen > one).astype(np.float32)
        return sent, seen - (sent - late)

    sent, current, membrane = (np.zeros((samples, len(back)), np.float32) for _ in range(3))
    out_current, out_membrane = (np.zeros((samples, last.shape[1]), np.float32) for _ in range(2))
    found: list[list[np.ndarray]] = [[], []]
    for step in inputs.astype(np.float32).transpose(1, 0, 2):
        current = alpha * current + (step @ first + sent @ back)
        sent, membrane = fire(membrane, beta * membrane + current)
        out_current = alpha_out * out_current + sent @ last
        answer, out_membrane = fire(out_membrane, beta_out * out_membrane + out_current)
        found[0].append(sent)
        found[1].append(answer)
    return np.stack(found[0], 1), np.stack(found[1], 1)


def test_subtraction_at_once_is_that_of_the_published_weights():
    inputs, *by_snntorch = recorded(SUBTRACT)
    found = spikes(graph_of(SUBTRACT, reset="subtract"), inputs, "float")
    for layer, expected in zip(found, loop(inputs, again=False), strict=True):
        assert expected.sum() > 400
        np.testing.assert_array_equal(layer, expected)
    # what snnTorch does besides: in 240 and 354 places another spike, of 434 and 502 that it has
    differ = [np.count_nonzero(a != b) for a, b in zip(found, by_snntorch, strict=True)]
    assert differ == [240, 354]
    for layer, expected in zip(loop(inputs, again=True), by_snntorch, strict=True):
        np.testing.assert_array_equal(layer, expected)
