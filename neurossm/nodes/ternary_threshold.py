"""Signed spikes by comparing, without a membrane."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from neurossm.fixed import Fixed
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.traits import Role
from neurossm.nodes.values import Array, integers, reals


@node
class TernaryThreshold(Node):
    """Signed spike: ``y = sign(u) 1[|u| >= delta]``, without membrane or reset.

    Integer: ``delta`` is rounded up, so that comparing integers is comparing the real numbers.

    Source: the ternary branch of the Gated Spiking Unit, Stan and Rhodes, arXiv 2401.00955; there
    ``delta`` follows the largest value of the moment, here it is a parameter.

    Parameters
    ----------
    delta
        ``(C,)``, above 0; integers with the exponent of the input, by channel where it has one
        each.
    """

    delta: Array = parameter(
        "C", exponent="input", rounding="up", above=0, label="threshold",
        reason="the input's exponent, rounded up: comparing stays exact",
    )  # fmt: skip

    role: ClassVar[Role] = Role.SPIKING
    compares: ClassVar[bool] = True
    sends: ClassVar[Fixed | None] = Fixed.ternary()
    nir: ClassVar[str] = "NIR has no signed spikes"

    @property
    def in_channels(self) -> int:
        """C."""
        return self.delta.shape[0]

    def notices(self, at: Change) -> Reals:
        """Return its thresholds."""
        return reals(self.delta)

    def dense(self, operands: int) -> DenseOperations:
        """Return the sums in front: comparisons are not counted."""
        return DenseOperations(adds=self.converging(operands))

    def step(self, at: Step) -> Integers:
        """Compare with both signs."""
        u, delta = at.u, integers(self.delta)
        up, down = u >= delta, u <= -delta
        return np.asarray(np.where(up, 1, np.where(down, -1, 0)), dtype=np.int64)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Compare with both signs."""
        u = added(operands)
        return Evaluated(np.asarray(np.sign(u) * (np.abs(u) >= reals(self.delta))), {})
