"""The part of the section on energy about spike rates: the run's energy with other rates."""

from __future__ import annotations

from collections.abc import Iterable

from neurossm.energy import RateRow
from neurossm.report.charts import Bar, BarGroup, interval_chart
from neurossm.report.document import Report
from neurossm.report.markup import element, text


def rates(report: Report) -> str:
    """Return energy against spike rate as bars; empty where it was not estimated."""
    rows = report.rates
    if not rows:
        return ""
    groups = [BarGroup("Without static power", _bars(rows, "dynamic"))]
    if report.energy is not None and report.energy.static is not None:
        groups.append(BarGroup("Static power included, as fast as the chip goes",
                               _bars(rows, "total")))  # fmt: skip
    chart = interval_chart(groups, "Energy of one inference against spike rate, in joules", "J")
    caption = (
        "Energy against spike rate, over all sets: the spikes of this run thinned out or "
        "multiplied. Messages and synaptic operations change with them; neuron updates, inputs and "
        "graded messages do not, and neither does what the network computes."
    )
    return element("figure", chart, element("figcaption", text(caption + _capped(rows))))


def _bars(rows: Iterable[RateRow], part: str) -> tuple[Bar, ...]:
    return tuple(
        Bar(_label(row), row.dynamic if part == "dynamic" else row.total, part) for row in rows
    )


def _label(row: RateRow) -> str:
    rate = "" if row.spike_rate is None else f", mean rate {100 * row.spike_rate:.2f} %"
    return f"\u00d7 {row.factor:g}{rate}"


def _capped(rows: Iterable[RateRow]) -> str:
    said = [f"\u00d7 {row.factor:g} {', '.join(row.capped)}" for row in rows if row.capped]
    return f" At the limit of one spike a step: {'; '.join(said)}." if said else ""
