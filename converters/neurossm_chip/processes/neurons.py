# mypy: disallow-subclassing-any=False, disallow-untyped-decorators=False
"""One Lava Process for each kind of neuron, and its bit-true model on the CPU.

A process is what a neuro-core program has to be written for: its ports, its Vars, the few lines of
its model's `update`, and the time of ``neurossm_chip.neuron`` are the whole specification. Synapses
are Lava's own processes between them. On a chip every process but `Source` and `Sink` needs a model
of its own (`neurossm_chip.register`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from neurossm_chip.arithmetic import sat, signed24, times, tz
from neurossm_chip.neuron import (
    GAIN,
    IN_PORT,
    OPERANDS,
    OUT_PORT,
    POLE,
    STATE,
    WORD,
    NeuronModel,
    Neurons,
    OneInput,
    save,
)


class Source(AbstractProcess):
    """Sends the integers of an `Input`, (steps, C), from the host; zeros after the last."""

    def __init__(self, name: str, played: Any) -> None:
        super().__init__(name=name, played=played)
        self.s_out = OutPort(shape=played.shape[1:])


class Sink(AbstractProcess):
    """Writes what arrives at an `Output` into a file on the host, (steps, C)."""

    def __init__(self, name: str, channels: int, steps: int, path: str) -> None:
        super().__init__(name=name, channels=channels, steps=steps, path=path)
        self.in_0 = InPort(shape=(channels,))


class Dendrite(Neurons):
    """Where the synapses of an `Affine` end: adds the bias, saturates."""


class DiagonalSSM(Neurons):
    """A neuron a channel, with N complex states each."""


class Threshold(Neurons):
    """Spikes where the input is above ``theta - 1``."""


class TernaryThreshold(Neurons):
    """Signed spikes where the input is above ``delta - 1`` or below ``1 - delta``."""


class LIF(Neurons):
    """Leaky membranes with a reset and a refractory trace."""


class Embedding(Neurons):
    """The row of a table that a token selects."""


class Sum(Neurons):
    """Adds its operands after bringing each to the exponent of the output."""

    ports = OPERANDS


class Product(Neurons):
    """Multiplies its two operands."""

    ports = 2


class PiecewiseLinear(Neurons):
    """A line chosen by comparing with the knots."""


class Accumulate(Neurons):
    """Adds up over a sample."""


class Readout(Neurons):
    """Behind Lava's S4d: adds direct term and bias to the sum of the states, saturates."""

    ports = 2


ON_CHIP = (
    Dendrite, DiagonalSSM, Threshold, TernaryThreshold, LIF, Embedding, Sum, Product,
    PiecewiseLinear, Accumulate, Readout,
)  # fmt: skip


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
class SourceModel(PyLoihiProcessModel):
    """Model of `Source`, on the host."""

    s_out: Any = OUT_PORT

    def run_spk(self) -> None:
        """Send the integers of this step."""
        played, step = self.proc_params["played"], int(self.time_step) - 1
        silence = np.zeros(played.shape[1:], np.int32)
        self.s_out.send(played[step].astype(np.int32) if step < len(played) else silence)


@implements(proc=Sink, protocol=LoihiProtocol)
@requires(CPU)
class SinkModel(PyLoihiProcessModel):
    """Model of `Sink`, on the host."""

    in_0: Any = IN_PORT

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.kept = np.zeros((proc_params["steps"], proc_params["channels"]), np.int32)

    def run_spk(self) -> None:
        """Keep what arrives; write the file at the last step."""
        self.kept[int(self.time_step) - 1] = signed24(self.in_0.recv())
        if self.time_step == len(self.kept):
            save(self.proc_params["path"], self.kept)


@implements(proc=Dendrite, protocol=LoihiProtocol)
@requires(CPU)
class DendriteModel(OneInput):
    """Model of `Dendrite`."""

    bias: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Any]) -> Any:
        """Return ``sat(sum + bias)``."""
        return sat(self.entering(operands) + self.bias, self.out_bits)


@implements(proc=DiagonalSSM, protocol=LoihiProtocol)
@requires(CPU)
class DiagonalSSMModel(OneInput):
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

    def update(self, operands: list[Any]) -> Any:
        """Return the readout after the state has moved."""
        u = self.entering(operands)
        wide = u[:, np.newaxis]
        re = times(self.a_re, self.re, self.a_shift) - times(self.a_im, self.im, self.a_shift)
        im = times(self.a_re, self.im, self.a_shift) + times(self.a_im, self.re, self.a_shift)
        re = re + times(self.b_re, wide, self.b_shift) + self.drive_re
        im = im + times(self.b_im, wide, self.b_shift) + self.drive_im
        self.re = sat(re, self.state_bits).astype(np.int32)
        self.im = sat(im, self.state_bits).astype(np.int32)
        y = times(self.c_re, self.re, self.c_shift) - times(self.c_im, self.im, self.c_shift)
        return sat(y.sum(axis=1) + times(self.d, u, self.d_shift) + self.bias, self.out_bits)


@implements(proc=Threshold, protocol=LoihiProtocol)
@requires(CPU)
class ThresholdModel(OneInput):
    """Model of `Threshold`; compares strictly, as Lava's LIF does."""

    theta: Any = WORD

    def update(self, operands: list[Any]) -> Any:
        """Return 1 above ``theta - 1``, else 0."""
        above = self.entering(operands) > self.theta.astype(np.int64) - 1
        return above.astype(np.int64)


@implements(proc=TernaryThreshold, protocol=LoihiProtocol)
@requires(CPU)
class TernaryThresholdModel(OneInput):
    """Model of `TernaryThreshold`: two strict comparisons."""

    delta: Any = WORD

    def update(self, operands: list[Any]) -> Any:
        """Return 1 above ``delta - 1``, -1 below ``1 - delta``, else 0."""
        u, least = self.entering(operands), self.delta.astype(np.int64) - 1
        return (u > least).astype(np.int64) - (u < -least).astype(np.int64)


@implements(proc=LIF, protocol=LoihiProtocol)
@requires(CPU)
class LIFModel(OneInput):
    """Model of `LIF`: decay, integrate, compare, reset, then the trace for the next step."""

    theta: Any = WORD
    tau: Any = WORD
    rho: Any = WORD
    kappa: Any = WORD
    leak_shift: Any = WORD
    right: Any = WORD
    hard: Any = WORD
    soft: Any = WORD
    state_bits: Any = WORD
    u: Any = STATE
    r: Any = STATE

    def update(self, operands: list[Any]) -> Any:
        """Return the spikes."""
        decayed = times(self.tau, self.u, self.leak_shift)
        membrane = sat(decayed + tz(self.entering(operands), self.right), self.state_bits)
        fires = membrane > self.r.astype(np.int64) + self.theta - 1
        if self.hard[0]:
            membrane[fires] = 0
        elif self.soft[0]:
            membrane -= np.where(fires, self.theta, 0)
        self.u = membrane.astype(np.int32)
        left = times(self.rho, self.r, self.leak_shift) + np.where(fires, self.kappa, 0)
        self.r = sat(left, self.state_bits).astype(np.int32)
        return fires.astype(np.int64)


@implements(proc=Embedding, protocol=LoihiProtocol)
@requires(CPU)
class EmbeddingModel(OneInput):
    """Model of `Embedding`; a token 0 is a message like any other."""

    table: Any = GAIN

    def update(self, operands: list[Any]) -> Any:
        """Return the row of the token."""
        return self.table[operands[0][0]].astype(np.int64)


@implements(proc=Sum, protocol=LoihiProtocol)
@requires(CPU)
class SumModel(NeuronModel):
    """Model of `Sum`; one shift for each operand."""

    in_0: Any = IN_PORT
    in_1: Any = IN_PORT
    in_2: Any = IN_PORT
    in_3: Any = IN_PORT
    in_4: Any = IN_PORT
    in_5: Any = IN_PORT
    in_6: Any = IN_PORT
    in_7: Any = IN_PORT
    shifts: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Any]) -> Any:
        """Return ``sat(sum of the aligned operands)``."""
        aligned = [tz(operands[i], right) for i, right in enumerate(self.shifts)]
        return sat(np.sum(aligned, axis=0), self.out_bits)


@implements(proc=Product, protocol=LoihiProtocol)
@requires(CPU)
class ProductModel(NeuronModel):
    """Model of `Product`."""

    in_0: Any = IN_PORT
    in_1: Any = IN_PORT
    right: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Any]) -> Any:
        """Return ``sat(tz(u_1 u_2))``."""
        return sat(times(operands[0], operands[1], self.right), self.out_bits)


@implements(proc=PiecewiseLinear, protocol=LoihiProtocol)
@requires(CPU)
class PiecewiseLinearModel(OneInput):
    """Model of `PiecewiseLinear`: at most seven comparisons choose the line."""

    knots: Any = WORD
    slopes: Any = WORD
    offsets: Any = WORD
    right: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Any]) -> Any:
        """Return ``sat(tz(slope u) + offset)``."""
        u = self.entering(operands)
        segment = (u[:, np.newaxis] >= self.knots).sum(axis=1)
        line = times(self.slopes[segment], u, self.right)
        return sat(line + self.offsets[segment], self.out_bits)


@implements(proc=Accumulate, protocol=LoihiProtocol)
@requires(CPU)
class AccumulateModel(OneInput):
    """Model of `Accumulate`."""

    right: Any = WORD
    term_bits: Any = WORD
    out_bits: Any = WORD
    sum: Any = STATE

    def update(self, operands: list[Any]) -> Any:
        """Return the running sum."""
        term = sat(tz(self.entering(operands), self.right), self.term_bits)
        total = sat(self.sum + term, self.out_bits)
        self.sum = total.astype(np.int32)
        return total


@implements(proc=Readout, protocol=LoihiProtocol)
@requires(CPU)
class ReadoutModel(NeuronModel):
    """Model of `Readout`; what arrives on ``in_0`` is real on the CPU: its fraction is dropped."""

    in_0: Any = IN_PORT
    in_1: Any = IN_PORT
    d: Any = GAIN
    d_shift: Any = WORD
    bias: Any = WORD
    out_bits: Any = WORD

    def update(self, operands: list[Any]) -> Any:
        """Return ``sat(sum of states + tz(d u) + bias)``."""
        direct = times(self.d, sat(operands[1], self.entry_bits), self.d_shift)
        return sat(operands[0] + direct + self.bias, self.out_bits)
