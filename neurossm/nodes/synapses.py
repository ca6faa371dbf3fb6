"""Linear maps without memory: synapses, and the batch norm that folds into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurossm.nodes.node import Array, Node


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Node):
    """Synapses: ``y = W u + b``.

    Integer: the sum of 8-bit mantissas times messages is exact in a 32-bit accumulator; the bias is
    added at the neuron and the result saturates: ``y = sat(W u + b)`` with
    ``out.frac = weight.frac + u.frac``. Where ``u`` is binary or ternary, weights are added and
    subtracted and nothing is multiplied.

    Parameters
    ----------
    weight
        ``(out, in)``; one exponent for the tensor.
    bias
        ``(out,)``; integers in the format of the output.
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
