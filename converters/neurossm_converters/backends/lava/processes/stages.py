# mypy: disallow-subclassing-any=False, disallow-untyped-decorators=False
"""Processes that hold several nodes: what a core of the chip computes between two synapses.

Lava's compiler executes every file in this directory, once for each process: nothing else lives
here, and importing it has no effects.
"""

from __future__ import annotations

from typing import Any

from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from neurossm_chip.neuron import IN_PORT, OUT_PORT
from neurossm_converters.backends.lava.stage import StageAtWork, StagePlan


class Stage(AbstractProcess):
    """Nodes side by side in one process.

    Parameters
    ----------
    plan
        The nodes, in graph order, and how they are wired.
    """

    def __init__(self, plan: StagePlan) -> None:
        super().__init__(name=plan.name, plan=plan)
        self.ports_in, self.ports_out = len(plan.arriving), len(plan.leaving)
        for index, shape in enumerate(plan.arriving):
            setattr(self, f"in_{index}", InPort(shape=shape))
        for index, outlet in enumerate(plan.leaving):
            setattr(self, f"out_{index}", OutPort(shape=outlet.shape))


@implements(proc=Stage, protocol=LoihiProtocol)
@requires(CPU)
class StageModel(PyLoihiProcessModel):
    """Model of `Stage`: receives all, lets each node make its step, sends all."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._plan: StagePlan = proc_params["plan"]
        self._work = StageAtWork(self._plan)

    def run_spk(self) -> None:
        """One network step."""
        plan = self._plan
        self._work.enter(int(self.time_step))
        arriving = [
            getattr(self, f"in_{index}").recv().reshape(plan.batch, -1)
            for index in range(len(plan.arriving))
        ]
        for index, message in enumerate(self._work.advance(int(self.time_step), arriving)):
            getattr(self, f"out_{index}").send(message)
        self._work.finish()


def with_ports(model: type[StageModel], arriving: int, leaving: int) -> type[StageModel]:
    """Return the model with as many ports as a stage has: Lava wants each declared on the class."""
    ports = {f"in_{index}": IN_PORT for index in range(arriving)}
    ports |= {f"out_{index}": OUT_PORT for index in range(leaving)}
    return type(f"{model.__name__}{arriving}x{leaving}", (model,), ports)
