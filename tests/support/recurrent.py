"""Small networks with recurrent synapses, and what they do by a plain loop."""

from __future__ import annotations

import numpy as np

from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Delay, Input, Output

IN, C = 3, 5


def recurrent_lif(
    rng: np.random.Generator, delay: int | list[int] = 1, reset: str = "soft"
) -> Graph:
    """Return integers: spikes in, `C` neurons that feed each other through `delay` steps."""

    def ints(values: object, frac: int, bits: int) -> Quantized:
        return Quantized(np.asarray(values, np.int64), frac, bits)

    weight, back = rng.integers(-40, 80, (C, IN)), rng.integers(-50, 50, (C, C))
    nodes = {
        "x": Input(channels=IN, out=Fixed.binary()),
        "into": Affine(weight=ints(weight, 6, 8), bias=ints(np.zeros(C), 6, 24), out=Fixed(24, 6)),
        "lif": LIF(
            theta=ints(np.full(C, 64), 6, 24), tau=ints(np.full(C, 3700), 12, 13),
            rho=ints(np.zeros(C), 12, 13), kappa=ints(np.zeros(C), 6, 24), reset=reset,
        ),
        "later": Delay(channels=C, steps=np.asarray(delay), out=Fixed.binary()),
        "back": Affine(weight=ints(back, 6, 8), bias=ints(np.zeros(C), 6, 24), out=Fixed(24, 6)),
        "y": Output(channels=C, out=Fixed.binary()),
    }  # fmt: skip
    edges = (("x", "into"), ("into", "lif"), ("lif", "later"), ("later", "back"), ("back", "lif"),
             ("lif", "y"))  # fmt: skip
    return Graph(nodes, edges)


def by_hand(graph: Graph, x: np.ndarray) -> np.ndarray:
    """Return the spikes ``(B, T, C)`` of `recurrent_lif` by a loop over its equations."""
    into, back = graph.nodes["into"].weight.values, graph.nodes["back"].weight.values
    lif, delay = graph.nodes["lif"], graph.nodes["later"].steps
    samples, steps, _ = x.shape
    u, spikes = np.zeros((samples, C), np.int64), np.zeros((samples, steps, C), np.int64)
    for t in range(steps):
        past = np.zeros((samples, C), np.int64)
        for c in range(C):
            if t >= delay[c]:
                past[:, c] = spikes[:, t - delay[c], c]
        current = x[:, t] @ into.T + past @ back.T
        product = u * 3700
        u = np.sign(product) * (np.abs(product) // 4096) + current
        spikes[:, t] = u >= 64
        u = np.where(spikes[:, t] > 0, {"soft": u - 64, "hard": 0, "none": u}[lif.reset], u)
    return spikes
