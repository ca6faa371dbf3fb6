"""Spikes by comparing, without a membrane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurossm.fixed import Fixed
from neurossm.nodes.node import Array, Node, check_spikes


@dataclass(frozen=True, eq=False, kw_only=True)
class Threshold(Node):
    """Spike: ``y = 1[u >= theta]``, without membrane or reset.

    Integer: ``theta`` is rounded up, so that comparing integers is comparing the real numbers.
    NIR's Threshold and Lava's LIF compare with ``>``; on integers that is ``u > theta - 1``.

    Parameters
    ----------
    theta
        ``(C,)``; integers with the exponent of the input, by channel where it has one each.
    """

    theta: Array

    shapes: ClassVar[dict[str, str]] = {"theta": "C"}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spikes(self, Fixed.binary())

    @property
    def in_channels(self) -> int:
        """C."""
        return self.theta.shape[0]
