"""Compares a graph with its module: both run the example, and every recorded call is compared.

A call is given what the graph made of its inputs, so that the first one that differs is the one to
be named, and no rounding in front of a threshold grows on the way. All in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.utils import _pytree as pytree

from neurossm.engine import run
from neurossm.engine.floating import evaluate, run_loop
from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import Evaluated, PiecewiseLinear
from neurossm_converters.formats.torch.traced.doubles import in_double, numbers
from neurossm_converters.formats.torch.traced.signals import Reals, Signal, feature_shape, size_of
from neurossm_converters.formats.torch.traced.walk import Walk

TOLERANCE = 1e-6  # of the largest value of a tensor
Values = Mapping[str, Reals]


def prove(
    graph: Graph, walk: Walk, recorded: fx.Graph, modules: Mapping[str, nn.Module],
    integers: Mapping[str, NDArray[np.int64]], tensors: Mapping[str, torch.Tensor],
) -> None:  # fmt: skip
    """Raise `GraphError` unless every recorded call computes what the graph has for it.

    Parameters
    ----------
    graph
        The graph before norms fold into it: every node that `walk` speaks of.
    walk, recorded
        What each recorded call holds, and the calls.
    modules
        Path to module, which no run has touched.
    integers
        Input to integers (B, T, C).
    tensors
        Name of a placeholder to what it is for these integers.
    """
    trace = run(graph, dict(integers), "float", tuple(graph.nodes))
    values = {name: np.asarray(found, np.float64) for name, found in trace.values.items()}
    exact = _Exact(graph, walk, values)
    known: dict[fx.Node, Any] = {}
    for node in _calls(recorded, known, walk.constants, tensors):
        if node.op == "output":
            return
        found = call(node, known, modules)
        held = walk.values[node]
        before = _sources(fx.node.map_arg((node.args, node.kwargs), walk.values.__getitem__))
        known[node] = _compared(walk, node, held, found, exact.of(held, before), values)


def call(node: fx.Node, known: Mapping[fx.Node, Any], modules: Mapping[str, nn.Module]) -> Any:
    """Run one recorded call on known values."""

    def value(item: fx.Node) -> Any:
        found = known[item]
        # what a call writes into is a copy
        return (
            found.clone() if node.meta.get("writes") and isinstance(found, torch.Tensor) else found
        )

    args, kwargs = fx.node.map_arg(node.args, value), fx.node.map_arg(node.kwargs, value)
    args, kwargs = _writable(args), _writable(kwargs)
    with in_double():
        if node.op == "call_module":
            return modules[str(node.target)](*args, **kwargs)
        assert callable(node.target)  # of a function, no name
        return node.target(*args, **kwargs)


def _writable(item: Any) -> Any:
    """Return arguments whose lists may be written into, as those of a recorded call may not."""
    if isinstance(item, tuple):
        parts = [_writable(part) for part in item]
        kind: Any = type(item)
        return kind(*parts) if hasattr(item, "_fields") else tuple(parts)
    if isinstance(item, list):
        return [_writable(part) for part in item]
    return {k: _writable(v) for k, v in item.items()} if isinstance(item, dict) else item


def replayed(
    recorded: fx.Graph, constants: Mapping[str, torch.Tensor], modules: Mapping[str, nn.Module],
    tensors: Mapping[str, torch.Tensor],
) -> Any:  # fmt: skip
    """Return the results of the recorded calls on other data."""
    known: dict[fx.Node, Any] = {}
    for node in _calls(recorded, known, constants, tensors):
        if node.op == "output":
            return fx.node.map_arg(node.args[0], known.__getitem__)
        known[node] = call(node, known, modules)
    raise AssertionError("a graph without results")


def _calls(
    recorded: fx.Graph, known: dict[fx.Node, Any], constants: Mapping[str, torch.Tensor],
    tensors: Mapping[str, torch.Tensor],
) -> Iterator[fx.Node]:  # fmt: skip
    """Yield the calls, then the output; what each needs is in `known`, what none needs is not."""
    done = _unneeded(recorded)
    for node in recorded.nodes:
        for old in done.get(node, ()):
            known.pop(old, None)
        if node.op == "placeholder":
            known[node] = tensors[str(node.target)]
        elif node.op == "get_attr":
            known[node] = constants[str(node.target)]
        else:
            yield node


def _unneeded(recorded: fx.Graph) -> dict[fx.Node, list[fx.Node]]:
    """Return for each node those that nothing from it on needs, to let their values go."""
    last: dict[fx.Node, fx.Node] = {}
    for node in recorded.nodes:
        for source in node.all_input_nodes:
            last[source] = node
    found: dict[fx.Node, list[fx.Node]] = {}
    for source, node in last.items():
        found.setdefault(node.next, []).append(source)
    return found


class _Exact:
    """What nodes would send if segments were the functions that they stand for."""

    def __init__(self, graph: Graph, walk: Walk, values: Values) -> None:
        self._graph, self._values = graph, values
        self._brought = {n: names for names in walk.created.values() for n in names}

    def of(self, held: Any, before: set[str]) -> Values:
        """Return it for the nodes that a call brought, given what the graph sent to them.

        Parameters
        ----------
        held
            What the call returned.
        before
            Nodes that its arguments are made of.
        """
        names = {n for name in _sources(held) - before for n in self._brought.get(name, ())}
        nodes = [self._graph.nodes[name] for name in names]
        if not any(isinstance(n, PiecewiseLinear) and n.max_error > 0 for n in nodes):
            return self._values
        values = dict(self._values)
        for block in self._graph.blocks:
            if block in self._graph.loops and names.issuperset(block):
                values |= run_loop(self._graph, block, values, _true)[0]
                continue
            for name in (name for name in block if name in names):
                operands = [values[source] for source in self._graph.sources[name]]
                values[name] = _true(name, self._graph.nodes[name], operands).sent
        return values


def _true(name: str, node: Any, operands: list[Reals], state: Any = None) -> Evaluated:
    if isinstance(node, PiecewiseLinear) and node.max_error > 0:
        total = np.asarray(sum(operands[1:], start=operands[0]))
        return Evaluated(TRUE[node.function](total), {})
    return evaluate(node, operands, state)


def _sigmoid(x: Reals) -> Reals:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


_erfc = np.vectorize(math.erfc, otypes=[np.float64])
TRUE: dict[str, Callable[[Reals], Reals]] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "gelu": lambda x: np.asarray(0.5 * x * _erfc(-x / math.sqrt(2))),
    "silu": lambda x: np.asarray(x * _sigmoid(x)),
}


def _sources(held: Any) -> set[str]:
    signals = [leaf for leaf in pytree.tree_leaves(held) if isinstance(leaf, Signal)]
    return {term.source for signal in signals for term in signal.rows.terms}


def tensor_of(walk: Walk, signal: Signal, values: Values) -> Reals:
    """Return the tensor that a signal stands for, in its own axes."""
    samples, at = walk.extent["b"], signal.at
    taken = slice(0 if signal.reduce or at is None else at, None if at is None else at + 1)
    steps = len(range(walk.steps)[taken])
    rows = np.zeros((samples, steps, signal.rows.size)) + signal.rows.bias
    for term in signal.rows.terms:
        rows = rows + values[term.source][:, taken, term.index] * term.gain
    if at is not None:
        rows = REDUCED[signal.reduce](rows)
    places: list[str] = [a if isinstance(a, str) else "f" for dim in signal.dims for a in dim]
    order = ["b", "t"] if at is None else ["b"]
    full = rows.reshape(*rows.shape[: len(order)], *signal.sizes)
    features = iter(range(len(order), full.ndim))
    axes = [order.index(p) if p != "f" else next(features) for p in places]
    shape = [size_of(dim, walk.extent) for dim in signal.dims]
    return np.asarray(np.transpose(full, axes).reshape(shape))


REDUCED: dict[str, Callable[[Reals], Reals]] = {
    "": lambda rows: rows[:, -1],
    "mean": lambda rows: np.asarray(rows.mean(axis=1)),
    "sum": lambda rows: np.asarray(rows.sum(axis=1)),
    "max": lambda rows: np.asarray(rows.max(axis=1)),
}


def _compared(
    walk: Walk, node: fx.Node, held: Any, found: Any, exact: Values, values: Values
) -> Any:
    """Compare what a call returned; return it as the graph has it."""
    if isinstance(held, Signal):
        if isinstance(found, torch.Tensor):
            _compare(walk, node, held, numbers(found), tensor_of(walk, held, exact))
            kept = torch.from_numpy(tensor_of(walk, held, values))
            return kept.to(found.dtype) if not found.dtype.is_floating_point else kept
        return found
    if isinstance(held, tuple | list) and isinstance(found, tuple | list):
        parts = [
            _compared(walk, node, h, f, exact, values) for h, f in zip(held, found, strict=False)
        ]
        kind: Any = type(found)
        return kind(*parts) if hasattr(found, "_fields") else kind(parts)
    return found


def _compare(walk: Walk, node: fx.Node, held: Signal, module: Reals, graph: Reals) -> None:
    expected = np.asarray(module, dtype=np.float64)
    if expected.shape != graph.shape:
        got, wanted = f"shape {graph.shape}", f"{expected.shape}"
        raise GraphError(walk.where(node), expected=f"shape {wanted}, as its forward has", got=got)
    nodes = [walk.builder.nodes[term.source] for term in held.rows.terms]
    spikes = len(nodes) == 1 and nodes[0].out is not None and nodes[0].out.is_spike
    distance = np.abs(graph - expected)
    allowed = 0.0 if spikes and not held.reduce else TOLERANCE * np.abs(expected).max(initial=0.0)
    wrong = ~(distance <= allowed + 1e-300)  # also where it is not a number
    if spikes:
        wrong &= ~(distance <= 1e-12 * np.abs(expected))
    if not wrong.any():
        return
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    count = f"{np.count_nonzero(wrong)} of {wrong.size} values"
    raise GraphError(
        walk.where(node),
        expected=f"what its forward computes, {expected[place]:.9g} at {_place(held, place)}",
        got=f"{graph[place]:.9g} ({count} differ)",
        remedy=_remedy(walk, node, held),
    )  # fmt: skip


def _remedy(walk: Walk, node: fx.Node, held: Signal) -> str:
    if node.op == "call_module":
        kind = type(walk.modules[str(node.target)])
        if kind in walk.own:
            return f"correct the converter of {kind.__name__}"
        if held.at is None and not kind.__module__.startswith(("torch.", "neurossm")):
            return (
                f"if a {kind.__name__} takes one step, it was given all at once: loop over them in"
                " forward, or say step=True (--step) for a network that takes one step"
            )
    return walk.advice(node) or "give from_torch a converter that computes what this does"


def _place(signal: Signal, place: tuple[int, ...]) -> str:
    """Return a place in a tensor in words: sample, step and channel, as far as axes are plain."""
    words, channel, shape = {}, 0, feature_shape(signal.dims)
    for dim, index, size in zip(signal.dims, place, shape, strict=True):
        if dim == ("b",):
            words["sample"] = index
        elif dim == ("t",):
            words["step"] = index
        elif all(isinstance(atom, int) for atom in dim):
            channel = channel * size + index
        else:
            words["place"] = index
    if signal.at is not None:
        words["step"] = signal.at
    words["channel"] = channel
    return ", ".join(f"{word} {index}" for word, index in words.items())
