"""Where the activations of a placed network go: routers they pass, from the positions of cores.

Modeled: with 4 cores a router, core i of a chip sits at router ``i // 4``, routers are numbered
row by row, and a message goes along its row, then along its column. Where Loihi 2 really puts core
i is not published. What enters the chip, or goes from chip to chip, passes between none and all
routers of a chip at each end; links between chips have no published energy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.energy.interval import Interval
from neurossm.hardware import Hardware
from neurossm.placement import Connection, Placement
from neurossm.placement.population import DENSE, FAN_OUT, SHARED

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Mesh:
    """Routers of one chip in columns and rows, each with some cores."""

    columns: int
    rows: int
    cores_a_router: int

    @classmethod
    def of(cls, hardware: Hardware) -> Mesh:
        """Return the mesh of a chip.

        Raises
        ------
        TargetError
            If its file does not say how many routers there are, and cores at each.
        """
        keys = ("mesh_columns", "mesh_rows", "cores_per_router")
        return cls(*(int(hardware.require("limits", key).high) for key in keys))

    def position(self, core: int) -> tuple[int, int]:
        """Return column and row of a core's router."""
        row, column = divmod(core // self.cores_a_router, self.columns)
        return column, row


@dataclass(frozen=True)
class Travel:
    """What one firing source neuron causes: activations, and routers passed along rows and columns.

    Each is an interval over the source neurons, so that it holds whichever of them fire.
    """

    messages: Interval
    east_west: Interval
    north_south: Interval


def travel(placement: Placement, target: str, connection: Connection, mesh: Mesh) -> Travel:
    """Return where an activation of a connection into the population `target` goes."""
    slices = placement.slices_of[target]
    reached = [core for _, core in slices]
    first, last = connection.reached(np.array([part.first for part, _ in slices]))
    counts = last - first + 1
    messages = Interval(float(counts.min()), float(counts.max()))
    if connection.source not in placement.populations:  # from outside: enters anywhere
        ends = (mesh.columns - 1, mesh.rows - 1)
        return Travel(messages, *(Interval(0, messages.high * end) for end in ends))
    sums = np.concatenate([_sums(placement, mesh, source, reached, first, last)
                           for source in _senders(placement, connection)])  # fmt: skip
    low, high = sums.min(axis=0), sums.max(axis=0)
    return Travel(
        messages,
        Interval(float(low[0]), float(high[1])),
        Interval(float(low[2]), float(high[3])),
    )


def travel_anywhere(
    connection: Connection, targets: int, cores: int | None, ends: tuple[float, float]
) -> Travel:
    """Return where an activation goes if nobody knows which core holds what.

    Parameters
    ----------
    connection
        Into a population.
    targets
        Neurons of that population.
    cores
        Of the chip; None where its file does not say.
    ends
        Routers from one end of the mesh to the other, along rows and along columns.
    """
    reached = {DENSE: targets, SHARED: targets, FAN_OUT: connection.fan}.get(connection.kind, 1)
    most = float(min(reached, cores) if cores else reached)
    return Travel(Interval(1.0, most), *(Interval(0.0, most * end) for end in ends))


def _senders(placement: Placement, connection: Connection) -> list[tuple[int, int, int]]:
    """Return the source's slices as ranges of the connection's own axons."""
    found = []
    for part, position in placement.slices_of[connection.source]:
        low, high = part.first - connection.first, part.stop - connection.first
        low, high = max(low, 0), min(high, connection.axons)
        if low < high:
            found.append((low, high, position))
    return found


def _sums(
    placement: Placement,
    mesh: Mesh,
    source: tuple[int, int, int],
    reached: list[int],
    first: Integers,
    last: Integers,
) -> Integers:
    """Return (least and most along rows, the same along columns) of each kind of source neuron."""
    low, high, position = source
    hops = np.array([[0, 0, 0, 0], *(_hops(placement, mesh, position, core) for core in reached)])
    before = np.cumsum(hops, axis=0)
    ways = np.unique(np.stack([first[low:high], last[low:high]], axis=1), axis=0)
    return np.asarray(before[ways[:, 1] + 1] - before[ways[:, 0]])


def _hops(
    placement: Placement, mesh: Mesh, sender: int, receiver: int
) -> tuple[int, int, int, int]:
    here, there = placement.cores[sender], placement.cores[receiver]
    if here.chip != there.chip:
        return 0, 2 * (mesh.columns - 1), 0, 2 * (mesh.rows - 1)
    (x, y), (to_x, to_y) = mesh.position(here.index), mesh.position(there.index)
    return abs(x - to_x), abs(x - to_x), abs(y - to_y), abs(y - to_y)
