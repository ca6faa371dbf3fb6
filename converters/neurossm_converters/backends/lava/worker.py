"""The process in which Lava runs: ``python -m neurossm_converters.backends.lava.worker FOLDER``.

Lava forks its processes from here, so nothing of PyTorch is loaded, and ends with the group of this
process. Standard input is a pipe from the parent: when it closes, the parent is gone.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from pathlib import Path

import numpy as np

from neurossm_chip import nssm
from neurossm_chip.runtime import ensure, run_checked
from neurossm_converters.backends.lava import shim
from neurossm_converters.backends.lava.orders import (
    FAILURE,
    GRAPH,
    NO_ROOM,
    RESULT,
    STARTED,
    Orders,
)
from neurossm_converters.backends.lava.record import PROGRESS, collect, steps_made


def main(folder: Path) -> int:
    """Run the job in a folder; return the exit status."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    # sockets of multiprocessing, too, are removed with the folder: processes that are ended by a
    # signal leave them behind
    tempfile.tempdir = str(folder)
    multiprocessing.current_process()._config["tempdir"] = str(folder)  # type: ignore[attr-defined]
    # from 3.12 on: forking beside the watching thread, which only reads
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    try:
        _run(folder)
    except Exception as error:  # every failure must reach the parent
        try:
            _report(folder, error)
        except OSError:
            return NO_ROOM
        return 1
    return 0


def _run(folder: Path) -> None:
    shim.require_lava()
    ensure()
    # only now can Lava be imported
    from neurossm_converters.backends.lava import runtime
    from neurossm_converters.backends.lava.network import Network

    orders, file = Orders.load(folder), nssm.read_graph(str(folder / GRAPH))
    names = tuple(node.name for node in file.nodes)
    if names != orders.order:
        raise RuntimeError(f"the nodes came back in another order than sent: {names}")
    np.save(folder / PROGRESS, np.zeros(len(names), np.int64))
    process = Network(file, orders, folder).processes[0]
    run_checked(
        process,
        orders.network_steps,
        runtime.simulation(orders.options.protocol),
        orders.options.time_limit,
        (folder / STARTED).touch,
        lambda: steps_made(folder),
    )
    process.stop()
    collect(folder, [name in orders.recorded for name in names], folder / RESULT)


def _report(folder: Path, error: Exception) -> None:
    """Leave behind where it failed, the reason in a line, and the traceback."""
    failure = {
        "where": getattr(error, "process", "Lava"),
        "reason": getattr(error, "reason", f"{type(error).__name__}: {error}"),
        "details": getattr(error, "details", traceback.format_exc()),
    }
    if isinstance(error, TimeoutError):
        failure.update(_slowest(folder), details=traceback.format_exc())
    unfinished = folder / f"{FAILURE}.tmp"
    unfinished.write_text(json.dumps(failure), encoding="utf-8")
    unfinished.replace(folder / FAILURE)


def _slowest(folder: Path) -> dict[str, str]:
    # the first in graph order of those that did the fewest steps: the others wait for it
    done = np.load(folder / PROGRESS, allow_pickle=False)
    order = Orders.load(folder).order
    return {"where": order[int(np.argmin(done))], "step": str(int(done.min()))}


def _die_with_parent() -> None:
    # os.read and not sys.stdin: the lock of the latter would block every forked process at its end
    os.read(0, 1)
    os.killpg(os.getpgrp(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
