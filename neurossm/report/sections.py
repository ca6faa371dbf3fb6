"""The sections of the report about the network and what it did, each a function from a report."""

from __future__ import annotations

from neurossm.energy import LABEL
from neurossm.metrics import GROUPS, multiplications
from neurossm.report.charts import rate_chart
from neurossm.report.document import Report
from neurossm.report.drawing import graph_svg
from neurossm.report.markup import element, table, text
from neurossm.report.multiplied import multiplication_section
from neurossm.report.raster import has_raster, raster_svg
from neurossm.report.tables import counts_table, node_table
from neurossm.report.units import count, mean_count, percent, si_range


def header(report: Report) -> str:
    """Return title, file and the few numbers that matter most."""
    facts = [fact for fact in (report.file_name, report.date) if fact]
    parts = [element("h1", text(report.title))]
    if facts:
        parts.append(element("p", " · ".join(text(fact) for fact in facts), class_="facts"))
    figures = "".join(_figure(*figure) for figure in _key_figures(report))
    parts.append(element("dl", figures, class_="figures"))
    return element("header", *parts)


def network(report: Report) -> str:
    """Return the drawing and the table of nodes."""
    rows = [
        (
            text(row.name),
            text(row.type) + (f"<br/><small>{text(row.note)}</small>" if row.note else ""),
            text(row.channels),
            text(row.format),
            count(row.parameters),
            count(row.states),
        )
        for row in node_table(report.graph)
    ]
    nodes = report.graph.nodes.values()
    rows.append(
        (
            "total", "", "", "",
            count(sum(node.parameters for node in nodes)),
            count(sum(node.states for node in nodes)),
        )
    )  # fmt: skip
    listing = table(
        ("Node", "Type", "Channels", "Messages", "Parameters", "States"),
        rows,
        "Nodes in the order in which they run. s24.12 is a signed number of 24 bits, 12 of them "
        "behind the point; complex parameters and states count as two.",
        numeric=(4, 5),
    )
    drawing = element("figure", graph_svg(report.graph), class_="graph")
    return _section("Network", element("div", drawing, listing, class_="beside"))


def activity(report: Report) -> str:
    """Return a raster of one sample and the rates of all; empty where nothing was recorded."""
    parts = []
    if report.sample is not None and has_raster(report.graph, report.sample):
        caption = "One recorded sample. Each mark is a spike; channel 0 is on top."
        parts.append(_chart(raster_svg(report.graph, report.sample), caption))
    metrics = report.metrics
    if metrics is not None and metrics.spike_rates:
        chart = rate_chart(
            metrics.spike_rates.items(), "Spike rates by node", "spikes a channel and step"
        )
        caption = f"Mean spike rate of each spiking node over {_samples(metrics.samples)}."
        parts.append(_chart(chart, caption))
    return _section("Activity", *parts) if parts else ""


def operations(report: Report) -> str:
    """Return counters by node, and NeuroBench's numbers."""
    metrics = report.metrics
    if metrics is None:
        return _section("Operations", element("p", "The graph was not run: nothing was counted."))
    rows = [
        (
            text(row.name),
            *(
                mean_count(value) if value else "0"
                for value in (
                    row.syn_ops,
                    row.synaptic_multiplies,
                    row.dendrite_updates,
                    row.spikes_in,
                    row.axon_out,
                    row.spikes_out,
                    row.saturations,
                )
            ),
        )
        for row in counts_table(report.graph, metrics)
    ]
    counters = table(
        (
            "Node", "Synaptic operations", "Weights multiplied", "Neuron updates", "Messages in",
            "Messages out", "Spikes sent", "Saturations",
        ),
        rows,
        f"Counted by the {text(metrics.engine)} engine over {_samples(metrics.samples)} of "
        f"{count(metrics.steps)} steps; mean of one sample, saturations of all samples. A state of "
        "an SSM, a membrane and a refractory trace are one neuron update a step each. Named in "
        "files syn_ops, synaptic_multiplies, dendrite_updates, spikes_in, axon_out, spikes_out, "
        "saturations.",
        numeric=range(1, 8),
    )  # fmt: skip
    found = multiplications(report.graph, metrics)
    multiplied = multiplication_section(report.graph, found, report.recorded)
    return _section("Operations", counters, multiplied, _neurobench(report))


def _neurobench(report: Report) -> str:
    metrics = report.metrics
    assert metrics is not None
    shown = {
        key: percent(value) if key.endswith("Sparsity") else mean_count(value)
        for key, value in metrics.neurobench.items()
    }
    shown["Footprint"] += " bytes"
    shown["State updates (not seen by NeuroBench)"] = count(metrics.state_updates / metrics.samples)
    caption = (
        "After NeuroBench's definitions, of one sample; Footprint of all parameters. Its "
        "counts leave out recurrences, so complex state updates stand beside them."
    )
    return table(("Metric", "Value"), [(text(k), v) for k, v in shown.items()], caption, (1,))


def provenance(report: Report) -> str:
    """Return versions, seeds and the hash of the file."""
    rows = [("File", report.file_name), ("SHA-256", report.file_hash), ("Made", report.date)]
    rows += [(name, version) for name, version in report.versions.items()]
    rows += [(f"seed {name}", str(seed)) for name, seed in report.seeds.items()]
    rows += [(f"graph {key}", str(value)) for key, value in report.graph.meta.items()]
    known = [(text(name), element("code", text(value))) for name, value in rows if value]
    if not known:
        return ""
    return _section("Provenance", table(("What", "Which"), known, "What this report was made of."))


def _key_figures(report: Report) -> list[tuple[str, str, str]]:
    figures = []
    accuracy, metrics, energy = report.accuracy, report.metrics, report.energy
    if accuracy is not None:
        beside = f"measured, {count(accuracy.right)} of {_samples(accuracy.samples)}"
        beside += f", {accuracy.data}" if accuracy.data else ""
        figures.append(("Accuracy, integer", percent(accuracy.integer), beside))
        if accuracy.float_graph is not None:
            same = accuracy.agreement
            note = f"measured, {percent(same)} predicted alike" if same is not None else "measured"
            figures.append(("Accuracy, float", percent(accuracy.float_graph), note))
    elif report.answers is not None:
        note = f"measured, {count(report.answers.count)} answers"
        for kind, said in (
            ("integer", report.answers.integer),
            ("float", report.answers.float_graph),
        ):
            name, _, value = said.partition(" (")[0].rpartition(" ")
            if said:
                figures.append((f"{name}, {kind}", value, note))
    if metrics is not None:
        mean, most = metrics.mean_spike_rate, metrics.max_spike_rate
        if mean is not None:
            note = f"counted, a channel and step; busiest node {most:.3f}"
            figures.append(("Spike rate", f"{mean:.3f}", note))
        found = multiplications(report.graph, metrics)
        synapses, recurrence, gates = (
            count(round(found.total(group) / metrics.samples)) for group in GROUPS
        )
        note = f"an inference, in synapses; {recurrence} in recurrences, {gates} in gates"
        figures.append(("Multiplications", synapses, note))
        note = f"counted, in {_samples(metrics.samples)}"
        figures.append(("Saturations", count(metrics.total.saturations), note))
    if energy is not None:
        note = f"{LABEL}; {energy.hardware.title}, "
        note += "static included" if energy.static else "static power not known"
        figures.append(("Energy an inference", si_range(energy.total, "J"), note))
    return figures


def _figure(name: str, value: str, note: str) -> str:
    return element(
        "div",
        element("dt", text(name)),
        element("dd", text(" to ".join(map(_unbroken, value.split(" to ")))), class_="value"),
        element("dd", text(note), class_="note"),
    )


def _unbroken(value: str) -> str:
    return value.replace(" ", "\u00a0")


def _samples(number: int) -> str:
    return "1 sample" if number == 1 else f"{count(number)} samples"


def _chart(svg: str, caption: str) -> str:
    return element("figure", svg, element("figcaption", text(caption)))


def _section(heading: str, *content: str) -> str:
    return element("section", element("h2", text(heading)), *content)
