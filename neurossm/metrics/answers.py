"""The prediction for each sequence, from what an output sends over time: one rule for all.

Shape letters: ``B`` samples, ``T`` steps, ``K`` channels of the output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.graph import Graph
from neurossm.interface import EVERY_STEP, Interface, log_likelihoods
from neurossm.nodes import Role, message_frac
from neurossm.trace import Trace

Reals = NDArray[np.float64]


def answers(graph: Graph, trace: Trace) -> Reals:
    """Return the answers of the first output in real numbers, ``(B, K)``, or ``(B, T, K)``.

    The readout that the graph says (`neurossm.interface.Interface`) tells how they are made.
    ``mean``: the value at a sequence's own last step, times steps over its length, as the graph
    adds up a mean over ``meta["steps"]`` steps; ``last``, ``sum``, ``leaky``: that value; ``max``:
    the largest that each channel sent; ``every-step``: all, 0 behind a sequence's end. Spikes are
    counted. A graph that says no readout is read at the last step.

    Where the graph has a scaling of its targets, the answers are in their units; the scores of an
    adaptive softmax become log-likelihoods of tokens.

    Parameters
    ----------
    graph
        What ran.
    trace
        With the values of the first output: integers in its format, or real numbers.
    """
    about, name = Interface.of(graph), graph.outputs[0]
    found = answers_sent(graph, trace) * _unit(graph, name, trace.values[name])
    steps = graph.meta.get("steps")
    if about.readout == "mean" and isinstance(steps, int) and _is_read_at_the_end(graph, about):
        found = found * (steps / trace.ends)[:, None]
    if about.cutoffs:
        return log_likelihoods(found, about.cutoffs)
    return found if about.target is None else about.target.to_values(found)


def task_of(graph: Graph) -> str:
    """Return what answers are of a graph's task: the next step of values is a regression."""
    task = Interface.of(graph).task
    return "step-regression" if task == "next-step" and not graph.vocabularies else task


def answers_sent(graph: Graph, trace: Trace) -> NDArray[Any]:
    """Return the answers of the first output as it sent them: integers of an integer run.

    As `answers`, without units, the length of a mean, and the scaling of targets.
    """
    about, name = Interface.of(graph), graph.outputs[0]
    values: NDArray[Any] = trace.values[name]
    if about.readout == "every-step" or about.task in EVERY_STEP:
        return np.where(trace.inside, values, values.dtype.type(0))
    if sends_spikes(graph, name):
        return np.asarray(np.where(trace.inside, values, 0).sum(axis=1))
    if about.readout == "max":
        least = -np.inf if values.dtype.kind == "f" else np.iinfo(values.dtype).min
        return np.asarray(np.where(trace.inside, values, values.dtype.type(least)).max(axis=1))
    return np.asarray(trace.last(name))


def _is_read_at_the_end(graph: Graph, about: Interface) -> bool:
    return about.task not in EVERY_STEP and not sends_spikes(graph, graph.outputs[0])


def sends_spikes(graph: Graph, output: str) -> bool:
    """Tell whether all that an output sends are spikes."""
    out = graph.nodes[output].out
    if out is not None:
        return out.is_spike
    return all(graph.nodes[source].role is Role.SPIKING for source in graph.sources[output])


def chosen(task: str, found: Reals) -> NDArray[Any] | None:
    """Return what answers choose: classes ``(...)``, or yes and no ``(..., K)`` of several labels.

    None where they choose nothing: numbers, and a single channel. The task is that of `task_of`.
    """
    if task == "multilabel":
        return np.asarray(found > 0)
    if task in ("regression", "step-regression") or found.shape[-1] < 2:
        return None
    return np.asarray(np.argmax(found, axis=-1))


def _unit(graph: Graph, name: str, values: NDArray[np.generic]) -> Reals:
    """Return the real value of one unit of an output, ``()`` or ``(K,)``."""
    node = graph.nodes[name]
    if values.dtype.kind == "f" or node.out is None:
        return np.float64(1.0)  # type: ignore[return-value]  # ()
    return np.asarray(np.exp2(-np.asarray(message_frac(node), dtype=np.float64)))
