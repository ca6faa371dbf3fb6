"""Facts about the edges into a node of an integer graph."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Integers, format_of


@dataclass(frozen=True, eq=False)
class Edges:
    """The number format of each edge; fraction bits by channel ``(C,)`` where channels differ."""

    formats: list[Fixed]
    frac_by_channel: Integers | None = None

    @classmethod
    def of(cls, graph: Graph, name: str) -> Edges:
        """Return those into a node."""
        senders = [graph.nodes[source] for source in graph.sources[name]]
        frac = senders[0].message_frac  # channels differ behind a sole source only
        by_channel = None if isinstance(frac, int) else frac
        return cls([format_of(sender) for sender in senders], by_channel)
