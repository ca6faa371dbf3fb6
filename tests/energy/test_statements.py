"""Sentences and figures that an estimate makes of its numbers, each case by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spiking_block import TINY_INPUT, model_graph, model_input, tiny_graph

from neurossm.energy import Baseline, Energy, Hops, Interval, Work, estimate
from neurossm.energy.hulls import energy_hull
from neurossm.energy.mesh import travel_anywhere
from neurossm.energy.real_time import RealTime, real_time_hull
from neurossm.energy.sensitivity import at_spike_rate
from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.placement import Connection


@pytest.fixture(scope="module")
def tiny() -> Energy:
    graph = tiny_graph()
    metrics = measure(graph, run(graph, TINY_INPUT, "reference"))
    return estimate(metrics, graph, load_hardware("loihi2"))


def row(name: str, joules: float, memory: float, **more: object) -> Baseline:
    return Baseline(name, f"{name}, dense", joules, memory, "x", **more)  # type: ignore[arg-type]


OWN = row("snn_digital", 1.0, 2.0)


@pytest.mark.parametrize(
    ("joules", "memory", "said"),
    [
        (3.0, 4.0, "at least 2.00 times less energy than"),
        (1.019, 4.0, "at least 1.01 times less energy than"),  # down, so that it stays true
        (1.005, 4.0, "neither clearly less nor clearly more energy than"),
        (4.0, 2.0, "neither clearly less nor clearly more energy than"),
        (9.999, 40.0, "at least 9.99 times less energy than"),
        (10.0, 40.0, "at least 10 times less energy than"),
        (10.9, 40.0, "at least 10 times less energy than"),
        (0.5, 0.5, "at least 2.00 times more energy than"),
        (0.5, 8.0, "neither clearly less nor clearly more energy than"),
    ],
)
def test_a_factor_is_the_smaller_one_rounded_down(tiny, joules, memory, said) -> None:
    first, *_ = replace(tiny, baselines=(OWN, row("other", joules, memory))).statements()
    assert first == f"On the same 45 nm arithmetic this network takes {said} the other."


def test_the_cheapest_dense_row_is_that_with_least_memory_included(tiny) -> None:
    rows = (OWN, row("b", 1.0, 9.0), row("a", 5.0, 8.0), row("c", 2.0, 30.0))
    said = replace(tiny, baselines=rows).statements()
    assert len(said) == 3 + 1 + 1  # nothing was measured, so none is known to hold
    assert said[3] == (
        "The cheapest dense network here is the a: whether such a recurrence is accurate enough was"
        " not measured."
    )


def test_of_those_that_hold_the_cheapest_is_named_too(tiny) -> None:
    rows = (
        OWN,
        row("cheap", 1.0, 3.0, accuracy=0.5, own_accuracy=0.75, accuracy_note="of 8"),
        row("z", 1.0, 5.0, accuracy=0.75 - 0.03, own_accuracy=0.75, accuracy_note="of 8"),
        row("y", 1.0, 4.0, accuracy=0.7199, own_accuracy=0.75, accuracy_note="of 8"),
        row("a", 1.0, 7.0, accuracy=0.875, own_accuracy=0.75, accuracy_note="of 8"),
        row("half", 1.0, 4.0, accuracy=0.75, accuracy_note="of 4"),  # beside nothing of its own
    )
    said = replace(tiny, baselines=rows).statements()[5:-1]
    assert said == (
        "The cheapest dense network here is the cheap: this network with such a recurrence has"
        " 50.00%, 75.00% with its own (of 8).",
        "The cheapest within 3 points of accuracy is the z: this network with such a recurrence has"
        " 72.00%, 75.00% with its own (of 8).",
    )
    (alone,) = replace(tiny, baselines=(OWN, rows[5])).statements()[1:-1]
    assert alone.endswith("the half: this network with such a recurrence has 75.00% (of 4).")
    # no second sentence about a row that is the cheapest of all
    assert len(replace(tiny, baselines=(OWN, rows[2])).statements()) == 3


def test_what_links_between_chips_take_is_missing_only_where_there_are_two(tiny) -> None:
    def missing(chips: int) -> bool:
        (placed,) = tiny.placements
        found = replace(tiny, placements=(replace(placed, chips=chips),))
        assert found.as_json()["chips"] == [chips, chips]
        return any("between chips" in sentence for sentence in found.excluded)

    assert [missing(chips) for chips in (1, 2, 3)] == [False, True, True]


def test_static_power_is_missing_only_where_it_is_not_known(tiny) -> None:
    def missing(energy: Energy) -> bool:
        return any("static power" in sentence for sentence in energy.excluded)

    assert not missing(tiny) and missing(replace(tiny, static=None))


def test_json_has_each_part_and_row(tiny) -> None:
    found = replace(tiny, baselines=(row("a", 1.0, 2.0),)).as_json()
    assert (
        found["baselines"]["a"]["with_memory_j"] == 2.0 and "title" not in found["baselines"]["a"]
    )
    assert found["breakdown"]["static"] == tiny.static.as_json()
    assert found["breakdown"]["synaptic"] == tiny.breakdown["synaptic"].as_json()


def test_the_hull_of_real_times_holds_both_ends_of_each() -> None:
    cases = [
        RealTime(100.0, 0.5, Interval(1, 4), Interval(2, 6)),
        RealTime(100.0, 0.5, Interval(3, 5), Interval(1, 9)),
    ]
    found = real_time_hull(cases)
    assert (found.static, found.total) == (Interval(1, 5), Interval(1, 9))
    assert found.power_w == Interval(2, 18)  # in half a second
    assert found.as_json()["static_j"] == [1, 5]
    assert real_time_hull([replace(case, static=None) for case in cases]).static is None


def test_the_hull_of_estimates_holds_both_ends_of_each_part(tiny) -> None:
    (name, found), *_ = tiny.by_constant_set.items()
    parts = []
    for low, high in ((1.0, 4.0), (0.5, 3.0)):
        each = Interval(low, high)
        known = replace(
            found, synaptic=each, neuron=each * 2, routing=each * 3, dynamic=each * 6,
            total=each * 7,
        )  # fmt: skip
        work = Work(each, each * 2, each * 3, each * 4, Hops(each * 5, each * 6))
        parts.append(
            replace(tiny, by_constant_set={name: known}, work=work, static=each * 8,
                    step_time=each * 9)
        )  # fmt: skip
    hull = energy_hull(parts)
    whole, held = Interval(0.5, 4.0), hull.by_constant_set[name]
    assert [held.synaptic, held.neuron, held.routing, held.dynamic, held.total] == [
        whole * factor for factor in (1, 2, 3, 6, 7)
    ]
    assert hull.work == Work(whole, whole * 2, whole * 3, whole * 4, Hops(whole * 5, whole * 6))
    assert (hull.static, hull.step_time) == (whole * 8, whole * 9)
    assert len(hull.placements) == 2 and hull.parts == tuple(parts)


def test_the_slowest_rate_is_one(tiny) -> None:
    assert tiny.at_rate(1e-9).seconds == pytest.approx(2e9)
    with pytest.raises(InputError, match="steps_per_second: expected 1e-09 to"):
        tiny.at_rate(0.9e-9)


@pytest.mark.parametrize(("cores", "most"), [(None, 10), (4, 4), (120, 10)])
def test_a_message_reaches_no_more_cores_than_there_are(cores: int | None, most: int) -> None:
    found = travel_anywhere(Connection("in", "dense", 3), 10, cores, (2.0, 5.0))
    assert found.messages == Interval(1, most)
    assert (found.east_west, found.north_south) == (Interval(0, 2 * most), Interval(0, 5 * most))


def test_a_rate_scales_products_of_weights_and_leaves_what_never_fires() -> None:
    graph = model_graph(blocks=1, channels=4, modes=3, classes=3)
    metrics = measure(graph, run(graph, model_input(16), "fast", "outputs"))
    silent = replace(metrics, spike_rates=dict.fromkeys(metrics.spike_rates, 0.0))
    same, capped = at_spike_rate(silent, graph, 2.0)
    assert capped == () and same.nodes == metrics.nodes
    half, _ = at_spike_rate(metrics, graph, 0.5)
    for name, node in graph.nodes.items():
        fed = [source for source in graph.sources[name] if source in metrics.spike_rates]
        before, after = metrics.nodes[name], half.nodes[name]
        # who receives spikes alone does half; who receives none the same
        share = 0.5 if fed and len(fed) == len(graph.sources[name]) else 1.0 if not fed else None
        if share is not None and not any(graph.nodes[s].passes_on for s in graph.sources[name]):
            assert after.synaptic_multiplies == round(before.synaptic_multiplies * share), node
            assert after.spikes_in == round(before.spikes_in * share), node
