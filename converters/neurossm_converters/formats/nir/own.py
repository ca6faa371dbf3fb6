"""Reads back NIR that neurossm wrote: exactly the same graph, or an error."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from neurossm.errors import FormatError, NeurossmError
from neurossm.graph import Graph
from neurossm.nodes import Node
from neurossm_converters.formats.nir.document import Part, one_number
from neurossm_converters.formats.nir.nodes import converter_of
from neurossm_converters.formats.nir.proposal import VERSION_KEY, check_version
from neurossm_converters.formats.nir.reset_neuron import KIND as NEURON
from neurossm_converters.formats.nir.shapes import space_of
from neurossm_converters.formats.nir.writing import KIND, STRUCTURE_VERSION, edges_without_sums

IN_SPACE = ("LIF", "IF", "I", "Threshold", "Delay")


def is_own(document: Part) -> bool:
    """Return whether neurossm wrote the graph."""
    said = document.metadata
    return said.get("neurossm_kind") == KIND and "neurossm_structure" in said


def rebuild(document: Part) -> Graph:
    """Return the graph that `to_nir` was given.

    Raises
    ------
    FormatError
        If the NIR graph is not one that neurossm wrote, or was edited.
    GraphError, RangeError
        If its nodes do not hold together.
    """
    structure = _read_structure(document)
    try:
        return _rebuilt(document, structure)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, NeurossmError):
            raise
        raise FormatError(
            "NIR metadata", expected="what neurossm wrote", got=f"an edited one ({error!r})"
        ) from None


def _rebuilt(document: Part, structure: dict[str, Any]) -> Graph:
    dt = one_number(document.metadata, "dt", "NIR")
    check_version(document)
    proposed = VERSION_KEY in document.metadata
    nodes: dict[str, Node] = {}
    for name, entry in structure["nodes"].items():
        where, kind = f"NIR node {name!r}", entry["type"]
        converter = converter_of(str(kind), proposed)
        found = Part(kind) if converter and converter.in_edges else document.nodes.get(name)
        found = _flat(found) if found and _lies_in_space(found) else found
        if converter is None or found is None:
            raise FormatError(where, expected=f"a node for {kind}", got="none")
        nodes[name] = converter.read(found, entry, dt, where)
    edges = tuple((source, target) for source, target in structure["edges"])
    known = None if document.metadata.get("dt_known") == "no" else dt
    graph = Graph(nodes, edges, known, structure["meta"])
    space, written = space_of(graph), edges_without_sums(graph)
    flat = set(space.flattened(graph, written).values())
    for name in sorted(set(document.nodes) - set(nodes) - flat):
        raise FormatError(
            f"NIR node {name!r}",
            expected="only nodes that neurossm wrote",
            got=document.nodes[name].kind[:80],
        )
    if sorted(space.divided(graph, written)) != sorted(document.edges):
        raise FormatError("NIR edges", problem="they are not those that neurossm wrote")
    return graph


def _lies_in_space(part: Part) -> bool:
    return part.kind in IN_SPACE or part.metadata.get("neurossm_kind") == NEURON


def _flat(part: Part) -> Part:
    """Return neurons that have channels, height and width in one row."""
    arrays = {
        name: value if isinstance(value, str) else value.ravel()
        for name, value in part.fields.items()
    }
    return replace(part, fields=arrays, nodes={n: _flat(p) for n, p in part.nodes.items()})


def _read_structure(document: Part) -> dict[str, Any]:
    if not is_own(document):
        shown = ", ".join(f"{name!r} ({node.kind})" for name, node in document.nodes.items())
        raise FormatError(
            "NIR graph",
            expected=f"one that neurossm wrote (metadata neurossm_kind = {KIND!r})",
            got=f"nodes {shown[:400]}",
            remedy="`neurossm import` reads the graphs of other tools",
        )
    try:
        structure: dict[str, Any] = json.loads(str(document.metadata["neurossm_structure"]))
        version = structure["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FormatError(
            "NIR metadata neurossm_structure",
            problem="it is not the JSON that neurossm wrote",
        ) from None
    if version != STRUCTURE_VERSION:
        raise FormatError(
            "NIR metadata neurossm_structure",
            expected=f"version {STRUCTURE_VERSION}",
            got=str(version),
            remedy="upgrade neurossm",
        )
    return structure
