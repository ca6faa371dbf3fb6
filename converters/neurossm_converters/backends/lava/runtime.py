# mypy: disallow-subclassing-any=False
"""Lava's models with as many ports as a layer group has, and the protocol of the run."""

from __future__ import annotations

from typing import Any

from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol
from lava.magma.runtime.mgmt_token_enums import MGMT_COMMAND, MGMT_RESPONSE

from neurossm_converters.backends.lava.processes.stages import Stage, with_ports


def asynchronous(model: Any) -> Any:
    """Return the same model under Lava's AsyncProtocol: a batch of steps for each command.

    Lava's own converter makes wrong steps from the second run on (measured).

    Raises
    ------
    TypeError
        For a model with management or learning phases, which this protocol does not have.
    """
    for guard in ("pre_guard", "lrn_guard", "post_guard"):
        if getattr(model, guard) is not getattr(PyLoihiProcessModel, guard):
            raise TypeError(f"{model.__name__} needs management or learning phases")

    class Asynchronous(model):
        implements_protocol = AsyncProtocol

        def __init__(self, proc_params: Any = None) -> None:
            super().__init__(proc_params)
            self._cmd_handlers[MGMT_COMMAND.RUN[0]] = self._run_batch

        def _run_batch(self) -> None:
            for _ in range(int(self.service_to_process.recv()[0].item())):
                self.time_step += 1
                self.run_spk()
                self.advance_to_time_step(self.time_step + 1)
            self.process_to_service.send(MGMT_RESPONSE.DONE)

    Asynchronous.__name__ = Asynchronous.__qualname__ = f"{model.__name__}Async"
    return Asynchronous


def simulation(protocol: str) -> Any:
    """Return the run configuration of the simulation, under ``loihi`` or ``async``."""
    config = Loihi2SimCfg(select_tag="fixed_pt")
    select = config.select
    finished: dict[Any, Any] = {}

    def selected(process: Any, proc_models: Any) -> Any:
        model = select(process, proc_models)
        ports = (process.ports_in, process.ports_out) if isinstance(process, Stage) else None
        # one class for each, as Lava groups processes by it
        if (model, ports) not in finished:
            finished[model, ports] = _finished(model, ports, protocol)
        return finished[model, ports]

    # on the instance: Lava asks for the type of a configuration elsewhere
    config.select = selected
    return config


def _finished(model: Any, ports: tuple[int, int] | None, protocol: str) -> Any:
    if ports is not None:
        model = with_ports(model, *ports)
    converts = protocol == "async" and issubclass(model, PyLoihiProcessModel)
    return asynchronous(model) if converts else model
