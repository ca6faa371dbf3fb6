"""The report as one HTML file: no script, no network, readable in light, dark and on paper.

The words are those of ``templates/``, the numbers those of `neurossm.report.values`.
"""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from neurossm.report import charts, predictions, units, values
from neurossm.report.document import Report
from neurossm.report.figures import Figure, csv_text, figures_of
from neurossm.report.glossary import terms_in
from neurossm.report.markup import allowed
from neurossm.report.standalone import standalone
from neurossm.report.tokens import is_tokens
from neurossm.store import write_text

if TYPE_CHECKING:
    from jinja2 import Environment


def write_html(path: str | Path, report: Report) -> None:
    """Write a report to one self-contained file, atomically.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_text(path, html_of(report))


def html_of(report: Report) -> str:
    """Return the report as HTML."""
    page = _environment().get_template("page.html")
    return allowed(page.render(report=report, figures=figures_of(report)))


def _svg_link(figure: Figure) -> str:
    return _link("image/svg+xml", standalone(allowed(figure.svg), allowed(figure.title)))


def _csv_link(figure: Figure) -> str:
    return _link("text/csv", csv_text(figure.rows))


def _link(kind: str, text: str) -> str:
    """Return the address that is the text itself, so that a page without scripts can offer it."""
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only where a page is made
    from markupsafe import Markup

    made = Environment(
        loader=PackageLoader("neurossm.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    style = (resources.files("neurossm.report") / "style.css").read_text(encoding="utf-8")
    made.globals.update(
        style=Markup(style), values=values, predictions=predictions, is_tokens=is_tokens,
        round_range=charts.round_range, terms_in=terms_in,
    )  # fmt: skip
    made.filters.update(
        thousands=units.count, percent=units.percent, si_range=units.si_range,
        unbroken=units.unbroken, svg_link=_svg_link, csv_link=_csv_link,
        drawn=Markup,  # a drawing escaped what came from outside
    )  # fmt: skip
    return made
