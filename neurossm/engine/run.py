"""The one entry to the executors: checks graph and inputs, then runs the engine asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from neurossm import contract
from neurossm.engine.inputs import Record, check_inputs, recorded
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
        Of the fast engine; by default one for each core that this process may use.

    Raises
    ------
    GraphError
        If the graph breaks the integer contract (`neurossm.contract`), for ``reference``, ``fast``.
    InputError, RangeError
        If the inputs have the wrong name, type or shape, or leave the input's format.
    """
    if engine not in ENGINES:
        raise InputError("engine", expected=" | ".join(ENGINES), got=repr(engine))
    arrays = check_inputs(graph, inputs)
    names = recorded(graph, record)
    # each engine is imported where it is used: numba is slow to import
    if engine == "float":
        from neurossm.engine import floating

        return floating.run(graph, arrays, names, progress)
    contract.require(graph)
    if engine == "fast":
        from neurossm.engine import fast

        return fast.run(graph, arrays, names, progress, threads)
    from neurossm.engine import reference

    trace = reference.run(graph, arrays, names)
    if progress:
        progress(trace.samples)
    return trace
