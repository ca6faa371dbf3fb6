"""When each node computes: latencies, and the delays that balance converging paths."""

from __future__ import annotations

from typing import Any, Collection, NamedTuple

import numpy as np

from neurossm_chip.nssm import File
from neurossm_chip.refusal import Refusal
from neurossm_chip.wiring import Wire, Wiring, kind_of, wire

MAX_DELAY = 63  # 6 bits: what Lava's delayed synapses take


class Plan(NamedTuple):
    """Network steps from an input to the answer of each node, steps of a sample, and samples.

    In the `gap` between two samples nothing works: what still travels in delayed synapses at the
    end of one arrives before the next one begins.
    """

    latencies: dict[str, int]
    steps_each: int
    samples: int
    gap: int = 0

    @property
    def period(self) -> int:
        """Steps from the beginning of a sample to that of the next."""
        return self.steps_each + self.gap

    @property
    def last(self) -> int:
        """Steps from the first that a node works to the end of the last."""
        return self.period * self.samples - self.gap

    @property
    def steps(self) -> int:
        """Steps of the network, until the slowest node has finished."""
        return self.last + max(self.latencies.values())

    def worked(self, name: str) -> Any:
        """Return the network steps, from 0, in which a node works, ``(samples, steps)``."""
        begins = self.latencies[name] + self.period * np.arange(self.samples)
        return begins[:, None] + np.arange(self.steps_each)

    def delay(self, source: str, target: str, hops: int, steps: Any = 0, by: str = "") -> Any:
        """Return the steps that an edge waits beyond the `hops` that synapses take anyway.

        `steps` are those of a `Delay` in it, a number or ``(C,)``, and `by` is its name.
        """
        wait = self.latencies[target] - self.latencies[source] - hops + np.asarray(steps)
        most = int(wait.max())
        if most > MAX_DELAY:
            remedy = "put a Sum between two delays, or take a shorter one"
            raise Refusal(
                f"edge {by or source} -> {target}: its messages would have to wait {most} steps,"
                f" where synapses delay by at most {MAX_DELAY};"
                f" {remedy if by and by != source else 'put a layer into the shorter path'}"
            )
        return most if most == wait.min() else wait


def parts_of(file: File) -> list[tuple[list[int], File]]:
    """Return the golden vectors that can share a run, those of one length: which, and their file.

    A run begins each vector anew after as many steps as the one before it has.
    """
    found: dict[int, list[int]] = {}
    for index, vector in enumerate(file.golden):
        found.setdefault(vector.steps, []).append(index)
    return [
        (which, file._replace(golden=tuple(file.golden[i] for i in which)))
        for which in found.values()
    ]


def make_plan(file: File, two_hops: Collection[str] = (), wiring: Wiring | None = None) -> Plan:
    """Plan a run of all golden vectors, one after the other.

    `two_hops` are the nodes that have synapses inside, as Lava's S4d has behind its states. A
    message through a `Delay` may be early by its steps; where it is later than that, round a cycle,
    there is no plan.
    """
    wiring = wiring or wire(file)
    late = {unit: 0 for unit in wiring.units.values()}
    last = next(iter(late))
    came: dict[tuple[str, ...], Wire] = {}
    between = [one for one in wiring.wires if not wiring.is_inside(one)]
    for _ in range(len(late) + 1):
        settled = True
        for one in between:
            source, target = wiring.units[one.source], wiring.units[one.target]
            arrives = late[source] + hops(wiring, one, two_hops) - early(wiring, one)
            if arrives > late[target]:
                late[target], came[target], settled, last = arrives, one, False, target
        if settled:
            break
    else:
        raise _too_short(wiring, came, last, two_hops)
    lengths = {len(values) for vector in file.golden for values in vector.inputs.values()}
    if len(lengths) > 1:
        raise Refusal(f"golden vectors of unlike lengths {sorted(lengths)} cannot share a run")
    gap = max((int(one.steps.max()) for one in between if not on_host(wiring, one)), default=0)
    latencies = {name: late[unit] for name, unit in wiring.units.items()}
    return Plan(latencies, lengths.pop(), len(file.golden), gap)


def on_host(wiring: Wiring, one: Wire) -> bool:
    """Tell whether a wire ends at an `Output`, where the host reads: no synapses, nothing waits."""
    return kind_of(wiring.nodes[one.target]).host


def hops(wiring: Wiring, one: Wire, two_hops: Collection[str] = ()) -> int:
    """Return the steps that the synapses of a wire take by themselves."""
    return 0 if on_host(wiring, one) else 2 if one.target in two_hops else 1


def early(wiring: Wiring, one: Wire) -> int:
    """Return by how many steps a message may arrive before it is due."""
    return 0 if on_host(wiring, one) else int(one.steps.min())


def _too_short(
    wiring: Wiring,
    came: dict[tuple[str, ...], Wire],
    unit: tuple[str, ...],
    two_hops: Collection[str],
) -> Refusal:
    """Return the refusal of a cycle whose messages would be back too late.

    `came` has for each process the wire that made it latest, `unit` is one that never settled.
    """
    seen: list[tuple[str, ...]] = []
    for _ in came:  # back into the cycle
        unit = wiring.units[came[unit].source]
    while unit not in seen:
        seen.append(unit)
        unit = wiring.units[came[unit].source]
    round_trip = [came[unit] for unit in reversed(seen)]
    taken = sum(hops(wiring, one, two_hops) for one in round_trip)
    given = sum(early(wiring, one) for one in round_trip)
    delays = [one.by for one in round_trip if one.by != one.source]
    way, which = " -> ".join(one.target for one in round_trip), " or ".join(delays)
    return Refusal(
        f"cycle {way}: expected delays of at least {taken} steps in it, got {given}; a cycle of"
        f" {taken} synapses needs a Delay of at least {taken} steps on Lava and on the chip,"
        f" as each takes one: raise those of {which}, or run the graph on the fast engine"
    )
