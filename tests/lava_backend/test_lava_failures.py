"""Whatever goes wrong in Lava: an error that names it, within seconds, and nothing left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from neurossm_converters.lava_backend import LavaError, LavaOptions
from neurossm_converters.lava_backend.execute import run_job
from neurossm_converters.lava_backend.job import Job
from neurossm_converters.lava_backend.record import Fault

pytestmark = pytest.mark.lava
SHARED_MEMORY = Path("/dev/shm")
PARENT = """
import sys, tempfile, numpy as np
from pathlib import Path
from neurossm import store
from neurossm_converters.lava_backend import LavaOptions
from neurossm_converters.lava_backend.execute import run_job
from neurossm_converters.lava_backend.job import Job
from neurossm_converters.lava_backend.record import Fault
tempfile.tempdir = sys.argv[1]
graph = store.load(Path(sys.argv[1]) / "graph.nssm")
inputs = {"x": np.ones((1, 9, 2), np.int64)}
run_job(Job(graph, inputs, graph.order, LavaOptions(), Fault("spike", "hang", 5)))
"""


def segments() -> set[str]:
    return {path.name for path in SHARED_MEMORY.glob("psm_*")}


def leaked(before: set[str]) -> set[str]:
    """New segments of shared memory that no living process maps; others may use Lava meanwhile."""
    mapped = ""
    for process in Path("/proc").glob("[0-9]*/maps"):
        try:
            mapped += process.read_text()
        except OSError:
            continue
    return {name for name in segments() - before if name not in mapped}


def of_folder(folder: Path) -> list[psutil.Process]:
    """Workers and what they forked: all carry the folder of the job in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def nothing_left(tmp_path, monkeypatch):
    if not SHARED_MEMORY.is_dir():
        pytest.skip("no /dev/shm on this system")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = segments()
    yield tmp_path
    assert of_folder(tmp_path) == []
    assert not list(tmp_path.glob("neurossm-lava-*"))
    assert leaked(before) == set()


def job(graph, fault, protocol="async", limit=30.0, samples=1):
    options = LavaOptions(protocol=protocol, time_limit=limit)
    return Job(graph, {"x": np.ones((samples, 9, 2), np.int64)}, graph.order, options, fault)


@pytest.mark.parametrize(
    ("node", "kind", "protocol"),
    [
        ("x", "raise", "loihi"),
        ("mix", "raise", "async"),
        ("out", "raise", "async"),
        ("spike", "init", "async"),
        ("mix", "exit", "loihi"),
    ],
)
def test_a_failing_process_is_named(spiking_graph, nothing_left, node, kind, protocol):
    begun = time.monotonic()
    with pytest.raises(LavaError) as caught:
        run_job(job(spiking_graph, Fault(node, kind, 5), protocol))
    assert time.monotonic() - begun < 10
    message = str(caught.value)
    assert "\n" not in message
    assert f"node {node!r}" in message
    if kind == "exit":
        assert "process ended with status 9" in message
    else:
        assert f"RuntimeError: fault asked for in {node!r}" in message
        assert "Traceback" in caught.value.details
        assert "in strike" in caught.value.details


def test_an_endless_process_meets_the_time_limit(spiking_graph, nothing_left):
    begun = time.monotonic()
    with pytest.raises(LavaError, match=r"'spike'.*within 1 s.*after step 4.*time_limit"):
        run_job(job(spiking_graph, Fault("spike", "hang", 5), limit=1))
    assert time.monotonic() - begun < 10


def test_an_interrupt_ends_everything(spiking_graph, nothing_left):
    def interrupt(samples):
        assert of_folder(nothing_left)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(job(spiking_graph, Fault("out", "hang", 17), samples=2), interrupt)


def test_the_worker_ends_with_its_parent(spiking_graph, nothing_left):
    from neurossm import store

    before = segments()
    store.save(nothing_left / "graph.nssm", spiking_graph)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(nothing_left)])
    limit = time.monotonic() + 60
    while not list(nothing_left.glob("*/started")) and time.monotonic() < limit:
        time.sleep(0.05)
    # parent, worker, four nodes and a Dense, Lava's service, shared memory and its tracker
    assert len(of_folder(nothing_left)) >= 8
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    # Python's resource tracker removes the shared memory when the last of the others has ended
    limit = time.monotonic() + 10
    while (of_folder(nothing_left) or leaked(before)) and time.monotonic() < limit:
        time.sleep(0.05)
