"""A layer group: nodes that share a process, how they are wired, and their step. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurossm_converters.backends.lava.node import NodeAtWork, Program, Words
from neurossm_converters.backends.lava.record import Frame

NOTHING = np.zeros((0, 0), np.int32)


@dataclass(frozen=True)
class Wire:
    """Where the messages on an edge come from.

    Attributes
    ----------
    port
        True for an in-port, False for a node of the stage.
    index
        Which one.
    first, stop
        Which channels of what arrives at the port.
    """

    port: bool
    index: int
    first: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class Member:
    """A node of a stage.

    Attributes
    ----------
    frame
        Its place in the run.
    program
        What it computes.
    wires
        For each edge into it where the messages come from.
    """

    frame: Frame
    program: Program
    wires: tuple[Wire, ...]


@dataclass(frozen=True)
class Outlet:
    """An out-port: the members whose messages it carries side by side, and its shape."""

    members: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class StagePlan:
    """What a stage process is given.

    Attributes
    ----------
    members
        Nodes in graph order.
    arriving
        Shape of each in-port.
    leaving
        The out-ports.
    batch
        Batch size.
    """

    members: tuple[Member, ...]
    arriving: tuple[tuple[int, ...], ...]
    leaving: tuple[Outlet, ...]
    batch: int

    @property
    def name(self) -> str:
        """The node, or the first and the last of several."""
        first, last = self.members[0].frame.node, self.members[-1].frame.node
        return first if len(self.members) == 1 else f"{first} ... {last}"


class StageAtWork:
    """The nodes of a stage during a run."""

    def __init__(self, plan: StagePlan) -> None:
        self._plan = plan
        self._nodes = [NodeAtWork(member.frame, member.program) for member in plan.members]
        self._late = [  # fed by what comes behind, in a loop
            any(not wire.port and wire.index >= place for wire in member.wires)
            for place, member in enumerate(plan.members)
        ]

    def enter(self, network_step: int) -> None:
        """Note that a network step begins."""
        if network_step == 1:
            for node in self._nodes:
                node.recorder.entered()

    def advance(self, network_step: int, arriving: list[Words]) -> list[Words]:
        """Make one network step: what arrived at each in-port in, each out-port's message out."""
        nodes, late = self._nodes, self._late
        sent = [
            node.send(network_step) if first else NOTHING
            for node, first in zip(nodes, late, strict=True)
        ]
        for place, node in enumerate(nodes):
            if not late[place]:
                sent[place] = node.advance(network_step, self._operands(place, arriving, sent))
        for place, node in enumerate(nodes):
            if late[place]:
                node.take(network_step, self._operands(place, arriving, sent))
        return [
            np.concatenate([sent[index] for index in outlet.members], axis=1).reshape(outlet.shape)
            for outlet in self._plan.leaving
        ]

    def _operands(self, place: int, arriving: list[Words], sent: list[Words]) -> list[Words]:
        return [
            arriving[wire.index][:, wire.first : wire.stop] if wire.port else sent[wire.index]
            for wire in self._plan.members[place].wires
        ]

    def finish(self) -> None:
        """Write down what ends with the step just made."""
        for node in self._nodes:
            node.finish()
