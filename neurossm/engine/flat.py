"""A graph as a flat program for `neurossm.engine.walk`, and the memory that it runs in.

To add a node: write a function that emits its instructions and enter it in `EMIT`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.engine import walk
from neurossm.engine.aligned import CACHE_LINE, aligned
from neurossm.engine.inputs import input_range
from neurossm.engine.parameters import (
    Membranes,
    Recurrence,
    Segments,
    Synapses,
    limit_of,
    operand_scales,
    product_shift,
)
from neurossm.engine.ssm_kernels import LANES
from neurossm.fixed import MESSAGE_BITS, Fixed, Scaling, symmetric_limit
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Meets,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
    format_of,
    message_frac,
    quantized,
)

Names = Sequence[str]
LIFS = {"hard": walk.LIF_HARD, "soft": walk.LIF_SOFT, "none": walk.LIF_NONE}


@dataclass
class Tape:
    """A flat array while it grows; what is put on it begins at a cache line."""

    dtype: type
    parts: list[tuple[int, NDArray[Any]]] = field(default_factory=list)
    size: int = 0

    def put(self, *arrays: ArrayLike) -> int:
        """Return where these arrays stand, one behind the other without gaps."""
        line = CACHE_LINE // np.dtype(self.dtype).itemsize
        at = -(-self.size // line) * line
        values = np.concatenate([np.ravel(array) for array in arrays])
        self.parts.append((at, values))
        self.size = at + values.size
        return at

    def room(self, size: int) -> int:
        """Return where so many zeros stand."""
        return self.put(np.zeros(size))

    def memory(self) -> NDArray[Any]:
        """Return the array."""
        made = aligned((max(self.size, 1),), self.dtype)
        made[...] = 0
        for at, values in self.parts:
            made[at : at + values.size] = values
        return made


@dataclass(frozen=True)
class Place:
    """Where an array stands: in ``small``, ``whole`` or ``real``, from where on, its shape."""

    memory: str
    at: int
    shape: tuple[int, ...]


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
    messages: dict[str, Place]
    states: dict[str, Place]
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
            Outputs whose largest values are kept, or whose messages are added up.
        """
        writer = Writer(graph, samples, scaling)
        for name in graph.order:
            writer.node(name)
        for op, names in ((walk.LARGEST, largest), (walk.COUNT, counted)):
            for name in names:
                writer.tally(name, op)
        return writer.flat()

    def view(self, place: Place) -> NDArray[Any]:
        """Return what stands at a place; it changes with the memory."""
        size = int(np.prod(place.shape))
        flat: NDArray[Any] = getattr(self, place.memory)[place.at : place.at + size]
        return flat.reshape(place.shape)

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
        self.states: dict[str, Place] = {}
        self.given: dict[str, Place] = {}
        self.is_real: dict[str, Place] = {}
        self.tallies: dict[str, Place] = {}

    def flat(self) -> Flat:
        """Return the finished program."""
        code = np.array(self.rows, dtype=np.int64).reshape(-1, walk.COLUMNS)
        memory = self.small.memory(), self.whole.memory(), self.real.memory()
        return Flat(self.samples, code, *memory, self.messages, self.states, self.given,
                    self.is_real, self.tallies)  # fmt: skip

    def emit(self, op: int, name: str, u: int, y: int, *parameters: int, v: int = 0) -> None:
        """Append an instruction of a node."""
        node = self.graph.nodes[name]
        row = [op, self.index[name], u, v, y, node.in_channels, node.out_channels, *parameters]
        self.rows.append(row + [0] * (walk.COLUMNS - len(row)))

    def state(self, name: str, part: str, place: Place) -> None:
        """Say where a part of a node's state stands."""
        self.states[f"{name}.{part}"] = place

    def node(self, name: str) -> None:
        """Write the instructions of a node."""
        node, shape = self.graph.nodes[name], (self.samples, self.graph.nodes[name].out_channels)
        operands = [self.messages[source].at for source in self.graph.sources[name]]
        behind = [self.graph.nodes[source] for source in self.graph.sources[name]]
        if isinstance(node, Output) and not isinstance(behind[0], Input):
            self.messages[name] = Place("small", operands[0], shape)  # sends what came
            return
        y = self.small.room(shape[0] * shape[1])
        self.messages[name] = Place("small", y, shape)
        formats = [format_of(source) for source in behind]
        if isinstance(node, Input):
            return self._input(name, node, y)
        if len(operands) > 1 and node.meets is Meets.ADD:
            operands = [self._added(name, operands)]
        if isinstance(node, Output):  # not that of an input: a refused step may write there
            return self.emit(walk.COPY, name, operands[0], y)
        EMIT[type(node)](self, name, node, formats, operands, y)

    def tally(self, name: str, op: int) -> None:
        """Count what an output sends, or keep the largest of it."""
        place = self.messages[name]
        least = np.iinfo(np.int32).min if op == walk.LARGEST else 0
        at = self.whole.put(np.full(place.shape, least))
        self.tallies[name] = Place("whole", at, place.shape)
        self.emit(op, name, place.at, place.at, at)

    def _input(self, name: str, node: Input, y: int) -> None:
        low, high, _ = input_range(self.graph, name)
        unit, offset = np.full(node.channels, 2.0 ** -format_of(node).frac), np.zeros(node.channels)
        largest = high
        if self.scaling is not None and name == self.graph.inputs[0]:
            unit, offset = self.scaling.unit, self.scaling.offset
            largest = min(high, self.scaling.largest)
        shape = (self.samples, node.channels)
        self.given[name] = Place("real", self.real.room(shape[0] * shape[1]), shape)
        self.is_real[name] = Place("whole", self.whole.room(1), (1,))
        self.emit(walk.ENTER, name, 0, y, self.given[name].at, low, high, self.is_real[name].at,
                  self.real.put(offset, unit), largest)  # fmt: skip

    def _added(self, name: str, operands: list[int]) -> int:
        """Add the edges that converge on a node; the sum saturates on entry."""
        node = self.graph.nodes[name]
        total = self.small.room(self.samples * node.in_channels)
        limit = symmetric_limit(MESSAGE_BITS)
        for index, u in enumerate(operands):
            last = int(index == len(operands) - 1)
            self.emit(walk.ADD if index else walk.COPY, name, u, total, last, limit)
            self.rows[-1][walk.M] = node.in_channels
        return total


def _affine(
    to: Writer, name: str, node: Affine, formats: list[Fixed], operands: list[int], y: int
) -> None:
    own = Synapses.of(node)
    fan_out = to.whole.put(own.fan_out)
    to.emit(walk.START, name, 0, y, to.small.put(own.bias))
    for u, fmt in zip(operands, formats, strict=True):
        if fmt.is_spike:
            to.emit(walk.ADD_SPIKES, name, u, y, to.small.put(own.columns), fan_out)
        else:
            rows = to.small.put(own.rows)
            to.emit(walk.ADD_GRADED, name, u, y, rows, fan_out, int(own.multiplies))
    to.emit(walk.SATURATE, name, 0, y, limit_of(node))


def _embedding(
    to: Writer, name: str, node: Embedding, formats: list[Fixed], operands: list[int], y: int
) -> None:
    table = to.small.put(quantized(node.table).values)
    to.emit(walk.LOOK_UP, name, operands[0], y, table, node.tokens)


def _ssm(
    to: Writer, name: str, node: DiagonalSSM, formats: list[Fixed], operands: list[int], y: int
) -> None:
    own = Recurrence.of(node, formats)
    channels, _, modes = own.rows.shape
    tiles = -(-modes // LANES)
    rows = np.zeros((channels, 8, tiles * LANES))
    rows[:, :, :modes] = own.rows
    tiled = rows.reshape(channels, 8, tiles, LANES).swapaxes(1, 2)
    shape = (to.samples, channels, tiles, 2, LANES)
    state = to.real.room(int(np.prod(shape)))
    to.state(name, "re_im", Place("real", state, shape))
    op = walk.SSM_REAL if own.real_b else walk.SSM_COMPLEX
    to.emit(op, name, operands[0], y, state, to.real.put(tiled), tiles,
            to.real.put(own.feed, own.bias), int(own.state_limit), limit_of(node))  # fmt: skip


def _threshold(
    to: Writer, name: str, node: Threshold, formats: list[Fixed], operands: list[int], y: int
) -> None:
    to.emit(walk.THRESHOLD, name, operands[0], y, to.whole.put(quantized(node.theta).values))


def _ternary(
    to: Writer, name: str, node: TernaryThreshold, formats: list[Fixed], operands: list[int], y: int
) -> None:
    to.emit(walk.TERNARY, name, operands[0], y, to.whole.put(quantized(node.delta).values))


def _lif(
    to: Writer, name: str, node: LIF, formats: list[Fixed], operands: list[int], y: int
) -> None:
    own = Membranes.of(node, message_frac(to.graph.nodes[to.graph.sources[name][0]]))
    shape = (to.samples, node.in_channels)
    size = shape[0] * shape[1]
    state = to.real.room(2 * size)
    to.state(name, "u", Place("real", state, shape))
    if node.has_trace:
        to.state(name, "r", Place("real", state + size, shape))
    parameters = to.real.put(own.theta, own.tau, own.rho, own.kappa, own.scale)
    to.emit(LIFS[node.reset], name, operands[0], y, state, parameters, int(own.limit))


def _sum(
    to: Writer, name: str, node: Sum, formats: list[Fixed], operands: list[int], y: int
) -> None:
    scales, limit = operand_scales(node, formats), limit_of(node)
    if len(operands) == 2:
        to.emit(walk.PAIR, name, operands[0], y, to.real.put(scales), limit, v=operands[1])
        return
    total = to.real.room(to.samples * node.channels)
    for index, (u, scale) in enumerate(zip(operands, scales, strict=True)):
        to.emit(walk.ALIGN, name, u, y, to.real.put([scale]), int(index == 0), v=total)
    to.emit(walk.STORE, name, operands[0], y, limit, v=total)


def _product(
    to: Writer, name: str, node: Product, formats: list[Fixed], operands: list[int], y: int
) -> None:
    left, right = operands
    to.emit(walk.PRODUCT, name, left, y, product_shift(node, formats), limit_of(node), v=right)


def _piecewise(
    to: Writer, name: str, node: PiecewiseLinear, formats: list[Fixed], operands: list[int], y: int
) -> None:
    own = Segments.of(node, formats)
    rows = np.zeros((3, walk.SEGMENTS))
    rows[0] = np.inf  # segments that no input reaches
    for row, values in zip(rows, (own.knots, own.slopes, own.offsets), strict=True):
        row[: len(values)] = values
    to.emit(walk.PIECEWISE, name, operands[0], y, to.real.put(rows), limit_of(node))


def _accumulate(
    to: Writer, name: str, node: Accumulate, formats: list[Fixed], operands: list[int], y: int
) -> None:
    shape = (to.samples, node.channels)
    total = to.whole.room(shape[0] * shape[1])
    to.state(name, "sum", Place("whole", total, shape))
    to.emit(walk.ACCUMULATE, name, operands[0], y, total, product_shift(node, formats[:1]),
            symmetric_limit(node.term_bits), limit_of(node))  # fmt: skip


EMIT: dict[type[Node], Callable[..., None]] = {
    Affine: _affine,
    Embedding: _embedding,
    DiagonalSSM: _ssm,
    Threshold: _threshold,
    TernaryThreshold: _ternary,
    LIF: _lif,
    Sum: _sum,
    Product: _product,
    PiecewiseLinear: _piecewise,
    Accumulate: _accumulate,
}
