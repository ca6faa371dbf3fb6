"""The specification: one time step and one node at a time, in plain integers.

Every other executor equals this one bit for bit. All arrays carry the samples in front, ``(B, C)``.
To add a node: write its step function and enter it in `STEPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Fixed, saturate, shift
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
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
from neurossm.trace import Counts, Trace

Integers = NDArray[np.int64]
State = dict[str, Integers]
StepFunction = Callable[..., Integers]


@dataclass
class Step:
    """What a node meets at one time step: its operands, its state and its counters.

    `frac_by_channel` are the fraction bits of the input where they differ by channel.
    """

    operands: list[Integers]
    formats: list[Fixed]
    state: State
    counts: Counts
    frac_by_channel: Integers | None = None

    @property
    def u(self) -> Integers:
        """The one input of a node whose edges add, saturated on entry."""
        if len(self.operands) == 1:
            return self.operands[0]
        return self.saturate(sum_of(self.operands), Fixed(24).bits)

    @property
    def frac(self) -> int:
        """Fraction bits of the input."""
        return self.formats[0].frac

    def saturate(self, values: Integers, bits: int) -> Integers:
        """Saturate and count."""
        clipped, count = saturate(values, bits)
        self.count(saturations=count)
        return clipped

    def count(self, **more: int) -> None:
        """Add to the counters."""
        self.counts = replace(
            self.counts, **{key: getattr(self.counts, key) + n for key, n in more.items()}
        )


def run(
    graph: Graph,
    inputs: dict[str, Integers],
    record: tuple[str, ...],
    steps_of: Mapping[type[Node], StepFunction] | None = None,
    lengths: Lengths | None = None,
) -> Trace:
    """Run an integer graph.

    Parameters
    ----------
    graph
        Integer graph.
    inputs
        Name of `Input` to integers ``(B, T, C)``, checked by the caller against its format.
    record
        Names of the nodes whose values are kept.
    steps_of
        What each type of node does in a step, `STEPS` by default; for who watches the steps.
    lengths
        Steps of each sequence ``(B,)``, checked by the caller; one that has ended takes no part in
        any step behind. None: all have T.
    """
    table = STEPS if steps_of is None else steps_of
    samples, steps = next(iter(inputs.values())).shape[:2]
    states = {name: initial_state(node, samples) for name, node in graph.nodes.items()}
    counts = {name: Counts() for name in graph.nodes}
    values = {
        name: np.zeros((samples, steps, graph.nodes[name].out_channels), np.int64)
        for name in record
    }
    for t in range(steps):
        here = slice(None) if lengths is None else np.flatnonzero(lengths > t)
        sent: dict[str, Integers] = {}
        for name in graph.order:
            node = graph.nodes[name]
            if isinstance(node, Input):
                sent[name] = np.asarray(inputs[name][here, t], dtype=np.int64)
                operands: list[Integers] = []
            else:
                operands = [sent[source] for source in graph.sources[name]]
                formats, by_channel = _formats(graph, name)
                state = {part: array[here] for part, array in states[name].items()}
                step = Step(operands, formats, state, counts[name], by_channel)
                sent[name] = table[type(node)](node, step)
                counts[name] = step.counts
                for part, array in step.state.items():
                    states[name][part][here] = array
            fired = _messages(sent[name], name in graph.vocabularies)
            counts[name] += Counts(
                spikes_in=sum(_messages(u, isinstance(node, Embedding)) for u in operands),
                spikes_out=fired,
                axon_out=fired * len(graph.targets[name]),
            )
            if name in values:
                values[name][here, t] = sent[name]
    final = {
        f"{name}.{part}": array for name, state in states.items() for part, array in state.items()
    }
    return Trace("reference", values, samples, steps, final, counts, lengths=lengths)


def initial_state(node: Node, samples: int) -> State:
    """Return the state of a node before the first step: zeros."""
    if isinstance(node, DiagonalSSM):
        shape = (samples, node.in_channels, node.modes)
        return {"re": np.zeros(shape, np.int64), "im": np.zeros(shape, np.int64)}
    if isinstance(node, Accumulate):
        return {"sum": np.zeros((samples, node.channels), np.int64)}
    if isinstance(node, LIF):
        parts = ("u", "r") if node.has_trace else ("u",)
        return {part: np.zeros((samples, node.in_channels), np.int64) for part in parts}
    return {}


def sum_of(operands: list[Integers]) -> Integers:
    """Return the exact sum of arrays of one shape."""
    total = operands[0]
    for operand in operands[1:]:
        total = total + operand
    return total


def _output(node: Output, step: Step) -> Integers:
    return step.operands[0]


def _affine(node: Affine, step: Step) -> Integers:
    weight, bias = _integers(node.weight), _integers(node.bias)
    samples = len(step.operands[0])
    acc = np.zeros_like(step.operands[0], shape=(samples, node.out_channels))
    for message, fmt in zip(step.operands, step.formats, strict=True):
        for channel in range(node.in_channels):
            # a synapse is there where its weight is not 0, and works where a message arrives
            synapses = np.flatnonzero(weight[:, channel])
            here = np.flatnonzero(message[:, channel])
            column, arriving = weight[synapses, channel], message[here, channel]
            step.count(syn_ops=len(here) * len(synapses))
            if fmt.kind == "binary":
                acc[here[:, None], synapses] += column
            elif fmt.kind == "ternary":
                acc[here[arriving > 0][:, None], synapses] += column
                acc[here[arriving < 0][:, None], synapses] -= column
            elif node.only_adds:
                _add_messages(acc, synapses, column, here, arriving)
            else:
                acc[here[:, None], synapses] += arriving[:, None] * column
                step.count(synaptic_multiplies=len(here) * len(synapses))
    return step.saturate(acc + bias, format_of(node).bits)


def _add_messages(
    acc: Integers, synapses: Integers, column: Integers, here: Integers, messages: Integers
) -> None:
    """Add or subtract shifted messages: the weights are -1 and 1 times one power of two."""
    if len(synapses):
        moved = shift(messages, 1 - int(np.abs(column[0])).bit_length())[:, None]
        acc[here[:, None], synapses[column > 0]] += moved
        acc[here[:, None], synapses[column < 0]] -= moved


def _diagonal_ssm(node: DiagonalSSM, step: Step) -> Integers:
    a_re, a_im, b_re, b_im = (quantized(p) for p in (node.a_re, node.a_im, node.b_re, node.b_im))
    c_re, c_im, d, drive = (quantized(p) for p in (node.c_re, node.c_im, node.d, node.drive_re))
    u = step.u
    state_frac, out = drive.frac_by_channel(), format_of(node)
    pole = a_re.frac_by_channel()
    b_shift = b_re.frac_by_channel() + step.frac - state_frac
    c_shift = c_re.frac_by_channel() + state_frac - 1 - out.frac
    d_shift = d.frac_by_channel() + step.frac - out.frac

    re, im, drive_u = step.state["re"], step.state["im"], u[:, :, None]
    new_re = (
        shift(a_re.values * re, pole)
        - shift(a_im.values * im, pole)
        + shift(b_re.values * drive_u, b_shift)
        + _integers(node.drive_re)
    )
    new_im = (
        shift(a_re.values * im, pole)
        + shift(a_im.values * re, pole)
        + shift(b_im.values * drive_u, b_shift)
        + _integers(node.drive_im)
    )
    re = step.state["re"] = step.saturate(new_re, drive.bits)
    im = step.state["im"] = step.saturate(new_im, drive.bits)
    step.count(dendrite_updates=re.size)

    terms = shift(c_re.values * re, c_shift) - shift(c_im.values * im, c_shift)
    y = terms.sum(axis=2) + shift(d.values * u, d_shift) + _integers(node.bias)
    return step.saturate(y, out.bits)


def _threshold(node: Threshold, step: Step) -> Integers:
    step.count(dendrite_updates=step.operands[0].size)
    return np.asarray(step.u >= _integers(node.theta), dtype=np.int64)


def _ternary_threshold(node: TernaryThreshold, step: Step) -> Integers:
    u = step.u
    step.count(dendrite_updates=u.size)
    up, down = u >= _integers(node.delta), u <= -_integers(node.delta)
    return np.asarray(np.where(up, 1, np.where(down, -1, 0)), dtype=np.int64)


def _lif(node: LIF, step: Step) -> Integers:
    theta, bits, state = _integers(node.theta), quantized(node.theta).bits, step.state
    trace = state.get("r", np.zeros_like(state["u"]))
    own, leak = quantized(node.theta).frac_by_channel(), int(quantized(node.tau).frac)
    arriving = step.frac if step.frac_by_channel is None else step.frac_by_channel
    entering = shift(step.u, arriving - own)
    membrane = step.saturate(shift(_integers(node.tau) * state["u"], leak) + entering, bits)
    above = membrane - trace if node.has_trace else membrane
    fires = above >= theta  # a spike selects: nothing is multiplied by it
    if node.reset != "none":
        after = membrane - theta if node.reset == "soft" else np.zeros_like(membrane)
        state["u"] = np.where(fires, after, membrane)
    else:
        state["u"] = membrane
    if node.has_trace:
        left = shift(_integers(node.rho) * trace, leak)
        state["r"] = step.saturate(left + np.where(fires, _integers(node.kappa), 0), bits)
    step.count(dendrite_updates=fires.size * len(state))
    return np.asarray(fires, dtype=np.int64)


def _embedding(node: Embedding, step: Step) -> Integers:
    (tokens,) = step.operands
    step.count(syn_ops=tokens.size * node.out_channels)
    return _integers(node.table)[tokens[:, 0]]


def _sum(node: Sum, step: Step) -> Integers:
    out = format_of(node)
    aligned = [
        shift(operand, fmt.frac - out.frac)
        for operand, fmt in zip(step.operands, step.formats, strict=True)
    ]
    step.count(dendrite_updates=aligned[0].size)
    return step.saturate(sum_of(aligned), out.bits)


def _product(node: Product, step: Step) -> Integers:
    out, (left, right) = format_of(node), step.operands
    step.count(dendrite_updates=left.size)
    frac = step.formats[0].frac + step.formats[1].frac
    return step.saturate(shift(left * right, frac - out.frac), out.bits)


def _piecewise_linear(node: PiecewiseLinear, step: Step) -> Integers:
    slopes, out, u = quantized(node.slopes), format_of(node), step.u
    segment = np.count_nonzero(u[..., None] >= _integers(node.knots), axis=-1)
    step.count(dendrite_updates=u.size)
    product = slopes.values[segment] * u
    y = shift(product, int(slopes.frac) + step.frac - out.frac) + _integers(node.offsets)[segment]
    return step.saturate(y, out.bits)


def _accumulate(node: Accumulate, step: Step) -> Integers:
    out = format_of(node)
    term = step.saturate(shift(step.u, step.frac - out.frac), node.term_bits)
    total = step.state["sum"] = step.saturate(step.state["sum"] + term, out.bits)
    step.count(dendrite_updates=total.size)
    return total


STEPS: dict[type[Node], StepFunction] = {
    Output: _output,
    Affine: _affine,
    DiagonalSSM: _diagonal_ssm,
    Threshold: _threshold,
    Sum: _sum,
    Product: _product,
    PiecewiseLinear: _piecewise_linear,
    Accumulate: _accumulate,
    TernaryThreshold: _ternary_threshold,
    LIF: _lif,
    Embedding: _embedding,
}


def _messages(values: Integers, tokens: bool) -> int:
    """Return how many messages these values are: those that are not zero, but every token."""
    return int(values.size if tokens else np.count_nonzero(values))


def _formats(graph: Graph, name: str) -> tuple[list[Fixed], Integers | None]:
    senders = [graph.nodes[source] for source in graph.sources[name]]
    frac = message_frac(senders[0])  # by channel from a sole source
    return [format_of(node) for node in senders], None if isinstance(frac, int) else frac


def _integers(parameter: object) -> Integers:
    return quantized(parameter).values
