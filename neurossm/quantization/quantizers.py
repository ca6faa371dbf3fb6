"""Each node's integers: real parameters to mantissas with power-of-two scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import (
    MESSAGE_BITS,
    Fixed,
    Quantized,
    ceil_to,
    fit_frac,
    round_to,
    symmetric_limit,
)
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
from neurossm.quantization.membranes import quantize_lif
from neurossm.quantization.quantize_ssm import quantize_ssm
from neurossm.quantization.room import Here
from neurossm.quantization.rows import graded_frac, may_differ, rounded, spike_frac


def _input(node: Input, here: Here) -> Node:
    return node


def _output(node: Output, here: Here) -> Node:
    return replace(node, out=here.arriving[0])


def _affine(node: Affine, here: Here) -> Node:
    bits = here.settings.weight_bits
    frac: int | NDArray[np.int64]
    by_row = may_differ(here.graph, here.name)
    if all(fmt.is_spike for fmt in here.arriving):
        frac = spike_frac(node, bits, by_row)
    else:
        high = sum(fmt.high for fmt in here.arriving)
        frac = graded_frac(node, bits, (high, here.frac), by_row)
    added = frac + here.frac
    return replace(
        node,
        weight=rounded(node.weight, frac, bits, "weights"),
        bias=Quantized(round_to(np.asarray(node.bias), added, MESSAGE_BITS), added, MESSAGE_BITS),
        out=Fixed(here.widest(), int(np.min(added))),
    )


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
    a = np.hypot(np.asarray(node.a_re), np.asarray(node.a_im))
    b = np.hypot(np.asarray(node.b_re), np.asarray(node.b_im))
    message = here.arriving[0].high * 2.0**-here.frac
    possible = b * message / np.maximum(1 - a, 2.0 ** (1 - here.settings.pole_bits))
    return here.rules.state(here.name, possible)


def _threshold(node: Threshold, here: Here) -> Node:
    return replace(node, theta=here.compared(np.asarray(node.theta)))


def _ternary_threshold(node: TernaryThreshold, here: Here) -> Node:
    return replace(node, delta=here.compared(np.asarray(node.delta)))


def _lif(node: LIF, here: Here) -> Node:
    return quantize_lif(
        node, here.membranes(), here.frac_by_channel, here.high, here.settings.state_bits
    )


def _embedding(node: Embedding, here: Here) -> Node:
    bits, table = here.settings.weight_bits, np.asarray(node.table)
    frac = fit_frac(float(np.abs(table).max()), bits)
    rows = rounded(table, frac, bits, "table")
    return replace(node, table=rows, out=Fixed(bits, frac))


def _sum(node: Sum, here: Here) -> Node:
    bits = min(here.settings.stream_bits, here.settings.message_bits)
    return replace(node, out=here.format(bits))


def _product(node: Product, here: Here) -> Node:
    exact = sum(fmt.frac for fmt in here.arriving)
    return replace(node, out=here.format(here.settings.message_bits, most=exact))


def _piecewise_linear(node: PiecewiseLinear, here: Here) -> Node:
    bits = here.settings.segment_bits
    out = here.format(min(bits, here.settings.message_bits))
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
