"""Delays in a NIR graph: those that it states, and the step that feedback of spikes takes.

A NIR graph is continuous in time and may feed spikes back at once. The tools that run such a graph
in steps (snnTorch's ``RLeaky``, Norse's recurrent cells, sinabs) give a neuron the spikes of the
step before. So an edge back from spikes, in a cycle that no ``Delay`` of the file opens, gets one
step: a part of its own, named ``NEURON.before``.
"""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, GraphError
from neurossm.fixed import MESSAGE_BITS, round_to
from neurossm.nodes import Delay, Sum, Threshold
from neurossm_converters.formats.nir.convention import Real
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.leaky import Chain, NodeContext
from neurossm_converters.formats.nir.net import DELAYS, Net
from neurossm_converters.formats.nir.nodes import Converter, Entry, converts
from neurossm_converters.formats.nir.resets import GROUPS

SPIKING = ("LIF", "CubaLIF", "IF", "Threshold", *GROUPS)
BEFORE = "before"  # the kind of a part that holds spikes for a step
LONG = 2.0**20  # steps
WHOLE = 1e-4  # delays are float32, and steps not always a power of two


def delay_feedback(net: Net) -> None:
    """Put a step into each edge back from spikes, where nothing else opens the cycle."""
    for component in list(nx.strongly_connected_components(open_net(net))):
        for name in sorted(component):
            back = [target for target in net.targets(name) if target in component]
            if net.kind(name) not in SPIKING or not back:
                continue
            held = f"{name}.{BEFORE}"
            if held in net.parts:
                raise GraphError(f"NIR node {held!r}", problem="the name is used twice")
            net.parts[held] = Part(BEFORE)
            for target in back:
                net.separate(name, target)
                net.join(held, target)
            net.join(name, held)


def open_net(net: Net) -> nx.DiGraph:
    """Return the edges without those into delays: what is left of cycles has no time in it."""
    edges = [edge for edge in net.edges if net.kind(edge[1]) not in (*DELAYS, BEFORE)]
    found = nx.DiGraph(edges)
    found.add_nodes_from(net.parts)
    return found


def visiting_order(net: Net) -> list[str]:
    """Return the parts so that each comes after one that feeds it, where any path leads to it.

    Without cycles each comes after all that feed it.
    """
    first = [name for name in net.parts if net.kind(name) == "Input"]
    graph, found = nx.DiGraph(net.edges), []
    graph.add_nodes_from(net.parts)
    seen: set[str] = set()
    for start in (*first, *net.parts):
        if start not in seen:
            visited = [n for n in nx.dfs_postorder_nodes(graph, start) if n not in seen]
            seen.update(visited)
            found.append(visited)
    return [name for visited in reversed(found) for name in reversed(visited)]


def delay(here: NodeContext) -> Chain:
    """Return a delay in whole steps; one of more than a node may have as several."""
    steps = here.values("delay") / here.steps.step
    whole = _whole(steps)
    if np.any(np.abs(steps - whole) > WHOLE * np.maximum(whole, 1)) or np.any(whole < 0):
        odd = here.values("delay")[np.argmax(np.where(whole < 0, LONG, np.abs(steps - whole)))]
        raise GraphError(
            here.where,
            expected=f"delays of 0, 1, 2, ... steps, of {here.steps.step:g} each in the unit that"
            f" the file is read in ({here.steps.unit})",
            got=f"{odd:g}",
            remedy="check --dt, and --tau-unit or --convention, which say that unit",
        )
    count = max(1, int(-(-whole.max() // Delay.longest)))
    if whole.min() < count:
        raise GraphError(
            here.where,
            expected=f"delays of at least a step for each {Delay.longest} of the longest, in every"
            " channel",
            got=f"{whole.min():g} to {whole.max():g} steps",
            remedy="give the channels without delay, or with a short one, a path of their own",
        )
    parts = [whole // count + (place < whole % count) for place in range(count)]
    chain: Chain = []
    for place, part in enumerate(parts[:-1], start=1):
        chain.append((f"part{place}", Delay(channels=here.channels, steps=part)))
        chain.append((f"relay{place}", _relay(here)))  # a neuron: synapses delay by so much
    return [*chain, ("", Delay(channels=here.channels, steps=parts[-1]))]


def _relay(here: NodeContext) -> Threshold | Sum:
    """Return neurons that send what arrives, spikes as spikes."""
    if here.spikes:
        return Threshold(theta=np.full(here.channels, 0.5))
    return Sum(channels=here.channels)


def _whole(steps: Real) -> NDArray[np.int64]:
    """Return the nearest whole numbers; those beyond all networks as the largest."""
    return round_to(np.minimum(np.maximum(steps, -LONG), LONG), 0, MESSAGE_BITS)


def before(here: NodeContext) -> Chain:
    """Return the step that feedback from spikes takes."""
    return [("", Delay(channels=here.channels, steps=np.ones(1, np.int64)))]


@converts(Delay)
class _Delay(Converter[Delay]):
    def write(self, node: Delay, dt: float) -> Any:
        import nir

        return nir.Delay(delay=1e3 * dt * node.steps)

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> Delay:
        given = found.numbers("delay", where) / (1e3 * dt)
        steps = _whole(given)
        if found.kind != "Delay" or not np.allclose(given, steps, rtol=1e-9, atol=0):
            raise FormatError(where, expected="a NIR Delay of whole steps", got=found.kind[:80])
        return Delay(channels=len(steps), steps=steps)
