"""Random valid integer graphs with extreme parameters and inputs, as a hypothesis strategy.

Topology and formats are drawn, so that a failing graph shrinks; the integers in the arrays come
from one drawn seed. Formats are chosen so that the contract holds: every left shift stays below the
room that the width of its product leaves under 2**52.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from spiking_block import integers

from neurossm import contract
from neurossm.fixed import Fixed, Quantized, project_poles, symmetric_limit
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    AdaptiveLIF,
    AdaptiveThreshold,
    Affine,
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

# the same examples in each run, and no database: a red test is a change of the code
QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[  # some tests want graphs of a kind, and wait for them
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)

CHANNELS = (1, 3)
MODES = (1, 3)  # few: the fast engine compiles a kernel for each
SEGMENTS = (2, 5)
EXACT_BITS = 51
KINDS = (
    "affine", "conv", "ssm", "threshold", "sum", "product", "piecewise", "accumulate", "ternary",
    "lif", "embedding", "rows", "delay", "spiking_loop", "graded_loop", "adaptive", "complex",
    "adaptive_lif", "resonator",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A graph and inputs for it."""

    graph: Graph
    inputs: dict[str, np.ndarray]

    def __repr__(self) -> str:
        lines = [f"{name}: {type(n).__name__} {n.out}" for name, n in self.graph.nodes.items()]
        shapes = {name: array.shape for name, array in self.inputs.items()}
        return "\n".join(["", *lines, str(self.graph.edges), str(shapes)])


@dataclass
class Growing:
    """A graph while it grows; `draw` is hypothesis's, `rng` fills arrays."""

    draw: st.DrawFn
    rng: np.random.Generator
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    tokens: dict[str, Input] = field(default_factory=dict)
    rows: dict[str, Node] = field(default_factory=dict)  # feed one neuron each, nothing else may

    def add(self, kind: str, node: Node, sources: list[str]) -> str:
        name = f"{kind}{len(self.nodes) + len(self.tokens) + len(self.rows)}"
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def format(self, name: str) -> Fixed:
        found = self.nodes[name].out
        assert found is not None
        return found

    def one(self) -> str:
        """Draw a node; late ones more often, so that graphs grow deep."""
        names = list(self.nodes)
        return names[-1 - min(self.integer(0, len(names) - 1), self.integer(0, len(names) - 1))]

    def adding(self) -> list[str]:
        """Draw one to three nodes of the same channels and format, whose edges may add."""
        alike: dict[tuple[int, Fixed], list[str]] = {}
        for name, node in self.nodes.items():
            alike.setdefault((node.out_channels, self.format(name)), []).append(name)
        several = [names for names in alike.values() if len(names) > 1]
        if not several or self.rng.random() < 0.3:
            return [self.one()]
        group = st.lists(st.sampled_from(self.draw(st.sampled_from(several))), min_size=2,
                         max_size=3, unique=True)  # fmt: skip
        return self.draw(group)

    def operands(self, most: int) -> list[str]:
        """Draw up to `most` different nodes of the same channels, in any format."""
        first = self.one()
        channels = self.nodes[first].out_channels
        others = [n for n in self.nodes if n != first and self.nodes[n].out_channels == channels]
        if not others:
            return [first]
        more = st.lists(st.sampled_from(others), min_size=1, max_size=most - 1, unique=True)
        return [first, *self.draw(more)]

    def graded(self) -> Fixed:
        """Draw a message format; a few come again and again, so that edges can converge."""
        if self.rng.random() < 0.6:
            return self.draw(st.sampled_from([Fixed(24, 4), Fixed(9, 2)]))
        return Fixed(self.integer(2, 24), self.integer(-12, 12))

    def filled(self, shape: tuple[int, ...], limit: int) -> np.ndarray:
        """Return integers in +-limit: ends, zeros and units beside uniform ones."""
        uniform = self.rng.integers(-limit, limit + 1, shape)
        extreme = self.rng.choice([-limit, -1, 0, 1, limit], shape)
        small = self.rng.integers(-min(limit, 9), min(limit, 9) + 1, shape)
        flavor = self.rng.integers(0, 4)
        return np.where(
            self.rng.random(shape) < 0.5, (uniform, extreme, small, uniform)[flavor], extreme
        )


@st.composite
def cases(draw: st.DrawFn, inputs: int = 3, outputs: int = 2) -> Case:
    """Draw a valid integer graph of 3 to 10 computing nodes with data; at most so many in, out."""
    grow = Growing(draw, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    for _ in range(grow.integer(1, inputs)):
        kind = draw(st.sampled_from(["spikes", "graded", "tokens"]))
        if kind == "tokens":
            name = f"in{len(grow.nodes) + len(grow.tokens) + len(grow.rows)}"
            grow.tokens[name] = Input(channels=1, out=Fixed(draw(st.sampled_from([4, 24]))))
            _embed(grow, name)
            continue
        spikes = st.sampled_from([Fixed.binary(), Fixed.ternary()])
        out = draw(spikes) if kind == "spikes" else grow.graded()
        grow.add("in", Input(channels=draw(st.sampled_from(CHANNELS)), out=out), [])
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=3, max_size=10)):
        GROW[kind](grow)
    feeding = {source for source, _ in grow.edges}
    # where all lead round in a loop, the last one is read
    ends = [name for name in grow.nodes if name not in feeding] or [list(grow.nodes)[-1]]
    for name in ends[-outputs:]:  # others stay unread
        node = grow.nodes[name]
        grow.add("out", Output(channels=node.out_channels, out=node.out), [name])
    graph = Graph({**grow.tokens, **grow.rows, **grow.nodes}, tuple(grow.edges))
    assume(not contract.problems(graph))
    samples, steps = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    data = {
        name: _tokens(grow, graph.vocabularies[name], samples, steps)
        if name in grow.tokens
        else _messages(grow, name, samples, steps)
        for name in graph.inputs
    }
    return Case(graph, data)


def _messages(grow: Growing, name: str, samples: int, steps: int) -> np.ndarray:
    fmt = grow.format(name)
    shape = (samples, steps, grow.nodes[name].out_channels)
    if fmt.is_spike:
        return grow.rng.integers(fmt.low, fmt.high + 1, shape)
    return grow.filled(shape, fmt.high)


def _tokens(grow: Growing, count: int, samples: int, steps: int) -> np.ndarray:
    shape = (samples, steps, 1)
    ends = grow.rng.choice([0, count - 1], shape)
    return np.where(grow.rng.random(shape) < 0.5, grow.rng.integers(0, count, shape), ends)


def _embed(grow: Growing, source: str) -> None:
    bits, wanted = grow.draw(st.sampled_from([8, 5, 2])), grow.graded()
    out = Fixed(max(bits, wanted.bits), wanted.frac)
    shape = (grow.draw(st.sampled_from([1, 2, 7])), grow.draw(st.sampled_from(CHANNELS)))
    table = grow.filled(shape, symmetric_limit(bits))
    grow.add("embedding", Embedding(table=integers(table, out.frac, bits), out=out), [source])


def _embedding(grow: Growing) -> None:
    if not grow.tokens:
        return _ternary(grow)
    return _embed(grow, grow.draw(st.sampled_from(list(grow.tokens))))


def _affine(grow: Growing, outs: int = 0) -> None:
    sources = grow.adding()
    fmt, ins = grow.format(sources[0]), grow.nodes[sources[0]].out_channels
    outs = outs or grow.draw(st.sampled_from(CHANNELS))
    wanted = grow.graded()
    frac = min(max(wanted.frac - fmt.frac, -40), 40)
    out = Fixed(wanted.bits, min(max(frac + fmt.frac, -30), 30))
    # twice the sum of all synapses and the bias stays in 32 bits
    bias_limit = symmetric_limit(grow.draw(st.sampled_from([4, 16, 24])))
    budget = (2**30 - 1 - bias_limit) // (len(sources) * fmt.high * ins)
    largest = min(127, budget)
    weight = grow.filled((outs, ins), largest)
    if grow.rng.random() < 0.3 and largest:  # -1, 0 and 1 times a power of two
        powers = 2 ** np.arange(int(largest).bit_length())
        weight = np.sign(weight) * grow.rng.choice(powers)
    sparse = bool(grow.rng.random() < 0.3)
    if sparse:  # few synapses, often a single one, and now and then none
        weight = np.where(grow.rng.random(weight.shape) < 0.2, weight, 0)
    grow.add(
        "affine",
        Affine(
            weight=integers(weight, out.frac - fmt.frac),
            bias=integers(grow.filled((outs,), bias_limit), out.frac, 24),
            sparse=sparse,
            out=out,
        ),
        sources,
    )


def _conv(grow: Growing) -> None:
    """Add a convolution over what a few channels can be seen as, in groups where that is likely."""
    sources, rng = grow.adding(), grow.rng
    fmt, ins = grow.format(sources[0]), grow.nodes[sources[0]].out_channels
    shape = [(ins, 1, 1), (1, ins, 1), (1, 1, ins)][rng.integers(3)]
    groups = ins if shape[0] == ins and rng.random() < 0.5 else 1
    kernel, dilation = rng.integers(1, 4, 2), rng.integers(1, 3, 2)
    reach = dilation * (kernel - 1)
    least = np.maximum(-(-(reach + 1 - shape[1:]) // 2), 0)
    padding = np.minimum(least + rng.integers(0, 2, 2), reach)
    stride = rng.integers(1, 4, 2)
    each = 1 if groups > 1 else grow.draw(st.sampled_from(CHANNELS))
    wanted = grow.graded()
    frac = min(max(wanted.frac - fmt.frac, -40), 40)
    out = Fixed(wanted.bits, min(max(frac + fmt.frac, -30), 30))
    budget = (2**30 - 2**16) // (len(sources) * fmt.high * ins * int(np.prod(kernel)))
    largest = min(127, budget)
    weight = grow.filled((groups * each, shape[0] // groups, *kernel), largest)
    if rng.random() < 0.3:  # as of sum pooling
        weight = np.full_like(weight, min(largest, 1))
    grow.add(
        "conv",
        Conv2d(
            weight=integers(weight, out.frac - fmt.frac),
            bias=integers(grow.filled((groups * each,), 2**15), out.frac, 24),
            in_shape=np.array(shape),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            out=out,
        ),
        sources,
    )


def _ssm(grow: Growing) -> None:
    sources, rng = grow.adding(), grow.rng
    u, channels = grow.format(sources[0]).frac, grow.nodes[sources[0]].out_channels
    modes = grow.draw(st.sampled_from(MODES))
    shape, out = (channels, modes), grow.graded()
    bits = grow.draw(st.sampled_from([16, 16, 12, 8]))
    radius = rng.choice([1.0, 0.999, rng.random()], shape)
    angle = rng.choice([0, np.pi, np.pi / 4, -np.pi / 2, *rng.uniform(-np.pi, np.pi, 3)], shape)
    a_re, a_im = project_poles(radius * np.cos(angle), radius * np.sin(angle), bits)

    def shifts(least: int) -> np.ndarray:
        # one shift by 62 and more now and then
        low, high = (least, 12) if rng.random() < 0.9 else (60, 70)
        return rng.integers(low, high, channels)

    def exponents(frac: np.ndarray) -> np.ndarray:
        return np.clip(frac, -64, 64)

    state = rng.integers(-6, 14, channels)
    # gains have 7 bits beside the sign, states and messages 23; two parts and the modes are summed
    b = exponents(shifts(7 + 23 - EXACT_BITS) - u + state)
    c = exponents(shifts(7 + 23 + 4 - EXACT_BITS) - state + 1 + out.frac)
    d = exponents(shifts(7 + 23 + 1 - EXACT_BITS) - u + out.frac)
    state_bits = grow.draw(st.sampled_from([24, 24, 16, 8]))
    small = symmetric_limit(min(state_bits, grow.draw(st.sampled_from([2, 6, 24]))))
    real_b = grow.draw(st.booleans())
    grow.add(
        "ssm",
        DiagonalSSM(
            a_re=integers(a_re, bits - 1, bits),
            a_im=integers(a_im, bits - 1, bits),
            b_re=integers(grow.filled(shape, 127), b),
            b_im=integers(np.zeros(shape) if real_b else grow.filled(shape, 127), b),
            c_re=integers(grow.filled(shape, 127), c),
            c_im=integers(grow.filled(shape, 127), c),
            d=integers(grow.filled((channels,), 127), d),
            drive_re=integers(grow.filled(shape, small), state, state_bits),
            drive_im=integers(grow.filled(shape, small), state, state_bits),
            bias=integers(grow.filled((channels,), small), out.frac, 24),
            step_size=np.full(channels, 0.01),
            method="zoh",
            out=out,
        ),
        sources,
    )


def _rows(grow: Growing) -> None:
    """Add synapses with an exponent a row, and the neurons that alone receive them."""
    kinds = ("threshold", "lif", "lif", "ternary", "lif", "adaptive", "complex", "adaptive_lif",
             "resonator")  # fmt: skip
    kind = grow.draw(st.sampled_from(kinds))
    _affine(grow, 2 if kind == "complex" else 0)
    name, node = grow.nodes.popitem()
    assert isinstance(node, Affine)
    channels = node.out_channels
    more = grow.rng.integers(-20, 21, channels)
    frac = np.clip(node.out.frac + more, -60, 60)
    rows = np.clip(node.weight.frac + frac - node.out.frac, -64, 64)
    frac = rows + node.out.frac - node.weight.frac
    grow.rows[name] = Affine(
        weight=integers(node.weight.values, rows),
        bias=integers(node.bias.values, frac, 24),
        sparse=node.sparse,
        out=Fixed(node.out.bits, int(frac.min())),
    )
    limit = grow.draw(st.sampled_from([30, 2**23 - 1]))
    theta = np.maximum(np.abs(grow.filled((channels,), limit)), 1)
    if kind == "threshold":
        grow.add(kind, Threshold(theta=integers(theta, frac, 24)), [name])
    elif kind == "ternary":
        grow.add(kind, TernaryThreshold(delta=integers(theta, frac, 24)), [name])
    elif kind == "adaptive":
        grow.add(kind, _raised(grow, theta, frac), [name])
    elif kind == "complex":
        grow.add(kind, _states(grow, channels // 2, frac), [name])
    else:
        grow.add(kind, NEURONS[kind](grow, channels, frac, node.out.bits), [name])


def _threshold(grow: Growing) -> None:
    sources = grow.adding()
    fmt = grow.format(sources[0])
    limit = grow.draw(st.sampled_from([1, 100, 2**23 - 1]))
    theta = grow.filled((grow.nodes[sources[0]].out_channels,), limit)
    grow.add("threshold", Threshold(theta=integers(theta, fmt.frac, 24)), sources)


def _raised(grow: Growing, theta: np.ndarray, frac: int | np.ndarray) -> AdaptiveThreshold:
    """Return thresholds that candidates raise, by much, by little or not at all."""
    limit = grow.draw(st.sampled_from([3, 1000, 2**23 - 1]))
    taps = np.abs(grow.filled((len(theta), grow.draw(st.sampled_from([1, 3]))), limit))
    return AdaptiveThreshold(theta=integers(theta, frac, 24), taps=integers(taps, frac, 24))


def _adaptive(grow: Growing) -> None:
    sources = grow.adding()
    fmt, channels = grow.format(sources[0]), grow.nodes[sources[0]].out_channels
    limit = grow.draw(st.sampled_from([1, 100, 2**23 - 1]))
    theta = np.maximum(np.abs(grow.filled((channels,), limit)), 1)
    grow.add("adaptive", _raised(grow, theta, fmt.frac), sources)


def _states(grow: Growing, states: int, frac: np.ndarray) -> ComplexDiagonal:
    """Return complex states for messages of these exponents, ``(2C,)``; units of their own."""
    rng, bits = grow.rng, grow.draw(st.sampled_from([24, 24, 12, 5]))
    radius = rng.choice([1.0, 0.999, rng.random()], states)
    angle = rng.choice([0, np.pi, np.pi / 4, -np.pi / 2, *rng.uniform(-np.pi, np.pi, 3)], states)
    pole_bits = grow.draw(st.sampled_from([16, 16, 9]))
    a_re, a_im = project_poles(radius * np.cos(angle), radius * np.sin(angle), pole_bits)
    out = grow.graded()
    finer = rng.choice([-8, 0, 5, 20, *rng.integers(-12, 20, 2)], states)
    own = np.clip(frac.reshape(2, -1).min(axis=0) + finer, -64, 64)
    return ComplexDiagonal(
        a_re=integers(a_re, pole_bits - 1, pole_bits),
        a_im=integers(a_im, pole_bits - 1, pole_bits),
        gate=grow.draw(st.sampled_from(ComplexDiagonal.gates)),
        state_bits=bits,
        state_frac=own,
        out=Fixed(out.bits, int(min(out.frac, own.min() + 28))),
    )


def _complex(grow: Growing) -> None:
    """Add complex states; where the channels are odd in number, synapses come in front."""
    sources = grow.adding()
    channels = grow.nodes[sources[0]].out_channels
    if channels % 2:
        sources = [_paired(grow, sources[0])]
        channels = grow.nodes[sources[0]].out_channels
    frac = np.full(channels, grow.format(sources[0]).frac)
    grow.add("complex", _states(grow, channels // 2, frac), sources)


def _paired(grow: Growing, source: str) -> str:
    """Add synapses to an even number of channels."""
    fmt, frac = grow.format(source), grow.integer(-2, 6)
    out = Fixed(grow.draw(st.sampled_from([24, 9])), min(max(fmt.frac + frac, -30), 30))
    shape = (grow.draw(st.sampled_from([2, 4])), grow.nodes[source].out_channels)
    largest = min(127, (2**30 - 100) // (fmt.high * shape[1]))
    weight = integers(grow.filled(shape, largest), out.frac - fmt.frac)
    bias = integers(grow.filled(shape[:1], 99), out.frac, 24)
    return grow.add("pairs", Affine(weight=weight, bias=bias, out=out), [source])


def _ternary(grow: Growing) -> None:
    sources = grow.adding()
    fmt = grow.format(sources[0])
    limit = grow.draw(st.sampled_from([1, 100, 2**23 - 1]))
    delta = np.maximum(np.abs(grow.filled((grow.nodes[sources[0]].out_channels,), limit)), 1)
    grow.add("ternary", TernaryThreshold(delta=integers(delta, fmt.frac, 24)), sources)


def _lif(grow: Growing, kind: str = "lif") -> None:
    sources = grow.adding()
    fmt, channels = grow.format(sources[0]), grow.nodes[sources[0]].out_channels
    made = NEURONS[kind](grow, channels, np.full(channels, fmt.frac), fmt.bits)
    grow.add(kind, made, sources)


def _adaptive_lif(grow: Growing) -> None:
    _lif(grow, "adaptive_lif")


def _resonator(grow: Growing) -> None:
    """Add resonators, every other time behind synapses of a complex drive."""
    if grow.draw(st.booleans()):
        return _lif(grow, "resonator")
    source, channels = grow.one(), 2 * grow.draw(st.sampled_from(CHANNELS))
    arriving, frac = grow.format(source), grow.integer(-2, 9)
    out = Fixed(24, arriving.frac + frac)
    into = _weights(grow, (channels, grow.nodes[source].out_channels), frac, out)
    start = grow.add("into", into, [source])
    made = _resonating(grow, channels, np.full(channels, out.frac), 24, both=True)
    grow.add("resonator", made, [start])
    return None


def _neuron(grow: Growing, channels: int, frac: np.ndarray, message_bits: int) -> LIF:
    """Return neurons whose membranes have the exponent of the input, or exponents of their own."""
    bits, limit, leak = _widths(grow)
    own = _own_unit(grow, frac, message_bits)
    kappa = np.abs(grow.filled((channels,), limit)) * grow.draw(st.sampled_from([0, 1]))
    return LIF(
        theta=integers(np.maximum(np.abs(grow.filled((channels,), limit)), 1), own, bits),
        tau=integers(_leaks(grow, leak, channels), leak, leak + 2),
        rho=integers(_leaks(grow, leak, channels), leak, leak + 2),
        kappa=integers(kappa, own, bits),
        reset=grow.draw(st.sampled_from(LIF.resets)),
    )


def _widths(grow: Growing) -> tuple[int, int, int]:
    """Return the bits of a membrane, the largest threshold, and the fraction bits of leaks."""
    bits = grow.draw(st.sampled_from([24, 24, 16, 6]))
    limit = min(grow.draw(st.sampled_from([1, 30, 2**23 - 1])), symmetric_limit(bits))
    return bits, limit, grow.draw(st.sampled_from([12, 12, 15, 20]))


def _own_unit(grow: Growing, frac: np.ndarray, message_bits: int) -> int | np.ndarray:
    """Return the exponent of the input, or another, one for all channels or one each."""
    rng, channels = grow.rng, len(frac)
    finer = grow.draw(st.sampled_from(["none", "one", "each"]))
    most = 29 if message_bits > 8 else 40  # several edges add up to 24 bits
    if finer == "one" and np.ptp(frac) == 0:
        frac = frac + rng.integers(-12, 9)
    elif finer == "each":
        frac = frac + rng.choice([-70, -3, 0, 5, most - 3, *rng.integers(-12, 9, 3)], channels)
    frac = np.clip(frac, -64, 64)
    return int(frac[0]) if finer != "each" and np.ptp(frac) == 0 else frac


def _leaks(grow: Growing, leak: int, channels: int) -> np.ndarray:
    one, rng = 2**leak, grow.rng
    return rng.choice([0, 1, one // 2, one - 1, one, *rng.integers(0, one, 3)], channels)


def _adapting(grow: Growing, channels: int, frac: np.ndarray, message_bits: int) -> AdaptiveLIF:
    """Return neurons that adapt, the adaptation in the unit of the membrane or in another."""
    bits, limit, leak = _widths(grow)
    own = _own_unit(grow, frac, message_bits)
    finer = grow.draw(st.sampled_from([0, 0, 5, 20, -20]))
    a_frac = grow.integer(max(1, finer - 12), 30)
    largest = min(2**a_frac - 1, 2**15 - 1)
    jumps = grow.filled((channels,), grow.draw(st.sampled_from([1, 30, symmetric_limit(bits)])))
    return AdaptiveLIF(
        theta=integers(np.maximum(np.abs(grow.filled((channels,), limit)), 1), own, bits),
        tau=integers(_leaks(grow, leak, channels), leak, leak + 2),
        rho=integers(_leaks(grow, leak, channels), leak, leak + 2),
        a=integers(grow.filled((channels,), largest), a_frac, 16),
        b=integers(jumps, np.clip(own + np.int64(finer), -64, 64), bits),
        reset=grow.draw(st.sampled_from(AdaptiveLIF.resets)),
        adapts_on=grow.draw(st.sampled_from(AdaptiveLIF.sides)),
    )


def _resonating(
    grow: Growing, channels: int, frac: np.ndarray, message_bits: int, both: bool | None = None
) -> ResonateAndFire:
    """Return resonators with a real drive, or with `both` parts of one."""
    bits, limit, _ = _widths(grow)
    if both is None:
        both = channels % 2 == 0 and grow.draw(st.booleans())
    size = channels // 2 if both else channels
    halves = frac.reshape(-1, size)
    own = _own_unit(grow, halves[0], message_bits)
    if both:  # of the finer of both parts, so that neither shifts too far
        own = np.minimum(own, halves.min(axis=0))
    width, rng = grow.draw(st.sampled_from([16, 16, 12, 8])), grow.rng
    radius = rng.choice([1.0, 0.999, rng.random()], size)
    angle = rng.choice([0, np.pi, np.pi / 4, -np.pi / 2, *rng.uniform(-np.pi, np.pi, 3)], size)
    a_re, a_im = project_poles(radius * np.cos(angle), radius * np.sin(angle), width)
    return ResonateAndFire(
        a_re=integers(a_re, width - 1, width),
        a_im=integers(a_im, width - 1, width),
        theta=integers(np.maximum(np.abs(grow.filled((size,), limit)), 1), own, bits),
        reset=grow.draw(st.sampled_from(ResonateAndFire.resets)),
        drive="complex" if both else "real",
    )


NEURONS = {"lif": _neuron, "adaptive_lif": _adapting, "resonator": _resonating}


def _room(fmt: Fixed, bits: int = 0) -> int:
    """Return how far messages of this format, times a factor of `bits` bits, can shift left."""
    return EXACT_BITS - 2 - fmt.bits - bits


def _sum(grow: Growing) -> None:
    sources, wanted = grow.operands(3), grow.graded()
    most = min(grow.format(name).frac + _room(grow.format(name)) for name in sources)
    out = Fixed(wanted.bits, min(wanted.frac, most))
    grow.add("sum", Sum(channels=grow.nodes[sources[0]].out_channels, out=out), sources)


def _product(grow: Growing) -> None:
    sources, wanted = grow.operands(2), grow.graded()
    if len(sources) < 2:
        return _sum(grow)
    left, right = (grow.format(name) for name in sources)
    most = left.frac + right.frac + _room(left, right.bits)
    out = Fixed(wanted.bits, max(-30, min(wanted.frac, most)))
    grow.add("product", Product(channels=grow.nodes[sources[0]].out_channels, out=out), sources)


def _piecewise(grow: Growing) -> None:
    sources, out = grow.adding(), grow.graded()
    fmt, segments = grow.format(sources[0]), grow.draw(st.sampled_from(SEGMENTS))
    bits = grow.draw(st.sampled_from([4, 12, 16, 24]))
    right = grow.integer(-_room(Fixed(24), bits), 20)
    frac = min(max(right - fmt.frac + out.frac, -64), 64)
    knots = np.sort(grow.filled((segments - 1,), fmt.high))
    grow.add(
        "piecewise",
        PiecewiseLinear(
            function="gelu",
            max_error=0.1,
            channels=grow.nodes[sources[0]].out_channels,
            knots=integers(knots, fmt.frac, 24),
            slopes=integers(grow.filled((segments,), symmetric_limit(bits)), frac, bits),
            offsets=integers(grow.filled((segments,), out.high), out.frac, 24),
            out=out,
        ),
        sources,
    )


def _accumulate(grow: Growing) -> None:
    sources, wanted = grow.adding(), grow.graded()
    fmt, steps = grow.format(sources[0]), grow.integer(1, 4)
    out = Fixed(wanted.bits, min(wanted.frac, fmt.frac + 28))
    widths = [b for b in range(1, 25) if steps * symmetric_limit(b) <= out.high]
    # declared steps may be fewer than those that run: then the sum itself saturates
    node = Accumulate(
        channels=grow.nodes[sources[0]].out_channels,
        steps=steps,
        term_bits=grow.draw(st.sampled_from(widths[-2:])),
        out=out,
    )
    grow.add("accumulate", node, sources)


def _delay(grow: Growing) -> None:
    source = grow.one()
    channels = grow.nodes[source].out_channels
    grow.add("delay", _waiting(grow, channels, grow.format(source)), [source])


def _waiting(grow: Growing, channels: int, out: Fixed) -> Delay:
    several = grow.draw(st.booleans())
    return Delay(
        channels=channels, steps=grow.rng.integers(1, 5, channels if several else 1), out=out
    )


def _weights(grow: Growing, shape: tuple[int, int], frac: int, out: Fixed) -> Affine:
    weight = Quantized(grow.rng.integers(-127, 128, shape), frac, 8)
    bias = Quantized(grow.rng.integers(-99, 99, shape[0]), out.frac, 24)
    return Affine(weight=weight, bias=bias, out=out)


def _spiking_loop(grow: Growing) -> None:
    """Neurons that get their own spikes back through synapses."""
    source, channels = grow.one(), grow.integer(1, 4)
    kind = grow.draw(st.sampled_from(["lif", "lif", "adaptive_lif", "resonator"]))
    arriving, frac = grow.format(source), grow.integer(-2, 9)
    out = Fixed(24, arriving.frac + frac)
    into = _weights(grow, (channels, grow.nodes[source].out_channels), frac, out)
    start = grow.add("into", into, [source])
    made = NEURONS[kind](grow, channels, np.full(channels, out.frac), 24)
    neuron, spikes = grow.add(kind, made, [start]), made.out_channels
    later = grow.add("later", _waiting(grow, spikes, Fixed.binary()), [neuron])
    back = grow.add("back", _weights(grow, (channels, spikes), out.frac, out), [later])
    grow.edges.append((back, neuron))


def _graded_loop(grow: Growing) -> None:
    """A sum that gets a part of itself back; its delay may have a unit of its own."""
    source = grow.one()
    channels = grow.nodes[source].out_channels
    total = Fixed(grow.integer(4, 24), grow.integer(-4, 12))
    node = grow.add("sum", Sum(channels=channels, out=total), [source])
    held = total if grow.draw(st.booleans()) else Fixed(grow.integer(4, 20), grow.integer(-4, 12))
    later = grow.add("later", _waiting(grow, channels, held), [node])
    frac = grow.integer(0, 9)
    out = Fixed(24, held.frac + frac)
    back = grow.add("back", _weights(grow, (channels, channels), frac, out), [later])
    grow.edges.append((back, node))


GROW = {
    "affine": _affine,
    "conv": _conv,
    "ssm": _ssm,
    "threshold": _threshold,
    "sum": _sum,
    "product": _product,
    "piecewise": _piecewise,
    "accumulate": _accumulate,
    "ternary": _ternary,
    "lif": _lif,
    "embedding": _embedding,
    "rows": _rows,
    "delay": _delay,
    "spiking_loop": _spiking_loop,
    "graded_loop": _graded_loop,
    "adaptive": _adaptive,
    "complex": _complex,
    "adaptive_lif": _adaptive_lif,
    "resonator": _resonator,
}
