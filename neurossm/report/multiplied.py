"""Sentences about multiplications for the terminal and the report, from counts alone."""

from __future__ import annotations

from collections.abc import Sequence

from neurossm.graph import Graph
from neurossm.metrics import GROUPS, Multiplications, Recorded

_TITLES = {
    "synapses": "Synapses",
    "recurrence": "Recurrences: states, readout, leaks",
    "gates": "Gates: products, segments",
}


def multiplication_rows(found: Multiplications) -> list[tuple[str, str, str]]:
    """Return a row for each group: name, multiplications per inference, the nodes."""
    rows = []
    for group in GROUPS:
        mean = found.total(group) / found.samples
        rows.append((_TITLES[group], f"{mean:,.0f}", ", ".join(found.where(group)) or "none"))
    return rows


def multiplication_sentences(
    graph: Graph, found: Multiplications, recorded: Recorded | None
) -> tuple[str, ...]:
    """Return what else the counts say: who only adds, what is trivial, what was recorded."""
    said: list[str] = []
    spikes: list[str] = []
    graded: list[str] = []
    for name in found.only_add:
        source = graph.nodes[graph.sources[name][0]]
        by_spikes = source.out is not None and source.out.is_spike
        (spikes if by_spikes or name in _tables(graph) else graded).append(name)
    if spikes:
        said.append(f"Spikes or tokens select weights, nothing multiplies, in {_list(spikes)}.")
    if graded:
        said.append(f"Weights of one power of two shift and add activations in {_list(graded)}.")
    if found.trivial:
        part = found.trivial / found.total("recurrence")
        said.append(
            f"{part:.0%} of the multiplications in recurrences are by a parameter that is 0 or a"
            " power of two; a circuit made for this network would not multiply there."
        )
    if recorded is not None and not recorded.differing:
        said.append(
            f"Counted by an integer that records, in the reference, over {recorded.steps} steps of"
            " one sequence: the same in every node."
        )
    elif recorded is not None:
        said.append(
            f"NOT what an integer that records counts over {recorded.steps} steps of the reference"
            f" in {_list(recorded.differing)}."
        )
    return tuple(said)


def _tables(graph: Graph) -> frozenset[str]:
    return frozenset(name for sources in graph.vocabularies for name in graph.targets[sources])


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
