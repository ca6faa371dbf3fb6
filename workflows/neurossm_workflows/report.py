"""Collects what a report needs besides the numbers: one recorded sample, versions, hash, date."""

from __future__ import annotations

import platform
from datetime import date
from typing import TYPE_CHECKING

from neurossm.arguments import shown
from neurossm.engine import run
from neurossm.environment import versions
from neurossm.errors import InputError
from neurossm.report import Answers, Parity, Report, TimingRow, Timings
from neurossm.store import graph_digest
from neurossm_workflows.timing import CpuTimings, load_said

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm.trace import Trace
    from neurossm_models.data import Dataset
    from neurossm_workflows.measured import Measured

PACKAGES = ("neurossm", "numpy", "numba", "h5py", "torch", "lava-nc")


def make_report(
    found: Measured, title: str = "", *, file_name: str = "", measured: tuple[str, ...] = (),
    parity: Parity | None = None,
) -> Report:  # fmt: skip
    """Return the report of a profile; its raster shows the first sample of the data.

    Parameters
    ----------
    title
        Heading; by default the run and the data.
    file_name
        Of the graph.
    measured
        More sentences on what was measured and how.
    parity
        Of executors that were compared.

    Examples
    --------
    >>> found = neurossm.profile("m.int.nssm", "mnist:test:256")
    >>> neurossm.report.write_html(Path("report.html"), neurossm.make_report(found, "My network"))
    """
    if not hasattr(found, "metrics"):
        raise InputError("found", expected="what neurossm.profile returns", got=shown(found))
    graph, seed = found.graph, found.graph.meta.get("seed")
    return Report(
        title=title or f"{graph.meta.get('run', file_name or 'a graph')} on {found.called}",
        graph=graph,
        metrics=found.metrics,
        recorded=found.recorded,
        energy=found.energy,
        rates=found.rates,
        break_even=found.break_even,
        steps_per_second=found.steps_per_second,
        timings=timings_of(found.timings) if found.timings else None,
        accuracy=found.measured_accuracy,
        answers=answers_of(found),
        sample=first_sample(graph, found.data),
        file_name=file_name,
        file_hash=graph_digest(graph),
        versions={"python": platform.python_version(), **versions(PACKAGES)},
        seeds={"training": int(seed)} if seed is not None else {},
        date=date.today().isoformat(),
        token_names=found.data.token_names,
        parity=parity,
        measured=measured,
        placement_problem=found.placement_problem,
    )


def first_sample(graph: Graph, data: Dataset) -> Trace:
    """Return the run of the first sequence, without its padding, every node recorded."""
    return run(graph, data.take(slice(1)).trimmed().inputs, "fast")


def timings_of(found: CpuTimings) -> Timings:
    """Return what was timed on this machine as the report shows it."""
    machine = found.machine
    versions = {"Python": machine["python"], **machine["packages"]}
    return Timings(
        machine=f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; load"
        f" {load_said(machine['load_average'])}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items()),
        float_network=found.float_network,
        boundary=found.boundary,
        energy=found.energy,
        rows=tuple(
            TimingRow(
                form=row.form,
                batch=row.batch,
                threads=row.threads,
                seconds_a_sample=row.seconds_min / row.batch,
                median_seconds_a_sample=row.seconds_median / row.batch,
                seconds_a_step=row.seconds_min / row.steps,
                joules_a_sample=tuple((row.joules or {}).items()),
            )
            for row in found.timings
        ),
    )


def answers_of(found: Measured) -> Answers | None:
    """Return scores as the report shows them; None without labels."""
    scores, beside = found.scores, found.scores_float
    if scores is None:
        return None
    return Answers(
        integer=scores.text(),
        float_graph=beside.text() if beside is not None else "",
        count=scores.count,
        data=found.called,
        confusion=scores.confusion,
        class_names=scores.class_names,
        points=found.points,
        channels=found.point_channels,
        channel_names=scores.class_names if found.points is not None else (),
    )
