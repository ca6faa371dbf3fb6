"""Checks of inputs by name, type, shape and range, and of the names to record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.arguments import shown
from neurossm.errors import InputError, RangeError
from neurossm.fixed import whole_numbers
from neurossm.graph import Graph
from neurossm.lengths import Lengths, checked_lengths, inside
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


def padded_inputs(
    graph: Graph,
    inputs: NDArray[np.integer] | Mapping[str, NDArray[np.integer]],
    lengths: ArrayLike | None,
) -> tuple[dict[str, NDArray[np.int64]], Lengths | None]:
    """Return the checked inputs by name, 0 past the ends of the sequences, and where they end.

    What stands in the padding is not looked at. None for the lengths: there is no padding.
    """
    if lengths is None:
        return check_inputs(graph, inputs), None
    if not isinstance(inputs, Mapping):
        inputs = {graph.inputs[0]: inputs} if len(graph.inputs) == 1 else inputs
    own: Lengths | None = None
    if isinstance(inputs, Mapping):
        emptied = {}
        for name, given in inputs.items():
            array = np.asarray(given)
            if array.ndim == 3:  # anything else is refused below
                own = checked_lengths(lengths, *array.shape[:2])
                kept = inside(own, *array.shape[:2])
                array = array if own is None else np.where(kept, array, np.zeros_like(array))
            emptied[name] = array
        inputs = emptied
    return check_inputs(graph, inputs), own


def _unit(node: Node) -> str:
    """Return how real values become what an `Input` takes."""
    assert node.out is not None  # an Input always has a format
    times = f" * 2**{node.out.frac}" if node.out.frac else ""
    return f"numpy.rint(values{times}).astype(int) are those of this input"


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
    if not isinstance(record, Iterable):
        raise InputError("record", expected="all | outputs | names of nodes", got=shown(record))
    unknown = [name for name in record if name not in graph.nodes]
    if unknown:
        raise InputError("record", expected="names of nodes", got=repr(unknown[0]))
    return tuple(record)
