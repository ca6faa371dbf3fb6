"""The sections of the report about energy: bars, sources, baselines, and what is only modelled."""

from __future__ import annotations

from neurossm.energy import Energy, Interval
from neurossm.errors import InputError
from neurossm.hardware import GRADES
from neurossm.report.charts import Bar, BarGroup, interval_chart
from neurossm.report.document import Report
from neurossm.report.markup import element, table, text
from neurossm.report.rates_section import rates
from neurossm.report.tables import accuracy_of
from neurossm.report.units import count, percent, si_range


def energy(report: Report) -> str:
    """Return energy of one inference as intervals, with the sources of the constants."""
    found = report.energy
    if found is None:
        return ""
    intro = (
        f"Energy of one inference of {count(found.steps)} steps on {text(found.hardware.title)}: "
        f"<strong>{text(found.label)}</strong>. Each bar runs from the lowest to the highest value "
        f"that the published constants and {_open_questions(found)} allow; host input and output "
        "are not in it."
    )
    chart = interval_chart(_groups(found), "Energy of one inference, in joules", "J")
    caption = "Logarithmic axis; a bar is a range, not a quantity counted from zero."
    figure = element("figure", chart, element("figcaption", caption))
    said = element("ul", *(element("li", text(s)) for s in found.statements()))
    parts = [element("p", intro), figure, said, _sources(found), _events(found), _rate(report)]
    parts.append(rates(report))
    return element("section", element("h2", "Energy"), *parts)


def standing(report: Report) -> str:
    """Return what was measured, what was counted and what is modelled."""
    measured = report.measured or _accuracy(report)
    if report.timings is not None:
        measured = (*measured, "Times on the CPU that made this report.")
    items = [("Measured", measured)]
    if report.metrics is not None:
        counted = f"All operations, by the {report.metrics.engine} engine on the integer graph."
        items.append(("Counted", (counted,)))
    if report.energy is not None:
        modelled = ["Energy and time on the chip.", *report.energy.hardware.caveats]
        if report.placements:
            modelled.append("Placement, by the published limits of the chip.")
        items.append(("Modelled", tuple(modelled)))
        items.append(("In no number", report.energy.excluded))
    rows = [
        (text(name), element("ul", *(element("li", text(line)) for line in lines)))
        for name, lines in items
        if lines
    ]
    listing = table(("", "What"), rows, "How far each statement of this report carries.", full=True)
    return element("section", element("h2", "Measured and modelled"), listing)


def _open_questions(found: Energy) -> str:
    if len(found.placements) > 1:
        return "both mappings of the state space models, each placed on cores,"
    if found.placements:
        return "what is not known of the neurons of this placement"
    return "two mappings of the graph on cores that are not known"


def _groups(found: Energy) -> list[BarGroup]:
    sets = [
        Bar(f"{s.constants.title} [{s.constants.grade}]", s.dynamic, "dynamic")
        for s in found.by_constant_set.values()
    ]
    parts = [
        Bar(name.capitalize(), part, name)
        for name, part in found.breakdown.items()
        if part is not None
    ]
    with_static = "All sets, static included" if found.static else "All sets, static not known"
    digital = [
        Bar(row.title, Interval(row.arithmetic_j, row.with_memory_j), "digital")
        for row in found.baselines
    ]
    groups = [
        BarGroup("Without static power, by set of constants", tuple(sets)),
        BarGroup("By part, over all sets", tuple(parts)),
        BarGroup("Total", (Bar(with_static, found.total, "total"),)),
    ]
    if digital:
        heading = "45 nm digital, without to with memory"
        groups.append(BarGroup(heading, tuple(digital)))
    return groups


def _sources(found: Energy) -> str:
    rows = []
    for item in found.by_constant_set.values():
        constants = item.constants
        note = f"<br/><small>{text(constants.note)}</small>" if constants.note else ""
        routing = si_range(item.routing, "J") if item.routing else "not apart"
        rows.append(
            (
                text(constants.title),
                si_range(item.synaptic, "J"),
                si_range(item.neuron, "J"),
                routing,
                text(f"{constants.kind}; {constants.process}"),
                text(constants.grade),
                text(constants.citation) + note,
            )
        )
    grades = "; ".join(f"{grade} {meaning}" for grade, meaning in GRADES.items())
    sets = table(
        ("Set", "Synaptic", "Neuron", "Routing", "Kind", "Grade", "Source"),
        rows,
        f"Sets of constants. Grades of evidence: {text(grades)}.",
        numeric=(1, 2, 3),
        stacks=True,
    )
    digital = [
        (
            text(row.title),
            si_range(Interval(row.arithmetic_j, row.arithmetic_j), "J"),
            si_range(Interval(row.with_memory_j, row.with_memory_j), "J"),
            text(accuracy_of(row)),
            text(row.assumes),
        )
        for row in found.baselines
    ]
    if not digital:
        return sets
    caption = (
        "Digital rows, Horowitz 2014, 45 nm. With memory: every parameter and state that is used "
        "comes from an 8 KB memory, 64 bits an access; the memory of a whole model costs more. "
        "Activations, control and leakage are in neither."
    )
    caption += (
        " Accuracy is that of this spiking network with the recurrence of the row; no dense network"
        " of this shape was trained. Products by 0 are in no row, those by powers of two cost an"
        " addition."
    )
    heads = ("Row", "Arithmetic", "With memory", "Accuracy", "Assumes")
    return sets + table(heads, digital, caption, (1, 2), stacks=True)


def _events(found: Energy) -> str:
    work = found.work
    events = [
        ("Synaptic operations", work.syn_ops),
        ("Passes of neuron programs", work.passes),
        ("Firing neurons", work.spikes),
        ("Messages", work.messages),
    ]
    rows = [(text(name), _counts(events_of)) for name, events_of in events]
    time = si_range(found.step_time, "s") if found.step_time else "not known"
    rows.append(("Time of a step", time))
    if found.chips is not None:
        rows.append(("Chips", _counts(Interval(*found.chips))))
    rows.append(("Routers passed", _counts(work.hops.east_west + work.hops.north_south)))
    if found.static is not None:
        rows.append(("Static energy", si_range(found.static, "J")))
    else:
        rows.append(("Static energy", "not known, and in no sum"))
    where = {0: "On cores that are not known. ", 1: "Of the placement below. "}
    caption = "What is charged for one inference. " + where.get(
        len(found.placements), "Of the placements below, the least and the most of both. "
    )
    caption += (
        "Low: a neuron that does the work of several nodes takes the time of the longest, and a "
        "state that is a neuron sends its part of the readout never. High: one node after the "
        "other, and each step."
    )
    return table(("Event", "Low to high"), rows, caption, numeric=(1,))


def _rate(report: Report) -> str:
    found = report.energy
    assert found is not None
    rate, dt = report.steps_per_second, report.graph.dt
    if rate is None and dt is None:
        return element(
            "p",
            "How long a step of the data lasts is not known, so there is no case of real time: "
            "say it with --steps-per-second.",
        )
    try:
        case = found.at_rate(rate or 1 / (dt or 1))
    except InputError:
        return ""  # the data come faster than the chip can step: there is no such case
    static = si_range(case.static, "J") if case.static else "not known"
    power = "mean power" if case.static else "mean power without static"
    return element(
        "p",
        f"In real time, at {count(case.steps_per_second)} steps a second, one inference takes "
        f"{case.seconds:.3g} s: static {static}, together {si_range(case.total, 'J')}, {power} "
        f"{si_range(case.power_w, 'W')}.",
    )


def _accuracy(report: Report) -> tuple[str, ...]:
    accuracy = report.accuracy
    if accuracy is None:
        found = report.answers
        return () if found is None else (f"Scores of the integer graph: {found.integer}.",)
    where = f" of {accuracy.data}" if accuracy.data else ""
    number = count(accuracy.samples)
    low, high = (percent(end) for end in accuracy.interval)
    said = [
        f"Accuracy {percent(accuracy.integer)} on {number} samples{where}, integer graph.",
        f"So many samples leave it between {low} and {high} (95 % interval of Wilson).",
    ]
    if accuracy.float_graph is not None:
        same = accuracy.agreement
        alike = f"; {percent(same)} predicted alike" if same is not None else ""
        said.append(f"Accuracy {percent(accuracy.float_graph)} of the float graph{alike}.")
    return tuple(said)


def _counts(interval: Interval) -> str:
    if interval.low == interval.high:
        return count(round(interval.low))
    return f"{count(round(interval.low))} to {count(round(interval.high))}"
