"""Signed spikes by comparing, without a membrane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.nodes.node import Array, Node, check_spikes, mantissas


@dataclass(frozen=True, eq=False, kw_only=True)
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

    delta: Array

    shapes: ClassVar[dict[str, str]] = {"delta": "C"}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spikes(self, Fixed.ternary())
        least = mantissas(self.delta).min()
        if not least > 0:
            raise GraphError("TernaryThreshold.delta", expected="above 0", got=f"{least:g}")

    @property
    def in_channels(self) -> int:
        """C."""
        return self.delta.shape[0]
