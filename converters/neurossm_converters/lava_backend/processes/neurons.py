# mypy: disallow-subclassing-any=False, disallow-untyped-decorators=False
"""One Lava Process and one bit-true process model for each integer node.

Written as for microcode, on its own: 32-bit words in and out, 64-bit products, shifts toward zero,
saturation where a register is written. It shares `neurossm.fixed` with the reference and nothing
else, so that their agreement means something.

Lava's compiler executes every file in this directory, once for each process: nothing else lives
here, and importing it has no effects.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from numpy.typing import NDArray

from neurossm.fixed import shift
from neurossm_converters.lava_backend.neuron import NeuronModel, NeuronProcess, Words
from neurossm_converters.lava_backend.record import Integers, input_file

WORD = LavaPyType(np.ndarray, np.int32, precision=32)
STATE = LavaPyType(np.ndarray, np.int32, precision=24)
POLE = LavaPyType(np.ndarray, np.int32, precision=16)
GAIN = LavaPyType(np.ndarray, np.int32, precision=8)
LEAK_SHIFT = np.array(12)


class Source(NeuronProcess):
    """Plays the integers of an `Input`, which lie in a file beside its records."""


class Sink(NeuronProcess):
    """Writes down what arrives at an `Output`."""


class Dendrite(NeuronProcess):
    """Where the synapses of an `Affine` end: adds their sums and the bias, saturates."""


class DiagonalSSM(NeuronProcess):
    """A neuron a channel, with N complex states each."""


class Threshold(NeuronProcess):
    """Spikes where the input is above ``theta - 1``."""


class TernaryThreshold(NeuronProcess):
    """Signed spikes where the input is above ``delta - 1`` or below ``1 - delta``."""


class LIF(NeuronProcess):
    """Leaky membranes with a reset and a refractory trace."""


class Embedding(NeuronProcess):
    """The synapses of a one-hot spike: the row of a token."""


class Sum(NeuronProcess):
    """Adds its operands after bringing each to the exponent of the output."""


class Product(NeuronProcess):
    """Multiplies its two operands."""


class PiecewiseLinear(NeuronProcess):
    """A line chosen by comparing with the knots."""


class Accumulate(NeuronProcess):
    """Adds up over time."""


class StackedSynapses(AbstractProcess):
    """Lava's `Dense` for S samples side by side: the same sums, one step late.

    Parameters
    ----------
    weights
        Mantissas, ``(out, in)``.
    stacked
        S.
    """

    def __init__(self, name: str, weights: NDArray[np.int64], stacked: int) -> None:
        super().__init__(name=name)
        self.s_in = InPort(shape=(stacked, weights.shape[1]))
        self.a_out = OutPort(shape=(stacked, weights.shape[0]))
        self.weights = Var(shape=weights.shape, init=weights)
        self.buffer = Var(shape=(stacked, weights.shape[0]), init=0)


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
class SourceModel(NeuronModel):
    """Model of `Source`."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._played = np.load(
            input_file(self.frame.folder, self.frame.index), mmap_mode="r", allow_pickle=False
        )

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return the input of this step."""
        return np.asarray(self._played[samples, step], dtype=np.int64)


@implements(proc=Sink, protocol=LoihiProtocol)
@requires(CPU)
class SinkModel(NeuronModel):
    """Model of `Sink`."""

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return what arrived."""
        self.count_arrivals(operands)
        return operands[0].astype(np.int64)


@implements(proc=Dendrite, protocol=LoihiProtocol)
@requires(CPU)
class DendriteModel(NeuronModel):
    """Model of `Dendrite`."""

    bias: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return ``sat(sum + bias)``."""
        total = np.sum(operands, axis=0, dtype=np.int64)
        return self.clipped(total + self.bias, self.out_bits)


@implements(proc=DiagonalSSM, protocol=LoihiProtocol)
@requires(CPU)
class DiagonalSSMModel(NeuronModel):
    """Model of `DiagonalSSM`; parameters ``(C, N)``, shifts ``(C, 1)``."""

    a_re: Any = POLE
    a_im: Any = POLE
    b_re: Any = GAIN
    b_im: Any = GAIN
    c_re: Any = GAIN
    c_im: Any = GAIN
    d: Any = GAIN
    drive_re: Any = STATE
    drive_im: Any = STATE
    bias: Any = WORD
    a_shift: Any = WORD
    b_shift: Any = WORD
    c_shift: Any = WORD
    d_shift: Any = WORD
    state_bits: Any = WORD
    out_bits: Any = WORD
    re: Any = STATE
    im: Any = STATE

    states: ClassVar[tuple[str, ...]] = ("re", "im")

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return the readout after the state has moved."""
        self.count_arrivals(operands)
        u = self.entering(operands)
        wide = u[..., np.newaxis]
        # a rotation and damping, four products, each shifted by itself
        re = times(self.a_re, self.re, self.a_shift) - times(self.a_im, self.im, self.a_shift)
        im = times(self.a_re, self.im, self.a_shift) + times(self.a_im, self.re, self.a_shift)
        re += times(self.b_re, wide, self.b_shift)
        im += times(self.b_im, wide, self.b_shift)
        self.re = self.clipped(re + self.drive_re, self.state_bits).astype(np.int32)
        self.im = self.clipped(im + self.drive_im, self.state_bits).astype(np.int32)
        self.recorder.dendrite_updates += self.re.size
        y = times(self.c_re, self.re, self.c_shift).sum(axis=-1)
        y -= times(self.c_im, self.im, self.c_shift).sum(axis=-1)
        y += times(self.d, u, self.d_shift) + self.bias
        return self.clipped(y, self.out_bits)


@implements(proc=Threshold, protocol=LoihiProtocol)
@requires(CPU)
class ThresholdModel(NeuronModel):
    """Model of `Threshold`; compares strictly, as Lava's LIF does."""

    theta: Any = WORD

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return 1 where the input is above ``theta - 1``, else 0."""
        self.count_arrivals(operands)
        u = self.entering(operands)
        self.recorder.dendrite_updates += u.size
        return np.asarray(u > self.theta.astype(np.int64) - 1, dtype=np.int64)


@implements(proc=TernaryThreshold, protocol=LoihiProtocol)
@requires(CPU)
class TernaryThresholdModel(NeuronModel):
    """Model of `TernaryThreshold`: two strict comparisons."""

    delta: Any = WORD

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return 1 above ``delta - 1``, -1 below ``1 - delta``, else 0."""
        self.count_arrivals(operands)
        u, least = self.entering(operands), self.delta.astype(np.int64) - 1
        self.recorder.dendrite_updates += u.size
        return np.asarray(u > least, dtype=np.int64) - np.asarray(u < -least, dtype=np.int64)


@implements(proc=LIF, protocol=LoihiProtocol)
@requires(CPU)
class LIFModel(NeuronModel):
    """Model of `LIF`: decay, integrate, compare, reset, then the trace for the next step."""

    theta: Any = WORD
    tau: Any = WORD
    rho: Any = WORD
    kappa: Any = WORD
    hard: Any = WORD
    soft: Any = WORD
    state_bits: Any = WORD
    u: Any = STATE
    r: Any = STATE

    states: ClassVar[tuple[str, ...]] = ("u", "r")

    def kept(self) -> tuple[str, ...]:
        """Return both states, or the membrane alone where no spike leaves a trace."""
        return ("u", "r") if self.kappa.any() else ("u",)

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return the spikes."""
        self.count_arrivals(operands)
        decayed = times(self.tau, self.u, LEAK_SHIFT)
        membrane = self.clipped(decayed + self.entering(operands), self.state_bits)
        fires = membrane > self.r + self.theta.astype(np.int64) - 1
        self.recorder.dendrite_updates += fires.size * len(self.kept())
        if self.hard.item():
            membrane[fires] = 0
        elif self.soft.item():
            membrane -= np.where(fires, self.theta, 0)
        self.u = membrane.astype(np.int32)
        left = times(self.rho, self.r, LEAK_SHIFT) + np.where(fires, self.kappa, 0)
        self.r = self.clipped(left, self.state_bits).astype(np.int32)
        return np.asarray(fires, dtype=np.int64)


@implements(proc=Embedding, protocol=LoihiProtocol)
@requires(CPU)
class EmbeddingModel(NeuronModel):
    """Model of `Embedding`."""

    table: Any = GAIN

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return the rows of the tokens; each is a message, whichever it is."""
        tokens = operands[0][:, 0]
        self.recorder.spikes_in += tokens.size
        self.recorder.syn_ops += tokens.size * self.table.shape[1]
        return np.asarray(self.table[tokens], dtype=np.int64)


@implements(proc=Sum, protocol=LoihiProtocol)
@requires(CPU)
class SumModel(NeuronModel):
    """Model of `Sum`; one shift for each operand."""

    shifts: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return ``sat(sum of the aligned operands)``."""
        self.count_arrivals(operands)
        total = np.zeros(operands[0].shape, np.int64)
        for operand, right in zip(operands, self.shifts, strict=True):
            total += shift(operand, right)
        self.recorder.dendrite_updates += total.size
        return self.clipped(total, self.out_bits)


@implements(proc=Product, protocol=LoihiProtocol)
@requires(CPU)
class ProductModel(NeuronModel):
    """Model of `Product`."""

    right: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return ``sat(tz(u_1 u_2))``."""
        self.count_arrivals(operands)
        self.recorder.dendrite_updates += operands[0].size
        return self.clipped(times(operands[0], operands[1], self.right), self.out_bits)


@implements(proc=PiecewiseLinear, protocol=LoihiProtocol)
@requires(CPU)
class PiecewiseLinearModel(NeuronModel):
    """Model of `PiecewiseLinear`: at most seven comparisons choose the line."""

    knots: Any = WORD
    slopes: Any = WORD
    offsets: Any = WORD
    right: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return ``sat(tz(slope u) + offset)``."""
        self.count_arrivals(operands)
        u = self.entering(operands)
        self.recorder.dendrite_updates += u.size
        slope, offset = np.full_like(u, self.slopes[0]), np.full_like(u, self.offsets[0])
        for knot, next_slope, next_offset in zip(
            self.knots, self.slopes[1:], self.offsets[1:], strict=True
        ):
            beyond = u >= knot
            slope[beyond], offset[beyond] = next_slope, next_offset
        return self.clipped(times(slope, u, self.right) + offset, self.out_bits)


@implements(proc=Accumulate, protocol=LoihiProtocol)
@requires(CPU)
class AccumulateModel(NeuronModel):
    """Model of `Accumulate`."""

    right: Any = WORD
    term_bits: Any = WORD
    out_bits: Any = WORD
    sum: Any = STATE

    states: ClassVar[tuple[str, ...]] = ("sum",)

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return the running sum."""
        self.count_arrivals(operands)
        term = self.clipped(shift(self.entering(operands), self.right), self.term_bits)
        total = self.clipped(self.sum + term, self.out_bits)
        self.sum = total.astype(np.int32)
        self.recorder.dendrite_updates += total.size
        return total


@implements(proc=StackedSynapses, protocol=LoihiProtocol)
@requires(CPU)
class StackedSynapsesModel(PyLoihiProcessModel):
    """Model of `StackedSynapses`."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=32)
    weights: Any = LavaPyType(np.ndarray, np.float64)
    buffer: Any = WORD

    def run_spk(self) -> None:
        """Send the sums of the previous step, form those of this one."""
        self.a_out.send(self.buffer)
        # float64 is exact here: the plan bounds every sum below 2**31
        sums = self.s_in.recv().astype(np.float64) @ self.weights.T
        self.buffer = sums.astype(np.int32)


def times(left: NDArray[Any], right: NDArray[Any], right_shift: NDArray[Any]) -> Integers:
    """Return the 64-bit product, shifted toward zero."""
    return shift(np.multiply(left, right, dtype=np.int64), right_shift)
