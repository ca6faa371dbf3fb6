"""Operation counts, energy and times of a run: `profile`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurossm.energy import break_even
from neurossm.errors import InputError
from neurossm.hardware import Hardware, load_hardware
from neurossm.metrics import measure
from neurossm.placement import place_each
from neurossm.report import Parity, Report, write_figures, write_html
from neurossm_workflows.baselines import baseline_accuracies
from neurossm_workflows.beside import Beside, Points
from neurossm_workflows.costs import (
    core_work,
    estimated,
    real_time,
    recorded,
    sensitivity,
)
from neurossm_workflows.evaluate import run_data
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import data_for
from neurossm_workflows.measured import Measured
from neurossm_workflows.parts import Watcher
from neurossm_workflows.report import make_report
from neurossm_workflows.timing import measure_cpu as time_here

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset


class Profile(Measured):
    """What `profile` found, and its report."""

    def report(
        self, title: str = "", *, file_name: str = "", measured: tuple[str, ...] = (),
        parity: Parity | None = None,
    ) -> Report:  # fmt: skip
        """Return the report; as `neurossm_workflows.report.make_report`."""
        return make_report(self, title, file_name=file_name, measured=measured, parity=parity)

    def to_html(self, path: str | Path, title: str = "", **about: Any) -> None:
        """Write the report as one file; as `report`."""
        write_html(Path(path), self.report(title, **about))

    def figures(self, folder: str | Path, title: str = "", **about: Any) -> tuple[Path, ...]:
        """Write every figure as SVG and its numbers as CSV; as `report` and `write_figures`.

        Examples
        --------
        >>> found = neurossm.profile("m.int.nssm", "mnist:test:256")
        >>> found.figures("figures")
        """
        return write_figures(folder, self.report(title, **about))


def profile(
    graph: Graph | str | Path,
    data: str | Dataset | NDArray[np.integer[Any]],
    *,
    floating: Graph | str | Path | Beside | None = None,
    hardware: str | Path | Hardware = "loihi2",
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
    """Count operations over a run and estimate energy as an interval: modeled, not measured.

    Parameters
    ----------
    graph, data
        An integer graph, or its file; as of `data_for`.
    floating
        The float graph, or its file, to compare accuracy; or another object that predicts.
    hardware, chips
        A chip by name, its file, or loaded; number of available chips (None: as many as needed).
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
        raise InputError("--model requires --measure-cpu")
    chip = hardware if isinstance(hardware, Hardware) else load_hardware(hardware)
    loaded = opened(graph)
    given = data_for(loaded, data, data_dir, other_data=other_data, listener=listener)
    called = data if isinstance(data, str) else ":".join(filter(None, (given.name, given.split)))
    if isinstance(floating, Beside | None):
        beside = floating
    else:
        if not given.labeled:
            named = all(isinstance(one, str | Path) for one in (floating, graph, data))
            words = f"neurossm diff {floating} {graph} --data {called}"
            remedy = words if named else "neurossm.diff compares graphs without labels"
            raise InputError("--float", expected="data with labels",
                             got=f"{called or 'data'} without", remedy=remedy)  # fmt: skip
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
        points=points.points, point_channels=points.channels, metrics=metrics,
        recorded=recorded(loaded, given), energy=energy,
        energy_problem=why, placement_problem=placements.why_not,
        real_time=real_time(energy, loaded, steps_per_second), steps_per_second=steps_per_second,
        rates=sensitivity(metrics, loaded, chip, placements) if energy else (),
        break_even=break_even(loaded, metrics, chip, load_hardware("cmos45")),
        placement=one, cores=core_work(loaded, given, chip, one) if one else None,
        timings=time_here(loaded, given, model, listener) if measure_cpu else None,
    )  # fmt: skip
    accuracy = found.measured_accuracy
    if energy is None or accuracy is None or given.kind != "classification":
        return found
    measured = baseline_accuracies(loaded, given, baseline_samples, accuracy, listener)
    return replace(found, energy=energy.with_accuracies(measured))
