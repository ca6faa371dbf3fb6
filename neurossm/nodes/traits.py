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


class Described:
    """What people read of a node: in drawings, in tables, in ``show``."""

    @property
    def out_channels(self) -> int:
        """Channels that it sends."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What a drawing calls it; its type where it has no better name."""
        return type(self).__name__

    @property
    def extent(self) -> str:
        """Its shape, as people read it, such as ``64`` or ``1 → 64``."""
        return str(self.out_channels)

    @property
    def note(self) -> str:
        """What must be said of it beyond type and shape; mostly nothing."""
        return ""
