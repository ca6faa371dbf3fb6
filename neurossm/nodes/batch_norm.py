"""Normalization by running statistics, which folds into its neighbors."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.span import FanIn, Found, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Reals, added
from neurossm.nodes.values import Array, reals


@node
class BatchNorm(Node):
    """Normalization by running statistics: ``y = gain u + offset`` in each channel.

    Float graphs only: the pass ``fold_batch_norm`` moves it into its neighbors.

    Parameters
    ----------
    gain, offset
        ``(C,)``: ``gamma / sqrt(var + eps)`` and ``beta - mean * gain``.
    """

    gain: Array = parameter("C")
    offset: Array = parameter("C")

    float_only: ClassVar[str] = "fold batch norms first (pass fold_batch_norm)"
    nir: ClassVar[str] = "Scale has no bias; fold it first (pass fold_batch_norm)"

    @property
    def in_channels(self) -> int:
        """C."""
        return self.gain.shape[0]

    def bound(self, at: FanIn) -> Found:
        """Scale and shift both ends."""
        ends = [end * reals(self.gain) + reals(self.offset) for end in (at.u.low, at.u.high)]
        return Span(np.minimum(*ends), np.maximum(*ends)), ()

    def notices(self, at: Change) -> Reals:
        """Return what matters behind its gain."""
        return np.asarray(at.own / np.abs(reals(self.gain)))

    def dense(self, operands: int) -> DenseOperations:
        """Return one MAC a channel."""
        return DenseOperations(elementwise_macs=self.in_channels, adds=self.converging(operands))

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Scale and shift."""
        return Evaluated(added(operands) * reals(self.gain) + reals(self.offset), {})
