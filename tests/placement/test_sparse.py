"""Sparse synapses on cores: the words of either encoding, counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import Hardware, Quantity, load_hardware
from neurossm.metrics.per_core import per_core_at_most
from neurossm.nodes import LIF, Affine, Input, Output
from neurossm.placement import place

LOIHI2 = load_hardware("loihi2")
ONES = np.ones(100)


def graph_of(weight: np.ndarray, sparse: bool = True) -> Graph:
    """An input of 50 channels, synapses, 100 neurons."""
    nodes = {
        "x": Input(channels=50, out=Fixed.binary()),
        "mix": Affine(weight=weight, bias=np.zeros(100), sparse=sparse),
        "fire": LIF(theta=ONES, tau=ONES / 2, rho=0 * ONES, kappa=0 * ONES, reset="hard"),
        "y": Output(channels=100, out=Fixed.binary()),
    }
    return Graph(nodes, (("x", "mix"), ("mix", "fire"), ("fire", "y")))


def banded(per_axon: int) -> np.ndarray:
    """So many synapses of each axon, to neurons that follow each other."""
    weight = np.zeros((100, 50))
    for axon in range(50):
        weight[(2 * axon + np.arange(per_axon)) % 100, axon] = 1.0
    return weight


def chip(**limits: Quantity | None) -> Hardware:
    return replace(LOIHI2, limits=replace(LOIHI2.limits, **limits))


def words(value: float) -> Quantity:
    return Quantity(value, value, "word", "a test", "U")


def test_few_synapses_take_a_word_each():
    placed = place(graph_of(banded(3)), LOIHI2)
    (found,) = placed.encodings
    # 50 axons of 3; in dense encoding an axon takes 100 / 3.1 words, rounded up
    assert (found.synapses, found.words, found.in_sparse, found.in_dense) == (
        150,
        150,
        150,
        1650,
    )
    # beside them the output's receivers, with one lone synapse each
    assert placed.total.synapse == 150 + 100 and placed.total.axon_in == 50 + 100
    assert str(found) == "mix: 150 synapses in 150 words, sparse encoding (dense: 1,650)"
    assert any("Synapses of mix have the sparse encoding" in line for line in placed.assumptions)


def test_many_synapses_have_the_dense_encoding():
    (found,) = place(graph_of(banded(34)), LOIHI2).encodings
    assert (found.words, found.in_sparse, found.sparse_cores) == (1650, 50 * 34, 0)
    assert str(found).endswith("in 1,650 words, dense encoding (sparse: 1,700)")


def test_where_both_take_as_much_the_encoding_is_dense():
    (found,) = place(graph_of(banded(33)), LOIHI2).encodings
    assert (found.words, found.in_sparse, found.in_dense) == (1650, 1650, 1650)
    assert found.sparse_cores == 0


def test_a_chip_whose_file_has_no_sparse_encoding_has_none():
    placed = place(graph_of(banded(3)), chip(sparse_synapses_per_word=None))
    (found,) = placed.encodings
    assert (found.words, found.in_sparse) == (1650, None)
    assert "has no sparse one" in str(found)
    assert place(graph_of(banded(3), sparse=False), LOIHI2).encodings == ()


def test_several_synapses_of_an_axon_may_share_a_word():
    two = chip(sparse_synapses_per_word=Quantity(2, 2, "synapse", "a test", "U"))
    (found,) = place(graph_of(banded(3)), two).encodings
    assert found.words == 50 * 2  # three in two words


@pytest.mark.parametrize("sparse", [True, False])
def test_a_population_is_cut_where_its_synapses_fill_a_core(sparse):
    # 50 axon words and 50 of the map leave 100 words of synapses for 50 neurons
    tight = chip(synapse_words_per_core=words(200))
    placed = place(graph_of(banded(3), sparse), tight)
    parts = placed.slices_of["fire"]
    weight = banded(3)
    for part, core in parts:
        counted = np.count_nonzero(weight[part.first : part.stop])
        dense = 50 * math.ceil(part.neurons / 3.1)
        taken = min(counted, dense) if sparse else dense
        assert placed.cores[core].synapse_words == taken
        assert 50 + taken + part.neurons <= 200
    # dense: 2 words an axon for 6 neurons; sparse: 60 neurons have about 90 synapses
    assert len(parts) == (2 if sparse else 17)


def test_a_fan_in_that_is_cut_keeps_the_synapses_of_its_axons():
    rng = np.random.default_rng(0)
    weight = (rng.random((100, 50)) < 0.1).astype(float)
    placed = place(graph_of(weight), chip(synapse_words_per_core=words(45)))
    parts = [p for p in placed.populations.values() if p.kind == "part"]
    assert len(parts) > 1
    counted = [(c.first, c.axons, c.own_pattern.synapses(0, 100)) for p in parts for c in p.inputs]
    for first, axons, synapses in counted:
        assert synapses == np.count_nonzero(weight[:, first : first + axons])
    assert sum(axons for _, axons, _ in counted) == 50
    (found,) = placed.encodings
    assert found.synapses == np.count_nonzero(weight)


def test_without_data_each_synapse_works_once_a_step_at_most():
    placed = place(graph_of(banded(3)), LOIHI2)
    most = per_core_at_most(placed)
    assert most.syn_ops.sum(axis=1).tolist() == [0, 150 + 100]
