"""Speed of sparse synapses against dense ones, in the fast engine and in single steps.

``python benchmarks/sparse.py [--json]``; README.md beside it says how to read the numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product

import numpy as np

from neurossm.engine import run
from neurossm.engine.stepper import Stepper
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output
from neurossm_workflows.timing import load_average, machine

CHANNELS, ZEROS = (64, 128, 256, 512, 1024), (0.8, 0.9, 0.95)
GRADED = Fixed(12, 0)
ARRIVING = {"spikes, 10%": (Fixed.binary(), 0.1), "spikes, 30%": (Fixed.binary(), 0.3),
            "graded, 50%": (GRADED, 0.5), "graded, all": (GRADED, 1.0)}  # fmt: skip


@dataclass(frozen=True)
class Ratio:
    """How many times as fast sparse synapses are, over whole sequences and in single steps."""

    channels: int
    zeros: float
    arriving: str
    sequences: float
    steps: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    found = [measured(*one, options.repeats) for one in product(CHANNELS, ZEROS, ARRIVING)]
    if options.json:
        print(json.dumps({"machine": machine(("numpy", "numba")), "load": load_average(),
                          "ratios": [asdict(one) for one in found]}))  # fmt: skip
        return 0
    print("load average now:", load_average())
    print(f"{'channels':>8} {'zeros':>6}  {'arriving':<12} {'sequences':>9} {'steps':>7}")
    for one in found:
        print(f"{one.channels:8} {one.zeros:6.0%}  {one.arriving:<12} {one.sequences:9.2f}"
              f" {one.steps:7.2f}")  # fmt: skip
    return 0


def measured(channels: int, zeros: float, arriving: str, repeats: int) -> Ratio:
    """Return the ratios of one shape; both graphs have the same weights and inputs.

    Four sequences, long enough that preparing the weights takes a small part of the time.
    """
    rng, (fmt, rate) = np.random.default_rng(0), ARRIVING[arriving]
    steps = min(4096, max(512, 2**25 // channels**2))
    dense = graph_of(rng, channels, zeros, fmt)
    sparse = dense.with_nodes({"w": replace(dense.nodes["w"], sparse=True)})
    arrives = rng.random((4, steps, channels)) < rate
    inputs = arrives * (1 if fmt.is_spike else rng.integers(1, fmt.high, arrives.shape))
    whole, single = [], []
    for graph in (dense, sparse):
        stepper, rows = Stepper(graph), inputs[0, :256]
        whole.append(lambda graph=graph: run(graph, inputs, record="outputs"))
        single.append(lambda stepper=stepper, rows=rows: [stepper.step(row) for row in rows])
    left, right = (run(graph, inputs) for graph in (dense, sparse))
    if not np.array_equal(left.values["y"], right.values["y"]):
        sys.exit("sparse and dense synapses differ")
    return Ratio(channels, zeros, arriving, ratio(whole, repeats), ratio(single, repeats))


def ratio(calls: list[Callable[[], object]], repeats: int) -> float:
    """Return the time of the first over that of the second, the best of some turns."""
    best = [float("inf")] * len(calls)
    for turn in range(repeats + 1):
        for place, call in enumerate(calls):
            begin = time.perf_counter()
            call()
            took = time.perf_counter() - begin
            best[place] = min(best[place], took) if turn else best[place]  # the first compiles
    return best[0] / best[1]


def graph_of(rng: np.random.Generator, channels: int, zeros: float, fmt: Fixed) -> Graph:
    """Return synapses between an input and an output."""
    kept = rng.random((channels, channels)) >= zeros
    weight = kept * rng.integers(1, 128, kept.shape)
    node = Affine(
        weight=Quantized(weight, 0, 8), bias=Quantized(np.zeros(channels, int), 0, 24),
        out=Fixed(24, 0),
    )  # fmt: skip
    nodes = {"x": Input(channels=channels, out=fmt), "w": node,
             "y": Output(channels=channels, out=Fixed(24, 0))}  # fmt: skip
    return Graph(nodes, (("x", "w"), ("w", "y")))


if __name__ == "__main__":
    sys.exit(main())
