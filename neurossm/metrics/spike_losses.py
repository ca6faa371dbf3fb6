"""Which neurons spike more or less often as integers than as real numbers, and what width would do.

Widths of parameters say little about counts: near the drive that just reaches a threshold, the last
bit of a weight moves a neuron's rate by many times its own size. So counts are compared on data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import run
from neurossm.fixed import WEIGHT_BITS, round_to
from neurossm.graph import Graph
from neurossm.metrics.end_to_end import EndToEnd
from neurossm.nodes import Input, Node, Output, Role, Weighted
from neurossm.quantization import Loss
from neurossm.quantization.rows import spike_frac

Reals = NDArray[np.float64]
SHARE = 0.04  # of a neuron's spikes: 5 % are meant, measured on other data
SPIKES = 3
WIDEST = 16  # bits of weights that are tried


def spike_losses(
    floating: Graph,
    ends: Mapping[str, EndToEnd],
    inputs: NDArray[np.integer] | None = None,
    lengths: NDArray[np.integer] | None = None,
) -> tuple[Loss, ...]:
    """Return the neurons whose spike counts are off by 4 % and more than 3 spikes, a row a node.

    Parameters
    ----------
    floating
        The float graph.
    ends
        What both runs of a `neurossm.metrics.check.check` differ by.
    inputs
        ``(B, T, C)``, what they ran on: then for neurons behind synapses that receive spikes the
        width of weights is looked for with which real numbers keep the counts.
    lengths
        ``(B,)``, steps of each sequence.
    """
    found = []
    for name in floating.order:
        node = floating.nodes[name]
        if name not in ends or node.role is not Role.SPIKING:
            continue
        end = ends[name]
        off = _off(end.found, end.expected)
        if not off.any():
            continue
        bits = None
        if inputs is not None and len(floating.inputs) == 1:
            bits = next(_widths(floating, name, off, inputs, lengths), None)
        worst = int(np.argmax(np.where(off, np.abs(end.found - end.expected), -1)))
        reason = f"{end.expected[worst]:,.0f} became {end.found[worst]:,.0f} in channel {worst}"
        channels = tuple(np.flatnonzero(off).tolist())
        kind, count = type(node).__name__, len(channels)
        found.append(Loss(name, kind, "spikes", channels, count, off.size, reason, bits))
    return tuple(found)


def _off(found: Reals, expected: Reals) -> NDArray[np.bool_]:
    return np.asarray(np.abs(found - expected) > np.maximum(SPIKES, SHARE * expected))


def _widths(
    graph: Graph,
    name: str,
    off: NDArray[np.bool_],
    inputs: NDArray[np.integer],
    lengths: NDArray[np.integer] | None,
) -> Iterator[int]:
    """Yield widths of the weights in front with which the neurons keep their counts."""
    (source, *others) = graph.sources[name]
    affine = graph.nodes[source]
    if others or not isinstance(affine, Weighted) or len(graph.sources[source]) > 1:
        return
    (before,) = graph.sources[source]
    out = graph.nodes[before].out
    if out is None or not out.is_spike:
        return
    spikes = np.asarray(run(graph, inputs, "float", (before,), lengths=lengths).values[before])
    nodes: dict[str, Node] = {
        "in": Input(channels=affine.in_channels, out=out), "fc": affine,
        "neurons": graph.nodes[name],
        "out": Output(channels=graph.nodes[name].out_channels),
    }  # fmt: skip
    alone = Graph(nodes, (("in", "fc"), ("fc", "neurons"), ("neurons", "out")), graph.dt)

    def counts(weight: Reals) -> Reals:
        changed = alone.with_nodes({"fc": replace(affine, weight=weight)})
        made = run(changed, spikes.astype(np.int64), "float", lengths=lengths)
        return np.asarray(np.abs(made.values["out"] * made.inside).sum(axis=(0, 1)))

    real = np.asarray(affine.weight)
    right = counts(real)
    for bits in range(WEIGHT_BITS + 1, WIDEST + 1):
        frac = np.broadcast_to(spike_frac(affine, bits, by_row=True), len(real))
        frac = frac.reshape(-1, *(1,) * (real.ndim - 1))
        if not np.any(_off(counts(np.ldexp(round_to(real, frac, bits), -frac)), right) & off):
            yield bits
