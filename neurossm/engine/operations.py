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
from neurossm.engine.reference import State
from neurossm.fixed import MESSAGE_BITS, Fixed, symmetric_limit
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
    format_of,
    quantized,
)

Messages = NDArray[np.int32]
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
    if node.separate_operands or isinstance(node, Affine | Output) or len(formats) == 1:
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
    weight = quantized(node.weight).values
    rows = np.ascontiguousarray(weight, dtype=np.int32)
    columns = np.ascontiguousarray(rows.T)
    fan_out = np.count_nonzero(weight, axis=0).astype(np.int64)
    bias, limit = quantized(node.bias).values.astype(np.int32), _limit(node)
    spikes, multiplies = [fmt.is_spike for fmt in formats], not node.only_adds

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernels.start(y, bias)
        for u, only_spikes in zip(operands, spikes, strict=True):
            if only_spikes:
                kernels.add_spikes(u, y, columns, fan_out, tally)
            else:
                kernels.add_graded(u, y, rows, fan_out, multiplies, tally)
        kernels.saturate(y, limit, tally)

    return operation


def _diagonal_ssm(node: DiagonalSSM, formats: list[Fixed]) -> Operation:
    frac, out = formats[0].frac, format_of(node).frac
    a, b, c = quantized(node.a_re), quantized(node.b_re), quantized(node.c_re)
    d, drive = quantized(node.d), quantized(node.drive_re)
    state_frac = drive.frac_by_channel()
    b_shift = b.frac_by_channel() + frac - state_frac
    c_shift = c.frac_by_channel() + state_frac - 1 - out
    b_re, b_im = _scaled(node.b_re, b_shift), _scaled(node.b_im, b_shift)
    rows = np.stack(
        [
            _scaled(node.a_re, a.frac_by_channel()), _scaled(node.a_im, a.frac_by_channel()),
            b_re, _scaled(node.drive_re, 0), _scaled(node.drive_im, 0),
            _scaled(node.c_re, c_shift), _scaled(node.c_im, c_shift), b_im,
        ],
        axis=1,
    )  # fmt: skip
    parameters = aligned((rows.size,), np.float64)
    parameters[...] = rows.ravel()
    feed = _scaled(node.d, d.frac_by_channel() + frac - out)
    bias = _scaled(node.bias, 0)
    kernel = ssm_kernels.diagonal_ssm(node.modes, not np.any(b_im), bool(np.all(b_re % 1 == 0)))
    state_limit, out_limit = float(symmetric_limit(drive.bits)), float(_limit(node))

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
    theta, kappa = _scaled(node.theta, 0), _scaled(node.kappa, 0)
    leak = int(quantized(node.tau).frac)
    tau, rho = _scaled(node.tau, leak), _scaled(node.rho, leak)
    finer = quantized(node.theta).frac_by_channel() - frac
    scale = np.ldexp(1.0, finer)
    limit = float(symmetric_limit(quantized(node.theta).bits))
    kernel = kernels.lif(node.reset, node.has_trace, bool(np.any(finer)))

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        u = state["u"].astype(np.float64)
        r = state["r"].astype(np.float64) if node.has_trace else np.zeros_like(u)
        kernel(operands[0], y, u, r, theta, tau, rho, kappa, scale, limit, tally)
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
    scales = [2.0 ** (format_of(node).frac - fmt.frac) for fmt in formats]
    limit = float(_limit(node))

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
    right, limit = formats[0].frac + formats[1].frac - format_of(node).frac, _limit(node)

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernels.product(operands[0], operands[1], y, right, limit, tally)

    return operation


def _piecewise_linear(node: PiecewiseLinear, formats: list[Fixed]) -> Operation:
    limit = float(_limit(node))
    knots, offsets = _scaled(node.knots, 0), _scaled(node.offsets, 0)
    right = quantized(node.slopes).frac_by_channel() + formats[0].frac - format_of(node).frac
    slopes = _scaled(node.slopes, right)
    kernel = kernels.piecewise_linear(len(slopes))

    def operation(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        kernel(operands[0], y, knots, slopes, offsets, limit, tally)

    return operation


def _accumulate(node: Accumulate, formats: list[Fixed]) -> Operation:
    right, term, limit = (
        formats[0].frac - format_of(node).frac, symmetric_limit(node.term_bits), _limit(node),
    )  # fmt: skip

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


def _limit(node: Node) -> int:
    return symmetric_limit(format_of(node).bits)


def _scaled(parameter: object, right: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Return mantissas times 2**-right, exact, in the shape of the parameter."""
    values = quantized(parameter).values.astype(np.float64)
    return np.asarray(np.ldexp(values, -np.asarray(right)).reshape(values.shape))
