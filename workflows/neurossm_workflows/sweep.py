"""Accuracy and modeled energy of a float graph at many widths of its integers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neurossm.energy import estimate
from neurossm.errors import GraphError, InputError, RangeError, TargetError
from neurossm.hardware import Hardware, load_hardware
from neurossm.metrics import measure
from neurossm.quantization import Quantize, Ranges
from neurossm.report.sweep_plot import check_plot, draw_sweep, write_sweep_data
from neurossm.store import graph_digest
from neurossm_workflows.evaluate import run_data
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import data_for
from neurossm_workflows.quantize import calibrate as ranges_from
from neurossm_workflows.scoring import labeled
from neurossm_workflows.sweep_table import FLOAT, Point, SweepFile, SweepRow, points

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

CHOOSING = (
    "this is test data. Widths that are chosen on it make its accuracy look better than it is:"
    " choose on data held out of training (mnist:valid, my.npz:valid), then test once"
)


@dataclass(frozen=True)
class Sweep:
    """What was measured: the start of the digest of the float graph, and a row a point."""

    graph: str
    rows: tuple[SweepRow, ...]

    def draw(self, path: str | Path, title: str = "") -> None:
        """Draw accuracy and energy (.svg, .png), the numbers beside it; needs matplotlib."""
        rows = [asdict(row) for row in self.rows]
        draw_sweep(Path(path), rows, title)
        write_sweep_data(Path(path), rows)


def sweep(
    graph: Graph | str | Path,
    data: str,
    calibrate: str,
    widths: Mapping[str, Sequence[int]],
    *,
    grid: bool = True,
    with_float: bool = False,
    output: str | Path | None = None,
    plot: str | Path | None = None,
    hardware: str = "loihi2",
    data_dir: str = "",
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Sweep:
    """Quantize at many widths; score and modeled energy of each.

    Calibrates once. Each point is written as soon as it is measured, so a sweep that was stopped
    resumes where it stopped.

    Parameters
    ----------
    graph
        A float graph, or its file.
    data, calibrate
        Validation data to choose by, and calibration data that set the ranges; as of ``--data``.
    widths
        ``"poles"``, ``"weights"``, ``"state"``, ``"activations"`` to bits; one that is left out
        keeps its default.
    grid
        All combinations; False: one width at a time, the others at their defaults.
    with_float
        Measure the float graph too.
    output
        A CSV file; points that it holds are not measured again.
    plot
        A drawing (.svg, .png), whose format is checked before anything runs.
    hardware
        A chip by name, or its file.
    data_dir, other_data, listener
        As of `data_for`; the listener is told of each point.

    Raises
    ------
    InputError
        If no width is given, data have no labels or do not fit, or the file is another table.

    Examples
    --------
    >>> found = neurossm.sweep("m.nssm", "mnist:valid:500", "mnist:train:128",
    ...                        {"poles": [8, 12, 16]}, output="s.csv")
    >>> [(row.poles, row.accuracy) for row in found.rows]
    [(8, 0.71), (12, 0.99), (16, 0.99)]
    """
    wanted = points(widths, grid=grid)
    if not widths or not all(widths.values()):
        expected = "widths to vary, each with its bits, such as {'poles': [8, 12, 16]}"
        raise InputError("sweep widths", expected=expected, got="no bits" if widths else "none")
    settings = {point: _settings(point) for point in wanted}  # refuses before anything runs
    if plot:
        check_plot(Path(plot))
    floating, chip = opened(graph), load_hardware(hardware)
    test, calibration = (
        data_for(floating, spec, data_dir, labels=spec is data, other_data=other_data,
                 listener=listener) for spec in (data, calibrate)
    )  # fmt: skip
    if not test.labeled:
        raise InputError(f"--data {data}", expected="data with labels", got="none")
    table = SweepFile(None if output is None else Path(output))
    if test.split == "test":
        listener.note(CHOOSING)
    digest = graph_digest(floating)[:16]
    planned = [
        SweepRow(digest, data, calibrate, hardware, **vars(point), samples=len(test))
        for point in ([FLOAT] if with_float else []) + wanted
    ]
    missing = [row for row in planned if table.find(row) is None]
    listener.tell(f"{len(missing)} of {len(planned)} points to measure, {len(test):,} samples each")
    ranges = None
    if missing:
        ranges = ranges_from(floating, calibration, other_data=other_data, listener=listener)
    for count, row in enumerate(missing, start=1):
        if row.is_float:
            measured = measure_float(row, floating, test, listener)
        else:
            assert ranges is not None  # some point is missing
            measured = measure_point(
                row, floating, ranges, settings[row.point], test, chip, listener
            )
        table.add(measured)
        listener.tell(f"{count}/{len(missing)} {row.point}: {_said(measured)}")
    found = Sweep(digest, tuple(row for row in map(table.find, planned) if row is not None))
    if plot:
        name = graph.name if isinstance(graph, Path) else Path(str(graph)).name
        found.draw(plot, f"{name if isinstance(graph, str | Path) else 'a graph'} on {data}")
    return found


def measure_point(
    row: SweepRow,
    graph: Graph,
    ranges: Ranges,
    settings: Quantize,
    data: Dataset,
    chip: Hardware,
    listener: Listener = QUIET,
) -> SweepRow:
    """Return the row with what these widths reach; where they cannot be had, with the reason."""
    started = time.perf_counter()
    try:
        integer = settings(graph, ranges)
    except (GraphError, RangeError) as error:
        return replace(row, problem=str(error), seconds=time.perf_counter() - started)
    done = run_data(integer, data, label=str(row.point), listener=listener)
    scores, metrics = labeled(done.scores, "--data of a sweep"), measure(integer, done.trace)
    total, problem = None, ""
    try:
        total = estimate(metrics, integer, chip).total
    except TargetError as error:  # it does not fit the chip: that is an answer
        problem = str(error)
    return replace(
        row,
        accuracy=done.accuracy,
        score=scores.main,
        value=scores.value,
        energy_low_j=total.low if total else None,
        energy_high_j=total.high if total else None,
        problem=problem,
        spike_rate=metrics.mean_spike_rate,
        saturations=metrics.total.saturations,
        seconds=time.perf_counter() - started,
    )


def measure_float(
    row: SweepRow, graph: Graph, data: Dataset, listener: Listener = QUIET
) -> SweepRow:
    """Return the row with the score of the float graph; it has no energy on the chip."""
    started = time.perf_counter()
    done = run_data(graph, data, "float", label="float", listener=listener)
    scores, seconds = labeled(done.scores, "--data of a sweep"), time.perf_counter() - started
    return replace(
        row, accuracy=done.accuracy, score=scores.main, value=scores.value, seconds=seconds
    )


def scored_text(row: SweepRow) -> str:
    """Return what a point reached, as people read it."""
    from neurossm_models.tasks.scores import shown

    if row.value is None:  # a row of before there were other scores
        return "" if row.accuracy is None else f"accuracy {100 * row.accuracy:.2f}%"
    return shown(row.score, row.value)


def _settings(point: Point) -> Quantize:
    return Quantize(pole_bits=point.poles, weight_bits=point.weights, state_bits=point.state,
                    activation_bits=point.activations)  # fmt: skip


def _said(row: SweepRow) -> str:
    return row.problem or f"{scored_text(row)}, {row.seconds:.1f} s"
