"""The report as one HTML file: no script, no network, readable in light, dark and on paper."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from neurossm.errors import InputError
from neurossm.report import energy_section, placement_section, sections
from neurossm.report.document import Report
from neurossm.report.markup import element, text


def write_html(path: str | Path, report: Report) -> None:
    """Write a report to one self-contained file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        Path(path).write_text(html_of(report), encoding="utf-8")
    except OSError as error:
        raise InputError(
            str(path), expected="a place to write", got=error.strerror or "an error"
        ) from None


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
        sections.network(report),
        sections.activity(report),
        sections.operations(report),
        energy_section.energy(report),
        placement_section.placement(report),
        energy_section.standing(report),
        sections.provenance(report),
    )
    return "<!DOCTYPE html>\n" + element("html", head, element("body", main), lang="en") + "\n"
