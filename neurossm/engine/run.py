"""The one entry to the executors: checks graph and inputs, then runs the executor asked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm import contract
from neurossm.arguments import instance, shown
from neurossm.engine.inputs import Record, padded_inputs, recorded
from neurossm.errors import InputError
from neurossm.executors import Engine, Progress, Run, choose
from neurossm.graph import Graph
from neurossm.trace import Trace


def run(
    graph: Graph,
    inputs: NDArray[np.integer] | Mapping[str, NDArray[np.integer]],
    engine: str | Engine = "fast",
    record: Record = "all",
    progress: Progress | None = None,
    lengths: ArrayLike | None = None,
) -> Trace:
    """Run a graph on integer inputs; see `execute`, which returns timing and notes as well.

    Examples
    --------
    >>> graph = neurossm.load("m.int.nssm")
    >>> trace = neurossm.run(graph, np.zeros((2, 784, 1), np.int64))  # samples, steps, channels
    """
    return execute(graph, inputs, engine, record, progress, lengths).trace


def execute(
    graph: Graph,
    inputs: NDArray[np.integer] | Mapping[str, NDArray[np.integer]],
    engine: str | Engine = "fast",
    record: Record = "all",
    progress: Progress | None = None,
    lengths: ArrayLike | None = None,
) -> Run:
    """Run a graph on integer inputs.

    Parameters
    ----------
    graph
        For ``float`` any; for executors that are exact an integer graph.
    inputs
        Integers ``(B, T, C)`` in the format of the `Input`: an array where there is one `Input`,
        else a mapping by name.
    engine
        ``fast``, ``reference``, ``float`` or any executor that is installed, with options:
        ``fast:threads=2``, ``lava:batch=8``. ``neurossm doctor`` lists them.
    record
        Which nodes' values to keep: ``all``, ``outputs`` or names.
    progress
        Called with the number of samples done since the last call.
    lengths
        Steps of each sequence ``(B,)``, where they differ: what comes behind is padding, which is
        neither run nor counted nor checked.

    Raises
    ------
    GraphError
        If the graph breaks the integer contract (`neurossm.contract`), for an exact executor.
    InputError, RangeError
        For an argument of another type or out of range, by its name; for an unknown executor or
        option. If the inputs have the wrong name, type or shape, or leave the input's format; if
        the lengths are not one for each sample, from 1 to T.
    TargetError
        If an executor cannot run here, or failed.
    """
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    chosen = choose(engine)
    if progress is not None and not callable(progress):
        raise InputError("progress", expected="a function of a number of samples",
                         got=shown(progress))  # fmt: skip
    arrays, ends = padded_inputs(graph, inputs, lengths)
    names = recorded(graph, record)
    if chosen.executor.exact:
        contract.require(graph)
    return chosen.run(graph, arrays, names, progress or _quiet, ends)


def _quiet(samples: int) -> None:
    """Tell nobody."""
