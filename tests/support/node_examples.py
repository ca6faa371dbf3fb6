"""Small float graphs around one node, several of each type: what tests/conformance runs.

An `Example` is a graph in which the node under test is called ``node``, with the integers that go
into its inputs. A type that brings instances of its own (``examples(rng)`` of its class) gets a
graph around each of these too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    NODE_TYPES,
    Accumulate,
    AdaptiveLIF,
    AdaptiveThreshold,
    Affine,
    BatchNorm,
    ComplexDiagonal,
    Conv2d,
    Delay,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    ResonateAndFire,
    Sum,
    TernaryThreshold,
    Threshold,
)
from neurossm.passes import fold_batch_norm
from neurossm.piecewise import piecewise
from neurossm.quantization import Quantize, calibrate

SAMPLES, STEPS, NODE = 3, 12, "node"
GRADED, WIDE = Fixed(8, 4), Fixed(24, 12)
Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Example:
    """A float graph around one node, and integers for its inputs.

    Attributes
    ----------
    label
        What is special about it.
    graph
        Float; the node under test is called ``node``.
    inputs
        Name of each `Input` to integers ``(S, T, C)``.
    quiet
        By how many times smaller the inputs are that calibration sees; above 1 the formats are too
        small for what runs, so values saturate.
    """

    label: str
    graph: Graph
    inputs: Mapping[str, NDArray[np.int64]]
    quiet: int = 1

    @property
    def node(self) -> Node:
        """The node under test, with real parameters."""
        return self.graph.nodes[NODE]

    @cached_property
    def folded(self) -> Graph:
        """The float graph without batch norms."""
        return fold_batch_norm(self.graph)

    @cached_property
    def integers(self) -> Graph:
        """The graph quantized by its own inputs, or by quiet ones."""
        quiet = {name: np.fix(array / self.quiet).astype(np.int64)
                 for name, array in self.inputs.items()}  # fmt: skip
        return Quantize()(self.folded, calibrate(self.folded, run(self.folded, quiet, "float")))


@cache
def examples(kind: str) -> tuple[Example, ...]:
    """Return the examples of a node type, the same at every call."""
    rng = np.random.default_rng(sum(kind.encode()))
    found = list(BUILDERS[kind](rng)) if kind in BUILDERS else []
    for number, node in enumerate(getattr(NODE_TYPES[kind], "examples", lambda rng: ())(rng)):
        found.append(_its_own(f"its own {number}", rng, node))
    assert found, f"{kind} has no examples: give the class examples(rng), or write some here"
    return tuple(found)


def _inputs(rng: np.random.Generator, graph: Graph) -> dict[str, NDArray[np.int64]]:
    """Return integers over the whole range of each input, both ends among them."""
    found = {}
    for name in graph.inputs:
        node = graph.nodes[name]
        assert isinstance(node, Input) and node.out is not None
        low, high = node.out.low, node.out.high
        if name in graph.vocabularies:
            low, high = 0, graph.vocabularies[name] - 1
        array = rng.integers(low, high + 1, (SAMPLES, STEPS, node.channels))
        array[0, 1], array[0, 2], array[1, 4:8] = high, low, 0
        found[name] = array
    return found


def _example(
    label: str, rng: np.random.Generator, nodes: dict[str, Node], edges: str, quiet: int = 1
) -> Example:
    """Return an example of edges written ``a>node node>out``; outputs are added."""
    pairs = [(edge.split(">")[0], edge.split(">")[1]) for edge in edges.split()]
    senders = {source for source, _ in pairs}
    for name in [name for name in nodes if name not in senders]:
        if not isinstance(nodes[name], Output):
            nodes[f"out.{name}"] = Output(channels=nodes[name].out_channels)
            pairs.append((name, f"out.{name}"))
    graph = Graph(nodes, tuple(pairs), 1e-3, {"steps": STEPS})
    return Example(label, graph, _inputs(rng, graph), quiet)


def _around(
    label: str, rng: np.random.Generator, node: Node, fmt: Fixed = GRADED, edges: int = 0,
    quiet: int = 1,
) -> Example:  # fmt: skip
    """Return a node that receives inputs of one format and feeds an output."""
    count = edges or (2 if isinstance(node, Product) else 1)
    if isinstance(node, Embedding):
        fmt = Fixed(24)
    names = "abc"[:count]
    nodes: dict[str, Node] = {n: Input(channels=node.in_channels, out=fmt) for n in names}
    return _example(label, rng, {**nodes, NODE: node}, " ".join(f"{n}>node" for n in names), quiet)


def _its_own(label: str, rng: np.random.Generator, node: Node) -> Example:
    """Return a graph around an instance that a type brings, whatever it needs beside it."""
    if isinstance(node, Input):
        return _example(label, rng, {NODE: node}, "")
    if isinstance(node, Output):
        source = Input(channels=node.in_channels, out=GRADED)
        return _example(label, rng, {"a": source, NODE: node}, "a>node")
    if isinstance(node, BatchNorm):
        nodes: dict[str, Node] = {"a": Input(channels=2, out=GRADED)}
        nodes |= {"front": affine(rng, node.in_channels, 2), NODE: node}
        return _example(label, rng, nodes, "a>front front>node")
    return _around(label, rng, node, edges=getattr(node, "operands", 0))


def affine(rng: np.random.Generator, outs: int, ins: int, rows: float = 0.0) -> Affine:
    """Return random synapses; with `rows`, row after row is that many powers of two larger."""
    scale = np.exp2(rows * np.arange(outs))
    return Affine(
        weight=rng.standard_normal((outs, ins)) * scale[:, None],
        bias=rng.standard_normal(outs) * scale,
    )


def _input(rng: np.random.Generator) -> Iterator[Example]:
    for label, fmt, channels in (
        ("graded", Fixed(16, 7), 3), ("one channel", GRADED, 1), ("large units", Fixed(6, -3), 2),
        ("widest", WIDE, 2), ("spikes", Fixed.binary(), 5), ("signed spikes", Fixed.ternary(), 5),
    ):  # fmt: skip
        yield _example(label, rng, {NODE: Input(channels=channels, out=fmt)}, "")
    nodes: dict[str, Node] = {NODE: Input(channels=2, out=GRADED), "mix": affine(rng, 3, 2)}
    yield _example("in front of synapses", rng, nodes, "node>mix")


def _output(rng: np.random.Generator) -> Iterator[Example]:
    sources: dict[str, Node] = {
        "synapses": affine(rng, 3, 3), "one channel": affine(rng, 1, 3), "running sum":
        Accumulate(channels=3, steps=STEPS), "spikes": Threshold(theta=rng.standard_normal(3)),
    }  # fmt: skip
    for label, source in sources.items():
        nodes: dict[str, Node] = {"a": Input(channels=3, out=GRADED), "b": source}
        nodes[NODE] = Output(channels=source.out_channels)
        yield _example(label, rng, nodes, "a>b b>node")
    straight: dict[str, Node] = {"a": Input(channels=2, out=WIDE), NODE: Output(channels=2)}
    yield _example("straight from an input", rng, straight, "a>node")


def _affine(rng: np.random.Generator) -> Iterator[Example]:
    yield _around("graded", rng, affine(rng, 4, 3))
    yield _around("one channel", rng, affine(rng, 1, 1))
    yield _around("spikes", rng, affine(rng, 3, 9), Fixed.binary())
    yield _around("signed spikes", rng, affine(rng, 3, 9), Fixed.ternary())
    yield _around("several edges", rng, affine(rng, 2, 3), edges=3)
    ternary = Affine(weight=0.25 * rng.integers(-1, 2, (4, 5)).astype(float), bias=np.zeros(4))
    yield _around("ternary weights", rng, ternary)
    silent = Affine(weight=np.zeros((2, 3)), bias=np.array([0.0, 1.0]))
    yield _around("a row of zeros", rng, silent)
    loud = Affine(weight=rng.standard_normal((3, 1)), bias=np.zeros(3))
    yield _around("saturating", rng, loud, Fixed(23, 11))
    nodes: dict[str, Node] = {
        "a": Input(channels=3, out=GRADED), NODE: affine(rng, 5, 3, rows=-3),
        "fire": Threshold(theta=np.exp2(-3.0 * np.arange(5))),
    }  # fmt: skip
    yield _example("exponents by row", rng, nodes, "a>node node>fire")
    # few enough for single synapses, and so many that dense columns are faster
    yield _around("sparse, spikes", rng, _pruned(rng, (8, 9), 4), Fixed.binary())
    yield _around("sparse, signed spikes", rng, _pruned(rng, (8, 9), 40), Fixed.ternary())
    yield _around("sparse", rng, _pruned(rng, (7, 5), 4), edges=2)
    empty = Affine(weight=np.zeros((2, 3)), bias=np.array([0.0, 1.0]), sparse=True)
    yield _around("sparse, no synapse", rng, empty)
    nodes = {"a": Input(channels=9, out=GRADED), NODE: _pruned(rng, (5, 9), 5),
             "fire": Threshold(theta=np.exp2(-3.0 * np.arange(5)))}  # fmt: skip
    yield _example("sparse, exponents by row", rng, nodes, "a>node node>fire")


def _pruned(rng: np.random.Generator, shape: tuple[int, int], synapses: int) -> Affine:
    """Return sparse synapses with so many weights that are not 0, at random places."""
    weight = np.zeros(shape)
    places = rng.choice(weight.size, synapses, replace=False)
    weight.flat[places] = rng.choice([-1, 1], synapses) * rng.uniform(0.2, 2, synapses)
    return Affine(weight=weight, bias=rng.standard_normal(shape[0]), sparse=True)


def _conv2d(rng: np.random.Generator) -> Iterator[Example]:
    single = {"weight": np.ones((1, 1, 1, 1)), "bias": np.zeros(1), "groups": 1,
              "in_shape": np.ones(3, np.int64), "padding": np.zeros(2, np.int64)}  # fmt: skip
    yield _around("one channel", rng, Conv2d.drawn(rng, **single))
    filters = conv2d(rng, 10, padding=1)  # more than a block of the compiled kernel
    yield _around("graded", rng, filters)
    yield _around("spikes", rng, filters, Fixed.binary())
    yield _around("signed spikes in groups", rng, conv2d(rng, 10, groups=2), Fixed.ternary())
    yield _around("several edges", rng, conv2d(rng, 3), edges=2)
    pooled = Conv2d.sum_pool((2, 4, 3), (2, 2), (2, 1), padding=(0, 1))
    yield _around("sum pooling", rng, pooled)
    yield _around("average pooling of spikes", rng, Conv2d.sum_pool((1, 3, 3), (3, 3), (1, 1),
                  weight=1 / 9), Fixed.binary())  # fmt: skip
    loud = Conv2d.drawn(rng, **{**single, "weight": rng.standard_normal((3, 1, 1, 1)),
                        "bias": np.zeros(3), "in_shape": np.array([1, 2, 2])})  # fmt: skip
    yield _around("saturating", rng, loud, Fixed(23, 11))
    scale = np.exp2(-3.0 * np.arange(3))
    nodes: dict[str, Node] = {
        "a": Input(channels=filters.in_channels, out=GRADED), NODE: conv2d(rng, 3, scale=scale),
        "fire": Threshold(theta=np.repeat(scale, 4)),
    }  # fmt: skip
    yield _example("exponents by filter", rng, nodes, "a>node node>fire")


def conv2d(
    rng: np.random.Generator, filters: int, *, padding: int = 0, groups: int = 1,
    scale: Reals | float = 1.0,
) -> Conv2d:  # fmt: skip
    """Return a random convolution 3x2 over an input 2x4x3, of filters with these scales."""
    scale = np.broadcast_to(scale, filters)
    return Conv2d(
        weight=rng.standard_normal((filters, 2 // groups, 3, 2)) * scale[:, None, None, None],
        bias=rng.standard_normal(filters) * scale,
        in_shape=np.array([2, 4, 3]),
        stride=np.ones(2, np.int64),
        padding=np.array([padding, padding]),
        dilation=np.ones(2, np.int64),
        groups=groups,
    )


def _batch_norm(rng: np.random.Generator) -> Iterator[Example]:
    for label, channels, front, behind in (
        ("behind synapses", 3, affine(rng, 3, 2), None),
        ("one channel", 1, affine(rng, 1, 2), None),
        ("in front of synapses", 2, None, affine(rng, 3, 2)),
        ("in front of states", 2, None, ssm(rng, 2, 3)),
        ("behind states", 2, ssm(rng, 2, 3), None),
    ):
        sign = rng.choice([-1.0, 1.0], channels)
        norm = BatchNorm(
            gain=sign * rng.uniform(0.5, 2, channels), offset=rng.normal(0, 1, channels)
        )
        nodes: dict[str, Node] = {"a": Input(channels=2, out=GRADED)}
        chain = ["a"]
        for name, node in (("front", front), (NODE, norm), ("behind", behind)):
            if node is not None:
                nodes[name] = node
                chain.append(name)
        yield _example(label, rng, nodes, " ".join(map(">".join, pairwise(chain))))


def ssm(rng: np.random.Generator, channels: int, modes: int, slow: float = 0.5) -> DiagonalSSM:
    """Return a random layer whose poles lose about `slow` of a state in a step."""
    shape = (channels, modes)
    pole = np.exp(-slow * rng.uniform(0.5, 2, shape) + 1j * rng.uniform(-np.pi, np.pi, shape))
    b, c = ((rng.standard_normal(shape), rng.standard_normal(shape)) for _ in range(2))
    return DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, b_re=b[0], b_im=b[1], c_re=c[0], c_im=c[1],
        d=rng.standard_normal(channels), drive_re=0.1 * rng.standard_normal(shape),
        drive_im=0.1 * rng.standard_normal(shape), bias=rng.standard_normal(channels),
        step_size=np.full(channels, 0.01), method="zoh",
    )  # fmt: skip


def _ssm(rng: np.random.Generator) -> Iterator[Example]:
    yield _around("graded", rng, ssm(rng, 3, 2))
    yield _around("one channel and state", rng, ssm(rng, 1, 1))
    yield _around("more states than a tile", rng, ssm(rng, 2, 17))
    yield _around("slow", rng, ssm(rng, 2, 4, slow=1e-3))
    yield _around("spikes", rng, ssm(rng, 3, 2), Fixed.binary())
    yield _around("several edges", rng, ssm(rng, 2, 3), edges=2)
    yield _around("saturating", rng, ssm(rng, 2, 3, slow=0.1), quiet=64)
    node, scale = ssm(rng, 3, 2), np.exp2([-9.0, 0.0, 7.0])
    scaled = {name: np.asarray(getattr(node, name)) * scale[:, None] for name in ("b_re", "b_im")}
    yield _around("exponents by channel", rng, DiagonalSSM(**(vars(node) | scaled)))


def _compared(rng: np.random.Generator, make: Callable[[Reals], Node]) -> Iterator[Example]:
    """Yield what a neuron that compares meets; `make` gives one with these thresholds."""
    theta = np.abs(rng.standard_normal(3)) + 0.2
    yield _around("graded", rng, make(theta))
    yield _around("one channel", rng, make(theta[:1]))
    yield _around("several edges", rng, make(theta), edges=2)
    yield _around("one that nothing reaches", rng, make(np.array([0.5, 1e6, 2.0])))
    yield _around("spikes", rng, make(np.array([0.3, 0.7, 1.0])), Fixed.binary())
    yield _around("saturating", rng, make(1000 * theta), WIDE, edges=2)
    nodes: dict[str, Node] = {"a": Input(channels=2, out=GRADED), "mix": affine(rng, 4, 2, rows=4)}
    nodes[NODE] = make(0.5 * np.exp2(4.0 * np.arange(4)))
    yield _example("exponents by row", rng, nodes, "a>mix mix>node")


def _threshold(rng: np.random.Generator) -> Iterator[Example]:
    yield from _compared(rng, lambda theta: Threshold(theta=theta))
    yield _around("zero and below", rng, Threshold(theta=np.array([0.0, -0.7, -1e-9])))


def _adaptive_threshold(rng: np.random.Generator) -> Iterator[Example]:
    def make(theta: Reals) -> AdaptiveThreshold:
        return AdaptiveThreshold(theta=theta, taps=rng.uniform(0, 1, (len(theta), 3)))

    yield from _compared(rng, make)
    theta = np.array([0.5, 1.0, 1.5])
    for label, taps in (("one tap", [[0.7], [0.0], [1e6]]), ("no taps", np.zeros((3, 2)))):
        yield _around(label, rng, AdaptiveThreshold(theta=theta, taps=taps))
    yield _around("most taps", rng, AdaptiveThreshold(
        theta=theta[:2], taps=rng.uniform(0, 0.4, (2, AdaptiveThreshold.most_taps))))  # fmt: skip
    nodes: dict[str, Node] = {"a": Input(channels=3, out=GRADED), "filter": ssm(rng, 3, 2)}
    nodes[NODE] = make(theta)
    yield _example("behind states", rng, nodes, "a>filter filter>node")


def complex_diagonal(
    rng: np.random.Generator, states: int, gate: str, slow: float = 0.5
) -> ComplexDiagonal:
    """Return random stable states; `slow` is the largest distance of a pole to the circle."""
    pole = (1 - rng.uniform(slow / 2, slow, states)) * np.exp(1j * rng.uniform(-3, 3, states))
    return ComplexDiagonal(a_re=pole.real, a_im=pole.imag, gate=gate)


def _complex_diagonal(rng: np.random.Generator) -> Iterator[Example]:
    for gate in ComplexDiagonal.gates:
        yield _around(f"gate {gate}", rng, complex_diagonal(rng, 3, gate))
        yield _around(f"one state, {gate}", rng, complex_diagonal(rng, 1, gate))
        yield _around(f"several edges, {gate}", rng, complex_diagonal(rng, 2, gate), edges=2)
        yield _around(f"saturating, {gate}", rng, complex_diagonal(rng, 2, gate, 0.1), quiet=64)
    yield _around("slow", rng, complex_diagonal(rng, 2, "relu", 1e-3))
    yield _around("spikes", rng, complex_diagonal(rng, 2, "relu"), Fixed.binary())
    yield _around("widest", rng, complex_diagonal(rng, 2, "none"), WIDE)
    for label, rows in (("between synapses", 0.0), ("exponents by row", 4.0)):
        nodes: dict[str, Node] = {"a": Input(channels=2, out=GRADED)}
        nodes |= {"b": affine(rng, 6, 2, rows), NODE: complex_diagonal(rng, 3, "relu")}
        nodes |= {"c": affine(rng, 3, 6)}
        yield _example(label, rng, nodes, "a>b b>node node>c")
    nodes = {"a": Input(channels=2, out=GRADED), NODE: complex_diagonal(rng, 1, "none")}
    nodes["fire"] = AdaptiveThreshold(theta=np.ones(2), taps=np.ones((2, 2)))
    yield _example("in front of spikes", rng, nodes, "a>node node>fire")


def _ternary_threshold(rng: np.random.Generator) -> Iterator[Example]:
    yield from _compared(rng, lambda delta: TernaryThreshold(delta=delta))


def _delay(rng: np.random.Generator) -> Iterator[Example]:
    yield _around("one step", rng, Delay(channels=3, steps=np.array([1])))
    yield _around("by channel", rng, Delay(channels=3, steps=np.array([1, 5, 2])), Fixed(16, 7))
    yield _around("spikes", rng, Delay(channels=5, steps=np.array([3])), Fixed.binary())
    yield _around("signed spikes", rng, Delay(channels=2, steps=np.array([2])), Fixed.ternary())
    yield _around(
        "nearly as long as the run", rng, Delay(channels=1, steps=np.array([STEPS - 4])), WIDE
    )
    nodes: dict[str, Node] = {
        "a": Input(channels=4, out=Fixed.binary()), "into": affine(rng, 3, 4),
        "fire": _neurons(np.full(3, 0.5), "soft", 0.8), NODE: Delay(channels=3, steps=np.ones(1)),
        "back": Affine(weight=np.eye(3) / 4, bias=np.zeros(3)), "sum": Sum(channels=3),
    }  # fmt: skip
    edges = "a>into into>sum sum>fire fire>node node>back back>sum"
    yield _example("feedback of spikes", rng, nodes | {"out.fire": Output(channels=3)},
                   edges + " fire>out.fire")  # fmt: skip
    nodes = {"a": Input(channels=2, out=GRADED), "sum": Sum(channels=2),
             NODE: Delay(channels=2, steps=np.array([1, 3])),
             "back": Affine(weight=np.eye(2) / 2, bias=np.zeros(2)),
             "out.sum": Output(channels=2)}  # fmt: skip
    yield _example(
        "feedback of messages", rng, nodes, "a>sum sum>node node>back back>sum sum>out.sum"
    )


def _neurons(theta: Reals, reset: str, tau: float, rho: float = 0.0, kappa: float = 0.0) -> LIF:
    ones = np.ones(len(theta))
    return LIF(theta=theta, tau=tau * ones, rho=rho * ones, kappa=kappa * theta, reset=reset)


def _lif(rng: np.random.Generator) -> Iterator[Example]:
    yield from _compared(rng, lambda theta: _neurons(theta, "hard", 0.7))
    theta = np.array([0.5, 1.0, 30.0])
    yield _around("soft, with a trace", rng, _neurons(theta, "soft", 0.8, 0.6, 0.5))
    yield _around("hard, with a trace", rng, _neurons(theta, "hard", 0.8, 0.9, 0.2))
    yield _around("no reset", rng, _neurons(theta, "none", 0.9))
    yield _around("no leak, hard", rng, _neurons(np.array([9.0, 2.0]), "hard", 1.0))
    yield _around("no leak", rng, _neurons(np.array([9.0, 2.0]), "soft", 1.0))
    yield _around("slow leak", rng, _neurons(np.array([2.0, 9.0]), "hard", 0.9999))
    yield _around("membranes that saturate", rng, _neurons(theta, "none", 1.0, 0.9, 0.9), quiet=64)


def _adaptive(
    theta: Reals, reset: str, side: str, tau: float, rho: float, a: float, b: float
) -> AdaptiveLIF:
    ones = np.ones(len(theta))
    return AdaptiveLIF(theta=theta, tau=tau * ones, rho=rho * ones, a=a * ones, b=b * theta,
                       reset=reset, adapts_on=side)  # fmt: skip


def _adaptive_lif(rng: np.random.Generator) -> Iterator[Example]:
    yield from _compared(rng, lambda theta: _adaptive(theta, "soft", "before", 0.7, 0.9, 0.1, 0.3))
    theta = np.array([0.5, 1.0, 30.0])
    yield _around("hard", rng, _adaptive(theta, "hard", "after", 0.8, 0.9, 0.2, 0.4))
    yield _around("no reset", rng, _adaptive(theta, "none", "before", 0.9, 0.8, 0.3, 0.2))
    yield _around("never adapts", rng, _adaptive(theta, "soft", "before", 0.8, 0.9, 0.0, 0.0))
    yield _around("drives itself", rng, _adaptive(theta, "soft", "after", 0.6, 0.5, -0.1, -0.1))
    yield _around("no leak", rng, _adaptive(np.array([9.0, 2.0]), "soft", "before", 1, 0, 0.3, 0))
    yield _around("slow", rng, _adaptive(np.array([9.0, 20.0]), "hard", "before", 0.999, 0.99,
                                         0.001, 0.01))  # fmt: skip
    yield _around("large adaptation", rng, _adaptive(theta, "soft", "before", 0.5, 0.99, 0.1, 9))
    loud = _adaptive(theta, "none", "before", 1.0, 0.9, -0.9, 0.9)
    yield _around("states that saturate", rng, loud, quiet=64)


def _resonators(theta: Reals, reset: str, drive: str, slow: float = 0.3) -> ResonateAndFire:
    pole = np.exp(-slow + 1j * np.linspace(0.2, 2.0, len(theta)))
    return ResonateAndFire(a_re=pole.real, a_im=pole.imag, theta=theta, reset=reset, drive=drive)


def _resonate_and_fire(rng: np.random.Generator) -> Iterator[Example]:
    yield from _compared(rng, lambda theta: _resonators(theta, "soft", "real"))
    theta = np.array([0.5, 1.0, 30.0])
    yield _around("no reset", rng, _resonators(theta, "none", "real"))
    yield _around("complex", rng, _resonators(theta, "soft", "complex"))
    yield _around("complex, one channel", rng, _resonators(theta[:1], "none", "complex"))
    yield _around("complex, several edges", rng, _resonators(theta, "none", "complex"), edges=2)
    yield _around("slow", rng, _resonators(theta, "soft", "complex", 1e-3))
    yield _around("saturating states", rng, _resonators(theta, "none", "complex", 0.05), quiet=64)
    real = ResonateAndFire(a_re=np.array([0.9, -0.9]), a_im=np.zeros(2), theta=np.ones(2),
                           reset="soft", drive="real")  # fmt: skip
    yield _around("real poles", rng, real)
    nodes: dict[str, Node] = {"a": Input(channels=2, out=GRADED), "mix": affine(rng, 6, 2, rows=-2)}
    nodes[NODE] = _resonators(0.5 * np.exp2(-2.0 * np.arange(3)), "soft", "complex")
    yield _example("complex, exponents by row", rng, nodes, "a>mix mix>node")


def _embedding(rng: np.random.Generator) -> Iterator[Example]:
    for label, tokens, channels in (("rows", 7, 3), ("one channel", 5, 1), ("one token", 1, 2)):
        yield _around(label, rng, Embedding(table=rng.standard_normal((tokens, channels))))
    nodes: dict[str, Node] = {"a": Input(channels=1, out=Fixed(6))}
    nodes |= {n: Embedding(table=rng.standard_normal((9, 2))) for n in (NODE, "other")}
    yield _example("two of one token", rng, nodes, "a>node a>other")
    nodes = {
        "a": Input(channels=1, out=Fixed(4)),
        NODE: Embedding(table=np.eye(4)),
        "z": affine(rng, 2, 4),
    }
    yield _example("one-hot rows", rng, nodes, "a>node node>z")


def _sum(rng: np.random.Generator) -> Iterator[Example]:
    for label, channels, operands, quiet in (
        ("two operands", 3, 2, 1), ("one operand", 3, 1, 1), ("three operands", 2, 3, 1),
        ("one channel", 1, 2, 1), ("saturating", 3, 2, 32),
    ):  # fmt: skip
        yield _around(label, rng, Sum(channels=channels), edges=operands, quiet=quiet)
    nodes: dict[str, Node] = {
        "a": Input(channels=3, out=GRADED), "s": Input(channels=3, out=Fixed.ternary()),
        "mix": affine(rng, 3, 3), NODE: Sum(channels=3),
    }  # fmt: skip
    yield _example("operands of unlike formats", rng, nodes, "a>mix mix>node s>node a>node")
    yield _example("in front of spikes", rng, _fired(Sum(channels=2)), "a>node b>node node>fire")


def _product(rng: np.random.Generator) -> Iterator[Example]:
    yield _around("two operands", rng, Product(channels=3))
    yield _around("one channel", rng, Product(channels=1))
    yield _around("saturating", rng, Product(channels=2), quiet=16)
    nodes: dict[str, Node] = {
        "a": Input(channels=3, out=GRADED), "s": Input(channels=3, out=Fixed.ternary()),
        "mix": affine(rng, 3, 3), NODE: Product(channels=3),
    }  # fmt: skip
    yield _example("a gate of spikes", rng, nodes, "a>mix s>node mix>node")


def _piecewise(rng: np.random.Generator) -> Iterator[Example]:
    for function, channels in (("sigmoid", 3), ("gelu", 3), ("relu", 2), ("tanh", 1)):
        yield _around(function, rng, piecewise(function, channels))
    yield _around("several edges", rng, piecewise("silu", 2), edges=2)
    yield _around("saturating", rng, piecewise("gelu", 2), quiet=64)
    kinks = PiecewiseLinear(
        function="staircase", max_error=0.0, channels=2, knots=np.array([-1.0, 0.5]),
        slopes=np.array([-2.0, 0.0, 3.0]), offsets=np.array([-1.0, 1.0, -0.5]),
    )  # fmt: skip
    yield _around("falling and flat", rng, kinks)


def _fired(node: Node) -> dict[str, Node]:
    """Return nodes for a graph in which a threshold reads the node under test."""
    inputs: dict[str, Node] = {n: Input(channels=node.in_channels, out=GRADED) for n in "ab"}
    return {**inputs, NODE: node, "fire": Threshold(theta=np.ones(node.out_channels))}


def _accumulate(rng: np.random.Generator) -> Iterator[Example]:
    yield _around("graded", rng, Accumulate(channels=3, steps=STEPS))
    yield _around("one channel", rng, Accumulate(channels=1, steps=STEPS))
    yield _around("several edges", rng, Accumulate(channels=2, steps=STEPS), edges=2)
    yield _around("spikes", rng, Accumulate(channels=2, steps=STEPS), Fixed.binary())
    yield _around("many steps", rng, Accumulate(channels=2, steps=5000))
    running = _fired(Accumulate(channels=2, steps=STEPS))
    yield _example("in front of spikes", rng, running, "a>node b>node node>fire")
    yield _around("saturating", rng, Accumulate(channels=2, steps=100_000), WIDE, quiet=4096)


BUILDERS: dict[str, Callable[[np.random.Generator], Iterator[Example]]] = {
    "Input": _input, "Output": _output, "Affine": _affine, "BatchNorm": _batch_norm,
    "Conv2d": _conv2d,
    "DiagonalSSM": _ssm, "Threshold": _threshold, "Sum": _sum, "Product": _product,
    "PiecewiseLinear": _piecewise, "Accumulate": _accumulate,
    "TernaryThreshold": _ternary_threshold, "LIF": _lif, "AdaptiveLIF": _adaptive_lif,
    "ResonateAndFire": _resonate_and_fire, "Embedding": _embedding,
    "Delay": _delay, "AdaptiveThreshold": _adaptive_threshold,
    "ComplexDiagonal": _complex_diagonal,
}  # fmt: skip
