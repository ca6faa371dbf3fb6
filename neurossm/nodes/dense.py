"""Operations of a dense network of the same shape: every weight and every state, every step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DenseOperations:
    """Real operations of one time step; a multiplication with its addition is one MAC.

    Attributes
    ----------
    matrix_macs
        Of the synapses: inputs times outputs.
    state_macs
        Of recurrences: 8 for each complex state (4 for the pole, 2 for the input gain, 2 for the
        real part of the readout) and one for each channel's feed-through, 4 for each that sends
        both of its parts instead (`ComplexDiagonal`); one for each membrane
        that leaks and for each refractory variable.
    elementwise_macs
        Of batch norms and piecewise-linear functions: one a channel.
    multiplies, adds
        The rest: products; sums, running sums, subtracting a trace and a soft reset. Comparisons,
        constant biases and looking up a row of an embedding are not counted.
    """

    matrix_macs: int = 0
    state_macs: int = 0
    elementwise_macs: int = 0
    multiplies: int = 0
    adds: int = 0

    def __add__(self, other: DenseOperations) -> DenseOperations:
        return DenseOperations(
            self.matrix_macs + other.matrix_macs,
            self.state_macs + other.state_macs,
            self.elementwise_macs + other.elementwise_macs,
            self.multiplies + other.multiplies,
            self.adds + other.adds,
        )

    @property
    def macs(self) -> int:
        """All MACs."""
        return self.matrix_macs + self.state_macs + self.elementwise_macs
