"""The section of the report about the CPU that it was made on: times, and energy where readable."""

from __future__ import annotations

from neurossm.report.document import Report
from neurossm.report.markup import element, table, text
from neurossm.report.units import si


def machine(report: Report) -> str:
    """Return what was timed on this machine; empty where nothing was."""
    found = report.timings
    if found is None:
        return ""
    rows = [
        (
            text(row.form),
            str(row.batch),
            str(row.threads),
            si(row.seconds_a_sample, "s"),
            si(row.median_seconds_a_sample, "s"),
            si(row.seconds_a_step, "s"),
            f"{row.samples_a_second:,.0f}" if row.samples_a_second >= 10
            else f"{row.samples_a_second:.2g}",
            _joules(row.joules_a_sample),
        )
        for row in found.rows
    ]  # fmt: skip
    heads = ("Form", "Batch", "Threads", "A sample, fastest", "A sample, median",
             "A step of a batch", "Samples a second", "Energy a sample")  # fmt: skip
    caption = (
        f"{found.machine}. Float network: {found.float_network}. Timed: {found.boundary}. "
        f"Energy: {found.energy}."
    )
    listing = table(heads, rows, text(caption), numeric=range(1, 8), stacks=True)
    said = element("p", "Wall time on a CPU: nothing here is about a chip.")
    return element("section", element("h2", "Measured on this machine"), said, listing)


def _joules(found: tuple[tuple[str, float], ...]) -> str:
    if not found:
        return "not available"
    return "<br/>".join(f"{text(domain)} {si(joules, 'J')}" for domain, joules in found)
