"""Which signals of a written NIR graph have channels, height and width, and where they go flat.

Our signals are flat. NIR's convolutions need a shape, and what lies between them has it too; in
front of a node that takes a flat signal stands a `Flatten` (``SOURCE.flat``). Where all
convolutions have height 1 they are `Conv1d`, and shapes are channels and length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from neurossm.graph import Edge, Graph
from neurossm.nodes import Affine, Conv2d, DiagonalSSM, Input, ResonateAndFire
from neurossm_converters.formats.nir import windows

Shape = tuple[int, ...]
FLAT = (Affine, DiagonalSSM, ResonateAndFire)


@dataclass(frozen=True)
class Space:
    """The shapes of a graph.

    Attributes
    ----------
    sent
        Name of a node to the shape of what it sends; absent where that is flat.
    reasons
        Name of a convolution that NIR cannot express, and why.
    is_line
        Whether all convolutions have height 1.
    """

    sent: dict[str, Shape]
    reasons: dict[str, str]
    is_line: bool

    def flattened(self, graph: Graph, edges: Iterable[Edge]) -> dict[Edge, str]:
        """Return the edges that a `Flatten` divides, with its name; one for each source."""
        found: dict[Edge, str] = {}
        for source, target in edges:
            if source in self.sent and isinstance(graph.nodes[target], FLAT):
                name = f"{source}.flat"
                while name in graph.nodes:  # a node of the graph may have that name
                    name += "_"
                found[source, target] = name
        return found

    def divided(self, graph: Graph, edges: list[Edge]) -> list[Edge]:
        """Return edges with each `Flatten` in its place."""
        flats, found = self.flattened(graph, edges), []
        for source, target in edges:
            between = flats.get((source, target))
            found += [(source, between), (between, target)] if between else [(source, target)]
        return list(dict.fromkeys(found))


def space_of(graph: Graph) -> Space:
    """Return the shapes of a graph; there are none where it has no convolution."""
    convolutions = {n: node for n, node in graph.nodes.items() if isinstance(node, Conv2d)}
    if not convolutions:
        return Space({}, {}, False)
    line = all(_is_line(node) for node in convolutions.values())
    sent: dict[str, Shape] = {}
    for name in graph.inputs:
        wanted = {_shape(node.windows.in_shape, line) for node in _behind(graph, name)}
        if len(wanted) == 1:
            sent[name] = wanted.pop()
    for _ in range(2):  # what comes back in a loop has its shape the second time
        for name in graph.order:
            node = graph.nodes[name]
            if isinstance(node, Conv2d):
                sent[name] = _shape(node.windows.out_shape, line)
            elif not isinstance(node, FLAT) and not isinstance(node, Input):
                found = {sent[source] for source in graph.sources[name] if source in sent}
                if len(found) == 1:
                    sent[name] = found.pop()
    reasons = {}
    for name, node in convolutions.items():
        arriving = {sent.get(source) for source in graph.sources[name]}
        if arriving != {_shape(node.windows.in_shape, line)}:
            reasons[name] = "NIR has nothing that gives the flat signal in front of it a shape"
        elif reason := windows.reason(node, line):
            reasons[name] = reason
    return Space(sent, reasons, line)


def _is_line(node: Conv2d) -> bool:
    shape = node.windows
    flat = shape.in_shape[1] == shape.kernel[0] == shape.stride[0] == shape.dilation[0] == 1
    return flat and shape.padding[0] == 0


def _shape(shape: tuple[int, int, int], line: bool) -> Shape:
    return (shape[0], shape[2]) if line else shape


def _behind(graph: Graph, name: str) -> list[Conv2d]:
    """Return the convolutions that a node feeds, at once or through nodes that keep the shape."""
    found, seen, waiting = [], {name}, [name]
    while waiting:
        for target in graph.targets[waiting.pop()]:
            node = graph.nodes[target]
            if isinstance(node, Conv2d):
                found.append(node)
            elif target not in seen and not isinstance(node, FLAT):
                seen.add(target)
                waiting.append(target)
    return found


def shaped(converted: Any, shape: Shape | None) -> Any:
    """Return a NIR node with its neurons in this shape."""
    import nir

    if shape is None or isinstance(converted, nir.Conv1d | nir.Conv2d):
        return converted
    if isinstance(converted, nir.NIRGraph):  # a neuron of several nodes
        nodes = {name: shaped(part, shape) for name, part in converted.nodes.items()}
        return nir.NIRGraph(nodes, converted.edges, converted.metadata)
    if isinstance(converted, nir.Input):
        return nir.Input(input_type={"input": np.array(shape)})
    if isinstance(converted, nir.Output):
        return nir.Output(output_type={"output": np.array(shape)})
    if isinstance(converted, nir.SumPool2d | nir.AvgPool2d):
        return converted
    size, arrays = int(np.prod(shape)), {}
    for item in fields(converted):
        value = getattr(converted, item.name)
        if item.init and isinstance(value, np.ndarray) and value.size == size:
            arrays[item.name] = value.reshape(shape)
    return replace(converted, **arrays)
