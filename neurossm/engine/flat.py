"""A graph as a flat program for `neurossm.engine.walk`, and the memory that it runs in.

The form of each node (`neurossm.engine.compiled`) writes its instructions. A node that has none
cuts the program: its own steps run between the instructions before and behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import walk
from neurossm.engine.compiled import Form, form_of
from neurossm.engine.compiled.form import Messages, Tally
from neurossm.engine.edges import Edges
from neurossm.engine.inputs import input_range
from neurossm.engine.walk import Instruction
from neurossm.engine.writing import Kept, Place, Tape
from neurossm.fixed import MESSAGE_BITS, Scaling, symmetric_limit
from neurossm.graph import Graph
from neurossm.nodes import Meets, Node, Role, State, format_of

Names = Sequence[str]
Operation = Callable[[list[Messages], Messages, State, Tally], None]


@dataclass(frozen=True, eq=False)
class Call:
    """A node without instructions: it runs between those before `row` and those behind."""

    row: int
    run: Operation
    index: int
    operands: list[Place]
    y: Place
    state: dict[str, Place]


@dataclass(frozen=True, eq=False)
class Flat:
    """A program and its memory.

    Attributes
    ----------
    samples
        S, sequences side by side.
    code
        Rows of instructions, `walk.COLUMNS` wide.
    small, whole, real
        The memory: int32, int64, float64.
    calls
        Nodes without instructions, in order.
    messages, states, given, is_real, tallies
        Where things stand: by name what each node sent ``(S, C)``; by ``name.part`` the states; by
        the name of each input its values ``(S, C)`` and whether these are real numbers; by the name
        of an output what is counted of it, or its largest values.
    """

    samples: int
    code: NDArray[np.int64]
    small: NDArray[np.int32]
    whole: NDArray[np.int64]
    real: NDArray[np.float64]
    calls: list[Call]
    messages: dict[str, Place]
    states: dict[str, Kept]
    given: dict[str, Place]
    is_real: dict[str, Place]
    tallies: dict[str, Place]

    @classmethod
    def of(
        cls,
        graph: Graph,
        samples: int,
        scaling: Scaling | None = None,
        largest: Names = (),
        counted: Names = (),
    ) -> Flat:
        """Write the program of an integer graph.

        Parameters
        ----------
        graph
            Integer graph that keeps the contract.
        samples
            Sequences side by side.
        scaling
            Of the first input; the others, and all without one, are in the unit of their format.
        largest, counted
            Outputs whose largest values are kept, or whose activations are added up.
        """
        writer = Writer(graph, samples, scaling)
        # inputs first: one that refuses what it is given ends the step before a state has changed
        for name in (*graph.inputs, *(name for name in graph.order if name not in graph.inputs)):
            writer.node(name)
        writer.takes()
        for op, names in ((walk.largest, largest), (walk.count, counted)):
            for name in names:
                writer.tally(name, op)
        return writer.flat()

    @classmethod
    def of_loop(cls, graph: Graph, block: Names, samples: int) -> Flat:
        """Write the program of nodes that feed each other.

        What arrives from outside of them is to be put, before each step, where `messages` says.
        """
        writer = Writer(graph, samples, None)
        for source in {source for name in block for source in graph.sources[name]} - set(block):
            shape = (samples, graph.nodes[source].out_channels)
            writer.messages[source] = writer.room("small", shape)
        for name in block:
            writer.node(name)
        writer.takes()
        return writer.flat()

    def view(self, place: Place) -> NDArray[Any]:
        """Return what stands at a place; it changes with the memory."""
        size = math.prod(place.shape)
        flat: NDArray[Any] = getattr(self, place.memory)[place.at : place.at + size]
        return flat.reshape(place.shape)

    @property
    def first(self) -> NDArray[np.int64]:
        """The instructions before the first node without any."""
        return self.code[: self.calls[0].row] if self.calls else self.code

    def rest(self) -> list[tuple[Callable[[], None], NDArray[np.int64]]]:
        """Return each node without instructions, as what runs it, and the instructions behind."""
        rows = pairwise([*(call.row for call in self.calls), len(self.code)])
        calls = zip(self.calls, rows, strict=True)
        return [(self._bound(call), self.code[begin:end]) for call, (begin, end) in calls]

    def _bound(self, call: Call) -> Callable[[], None]:
        operands, y = [self.view(place) for place in call.operands], self.view(call.y)
        state = {part: self.view(place) for part, place in call.state.items()}
        return partial(call.run, operands, y, state, self.counts(call.index))

    def counts(self, index: int) -> NDArray[np.int64]:
        """Return the three counters of a node: see `neurossm.engine.kernels`."""
        return self.whole[3 * index + 1 : 3 * index + 4]


class Writer:
    """A program while it is written."""

    def __init__(self, graph: Graph, samples: int, scaling: Scaling | None) -> None:
        self.graph, self.samples, self.scaling = graph, samples, scaling
        self.small, self.whole, self.real = Tape(np.int32), Tape(np.int64), Tape(np.float64)
        self.index = {name: index for index, name in enumerate(graph.order)}
        self.whole.room(1 + 3 * len(graph.order))  # clipped inputs, then three counters a node
        self.rows: list[list[int]] = []
        self.messages: dict[str, Place] = {}
        self.calls: list[Call] = []
        self._late: dict[str, Form[Any]] = {}
        self.states: dict[str, Kept] = {}
        self.given: dict[str, Place] = {}
        self.is_real: dict[str, Place] = {}
        self.tallies: dict[str, Place] = {}

    def flat(self) -> Flat:
        """Return the finished program."""
        code = np.array(self.rows, dtype=np.int64).reshape(-1, walk.COLUMNS)
        memory = self.small.memory(), self.whole.memory(), self.real.memory()
        return Flat(self.samples, code, *memory, self.calls, self.messages, self.states,
                    self.given, self.is_real, self.tallies)  # fmt: skip

    def emit(
        self, op: Instruction, name: str, u: int, y: int, *parameters: int, v: int = 0
    ) -> None:  # fmt: skip
        """Append an instruction of a node."""
        node = self.graph.nodes[name]
        at = [walk.number_of(op), self.index[name], u, v, y]
        row = [*at, node.in_channels, node.out_channels, *parameters]
        self.rows.append(row + [0] * (walk.COLUMNS - len(row)))

    def by_steps(self, name: str, run: Operation, operands: list[int], y: int) -> None:
        """Cut the program: here a node runs by its own steps, or by one half of them."""
        node, samples = self.graph.nodes[name], self.samples
        state = {}
        for part, shape in node.state_parts().items():
            if f"{name}.{part}" not in self.states:
                self.state(name, part, self.room("whole", (samples, *shape)))
            state[part] = self.states[f"{name}.{part}"].place
        arriving = [Place("small", at, (samples, node.in_channels)) for at in operands]
        sent = Place("small", y, (samples, node.out_channels))
        self.calls.append(Call(len(self.rows), run, self.index[name], arriving, sent, state))

    def room(self, memory: str, shape: tuple[int, ...]) -> Place:
        """Return where zeros of this shape stand, in ``small``, ``whole`` or ``real``."""
        tape: Tape = getattr(self, memory)
        return Place(memory, tape.room(math.prod(shape)), shape)

    def state(
        self,
        name: str,
        part: str,
        place: Place,
        made: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
    ) -> None:
        """Say where a part of a node's state stands, and what makes ``(S, ...)`` of it."""
        self.states[f"{name}.{part}"] = Kept(place, made)

    def node(self, name: str) -> None:
        """Write the instructions of a node."""
        node, sources = self.graph.nodes[name], self.graph.sources[name]
        shape = (self.samples, node.out_channels)
        if node.late:
            self.messages[name] = self.room("small", shape)
            form = self._late[name] = form_of(type(node))(node, Edges.of(self.graph, name))
            return form.emit_send(self, name, self.messages[name].at)
        operands = [self.messages[source].at for source in sources]
        passes = node.role is Role.OUTPUT and sources[0] not in self.graph.inputs
        if passes:  # sends what came; not that of an input, where a refused step may write
            self.messages[name] = Place("small", operands[0], shape)
            return
        self.messages[name] = self.room("small", shape)
        y = self.messages[name].at
        if node.role is Role.INPUT:
            return self._input(name, node, y)
        operands = self._meeting(name, operands)
        form_of(type(node))(node, Edges.of(self.graph, name)).emit(self, name, operands, y)

    def takes(self) -> None:
        """Write the second halves of the steps of late nodes, behind all that feeds them."""
        for name, form in self._late.items():
            arriving = [self.messages[source].at for source in self.graph.sources[name]]
            form.emit_take(self, name, self._meeting(name, arriving), self.messages[name].at)

    def tally(self, name: str, op: Instruction) -> None:
        """Count what an output sends, or keep the largest of it."""
        place = self.messages[name]
        least = np.iinfo(np.int32).min if op is walk.largest else 0
        at = self.whole.put(np.full(place.shape, least))
        self.tallies[name] = Place("whole", at, place.shape)
        self.emit(op, name, place.at, place.at, at)

    def _input(self, name: str, node: Node, y: int) -> None:
        (low, high, _), channels = input_range(self.graph, name), node.out_channels
        unit, offset = np.full(channels, 2.0 ** -format_of(node).frac), np.zeros(channels)
        largest = high
        if self.scaling is not None and name == self.graph.inputs[0]:
            unit, offset = self.scaling.unit, self.scaling.offset
            largest = min(high, self.scaling.largest)
        self.given[name] = self.room("real", (self.samples, channels))
        self.is_real[name] = self.room("whole", (1,))
        self.emit(walk.enter, name, 0, y, self.given[name].at, low, high, self.is_real[name].at,
                  self.real.put(offset, unit), largest)  # fmt: skip

    def _meeting(self, name: str, operands: list[int]) -> list[int]:
        """Add the edges that converge on a node, where they do; the sum saturates on entry."""
        node = self.graph.nodes[name]
        if len(operands) == 1 or node.meets is not Meets.ADD:
            return operands
        total = self.small.room(self.samples * node.in_channels)
        limit = symmetric_limit(MESSAGE_BITS)
        for index, u in enumerate(operands):
            last = int(index == len(operands) - 1)
            self.emit(walk.add if index else walk.copy, name, u, total, last, limit)
            self.rows[-1][walk.M] = node.in_channels
        return [total]
