# mypy: disallow-subclassing-any=False, disallow-untyped-decorators=False
"""One Lava Process for each kind of neuron, made from its cell, and its bit-true model on the CPU.

A process is what a neuro-core program has to be written for: its ports, its Vars, the few lines of
its cell's `update` (`neurossm_chip.cells`), and the time of ``neurossm_chip.neuron`` are the whole
specification. It has the name of its cell, ``Threshold``; its model is ``ThresholdModel``. Synapses
are Lava's own processes between them. On a chip every process but `Source` and `Sink` needs a model
of its own (`neurossm_chip.register`).

Lava's compiler executes every file of this directory, for each process anew: nothing else lives
here, and importing it has no effects.
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

from neurossm_chip.arithmetic import signed24
from neurossm_chip.cell import Cell
from neurossm_chip.cells import every_cell
from neurossm_chip.fused import fused
from neurossm_chip.neuron import IN_PORT, OUT_PORT, NeuronModel, Neurons, model_parts, save
from neurossm_chip.readout import Readout


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


def _made(cell: type[Cell]) -> dict[str, Any]:
    """Return the process and the model of a cell, by their names."""
    named = {"__doc__": cell.__doc__, "__module__": __name__, "cell": cell}
    process = type(cell.__name__, (Neurons,), named)
    model = type(f"{cell.__name__}Model", (NeuronModel,), {**named, **model_parts(cell)})
    implementing = implements(proc=process, protocol=LoihiProtocol)(requires(CPU)(model))
    return {process.__name__: process, model.__name__: implementing}


# a delay is one of synapses
_CELLS = [*(cell for cell in every_cell() if not (cell.host or cell.late)), Readout]
# Lava's compiler looks through the names of this module: each class has one
globals().update({name: made for cell in _CELLS for name, made in _made(cell).items()})
ON_CHIP: dict[str, type[Any]] = {cell.__name__: globals()[cell.__name__] for cell in _CELLS}


def sharing(*kinds: str) -> Any:
    """Return the process in which cells share a neuron, by their names, in order; see `Fused`.

    It is made when it is first asked for, and named after them: ``AffineLIF``.
    """
    name = "".join(kinds)
    if name not in ON_CHIP:
        cell = fused(tuple(ON_CHIP[kind].cell for kind in kinds))
        globals().update(_made(cell))
        ON_CHIP[name] = globals()[name]
    return ON_CHIP[name]
