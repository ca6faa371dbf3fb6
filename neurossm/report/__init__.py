"""The report: tables as data, a graph as SVG."""

from neurossm.report.drawing import graph_svg

__all__ = ["graph_svg"]
