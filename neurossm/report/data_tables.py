"""The tables of a report as plain numbers in SI units, for files."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Any

from neurossm.energy import Interval
from neurossm.metrics import GROUPS, multiplications
from neurossm.report import predictions, values
from neurossm.report.classes import class_rows
from neurossm.report.document import Report
from neurossm.report.figures import Row, confusion_table, spike_table
from neurossm.report.residuals import residual_rows
from neurossm.report.tables import counts_table, energy_table, node_table


def tables_of(report: Report) -> dict[str, tuple[str, tuple[Row, ...]]]:
    """Return title and rows, a head first, of each table of a report that is not of a figure."""
    made: dict[str, tuple[str, tuple[Row, ...]]] = {"results": ("Main results", _results(report))}
    answers = report.answers
    if answers is not None and answers.confusion is not None:
        rows = class_rows(answers.confusion, predictions.class_names(answers))
        made["classes"] = ("Precision, recall, F1 and support of each class", _records(rows))
        made["confusion-matrix"] = ("True class (row) by predicted class", confusion_table(answers))
    if answers is not None and answers.points is not None and len(answers.points):
        left = residual_rows(answers.points, answers.channels, answers.channel_names)
        made["residuals-by-channel"] = ("Errors of each output channel", _records(left))
    made["nodes"] = ("Nodes of the network", _records(node_table(report.graph)))
    if report.metrics is not None:
        made["operations"] = ("Operations per sample by node; saturations of all samples",
                              _records(counts_table(report.graph, report.metrics)))  # fmt: skip
        found = multiplications(report.graph, report.metrics)
        made["multiplications"] = ("Multiplications per inference", (
            ("group", "multiplications", "nodes"),
            *((g, found.total(g) / found.samples, " ".join(found.where(g))) for g in GROUPS),
        ))  # fmt: skip
        items = report.metrics.neurobench.items()
        made["neurobench"] = ("NeuroBench's algorithm metrics", (("metric", "value"), *items))
    if len(spikes := spike_table(report)) > 1:
        made["sample-spikes"] = ("Every spike of the sample", spikes)
    if report.energy is not None:
        made["energy-constants"] = ("Energy by set of constants, and digital baselines",
                                    _records(energy_table(report.energy)))  # fmt: skip
    if report.break_even:
        made["break-even"] = ("Break-even rate of each layer against int8 MACs of its shape",
                              _break_even(report))  # fmt: skip
    if report.timings is not None:
        made["cpu-times"] = ("Times on the CPU that made the report", _timings(report))
    made["provenance"] = ("What the report was made of",
                          (("what", "which"), *values.provenance(report)))  # fmt: skip
    return made


def _break_even(report: Report) -> tuple[Row, ...]:
    """Return a row for each layer and set of constants; rates per input and step."""
    head = ("node", "dense_macs_per_step", "synapses", "rate", "set", "low", "high", "measured")
    return (head, *(
        (row.node, row.macs, row.synapses, row.rate, name, ends.low, ends.high, row.verdict(name))
        for row in report.break_even for name, ends in row.by_set.items()
    ))  # fmt: skip


def _records(rows: Any) -> tuple[Row, ...]:
    """Return frozen rows of one type; an interval becomes two columns in joules."""
    rows = list(rows)
    if not rows:
        return ()
    names = [field.name for field in fields(rows[0])]
    split = {
        name for name in names if any(isinstance(getattr(row, name), Interval) for row in rows)
    }
    head: list[object] = []
    for name in names:
        head += [f"{name}_low_j", f"{name}_high_j"] if name in split else [name]
    return (tuple(head), *(_cells(row, names, split) for row in rows))


def _cells(row: Any, names: list[str], split: set[str]) -> Row:
    cells: list[object] = []
    for name in names:
        value = getattr(row, name)
        if name in split:
            cells += [None, None] if value is None else [value.low, value.high]
        else:
            cells.append(value)
    return tuple(cells)


def _results(report: Report) -> tuple[Row, ...]:
    rows: list[Row] = [("quantity", "low", "high", "unit", "kind")]

    def add(name: str, low: float | None, high: float | None, unit: str, kind: str) -> None:
        if low is not None:
            rows.append((name, low, high, unit, kind))

    energy, accuracy, metrics = report.energy, report.accuracy, report.metrics
    if energy is not None:
        for name, found in (("total", energy.total), ("dynamic", energy.dynamic),
                            ("static", energy.static)):  # fmt: skip
            if found is not None:
                add(f"energy per inference, {name}", found.low, found.high, "J", energy.label)
    if accuracy is not None:
        add("accuracy, integer", accuracy.integer, accuracy.integer, "", "measured")
        add("accuracy, integer, 95% interval", *accuracy.interval, "", "Wilson")
        add("accuracy, float", accuracy.float_graph, accuracy.float_graph, "", "measured")
        add("equal predictions", accuracy.agreement, accuracy.agreement, "", "measured")
        add("samples", accuracy.samples, accuracy.samples, "", "measured")
    if metrics is not None:
        rate, share = metrics.mean_spike_rate, 1 / metrics.samples
        add("spike rate", rate, rate, "spikes per neuron per time step", "counted")
        synops = metrics.total.syn_ops * share
        add("SynOps per inference", synops, synops, "", "counted")
        add("saturations", metrics.total.saturations, metrics.total.saturations, "", "counted")
    if report.parity is not None:
        add("mismatches", report.parity.mismatches, report.parity.mismatches, "values", "measured")
        add("values compared", report.parity.values, report.parity.values, "values", "measured")
    return tuple(rows)


def _timings(report: Report) -> tuple[Row, ...]:
    assert report.timings is not None
    head = ("implementation", "batch", "threads", "seconds_per_sample",
            "median_seconds_per_sample", "seconds_per_step", "joules_per_sample")  # fmt: skip
    return (
        head,
        *((*astuple(row)[:-1], "; ".join(f"{n} {j}" for n, j in row.joules_a_sample) or None)
          for row in report.timings.rows),
    )  # fmt: skip
