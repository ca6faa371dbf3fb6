"""Where there are few cores: who shares one, who is refused, and what `check` says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spiking_block import model_graph, tiny_graph

from neurossm.errors import TargetError
from neurossm.fixed import Quantized
from neurossm.hardware import Hardware, Quantity, load_hardware
from neurossm.placement import Connection, Population, check, place_populations

LOIHI2 = load_hardware("loihi2")


def with_limit(key: str, value: int) -> Hardware:
    limit = Quantity(value, value, "one", "a test", "U")
    return replace(LOIHI2, limits=replace(LOIHI2.limits, **{key: limit}))


def behind(axons: int, name: str) -> Population:
    """Ten neurons, which take 5 words an axon: 1, and 4 of synapses at 3.1 a word."""
    return Population(name, "neurons", (), 10, (Connection("outside", "dense", axons),))


def test_a_core_is_shared_only_as_far_as_all_on_it_fit() -> None:
    # 5 * 1,400 words each: two are within 16,000 words of axons and synapses, three are not
    three = [behind(1_400, name) for name in "abc"]
    placed = place_populations(three, with_limit("cores", 2), chips=1)
    shared = [[part.population for part in core.slices] for core in placed.cores]
    assert sorted(map(len, shared)) == [1, 2] and sorted(
        name for names in shared for name in names
    ) == ["a", "b", "c"]
    assert all(core.words.fits(placed.budget) for core in placed.cores)
    with pytest.raises(TargetError, match="at most 1 cores in all"):
        place_populations(three, with_limit("cores", 1), chips=1)


def test_the_population_that_needs_most_cores_is_named() -> None:
    # 20,000 neurons of a word each, 4,095 words a core
    large = Population("a", "neurons", (), 20_000, (Connection("outside", "one-to-one", 20_000),))
    said = "node 'a' on .*got 6, of which 'a' needs 5; use 6 chips or more"
    with pytest.raises(TargetError, match=said):
        place_populations([large, behind(3_000, "z")], with_limit("cores", 1), chips=1)


def test_a_check_says_no_where_the_chips_are_too_few_and_why() -> None:
    answer = check(model_graph(), with_limit("cores", 1), chips=1)
    assert answer.fits is False and not answer.ok and answer.placement is None
    assert "at most 1 cores in all" in answer.why_not
    assert all(node.ok for node in answer.nodes)


@pytest.mark.parametrize(
    ("weights", "bits"), [([0, 0], 1), ([1, 0], 2), ([7, -7], 4), ([7, -8], 5), ([127, 1], 8)]
)
def test_weights_are_as_wide_as_the_largest_with_its_sign(weights: list[int], bits: int) -> None:
    graph = tiny_graph()
    read = graph.nodes["read"]
    # one row, two columns
    values = np.resize(np.array(weights), read.weight.shape)
    changed = replace(read, weight=Quantized(values, read.weight.frac, 8))
    graph = graph.with_nodes({"read": changed})

    def findings(limit: int) -> list[str]:
        nodes = {node.name: node for node in check(graph, with_limit("weight_bits", limit)).nodes}
        return [finding.reason for finding in nodes["read"].findings]

    assert findings(bits) == []
    if bits > 1:
        assert findings(bits - 1) == [f"weights of {bits} bits, at most {bits - 1} [U]"]
