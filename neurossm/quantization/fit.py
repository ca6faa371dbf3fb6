"""Which unit suits the states of a neuron that spikes: as fine as its register allows.

What a state loses to its shifts, less than a unit for each, adds up over its memory. That must be
little beside the threshold, whatever the unit of what arrives. A type of neuron registers here how
large its states may become and how much they lose; `Fit` decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import fit_frac
from neurossm.graph import Graph
from neurossm.nodes import Node
from neurossm.quantization.bounds import steps_of
from neurossm.quantization.ranges import RangeRules

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 2.0**-64  # of a threshold: it is one unit at least
PRECISE = 12  # bits of the threshold that stay right after all that a state loses to its shifts
HORIZON = 2**15  # steps for which a response is asked where the graph does not say how long it runs
EXACT_BITS = 52  # of an input at the exponent of a state


@dataclass(frozen=True, eq=False)
class Fit:
    """Fraction bits that suit the membranes of a neuron that spikes, ``(C,)`` each.

    Attributes
    ----------
    safe
        The most with which no input within the headroom saturates them.
    most
        The most with which they hold what was seen, with headroom, and the threshold.
    needed
        As many as their slowest leak needs, see `PRECISE`.
    leaks
        False where nothing leaks bit by bit: all of what arrives is kept, or nothing, exactly.
    subtracted
        What a spike takes off the membrane, real units; 0 for a hard reset or none.
    reached
        False where the membrane provably never reaches its threshold, whatever arrives.
    leak
        Fraction bits of the leaks, one number; 0 where they have none to choose.
    """

    safe: Ints
    most: Ints
    needed: Ints
    leaks: NDArray[np.bool_]
    subtracted: Reals
    reached: NDArray[np.bool_]
    leak: int

    @property
    def message(self) -> int:
        """Fraction bits of an activation that enters without a shift, in the membrane's unit."""
        best = np.minimum(self.most, np.maximum(self.needed, self.safe))
        return int(best[self.reached].min(initial=64))

    def fracs(self, arriving: int | Ints, high: int) -> int | Ints:
        """Return the fraction bits for activations of these fraction bits and up to `high` units.

        Those of the activation where they suit: nothing is shifted then. One number where it suits
        all channels, else ``(C,)``.
        """
        # sums of what arrives are whole units of it: without a leak nothing finer is needed, if
        # what is subtracted is whole too (rounded up, it would be too much at each spike)
        whole = np.ldexp(self.subtracted, arriving) % 1 == 0
        needed = np.where(self.leaks | ~whole, self.needed, np.minimum(self.needed, arriving))
        suits = (needed <= arriving) & (arriving <= self.safe)
        best = np.where(suits, arriving, np.minimum(self.most, np.maximum(needed, self.safe)))
        best = np.minimum(best, arriving + EXACT_BITS - int(high).bit_length())
        shared = int(best.min())
        return shared if np.all((shared >= needed) | (shared == best)) else best


@dataclass(frozen=True, eq=False)
class Fitting:
    """A float neuron whose unit is asked for: where it is, and what its widths are.

    Attributes
    ----------
    name, graph, rules
        The node, its graph, and which ranges decide.
    bits, leak_bits
        Width of the register, and the most fraction bits of a leak.
    """

    name: str
    graph: Graph
    rules: RangeRules
    bits: int
    leak_bits: int

    @property
    def steps(self) -> int | None:
        """How many steps the graph runs, if it says so."""
        return steps_of(self.graph)

    def ends(self) -> tuple[Reals, Reals]:
        """Return the least and the largest value that can arrive, whatever runs, ``(C,)``."""
        spans = [self.rules.worst().messages[source] for source in self.graph.sources[self.name]]
        low, high = (sum(getattr(span, end) for span in spans) for end in ("low", "high"))
        return np.minimum(low, 0), np.maximum(high, 0)


@singledispatch
def fit_of(node: Node, to: Fitting) -> Fit:
    """Return what suits a float neuron; registered for each type that `integrates`."""
    kind = type(node).__name__
    raise GraphError(
        f"node {to.name!r} ({kind})",
        expected="a rule for the unit of its states",
        got="none",
        remedy=f"register one with neurossm.quantization.fit.fit_of, as of LIF, or leave"
        f" {kind}.integrates False",
    )


def membranes_behind(graph: Graph, name: str) -> list[str]:
    """Return the neurons with states of a unit of their own that receive what a node sends."""
    return [target for target in graph.targets[name] if graph.nodes[target].integrates]


def held(reached: NDArray[np.bool_], bits: int, *ranges: Reals, beyond: Reals) -> Ints:
    """Return the most fraction bits, ``(C,)``, with which all ranges fit in a register.

    In a channel whose threshold is out of reach, where no spike ends it, the unit is above all that
    arrives, `beyond`, which stays 0 then.
    """
    largest = np.max([np.where(reached, values, 0.0) for values in ranges], axis=0)
    return fracs_for(np.where(reached, largest, beyond), bits)


def fracs_for(largest: Reals, bits: int) -> Ints:
    """Return the most fraction bits with which each number fits; -64 for an infinite one."""
    return np.array([fit_frac(float(value), bits) if np.isfinite(value) else -64
                     for value in largest], dtype=np.int64)  # fmt: skip


def needed(slowest: Reals, theta: Reals) -> Ints:
    """Return the fraction bits with which `slowest` units stay small beside each threshold."""
    # the next power of two: 2**exponent, or half of it
    part, exponent = np.frexp(slowest / np.maximum(theta, LEAST))
    found = exponent.astype(np.int64) - (part == 0.5) + PRECISE
    return np.asarray(np.minimum(np.maximum(found, -64), 64))
