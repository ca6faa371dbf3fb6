"""Golden vectors: inputs with the reference engine's values at every node and step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import run
from neurossm.engine.inputs import input_range
from neurossm.errors import InputError
from neurossm.store import Golden, save
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import data_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

GOLDEN_STEPS = 64
GOLDEN_SAMPLES = 2


def golden(
    graph: Graph | str | Path,
    output: str | Path,
    data: str | Dataset = "",
    samples: int = GOLDEN_SAMPLES,
    steps: int = GOLDEN_STEPS,
    seed: int = 0,
    *,
    data_dir: str = "",
    other_data: bool = False,
    listener: Listener = QUIET,
) -> tuple[Golden, ...]:
    """Write an integer graph with golden vectors, made from data or from random inputs in range.

    Parameters
    ----------
    graph
        An integer graph, or its file. Vectors that the file has are left out.
    output
        The file to write.
    data
        As of `data_for`; empty: random.
    samples, steps
        Vectors of such inputs, and their steps at most. One more vector is of extreme inputs.
    seed
        Of what is random.

    Raises
    ------
    InputError
        If the graph is not integer, the data are not what it takes, or the file cannot be written.

    Examples
    --------
    >>> vectors = neurossm.golden("imported.nssm", "golden.nssm", "mnist:test:8")
    >>> neurossm.verify("golden.nssm").passed
    True
    """
    loaded = opened(graph)
    if not loaded.is_integer:
        where = str(graph) if isinstance(graph, str | Path) else "golden"
        raise InputError(
            where, expected="an integer graph", got="a float one",
            remedy=f"'neurossm quantize {where} -o NEW --calibrate DATA' makes one, with vectors",
        )  # fmt: skip
    if isinstance(data, str) and not data:
        vectors = random_vectors(loaded, samples, steps, seed)
    else:
        given = data_for(loaded, data, data_dir, labels=False, other_data=other_data,
                         listener=listener)  # fmt: skip
        vectors = golden_vectors(loaded, given, samples, steps, seed)
    save(Path(output), loaded, vectors)
    return vectors


def golden_vectors(
    graph: Graph,
    data: Dataset,
    samples: int = GOLDEN_SAMPLES,
    steps: int = GOLDEN_STEPS,
    seed: int = 0,
) -> tuple[Golden, ...]:
    """Return what the reference makes of the first samples of the data and of extreme inputs."""
    name = graph.inputs[0]
    # the middle of what is no padding, where something happens; then only the ends of the range
    part = data.take(slice(samples))
    length = part.shape[1] if part.lengths is None else int(part.lengths.min())
    start = max(0, (length - steps) // 2)
    real = part.inputs[:, start : min(start + steps, length)].astype(np.int64)
    ends = _ends(graph, name, real.shape[1], seed)
    return _made(graph, {name: np.concatenate([real, ends])})


def random_vectors(
    graph: Graph, samples: int = GOLDEN_SAMPLES, steps: int = GOLDEN_STEPS, seed: int = 0
) -> tuple[Golden, ...]:
    """Return what the reference makes of random inputs, and of extreme ones, in each one's range.

    A graph whose running sums are sized for fewer steps gets vectors of as many.
    """
    random, inputs = np.random.default_rng(seed), {}
    most = graph.meta.get("steps")
    steps = min(steps, most) if isinstance(most, int) and most > 0 else steps
    for name in graph.inputs:
        low, high, _ = input_range(graph, name)
        shape = (samples, steps, graph.nodes[name].out_channels)
        drawn = random.integers(low, high, shape, endpoint=True)
        inputs[name] = np.concatenate([drawn, _ends(graph, name, steps, seed)])
    return _made(graph, inputs)


def _ends(graph: Graph, name: str, steps: int, seed: int) -> NDArray[np.int64]:
    """Return one sample of the smallest and the largest integer that an input may be."""
    low, high, _ = input_range(graph, name)
    shape = (1, steps, graph.nodes[name].out_channels)
    return np.where(np.random.default_rng(seed).integers(0, 2, shape), high, low).astype(np.int64)


def _made(graph: Graph, inputs: dict[str, NDArray[np.int64]]) -> tuple[Golden, ...]:
    trace = run(graph, inputs, "reference")
    return tuple(Golden.from_trace(inputs, trace, sample) for sample in range(trace.samples))
