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
from neurossm.graph import Graph
from neurossm.lengths import Lengths, parts
from neurossm.nodes import LIF, DiagonalSSM, Evaluated, Node, Reals, Role
from neurossm.nodes.node import reals
from neurossm.nodes.step import added
from neurossm.trace import Trace

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
            if node.role is Role.INPUT:
                assert node.out is not None
                sent[name] = np.ldexp(inputs[name][part, :length].astype(float), -node.out.frac)
            else:
                operands = [sent[source] for source in graph.sources[name]]
                sent[name], inner = evaluate(node, operands)
                peaks |= {f"{name}.{part_of}": peak for part_of, peak in inner.items()}
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


def evaluate(node: Node, operands: list[Reals]) -> Evaluated:
    """Return what a node sends, ``(S, T, C)``, for what arrives on each of its edges."""
    faster = FASTER.get(type(node))
    return node.evaluate(operands) if faster is None else faster(node, operands)


def _ssm(node: DiagonalSSM, operands: list[Reals]) -> Evaluated:
    rows = (node.a_re, node.a_im, node.b_re, node.drive_re, node.drive_im, node.c_re, node.c_im,
            node.b_im)  # fmt: skip
    parameters = np.stack([reals(row) for row in rows], axis=1).ravel()
    u = np.ascontiguousarray(added(operands))
    states, y = np.zeros((len(u), node.in_channels, 3, node.modes)), np.empty_like(u)
    kernel = ssm_kernels.float_ssm(node.modes)
    kernel(u, y, states.reshape(-1), parameters, reals(node.d), reals(node.bias))
    return Evaluated(y, {"state": np.sqrt(states[:, :, 2].max(axis=0))})


def _lif(node: LIF, operands: list[Reals]) -> Evaluated:
    u = np.ascontiguousarray(added(operands))
    y, (membrane, trace) = np.empty_like(u), np.zeros((2, len(u), node.in_channels))
    parameters = (reals(p) for p in (node.theta, node.tau, node.rho, node.kappa))
    peaks = np.zeros(node.in_channels)
    kernels.float_lif(node.reset)(u, y, membrane, trace, *parameters, peaks)
    return Evaluated(y, {"state": peaks, "input": np.abs(u).max(axis=(0, 1))})


FASTER: dict[type[Node], Callable[..., Evaluated]] = {DiagonalSSM: _ssm, LIF: _lif}
