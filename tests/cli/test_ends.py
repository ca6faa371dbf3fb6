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
from neurossm.store import load


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
    assert ended.status == 2 and f"free space in {tmp_path}" in ended.err
    assert not (tmp_path / "b").exists()
