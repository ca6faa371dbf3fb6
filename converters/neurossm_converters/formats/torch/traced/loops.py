"""Loops over time whose step uses results of the step before: a graph with a cycle.

A recorded loop is the same calls once a step. One step of it is followed; what it takes
of steps before comes from a `Delay`, whose own source is what that same step computes. The other
steps hold the same rows at their own time. That this is so is not concluded here but proven, at
every call of every step, as every export is.

`Iterations` finds which recorded calls are the same call at other steps, by the place in the code
that made them. Sums that run over all steps are left to the table of operations.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from torch import fx
from torch.utils import _pytree as pytree

from neurossm.errors import GraphError
from neurossm.nodes import Delay
from neurossm_converters.formats.torch.modules import kind_of
from neurossm_converters.formats.torch.traced.recorder import call_of, name_of
from neurossm_converters.formats.torch.traced.signals import Dim, Signal, Unfollowed
from neurossm_converters.formats.torch.traced.tables import Poisoned, State
from neurossm_converters.formats.torch.traced.walk import Walk

FEWEST = 3  # steps of a loop that shows what it repeats
ADDS = ("add", "radd", "iadd")


class Iterations:
    """Which step of a loop each recorded call belongs to.

    Parameters
    ----------
    recorded
        The calls that a result needs.
    turns
        How often each call was made.
    steps
        How many steps there are.

    Attributes
    ----------
    of
        Call to its step.
    model
        The step that is followed: the last one in which no call is left out.
    """

    def __init__(self, recorded: fx.Graph, turns: Mapping[Any, int], steps: int) -> None:
        self.of, self._group, self.model = dict[fx.Node, int](), dict[fx.Node, Any](), steps - 1
        groups: dict[Any, list[fx.Node]] = {}
        for node in recorded.nodes:
            if node.op in ("call_function", "call_module"):
                groups.setdefault(call_of(node), []).append(node)
        self._calls: dict[tuple[Any, int, int], fx.Node] = {}
        for key, calls in groups.items():
            each = -(-turns[key] // steps)  # of one step
            first = steps - turns[key] // each
            if turns[key] % each or 2 * first >= steps or self._only_adds_up(calls):
                continue
            for node in calls:
                self.of[node] = first + node.meta["turn"] // each
                self._group[node] = (key, node.meta["turn"] % each)
                self._calls[(*self._group[node], self.of[node])] = node
            self.model = min(self.model, self.of[calls[-1]])

    def at(self, node: fx.Node, step: int) -> fx.Node | None:
        """Return the same call at another step."""
        return self._calls.get((*self._group[node], step))

    def back(self) -> bool:
        """Tell whether a call takes what a step before has computed."""
        return any(
            self.of[source] < step
            for node, step in self.of.items()
            for source in node.all_input_nodes
            if source in self.of
        )

    def _only_adds_up(self, calls: list[fx.Node]) -> bool:
        """Tell whether calls are a sum over all steps that nobody needs in between."""
        if name_of(calls[0].target).strip("_") not in ADDS:
            return False
        before = calls[0]
        for node in calls[1:]:
            if before not in node.all_input_nodes or set(before.users) != {node}:
                return False
            before = node
        return True


@dataclass(frozen=True)
class Earlier:
    """A state that a cell returned at a step before; what it was is checked behind the loop."""

    path: str
    source: fx.Node


@dataclass
class LoopWalk(Walk):
    """Goes through a recorded graph with a loop that feeds back.

    Attributes
    ----------
    iterations
        Which call belongs to which step.
    """

    iterations: Iterations = field(kw_only=True)
    _calling: fx.Node | None = None
    _delays: dict[tuple[fx.Node, int], tuple[str, Signal]] = field(default_factory=dict)
    _passed: list[Earlier] = field(default_factory=list)

    def run(self, graph: fx.Graph, inputs: Mapping[str, Signal]) -> Any:
        """Return what the results hold, in the structure in which forward returns them."""
        nodes, last, of = list(graph.nodes), self.iterations.model, self.iterations.of
        behind: set[fx.Node] = set()
        for node in nodes:
            if node not in of and any(s in of or s in behind for s in node.all_input_nodes):
                behind.add(node)
        for node in nodes:
            if node not in behind and node not in of:
                self._take(node, inputs)
        for node in nodes:
            if of.get(node) == last:
                self._take(node, inputs)
        self._close()
        for node, step in of.items():
            if step != last:
                self.values[node] = pytree.tree_map(
                    partial(_moved, at=step), self.values[self._same(node, last)],
                    is_leaf=lambda held: isinstance(held, Signal | State),
                )  # fmt: skip
                self.created[node] = ()
        for node in nodes:
            if node in behind and node.op == "output":
                return pytree.tree_map(self._result, self._known(node.args[0]))
            if node in behind:
                self._take(node, inputs)
        raise AssertionError("a graph without results")

    def _take(self, node: fx.Node, inputs: Mapping[str, Signal]) -> None:
        before = len(self.builder.nodes)
        if node.op == "placeholder":
            self.values[node] = inputs[str(node.target)]
        elif node.op == "get_attr":
            self.values[node] = self.constants[str(node.target)]
        else:
            self._calling = node
            self.values[node] = self._called(node)
            self._calling = None
        self.created[node] = tuple(self.builder.nodes)[before:]

    def _known(self, item: Any) -> Any:
        node = self._calling
        states = node is not None and node.op == "call_module" and item is not node.args
        if node is not None and node.op == "call_module" and item is node.args:
            first = fx.node.map_arg(item[:1], lambda source: self._read(source, False))
            return (*first, *fx.node.map_arg(item[1:], lambda source: self._read(source, True)))
        return fx.node.map_arg(item, lambda source: self._read(source, states))

    def _read(self, source: fx.Node, is_state: bool) -> Any:
        """Return what a call takes: of its own step, or of one before."""
        node, of = self._calling, self.iterations.of
        step = of.get(node) if node is not None else None
        if step is None or of.get(source, step) == step:
            if source not in self.values:
                raise Unfollowed("a loop whose steps are the same calls", "one that differs")
            return self.values[source]
        if is_state and node is not None:
            self._passed.append(Earlier(str(node.target), self._same(source, step)))
            return self._passed[-1]
        return self._delayed(self._same(source, step), step - of[source], source)

    def _delayed(self, source: fx.Node, steps: int, recorded: fx.Node) -> Signal:
        """Return what a call of the loop computed some steps before, sent by a `Delay`."""
        if (source, steps) in self._delays:
            return self._delays[source, steps][1]
        if "shape" not in recorded.meta or steps > Delay.longest:
            raise Unfollowed(f"a tensor of at most {Delay.longest} steps before", "another")
        dims, sizes = self._axes(recorded.meta["shape"])
        delay = Delay(channels=int(np.prod(sizes, dtype=int)), steps=np.array([steps]))
        parent = source.args[0] if source.target is operator.getitem else None
        if not (isinstance(parent, fx.Node) and parent.op == "call_module"):
            parent = source  # no part of what a cell returned
        hint = self.hint(parent)
        name = self.builder.add(self.wiring.free(f"{hint}.before"), delay)
        spikes = not recorded.meta["dtype"].is_floating_point
        signal = Signal(dims, self.wiring.rows_of(name), self.iterations.model, spikes=spikes)
        self._delays[source, steps] = name, signal
        return signal

    def _axes(self, shape: tuple[int, ...]) -> tuple[tuple[Dim, ...], list[int]]:
        """Return the axes of a tensor of one step: batch first, features behind."""
        batch = shape.index(self.extent["b"]) if self.extent["b"] in shape else -1
        dims: list[Dim] = [(size,) if size > 1 else () for size in shape]
        if batch >= 0:
            dims[batch] = ("b",)
        return tuple(dims), [size for place, size in enumerate(shape) if place != batch]

    def _close(self) -> None:
        """Lead what a step computes to the delays that send it at the next."""
        for (source, _), (name, assumed) in self._delays.items():
            held = self.values[source]
            if isinstance(held, Poisoned):
                continue
            where = self.where(source)
            if not isinstance(held, Signal) or held.reduce or held.dims != assumed.dims:
                got = "another" if isinstance(held, Signal) else type(held).__name__.lower()
                self.refuse(where, GraphError(where, expected="a tensor (samples, features) that"
                                              " goes from step to step", got=got))  # fmt: skip
                continue
            try:
                node = self.wiring.node(held.rows, f"{name}.in")
            except Unfollowed as error:
                self.refuse(where, GraphError(where, expected=error.expected, got=error.got))
                continue
            self.builder.connect(node, name)
        for state in self._passed:
            held = self.values[state.source]
            if not isinstance(held, Signal | Poisoned) and getattr(held, "path", "") != state.path:
                where = f"module {state.path!r} ({kind_of(self.modules[state.path])})"
                self.refuse(where, GraphError(where, problem="it is called with a state that is"
                                              " not its own of the step before"))  # fmt: skip

    def _same(self, node: fx.Node, step: int) -> fx.Node:
        found = self.iterations.at(node, step)
        if found is None:
            raise Unfollowed("a loop whose steps are the same calls", "one that differs")
        return found


def _moved(held: Any, at: int) -> Any:
    """Return what the step that was followed holds at another one."""
    if isinstance(held, Signal):
        return replace(held, at=at)
    if isinstance(held, State):
        signal = None if held.signal is None else replace(held.signal, at=at)
        return replace(held, at=at, signal=signal)
    return held
