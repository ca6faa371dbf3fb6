"""``run --engine dask``: the numbers of a run in this process; how it ends if it must."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

RUN = ("run", "--data", "digits:test:40")


def test_the_numbers_of_one_process(neurossm, files):
    alone = neurossm(*RUN, files.integer, "--json").document
    found = neurossm(*RUN, files.integer, "--json", "--engine", "dask:workers=1")
    assert found.status == 0, found.err
    document = found.document
    assert document["notes"] == {"ran on": "Dask", "address": "local", "workers": 1, "shards": 4}
    assert alone["notes"] == {} and alone["counts"]["spikes_out"] > 0
    for key in ("accuracy", "samples", "steps", "counts", "saturations"):
        assert document[key] == alone[key], key


@pytest.mark.parametrize(
    ("number", "status", "last"),
    [
        (signal.SIGINT, 130, "neurossm: interrupted"),
        (signal.SIGTERM, 143, "neurossm: terminated"),
        (signal.SIGKILL, -signal.SIGKILL, None),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGKILL"],
)
def test_whatever_ends_it_ends_everything(files, tmp_path, number, status, last):
    command = [sys.executable, "-m", "neurossm", *RUN[:2], "digits:test:360", str(files.integer),
               "--engine", "dask:engine=reference,workers=2"]  # fmt: skip
    # a terminal sends Ctrl-C to every process of the job
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True,
                           env={**os.environ, "TMPDIR": str(tmp_path)})  # fmt: skip
    job = psutil.Process(run.pid)
    limit = time.monotonic() + 120
    while not workers_at(tmp_path) and run.poll() is None and time.monotonic() < limit:
        time.sleep(0.1)
    children = job.children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(run.pid, number)
    else:
        run.send_signal(number)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == status
    if last:
        assert said.splitlines()[-1] == last
    assert "Traceback" not in said
    assert len(children) >= 2 and not psutil.wait_procs(children, timeout=60)[1]
    limit = time.monotonic() + 60
    while list(tmp_path.iterdir()) and time.monotonic() < limit:
        time.sleep(0.05)  # after SIGKILL the process beside it removes the folder
    assert not list(tmp_path.iterdir())


def workers_at(folder) -> bool:
    """Tell whether two workers have made their folders."""
    return len(list(folder.glob("neurossm-dask-*/dask-scratch-space/worker-*"))) >= 2


def test_every_value_is_sent_back_where_it_is_asked_for(neurossm, files, tmp_path):
    for engine in ("fast", "dask:workers=1,shard=2"):
        ran = neurossm(*RUN[:2], "digits:test:5", files.integer, "--engine", engine, "--trace",
                       tmp_path / engine[:4])  # fmt: skip
        assert ran.status == 0, ran.err
    same = neurossm("diff", tmp_path / "fast", tmp_path / "dask", "--json")
    assert same.status == 0 and same.document["first"] is None


def test_wrong_use_is_one_line(neurossm, files, monkeypatch):
    run = (*RUN, files.integer, "--engine")
    for engine, said in {
        "dask:address=tcp://127.0.0.1:9,workers=2": "a running cluster brings its own workers",
        "dask:engine=lava": "--engine dask option engine: expected fast | reference, got 'lava'",
    }.items():
        ended = neurossm(*run, engine)
        assert ended.status == 2 and said in ended.err.splitlines()[-1], ended.err

    from neurossm_converters.backends.dask import cluster

    monkeypatch.setattr(cluster, "SECONDS_TO_ANSWER", 1)
    ended = neurossm(*run, "dask:address=127.0.0.1:9")
    assert ended.status == 2 and "start one with `dask scheduler`" in ended.err.splitlines()[-1]

    monkeypatch.setitem(sys.modules, "distributed", None)
    ended = neurossm(*run, "dask")
    assert ended.status == 2 and "pip install 'neurossm[dask]'" in ended.err.splitlines()[-1]
