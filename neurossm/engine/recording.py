"""Counts operations: the reference's own steps on arrays that record what is computed.

`record_operations` runs the reference engine with every activation and every state as a
`Recording`, an array of integers that passes each elementary operation to a tally of its node.
Nothing is counted by a rule about a node: a product that a step computes is a multiplication,
whatever its operands are, and one by a spike would be one too. An operation that the array does not
know is refused, so none is done unseen.

Not counted: selecting and moving (``where``, an index, ``stack``), and asking whether an activation
is there. An event is what an executor is given; that is no arithmetic on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from neurossm.engine import reference
from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import Integers, Step
from neurossm.trace import Trace


@dataclass(frozen=True)
class Elementary:
    """Elementary operations on integers.

    Attributes
    ----------
    multiplications
        Products of two integers.
    trivial
        Those of them by a parameter that is 0, or a power of two with either sign: a circuit made
        for this network drops or shifts them.
    additions
        Sums and differences of two integers.
    shifts
        Shifts toward zero, or to the left.
    comparisons
        Comparisons of two integers; two for each saturation, one with either end.
    """

    multiplications: int = 0
    trivial: int = 0
    additions: int = 0
    shifts: int = 0
    comparisons: int = 0

    def __add__(self, other: Elementary) -> Elementary:
        mine, theirs = asdict(self), asdict(other)
        return Elementary(**{key: mine[key] + theirs[key] for key in mine})

    def as_json(self) -> dict[str, int]:
        """Return plain values."""
        return asdict(self)


class Uncounted(TypeError):
    """An operation of NumPy that a recording does not know."""


class Tally:
    """The operations of one node so far."""

    def __init__(self) -> None:
        self.done = Elementary()

    def add(self, **more: int) -> None:
        """Add to the counts."""
        counts = {key: getattr(self.done, key) + int(number) for key, number in more.items()}
        self.done = replace(self.done, **counts)


class Recording(np.ndarray[Any, Any]):
    """An array whose elementary operations are counted in its tally."""

    tally: Tally

    @classmethod
    def of(cls, values: Integers, tally: Tally) -> Recording:
        """Return a view of an array that records."""
        found = np.asarray(values).view(cls)
        found.tally = tally
        return found

    def __array_finalize__(self, source: object) -> None:
        if isinstance(source, Recording):
            self.tally = source.tally

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any
    ) -> Any:
        kind = _KINDS.get(ufunc.__name__)
        if kind is None or method not in ("__call__", "reduce"):
            raise Uncounted(f"{ufunc.__name__}.{method}".removesuffix(".__call__"))
        if out is not None:
            kwargs["out"] = tuple(_plain(array) for array in out)
        plain = [_plain(array) for array in inputs]
        result = getattr(ufunc, method)(*plain, **kwargs)
        size = np.size(plain[0]) - np.size(result) if method == "reduce" else np.size(result)
        self.tally.add(**{kind: size})
        if kind == "multiplications" and method == "__call__":
            self.tally.add(trivial=_trivial(inputs, np.shape(result)))
        return out[0] if out is not None else Recording.of(result, self.tally)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in (*_SELECTING, np.clip):
            raise Uncounted(function.__name__)
        found = function(*(_plain(array) for array in args),
                         **{key: _plain(value) for key, value in kwargs.items()})  # fmt: skip
        if function is np.clip:
            self.tally.add(comparisons=2 * np.size(found))  # one with either end
        return Recording.of(found, self.tally) if isinstance(found, np.ndarray) else found

    def fixed_operation(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Count a function of `neurossm.fixed`: it works on the array as a whole."""
        found = function(_plain(self), *(_plain(array) for array in args), **kwargs)
        if isinstance(found, tuple):  # saturated, and how many were clipped
            self.tally.add(comparisons=2 * found[0].size)
            return Recording.of(found[0], self.tally), *found[1:]
        self.tally.add(shifts=found.size)
        return Recording.of(found, self.tally)


_KINDS = {
    "multiply": "multiplications", "add": "additions", "subtract": "additions",
    "greater": "comparisons", "greater_equal": "comparisons", "less": "comparisons",
    "less_equal": "comparisons", "maximum": "comparisons", "minimum": "comparisons",
    "absolute": "comparisons", "sign": "comparisons",
    "negative": "additions",
}  # fmt: skip
_SELECTING = (
    np.where, np.zeros_like, np.count_nonzero, np.flatnonzero, np.stack, np.concatenate, np.roll
)  # fmt: skip


def record_operations(
    graph: Graph, inputs: Mapping[str, Integers]
) -> tuple[dict[str, Elementary], Trace]:
    """Return what each node does in a run by the reference, and the trace of that run.

    Parameters
    ----------
    graph
        Integer graph that keeps the contract.
    inputs
        Name of each `Input` to integers ``(B, T, C)``, checked as by `neurossm.engine.run`.
    """
    tallies = {name: Tally() for name in graph.nodes}

    def watch(name: str, call: reference.Call, step: Step) -> Integers | None:
        tally = tallies[name]
        step.operands = [Recording.of(array, tally) for array in step.operands]
        for part, array in step.state.items():
            step.state[part] = Recording.of(array, tally)
        try:
            sent = call(step)
        except Uncounted as error:
            kind = type(graph.nodes[name]).__name__
            raise GraphError(
                f"node {name!r} ({kind})",
                expected="a step of operations that can be counted",
                got=str(error),
                remedy="write it with + - *, comparisons, np.where, clip, stack, roll and"
                " neurossm.fixed, or enter it in neurossm/engine/recording.py",
            ) from None
        for part, array in step.state.items():
            step.state[part] = np.asarray(array)
        return None if sent is None else np.asarray(sent)

    trace = reference.run(graph, dict(inputs), tuple(graph.outputs), watch)
    return {name: tally.done for name, tally in tallies.items()}, trace


def _plain(array: Any) -> Any:
    if isinstance(array, list | tuple):
        return type(array)(_plain(part) for part in array)
    return array.view(np.ndarray) if isinstance(array, Recording) else array


def _trivial(inputs: tuple[Any, ...], shape: tuple[int, ...]) -> int:
    """Return how many products have a parameter, which does not record, of 0 or a power of two."""
    parameters = [array for array in inputs if not isinstance(array, Recording)]
    if not parameters:
        return 0
    magnitude = np.abs(np.broadcast_to(np.asarray(parameters[0], np.int64), shape))
    return int(np.count_nonzero((magnitude & (magnitude - 1)) == 0))
