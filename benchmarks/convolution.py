"""Speed of `Conv2d` in the fast engine against the same synapses otherwise.

``python benchmarks/convolution.py [--json]``; README.md beside it says how to read the numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np

from neurossm.engine import run
from neurossm.engine.edges import Edges
from neurossm.engine.fast import prepare
from neurossm.engine.stepper import Stepper
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import Affine, Conv2d, Input, Output
from neurossm_workflows.timing import load_average, machine

SHAPES = (((2, 34, 34), 16), ((16, 17, 17), 32), ((32, 8, 8), 64))  # inputs, filters; 3 x 3
RATES = (0.01, 0.05, 0.2)
STEPS = 64
ONE = np.ones(2, np.int64)


@dataclass(frozen=True)
class Times:
    """Microseconds of a step, on one thread: sequences, single steps, and three ways beside them.

    `affine` are the same synapses as an `Affine`, `product` its matrix times all steps at once in
    float32, `torch` PyTorch's convolution of all steps at once in float32 on one thread; 0 where
    PyTorch is not installed.
    """

    inputs: tuple[int, int, int]
    filters: int
    rate: float
    sequences: float
    steps: float
    affine: float
    product: float
    torch: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    found = [measured(*shape, rate, options.repeats) for shape, rate in product(SHAPES, RATES)]
    if options.json:
        print(json.dumps({"machine": machine(("numpy", "numba")), "load": load_average(),
                          "times": [asdict(one) for one in found]}))  # fmt: skip
        return 0
    print("microseconds a step; load average now:", load_average())
    names = ("sequences", "steps", "affine", "product", "torch")
    print(f"{'inputs':>10} {'filters':>7} {'rate':>5}", *(f"{name:>9}" for name in names))
    for one in found:
        shape = "x".join(map(str, one.inputs))
        times = (f"{getattr(one, name):9.1f}" for name in names)
        print(f"{shape:>10} {one.filters:7} {one.rate:5.0%}", *times)
    return 0


def measured(inputs: tuple[int, int, int], filters: int, rate: float, repeats: int) -> Times:
    """Return the times of one shape; all give the same sums, which is checked."""
    rng = np.random.default_rng(0)
    weight = rng.integers(-127, 128, (filters, inputs[0], 3, 3))
    conv = Conv2d(
        weight=Quantized(weight, 0, 8), bias=Quantized(np.zeros(filters, np.int64), 0, 24),
        in_shape=np.array(inputs), stride=ONE, padding=ONE, dilation=ONE, out=Fixed(24),
    )  # fmt: skip
    sources, targets, values = conv.windows.synapses(weight)
    matrix = np.zeros((conv.out_channels, conv.in_channels), np.int64)
    matrix[targets, sources] = values
    zeros = Quantized(np.zeros(conv.out_channels, np.int64), 0, 24)
    affine = Affine(weight=Quantized(matrix, 0, 8), bias=zeros, out=Fixed(24))
    spikes = (rng.random((1, STEPS, conv.in_channels)) < rate).astype(np.int64)
    graphs = [graph_of(node) for node in (conv, affine)]
    left, right = (run(graph, spikes, record="outputs").values["y"] for graph in graphs)
    stepper, transposed = Stepper(graphs[0]), np.ascontiguousarray(matrix.T, np.float32)
    real = spikes[0].astype(np.float32)
    if not np.array_equal(left, right) or not np.array_equal(left[0], real @ transposed):
        sys.exit("the ways differ")
    calls: list[Callable[[], object]] = [
        prepared(conv, spikes),
        lambda: [stepper.step(row) for row in spikes[0]],
        prepared(affine, spikes),
        lambda: real @ transposed,
        in_torch(weight, real.reshape(STEPS, *inputs)),
    ]
    return Times(inputs, filters, rate, *(best(call, repeats) for call in calls))


def prepared(node: Affine | Conv2d, spikes: np.ndarray) -> Callable[[], object]:
    """Return what runs a node of the fast engine, its weights laid out before."""
    operation, given = prepare(node, Edges([Fixed.binary()])), spikes.astype(np.int32)
    sums, tally = np.zeros((1, STEPS, node.out_channels), np.int32), np.zeros(3, np.int64)
    return lambda: operation([given], sums, {}, tally)


def in_torch(weight: np.ndarray, images: np.ndarray) -> Callable[[], object]:
    """Return what convolves in PyTorch; something that takes no time where there is none."""
    try:
        import torch
    except ImportError:
        return lambda: None
    torch.set_num_threads(1)
    kernel, x = torch.tensor(weight, dtype=torch.float32), torch.tensor(images)
    return lambda: torch.nn.functional.conv2d(x, kernel, padding=1)


def best(call: Callable[[], object], repeats: int) -> float:
    """Return the shortest time of some calls, in microseconds a step; the first one compiles."""
    found = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return 1e6 * min(found[1:]) / STEPS


def graph_of(node: Affine | Conv2d) -> Graph:
    """Return synapses between an input and an output."""
    nodes = {"x": Input(channels=node.in_channels, out=Fixed.binary()), "w": node,
             "y": Output(channels=node.out_channels, out=node.out)}  # fmt: skip
    return Graph(nodes, (("x", "w"), ("w", "y")))


if __name__ == "__main__":
    sys.exit(main())
