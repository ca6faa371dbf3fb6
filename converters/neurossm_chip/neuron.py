# mypy: disallow-subclassing-any=False
"""What all our processes share: ports, time, reset, and what a model on the CPU writes down.

Time: a process works from network step ``latency`` on, for ``last`` steps, and sets its states to
zero at every multiple of ``period``, where a new sample begins. Before and after it sends zeros and
keeps its state. ``clock`` counts: it starts at ``-latency``.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from neurossm_chip.arithmetic import sat

WORD = LavaPyType(np.ndarray, np.int32, precision=32)
STATE = LavaPyType(np.ndarray, np.int32, precision=24)
POLE = LavaPyType(np.ndarray, np.int32, precision=16)
GAIN = LavaPyType(np.ndarray, np.int32, precision=8)
IN_PORT = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
OUT_PORT = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
OPERANDS = 8  # of a Sum; fixed, because a model declares its ports


class Neurons(AbstractProcess):
    """Base of what runs on the chip.

    Parameters
    ----------
    name
        Name of the node.
    shape
        Messages that arrive on each port, messages that are sent.
    time
        ``clock``, ``period`` and ``last``, see above.
    parameters, states
        Var name to integers.
    record
        File stem for what its model on the CPU writes down; empty for nothing, as on a chip.
    """

    ports = 1

    def __init__(
        self,
        name: str,
        shape: tuple[int, int],
        time: dict[str, int],
        parameters: dict[str, Any],
        states: dict[str, Any],
        record: str,
    ) -> None:
        super().__init__(name=name, record=record, states=tuple(states), channels=shape[1])
        for position in range(self.ports):
            setattr(self, f"in_{position}", InPort(shape=(shape[0],)))
        self.s_out = OutPort(shape=(shape[1],))
        for key, value in list(time.items()) + list(parameters.items()) + list(states.items()):
            array = np.atleast_1d(np.asarray(value, np.int64))
            setattr(self, key, Var(shape=array.shape, init=array))


class NeuronModel(PyLoihiProcessModel):
    """Base of the models on the CPU: time, reset, and what is written down."""

    s_out: Any = OUT_PORT
    clock: Any = WORD
    period: Any = WORD
    last: Any = WORD
    entry_bits: Any = WORD

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.sent: list[Any] = []
        self.ended: dict[str, list[Any]] = {name: [] for name in proc_params["states"]}

    def run_spk(self) -> None:
        """One network step."""
        operands, clock = self.operands(), int(self.clock[0])
        values = np.zeros(self.proc_params["channels"], np.int64)
        if 0 <= clock < self.last[0]:
            if clock % self.period[0] == 0:
                for name in self.ended:
                    setattr(self, name, np.zeros_like(getattr(self, name)))
            values = self.update(operands)
            if self.proc_params["record"]:
                self.note(values, clock + 1)
        self.clock = self.clock + 1
        self.s_out.send(values.astype(np.int32))

    def operands(self) -> list[Any]:
        """Receive from every port, int64."""
        names = [f"in_{position}" for position in range(OPERANDS)]
        ports = [name for name in names if hasattr(self, name)]
        return [getattr(self, name).recv().astype(np.int64) for name in ports]

    def update(self, operands: list[Any]) -> Any:
        """Return the messages of a step."""
        raise NotImplementedError

    def entering(self, operands: list[Any]) -> Any:
        """Return the sum of all synapses, saturated on entry where the contract says so."""
        return sat(operands[0], self.entry_bits)

    def note(self, values: Any, steps: int) -> None:
        """Write down messages, and the states at the end of each sample; on the CPU only."""
        self.sent.append(values)
        if steps % self.period[0] == 0:
            for name, kept in self.ended.items():
                kept.append(np.array(getattr(self, name)))
        if steps == self.last[0]:
            stem = self.proc_params["record"]
            save(stem + ".values.npy", np.array(self.sent))
            for name, kept in self.ended.items():
                save(f"{stem}.{name}.npy", np.array(kept))


class OneInput(NeuronModel):
    """A model with one port, on which all synapses add up."""

    in_0: Any = IN_PORT


def save(path: str, array: Any) -> None:
    """Write an array in one step, so that a reader finds all of it or nothing."""
    with open(path + ".tmp", "wb") as file:
        np.save(file, array, allow_pickle=False)
    os.replace(path + ".tmp", path)
