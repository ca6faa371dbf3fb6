"""The first compilation of kernels is said once; what Numba finds in its cache is not."""

from __future__ import annotations

import os
import subprocess
import sys

import numba

from neurossm import compiling

PROGRAM = """
from neurossm import compiling
compiling.tell(print)
import numpy as np
from neurossm.engine.kernels import threshold
threshold(np.ones((1, 3, 2), np.int32), np.zeros((1, 3, 2), np.int32), np.ones(2))
"""


def test_the_first_compilation_is_said_and_no_other():
    said = []
    compiling.watch()
    compiling.tell(said.append)
    for factor in (2, 3):
        assert numba.njit(lambda x, factor=factor: factor * x)(2) == 2 * factor
    assert said == [compiling.SAID]
    compiling.tell(None)
    assert numba.njit(lambda x: 4 * x)(2) == 8
    assert len(said) == 1


def test_a_second_program_finds_its_kernels_and_says_nothing(tmp_path):
    def printed() -> str:
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True,
                              env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)})  # fmt: skip
        assert not done.returncode, done.stderr
        return done.stdout.strip()

    assert [printed(), printed()] == [compiling.SAID, ""]
