"""A float graph in the shape of a gated spiking SSM block, and what passes make of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    Accumulate,
    Affine,
    DiagonalSSM,
    Input,
    Node,
    Output,
    Product,
    Sum,
    Threshold,
)
from neurossm.piecewise import piecewise
from neurossm.quantization import Quantize, Ranges, calibrate

C, N, CLASSES, T = 6, 3, 3, 30


def float_ssm(seed: int = 1, offset: float = 0.0, **changes: object) -> DiagonalSSM:
    """Return C x N random states; `offset` drives them as a folded norm of that offset does."""
    rng = np.random.default_rng(seed)
    b, c = rng.normal(size=(2, C, N)) + 1j * rng.normal(size=(2, C, N))
    pole = rng.uniform(0.6, 0.97, (C, N)) * np.exp(1j * rng.uniform(-2, 2, (C, N)))
    drive = offset * b
    fields: dict[str, object] = {
        "a_re": pole.real, "a_im": pole.imag, "b_re": b.real, "b_im": b.imag, "c_re": c.real,
        "c_im": c.imag, "d": rng.normal(size=C), "drive_re": drive.real, "drive_im": drive.imag,
        "bias": rng.normal(size=C), "step_size": np.ones(C), "method": "zoh",
    }  # fmt: skip
    return DiagonalSSM(**(fields | changes))


def gated_block(seed: int = 0) -> Graph:
    """Return input, encoder, one gated block with its residual, decoder and mean over time."""
    rng = np.random.default_rng(seed)

    def affine(outs: int, ins: int) -> Affine:
        return Affine(weight=rng.normal(size=(outs, ins)), bias=rng.normal(size=outs))

    nodes: dict[str, Node] = {
        "in": Input(channels=1, out=Fixed(9, 8)), "encoder": affine(C, 1), "ssm": float_ssm(),
        "spike": Threshold(theta=rng.normal(size=C)), "value": affine(C, C), "gate": affine(C, C),
        "sigmoid": piecewise("sigmoid", C), "product": Product(channels=C), "add": Sum(channels=C),
        "decoder": affine(CLASSES, C), "mean": Accumulate(channels=CLASSES, steps=T),
        "out": Output(channels=CLASSES),
    }  # fmt: skip
    spine = ["in", "encoder", "ssm", "spike", "gate", "sigmoid", "product", "add", "decoder"]
    spine += ["mean", "out"]
    edges = [*pairwise(spine), ("spike", "value"), ("value", "product"), ("encoder", "add")]
    return Graph(nodes, tuple(edges), meta={"steps": T})


def only(node: Node, fmt: Fixed) -> Graph:
    """Return a graph of one node between an Input and an Output."""
    nodes = {"in": Input(channels=node.in_channels, out=fmt), "node": node,
             "out": Output(channels=node.out_channels)}  # fmt: skip
    return Graph(nodes, (("in", "node"), ("node", "out")))


def pixels(channels: int = 1, samples: int = 4, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (samples, T, channels))


def quantized(graph: Graph, inputs: np.ndarray, settings: Quantize) -> tuple[Graph, Ranges]:
    """Calibrate on the inputs and quantize."""
    ranges = calibrate(graph, run(graph, inputs, "float"))
    return settings(graph, ranges), ranges
