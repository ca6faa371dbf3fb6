"""Runs cycles through a `Delay` by the compiled step, one time step after the other."""

from __future__ import annotations

from collections.abc import Mapping

from neurossm.engine.compiled.form import Messages, Tally
from neurossm.engine.flat import Flat
from neurossm.engine.walk import walker
from neurossm.graph import Graph
from neurossm.nodes import State


def run_loop(
    graph: Graph,
    block: tuple[str, ...],
    messages: Mapping[str, Messages],
    states: Mapping[str, State],
) -> dict[str, Tally]:
    """Run a loop of an integer graph over a block of samples and steps; return its counters.

    Reads what arrives from outside ``(S, T, C)``, writes what its nodes send, and their states at
    the end; they begin with zeros.
    """
    samples, steps = messages[block[0]].shape[:2]
    flat = Flat.of_loop(graph, block, samples)
    places = [(messages[name], flat.view(place), name) for name, place in flat.messages.items()]
    arriving = [(array, view) for array, view, name in places if name not in block]
    sent = [(array, view) for array, view, name in places if name in block]
    memory, first, rest = (flat.small, flat.whole, flat.real), flat.first, flat.rest()
    walk = walker()
    for t in range(steps):
        for array, view in arriving:
            view[...] = array[:, t]
        walk(samples, first, *memory)
        for call, code in rest:
            call()
            walk(samples, code, *memory)
        for array, view in sent:
            array[:, t] = view
    for key, kept in flat.states.items():
        name, _, part = key.rpartition(".")
        states[name][part][...] = kept.part(flat.view(kept.place))
    index = {name: place for place, name in enumerate(graph.order)}
    return {name: flat.counts(index[name]) for name in block}
