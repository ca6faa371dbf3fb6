"""How commands end when something outside of them goes wrong: full disks, a full stdout, Ctrl-C."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neurossm.engine import fast, floating, run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.metrics.check import check
from neurossm.nodes import LIF, Affine, Input, Output
from neurossm.store import load
from neurossm_workflows.sweep_table import BEFORE, COLUMNS, SweepFile, SweepRow
from neurossm_workflows.verdict import verdict


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", [("doctor", "--json"), ("show", "none.nssm", "--json"),
                                     ("doctor",)])  # fmt: skip
def test_a_full_stdout_is_one_line(command, tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "neurossm", *command], stdout=full,
                              stderr=subprocess.PIPE, text=True, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("neurossm: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("engine", [fast, floating])
def test_an_interrupted_run_ends_after_the_task_at_hand(engine, files, monkeypatch):
    graph = load(files.integer if engine is fast else files.floating)
    started: list[int] = []

    def interrupted(count: int) -> None:
        started.append(count)
        if len(started) == 1:  # in one worker: the main thread, which waits, is told of it
            raise KeyboardInterrupt
        time.sleep(0.01)

    inputs = np.zeros((800, 64, 1), int)
    name = "fast" if engine is fast else "float"
    with pytest.raises(KeyboardInterrupt):
        run(graph, inputs, name, "outputs", interrupted)
    assert sum(started) < 400


def test_a_bundle_on_a_full_disk_asks_for_room(files, neurossm, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        reason = os.strerror(errno.ENOSPC)
        raise shutil.Error([("a", "b", f"[Errno {errno.ENOSPC}] {reason}: 'b'")])

    monkeypatch.setattr(shutil, "copytree", full)
    ended = neurossm("deploy", files.integer, "--bundle", tmp_path / "b")
    assert ended.status == 2 and f"make room in {tmp_path}" in ended.err
    assert not (tmp_path / "b").exists()


def test_a_check_without_a_spike_says_so():
    one = np.ones(1)
    lif = LIF(theta=5 * one, tau=0.5 * one, rho=0 * one, kappa=0 * one, reset="hard")
    nodes = {"in": Input(channels=1, out=Fixed(9, 8)), "fc": Affine(weight=[[1.0]], bias=[0.0]),
             "lif": lif, "out": Output(channels=1)}  # fmt: skip
    floating = Graph(nodes, (("in", "fc"), ("fc", "lif"), ("lif", "out")))
    from neurossm.quantization import Quantize, calibrate

    inputs = np.full((2, 20, 1), 100)
    integer = Quantize()(floating, calibrate(floating, run(floating, inputs, "float")))
    found = check(floating, integer, inputs)
    assert found.passed and "no neuron spikes on these data" in verdict(found)


def test_a_table_from_before_other_tasks_goes_on(tmp_path):
    path = tmp_path / "s.csv"
    cells = "abc,d:test,d:train,loihi2,8,8,24,24,20,0.5,1e-06,2e-06,0.125,3,1.5,"
    path.write_text(",".join(BEFORE) + "\n" + cells + "\n")
    (row,) = SweepFile(path).rows
    assert row == SweepRow("abc", "d:test", "d:train", "loihi2", 8, 8, 24, 24, 20, 0.5, 1e-6, 2e-6,
                           0.125, 3, 1.5)  # fmt: skip
    assert path.read_text() == ",".join(COLUMNS) + "\n" + cells + ",,\n"
    assert SweepFile(path).rows == [row]
