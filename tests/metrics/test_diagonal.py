"""Counts of diagonal recurrences against loops that multiply one number at a time."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.metrics import dense_operations, diagonal
from neurossm.metrics.diagonal import recurrence_operations
from neurossm_workflows.export import load_run

RNG = np.random.default_rng(0)
C, N, B, T = 3, 2, 2, 7


class Counter:
    """Counts real products as they are done."""

    def __init__(self) -> None:
        self.every = self.of_states = self.of_inputs = 0

    def times(self, p, q, kind, part=""):
        found = 0j
        for p_unit, p_part in self.parts(p):
            for q_unit, q_part in self.parts(q):
                if part and (p_unit * q_unit).imag:
                    continue
                self.every += 1
                done = p_part != 0 and q_part != 0
                setattr(self, kind, getattr(self, kind) + done)
                found += p_unit * q_unit * p_part * q_part
        return found

    @staticmethod
    def parts(z):
        return [(1, z.real), (1j, z.imag)] if isinstance(z, complex) else [(1, z)]


def by_loops(a, b, u, c=None, d=None):
    """Run the recurrence; return the states and the counts of all samples."""
    count, samples = Counter(), u.tolist()
    states = np.zeros((*u.shape[:2], *a.shape), complex)
    is_complex = any(np.iscomplexobj(array) for array in (a, b, u))
    for s, sequence in enumerate(samples):
        x = np.zeros(a.shape, complex)
        for t, arriving in enumerate(sequence):
            for channel in range(a.shape[0]):
                for n in range(a.shape[1]):
                    before = complex(x[channel, n]) if is_complex else float(x[channel, n].real)
                    moved = count.times(a[channel, n].item(), before, "of_states")
                    moved += count.times(b[channel, n].item(), arriving[channel], "of_inputs")
                    x[channel, n] = moved
                    after = complex(moved) if is_complex else float(moved.real)
                    if c is not None:
                        count.times(c[channel, n].item(), after, "of_states", "real")
                if d is not None:
                    count.times(d[channel].item(), arriving[channel], "of_inputs", "real")
            states[s, t] = x
    return states if is_complex else states.real, count


def some(shape, complex_numbers, zeros=0.3):
    found = RNG.standard_normal(shape) * 0.5
    if complex_numbers:
        found = found + 0.5j * RNG.standard_normal(shape) * (RNG.random(shape) > zeros)
    return found * (RNG.random(shape) > zeros)


@pytest.mark.parametrize("complex_inputs", [False, True])
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("more", [(), ("c",), ("d",), ("c", "d")])
def test_it_counts_what_loops_do(kind, complex_inputs, more):
    if kind == "real" and complex_inputs:
        return  # a complex input makes states complex
    a, b, u = (some(s, kind == "complex") for s in ((C, N), (C, N), (B, T, C)))
    u = u if complex_inputs else u.real
    c = some((C, N), kind == "complex") if "c" in more else None
    d = some((C,), False) if "d" in more else None
    states, count = by_loops(a, b, u, c, d)
    found = recurrence_operations(a, b, u, states, c, d)
    assert found == {
        "State_Updates": T * C * N,
        "Dense": count.every / B,
        "Effective_MACs": (count.of_states + count.of_inputs) / B,
        "Effective_ACs": 0,
    }


@pytest.mark.parametrize("values", [(0, 1), (-1, 0, 1)])
def test_products_with_spikes_are_additions(values):
    a, b, d = some((C, N), True), some((C, N), True), some((C,), False)
    u = RNG.choice(values, (B, T, C)).astype(float)
    states, count = by_loops(a, b, u, d=d)
    found = recurrence_operations(a, b, u, states, feed_through=d)
    assert found["Effective_ACs"] == count.of_inputs / B > 0
    assert found["Effective_MACs"] == count.of_states / B


def test_where_nothing_is_zero_it_is_the_dense_count_of_a_state_space_layer():
    # 4 for the pole, 2 for the gain, 2 for the real part of the readout; 1 for the feed-through
    graph = load_run("binary-s4d-digits")
    node = graph.nodes["blocks.0.ssm"]
    inputs = RNG.integers(-99, 99, (1, 5, graph.nodes["input"].out_channels))
    trace = run(graph, inputs, "float", record="all")
    (source,) = graph.sources["blocks.0.ssm"]
    u = trace.values[source]
    a, b, c = (getattr(node, f"{p}_re") + 1j * getattr(node, f"{p}_im") for p in "abc")
    states = np.ones((1, 5, *a.shape)) * (1 + 1j)
    found = recurrence_operations(a, b, u, states, c, node.d)
    assert found["Dense"] == 5 * dense_operations(graph)["blocks.0.ssm"].state_macs


def test_it_needs_numpy_alone():
    tree = ast.parse(Path(diagonal.__file__).read_text(encoding="utf-8"))
    imported = set()
    for item in ast.walk(tree):
        if isinstance(item, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in item.names}
        elif isinstance(item, ast.ImportFrom):
            imported.add((item.module or "").split(".")[0])
    assert imported - {"numpy"} <= sys.stdlib_module_names
