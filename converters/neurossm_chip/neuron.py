# mypy: disallow-subclassing-any=False
"""What all our processes share: ports, time, reset, and what a model on the CPU writes down.

Time: a process works from network step ``latency`` on, for ``last`` steps, and sets its states to
zero at every multiple of ``period``, where a new sample begins. It works ``busy`` steps of each
period; in the others messages that were delayed arrive, and are lost. Before, between and after it
sends zeros and keeps its state. ``clock`` counts: it starts at ``-latency``.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from neurossm_chip.cell import Cell, State

WORD = LavaPyType(np.ndarray, np.int32, precision=32)
STATE = LavaPyType(np.ndarray, np.int32, precision=24)
IN_PORT = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
OUT_PORT = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)


class Neurons(AbstractProcess):
    """Base of what runs on the chip; `cell` is the arithmetic of a subclass.

    Parameters
    ----------
    name
        Name of the node.
    shape
        Messages that arrive on each port, messages that are sent.
    time
        ``clock``, ``period``, ``busy`` and ``last``, see above.
    values
        Var name to integers: the parameters of the cell.
    record
        File stem for what its model on the CPU writes down; empty for nothing, as on a chip.
    """

    cell: ClassVar[type[Cell]] = Cell

    def __init__(
        self, name: str, shape: tuple[int, int], time: dict[str, int], values: State, record: str
    ) -> None:
        super().__init__(name=name, record=record, channels=shape[1])
        for position in range(self.cell.ports):
            setattr(self, f"in_{position}", InPort(shape=(shape[0],)))
        self.s_out = OutPort(shape=(shape[1],))
        at_work = self.cell(values, shape[1])
        states = at_work.parts(at_work.initial())
        for key, value in [*time.items(), *values.items(), *states.items()]:
            array = np.atleast_1d(np.asarray(value, np.int64))
            setattr(self, key, Var(shape=array.shape, init=array))


class NeuronModel(PyLoihiProcessModel):
    """Base of the models on the CPU: time, reset, and what is written down.

    Lava sets the Vars after the constructor, so the cell begins with the first step; its state is
    put into its Vars after each.
    """

    cell: ClassVar[type[Cell]] = Cell

    s_out: Any = OUT_PORT
    clock: Any = WORD
    period: Any = WORD
    busy: Any = WORD
    last: Any = WORD
    entry_bits: Any = WORD

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.at_work: Any = None
        self.state: State = {}
        self.sent: list[Any] = []
        self.ended: dict[str, list[Any]] = {name: [] for name in self.cell.states}

    def run_spk(self) -> None:
        """One network step."""
        operands, clock = self.operands(), int(self.clock[0])
        step = clock % int(self.period[0])
        sent = np.zeros(self.proc_params["channels"], np.int64)
        if 0 <= clock < self.last[0] and step < self.busy[0]:
            if step == 0:
                self.begin()
            values = self.at_work.update(self.state, operands)
            sent = self.at_work.outgoing(values)
            for name, part in self.at_work.parts(self.state).items():
                setattr(self, name, part.astype(np.int32))
            if self.proc_params["record"]:
                self.note(values, step + 1 == self.busy[0], clock + 1 == self.last[0])
        self.clock = self.clock + 1
        self.s_out.send(sent.astype(np.int32))

    def begin(self) -> None:
        """Begin a sample: states are 0."""
        if self.at_work is None:
            names = ["entry_bits", *self.cell.registers]
            values = {name: getattr(self, name) for name in names}
            self.at_work = self.cell(values, self.proc_params["channels"])
        self.state = self.at_work.initial()

    def operands(self) -> list[Any]:
        """Receive from every port, int64."""
        ports = [getattr(self, f"in_{position}") for position in range(self.cell.ports)]
        return [port.recv().astype(np.int64) for port in ports]

    def note(self, values: Any, ends: bool, is_last: bool) -> None:
        """Write down messages, and the states where a sample ends; on the CPU only."""
        self.sent.append(values)
        if ends:
            for name, kept in self.ended.items():
                kept.append(np.array(getattr(self, name)))
        if is_last:
            stem = self.proc_params["record"]
            save(stem + ".values.npy", np.array(self.sent))
            for name, kept in self.ended.items():
                save(f"{stem}.{name}.npy", np.array(kept))


def model_parts(cell: type[Cell]) -> dict[str, Any]:
    """Return what Lava wants declared on the class of a model: ports, parameters, states."""
    found: dict[str, Any] = {f"in_{position}": IN_PORT for position in range(cell.ports)}
    for name, bits in cell.registers.items():
        found[name] = LavaPyType(np.ndarray, np.int32, precision=bits)
    return {**found, **{name: STATE for name in cell.states}}


def save(path: str, array: Any) -> None:
    """Write an array in one step, so that a reader finds all of it or nothing."""
    with open(path + ".tmp", "wb") as file:
        np.save(file, array, allow_pickle=False)
    os.replace(path + ".tmp", path)
