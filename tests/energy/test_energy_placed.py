"""Energy with a placement: against a count neuron by neuron, and by hand."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import QUICK, Case, cases
from spiking_block import TINY_INPUT, model_graph, model_input, tiny_graph

from neurossm.energy import Interval, Load, estimate, placed_work
from neurossm.energy.mesh import Mesh, Travel, travel
from neurossm.energy.placed import core_syn_ops
from neurossm.engine import run
from neurossm.errors import InputError, TargetError
from neurossm.graph import Graph
from neurossm.hardware import Hardware, Quantity, load_hardware
from neurossm.metrics import Metrics, measure
from neurossm.metrics.per_core import per_core
from neurossm.metrics.step_time import StepTime, core_terms
from neurossm.placement import (
    SSM_MAPPINGS,
    Connection,
    Placement,
    Population,
    Slice,
    place,
    place_populations,
)
from neurossm.quantization import Quantize, calibrate

LOIHI2 = load_hardware("loihi2")
FEW = settings(QUICK, max_examples=25)
CHECKPOINTS = Path(__file__).parents[2] / "models/neurossm_models/checkpoints"


def small_cores() -> Hardware:
    """Return a chip of cores so small that populations of three channels are cut."""

    def words(value: int) -> Quantity:
        return Quantity(value, value, "word", "a test", "U")

    limits = replace(
        LOIHI2.limits,
        neuron_words_per_core=words(9), synapse_words_per_core=words(22), words_per_core=words(25),
    )  # fmt: skip
    return replace(LOIHI2, limits=limits)


def close_inside(interval: Interval, low: float, high: float) -> bool:
    room = 1e-6 * max(1.0, high)
    return interval.low <= low + room and high <= interval.high + room


@FEW
@given(case=cases(), mapping=st.sampled_from(["state", "channel"]), small=st.booleans())
def test_work_holds_what_is_counted_neuron_by_neuron(case: Case, mapping: str, small: bool) -> None:
    chip = small_cores() if small else LOIHI2
    try:
        placed = place(case.graph, chip, ssm_mapping=mapping)
    except TargetError:
        assert small
        return
    trace = run(case.graph, case.inputs, "reference", "all")
    counted = per_core(placed, case.graph, trace)
    metrics = measure(case.graph, trace)
    load = Load.of(metrics)
    work = placed_work(load, placed, LOIHI2)
    low, high = counted.syn_ops.sum(axis=1) * trace.steps
    if not any(p.kind == "part" for p in placed.populations.values()):
        assert close_inside(work.syn_ops, low, high)
        low, high = counted.axon_out.sum(axis=1) * trace.steps
        assert high <= work.messages.high * (1 + 1e-9)
    on_cores = core_syn_ops(load, placed).sum(axis=1) * trace.steps
    assert on_cores == pytest.approx(np.array(work.syn_ops.as_json()))


@FEW
@given(case=cases(), mapping=st.sampled_from(["state", "channel"]))
def test_routers_passed_are_those_of_a_walk_over_all_neurons(case: Case, mapping: str) -> None:
    chip = small_cores()
    try:
        placed = place(case.graph, chip, ssm_mapping=mapping)
    except TargetError:
        return
    held = sum(part.neurons for core in placed.cores for part in core.slices)
    assert held == placed.neurons  # each name means one population
    mesh = Mesh.of(chip)
    for name, population in placed.populations.items():
        for connection in population.inputs:
            found = travel(placed, name, connection, mesh)
            walked = [
                walk(placed, name, connection, mesh, axon) for axon in range(connection.axons)
            ]
            assert found.messages == Interval(min(w[0] for w in walked), max(w[0] for w in walked))
            if connection.source in placed.populations:
                assert found.east_west.low == min(w[1] for w in walked)
                assert found.north_south.high == max(w[2] for w in walked)


def walk(
    placed: Placement, name: str, connection: Connection, mesh: Mesh, axon: int
) -> tuple[int, int, int]:
    """Cores that one source neuron reaches, and routers passed along rows and along columns."""
    fan, own = connection.fan, axon % max(connection.axons // connection.rows, 1)
    targets = {
        "dense": range(placed.populations[name].neurons),
        "shared": in_group(connection, axon, placed.populations[name].neurons),
        "fan-out": range(axon * fan, axon * fan + fan),
        "reduce": range(axon // fan, axon // fan + 1),
    }.get(connection.kind, range(own, own + 1))
    cores = {core_of(placed, Slice(name, n, n + 1)) for n in targets}
    if connection.source not in placed.populations:
        return len(cores), 0, 0
    neuron = connection.first + axon
    x, y = mesh.position(core_of(placed, Slice(connection.source, neuron, neuron + 1)))
    ends = [mesh.position(core) for core in cores]
    return len(cores), sum(abs(x - a) for a, _ in ends), sum(abs(y - b) for _, b in ends)


def in_group(connection: Connection, axon: int, neurons: int) -> range:
    """Target neurons of the group of a convolution's input; of several sums all."""
    if connection.windows is None or connection.rows > 1:
        return range(neurons)
    groups = connection.windows.groups
    group = axon * groups // connection.axons
    return range(group * neurons // groups, (group + 1) * neurons // groups)


def core_of(placed: Placement, neuron: Slice) -> int:
    for core in placed.cores:
        for part in core.slices:
            if part.population == neuron.population and part.first <= neuron.first < part.stop:
                return core.index
    raise AssertionError(neuron)


def test_a_core_has_the_synapses_of_its_part_of_the_neurons() -> None:
    into = Connection("input", "dense", 2, node="mix", through="input")
    placed = place_populations([Population("mix", "neurons", ("mix",), 13, (into,))], small_cores())
    assert [part.neurons for core in placed.cores for part in core.slices] == [6, 7]
    # 26 operations of 13 neurons in two steps: one a neuron and step
    found = core_syn_ops(Load(2, {"input": 3}, {"mix": 26}), placed)
    assert found == pytest.approx(np.array([[6, 7], [6, 7]]))


def test_a_message_to_another_chip_passes_none_to_all_routers_of_both() -> None:
    one_core = replace(
        LOIHI2, limits=replace(LOIHI2.limits, cores=Quantity(1, 1, "core", "t", "U"))
    )
    into = Connection("a", "dense", 2, node="mix", through="a")
    pair = [Population("a", "relay", ("a",), 2, ()), Population("b", "neurons", ("b",), 2, (into,))]
    placed = place_populations(pair, one_core)
    assert placed.chips == 2
    found = travel(placed, "b", into, Mesh.of(one_core))
    # 8 columns and 4 rows of routers on each chip
    assert found == Travel(Interval(1, 1), Interval(0, 2 * 7), Interval(0, 2 * 3))


def test_positions_are_row_by_row_with_four_cores_a_router() -> None:
    mesh = Mesh.of(LOIHI2)
    assert [mesh.position(core) for core in (0, 3, 4, 31, 32, 119)] == [
        (0, 0), (0, 0), (1, 0), (7, 0), (0, 1), (5, 3),
    ]  # fmt: skip


def test_energy_of_the_placed_tiny_graph_is_that_calculated_by_hand() -> None:
    graph = tiny_graph()
    metrics = measure(graph, run(graph, TINY_INPUT, "reference"))
    placed = place(graph, LOIHI2)
    found = estimate(metrics, graph, LOIHI2, placement=placed)
    # cores 0 to 2 at one router: thresholds, sum, receiver; 6 synapses and 2 of the receiver
    assert [part.population for core in placed.cores for part in core.slices] == [
        "spike", "sum", "output",
    ]  # fmt: skip
    assert found.work.syn_ops == Interval(6 + 2, 6 + 2)
    assert found.work.passes == Interval(6 + 2, 2 * (6 + 2))
    # 3 spikes from outside, 2 of the thresholds, 2 sums to the receiver
    assert found.work.messages == Interval(7, 7)
    assert found.work.spikes == Interval(4, 4)
    hops = found.work.hops
    assert hops is not None
    assert hops.east_west == Interval(0, 3 * 7) and hops.north_south == Interval(0, 3 * 3)
    davies = found.by_constant_set["davies2018"]
    assert davies.routing is not None
    assert 1e12 * davies.routing.low == pytest.approx(7 * 1.7)
    assert 1e12 * davies.routing.high == pytest.approx(7 * 1.7 + 21 * 3.0 + 9 * 4.0)
    # low: the shortest step; high: Intel's measured step, which is longer than all terms
    assert found.step_time == Interval(200e-9, 31.03e-6)
    assert found.placements == (placed,) and found.chips == (1, 1)
    shown = found.as_json()
    assert shown["placed"] is True
    assert not any("placement" in line for line in shown["excluded"])


def both_placed_inside(graph: Graph, metrics: Metrics) -> None:
    """Compare the estimate without a placement with each placed one, number by number."""
    hull = estimate(metrics, graph, LOIHI2)
    for mapping in SSM_MAPPINGS:
        one = estimate(metrics, graph, LOIHI2, placement=place(graph, LOIHI2, ssm_mapping=mapping))
        assert one.step_time is not None and one.static is not None
        pairs = {
            **{f"{s} total": (hull.by_constant_set[s].total, own.total)
               for s, own in one.by_constant_set.items()},
            **{f"{s} dynamic": (hull.by_constant_set[s].dynamic, own.dynamic)
               for s, own in one.by_constant_set.items()},
            **{f"{s} synaptic": (hull.by_constant_set[s].synaptic, own.synaptic)
               for s, own in one.by_constant_set.items()},
            **{f"{s} neuron": (hull.by_constant_set[s].neuron, own.neuron)
               for s, own in one.by_constant_set.items()},
            "total": (hull.total, one.total), "dynamic": (hull.dynamic, one.dynamic),
            "step": (hull.step_time, one.step_time), "static": (hull.static, one.static),
            "passes": (hull.work.passes, one.work.passes),
            "syn_ops": (hull.work.syn_ops, one.work.syn_ops),
            "messages": (hull.work.messages, one.work.messages),
            "spikes": (hull.work.spikes, one.work.spikes),
            "real time": (hull.at_rate(1000).total, one.at_rate(1000).total),
        }  # fmt: skip
        for what, (wide, narrow) in pairs.items():
            assert wide.low <= narrow.low <= narrow.high <= wide.high, (mapping, what)


@FEW
@given(case=cases())
def test_the_interval_without_a_placement_holds_both_placed_ones(case: Case) -> None:
    metrics = measure(case.graph, run(case.graph, case.inputs, "reference"))
    both_placed_inside(case.graph, metrics)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in
                                        CHECKPOINTS.glob("*/weights.safetensors")))  # fmt: skip
def test_it_does_for_every_published_checkpoint(name: str) -> None:
    from neurossm_converters.formats.torch import from_torch
    from neurossm_models.train import load_model

    model, _ = load_model(name)
    steps = 64  # a part of its sequences: enough for every kind of message
    pixels = np.random.default_rng(0).integers(0, 17, (4, steps, 1))
    graph = from_torch(model, steps=steps, scale=1 / 16)
    integer = Quantize()(graph, calibrate(graph, run(graph, pixels, "float", "outputs")))
    both_placed_inside(integer, measure(integer, run(integer, pixels, "fast", "outputs")))


def test_several_chips_pay_static_power_each_and_say_what_is_missing() -> None:
    graph = model_graph(blocks=2, channels=16, modes=4, classes=3)
    metrics = measure(graph, run(graph, model_input(5), "fast"))
    two_cores = Quantity(2, 2, "core", "a test", "U")
    chip = replace(LOIHI2, limits=replace(LOIHI2.limits, cores=two_cores))
    placed = place(graph, chip)
    found = estimate(metrics, graph, chip, placement=placed)
    assert found.chips == (placed.chips, placed.chips) and placed.chips > 1
    assert found.static is not None and found.step_time is not None
    assert found.static.low == pytest.approx(0.109 * found.step_time.low * 5 * placed.chips)
    in_real_time = found.at_rate(1000)  # five steps
    assert in_real_time.static.low == pytest.approx(0.109 * 0.005 * placed.chips)
    assert any("between chips" in line for line in found.excluded)


def test_a_placement_for_another_chip_is_refused() -> None:
    graph = tiny_graph()
    metrics = measure(graph, run(graph, TINY_INPUT, "reference"))
    other = replace(place(graph, LOIHI2), hardware="loihi9")
    with pytest.raises(InputError, match="placement: expected for 'loihi2', got loihi9"):
        estimate(metrics, graph, LOIHI2, placement=other)


@dataclass(frozen=True)
class Times:
    syn_ops: float
    neurons: int
    low_us: float
    high_us: float


@pytest.mark.parametrize(
    "case",
    [
        # synapses bind: 0.66 ns each; then one or two passes of 4 ns a neuron, and 10 us
        Times(10_000, 100, 6.6, 6.6 + 0.8 + 10),
        Times(10, 1000, 4.0, 0.0066 + 8.0 + 10),
        Times(10, 10, 0.2, 0.0066 + 0.08 + 10),  # the shortest step binds
    ],
)
def test_the_time_of_a_step_by_hand(case: Times) -> None:
    bare = replace(LOIHI2, timing=replace(LOIHI2.timing, measured_step=None))
    busy = Population("busy", "relay", (), case.neurons, ())
    idle = Population("idle", "relay", (), 1, ())
    placed = place_populations([busy, idle], bare)
    assert len(placed.cores) == 2
    syn_ops = np.array([[case.syn_ops, 0.0]] * 2)
    found = StepTime(tuple(core_terms(placed, syn_ops, bare)))
    assert (1e6 * found.low, 1e6 * found.high) == pytest.approx((case.low_us, case.high_us))
    assert StepTime(tuple(core_terms(placed, syn_ops, LOIHI2))).high == 31.03e-6


def test_without_a_published_time_there_is_energy_and_no_step_time() -> None:
    graph = tiny_graph()
    metrics = measure(graph, run(graph, TINY_INPUT, "reference"))
    no_time = replace(LOIHI2, timing=replace(LOIHI2.timing, syn_op=None))
    found = estimate(metrics, graph, no_time)
    assert found.step_time is None and found.static is None and found.dynamic.low > 0
