"""Several estimates of one run as one that holds them all: `energy_hull`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neurossm.energy.interval import hull, known_hull
from neurossm.energy.placed import work_hull
from neurossm.energy.result import Energy, SetEnergy


def energy_hull(parts: Sequence[Energy], problems: tuple[tuple[str, str], ...] = ()) -> Energy:
    """Return the estimate that holds each of `parts`: of one run on one chip, placed apart."""
    if len(parts) == 1:
        return replace(parts[0], problems=problems)
    return replace(
        parts[0],
        work=work_hull([part.work for part in parts]),
        by_constant_set={
            name: _set_hull([part.by_constant_set[name] for part in parts])
            for name in parts[0].by_constant_set
        },
        step_time=known_hull(part.step_time for part in parts),
        static=known_hull(part.static for part in parts),
        placements=tuple(placement for part in parts for placement in part.placements),
        parts=tuple(parts),
        problems=problems,
    )


def _set_hull(each: Sequence[SetEnergy]) -> SetEnergy:
    return replace(
        each[0],
        synaptic=hull(found.synaptic for found in each),
        neuron=hull(found.neuron for found in each),
        routing=known_hull(found.routing for found in each),
        dynamic=hull(found.dynamic for found in each),
        total=hull(found.total for found in each),
    )
