"""Events of one inference that a chip is charged for, as values: `Work`, and `Hops` in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neurossm.energy.interval import NOTHING, Interval, hull


@dataclass(frozen=True)
class Hops:
    """Routers that messages pass, along the rows and along the columns of the mesh."""

    east_west: Interval = NOTHING
    north_south: Interval = NOTHING

    def __add__(self, other: Hops) -> Hops:
        return Hops(self.east_west + other.east_west, self.north_south + other.north_south)

    def as_json(self) -> dict[str, list[float]]:
        """Return plain values."""
        return {"east_west": self.east_west.as_json(), "north_south": self.north_south.as_json()}


@dataclass(frozen=True)
class Work:
    """Events of one inference (one sample, all its steps).

    Attributes
    ----------
    syn_ops
        Synaptic operations: those counted, and those that a mapping adds.
    passes
        Passes of neuron programs: updates times passes an update, and relay neurons.
    spikes
        Neurons that fire, whoever receives it.
    messages
        Messages, one for each core that receives. What leaves the chip is not in it.
    hops
        Routers that the messages pass.
    """

    syn_ops: Interval = NOTHING
    passes: Interval = NOTHING
    spikes: Interval = NOTHING
    messages: Interval = NOTHING
    hops: Hops = Hops()


def work_hull(parts: Sequence[Work]) -> Work:
    """Return the smallest intervals that hold the work of each of `parts`."""
    return Work(
        syn_ops=hull(part.syn_ops for part in parts),
        passes=hull(part.passes for part in parts),
        spikes=hull(part.spikes for part in parts),
        messages=hull(part.messages for part in parts),
        hops=Hops(
            hull(part.hops.east_west for part in parts),
            hull(part.hops.north_south for part in parts),
        ),
    )
