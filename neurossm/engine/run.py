"""The one entry to the executors: checks graph and inputs, then runs the engine asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm import contract
from neurossm.arguments import instance, one_of, shown, whole
from neurossm.engine.inputs import Record, padded_inputs, recorded
from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.trace import Trace

Progress = Callable[[int], None]
ENGINES = ("reference", "fast", "float")


def run(
    graph: Graph,
    inputs: NDArray[np.integer] | Mapping[str, NDArray[np.integer]],
    engine: str = "fast",
    record: Record = "all",
    progress: Progress | None = None,
    threads: int | None = None,
    lengths: ArrayLike | None = None,
) -> Trace:
    """Run a graph on integer inputs.

    Parameters
    ----------
    graph
        For ``reference`` and ``fast`` an integer graph, for ``float`` any.
    inputs
        Integers ``(B, T, C)`` in the format of the `Input`: an array where there is one `Input`,
        else a mapping by name.
    engine
        ``reference``, ``fast`` or ``float``.
    record
        Which nodes' values to keep: ``all``, ``outputs`` or names.
    progress
        Called with the number of samples done since the last call.
    threads
        Of the fast engine, at least 1; by default one for each core that this process may use.
    lengths
        Steps of each sequence ``(B,)``, where they differ: what comes behind is padding, which is
        neither run nor counted nor checked.

    Raises
    ------
    GraphError
        If the graph breaks the integer contract (`neurossm.contract`), for ``reference``, ``fast``.
    InputError, RangeError
        For an argument of another type or out of range, by its name. If the inputs have the wrong
        name, type or shape, or leave the input's format; if the
        lengths are not one for each sample, from 1 to T.
    """
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    one_of("engine", engine, ENGINES)
    if threads is not None:
        whole("threads", threads)
    if progress is not None and not callable(progress):
        raise InputError("progress", expected="a function of a number of samples",
                         got=shown(progress))  # fmt: skip
    arrays, ends = padded_inputs(graph, inputs, lengths)
    names = recorded(graph, record)
    # each engine is imported where it is used: numba is slow to import
    if engine == "float":
        from neurossm.engine import floating

        return floating.run(graph, arrays, names, progress, ends)
    contract.require(graph)
    if engine == "fast":
        from neurossm.engine import fast

        return fast.run(graph, arrays, names, progress, threads, ends)
    from neurossm.engine import reference

    trace = reference.run(graph, arrays, names, lengths=ends)
    if progress:
        progress(trace.samples)
    return trace
