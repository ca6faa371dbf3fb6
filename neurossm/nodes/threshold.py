"""Spikes by comparing, without a membrane."""

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
class Threshold(Node):
    """Spike: ``y = 1[u >= theta]``, without membrane or reset.

    Integer: ``theta`` is rounded up, so that comparing integers is comparing the real numbers.
    NIR's Threshold and Lava's LIF compare with ``>``; on integers that is ``u > theta - 1``.

    Parameters
    ----------
    theta
        ``(C,)``; integers with the exponent of the input, by channel where it has one each.
    """

    theta: Array = parameter(
        "C", exponent="input", rounding="up", label="threshold",
        reason="the input's exponent, rounded up: comparing stays exact",
    )  # fmt: skip

    role: ClassVar[Role] = Role.SPIKING
    compares: ClassVar[bool] = True
    sends: ClassVar[Fixed | None] = Fixed.binary()

    @property
    def in_channels(self) -> int:
        """C."""
        return self.theta.shape[0]

    def notices(self, at: Change) -> Reals:
        """Return its thresholds."""
        return np.asarray(np.abs(reals(self.theta)))

    def dense(self, operands: int) -> DenseOperations:
        """Return the sums in front: comparisons are not counted."""
        return DenseOperations(adds=self.converging(operands))

    def step(self, at: Step) -> Integers:
        """Compare."""
        return np.asarray(at.u >= integers(self.theta), dtype=np.int64)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Compare."""
        return Evaluated((added(operands) >= reals(self.theta)).astype(np.float64), {})
