"""Break-even rates by hand: constants of the chip files, counts of a small run."""

from __future__ import annotations

import numpy as np
import pytest

from neurossm.energy import Interval, break_even
from neurossm.engine import run
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.hardware import Hardware, load_hardware
from neurossm.metrics import measure
from neurossm.nodes import Affine, Embedding, Input, Output

CHIP, CMOS = load_hardware("loihi2"), load_hardware("cmos45")
WEIGHT = np.array([[3, 0, 0, 5], [0, -7, 0, 0]])  # 3 of 8


def found(fmt: Fixed, weight: np.ndarray, inputs: list[list[int]], chip: Hardware = CHIP):
    outputs, channels = weight.shape
    node = Affine(
        weight=Quantized(weight, 0, 8), bias=Quantized(np.zeros(outputs, int), fmt.frac, 24),
        out=Fixed(24, fmt.frac), sparse=True,
    )  # fmt: skip
    nodes = {"x": Input(channels=channels, out=fmt), "w": node,
             "y": Output(channels=outputs, out=Fixed(24, fmt.frac))}  # fmt: skip
    graph = Graph(nodes, (("x", "w"), ("w", "y")))
    metrics = measure(graph, run(graph, np.array([inputs])))
    (row,) = break_even(graph, metrics, chip, CMOS)
    return row


SPIKES = [[1, 0, 1, 1], [0, 0, 0, 0]]


def test_spikes_against_macs_of_the_same_technology():
    row = found(Fixed.binary(), WEIGHT, SPIKES)
    assert (row.node, row.macs, row.synapses, row.spikes) == ("w", 8, 3, True)
    assert row.rate == 3 / 8
    # a MAC has 0.2 + 0.1 pJ, an addition 0.1 pJ; with a byte of 64 bits of 10 pJ beside either
    expected = 8 / 3 * (0.2 + 0.1 + 1.25) / (0.1 + 1.25), 8 / 3 * (0.2 + 0.1) / 0.1
    assert row.by_set["cmos45"] == Interval(pytest.approx(expected[0]), pytest.approx(expected[1]))
    assert row.verdict("cmos45") == "below"


def test_each_set_of_the_chip_divides_the_mac_by_its_synaptic_operation():
    row = found(Fixed.binary(), WEIGHT, SPIKES)
    # pJ, from loihi2.toml: one value; convolutional to dense; the split with all, and with 80 pJ
    ends = {"davies2018": (23.6, 23.6), "sanafe": (24, 35.5), "kerasspiking": (27.1, 27.1),
            "pilotnet": (17.3, 30)}  # fmt: skip
    assert list(row.by_set) == ["cmos45", *ends]
    for name, (low, high) in ends.items():
        assert row.by_set[name].low == pytest.approx(8 / 3 * 0.3 / high), name
        assert row.by_set[name].high == pytest.approx(8 / 3 * 1.55 / low), name
    assert row.chip == Interval(row.by_set["sanafe"].low, row.by_set["pilotnet"].high)


def test_a_dense_layer_has_the_ratio_of_the_constants_alone():
    row = found(Fixed.binary(), np.ones((2, 4), int), SPIKES)
    assert row.by_set["davies2018"].low == pytest.approx(0.3 / 23.6)  # 1.3%
    assert row.by_set["davies2018"].high == pytest.approx(1.55 / 23.6)  # 6.6%
    assert row.verdict("davies2018") == "above"
    silent = found(Fixed.binary(), np.ones((2, 4), int), [[0, 0, 0, 0]])
    assert silent.rate == 0 and silent.verdict("davies2018") == "below"


def test_a_rate_inside_of_the_interval_is_open():
    one_of_32 = [[1, 0, 0, 0], *[[0, 0, 0, 0]] * 7]
    row = found(Fixed.binary(), np.ones((2, 4), int), one_of_32)
    assert row.rate == 1 / 32 and row.verdict("davies2018") == "open"


@pytest.mark.parametrize(("bits", "multiply"), [(8, 0.2), (9, 3.1)])
def test_graded_spikes_are_multiplied(bits, multiply):
    row = found(Fixed(bits, 0), WEIGHT, [[9, 0, -3, 1]])
    own = multiply + 0.1
    assert not row.spikes and row.rate == 3 / 4
    ends = sorted((8 / 3 * 0.3 / own, 8 / 3 * 1.55 / (own + 1.25)))
    assert row.by_set["cmos45"].low == pytest.approx(ends[0])
    assert row.by_set["cmos45"].high == pytest.approx(ends[1])


def test_ternary_weights_of_graded_spikes_are_added():
    row = found(Fixed(9, 0), np.sign(WEIGHT), [[9, 0, -3, 1]])
    assert row.by_set["cmos45"].high == pytest.approx(8 / 3 * 0.3 / 0.1)


def test_layers_without_weights_have_none():
    table = Embedding(table=Quantized(np.ones((5, 3), int), 0, 8), out=Fixed(8, 0))
    empty = Affine(weight=Quantized(np.zeros((2, 3), int), 0, 8),
                   bias=Quantized(np.zeros(2, int), 0, 24), out=Fixed(24, 0))  # fmt: skip
    nodes = {"x": Input(channels=1, out=Fixed(24)), "table": table, "empty": empty,
             "y": Output(channels=2, out=Fixed(24, 0))}  # fmt: skip
    graph = Graph(nodes, (("x", "table"), ("table", "empty"), ("empty", "y")))
    metrics = measure(graph, run(graph, np.array([[[1], [4]]])))
    assert break_even(graph, metrics, CHIP, CMOS) == ()


def test_several_edges_are_several_layers_of_one_shape():
    node = Affine(weight=Quantized(WEIGHT, 0, 8), bias=Quantized(np.zeros(2, int), 0, 24),
                  out=Fixed(24, 0))  # fmt: skip
    nodes = {"a": Input(channels=4, out=Fixed.binary()), "b": Input(channels=4, out=Fixed.binary()),
             "w": node, "y": Output(channels=2, out=Fixed(24, 0))}  # fmt: skip
    graph = Graph(nodes, (("a", "w"), ("b", "w"), ("w", "y")))
    given = {"a": np.array([[[1, 1, 1, 1]]]), "b": np.array([[[0, 0, 1, 0]]])}
    (row,) = break_even(graph, measure(graph, run(graph, given)), CHIP, CMOS)
    assert (row.macs, row.rate) == (16, 5 / 8)
    assert row.by_set == found(Fixed.binary(), WEIGHT, SPIKES).by_set


def test_a_chip_without_energies_leaves_the_technology_alone():
    row = found(Fixed.binary(), WEIGHT, SPIKES, CMOS)
    assert list(row.by_set) == ["cmos45"] and row.chip is None
