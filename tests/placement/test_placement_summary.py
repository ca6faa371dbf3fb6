"""The rows that are shown of a placement, from the words of a neuron, an axon and a synapse."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from published_networks import network_256_x_16, s4d_shape
from spiking_block import model_graph, tiny_graph

from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.nodes import Affine, Embedding, Input, Output, Threshold
from neurossm.placement import NodeShape, Shape, check, place, place_populations
from neurossm.placement.each import Placements, place_each
from neurossm.placement.summary import summary

LOIHI1, LOIHI2 = load_hardware("loihi1"), load_hardware("loihi2")


def test_rows_of_the_128_x_4_network_by_hand() -> None:
    rows = summary(place(s4d_shape(width=128, states=4, layers=1), LOIHI2, ssm_mapping="state"))
    assert [(row.number, row.name, row.kind, row.neurons, row.cores) for row in rows] == [
        (1, "encoder", "relay", 128, 1), (2, "s4d.states", "states", 512, 1),
        (3, "s4d", "relay", 128, 1), (4, "relu", "neurons", 128, 1),
        (5, "decoder", "relay", 10, 1), (6, "output", "receiver", 10, 1),
    ]  # fmt: skip
    words = {row.name: astuple(row.words) for row in rows}
    # neuron words, axons, synapses (dense 3.1 a word, fan-out 4), axon map
    assert words["encoder"] == (128, 3, 3 * 42, 128)
    assert words["s4d.states"] == (2 * 512, 128, 128, 512)
    assert words["relu"] == (128, 128, 128 * 42, 128)
    loads = {row.name: row.load for row in rows}
    assert loads["encoder"] == pytest.approx((128 + 3 + 126 + 128) / 20_000)
    assert rows[1].words_per_neuron == (2, 2) and rows[0].words_per_neuron == (1, 1)


def test_words_of_a_population_on_several_cores_add_up() -> None:
    rows = {row.name: row for row in summary(place_populations(network_256_x_16(), LOIHI2))}
    relu = rows["relu"]
    # 85, 85 and 86 neurons: each core takes all 256 axons, of 28 words of synapses
    assert relu.cores == 3
    assert astuple(relu.words) == (256, 3 * 256, 3 * 256 * 28, 256)
    assert relu.load == pytest.approx((86 + 256 + 256 * 28 + 86) / 20_000)


def table(tokens: int, width: int) -> Shape:
    nodes = {
        "tokens": NodeShape(type="Input", inputs=0, outputs=1),
        "table": NodeShape(type="Embedding", inputs=tokens, outputs=width),
        "lif": NodeShape(type="LIF", inputs=width, outputs=width, memory=True),
        "out": NodeShape(type="Output", inputs=width, outputs=width),
    }
    return Shape(nodes, (("tokens", "table"), ("table", "lif"), ("lif", "out")))


@pytest.mark.parametrize(
    ("tokens", "width", "fewest", "most"),
    [
        # of 16,000 words a core, a token takes 1 and a word for each 3.1 of its targets
        (9_000, 8, 3, 3),  # 9,000 * 4 = 2.25 cores
        (20_000, 4, 4, 4),  # 20,000 * 3 = 3.75 cores
        (20_000, 64, 28, 35),  # 20,000 * 22 = 27.5 cores, if parts of them were as full
    ],
)
def test_a_fan_in_is_cut_where_the_parts_need_fewest_cores(
    tokens: int, width: int, fewest: int, most: int
) -> None:
    placed = place(table(tokens, width), LOIHI2)
    assert fewest <= len(placed.cores) - 2 <= most  # the neurons and the receiver have one each


def test_parts_of_a_fan_in_are_one_row() -> None:
    first, *others = summary(place(table(20_000, 64), LOIHI2))
    count = len(first.populations)
    assert count > 1 and first.populations[0] == "table.part0"
    assert (first.name, first.kind, first.neurons) == ("table.part*", f"{count} parts", 64 * count)
    assert [(row.number, row.name, row.kind) for row in others] == [
        (2, "lif", "neurons"), (3, "out", "receiver")
    ]  # fmt: skip
    # every token has one axon on each core that has some of its targets
    assert first.words.axon_in >= 20_000 and first.words.neuron == 64 * count


def test_a_check_has_figures_of_a_placement_where_there_is_one() -> None:
    keys = ("cores", "chips", "largest_load")
    fits, not_known = check(tiny_graph(), LOIHI2), check(tiny_graph(), LOIHI1)
    assert fits.placement is not None and not_known.placement is None
    cores = len(fits.placement.cores)
    assert [fits.as_json()[key] for key in keys] == [cores, 1, fits.placement.largest_load]
    assert [not_known.as_json()[key] for key in keys] == [None, None, None]


def test_the_first_reason_is_why_there_is_no_placement_at_all() -> None:
    found = place_each(model_graph(), LOIHI1)
    assert [mapping for mapping, _ in found.problems] == ["state", "channel"] and not found.fit
    assert found.why_not == found.problems[0][1] != ""
    assert Placements((), (("state", "a"), ("channel", "b"))).why_not == "a"
    fits = place(tiny_graph(), LOIHI2)
    assert Placements((fits,), (("state", "a"),)).why_not == ""


def test_a_sum_travels_where_no_single_neuron_keeps_it() -> None:
    def graded(*edges: tuple[str, str]) -> set[str]:
        nodes = {
            "tokens": Input(channels=1, out=Fixed(8)),
            "table": Embedding(table=[[1.0], [2.0]]),
            "one": Affine(weight=[[1.0]], bias=[0.0]),
            "spike": Threshold(theta=[1.0]), "other": Threshold(theta=[2.0]),
            "out": Output(channels=1), "end": Output(channels=1),
        }  # fmt: skip
        used = {name for edge in edges for name in edge}
        graph = Graph({name: nodes[name] for name in nodes if name in used}, edges)
        return {
            node.name
            for node in check(graph, LOIHI1).nodes
            if any("sends graded spikes" in finding.reason for finding in node.findings)
        }

    behind = (("spike", "out"),)
    # a token is one spike of many axons; the sum stays where the threshold is
    assert graded(("tokens", "table"), ("table", "spike"), *behind) == set()
    assert graded(("tokens", "table"), ("table", "one"), ("one", "spike"), *behind) == {"table"}
    apart = (("table", "spike"), ("table", "other"), ("other", "end"))
    assert graded(("tokens", "table"), *apart, *behind) == {"table"}
