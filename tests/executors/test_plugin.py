"""An executor of another package: found, listed, run by every door; refused where it is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile.examples import golden_of, integer_graph

import neurossm
from neurossm.engine import execute
from neurossm.errors import InputError, TargetError
from neurossm.executors import choose
from neurossm.store import save

ROOT = Path(__file__).parents[2]
GRAPH = integer_graph()
INPUTS = np.random.default_rng(3).integers(-127, 128, (5, 20, 2))
ENDS = np.array([20, 3, 11, 20, 1])


def command(folder: Path, *arguments: object, module: str = "neurossm"):
    """Run a command in a process that sees the plug-in as installed."""
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("at_once", [1, 2, 99])
def test_it_runs_in_python_with_the_bits_of_the_reference(plugin, at_once):
    told: list[int] = []
    done = execute(
        GRAPH, INPUTS, f"sample:at_once={at_once}", progress=told.append, lengths=ENDS
    )  # fmt: skip
    expected = neurossm.run(GRAPH, INPUTS, "reference", lengths=ENDS)
    assert set(done.trace.values) == set(GRAPH.nodes)
    for name, values in expected.values.items():
        np.testing.assert_array_equal(done.trace.values[name], values, name)
    for name, state in expected.states.items():
        np.testing.assert_array_equal(done.trace.states[name], state, name)
    assert dict(done.trace.counts) == dict(expected.counts)
    assert (sum(told), done.notes["ran on"]) == (5, "the reference engine")
    assert done.seconds > 0 == done.startup_seconds
    one = neurossm.run(GRAPH, INPUTS, "sample", "outputs")
    assert set(one.values) == set(GRAPH.outputs)


def test_the_commands_list_it_run_it_and_verify_with_it(plugin, tmp_path):
    listed = command(plugin, "doctor", "--json")
    rows = {one["name"]: one for one in json.loads(listed.stdout)["executors"]}
    assert rows["sample"]["package"] == "sample-executor 1.0" and rows["sample"]["ok"]
    assert rows["sample"]["options"] == ["at_once=1"] and rows["fast"]["package"] == "neurossm"
    graph, data = tmp_path / "g.nssm", tmp_path / "d.npz"
    save(graph, GRAPH, golden_of(GRAPH))
    np.savez(data, inputs=INPUTS, lengths=ENDS)
    verified = command(plugin, "verify", graph, "--engine", "sample")
    assert verified.stdout.startswith("sample: ") and verified.stdout.endswith(" 0 mismatches\n")
    documents = []
    for engine in ("sample:at_once=2", "fast"):
        ran = command(plugin, "run", graph, "--data", data, "--engine", engine, "--json")
        assert ran.returncode == 0, ran.stderr
        documents.append(json.loads(ran.stdout))
    assert documents[0]["counts"] == documents[1]["counts"]
    assert documents[0]["engine"] == "sample:at_once=2"
    assert documents[0]["notes"] == {"ran on": "the reference engine"}
    wrong = command(plugin, "run", graph, "--data", data, "--engine", "sample:at_once=0")
    assert (wrong.returncode, wrong.stderr) == (
        2, "neurossm: --engine sample option at_once: expected at least 1 sample, got 0\n",
    )  # fmt: skip
    unknown = command(plugin, "run", graph, "--data", data, "--engine", "sampel")
    assert unknown.stderr.endswith("got 'sampel'; did you mean 'sample'?\n")


def test_the_golden_traces_are_replayed_by_it(plugin):
    done = command(plugin, "hw_tests", "-q", "-p", "no:cacheprovider", "--target", "sample",
                   module="pytest")  # fmt: skip
    golden = len(list((Path(__file__).parents[2] / "hw_tests" / "golden").glob("*.nssm")))
    assert done.stdout.splitlines()[-1] == (  # values in two ways, states, counters; two of all
        f"hw_tests --target sample: {4 * golden + 2} run, 0 SKIPPED; ran on: the reference engine"
    )


def test_the_page_about_back_ends_shows_this_very_file(plugin):
    page = (ROOT / "docs" / "how-to" / "back-ends.md").read_text()
    for name in ("sample_executor.py", "pyproject.toml"):
        assert (ROOT / "tests/fixtures/plugin" / name).read_text() in page


# -- what breaks the protocol --------------------------------------------------

FAULTY = """
from dataclasses import replace
import numpy as np
import neurossm
from neurossm.executors import Executor, NoOptions, Run

def executor(name, fault, **more):
    def run(graph, inputs, record, options, progress, lengths):
        trace = neurossm.run(graph, dict(inputs), "reference", record, lengths=lengths)
        found = fault(trace)
        return Run(found, 0.1) if not isinstance(found, Run) else found
    return Executor(name, "wrong", run, NoOptions, **more)

def values(trace, change):
    return replace(trace, values={k: change(v) for k, v in trace.values.items()})

def states(trace, change):
    return replace(trace, states={k: change(v) for k, v in trace.states.items()})

def fails(trace):
    raise ZeroDivisionError("division\\nby zero")

def runs_nothing(*_):
    return None

SHAPE = executor("shape", lambda t: values(t, lambda v: v[:, :, :1]))
FLOATS = executor("floats", lambda t: values(t, lambda v: v + 0.5))
LACKS = executor("lacks", lambda t: replace(t, values={}))
UNKNOWN = executor("unknown", lambda t: replace(t, values={**t.values, "x": t.values["mix"]}))
SAMPLES = executor("samples", lambda t: neurossm.Trace("x", {}, 1, t.steps))
COUNTS = executor("counts", lambda t: replace(t, counts={}))
QUIET = executor("quiet", lambda t: replace(t, counts={}), counters=False)
STATES = executor("states", lambda t: replace(t, states={}))
REALS = executor("reals", lambda t: states(t, lambda s: s * 1.0))
SECONDS = executor("seconds", lambda t: Run(t, -1.0))
FAILS = executor("fails", fails)
WIDE = executor("wide", lambda t: values(t, lambda v: 0 * v + 2**40))
TALLIES = executor("tallies", lambda t: replace(t, counts=dict.fromkeys(t.counts, 3)))
FAST = executor("fast_", lambda t: Run(t, "fast"))
NOTED = executor("noted", lambda t: Run(t, 0.1, notes={"x": t}))
EXITS = executor("exits", lambda t: exit(3))
NOTHING = Executor("nothing", "wrong", runs_nothing, NoOptions)
WORDS = Executor("words", "wrong", runs_nothing, NoOptions, missing=fails)
"""
FAULTS = {
    "shape": "expected values of 'pixel' of shape (5, 20, 2), got shape (5, 20, 1)",
    "floats": "expected integers of 'pixel', got float64",
    "lacks": "expected values of 'pixel', got none",
    "unknown": "expected values of nodes, got those of 'x'",
    "samples": "expected a trace of 5 samples and 20 steps, got 1 and 20",
    "counts": "expected counters of every node, or counters=False, got those of 0 nodes",
    "states": "expected 60 numbers as the states of 'ssm', got 0",
    "reals": "expected integers of state 'ssm.re', got float64",
    "seconds": "expected seconds of 0 or more, got -1.0 and 0.0",
    "wide": "expected integers of 'pixel' from -127 to 127, got 1099511627776 to 1099511627776",
    "tallies": "expected Counts of 'pixel', got 3",
    "fast_": "expected seconds of 0 or more, got fast and 0.0",
    "noted": "expected notes of plain values, got Object of type Trace is not JSON serializable",
    "exits": "expected a run, got SystemExit: 3; a fault of that package",
    "fails": "expected a run, got ZeroDivisionError: division by zero; a fault of that package",
    "nothing": "expected a Run, got None",
    "words": "expected a run, got TypeError: fails() missing 1 required positional argument:"
             " 'trace'; a fault of that package",
}  # fmt: skip


def test_what_breaks_the_protocol_is_one_line_that_names_the_package(package):
    names = [*FAULTS, "quiet"]
    package("faulty", FAULTY, {name: f"faulty:{name.strip('_').upper()}" for name in names})
    for name, said in FAULTS.items():
        with pytest.raises(TargetError) as refused:
            neurossm.run(GRAPH, INPUTS, name)
        assert str(refused.value) == f"engine {name!r} of faulty 1.0: {said}"
    assert neurossm.run(GRAPH, INPUTS, "quiet").counts == {}
    # whoever wrote it wants to see where
    with pytest.raises(TargetError) as refused:
        neurossm.run(GRAPH, INPUTS, "fails")
    assert isinstance(refused.value.__cause__, ZeroDivisionError)


STREAMS = """
import numpy as np
import neurossm
from neurossm.executors import Executor, NoOptions, Run

def stream(fault):
    def run(graph, source, options, progress):
        for start in range(0, source.shape[0], 2):
            part = slice(start, min(start + 2, source.shape[0]))
            trace = neurossm.run(graph, source[part], "reference", ())
            yield fault(part, Run(trace, 0.1, answers=np.zeros((trace.samples, 3))))
    return Executor("x", "wrong", None, NoOptions, stream=run)

def named(name, fault):
    from dataclasses import replace
    return replace(stream(fault), name=name)

WHOLE = named("whole", lambda part, run: (part, run))
AGAIN = named("again", lambda part, run: (slice(0, 2), run))
ANSWERS = named("answers", lambda part, run: (part, Run(run.trace, 0.1)))
ALONE = named("alone", lambda part, run: run)
"""


class Source:
    """Samples as a stream gets them."""

    shape, lengths = INPUTS.shape, None

    def __getitem__(self, part):
        return INPUTS[part]


def test_a_stream_that_leaves_a_gap_or_gives_no_answers_is_refused(package):
    names = ("whole", "again", "answers", "alone")
    package("streams", STREAMS, {name: f"streams:{name.upper()}" for name in names})

    def streamed(name):
        return [p.stop for p, _ in choose(name).stream(GRAPH, Source(), lambda n: None)]

    assert streamed("whole") == [2, 4, 5]
    for name, said in {"again": "expected the samples from 2, got 0 to 2, a trace of 2",
                       "answers": "expected answers of 2 samples, got none",
                       "alone": "expected a slice and a Run, got Run"}.items():  # fmt: skip
        with pytest.raises(TargetError, match=f"^engine '{name}' of streams 1.0: {said}$"):
            streamed(name)


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch):
    from neurossm.engine import reference

    def broken(*arguments, **more):
        raise ZeroDivisionError

    monkeypatch.setattr(reference, "run", broken)
    with pytest.raises(ZeroDivisionError):
        neurossm.run(GRAPH, INPUTS, "reference")


@pytest.mark.parametrize(("sample", "step", "seen"), [(0, 0, True), (0, 19, True), (1, 0, False)])
def test_what_our_own_engine_sends_first_is_looked_at(monkeypatch, sample, step, seen):
    from neurossm.engine import reference

    plain = reference.run

    def too_wide(*arguments, **more):
        trace = plain(*arguments, **more)
        trace.values["mix"][sample, step, 1] = 2**24
        return trace

    monkeypatch.setattr(reference, "run", too_wide)
    if not seen:  # what tests are for
        assert neurossm.run(GRAPH, INPUTS, "reference").values["mix"].max() == 2**24
        return
    with pytest.raises(TargetError) as refused:
        neurossm.run(GRAPH, INPUTS, "reference")
    assert str(refused.value).startswith("engine 'reference': expected integers of 'mix' from -")
    assert str(refused.value).endswith("to 16777216; a fault of neurossm: please report it")


def test_a_wrong_record_or_input_never_reaches_it(plugin):
    with pytest.raises(InputError, match="names of nodes, got 'x'"):
        neurossm.run(GRAPH, INPUTS, "sample", "x")
    with pytest.raises(InputError, match="none of them 0"):
        neurossm.run(GRAPH, INPUTS[:, :, :1], "sample")
