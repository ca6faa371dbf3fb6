"""From real parameters and ranges to integers with power-of-two scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurossm import contract
from neurossm.errors import GraphError, InputError, RangeError
from neurossm.fixed import (
    LEAK_FRAC,
    MESSAGE_BITS,
    POLE_BITS,
    STATE_BITS,
    WEIGHT_BITS,
    Fixed,
    Quantized,
    ceil_to,
    fit_frac,
    round_leaks,
    round_to,
    symmetric_limit,
)
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
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
from neurossm.passes.calibrate import Ranges
from neurossm.passes.quantize_ssm import quantize_ssm
from neurossm.passes.room import Here, weight_frac


@dataclass(frozen=True)
class Quantize:
    """Post-training quantization; call it with a folded float graph and its ranges.

    Attributes
    ----------
    pole_bits
        Width of each part of a pole, with sign; 16 is Q1.15.
    weight_bits
        Width of synaptic mantissas and of b, c and d.
    state_bits
        Width of the states of `DiagonalSSM` and `LIF`, at most 24.
    message_bits
        Widest graded message.
    stream_bits
        Width that a residual stream aims at: what graded synapses receive.
    segment_bits
        Width of the slopes and outputs of a `PiecewiseLinear`.
    headroom
        Bits kept free above the largest value seen in calibration.
    """

    pole_bits: int = POLE_BITS
    weight_bits: int = WEIGHT_BITS
    state_bits: int = STATE_BITS
    message_bits: int = MESSAGE_BITS
    stream_bits: int = 16
    segment_bits: int = 12
    headroom: int = 1

    def __post_init__(self) -> None:
        for name, low, high in (
            ("pole_bits", 3, POLE_BITS),
            ("weight_bits", 2, WEIGHT_BITS),
            ("state_bits", 8, STATE_BITS),
            ("message_bits", 4, MESSAGE_BITS),
            ("stream_bits", 4, MESSAGE_BITS),
            ("segment_bits", 4, 16),
            ("headroom", 0, 8),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f"quantize {name}", expected=f"{low} to {high}", got=str(getattr(self, name))
                )

    def __call__(self, graph: Graph, ranges: Ranges) -> Graph:
        """Return the integer graph.

        Raises
        ------
        GraphError
            For a node that has no integer meaning (`BatchNorm` must be folded first), or where no
            format satisfies the contract; named.
        """
        for name in graph.order:
            node = graph.nodes[name]
            if type(node) not in QUANTIZERS:
                raise GraphError(
                    f"node {name!r} ({type(node).__name__})",
                    expected="a node with an integer meaning",
                    got="one without",
                    remedy="fold batch norms first (pass fold_batch_norm)",
                )
        done: dict[str, Node] = {}
        for name in graph.order:
            here = Here(self, graph, ranges, done, name)
            try:
                done[name] = QUANTIZERS[type(graph.nodes[name])](graph.nodes[name], here)
            except RangeError as error:
                raise RangeError(f"node {name!r}: {error}") from None
        # the order of nodes is the graph's own, not that of the visit
        integer = Graph(
            {name: done[name] for name in graph.nodes}, graph.edges, graph.dt, graph.meta
        )
        contract.require(integer)
        return integer


def _input(node: Input, here: Here) -> Node:
    return node


def _output(node: Output, here: Here) -> Node:
    return replace(node, out=here.arriving[0])


def _affine(node: Affine, here: Here) -> Node:
    bits = here.settings.weight_bits
    frac = weight_frac(node, bits, graded=not here.arriving[0].is_spike)
    out = Fixed(MESSAGE_BITS, frac + here.frac)
    return replace(
        node,
        weight=Quantized(round_to(np.asarray(node.weight), frac, bits), frac, bits),
        bias=Quantized(round_to(np.asarray(node.bias), out.frac, MESSAGE_BITS), out.frac,
                       MESSAGE_BITS),
        out=out,
    )  # fmt: skip


def _diagonal_ssm(node: DiagonalSSM, here: Here) -> Node:
    settings = here.settings
    return quantize_ssm(
        node,
        here.format(settings.message_bits, constant=float(np.abs(np.asarray(node.bias)).max())),
        _state_range(node, here),
        pole_bits=settings.pole_bits,
        gain_bits=settings.weight_bits,
        state_bits=settings.state_bits,
    )


def _state_range(node: DiagonalSSM, here: Here) -> NDArray[np.float64]:
    """Return the largest moduli of the states with headroom, ``(C, N)``.

    A state that calibration never moved gets what the largest message could make of it,
    ``|b| u / (1 - |a|)``: it must not be cut off because the data were quiet.
    """
    seen = here.ranges.states[here.name]
    a = np.hypot(np.asarray(node.a_re), np.asarray(node.a_im))
    b = np.hypot(np.asarray(node.b_re), np.asarray(node.b_im))
    message = here.arriving[0].high * 2.0**-here.frac
    possible = b * message / np.maximum(1 - a, 2.0 ** (1 - here.settings.pole_bits))
    return np.where(seen > 0, seen * 2.0**here.settings.headroom, possible)


def _threshold(node: Threshold, here: Here) -> Node:
    theta = ceil_to(np.asarray(node.theta), here.frac, MESSAGE_BITS)
    return replace(node, theta=Quantized(theta, here.frac, MESSAGE_BITS))


def _ternary_threshold(node: TernaryThreshold, here: Here) -> Node:
    delta = ceil_to(np.asarray(node.delta), here.frac, MESSAGE_BITS)
    return replace(node, delta=Quantized(delta, here.frac, MESSAGE_BITS))


def _lif(node: LIF, here: Here) -> Node:
    bits = here.settings.state_bits

    def leak(values: object) -> Quantized:
        # a sign bit, as every parameter has one
        mantissas = round_leaks(np.asarray(values, dtype=np.float64), LEAK_FRAC)
        return Quantized(mantissas, LEAK_FRAC, LEAK_FRAC + 1)

    return replace(
        node,
        theta=Quantized(ceil_to(np.asarray(node.theta), here.frac, bits), here.frac, bits),
        kappa=Quantized(round_to(np.asarray(node.kappa), here.frac, bits), here.frac, bits),
        tau=leak(node.tau),
        rho=leak(node.rho),
    )


def _embedding(node: Embedding, here: Here) -> Node:
    bits, table = here.settings.weight_bits, np.asarray(node.table)
    frac = fit_frac(float(np.abs(table).max()), bits)
    rows = Quantized(round_to(table, frac, bits), frac, bits)
    return replace(node, table=rows, out=Fixed(bits, frac))


def _sum(node: Sum, here: Here) -> Node:
    return replace(node, out=here.format(here.settings.stream_bits))


def _product(node: Product, here: Here) -> Node:
    exact = sum(fmt.frac for fmt in here.arriving)
    return replace(node, out=here.format(here.settings.message_bits, most=exact))


def _piecewise_linear(node: PiecewiseLinear, here: Here) -> Node:
    bits = here.settings.segment_bits
    out = here.format(bits)
    slopes = np.asarray(node.slopes)
    frac = fit_frac(float(np.abs(slopes).max()), bits)
    return replace(
        node,
        knots=Quantized(ceil_to(np.asarray(node.knots), here.frac, MESSAGE_BITS), here.frac,
                        MESSAGE_BITS),
        slopes=Quantized(round_to(slopes, frac, bits), frac, bits),
        offsets=Quantized(round_to(np.asarray(node.offsets), out.frac, MESSAGE_BITS), out.frac,
                          MESSAGE_BITS),
        out=out,
    )  # fmt: skip


def _accumulate(node: Accumulate, here: Here) -> Node:
    limit = symmetric_limit(MESSAGE_BITS)
    widths = [bits for bits in range(2, 25) if node.steps * symmetric_limit(bits) <= limit]
    if not widths:
        raise GraphError(
            f"node {here.name!r} (Accumulate)",
            expected=f"at most {limit} steps in {MESSAGE_BITS} bits",
            got=f"{node.steps}",
        )
    source = here.graph.sources[here.name][0]
    frac = min(fit_frac(here.range_of(source), widths[-1]), here.frac, here.most_for_membranes())
    return replace(node, term_bits=widths[-1], out=Fixed(MESSAGE_BITS, frac))


QUANTIZERS: dict[type[Node], Callable[..., Node]] = {
    Input: _input,
    Output: _output,
    Affine: _affine,
    DiagonalSSM: _diagonal_ssm,
    Threshold: _threshold,
    Sum: _sum,
    Product: _product,
    PiecewiseLinear: _piecewise_linear,
    Accumulate: _accumulate,
    TernaryThreshold: _ternary_threshold,
    LIF: _lif,
    Embedding: _embedding,
}
