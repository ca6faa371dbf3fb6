"""The report as one HTML file: no script, no network, readable in light, dark and on paper."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from neurossm.report import (
    answers_section,
    energy_section,
    machine_section,
    placement_section,
    sections,
)
from neurossm.report.document import Report
from neurossm.report.markup import element, text
from neurossm.store import write_text


def write_html(path: str | Path, report: Report) -> None:
    """Write a report to one self-contained file, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_text(path, html_of(report))


def html_of(report: Report) -> str:
    """Return the report as HTML."""
    style = (resources.files("neurossm.report") / "style.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", text(report.title)),
        element("style", style),
    )
    main = element(
        "main",
        sections.header(report),
        answers_section.answers(report),
        sections.network(report),
        sections.activity(report),
        sections.operations(report),
        energy_section.energy(report),
        placement_section.placement(report),
        machine_section.machine(report),
        energy_section.standing(report),
        sections.provenance(report),
    )
    return "<!DOCTYPE html>\n" + element("html", head, element("body", main), lang="en") + "\n"
