"""Small graphs for the tests of the file: one of every node, float and integer."""

from __future__ import annotations

import typing
from dataclasses import fields

import numpy as np

from neurossm.engine import run
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import (
    NODE_TYPES,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Meets,
    Node,
    Output,
    Threshold,
)
from neurossm.store import Golden

SIZES = {"C": 3, "N": 2, "O": 4, "I": 3, "K": 3, "J": 2, "V": 5}
PLAIN = {
    "method": "bilinear", "function": "relu", "channels": 3, "max_error": 0.125, "steps": 7,
    "term_bits": 20, "reset": "soft",
}  # fmt: skip


SPIKING = ("Threshold", "TernaryThreshold", "LIF")
POSITIVE = ("LIF", "TernaryThreshold")
LEAKS = ("tau", "rho")


def example(name: str, integer: bool) -> Node:
    """Return a node of this type with arbitrary parameters, each field unlike its default."""
    cls, rng = NODE_TYPES[name], np.random.default_rng(len(name))
    hints = typing.get_type_hints(cls)
    values: dict[str, object] = {}
    for item in fields(cls):
        if item.name == "out":
            if name == "Input" or (integer and name not in SPIKING):
                values["out"] = Fixed(20, 5)
        elif item.name in cls.shapes:
            shape = tuple(SIZES[letter] for letter in cls.shapes[item.name])
            values[item.name] = _parameter(rng, shape, integer, item.name, name in POSITIVE)
        elif item.name == "step_size":
            values[item.name] = rng.random(SIZES["C"])
        elif name == "Delay" and item.name == "steps":
            values["steps"] = rng.integers(1, 9, SIZES["C"])
        elif hints[item.name] in (int, float, str):
            values[item.name] = PLAIN[item.name]
        else:
            raise NotImplementedError(f"say here what {name}.{item.name} may be")
    if not integer:
        values.pop("term_bits", None)
    return cls(**values)


def _parameter(
    rng: np.random.Generator, shape: tuple[int, ...], integer: bool, name: str, positive: bool
) -> np.ndarray | Quantized:
    if name in LEAKS:
        return Quantized(rng.integers(0, 4096, shape), 12, 13) if integer else rng.random(shape)
    if positive:
        return Quantized(rng.integers(1, 99, shape), 6, 8) if integer else 1 - rng.random(shape)
    if not integer:
        return np.sort(rng.standard_normal(shape), axis=0)  # knots must rise
    values = np.sort(rng.integers(-100, 100, shape), axis=0)
    by_channel = name in ("b_re", "c_im", "d")
    bits = 24 if name.startswith("drive") else 8
    return Quantized(values, np.arange(shape[0]) - 1 if by_channel else 6, bits)


def around(node: Node) -> Graph:
    """Return a graph in which a node stands between Inputs and an Output."""
    if isinstance(node, Input | Output):
        return Graph(
            {"in": Input(channels=3, out=Fixed(20, 5)), "out": Output(channels=3)}
            | ({"in": node} if isinstance(node, Input) else {"out": node}),
            (("in", "out"),),
        )
    feeds = ["b", "a"] if node.meets is Meets.OPERANDS else ["a"]  # not in alphabetical order
    fmt = Fixed(20, 0) if isinstance(node, Embedding) else Fixed(20, 5)
    nodes: dict[str, Node] = {name: Input(channels=node.in_channels, out=fmt) for name in feeds}
    nodes |= {"layer.0": node, "out": Output(channels=node.out_channels)}
    edges = (*((name, "layer.0") for name in feeds), ("layer.0", "out"))
    return Graph(nodes, edges, 2e-3, {"recipe": "test", "steps": 7, "rate": 0.1})


def integer_graph() -> Graph:
    """Return a graph of 3 channels that an integer engine runs: synapses, an SSM, a threshold."""
    rng = np.random.default_rng(5)

    def q(
        shape: tuple[int, ...], limit: int, frac: int, bits: int, rows: bool = False
    ) -> Quantized:
        fracs = np.full(shape[0], frac) + np.arange(shape[0]) % 2 if rows else frac
        return Quantized(rng.integers(-limit, limit, shape), fracs, bits)

    c, n = 3, 2
    ssm = DiagonalSSM(
        a_re=q((c, n), 20000, 15, 16), a_im=q((c, n), 20000, 15, 16),
        b_re=q((c, n), 127, 6, 8), b_im=q((c, n), 127, 6, 8),
        c_re=q((c, n), 127, 6, 8, rows=True), c_im=q((c, n), 127, 6, 8, rows=True),
        d=q((c,), 127, 6, 8, rows=True),
        drive_re=q((c, n), 1000, 12, 24), drive_im=q((c, n), 1000, 12, 24),
        bias=q((c,), 1000, 13, 24), step_size=np.array([0.01, 0.02, 0.05]), method="zoh",
        out=Fixed(24, 13),
    )  # fmt: skip
    nodes: dict[str, Node] = {
        "pixel": Input(channels=2, out=Fixed(8, 7)),
        "mix": Affine(weight=q((c, 2), 127, 6, 8), bias=q((c,), 9000, 13, 24), out=Fixed(24, 13)),
        "ssm": ssm,
        "fire": Threshold(theta=q((c,), 5000, 13, 24)),
        "out": Output(channels=c, out=Fixed.binary()),
    }
    edges = (("pixel", "mix"), ("mix", "ssm"), ("ssm", "fire"), ("fire", "out"))
    return Graph(nodes, edges, 1e-3, {"recipe": "test"})


def golden_of(graph: Graph, steps: int = 6, count: int = 2) -> tuple[Golden, ...]:
    """Return golden vectors of `integer_graph`, by the reference engine."""
    rng = np.random.default_rng(9)
    inputs = {"pixel": rng.integers(-127, 128, (count, steps, 2))}
    trace = run(graph, inputs, engine="reference")
    return tuple(Golden.from_trace(inputs, trace, sample) for sample in range(count))
