"""Synapses: a linear map without memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import (
    ACCUMULATOR_BITS,
    WEIGHT_BITS,
    Quantized,
    accumulator_bound,
    shift,
    symmetric_limit,
)
from neurossm.nodes.arriving import Arriving, Finding, same
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.span import FanIn, Found, Register, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.traits import Meets, Role
from neurossm.nodes.values import Array, integers, mantissas, quantized, reals


@node
class Affine(Node):
    """Synapses: ``y = W u + b``.

    Integer: the sum of 8-bit mantissas times activations is exact in a 32-bit accumulator; the bias
    is added at the neuron and the result saturates: ``y = sat(W u + b)`` with
    ``out.frac = weight.frac + u.frac``. Where all that receives it is a `LIF` or a threshold with
    no other source, each row may have an exponent of its own: such neurons compare a channel with
    nothing but itself. Then `message_frac` has that of each channel and ``out.frac`` the least.
    Where ``u`` is binary or ternary, weights are added and
    subtracted and nothing is multiplied; where all weights are ternary, activations are.

    A weight of 0 is no synapse in any case: nothing is added or counted for it. `sparse` says that
    most are, so that only the others are stored, executed and placed one by one; it changes no
    number.

    Parameters
    ----------
    weight
        ``(out, in)``; one exponent for the tensor, or one a row.
    bias
        ``(out,)``; integers with the exponents of the output, one a row where the weight has so.
    sparse
        Whether files, executors, Lava and placement keep the weights that are not 0 only.
    """

    weight: Array = parameter("OI", bits="weight_bits", label="weights")
    bias: Array = parameter("O")
    sparse: bool = False

    role: ClassVar[Role] = Role.SYNAPSES
    meets: ClassVar[Meets] = Meets.ACCUMULATE
    message_reason: ClassVar[str] = "exact: fraction bits of weights and messages add up"

    @property
    def in_channels(self) -> int:
        """Columns of the weight."""
        return self.weight.shape[1]

    @property
    def out_channels(self) -> int:
        """Rows of the weight."""
        return self.weight.shape[0]

    @property
    def sparse_fields(self) -> tuple[str, ...]:
        """Its weight, where it is sparse."""
        return ("weight",) if self.sparse else ()

    @property
    def synapses(self) -> int:
        """Weights that are not 0."""
        return int(np.count_nonzero(mantissas(self.weight)))

    @property
    def density(self) -> float:
        """Share of the weights that are not 0."""
        return self.synapses / (self.in_channels * self.out_channels)

    @property
    def updates(self) -> int:
        """None: its sums are those of the neurons that receive them."""
        return 0

    @property
    def only_adds(self) -> bool:
        """True for ternary integer weights: -1, 0 and 1 times one power of two.

        Graded spikes are then added or subtracted, and nothing is multiplied.
        """
        if not isinstance(self.weight, Quantized):
            return False
        magnitudes = np.abs(self.weight.values)
        largest = int(magnitudes.max())
        alike = np.all((magnitudes == 0) | (magnitudes == largest))
        return bool(alike) and largest.bit_count() <= 1

    @property
    def message_frac(self) -> int | NDArray[np.int64]:
        """Fraction bits of what it sends; by channel where the rows have exponents of their own."""
        frac = self.bias.frac if isinstance(self.bias, Quantized) else 0
        return format_of(self).frac if isinstance(frac, int) else frac

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the rules of weights, their exponents and their sums."""
        weight, bias, out = quantized(self.weight), quantized(self.bias), format_of(self)
        if weight.bits > WEIGHT_BITS:
            yield f"{WEIGHT_BITS}-bit weights", f"{weight.bits} bits"
            return
        added = weight.frac + at.frac
        yield from same("output exponent", int(np.min(added)), out.frac)
        if isinstance(added, int):
            yield from same("bias exponent", out.frac, bias.frac)
        elif not np.array_equal(added, np.asarray(bias.frac)):
            yield "the exponent of weights and input for each bias", f"{bias.frac}"
        bound = sum(accumulator_bound(weight.values, fmt.high) for fmt in at.formats)
        bound += int(np.abs(bias.values).max(initial=0))
        # Lava carries mixed-sign weights as even numbers, so its accumulator sees twice the sum
        if 2 * bound > symmetric_limit(ACCUMULATOR_BITS):
            expected = f"twice the largest sum below 2**{ACCUMULATOR_BITS - 1}"
            yield expected, f"2 * {bound}", _narrower(2 * bound, weight.bits, at)

    def bound(self, at: FanIn) -> Found:
        """Sum the larger end of each term; twice, in any order, in the accumulator."""
        # its edges meet in the accumulator, not at the entry
        u, weight, bias = at.total, reals(self.weight), reals(self.bias)
        up, down = np.maximum(weight, 0), np.minimum(weight, 0)
        span = Span(up @ u.low + down @ u.high + bias, up @ u.high + down @ u.low + bias)
        sent, registers = at.message(span)
        if not registers:
            return sent, ()
        # twice, as Lava carries mixed-sign weights as even numbers
        l1 = 2 * (np.abs(weight) @ sum(m.magnitude for m in at.operands) + np.abs(bias))
        return sent, (Register("accumulator", l1, at.unit, ACCUMULATOR_BITS), *registers)

    def notices(self, at: Change) -> Reals:
        """Return what matters behind its weights, each row by itself."""
        return np.asarray((at.own[:, None] / np.abs(reals(self.weight))).min(axis=0))

    def dense(self, operands: int) -> DenseOperations:
        """Return one MAC a weight and edge."""
        return DenseOperations(matrix_macs=operands * self.in_channels * self.out_channels)

    @property
    def extent(self) -> str:
        """Channels in and out."""
        return f"{self.in_channels} → {self.out_channels}"

    @property
    def note(self) -> str:
        """Whether weights are only added or subtracted; how many there are where it is sparse."""
        notes = ["ternary weights"] if self.only_adds else []
        if self.sparse:
            notes.append(f"sparse: {self.synapses:,} synapses, density {self.density:.1%}")
        return ", ".join(notes)

    def step(self, at: Step) -> Integers:
        """Add up the synapses at which activations arrive, then the bias; saturate."""
        weight = integers(self.weight)
        acc = np.zeros_like(at.operands[0], shape=(len(at.operands[0]), self.out_channels))
        for message, fmt in zip(at.operands, at.formats, strict=True):
            for channel in range(self.in_channels):
                # a synapse is there where its weight is not 0, and works where an activation
                # arrives
                synapses = np.flatnonzero(weight[:, channel])
                here = np.flatnonzero(message[:, channel])
                column, arriving = weight[synapses, channel], message[here, channel]
                at.count(syn_ops=len(here) * len(synapses))
                if fmt.kind == "binary":
                    acc[here[:, None], synapses] += column
                elif fmt.kind == "ternary":
                    acc[here[arriving > 0][:, None], synapses] += column
                    acc[here[arriving < 0][:, None], synapses] -= column
                elif self.only_adds:
                    _add_messages(acc, synapses, column, here, arriving)
                else:
                    acc[here[:, None], synapses] += arriving[:, None] * column
                    at.count(synaptic_multiplies=len(here) * len(synapses))
        return at.saturate(acc + integers(self.bias), format_of(self).bits)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Multiply by one matrix, not a stack of small ones: a single call of the BLAS."""
        u = added(operands)
        flat = u.reshape(-1, u.shape[-1]) @ reals(self.weight).T + reals(self.bias)
        return Evaluated(flat.reshape(*u.shape[:-1], -1), {})


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
