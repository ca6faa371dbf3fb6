"""The Neuromorphic Intermediate Representation (NIR): float graphs out, and our own back in.

NIR is continuous in time and has no number formats, so it takes the float graph; a node that
NIR lacks is an error. What each node becomes:

=============  =========================================================================
`Input`        `Input`; its messages are the real values ``m * 2**-frac``
`Affine`       `Affine`, also a sparse one: with its zeros
`Conv2d`       `Conv2d`, or `Conv1d` where all have height 1, `SumPool2d`, `AvgPool2d`; groups are
               written out with zeros. What lies between has shapes, see ``shapes.py``
`DiagonalSSM`  a sub-graph of official primitives, see `neurossm_converters.formats.nir.ssm`
`Threshold`    `Threshold`; NIR compares with ``>``, so the next smaller float64 is written
`Sum`          no node: its operands' edges go on to its receivers, where edges add
`Accumulate`   `I` with ``r = 1/dt``: over one step of held input it adds the input once
`LIF`          `LIF`, where the reset is hard, there is no trace and no tau is 0; evaluated at the
               end of a step, with input held during it: ``tau = exp(-dt / tau_nir)``; `IF` with
               ``r = 1/dt`` where every tau is 1
`Delay`        `Delay`; edges may form a cycle through it
`Output`       `Output`
=============  =========================================================================

Everything else stops with an error that names it. Times are milliseconds, as NIR documents them;
``dt`` in the metadata is in seconds. Where the graph has none, a step is written as 1 ms, as NIR
has no steps, and ``dt_known`` says "no". What NIR has no place for (order of nodes, `Sum`, number
formats of inputs) is kept in the metadata ``neurossm_structure`` as JSON; no reader needs it to run
the graph.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from neurossm.errors import GraphError
from neurossm.extras import explained
from neurossm.files import replace_file
from neurossm.fixed import Quantized
from neurossm.graph import Edge, Graph
from neurossm.nodes import Conv2d, Node, Role
from neurossm_converters.formats.nir import windows
from neurossm_converters.formats.nir.nodes import Converter, converter_of
from neurossm_converters.formats.nir.proposal import VERSION, VERSION_KEY
from neurossm_converters.formats.nir.shapes import Space, shaped, space_of

KIND = "graph"
STRUCTURE_VERSION = 1
NOMINAL_DT = 1e-3


def expressible(graph: Graph, proposed: bool = False) -> tuple[str, ...]:
    """Return the reasons why NIR cannot express a graph, one a node; empty if it can.

    `proposed` asks for NIR with `StateSpace` and `Reset`, which no release of it has.
    """
    reasons = {name: reason for name in graph.order if (reason := _reason(graph, name, proposed))}
    for more in (_repeated(graph), space_of(graph).reasons):
        reasons |= {name: reason for name, reason in more.items() if name not in reasons}
    return tuple(
        f"node {name!r} ({type(graph.nodes[name]).__name__}): {reasons[name]}"
        for name in graph.order
        if name in reasons
    )


def to_nir(graph: Graph, proposed: bool = False) -> Any:
    """Return a float graph as a `nir.NIRGraph` of official primitives.

    `proposed` uses `StateSpace` and `Reset` besides, see docs/explanation/nir-proposal.md. The
    `nir` library writes such a graph, and cannot read it.

    Raises
    ------
    GraphError
        If a node cannot be expressed; names all of them.
    """
    with explained():
        import nir

    reasons = expressible(graph, proposed)
    if reasons:
        raise GraphError(
            "NIR",
            expected="nodes that NIR can express",
            got="; ".join(reasons),
            remedy="write the file without NIR",
        )
    dt = NOMINAL_DT if graph.dt is None else graph.dt
    space, edges = space_of(graph), edges_without_sums(graph)
    nodes = {
        name: shaped(_written(graph.nodes[name], converter, dt, space), space.sent.get(name))
        for name, converter in _converters(graph, proposed).items()
        if not converter.in_edges
    }
    for (source, _), name in space.flattened(graph, edges).items():
        shape = np.array(space.sent[source])
        nodes[name] = nir.Flatten(input_type={"input": shape}, start_dim=0)
    metadata = {
        "neurossm_kind": KIND,
        "neurossm_structure": json.dumps(_structure(graph, proposed)),
        **({VERSION_KEY: VERSION} if proposed else {}),
        "dt": dt,
        "dt_unit": "s",
        **({"dt_known": "no"} if graph.dt is None else {}),
        "tau_unit": "ms",
    }
    return nir.NIRGraph(nodes=nodes, edges=space.divided(graph, edges), metadata=metadata)


def write(graph: Graph, path: str | Path, proposed: bool = False) -> None:
    """Write a float graph as a NIR file; an existing one is replaced when the new one is complete.

    `proposed` is that of `to_nir`.

    Raises
    ------
    GraphError
        If a node cannot be expressed.
    InputError
        If the file cannot be written.
    """
    with explained():
        import nir

    # in memory first: on a full disk the HDF5 library leaves half a file, or crashes
    content = io.BytesIO()
    nir.write(content, to_nir(graph, proposed))
    replace_file(path, content.getvalue())


def _written(node: Node, converter: Converter[Any], dt: float, space: Space) -> Any:
    if isinstance(node, Conv2d):
        return windows.write(node, space.is_line)
    return converter.write(node, dt)


def _reason(graph: Graph, name: str, proposed: bool) -> str:
    node = graph.nodes[name]
    converter = converter_of(type(node).__name__, proposed)
    if converter is None:
        return node.nir or "NIR has no such node"
    if _has_formats(node):
        return "it is an integer node, and NIR has no number formats; give the float graph"
    if node.role is not Role.OUTPUT and not graph.targets[name]:
        return "nothing follows it, and NIR would add an Output"
    if name == ".":
        return "HDF5 cannot hold this name"
    return converter.problem(node)


def _converters(graph: Graph, proposed: bool) -> dict[str, Converter[Any]]:
    """Return the converter of each node that has one, by name."""
    found = {
        name: converter_of(type(node).__name__, proposed) for name, node in graph.nodes.items()
    }
    return {name: converter for name, converter in found.items() if converter is not None}


def _in_edges(node: Node) -> bool:
    converter = converter_of(type(node).__name__)
    return converter is not None and converter.in_edges


def _has_formats(node: Node) -> bool:
    parameters = [getattr(node, field) for field in node.shapes]
    named = node.out is not None and node.role is not Role.INPUT and not node.out.is_spike
    return named or any(isinstance(parameter, Quantized) for parameter in parameters)


def _repeated(graph: Graph) -> dict[str, str]:
    """Return for each node that receives another twice, directly or through a `Sum`, the reason."""
    found = {}
    for name, sources in _sources_without_sums(graph).items():
        twice = [source for source, count in sources.items() if count > 1]
        if twice:
            found[name] = f"it receives {twice[0]!r} twice, and NIR has each edge once"
    return found


def _sources_without_sums(graph: Graph) -> dict[str, Counter[str]]:
    """Return for each node what feeds it and how often, each `Sum` replaced by its operands."""
    sums: dict[str, Counter[str]] = {}

    def behind(name: str) -> Counter[str]:
        found = (sums.get(source, Counter([source])) for source in graph.sources[name])
        return sum(found, Counter())

    for name in graph.order:  # in a loop a node that is no sum may come before what feeds it
        if _in_edges(graph.nodes[name]):
            sums[name] = behind(name)
    return {name: behind(name) for name in graph.order}


def edges_without_sums(graph: Graph) -> list[Edge]:
    """Return the edges of a graph with each `Sum` replaced by its operands."""
    sources = _sources_without_sums(graph)
    return [
        (source, name)
        for name, node in graph.nodes.items()
        if not _in_edges(node)
        for source in sources[name]
    ]


def _structure(graph: Graph, proposed: bool) -> dict[str, Any]:
    return {
        "version": STRUCTURE_VERSION,
        "nodes": {
            name: {"type": type(graph.nodes[name]).__name__, **converter.beside(graph.nodes[name])}
            for name, converter in _converters(graph, proposed).items()
        },
        "edges": [list(edge) for edge in graph.edges],
        "meta": dict(graph.meta),
    }
