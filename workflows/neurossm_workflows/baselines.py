"""Accuracy of a network with the recurrence of each digital baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm.energy.digital import RECURRENCES
from neurossm.engine import padded_inputs, run
from neurossm.engine.narrow import run_narrow
from neurossm.errors import InputError
from neurossm.metrics import answers
from neurossm.nodes import DiagonalSSM
from neurossm.trace import Trace
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.scoring import labeled, scored, scorer_of

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm.report import Accuracy
    from neurossm_models.data import Dataset

MOST_SIMULATED = 256
SIMULATED_UPDATES = 50_000_000  # of states: some seconds


def baseline_accuracies(
    graph: Graph,
    data: Dataset,
    samples: int | None,
    accuracy: Accuracy,
    listener: Listener = QUIET,
) -> dict[str, tuple[float, float, str]]:
    """Return the accuracy of this network with the recurrence of each baseline, and its sample.

    The wide one and the spiking network itself are the run that was profiled; the narrow ones are
    simulated (`neurossm.engine.narrow`) on the first sequences, by default on as many as take some
    seconds.
    """
    ssms = [node for node in graph.nodes.values() if isinstance(node, DiagonalSSM)]
    data = data.trimmed()
    updates = sum(node.updates for node in ssms) * data.shape[1]
    if samples is None:
        samples = min(MOST_SIMULATED, max(1, SIMULATED_UPDATES // max(1, updates)))
    if samples < 0:
        raise InputError("--baseline-samples", expected="0 or more", got=str(samples))
    counted = f"of {accuracy.samples}"
    own = accuracy.integer
    found = {name: (own, own, counted) for name in ("ann_int8", "snn_digital")}
    if accuracy.float_graph is not None:
        found["ann_float32"] = (accuracy.float_graph, own, counted)
    if not samples or not ssms:
        return found
    part = data.take(slice(min(samples, len(data))))
    if not part.labeled:
        return found
    inputs, ends = padded_inputs(graph, part.inputs, part.lengths)
    trace = run(graph, part.inputs, "fast", "outputs", lengths=part.lengths)
    own = _right(graph, trace, part)
    for bits in RECURRENCES[1:]:
        listener.tell(f"simulating a recurrence of {bits} bits on {len(part)} sequences")
        values = run_narrow(graph, inputs, bits, ends)
        samples, steps = part.inputs.shape[:2]
        trace = Trace(f"{bits}-bit recurrence", values, samples, steps, lengths=ends)
        right = _right(graph, trace, part)
        found[f"ann_int8_recurrence{bits}"] = (right, own, f"of {len(part)}, simulated")
    return found


def _right(graph: Graph, trace: Trace, part: Dataset) -> float:
    """Return the share of right answers."""
    scorer = scorer_of(graph, part)
    if scorer is not None:
        scorer.add(answers(graph, trace), part.labels, part.lengths)
    return labeled(scored(scorer), "--data").values["accuracy"]
