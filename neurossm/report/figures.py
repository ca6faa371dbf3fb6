"""The figures of a report: each a drawing, and the numbers in it as rows for a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from neurossm.energy import Energy
from neurossm.report import charts, predictions, raster, values
from neurossm.report.document import Answers, Report
from neurossm.report.drawing import graph_svg
from neurossm.report.heatmap import confusion_svg
from neurossm.report.residuals import residual_chart
from neurossm.report.tables import node_table
from neurossm.report.tokens import activity_rows, is_tokens, token_svg

Row = tuple[object, ...]


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name
        Of its files, without ending.
    title
        Drawn above it where it stands alone.
    svg
        As the page draws it.
    rows
        A head, then the numbers, in SI units.
    """

    name: str
    title: str
    svg: str
    rows: tuple[Row, ...]


def figures_of(report: Report) -> dict[str, Figure]:
    """Return the figures of a report by name, in the order of the page."""
    found: list[Figure] = []
    if report.energy is not None:
        found += _energies(report, report.energy)
    if report.answers is not None:
        found += _predictions(report.answers)
    found += [*_sample(report), *_rates(report)]
    nodes = [
        (row.name, row.type, row.channels, row.format, row.parameters, row.states)
        for row in node_table(report.graph)
    ]
    head = ("node", "type", "channels", "output_format", "parameters", "states")
    found.append(Figure("network", "Network", graph_svg(report.graph), (head, *nodes)))
    return {figure.name: figure for figure in [*found, *_placements(report)]}


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV (RFC 4180, but lines end in a line feed); None is an empty field."""
    to = io.StringIO()
    csv.writer(to, lineterminator="\n").writerows(rows)
    return to.getvalue()


def _energies(report: Report, energy: Energy) -> list[Figure]:
    summary, parts = values.headline_groups(energy), values.energy_groups(energy)
    made = [
        Figure("energy", f"Energy per inference, {energy.label}",
               charts.interval_chart(summary, "Energy per inference, in joules", "J"),
               _intervals(summary)),
        Figure("energy-parts", f"Energy per inference by part, {energy.label}",
               charts.interval_chart(parts, "Energy per inference by part, in joules", "J"),
               _intervals(parts)),
    ]  # fmt: skip
    if report.rates:
        groups = values.rate_groups(report)
        title = "Energy per inference against spike rate"
        drawn = charts.interval_chart(groups, f"{title}, in joules", "J")
        made.append(Figure("energy-spike-rate", f"{title}, {energy.label}", drawn,
                           _intervals(groups)))  # fmt: skip
    return made


def _intervals(groups: Sequence[charts.BarGroup]) -> tuple[Row, ...]:
    rows = ((g.heading, b.label, b.interval.low, b.interval.high) for g in groups for b in g.bars)
    return (("group", "row", "low_j", "high_j"), *rows)


def _predictions(answers: Answers) -> list[Figure]:
    made: list[Figure] = []
    names = predictions.class_names(answers)
    if answers.confusion is not None and 0 < len(names) <= predictions.MOST_CLASSES:
        made.append(
            Figure("confusion-matrix", "Confusion matrix", confusion_svg(answers.confusion, names),
                   confusion_table(answers))
        )  # fmt: skip
    points, channels = answers.points, answers.channels
    if points is not None and len(points):
        of = channels if channels is not None else np.zeros(len(points), np.int64)
        rows = [
            (channel, label, prediction)
            for channel, (label, prediction) in zip(of.tolist(), points.tolist(), strict=True)
        ]
        made.append(Figure("predictions", "Labels against predictions",
                           charts.scatter_chart(points),
                           (("channel", "label", "prediction"), *rows)))  # fmt: skip
        left = tuple((c, label, prediction - label) for c, label, prediction in rows)
        made.append(Figure("residuals", "Residuals",
                           residual_chart(points, channels, answers.channel_names),
                           (("channel", "label", "residual"), *left)))  # fmt: skip
    return made


def confusion_table(answers: Answers) -> tuple[Row, ...]:
    """Return the whole matrix, the names of the predicted classes as its head."""
    assert answers.confusion is not None
    names = predictions.class_names(answers)
    rows = zip(names, answers.confusion.tolist(), strict=True)
    return (("true class", *names), *((name, *row) for name, row in rows))


def _sample(report: Report) -> list[Figure]:
    graph, trace = report.graph, report.sample
    if trace is None:
        return []
    if is_tokens(graph, trace):
        drawn = token_svg(graph, trace, report.token_names)
        rows = activity_rows(graph, trace, report.token_names)
        return [Figure("sample", "Activity on one sample", drawn, tuple(rows))]
    if not raster.has_raster(graph, trace):
        return []
    spiking = raster.spiking(graph, trace)
    counts = [np.count_nonzero(np.asarray(trace.values[name][0]), axis=1) for name in spiking]
    steps = ((step, *(int(count[step]) for count in counts)) for step in range(len(counts[0])))
    head = ("step", *(f"spikes of {name}" for name in spiking))
    return [Figure("sample", "Activity on one sample", raster.raster_svg(graph, trace),
                   (head, *steps))]  # fmt: skip


def spike_table(report: Report) -> tuple[Row, ...]:
    """Return every spike of the sample: node, step, channel."""
    if report.sample is None:
        return ()
    found = [("node", "step", "channel")]
    for name in raster.spiking(report.graph, report.sample):
        spikes = np.argwhere(np.asarray(report.sample.values[name][0]))
        found += [(name, step, channel) for step, channel in spikes.tolist()]
    return tuple(found)


def _rates(report: Report) -> list[Figure]:
    if report.metrics is None or not report.metrics.spike_rates:
        return []
    rates = list(report.metrics.spike_rates.items())
    drawn = charts.rate_chart(rates, "Spike rates by node", "spikes per neuron per time step")
    return [Figure("spike-rates", "Spike rates", drawn, (("node", "spike_rate"), *rates))]


def _placements(report: Report) -> list[Figure]:
    made: list[Figure] = []
    for placed in report.placements:
        assert report.energy is not None
        drawn = values.placement_svg(placed, report.energy.hardware)
        if drawn:
            title = f"Placement, one neuron per {values.MAPPINGS[placed.ssm_mapping]}"
            rows = values.population_table(placed)
            made.append(Figure(f"placement-{placed.ssm_mapping}", title, drawn, rows))
    return made
