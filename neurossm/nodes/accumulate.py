"""Running sums over time."""

from __future__ import annotations

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import shift
from neurossm.nodes.node import Node, check_channels, format_of, node
from neurossm.nodes.step import Evaluated, Integers, Reals, Step, added


@node
class Accumulate(Node):
    """Running sum over time: ``y_t = y_{t-1} + u_t``, shape ``(C,)``.

    A mean over a known length is this with ``1/length`` folded into the synapses in front.
    Integer: ``y = sat24(y + sat(tz(u, u.frac - out.frac), term_bits))``. With ``term_bits`` such
    that ``steps * (2**(term_bits-1) - 1) < 2**23`` the sum cannot saturate within ``steps`` steps.

    Parameters
    ----------
    steps
        Length of sequence for which the headroom is proven.
    term_bits
        Width to which one term saturates; 0 in a float graph.
    """

    channels: int
    steps: int
    term_bits: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_channels(self, self.channels)
        if self.steps < 1:
            raise GraphError("Accumulate.steps", expected="at least 1", got=str(self.steps))

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return the running sums."""
        return {"sum": (self.channels,)}

    @property
    def is_integer(self) -> bool:
        """True where the widths of message and term are set."""
        return self.out is not None and self.term_bits > 0

    def step(self, at: Step) -> Integers:
        """Bring the term to the exponent of the sum, add, saturate both."""
        out = format_of(self)
        term = at.saturate(shift(at.u, at.frac - out.frac), self.term_bits)
        total = at.state["sum"] = at.saturate(at.state["sum"] + term, out.bits)
        at.count(dendrite_updates=total.size)
        return total

    def evaluate(self, operands: list[Reals]) -> Evaluated:
        """Add up over time."""
        return Evaluated(np.asarray(np.cumsum(added(operands), axis=1)), {})
