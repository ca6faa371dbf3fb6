import json
from dataclasses import replace

import pytest
from spiking_block import TINY_INPUT, integers, model_graph, model_input, tiny_graph

from neurossm.energy import Energy, Interval, estimate, holds_everywhere
from neurossm.energy.digital import baselines
from neurossm.engine import run
from neurossm.errors import InputError, TargetError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.nodes import DiagonalSSM, Input, Output, Threshold


def tiny_energy(chip: str) -> Energy:
    graph = tiny_graph()
    return estimate(measure(graph, run(graph, TINY_INPUT, "reference")), graph, load_hardware(chip))


def pj(interval: Interval | None) -> list[float]:
    assert interval is not None
    return [pytest.approx(1e12 * interval.low), pytest.approx(1e12 * interval.high)]


def test_energy_of_a_chip_whose_cores_are_not_known_is_that_calculated_by_hand() -> None:
    energy = tiny_energy("loihi1")
    work = energy.work
    # 6 synapses and the sum's 2 messages to a receiver; updates of 4 thresholds, 2 sums and 2
    # receivers, one pass each but up to one for a relay
    assert work.syn_ops == Interval(6 + 2, 6 + 2)
    assert work.passes == Interval(8, 8)
    # 3 messages from outside to thresholds on 1 or 2 cores, 2 spikes to one sum, 2 sums to one
    assert work.messages == Interval(3 + 2 + 2, 3 * 2 + 2 + 2)
    assert work.spikes == Interval(2 + 2, 2 + 2)
    davies = energy.by_constant_set["davies2018"]
    assert pj(davies.synaptic) == [8 * 23.6, 8 * 23.6]
    assert pj(davies.neuron) == [8 * 52, 8 * 81]
    assert pj(davies.routing) == [7 * 1.7, 10 * (1.7 + 7 * 3.0 + 3 * 4.0)]
    assert energy.placements == () and energy.chips is None


def test_totals_are_the_hull_of_the_sets_with_static_power_times_time() -> None:
    found = tiny_energy("loihi2")
    assert found.step_time == Interval(200e-9, 31.03e-6)
    assert pj(found.static) == [0.109 * 2 * 0.2e6, 0.342 * 2 * 31.03e6]
    # 8 synaptic operations of 30 pJ with free passes; SANA-FE: 8 of 35.5, 16 passes of 72.8, 7
    # messages of 111, hops of 3 messages from outside, 4 neurons that fire of 69.3
    sanafe = 8 * 35.5 + 16 * 72.8 + 7 * 111 + 3 * (7 * 3.0 + 3 * 4.2) + 4 * 69.3
    assert pj(found.dynamic) == [240.0, sanafe]
    assert pj(found.total) == [240.0 + 43600, sanafe + 21224520]
    assert found.chips == (1, 1)


def test_unknown_static_power_stays_unknown_and_is_said() -> None:
    found = tiny_energy("loihi1")
    shown = found.as_json()
    assert shown["breakdown"]["static"] is None
    assert shown["step_time_s"] is None
    assert shown["static_included"] is False
    assert found.total == found.dynamic
    assert any("static power: not published" in line for line in shown["excluded"])
    assert found.at_rate(1000).static is None


def test_baselines_of_the_tiny_graph_are_those_calculated_by_hand() -> None:
    rows = {row.name: row for row in tiny_energy("loihi2").baselines}
    # a step has 6 MACs and one addition of the sum; 2 steps
    assert rows["ann_float32"].arithmetic_j == pytest.approx(2 * (6 * 4.6 + 0.9) * 1e-12)
    assert rows["ann_int8"].arithmetic_j == pytest.approx(2 * (6 * 0.3 + 0.1) * 1e-12)
    # 6 selected weights, 2 sums, 4 comparisons, all additions
    assert rows["snn_digital"].arithmetic_j == pytest.approx(12 * 0.1e-12)
    # bytes a step: 6 weights, 3 biases of 3, a sum of 3 read and written; 10 pJ for 8 bytes
    int8_bytes = 2 * (6 + 9 + 6)
    memory = rows["ann_int8"].with_memory_j - rows["ann_int8"].arithmetic_j
    assert memory == pytest.approx(int8_bytes * 1.25e-12)
    # weights only where a spike selects them (6 in all), thresholds too
    own_bytes = 6 + 2 * (9 + 6 + 6)
    memory = rows["snn_digital"].with_memory_j - rows["snn_digital"].arithmetic_j
    assert memory == pytest.approx(own_bytes * 1.25e-12)


def test_a_ratio_is_stated_only_where_it_holds_with_and_without_memory() -> None:
    said = tiny_energy("loihi2").statements()
    assert "at least 2.72 times less energy than the float32 ANN" in said[0]
    assert "neither clearly less nor clearly more energy than the int8 ANN" in said[1]
    assert "No ratio is stated between Intel Loihi 2" in said[-1]


def test_a_narrow_recurrence_costs_less_by_hand() -> None:
    graph, chip = _one_ssm(modes=2), load_hardware("loihi2")
    energy = estimate(measure(graph, run(graph, [[[1], [0], [1]]], "reference")), graph, chip)
    rows = {row.name: row for row in energy.baselines}
    # of 8 products of a state 4 are by poles of 0 and 4 by gains of 1, which add; D is 0
    for name in ("ann_int8", "ann_int8_recurrence16", "ann_int8_recurrence8"):
        assert rows[name].arithmetic_j == pytest.approx(3 * 2 * 4 * 0.1e-12)
    # bytes a step: 2 states of two parts, read and written, in 3, 2 and 1 bytes; poles of 2, 2 and
    # 1 bytes (2 states, 2 parts), gains of 1 (8 and D), drives of 3, 2 and 1 (4), a bias the same
    expected = {
        "ann_int8": 2 * 3 * 4 + 2 * 4 + 9 + 3 * 5,
        "ann_int8_recurrence16": 2 * 2 * 4 + 2 * 4 + 9 + 2 * 5,
        "ann_int8_recurrence8": 2 * 1 * 4 + 1 * 4 + 9 + 1 * 5,
    }
    for name, size in expected.items():
        memory = rows[name].with_memory_j - rows[name].arithmetic_j
        assert memory == pytest.approx(3 * size * 1.25e-12), name


def test_products_of_each_width_by_hand() -> None:
    graph, digital = _one_ssm(modes=2), load_hardware("cmos45")
    ssm = graph.nodes["ssm"]
    poles = integers([[3, 3]], 15, 16)  # neither 0 nor a power of two
    graph = replace(graph, nodes={**graph.nodes, "ssm": replace(ssm, a_re=poles, a_im=poles)})
    rows = baselines(graph, measure(graph, run(graph, [[[1]]], "reference")), digital)
    # a state: 4 products by poles and 4 by gains of 1
    each = {row.name: row.arithmetic_j * 1e12 for row in rows}
    assert each["ann_float32"] == pytest.approx(2 * (4 * 4.6 + 4 * 0.9))
    assert each["ann_int8"] == pytest.approx(2 * (4 * 3.2 + 4 * 0.1))
    assert each["ann_int8_recurrence16"] == pytest.approx(2 * (4 * 0.875 + 4 * 0.1))
    assert each["ann_int8_recurrence8"] == pytest.approx(2 * (4 * 0.3 + 4 * 0.1))


def test_the_cheapest_baseline_is_named_with_its_accuracy() -> None:
    graph, chip = _one_ssm(modes=2), load_hardware("loihi2")
    energy = estimate(measure(graph, run(graph, [[[1], [0], [1]]], "reference")), graph, chip)
    said = " ".join(energy.statements())
    assert "is the int8 ANN, 8-bit recurrence: whether such a recurrence is accurate enough" in said
    assert "within" not in said
    found = {"snn_digital": (0.99, 0.99, "of 100"), "ann_int8_recurrence16": (0.97, 0.98, "of 50"),
             "ann_int8_recurrence8": (0.4, 0.98, "of 50")}  # fmt: skip
    said = " ".join(energy.with_accuracies(found).statements())
    assert "with such a recurrence has 40.00%, 98.00% with its own (of 50)." in said
    assert "within 3 points of accuracy is the int8 ANN, 16-bit recurrence: this" in said


@pytest.mark.parametrize(
    ("smaller", "larger", "factor"),
    [
        (Interval(1, 2), Interval(6, 9), 3.0),
        (Interval(1, 6), Interval(6, 9), None),
        (Interval(6, 9), Interval(1, 2), None),
        (Interval(0, 0), Interval(1, 2), None),
    ],
)
def test_holds_everywhere_needs_separate_intervals(
    smaller: Interval, larger: Interval, factor: float | None
) -> None:
    assert holds_everywhere(smaller, larger) == factor


def test_the_hull_of_both_mappings_adds_fan_out_and_readout_at_its_high_end_only() -> None:
    graph = _one_ssm(modes=2)
    metrics = measure(graph, run(graph, [[[1], [0], [1]]], "reference"))
    work = estimate(metrics, graph, load_hardware("loihi2")).work
    fired = metrics.nodes["spike"].spikes_out
    assert metrics.nodes["ssm"].dendrite_updates == 2 * 3
    # 2 inputs reach the channel by 1 synapse each, or its 2 states by 2; 2 readouts a step; the
    # spikes reach a receiver by one
    assert work.syn_ops == Interval(2 + fired, 2 * 2 + 2 * 3 + fired)
    assert work.messages == Interval(2 + fired, 2 + 2 * 3 + fired)
    # channel: the passes of its states alone or with the threshold's; state: those beside it
    assert work.passes == Interval(6 + 3, 2 * (6 + 3 + 3))


def test_energy_grows_with_the_number_of_states() -> None:
    small, large = (
        estimate(measure(graph, run(graph, [[[1], [0], [1]]], "reference")), graph, chip)
        for graph, chip in ((_one_ssm(n), load_hardware("loihi2")) for n in (2, 8))
    )
    parts = [e.by_constant_set["davies2018"].neuron for e in (small, large)]
    # low: the states of the channel, and the receiver; high: the threshold too, two passes each
    assert pj(parts[0]) == [52 * (2 * 3 + 3), 81 * 2 * (2 * 3 + 3 + 3)]
    assert pj(parts[1]) == [52 * (8 * 3 + 3), 81 * 2 * (8 * 3 + 3 + 3)]


def test_real_time_pays_static_power_all_the_while() -> None:
    found = tiny_energy("loihi2")
    case = found.at_rate(1000)
    assert case.seconds == 2e-3
    assert case.static == Interval(pytest.approx(0.109 * 2e-3), pytest.approx(0.342 * 2e-3))
    assert case.total.high == pytest.approx(0.342 * 2e-3 + found.dynamic.high)
    assert case.power_w.low == pytest.approx(0.109, rel=1e-3)


@pytest.mark.parametrize("rate", [0, -1, 6e6, float("nan")])
def test_a_rate_that_the_chip_cannot_reach_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match=r"steps_per_second: expected 1e-09 to 5e\+06"):
        tiny_energy("loihi2").at_rate(rate)


def test_a_technology_without_energies_of_events_is_refused() -> None:
    graph = tiny_graph()
    metrics = measure(graph, run(graph, TINY_INPUT, "reference"))
    with pytest.raises(TargetError, match="'cmos45': expected at least one set of energies"):
        estimate(metrics, graph, load_hardware("cmos45"))


def test_a_chip_that_does_not_say_the_passes_of_a_node_is_refused() -> None:
    graph, chip = tiny_graph(), load_hardware("loihi2")
    metrics = measure(graph, run(graph, TINY_INPUT, "reference"))
    known = {name: passes for name, passes in chip.passes.items() if name != "Threshold"}
    with pytest.raises(TargetError, match=r"expected passes.Threshold"):
        estimate(metrics, graph, replace(chip, passes=known))


def test_a_large_network_needs_more_chips_and_pays_each() -> None:
    graph, chip = _one_ssm(modes=2), load_hardware("loihi2")
    metrics = measure(graph, run(graph, [[[1], [0], [1]]], "reference"))
    one_core = replace(chip.limits, cores=replace(chip.limits.cores, low=1, high=1))
    found = estimate(metrics, graph, replace(chip, limits=one_core))
    by_mapping = {name: part.placements[0].chips for name, part in found.by_mapping.items()}
    # a chip for each population: states, threshold, receiver; or both in one, and a receiver
    assert by_mapping == {"state": 3, "channel": 2}
    assert found.chips == (2, 3)
    assert found.static.low == pytest.approx(2 * 0.109 * 3 * 10e-6)  # a barrier a step


def test_a_mapping_that_does_not_fit_is_said_and_the_other_stays() -> None:
    graph, chip = _one_ssm(modes=2), load_hardware("loihi2")
    metrics = measure(graph, run(graph, [[[1], [0], [1]]], "reference"))
    narrow = replace(chip.limits, words_per_neuron=replace(
        chip.limits.words_per_neuron, low=3, high=3))  # fmt: skip
    found = estimate(metrics, graph, replace(chip, limits=narrow))
    assert list(found.by_mapping) == ["state"]
    ((mapping, reason),) = found.problems
    assert mapping == "channel" and "'loihi2'" in reason
    assert any("the channel mapping, which does not fit" in line for line in found.excluded)


def test_a_network_that_does_not_fit_is_refused() -> None:
    graph, chip = _one_ssm(modes=2), load_hardware("loihi2")
    metrics = measure(graph, run(graph, [[[1], [0], [1]]], "reference"))
    none = replace(chip.limits, words_per_neuron=replace(
        chip.limits.words_per_neuron, low=0, high=0))  # fmt: skip
    with pytest.raises(TargetError, match="on 'loihi2'"):
        estimate(metrics, graph, replace(chip, limits=none))


def test_json_is_plain_and_labelled() -> None:
    graph = model_graph(blocks=1, channels=4, modes=2, classes=3)
    metrics = measure(graph, run(graph, model_input(5), "reference"))
    shown = json.loads(json.dumps(estimate(metrics, graph, load_hardware("loihi2")).as_json()))
    assert shown["label"] == "modeled, not measured"
    assert shown["low_j"] == min(part["low_j"] for part in shown["by_constant_set"].values())
    assert shown["high_j"] == max(part["high_j"] for part in shown["by_constant_set"].values())
    assert set(shown["breakdown"]) == {"synaptic", "neuron", "routing", "static"}
    assert shown["dynamic_low_j"] < shown["low_j"] < shown["high_j"]


def _one_ssm(modes: int) -> Graph:
    gains = {key: integers([[1] * modes], [0]) for key in ("b_re", "b_im", "c_re", "c_im")}
    drive = integers([[0] * modes], [0], 24)
    ssm = DiagonalSSM(
        a_re=integers([[0] * modes], 15, 16), a_im=integers([[0] * modes], 15, 16), **gains,
        d=integers([0], [0]), drive_re=drive, drive_im=drive, bias=integers([0], 0, 24),
        step_size=[0.1], method="zoh", out=Fixed(24),
    )  # fmt: skip
    nodes = {
        "input": Input(channels=1, out=Fixed(8)),
        "ssm": ssm,
        "spike": Threshold(theta=integers([1], 0, 24)),
        "output": Output(channels=1, out=Fixed.binary()),
    }
    edges = (("input", "ssm"), ("ssm", "spike"), ("spike", "output"))
    return Graph(nodes, edges)
