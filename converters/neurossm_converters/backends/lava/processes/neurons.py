# mypy: disallow-subclassing-any=False, disallow-untyped-decorators=False
"""One Lava Process and one process model for each integer node, and for synapses.

The arithmetic is that of `lava_backend.cells`; here stand the ports and registers that a model for
other hardware would have too. Lava's compiler executes every file in this directory, once for each
process: nothing else lives here, and importing it has no effects.
"""

from __future__ import annotations

from typing import Any

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

from neurossm_converters.backends.lava import cells
from neurossm_converters.backends.lava.neuron import NeuronModel, NeuronProcess

WORD = LavaPyType(np.ndarray, np.int32, precision=32)
STATE = LavaPyType(np.ndarray, np.int32, precision=24)
POLE = LavaPyType(np.ndarray, np.int32, precision=16)
GAIN = LavaPyType(np.ndarray, np.int32, precision=8)


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


class Synapses(AbstractProcess):
    """Lava's `Dense` for S samples side by side: the same sums, one step late.

    Parameters
    ----------
    weights
        Mantissas, ``(out, in)``.
    rows
        Shape in front of the channels: ``()`` for one sample, ``(S,)`` for S side by side.
    """

    def __init__(self, name: str, weights: NDArray[np.int64], rows: tuple[int, ...]) -> None:
        super().__init__(name=name)
        self.s_in = InPort(shape=(*rows, weights.shape[1]))
        self.a_out = OutPort(shape=(*rows, weights.shape[0]))
        self.weights = Var(shape=weights.shape, init=weights)
        self.buffer = Var(shape=(*rows, weights.shape[0]), init=0)


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
class SourceModel(NeuronModel):
    """Model of `Source`."""

    arithmetic = cells.Source


@implements(proc=Sink, protocol=LoihiProtocol)
@requires(CPU)
class SinkModel(NeuronModel):
    """Model of `Sink`."""

    arithmetic = cells.Sink


@implements(proc=Dendrite, protocol=LoihiProtocol)
@requires(CPU)
class DendriteModel(NeuronModel):
    """Model of `Dendrite`."""

    arithmetic = cells.Dendrite
    bias: Any = WORD
    out_bits: Any = WORD


@implements(proc=DiagonalSSM, protocol=LoihiProtocol)
@requires(CPU)
class DiagonalSSMModel(NeuronModel):
    """Model of `DiagonalSSM`; parameters ``(C, N)``, shifts ``(C, 1)``, states ``(S, C, N)``."""

    arithmetic = cells.DiagonalSSM
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


@implements(proc=Threshold, protocol=LoihiProtocol)
@requires(CPU)
class ThresholdModel(NeuronModel):
    """Model of `Threshold`."""

    arithmetic = cells.Threshold
    theta: Any = WORD


@implements(proc=TernaryThreshold, protocol=LoihiProtocol)
@requires(CPU)
class TernaryThresholdModel(NeuronModel):
    """Model of `TernaryThreshold`."""

    arithmetic = cells.TernaryThreshold
    delta: Any = WORD


@implements(proc=LIF, protocol=LoihiProtocol)
@requires(CPU)
class LIFModel(NeuronModel):
    """Model of `LIF`; states ``(S, C)``."""

    arithmetic = cells.LIF
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


@implements(proc=Embedding, protocol=LoihiProtocol)
@requires(CPU)
class EmbeddingModel(NeuronModel):
    """Model of `Embedding`."""

    arithmetic = cells.Embedding
    table: Any = GAIN


@implements(proc=Sum, protocol=LoihiProtocol)
@requires(CPU)
class SumModel(NeuronModel):
    """Model of `Sum`; one shift for each operand."""

    arithmetic = cells.Sum
    shifts: Any = WORD
    out_bits: Any = WORD


@implements(proc=Product, protocol=LoihiProtocol)
@requires(CPU)
class ProductModel(NeuronModel):
    """Model of `Product`."""

    arithmetic = cells.Product
    right: Any = WORD
    out_bits: Any = WORD


@implements(proc=PiecewiseLinear, protocol=LoihiProtocol)
@requires(CPU)
class PiecewiseLinearModel(NeuronModel):
    """Model of `PiecewiseLinear`."""

    arithmetic = cells.PiecewiseLinear
    knots: Any = WORD
    slopes: Any = WORD
    offsets: Any = WORD
    right: Any = WORD
    out_bits: Any = WORD


@implements(proc=Accumulate, protocol=LoihiProtocol)
@requires(CPU)
class AccumulateModel(NeuronModel):
    """Model of `Accumulate`; state ``(S, C)``."""

    arithmetic = cells.Accumulate
    right: Any = WORD
    term_bits: Any = WORD
    out_bits: Any = WORD
    sum: Any = STATE


@implements(proc=Synapses, protocol=LoihiProtocol)
@requires(CPU)
class SynapsesModel(PyLoihiProcessModel):
    """Model of `Synapses`."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=32)
    weights: Any = LavaPyType(np.ndarray, np.float64)
    buffer: Any = WORD

    def run_spk(self) -> None:
        """Send the sums of the previous step, form those of this one."""
        self.a_out.send(self.buffer)
        # float64 is exact here: the contract bounds every sum below 2**31
        sums = self.s_in.recv().astype(np.float64) @ self.weights.T
        self.buffer = sums.astype(np.int32)
