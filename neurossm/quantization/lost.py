"""A loss of quantizing, and the context in which it is looked for; used by `losses`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import POLE_BITS, STATE_BITS, WEIGHT_BITS, WIDEST_LEAK_FRAC, Quantized
from neurossm.nodes import Node

SHARE = 0.025  # of a row's weights, or of a response: beyond, rates may move by 5 %
DRIFT = 2.0**-7  # of the threshold, that what is dropped may add up to in the worst case
WIDEST = 64  # bits; no wider width is looked for
LIMITS = {
    "weight_bits": WEIGHT_BITS, "state_bits": STATE_BITS, "leak_bits": WIDEST_LEAK_FRAC,
    "pole_bits": POLE_BITS, "": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Loss:
    """Something that the formats of a node could not hold.

    Attributes
    ----------
    node, type, what
        Where: a node, its type, and ``weights``, ``bias``, ``leak``, ``membrane`` and so on.
    channels
        The channels (rows of weights) that it happened to.
    count, of
        How many parameters it happened to, and of how many that are not 0.
    reason
        What happened, in words, for the worst channel.
    bits
        Width, or for leaks fraction bits, that would have kept it; None where nothing is missing.
    setting
        The setting of `Quantize` that has this width; "" where the format allows no more.
    """

    node: str
    type: str
    what: str
    channels: tuple[int, ...]
    count: int
    of: int
    reason: str
    bits: int | None = None
    setting: str = ""


@dataclass(frozen=True)
class At:
    """A node before and after, for how many steps, and what an input may be off by, in units."""

    name: str
    real: Node
    made: Node
    steps: int
    terms: int = 0

    def loss(
        self,
        what: str,
        where: NDArray[np.bool_],
        reason: str,
        *,
        of: int | None = None,
        count: int | None = None,
        bits: int | None = None,
        setting: str = "",
    ) -> Loss:
        """Return a loss in the channels `where`, ``(C,)``."""
        channels = tuple(np.flatnonzero(where).tolist())
        count, of = count or len(channels), of or where.size
        kind = type(self.real).__name__
        if bits is None or bits > LIMITS[setting]:
            setting = ""
        return Loss(self.name, kind, what, channels, count, of, reason, bits, setting)


@singledispatch
def lost_of_type(node: Node, made: Node, at: At) -> Iterator[Loss]:
    """Yield what a type of node can lose beside its weights and thresholds; registered for it."""
    yield from ()


def unit_of(parameter: Quantized, channel: int) -> str:
    """Return the unit of a parameter in a channel, in words."""
    frac = int(np.broadcast_to(np.asarray(parameter.frac), parameter.shape[:1])[channel])
    return f"its unit is 2**{-frac}"
