"""The energy model: counted events times published energies, and static power times time.

Synaptic operations, passes of neuron programs and messages each have an energy in a constant set.
A message travels from no hop at all (low) to the far corner of the mesh (high). Nothing here was
measured on a chip.
"""

from __future__ import annotations

from collections.abc import Iterable

from neurossm.energy.digital import baselines
from neurossm.energy.interval import NOTHING, Interval, hull, interval_of
from neurossm.energy.result import Energy, SetEnergy
from neurossm.energy.work import Work, chips_at_least, work_of
from neurossm.errors import TargetError
from neurossm.graph import Graph
from neurossm.hardware import EnergySet, Events, Hardware, Quantity, load_hardware
from neurossm.metrics import Metrics


def estimate(
    metrics: Metrics, graph: Graph, hardware: Hardware, digital: Hardware | None = None
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

    Raises
    ------
    TargetError
        If the file of the chip has no energies, or lacks the passes of a node.
    """
    if not hardware.energy:
        raise TargetError(
            f"hardware {hardware.name!r}",
            expected="at least one set of energies",
            got="none",
            remedy="use a chip, such as loihi2",
        )
    work = work_of(graph, metrics, hardware)
    chips = chips_at_least(graph, hardware)
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
        baselines=baselines(graph, metrics, digital or load_hardware("cmos45")),
    )


def time_of_step(work: Work, steps: int, hardware: Hardware, chips: int) -> Interval | None:
    """Return the seconds that one step takes, or None where the file lacks a time.

    Low: the largest of the chip's shortest step, all neuron passes and all synaptic operations,
    each spread evenly over all cores; no placement is faster. High: the largest of Intel's measured
    step of an S4D network, all synaptic operations on one core, and all passes that fit on one.
    """
    timing, limits = hardware.timing, hardware.limits
    parts = (timing.syn_op, timing.neuron_pass, timing.min_step, timing.measured_step)
    if any(part is None for part in (*parts, limits.cores, limits.neuron_words_per_core)):
        return None
    syn_op, neuron_pass, shortest, measured = (
        interval_of(hardware.require("timing", key))
        for key in ("syn_op", "neuron_pass", "min_step", "measured_step")
    )
    cores = hardware.require("limits", "cores").high * chips
    one_core = hardware.require("limits", "neuron_words_per_core").high
    syn_ops, passes = work.syn_ops * (1 / steps), work.passes * (1 / steps)
    most_passes = max((p.high for p in hardware.passes.values()), default=1.0)
    return Interval(
        max(
            shortest.low,
            passes.low / cores * neuron_pass.low,
            syn_ops.low / cores * syn_op.low,
        ),
        max(
            measured.high,
            min(passes.high, one_core * most_passes) * neuron_pass.high,
            syn_ops.high * syn_op.high,
        ),
    )


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
    message = _sum((events.axon_out, events.within_tile))
    for energy, routers in zip(hops, ("mesh_columns", "mesh_rows"), strict=True):
        if energy is not None:
            farthest = hardware.require("limits", routers).high - 1
            message += Interval(0, energy.high * farthest)
    return work.messages * message + work.spikes * _sum((events.spike_out,))


def _sum(parts: Iterable[Quantity | None]) -> Interval:
    return sum((interval_of(part) for part in parts if part is not None), NOTHING)
