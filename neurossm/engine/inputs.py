"""What may run: inputs checked by name, type, shape and range; names of what is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError, RangeError
from neurossm.fixed import whole_numbers
from neurossm.graph import Graph
from neurossm.nodes import Node

Record = Literal["all", "outputs"] | str | Sequence[str]


def check_inputs(
    graph: Graph, inputs: NDArray[np.integer] | Mapping[str, NDArray[np.integer]]
) -> dict[str, NDArray[np.int64]]:
    """Return the inputs by name as int64, after checking names, types, shapes and ranges."""
    if not isinstance(inputs, Mapping):
        if len(graph.inputs) != 1:
            raise InputError(
                "inputs", expected=f"a mapping with {', '.join(graph.inputs)}", got="one array"
            )
        inputs = {graph.inputs[0]: inputs}
    if set(inputs) != set(graph.inputs):
        raise InputError(
            "inputs", expected=", ".join(graph.inputs), got=", ".join(sorted(inputs)) or "none"
        )
    checked, shapes = {}, set()
    for name, array in inputs.items():
        node = graph.nodes[name]
        array = whole_numbers(f"input {name!r}", array, _unit(node))
        if array.ndim != 3 or array.shape[2] != node.out_channels or 0 in array.shape:
            raise InputError(
                f"input {name!r}",
                expected=f"samples x steps x {node.out_channels} channels, none of them 0",
                got=f"shape {array.shape}",
            )
        shapes.add(array.shape[:2])
        least, most, what = input_range(graph, name)
        low, high = int(array.min()), int(array.max())
        if low < least or high > most:
            raise RangeError(
                f"input {name!r}", expected=f"{least} to {most} ({what})", got=f"{low} to {high}"
            )
        checked[name] = array.astype(np.int64)
    if len(shapes) > 1:
        raise InputError("inputs", expected="as many samples and steps in each", got=str(shapes))
    return checked


def _unit(node: Node) -> str:
    """Return how real values become what an `Input` takes."""
    assert node.out is not None  # an Input always has a format
    return f"in units of 2**-{node.out.frac}: numpy.rint(values * 2**{node.out.frac}).astype(int)"


def input_range(graph: Graph, name: str) -> tuple[int, int, str]:
    """Return the smallest and the largest integer that an `Input` takes, and why.

    The range of its format; where it brings tokens, those that every `Embedding` behind it has.
    """
    out = graph.nodes[name].out
    assert out is not None  # an Input always has a format
    if name in graph.vocabularies:
        tokens = graph.vocabularies[name]
        return 0, min(tokens - 1, out.high), f"{tokens} tokens, {out}"
    return out.low, out.high, str(out)


def recorded(graph: Graph, record: Record) -> tuple[str, ...]:
    """Return the names of the nodes to record; `InputError` for a name that is no node."""
    if record == "all":
        return graph.order
    if record == "outputs":
        return graph.outputs
    if isinstance(record, str):  # one name
        record = (record,)
    unknown = [name for name in record if name not in graph.nodes]
    if unknown:
        raise InputError("record", expected="names of nodes", got=repr(unknown[0]))
    return tuple(record)
