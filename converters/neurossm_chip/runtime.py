"""Lava's runtime with imports that work, tracebacks of errors, and a clean end.

In plain Lava an exception in a process normally means that `run` never returns. Uses private parts
of the runtime, which is safe only because 0.10.0 is the last release.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import sys
import time
import traceback
from typing import Any, Callable

BROKEN_MODULE = "lava.magma.compiler.var_model"
PATIENCE = 1.0  # s; a traceback arrives a little after the death of its process
POLL = 0.01


def ensure() -> None:
    """Make lava-nc 0.10.0 importable on Python 3.11 and newer.

    Three of its dataclasses have an instance of the dataclass ``ByteEncoder`` as a default, which
    is refused since 3.11 because it is not hashable. It gets a hash while that one module loads.
    Call it before anything of Lava is imported; it does nothing on 3.10 or when called again.
    """
    if sys.version_info < (3, 11) or BROKEN_MODULE in sys.modules:
        return
    original: Any = dataclasses.dataclass

    def dataclass(cls: Any = None, **options: Any) -> Any:
        def wrap(decorated: Any) -> Any:
            made = original(decorated, **options)
            if made.__module__ == BROKEN_MODULE and made.__name__ == "ByteEncoder":
                made.__hash__ = object.__hash__
            return made

        return wrap if cls is None else wrap(cls)

    dataclasses.dataclass = dataclass
    try:
        importlib.import_module(BROKEN_MODULE)
    finally:
        dataclasses.dataclass = original


class ProcessFailed(RuntimeError):
    """A process model raised or its operating system process ended.

    Attributes
    ----------
    process
        Name of the Lava process, or of the node in it that the error names.
    reason
        Last line of the traceback, or the exit status.
    details
        The traceback as the process wrote it; empty where it was killed.
    """

    def __init__(self, process: str, reason: str, details: str) -> None:
        super().__init__(f"{process}: {reason}")
        self.process, self.reason, self.details = process, reason, details


def run_checked(
    process: Any,
    steps: int,
    config: Any,
    limit: float,
    started: Callable[[], None] = lambda: None,
    made: Callable[[], int] = lambda: 0,
    executable: Any = None,
) -> None:
    """Run the network that holds `process`; end every process of it when one fails.

    Parameters
    ----------
    process
        Any process of the network.
    steps
        Network steps.
    config
        Run configuration.
    limit
        Seconds in which nothing steps, after which the network is ended.
    started
        Called when the network stands and is about to step.
    made
        Returns the steps that all processes together have made so far; without it `limit` is that
        of the whole run.
    executable
        The network as compiled; None: it is compiled here.

    Raises
    ------
    ProcessFailed
        If a process raised or died. An error that has a `node` and a `reason` names the node, as
        several may share a process.
    TimeoutError
        If nothing stepped for longer than `limit`.
    """
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.runtime.mgmt_token_enums import MGMT_RESPONSE, enum_equal

    try:
        process.create_runtime(run_cfg=config, executable=executable)
    except Exception as error:
        # the constructor of a model raised, or there was no room; other processes already run
        if process.runtime is not None:
            raise _end_failed(process.runtime, error) from None
        raise
    runtime = process.runtime
    started()
    process.run(condition=RunSteps(num_steps=steps, blocking=False))
    last, deadline = made(), time.monotonic() + limit
    while not all(port.probe() for port in runtime.service_to_runtime):
        if not all(actor.is_alive() for actor in _actors(runtime)):
            raise _end_failed(runtime)
        now = made()
        if now != last:
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
    while not any(_error_of(actor) for actor in _actors(runtime)) and time.monotonic() < deadline:
        time.sleep(POLL)
    # actors are built in the order of the process builders, services after them
    names = [process.name for process in runtime._executable.proc_builders]
    failure = ProcessFailed("Lava", "ended without an answer", "")
    if cause is not None:
        details = "".join(traceback.format_exception(type(cause), cause, cause.__traceback__))
        failure = _failure("Lava", cause, details)
    for position, actor in enumerate(_actors(runtime)):
        name = names[position] if position < len(names) else "Lava's runtime service"
        if _error_of(actor):
            error, details = actor.exception
            failure = _failure(name, error, details)
            break
        if not actor.is_alive():
            failure = ProcessFailed(name, f"process ended with status {actor.exitcode}", "")
    _tear_down(runtime)
    return failure


def _error_of(actor: Any) -> Any:
    return getattr(actor, "exception", None)


def _failure(process: str, error: Exception, details: str) -> ProcessFailed:
    reason = getattr(error, "reason", f"{type(error).__name__}: {error}")
    return ProcessFailed(getattr(error, "node", process), reason, details)


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
