"""Cells without state: comparisons, sums, products, lines."""

from __future__ import annotations

import numpy as np

from neurossm.fixed import multiply_shift
from neurossm_converters.backends.lava.cells.cell import Cell, Parameters, Samples, Words, scaled
from neurossm_converters.backends.lava.record import Integers, Recorder


class Threshold(Cell):
    """Spikes where the input is above ``theta - 1``; strictly, as Lava's LIF compares."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.silent = self.integers("theta") - 1

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return 1 where the input is above ``theta - 1``, else 0."""
        self.count_arrivals(operands)
        u = self.entering(operands)
        self.recorder.dendrite_updates += u.size
        return (u > self.silent).astype(np.int64)


class TernaryThreshold(Cell):
    """Signed spikes where the input is above ``delta - 1`` or below ``1 - delta``."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.silent = self.integers("delta") - 1

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return 1 above ``delta - 1``, -1 below ``1 - delta``, else 0."""
        self.count_arrivals(operands)
        u = self.entering(operands)
        self.recorder.dendrite_updates += u.size
        return (u > self.silent).astype(np.int64) - (u < -self.silent).astype(np.int64)


class Sum(Cell):
    """Adds its operands after bringing each to the exponent of the output."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.units = [scaled(1, right) for right in self.integers("shifts")]
        self.out_bits = self.number("out_bits")

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return ``sat(sum of the aligned operands)``."""
        self.count_arrivals(operands)
        total = np.zeros(operands[0].shape)
        for operand, unit in zip(operands, self.units, strict=True):
            total += multiply_shift(unit, operand)
        self.recorder.dendrite_updates += total.size
        return self.clipped(total, self.out_bits)


class Product(Cell):
    """Multiplies its two operands."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.unit, self.out_bits = scaled(1, self.number("right")), self.number("out_bits")

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return ``sat(tz(u_1 u_2))``."""
        self.count_arrivals(operands)
        self.recorder.dendrite_updates += operands[0].size
        left, other = operands
        return self.clipped(multiply_shift(self.unit * left, other), self.out_bits)


class PiecewiseLinear(Cell):
    """A line chosen by comparing with the knots, at most seven of them."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.knots = self.integers("knots")
        self.slopes = scaled(self.integers("slopes"), self.number("right"))
        self.offsets, self.out_bits = self.integers("offsets"), self.number("out_bits")

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return ``sat(tz(slope u) + offset)``."""
        self.count_arrivals(operands)
        u = self.entering(operands)
        self.recorder.dendrite_updates += u.size
        line = np.count_nonzero(u[..., np.newaxis] >= self.knots, axis=-1)
        product = multiply_shift(self.slopes[line], u)
        return self.clipped(product + self.offsets[line], self.out_bits)
