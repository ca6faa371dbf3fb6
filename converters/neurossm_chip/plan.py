"""When each node works: latencies, and the delays that bring unlike paths together."""

from __future__ import annotations

from typing import Collection, NamedTuple

from neurossm_chip.cells import cell_of
from neurossm_chip.nssm import File
from neurossm_chip.refusal import Refusal

MAX_DELAY = 63  # 6 bits: what Lava's delayed synapses take


class Plan(NamedTuple):
    """Network steps from an input to the answer of each node, steps of a sample, and samples."""

    latencies: dict[str, int]
    period: int
    samples: int

    @property
    def last(self) -> int:
        """Steps that each node works."""
        return self.period * self.samples

    @property
    def steps(self) -> int:
        """Steps of the network, until the slowest node has finished."""
        return self.last + max(self.latencies.values())

    def delay(self, source: str, target: str, hops: int) -> int:
        """Return the steps that an edge waits beyond the `hops` that synapses take anyway."""
        steps = self.latencies[target] - self.latencies[source] - hops
        if steps > MAX_DELAY:
            raise Refusal(
                f"edge {source} -> {target}: its messages would have to wait {steps} steps, where"
                f" synapses delay by at most {MAX_DELAY}; put a layer into the shorter path"
            )
        return steps


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


def make_plan(file: File, two_hops: Collection[str] = ()) -> Plan:
    """Plan a run of all golden vectors, one after the other.

    `two_hops` are the nodes that have synapses inside, as Lava's S4d has behind its states.
    """
    late: dict[str, int] = {}
    for node in file.nodes:
        hops = 0 if cell_of(node.name, node.type).host else 2 if node.name in two_hops else 1
        late[node.name] = max([late[source] for source in node.sources] or [0]) + hops
    lengths = {len(values) for vector in file.golden for values in vector.inputs.values()}
    if len(lengths) > 1:
        raise Refusal(f"golden vectors of unlike lengths {sorted(lengths)} cannot share a run")
    return Plan(late, lengths.pop(), len(file.golden))
