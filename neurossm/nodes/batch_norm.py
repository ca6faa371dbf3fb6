"""Normalization by running statistics, which folds into its neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurossm.nodes.node import Array, Node


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchNorm(Node):
    """Normalization by running statistics: ``y = gain u + offset`` in each channel.

    Float graphs only: the pass ``fold_batch_norm`` moves it into its neighbors.

    Parameters
    ----------
    gain, offset
        ``(C,)``: ``gamma / sqrt(var + eps)`` and ``beta - mean * gain``.
    """

    gain: Array
    offset: Array

    shapes: ClassVar[dict[str, str]] = {"gain": "C", "offset": "C"}

    @property
    def in_channels(self) -> int:
        """C."""
        return self.gain.shape[0]
