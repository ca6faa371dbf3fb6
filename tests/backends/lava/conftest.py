"""A small graph: every node type, extreme integers, converging paths of unlike length."""

from collections.abc import Callable

import numpy as np
import pytest

from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)

C, N, T = 5, 3, 20
WIDE = Fixed(24, 6)


def ints(values, frac, bits):
    return Quantized(np.asarray(values, dtype=np.int64), frac, bits)


def affine(rng, outs, ins, frac, out):
    weight = rng.choice([-127, -126, -1, 0, 1, 2, 127, 60, -60], (outs, ins))
    bias = rng.integers(-9, 10, outs)
    return Affine(weight=ints(weight, frac, 8), bias=ints(bias, out.frac, 24), out=out)


def ssm(rng):
    # inside the unit circle by hand: 23170**2 * 2 < 2**30, 32767**2 < 2**30
    poles = np.array([[32767, 0], [0, -32767], [-23170, 23170], [-32767, 1], [12345, -20000]])
    a = poles[rng.integers(0, len(poles), (C, N))]

    def gain():
        return ints(rng.integers(-127, 128, (C, N)), np.arange(C) + 3, 8)

    b_re, b_im, c_re, c_im = gain(), gain(), gain(), gain()
    return DiagonalSSM(
        a_re=ints(a[..., 0], 15, 16), a_im=ints(a[..., 1], 15, 16),
        b_re=b_re, b_im=b_im, c_re=c_re, c_im=c_im,
        d=ints(rng.integers(-127, 128, C), 7, 8),
        drive_re=ints(rng.integers(-99, 100, (C, N)), np.arange(C) + 5, 24),
        drive_im=ints(rng.integers(-99, 100, (C, N)), np.arange(C) + 5, 24),
        bias=ints(rng.integers(-99, 100, C), WIDE.frac, 24),
        step_size=np.full(C, 0.01), method="zoh", out=WIDE,
    )  # fmt: skip


def spiking(seed):
    """Nodes that spike or look up, behind those of `every_node`, with numbers of their own."""
    rng = np.random.default_rng(100 + seed)

    def lif(reset, bits, kappa):
        return LIF(
            theta=ints(rng.integers(1, 999, C), WIDE.frac, bits),
            tau=ints([0, 1, 2048, 4095, 3000], 12, 13), rho=ints([4095, 0, 3000, 77, 4000], 12, 13),
            kappa=ints(kappa * rng.integers(0, 500, C), WIDE.frac, bits), reset=reset,
        )  # fmt: skip

    nodes = {
        "token": Input(channels=1, out=Fixed(5)),
        "embed": Embedding(table=ints(rng.integers(-127, 128, (7, C)), WIDE.frac, 8), out=WIDE),
        "signed": TernaryThreshold(delta=ints(rng.integers(1, 999, C), WIDE.frac, 24)),
        "hard": lif("hard", 24, 0),
        "soft": lif("soft", 16, 1),
        "none": lif("none", 12, 1),
        "sparse": Affine(
            weight=ints(rng.integers(-1, 2, (C, C)), 0, 8),
            bias=ints(rng.integers(-9, 10, C), WIDE.frac, 24),
            out=WIDE,
        ),
        "back": affine(rng, C, C, 3, Fixed(16, 3)),
    }
    edges = [
        ("token", "embed"), ("near", "signed"), ("embed", "signed"), ("ssm", "hard"),
        ("embed", "soft"), ("ssm", "soft"), ("near2", "none"), ("sparse", "none"),
        ("near", "sparse"), ("signed", "back"), ("hard", "back2"),
    ]  # fmt: skip
    nodes["back2"] = affine(rng, C, C, 3, Fixed(16, 3))
    return nodes, edges


def every_node(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    narrow = Fixed(16, 8)
    nodes = {
        "x": Input(channels=2, out=Fixed(14, 3)),
        "s": Input(channels=2, out=Fixed.ternary()),
        "up": affine(rng, C, 2, 5, Fixed(17, 8)),
        "ternary": affine(rng, C, 2, 7, Fixed(7, 7)),
        "near": Sum(channels=C, out=WIDE),
        # left shifts of up to 9 bits: saturates
        "far": Sum(channels=C, out=Fixed(24, 17)),
        "near2": Sum(channels=C, out=WIDE),
        "ssm": ssm(rng),
        "spike": Threshold(theta=ints(rng.integers(-999, 999, C), WIDE.frac, 24)),
        "spike2": Threshold(theta=ints(rng.integers(-999, 999, C), WIDE.frac, 24)),
        "value": affine(rng, C, C, 8, Fixed(9, 8)),
        "gate": affine(rng, C, C, 4, Fixed(16, 12)),
        "deep": affine(rng, C, C, 0, Fixed(16, 12)),
        "line": PiecewiseLinear(
            function="gelu", max_error=0.5, channels=C,
            knots=ints([-20000, 0, 7, 30000], 12, 24),
            slopes=ints([0, -127, 64, 127, 255], 6, 9),
            offsets=ints([-5, 3, 0, 30000, 1], 8, 24), out=narrow,
        ),
        "product": Product(channels=C, out=Fixed(12, 10)),
        "residual": Sum(channels=C, out=WIDE),
        "accumulate": Accumulate(channels=C, steps=T, term_bits=9, out=Fixed(21, 2)),
        "unread": Threshold(theta=ints(np.full(C, -3), 12, 24)),
        "out": Output(channels=C, out=Fixed(21, 2)),
        "spikes": Output(channels=C, out=Fixed.binary()),
    }  # fmt: skip
    edges = [
        ("x", "up"), ("s", "ternary"), ("up", "near"), ("ternary", "near"),
        ("up", "far"), ("ternary", "far"), ("far", "near2"), ("near", "ssm"), ("near2", "ssm"),
        ("ssm", "spike"), ("ssm", "spike2"), ("near", "spike2"),
        ("spike", "value"), ("spike2", "value"), ("value", "gate"), ("gate", "deep"),
        ("gate", "line"), ("deep", "line"), ("value", "product"), ("line", "product"),
        ("near", "residual"), ("product", "residual"), ("far", "residual"),
        ("residual", "accumulate"), ("near", "accumulate"), ("gate", "unread"),
        ("accumulate", "out"), ("spike", "spikes"),
    ]  # fmt: skip
    more_nodes, more_edges = spiking(seed)
    return Graph(nodes | more_nodes, (*edges, *more_edges))


def extreme_inputs(samples: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    top = 2**13 - 1
    graded = rng.choice([-top, -top + 1, -1, 0, 1, 2, 77, top], (samples, T, 2))
    signs = rng.integers(-1, 2, (samples, T, 2))
    return {"x": graded, "s": signs, "token": rng.integers(0, 7, (samples, T, 1))}


@pytest.fixture
def graph_of() -> Callable[[int], Graph]:
    return every_node


@pytest.fixture
def inputs_of() -> Callable[[int, int], dict[str, np.ndarray]]:
    return extreme_inputs


@pytest.fixture
def spiking_graph() -> Graph:
    """Input, synapses, threshold, output: three processes of ours behind the source."""
    return Graph(
        {
            "x": Input(channels=2, out=Fixed(8, 0)),
            "mix": Affine(
                weight=ints([[1, -2], [3, 4]], 0, 8), bias=ints([0, 1], 0, 24), out=Fixed(16, 0)
            ),
            "spike": Threshold(theta=ints([1, 1], 0, 24)),
            "out": Output(channels=2, out=Fixed.binary()),
        },
        (("x", "mix"), ("mix", "spike"), ("spike", "out")),
    )
