"""The report as one HTML file: no script, no network, readable in light, dark and on paper.

The words are those of ``templates/``, the numbers those of `neurossm.report.values`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from neurossm.report import charts, raster, units, values
from neurossm.report.document import Report
from neurossm.report.drawing import graph_svg
from neurossm.report.markup import allowed
from neurossm.store import write_text

if TYPE_CHECKING:
    from jinja2 import Environment

_DRAWINGS: tuple[Callable[..., str], ...] = (
    graph_svg, charts.interval_chart, charts.rate_chart, charts.scatter_chart,
    raster.raster_svg, values.placement_svg,
)  # fmt: skip


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
    return allowed(_environment().get_template("page.html").render(report=report))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only where a page is made
    from markupsafe import Markup

    def drawn(draw: Callable[..., str]) -> Callable[..., Markup]:
        return lambda *given: Markup(draw(*given))  # markup that escaped what came from outside

    made = Environment(
        loader=PackageLoader("neurossm.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    style = (resources.files("neurossm.report") / "style.css").read_text(encoding="utf-8")
    made.globals.update({draw.__name__: drawn(draw) for draw in _DRAWINGS})
    made.globals.update(
        style=Markup(style), values=values, round_range=charts.round_range,
        has_raster=raster.has_raster,
    )  # fmt: skip
    made.filters.update(
        thousands=units.count, percent=units.percent, si_range=units.si_range,
        unbroken=units.unbroken,
    )  # fmt: skip
    return made
