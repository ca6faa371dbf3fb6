"""Where activations leave a graph."""

from __future__ import annotations

from typing import ClassVar

from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, node
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step
from neurossm.nodes.traits import ByChannel, Meets, Role


@node
class Output(ByChannel, Node):
    """What leaves the graph: its one input, unchanged, shape ``(C,)``."""

    channels: int

    role: ClassVar[Role] = Role.OUTPUT
    meets: ClassVar[Meets] = Meets.ONE
    operands: ClassVar[int] = 1
    passes_on: ClassVar[bool] = True

    @property
    def updates(self) -> int:
        """None: it is outside."""
        return 0

    def notices(self, at: Change) -> Reals:
        """Return what matters of its own activations."""
        return at.own

    def dense(self, operands: int) -> DenseOperations:
        """Return none: it is outside."""
        return DenseOperations()

    def step(self, at: Step) -> Integers:
        """Return what came."""
        return at.operands[0]

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Return what came."""
        return Evaluated(operands[0], {})
