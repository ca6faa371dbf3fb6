"""The energy model: counted events times published energies, and static power times time.

Synaptic operations, passes of neuron programs and messages each have an energy in a constant set.
Without a placement a message travels from no hop at all (low) to the far corner of the mesh (high);
with one, as far as the positions of its cores say. Nothing here was measured on a chip.
"""

from __future__ import annotations

from collections.abc import Iterable

from neurossm.energy.digital import baselines
from neurossm.energy.interval import NOTHING, Interval, hull, interval_of
from neurossm.energy.placed import Load, core_loads, placed_work
from neurossm.energy.result import Energy, SetEnergy
from neurossm.energy.step_time import time_of_step, time_on_cores
from neurossm.energy.work import Hops, Work, chips_at_least, work_of
from neurossm.errors import InputError, TargetError
from neurossm.graph import Graph
from neurossm.hardware import EnergySet, Events, Hardware, Quantity, load_hardware
from neurossm.metrics import Metrics
from neurossm.placement import Placement


def estimate(
    metrics: Metrics,
    graph: Graph,
    hardware: Hardware,
    digital: Hardware | None = None,
    placement: Placement | None = None,
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
        Of `graph` on `hardware`: then chips, mapping, hops and the time of a step are its own,
        and the interval is narrower.

    Raises
    ------
    TargetError
        If the file of the chip has no energies, or lacks the passes of a node.
    InputError
        If the placement is one for another chip.
    """
    if placement is not None and placement.hardware != hardware.name:
        raise InputError("placement", expected=f"for {hardware.name!r}", got=placement.hardware)
    if not hardware.energy:
        raise TargetError(
            f"hardware {hardware.name!r}",
            expected="at least one set of energies",
            got="none",
            remedy="use a chip, such as loihi2",
        )
    if placement is not None:
        load, chips = Load.of(metrics), placement.chips
        work = placed_work(load, placement, hardware)
        step_time = time_on_cores(core_loads(load, placement, hardware), hardware, chips)
    else:
        work, chips = work_of(graph, metrics, hardware), chips_at_least(graph, hardware)
        step_time = time_of_step(work, metrics.steps, hardware, chips)
    static = None
    if hardware.power.static_chip is not None and step_time is not None:
        static = interval_of(hardware.power.static_chip) * step_time * (metrics.steps * chips)
    return Energy(
        hardware=hardware,
        steps=metrics.steps,
        work=work,
        by_constant_set={s.name: _by_set(s, work, hardware, static) for s in hardware.energy},
        step_time=step_time,
        chips=chips,
        static=static,
        placed=placement is not None,
        baselines=baselines(graph, metrics, digital or load_hardware("cmos45")),
    )


def dynamic_energy(constants: EnergySet, work: Work, hardware: Hardware) -> Interval:
    """Return the joules of events by one set of constants: all but static."""
    return _by_set(constants, work, hardware, None).dynamic


def _by_set(
    constants: EnergySet, work: Work, hardware: Hardware, static: Interval | None
) -> SetEnergy:
    worlds = [_world(events, work, hardware) for events in constants.events]
    synaptic, neuron, routing = zip(*worlds, strict=True)
    dynamic = hull(s + n + (r or NOTHING) for s, n, r in worlds)
    stated = [part for part in routing if part is not None]
    return SetEnergy(
        constants=constants,
        synaptic=hull(synaptic),
        neuron=hull(neuron),
        routing=hull(stated) if stated else None,
        dynamic=dynamic,
        total=dynamic + static if static else dynamic,
    )


def _world(
    events: Events, work: Work, hardware: Hardware
) -> tuple[Interval, Interval, Interval | None]:
    assert events.syn_op is not None and events.neuron_update is not None  # the loader checks
    synaptic = interval_of(events.syn_op) * work.syn_ops
    neuron = interval_of(events.neuron_update) * work.passes
    return synaptic, neuron, _routing(events, work, hardware)


def _routing(events: Events, work: Work, hardware: Hardware) -> Interval | None:
    hops = (events.hop_east_west, events.hop_north_south)
    if all(part is None for part in (events.spike_out, events.axon_out, events.within_tile, *hops)):
        return None
    sent = work.messages * _sum((events.axon_out, events.within_tile))
    passed = work.hops or _anywhere(work.messages, hardware, hops)
    for energy, routers in zip(hops, (passed.east_west, passed.north_south), strict=True):
        sent += _sum((energy,)) * routers
    return sent + work.spikes * _sum((events.spike_out,))


def _anywhere(
    messages: Interval, hardware: Hardware, hops: tuple[Quantity | None, Quantity | None]
) -> Hops:
    """Return the routers passed where no placement says so: none at all to all of the mesh."""
    ends = [
        hardware.require("limits", key).high - 1 if energy is not None else 0.0
        for energy, key in zip(hops, ("mesh_columns", "mesh_rows"), strict=True)
    ]
    return Hops(*(Interval(0, messages.high * end) for end in ends))


def _sum(parts: Iterable[Quantity | None]) -> Interval:
    return sum((interval_of(part) for part in parts if part is not None), NOTHING)
