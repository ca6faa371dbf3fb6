"""The integer engine on the card: every bit of the fast engine's, and how fast."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neurossm.engine import execute
from neurossm.engine.inputs import input_range
from neurossm.graph import Graph
from neurossm.store import load as load_graph
from neurossm.trace import Trace
from neurossm_models.data import load
from neurossm_workflows.export import export
from neurossm_workflows.quantize import quantized

GOLDEN = Path(__file__).resolve().parents[2] / "hw_tests" / "golden"


def rows(options: Namespace) -> Iterator[dict[str, Any]]:
    """Yield values, states and counters held against other engines', then times of whole runs."""
    engine = "gpu" if options.device == "cuda" else "gpu:device=interpreter"
    for file in sorted(GOLDEN.glob("*.nssm")):
        yield golden(file, engine, 40 if options.device == "cuda" else 5)
    yield from network(options, engine)


def golden(file: Path, engine: str, steps: int) -> dict[str, Any]:
    """Return how a small graph of many kinds of nodes runs, against the reference."""
    graph, random = load_graph(file), np.random.default_rng(0)
    inputs = {}
    for name in graph.inputs:
        low, high = input_range(graph, name)[:2]
        size = (7, steps, graph.nodes[name].out_channels)
        inputs[name] = random.integers(low, high + 1, size)
    one, two = (execute(graph, inputs, name, "all").trace for name in ("reference", engine))
    wrong, values = differing(graph, one, two)
    return {"what": f"{file.stem}, {len(graph.nodes)} nodes, 7 x {steps} steps",
            "values": values, "mismatches": wrong, "right": wrong == 0}  # fmt: skip


def network(options: Namespace, engine: str) -> Iterator[dict[str, Any]]:
    """Yield a trained network: all values of a few sequences, the outputs of all, and speeds."""
    root = options.data_dir or None
    graph = quantized(export(str(options.checkpoint)), load(f"{options.data}:train:64", root))
    test = load(f"{options.data}:test:{options.samples}", root)
    few = test.inputs[: 256 if options.device == "cuda" else 1]
    steps = test.steps if options.device == "cuda" else 8
    one, two = (execute(graph, few[:, :steps], name, "all").trace for name in ("fast", engine))
    wrong, values = differing(graph, one, two)
    yield {"what": f"every value, state and counter of {len(few)} x {steps} steps",
           "values": values, "mismatches": wrong, "right": wrong == 0}  # fmt: skip
    if options.device != "cuda":
        return
    traces = {}
    for name in (engine, "fast"):
        execute(graph, test.inputs[:64], name, "outputs")  # compiles
        started = time.perf_counter()
        traces[name] = execute(graph, test.inputs, name, "outputs").trace
        seconds = time.perf_counter() - started
        yield {"what": f"{name}: {len(test)} sequences of {test.steps} steps", "seconds": seconds,
               "steps a second": len(test) * test.steps / seconds}  # fmt: skip
    wrong, values = differing(graph, traces["fast"], traces[engine])
    yield {"what": "outputs and counters of all sequences", "values": values, "mismatches": wrong,
           "right": wrong == 0}  # fmt: skip


def differing(graph: Graph, one: Trace, two: Trace) -> tuple[int, int]:
    """Return how many of the integers of two runs differ, and how many there are."""
    pairs = [(one.values[name], two.values[name]) for name in one.values]
    pairs += [(one.states[name], two.states[name]) for name in one.states]
    for name in graph.nodes:
        counts = [np.array(list(asdict(run.counts[name]).values())) for run in (one, two)]
        pairs.append((counts[0], counts[1]))
    wrong = sum(int(np.count_nonzero(np.asarray(a) != np.asarray(b))) for a, b in pairs)
    return wrong, sum(np.asarray(a).size for a, _ in pairs)
