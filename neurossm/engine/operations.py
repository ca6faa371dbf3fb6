"""Each integer node as a prepared operation of the fast engine: arrays scaled, kernel chosen.

To add a node: write its `prepare` function and enter it in `PREPARE`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import kernels, ssm_kernels
from neurossm.engine.aligned import aligned
from neurossm.engine.parameters import (
    Membranes,
    Messages,
    Recurrence,
    Segments,
    Synapses,
    limit_of,
    operand_scales,
    product_shift,
)
from neurossm.fixed import MESSAGE_BITS, Fixed, symmetric_limit
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Meets,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    State,
    Sum,
    TernaryThreshold,
    Threshold,
    quantized,
)

Tally = NDArray[np.int64]


class Operation(Protocol):
    """Reads the operands ``(S, T, C)``, writes the output, carries the state, adds to the tally."""

    def __call__(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run over a block of samples and steps."""


def prepare(
    node: Node, formats: list[Fixed], frac_by_channel: NDArray[np.int64] | None = None
) -> Operation:
    """Return the operation of a node whose edges carry messages of the given formats.

    `frac_by_channel` are the fraction bits of what arrives where channels differ; only a `LIF`
    shifts by them.
    """
    if isinstance(node, LIF):
        operation = _lif(node, formats[0].frac if frac_by_channel is None else frac_by_channel)
    else:
        operation = PREPARE[type(node)](node, formats)
    if node.meets is not Meets.ADD or len(formats) == 1:
        return operation

    limit = symmetric_limit(MESSAGE_BITS)

    def added(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        total = operands[0].copy()
        for index, operand in enumerate(operands[1:], start=2):
            kernels.entry_sum(total, operand, index == len(operands), limit, tally)
        operation([total], y, state, tally)

    return added


def _output(node: Output, formats: list[Fixed]) -> Operation:
    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        y[...] = operands[0]

    return operation


def _affine(node: Affine, formats: list[Fixed]) -> Operation:
    own, limit = Synapses.of(node), limit_of(node)
    spikes = [fmt.is_spike for fmt in formats]

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernels.start(y, own.bias)
        for u, only_spikes in zip(operands, spikes, strict=True):
            if only_spikes:
                kernels.add_spikes(u, y, own.columns, own.fan_out, tally)
            else:
                kernels.add_graded(u, y, own.rows, own.fan_out, own.multiplies, tally)
        kernels.saturate(y, limit, tally)

    return operation


def _diagonal_ssm(node: DiagonalSSM, formats: list[Fixed]) -> Operation:
    own, out_limit = Recurrence.of(node, formats), float(limit_of(node))
    parameters = aligned((own.rows.size,), np.float64)
    parameters[...] = own.rows.ravel()
    feed, bias, state_limit = own.feed, own.bias, own.state_limit
    kernel = ssm_kernels.diagonal_ssm(node.modes, own.real_b, own.whole_b)

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        samples, channels, modes = state["re"].shape
        packed = aligned((samples, channels, 2, modes), np.float64)
        packed[:, :, 0], packed[:, :, 1] = state["re"], state["im"]
        flat = packed.reshape(-1)
        kernel(operands[0], y, flat, parameters, feed, bias, state_limit, out_limit, tally)
        state["re"][...], state["im"][...] = packed[:, :, 0], packed[:, :, 1]

    return operation


def _threshold(node: Threshold, formats: list[Fixed]) -> Operation:
    theta = quantized(node.theta).values

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernels.threshold(operands[0], y, theta)

    return operation


def _ternary_threshold(node: TernaryThreshold, formats: list[Fixed]) -> Operation:
    delta = quantized(node.delta).values

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernels.ternary_threshold(operands[0], y, delta)

    return operation


def _lif(node: LIF, frac: NDArray[np.int64] | int) -> Operation:
    own = Membranes.of(node, frac)
    arrays = own.theta, own.tau, own.rho, own.kappa, own.scale
    kernel = kernels.lif(node.reset, node.has_trace, own.shifted)

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        u = state["u"].astype(np.float64)
        r = state["r"].astype(np.float64) if node.has_trace else np.zeros_like(u)
        kernel(operands[0], y, u, r, *arrays, own.limit, tally)
        state["u"][...] = u
        if node.has_trace:
            state["r"][...] = r

    return operation


def _embedding(node: Embedding, formats: list[Fixed]) -> Operation:
    table = np.ascontiguousarray(quantized(node.table).values, dtype=np.int32)

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernels.look_up(operands[0], y, table, tally)

    return operation


def _sum(node: Sum, formats: list[Fixed]) -> Operation:
    scales, limit = operand_scales(node, formats), float(limit_of(node))

    def pair(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        u, v = operands
        kernels.aligned_pair(u, v, y, scales[0], scales[1], limit, tally)

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        total = np.empty(y.shape)
        for index, (u, scale) in enumerate(zip(operands, scales, strict=True)):
            kernels.align(u, total, scale, index == 0)
        kernels.store(total, y, limit, tally)

    return pair if len(formats) == 2 else operation


def _product(node: Product, formats: list[Fixed]) -> Operation:
    right, limit = product_shift(node, formats), limit_of(node)

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernels.product(operands[0], operands[1], y, right, limit, tally)

    return operation


def _piecewise_linear(node: PiecewiseLinear, formats: list[Fixed]) -> Operation:
    own, limit = Segments.of(node, formats), float(limit_of(node))
    kernel = kernels.piecewise_linear(len(own.slopes))

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernel(operands[0], y, own.knots, own.slopes, own.offsets, limit, tally)

    return operation


def _accumulate(node: Accumulate, formats: list[Fixed]) -> Operation:
    right, limit = product_shift(node, formats[:1]), limit_of(node)
    term = symmetric_limit(node.term_bits)

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernels.accumulate(operands[0], y, state["sum"], right, term, limit, tally)

    return operation


PREPARE: dict[type[Node], Callable[..., Operation]] = {
    Output: _output,
    Affine: _affine,
    DiagonalSSM: _diagonal_ssm,
    Threshold: _threshold,
    Sum: _sum,
    Product: _product,
    PiecewiseLinear: _piecewise_linear,
    Accumulate: _accumulate,
    TernaryThreshold: _ternary_threshold,
    Embedding: _embedding,
}
