"""What a report needs beside the numbers: one recorded sample, versions, hash, date."""

from __future__ import annotations

import platform
from datetime import date
from typing import TYPE_CHECKING

from neurossm.engine import run
from neurossm.environment import versions
from neurossm.report import Accuracy, Answers, Report, TimingRow, Timings
from neurossm.store import graph_digest

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from neurossm.energy import Energy, RateRow
    from neurossm.graph import Graph
    from neurossm.metrics import Metrics, Recorded
    from neurossm.trace import Trace
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scores

PACKAGES = ("neurossm", "numpy", "numba", "h5py", "torch", "lava-nc")


def make_report(
    title: str,
    graph: Graph,
    metrics: Metrics,
    energy: Energy | None,
    accuracy: Accuracy | None,
    data: Dataset,
    *,
    answers: Answers | None = None,
    file_name: str,
    measured: tuple[str, ...] = (),
    recorded: Recorded | None = None,
    placement_problem: str = "",
    rates: tuple[RateRow, ...] = (),
    steps_per_second: float | None = None,
    timings: Timings | None = None,
) -> Report:
    """Return the report of an integer graph; its raster shows the first sample of the data.

    It draws the placements that the energy was estimated with.
    """
    seed = graph.meta.get("seed")
    return Report(
        title=title,
        graph=graph,
        metrics=metrics,
        recorded=recorded,
        energy=energy,
        rates=rates,
        steps_per_second=steps_per_second,
        timings=timings,
        accuracy=accuracy,
        answers=answers,
        sample=first_sample(graph, data),
        file_name=file_name,
        file_hash=graph_digest(graph),
        versions={"python": platform.python_version(), **versions(PACKAGES)},
        seeds={"training": int(seed)} if seed is not None else {},
        date=date.today().isoformat(),
        measured=measured,
        placement_problem=placement_problem,
    )


def first_sample(graph: Graph, data: Dataset) -> Trace:
    """Return the run of the first sequence, without its padding, every node recorded."""
    return run(graph, data.take(slice(1)).trimmed().inputs, "fast")


def timings_of(found: dict[str, Any]) -> Timings:
    """Return what `neurossm_cli.measuring.measure_cpu` found as the report shows it."""
    from neurossm_cli.measuring import load_said

    machine = found["machine"]
    versions = {"Python": machine["python"], **machine["packages"]}
    return Timings(
        machine=f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; load"
        f" {load_said(machine['load_average'])}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items()),
        float_network=found["float_network"],
        boundary=found["boundary"],
        energy=found["energy"],
        rows=tuple(
            TimingRow(
                form=row["form"],
                batch=row["batch"],
                threads=row["threads"],
                seconds_a_sample=row["ms_per_sample"]["min"] / 1e3,
                median_seconds_a_sample=row["ms_per_sample"]["median"] / 1e3,
                seconds_a_step=row["ms_per_step"]["min"] / 1e3,
                joules_a_sample=tuple((row["joules_per_sample"] or {}).items()),
            )
            for row in found["timings"]
        ),
    )


def answers_of(
    scores: Scores | None, beside: Scores | None, data: str, points: NDArray[np.float64] | None
) -> Answers | None:
    """Return scores as the report shows them; None without labels."""
    if scores is None:
        return None
    return Answers(
        integer=scores.text(),
        float_graph=beside.text() if beside is not None else "",
        count=scores.count,
        data=data,
        confusion=scores.confusion,
        class_names=scores.class_names,
        points=points,
    )
