import json
from dataclasses import replace

import pytest
from spiking_block import TINY_INPUT, integers, model_graph, model_input, tiny_graph

from neurossm.energy import Energy, Interval, estimate, holds_everywhere, work_of
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


def test_work_of_the_tiny_graph_is_that_counted_by_hand() -> None:
    work = tiny_energy("loihi2").work
    assert work.syn_ops == Interval(6, 6)
    assert work.passes == Interval(6, 12)  # 4 of the threshold, 2 of the sum, 1 or 2 passes each
    assert work.messages == Interval(5, 5)  # 3 from the input, 2 spikes; sums stay in neurons
    assert work.spikes == Interval(2, 5)  # whether the input is made by neurons is open


def test_energy_of_the_tiny_graph_is_that_calculated_by_hand() -> None:
    found = tiny_energy("loihi2").by_constant_set
    davies = found["davies2018"]
    assert pj(davies.synaptic) == [6 * 23.6, 6 * 23.6]
    assert pj(davies.neuron) == [6 * 52, 12 * 81]
    assert pj(davies.routing) == [5 * 1.7, 5 * (1.7 + 7 * 3.0 + 3 * 4.0)]
    assert pj(davies.dynamic) == [462.1, 1287.1]
    assert pj(found["sanafe"].routing) == [
        5 * 111 + 2 * 69.3,
        5 * (111 + 7 * 3.0 + 3 * 4.2) + 5 * 69.3,
    ]
    assert pj(found["sanafe"].dynamic) == [1144.8, 2156.1]
    assert pj(found["kerasspiking"].dynamic) == [648.6, 1134.6]
    assert found["kerasspiking"].routing is None
    # all to synapses: 6 x 30; most to passes: 6 x 17.3 + 12 x 80
    assert pj(found["pilotnet"].dynamic) == [180.0, 1063.8]


def test_totals_are_the_hull_of_the_sets_with_static_power_times_time() -> None:
    found = tiny_energy("loihi2")
    assert found.step_time == Interval(200e-9, 31.03e-6)
    assert pj(found.static) == [0.109 * 2 * 0.2e6, 0.342 * 2 * 31.03e6]
    assert pj(found.dynamic) == [180.0, 2156.1]
    assert pj(found.total) == [180.0 + 43600, 2156.1 + 21224520]
    assert found.chips == 1


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
    assert "No ratio is stated between Intel Loihi 2" in said[2]


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


def test_states_as_neurons_add_fan_out_and_readout_at_the_high_end_only() -> None:
    graph = _one_ssm(modes=2)
    metrics = measure(graph, run(graph, [[[1], [0], [1]]], "reference"))
    work = work_of(graph, metrics, load_hardware("loihi2"))
    assert metrics.nodes["ssm"].dendrite_updates == 2 * 3
    # 2 inputs reach the channel by 1 synapse each, or its 2 states by 2; 2 readouts a step
    assert work.syn_ops == Interval(2, 2 * 2 + 2 * 3)
    assert work.messages == Interval(2, 2 + 2 * 3)
    assert work.passes == Interval(6 + 3, 2 * (6 + 3))


def test_energy_grows_with_the_number_of_states() -> None:
    small, large = (
        estimate(measure(graph, run(graph, [[[1], [0], [1]]], "reference")), graph, chip)
        for graph, chip in ((_one_ssm(n), load_hardware("loihi2")) for n in (2, 8))
    )
    parts = [e.by_constant_set["davies2018"].neuron for e in (small, large)]
    assert pj(parts[0]) == [52 * 9, 81 * 18]
    assert pj(parts[1]) == [52 * (8 * 3 + 3), 81 * 2 * (8 * 3 + 3)]


def test_real_time_pays_static_power_all_the_while() -> None:
    found = tiny_energy("loihi2")
    case = found.at_rate(1000)
    assert case.seconds == 2e-3
    assert case.static == Interval(pytest.approx(0.109 * 2e-3), pytest.approx(0.342 * 2e-3))
    assert case.total.high == pytest.approx(0.342 * 2e-3 + found.dynamic.high)
    assert case.power_w.low == pytest.approx(0.109, rel=1e-3)


@pytest.mark.parametrize("rate", [0, -1, 6e6, float("nan")])
def test_a_rate_that_the_chip_cannot_reach_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match=r"steps per second: expected 1e-09 to 5e\+06"):
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
    one_core_of_one_state = replace(
        chip.limits,
        cores=replace(chip.limits.cores, low=1, high=1),
        neuron_words_per_core=replace(chip.limits.neuron_words_per_core, low=3, high=3),
    )
    found = estimate(metrics, graph, replace(chip, limits=one_core_of_one_state))
    assert found.chips == 2
    assert found.static.low == pytest.approx(2 * 0.109 * 3 * 200e-9)


def test_json_is_plain_and_labelled() -> None:
    graph = model_graph(blocks=1, channels=4, modes=2, classes=3)
    metrics = measure(graph, run(graph, model_input(5), "reference"))
    shown = json.loads(json.dumps(estimate(metrics, graph, load_hardware("loihi2")).as_json()))
    assert shown["label"] == "modelled, not measured"
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
