# mypy: disallow-subclassing-any=False
"""What all our Lava processes and models share: ports, time, waiting, recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from numpy.typing import NDArray

from neurossm.fixed import MESSAGE_BITS, saturate
from neurossm_converters.lava_backend.plan import MAX_EDGES
from neurossm_converters.lava_backend.record import Frame, Integers, Recorder

Words = NDArray[np.int32]


class NeuronProcess(AbstractProcess):
    """Base of our processes: one in-port for each edge, one out-port, parameters as Vars.

    Lava matches a model to exactly one Process class, so each node has a class of its own.

    Parameters
    ----------
    frame
        Its place in the run.
    in_channels
        Messages that arrive on each edge.
    variables
        Name to integers: parameters, and states with their initial values.
    """

    def __init__(self, frame: Frame, in_channels: int, variables: Mapping[str, Any]) -> None:
        super().__init__(name=frame.node, frame=frame)
        in_shape = (*frame.port_shape[:-1], max(in_channels, 1))
        for position in range(MAX_EDGES):
            setattr(self, f"in_{position}", InPort(shape=in_shape))
        self.s_out = OutPort(shape=frame.port_shape)
        for name, value in variables.items():
            array = np.atleast_1d(np.asarray(value, dtype=np.int64))
            setattr(self, name, Var(shape=array.shape, init=array))

    def port(self, position: int) -> Any:
        """Return the in-port of an edge."""
        return getattr(self, f"in_{position}")


class NeuronModel(PyLoihiProcessModel):
    """Base of our models: receives, lets its messages wait, updates, sends, writes down.

    A model does nothing before its own latency has passed, so that its first update sees the first
    step of the first sample; it resets its state where a sample begins.
    """

    in_0: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    in_1: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    in_2: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    in_3: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    in_4: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    in_5: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    in_6: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    in_7: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)

    states: ClassVar[tuple[str, ...]] = ()

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.frame: Frame = proc_params["frame"]
        self.recorder = Recorder(self.frame)
        self._waiting: list[deque[Words]] = [deque() for _ in self.frame.delays]
        fault = self.frame.fault
        if fault is not None and fault.kind == "init":
            fault.strike()

    def run_spk(self) -> None:
        """One network step."""
        frame, recorder = self.frame, self.recorder
        recorder.entered(int(self.time_step))
        if frame.fault is not None and frame.fault.step == self.time_step:
            frame.fault.strike()
        operands = self._receive()
        sent = np.zeros((frame.stacked, frame.channels), np.int32)
        place = frame.place(int(self.time_step))
        if place is not None:
            samples, step = place
            if step == 0:
                self._reset(samples.stop - samples.start)
            rows = samples.stop - samples.start
            values = self.update([operand[:rows] for operand in operands], samples, step)
            recorder.message(samples, step, values)
            sent[:rows] = values
        self.s_out.send(sent.reshape(frame.port_shape))
        if place is not None and place[1] == frame.steps - 1:
            self._finish(place[0])

    def update(self, operands: list[Words], samples: slice, step: int) -> Integers:
        """Return the messages of one logical step, ``(samples, C)``, from those that arrived."""
        raise NotImplementedError

    def kept(self) -> tuple[str, ...]:
        """Return the names of the states that are written down at the end of a sample."""
        return self.states

    def count_arrivals(self, operands: list[Words]) -> None:
        """Count the messages that are not zero."""
        self.recorder.spikes_in += sum(int(np.count_nonzero(operand)) for operand in operands)

    def entering(self, operands: list[Words]) -> Integers:
        """Return the sum of messages that converge, saturated on entry to the neuron."""
        if len(operands) == 1:
            return operands[0].astype(np.int64)
        return self.clipped(np.sum(operands, axis=0, dtype=np.int64), MESSAGE_BITS)

    def clipped(self, values: Integers, bits: Any) -> Integers:
        """Saturate and count."""
        result, count = saturate(values, int(np.asarray(bits).item()))
        self.recorder.saturations += count
        return result

    def _receive(self) -> list[Words]:
        arrived = []
        for position, delay in enumerate(self.frame.delays):
            message = getattr(self, f"in_{position}").recv()
            message = message.reshape(self.frame.stacked, -1)
            if delay:
                queue = self._waiting[position]
                queue.append(message)
                message = queue.popleft() if len(queue) > delay else np.zeros_like(message)
            arrived.append(message)
        return arrived

    def _reset(self, rows: int) -> None:
        for name in self.states:
            state = getattr(self, name)
            setattr(self, name, np.zeros((rows, *state.shape[1:]), np.int32))

    def _finish(self, samples: slice) -> None:
        for name in self.kept():
            self.recorder.state(name, samples, getattr(self, name))
        if samples.stop == self.frame.samples:
            self.recorder.close()
