"""Checks what an executor returns: types, names and shapes."""

from __future__ import annotations

import json
from numbers import Real
from typing import Any

import numpy as np

from neurossm.arguments import shown
from neurossm.errors import TargetError
from neurossm.executors.protocol import Executor, Inputs, Run
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.trace import Counts, Trace

# of the first sample that an executor of ours runs: 4 us a node that is recorded, which is 0.8 % of
# the fast engine's time for one sample of 784 steps and 2 % of that for one of 40 (19 nodes)
STEPS_LOOKED_AT = 64


def check_run(
    whose: str,
    executor: Executor[Any],
    done: object,
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    lengths: Lengths | None,
    foreign: bool = False,
) -> None:
    """Refuse what is no `Run` of this graph on these inputs.

    Raises
    ------
    TargetError
        Named `whose`, for another type, missing values, a wrong shape, real numbers where integers
        are promised, counters that are missing; for values beyond their formats: any where
        `foreign`; of ours, which tests hold against each other, in the first steps of the first
        sample.
    """
    run = _checked(whose, done)
    trace = run.trace
    samples, steps = next(iter(inputs.values())).shape[:2]
    if (trace.samples, trace.steps) != (samples, steps):
        raise TargetError(whose, expected=f"a trace of {samples} samples and {steps} steps",
                          got=f"{trace.samples} and {trace.steps}")  # fmt: skip
    if not np.array_equal(trace.ends, np.full(samples, steps) if lengths is None else lengths):
        raise TargetError(whose, expected="a trace with the lengths of the sequences",
                          got="other lengths")  # fmt: skip
    readable = record if executor.inside else [name for name in record if name in graph.outputs]
    lacking = [name for name in readable if name not in trace.values]
    if lacking:
        raise TargetError(whose, expected=f"values of {lacking[0]!r}", got="none")
    _check_values(whose, executor, trace, graph, foreign)
    if executor.exact and executor.inside:
        _check_states(whose, trace, graph)
    if executor.counters and set(trace.counts) != set(graph.nodes):
        raise TargetError(whose, expected="counters of every node, or counters=False",
                          got=f"those of {len(trace.counts)} nodes")  # fmt: skip
    for name, counts in trace.counts.items():
        if not isinstance(counts, Counts):
            raise TargetError(whose, expected=f"Counts of {name!r}", got=shown(counts))
    try:
        json.dumps(dict(run.notes), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TargetError(whose, expected="notes of plain values", got=str(error)) from None


def check_streamed(
    whose: str, found: object, reached: int, shape: tuple[int, int, int]
) -> int:  # fmt: skip
    """Return the sample behind a streamed part; refuse parts that leave a gap, or no answers."""
    if found is None:
        if reached != shape[0]:
            raise TargetError(whose, expected=f"{shape[0]} samples", got=str(reached))
        return reached
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], slice)):
        raise TargetError(whose, expected="a slice and a Run", got=shown(found))
    part, run = found[0], _checked(whose, found[1])
    trace = run.trace
    if (part.start, part.stop) != (reached, reached + trace.samples):
        got = f"{part.start} to {part.stop}, a trace of {trace.samples}"
        raise TargetError(whose, expected=f"the samples from {reached}", got=got)
    if run.answers is None or len(run.answers) != trace.samples:
        got = "none" if run.answers is None else str(len(run.answers))
        raise TargetError(whose, expected=f"answers of {trace.samples} samples", got=got)
    return int(part.stop)


def _checked(whose: str, done: object) -> Run:
    if not isinstance(done, Run):
        raise TargetError(whose, expected="a Run", got=shown(done))
    if not isinstance(done.trace, Trace):
        raise TargetError(whose, expected="a Run with a Trace", got=shown(done.trace))
    times = (done.seconds, done.startup_seconds)
    if not all(isinstance(one, Real) and one >= 0 for one in times):
        got = f"{done.seconds} and {done.startup_seconds}"
        raise TargetError(whose, expected="seconds of 0 or more", got=got)
    return done


def _check_values(
    whose: str, executor: Executor[Any], trace: Trace, graph: Graph, foreign: bool
) -> None:
    for name, values in trace.values.items():
        if name not in graph.nodes:
            raise TargetError(whose, expected="values of nodes", got=f"those of {name!r}")
        shape = (trace.samples, trace.steps, graph.nodes[name].out_channels)
        if values.shape != shape:
            raise TargetError(whose, expected=f"values of {name!r} of shape {shape}",
                              got=f"shape {values.shape}")  # fmt: skip
        if executor.exact and values.dtype.kind not in "iu":
            raise TargetError(whose, expected=f"integers of {name!r}", got=str(values.dtype))
        fmt = graph.nodes[name].out
        seen = values if foreign else values[:1, :STEPS_LOOKED_AT]
        if executor.exact and fmt is not None and seen.size:
            low, high = int(seen.min()), int(seen.max())
            if low < fmt.low or high > fmt.high:
                expected = f"integers of {name!r} from {fmt.low} to {fmt.high}"
                remedy = "" if foreign else "a fault of neurossm: please report it"
                raise TargetError(whose, expected=expected, got=f"{low} to {high}", remedy=remedy)
    for name, state in trace.states.items():
        if executor.exact and np.asarray(state).dtype.kind not in "iu":
            raise TargetError(whose, expected=f"integers of state {name!r}", got=str(state.dtype))


def _check_states(whose: str, trace: Trace, graph: Graph) -> None:
    sizes = {name: 0 for name, node in graph.nodes.items() if node.states}
    for key, state in trace.states.items():
        name = key.rpartition(".")[0]
        if name not in sizes or np.shape(state)[:1] != (trace.samples,):
            raise TargetError(whose, expected=f"states of nodes, of {trace.samples} samples each",
                              got=f"{key!r} of shape {np.shape(state)}")  # fmt: skip
        sizes[name] += state.size
    for name, size in sizes.items():
        expected = graph.nodes[name].states * trace.samples
        if size != expected:
            raise TargetError(whose, expected=f"{expected} numbers as the states of {name!r}",
                              got=str(size))  # fmt: skip
