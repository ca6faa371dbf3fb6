"""Small graphs for the tests of the file: one of every node, float and integer."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

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
    Parameter,
    Threshold,
)
from neurossm.store import Golden

CHANNELS = 3  # what the tests of wrong contents put in their place


def example(name: str, integer: bool) -> Node:
    """Return a node of this type with random parameters, of three channels in and out.

    Of complex states that send both of their parts there are three.
    """
    width = 2 * CHANNELS if name == "ComplexDiagonal" else CHANNELS
    nodes = (
        node
        for seed in count()
        for node in NODE_TYPES[name].examples(np.random.default_rng(seed))
        if node.out_channels == width and node.in_channels in (0, 1, width)
    )
    node = next(nodes)
    if not integer:
        return node
    fields = {
        name: _quantized(getattr(node, name), role, by_channel=index % 3 == 0)
        for index, (name, role) in enumerate(node.roles.items())
    }
    terms = {width: 20 for width in ("term_bits", "state_bits") if hasattr(node, width)}
    return replace(node, out=node.out or Fixed(20, 5), **fields, **terms)


def _quantized(values: np.ndarray, role: Parameter, by_channel: bool) -> Quantized:
    """Return arbitrary integers within the range of a role, of the width that it asks for."""
    if role.at_most == 1 or role.below == 1:  # leaks
        return Quantized(np.round(np.ldexp(values, 12)).astype(np.int64), 12, 13)
    bits, shared = (24, 6) if role.bits == "state_bits" else (8, 5)
    frac = np.arange(len(values)) + 3 if by_channel and role.axes[0] == "C" else shared
    shaped = np.asarray(frac).reshape(np.shape(frac) + (1,) * (values.ndim - 1) * np.ndim(frac))
    limit = 2 ** (bits - 1) - 1
    least = -limit if role.above is None and role.at_least is None else 1
    mantissas = np.round(np.ldexp(values, shaped)).astype(np.int64)
    return Quantized(np.clip(mantissas, least, limit), frac, bits)


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
