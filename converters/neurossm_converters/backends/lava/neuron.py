# mypy: disallow-subclassing-any=False
"""A Lava process that carries one node: ports, parameters, and the cell that computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from neurossm_converters.backends.lava.cells import Cell, recorder_of
from neurossm_converters.backends.lava.plan import MAX_EDGES
from neurossm_converters.backends.lava.record import Frame

ARRIVING = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
LEAVING = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)


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
        super().__init__(name=frame.node, frame=frame, variables=tuple(variables))
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
    """Base of our models: receives, lets its cell make the step, sends.

    The parameters of the cell are the Vars, which Lava sets after the constructor, so the cell
    begins with the first step; its states are put back into their Vars after each.
    """

    arithmetic: ClassVar[type[Cell]]

    in_0: Any = ARRIVING
    in_1: Any = ARRIVING
    in_2: Any = ARRIVING
    in_3: Any = ARRIVING
    in_4: Any = ARRIVING
    in_5: Any = ARRIVING
    in_6: Any = ARRIVING
    in_7: Any = ARRIVING
    s_out: Any = LEAVING

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.frame: Frame = proc_params["frame"]
        self._variables: tuple[str, ...] = proc_params["variables"]
        self._recorder = recorder_of(self.frame)
        self._cell: Cell | None = None

    def run_spk(self) -> None:
        """One network step."""
        step, frame = int(self.time_step), self.frame
        if self._cell is None:
            parameters = {name: getattr(self, name) for name in self._variables}
            self._cell = self.arithmetic(self._recorder, parameters)
            self._recorder.entered()
        arriving = [
            getattr(self, f"in_{position}").recv().reshape(frame.stacked, -1)
            for position in range(len(frame.delays))
        ]
        self.s_out.send(self._cell.advance(step, arriving).reshape(frame.port_shape))
        for name, state in self._cell.state.items():
            if name in self._cell.states:
                setattr(self, name, state)
        self._cell.finish()
