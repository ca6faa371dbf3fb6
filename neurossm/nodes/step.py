"""The context of a node at one time step, and the result of its float meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurossm.counts import Counts
from neurossm.fixed import MESSAGE_BITS, Fixed, saturate

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]
State = dict[str, Integers]
Carried = dict[str, Reals]  # a state on real numbers


@dataclass
class Step:
    """One time step of a node: its operands, its state, which it changes, and its counters.

    Attributes
    ----------
    operands
        What arrives on each edge, ``(B, C)`` integers, in the order of the edges.
    formats
        Number format of each edge.
    state
        Parts of the state as `Node.state_parts` names them, ``(B, ...)``. A step puts the new
        arrays in their place.
    counts
        What has been counted so far. Neuron updates are not counted here: they are `Node.updates`.
    frac_by_channel
        Fraction bits of the input, ``(C,)``, where they differ by channel.
    """

    operands: list[Integers]
    formats: list[Fixed]
    state: State
    counts: Counts = field(default_factory=Counts)
    frac_by_channel: Integers | None = None

    @property
    def u(self) -> Integers:
        """The one input of a node whose edges add, saturated on entry."""
        if len(self.operands) > 1:  # once, however often it is asked for
            self.operands = [self.saturate(sum_of(self.operands), MESSAGE_BITS)]
        return self.operands[0]

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


class Change(NamedTuple):
    """A small change of what arrives at a node on real numbers; arrays by channel.

    Attributes
    ----------
    own
        Size of a change of its own activations that matters, ``(C,)``.
    arriving, others, sent
        Largest magnitudes of what changes, of its other operands, and of its own activations.
    steps
        Of a sequence.
    """

    own: Reals
    arriving: Reals
    others: list[Reals]
    sent: Reals
    steps: int


class Evaluated(NamedTuple):
    """What a node sends on real numbers, ``(S, T, C)``, and the largest magnitudes inside of it.

    `peaks` are by part, such as ``"state"`` ``(C, N)``: what calibration reads; mostly ``{}``.
    """

    sent: Reals
    peaks: dict[str, Reals]


def sum_of(operands: Sequence[Integers]) -> Integers:
    """Return the exact sum of arrays of one shape."""
    total = operands[0]
    for operand in operands[1:]:
        total = total + operand
    return total


def added(operands: Sequence[Reals]) -> Reals:
    """Return the sum of the edges of a node on real numbers."""
    return np.asarray(sum(operands[1:], start=operands[0]))
