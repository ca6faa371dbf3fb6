"""The static side of the integer contract: what must hold in a graph before its integers run.

Formats that belong together agree, poles lie inside the unit circle, and no sum can leave the width
in which it is formed. `problems` finds all of them; nothing is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import (
    ACCUMULATOR_BITS,
    LEAK_FRAC,
    MESSAGE_BITS,
    POLE_BITS,
    STATE_BITS,
    WEIGHT_BITS,
    WIDEST_LEAK_FRAC,
    Fixed,
    Quantized,
    accumulator_bound,
    symmetric_limit,
)
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Meets,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
    format_of,
    message_frac,
    quantized,
)

EXACT = 2**52  # integers up to here are exact in the float64 of the fast engine, with room to add


@dataclass(frozen=True)
class Problem:
    """One reason why a node does not meet the contract."""

    node: str
    expected: str
    got: str
    remedy: str = ""

    def error(self) -> GraphError:
        """Return it as an exception."""
        return GraphError(
            f"node {self.node!r}", expected=self.expected, got=self.got, remedy=self.remedy
        )


Finding = tuple[str, str]
Frac = int | NDArray[np.int64]


def problems(graph: Graph) -> tuple[Problem, ...]:
    """Return every violation of the integer contract, in graph order; empty means it can run."""
    found = []
    for name in graph.order:
        node = graph.nodes[name]
        if not node.is_integer:
            found.append(
                Problem(
                    name,
                    "an integer node",
                    f"a float {type(node).__name__}",
                    "quantize the graph first",
                )
            )
    if found:  # formats are missing: nothing else can be checked
        return tuple(found)
    for name in graph.order:
        node = graph.nodes[name]
        formats = [graph.nodes[source].out for source in graph.sources[name]]
        arriving = [fmt for fmt in formats if fmt is not None]
        for expected, got in (
            *_entry(node, arriving),
            *_check(graph, name, arriving),
            *_receivers(graph, name),
        ):
            found.append(Problem(name, expected, got))
    return tuple(found)


def require(graph: Graph) -> None:
    """Raise the first of `problems` as a `GraphError`, if there is one."""
    for problem in problems(graph):
        raise problem.error()


def _check(graph: Graph, name: str, arriving: list[Fixed]) -> Iterator[Finding]:
    node = graph.nodes[name]
    if type(node) in COMPARING:  # they keep the exponent of each channel by itself
        frac = message_frac(graph.nodes[graph.sources[name][0]])
        yield from COMPARING[type(node)](node, arriving, frac)
    else:
        yield from CHECKS[type(node)](node, arriving)


def _receivers(graph: Graph, name: str) -> Iterator[Finding]:
    # exponents by channel mean something only where channels are compared with themselves
    if isinstance(message_frac(graph.nodes[name]), int):
        return
    for target in graph.targets[name]:
        kind, sources = type(graph.nodes[target]), len(graph.sources[target])
        if kind not in COMPARING or sources > 1:
            expected = "one exponent, or a LIF or threshold with no other source behind each row's"
            yield expected, f"{target!r} ({kind.__name__}) with {sources} sources"


def _entry(node: Node, arriving: list[Fixed]) -> Iterator[Finding]:
    # what holds for every node: graded results, and a sum of edges that fits
    spikes = isinstance(node, Input | Output | Threshold | TernaryThreshold | LIF)
    if not spikes and format_of(node).is_spike:
        yield "graded messages from a node that computes", str(node.out)
    largest = sum(fmt.high for fmt in arriving)
    # an Affine sums synapses, not messages, and has a bound of its own
    adds = node.meets in (Meets.ADD, Meets.ONE)
    if adds and largest > symmetric_limit(ACCUMULATOR_BITS):
        yield f"edges whose sum stays within {ACCUMULATOR_BITS} bits", f"up to {largest}"


def _input(node: Input, arriving: list[Fixed]) -> Iterator[Finding]:
    yield from ()


def _output(node: Output, arriving: list[Fixed]) -> Iterator[Finding]:
    if node.out != arriving[0]:
        yield f"the format {arriving[0]} that arrives", str(node.out)


def _affine(node: Affine, arriving: list[Fixed]) -> Iterator[Finding]:
    weight, bias, out = quantized(node.weight), quantized(node.bias), format_of(node)
    if weight.bits > WEIGHT_BITS:
        yield f"{WEIGHT_BITS}-bit weights", f"{weight.bits} bits"
        return
    added = weight.frac + arriving[0].frac
    yield from _same("output exponent", int(np.min(added)), out.frac)
    if isinstance(added, int):
        yield from _same("bias exponent", out.frac, bias.frac)
    elif not np.array_equal(added, np.asarray(bias.frac)):
        yield "the exponent of weights and input for each bias", f"{bias.frac}"
    bound = sum(accumulator_bound(weight.values, fmt.high) for fmt in arriving)
    bound += int(np.abs(bias.values).max(initial=0))
    # Lava carries mixed-sign weights as even numbers, so its accumulator sees twice the sum
    if 2 * bound > symmetric_limit(ACCUMULATOR_BITS):
        yield f"twice the largest sum below 2**{ACCUMULATOR_BITS - 1}", f"2 * {bound}"


def _diagonal_ssm(node: DiagonalSSM, arriving: list[Fixed]) -> Iterator[Finding]:
    a_re, a_im, b_re, b_im = (quantized(p) for p in (node.a_re, node.a_im, node.b_re, node.b_im))
    c_re, c_im, d, drive = (quantized(p) for p in (node.c_re, node.c_im, node.d, node.drive_re))
    bias, out, u = quantized(node.bias), format_of(node), arriving[0]
    for pole in (a_re, a_im):
        if pole.bits > POLE_BITS or pole.bits != a_re.bits:
            yield f"poles of at most {POLE_BITS} bits", f"{pole.bits} bits"
        yield from _same("pole exponent", a_re.bits - 1, pole.frac)
    if np.any(a_re.values**2 + a_im.values**2 >= 2 ** (2 * (a_re.bits - 1))):
        yield "poles inside the unit circle", "one on or outside it"
    for parameter in (b_re, b_im, c_re, c_im, d):
        if parameter.bits > WEIGHT_BITS:
            yield f"gains of {WEIGHT_BITS} bits", f"{parameter.bits} bits"
    for label, left, right in (("b", b_re, b_im), ("c", c_re, c_im)):
        if not np.array_equal(left.frac_by_channel(), right.frac_by_channel()):
            yield f"one exponent for both parts of {label}", "two"
    if drive.bits > STATE_BITS:
        yield f"a state of at most {STATE_BITS} bits", f"{drive.bits}"
    yield from _same("bias exponent", out.frac, bias.frac)

    state_frac = drive.frac_by_channel()
    message = symmetric_limit(MESSAGE_BITS)
    state = symmetric_limit(STATE_BITS)
    b_shift = b_re.frac_by_channel() + u.frac - state_frac
    c_shift = c_re.frac_by_channel() + state_frac - 1 - out.frac
    d_shift = d.frac_by_channel() + u.frac - out.frac
    b_largest = np.maximum(np.abs(b_re.values), np.abs(b_im.values))
    driven = np.ldexp(b_largest * float(message), -b_shift).max(initial=0.0)
    readout = np.ldexp((np.abs(c_re.values) + np.abs(c_im.values)) * float(state), -c_shift)
    read = readout.sum(axis=1).max() + np.ldexp(np.abs(d.values) * float(message), -d_shift).max()
    for label, bound in (("drive", driven), ("readout", read)):
        if bound > EXACT:
            yield f"a {label} that stays below 2**52", f"up to {bound:g}"


def _threshold(node: Threshold, arriving: list[Fixed], frac: Frac) -> Iterator[Finding]:
    yield from _alike("threshold exponent", frac, quantized(node.theta))


def _ternary_threshold(
    node: TernaryThreshold, arriving: list[Fixed], frac: Frac
) -> Iterator[Finding]:
    yield from _alike("threshold exponent", frac, quantized(node.delta))


def _lif(node: LIF, arriving: list[Fixed], frac: Frac) -> Iterator[Finding]:
    theta, kappa, tau = quantized(node.theta), quantized(node.kappa), quantized(node.tau)
    yield from _alike("exponent of kappa", theta.frac, kappa)
    if not isinstance(tau.frac, int) or not LEAK_FRAC <= tau.frac <= WIDEST_LEAK_FRAC:
        yield f"one leak exponent, {LEAK_FRAC} to {WIDEST_LEAK_FRAC}", str(tau.frac)
        return
    yield from _same("leak exponent", tau.frac, quantized(node.rho).frac)
    # several edges saturate on entry, before the shift
    high = min(sum(fmt.high for fmt in arriving), symmetric_limit(MESSAGE_BITS))
    largest = float(np.ldexp(float(high), np.max(theta.frac_by_channel() - frac)))
    if largest > EXACT:
        yield "an input that stays below 2**52 at the membrane's exponent", f"up to {largest:g}"
    if theta.bits > STATE_BITS or kappa.bits > theta.bits:
        expected = f"a state of at most {STATE_BITS} bits, and kappa within it"
        yield expected, f"{theta.bits}, and {kappa.bits}"


def _embedding(node: Embedding, arriving: list[Fixed]) -> Iterator[Finding]:
    table, out = quantized(node.table), format_of(node)
    if table.bits > WEIGHT_BITS or not isinstance(table.frac, int):
        yield f"a table of {WEIGHT_BITS} bits with one exponent", f"{table.bits} bits"
        return
    yield from _same("output exponent", table.frac, out.frac)
    if out.bits < table.bits:
        yield f"messages as wide as the table, {table.bits} bits", f"{out.bits} bits"


def _sum(node: Sum, arriving: list[Fixed]) -> Iterator[Finding]:
    out = format_of(node)
    total = sum(float(np.ldexp(fmt.high, out.frac - fmt.frac)) for fmt in arriving)
    if total > EXACT:
        yield "operands that stay below 2**52 at the output's exponent", f"up to {total:g}"


def _product(node: Product, arriving: list[Fixed]) -> Iterator[Finding]:
    shifted = format_of(node).frac - sum(fmt.frac for fmt in arriving)
    largest = float(np.ldexp(float(arriving[0].high * arriving[1].high), shifted))
    if largest > EXACT:
        yield "a product that stays below 2**52 at the output's exponent", f"up to {largest:g}"


def _piecewise_linear(node: PiecewiseLinear, arriving: list[Fixed]) -> Iterator[Finding]:
    knots, slopes, offsets = (quantized(p) for p in (node.knots, node.slopes, node.offsets))
    out = format_of(node)
    yield from _same("knot exponent", arriving[0].frac, knots.frac)
    yield from _same("offset exponent", out.frac, offsets.frac)
    if not isinstance(slopes.frac, int):
        yield "one exponent for all slopes", "several"
        return
    shifted = out.frac - slopes.frac - arriving[0].frac
    steepest = int(np.abs(slopes.values).max())
    # slopes may be wider than 8 bits, so the product is held against the limit before its shift too
    largest = float(symmetric_limit(MESSAGE_BITS) * steepest) * 2.0 ** max(shifted, 0)
    if largest > EXACT:
        yield "segments that stay below 2**52", f"up to {largest:g}"


def _accumulate(node: Accumulate, arriving: list[Fixed]) -> Iterator[Finding]:
    out = format_of(node)
    largest = node.steps * symmetric_limit(node.term_bits)
    if largest > out.high:
        yield f"{node.steps} terms of {node.term_bits} bits within {out.bits} bits", f"{largest}"
    if out.frac - arriving[0].frac > 28:
        yield "a left shift of at most 28", str(out.frac - arriving[0].frac)


CHECKS: dict[type[Node], Callable[..., Iterator[Finding]]] = {
    Input: _input,
    Output: _output,
    Affine: _affine,
    DiagonalSSM: _diagonal_ssm,
    Sum: _sum,
    Product: _product,
    PiecewiseLinear: _piecewise_linear,
    Accumulate: _accumulate,
    Embedding: _embedding,
}
COMPARING: dict[type[Node], Callable[..., Iterator[Finding]]] = {
    Threshold: _threshold,
    TernaryThreshold: _ternary_threshold,
    LIF: _lif,
}


def _alike(what: str, expected: Frac, got: Quantized) -> Iterator[Finding]:
    if not np.array_equal(np.broadcast_to(expected, got.shape), got.frac_by_channel()):
        yield f"{what} {expected}", str(got.frac)


def _same(what: str, expected: int, got: object) -> Iterator[Finding]:
    if not isinstance(got, int) or got != expected:
        yield f"{what} {expected}", str(got)
