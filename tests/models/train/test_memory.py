"""What training frees: kept for the next step, returned to the system, let go between parts."""

from __future__ import annotations

import platform
import subprocess
import sys
import weakref

import pytest

from neurossm_models.train import train
from neurossm_models.train.loop import Loop

LEFT = """
from pathlib import Path
import numpy as np
from neurossm_models.train.memory import *

def left():
    def resident():
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))
    before = resident()
    blocks = [np.ones(2**20) for _ in range(8)]
    del blocks
    return resident() - before

return_freed_memory()
returned = left()
keep_freed_memory()
with returning_freed_memory():
    between = left()
print(returned, between, left())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
def test_freed_blocks_are_kept_or_returned():
    run = subprocess.run([sys.executable, "-c", LEFT], capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    returned, between, kept = map(int, run.stdout.split())  # of 64 MiB
    assert returned < 16 and between < 16 and kept > 48


def test_nothing_of_a_part_is_held_while_the_next_one_runs(tmp_path, monkeypatch):
    answered, call = [], Loop._call

    def watched(self, batch):
        assert all(answers() is None for answers in answered)
        answers = call(self, batch)
        answered.append(weakref.ref(answers))
        return answers

    changes = ["train.epochs=1", "data.limit=24", "data.valid=8", "train.batch=16",
               "train.accumulate=4", "model.width=4", "model.state=2"]  # fmt: skip
    train("gsu-digits", changes, tmp_path / "first")  # Numba, compiling, keeps frames that call it
    monkeypatch.setattr(Loop, "_call", watched)
    assert train("gsu-digits", changes, tmp_path / "run").step == 1
    assert len(answered) == 4
