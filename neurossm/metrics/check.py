"""Whether an integer graph still does what its float graph does: per layer and end to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import instance, real
from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.metrics.end_to_end import EndToEnd, Predictions, end_to_end, predictions
from neurossm.metrics.findings import Finding, findings
from neurossm.metrics.per_layer import TOLERANCE, PerLayerError, per_layer_errors
from neurossm.metrics.significance import significance
from neurossm.metrics.widths import narrow_widths
from neurossm.trace import Trace

SAMPLES_A_PART = 8  # all values of all nodes of a part are in memory at once
VALUES_A_PART = 2**24


@dataclass(frozen=True)
class Check:
    """What `check` found.

    Attributes
    ----------
    samples
        Sequences that were compared.
    tolerance
        That of the per-layer errors, see `neurossm.metrics.per_layer.PerLayerError`.
    per_layer
        Name of each node to its per-layer error, in graph order.
    end_to_end
        Name of each node to what the whole runs differ by.
    predictions
        At the first output; None where it has a single channel.
    findings
        What is over a tolerance: per layer first, where the cause is, then end to end; each in
        graph order.
    narrow
        Widths that are smaller than they could be, see `neurossm.metrics.widths.narrow_widths`.
    """

    samples: int
    tolerance: float
    per_layer: Mapping[str, PerLayerError]
    end_to_end: Mapping[str, EndToEnd]
    predictions: Predictions | None
    findings: tuple[Finding, ...]
    narrow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("per_layer", "end_to_end"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def passed(self) -> bool:
        """True where nothing is over a tolerance."""
        return not self.findings

    @property
    def over(self) -> tuple[str, ...]:
        """Names of the nodes over a tolerance, each once, in the order of the findings."""
        return tuple(dict.fromkeys(finding.node for finding in self.findings))


class Checker:
    """Adds up the comparison of a float graph and an integer graph, in batches.

    Parameters
    ----------
    floating, integer
        The same network; nodes are paired by name.
    """

    def __init__(self, floating: Graph, integer: Graph) -> None:
        if floating.is_integer or not integer.is_integer:
            kinds = ["an integer" if g.is_integer else "a float" for g in (floating, integer)]
            raise InputError("check", expected="a float and an integer graph",
                             got=" and ".join(kinds))  # fmt: skip
        self._graphs = floating, integer
        self._samples = self._steps = 0
        self._layers: list[tuple[PerLayerError, ...]] = []
        self._ends: list[tuple[EndToEnd, ...]] = []
        self._predicted: list[Predictions] = []

    def add(self, left: Trace, right: Trace) -> None:
        """Add a float run and an integer run on the same inputs, with the values of all nodes.

        Sequences count to their own ends, as the traces have them.
        """
        floating, integer = self._graphs
        self._samples += left.samples
        self._steps = max(self._steps, int(left.ends.max()))
        self._layers.append(per_layer_errors(floating, integer, right))
        self._ends.append(end_to_end(integer, left, right))
        predicted = predictions(integer, left, right)
        if predicted:
            self._predicted.append(predicted)

    def result(self, tolerance: float = TOLERANCE) -> Check:
        """Return what was found in all parts."""
        ends = {same[0].node: reduce(add, same) for same in zip(*self._ends, strict=True)}
        layers = {same[0].node: reduce(add, same) for same in zip(*self._layers, strict=True)}
        ranges = {name: end.range for name, end in ends.items()}
        if set(ranges) == set(self._graphs[0].nodes):
            matters = significance(self._graphs[0], ranges, self._steps)
            layers = {n: replace(error, matters=matters[n]) for n, error in layers.items()}
        predicted = reduce(add, self._predicted) if self._predicted else None
        output = self._graphs[1].outputs[0]
        found = findings(layers, ends, predicted, output, tolerance)
        narrow = narrow_widths(*self._graphs)
        return Check(self._samples, tolerance, layers, ends, predicted, found, narrow)


def check(
    floating: Graph,
    integer: Graph,
    inputs: NDArray[np.integer] | Mapping[str, NDArray[np.integer]],
    lengths: NDArray[np.integer] | None = None,
    *,
    tolerance: float = TOLERANCE,
    progress: Callable[[int], None] | None = None,
) -> Check:
    """Run a float graph and its integer graph, and tell where the integers lose something.

    Parameters
    ----------
    floating, integer
        The same network before and after quantizing.
    inputs
        Integers ``(B, T, C)`` as for `neurossm.engine.run`.
    lengths
        ``(B,)``, steps of each sequence; what comes behind is padding and does not count.
    tolerance
        Of the per-layer errors.
    progress
        Called with the number of samples done since the last call, twice B in all.

    Raises
    ------
    GraphError, InputError, RangeError
        As `neurossm.engine.run`; if the graphs are not such a pair.
    """
    instance("floating", floating, Graph)
    instance("integer", integer, Graph)
    real("tolerance", tolerance, 0, float("inf"), "0 or more")
    checker = Checker(floating, integer)
    if not isinstance(inputs, Mapping):
        inputs = np.asarray(inputs)
        if inputs.ndim != 3:
            raise InputError("inputs", expected="samples x steps x channels",
                             got=f"shape {inputs.shape}")  # fmt: skip
    arrays = inputs if isinstance(inputs, Mapping) else {integer.inputs[0]: inputs}
    if not isinstance(inputs, Mapping) and len(integer.inputs) > 1:
        arrays = {"": inputs}  # `run` says what is expected
    samples, steps = next(iter(arrays.values())).shape[:2]
    size = samples_a_part(integer, steps)
    for start in range(0, samples, size):
        part = {name: array[start : start + size] for name, array in arrays.items()}
        own = None if lengths is None else lengths[start : start + size]
        left = run(floating, part, "float", "all", progress, lengths=own)
        right = run(integer, part, "fast", "all", progress, lengths=own)
        checker.add(left, right)
    return checker.result(tolerance)


def samples_a_part(graph: Graph, steps: int) -> int:
    """Return how many samples may be in memory with all values of all nodes."""
    channels = sum(node.out_channels for node in graph.nodes.values())
    return max(1, min(SAMPLES_A_PART, VALUES_A_PART // max(1, channels * steps)))
