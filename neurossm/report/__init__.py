"""The report: one HTML file, the graph as SVG, and the tables of the terminal as data."""

from neurossm.report.document import Accuracy, Answers, Parity, Report, TimingRow, Timings
from neurossm.report.drawing import graph_svg
from neurossm.report.exporting import write_figures
from neurossm.report.figures import Figure, figures_of
from neurossm.report.multiplied import multiplication_rows, multiplication_sentences
from neurossm.report.page import html_of, write_html
from neurossm.report.tables import (
    CountsRow,
    EnergyRow,
    NodeRow,
    counts_table,
    energy_table,
    node_table,
)

__all__ = [
    "Accuracy",
    "Answers",
    "CountsRow",
    "EnergyRow",
    "Figure",
    "NodeRow",
    "Parity",
    "Report",
    "TimingRow",
    "Timings",
    "counts_table",
    "energy_table",
    "figures_of",
    "graph_svg",
    "html_of",
    "multiplication_rows",
    "multiplication_sentences",
    "node_table",
    "write_figures",
    "write_html",
]
