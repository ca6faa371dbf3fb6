"""Cells with a state: complex modes, membranes, running sums."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import multiply_shift
from neurossm_converters.backends.lava.cells.cell import Cell, Parameters, Samples, Words, scaled
from neurossm_converters.backends.lava.record import Integers, Recorder


class DiagonalSSM(Cell):
    """A neuron a channel, with N complex states each.

    Real and imaginary parts lie in front, ``(2, S, C, N)``: multiplying by a complex pole is the
    real matrix ``[[re, -im], [im, re]]``, and a product shifted toward zero changes sign with its
    factor.
    """

    states: ClassVar[tuple[str, ...]] = ("re", "im")

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        get = self.integers
        re, im = get("a_re"), get("a_im")
        gains, readout = [get("b_re"), get("b_im")], [get("c_re"), -get("c_im")]
        self.poles = scaled([[re, -im], [im, re]], get("a_shift"))[:, :, np.newaxis]
        self.gains = scaled(gains, get("b_shift"))[:, np.newaxis]
        self.readout = scaled(readout, get("c_shift"))[:, np.newaxis]
        self.drive = np.array([get("drive_re"), get("drive_im")])[:, np.newaxis]
        self.d, self.bias = scaled(get("d"), get("d_shift")), get("bias")
        self.state_bits, self.out_bits = self.number("state_bits"), self.number("out_bits")

    def initial(self, rows: int) -> dict[str, Integers]:
        """Return zeros."""
        shape = (2, rows, *self.poles.shape[-2:])
        both = np.zeros(shape, np.int64)
        return {"both": both, "re": both[0], "im": both[1]}

    def remaining(self, rows: NDArray[np.bool_]) -> dict[str, Integers]:
        """Return the states of those samples that go on."""
        both = self.state["both"][:, rows]
        return {"both": both, "re": both[0], "im": both[1]}

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return the readout after the state has moved."""
        self.count_arrivals(operands)
        u = self.entering(operands)
        # a rotation and damping, four products, each shifted by itself
        moved = multiply_shift(self.poles, self.state["both"]).sum(axis=1)
        moved += multiply_shift(self.gains, u[..., np.newaxis])
        both = self.clipped(moved + self.drive, self.state_bits)
        self.state = {"both": both, "re": both[0], "im": both[1]}
        self.recorder.dendrite_updates += both[0].size
        y = multiply_shift(self.readout, both).sum(axis=(0, -1))
        y += multiply_shift(self.d, u) + self.bias
        return self.clipped(y, self.out_bits)


class LIF(Cell):
    """Leaky membranes: decay, integrate, compare, reset, then the trace for the next step."""

    states: ClassVar[tuple[str, ...]] = ("u", "r")

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        get = self.integers
        self.theta, self.kappa = get("theta"), get("kappa")
        leak = self.number("leak_shift")
        self.tau, self.rho = (scaled(get(name), leak) for name in ("tau", "rho"))
        self.unit = scaled(1, get("right"))
        self.hard, self.soft = bool(self.number("hard")), bool(self.number("soft"))
        self.state_bits, self.traced = self.number("state_bits"), bool(self.kappa.any())

    def initial(self, rows: int) -> dict[str, Integers]:
        """Return zeros."""
        shape = (rows, self.frame.channels)
        return {name: np.zeros(shape, np.int64) for name in self.states}

    def kept(self) -> tuple[str, ...]:
        """Return both states, or the membrane alone where no spike leaves a trace."""
        return ("u", "r") if self.traced else ("u",)

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return the spikes."""
        self.count_arrivals(operands)
        decayed = multiply_shift(self.tau, self.state["u"])
        entering = multiply_shift(self.unit, self.entering(operands))
        membrane = self.clipped(decayed + entering, self.state_bits)
        trace = self.state["r"]
        fires = membrane > trace + self.theta - 1
        self.recorder.dendrite_updates += fires.size * len(self.kept())
        if self.hard:
            membrane[fires] = 0
        elif self.soft:
            membrane -= np.where(fires, self.theta, 0)
        if self.traced:
            left = multiply_shift(self.rho, trace) + np.where(fires, self.kappa, 0)
            trace = self.clipped(left, self.state_bits)
        self.state = {"u": membrane, "r": trace}
        return fires.astype(np.int64)


class Accumulate(Cell):
    """Adds up over time."""

    states: ClassVar[tuple[str, ...]] = ("sum",)

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.unit = scaled(1, self.number("right"))
        self.term_bits = self.number("term_bits")
        self.out_bits = self.number("out_bits")

    def initial(self, rows: int) -> dict[str, Integers]:
        """Return zeros."""
        return {"sum": np.zeros((rows, self.frame.channels), np.int64)}

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return the running sum."""
        self.count_arrivals(operands)
        term = self.clipped(multiply_shift(self.unit, self.entering(operands)), self.term_bits)
        total = self.state["sum"] = self.clipped(self.state["sum"] + term, self.out_bits)
        self.recorder.dendrite_updates += total.size
        return total
