"""Exact worst-case bounds: how large a value can become, whatever arrives in the input's format.

Interval arithmetic from node to node, for float and for integer graphs. A `DiagonalSSM` is bounded
by the l1 norm of its impulse response, or where its states could saturate by their width. Integer
nodes add what their shifts toward zero can drop: less than a unit for each product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import instance
from neurossm.fixed import ACCUMULATOR_BITS, Quantized
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    BatchNorm,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)
from neurossm.quantization.reach import membranes
from neurossm.quantization.response import (
    LONGEST,
    constant_response,
    gains,
    impulse_response,
    readout,
    real,
    series,
    tail,
)
from neurossm.quantization.span import Meeting, Register, Span

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Bounds:
    """What `bounds` found: a span of each node's messages, and its registers.

    `steps` is how many steps they hold for (the ``steps`` of the graph's meta), None for any.
    """

    messages: Mapping[str, Span]
    registers: Mapping[str, tuple[Register, ...]]
    steps: int | None

    def register(self, name: str, what: str) -> Register:
        """Return a register of a node by its name."""
        return next(item for item in self.registers[name] if item.what == what)


Found = tuple[Span, tuple[Register, ...]]


def bounds(graph: Graph) -> Bounds:
    """Return the largest values that are possible at each node of a float or an integer graph."""
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    given = graph.meta.get("steps")
    steps = given if isinstance(given, int) and given > 0 else None
    # a float pole outside the circle has no bound: infinite, and zero times that is nan
    with np.errstate(invalid="ignore", over="ignore"):
        return _walk(graph, steps)


def _walk(graph: Graph, steps: int | None) -> Bounds:
    messages: dict[str, Span] = {}
    registers: dict[str, tuple[Register, ...]] = {}
    for name in graph.order:
        node, sources = graph.nodes[name], graph.sources[name]
        if isinstance(node, Input):
            messages[name], registers[name] = _input(graph, name, node), ()
            continue
        formats = [graph.nodes[source].out for source in sources]
        meeting = Meeting(node, [messages[source] for source in sources], formats, steps)
        messages[name], registers[name] = BOUNDS[type(node)](node, meeting)
    return Bounds(messages, registers, steps)


def _input(graph: Graph, name: str, node: Input) -> Span:
    assert node.out is not None  # an Input always has a format
    tokens = graph.vocabularies.get(name)
    low, high = (0, tokens - 1) if tokens else (node.out.low, node.out.high)
    unit, ones = 2.0**-node.out.frac, np.ones(node.channels)
    return Span(low * unit * ones, high * unit * ones)


def _same(node: Node, at: Meeting) -> Found:
    return at.operands[0], ()


def _affine(node: Affine, at: Meeting) -> Found:
    # its edges meet in the accumulator, not at the entry
    u, weight, bias = sum(at.operands[1:], start=at.operands[0]), real(node.weight), real(node.bias)
    up, down = np.maximum(weight, 0), np.minimum(weight, 0)
    span = Span(up @ u.low + down @ u.high + bias, up @ u.high + down @ u.low + bias)
    sent, registers = at.message(span)
    if not node.is_integer:
        return sent, ()
    # in any order of its terms; twice, as Lava carries mixed-sign weights as even numbers
    l1 = 2 * (np.abs(weight) @ sum(m.magnitude for m in at.operands) + np.abs(bias))
    return sent, (Register("accumulator", l1, at.unit, ACCUMULATOR_BITS), registers[-1])


def _batch_norm(node: BatchNorm, at: Meeting) -> Found:
    ends = [end * real(node.gain) + real(node.offset) for end in (at.u.low, at.u.high)]
    return Span(np.minimum(*ends), np.maximum(*ends)), ()


def _diagonal_ssm(node: DiagonalSSM, at: Meeting) -> Found:
    u = at.u.with_zero()
    b, drive = gains(node)
    sums, unit, bits = series(node, at.steps), np.zeros((len(b), 1)), 0
    if isinstance(node.drive_re, Quantized):
        unit, bits = 2.0 ** -node.drive_re.frac_by_channel().astype(float), node.drive_re.bits
    # each part of a state loses less than a unit in each of three products
    dropped = np.hypot(3, 3) * unit
    entering = np.abs(b) * u.magnitude[:, None] + np.abs(drive)
    moved = (entering > 0) | (unit > 0)
    size = np.where(moved, (entering + dropped) * np.where(moved, sums, 0.0), 0.0)
    state = Register("state", size, unit, bits)
    span = _linear(node, at, u)
    if bits:
        lost = 2 * np.abs(readout(node)) * dropped * sums
        span = span.wider(lost.sum(axis=1) + (2 * node.modes + 1) * at.unit)
        if not state.holds:  # not linear then: but no state leaves its width
            span = _clipped_states(node, at, state.limit * unit)
    sent, registers = at.message(span)
    return sent, (state, *registers)


def _linear(node: DiagonalSSM, at: Meeting, u: Span) -> Span:
    """Return the span of the output while nothing saturates: the l1 norm of the response."""
    followed = min(at.steps or LONGEST, LONGEST)
    h, constant = impulse_response(node, followed), constant_response(node, followed)
    up, down = np.maximum(h, 0).sum(axis=0), np.minimum(h, 0).sum(axis=0)
    span = Span(up * u.low + down * u.high, up * u.high + down * u.low)
    span = span + Span(constant.min(axis=0), constant.max(axis=0))
    if at.steps is None or at.steps > followed:
        b, drive = gains(node)
        span = span.wider(tail(node, np.abs(b) * u.magnitude[:, None] + np.abs(drive), followed))
    bias = real(node.bias)
    return span + Span(bias, bias)


def _clipped_states(node: DiagonalSSM, at: Meeting, limit: Reals) -> Span:
    parts = np.abs(real(node.c_re)) + np.abs(real(node.c_im))
    reach = (2 * parts * limit).sum(axis=1) + np.abs(real(node.d)) * at.u.magnitude
    bias = real(node.bias)
    return Span(bias - reach, bias + reach)


def _spikes(node: Node, at: Meeting) -> Found:
    ones = np.ones(node.out_channels)
    return Span(-ones if isinstance(node, TernaryThreshold) else 0 * ones, ones), at.entry()


def _lif(node: LIF, at: Meeting) -> Found:
    membrane, trace = membranes(
        at.u, real(node.theta), real(node.tau), real(node.rho), real(node.kappa), node.reset,
        at.steps,
    )  # fmt: skip
    unit, bits = 0.0, 0
    if isinstance(node.theta, Quantized):
        unit, bits = np.exp2(-node.theta.frac_by_channel().astype(float)), node.theta.bits
    registers = [*at.entry(), Register("membrane", membrane, unit, bits)]
    if node.has_trace:
        registers.append(Register("trace", trace, unit, bits))
    return _spikes(node, at)[0], tuple(registers)


def _embedding(node: Embedding, at: Meeting) -> Found:
    table = real(node.table)
    return Span(table.min(axis=0), table.max(axis=0)), ()


def _sum(node: Sum, at: Meeting) -> Found:
    # an operand whose unit is not smaller is shifted exactly
    exact = [fmt is None or 2.0**-fmt.frac >= at.unit for fmt in at.formats]
    operands = [
        operand if whole else operand.shifted(at.unit)
        for operand, whole in zip(at.operands, exact, strict=True)
    ]
    sent, registers = at.message(sum(operands[1:], start=operands[0]))
    return sent, registers[-1:]


def _product(node: Product, at: Meeting) -> Found:
    (left, right) = at.operands
    ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    span = Span(np.min(ends, axis=0), np.max(ends, axis=0)).shifted(at.unit)
    sent, registers = at.message(span)
    return sent, registers[-1:]


def _piecewise_linear(node: PiecewiseLinear, at: Meeting) -> Found:
    u, knots = at.u, real(node.knots)
    slopes, offsets = real(node.slopes), real(node.offsets)
    low, high = np.full(node.channels, np.inf), np.full(node.channels, -np.inf)
    edges = np.concatenate([[-np.inf], knots, [np.inf]])
    for segment, (slope, offset) in enumerate(zip(slopes, offsets, strict=True)):
        start, stop = np.maximum(u.low, edges[segment]), np.minimum(u.high, edges[segment + 1])
        met = start <= stop  # the part of the span that this segment covers
        for place in (start, stop):
            value = slope * np.where(met, place, 0.0) + offset
            low = np.where(met, np.minimum(low, value), low)
            high = np.where(met, np.maximum(high, value), high)
    return at.message(Span(low, high).wider(at.unit))


def _accumulate(node: Accumulate, at: Meeting) -> Found:
    term, steps = (
        at.u.shifted(at.unit if at.unit > at.unit_in else 0.0),
        max(node.steps, at.steps or 0),
    )
    terms: tuple[Register, ...] = ()
    if node.is_integer:
        register = Register("term", term.magnitude, at.unit, node.term_bits)
        term, terms = term.within(register.limit * at.unit), (register,)
    total = Span(np.minimum(steps * term.low, 0), np.maximum(steps * term.high, 0))
    sent, registers = at.message(total)
    return sent, (*registers[:-1], *terms, *registers[-1:])


BOUNDS: dict[type[Node], Callable[..., Found]] = {
    Output: _same,
    Affine: _affine,
    BatchNorm: _batch_norm,
    DiagonalSSM: _diagonal_ssm,
    Threshold: _spikes,
    TernaryThreshold: _spikes,
    LIF: _lif,
    Embedding: _embedding,
    Sum: _sum,
    Product: _product,
    PiecewiseLinear: _piecewise_linear,
    Accumulate: _accumulate,
}
