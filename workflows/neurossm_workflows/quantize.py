"""Quantizes a float graph: ranges from data, golden vectors, and the choices with reasons.

This is where ranges are taken from data. Who needs them goes through `calibrate`: it runs the
float engine in batches, records what `neurossm.quantization.calibrate` looks at and nothing else,
so that memory does not grow with the samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.metrics.check import Check, check
from neurossm.metrics.spike_losses import spike_losses
from neurossm.quantization import Percentiles, Quantization, Quantize, Ranges
from neurossm.quantization import calibrate as ranges_of
from neurossm.store import Golden, graph_digest, save
from neurossm.trace import Counts
from neurossm_workflows.facts import remembering
from neurossm_workflows.golden import golden_vectors
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import data_for
from neurossm_workflows.parts import note_clipped, run_counted
from neurossm_workflows.verdict import check_document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

    Data = str | Dataset | NDArray[np.integer[Any]]

PERCENTILE = 99.99
CHECK_SAMPLES = 32  # of the calibration data; the whole float run and the float node by node
SAMPLES_A_PART = 8  # all values of all nodes of so many samples are in memory at once
DEFAULT = Quantize()


@dataclass(frozen=True, eq=False)
class Quantized:
    """An integer graph with what its file holds beside it, and what became of the float one.

    Attributes
    ----------
    graph
        The integers.
    golden
        Inputs with the values of every node: what `verify` replays.
    report
        What was chosen for every node and why, the poles, the headroom, and what the formats could
        not hold.
    settings, percentile
        What was asked for; the percentile is None where no rule used it.
    check
        The float and the integer graph on the first calibration samples, as `diff` compares them.
    counts
        Of the integers on the calibration data, by node: what saturated.
    samples, clipped
        Of the calibration data, and how many of their input values were beyond the input's range.
    """

    graph: Graph
    golden: tuple[Golden, ...]
    report: Quantization
    settings: Quantize
    percentile: float | None
    check: Check
    counts: Mapping[str, Counts]
    samples: int
    clipped: int

    def __repr__(self) -> str:
        verdict = "passed" if self.check.passed else "failed"
        clipped = sum(count.saturations for count in self.counts.values())
        return (
            f"Quantized: {len(self.graph.nodes)} nodes, {self.samples} calibration samples,"
            f" {len(self.golden)} golden vectors, {clipped} saturations, check {verdict}"
        )

    def save(self, path: Path | str) -> None:
        """Write the graph with its golden vectors; raises as `neurossm.save`."""
        save(Path(path), self.graph, self.golden)

    def as_json(self) -> dict[str, Any]:
        """Return all but the numbers of the graph as plain values."""
        made = self.report
        return {
            "sha256": graph_digest(self.graph),
            "calibration_samples": self.samples,
            "clipped_inputs": self.clipped,
            "golden_vectors": len(self.golden),
            "formats": {name: str(node.out) for name, node in self.graph.nodes.items()},
            "percentile": self.percentile,
            # message_bits: the key of earlier releases
            "settings": {**asdict(self.settings), "message_bits": self.settings.activation_bits},
            "choices": [asdict(choice) for choice in made.choices],
            "poles": [asdict(change) for change in made.poles],
            "headroom": [asdict(room) for room in made.headroom],
            "losses": [asdict(loss) for loss in made.losses],
            "saturations": {name: count.saturations for name, count in self.counts.items()},
            "check": check_document(self.check),
        }


def quantize(
    graph: Graph | str | Path,
    data: Data,
    settings: Quantize = DEFAULT,
    *,
    percentile: float = PERCENTILE,
    data_dir: str = "",
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Quantized:
    """Quantize a float graph by the ranges that its values have on data.

    Parameters
    ----------
    graph
        A float graph, or its file.
    data
        Calibration data: a specification such as ``"mnist:train:512"``, a loaded data set, or
        integers (samples, steps, channels) in units of the graph's input.
    settings
        Widths and rules of ranges.
    percentile
        Of the rule of that name, 99 to 100.
    data_dir, other_data, listener
        As of `data_for`.

    Raises
    ------
    InputError
        If the graph is integer already, or the data are not what it takes.
    GraphError, RangeError
        If a node or a value fits no format; names the node.

    Examples
    --------
    >>> made = neurossm.quantize("m.nssm", "mnist:train:512")
    >>> made.save("m.int.nssm")
    >>> made.check.passed
    True
    """
    floating = opened(graph)
    given = _data_for(floating, data, data_dir, other_data, listener)
    ranges = ranges_on(floating, given, settings, percentile, listener)
    floating = remembering(floating, given)
    made = settings.explained(floating, ranges)
    counted, clipped = run_counted(made.graph, given, "fast", "counting saturations", listener)
    note_clipped(listener, clipped, given)
    checked = checked_on(floating, made.graph, given, listener)
    part = given.take(slice(CHECK_SAMPLES))
    lost = spike_losses(floating, checked.end_to_end, part.inputs, part.lengths)
    return Quantized(
        graph=made.graph,
        golden=golden_vectors(made.graph, given),
        report=replace(made, losses=(*made.losses, *lost)),
        settings=settings,
        percentile=percentile if settings.uses("percentile") else None,
        check=checked,
        counts=dict(counted.counts),
        samples=len(given),
        clipped=clipped,
    )


def quantized(
    graph: Graph | str | Path,
    data: Data,
    settings: Quantize = DEFAULT,
    *,
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Graph:
    """Return the integer graph alone, without golden vectors and check; raises as `quantize`."""
    floating = opened(graph)
    given = _data_for(floating, data, "", other_data, listener)
    ranges = ranges_on(floating, given, settings, PERCENTILE, listener)
    return settings(remembering(floating, given), ranges)


def calibrate(
    graph: Graph | str | Path,
    data: Data,
    settings: Quantize = DEFAULT,
    *,
    percentile: float = PERCENTILE,
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Ranges:
    """Return the ranges of a float run on data, with percentiles where the settings ask.

    Raises
    ------
    InputError
        If the graph is integer already, or the data are not what it takes.

    Examples
    --------
    >>> ranges = neurossm.calibrate(graph, "mnist:train:512")
    >>> narrow, wide = (neurossm.Quantize(pole_bits=n)(graph, ranges) for n in (8, 16))
    """
    floating = opened(graph)
    given = _data_for(floating, data, "", other_data, listener)
    return ranges_on(floating, given, settings, percentile, listener)


def checked_on(floating: Graph, integer: Graph, data: Dataset, listener: Listener = QUIET) -> Check:
    """Return the check of an integer graph on the first samples of the calibration data."""
    part = data.take(slice(CHECK_SAMPLES))
    with listener.progress("checking", 2 * len(part)) as progress:
        return check(floating, integer, part.inputs, part.lengths, progress=progress)


def _data_for(
    graph: Graph, data: Data, data_dir: str, other_data: bool, listener: Listener
) -> Dataset:
    if graph.is_integer:
        raise InputError(
            "quantize", expected="a float graph", got="one that is integer already",
            remedy="it runs as it is; 'neurossm golden' gives it the golden vectors that verify and"
            " deploy want",
        )  # fmt: skip
    return data_for(graph, data, data_dir, labels=False, other_data=other_data, listener=listener)


def ranges_on(
    graph: Graph,
    data: Dataset,
    settings: Quantize = DEFAULT,
    percentile: float = PERCENTILE,
    listener: Listener = QUIET,
) -> Ranges:
    """Return the ranges of a float graph on loaded data, which nothing is asked of any more."""
    found: tuple[Any, ...] = ()
    if settings.uses("percentile"):
        kept = _percentiles(graph, data, percentile, listener)
        found = (kept.result(), kept.states())
    trace, _ = run_counted(graph, data, "float", "calibrating", listener)
    return ranges_of(graph, trace, *found)


def _percentiles(graph: Graph, data: Dataset, percentile: float, listener: Listener) -> Percentiles:
    """Return what is above a percentile at every node, from a float run in small parts."""
    samples, steps, _ = data.shape
    moments = samples * steps if data.lengths is None else int(data.lengths.sum())
    kept = Percentiles(graph, graph.order, percentile, moments)
    with listener.progress("percentiles", samples) as progress:
        for start in range(0, samples, SAMPLES_A_PART):
            part = data.take(slice(start, start + SAMPLES_A_PART))
            kept.add(run(graph, part.inputs, "float", "all", progress, lengths=part.lengths))
    return kept
