"""The float meaning of a graph, for calibration and comparison. Not bit-exact and not deployed.

Integer parameters are read as the real numbers they stand for, so an integer graph runs too: as if
nothing were ever rounded at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import kernels, ssm_kernels
from neurossm.engine.cores import usable_cores
from neurossm.engine.stopping import stopping
from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.lengths import Lengths, parts
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
from neurossm.trace import Trace

Reals = NDArray[np.float64]
Peaks = dict[str, Reals]
SAMPLES_A_BLOCK = 4


def run(
    graph: Graph,
    inputs: dict[str, NDArray[np.int64]],
    record: tuple[str, ...],
    progress: Callable[[int], None] | None = None,
    lengths: Lengths | None = None,
) -> Trace:
    """Run a graph on real numbers; the trace holds the largest magnitudes in ``peaks``.

    With lengths ``(B,)`` each sequence is run to its own end, so no peak is one of padding.
    """
    samples, steps = next(iter(inputs.values())).shape[:2]
    values = {name: np.zeros((samples, steps, graph.nodes[name].out_channels)) for name in record}

    stop = Event()

    def work(block: tuple[slice | NDArray[np.int64], int, int]) -> Peaks:
        if stop.is_set():
            return {}
        part, size, length = block
        peaks: Peaks = {}
        sent: dict[str, Reals] = {}
        for name in graph.order:
            node = graph.nodes[name]
            if isinstance(node, Input):
                assert node.out is not None
                sent[name] = np.ldexp(inputs[name][part, :length].astype(float), -node.out.frac)
            elif isinstance(node, DiagonalSSM):
                sent[name], peaks[f"{name}.state"] = _ssm(node, _added(graph, name, sent))
            elif isinstance(node, LIF):
                arriving = _added(graph, name, sent)
                sent[name], peaks[f"{name}.state"] = _lif(node, arriving)
                peaks[f"{name}.input"] = np.abs(arriving).max(axis=(0, 1))
            else:
                sent[name] = _evaluate(node, [sent[source] for source in graph.sources[name]])
            peaks[name] = np.abs(sent[name]).max(axis=(0, 1))
            if name in values:
                values[name][part, :length] = sent[name]
        if progress:
            progress(size)
        return peaks

    totals: Peaks = {}
    with ThreadPoolExecutor(usable_cores()) as pool, stopping(stop):
        for peaks in pool.map(work, parts(lengths, samples, steps, SAMPLES_A_BLOCK)):
            totals = {name: np.maximum(totals.get(name, 0.0), peak) for name, peak in peaks.items()}
    return Trace("float", values, samples, steps, peaks=totals, lengths=lengths)


def evaluate(node: Node, operands: list[Reals]) -> Reals:
    """Return what a node sends, ``(S, T, C)``, for what arrives on each of its edges."""
    arriving = np.asarray(sum(operands[1:], start=operands[0]))
    if isinstance(node, DiagonalSSM):
        return _ssm(node, arriving)[0]
    if isinstance(node, LIF):
        return _lif(node, arriving)[0]
    return _evaluate(node, operands)


def _added(graph: Graph, name: str, sent: dict[str, Reals]) -> Reals:
    operands = [sent[source] for source in graph.sources[name]]
    return np.asarray(sum(operands[1:], start=operands[0]))


def _evaluate(node: Node, operands: list[Reals]) -> Reals:
    if isinstance(node, Product):
        return operands[0] * operands[1]
    u = np.asarray(sum(operands[1:], start=operands[0]))
    match node:
        case Output() | Sum():
            return u
        case Affine():
            # one matrix, not a stack of small ones: a single call of the BLAS
            flat = u.reshape(-1, u.shape[-1]) @ _real(node.weight).T + _real(node.bias)
            return flat.reshape(*u.shape[:-1], -1)
        case BatchNorm():
            return u * _real(node.gain) + _real(node.offset)
        case Threshold():
            return (u >= _real(node.theta)).astype(np.float64)
        case TernaryThreshold():
            return np.asarray(np.sign(u) * (np.abs(u) >= _real(node.delta)))
        case Embedding():  # tokens are whole: an Input of them has no fraction bits
            return _real(node.table)[u[:, :, 0].astype(np.int64)]
        case PiecewiseLinear():
            segment = np.searchsorted(_real(node.knots), u, side="right")
            return np.asarray(_real(node.slopes)[segment] * u + _real(node.offsets)[segment])
        case Accumulate():
            return np.asarray(np.cumsum(u, axis=1))
    raise AssertionError(f"no float meaning for {type(node).__name__}")


def _ssm(node: DiagonalSSM, u: Reals) -> tuple[Reals, Reals]:
    """Return the output ``(S, T, C)`` and the largest moduli of the states ``(C, N)``."""
    rows = (node.a_re, node.a_im, node.b_re, node.drive_re, node.drive_im, node.c_re, node.c_im,
            node.b_im)  # fmt: skip
    parameters = np.stack([_real(row) for row in rows], axis=1).ravel()
    states = np.zeros((len(u), node.in_channels, 3, node.modes))
    y, u = np.empty_like(u), np.ascontiguousarray(u)
    kernel = ssm_kernels.float_ssm(node.modes)
    kernel(u, y, states.reshape(-1), parameters, _real(node.d), _real(node.bias))
    return y, np.sqrt(states[:, :, 2].max(axis=0))


def _lif(node: LIF, u: Reals) -> tuple[Reals, Reals]:
    """Return the spikes ``(S, T, C)`` and the largest membranes before their reset ``(C,)``."""
    y, u = np.empty_like(u), np.ascontiguousarray(u)
    membrane, trace = np.zeros((2, len(u), node.in_channels))
    parameters = (_real(p) for p in (node.theta, node.tau, node.rho, node.kappa))
    peaks = np.zeros(node.in_channels)
    kernels.float_lif(node.reset)(u, y, membrane, trace, *parameters, peaks)
    return y, peaks


def _real(parameter: object) -> Reals:
    if isinstance(parameter, Quantized):
        return parameter.dequantize()
    return np.asarray(parameter, dtype=np.float64)
