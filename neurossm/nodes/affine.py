"""Synapses: a linear map without memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized
from neurossm.nodes.node import Array, Node, format_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Node):
    """Synapses: ``y = W u + b``.

    Integer: the sum of 8-bit mantissas times messages is exact in a 32-bit accumulator; the bias is
    added at the neuron and the result saturates: ``y = sat(W u + b)`` with
    ``out.frac = weight.frac + u.frac``. Where all that receives it is a `LIF` or a threshold with
    no other source, each row may have an exponent of its own: such neurons compare a channel with
    nothing but itself. Then `message_frac` has that of each channel and ``out.frac`` the least.
    Where ``u`` is binary or ternary, weights are added and
    subtracted and nothing is multiplied; where all weights are ternary, messages are.

    Parameters
    ----------
    weight
        ``(out, in)``; one exponent for the tensor, or one a row.
    bias
        ``(out,)``; integers with the exponents of the output, one a row where the weight has so.
    """

    weight: Array
    bias: Array

    shapes: ClassVar[dict[str, str]] = {"weight": "OI", "bias": "O"}

    @property
    def in_channels(self) -> int:
        """Columns of the weight."""
        return self.weight.shape[1]

    @property
    def out_channels(self) -> int:
        """Rows of the weight."""
        return self.weight.shape[0]

    @property
    def updates(self) -> int:
        """None: its sums are those of the neurons that receive them."""
        return 0

    @property
    def only_adds(self) -> bool:
        """True for ternary integer weights: -1, 0 and 1 times one power of two.

        Graded messages are then added or subtracted, and nothing is multiplied.
        """
        if not isinstance(self.weight, Quantized):
            return False
        magnitudes = np.abs(self.weight.values)
        largest = int(magnitudes.max())
        alike = np.all((magnitudes == 0) | (magnitudes == largest))
        return bool(alike) and largest.bit_count() <= 1


def message_frac(node: Node) -> int | NDArray[np.int64]:
    """Return the fraction bits of what an integer node sends: one number, or ``(C,)`` by channel.

    By channel behind an `Affine` whose rows have exponents of their own; else ``out.frac``.
    """
    if isinstance(node, Affine) and isinstance(node.bias, Quantized):
        frac = node.bias.frac
        return format_of(node).frac if isinstance(frac, int) else frac
    return format_of(node).frac
