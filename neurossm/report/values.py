"""Numbers and drawings of the page, ready to be shown; the words are those of the templates.

A cell of a table is text, a `Noted` text, or a tuple of lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from neurossm.energy import CAVEAT, BreakEven, Energy, Interval, RateRow, RealTime
from neurossm.errors import InputError, TargetError
from neurossm.graph import Graph
from neurossm.hardware import GRADES, Hardware
from neurossm.metrics import GROUPS, Metrics, multiplications
from neurossm.placement import Placement
from neurossm.placement.summary import summary
from neurossm.report.charts import Bar, BarGroup
from neurossm.report.chip_drawing import cores_svg
from neurossm.report.document import Report, Timings
from neurossm.report.multiplied import multiplication_rows, multiplication_sentences
from neurossm.report.tables import accuracy_of, counts_table, node_table
from neurossm.report.units import count, mean_count, percent, si, si_range

# what of a state space model is one neuron of the chip
MAPPINGS = {"state": "complex state", "channel": "channel"}


class Noted(NamedTuple):
    """Text of a cell, with a smaller note under it."""

    text: str
    note: str


Cell = str | Noted | tuple[str, ...]
Rows = list[tuple[Cell, ...]]


# -- the network and what it did -----------------------------------------------


def node_rows(graph: Graph) -> Rows:
    """Return a row for each node, and one for all."""
    nodes = graph.nodes.values()
    rows: Rows = [
        (row.name, Noted(row.type, row.note) if row.note else row.type, row.channels, row.format,
         count(row.parameters), count(row.states))
        for row in node_table(graph)
    ]  # fmt: skip
    totals = (sum(node.parameters for node in nodes), sum(node.states for node in nodes))
    return [*rows, ("total", "", "", "", *map(count, totals))]


def counter_rows(report: Report) -> Rows:
    """Return the counters of each node, and of all."""
    assert report.metrics is not None
    return [
        (row.name, *(mean_count(value) if value else "0" for value in (
            row.syn_ops, row.synaptic_multiplies, row.dendrite_updates, row.spikes_in,
            row.axon_out, row.spikes_out, row.saturations)))
        for row in counts_table(report.graph, report.metrics)
    ]  # fmt: skip


def synops(report: Report) -> str:
    """Return the synaptic operations per inference."""
    assert report.metrics is not None
    return mean_count(report.metrics.total.syn_ops / report.metrics.samples)


def multiplied_rows(report: Report) -> Rows:
    """Return a row for each of `GROUPS`: what multiplies, how often per inference, and where."""
    assert report.metrics is not None
    found = multiplications(report.graph, report.metrics)
    return [
        (title, count(round(found.total(group) / found.samples)), where)
        for group, (title, _, where) in zip(GROUPS, multiplication_rows(found), strict=True)
    ]


def multiplied_sentences(report: Report) -> tuple[str, ...]:
    """Return what else the counts of multiplications say."""
    assert report.metrics is not None
    found = multiplications(report.graph, report.metrics)
    return multiplication_sentences(report.graph, found, report.recorded)


def neurobench_rows(metrics: Metrics) -> Rows:
    """Return NeuroBench's numbers, and the state updates that it does not see."""
    shown = {
        key: percent(value) if key.endswith("Sparsity") else mean_count(value)
        for key, value in metrics.neurobench.items()
    }
    shown["Footprint"] += " bytes"
    shown["State updates (not seen by NeuroBench)"] = count(metrics.state_updates / metrics.samples)
    return list(shown.items())


# -- energy --------------------------------------------------------------------


def headline_groups(found: Energy) -> list[BarGroup]:
    """Return the bars of the headline: static, dynamic, and both."""
    bars = [Bar("Dynamic", found.dynamic, "dynamic"), Bar("Total", found.total, "total")]
    if found.static is not None:
        bars.insert(0, Bar("Static", found.static, "static"))
    return [BarGroup("", tuple(bars))]


def constant_sources(found: Energy) -> str:
    """Return the sets of constants with their grades, in a line."""
    return "; ".join(
        f"{each.constants.title} [{each.constants.grade}]"
        for each in found.by_constant_set.values()
    )


def energy_groups(found: Energy) -> list[BarGroup]:
    """Return the bars of the energy: sets of constants, parts, total, and digital arithmetic."""
    sets = [
        Bar(f"{s.constants.title} [{s.constants.grade}]", s.dynamic, "dynamic")
        for s in found.by_constant_set.values()
    ]
    parts = [Bar(name.capitalize(), part, name) for name, part in found.breakdown.items() if part]
    static = "included" if found.static else "not known"
    digital = [
        Bar(row.title, Interval(row.arithmetic_j, row.with_memory_j), "digital")
        for row in found.baselines
    ]
    groups = [
        BarGroup("Without static power, by set of constants", tuple(sets)),
        BarGroup("By part, over all sets", tuple(parts)),
        BarGroup("Total", (Bar(f"All sets, static {static}", found.total, "total"),)),
        BarGroup("45 nm digital, without to with memory", tuple(digital)),
    ]
    return [group for group in groups if group.bars]


def source_rows(found: Energy) -> Rows:
    """Return a row for each set of constants, with its source."""
    rows: Rows = []
    for item in found.by_constant_set.values():
        known = item.constants
        rows.append(
            (known.title, si_range(item.synaptic, "J"), si_range(item.neuron, "J"),
             si_range(item.routing, "J") if item.routing else "not apart",
             f"{known.kind}; {known.process}", known.grade,
             Noted(known.citation, known.note) if known.note else known.citation)
        )  # fmt: skip
    return rows


def grades() -> str:
    """Return the grades of evidence and what they mean."""
    return "; ".join(f"{grade} {meaning}" for grade, meaning in GRADES.items())


def digital_rows(found: Energy) -> Rows:
    """Return a row for each baseline."""
    return [
        (row.title, si(row.arithmetic_j, "J"), si(row.with_memory_j, "J"), accuracy_of(row),
         row.assumes)
        for row in found.baselines
    ]  # fmt: skip


def caveat() -> str:
    """Return how the break-even rates are to be read."""
    return CAVEAT


def break_even_head(found: Iterable[BreakEven]) -> list[str]:
    """Return the head of the table of break-even rates; the sets are columns."""
    sets = next((list(row.by_set) for row in found), [])
    return ["Layer", "Dense MACs per step", "Synapses", "Measured rate", *sets]


def break_even_rows(found: Iterable[BreakEven]) -> Rows:
    """Return a row for each layer of synapses."""
    return [
        (row.node, f"{row.macs:,}", f"{row.synapses:,}", percent(row.rate),
         *(f"{rate_range(ends)}, {row.verdict(name)}" for name, ends in row.by_set.items()))
        for row in found
    ]  # fmt: skip


def rate_range(ends: Interval) -> str:
    """Return a range of rates as percentages; above 100% even every step is cheaper."""
    low, high = f"{100 * ends.low:.3g}%", f"{100 * ends.high:.3g}%"
    return low if low == high else f"{low} to {high}"


def event_rows(found: Energy) -> Rows:
    """Return the events that were charged for one inference."""
    work = found.work
    rows: Rows = [
        ("Synaptic operations on the chip", _counts(work.syn_ops)),
        ("Passes of neuron programs", _counts(work.passes)),
        ("Firing neurons", _counts(work.spikes)),
        ("Messages on the network of the chip", _counts(work.messages)),
        ("Time per step", si_range(found.step_time, "s") if found.step_time else "not known"),
    ]
    if found.chips is not None:
        rows.append(("Chips", _counts(Interval(*found.chips))))
    rows.append(("Routers passed", _counts(work.hops.east_west + work.hops.north_south)))
    static = si_range(found.static, "J") if found.static else "not known, and in no sum"
    return [*rows, ("Static energy", static)]


def _counts(interval: Interval) -> str:
    low, high = count(round(interval.low)), count(round(interval.high))
    return low if interval.low == interval.high else f"{low} to {high}"


def real_time(report: Report) -> RealTime | None:
    """Return the case of real time; None where no rate is known, or the chip is too slow for it."""
    rate, dt = report.steps_per_second, report.graph.dt
    if rate is None and dt is not None:
        rate = 1 / dt
    if report.energy is None or rate is None:
        return None
    try:
        return report.energy.at_rate(rate)
    except InputError:
        return None  # the data come faster than the chip can step: there is no such case


def rate_groups(report: Report) -> list[BarGroup]:
    """Return the bars of the energy at several spike rates."""
    rows = report.rates
    groups = [
        BarGroup("Without static power",
                 tuple(Bar(_rate(row), row.dynamic, "dynamic") for row in rows)),
    ]  # fmt: skip
    if report.energy is not None and report.energy.static is not None:
        bars = tuple(Bar(_rate(row), row.total, "total") for row in rows)
        groups.append(BarGroup("Static power included, as fast as the chip goes", bars))
    return groups


def _rate(row: RateRow) -> str:
    rate = "" if row.spike_rate is None else f", mean rate {percent(row.spike_rate)}"
    return f"\u00d7 {row.factor:g}{rate}"


def capped_rates(rows: Iterable[RateRow]) -> str:
    """Return at which factor which nodes are at one spike per step; empty where none is."""
    return "; ".join(f"\u00d7 {row.factor:g} {', '.join(row.capped)}" for row in rows if row.capped)


# -- placement -----------------------------------------------------------------


def placement_svg(found: Placement, hardware: Hardware) -> str:
    """Return the chips drawn; empty where the chip's file does not say how large its mesh is."""
    try:
        return cores_svg(found, hardware)
    except TargetError:
        return ""


def population_rows(found: Placement) -> Rows:
    """Return a row for each population."""
    return [
        (f"{row.number}\u00a0 {row.name}", row.kind,
         *map(count, (row.neurons, row.cores, row.words.neuron, row.words.axon_in,
                      row.words.synapse, row.words.axon_map)), percent(row.load, 1))
        for row in summary(found)
    ]  # fmt: skip


def population_table(found: Placement) -> tuple[tuple[object, ...], ...]:
    """Return a head and the plain numbers of each population; memory in words."""
    head = ("population", "kind", "neurons", "cores", "neuron_words", "axon_in_words",
            "synapse_words", "axon_map_words", "load")  # fmt: skip
    return (head, *(
        (row.name, row.kind, row.neurons, row.cores, row.words.neuron, row.words.axon_in,
         row.words.synapse, row.words.axon_map, row.load)
        for row in summary(found)
    ))  # fmt: skip


def taken_for_granted(found: Iterable[Placement]) -> list[str]:
    """Return the assumptions of placements, each once."""
    return list(dict.fromkeys(s for placement in found for s in placement.assumptions))


# -- this machine, and the files -----------------------------------------------


def timing_rows(found: Timings) -> Rows:
    """Return a row for each implementation and batch size."""
    return [
        (row.form, str(row.batch), str(row.threads), si(row.seconds_a_sample, "s"),
         si(row.median_seconds_a_sample, "s"), si(row.seconds_a_step, "s"),
         f"{row.samples_a_second:,.0f}" if row.samples_a_second >= 10
         else f"{row.samples_a_second:.2g}",
         tuple(f"{domain} {si(joules, 'J')}" for domain, joules in row.joules_a_sample)
         or "not available")
        for row in found.rows
    ]  # fmt: skip


def provenance(report: Report) -> list[tuple[str, str]]:
    """Return versions, seeds, the hash of the file, and what the graph says of itself."""
    known = {
        "File": report.file_name, "SHA-256": report.file_hash, "Made": report.date,
        **report.versions,
        **{f"seed {name}": seed for name, seed in report.seeds.items()},
        **{f"graph {key}": value for key, value in report.graph.meta.items()},
    }  # fmt: skip
    return [(name, str(value)) for name, value in known.items() if str(value)]
