"""Results of a profile, as values."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurossm.energy import CAVEAT, FORMULA
from neurossm.energy.break_even import FORMULA as BREAK_EVEN
from neurossm.metrics import multiplications
from neurossm.metrics.neurobench import VERSION
from neurossm.report import Accuracy
from neurossm.store import write_text
from neurossm_workflows.scoring import accuracy_of, scores_document

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurossm.energy import BreakEven, Energy, RateRow, RealTime
    from neurossm.graph import Graph
    from neurossm.metrics import Metrics, Recorded
    from neurossm.placement import Placement
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scores
    from neurossm_workflows.beside import Beside
    from neurossm_workflows.costs import CoreWork
    from neurossm_workflows.evaluate import Execution
    from neurossm_workflows.timing import CpuTimings


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What a run of an integer graph costs. What is None was not asked for, or cannot be known.

    Attributes
    ----------
    graph, data, called
        What ran, on what, and how a reader calls those data.
    execution
        Scores and counters.
    beside
        What the float network answered to the same samples.
    points, point_channels
        Labels and predictions of a regression, ``(m, 2)``, and the output channel of each,
        ``(m,)``.
    metrics, recorded
        Operations: counted by the engine; recorded one by one in a part of one sequence.
    energy, energy_problem
        Modeled, not measured; or why there is none.
    placement_problem
        Why the chip cannot hold the network.
    real_time, steps_per_second
        Energy at a fixed rate of steps, and the rate that was asked for.
    rates
        Energy at multiples of the measured spike rates.
    break_even
        Of each layer of synapses, the rate of activations at which it costs as much as int8 MACs of
        its shape.
    placement, cores
        Of the one mapping that was asked for.
    timings
        Of this machine.
    """

    graph: Graph
    data: Dataset
    called: str
    execution: Execution
    beside: Beside | None
    points: NDArray[np.float64] | None
    point_channels: NDArray[np.int64] | None
    metrics: Metrics
    recorded: Recorded
    energy: Energy | None
    energy_problem: str
    placement_problem: str
    real_time: RealTime | None
    steps_per_second: float | None
    rates: tuple[RateRow, ...]
    break_even: tuple[BreakEven, ...]
    placement: Placement | None
    cores: CoreWork | None
    timings: CpuTimings | None

    @property
    def accuracy(self) -> float | None:
        """Accuracy of the integers; None for tasks that have none, and without labels."""
        return self.execution.accuracy

    @property
    def accuracy_float(self) -> float | None:
        """The same of the float network; None where it did not run."""
        return accuracy_of(self.scores_float)

    @property
    def scores(self) -> Scores | None:
        """Of the integers."""
        return self.execution.scores

    @property
    def scores_float(self) -> Scores | None:
        """Of the float network."""
        return self.beside.scores if self.beside is not None else None

    @property
    def agreement(self) -> float | None:
        """Share of samples to which both answer the same."""
        return self.beside.agreement if self.beside is not None else None

    @property
    def measured_accuracy(self) -> Accuracy | None:
        """The accuracies as the report shows them; None for tasks without, and without labels."""
        if self.scores is None or self.accuracy is None:
            return None
        return Accuracy(
            data=self.called, samples=self.scores.count, integer=self.accuracy,
            float_graph=self.accuracy_float, agreement=self.agreement,
        )  # fmt: skip

    def __repr__(self) -> str:
        energy, execution = self.energy, self.execution
        joules = f"{energy.total.low:.3g} to {energy.total.high:.3g} J" if energy else "none"
        lines = (
            f"graph: {len(self.graph.nodes)} nodes",
            f"data: {self.called or 'an array'}, {len(self.data)} samples",
            f"accuracy: {_share(self.accuracy)}, float {_share(self.accuracy_float)}",
            f"counts: {self.metrics.total.syn_ops:,} synaptic operations in all",
            f"energy per inference (modeled): {joules}",
            f"run: {execution.engine}, {execution.seconds:.3g} s",
        )
        return "\n  ".join((f"{type(self).__name__}", *lines))

    def neurobench(self) -> dict[str, Any]:
        """Return NeuroBench's algorithm metrics under its keys, with what they are of."""
        return {
            "ClassificationAccuracy": self.accuracy,  # null: no labels
            **self.metrics.neurobench_document(),
            "samples": self.metrics.samples,
            "steps": self.metrics.steps,
            "definitions": f"neurobench {VERSION}, algorithm track; Recurrence is ours",
        }

    def write_neurobench(self, path: str | Path) -> None:
        """Write `neurobench` as JSON."""
        text = json.dumps(self.neurobench(), indent=2, allow_nan=False) + "\n"
        write_text(Path(path), text, "--neurobench")

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        metrics, energy = self.metrics, self.energy
        counts = {name: asdict(counts) for name, counts in metrics.nodes.items()}
        return {
            "engine": "fast", "samples": len(self.data), "accuracy": self.accuracy,
            "accuracy_float": self.accuracy_float, "agreement": self.agreement,
            "scores": scores_document(self.scores),
            "scores_float": scores_document(self.scores_float),
            "clipped_inputs": self.execution.clipped,
            "counts": {**counts, "total": asdict(metrics.total)}, "metrics": metrics.as_json(),
            "multiplications": multiplications(self.graph, metrics).as_json(),
            "recorded": self.recorded.as_json(),
            "energy": energy.as_json() if energy else None,
            "energy_problem": None if energy else self.energy_problem,
            "real_time": self.real_time.as_json() if self.real_time else None,
            "sensitivity": {"formula": FORMULA,
                            "rows": [row.as_json() for row in self.rates]},
            "break_even": {"formula": BREAK_EVEN, "caveat": CAVEAT,
                           "layers": [row.as_json() for row in self.break_even]},
            "placement": _placement_document(self.placement),
            "per_core": self.cores.as_json() if self.cores else None,
            "cpu": self.timings.as_json() if self.timings else None,
        }  # fmt: skip


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _placement_document(placement: Placement | None) -> dict[str, object] | None:
    """Return what of a placement the energy depends on; ``neurossm place`` has all of it."""
    if placement is None:
        return None
    return {
        "ssm_mapping": placement.ssm_mapping,
        "chips": placement.chips,
        "cores_in_use": len(placement.cores),
        "assumptions": list(placement.assumptions),
    }
