"""The energy model: counted events times published energies, and static power times time.

Synaptic operations, passes of neuron programs and activations each have an energy in a constant
set. There is one path: the network is placed on cores, by the mapping that is asked for or by each,
and the estimate is the hull of theirs. Where the file of a chip lacks the limits of a core there is
nothing to place on, and activations go anywhere. Nothing here was measured on a chip.
"""

from __future__ import annotations

from collections.abc import Iterable

from neurossm.arguments import instance
from neurossm.energy.digital import Baseline, baselines
from neurossm.energy.hulls import energy_hull
from neurossm.energy.interval import NOTHING, Interval, hull, interval_of, known_hull
from neurossm.energy.placed import Load, Work, core_syn_ops, placed_work, work_anywhere
from neurossm.energy.result import Energy, SetEnergy
from neurossm.errors import InputError, TargetError
from neurossm.graph import Graph
from neurossm.hardware import EnergySet, Events, Hardware, Quantity, load_hardware
from neurossm.metrics import Metrics
from neurossm.metrics.step_time import StepTime, core_terms
from neurossm.placement import Placement, Placements, place_each, populations_of, shape_of
from neurossm.placement.budget import budget_of


def estimate(
    metrics: Metrics,
    graph: Graph,
    hardware: Hardware,
    digital: Hardware | None = None,
    placement: Placement | Placements | None = None,
) -> Energy:
    """Return the energy of one inference.

    Parameters
    ----------
    metrics
        Of a run of `graph`.
    graph
        Integer graph.
    hardware
        A chip with energy sets.
    digital
        Technology of the baselines; ``cmos45`` where none is given.
    placement
        Of `graph` on `hardware`; None places it by each mapping. Of several placements the result
        is the hull.

    Raises
    ------
    TargetError
        If the network does not fit the chip, or the chip's file has no energies, or lacks the
        passes of a node.
    InputError
        If the placement is one for another chip.
    """
    instance("metrics", metrics, Metrics, remedy="metrics.measure(graph, trace) makes them")
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    instance("hardware", hardware, Hardware, remedy="load_hardware reads one by name")
    if set(metrics.nodes) != set(graph.nodes):
        odd = min(set(metrics.nodes) ^ set(graph.nodes))
        raise InputError("metrics", expected="those of a run of this graph",
                         got=f"node {odd!r} in one of them")  # fmt: skip
    if not hardware.energy:
        raise TargetError(
            f"hardware {hardware.name!r}",
            expected="at least one set of energies",
            got="none",
            remedy="use a chip, such as loihi2",
        )
    load, rows = Load.of(metrics), baselines(graph, metrics, digital or load_hardware("cmos45"))
    if isinstance(placement, Placement):
        placement = Placements((placement,))
    if placement is None:
        placement = place_each(graph, hardware)
    if placement.fit:
        parts = [_on_cores(load, one, hardware, rows) for one in placement.fit]
        return energy_hull(parts, placement.problems)
    if _has_limits(hardware):
        raise TargetError(placement.why_not)
    mappings = [mapping for mapping, _ in placement.problems]
    return energy_hull([_anywhere(load, graph, one, hardware, rows) for one in mappings])


def _on_cores(
    load: Load, placement: Placement, hardware: Hardware, rows: tuple[Baseline, ...]
) -> Energy:
    if placement.hardware != hardware.name:
        raise InputError("placement", expected=f"for {hardware.name!r}", got=placement.hardware)
    work, step_time = placed_work(load, placement, hardware), _step_time(load, placement, hardware)
    static = None
    if hardware.power.static_chip is not None and step_time is not None:
        watts = interval_of(hardware.power.static_chip)
        static = watts * step_time * (load.steps * placement.chips)
    return _energy(load, work, hardware, rows, step_time, static, (placement,))


def _anywhere(
    load: Load, graph: Graph, mapping: str, hardware: Hardware, rows: tuple[Baseline, ...]
) -> Energy:
    """Return the estimate by a mapping where cores, chips and so times are not known."""
    populations = {p.name: p for p in populations_of(shape_of(graph), mapping)}
    return _energy(load, work_anywhere(load, populations, hardware), hardware, rows)


def _energy(
    load: Load,
    work: Work,
    hardware: Hardware,
    rows: tuple[Baseline, ...],
    step_time: Interval | None = None,
    static: Interval | None = None,
    placements: tuple[Placement, ...] = (),
) -> Energy:
    by_set = {found.name: set_energy(found, work, static) for found in hardware.energy}
    return Energy(hardware, load.steps, work, by_set, step_time, static, placements, baselines=rows)


def _step_time(load: Load, placement: Placement, hardware: Hardware) -> Interval | None:
    """Return the seconds of a mean step, or None where the file lacks a time."""
    timing = hardware.timing
    if timing.syn_op is None or timing.neuron_pass is None or timing.min_step is None:
        return None
    terms = core_terms(placement, core_syn_ops(load, placement), hardware)
    found = StepTime(tuple(terms))
    return Interval(found.low, found.high)


def _has_limits(hardware: Hardware) -> bool:
    """Tell whether the file of a chip has all that placement needs."""
    try:
        budget_of(hardware)
    except TargetError:
        return False
    return True


def set_energy(constants: EnergySet, work: Work, static: Interval | None = None) -> SetEnergy:
    """Return the joules of events by one set of constants, the hull of its scenarios."""
    scenarios = [_scenario(events, work) for events in constants.events]
    synaptic, neuron, routing = zip(*scenarios, strict=True)
    dynamic = hull(s + n + (r or NOTHING) for s, n, r in scenarios)
    return SetEnergy(
        constants=constants,
        synaptic=hull(synaptic),
        neuron=hull(neuron),
        routing=known_hull(routing),
        dynamic=dynamic,
        total=dynamic + static if static else dynamic,
    )


def _scenario(events: Events, work: Work) -> tuple[Interval, Interval, Interval | None]:
    assert events.syn_op is not None and events.neuron_update is not None  # the loader checks
    synaptic = interval_of(events.syn_op) * work.syn_ops
    neuron = interval_of(events.neuron_update) * work.passes
    return synaptic, neuron, _routing(events, work)


def _routing(events: Events, work: Work) -> Interval | None:
    hops = (events.hop_east_west, events.hop_north_south)
    if all(part is None for part in (events.spike_out, events.axon_out, events.within_tile, *hops)):
        return None
    sent = work.messages * _sum((events.axon_out, events.within_tile))
    for energy, routers in zip(hops, (work.hops.east_west, work.hops.north_south), strict=True):
        sent += _sum((energy,)) * routers
    return sent + work.spikes * _sum((events.spike_out,))


def _sum(parts: Iterable[Quantity | None]) -> Interval:
    return sum((interval_of(part) for part in parts if part is not None), NOTHING)
