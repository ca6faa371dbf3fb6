# mypy: disallow-subclassing-any=False
"""Running a Lava network without its hangs: errors with their traceback, nothing left running.

In plain Lava an exception in a process normally means that `run` never returns. Uses private parts
of the runtime, which is safe only because 0.10.0 is the last release (`shim.LAVA_VERSION`).
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable
from typing import Any

from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.async_protocol import AsyncProtocol
from lava.magma.runtime.mgmt_token_enums import MGMT_COMMAND, MGMT_RESPONSE, enum_equal

from neurossm_converters.backends.lava import models
from neurossm_converters.backends.lava.cells import NodeFailed
from neurossm_converters.backends.lava.options import LavaOptions
from neurossm_converters.backends.lava.processes.stages import Stage, with_ports

PATIENCE = 0.5  # s; a traceback arrives a little after the death of its process
POLL = 0.01


class ProcessFailed(RuntimeError):
    """A process model raised or its operating system process ended.

    Attributes
    ----------
    process
        Name of the Lava process.
    reason
        Last line of the traceback, or the exit status.
    details
        The traceback as the process wrote it; empty where it was killed.
    """

    def __init__(self, process: str, reason: str, details: str) -> None:
        super().__init__(f"{process}: {reason}")
        self.process, self.reason, self.details = process, reason, details


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
    return configuration(LavaOptions(protocol=protocol))  # type: ignore[arg-type]


def configuration(options: LavaOptions) -> Any:
    """Return the run configuration of a target: its own, with registered models put first."""
    config = models.configuration_of(options.target) or Loihi2SimCfg(select_tag="fixed_pt")
    select = config.select
    finished: dict[Any, Any] = {}

    def selected(process: Any, proc_models: Any) -> Any:
        model = models.model_of(type(process), options.target) or select(process, proc_models)
        ports = (process.ports_in, process.ports_out) if isinstance(process, Stage) else None
        # one class for each, as Lava groups processes by it
        if (model, ports) not in finished:
            finished[model, ports] = _finished(model, ports, options.protocol)
        return finished[model, ports]

    # on the instance: Lava asks for the type of a configuration elsewhere
    config.select = selected
    return config


def _finished(model: Any, ports: tuple[int, int] | None, protocol: str) -> Any:
    if ports is not None:
        model = with_ports(model, *ports)
    converts = protocol == "async" and issubclass(model, PyLoihiProcessModel)
    return asynchronous(model) if converts else model


def run_checked(
    process: Any,
    steps: int,
    config: Any,
    limit: float,
    started: Callable[[], None],
    made: Callable[[], int],
) -> None:
    """Run the network that holds `process`; end every process of it when one fails.

    Parameters
    ----------
    process
        Any process of the network.
    steps
        Network steps.
    config
        Run configuration, see `simulation`.
    limit
        Seconds in which nothing steps, after which the network is ended.
    started
        Called when the network stands and is about to step.
    made
        Returns the steps that all processes together have made so far.

    Raises
    ------
    ProcessFailed
        If a process raised or died.
    TimeoutError
        If nothing stepped for longer than `limit`.
    """
    try:
        process.create_runtime(config)
    except Exception as error:
        # the constructor of a model raised, or there was no room; other processes already run
        if process.runtime is not None:
            raise _end_failed(process.runtime, error) from None
        raise
    runtime = process.runtime
    started()
    process.run(condition=RunSteps(steps, blocking=False), run_cfg=config)
    last, deadline = made(), time.monotonic() + limit
    while not all(port.probe() for port in runtime.service_to_runtime):
        if not all(actor.is_alive() for actor in _actors(runtime)):
            raise _end_failed(runtime)
        if (now := made()) != last:
            last, deadline = now, time.monotonic() + limit
        if time.monotonic() > deadline:
            _tear_down(runtime)
            raise TimeoutError(f"no step of Lava within {limit:g} s")
        time.sleep(POLL)
    answers = [port.recv() for port in runtime.service_to_runtime]
    runtime._is_running = False
    if not all(enum_equal(answer, MGMT_RESPONSE.DONE) for answer in answers):
        raise _end_failed(runtime)


def _actors(runtime: Any) -> Any:
    return runtime._messaging_infrastructure.actors


def _end_failed(runtime: Any, cause: Exception | None = None) -> ProcessFailed:
    """Find out which process failed, end all, and return the error; `cause` if none is to blame."""
    deadline = time.monotonic() + PATIENCE
    while not any(actor.exception for actor in _actors(runtime)) and time.monotonic() < deadline:
        time.sleep(POLL)
    # actors are built in the order of the process builders, services after them
    names = [process.name for process in runtime._executable.proc_builders]
    failure = ProcessFailed("Lava", "ended without an answer", "")
    if cause is not None:
        failure = _failure("Lava", cause, "".join(traceback.format_exception(cause)))
    for position, actor in enumerate(_actors(runtime)):
        name = names[position] if position < len(names) else "Lava's runtime service"
        if actor.exception:
            error, details = actor.exception
            failure = _failure(name, error, details)
            break
        if not actor.is_alive():
            failure = ProcessFailed(name, f"process ended with status {actor.exitcode}", "")
    _tear_down(runtime)
    return failure


def _failure(process: str, error: Exception, details: str) -> ProcessFailed:
    if isinstance(error, NodeFailed):  # several nodes may share a process
        return ProcessFailed(error.node, error.reason, details)
    return ProcessFailed(process, f"{type(error).__name__}: {error}", details)


def _tear_down(runtime: Any) -> None:
    infrastructure = runtime._messaging_infrastructure
    for actor in infrastructure.actors:
        if actor.is_alive():
            actor.terminate()
    for thing in (*infrastructure.actors, *runtime._open_ports):
        with contextlib.suppress(Exception):  # ports that are half dead may complain
            thing.join()
    with contextlib.suppress(Exception):
        infrastructure.smm.shutdown()  # removes the shared memory
    runtime._is_started = runtime._is_running = False
