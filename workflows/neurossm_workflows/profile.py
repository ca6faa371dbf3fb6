"""Operation counts, energy and times of a run: `profile` and what it finds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurossm.energy import FORMULA, Energy, RateRow, RealTime
from neurossm.errors import InputError
from neurossm.hardware import Hardware, load_hardware
from neurossm.metrics import Metrics, Recorded, measure, multiplications
from neurossm.metrics.neurobench import VERSION
from neurossm.placement import Placement, place_each
from neurossm.report import Accuracy, Report, write_html
from neurossm.store import write_text
from neurossm_workflows.baselines import baseline_accuracies
from neurossm_workflows.beside import Beside, Points
from neurossm_workflows.costs import (
    CoreWork,
    core_work,
    estimated,
    real_time,
    recorded,
    sensitivity,
)
from neurossm_workflows.evaluate import Execution, run_data
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import data_for
from neurossm_workflows.parts import Watcher
from neurossm_workflows.report import make_report
from neurossm_workflows.scoring import accuracy_of, scores_document
from neurossm_workflows.timing import CpuTimings
from neurossm_workflows.timing import measure_cpu as time_here

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scores


@dataclass(frozen=True, eq=False, kw_only=True)
class Profile:
    """What a run of an integer graph costs. What is None was not asked for, or cannot be known.

    Attributes
    ----------
    graph, data, called
        What ran, on what, and how a reader calls those data.
    execution
        Scores and counters.
    beside
        What the float network answered to the same samples.
    points
        Right numbers and answers of a task whose answers are numbers, ``(m, 2)``.
    metrics, recorded
        Operations: counted by the engine; recorded one by one in a part of one sequence.
    energy, energy_problem
        Modelled, not measured; or why there is none.
    placement_problem
        Why the chip cannot hold the network.
    real_time, steps_per_second
        Energy at a fixed rate of steps, and the rate that was asked for.
    rates
        Energy at multiples of the measured spike rates.
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
    metrics: Metrics
    recorded: Recorded
    energy: Energy | None
    energy_problem: str
    placement_problem: str
    real_time: RealTime | None
    steps_per_second: float | None
    rates: tuple[RateRow, ...]
    placement: Placement | None
    cores: CoreWork | None
    timings: CpuTimings | None

    @property
    def accuracy(self) -> float | None:
        """Share of right answers of the integers; None for tasks without, and without labels."""
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

    def report(
        self, title: str = "", *, file_name: str = "", measured: tuple[str, ...] = ()
    ) -> Report:
        """Return the report; as `neurossm_workflows.report.make_report`."""
        return make_report(self, title, file_name=file_name, measured=measured)

    def to_html(self, path: str | Path, title: str = "", **about: Any) -> None:
        """Write the report as one file; as `report`."""
        write_html(Path(path), self.report(title, **about))

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
            "placement": _placement_document(self.placement),
            "per_core": self.cores.as_json() if self.cores else None,
            "cpu": self.timings.as_json() if self.timings else None,
        }  # fmt: skip


def profile(
    graph: Graph | str | Path,
    data: str | Dataset | NDArray[np.integer[Any]],
    *,
    floating: Graph | str | Path | Beside | None = None,
    hardware: str | Hardware = "loihi2",
    ssm_mapping: str | None = None,
    chips: int | None = None,
    steps_per_second: float | None = None,
    measure_cpu: bool = False,
    model: str | None = None,
    baseline_samples: int | None = None,
    data_dir: str = "",
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Profile:
    """Count operations over a run and estimate energy as an interval: modelled, not measured.

    Parameters
    ----------
    graph, data
        An integer graph, or its file; as of `data_for`.
    floating
        The float graph, or its file, to compare accuracy; or anything else that answers.
    hardware, chips
        A chip by name, its file, or loaded; how many there are (None: as many as it takes).
    ssm_mapping
        Place it by one mapping: ``"channel"`` or ``"state"``; None: both, energy is their hull.
    steps_per_second
        Of real time; None: the graph's own, if it has one.
    measure_cpu, model
        Time the float network and the fast engine here; the checkpoint of that float network.
    baseline_samples
        Sequences on which to simulate narrow recurrences; None: as many as take seconds.
    data_dir, other_data, listener
        As of `data_for`.

    Raises
    ------
    InputError
        If data do not fit, or have no labels though accuracies are to be compared.

    Examples
    --------
    >>> found = neurossm.profile("m.int.nssm", "mnist:test:256", floating="m.nssm")
    >>> found.accuracy, found.energy.total.low
    (0.9921875, 1.8e-06)
    >>> found.to_html("report.html")
    """
    if model is not None and not measure_cpu:
        raise InputError("--model", expected="--measure-cpu beside it", got="it alone")
    chip = load_hardware(hardware) if isinstance(hardware, str) else hardware
    loaded = opened(graph)
    given = data_for(loaded, data, data_dir, other_data=other_data, listener=listener)
    called = data if isinstance(data, str) else ":".join(filter(None, (given.name, given.split)))
    if isinstance(floating, Beside | None):
        beside = floating
    else:
        if not given.labeled:
            remedy = f"neurossm diff {floating} {graph} --data {called}"
            raise InputError("--float", expected="data with labels",
                             got=f"{called}, which has none", remedy=remedy)  # fmt: skip
        beside = Beside.of_graph(floating, given, listener, other_data)
    placements = place_each(loaded, chip, chips, ssm_mapping)
    one = placements.fit[0] if placements.fit and ssm_mapping else None
    points = Points(loaded)
    watchers: list[Watcher] = [points, *([beside] if beside is not None else [])]
    done = run_data(loaded, given, watchers=watchers, listener=listener)
    metrics = measure(loaded, done.trace)
    energy, why = estimated(metrics, loaded, chip, placements)
    found = Profile(
        graph=loaded, data=given, called=called, execution=done, beside=beside,
        points=points.points, metrics=metrics, recorded=recorded(loaded, given), energy=energy,
        energy_problem=why, placement_problem=placements.why_not,
        real_time=real_time(energy, loaded, steps_per_second), steps_per_second=steps_per_second,
        rates=sensitivity(metrics, loaded, chip, placements) if energy else (),
        placement=one, cores=core_work(loaded, given, chip, one) if one else None,
        timings=time_here(loaded, given, model, listener) if measure_cpu else None,
    )  # fmt: skip
    accuracy = found.measured_accuracy
    if energy is None or accuracy is None or given.kind != "classification":
        return found
    measured = baseline_accuracies(loaded, given, baseline_samples, accuracy, listener)
    return replace(found, energy=energy.with_accuracies(measured))


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
