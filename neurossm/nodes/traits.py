"""Traits of node types that other modules use."""

from enum import Enum


class Role(Enum):
    """What a node is in a network."""

    INPUT = "input"
    OUTPUT = "output"
    SYNAPSES = "synapses"
    NEURON = "neuron"  # sends graded spikes
    SPIKING = "spiking"
    DELAY = "delay"  # hands on, later: a property of synapses


class Meets(Enum):
    """How edges meet that converge on a node."""

    ADD = "add"  # they share one format; the sum saturates on entry
    OPERANDS = "operands"  # each edge is an operand with a format of its own
    ACCUMULATE = "accumulate"  # through weights, into one wide sum
    ONE = "one"  # there is one edge only


class ByChannel:
    """Of a node whose field `channels` says how many arrive."""

    channels: int

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels
