"""Dask clusters: one started on this machine for a run, or a running one by its address."""

from __future__ import annotations

import logging
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker, spawn
from typing import Any

import dask
from distributed import Client, LocalCluster

from neurossm.engine.cores import usable_cores
from neurossm.errors import TargetError
from neurossm.graph import Graph
from neurossm.temporary import temporary_folder
from neurossm_converters.backends.dask.options import LOCAL, DaskOptions
from neurossm_converters.backends.dask.worker import GraphOnWorkers

SECONDS_TO_ANSWER, SECONDS_TO_START = 10, 60
WORKER = "Dask Worker process"  # what Dask calls the processes of its workers
_preparation, _lock = spawn.get_preparation_data, threading.Lock()
_clusters = 0  # local ones that are open in this process


@contextmanager
def connected(options: DaskOptions) -> Iterator[Client]:
    """Give a client of the cluster asked for; a local one ends with the context.

    Raises
    ------
    TargetError
        If no scheduler answers at the address, or it has no workers; if those of a local cluster
        do not start.
    """
    if options.address != LOCAL:
        with _joined(options.address) as client:
            yield client
        return
    with ExitStack() as stack:
        folder = str(stack.enter_context(temporary_folder("dask")).path)
        stack.enter_context(dask.config.set({"temporary-directory": folder}))
        stack.enter_context(_script_not_run_again())
        with _ctrl_c_later():
            cluster = stack.enter_context(_local(options.workers or usable_cores(), folder))
            client = stack.enter_context(Client(cluster, set_as_default=False))
        yield client


def _local(workers: int, folder: str) -> LocalCluster:
    try:
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            # None still takes port 8787, which may be in use
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address=None,
            silence_logs=logging.CRITICAL,
            env={"TMPDIR": folder},  # of the workers
        )
    except (AssertionError, OSError, RuntimeError) as error:
        first: BaseException = error  # Dask says last that a worker failed, and not why
        while (before := first.__cause__ or first.__context__) is not None:
            first = before
        raise TargetError(
            "Dask",
            expected="worker processes that start",
            got=f"{type(first).__name__}: {first}",
            remedy="engine fast runs in this process",
        ) from None


@contextmanager
def _script_not_run_again() -> Iterator[None]:
    """Within this, a worker starts without the file that was started as a program.

    Python runs that file again in each process that it spawns, for what may be defined there; a
    script without ``if __name__ == "__main__":`` would start clusters in its own workers. Ours need
    nothing of it: graph and inputs are sent to them. Workers that take a dead one's place, too.
    """
    global _clusters
    with _lock:
        _clusters += 1
        spawn.get_preparation_data = _without_script
    try:
        yield
    finally:
        with _lock:
            _clusters -= 1
            if not _clusters:
                spawn.get_preparation_data = _preparation


def _without_script(name: str) -> dict[str, Any]:
    found = _preparation(name)
    if name.startswith(WORKER):
        for key in ("init_main_from_name", "init_main_from_path"):
            found.pop(key, None)
    return found


@contextmanager
def graph_sent(client: Client, graph: Graph) -> Iterator[str]:
    """Put a graph on every worker, and on those to come; give its name there.

    Raises
    ------
    TargetError
        If a worker has no neurossm, or another release.
    """
    name = f"neurossm-{secrets.token_hex(4)}"
    try:
        client.register_plugin(GraphOnWorkers(graph), name=name)
        yield name
    except ImportError as error:
        raise TargetError(
            "Dask workers",
            expected="neurossm on each",
            got=str(error),
            remedy="pip install 'neurossm[dask]' on every machine",
        ) from None
    finally:
        # Ctrl-C may have come before the scheduler knew the name
        with suppress(ValueError, OSError):
            if client.status == "running":
                client.unregister_worker_plugin(name)


def no_workers(address: str, seconds: int) -> TargetError:
    """Return the error of a cluster that nobody works for."""
    return TargetError(
        f"Dask at {address}",
        expected="workers",
        got=f"none for {seconds} s",
        remedy="start some with `dask worker`",
    )


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Put off Ctrl-C, which would leave a cluster half made; keep it from the workers forever.

    SIGTERM, too, where it does not end the process at once.
    A terminal sends it to them too, but the process that started them ends them. They inherit the
    mask of the thread that makes them, which inherits that of this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    terminate = signal.getsignal(signal.SIGTERM)
    if callable(terminate):
        signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    resource_tracker.ensure_running()  # at its start it takes the signal from the mask
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        signal.signal(signal.SIGTERM, terminate)
    if signal.SIGTERM in came:
        signal.raise_signal(signal.SIGTERM)
    if came:
        raise KeyboardInterrupt


@contextmanager
def _joined(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=SECONDS_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TargetError(
            f"Dask at {address}",
            expected="a Dask scheduler that answers",
            got=str(error).partition("\n")[0],
            remedy="start one with `dask scheduler`",
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_START)
        except TimeoutError:
            raise no_workers(address, SECONDS_TO_START) from None
        yield client
