"""Populations of chip neurons, and the connections into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neurossm.hardware import Hardware
from neurossm.nodes.windows import Windows
from neurossm.placement.budget import Budget
from neurossm.placement.pattern import Pattern
from neurossm.placement.sharing import Sharing

DENSE, FAN_OUT, REDUCE, ONE_TO_ONE = "dense", "fan-out", "reduce", "one-to-one"
SHARED = "shared"
WEIGHTED = (DENSE, SHARED)  # with weights of a graph node


@dataclass(frozen=True)
class Connection:
    """Synapses from one source into a population.

    Parameters
    ----------
    source
        Name of the population that sends, or of the `Input`.
    kind
        ``dense``: all to all, 8-bit weights, or those of a `pattern`. ``fan-out``: each source
        neuron to the `fan` states of its channel. ``reduce``: the `fan` states of a channel to its
        neuron. ``one-to-one``. ``shared``: those of a convolution, whose kernels a core keeps once.
    axons
        Source neurons that are connected.
    fan
        States a channel.
    node
        Graph node whose weights these are; empty where a mapping adds them.
    through
        Graph node whose activations travel; a node inside the source.
    first
        Number of the first source neuron, where a fan-in had to be cut.
    delay
        Graph node by which the activations are delayed on the way, the last of several; empty:
        none.
    one_hot
        Whether exactly one axon has an activation each step: a token.
    rows
        Sums that a target neuron keeps apart of it: 2 where the real parts of a drive arrive, then
        the imaginary ones, so that neuron i has the rows i and ``neurons + i`` of the weights.
    pattern
        Where the synapses of the node are, if it is sparse; of all its axons, wherever it was cut.
    windows
        Geometry of the node, if it is a convolution.
    """

    source: str
    kind: str
    axons: int
    fan: int = 1
    node: str = ""
    through: str = ""
    first: int = 0
    delay: str = ""
    one_hot: bool = False
    rows: int = 1
    pattern: Pattern | None = field(default=None, repr=False, compare=False)
    windows: Windows | None = field(default=None, repr=False)

    @cached_property
    def sharing(self) -> Sharing:
        """What a core keeps of a convolution."""
        assert self.windows is not None  # of a connection that is shared
        return Sharing(self.windows, self.rows)

    def axon_words(self, first: int, stop: int, budget: Budget) -> int:
        """Return the words of incoming axons of a core with these neurons."""
        if self.kind == SHARED and budget.shared_per_word is not None:
            return budget.shared_axons
        return self.axons_into(first, stop) * budget.axon_in

    def axons_into(self, first: int, stop: int) -> int:
        """Return how many axons arrive at a core with the neurons from `first` up to `stop`."""
        if self.kind in WEIGHTED:
            return self.axons
        if self.kind == FAN_OUT:
            return -(-stop // self.fan) - first // self.fan
        return (stop - first) * self.fan * self.rows

    def reached(self, firsts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each source neuron the first and the last slice of the target it reaches.

        Parameters
        ----------
        firsts
            First neuron of each slice of the target, in order.
        """
        axon = np.arange(self.axons)
        if self.kind == DENSE:
            return np.zeros_like(axon), np.full_like(axon, len(firsts) - 1)
        if self.kind == SHARED:
            low, high = self.sharing.reached()
            first, last = (np.searchsorted(firsts, ends, side="right") - 1 for ends in (low, high))
            return first, last
        own = axon % (self.axons // self.rows)
        low = {FAN_OUT: axon * self.fan, REDUCE: axon // self.fan}.get(self.kind, own)
        high = low + self.fan - 1 if self.kind == FAN_OUT else low
        first, last = (np.searchsorted(firsts, ends, side="right") - 1 for ends in (low, high))
        return first, last

    def synapse_words(self, first: int, stop: int, budget: Budget) -> int:
        """Return the words of the synapses on that core."""
        if self.kind == SHARED:
            if budget.shared_per_word is None:
                return self.dense_words(stop - first, budget)
            return self.sharing.words(first, stop, budget.shared_per_word)
        if self.kind == DENSE:
            dense, sparse = self.dense_words(stop - first, budget), None
            if self.own_pattern is not None:
                sparse = self.sparse_words(first, stop, budget)
            return dense if sparse is None else min(dense, sparse)
        if self.kind == FAN_OUT:
            whole_first, whole_stop = -(-first // self.fan), stop // self.fan
            if whole_first > whole_stop:  # inside one channel
                return budget.fan_out_words(stop - first)
            edges = (whole_first * self.fan - first, stop - whole_stop * self.fan)
            return (whole_stop - whole_first) * budget.fan_out_words(self.fan) + sum(
                budget.fan_out_words(states) for states in edges
            )
        return (stop - first) * self.fan * self.rows * budget.lone_synapse

    @cached_property
    def own_pattern(self) -> Pattern | None:
        """Where the synapses of its own axons are."""
        if self.pattern is None:
            return None
        return self.pattern.folded(self.rows).of_axons(self.first, self.axons)

    def dense_words(self, neurons: int, budget: Budget) -> int:
        """Return the words of synapses from every axon to so many neurons."""
        return self.axons * budget.dense_words(neurons * self.rows)

    def sparse_words(self, first: int, stop: int, budget: Budget) -> int | None:
        """Return the words of a pattern's synapses there; None: the chip has no such encoding."""
        if self.own_pattern is None or budget.sparse_per_word is None:
            return None
        return self.own_pattern.words(first, stop, budget.sparse_per_word)

    def worst_words(self, neurons: int, budget: Budget) -> int:
        """Return axon and synapse words of so many neurons wherever they begin; never too few."""
        if self.kind == SHARED:
            axons = self.axon_words(0, neurons, budget)
            if budget.shared_per_word is None:
                return axons + self.dense_words(neurons, budget)
            return axons + self.sharing.most_words(neurons, budget.shared_per_word)
        if self.kind == DENSE:
            most = self.dense_words(neurons, budget)
            if self.own_pattern is not None and budget.sparse_per_word is not None:
                # a word holds at least one
                most = min(most, self.own_pattern.most_synapses(neurons))
            return self.axons * budget.axon_in + most
        if self.kind != FAN_OUT:
            axons = self.axons_into(0, neurons) * budget.axon_in
            return axons + self.synapse_words(0, neurons, budget)
        begins = range(self.fan)
        return max(
            self.axons_into(b, b + neurons) * budget.axon_in
            + self.synapse_words(b, b + neurons, budget)
            for b in begins
        )


@dataclass(frozen=True)
class Words:
    """Memory of a core, or of a slice on it, in the compiler's words."""

    neuron: int = 0
    axon_in: int = 0
    synapse: int = 0
    axon_map: int = 0

    def __add__(self, other: Words) -> Words:
        return Words(
            self.neuron + other.neuron,
            self.axon_in + other.axon_in,
            self.synapse + other.synapse,
            self.axon_map + other.axon_map,
        )

    @property
    def shared(self) -> int:
        """Words of axons and synapses."""
        return self.axon_in + self.synapse + self.axon_map

    @property
    def total(self) -> int:
        """All words."""
        return self.neuron + self.shared

    def fits(self, budget: Budget) -> bool:
        """Tell whether a core has the room."""
        return (
            self.neuron <= budget.neuron_words
            and self.shared <= budget.shared_words
            and self.total <= budget.total_words
        )


@dataclass(frozen=True)
class Population:
    """Neurons of one kind, numbered channel by channel, that are cut into slices.

    Parameters
    ----------
    name
        Name of its last graph node, or of the node whose sum it keeps.
    kind
        ``neurons``; ``states``: one neuron a state; ``relay``: keeps a sum and passes it on;
        ``part``: a relay that has a part of a fan-in; ``receiver``: for what leaves the chip.
    nodes
        Graph nodes whose work its neurons do, in order.
    neurons
        How many.
    inputs
        What arrives.
    plain, real_states, complex_states
        What one neuron keeps: plain values, states of an SSM.
    sums
        Sums of synapses that one neuron keeps apart.
    work
        Pairs of a node type (``relay`` where a neuron only passes on) and the updates of it that
        one neuron does each step.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    neurons: int
    inputs: tuple[Connection, ...]
    plain: int = 1
    real_states: int = 0
    complex_states: int = 0
    sums: int = 1
    work: tuple[tuple[str, int], ...] = (("relay", 1),)

    def passes(self, hardware: Hardware) -> tuple[float, float]:
        """Return the least and the most passes of one neuron's program in a step.

        Least: all that it does runs in the passes of its longest part. Most: one after the other.

        Raises
        ------
        TargetError
            If the file of the chip does not say how many passes an update of some node takes.
        """
        each = [(hardware.require("passes", kind), count) for kind, count in self.work]
        return max(p.low * count for p, count in each), sum(p.high * count for p, count in each)

    def neuron_words(self, budget: Budget) -> int:
        """Return the words of one neuron; of several states the upper end of what is thinkable."""
        states = self.real_states * budget.real_state + self.complex_states * budget.complex_state
        return self.plain * budget.plain + states

    def fewest_neuron_words(self, budget: Budget) -> int:
        """Return the lower end: the states of one neuron share what a plain neuron has."""
        words = self.neuron_words(budget)
        shared = max(0, self.real_states + self.complex_states - 1) * budget.plain
        return words - shared

    def words(self, first: int, stop: int, budget: Budget) -> Words:
        """Return the words of the neurons from `first` up to `stop` on one core."""
        return Words(
            neuron=(stop - first) * self.neuron_words(budget),
            axon_in=sum(c.axon_words(first, stop, budget) for c in self.inputs),
            synapse=sum(c.synapse_words(first, stop, budget) for c in self.inputs),
            axon_map=(stop - first) * budget.axon_map,
        )

    def fits(self, neurons: int, budget: Budget) -> bool:
        """Tell whether so many neighboring neurons fit a core, wherever they begin."""
        own = neurons * self.neuron_words(budget)
        shared = neurons * budget.axon_map
        shared += sum(c.worst_words(neurons, budget) for c in self.inputs)
        return Words(neuron=own, synapse=shared).fits(budget)
