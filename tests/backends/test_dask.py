"""A run over a Dask cluster: the bits of one process, also where a worker is killed on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import spawn

import dask
import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster
from hostile.examples import integer_graph

from neurossm import engine
from neurossm.errors import InputError, RangeError, TargetError
from neurossm.executors import Run, choose
from neurossm.fixed import Fixed
from neurossm.metrics import measure
from neurossm.store import save
from neurossm_converters.backends.dask import DaskOptions, shards
from neurossm_converters.backends.dask import cluster as cluster_module
from neurossm_converters.backends.dask.options import shard_size
from neurossm_workflows.parts import Totals

SAMPLES, STEPS = 23, 60
WIDE = integer_graph()
# a narrow message: some saturate
GRAPH = WIDE.with_nodes({"mix": replace(WIDE.nodes["mix"], out=Fixed(14, 13))})
INPUTS = np.random.default_rng(8).integers(-127, 128, (SAMPLES, STEPS, 2))
ENDS = np.random.default_rng(9).integers(1, STEPS + 1, SAMPLES)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Two workers of somebody else's cluster; none is alive in the end."""
    folder = tmp_path_factory.mktemp("dask")
    with (
        dask.config.set({"temporary-directory": folder}),
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1",
                     dashboard_address="127.0.0.1:0") as cluster,
    ):  # fmt: skip
        yield cluster
        # not Python's own tracker of resources, which stays as long as Python
        workers = [
            child
            for child in psutil.Process().children()
            if any("spawn_main" in word for word in child.cmdline())
        ]
        assert workers
    assert not psutil.wait_procs(workers, timeout=10)[1]


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def alone() -> engine.Trace:
    trace = engine.run(GRAPH, INPUTS, "reference", "outputs", lengths=ENDS)
    rates = measure(GRAPH, trace).spike_rates
    assert trace.saturations() and all(0 < rate < 1 for rate in rates.values()), "a dull run"
    return trace


class Samples:
    """All inputs, read in slices."""

    shape = INPUTS.shape
    lengths = ENDS

    def __init__(self, inputs: np.ndarray = INPUTS) -> None:
        self._inputs = inputs

    def __getitem__(self, part: slice) -> np.ndarray:
        return self._inputs[part]


def stream(engine: str, progress=lambda samples: None, inputs: np.ndarray = INPUTS) -> list[Run]:
    """Run all samples; the parts come in their order, one after the other."""
    chosen = choose(engine)
    found = list(chosen.stream(GRAPH, Samples(inputs), progress))
    ends = [part.stop for part, _ in found]
    assert [part.start for part, _ in found] == [0, *ends[:-1]] and ends[-1] == SAMPLES
    return [run for _, run in found]


def same(runs: list[Run], alone) -> None:
    # the first output spikes: its spikes are counted to each end
    sent = alone.values[GRAPH.outputs[0]]
    spikes = [values[:end].sum(axis=0) for values, end in zip(sent, ENDS, strict=True)]
    np.testing.assert_array_equal(np.concatenate([run.answers for run in runs]), spikes)
    whole = Totals()
    for run in runs:
        assert not run.trace.values
        whole.add(run.trace)
    found = whole.trace()
    assert dict(found.counts) == dict(alone.counts)
    assert measure(GRAPH, found).spike_rates == measure(GRAPH, alone).spike_rates
    assert (found.samples, found.steps) == (SAMPLES, STEPS)
    assert found.real_steps == ENDS.sum()


@pytest.mark.parametrize("allowed_failures", [3, 0])
def test_a_killed_worker_loses_nothing(cluster, client, alone, allowed_failures):
    """Dask repeats the tasks of a dead worker; one that Dask gives up on, we send again."""
    cluster.scheduler.allowed_failures = allowed_failures
    client.wait_for_workers(2, timeout=60)
    pids, killed, done = client.run(os.getpid), [], []

    def kill_one_at_work(samples: int) -> None:
        done.append(samples)
        busy = [address for address, keys in client.processing().items() if keys]
        if not killed and busy:
            killed.append(pids[busy[0]])
            os.kill(killed[0], signal.SIGKILL)

    address = cluster.scheduler_address
    found = stream(f"dask:engine=reference,shard=2,address={address}", kill_one_at_work)
    same(found, alone)
    assert killed and killed[0] not in client.run(os.getpid).values()
    assert (sum(done), found[-1].notes["shards"]) == (SAMPLES, 12)
    client.wait_for_workers(2, timeout=60)


def test_the_fast_engine_on_workers_without_torch(cluster, client, alone):
    same(stream(f"dask:address={cluster.scheduler_address}"), alone)
    loaded = client.run(lambda: sorted({"torch", "numba", "neurossm"} & set(sys.modules)))
    assert set(map(tuple, loaded.values())) == {("neurossm", "numba")}

    left = client.run(lambda dask_worker: [n for n in dask_worker.plugins if "neurossm" in n])
    assert left and not any(left.values())


def test_a_shard_that_kills_its_workers_is_named(cluster, client, monkeypatch):
    def deadly(*_: object) -> None:
        os._exit(1)

    cluster.scheduler.allowed_failures = 0
    monkeypatch.setattr(shards, "ATTEMPTS", 1)
    monkeypatch.setattr(shards, "run_shard", deadly)
    address = cluster.scheduler_address
    with pytest.raises(TargetError, match=r"^samples 0 to 22: expected workers that survive"):
        stream(f"dask:engine=reference,shard={SAMPLES},address={address}")


def test_an_error_on_a_worker_is_our_error(cluster):
    # what the range check says of the shard, not Dask's account of it
    with pytest.raises(RangeError, match=r"^input 'pixel': expected"):
        stream(f"dask:address={cluster.scheduler_address}", inputs=INPUTS * 10)


def test_all_values_and_states_come_back_where_they_are_asked_for(cluster):
    address = cluster.scheduler_address
    found = engine.run(GRAPH, INPUTS, f"dask:shard=4,address={address}", lengths=ENDS)
    expected = engine.run(GRAPH, INPUTS, "reference", lengths=ENDS)
    assert list(found.values) == list(expected.values)
    for part in ("values", "states"):
        for name, array in getattr(expected, part).items():
            np.testing.assert_array_equal(getattr(found, part)[name], array, name)
    assert dict(found.counts) == dict(expected.counts)


SCRIPT = """
import sys
import numpy as np
import neurossm
print("the script")
graph, inputs = neurossm.load(sys.argv[1]), np.load(sys.argv[2])
print(neurossm.run(graph, inputs, "dask:workers=2", "outputs").saturations())
"""


def test_a_script_without_a_guard_is_run_once(tmp_path):
    """Python runs a script again in the processes that it spawns: it would start a cluster there.

    As of Lava, whose processes are not spawned by the script's own.
    """
    (tmp_path / "script.py").write_text(SCRIPT)
    save(tmp_path / "g.nssm", GRAPH)
    np.save(tmp_path / "x.npy", INPUTS)
    command = [sys.executable, "script.py", "g.nssm", "x.npy"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    saturations = engine.run(GRAPH, INPUTS, "reference", "outputs").saturations()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split("\n") == ["the script", str(saturations), ""]


def test_only_the_workers_are_spared_the_script_and_only_while_there_are_any():
    plain = spawn.get_preparation_data
    with cluster_module._script_not_run_again(), cluster_module._script_not_run_again():
        other = spawn.get_preparation_data("Process-1")
        ours = spawn.get_preparation_data("Dask Worker process (from Nanny)")
    assert spawn.get_preparation_data is plain
    left_out = set(other) - set(ours)
    assert len(left_out) == 1 and left_out <= {"init_main_from_name", "init_main_from_path"}
    assert set(ours) < set(other)


def test_workers_that_cannot_start_are_one_line(monkeypatch):
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.raises(TargetError) as refused:
        engine.run(GRAPH, INPUTS, "dask:workers=1")
    assert str(refused.value) == (
        "Dask: expected worker processes that start, got AssertionError: daemonic processes are not"
        " allowed to have children; engine fast runs in this process"
    )


def test_what_cannot_be_the_same_bits_is_refused():
    with pytest.raises(InputError, match=r"option engine: expected fast \| reference, got 'float'"):
        choose("dask:engine=float")


@pytest.mark.parametrize("address", ["", "somewhere", "tcp://", "tcp://host", "ftp://host:21"])
def test_addresses_that_are_none(address):
    with pytest.raises(InputError, match="'local' or a scheduler"):
        DaskOptions(address)


def test_shards_are_bounded_and_shared_out():
    one = INPUTS[:1].astype(np.uint8)
    outputs = GRAPH.outputs
    assert shard_size(GRAPH, one, STEPS, 23, 2, outputs) == 23 // 8
    assert shard_size(GRAPH, one, STEPS, 3, 2, outputs) == 1
    assert shard_size(GRAPH, one, STEPS, 10**6, 2, outputs) == 64
    # 2 MiB a sample, and at most 4 MiB are sent at once
    long = np.broadcast_to(one[:, :1], (1, 2**20, 2))
    assert shard_size(GRAPH, {"pixel": long}, 2**20, 10**6, 2, outputs) == 2
    # all values of 60,000 steps: 64 MiB are held for 5 samples, whose inputs are few
    channels = sum(node.out_channels for node in GRAPH.nodes.values())
    steps = 2**26 // (8 * channels * 5)
    assert shard_size(GRAPH, one, steps, 10**6, 2, GRAPH.order) == 5
