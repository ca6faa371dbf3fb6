"""Compiling is told before it begins and after, is kept where it can be, and works where not."""

import io
import json
import os
import subprocess
import sys
import textwrap
import time
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from numba.core import event

from neurossm import compiling
from neurossm_cli.presentation.compiling import EVERY_TIME, MORE, ONCE, compilations_told

PROGRAM = """
    import json, sys, warnings
    from neurossm import compiling
    heard = []
    with compiling.followed(lambda kept: heard.append(["began", kept]),
                            lambda seconds: heard.append(["ended", seconds > 0])):
        import kernel
        assert kernel.outer(3) == 9
        assert (kernel.scaled(2)(3), kernel.scaled(5)(3)) == (6, 15)
    print(json.dumps([heard, compiling.seconds() > 0]))
"""
KERNEL = """
    from neurossm.compiling import njit

    @njit(cache=True)
    def inner(x):
        return x + x

    @njit(cache=True)
    def outer(x):
        return x + inner(x)

    def scaled(factor):
        @njit(cache=True)
        def times(x):
            return factor * x

        @njit(cache=True)
        def run(x):
            return times(x) + 0

        return run
"""


def start(folder, places):
    """Run the program with a cache there; return what it heard."""
    (folder / "kernel.py").write_text(textwrap.dedent(KERNEL))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], cwd=folder, capture_output=True,
        text=True, timeout=60, check=True, env={**os.environ, "PYTHONPATH": str(folder), **places},
    )  # fmt: skip
    return json.loads(done.stdout)


def test_it_compiles_once_and_says_so_once(tmp_path):
    places = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    heard, compiled = start(tmp_path, places)
    assert heard == [["began", True], ["ended", True]] * 3 and compiled
    assert list((tmp_path / "kept").rglob("*.nbc"))
    assert start(tmp_path, places) == [[], False]


def test_where_no_folder_can_be_written_it_compiles_every_time(tmp_path):
    # for the superuser too a file is no folder: beside the module, in the cache, and where asked
    (tmp_path / "file").touch()
    (tmp_path / "__pycache__").touch()
    places = {name: str(tmp_path / "file" / "x") for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    for _ in range(2):
        assert start(tmp_path, places)[0] == [["began", False], ["ended", True]] * 3


def test_another_error_of_numba_is_not_taken_for_a_missing_folder(monkeypatch):
    import numba

    def broken(**options):
        raise RuntimeError("of another kind")

    monkeypatch.setattr(numba, "njit", broken)
    with pytest.raises(RuntimeError, match="of another kind"):
        compiling.njit(cache=True)(lambda x: x)


def test_what_is_compiled_within_something_is_part_of_it():
    compiling.njit(nogil=True)  # hears of Numba from now on
    heard, before = [], compiling.seconds()
    with compiling.followed(heard.append, heard.append), event.trigger_event("numba:compile"):
        with event.trigger_event("numba:compile"):
            time.sleep(0.02)
        assert compiling.seconds() >= before + 0.02  # also what has not ended
    with event.trigger_event("numba:compile"):
        pass  # nobody follows
    kept, seconds = heard
    assert kept is True and 0.02 <= seconds == pytest.approx(compiling.seconds() - before, abs=0.01)


def said(pause, *kept, wait=0.0, patience=0.0, takes=0.0):
    err = io.StringIO()
    compiling.njit(nogil=True)
    with redirect_stderr(err), compilations_told(pause, patience):
        for _ in kept:
            with event.trigger_event("numba:compile"):
                time.sleep(takes)
            time.sleep(wait)
    return err.getvalue().splitlines()


def test_kernels_in_a_row_are_two_lines(monkeypatch):
    assert said(60, 1, 2, 3) == [ONCE, "compiled in 0.0 s"]
    assert said(60) == []
    # whoever goes on has read that it is over
    whole = "compiled in 0.0 s"
    assert said(0.01, 1, 2, wait=0.3) == [ONCE, whole, MORE, whole]
    monkeypatch.setattr(compiling, "_kept", False)
    assert said(60, 1) == [EVERY_TIME, "compiled in 0.0 s"]
    assert "NUMBA_CACHE_DIR" in EVERY_TIME


def test_what_takes_no_time_is_no_line():
    assert said(60, 1, 2, patience=5) == []
    # one that takes longer is said while it works; many short ones once they add up
    assert said(60, 1, patience=0.1, takes=0.3) == [ONCE, "compiled in 0.3 s"]
    assert said(60, *range(5), patience=0.15, takes=0.1) == [ONCE, "compiled in 0.5 s"]


FIRST = """
import sys, numpy as np
from neurossm.engine.kernels import piecewise_linear
segments, u = int(sys.argv[1]), np.zeros((1, 1, 4), np.int32)
piecewise_linear(segments)(u, u.copy(), np.ones(segments - 1), np.zeros(segments),
                           np.zeros(segments), 99.0, np.zeros(3, int))
"""
# a sigmoid of eight segments step by step, after others in one call each
BOTH = """
import numpy as np
from node_examples import examples
from neurossm.engine import run
from neurossm.engine.stepper import Stepper
found = examples("PiecewiseLinear")
for example in found:  # one of them has two segments
    run(example.integers, example.inputs, "fast")
(sigmoid,) = (example for example in found if example.label == "sigmoid")
expected = run(sigmoid.integers, sigmoid.inputs, "reference").values["node"]
stream = Stepper(sigmoid.integers, samples=len(expected), record="all")
for t in range(expected.shape[1]):
    stream.step({name: array[:, t] for name, array in sigmoid.inputs.items()})
    assert np.array_equal(stream.values["node"], expected[:, t])
"""


def test_kernels_of_one_name_that_two_processes_compiled_stay_apart_in_a_third(tmp_path):
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path),
                   "PYTHONPATH": os.pathsep.join((str(tests), str(tests / "support")))}  # fmt: skip
    # the first kernel of each process had the same number, and so the same symbol: the step then
    # called the kernel of two segments
    for program, *words in ((FIRST, "8"), (FIRST, "2"), (BOTH,)):
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True,
                              text=True, env=environment)  # fmt: skip
        assert not done.returncode, done.stderr


class File:
    """Numba's file of cached code, in memory: a list of names, and what lies under each."""

    def __init__(self) -> None:
        self.listed, self.held = {}, {}

    def _load_index(self):
        return dict(self.listed)

    def _save_index(self, listed):
        self.listed = dict(listed)

    def save(self, key, data):
        name = self.listed.setdefault(key, len(self.listed) + 1)
        self.held[name] = data

    def load(self, key):
        return self.held.get(self.listed.get(key))


def test_a_list_that_leads_to_other_code_is_mended():
    file = File()
    checked = compiling._Checked(file)
    checked.save("int32", "code of int32")
    checked.save("float64", "code of float64")
    assert checked.load("int32") == "code of int32" and checked.load("bool") is None
    file.listed["float64"] = file.listed["int32"]  # as two processes leave it that write at once
    assert checked.load("float64") is None and "float64" not in file.listed
    assert checked.load("int32") == "code of int32"
    checked.save("float64", "code again")
    assert checked.load("float64") == "code again"
    file.held[file.listed["int32"]] = "what a version before this one wrote"
    assert checked.load("int32") is None
