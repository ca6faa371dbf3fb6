"""Sums of synapses: what `Affine` and `Conv2d` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from neurossm.fixed import (
    ACCUMULATOR_BITS,
    WEIGHT_BITS,
    Quantized,
    accumulator_bound,
    shift,
    symmetric_limit,
)
from neurossm.nodes.arriving import Arriving, Finding, same
from neurossm.nodes.step import Integers, Step
from neurossm.nodes.values import Array

Column = Callable[[int], tuple[Integers, Integers]]


def only_adds(weight: Array) -> bool:
    """Return whether integer weights are -1, 0 and 1 times one power of two.

    Graded spikes are then added or subtracted, and nothing is multiplied.
    """
    if not isinstance(weight, Quantized):
        return False
    magnitudes = np.abs(weight.values)
    largest = int(magnitudes.max())
    alike = np.all((magnitudes == 0) | (magnitudes == largest))
    return bool(alike) and largest.bit_count() <= 1


def findings(weight: Quantized, bias: Quantized, out_frac: int, at: Arriving) -> Iterator[Finding]:
    """Yield what breaks the rules of weights ``(O, ...)``, their exponents and their sums."""
    if weight.bits > WEIGHT_BITS:
        yield f"{WEIGHT_BITS}-bit weights", f"{weight.bits} bits"
        return
    added = weight.frac + at.frac
    yield from same("output exponent", int(np.min(added)), out_frac)
    if isinstance(added, int):
        yield from same("bias exponent", out_frac, bias.frac)
    elif not np.array_equal(added, np.asarray(bias.frac)):
        yield "the exponent of weights and input for each bias", f"{bias.frac}"
    rows = weight.values.reshape(len(weight.values), -1)
    bound = sum(accumulator_bound(rows, fmt.high) for fmt in at.formats)
    bound += int(np.abs(bias.values).max(initial=0))
    # Lava carries mixed-sign weights as even numbers, so its accumulator sees twice the sum
    if 2 * bound > symmetric_limit(ACCUMULATOR_BITS):
        expected = f"twice the largest sum below 2**{ACCUMULATOR_BITS - 1}"
        yield expected, f"2 * {bound}", _narrower(2 * bound, weight.bits, at)


def synaptic_sum(at: Step, columns: Column, inputs: int, outputs: int, adds: bool) -> Integers:
    """Return what the synapses of a step add up to, ``(B, outputs)``, and count them.

    Parameters
    ----------
    at
        The step.
    columns
        From an input to the outputs that its synapses lead to, and their weights; none is 0.
    inputs, outputs
        Channels in and out.
    adds
        Whether all weights are -1, 0 and 1 times one power of two.
    """
    acc = np.zeros_like(at.operands[0], shape=(len(at.operands[0]), outputs))
    for message, fmt in zip(at.operands, at.formats, strict=True):
        for channel in range(inputs):
            # a synapse is there where its weight is not 0, and works where an activation arrives
            synapses, column = columns(channel)
            here = np.flatnonzero(message[:, channel])
            arriving = message[here, channel]
            at.count(syn_ops=len(here) * len(synapses))
            if fmt.kind == "binary":
                acc[here[:, None], synapses] += column
            elif fmt.kind == "ternary":
                acc[here[arriving > 0][:, None], synapses] += column
                acc[here[arriving < 0][:, None], synapses] -= column
            elif adds:
                _add_messages(acc, synapses, column, here, arriving)
            else:
                acc[here[:, None], synapses] += arriving[:, None] * column
                at.count(synaptic_multiplies=len(here) * len(synapses))
    return acc


def _narrower(sums: int, weight_bits: int, at: Arriving) -> str:
    """Return what brings sums that are too large for the accumulator into it."""
    over = sums.bit_length() - (ACCUMULATOR_BITS - 1)
    messages = max(fmt.bits for fmt in at.formats) - over
    ways = ((weight_bits - over, "quantize with --weights {}"),
            (messages, "take messages of at most {} bits in front of it"))  # fmt: skip
    return ", or ".join(way.format(bits) for bits, way in ways if bits > 1)


def _add_messages(
    acc: Integers, synapses: Integers, column: Integers, here: Integers, messages: Integers
) -> None:
    """Add or subtract shifted activations: the weights are -1 and 1 times one power of two."""
    if len(synapses):
        moved = shift(messages, 1 - int(np.abs(column[0])).bit_length())[:, None]
        acc[here[:, None], synapses[column > 0]] += moved
        acc[here[:, None], synapses[column < 0]] -= moved
