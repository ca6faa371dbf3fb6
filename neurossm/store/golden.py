"""Golden vectors: inputs with the integers that every node must send for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, GraphError, InputError, RangeError
from neurossm.graph import Graph
from neurossm.nodes import Node
from neurossm.trace import Trace

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Golden:
    """One sample with everything that it makes an integer graph do.

    Parameters
    ----------
    inputs
        Name of each `Input` to its integers over time, ``(T, C)``.
    values
        Name of every node to the integers that it sends, ``(T, C)``.
    states
        ``"node.part"`` to the state after the last step, as in a `Trace` without the sample axis.
    """

    inputs: Mapping[str, Integers]
    values: Mapping[str, Integers]
    states: Mapping[str, Integers]

    def __post_init__(self) -> None:
        for part in ("inputs", "values", "states"):
            arrays = {name: _frozen(name, array) for name, array in getattr(self, part).items()}
            object.__setattr__(self, part, MappingProxyType(arrays))

    @classmethod
    def from_trace(
        cls, inputs: Mapping[str, NDArray[np.integer]], trace: Trace, sample: int = 0
    ) -> Golden:
        """Return one sample, to its own end, of a run in which every node was recorded.

        Parameters
        ----------
        inputs
            The run's inputs by name, ``(B, T, C)``.
        trace
            What an integer engine made of them.
        sample
            Which of the B.
        """
        end = int(trace.ends[sample])
        return cls(
            {name: _frozen(name, array[sample, :end]) for name, array in inputs.items()},
            {name: _frozen(name, array[sample, :end]) for name, array in trace.values.items()},
            {name: _frozen(name, array[sample]) for name, array in trace.states.items()},
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Golden):
            return NotImplemented
        return all(
            mine.keys() == theirs.keys()
            and all(np.array_equal(mine[name], theirs[name]) for name in mine)
            for mine, theirs in (
                (self.inputs, other.inputs),
                (self.values, other.values),
                (self.states, other.states),
            )
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def steps(self) -> int:
        """T."""
        return next((len(array) for array in self.inputs.values()), 0)


def check_golden(golden: Golden, graph: Graph, where: str) -> None:
    """Check that a golden vector is one of this graph: names, shapes, ranges.

    Raises
    ------
    GraphError
        If the graph is not an integer graph.
    FormatError
        If a node or state is missing or unknown, or has another shape.
    RangeError
        If a value leaves the number format of its node.
    """
    if not graph.is_integer:
        raise GraphError(
            where, expected="golden vectors beside an integer graph", got="a float one"
        )
    _check_names(f"{where} inputs", set(golden.inputs), set(graph.inputs))
    _check_names(f"{where} values", set(golden.values), set(graph.nodes))
    for part in (golden.inputs, golden.values):
        for name, array in part.items():
            _check_values(f"{where} node {name!r}", array, graph.nodes[name], golden.steps)
            _check_tokens(f"{where} node {name!r}", array, graph.vocabularies.get(name))
    _check_states(where, golden, graph)


def missing_golden(path: str | Path, graph: Graph) -> InputError:
    """Return the error of a file without golden vectors, with the command that writes some."""
    new = Path(path).with_suffix(".golden.nssm")
    remedy = f"'neurossm golden {path} -o {new}' writes a copy with some"
    if not graph.is_integer:
        remedy = f"'neurossm quantize {path} -o NEW --calibrate DATA' writes a file with some"
    return InputError(str(path), expected="golden vectors", got="none", remedy=remedy)


def _frozen(name: str, array: NDArray[np.generic]) -> Integers:
    if not np.issubdtype(np.asarray(array).dtype, np.integer):
        raise FormatError(
            f"golden vector {name!r}", expected="integers", got=str(np.asarray(array).dtype)
        )
    copy = np.array(array, dtype=np.int64)
    copy.setflags(write=False)
    return copy


def _check_names(where: str, found: set[str], expected: set[str]) -> None:
    if found != expected:
        missing, unknown = sorted(expected - found), sorted(found - expected)
        got = f"none for {missing[0]!r}" if missing else f"one for {unknown[0][:80]!r}"
        raise FormatError(where, expected="one array for each name of the graph", got=got)


def _check_values(where: str, array: Integers, node: Node, steps: int) -> None:
    if array.shape != (steps, node.out_channels) or not array.size:
        raise FormatError(
            where,
            expected=f"shape ({steps}, {node.out_channels}), not empty",
            got=f"shape {array.shape}",
        )
    assert node.out is not None  # an integer graph
    low, high = int(array.min()), int(array.max())
    if low < node.out.low or high > node.out.high:
        raise RangeError(
            where,
            expected=f"{node.out.low} to {node.out.high} ({node.out})",
            got=f"{low} to {high}",
        )


def _check_tokens(where: str, array: Integers, count: int | None) -> None:
    if count is not None and (array.min() < 0 or array.max() >= count):
        got = f"{array.min()} to {array.max()}"
        raise RangeError(where, expected=f"0 to {count - 1} ({count} tokens)", got=got)


def _check_states(where: str, golden: Golden, graph: Graph) -> None:
    sizes = {name: 0 for name, node in graph.nodes.items() if node.states}
    for key, array in golden.states.items():
        name = key.rpartition(".")[0]
        if name not in sizes:
            raise FormatError(
                f"{where} states", expected="names of nodes with state", got=repr(key[:80])
            )
        sizes[name] += array.size
    for name, size in sizes.items():
        if size != graph.nodes[name].states:
            raise FormatError(
                f"{where} state of {name!r}",
                expected=f"{graph.nodes[name].states} numbers",
                got=str(size),
            )
