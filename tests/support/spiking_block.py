"""Integer graphs for the tests of metrics, energy and report: one tiny, one like a model."""

from itertools import pairwise

import numpy as np

from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import (
    Accumulate,
    Affine,
    DiagonalSSM,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    Threshold,
)


def integers(values: object, frac: object = 0, bits: int = 8) -> Quantized:
    return Quantized(np.asarray(values, dtype=np.int64), frac, bits)


def tiny_graph() -> Graph:
    """Binary input of 2, synapses with one zero weight, threshold, synapses to one sum."""
    nodes: dict[str, Node] = {
        "input": Input(channels=2, out=Fixed.binary()),
        "mix": Affine(
            weight=integers([[1, 2], [0, 3]]), bias=integers([0, 0], 0, 24), out=Fixed(24)
        ),
        "spike": Threshold(theta=integers([2, 3], 0, 24)),
        "read": Affine(weight=integers([[5, -4]]), bias=integers([0], 0, 24), out=Fixed(24)),
        "sum": Accumulate(channels=1, steps=4, term_bits=20, out=Fixed(24)),
        "output": Output(channels=1, out=Fixed(24)),
    }
    names = list(nodes)
    return Graph(nodes, tuple(pairwise(names)), dt=1e-3)


# both inputs, then the first only: mix = [3, 3], [1, 0] and spikes = [1, 1], [0, 0]
TINY_INPUT = np.array([[[1, 1], [1, 0]]], dtype=np.int64)


def model_graph(
    blocks: int = 2, channels: int = 64, modes: int = 16, classes: int = 10, seed: int = 0
) -> Graph:
    """Random parameters in the shape of a gated spiking SSM network."""
    rng = np.random.default_rng(seed)
    wide = Fixed(24, 12)
    nodes: dict[str, Node] = {"input": Input(channels=1, out=Fixed(9, 8))}
    edges = []
    nodes["encode"] = _affine(rng, 1, channels, 4, wide)
    edges.append(("input", "encode"))
    stream = "encode"
    for index in range(blocks):
        at = f"block{index}"
        nodes[f"{at}.ssm"] = _ssm(rng, channels, modes, wide)
        nodes[f"{at}.spike"] = Threshold(theta=integers(np.full(channels, 1200), 12, 24))
        nodes[f"{at}.value"] = _affine(rng, channels, channels, 12, wide)
        nodes[f"{at}.gate"] = _affine(rng, channels, channels, 12, wide)
        nodes[f"{at}.sigmoid"] = PiecewiseLinear(
            function="sigmoid",
            max_error=0.02,
            channels=channels,
            knots=integers([-8192, 8192], 12, 24),
            slopes=integers([0, 64, 0], 8, 16),
            offsets=integers([0, 2048, 4096], 12, 24),
            out=wide,
        )
        nodes[f"{at}.product"] = Product(channels=channels, out=wide)
        nodes[f"{at}.residual"] = Sum(channels=channels, out=Fixed(16, 7))
        edges += [
            (stream, f"{at}.ssm"),
            (f"{at}.ssm", f"{at}.spike"),
            (f"{at}.spike", f"{at}.value"),
            (f"{at}.spike", f"{at}.gate"),
            (f"{at}.gate", f"{at}.sigmoid"),
            (f"{at}.value", f"{at}.product"),
            (f"{at}.sigmoid", f"{at}.product"),
            (f"{at}.product", f"{at}.residual"),
            (stream, f"{at}.residual"),
        ]
        stream = f"{at}.residual"
    nodes["decode"] = _affine(rng, channels, classes, 7, Fixed(24, 14))
    nodes["mean"] = Accumulate(channels=classes, steps=1024, term_bits=14, out=Fixed(24, 12))
    nodes["output"] = Output(channels=classes, out=Fixed(24, 12))
    edges += [(stream, "decode"), ("decode", "mean"), ("mean", "output")]
    return Graph(nodes, tuple(edges), dt=1e-3, meta={"recipe": "demo"})


def model_input(steps: int = 40, samples: int = 1, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wave = 120 * np.sin(np.arange(steps) / 7)[None, :, None] + rng.normal(
        0, 60, (samples, steps, 1)
    )
    return np.clip(np.rint(wave), -255, 255).astype(np.int64)


def _affine(rng: np.random.Generator, ins: int, outs: int, frac: int, out: Fixed) -> Affine:
    return Affine(
        weight=integers(np.clip(rng.normal(0, 25, (outs, ins)), -127, 127).astype(int), frac),
        bias=integers(rng.integers(-50, 50, outs), out.frac, 24),
        out=out,
    )


def _ssm(rng: np.random.Generator, channels: int, modes: int, out: Fixed) -> DiagonalSSM:
    shape = (channels, modes)
    angle = np.broadcast_to(np.pi * np.arange(modes) / 40, shape)
    radius = np.exp(-rng.uniform(0.01, 0.2, shape))
    pole = radius * np.exp(1j * angle)
    drive = integers(np.zeros(shape, int), np.full(channels, 14), 24)
    gains = [integers(rng.integers(-100, 100, shape), np.full(channels, 9), 8) for _ in range(4)]
    return DiagonalSSM(
        a_re=integers((pole.real * 32000).astype(int), 15, 16),
        a_im=integers((pole.imag * 32000).astype(int), 15, 16),
        b_re=gains[0], b_im=gains[1], c_re=gains[2], c_im=gains[3],
        d=integers(rng.integers(-50, 50, channels), np.full(channels, 7), 8),
        drive_re=drive, drive_im=drive,
        bias=integers(np.zeros(channels, int), 12, 24),
        step_size=np.full(channels, 0.01), method="zoh", out=out,
    )  # fmt: skip
