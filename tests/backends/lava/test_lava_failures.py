"""Whatever goes wrong in Lava: an error that names it, within seconds, and nothing left behind."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from neurossm import store
from neurossm_converters.backends.lava import LavaError, LavaOptions, child
from neurossm_converters.backends.lava.execute import run_job
from neurossm_converters.backends.lava.job import Job

pytestmark = pytest.mark.lava
SHARED_MEMORY = Path("/dev/shm")
FAULTY = "faulty_worker"
PARENT = """
import os, sys, tempfile, numpy as np
from pathlib import Path
from neurossm import store
from neurossm.errors import TargetError
from neurossm_converters.backends.lava import LavaOptions, child
from neurossm_converters.backends.lava.execute import run_job
from neurossm_converters.backends.lava.job import Job
child.MODULE = sys.argv[3]
tempfile.tempdir = sys.argv[1]
graph = store.load(Path(sys.argv[1]) / "graph.nssm")
inputs = {"x": np.ones((1, int(sys.argv[2]), 2), np.int64)}
try:
    run_job(Job(graph, inputs, graph.order, LavaOptions(synapses="dense")))
except TargetError as error:
    print(error)
"""


def little_room(folder: Path) -> list[str]:
    """Return what puts a disk of 100 KiB under a folder, for the command behind it alone."""
    command = [
        "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
        'mount -t tmpfs -o size=100k tmpfs "$1" && shift && exec "$@"', "sh", str(folder),
    ]  # fmt: skip
    if shutil.which("unshare") is None or subprocess.run([*command, "true"]).returncode:
        pytest.skip("no private mount namespace here: no small disk can be made")
    return command


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
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # of what is started, too
    before = segments()
    yield tmp_path
    assert of_folder(tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} <= {"graph.nssm"}
    assert leaked(before) == set()


@pytest.fixture
def fault(monkeypatch):
    """Let a node fail in the workers that are started from now on."""

    def chosen(node, kind, step=5):
        monkeypatch.setattr(child, "MODULE", FAULTY)
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
        monkeypatch.setenv("FAULT", f"{node}:{kind}:{step}")

    return chosen


def job(graph, limit=30.0, **options):
    inputs = {"x": np.ones((1, 9, 2), np.int64)}
    return Job(graph, inputs, graph.order, LavaOptions(time_limit=limit, **options))


def wait_for_start(folder):
    limit = time.monotonic() + 60
    while not list(folder.glob("*/started")) and time.monotonic() < limit:
        time.sleep(0.05)
    return of_folder(folder)


@pytest.mark.parametrize(
    ("node", "kind", "options"),
    [
        ("x", "raise", {"protocol": "loihi", "synapses": "dense"}),
        ("mix", "raise", {}),
        ("out", "raise", {"synapses": "dense"}),
        ("spike", "init", {"fuse": "stage"}),
        ("mix", "exit", {"protocol": "loihi", "synapses": "dense"}),
    ],
)
def test_a_failing_process_is_named(spiking_graph, nothing_left, fault, node, kind, options):
    fault(node, kind)
    begun = time.monotonic()
    with pytest.raises(LavaError) as caught:
        run_job(job(spiking_graph, **options))
    assert time.monotonic() - begun < 15
    message = str(caught.value)
    assert "\n" not in message
    # of one that is gone, only its first and last node are known
    named = "x ... out" if kind == "exit" else node
    assert f"node {named!r}" in message
    if kind == "exit":
        assert "process ended with status 9" in message
    else:
        assert f"RuntimeError: fault asked for in {node!r}" in message
        assert "Traceback" in caught.value.details
        assert "in strike" in caught.value.details


@pytest.mark.parametrize("victim", ["process of the network", "worker"])
def test_kill_9_is_noticed(spiking_graph, nothing_left, fault, victim):
    fault("spike", "hang")

    def strike():
        wait_for_start(nothing_left)
        # the session may have other children
        ours = psutil.Process().children()
        (worker,) = [one for one in ours if FAULTY in one.cmdline()]
        # as they were born: resource tracker, shared memory, the network, Lava's service
        chosen = worker if victim == "worker" else worker.children()[2]
        struck.append(time.monotonic())
        chosen.kill()

    struck = []
    killer = threading.Thread(target=strike)
    killer.start()
    with pytest.raises(LavaError) as caught:
        run_job(job(spiking_graph, synapses="dense"))
    killer.join()
    assert time.monotonic() - struck[0] < 10
    expected = {
        "process of the network": r"node '.*'.* process ended with status -9$",
        "worker": "got a worker that ended with status -9$",
    }
    assert re.search(expected[victim], str(caught.value))


def test_an_endless_process_meets_the_time_limit(spiking_graph, nothing_left, fault):
    fault("spike", "hang")
    begun = time.monotonic()
    with pytest.raises(LavaError, match=r"'spike'.*within 1 s.*after step 4.*time_limit"):
        run_job(job(spiking_graph, limit=1, fuse="stage"))
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name
)
def test_all_ends_with_the_parent(spiking_graph, nothing_left, fault, number):
    fault("spike", "hang")
    before = segments()
    store.save(nothing_left / "graph.nssm", spiking_graph)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(nothing_left), "9", FAULTY],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # parent, worker, a stage and its Dense, Lava's service, shared memory and its tracker
    assert len(wait_for_start(nothing_left)) >= 6
    parent.send_signal(number)
    _, said = parent.communicate(timeout=20)
    assert parent.returncode == -number
    if number == signal.SIGINT:
        assert said.rstrip().endswith("KeyboardInterrupt")
    # Python's resource tracker removes the shared memory when the last of the others has ended
    limit = time.monotonic() + 10
    while (
        of_folder(nothing_left) or leaked(before) or len(list(nothing_left.iterdir())) > 1
    ) and time.monotonic() < limit:
        time.sleep(0.05)


def test_full_shared_memory_is_named(spiking_graph, nothing_left, fault):
    fault("spike", "hang")
    small = little_room(SHARED_MEMORY)
    store.save(nothing_left / "graph.nssm", spiking_graph)
    done = subprocess.run(
        [*small, sys.executable, "-c", PARENT + "print(os.listdir('/dev/shm'))",
         str(nothing_left), "9", FAULTY],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    error, left = done.stdout.splitlines()
    assert "[Errno 28] No space left on device" in error or "status -7" in error
    assert "free space where Lava's messages and the trace lie (free: /dev/shm: 100 KiB" in error
    assert left == "[]"


@pytest.mark.parametrize("steps", [20_000, 5000], ids=["the inputs", "what Lava records"])
def test_a_full_temporary_folder_is_named(spiking_graph, nothing_left, tmp_path_factory, steps):
    place = tmp_path_factory.mktemp("place")
    store.save(nothing_left / "graph.nssm", spiking_graph)
    after = f"print(os.listdir({str(place)!r}))"
    program = PARENT.replace("tempdir = sys.argv[1]", f"tempdir = {str(place)!r}") + after
    done = subprocess.run(
        [*little_room(place), sys.executable, "-c", program, str(nothing_left), str(steps),
         child.MODULE],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    error, left = done.stdout.splitlines() or [done.stderr, ""]
    assert "No space left on device" in error or "status -7" in error, error
    assert f"temporary folder {place}" in error
    assert error.endswith(
        "free some space there, or name a folder that has some in the environment variable TMPDIR"
    )
    assert left == "[]"
