"""FORMAT.md is enough to count: counters computed from it alone are those of the reference."""

import ast
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from independent import counting, interpreter
from random_graphs import QUICK, cases
from spiking_block import integers

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Accumulate, Affine, Input, Output
from neurossm.store import load, save

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "hw_tests/golden").glob("*.nssm"))


def totals(file, inputs):
    """Return the counters of each node, summed over samples (B, T, C)."""
    found = {node.name: dict.fromkeys(counting.COUNTERS, 0) for node in file.nodes}
    for sample in range(len(next(iter(inputs.values())))):
        one = counting.count(file, {name: array[sample] for name, array in inputs.items()})
        for name, counts in one.items():
            for key, number in counts.items():
                found[name][key] += number
    return found


@pytest.mark.parametrize("path", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_counters_of_golden_files(path):
    file, graph = interpreter.read(path), load(path)
    for golden in file.golden:
        inputs = {name: np.asarray(array)[None] for name, array in golden.inputs.items()}
        trace = run(graph, inputs, "reference")
        expected = {name: asdict(counts) for name, counts in trace.counts.items()}
        assert totals(file, inputs) == expected


def test_counters_of_random_graphs(tmp_path):
    path, seen = tmp_path / "random.nssm", dict.fromkeys(counting.COUNTERS, 0)

    @settings(QUICK, max_examples=40)
    @given(cases())
    def check(case):
        save(path, case.graph, ())
        trace = run(case.graph, case.inputs, "reference")
        expected = {name: asdict(counts) for name, counts in trace.counts.items()}
        assert totals(interpreter.read(path), case.inputs) == expected
        for counts in expected.values():
            for key, number in counts.items():
                seen[key] += number

    check()
    assert all(seen.values()), "the random graphs leave a counter at 0"


def test_what_clips_twice_counts_twice(tmp_path):
    """Two messages of 100 times 127 leave 8 bits; the term leaves 4, and so does the sum of 7s."""
    nodes = {
        "input": Input(channels=1, out=Fixed(8)),
        "mix": Affine(weight=integers([[127]]), bias=integers([0], 0, 24), out=Fixed(8)),
        "sum": Accumulate(channels=1, steps=1, term_bits=4, out=Fixed(4)),
        "out": Output(channels=1, out=Fixed(4)),
    }
    graph = Graph(nodes, (("input", "mix"), ("mix", "sum"), ("sum", "out")))
    save(tmp_path / "clip.nssm", graph, ())
    inputs = {"input": np.array([[[100], [100], [0]]])}
    found = totals(interpreter.read(tmp_path / "clip.nssm"), inputs)
    assert found["mix"]["saturations"] == 2
    assert found["sum"]["saturations"] == 2 + 1
    trace = run(graph, inputs, "reference")
    assert {name: asdict(counts) for name, counts in trace.counts.items()} == found


def test_it_imports_numpy_and_the_interpreter_only():
    tree, imported = ast.parse(Path(counting.__file__).read_text()), set()
    for item in ast.walk(tree):
        if isinstance(item, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in item.names}
        elif isinstance(item, ast.ImportFrom):
            imported.add((item.module or "").split(".")[0])
    assert imported - {"numpy", "independent", "interpreter"} <= sys.stdlib_module_names
