"""The network of a bundle as an executor: any inputs, any lengths, in parts; on what stands in for
a chip only what can be read from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile.examples import integer_graph

from neurossm.engine import execute, run
from neurossm.errors import InputError, TargetError
from neurossm.executors import choose
from neurossm_converters.backends.lava import status
from neurossm_converters.backends.loihi2 import executor

ROOT = Path(__file__).parents[3]
FAKE = ROOT / "tests/backends/loihi2/fake_loihi"
GRAPH = integer_graph()
INPUTS = np.random.default_rng(4).integers(-127, 128, (5, 9, 2))
ENDS = np.array([9, 3, 7, 1, 7])

needs_lava = pytest.mark.skipif(not status().usable, reason="no Lava")
no_chip = pytest.mark.skipif(status().loihi_installed, reason="there is a lava-loihi here")


@pytest.mark.lava
@needs_lava
def test_a_bundle_has_the_bits_of_the_reference_whatever_the_parts(monkeypatch):
    channels = sum(node.out_channels for node in GRAPH.nodes.values())
    monkeypatch.setattr(executor, "VALUES_BYTES", 3 * 8 * channels * 9)  # three samples, then two
    told: list[int] = []
    done = execute(GRAPH, INPUTS, "bundle", "all", told.append, lengths=ENDS)
    expected = run(GRAPH, INPUTS, "reference", lengths=ENDS)
    assert told == [3, 2]
    for part in ("values", "states"):
        mine, theirs = getattr(done.trace, part), getattr(expected, part)
        assert set(mine) == set(theirs)
        for name, array in theirs.items():
            np.testing.assert_array_equal(mine[name], array, name)
    np.testing.assert_array_equal(done.trace.ends, ENDS)
    assert done.notes["ran on"] == "Lava's CPU simulator; NOT a chip" and not done.trace.counts
    assert set(done.notes["models"]) >= {"Dense", "Threshold", "DiagonalSSM"}


@no_chip
def test_without_a_chip_it_is_refused_in_a_line_and_nothing_starts():
    with pytest.raises(TargetError, match=r"^engine 'loihi2' cannot run here: lava-loihi is miss"):
        run(GRAPH, INPUTS, "loihi2")


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("loihi2:partition=a,board=b", "a partition or a board, not both"),
        ("loihi2:models=no-module", "expected the name of a Python module"),
        ("loihi2:generation=N3", "expected N3B2 | "),
        ("bundle:time_limit=-1", "time limit: expected seconds"),
    ],
)
def test_options_are_those_of_a_deployment(engine, said):
    with pytest.raises(InputError) as refused:
        choose(engine)
    assert said in str(refused.value)


@pytest.mark.lava
@needs_lava
@no_chip
def test_verify_on_a_stand_in_says_how_much_could_be_read():
    done = subprocess.run(
        [sys.executable, "-m", "neurossm", "verify", "hw_tests/golden/ssm.nssm", "--engine",
         "loihi2:models=fake_models"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(FAKE)}, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # one output of 2 channels, 2 vectors of 24 steps; the last vector's states of 3 channels x 2
    assert done.stdout == (
        f"loihi2:models=fake_models: {2 * 24 * 2 + 2 * 3 * 2} values of 1 node of 6"
        " (others cannot be read there) compared with 2 golden vectors, 0 mismatches\n"
    )
