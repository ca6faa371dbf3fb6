"""Synapses: a linear map without memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import ACCUMULATOR_BITS, Quantized
from neurossm.nodes.arriving import Arriving, Finding
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.span import FanIn, Found, Register, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.synaptic import findings, only_adds, synaptic_sum
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
    def fan_out(self) -> Integers:
        """How many synapses each input has: the weights of its column that are not 0, ``(I,)``."""
        return np.asarray(np.count_nonzero(mantissas(self.weight), axis=0), np.int64)

    @property
    def synapses(self) -> int:
        """Weights that are not 0."""
        return int(np.count_nonzero(mantissas(self.weight)))

    @property
    def parameters(self) -> int:
        """Numbers that it keeps: of a sparse one the weights that are not 0, and the biases."""
        return self.synapses + self.out_channels if self.sparse else super().parameters

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
        return only_adds(self.weight)

    @property
    def message_frac(self) -> int | NDArray[np.int64]:
        """Fraction bits of what it sends; by channel where the rows have exponents of their own."""
        frac = self.bias.frac if isinstance(self.bias, Quantized) else 0
        return format_of(self).frac if isinstance(frac, int) else frac

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the rules of weights, their exponents and their sums."""
        weight, bias = quantized(self.weight), quantized(self.bias)
        yield from findings(weight, bias, format_of(self).frac, at)

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

        def column(channel: int) -> tuple[Integers, Integers]:
            synapses = np.flatnonzero(weight[:, channel])
            return synapses, weight[synapses, channel]

        acc = synaptic_sum(at, column, self.in_channels, self.out_channels, self.only_adds)
        return at.saturate(acc + integers(self.bias), format_of(self).bits)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Multiply by one matrix, not a stack of small ones: a single call of the BLAS."""
        u = added(operands)
        flat = u.reshape(-1, u.shape[-1]) @ reals(self.weight).T + reals(self.bias)
        return Evaluated(flat.reshape(*u.shape[:-1], -1), {})
