"""Compares every value of every node between reference, fast engine and Lava."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neurossm.comparison import Comparison, compare
from neurossm.engine import execute, run
from neurossm.errors import InputError
from neurossm.metrics.answers import task_of
from neurossm_workflows.beside import Beside
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.scoring import scorer_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

SAMPLES_A_BATCH = 100  # of PyTorch


@dataclass(frozen=True)
class Parity:
    """How many values of reference, fast and Lava runs were compared, and how many differ."""

    values_compared: int = 0
    mismatches: int = 0
    first: str = ""
    steps_per_second_lava: float | None = None  # of the network of a bundle
    steps_per_second_lava_best: float | None = None


def check_parity(
    graph: Graph, data: Dataset, listener: Listener = QUIET, *, lava: bool = True
) -> Parity:
    """Compare every value of every node: fast and Lava against the reference.

    Lava runs as one process around our cells on all samples, and on the first one as the network of
    a bundle: a process a node, Lava's own Dense between.

    Parameters
    ----------
    graph
        An integer graph.
    data
        At least one sample.
    listener
        Follows the runs on Lava.
    lava
        False: the fast engine alone is compared.
    """
    reference = run(graph, data.inputs, "reference")
    found = [compare(reference, run(graph, data.inputs, "fast"), graph.order)]
    if not lava:
        return _parity(found)
    count = len(data)
    with listener.progress("Lava, the network of a bundle", 1) as progress:
        bundle = execute(graph, data.inputs[:1], "bundle", "all", progress)
    with listener.progress("Lava, one process", count) as progress:
        best = execute(graph, data.inputs, f"lava:batch={count}", "all", progress)
    one = run(graph, data.inputs[:1], "reference")
    found += [compare(reference, best.trace, graph.order), compare(one, bundle.trace, graph.order)]
    return replace(
        _parity(found),
        steps_per_second_lava=bundle.trace.real_steps / bundle.seconds,
        steps_per_second_lava_best=best.trace.real_steps / best.seconds,
    )


def _parity(found: list[Comparison]) -> Parity:
    firsts = [str(result.first) for result in found if result.first]
    return Parity(
        sum(result.compared for result in found),
        sum(result.mismatches for result in found),
        firsts[0] if firsts else "",
    )


def torch_beside(checkpoint: str, graph: Graph, data: Dataset) -> Beside:
    """Return the PyTorch network of a checkpoint, which answers beside its integers.

    Raises
    ------
    InputError
        If it was trained on other data.
    """
    import torch

    from neurossm_models.train import load_model

    model, recipe = load_model(checkpoint)
    if recipe.data.name != data.name:
        raise InputError(f"checkpoint {checkpoint!r}", expected=f"one trained on {data.name}",
                         got=f"one trained on {recipe.data.name}")  # fmt: skip

    def answer(part: Dataset) -> NDArray[np.float64]:
        inputs = torch.tensor(part.inputs).float() * part.scale
        found: list[NDArray[np.float64]] = []
        with torch.no_grad():
            for start in range(0, len(inputs), SAMPLES_A_BATCH):
                logits = model(inputs[start : start + SAMPLES_A_BATCH])
                found.append(logits.double().numpy())
        return np.concatenate(found)

    return Beside(answer, task_of(graph), scorer_of(graph, data))
