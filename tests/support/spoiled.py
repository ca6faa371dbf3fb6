"""Chains of an input, synapses and neurons, and their integers written out by hand."""

from __future__ import annotations

import numpy as np

from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Input, Node, Output

CHAIN = (("in", "linear"), ("linear", "lif"), ("lif", "out"))


def integers(values: list[float], frac: int = 0, bits: int = 24) -> Quantized:
    return Quantized(np.array(values, dtype=np.int64), frac, bits)


def chain(
    source: Fixed, weight: list[float], theta: list[float], tau: list[float], reset: str = "hard"
) -> Graph:
    """Return one input, weights to as many LIF, their spikes."""
    zero = np.zeros(len(weight))
    nodes: dict[str, Node] = {
        "in": Input(channels=1, out=source),
        "linear": Affine(weight=np.array(weight)[:, None], bias=zero),
        "lif": LIF(theta=np.array(theta), tau=np.array(tau), rho=zero, kappa=zero, reset=reset),
        "out": Output(channels=len(weight)),
    }
    return Graph(nodes, CHAIN)


def made(floating: Graph, weight: list[int], frac: int, theta: list[int], tau: list[int]) -> Graph:
    """Return the integer graph with these mantissas; the membrane has the unit of the sums."""
    source, zero = floating.nodes["in"].out, [0] * len(weight)
    out = frac + source.frac
    lif = floating.nodes["lif"]
    return floating.with_nodes({
        "linear": Affine(weight=Quantized(np.array(weight)[:, None], frac, 8),
                         bias=integers(zero, out), out=Fixed(24, out)),
        "lif": LIF(theta=integers(theta, out), tau=integers(tau, 12, 14),
                   rho=integers(zero, 12, 13), kappa=integers(zero, out), reset=lif.reset),
        "out": Output(channels=len(weight), out=Fixed.binary()),
    })  # fmt: skip
