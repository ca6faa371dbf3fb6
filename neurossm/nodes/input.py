"""Where activations enter a graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, node
from neurossm.nodes.traits import Role


@node
class Input(Node):
    """Activations from outside: integers in the format `out`, at each step shape ``(C,)``.

    The real value of an input integer ``m`` is ``m * 2**-out.frac``, in a float graph too; any
    other scale of the data belongs into the weights behind it.
    """

    channels: int

    role: ClassVar[Role] = Role.INPUT

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out is None:
            raise GraphError("Input.out", expected="the number format of the data", got="none")
        if not isinstance(self.out, Fixed):
            raise GraphError("Input.out", expected="Fixed", got=type(self.out).__name__)

    @property
    def in_channels(self) -> int:
        """Nothing comes in through an edge."""
        return 0

    @property
    def out_channels(self) -> int:
        """C."""
        return self.channels

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield inputs of numbers and of spikes."""
        for out in (Fixed(9, 5), Fixed.binary(), Fixed.ternary()):
            yield cls.drawn(rng, out=out)

    def dense(self, operands: int) -> DenseOperations:
        """Return none: it is outside."""
        return DenseOperations()

    @property
    def updates(self) -> int:
        """None: it is outside."""
        return 0
